"""Tables as data: the same table becomes HTML here and other forms elsewhere. One function a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from onearm.analysis import BeforeAfter, Chance, Outcome, PublishedCheck, Results, Worth
from onearm.analysis import Line as WorthLine
from onearm.analysis.course import NOT_ENTRY
from onearm.eligibility import Assessment, Evidence
from onearm.errors import Problem, UnitError
from onearm.instruments.renal_response import DEFINITIONS
from onearm.product import Exposure, Finding
from onearm.records import Datum
from onearm.report.numbers import (
    DASH,
    cells,
    count_percent,
    interval,
    mean_sd,
    number,
    p_value,
    percent,
    ranges,
    rounded,
    unit_text,
)
from onearm.safety import Deviation, EventRow
from onearm.stats import Description, GeometricMeanRatio, Interval, describe
from onearm.study import Analysis, Explanation, PublishedTest
from onearm.study.values import NEEDS_UNTREATED

Columns = tuple[tuple[str, Literal["l", "r", "c"]], ...]
Tone = Literal["", "good", "bad", "open", "soft", "strong"]
SAFETY, CHANCE = "#from-safety", "#from-chance"  # anchors of the report


@dataclass(frozen=True)
class Cell:
    """One cell: its text, where its number comes from (an anchor of the report), its tone, lines below.

    A tone never stands alone: the text says the same.
    """

    text: str
    href: str = ""
    tone: Tone = ""
    links: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of cells; ``head`` marks a line that titles those below it."""

    cells: tuple[Cell, ...]
    head: bool = False
    id: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption, its columns (name and alignment) and notes below."""

    id: str
    caption: str
    columns: Columns
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


def row(*parts: Cell | str, head: bool = False, id: str = "") -> Row:
    """A row from cells and plain texts."""
    return Row(tuple(p if isinstance(p, Cell) else Cell(p) for p in parts), head, id)


def entry_links(seqs: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """Links to ledger entries, consecutive ones as one: ``12-31``, ``40``."""
    return tuple(
        (f"{a}" if a == b else f"{a}–{b}", f"#e{a}") for a, b in ranges(tuple(sorted(set(seqs))))
    )


# -- published ------------------------------------------------------------------------------------


def published_table(checks: Sequence[PublishedCheck]) -> Table:
    """Each published number beside what these records give."""
    rows = [
        row(
            c.text,
            c.value,
            Cell(c.shown, c.href),
            Cell(*_agreement(c.agrees)),
        )
        for c in checks
    ]
    return Table(
        "published",
        "Published numbers and what these records give",
        (("Number", "l"), ("Published", "r"), ("From these records", "r"), ("Agreement", "l")),
        tuple(rows),
        (
            "Agreement: the value from these records, rounded half up to the published decimals, is the published one.",
        ),
    )


def _agreement(agrees: bool | None) -> tuple[str, str, Tone]:
    if agrees is None:
        return ("not in these records", "", "soft")
    return ("reproduced", "", "good") if agrees else ("differs", "", "bad")


# -- who ------------------------------------------------------------------------------------------


def baseline_table(results: Results) -> Table:
    """Participants at entry, then every endpoint under the primary baseline rule."""
    records = results.data.records
    rows: list[Row] = []
    for name in results.data.characteristic_items:
        _, item = records.study.find_item(name)
        data = [records.latest(s, name) for s in records.treated]
        if item.type in ("quantity", "integer"):
            rows.append(_numeric_row(name, _labelled(item.label, item.unit), data))
        else:
            rows += _category_rows(name, item.label, item.choices or {}, data)
    measured: dict[str, Row] = {}  # one row a measure, however many analyses it has
    for outcome in results.outcomes:
        if outcome.primary_baseline and outcome.comparison and outcome.measure:
            measured.setdefault(outcome.measure.id, _measure_row(outcome))
    return Table(
        "baseline",
        f"Participants at entry, n = {len(records.treated)}",
        (("Characteristic", "l"), ("Summary", "r"), ("Missing", "r")),
        (*rows, *measured.values()),
        (
            "Numbers: median (minimum to maximum); mean ± SD for endpoints. "
            "Categories: count (percent of those known).",
        ),
    )


def _labelled(label: str, unit: str | None) -> str:
    words = unit_text(unit)
    return f"{label}, {words}" if words else label


def _numeric_row(name: str, label: str, data: list[Datum | None]) -> Row:
    values = [d.number for d in data if d is not None and d.number is not None]
    missing = len(data) - len(values)
    if not values:
        return row(label, DASH, str(missing), id=f"char-{name}")
    d = describe(values)
    decimals = 0 if all(v == int(v) for v in values) else 1
    text = f"{number(d.median, decimals)} ({interval(d.minimum, d.maximum, decimals)})"
    href = f"#from-char-{name}"
    return row(label, Cell(text, href), Cell(str(missing), href), id=f"char-{name}")


def _category_rows(
    name: str, label: str, choices: Iterable[str] | dict[str, str], data: list[Datum | None]
) -> list[Row]:
    known = [d.value for d in data if d is not None and d.value is not None]
    words = {"yes": "yes", "no": "no"} if not choices else dict(choices)  # type: ignore[arg-type]
    counts = Counter(
        {True: "yes", False: "no"}.get(v, v) if isinstance(v, bool) else v for v in known
    )
    missing = Cell(str(len(data) - len(known)), f"#from-char-{name}")
    rows = [row(label, "", missing, head=True, id=f"char-{name}")]
    for code, text in words.items():
        if counts[code] or len(words) == 2:
            shown = count_percent(counts[code], len(known))
            rows.append(row(f"   {text}", Cell(shown, f"#from-char-{name}"), ""))
    return rows


def _measure_row(outcome: Outcome) -> Row:
    assert outcome.measure is not None
    known = [
        p.before for p in outcome.pairs if p.before is not None
    ]  # also where no 'after' is known
    before = describe(known)
    text = mean_sd(before.mean, before.sd, outcome.measure.decimals)
    label = _labelled(outcome.measure.label, outcome.unit)
    missing = len(outcome.pairs) - len(known)
    href = f"#from-{outcome.id}"
    return row(f"{label} ({outcome.baseline.label})", Cell(text, href), Cell(str(missing), href))


def eligibility_table(assessments: Sequence[Assessment]) -> Table:
    """Every participant, every criterion: met, not met or unknown, with the values it rests on."""
    criteria = [r.criterion.id for r in assessments[0].results] if assessments else []
    rows = []
    for a in assessments:
        parts: list[Cell | str] = [a.subject]
        for r in a.results:
            seqs = [s for e in r.evidence for s in e.seqs]
            links = entry_links(seqs) if len(seqs) <= 6 else entry_links(seqs)[:1]
            found = {e.name: e for e in r.evidence}
            days = {e.date for e in r.evidence}
            same = len(days) == 1 and None not in days
            lines = tuple(_explained(r.explanation, found, dated=not same))
            text = f"{r.words}, {days.pop()}" if same else r.words
            parts.append(Cell(text, "", _tone(r.met), links, lines))
        decision = a.decision
        tone: Tone = {"eligible": "good", "not eligible": "bad"}.get(decision, "open")  # type: ignore[assignment]
        rows.append(row(*parts, Cell(decision, "", tone)))
    return Table(
        "eligibility",
        "Eligibility: each criterion with its evidence",
        (("Participant", "l"), *((c, "l") for c in criteria), ("Decision", "l")),
        tuple(rows),
        tuple(
            f"{r.criterion.id}: {r.criterion.text}."
            for r in (assessments[0].results if assessments else ())
        ),
    )


def _explained(
    part: Explanation, found: dict[str, Evidence], *, dated: bool, indent: str = ""
) -> Iterator[str]:
    """A rule's parts, each with its truth and the values it looked at; AND and OR as words."""
    if part.parts:
        joined = {"AND": "all of", "OR": "any of", "NOT": "not"}[part.operator or "AND"]
        yield f"{indent}{joined}"
        for inner in part.parts:
            yield from _explained(inner, found, dated=dated, indent=indent + "\u2002")
        return
    mark = {True: "✓", False: "✗", None: "?"}[part.truth]
    values = [shown_value(e, dated) for name, e in found.items() if _names(part.text, name)]
    yield f"{indent}{mark} {part.text}: {', '.join(values)}"


