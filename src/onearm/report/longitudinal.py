"""The longitudinal model in the report: profile of the means, changes beside complete pairs, covariance, dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import inf, log10

from onearm.analysis import AtVisit, Change, Line, Longitudinal, Outcome, Results
from onearm.report.figures import BETTER, INK, SOFT
from onearm.report.numbers import DASH, MINUS, number, p_value, unit_text
from onearm.report.tables import Cell, Columns, Row, Table, Tone, entry_links, plain, row
from onearm.report.untreated import GRID, MOST_PANELS, value_scale
from onearm.report.weighing import line_text
from onearm.study.phrases import COVARIANCES, DEGREES_OF_FREEDOM

#: A patient's own course behind the means.
THIN = "#c9d1db"
#: Labels nearer than this, in units of the drawing, stand in rows below each other.
NEAR = 58.0


@dataclass(frozen=True)
class Profile:
    """The section of one longitudinal model: figure and caption (empty without a fit), tables."""

    title: str
    role: str
    figure: str
    caption: str
    tables: tuple[Table, ...]


def profiles(results: Results) -> list[Profile]:
    """The section of every longitudinal model of the study file."""
    found = []
    for analysis in results.study.analyses:
        outcomes = results.of(analysis.id)
        model = outcomes[0].longitudinal
        if model is None:
            continue
        drawn = any(v.change for v in model.visits)
        tables = [
            change_table(outcomes),
            pairs_table(outcomes),
            missing_table(outcomes[0]),
            covariance_table(outcomes[0]),
        ]
        found.append(
            Profile(
                analysis.title,
                analysis.role,
                profile(outcomes[0]) if drawn else "",
                _caption(outcomes[0]) if drawn else "",
                tuple(t for t in tables if t is not None),
            )
        )
    return found


# -- the figure -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Axes:
    """The rectangle of the figure, with its scales: study days across, values (or their log10) down."""

    first: float
    last: float
    low: float
    up: float
    logs: bool

    left, top, wide, high = 58.0, 34.0, 690.0, 250.0

    def across(self, day: float) -> float:
        pad = 0.05 * ((self.last - self.first) or 1.0)
        return self.left + self.wide * (day - self.first + pad) / (self.last - self.first + 2 * pad)

    def down(self, value: float) -> float:
        """Where a value stands; what lies beyond the scale stands at its end."""
        place = log10(value) if self.logs and value > 0 else -inf if self.logs else value
        inside = min(max(place, self.low), self.up)
        return self.top + self.high * (self.up - inside) / (self.up - self.low)


def profile(outcome: Outcome) -> str:
    """Means with intervals over study days, patients' own courses behind them; an SVG element."""
    model = outcome.longitudinal
    assert model is not None
    points, courses = _points(model), _courses(outcome)
    values = [x.estimate for _, x in points] + [v for course in courses for _, v in course]
    ends = [v for _, x in points for v in (x.lower, x.upper) if v is not None]
    low, up, steps = value_scale(
        [*values, *_near(ends, values, model.ratio)], log=model.ratio, spaces=6
    )
    days = [v.day for v, _ in points] + [d for course in courses for d, _ in course]
    axes = _Axes(min(days), max(days), low, up, model.ratio)
    parts = [_frame(outcome, axes, points, steps)]
    for course in courses:
        line = " L".join(f"{axes.across(d):.1f} {axes.down(v):.1f}" for d, v in course)
        parts.append(f'<path d="M{line}" fill="none" stroke="{THIN}"/>')
    joined = " L".join(f"{axes.across(v.day):.1f} {axes.down(x.estimate):.1f}" for v, x in points)
    parts.append(f'<path d="M{joined}" fill="none" stroke="{BETTER}" stroke-width="1.6"/>')
    parts += [_point(axes, v, x, strong=v.id == outcome.analysis.at) for v, x in points]
    labels, height = _labels(axes, [v for v, _ in points])
    return (
        f'<svg role="img" aria-label="{escape(_in_words(outcome), quote=True)}" '
        f'viewBox="0 0 780 {height:.0f}" width="100%" style="max-width:780px" '
        'xmlns="http://www.w3.org/2000/svg" font-family="IBM Plex Sans, sans-serif" font-size="12">'
        f"{''.join(parts)}{labels}</svg>"
    )


