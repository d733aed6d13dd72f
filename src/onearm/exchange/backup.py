"""Backup and restore of a study folder: one sealed file, and the proof that what comes back is the same.

A backup is an ordinary zip. ``manifest.json`` says what is in it (head of the ledger, counts, SHA-256 of
each member); the zip's comment is the SHA-256 of every byte before it, so that a damaged file is told
before anything is unpacked. ``docs/backup.md`` describes both.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from onearm import __version__
from onearm.errors import ExchangeError, LedgerError
from onearm.ledger import Ledger
from onearm.ledger.copy import copy_database, copy_ledger, entries_per_kind
from onearm.ledger.sqlite import sqlite3
from onearm.study import load_study

FORMAT = "onearm-backup-1"
MANIFEST = "manifest.json"
STUDY, LEDGER, ACCOUNTS, VERSIONS = "study.yaml", "ledger.db", "accounts.db", "versions"
SEAL = 64  # hexadecimal digits of SHA-256, at the very end of the file
MOST_MANIFEST = 2**24  # bytes; a larger one is not ours
ATTEMPTS = 5  # an amendment may fall between two reads of the study file
CopyAccounts = Callable[[Path, str, Path], bool]
"""Copies the accounts of a folder, kept at an address, to a new file; whether there were any."""
NO_ACCOUNTS = "user accounts: there are none beside the ledger in PostgreSQL"
NO_SECRET = "secret.key: a restored copy makes a new one, so everybody signs in again"  # noqa: S105

SPOILED = (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError, EOFError)
"""What reading a zip raises that is not as it was written."""

_MEMBER = re.compile(rf"{STUDY}|{LEDGER}|{ACCOUNTS}|{VERSIONS}/[0-9a-f]{{64}}\.yaml")


@dataclass(frozen=True)
class Row:
    """One thing that a backup and its restored copy must agree on."""

    what: str
    backup: str
    restored: str

    @property
    def equal(self) -> bool:
        """Whether both sides say the same."""
        return self.backup == self.restored


# -- backup ---------------------------------------------------------------------------------------


def back_up(
    folder: Path, file: Path, database: str = "", copy_accounts: CopyAccounts | None = None
) -> dict[str, Any]:
    """Write everything that a study folder is to one new file, while it may be served and written to.

    Parameters
    ----------
    database
        The address of PostgreSQL where ledger and accounts are kept there; the backup holds them as
        SQLite, with the same chain head.
    copy_accounts
        How the accounts come out of PostgreSQL; None leaves them there.

    Returns
    -------
    The manifest.

    Raises
    ------
    ExchangeError, LedgerError, StudyError
        The file exists, cannot be written, or the study or ledger is damaged; no file is left then.
    """
    with new_file(file) as room:
        manifest, members = _gather(folder, room, database, copy_accounts)
        with zipfile.ZipFile(room.file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as pack:
            pack.writestr(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
            for name, path in members.items():
                pack.write(path, name)
        seal(room.file)
    return manifest


def _gather(
    folder: Path, room: Room, database: str, copy_accounts: CopyAccounts | None
) -> tuple[dict[str, Any], dict[str, Path]]:
    study_file, held = folder / STUDY, room.folder / "held"
    for _attempt in range(ATTEMPTS):
        text = study_file.read_bytes()
        shutil.rmtree(held, ignore_errors=True)
        held.mkdir()
        ledger = _held_ledger(folder, held / LEDGER, database)
        if study_file.read_bytes() == text:
            break
    else:
        raise ExchangeError(
            f"{study_file}: changed at every one of {ATTEMPTS} attempts; expected a study file that stands still; "
            "try again when its amendment is done"
        )
    (held / STUDY).write_bytes(text)
    study = load_study(held / STUDY)
    members = {STUDY: held / STUDY, LEDGER: held / LEDGER}
    left_out = [NO_SECRET]
    accounts = None
    if database:
        copied = copy_accounts is not None and copy_accounts(folder, database, held / ACCOUNTS)
        left_out += [] if copied else [NO_ACCOUNTS]
    elif copied := (folder / ACCOUNTS).exists():
        copy_database(folder / ACCOUNTS, held / ACCOUNTS)
    if copied:
        members[ACCOUNTS] = held / ACCOUNTS
        accounts = _accounts(held / ACCOUNTS)
    for path in sorted((folder / VERSIONS).glob("*.yaml")):
        if _MEMBER.fullmatch(name := f"{VERSIONS}/{path.name}"):
            members[name] = path
    manifest = {
        "format": FORMAT,
        "software": f"onearm {__version__}",
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "study": {"id": study.id, "title": study.title, "hash": study.hash},
        "ledger": ledger,
        "accounts": accounts,
        "left_out": left_out,
        "members": {
            name: {"sha256": digest_of(path), "bytes": path.stat().st_size}
            for name, path in members.items()
        },
    }
    return manifest, members


def _held_ledger(folder: Path, target: Path, database: str) -> dict[str, Any]:
    """A copy of the ledger, verified, and what the manifest says of it."""
    with Ledger.open(database or folder / LEDGER) as ledger:
        copy_ledger(ledger, target)
    return _sound(target)


def _sound(path: Path) -> dict[str, Any]:
    with Ledger.open(path) as copied:
        if damages := copied.verify():
            first = damages[0]
            raise LedgerError(
                f"{path.name}: entry {first.seq}: {first.kind}: {first.message}; expected a whole chain; "
                "`onearm verify` lists all that was found; keep the folder as it is, and copy it by hand"
            )
        snapshot = copied.snapshot()
        return {
            "head": str(snapshot.head),
            "entries": snapshot.head.seq,
            "kinds": entries_per_kind(copied),
            "last": snapshot.as_of,
            "nature": snapshot.nature or "patient data",
        }


def _accounts(path: Path) -> int:
    """How many user accounts Django's tables hold."""
    with closing(sqlite3.connect(path)) as connection:
        tables = {n for (n,) in connection.execute("SELECT name FROM sqlite_master")}
        if "auth_user" not in tables:
            return 0
        return int(connection.execute("SELECT count(*) FROM auth_user").fetchone()[0])


