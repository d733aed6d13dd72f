"""Tables of what a result is worth: what is left, missing follow-up, several P values, responders anyway."""

from __future__ import annotations

from collections.abc import Sequence

from onearm.analysis import Judged, Line, Outcome, Results, Worth
from onearm.report.numbers import (
    DASH,
    THIN,
    interval,
    number,
    p_clause,
    p_value,
    percent,
    unit_text,
)
from onearm.report.tables import SIDES, Cell, Row, Table, Tone, row
from onearm.report.untreated import Bar


def weighed(results: Results) -> tuple[list[Outcome], list[Outcome]]:
    """One outcome for each measure, visit, comparator and level: its first analysis, under the primary baseline.

    First those of which something can be taken off, then those of which nothing can.
    """
    found: dict[tuple[object, ...], Outcome] = {}
    for o in results.outcomes:
        if o.primary_baseline and o.comparison and o.measure:
            comparator = o.worth.comparator if o.worth else None
            key = (o.measure.id, o.analysis.at, comparator and comparator.id, o.analysis.conf_level)
            found.setdefault(key, o)
    known = [o for o in found.values() if o.worth and o.worth.left]
    return known, [o for o in found.values() if o not in known]


def unweighed_table(outcomes: Sequence[Outcome]) -> Table | None:
    """Endpoints of which nothing can be taken off, and why; None when there are none."""
    rows = []
    for o in outcomes:
        w, m = o.worth, o.measure
        if m is None:
            continue
        href = f"#from-{o.id}"
        if w is None:
            why = "fewer than two complete pairs"
            rows.append(row(m.label, Cell(DASH, href), "not known", "not known", "not known", why))
            continue
        observed = line_text(w.observed, worth_decimals(o))
        label = f"{m.label}, {worth_unit(o)}" if worth_unit(o) else m.label
        why = "; ".join(x for x in (w.missing_course, *w.notes) if x)
        rows.append(row(label, Cell(observed, href), "not known", "not known", "not known", why))
    return (
        Table(
            "left-unknown",
            "Endpoints of which nothing can be taken off",
            (
                ("Endpoint", "l"),
                ("Observed change (interval)", "r"),
                ("less regression", "l"),
                ("less background", "l"),
                ("= left for the cells", "l"),
                ("Why", "l"),
            ),
            tuple(rows),
        )
        if rows
        else None
    )


def worth_unit(outcome: Outcome) -> str:
    """The unit of the lines: that of the measure, or percent on a log scale."""
    assert outcome.worth is not None
    if outcome.worth.percent:
        return "% of the geometric mean before"
    return unit_text(outcome.unit) if outcome.unit else ""


def line_text(line: Line | None, decimals: int) -> str:
    """``−9.4 (−16.5 to −2.3)``."""
    if line is None:
        return DASH
    if line.lower is None:
        return number(line.estimate, decimals)
    return f"{number(line.estimate, decimals)} ({interval(line.lower, line.upper, decimals)})"


def worth_decimals(outcome: Outcome) -> int:
    """Decimals of the lines: the measure's, none for percentages."""
    assert outcome.worth is not None and outcome.measure is not None
    return 0 if outcome.worth.percent else outcome.measure.decimals


def left_name(w: Worth) -> str:
    """``Left for the cells`` where both parts were taken off; else what was."""
    if w.for_the_cells:
        return "Left for the cells"
    return f"Observed less {w.taken_off[0]} alone" if w.taken_off else "Left for the cells"


def bars(outcome: Outcome) -> list[Bar]:
    """The lines as the figure draws them: those taken off with their sign turned, so that they add up."""
    w = outcome.worth
    assert w is not None

    def bar(label: str, line: Line | None, *, total: bool) -> Bar:
        if line is None:
            return Bar(label, None, None, None, total)
        return Bar(label, line.estimate, line.lower, line.upper, total)

    return [
        bar("Observed change", w.observed, total=False),
        bar("Regression to the mean alone", w.regression, total=False),
        bar("Background alone", w.background, total=False),
        bar(left_name(w), w.left, total=True),
    ]


