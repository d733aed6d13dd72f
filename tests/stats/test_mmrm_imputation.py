"""Missing visits: R's mice, exact limits of the draws, the posterior by quadrature, complete data."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from onearm.stats import mmrm_fit, paired_t
from onearm.stats.missing import missing_at_random
from onearm.stats.repeated_measures.batch import mmrm_batch
from onearm.stats.repeated_measures.imputation import impute_visits, imputed_changes
from onearm.stats.repeated_measures.imputed import ReferenceCourse
from onearm.stats.repeated_measures.sequential import longest_memory
from onearm.stats.repeated_measures.tipping import visit_tipping_point

REFERENCE = Path(__file__).parents[1] / "reference" / "stats_mmrm_imputation.csv"
RNG = np.random.default_rng
NAN = float("nan")
# Constructed: nine patients, three visits after the baseline.
COMPLETE = np.array(
    [
        [14.0, 11.0, 10.0, 7.0],
        [9.0, 9.0, 6.0, 7.0],
        [16.0, 10.0, 8.0, 9.0],
        [12.0, 12.0, 9.0, 4.0],
        [18.0, 13.0, 14.0, 12.0],
        [11.0, 6.0, 7.0, 8.0],
        [13.0, 11.0, 6.0, 6.0],
        [15.0, 15.0, 12.0, 9.0],
        [10.0, 8.0, 9.0, 5.0],
    ]
)
# Patients 2 and 7 leave after visit 1 and visit 0.
LEFT = COMPLETE.copy()
LEFT[2, 2:] = LEFT[7, 1:] = NAN
# Fifteen patients, who leave after any visit.
FIFTEEN = np.vstack([COMPLETE, COMPLETE[:6] + np.array([1.5, -0.5, 2.0, 1.0])])
FIFTEEN[1, 1:] = FIFTEEN[4, 2:] = FIFTEEN[9, 3:] = FIFTEEN[12, 3:] = NAN
AGE = np.array([31.0, 44, 27, 52, 38, 29, 61, 35, 47, 33, 40, 25, 36, 58, 41])[:, None]
UNTREATED = ReferenceCourse(change=(-1.0, -1.5, -0.5))
EVERY = [
    "missing at random",
    "jump to baseline",
    "copy increments",
    "jump to reference",
    "last mean",
]


def reference_of(assumption):
    return UNTREATED if "reference" in assumption or "increments" in assumption else None


def from_mice():
    sets = {}
    with REFERENCE.open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            numbers = np.array([float(word.replace("NA", "nan")) for word in row["value"].split()])
            sets.setdefault(row["set"], {})[row["quantity"]] = numbers
    return sets


def limit(y, assumption, covariates=None, memory=None):
    """Mean changes that infinitely many imputations of a monotone table tend to.

    The parameters of different regressions are independent in the posterior, with the least-squares
    estimates as means, and a value drawn is linear in those of each regression: its expectation is
    what the estimates give.
    """
    n, m = y.shape
    design = np.ones((n, 1))
    if covariates is not None:
        design = np.hstack([design, covariates - covariates.mean(axis=0)])
    q = design.shape[1]
    done, mean = y.copy(), np.empty((n, m))
    course = np.array([0.0, *UNTREATED.change])
    for j in range(m):
        back = range(0 if memory is None else max(0, j - memory), j)
        is_seen = ~np.isnan(y[:, j])
        x = np.hstack([design, y[:, back]])[is_seen]
        found = np.linalg.lstsq(x, y[is_seen, j], rcond=None)[0]
        mean[:, j] = np.hstack([design, mean[:, back]]) @ found
        for i in np.flatnonzero(~is_seen):
            last = np.flatnonzero(~np.isnan(y[i]))[-1]
            target = {
                "missing at random": lambda k, i=i, last=last: mean[i, k],
                "jump to baseline": lambda k, i=i, last=last: mean[i, 0],
                "copy increments": lambda k, i=i, last=last: (
                    mean[i, last] + course[k] - course[last]
                ),
                "jump to reference": lambda k, i=i, last=last: mean[i, 0] + course[k],
                "last mean": lambda k, i=i, last=last: mean[i, last],
            }[assumption]
            pattern = [mean[i, k] if k <= last else target(k) for k in range(m)]
            done[i, j] = pattern[j] + sum(
                slope * (done[i, k] - pattern[k]) for slope, k in zip(found[q:], back, strict=True)
            )
    return (done[:, 1:] - done[:, :1]).mean(axis=0)


# --- nobody missing ------------------------------------------------------------------------------


def test_with_nobody_missing_each_visit_is_the_paired_t_test_whatever_is_assumed():
    for assumption in EVERY:
        found = imputed_changes(
            COMPLETE, rng=RNG(1), after_dropout=assumption, reference=reference_of(assumption)
        )
        assert (found.method, found.imputations) == ("complete data", 0)
        assert (found.assumption, found.imputations) == (
            "Nobody is missing, so nothing is assumed.",
            0,
        )
        for at, visit in enumerate(found.visits, start=1):
            t = paired_t(COMPLETE[:, at] - COMPLETE[:, 0])
            got = [visit.estimate, visit.lower, visit.upper, visit.pvalue, visit.df]
            assert got == pytest.approx([t.estimate, t.lower, t.upper, t.pvalue, t.df], rel=1e-12)
            assert (visit.between, visit.fraction_missing, visit.monte_carlo_error) == (0, 0, 0)


def long(y, covariates=None):
    """The mixed model's arrays: a mean, and an effect of each centred covariate, at each visit."""
    n, m = y.shape
    parts = [np.ones((n, 1))]
    if covariates is not None:
        parts.append(covariates - covariates.mean(axis=0))
    x = np.stack([np.kron(row, np.eye(m)) for row in np.hstack(parts)])
    return y, x.reshape(n, m, -1)


