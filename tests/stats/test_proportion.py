"""Intervals of a share: R, 40-digit arithmetic, and the definitions themselves."""

import csv
import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats import blaker, clopper_pearson, jeffreys, mid_p, wilson
from onearm.stats.proportion import binomial_test

ANSWERS = Path(__file__).parents[1] / "reference" / "stats_binomial_test.csv"
METHODS = {
    "clopper_pearson": clopper_pearson,
    "wilson": wilson,
    "jeffreys": jeffreys,
}
SIDES = {"two.sided": "two-sided", "greater": "lower", "less": "upper"}


def test_intervals_agree_with_r(r_proportion):
    for row in r_proportion:
        got = METHODS[row["method"]](
            int(row["x"]),
            int(row["n"]),
            conf_level=float(row["conf_level"]),
            alternative=SIDES[row["alternative"]],
        )
        expected = [float(row["lower"]), float(row["upper"])]
        assert [got.lower, got.upper] == pytest.approx(expected, rel=1e-11, abs=1e-14), row
    assert len(r_proportion) == 462


@pytest.mark.parametrize(
    ("method", "key"), [(clopper_pearson, "cp"), (mid_p, "midp"), (blaker, "blaker")]
)
def test_exact_intervals_agree_with_forty_digit_arithmetic(gold_binomial, method, key):
    compared = 0
    for row in gold_binomial:
        if row.get(key):
            got = method(row["x"], row["n"])
            expected = [float(limit) for limit in row[key]]
            assert [got.lower, got.upper] == pytest.approx(expected, abs=1e-13), row
            compared += 1
    assert compared >= 100


def test_every_pinned_interval_of_the_design_tables_is_met(design_shares):
    functions = {"CP": clopper_pearson, "Wilson": wilson, "midP": mid_p, "Blaker": blaker}
    compared = 0
    for case in design_shares:
        x, n = case["inputs"]["x"], case["inputs"]["n"]
        for key, expected in case["expected"].items():
            if key in functions:
                got = functions[key](x, n)
                # The file's Blaker limits were searched to 1e-10 (its note).
                near = 2e-10 if key == "Blaker" else 1e-12
                assert [got.lower, got.upper] == pytest.approx(expected, abs=near), case["id"]
            else:
                side = "upper" if key == "one_sided" else "two-sided"
                upper = clopper_pearson(x, n, alternative=side).upper
                assert upper == pytest.approx(expected, rel=1e-13), case["id"]
            compared += 1
    assert compared == 40


def test_no_event_in_nine_leaves_28_percent_possible():
    # By definition (1 - p)**9 = 0.05.
    got = clopper_pearson(0, 9, alternative="upper")
    assert (got.lower, round(got.upper, 4)) == (0.0, 0.2831)
    assert got.upper == pytest.approx(1 - 0.05 ** (1 / 9), rel=1e-14, abs=0)


def test_five_of_six_is_the_published_interval():
    # Kamen 2022, Lupus Sci Med 9:e000704: SRI-4 in 5 of 6, 83.3 % (95 % CI 35.9-99.6).
    got = clopper_pearson(5, 6)
    assert [round(100 * v, 1) for v in (got.estimate, got.lower, got.upper)] == [83.3, 35.9, 99.6]


@pytest.mark.parametrize("method", [clopper_pearson, wilson, jeffreys, mid_p, blaker])
def test_nobody_and_everybody_touch_the_ends(method):
    for n in (1, 2, 9, 500):
        none, all_ = method(0, n), method(n, n)
        assert (none.estimate, none.lower) == (0.0, 0.0)
        assert (all_.estimate, all_.upper) == (1.0, 1.0)
        assert all_.lower == pytest.approx(1 - none.upper, abs=1e-15)


