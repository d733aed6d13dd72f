"""The longitudinal model in the study file: what it is given, and what comes out under each of its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log, nan
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from onearm.analysis import AtVisit, Change, Longitudinal, Outcome, Results, resolve, run
from onearm.analysis.follow_up import Assumed
from onearm.stats import geometric_mean_ratio, paired_t, signed_rank
from onearm.stats.repeated_measures.imputation import imputed_changes
from onearm.stats.repeated_measures.imputed import ReferenceCourse
from onearm.stats.repeated_measures.sequential import longest_memory
from onearm.study import Study, StudyError

Make = Callable[..., Study]
Course = Sequence[float | None]

#: 24-hour protein of nine constructed patients, linear, before and at four visits; two leave early, one misses month 1.
PRE: Course = [3.1, 2.4, 1.9, 2.8, 1.2, 2.2, 4.0, 1.7, 2.6]
M1: Course = [2.7, 2.5, 1.5, 2.0, None, 2.1, 3.1, 1.6, 2.0]
M3: Course = [1.9, 1.6, 1.2, 1.7, 0.9, 1.1, None, 1.5, 1.3]
M6: Course = [1.5, 1.3, None, 1.1, 1.0, 0.9, None, 1.2, 0.8]
M12: Course = [1.8, 1.0, None, 1.4, 0.7, 1.3, None, 1.6, 0.9]
FIVE = {"PRE": PRE, "M1": M1, "M3": M3, "M6": M6, "M12": M12}
FULL = {"PRE": PRE, "M6": [1.5, 1.3, 1.1, 1.4, 1.0, 0.9, 2.0, 1.2, 0.8]}

URINE_AT_D0 = (
    "forms: [WEIGHT, INFUSION, VITALS]",
    "forms: [WEIGHT, INFUSION, VITALS, URINE]",
)
LINEAR = ("24-hour urine protein, scale: log", "24-hour urine protein")


def model(words: str = "", at: str = "M6") -> tuple[str, str]:
    """One more analysis, id ``long``; without imputations, which take seconds, where ``words`` name none."""
    words += "" if "missing" in words else ", missing: []"
    entry = f"id: long, title: Protein over time, role: secondary, measure: UPROT24H, at: {at}, method: mmrm"
    return ("\nsafety:\n", f"  - {{{entry}{words}}}\n\nsafety:\n")


@pytest.fixture
def outcome(trial_of: Any, study_with: Make) -> Callable[..., Outcome]:
    """The outcome of ``long``: its words, further changes of the study file, and the patients' courses."""

    def make(
        words: str = "", *changes: tuple[str, str], at: str = "M6", **courses: Course
    ) -> Outcome:
        study = study_with(model(words, at), LINEAR, *changes, name="paper-2022.yaml")
        return run(trial_of(study).courses(**(courses or FIVE)).records).main("long")

    return make


def fitted(outcome: Outcome) -> Longitudinal:
    assert outcome.longitudinal is not None
    assert outcome.longitudinal.why == ""
    return outcome.longitudinal


def visit(outcome: Outcome, name: str) -> AtVisit:
    found = fitted(outcome).at(name)
    assert found is not None
    return found


def change(outcome: Outcome, name: str) -> Change:
    found = visit(outcome, name).change
    assert found is not None
    return found


def pairs_of(courses: dict[str, Course], name: str) -> tuple[list[float], list[float]]:
    both = [(b, a) for b, a in zip(courses["PRE"], courses[name], strict=True)]
    known = [(b, a) for b, a in both if b is not None and a is not None]
    return [b for b, _ in known], [a for _, a in known]


# -- what must come out ---------------------------------------------------------------------------


