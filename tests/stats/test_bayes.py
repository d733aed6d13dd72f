"""Mixtures, posteriors and comparisons: closed forms, brute-force integrals, and RBesT's numbers."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import betaincc

from onearm.stats import paired_t
from onearm.stats.bayes import (
    BetaMixture,
    NormalMixture,
    StudentT,
    beta_binomial,
    difference,
    normal_posterior,
    probability_greater,
    update_normal,
)

DESIGN = Path(__file__).parents[2].parent / "shared" / "data" / "design"
CHANGE = [-8, -6, -4, -4, -2, -2, 0, -4, -2]


def pinned(case):
    path = DESIGN / "09_map_and_dual_criteria.json"
    if not path.exists():
        pytest.skip("reference values are not beside the repository: shared/data/design/09")
    return next(c for c in json.loads(path.read_text())["cases"] if c["id"] == case)


# -- mixtures -------------------------------------------------------------------------------------

MIXTURES = [
    (BetaMixture([0.7, 0.3], [11, 1], [32, 1]), 0.0, 1.0),
    (BetaMixture([1], [0.6], [0.8]), 0.0, 1.0),
    (NormalMixture([0.6, 0.4], [-5, 2], [0.5, 3]), -60.0, 60.0),
    (StudentT(4, -3.0, 1.5), -math.inf, math.inf),
]


@pytest.mark.parametrize(("mixture", "low", "high"), MIXTURES)
def test_density_distribution_function_and_moments_belong_together(mixture, low, high):
    cuts = [low, *(mixture.quantile(p) for p in (0.01, 0.3, 0.7, 0.99)), high]

    def over(f):
        parts = itertools.pairwise(cuts)
        return math.fsum(integrate.quad(f, a, b, epsabs=1e-13, limit=200)[0] for a, b in parts)

    assert over(mixture.pdf) == pytest.approx(1, abs=1e-9)
    mean = over(lambda x: x * mixture.pdf(x))
    assert mixture.mean == pytest.approx(mean, abs=1e-8)
    variance = over(lambda x: (x - mean) ** 2 * mixture.pdf(x))
    assert mixture.sd == pytest.approx(math.sqrt(variance), abs=1e-6)
    for p in (1e-9, 0.025, 0.5, 0.975, 1 - 1e-9):
        assert mixture.cdf(mixture.quantile(p)) == pytest.approx(p, rel=1e-7, abs=0)
    ends = (mixture.quantile(0.05), mixture.quantile(0.95))
    assert mixture.interval(0.9) == pytest.approx(ends, rel=1e-12)
    at = np.array([cuts[1], cuts[2]])
    assert mixture.cdf(at) + mixture.sf(at) == pytest.approx([1, 1], abs=1e-14)


def test_a_single_component_is_the_plain_distribution():
    # scipy.stats is another route to the same special functions.
    assert BetaMixture([1], [3.2], [8.2]).quantile(0.1) == pytest.approx(
        stats.beta(3.2, 8.2).ppf(0.1), rel=1e-12
    )
    assert NormalMixture([1], [2], [3]).sf(11) == pytest.approx(stats.norm(2, 3).sf(11), rel=1e-13)
    assert StudentT(5, 1, 2).sf(40) == pytest.approx(stats.t(5, 1, 2).sf(40), rel=1e-12, abs=0)
    assert BetaMixture([1], [1], [1]).pdf([-0.1, 0.5, 1.1]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("df", [1, 2, 3, 8, 30, 200])
def test_student_t_is_the_mixture_of_normals_that_it_is_turned_into(df):
    t = StudentT(df, 0.3, 1.7)
    x = np.array([-1e4, -30, -5, -1, 0, 0.3, 1, 4, 20])
    assert t.as_normals().cdf(x) == pytest.approx(t.cdf(x), abs=1e-12)


def test_moments_of_t_that_do_not_exist_are_not_invented():
    assert math.isnan(StudentT(1, 2.0, 1.0).mean)
    assert StudentT(2, 2.0, 1.0).sd == math.inf
    assert StudentT(1, 2.0, 1.0).quantile(0.5) == 2


def test_mixtures_are_said_in_words():
    assert BetaMixture([0.8, 0.2], [11, 1], [32, 1]).words() == "0.8 Beta(11, 32) + 0.2 Beta(1, 1)"
    assert NormalMixture([1], [-5], [1.25]).words() == "Normal(-5, 1.25)"
    assert StudentT(8, -3.5, 0.8).words() == "t(8 df) at -3.5, scale 0.8"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: BetaMixture([0.5, 0.4], [1, 1], [1, 1]),
            "weights: found a sum of 0.9; expected 1",
        ),
        (
            lambda: BetaMixture([1], [0], [1]),
            r"BetaMixture.a\[0\]: found 0; expected a number above",
        ),
        (lambda: BetaMixture([1], [1, 2], [1]), "found 1 weights, 2 a, 1 b; expected one of each"),
        (lambda: BetaMixture([], [], []), "weights: found .*; expected a list of numbers"),
        (lambda: BetaMixture(["x"], [1], [1]), "weights: found .*; expected a list of numbers"),
        (lambda: NormalMixture([1], [math.nan], [1]), r"means\[0\]: found nan; expected a finite"),
        (
            lambda: NormalMixture([1], [0], [math.inf]),
            r"sds\[0\]: found inf; expected a number above",
        ),
        (lambda: NormalMixture([1], [0], [1]).quantile(0), "p: found 0; expected a probability"),
        (lambda: StudentT(3, 0, 1).quantile(1), "p: found 1; expected a probability"),
        (lambda: BetaMixture([1], [1], [1]).interval(95), "conf_level: found 95"),
    ],
)
def test_what_makes_no_mixture_is_refused_in_words(build, words):
    with pytest.raises(ValueError, match=words):
        build()


# -- a share --------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.data(), st.sampled_from([(0.2, 0.8), (1, 1), (0.5, 0.5)]))
@settings(deadline=None)
def test_a_plain_beta_prior_gives_beta_of_the_sums(n, data, prior):
    x = data.draw(st.integers(0, n))
    got = beta_binomial(x, n, prior)
    assert (got.distribution.a, got.distribution.b) == ((prior[0] + x,), (prior[1] + n - x,))
    # The very arithmetic of the stopping rule of onearm.safety: the same bits.
    assert got.probability_above(0.2) == float(betaincc(prior[0] + x, prior[1] + n - x, 0.2))
    assert got.lower < got.estimate < got.upper
    assert got.n == n


def test_the_weights_of_a_mixture_follow_the_evidence():
    # By definition: each weight times the probability of the data under its component.
    prior = BetaMixture([0.8, 0.2], [11, 1], [32, 1])
    grid = np.linspace(0, 1, 200_001)
    for x in (0, 2, 6):
        posterior = beta_binomial(x, 6, prior).distribution
        dense = prior.pdf(grid) * grid**x * (1 - grid) ** (6 - x)
        dense[[0, -1]] /= 2
        dense /= dense.sum()
        assert posterior.mean == pytest.approx(float(dense @ grid), abs=1e-8)
        assert posterior.cdf(0.3) == pytest.approx(float(dense[grid <= 0.3].sum()), abs=1e-4)
    assert beta_binomial(6, 6, prior).distribution.weights[1] > 0.9
    assert beta_binomial(2, 6, prior).distribution.weights[1] < 0.2


def test_without_patients_the_posterior_is_the_prior():
    prior = BetaMixture([0.8, 0.2], [11, 1], [32, 1])
    got = beta_binomial(0, 0, prior).distribution
    assert got.weights == pytest.approx(prior.weights, rel=1e-14)
    assert (got.a, got.b) == (prior.a, prior.b)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: beta_binomial(3, 2), "x: found 3 of n = 2; expected at most n"),
        (lambda: beta_binomial(-1, 2), "x: found -1; expected a whole number"),
        (lambda: beta_binomial(math.nan, 2), "x: found nan; expected a whole number"),
        (
            lambda: beta_binomial(1, 2, (1, 0)),
            r"BetaMixture.b\[0\]: found 0; expected a number above",
        ),
        (lambda: beta_binomial(1, 2, 3), r"prior: found 3; expected two numbers \(a, b\)"),
        (lambda: beta_binomial(1, 2, level=0), "conf_level: found 0"),
    ],
)
def test_counts_and_priors_that_are_none_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# -- a mean change --------------------------------------------------------------------------------


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30).filter(lambda d: len(set(d)) > 1))
@settings(deadline=None, max_examples=30)
def test_the_flat_posterior_is_the_paired_t_test_read_the_other_way(diff):
    got, t = normal_posterior(diff), paired_t(diff)
    limits = [got.estimate, got.lower, got.upper]
    assert limits == pytest.approx([t.estimate, t.lower, t.upper], rel=1e-11, abs=1e-11)
    one_sided = paired_t(diff, alternative="less").pvalue
    assert got.probability_above(0) == pytest.approx(one_sided, rel=1e-9, abs=1e-12)
    assert got.probability_above(0) + got.probability_below(0) == pytest.approx(1, abs=1e-14)


PRIORS = [
    NormalMixture([1], [0], [2]),
    NormalMixture([0.7, 0.3], [-3, 0], [1, 8]),
    NormalMixture([1], [-30], [1]),  # thirty standard errors from the data
]


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("diff", [CHANGE, [1, 2], [10, 12, 11.0], [1, 1.001], [*CHANGE] * 6])
def test_an_unknown_sd_is_integrated_out_as_brute_force_does(diff, prior):
    values = np.array(diff, dtype=float)
    n, mean, sd = values.size, values.mean(), values.std(ddof=1)

    def dense(mu):  # prior times the t likelihood of the mean
        return prior.pdf(mu) * (1 + n * (mu - mean) ** 2 / ((n - 1) * sd * sd)) ** (-n / 2)

    def mass(low, high):
        cuts = sorted({low, high, *(c for c in [mean, *np.arange(-60.0, 61)] if low < c < high)})
        parts = itertools.pairwise(cuts)
        return math.fsum(
            integrate.quad(dense, a, b, epsabs=0, epsrel=1e-12, limit=300)[0] for a, b in parts
        )

    got = normal_posterior(diff, prior)
    whole = mass(-100.0, 100.0)
    for value, p in ((got.lower, 0.025), (got.estimate, 0.5), (got.upper, 0.975)):
        assert got.probability_below(value) == pytest.approx(p, abs=1e-12)
        assert mass(-100.0, value) / whole == pytest.approx(p, abs=1e-10)


def test_a_vague_prior_leaves_the_flat_posterior():
    vague = normal_posterior(CHANGE, NormalMixture([1], [0], [1e7]))
    flat = normal_posterior(CHANGE)
    assert [vague.lower, vague.upper] == pytest.approx([flat.lower, flat.upper], rel=1e-9)


def test_a_known_sd_gives_the_textbook_formula():
    # Precisions add: 9/4**2 and 1/2**2.
    got = normal_posterior(CHANGE, NormalMixture([1], [0], [2]), sd=4)
    precision = 9 / 16 + 1 / 4
    assert got.distribution.mean == pytest.approx(-32 / 9 * (9 / 16) / precision, rel=1e-14)
    assert got.distribution.sd == pytest.approx(precision**-0.5, rel=1e-14)
    assert normal_posterior([3.0, 3.0], sd=4).distribution == NormalMixture([1], [3], [4 / 2**0.5])
    assert normal_posterior([3.0], sd=2).lower == pytest.approx(
        3 - 2 * 1.959963984540054, rel=1e-14
    )


def test_an_estimate_with_its_standard_error_moves_weights_and_means():
    prior = NormalMixture([0.8, 0.2], [-5, -5], [1, 6])
    grid = np.linspace(-60, 60, 400_001)
    for estimate in (-5.0, 4.0):
        got = update_normal(prior, estimate, 1.5)
        dense = prior.pdf(grid) * np.exp(-0.5 * ((estimate - grid) / 1.5) ** 2)
        dense /= dense.sum()
        assert got.mean == pytest.approx(float(dense @ grid), abs=1e-10)
        assert got.sd == pytest.approx(math.sqrt(float(dense @ (grid - got.mean) ** 2)), abs=1e-9)
    assert update_normal(None, 1.0, 2.0) == NormalMixture([1], [1], [2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: normal_posterior([]), "found 0 differences; expected at least 2"),
        (lambda: normal_posterior([1]), "found 1 differences; expected at least 2"),
        (
            lambda: normal_posterior([2, 2, 2]),
            "all 3 differences are 2; expected differences that vary",
        ),
        (lambda: normal_posterior([0, 0]), "all 2 differences are 0"),
        (lambda: normal_posterior([1, math.nan]), r"diff\[1\]: nan is not a finite number"),
        (lambda: normal_posterior([1, math.inf]), r"diff\[1\]: inf is not a finite number"),
        (lambda: normal_posterior([1, 2], sd=0), "sd: found 0; expected a number above zero"),
        (lambda: normal_posterior([1, 2], (0, 1)), "prior: found .*; expected a NormalMixture"),
        (lambda: update_normal(None, math.nan, 1), "estimate: found nan; expected a finite"),
        (lambda: update_normal(None, 1, -1), "se: found -1; expected a number above zero"),
    ],
)
def test_changes_without_a_posterior_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# -- one beside another ---------------------------------------------------------------------------


def test_superiority_agrees_with_rbest():
    case = pinned("AS_superiority")
    mixture = pinned("AS_robust_ess")["inputs"]
    a, b = zip(*mixture["ab"], strict=True)
    active = beta_binomial(*case["inputs"]["active"], (0.5, 1)).distribution
    robust = beta_binomial(*case["inputs"]["placebo"], BetaMixture(mixture["weights"], a, b))
    lancet = beta_binomial(*case["inputs"]["placebo"], (11, 32))
    assert probability_greater(active, robust.distribution) == pytest.approx(
        case["expected"]["robust"], abs=1e-11
    )
    assert probability_greater(active, lancet.distribution) == pytest.approx(
        case["expected"]["lancet_beta_11_32"], abs=1e-13
    )


@given(st.integers(0, 9), st.integers(0, 12))
@settings(deadline=None, max_examples=25)
def test_one_share_exceeds_another_by_the_sum_over_whole_parameters(x, y):
    # For whole a: P(A > B) = sum over i < a of B(b+i, d+c) / ((c+i) B(1+i, c) B(b, d)) (Cook 2005).
    (a, c), (b, d) = (1 + x, 10 - x), (1 + y, 13 - y)
    beta = math.lgamma
    total = 0.0
    for i in range(a):
        logs = beta(b + i) + beta(d + c) - beta(b + i + d + c)
        logs -= beta(1 + i) + beta(c) - beta(1 + i + c) + beta(b) + beta(d) - beta(b + d)
        total += math.exp(logs) / (c + i)
    first, second = BetaMixture([1], [a], [c]), BetaMixture([1], [b], [d])
    assert probability_greater(first, second) == pytest.approx(total, abs=1e-12)
    back = probability_greater(second, first)
    assert probability_greater(first, second) + back == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("margin", [0.1, -0.1, 0.6, -0.6, 0.95, -0.95])
def test_a_margin_between_shares_agrees_with_an_integral_over_quantiles(margin):
    first = BetaMixture([1], [2], [8])
    second = BetaMixture([0.6, 0.4], [3, 0.5], [1.3, 0.5])

    def at(u):
        return second.cdf(first.quantile(u) - margin) if 0 < u < 1 else 0.0

    cuts = np.linspace(0, 1, 9)
    expected = math.fsum(
        integrate.quad(at, a, b, epsabs=1e-10, limit=200)[0] for a, b in itertools.pairwise(cuts)
    )
    assert probability_greater(first, second, margin=margin) == pytest.approx(expected, abs=1e-8)


def test_margins_that_nothing_can_reach():
    share = BetaMixture([1], [1], [1])
    assert probability_greater(share, share, margin=1) == 0
    assert probability_greater(share, share, margin=-1) == 1
    assert probability_greater(share, share, margin=0.5) == pytest.approx(1 / 8, abs=1e-13)


def test_sharp_and_flat_shares_are_compared_without_loss():
    # 20,000 patients beside none: P(A > uniform) is the mean of A.
    sharp, flat = BetaMixture([1], [4001], [16001]), BetaMixture([1], [1], [1])
    assert probability_greater(sharp, flat) == pytest.approx(4001 / 20002, abs=2e-11)
    thin = BetaMixture([1], [0.05], [0.05])
    assert probability_greater(thin, thin) == pytest.approx(0.5, abs=1e-10)


def test_what_is_left_of_a_change_less_a_background_has_both_uncertainties():
    change = normal_posterior(CHANGE).distribution
    background = NormalMixture([0.7, 0.3], [-3, -5], [0.5, 3])
    left = difference(change, background)
    assert left.mean == pytest.approx(-32 / 9 + 3.6, abs=1e-12)
    assert left.sd == pytest.approx(math.hypot(change.sd, background.sd), rel=1e-9)
    direct = integrate.quad(
        lambda b: background.pdf(b) * change.cdf(b),
        -30,
        30,
        epsabs=1e-12,
        limit=400,
        points=[-5, -3],
    )[0]
    assert left.cdf(0) == pytest.approx(direct, abs=1e-9)
    assert probability_greater(background, change) == pytest.approx(direct, abs=1e-9)
    assert probability_greater(change, background) == pytest.approx(1 - direct, abs=1e-9)


def test_two_kinds_cannot_be_compared():
    with pytest.raises(
        ValueError, match="first: found BetaMixture; expected a NormalMixture or a St"
    ):
        difference(BetaMixture([1], [1], [1]), StudentT(3, 0, 1))
    with pytest.raises(ValueError, match="second: found BetaMixture; expected a NormalMixture"):
        probability_greater(StudentT(3, 0, 1), BetaMixture([1], [1], [1]))
    with pytest.raises(ValueError, match="margin: found nan; expected a finite number"):
        probability_greater(StudentT(3, 0, 1), StudentT(3, 0, 1), margin=math.nan)