def _names(text: str, name: str) -> bool:
    """Whether a rule's text names an item: UWBC does not name WBC."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) is not None


def shown_value(evidence: Evidence, dated: bool) -> str:
    """A value with its unit in words and, where asked for, its date."""
    value, _, unit = evidence.shown.partition(" ")
    try:
        words = f"{value} {unit_text(unit)}".strip()
    except UnitError:
        words = evidence.shown
    return f"{words} ({evidence.date})" if dated and evidence.date else words


def _tone(met: bool | None) -> Tone:
    return "open" if met is None else "good" if met else "bad"


# -- exposure -------------------------------------------------------------------------------------


def exposure_table(exposures: Sequence[Exposure]) -> Table:
    """Planned and given cells, volume, rate and release of every infusion."""
    rows = []
    for e in exposures:
        failed = [f for f in e.findings if f.met is not True]
        verdict = "; ".join(_finding_words(f) for f in failed) or "all rules met"
        tone: Tone = "bad" if any(f.met is False for f in failed) else "open" if failed else "good"
        href = f"#from-dose-{e.subject}-{e.visit}"
        plan = e.plan
        rows.append(
            row(
                e.subject,
                e.lot or DASH,
                Cell(number(e.weight_kg, 1), href),
                Cell(cells(plan.viable_cells if plan else None), href),
                Cell(cells(e.given_cells), href),
                Cell(percent(e.deviation) if e.deviation is not None else DASH, href),
                Cell(number(e.volume_ml, 0), href),
                Cell(number(e.minutes, 0), href),
                Cell(number(plan.endotoxin_limit_eu_per_ml, 1) if plan else DASH, href),
                Cell(verdict, "", tone),
            )
        )
    return Table(
        "exposure",
        "Cells planned and given",
        (
            ("Participant", "l"),
            ("Lot", "l"),
            ("Weight, kg", "r"),
            ("Planned viable cells", "r"),
            ("Given viable cells", "r"),
            ("Deviation", "r"),
            ("Volume, mL", "r"),
            ("Minutes", "r"),
            ("Endotoxin limit as planned, EU/mL", "r"),
            ("Rules of donor, release and dose", "l"),
        ),
        tuple(rows),
        (
            "Planned: dose per kg times the dosing weight. "
            "Endotoxin limit as planned: K/M for the planned volume in this patient; the rule judges the volume given.",
        ),
    )


def _finding_words(f: Finding) -> str:
    state = "not met" if f.met is False else "unknown"
    return f"{f.text}: {state} ({f.found})"


# -- before and after -----------------------------------------------------------------------------


def change_table(outcomes: Sequence[Outcome], chances: Sequence[Chance] = ()) -> Table:
    """One endpoint before and after, a column for every baseline rule, the primary one first and marked.

    ``chances`` are those of its measure: how often it would be significant without the cells.
    """
    first = outcomes[0]
    assert first.measure is not None
    rows = []
    for label, text_of, marked in (*_change_lines(first), *_worth_lines(first, chances)):
        if text_of is None:
            rows.append(row(label, *[""] * len(outcomes), head=True))
            continue
        tones: list[Tone] = ["strong" if marked and o.primary_baseline else "" for o in outcomes]
        parts = [
            Cell(text_of(o), f"#from-{o.id}", tone) for o, tone in zip(outcomes, tones, strict=True)
        ]
        rows.append(row(label, *parts))
    columns: list[tuple[str, Literal["l", "r", "c"]]] = [("", "l")]
    for o in outcomes:
        columns.append(
            (f"Before: {o.baseline.label}{' (primary)' if o.primary_baseline else ''}", "r")
        )
    notes = [n for o in outcomes if o.comparison for n in o.comparison.notes]
    if first.analysis.method in NEEDS_UNTREATED and first.worth:
        tests = (first.worth.offset, first.worth.exact)
        notes += [t.note for t in tests if t is not None and t.note]
    if len(outcomes) > 1 and any(o.worth and o.worth.missing_course == NOT_ENTRY for o in outcomes):
        notes.append(
            "Regression to the mean is taken off the primary baseline, as the reading that decided entry, and off the "
            "mean of all readings before: a later reading has regressed already."
        )
    notes += [
        f"Hodges-Lehmann shift: {o.comparison.shift.note}"
        for o in outcomes
        if o.comparison and o.comparison.shift and o.comparison.shift.note
    ]
    return Table(
        f"change-{first.analysis.id}",
        f"{first.analysis.title}: {_labelled(first.measure.label, first.unit)}, before and after",
        tuple(columns),
        tuple(rows),
        tuple(dict.fromkeys(notes)),
    )


Line = tuple[str, Callable[[Outcome], str] | None, bool]


def _change_lines(first: Outcome) -> list[Line]:
    """Label, what an outcome says there (None: a heading), and whether it is the analysis's own test."""
    assert first.measure is not None
    d, level = first.measure.decimals, f"{100 * first.analysis.conf_level:g} %"

    def line(label: str, text: Callable[[BeforeAfter], str]) -> Line:
        return label, lambda o: text(o.comparison) if o.comparison else DASH, False

    def side(name: str) -> list[Line]:
        def of(c: BeforeAfter) -> Description:
            return c.before if name == "before" else c.after

        return [
            line("mean ± SD", lambda c: mean_sd(of(c).mean, of(c).sd, d)),
            line("median (quartiles)", lambda c: _median(of(c), d)),
            line("minimum to maximum", lambda c: interval(of(c).minimum, of(c).maximum, d)),
        ]

    ratio = f"geometric mean ratio, after / before ({level} interval)"
    return [
        line("Complete pairs (missing)", lambda c: f"{c.n} ({c.n_missing})"),
        ("Before", None, False),
        *side("before"),
        ("After", None, False),
        *side("after"),
        ("Change, after minus before", None, False),
        line("mean ± SD", lambda c: mean_sd(c.change.mean, c.change.sd, d)),
        line(f"{level} interval of the mean (t)", lambda c: _ci(c.t, d)),
        line("Hodges-Lehmann shift", lambda c: number(c.shift.estimate if c.shift else None, d)),
        line(f"{level} interval of the shift (exact signed rank)", lambda c: _ci(c.shift, d)),
        *([line(ratio, lambda c: _ratio(c.ratio))] if first.measure.scale == "log" else []),
        ("P", None, False),
        *_p_lines(first),
        ("Effect size", None, False),
        line(f"Hedges' g of the change ({level} interval)", lambda c: _effect(c.g)),
        line("rank-biserial correlation", lambda c: _effect(c.rank_biserial)),
        line(
            f"probability that a patient improves ({level} interval)",
            lambda c: _effect(c.improvement),
        ),
    ]


