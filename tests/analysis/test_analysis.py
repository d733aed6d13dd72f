"""The plan carried out: comparisons against R and by hand, holes counted, chance without an effect, published numbers.

Numbers marked R are of R 4.2.2 (t.test, wilcox.test, binom.test; exactRankTests 0.8-35 wilcox.exact; coin 1.4-2
wilcoxsign_test), the call beside each. ``X`` and ``Y`` are the before and after below.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.analysis import (
    BeforeAfter,
    Results,
    before_after,
    chance_without_effect,
    chances,
    differences,
    resolve,
    round_half_up,
    run,
    run_analyses,
)
from onearm.datasets import Datasets
from onearm.ledger import Snapshot
from onearm.records import Records
from onearm.study import Comparator, Study

Make = Callable[..., Study]
X, Y = [20, 22, 19, 25, 30, 18], [14, 22, 20, 15, 21, 12]
# Twenty changes in a disease activity score with ties and zeros.
ACTIVITY = [-8, -6, -4, -4, -4, -2, -2, -2, 0, 0, 2, -6, -8, -4, -2, 2, -10, -4, 0, -2]
#: Without the order of P values, in which an analysis without a P would have no place.
NO_ORDER = (
    "multiplicity: {method: hierarchical, analyses: [primary.sledai, secondary.uprot]}",
    "",
)
PROTEIN = "{id: UPROT24H, label: 24-hour urine protein, scale: log"


@pytest.fixture(scope="module")
def demo(demo_records: Records) -> Results:
    return run(demo_records)


# -- before and after -----------------------------------------------------------------------------


def test_the_comparison_agrees_with_r() -> None:
    c = before_after(X, Y)
    assert (c.n, c.n_missing) == (6, 0)
    assert c.t is not None and c.wilcoxon is not None and c.pratt is not None
    # t.test(Y, X, paired = TRUE)
    assert c.t.estimate == -5.0
    assert c.t.statistic == pytest.approx(-2.6854307776478734, rel=1e-12)
    assert c.t.pvalue == pytest.approx(0.0435360891958635, rel=1e-12)
    assert (c.t.lower, c.t.upper) == pytest.approx((-9.7861629073303575, -0.2138370926696425))
    # wilcox.exact((Y - X)[Y != X]); pvalue(wilcoxsign_test(Y ~ X, distribution = "exact", zero.method = "Pratt"))
    assert c.wilcoxon.pvalue == c.pratt.pvalue == 0.125
    # mean(X); sd(X); median(X)
    assert c.before.mean == pytest.approx(22.3333333333333)
    assert c.before.sd == pytest.approx(4.5018514709691)
    assert c.before.median == 21.0
    assert c.notes == ()


def test_the_exact_p_of_the_two_zero_rules_differ_where_changes_are_zero() -> None:
    c = before_after([20.0] * 20, [20.0 + change for change in ACTIVITY])
    assert c.wilcoxon is not None and c.pratt is not None
    # 58 and 68 of 2^17 sign patterns; R: exactRankTests, wilcox.exact; coin, wilcoxsign_test(exact, "Pratt")
    assert round(c.wilcoxon.pvalue, 8) == 0.00044250
    assert round(c.pratt.pvalue, 8) == 0.00051880


def test_the_interval_has_the_level_asked_for() -> None:
    c = before_after(X, Y, conf_level=0.9)
    assert c.t is not None
    # t.test(Y, X, paired = TRUE, conf.level = 0.9)
    assert (c.t.lower, c.t.upper) == pytest.approx((-8.75181589133713, -1.24818410866287))
    assert c.shift is not None and c.shift.conf_level == 0.9


def test_the_shift_inverts_the_test_with_the_zero_rule_asked_for() -> None:
    values = [20.0] * 20, [20.0 + change for change in ACTIVITY]
    for zeros in ("wilcoxon", "pratt"):
        shift = before_after(*values, zeros=zeros).shift
        assert shift is not None and shift.zeros == zeros


def test_on_the_log_scale_the_ratio_of_geometric_means_agrees_with_r() -> None:
    c = before_after(X, Y, log=True)
    assert c.ratio is not None
    # l <- t.test(log(Y), log(X), paired = TRUE); exp(c(l$estimate, l$conf.int))
    found = (c.ratio.estimate, c.ratio.lower, c.ratio.upper)
    assert found == pytest.approx((0.768697398006, 0.603105676639, 0.979754813441), rel=1e-9)
    assert before_after(X, Y).ratio is None


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_zero_or_negative_value_has_no_ratio_and_the_rest_stands(value: float) -> None:
    c = before_after([2.0, 3.0, 4.0], [1.0, value, 5.0], log=True)
    assert c.ratio is None
    assert c.t is not None and c.shift is not None
    assert any(note.startswith("geometric mean ratio:") for note in c.notes)


def test_a_pair_with_a_missing_side_is_dropped_and_counted() -> None:
    holed = before_after([None, 9.0, nan, None, *X], [1.0, None, 3.0, nan, *Y])
    whole = before_after(X, Y)
    assert (holed.n, holed.n_missing) == (6, 4)
    assert (holed.before, holed.after, holed.change, holed.t) == (
        whole.before,
        whole.after,
        whole.change,
        whole.t,
    )


def test_nothing_is_compared_when_no_pair_is_complete_and_it_is_said() -> None:
    for before, after in (([], []), ([1.0, None], [None, 2.0])):
        c = before_after(before, after, log=True)
        assert (c.n, c.n_missing) == (0, len(before))
        assert (c.t, c.wilcoxon, c.pratt, c.shift, c.dz, c.g, c.ratio) == (None,) * 7
        assert c.change.mean is None
        assert any("signed-rank" in note for note in c.notes)


def test_one_pair_has_a_shift_and_no_t_test() -> None:
    c = before_after([3.0], [2.0])
    assert c.t is None and c.shift is not None and c.wilcoxon is not None
    assert (c.shift.estimate, c.shift.lower, c.shift.upper) == (-1.0, -inf, inf)
    assert c.wilcoxon.pvalue == 1.0


def test_changes_that_are_all_zero_give_p_1_and_no_t_test() -> None:
    c = before_after([3.0, 5.0, 4.0], [3.0, 5.0, 4.0])
    assert c.wilcoxon is not None and c.pratt is not None
    assert c.wilcoxon.pvalue == c.pratt.pvalue == 1.0
    assert c.t is None and c.dz is None
    assert any("paired t test" in note for note in c.notes)


def test_the_direction_of_improvement_turns_the_probability_of_improvement() -> None:
    lower, higher = (before_after(X, Y, better=b).improvement for b in ("lower", "higher"))
    assert lower is not None and higher is not None
    # 4 of 6 fall, 1 is unchanged and counts half
    assert lower.estimate == pytest.approx(4.5 / 6)
    assert lower.estimate + higher.estimate == pytest.approx(1)


def test_what_cannot_be_compared_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="before has 2 values and after has 1; they are pairs"):
        before_after([1.0, 2.0], [1.0])
    for value in (inf, -inf):
        with pytest.raises(ValueError, match="infinite"):
            before_after([1.0, value], [1.0, value])
    with pytest.raises(ValueError, match="beyond the largest number"):
        before_after([1.7e308, 1.0], [-1.7e308, 2.0])


def test_an_interval_beyond_the_largest_number_is_a_note() -> None:
    c = before_after([1e90, 1e-90], [1e-90, 1e90], log=True)
    assert c.ratio is None
    assert "geometric mean ratio: the interval reaches beyond the largest number" in c.notes


def test_differences_are_those_of_the_decimals_that_were_written() -> None:
    assert differences([46.4, 0.1, 1.1], [53.5, 7.2, 8.2]) == [7.1, 7.1, 7.1]


tenths = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda p: (p[0] / 10, p[1] / 10)),
    min_size=2,
    max_size=7,
)


@settings(max_examples=15, deadline=None)
@given(tenths, st.randoms(use_true_random=False))
def test_the_order_of_patients_changes_nothing(pairs: list[Any], random: Any) -> None:
    shuffled = random.sample(pairs, len(pairs))
    one, other = (before_after([b for b, _ in p], [a for _, a in p]) for p in (pairs, shuffled))
    assert one.wilcoxon == other.wilcoxon
    assert one.pratt == other.pratt
    assert one.shift == other.shift


@settings(max_examples=15, deadline=None)
@given(tenths)
def test_after_and_before_exchanged_give_the_same_p_and_the_opposite_shift(
    pairs: list[Any],
) -> None:
    def compared(sides: list[Any]) -> BeforeAfter:
        return before_after([b for b, _ in sides], [a for _, a in sides])

    one, other = compared(pairs), compared([(a, b) for b, a in pairs])
    assert one.wilcoxon is not None and other.wilcoxon is not None
    assert one.shift is not None and other.shift is not None
    assert one.wilcoxon.pvalue == pytest.approx(other.wilcoxon.pvalue, rel=1e-12)
    assert one.shift.estimate == pytest.approx(-other.shift.estimate, abs=1e-9)
    assert one.shift.lower == pytest.approx(-other.shift.upper, abs=1e-9)


# -- the plan -------------------------------------------------------------------------------------


def test_every_analysis_is_done_under_every_baseline_rule_the_primary_one_first(
    demo: Results, study: Study
) -> None:
    expected = [(a.id, r.id) for a in study.analyses for r in study.baseline.rules]
    assert [(o.analysis.id, o.baseline.id) for o in demo.outcomes] == expected
    assert [o.baseline.id for o in demo.outcomes if o.primary_baseline] == ["month-3"] * 7
    assert len({o.id for o in demo.outcomes}) == len(demo.outcomes)


def test_zero_rule_scale_direction_and_level_of_the_study_file_reach_the_comparison(
    demo: Results,
) -> None:
    primary, protein, egfr = (
        demo.main(a).comparison for a in ("primary.sledai", "secondary.uprot", "exploratory.egfr")
    )
    assert primary is not None and protein is not None and egfr is not None
    assert primary.shift is not None and primary.shift.zeros == "pratt"
    assert primary.ratio is None
    # R 4.2.2: l <- t.test(log(after), log(before), paired = TRUE); exp(c(l$estimate, l$conf.int)), proteins above
    assert protein.ratio is not None
    found = (protein.ratio.estimate, protein.ratio.lower, protein.ratio.upper)
    expected = (0.515404800931735, 0.231698693557656, 1.146498086565077)
    assert found == pytest.approx(expected, rel=1e-12)
    # Higher is better: 4 of 9 rise, 3 are unchanged and count half, 2 fall (creatinine in construct.py)
    assert egfr.improvement is not None
    assert egfr.improvement.estimate == pytest.approx(5.5 / 9)


def test_an_outcome_names_every_entry_of_its_pairs(demo: Results) -> None:
    outcome = demo.main("secondary.uprot")
    assert len(outcome.seqs) == 18  # nine patients, one protein before and one after
    texts = {e.seq: e for e in demo.data.records.snapshot.entries}
    assert {texts[s].key.item for s in outcome.seqs} == {"UPROT24H"}


def test_the_p_of_an_analysis_is_that_of_its_own_method_side_and_zero_rule(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    old = "measure: UPROT24H\n    at: M3\n    method: paired_t"
    before, after = [x / 10 for x in X], [y / 10 for y in Y]
    expected = {
        # R: t.test(Y, X, paired = TRUE, alternative = "less"); wilcox.exact((Y - X)[Y != X], alternative = "less");
        # wilcox.test(Y, X, paired = TRUE, exact = FALSE, correct = TRUE), and FALSE
        "paired_t\n    alternative: less": 0.0217680445979318,
        "signed_rank\n    zeros: wilcoxon\n    alternative: less": 0.0625,
        "signed_rank_normal\n    zeros: wilcoxon\n    correction: true": 0.104059234528928,
        "signed_rank_normal\n    zeros: wilcoxon\n    correction: false": 0.0782481864330958,
        "descriptive": None,
    }
    for method, p in expected.items():
        study = study_with((old, old.replace("paired_t", method)), NO_ORDER)
        trial = trial_of(study).protein(before, after)  # type: ignore[arg-type]
        outcomes = run_analyses(Datasets(trial.records))
        found = next(o for o in outcomes if o.analysis.id == "secondary.uprot").pvalue
        assert found == (None if p is None else pytest.approx(p, rel=1e-12)), method


def test_missing_pairs_of_the_treated_are_counted_and_nobody_untreated_is(trial: Any) -> None:
    trial.protein([2.0, 3.0, None, 1.0], [1.0, None, 2.0, 0.5])
    trial.put("S9", "M-3", "URINE", URDT="2017-03-02", UPROT24H=9.0)  # screened, never infused
    outcomes = run_analyses(Datasets(trial.records))
    c = next(o for o in outcomes if o.analysis.id == "secondary.uprot").comparison
    assert c is not None
    assert (c.n, c.n_missing) == (2, 2)


# -- responders -----------------------------------------------------------------------------------


def responders_of(study: Study, trial: Any) -> Any:
    outcomes = run_analyses(Datasets(trial.records))
    return next(o for o in outcomes if o.analysis.id == "responders.sledai").responders


@pytest.fixture
def halving(study_with: Make) -> Study:
    """The study with another responder rule: protein falls by half or more."""
    return study_with(
        (
            "measure: SLEDAI.total, at: M3, method: responders, response: CHG <= -4",
            "measure: UPROT24H, at: M3, method: responders, response: PCHG <= -50",
        )
    )


def test_responders_among_the_known_with_the_unknown_between_none_and_all(
    halving: Study, trial_of: Callable[[Study], Any]
) -> None:
    trial = trial_of(halving).protein([2.0, 2.0, 2.0, 2.0], [1.0, 0.5, 1.1, None])
    r = responders_of(halving, trial)
    assert (r.responders, r.known, r.unknown) == (("S1", "S2"), 3, ("S4",))
    # R: binom.test(2, 3)$conf.int; binom.test(2, 4)$conf.int; binom.test(3, 4)$conf.int
    expected = {
        "interval": (2 / 3, 0.0942993240502461, 0.9915962413403874),
        "worst": (2 / 4, 0.067585986488543, 0.932414013511457),
        "best": (3 / 4, 0.194120449683243, 0.993690536790290),
    }
    for name, numbers in expected.items():
        i = getattr(r, name)
        assert (i.estimate, i.lower, i.upper) == pytest.approx(numbers, rel=1e-9), name


def test_a_percentage_of_nothing_is_unknown_and_no_failure(
    halving: Study, trial_of: Callable[[Study], Any]
) -> None:
    r = responders_of(halving, trial_of(halving).protein([0.0, 2.0], [1.0, 0.4]))
    assert (r.responders, r.known, r.unknown) == (("S2",), 1, ("S1",))


def test_nobody_judged_has_no_interval(halving: Study, trial_of: Callable[[Study], Any]) -> None:
    r = responders_of(halving, trial_of(halving).protein([2.0], [None]))
    assert (r.responders, r.known, r.unknown, r.interval) == ((), 0, ("S1",), None)
    assert (r.worst.estimate, r.best.estimate) == (0.0, 1.0)
    nobody = responders_of(halving, trial_of(halving))
    assert (nobody.known, nobody.interval, nobody.worst, nobody.best) == (0, None, None, None)


# -- renal response -------------------------------------------------------------------------------


def test_ranjbars_definition_on_the_constructed_records_by_hand(demo: Results) -> None:
    # Complete: < 0.5 g/24 h; partial: more than half gone. Protein from construct.py, month -3 to month 3:
    # 2.9-0.3 CR, 3.1-0.4 CR, 1.2-0.9, 0.9-2.2, 0.9-0.6, 1.8-0.5 PR, 1.6-0.8 exactly half: none, 0.7-0.6, 5.6-7.4
    row = demo.main("responders.renal").renal[0]
    assert row.definition == "ranjbar_2022"
    levels = [row.at_visit[s].level for s in demo.data.records.treated]
    assert levels == ["CR", "CR", "NR", "NR", "NR", "PR", "NR", "NR", "NR"]


def test_the_baseline_rule_changes_the_class(trial: Any) -> None:
    trial.protein([2.0], [0.9])  # 55 % gone since month -3
    trial.put("S1", "D0", "URINE", URDT="2017-06-01", UPROT24H=1.6)  # 44 % gone since the infusion
    outcomes = [o for o in run_analyses(Datasets(trial.records)) if o.renal]
    levels = {o.baseline.id: o.renal[0].at_visit["S1"].level for o in outcomes}
    assert levels == {"month-3": "PR", "last": "NR", "run-in": "NR"}  # mean 1.8: exactly half gone


def test_best_ever_looks_at_every_visit_after_the_infusion(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    old = "    - {id: M3, label: 3 months after, day: 91,"
    month_1 = (
        "    - {id: M1, label: 1 month after, day: 30, window: [-7, 7], forms: [URINE, LABS]}\n"
    )
    trial = trial_of(study_with((old, month_1 + old))).protein([2.0], [1.8])
    trial.put("S1", "M1", "URINE", URDT="2017-06-30", UPROT24H=0.3)
    outcomes = run_analyses(Datasets(trial.records))
    row = next(o for o in outcomes if o.renal).renal[0]
    assert (row.at_visit["S1"].level, row.best_ever["S1"].level) == ("NR", "CR")


@pytest.mark.parametrize("value", ["-2.1", "abc", "1e400", "nan", "inf", "0"])
def test_an_impossible_value_stops_no_analysis(trial: Any, value: str) -> None:
    trial.protein([2.0, 2.0, 2.0], [1.0, 1.5, 0.4])
    trial.put("S1", "M3", "URINE", UPROT24H=(value, "g/(24.h)"))
    trial.put("S1", "M3", "LABS", CREAT=(value, "mg/dL"), PLT=(value, "10*9/L"))
    trial.sledai("S1", "M3", "2017-08-30")
    results = run(trial.records)
    assert any(p.id.startswith("value.") for p in results.problems)
    assert len(results.outcomes) == 21


# -- chance without an effect ---------------------------------------------------------------------


def comparator(change: float = -3, sd: float = 5, id: str = "c") -> Comparator:
    return Comparator(
        id=id, measure="SLEDAI.total", text="t", change=change, sd=sd, citation="none"
    )


def power_of_the_t_test(n: int, change: float, sd: float) -> float:
    """From the definition: t is noncentral with n - 1 degrees of freedom and noncentrality change / (sd / sqrt n)."""
    from scipy.special import nctdtr, stdtrit

    limit, shift = stdtrit(n - 1, 0.975), change / (sd / sqrt(n))
    return float(nctdtr(n - 1, shift, -limit) + 1 - nctdtr(n - 1, shift, limit))


@pytest.mark.parametrize(
    ("change", "sd", "t", "signed_rank"),
    [
        # t: R, power.t.test(n = 9, delta = 3, sd = 5, type = "paired", strict = TRUE), and so on.
        # signed rank: R, rejections among 200,000 samples of 9 normal changes, set.seed(1), psignrank; SE 0.001
        (-3.0, 5.0, 0.3544, 0.3003),
        (-4.8, 6.0, 0.5591, None),
        (-5.0, 8.0, 0.3790, None),
    ],
)
def test_trials_of_nine_without_an_effect_are_significant_as_often_as_theory_says(
    change: float, sd: float, t: float, signed_rank: float | None
) -> None:
    found = chance_without_effect(comparator(change, sd), 9, np.random.default_rng(20181230))
    assert round(power_of_the_t_test(9, change, sd), 4) == t
    assert abs(found.t - t) < 4 * sqrt(t * (1 - t) / 20_000)
    if signed_rank is not None:
        assert abs(found.signed_rank - signed_rank) < 4 * sqrt(0.3 * 0.7 / 20_000)


def test_without_any_change_the_level_is_that_of_the_exact_test() -> None:
    found = chance_without_effect(comparator(0, 5), 9, np.random.default_rng(1))
    level = (
        20 / 512
    )  # T at most 5 of 45: 10 of 2^9 sign patterns on each side; one more would be 28 / 512
    assert abs(found.signed_rank - level) < 4 * sqrt(level * (1 - level) / 20_000)
    assert abs(found.t - 0.05) < 4 * sqrt(0.05 * 0.95 / 20_000)


def test_five_patients_can_never_be_significant_by_the_exact_test() -> None:
    assert chance_without_effect(comparator(-30, 5), 5, np.random.default_rng(1)).signed_rank == 0.0


def test_the_monte_carlo_error_is_that_of_the_larger_share() -> None:
    found = chance_without_effect(comparator(), 9, np.random.default_rng(1), trials=1000)
    assert found.trials == 1000
    assert found.error == sqrt(found.t * (1 - found.t) / 1000)


def shares(study: Study, n: int = 9) -> dict[str, tuple[float, float]]:
    data = Datasets(Records(study, Snapshot(())))
    found = chances(data, "SLEDAI.total", [float(10 + k) for k in range(n)], None)
    return {c.id: (c.t, c.signed_rank) for c in found}


def test_the_same_study_gives_the_same_shares_and_another_seed_others(
    study: Study, study_with: Make
) -> None:
    assert shares(study) == shares(study)
    assert shares(study) != shares(study_with(("seed: 20181230", "seed: 20181231")))


def test_a_comparator_more_moves_no_others_numbers_and_has_a_stream_of_its_own(
    study: Study, study_with: Make
) -> None:
    first = "comparators:\n"
    twin = "  - {id: twin, measure: SLEDAI.total, text: the same again, change: -3, sd: 5, citation: none}\n"
    found = shares(study_with((first, first + twin)))
    added = found.pop("twin")
    assert found == shares(study)
    assert added != found["cautious-sledai"]  # the same change and SD, other draws


def test_a_trial_of_one_or_none_has_no_chance_to_speak_of(study: Study) -> None:
    assert shares(study, 1) == shares(study, 0) == {}


def test_the_trials_without_effect_are_as_large_as_the_primary_analysis(trial: Any) -> None:
    trial.protein([2.0, 3.0, 1.0, None], [1.0, 2.0, 0.5, 0.5])
    trial.put(
        "S4", "D0", "URINE", URDT="2017-06-01", UPROT24H=2.0
    )  # has a baseline under other rules
    results = run(trial.records)
    assert [o.comparison.n for o in results.of("secondary.uprot") if o.comparison] == [3, 4, 4]
    assert {c.n for c in results.chances["UPROT24H"]} == {3}


# -- published numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected", "anchor"),
    [
        ("subjects.treated", 9.0, "#from-flow"),
        ("subjects.AGE.median", 29.0, "#from-char-AGE"),
        ("subjects.AGE.mean", 29.0, "#from-char-AGE"),  # 261 years in nine patients
        ("subjects.SEX.M.count", 1.0, "#from-char-SEX"),
        ("subjects.REFRACTORY.yes.percent", 100.0, "#from-char-REFRACTORY"),
        ("primary.sledai.change.mean", -85 / 9, "#from-primary.sledai.month-3"),
        ("primary.sledai.p", 2 / 256, "#from-primary.sledai.month-3"),
        ("responders.sledai.responders.count", 7.0, "#from-responders.sledai.month-3"),
        ("responders.sledai.responders.percent", 700 / 9, "#from-responders.sledai.month-3"),
        ("safety.any.subjects", 1.0, "#from-safety"),
        ("safety.hypertension.percent", 100 / 9, "#from-safety"),
        ("safety.serious.subjects", 0.0, "#from-safety"),
        ("safety.other.subjects", 0.0, "#from-safety"),
        ("safety.Rash.subjects", 0.0, "#from-safety"),
    ],
)
def test_a_path_names_one_number_and_where_it_comes_from(
    demo: Results, path: str, expected: float, anchor: str
) -> None:
    value, href = resolve(demo, path)
    assert value == pytest.approx(expected, rel=1e-12)
    assert href == anchor


@pytest.mark.parametrize(
    "path",
    [
        "subjects",
        "subjects.NOTHING.median",
        "primary.sledai",
        "primary.sledai.before.nothing",
        "primary.sledai.responders.count",
        "no.such.analysis.p",
        "safety.any",
        "safety.any.nothing",
        "",
    ],
)
def test_a_path_to_nothing_is_no_number_and_no_error(demo: Results, path: str) -> None:
    assert resolve(demo, path)[0] is None


def test_nothing_is_reproduced_by_nobody(study: Study) -> None:
    results = run(Records(study, Snapshot(())))
    by_text = {c.text: c.agrees for c in results.published}
    assert by_text["Patients with any other adverse event"] is None  # 0 of 0 is not 0 of 9
    assert True not in by_text.values()


def test_a_number_that_differs_is_said_to_differ(study_with: Make, demo_records: Records) -> None:
    study = study_with(
        ("text: 'SLEDAI before, SD', value: '5.8'", "text: 'SLEDAI before, SD', value: '5.7'")
    )
    results = run(Records(study, demo_records.snapshot))
    assert [c.text for c in results.published if c.agrees is not True] == ["SLEDAI before, SD"]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (2.25, 1, "2.3"),  # to even would be 2.2
        (0.0145, 3, "0.015"),  # in binary 0.01449999...
        (-2.25, 1, "-2.3"),
        (0.5, 0, "1"),
        (88.88888888888889, 1, "88.9"),
        (9.0, 0, "9"),
        (1e-9, 3, "0.000"),
    ],
)
def test_rounding_is_half_up_in_decimal(value: float, decimals: int, text: str) -> None:
    assert round_half_up(value, decimals) == text


# -- deviations -----------------------------------------------------------------------------------


def test_visits_outside_their_window_and_broken_dose_rules_are_deviations_found(
    trial: Any, demo: Results
) -> None:
    assert [(d.subject, d.what, d.source) for d in demo.deviations] == [
        ("007", "visit M3 done 2 days after its window", "visit window")
    ]
    (deviation,) = demo.deviations
    named = [e.key for e in demo.data.records.snapshot.entries if e.seq in deviation.seqs]
    assert {(k.about, k.visit, k.item) for k in named} == {
        ("007", "M3", "SLEDT"),
        ("007", "M3", "URDT"),
        ("007", "M3", "LBDT"),
    }
    trial.put("S1", "D0", "WEIGHT", WEIGHT=60)
    trial.put(
        "S1", "D0", "INFUSION", INFDT="2017-06-01", VCELLS=7.0e7
    )  # planned 6.0e7, tolerance 10 %
    trial.put("S1", "", "DEVIATION", DVTERM="Consent signed late", DVDT="2017-06-01", DVIMP=True)
    found = run(trial.records).deviations
    assert [d.source for d in found] == ["reported", "eligibility", "product rule"]
    assert found[1].what == "infused with eligibility unknown (I1 unknown, I2 unknown, I3 unknown)"
    assert found[0].important is True
