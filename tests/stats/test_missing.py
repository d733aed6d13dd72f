"""Missing follow-up: R's mice, complete data as the limit, corners by brute force, simulation."""

import csv
import importlib.util
import itertools
import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats import clopper_pearson, hodges_lehmann, paired_t, signed_rank
from onearm.stats.missing import (
    MissingResult,
    ReferenceChange,
    barnard_rubin_df,
    complete_cases,
    missing_at_random,
    multiple_imputation,
    reference_based,
    tipping_point,
    worst_case,
    worst_case_share,
)


@dataclass(frozen=True)
class NaturalHistory:
    """The fields of onearm.stats.regression_to_mean.NaturalHistory that are read."""

    mean: float
    sd: float
    rho: float
    mean_se: float = 0.0
    rho_se: float = 0.0
    covariance: float = 0.0


REFERENCE = Path(__file__).parents[1] / "reference"
NAN = float("nan")
# Constructed: nine patients, two of them lost.
BEFORE = [12, 10, 16, 8, 14, 11, 9, 13, 20]
AFTER = [6, 8, 8, 7, 9, 6, None, None, 12]
CHANGES = [-6, -2, -8, -1, -5, -5, -8]
FULL = [6, 8, 8, 7, 9, 6, 9, 10, 12]
UNTREATED = ReferenceChange(mean=-1, sd=3)
HISTORY = NaturalHistory(mean=8, sd=5, rho=0.64)
RNG = np.random.default_rng


def from_mice():
    sets = {}
    with (REFERENCE / "stats_missing.csv").open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            numbers = np.array(
                [float(number.replace("NA", "nan")) for number in row["value"].split()]
            )
            sets.setdefault(row["set"], {})[row["quantity"]] = numbers
    return sets


def assert_is_paired_t(result, diff):
    t = paired_t(diff)
    got = [result.estimate, result.lower, result.upper, result.pvalue, result.df]
    assert got == pytest.approx([t.estimate, t.lower, t.upper, t.pvalue, t.df], rel=1e-13)


# --- nobody missing ------------------------------------------------------------------------------


def test_with_nobody_missing_every_method_is_the_analysis_of_the_complete_data():
    diff = np.subtract(FULL, BEFORE)
    bounds = worst_case(BEFORE, FULL, better="lower")
    tipping = tipping_point(BEFORE, FULL, [0, 5])
    every = [
        complete_cases(BEFORE, FULL),
        bounds.worst,
        bounds.best,
        missing_at_random(BEFORE, FULL),
        missing_at_random(BEFORE, FULL, delta=9),
        reference_based(BEFORE, FULL, UNTREATED),
        multiple_imputation(BEFORE, FULL, rng=RNG(1)),
        multiple_imputation(BEFORE, FULL, rng=RNG(1), reference=HISTORY),
        *tipping.rows,
    ]
    for result in every:
        assert_is_paired_t(result, diff)
        assert result.df == 8
        assert result.assumption == "Nobody is missing, so nothing is assumed."
    assert bounds.pvalue_largest == pytest.approx(paired_t(diff).pvalue, rel=1e-12, abs=0)
    assert tipping.delta is None
    assert tipping.words == "Nobody is missing: there is nothing to tip."


# --- complete cases and worst case ---------------------------------------------------------------


def test_complete_cases_tests_the_observed_changes_alone():
    result = complete_cases(BEFORE, AFTER)
    assert_is_paired_t(result, CHANGES)
    assert (result.n, result.n_missing) == (9, 2)
    assert result.assumption == (
        "The 2 patients without follow-up changed, on average, as the others did."
    )
    ranked = complete_cases(BEFORE, AFTER, test="signed_rank")
    centre = hodges_lehmann(CHANGES, zeros="pratt")
    assert (ranked.estimate, ranked.lower, ranked.upper) == (
        centre.estimate,
        centre.lower,
        centre.upper,
    )
    assert ranked.pvalue == signed_rank(CHANGES, zeros="pratt").pvalue
    assert (ranked.se, ranked.df) == (None, None)


