"""A copy of a ledger in a file of its own: cell by cell the same, under the same guards, with the same head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from onearm.errors import LedgerError
from onearm.ledger import guards
from onearm.ledger.chain import COLUMNS
from onearm.ledger.sqlite import sqlite3

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from onearm.ledger.store import Ledger


def copy_ledger(source: Ledger, target: Path) -> None:
    """Write what a ledger holds at this moment, from SQLite or PostgreSQL, to a new SQLite file.

    Others may go on recording: the copy holds everything up to one moment and nothing after it.

    Raises
    ------
    LedgerError
        The ledger cannot be read, or the file cannot be written (no room, no right); what was
        written of it by then is not a ledger.
    """
    from onearm.ledger.database import rows

    with source._database.reading() as connection, _written(target) as into:
        if source._database.is_sqlite:
            # page by page: also what no query shows, so a damaged ledger stays evidence
            raw: Any = connection.connection.dbapi_connection
            raw.backup(into)
            return
        _make(into, rows(connection), connection)


def _make(into: sqlite3.Connection, rows: Iterator[Any], source: Connection) -> None:
    # A redacted row comes without its value, which a guard of later inserts asks for: rows first.
    statements = guards.sqlite_statements()
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))
    into.execute("BEGIN")
    for statement in statements:
        if not statement.startswith(("CREATE TRIGGER", "INSERT INTO")):
            into.execute(statement)
    into.executemany(f"INSERT INTO ledger ({names}) VALUES ({marks})", map(tuple, rows))  # noqa: S608
    for row in source.exec_driver_sql("SELECT seq, hash FROM ledger_head"):
        into.execute("INSERT INTO ledger_head (seq, hash) VALUES (?, ?)", tuple(row))
    for statement in statements:
        if statement.startswith("CREATE TRIGGER"):
            into.execute(statement)
    into.execute("COMMIT")


def copy_database(source: Path, target: Path) -> None:
    """Write what another SQLite database holds at this moment to a new file, and check that it is sound.

    Raises
    ------
    LedgerError
        The database cannot be read, the file cannot be written, or the copy is damaged.
    """
    from onearm.ledger.database import BUSY

    with _written(target) as into:
        uri = f"file:{quote(str(source.absolute()))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY)) as connection:
            connection.backup(into)
        found = [str(row[0]) for row in into.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise LedgerError(
            f"{source.name}: the database is damaged: {'; '.join(found)}; expected a sound one; "
            "restore the last backup"
        )


def entries_per_kind(ledger: Ledger) -> dict[str, int]:
    """How many entries are about subjects, donors, lots and the study."""
    with ledger._database.reading() as connection:
        query = "SELECT kind, count(*) FROM ledger GROUP BY kind ORDER BY kind"
        return {str(kind): int(n) for kind, n in connection.exec_driver_sql(query)}


@contextmanager
def _written(target: Path) -> Iterator[sqlite3.Connection]:
    """A new SQLite file; what goes wrong with either file is told in words."""
    from onearm.ledger.database import explain

    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
            # a copy of a file with a write-ahead log says that it has one, too
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        if "is full" in str(error):
            raise LedgerError(
                f"{target.parent}: there is no room left to write a copy of the ledger; expected room for all of "
                "it; make room, or name another place"
            ) from error
        raise LedgerError(f"copy of the ledger: {explain(error)}") from error
