"""The report: one self-contained HTML file in which every number leads to the entries behind it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from onearm import __version__
from onearm.analysis import Chance, Outcome, Results, run
from onearm.checks import disposition
from onearm.conduct import enrolled
from onearm.dates import study_day
from onearm.ledger import Entry, Snapshot
from onearm.records import Datum, Records
from onearm.report import figures, longitudinal, tables, weighing
from onearm.report.drawing import Draw, here
from onearm.report.numbers import (
    DASH,
    interval,
    listed,
    mean_sd,
    number,
    p_clause,
    percent,
    unit_text,
)
from onearm.report.tables import Cell, Columns, Table, entry_links, row
from onearm.report.untreated import (
    MOST_PANELS,
    Panel,
    Panels,
    left_over,
    panels_in_words,
    untreated_panels,
)
from onearm.stats import describe
from onearm.stats.regression_to_mean import untreated
from onearm.study import Study
from onearm.study.phrases import dose_words, multiplicity_words
from onearm.study.values import NEEDS_UNTREATED

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Span:
    """A run of text; with ``href`` a number that leads to where it comes from."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Source:
    """Where the numbers of one anchor come from: a statement and the dataset rows with their entries."""

    id: str
    title: str
    statement: str
    table: Table


@dataclass(frozen=True)
class Endpoint:
    """One endpoint's section: its table under every baseline rule and, where asked for, its figure."""

    title: str
    role: str
    table: Table
    figure: str
    caption: str
    band: str = ""
    band_caption: str = ""
    follow_up: Table | None = None


@dataclass(frozen=True)
class Weighed:
    """One endpoint taken apart: what is left for the cells, as figure and table."""

    title: str
    figure: str
    caption: str
    table: Table


def render_report(study: Study, snapshot: Snapshot, history: Sequence[Entry]) -> str:
    """The report of a study on one data cut, as HTML text.

    Parameters
    ----------
    study
        The study file's value.
    snapshot
        The data cut; ``snapshot.head`` and ``snapshot.as_of`` name it.
    history
        Every ledger entry up to the cut, superseded ones too, by number.

    Returns
    -------
    str
        One HTML page without any outside resource; the same bytes for the same study file, cut and version.
    """
    return render_results(run(Records(study, snapshot)), history)


def render_results(results: Results, history: Sequence[Entry], draw: Draw = here) -> str:
    """The report of results already worked out; see :func:`render_report`. ``draw`` says where to draw."""
    study, snapshot = results.study, results.data.records.snapshot
    drawn = _figures(results, draw)
    return _template().render(
        study=study,
        snapshot=snapshot,
        nature=snapshot.nature,
        outputs=set(study.outputs),
        leads=_leads("data" in study.outputs),
        abstract=abstract(results),
        caution=caution(results),
        tables=_tables(results),
        flow=figures.flow(flow_boxes(results)),
        sources=_sources(results),
        ledger=_ledger_rows(history),
        weighed=_weighed(results),
        profiles=longitudinal.profiles(results),
        endpoints=_endpoints(results, drawn),  # last: the figures may be drawn meanwhile
        entries=len(history),
        versions=Counter(e.study_hash for e in history),
        version=__version__,
        css=(HERE / "templates" / "report.css").read_text(encoding="utf-8"),
        fonts=_font_data(),
    )


def _leads(entries_shown: bool) -> Callable[[str], bool]:
    """Whether an anchor is on the page: those of entries are not where the study file leaves the entries out."""

    def leads(href: str) -> bool:
        return bool(href) and (entries_shown or not re.fullmatch("#e[0-9]+", href))

    return leads


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


@cache
def _font_data() -> dict[int, str]:
    names = {400: "IBMPlexSans-Regular.woff2", 600: "IBMPlexSans-SemiBold.woff2"}
    return {w: b64encode((figures.FONTS / f).read_bytes()).decode() for w, f in names.items()}


# -- abstract -------------------------------------------------------------------------------------


def abstract(results: Results) -> list[tuple[str, list[Span]]]:
    """The structured abstract, its numbers filled in from the results."""
    study = results.study
    background = " ".join(t for t in (study.study.background, study.study.objective) if t)
    return [
        ("Background and aim", [Span(background or study.title + ".")]),
        ("Methods", _methods(results)),
        ("Results", _findings(results)),
        ("Conclusion", _conclusion(results)),
    ]


def _methods(results: Results) -> list[Span]:
    study = results.study
    primary = next((a for a in study.analyses if a.role == "primary"), study.analyses[0])
    at = study.visit(primary.at)
    entry = "; ".join(
        c.text[0].lower() + c.text[1:] if c.text[1:2].islower() else c.text
        for c in study.population.inclusion
    )
    donor = " or ".join(study.donor.relation)
    source = f" from {study.product.source.tissue} tissue" if study.product.source else ""
    given = f"{study.product.name}{source}" + (f" of a {donor}" if donor else "")
    return [
        Span(
            f"{_first_upper(study.study.design)} trial, phase {study.study.phase}. Entry: {entry}. "
            f"Treatment: {given}, {dose_words(study.product.dose)}. Values {at.label} were compared with "
            f"those at baseline ({study.baseline.primary.label}); other baselines are shown "
            "beside it. Tests are exact where the study file does not say otherwise."
        )
    ]


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _findings(results: Results) -> list[Span]:
    spans = _participants(results)
    for analysis in results.study.analyses:
        if analysis.role in ("primary", "secondary"):
            outcome = results.main(analysis.id)
            if outcome.comparison and outcome.measure:
                spans += _change_sentence(outcome)
            elif outcome.longitudinal:
                spans += _model_sentence(results.study, outcome)
    return spans + _safety_sentence(results)


