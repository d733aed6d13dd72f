"""Every public function and the inputs that break statistics: a defined result, or words."""

import math

import numpy as np
import pytest

from onearm.stats import (
    blaker,
    clopper_pearson,
    cohen_dz,
    describe,
    geometric_mean_ratio,
    hedges_g,
    hodges_lehmann,
    jeffreys,
    mcnemar,
    mid_p,
    paired_t,
    probability_of_improvement,
    rank_biserial,
    sign_flip,
    sign_test,
    signed_rank,
    wilson,
)
from onearm.stats.bootstrap import bootstrap_bca
from onearm.stats.paired import paired_difference
from onearm.stats.proportion import binomial_test


def normal_signed_rank(diff):
    return signed_rank(diff, method="normal", correction=True)


def pratt(diff):
    return signed_rank(diff, zeros="pratt")


def pratt_interval(diff):
    return hodges_lehmann(diff, zeros="pratt")


def median_flip(diff):
    return sign_flip(diff, statistic=np.median)


def improvement(diff):
    return probability_of_improvement(diff, better="lower")


def bootstrap(diff):
    return bootstrap_bca(diff, rng=np.random.default_rng(1), resamples=99)


#: function: (no difference, one patient, nobody changed, everybody changed by 2), each either the
#: beginning of an error or the fields of the result.
OF_DIFFERENCES = {
    signed_rank: ("at least 1", {"pvalue": 1.0}, {"pvalue": 1.0}, {"pvalue": 1 / 16}),
    pratt: ("at least 1", {"pvalue": 1.0}, {"pvalue": 1.0}, {"pvalue": 1 / 16}),
    # z of one patient is 1/2 less half a rank: 0. Of five equal ranks of 3: (15 - 7.5 - 0.5)/sqrt(45/4).
    normal_signed_rank: (
        "at least 1",
        {"pvalue": 1.0, "z": 0.0},
        {"pvalue": 1.0, "z": 0.0},
        {"pvalue": math.erfc(7 / math.sqrt(45 / 4) / math.sqrt(2))},
    ),
    hodges_lehmann: (
        "at least 1",
        {"estimate": 3.0, "lower": -math.inf, "upper": math.inf},
        {"estimate": 0.0, "lower": -math.inf, "upper": math.inf},
        # 95% is not attainable with five patients.
        {"estimate": 2.0, "lower": -math.inf, "upper": math.inf},
    ),
    pratt_interval: (
        "at least 1",
        {"estimate": 3.0, "lower": -math.inf, "upper": math.inf},
        {"estimate": 0.0, "lower": -math.inf, "upper": math.inf},
        {"estimate": 2.0, "lower": -math.inf, "upper": math.inf},
    ),
    sign_test: (
        "at least 1",
        {"pvalue": 1.0, "estimate": 1.0},
        {"pvalue": 1.0, "estimate": None},
        {"pvalue": 1 / 16, "estimate": 1.0},
    ),
    sign_flip: (
        "at least 1",
        {"pvalue": 1.0, "statistic": 3.0},
        {"pvalue": 1.0, "statistic": 0.0},
        {"pvalue": 1 / 16, "statistic": 2.0},
    ),
    median_flip: (
        "at least 1",
        {"pvalue": 1.0, "statistic": 3.0},
        {"pvalue": 1.0, "statistic": 0.0},
        {"pvalue": 1.0, "statistic": 2.0},
    ),
    paired_t: ("at least 2", "at least 2", "all 5 differences are 0", "all 5 differences are 2"),
    cohen_dz: ("at least 2", "at least 2", "all 5 differences are 0", "all 5 differences are 2"),
    hedges_g: ("at least 3", "at least 3", "all 5 differences are 0", "all 5 differences are 2"),
    rank_biserial: (
        "at least 1",
        {"estimate": 1.0, "lower": None},
        {"estimate": 0.0, "upper": None},
        {"estimate": 1.0},
    ),
    improvement: (
        "at least 1",
        {"estimate": 0.0, "lower": 0.0},
        {"estimate": 0.5},
        {"estimate": 0.0, "lower": 0.0},
    ),
    bootstrap: (
        "at least 2",
        "at least 2",
        {"estimate": 0.0, "lower": None, "method": "no interval: all 5 differences are 0"},
        {"estimate": 2.0, "upper": None, "method": "no interval: all 5 differences are 2"},
    ),
}
INPUTS = ([], [3.0], [0.0] * 5, [2.0] * 5)


def name(function):
    return function.__name__


