"""Every kind of damage is found, named for what it is, at the entry where it begins."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.conftest import NOTE, PROTEIN, WHO, Place

from onearm.errors import LedgerError
from onearm.ledger import Damage, Draft, Head, Ledger, chain
from onearm.ledger.chain import COLUMNS, GENESIS
from onearm.ledger.sqlite import sqlite3

DOCS = Path(__file__).parents[2] / "docs"
COUNT = 8  # entries made by fill()
Row = tuple[Any, ...]


def verify(place: Place, anchor: Head | str | None = None) -> list[Damage]:
    with place.open() as ledger:
        return ledger.verify(anchor)


def found(place: Place, anchor: Head | str | None = None) -> list[tuple[int, str]]:
    return [(damage.seq, damage.kind) for damage in verify(place, anchor)]


def renumbered(row: Row, seq: int) -> Row:
    return (seq, *row[1:])


def rechained(rows: list[Row], start: int = 0, before: str = GENESIS) -> list[Row]:
    """Number rows anew from ``start + 1`` and give each the hashes that an honest program would."""
    made = []
    for seq, row in enumerate(rows, start + 1):
        body = (seq, *row[1:20], before)
        before = chain.entry_hash((*body, ""))
        made.append((*body, before))
    return made


def forged(row: Row, value: str) -> Row:
    """The row with another value and a digest that fits it."""
    cells = dict(zip(COLUMNS, row, strict=True))
    cells |= {"value": value, "salt": "00" * 16}
    cells["value_digest"] = chain.value_digest("00" * 16, value)
    return tuple(cells.values())


def test_a_sound_ledger_has_no_damage(filled: Place) -> None:
    assert verify(filled) == []
    assert len(filled.rows()) == COUNT


def test_an_empty_ledger_has_no_damage(place: Place) -> None:
    assert verify(place) == []


def changed_cells(cell: object, sqlite: bool) -> list[object]:
    if isinstance(cell, int):
        return [cell + 1, -cell]
    if cell is None:
        return ["1"]
    assert isinstance(cell, str)
    first = "X" if not cell.startswith("X") else "Y"
    texts: list[object] = [first + cell[1:], cell + " ", cell[:-1]]
    texts += [cell + "\x00"] if sqlite else []
    return [text for text in dict.fromkeys(texts) if text != cell]


@pytest.mark.slow
def test_any_character_of_any_column_of_any_row_changed_is_an_edit_of_that_row(
    filled: Place,
) -> None:
    rows = filled.rows()
    tried = 0
    with filled.open() as ledger, filled.raw() as connection:
        kept = connection.guards_off()
        connection.commit()
        for row in rows:
            for name, cell in zip(COLUMNS[1:], row[1:], strict=True):
                if name == "redacts":
                    changes: list[object] = [3, None] if cell else [3, 7]
                else:
                    changes = changed_cells(cell, filled.sqlite)
                for changed in changes if filled.sqlite else changes[:1]:
                    tried += 1
                    sql = f'UPDATE ledger SET "{name}" = ? WHERE seq = {row[0]}'
                    connection.execute(sql, (changed,))
                    connection.commit()
                    damages = [d for d in ledger.verify() if d.kind != "guard"]
                    connection.execute(sql, (cell,))
                    connection.commit()
                    told = (row[0], name, cell, changed, damages)
                    assert [(d.seq, d.kind) for d in damages] == [(row[0], "edit")], told
        connection.guards_on(kept)
    assert tried > (400 if filled.sqlite else 150)
    assert verify(filled) == []


def test_a_row_that_carries_another_number_is_a_reorder(in_file: Place) -> None:
    for row in in_file.rows():
        for number in (99, 0, -3):
            with in_file.unguarded() as connection:
                sql = "UPDATE ledger SET seq = ? WHERE seq = ?"
                connection.execute(sql, (number, row[0]))
            assert found(in_file) == [(number, "reorder")], (row[0], number)
            with in_file.unguarded() as connection:
                connection.execute(sql, (row[0], number))
    assert verify(in_file) == []


def test_any_set_of_rows_removed_is_a_deletion_of_exactly_those(filled: Place) -> None:
    rows = filled.rows()
    sets = [c for size in (1, 2, 7, 8) for c in combinations(range(1, COUNT + 1), size)]
    for gone in sets if filled.sqlite else sets[::4]:
        filled.replace([row for row in rows if row[0] not in gone])
        starts = [seq for seq in gone if seq - 1 not in gone]
        expected = [(seq, "deletion") for seq in starts]
        assert found(filled) == expected, gone


def test_a_removed_range_is_told_as_one_with_its_numbers(filled: Place) -> None:
    rows = filled.rows()
    filled.replace([rows[0], *rows[5:]])
    assert verify(filled)[0].message.startswith("entries 2 to 5 were removed")


def test_a_row_removed_and_the_rest_renumbered_is_a_deletion_and_a_reorder(in_file: Place) -> None:
    rows, (_, head) = in_file.rows(), in_file.witness()
    for gone in range(1, COUNT):
        rest = [r if r[0] < gone else renumbered(r, r[0] - 1) for r in rows if r[0] != gone]
        in_file.replace(rest)
        assert found(in_file) == [(gone, "deletion"), (gone, "reorder")]
        # and with the number of the witness set to match
        in_file.replace(rest, (COUNT - 1, head))
        assert {(gone, "deletion"), (gone, "reorder"), (COUNT, "edit")} == set(found(in_file))
        in_file.replace(rows, (COUNT, head))


def test_two_rows_swapped_are_a_reorder_of_both(filled: Place) -> None:
    rows = filled.rows()
    pairs = list(combinations(range(1, COUNT + 1), 2))
    for one, other in pairs if filled.sqlite else pairs[::5]:
        number = {one: other, other: one}
        filled.replace([renumbered(row, number.get(row[0], row[0])) for row in rows])
        assert found(filled) == [(one, "reorder"), (other, "reorder")]


def test_all_rows_in_reverse_order_are_a_reorder(in_file: Place) -> None:
    in_file.replace([renumbered(row, COUNT + 1 - row[0]) for row in in_file.rows()])
    assert {kind for _, kind in found(in_file)} == {"reorder"}


def test_a_copy_of_any_row_at_the_end_is_an_insertion(filled: Place) -> None:
    rows = filled.rows()
    for row in rows:
        filled.replace([*rows, renumbered(row, COUNT + 1)])
        assert found(filled) == [(COUNT + 1, "insertion")]


def test_a_copy_of_any_row_between_others_is_an_insertion_before_a_reorder(in_file: Place) -> None:
    rows = in_file.rows()
    for row in rows:
        for at in range(1, COUNT + 1):
            shifted = [r if r[0] < at else renumbered(r, r[0] + 1) for r in rows]
            in_file.replace([*shifted, renumbered(row, at)])
            # a copy right before its original is the same table as one right behind it
            first = {row[0] + 1: row[0]}.get(at, at)
            expected = [(first, "insertion"), (first + 1, "reorder")]
            same_as_at_the_end = (
                [(COUNT + 1, "insertion")] if first == row[0] == COUNT else expected
            )
            assert found(in_file) in (expected, same_as_at_the_end), (row[0], at)


@pytest.mark.parametrize("chained", [True, False])
def test_an_invented_row_is_an_insertion(in_file: Place, chained: bool) -> None:
    rows = in_file.rows()
    for at in range(1, COUNT + 2):
        before = rows[at - 2][-1] if at > 1 else GENESIS
        new = forged(rows[0], "0.2")
        new = rechained([new], at - 1, before)[0] if chained else renumbered(new, at)
        shifted = [r if r[0] < at else renumbered(r, r[0] + 1) for r in rows]
        in_file.replace([*shifted, new])
        after = [(at + 1, "reorder")] if at <= COUNT else []
        assert found(in_file) == [(at, "insertion"), *after], at


def test_a_value_rewritten_with_fitting_digests_and_hash_is_an_edit(filled: Place) -> None:
    rows = filled.rows()
    for at in (1, 3, 5, 7, 8):
        before = rows[at - 2][-1] if at > 1 else GENESIS
        new = rechained([forged(rows[at - 1], "0.2")], at - 1, before)[0]
        filled.replace([*rows[: at - 1], new, *rows[at:]])
        assert found(filled) == [(at, "edit")]


def test_a_chain_rewritten_to_its_end_is_an_edit_as_long_as_the_witness_stands(
    filled: Place,
) -> None:
    rows = filled.rows()
    kept = rows[:2]
    filled.replace([*kept, *rechained([forged(rows[2], "0.2"), *rows[3:]], 2, rows[1][-1])])
    assert found(filled) == [(COUNT, "edit")]


def test_a_chain_rewritten_with_its_witness_shows_only_against_an_anchor(filled: Place) -> None:
    rows = filled.rows()
    anchors = [Head(row[0], row[-1]) for row in rows]
    new = [*rows[:2], *rechained([forged(rows[2], "0.2"), *rows[3:]], 2, rows[1][-1])]
    filled.replace(new, (COUNT, new[-1][-1]))
    assert found(filled) == []  # as the documentation says it would
    assert found(filled, anchors[1]) == []
    for anchor in anchors[2:]:
        assert found(filled, anchor) == [(anchor.seq, "anchor")]


def test_an_end_cut_off_with_the_witness_set_back_shows_only_against_an_anchor(
    filled: Place,
) -> None:
    rows = filled.rows()
    filled.replace(rows[:6], (6, rows[5][-1]))
    assert found(filled) == []
    assert found(filled, f"8:{rows[7][-1]}") == [(8, "anchor")]
    assert "no entry 8" in verify(filled, f"8:{rows[7][-1]}")[0].message


def test_a_cut_that_takes_a_redaction_along_shows_by_the_blank_value(filled: Place) -> None:
    rows = filled.rows()
    filled.replace(rows[:5], (5, rows[4][-1]))
    assert found(filled) == [(4, "edit")]


def test_every_head_the_ledger_ever_had_is_an_anchor_it_passes(in_file: Place) -> None:
    for row in in_file.rows():
        assert found(in_file, Head(row[0], row[-1])) == []
    assert found(in_file, Head(0, GENESIS)) == []


def test_an_anchor_with_another_number_or_hash_is_told(in_file: Place) -> None:
    digest = in_file.rows()[4][-1]
    assert found(in_file, Head(4, digest)) == [(4, "anchor")]
    assert found(in_file, Head(5, "ab" * 32)) == [(5, "anchor")]
    assert found(in_file, Head(0, "ab" * 32)) == [(0, "anchor")]
    with pytest.raises(LedgerError, match="is not the head of a ledger"):
        verify(in_file, "5")


def test_a_changed_witness_is_an_edit(filled: Place) -> None:
    seq, digest = filled.witness()
    flipped = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    for changed in ((seq + 1, digest), (seq - 3, digest), (seq, flipped), (0, GENESIS)):
        filled.replace(filled.rows(), changed)
        damages = verify(filled)
        assert [(d.seq, d.kind) for d in damages] == [(COUNT, "edit")], changed
        assert "the witness was changed" in damages[0].message


def test_a_witness_set_back_shows_the_entries_beyond_it_as_insertions(filled: Place) -> None:
    rows = filled.rows()
    filled.replace(rows, (5, rows[4][-1]))
    damages = verify(filled)
    assert [(d.seq, d.kind) for d in damages] == [(6, "insertion")]
    assert "rows 6 to 8" in damages[0].message


def test_a_witness_that_is_gone_or_doubled_is_a_damaged_guard(filled: Place) -> None:
    with filled.unguarded() as connection:
        connection.execute("INSERT INTO ledger_head (seq, hash) SELECT seq, hash FROM ledger_head")
    assert found(filled) == [(0, "guard")]
    with filled.unguarded() as connection:
        connection.execute("DELETE FROM ledger_head")
    assert found(filled) == [(0, "guard")]


def test_a_value_blanked_without_a_redaction_is_an_edit(filled: Place) -> None:
    for seq in (1, 3, 5, 7, 8):
        row = filled.rows()[seq - 1]
        filled.set(seq, value=None, salt=None)
        damages = verify(filled)
        assert [(d.seq, d.kind) for d in damages] == [(seq, "edit")]
        assert "no entry says that it was redacted" in damages[0].message
        filled.set(seq, value=row[7], salt=row[8])


def test_a_redacted_value_put_back_is_an_edit(filled: Place) -> None:
    with filled.open() as ledger:
        [kept] = [row for row in filled.rows() if row[0] == 7]
        ledger.redact(7, reason="test", **WHO)
    filled.set(7, value=kept[7], salt=kept[8])
    damages = verify(filled)
    assert [(d.seq, d.kind) for d in damages] == [(7, "edit")]
    assert "entry 9 redacted it" in damages[0].message


def test_several_damages_are_all_found_the_first_entry_first(in_file: Place) -> None:
    rows = in_file.rows()
    edited = (*rows[2][:12], "b.karimi", *rows[2][13:])
    copy = renumbered(rows[0], 9)
    in_file.replace([*rows[:2], edited, rows[3], *rows[5:], copy])
    assert found(in_file) == [(3, "edit"), (5, "deletion"), (9, "insertion")]


def test_an_edit_before_a_gap_closed_by_renumbering_is_still_an_edit(in_file: Place) -> None:
    rows = in_file.rows()
    edited = (6, *rows[6][1:12], "b.karimi", *rows[6][13:])
    in_file.replace([*rows[:4], renumbered(rows[5], 5), edited, renumbered(rows[7], 7)])
    damages = found(in_file)
    assert damages[0] == (5, "deletion")
    assert (6, "edit") in damages


def test_a_neighbour_rewritten_beside_an_edited_entry_is_found_too(in_file: Place) -> None:
    rows = in_file.rows()
    rewritten = rechained([forged(rows[4], "positive")], 4, rows[3][-1])[0]
    edited = (*rows[5][:12], "b.karimi", *rows[5][13:])
    in_file.replace([*rows[:4], rewritten, edited, *rows[6:]])
    assert found(in_file) == [(5, "edit"), (6, "edit")]


def test_any_mixture_of_damage_is_found(in_file: Place) -> None:
    rows = in_file.rows()
    rng = random.Random(2018)
    for _ in range(60):
        table = {row[0]: row for row in rows}
        for _ in range(rng.randint(1, 5)):
            one, other = rng.choice(list(table)), rng.choice(list(table))
            match rng.randrange(4):
                case 0:
                    column = rng.choice([5, 7, 9, 12, 20, 21])
                    row = list(table[one])
                    row[column] = f"{row[column]}!"
                    table[one] = tuple(row)
                case 1 if len(table) > 1:
                    del table[one]
                case 2:
                    swapped = renumbered(table[other], one), renumbered(table[one], other)
                    table[one], table[other] = swapped
                case _:
                    table[max(table) + 1] = renumbered(table[one], max(table) + 1)
        damaged = [table[seq] for seq in sorted(table)]
        in_file.replace(damaged)
        assert bool(verify(in_file)) == (damaged != rows), damaged


def test_guards_dropped_and_data_changed_are_both_told(filled: Place) -> None:
    with filled.raw() as connection:
        connection.guards_off()
        connection.execute("UPDATE ledger SET \"by\" = 'x' WHERE seq = 3")
    kinds = found(filled)
    assert kinds[0] == (3, "edit")
    assert {kind for _, kind in kinds[1:]} == {"guard"}
    assert len(kinds) > 5


def test_a_flood_of_damage_is_cut_and_counted(place: Place) -> None:
    with place.open() as ledger:
        drafts = [Draft(PROTEIN.__class__("subject", f"S{n}", "F", "I"), "1") for n in range(150)]
        ledger.record(drafts, **WHO)
    with place.unguarded() as connection:
        connection.execute("UPDATE ledger SET unit = 'kg'")
    damages = verify(place)
    assert len(damages) == 101
    assert [d.seq for d in damages] == list(range(1, 102))
    assert damages[-1].message == "... and 50 more damages, from entry 101 on, are not listed"


def test_each_guard_of_sqlite_missing_or_altered_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path, create=True).close()
    connection = sqlite3.connect(path)
    objects = list(connection.execute("SELECT type, name, sql FROM sqlite_master"))
    connection.close()
    assert len(objects) == 11
    for kind, name, sql in objects:
        if kind == "table":
            continue
        copy = tmp_path / f"{name}.db"
        shutil.copy(path, copy)
        connection = sqlite3.connect(copy, isolation_level=None)
        connection.execute(f"DROP {kind} {name}")
        assert verify(Place(copy)) == [Damage(0, "guard", f"{kind} {name} is missing")]
        altered = sql.replace("BEGIN", "WHEN 0 BEGIN") if kind == "trigger" else sql + " OR 1"
        if kind == "index":
            altered = f"CREATE INDEX {name} ON ledger (seq)"
        connection.execute(altered)
        assert verify(Place(copy)) == [Damage(0, "guard", f"{kind} {name} was altered")]
        connection.close()


def test_a_trigger_index_or_mark_added_to_sqlite_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path, create=True).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE UNIQUE INDEX sly ON ledger (about)")
    assert verify(Place(path)) == [Damage(0, "guard", "sly was added to the ledger's tables")]
    connection.execute("DROP INDEX sly")
    connection.execute("PRAGMA application_id = 7")
    connection.close()
    assert found(Place(path)) == [(0, "guard")]


ALTERED_IN_POSTGRES = [
    "DROP TRIGGER ledger_keep ON ledger",
    "ALTER TABLE ledger DISABLE TRIGGER ledger_stay",
    "ALTER TABLE ledger ENABLE TRIGGER ledger_stay",
    "ALTER TABLE ledger_head DISABLE TRIGGER USER",
    "CREATE OR REPLACE FUNCTION ledger_keep() RETURNS trigger LANGUAGE plpgsql"
    " AS $$BEGIN RETURN NEW; END$$",
    "ALTER FUNCTION ledger_keep() SECURITY DEFINER",
    "ALTER FUNCTION ledger_append() RESET search_path",
    "CREATE TRIGGER sly BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION ledger_stay()",
    "DROP TRIGGER ledger_keep ON ledger; CREATE TRIGGER ledger_keep BEFORE UPDATE OF value ON"
    " ledger FOR EACH ROW EXECUTE FUNCTION ledger_keep(); ALTER TABLE ledger ENABLE ALWAYS TRIGGER"
    " ledger_keep",
    "DROP TRIGGER ledger_keep ON ledger; CREATE TRIGGER ledger_keep BEFORE UPDATE ON ledger"
    " FOR EACH ROW WHEN (NEW.seq > 5) EXECUTE FUNCTION ledger_keep(); ALTER TABLE ledger ENABLE"
    " ALWAYS TRIGGER ledger_keep",
    "DROP INDEX ledger_key",
    "CREATE UNIQUE INDEX sly ON ledger (hash)",
    "ALTER TABLE ledger ADD COLUMN sly TEXT",
    "ALTER TABLE ledger ALTER COLUMN reason DROP NOT NULL",
    "ALTER TABLE ledger ALTER COLUMN reason SET DEFAULT 'x'",
    "ALTER TABLE ledger ENABLE ROW LEVEL SECURITY",
    "CREATE RULE sly AS ON DELETE TO ledger DO INSTEAD NOTHING",
    "ALTER TABLE ledger_head SET UNLOGGED",
]


@pytest.mark.parametrize("sql", ALTERED_IN_POSTGRES)
def test_each_guard_of_postgres_altered_is_told(postgres_place: Place, sql: str) -> None:
    Ledger.open(postgres_place.where, create=True).close()
    assert found(postgres_place) == []
    with postgres_place.raw() as connection:
        connection.execute(sql)
    kinds = {kind for _, kind in found(postgres_place)}
    assert kinds == {"guard"}


def test_a_column_of_another_type_is_told_in_postgres(postgres_place: Place) -> None:
    with Ledger.open(postgres_place.where, create=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8")], **WHO)
    with postgres_place.raw() as connection:
        connection.execute("ALTER TABLE ledger ALTER COLUMN reason TYPE bytea USING reason::bytea")
    kinds = [kind for _, kind in found(postgres_place)]
    assert kinds == ["edit", "guard"]


def test_a_table_that_is_gone_is_told(filled: Place) -> None:
    with filled.raw() as connection:
        connection.execute("DROP TABLE ledger_head")
    kinds = {kind for _, kind in found(filled)}
    assert "guard" in kinds
    assert "edit" not in kinds


@pytest.mark.parametrize("cell", ["CAST(value AS BLOB)", "CAST(x'FF41' AS TEXT)", "7"])
def test_a_cell_of_another_type_or_with_broken_bytes_is_an_edit(tmp_path: Path, cell: str) -> None:
    place = Place(tmp_path / "ledger.db")
    with Ledger.open(place.where, create=True) as ledger:
        ledger.record([Draft(PROTEIN, "1.8"), Draft(NOTE, "x")], **WHO)
    assert isinstance(place.where, Path)
    connection = sqlite3.connect(place.where, isolation_level=None)
    strict = next(iter(connection.execute("SELECT sql FROM sqlite_master WHERE name = 'ledger'")))
    change_schema = "UPDATE sqlite_master SET sql = ? WHERE name = 'ledger'"
    triggers = list(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    )
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA writable_schema = ON")
    # without STRICT and without a column type, SQLite keeps whatever it is given
    loose = strict[0].replace(") STRICT", ")").replace('"value" TEXT', '"value"')
    connection.execute(change_schema, (loose,))
    connection.close()
    connection = sqlite3.connect(place.where, isolation_level=None)
    connection.execute(f"UPDATE ledger SET value = {cell} WHERE seq = 1")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(change_schema, strict)
    connection.close()
    connection = sqlite3.connect(place.where, isolation_level=None)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()
    damages = verify(place)
    assert (damages[0].seq, damages[0].kind) == (1, "edit")
    assert {d.kind for d in damages[1:]} <= {"file"}  # SQLite's own check may see it as well


@pytest.mark.slow
def test_any_byte_of_the_file_changed_is_found_or_changes_nothing_that_is_read(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path / "ledger.db")
    with Ledger.open(place.where, create=True) as ledger:
        for n in range(12):
            key = PROTEIN.__class__("subject", f"S{n}", "REMARKS", "NOTE")
            ledger.record([Draft(key, "a longer remark " * 4)], **WHO)
        sound = ledger.snapshot()
        trail = list(ledger.entries())
    assert isinstance(place.where, Path)
    content = place.where.read_bytes()
    rng = random.Random(20181230)
    noticed = 0
    copy = Place(tmp_path / "copy.db")
    assert isinstance(copy.where, Path)
    for _ in range(150):
        at, bit = rng.randrange(len(content)), 1 << rng.randrange(8)
        copy.where.write_bytes(
            content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :],
        )
        try:
            if verify(copy):
                noticed += 1
                continue
            with copy.open() as ledger:
                assert (ledger.snapshot(), list(ledger.entries())) == (sound, trail), at
        except LedgerError:
            noticed += 1
    assert noticed > 30


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_told_without_a_traceback(tmp_path: Path, kept: float) -> None:
    place = Place(tmp_path / "ledger.db")
    with Ledger.open(place.where, create=True) as ledger:
        for n in range(40):
            key = PROTEIN.__class__("subject", f"S{n}", "REMARKS", "NOTE")
            ledger.record([Draft(key, "x" * 500)], **WHO)
    assert isinstance(place.where, Path)
    content = place.where.read_bytes()
    place.where.write_bytes(content[: int(len(content) * kept)])
    try:
        words = " ".join(damage.message for damage in verify(place) if damage.kind == "file")
    except LedgerError as error:
        words = str(error)
    assert "damaged" in words or "integrity check" in words


def independent(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(DOCS / "verify_ledger.py"), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_third_partys_verifier_agrees(tmp_path: Path) -> None:
    from tests.ledger.conftest import fill

    place = Place(tmp_path / "ledger.db")
    with Ledger.open(place.where, create=True) as ledger:
        fill(ledger)
        head = ledger.head()
    assert isinstance(place.where, Path)
    lines = (DOCS / "verify_ledger.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30
    sound = independent(place.where, str(head))
    assert (sound.returncode, sound.stdout.strip()) == (0, f"whole: {head}")
    other = independent(place.where, f"3:{'ab' * 32}")
    assert (other.returncode, other.stderr.strip()) == (1, "not in the chain")

    rows = place.rows()
    damages = {
        "edit": [*rows[:2], (*rows[2][:12], "x", *rows[2][13:]), *rows[3:]],
        "value": [*rows[:2], (*rows[2][:7], "x", *rows[2][8:]), *rows[3:]],
        "blank": [*rows[:2], (*rows[2][:7], None, None, *rows[2][9:]), *rows[3:]],
        "deletion": [*rows[:2], *rows[3:]],
        "swap": [*rows[:2], renumbered(rows[3], 3), renumbered(rows[2], 4), *rows[4:]],
    }
    for name, damaged in damages.items():
        place.replace(damaged)
        told = independent(place.where)
        assert told.returncode == 1, name
        assert told.stderr.startswith("entry 3:"), (name, told.stderr)
    place.replace(rows[:-1])
    assert independent(place.where).stderr.startswith("entry 8: removed")