def _near(ends: Sequence[float], values: Sequence[float], logs: bool) -> list[float]:
    """Ends of intervals, drawn in to once the span of means and patients beyond these: the rest would be all axis."""
    place = log10 if logs else float
    low, up = (place(f(v for v in values if v > 0 or not logs)) for f in (min, max))
    span = (up - low) or 1.0
    held = [min(max(place(e) if e > 0 or not logs else -inf, low - span), up + span) for e in ends]
    return [10.0**h for h in held] if logs else held


def _points(model: Longitudinal) -> list[tuple[AtVisit, Line]]:
    """The means of the visits; where changes are modelled, these, from nothing at the baseline."""
    nothing = Line(1.0 if model.ratio else 0.0)
    found = []
    for v in model.visits:
        line = v.mean or (v.change.line if v.change else nothing if v.baseline else None)
        if line is not None:
            found.append((v, line))
    return found


def _courses(outcome: Outcome) -> list[list[tuple[int, float]]]:
    """Each patient's course, on the day of each measurement, as what is modelled; none where there are too many."""
    model = outcome.longitudinal
    assert model is not None
    base = {r.subject: r.value for r in model.readings if not r.visit}
    found: dict[str, list[tuple[int, float]]] = {}
    for r in model.readings:
        if r.value is None or r.day is None:
            continue
        value, before = r.value, base.get(r.subject)
        if outcome.analysis.dependent == "CHG":
            if before is None:
                continue
            value = value / before if model.ratio else value - before
        found.setdefault(r.subject, []).append((r.day, value))
    return [sorted(c) for c in found.values()] if len(found) <= MOST_PANELS else []


def _frame(
    outcome: Outcome, axes: _Axes, points: Sequence[tuple[AtVisit, Line]], steps: Sequence[float]
) -> str:
    """The lines of the scale, its name, the baseline's height and the day of infusion."""
    left, right = axes.left, axes.left + axes.wide
    parts = [
        f'<path d="M{left} {axes.down(s):.1f}H{right}" stroke="{GRID}"/>'
        f'<text x="{left - 8}" y="{axes.down(s) + 4:.1f}" text-anchor="end" fill="{INK}">'
        f"{f'{s:g}'.replace('-', MINUS)}</text>"
        for s in steps
    ]
    zero = axes.down(next(x.estimate for v, x in points if v.baseline))
    parts.append(f'<path d="M{left} {zero:.1f}H{right}" stroke="{SOFT}" stroke-dasharray="4 3"/>')
    name, better = _scale_name(outcome), outcome.measure.better if outcome.measure else None
    side = {"lower": "\u2193 lower is better", "higher": "\u2191 higher is better"}.get(
        better or "", ""
    )
    parts.append(
        f'<text x="0" y="16" fill="{INK}" font-weight="600">{escape(name)}</text>'
        f'<text x="{right}" y="16" text-anchor="end" fill="{INK}">{side}</text>'
    )
    if axes.first < 1 < axes.last:
        at = axes.across(1)
        parts.append(
            f'<path d="M{at:.1f} {axes.top - 8}V{axes.top + axes.high}" stroke="{INK}" '
            f'stroke-dasharray="2 2"/><text x="{at + 4:.1f}" y="{axes.top}" fill="{SOFT}">infusion</text>'
        )
    return "".join(parts)


def _point(axes: _Axes, visit: AtVisit, line: Line, *, strong: bool) -> str:
    """One mean with its interval; the visit of the result is larger and has its number beside it."""
    x, y = axes.across(visit.day), axes.down(line.estimate)
    parts = []
    if line.lower is not None and line.upper is not None:
        a, b = axes.down(line.upper), axes.down(line.lower)
        parts.append(
            f'<path d="M{x:.1f} {a:.1f}V{b:.1f}M{x - 5:.1f} {a:.1f}h10M{x - 5:.1f} {b:.1f}h10" '
            f'stroke="{INK}" stroke-width="{2 if strong else 1.4}" fill="none"/>'
        )
    size = 7.5 if strong else 5.5
    parts.append(
        f'<path d="M{x:.1f} {y - size:.1f}l{size} {size}l-{size} {size}l-{size} -{size}Z" '
        f'fill="{BETTER}" stroke="#fff"/>'
    )
    return "".join(parts)


