"""What is recorded stays, changes say why, and every cut of the data can be taken again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledger.conftest import NOTE, PROTEIN, WHO, Place, fill

from onearm.errors import LedgerError
from onearm.ledger import (
    Draft,
    Entry,
    Head,
    Key,
    Ledger,
    Snapshot,
    StaleError,
    chain,
    guards,
    store,
)
from onearm.ledger.sqlite import sqlite3

DOCS = Path(__file__).parents[2] / "docs"
RASH = Key("subject", "LN-01", "SLEDAI", "RASH", "M3")


class Clock:
    """A machine's clock that the test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(store, "machine_time", made)
    return made


# recording


def test_the_first_value_is_an_entry_with_who_when_where_and_under_which_study_file(
    ledger: Ledger, clock: Clock
) -> None:
    [entry] = ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    assert (entry.seq, entry.key, entry.value, entry.unit) == (1, PROTEIN, "1.8", "g/(24.h)")
    assert (entry.by, entry.role, entry.site) == ("nurse 1", "nurse", "Mashhad")
    assert entry.at == "2026-11-22T09:00:00.000000Z"
    assert entry.study_hash == "5d" * 32
    assert entry.software.startswith("onearm ")
    assert (entry.missing, entry.reason, entry.redacts) == ("", "", None)
    assert entry.prev_hash == "0" * 64
    assert ledger.head() == Head(1, entry.hash)
    assert ledger.snapshot().get(PROTEIN) == entry


def test_a_change_needs_a_reason_and_the_old_value_stays(ledger: Ledger) -> None:
    [old] = ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    for reason in ("", "  \n"):
        with pytest.raises(LedgerError) as refused:
            ledger.record([Draft(PROTEIN, "1.9", "g/(24.h)", reason=reason)], **WHO)
        assert str(refused.value) == (
            "subject LN-01, visit M3, form URINE24H, item UPROT24H: would change from "
            f"'1.8 g/(24.h)' (entry 1, by nurse 1 at {old.at}) to '1.9 g/(24.h)' without a "
            "reason; every change of a recorded value says why; give the draft a reason"
        )
    [new] = ledger.record([Draft(PROTEIN, "1.9", "g/(24.h)", reason="typing error")], **WHO)
    assert ledger.history(PROTEIN) == [old, new]
    assert new.reason == "typing error"


def test_an_unchanged_value_makes_no_entry(ledger: Ledger) -> None:
    drafts = [Draft(PROTEIN, "1.8", "g/(24.h)"), Draft(RASH, None, missing="not done")]
    assert len(ledger.record(drafts, **WHO)) == 2
    assert ledger.record(drafts, **WHO) == []
    assert ledger.head().seq == 2


@pytest.mark.parametrize(
    "changed",
    [
        Draft(PROTEIN, "1.80", "g/(24.h)", reason="r"),
        Draft(PROTEIN, "1.8 ", "g/(24.h)", reason="r"),
        Draft(PROTEIN, "1.8", "mg/(24.h)", reason="r"),
        Draft(PROTEIN, None, "g/(24.h)", missing="unknown", reason="r"),
    ],
)
def test_another_text_unit_or_word_for_missing_is_a_change(ledger: Ledger, changed: Draft) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    assert len(ledger.record([changed], **WHO)) == 1
    without = Draft(changed.key, changed.value, changed.unit, changed.missing)
    assert ledger.record([without], **WHO) == []  # now it is what stands


def test_a_missing_value_that_turns_up_and_the_reverse_are_changes(ledger: Ledger) -> None:
    ledger.record([Draft(RASH, None, missing="not done")], **WHO)
    with pytest.raises(LedgerError, match=r"from 'missing \(not done\)' .* to 'yes' without"):
        ledger.record([Draft(RASH, "yes")], **WHO)
    with pytest.raises(LedgerError, match=r"to 'missing \(unknown\)' without"):
        ledger.record([Draft(RASH, None, missing="unknown")], **WHO)
    ledger.record([Draft(RASH, "yes", reason="found in the chart")], **WHO)
    assert [entry.words for entry in ledger.history(RASH)] == ["missing (not done)", "yes"]