@given(st.integers(1, 60), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.999]))
@settings(max_examples=60, deadline=None)
def test_limits_are_mirrored_ordered_and_hold_the_estimate(n, data, level):
    x = data.draw(st.integers(0, n))
    for method in (clopper_pearson, wilson, jeffreys, mid_p, blaker):
        got, mirrored = method(x, n, conf_level=level), method(n - x, n, conf_level=level)
        assert got.lower <= got.estimate <= got.upper
        assert got.lower == pytest.approx(1 - mirrored.upper, abs=1e-14)
    inner, outer = blaker(x, n, conf_level=level), clopper_pearson(x, n, conf_level=level)
    assert outer.lower <= inner.lower + 1e-15
    assert inner.upper <= outer.upper + 1e-15


def acceptability(x, n, p):
    """Blaker's acceptability from its definition, in exact fractions."""
    weights = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    reach = [min(sum(weights[: k + 1]), sum(weights[k:])) for k in range(n + 1)]
    return sum(w for w, r in zip(weights, reach, strict=True) if r <= reach[x])


@given(st.integers(1, 12), st.data(), st.sampled_from([0.8, 0.9, 0.95]))
@settings(max_examples=12, deadline=None)
def test_blakers_limit_is_where_the_acceptability_first_exceeds_alpha(n, data, level):
    x = data.draw(st.integers(1, n))
    lower = blaker(x, n, conf_level=level).lower
    alpha = 1 - Fraction(level)
    step = Fraction(1, 10**9)
    assert acceptability(x, n, Fraction(lower) + step) > alpha
    for k in range(1, 41):
        below = Fraction(lower) * (1 - Fraction(k, 40)) - step
        if below > 0:
            assert acceptability(x, n, below) <= alpha


@given(st.integers(1, 30), st.data())
@settings(max_examples=30, deadline=None)
def test_mid_p_limit_leaves_half_a_tail_by_definition(n, data):
    x = data.draw(st.integers(1, n))
    p = Fraction(mid_p(x, n).lower)
    weights = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x, n + 1)]
    assert float(sum(weights) - weights[0] / 2) == pytest.approx(0.025, rel=1e-11, abs=0)


@pytest.mark.parametrize(
    ("x", "n", "words"),
    [
        (3, 2, "x: found 3 of n = 2; expected at most n"),
        (-1, 2, "x: found -1; expected a whole number of patients, 0 or more"),
        (0, 0, "n: found 0; expected a whole number of patients, 1 or more"),
        (1.5, 2, "x: found 1.5; expected a whole number"),
        (float("nan"), 2, "x: found nan; expected a whole number"),
        ("1", 2, "x: found '1'; expected a whole number"),
        (True, 2, "x: found True; expected a whole number"),
    ],
)
def test_counts_that_are_none_are_refused_in_words(x, n, words):
    with pytest.raises(ValueError, match=words):
        clopper_pearson(x, n)


def test_unknown_sides_and_levels_are_refused_in_words():
    with pytest.raises(ValueError, match="alternative: 'less' is not known; expected one of two-s"):
        wilson(1, 2, alternative="less")
    with pytest.raises(ValueError, match="conf_level: found 95"):
        blaker(1, 2, conf_level=95)


def test_the_exact_test_against_a_rate_agrees_with_r():
    # R 4.2.2: binom.test(x, n, rate, alternative); see tests/reference/stats_binomial_test.R.
    with ANSWERS.open() as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    for row in rows:
        got = binomial_test(
            int(row["x"]),
            int(row["n"]),
            float(row["rate"]),
            alternative=row["alternative"].replace(".", "-"),
        )
        if float(row["p"]) < 1e-300:  # smaller than a full-precision number can be
            assert 0 < got.pvalue < 1e-300
        else:
            assert got.pvalue == pytest.approx(float(row["p"]), rel=1e-11, abs=0), row
        limits = [float(row["lower"]), float(row["upper"])]
        assert [got.lower, got.upper] == pytest.approx(limits, rel=1e-11, abs=1e-14), row
    assert len(rows) == 576


