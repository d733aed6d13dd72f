"""What a change is worth: its lines from the definition, the arms taken off, missing follow-up, several P values."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats

from onearm.analysis import Outcome, Results, run
from onearm.analysis.background import chance_of_regression, chance_of_selection
from onearm.analysis.course import Course, untreated_course
from onearm.datasets import Datasets
from onearm.records import Records
from onearm.stats import signed_rank
from onearm.stats.regression_to_mean import (
    NaturalHistory,
    significant_without_effect,
    untreated_response,
)
from onearm.study import Study, Untreated

Make = Callable[..., Study]
BEFORE = [3.0, 2.5, 4.0, 1.5, 2.0, 5.0, 2.2, 3.1, 1.8]
AFTER = [1.0, 2.0, 1.5, 1.0, 1.9, 2.0, 0.7, 2.4, 1.1]
LINEAR = (
    "{id: UPROT24H, label: 24-hour urine protein, scale: log",
    "{id: UPROT24H, label: 24-hour urine protein, scale: linear",
)
PROTEIN = """  - measure: UPROT24H
    mean: 1.0        # assumed: geometric mean, g/24 h
    sd: 0.92         # assumed: varies twofold and more between patients, by 40 % within a patient
    rho: 0.82        # assumed: follows from these two
    rho_range: [0.69, 0.89]    # assumed: variation within a patient of 60 % and of 30 %
"""
DENG = """    change: -1.4
    sd: 1.1
    n: 6
    before: 4.5  # 3.1 g at 6 months, less the change
"""
UPROT = """    measure: UPROT24H
    at: M3
    method: paired_t
