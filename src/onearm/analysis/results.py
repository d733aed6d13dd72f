"""All that a report prints, worked out once from one data cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from onearm.analysis.background import Chance, chances
from onearm.analysis.comparison import complete
from onearm.analysis.course import untreated_course
from onearm.analysis.multiplicity import Judged, judge
from onearm.analysis.outcomes import Outcome, run_analyses
from onearm.analysis.published import PublishedCheck, published_checks
from onearm.checks import check_records, visit_states
from onearm.datasets import Datasets
from onearm.eligibility import Assessment, assess
from onearm.errors import Problem
from onearm.product import Exposure, exposures
from onearm.records import Records
from onearm.safety import (
    AdverseEvent,
    Deviation,
    EventRow,
    StoppingState,
    adverse_events,
    by_term,
    overview,
    reported_deviations,
    stopping_states,
)
from onearm.study import Study


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
    judged: tuple[Judged, ...]
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
        _chances(data, outcomes),
        judge(records.study.multiplicity, outcomes),
        (),
    )
    return replace(partial, published=published_checks(partial))


def _chances(data: Datasets, outcomes: Sequence[Outcome]) -> dict[str, tuple[Chance, ...]]:
    """The chance of a false success for each measure, from the complete pairs of its first analysis."""
    found: dict[str, tuple[Chance, ...]] = {}
    for o in outcomes:
        if o.measure and o.comparison and o.primary_baseline and o.measure.id not in found:
            course, _ = untreated_course(data, o.measure.id)
            found[o.measure.id] = chances(data, o.measure.id, complete(o.pairs)[0], course)
    return found


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