#: Which side a test looks at; nothing is said of both.
SIDES = {
    "two-sided": "",
    "less": ", one-sided: lower after",
    "greater": ", one-sided: higher after",
}


def posterior_words(outcome: Outcome) -> str:
    """The posterior of a mean change in one sentence; empty without one."""
    if outcome.posterior is None:
        return ""
    return f"{_posterior_interval(outcome)}; {_posterior_question(outcome)} = {_posterior_chance(outcome)}"


def _posterior_interval(outcome: Outcome) -> str:
    p, m = outcome.posterior, outcome.measure
    if p is None or m is None:
        return DASH
    return f"{number(p.estimate, m.decimals)} ({interval(p.lower, p.upper, m.decimals)})"


def _posterior_question(outcome: Outcome) -> str:
    """``P(mean change below −4.0)``: the relevant change of the study file, on the better side."""
    m, at = outcome.measure, outcome.analysis.relevant or 0.0
    assert m is not None
    side = "above" if m.better == "higher" else "below"
    return f"P(mean change {side} {number(at, m.decimals)})"


def _posterior_chance(outcome: Outcome) -> str:
    p, m, at = outcome.posterior, outcome.measure, outcome.analysis.relevant or 0.0
    if p is None or m is None:
        return DASH
    chance = p.probability_above(at) if m.better == "higher" else p.probability_below(at)
    return number(chance, 3)