def test_one_fault_keeps_the_whole_save_out_and_all_faults_show(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8"), Draft(RASH, "yes")], **WHO)
    before = ledger.head()
    drafts = [Draft(PROTEIN, "2"), Draft(RASH, "no"), Draft(NOTE, "new")]
    with pytest.raises(LedgerError) as refused:
        ledger.record(drafts, **WHO)
    assert len(str(refused.value).splitlines()) == 2
    assert ledger.head() == before
    assert ledger.history(NOTE) == []


REFUSED = [
    (Draft(PROTEIN, None), "has no value and no word for why"),
    (Draft(PROTEIN, "1", missing="unknown"), "has the value '1' and is missing"),
    (Draft(PROTEIN, None, missing="lost"), "missing 'lost' is unknown"),  # type: ignore[arg-type]
    (Draft(PROTEIN, "  "), "the value is blank"),
    (Draft(PROTEIN, 1.8), "value '1.8' is float, not text"),  # type: ignore[arg-type]
    (Draft(PROTEIN, "a\x00b"), r"value 'a\\x00b' holds a NUL character"),
    (Draft(PROTEIN, "a\ud800"), r"value 'a\\ud800' holds half of a character"),
    (Draft(PROTEIN, "1", unit=" g"), "unit ' g' begins or ends with a space"),
    (Draft(PROTEIN, "1", reason="\udfff"), "reason .* holds half of a character"),
    (Draft(Key("patient", "1", "F", "I"), "1"), "kind 'patient' is unknown"),  # type: ignore[arg-type]
    (Draft(Key("subject", "", "F", "I"), "1"), "about '' is blank"),
    (Draft(Key("subject", "1", "", "I"), "1"), "form '' is blank"),
    (Draft(Key("donor", "1", "F", ""), "1"), "item '' is blank"),
    (Draft(Key("subject", "S1 ", "F", "I"), "1"), "about 'S1 ' begins or ends with a space"),
    (Draft(Key("subject", "S\n1", "F", "I"), "1"), "about 'S\n1' holds a control character"),
    (Draft(Key("subject", "S1", "F", "I", " "), "1"), "visit ' ' is blank"),
    (Draft(Key("subject", "S1", "F", "I", repeat=0), "1"), "repeat 0 is not 1, 2, 3"),
    (Draft(Key("subject", "S1", "F", "I", repeat=True), "1"), "repeat True is not 1, 2, 3"),
    (Draft(Key("subject", "S1", "F", "I", repeat=2**53), "1"), "is not 1, 2, 3"),
    (Draft(Key("study", "X", "CLOCK", "SETBACK"), "1"), "belongs to the ledger itself"),
]


@pytest.fixture(scope="module")
def any_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("any") / "ledger.db"
    with Ledger.open(path, create=True) as opened:
        yield opened


@pytest.mark.parametrize(("draft", "words"), REFUSED, ids=range(len(REFUSED)))
def test_a_draft_no_entry_can_be_made_of_is_refused(
    any_ledger: Ledger, draft: Draft, words: str
) -> None:
    with pytest.raises(LedgerError, match=words) as refused:
        any_ledger.record([Draft(RASH, "yes"), draft], **WHO)
    assert str(refused.value).count(";") >= 2 or "belongs to the ledger" in str(refused.value)
    assert any_ledger.head() == Head(0, "0" * 64)


def test_two_drafts_of_one_key_in_one_save_are_refused(any_ledger: Ledger) -> None:
    for second in ("1.8", "1.9"):
        with pytest.raises(LedgerError, match="stands twice in one save"):
            any_ledger.record([Draft(PROTEIN, "1.8"), Draft(PROTEIN, second)], **WHO)


def test_study_level_entries_may_leave_form_and_item_blank(ledger: Ledger) -> None:
    [entry] = ledger.record([Draft(Key("study", "", "", ""), "opened")], **WHO)
    assert entry.key == Key("study", "", "", "")


@pytest.mark.parametrize("name", ["by", "role", "study_hash"])
@pytest.mark.parametrize("text", ["", " ", "a\x00"])
def test_who_in_which_role_and_under_which_study_file_is_never_blank(
    any_ledger: Ledger, name: str, text: str
) -> None:
    with pytest.raises(LedgerError, match=f"^{name}: "):
        any_ledger.record([Draft(PROTEIN, "1")], **{**WHO, name: text})


def test_many_faults_are_counted_beyond_the_first_twenty(any_ledger: Ledger) -> None:
    drafts = [Draft(Key("subject", f"S{n}", "F", "I"), "") for n in range(25)]
    with pytest.raises(LedgerError) as refused:
        any_ledger.record(drafts, **WHO)
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (21, "... and 5 more like these")


def test_a_large_save_is_one_save(ledger: Ledger, clock: Clock) -> None:
    drafts = [Draft(Key("subject", f"S{n}", "F", "I"), str(n)) for n in range(500)]
    entries = ledger.record(drafts, **WHO)
    assert [entry.seq for entry in entries] == list(range(1, 501))
    assert {entry.at for entry in entries} == {"2026-11-22T09:00:00.000000Z"}
    assert ledger.record(drafts, **WHO) == []
    assert ledger.verify() == []


# what the database itself refuses

ATTEMPTS = [
    "UPDATE ledger SET value = '0.2' WHERE seq = 1",
    "UPDATE ledger SET value = NULL, salt = NULL WHERE seq = 1",
    "UPDATE ledger SET value = NULL, salt = NULL, reason = 'x' WHERE seq = 4",
    "UPDATE ledger SET value = 'back', salt = 'x' WHERE seq = 4",
    "UPDATE ledger SET seq = 99 WHERE seq = 8",
    "DELETE FROM ledger WHERE seq = 8",
    "DELETE FROM ledger",
    "UPDATE ledger_head SET seq = 7",
    "UPDATE ledger_head SET seq = 9, hash = 'x'",
    "DELETE FROM ledger_head",
    "INSERT INTO ledger_head (seq, hash) VALUES (9, 'x')",
]


def copy_of_row_1(changes: dict[str, str]) -> str:
    """SQL that inserts row 1 again with some cells given as SQL."""
    cells = [changes.get(name, f'"{name}"') for name in chain.COLUMNS]
    names = ", ".join(f'"{name}"' for name in chain.COLUMNS)
    return f"INSERT INTO ledger ({names}) SELECT {', '.join(cells)} FROM ledger WHERE seq = 1"


LAST = "(SELECT hash FROM ledger WHERE seq = 8)"
NEXT = {"seq": "9", "prev_hash": LAST, "hash": "'ab'"}
ATTEMPTS += [
    copy_of_row_1({"seq": "9"}),
    copy_of_row_1({**NEXT, "seq": "10"}),
    copy_of_row_1({**NEXT, "seq": "8"}),
    copy_of_row_1({**NEXT, "at": "'2001-01-01T00:00:00.000000Z'"}),
    copy_of_row_1({**NEXT, "redacts": "2"}),
    copy_of_row_1({**NEXT, "redacts": "4"}),
    copy_of_row_1({**NEXT, "redacts": "77"}),
]
SQLITE_ATTEMPTS = [
    "INSERT OR REPLACE" + copy_of_row_1({}).removeprefix("INSERT"),
    "INSERT OR REPLACE INTO ledger_head (rowid, seq, hash) VALUES (1, 2, 'x')",
    "UPDATE OR REPLACE ledger SET seq = 2 WHERE seq = 1",
]
POSTGRES_ATTEMPTS = [
    "TRUNCATE ledger",
    "TRUNCATE ledger_head",
    "SET session_replication_role = replica; DELETE FROM ledger",
    "CREATE TEMP TABLE ledger_head AS SELECT 8 AS seq, 'x' AS hash;"
    " UPDATE ledger_head SET seq = 8, hash = 'zz'; " + copy_of_row_1({**NEXT, "prev_hash": "'zz'"}),
]


def test_the_database_itself_refuses_to_change_remove_backdate_or_break(filled: Place) -> None:
    before = filled.rows(), filled.witness()
    for sql in [*ATTEMPTS, *(SQLITE_ATTEMPTS if filled.sqlite else POSTGRES_ATTEMPTS)]:
        with (
            pytest.raises(Exception, match=r"onearm ledger: |permission denied"),
            filled.raw() as c,
        ):
            c.execute(sql)
    assert (filled.rows(), filled.witness()) == before
    with filled.open() as ledger:
        assert ledger.verify() == []


def test_a_row_that_does_continue_the_chain_passes_the_guards(filled: Place) -> None:
    with filled.raw() as connection:
        connection.execute(copy_of_row_1({**NEXT, "at": "(SELECT at FROM ledger WHERE seq = 8)"}))
    assert filled.witness() == (9, "ab")  # the guards keep the chain; verify() checks the hashes


def test_a_removed_end_cannot_be_recorded_anew_under_its_old_numbers(filled: Place) -> None:
    with filled.unguarded() as connection:
        connection.execute("DELETE FROM ledger WHERE seq > 6")
    anew = {"prev_hash": "(SELECT hash FROM ledger WHERE seq = 6)", "hash": "'ab'"}
    at = {"at": "(SELECT at FROM ledger WHERE seq = 6)"}
    with pytest.raises(Exception, match="onearm ledger: "), filled.raw() as connection:
        connection.execute(copy_of_row_1({"seq": "7", **anew, **at}))
    with filled.open() as ledger, pytest.raises(LedgerError):
        ledger.record([Draft(RASH, "yes", reason="r")], **WHO)
    assert len(filled.rows()) == 6


def test_several_rows_in_one_statement_each_continue_the_one_before(filled: Place) -> None:
    at = {"at": "(SELECT at FROM ledger WHERE seq = 8)"}
    two = copy_of_row_1({**NEXT, **at})
    for prev_hash, passes in (("'zz'", False), ("'ab'", True)):
        row = {"seq": "10", "prev_hash": prev_hash, "hash": "'cd'", **at}
        both = f"{two} UNION ALL {copy_of_row_1(row).partition(') ')[2]}"
        if passes:
            with filled.raw() as connection:
                connection.execute(both)
        else:
            with pytest.raises(Exception, match="onearm ledger: "), filled.raw() as connection:
                connection.execute(both)
    assert filled.witness() == (10, "cd")


def test_nothing_is_recorded_into_a_ledger_whose_guards_are_gone(filled: Place) -> None:
    with filled.raw() as connection:
        connection.guards_off()
    with filled.open() as ledger, pytest.raises(LedgerError, match="guards were altered"):
        ledger.record([Draft(PROTEIN, "3", reason="r")], **WHO)
    assert len(filled.rows()) == 8


def test_guards_that_go_while_the_ledger_is_open_are_noticed_at_the_next_save(
    filled: Place,
) -> None:
    with filled.open() as ledger:
        ledger.record([Draft(PROTEIN, "3", reason="r")], **WHO)
        with filled.raw() as connection:
            connection.guards_off()
        with pytest.raises(LedgerError, match="the witness did not follow"):
            ledger.record([Draft(PROTEIN, "4", reason="r")], **WHO)
    assert len(filled.rows()) == 9


# redaction


def test_a_redaction_removes_the_value_and_says_who_and_why(place: Place) -> None:
    secret = "Parvaneh, room 12"
    with place.open() as ledger:
        [entry] = ledger.record([Draft(NOTE, secret)], **WHO)
        redaction = ledger.redact(1, reason="names a person", **WHO)
        assert (redaction.seq, redaction.redacts, redaction.reason) == (2, 1, "names a person")
        assert (redaction.key, redaction.by, redaction.role) == (NOTE, "nurse 1", "nurse")
        current = ledger.snapshot().get(NOTE)
        assert current is not None
        assert (current.seq, current.value, current.redacted) == (1, None, True)
        assert current.hash == entry.hash
        assert ledger.snapshot().redacted == (current,)
        assert ledger.snapshot(1).get(NOTE) == current  # an earlier cut cannot bring it back
        assert [e.words for e in ledger.history(NOTE)] == ["redacted", "redaction of entry 1"]
        assert ledger.verify() == []
    if isinstance(place.where, Path):
        assert secret.encode() not in place.where.read_bytes()


def test_redacting_an_old_version_leaves_the_current_value(ledger: Ledger) -> None:
    ledger.record([Draft(NOTE, "first")], **WHO)
    ledger.record([Draft(NOTE, "second", reason="r")], **WHO)
    ledger.redact(1, reason="r", **WHO)
    current = ledger.snapshot().get(NOTE)
    assert current is not None
    assert (current.seq, current.value, current.redacted) == (2, "second", False)
    assert ledger.record([Draft(NOTE, "second")], **WHO) == []


def test_a_new_value_after_a_redaction_is_a_change(ledger: Ledger) -> None:
    ledger.record([Draft(NOTE, "first")], **WHO)
    ledger.redact(1, reason="r", **WHO)
    with pytest.raises(LedgerError, match=r"from 'redacted' .* without a reason"):
        ledger.record([Draft(NOTE, "first")], **WHO)
    [entry] = ledger.record([Draft(NOTE, "room 12", reason="name left out")], **WHO)
    assert ledger.snapshot().get(NOTE) == entry
    assert ledger.verify() == []


def test_only_a_value_that_stands_can_be_redacted(filled: Place) -> None:
    with filled.open() as ledger:
        for seq, words in (
            (99, "does not exist"),
            (2, r"holds no value \(missing \(not done\)\)"),
            (4, r"holds no value \(redacted\)"),
            (6, r"holds no value \(redaction of entry 4\)"),
        ):
            with pytest.raises(LedgerError, match=rf"entry {seq}: {words}"):
                ledger.redact(seq, reason="r", **WHO)
        with pytest.raises(LedgerError, match="a redaction needs a reason"):
            ledger.redact(1, reason=" ", **WHO)
        assert ledger.head().seq == 8


# time


def test_times_never_go_back_a_small_step_gets_the_last_time(ledger: Ledger, clock: Clock) -> None:
    ledger.record([Draft(PROTEIN, "1")], **WHO)
    clock.move(seconds=-1.5)
    [entry] = ledger.record([Draft(PROTEIN, "2", reason="r")], **WHO)
    assert entry.at == "2026-11-22T09:00:00.000000Z"


def test_a_clock_set_back_stops_recording_until_somebody_says_so(
    place: Place, clock: Clock
) -> None:
    with place.open() as ledger:
        clock.move(days=400)
        ledger.record([Draft(PROTEIN, "1")], **WHO)
        clock.move(days=-400)
        with pytest.raises(LedgerError, match=r"the machine says 2026-11-22T09:00:00\.000000Z"):
            ledger.record([Draft(PROTEIN, "2", reason="r")], **WHO)
        with pytest.raises(LedgerError, match="needs a reason"):
            ledger.record_clock(reason="", **WHO)
        said = ledger.record_clock(reason="the clock ran a year ahead", **WHO)
        assert (said.key.form, said.key.item) == ("CLOCK", "SETBACK")
        assert (said.at, said.value) == (
            "2026-11-22T09:00:00.000000Z",
            "2027-12-27T09:00:00.000000Z",
        )
        clock.move(hours=1)
        [entry] = ledger.record([Draft(PROTEIN, "2", reason="r")], **WHO)
        assert entry.at == "2026-11-22T10:00:00.000000Z"
        assert ledger.verify() == []
        # a cut by time holds everything that was recorded before its last entry
        assert ledger.snapshot("2026-11-22T09:30:00Z").head.seq == 2


def test_a_setback_is_recorded_only_when_the_clock_is_behind(ledger: Ledger, clock: Clock) -> None:
    for _ in range(2):
        with pytest.raises(LedgerError, match="is not behind the last entry"):
            ledger.record_clock(reason="r", **WHO)
        ledger.record([Draft(PROTEIN, "1")], **WHO)


# reading


def test_a_cut_by_number_or_time_gives_the_data_as_they_stood(ledger: Ledger, clock: Clock) -> None:
    ledger.record([Draft(PROTEIN, "1.8"), Draft(RASH, "yes")], **WHO)
    clock.move(hours=2)
    ledger.record([Draft(PROTEIN, "1.9", reason="r")], **WHO)
    clock.move(days=1)
    ledger.record([Draft(NOTE, "x")], **WHO)

    def cut(as_of: str | int | None) -> tuple[list[str | None], str]:
        snapshot = ledger.snapshot(as_of)
        return [entry.value for entry in snapshot.entries], snapshot.as_of

    first, second = "2026-11-22T09:00:00.000000Z", "2026-11-22T11:00:00.000000Z"
    third = "2026-11-23T11:00:00.000000Z"
    assert cut(0) == cut("2026-11-21") == cut("2026-11-22T08:59:59.999999Z") == ([], "")
    assert cut(1) == (["1.8"], first)
    assert (
        cut(2) == cut("2026-11-22T09:00Z") == cut("2026-11-22T10:59:59Z") == (["1.8", "yes"], first)
    )
    assert (
        cut(3) == cut("2026-11-22") == cut("2026-11-22T14:30:00+03:30") == (["yes", "1.9"], second)
    )
    assert (
        cut(4)
        == cut(None)
        == cut("2026-11-23")
        == cut("2099-01-01")
        == (["yes", "1.9", "x"], third)
    )
    assert ledger.snapshot(3).head == Head(3, ledger.history(PROTEIN)[1].hash)
    assert ledger.snapshot(0).head == Head(0, "0" * 64)


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        ("2026-11-22T09:00:00", "the time has no zone.* write 2026-11-22T09:00:00Z for UTC"),
        ("2026-02-30", "there is no such date or time"),
        ("2026-11-22T25:00Z", "there is no such date or time"),
        ("0001-01-01T00:00+14:00", "there is no such date or time"),
        ("22.11.2026", "is no date or time"),
        ("12", "is no date or time; .* for the number of an entry give a whole number"),
        ("2026-11", "is no date or time"),
        (1, "is not the number of an entry; the ledger holds entries 1 to 0"),
        (-1, "is not the number of an entry"),
        (True, "is not the number of an entry"),
    ],
)
def test_an_unclear_cut_is_refused_in_words(
    any_ledger: Ledger, as_of: str | int, words: str
) -> None:
    with pytest.raises(LedgerError, match=words):
        any_ledger.snapshot(as_of)


