"""Two columns of any CSV file as pairs, one row a patient."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from onearm.checks import NUMBER, number_hint
from onearm.errors import ExchangeError
from onearm.exchange.text import read_text
from onearm.records import LARGEST

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-", "missing"})


@dataclass(frozen=True)
class Pairs:
    """Values before and after, None where missing; ``decimals`` is the most that any value was given with."""

    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    decimals: int


def read_pairs(path: Path, before: str, after: str) -> Pairs:
    """Read two columns; an empty cell, NA, NaN, '.' or '-' is missing.

    Comma, semicolon and tab are accepted as separators.

    Raises
    ------
    ExchangeError
        The file cannot be read, a column is not there, or a cell is no number; holds every problem.
    """
    text = read_text(path)
    rows = _rows(path, text)
    if not rows:
        raise ExchangeError(
            f"{path.name}: the file is empty; expected a line of column names and one row a patient"
        )
    header = [name.strip() for name in rows[0]]
    if before == after:
        raise ExchangeError(
            f"{path.name}, row 1: column '{before}' is named as before and as after; name two columns of "
            f"{', '.join(header)}"
        )
    for name in (before, after):
        if header.count(name) != 1:
            found = "stands there twice" if header.count(name) else "is not there"
            raise ExchangeError(
                f"{path.name}, row 1: column '{name}' {found}; the columns are {', '.join(header)}; name one of them"
            )
    columns = header.index(before), header.index(after)
    values: list[tuple[float | None, float | None]] = []
    problems: list[str] = []
    decimals = 0
    for line, cells in enumerate(rows[1:], start=2):
        if not any(c.strip() for c in cells):
            continue
        if any(c.strip() for c in cells[len(header) :]):
            # A comma for the decimal point would shift every later cell, and be read as another number.
            problems.append(
                f"{path.name}, row {line}: has {len(cells)} cells, the header has {len(header)}; write decimals "
                "with a point, or put semicolons between cells"
            )
            continue
        pair = []
        for name, column in zip((before, after), columns, strict=True):
            cell = cells[column].strip() if column < len(cells) else ""
            value = _value(cell)
            if isinstance(value, str):
                problems.append(f"{path.name}, row {line}, column {name}: {value}")
                value = None
            decimals = max(decimals, _decimals(cell) if value is not None else 0)
            pair.append(value)
        values.append((pair[0], pair[1]))
    if problems:
        raise ExchangeError(problems)
    return Pairs(tuple(b for b, _ in values), tuple(a for _, a in values), min(decimals, 4))


def _rows(path: Path, text: str) -> list[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        return list(rows)
    except csv.Error as error:
        raise ExchangeError(
            f"{path.name}, row {rows.line_num}: {error}; a quote in a cell is doubled, and a quoted cell ends "
            "with a quote"
        ) from None


def _separator(text: str) -> str:
    """The one of comma, semicolon and tab that the first line holds most often outside quotes."""
    first = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    return max(",;\t", key=first.count)


def _value(cell: str) -> float | str | None:
    if cell.lower() in MISSING:
        return None
    if not NUMBER.fullmatch(cell):
        hint = number_hint(cell)
        return f"'{cell}' is not a number with a decimal point{hint or '; correct it or leave it empty'}"
    number = float(cell)
    return (
        number if abs(number) < LARGEST else f"'{cell}' is too large for a measurement; correct it"
    )


def _decimals(cell: str) -> int:
    return len(cell.partition(".")[2]) if "e" not in cell.lower() else 0