def _participants(results: Results) -> list[Span]:
    records = results.data.records
    n = len(records.treated)
    spans = [
        Span(str(n), "#from-flow"),
        Span(" patient was treated" if n == 1 else " patients were treated"),
    ]
    for name in ("SEX", "AGE"):
        if name not in results.data.characteristic_items:
            continue
        known = [
            d.value
            for s in records.treated
            if (d := records.latest(s, name)) and d.value is not None
        ]
        if name == "SEX" and known and (female := _female(records)):
            share = percent(known.count(female) / len(known))
            spans += [Span(" ("), Span(share, "#from-char-SEX"), Span(" female)")]
        numbers = [v for v in known if isinstance(v, float)]
        if name == "AGE" and numbers:
            x = describe(numbers)
            text = (
                f"{number(x.median, 0)} (range {number(x.minimum, 0)}{DASH}{number(x.maximum, 0)})"
            )
            spans += [Span(", median age "), Span(text, "#from-char-AGE"), Span(" years")]
    return [*spans, Span(". ")]


def _female(records: Records) -> str | None:
    """The code that the study file's item SEX has for female; None when it has none by that name."""
    choices = records.study.find_item("SEX")[1].choices or {}
    named = [code for code, label in choices.items() if "female" in (code.lower(), label.lower())]
    return named[0] if named else None


def _change_sentence(outcome: Outcome) -> list[Span]:
    c, m = outcome.comparison, outcome.measure
    assert c is not None and m is not None
    href, d = f"#from-{outcome.id}", m.decimals
    unit = unit_text(outcome.unit) if outcome.unit != "points" else ""
    effect = _effect_of(outcome)
    if not c.n:
        return [Span(f"{m.label}: "), Span("no complete pair", href), Span(" yet. ")]
    spans = [
        Span(f"{m.label} was "),
        Span(mean_sd(c.before.mean, c.before.sd, d), href),
        Span(f"{' ' + unit if unit else ''} before and "),
        Span(mean_sd(c.after.mean, c.after.sd, d), href),
        Span(" after (n = "),
        Span(str(c.n), href),
        Span(f"; {effect.words if effect else 'change'} "),
        Span(number(effect.estimate, effect.decimals) if effect else DASH, href),
        Span(f", {100 * outcome.analysis.conf_level:g} % interval "),
        Span(interval(effect.lower, effect.upper, effect.decimals) if effect else DASH, href),
    ]
    if _method_words(outcome):
        spans += [
            Span(f"; {_method_words(outcome)} "),
            Span(p_clause(outcome.pvalue) if outcome.pvalue is not None else "without a P", href),
        ]
    published = outcome.analysis.published
    own = tables.variant_words(outcome.analysis)
    if published is not None and tables.variant_words(published) != own:
        spans += [
            Span(f"; published variant, {tables.variant_words(published)}, "),
            Span(p_clause(outcome.published), href),
        ]
    return [*spans, Span("). ")]


def _model_sentence(study: Study, outcome: Outcome) -> list[Span]:
    """The change at the visit of the result by the longitudinal model, or why there is none."""
    model, m, a = outcome.longitudinal, outcome.measure, outcome.analysis
    assert model is not None and m is not None
    href, visit = f"#from-{outcome.id}", study.visit(a.at).label
    found = model.at(a.at)
    change = found.change if found else None
    if change is None:
        return [
            Span(f"{m.label} by the longitudinal model, {visit}: "),
            Span("could not be fitted" if model.why else "nobody seen there yet", href),
            Span(". "),
        ]
    d = longitudinal.decimals(outcome)
    return [
        Span(
            f"By the longitudinal model {m.label} {visit} was "
            if model.ratio
            else f"By the longitudinal model {m.label} changed by "
        ),
        Span(number(change.line.estimate, d), href),
        Span(" times that at baseline (" if model.ratio else f" from baseline to {visit} ("),
        Span(f"{100 * a.conf_level:g} % interval "),
        Span(interval(change.line.lower, change.line.upper, d), href),
        Span("; "),
        Span(str(model.patients), href),
        Span(" patients; "),
        Span(p_clause(change.pvalue) if change.pvalue is not None else "without a P", href),
        Span("). "),
    ]


@dataclass(frozen=True)
class Effect:
    """The estimate whose interval belongs to an analysis's own test, as it is shown."""

    words: str
    estimate: float
    lower: float
    upper: float
    decimals: int
    neutral: float = 0.0