def fit_long(y, covariates=None, **options):
    values, x = long(y, covariates)
    n, m = y.shape
    return mmrm_fit(
        values.ravel(),
        x.reshape(n * m, -1),
        np.repeat(np.arange(n), m),
        np.tile(np.arange(m), n),
        compiled=False,
        **options,
    )


def changes_of(p, m):
    rows = np.zeros((m - 1, p))
    rows[:, 0] = -1
    rows[np.arange(m - 1), np.arange(1, m)] = 1
    return rows


def test_with_nobody_missing_and_a_covariate_it_is_the_unstructured_mixed_model():
    y = np.vstack([COMPLETE, COMPLETE[:6] * [1.0, 0.9, 1.2, 1.1] + 1])
    fit = fit_long(y, AGE)
    found = imputed_changes(y, rng=RNG(1), covariates=AGE)
    for row, visit in zip(changes_of(8, 4), found.visits, strict=True):
        one = fit.contrast(row)
        got = [visit.estimate, visit.se, visit.df, visit.pvalue]
        assert got == pytest.approx([one.estimate, one.se, one.df, one.p], rel=1e-8)


def test_a_visit_that_everybody_reached_keeps_its_paired_t_test():
    y = COMPLETE.copy()
    y[2, 3] = NAN
    first = imputed_changes(y, rng=RNG(1), imputations=20).visits[0]
    t = paired_t(y[:, 1] - y[:, 0])
    assert [first.pvalue, first.df] == pytest.approx([t.pvalue, 8], rel=1e-12)


# --- exact limits of the draws -------------------------------------------------------------------


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("covariates", [None, AGE], ids=["means", "covariate"])
@pytest.mark.parametrize("assumption", EVERY)
def test_estimates_tend_to_what_the_least_squares_regressions_give(assumption, covariates, memory):
    found = imputed_changes(
        FIFTEEN,
        rng=RNG(7),
        imputations=10_000,
        covariates=covariates,
        after_dropout=assumption,
        reference=reference_of(assumption),
        memory=memory,
    )
    expected = limit(FIFTEEN, assumption, covariates, memory)
    for visit, value in zip(found.visits, expected, strict=True):
        assert abs(visit.estimate - value) < 4 * visit.monte_carlo_error


@pytest.mark.parametrize("covariates", [None, AGE], ids=["means", "covariate"])
def test_after_dropout_at_random_the_limit_is_the_unstructured_mixed_model(covariates):
    expected = limit(FIFTEEN, "missing at random", covariates)
    rows = changes_of(4 if covariates is None else 8, 4)
    for options in ({}, {"reml": False, "df": "residual"}):
        fit = fit_long(FIFTEEN, covariates, **options)
        assert rows @ fit.coef == pytest.approx(expected, rel=1e-7)


