"""The one gate: rights, locks, order and checks, all of an act or nothing of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conduct.conftest import (
    ADMINISTRATOR,
    AE,
    COORDINATOR,
    COORDINATOR_2,
    DATA_MANAGER,
    DEMOG,
    FULL,
    INVESTIGATOR,
    MANUFACTURING,
    MONITOR,
    NOBODY,
    PROTEIN,
    TODAY,
    URINE,
    Desk,
    person,
)

from onearm.checks import check_records
from onearm.conduct import (
    ACTIONS,
    ROLES,
    Person,
    Right,
    draft_grant,
    draft_mark,
    draft_query,
    form_state,
    gate,
    item_key,
    mark_key,
    preview,
    rights_of,
    site_of,
)
from onearm.datasets import Datasets
from onearm.errors import ConductError, ExchangeError, LedgerError
from onearm.exchange.entries import import_entries
from onearm.ledger import Draft, Key, Ledger, Snapshot, StaleError
from onearm.records import FormKey, Records, is_conduct
from onearm.study import Study

WHO = {"by": "importer", "role": "data manager", "site": "A"}
QUERY = Key("subject", "S1", "DEMOG", "AGE@query1", "M-3")
HEADER = "kind,about,visit,form,item,repeat,value,unit,missing,reason"


def refused(desk: Desk, call: Callable[[], object], words: str, error: Any = ConductError) -> None:
    """An act that must be refused in these words, and of which nothing is recorded."""
    before = desk.ledger.head()
    with pytest.raises(error, match=words):
        call()
    assert desk.ledger.head() == before


def one(desk: Desk, item: str = "UPROT24H", answer: Any = 1.8, reason: str = "") -> Draft:
    return desk.draft(URINE, item, answer, reason=reason)


# -- rights ---------------------------------------------------------------------------------------


DENIED = [(r, a) for r in ROLES for a in ACTIONS if not person("", (r, "A")).may(a, "A", TODAY)]


@pytest.mark.parametrize(("role", "action"), DENIED)
def test_an_act_is_refused_to_every_role_that_may_not_do_it(
    desk: Desk, role: str, action: str
) -> None:
    who = person("someone", (role, "A"))
    words = re.escape(f"someone: has no right to {ACTIONS[action]} at site 'A'")
    refused(desk, lambda: desk.do(who, action, one(desk)), words)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_rights_nothing_is_done(desk: Desk, action: str) -> None:
    for kind in ("subject", "lot", "study"):
        refused(desk, lambda k=kind: desk.do(NOBODY, action, one(desk), kind=k), "has no right")


def test_nobody_in_particular_does_nothing(desk: Desk) -> None:
    refused(desk, lambda: desk.do(person(""), "enter", one(desk)), "nobody: has no right")


def test_a_right_at_one_site_is_none_at_another(desk: Desk) -> None:
    words = r"coordinator: has no right to enter values at site 'B'; ask an administrator"
    refused(desk, lambda: desk.do(COORDINATOR, "enter", one(desk), site="B"), words)


def test_a_right_that_has_ended_does_nothing(desk: Desk) -> None:
    desk.enter(draft_grant("temp", Right("coordinator", "A", TODAY.replace(day=29))))
    rights = rights_of(desk.ledger.snapshot(), "temp")
    temp = person("temp")
    temp = type(temp)("temp", "temp", rights)
    refused(desk, lambda: desk.do(temp, "enter", one(desk)), "has no right")


def test_the_entry_says_who_in_which_role_where_and_under_which_study_file(desk: Desk) -> None:
    (entry,) = desk.do(COORDINATOR, "enter", one(desk))
    assert (entry.by, entry.role, entry.site) == ("coordinator", "coordinator", "A")
    assert entry.study_hash == desk.study.hash


def test_an_act_about_another_sites_subject_is_refused_at_ones_own_site(desk: Desk) -> None:
    desk.put(URINE, site="B", UPROT24H=1.8)
    change = one(desk, answer=2.8, reason="read again")
    refused(desk, lambda: desk.do(COORDINATOR, "change", change, site="A"), "site")


def test_product_people_enter_no_subjects_form_by_calling_it_a_lot(desk: Desk) -> None:
    refused(desk, lambda: desk.do(MANUFACTURING, "enter", one(desk), kind="lot"), "subject")


def test_product_people_enter_a_lot(desk: Desk) -> None:
    draft = desk.draft(FormKey("lot", "L1", "COA", "", 1), "VIABILITY", 92)
    (entry,) = desk.do(MANUFACTURING, "enter", draft, kind="lot")
    assert entry.role == "manufacturing"


SMUGGLED: dict[str, tuple[Person, str, Callable[[Desk], Draft]]] = {
    "a right": (
        COORDINATOR, "enter", lambda d: draft_grant("coordinator", Right("administrator", ""))
    ),
    "a lock": (COORDINATOR, "enter", lambda d: Draft(mark_key(DEMOG, "locked"), "yes")),
    "an unlocking": (
        DATA_MANAGER, "lock", lambda d: Draft(mark_key(AE, "locked"), "no", reason="in error")
    ),
    "a signature": (COORDINATOR, "enter", lambda d: Draft(mark_key(DEMOG, "signed.review"), "{}")),
    "an enrolment": (
        COORDINATOR, "enter", lambda d: Draft(Key("subject", "S1", "@enrolment", "@decision"), "{}")
    ),
    "a verification": (COORDINATOR, "complete", lambda d: Draft(mark_key(DEMOG, "verified"), "yes")),
    "a value": (MONITOR, "query", lambda d: d.draft(DEMOG, "AGE", 24)),
    "the closing of a query": (
        COORDINATOR, "answer", lambda d: Draft(QUERY, "closed")
    ),
    "the nature of the data": (
        COORDINATOR, "enter", lambda d: Draft(Key("study", "X", "DATA", "NATURE"), "simulated")
    ),
    "an amendment": (
        COORDINATOR, "enter", lambda d: Draft(Key("study", "", "AMENDMENT", "STUDY"), "5d" * 32)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SMUGGLED)
def test_a_right_to_one_thing_records_nothing_else(desk: Desk, what: str) -> None:
    desk.put(DEMOG, SEX="F")
    desk.put(AE, AETERM="Rash")
    desk.mark(AE, "locked")
    who, action, make = SMUGGLED[what]
    refused(desk, lambda: desk.do(who, action, make(desk)), "no right")


def test_a_change_needs_the_right_to_change(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    change = one(desk, answer=2.8, reason="read again")
    refused(desk, lambda: desk.do(MONITOR, "verify", change), "no right")


# -- checks ---------------------------------------------------------------------------------------


def test_every_reason_of_a_refusal_shows_at_once(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    with pytest.raises(ConductError) as caught:
        desk.do(
            COORDINATOR, "change", one(desk, answer="high"), desk.draft(DEMOG, "SEX", "X"),
            desk.draft(FormKey("subject", "S1", "WEIGHT", "D0", 1), "WEIGHT", 60),
        )  # fmt: skip
    told = "\n".join(caught.value.messages)
    refusals = ("is locked", "is not a number", "a change needs a reason", "not a choice of SEX")
    for words in (*refusals, "opens when the decision"):
        assert words in told


def test_one_wrong_value_refuses_the_whole_act(desk: Desk) -> None:
    refused(
        desk,
        lambda: desk.do(COORDINATOR, "enter", one(desk), one(desk, "URBC", "many")),
        "is not a number",
    )


@pytest.mark.parametrize("reason", ["", " "])
def test_a_change_without_a_reason_is_refused(desk: Desk, reason: str) -> None:
    desk.do(COORDINATOR, "enter", one(desk))
    change = one(desk, answer=2.8, reason=reason)
    refused(desk, lambda: desk.do(COORDINATOR, "change", change), "a change needs a reason")


def test_an_implausible_value_is_recorded_and_a_date_to_come_is_not(desk: Desk) -> None:
    desk.do(COORDINATOR, "enter", one(desk, answer=31))
    late = one(desk, "URDT", "2018-12-31")
    refused(desk, lambda: desk.do(COORDINATOR, "enter", late), "lies after today")


def test_what_stands_already_makes_no_entry(desk: Desk) -> None:
    desk.do(COORDINATOR, "enter", one(desk))
    assert desk.do(COORDINATOR, "enter", one(desk), one(desk, "URBC", 12))[0].key.item == "URBC"
    assert desk.do(COORDINATOR, "enter", one(desk)) == []
    assert desk.do(COORDINATOR, "enter") == []


def test_a_warning_that_was_confirmed_is_recorded_beside_the_value(desk: Desk) -> None:
    confirmed = Draft(
        Key("subject", "S1", "URINE", "UPROT24H@confirmed", "M-3"), "31", reason="read twice"
    )
    made = desk.do(COORDINATOR, "enter", one(desk, answer=31), confirmed)
    assert [e.key.item for e in made] == ["UPROT24H", "UPROT24H@confirmed"]


# -- between look and save ------------------------------------------------------------------------


def test_nobody_overwrites_what_he_has_not_seen(desk: Desk) -> None:
    (first,) = desk.do(COORDINATOR, "enter", one(desk))
    before = desk.records
    desk.do(COORDINATOR_2, "change", one(desk, answer=2.8, reason="read again"))
    with pytest.raises(StaleError) as caught:
        desk.do(
            COORDINATOR, "change", one(desk, answer=3.8, reason="read again"),
            records=before, seen={PROTEIN: first.seq},
        )  # fmt: skip
    (stands,) = caught.value.entries
    assert (stands.value, stands.by) == ("2.8", "coordinator-2")
    assert "is now '2.8 g/(24.h)' (entry 2, by coordinator-2" in str(caught.value)
    assert desk.records.answers(URINE)["UPROT24H"].value == "2.8"


def test_two_people_who_fill_in_the_same_empty_item_do_not_overwrite_each_other(
    desk: Desk,
) -> None:
    before = desk.records
    desk.do(COORDINATOR, "enter", one(desk), records=before, seen={PROTEIN: 0})
    with pytest.raises(StaleError):
        desk.do(COORDINATOR_2, "enter", one(desk, answer=2.8), records=before, seen={PROTEIN: 0})


def test_two_people_on_different_items_of_one_form_do_not_disturb_each_other(desk: Desk) -> None:
    before = desk.records
    desk.do(COORDINATOR, "enter", one(desk), records=before, seen={PROTEIN: 0})
    blood = one(desk, "URBC", 12)
    assert desk.do(COORDINATOR_2, "enter", blood, records=before, seen={blood.key: 0})


@pytest.mark.parametrize("mark", ["locked", "struck"])
def test_a_lock_that_came_between_look_and_save_refuses_the_save(desk: Desk, mark: str) -> None:
    desk.put(AE, AETERM="Rash")
    before = desk.records
    desk.mark(AE, mark, True, "as agreed")
    grade = desk.draft(AE, "AEGRADE", 1)
    refused(
        desk,
        lambda: desk.do(COORDINATOR, "enter", grade, records=before),
        "recorded since you began",
        StaleError,
    )


def test_a_lock_that_was_taken_off_between_refuses_too_and_the_next_try_succeeds(
    desk: Desk,
) -> None:
    desk.put(URINE, UPROT24H=1.8)
    before = desk.records
    desk.mark(URINE, "locked")
    desk.mark(URINE, "locked", False, "in error")
    blood = one(desk, "URBC", 12)
    refused(desk, lambda: desk.do(COORDINATOR, "enter", blood, records=before), "since", StaleError)
    assert desk.do(COORDINATOR, "enter", blood)


def test_of_two_marks_set_at_once_the_second_is_told(desk: Desk) -> None:
    desk.put(URINE, **FULL)
    before = desk.records
    draft = draft_mark(before, URINE, "complete", True)
    desk.do(COORDINATOR, "complete", draft, records=before)
    desk.mark(URINE, "complete", False, "a page was lacking")
    again = Draft(draft.key, draft.value, reason="set again")
    with pytest.raises(StaleError):
        desk.do(COORDINATOR_2, "complete", again, records=before)


# -- gate and preview -----------------------------------------------------------------------------


def test_the_gate_names_each_form_once_and_lets_open_ones_pass(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    problems = gate(
        desk.records, [one(desk, "URBC", 1), one(desk, "UWBC", 1), desk.draft(DEMOG, "AGE", 24)]
    )
    assert [(p.id, p.severity) for p in problems] == [("form.locked", "error")]
    assert "(entry 2, by data-manager)" in problems[0].message


def test_a_preview_shows_what_would_stand_and_records_nothing(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    head = desk.ledger.head()
    ahead = preview(
        desk.records, [one(desk, answer=2.8, reason="read again"), one(desk, "URBC", 12)]
    )
    assert {i: e.value for i, e in ahead.answers(URINE).items()} == {
        "UPROT24H": "2.8",
        "URBC": "12",
    }
    assert desk.ledger.head() == head
    assert desk.records.answers(URINE)["UPROT24H"].value == "1.8"


def stand(records: Records) -> tuple[object, ...]:
    """What stands, in its order, but for what only a recorded entry has."""
    snapshot: Snapshot = records.snapshot
    return (
        [(e.seq, e.key, e.value, e.unit, e.missing) for e in snapshot.entries],
        snapshot.subjects(),
    )


def test_a_preview_stands_as_the_record_will_stand(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8, URBC=12)
    desk.put(FormKey("subject", "S2", "URINE", "M-3", 1), UPROT24H=1)
    desk.put(URINE, URBC=13, reason="read again")
    for drafts in (
        [one(desk, answer=2.8, reason="read again")],
        [one(desk, answer=2.8, reason="read again"), one(desk, "UWBC", 1)],
        [desk.draft(FormKey("subject", "S0", "URINE", "M-3", 1), "UPROT24H", 1)],
        [one(desk, "URBC", 14, "once more"), one(desk, "URDT", "2018-06-01")],
    ):
        ahead = stand(preview(desk.records, drafts))
        desk.enter(*drafts)
        assert ahead == stand(desk.records)


# -- from files -----------------------------------------------------------------------------------


def bring(desk: Desk, folder: Path, *rows: str) -> int:
    path = folder / "rows.csv"
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return len(import_entries(desk.study, desk.ledger, path, **WHO, today=TODAY).entries)


CONDUCT_ROWS = {
    "a mark": "subject,S1,M-3,URINE,@complete,1,yes,,,",
    "a lock taken off": "subject,S1,M-3,URINE,@locked,1,no,,,as agreed",
    "a signature": 'subject,S1,M-3,URINE,@signed.author,1,"{""hash"": ""x""}",,,',
    "a query": "subject,S1,M-3,URINE,UPROT24H@query1,1,closed,,,done",
    "a confirmation": "subject,S1,M-3,URINE,UPROT24H@confirmed,1,31,,,read twice",
    "an enrolment": "subject,S1,,@enrolment,@decision,1,yes,,,",
    "an exception": "subject,S1,,@enrolment,@exception.I1,1,yes,,,",
    "a missed visit": "subject,S1,M3,@visit,@missed,1,patient was ill,,,",
    "a right": "study,importer,,RIGHTS,administrator@,1,granted,,,",
    "a right at a site": "study,importer,,RIGHTS,monitor@A,1,granted until 2030-01-01,,,",
    "a sign-in": "study,importer,,ACCESS,signed in,1,2018-12-30,,,",
    "an amendment": f"study,,,AMENDMENT,STUDY,1,{'5d' * 32},,,by hand",
}


@pytest.mark.parametrize("what", CONDUCT_ROWS)
def test_conduct_never_comes_from_a_file(desk: Desk, tmp_path: Path, what: str) -> None:
    desk.put(URINE, UPROT24H=1.8)
    refused(
        desk, lambda: bring(desk, tmp_path, CONDUCT_ROWS[what]), "rows.csv, row 2: ", ExchangeError
    )
    assert rights_of(desk.ledger.snapshot(), "importer") == ()


def test_the_nature_of_the_data_may_come_from_a_file(desk: Desk, tmp_path: Path) -> None:
    assert bring(desk, tmp_path, "study,LN,,DATA,NATURE,1,constructed,,,") == 1


@pytest.mark.parametrize("mark", ["locked", "struck"])
def test_a_file_enters_nothing_on_a_form_locked_or_struck_out(
    desk: Desk, tmp_path: Path, mark: str
) -> None:
    desk.put(AE, AETERM="Rash")
    desk.mark(AE, mark, True, "as agreed")
    row = "subject,S1,,AE,AEGRADE,1,1,,,"
    words = {"locked": "is locked", "struck": "is struck out"}[mark]
    refused(desk, lambda: bring(desk, tmp_path, row), words, ExchangeError)


def test_a_file_of_one_site_records_nothing_about_a_subject_of_another(
    desk: Desk, tmp_path: Path
) -> None:
    desk.put(URINE, site="B", UPROT24H=1.8)
    row = "subject,S1,M-3,URINE,UPROT24H,1,2.8,g/(24.h),,read again"
    refused(desk, lambda: bring(desk, tmp_path, row), "site", ExchangeError)
    assert site_of(desk.records, "subject", "S1") == "B"


class Late(Ledger):
    """A ledger in which somebody locks a form right after the file was looked at."""

    def __init__(self, desk: Desk):
        super().__init__(desk.ledger._database)
        self.desk = desk

    def snapshot(self, as_of: str | int | None = None) -> Snapshot:
        looked = super().snapshot(as_of)
        self.desk.mark(URINE, "locked")
        return looked


def test_a_lock_that_came_while_a_file_was_read_refuses_the_file(
    desk: Desk, tmp_path: Path
) -> None:
    desk.put(URINE, UPROT24H=1.8)
    path = tmp_path / "rows.csv"
    path.write_text(f"{HEADER}\nsubject,S1,M-3,URINE,URBC,1,12,/[HPF],,\n", encoding="utf-8")
    with pytest.raises((ExchangeError, LedgerError)):
        import_entries(desk.study, Late(desk), path, **WHO, today=TODAY)
    assert "URBC" not in desk.records.answers(URINE)


# -- conduct is no data ---------------------------------------------------------------------------


def everything(desk: Desk) -> None:
    """One conduct entry of every shape."""
    desk.mark(URINE, "complete")
    desk.mark(URINE, "verified")
    desk.sign(URINE, "author")
    desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "1.8 in the source?"))
    desk.enrol()
    desk.enter(Draft(Key("subject", "S1", "@visit", "@missed", "M3"), "patient was ill"))
    desk.enter(Draft(Key("subject", "S1", "URINE", "UPROT24H@confirmed", "M-3"), "1.8", reason="x"))
    desk.enter(draft_grant("monitor-2", Right("monitor", "A")))
    desk.enter(Draft(Key("study", "coordinator", "ACCESS", "signed in"), "2018-12-30"))
    desk.enter(Draft(Key("study", "", "AMENDMENT", "STUDY"), "5d" * 32, reason="first"))
    desk.mark(URINE, "locked")


def test_conduct_is_no_problem_no_data_and_in_no_dataset(desk: Desk) -> None:
    desk.eligible()
    desk.put(AE, AETERM="Rash")
    before = desk.records
    problems, data = check_records(before, TODAY), before.data("subject", "S1")
    frames = {n: f.rows() for n, f in Datasets(before).frames().items()}
    everything(desk)
    after = desk.records
    assert check_records(after, TODAY) == problems
    assert after.data("subject", "S1") == data
    assert (after.subjects, after.donors, after.lots) == (("S1",), (), ())
    assert {n: f.rows() for n, f in Datasets(after).frames().items()} == frames


def test_an_entry_is_conduct_when_its_item_or_form_holds_an_at_sign() -> None:
    assert is_conduct(Key("subject", "S1", "URINE", "@locked"))
    assert is_conduct(Key("subject", "S1", "@enrolment", "x"))
    assert is_conduct(Key("study", "u", "RIGHTS", "monitor@A"))
    assert not is_conduct(Key("subject", "S@1", "URINE", "UPROT24H", "M@3"))


def test_the_chain_holds_over_all_of_it(desk: Desk) -> None:
    desk.eligible()
    everything(desk)
    assert desk.ledger.verify(desk.ledger.head()) == []


def test_who_unlocks_and_who_locks_are_named_in_the_trail(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    desk.mark(URINE, "locked", False, "source read again")
    trail = desk.ledger.history(mark_key(URINE, "locked"))
    assert [(e.by, e.role, e.value) for e in trail] == [
        (DATA_MANAGER.user, "data manager", "yes"),
        (ADMINISTRATOR.user, "administrator", "no"),
    ]
    assert INVESTIGATOR.user not in {e.by for e in trail}


# -- what comes by itself, whatever the way -------------------------------------------------------


def test_a_file_takes_a_verification_back_as_a_page_does(desk: Desk, tmp_path: Path) -> None:
    desk.put(URINE, **FULL)
    desk.mark(URINE, "complete")
    desk.mark(URINE, "verified")
    row = "subject,S1,M-3,URINE,URBC,1,77,/[HPF],,read again"
    assert bring(desk, tmp_path, row) == 2
    assert not form_state(desk.records, URINE).has("verified")
    back = desk.records.snapshot.get(mark_key(URINE, "verified"))
    assert back is not None and back.reason == "changed after it was verified: URBC"


def test_what_a_files_answers_hide_is_recorded_as_not_applicable(
    desk: Desk, tmp_path: Path
) -> None:
    demog = DEMOG
    desk.put(demog, SEX="F", PREGTEST=True)
    row = "subject,S1,M-3,DEMOG,SEX,1,M,,,typing error"
    assert bring(desk, tmp_path, row) == 2
    hidden = desk.records.snapshot.get(item_key(demog, "PREGTEST"))
    assert hidden is not None and (hidden.value, hidden.missing) == (None, "not applicable")


def test_a_value_of_a_file_that_another_answer_hides_is_told(desk: Desk, tmp_path: Path) -> None:
    rows = ("subject,S1,M-3,DEMOG,SEX,1,M,,,", "subject,S1,M-3,DEMOG,PREGTEST,1,yes,,,")
    words = "rows.csv, row 3: DEMOG.PREGTEST is hidden by another answer"
    refused(desk, lambda: bring(desk, tmp_path, *rows), words, ExchangeError)


def test_nothing_is_confirmed_on_a_locked_form(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    said = Draft(item_key(URINE, "UPROT24H@confirmed"), "1.8", reason="read twice")
    refused(desk, lambda: desk.do(COORDINATOR, "enter", said), "is locked")


def test_who_may_not_see_a_value_does_not_replace_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor = FormKey("donor", "D1", "DONOR", "", 1)
    desk.put(donor, DNAGE=31)
    draft = desk.draft(donor, "DNAGE", 32, reason="typing error")
    monkeypatch.setattr(Study, "identifies", lambda _s, _form, item: item == "DNAGE")
    refused(
        desk,
        lambda: desk.do(MANUFACTURING, "change", draft, kind="donor"),
        "holds a value that you may not see",
    )
    assert desk.do(COORDINATOR, "change", draft, kind="donor")
