"""The tables, and the triggers by which the database itself refuses to change or remove an entry.

Written out per database, to the letter, because ``verify`` compares what stands in the database
with what is written here. Nothing may change without a new format tag (see ``chain``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onearm.ledger.chain import COLUMNS, FORMAT, GENESIS

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs one SQL statement on the open connection and returns its rows."""

MARK = 0x316D7261  # "1mra" read as four bytes: SQLite's application_id of a ledger file

WHOLE_NUMBERS = ("seq", "repeat", "redacts")
NULLABLE = ("value", "salt", "redacts")

NO_CHANGE = "onearm ledger: an entry is never changed; record a new entry with a reason"
NO_REMOVAL = "onearm ledger: an entry is never removed; record a new entry with a reason"
NO_BREAK = "onearm ledger: the new entry does not continue the chain"
NO_BACKDATE = "onearm ledger: the new entry is older than the entry before it"
NO_REDACTION = "onearm ledger: there is no such value to redact"
NO_WITNESS = "onearm ledger: the witness follows the chain by itself"

_REDACTED_ONLY = " AND ".join(
    f'NEW."{name}" {{same}} OLD."{name}"' for name in COLUMNS if name not in ("value", "salt")
)
_MAY_CHANGE = (
    "OLD.value IS NOT NULL AND NEW.value IS NULL AND NEW.salt IS NULL\n"  # noqa: S608 -- constants
    f"  AND {_REDACTED_ONLY}\n"
    "  AND EXISTS (SELECT 1 FROM ledger WHERE redacts = OLD.seq)"
)
_CONTINUES = "EXISTS (SELECT 1 FROM ledger_head WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash)"
_BACKDATED = """EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq - 1 AND at > NEW.at)
  AND NOT (NEW.kind = 'study' AND NEW.form = 'CLOCK')"""
_NOTHING_TO_REDACT = """NEW.redacts IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.redacts AND value IS NOT NULL)"""
_FOLLOWS = """NEW.seq = OLD.seq + 1
  AND EXISTS (
    SELECT 1 FROM ledger WHERE seq = NEW.seq AND hash = NEW.hash AND prev_hash = OLD.hash
  )"""


def _columns(whole: str, text: str) -> str:
    lines = []
    for name in COLUMNS:
        kind = whole if name in WHOLE_NUMBERS else text
        null = " PRIMARY KEY" if name == "seq" else "" if name in NULLABLE else " NOT NULL"
        lines.append(f'  "{name}" {kind}{null}')
    return ",\n".join(lines)


_INDEXES = {
    "ledger_key": (
        'CREATE INDEX ledger_key ON ledger (kind, about, form, item, visit, "repeat", seq)'
    ),
    "ledger_redacts": "CREATE INDEX ledger_redacts ON ledger (redacts) WHERE redacts IS NOT NULL",
}


def _sqlite_trigger(name: str, event: str, refusals: Mapping[str, str]) -> str:
    body = "\n".join(
        f"  SELECT RAISE(ABORT, '{words}') WHERE {when};" for words, when in refusals.items()
    )
    return f"CREATE TRIGGER {name} {event}\nBEGIN\n{body}\nEND"


