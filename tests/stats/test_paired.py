"""Paired t, geometric-mean ratio, sign test, McNemar and sign flips."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from onearm.stats import (
    geometric_mean_ratio,
    mcnemar,
    paired_t,
    sign_flip,
    sign_test,
    signed_rank,
)
from onearm.stats.paired import paired_difference

ALTERNATIVES = ["two-sided", "less", "greater"]
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Cushny & Peebles 1905


def binomial(n, counts):
    return Fraction(sum(math.comb(n, k) for k in counts), 2**n)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_paired_t_and_its_interval_agree_with_r(r_paired, alternative):
    compared = 0
    for answers in r_paired.values():
        if "diff" not in answers:
            continue
        p, t, df, mean, lower, upper = answers[f"t.{alternative.replace('-', '.')}"]
        got = paired_t(answers["diff"], alternative=alternative)
        assert got.pvalue == pytest.approx(p, rel=1e-11, abs=0)
        assert [got.statistic, got.df, got.estimate] == pytest.approx(
            [t, df, mean], rel=1e-12, abs=0
        )
        assert [got.lower, got.upper] == pytest.approx([lower, upper], rel=1e-11, abs=0)
        compared += 1
    assert compared == 8


def test_students_own_example_gives_his_t():
    # R 4.2.2: with(sleep, t.test(extra[group == 2] - extra[group == 1])): t = 4.0621, df = 9,
    # p-value = 0.002833, 95 percent confidence interval 0.7001142 2.4598858.
    got = paired_t(SLEEP)
    assert (round(got.statistic, 4), got.df, round(got.pvalue, 6)) == (4.0621, 9, 0.002833)
    assert (round(got.lower, 7), round(got.upper, 7)) == (0.7001142, 2.4598858)


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e-12, 1e12, 1e200, 1e300])
def test_t_does_not_depend_on_the_unit(unit):
    got, here = paired_t(np.array(SLEEP) * unit), paired_t(SLEEP)
    assert got.statistic == pytest.approx(here.statistic, rel=1e-12, abs=0)
    assert [got.lower, got.upper] == pytest.approx(
        [here.lower * unit, here.upper * unit], rel=1e-12, abs=0
    )


def test_t_keeps_its_digits_far_in_the_tail():
    # R 4.2.2: 2 * pt(-100, 19) = 2.497767576e-27
    diff = np.array([1.0, -1.0] * 10)
    diff = diff / np.std(diff, ddof=1) * math.sqrt(20) / 100 + 1
    got = paired_t(diff)
    assert got.statistic == pytest.approx(100, rel=1e-12, abs=0)
    assert got.pvalue == pytest.approx(2.497767576e-27, rel=1e-9, abs=0)


@pytest.mark.parametrize("diff", [[2, 2, 2], [0.0, 0.0], [0.1, 0.4 - 0.3, 0.3 - 0.2]])
def test_differences_that_do_not_vary_have_no_t(diff):
    with pytest.raises(ValueError, match=r"all \d differences are .*use signed_rank or sign_test"):
        paired_t(diff)


def test_t_needs_two_patients():
    with pytest.raises(ValueError, match="diff: found 1 differences; expected at least 2"):
        paired_t([1.0])


def test_geometric_mean_ratio_agrees_with_r(r_paired):
    answers = r_paired["ratio"]
    estimate, lower, upper, p = answers["t"]
    got = geometric_mean_ratio(answers["before"], answers["after"])
    assert [got.estimate, got.lower, got.upper, got.pvalue] == pytest.approx(
        [estimate, lower, upper, p], rel=1e-11, abs=0
    )
    assert got.n == 9


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([1, 2, 0], [1, 2, 3], r"before\[2\]: 0 has no logarithm; expected values above zero"),
        ([1, 2, 3], [1, -2, 3], r"after\[1\]: -2 has no logarithm"),
        ([1, 2], [1, 2, 3], "before, after: found 2 and 3 values"),
        ([1, float("nan")], [1, 2], r"before\[1\]: nan is not a finite number"),
        ([1, 2, 4], [2, 4, 8], "all 3 differences are 0.693147"),
    ],
)
def test_what_has_no_ratio_of_geometric_means_is_refused_in_words(before, after, words):
    with pytest.raises(ValueError, match=words):
        geometric_mean_ratio(before, after)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_test_agrees_with_r(r_paired, alternative):
    for answers in r_paired.values():
        if "diff" in answers:
            got = sign_test(answers["diff"], alternative=alternative)
            r = answers[f"sign.{alternative.replace('-', '.')}"][0]
            assert got.pvalue == pytest.approx(r, rel=1e-12, abs=0)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3))
@settings(deadline=None)
def test_sign_test_is_a_fair_coin_by_definition(up, down, zero):
    diff = [1.5] * up + [-0.5] * down + [0] * zero
    if not diff:
        return
    n = up + down
    less, greater = binomial(n, range(up + 1)), binomial(n, range(up, n + 1))
    at = binomial(n, [up])
    far = [k for k in range(n + 1) if abs(2 * k - n) > abs(2 * up - n)]
    level = [k for k in range(n + 1) if abs(2 * k - n) == abs(2 * up - n)]
    both, half = binomial(n, far + level), binomial(n, level) / 2
    expected = {
        "less": (less, less - at / 2),
        "greater": (greater, greater - at / 2),
        "two-sided": (both, both - half),
    }
    for alternative, (p, midp) in expected.items():
        got = sign_test(diff, alternative=alternative)
        assert Fraction(got.pvalue) == p
        assert Fraction(got.midp) == midp
    assert (got.n_positive, got.n_negative, got.n_zero) == (up, down, zero)
    assert got.estimate == (up / n if n else None)


@pytest.mark.parametrize(("gained", "lost", "p"), [(7, 1, 9 / 128), (1, 8, 5 / 128), (4, 4, 1.0)])
def test_mcnemar_is_the_sign_test_of_those_who_changed(gained, lost, p):
    # By definition: 2 * (1 + 8)/2**8, 2 * (1 + 9)/2**9, and the middle.
    assert mcnemar(gained, lost).pvalue == p
    assert mcnemar(gained, lost).midp == p - math.comb(gained + lost, lost) / 2 ** (
        gained + lost
    ) * (0.5 if gained == lost else 1)


def test_mcnemar_agrees_with_exact2x2(r_binomial_shared):
    # exact2x2 1.7.0: mcnemar.exact(matrix(c(5, b, c, 6), 2)); its odds ratio is c/b.
    table = r_binomial_shared["mcnemar"]
    for b, c, *numbers in zip(*(table[k] for k in ("b", "c", "p", "or", "lo", "hi")), strict=True):
        got = mcnemar(gained=c, lost=b)
        found = [got.pvalue, got.odds_ratio, got.lower, got.upper]
        assert found == pytest.approx([float(n) for n in numbers], rel=1e-10, abs=0)


def test_mcnemar_without_any_change_has_no_odds_ratio():
    got = mcnemar(0, 0)
    assert (got.pvalue, got.odds_ratio, got.lower, got.upper) == (1.0, None, 0.0, math.inf)


@pytest.mark.parametrize("bad", [-1, 2.5, True, float("nan"), float("inf"), "3", None])
def test_mcnemar_takes_whole_numbers_of_patients_only(bad):
    with pytest.raises(ValueError, match=r"gained: found .*; expected a whole number of patients"):
        mcnemar(bad, 2)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.sampled_from(ALTERNATIVES))
@example([5, 4, -1, -10], "two-sided")
@settings(max_examples=60, deadline=None)
def test_sign_flip_p_is_the_share_of_all_patterns(diff, alternative):
    sums = [
        sum(s * d for s, d in zip(signs, diff, strict=True))
        for signs in itertools.product([1, -1], repeat=len(diff))
    ]
    observed = sum(diff)
    extreme = {
        "two-sided": sum(abs(s) >= abs(observed) for s in sums),
        "less": sum(s <= observed for s in sums),
        "greater": sum(s >= observed for s in sums),
    }[alternative]
    share = Fraction(extreme, len(sums))
    tenths = np.array(diff) / 10
    assert Fraction(sign_flip(tenths, alternative=alternative).pvalue) == share
    # The same patterns listed instead of counted: multiples of an irrational number.
    irrational = np.array(diff) * math.pi
    assert Fraction(sign_flip(irrational, alternative=alternative).pvalue) == share


@pytest.mark.parametrize("n", [11, 12, 13, 14])
@pytest.mark.parametrize("factor", [1.0, math.pi], ids=["decimals", "irrational"])
def test_sign_flip_counts_every_one_of_16384_patterns(n, factor):
    rng = np.random.default_rng([20261122, n])
    for _ in range(6):
        diff = rng.integers(-6, 6, n)
        sums = (1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)) @ diff
        expected = {
            "less": np.mean(sums <= diff.sum()),
            "greater": np.mean(sums >= diff.sum()),
            "two-sided": np.mean(np.abs(sums) >= abs(diff.sum())),
        }
        for alternative, share in expected.items():
            assert sign_flip(diff * factor / 8, alternative=alternative).pvalue == share


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
    st.sampled_from([1e-12, 0.001, math.pi, 1e12]),
)
@settings(max_examples=50, deadline=None)
def test_order_unit_and_sign_move_no_p_of_a_sign_flip_or_sign_test(diff, random, unit):
    shuffled = random.sample(diff, len(diff))
    for test in (sign_flip, sign_test):
        here = test(diff, alternative="less").pvalue
        assert test(shuffled, alternative="less").pvalue == here
        assert test(np.array(diff) * unit, alternative="less").pvalue == here
        assert test([-d for d in diff], alternative="greater").pvalue == here


@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=25).filter(lambda d: len(set(d)) > 1),
    st.integers(-100, 100),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_a_shift_moves_the_limits_of_t_and_order_moves_nothing(diff, shift, random):
    here, there = paired_t(diff), paired_t([d + shift for d in diff])
    assert [there.lower - shift, there.upper - shift] == pytest.approx(
        [here.lower, here.upper], rel=1e-12, abs=1e-10
    )
    assert paired_t(random.sample(diff, len(diff))) == here
    mirrored = paired_t([-d for d in diff])
    assert (mirrored.lower, mirrored.upper) == (-here.upper, -here.lower)
    assert mirrored.pvalue == here.pvalue


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_flip_meets_every_exact_fraction(gold_pairs, alternative):
    compared = 0
    for row in gold_pairs:
        if row["id"] == "c45_n50_cont":  # see the next test
            continue
        got = sign_flip(row["diff"], alternative=alternative)
        expected = Fraction(row["perm_mean"][alternative.replace("-", "_")]["frac"])
        assert Fraction(got.pvalue) == expected, row["id"]
        assert got.method == "exact"
        compared += 1
    assert compared == len(gold_pairs) - 1


@pytest.mark.slow
def test_fifty_continuous_values_are_counted_exactly_in_seconds(gold_pairs):
    # The file's fraction, 14470770314445/2**50, also counts the 1170 patterns whose sum misses the
    # observed one by less than 1e-10; without them it is 14470770313275/2**50, found in whole
    # numbers of 62 bits with the patients split in two ways. Ours, like the file's, takes sums for
    # equal that agree to 2.5e-12 of the total (here 1e-10): P is 1e-12 above the share of patterns.
    row = next(row for row in gold_pairs if row["id"] == "c45_n50_cont")
    got = sign_flip(row["diff"], alternative="less")
    assert got.method == "exact"
    assert got.pvalue == pytest.approx(14470770313275 / 2**50, abs=1.2e-12)
    assert got.pvalue == pytest.approx(row["perm_mean"]["less"]["value"], abs=1e-13)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_drawn_sign_patterns_come_near_the_exact_p_of_sixty_values(alternative):
    decimals = np.round(np.random.default_rng(20261122).normal(0.25, 1, 60), 3)
    exact = sign_flip(decimals, alternative=alternative)
    rng = np.random.default_rng(20260131)
    got = sign_flip(decimals * math.pi, alternative=alternative, rng=rng, resamples=20_000)
    assert (exact.method, got.method, got.resamples) == ("exact", "monte carlo", 20_000)
    assert got.error == math.sqrt(got.pvalue * (1 - got.pvalue) / 20_000)
    assert abs(got.pvalue - exact.pvalue) < 4 * got.error


def test_the_same_generator_gives_the_same_draws_and_p_is_never_zero():
    diff = np.exp(np.random.default_rng(1).normal(size=60))
    first = sign_flip(diff, rng=np.random.default_rng(7), resamples=99)
    assert first == sign_flip(diff, rng=np.random.default_rng(7), resamples=99)
    assert first.pvalue == 0.01


def test_draws_need_a_generator():
    diff = np.exp(np.random.default_rng(1).normal(size=51))
    with pytest.raises(ValueError, match=r"rng: found none; 51 differences .* give a random gen"):
        sign_flip(diff)


@pytest.mark.slow
def test_forty_continuous_values_are_listed_exactly():
    diff = np.random.default_rng(20260131).normal(0.3, 1, 40)
    tails = [sign_flip(diff, alternative=a).pvalue for a in ("less", "greater")]
    assert sum(tails) == pytest.approx(1 + 2.0**-40, abs=2.0**-41)
    rounded = sign_flip(np.round(diff, 4)).pvalue  # counted by sums, another way
    assert sign_flip(diff).pvalue == pytest.approx(rounded, rel=1e-3, abs=0)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize(("decimals", "factor"), [(5, 1.0), (9, 1.0), (2, math.pi)])
def test_matched_halves_and_counted_sums_give_the_same_p(alternative, decimals, factor):
    # Ten patients listed one by one, against halves matched in whole numbers and in fractions.
    diff = np.round(np.random.default_rng(20261122).normal(0.3, 1, 10), decimals)
    whole = [round(d * 10**decimals) for d in diff]
    sums = [
        sum(s * d for s, d in zip(signs, whole, strict=True))
        for signs in itertools.product([1, -1], repeat=10)
    ]
    extreme = {
        "two-sided": sum(abs(s) >= abs(sum(whole)) for s in sums),
        "less": sum(s <= sum(whole) for s in sums),
        "greater": sum(s >= sum(whole) for s in sums),
    }[alternative]
    assert sign_flip(diff * factor, alternative=alternative).pvalue == extreme / 2**10


def centre_of_ranks(row):
    """Give the mean of the signed ranks: a statistic that takes one row."""
    return float(np.mean(np.sign(row) * rankdata(np.abs(row))))


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=8), st.sampled_from(ALTERNATIVES))
@settings(max_examples=40, deadline=None)
def test_any_statistic_is_compared_with_all_sign_patterns(diff, alternative):
    tenths = np.array(diff) / 10
    mean = sign_flip(tenths, alternative=alternative)
    given_mean = sign_flip(tenths, statistic=np.mean, alternative=alternative)
    assert given_mean.pvalue == mean.pvalue
    assert given_mean.statistic == pytest.approx(mean.statistic, rel=1e-12, abs=1e-15)
    # The signed-rank test is the sign-flip test of the signed ranks (zeros among them: Pratt's).
    ranks = sign_flip(tenths, statistic=centre_of_ranks, alternative=alternative)
    assert ranks.pvalue == signed_rank(tenths, zeros="pratt", alternative=alternative).pvalue
    assert (ranks.method, ranks.resamples, ranks.error) == ("exact", 0, 0.0)


def test_a_statistic_that_does_not_turn_with_the_signs_is_doubled_on_its_smaller_side():
    # Squared mean of 1, 2, 4: sums of patterns 7 1 3 5 and their mirror images; 49 is the largest.
    def squared_mean(rows, axis):
        return np.mean(rows, axis=axis) ** 2

    assert sign_flip([1, 2, 4], statistic=squared_mean, alternative="greater").pvalue == 2 / 8
    assert sign_flip([1, 2, 4], statistic=squared_mean).pvalue == 4 / 8


def test_patterns_of_another_statistic_are_drawn_where_they_are_too_many():
    decimals = np.round(np.random.default_rng(20261122).normal(0.5, 1, 30), 2)
    exact = sign_flip(decimals).pvalue
    options = {"statistic": np.mean, "resamples": 9999}
    got = sign_flip(decimals, rng=np.random.default_rng(4), **options)
    assert (got.method, got.resamples) == ("monte carlo", 9999)
    tail = got.pvalue / 2
    assert got.error == pytest.approx(2 * math.sqrt(tail * (1 - tail) / 9999))
    assert abs(got.pvalue - exact) < 4 * got.error
    assert got == sign_flip(decimals, rng=np.random.default_rng(4), **options)
    with pytest.raises(ValueError, match="rng: found none; 30 differences of this kind"):
        sign_flip(decimals, **options)


@pytest.mark.parametrize(
    ("statistic", "words"),
    [
        ("mean", "statistic: found 'mean'; expected a function of the differences"),
        (lambda row: row, r"float64 values of shape \(3,\) for one row of differences"),
        (lambda row: "high", "values of shape .* for one row of differences; expected one number"),
        (lambda row: None, "object values of shape .* for one row"),
        (lambda rows, axis: 1.0, r"values of shape \(\) for 1 rows of differences"),
        (lambda rows, axis: rows, r"shape \(1, 3\) for 1 rows of differences"),
        (lambda row: math.nan, r"no finite value for the differences \[1.0, 2.0, 3.0\]"),
        (lambda row: math.inf if row[0] < 0 else 1.0, r"for the differences \[-1.0, 2.0, 3.0\]"),
    ],
)
def test_a_statistic_that_is_none_is_refused_in_words(statistic, words):
    with pytest.raises(ValueError, match=words):
        sign_flip([1, 2, 3], statistic=statistic)


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
def test_resamples_are_a_whole_number_of_at_least_one(bad):
    with pytest.raises(ValueError, match="resamples: found"):
        sign_flip([1, 2, 3], resamples=bad)


def test_a_seed_is_no_generator():
    diff = np.exp(np.random.default_rng(1).normal(size=51))
    with pytest.raises(ValueError, match="rng: found 7; expected a generator, such as numpy"):
        sign_flip(diff, rng=7)


def test_without_any_change_every_test_says_one():
    zeros = [0.0, 0.0, 0.0]
    assert sign_test(zeros).pvalue == sign_flip(zeros).pvalue == signed_rank(zeros).pvalue == 1.0


@pytest.mark.parametrize(
    ("method", "lower", "upper"),
    [("tango", -0.1240, -0.0054), ("bonett_price", -0.1195, -0.0032)],
)
def test_the_difference_of_two_looks_is_that_of_contingencytables(method, lower, upper):
    # contingencytables 3.0.0 (R), its own tests: complete response before and after consolidation
    # therapy (Cavo 2012, counts 59, 6, 16, 80): Tango_asymptotic_score_CI_paired_2x2 and
    # Wald_CI_BonettPrice_paired_2x2; McNemar's exact and mid-P beside them.
    got = paired_difference(gained=6, lost=16, n=161, method=method)
    found = [round(value, 4) for value in (got.estimate, got.lower, got.upper)]
    assert found == [-0.0621, lower, upper]
    test = mcnemar(gained=6, lost=16)
    assert (round(test.pvalue, 6), round(test.midp, 6)) == (0.052479, 0.034690)


def score_statistic(b, c, n, difference):
    """Tango's squared score statistic, its restricted likelihood maximised numerically."""
    from scipy.optimize import minimize_scalar

    def minus_log_likelihood(losses):
        gains = losses + difference
        terms = [(b, gains), (c, losses), (n - b - c, 1 - gains - losses)]
        return -sum(k * math.log(max(p, 1e-300)) for k, p in terms if k)

    low, high = max(0.0, -difference), (1 - difference) / 2
    losses = minimize_scalar(
        minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    return (b - c - n * difference) ** 2 / (n * (2 * losses + difference * (1 - difference)))


@pytest.mark.parametrize(("b", "c", "n"), [(6, 16, 161), (1, 7, 21), (3, 3, 9), (5, 1, 6)])
def test_at_tangos_limits_the_score_statistic_is_the_normal_quantile(b, c, n):
    got = paired_difference(b, c, n)
    for limit in (got.lower, got.upper):
        assert score_statistic(b, c, n, limit) == pytest.approx(1.959963984540054**2, rel=1e-5)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
@settings(deadline=None)
def test_limits_of_the_paired_difference_are_mirrored_and_hold_the_estimate(b, c, same):
    n = max(1, b + c + same)
    for method in ("tango", "bonett_price"):
        got, mirrored = (
            paired_difference(b, c, n, method=method),
            paired_difference(c, b, n, method=method),
        )
        assert (got.lower, got.upper) == (-mirrored.upper, -mirrored.lower)
        assert -1 <= got.lower <= got.estimate <= got.upper <= 1 or method == "bonett_price"
        if b + c == 0 and method == "tango":  # by hand: z**2/(n + z**2)
            z2 = 1.959963984540054**2
            assert got.upper == pytest.approx(z2 / (n + z2), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3, 4, 6), "gained, lost: found 3 and 4 of n = 6; expected at most n together"),
        ((0, 0, 0), "n: found 0; expected a whole number of patients, 1 or more"),
        ((1.5, 0, 6), "gained: found 1.5; expected a whole number"),
        ((0, float("nan"), 6), "lost: found nan; expected a whole number"),
    ],
)
def test_counts_of_two_looks_must_fit(arguments, words):
    with pytest.raises(ValueError, match=words):
        paired_difference(*arguments)