def test_subjects_donors_and_lots_come_in_order_of_their_first_entry(ledger: Ledger) -> None:
    def draft(kind: Any, about: str, value: str, reason: str = "") -> Draft:
        return Draft(Key(kind, about, "F", "I"), value, reason=reason)

    for drafts in (
        [draft("subject", "S2", "1"), draft("subject", "S1", "1"), draft("donor", "D9", "1")],
        [draft("lot", "L1", "1"), draft("subject", "S2", "2", "r"), draft("donor", "D1", "1")],
    ):
        ledger.record(drafts, **WHO)
    snapshot = ledger.snapshot()
    assert snapshot.subjects() == ("S2", "S1")
    assert snapshot.donors() == ("D9", "D1")
    assert snapshot.lots() == ("L1",)
    assert [entry.value for entry in snapshot.about("subject", "S2")] == ["2"]
    assert snapshot.about("subject", "S3") == ()
    assert snapshot.get(Key("subject", "S3", "F", "I")) is None
    assert Snapshot(snapshot.entries).subjects() == ("S1", "S2")  # without order: as entries come


def test_the_nature_of_the_data_is_said_by_the_ledger(filled: Place) -> None:
    with filled.open() as ledger:
        assert ledger.snapshot().nature == "constructed"
        assert ledger.snapshot(7).nature == ""


