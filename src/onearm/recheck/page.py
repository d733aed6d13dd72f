"""The page that ``onearm recheck`` prints: numbers, a grid of tests by n, sentences, pairs, readings."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from onearm.recheck.checks import TEST_NAMES, Findings, Recheck
from onearm.recheck.reading import Result
from onearm.recheck.words import (
    PLACES,
    basis_words,
    cell,
    numbers_in_words,
    p_clause,
    p_in_words,
    p_text,
    shared_words,
)
from onearm.stats.reported import Constructed, Summary

WIDTH = 100


def grid(f: Findings) -> str:
    """Draw the tests in rows and the numbers of patients in columns."""
    ns = sorted({t.n for t in f.tests})
    head = [""] + [f"n = {n}{'*' if n in f.excluded_n else ''}" for n in ns]
    rows = [head]
    for test, name in TEST_NAMES.items():
        cells = ["–" if n in f.excluded_n else cell(f.test_at(test, n)) for n in ns]
        rows.append([name, *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
    notes = [
        "yes: without ties or unchanged patients; ties, 1u: only with ties, with 1 unchanged; no: never"
    ]
    notes += basis_words(f, grid=True)
    if any(t.verdict == "not found" for t in f.tests):
        notes.append("?: not found among the patterns tried, which are not all: no proof")
    exact = [t for t in f.tests if t.attainable.proof == "without ties"]
    if exact:
        notes.append("Mann-Whitney, exact, ?: only values without ties were counted")
    if any(t.verdict == "unknown" for t in f.tests):
        notes.append("–: too little is printed to tell, or too many patients")
    if f.excluded_n:
        notes.append("*: the printed numbers cannot be with this n")
    return "\n".join([*lines, *notes])


def title(result: Result) -> str:
    """Write a result as the report prints it."""
    unit = f", {result.unit}" if result.unit else ""
    parts = [
        f"{_summary_text(s)}{PLACES[place]}"
        for place, s in (
            ("once", result.once),
            ("before", result.before),
            ("after", result.after),
            ("change", result.change),
        )
        if s != Summary()
    ]
    if result.percent is not None:
        parts.append(f"{result.percent.text} %")
    if result.count is not None:
        parts.append(f"{result.count} of {result.n}")
    if result.p is not None:
        parts.append(p_clause(result.p) + (" (one-sided)" if result.one_sided else ""))
    return f"{result.label}{unit} (n = {result.n}): {'; '.join(parts) or 'nothing printed'}"


def _summary_text(s: Summary) -> str:
    parts = []
    if s.mean is not None:
        parts.append(s.mean.text + (f" ± {s.sd.text}" if s.sd is not None else ""))
    elif s.sd is not None:
        parts.append(f"SD {s.sd.text}")
    if s.median is not None:
        parts.append(f"median {s.median.text}")
    if s.minimum is not None or s.maximum is not None:
        ends = [x.text if x is not None else "?" for x in (s.minimum, s.maximum)]
        parts.append(f"{ends[0]} to {ends[1]}")
    if s.q1 is not None or s.q3 is not None:
        ends = [x.text if x is not None else "?" for x in (s.q1, s.q3)]
        parts.append(f"quartiles {ends[0]} and {ends[1]}")
    return ", ".join(parts)


def constructed_words(f: Findings) -> list[str]:
    """Print the constructed pairs, one set for each test."""
    if not f.searched:
        return []
    if not f.constructed:
        return [
            "No pairs that reproduce the numbers were found in this search; that proves nothing."
        ]
    lines = []
    for c in f.constructed:
        half = 2 if f.result.one_sided else 1
        lines += [f"{TEST_NAMES[c.test]}, P = {p_text(c.pvalue / half)}", *_pair_lines(c)]
    missed = [TEST_NAMES[t] for t in f.searched if t not in {c.test for c in f.constructed}]
    if missed:
        words = f"Not hit by the search, which proves nothing: {'; '.join(missed)}"
        lines += textwrap.wrap(words, WIDTH - 4, subsequent_indent="  ")
    return lines


def _pair_lines(c: Constructed) -> list[str]:
    decimals = max(
        (len(f"{v:.6f}".rstrip("0").split(".")[1]) for v in (*c.before, *c.after)), default=0
    )
    texts = [[f"{v:.{decimals}f}" for v in values] for values in (c.before, c.after)]
    widths = [max(len(a), len(b)) for a, b in zip(*texts, strict=True)]
    names = ("  before", "  after ")
    return [
        f"{name}  " + "  ".join(t.rjust(w) for t, w in zip(row, widths, strict=True))
        for name, row in zip(names, texts, strict=True)
    ]


def describe(recheck: Recheck) -> str:
    """Write the whole page."""
    report = recheck.report
    lines = [f"{report.id}: what the printed numbers imply"]
    for text in (report.title, report.citation, report.url):
        lines += textwrap.wrap(text, WIDTH) if text else []
    lines.append("")
    lines += textwrap.wrap(
        "Computed from the printed numbers alone, over every value that rounds to them. Pairs shown "
        "below are CONSTRUCTED: made up to reproduce those numbers, never patient data.",
        WIDTH,
    )
    for f in recheck.findings:
        lines += ["", _heading(title(f.result)), *_bullets(numbers_in_words(f))]
        if f.tests:
            lines += ["", f"  Which test can give {p_clause(f.result.p)}", ""]  # type: ignore[arg-type]
            lines += [f"    {line}".rstrip() for line in grid(f).splitlines()]
            lines.append("")
        *rest, best = p_in_words(f) or [""]
        lines += _bullets(rest)
        pairs = constructed_words(f)
        if pairs:
            lines += [
                "",
                "  CONSTRUCTED pairs, not patient data, one set for each test that was hit",
                "",
            ]
            lines += [f"    {line}" for line in pairs]
        if best:
            lines += ["", *textwrap.wrap(best, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    together = shared_words(recheck)
    if together:
        lines += ["", _heading("Taken together"), *_bullets([together])]
    return "\n".join(lines)


def _heading(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH))


def _bullets(sentences: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    ]
