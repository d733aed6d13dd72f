"""Figures as SVG in one house style: readable in print and in colour blindness, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onearm.report.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONTS = Path(__file__).parent / "fonts"
# Okabe and Ito's palette, told apart in the common forms of colour blindness; lines differ in dash too.
BETTER, WORSE, SAME, INK, SOFT = "#0b62a8", "#c45a00", "#8a94a3", "#1b1f27", "#5b6675"


@dataclass(frozen=True)
class Line:
    """One participant's values over time; ``verdict`` is ``better``, ``worse``, ``same`` or ``missing``."""

    subject: str
    days: tuple[int, ...]
    values: tuple[float, ...]
    before: float | None
    after: float | None
    verdict: str


@dataclass(frozen=True)
class Trajectories:
    """What the figure of paired trajectories of one endpoint shows."""

    label: str
    unit: str
    before: str
    after: str
    lines: tuple[Line, ...]
    log: bool
    ticks: tuple[tuple[int, str], ...]
    mean: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    decimals: int = 1


_STYLE: Any = {
    "font.family": ["IBM Plex Sans"],
    "font.size": 9.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": 600,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e6e9ee",
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "svg.hashsalt": "onearm",
}


@cache
def _fonts() -> None:
    from matplotlib import font_manager

    for path in sorted(FONTS.glob("*.ttf")):
        font_manager.fontManager.addfont(path)


def load_library() -> None:
    """Import what drawing needs, and the fonts."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401

    _fonts()


def paired_trajectories(data: Trajectories, prefix: str) -> str:
    """Paired change on the left, all visits over study days on the right; an SVG element as text."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    _fonts()
    with rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 3.7))
        # Fixed margins: a layout engine draws every figure twice.
        left, right = figure.subplots(
            1,
            2,
            width_ratios=[1, 1.9],
            sharey=True,
            gridspec_kw={
                "left": 0.075,
                "right": 0.995,
                "top": 0.92,
                "bottom": 0.19,
                "wspace": 0.05,
            },
        )
        _paired(left, data)
        _over_time(right, data)
        _scale(left, data)
        unit = f", {data.unit}" if data.unit else ""
        left.set_ylabel(f"{data.label}{unit}{' (log scale)' if data.log else ''}")
        return svg_of(figure, prefix, alternative(data))


def paired_plot(
    before: Sequence[float | None],
    after: Sequence[float | None],
    before_label: str,
    after_label: str,
    unit: str,
) -> str:
    """Paired values of any table as an SVG file's text: one line a pair, falling and rising told apart."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    _fonts()
    lines = tuple(
        Line(str(i + 1), (), (b, a), b, a, "same" if a == b else "better" if a < b else "worse")
        for i, (b, a) in enumerate(zip(before, after, strict=True))
        if b is not None and a is not None
    )
    label = "Value"
    data = Trajectories(label, unit, before_label, after_label, lines, False, (), None)
    with rc_context(_STYLE):
        figure = Figure(figsize=(4.2, 3.9), layout="constrained")
        axes = figure.subplots()
        _paired(axes, data)
        _scale(axes, data)
        axes.set_ylabel(f"{label}, {unit}" if unit else label)
        axes.set_xlabel("solid: lower after, dashed: higher, dotted: unchanged", fontsize=8)
        return svg_of(figure, "paired", f"{before_label} to {after_label}, {len(lines)} pairs")


def alternative(data: Trajectories) -> str:
    """The figure in words, for those who cannot see it."""
    verdicts = [line.verdict for line in data.lines]
    return (
        f"{data.label}, one line per participant from {data.before} to {data.after}: "
        f"{verdicts.count('better')} better, {verdicts.count('worse')} worse, "
        f"{verdicts.count('same')} unchanged"
        + (f", {verdicts.count('missing')} not known." if "missing" in verdicts else ".")
    )


def _colour(line: Line) -> tuple[str, Any]:
    return {
        "better": (BETTER, "-"),
        "worse": (WORSE, (0, (5, 2))),
        "same": (SAME, (0, (1.5, 1.5))),
        "missing": (SAME, "-"),
    }[line.verdict]


def _draw(axes: Axes, x: Sequence[float], y: Sequence[float], line: Line) -> None:
    """One participant's line with its points."""
    colour, dash = _colour(line)
    axes.plot(
        x,
        y,
        color=colour,
        linestyle=dash,
        linewidth=0.7 if line.verdict == "missing" else 1.3,
        marker="o",
        markersize=4.2,
        markeredgecolor="white",
        markeredgewidth=0.5,
    )


