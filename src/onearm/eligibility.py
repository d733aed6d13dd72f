"""Eligibility with its evidence: each criterion met, not met or unknown, and the entries it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from onearm.dates import Duration
from onearm.instruments import Bounds
from onearm.records import Datum, Records, latest_of
from onearm.sentences import sentence, term
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
        Known to lie inside the criterion's time limit: True, False, or None when there is no limit.
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
    ``population.reference``; before that is recorded, the date of infusion) and inside the criterion's
    limit; the latest such value is used. A value outside the limit, missing or unreadable leaves its part
    *unknown*, never false.
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
    datum = latest_of(
        d
        for d in records.of_item(subject, name)
        if _counts(records, subject, d.date, d.entry.key.visit, reference)
    )
    if datum is None:
        return Evidence(name, None, term("not recorded"), None, None, ())
    seqs = (datum.entry.seq,)
    return _limited(name, datum.value, _shown(datum), datum.date, seqs, within, reference)


def _derived_evidence(
    records: Records, subject: str, name: str, within: Duration | None, reference: date | None
) -> Evidence:
    found = [
        d
        for d in records.derived(records.study.measure(name), subject)
        if _counts(records, subject, d.date, d.visit, reference)
    ]
    if not found:
        return Evidence(name, None, term("not recorded"), None, None, ())
    last = max(found, key=lambda d: d.date or date.min)
    shown = f"{last.value:.1f}"
    return _limited(name, last.value, shown, last.date, last.seqs, within, reference)


def _score_evidence(
    records: Records, subject: str, name: str, within: Duration | None, reference: date | None
) -> Evidence:
    form, _, part = name.partition(".")
    found = [
        s
        for s in records.scores_of(subject, form)
        if _counts(records, subject, s.date, s.visit, reference)
    ]
    if not found:
        return Evidence(name, None, term("not recorded"), None, None, ())
    last = max(found, key=lambda s: s.date or date.min)
    bounds = last.bounds[part]
    return _limited(name, bounds, str(bounds), last.date, last.seqs, within, reference)


def _counts(
    records: Records, subject: str, day: date | None, visit: str, reference: date | None
) -> bool:
    """Dated up to the reference date, or up to the infusion while there is no reference date.

    What is not dated counts unless it stands at a visit after the infusion.
    """
    if day is None:
        return visit not in {v.id for v in records.study.schedule.visits if v.day > 1}
    last = reference or records.anchor(subject)
    return last is None or day <= last


def _limited(
    name: str,
    value: float | bool | str | date | Bounds | None,
    shown: str,
    day: date | None,
    seqs: tuple[int, ...],
    within: Duration | None,
    reference: date | None,
) -> Evidence:
    """Evidence under a time limit: outside it, or where that cannot be told, nothing is known."""
    if within is None:
        return Evidence(name, value, shown, day, None, seqs)
    if day is not None and reference is not None and within.before(reference) <= day:
        return Evidence(name, value, shown, day, True, seqs)
    if reference is None:
        why = sentence(
            "without a reference date to count {within} back from", within=within.words()
        )
    elif day is None:
        why = sentence(
            "undated, so not known to be inside the limit of {within}", within=within.words()
        )
    else:
        why = sentence("of {day}, outside the limit of {within}", day=day, within=within.words())
    return Evidence(name, None, sentence("{shown}, {why}", shown=shown, why=why), day, False, seqs)


def _shown(datum: Datum) -> str:
    if datum.entry.value is None:
        return term("redacted" if datum.entry.redacted else datum.entry.missing)
    return f"{datum.entry.value} {datum.entry.unit}".strip()