def _effect_of(outcome: Outcome) -> Effect | None:
    """The estimate whose interval belongs to the analysis's own test; None where it could not be computed."""
    c, w, m, method = outcome.comparison, outcome.worth, outcome.measure, outcome.analysis.method
    assert c is not None and m is not None
    if method in NEEDS_UNTREATED:
        found = w.test(method) if w else None
        if found is None or w is None:
            return None
        if not w.percent:
            words = "change less regression to the mean"
            return Effect(words, found.estimate, found.lower, found.upper, m.decimals)
        middle, low, high = (exp(min(x, 700.0)) for x in (found.estimate, found.lower, found.upper))
        words = "ratio to what regression to the mean leads to expect"
        return Effect(words, middle, low, high, 2, 1.0)
    if method == "geometric_mean_ratio":
        r = c.ratio
        return (
            Effect("ratio of geometric means", r.estimate, r.lower, r.upper, 2, 1.0) if r else None
        )
    if method == "normal_posterior":
        p = outcome.posterior
        return (
            Effect("posterior median change", p.estimate, p.lower, p.upper, m.decimals)
            if p
            else None
        )
    if method in ("paired_t", "sign_flip"):
        return (
            Effect("mean change", c.t.estimate, c.t.lower, c.t.upper, m.decimals) if c.t else None
        )
    h = c.shift
    return Effect("Hodges-Lehmann shift", h.estimate, h.lower, h.upper, m.decimals) if h else None


def _method_words(outcome: Outcome) -> str:
    special = {
        "signed_rank": "exact signed rank",
        "signed_rank_normal": "signed rank, normal approximation,",
    }
    return special.get(outcome.analysis.method) or tables.variant_words(outcome.analysis)


def _safety_sentence(results: Results) -> list[Span]:
    total = results.overview[0]
    if not total.of:
        return []
    severe = results.overview[4]
    terms: list[Span] = []
    for i, term in enumerate(results.terms):
        before = ": " if i == 0 else " and " if i == len(results.terms) - 1 else ", "
        terms.append(Span(f"{before}{term.label.lower()} in "))
        terms.append(Span(str(term.subjects), tables.SAFETY))
    return [
        Span("Adverse events were reported in "),
        Span(f"{total.subjects} of {total.of}", tables.SAFETY),
        Span(" patients"),
        *terms,
        Span(". Related events of grade 3 or higher: "),
        Span(f"{severe.subjects} of {severe.of}", tables.SAFETY),
        Span("; a rate up to "),
        Span(percent(severe.upper), tables.SAFETY),
        Span(" cannot be ruled out (exact one-sided 95 % bound)."),
    ]


def _conclusion(results: Results) -> list[Span]:
    spans: list[Span] = []
    for analysis in results.study.analyses:
        outcome = results.main(analysis.id)
        if analysis.role in ("primary", "secondary") and outcome.comparison and outcome.measure:
            spans += _verdict(results, outcome) + _left_for_cells(outcome)
        elif analysis.role == "primary" and outcome.longitudinal:
            spans += _model_verdict(results.study, outcome)
    severe = results.overview[4]
    if severe.of:
        spans += [
            Span(str(severe.of), tables.SAFETY),
            Span(" patient is" if severe.of == 1 else " patients are"),
            Span(
                " too few to call the infusion safe; the rate of severe related events is only bounded. "
            ),
        ]
    spans.append(
        Span(
            "Without a comparator the change before to after cannot be told apart from what would have happened anyway."
        )
    )
    return spans


def _verdict(results: Results, outcome: Outcome) -> list[Span]:
    c, m, p = outcome.comparison, outcome.measure, outcome.pvalue
    assert c is not None and m is not None
    href, at = f"#from-{outcome.id}", results.study.visit(outcome.analysis.at).label
    if p is None:
        return _untested(outcome)
    effect = _effect_of(outcome)
    # The direction is that of the test: ranks and means can point to different sides.
    middle, neutral = (effect.estimate, effect.neutral) if effect else (c.change.mean or 0.0, 0.0)
    way = "lower" if middle < neutral else "higher"
    beyond = "than regression to the mean leads to expect"
    than = beyond if outcome.analysis.method in NEEDS_UNTREATED else "than at baseline"
    if p < 1 - outcome.analysis.conf_level:
        words = f"{m.label} was {way} {at} {than} ("
        return [Span(words), Span(p_clause(p), href), Span("). ")]
    reach = interval(effect.lower, effect.upper, effect.decimals) if effect else DASH
    noun = effect.words if effect else "change"
    return [
        Span(f"{m.label} did not change clearly ("),
        Span(p_clause(p), href),
        Span("; a shift of " if noun == "Hodges-Lehmann shift" else f"; a {noun} of "),
        Span(reach, href),
        Span(" is compatible with the data). "),
    ]


def _model_verdict(study: Study, outcome: Outcome) -> list[Span]:
    """The conclusion from the longitudinal model; empty where there is no change to speak of."""
    model, m, a = outcome.longitudinal, outcome.measure, outcome.analysis
    assert model is not None and m is not None
    found = model.at(a.at)
    if found is None or found.change is None or found.change.pvalue is None:
        return []
    line, p, href = found.change.line, found.change.pvalue, f"#from-{outcome.id}"
    if p < 1 - a.conf_level:
        way = "lower" if line.estimate < (1.0 if model.ratio else 0.0) else "higher"
        words = f"{m.label} was {way} {study.visit(a.at).label} than at baseline ("
        return [Span(words), Span(p_clause(p), href), Span("). ")]
    what = "ratio to baseline" if model.ratio else "change"
    return [
        Span(f"{m.label} did not change clearly ("),
        Span(p_clause(p), href),
        Span(f"; a {what} of "),
        Span(interval(line.lower, line.upper, longitudinal.decimals(outcome)), href),
        Span(" is compatible with the data). "),
    ]


