"""3,000 mutated CSV files: recorded whole, or refused in words with nothing recorded."""

from __future__ import annotations

import csv
import io
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest

from onearm.errors import ExchangeError
from onearm.exchange.entries import COLUMNS, Import, import_entries, read_entries
from onearm.ledger import Ledger
from onearm.study import Study

pytestmark = pytest.mark.slow

PARTS, FILES = 6, 500
SLOWEST = 5.0  # seconds
WHO = {"by": "coordinator", "role": "coordinator", "site": "A"}
CELLS = (
    "", " ", "\x00", "a\x00b", "\r\n", "\n", '"', '""', "'", ",", ";", "\t", "\ufeff", "\u202e", "é",
    "x" * 5_000, "=1+1", "-1", "0", "1e400", "nan", "inf", "1,5", "۱٫۸", "9" * 400, "0x10", "1.8 ",
    "2018-02-30", "0000-00-00", "2018", "31.12.2018", "9999-12-31", "yes", "no", "YES", "true", "subject",
    "study", "lot", "donor", "M9", "M3", "URINE", "DATA", "RIGHTS", "@locked", "UPROT24H@query1", "not done",
    "lost", "1", "2", "-1", "1.0", "10" * 20, "mg/dL", "g/(24.h)", "S1",
)  # fmt: skip


def sheet(chance: Random, number: int) -> list[list[str]]:
    """A file that is in order: one subject, some rows."""
    about = f"S{number % 40}"
    rows = [list(COLUMNS)]
    for visit in ("M-3", "M3"):
        urine = {
            "URDT": ("2018-06-01", ""),
            "UPROT24H": (f"{chance.randrange(1, 90) / 10}", "g/(24.h)"),
            "URBC": (str(chance.randrange(50)), "/[HPF]"),
            "CELLCAST": (chance.choice(("yes", "no")), ""),
        }
        for item, (value, unit) in urine.items():
            rows.append(["subject", about, visit, "URINE", item, "1", value, unit, "", "fuzzed"])
    return rows


def mutated(chance: Random, rows: list[list[str]]) -> list[list[str]]:
    """One or two cells, rows or columns changed."""
    for _ in range(chance.choice((0, 1, 1, 2))):
        row = chance.randrange(len(rows))
        match chance.randrange(9):
            case 0 | 1 | 2 | 3:
                rows[row][chance.randrange(len(rows[row]))] = chance.choice(CELLS)
            case 4:
                rows.append(list(rows[row]))
            case 5:
                rows[row] = rows[row][: chance.randrange(len(rows[row]) + 1)] or [""]
            case 6:
                rows[row].append(chance.choice(CELLS))
            case 7:
                a, b = chance.randrange(10), chance.randrange(10)
                for r in rows:
                    if max(a, b) < len(r):
                        r[a], r[b] = r[b], r[a]
            case _:
                rows[row], rows[0] = rows[0], rows[row]
    return rows


def written(chance: Random, rows: list[list[str]]) -> bytes:
    """The rows as a file, sometimes not a CSV file at all."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=chance.choice((",",) * 20 + (";", "\t", "|"))).writerows(rows)
    raw = text.getvalue().encode("utf-8", "surrogatepass")
    match chance.randrange(40):
        case 0:
            return raw.decode("utf-8").encode("utf-16")
        case 1:
            return b"\xef\xbb\xbf" + raw
        case 2:
            return raw[: chance.randrange(len(raw))]
        case 3:
            at = chance.randrange(len(raw))
            return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        case 4:
            return raw.replace(b'"', b"", 1) + b'"'
        case 5:
            return bytes(chance.randrange(256) for _ in range(200))
        case 6:
            return raw + b"subject," + b"x" * 1_000_000 + b"\n"
        case 7:
            return b""
    return raw


def tried(study: Study, ledger: Ledger, path: Path) -> Import | list[str]:
    """What was recorded, or why nothing was; any other exception is a fault."""
    try:
        return import_entries(study, ledger, path, **WHO, today=date(2018, 12, 30))
    except ExchangeError as error:
        return list(error.messages)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_mutated_file_is_recorded_whole_or_refused_in_words(
    part: int, study: Study, ledger: Ledger, tmp_path: Path
) -> None:
    chance = Random(30122018 + part)
    path = tmp_path / "rows.csv"
    recorded = refused = 0
    for number in range(FILES):
        raw = written(chance, mutated(chance, sheet(chance, number)))
        path.write_bytes(raw)
        head, began = ledger.head(), time.perf_counter()
        done = tried(study, ledger, path)
        if not isinstance(done, Import):
            refused += 1
            assert done and all(message.startswith("rows.csv") for message in done), done
            assert ledger.head() == head, raw
        else:
            recorded += 1
            drafts, _places, problems = read_entries(path)
            assert problems == []
            # Every row stands now as the file says it, and nothing else was recorded.
            stands = {e.key: (e.value, e.missing) for e in ledger.snapshot().entries}
            assert all(stands[d.key] == (d.value, d.missing) for d in drafts), raw
            assert ledger.head().seq == head.seq + len(done.entries)
            assert len(done.entries) + done.unchanged == len(drafts)
        assert time.perf_counter() - began < SLOWEST, raw[:300]
    assert recorded > FILES // 10 and refused > FILES // 10
    assert ledger.verify() == []
