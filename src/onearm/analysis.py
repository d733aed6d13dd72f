"""The study file's analyses carried out: each under every baseline rule, the primary one marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite, sqrt
from typing import Literal, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from onearm.checks import check_records, visit_states
from onearm.datasets import Datasets, Pair, mean_of, measure_unit
from onearm.eligibility import Assessment, assess
from onearm.errors import Problem
from onearm.instruments.renal_response import (
    ANALYTES,
    ASSUMABLE,
    DEFINITIONS,
    VALUE_UNITS,
    RenalState,
    Response,
    best,
    classify,
)
from onearm.product import Exposure, exposures
from onearm.records import Datum, Records
from onearm.safety import (
    AdverseEvent,
    Deviation,
    EventRow,
    StoppingState,
    adverse_events,
    by_term,
    count_events,
    overview,
    reported_deviations,
    stopping_states,
)
from onearm.stats import (
    Description,
    Effect,
    GeometricMeanRatio,
    HodgesLehmann,
    Interval,
    PairedT,
    SignedRank,
    clopper_pearson,
    cohen_dz,
    describe,
    geometric_mean_ratio,
    hedges_g,
    hodges_lehmann,
    paired_t,
    probability_of_improvement,
    rank_biserial,
    signed_rank,
)
from onearm.study import Analysis, BaselineRule, Comparator, Measure, PublishedTest, Study
from onearm.study.rules import parse_rule
from onearm.units import convert

T = TypeVar("T")
Zeros = Literal["wilcoxon", "pratt"]
Changes = NDArray[np.float64]


# -- before and after -----------------------------------------------------------------------------


@dataclass(frozen=True)
class BeforeAfter:
    """Everything said about one before-after comparison of complete pairs.

    Attributes
    ----------
    n, n_missing
        Complete pairs, and pairs with one side or both missing (left out, never imputed here).
    before, after, change
        Description of each side and of the change (after minus before).
    t
        Paired t test of the mean change; None below two pairs or when all changes are equal.
    wilcoxon, pratt
        Exact signed-rank test with zeros dropped and with zeros ranked.
    shift
        Hodges-Lehmann shift with the exact interval that inverts the signed-rank test.
    dz, g, rank_biserial, improvement
        Effect sizes; None where not defined.
    ratio
        Geometric mean ratio after/before on the log scale; None unless asked for and all values positive.
    notes
        What could not be computed, in words.
    """

    n: int
    n_missing: int
    before: Description
    after: Description
    change: Description
    t: PairedT | None
    wilcoxon: SignedRank | None
    pratt: SignedRank | None
    shift: HodgesLehmann | None
    dz: Effect | None
    g: Effect | None
    rank_biserial: Effect | None
    improvement: Effect | None
    ratio: GeometricMeanRatio | None
    notes: tuple[str, ...]


def before_after(
    before: Sequence[float | None],
    after: Sequence[float | None],
    *,
    conf_level: float = 0.95,
    zeros: Zeros = "pratt",
    log: bool = False,
    better: Literal["lower", "higher"] = "lower",
) -> BeforeAfter:
    """Compare before with after in complete pairs.

    Parameters
    ----------
    before, after
        Same length and order; None (or NaN) is missing.
    conf_level
        Level of every interval, in (0, 1).
    zeros
        Zero rule of the signed-rank test that the interval inverts.
    log
        Also give the ratio of geometric means (values must be positive).
    better
        The direction of improvement, for the probability of improvement.

    Raises
    ------
    ValueError
        The two sides differ in length, or a value is infinite.
    """
    if len(before) != len(after):
        raise ValueError(
            f"before has {len(before)} values and after has {len(after)}; they are pairs"
        )
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if _known(b) and _known(a)]
    first = [float(b) for b, _ in pairs if b is not None]
    second = [float(a) for _, a in pairs if a is not None]
    if not all(isfinite(v) for v in (*first, *second)):
        raise ValueError("a value is infinite; correct it or leave it missing")
    change = differences(first, second)
    if not all(isfinite(v) for v in change):
        raise ValueError("a change is beyond the largest number; correct the values")
    notes: list[str] = []

    def tried(what: str, compute: Callable[[], T]) -> T | None:
        try:
            return compute()
        except ValueError as error:
            notes.append(f"{what}: {error}")
        except OverflowError:
            notes.append(f"{what}: the interval reaches beyond the largest number")
        return None

    return BeforeAfter(
        len(pairs),
        len(before) - len(pairs),
        describe(first),
        describe(second),
        describe(change),
        tried("paired t test", lambda: paired_t(change, conf_level=conf_level)),
        tried("signed-rank test", lambda: signed_rank(change, zeros="wilcoxon")),
        tried("signed-rank test", lambda: signed_rank(change, zeros="pratt")),
        tried(
            "Hodges-Lehmann shift",
            lambda: hodges_lehmann(change, zeros=zeros, conf_level=conf_level),
        ),
        tried("Cohen's d_z", lambda: cohen_dz(change, conf_level=conf_level)),
        tried("Hedges' g", lambda: hedges_g(change, conf_level=conf_level)),
        tried("rank-biserial correlation", lambda: rank_biserial(change, zeros=zeros)),
        tried(
            "probability of improvement", lambda: probability_of_improvement(change, better=better)
        ),
        tried(
            "geometric mean ratio",
            lambda: geometric_mean_ratio(first, second, conf_level=conf_level),
        )
        if log
        else None,
        tuple(dict.fromkeys(notes)),
    )


def differences(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """After minus before in decimal arithmetic, so that ties are ties (53.5 - 46.4 equals 7.1)."""
    from decimal import Decimal

    return [float(Decimal(repr(a)) - Decimal(repr(b))) for b, a in zip(before, after, strict=True)]


def _known(value: float | None) -> bool:
    return value is not None and value == value


# -- proportions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Responders:
    """Responders among the treated.

    ``known`` of the treated could be judged; ``interval`` is the exact interval among them. ``unknown``
    subjects are named, and ``worst`` and ``best`` count them as failures and as responders.
    """

    responders: tuple[str, ...]
    known: int
    unknown: tuple[str, ...]
    interval: Interval | None
    worst: Interval | None
    best: Interval | None


def _responders(rule: str, pairs: Sequence[Pair], conf_level: float) -> Responders:
    parsed = parse_rule(rule, dict.fromkeys(("AVAL", "BASE", "CHG", "PCHG"), "number"))
    truths = {
        p.subject: parsed.evaluate(
            {
                "AVAL": p.after,
                "BASE": p.before,
                "CHG": p.change,
                "PCHG": 100 * p.change / p.before if p.change is not None and p.before else None,
            }
        )
        for p in pairs
    }
    yes = tuple(s for s, t in truths.items() if t is True)
    unknown = tuple(s for s, t in truths.items() if t is None)
    known, of = len(truths) - len(unknown), len(truths)

    def exact(x: int, n: int) -> Interval | None:
        return clopper_pearson(x, n, conf_level=conf_level) if n else None

    return Responders(
        yes,
        known,
        unknown,
        exact(len(yes), known),
        exact(len(yes), of),
        exact(len(yes) + len(unknown), of),
    )


@dataclass(frozen=True)
class RenalRow:
    """One definition of renal response: each subject's class at the analysis's visit and the best ever.

    ``by_visit`` holds, by subject and then visit, the class at every visit after the infusion.
    """

    definition: str
    at_visit: dict[str, Response]
    best_ever: dict[str, Response]
    by_visit: dict[str, dict[str, Response]]
    seqs: tuple[int, ...]


@dataclass(frozen=True)
class _Kidney:
    """One subject's kidney before the infusion and, by visit after it, with the months since."""

    before: RenalState
    after: dict[str, tuple[float, RenalState]]
    seqs: tuple[int, ...]


