"""All that a report prints, worked out once from one data cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onearm.analysis.background import Chance, chances
from onearm.analysis.comparison import complete
from onearm.analysis.course import untreated_course
from onearm.analysis.multiplicity import Judged, judge
from onearm.analysis.outcomes import Outcome, run_analyses
from onearm.analysis.published import PublishedCheck, published_checks
from onearm.checks import check_records
from onearm.conduct import deviations
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
