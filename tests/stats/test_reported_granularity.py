"""GRIM, GRIMMER and limits: against all data sets listed one by one, and published facts."""

import itertools
import math
import statistics
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats.reported import (
    Scale,
    Summary,
    grim,
    grim_percent,
    joint,
    prints_as,
    read_p,
    read_printed,
    spread_limits,
)

ROUNDINGS = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)
SCORE = Scale(Fraction(1), Fraction(0), Fraction(105))


def rounded(value: Fraction, decimals: int) -> set[str]:
    """A fraction as programs print it: half up, half to even, or half down by binary noise."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    unit = Decimal(1).scaleb(-decimals)
    return {str(exact.quantize(unit, how)) for how in ROUNDINGS}


def summary(**printed: str) -> Summary:
    return Summary(**{key: read_printed(text) for key, text in printed.items()})


# -- numbers as printed


def test_a_printed_number_reaches_half_a_unit_of_its_last_decimal_both_ends_included():
    number = read_printed("6.0")
    assert (number.lower, number.upper) == (Fraction(595, 100), Fraction(605, 100))
    assert number.admits(Fraction(595, 100))
    assert number.admits(5.95)
    assert not number.admits(5.9499999)
    assert read_printed("6").lower == Fraction(11, 2)


@pytest.mark.parametrize(
    "text", ["15,4", "1,800", "", "x", "1.2.3", "--3", "5.8 (4.8)", "1e9999", "NaN"]
)
def test_what_is_no_number_is_told_with_found_expected_and_to_do(text):
    with pytest.raises(ValueError, match=r"^mean: .*; .*; .*"):
        read_printed(text, "mean")


@pytest.mark.parametrize("text", ["1.2", "-0.1", "< 0", "> 1", "p"])
def test_what_is_no_p_value_is_refused(text):
    with pytest.raises(ValueError, match=r"^p: .*; .*; "):
        read_p(text)


def test_p_of_0_000_means_at_most_half_a_thousandth_and_never_0():
    p = read_p("0.000")
    assert p.admits(0.0005)
    assert p.admits(1e-9)
    assert not p.admits(Fraction(0))
    assert not p.admits(0.0006)


def test_less_than_leaves_its_limit_out():
    assert not read_p("< 0.001").admits(Fraction(1, 1000))
    assert read_p("≤ 0.001").admits(Fraction(1, 1000))
    assert read_p("> 0.05").admits(0.06)
    assert not read_p("> 0.05").admits(Fraction(5, 100))


@given(st.fractions(0, 100, max_denominator=500), st.integers(0, 3))
def test_a_number_is_printed_as_it_is_rounded(value, decimals):
    for text in rounded(value, decimals):
        assert read_printed(text).admits(value)
    assert any(prints_as(value, read_printed(text)) for text in rounded(value, decimals))


def test_a_constructed_value_must_round_half_up_or_half_to_even():
    assert prints_as(Fraction(65, 100), read_printed("0.6"))
    assert prints_as(Fraction(65, 100), read_printed("0.7"))
    assert not prints_as(Fraction(75, 100), read_printed("0.7"))


# -- GRIM


def test_the_mean_15_4_is_possible_for_5_and_7_to_12_patients_only():
    mean = read_printed("15.4")
    assert [n for n in range(1, 13) if grim(mean, n).possible] == [5, 7, 8, 9, 10, 11, 12]
    assert grim(mean, 9).totals == (139,)
    assert grim(read_printed("6.0"), 9).totals == (54,)


def test_88_9_percent_up_to_12_patients_is_8_of_9_only():
    percent = read_printed("88.9")
    found = {n: grim_percent(percent, n).totals for n in range(1, 13)}
    assert {n: k for n, k in found.items() if k} == {9: (8,)}
    assert grim_percent(percent, 18).totals == (16,)
    assert grim_percent(read_printed("100"), 7).totals == (7,)


def test_the_published_examples_of_grim_hold():
    # Brown & Heathers (2017): a mean of 5.19 of 28 whole numbers cannot be; 5.18 and 5.21 can.
    assert not grim(read_printed("5.19"), 28).possible
    assert grim(read_printed("5.18"), 28).possible
    assert grim(read_printed("5.21"), 28).possible


@given(st.integers(1, 15), st.integers(0, 150), st.integers(0, 2))
def test_a_mean_of_whole_numbers_is_always_found_possible(n, total, decimals):
    for text in rounded(Fraction(total, n), decimals):
        assert total in grim(read_printed(text), n).totals


@given(st.integers(1, 12), st.integers(0, 300), st.integers(1, 2))
def test_grim_says_no_exactly_where_no_sum_is_printed_so(n, hundredths, decimals):
    text = f"{hundredths / 10**decimals:.{decimals}f}"
    some = any(text in rounded(Fraction(total, n), decimals) for total in range(n * 301))
    assert grim(read_printed(text), n).possible == some


def test_a_scale_in_tenths_admits_more_means():
    mean = read_printed("1.53")
    assert not grim(mean, 6).possible
    assert grim(mean, 6, step=Fraction(1, 10)).totals == (92,)


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_number_of_patients_is_a_whole_number_from_1(n):
    with pytest.raises(ValueError, match=r"^n: "):
        grim(read_printed("1"), n)
    with pytest.raises(ValueError, match=r"^n: "):
        joint(summary(mean="1"), n, SCORE)


# -- GRIMMER


def printed_pairs(n: int, top: int) -> set[tuple[str, str]]:
    """Every (mean, SD) to one decimal of all sets of n whole numbers from 0 to top."""
    found = set()
    for values in itertools.combinations_with_replacement(range(top + 1), n):
        mean = Fraction(sum(values), n)
        variance = Fraction(sum(v * v for v in values) * n - sum(values) ** 2, n * (n - 1))
        exact = variance.numerator / variance.denominator
        sd = Fraction(Decimal(repr(math.sqrt(exact))))
        found |= set(itertools.product(rounded(mean, 1), rounded(sd, 1)))
    return found


@pytest.mark.parametrize(("n", "top"), [(2, 7), (3, 6), (4, 5), (5, 4)])
def test_grimmer_agrees_with_all_data_sets_listed(n, top):
    scale = Scale(Fraction(1), Fraction(0), Fraction(top))
    seen = printed_pairs(n, top)
    for mean, sd in itertools.product(range(10 * top + 1), range(40)):
        pair = (f"{mean / 10:.1f}", f"{sd / 10:.1f}")
        got = joint(summary(mean=pair[0], sd=pair[1]), n, scale)
        assert got.proof == "exhaustive"
        assert got.possible == (pair in seen), pair


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=9), st.integers(0, 2))
def test_what_a_data_set_prints_is_always_possible_together(values, decimals):
    n = len(values)
    texts = {
        "mean": min(rounded(Fraction(sum(values), n), decimals)),
        "median": min(rounded(Fraction(statistics.median(values)), 1)),
        "minimum": str(min(values)),
        "maximum": str(max(values)),
    }
    if n > 1:
        texts["sd"] = f"{statistics.stdev(values):.{decimals}f}"
    scale = Scale(Fraction(1), Fraction(0), Fraction(20))
    assert joint(summary(**texts), n, scale).possible
    assert all(limit.possible for limit in spread_limits(summary(**texts), n, scale))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_median_minimum_and_maximum_with_the_rest_agree_with_all_data_sets_listed(n):
    top = 3
    scale = Scale(Fraction(1), Fraction(0), Fraction(top))
    seen = set()
    for values in itertools.combinations_with_replacement(range(top + 1), n):
        for mean in rounded(Fraction(sum(values), n), 1):
            median = f"{statistics.median(values):.1f}"
            seen.add((mean, median, str(values[0]), str(values[-1])))
    means = [f"{m / 10:.1f}" for m in range(10 * top + 1)]
    medians = [f"{m / 2:.1f}" for m in range(2 * top + 1)]
    ends = [str(v) for v in range(top + 1)]
    for quartet in itertools.product(means, medians, ends, ends):
        texts = dict(zip(("mean", "median", "minimum", "maximum"), quartet, strict=True))
        assert joint(summary(**texts), n, scale).possible == (quartet in seen), quartet


def test_the_scores_of_2018_can_be_for_9_and_not_for_6_patients():
    before = summary(mean="15.4", sd="5.8")
    assert joint(before, 9, SCORE).possible
    assert not joint(before, 6, SCORE).possible
    assert joint(summary(mean="6.0", sd="4.8"), 9, SCORE).possible
    sds = joint(before, 9, SCORE).sds()
    # SDs of the constructed pairs of shared/data/clinical: 5.769, 5.790, 5.812, 5.833.
    assert [round(sd, 3) for sd in sds] == [5.769, 5.79, 5.812, 5.833]


def test_an_sd_too_large_for_the_scale_cannot_be():
    scale = Scale(Fraction(1), Fraction(0), Fraction(10))
    assert not joint(summary(mean="5.0", sd="5.6"), 6, scale).possible
    assert joint(summary(mean="5.0", sd="5.5"), 6, scale).possible


def test_a_median_of_an_odd_number_of_scores_is_a_score():
    assert not joint(summary(median="15.5"), 9, SCORE).possible
    assert joint(summary(median="15.5"), 8, SCORE).possible


def test_a_binary_measure_has_one_sd_for_each_mean():
    scale = Scale(Fraction(1), Fraction(0), Fraction(1))  # DEBIT
    assert joint(summary(mean="0.33", sd="0.50"), 9, scale).possible
    assert not joint(summary(mean="0.33", sd="0.45"), 9, scale).possible


def test_large_samples_are_judged_by_necessary_conditions_and_say_so():
    got = joint(summary(mean="50.0", sd="30.0"), 150, SCORE)
    assert (got.possible, got.proof) == (True, "necessary")


def test_a_continuous_scale_excludes_nothing():
    assert joint(summary(mean="2.1", sd="0.1"), 9, Scale()).proof == "none"


# -- limits


@pytest.mark.parametrize(
    ("printed", "broken"),
    [
        ({"minimum": "9", "maximum": "4"}, "order.minimum_maximum"),
        ({"median": "3", "minimum": "5"}, "order.minimum_median"),
        ({"q1": "6", "q3": "4"}, "order.q1_q3"),
        ({"mean": "20", "maximum": "12"}, "order.mean_maximum"),
        ({"mean": "5.0", "sd": "-1.0"}, "sd.negative"),
        ({"mean": "5.0", "sd": "1.0", "minimum": "0", "maximum": "20"}, "sd.below_range"),
        ({"mean": "5.0", "sd": "9.0", "minimum": "0", "maximum": "10"}, "sd.above_range"),
        ({"mean": "5.0", "sd": "1.0", "median": "7.0"}, "mean.median"),
    ],
)
def test_a_relation_that_all_data_keep_is_found_broken(printed, broken):
    limits = spread_limits(summary(**printed), 9, Scale())
    assert broken in [limit.id for limit in limits if not limit.possible]
