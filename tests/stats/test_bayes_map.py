"""MAP priors, what they borrow, and decisions: RBesT, brute-force grids, the definitions."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate
from scipy.special import comb, expit, log_expit, logit, ndtr

from onearm.stats.bayes import (
    BetaMixture,
    NormalMixture,
    assurance,
    beta_binomial,
    decide,
    dual_criterion,
    effective_sample_size,
    map_prior_binomial,
    map_prior_normal,
    normal_posterior,
    robust,
)

DESIGN = Path(__file__).parents[2].parent / "shared" / "data" / "design"
# Placebo arms of eight trials in ankylosing spondylitis (Baeten 2013, Lancet 382:1705).
AS_EVENTS, AS_SIZES = [23, 12, 19, 9, 39, 6, 9, 10], [107, 44, 51, 39, 139, 20, 78, 35]


def pinned(case):
    path = DESIGN / "09_map_and_dual_criteria.json"
    if not path.exists():
        pytest.skip("reference values are not beside the repository: shared/data/design/09")
    return next(c for c in json.loads(path.read_text())["cases"] if c["id"] == case)


# -- MAP ------------------------------------------------------------------------------------------


def test_the_map_of_the_eight_as_arms_agrees_with_rbest():
    case = pinned("AS_map_moments")
    got = map_prior_binomial(case["inputs"]["r"], case["inputs"]["n"])
    expected, tolerance = case["expected"], case["tolerance"]
    # The pinned numbers come from a grid of moderate width; the tolerances are the file's, a tenth
    # of it where its two routes agree so well.
    assert got.mean == pytest.approx(expected["mean"], abs=tolerance["mean"] / 100)
    assert got.sd == pytest.approx(expected["sd"], abs=tolerance["sd"] / 40)
    limits = [got.lower, got.estimate, got.upper]
    assert limits == pytest.approx(expected["q"], abs=tolerance["q"] / 20)
    assert got.tau_mean == pytest.approx(expected["tau_mean"], abs=1e-4)
    # Its quantiles of tau lie half a grid step (0.005) low; RBesT's MCMC has .0479 .355 .859.
    taus = [got.tau_lower, got.tau_estimate, got.tau_upper]
    assert taus == pytest.approx(expected["tau_q"], abs=tolerance["q"])
    assert got.studies == 8


def brute_binomial(events, sizes, *, mu_mean=0.0, mu_sd=2.0, tau_scale=1.0):
    """Means over plain, much finer grids: tau by Gauss-Legendre, mu and every logit by trapezoid."""
    node, weight = np.polynomial.legendre.leggauss(44)
    taus, weights = (node + 1) / 2 * 7.5 * tau_scale, weight
    mu = np.linspace(mu_mean - 9 * mu_sd, mu_mean + 9 * mu_sd, 401)
    z = np.linspace(-9, 9, 221)
    phi = np.exp(-0.5 * z * z) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
    sums = np.zeros(5)
    for tau, w in zip(taus, weights, strict=True):
        theta = mu[:, None] + tau * z
        log = -0.5 * ((mu - mu_mean) / mu_sd) ** 2 - 0.5 * (tau / tau_scale) ** 2
        for r, n in zip(events, sizes, strict=True):
            best = r * math.log(r / n) if r else 0.0
            best += (n - r) * math.log(1 - r / n) if r < n else 0.0
            each = np.exp(r * log_expit(theta) + (n - r) * log_expit(-theta) - best) @ phi
            log = log + np.log(np.maximum(each, 1e-300))
        dense, share = np.exp(log) * w, expit(theta)
        total = dense.sum()
        sums += [
            total,
            dense @ (share @ phi),
            dense @ (share**2 @ phi),
            total * tau,
            total * tau**2,
        ]
    mean, square, tau_mean, tau_square = sums[1:] / sums[0]
    return mean, math.sqrt(square - mean**2), tau_mean, math.sqrt(tau_square - tau_mean**2)


@pytest.mark.parametrize(
    ("events", "sizes", "priors"),
    [
        (AS_EVENTS, AS_SIZES, {}),
        ([0], [9], {}),
        ([6], [6], {}),
        ([0, 0, 0], [5, 12, 30], {}),
        ([1, 30], [40, 40], {"tau_scale": 0.5}),
        ([2, 3, 2, 9], [5, 6, 30, 12], {"mu_mean": -1, "mu_sd": 1, "tau_scale": 0.3}),
    ],
)
def test_the_map_of_a_share_is_the_integral_by_brute_force(events, sizes, priors):
    got = map_prior_binomial(events, sizes, **priors)
    mean, sd, tau_mean, tau_sd = brute_binomial(events, sizes, **priors)
    assert [got.mean, got.sd] == pytest.approx([mean, sd], abs=1e-8)
    # The mean of tau is the one integral here whose integrand is not even in tau.
    assert [got.tau_mean, got.tau_sd] == pytest.approx([tau_mean, tau_sd], abs=1e-6)


def test_quantiles_of_the_map_of_a_share_are_those_of_the_double_integral():
    # P(new share < q) = mean of ndtr((logit q - mu)/tau); mu on steps finer than the smallest tau.
    got = map_prior_binomial([3], [9], tau_scale=0.5)
    node, weight = np.polynomial.legendre.leggauss(80)
    taus = (node + 1) / 2 * 4.0
    mu = np.arange(-14, 14, 0.004)
    z = np.linspace(-9, 9, 181)
    phi = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * 0.1
    below, total = np.zeros(3), 0.0
    limits = logit([got.lower, got.estimate, got.upper])
    coarse = np.linspace(-14, 14, 401)
    for tau, w in zip(taus, weight, strict=True):
        theta = coarse[:, None] + tau * z
        log = np.log(np.exp(3 * log_expit(theta) + 6 * log_expit(-theta)) @ phi)
        dense = w * np.exp(np.interp(mu, coarse, log) - mu**2 / 8 - 2 * tau**2)
        total += dense.sum()
        below += [float(dense @ ndtr((x - mu) / tau)) for x in limits]
    # Linear interpolation of the log density at steps of 0.07 errs by some 1e-4.
    assert below / total == pytest.approx([0.025, 0.5, 0.975], abs=3e-4)
    assert got.exact.cdf(limits[0]) == pytest.approx(0.025, abs=1e-12)


@pytest.mark.parametrize(
    ("estimates", "ses", "priors"),
    [
        ([-5, -4.8], [3.27, 0.2], {"tau_scale": 1}),
        ([-5], [3.27], {"tau_scale": 2}),
        ([-1, -4, -8, -5.5, -2], [0.5, 0.4, 0.9, 0.3, 2], {"tau_scale": 1}),
        ([-5, -4.8], [3.27, 0.2], {"tau_scale": 0.01}),
        ([3, 1], [1, 1], {"tau_scale": 0.5, "mu_mean": -1, "mu_sd": 2}),
    ],
)
def test_the_map_of_a_mean_change_is_the_integral_over_tau_by_brute_force(estimates, ses, priors):
    y, se, scale = np.array(estimates, float), np.array(ses, float), priors["tau_scale"]
    extra = 0.0 if "mu_sd" not in priors else priors["mu_sd"] ** -2

    def given(tau):
        precision = 1 / (se**2 + tau**2)
        total = precision.sum() + extra
        centre = ((precision * y).sum() + extra * priors.get("mu_mean", 0)) / total
        misfit = (precision * (y - centre) ** 2).sum()
        misfit += extra * (priors.get("mu_mean", 0) - centre) ** 2
        dense = math.exp(-misfit / 2 - (tau / scale) ** 2 / 2)
        return dense * math.sqrt(precision.prod() / total), centre, 1 / total + tau**2

    def over(f):
        cuts = np.array([0, 0.05, 0.3, 1, 3, 8]) * scale
        parts = itertools.pairwise(cuts)
        return math.fsum(
            integrate.quad(f, a, b, epsabs=0, epsrel=1e-12, limit=200)[0] for a, b in parts
        )

    whole = over(lambda t: given(t)[0])
    mean = over(lambda t: given(t)[0] * given(t)[1]) / whole
    square = over(lambda t: given(t)[0] * (given(t)[2] + given(t)[1] ** 2)) / whole
    tau_mean = over(lambda t: given(t)[0] * t) / whole
    got = map_prior_normal(estimates, ses, **priors)
    assert got.mean == pytest.approx(mean, abs=1e-10)
    assert got.sd == pytest.approx(math.sqrt(square - mean**2), rel=1e-9)
    assert got.tau_mean == pytest.approx(tau_mean, rel=1e-7)
    for x in (got.lower, got.upper):
        below = (
            over(lambda t, x=x: given(t)[0] * ndtr((x - given(t)[1]) / given(t)[2] ** 0.5)) / whole
        )
        assert got.exact.cdf(x) == pytest.approx(below, abs=1e-10)


def test_one_arm_leaves_tau_to_its_prior():
    got = map_prior_normal([-5.0], [3.27], tau_scale=2)
    # Half-normal: mean scale sqrt(2/pi), median 0.6744898 scale; the new mean has se**2 + 2 tau**2.
    assert got.tau_mean == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-8)
    assert got.tau_estimate == pytest.approx(2 * 0.674489750196082, rel=1e-8)
    assert got.sd == pytest.approx(math.sqrt(3.27**2 + 2 * 4), rel=1e-11)
    assert got.mean == -5


def test_arms_that_agree_without_variation_between_pool():
    got = map_prior_normal([-5, -4], [1, 2], tau_scale=1e-6)
    assert got.mean == pytest.approx((-5 * 1 - 4 * 0.25) / 1.25, abs=1e-9)
    assert got.sd == pytest.approx(1.25**-0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("events", "sizes"),
    [
        (AS_EVENTS, AS_SIZES),
        ([0, 0, 0], [5, 12, 30]),
        (range(40), [40] * 40),  # two sides, no peak in the middle
    ],
)
def test_the_mixture_of_betas_is_as_close_as_it_says(events, sizes):
    got = map_prior_binomial(list(events), sizes)
    # Another grid than the one it was fitted on.
    share = expit(np.linspace(-16, 16, 8001))
    density = got.exact.pdf(logit(share))
    apart = np.abs(density - got.mixture.pdf(share) * share * (1 - share))
    assert 0.5 * float(apart.sum()) * 32 / 8000 == pytest.approx(got.distance, abs=2e-4)
    assert got.distance <= 0.01
    assert got.mixture.mean == pytest.approx(got.mean, abs=2e-3)
    for x in (0.05, 0.2, 0.5):
        assert abs(got.mixture.cdf(x) - got.exact.cdf(float(logit(x)))) <= got.distance + 1e-9


def test_more_components_come_closer_and_are_as_many_as_asked_for():
    fits = [map_prior_binomial(AS_EVENTS, AS_SIZES, components=k) for k in (1, 2, 3, 4)]
    assert [len(f.mixture.weights) for f in fits] == [1, 2, 3, 4]
    distances = [f.distance for f in fits]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.1
    assert distances[3] < 0.005
    normal = map_prior_normal([-5, -4.8], [3.27, 0.2], tau_scale=1, components=2)
    assert len(normal.mixture.weights) == 2
    x = np.linspace(-40, 30, 70_001)
    apart = float(np.abs(normal.exact.pdf(x) - normal.mixture.pdf(x)).sum()) * 1e-3
    assert apart / 2 == pytest.approx(normal.distance, abs=1e-3)


def test_the_result_has_no_unit_and_no_order():
    one = map_prior_normal([-5, -4, -1], [1, 2, 0.5], tau_scale=1)
    other = map_prior_normal([-1000, -5000, -4000], [500, 1000, 2000], tau_scale=1000)
    assert other.upper == pytest.approx(1000 * one.upper, rel=1e-10)
    assert other.tau_upper == pytest.approx(1000 * one.tau_upper, rel=1e-10)
    turned = map_prior_binomial([4, 1, 0], [20, 9, 4])
    mirrored = map_prior_binomial([4, 8, 16], [4, 9, 20])
    assert turned.upper == pytest.approx(1 - mirrored.lower, abs=1e-11)


def test_arms_that_contradict_their_prior_are_followed_or_refused():
    # Three in a thousand scales away from each other: tau is pulled far into its prior's tail.
    got = map_prior_normal([-5, 5], [0.1, 0.1], tau_scale=0.1)
    assert got.tau_mean > 8 * 0.1
    with pytest.raises(
        ValueError, match=r"arms differ so much more than tau_scale = 0\.0001 foresees"
    ):
        map_prior_normal([-500, 500], [0.01, 0.01], tau_scale=1e-4)


def test_large_arms_and_extreme_counts_have_a_prior():
    large = map_prior_binomial([30_000, 10], [100_000, 50])
    assert 0.2 < large.estimate < 0.35
    none = map_prior_binomial([0, 0, 0, 0], [1000, 2000, 500, 10])
    assert 0 < none.lower < none.estimate < 0.001
    assert map_prior_binomial([0], [1]).estimate < 0.3
    assert map_prior_binomial([1], [1]).estimate == pytest.approx(
        1 - map_prior_binomial([0], [1]).estimate, abs=1e-10
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: map_prior_binomial([], []), "found 0 and 0 numbers; expected one of each per arm"),
        (
            lambda: map_prior_binomial([1, 2], [5]),
            "found 2 and 1 numbers; expected one of each per",
        ),
        (
            lambda: map_prior_binomial([0], [0]),
            r"sizes\[0\]: found 0.0; expected a whole number of p",
        ),
        (lambda: map_prior_binomial([1, 6], [5, 5]), r"events\[1\]: found 6 of sizes\[1\] = 5"),
        (
            lambda: map_prior_binomial([1.5], [5]),
            r"events\[0\]: found 1.5; expected a whole number",
        ),
        (lambda: map_prior_binomial([math.nan], [5]), r"events\[0\]: nan is not a finite number"),
        (
            lambda: map_prior_binomial([1], [5], tau_scale=0),
            "tau_scale: found 0; expected a number",
        ),
        (
            lambda: map_prior_binomial([1], [5], mu_sd=-1),
            "mu_sd: found -1; expected a number above",
        ),
        (
            lambda: map_prior_binomial([1], [5], mu_mean=math.inf),
            "mu_mean: found inf; expected a fin",
        ),
        (
            lambda: map_prior_binomial([1], [5], components=5),
            "components: found 5; expected 1, 2, 3, 4",
        ),
        (
            lambda: map_prior_normal([], [], tau_scale=1),
            "found 0 and 0 numbers; expected one of each",
        ),
        (
            lambda: map_prior_normal([1], [0], tau_scale=1),
            r"ses\[0\]: found 0.0; expected a number abov",
        ),
        (
            lambda: map_prior_normal([math.inf], [1], tau_scale=1),
            r"estimates\[0\]: inf is not a finite",
        ),
    ],
)
def test_arms_that_are_none_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# -- the background arms of lupus trials -------------------------------------------------------------


def test_counts_behind_the_published_control_arms_give_the_printed_percentages():
    # shared/data/clinical/background_response_rates.csv: complete renal response, placebo arms.
    arms = {"BLISS-LN": (45, 223, 20, 0), "AURORA 1": (40, 178, 22.5, 1)}
    arms |= {"NOBILITY": (11, 62, 18, 0), "REGENCY": (45, 136, 33.1, 1)}
    for events, size, percent, digits in arms.values():
        assert round(100 * events / size, digits) == percent
    prior = map_prior_binomial(
        [events for events, *_ in arms.values()], [size for _, size, *_ in arms.values()]
    )
    mean, sd, *_ = brute_binomial([45, 40, 11, 45], [223, 178, 62, 136])
    assert [prior.mean, prior.sd] == pytest.approx([mean, sd], abs=1e-8)
    assert abs(prior.estimate - 141 / 599) < 0.01
    # 599 patients, but four arms that differ: worth few.
    assert effective_sample_size(prior.mixture, "moment") < 20


# -- what a prior is worth ------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["AS_map_ess", "AS_robust_ess"])
def test_effective_sample_sizes_agree_with_rbest(case):
    inputs, expected = pinned(case)["inputs"], pinned(case)["expected"]
    a, b = zip(*inputs["ab"], strict=True)
    mixture = BetaMixture(inputs["weights"], a, b)
    # The reference is a quadrature of its own, good to about 1e-9.
    assert effective_sample_size(mixture) == pytest.approx(expected["elir"], abs=2e-9)
    moment = effective_sample_size(mixture, "moment")
    assert moment == pytest.approx(expected["moment"], rel=1e-12)


@pytest.mark.parametrize("method", ["elir", "moment", "morita"])
def test_a_conjugate_prior_is_worth_its_own_patients(method):
    assert effective_sample_size(BetaMixture([1], [11], [32]), method) == pytest.approx(43)
    normal = NormalMixture([1], [3], [0.5])
    assert effective_sample_size(normal, method, sigma=4) == pytest.approx(64)
    # Cut in two equal parts it is the same prior, and goes the long way round.
    halves = BetaMixture([0.5, 0.5], [11, 11], [32, 32])
    assert effective_sample_size(halves, method) == pytest.approx(43, rel=1e-9)
    halves = NormalMixture([0.5, 0.5], [3, 3], [0.5, 0.5])
    assert effective_sample_size(halves, method, sigma=4) == pytest.approx(64, rel=1e-9)


def test_elir_is_predictively_consistent():
    # Its defining property (Neuenschwander 2020): after n patients it is on average n more.
    prior, n = BetaMixture([0.8, 0.2], [11, 1.2], [32, 1.3]), 7
    total = 0.0
    for x in range(n + 1):
        chance = sum(
            w
            * comb(n, x)
            * math.exp(math.lgamma(a + x) + math.lgamma(b + n - x) - math.lgamma(a + b + n))
            * math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
            for w, a, b in prior.components()
        )
        total += chance * effective_sample_size(beta_binomial(x, n, prior).distribution)
    assert total - n == pytest.approx(effective_sample_size(prior), abs=1e-8)
    others = [
        sum(
            effective_sample_size(beta_binomial(x, n, prior).distribution, "moment")
            for x in range(8)
        )
    ]
    assert others[0] / 8 - n != pytest.approx(effective_sample_size(prior, "moment"), abs=0.1)


def test_elir_and_morita_of_a_normal_mixture_agree_with_differences_of_the_log_density():
    prior, h = NormalMixture([0.7, 0.3], [-5, -2], [0.5, 3]), 1e-4

    def information(x):
        below, at, above = (math.log(prior.pdf(x + d)) for d in (-h, 0, h))
        return -(above - 2 * at + below) / h**2

    expected = 16 * math.fsum(
        integrate.quad(lambda x: prior.pdf(x) * information(x), a, b, limit=300)[0]
        for a, b in ((-20, -8), (-8, -5), (-5, -2), (-2, 20))
    )
    assert effective_sample_size(prior, sigma=4) == pytest.approx(expected, rel=1e-6)
    grid = np.linspace(-6, -4, 200_001)
    mode = float(grid[np.argmax(prior.pdf(grid))])
    morita = effective_sample_size(prior, "morita", sigma=4)
    assert morita == pytest.approx(16 * information(mode), rel=1e-5)


def test_a_robust_part_takes_its_weight_and_costs_patients():
    prior = BetaMixture([0.6, 0.4], [17, 3], [53, 8])
    mixed = robust(prior, 0.2)
    assert mixed.weights == pytest.approx((0.48, 0.32, 0.2))
    assert (mixed.a[-1], mixed.b[-1]) == (1, 1)
    assert effective_sample_size(mixed) < effective_sample_size(prior)
    assert robust(prior, 0) == prior
    assert robust(prior, 1, (0.5, 0.5)) == BetaMixture([1], [0.5], [0.5])
    normal = NormalMixture([1], [-5], [1])
    assert robust(normal, 0.5, sigma=4) == NormalMixture([0.5, 0.5], [-5, -5], [1, 4])
    assert robust(normal, 0.5, (0, 9)) == NormalMixture([0.5, 0.5], [-5, 0], [1, 9])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: robust(BetaMixture([1], [1], [1]), 1.2),
            "weight: found 1.2; expected a number from 0",
        ),
        (
            lambda: robust(BetaMixture([1], [1], [1]), 0.2, sigma=1),
            "sigma: found 1 with a prior of a s",
        ),
        (
            lambda: robust(NormalMixture([1], [1], [1]), 0.2),
            "vague, sigma: found neither; expected vag",
        ),
        (
            lambda: effective_sample_size(BetaMixture([1], [1], [1]), "ess"),
            "method: 'ess' is not known",
        ),
        (
            lambda: effective_sample_size(NormalMixture([1], [1], [1])),
            "sigma: found none; expected the",
        ),
        (
            lambda: effective_sample_size(BetaMixture([1], [1], [1]), sigma=2),
            "sigma: found 2 with a prior of a share; expected none",
        ),
        (
            lambda: effective_sample_size(BetaMixture([0.5, 0.5], [0.5, 3], [4, 3])),
            'expected every a and b to be at least 1.*use method="moment"',
        ),
        (
            lambda: effective_sample_size(BetaMixture([0.5, 0.5], [1, 1], [4, 9]), "morita"),
            "has its mode at 0 or 1; expected one between",
        ),
    ],
)
def test_questions_about_worth_without_an_answer_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# -- decisions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["dual_binary_9", "dual_binary_20"])
def test_the_dual_criterion_agrees_with_rbest(case):
    inputs, expected = pinned(case)["inputs"], pinned(case)["expected"]
    rule = dual_criterion(
        inputs["n"], null_value=0.2, decision_value=0.4, prior=tuple(inputs["prior"])
    )
    assert rule.go_at == expected["min_responders"]
    for p, go in expected["go"].items():
        chances = rule.operating_characteristics(float(p))
        assert chances.go == pytest.approx(go, rel=1e-12, abs=0)
        assert chances.go + chances.consider + chances.no_go == pytest.approx(1, abs=1e-13)


def test_decisions_are_the_two_criteria_counted():
    # By definition, with the beta posterior's own probabilities.
    rule = dual_criterion(9, null_value=0.2, decision_value=0.4, prior=(0.2, 0.8))
    for x, decision in enumerate(rule.decisions):
        posterior = beta_binomial(x, 9, (0.2, 0.8))
        first, second = posterior.probability_above(0.2), posterior.probability_above(0.4)
        assert (decision.beyond_null, decision.beyond_decision) == (first, second)
        expected = ["no-go", "consider", "go"][(first > 0.95) + (second > 0.5)]
        assert decision.call == expected
    assert [d.call for d in rule.decisions] == ["no-go"] * 4 + ["consider"] + ["go"] * 5


def test_a_lower_share_can_be_the_better_one():
    rule = dual_criterion(20, null_value=0.3, decision_value=0.2, prior=(0.5, 0.5), better="lower")
    mirror = dual_criterion(20, null_value=0.7, decision_value=0.8, prior=(0.5, 0.5))
    assert rule.go_at == 20 - mirror.go_at
    assert rule.operating_characteristics(0.1).go == pytest.approx(
        mirror.operating_characteristics(0.9).go, rel=1e-12
    )


def test_a_median_equal_to_the_decision_value_is_no_evidence():
    # Beta(5, 5) at 0.5: exactly one half, whatever the last bit of the incomplete beta function.
    rule = dual_criterion(8, null_value=0.2, decision_value=0.5)
    assert rule.decisions[4].call == "consider"
    assert rule.decisions[5].call == "go"


def test_a_rule_that_no_count_meets_never_goes():
    rule = dual_criterion(2, null_value=0.5, decision_value=0.9)
    assert rule.go_at is None
    assert rule.operating_characteristics(1.0).go == 0
    assert rule.operating_characteristics(0.0).no_go == 1


def test_a_mean_change_is_decided_from_its_posterior():
    flat = normal_posterior([-8, -6, -4, -4, -2, -2, 0, -4, -2]).distribution
    calls = [
        decide(flat, null_value=null, decision_value=relevant, better="lower").call
        for null, relevant in ((0, -3), (0, -4), (-3, -4))
    ]
    assert calls == ["go", "consider", "no-go"]


def test_assurance_agrees_with_rbest_and_with_its_own_power_curve():
    case = pinned("assurance_dual_20")
    rule = dual_criterion(20, null_value=0.2, decision_value=0.4, prior=(0.2, 0.8))
    assert rule.go_at == case["inputs"]["c"]
    design = tuple(case["inputs"]["prior"])
    assert assurance(rule, design) == pytest.approx(case["expected"]["pos"], rel=1e-12)

    def power(shares):
        return np.array([rule.operating_characteristics(p).go for p in shares])

    assert assurance(power, design) == pytest.approx(assurance(rule, design), rel=1e-12)
    mixture = BetaMixture([0.3, 0.7], [4, 0.5], [6, 0.5])
    assert assurance(power, mixture) == pytest.approx(assurance(rule, mixture), rel=1e-11)
    chances = rule.predictive(mixture)
    assert chances.go + chances.consider + chances.no_go == pytest.approx(1, abs=1e-12)


def test_assurance_of_a_z_test_has_a_closed_form():
    # O'Hagan 2005: P(estimate < -1.96 se) when the truth is Normal(m, s) is ndtr((-1.96 se - m)/hypot).
    se, m, s = 1.2, -3.0, 2.0
    got = assurance(lambda change: ndtr((-1.96 * se - change) / se), NormalMixture([1], [m], [s]))
    assert got == pytest.approx(float(ndtr((-1.96 * se - m) / math.hypot(se, s))), abs=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: dual_criterion(0, null_value=0.2, decision_value=0.4),
            "n: found 0; expected a whole",
        ),
        (
            lambda: dual_criterion(9, null_value=2, decision_value=3),
            "null_value: found 2; expected a sh",
        ),
        (
            lambda: dual_criterion(9, null_value=0.4, decision_value=0.2),
            "decision_value: found 0.2 with null_value 0.4 and better = 'higher'; expected it to be at",
        ),
        (
            lambda: dual_criterion(9, null_value=0.2, decision_value=0.4, null_probability=1),
            "null_probability: found 1; expected a probability between 0 and 1",
        ),
        (
            lambda: dual_criterion(9, null_value=0.2, decision_value=0.4, better="up"),
            "better: 'up' is not known; expected one of higher, lower",
        ),
        (
            lambda: dual_criterion(9, null_value=0.2, decision_value=0.4).operating_characteristics(
                -1
            ),
            "p: found -1; expected a share from 0 to 1",
        ),
        (
            lambda: decide(
                NormalMixture([1], [0], [1]), null_value=math.nan, decision_value=0, better="lower"
            ),
            "expected finite numbers",
        ),
        (
            lambda: assurance(
                dual_criterion(9, null_value=0.2, decision_value=0.4), NormalMixture([1], [0], [1])
            ),
            "prior: found a NormalMixture; expected .a, b. or a BetaMixture",
        ),
        (
            lambda: assurance(lambda p: p + 1, (1, 1)),
            "success: found values that are no probabilities",
        ),
        (
            lambda: assurance(lambda p: 0.5, (1, 1)),
            "success: found values that are no probabilities",
        ),
    ],
)
def test_rules_that_are_none_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