def left_table(outcome: Outcome) -> Table:
    """Observed, less regression to the mean, less background: what is left for the cells."""
    w, m = outcome.worth, outcome.measure
    assert w is not None and m is not None
    href, d = f"#from-{outcome.id}", worth_decimals(outcome)

    def line(label: str, value: Line | None, how: str, tone: Tone = "") -> Row:
        return row(Cell(label, "", tone), Cell(line_text(value, d), href, tone), how)

    level = f"{100 * outcome.analysis.conf_level:g} %"
    rows = [
        line("Observed change", w.observed, f"mean of {_pairs(w.n)}, t interval"),
        line("less regression to the mean", w.regression, _course_words(w)),
        line("less background", w.background, _background_words(w, d)),
        line(f"= {left_name(w)[:1].lower()}{left_name(w)[1:]}", w.left, _left_words(w), "strong"),
    ]
    for rho, after, left in w.at_rho:
        shown = left or after
        rows.append(row(f"   with rho {number(rho, 2)}", Cell(line_text(shown, d), href), ""))
    unit = worth_unit(outcome)
    return Table(
        f"left-{outcome.analysis.id}",
        f"{m.label}{', ' + unit if unit else ''}: what is left for the cells",
        (("", "l"), (f"Change ({level} interval)", "r"), ("From", "l")),
        tuple(rows),
        tuple(dict.fromkeys((*_tipping_notes(outcome), *w.notes))),
    )


def _pairs(n: int) -> str:
    return f"{n} complete pair{'' if n == 1 else 's'}"


def _course_words(w: Worth) -> str:
    if w.course is None:
        return f"not known: {w.missing_course}"
    h = w.course.history
    from math import exp

    mean = (
        f"geometric mean {number(exp(h.mean), 2)}, SD of logarithms"
        if w.course.log
        else f"mean {number(h.mean, 1)}, SD"
    )
    words = f"patients screened: {mean} {number(h.sd, 2)}, rho {number(h.rho, 2)}; {w.course.stated.citation}"
    return f"{words}; {h.note}" if h.note else words


def _background_words(w: Worth, decimals: int) -> str:
    c = w.comparator
    if c is None:
        return "no comparator of this measure in the study file"
    n = f", n = {c.n}" if c.n else ""
    own = ""
    if w.own_regression is not None:
        own = f"; its own regression to the mean, {number(w.own_regression, decimals)}, taken out"
    return f"{c.text}{n}{own}; believed with weight {percent(c.weight, 0)}; {c.citation}"


def _left_words(w: Worth) -> str:
    if w.left is None or w.better is None or not w.for_the_cells:
        return ""
    return f"probability of an improvement by the cells: {percent(w.better, 0)}"


def _tipping_notes(outcome: Outcome) -> list[str]:
    w = outcome.worth
    assert w is not None
    notes = [w.tipping.words] if w.tipping else []
    return notes + ([w.means.words] if w.means else [])


def follow_up_table(outcome: Outcome) -> Table | None:
    """What the result would be if patients with missing follow-up had done this or that; None when none is missing."""
    f, m = outcome.follow_up, outcome.measure
    if f is None or m is None or not f.rows:
        return None
    href, d = f"#from-{outcome.id}", 2 if f.ratio else m.decimals
    rows = [
        row(
            r.label,
            Cell(
                line_text(Line(r.estimate, r.lower, r.upper), d)
                if r.estimate is not None
                else DASH,
                href,
            ),
            Cell(p_value(r.pvalue), href),
            r.assumption,
        )
        for r in f.rows
    ]
    level = f"{100 * outcome.analysis.conf_level:g} %"
    what = "Ratio of geometric means" if f.ratio else "Mean change"
    return Table(
        f"missing-{outcome.analysis.id}",
        f"{m.label}: {f.missing} of {f.missing + f.complete} patients without a value after (t test, two-sided)",
        (
            ("Those patients", "l"),
            (f"{what} ({level} interval)", "r"),
            ("P", "r"),
            ("Assumes", "l"),
        ),
        tuple(rows),
        f.notes,
    )


def multiplicity_table(judged: Sequence[Judged], words: str) -> Table:
    """Several P values judged together."""
    rows = [
        row(
            j.outcome.analysis.title,
            j.outcome.analysis.id,
            Cell(p_value(j.pvalue), f"#from-{j.outcome.id}"),
            Cell(p_value(j.adjusted), f"#from-{j.outcome.id}"),
            Cell(
                "rejected" if j.rejected else "not rejected", "", "good" if j.rejected else "soft"
            ),
            j.words,
        )
        for j in judged
    ]
    return Table(
        "multiplicity",
        f"Several P values judged together: {words}",
        (
            ("Analysis", "l"),
            ("Id", "l"),
            ("P", "r"),
            ("Adjusted P", "r"),
            ("Hypothesis of no change", "l"),
            ("Why", "l"),
        ),
        tuple(rows),
    )


def anyway_table(outcomes: Sequence[Outcome]) -> Table | None:
    """Responders beside what would have happened anyway; None when nothing is known of that."""
    rows: list[Row] = []
    notes: list[str] = []
    for o in outcomes:
        if o.anyway is None or o.responders is None:
            continue
        notes += [f"{o.analysis.title}: {note}." for note in o.anyway.notes]
        rows += _anyway_rows(o)
    if not rows:
        return None
    return Table(
        "anyway",
        "Responders beside what would have happened anyway",
        (
            ("Response", "l"),
            ("Responders", "r"),
            ("Beside", "l"),
            ("To expect", "r"),
            ("", "r"),
        ),
        tuple(rows),
        tuple(dict.fromkeys(notes)),
    )


