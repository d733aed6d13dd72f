"""The one place where SQL is sent: connections, transactions and the queries of the ledger.

The only module of the package that imports the database library; ``store`` loads it when a ledger
is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    NullPool,
    QueuePool,
    Row,
    Select,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from onearm.errors import LedgerError
from onearm.ledger import guards
from onearm.ledger.chain import COLUMNS, FORMAT
from onearm.ledger.entries import EMPTY, Entry, Head, Key, to_entry
from onearm.ledger.sqlite import LOG_IS_SOUND, sqlite3
from onearm.sentences import sentence

OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables, which keep a text a text
BUSY = 30.0  # seconds a writer waits for another one
STREAM = 2_000  # rows fetched at a time
KEYS_AT_ONCE = 100  # keys looked up by one query
ROWS_AT_ONCE = 500  # rows added by one statement of PostgreSQL

FAULTS = (SQLAlchemyError, sqlite3.Error, UnicodeError)
"""What a database raises; UnicodeError when SQLite quotes damaged bytes in its own message."""

LEDGER = Table(
    "ledger",
    MetaData(),
    *(
        Column(
            name,
            BigInteger() if name in guards.WHOLE_NUMBERS else Text(),
            primary_key=name == "seq",
            autoincrement=False,
            nullable=name in guards.NULLABLE,
        )
        for name in COLUMNS
    ),
)
_C = LEDGER.c
_KEY = (_C.kind, _C.about, _C.form, _C.item, _C.visit, _C.repeat)


class Database:
    """An open database that holds a ledger."""

    def __init__(self, engine: Engine, where: str, logged: str = ""):
        self.engine = engine
        self.where = where
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._logged = logged  # the file that is kept with a write-ahead log while it is open

    def close(self) -> None:
        """Give back every connection; a file is whole in itself again, unless others hold it open."""
        self.engine.dispose()
        if self._logged:
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(self._logged, uri=True, timeout=0)) as connection,
            ):
                connection.execute("PRAGMA journal_mode = DELETE")

    def empty_log(self) -> None:
        """Bring all of the write-ahead log into the file, so that nothing redacted stays in it."""
        if self.is_sqlite:
            with self._told(), self.engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def reading(self, exact: bool = False) -> Iterator[Connection]:
        """One consistent view of the ledger, whatever others write meanwhile.

        ``exact`` hands damaged texts of SQLite through as they are, instead of raising.
        """
        with self._told(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                raw: Any = connection.connection.dbapi_connection
                if exact and self.is_sqlite:
                    raw.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
                try:
                    yield connection
                finally:
                    if exact and self.is_sqlite:
                        raw.text_factory = str  # the connection may be kept for another reader

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that no other writer shares: everything in it is kept, or nothing."""
        with self._told(), self.engine.connect() as connection:
            connection = connection.execution_options(onearm_writing=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.exec_driver_sql("LOCK TABLE ledger_head IN EXCLUSIVE MODE")
                yield connection

    def create(self) -> None:
        """Make the tables and their guards where there is no ledger yet."""
        with self._told(), self.engine.connect() as connection:
            connection = connection.execution_options(onearm_writing=True)
            with connection.begin():
                if not self.is_sqlite:
                    # two programs may create at once: the second waits here and finds it done
                    connection.exec_driver_sql(
                        "SELECT pg_advisory_xact_lock(hashtext('onearm ledger'))"
                    )
                if self._state(connection) == "ledger":
                    return
                self._refuse_others(connection)
                for statement in self._statements(connection):
                    connection.exec_driver_sql(statement)

    def check_ledger(self) -> None:
        """Raise LedgerError unless the database holds a ledger, sound or damaged."""
        with self._told(), self.engine.connect() as connection, connection.begin():
            if self._state(connection) != "ledger":
                raise LedgerError(
                    f"{self.where}: this database holds no onearm ledger; expected the tables "
                    "ledger and ledger_head; give the place of the ledger, or create one in a "
                    "new place"
                )

    def _state(self, connection: Connection) -> str:
        if self.is_sqlite:
            names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
            marked = connection.exec_driver_sql("PRAGMA application_id").scalar() == guards.MARK
        else:
            query = (
                "SELECT to_regclass('ledger') IS NOT NULL, to_regclass('ledger_head') IS NOT NULL"
            )
            table, witness = connection.exec_driver_sql(query).one()
            names = {"ledger"} if table else set()
            names |= {"ledger_head"} if witness else set()
            comment = "SELECT obj_description(to_regclass('ledger'), 'pg_class')"
            marked = connection.exec_driver_sql(comment).scalar() == FORMAT
        if {"ledger", "ledger_head"} <= names or (marked and names & {"ledger", "ledger_head"}):
            return "ledger"
        return "other" if names else "empty"

    def _refuse_others(self, connection: Connection) -> None:
        if self._state(connection) == "empty":
            return
        raise LedgerError(
            f"{self.where}: holds tables that are not a ledger's; a ledger is created only where "
            "nothing stands in its way; give another place"
        )

    def _statements(self, connection: Connection) -> list[str]:
        if self.is_sqlite:
            return guards.sqlite_statements()
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise LedgerError(
                f"{self.where}: the database keeps text as {encoding}; a ledger needs UTF8, which "
                "keeps every character; create the database with ENCODING 'UTF8'"
            )
        return guards.postgres_statements(
            str(connection.exec_driver_sql("SELECT current_schema()").scalar())
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the database says into a LedgerError a person can act on."""
        try:
            yield
        except FAULTS as error:
            raise LedgerError(
                "{where}: {meaning}", where=self.where, meaning=explain(error)
            ) from error


def explain(error: Exception) -> str:
    """Say what a database's error means and what to do about it, in words."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = " ".join(str(cause).split()) or type(cause).__name__
    for sign, words in _MEANINGS.items():
        if sign in said:
            return sentence("{words} (the database says: {said})", words=words, said=said)
    return sentence("the database refused: {said}", said=said)


_MEANINGS = {
    "database is locked": sentence(
        "another program has been writing for more than {seconds:.0f} seconds; one writer at a "
        "time can; close the other program, or try again",
        seconds=BUSY,
    ),
    "readonly": sentence(
        "the ledger is open for reading only; recording needs write access to the file and its "
        "folder"
    ),
    "is full": sentence(
        "there is no room left to write; nothing of this save was kept; make room and save again"
    ),
    "not a database": sentence(
        "this file is no SQLite database; expected a ledger; give the ledger's file"
    ),
    "malformed": sentence(
        "the file is damaged; restore the last backup, and compare it with a printed head"
    ),
    "disk I/O error": sentence(
        "the file cannot be read or written in full; check the disk, restore the last backup"
    ),
    "unable to open": sentence(
        "the file cannot be opened; check that its folder exists and may be read"
    ),
    "codec can't decode": sentence("the file is damaged; restore the last backup"),
    "Could not decode": sentence("a stored text is damaged; run verify, restore the last backup"),
    "no such": sentence("the ledger's tables were altered; run verify, restore the last backup"),
}


def connect(place: str | Path, create: bool, keep: bool = False) -> Database:
    """Open the database of a ledger by path or URL; see ``Ledger.open``."""
    text = os.fspath(place)
    if "://" in text:
        url = _parse(text)
        if url.get_backend_name() == "postgresql":
            return _found(_postgres(url), create)
        text = url.database or ""
        if text in ("", ":memory:"):
            raise LedgerError(
                "ledger: a ledger in memory is lost when the program ends; give a file"
            )
    return _found(_sqlite(Path(text), create, keep), create)


def _found(database: Database, create: bool) -> Database:
    try:
        database.create() if create else database.check_ledger()
    except BaseException:
        database.close()
        raise
    return database


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise LedgerError(
            "ledger: the address of the database cannot be read; expected a path, or "
            "postgresql+psycopg://user:password@host/database; correct it"
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(
            f"ledger: a database of the kind '{url.get_backend_name()}' is not supported; a "
            "ledger is kept in a file (SQLite) or in PostgreSQL; give a path, or an address that "
            "begins postgresql+psycopg://"
        )
    return url


def _postgres(url: URL) -> Database:
    url = url.set(drivername="postgresql+psycopg")
    where = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"{where}: the driver of PostgreSQL is not installed; expected psycopg; install "
            "onearm[pg]"
        ) from error
    return Database(engine, where)


def _sqlite(path: Path, create: bool, keep: bool) -> Database:
    where = str(path)
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise LedgerError(
            f"{where}: this Python carries SQLite {sqlite3.sqlite_version}; a ledger needs "
            f"{wanted} or newer, whose tables keep a text a text; use a newer Python"
        )
    if path.is_dir():
        raise LedgerError(
            f"{where}: is a folder; a ledger is a file; give the file, for example "
            f"{path / 'ledger.db'}"
        )
    if not path.exists() and not create:
        raise LedgerError(
            f"{where}: there is no such file; expected a ledger; check the path, or create the "
            "ledger first"
        )
    if not path.parent.is_dir():
        raise LedgerError(
            f"{where}: there is no folder {path.parent}; make the folder first, or correct the path"
        )
    mode = (
        "rwc" if create else "rw"
    )  # "rw" never makes a file, and reads one that may not be written
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    # a connection per task: nothing holds the file between two saves, so it can be copied or moved;
    # a server that saves all day keeps them, since opening one costs as much as a save, and lets
    # readers and the writer pass each other by a write-ahead log
    logged = keep and LOG_IS_SOUND
    engine = create_engine(
        "sqlite://",
        module=sqlite3,
        creator=partial(_sqlite_connection, uri, logged),
        poolclass=QueuePool if keep else NullPool,
    )
    event.listen(engine, "begin", _begin)
    return Database(engine, where, uri if logged else "")


def _sqlite_connection(uri: str, logged: bool) -> sqlite3.Connection:
    # isolation_level None: the driver begins nothing by itself, _begin does
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
    )
    # EXTRA is FULL and also flushes the folder, so that a commit told as done outlives a power cut;
    # secure_delete writes zeros over a redacted value
    try:
        if logged:
            with suppress(sqlite3.OperationalError):  # in use without a log, or not to be written
                connection.execute("PRAGMA journal_mode = WAL")
        for setting in (
            "synchronous = EXTRA",
            "secure_delete = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("onearm_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def check_guards(connection: Connection) -> list[str]:
    """Say what stands differently in the database than the ledger was made, in words."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]

    return (
        guards.check_sqlite(ask)
        if connection.dialect.name == "sqlite"
        else guards.check_postgres(ask)
    )


def check_file(connection: Connection) -> list[str]:
    """Run SQLite's own integrity check; PostgreSQL sees to its files itself."""
    if connection.dialect.name != "sqlite":
        return []
    rows = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(10)")]
    return [] if rows == ["ok"] else rows


def head_and_time(connection: Connection, seq: int | None = None) -> tuple[Head, str]:
    """Return number, hash and time of the last entry, or of the last one up to ``seq``."""
    # in plain SQL, since each page asks it
    where = "" if seq is None else f"WHERE seq <= {int(seq)} "
    query = f"SELECT seq, hash, at FROM ledger {where}ORDER BY seq DESC LIMIT 1"  # noqa: S608 -- a number
    row = connection.exec_driver_sql(query).one_or_none()
    return (EMPTY, "") if row is None else (Head(row.seq, row.hash), row.at)


def witness(connection: Connection) -> list[tuple[Any, ...]]:
    """Return the rows of the witness: one, in a sound ledger."""
    return [
        tuple(row)
        for row in connection.exec_driver_sql("SELECT seq, hash FROM ledger_head LIMIT 2")
    ]


def last_at(connection: Connection, time: str) -> int:
    """Return the number of the last entry recorded at or before a time; 0 when there is none."""
    return connection.execute(select(func.max(_C.seq)).where(_C.at <= time)).scalar() or 0


def rows(connection: Connection) -> Iterator[Row[Any]]:
    """All rows by number, read as a stream."""
    query = select(LEDGER).order_by(_C.seq).execution_options(yield_per=STREAM)
    yield from connection.execute(query)


def page(connection: Connection, after: int) -> list[Entry]:
    """Return the next entries above a number."""
    query = select(LEDGER).where(_C.seq > after).order_by(_C.seq).limit(STREAM)
    return [to_entry(row) for row in connection.execute(query)]


def extent(connection: Connection) -> tuple[int, int]:
    """How many rows the ledger holds, and the highest number among them."""
    count, last = connection.execute(
        select(func.count(), func.max(_C.seq)).select_from(LEDGER)
    ).one()
    return count, last if isinstance(last, int) else 0


def hash_of(connection: Connection, seq: int) -> str | None:
    """Return the stored hash of the row that stands at a number."""
    return connection.execute(select(_C.hash).where(_C.seq == seq)).scalars().first()


def places_of(connection: Connection, digest: str) -> list[int]:
    """Return the numbers of the rows that carry a hash."""
    return list(
        connection.execute(select(_C.seq).where(_C.hash == digest).order_by(_C.seq)).scalars()
    )


def entry_at(connection: Connection, seq: int) -> Entry | None:
    """Return the entry with a number."""
    row = connection.execute(select(LEDGER).where(_C.seq == seq)).one_or_none()
    return None if row is None else to_entry(row)


def history(connection: Connection, key: Key) -> list[Entry]:
    """All entries of a key, oldest first."""
    where = [column == cell for column, cell in zip(_KEY, _cells(key), strict=True)]
    return [
        to_entry(row) for row in connection.execute(select(LEDGER).where(*where).order_by(_C.seq))
    ]


def current(
    connection: Connection, keys: Sequence[Key] | None = None, up_to: int | None = None
) -> list[Entry]:
    """Return the current entry of each key (of all keys, or those given), by number."""
    # a redaction is no version of the value: what it redacts stays the current entry
    if keys is None:
        latest = select(func.max(_C.seq)).where(_C.redacts.is_(None)).group_by(*_KEY)
        return _entries(connection, latest if up_to is None else latest.where(_C.seq <= up_to))
    found: list[Entry] = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        found += _current_of(connection, keys[start : start + KEYS_AT_ONCE])
    return found


def _current_of(connection: Connection, keys: Sequence[Key]) -> Iterator[Entry]:
    # In plain SQL, since each save asks it. One look into the index per key: for a list of keys after
    # IN, SQLite would walk the whole index.
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    given = ", ".join([f"({', '.join([mark] * len(_KEY))})"] * len(keys))
    same = " AND ".join(f'ledger."{own.name}" = given."{own.name}"' for own in _KEY)
    query = (
        f"WITH given ({_names(_KEY)}) AS (VALUES {given}) "  # noqa: S608 -- names of columns, and marks
        f"SELECT {_names(LEDGER.c)} FROM ledger WHERE seq IN (SELECT "
        f"(SELECT MAX(seq) FROM ledger WHERE {same} AND redacts IS NULL) FROM given)"
    )
    cells = tuple(cell for key in keys for cell in _cells(key))
    return map(to_entry, connection.exec_driver_sql(query, cells))


def _names(columns: Iterable[Column[Any]]) -> str:
    return ", ".join(f'"{own.name}"' for own in columns)


def _entries(connection: Connection, numbers: Select[tuple[int]]) -> list[Entry]:
    query = select(LEDGER).where(_C.seq.in_(numbers)).order_by(_C.seq)
    return [to_entry(row) for row in connection.execute(query)]


def order(connection: Connection, up_to: int) -> tuple[tuple[str, str], ...]:
    """Every (kind, about) in order of its first entry."""
    first = func.min(_C.seq)
    query = (
        select(_C.kind, _C.about).where(_C.seq <= up_to).group_by(_C.kind, _C.about).order_by(first)
    )
    return tuple((row.kind, row.about) for row in connection.execute(query))


def append(connection: Connection, cells: Sequence[tuple[Any, ...]]) -> None:
    """Add rows, cells in the order of COLUMNS; refused where they do not continue the chain."""
    insert = f"INSERT INTO ledger ({_names(LEDGER.c)}) VALUES "  # noqa: S608 -- names of columns
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(insert + _marks("?"), list(cells))
        return
    for start in range(0, len(cells), ROWS_AT_ONCE):  # many rows per statement: see guards
        part = cells[start : start + ROWS_AT_ONCE]
        together = tuple(cell for row in part for cell in row)
        connection.exec_driver_sql(insert + ", ".join([_marks("%s")] * len(part)), together)


def _marks(mark: str) -> str:
    return f"({', '.join([mark] * len(COLUMNS))})"


def blank(connection: Connection, seq: int) -> None:
    """Remove value and salt of an entry; refused before its redaction is recorded."""
    connection.execute(update(LEDGER).where(_C.seq == seq).values(value=None, salt=None))


def _cells(key: Key) -> tuple[str, str, str, str, str, int]:
    return (key.kind, key.about, key.form, key.item, key.visit, key.repeat)
