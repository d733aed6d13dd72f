"""What an amended study file does to data that are recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from tests.conduct.conftest import (
    AT,
    DEMOG,
    FULL,
    INVESTIGATOR,
    MONITOR,
    PROTEIN,
    SLEDAI,
    TODAY,
    URINE,
    Desk,
    person,
)

from onearm.conduct import (
    AMENDMENT,
    TOUCHES,
    Affected,
    affected,
    approval_hash,
    draft_amendment,
    in_force,
    refusals,
)
from onearm.errors import ConductError
from onearm.records import FormKey, Records
from onearm.study import Study

Amend = Callable[..., Study]
RANGE = ("range: [0, 30]", "range: [0, 25]")
CLASSES = ("choices: [I, II, III, IV, V, III+V, IV+V, VI]", "choices: [III, IV, V, III+V, IV+V]")


def touched(desk: Desk, study: Study) -> dict[tuple[str, ...], list[FormKey]]:
    """What an amendment touches, by its way and place."""
    records = desk.records
    found = affected(records, Records(study, records.snapshot), TODAY)
    assert all(a.what in TOUCHES for a in found)
    return {(a.what, *a.where): list(a.keys) for a in found}


def test_nothing_recorded_is_touched_by_a_change_of_an_empty_item(
    desk: Desk, amended: Amend
) -> None:
    assert touched(desk, amended(RANGE)) == {}


def test_a_narrower_range_touches_the_values_of_the_item_only(desk: Desk, amended: Amend) -> None:
    desk.put(URINE, **FULL)
    assert touched(desk, amended(RANGE)) == {
        ("item redefined", "Urine", "Protein, 24-hour urine"): [URINE]
    }


def test_a_removed_item_keeps_its_values_and_is_told(desk: Desk, amended: Amend) -> None:
    desk.put(DEMOG, SEX="F", INITIALS="XY")
    gone = amended(
        (
            "      - {id: INITIALS, label: Initials, type: text, identifying: true, required: false}\n",
            "",
        )
    )
    assert touched(desk, gone) == {("item removed", "Participant", "Initials"): [DEMOG]}
    assert {e.key.item for e in desk.ledger.snapshot().entries} == {"SEX", "INITIALS"}


def test_a_choice_that_is_no_longer_offered_is_told_with_the_forms_that_hold_it(
    desk: Desk, amended: Amend
) -> None:
    first, second = (FormKey("subject", s, "ELIG", "M-3", 1) for s in ("S1", "S2"))
    desk.put(first, LNCLASS="VI")
    desk.put(second, LNCLASS="IV")
    found = touched(desk, amended(CLASSES))
    assert found["value refused", "Lupus nephritis history", "Class at biopsy (ISN/RPS)"] == [first]
    assert found["item redefined", "Lupus nephritis history", "Class at biopsy (ISN/RPS)"] == [
        first,
        second,
    ]


def test_a_narrower_window_judges_visits_anew(desk: Desk, amended: Amend) -> None:
    desk.eligible()
    desk.put(FormKey("subject", "S1", "INFUSION", "D0", 1), INFDT="2018-09-01")
    m3 = FormKey("subject", "S1", "URINE", "M3", 1)
    desk.put(m3, **(FULL | {"URDT": "2018-12-15"}))  # day 106: 15 after its target
    narrow = amended(
        (
            "day: 91, window: [-21, 21]",
            "day: 91, window: [-7, 7]",
        )
    )
    moved = touched(desk, narrow)["visit judged anew", "3 months after"]
    assert moved == [FormKey("subject", "S1", "", "M3", 1)]


def test_a_stricter_criterion_changes_eligibility(desk: Desk, amended: Amend) -> None:
    desk.eligible()
    strict = amended(("UPROT24H > 1.0 or URBC > 10", "UPROT24H > 3.0 or URBC > 50"))
    assert touched(desk, strict)["eligibility changed",] == [FormKey("subject", "S1", "", "", 1)]


def test_a_longer_window_of_an_instrument_changes_the_score(desk: Desk, amended: Amend) -> None:
    desk.put(SLEDAI, SLEDT="2018-06-01")
    desk.put(FormKey("subject", "S1", "LABS", "M-3", 1), LBDT="2018-05-15", C3LOW=False)
    looser = amended(("window_days: 10", "window_days: 28"))
    assert touched(desk, looser).get(("score changed", "SLEDAI-2K")) == [SLEDAI]


def test_a_changed_definition_voids_a_signature_and_is_told_before(
    desk: Desk, amended: Amend
) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    study = amended(RANGE)
    assert touched(desk, study)["signature void",] == [URINE]
    # A file that changes another form leaves it.
    assert ("signature void",) not in touched(desk, amended(CLASSES))


def test_a_removed_form_is_told_with_its_signatures(desk: Desk, amended: Amend) -> None:
    weight = FormKey("subject", "S1", "VITALS", "D0", 1)
    desk.put(weight, SYSBP=120)
    records = desk.records
    text_less = records.study.model_copy(
        update={"forms": tuple(f for f in records.study.forms if f.id != "VITALS")}
    )
    found = affected(records, Records(text_less, records.snapshot), TODAY)
    assert Affected("form removed", ("Vital signs around the infusion",), (weight,)) in found


def test_a_file_of_another_study_or_the_same_file_is_refused(desk: Desk, amended: Amend) -> None:
    other = amended(("id: LN-MSC", "id: ELSE-MSC"))
    assert "expected" in refusals(desk.records, other)[0]
    assert "byte for byte" in refusals(desk.records, desk.study)[0]
    assert refusals(desk.records, amended(RANGE)) == []


def test_a_type_under_which_recorded_values_cannot_be_read_is_refused(
    desk: Desk, amended: Amend
) -> None:
    retyped = amended(
        (
            "{id: DVTERM, label: What happened, type: text, role: deviation term}",
            "{id: DVTERM, label: What happened, type: yesno}",
        )
    )
    assert refusals(desk.records, retyped) == []  # nothing is recorded yet
    desk.put(FormKey("subject", "S1", "DEVIATION", "", 1), DVTERM="Late sample")
    (told,) = refusals(desk.records, retyped)
    assert "forms.DEVIATION.items.DVTERM" in told
    assert "give the new item an id of its own" in told


def approve(desk: Desk, study: Study, *, reason: str = "narrower range", seen: str = "") -> None:
    records = desk.records
    found = affected(records, Records(study, records.snapshot), TODAY)
    seen = seen or approval_hash(records.study, study, found)
    drafts = draft_amendment(records, study, reason, INVESTIGATOR, AT, seen, TODAY)
    desk.do(INVESTIGATOR, "amend", *drafts, kind="study")


def test_an_approval_is_signed_and_every_entry_keeps_its_version(
    desk: Desk, amended: Amend
) -> None:
    desk.put(URINE, **FULL)
    study = amended(RANGE)
    approve(desk, study)
    (entry,) = desk.ledger.history(AMENDMENT)
    assert (entry.value, entry.study_hash, entry.by) == (
        study.hash,
        desk.study.hash,
        "investigator",
    )
    later = desk.under(study)
    later.put(URINE, UPROT24H=1.9, reason="typing error")
    versions = {e.value: e.study_hash for e in desk.ledger.history(PROTEIN)}
    assert versions == {"1.8": desk.study.hash, "1.9": study.hash}


def test_an_approval_needs_a_reason_and_covers_just_what_was_shown(
    desk: Desk, amended: Amend
) -> None:
    study = amended(RANGE)
    records = desk.records
    seen = approval_hash(
        records.study, study, affected(records, Records(study, records.snapshot), TODAY)
    )
    with pytest.raises(ConductError, match="no reason"):
        approve(desk, study, reason=" ")
    desk.put(URINE, **FULL)  # meanwhile: now the change touches a value
    with pytest.raises(ConductError, match="has changed since"):
        approve(desk, study, seen=seen)
    assert desk.ledger.history(AMENDMENT) == []


def test_only_who_may_amend_records_an_amendment(desk: Desk, amended: Amend) -> None:
    records, study = desk.records, amended(RANGE)
    seen = approval_hash(records.study, study, ())
    drafts = draft_amendment(records, study, "why", MONITOR, AT, seen, date(2018, 12, 30))
    with pytest.raises(ConductError, match="has no right to put an amended study file"):
        desk.do(MONITOR, "amend", *drafts, kind="study")


def test_a_file_for_every_site_is_amended_by_who_may_at_every_site(
    desk: Desk, amended: Amend
) -> None:
    desk.put(URINE, **FULL)
    desk.put(replace(URINE, about="S2"), site="B", **FULL)
    study, records = amended(RANGE), desk.records
    seen = approval_hash(
        records.study, study, affected(records, Records(study, records.snapshot), TODAY)
    )
    with pytest.raises(ConductError, match="no right to amend at 'B'"):
        draft_amendment(records, study, "why", INVESTIGATOR, AT, seen, TODAY)
    both = person("both", ("investigator", "A"), ("investigator", "B"))
    assert draft_amendment(records, study, "why", both, AT, seen, TODAY)


def test_the_version_in_force_is_the_last_amendment_else_that_of_the_last_entry(
    desk: Desk, amended: Amend
) -> None:
    assert in_force([], None) == ("", "")
    (entry,) = desk.put(URINE, UPROT24H=1.8)
    assert in_force([], entry) == (desk.study.hash, "")
    study = amended(RANGE)
    approve(desk, study)
    assert in_force(desk.ledger.history(AMENDMENT), entry) == (study.hash, desk.study.hash)