def _worth_lines(first: Outcome, chances: Sequence[Chance]) -> list[Line]:
    """The change less regression to the mean, and how often it would be significant without the cells."""
    assert first.measure is not None
    level = f"{100 * first.analysis.conf_level:g} %"
    logs = first.measure.scale == "log"
    d = 0 if logs else first.measure.decimals

    def line(label: str, text: Callable[[Worth], str]) -> Line:
        return label, lambda o: text(o.worth) if o.worth else DASH, False

    def ends(value: WorthLine | None) -> str:
        if value is None:
            return DASH
        return f"{number(value.estimate, d)} ({interval(value.lower, value.upper, d)})"

    side = SIDES[first.analysis.alternative] if first.analysis.method in NEEDS_UNTREATED else ""

    def tested(label: str, method: str) -> Line:
        own = first.analysis.method == method
        words = f"{label}{side}{' (this analysis)' if own else ''}"
        return words, lambda o: p_value(o.worth.pvalue(method) if o.worth else None), own

    unit = ", % of the geometric mean" if logs else ""
    lines: list[Line] = [
        ("Less regression to the mean", None, False),
        line(
            f"expected change without treatment{unit}",
            lambda w: number(w.regression.estimate if w.regression else None, d),
        ),
        line(f"change less that{unit} ({level} interval)", lambda w: ends(w.after_regression)),
        tested("P, t test of what remains", "offset_t"),
        tested("P, exact signed rank of what remains", "offset_signed_rank"),
    ]
    if first.analysis.method == "mee_chua":
        lines.append(tested("P, Mee and Chua's test", "mee_chua"))
    if first.analysis.method in ("offset_signed_rank", "mee_chua"):
        words = f"change that remains, by this analysis{unit} ({level} interval)"
        lines.append(line(words, lambda w: ends(w.own)))
    chances = [c for c in chances if _share_of(first, c) is not None]
    if chances:
        lines.append(("Chance of P < 0.05 if the cells do nothing (simulated)", None, False))
        lines += [_chance_line(first, c) for c in chances]
    return lines


