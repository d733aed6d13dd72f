"""The offset test and what to say without a mean: pinned cases, brute force, simulation, bad input."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats import hodges_lehmann, paired_t, signed_rank
from onearm.stats.regression_to_mean import (
    NaturalHistory,
    mee_chua,
    offset_test,
    run_in,
    run_in_offset_test,
    scan_mean,
    significant_paired_t,
    significant_signed_rank,
    tipping_rho,
)
from onearm.stats.regression_to_mean.behrens_fisher import TwoErrors
from onearm.stats.regression_to_mean.lines import LineRegion, signed_rank_tails

DESIGN = Path(__file__).parents[2].parent / "shared" / "data" / "design"
# How far a simulated share may lie from what it should be, in its standard errors.
ERRORS = 4.0
KNOWN = NaturalHistory(mean=8, sd=5, rho=0.64)
PRIOR = NaturalHistory(mean=8, sd=5, rho=0.64, mean_se=0.7, rho_se=0.08, covariance=0.02)
# Constructed readings of nine patients.
BEFORE = [10, 12, 12, 14, 16, 16, 18, 20, 24]
AFTER = [6, 4, 10, 8, 6, 12, 8, 14, 10]
ALTERNATIVES = ("two-sided", "less", "greater")


def trial(rng, n, effect=0.0):
    """Entry values of 8 or more from a clinic of mean 8, a second reading, and a follow-up."""
    from scipy.special import ndtri

    first = 8 - 5 * ndtri((1 - rng.random(n)) / 2)
    level = 8 + 0.64 * (first - 8) + 4 * math.sqrt(0.36) * rng.standard_normal(n)
    second, after = (level + 3 * rng.standard_normal(n) for _ in range(2))
    return first, second, after + effect


# -- known mean and rho -----------------------------------------------------------------------------


def test_known_offsets_are_tested_as_paired_differences():
    offsets = np.array(AFTER) - 8 - 0.64 * (np.array(BEFORE) - 8)
    for alternative in ALTERNATIVES:
        got = offset_test(BEFORE, AFTER, KNOWN, alternative=alternative)
        t = paired_t(offsets, alternative=alternative)
        for name in ("pvalue", "estimate", "lower", "upper", "statistic", "df"):
            assert getattr(got, name) == pytest.approx(getattr(t, name), rel=1e-13, abs=0), name
        for zeros in ("pratt", "wilcoxon"):
            got = offset_test(
                BEFORE, AFTER, KNOWN, method="signed_rank", zeros=zeros, alternative=alternative
            )
            exact = signed_rank(offsets, zeros=zeros, alternative=alternative)
            shift = hodges_lehmann(offsets, zeros=zeros, alternative=alternative)
            assert (got.pvalue, got.statistic) == (exact.pvalue, exact.statistic)
            assert (got.estimate, got.lower, got.upper) == (
                shift.estimate,
                shift.lower,
                shift.upper,
            )
            assert got.zeros == zeros
            assert (got.se, got.df) == (None, None)


def test_observed_change_splits_into_expected_and_what_remains():
    for history in (KNOWN, PRIOR):
        for readings in (1, 2):
            got = offset_test(BEFORE, AFTER, history, readings=readings)
            assert got.observed == pytest.approx(got.expected + got.estimate, rel=1e-13)
            assert got.expected < 0
    assert offset_test(BEFORE, AFTER, KNOWN).expected == pytest.approx(-0.36 * (142 / 9 - 8))


def test_ties_of_offsets_are_told_on_decimal_values():
    # 0.1 * 3 is not 0.3 in binary; the offsets here are 0, 0.3, -0.3 exactly.
    history = NaturalHistory(mean=0, sd=1, rho=0.1)
    got = offset_test([3, 3, 3], [0.3, 0.6, 0.0], history, method="signed_rank")
    assert got.pvalue == 1
    assert got.statistic == 2.5  # Pratt: ranks 2.5 for the two tied, the zero holds rank 1
    same = offset_test([1, 2, 3], [0.3, 0.4, 0.5], history, method="signed_rank")
    assert same.estimate == pytest.approx(0.2)
    with pytest.raises(ValueError, match="all 3 offsets"):
        offset_test([1, 2, 3], [0.3, 0.4, 0.5], history)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=3, max_size=12),
    st.integers(-50, 50),
    st.sampled_from([0.5, 2, 4]),
)
def test_shift_and_scale_of_all_readings_change_nothing_but_the_unit(pairs, shift, scale):
    x, y = (np.array(row, dtype=float) for row in zip(*pairs, strict=True))
    for method in ("t", "signed_rank"):
        for history in (KNOWN, PRIOR):
            try:
                plain = offset_test(x, y, history, method=method)
            except ValueError:
                continue  # offsets that do not vary
            moved = NaturalHistory(
                scale * history.mean + shift,
                scale * history.sd,
                history.rho,
                scale * history.mean_se,
                history.rho_se,
                scale * history.covariance,
            )
            got = offset_test(scale * x + shift, scale * y + shift, moved, method=method)
            assert got.pvalue == pytest.approx(plain.pvalue, rel=1e-8)
            assert got.estimate == pytest.approx(scale * plain.estimate, rel=1e-8, abs=1e-8)
            assert got.lower == pytest.approx(scale * plain.lower, rel=1e-8, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=3, max_size=10))
def test_mirrored_readings_mirror_the_result(pairs):
    x, y = (np.array(row, dtype=float) for row in zip(*pairs, strict=True))
    mirrored = NaturalHistory(-8, 5, 0.64, 0.7, 0.08, -0.02)
    for method in ("t", "signed_rank"):
        try:
            plain = offset_test(x, y, PRIOR, method=method, alternative="less")
        except ValueError:
            continue
        got = offset_test(-x, -y, mirrored, method=method, alternative="greater")
        assert got.pvalue == pytest.approx(plain.pvalue, rel=1e-9)
        assert got.lower == pytest.approx(-plain.upper, rel=1e-9, abs=1e-9)


# -- uncertain mean and rho -------------------------------------------------------------------------


def test_sum_of_two_errors_is_students_t_when_one_vanishes():
    from scipy.special import stdtr, stdtrit

    for df in (1, 2, 5, 8, 30, 200):
        both = TwoErrors((1.5, 0.0), (df, math.inf))
        for value in (-0.3, -2.0, -7.0):
            assert both.below(1.5 * value) == pytest.approx(stdtr(df, value), rel=1e-11, abs=1e-20)
        assert both.reach(0.95) == pytest.approx(1.5 * stdtrit(df, 0.975), rel=1e-12)
        assert both.reach(-0.5) == -both.reach(0.5)
        assert both.reach(0) == 0


def test_sum_of_two_errors_has_its_closed_forms():
    # Two Cauchy variates add their scales; two normal ones their variances.
    cauchy = TwoErrors((0.4, 0.6), (1, 1))
    assert cauchy.below(-2.0) == pytest.approx(0.5 - math.atan(2.0) / math.pi, rel=1e-12)
    normal = TwoErrors((3.0, 4.0), (math.inf, math.inf))
    assert normal.below(-5.0) == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)), rel=1e-14)


def test_sum_of_two_errors_is_that_of_drawn_ones():
    rng = np.random.default_rng(6)
    size = 400_000
    drawn = 0.7 * rng.standard_t(5, size) + 0.4 * rng.standard_t(7, size)
    both = TwoErrors((0.7, 0.4), (5, 7))
    for value in (-0.5, -1.5, -3.0):
        p = both.below(value)
        assert abs(np.mean(drawn <= value) - p) < ERRORS * math.sqrt(p * (1 - p) / size)


def test_standard_error_adds_that_of_the_expected_change():
    x = np.array(BEFORE)
    offsets = np.array(AFTER) - PRIOR.expected(x)
    distance = x.mean() - 8
    common = (distance * 0.08) ** 2 + (0.36 * 0.7) ** 2 + 2 * distance * 0.36 * 0.02
    got = offset_test(BEFORE, AFTER, PRIOR)
    assert got.expected_se == pytest.approx(math.sqrt(common), rel=1e-12)
    assert got.se == pytest.approx(math.sqrt(np.var(offsets, ddof=1) / 9 + common), rel=1e-12)


def test_interval_and_p_agree_whatever_the_history():
    for history in (KNOWN, PRIOR, NaturalHistory(8, 5, 0.64, 0.7, 0.08, 0.0, df=7)):
        for method in ("t", "signed_rank"):
            for alternative in ALTERNATIVES:
                got = offset_test(BEFORE, AFTER, history, method=method, alternative=alternative)
                assert (got.lower > 0 or got.upper < 0) == (got.pvalue <= 0.05), got


def test_limits_have_p_of_one_minus_the_level():
    got = offset_test(BEFORE, AFTER, PRIOR, conf_level=0.9)
    for limit in (got.lower, got.upper):
        there = offset_test(BEFORE, np.array(AFTER) - limit, PRIOR)
        assert there.pvalue == pytest.approx(0.1, rel=1e-10)


def test_less_certain_history_never_gives_a_smaller_p():
    # Welch's approximation would: 0.0016 here at mean_se = 1, against 0.0019 with a known mean.
    last = 0.0
    for mean_se in (0, 0.1, 0.3, 0.5, 1.0, 2.0):
        p = offset_test(BEFORE, AFTER, NaturalHistory(8, 5, 0.64, mean_se)).pvalue
        assert p > last
        last = p


def test_ranks_without_ties_have_the_distribution_of_signed_rank():
    for n in (1, 2, 5, 9):
        tails = signed_rank_tails(n)
        for total in range(n * (n + 1) // 2 + 1):
            # A data set with this T+: the ranks of a greedy sum are positive.
            left, signs = total, []
            for rank in range(n, 0, -1):
                signs.append(rank if rank <= left else -rank)
                left -= rank if rank <= left else 0
            p = signed_rank(signs, alternative="less").pvalue
            assert tails[total] == pytest.approx(p, rel=1e-14)


def brute_totals(x, y, history, gamma):
    """Smallest and largest T+ over a fine net of the lines that are compatible with the history."""
    rho_se, se = history.rho_se, history.mean_se
    covariance = np.array([[rho_se**2, history.covariance], [history.covariance, se**2]])
    turn = np.array([[1, 0], [-history.mean, 1 - history.rho]])  # to slope and intercept
    root = np.linalg.cholesky(turn @ covariance @ turn.T)
    reach = math.sqrt(-2 * math.log(gamma))
    rows, columns = np.triu_indices(x.size)
    totals = set()
    for angle in np.linspace(0, 2 * math.pi, 2001):
        for share in (1.0, 0.98, 0.6):
            slope, intercept = [history.rho, history.mean * (1 - history.rho)] + (
                reach * share * root @ [math.cos(angle), math.sin(angle)]
            )
            if 0 <= slope <= 1:
                offsets = y - intercept - slope * x
                totals.add(int(np.sum(offsets[rows] + offsets[columns] > 0)))
    return min(totals), max(totals)


def test_search_finds_the_extremes_that_a_fine_net_finds():
    rng = np.random.default_rng(12)
    for _ in range(6):
        x, _, y = trial(rng, 7, effect=-5)
        history = NaturalHistory(8, 5, 0.64, 0.5, 0.06, rng.uniform(-0.02, 0.02))
        region = LineRegion(x, y - history.expected(x), history, 1, 0.05)
        low, high = brute_totals(x, y, history, 0.05)
        tails = signed_rank_tails(7)
        assert region.largest_tails() == (tails[high], tails[28 - low])


def test_uncertain_signed_rank_is_the_largest_p_plus_gamma():
    rng = np.random.default_rng(13)
    x, _, y = trial(rng, 9, effect=-9)
    low, high = brute_totals(x, y, PRIOR, 0.001)
    got = offset_test(x, y, PRIOR, method="signed_rank")
    tails = signed_rank_tails(9)
    p = min(1.0, 2 * min(tails[high], tails[45 - low])) + 0.001
    assert got.pvalue == pytest.approx(p, rel=1e-14)
    assert "99.9% region" in got.note
    # The limits are where that P passes the level: just inside above it, just outside below.
    for limit, step in ((got.lower, 1e-7), (got.upper, -1e-7)):
        inside = offset_test(x, y - limit - step, PRIOR, method="signed_rank").pvalue
        outside = offset_test(x, y - limit + step, PRIOR, method="signed_rank").pvalue
        assert inside > 0.05 >= outside


def test_nearly_known_history_gives_nearly_the_exact_test():
    rng = np.random.default_rng(14)
    x, _, y = trial(rng, 9, effect=-3)
    for nearly in ((1e-9, 0.0), (0.0, 1e-9), (1e-9, 1e-9)):
        exact = offset_test(x, y, KNOWN, method="signed_rank")
        got = offset_test(x, y, NaturalHistory(8, 5, 0.64, *nearly), method="signed_rank")
        assert got.pvalue == pytest.approx(exact.pvalue + 0.001, rel=1e-12)
        assert got.estimate == pytest.approx(exact.estimate, abs=1e-6)


def test_high_levels_take_a_smaller_gamma():
    got = offset_test(BEFORE, AFTER, PRIOR, method="signed_rank", conf_level=0.99)
    assert "plus 0.0002" in got.note


def test_five_patients_attain_no_ninety_five_percent_interval():
    got = offset_test(BEFORE[:5], AFTER[:5], PRIOR, method="signed_rank")
    assert (got.lower, got.upper) == (-math.inf, math.inf)
    assert "not attainable with 5 patients" in got.note
    alone = offset_test([12], [6], PRIOR, method="signed_rank")
    assert alone.pvalue == 1
    assert "1 patient." in alone.note
    exact = offset_test([12], [6], KNOWN, method="signed_rank")
    assert (exact.pvalue, exact.n) == (1.0, 1)
    assert "not attainable" in exact.note


def test_note_of_the_history_is_passed_on():
    history = run_in([10, 12, 14, 20, 15], [16, 12, 11, 9, 13])
    assert history.note in offset_test(BEFORE, AFTER, history).note


# -- run-in readings of the same patients -----------------------------------------------------------


def test_same_patients_run_in_is_the_change_from_the_second_reading():
    rng = np.random.default_rng(15)
    first, second, after = trial(rng, 9, effect=-3)
    for alternative in ALTERNATIVES:
        got = run_in_offset_test(first, second, after, alternative=alternative)
        t = paired_t(after - second, alternative=alternative)
        for name in ("pvalue", "estimate", "lower", "upper"):
            assert getattr(got, name) == pytest.approx(getattr(t, name), rel=1e-13), name
        exact = run_in_offset_test(
            first, second, after, method="signed_rank", alternative=alternative
        )
        p = signed_rank(after - second, zeros="pratt", alternative=alternative).pvalue
        assert exact.pvalue == p
    # The fitted line passes through the means, so the offsets from it have the same mean ...
    history = run_in(first, second)
    as_others = offset_test(first, after, history)
    assert got.estimate == pytest.approx(as_others.estimate, rel=1e-10)
    assert got.expected == pytest.approx(as_others.expected, rel=1e-10)
    # ... and the line its own error there.
    assert got.expected_se == pytest.approx(as_others.expected_se, rel=1e-10)
    assert "same patients" in got.note


def test_same_patients_run_in_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="at least 3"):
        run_in_offset_test([10, 12], [9, 11], [8, 10])
    with pytest.raises(ValueError, match="found 3 and 2"):
        run_in_offset_test([10, 12, 13], [9, 11, 12], [8, 10])
    with pytest.raises(ValueError, match="all 3 changes from the second reading are -1"):
        run_in_offset_test([10, 12, 13], [9, 11, 12], [8, 10, 11])
    with pytest.raises(ValueError, match=r"second\[1\]"):
        run_in_offset_test([10, 12, 13], [9, math.nan, 12], [8, 10, 9])
    same = run_in_offset_test([10, 10, 10], [9, 11, 12], [8, 10, 9])
    # Without a slope to fit, the error is that of the mean of the second readings.
    assert same.expected_se == pytest.approx(paired_t([9, 11, 12]).sd / math.sqrt(3))


# -- error rates ------------------------------------------------------------------------------------


def rejected(rng, n, trials, draw):
    """Share of P values at most 0.05 for each test that ``draw`` does on one trial."""
    found = np.array([draw(*trial(rng, n)) for _ in range(trials)])
    return np.mean(found <= 0.05, axis=0)


def test_known_history_keeps_its_level_where_the_change_itself_does_not():
    # Monte Carlo error at 0.05 with 20 000 trials: 0.0015.
    rng = np.random.default_rng(16)
    first, _, after = (each.reshape(-1, 9) for each in trial(rng, 180_000))
    offsets = after - KNOWN.expected(first)
    assert abs(np.mean(significant_paired_t(offsets)) - 0.05) < ERRORS * 0.0015
    # The largest level of the signed rank below 0.05 with nine patients.
    assert abs(np.mean(significant_signed_rank(offsets)) - 0.0390625) < ERRORS * 0.0014
    assert np.mean(significant_paired_t(after - first)) > 0.14


def test_prior_keeps_its_level():
    # The stated mean and rho carry an error as large as they say; 1500 trials, error 0.0056.
    rng = np.random.default_rng(17)

    def draw(first, _, after):
        rho = min(max(0.64 + 0.15 * rng.standard_normal(), 0.0), 0.99)
        stated = NaturalHistory(8 + 1.5 * rng.standard_normal(), 5, rho, 1.5, 0.15)
        naive = NaturalHistory(stated.mean, 5, rho)
        return offset_test(first, after, stated).pvalue, offset_test(first, after, naive).pvalue

    honest, ignored = rejected(np.random.default_rng(18), 20, 1500, draw)
    assert 0.035 - ERRORS * 0.0056 < honest < 0.05 + ERRORS * 0.0056
    assert ignored > 0.1  # what ignoring the errors costs


def test_run_in_of_the_same_patients_keeps_its_level():
    # 1000 trials, error 0.0069. Taking the line for one of other patients overstates its error.
    def draw(first, second, after):
        own = run_in_offset_test(first, second, after).pvalue
        return own, offset_test(first, after, run_in(first, second)).pvalue

    own, as_others = rejected(np.random.default_rng(19), 9, 1000, draw)
    assert abs(own - 0.05) < ERRORS * 0.0069
    assert as_others < 0.03


# -- unknown mean -----------------------------------------------------------------------------------


def test_mee_and_chua_example_agrees():
    path = DESIGN / "10_regression_to_mean.json"
    if not path.exists():
        pytest.skip("design cases are not beside the repository: shared/data/design/10_*.json")
    (case,) = (c for c in json.loads(path.read_text())["cases"] if c["id"].startswith("mee_chua"))
    given, expected = case["inputs"], case["expected"]
    for alternative, p in (
        ("greater", expected["p_one_sided"]),
        ("two-sided", 2 * expected["p_one_sided"]),
        ("less", 1 - expected["p_one_sided"]),
    ):
        got = mee_chua(given["before"], given["after"], mean=given["mu"], alternative=alternative)
        assert got.pvalue == pytest.approx(p, rel=1e-9)
    assert (got.estimate, got.slope, got.se, got.statistic, got.df) == pytest.approx(
        tuple(expected[name] for name in ("effect", "slope", "se", "t", "df")), rel=1e-9
    )
    assert got.upper > got.estimate
    assert got.lower == -math.inf
    naive = paired_t(np.subtract(given["after"], given["before"]))
    assert naive.pvalue == pytest.approx(expected["naive_paired"]["p"], rel=1e-9)


def test_mee_and_chua_is_the_intercept_of_a_regression():
    from scipy.stats import linregress

    fit = linregress(np.subtract(BEFORE, 8), AFTER)
    got = mee_chua(BEFORE, AFTER, mean=8)
    assert got.estimate == pytest.approx(fit.intercept - 8, rel=1e-12)
    assert got.se == pytest.approx(fit.intercept_stderr, rel=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([10, 12], [9, 8], "at least 3"),
        ([0.3, 0.1 + 0.2, 0.3], [9, 8, 7], "before: all 3 readings"),
        ([10, 12, 14], [5, 6, 7], "without scatter"),
        ([10, 12, math.inf], [5, 6, 7], r"before\[2\]"),
        ([10, 12, 14], [5, 6], "found 3 and 2"),
    ],
)
def test_regression_on_too_little_is_refused(before, after, words):
    with pytest.raises(ValueError, match=words):
        mee_chua(before, after, mean=8)
    with pytest.raises(ValueError, match=words):
        scan_mean(before, after, rho=0.64)


def test_scan_holds_exactly_the_means_at_which_each_test_stands():
    rng = np.random.default_rng(20)
    for _ in range(12):
        x, _, y = trial(rng, 6, effect=rng.uniform(-12, 8))
        scan = scan_mean(x, y, rho=0.64)
        falls = scan.direction == "fall"
        for mean in np.linspace(-60, 80, 21):
            line = mee_chua(x, y, mean=mean)
            fixed = offset_test(x, y, NaturalHistory(mean, 5, 0.64))
            for test, found in ((line, scan.mee_chua), (fixed, scan.offset)):
                stands = test.upper < 0 if falls else test.lower > 0
                assert stands == any(low < mean < high for low, high in found)


def test_scan_can_find_a_stretch_of_means_with_two_ends():
    # A slope that may be 1: far means tell nothing.
    x, y = [10, 12, 14, 16, 18, 20], [4, 7, 7, 11, 11, 14]
    scan = scan_mean(x, y)
    ((low, high),) = scan.mee_chua
    assert -math.inf < low < 15 < high < math.inf
    for end in (low, high):
        assert mee_chua(x, y, mean=end).pvalue == pytest.approx(0.05, rel=1e-8)
    assert "between" in scan.words
    assert scan.offset is None


def test_scan_without_regression_stands_for_any_mean_or_none():
    assert scan_mean(BEFORE, AFTER, rho=1).offset == ((-math.inf, math.inf),)
    assert "stands for any mean" in scan_mean(BEFORE, AFTER, rho=1).words
    scattered = scan_mean([10, 12, 14, 16], [11, 9, 20, 8], rho=1)
    assert scattered.offset == ()
    assert "for no mean" in scattered.words
    with pytest.raises(ValueError, match="rho"):
        scan_mean(BEFORE, AFTER, rho=1.1)


def test_scan_of_no_change_has_nothing_to_stand():
    scan = scan_mean([10, 12, 14], [12, 10, 14], rho=0.64)
    assert (scan.direction, scan.offset, scan.mee_chua) == ("none", (), ())
    assert "did not change" in scan.words


def test_scan_says_it_in_words():
    scan = scan_mean(BEFORE, AFTER, rho=0.64)
    assert scan.words == (
        "By the offset test with rho 0.64 the fall stands if the mean of the patients screened is "
        "above 2.12; by Mee and Chua's test, rho estimated from these patients, above 10.2."
    )
    logs = scan_mean(np.log(BEFORE), np.log(AFTER), rho=0.64, logs=True)
    assert "median of the patients screened is above 5.31" in logs.words


def test_tipping_points_of_the_design_page_hold():
    # 16 to 6 points: no rho if the mean is 8, below 0.17 if it is 4; 1.8 to 1.02 g: below 0.03.
    assert tipping_rho([16], [6], mean=8).rho is None
    low = tipping_rho([16], [6], mean=4)
    assert low.rho == pytest.approx(1 / 6)
    assert low.words == (
        "The change is no more than regression to the mean only if rho is below 0.17 "
        "(patients screened: mean 4)."
    )
    protein = tipping_rho([math.log(1.8)], [math.log(1.02)], mean=0.0, logs=True)
    assert protein.rho == pytest.approx(1 - math.log(1.8 / 1.02) / math.log(1.8))
    assert "below 0.03 (patients screened: median 1)" in protein.words


def test_effect_vanishes_at_the_tipping_point():
    before, after = [14, 16, 19, 21], [12, 15, 15, 18]
    rho = tipping_rho(before, after, mean=8).rho
    assert rho is not None
    got = offset_test(before, after, NaturalHistory(8, 5, rho))
    assert got.estimate == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "mean", "rho", "words"),
    [
        (16, 8, 8, 0.0, "only if rho is 0 "),
        (16, 16, 8, None, "no mean change"),
        (16, 20, 8, None, "moved away"),
        (16, 6, 16, None, "began at the mean"),
        (4, 6, 8, 0.5, "below 0.50"),
        (4, 9, 8, None, "No rho from 0 to 1"),
        (0.3, 0.1 + 0.2, 0.1, None, "no mean change"),
    ],
)
def test_tipping_point_has_an_answer_for_every_course(before, after, mean, rho, words):
    got = tipping_rho([before], [after], mean=mean)
    assert got.rho == rho
    assert words in got.words


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "given", "words"),
    [
        ([], [], {}, "found 0 patients"),
        ([12], [9], {}, "expected at least 2"),
        ([12, 13], [9], {}, "found 2 and 1"),
        ([12, 13], [9, math.nan], {}, r"after\[1\]"),
        ([12, math.inf], [9, 8], {}, r"before\[1\]"),
        ([12, 12], [9, 9], {}, "all 2 offsets"),
        ([0, 0, 0], [0, 0, 0], {}, "all 3 offsets"),
        ([12, 13], [9, 8], {"method": "z"}, "method"),
        ([12, 13], [9, 8], {"zeros": "drop"}, "zeros"),
        ([12, 13], [9, 8], {"alternative": "lower"}, "alternative"),
        ([12, 13], [9, 8], {"conf_level": 95}, "conf_level"),
        ([12, 13], [9, 8], {"readings": 0}, "readings"),
        ([], [], {"method": "signed_rank"}, "found 0 patients"),
    ],
)
def test_offset_test_refuses_what_it_cannot_use(before, after, given, words):
    with pytest.raises(ValueError, match=words):
        offset_test(before, after, KNOWN, **given)


def test_search_for_the_largest_p_is_kept_to_five_hundred_patients():
    x = np.linspace(8, 30, 501)
    with pytest.raises(ValueError, match="found 501"):
        offset_test(x, x, PRIOR, method="signed_rank")


def test_unchanged_patients_have_a_defined_result():
    got = offset_test([8, 8, 8], [8, 8, 8], KNOWN, method="signed_rank")
    assert (got.pvalue, got.estimate, got.observed, got.expected) == (1, 0, 0, 0)