def test_with_one_visit_after_the_baseline_it_is_the_imputation_of_pairs():
    before, after = LEFT[:, 0], LEFT[:, 3]
    exact = missing_at_random(before, after)
    found = imputed_changes(np.column_stack([before, after]), rng=RNG(3), imputations=100_000)
    visit = found.visits[0]
    assert abs(visit.estimate - exact.estimate) < 4 * visit.monte_carlo_error
    assert [visit.within, visit.between, visit.df, visit.pvalue] == pytest.approx(
        [exact.within, exact.between, exact.df, exact.pvalue], rel=0.02
    )


def test_with_one_visit_a_jump_to_baseline_takes_the_missing_to_the_mean_before():
    # Those who left have, on average, the mean before plus the slope times how far they were from it.
    before, after = LEFT[:, 0], LEFT[:, 1]
    gone = np.isnan(after)
    slope = np.polyfit(before[~gone], after[~gone], 1)[0]
    drawn = before.mean() + slope * (before[gone] - before.mean())
    expected = np.concatenate([after[~gone] - before[~gone], drawn - before[gone]]).mean()
    pair = np.column_stack([before, after])
    assert limit(pair, "jump to baseline") == pytest.approx([expected], rel=1e-12)
    found = imputed_changes(pair, rng=RNG(3), imputations=50_000, after_dropout="jump to baseline")
    assert abs(found.visits[0].estimate - expected) < 4 * found.visits[0].monte_carlo_error


@pytest.mark.slow
def test_the_standard_errors_of_the_course_enter_the_variance_between_imputations():
    # An error e of the course moves the estimate by e times the share who left before that visit;
    # copied increments by the difference of the errors at that visit and at the last visit seen.
    y = COMPLETE.copy()
    y[[0, 3], 2:] = NAN
    se = (0.8, 1.2, 2.0)
    for correlation in (0.0, 0.5, 1.0):
        uncertain = ReferenceCourse(change=UNTREATED.change, se=se, correlation=correlation)
        for assumption in ("jump to reference", "copy increments"):
            known, drawn = (
                imputed_changes(
                    y, rng=RNG(5), imputations=20_000, after_dropout=assumption, reference=course
                ).visits
                for course in (UNTREATED, uncertain)
            )
            for at in (1, 2):
                added = se[at] ** 2
                if assumption == "copy increments":
                    added += se[0] ** 2 - 2 * correlation * se[0] * se[at]
                expected = known[at].between + (2 / 9) ** 2 * added
                assert drawn[at].between == pytest.approx(expected, rel=0.05)


# --- delta ---------------------------------------------------------------------------------------


def test_delta_moves_each_estimate_by_delta_times_the_share_who_left():
    plain = imputed_changes(LEFT, rng=RNG(1), imputations=50)
    moved = imputed_changes(LEFT, rng=RNG(1), imputations=50, delta=3)
    for visit, other, share in zip(plain.visits, moved.visits, (1 / 9, 2 / 9, 2 / 9), strict=True):
        assert other.estimate - visit.estimate == pytest.approx(3 * share, rel=1e-10)
        assert other.between == pytest.approx(visit.between, rel=1e-10)
    assert moved.assumption == (
        "The 2 patients who left went on as patients with the same values until then did, plus 3 at each "
        "visit missed."
    )


def test_accumulating_deltas_add_up_from_the_first_visit_missed():
    plain, moved = (
        impute_visits(LEFT, rng=RNG(1), imputations=3, delta=delta, accumulate=True)
        for delta in (0, [0, 1, 2, 4])
    )
    added = np.zeros((9, 4))
    added[2] = [0, 0, 2, 6]
    added[7] = [0, 1, 3, 7]
    assert moved - plain == pytest.approx(np.broadcast_to(added, (3, 9, 4)), abs=1e-12)


def test_delta_leaves_values_missing_in_between_alone():
    y = LEFT.copy()
    y[4, 1] = NAN
    plain, moved = (impute_visits(y, rng=RNG(1), imputations=3, delta=delta) for delta in (0, 9))
    assert np.array_equal(plain[:, 4], moved[:, 4])


def test_values_missing_in_between_are_the_same_under_every_assumption():
    y = LEFT.copy()
    y[4, 1] = NAN
    drawn = [
        impute_visits(
            y, rng=RNG(1), imputations=3, after_dropout=each, reference=reference_of(each)
        )
        for each in EVERY
    ]
    for other in drawn[1:]:
        assert np.array_equal(drawn[0][:, 4], other[:, 4])
        assert not np.array_equal(drawn[0][:, 2], other[:, 2])