def _anyway_rows(o: Outcome) -> list[Row]:
    assert o.anyway is not None and o.responders is not None
    a, href = o.anyway, f"#from-{o.id}"
    seen = Cell(f"{len(o.responders.responders)} of {o.responders.known}", href)
    title = o.analysis.title
    rows = []
    if a.untreated is not None:
        critical = (
            f"; {a.untreated.critical} or more would be significant"
            if a.untreated.critical is not None
            else ""
        )
        rows.append(
            row(
                title,
                seen,
                f"each patient's own chance by regression to the mean (Poisson-binomial, "
                f"{_tail_words(a.untreated.alternative)}{critical})",
                Cell(f"{number(a.untreated.expected, 1)} of {a.untreated.n}", href),
                Cell(p_clause(a.untreated.pvalue), href),
            )
        )
    if a.reference is not None and o.analysis.reference is not None:
        rows.append(
            row(
                title,
                seen,
                f"reference rate, {o.analysis.reference.citation} (exact binomial, "
                f"{_tail_words(o.analysis.alternative)})",
                percent(o.analysis.reference.rate),
                Cell(p_clause(a.reference.pvalue), href),
            )
        )
    if a.posterior is not None:
        rows += _posterior_rows(o, title, seen)
    return rows


def _tail_words(alternative: str) -> str:
    words = {"greater": "more than expected", "less": "fewer than expected"}
    return words.get(alternative, "two-sided")


def _posterior_rows(o: Outcome, title: str, seen: Cell) -> list[Row]:
    a, href, analysis = o.anyway, f"#from-{o.id}", o.analysis
    assert a is not None and a.posterior is not None
    p = a.posterior
    share = f"{percent(p.estimate)} ({percent(p.lower)} to {percent(p.upper)})"
    rows = [
        row(
            title,
            seen,
            f"posterior of the share, prior {p.prior} ({100 * p.level:g}{THIN}% interval)",
            "",
            Cell(share, href),
        )
    ]
    if a.history is not None and a.exceeds is not None:
        low, high = a.history.interval(p.level)
        arms = len(analysis.historical)
        rows.append(
            row(
                title,
                seen,
                f"{arms} earlier arm{'' if arms == 1 else 's'} without the cells, weight {percent(analysis.weight, 0)}",
                Cell(f"{percent(a.history.mean)} ({percent(low)} to {percent(high)})", href),
                Cell(f"P(share above them) = {number(a.exceeds, 3)}", href),
            )
        )
    rows += [
        row(
            title,
            seen,
            f"go if P(share > {percent(d.rate, 0)}) is at least {number(d.probability, 2)}",
            "",
            Cell(
                f"{number(value, 3)}: {'met' if met else 'not met'}", href, "good" if met else "bad"
            ),
        )
        for d, (value, met) in zip(analysis.go, a.go, strict=True)
    ]
    return rows


def found_table(outcomes: Sequence[Outcome]) -> Table | None:
    """A finding before and after, under every baseline rule; None without one."""
    rows = []
    for o in outcomes:
        if o.found is None:
            continue
        f, href = o.found, f"#from-{o.id}"
        n = f.both + f.lost + f.gained + f.neither
        change = DASH
        if f.difference is not None:
            d = f.difference
            change = f"{percent(d.estimate)} ({percent(d.lower)} to {percent(d.upper)})"
        label = o.baseline.label + (" (primary)" if o.primary_baseline else "")
        rows.append(
            row(
                f"{o.analysis.title}: {o.analysis.response}{SIDES[o.analysis.alternative]}",
                label,
                Cell(f"{f.both + f.lost} of {n}", href),
                Cell(f"{f.both + f.gained} of {n}", href),
                Cell(f"{f.lost} and {f.gained}", href),
                Cell(change, href),
                Cell(p_value(o.pvalue), href),
                Cell(str(len(f.unknown)), href),
            )
        )
    return (
        Table(
            "found",
            "A finding before and after in the same patients",
            (
                ("Finding", "l"),
                ("Before", "l"),
                ("Yes before", "r"),
                ("Yes after", "r"),
                ("Lost and gained", "r"),
                ("Difference of shares (interval)", "r"),
                ("P, McNemar's exact test", "r"),
                ("Unknown", "r"),
            ),
            tuple(rows),
        )
        if rows
        else None
    )
