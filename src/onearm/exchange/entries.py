"""Entries from a CSV file, through the same gate as every other entry: all of them or none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import get_args

from onearm.checks import check_drafts
from onearm.conduct import (
    draft_hidden,
    draft_unverified,
    gate,
    locks_seen,
    preview,
    site_of,
)
from onearm.errors import ExchangeError, LedgerError, Problem
from onearm.exchange.text import read_text
from onearm.ledger import Draft, Entry, Key, Ledger
from onearm.ledger.entries import Kind, number_seen
from onearm.records import Records, form_key, is_conduct
from onearm.study import Study

COLUMNS = ("kind", "about", "visit", "form", "item", "repeat", "value", "unit", "missing", "reason")
#: Columns that a file may leave out, because an empty cell is their usual content.
OPTIONAL = ("visit", "repeat", "unit", "missing", "reason")
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Import:
    """What an import did: the entries made, rows that changed nothing, and what a person must look at."""

    entries: tuple[Entry, ...]
    unchanged: int
    warnings: tuple[Problem, ...]


def import_entries(
    study: Study, ledger: Ledger, path: Path, *, by: str, role: str, site: str, today: date
) -> Import:
    """Record every row of a CSV file as one act.

    The first line names the columns: ``kind`` (subject, donor, lot, study), ``about`` (its identifier),
    ``visit``, ``form``, ``item``, ``repeat`` (1 when empty), ``value``, ``unit``, ``missing`` (not done, not
    applicable, unknown, not asked) and ``reason`` (needed for a change).

    Raises
    ------
    ExchangeError
        The file cannot be read, or any row is refused; holds every problem, and nothing was recorded.
    """
    drafts, places, problems = read_entries(path)
    snapshot = ledger.snapshot()
    found = problems + check_drafts(study, drafts, snapshot, today=today, where=places)
    records = Records(study, snapshot)
    found += [p for p in gate(records, drafts) if p.id != "form.closed"]
    found += _foreign(records, drafts, places, site)
    if not any(p.severity == "error" for p in found):
        hidden = _hidden(records, drafts)
        found += _given_though_hidden(drafts, places, hidden)
        drafts = [*drafts, *(d for d in hidden.values() if d.key not in {d.key for d in drafts})]
        drafts += draft_unverified(records, drafts)
    refused = [p for p in found if p.severity == "error"]
    if refused:
        raise ExchangeError([f"{p.where}: {p.message} [{p.id}]" for p in in_file_order(refused)])
    try:
        seen = locks_seen(records, [d for d in drafts if d.key.kind != "study"])
        seen |= {d.key: number_seen(snapshot.get(d.key)) for d in drafts if is_conduct(d.key)}
        entries = ledger.record(
            drafts, by=by, role=role, site=site, study_hash=study.hash, seen=seen
        )
    except LedgerError as error:
        raise ExchangeError(f"{path.name}: {error}") from None
    return Import(tuple(entries), len(drafts) - len(entries), tuple(found))


def _hidden(records: Records, drafts: list[Draft]) -> dict[Key, Draft]:
    """What the rows hide by their answers: not applicable, by an entry of its own, as on the pages."""
    after = preview(records, drafts)
    forms = dict.fromkeys(form_key(d.key) for d in drafts if d.key.kind != "study")
    return {d.key: d for form in forms for d in draft_hidden(after, form)}


def _given_though_hidden(
    drafts: list[Draft], places: list[str], hidden: Mapping[Key, Draft]
) -> list[Problem]:
    """Rows with a value that another answer hides: it would be lost."""
    told = (
        "is hidden by another answer of its form, so nothing is recorded there; leave the row out"
    )
    return [
        Problem("row.hidden", f"{d.key.form}.{d.key.item} {told}", where=place)
        for d, place in zip(drafts, places, strict=True)
        if d.key in hidden and d.value is not None
    ]


def _foreign(records: Records, drafts: list[Draft], places: list[str], site: str) -> list[Problem]:
    """Rows that never come from a file: rights, sign-ins, marks; and rows about subjects of another site."""
    found = []
    for draft, place in zip(drafts, places, strict=True):
        key = draft.key
        own = "" if key.kind == "study" else site_of(records, key.kind, key.about)
        if key.kind == "study" and (key.form, key.item) != ("DATA", "NATURE"):
            told = f"{key.form}.{key.item} is recorded by the program only; expected DATA.NATURE or a form; take it out"
            found.append(Problem("row.conduct", told, where=place))
        elif own not in ("", site):
            told = f"{key.kind} {key.about} belongs to site '{own}', the file to '{site}'; import it there"
            found.append(Problem("row.site", told, where=place))
    return found


def in_file_order(problems: list[Problem]) -> list[Problem]:
    """By row number; problems of the whole file first."""

    def row(problem: Problem) -> int:
        digits = problem.where.rpartition("row ")[2]
        return int(digits) if digits.isdigit() else 0

    return sorted(problems, key=row)


def read_entries(path: Path) -> tuple[list[Draft], list[str], list[Problem]]:
    """The rows of a CSV file as drafts, the place of each, and the rows that cannot be one.

    Raises
    ------
    ExchangeError
        The file is missing, not UTF-8, empty or lacks a column.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        _check_header(path, header)
        drafts, places, problems = [], [], []
        # Rows as a spreadsheet counts them: a cell with a line break in it is still one row.
        for number, cells in enumerate(rows, start=2):
            place = f"{path.name}, row {number}"
            if not any(cell.strip() for cell in cells):
                continue
            draft = _draft(header, cells)
            if isinstance(draft, str):
                problems.append(Problem("row.form", draft, where=place))
            else:
                drafts.append(draft)
                places.append(place)
    except csv.Error as error:
        raise ExchangeError(
            f"{path.name}, line {rows.line_num}: {error}; a CSV file puts text with commas or quotes in"
            ' "..." and doubles a quote inside'
        ) from None
    if not drafts and not problems:
        raise ExchangeError(f"{path.name}: holds no row below its header; add one row per entry")
    return drafts, places, problems


