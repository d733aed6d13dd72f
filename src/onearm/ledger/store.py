"""The ledger as the rest of onearm sees it: open, record, redact, read, verify."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from onearm import __version__
from onearm.errors import LedgerError
from onearm.ledger import chain
from onearm.ledger.entries import (
    Author,
    Damage,
    Draft,
    Entry,
    Head,
    Key,
    check_author,
    check_drafts,
    check_reason,
    raise_all,
    reason_fault,
    refuse_stale,
    show,
    to_entry,
    unchanged,
)
from onearm.ledger.snapshot import Snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from onearm.ledger.database import Database

SOFTWARE = f"onearm {__version__}"
CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far the machine's clock may stand behind the last entry before nothing is recorded any more.

Clocks that are kept by time servers are set back by fractions of a second; within this the entry
gets the time of the entry before it.
"""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?")


class Ledger:
    """An append-only, hash-chained record of every value of a trial, in a file or in PostgreSQL.

    Made by :meth:`open`; use it in a ``with`` block or call :meth:`close`. One object may be used
    by several threads, and several programs may hold the same ledger open: writers queue.
    """

    def __init__(self, database: Database):
        self._database = database
        self._one_writer = (
            Lock()
        )  # SQLite lets waiting writers queue unfairly; threads queue here first
        self._guards_seen = False

    @classmethod
    def open(cls, url_or_path: str | Path, create: bool = False, *, keep: bool = False) -> Ledger:
        """Open a ledger by the path of its file, or by a URL (anything with ``://``) of PostgreSQL.

        Parameters
        ----------
        url_or_path
            ``ledger.db``, or ``postgresql+psycopg://user:password@host/database``.
        create
            Make the ledger when there is none. One that exists is opened as it is.
        keep
            Keep connections open between two saves, and a write-ahead log beside the file. The file
            must then not be copied, moved or replaced by other means than onearm's before the ledger
            is closed.

        Raises
        ------
        LedgerError
            There is no such file, or it is no ledger, no database, or cannot be reached.
        """
        from onearm.ledger.database import connect  # the database library costs half a second

        return cls(connect(url_or_path, create, keep))

    def close(self) -> None:
        """Give back the database; the ledger can be opened again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def record(
        self,
        drafts: Sequence[Draft],
        *,
        by: str,
        role: str,
        site: str,
        study_hash: str,
        seen: Mapping[Key, int] | None = None,
    ) -> list[Entry]:
        """Append what is new or changed: all of it, or on any fault nothing.

        Parameters
        ----------
        drafts
            One per key. A draft that says what already stands makes no entry.
        by, role, site
            Who records, in which role, where; only ``site`` may be blank.
        study_hash
            Hash of the study file in force.
        seen
            The number of the entry that the writer saw for a key, 0 for none, below 0 for a redacted
            one. Where another one
            stands by now, nothing is recorded: nobody overwrites what he has not seen.

        Returns
        -------
        The new entries, in the order of their drafts.

        Raises
        ------
        StaleError
            Something in ``seen`` was changed meanwhile; it names the entries that stand.
        LedgerError
            A change without a reason, a value together with a word for missing, two drafts of one
            key, a text that cannot be kept, a machine's clock that went back; every faulty draft is
            named.
        """
        drafts = list(drafts)
        author = Author(by, role, site, study_hash)
        check_author(author)
        check_drafts(drafts)
        if not drafts:
            return []
        from onearm.ledger import database

        with self._one_writer, self._database.writing() as connection:
            keys = {draft.key for draft in drafts} | set(seen or ())
            stands = {entry.key: entry for entry in database.current(connection, list(keys))}
            refuse_stale(seen or {}, stands)
            new = [d for d in drafts if d.key not in stands or not unchanged(d, stands[d.key])]
            raise_all([fault for d in new if (fault := reason_fault(d, stands.get(d.key)))])
            return self._append(connection, new, author) if new else []

    def redact(
        self, seq: int, *, reason: str, by: str, role: str, site: str, study_hash: str
    ) -> Entry:
        """Remove the value of one entry for good; a new entry says who did so and why.

        For what must not be kept (a name typed into a text item). The chain stays whole: it holds a
        commitment to the value, never the value. The value stays in backups made before, and its
        text is not removed from other entries.

        Returns
        -------
        The entry that records the redaction; it has the key of the redacted one and its number in
        ``redacts``.

        Raises
        ------
        LedgerError
            No such entry, no value there (or none any more), or no reason.
        """
        author = Author(by, role, site, study_hash)
        check_author(author)
        check_reason(reason, "a redaction")
        from onearm.ledger import database

        with self._one_writer, self._database.writing() as connection:
            entry = database.entry_at(connection, seq)
            if entry is None or entry.value is None:
                found = "does not exist" if entry is None else f"holds no value ({entry.words})"
                raise LedgerError(
                    f"entry {seq}: {found}; only a value can be redacted; give the number of the "
                    "entry with the value"
                )
            draft = Draft(entry.key, None, reason=reason)
            recorded = self._append(connection, [draft], author, redacts=seq)[0]
            database.blank(connection, seq)
        self._database.empty_log()
        return recorded

    def record_clock(self, *, reason: str, by: str, role: str, site: str, study_hash: str) -> Entry:
        """Record that the machine's clock was wrong and is right now, so that recording can go on.

        Needed only after an entry was stamped by a clock that ran ahead: until then ``record``
        refuses, since times never go back unsaid. The entry (study, form ``CLOCK``, item
        ``SETBACK``) carries the machine's time now and, as its value, the time of the entry before
        it.
        """
        author = Author(by, role, site, study_hash)
        check_author(author)
        check_reason(reason, "a clock that is set back")
        from onearm.ledger import database

        with self._one_writer, self._database.writing() as connection:
            _head, last = database.head_and_time(connection)
            if _stamp(machine_time()) >= last:
                raise LedgerError(
                    "clock: the machine's clock is not behind the last entry "
                    f"({last or 'there is none'}); a setback is recorded only when it is; record "
                    "as usual"
                )
            draft = Draft(Key("study", "CLOCK", form="CLOCK", item="SETBACK"), last, reason=reason)
            return self._append(connection, [draft], author, set_back=True)[0]

    def snapshot(self, as_of: str | int | None = None) -> Snapshot:
        """Return the data as they stood: now, after an entry, or at a time.

        Parameters
        ----------
        as_of
            None for all entries; a whole number for all up to that entry; ISO 8601 text for all
            recorded up to that time (``2026-11-22T09:30:00Z``, an offset instead of ``Z`` will do),
            or up to the end of a day in UTC (``2026-11-22``).

        Raises
        ------
        LedgerError
            The text is no date or time, a time has no zone, or the number is not in the ledger.
        """
        time = _time_limit(as_of) if isinstance(as_of, str) else None
        from onearm.ledger import database

        with self._database.reading() as connection:
            head, at = database.head_and_time(connection)
            if time is not None:
                head, at = database.head_and_time(connection, database.last_at(connection, time))
            elif as_of is not None:
                head, at = database.head_and_time(connection, _number(as_of, head))
            entries = database.current(connection, up_to=head.seq)
            return Snapshot(tuple(entries), head, at, database.order(connection, head.seq))

    def advance(self, snapshot: Snapshot) -> Snapshot:
        """Return the data as they stand now, read on from a snapshot: only what was recorded since."""
        from onearm.ledger import database

        with self._database.reading() as connection:
            head, at = database.head_and_time(connection)
            if head == snapshot.head:
                return snapshot
            new = database.page(connection, snapshot.head.seq)
        whole = new and new[-1].seq == head.seq and snapshot.head.seq > 0
        if not whole or any(e.redacts is not None for e in new):
            return self.snapshot()
        return snapshot.advanced(new, head, at)

    def history(self, key: Key) -> list[Entry]:
        """Every version of one key, oldest first, redactions (``redacts`` is set) among them."""
        from onearm.ledger import database

        with self._database.reading() as connection:
            return database.history(connection, key)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield the whole trail, oldest first; only entries with a number above ``after``.

        Read page by page, so that a slow reader keeps no writer waiting.
        """
        from onearm.ledger import database

        while True:
            with self._database.reading() as connection:
                page = database.page(connection, after)
            if not page:
                return
            yield from page
            after = page[-1].seq

    def head(self) -> Head:
        """Return number and hash of the last entry: noted elsewhere, it anchors all before it."""
        from onearm.ledger import database

        with self._database.reading() as connection:
            return database.head_and_time(connection)[0]

    def verify(self, anchor: Head | str | None = None) -> list[Damage]:
        """Recompute the chain from what is stored and say everything that does not fit.

        Parameters
        ----------
        anchor
            A head noted earlier outside the ledger (``seq:hash``). Only against it does a rewriting
            of the whole chain, or a cut of its end together with the witness, show.

        Returns
        -------
        An empty list for a sound ledger; else damages, those of entries first, by number, at most
        100 and a last one that counts the rest.

        Raises
        ------
        LedgerError
            The anchor is not a head.
        """
        from onearm.ledger.verify import verify

        return verify(self._database, Head.parse(anchor) if isinstance(anchor, str) else anchor)

    def _append(
        self,
        connection: Connection,
        drafts: Sequence[Draft],
        author: Author,
        redacts: int | None = None,
        set_back: bool = False,
    ) -> list[Entry]:
        from onearm.ledger import database

        self._check_guards(connection)
        head, last = database.head_and_time(connection)
        now = machine_time()
        at = _stamp(now) if set_back else _time_after(now, last)
        rows, entries = [], []
        for draft in drafts:
            row, entry = _chained(head, draft, author, at, redacts)
            head = Head(entry.seq, entry.hash)
            rows.append(row)
            entries.append(entry)
        database.append(connection, rows)
        if database.witness(connection) != [(head.seq, head.hash)]:
            raise LedgerError(
                "{where}: the witness did not follow the new entries; the ledger's guards were "
                "altered; nothing was recorded; run verify, restore the last backup",
                where=self._database.where,
            )
        return entries

    def _check_guards(self, connection: Connection) -> None:
        """Refuse to record into a ledger whose guards were altered: nothing would protect it."""
        from onearm.ledger import database

        if not self._guards_seen:
            if faults := database.check_guards(connection):
                raise LedgerError(
                    "{where}: the ledger's guards were altered: {faults}; nothing is recorded without "
                    "them; run verify, restore the last backup",
                    where=self._database.where,
                    faults="; ".join(faults[:3]),
                )
            self._guards_seen = True