def _renal(data: Datasets, analysis: Analysis, rule: BaselineRule) -> tuple[RenalRow, ...]:
    kidneys = {s: _kidney(data, analysis, s, rule) for s in data.records.treated}
    return tuple(_renal_row(analysis, kidneys, name) for name in analysis.definitions)


def _kidney(data: Datasets, analysis: Analysis, subject: str, rule: BaselineRule) -> _Kidney:
    before, seqs = _renal_baseline(data, analysis, subject, rule)
    after: dict[str, tuple[float, RenalState]] = {}
    for visit in data.study.schedule.visits:
        if visit.day > data.study.visit_of_anchor().day:
            state, state_seqs = _renal_state(data, analysis, subject, visit.id)
            after[visit.id] = round(visit.day / 30.4375, 1), state
            seqs += state_seqs
    return _Kidney(before, after, tuple(sorted(set(seqs))))


def _renal_row(analysis: Analysis, kidneys: dict[str, _Kidney], name: str) -> RenalRow:
    # What the study collects is never assumed: if it is missing, the class is unknown.
    assume = set(ASSUMABLE) - set(analysis.values)
    at, ever, by_visit = {}, {}, {}
    for subject, kidney in kidneys.items():
        seen = by_visit[subject] = {
            visit: classify(DEFINITIONS[name], kidney.before, state, months=months, assume=assume)
            for visit, (months, state) in kidney.after.items()
        }
        at[subject] = seen[analysis.at]
        ever[subject] = best(list(seen.values()))
    seqs = tuple(sorted({s for k in kidneys.values() for s in k.seqs}))
    return RenalRow(name, at, ever, by_visit, seqs)