def test_worst_case_puts_every_missing_patient_at_the_ends_asked_for():
    bounds = worst_case(BEFORE, AFTER, better="lower")
    assert_is_paired_t(bounds.worst, [*CHANGES, -1, -1])
    assert_is_paired_t(bounds.best, [*CHANGES, -8, -8])
    raised = worst_case(BEFORE, AFTER, better="higher")
    assert (raised.worst.estimate, raised.best.estimate) == (
        bounds.best.estimate,
        bounds.worst.estimate,
    )
    bounds = worst_case(BEFORE, AFTER, better="lower", worst=4, best="no change")
    assert_is_paired_t(bounds.worst, [*CHANGES, 4, 4])
    assert_is_paired_t(bounds.best, [*CHANGES, 0, 0])
    bounds = worst_case(
        BEFORE, AFTER, better="lower", worst="attainable", best="attainable", scale=(0, 105)
    )
    assert_is_paired_t(bounds.worst, [*CHANGES, 105 - 9, 105 - 13])
    assert_is_paired_t(bounds.best, [*CHANGES, -9, -13])
    ranked = worst_case(BEFORE, AFTER, better="lower", test="signed_rank")
    assert ranked.worst.pvalue == signed_rank([*CHANGES, -1, -1], zeros="pratt").pvalue


def test_worst_case_says_in_words_what_it_did():
    bounds = worst_case(BEFORE, AFTER, better="lower", best="no change", worst=2)
    assert bounds.worst.assumption == "Each of the 2 patients without follow-up changed by +2."
    assert bounds.best.assumption == "Each of the 2 patients without follow-up did not change."
    bounds = worst_case(BEFORE, AFTER, better="lower")
    assert bounds.assumption == (
        "No patient without follow-up did worse than if each changed by -1, the worst change among "
        "those observed, or better than if each changed by -8, the best change among those observed."
    )


@given(
    st.lists(st.integers(-9, 2), min_size=2, max_size=6),
    st.lists(st.tuples(st.integers(-14, 2), st.integers(0, 9)), min_size=1, max_size=2),
    st.sampled_from(["paired_t", "signed_rank"]),
)
@settings(max_examples=80, deadline=None)
def test_no_fill_between_the_two_gives_a_larger_p(observed, ends, test):
    # Per-patient ends come about through a scale: from 0 before to low and to low + width.
    n = len(observed) + len(ends)
    before = np.zeros(n)
    low, width = ends[0]
    after = [*observed, *[None] * len(ends)]
    try:
        bounds = worst_case(before, after, better="lower", worst=low + width, best=low, test=test)
    except ValueError:  # nothing varies
        return
    if bounds.pvalue_largest is None:
        return
    largest = -1.0
    for fill in itertools.product(np.linspace(low, low + width, 3 * width + 1), repeat=len(ends)):
        diff = [*observed, *fill]
        if test == "signed_rank":
            p = signed_rank(diff, zeros="pratt").pvalue
        else:
            p = paired_t(diff).pvalue if len(set(diff)) > 1 else 1.0 * (diff[0] == 0)
        largest = max(largest, p)
    assert largest <= bounds.pvalue_largest * (1 + 1e-9)
    assert bounds.pvalue_largest >= max(bounds.worst.pvalue, bounds.best.pvalue) * (1 - 1e-9)
    if bounds.pvalue_largest < 1:
        assert largest >= bounds.pvalue_largest * (1 - 1e-9)


def test_a_fill_between_two_ties_can_give_the_largest_p_of_the_signed_rank_test():
    # At 1 and at 2 the change of the missing patient ties with others; between them it does not. By hand: P of the
    # signed rank of (0, 1, 1, -2, x), zeros ranked, over all 2^4 signs: x = 1: 10/16, x = 1.5: 12/16, x = 2: 10/16.
    after = [0, 1, 1, -2, None]
    bounds = worst_case([0] * 5, after, better="lower", worst=2, best=1, test="signed_rank")
    assert bounds.worst.pvalue == bounds.best.pvalue == 0.625
    assert bounds.pvalue_largest == 0.75