def _left_for_cells(outcome: Outcome) -> list[Span]:
    """What is left of a change when regression to the mean and background are taken off; empty if neither can be."""
    w = outcome.worth
    if w is None or w.left is None:
        return []
    unit, decimals = weighing.worth_unit(outcome), weighing.worth_decimals(outcome)
    shown = weighing.line_text(w.left, decimals).replace(" (", f" {unit} (", 1) if unit else ""
    return [
        Span(f"Less {listed(list(w.taken_off))}, "),
        Span(shown or weighing.line_text(w.left, decimals), f"#from-{outcome.id}"),
        Span(" is left for the cells. " if w.for_the_cells else " remains. "),
    ]


def _untested(outcome: Outcome) -> list[Span]:
    """The conclusion where there is no P: the posterior, or why there is none."""
    c, m = outcome.comparison, outcome.measure
    assert c is not None and m is not None
    href = f"#from-{outcome.id}"
    if outcome.posterior is not None:
        words = tables.posterior_words(outcome)
        return [Span(f"{m.label}: posterior of the mean change "), Span(words, href), Span(". ")]
    if not tables.variant_words(outcome.analysis):
        return [Span(f"{m.label}: described, not tested, in "), Span(_pairs(c.n), href), Span(". ")]
    return [Span(f"{m.label}: no test could be made of "), Span(_pairs(c.n), href), Span(". ")]


def _pairs(n: int) -> str:
    return f"{n} complete pair{'' if n == 1 else 's'}"


def caution(results: Results) -> list[Span]:
    """What a before-after change without a comparator is worth, with the computed chance of a false success."""
    spans = [
        Span(
            "A before-after change without a comparator is not a treatment effect. Patients enter when their "
            "disease is at its worst and drift back (regression to the mean), background treatment goes on, and "
            "the course of the disease varies. "
        )
    ]
    measure = next((a.measure for a in results.study.analyses if a.role == "primary"), None)
    found = results.chances.get(measure or "", ())
    if found and measure:
        shares = sorted(c.signed_rank for c in found)
        text = " to ".join(dict.fromkeys(percent(s, 0) for s in (shares[0], shares[-1])))
        spans += [
            Span(
                f"If {results.study.measure(measure).label} changed only {_without_cells(found)}, "
            ),
            Span(text, tables.CHANCE),
            Span(" of trials of "),
            Span(str(found[0].n), tables.CHANCE),
            Span(" patients would be “significant” by the exact signed-rank test."),
        ]
    return spans


def _without_cells(chances: Sequence[Chance]) -> str:
    """What moves patients in the simulated trials without an effect."""
    own = (".regression", ".selection")
    regression = any(c.id.endswith(own) for c in chances)
    others = any(not c.id.endswith(own) for c in chances)
    parts = ["by regression to the mean"] * regression
    parts += ["as in comparable patients without the cells"] * others
    return " or ".join(parts)


# -- flow -----------------------------------------------------------------------------------------


def flow_boxes(results: Results) -> list[figures.Box]:
    """Assessed, enrolled, infused, analysed; who left in between and why."""
    records = results.data.records
    status = {s: disposition(records, s) for s in records.subjects}
    passed = [s for s in records.subjects if enrolled(records, s)]
    failed = [s for s in records.subjects if status[s] == "screen failure"]
    screening = len(records.subjects) - len(passed) - len(failed)
    treated = set(records.treated)
    waiting = [s for s in passed if s not in treated]
    primary = next((a for a in results.study.analyses if a.role == "primary"), None)
    lost = _not_analysed(results.main(primary.id)) if primary else list(records.treated)
    reasons = Counter(
        "; ".join(r.partition(":")[0] for r in a.reasons) or "reason not recorded"
        for a in results.assessments
        if a.subject in failed
    )
    label = results.study.visit(primary.at).label if primary else "the primary endpoint"
    return [
        figures.Box(
            "Assessed for eligibility",
            len(records.subjects),
            "Not enrolled",
            (
                *((f"screen failure: {why}", n) for why, n in reasons.items()),
                ("in screening", screening),
            ),
        ),
        figures.Box(
            "Enrolled",
            len(passed),
            "Not infused",
            tuple(Counter(status[s] or "waiting" for s in waiting).items()),
        ),
        figures.Box(
            "Infused (safety population)",
            len(treated),
            "No value in the model of the primary endpoint"
            if primary and primary.method == "mmrm"
            else f"Primary endpoint not known, {label}",
            tuple(Counter(status[s] or "on study" for s in lost).items()),
        ),
        figures.Box("Analysed for the primary endpoint", len(treated) - len(lost)),
    ]


def _not_analysed(outcome: Outcome) -> list[str]:
    """The treated whose primary endpoint is not known, or of whom a longitudinal model has no value."""
    if outcome.longitudinal:
        return list(outcome.longitudinal.absent)
    if outcome.responders:
        return list(outcome.responders.unknown)
    if outcome.renal:
        first = outcome.renal[0].at_visit
        return [s for s, response in first.items() if response.level == "unknown"]
    return [p.subject for p in outcome.pairs if p.change is None]


