"""Figures of what would have happened untreated: a band for each patient, and what is left for the cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from onearm.report.figures import BETTER, INK, SOFT, WORSE
from onearm.report.numbers import DASH, interval, number

#: More panels than this are a wall; the report then names those outside their band in words.
MOST_PANELS = 60
SHADE, GRID = "#dbe6f1", "#e6e9ee"


@dataclass(frozen=True)
class Panel:
    """One patient: values by study day, the value before, and where the value after would be untreated."""

    subject: str
    days: tuple[int, ...]
    values: tuple[float, ...]
    before: float
    before_day: int
    after: float | None
    after_day: int
    expected: float
    lower: float
    upper: float

    @property
    def place(self) -> str:
        """Where the value after lies: ``below``, ``inside`` or ``above`` the band; ``missing``."""
        if self.after is None:
            return "missing"
        if self.after < self.lower:
            return "below"
        return "above" if self.after > self.upper else "inside"


@dataclass(frozen=True)
class Panels:
    """The patients of one endpoint; ``better`` is the direction of improvement."""

    label: str
    unit: str
    log: bool
    better: str
    decimals: int
    panels: tuple[Panel, ...]


def untreated_panels(data: Panels) -> str:
    """One small panel a patient: the course measured, over the band of an untreated patient; an SVG element."""
    columns = min(5, len(data.panels))
    rows = ceil(len(data.panels) / columns)
    left, top, wide, high, gap = 46, 22, 148, 104, 14
    low, up, steps = _scale(data)
    height = rows * (high + top + gap) + 6
    width = left + columns * (wide + gap)
    parts = []
    for index, panel in enumerate(data.panels):
        x = left + (index % columns) * (wide + gap)
        y = top + (index // columns) * (high + top + gap)
        parts.append(_axes(data, x, y, wide, high, (low, up, steps), first=index % columns == 0))
        parts.append(_panel(data, panel, x, y, wide, high, low, up))
    return (
        f'<svg role="img" aria-label="{escape(panels_in_words(data), quote=True)}" '
        f'viewBox="0 0 {width} {height}" width="100%" style="max-width:{max(width, 420)}px" '
        'xmlns="http://www.w3.org/2000/svg" font-family="IBM Plex Sans, sans-serif" font-size="11">'
        f"{''.join(parts)}</svg>"
    )


def panels_in_words(data: Panels) -> str:
    """The figure in words, for those who cannot see it."""
    places = [p.place for p in data.panels]
    return (
        f"{data.label} of {len(places)} patients after treatment, against the range of untreated "
        f"patients: {places.count('below')} below it, {places.count('inside')} inside, "
        f"{places.count('above')} above, {places.count('missing')} not known."
    )


def _place(data: Panels) -> Callable[[float], float]:
    return log10 if data.log else float


def _scale(data: Panels) -> tuple[float, float, list[float]]:
    """Limits of the common scale (as drawn) and the values its lines stand at."""
    values = [
        v
        for p in data.panels
        for v in (*p.values, p.before, p.after, p.lower, p.upper)
        if v is not None
    ]
    return value_scale(values, log=data.log)


def value_scale(
    values: Sequence[float], *, log: bool, spaces: int = 4
) -> tuple[float, float, list[float]]:
    """Limits of a scale that holds these values, as drawn (log10 on a log scale), and where its lines stand.

    A linear scale has at most ``spaces`` spaces between its lines.
    """
    drawn = [log10(v) if log else v for v in values if not log or v > 0]
    low, up = min(drawn), max(drawn)
    pad = 0.06 * ((up - low) or 1.0)
    low, up = low - pad, up + pad
    if log:
        steps = [m * 10.0**e for e in range(-6, 9) for m in (1, 2, 5)]
        inside = [s for s in steps if low <= log10(s) <= up]
        return low, up, inside if len(inside) <= 5 else [s for s in inside if f"{s:e}"[0] == "1"]
    raw = (up - low) / spaces
    size = 10.0 ** floor(log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw)
    first = ceil(low / step)
    return low, up, [step * k for k in range(first, floor(up / step) + 1)]


def _axes(
    data: Panels,
    x: float,
    y: float,
    wide: float,
    high: float,
    scale: tuple[float, float, list[float]],
    *,
    first: bool,
) -> str:
    low, up, steps = scale
    place, parts = _place(data), []
    for step in steps:
        at = y + high * (up - place(step)) / (up - low)
        parts.append(
            f'<path d="M{x} {at:.1f}h{wide}" stroke="{GRID}" stroke-width="1" fill="none"/>'
        )
        if first:
            parts.append(
                f'<text x="{x - 6}" y="{at + 3.5:.1f}" text-anchor="end" fill="{SOFT}">{step:g}</text>'
            )
    return "".join(parts)


def _panel(
    data: Panels, p: Panel, x: float, y: float, wide: float, high: float, low: float, up: float
) -> str:
    place = _place(data)
    days = (*p.days, p.before_day, p.after_day)
    start, end = min(days), max(days)
    span = (end - start) or 1

    def at(day: float, value: float) -> str:
        down = up - place(value) if not data.log or value > 0 else up - low
        return (
            f"{x + 8 + (wide - 16) * (day - start) / span:.1f} {y + high * down / (up - low):.1f}"
        )

    begin, lower, upper = (
        at(p.before_day, p.before),
        at(p.after_day, p.lower),
        at(p.after_day, p.upper),
    )
    good = p.place == ("below" if data.better == "lower" else "above")
    colour = INK if p.place in ("inside", "missing") else BETTER if good else WORSE
    measured = " L".join(at(d, v) for d, v in zip(p.days, p.values, strict=True))
    parts = [
        f'<path d="M{begin} L{lower} L{upper} Z" fill="{SHADE}"/>',
        f'<path d="M{begin} L{at(p.after_day, p.expected)}" fill="none" stroke="{SOFT}" '
        'stroke-width="1" stroke-dasharray="3 2"/>',
    ]
    if measured:
        parts.append(f'<path d="M{measured}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    for d, v in zip(p.days, p.values, strict=True):
        cx, _, cy = at(d, v).partition(" ")
        parts.append(f'<circle cx="{cx}" cy="{cy}" r="2" fill="{colour}"/>')
    if p.after is not None:
        cx, _, cy = at(p.after_day, p.after).partition(" ")
        filled = "#fff" if p.place == "inside" else colour
        parts.append(
            f'<circle cx="{cx}" cy="{cy}" r="4" fill="{filled}" stroke="{colour}" stroke-width="1.6"/>'
        )
    words = {"below": "below", "above": "above", "inside": "inside", "missing": "not known"}
    parts.append(
        f'<text x="{x}" y="{y - 6}" fill="{INK}" font-weight="600">{escape(p.subject)}</text>'
        f'<text x="{x + wide}" y="{y - 6}" fill="{colour}" text-anchor="end">{words[p.place]}</text>'
    )
    return "".join(parts)


@dataclass(frozen=True)
class Bar:
    """One line of what is left: a label, its value and interval, and what it is."""

    label: str
    value: float | None
    lower: float | None
    upper: float | None
    total: bool


def left_over(bars: Sequence[Bar], unit: str, decimals: int, better: str | None) -> str:
    """Observed, less regression to the mean, less background, what is left: one row each; an SVG element."""
    known = [
        v
        for b in bars
        for v in (b.value, b.lower, b.upper)
        if v is not None and abs(v) != float("inf")
    ]
    low, up = min([0.0, *known]), max([0.0, *known])
    pad = 0.05 * ((up - low) or 1.0)
    low, up = low - pad, up + pad
    left, wide, row, top = 250.0, 330.0, 30.0, 8.0
    height = top + row * len(bars) + 30

    def across(value: float) -> float:
        return left + wide * (min(max(value, low), up) - low) / (up - low)

    zero = across(0.0)
    parts = [
        f'<path d="M{zero:.1f} {top}V{top + row * len(bars)}" stroke="{INK}" stroke-width="1"/>'
    ]
    for index, bar in enumerate(bars):
        parts.append(_bar(bar, top + row * index + row / 2, across, zero, left + wide, decimals))
    side, other = {"lower": ("better", "worse"), "higher": ("worse", "better")}.get(
        better or "", ("lower", "higher")
    )
    foot = top + row * len(bars) + 18
    parts.append(
        f'<text x="{zero - 8:.1f}" y="{foot}" text-anchor="end" fill="{SOFT}">← {side}</text>'
        f'<text x="{zero:.1f}" y="{foot}" text-anchor="middle" fill="{SOFT}">0</text>'
        f'<text x="{zero + 8:.1f}" y="{foot}" fill="{SOFT}">{other} →</text>'
    )
    words = "; ".join(
        f"{b.label} {number(b.value, decimals)} ({interval(b.lower, b.upper, decimals)})"
        for b in bars
    )
    return (
        f'<svg role="img" aria-label="{escape(f"{words}, {unit}", quote=True)}" viewBox="0 0 780 {height:.0f}" '
        'width="100%" style="max-width:780px" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="IBM Plex Sans, sans-serif" font-size="13">{"".join(parts)}</svg>'
    )


def _bar(
    bar: Bar,
    y: float,
    across: Callable[[float], float],
    zero: float,
    right: float,
    decimals: int,
) -> str:
    weight = ' font-weight="600"' if bar.total else ""
    label = f'<text x="0" y="{y + 4.5:.1f}" fill="{INK}"{weight}>{escape(bar.label)}</text>'
    if bar.value is None:
        text = f'<text x="{right + 14}" y="{y + 4.5:.1f}" fill="{SOFT}">{DASH}</text>'
        return label + text
    end = across(bar.value)
    fill = BETTER if bar.total else "#9fb4c9"
    x, width = min(zero, end), abs(end - zero)
    parts = [
        label,
        f'<rect x="{x:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" fill="{fill}"/>',
    ]
    if bar.lower is not None and bar.upper is not None:
        a, b = across(bar.lower), across(bar.upper)
        parts.append(
            f'<path d="M{a:.1f} {y:.1f}H{b:.1f}M{a:.1f} {y - 4:.1f}v8M{b:.1f} {y - 4:.1f}v8" '
            f'stroke="{INK}" stroke-width="1.3" fill="none"/>'
        )
    shown = number(bar.value, decimals)
    if bar.lower is not None:
        shown += f"  ({interval(bar.lower, bar.upper, decimals)})"
    parts.append(
        f'<text x="{right + 14}" y="{y + 4.5:.1f}" fill="{INK}"{weight}>{escape(shown)}</text>'
    )
    return "".join(parts)