# -- restore --------------------------------------------------------------------------------------


def restore(file: Path, folder: Path) -> tuple[dict[str, Any], list[Row]]:
    """Restore a backup into a new folder, and prove that it is the same.

    Returns
    -------
    The manifest, and what was compared: each row's two sides are equal.

    Raises
    ------
    ExchangeError
        The folder is not empty, the file is damaged or was changed, or anything differs; then
        nothing is left of the restored copy.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExchangeError(
            f"{folder}: holds something already; a backup is restored where nothing stands; name a folder "
            "that does not exist yet"
        )
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".onearm-", dir=folder.absolute().parent
        ) as temporary:
            manifest = _unpack(file, made := Path(temporary) / "restored")
            rows = _prove(manifest, made)
            _sync(made)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
        _sync(folder.absolute().parent)
    except OSError as error:
        raise ExchangeError(_told(error, folder, "nothing was restored")) from error
    return manifest, rows


def drill(
    file: Path, sign_in: Callable[[Path], str], beside: Path | None = None
) -> tuple[dict[str, Any], list[Row], str]:
    """Restore into a temporary folder, prove that it is the same and that somebody can sign in, remove it.

    Parameters
    ----------
    sign_in
        Says in words who can sign in on a folder, or raises OnearmError.
    beside
        A place on the disk to use; None for the machine's temporary folder.

    Returns
    -------
    The manifest, what was compared, and what was found about signing in.
    """
    place = beside.absolute().parent if beside else None
    try:
        with tempfile.TemporaryDirectory(prefix="onearm-drill-", dir=place) as temporary:
            folder = Path(temporary) / "restored"
            manifest, rows = restore(file, folder)
            if manifest["accounts"] is None:
                return manifest, rows, "not checked: the backup holds no user accounts"
            return manifest, rows, sign_in(folder)
    except OSError as error:
        raise ExchangeError(
            _told(error, beside or Path(tempfile.gettempdir()), "nothing was restored")
        ) from error


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Every member into a new folder, refused unless the file is exactly as it was made."""
    check_seal(file)
    try:
        with zipfile.ZipFile(file) as pack:
            manifest = _manifest(file, pack)
            folder.mkdir(mode=0o700)
            for name, told in manifest["members"].items():
                _extract(file, pack, name, told, folder / name)
    except SPOILED as error:
        raise _spoiled(file, f"it cannot be unpacked ({error})") from error
    return manifest