@pytest.mark.parametrize("df", ["kenward-roger", "kenward-roger-linear", "satterthwaite"])
def test_complete_pairs_give_the_paired_t_test(outcome: Callable[..., Outcome], df: str) -> None:
    o = outcome(f", visits: [M6], covariance: [us], df: {df}", **FULL)
    before, after = pairs_of(FULL, "M6")
    t, c = paired_t(np.subtract(after, before)), change(o, "M6")
    assert c.line.estimate == pytest.approx(t.estimate, rel=1e-9)
    assert (c.line.lower, c.line.upper) == pytest.approx((t.lower, t.upper), rel=1e-7)
    assert c.se == pytest.approx(t.estimate / t.statistic, rel=1e-8)
    assert (c.df, c.df_observed, c.df_expected) == pytest.approx((8, 8, 8), rel=1e-6)
    assert (c.pvalue, o.pvalue) == pytest.approx((t.pvalue, t.pvalue), rel=1e-6)


def test_complete_pairs_of_a_log_measure_give_the_test_of_the_ratio(
    trial_of: Any, study_with: Make
) -> None:
    study = study_with(model(", visits: [M6], covariance: [us]"), name="paper-2022.yaml")
    o = run(trial_of(study).courses(**FULL).records).main("long")
    before, after = pairs_of(FULL, "M6")
    r, c = geometric_mean_ratio(before, after), change(o, "M6")
    assert fitted(o).ratio
    assert c.line.estimate == pytest.approx(r.estimate, rel=1e-9)
    assert (c.line.lower, c.line.upper) == pytest.approx((r.lower, r.upper), rel=1e-7)
    assert o.pvalue == pytest.approx(r.pvalue, rel=1e-6)
    mean = visit(o, "M6").mean
    assert mean is not None
    assert mean.estimate == pytest.approx(exp(np.mean([log(v) for v in after])), rel=1e-9)


