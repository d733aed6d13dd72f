"""A whole study in words, as ``onearm check`` prints it: plain text, at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from onearm.study import phrases as say
from onearm.study.model import Study, Visit

WIDTH = 100
_LEFT = 16  # where the text of a line begins, after its name
_NAME = 34  # widest name of a form in the schedule


def describe(study: Study) -> str:
    """Tell a study in words: who, whose cells, what, when, how analysed, when to stop.

    Returns
    -------
    Plain text, lines of at most 100 characters, ending in a line break.
    """
    parts = (
        _title,
        _population,
        _product,
        _schedule,
        _baseline,
        _analyses,
        _safety,
        _comparators,
        _published,
        _outputs,
    )
    blocks = ["\n".join(part(study)) for part in parts]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _line(name: str, text: str) -> Iterator[str]:
    """One named entry; its text wraps under itself."""
    lead = f"  {name}"
    if len(lead) >= _LEFT:
        yield lead
        lead = ""
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=lead.ljust(_LEFT),
        subsequent_indent=" " * _LEFT,
        break_on_hyphens=False,
    )


def _lines(name: str, texts: Iterable[str], empty: str = "none stated") -> Iterator[str]:
    """A named list; the name stands at its first entry."""
    written = list(texts)
    for n, text in enumerate(written or [empty]):
        yield from _line(name if n == 0 else "", text)


def _entries(name: str, entries: Iterable[tuple[str, str]], empty: str = "none") -> Iterator[str]:
    """A named list of entries with ids of their own, the ids aligned."""
    pairs = list(entries)
    if not pairs:
        yield from _line(name, empty)
    room = max((len(key) for key, _ in pairs), default=0) + 2
    for n, (key, text) in enumerate(pairs):
        lead = f"  {name if n == 0 else ''}".ljust(_LEFT) + key.ljust(room)
        inner = len(text) - len(text.lstrip())
        yield from textwrap.wrap(
            text.lstrip(),
            WIDTH,
            initial_indent=lead + " " * inner,
            subsequent_indent=" " * (len(lead) + max(inner, 2 * text.startswith("= "))),
            break_on_hyphens=False,
        )


def _title(study: Study) -> Iterator[str]:
    header = study.study
    yield from textwrap.wrap(header.title, WIDTH)
    yield "=" * min(WIDTH, len(header.title))
    planned = f"{header.planned.treated} treated"
    if header.planned.controls:
        planned += f", {header.planned.controls} controls"
    control = "" if header.controlled else ", not controlled"
    yield from _line("Study", f"{study.id}, phase {header.phase}, {header.design}{control}")
    yield from _line("Planned", planned)
    if study.registration:
        yield from _line("Registered", say.registration_words(study.registration))
    if header.background:
        yield from _line("Background", header.background)
    if header.objective:
        yield from _line("Objective", header.objective)
    for source in study.sources:
        yield from _line("Source", say.source_words(source))
    yield from _line("File", f"{study.name}, SHA-256 {study.hash[:16]}")


def _population(study: Study) -> Iterator[str]:
    population = study.population
    yield "POPULATION"
    yield from _line("Condition", population.condition)
    for name, criteria in (("Include", population.inclusion), ("Exclude", population.exclusion)):
        told = [
            (c.id if n == 0 else "", line)
            for c in criteria
            for n, line in enumerate(say.criterion_lines(study, c))
        ]
        yield from _entries(name, told, "no criterion stated")
    if population.reference:
        label = study.find_item(population.reference)[1].label
        yield from _line("Time limits", f"count back from: {label} ({population.reference})")


def _product(study: Study) -> Iterator[str]:
    product, dose = study.product, study.product.dose
    yield "DONOR, PRODUCT, DOSE"
    yield from _lines("Donor", say.donor_words(study, study.donor))
    origin = f" ({product.source.origin}, {product.source.tissue})" if product.source else ""
    yield from _line("Product", f"{product.name}{origin}")
    told = [(test.id, say.release_words(study, test)) for test in product.release]
    yield from _entries("Release", told, "no test stated")
    yield from _line("Dose", say.dose_words(dose))
    weight, visit = study.find_item(dose.weight.item)[1], study.visit(dose.weight.visit)
    yield from _line("", f"by the {weight.label.lower()} at {visit.label} ({visit.id})")
    if dose.max_rate:
        yield from _line("", f"no faster than {say.amount_words(dose.max_rate)}")
    if dose.endotoxin_limit:
        yield from _line("", f"endotoxin at most {say.amount_words(dose.endotoxin_limit)}")


# -- schedule -------------------------------------------------------------------------------------


def _schedule(study: Study) -> Iterator[str]:
    visits = study.schedule.visits
    anchor = study.find_item(study.schedule.anchor.item)[1].label
    yield "SCHEDULE OF ACTIVITIES"
    yield from _line("Day 1", f"{anchor}; the day before is day −1, there is no day 0")
    kept = {
        "nominal": "values outside a window count at the visit they were recorded for",
        "exclude": "values outside every window are left out of the analyses",
    }
    yield from _line("Windows", kept[study.schedule.outside_window])
    named = [(visit.id, visit.label) for visit in visits]
    yield from _entries("Visits", named)
    yield ""
    yield from schedule_table(study)
    yield ""
    yield from _other_forms(study)


def schedule_table(study: Study) -> list[str]:
    """Lay out the schedule of activities: forms as rows, visits as columns, × where collected.

    Visits that do not fit beside each other continue in a further block below.
    """
    forms = [f for f in study.forms if any(f.id in v.forms for v in study.schedule.visits)]
    names = [_short(form.label) for form in forms]
    left = max(len(name) for name in (*names, "Window from, days")) + 4
    cells = {visit.id: _head(visit) for visit in study.schedule.visits}
    width = max(len(text) for head in cells.values() for text in head) + 2
    lines: list[str] = []
    for block in _blocks(study.schedule.visits, max(1, (WIDTH - left) // width)):
        lines += [""] if lines else []
        for n, name in enumerate(("", "Day", "Window from, days", "       to")):
            row = "".join(cells[visit.id][n].rjust(width) for visit in block)
            lines.append((f"  {name}".ljust(left) + row).rstrip())
        lines.append("  " + "-" * (left - 2 + width * len(block)))
        for form, name in zip(forms, names, strict=True):
            marks = "".join(("×" if form.id in v.forms else "").rjust(width) for v in block)
            lines.append((f"  {name}".ljust(left) + marks).rstrip())
    return lines


def _head(visit: Visit) -> tuple[str, str, str, str]:
    first, last = visit.window
    return visit.id, say.number_words(visit.day), say.signed(first), say.signed(last)


def _short(label: str) -> str:
    return label if len(label) <= _NAME else label[: _NAME - 1].rstrip() + "…"


def _blocks(visits: Sequence[Visit], size: int) -> Iterator[Sequence[Visit]]:
    for start in range(0, len(visits), size):
        yield visits[start : start + size]


def _other_forms(study: Study) -> Iterator[str]:
    kinds = {"donor": "Of the donor", "lot": "Of the lot"}
    for about, name in kinds.items():
        forms = [f.label for f in study.forms if f.about == about]
        if forms:
            yield from _line(name, "; ".join(forms))
    whenever = [f.label for f in study.forms if f.about == "subject" and f.unscheduled]
    if whenever:
        yield from _line("At any time", "; ".join(whenever))


# -- analysis -------------------------------------------------------------------------------------


def _baseline(study: Study) -> Iterator[str]:
    yield "BASELINE"
    primary, others = study.baseline.primary, study.baseline.also
    yield from _line("PRIMARY", say.baseline_words(primary))
    yield from _lines("Also shown", (say.baseline_words(rule) for rule in others), "none")


def _analyses(study: Study) -> Iterator[str]:
    yield "ANALYSES"
    told = [(e.id, say.estimand_words(study, e)) for e in study.estimands]
    if told:
        yield from _entries("Estimand", told)
    used = [say.measure_words(measure) for measure in study.measures]
    if used:
        yield from _lines("Measures", used)
    for role in ("primary", "secondary", "exploratory"):
        name = role.upper() if role == "primary" else role.capitalize()
        chosen = [a for a in study.analyses if a.role == role]
        if chosen:
            texts = [f"{a.title} [{a.id}]: {say.analysis_words(study, a)}" for a in chosen]
            yield from _lines(name, texts)
    if study.multiplicity is not None:
        yield from _line("Multiplicity", say.multiplicity_words(study.multiplicity))


def _safety(study: Study) -> Iterator[str]:
    yield "SAFETY"
    yield from _line("Grading", f"CTCAE {study.safety.ctcae}")
    expected = [say.expected_words(e) for e in study.safety.expected]
    yield from _lines("Expected", expected, "no event named")
    stopping = [(s.id, say.stopping_words(s)) for s in study.safety.stopping]
    yield from _entries("Stopping", stopping, "no rule")


def _comparators(study: Study) -> Iterator[str]:
    if study.untreated or study.comparators:
        yield "WITHOUT THE CELLS (how measures vary untreated, and changes of comparable patients)"
        courses = [say.untreated_words(study, u) for u in study.untreated]
        if courses:
            yield from _lines("Untreated", courses)
        changes = [say.comparator_words(study, c) for c in study.comparators]
        if changes:
            yield from _lines("Change", changes)


def _published(study: Study) -> Iterator[str]:
    numbers = study.published.numbers
    if not numbers:
        return
    source = f" ({study.published.source})" if study.published.source else ""
    yield f"PUBLISHED NUMBERS{source}"
    room = max(len(number.value) for number in numbers)
    wide = max(len(number.text) for number in numbers)
    for number in numbers:
        named = f"  {number.value.rjust(room)}  {number.text}"
        again = number.from_ or "(no record to reproduce it)"
        both = f"{named.ljust(room + wide + 4)}  {again}"
        yield from [both] if len(both) <= WIDTH else [named, " " * (room + 4) + again]


def _outputs(study: Study) -> Iterator[str]:
    yield "REPORT"
    yield from _line("Parts", ", ".join(o.replace("_", " ") for o in study.outputs))