_IS = _MAY_CHANGE.format(same="IS")
SQLITE = {
    "ledger": f"CREATE TABLE ledger (\n{_columns('INTEGER', 'TEXT')}\n) STRICT",
    **_INDEXES,
    "ledger_head": "CREATE TABLE ledger_head (seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT",
    "ledger_append": _sqlite_trigger(
        "ledger_append",
        "BEFORE INSERT ON ledger",
        {NO_BREAK: f"NOT {_CONTINUES}", NO_BACKDATE: _BACKDATED, NO_REDACTION: _NOTHING_TO_REDACT},
    ),
    "ledger_advance": (
        "CREATE TRIGGER ledger_advance AFTER INSERT ON ledger\nBEGIN\n"
        "  UPDATE ledger_head SET seq = NEW.seq, hash = NEW.hash\n"
        "  WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash;\nEND"
    ),
    "ledger_keep": _sqlite_trigger(
        "ledger_keep", "BEFORE UPDATE ON ledger", {NO_CHANGE: f"NOT ({_IS})"}
    ),
    "ledger_stay": _sqlite_trigger("ledger_stay", "BEFORE DELETE ON ledger", {NO_REMOVAL: "1"}),
    "ledger_head_one": _sqlite_trigger(
        "ledger_head_one", "BEFORE INSERT ON ledger_head", {NO_WITNESS: "1"}
    ),
    "ledger_head_keep": _sqlite_trigger(
        "ledger_head_keep", "BEFORE UPDATE ON ledger_head", {NO_WITNESS: f"NOT ({_FOLLOWS})"}
    ),
    "ledger_head_stay": _sqlite_trigger(
        "ledger_head_stay", "BEFORE DELETE ON ledger_head", {NO_WITNESS: "1"}
    ),
}
"""Name and statement of every object of a ledger in SQLite."""

_SIMILAR = _MAY_CHANGE.format(same="IS NOT DISTINCT FROM")
# PostgreSQL moves its witness once per statement: moved once per row, a save of n entries would
# leave n dead versions of the one row behind, and each move would walk over all of them.
_CONTINUES_ROWS = f"""NOT EXISTS (SELECT 1 FROM ledger WHERE seq >= NEW.seq) AND (
    EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash)
    OR (NEW.seq = 1 AND NEW.prev_hash = '{GENESIS}')
  )"""  # noqa: S608 -- constants
_FOLLOWS_ROWS = """NEW.seq > OLD.seq
  AND EXISTS (SELECT 1 FROM ledger WHERE seq = OLD.seq + 1 AND prev_hash = OLD.hash)
  AND EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq AND hash = NEW.hash)
  AND NOT EXISTS (SELECT 1 FROM ledger WHERE seq > NEW.seq)"""
_ADVANCE = """  IF EXISTS (SELECT 1 FROM fresh) THEN
    UPDATE ledger_head
    SET (seq, hash) = (SELECT seq, hash FROM fresh ORDER BY seq DESC LIMIT 1);
  END IF;
"""


def _function(refusals: Mapping[str, str], does: str = "", returns: str = "NEW") -> str:
    checks = "".join(
        f"  IF {when} THEN\n    RAISE EXCEPTION '{words}' USING ERRCODE = "
        "'integrity_constraint_violation';\n  END IF;\n"
        for words, when in refusals.items()
    )
    return f"\nBEGIN\n{checks}{does}  RETURN {returns};\nEND\n"


_POSTGRES_FUNCTIONS = {
    "ledger_append": _function(
        {
            NO_BREAK: f"NOT ({_CONTINUES_ROWS})",
            NO_BACKDATE: _BACKDATED,
            NO_REDACTION: _NOTHING_TO_REDACT,
        }
    ),
    "ledger_advance": _function({}, _ADVANCE, "NULL"),
    "ledger_keep": _function({NO_CHANGE: f"NOT ({_SIMILAR})"}),
    "ledger_stay": _function({NO_REMOVAL: "true"}, returns="NULL"),
    "ledger_head_keep": _function({NO_WITNESS: f"NOT ({_FOLLOWS_ROWS})"}),
    "ledger_head_stay": _function({NO_WITNESS: "true"}, returns="NULL"),
}

_POSTGRES_TRIGGERS = {
    # name: (table, event, level, function)
    "ledger_append": ("ledger", "BEFORE INSERT", "ROW", "ledger_append"),
    "ledger_advance": ("ledger", "AFTER INSERT", "STATEMENT", "ledger_advance"),
    "ledger_keep": ("ledger", "BEFORE UPDATE", "ROW", "ledger_keep"),
    "ledger_stay": ("ledger", "BEFORE DELETE", "ROW", "ledger_stay"),
    "ledger_whole": ("ledger", "BEFORE TRUNCATE", "STATEMENT", "ledger_stay"),
    "ledger_head_one": ("ledger_head", "BEFORE INSERT", "ROW", "ledger_head_stay"),
    "ledger_head_keep": ("ledger_head", "BEFORE UPDATE", "ROW", "ledger_head_keep"),
    "ledger_head_stay": ("ledger_head", "BEFORE DELETE", "ROW", "ledger_head_stay"),
    "ledger_head_whole": ("ledger_head", "BEFORE TRUNCATE", "STATEMENT", "ledger_head_stay"),
}
_FRESH = "REFERENCING NEW TABLE AS fresh "
# pg_trigger.tgtype adds these up
_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}

