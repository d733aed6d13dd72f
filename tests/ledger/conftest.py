"""A ledger in SQLite and in PostgreSQL, and the means to damage both as someone with full rights would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from onearm.ledger import Draft, Key, Ledger
from onearm.ledger.chain import COLUMNS
from onearm.ledger.sqlite import sqlite3

WHO = {"by": "nurse 1", "role": "nurse", "site": "Mashhad", "study_hash": "5d" * 32}
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_numbers = count(1)


class Place:
    """Where a ledger stands, and a way to its tables past its guards."""

    def __init__(self, where: Path | str):
        self.where = where
        self.sqlite = isinstance(where, Path)

    def open(self) -> Ledger:
        return Ledger.open(self.where)

    @contextmanager
    def raw(self) -> Iterator[Any]:
        """A connection of the database's own driver: execute(sql, parameters with ?)."""
        connection = _SQLite(self.where) if isinstance(self.where, Path) else _Postgres(self.where)
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()

    @contextmanager
    def unguarded(self) -> Iterator[Any]:
        """The same with the guards off; afterwards they stand as if nothing had been."""
        with self.raw() as connection:
            kept = connection.guards_off()
            yield connection
            connection.guards_on(kept)

    def rows(self) -> list[tuple[Any, ...]]:
        with self.raw() as connection:
            return list(connection.execute(f"SELECT {NAMES} FROM ledger ORDER BY seq"))

    def witness(self) -> tuple[int, str]:
        with self.raw() as connection:
            seq, digest = next(iter(connection.execute("SELECT seq, hash FROM ledger_head")))
            return seq, digest

    def replace(
        self, rows: Sequence[Sequence[Any]], witness: tuple[int, str] | None = None
    ) -> None:
        """Put other rows (and another witness) in place of all those there."""
        marks = ", ".join("?" * len(COLUMNS))
        with self.unguarded() as connection:
            connection.execute("DELETE FROM ledger")
            for row in rows:
                connection.execute(f"INSERT INTO ledger ({NAMES}) VALUES ({marks})", tuple(row))
            if witness is not None:
                connection.execute("UPDATE ledger_head SET seq = ?, hash = ?", witness)

    def set(self, seq: int, **cells: Any) -> None:
        """Change cells of one row, past the guards."""
        changes = ", ".join(f'"{name}" = ?' for name in cells)
        with self.unguarded() as connection:
            connection.execute(f"UPDATE ledger SET {changes} WHERE seq = ?", (*cells.values(), seq))


class _SQLite:
    def __init__(self, path: Path):
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.execute = self.connection.execute
        self.commit = self.connection.commit
        self.close = self.connection.close

    def guards_off(self) -> list[tuple[str, str]]:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = list(self.execute(query))
        for name, _sql in triggers:
            self.execute(f"DROP TRIGGER {name}")
        return triggers

    def guards_on(self, triggers: list[tuple[str, str]]) -> None:
        for _name, sql in triggers:
            self.execute(sql)


class _Postgres:
    TABLES = ("ledger", "ledger_head")

    def __init__(self, url: str):
        import psycopg
        from sqlalchemy.engine import make_url

        parsed = make_url(url)
        query = {name: str(value) for name, value in parsed.query.items()}
        self.connection = psycopg.connect(user=parsed.username, dbname=parsed.database, **query)
        self.commit = self.connection.commit
        self.close = self.connection.close

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self.connection.execute(sql.replace("?", "%s"), parameters or None)

    def guards_off(self) -> None:
        for table in self.TABLES:
            self.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")

    def guards_on(self, _kept: None) -> None:
        query = (
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal "
            "AND tgrelid IN (to_regclass('ledger'), to_regclass('ledger_head'))"
        )
        for table, name in list(self.execute(query)):
            self.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


@pytest.fixture
def postgres_place(postgres: str) -> Place:
    """An empty schema of its own in PostgreSQL."""
    import psycopg
    from sqlalchemy.engine import make_url

    schema = f"ledger_{next(_numbers)}"
    url = make_url(postgres)
    with psycopg.connect(
        user="postgres", dbname="postgres", host=str(url.query["host"])
    ) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    options = f"-c search_path={schema} -c synchronous_commit=off"
    return Place(url.update_query_dict({"options": options}).render_as_string(hide_password=False))


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The file of an empty ledger and of one with the eight entries of ``fill``."""
    path = tmp_path_factory.mktemp("templates") / "ledger.db"
    with Ledger.open(path, create=True) as opened:
        empty = path.read_bytes()
        fill(opened)
    return {"empty": empty, "filled": path.read_bytes()}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, templates: dict[str, bytes]) -> Place:
    """An empty ledger in each of the two databases."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        path.write_bytes(templates["empty"])
        return Place(path)
    made: Place = request.getfixturevalue("postgres_place")
    Ledger.open(made.where, create=True).close()
    return made


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """The empty ledger, open."""
    with place.open() as opened:
        yield opened


PROTEIN = Key("subject", "LN-01", "URINE24H", "UPROT24H", "M3")
NOTE = Key("subject", "LN-02", "REMARKS", "NOTE", "M3")


def fill(ledger: Ledger) -> None:
    """Eight entries of every shape: values, a missing one, a change, a redaction, all four kinds."""
    ledger.record(
        [
            Draft(PROTEIN, "1.8", "g/(24.h)"),
            Draft(Key("subject", "LN-01", "SLEDAI", "RASH", "M3"), None, missing="not done"),
        ],
        **WHO,
    )
    ledger.record([Draft(PROTEIN, "1.9", "g/(24.h)", reason="read from the wrong line")], **WHO)
    ledger.record([Draft(NOTE, 'came with her sister «زهرا» – 2nd floor\n"ward"')], **WHO)
    ledger.record([Draft(Key("donor", "D-01", "TESTS", "HIV"), "negative")], **WHO)
    ledger.redact(4, reason="names a person", **WHO)
    ledger.record([Draft(Key("lot", "L-7", "RELEASE", "VIABILITY", repeat=2), "91", "%")], **WHO)
    ledger.record([Draft(Key("study", "LN", "DATA", "NATURE"), "constructed")], **WHO)


@pytest.fixture
def filled(place: Place, templates: dict[str, bytes]) -> Place:
    """A ledger with the eight entries of ``fill``."""
    if isinstance(place.where, Path):
        place.where.write_bytes(templates["filled"])
        return place
    with place.open() as opened:
        fill(opened)
    return place


@pytest.fixture
def in_file(tmp_path: Path, templates: dict[str, bytes]) -> Place:
    """The same in SQLite only, for what the kind of database has no part in."""
    path = tmp_path / "ledger.db"
    path.write_bytes(templates["filled"])
    return Place(path)