def _paired(axes: Axes, data: Trajectories) -> None:
    for line in data.lines:
        if line.before is None or line.after is None:
            continue
        _draw(axes, [0, 1], [line.before, line.after], line)
    if data.mean:
        for x, (mean, low, high), side in (
            (-0.22, data.mean[0], "right"),
            (1.22, data.mean[1], "left"),
        ):
            axes.plot([x, x], [low, high], color=INK, linewidth=1.6, solid_capstyle="butt")
            axes.plot([x], [mean], "D", color=INK, markersize=5.5)
            gap = -0.09 if side == "right" else 0.09
            axes.text(
                x + gap,
                mean,
                number(mean, data.decimals),
                ha=side,
                va="center",
                fontweight=600,
                fontsize=9,
            )
    axes.set_xlim(-0.62, 1.62)
    axes.set_xticks([0, 1], [data.before, data.after])
    complete = sum(line.before is not None and line.after is not None for line in data.lines)
    axes.set_title(f"Paired change, n = {complete}")
    axes.tick_params(axis="x", length=0)


def _over_time(axes: Axes, data: Trajectories) -> None:
    for line in data.lines:
        _draw(axes, line.days, line.values, line)
    if any(line.days for line in data.lines):
        last = max(d for line in data.lines for d in line.days)
        first = min(d for line in data.lines for d in line.days)
        _label_ends(axes, data, last + 0.02 * (last - first + 1))
        axes.set_xlim(first - 0.04 * (last - first + 1), last + 0.12 * (last - first + 1))
        if first < 1 <= last:
            axes.axvline(1, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0.5)
    axes.set_xticks([day for day, _ in data.ticks], [name for _, name in data.ticks])
    axes.set_xlabel("Study day (dotted line: infusion)")
    axes.set_title("All visits, one line per participant")


def _label_ends(axes: Axes, data: Trajectories, x: float) -> None:
    """Participant numbers at the line ends, moved apart where they would cover each other."""
    from math import log10

    ends = sorted((line.values[-1], line.subject, line) for line in data.lines if line.values)
    positive = [v for line in data.lines for v in line.values if v > 0]
    log = data.log and len(positive) == sum(len(line.values) for line in data.lines)
    place = (lambda v: log10(v)) if log else (lambda v: v)
    every = [place(v) for line in data.lines for v in line.values]
    step = 0.075 * ((max(every) - min(every)) or 1.0)
    at: list[float] = []
    for value, _, _ in ends:
        at.append(max(place(value), at[-1] + step) if at else place(value))
    shift = (
        sum(a - place(v) for a, (v, _, _) in zip(at, ends, strict=True)) / (2 * len(at))
        if at
        else 0.0
    )
    for where, (_, subject, line) in zip(at, ends, strict=True):
        y = where - shift
        axes.text(
            x, 10**y if log else y, subject, va="center", fontsize=7.5, color=_colour(line)[0]
        )