def test_an_extreme_fill_in_the_right_direction_can_give_the_larger_p():
    # One patient who fell by 500 inflates the spread: why the largest P is told, not only two.
    bounds = worst_case(BEFORE, AFTER, better="lower", best=-500)
    assert bounds.best.pvalue > bounds.worst.pvalue
    assert bounds.pvalue_largest > bounds.best.pvalue  # one at -500, one at -1


def test_patients_with_their_own_ends_have_all_corners_tried_and_too_many_are_not():
    bounds = worst_case(
        BEFORE, AFTER, better="lower", worst="no change", best="attainable", scale=(0, 30)
    )
    corners = [paired_t([*CHANGES, a, b]).pvalue for a in (0, -9) for b in (0, -13)]
    assert bounds.pvalue_largest == pytest.approx(max(corners), rel=1e-12)
    many = np.arange(1.0, 17)
    after = [0.5, 1.0, 0.7, *[None] * 13]
    ends = {"worst": "no change", "best": "attainable", "scale": (0, 30)}
    assert worst_case(many, after, better="lower", **ends).pvalue_largest is None


# --- responders ----------------------------------------------------------------------------------


def test_missing_responses_count_as_failures_and_as_successes():
    shares = worst_case_share([True, True, True, False, None, NAN], rate=0.2)
    assert [(s.x, s.n) for s in (shares.complete, shares.worst, shares.best)] == [
        (3, 4),
        (3, 6),
        (5, 6),
    ]
    for share in (shares.complete, shares.worst, shares.best):
        interval = clopper_pearson(share.x, share.n)
        assert (share.lower, share.upper) == (interval.lower, interval.upper)
        tail = sum(
            math.comb(share.n, k) * 0.2**k * 0.8 ** (share.n - k)
            for k in range(share.x, share.n + 1)
        )
        assert share.pvalue == pytest.approx(tail, rel=1e-12)
        assert share.n_missing == 2
    assert shares.worst.assumption == "None of the 2 patients without an answer responded."
    assert worst_case_share([False], rate=0.2).worst.pvalue == 1.0
    nobody = worst_case_share([None, None])
    assert nobody.complete is None
    assert (nobody.worst.estimate, nobody.best.estimate) == (0.0, 1.0)
    assert nobody.worst.pvalue is None
    whole = worst_case_share([True, False])
    assert whole.complete.estimate == whole.worst.estimate == whole.best.estimate == 0.5


# --- missing at random ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nine", "fourteen"])
def test_the_limit_of_many_imputations_is_that_of_mice(name):
    mice = from_mice()[name]
    got = missing_at_random(mice["before"], mice["after"])
    expected = [float(mice[key][0]) for key in ("estimate", "within", "between")]
    off = np.abs(np.subtract([got.estimate, got.within, got.between], expected))
    assert np.all(off < 4 * mice["error"]), off / mice["error"]
    assert np.all(mice["error"] < 0.02 * np.abs(expected))


def test_the_estimate_is_that_of_the_regression_line():
    observed = np.array([value is not None for value in AFTER])
    x = np.array(BEFORE, float)
    y = np.array([value for value in AFTER if value is not None], float)
    slope, level = np.polyfit(x[observed], y, 1)
    filled = [*y, *(level + slope * x[~observed])]
    expected = np.mean(filled) - x.mean()
    got = missing_at_random(BEFORE, AFTER)
    assert got.estimate == pytest.approx(expected, rel=1e-12)
    shifted = missing_at_random(BEFORE, AFTER, delta=3)
    assert shifted.estimate == pytest.approx(expected + 3 * 2 / 9, rel=1e-12)
    assert shifted.between == got.between
    assert shifted.assumption == (
        "The 2 patients without follow-up changed as patients with the same value before did, plus "
        "3."
    )


