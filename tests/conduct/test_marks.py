"""The states of a form, and signatures that cover exactly what was shown and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conduct.conftest import (
    ADMINISTRATOR,
    AE,
    AT,
    COORDINATOR,
    DATA_MANAGER,
    DEMOG,
    FULL,
    INVESTIGATOR,
    INVESTIGATOR_2,
    MONITOR,
    PROTEIN,
    SLEDAI,
    TODAY,
    URINE,
    Desk,
    person,
)

from onearm.checks import check_records
from onearm.conduct import (
    MARKS,
    MEANINGS,
    FormState,
    Signature,
    draft_hidden,
    draft_mark,
    draft_query,
    draft_signature,
    form_state,
    item_key,
    mark_key,
    preview,
    shown,
    shown_hash,
    unsigned,
)
from onearm.datasets import Datasets
from onearm.errors import ConductError
from onearm.ledger import Draft, Key, Ledger
from onearm.records import FormKey, Records
from onearm.safety import adverse_events
from onearm.study import Study

#: What else an adverse event asks, without answers.
REST = dict.fromkeys(("AESTDT", "AEGRADE", "AESER", "AEREL", "AEOUT"))


def state(desk: Desk, form: FormKey = URINE) -> FormState:
    return form_state(desk.records, form)


def only(desk: Desk, form: FormKey = URINE) -> Signature:
    (signature,) = state(desk, form).signatures
    return signature


# -- marks ----------------------------------------------------------------------------------------


def test_a_form_runs_from_empty_to_locked(desk: Desk) -> None:
    words = [state(desk).word]
    desk.put(URINE, **FULL)
    words.append(state(desk).word)
    for mark in ("complete", "verified"):
        desk.mark(URINE, mark)
        words.append(state(desk).word)
    desk.sign(URINE, "author")
    words.append(state(desk).word)
    desk.mark(URINE, "locked")
    words.append(state(desk).word)
    assert words == ["empty", "saved", "complete", "verified", "signed", "locked"]


def test_open_items_are_required_ones_with_neither_value_nor_reason(desk: Desk) -> None:
    desk.put(URINE, URDT="2018-06-01", UPROT24H=1.8, URBC=None)
    assert state(desk).open_items == ("UWBC", "CELLCAST")
    assert state(desk).entered == 3


def test_a_form_with_open_items_is_not_complete_and_they_are_named(desk: Desk) -> None:
    desk.put(URINE, URDT="2018-06-01", UPROT24H=1.8, URBC=12)
    with pytest.raises(ConductError, match="UWBC, CELLCAST not answered"):
        draft_mark(desk.records, URINE, "complete", True)
    desk.put(URINE, UWBC=None, CELLCAST=None)
    desk.mark(URINE, "complete")


def test_only_a_complete_form_is_verified(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    with pytest.raises(ConductError, match="only a complete form is verified"):
        draft_mark(desk.records, URINE, "verified", True)


@pytest.mark.parametrize("mark", ["complete", "verified", "locked", "struck"])
def test_an_empty_form_takes_no_mark(desk: Desk, mark: str) -> None:
    with pytest.raises(ConductError, match="nothing is recorded on it"):
        draft_mark(desk.records, URINE, mark, True, "entered twice")


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_undone_only_with_a_reason_which_is_kept(desk: Desk, mark: str) -> None:
    desk.complete_urine()
    if mark != "complete":
        desk.enter(Draft(mark_key(URINE, mark), "yes", reason="as agreed"))
    for blank in ("", "  ", "\n"):
        with pytest.raises(ConductError, match="is taken back only with a reason"):
            draft_mark(desk.records, URINE, mark, False, blank)
    desk.mark(URINE, mark, False, "set too early")
    assert not state(desk).has(mark)
    history = desk.ledger.history(mark_key(URINE, mark))
    assert [(e.value, e.reason) for e in history][-1] == ("no", "set too early")


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_that_stands_is_not_set_again_and_one_that_does_not_is_not_undone(
    desk: Desk, mark: str
) -> None:
    desk.complete_urine()
    if mark != "complete":
        with pytest.raises(ConductError, match=f"is not {mark}"):
            draft_mark(desk.records, URINE, mark, False, "in error")
        desk.enter(Draft(mark_key(URINE, mark), "yes"))
    with pytest.raises(ConductError, match=f"is already {mark}"):
        draft_mark(desk.records, URINE, mark, True, "again")


def test_a_mark_undone_may_be_set_again_without_a_reason(desk: Desk) -> None:
    desk.complete_urine()
    desk.mark(URINE, "complete", False, "a page was lacking")
    desk.mark(URINE, "complete")
    values = [e.value for e in desk.ledger.history(mark_key(URINE, "complete"))]
    assert values == ["yes", "no", "yes"]


def test_marks_of_one_row_are_those_of_no_other(desk: Desk) -> None:
    second = FormKey("subject", "S1", "AE", "", 2)
    desk.put(AE, AETERM="Rash")
    desk.put(second, AETERM="Fever")
    desk.mark(AE, "locked")
    assert state(desk, AE).has("locked")
    assert not state(desk, second).has("locked")


def test_a_form_that_is_not_complete_any_more_is_not_verified_any_more(desk: Desk) -> None:
    desk.complete_urine()
    desk.mark(URINE, "verified")
    desk.mark(URINE, "complete", False, "a value was read wrong")
    assert state(desk).word == "saved"


def test_a_value_changed_after_verification_is_not_verified(desk: Desk) -> None:
    desk.complete_urine()
    desk.mark(URINE, "verified")
    draft = desk.draft(URINE, "UPROT24H", 2.8, reason="read again")
    desk.do(COORDINATOR, "change", draft)
    assert state(desk).word == "complete"


def test_the_entries_of_marks_are_signed_by_who_set_them_in_their_role(desk: Desk) -> None:
    desk.complete_urine()
    entry = desk.mark(URINE, "verified")
    assert (entry.by, entry.role, entry.site) == ("monitor", "monitor", "A")
    assert entry.study_hash == desk.study.hash


# -- locked ---------------------------------------------------------------------------------------


def test_a_locked_form_refuses_new_and_changed_answers_until_it_is_unlocked(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    change = desk.draft(URINE, "UPROT24H", 2.8, reason="read again")
    new = desk.draft(URINE, "URBC", 12)
    for draft in (change, new):
        with pytest.raises(ConductError, match=r"is locked \(entry 2, by data-manager\)"):
            desk.do(COORDINATOR, "change", draft)
    desk.mark(URINE, "locked", False, "source read again")
    desk.do(COORDINATOR, "change", change, new)
    assert desk.records.answers(URINE)["UPROT24H"].value == "2.8"


def test_one_locked_form_refuses_the_whole_act(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    before = desk.ledger.head()
    with pytest.raises(ConductError, match="is locked"):
        desk.do(
            COORDINATOR, "enter",
            desk.draft(DEMOG, "AGE", 24), desk.draft(URINE, "URBC", 12),
        )  # fmt: skip
    assert desk.ledger.head() == before


def test_only_who_may_unlock_unlocks_and_who_unlocks_locks_not(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    lock = draft_mark(desk.records, URINE, "locked", True)
    for who in (COORDINATOR, INVESTIGATOR, MONITOR, ADMINISTRATOR):
        with pytest.raises(ConductError, match="has no right to lock forms"):
            desk.do(who, "lock", lock)
    desk.do(DATA_MANAGER, "lock", lock)
    unlock = draft_mark(desk.records, URINE, "locked", False, "source read again")
    for who in (COORDINATOR, INVESTIGATOR, MONITOR, DATA_MANAGER):
        with pytest.raises(ConductError, match="has no right to unlock forms"):
            desk.do(who, "unlock", unlock)


def test_a_locked_row_is_not_struck_out(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash")
    desk.mark(AE, "locked")
    with pytest.raises(ConductError, match="locked"):
        desk.mark(AE, "struck", True, "entered twice")
    assert [e.term for e in adverse_events(desk.records)] == ["Rash"]


def test_a_locked_row_that_was_struck_out_does_not_come_back(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash")
    desk.mark(AE, "struck", True, "entered twice")
    desk.mark(AE, "locked")
    with pytest.raises(ConductError, match="locked"):
        desk.mark(AE, "struck", False, "it was another event")
    assert adverse_events(desk.records) == ()


@pytest.mark.parametrize("mark", ["complete", "verified"])
def test_the_marks_of_a_locked_form_stay(desk: Desk, mark: str) -> None:
    desk.complete_urine()
    desk.mark(URINE, "verified")
    desk.mark(URINE, "locked")
    with pytest.raises(ConductError, match="locked"):
        desk.mark(URINE, mark, False, "set too early")


# -- struck out -----------------------------------------------------------------------------------


def test_a_row_struck_out_leaves_the_analysis_and_stays_in_the_ledger(desk: Desk) -> None:
    second = FormKey("subject", "S1", "AE", "", 2)
    desk.put(AE, AETERM="Rash", AEGRADE="2")
    desk.put(second, AETERM="Fever")
    desk.mark(AE, "struck", True, "entered twice")
    records = desk.records
    assert records.instances("AE") == (second,)
    assert [e.term for e in adverse_events(records)] == ["Fever"]
    assert records.filled(AE) == {}
    assert [d.value for d in records.of_item("S1", "AETERM")] == ["Fever"]
    assert state(desk, AE).word == "struck out"
    assert records.answers(AE)["AETERM"].value == "Rash"
    assert any(e.value == "Rash" for e in desk.ledger.entries())


def test_a_row_struck_out_by_mistake_comes_back_whole(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash", AEGRADE="2")
    before = adverse_events(desk.records)
    desk.mark(AE, "struck", True, "entered twice")
    desk.mark(AE, "struck", False, "it was another event")
    assert adverse_events(desk.records) == before


def test_a_row_is_struck_out_only_with_a_reason_and_by_who_may(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash")
    with pytest.raises(ConductError, match="a row is struck out with a reason"):
        draft_mark(desk.records, AE, "struck", True, " ")
    draft = draft_mark(desk.records, AE, "struck", True, "entered twice")
    for who in (MONITOR, DATA_MANAGER, ADMINISTRATOR):
        with pytest.raises(ConductError, match="has no right to strike out"):
            desk.do(who, "strike", draft)


def test_nothing_is_entered_on_a_row_struck_out(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash")
    desk.mark(AE, "struck", True, "entered twice")
    with pytest.raises(ConductError, match="is struck out"):
        desk.do(COORDINATOR, "enter", desk.draft(AE, "AEGRADE", "2"))


@pytest.mark.parametrize("mark", ["complete", "verified"])
def test_a_row_struck_out_is_not_completed_nor_verified(desk: Desk, mark: str) -> None:
    desk.put(AE, AETERM="Rash", **REST)
    if mark == "verified":
        desk.mark(AE, "complete")
    desk.mark(AE, "struck", True, "entered twice")
    with pytest.raises(ConductError, match="struck out"):
        desk.mark(AE, mark)


def test_a_row_struck_out_is_not_signed(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash", **REST)
    desk.mark(AE, "complete")
    desk.mark(AE, "struck", True, "entered twice")
    with pytest.raises(ConductError, match="struck out"):
        desk.sign(AE, "responsibility")


def test_a_row_struck_out_raises_no_problem_any_more(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash")
    assert any(p.id == "item.open" for p in check_records(desk.records))
    desk.mark(AE, "struck", True, "entered twice")
    assert check_records(desk.records, TODAY) == []


# -- branching ------------------------------------------------------------------------------------


def test_a_required_item_that_branching_hides_is_not_open(desk: Desk) -> None:
    desk.put(DEMOG, CONSENTDT="2018-05-01", AGE=24, SEX="M")
    assert state(desk, DEMOG).open_items == ()
    desk.put(DEMOG, SEX="F", reason="read again")
    assert state(desk, DEMOG).open_items == ("PREGTEST",)


def test_while_it_is_not_known_whether_an_item_is_asked_it_is_neither_open_nor_hidden(
    desk: Desk,
) -> None:
    desk.put(DEMOG, CONSENTDT="2018-05-01", AGE=24, PREGTEST=True)
    assert state(desk, DEMOG).open_items == ("SEX",)
    assert draft_hidden(desk.records, DEMOG) == []
    desk.put(DEMOG, SEX=None)
    assert draft_hidden(desk.records, DEMOG) == []


def test_a_value_that_branching_hides_becomes_not_applicable_by_an_entry(desk: Desk) -> None:
    desk.put(DEMOG, SEX="F", PREGTEST=True)
    assert draft_hidden(desk.records, DEMOG) == []
    change = desk.draft(DEMOG, "SEX", "M", reason="read again")
    drafts = [change, *draft_hidden(preview(desk.records, [change]), DEMOG)]
    desk.do(COORDINATOR, "change", *drafts)
    assert desk.records.answers(DEMOG)["PREGTEST"].missing == "not applicable"
    history = desk.ledger.history(item_key(DEMOG, "PREGTEST"))
    assert [(e.value, e.missing) for e in history] == [("yes", ""), (None, "not applicable")]
    assert history[-1].reason == "hidden by another answer"


def test_what_is_recorded_as_not_applicable_is_hidden_once_and_an_empty_item_never(
    desk: Desk,
) -> None:
    desk.put(DEMOG, SEX="M")
    assert draft_hidden(desk.records, DEMOG) == []
    desk.put(DEMOG, PREGTEST=True)
    drafts = draft_hidden(desk.records, DEMOG)
    assert [(d.key, d.value, d.missing) for d in drafts] == [
        (item_key(DEMOG, "PREGTEST"), None, "not applicable")
    ]
    desk.enter(*drafts)
    assert draft_hidden(desk.records, DEMOG) == []


def test_a_reason_for_absence_becomes_not_applicable_too(desk: Desk) -> None:
    desk.put(DEMOG, SEX="M", PREGTEST=None)
    (draft,) = draft_hidden(desk.records, DEMOG)
    assert draft.missing == "not applicable"


# -- signatures -----------------------------------------------------------------------------------


def test_a_signature_tells_who_when_with_zone_and_what_it_means(desk: Desk) -> None:
    desk.complete_urine()
    entry = desk.sign(URINE, "author")
    signature = only(desk)
    assert signature.valid
    assert (signature.user, signature.name) == ("investigator", "investigator in full")
    assert (signature.meaning, signature.role, signature.at) == ("author", "investigator", AT)
    assert (signature.recorded, signature.seq) == (entry.at, entry.seq)
    assert set(json.loads(entry.value or "")) == {"hash", "name", "at"}


def test_the_meanings_are_those_of_the_study_file_and_each_is_told_in_words() -> None:
    assert list(MEANINGS) == ["author", "review", "approval", "responsibility"]
    assert all(MEANINGS.values())


def test_a_signature_needs_a_meaning_that_exists(desk: Desk) -> None:
    desk.complete_urine()
    with pytest.raises(ConductError, match="'witness' is no meaning of a signature"):
        desk.sign(URINE, "witness")


def test_only_a_complete_form_is_signed(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    with pytest.raises(ConductError, match="only a complete form is signed"):
        desk.sign(URINE, "author")


def test_a_form_that_asks_more_since_it_was_completed_is_not_signed(desk: Desk) -> None:
    desk.put(DEMOG, CONSENTDT="2018-05-01", AGE=24, SEX="M")
    desk.mark(DEMOG, "complete")
    desk.put(DEMOG, SEX="F", reason="read again")
    assert state(desk, DEMOG).open_items == ("PREGTEST",)
    with pytest.raises(ConductError, match="PREGTEST"):
        desk.sign(DEMOG, "responsibility")


def test_a_signature_covers_what_was_seen_and_nothing_that_came_between(desk: Desk) -> None:
    desk.complete_urine()
    seen = shown_hash(desk.records, URINE)
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    with pytest.raises(ConductError, match="changed since you opened it"):
        draft_signature(desk.records, URINE, "author", INVESTIGATOR, AT, seen)


def test_what_changes_between_the_signers_look_and_the_record_voids_at_once(desk: Desk) -> None:
    desk.complete_urine()
    before = desk.records
    draft = draft_signature(before, URINE, "author", INVESTIGATOR, AT, shown_hash(before, URINE))
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    desk.do(INVESTIGATOR, "sign", draft, records=before)
    assert not only(desk).valid


def test_only_who_may_sign_signs(desk: Desk) -> None:
    desk.complete_urine()
    for who in (COORDINATOR, MONITOR, DATA_MANAGER, ADMINISTRATOR):
        draft = draft_signature(
            desk.records, URINE, "author", who, AT, shown_hash(desk.records, URINE)
        )
        with pytest.raises(ConductError, match="has no right to sign forms"):
            desk.do(who, "sign", draft)


def test_the_same_signature_is_not_given_twice_while_it_stands(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    for who in (INVESTIGATOR, INVESTIGATOR_2):
        with pytest.raises(ConductError, match="investigator in full has signed this already"):
            desk.sign(URINE, "author", who)


def test_two_signatures_are_by_two_different_people(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    assert unsigned(desk.records, URINE) == ("review",)
    with pytest.raises(ConductError, match="wants two different people"):
        desk.sign(URINE, "review", INVESTIGATOR)
    desk.sign(URINE, "review", INVESTIGATOR_2)
    assert unsigned(desk.records, URINE) == ()
    assert {s.user for s in state(desk).signatures} == {"investigator", "investigator-2"}


def test_one_person_with_two_roles_is_still_one_person(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    again = person("investigator", ("investigator", ""), ("manufacturing", "A"))
    with pytest.raises(ConductError, match="wants two different people"):
        desk.sign(URINE, "review", again)


def test_where_one_signature_is_asked_for_one_person_may_give_another_too(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash", **REST)
    desk.mark(AE, "complete")
    desk.sign(AE, "author")
    desk.sign(AE, "review")
    assert state(desk, AE).signed


def test_a_void_signature_no_longer_stands_in_the_way_of_the_other_person(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    desk.sign(URINE, "author", INVESTIGATOR_2)
    with pytest.raises(ConductError, match="wants two different people"):
        desk.sign(URINE, "review", INVESTIGATOR_2)
    desk.sign(URINE, "review", INVESTIGATOR)
    assert unsigned(desk.records, URINE) == ()


def test_a_signature_that_was_voided_is_given_again_and_both_stay_in_the_trail(
    desk: Desk,
) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    assert unsigned(desk.records, URINE) == ("author", "review")
    desk.sign(URINE, "author")
    assert only(desk).valid
    assert len(desk.ledger.history(mark_key(URINE, "signed.author"))) == 2


def test_a_signature_withdrawn_says_why(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    key = mark_key(URINE, "signed.author")
    desk.enter(Draft(key, None, missing="not applicable", reason="signed the wrong visit"))
    signature = only(desk)
    assert (signature.valid, signature.why_void) == (False, "withdrawn: signed the wrong visit")
    assert not state(desk).signed
    assert "author" in unsigned(desk.records, URINE)
    desk.sign(URINE, "author")
    assert only(desk).valid


@pytest.mark.parametrize("value", ["yes", "{}", "[]", '"x"', "1", '{"hash": null}', "{"])
def test_a_signature_that_holds_no_hash_is_void_and_breaks_nothing(desk: Desk, value: str) -> None:
    desk.complete_urine()
    desk.enter(Draft(mark_key(URINE, "signed.author"), value))
    assert not only(desk).valid


def test_a_signature_moved_to_another_form_is_void_there(desk: Desk) -> None:
    desk.complete_urine()
    entry = desk.sign(URINE, "author")
    for other in (
        FormKey("subject", "S2", "URINE", "M-3", 1),
        FormKey("subject", "S1", "URINE", "M3", 1),
    ):
        desk.put(other, **FULL)
        desk.enter(Draft(mark_key(other, "signed.author"), entry.value))
        assert shown(desk.records, other)["items"] == shown(desk.records, URINE)["items"]
        assert not only(desk, other).valid


# -- what voids a signature -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ("UPROT24H", 1.9),
        ("UPROT24H", "1.80"),
        ("UPROT24H", (1.8, "kg/(24.h)")),
        ("UPROT24H", (1800, "mg/(24.h)")),
        ("UPROT24H", None),
        ("URDT", "2018-06-02"),
        ("CELLCAST", True),
    ],
)
def test_a_changed_value_or_unit_voids_the_signature_and_is_named(
    desk: Desk, item: str, answer: object
) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    desk.put(URINE, reason="read again", **{item: answer})  # type: ignore[arg-type]
    signature = only(desk)
    assert (signature.valid, signature.why_void) == (False, f"{item} changed after it")
    assert state(desk).void == (signature,)
    assert state(desk).word == "complete"


def test_another_reason_for_a_missing_value_voids_the_signature(desk: Desk) -> None:
    desk.put(URINE, **(dict(FULL) | {"URBC": None}))
    desk.mark(URINE, "complete")
    desk.sign(URINE, "author")
    key = item_key(URINE, "URBC")
    desk.enter(Draft(key, None, missing="unknown", reason="asked the laboratory"))
    assert only(desk).why_void == "URBC changed after it"


def test_a_redaction_voids_the_signature(desk: Desk) -> None:
    desk.put(AE, AETERM="Rash", **REST)
    desk.mark(AE, "complete")
    desk.sign(AE, "author")
    desk.ledger.redact(
        1, reason="named a person", by="data-manager", role="data manager", site="A",
        study_hash=desk.study.hash,
    )  # fmt: skip
    assert only(desk, AE).why_void == "AETERM changed after it"


def test_a_text_that_reads_like_what_was_signed_is_not_what_was_signed(desk: Desk) -> None:
    desk.put(AE, AETERM=None, **REST)
    desk.mark(AE, "complete")
    desk.sign(AE, "author")
    desk.put(AE, AETERM="missing (not done)", reason="typed")
    assert not only(desk, AE).valid


def test_a_value_changed_and_put_back_is_signed_again_before_it_counts(desk: Desk) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    desk.put(URINE, UPROT24H=1.8, reason="the first was right")
    assert only(desk).why_void == "UPROT24H changed after it"


CELLS = (
    "      - {{id: {}, label: {} cells per high-power field, type: quantity, unit: '/[HPF]', "
    "range: [0, 500], decimals: 0}}\n"
)
UWBC, UWBX, URBC = (
    CELLS.format(i, c) for i, c in (("UWBC", "White"), ("UWBX", "White"), ("URBC", "Red"))
)
DEFINITIONS = {
    "a label": ("label: Red cells per high-power field", "label: Red cells per field"),
    "an item removed": (
        UWBC,
        UWBX,
    ),
    "an item added": (
        "      - {id: UWBC, label: White",
        "      - {id: UNOTE, label: Remark, type: text, required: false}\n      - {id: UWBC, label: White",
    ),
    "the form's title": ("    label: Urine\n", "    label: Urine, 24 hours\n"),
    "the order of items": (
        URBC + UWBC, UWBC + URBC,
    ),
    "the unit of the study file": (
        "label: Red cells per high-power field, type: quantity, unit: '/[HPF]'",
        "label: Red cells per high-power field, type: quantity, unit: '/uL'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", DEFINITIONS)
def test_a_changed_definition_voids_the_signature(
    desk: Desk, amended: Callable[..., Study], change: str
) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    changes = [DEFINITIONS[change]]
    if change == "an item removed":  # the instrument's value moves with the item's id
        changes.append(("pyuria: UWBC", "pyuria: UWBX"))
    elif change == "the unit of the study file":
        uses = (", haematuria: URBC", " or URBC > 10", "urine_rbc_hpf: URBC, ")
        changes += [(used, "") for used in uses]
    elif change == "the form's title":
        changes = [("    label: Urine\n    sign:", "    label: Urine, 24 hours\n    sign:")]
    other = desk.under(amended(*changes))
    signature = only(other)
    assert signature.why_void == "the form's definition or its score changed with the study file"
    assert only(desk).valid


def test_a_changed_label_of_a_choice_voids_the_signature(
    desk: Desk, amended: Callable[..., Study]
) -> None:
    desk.put(DEMOG, CONSENTDT="2018-05-01", AGE=24, SEX="M")
    desk.mark(DEMOG, "complete")
    desk.sign(DEMOG, "responsibility")
    assert only(desk, DEMOG).valid
    other = desk.under(amended(("choices: {F: Female, M: Male}", "choices: {F: Woman, M: Male}")))
    assert not only(other, DEMOG).valid


@pytest.mark.parametrize(
    "change",
    [
        ("unit: a, range: [0, 110]}\n      - {id: SEX", "unit: a, range: [0, 90]}\n      - {id: SEX"),
        ("when: 'SEX == \"F\"'", "when: 'SEX == \"F\" and AGE < 50'"),
        ("label: Pregnancy test done, type: yesno", "label: Pregnancy test done, required: false, type: yesno"),
    ],
    ids=["range", "when", "required"],
)  # fmt: skip
def test_any_change_of_the_forms_definition_voids_the_signature(
    desk: Desk, amended: Callable[..., Study], change: tuple[str, str]
) -> None:
    desk.put(DEMOG, CONSENTDT="2018-05-01", AGE=24, SEX="M")
    desk.mark(DEMOG, "complete")
    desk.sign(DEMOG, "responsibility")
    assert not only(desk.under(amended(change)), DEMOG).valid


def test_a_score_changed_by_a_laboratory_value_of_another_form_voids_the_signature(
    desk: Desk,
) -> None:
    desk.put(URINE, **(dict(FULL) | {"UPROT24H": 0.1}))
    desk.score()
    desk.mark(SLEDAI, "complete")
    desk.sign(SLEDAI, "responsibility")
    assert only(desk, SLEDAI).valid
    desk.put(URINE, UPROT24H=1.8, reason="read again")
    signature = only(desk, SLEDAI)
    assert signature.why_void == ("a score shown with it changed, since values of other forms did")


def test_a_form_removed_from_the_study_file_breaks_nothing_that_stays(
    desk: Desk, amended: Callable[..., Study]
) -> None:
    desk.put(AE, AETERM="Rash")
    text = "      - {id: DVIMP, label: Important, type: yesno, role: important}\n"
    other = desk.under(amended((text, "")))
    assert only_terms(other) == ["Rash"]


def only_terms(desk: Desk) -> list[str]:
    return [e.term for e in adverse_events(desk.records)]


def test_what_does_not_show_on_the_form_leaves_the_signature_valid(
    desk: Desk, amended: Callable[..., Study]
) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    desk.put(FormKey("subject", "S1", "URINE", "M3", 1), **FULL)
    desk.put(FormKey("subject", "S2", "URINE", "M-3", 1), **FULL)
    desk.put(DEMOG, AGE=24)
    desk.mark(URINE, "verified")
    desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "1.8 in the source?"))
    desk.mark(URINE, "locked")
    desk.mark(URINE, "locked", False, "one more look")
    desk.enter(Draft(item_key(URINE, "UPROT24H@confirmed"), "1.8", reason="read twice"))
    desk.put(URINE, UPROT24H=1.8, reason="the same again")
    assert only(desk).valid
    for change in (
        ("label: Creatinine, type", "label: Creatinine in blood, type"),
        ("window: [-21, 21], forms: [SLEDAI", "window: [-20, 20], forms: [SLEDAI"),
        ("  title: Allogeneic adipose-derived", "  title: Adipose-derived"),
    ):
        assert only(desk.under(amended(change))).valid


def test_a_score_form_stays_signed_when_a_laboratory_value_changes_no_score(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    desk.score()
    desk.mark(SLEDAI, "complete")
    desk.sign(SLEDAI, "responsibility")
    desk.put(URINE, UPROT24H=2.8, reason="read again")
    assert only(desk, SLEDAI).valid


# -- the hash -------------------------------------------------------------------------------------


def test_what_was_shown_holds_place_labels_units_values_and_scores(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    desk.score()
    told = shown(desk.records, URINE)
    assert told["place"] == ["subject", "S1", "M-3", "URINE", 1]
    items = {i["item"]: i for i in told["items"]}
    assert items["UPROT24H"]["shown"] == ["1.8", "g/(24.h)", "", False]
    assert items["UPROT24H"]["label"] == "Protein, 24-hour urine"
    assert "total" in shown(desk.records, SLEDAI)["scores"]


def test_the_hash_is_the_same_in_another_process(desk: Desk, tmp_path: Path) -> None:
    desk.put(URINE, **FULL)
    desk.score()
    desk.put(DEMOG, SEX="F", AGE=24)
    here = [shown_hash(desk.records, form) for form in (URINE, SLEDAI, DEMOG)]
    program = (
        "import sys\n"
        "from tests.conduct.conftest import CHANGES, DEMOG, SLEDAI, URINE\n"
        "from tests.conftest import _study\n"
        "from onearm.conduct import shown_hash\n"
        "from onearm.ledger import Ledger\n"
        "from onearm.records import Records\n"
        "with Ledger.open(sys.argv[1]) as ledger:\n"
        "    records = Records(_study('abstract-2018.yaml', CHANGES), ledger.snapshot())\n"
        "    print(*[shown_hash(records, form) for form in (URINE, SLEDAI, DEMOG)])\n"
    )
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "ledger.db")],
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.stdout.split() == here


def test_the_hash_tells_every_small_difference_apart(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    hashes = {shown_hash(desk.records, URINE)}
    for number, answer in enumerate(("1.80", "01.8", "1,8", "1.8e0"), start=2):
        desk.put(URINE, UPROT24H=answer, reason="read again")
        hashes.add(shown_hash(desk.records, URINE))
        assert len(hashes) == number


# -- conduct is no data ---------------------------------------------------------------------------


def test_marks_signatures_and_queries_are_no_problem_no_data_and_no_subject(
    desk: Desk,
) -> None:
    desk.complete_urine()
    before, data = desk.records, desk.records.data("subject", "S1")
    problems = check_records(before, TODAY)
    desk.mark(URINE, "verified")
    desk.sign(URINE, "author")
    desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "1.8 in the source?"))
    desk.mark(URINE, "locked")
    after = desk.records
    assert check_records(after, TODAY) == problems
    assert after.data("subject", "S1") == data
    assert after.answers(URINE) == before.answers(URINE)
    assert after.subjects == before.subjects == ("S1",)
    assert after.filled(URINE).keys() == set(FULL)


def test_conduct_entries_change_no_dataset(desk: Desk) -> None:
    desk.complete_urine()
    desk.put(FormKey("subject", "S1", "INFUSION", "D0", 1), INFDT="2018-09-01")
    before = rows(desk)
    desk.mark(URINE, "verified")
    desk.sign(URINE, "author")
    desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "1.8 in the source?"))
    desk.mark(URINE, "locked")
    assert rows(desk) == before


def rows(desk: Desk) -> dict[str, list[object]]:
    """Every dataset as rows."""
    return {name: list(frame.rows()) for name, frame in Datasets(desk.records).frames().items()}


def test_a_query_about_a_subject_of_whom_nothing_is_recorded_makes_no_subject(desk: Desk) -> None:
    key = Key("subject", "S9", "URINE", "UPROT24H", "M-3")
    with pytest.raises(ConductError, match="S9"):
        draft_query(desk.records, key, "who is this?")


def test_records_read_from_a_file_again_are_the_same(desk: Desk, tmp_path: Path) -> None:
    desk.complete_urine()
    desk.sign(URINE, "author")
    with Ledger.open(tmp_path / "ledger.db") as again:
        assert form_state(Records(desk.study, again.snapshot()), URINE) == state(desk)


def test_a_form_is_verified_only_as_it_was_seen(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    desk.mark(URINE, "complete")
    seen = shown_hash(desk.records, URINE)
    desk.put(URINE, reason="read again", URBC=99)
    with pytest.raises(ConductError, match="changed since you opened it; what is compared"):
        draft_mark(desk.records, URINE, "verified", True, "", seen)
    with pytest.raises(ConductError, match="changed since you opened it"):
        draft_mark(desk.records, URINE, "verified", True, "", "")
    assert draft_mark(desk.records, URINE, "verified", True, "", shown_hash(desk.records, URINE))


def test_a_planned_visits_form_is_not_struck_out(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    with pytest.raises(ConductError, match="belongs to a planned visit; only a row that repeats"):
        draft_mark(desk.records, URINE, "struck", True, "wrong visit")


def test_a_locked_form_is_not_signed(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    desk.mark(URINE, "complete")
    desk.mark(URINE, "locked")
    with pytest.raises(ConductError, match="is locked; its other states stay as they are"):
        draft_signature(
            desk.records, URINE, "author", COORDINATOR, AT, shown_hash(desk.records, URINE)
        )