# --- the posterior -------------------------------------------------------------------------------


def test_one_value_missing_in_between_is_drawn_from_a_t_distribution():
    # Jeffreys' prior makes |S|^(-(n - 1)/2) the density of the value; as a function of it, |S| is the
    # residual sum of squares of that visit on all others: t with n - 2 df around their regression.
    y = COMPLETE.copy()
    y[4, 1] = NAN
    seen = np.delete(np.arange(9), 4)
    x = np.column_stack([np.ones(9), y[:, [0, 2, 3]]])
    slopes, rest, _, _ = np.linalg.lstsq(x[seen], y[seen, 1], rcond=None)
    spread = math.sqrt(rest[0] / 7 * (1 + x[4] @ np.linalg.inv(x[seen].T @ x[seen]) @ x[4]))
    drawn = (impute_visits(y, rng=RNG(2), imputations=4000)[:, 4, 1] - x[4] @ slopes) / spread
    for point, share in (
        (1.895, 0.95),
        (0.711, 0.75),
        (0.0, 0.5),
        (-2.365, 0.025),
    ):  # t tables, 7 df
        assert abs(np.mean(drawn <= point) - share) < 4 * math.sqrt(share * (1 - share) / 4000)


@pytest.mark.slow
def test_a_value_missing_in_between_is_drawn_from_its_posterior_where_others_left():
    # Regressing each visit on those before turns Jeffreys' prior into one for each residual variance,
    # sigma_k^(-(m + 1) + 2 (m - 1 - k)); integrated over the posterior, each regression leaves the
    # factor RSS^(-df/2) |X'X|^(-1/2): as a function of the value, that is its density.
    y = LEFT[:, :3].copy()
    y[4, 1] = NAN
    grid = np.linspace(-60, 90, 30_001)
    log_density = np.zeros(grid.size)
    table = np.broadcast_to(y, (grid.size, 9, 3)).copy()
    table[:, 4, 1] = grid
    for visit in range(3):
        stay = ~np.isnan(y[:, visit]) | (np.arange(9) == 4)
        x = np.concatenate([np.ones((grid.size, 9, 1)), table[:, :, :visit]], axis=2)[:, stay]
        column = table[:, stay, visit, None]
        squares = np.matmul(x.swapaxes(1, 2), x)
        slopes = np.linalg.solve(squares, np.matmul(x.swapaxes(1, 2), column))
        rest = np.sum((column - np.matmul(x, slopes)) ** 2, axis=(1, 2))
        power = -(3 + 1) + 2 * (3 - 1 - visit)  # of sigma, in the prior
        df = stay.sum() - x.shape[2] - power - 2
        log_density += -df / 2 * np.log(rest) - np.linalg.slogdet(squares)[1] / 2
    density = np.exp(log_density - log_density.max())
    chance = np.cumsum(density) / density.sum()
    drawn = impute_visits(y, rng=RNG(11), imputations=4000)[:, 4, 1]
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        below = np.mean(drawn <= grid[np.searchsorted(chance, share)])
        assert abs(below - share) < 4 * math.sqrt(share * (1 - share) / 4000)


@pytest.mark.slow
def test_with_gaps_too_estimates_come_near_the_mixed_model():
    # No longer the same: a posterior mean is not the most likely value; in 60 patients they are close.
    rng = RNG(60)
    y = rng.multivariate_normal(
        [10, 8, 7, 7], 4 * 0.6 ** np.abs(np.subtract.outer(range(4), range(4))), 60
    )
    y[rng.random(y.shape) < 0.1] = NAN
    y[3:9, 2:] = NAN
    fit = fit_long(y)
    found = imputed_changes(y, rng=RNG(1), imputations=1000)
    for row, visit in zip(changes_of(4, 4), found.visits, strict=True):
        one = fit.contrast(row)
        assert abs(visit.estimate - one.estimate) < 0.02 * one.se + 4 * visit.monte_carlo_error
        assert visit.se == pytest.approx(one.se, rel=0.05)


