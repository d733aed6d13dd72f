"""Eligibility with its evidence: each criterion met, not met or unknown, and the entries it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from onearm.dates import Duration
from onearm.instruments import Bounds
from onearm.records import Datum, Records, Score
from onearm.study import Criterion, Explanation

Decision = Literal["eligible", "not eligible", "undetermined"]


@dataclass(frozen=True)
class Evidence:
    """What one name of a rule rests on.

    Attributes
    ----------
    name
        Item (``UPROT24H``) or score (``SLEDAI.total``).
    value
        As used by the rule: for a score its bounds; None when nothing usable is recorded.
    shown
        The value as recorded, with its unit, or why there is none; for a score its bounds.
    date
        Calendar date of the value, None when undated.
    within
        Inside the criterion's time limit: True, False, or None when there is no limit.
    seqs
        Ledger entries behind it.
    """

    name: str
    value: float | bool | str | date | Bounds | None
    shown: str
    date: date | None
    within: bool | None
    seqs: tuple[int, ...]


@dataclass(frozen=True)
class CriterionResult:
    """One criterion of one subject.

    ``met`` is the truth of the criterion as protocol prose means it: True speaks for the subject (an
    inclusion rule holds, an exclusion rule does not), False against, None is unknown. ``explanation`` holds
    the truth of the rule itself and of each of its parts, AND and OR visible.
    """

    criterion: Criterion
    inclusion: bool
    met: bool | None
    evidence: tuple[Evidence, ...]
    explanation: Explanation
    note: str

    @property
    def words(self) -> str:
        """``met``, ``not met`` or ``unknown``."""
        return {True: "met", False: "not met", None: "unknown"}[self.met]


@dataclass(frozen=True)
class Assessment:
    """All criteria of one subject and the decision that follows."""

    subject: str
    reference: date | None
    results: tuple[CriterionResult, ...]
    decision: Decision
    reasons: tuple[str, ...]


def assess(records: Records, subject: str) -> Assessment:
    """Weigh every criterion for one subject.

    A value counts when it is dated on or before the reference date (the study file's
    ``population.reference``) and inside the criterion's limit; the latest such value is used. A value
    outside the limit, missing or unreadable leaves its part *unknown*, never false.
    """
    reference = _reference_date(records, subject)
    population = records.study.population
    results = tuple(
        [_result(records, subject, c, True, reference) for c in population.inclusion]
        + [_result(records, subject, c, False, reference) for c in population.exclusion]
    )
    return Assessment(subject, reference, results, _decision(results), _reasons(results))


def _reference_date(records: Records, subject: str) -> date | None:
    item = records.study.population.reference
    datum = records.latest(subject, item) if item else None
    return datum.value if datum and isinstance(datum.value, date) else None


def _decision(results: tuple[CriterionResult, ...]) -> Decision:
    if any(r.met is False for r in results):
        return "not eligible"
    return "undetermined" if any(r.met is None for r in results) else "eligible"


def _reasons(results: tuple[CriterionResult, ...]) -> tuple[str, ...]:
    return tuple(
        f"{r.criterion.id} {r.words}: {r.criterion.text}" + (f" ({r.note})" if r.note else "")
        for r in results
        if r.met is not True
    )


def _result(
    records: Records, subject: str, criterion: Criterion, inclusion: bool, reference: date | None
) -> CriterionResult:
    rule = records.study.rule(criterion.rule)
    evidence = tuple(
        _evidence(records, subject, name, criterion.within, reference) for name in rule.names
    )
    explanation = rule.explain({e.name: e.value for e in evidence})
    truth = explanation.truth
    met = truth if inclusion or truth is None else not truth
    open_ = [
        e
        for e in evidence
        if e.value is None or (isinstance(e.value, Bounds) and not e.value.known)
    ]
    note = "" if met is not None else "; ".join(f"{e.name} {e.shown}" for e in open_)
    return CriterionResult(criterion, inclusion, met, evidence, explanation, note)


def _evidence(
    records: Records, subject: str, name: str, within: Duration | None, reference: date | None
) -> Evidence:
    if "." in name:
        return _score_evidence(records, subject, name, within, reference)
    if name in {m.id for m in records.study.measures if m.derive}:
        return _derived_evidence(records, subject, name, within, reference)
    found = [d for d in records.of_item(subject, name) if _not_after(d.date, reference)]
    dated = [d for d in found if d.date]
    datum = (dated or found)[-1] if found else None
    if datum is None:
        return Evidence(name, None, "not recorded", None, None, ())
    inside = _inside(datum.date, within, reference)
    shown = _shown(datum)
    if inside is False:
        shown = f"{shown} of {datum.date}, outside the limit of {within.words() if within else ''}"
    value = datum.value if inside is not False else None
    return Evidence(name, value, shown, datum.date, inside, (datum.entry.seq,))


def _derived_evidence(
    records: Records, subject: str, name: str, within: Duration | None, reference: date | None
) -> Evidence:
    measure = records.study.measure(name)
    found = [d for d in records.derived(measure, subject) if _not_after(d.date, reference)]
    if not found:
        return Evidence(name, None, "not recorded", None, None, ())
    latest = max(found, key=lambda d: d.date or date.min)
    inside = _inside(latest.date, within, reference)
    value = latest.value if inside is not False else None
    return Evidence(name, value, f"{latest.value:.1f}", latest.date, inside, latest.seqs)


def _score_evidence(
    records: Records, subject: str, name: str, within: Duration | None, reference: date | None
) -> Evidence:
    score = _latest_score(records, subject, name, reference)
    if score is None:
        return Evidence(name, None, "not recorded", None, None, ())
    bounds = score.bounds[name.partition(".")[2]]
    inside = _inside(score.date, within, reference)
    value = bounds if inside is not False else None
    return Evidence(name, value, str(bounds), score.date, inside, score.seqs)


def _latest_score(
    records: Records, subject: str, name: str, reference: date | None
) -> Score | None:
    form = name.partition(".")[0]
    found = [s for s in records.scores_of(subject, form) if _not_after(s.date, reference)]
    dated = [s for s in found if s.date]
    return (dated or found)[-1] if found else None


def _not_after(day: date | None, reference: date | None) -> bool:
    return day is None or reference is None or day <= reference


def _inside(day: date | None, within: Duration | None, reference: date | None) -> bool | None:
    if within is None:
        return None
    return day is not None and reference is not None and within.before(reference) <= day


def _shown(datum: Datum) -> str:
    if datum.entry.value is None:
        return "redacted" if datum.entry.redacted else datum.entry.missing
    return f"{datum.entry.value} {datum.entry.unit}".strip()
