"""How a measure runs untreated: as the study file states it, or as two readings before the infusion give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

from onearm.datasets import Datasets, Pair
from onearm.stats.regression_to_mean import NaturalHistory, run_in
from onearm.study import BaselineRule, Untreated


@dataclass(frozen=True)
class Course:
    """The untreated course of one measure, on the scale that is analysed.

    Attributes
    ----------
    stated
        The study file's entry.
    history
        Mean, SD and rho of the patients screened; of natural logarithms where ``log``.
    log
        Whether the measure is analysed on the log scale.
    readings
        Both run-in readings by subject, on that scale; empty where the course is stated.
    """

    stated: Untreated
    history: NaturalHistory
    log: bool
    readings: dict[str, tuple[float, float]]

    def scaled(self, value: float) -> float:
        """Bring a value of the measure to the scale that is analysed; it is above zero on a log scale."""
        return log(value) if self.log else value

    def with_rho(self, rho: float) -> Course:
        """The same course with another rho, taken as known."""
        history = replace(self.history, rho=rho, rho_se=0.0, covariance=0.0)
        return replace(self, history=history)


#: Why regression to the mean is not taken off a baseline that had no part in the decision on entry.
NOT_ENTRY = "this baseline is not the reading that decided entry, which has regressed already"


def course_from(data: Datasets, measure: str, rule: BaselineRule) -> tuple[Course | None, str]:
    """The untreated course for a baseline, or None and why there is none.

    The primary baseline is taken for the reading on which entry was decided; the mean of all readings before holds
    it too. Any other has regressed already.
    """
    course, why = untreated_course(data, measure)
    if course is not None and course.readings and rule.visit != course.stated.run_in[0]:
        first = course.stated.run_in[0]
        return (
            None,
            f"the run-in tells the regression of the reading at {first}; this baseline is another",
        )
    entry = rule == data.study.baseline.primary or rule.rule == "mean before infusion"
    return (course, why) if entry or course is None else (None, NOT_ENTRY)


def common_readings(pairs: Sequence[Pair]) -> int:
    """How many readings every value before is the mean of; one where that differs between patients."""
    counts = {p.readings for p in pairs}
    return counts.pop() if len(counts) == 1 else 1


def untreated_course(data: Datasets, measure: str) -> tuple[Course | None, str]:
    """The untreated course of a measure, or None and why there is none."""
    stated = next((u for u in data.study.untreated if u.measure == measure), None)
    if stated is None:
        return None, "the study file does not say how this measure runs untreated"
    is_log = data.study.measure(measure).scale == "log"
    if stated.run_in:
        return _estimated(data, stated, is_log)
    assert stated.mean is not None and stated.sd is not None and stated.rho is not None
    history = NaturalHistory(
        mean=log(stated.mean) if is_log else stated.mean,
        sd=stated.sd,
        rho=stated.rho,
        mean_se=stated.mean_se or 0.0,
        rho_se=stated.rho_se or 0.0,
    )
    return Course(stated, history, is_log, {}), ""


def _estimated(data: Datasets, stated: Untreated, is_log: bool) -> tuple[Course | None, str]:
    """The course from the run-in readings of the treated subjects."""
    first, second = stated.run_in
    readings: dict[str, tuple[float, float]] = {}
    for subject in data.records.treated:
        found = [data.at(stated.measure, subject, visit) for visit in (first, second)]
        values = [v.value for v in found if v is not None and v.value is not None]
        if len(values) == 2 and (not is_log or min(values) > 0):
            a, b = (log(v) for v in values) if is_log else values
            readings[subject] = (a, b)
    try:
        history = run_in([a for a, _ in readings.values()], [b for _, b in readings.values()])
    except ValueError as error:
        return None, f"run-in {first} and {second}: {error}"
    return Course(stated, history, is_log, readings), ""