def _renal_state(
    data: Datasets, analysis: Analysis, subject: str, visit: str
) -> tuple[RenalState, tuple[int, ...]]:
    """What one visit says of the kidney; each field from the measure or item that the study file names."""
    fields: dict[str, float | bool | None] = {}
    seqs: list[int] = []
    for field, source in analysis.values.items():
        if source in {m.id for m in data.study.measures}:
            value = data.at(source, subject, visit)
            fields[field] = _renal_value(data, field, source, value.value if value else None)
            seqs += value.seqs if value else ()
        else:
            datum = data.records.at(subject, source, visit)
            fields[field] = _renal_item(field, datum)
            seqs += [datum.entry.seq] if datum else []
    return RenalState(**fields), tuple(seqs)  # type: ignore[arg-type]


def _renal_value(data: Datasets, field: str, source: str, value: float | None) -> float | None:
    """A measure's value in the unit of the field it answers."""
    if value is None or value < 0:
        return None  # no definition takes a negative value; the checks name it
    unit = measure_unit(data.records, data.study.measure(source))
    return convert(value, unit, VALUE_UNITS[field], analyte=ANALYTES.get(field))


def _renal_item(field: str, datum: Datum | None) -> float | bool | None:
    """An item's value in the unit of the field it answers; a yes or no as it is."""
    if datum is None or isinstance(datum.value, bool):
        return datum.value if datum and isinstance(datum.value, bool) else None
    if datum.number is None or datum.number < 0 or not VALUE_UNITS[field]:
        return None
    return convert(datum.number, datum.item.unit, VALUE_UNITS[field], analyte=ANALYTES.get(field))


def _renal_baseline(
    data: Datasets, analysis: Analysis, subject: str, rule: BaselineRule
) -> tuple[RenalState, tuple[int, ...]]:
    visit = rule.visit or data.study.visit_of_anchor().id
    state, seqs = _renal_state(data, analysis, subject, visit)
    if rule.visit:
        return state, seqs
    measures = {m.id for m in data.study.measures}
    for field, source in analysis.values.items():
        if source in measures:
            base = data.baseline(source, subject, rule)
            before = _renal_value(data, field, source, mean_of(v.value for v in base))
            state = replace(state, **{field: before})  # type: ignore[arg-type]
            seqs += tuple(s for v in base for s in v.seqs)
    return state, tuple(sorted(set(seqs)))


# -- outcomes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """One analysis under one baseline rule.

    ``pvalue`` is the P of the analysis's own method (exact by default) and ``published`` that of the variant
    which the study file says a paper used; both None where the method has no test. ``unit`` is the measure's.
    """

    analysis: Analysis
    measure: Measure | None
    unit: str
    baseline: BaselineRule
    primary_baseline: bool
    pairs: tuple[Pair, ...]
    comparison: BeforeAfter | None
    responders: Responders | None
    renal: tuple[RenalRow, ...]
    pvalue: float | None
    published: float | None

    @property
    def id(self) -> str:
        """Analysis id and baseline rule id, for links."""
        return f"{self.analysis.id}.{self.baseline.id}"

    @property
    def seqs(self) -> tuple[int, ...]:
        """Every ledger entry behind this outcome."""
        found = {s for p in self.pairs for s in (*p.before_seqs, *p.after_seqs)}
        return tuple(sorted(found | {s for r in self.renal for s in r.seqs}))


def run_analyses(data: Datasets) -> tuple[Outcome, ...]:
    """Every analysis of the study file under every baseline rule, in the file's order."""
    return tuple(
        METHODS[analysis.method](data, analysis, rule)
        for analysis in data.study.analyses
        for rule in data.study.baseline.rules
    )