def _labels(axes: _Axes, visits: Sequence[AtVisit]) -> tuple[str, float]:
    """Visit, study day and patients below the axis, in a further row where they would meet; and the height."""
    ends: list[float] = []  # where the last label of each row stands
    parts = []
    for v in visits:
        x = axes.across(v.day)
        place = next((i for i, end in enumerate(ends) if x - end >= NEAR), len(ends))
        ends[place:] = [x] if place == len(ends) else [x, *ends[place + 1 :]]
        y = axes.top + axes.high + 20 + 48 * place
        parts.append(
            f'<path d="M{x:.1f} {axes.top + axes.high}V{y - 11:.1f}" stroke="{SOFT}"/>'
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{INK}" font-weight="600">'
            f"{escape(v.id or 'baseline')}</text>"
            f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle" fill="{SOFT}">day '
            f"{number(v.day, 0)}</text>"
            f'<text x="{x:.1f}" y="{y + 28:.1f}" text-anchor="middle" fill="{INK}">n = {v.n}</text>'
        )
    return "".join(parts), axes.top + axes.high + 8 + 48 * max(len(ends), 1)


def _scale_name(outcome: Outcome) -> str:
    """``SLEDAI-2K total, points``: what the scale of the figure shows."""
    model, measure = outcome.longitudinal, outcome.measure
    assert model is not None and measure is not None
    unit = f", {unit_text(outcome.unit)}" if outcome.unit else ""
    if outcome.analysis.dependent == "CHG":
        return f"{measure.label}: {'ratio to baseline (log scale)' if model.ratio else f'change from baseline{unit}'}"
    return f"{measure.label}{unit}{' (geometric means, log scale)' if model.ratio else ''}"


def _in_words(outcome: Outcome) -> str:
    """The figure in words, for those who cannot see it."""
    model = outcome.longitudinal
    assert model is not None
    d = decimals(outcome)
    told = [
        f"{v.id or 'baseline'} (day {number(v.day, 0)}, {v.n} patients) {line_text(x, d)}"
        for v, x in _points(model)
    ]
    return f"{_scale_name(outcome)}, mean and interval by visit: {'; '.join(told)}."


def _caption(outcome: Outcome) -> str:
    model, a = outcome.longitudinal, outcome.analysis
    assert model is not None
    what = "mean change" if a.dependent == "CHG" else "mean"
    what = f"geometric {what}" if model.ratio and a.dependent == "AVAL" else what
    courses = " Thin lines: the patients." if _courses(outcome) else ""
    before = outcome.baseline.label
    before = "" if before.casefold() == "baseline" else f" ({before})"
    return (
        f"{_scale_name(outcome)}. Diamonds: {what} of {model.patients} patients by the longitudinal model, with "
        f"{100 * a.conf_level:g} % intervals; the large one, {a.at}, is the visit of the result. Broken line: the "
        f"height of the baseline{before}. n: patients with a value.{courses}"
    )


def decimals(outcome: Outcome) -> int:
    """Decimals of means and changes: the measure's, at least two for ratios and geometric means."""
    assert outcome.measure is not None and outcome.longitudinal is not None
    return (
        max(outcome.measure.decimals, 2) if outcome.longitudinal.ratio else outcome.measure.decimals
    )


# -- the tables -----------------------------------------------------------------------------------


def change_table(outcomes: Sequence[Outcome]) -> Table:
    """Mean and change at every visit by the model, under every baseline rule; no means where changes are modelled."""
    first = outcomes[0]
    model, level = first.longitudinal, f"{100 * first.analysis.conf_level:g} % interval"
    assert model is not None
    other = "expected" if first.analysis.information == "observed" else "observed"
    means: Columns = ((f"{'Geometric mean' if model.ratio else 'Mean'} ({level})", "r"),)
    columns: Columns = (
        ("Visit", "l"),
        ("Patients", "r"),
        *(means if first.analysis.dependent == "AVAL" else ()),
        (f"{_change_name(first)} ({level})", "r"),
        ("SE (logarithms)" if model.ratio else "SE", "r"),
        (f"df (by the {other} information)", "r"),
        ("t", "r"),
        ("P", "r"),
    )
    return Table(
        f"longitudinal-{first.analysis.id}",
        f"{first.analysis.title}: {_measured(first)}, by the longitudinal model",
        columns,
        tuple(_under_each(outcomes, _model_row, len(columns))),
        _notes(outcomes),
    )


def pairs_table(outcomes: Sequence[Outcome]) -> Table:
    """The change at every visit by the model, and beside it that of the complete pairs with its tests."""
    first = outcomes[0]
    level = f"{100 * first.analysis.conf_level:g} % interval"
    change = _change_name(first)
    return Table(
        f"pairs-{first.analysis.id}",
        "Beside the model: complete pairs alone",
        (
            ("Visit", "l"),
            (f"Model: {change[:1].lower()}{change[1:]} ({level})", "r"),
            ("P", "r"),
            ("Pairs", "r"),
            (f"{change} ({level}, t)", "r"),
            ("P, paired t", "r"),
            ("P, exact signed rank", "r"),
        ),
        tuple(_under_each(outcomes, _pairs_row, 7)),
    )


