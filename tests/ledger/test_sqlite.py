"""Which SQLite keeps the files, and what its write-ahead log changes: for a reader, a copy, a redaction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.ledger.conftest import NOTE, PROTEIN, WHO

from onearm.ledger import Draft, Ledger
from onearm.ledger import database as ledger_database
from onearm.ledger.copy import copy_ledger
from onearm.ledger.sqlite import LOG_IS_SOUND, sound_log, sqlite3

needs_log = pytest.mark.skipif(
    not LOG_IS_SOUND, reason="no SQLite with a sound write-ahead log for this machine"
)


def journal(path: Path) -> str:
    """What the file says of itself: bytes 18 and 19 of its header."""
    kinds = {b"\x01\x01": "classic", b"\x02\x02": "write-ahead"}
    return kinds[path.read_bytes()[18:20]]


def beside(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir() if p != path)


def setting(ledger: Ledger, name: str) -> str | int:
    with ledger._database.reading() as connection:
        found: str | int = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        return found


def test_builds_of_sqlite_with_the_repair_are_known() -> None:
    """https://sqlite.org/wal.html, "the WAL-reset bug": 3.7.0 to 3.51.2, mended in 3.51.3, 3.44.6 and 3.50.7."""
    sound = [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 4)]
    unsound = [(3, 40, 1), (3, 44, 5), (3, 50, 6), (3, 51, 2), (3, 45, 9)]
    assert [sound_log(v) for v in (*sound, *unsound)] == [True] * 4 + [False] * 5


@needs_log
def test_a_served_ledger_has_a_write_ahead_log_that_is_flushed_at_each_save(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", create=True, keep=True) as ledger:
        assert setting(ledger, "journal_mode") == "wal"
        assert setting(ledger, "synchronous") == 3  # EXTRA: FULL, and the folder where it matters
        ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
        assert "ledger.db-wal" in beside(tmp_path / "ledger.db")


def test_without_a_sound_log_the_journal_stays_the_classic_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_database, "LOG_IS_SOUND", False)
    path = tmp_path / "ledger.db"
    with Ledger.open(path, create=True, keep=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
        assert setting(ledger, "journal_mode") == "delete"
        assert setting(ledger, "synchronous") == 3
        assert (journal(path), beside(path)) == ("classic", [])


def test_a_machine_without_a_build_of_its_own_uses_pythons_sqlite() -> None:
    text = """
import sqlite3, sys
sys.modules["pysqlite3"] = None
from onearm.ledger import sqlite
assert sqlite.sqlite3 is sqlite3
assert sqlite.LOG_IS_SOUND == sqlite.sound_log(sqlite3.sqlite_version_info)
"""
    subprocess.run([sys.executable, "-c", text], check=True)


def test_a_closed_ledger_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, create=True, keep=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    assert (journal(path), beside(path)) == ("classic", [])
    with Ledger.open(path) as ledger:
        assert (ledger.head().seq, ledger.verify()) == (1, [])


@needs_log
def test_closing_beside_somebody_who_has_it_open_leaves_the_log_to_him(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, create=True, keep=True) as served:
        served.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
        with Ledger.open(path, keep=True) as other:
            other.record([Draft(NOTE, "stable")], **WHO)
        assert setting(served, "journal_mode") == "wal"
        served.record([Draft(PROTEIN, "1.9", "g/(24.h)", reason="misread")], **WHO)
        assert (served.head().seq, served.verify()) == (3, [])
    assert (journal(path), beside(path)) == ("classic", [])


@needs_log
def test_a_reader_of_all_of_it_keeps_no_save_waiting_and_sees_what_stood(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with (
        Ledger.open(path, create=True, keep=True) as served,
        Ledger.open(path) as reader,
        reader._database.reading() as connection,
    ):
        before = connection.exec_driver_sql("SELECT count(*) FROM ledger").scalar_one()
        served.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)  # would wait for half a minute
        after = connection.exec_driver_sql("SELECT count(*) FROM ledger").scalar_one()
        assert (before, after, served.head().seq) == (0, 0, 1)


def test_a_redacted_value_is_in_no_file_while_the_ledger_is_open(tmp_path: Path) -> None:
    def holding() -> list[str]:
        return sorted(p.name for p in tmp_path.iterdir() if b"name of a person" in p.read_bytes())

    with Ledger.open(tmp_path / "ledger.db", create=True, keep=True) as ledger:
        ledger.record([Draft(NOTE, "the name of a person")], **WHO)
        assert holding()
        ledger.redact(1, reason="names a person", **WHO)
        assert holding() == []


def test_a_copy_of_a_served_ledger_is_one_file_with_all_of_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "ledger.db"
    copy.parent.mkdir()
    with Ledger.open(tmp_path / "ledger.db", create=True, keep=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
        copy_ledger(ledger, copy)
        assert (journal(copy), beside(copy)) == ("classic", [])
        with Ledger.open(copy) as copied:
            assert copied.head() == ledger.head()


def test_a_file_that_may_only_be_read_is_read_without_a_log(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, create=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
    uri = f"file:{path}?mode=ro"
    connection = ledger_database._sqlite_connection(uri, logged=True)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert (journal(path), beside(path)) == ("classic", [])


@needs_log
def test_a_ledger_left_by_a_killed_server_is_whole(tmp_path: Path) -> None:
    text = """
import os, sys
from tests.ledger.conftest import PROTEIN, WHO
from onearm.ledger import Draft, Ledger
ledger = Ledger.open(sys.argv[1], create=True, keep=True)
ledger.record([Draft(PROTEIN, "1.8", "g/(24.h)")], **WHO)
os._exit(9)
"""
    path = tmp_path / "ledger.db"
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", text, str(path)], cwd=root, check=False)
    assert done.returncode == 9
    assert (journal(path), "ledger.db-wal" in beside(path)) == ("write-ahead", True)
    with Ledger.open(path) as ledger:
        assert (ledger.head().seq, ledger.verify()) == (1, [])
        assert next(iter(ledger.entries())).value == "1.8"


def test_the_error_of_this_sqlite_is_told_in_words() -> None:
    assert sqlite3.Error in ledger_database.FAULTS