def test_imputations_tend_to_the_limit_within_their_own_monte_carlo_error():
    for delta, reference in ((0.0, None), (2.0, None), (0.0, UNTREATED), (0.0, HISTORY)):
        drawn = multiple_imputation(
            BEFORE, AFTER, rng=RNG(7), imputations=40_000, delta=delta, reference=reference
        )
        limit = (
            missing_at_random(BEFORE, AFTER, delta=delta)
            if reference is None
            else reference_based(BEFORE, AFTER, reference)
        )
        assert abs(drawn.estimate - limit.estimate) < 4 * drawn.monte_carlo_error
        # Variances: their standard error is about 1% here, more under t tails.
        assert drawn.within == pytest.approx(limit.within, rel=0.04)
        assert drawn.between == pytest.approx(limit.between, rel=0.06)
        assert drawn.df == pytest.approx(limit.df, rel=0.03)
        assert drawn.fraction_missing == pytest.approx(limit.fraction_missing, rel=0.05)
        assert (drawn.imputations, limit.imputations, limit.monte_carlo_error) == (40_000, 0, 0.0)


def test_the_monte_carlo_error_is_the_spread_of_repeated_runs():
    rng = RNG(3)
    runs = [multiple_imputation(BEFORE, AFTER, rng=rng, imputations=20) for _ in range(400)]
    spread = np.std([run.estimate for run in runs], ddof=1)
    # The SD of 400 values has a relative standard error of 3.5%; tails of t make it about 5%.
    told = np.sqrt(np.mean([run.monte_carlo_error**2 for run in runs]))
    assert spread == pytest.approx(told, rel=0.2)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    first = multiple_imputation(BEFORE, AFTER, rng=RNG(1), imputations=10)
    assert multiple_imputation(BEFORE, AFTER, rng=RNG(1), imputations=10) == first
    assert multiple_imputation(BEFORE, AFTER, rng=RNG(2), imputations=10) != first


def test_rubins_rules_are_those_of_mice():
    pooled = {name: s for name, s in from_mice().items() if name.startswith("pool")}
    assert len(pooled) == 9
    for s in pooled.values():
        m, between, within = s["estimates"].size, float(s["between"][0]), float(s["within"][0])
        added = (1 + 1 / m) * between
        total = within + added
        assert total == pytest.approx(float(s["total"][0]), rel=1e-12)
        df = barnard_rubin_df(added, total, imputations=m, df_complete=float(s["n"][0]) - 1)
        assert df == pytest.approx(float(s["df"][0]), rel=1e-12)


def test_multiple_imputation_pools_by_these_rules():
    got = multiple_imputation(BEFORE, AFTER, rng=RNG(5), imputations=12)
    added = got.between * 13 / 12
    assert got.se**2 == pytest.approx(got.within + added, rel=1e-12)
    df = barnard_rubin_df(added, got.se**2, imputations=12, df_complete=8)
    assert got.df == pytest.approx(df, rel=1e-12)
    ratio = added / got.within
    assert got.fraction_missing == pytest.approx((ratio + 2 / (df + 3)) / (ratio + 1), rel=1e-12)
    assert got.monte_carlo_error == pytest.approx(math.sqrt(got.between / 12), rel=1e-12)


def test_p_and_interval_belong_together():
    for level in (0.8, 0.95):
        got = missing_at_random(BEFORE, AFTER, conf_level=level)
        # Moved so that its limit lies on zero, P is 1 - level: after is shifted by the limit.
        moved = [None if value is None else value - got.upper for value in AFTER]
        assert missing_at_random(BEFORE, moved).pvalue == pytest.approx(1 - level, rel=1e-9)


