"""What a P implies: against data rounded for print, other programs' formulas, and the trial of 2018."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind, ttest_rel

from onearm.stats import paired_t
from onearm.stats.reported import (
    Range,
    grim,
    implied_change,
    implied_p,
    mean_change,
    read_p,
    read_printed,
    unpaired_p,
)


def sledai(n=9, p="0.014", **more):
    change = mean_change(read_printed("15.4"), read_printed("6.0"))
    return implied_change(read_p(p), n, change, read_printed("5.8"), read_printed("4.8"), **more)


@pytest.mark.parametrize(("n", "r"), [(9, -0.44), (8, -0.18), (7, 0.07), (5, 0.56)])
def test_a_paired_t_test_of_the_sledai_of_2018_needs_this_correlation(n, r):
    assert round(sledai(n).correlation.nominal, 2) == r


def test_the_correlation_runs_from_minus_0_52_to_minus_0_36_over_the_rounding():
    got = sledai()
    assert round(got.correlation.lower, 2) == -0.52
    assert round(got.correlation.upper, 2) == -0.36
    assert round(got.sd.nominal, 1) == 9.0


def test_whole_numbers_narrow_the_correlation():
    before, after = read_printed("15.4"), read_printed("6.0")
    change = mean_change(before, after, sums=(grim(before, 9).totals, grim(after, 9).totals), n=9)
    assert change.lower == change.upper == pytest.approx(-85 / 9)
    got = implied_change(read_p("0.014"), 9, change, read_printed("5.8"), read_printed("4.8"))
    wide = sledai()
    assert wide.correlation.lower < got.correlation.lower < got.correlation.upper
    assert got.correlation.upper < wide.correlation.upper


def test_protein_of_2018_implies_an_sd_of_the_change_of_1_65():
    change = mean_change(read_printed("2.1"), read_printed("1.5"))
    got = implied_change(read_p("0.308"), 9, change)
    assert [round(x, 2) for x in (got.sd.nominal, got.sd.lower, got.sd.upper)] == [1.65, 1.38, 1.93]
    assert got.correlation is None
    assert got.lower.nominal < -0.6 < got.upper.nominal
    assert got.upper.nominal > 0  # P above 0.05


@pytest.mark.parametrize(("r", "p"), [(0.0, 0.0057), (0.2, 0.0031), (0.5, 0.0008)])
def test_p_of_2018_had_the_correlation_been_ordinary(r, p):
    sd = math.sqrt(5.8**2 + 4.8**2 - 2 * r * 5.8 * 4.8)
    change = mean_change(read_printed("15.4"), read_printed("6.0"))
    assert round(implied_p(change, Range(sd, sd, sd), 9).nominal, 4) == p


def test_an_unpaired_test_of_2018_gives_0_0018_and_not_0_014():
    change = mean_change(read_printed("15.4"), read_printed("6.0"))
    got = unpaired_p(change, read_printed("5.8"), read_printed("4.8"), 9)
    assert round(got.nominal, 4) == 0.0018
    assert got.upper < 0.0135


def data_strategy():
    pairs = st.tuples(st.integers(0, 40), st.integers(0, 40))
    return st.lists(pairs, min_size=3, max_size=12)


@settings(max_examples=150, deadline=None)
@given(data_strategy(), st.integers(0, 2))
def test_the_truth_lies_in_the_ranges_when_data_are_printed_and_forgotten(pairs, decimals):
    x, y = (np.array(v, float) for v in zip(*pairs, strict=True))
    d = y - x
    if min(np.ptp(x), np.ptp(y), np.ptp(d)) == 0 or d.mean() == 0:
        return
    test = paired_t(d)
    if test.pvalue < 1e-4 or test.pvalue > 0.999:
        return

    def text(value):
        return read_printed(f"{value:.{decimals}f}")

    change = mean_change(text(x.mean()), text(y.mean()))
    p = read_p(f"{test.pvalue:.3f}")
    got = implied_change(p, len(d), change, text(x.std(ddof=1)), text(y.std(ddof=1)))
    spare = 1e-9
    assert got.sd.lower - spare <= test.sd <= got.sd.upper + spare
    r = np.corrcoef(x, y)[0, 1]
    if got.correlation is not None:
        assert got.correlation.lower - spare <= r <= got.correlation.upper + spare
    assert got.lower.lower - spare <= test.lower <= got.lower.upper + spare
    assert got.upper.lower - spare <= test.upper <= got.upper.upper + spare
    for welch in (False, True):
        truth = ttest_ind(x, y, equal_var=not welch).pvalue
        unpaired = unpaired_p(change, text(x.std(ddof=1)), text(y.std(ddof=1)), len(d), welch=welch)
        assert unpaired.lower - spare <= truth <= unpaired.upper + spare


def test_nominal_values_are_those_of_unrounded_numbers():
    x = np.array([7.25, 8.5, 13.0, 13.75, 15.0, 18.25])
    y = np.array([5.0, 9.25, 10.0, 5.5, 12.25, 4.0])
    d = y - x
    p = ttest_rel(y, x).pvalue
    change = mean_change(read_printed(f"{x.mean():.12f}"), read_printed(f"{y.mean():.12f}"))
    sds = [read_printed(f"{v.std(ddof=1):.12f}") for v in (x, y)]
    got = implied_change(read_p(f"{p:.12f}"), 6, change, *sds)
    assert got.sd.nominal == pytest.approx(d.std(ddof=1), rel=1e-9)
    assert got.correlation.nominal == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-6)
    limits = paired_t(d)
    assert (got.lower.nominal, got.upper.nominal) == pytest.approx(
        (limits.lower, limits.upper), rel=1e-8
    )


def test_p_below_a_limit_bounds_the_spread_from_one_side_only():
    got = sledai(p="< 0.001")
    assert got.sd.nominal is None
    assert got.sd.lower == 0
    assert got.sd.upper == pytest.approx(9.5 * 3 / 5.0413, rel=1e-3)  # t(0.001, 8) = 5.0413
    above = sledai(p="> 0.05")
    assert math.isinf(above.sd.upper)
    assert above.correlation.lower == -math.inf


def test_an_impossible_correlation_is_called_impossible():
    assert not sledai(20).possible
    assert sledai(9).possible


def test_the_chance_of_so_low_a_correlation_is_that_of_t_with_7_degrees_of_freedom():
    # R 4.2.2: r <- -0.439209176801185; print(pt(r * sqrt(7 / (1 - r^2)), 7), digits = 8)
    assert round(sledai().reversal, 8) == 0.11844572


def test_nothing_follows_from_no_change_or_from_p_1():
    change = mean_change(read_printed("6.0"), read_printed("6.0"))
    assert implied_change(read_p("1"), 9, Range(0.0, 0.0, 0.0)) is None
    assert implied_change(read_p("0.9"), 9, change).sd.lower == 0
    with pytest.raises(ValueError, match=r"^n: found 1"):
        implied_change(read_p("0.9"), 1, change)


def test_a_printed_mean_change_narrows_the_difference_of_the_means():
    got = mean_change(read_printed("15.4"), read_printed("6.0"), read_printed("-9.44"))
    assert (got.nominal, got.lower, got.upper) == pytest.approx((-9.44, -9.445, -9.435))
    assert mean_change(None, read_printed("6.0")) is None