def _manifest(file: Path, pack: zipfile.ZipFile) -> dict[str, Any]:
    names = [info.filename for info in pack.infolist()]
    for name in names:
        if name != MANIFEST and not _MEMBER.fullmatch(name):
            raise _spoiled(file, f"it holds '{name}', which no backup holds")
    if len(set(names)) != len(names):
        raise _spoiled(file, "it holds a member twice")
    if MANIFEST not in names or pack.getinfo(MANIFEST).file_size > MOST_MANIFEST:
        raise _spoiled(file, f"it holds no {MANIFEST}")
    try:
        manifest = json.loads(pack.read(MANIFEST))
        known = manifest["format"] == FORMAT
        members = manifest["members"]
        complete = {STUDY, LEDGER} <= set(members) and {*members, MANIFEST} == set(names)
        _told_of(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _spoiled(file, f"its {MANIFEST} cannot be read") from error
    if not known:
        raise ExchangeError(
            f"{file}: is a backup of another format, {manifest['format']!r}; this onearm reads {FORMAT!r}; "
            "restore it with the version of onearm that made it"
        )
    if not complete:
        missing = sorted(({STUDY, LEDGER} | set(members)) - set(names)) or sorted(
            set(names) - {*members, MANIFEST}
        )
        raise _spoiled(file, f"its members are not those its {MANIFEST} names: {missing}")
    return dict(manifest)


def _extract(
    file: Path, pack: zipfile.ZipFile, name: str, told: dict[str, Any], target: Path
) -> None:
    target.parent.mkdir(exist_ok=True)
    digest, left = sha256(), int(told["bytes"])
    with pack.open(name) as source, target.open("xb") as out:
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:  # no more is unpacked than the manifest says
                break
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if left != 0 or digest.hexdigest() != told["sha256"]:
        raise _spoiled(file, f"{name} is not as it was when the backup was made (SHA-256 differs)")


def _prove(manifest: dict[str, Any], folder: Path) -> list[Row]:
    """Compare the restored copy, read anew, with what the manifest says."""
    found = _sound(folder / LEDGER)
    accounts = folder / ACCOUNTS
    restored: dict[str, Any] = {
        "ledger": found,
        "study": {"hash": digest_of(folder / STUDY)},
        "accounts": _accounts(accounts) if accounts.exists() else None,
        "members": {n: {} for n in manifest["members"] if (folder / n).exists()},
    }
    left, right = _told_of(manifest), _told_of(restored)
    rows = [Row(what, left.get(what, "–"), right.get(what, "–")) for what in {**left, **right}]
    rows.append(Row("chain", "whole", "whole"))  # _sound has verified it
    if different := [r for r in rows if not r.equal]:
        raise ExchangeError(
            [
                f"{r.what}: the backup says {r.backup}, the restored copy {r.restored}; expected the same; "
                "take an older backup, and keep this one"
                for r in different
            ]
        )
    return rows


def _told_of(manifest: dict[str, Any]) -> dict[str, str]:
    """What must be equal on both sides, in words."""
    ledger, accounts = manifest["ledger"], manifest["accounts"]
    return {
        "ledger head": str(ledger["head"]),
        "entries": str(ledger["entries"]),
        **{f"entries about {kind}": str(n) for kind, n in ledger["kinds"].items()},
        "last entry at": str(ledger["last"]),
        "data": str(ledger["nature"]),
        "study file": str(manifest["study"]["hash"]),
        "user accounts": "none in it" if accounts is None else str(accounts),
        "files": str(len(manifest["members"])),
    }


# -- one new file, sealed -------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """A temporary folder beside the file to be made, and the file's name until it is whole."""

    folder: Path
    file: Path


@contextmanager
def new_file(file: Path) -> Iterator[Room]:
    """A file that comes to be whole and flushed to the disk, or not at all; never over another one.

    Raises
    ------
    ExchangeError
        The file exists, or its folder cannot be written.
    """
    target = file.absolute()
    _refuse_existing(target, file)
    try:
        with tempfile.TemporaryDirectory(prefix=".onearm-", dir=target.parent) as temporary:
            room = Room(Path(temporary), Path(temporary) / "whole")
            yield room
            os.chmod(room.file, 0o600)  # it holds patients' data
            with room.file.open("rb+") as whole:
                os.fsync(whole.fileno())
            _refuse_existing(target, file)
            room.file.replace(target)
        _sync(target.parent)
    except OSError as error:
        left = "the file is there, but was not flushed" if target.exists() else "no file was left"
        raise ExchangeError(_told(error, file, left)) from error


def _refuse_existing(target: Path, file: Path) -> None:
    if target.exists() or target.is_symlink():
        raise ExchangeError(
            f"{file}: exists already; a file that was kept is never written over; name another file"
        )


def _told(error: OSError, place: Path, left: str) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{place}: there is no room left on the disk; {left}; make room, or name another place"
        )
    # the temporary names below are nobody's business
    said = error.strerror or str(error)
    found = error.filename if isinstance(error.filename, str) else ""
    at = "" if not found or ".onearm-" in found or found == str(place) else f" ({found})"
    return f"{place}: cannot be read or written: {said}{at}; {left}; name a place that exists and may be written"


def _sync(folder: Path) -> None:
    """Flush a folder's own entries, so that a name outlives a power cut."""
    if os.name != "posix":
        return
    for place in (folder, *(p for p in folder.iterdir() if p.is_dir() and p.name == VERSIONS)):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def seal(file: Path) -> None:
    """End a zip with a comment that is the SHA-256 of every byte before it."""
    with zipfile.ZipFile(file, "a") as pack:
        pack.comment = b"0" * SEAL
    with file.open("rb+") as whole:
        digest = _digest_before_seal(file)
        whole.seek(-SEAL, os.SEEK_END)
        whole.write(digest.encode())
        whole.flush()
        os.fsync(whole.fileno())


def check_seal(file: Path) -> None:
    """Refuse a file of which any byte is not as it was made."""
    try:
        with file.open("rb") as whole:
            size = whole.seek(0, os.SEEK_END)
            whole.seek(max(size - SEAL, 0))
            told = whole.read()
        found = _digest_before_seal(file)
    except OSError as error:
        raise ExchangeError(_told(error, file, "nothing was restored")) from error
    if told.decode("ascii", "replace") != found:
        raise _spoiled(
            file, "its bytes do not fit the seal at its end, or it is no backup of onearm"
        )


def _digest_before_seal(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as whole:
        left = max(os.fstat(whole.fileno()).st_size - SEAL, 0)
        while left and (block := whole.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _spoiled(file: Path, found: str) -> ExchangeError:
    return ExchangeError(
        f"{file}: {found}; expected a backup exactly as it was made; nothing was restored; take another copy of it, "
        "or an older backup"
    )