def _scale(axes: Axes, data: Trajectories) -> None:
    values = [
        v for line in data.lines for v in (*line.values, line.before, line.after) if v is not None
    ]
    if not values:
        return
    if data.log and min(values) > 0:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        axes.set_yscale("log")
        low, high = min(values) / 1.25, max(values) * 1.25
        steps = [m * 10.0**e for e in range(-6, 9) for m in (1, 2, 5)]
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(FixedLocator([s for s in steps if low <= s <= high]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    else:
        pad = 0.07 * ((max(values) - min(values)) or 1.0)
        low = 0.0 if 0 <= min(values) < 0.4 * max(values) else min(values)
        axes.set_ylim(low - pad, max(values) + pad)


def svg_of(figure: Figure, prefix: str, title: str) -> str:
    """A figure as one SVG element with ids that no other figure of the page has."""
    from warnings import catch_warnings, filterwarnings

    out = StringIO()
    with catch_warnings():
        # The text stays text: the browser draws letters that this font lacks (Persian names) in another.
        filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'xlink:href="#{prefix}-', svg)
    size = re.search(r'width="[\d.]+pt" height="[\d.]+pt"', svg)
    if size:
        svg = svg.replace(size[0], 'width="100%"', 1)
    label = escape(title, quote=True)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


# -- participant flow -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """One box of the flow: a count with its words, and what left the trial before the next box."""

    label: str
    n: int
    left_label: str = ""
    left: tuple[tuple[str, int], ...] = ()


def flow(boxes: Sequence[Box]) -> str:
    """Participant flow as an SVG element: main path on the left, leavers on the right."""
    width, x, box_w, side_x, side_w = 800, 10, 330, 400, 390
    y, parts = 6.0, []
    for index, box in enumerate(boxes):
        main = _box(x, y, box_w, 40, [(f"{box.label}, n = {box.n}", True)], "#eaf2fa")
        parts.append(f'<a href="#from-flow">{main}</a>')
        centre = x + box_w / 2
        if index == len(boxes) - 1:
            y += 46
            break
        leavers = sum(n for _, n in box.left)
        height = 32 + 17 * len([1 for _, n in box.left if n]) if box.left_label else 0
        gap = max(height + 20, 30)
        parts.append(_arrow(centre, y + 40, centre, y + 40 + gap))
        if box.left_label:
            middle = y + 40 + gap / 2
            parts.append(_arrow(centre, middle, side_x, middle))
            lines = [(f"{box.left_label}, n = {leavers}", True)]
            lines += [(f"{words}, {n}", False) for words, n in box.left if n]
            side = _box(side_x, middle - height / 2, side_w, height, lines, "#ffffff")
            parts.append(f'<a href="#from-flow">{side}</a>')
        y += 40 + gap
    title = "; ".join(f"{b.label}: {b.n}" for b in boxes)
    return (
        f'<svg role="img" aria-label="Participant flow. {escape(title, quote=True)}" '
        f'viewBox="0 0 {width} {y:.0f}" width="100%" style="max-width:{width}px" '
        'xmlns="http://www.w3.org/2000/svg" font-family="IBM Plex Sans, sans-serif" font-size="14">'
        f'<g fill="none" stroke="{SOFT}" stroke-width="1.3">{"".join(parts)}</g></svg>'
    )


def _box(x: float, y: float, w: float, h: float, lines: list[tuple[str, bool]], fill: str) -> str:
    text = []
    top = y + h / 2 - (len(lines) - 1) * 8.5
    for index, (words, strong) in enumerate(lines):
        weight = ' font-weight="600"' if strong else ' font-size="12.5"'
        text.append(
            f'<text x="{x + 14}" y="{top + 17 * index + 5:.1f}"{weight} fill="{INK}" stroke="none">'
            f"{escape(words)}</text>"
        )
    rect = f'<rect x="{x}" y="{y:.1f}" width="{w}" height="{h}" rx="5" fill="{fill}"/>'
    return rect + "".join(text)


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    down = x1 == x2
    head = (
        f"M{x2 - 4.5} {y2 - 8:.1f} L{x2} {y2:.1f} L{x2 + 4.5} {y2 - 8:.1f} Z"
        if down
        else f"M{x2 - 8} {y2 - 4.5:.1f} L{x2} {y2:.1f} L{x2 - 8} {y2 + 4.5:.1f} Z"
    )
    end = f"{x2} {y2 - 7:.1f}" if down else f"{x2 - 7} {y2:.1f}"
    return f'<path d="M{x1} {y1:.1f} L{end}"/><path d="{head}" fill="{SOFT}" stroke="none"/>'