"""


def course_of(text: str) -> tuple[str, str]:
    return (PROTEIN, f"  - measure: UPROT24H\n    {text}\n")


@pytest.fixture
def results(trial_of: Any, study_with: Make) -> Callable[..., Results]:
    """Results of a study file with changes, on protein of nine patients or as given."""

    def make(
        *changes: tuple[str, str],
        before: list[float | None] | None = None,
        after: list[float | None] | None = None,
    ) -> Results:
        trial = trial_of(study_with(*changes))
        return run(trial.protein(before or list(BEFORE), after or list(AFTER)).records)

    return make


def protein(results: Results) -> Outcome:
    return results.main("secondary.uprot")


# -- the lines ------------------------------------------------------------------------------------


def test_on_a_linear_scale_each_line_is_the_arithmetic_of_its_definition(
    results: Callable[..., Results],
) -> None:
    o = protein(results(LINEAR, course_of("mean: 2\n    sd: 1\n    rho: 0.6")))
    w = o.worth
    assert w is not None
    assert w.regression is not None and w.after_regression is not None
    assert w.background is not None and w.left is not None
    x, y = np.array(BEFORE), np.array(AFTER)
    assert not w.percent
    assert w.observed.estimate == pytest.approx(np.mean(y - x), rel=1e-12)
    assert w.regression.estimate == pytest.approx(-0.4 * (np.mean(x) - 2), rel=1e-12)
    t = stats.ttest_1samp(y - (2 + 0.6 * (x - 2)), 0)
    low, high = t.confidence_interval(0.95)
    assert w.after_regression.estimate == pytest.approx(np.mean(y - x) + 0.4 * (np.mean(x) - 2))
    assert (w.after_regression.lower, w.after_regression.upper) == pytest.approx((low, high))
    assert w.pvalue("offset_t") == pytest.approx(t.pvalue, rel=1e-9)
    assert (
        w.pvalue("offset_signed_rank") == signed_rank(y - (2 + 0.6 * (x - 2)), zeros="pratt").pvalue
    )
    # The arm fell from 4.5 by 1.4; (1 - 0.6)(2 - 4.5) = -1 of it is its own regression to the mean.
    assert w.own_regression == pytest.approx(-1.0)
    assert w.background.estimate == pytest.approx(-0.4)
    assert w.left.estimate == pytest.approx(w.after_regression.estimate + 0.4, abs=1e-6)


def test_what_is_left_has_the_interval_that_draws_of_both_parts_have(
    results: Callable[..., Results],
) -> None:
    w = protein(results(LINEAR, course_of("mean: 2\n    sd: 1\n    rho: 0.6"))).worth
    assert w is not None and w.offset is not None and w.left is not None
    rng, draws = np.random.default_rng(1), 400_000
    ours = w.offset.estimate + w.offset.se * rng.standard_t(8, draws)
    believed = -0.4 + 1.1 / sqrt(6) * rng.standard_t(5, draws)
    arm = np.where(rng.random(draws) < 0.5, believed, rng.normal(-0.4, 1.1, draws))
    below = np.mean(ours - arm < w.left.lower), np.mean(ours - arm < w.left.upper)
    assert below == pytest.approx((0.025, 0.975), abs=4 * sqrt(0.025 * 0.975 / draws))
    assert w.better == pytest.approx(np.mean(ours - arm < 0), abs=4 * sqrt(0.25 / draws))


def test_an_uncertain_mean_and_rho_widen_what_remains_as_the_test_does(
    results: Callable[..., Results],
) -> None:
    stated = "mean: 2\n    sd: 1\n    rho: 0.6\n    mean_se: 0.3\n    rho_se: 0.1"
    w = protein(results(LINEAR, course_of(stated))).worth
    assert w is not None and w.offset is not None and w.after_regression is not None
    assert w.regression is not None and w.regression.lower is not None
    x = np.mean(BEFORE)
    error = sqrt((x - 2) ** 2 * 0.1**2 + 0.4**2 * 0.3**2)
    assert w.regression.lower == pytest.approx(-0.4 * (x - 2) - stats.norm.ppf(0.975) * error)
    remains = w.after_regression
    assert (remains.lower, remains.upper) == pytest.approx(
        (w.offset.lower, w.offset.upper), rel=1e-6
    )


def test_on_a_log_scale_the_lines_are_percentages_of_the_geometric_mean(
    results: Callable[..., Results],
) -> None:
    w = protein(results()).worth
    assert w is not None and w.regression is not None and w.background is not None
    x, y = np.log(BEFORE), np.log(AFTER)
    assert w.percent
    assert w.observed.estimate == pytest.approx(100 * (exp(np.mean(y - x)) - 1))
    assert w.regression.estimate == pytest.approx(100 * (exp(-0.18 * np.mean(x)) - 1))
    own = -0.18 * log(4.5)
    assert w.own_regression == pytest.approx(100 * (exp(own) - 1))
    assert w.background.estimate == pytest.approx(100 * (3.1 / 4.5 / exp(own) - 1))


def test_without_the_arms_mean_before_its_own_regression_cannot_be_taken_out_and_that_is_said(
    results: Callable[..., Results],
) -> None:
    text = DENG.replace("    before: 4.5  # 3.1 g at 6 months, less the change\n", "")
    stated = course_of("mean: 2\n    sd: 1\n    rho: 0.6")
    w = protein(results(LINEAR, stated, (DENG, text))).worth
    assert w is not None and w.background is not None
    assert w.own_regression is None
    assert w.background.estimate == pytest.approx(-1.4)
    assert any("taken off twice" in note for note in w.notes)
    logs = protein(results((DENG, text))).worth
    assert logs is not None and logs.background is None
    assert any("a ratio needs the arm's mean before" in note for note in logs.notes)


def test_a_heavier_weight_of_the_arm_narrows_what_is_left(results: Callable[..., Results]) -> None:
    def width(weight: str) -> float:
        left = protein(results((DENG, f"{DENG}    weight: {weight}\n"))).worth
        assert left is not None and left.left is not None and left.left.lower is not None
        assert left.left.upper is not None
        return left.left.upper - left.left.lower

    assert width("0.99") < width("0.5") < width("0.01")


def test_the_named_comparator_is_the_one_taken_off(study_with: Make, demo_records: Records) -> None:
    named = study_with(
        ("    zeros: pratt\n", "    zeros: pratt\n    background: illuminate-placebo-sledai\n")
    )
    w = run(Records(named, demo_records.snapshot)).main("primary.sledai").worth
    assert w is not None and w.comparator is not None and w.background is not None
    assert w.comparator.id == "illuminate-placebo-sledai"
    assert w.own_regression == pytest.approx(-0.5 * (9.8 - 8))
    assert w.background.estimate == pytest.approx(-4.8 + 0.9)


def test_a_measure_whose_course_is_not_stated_says_so_and_still_loses_the_background(
    results: Callable[..., Results],
) -> None:
    citation = "    citation: >-\n      assumed: geometric mean 1 g"
    whole = PROTEIN + citation
    file = results().study.text
    start = file.index(PROTEIN)
    end = file.index("\n\n", start)
    w = protein(results(LINEAR, (file[start:end] + "\n", ""))).worth
    assert whole in file
    assert w is not None and w.background is not None and w.left is not None
    assert w.regression is None and w.course is None
    assert w.missing_course == "the study file does not say how this measure runs untreated"
    assert w.left.estimate == pytest.approx(w.observed.estimate + 1.4)


def test_the_mean_of_two_readings_regresses_less_than_one_reading(
    trial_of: Any, study_with: Make
) -> None:
    stated = study_with(LINEAR, course_of("mean: 2\n    sd: 1\n    rho: 0.6"))
    trial = trial_of(stated).protein(BEFORE, AFTER)
    for i, b in enumerate(BEFORE, start=1):
        trial.put(f"S{i}", "D0", "URINE", URDT="2017-06-01", UPROT24H=b)
    outcomes = {o.baseline.id: o for o in run(trial.records).of("secondary.uprot")}
    one, two = outcomes["month-3"].worth, outcomes["run-in"].worth
    assert one is not None and one.regression is not None
    assert two is not None and two.regression is not None
    # Slope of a later reading on the mean of two: 2 rho / (1 + rho) (Spearman-Brown).
    assert two.regression.estimate / one.regression.estimate == pytest.approx((1 - 1.2 / 1.6) / 0.4)


def test_a_later_reading_than_the_one_that_decided_entry_loses_no_regression(
    trial_of: Any, study_with: Make
) -> None:
    trial = trial_of(study_with(LINEAR, course_of("mean: 2\n    sd: 1\n    rho: 0.6"))).protein(
        BEFORE, AFTER
    )
    for i, b in enumerate(BEFORE, start=1):
        trial.put(f"S{i}", "D0", "URINE", URDT="2017-06-01", UPROT24H=b)
    outcomes = {o.baseline.id: o for o in run(trial.records).of("secondary.uprot")}
    last = outcomes["last"].worth
    assert last is not None
    assert last.regression is None and last.left is None
    assert "has regressed already" in last.missing_course


def test_a_run_in_of_the_same_patients_compares_with_their_second_reading(
    trial_of: Any, study_with: Make
) -> None:
    changed = study_with(LINEAR, course_of("run_in: [M-3, D0]"))
    trial = trial_of(changed).protein(list(BEFORE), list(AFTER))
    second = [2.4, 2.1, 3.0, 1.6, 2.2, 3.6, 1.7, 2.9, 1.4]
    for i, b in enumerate(second, start=1):
        trial.put(f"S{i}", "D0", "URINE", URDT="2017-06-01", UPROT24H=b)
    data = Datasets(trial.records)
    course, why = untreated_course(data, "UPROT24H")
    fit = stats.linregress(BEFORE, second)
    assert course is not None
    assert why == ""
    assert course.history.rho == pytest.approx(fit.slope)
    assert course.history.mean == pytest.approx(fit.intercept / (1 - fit.slope))
    w = run(trial.records).main("secondary.uprot").worth
    assert w is not None and w.after_regression is not None
    assert w.after_regression.estimate == pytest.approx(np.mean(AFTER) - np.mean(second), abs=1e-9)


def test_too_few_run_in_readings_leave_the_course_unknown_with_the_reason(
    trial_of: Any, study_with: Make
) -> None:
    trial = trial_of(study_with(course_of("run_in: [M-3, D0]"))).protein(list(BEFORE), list(AFTER))
    w = run(trial.records).main("secondary.uprot").worth
    assert w is not None and w.course is None
    assert w.missing_course.startswith("run-in M-3 and D0: ")


@pytest.mark.parametrize(
    ("before", "after"),
    [([], []), ([2.0], [1.0]), ([None, None], [1.0, 2.0])],
)
def test_no_pair_or_one_pair_is_not_taken_apart(
    results: Callable[..., Results], before: list[float | None], after: list[float | None]
) -> None:
    o = protein(results(LINEAR, before=before or [None], after=after or [None]))
    assert o.worth is None


def test_equal_changes_have_no_spread_but_what_remains_of_them_has(
    results: Callable[..., Results],
) -> None:
    stated = course_of("mean: 2\n    sd: 1\n    rho: 0.6")
    w = protein(results(LINEAR, stated, before=[2.0, 3.0, 5.0], after=[1.0, 2.0, 4.0])).worth
    assert w is not None
    assert (w.observed.estimate, w.observed.lower) == (-1.0, None)
    offsets = np.array([1.0, 2.0, 4.0]) - (2 + 0.6 * (np.array([2.0, 3.0, 5.0]) - 2))
    assert w.pvalue("offset_t") == pytest.approx(stats.ttest_1samp(offsets, 0).pvalue)


def test_patients_without_both_run_in_readings_are_in_no_line_and_are_counted(
    trial_of: Any, study_with: Make
) -> None:
    trial = trial_of(study_with(LINEAR, course_of("run_in: [M-3, D0]"))).protein(BEFORE, AFTER)
    second = [2.4, 2.1, 3.0, 1.6, 2.2, 3.6, 1.7, 2.9]
    for i, b in enumerate(second, start=1):
        trial.put(f"S{i}", "D0", "URINE", URDT="2017-06-01", UPROT24H=b)
    outcomes = {o.baseline.id: o for o in run(trial.records).of("secondary.uprot")}
    w = outcomes["month-3"].worth
    assert w is not None and w.regression is not None and w.after_regression is not None
    assert w.n == 8
    assert "1 of 9 complete pairs lack a reading at M-3 or D0" in w.notes[0]
    assert w.observed.estimate == pytest.approx(np.mean(np.array(AFTER[:8]) - BEFORE[:8]))
    together = w.regression.estimate + w.after_regression.estimate
    assert together == pytest.approx(w.observed.estimate)
    other = outcomes["last"].worth
    assert other is not None and other.regression is None
    assert "this baseline is another" in other.missing_course


def test_only_both_parts_taken_off_leave_something_for_the_cells(
    results: Callable[..., Results],
) -> None:
    whole = protein(results()).worth
    part = protein(
        results(before=[0.0, *BEFORE[1:]])
    ).worth  # no logarithm: no regression, no ratio
    assert whole is not None and whole.for_the_cells
    assert part is not None and not part.for_the_cells
    assert part.taken_off == ("background",)


# -- how often without an effect ------------------------------------------------------------------


def course(mean: float, sd: float, rho: float) -> Course:
    stated = Untreated(measure="M", mean=mean, sd=sd, rho=rho, citation="none")
    return Course(stated, NaturalHistory(mean=mean, sd=sd, rho=rho), False, {})


def test_patients_at_the_mean_do_not_regress_and_the_t_test_keeps_its_level() -> None:
    found = chance_of_regression(course(8, 5, 0.5), [8.0] * 9, np.random.default_rng(1))
    assert abs(found.t - 0.05) < 4 * sqrt(0.05 * 0.95 / 20_000)
    assert found.change == pytest.approx(0, abs=4 * 5 * sqrt(0.75 / 180_000))


def test_patients_above_the_mean_are_significant_as_often_as_the_t_test_has_power() -> None:
    found = chance_of_regression(course(8, 5, 0.5), [16.0] * 9, np.random.default_rng(1))
    shift = -0.5 * 8 / (5 * sqrt(0.75) / 3)
    assert found.t_log is None
    limit = stats.t.ppf(0.975, 8)
    power = stats.nct.cdf(-limit, 8, shift)
    assert abs(found.t - power) < 4 * sqrt(power * (1 - power) / 20_000)
    assert found.change == pytest.approx(-4, abs=4 * 5 / sqrt(180_000))


@pytest.mark.parametrize(
    ("key", "limit", "side"), [("above", 8.0, "above"), ("below", 4.0, "below")]
)
def test_patients_let_in_by_a_threshold_are_significant_as_often_as_simulated_otherwise(
    key: str, limit: float, side: Any
) -> None:
    stated = Untreated(measure="M", mean=8, sd=5, rho=0.64, citation="none", **{key: limit})
    history = NaturalHistory(mean=8, sd=5, rho=0.64)
    found = chance_of_selection(Course(stated, history, False, {}), 9, np.random.default_rng(1))
    other = significant_without_effect(
        history, n=9, threshold=limit, side=side, rng=np.random.default_rng(2)
    )
    for share, test in ((found.t, "paired_t"), (found.signed_rank, "signed_rank")):
        expected = other.of(test)
        assert abs(share - expected.share) < 4 * sqrt(2) * expected.error
    way = -1 if side == "above" else 1
    assert found.change == pytest.approx(way * other.fall, abs=4 * found.sd / sqrt(180_000))


def test_a_threshold_of_the_study_file_has_its_own_line(results: Callable[..., Results]) -> None:
    stated = course_of("mean: 1.0\n    sd: 0.92\n    rho: 0.82\n    above: 1.0")
    found = results(stated).chances["UPROT24H"]
    assert [c.id for c in found][:2] == ["UPROT24H.regression", "UPROT24H.selection"]
    assert found[1].text == "regression to the mean of patients let in above 1"
    assert found[1].t_log is not None


# -- responders beside what would have happened anyway --------------------------------------------


def responders(method: str, response: str, more: str = "") -> tuple[str, str]:
    old = "measure: SLEDAI.total, at: M3, method: responders, response: CHG <= -4}"
    return (old, f"measure: UPROT24H, at: M3, method: {method}, response: '{response}'{more}}}")


def test_the_chance_of_halving_untreated_is_that_of_the_log_normal_course(
    results: Callable[..., Results],
) -> None:
    o = results(responders("poisson_binomial", "PCHG <= -50")).main("responders.sledai")
    assert o.anyway is not None and o.anyway.untreated is not None
    history = NaturalHistory(mean=0.0, sd=0.92, rho=0.82)
    p = untreated_response(np.log(BEFORE), history, ratio=0.5)
    assert o.anyway.untreated.expected == pytest.approx(float(np.sum(p)), rel=1e-9)
    assert o.anyway.untreated.responders == sum(
        a <= b / 2 for b, a in zip(BEFORE, AFTER, strict=True)
    )
    assert o.pvalue == o.anyway.untreated.pvalue


def test_the_chance_of_a_fall_by_four_whole_points_begins_at_three_and_a_half(
    demo_records: Records,
) -> None:
    o = run(demo_records).main("responders.sledai")
    assert o.anyway is not None and o.anyway.untreated is not None
    before = [p.before for p in o.pairs if p.before is not None]
    history = NaturalHistory(mean=8, sd=5, rho=0.5)
    p = untreated_response(before, history, change=-4, continuity=0.5)
    assert o.anyway.untreated.expected == pytest.approx(float(np.sum(p)), rel=1e-9)


def test_a_rule_without_a_single_limit_has_no_chance_untreated_and_says_so(
    results: Callable[..., Results],
) -> None:
    o = results(responders("responders", "CHG <= -1 or CHG >= 1")).main("responders.sledai")
    assert o.anyway is not None and o.anyway.untreated is None
    assert "has no single limit" in o.anyway.notes[0]


def test_the_share_against_a_reference_rate_is_the_exact_binomial_test(
    results: Callable[..., Results],
) -> None:
    more = ", reference: {rate: 0.3, citation: A paper}, alternative: greater"
    o = results(responders("binomial", "CHG <= -1", more)).main("responders.sledai")
    x = sum(a - b <= -1 for b, a in zip(BEFORE, AFTER, strict=True))
    assert o.pvalue == pytest.approx(stats.binomtest(x, 9, 0.3, alternative="greater").pvalue)


def test_the_posterior_of_the_share_and_its_go_decision(results: Callable[..., Results]) -> None:
    more = (
        ", prior: [0.2, 0.8], go: [{rate: 0.2, probability: 0.95}, {rate: 0.9, probability: 0.5}]"
    )
    arms = ", historical: [{text: placebo, responders: 116, n: 379, citation: ILLUMINATE}]"
    o = results(responders("beta_binomial", "CHG <= -1", more + arms)).main("responders.sledai")
    x = sum(a - b <= -1 for b, a in zip(BEFORE, AFTER, strict=True))
    a = o.anyway
    assert a is not None and a.posterior is not None and a.exceeds is not None
    belief = stats.beta(0.2 + x, 0.8 + 9 - x)
    assert a.posterior.estimate == pytest.approx(belief.median())
    assert [p for p, _ in a.go] == pytest.approx([belief.sf(0.2), belief.sf(0.9)])
    assert [met for _, met in a.go] == [belief.sf(0.2) >= 0.95, belief.sf(0.9) >= 0.5]
    assert 0.5 < a.exceeds < 1


def test_a_finding_before_and_after_is_mcnemars_test_of_those_who_changed(
    results: Callable[..., Results],
) -> None:
    o = results(responders("mcnemar", "AVAL > 2"), after=[*AFTER[:8], None]).main(
        "responders.sledai"
    )
    assert o.found is not None
    yes = [(b > 2, a > 2) for b, a in zip(BEFORE[:8], AFTER[:8], strict=True)]
    assert (o.found.both, o.found.lost) == (yes.count((True, True)), yes.count((True, False)))
    assert (o.found.gained, o.found.neither) == (
        yes.count((False, True)),
        yes.count((False, False)),
    )
    assert o.found.unknown == ("S9",)
    assert o.pvalue == stats.binomtest(o.found.gained, o.found.gained + o.found.lost).pvalue


# -- missing follow-up, several P values, methods -------------------------------------------------


def test_nobody_missing_needs_no_sensitivity_analysis(results: Callable[..., Results]) -> None:
    found = protein(results()).follow_up
    assert found is not None and found.rows == ()


def test_missing_follow_up_is_varied_each_way_with_its_assumption(
    results: Callable[..., Results],
) -> None:
    o = protein(results(LINEAR, after=[None, *AFTER[1:]]))
    f = o.follow_up
    assert f is not None
    assert (f.complete, f.missing, f.ratio) == (8, 1, False)
    rows = {r.label: r for r in f.rows}
    change = np.array(AFTER[1:]) - np.array(BEFORE[1:])
    assert rows["left out"].estimate == pytest.approx(np.mean(change))
    worst = np.append(change, np.max(change))
    assert rows["the worst change seen in others"].estimate == pytest.approx(np.mean(worst))
    assert rows["the best change seen in others"].estimate == pytest.approx(
        np.mean(np.append(change, np.min(change)))
    )
    fit = stats.linregress(BEFORE[1:], AFTER[1:])
    predicted = fit.intercept + fit.slope * BEFORE[0] - BEFORE[0]
    expected = np.mean(np.append(change, predicted))
    assert rows["as the others (in the limit)"].estimate == pytest.approx(expected)
    assert rows["as the others (multiple imputation)"].estimate == pytest.approx(expected, abs=0.05)
    untreated = 1 + 0.82 * (BEFORE[0] - 1) - BEFORE[0]
    assert rows["as if untreated"].estimate == pytest.approx(np.mean(np.append(change, untreated)))
    assert all(r.assumption for r in f.rows)
    assert any(note.startswith("Tipping point: ") for note in f.notes)


def test_only_the_named_ways_are_taken(results: Callable[..., Results]) -> None:
    named = (UPROT, f"{UPROT}    missing: [worst_case]\n")
    f = protein(results(named, after=[None, *AFTER[1:]])).follow_up
    assert f is not None
    assert [r.label for r in f.rows] == [
        "left out",
        "the worst change seen in others",
        "the best change seen in others",
    ]
    assert f.ratio


def test_a_hierarchy_stops_at_the_first_hypothesis_that_stands(demo_records: Records) -> None:
    first, second = run(demo_records).judged
    assert (first.outcome.analysis.id, first.rejected) == ("primary.sledai", True)
    assert (second.outcome.analysis.id, second.rejected) == ("secondary.uprot", False)
    assert second.adjusted == second.pvalue


@pytest.mark.parametrize(
    ("method", "p"),
    [
        ("sign_flip", 0.00390625),  # all nine fall: 2 of 2^9 sign patterns
        ("sign_test", 0.00390625),
        ("geometric_mean_ratio", stats.ttest_1samp(np.log(AFTER) - np.log(BEFORE), 0).pvalue),
    ],
)
def test_a_method_of_the_study_file_gives_its_own_p(
    results: Callable[..., Results], method: str, p: float
) -> None:
    o = protein(results((UPROT, UPROT.replace("paired_t", method))))
    assert o.pvalue == pytest.approx(p, rel=1e-9)


def test_mee_chua_is_the_intercept_of_a_regression_on_the_distance_from_the_mean(
    results: Callable[..., Results],
) -> None:
    stated = course_of("mean: 2\n    sd: 1\n    rho: 0.6")
    o = protein(results(LINEAR, stated, (UPROT, UPROT.replace("paired_t", "mee_chua"))))
    fit = stats.linregress(np.array(BEFORE) - 2, AFTER)
    t = (fit.intercept - 2) / fit.intercept_stderr
    assert o.pvalue == pytest.approx(2 * stats.t.sf(abs(t), 7), rel=1e-9)


def test_the_posterior_of_the_mean_change_is_students_t(results: Callable[..., Results]) -> None:
    order = "multiplicity: {method: hierarchical, analyses: [primary.sledai, secondary.uprot]}"
    method = (UPROT, UPROT.replace("paired_t", "normal_posterior"))
    o = protein(results(LINEAR, method, (order, "")))
    assert o.posterior is not None and o.comparison is not None and o.comparison.t is not None
    t = o.comparison.t
    assert (o.posterior.lower, o.posterior.upper) == pytest.approx((t.lower, t.upper))
    assert o.pvalue is None