# -- tables and endpoints -------------------------------------------------------------------------


def _tables(results: Results) -> dict[str, Table | None]:
    responders = [o for o in results.outcomes if o.responders]
    renal = [o for o in results.outcomes if o.renal and o.primary_baseline]
    chosen = {
        "published": tables.published_table(results.published) if results.published else None,
        "baseline": tables.baseline_table(results),
        "eligibility": tables.eligibility_table(results.assessments),
        "exposure": tables.exposure_table(results.exposures),
        "responders": tables.responder_table(responders) if responders else None,
        "response": tables.response_matrix(renal[0]) if renal else None,
        "ae_overview": tables.events_table(
            "ae-overview", "Adverse events, overview", results.overview
        ),
        "ae_terms": tables.events_table("ae-terms", "Adverse events by term", results.terms)
        if results.terms
        else None,
        "ae_listing": tables.listing_table(results) if results.events else None,
        "stopping": tables.stopping_table(results) if results.stopping else None,
        "deviations": tables.deviations_table(results.deviations) if results.deviations else None,
        "problems": tables.problems_table([p for p in results.problems if p.id != "visit.window"]),
        "chance": tables.chance_table(results) if any(results.chances.values()) else None,
        "anyway": weighing.anyway_table([o for o in responders if o.primary_baseline]),
        "unweighed": weighing.unweighed_table(weighing.weighed(results)[1]),
        "found": weighing.found_table([o for o in results.outcomes if o.found]),
        "multiplicity": weighing.multiplicity_table(results.judged, multiplicity_words(plan))
        if (plan := results.study.multiplicity)
        else None,
    }
    return {n: t if t is not None and t.rows else None for n, t in chosen.items()}


def _figures(results: Results, draw: Draw) -> dict[str, Callable[[], str]]:
    """The figure of each endpoint by analysis; an endpoint analysed twice is drawn once."""
    drawn: dict[str, Callable[[], str]] = {}
    measures: set[str] = set()
    for analysis in results.study.analyses:
        first = results.of(analysis.id)[0]
        if first.comparison and first.measure and first.measure.id not in measures:
            measures.add(first.measure.id)
            shown = trajectories(results, first)
            if shown.lines and "trajectories" in results.study.outputs:
                drawn[analysis.id] = draw(shown, f"fig-{analysis.id}")
    return drawn


def _endpoints(results: Results, drawn: dict[str, Callable[[], str]]) -> list[Endpoint]:
    found = []
    for analysis in results.study.analyses:
        outcomes = results.of(analysis.id)
        first = outcomes[0]
        if not first.comparison or not first.measure:
            continue
        figure = drawn[analysis.id]() if analysis.id in drawn else ""
        log = trajectories(results, first).log
        band, band_caption = _band(results, first) if figure else ("", "")
        caption = (
            f"{first.measure.label}. {_legend(first)} Diamonds: "
            "mean with 95 % interval (t)" + (", geometric on the log scale." if log else ".")
        )
        table = tables.change_table(outcomes, results.chances.get(first.measure.id, ()))
        missing = weighing.follow_up_table(first)
        found.append(
            Endpoint(
                analysis.title, analysis.role, table, figure, caption, band, band_caption, missing
            )
        )
    return found


def _weighed(results: Results) -> list[Weighed]:
    """What is left for the cells, endpoint by endpoint."""
    found = []
    for o in weighing.weighed(results)[0]:
        assert o.measure is not None
        unit, decimals = weighing.worth_unit(o), weighing.worth_decimals(o)
        drawn = left_over(weighing.bars(o), unit, decimals, o.measure.better)
        caption = (
            f"{o.measure.label}, change{f' in {unit}' if unit else ''} with "
            f"{100 * o.analysis.conf_level:g} % intervals. Grey: observed, and what would have happened anyway; "
            "blue: the rest."
        )
        found.append(Weighed(o.analysis.title, drawn, caption, weighing.left_table(o)))
    return found


def _band(results: Results, outcome: Outcome) -> tuple[str, str]:
    """Each patient's course over the band of an untreated patient, and its caption; empty without a course."""
    panels = untreated_bands(results, outcome)
    if panels is None or not panels.panels:
        return "", ""
    assert outcome.worth is not None and outcome.worth.course is not None
    h, course = outcome.worth.course.history, outcome.worth.course
    mean = f"{exp(h.mean):.3g} (geometric)" if course.log else f"{h.mean:.3g}"
    caption = (
        f"{panels.label} of each patient. Shaded: where 95 % of untreated patients who start there are found "
        f"{results.study.visit(outcome.analysis.at).label}, by regression to the mean alone (patients screened: "
        f"mean {mean}, SD {h.sd:.3g}, rho {h.rho:.3g}; {course.stated.citation}); broken line: their mean. "
        "A full circle lies outside the band."
    )
    if len(panels.panels) > MOST_PANELS:
        return "", f"{panels_in_words(panels)} More than {MOST_PANELS} patients are not drawn."
    return untreated_panels(panels), caption