def _under_each(
    outcomes: Sequence[Outcome], line: Callable[[Outcome, AtVisit], Row | None], width: int
) -> Iterator[Row]:
    """The lines of every visit, under each baseline rule where there are several."""
    for o in outcomes:
        assert o.longitudinal is not None
        if len(outcomes) > 1:
            words = f"Baseline: {o.baseline.label}{' (primary)' if o.primary_baseline else ''}"
            yield row(words, *[""] * (width - 1), head=True)
        yield from (r for v in o.longitudinal.visits if (r := line(o, v)))


def _measured(outcome: Outcome) -> str:
    assert outcome.measure is not None
    return outcome.measure.label + (f", {unit_text(outcome.unit)}" if outcome.unit else "")


def _change_name(outcome: Outcome) -> str:
    assert outcome.longitudinal is not None
    return "Ratio to baseline" if outcome.longitudinal.ratio else "Change from baseline"


def _visit_name(outcome: Outcome, visit: AtVisit) -> Cell:
    """The visit with its id; the visit of the result stands out."""
    strong: Tone = "strong" if _is_result(outcome, visit) else ""
    named = f"{visit.label} ({visit.id})" if visit.id else visit.label
    return Cell(f"{named}, baseline" if visit.baseline and visit.id else named, "", strong)


def _is_result(outcome: Outcome, visit: AtVisit) -> bool:
    return outcome.primary_baseline and visit.id == outcome.analysis.at


def _model_row(outcome: Outcome, visit: AtVisit) -> Row:
    model, c = outcome.longitudinal, visit.change
    assert model is not None
    d = decimals(outcome)
    told = [str(visit.n)]
    told += [line_text(visit.mean, d)] if outcome.analysis.dependent == "AVAL" else []
    told += [
        line_text(c.line if c else None, d),
        number(c.se if c else None, d + 1),
        f"{number(c.df, 1)} ({number(_other_df(outcome, c), 1)})" if c else DASH,
        number(c.statistic if c else None, 2),
        p_value(c.pvalue if c else None),
    ]
    return row(_visit_name(outcome, visit), *_linked(outcome, visit, told))


def _pairs_row(outcome: Outcome, visit: AtVisit) -> Row | None:
    model, c, p = outcome.longitudinal, visit.change, visit.pairs
    assert model is not None
    if p is None:
        return None
    d, t = decimals(outcome), p.ratio if model.ratio else p.t
    told = [
        line_text(c.line if c else None, d),
        p_value(c.pvalue if c else None),
        str(p.n),
        line_text(Line(t.estimate, t.lower, t.upper) if t else None, d),
        p_value(t.pvalue if t else None),
        p_value(p.pratt.pvalue if p.pratt else None),
    ]
    return row(_visit_name(outcome, visit), *_linked(outcome, visit, told))


def _linked(outcome: Outcome, visit: AtVisit, texts: Sequence[str]) -> list[Cell]:
    tone: Tone = "strong" if _is_result(outcome, visit) else ""
    return [Cell(x, f"#from-{outcome.id}" if x != DASH else "", tone) for x in texts]


def _other_df(outcome: Outcome, change: Change) -> float | None:
    """The degrees of freedom by the information that was not used."""
    expected = outcome.analysis.information == "observed"
    return change.df_expected if expected else change.df_observed


def _notes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """How it was fitted, what was left out, and why there is no fit."""
    notes = []
    for o in outcomes:
        model, a = o.longitudinal, o.analysis
        assert model is not None
        under = f"Baseline {o.baseline.label}: " if len(outcomes) > 1 else ""
        if model.why:
            notes.append(f"{under}The model could not be fitted: {model.why.rstrip('.')}.")
        else:
            notes.append(
                f"{under}{model.values} values of {model.patients} patients, restricted maximum likelihood, covariance "
                f"{COVARIANCES[model.covariance]} ({model.covariance}); degrees of freedom "
                f"{DEGREES_OF_FREEDOM[a.df]}, {a.information} information."
            )
        notes += [
            f"{under}Not {COVARIANCES[t.covariance]}, tried before: {_sentence(t.reason)}"
            for t in model.tried
            if not t.fitted
        ]
        if model.absent and not model.why:
            notes.append(
                f"{under}Infused, but without a value in the model: {', '.join(model.absent)}."
            )
        if model.left_out:
            n = model.left_out
            notes.append(
                f"{under}{n} measurement{'s' if n > 1 else ''} not in the model: at no visit of it, beside the one "
                "that stands for a visit, or known only by bounds."
            )
        notes += [f"{under}{_sentence(note)}" for note in model.notes]
    if outcomes[0].analysis.covariates:
        notes.append(
            f"Covariates: {', '.join(outcomes[0].analysis.covariates)}; means are those of the average patient."
        )
    return tuple(dict.fromkeys(notes))


