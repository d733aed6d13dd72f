"""The estimate and the interval: brute-force inversion, exact references, agreement with P."""

import math
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onearm.stats import hodges_lehmann, signed_rank
from onearm.stats.walsh import WalshSums

LEVELS = [0.5, 0.75, 0.8, 0.9, 0.9375, 0.95, 0.99]
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Cushny & Peebles 1905


def upper_tail(diff, shift, zeros):
    """P(T+ >= observed) of diff - shift, counted in whole numbers from the definition."""
    moved = [d - shift for d in diff]
    pool = [d for d in moved if d != 0] if zeros == "wilcoxon" else moved
    # Twice the mid-rank: those below count 2, the tied ones and itself 1, and 1 more.
    ranks = [
        sum(2 * (abs(o) < abs(d)) + (abs(o) == abs(d)) for o in pool) + 1 for d in pool if d != 0
    ]
    positive = [d > 0 for d in pool if d != 0]
    observed = sum(r for r, plus in zip(ranks, positive, strict=True) if plus)
    counts = {0: 1}
    for rank in ranks:
        shifted = {s + rank: c for s, c in counts.items()}
        counts = {s: counts.get(s, 0) + shifted.get(s, 0) for s in {*counts, *shifted}}
    return Fraction(sum(c for s, c in counts.items() if s >= observed), 2 ** len(ranks))


def places(diff):
    """All shifts at which the test can change: Walsh averages, and one point in every gap."""
    walsh = sorted({Fraction(a + b, 2) for a, b in combinations_with_replacement(diff, 2)})
    gaps = [(a + b) / 2 for a, b in pairwise(walsh)]
    return sorted([walsh[0] - 1, *walsh, *gaps, walsh[-1] + 1]), set(walsh)


def inverted(diff, zeros, level):
    """Return the hull of the shifts not rejected, by trying all; limits with whether included."""
    tail = (1 - Fraction(level)) / 2
    tried, walsh = places(diff)
    kept = [
        shift
        for shift in tried
        if upper_tail(diff, shift, zeros) > tail
        and upper_tail([-d for d in diff], -shift, zeros) > tail
    ]
    if not kept:
        return None
    low, high = tried.index(kept[0]), tried.index(kept[-1])

    def limit(at, outwards):
        if tried[at] in walsh:
            return float(tried[at]), True
        beyond = at + outwards
        if not 0 <= beyond < len(tried):
            return outwards * math.inf, False
        return float(tried[beyond]), False

    return limit(low, -1), limit(high, 1)


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=8),
    st.sampled_from(["wilcoxon", "pratt"]),
    st.sampled_from(LEVELS),
)
@example([1, 0, 0, -2, 0, -2, 0, 0, 0], "wilcoxon", 0.5)
@example([0, 2, -1, 2, -1], "wilcoxon", 0.5)
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_exactly_the_shifts_that_the_test_keeps(diff, zeros, level):
    expected = inverted(diff, zeros, level)
    got = hodges_lehmann(diff, zeros=zeros, conf_level=level)
    if expected is None:
        assert got.lower == got.upper
        assert not got.contains(got.lower)
        assert got.note.startswith("The test rejects every shift at this level")
        return
    (lower, low_in), (upper, high_in) = expected
    assert (got.lower, got.upper) == (lower, upper)
    assert (got.lower_included, got.upper_included) == (low_in, high_in)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_with_pratts_zeros_p_is_monotone_in_the_shift_whatever_the_ties(diff):
    tails = [upper_tail(diff, shift, "pratt") for shift in places(diff)[0]]
    assert tails == sorted(tails)


def test_with_zeros_dropped_p_is_not_monotone():
    # Why the rule matters: at a difference itself a zero appears and the test is another one.
    diff = [-3, 1, 2, 4]
    tails = [upper_tail(diff, shift, "wilcoxon") for shift in places(diff)[0]]
    assert tails != sorted(tails)