def test_the_draws_of_those_who_left_predict_as_a_t_distribution():
    # One patient lacks the last visit: given the others, the value has Student's t with n - p df.
    y = COMPLETE.copy()
    y[5, 3] = NAN
    seen = np.delete(np.arange(9), 5)
    x = np.column_stack([np.ones(9), y[:, :3]])
    slopes, rest, _, _ = np.linalg.lstsq(x[seen], y[seen, 3], rcond=None)
    spread = math.sqrt(rest[0] / 4 * (1 + x[5] @ np.linalg.inv(x[seen].T @ x[seen]) @ x[5]))
    drawn = (impute_visits(y, rng=RNG(2), imputations=20_000)[:, 5, 3] - x[5] @ slopes) / spread
    for point, share in (
        (2.132, 0.95),
        (0.741, 0.75),
        (0.0, 0.5),
        (-2.776, 0.025),
    ):  # t tables, 4 df
        assert abs(np.mean(drawn <= point) - share) < 4 * math.sqrt(share * (1 - share) / 20_000)


@pytest.mark.parametrize("name", ["nine", "fifteen", "covariate"])
def test_dropout_under_missing_at_random_is_imputed_as_r_mice_does(name):
    data = from_mice()[name]
    visits = sum(key.startswith("visit") for key in data)
    y = np.column_stack([data[f"visit{at}"] for at in range(visits)])
    covariates = data["covariate"][:, None] if "covariate" in data else None
    found = imputed_changes(y, rng=RNG(20181230), imputations=20_000, covariates=covariates)
    for at, visit in enumerate(found.visits, start=1):
        estimate, within, between, df, fraction = data[f"pooled{at}"]
        errors = data[f"error{at}"]
        for got, value, error in zip(
            (visit.estimate, visit.within, visit.between),
            (estimate, within, between),
            errors,
            strict=True,
        ):
            assert abs(got - value) <= 4 * math.sqrt(2) * error + 1e-12
        if between > 0:
            assert [visit.df, visit.fraction_missing] == pytest.approx([df, fraction], rel=0.05)


def test_draws_follow_the_unit_and_the_origin_of_the_measure():
    y = LEFT.copy()
    y[4, 1] = NAN
    plain = impute_visits(y, rng=RNG(1), imputations=20)
    moved = impute_visits(1e-9 * y + np.array([5, 0, 1, 2]) * 1e-6, rng=RNG(1), imputations=20)
    assert moved == pytest.approx(1e-9 * plain + np.array([5, 0, 1, 2]) * 1e-6, rel=1e-7)


def test_one_state_of_the_generator_gives_one_answer_and_seen_values_stay():
    drawn, again = (impute_visits(LEFT, rng=RNG(4), imputations=6) for _ in range(2))
    assert np.array_equal(drawn, again)
    assert np.array_equal(drawn[:, ~np.isnan(LEFT)], np.tile(LEFT[~np.isnan(LEFT)], (6, 1)))


def test_draws_in_parts_have_the_same_distribution(monkeypatch):
    monkeypatch.setattr("onearm.stats.repeated_measures.imputation.TOGETHER", 36 * 3000)
    found = imputed_changes(LEFT, rng=RNG(4), imputations=10_000)
    for visit, value in zip(found.visits, limit(LEFT, "missing at random"), strict=True):
        assert abs(visit.estimate - value) < 4 * visit.monte_carlo_error


# --- analysis of one's own -----------------------------------------------------------------------


def test_another_analysis_of_the_completed_data_can_be_given():
    x = np.broadcast_to(np.eye(4), (9, 4, 4))

    def model(completed):
        fits = mmrm_batch(completed, x, contrasts=changes_of(4, 4), compiled=False)
        return fits.estimate, fits.se**2, fits.df

    plain = imputed_changes(LEFT, rng=RNG(1), imputations=10)
    other = imputed_changes(LEFT, rng=RNG(1), imputations=10, analyse=model)
    for visit, same in zip(plain.visits, other.visits, strict=True):
        assert [same.estimate, same.se, same.df] == pytest.approx(
            [visit.estimate, visit.se, visit.df], rel=1e-6
        )


def test_an_analysis_without_an_answer_is_not_passed_over():
    def fails(completed):
        estimate = completed[:, :, 1].mean(axis=1, keepdims=True)
        estimate[0] = NAN
        return estimate, np.ones_like(estimate), 8.0

    with pytest.raises(
        ValueError, match="analyse: no estimate, variance or degrees of freedom in 1 of 5"
    ):
        imputed_changes(LEFT, rng=RNG(1), imputations=5, analyse=fails)
    with pytest.raises(ValueError, match=r"analyse: found estimates of shape \(5,\)"):
        imputed_changes(
            LEFT, rng=RNG(1), imputations=5, analyse=lambda c: (c[:, 0, 1], c[:, 0, 1], 8)
        )