def _share_of(first: Outcome, chance: Chance) -> tuple[float, str] | None:
    """How often the analysis's own test, or one like it, would be significant; None where that was not simulated."""
    if first.analysis.method == "geometric_mean_ratio":
        return None if chance.t_log is None else (chance.t_log, "t of the log ratio")
    if first.analysis.method in ("paired_t", "sign_flip", "normal_posterior", "descriptive"):
        return chance.t, "paired t"
    if first.analysis.method in ("signed_rank", "signed_rank_normal", "sign_test"):
        return chance.signed_rank, "exact signed rank"
    return None


def _chance_line(first: Outcome, chance: Chance) -> Line:
    found = _share_of(first, chance)
    assert found is not None
    share, test = found

    def text(o: Outcome) -> str:
        return percent(share, 0) if o.primary_baseline else DASH

    return f"{chance.text} ({test}, two-sided)", text, False


def _p_lines(first: Outcome) -> list[Line]:
    """The analysis's own test, marked; the other tests, two-sided; last the published variant."""
    a = first.analysis
    lines: list[Line] = []
    if variant_words(a) and a.method not in NEEDS_UNTREATED:
        lines.append(
            (
                f"{variant_words(a)}{SIDES[a.alternative]} (this analysis)",
                lambda o: p_value(o.pvalue),
                True,
            )
        )
    if a.method == "normal_posterior":
        level = f"{100 * a.conf_level:g} %"
        words = f"posterior median change, flat prior ({level} interval; this analysis)"
        lines.append((words, _posterior_interval, True))
        lines.append((_posterior_question(first), _posterior_chance, True))
    others: list[tuple[str, str, str, Callable[[BeforeAfter], float | None]]] = [
        ("paired t", "paired_t", "", lambda c: c.t.pvalue if c.t else None),
        (_exact("pratt"), "signed_rank", "pratt", lambda c: c.pratt.pvalue if c.pratt else None),
        (
            _exact("wilcoxon"),
            "signed_rank",
            "wilcoxon",
            lambda c: c.wilcoxon.pvalue if c.wilcoxon else None,
        ),
    ]
    for words, method, zeros, p_of in others:
        own = a.method == method and zeros in ("", a.zeros) and a.alternative == "two-sided"
        if not own:
            lines.append((words, _p_of(p_of), False))
    if a.published is not None:
        printed = rounded(a.published.p, a.published.decimals)
        words = f"as published: {variant_words(a.published)}; printed there: {printed}"
        lines.append((words, lambda o: p_value(o.published), False))
    return lines