@pytest.mark.parametrize("case", range(4), ids=["none", "one patient", "all zero", "constant"])
@pytest.mark.parametrize("function", OF_DIFFERENCES, ids=name)
def test_hardly_any_data_give_a_defined_result_or_words(function, case):
    expected = OF_DIFFERENCES[function][case]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            function(INPUTS[case])
        return
    got = function(INPUTS[case])
    for field, value in expected.items():
        found = getattr(got, field)
        assert found == (pytest.approx(value, rel=1e-14) if isinstance(value, float) else value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("function", OF_DIFFERENCES, ids=name)
def test_a_value_that_is_missing_or_infinite_is_named_by_its_place(function, bad):
    with pytest.raises(ValueError, match=r"diff\[2\]: .* is not a finite number; expected one"):
        function([1.0, 2.0, bad, 4.0])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (["1", "2"], "diff: found <U1 values; expected numbers"),
        ([[1.0, 2.0]], "diff: found an array of 2 dimensions"),
        ([True, False], "diff: found bool values"),
        (3.0, "diff: found an array of 0 dimensions"),
        (np.array([1, 2], dtype=np.float32), "diff: found float32 values; expected double"),
        ([1e306, 2.0], r"diff: found 1e\+306; expected numbers up to 1e\+305"),
    ],
)
@pytest.mark.parametrize("function", OF_DIFFERENCES, ids=name)
def test_what_is_no_row_of_numbers_is_refused(function, bad, words):
    with pytest.raises(ValueError, match=words):
        function(bad)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([1, 2], [1, 2, 3], "before, after: found 2 and 3 values"),
        ([], [], "found 0 differences; expected at least 2"),
        ([1], [2], "found 1 differences; expected at least 2"),
        ([0, 0], [0, 0], r"before\[0\]: 0 has no logarithm"),
        ([1, 2], [2, 4], "all 2 differences are 0.693147"),
        ([1, math.nan], [2, 4], r"before\[1\]: nan is not a finite number"),
        ([1, 2], [2, math.inf], r"after\[1\]: inf is not a finite number"),
    ],
)
def test_a_ratio_of_geometric_means_needs_two_rows_that_fit(before, after, words):
    with pytest.raises(ValueError, match=words):
        geometric_mean_ratio(before, after)


SHARES = [clopper_pearson, wilson, jeffreys, mid_p, blaker]


@pytest.mark.parametrize("function", SHARES, ids=name)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -1, 1.5, None, "1", True])
def test_counts_that_are_none_are_refused_by_every_interval_of_a_share(function, bad):
    with pytest.raises(ValueError, match=r"x: found .*expected a whole number"):
        function(bad, 5)
    with pytest.raises(ValueError, match=r"n: found .*expected a whole number"):
        function(0, bad)


@pytest.mark.parametrize("function", SHARES, ids=name)
def test_one_patient_has_an_interval_and_none_has_words(function):
    got = function(1, 1)
    assert (got.estimate, got.upper) == (1.0, 1.0)
    assert 0 < got.lower < 1
    with pytest.raises(ValueError, match="n: found 0; expected a whole number of patients, 1"):
        function(0, 0)


def test_tests_of_counts_are_defined_without_events_and_without_change():
    assert mcnemar(0, 0).pvalue == 1.0
    assert mcnemar(1, 0).pvalue == 1.0
    assert binomial_test(0, 1, 0.5).pvalue == 1.0
    assert paired_difference(0, 0, 1).estimate == 0.0
    for function, arguments in ((mcnemar, (0, math.nan)), (binomial_test, (0, 0, 0.5))):
        with pytest.raises(ValueError, match="expected a whole number of patients"):
            function(*arguments)


def test_a_summary_of_nothing_and_of_one_value_is_defined():
    nothing, one = describe([]), describe([None, 3.0, math.nan])
    assert (nothing.n, nothing.mean, nothing.sd, nothing.median) == (0, None, None, None)
    assert (one.n, one.n_missing, one.mean, one.sd, one.q3) == (1, 2, 3.0, None, 3.0)
    same = describe([2.0] * 5)
    assert (same.sd, same.q1, same.q3) == (0.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="x: found an infinite value"):
        describe([1.0, math.inf])


def test_a_masked_value_is_missing_and_refused_not_taken_as_measured():
    masked = np.ma.array([-3.0, -4.0, -5.0, -2.0, -1.0, 999.0], mask=[0, 0, 0, 0, 0, 1])
    for function in (signed_rank, paired_t, hodges_lehmann):
        with pytest.raises(ValueError, match=r"diff\[5\]: nan is not a finite number"):
            function(masked)
    assert describe(masked).n == 5
    assert signed_rank(masked[:5]).n == 5


def test_a_p_beyond_the_smallest_number_and_its_mid_p_are_above_zero():
    got = signed_rank(-np.arange(1.0, 1101.0))
    assert got.pvalue > 0
    assert got.midp > 0