# --- tipping point -------------------------------------------------------------------------------


def test_at_the_tipping_delta_p_is_alpha():
    found = visit_tipping_point(LEFT, rng=RNG(9), imputations=200, deltas=[0, 5])
    moved = imputed_changes(LEFT, rng=RNG(9), imputations=200, delta=found.delta)
    assert moved.visits[-1].pvalue == pytest.approx(0.05, rel=1e-9)
    for row, delta in zip(found.rows, (0, 5), strict=True):
        same = imputed_changes(LEFT, rng=RNG(9), imputations=200, delta=delta).visits[-1]
        assert [row.estimate, row.se, row.df, row.pvalue] == pytest.approx(
            [same.estimate, same.se, same.df, same.pvalue], rel=1e-9
        )
    assert "once the 2 patients who had left are taken to have changed by" in found.words


def test_accumulating_deltas_tip_too_and_each_visit_can_be_judged():
    options = {"imputations": 100, "accumulate": True, "covariates": AGE}
    names = ["M0", "M1", "M3", "M6"]
    found = visit_tipping_point(FIFTEEN, rng=RNG(9), visit="M3", visits=names, **options)
    moved = imputed_changes(FIFTEEN, rng=RNG(9), delta=found.delta, visits=names, **options)
    assert moved.visits[1].visit == found.visit == "M3"
    assert moved.visits[1].pvalue == pytest.approx(0.05, rel=1e-9)


def test_without_significance_a_delta_is_sought_that_makes_it_so_within_the_grid():
    y = LEFT.copy()
    y[:, 3] += 1.5
    start = imputed_changes(y, rng=RNG(9), imputations=200).visits[-1]
    assert (start.pvalue > 0.05, start.estimate < 0) == (True, True)
    found = visit_tipping_point(y, rng=RNG(9), imputations=200)
    moved = imputed_changes(y, rng=RNG(9), imputations=200, delta=found.delta).visits[-1]
    assert found.delta < 0
    assert moved.pvalue == pytest.approx(0.05, rel=1e-9)
    assert "P falls to that once" in found.words
    none = visit_tipping_point(y, rng=RNG(9), imputations=200, deltas=[0.0, -0.5, 5.0])
    assert none.delta is None
    assert none.words.endswith("no delta within the grid brings P down to that.")


def test_where_nobody_had_left_there_is_nothing_to_tip():
    y = COMPLETE.copy()
    y[2, 3] = NAN
    for data, visit in ((COMPLETE, None), (y, 1)):
        found = visit_tipping_point(data, rng=RNG(9), imputations=20, visit=visit)
        assert (found.delta, found.expected) == (None, None)
        assert found.words == "Nobody had left by this visit: there is nothing to tip."


# --- words and faults ----------------------------------------------------------------------------


def test_each_assumption_is_said_in_words():
    y = LEFT.copy()
    y[4, 1] = NAN
    between = (
        " The 1 value missing in between is as that of patients with the same values at the other "
        "visits (missing at random)."
    )
    said = {
        "missing at random": "went on as patients with the same values until then did",
        "jump to baseline": "went back, on average, to the mean at baseline",
        "copy increments": "kept what they had gained, on average, and then moved as the untreated do "
        "(changes from baseline: -1, -1.5, -0.5)",
        "jump to reference": "were, on average, where the mean at baseline and the untreated changes "
        "from it lead (-1, -1.5, -0.5)",
        "last mean": "stayed, on average, at the mean of the visit at which they were last seen",
    }
    for assumption, words in said.items():
        found = imputed_changes(
            y,
            rng=RNG(1),
            imputations=2,
            after_dropout=assumption,
            reference=reference_of(assumption),
        )
        assert found.assumption == f"The 2 patients who left {words}.{between}"
        assert (found.method, found.n, found.n_left, found.n_between) == (assumption, 9, 2, 1)
        assert [visit.n_missing for visit in found.visits] == [2, 2, 2]


