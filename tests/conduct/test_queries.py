"""Queries at a field: opened, answered, closed, opened again, and every word of it kept."""

from __future__ import annotations

import pytest
from tests.conduct.conftest import (
    AE,
    COORDINATOR,
    DATA_MANAGER,
    MONITOR,
    PROTEIN,
    SLEDAI,
    URINE,
    Desk,
)

from onearm.conduct import draft_query, draft_reply, form_state, mark_key, queries
from onearm.errors import ConductError
from onearm.ledger import Key, Ledger
from onearm.records import Records, form_key

BLOOD = Key("subject", "S1", "URINE", "URBC", "M-3")


@pytest.fixture
def asked(desk: Desk) -> Key:
    """A query that the monitor opened at the protein."""
    desk.put(URINE, UPROT24H=18)
    (entry,) = desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "1.8 in the source?"))
    return entry.key


def test_a_query_opens_at_its_field(desk: Desk, asked: Key) -> None:
    (query,) = queries(desk.records)
    assert (query.item, query.number, query.state) == ("UPROT24H", 1, "open")
    assert query.words == "1.8 in the source?"
    assert query.form == URINE == form_key(asked)
    assert query.last.by == "monitor"
    assert query.key == asked


def test_a_thread_of_opening_answer_closing_and_reopening_is_kept_word_by_word(
    desk: Desk, asked: Key
) -> None:
    steps = [
        (COORDINATOR, "answer", "answered", "the source says 1.8"),
        (MONITOR, "close query", "closed", "corrected"),
        (DATA_MANAGER, "query", "open", "which visit was that?"),
        (COORDINATOR, "answer", "answered", "month -3"),
    ]
    for who, action, state, words in steps:
        desk.do(who, action, draft_reply(desk.records, asked, state, words))  # type: ignore[arg-type]
        (query,) = queries(desk.records)
        assert (query.state, query.words) == (state, words)
    thread = [(e.by, e.value, e.reason) for e in desk.ledger.history(asked)]
    assert thread == [
        ("monitor", "open", "1.8 in the source?"),
        *[(who.user, state, words) for who, _, state, words in steps],
    ]


def test_a_query_is_closed_without_any_change_of_the_value(desk: Desk, asked: Key) -> None:
    desk.do(COORDINATOR, "answer", draft_reply(desk.records, asked, "answered", "it is 18"))
    desk.do(MONITOR, "close query", draft_reply(desk.records, asked, "closed", "accepted"))
    assert [e.value for e in desk.ledger.history(PROTEIN)] == ["18"]


def test_queries_at_one_field_and_at_others_are_counted_apart(desk: Desk, asked: Key) -> None:
    desk.do(MONITOR, "query", draft_query(desk.records, PROTEIN, "a second question"))
    desk.do(MONITOR, "query", draft_query(desk.records, BLOOD, "not counted?"))
    found = {(q.item, q.number) for q in queries(desk.records)}
    assert found == {("UPROT24H", 1), ("UPROT24H", 2), ("URBC", 1)}


def test_a_number_is_not_used_again_after_closing(desk: Desk, asked: Key) -> None:
    desk.do(MONITOR, "close query", draft_reply(desk.records, asked, "closed", "asked in error"))
    draft = draft_query(desk.records, PROTEIN, "another question")
    assert draft.key.item == "UPROT24H@query2"


def test_queries_of_one_form_are_those_of_no_other(desk: Desk, asked: Key) -> None:
    assert len(queries(desk.records, URINE)) == 1
    assert queries(desk.records, SLEDAI) == ()
    other = form_key(Key("subject", "S1", "URINE", "UPROT24H", "M3"))
    assert queries(desk.records, other) == ()


def test_a_query_at_a_repeating_row_stays_at_its_row(desk: Desk) -> None:
    second = Key("subject", "S1", "AE", "AETERM", "", 2)
    desk.put(AE, AETERM="headache")
    desk.enter(draft_query(desk.records, second, "which event?"))
    assert queries(desk.records, AE) == ()
    assert [q.key.repeat for q in queries(desk.records, form_key(second))] == [2]