def untreated_bands(results: Results, outcome: Outcome) -> Panels | None:
    """The data of the figure of untreated bands; None where the untreated course is not known."""
    if outcome.worth is None or outcome.worth.course is None or outcome.measure is None:
        return None
    course, measure, study = outcome.worth.course, outcome.measure, results.study
    back = exp if course.log else float
    panels = []
    for pair in outcome.pairs:
        if pair.before is None or (course.log and pair.before <= 0):
            continue
        band = untreated([course.scaled(pair.before)], course.history)
        values = [
            (v.day, v.value)
            for v in results.data.of(measure.id, pair.subject)
            if v.value is not None and v.day is not None and (not course.log or v.value > 0)
        ]
        anchor = results.data.records.anchor(pair.subject)

        def day_of(when: date | None, visit: int, anchor: date | None = anchor) -> int:
            return study_day(when, anchor) if when and anchor else visit

        planned = study.visit(outcome.baseline.visit).day if outcome.baseline.visit else 1
        panels.append(
            Panel(
                pair.subject,
                tuple(d for d, _ in values),
                tuple(v for _, v in values),
                pair.before,
                day_of(pair.before_on, planned),
                pair.after,
                day_of(pair.after_on, study.visit(outcome.analysis.at).day),
                *(back(float(x[0])) for x in (band.expected, band.lower, band.upper)),
            )
        )
    return Panels(
        measure.label,
        unit_text(outcome.unit),
        course.log,
        measure.better or "lower",
        measure.decimals,
        tuple(panels),
    )


def trajectories(results: Results, outcome: Outcome) -> figures.Trajectories:
    """The data of one endpoint's figure."""
    assert outcome.measure is not None
    measure, study = outcome.measure, results.study
    lines = []
    for pair in outcome.pairs:
        values = [
            v
            for v in results.data.of(measure.id, pair.subject)
            if v.value is not None and v.day is not None
        ]
        lines.append(
            figures.Line(
                pair.subject,
                tuple(v.day for v in values if v.day is not None),
                tuple(v.value for v in values if v.value is not None),
                pair.before,
                pair.after,
                _direction(pair.change, measure.better or "lower"),
            )
        )
    every = [v for line in lines for v in line.values]
    log = measure.scale == "log" and bool(every) and min(every) > 0
    return figures.Trajectories(
        measure.label,
        unit_text(outcome.unit),
        "Before",
        "After",
        tuple(line for line in lines if line.values),
        log,
        tuple((v.day, f"{v.id}\n{v.day:+d}") for v in study.schedule.visits),
        _means(outcome, log),
        measure.decimals,
    )


def _legend(outcome: Outcome) -> str:
    """What the lines mean; a measure without a better direction is told by lower and higher."""
    assert outcome.measure is not None
    good, bad = ("better", "worse") if outcome.measure.better else ("lower after", "higher after")
    missing = any(p.change is None for p in outcome.pairs)
    unknown = " Thin grey: before or after not known." if missing else ""
    return f"Solid blue: {good}; dashed orange: {bad}; dotted grey: unchanged.{unknown}"


def _direction(change: float | None, better: str) -> str:
    if change is None:
        return "missing"
    if change == 0:
        return "same"
    return "better" if (change < 0) == (better == "lower") else "worse"