@given(st.floats(-50, 50), st.floats(0.01, 100), st.permutations(range(9)))
@settings(max_examples=40, deadline=None)
def test_shift_scale_and_order_change_nothing_but_the_unit(shift, scale, order):
    got = missing_at_random(BEFORE, AFTER)
    before = [BEFORE[i] * scale + shift for i in order]
    after = [None if AFTER[i] is None else AFTER[i] * scale + shift for i in order]
    moved = missing_at_random(before, after)
    assert moved.estimate == pytest.approx(got.estimate * scale, rel=1e-9)
    assert moved.pvalue == pytest.approx(got.pvalue, rel=1e-7)
    assert moved.df == pytest.approx(got.df, rel=1e-7)


def test_the_level_is_kept_under_missing_at_random_and_not_by_complete_cases():
    path = REFERENCE / "stats_missing_coverage.py"
    spec = importlib.util.spec_from_file_location("stats_missing_coverage", path)
    simulation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulation)
    trials = 2000
    row = simulation.rates(16, -1.0, RNG(11), trials)
    error = math.sqrt(0.05 * 0.95 / trials)
    assert row["missing at random"] < 0.05 + 3 * error
    assert row["missing at random"] > 0.02  # and not by never rejecting
    assert row["complete cases"] > 0.05 + 6 * error
    assert 0.3 < row["lost"] < 0.4


# --- tipping point -------------------------------------------------------------------------------


def test_the_tipping_point_is_where_p_crosses_alpha_and_nothing_nearer_does():
    found = tipping_point(BEFORE, AFTER, [-4, 0, 4, 8, 12])
    assert [row.delta for row in found.rows] == [-4, 0, 4, 8, 12]
    assert found.rows[1] == missing_at_random(BEFORE, AFTER)
    assert found.rows[3] == missing_at_random(BEFORE, AFTER, delta=8)
    p = missing_at_random(BEFORE, AFTER, delta=found.delta).pvalue
    assert p == pytest.approx(0.05, rel=1e-9)
    for delta in np.linspace(0, found.delta * 0.999, 200):
        assert missing_at_random(BEFORE, AFTER, delta=delta).pvalue < 0.05
    assert missing_at_random(BEFORE, AFTER, delta=found.delta * 1.001).pvalue > 0.05
    assert found.alpha == pytest.approx(0.05)
    assert found.expected == pytest.approx(
        (missing_at_random(BEFORE, AFTER).estimate * 9 - sum(CHANGES)) / 2, rel=1e-12
    )


def test_the_tipping_point_is_told_in_words():
    found = tipping_point(BEFORE, AFTER)
    assert found.words == (
        "Under missing at random the mean change is -4.74 and P is 0.0027, at most 0.05. P rises "
        "above that once the 2 patients without follow-up are taken to have changed by +2.17 on "
        "average instead of the -3.82 predicted (delta +5.99)."
    )
    assert len(found.rows) == 9
    assert found.rows[4].delta == 0.0
    assert found.rows[8].delta == pytest.approx(2 * paired_t(CHANGES).sd)
    assert found.assumption == (
        "The 2 patients without follow-up changed by delta more than the regression of after on "
        "before predicts from the others."
    )


def test_the_mirror_image_tips_at_the_mirrored_delta():
    mirrored = [None if a is None else 2 * b - a for a, b in zip(AFTER, BEFORE, strict=True)]
    found, other = tipping_point(BEFORE, AFTER), tipping_point(BEFORE, mirrored)
    assert other.delta == pytest.approx(-found.delta, rel=1e-9)


def test_without_significance_a_delta_is_sought_that_brings_it_within_the_grid():
    before = [12, 10, 16, 8, 14, 11, 9, 13, 20]
    after = [13, 8, 15, 9, 13, 12, None, None, 17]
    assert missing_at_random(before, after).pvalue > 0.05
    none = tipping_point(before, after, [-1, 0, 1])
    assert none.delta is None
    assert none.words.endswith("no delta within the grid brings P down to that.")
    assert tipping_point(before, after, [0, 1, 2]).delta is None
    weaker = tipping_point(before, after, [-20, 0], conf_level=0.6)
    assert weaker.delta < 0
    p = missing_at_random(before, after, delta=weaker.delta, conf_level=0.6).pvalue
    assert p == pytest.approx(0.4, rel=1e-9)
    assert "P falls to that once the 2 patients" in weaker.words


