"""A backup is one sealed file made while the study is served; what comes back is the same, or nothing does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.conftest import STUDIES, TODAY, WHO
from tests.ledger import conftest as ledgers

from onearm.cli import main
from onearm.errors import ExchangeError, LedgerError, OnearmError
from onearm.exchange import backup as backups
from onearm.exchange.backup import back_up, drill, restore, seal
from onearm.exchange.entries import import_entries
from onearm.ledger import Draft, Head, Key, Ledger
from onearm.ledger import copy as ledger_copy
from onearm.ledger.sqlite import sqlite3
from onearm.study import Study, load_study

postgres_place = ledgers.postgres_place

COLUMNS = "SELECT * FROM ledger ORDER BY seq"


def onearm(*words: object) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """Every cell of a ledger's file, as any program reads it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(COLUMNS).fetchall()


def make_accounts(path: Path, people: int = 2) -> None:
    """Tables as Django keeps them, in a write-ahead log, as while they are served."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE auth_user (id INTEGER, is_active INTEGER, password TEXT)")
        for number in range(people):
            connection.execute("INSERT INTO auth_user VALUES (?, 1, 'scrypt$1$2')", (number,))
        connection.commit()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's study folder, on constructed records, with two accounts and an earlier study file."""
    folder = tmp_path_factory.mktemp("backup") / "study"
    (folder / "versions").mkdir(parents=True)
    for name, target in (("abstract-2018", "study.yaml"), ("registry", "earlier.yaml")):
        text = (STUDIES / f"{name}.yaml").read_bytes()
        (folder / "versions" / f"{hashlib.sha256(text).hexdigest()}.yaml").write_bytes(text)
        if target == "study.yaml":
            (folder / target).write_bytes(text)
    study = load_study(folder / "study.yaml")
    with Ledger.open(folder / "ledger.db", create=True) as ledger:
        for name in ("entries.csv", "corrections.csv"):
            import_entries(study, ledger, STUDIES / "records" / name, today=TODAY, **WHO)
        note = Key("study", "", "REMARKS", "NOTE")
        [entry] = ledger.record([Draft(note, "a name")], **WHO, study_hash=study.hash)
        ledger.redact(entry.seq, reason="names a person", **WHO, study_hash=study.hash)
    make_accounts(folder / "accounts.db")
    (folder / "secret.key").write_text("the key of sessions")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "study")


@pytest.fixture(scope="module")
def packed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    file = tmp_path_factory.mktemp("packed") / "backup.zip"
    back_up(made, file)
    return file


@pytest.fixture
def study(made: Path) -> Study:
    return load_study(made / "study.yaml")


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# -- what comes back ------------------------------------------------------------------------------


def test_a_restored_folder_holds_the_same_cells_files_and_accounts(
    made: Path, packed: Path, tmp_path: Path
) -> None:
    manifest, rows = restore(packed, tmp_path / "new")
    assert all(row.equal for row in rows)
    assert rows_of(tmp_path / "new" / "ledger.db") == rows_of(made / "ledger.db")
    assert (tmp_path / "new" / "study.yaml").read_bytes() == (made / "study.yaml").read_bytes()
    kept = {path.name: path.read_bytes() for path in (made / "versions").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "new" / "versions").iterdir()} == kept
    assert len(kept) == 2
    with closing(sqlite3.connect(tmp_path / "new" / "accounts.db")) as connection:
        assert connection.execute("SELECT count(*) FROM auth_user").fetchone() == (2,)
    with Ledger.open(made / "ledger.db") as before, Ledger.open(tmp_path / "new/ledger.db") as now:
        assert now.verify() == []
        assert str(now.head()) == str(before.head()) == manifest["ledger"]["head"]


def test_a_restored_ledger_goes_on(packed: Path, tmp_path: Path, study: Study) -> None:
    restore(packed, tmp_path / "new")
    with Ledger.open(tmp_path / "new" / "ledger.db") as ledger:
        head = ledger.head()
        draft = Draft(Key("study", "", "REMARKS", "MORE"), "on")
        ledger.record([draft], **WHO, study_hash=study.hash)
        assert ledger.verify(head) == []