def _p_of(p_of: Callable[[BeforeAfter], float | None]) -> Callable[[Outcome], str]:
    return lambda o: p_value(p_of(o.comparison)) if o.comparison else DASH


def _exact(zeros: str) -> str:
    ranked = "zeros ranked (Pratt)" if zeros == "pratt" else "zeros dropped (Wilcoxon)"
    return f"exact signed rank, {ranked}"


def _ratio(ratio: GeometricMeanRatio | None) -> str:
    if ratio is None:
        return DASH
    return f"{number(ratio.estimate, 2)} ({interval(ratio.lower, ratio.upper, 2)})"


def variant_words(test: Analysis | PublishedTest) -> str:
    """A test's variant in words; empty when the method has no test."""
    if test.method == "signed_rank_normal":
        correction = "with" if test.correction else "without"
        zeros = "dropped" if test.zeros == "wilcoxon" else "ranked"
        return (
            f"signed rank, normal approximation {correction} continuity correction, zeros {zeros}"
        )
    if test.method == "signed_rank":
        return _exact(test.zeros)
    return _TESTS.get(test.method, "")


_TESTS = {
    "paired_t": "paired t",
    "geometric_mean_ratio": "t of the log ratio",
    "sign_flip": "exact sign-flip test of the mean",
    "sign_test": "exact sign test",
    "offset_t": "t of the change less regression to the mean",
    "offset_signed_rank": "exact signed rank of the change less regression to the mean",
    "mee_chua": "Mee and Chua's test",
}


def _median(d: Description, decimals: int) -> str:
    return f"{number(d.median, decimals)} ({interval(d.q1, d.q3, decimals)})"


def _ci(result: object | None, decimals: int) -> str:
    if result is None:
        return DASH
    return interval(getattr(result, "lower", None), getattr(result, "upper", None), decimals)


def _effect(effect: object | None) -> str:
    estimate = getattr(effect, "estimate", None)
    if estimate is None:
        return DASH
    low, high = getattr(effect, "lower", None), getattr(effect, "upper", None)
    known = low is not None and high is not None and low == low and high == high
    return number(estimate, 2) + (f" ({interval(low, high, 2)})" if known else "")


# -- responders -----------------------------------------------------------------------------------


def responder_table(outcomes: Sequence[Outcome]) -> Table:
    """Responders by a rule of the study file under every baseline rule, with exact intervals."""
    levels = {o.analysis.conf_level for o in outcomes}
    rows = []
    for o in outcomes:
        r = o.responders
        assert r is not None
        level = "" if len(levels) == 1 else f"{100 * o.analysis.conf_level:g} %: "
        worst = "" if not r.unknown else f"{_share(r.worst)} to {_share(r.best)}"
        rows.append(
            row(
                o.analysis.title,
                o.baseline.label + (" (primary)" if o.primary_baseline else ""),
                Cell(f"{len(r.responders)} of {r.known}", f"#from-{o.id}"),
                Cell(percent(r.interval.estimate if r.interval else None), f"#from-{o.id}"),
                Cell(level + _percent_interval(r.interval), f"#from-{o.id}"),
                Cell(f"{len(r.unknown)} {worst}".strip(), f"#from-{o.id}"),
            )
        )
    common = f"{100 * levels.pop():g} % " if len(levels) == 1 else ""
    return Table(
        "responders",
        "Responders",
        (
            ("Response", "l"),
            ("Before", "l"),
            ("Responders", "r"),
            ("Share", "r"),
            (f"{common}interval (Clopper-Pearson)", "r"),
            ("Unknown (share if none or all respond)", "r"),
        ),
        tuple(rows),
    )


def _share(i: Interval | None) -> str:
    return percent(i.estimate if i else None)


def _percent_interval(i: object | None) -> str:
    if i is None:
        return DASH
    return f"{percent(getattr(i, 'lower', None))} to {percent(getattr(i, 'upper', None))}"