def test_seven_patients_at_the_last_of_four_visits_are_enough_and_six_are_not():
    assert imputed_changes(LEFT, rng=RNG(1), imputations=2).memory == 3
    y = LEFT.copy()
    y[0, 3] = NAN
    assert longest_memory(LEFT) == 3
    assert longest_memory(y) == 2
    with pytest.raises(
        ValueError, match=r"found 6 patients to predict visit 3 from; expected at least 7.*memory=2"
    ):
        imputed_changes(y, rng=RNG(1))
    assert imputed_changes(y, rng=RNG(1), imputations=2, memory=2).memory == 2
    assert longest_memory(LEFT[:3, :2]) == 0
    with pytest.raises(ValueError, match="leave the visit or covariates out"):
        imputed_changes(LEFT[[0, 1, 2, 7]], rng=RNG(1))


def test_gaps_before_the_last_visit_leave_too_few_for_a_posterior():
    y = COMPLETE.copy()
    y[:5, 1] = NAN
    with pytest.raises(
        ValueError, match="found 4 patients to predict visit 1 from; expected at least 5"
    ):
        imputed_changes(y, rng=RNG(1))
    y = np.vstack([COMPLETE, COMPLETE + 1])
    y[:8, 1] = y[8:15, 2] = NAN
    with pytest.raises(
        ValueError, match="found 3 patients to predict visit 2 from; expected at least 4"
    ):
        imputed_changes(y, rng=RNG(1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": LEFT[:, :1]}, "y: found 1 visit"),
        ({"y": LEFT[0]}, r"y: found an array of shape \(4,\)"),
        (
            {"y": np.where(np.arange(9)[:, None] == 3, NAN, LEFT)},
            r"y\[3\]: found no value at any visit",
        ),
        ({"y": np.where(np.arange(4) == 2, NAN, LEFT)}, "y: found no value at visit 2"),
        ({"y": np.full((9, 4), 3.0)}, "the values of every visit are all the same"),
        ({"y": [["a", "b"]]}, "expected numbers"),
        ({"y": np.where(np.isnan(LEFT), math.inf, LEFT)}, "y: found numbers above"),
        ({"y": np.ma.masked_invalid(LEFT)}, "y: found a masked array"),
        ({"y": np.where(np.arange(4) == 2, 2 * LEFT[:, 1:2], LEFT)}, "do not vary by themselves"),
        ({"memory": 0}, "memory: found 0"),
        ({"visits": ["a", "b", "a", "c"]}, "expected 4 different names"),
        ({"covariates": np.ones((9, 1))}, "covariates: one is constant"),
        ({"covariates": np.ones((8, 1))}, "covariates: found 8 rows for 9 patients"),
        ({"covariates": np.full((9, 1), NAN)}, "9 values missing"),
        ({"after_dropout": "LOCF"}, "after_dropout: 'LOCF' is not known"),
        ({"after_dropout": "jump to reference"}, "reference: found none"),
        ({"reference": UNTREATED}, "reference: found one"),
        (
            {"after_dropout": "copy increments", "reference": ReferenceCourse((1, 2))},
            "reference.change: found 2 numbers; expected 3",
        ),
        ({"delta": [1, 2]}, "delta: found 2 numbers; expected one, or 4"),
        ({"delta": NAN}, "delta"),
        ({"imputations": 1}, "imputations: found 1"),
        ({"burn_in": 0}, "burn_in: found 0"),
        ({"conf_level": 1}, "conf_level: found 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(change, words):
    with pytest.raises(ValueError, match=words):
        imputed_changes(**{"y": LEFT, "rng": RNG(1), "imputations": 3, **change})


def test_changes_that_do_not_vary_have_no_test():
    y = COMPLETE.copy()
    y[:, 2] = y[:, 0] - 3
    with pytest.raises(ValueError, match="changes at visit 2 do not vary"):
        imputed_changes(y, rng=RNG(1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"change": (1, NAN)}, r"change\[1\]"),
        ({"change": (1, 2), "se": (1,)}, "se: found 1; expected 2 standard errors"),
        ({"change": (1, 2), "se": (1, -1)}, "se: found 1, -1"),
        ({"change": (1, 2), "correlation": 2}, "correlation: found 2"),
    ],
)
def test_a_course_that_does_not_fit_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        ReferenceCourse(**arguments)


def test_a_visit_to_judge_must_be_one_after_the_baseline():
    with pytest.raises(ValueError, match="visit: 0 is not known; expected one of 1, 2, 3"):
        visit_tipping_point(LEFT, rng=RNG(1), visit=0)
