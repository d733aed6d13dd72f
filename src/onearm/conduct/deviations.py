"""Protocol deviations: those reported on forms, and those that the study file's own rules find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from onearm.conduct.subjects import exceptions, open_criteria, visit_rows
from onearm.eligibility import assess
from onearm.product import Exposure
from onearm.records import Records
from onearm.safety import Deviation, reported_deviations


def deviations(records: Records, infusions: Sequence[Exposure]) -> tuple[Deviation, ...]:
    """Every deviation: windows act by themselves, so do criteria, exceptions and product rules."""
    found = list(reported_deviations(records))
    for row in visit_rows(records, date.min):
        state = row.state
        if row.word == "missed" and row.missed is not None and state.state != "ended":
            what = f"visit {state.visit.id} missed: {row.missed.reason}"
            missed = (row.missed.seq,)
            found.append(Deviation(state.subject, what, None, None, "missed visit", missed))
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
    for subject in records.subjects:
        for criterion, entry in exceptions(records, subject).items():
            what = f"exception to criterion {criterion}: {entry.reason}"
            found.append(Deviation(subject, what, None, None, "signed exception", (entry.seq,)))
    for subject in records.treated:
        found += _entry_deviation(records, subject)
    for e in infusions:
        for finding in e.findings:
            if finding.met is False:
                what = f"{finding.text}: {finding.found}"
                found.append(Deviation(e.subject, what, e.day, None, "product rule", finding.seqs))
    return tuple(found)


def _entry_deviation(records: Records, subject: str) -> list[Deviation]:
    """A subject infused although a criterion speaks against it, or is not known to hold.

    A criterion with a signed exception is a deviation already, and is not counted twice.
    """
    assessment = assess(records, subject)
    names = open_criteria(records, assessment)
    open_ = [r for r in assessment.results if r.criterion.id in names]
    if not open_:
        return []
    ids = ", ".join(f"{r.criterion.id} {r.words}" for r in open_)
    refuted = any(r.met is False for r in open_)
    known = "although not eligible" if refuted else "with eligibility unknown"
    seqs = tuple(sorted({s for r in open_ for e in r.evidence for s in e.seqs}))
    what = f"infused {known} ({ids})"
    return [Deviation(subject, what, records.anchor(subject), None, "eligibility", seqs)]
