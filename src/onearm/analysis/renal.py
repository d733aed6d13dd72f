"""Renal response of every patient by published definitions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onearm.datasets import Datasets, mean_of, measure_unit
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
from onearm.records import Datum
from onearm.study import Analysis, BaselineRule
from onearm.units import convert


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


def renal_rows(data: Datasets, analysis: Analysis, rule: BaselineRule) -> tuple[RenalRow, ...]:
    """Every definition of the analysis over every treated subject, under one baseline rule."""
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