def test_the_signing_key_of_sessions_stays_out(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as pack:
        assert not any("secret" in name for name in pack.namelist())
        assert "everybody signs in again" in json.loads(pack.read("manifest.json"))["left_out"][0]
    restore(packed, tmp_path / "new")
    assert "secret.key" not in left_in(tmp_path / "new")


def test_the_manifest_says_what_the_backup_holds(made: Path, packed: Path, study: Study) -> None:
    with zipfile.ZipFile(packed) as pack:
        manifest = json.loads(pack.read("manifest.json"))
        for name, told in manifest["members"].items():
            assert hashlib.sha256(pack.read(name)).hexdigest() == told["sha256"]
    rows = rows_of(made / "ledger.db")
    kinds = {kind: sum(row[1] == kind for row in rows) for kind in {row[1] for row in rows}}
    assert manifest["study"]["hash"] == study.hash
    assert manifest["ledger"]["head"] == f"{len(rows)}:{rows[-1][-1]}"
    assert (manifest["ledger"]["entries"], manifest["ledger"]["kinds"]) == (len(rows), kinds)
    assert (manifest["ledger"]["nature"], manifest["accounts"]) == ("constructed", 2)


def test_a_study_without_accounts_is_backed_up_too(folder: Path, tmp_path: Path) -> None:
    (folder / "accounts.db").unlink()
    shutil.rmtree(folder / "versions")
    assert back_up(folder, tmp_path / "b.zip")["accounts"] is None
    restore(tmp_path / "b.zip", tmp_path / "new")
    assert left_in(tmp_path / "new") == {"study.yaml", "ledger.db"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_its_owner_may_read_a_backup_and_what_is_restored(
    packed: Path, tmp_path: Path
) -> None:
    assert packed.stat().st_mode & 0o777 == 0o600
    restore(packed, tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


# -- while others write ---------------------------------------------------------------------------


@pytest.mark.slow
def test_backups_made_while_entries_are_recorded_are_each_sound_and_each_a_prefix(
    folder: Path, tmp_path: Path, study: Study
) -> None:
    ended, recorded = threading.Event(), []

    def write() -> None:
        with Ledger.open(folder / "ledger.db", keep=True) as ledger:  # as a server opens it
            while not ended.is_set():
                number = len(recorded) + 1
                drafts = [
                    Draft(Key("study", "", "REMARKS", f"{n}"), f"{number}", reason="again")
                    for n in range(5)
                ]
                recorded.append(ledger.record(drafts, **WHO, study_hash=study.hash))

    def serve() -> None:
        with closing(sqlite3.connect(folder / "accounts.db", timeout=30)) as connection:
            while not ended.is_set():
                connection.execute("INSERT INTO auth_user VALUES (9, 1, 'scrypt$')")
                connection.commit()

    threads = [threading.Thread(target=write), threading.Thread(target=serve)]
    for thread in threads:
        thread.start()
    try:
        heads = [back_up(folder, tmp_path / f"{n}.zip")["ledger"]["head"] for n in range(10)]
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    whole = rows_of(folder / "ledger.db")
    assert len(recorded) > 10
    assert len(set(heads)) > 1
    for number, head in enumerate(heads):
        restore(tmp_path / f"{number}.zip", tmp_path / f"new{number}")
        with Ledger.open(tmp_path / f"new{number}" / "ledger.db") as ledger:
            assert ledger.verify() == []
            assert str(ledger.head()) == head
        rows = rows_of(tmp_path / f"new{number}" / "ledger.db")
        assert rows == whole[: len(rows)]
        assert Head.parse(head).seq == len(rows)


def test_a_study_file_amended_meanwhile_is_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = (folder / "study.yaml").read_bytes() + b"\n# amended\n"
    copy = backups.copy_ledger
    amended = []

    def amend(source: Ledger, target: Path) -> None:
        copy(source, target)
        if not amended:
            amended.append(True)
            (folder / "study.yaml").write_bytes(changed)

    monkeypatch.setattr(backups, "copy_ledger", amend)
    manifest = back_up(folder, tmp_path / "b.zip")
    assert manifest["study"]["hash"] == hashlib.sha256(changed).hexdigest()


# -- what is refused ------------------------------------------------------------------------------


def repacked(packed: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """The backup with other members, sealed again as one who knows how would."""
    with zipfile.ZipFile(packed) as pack:
        members = {name: pack.read(name) for name in pack.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in members.items():
            pack.writestr(name, data)
    seal(target)
    return target


def refused(file: Path, tmp_path: Path) -> str:
    """The words of the refusal; nothing may be left behind."""
    before = left_in(tmp_path)
    with pytest.raises((ExchangeError, LedgerError)) as caught:
        restore(file, tmp_path / "new")
    assert left_in(tmp_path) == before
    return str(caught.value)


def test_a_byte_flipped_in_any_member_is_refused(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as pack:
        names = pack.namelist()
    assert len(names) == 6
    for name in names:

        def flip(members: dict[str, bytes], name: str = name) -> None:
            data = bytearray(members[name])
            data[len(data) // 2] ^= 1
            members[name] = bytes(data)

        words = refused(repacked(packed, tmp_path / "bad.zip", flip), tmp_path)
        (tmp_path / "bad.zip").unlink()
        if name != "manifest.json":
            assert f"{name} is not as it was when the backup was made" in words


def test_a_byte_flipped_anywhere_in_the_file_is_refused(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    for place in [*range(0, len(data), len(data) // 200), *range(len(data) - 70, len(data))]:
        flipped = bytearray(data)
        flipped[place] ^= 1
        (tmp_path / "bad.zip").write_bytes(flipped)
        assert "expected a backup exactly as it was made" in refused(tmp_path / "bad.zip", tmp_path)


@pytest.mark.parametrize("kept", [0, 10, 64, 1000, -1])
def test_a_file_cut_short_is_refused(packed: Path, tmp_path: Path, kept: int) -> None:
    (tmp_path / "bad.zip").write_bytes(packed.read_bytes()[:kept])
    assert "no backup of onearm" in refused(tmp_path / "bad.zip", tmp_path)


def test_a_removed_member_is_refused(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as pack:
        names = pack.namelist()
    for name in names:
        file = repacked(packed, tmp_path / "bad.zip", lambda m, name=name: m.pop(name))  # type: ignore[misc]
        assert name in refused(file, tmp_path)
        file.unlink()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.yaml",
        "/evil.yaml",
        "versions/../../evil.yaml",
        "secret.key",
        "versions/",
        "C:\\evil",
    ],
)
def test_a_member_that_no_backup_holds_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    def add(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["members"][name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}
        members["manifest.json"] = json.dumps(manifest).encode()
        members[name] = b"x"

    words = refused(repacked(packed, tmp_path / "bad.zip", add), tmp_path)
    assert "which no backup holds" in words
    assert not (tmp_path.parent / "evil.yaml").exists()


def test_a_member_larger_than_the_manifest_says_is_not_unpacked(
    packed: Path, tmp_path: Path
) -> None:
    def grow(members: dict[str, bytes]) -> None:
        members["study.yaml"] += b"#" * 10_000_000

    assert "study.yaml" in refused(repacked(packed, tmp_path / "bad.zip", grow), tmp_path)


def test_an_exchanged_ledger_with_fitting_digests_is_told_by_the_proof(
    packed: Path, tmp_path: Path, study: Study
) -> None:
    with Ledger.open(tmp_path / "other.db", create=True) as other:
        draft = Draft(Key("study", "", "DATA", "NATURE"), "constructed")
        other.record([draft], **WHO, study_hash=study.hash)

    def exchange(members: dict[str, bytes]) -> None:
        data = (tmp_path / "other.db").read_bytes()
        manifest = json.loads(members["manifest.json"])
        told = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        manifest["members"]["ledger.db"] = told
        members |= {"ledger.db": data, "manifest.json": json.dumps(manifest).encode()}
        members["ledger.db"] = data

    words = refused(repacked(packed, tmp_path / "bad.zip", exchange), tmp_path)
    assert "ledger head: the backup says" in words
    assert "the restored copy 1:" in words


def test_a_backup_of_another_format_is_named(packed: Path, tmp_path: Path) -> None:
    def age(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"]) | {"format": "onearm-backup-9"}
        members["manifest.json"] = json.dumps(manifest).encode()

    words = refused(repacked(packed, tmp_path / "bad.zip", age), tmp_path)
    assert "the version of onearm that made it" in words


def test_a_folder_that_holds_something_is_left_alone(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "note.txt").write_text("mine")
    assert "holds something already" in refused(packed, tmp_path)
    assert left_in(tmp_path / "new") == {"note.txt"}
    (tmp_path / "new" / "note.txt").unlink()
    restore(packed, tmp_path / "new")  # an empty one will do


def test_an_existing_file_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("an older backup")
    with pytest.raises(ExchangeError, match="exists already"):
        back_up(folder, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_text() == "an older backup"


def test_a_damaged_ledger_is_not_backed_up_as_if_it_were_whole(
    folder: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER ledger_keep")
        connection.execute("UPDATE ledger SET value = '0' WHERE seq = 7")
        connection.commit()
    with pytest.raises(LedgerError, match="entry 7: edit"):
        back_up(folder, tmp_path / "b.zip")
    assert left_in(tmp_path) == {"study"}


def test_a_place_that_does_not_exist_is_named(folder: Path, tmp_path: Path) -> None:
    done = onearm("backup", folder, tmp_path / "none" / "b.zip")
    assert done.exit_code == 1
    assert "name a place that exists and may be written" in done.stderr
    assert "Traceback" not in done.stderr


# -- a full disk ----------------------------------------------------------------------------------


def full(*_args: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fills(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A disk that is full as soon as one of the steps of writing is reached."""
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif where == "zip":
        monkeypatch.setattr(zipfile.ZipFile, "write", full)
    else:
        monkeypatch.setattr(Path, "replace", full)


@pytest.mark.parametrize("where", ["fsync", "zip", "rename"])
def test_a_full_disk_leaves_no_backup_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    fills(monkeypatch, where)
    done = onearm("backup", folder, tmp_path / "b.zip")
    assert done.exit_code == 1
    assert "there is no room left on the disk; no file was left" in done.stderr
    assert left_in(tmp_path) == {"study"}


def test_a_disk_full_while_the_ledger_is_copied_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def small(*words: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*words, **options)
        connection.execute("PRAGMA max_page_count = 10")
        return connection

    monkeypatch.setattr(ledger_copy.sqlite3, "connect", small)
    done = onearm("backup", folder, tmp_path / "b.zip")
    assert done.exit_code == 1
    assert "there is no room left" in done.stderr
    assert left_in(tmp_path) == {"study"}


def test_a_full_disk_leaves_nothing_of_a_restored_folder(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", full)
    done = onearm("restore", packed, tmp_path / "new")
    assert done.exit_code == 1
    assert "no room left on the disk; nothing was restored" in done.stderr
    assert left_in(tmp_path) == set()


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture
def in_postgres(postgres_place: ledgers.Place) -> str:
    """A ledger of every shape of entry in PostgreSQL, a redaction among them."""
    with Ledger.open(postgres_place.where, create=True) as ledger:
        ledgers.fill(ledger)
    return str(postgres_place.where)


@pytest.mark.slow
def test_a_ledger_in_postgresql_restores_to_a_file_with_the_same_head(
    folder: Path, tmp_path: Path, in_postgres: str, postgres_place: ledgers.Place
) -> None:
    manifest = back_up(folder, tmp_path / "b.zip", in_postgres)
    restore(tmp_path / "b.zip", tmp_path / "new")
    with Ledger.open(in_postgres) as before, Ledger.open(tmp_path / "new/ledger.db") as now:
        assert now.verify(before.head()) == []
        assert now.head() == before.head()
        assert str(now.head()) == manifest["ledger"]["head"]
        assert list(now.entries()) == list(before.entries())
        more = Draft(Key("study", "LN", "REMARKS", "MORE"), "on")
        now.record([more], **ledgers.WHO)
        assert now.verify() == []
    assert rows_of(tmp_path / "new" / "ledger.db")[:-1] == postgres_place.rows()


@pytest.mark.slow
def test_a_ledger_in_postgresql_without_accounts_is_said_to_have_none(
    folder: Path, tmp_path: Path, in_postgres: str
) -> None:
    """Those that are there are copied: tests/web/test_on_postgresql.py."""
    back_up(folder, tmp_path / "b.zip", in_postgres)
    with zipfile.ZipFile(tmp_path / "b.zip") as pack:
        left_out = json.loads(pack.read("manifest.json"))["left_out"]
    assert "user accounts: there are none beside the ledger in PostgreSQL" in left_out
    restore(tmp_path / "b.zip", tmp_path / "new")
    assert "accounts.db" not in left_in(tmp_path / "new")


# -- the drill, and the command line --------------------------------------------------------------


def test_a_drill_proves_the_copy_and_a_sign_in_and_leaves_nothing(
    packed: Path, tmp_path: Path
) -> None:
    seen: list[set[str]] = []

    def sign_in(folder: Path) -> str:
        seen.append(left_in(folder))
        return "2 accounts can sign in"

    _manifest, rows, words = drill(packed, sign_in, tmp_path / "new")
    assert words == "2 accounts can sign in"
    assert all(row.equal for row in rows)
    assert seen == [{"study.yaml", "ledger.db", "accounts.db", "versions"}]
    assert left_in(tmp_path) == set()


def test_a_drill_fails_where_nobody_can_sign_in(packed: Path, tmp_path: Path) -> None:
    def nobody(_folder: Path) -> str:
        raise OnearmError("no account can sign in")

    with pytest.raises(OnearmError, match="no account"):
        drill(packed, nobody, tmp_path / "new")
    assert left_in(tmp_path) == set()


def test_a_drill_of_a_backup_without_accounts_says_that_it_checked_none(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "accounts.db").unlink()
    back_up(folder, tmp_path / "b.zip")
    done = onearm("restore", tmp_path / "b.zip", "--drill")
    assert done.exit_code == 0, done.stderr
    assert "Sign-in: not checked: the backup holds no user accounts" in done.stdout


def test_the_commands_show_both_sides(folder: Path, tmp_path: Path) -> None:
    done = onearm("backup", folder, tmp_path / "b.zip")
    assert done.exit_code == 0, done.stderr
    head = done.stdout.split("Ledger head ")[1].split()[0]
    done = onearm("restore", tmp_path / "b.zip", tmp_path / "new")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count(head) == 2
    assert "user accounts" in done.stdout
    assert onearm("verify", tmp_path / "new", "--anchor", head).exit_code == 0
    assert onearm("restore", tmp_path / "b.zip", tmp_path / "new").exit_code == 1
    assert onearm("restore", tmp_path / "b.zip").exit_code == 2


def test_the_commands_give_json(folder: Path, tmp_path: Path) -> None:
    told = json.loads(onearm("backup", folder, tmp_path / "b.zip", "--json").stdout)
    done = json.loads(onearm("restore", tmp_path / "b.zip", tmp_path / "new", "--json").stdout)
    proof = {row["what"]: (row["backup"], row["restored"]) for row in done["proof"]}
    assert proof["ledger head"] == (told["ledger"]["head"], told["ledger"]["head"])
    assert proof["user accounts"] == ("2", "2")