def response_matrix(outcome: Outcome) -> Table:
    """Renal response of every participant by every definition at the visit; best ever in brackets."""
    subjects = list(outcome.renal[0].at_visit) if outcome.renal else []
    rows = []
    for r in outcome.renal:
        parts = []
        for s in subjects:
            now, ever = r.at_visit[s].level, r.best_ever[s].level
            text = now if now == ever else f"{now} ({ever})"
            tone: Tone = "good" if now in ("CR", "PR") else "open" if now == "unknown" else "soft"
            parts.append(
                Cell("?" if now == ever == "unknown" else text.replace("unknown", "?"), "", tone)
            )
        known = [r.at_visit[s].level for s in subjects if r.at_visit[s].level != "unknown"]
        count = sum(level in ("CR", "PR") for level in known)
        total = f"{count} of {len(known)}" if known else DASH
        rows.append(
            row(DEFINITIONS[r.definition].title, *parts, Cell(total, f"#from-{outcome.id}"))
        )
    notes = [
        "CR complete, PR partial, NR no response, ? not decidable from the data. At "
        f"{outcome.analysis.at} against {outcome.baseline.label}; best ever after infusion in brackets where it "
        "differs. Where the data are silent or the definition is, this was assumed:",
    ]
    for r in outcome.renal:
        assumed = sorted({a for x in r.at_visit.values() for a in x.assumed})
        if assumed:
            notes.append(f"{DEFINITIONS[r.definition].title}: {'; '.join(assumed)}.")
    return Table(
        "response",
        "Renal response by published definitions",
        (("Definition", "l"), *((s, "c") for s in subjects), ("Responders", "r")),
        tuple(rows),
        tuple(notes),
    )


# -- safety ---------------------------------------------------------------------------------------


def events_table(id: str, caption: str, rows_in: Sequence[EventRow]) -> Table:
    """Subjects with an event and the exact bounds of the rate, beside every zero too."""
    rows = [
        row(
            r.label,
            Cell(f"{r.subjects} of {r.of}", SAFETY),
            Cell(percent(r.subjects / r.of) if r.of else DASH, SAFETY),
            Cell(_percent_interval(r.interval), SAFETY),
            Cell(percent(r.upper), SAFETY),
            Cell(str(r.events), SAFETY),
            Cell(str(r.max_grade), SAFETY) if r.max_grade is not None else DASH,
        )
        for r in rows_in
    ]
    return Table(
        id,
        caption,
        (
            ("Event", "l"),
            ("Participants", "r"),
            ("Share", "r"),
            ("95 % interval (exact)", "r"),
            ("Cannot be ruled out up to", "r"),
            ("Events", "r"),
            ("Highest grade", "r"),
        ),
        tuple(rows),
        (
            "Cannot be ruled out up to: one-sided exact 95 % upper bound (Clopper-Pearson). "
            "No event seen is not no risk.",
        ),
    )


def _first(seqs: Sequence[int]) -> str:
    return f"#e{min(seqs)}" if seqs else ""


def listing_table(results: Results) -> Table:
    """Every event as reported."""
    rows = [
        row(
            e.subject,
            Cell(e.term, _first(e.seqs)),
            str(e.day) if e.day is not None else DASH,
            e.start.isoformat() if e.start else DASH,
            e.end.isoformat() if e.end else DASH,
            str(e.grade) if e.grade is not None else "not recorded",
            _yes(e.serious),
            _yes(e.related),
            e.outcome or DASH,
        )
        for e in results.events
    ]
    return Table(
        "ae-listing",
        f"Every adverse event (CTCAE {results.data.study.safety.ctcae})",
        tuple(
            (name, "l")
            for name in (
                "Participant",
                "Event",
                "Study day",
                "Start",
                "End",
                "Grade",
                "Serious",
                "Related",
                "Outcome",
            )
        ),
        tuple(rows),
    )


def _yes(value: bool | None) -> str:
    return "not recorded" if value is None else "yes" if value else "no"