def _check_header(path: Path, header: list[str]) -> None:
    for separator, words in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise ExchangeError(
                f"{path.name}, row 1: the columns are separated by {words}; expected commas; save the file"
                " as CSV separated by commas, numbers with a decimal point"
            )
    lacking = [c for c in COLUMNS if c not in header and c not in OPTIONAL]
    surplus = [c for c in header if c not in COLUMNS]
    double = sorted({c for c in header if header.count(c) > 1})
    faults = []
    if lacking:
        faults.append(f"lacks the column {', '.join(lacking)}")
    if surplus:
        faults.append(f"has the unknown column {', '.join(repr(c) for c in surplus)}")
    if double:
        faults.append(f"has the column {', '.join(double)} twice")
    if faults:
        raise ExchangeError(
            f"{path.name}, row 1: the file {' and '.join(faults)}; the columns are {', '.join(COLUMNS)}"
        )


def _draft(header: list[str], cells: list[str]) -> Draft | str:
    """One row as a draft, or in words why it is none."""
    if len(cells) != len(header):
        return f"has {len(cells)} cells, the header has {len(header)}; check commas and quotes"
    row = dict(zip(header, cells, strict=True))
    kind = row["kind"].strip()
    if kind not in KINDS:
        return f"kind is '{kind}'; expected one of {', '.join(KINDS)}"
    repeat = row.get("repeat", "").strip() or "1"
    if not re.fullmatch(r"0*[1-9][0-9]{0,14}", repeat):
        return f"repeat is '{repeat}'; expected a whole number from 1, or nothing"
    key = Key(
        kind=kind,  # type: ignore[arg-type]
        about=row["about"].strip(),
        form=row["form"].strip(),
        item=row["item"].strip(),
        visit=row.get("visit", "").strip(),
        repeat=int(repeat),
    )
    return Draft(
        key,
        row["value"] if row["value"] != "" else None,
        row.get("unit", "").strip(),
        row.get("missing", "").strip(),  # type: ignore[arg-type]
        row.get("reason", ""),
    )