def _means(
    outcome: Outcome, log: bool
) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Mean with t interval of each side; geometric on a log axis."""
    from math import exp, sqrt
    from math import log as ln

    from scipy.special import stdtrit

    complete = [
        (p.before, p.after) for p in outcome.pairs if p.before is not None and p.after is not None
    ]
    if len(complete) < 2 or (log and min(min(pair) for pair in complete) <= 0):
        return None
    sides = []
    for values in zip(*complete, strict=True):
        d = describe([ln(v) for v in values] if log else list(values))
        assert d.mean is not None and d.sd is not None
        half = float(stdtrit(d.n - 1, 0.975)) * d.sd / sqrt(d.n)
        if log and d.mean + half > 700:
            return None  # the interval reaches beyond the largest number
        back = exp if log else float
        sides.append((back(d.mean), back(d.mean - half), back(d.mean + half)))
    return sides[0], sides[1]


# -- where numbers come from ----------------------------------------------------------------------


def _sources(results: Results) -> list[Source]:
    found = [_outcome_source(results, o) for o in results.outcomes]
    found += [_characteristic_source(results, name) for name in results.data.characteristic_items]
    found += [_dose_source(results, i) for i in range(len(results.exposures))]
    found += [_flow_source(results), _safety_source(results)]
    return found + ([_chance_source(results)] if any(results.chances.values()) else [])


def _flow_source(results: Results) -> Source:
    records = results.data.records
    rows = []
    for assessment in results.assessments:
        s = assessment.subject
        infused = records.anchor(s)
        seqs = [d.entry.seq for d in records.data("subject", s) if d.item.role == "disposition"]
        seqs += _anchor_seqs(records, s)
        rows.append(
            row(
                s,
                assessment.decision,
                infused.isoformat() if infused else DASH,
                disposition(records, s) or "on study",
                Cell("", links=entry_links(seqs)),
            )
        )
    columns: Columns = (
        ("Participant", "l"),
        ("Criteria", "l"),
        ("Infused on", "l"),
        ("Status", "l"),
        ("Entries", "l"),
    )
    statement = "Dataset ADSL: every participant assessed, whether infused (SAFFL = Y) and how the study ended."
    return Source(
        "from-flow", "Participant flow", statement, Table("rows-flow", "", columns, tuple(rows))
    )


def _anchor_seqs(records: Records, subject: str) -> list[int]:
    where = records.study.schedule.anchor
    return [d.entry.seq for d in records.of_item(subject, where.item) if d.form.id == where.form]


def _safety_source(results: Results) -> Source:
    records = results.data.records
    rows = []
    for s in records.treated:
        mine = [e for e in results.events if e.subject == s and e.emergent is not False]
        seqs = [*_anchor_seqs(records, s), *(q for e in mine for q in e.seqs)]
        terms = (
            listed([f"{e.term} (grade {e.grade or 'not recorded'})" for e in mine])
            or "none reported"
        )
        rows.append(row(s, str(len(mine)), terms, Cell("", links=entry_links(seqs))))
    columns: Columns = (("Participant", "l"), ("Events", "r"), ("Which", "l"), ("Entries", "l"))
    statement = (
        "Dataset ADAE: TRTEMFL = Y, among participants infused (SAFFL = Y). Exact intervals: Clopper-Pearson. An "
        "event whose grade, seriousness or relation is not recorded counts as the worse."
    )
    return Source(
        "from-safety", "Adverse events", statement, Table("rows-safety", "", columns, tuple(rows))
    )


def _chance_source(results: Results) -> Source:
    found = [c for cs in results.chances.values() for c in cs]
    rows = [
        row(
            c.id,
            c.measure,
            f"{c.trials:,}",
            f"{c.t:.4f}",
            f"{c.signed_rank:.4f}",
            f"{c.error:.4f}",
        )
        for c in found
    ]
    columns: Columns = (
        ("Without the cells", "l"),
        ("Measure", "l"),
        ("Trials", "r"),
        ("Share, paired t", "r"),
        ("Share, signed rank", "r"),
        ("Monte Carlo SE", "r"),
    )
    statement = (
        f"Simulated, not observed. Each row has its own random stream from the study's seed "
        f"{results.study.seed} and its id; changes are drawn from a normal distribution with the comparator's mean "
        "and SD, or, for regression to the mean, values after from the untreated course given each value before."
    )
    table = Table("rows-chance", "", columns, tuple(rows))
    return Source("from-chance", "Trials without an effect", statement, table)


def _outcome_source(results: Results, outcome: Outcome) -> Source:
    a = outcome.analysis
    title = f"{a.title}, baseline: {outcome.baseline.label}"
    if outcome.renal:
        return Source(f"from-{outcome.id}", title, _renal_statement(outcome), _renal_rows(outcome))
    assert outcome.measure is not None
    dataset = "ADQS" if "." in outcome.measure.id else "ADLB"
    statement = (
        f"Analysis {a.id} ({a.role}). Method {a.method}"
        + (f", zeros {a.zeros}" if a.method.startswith("signed_rank") else "")
        + f". Dataset {dataset}: PARAMCD = {outcome.measure.code}, AVISIT = {a.at}, ANL01FL = Y, "
        f"BASETYPE = “{outcome.baseline.label}”, SAFFL = Y."
    )
    if outcome.longitudinal:
        return Source(f"from-{outcome.id}", title, *_longitudinal_source(outcome))
    if a.response:
        statement += f" Responder: {a.response}."
    if outcome.pvalue is not None:
        statement += f" {p_clause(outcome.pvalue)} ({outcome.pvalue:.10g})."
    statement += _worth_statement(outcome)
    if a.published and outcome.published is not None:
        statement += f" Published variant: {tables.variant_words(a.published)}, P = {outcome.published:.10g}."
    return Source(f"from-{outcome.id}", title, statement, tables.source_table(outcome))


def _longitudinal_source(outcome: Outcome) -> tuple[str, Table]:
    """Where a longitudinal model comes from: the rows of the dataset, and its numbers in full precision."""
    a, model, measure = outcome.analysis, outcome.longitudinal, outcome.measure
    assert model is not None and measure is not None
    dataset = "ADQS" if "." in measure.id else "ADLB"
    visits = ", ".join(v.id for v in model.visits if not v.baseline)
    statement = (
        f"Analysis {a.id} ({a.role}). Method {a.method}, {a.dependent}. Dataset {dataset}: PARAMCD = {measure.code}, "
        f"SAFFL = Y, BASETYPE = “{outcome.baseline.label}”; the baseline, and AVISIT one of {visits} with ANL01FL = Y."
    )
    scale = ", ratios" if model.ratio else ""
    told = [
        f"{v.id} {_full(c.line.estimate)} ({_full(c.line.lower)} to {_full(c.line.upper)}), "
        f"df {_full(c.df)}, P = {_full(c.pvalue)}"
        for v in model.visits
        if (c := v.change)
    ]
    if told:
        statement += f" Changes{scale}: {'; '.join(told)}.".replace("-", "\u2212")
    return statement, longitudinal.source_table(outcome)


def _full(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.8g}"


def _worth_statement(outcome: Outcome) -> str:
    """The lines of what is left in full precision, and what they were taken from."""
    w = outcome.worth
    if w is None:
        return ""
    lines = (
        ("observed", w.observed),
        ("expected by regression to the mean", w.regression),
        ("less that", w.after_regression),
        ("background", w.background),
        (weighing.left_name(w).lower(), w.left),
    )
    told = [
        f"{name} {x.estimate:.8g}"
        + (f" ({x.lower:.8g} to {x.upper:.8g})" if x.lower is not None else "")
        for name, x in lines
        if x is not None
    ]
    unit = ", percent of the geometric mean before" if w.percent else ""
    comparator = f" Background: comparator {w.comparator.id}." if w.comparator else ""
    return f" Change{unit}: {'; '.join(told)}.{comparator}".replace("-", "\u2212")


def _renal_statement(outcome: Outcome) -> str:
    used = ", ".join(f"{field} from {source}" for field, source in outcome.analysis.values.items())
    return (
        f"Analysis {outcome.analysis.id}. Values: {used}. At {outcome.analysis.at}; "
        "every visit after infusion for best ever."
    )


def _renal_rows(outcome: Outcome) -> Table:
    rows = []
    for r in outcome.renal:
        for subject, response in r.at_visit.items():
            seen = [f"{visit} {x.level}" for visit, x in r.by_visit[subject].items()]
            best = r.best_ever[subject].level
            reasons = "; ".join(response.reasons)
            rows.append(row(r.definition, subject, ", ".join(seen), best, reasons))
    entries = sorted({s for r in outcome.renal for s in r.seqs})
    rows.append(row("Entries", "", "", "", Cell("", links=entry_links(entries))))
    columns: Columns = (
        ("Definition", "l"),
        ("Participant", "l"),
        ("By visit", "l"),
        ("Best ever", "l"),
        (f"Why at {outcome.analysis.at}", "l"),
    )
    return Table(f"rows-{outcome.id}", "", columns, tuple(rows))


def _characteristic_source(results: Results, name: str) -> Source:
    records = results.data.records
    _, item = records.study.find_item(name)
    rows = []
    for s in records.treated:
        d: Datum | None = records.latest(s, name)
        shown = d.entry.words if d else "not recorded"
        rows.append(row(s, shown, Cell("", links=entry_links([d.entry.seq] if d else []))))
    table = Table(
        f"rows-char-{name}",
        "",
        (("Participant", "l"), (item.label, "l"), ("Entries", "l")),
        tuple(rows),
    )
    return Source(f"from-char-{name}", item.label, f"Dataset ADSL: {name}, SAFFL = Y.", table)


def _dose_source(results: Results, index: int) -> Source:
    e = results.exposures[index]
    plan = e.plan
    parts = [
        ("Dosing weight, kg", number(e.weight_kg, 1)),
        ("Planned viable cells", f"{plan.viable_cells:,.0f}" if plan else DASH),
        (
            "Total cells for this viability",
            f"{plan.total_cells:,.0f}" if plan and plan.total_cells else DASH,
        ),
        ("Planned volume, mL", number(plan.volume_ml if plan else None, 2)),
        (
            "Shortest infusion at the maximum rate, min",
            number(plan.minimum_minutes if plan else None, 1),
        ),
        (
            "Endotoxin limit for this patient, EU/mL",
            number(plan.endotoxin_limit_eu_per_ml if plan else None, 2),
        ),
        ("Viable cells given", f"{e.given_cells:,.0f}" if e.given_cells is not None else DASH),
    ]
    parts += [
        (f.text, {True: "met", False: "not met", None: "unknown"}[f.met] + f" ({f.found})")
        for f in e.findings
    ]
    rows = [row(a, b) for a, b in parts]
    rows.append(row("Entries", Cell("", links=entry_links(e.seqs))))
    table = Table(f"rows-dose-{e.subject}-{e.visit}", "", (("", "l"), ("", "r")), tuple(rows))
    return Source(
        f"from-dose-{e.subject}-{e.visit}",
        f"Infusion of participant {e.subject}",
        "Dataset ADEX.",
        table,
    )


@dataclass(frozen=True)
class LedgerRow:
    """One entry as the report lists it; ``later`` is the entry that replaced it, 0 when it stands."""

    seq: int
    about: str
    visit: str
    item: str
    value: str
    by: str
    at: str
    reason: str
    hash: str
    later: int


def _ledger_rows(history: Sequence[Entry]) -> list[LedgerRow]:
    last: dict[object, int] = {}
    for entry in history:
        last[entry.key] = entry.seq
    following: dict[int, int] = {}
    seen: dict[object, int] = {}
    for entry in history:
        if entry.key in seen:
            following[seen[entry.key]] = entry.seq
        seen[entry.key] = entry.seq
    rows = []
    for e in history:
        k = e.key
        item = f"{k.form}.{k.item}" + (f" ({k.repeat})" if k.repeat != 1 else "")
        at = f"{e.at[:10]} {e.at[11:19]}"
        rows.append(
            LedgerRow(
                e.seq,
                f"{k.kind} {k.about}",
                k.visit,
                item,
                e.words,
                f"{e.by}, {e.role}",
                at,
                e.reason,
                e.hash[:12],
                following.get(e.seq, 0),
            )
        )
    return rows


__all__ = ["render_report"]