@given(
    st.lists(st.integers(-30, 30), min_size=1, max_size=25),
    st.sampled_from(["two-sided", "greater", "less"]),
    st.sampled_from(LEVELS),
)
@settings(max_examples=80, deadline=None)
def test_interval_and_p_never_disagree_about_no_change(diff, alternative, level):
    tenths = np.array(diff) / 10
    interval = hodges_lehmann(tenths, zeros="pratt", alternative=alternative, conf_level=level)
    p = signed_rank(tenths, zeros="pratt", alternative=alternative).pvalue
    assert interval.contains(0.0) == (p > 1 - level)


@given(
    st.lists(st.integers(-30, 30), min_size=1, max_size=25),
    st.sampled_from(LEVELS),
)
@settings(max_examples=80, deadline=None)
def test_with_zeros_dropped_a_disagreement_is_said_in_words(diff, level):
    interval = hodges_lehmann(diff, conf_level=level)
    rejected = signed_rank(diff).pvalue <= 1 - level
    if not rejected:
        assert interval.contains(0.0)
    said = "With zeros dropped the test rejects 0" in interval.note
    assert said == (rejected and interval.contains(0.0))


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
def test_estimates_and_intervals_are_those_of_exact_arithmetic(gold_pairs, zeros):
    key = {"wilcoxon": "ci_invert_wilcox_0.95", "pratt": "ci_invert_pratt_0.95"}[zeros]
    for row in gold_pairs:
        got = hodges_lehmann(row["diff"], zeros=zeros)
        expected = [row[key]["lower"], row[key]["upper"], row["hl_all"], row["hl_nonzero"]]
        limits = [limit if math.isfinite(limit) else None for limit in (got.lower, got.upper)]
        found = [*limits, got.estimate, got.estimate_nonzero]
        if row["exact_arithmetic"] == "decimal strings":
            assert found == expected, row["id"]
        else:  # continuous doubles: the average of two of them is rounded once more
            assert found == pytest.approx(expected, rel=1e-14, abs=0), row["id"]


def test_without_ties_the_attained_level_is_the_coverage_probability(gold_pairs):
    compared = 0
    for row in gold_pairs:
        if row["n_distinct_abs"] == row["n"] and row["exact_arithmetic"] != "decimal strings":
            got = hodges_lehmann(row["diff"])
            assert got.attained == pytest.approx(row["ci_walsh_0.95"]["attained"], rel=1e-14, abs=0)
            compared += 1
    assert compared == 2


def test_estimate_and_interval_without_ties_agree_with_r(r_paired):
    # R 4.2.2: wilcox.test(d, exact = TRUE, conf.int = TRUE); see tests/reference/stats_paired.R.
    compared = 0
    for answers in r_paired.values():
        if "exact_interval" in answers:
            _, estimate, lower, upper = answers["exact_interval"]
            got = hodges_lehmann(answers["diff"])
            assert [got.estimate, got.lower, got.upper] == pytest.approx(
                [estimate, lower, upper], rel=1e-12, abs=0
            )
            compared += 1
    assert compared >= 2


def test_students_sleep_data_gain_about_an_hour_and_a_half():
    # Walsh averages by hand: median of 55 is 1.3, of 45 without the zero 1.4. The shift 0.8 is a
    # difference itself; only with zeros dropped is it kept.
    pratt, dropped = hodges_lehmann(SLEEP, zeros="pratt"), hodges_lehmann(SLEEP)
    assert (pratt.estimate, pratt.lower, pratt.upper) == (1.3, 0.9, 2.7)
    assert (dropped.estimate, dropped.lower, dropped.upper) == (1.3, 0.8, 2.7)
    assert dropped.estimate_nonzero == 1.4


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (1, "with 1 difference: the smallest possible P is 1; no level gives finite limits."),
        (2, "with 2 differences: the smallest possible P is 0.5; the highest level with finite "),
        (5, "smallest possible P is 0.0625; the highest level with finite limits is 93.75%."),
    ],
)
def test_a_level_that_small_samples_cannot_attain_is_said_in_words(n, words):
    got = hodges_lehmann(np.arange(1, n + 1))
    assert (got.lower, got.upper, got.attained) == (-math.inf, math.inf, 1.0)
    assert got.note.startswith("A 95% interval is not attainable ")
    assert words in got.note