# --- reference-based -----------------------------------------------------------------------------


def test_copied_increments_are_the_mean_of_observed_and_reference_changes():
    got = reference_based(BEFORE, AFTER, UNTREATED)
    assert got.estimate == pytest.approx((sum(CHANGES) + 2 * -1) / 9, rel=1e-14)
    assert got.between == pytest.approx(2 * 9 / 81, rel=1e-14)
    # The expected variance of the completed changes, from its definition over independent draws.
    centre = np.array([*CHANGES, -1, -1], float)
    spread = np.diag([0.0] * 7 + [9.0] * 2)
    middle = np.eye(9) - 1 / 9
    expected = (centre @ middle @ centre + np.trace(middle @ spread)) / 8 / 9
    assert got.within == pytest.approx(expected, rel=1e-13)
    assert got.method == "copy increments"
    assert got.assumption == (
        "The 2 patients without follow-up changed from their own value before as untreated patients "
        "do: by -1 on average (SD 3)."
    )
    uncertain = reference_based(BEFORE, AFTER, ReferenceChange(mean=-1, sd=3, se=0.5))
    assert uncertain.between == pytest.approx((2 * 9 + 4 * 0.25) / 81, rel=1e-14)


def test_jump_to_reference_regresses_to_the_untreated_mean():
    got = reference_based(BEFORE, AFTER, HISTORY)
    untreated = [8 + 0.64 * (x - 8) - x for x in (9, 13)]
    assert got.estimate == pytest.approx((sum(CHANGES) + sum(untreated)) / 9, rel=1e-14)
    noise = 25 * (1 - 0.64**2)
    assert got.between == pytest.approx(2 * noise / 81, rel=1e-13)
    assert got.method == "jump to reference"
    unsure = NaturalHistory(mean=8, sd=5, rho=0.64, mean_se=0.7, rho_se=0.1, covariance=0.02)
    gradient = np.array([2 * 0.36, (9 - 8) + (13 - 8)])
    errors = np.array([[0.49, 0.02], [0.02, 0.01]])
    expected = (2 * noise + gradient @ errors @ gradient) / 81
    assert reference_based(BEFORE, AFTER, unsure).between == pytest.approx(expected, rel=1e-13)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: complete_cases([1, 2], [None, NAN]), "after: found 0 of 2 patients with a follow"),
        (lambda: complete_cases([1, 2], [None, 3]), "found 1 of 2 patients .* expected at least 2"),
        (lambda: complete_cases([], []), "after: found 0 of 0 patients"),
        (lambda: complete_cases([1, 2, 3], [1, 2]), "before, after: found 3 and 2 values"),
        (lambda: complete_cases([1, None], [1, 2]), r"before\[1\]: nan is not a finite number"),
        (lambda: complete_cases([1, 2], [1, math.inf]), r"after\[1\]: inf is not a finite number"),
        (lambda: complete_cases([1, 2, 3], [2, 3, None]), "diff: all 2 differences are 1"),
        (lambda: complete_cases([1, 2], [3, 9], test="z"), "test: 'z' is not known"),
        (lambda: complete_cases([1, 2], [3, 9], conf_level=95), "conf_level: found 95"),
        (
            lambda: worst_case([1, 2], [None, None], better="lower", worst=1, best=0),
            "after: found 0 of 2 patients",
        ),
        (lambda: worst_case([1, 2], [0, None], better="less"), "better: 'less' is not known"),
        (
            lambda: worst_case([1, 2], [0, None], better="lower", worst="locf"),
            "worst: 'locf' is not known; expected one of observed, no change, attainable",
        ),
        (
            lambda: worst_case([1, 2], [0, None], better="lower", best="attainable"),
            "scale: found none; 'attainable' needs",
        ),
        (
            lambda: worst_case([1, 9], [0, None], better="lower", worst="attainable", scale=(0, 8)),
            "scale: found a value before of 9 outside 0 to 8",
        ),
        (
            lambda: worst_case([1, 2], [0, None], better="lower", worst=-2, best=0),
            r"best change of a missing patient \(0\) is worse than the worst \(-2\)",
        ),
        (lambda: worst_case([1, 2], [0, None], better="lower", worst=NAN), r"worst\[0\]: nan"),
        (lambda: worst_case([1, 2], [0, None], better="lower"), "diff: all 2 differences are -1"),
        (lambda: worst_case_share([]), "response: found no patient"),
        (lambda: worst_case_share([True, 1]), r"response\[1\]: found 1; expected True, False"),
        (lambda: worst_case_share([True], rate=1), "rate: found 1; expected a share above 0"),
        (
            lambda: missing_at_random([1, 2, 3, 4, 5], [1, 2, 2, 5, None]),
            "after: found 4 of 5 patients .* expected at least 5: with fewer, what the regression",
        ),
        (
            lambda: multiple_imputation([1, 2, 3], [1, 2, None], rng=RNG(1)),
            "after: found 2 of 3 patients .* expected at least 5",
        ),
        (
            lambda: missing_at_random([3] * 6, [1, 2, 2, 5, 4, None]),
            "before: all 5 patients with a follow-up value started from 3",
        ),
        (
            lambda: missing_at_random([1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, None]),
            "neither the observed nor the imputed changes vary",
        ),
        (lambda: missing_at_random(BEFORE, AFTER, delta=NAN), r"delta\[0\]: nan"),
        (lambda: tipping_point(BEFORE, AFTER, [0, NAN]), r"deltas\[1\]: nan"),
        (lambda: tipping_point([1], [None]), "after: found 0 of 1 patients"),
        (lambda: reference_based(BEFORE, AFTER, (-1, 3)), "reference: found tuple; expected a Ref"),
        (
            lambda: reference_based([1, 2], [1, None], UNTREATED),
            "found 1 of 2 patients .* expected at least 2",
        ),
        (lambda: ReferenceChange(mean=NAN, sd=1), "mean: found nan"),
        (lambda: ReferenceChange(mean=0, sd=0), "sd: found 0"),
        (lambda: ReferenceChange(mean=0, sd=1, se=-1), "se: found -1"),
        (
            lambda: multiple_imputation(BEFORE, AFTER, rng=RNG(1), imputations=1),
            "imputations: found 1; expected a whole number",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_one_observed_patient_is_enough_for_bounds():
    after = [3, None, None]
    bounds = worst_case([5, 6, 7], after, better="lower", worst="no change", best=-5)
    assert_is_paired_t(bounds.worst, [-2, 0, 0])
    ranked = worst_case([5, 6], [3, None], better="lower", test="signed_rank")
    assert ranked.worst.pvalue == 0.5


def test_every_result_states_its_assumption_in_one_sentence():
    results = [
        complete_cases(BEFORE, AFTER),
        worst_case(BEFORE, AFTER, better="lower"),
        worst_case(BEFORE, AFTER, better="lower").worst,
        worst_case_share([True, None]),
        missing_at_random(BEFORE, AFTER),
        tipping_point(BEFORE, AFTER),
        reference_based(BEFORE, AFTER, UNTREATED),
        reference_based(BEFORE, AFTER, HISTORY),
        multiple_imputation(BEFORE, AFTER, rng=RNG(1), delta=1, imputations=5),
        multiple_imputation(BEFORE, AFTER, rng=RNG(1), delta=1, reference=HISTORY, imputations=5),
    ]
    for result in results:
        assert result.assumption.endswith(".")
        assert ". " not in result.assumption
    assert {field.name for field in fields(MissingResult)} >= {"method", "assumption", "pvalue"}