def _sentence(words: str) -> str:
    """Words of the fit as a sentence."""
    return f"{words[:1].upper()}{words[1:]}".rstrip(".") + "."


def covariance_table(outcome: Outcome) -> Table | None:
    """The fitted covariance as standard deviations and correlations between visits; None without a fit."""
    model = outcome.longitudinal
    assert model is not None
    if not model.sds:
        return None
    ids, href = [v.id or "baseline" for v in model.modelled], f"#from-{outcome.id}"
    d = decimals(outcome)
    rows = [
        row(
            name,
            Cell(number(sd, d + 1), href),
            *(Cell(number(r, 2), href) if j < i else "" for j, r in enumerate(correlations)),
        )
        for i, (name, sd, correlations) in enumerate(
            zip(ids, model.sds, model.correlations, strict=True)
        )
    ]
    what = "changes" if outcome.analysis.dependent == "CHG" else "values"
    return Table(
        f"covariance-{outcome.analysis.id}",
        f"Covariance of a patient's {what}, {COVARIANCES[model.covariance]}: standard deviations"
        f"{' of logarithms' if model.ratio else ''} and correlations",
        (("Visit", "l"), ("SD", "r"), *((f"with {name}", "r") for name in ids[:-1])),
        tuple(Row(r.cells[:-1]) for r in rows),
    )


def missing_table(outcome: Outcome) -> Table | None:
    """The change at the visit of the result under other assumptions on missing values; None when none is missing."""
    model, a = outcome.longitudinal, outcome.analysis
    assert model is not None and outcome.measure is not None
    if not model.missing:
        return None
    href, d = f"#from-{outcome.id}", decimals(outcome)
    at = model.at(a.at)
    rows = (
        [_assumed_row("by the model", at.change.line, at.change.pvalue, _AT_RANDOM, href, d)]
        if at and at.change
        else []
    )
    rows += [
        _assumed_row(
            m.label,
            Line(m.estimate, m.lower, m.upper) if m.estimate is not None else None,
            m.pvalue,
            m.assumption,
            href,
            d,
        )
        for m in model.missing
    ]
    return Table(
        f"dropout-{a.id}",
        f"{outcome.measure.label} at {a.at}: other assumptions on missing values",
        (
            ("Missing values", "l"),
            (f"{_change_name(outcome)} ({100 * a.conf_level:g} % interval)", "r"),
            ("P", "r"),
            ("Assumes", "l"),
        ),
        tuple(rows),
        model.missing_notes,
    )


_AT_RANDOM = "Missing values are as those of patients with the same values at the other visits."


def _assumed_row(
    label: str, line: Line | None, p: float | None, assumption: str, href: str, d: int
) -> Row:
    return row(label, Cell(line_text(line, d), href), Cell(p_value(p), href), assumption)


def source_table(outcome: Outcome) -> Table:
    """The dataset rows behind the model, each with the ledger entries it rests on."""
    model, measure = outcome.longitudinal, outcome.measure
    assert model is not None and measure is not None
    rows = [
        row(
            r.subject,
            r.visit
            or f"baseline{f' ({outcome.baseline.visit})' if outcome.baseline.visit else ''}",
            r.on.isoformat() if r.on else DASH,
            number(r.day, 0),
            plain(r.value, max(measure.decimals, 1)),
            Cell("", links=entry_links(r.seqs)),
        )
        for r in model.readings
    ]
    unit = f", {unit_text(outcome.unit)}" if outcome.unit else ""
    columns: Columns = (
        ("Participant", "l"),
        ("AVISIT", "l"),
        ("Date (ADT)", "l"),
        ("Study day (ADY)", "r"),
        (f"AVAL{unit}", "r"),
        ("Entries", "l"),
    )
    return Table(f"rows-{outcome.id}", "", columns, tuple(rows))