def binomial_p_by_definition(x, n, rate, method):
    """Two-sided P of all three kinds, in fractions."""
    p = Fraction(rate)
    weights = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    less, greater = sum(weights[: x + 1]), sum(weights[x:])
    if method == "minlike":
        return sum(w for w in weights if w <= weights[x] * (1 + Fraction(1, 10**7)))
    if method == "doubled":
        return min(Fraction(1), 2 * min(less, greater))
    reach = [min(sum(weights[: k + 1]), sum(weights[k:])) for k in range(n + 1)]
    return sum(w for w, r in zip(weights, reach, strict=True) if r <= reach[x])


@given(
    st.integers(1, 25),
    st.data(),
    st.sampled_from([1 / 64, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9]),
    st.sampled_from(["minlike", "doubled", "blaker"]),
)
@settings(max_examples=150, deadline=None)
def test_the_two_sided_p_is_its_definition(n, data, rate, method):
    x = data.draw(st.integers(0, n))
    got = binomial_test(x, n, rate, method=method)
    expected = binomial_p_by_definition(x, n, rate, method)
    assert got.pvalue == pytest.approx(float(expected), rel=1e-12, abs=0)
    at = math.comb(n, x) * Fraction(rate) ** x * (1 - Fraction(rate)) ** (n - x)
    left_out = at if method == "doubled" else at / 2
    if not (method == "doubled" and expected == 1):
        assert got.midp == pytest.approx(float(expected - left_out), rel=1e-10, abs=1e-15)
    assert 0 <= got.midp <= got.pvalue <= 1


@given(st.integers(1, 40), st.data(), st.floats(0.02, 0.98))
@settings(max_examples=60, deadline=None)
def test_doubled_and_blakers_p_never_disagree_with_their_intervals(n, data, rate):
    x = data.draw(st.integers(0, n))
    doubled = binomial_test(x, n, rate, method="doubled")
    assert (doubled.lower < rate < doubled.upper) == (doubled.pvalue > 0.05)
    blakers = binomial_test(x, n, rate, method="blaker")
    if blakers.pvalue > 0.05:  # a rejected rate may lie inside: Blaker's interval is the hull
        assert blakers.lower <= rate <= blakers.upper
    if not blakers.lower <= rate <= blakers.upper:
        assert blakers.pvalue <= 0.05


def test_a_one_sided_test_has_a_one_sided_limit_that_agrees():
    # P(X >= 3) of nine at 10 %: 1 - 0.9**9 - 9*0.1*0.9**8 - 36*0.01*0.9**7 = 0.052972.
    got = binomial_test(3, 9, 0.1, alternative="greater")
    assert got.pvalue == pytest.approx(0.052972138, rel=1e-12)
    assert (got.upper, got.lower < 0.1) == (1.0, True)
    assert got.midp == pytest.approx(0.052972138 - 84 * 0.001 * 0.9**6 / 2, rel=1e-12)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), float("inf"), True, "0.1", None])
def test_a_reference_rate_lies_between_0_and_1(rate):
    with pytest.raises(ValueError, match=r"rate: found .*; expected the reference rate, a number"):
        binomial_test(3, 9, rate)


@pytest.mark.parametrize("method", ["minlike", "doubled", "blaker"])
@pytest.mark.parametrize("rate", [0.1, 0.37])
def test_the_two_sided_p_of_every_count_of_21_is_its_definition(method, rate):
    # Here the mean, 2.1, rounds to another count than the most likely one from one side.
    for x in range(22):
        expected = float(binomial_p_by_definition(x, 21, rate, method))
        got = binomial_test(x, 21, rate, method=method).pvalue
        assert got == pytest.approx(expected, rel=1e-12, abs=0)


def test_unknown_kinds_of_two_sided_p_are_refused():
    with pytest.raises(ValueError, match="method: 'exact' is not known; expected one of minlike"):
        binomial_test(3, 9, 0.1, method="exact")
    with pytest.raises(ValueError, match="x: found 10 of n = 9"):
        binomial_test(10, 9, 0.1)
