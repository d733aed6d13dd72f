"""Protocol deviations: those reported on forms, and those that the study file's own rules find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from onearm.checks import visit_states
from onearm.conduct.subjects import exceptions
from onearm.eligibility import assess
from onearm.product import Exposure
from onearm.records import Records
from onearm.safety import Deviation, reported_deviations


def deviations(records: Records, infusions: Sequence[Exposure]) -> tuple[Deviation, ...]:
    """Every deviation: windows act by themselves, so do criteria, exceptions and product rules."""
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