def machine_time() -> datetime:
    """Return the machine's time in UTC: the only source of an entry's ``at``."""
    return datetime.now(UTC)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _time_after(now: datetime, last: str) -> str:
    at = _stamp(now)
    if at >= last:
        return at
    try:
        behind = datetime.fromisoformat(last) - now
    except ValueError:
        raise LedgerError(
            "clock: the last entry carries {last}, which is no time; the entry is damaged; "
            "run verify, restore the last backup",
            last=show(last),
        ) from None
    if behind <= CLOCK_TOLERANCE:
        return last
    raise LedgerError(
        "clock: the machine says {at}, but the last entry was recorded at {last}; the time of "
        "entries never goes back; set the machine's clock right; if it is right now and was "
        "wrong then, record that with record_clock",
        at=at,
        last=last,
    )


def _chained(
    head: Head, draft: Draft, author: Author, at: str, redacts: int | None
) -> tuple[tuple[chain.Cell, ...], Entry]:
    key = draft.key
    salt = None if draft.value is None else secrets.token_hex(16)
    digest = chain.value_digest(salt, draft.value)
    row: list[chain.Cell] = [
        *(head.seq + 1, key.kind, key.about, key.visit, key.form, key.item, key.repeat),
        *(draft.value, salt, digest, draft.unit, draft.missing),
        *(author.by, author.role, author.site, at, draft.reason, author.study_hash, SOFTWARE),
        *(redacts, head.hash),
    ]
    row.append(chain.entry_hash([*row, None]))
    return tuple(row), to_entry(row)


def _number(as_of: object, head: Head) -> int:
    if type(as_of) is not int or not 0 <= as_of <= head.seq:
        raise LedgerError(
            f"as of {as_of!r}: is not the number of an entry; the ledger holds entries 1 to "
            f"{head.seq}; give one of these numbers, or a time as text"
        )
    return as_of


def _time_limit(text: str) -> str:
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return f"{day.isoformat()}T23:59:59.999999Z"
        if match := _TIME.fullmatch(text):
            if match[3] is None:
                raise LedgerError(
                    f"as of {show(text)}: the time has no zone; entries carry UTC, and a time "
                    f"without zone could mean any of them; write {text}Z for UTC, or an offset "
                    f"such as {text}+03:30"
                )
            return _stamp(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise LedgerError(
            f"as of {show(text)}: there is no such date or time ({error}); correct it"
        ) from error
    raise LedgerError(
        f"as of {show(text)}: is no date or time; expected ISO 8601 such as 2026-11-22, or "
        "2026-11-22T09:30:00Z; for the number of an entry give a whole number, not text"
    )
