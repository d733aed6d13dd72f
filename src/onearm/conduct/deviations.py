"""Protocol deviations: those reported on forms, and those that the study file's own rules find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from onearm.conduct.subjects import MISSED_REASONS, exceptions, open_criteria, visit_rows
from onearm.eligibility import assess
from onearm.product import Exposure
from onearm.records import Records
from onearm.safety import Deviation, reported_deviations
from onearm.sentences import Sentence, sentence, term


def deviations(records: Records, infusions: Sequence[Exposure]) -> tuple[Deviation, ...]:
    """Every deviation: windows act by themselves, so do criteria, exceptions and product rules."""
    found = list(reported_deviations(records))
    for row in visit_rows(records, date.min):
        state = row.state
        if row.word == "missed" and row.missed is not None and state.state != "ended":
            reason = row.missed.reason
            coded = term(reason) if reason in MISSED_REASONS else reason
            what = sentence("visit {visit} missed: {reason}", visit=state.visit.id, reason=coded)
            missed = (row.missed.seq,)
            found.append(Deviation(state.subject, what, None, None, "missed visit", missed))
        if state.out_of_window:
            what = _outside(state.visit.id, state.out_of_window)
            seqs = [
                d.entry.seq
                for d in records.of_visit(state.subject, state.visit.id)
                if d.item.role == "visit date"
            ]
            found.append(
                Deviation(state.subject, what, state.done_on, None, "visit window", tuple(seqs))
            )
    for subject in records.subjects:
        for criterion, entry in exceptions(records, subject).items():
            what = sentence(
                "exception to criterion {criterion}: {reason}",
                criterion=criterion,
                reason=entry.reason,
            )
            found.append(Deviation(subject, what, None, None, "signed exception", (entry.seq,)))
    for subject in records.treated:
        found += _entry_deviation(records, subject)
    for e in infusions:
        for finding in e.findings:
            if finding.met is False:
                what = sentence("{rule}: {found}", rule=finding.text, found=finding.found)
                found.append(Deviation(e.subject, what, e.day, None, "product rule", finding.seqs))
    return tuple(found)


def _outside(visit: str, days: int) -> Sentence:
    """A visit outside its window: days after it, or before it where negative."""
    if days > 0:
        return sentence("visit {visit} done {days} days after its window", visit=visit, days=days)
    return sentence("visit {visit} done {days} days before its window", visit=visit, days=-days)


def _entry_deviation(records: Records, subject: str) -> list[Deviation]:
    """A subject infused although a criterion speaks against it, or is not known to hold.

    A criterion with a signed exception is a deviation already, and is not counted twice.
    """
    assessment = assess(records, subject)
    names = open_criteria(records, assessment)
    open_ = [r for r in assessment.results if r.criterion.id in names]
    if not open_:
        return []
    ids = tuple(sentence("{id} {state}", id=r.criterion.id, state=term(r.words)) for r in open_)
    what = (
        sentence("infused although not eligible ({ids})", ids=ids)
        if any(r.met is False for r in open_)
        else sentence("infused with eligibility unknown ({ids})", ids=ids)
    )
    seqs = tuple(sorted({s for r in open_ for e in r.evidence for s in e.seqs}))
    return [Deviation(subject, what, records.anchor(subject), None, "eligibility", seqs)]