def test_six_patients_attain_95_percent_with_the_extremes():
    got = hodges_lehmann([1, 2, 4, 8, 16, 32])
    assert (got.lower, got.upper, got.attained, got.note) == (1.0, 32.0, 1 - 2 / 64, "")


def test_a_level_equal_to_one_minus_p_rejects():
    # P = 1/16 = 1 - 0.9375: significant at that level, so limits are finite and exclude 0.
    got = hodges_lehmann([1, 2, 3, 4, 5], conf_level=0.9375)
    assert (got.lower, got.upper, got.attained) == (1.0, 5.0, 0.9375)


def test_a_limit_at_zero_that_is_rejected_is_said_in_words():
    # P = 11/256 = 0.043, and the exact interval ends at 0 without holding it.
    diff = [-0.2, -0.6, 0.4, -0.4, -0.1, -0.5, -0.4, -0.7, 0.0, -0.2, 0.4, -0.1, -0.4]
    got = hodges_lehmann(diff, zeros="pratt")
    assert (got.lower, got.upper, got.upper_included) == (-0.4, 0.0, False)
    assert not got.contains(0.0)
    assert got.contains(-0.001)
    assert got.note == (
        "The upper limit is 0 and 0 itself is rejected by the test: the interval ends just short "
        "of it."
    )


def test_without_any_change_the_interval_is_zero_to_zero():
    got = hodges_lehmann([0.0] * 6)
    assert (got.estimate, got.lower, got.upper, got.estimate_nonzero) == (0, 0, 0, 0)
    assert got.contains(0.0)


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
def test_where_the_test_rejects_every_shift_no_interval_is_claimed(zeros):
    # 50 patients unchanged, 6 one point lower: P = 2/2**6 at 0, and any other shift is rejected
    # because it turns the 50 into falls or rises.
    diff = [0] * 50 + [-1] * 6
    assert signed_rank(diff, zeros=zeros).pvalue == 2 / 64
    got = hodges_lehmann(diff, zeros=zeros)
    assert (got.estimate, got.lower, got.upper) == (0.0, 0.0, 0.0)
    assert not got.contains(0.0)
    assert got.note == (
        "The test rejects every shift at this level, 0 and all on either side of it: no interval "
        "exists. Many differences are 0 and the others lean one way."
    )


@given(
    st.lists(st.integers(-200, 200), min_size=1, max_size=20),
    st.integers(-500, 500),
    st.sampled_from(["wilcoxon", "pratt"]),
)
@settings(max_examples=40, deadline=None)
def test_a_shift_of_the_data_shifts_estimate_and_interval(diff, shift, zeros):
    here = hodges_lehmann(diff, zeros=zeros)
    there = hodges_lehmann(np.array(diff) + shift, zeros=zeros)
    assert there.estimate == here.estimate + shift
    assert (there.lower, there.upper) == (here.lower + shift, here.upper + shift)
    mirrored = hodges_lehmann(-np.array(diff), zeros=zeros)
    assert (mirrored.lower, mirrored.upper) == (-here.upper, -here.lower)
    assert (mirrored.lower_included, mirrored.upper_included) == (
        here.upper_included,
        here.lower_included,
    )


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e-3, 1e12, 1e300])
def test_the_unit_scales_estimate_and_interval(unit):
    here = hodges_lehmann(SLEEP)
    there = hodges_lehmann(np.array(SLEEP) * unit)
    assert [there.estimate, there.lower, there.upper] == pytest.approx(
        [here.estimate * unit, here.lower * unit, here.upper * unit], rel=1e-14, abs=0
    )


def test_one_sided_limits_belong_to_the_one_sided_test():
    two = hodges_lehmann(SLEEP, zeros="pratt", conf_level=0.9)
    low = hodges_lehmann(SLEEP, zeros="pratt", conf_level=0.95, alternative="greater")
    high = hodges_lehmann(SLEEP, zeros="pratt", conf_level=0.95, alternative="less")
    assert (low.lower, low.upper) == (two.lower, math.inf)
    assert (high.lower, high.upper) == (-math.inf, two.upper)
    assert low.note == high.note == ""


