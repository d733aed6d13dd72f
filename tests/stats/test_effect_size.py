"""Effect sizes: R's answers, definitions, and what has no interval."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats import (
    clopper_pearson,
    cohen_dz,
    hedges_g,
    paired_t,
    probability_of_improvement,
    rank_biserial,
    signed_rank,
)
from onearm.stats.effect_size import noncentral_t_below


def test_dz_and_g_with_their_intervals_agree_with_r(r_effect):
    # Limits: R's uniroot over pt(t, df, ncp), whose own error is about 1e-12.
    for answers in r_effect.values():
        for function, name in ((cohen_dz, "cohen_dz"), (hedges_g, "hedges_g")):
            got = function(answers["diff"])
            found = [got.estimate, got.lower, got.upper]
            assert found == pytest.approx(answers[name], rel=1e-9, abs=0)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=40).filter(lambda d: len(set(d)) > 1))
@settings(max_examples=15, deadline=None)
def test_the_interval_of_dz_excludes_zero_exactly_when_t_is_significant(diff):
    got, t = cohen_dz(diff), paired_t(diff)
    assert got.estimate == pytest.approx(t.statistic / math.sqrt(len(diff)), rel=1e-13)
    assert (got.lower > 0 or got.upper < 0) == (t.pvalue < 0.05)
    assert got.lower < got.estimate < got.upper or len(diff) == 2
    mirrored = cohen_dz([-d for d in diff])
    assert mirrored.lower == pytest.approx(-got.upper, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("t", "df", "noncentrality", "below"),
    [
        # R 4.2.2: pt(2.5, 8), pt(3, 4, 2), pt(1, 1, 0.5)
        (2.5, 8, 0.0, 0.981528981143188),
        (3.0, 4, 2.0, 0.710539476289602),
        (1.0, 1, 0.5, 0.59274773643996),
        # mpmath 1.4.1, 25 digits, quad of the defining integral (R's pt leaves its exact range
        # beyond a noncentrality of 37.62). The last has a step far narrower than the density.
        (60.0, 199, 58.0, 0.726717876160512),
        (500.0, 3, 400.0, 0.589175663469057),
    ],
)
def test_the_noncentral_t_distribution_agrees_with_r_and_its_mirror(t, df, noncentrality, below):
    assert noncentral_t_below(t, df, noncentrality) == pytest.approx(below, abs=1e-12)
    assert noncentral_t_below(-t, df, -noncentrality) == pytest.approx(1 - below, abs=1e-12)


def test_limits_are_found_where_scipy_has_no_number():
    # scipy 1.17.1: special.nctdtr(3, 9.4, -20.6) is nan; the search for this limit meets it.
    got = cohen_dz([-22, -27, -27, -27])
    for limit, tail in ((got.lower, 0.975), (got.upper, 0.025)):
        below = noncentral_t_below(2 * got.estimate, 3, 2 * limit)
        assert below == pytest.approx(tail, abs=1e-11)


def test_a_very_large_effect_still_has_limits():
    got = cohen_dz(np.arange(20) + 1000.0)
    assert 0 < got.lower < got.estimate < got.upper < 1000


def test_hedges_correction_needs_three_patients_and_shrinks():
    # J(8) = gamma(4)/(2 gamma(3.5)) = 0.902703 by definition.
    diff = [1, 2, 3, 4, 5, 6, 7, 8, 10]
    factor = math.gamma(4) / (2 * math.gamma(3.5))
    assert hedges_g(diff).estimate == pytest.approx(
        factor * cohen_dz(diff).estimate, rel=1e-13, abs=0
    )
    with pytest.raises(ValueError, match="found 2 differences; expected at least 3"):
        hedges_g([1, 2])


@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=15), st.sampled_from(["wilcoxon", "pratt"])
)
@settings(deadline=None)
def test_rank_biserial_is_the_share_of_ranks_up_less_the_share_down(diff, zeros):
    up = signed_rank(diff, zeros=zeros).statistic
    down = signed_rank([-d for d in diff], zeros=zeros).statistic
    expected = (up - down) / (up + down) if up + down else 0.0
    got = rank_biserial(diff, zeros=zeros)
    assert got.estimate == pytest.approx(expected, abs=1e-15)
    assert got.lower is None
    assert got.upper is None
    assert got.method.startswith("no interval")


def test_probability_of_improvement_without_ties_is_clopper_pearson():
    got = probability_of_improvement([-3, -1, -2, -4, -5, 1], better="lower")
    share = clopper_pearson(5, 6)
    assert [got.estimate, got.lower, got.upper] == pytest.approx(
        [share.estimate, share.lower, share.upper], rel=1e-14, abs=0
    )


def test_an_unchanged_patient_counts_as_half_an_improvement():
    assert probability_of_improvement([-1, 0, 2, -3], better="lower").estimate == 0.625
    assert probability_of_improvement([-1, 0, 2, -3], better="higher").estimate == 0.375
    assert probability_of_improvement([0, 0], better="lower").estimate == 0.5


@pytest.mark.parametrize("n", [3, 6, 9, 12])
def test_its_interval_keeps_95_percent_whatever_share_is_unchanged(n):
    limits = {}
    for better in range(n + 1):
        for same in range(n + 1 - better):
            diff = [-1] * better + [0] * same + [1] * (n - better - same)
            got = probability_of_improvement(diff, better="lower")
            limits[better, same] = (got.lower, got.upper)
    coverage = []
    for p_same in np.linspace(0, 0.9, 10):
        for p_better in np.linspace(0, 1 - p_same, 11):
            shares = (p_better, p_same, max(0.0, 1 - p_same - p_better))
            theta = p_better + p_same / 2
            coverage.append(
                sum(
                    math.comb(n, b)
                    * math.comb(n - b, s)
                    * shares[0] ** b
                    * shares[1] ** s
                    * shares[2] ** (n - b - s)
                    for (b, s), (low, high) in limits.items()
                    if low <= theta + 1e-12 and theta - 1e-12 <= high
                )
            )
    assert min(coverage) >= 0.95


def test_the_direction_of_improvement_must_be_said():
    with pytest.raises(TypeError, match="better"):
        probability_of_improvement([1, 2])
    with pytest.raises(ValueError, match="better: 'less' is not known; expected one of lower, hi"):
        probability_of_improvement([1, 2], better="less")


@pytest.mark.parametrize("function", [cohen_dz, hedges_g])
def test_differences_that_do_not_vary_have_no_standardised_effect(function):
    with pytest.raises(ValueError, match="all 3 differences are 2; expected differences that vary"):
        function([2, 2, 2])