def stopping_table(results: Results) -> Table:
    """Every stopping rule, where it stands."""
    rows = [
        row(
            s.rule.id,
            f"{s.rule.event}: posterior P(rate > {percent(s.rule.limit, 0)}) > {number(s.rule.probability, 2)}, "
            f"prior Beta({s.rule.prior[0]:g}, {s.rule.prior[1]:g})",
            Cell(
                f"{s.count} of {s.of}" + (f" ({s.unknown} not known)" if s.unknown else ""), SAFETY
            ),
            Cell(number(s.probability, 3), SAFETY),
            Cell("stop" if s.stop else "go on", "", "bad" if s.stop else "good"),
        )
        for s in results.stopping
    ]
    return Table(
        "stopping",
        "Stopping rules",
        (
            ("Rule", "l"),
            ("Stop when", "l"),
            ("Participants", "r"),
            ("Probability now", "r"),
            ("State", "l"),
        ),
        tuple(rows),
    )


def deviations_table(deviations: Sequence[Deviation]) -> Table:
    """Deviations reported on forms and those found by the study file's rules."""
    rows = [
        row(
            d.subject,
            Cell(d.what, _first(d.seqs)),
            d.day.isoformat() if d.day else DASH,
            _yes(d.important) if d.source == "reported" else DASH,
            d.source,
        )
        for d in deviations
    ]
    return Table(
        "deviations",
        "Protocol deviations",
        (
            ("Participant", "l"),
            ("Deviation", "l"),
            ("Date", "l"),
            ("Important", "l"),
            ("Found by", "l"),
        ),
        tuple(rows),
    )


def problems_table(problems: Sequence[Problem]) -> Table:
    """What is still open in the records."""
    rows = [row(p.where, p.message, p.id) for p in problems]
    return Table(
        "problems",
        "Open problems of the records",
        (("Where", "l"), ("What", "l"), ("Check", "l")),
        tuple(rows),
    )


def chance_table(results: Results) -> Table:
    """How often such a trial is 'significant' when the cells do nothing."""
    found = [c for chances in results.chances.values() for c in chances]
    rows = [
        row(
            results.study.measure(c.measure).label,
            c.text,
            f"{number(c.change, 1)} ± {number(c.sd, 1)}",
            Cell(str(c.n), CHANCE),
            Cell(percent(c.t, 0), CHANCE),
            Cell(percent(c.signed_rank, 0), CHANCE),
            c.citation,
        )
        for c in found
    ]
    error = max((c.error for c in found), default=0.0)
    trials = max((c.trials for c in found), default=0)
    return Table(
        "chance",
        "How often such a trial gives P < 0.05 when the cells do nothing",
        (
            ("Endpoint", "l"),
            ("Patients without the cells", "l"),
            ("Change, mean ± SD", "r"),
            ("Patients a trial", "r"),
            ("Paired t", "r"),
            ("Exact signed rank", "r"),
            ("Source of the change", "l"),
        ),
        tuple(rows),
        (
            f"Simulated: {trials:,} trials a row, normal changes (log-normal values on a log scale); Monte Carlo "
            f"standard error at most {number(100 * error, 1)} percentage points.",
        ),
    )


# -- where numbers come from ----------------------------------------------------------------------


def source_table(outcome: Outcome) -> Table:
    """The dataset rows behind one outcome, each with the ledger entries it rests on."""
    decimals = max(outcome.measure.decimals, 1) if outcome.measure else 1
    unit = f", {unit_text(outcome.unit)}" if outcome.unit else ""
    rows = [
        row(
            p.subject,
            p.before_on.isoformat() if p.before_on else DASH,
            plain(p.before, decimals),
            Cell("", links=entry_links(p.before_seqs)),
            p.after_on.isoformat() if p.after_on else DASH,
            plain(p.after, decimals),
            Cell("", links=entry_links(p.after_seqs)),
            plain(p.change, decimals),
        )
        for p in outcome.pairs
    ]
    return Table(
        f"rows-{outcome.id}",
        "",
        (
            ("Participant", "l"),
            ("Before on", "l"),
            (f"BASE{unit}", "r"),
            ("Entries", "l"),
            ("After on", "l"),
            (f"AVAL{unit}", "r"),
            ("Entries", "l"),
            ("CHG", "r"),
        ),
        tuple(rows),
    )


def plain(value: float | None, decimals: int) -> str:
    """Enough decimals to show the value itself."""
    if value is None:
        return DASH
    text = f"{value:.6f}".rstrip("0")
    shown = max(decimals, len(text.partition(".")[2]))
    return number(value, min(shown, 4))
