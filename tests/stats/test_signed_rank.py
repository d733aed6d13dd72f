"""The signed-rank test: R's answers, exact fractions, all sign patterns, hard inputs."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from onearm.stats import sign_test, signed_rank
from onearm.stats.signed_rank import FourierNull, NullDistribution, PackedNull, null_distribution

ALTERNATIVES = ["two-sided", "less", "greater"]
ZEROS = {"wilcoxon": "Wilcoxon", "pratt": "Pratt"}
ACTIVITY = [-8, -6, -4, -4, -4, -2, -2, -2, 0, 0, 2, -6, -8, -4, -2, 2, -10, -4, 0, -2]
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Cushny & Peebles 1905


def midranks(values):
    """Return mid-ranks from the definition: one plus those below, plus half of the other ties."""
    return [
        Fraction(1 + 2 * sum(v < value for v in values) + sum(v == value for v in values), 2)
        for value in values
    ]


def enumerated(diff, zeros, alternative):
    """Return T+, P and mid-P by listing all sign patterns, from the definition alone."""
    sizes = [abs(d) for d in diff]
    if zeros == "wilcoxon":
        kept = [d for d in diff if d != 0]
        ranks = midranks([abs(d) for d in kept])
    else:
        kept = [d for d in diff if d != 0]
        ranks = [r for r, d in zip(midranks(sizes), diff, strict=True) if d != 0]
    observed = sum((r for r, d in zip(ranks, kept, strict=True) if d > 0), Fraction(0))
    sums = [
        sum((r for r, plus in zip(ranks, signs, strict=True) if plus), Fraction(0))
        for signs in itertools.product([False, True], repeat=len(ranks))
    ]
    middle = sum(ranks, Fraction(0)) / 2
    if alternative == "less":
        beyond, level = [s < observed for s in sums], [s == observed for s in sums]
    elif alternative == "greater":
        beyond, level = [s > observed for s in sums], [s == observed for s in sums]
    else:
        far = abs(observed - middle)
        beyond = [abs(s - middle) > far for s in sums]
        level = [abs(s - middle) == far for s in sums]
    p = Fraction(sum(beyond) + sum(level), len(sums))
    return observed, p, p - Fraction(sum(level), 2 * len(sums))


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=10),
    st.sampled_from(list(ZEROS)),
    st.sampled_from(ALTERNATIVES),
)
@settings(max_examples=60, deadline=None)
def test_p_is_the_share_of_all_sign_patterns_at_least_as_extreme(diff, zeros, alternative):
    statistic, p, midp = enumerated(diff, zeros, alternative)
    got = signed_rank(diff, zeros=zeros, alternative=alternative)
    assert got.statistic == statistic
    assert Fraction(got.pvalue) == p
    assert Fraction(got.midp) == midp


@pytest.mark.parametrize("zeros", list(ZEROS))
@pytest.mark.parametrize("n", [11, 12, 13, 14])
def test_every_one_of_16384_sign_patterns_is_counted(n, zeros):
    # The definition again, on arrays: mid-ranks by scipy's rankdata, all 2**n rows of signs.
    rng = np.random.default_rng([20261122, n])
    for _ in range(6):
        diff = rng.integers(-4, 4, n)
        kept = np.flatnonzero(diff)
        ranks = rankdata(np.abs(diff[kept] if zeros == "wilcoxon" else diff))
        doubled = np.rint(2 * (ranks if zeros == "wilcoxon" else ranks[kept])).astype(int)
        patterns = np.arange(2**kept.size)[:, None] >> np.arange(kept.size) & 1
        sums, observed = patterns @ doubled, int(doubled[diff[kept] > 0].sum())
        far = np.abs(2 * sums - doubled.sum())
        level = abs(2 * observed - int(doubled.sum()))
        counts = {
            "less": ((sums < observed).sum(), (sums == observed).sum()),
            "greater": ((sums > observed).sum(), (sums == observed).sum()),
            "two-sided": ((far > level).sum(), (far == level).sum()),
        }
        for alternative, (beyond, at) in counts.items():
            got = signed_rank(diff, zeros=zeros, alternative=alternative)
            assert got.statistic == observed / 2
            assert got.pvalue == (beyond + at) / len(sums)
            assert got.midp == (beyond + at / 2) / len(sums)


def test_every_pinned_signed_rank_of_the_design_tables_is_met(design_signed_ranks):
    for case in design_signed_ranks:
        zeros = {"wilcox": "wilcoxon", "pratt": "pratt"}[case["inputs"]["zero"]]
        expected = case["expected"]
        got = signed_rank(case["inputs"]["d"], zeros=zeros)
        less = signed_rank(case["inputs"]["d"], zeros=zeros, alternative="less")
        assert (got.statistic, got.pvalue) == (expected["W_plus"], expected["p_two_sided"])
        assert less.pvalue == expected["p_less"], case["id"]
    assert len(design_signed_ranks) == 6


@pytest.mark.parametrize(("zeros", "p"), [("wilcoxon", 0.00044250), ("pratt", 0.00051880)])
def test_twenty_tied_changes_of_activity_agree_with_coin(zeros, p):
    # coin 1.4.2 in R 4.2.2, wilcoxsign_test(d ~ 0, zero.method, distribution = "exact"), printed
    # to five digits; in full in tests/reference/stats_paired.csv (set activity).
    assert round(signed_rank(ACTIVITY, zeros=zeros).pvalue, 8) == p


def test_students_sleep_data_give_one_in_256():
    # exactRankTests 0.8.35, wilcox.exact(d): V = 45, p-value = 0.003906; one zero is dropped, all
    # nine others are positive, so P = 2/2**9 by definition.
    got = signed_rank(SLEEP)
    assert (got.statistic, got.pvalue, got.n, got.n_zero) == (45.0, 1 / 256, 10, 1)
    assert signed_rank(SLEEP, zeros="pratt").statistic == 54.0


def test_binary_noise_does_not_move_the_p_of_one_decimal_data():
    # On raw doubles coin 1.4.2 gives 0.0498; by decimals it is 13/256 = 0.0508.
    before = [5.4, 2.9, 5.8, 3.3, 5.8, 4.2, 5.8, 5.1, 3.5, 6.2, 6.4, 4.9, 4.7]
    after = [5.2, 2.3, 6.2, 2.9, 5.7, 3.7, 5.4, 4.4, 3.5, 6.0, 6.8, 4.8, 4.3]
    diff = np.array(after) - np.array(before)
    assert signed_rank(diff).pvalue == 13 / 256
    assert signed_rank(diff, zeros="pratt").pvalue == 11 / 256


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("zeros", list(ZEROS))
def test_exact_p_and_z_agree_with_coin(r_paired, zeros, alternative):
    compared = 0
    for answers in r_paired.values():
        if "diff" not in answers:
            continue
        r = alternative.replace("-", ".")
        got = signed_rank(answers["diff"], zeros=zeros, alternative=alternative)
        assert got.pvalue == pytest.approx(
            answers[f"coin_exact_{ZEROS[zeros]}.{r}"][0], rel=1e-12, abs=0
        )
        normal = signed_rank(answers["diff"], zeros=zeros, alternative=alternative, method="normal")
        assert normal.z == pytest.approx(answers[f"coin_z_{ZEROS[zeros]}.{r}"][0], rel=1e-12, abs=0)
        expected = answers[f"coin_asymptotic_{ZEROS[zeros]}.{r}"][0]
        assert normal.pvalue == pytest.approx(expected, rel=1e-12, abs=0)
        compared += 1
    assert compared == 8


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_zeros_dropped_agrees_with_r_exactly_and_in_both_approximations(r_paired, alternative):
    r = alternative.replace("-", ".")
    for name, answers in r_paired.items():
        if name == "ratio":
            continue
        diff = answers["diff"]
        exact = signed_rank(diff, alternative=alternative)
        assert exact.statistic == answers["V"][0]
        assert exact.pvalue == pytest.approx(answers[f"wilcox_exact.{r}"][0], rel=1e-12, abs=0)
        for correction, column in ((True, "normal_corrected"), (False, "normal")):
            got = signed_rank(diff, method="normal", correction=correction, alternative=alternative)
            assert got.pvalue == pytest.approx(answers[f"{column}.{r}"][0], rel=1e-12, abs=0)


def test_published_p_of_the_trial_is_the_corrected_normal_with_one_unchanged_patient():
    # R 4.2.2: wilcox.test(c(-2:-9, 0), exact = FALSE)$p.value = 0.01427; the abstract of 2018
    # prints 0.014. The exact P is 2/2**8.
    one_unchanged = [-2, -3, -4, -5, -6, -7, -8, -9, 0]
    published = signed_rank(one_unchanged, method="normal", correction=True)
    assert round(published.pvalue, 3) == 0.014
    assert signed_rank(one_unchanged).pvalue == 2 / 2**8


@pytest.mark.parametrize("zeros", list(ZEROS))
def test_every_exact_fraction_is_met_to_the_last_bit(gold_pairs, zeros):
    key = {"wilcoxon": "wilcox", "pratt": "pratt"}[zeros]
    for row in gold_pairs:
        for alternative in ALTERNATIVES:
            got = signed_rank(row["diff"], zeros=zeros, alternative=alternative)
            expected = Fraction(row[key][alternative.replace("-", "_")]["frac"])
            assert Fraction(got.pvalue) == expected, row["id"]
            assert got.statistic == row[key]["Tplus"], row["id"]


def test_mid_p_agrees_with_coin_off_the_middle(r_pairs_shared):
    # At the very middle coin 1.4.2 takes off the whole probability of the observed statistic;
    # ours is half of it, as mid-P is defined. Elsewhere they agree.
    compared = 0
    for row in r_pairs_shared:
        answers = {**row["raw"], **row.get("rounded", {})}
        for zeros, alternative in itertools.product(ZEROS, ALTERNATIVES):
            coin = answers.get(f"coin_wilcoxsign_{zeros}_{alternative.replace('-', '.')}", {})
            if coin.get("p", 1) == 1:
                continue
            got = signed_rank(row["diff_rounded9"], zeros=zeros, alternative=alternative)
            assert got.midp == pytest.approx(coin["midp"], rel=1e-10, abs=0), row["id"]
            compared += 1
    assert compared > 100


@pytest.mark.parametrize("zeros", list(ZEROS))
@pytest.mark.parametrize("method", ["exact", "normal"])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_without_any_change_p_is_one(zeros, method, alternative):
    got = signed_rank([0, 0, 0.0], zeros=zeros, method=method, alternative=alternative)
    assert (got.pvalue, got.statistic, got.n_zero, got.n) == (1.0, 0.0, 3, 3)


@pytest.mark.parametrize("correction", [False, True])
def test_a_statistic_at_its_expectation_has_a_p_of_one_even_corrected(correction):
    # T+ = 3 = 3 * 4/4. R 4.2.2: wilcox.test(c(-1, -2, 3), exact = FALSE)$p.value is 1.
    got = signed_rank([-1, -2, 3], method="normal", correction=correction)
    assert (got.statistic, got.z, got.pvalue) == (3.0, 0.0, 1.0)


def test_one_and_two_patients_have_the_p_values_of_their_few_patterns():
    assert signed_rank([3]).pvalue == 1.0
    assert signed_rank([3], alternative="greater").pvalue == 0.5
    assert signed_rank([-3, -4]).pvalue == 0.5
    assert signed_rank([-3, -4], alternative="less").pvalue == 0.25


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=40),
    st.sampled_from(list(ZEROS)),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_order_unit_and_sign_of_the_data_move_nothing(diff, zeros, random):
    got = signed_rank(diff, zeros=zeros, alternative="less")
    shuffled = random.sample(diff, len(diff))
    assert signed_rank(shuffled, zeros=zeros, alternative="less") == got
    for unit in (1e-12, 0.001, 1e12, 1e300):
        scaled = signed_rank(np.array(diff) * unit, zeros=zeros, alternative="less")
        assert scaled == got
    mirrored = signed_rank([-d for d in diff], zeros=zeros, alternative="greater")
    assert mirrored.pvalue == got.pvalue


@pytest.mark.parametrize("up", [0, 20, 150, 300, 450, 730, 749])
def test_equal_sizes_make_it_the_sign_test_far_into_the_tails(up):
    # With one tie group T+ counts the positive signs: the sign test, kept in whole numbers, is an
    # independent exact answer; 1500 patients pass the scaling of the counts.
    diff = np.array([2.5] * up + [-2.5] * (1500 - up))
    exact = sign_test(diff).pvalue
    if exact < 1e-308:
        assert 0 < signed_rank(diff).pvalue <= 1e-307
    else:
        assert signed_rank(diff).pvalue == pytest.approx(exact, rel=1e-12, abs=0)


def test_three_hundred_tied_changes_agree_with_whole_number_counts_to_twelve_digits():
    rng = np.random.default_rng(20260131)
    ranks = np.sort(rng.integers(1, 120, size=300))
    width, total = 301, int(ranks.sum())
    packed = 1  # a polynomial whose coefficients stand 301 bits apart
    for rank in ranks.tolist():
        packed += packed << (rank * width)
    null = NullDistribution(ranks, total // 2)
    for part in (0.02, 0.1, 0.25, 0.4, 0.5):
        observed = int(total * part)
        below = packed & ((1 << ((observed + 1) * width)) - 1)
        count = below % ((1 << width) - 1)  # the sum of the coefficients
        assert null.up_to(observed) == pytest.approx(count / 2**300, rel=1e-12, abs=0)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_counts_in_one_large_number_are_those_of_the_arrays(ranks, step):
    scaled = np.array(ranks) * step
    packed, arrays = PackedNull(scaled), NullDistribution(scaled, int(scaled.sum()) // 2)
    for observed in range(-1, int(scaled.sum()) // 2 + 1, max(1, int(scaled.sum()) // 40)):
        assert packed.up_to(observed) == arrays.up_to(observed)
        if observed >= 0:
            assert packed.at(observed) == arrays.at(observed)


@pytest.mark.parametrize("n", [60, 201, 500])
@pytest.mark.parametrize("spread", [1, 10, 10**6])
def test_fourier_sums_agree_with_counts_in_both_tails(n, spread):
    sizes = np.rint(np.random.default_rng(20261122).normal(0, 1, n) * spread)
    ranks = np.rint(2 * rankdata(np.abs(sizes))).astype(np.int64)
    total = int(ranks.sum())
    counted, fourier = null_distribution(ranks, total // 2), FourierNull(ranks)
    for observed in np.linspace(0, total // 2, 40).astype(int).tolist():
        assert fourier.up_to(observed) == pytest.approx(counted.up_to(observed), abs=1e-13)
        mirrored = fourier.up_to(total - observed - 1)
        assert mirrored == pytest.approx(1 - counted.up_to(observed), abs=1e-13)
    assert (fourier.up_to(-1), fourier.up_to(total)) == pytest.approx((0, 1), abs=1e-13)


@pytest.mark.slow
def test_two_thousand_tied_changes_are_exact_and_eight_hundred_symmetric():
    rng = np.random.default_rng(20260131)
    diff = np.round(rng.normal(0.05, 1, 2000), 1)
    exact = signed_rank(diff, zeros="pratt")
    # The normal tail with its fourth-moment (Edgeworth) term is within 2e-4 at this size.
    normal = signed_rank(diff, zeros="pratt", method="normal")
    ranks = np.array([r for r, d in zip(rankdata(np.abs(diff)), diff, strict=True) if d])
    excess = -np.sum(ranks**4) / 8 / (np.sum(ranks**2) / 4) ** 2
    z = abs(normal.z)
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    expected = normal.pvalue + 2 * density * excess / 24 * (z**3 - 3 * z)
    assert exact.pvalue == pytest.approx(expected, rel=2e-4, abs=0)
    less = signed_rank(diff[:800], zeros="pratt", alternative="less")
    greater = signed_rank(diff[:800], zeros="pratt", alternative="greater")
    # Both tails hold the observed statistic: together they exceed 1 by its probability, which the
    # two mid-P values leave out exactly.
    assert less.midp + greater.midp == pytest.approx(1, abs=1e-12)
    assert 0 < less.pvalue + greater.pvalue - 1 < 1e-4


def test_a_p_too_small_for_a_float_is_not_zero():
    assert 0 < signed_rank(np.arange(1, 1101)).pvalue < 1e-300
    assert signed_rank(np.arange(1, 1001)).pvalue == 2.0**-999


def test_counts_and_options_stand_in_the_record():
    got = signed_rank(ACTIVITY, zeros="pratt", alternative="less")
    assert (got.n, got.n_zero, got.n_positive, got.n_negative) == (20, 3, 2, 15)
    assert (got.zeros, got.alternative, got.method, got.correction) == (
        "pratt",
        "less",
        "exact",
        False,
    )
    assert got.z is None
    assert signed_rank(ACTIVITY, method="normal").midp is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zeros": "drop"}, "zeros: 'drop' is not known; expected one of wilcoxon, pratt"),
        ({"alternative": "two.sided"}, "alternative: 'two.sided' is not known"),
        ({"method": "approx"}, "method: 'approx' is not known"),
        ({"correction": True}, "the exact method needs no continuity correction"),
    ],
)
def test_unknown_options_are_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words):
        signed_rank([1, 2], **options)


def test_too_many_for_the_exact_distribution_are_sent_to_the_normal_one():
    diff = np.arange(-2000, 3001.0)
    with pytest.raises(ValueError, match=r"found 5001 differences; .* method='normal'"):
        signed_rank(diff)
    assert math.isfinite(signed_rank(diff, method="normal").pvalue)