_POSTGRES_INDEXES = {
    "CREATE UNIQUE INDEX ledger_pkey ON ledger USING btree (seq)",
    "CREATE INDEX ledger_key ON ledger USING btree (kind, about, form, item, visit, repeat, seq)",
    "CREATE INDEX ledger_redacts ON ledger USING btree (redacts) WHERE (redacts IS NOT NULL)",
}


def sqlite_statements() -> list[str]:
    """Return what makes a ledger in SQLite; the witness gets its row before its guards."""
    first = f"INSERT INTO ledger_head (seq, hash) VALUES (0, '{GENESIS}')"  # noqa: S608 -- a constant
    made = list(SQLITE.values())
    after = list(SQLITE).index("ledger_head") + 1
    return [f"PRAGMA application_id = {MARK}", *made[:after], first, *made[after:]]


def postgres_statements(schema: str) -> list[str]:
    """Return what makes a ledger in a schema of PostgreSQL."""
    # named, so that a temporary table cannot stand in for the ledger or its witness
    path = f'"{schema}", pg_temp'
    text = 'TEXT COLLATE "C"'
    statements = [
        f"CREATE TABLE ledger (\n{_columns('BIGINT', text)}\n)",
        *_INDEXES.values(),
        f"CREATE TABLE ledger_head (seq BIGINT NOT NULL, hash {text} NOT NULL)",
        f"COMMENT ON TABLE ledger IS '{FORMAT}'",
        f"INSERT INTO ledger_head (seq, hash) VALUES (0, '{GENESIS}')",  # noqa: S608 -- a constant
    ]
    for name, body in _POSTGRES_FUNCTIONS.items():
        statements.append(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = {path} "
            f"AS $guard${body}$guard$"
        )
    for name, (table, event, level, function) in _POSTGRES_TRIGGERS.items():
        fresh = _FRESH if event == "AFTER INSERT" else ""
        statements.append(
            f"CREATE TRIGGER {name} {event} ON {table} {fresh}FOR EACH {level} "
            f"EXECUTE FUNCTION {function}()"
        )
        # ALWAYS: also when a session calls itself a replica, which skips ordinary triggers
        statements.append(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    return statements


def check_sqlite(ask: Ask) -> list[str]:
    """Say what stands differently in an SQLite ledger than it was made, in words."""
    rows = ask("SELECT type, name, tbl_name, sql FROM sqlite_master")
    ours = ("ledger", "ledger_head")
    found = {str(name): sql for _type, name, table, sql in rows if str(table).lower() in ours}
    faults = []
    for name, expected in SQLITE.items():
        if name not in found:
            faults.append(f"{_what(expected)} {name} is missing")
        elif _plain(found[name]) != _plain(expected):
            faults.append(f"{_what(expected)} {name} was altered")
    faults += [
        f"{name} was added to the ledger's tables" for name in sorted(found) if name not in SQLITE
    ]
    if ask("PRAGMA application_id") != [(MARK,)]:
        faults.append("the file's mark (application_id) was altered")
    return faults


def _what(statement: str) -> str:
    return statement.split()[1].lower()


def _plain(sql: object) -> str:
    return " ".join(str(sql).split())


_OURS = "(to_regclass('ledger'), to_regclass('ledger_head'))"
_ASK_TABLES = f"""
SELECT c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relhasrules,
  EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)), n.nspname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN {_OURS}"""  # noqa: S608
_ASK_COLUMNS = f"""
SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
a.atthasdef FROM pg_attribute a WHERE a.attrelid IN {_OURS} AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, a.attnum"""  # noqa: S608
_ASK_TRIGGERS = f"""
SELECT t.tgname, c.relname, p.proname, t.tgtype, t.tgenabled,
  t.tgqual IS NULL AND t.tgattr::text = '', COALESCE(t.tgnewtable, '')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN {_OURS} AND NOT t.tgisinternal"""  # noqa: S608
_ASK_FUNCTIONS = f"""
SELECT DISTINCT p.proname, p.prosrc, p.prosecdef, l.lanname, p.proconfig::text
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
WHERE t.tgrelid IN {_OURS} AND NOT t.tgisinternal"""  # noqa: S608
_ASK_INDEXES = f"""
SELECT pg_get_indexdef(x.indexrelid), x.indisvalid AND x.indisready
FROM pg_index x WHERE x.indrelid IN {_OURS}"""  # noqa: S608


def check_postgres(ask: Ask) -> list[str]:
    """Say what stands differently in a PostgreSQL ledger than it was made, in words."""
    faults: list[str] = []
    tables = {row[0]: row[1:] for row in ask(_ASK_TABLES)}
    schema = ""
    for name in ("ledger", "ledger_head"):
        if name not in tables:
            faults.append(f"table {name} is missing")
            continue
        *state, schema = tables[name]
        if state != ["r", "p", False, False, False]:
            faults.append(
                f"table {name} was altered (kind, persistence, row security, rules or inheritance)"
            )
    columns = ask(_ASK_COLUMNS)
    for name in tables:
        if [row[1:] for row in columns if row[0] == name] != _postgres_columns(name):
            faults.append(f"table {name} was altered (its columns or their types)")
    return [
        *faults,
        *_check_triggers(ask),
        *_check_functions(ask, schema),
        *_check_indexes(ask, schema),
    ]


def _postgres_columns(table: str) -> list[tuple[Any, ...]]:
    if table == "ledger_head":
        return [("seq", "bigint", True, False), ("hash", "text", True, False)]
    return [
        (name, "bigint" if name in WHOLE_NUMBERS else "text", name not in NULLABLE, False)
        for name in COLUMNS
    ]


def _check_triggers(ask: Ask) -> list[str]:
    found = {row[0]: row[1:] for row in ask(_ASK_TRIGGERS)}
    faults = []
    for name, (table, event, level, function) in _POSTGRES_TRIGGERS.items():
        bits = sum(_BITS.get(word, 0) for word in (*event.split(), level))
        fresh = "fresh" if event == "AFTER INSERT" else ""
        if name not in found:
            faults.append(f"trigger {name} is missing")
        elif found[name][3] != "A":
            faults.append(f"trigger {name} is switched off, or not enabled always")
        elif found[name] != (table, function, bits, "A", True, fresh):
            faults.append(f"trigger {name} was altered")
    faults += [
        f"trigger {name} was added to the ledger's tables"
        for name in sorted(set(found) - set(_POSTGRES_TRIGGERS))
    ]
    return faults


def _check_functions(ask: Ask, schema: str) -> list[str]:
    expected_path = f'search_path="{schema}", pg_temp'.replace('"', "")
    faults = []
    for name, source, definer, language, config in ask(_ASK_FUNCTIONS):
        path = str(config).replace("\\", "").replace('"', "").strip("{}")
        same = _plain(source) == _plain(_POSTGRES_FUNCTIONS.get(name, ""))
        if not same or definer or language != "plpgsql" or path != expected_path:
            faults.append(f"function {name} was altered")
    return faults


def _check_indexes(ask: Ask, schema: str) -> list[str]:
    found = {}
    for statement, valid in ask(_ASK_INDEXES):
        plain = str(statement).replace('"', "").replace(f" ON {schema}.", " ON ")
        found[plain] = valid
    faults = [
        f"an index was altered or is missing: {text}"
        for text in sorted(_POSTGRES_INDEXES - set(found))
    ]
    faults += [f"an index was added: {text}" for text in sorted(set(found) - _POSTGRES_INDEXES)]
    return [
        *faults,
        *(f"an index is not valid: {text}" for text in sorted(found) if not found[text]),
    ]
