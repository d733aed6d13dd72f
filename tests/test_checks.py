"""The gate before the ledger, the state of visits, and what stands open in the records behind it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.checks import (
    VisitState,
    check_drafts,
    check_records,
    disposition,
    target_date,
    visit_states,
)
from onearm.dates import study_day
from onearm.errors import Problem
from onearm.ledger import Draft, Key
from onearm.study import Study, Visit

ROOT = Path(__file__).parents[1]
TODAY = date(2018, 12, 30)


def check(trial, *drafts: Draft) -> list[Problem]:
    return check_drafts(trial.study, drafts, trial.snapshot, today=TODAY)


def ids(problems: list[Problem]) -> list[str]:
    return [p.id for p in problems]


def entered(trial, form: str, item: str, answer, visit: str = "M3") -> list[Problem]:
    """The problems of one answer typed into one item."""
    return check(trial, trial.draft("S1", visit, form, item, answer))


def draft(
    value: str | None = "1.8",
    unit: str = "g/(24.h)",
    missing: str = "",
    reason: str = "",
    **key,
) -> Draft:
    where = {"kind": "subject", "about": "S1", "form": "URINE", "item": "UPROT24H", "visit": "M3"}
    return Draft(Key(**(where | key)), value, unit, missing, reason)


# -- drafts ---------------------------------------------------------------------------------------


def test_a_sound_draft_has_no_problem(trial) -> None:
    assert check(trial, draft()) == []


@pytest.mark.parametrize(
    ("wrong", "id", "words"),
    [
        ({"about": " "}, "about.empty", "the subject is empty; give its identifier"),
        ({"form": "URIN"}, "form.unknown", "'URIN' is not a form of this study; the forms are DEMOG, "),
        ({"item": "UPROT"}, "item.unknown", "'UPROT' is not an item of form URINE; its items are URDT, "),
        ({"kind": "donor"}, "about.kind", "form URINE is about a subject, not about a donor"),
        ({"visit": "M9"}, "visit.unknown", "'M9' is not a visit of this study; the visits are M-3, D0, M3"),
        ({"visit": ""}, "visit.missing", "form URINE belongs to a visit; name one of M-3, D0, M3"),
        ({"repeat": 2}, "repeat.single", "form URINE does not repeat, so its repeat is 1, found 2"),
        ({"missing": "not done"}, "value.and.missing", "('1.8') and a reason why it is missing ('not done')"),
        ({"value": None}, "value.empty", "give one, or one of the reasons: not done, not applicable, "),
        ({"value": None, "missing": "lost"}, "missing.reason", "'lost' is not a reason for a missing value"),
        ({"value": "1.8 "}, "value.blank", "'1.8 ' begins or ends with a blank; remove it"),
        ({"value": ""}, "value.blank", "'' begins or ends with a blank"),
        ({"value": "high"}, "value.number", "'high' is not a number with a decimal point"),
        ({"unit": ""}, "unit.missing", "UPROT24H has a unit; give it (the study uses g/(24.h))"),
        ({"unit": "mmol/L"}, "unit.unknown", "'mmol/L' cannot be read as g/(24.h) for UPROT24H"),
        ({"unit": "gramm"}, "unit.unknown", "'gramm' cannot be read as g/(24.h) for UPROT24H"),
        ({"about": "S\n1"}, "entry.refused", "holds a control character or a line break"),
        ({"reason": "a\x00b"}, "entry.refused", "holds a NUL character"),
    ],
)  # fmt: skip
def test_each_fault_has_its_id_and_says_what_to_do(trial, wrong, id: str, words: str) -> None:
    (problem,) = check(trial, draft(**wrong))
    assert (problem.id, problem.severity) == (id, "error")
    assert words in problem.message


def test_a_form_of_the_schedule_is_numbered_by_its_unscheduled_visit(
    study_with: Callable[..., Study], trial_of
) -> None:
    trial = trial_of(study_with(("  - id: URINE\n", "  - id: URINE\n    unscheduled: true\n")))
    assert check(trial, draft(visit="", repeat=3)) == []
    assert ids(check(trial, draft(visit="M3", repeat=3))) == ["repeat.single"]


def test_every_fault_of_a_draft_shows_at_once(trial) -> None:
    wrong = draft(value="1,8", unit="", kind="donor", visit="M9", repeat=2)
    assert ids(check(trial, wrong)) == [
        "about.kind",
        "value.number",
    ]
    wrong = draft(value="1,8", about="", visit="M9", repeat=2)
    assert ids(check(trial, wrong)) == [
        "about.empty",
        "visit.unknown",
        "repeat.single",
        "value.number",
    ]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("1,8", "; write 1.8"),
        ("-0,5", "; write -0.5"),
        ("0,125", "; write 0.125"),
        ("1,800", "; write 1.800 or 1800, whichever is meant"),
        ("\u06f1.\u06f8", "; write 1.8"),  # Persian digits
        ("\u06f1\u066b\u06f8", "; write 1.8"),  # Persian digits and decimal separator
        ("1.234,5", ""),
        ("1,2,3", ""),
        ("nan", ""),
        ("NaN", ""),
        ("inf", ""),
        ("-Infinity", ""),
        ("1_000", ""),
        ("0x1F", ""),
        ("1.8 g", ""),
        (">5", ""),
        ("1\u00b2", ""),
    ],
)
def test_what_is_no_number_is_refused_with_the_number_it_may_mean(
    trial, value: str, hint: str
) -> None:
    (problem,) = entered(trial, "URINE", "UPROT24H", value)
    assert problem.id == "value.number"
    assert problem.message == f"'{value}' is not a number with a decimal point{hint}"


@pytest.mark.parametrize("item", ["URBC", "UPROT24H"])
@pytest.mark.parametrize("value", ["1e999", "-1e999", "9e300"])
def test_a_number_beyond_all_measurement_is_refused(trial, item: str, value: str) -> None:
    (problem,) = entered(trial, "URINE", item, value)
    assert (problem.id, "too large" in problem.message) == ("value.number", True)


@pytest.mark.parametrize("value", ["24", "24.0", "+24", "2.4e1"])
def test_a_whole_number_may_be_written_in_any_way(trial, value: str) -> None:
    assert entered(trial, "DEMOG", "AGE", value, "M-3") == []


@pytest.mark.parametrize("value", ["24.5", "1e-3"])
def test_a_fraction_is_no_whole_number(trial, value: str) -> None:
    assert ids(entered(trial, "DEMOG", "AGE", value, "M-3")) == ["value.integer"]


def test_an_endless_whole_number_is_refused_and_breaks_nothing(trial) -> None:
    assert ids(entered(trial, "DEMOG", "AGE", "1e999", "M-3")) == ["value.number"]


@given(st.text(max_size=12))
def test_no_text_whatever_breaks_the_gate(study: Study, text: str) -> None:
    from onearm.ledger import Snapshot

    forms = {"URINE": ("UPROT24H", "URBC", "URDT", "CELLCAST"), "ELIG": ("LNCLASS",)}
    for form, items in forms.items():
        for item in items:
            unit = study.item(form, item).unit
            key = Key("subject", "S1", form, item, "M-3")
            check_drafts(study, [Draft(key, text, unit)], Snapshot(()), today=TODAY)


@pytest.mark.parametrize(
    ("value", "unit", "problem"),
    [
        ("30", "g/(24.h)", []),
        ("30.1", "g/(24.h)", ["value.range"]),
        ("-0.1", "g/(24.h)", ["value.range"]),
        ("1800", "mg/(24.h)", []),
        ("1800", "g/(24.h)", ["value.range"]),
        ("31000", "mg/(24.h)", ["value.range"]),
    ],
)
def test_the_plausible_range_is_inclusive_in_the_studys_unit_and_warns_only(
    trial, value: str, unit: str, problem: list[str]
) -> None:
    found = check(trial, draft(value, unit))
    assert ids(found) == problem
    assert all(p.severity == "warning" for p in found)


def test_an_implausible_value_is_shown_in_the_studys_unit_with_its_range(trial) -> None:
    (problem,) = check(trial, draft("31000", "mg/(24.h)"))
    assert problem.message == (
        "31 g/(24.h) is outside the plausible range 0 to 30 g/(24.h) of UPROT24H; look at the source and"
        " correct or confirm it"
    )


@pytest.mark.parametrize(
    ("form", "item", "value"),
    [
        ("URINE", "CELLCAST", "yes"),
        ("ELIG", "LNCLASS", "IV"),
        ("URINE", "URDT", "2017-04-08"),
        ("INFUSION", "LOT", "L1"),
    ],
)
def test_a_unit_belongs_to_numbers_only(trial, form: str, item: str, value: str) -> None:
    visit = {"ELIG": "M-3", "INFUSION": "D0"}.get(form, "M3")
    trial.put("L1", "", "COA", VIABILITY=90)
    assert entered(trial, form, item, value, visit) == []
    (problem,) = check(trial, trial.draft("S1", visit, form, item, (value, "kg")))
    assert problem.id == "unit.surplus"
    assert problem.message == f"{item} has no unit, found 'kg'; leave it empty"


@pytest.mark.parametrize("value", ["Yes", "y", "true", "1", "ja"])
def test_yes_and_no_are_written_out(trial, value: str) -> None:
    (problem,) = entered(trial, "URINE", "CELLCAST", value)
    assert (problem.id, problem.message) == ("value.yesno", f"'{value}' is neither yes nor no")


@pytest.mark.parametrize("value", ["iv", "4", "IV + V"])
def test_a_choice_is_one_of_its_codes(trial, value: str) -> None:
    (problem,) = entered(trial, "ELIG", "LNCLASS", value, "M-3")
    assert problem.id == "value.choice"
    assert "the choices are I, II, III, IV, V, III+V, IV+V, VI" in problem.message


@pytest.mark.parametrize(
    ("form", "item", "value", "problem"),
    [
        ("URINE", "URDT", "2017-04-08", []),
        ("URINE", "URDT", "2018-12-30", []),  # today
        ("URINE", "URDT", "2018-12-31", ["value.date.future"]),
        ("URINE", "URDT", "2017-04", ["value.date.partial"]),
        ("INFUSION", "INFDT", "2017", ["value.date.partial"]),
        ("URINE", "URDT", "2017-02-29", ["value.date"]),
        ("URINE", "URDT", "08.04.2017", ["value.date"]),
        ("URINE", "URDT", "1396-01-19", ["value.date.past"]),  # the solar Hijri calendar
        ("AE", "AESTDT", "1396", ["value.date.past"]),
        ("AE", "AESTDT", "1899", ["value.date.past"]),
        ("AE", "AESTDT", "1900", []),
        ("AE", "AESTDT", "2017-04", []),
        ("AE", "AESTDT", "2018", []),  # a day of 2018 may lie before today
        ("AE", "AESTDT", "2019", ["value.date.future"]),
        ("AE", "AESTDT", "2019-01", ["value.date.future"]),
    ],
)
def test_a_date_exists_is_whole_where_days_are_counted_and_not_in_the_future(
    trial, form: str, item: str, value: str, problem: list[str]
) -> None:
    visit = {"AE": "", "INFUSION": "D0"}.get(form, "M3")
    assert ids(entered(trial, form, item, value, visit)) == problem


def test_without_a_today_no_date_is_in_the_future(trial) -> None:
    future = trial.draft("S1", "M3", "URINE", "URDT", "2030-01-01")
    assert check_drafts(trial.study, [future], trial.snapshot) == []


def test_the_anchors_date_is_whole_whatever_its_role(study_with, trial_of) -> None:
    plain = ("{id: INFDT, label: Date of infusion, type: date, role: visit date}",
             "{id: INFDT, label: Date of infusion, type: date}")  # fmt: skip
    trial = trial_of(study_with(plain))
    assert ids(entered(trial, "INFUSION", "INFDT", "2017-01", "D0")) == ["value.date.partial"]


@pytest.mark.parametrize(
    ("form", "about", "visit", "problem"),
    [
        ("URINE", "S1", "M3", []),
        ("DEMOG", "S1", "M-3", []),
        ("DEMOG", "S1", "M3", ["visit.form"]),
        ("DISPOSITION", "S1", "", []),
        ("DISPOSITION", "S1", "M3", ["visit.surplus"]),
        ("COA", "L1", "", []),
        ("COA", "L1", "D0", ["visit.surplus"]),
        ("DONOR", "D1", "D0", ["visit.surplus"]),
    ],
)
def test_a_form_is_filled_in_where_the_schedule_has_it_and_nowhere_else(
    trial, form: str, about: str, visit: str, problem: list[str]
) -> None:
    item = {"URINE": "URBC", "DEMOG": "AGE", "DISPOSITION": "DSDT", "COA": "VIABILITY", "DONOR": "DNAGE"}  # fmt: skip
    answer = "2017-04-08" if form == "DISPOSITION" else 30
    assert ids(check(trial, trial.draft(about, visit, form, item[form], answer))) == problem


def test_a_lots_failed_test_cannot_be_hidden_behind_a_second_certificate(trial) -> None:
    trial.put("L1", "", "COA", VIABILITY=60)
    second = trial.draft("L1", "D0", "COA", "VIABILITY", 90)
    assert ids(check(trial, second)) == ["visit.surplus"]
    again = trial.draft("L1", "", "COA", "VIABILITY", 90)
    assert ids(check(trial, again)) == ["reason.missing"]


def test_a_form_that_is_unscheduled_too_needs_no_visit(study_with, trial_of) -> None:
    both = ("    label: Weight\n", "    label: Weight\n    unscheduled: true\n")
    trial = trial_of(study_with(both))
    for visit, problem in (("D0", []), ("", []), ("M3", ["visit.form"])):
        assert ids(check(trial, trial.draft("S1", visit, "WEIGHT", "WEIGHT", 60))) == problem


# -- changes, duplicates, references --------------------------------------------------------------


def test_a_change_needs_a_reason_and_names_what_stands(trial) -> None:
    trial.put("S1", "M3", "URINE", UPROT24H=1.8)
    (problem,) = check(trial, draft("2.8"))
    assert problem.id == "reason.missing"
    assert problem.message == (
        "subject S1, visit M3, URINE.UPROT24H holds '1.8 g/(24.h)' (entry 1); a change needs a reason"
    )
    assert ids(check(trial, draft("2.8", reason=" "))) == ["reason.missing"]
    assert check(trial, draft("2.8", reason="read again")) == []


@pytest.mark.parametrize(
    ("answer", "stands"),
    [((1800, "mg/(24.h)"), "1.8 g/(24.h)"), (None, "1.8 g/(24.h)"), ("1.80", "1.8 g/(24.h)")],
)
def test_another_unit_a_missing_value_and_other_digits_are_changes(
    trial, answer, stands: str
) -> None:
    trial.put("S1", "M3", "URINE", UPROT24H=1.8)
    (problem,) = entered(trial, "URINE", "UPROT24H", answer)
    assert problem.id == "reason.missing"
    assert f"holds '{stands}'" in problem.message


def test_the_same_again_is_no_change(trial) -> None:
    trial.put("S1", "M3", "URINE", UPROT24H=1.8, URBC=None)
    assert entered(trial, "URINE", "UPROT24H", 1.8) == []
    assert entered(trial, "URINE", "URBC", None) == []


def test_a_redacted_value_is_replaced_only_with_a_reason(trial) -> None:
    trial.record(draft(), redacted=True)
    (problem,) = check(trial, draft())
    assert problem.id == "reason.missing"
    assert "holds 'redacted' (entry 1)" in problem.message


def test_a_change_that_is_wrong_too_shows_both(trial) -> None:
    trial.put("S1", "M3", "URINE", UPROT24H=1.8)
    assert ids(check(trial, draft("1,9"))) == ["value.number", "reason.missing"]


def test_one_item_is_given_once(trial) -> None:
    drafts = [draft("1.8"), draft("1.8", visit="D0"), draft("1.9")]
    (problem,) = check_drafts(
        trial.study, drafts, trial.snapshot, where=["row 2", "row 3", "row 4"]
    )
    assert (problem.id, problem.where) == ("entry.twice", "row 4")
    assert problem.message == (
        "subject S1, visit M3, URINE.UPROT24H is given twice, here and at row 2; keep one"
    )


@pytest.mark.parametrize(
    ("form", "about", "item", "kind"),
    [
        ("INFUSION", "S1", "LOT", "lot"),
        ("COA", "L1", "LTDONOR", "donor"),
        ("DONOR", "D1", "DNSUBJ", "subject"),
    ],
)
def test_a_reference_names_what_is_known_or_comes_with_it(
    trial, form: str, about: str, item: str, kind: str
) -> None:
    visit = "D0" if form == "INFUSION" else ""
    points = trial.draft(about, visit, form, item, "X9")
    (problem,) = check(trial, points)
    assert problem.id == "reference.unknown"
    assert f"{form}.{item} names the {kind} 'X9', of which nothing is recorded" in problem.message
    known = {"lot": ("COA", "VIABILITY"), "donor": ("DONOR", "DNAGE"), "subject": ("DEMOG", "AGE")}
    there = trial.draft("X9", "M-3" if kind == "subject" else "", *known[kind], 30)
    assert check(trial, points, there) == []  # in whatever order
    trial.record(there)
    assert check(trial, points) == []


def test_a_missing_reference_names_nobody(trial) -> None:
    assert entered(trial, "INFUSION", "LOT", None, "D0") == []


@pytest.mark.parametrize(
    ("value", "missing", "problem"),
    [
        ("constructed", "", []),
        ("simulated", "", []),
        ("real", "", ["study.nature"]),
        ("Constructed", "", ["study.nature"]),
        (None, "unknown", ["study.nature"]),
        (None, "", ["value.empty"]),
    ],
)
def test_data_are_called_constructed_or_simulated_or_nothing(
    trial, value, missing: str, problem: list[str]
) -> None:
    nature = Draft(Key("study", "LN", "DATA", "NATURE"), value, missing=missing)
    assert ids(check(trial, nature)) == problem


def test_what_the_data_are_is_not_changed_without_a_reason(trial) -> None:
    nature = Key("study", "LN", "DATA", "NATURE")
    trial.record(Draft(nature, "constructed"))
    assert ids(check(trial, Draft(nature, "simulated"))) == ["reason.missing"]


# -- visits ---------------------------------------------------------------------------------------

INFUSED = date(2017, 1, 9)


def states(trial, today: date, subject: str = "S1") -> dict[str, VisitState]:
    return {s.visit.id: s for s in visit_states(trial.records, today) if s.subject == subject}


def visit(trial, visit_id: str, day: str, subject: str = "S1") -> None:
    """Something on every form of a visit, all on one day."""
    for form in trial.study.visit(visit_id).forms:
        declared = [i for i in trial.study.form(form).items if i.type == "date"]
        answers = {i.id: day for i in declared if i.role == "visit date"}
        first = trial.study.form(form).items[0].id
        trial.put(subject, visit_id, form, **(answers or {first: None}))


@pytest.mark.parametrize(
    ("day", "target"),
    [
        (1, date(2017, 1, 9)),
        (2, date(2017, 1, 10)),
        (91, date(2017, 4, 9)),
        (-1, date(2017, 1, 8)),
        (-91, date(2016, 10, 10)),
    ],
)
def test_a_target_counts_from_day_1_and_there_is_no_day_0(day: int, target: date) -> None:
    planned = Visit(id="V", label="v", day=day, forms=("F",))
    assert target_date(planned, INFUSED) == target


@given(st.integers(-400, 800).filter(bool), st.dates(date(2000, 1, 1), date(2030, 1, 1)))
def test_the_study_day_of_a_target_is_its_day(day: int, anchor: date) -> None:
    planned = Visit(id="V", label="v", day=day, forms=("F",))
    assert study_day(target_date(planned, anchor), anchor) == day


# M3: day 91 is 2017-04-09, with the window of 21 days from 2017-03-19 to 2017-04-30.
@pytest.mark.parametrize(
    ("today", "state"),
    [
        ("2017-03-18", "planned"),
        ("2017-03-19", "due"),
        ("2017-04-09", "due"),
        ("2017-04-30", "due"),
        ("2017-05-01", "overdue"),
    ],
)
def test_a_window_is_inclusive_at_both_ends(trial, today: str, state: str) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    found = states(trial, date.fromisoformat(today))["M3"]
    assert (found.target, found.opens, found.closes) == (
        date(2017, 4, 9),
        date(2017, 3, 19),
        date(2017, 4, 30),
    )
    assert found.state == state
    assert found.words == (state if state == "planned" else f"{state}, window closes 2017-04-30")


@pytest.mark.parametrize(
    ("visit_id", "done", "outside", "day"),
    [
        ("M3", "2017-03-18", -1, 69),
        ("M3", "2017-03-19", 0, 70),
        ("M3", "2017-04-30", 0, 112),
        ("M3", "2017-05-02", 2, 114),
        ("M-3", "2016-09-18", -1, -113),
        ("M-3", "2016-09-19", 0, -112),
        ("M-3", "2016-10-31", 0, -70),
        ("M-3", "2016-11-01", 1, -69),
    ],
)
def test_days_outside_a_window_are_counted_with_their_sign(
    trial, visit_id: str, done: str, outside: int, day: int
) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    visit(trial, visit_id, done)
    found = states(trial, TODAY)[visit_id]
    assert (found.state, found.out_of_window, found.day) == ("done", outside, day)
    assert found.done_on == date.fromisoformat(done)
    windows = [p for p in check_records(trial.records) if p.id == "visit.window"]
    assert len(windows) == (1 if outside else 0)
    if outside:
        side = "after" if outside > 0 else "before"
        assert f"{abs(outside)} days {side} its window" in windows[0].message


def test_without_an_infusion_no_later_visit_has_a_date(trial) -> None:
    visit(trial, "M-3", "2016-10-09")
    found = states(trial, TODAY)
    assert [found[v].state for v in ("M-3", "D0", "M3")] == ["done", "unscheduled", "unscheduled"]
    assert (found["M3"].target, found["M3"].opens, found["M-3"].out_of_window) == (None, None, 0)


def test_a_visit_of_which_a_form_is_empty_is_partial_and_the_form_is_named(trial) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    trial.put("S1", "M3", "URINE", URDT="2017-04-09", UPROT24H=1.8)
    assert states(trial, TODAY)["M3"].state == "partial"
    (problem,) = [
        p for p in check_records(trial.records) if (p.id, p.where[-2:]) == ("visit.partial", "M3")
    ]
    assert problem.message == "nothing recorded on form SLEDAI, LABS"
    assert problem.where == "subject S1, visit M3"


@pytest.mark.parametrize(
    ("status", "left", "state"),
    [
        ("withdrew", "2017-03-01", "ended"),
        ("died", "2017-03-19", "ended"),  # the day on which the window opened
        ("lost to follow-up", "2017-03-20", "overdue"),  # it was due
        ("completed", "2017-03-01", "overdue"),
        ("died", None, "overdue"),
    ],
)
def test_who_left_before_a_window_opened_owes_no_visit(
    trial, status: str, left: str | None, state: str
) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    trial.put("S1", "", "DISPOSITION", DSDECOD=status, DSDT=left)
    assert states(trial, TODAY)["M3"].state == state


def test_the_end_of_an_event_is_not_the_end_of_participation(trial) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    trial.put("S1", "", "DISPOSITION", DSDECOD="withdrew", DSDT="2017-03-01")
    trial.put("S1", "", "AE", AETERM="Fever", AESTDT="2017-02-01", AEENDT="2017-04-20")
    assert states(trial, TODAY)["M3"].state == "ended"


@pytest.mark.parametrize("left", ["2016-12-01", None])
def test_who_withdrew_before_the_infusion_owes_no_visit(trial, left: str | None) -> None:
    visit(trial, "M-3", "2016-10-09")
    trial.put("S1", "", "DISPOSITION", DSDECOD="withdrew before infusion", DSDT=left)
    assert [s.state for s in states(trial, TODAY).values()] == ["done", "ended", "ended"]


def test_a_screen_failure_has_no_visits_but_stays_a_subject(trial) -> None:
    visit(trial, "M-3", "2016-10-09")
    trial.put("S1", "", "DISPOSITION", DSDECOD="screen failure", DSDT="2016-11-01")
    assert states(trial, TODAY) == {}
    assert trial.records.subjects == ("S1",)
    assert disposition(trial.records, "S1") == "screen failure"


# -- records --------------------------------------------------------------------------------------


def found_in(trial, id: str, today: date | None = None) -> list[Problem]:
    return [p for p in check_records(trial.records, today) if p.id == id]


def test_the_demonstration_has_one_visit_out_of_its_window_and_nothing_else(demo_records) -> None:
    (problem,) = check_records(demo_records, TODAY)
    assert (problem.id, problem.where) == ("visit.window", "subject 007, visit M3")
    assert problem.message == (
        "done on 2018-01-02, 2 days after its window (2017-11-19 to 2017-12-31)"
    )


def test_what_is_recorded_and_cannot_be_read_is_named_with_its_entry(trial) -> None:
    trial.put("S1", "M3", "URINE", UPROT24H="1,8")
    trial.put("L1", "", "COA", VIABILITY=130)
    trial.put("D1", "", "DONOR", DNREL="cousin")
    problems = {p.id: p for p in check_records(trial.records) if p.id.startswith("value.")}
    assert set(problems) == {"value.number", "value.range", "value.choice"}
    assert problems["value.number"].where == "subject S1, visit M3, URINE.UPROT24H (entry 1)"
    assert problems["value.range"].where == "lot L1, COA.VIABILITY (entry 2)"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (Key("subject", "S1", "OLDFORM", "X", "M3"), "form.unknown"),
        (Key("subject", "S1", "URINE", "OLDITEM", "M3"), "item.unknown"),
        (Key("subject", "S1", "URINE", "URBC", "M9"), "visit.unknown"),
        (Key("subject", "S1", "DEMOG", "AGE", "M3"), "visit.form"),
        (Key("lot", "L1", "COA", "VIABILITY", "D0"), "visit.surplus"),
        (Key("donor", "S1", "URINE", "URBC", "M3"), "about.kind"),
    ],
)
def test_an_entry_the_study_file_has_no_place_for_does_not_vanish_in_silence(
    trial, key: Key, problem: str
) -> None:
    trial.record(Draft(key, "1"))
    (found,) = found_in(trial, problem)
    assert found.where.endswith("(entry 1)")


def test_a_required_item_nobody_answered_is_open_once_its_form_was_begun(trial) -> None:
    trial.put("S1", "M3", "URINE", URDT="2017-04-09", UPROT24H=1.8, URBC=None)
    (problem,) = found_in(trial, "item.open")
    assert problem.message.startswith("UWBC, CELLCAST of form URINE not answered")
    assert (problem.severity, problem.where) == ("warning", "subject S1, visit M3")


def test_an_item_that_is_not_required_and_an_attribution_are_never_open(trial) -> None:
    trial.put("S1", "", "AE", **{i.id: None for i in trial.study.form("AE").items if i.required})
    trial.labs("S1", "M3", "2017-04-08")
    trial.sledai("S1", "M3", "2017-04-08")
    assert found_in(trial, "item.open") == []


def test_a_score_known_by_bounds_is_a_problem(trial) -> None:
    trial.labs("S1", "M3", "2017-04-08", UPROT24H=None)
    trial.sledai("S1", "M3", "2017-04-08", yes="PROTEIN")
    (problem,) = found_in(trial, "score.bounds")
    assert problem.message.startswith("SLEDAI total is only known to lie in 0 to 4")
    assert problem.where == "subject S1, visit M3"


def test_a_visit_is_overdue_only_against_a_calendar(trial) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT=INFUSED.isoformat())
    closes = date(2017, 4, 30)
    overdue = [p.where for p in found_in(trial, "visit.overdue", closes + timedelta(days=1))]
    assert "subject S1, visit M3" in overdue
    assert "subject S1, visit M3" not in [p.where for p in found_in(trial, "visit.overdue", closes)]
    assert found_in(trial, "visit.overdue") == []


# -- the list of problems in the documentation ----------------------------------------------------


def problems_in_source() -> dict[str, set[str]]:
    """Every id that checks and exchange can return, with its severities, read from the source."""
    folders = ("exchange", "conduct", "web")
    paths = [ROOT / "src/onearm/checks.py"]
    for folder in folders:
        paths += sorted((ROOT / "src/onearm" / folder).glob("**/*.py"))
    found: dict[str, set[str]] = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            literals = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
            if node.func.id in ("Problem", "_error") and literals and literals[0]:
                named = [k.value.value for k in node.keywords if k.arg == "severity"]
                warning = "warning" in (*literals[2:3], *named)
                found.setdefault(literals[0], set()).add("warning" if warning else "error")
    return found


def problems_in_docs() -> dict[str, set[str]]:
    text = (ROOT / "docs/checks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z.]+)` \| (error|warning) \| (.+) \| (.+) \|$", text, re.M)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: {severity} for name, severity, *_ in rows}


def test_every_problem_is_in_the_documentation_and_no_other() -> None:
    source = problems_in_source()
    assert len(source) > 25
    assert problems_in_docs() == source


@pytest.mark.parametrize(
    "alike",
    ["p01", "P۰1", "P٠1"],
)
def test_a_new_name_that_reads_like_another_is_refused(trial, alike: str) -> None:
    trial.put("P01", "M-3", "URINE", UPROT24H=1.8)
    draft = trial.draft(alike, "M-3", "URINE", "UPROT24H", 1.8)
    (problem,) = check_drafts(trial.study, [draft], trial.snapshot, today=TODAY)
    assert (problem.id, problem.severity) == ("about.alike", "error")
    assert "differs from 'P01' in capitals or kind of digits only" in problem.message


@pytest.mark.parametrize(
    "unseen", ["P02\u200b", "P02\u200f", "P\u2060 02", "\ufeffP02", "\uff3002", "P02\u00ad"]
)
def test_a_new_name_with_characters_that_cannot_be_told_apart_is_refused(
    trial, unseen: str
) -> None:
    draft = trial.draft(unseen, "M-3", "URINE", "UPROT24H", 1.8)
    (problem,) = check_drafts(trial.study, [draft], trial.snapshot, today=TODAY)
    assert problem.id == "about.alike"
    assert "cannot be seen" in problem.message


def test_two_new_names_of_one_file_are_compared_with_each_other(trial) -> None:
    drafts = [trial.draft(n, "M-3", "URINE", "UPROT24H", 1.8) for n in ("P01", "P02", "p02")]
    found = check_drafts(trial.study, drafts, trial.snapshot, today=TODAY)
    assert [p.id for p in found] == ["about.alike"]
    trial.put("p02", "M-3", "URINE", UPROT24H=1.8)  # what stands already is no new name
    draft = trial.draft("p02", "M-3", "URINE", "URBC", 3)
    assert check_drafts(trial.study, [draft], trial.snapshot, today=TODAY) == []


def test_rows_are_numbered_one_by_one(trial) -> None:
    drafts = [trial.draft("S1", "", "AE", "AETERM", "Rash") for _ in range(2)]
    far = [Draft(replace(drafts[0].key, repeat=n), "Rash") for n in (9_999, 10_000)]
    found = check_drafts(trial.study, far, trial.snapshot, today=TODAY)
    assert [(p.id, "at most 9999" in p.message) for p in found] == [("repeat.number", True)]


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2017-02-05", "2017-02-01", "ends on 2017-02-01, before it began, 2017-02-05"),
        ("2017-02-05", "2017-01", "ends on 2017-01, before it began, 2017-02-05"),
        ("2017-02", "2016", "ends on 2016, before it began, 2017-02"),
        ("2017-02-05", "2017-02-05", None),
        ("2017-02-05", "2017-02", None),  # some day of February from the 5th on
        ("2017-02-05", "2017", None),
        ("2017", "2017-01-01", None),
        ("2017-02-05", None, None),
        (None, "2017-02-01", None),
    ],
)
def test_an_event_that_ends_before_it_began_is_a_warning(
    trial, start: str | None, end: str | None, told: str | None
) -> None:
    trial.put("S1", "", "AE", AETERM="Fever", AESTDT=start, AEENDT=end)
    found = found_in(trial, "date.order")
    assert [p.message for p in found] == ([told] if told else [])
    assert all((p.severity, p.where) == ("warning", "subject S1, AE.AEENDT") for p in found)