def _paired(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    assert analysis.measure is not None
    measure = data.study.measure(analysis.measure)
    pairs = data.pairs(measure.id, analysis.at, rule)
    comparison = before_after(
        [p.before for p in pairs],
        [p.after for p in pairs],
        conf_level=analysis.conf_level,
        zeros=analysis.zeros,
        log=measure.scale == "log",
        better=measure.better or "lower",
    )
    change = [p.change for p in pairs if p.change is not None]
    published = analysis.published
    return Outcome(
        analysis,
        measure,
        measure_unit(data.records, measure),
        rule,
        rule == data.study.baseline.primary,
        pairs,
        comparison,
        None,
        (),
        variant_pvalue(change, analysis),
        variant_pvalue(change, published) if published else None,
    )


def variant_pvalue(change: Sequence[float], test: Analysis | PublishedTest) -> float | None:
    """The P of a named variant of a test; None when the method has no test or the data allow none."""
    side = test.alternative
    try:
        if test.method == "paired_t":
            return paired_t(change, alternative=side).pvalue
        if test.method == "signed_rank":
            return signed_rank(change, zeros=test.zeros, alternative=side).pvalue
        if test.method == "signed_rank_normal":
            return signed_rank(
                change,
                zeros=test.zeros,
                alternative=side,
                method="normal",
                correction=test.correction,
            ).pvalue
    except ValueError:
        return None
    return None


def _responder(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    assert analysis.measure is not None and analysis.response is not None
    measure = data.study.measure(analysis.measure)
    pairs = data.pairs(measure.id, analysis.at, rule)
    found = _responders(analysis.response, pairs, analysis.conf_level)
    main = rule == data.study.baseline.primary
    unit = measure_unit(data.records, measure)
    return Outcome(analysis, measure, unit, rule, main, pairs, None, found, (), None, None)


def _renal_response(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    rows = _renal(data, analysis, rule)
    main = rule == data.study.baseline.primary
    return Outcome(analysis, None, "", rule, main, (), None, None, rows, None, None)


METHODS = {
    "descriptive": _paired,
    "paired_t": _paired,
    "signed_rank": _paired,
    "signed_rank_normal": _paired,
    "responders": _responder,
    "renal_response": _renal_response,
}


# -- what a before-after change is worth ----------------------------------------------------------


@dataclass(frozen=True)
class Chance:
    """How often a trial like this is 'significant' when the cells do nothing.

    ``t`` and ``signed_rank`` are the shares of trials with two-sided P < 0.05 by the paired t test and the exact
    signed-rank test when patients change only as an untreated or standard-care group did; ``error`` is the
    Monte Carlo standard error of the larger share.
    """

    comparator: Comparator
    n: int
    t: float
    signed_rank: float
    error: float
    trials: int


def chance_without_effect(
    comparator: Comparator, n: int, rng: np.random.Generator, *, trials: int = 20_000
) -> Chance:
    """Simulate trials of ``n`` patients whose change is normal with a comparator's mean and SD."""
    change = rng.normal(comparator.change, comparator.sd, size=(trials, n))
    share_t = float(np.mean(_significant_t(change)))
    share_w = float(np.mean(_significant_signed_rank(change)))
    worst = max(share_t, share_w)
    return Chance(comparator, n, share_t, share_w, sqrt(worst * (1 - worst) / trials), trials)


def _significant_t(change: Changes) -> NDArray[np.bool_]:
    from scipy.special import stdtrit

    n = change.shape[1]
    t = change.mean(axis=1) / (change.std(axis=1, ddof=1) / sqrt(n))
    return np.asarray(np.abs(t) > stdtrit(n - 1, 0.975))


def _significant_signed_rank(change: Changes) -> NDArray[np.bool_]:
    """The exact test's verdict; normal draws have no ties, so T+ alone decides."""
    n = change.shape[1]
    ranks = np.abs(change).argsort(axis=1).argsort(axis=1) + 1
    positive = np.where(change > 0, ranks, 0).sum(axis=1)
    counts = np.ones(1)
    for rank in range(1, n + 1):
        counts = np.concatenate([counts, np.zeros(rank)]) + np.concatenate([np.zeros(rank), counts])
    lower = np.cumsum(counts) / counts.sum()
    smaller = np.minimum(positive, n * (n + 1) // 2 - positive)
    return np.asarray(2 * lower[smaller] < 0.05)


def chances(data: Datasets, measure: str, n: int) -> tuple[Chance, ...]:
    """:func:`chance_without_effect` for every comparator of a measure, each with its own random stream."""
    return tuple(
        chance_without_effect(c, n, np.random.default_rng([data.study.seed, crc32(c.id.encode())]))
        for c in data.study.comparators
        if c.measure == measure and n >= 2
    )


# -- everything at once ---------------------------------------------------------------------------


@dataclass(frozen=True)
class PublishedCheck:
    """A published number beside what the records give.

    ``agrees``: the value rounded half up to the published decimals is the published one; None when the
    study file names no way to it or the records do not hold it.
    """

    text: str
    value: str
    computed: float | None
    agrees: bool | None
    shown: str
    href: str


@dataclass(frozen=True)
class Results:
    """All that a report prints, worked out once from one data cut."""

    data: Datasets
    outcomes: tuple[Outcome, ...]
    assessments: tuple[Assessment, ...]
    exposures: tuple[Exposure, ...]
    events: tuple[AdverseEvent, ...]
    overview: tuple[EventRow, ...]
    terms: tuple[EventRow, ...]
    stopping: tuple[StoppingState, ...]
    deviations: tuple[Deviation, ...]
    problems: tuple[Problem, ...]
    chances: dict[str, tuple[Chance, ...]]
    published: tuple[PublishedCheck, ...]

    @property
    def study(self) -> Study:
        """The study file's value."""
        return self.data.study

    def of(self, analysis: str) -> list[Outcome]:
        """The outcomes of one analysis, the primary baseline rule first."""
        return [o for o in self.outcomes if o.analysis.id == analysis]

    def main(self, analysis: str) -> Outcome:
        """The outcome of one analysis under the primary baseline rule."""
        return next(o for o in self.of(analysis) if o.primary_baseline)


def run(records: Records) -> Results:
    """Carry out the whole study file over one data cut."""
    data = Datasets(records)
    outcomes = run_analyses(data)
    infusions = exposures(records)
    tested: dict[str, int] = {}
    for o in outcomes:
        if o.measure and o.comparison and o.primary_baseline:
            tested.setdefault(o.measure.id, o.comparison.n)
    partial = Results(
        data,
        outcomes,
        tuple(assess(records, s) for s in records.subjects),
        infusions,
        adverse_events(records),
        overview(records),
        by_term(records),
        stopping_states(records),
        deviations(records, infusions),
        tuple(check_records(records)),
        {m: chances(data, m, n) for m, n in tested.items()},
        (),
    )
    return replace(partial, published=published_checks(partial))


def deviations(records: Records, infusions: Sequence[Exposure]) -> tuple[Deviation, ...]:
    """Deviations reported on forms, and those that the study file's own rules find."""
    found = list(reported_deviations(records))
    for state in visit_states(records, date.min):
        if state.out_of_window:
            side = "after" if state.out_of_window > 0 else "before"
            what = f"visit {state.visit.id} done {abs(state.out_of_window)} days {side} its window"
            seqs = [
                d.entry.seq
                for d in records.data("subject", state.subject)
                if d.entry.key.visit == state.visit.id and d.item.role == "visit date"
            ]
            found.append(
                Deviation(state.subject, what, state.done_on, None, "visit window", tuple(seqs))
            )
    for subject in records.treated:
        found += _entry_deviation(records, subject)
    for e in infusions:
        for finding in e.findings:
            if finding.met is False:
                what = f"{finding.text}: {finding.found}"
                found.append(Deviation(e.subject, what, e.day, None, "product rule", finding.seqs))
    return tuple(found)


def _entry_deviation(records: Records, subject: str) -> list[Deviation]:
    """A subject infused although a criterion speaks against it, or is not known to hold."""
    assessment = assess(records, subject)
    if assessment.decision == "eligible":
        return []
    open_ = [r for r in assessment.results if r.met is not True]
    ids = ", ".join(f"{r.criterion.id} {r.words}" for r in open_)
    known = (
        "although not eligible"
        if assessment.decision == "not eligible"
        else "with eligibility unknown"
    )
    seqs = tuple(sorted({s for r in open_ for e in r.evidence for s in e.seqs}))
    what = f"infused {known} ({ids})"
    return [Deviation(subject, what, records.anchor(subject), None, "eligibility", seqs)]


def published_checks(results: Results) -> tuple[PublishedCheck, ...]:
    """Every number of the study file's ``published`` list against these records."""
    return tuple(
        _published_check(results, n.text, n.value, n.from_) for n in results.study.published.numbers
    )


def _published_check(results: Results, text: str, value: str, path: str | None) -> PublishedCheck:
    computed, href = resolve(results, path) if path else (None, "")
    if computed is None:
        return PublishedCheck(text, value, None, None, "–", "")
    decimals = len(value.partition(".")[2])
    agrees = round_half_up(computed, decimals) == value
    shown = round_half_up(computed, decimals + (0 if float(computed).is_integer() else 2))
    return PublishedCheck(text, value, computed, agrees, shown, href)


def round_half_up(value: float, decimals: int) -> str:
    """Decimal rounding as people and papers do it: 2.25 to 2.3."""
    from decimal import ROUND_HALF_UP, Context, Decimal

    quantum, long = Decimal(1).scaleb(-decimals), Context(prec=400)
    return str(Decimal(repr(float(value))).quantize(quantum, ROUND_HALF_UP, long))


def resolve(results: Results, path: str) -> tuple[float | None, str]:
    """The number a path names (``primary.sledai.before.mean``) and the report's anchor for it.

    Paths: ``subjects.treated``; ``subjects.ITEM.median|mean|sd|minimum|maximum``;
    ``subjects.ITEM.CHOICE.percent|count``; ``ANALYSIS.before|after|change.STATISTIC``; ``ANALYSIS.p`` and
    ``ANALYSIS.published.p``; ``ANALYSIS.responders.count|percent``; ``safety.TERM.subjects|percent`` with
    ``any``, ``serious`` and ``other`` (not among the expected terms) in place of a term.
    """
    head, _, rest = path.partition(".")
    if head == "subjects":
        return _resolve_subjects(results, rest.split("."))
    if head == "safety":
        return _resolve_safety(results, rest.split("."))
    found = [a for a in results.study.analyses if path.startswith(a.id + ".")]
    if not found:
        return None, ""
    analysis = max(found, key=lambda a: len(a.id))
    outcome = results.main(analysis.id)
    return _resolve_outcome(outcome, path[len(analysis.id) + 1 :].split(".")), f"#from-{outcome.id}"


def _resolve_subjects(results: Results, parts: list[str]) -> tuple[float | None, str]:
    records = results.data.records
    if parts == ["treated"]:
        return float(len(records.treated)), "#from-flow"
    data = [records.latest(s, parts[0]) for s in records.treated]
    known = [d.value for d in data if d is not None and d.value is not None]
    href = f"#from-char-{parts[0]}"
    if len(parts) == 2:
        description = describe([float(v) for v in known if isinstance(v, float)])
        return getattr(description, parts[1], None), href
    if len(parts) == 3 and known:
        wanted = {"yes": True, "no": False}.get(parts[1], parts[1])
        count = sum(v == wanted or v == parts[1] for v in known)
        return (100 * count / len(known) if parts[2] == "percent" else float(count)), href
    return None, ""


def _resolve_safety(results: Results, parts: list[str]) -> tuple[float | None, str]:
    if len(parts) != 2:
        return None, ""
    treated = results.data.records.treated
    if not treated:
        return None, ""  # nobody could have an event: 0 of 0 reproduces nothing
    expected = {e.term.casefold() for e in results.study.safety.expected}
    tests: dict[str, Callable[[AdverseEvent], bool]] = {
        "any": lambda e: True,
        "serious": lambda e: e.serious is not False,
        "other": lambda e: e.term.casefold() not in expected,
    }

    def of_term(event: AdverseEvent) -> bool:
        return event.term.casefold() == parts[0].casefold()

    test = tests.get(parts[0], of_term)
    events = [e for e in results.events if e.emergent is not False and test(e)]
    row = count_events(parts[0], events, treated)
    if parts[1] == "percent":
        return 100 * row.subjects / row.of, "#from-safety"
    return (float(row.subjects) if parts[1] == "subjects" else None), "#from-safety"


def _resolve_outcome(outcome: Outcome, parts: list[str]) -> float | None:
    if parts == ["p"]:
        return outcome.pvalue
    if parts == ["published", "p"]:
        return outcome.published
    if len(parts) == 2 and outcome.comparison and parts[0] in ("before", "after", "change"):
        value = getattr(getattr(outcome.comparison, parts[0]), parts[1], None)
        return None if value is None else float(value)
    if len(parts) == 2 and outcome.responders and parts[0] == "responders":
        count = len(outcome.responders.responders)
        known = outcome.responders.known
        return float(count) if parts[1] == "count" else (100 * count / known if known else None)
    return None