def test_the_whole_trail_is_read_in_order_and_from_any_number(
    filled: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onearm.ledger import database

    monkeypatch.setattr(database, "STREAM", 3)  # several pages
    with filled.open() as ledger:
        assert [entry.seq for entry in ledger.entries()] == list(range(1, 9))
        assert [entry.seq for entry in ledger.entries(after=6)] == [7, 8]


def test_a_head_reads_back_from_its_text() -> None:
    head = Head(12, "ab" * 32)
    assert str(head) == "12:" + "ab" * 32
    assert Head.parse(f" {head}\n") == head
    for text in ("", "12", "12:ab", f"x:{'ab' * 32}", f"-1:{'ab' * 32}", f"012:{'ab' * 32}"):
        with pytest.raises(LedgerError, match="is not the head of a ledger"):
            Head.parse(text)


keys = st.builds(
    Key,
    st.sampled_from(["subject", "donor"]),
    st.sampled_from(["A", "B"]),
    st.just("F"),
    st.sampled_from(["X", "Y", "é"]),
    st.sampled_from(["", "M3"]),
    st.integers(1, 2),
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
saves = st.lists(st.dictionaries(keys, st.none() | texts.filter(str.strip), max_size=4), max_size=6)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(saves=saves)
def test_replaying_the_trail_gives_the_data_at_every_entry(
    tmp_path_factory: pytest.TempPathFactory, saves: list[dict[Key, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("replay") / "ledger.db"
    data: dict[Key, str | None] = {}
    with Ledger.open(path, create=True) as ledger:
        for save in saves:
            new = {k: v for k, v in save.items() if k not in data or data[k] != v}
            drafts = [
                Draft(k, v, missing="" if v is not None else "unknown", reason="r")
                for k, v in save.items()
            ]
            recorded = ledger.record(drafts, **WHO)
            assert [(entry.key, entry.value) for entry in recorded] == list(new.items())
            data |= save
        replayed: dict[Key, Entry] = {}
        for entry in ledger.entries():
            replayed[entry.key] = entry
            cut = ledger.snapshot(entry.seq)
            assert {e.key: e for e in cut.entries} == replayed
        assert {k: e.value for k, e in replayed.items()} == data
        assert ledger.verify(ledger.head()) == []


# opening


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(LedgerError, match=r"there is no such file; expected a ledger; check the"):
        Ledger.open(path)
    assert not path.exists()
    with pytest.raises(LedgerError, match="there is no folder"):
        Ledger.open(tmp_path / "no" / "ledger.db", create=True)
    with pytest.raises(LedgerError, match="is a folder"):
        Ledger.open(tmp_path)


def test_another_database_or_file_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE patients (id)")
    connection.close()
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    half = tmp_path / "half.db"
    connection = sqlite3.connect(half)
    connection.execute("CREATE TABLE ledger (entry)")
    connection.close()
    empty = tmp_path / "empty.db"
    empty.touch()
    for path, create, words in (
        (other, False, "holds no onearm ledger"),
        (other, True, "holds tables that are not a ledger's"),
        (half, False, "holds no onearm ledger"),
        (text, False, "no SQLite database"),
        (text, True, "no SQLite database"),
        (empty, False, "holds no onearm ledger"),
    ):
        before = path.read_bytes()
        with pytest.raises(LedgerError, match=words):
            Ledger.open(path, create=create)
        assert path.read_bytes() == before


def test_an_existing_ledger_is_opened_with_create_as_it_is(filled: Place) -> None:
    with Ledger.open(filled.where, create=True) as ledger:
        assert ledger.head().seq == 8
        assert ledger.verify() == []


def test_a_ledger_opens_by_path_text_and_url(tmp_path: Path) -> None:
    path = tmp_path / "a ledger?é#.db"
    with Ledger.open(path, create=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8")], **WHO)
    for place in (str(path), f"sqlite:///{path}".replace("?", "%3F")):
        with Ledger.open(place) as ledger:
            assert ledger.head().seq == 1
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "a ledger in memory is lost"),
        ("mysql://u:secret@h/d", "a database of the kind 'mysql' is not supported"),
        ("://", "the address of the database cannot be read"),
        ("postgresql://u:secret@localhost:1/d", "the database refused"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(
    url: str, words: str
) -> None:
    with pytest.raises(LedgerError, match=words) as refused:
        Ledger.open(url)
    assert "secret" not in str(refused.value)


def test_a_database_of_postgres_without_a_ledger_is_refused(postgres_place: Place) -> None:
    with pytest.raises(LedgerError, match="holds no onearm ledger"):
        Ledger.open(postgres_place.where)


def test_a_role_with_only_the_rights_the_documentation_grants_can_work(
    postgres_place: Place,
) -> None:
    from sqlalchemy.engine import make_url

    Ledger.open(postgres_place.where, create=True).close()
    text = (DOCS / "ledger.md").read_text(encoding="utf-8")
    [grants] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    url = make_url(str(postgres_place.where))
    schema = str(url.query["options"]).split("search_path=")[1].split()[0]
    role = f"role_{schema}"
    with postgres_place.raw() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}")
        connection.execute(grants.replace("onearm", role))
    limited = url.set(username=role).render_as_string(hide_password=False)
    with Ledger.open(limited) as ledger:
        fill(ledger)
        assert ledger.verify() == []
    with pytest.raises(Exception, match="permission denied"), Place(limited).raw() as connection:
        connection.execute("DELETE FROM ledger")
    with pytest.raises(Exception, match="must be owner"), Place(limited).raw() as connection:
        connection.execute("ALTER TABLE ledger DISABLE TRIGGER ledger_keep")


def test_the_file_can_be_copied_between_saves(tmp_path: Path) -> None:
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with Ledger.open(path, create=True) as ledger:
        fill(ledger)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger.db"]  # no journal beside it
        copy.write_bytes(path.read_bytes())
        with Ledger.open(copy) as other:
            assert other.verify(ledger.head()) == []
            assert other.snapshot() == ledger.snapshot()


def test_sqlite_flushes_every_save_to_the_disk(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", create=True) as ledger:
        with ledger._database.reading() as connection:
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert (synchronous, journal) == (3, "delete")  # 3 is EXTRA: FULL, and the folder too


def test_importing_the_ledger_loads_no_database_library() -> None:
    code = "import sys, onearm.ledger; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# several writers

WRITER = """
import sys
from onearm.ledger import Draft, Key, Ledger
with Ledger.open(sys.argv[1]) as ledger:
    for n in range(12):
        key = Key("subject", sys.argv[2], "F", "I", repeat=n + 1)
        ledger.record([Draft(key, str(n))], by=sys.argv[2], role="nurse", site="", study_hash="s")
"""


@pytest.mark.slow
def test_two_programs_writing_at_once_keep_the_chain_whole(place: Place) -> None:
    command = [sys.executable, "-c", WRITER, str(place.where)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    with place.open() as ledger:
        assert ledger.verify() == []
        assert ledger.head().seq == 24
        assert len(ledger.snapshot().about("subject", "a")) == 12


def test_threads_writing_at_once_keep_the_chain_whole(ledger: Ledger) -> None:
    faults: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for n in range(8):
                key = Key("subject", name, "F", "I", repeat=n + 1)
                ledger.record([Draft(key, str(n))], **{**WHO, "by": name})
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert ledger.verify() == []
    assert ledger.head().seq == 32


def test_of_two_changes_to_one_value_at_once_one_is_refused(ledger: Ledger) -> None:
    outcomes: list[str] = []

    def write(value: str) -> None:
        try:
            ledger.record([Draft(PROTEIN, value)], **WHO)
            outcomes.append("recorded")
        except LedgerError as error:
            outcomes.append("refused" if "without a reason" in str(error) else str(error))

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["recorded", *["refused"] * 4]


def test_a_ledger_that_another_program_holds_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onearm.ledger import database

    monkeypatch.setattr(database, "BUSY", 0.05)
    path = tmp_path / "ledger.db"
    with Ledger.open(path, create=True) as ledger:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program has been writing"):
            ledger.record([Draft(PROTEIN, "1")], **WHO)
        holder.close()
        assert len(ledger.record([Draft(PROTEIN, "1")], **WHO)) == 1


# the published form of the hash

cells = st.lists(
    st.none()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def rfc8785(cells: list[str | int | None]) -> bytes:
    """RFC 8785, sections 3.2.2.2 and 3.2.3, written out for arrays of text, integers and null."""

    def write(cell: str | int | None) -> str:
        if cell is None:
            return "null"
        if isinstance(cell, int):
            return str(cell)
        escaped = [ESCAPES.get(ord(c), f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in cell]
        return '"' + "".join(escaped) + '"'

    return ("[" + ",".join(map(write, cells)) + "]").encode()


@given(cells)
def test_the_canonical_form_is_rfc_8785_and_reads_back(cells: list[str | int | None]) -> None:
    form = chain.canonical(cells)
    assert form == rfc8785(cells)
    assert json.loads(form) == cells


@given(cells, cells)
def test_two_different_lists_have_different_canonical_forms(
    one: list[str | int | None], other: list[str | int | None]
) -> None:
    assert (chain.canonical(one) == chain.canonical(other)) == (one == other)


def test_the_canonical_form_takes_no_half_characters_and_no_other_types() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        chain.canonical(["\ud800"])
    for cell in (1.5, True, b"x"):
        with pytest.raises(TypeError, match="is neither text, a whole number nor null"):
            chain.canonical([cell])  # type: ignore[list-item]


def test_equal_values_have_unequal_digests(ledger: Ledger) -> None:
    entries = ledger.record([Draft(PROTEIN, "yes"), Draft(RASH, "yes")], **WHO)
    assert entries[0].value_digest != entries[1].value_digest


def vectors() -> list[dict[str, Any]]:
    text = (DOCS / "ledger.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["what"])
def test_the_published_test_vectors_hold(vector: dict[str, Any]) -> None:
    row = tuple(vector["row"][name] for name in chain.COLUMNS)
    assert chain.value_digest(vector["row"]["salt"], vector["row"]["value"]) == row[9]
    assert chain.entry_hash(row) == row[-1]
    body = [chain.FORMAT, row[0], *row[1:7], *row[9:21]]
    assert rfc8785(body).decode() == vector["hashed"]


def test_the_published_vectors_continue_one_another_and_show_every_shape() -> None:
    rows = [vector["row"] for vector in vectors()]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert [row["prev_hash"] for row in rows] == ["0" * 64, rows[0]["hash"], rows[1]["hash"]]
    assert rows[1]["missing"] == "not done"
    assert rows[2]["redacts"] == 1


def test_every_object_of_the_ledger_is_written_out_for_both_databases() -> None:
    assert set(guards.SQLITE) >= {"ledger", "ledger_head"}
    assert "STRICT" in guards.SQLITE["ledger"]
    made = "\n".join(guards.postgres_statements("public"))
    for name in chain.COLUMNS:
        assert f'"{name}"' in guards.SQLITE["ledger"]
        assert f'"{name}"' in made


# what the writer has seen


def stale(ledger: Ledger, seen: dict[Key, int], *drafts: Draft) -> StaleError:
    """A record that must be refused because of what was seen; nothing of it stands."""
    before = ledger.head()
    with pytest.raises(StaleError) as caught:
        ledger.record(drafts, seen=seen, **WHO)
    assert ledger.head() == before
    return caught.value


def test_what_was_seen_as_it_stands_is_recorded_over(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], seen={PROTEIN: 0}, **WHO)
    change = Draft(PROTEIN, "1.9", "g/(24.h)", reason="read again")
    [entry] = ledger.record([change], seen={PROTEIN: 1}, **WHO)
    assert entry.seq == 2


def test_what_was_changed_since_it_was_seen_is_not_recorded_over(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    ledger.record([Draft(PROTEIN, "1.9", "g/(24.h)", reason="read again")], **WHO)
    change = Draft(PROTEIN, "2.0", "g/(24.h)", reason="read once more")
    error = stale(ledger, {PROTEIN: 1}, change)
    assert [(e.seq, e.value) for e in error.entries] == [(2, "1.9")]
    assert str(error) == (
        f"{PROTEIN} is now '1.9 g/(24.h)' (entry 2, by nurse 1 at {error.entries[0].at}): recorded since you "
        "began; expected what you saw; nothing was recorded; look at both and decide"
    )


def test_what_was_empty_when_seen_is_not_recorded_over(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    error = stale(ledger, {PROTEIN: 0}, Draft(PROTEIN, "1.9", "g/(24.h)", reason="read again"))
    assert error.entries[0].value == "1.8"


def test_what_does_not_stand_any_more_is_named_without_an_entry(ledger: Ledger) -> None:
    error = stale(ledger, {PROTEIN: 7}, Draft(PROTEIN, "1.9", "g/(24.h)"))
    assert error.entries == ()
    assert f"{PROTEIN} has no entry any more" in str(error)


def test_everything_that_changed_is_named_at_once_and_what_did_not_is_not(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)"), Draft(RASH, "no"), Draft(NOTE, "x")], **WHO)
    new = [Draft(PROTEIN, "1.9", "g/(24.h)", reason="a"), Draft(RASH, "yes", reason="b")]
    error = stale(ledger, {PROTEIN: 0, RASH: 0, NOTE: 3}, *new)
    assert {e.key for e in error.entries} == {PROTEIN, RASH}
    assert str(PROTEIN) in str(error)
    assert str(RASH) in str(error)
    assert str(NOTE) not in str(error)


def test_a_key_that_is_only_seen_guards_the_record_of_another(ledger: Ledger) -> None:
    ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], seen={RASH: 0}, **WHO)
    ledger.record([Draft(RASH, "no")], **WHO)
    stale(ledger, {RASH: 0}, Draft(NOTE, "x"))
    assert ledger.history(NOTE) == []


def test_one_stale_key_refuses_the_whole_record(ledger: Ledger) -> None:
    ledger.record([Draft(RASH, "no")], **WHO)
    stale(ledger, {RASH: 0}, Draft(NOTE, "x"), Draft(PROTEIN, "1.8", "g/(24.h)"))
    assert len(list(ledger.entries())) == 1


def test_who_says_again_what_somebody_else_said_meanwhile_is_told_all_the_same(
    ledger: Ledger,
) -> None:
    ledger.record([Draft(RASH, "no")], **WHO)
    assert stale(ledger, {RASH: 0}, Draft(RASH, "no")).entries[0].seq == 1


def test_a_record_that_changes_nothing_the_writer_saw_makes_no_entry(ledger: Ledger) -> None:
    ledger.record([Draft(RASH, "no")], seen={RASH: 0}, **WHO)
    assert ledger.record([Draft(RASH, "no")], seen={RASH: 1}, **WHO) == []


def test_without_what_was_seen_the_later_record_stands(ledger: Ledger) -> None:
    ledger.record([Draft(RASH, "no")], **WHO)
    for seen in (None, {}):
        ledger.record([Draft(NOTE, "x"), Draft(RASH, "no")], seen=seen, **WHO)
    ledger.record([Draft(RASH, "yes", reason="seen again")], **WHO)
    assert ledger.head().seq == 3


def test_thousands_of_keys_may_have_been_seen(ledger: Ledger) -> None:
    keys = [Key("subject", f"S{i}", "F", "I") for i in range(3000)]
    ledger.record([Draft(keys[0], "x")], seen=dict.fromkeys(keys, 0), **WHO)
    assert len(stale(ledger, dict.fromkeys(keys, 0), Draft(keys[1], "x")).entries) == 1


def test_of_writers_who_saw_the_same_exactly_one_records_and_the_others_are_told(
    place: Place,
) -> None:
    rounds, writers = 10, 4
    with place.open() as ledger:
        ledger.record([Draft(PROTEIN, "0", "g/(24.h)")], **WHO)
        won: list[int] = []
        lost: list[int] = []

        def write(number: int, seen: int) -> None:
            draft = Draft(PROTEIN, f"{seen}.{number}", "g/(24.h)", reason="read again")
            try:
                with place.open() as own:
                    own.record([draft], seen={PROTEIN: seen}, **WHO)
                won.append(number)
            except StaleError as error:
                lost.append(error.entries[0].seq)

        for turn in range(1, rounds + 1):
            seen = ledger.head().seq
            threads = [threading.Thread(target=write, args=(n, seen)) for n in range(writers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (len(won), len(lost)) == (turn, turn * (writers - 1))
            assert set(lost[-(writers - 1) :]) == {seen + 1}
        assert ledger.head().seq == rounds + 1
        assert ledger.verify() == []


def test_what_was_redacted_since_it_was_seen_is_not_recorded_again_from_an_old_page(
    ledger: Ledger,
) -> None:
    ledger.record([Draft(NOTE, "came with her sister")], **WHO)
    ledger.redact(1, reason="names a person", **WHO)
    again = Draft(NOTE, "came with her sister", reason="same reason for all shown changes")
    stale(ledger, {NOTE: 1}, again)
    assert all(entry.value is None for entry in ledger.history(NOTE))


def test_who_saw_that_a_value_was_redacted_may_record_another(ledger: Ledger) -> None:
    ledger.record([Draft(NOTE, "came with her sister")], **WHO)
    ledger.redact(1, reason="names a person", **WHO)
    new = Draft(NOTE, "came accompanied", reason="without the name")
    stale(ledger, {NOTE: 0}, new)  # who saw nothing there is told
    assert ledger.record([new], seen={NOTE: -1}, **WHO)