@pytest.mark.parametrize("words", ["", " ", "\n\t"])
def test_a_query_and_every_reply_say_something(desk: Desk, asked: Key, words: str) -> None:
    with pytest.raises(ConductError, match="the words are blank"):
        draft_query(desk.records, PROTEIN, words)
    with pytest.raises(ConductError, match="the words are blank"):
        draft_reply(desk.records, asked, "answered", words)


def test_there_is_no_reply_to_a_query_that_is_not_there_or_stands_so_already(
    desk: Desk, asked: Key
) -> None:
    missing = Key("subject", "S1", "URINE", "UPROT24H@query2", "M-3")
    with pytest.raises(ConductError, match="there is no such query"):
        draft_reply(desk.records, missing, "closed", "done")
    with pytest.raises(ConductError, match="is open already"):
        draft_reply(desk.records, asked, "open", "again")


def test_a_reply_goes_to_a_query_and_never_to_a_mark(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=1.8)
    desk.mark(URINE, "locked")
    with pytest.raises(ConductError, match="no such query"):
        draft_reply(desk.records, mark_key(URINE, "locked"), "closed", "done")
    with pytest.raises(ConductError, match="no such query"):
        draft_reply(desk.records, PROTEIN, "closed", "done")


def test_a_state_that_queries_do_not_have_is_refused(desk: Desk, asked: Key) -> None:
    with pytest.raises(ConductError, match="deleted"):
        draft_reply(desk.records, asked, "deleted", "never asked")  # type: ignore[arg-type]


def test_a_query_may_be_opened_on_a_locked_form(desk: Desk, asked: Key) -> None:
    desk.mark(URINE, "locked")
    desk.do(MONITOR, "query", draft_query(desk.records, BLOOD, "not counted?"))
    assert form_state(desk.records, URINE).has("locked")


def test_who_enters_data_closes_no_query_and_who_reads_answers_none(desk: Desk, asked: Key) -> None:
    closing = draft_reply(desk.records, asked, "closed", "done")
    with pytest.raises(ConductError, match="has no right to close a query"):
        desk.do(COORDINATOR, "close query", closing)
    with pytest.raises(ConductError, match="has no right to answer a query"):
        desk.do(MONITOR, "answer", draft_reply(desk.records, asked, "answered", "x"))


def both(desk: Desk, before: Records, first: tuple, second: tuple) -> None:  # type: ignore[type-arg]
    """Two people act on the same page, one after the other."""
    desk.do(*first, records=before)
    desk.do(*second, records=before)


def test_of_two_queries_opened_at_once_none_is_lost_in_silence(desk: Desk) -> None:
    desk.put(URINE, UPROT24H=18)
    before = desk.records
    first = (MONITOR, "query", draft_query(before, PROTEIN, "1.8 in the source?"))
    second = (DATA_MANAGER, "query", draft_query(before, PROTEIN, "which unit?"))
    with pytest.raises(Exception, match="recorded since you began"):
        both(desk, before, first, second)


def test_of_two_answers_given_at_once_none_is_lost_in_silence(desk: Desk, asked: Key) -> None:
    before = desk.records
    first = (COORDINATOR, "answer", draft_reply(before, asked, "answered", "it is 18"))
    second = (COORDINATOR, "answer", draft_reply(before, asked, "answered", "it is 1.8"))
    with pytest.raises(Exception, match="recorded since you began"):
        both(desk, before, first, second)


def test_queries_survive_a_new_opening_of_the_ledger(desk: Desk, asked: Key) -> None:
    path = desk.ledger._database.where
    with Ledger.open(str(path)) as again:
        assert [q.key for q in queries(Records(desk.study, again.snapshot()))] == [asked]