def test_a_one_sided_or_pratt_interval_is_not_judged_by_another_test():
    # Dropped zeros reject 0 (P = 1/32), Pratt's keep it (P = 7/128): no contradiction to report.
    diff = [2, 3, -1, 0, 2, 0, 2, -1, 3, 3]
    assert signed_rank(diff).pvalue == 1 / 32
    assert signed_rank(diff, zeros="pratt").pvalue == 7 / 128
    assert hodges_lehmann(diff, zeros="pratt").note == ""
    # All rise: an upper limit above 0 contradicts nothing.
    assert hodges_lehmann([1, 2, 3, 4, 5, 6, 7, 8], alternative="less").note == ""
    assert hodges_lehmann([-1, -2, -3, -4, -5, -6, -7, -8], alternative="greater").note == ""


def tied_changes(rng, n):
    """Draw n whole-numbered changes: few or many ties, clusters, zeros, a tail far out."""
    kind = rng.integers(5)
    diff = np.rint(rng.normal(0.2, 1, n) * rng.choice([2, 10, 1000]))
    if kind == 1:
        diff = np.rint(np.exp(diff / 3) % 10**6)
    elif kind == 2:
        diff = rng.choice([-700, -1, 0, 1, 3, 900], n)
    elif kind == 3:
        diff[rng.random(n) < 0.4] = 0
    return diff.astype(np.int64)


def searched_lower_limit(diff, zeros, level):
    """Find the lower limit by halving over all listed Walsh averages with signed_rank itself.

    Under dropped zeros every difference below the limit is tried. In quarters; None: unbounded.
    """
    tail = (1 - level) / 2
    sums = np.unique(np.add.outer(diff, diff))
    between = np.concatenate([[2 * sums[0] - 1], sums[1:] + sums[:-1], [2 * sums[-1] + 1]])
    shifts = np.sort(np.concatenate([2 * sums, between])).tolist()

    def kept(shift, zeros):
        p = [signed_rank(4 * diff - shift, zeros=zeros, alternative="greater").pvalue]
        if zeros == "wilcoxon":
            p.append(signed_rank(4 * diff - shift, zeros=zeros, alternative="less").pvalue)
        return min(p) > tail

    low, high = -1, len(shifts) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if kept(shifts[middle], "pratt"):
            high = middle
        else:
            low = middle
    if zeros == "wilcoxon" and high > 0:
        at = [shifts.index(4 * d) for d in np.unique(diff).tolist()]
        before = [place for place in at if place < high and kept(shifts[place], "wilcoxon")]
        if before:
            high = before[0]
        elif high in at and not kept(shifts[high], "wilcoxon"):
            high += 1
    if high == 0:
        return None, False
    return shifts[high - 1 + high % 2], high % 2 == 1


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
def test_the_search_finds_what_trying_every_walsh_average_finds(zeros):
    rng = np.random.default_rng(20261122)
    for _ in range(25):
        diff = tied_changes(rng, int(rng.integers(2, 60)))
        level = float(rng.choice(LEVELS))
        got = hodges_lehmann(diff, zeros=zeros, conf_level=level)
        quarters, included = searched_lower_limit(diff, zeros, level)
        lower = -math.inf if quarters is None else quarters / 4
        if got.lower == got.upper and not got.lower_included:
            assert "rejects every shift" in got.note
        else:
            assert (got.lower, got.lower_included) == (lower, included), diff
        sums = np.sort(np.add.outer(diff, diff)[np.triu_indices(diff.size)])
        assert got.estimate == np.median(sums) / 2


@pytest.mark.slow
@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
def test_the_same_with_three_hundred_patients_where_fourier_sums_guide_the_search(zeros):
    rng = np.random.default_rng(20261123)
    for n in (201, 250, 300):
        diff = tied_changes(rng, n)
        got = hodges_lehmann(diff, zeros=zeros)
        quarters, included = searched_lower_limit(diff, zeros, 0.95)
        assert (got.lower, got.lower_included) == (quarters / 4, included)