def test_one_visit_of_changes_with_baseline_is_the_analysis_of_covariance(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(", visits: [M6], dependent: CHG, covariates: [BASE], covariance: [us]", **FULL)
    before, after = map(np.array, pairs_of(FULL, "M6"))
    x = np.column_stack([np.ones(9), before - before.mean()])
    beta, rss, *_ = np.linalg.lstsq(x, after - before, rcond=None)
    c = change(o, "M6")
    assert c.line.estimate == pytest.approx(beta[0], rel=1e-9)
    assert c.se == pytest.approx(float(np.sqrt(rss[0] / 7 / 9)), rel=1e-7)
    assert c.df == pytest.approx(7, rel=1e-6)
    assert visit(o, "M6").mean is None


def test_a_patient_who_misses_visits_stays_in_with_the_others(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome()
    m = fitted(o)
    assert (m.patients, m.values) == (9, 39)
    assert [(v.id, v.n) for v in m.visits] == [("", 9), ("M1", 8), ("M3", 8), ("M6", 7), ("M12", 7)]
    pairs = visit(o, "M6").pairs
    assert pairs is not None and pairs.n == 7
    # The two who left are not the average patient, so that the model's change is not that of the pairs.
    assert change(o, "M6").line.estimate != pytest.approx(pairs.change.mean, rel=1e-3)


def test_complete_pairs_stand_beside_every_visit(outcome: Callable[..., Outcome]) -> None:
    o = outcome()
    for name in ("M1", "M3", "M6", "M12"):
        before, after = pairs_of(FIVE, name)
        c = visit(o, name).pairs
        assert c is not None and c.t is not None and c.pratt is not None
        differences = [round(a - b, 10) for b, a in zip(before, after, strict=True)]
        assert c.t.pvalue == pytest.approx(paired_t(differences).pvalue, rel=1e-12)
        assert c.pratt.pvalue == signed_rank(differences, zeros="pratt").pvalue


def test_the_result_is_the_change_at_the_visit_named(outcome: Callable[..., Outcome]) -> None:
    early, late = outcome(at="M1"), outcome(at="M12")
    assert early.pvalue == change(early, "M1").pvalue
    assert late.pvalue == change(late, "M12").pvalue
    assert change(early, "M12").line == change(late, "M12").line


def test_it_is_judged_with_the_others_and_its_numbers_have_a_path(
    trial_of: Any, study_with: Make
) -> None:
    together = (
        "published:\n",
        "multiplicity: {method: holm, analyses: [secondary.uprot, long]}\npublished:\n",
    )
    study = study_with(model(), LINEAR, together, name="paper-2022.yaml")
    results = run(trial_of(study).courses(**FIVE).records)
    o = results.main("long")
    assert [j.pvalue for j in results.judged][1] == o.pvalue
    c = change(o, "M3")
    assert resolve(results, "long.M3.change") == (c.line.estimate, "#from-long.baseline")
    assert resolve(results, "long.M3.upper")[0] == c.line.upper
    assert resolve(results, "long.M3.p")[0] == c.pvalue
    assert resolve(results, "long.M3.n")[0] == 8
    assert resolve(results, "long.p")[0] == o.pvalue
    assert resolve(results, "long.M9.p")[0] is None


# -- what it is given -----------------------------------------------------------------------------


def test_only_the_visits_named_are_in_the_model(outcome: Callable[..., Outcome]) -> None:
    m = fitted(outcome(", visits: [M3, M6]"))
    assert [v.id for v in m.visits] == ["", "M3", "M6"]
    assert (m.values, m.left_out) == (24, 15)


def test_a_second_value_at_a_visit_and_one_between_visits_are_left_out_and_counted(
    trial_of: Any, study_with: Make
) -> None:
    study = study_with(
        model(),
        LINEAR,
        ("outside_window: nominal", "outside_window: exclude"),
        name="paper-2022.yaml",
    )
    trial = trial_of(study).courses(**FIVE)
    trial.put("S1", "M3", "URINE", repeat=2, URDT="2017-09-03", UPROT24H=9.9)  # nearer: 2017-08-30
    trial.put("S1", "M3", "URINE", repeat=3, URDT="2017-10-25", UPROT24H=9.9)  # in no window
    m = fitted(run(trial.records).main("long"))
    assert (m.values, m.left_out) == (39, 2)
    assert {r.value for r in m.readings if r.subject == "S1" and r.visit == "M3"} == {1.9}


def test_a_baseline_that_is_a_visit_leaves_other_visits_before_in_the_model(
    trial_of: Any, study_with: Make
) -> None:
    changes = (
        ("label: baseline, rule: last before infusion", "label: baseline, visit: PRE"),
        URINE_AT_D0,
    )
    study = study_with(model(", covariance: [cs]"), LINEAR, *changes, name="paper-2022.yaml")
    day0: Course = [3.0, 2.2, 1.9, 2.5, 1.3, 2.2, 3.7, 1.7, 2.5]
    m = fitted(run(trial_of(study).courses(**FIVE, D0=day0).records).main("long"))
    assert [(v.id, v.baseline) for v in m.visits][:3] == [
        ("PRE", True),
        ("D0", False),
        ("M1", False),
    ]
    assert m.visits[1].change is not None


def test_under_a_rule_over_all_values_before_no_other_visit_before_is_named(
    study_with: Make,
) -> None:
    with pytest.raises(StudyError) as caught:
        study_with(model(", visits: [PRE, D0, M6]"), LINEAR, URINE_AT_D0, name="paper-2022.yaml")
    assert len(caught.value.messages) == 2
    assert caught.value.messages[0].endswith(
        "visits: visit PRE is on day -14, not after the infusion; the primary baseline is the last before infusion, "
        "so that its value would count twice; take it out"
    )


def test_every_baseline_rule_has_its_own_fit(trial_of: Any, study_with: Make) -> None:
    also = (
        "rule: last before infusion}",
        "rule: last before infusion}\n  also: [{id: mean, label: mean before, rule: mean before infusion}]",
    )
    study = study_with(model(), LINEAR, also, name="paper-2022.yaml")
    trial = trial_of(study).courses(**FIVE)
    trial.put("S1", "PRE", "URINE", repeat=2, URDT="2017-05-10", UPROT24H=9.1)
    results: Results = run(trial.records)
    first, second = results.of("long")
    base = [
        next(r for r in fitted(o).readings if r.subject == "S1" and not r.visit)
        for o in (first, second)
    ]
    assert [r.value for r in base] == [3.1, 6.1]
    assert len(base[1].seqs) == 2
    assert set(base[1].seqs) <= set(second.seqs)
    assert change(first, "M6").line.estimate > change(second, "M6").line.estimate


def test_covariates_are_centred_so_that_complete_data_keep_their_means(
    trial_of: Any, study_with: Make
) -> None:
    words = ", visits: [M6], covariates: [AGE, SEX], covariance: [cs]"
    study = study_with(model(words), LINEAR, name="paper-2022.yaml")
    trial = trial_of(study).courses(**FULL)
    for i in range(9):
        trial.put(f"S{i + 1}", "PRE", "DEMOG", AGE=20 + i * i, SEX="M" if i in (2, 5) else "F")
    o = run(trial.records).main("long")
    before, after = pairs_of(FULL, "M6")
    baseline = fitted(o).visits[0].mean
    assert baseline is not None
    assert baseline.estimate == pytest.approx(np.mean(before), rel=1e-9)
    assert change(o, "M6").line.estimate == pytest.approx(
        np.mean(after) - np.mean(before), rel=1e-9
    )


def test_a_covariate_that_is_missing_or_the_same_in_all_is_said(
    trial_of: Any, study_with: Make
) -> None:
    study = study_with(
        model(", covariates: [AGE, SEX], covariance: [cs]"), LINEAR, name="paper-2022.yaml"
    )
    trial = trial_of(study).courses(**FIVE)
    for i in range(8):
        trial.put(f"S{i + 1}", "PRE", "DEMOG", AGE=20 + i, SEX="F")
    m = fitted(run(trial.records).main("long"))
    assert m.patients == 8
    assert "Left out, because a covariate is not recorded: S9." in m.notes
    assert "SEX is the same in every patient and is no part of the model." in m.notes


# -- covariance -----------------------------------------------------------------------------------


def test_the_covariance_is_told_as_standard_deviations_and_correlations(
    outcome: Callable[..., Outcome],
) -> None:
    m = fitted(outcome(", visits: [M6], covariance: [us]", **FULL))
    before, after = pairs_of(FULL, "M6")
    assert m.sds == pytest.approx((np.std(before, ddof=1), np.std(after, ddof=1)), rel=1e-7)
    assert m.correlations[0][1] == pytest.approx(np.corrcoef(before, after)[0, 1], rel=1e-6)
    assert m.correlations[1][1] == pytest.approx(1.0)


@pytest.mark.slow
def test_a_structure_that_cannot_be_fitted_is_followed_by_the_next_and_said(
    outcome: Callable[..., Outcome],
) -> None:
    four = {name: list(column)[:4] for name, column in FIVE.items()}
    m = fitted(outcome(", covariance: [us, cs]", **four))
    assert [(t.covariance, t.fitted) for t in m.tried] == [("us", False), ("cs", True)]
    assert m.tried[0].reason
    assert m.covariance == "cs"


@pytest.mark.parametrize("covariance", ["sp_exp", "sp_gau", "ar1", "toep"])
def test_distances_in_time_are_those_of_the_planned_days(
    outcome: Callable[..., Outcome], covariance: str
) -> None:
    m = fitted(outcome(f", covariance: [{covariance}]"))
    r = np.array(m.correlations)
    if (
        covariance == "sp_exp"
    ):  # planned days -14, 31, 91 are 44 and 60 days apart, for there is no day 0
        assert log(r[0, 1]) / log(r[1, 2]) == pytest.approx(44 / 60, rel=1e-9)
    if covariance == "ar1":
        assert r[0, 1] == pytest.approx(r[3, 4])


# -- where nothing can be fitted ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("courses", "why"),
    [
        ({"M6": M6}, "nobody has a value at baseline"),
        ({"PRE": PRE}, "nobody has a value at a later visit of the model"),
    ],
)
def test_a_model_without_its_visits_says_why(
    outcome: Callable[..., Outcome], courses: dict[str, Course], why: str
) -> None:
    o = outcome(**courses)
    assert o.longitudinal is not None
    assert o.longitudinal.why == why
    assert o.pvalue is None
    assert all(v.change is None for v in o.longitudinal.visits)


def test_one_patient_is_too_few_and_the_other_analyses_still_run(
    trial_of: Any, study_with: Make
) -> None:
    study = study_with(model(), LINEAR, name="paper-2022.yaml")
    one = {name: list(column)[:1] for name, column in FIVE.items()}
    results = run(trial_of(study).courses(**one).records)
    m = results.main("long").longitudinal
    assert m is not None and m.why
    assert results.main("secondary.uprot").comparison is not None


def test_a_log_measure_with_a_value_of_zero_is_not_modelled(
    trial_of: Any, study_with: Make
) -> None:
    study = study_with(model(), name="paper-2022.yaml")
    o = run(trial_of(study).courses(**{**FIVE, "M3": [0.0, *list(M3)[1:]]}).records).main("long")
    assert o.longitudinal is not None
    assert o.longitudinal.why == "a value of 0 or below has no logarithm"


def test_a_visit_at_which_nobody_was_seen_is_no_part_of_the_model(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(PRE=PRE, M1=M1, M3=M3)
    m = fitted(o)
    assert o.pvalue is None
    assert visit(o, "M6").change is None
    assert m.notes[0] == (
        "No part of the model, because nobody was seen there yet: 6 months after, 12 months after."
    )
    assert len(m.sds) == 3 == len(m.modelled)


# -- missing visits under other assumptions -------------------------------------------------------

#: The same with the gap at month 1 filled: patients only leave, and imputation is quick.
LEAVING = {**FIVE, "M1": [1.3 if v is None else v for v in M1]}
UNTREATED = (
    "\nsafety:\n",
    "\nuntreated:\n  - {measure: UPROT24H, mean: 1.5, sd: 0.9, rho: 0.6, mean_se: 0.2, rho_se: 0.1, citation: none}"
    "\n\nsafety:\n",
)


def rows(o: Outcome) -> dict[str, Assumed]:
    return {r.label: r for r in fitted(o).missing}


def wide(courses: dict[str, Course]) -> list[list[float]]:
    return [
        [nan if v is None else v for v in patient]
        for patient in zip(*courses.values(), strict=True)
    ]


def imputed(**words: Any) -> Any:
    """The change at month 6 by the function itself, from the random numbers of this analysis."""
    found = imputed_changes(
        wide(LEAVING),
        rng=np.random.default_rng([20220201, crc32(b"long")]),
        imputations=1000,
        memory=longest_memory(wide(LEAVING)),
        **words,
    )
    return found.visits[2]


def same(row: Assumed, found: Any) -> bool:
    return (row.estimate, row.lower, row.upper, row.pvalue) == (
        found.estimate,
        found.lower,
        found.upper,
        found.pvalue,
    )


def test_each_assumption_is_imputed_from_the_analysiss_own_random_numbers(
    outcome: Callable[..., Outcome],
) -> None:
    found = rows(outcome(", missing: [multiple_imputation, return_to_baseline]", **LEAVING))
    assert list(found) == ["as the others (multiple imputation)", "back at baseline"]
    assert same(found["as the others (multiple imputation)"], imputed())
    assert same(found["back at baseline"], imputed(after_dropout="jump to baseline"))
    assert "went back, on average, to the mean at baseline" in found["back at baseline"].assumption


def test_the_untreated_course_is_what_regression_to_the_mean_leads_to_expect(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(", missing: [reference_based]", UNTREATED, **LEAVING)
    found = rows(o)
    assert list(found) == ["as untreated from the baseline on", "gain kept, then as untreated"]
    away = 1.5 - float(np.mean([v for v in PRE if v is not None]))
    se = float(np.hypot(0.4 * 0.2, away * 0.1))
    course = ReferenceCourse([0.4 * away] * 4, [se] * 4, correlation=1.0)
    jump = imputed(after_dropout="jump to reference", reference=course)
    row = found["as untreated from the baseline on"]
    assert (row.estimate, row.pvalue) == pytest.approx((jump.estimate, jump.pvalue), rel=1e-9)
    assert f"({0.4 * away:.3g} at every visit)".replace("-", "\u2212") in row.assumption
    kept = imputed(after_dropout="copy increments", reference=course)
    assert found["gain kept, then as untreated"].estimate == pytest.approx(kept.estimate, rel=1e-9)


def test_without_an_untreated_course_the_comparator_stands_for_it_or_the_reason_is_said(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(", missing: [reference_based]", **LEAVING)
    assert fitted(o).missing == ()
    assert fitted(o).missing_notes[0] == (
        "No row as if untreated: the study file does not say how this measure runs untreated."
    )
    arm = "{id: arm, measure: UPROT24H, text: placebo, change: -0.3, sd: 1, n: 25, citation: A paper.}"
    added = ("\nsafety:\n", f"\ncomparators: [{arm}]\n\nsafety:\n")
    found = rows(outcome(", missing: [reference_based]", added, **LEAVING))
    course = ReferenceCourse([-0.3] * 4, [0.2] * 4, correlation=1.0)
    jump = imputed(after_dropout="jump to reference", reference=course)
    assert same(found["as arm from the baseline on"], jump)


def test_each_delta_has_a_row_and_the_tipping_point_is_told(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(", missing: [tipping_point], deltas: [-0.5, 0, 1]", **LEAVING)
    found = rows(o)
    assert list(found) == ["delta \u22120.5", "delta 0", "delta +1"]
    assert same(found["delta 0"], imputed())
    assert found["delta +1"].estimate == pytest.approx(imputed(delta=1.0).estimate, rel=1e-9)
    notes = " ".join(fitted(o).missing_notes)
    assert "Tipping point: Under missing at random the mean change at visit M6 is " in notes
    assert "1000 imputations a row; Monte Carlo standard error of an estimate at most 0.0" in notes


def test_of_a_log_measure_the_rows_are_ratios(trial_of: Any, study_with: Make) -> None:
    study = study_with(model(", missing: [multiple_imputation]"), name="paper-2022.yaml")
    o = run(trial_of(study).courses(**LEAVING).records).main("long")
    (row,) = fitted(o).missing
    line = change(o, "M6").line
    assert row.estimate == pytest.approx(line.estimate, rel=0.1)
    assert 0 < (row.lower or 0) < line.estimate


@pytest.mark.slow
def test_values_missing_between_visits_are_imputed_too(outcome: Callable[..., Outcome]) -> None:
    (row,) = fitted(outcome(", missing: [multiple_imputation]")).missing
    assert (
        "The 1 value missing in between is as that of patients with the same values"
        in row.assumption
    )


def test_nothing_is_imputed_where_nothing_is_missing_or_patients_are_too_few(
    outcome: Callable[..., Outcome],
) -> None:
    assert fitted(outcome(", missing: [multiple_imputation]", **FULL)).missing == ()
    five = {name: list(column)[:5] for name, column in FIVE.items()}
    (row,) = fitted(outcome(", missing: [multiple_imputation], covariance: [cs]", **five)).missing
    assert row.estimate is None
    assert (
        row.assumption
        == "not computed: too few patients were seen to predict one visit from another"
    )
