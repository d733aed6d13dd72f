"""Eligibility: met, not met or unknown, with the evidence; what is missing never decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from onearm.eligibility import Assessment, CriterionResult, assess
from onearm.instruments import Bounds
from onearm.records import Records
from onearm.study import Study

I2 = "- {id: I2, text: Resistant to standard treatment, rule: REFRACTORY}"


def rule(text: str, within: str = "") -> str:
    limit = f", within: {within}" if within else ""
    return f"- {{id: I2, text: A rule, rule: '{text}'{limit}}}"


def excluded(text: str, within: str = "") -> tuple[str, str]:
    return "exclusion: []", f"exclusion:\n    {rule(text, within).replace('I2', 'E1')}"


def result(records: Records, criterion: str, subject: str = "S1") -> CriterionResult:
    return next(r for r in assess(records, subject).results if r.criterion.id == criterion)


def enrol(trial, day: str = "2017-01-01", subject: str = "S1", **other) -> None:
    answers = {"LNCLASS": "IV", "REFRACTORY": True, "ENROLDT": day} | other
    trial.put(subject, "M-3", "ELIG", ELIGDT="2016-12-20", **answers)


# -- one criterion --------------------------------------------------------------------------------


def test_a_met_criterion_shows_its_value_its_date_and_its_entry(trial) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=(1800, "mg/(24.h)"))
    found = result(trial.records, "I3")
    assert (found.met, found.words, found.note) == (True, "met", "")
    protein = found.evidence[0]
    assert (protein.name, protein.value, protein.shown) == ("UPROT24H", 1.8, "1800 mg/(24.h)")
    assert (protein.date, protein.within) == (date(2016, 12, 20), True)
    assert protein.seqs == (trial.records.at("S1", "UPROT24H", "M-3").entry.seq,)


YES, NO = (
    {"UPROT24H": 1.8, "URBC": 30, "CELLCAST": True},
    {
        "UPROT24H": 1.0,
        "URBC": 10,
        "CELLCAST": False,
    },
)


@pytest.mark.parametrize(
    ("protein", "cells", "casts", "met"),
    [
        # UPROT24H > 1.0 or URBC > 10 or CELLCAST; both limits are strict
        ("yes", "no", "no", True),
        ("no", "yes", "no", True),
        ("no", "no", "yes", True),
        ("no", "no", "no", False),
        ("yes", "missing", "missing", True),
        ("missing", "missing", "yes", True),
        ("missing", "no", "no", None),
        ("no", "missing", "no", None),
        ("no", "no", "missing", None),
        ("missing", "missing", "missing", None),
    ],
)
def test_or_is_true_with_one_true_part_and_unknown_when_only_a_missing_part_could_decide(
    trial, protein: str, cells: str, casts: str, met: bool | None
) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20")
    for item, state in (("UPROT24H", protein), ("URBC", cells), ("CELLCAST", casts)):
        if state != "missing":
            trial.put("S1", "M-3", "URINE", **{item: (YES if state == "yes" else NO)[item]})
    assert result(trial.records, "I3").met is met


@pytest.mark.parametrize(
    ("protein", "cells", "met"),
    [
        (1.8, 30, True),
        (1.8, 3, False),
        (None, 3, False),
        (None, 30, None),
        (1.8, None, None),
        (None, None, None),
    ],
)
def test_and_is_false_with_one_false_part_whatever_is_missing(
    study_with: Callable[..., Study], trial_of, protein, cells, met: bool | None
) -> None:
    trial = trial_of(study_with((I2, rule("UPROT24H > 1.0 and URBC > 10"))))
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=protein, URBC=cells)
    found = result(trial.records, "I2")
    assert found.met is met
    assert [part.operator for part in (found.explanation, *found.explanation.parts)] == [
        "AND",
        "",
        "",
    ]


def test_an_unknown_criterion_says_what_is_not_there(trial) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=None, URBC=3)
    found = result(trial.records, "I3")
    assert (found.met, found.words) == (None, "unknown")
    assert found.note == "UPROT24H not done; CELLCAST not recorded"


def test_a_value_that_cannot_be_read_is_unknown(trial) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H="1,8", URBC=3, CELLCAST=False)
    found = result(trial.records, "I3")
    assert found.met is None
    assert found.note == "UPROT24H 1,8 g/(24.h)"


def test_a_redacted_value_is_unknown_and_says_so(trial) -> None:
    trial.record(trial.draft("S1", "M-3", "ELIG", "LNCLASS", "IV"), redacted=True)
    found = result(trial.records, "I1")
    assert (found.met, found.note) == (None, "LNCLASS redacted")


# -- scores known by their bounds -----------------------------------------------------------------


def nine_to_thirteen(trial) -> None:
    """Seizure 8 and fever 1, and proteinuria open: nobody measured it."""
    trial.labs("S1", "M-3", "2016-12-20", UPROT24H=None, TEMP=38.4)
    trial.sledai("S1", "M-3", "2016-12-20", yes="SEIZURE FEVER PROTEIN")


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("SLEDAI.total > 8", True),
        ("SLEDAI.total >= 9", True),
        ("SLEDAI.total > 10", None),
        ("SLEDAI.total > 12", None),
        ("SLEDAI.total > 13", False),
        ("SLEDAI.total < 14", True),
        ("SLEDAI.total == 9", None),
        ("SLEDAI.total == 14", False),
        ("SLEDAI.extrarenal == 9", True),
        ("SLEDAI.renal <= 4", True),
    ],
)
def test_a_score_known_to_lie_between_9_and_13_decides_only_what_all_of_it_agrees_on(
    study_with: Callable[..., Study], trial_of, text: str, met: bool | None
) -> None:
    trial = trial_of(study_with((I2, rule(text))))
    nine_to_thirteen(trial)
    found = result(trial.records, "I2")
    if text.startswith("SLEDAI.total"):
        assert found.evidence[0].value == Bounds(9, 13)
        assert found.evidence[0].shown == "9 to 13"
    assert found.met is met
    assert found.note == ("" if met is not None else "SLEDAI.total 9 to 13")


def test_an_exclusion_by_a_score_known_by_bounds_stays_unknown(
    study_with: Callable[..., Study], trial_of
) -> None:
    trial = trial_of(study_with(excluded("SLEDAI.total > 10")))
    nine_to_thirteen(trial)
    assert result(trial.records, "E1").met is None


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampled", "met", "shown"),
    [
        ("2016-12-01", True, "1.8 g/(24.h)"),  # one calendar month before 1 January
        ("2016-11-30", None, "1.8 g/(24.h), of 2016-11-30, outside the limit of 1 month"),
        ("2017-01-01", True, "1.8 g/(24.h)"),
        ("2017-01-02", None, "not recorded"),
    ],
)
def test_a_limit_is_inclusive_and_what_lies_outside_it_is_unknown_and_says_so(
    trial, sampled: str, met: bool | None, shown: str
) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT=sampled, UPROT24H=1.8, URBC=3, CELLCAST=False)
    found = result(trial.records, "I3")
    assert found.met is met
    assert found.evidence[0].shown == shown
    if met is None:
        assert f"UPROT24H {shown}" in found.note


@pytest.mark.parametrize("name", ["SLEDAI.total > 8", "EGFR < 200"])
def test_a_score_or_derived_value_outside_the_limit_is_unknown_and_says_so(
    study_with: Callable[..., Study], trial_of, name: str
) -> None:
    trial = trial_of(study_with((I2, rule(name, "P1M"))))
    enrol(trial)
    trial.put("S1", "M-3", "DEMOG", AGE=24, SEX="F")
    trial.labs("S1", "M-3", "2016-11-30", TEMP=38.4)
    trial.sledai("S1", "M-3", "2016-11-30", yes="SEIZURE FEVER")
    found = result(trial.records, "I2")
    assert found.met is None
    assert found.evidence[0].within is False
    assert found.note.endswith(", of 2016-11-30, outside the limit of 1 month")
    assert result(enrolled_on(trial, "2016-12-30"), "I2").met is True


def enrolled_on(trial, enrolled: str) -> Records:
    """The same records with another reference date."""
    enrol(trial, enrolled)
    return trial.records


def test_an_undated_value_is_not_known_to_be_inside_a_limit(trial) -> None:
    enrol(trial)
    trial.put("S1", "M-3", "URINE", UPROT24H=1.8)
    found = result(trial.records, "I3")
    assert found.met is None
    assert "UPROT24H 1.8 g/(24.h), undated, so not known to be inside the limit" in found.note


def test_without_a_reference_date_a_limit_cannot_be_judged_and_says_so(trial) -> None:
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=1.8)
    found = result(trial.records, "I3")
    assert found.met is None
    assert "1.8 g/(24.h), without a reference date to count 1 month back from" in found.note
    assert assess(trial.records, "S1").reference is None


def test_a_value_after_the_reference_date_is_not_used(trial) -> None:
    enrol(trial, "2017-01-01")
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=0.4, URBC=1, CELLCAST=False)
    trial.put("S1", "D0", "URINE", URDT="2017-01-09", UPROT24H=2.4, URBC=40, CELLCAST=True)
    found = result(trial.records, "I3")
    assert found.met is False
    assert [e.value for e in found.evidence] == [0.4, 1.0, False]


def test_of_two_values_before_the_reference_date_the_later_one_counts(trial) -> None:
    enrol(trial, "2017-01-10")
    trial.put("S1", "D0", "URINE", URDT="2017-01-09", UPROT24H=0.4, URBC=1, CELLCAST=False)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=2.4, URBC=40, CELLCAST=True)
    assert result(trial.records, "I3").met is False


@pytest.mark.parametrize("name", ["SLEDAI.total >= 8", "EGFR < 80"])
def test_of_two_scores_or_derived_values_the_later_one_counts(
    study_with: Callable[..., Study], trial_of, name: str
) -> None:
    trial = trial_of(study_with((I2, rule(name))))
    enrol(trial, "2017-01-10")
    trial.put("S1", "M-3", "DEMOG", AGE=24, SEX="F")
    for visit, day, found, creatinine in (
        ("D0", "2017-01-09", "", 0.8),  # entered first, the later of the two
        ("M-3", "2016-12-20", "SEIZURE", 2.0),
    ):
        trial.labs("S1", visit, day, CREAT=creatinine)
        trial.sledai("S1", visit, day, yes=found)
    assert result(trial.records, "I2").met is False


def test_an_undated_value_of_the_day_of_infusion_counts(
    study_with: Callable[..., Study], trial_of
) -> None:
    trial = trial_of(study_with((I2, rule("WEIGHT > 50"))))
    trial.put("S1", "D0", "WEIGHT", WEIGHT=60)
    assert result(trial.records, "I2").met is True


def test_what_was_measured_after_the_infusion_never_makes_anybody_eligible(
    study_with: Callable[..., Study], trial_of
) -> None:
    # nobody wrote the date of the enrolment decision
    trial = trial_of(study_with((I2, rule("URBC > 10"))))
    trial.put("S1", "M-3", "URINE", URDT="2016-10-09", URBC=3)
    trial.put("S1", "D0", "INFUSION", INFDT="2017-01-09")
    trial.put("S1", "M3", "URINE", URDT="2017-04-08", URBC=40)
    trial.put("S2", "M3", "URINE", URBC=40)  # undated, but at a visit after the infusion
    assert result(trial.records, "I2").met is False
    assert result(trial.records, "I2", "S2").met is None


# -- one subject ----------------------------------------------------------------------------------


def test_an_inclusion_that_does_not_hold_and_an_exclusion_that_holds_speak_against(
    study_with: Callable[..., Study], trial_of
) -> None:
    trial = trial_of(study_with(excluded("URBC > 100")))
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=1.8, URBC=101, CELLCAST=False)
    found = assess(trial.records, "S1")
    assert {r.criterion.id: r.met for r in found.results} == {
        "I1": True,
        "I2": True,
        "I3": True,
        "E1": False,
    }
    exclusion = found.results[-1]
    assert (exclusion.inclusion, exclusion.explanation.truth) == (False, True)
    assert found.decision == "not eligible"
    assert found.reasons == ("E1 not met: A rule",)


@pytest.mark.parametrize(
    ("cells", "met", "decision"),
    [(30, True, "eligible"), (101, False, "not eligible"), (None, None, "undetermined")],
)
def test_an_exclusion_speaks_for_the_subject_when_its_rule_does_not_hold(
    study_with: Callable[..., Study], trial_of, cells, met: bool | None, decision: str
) -> None:
    trial = trial_of(study_with(excluded("URBC > 100")))
    enrol(trial)
    trial.put("S1", "M-3", "URINE", URDT="2016-12-20", UPROT24H=1.8, URBC=cells, CELLCAST=True)
    assert result(trial.records, "E1").met is met
    assert assess(trial.records, "S1").decision == decision


def test_one_criterion_against_outweighs_any_number_that_are_unknown(trial) -> None:
    enrol(trial, LNCLASS="V")
    found = assess(trial.records, "S1")
    assert [r.words for r in found.results] == ["not met", "met", "unknown"]
    assert found.decision == "not eligible"
    assert [reason.partition(":")[0] for reason in found.reasons] == ["I1 not met", "I3 unknown"]


def test_nothing_recorded_is_undetermined_never_not_eligible(trial) -> None:
    trial.put("S1", "M-3", "DEMOG", AGE=24)
    found = assess(trial.records, "S1")
    assert found.decision == "undetermined"
    assert {r.met for r in found.results} == {None}


def test_a_screen_failure_stays_listed_with_its_reasons(trial) -> None:
    enrol(trial, LNCLASS="V")
    trial.put("S1", "", "DISPOSITION", DSDECOD="screen failure", DSDT="2017-01-01")
    enrol(trial, subject="S2")
    assert trial.records.subjects == ("S1", "S2")
    found = assess(trial.records, "S1")
    assert found.decision == "not eligible"
    assert found.reasons[0].startswith("I1 not met: Lupus nephritis class III or IV")


def test_all_nine_of_the_demonstration_are_eligible_under_the_abstracts_criteria(
    demo_records: Records,
) -> None:
    found: list[Assessment] = [assess(demo_records, s) for s in demo_records.subjects]
    assert {a.decision for a in found} == {"eligible"}
    assert all(e.seqs for a in found for r in a.results for e in r.evidence)


def test_the_registrys_criteria_refuse_what_the_abstracts_admit(
    study_with: Callable[..., Study], trial_of
) -> None:
    """A participant with red cells but little protein: OR in one source, AND in the other."""
    abstract, registry = trial_of(study_with()), trial_of(study_with(name="registry.yaml"))
    for trial, visit in ((abstract, "M-3"), (registry, "PRE")):
        trial.labs("S1", visit, "2016-12-20", UPROT24H=0.4, URBC=40)
        trial.sledai("S1", visit, "2016-12-20", yes="HAEMAT")
    enrol(abstract)
    registry.put("S1", "PRE", "ELIG", ELIGDT="2016-12-20", REFRACTORY=True, ENROLDT="2017-01-01")
    assert assess(abstract.records, "S1").decision == "eligible"
    assert assess(registry.records, "S1").decision == "not eligible"
    assert [r.words for r in assess(registry.records, "S1").results] == [
        "met",
        "not met",
        "unknown",
        "unknown",
    ]