@pytest.mark.slow
@pytest.mark.parametrize("decimals", [1, 15])
def test_two_thousand_patients_get_an_interval_that_the_exact_p_confirms_at_its_ends(decimals):
    diff = np.round(np.random.default_rng(20261122).normal(0.1, 1, 2000), decimals)
    got = hodges_lehmann(diff, zeros="pratt")
    step = {1: 1e-5, 15: 1e-9}[decimals]  # less than Walsh averages lie apart
    outside = signed_rank(diff - got.lower + step, zeros="pratt", alternative="greater").pvalue
    inside = signed_rank(diff - got.lower - step, zeros="pratt", alternative="greater").pvalue
    assert outside <= 0.025 < inside


def test_a_p_at_the_very_level_is_decided_by_counting():
    # 300 equal sizes make it the sign test of 170 and 130: its P is known to the last bit, closer
    # to these levels than a Fourier sum could tell.
    diff = np.array([1] * 170 + [-1] * 130)
    p = signed_rank(diff, zeros="pratt").pvalue
    levels = [1 - p * (1 + steps * 1e-15) for steps in range(-20, 21)]
    kept = [hodges_lehmann(diff, conf_level=v, zeros="pratt").contains(0.0) for v in levels]
    assert kept == [p > 1 - level for level in levels]
    assert set(kept) == {True, False}


@given(st.lists(st.integers(-60, 60), min_size=1, max_size=40), st.integers(-130, 130))
@settings(max_examples=60, deadline=None)
def test_sums_of_pairs_are_counted_and_selected_as_if_listed(values, bound):
    listed = sorted(a + b for a, b in combinations_with_replacement(values, 2))
    sums = WalshSums(np.array(values))
    assert sums.up_to(bound) == sum(s <= bound for s in listed)
    assert [sums[place] for place in range(sums.size)] == listed
    assert sums.up_to(bound) == sum(s <= bound for s in listed)


@pytest.mark.parametrize("spread", [3, 200, 10**6, 10**18])
def test_order_statistics_of_half_a_million_sums_are_those_of_the_sorted_list(spread):
    rng = np.random.default_rng(20261122)
    values = np.rint(rng.normal(0.1, 0.2, 1000) * spread).astype(np.int64)
    listed = np.sort(np.add.outer(values, values)[np.triu_indices(1000)])
    sums = WalshSums(values)
    places = [0, 1, listed.size - 1, *rng.integers(0, listed.size, 20).tolist()]
    assert [sums[place] for place in places] == listed[places].tolist()
    bounds = [int(listed[0]) - 1, int(listed[-1]), *listed[places].tolist()]
    assert [sums.up_to(b) for b in bounds] == np.searchsorted(listed, bounds, "right").tolist()


@pytest.mark.slow
@pytest.mark.parametrize("decimals", [1, 15])
def test_four_hundred_patients_get_an_interval_that_p_confirms_at_its_ends(decimals):
    diff = np.round(np.random.default_rng(20260131).normal(0.1, 1, 400), decimals)
    got = hodges_lehmann(diff, zeros="pratt")
    step = 1e-6
    assert signed_rank(diff - got.lower + step, zeros="pratt").pvalue <= 0.05
    assert signed_rank(diff - got.lower - step, zeros="pratt").pvalue > 0.05
    assert signed_rank(diff - got.upper - step, zeros="pratt").pvalue <= 0.05
    assert signed_rank(diff - got.upper + step, zeros="pratt").pvalue > 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"conf_level": 95}, "conf_level: found 95; expected a number between 0 and 1"),
        ({"zeros": "keep"}, "zeros: 'keep' is not known"),
        ({"alternative": "both"}, "alternative: 'both' is not known"),
    ],
)
def test_unknown_options_are_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words):
        hodges_lehmann([1, 2], **options)
