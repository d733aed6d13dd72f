"""The longitudinal model: every visit of every patient at once, by the mixed model for repeated measures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, isnan, log
from typing import TYPE_CHECKING

import numpy as np

from onearm.analysis.comparison import BeforeAfter, before_after, complete, differences
from onearm.analysis.dropout import other_assumptions
from onearm.analysis.follow_up import Assumed
from onearm.analysis.worth import Line
from onearm.datasets import Datasets, Reading
from onearm.study import Analysis, BaselineRule, Measure

if TYPE_CHECKING:
    from onearm.stats.repeated_measures.fit import MMRM

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Change:
    """The change from baseline to one visit by the model.

    ``line`` holds estimate and interval, ratios of geometric means where the model is of logarithms; ``se`` and the
    statistic are on the scale that is modelled. ``df`` is the one used, beside it those of both informations. What is
    not defined (degrees of freedom at a boundary, and what rests on them) is None.
    """

    line: Line
    se: float | None
    df: float | None
    statistic: float | None
    pvalue: float | None
    df_observed: float | None
    df_expected: float | None


@dataclass(frozen=True)
class AtVisit:
    """One visit of the model; the baseline's id is empty where it is the value of no single visit.

    ``day`` is the planned study day, ``n`` the patients whose value the model has. ``mean`` is None where changes are
    modelled, ``change`` at the baseline, both without a fit; ``pairs``, of all with both values, only at the baseline.
    """

    id: str
    label: str
    day: int
    baseline: bool
    n: int = 0
    mean: Line | None = None
    change: Change | None = None
    pairs: BeforeAfter | None = None

    @property
    def key(self) -> str:
        """The visit of its readings: empty for the baseline."""
        return "" if self.baseline else self.id

    @property
    def offset(self) -> int:
        """Days from the infusion; there is no study day 0."""
        return self.day - 1 if self.day > 0 else self.day


@dataclass(frozen=True)
class Tried:
    """One structure of the study file's list: whether it was fitted, and what happened else."""

    covariance: str
    fitted: bool
    reason: str


@dataclass(frozen=True)
class Longitudinal:
    """The longitudinal model of one measure under one baseline rule.

    Attributes
    ----------
    visits
        The visits of the model in their order, the baseline among them.
    ratio
        Whether means are geometric and changes ratios: logarithms are modelled.
    patients, values, absent, left_out
        Patients and values in the model, the treated of whom it has none, and measurements of the treated that are
        not in it: at no visit of the model, beside the one that stands for a visit, or known only by bounds.
    tried
        The structures of covariance in the order of the study file, up to the one used.
    sds, correlations
        The fitted covariance as standard deviations and correlations, by the visits of the model.
    missing, missing_notes
        The change at the analysis's visit under other assumptions on missing values, and what to know of them; under
        the primary baseline alone, and empty when none is missing.
    why
        In words why there is no fit; empty where there is one.
    notes
        What a reader must know, in words.
    readings
        What stood for each visit.
    """

    visits: tuple[AtVisit, ...]
    ratio: bool
    patients: int
    values: int
    absent: tuple[str, ...]
    left_out: int
    tried: tuple[Tried, ...] = ()
    sds: tuple[float, ...] = ()
    correlations: tuple[tuple[float, ...], ...] = ()
    missing: tuple[Assumed, ...] = ()
    missing_notes: tuple[str, ...] = ()
    why: str = ""
    notes: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def covariance(self) -> str:
        """The structure used; empty where there was no fit."""
        return next((t.covariance for t in self.tried if t.fitted), "")

    @property
    def modelled(self) -> tuple[AtVisit, ...]:
        """The visits that have a row in the covariance."""
        return tuple(v for v in self.visits if v.n and (v.mean is not None or not v.baseline))

    def at(self, visit: str) -> AtVisit | None:
        """One visit by its id."""
        return next((v for v in self.visits if v.id == visit), None)


def longitudinal(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Longitudinal:
    """Fit the model of one analysis under one baseline rule; where it cannot be fitted, say why.

    The visits are those of the study file; under a baseline that is a rule over all values before the infusion, only
    those after it. A visit at which nobody was seen is no part of the model.
    """
    assert analysis.measure is not None
    measure = data.study.measure(analysis.measure)
    planned = _planned(data, analysis, measure, rule)
    readings = data.readings(measure.id, [v.id for v in planned if not v.baseline], rule)
    rows, why = _rows(data, analysis, measure, planned, readings)
    visits = tuple(replace(v, n=sum(r.visit == v.key for r in rows.used)) for v in planned)
    present = {r.subject for r in rows.used}
    if analysis.dependent == "CHG":  # the baseline has no row of its own
        visits = tuple(replace(v, n=len(present)) if v.baseline else v for v in visits)
    found = Longitudinal(
        tuple(_with_pairs(data, measure, v, rule, analysis) for v in visits),
        ratio=rows.logs,
        patients=len(present),
        values=len(rows.used),
        absent=tuple(s for s in data.records.treated if s not in present),
        left_out=_left_out(data, measure, readings),
        why=why or _why_not(visits),
        notes=rows.notes,
        readings=readings,
    )
    if not found.why and rule == data.study.baseline.primary:
        found = _with_missing(found, data, analysis, rule)
    if found.why:
        return found
    try:
        return _with_fit(found, analysis, rows)
    except ValueError as error:
        return replace(found, why=str(error))


def _with_missing(
    found: Longitudinal, data: Datasets, analysis: Analysis, rule: BaselineRule
) -> Longitudinal:
    """The change under other assumptions on missing values, from the baseline on."""
    first = next(i for i, v in enumerate(found.visits) if v.baseline)
    visits = [v.key for v in found.visits[first:] if v.n]
    values: dict[str, dict[str, float]] = {}
    for r in found.readings:
        if r.value is not None:
            value = log(r.value) if found.ratio else r.value
            values.setdefault(r.subject, {})[r.visit] = value
    missing, notes = other_assumptions(data, analysis, rule, values, visits, logs=found.ratio)
    return replace(found, missing=missing, missing_notes=notes)


# -- the rows of the model ------------------------------------------------------------------------


def _planned(
    data: Datasets, analysis: Analysis, measure: Measure, rule: BaselineRule
) -> list[AtVisit]:
    """The baseline and the other visits in the order of their days, with nobody seen yet."""
    named = set(analysis.visits)
    forms = data.study.forms_of(measure.id)
    visits = data.study.schedule.visits
    recorded = [v for v in visits if all(f.id in v.forms for f in forms)]
    chosen = [v for v in recorded if v.id in named or not named]
    if rule.visit:
        base = AtVisit(rule.visit, rule.label, data.study.visit(rule.visit).day, True)
        others = [v for v in chosen if v.id != rule.visit]
    else:
        before = [v.day for v in recorded if v.day <= 1]
        base = AtVisit("", rule.label, before[-1] if before else 1, True)
        others = [v for v in chosen if v.day > 1]
    rest = [AtVisit(v.id, v.label, v.day, False) for v in others]
    return sorted([base, *rest], key=lambda v: v.day)


@dataclass(frozen=True)
class _Row:
    """One value of the model: whose, at which visit (empty: the baseline), on the scale that is modelled."""

    subject: str
    visit: str
    y: float


@dataclass(frozen=True)
class _Rows:
    """The rows of the model, the centred covariates of each patient, and what to know of both."""

    used: tuple[_Row, ...]
    covariates: dict[str, list[float]]
    names: tuple[str, ...]
    logs: bool
    notes: tuple[str, ...]


def _rows(
    data: Datasets,
    analysis: Analysis,
    measure: Measure,
    planned: Sequence[AtVisit],
    readings: Sequence[Reading],
) -> tuple[_Rows, str]:
    """The rows of the model, and why there can be none; empty where there can."""
    known = [r for r in readings if r.value is not None]
    logs = measure.scale == "log"
    if logs and any(r.value <= 0 for r in known if r.value is not None):
        return _Rows((), {}, (), False, ()), "a value of 0 or below has no logarithm"
    values = {(r.subject, r.visit): r.value for r in known if r.value is not None}
    rows = _values(values, logs) if analysis.dependent == "AVAL" else _changes(values, logs)
    unseen = [v.label for v in planned if not v.baseline and not any(r.visit == v.id for r in rows)]
    notes = [f"No part of the model, because nobody was seen there yet: {', '.join(unseen)}."]
    notes = notes if rows and unseen else []
    base = {s: log(v) if logs else v for (s, visit), v in values.items() if not visit}
    columns, names = _covariates(data, analysis, [r.subject for r in rows], base, notes)
    used = tuple(r for r in rows if r.subject in columns)
    return _Rows(used, columns, names, logs, tuple(notes)), ""


def _values(values: dict[tuple[str, str], float], logs: bool) -> list[_Row]:
    return [_Row(s, visit, log(v) if logs else v) for (s, visit), v in values.items()]


def _changes(values: dict[tuple[str, str], float], logs: bool) -> list[_Row]:
    """Changes of the patients whose baseline is known."""
    rows = []
    for (s, visit), after in values.items():
        before = values.get((s, ""))
        if visit and before is not None:
            change = log(after) - log(before) if logs else differences([before], [after])[0]
            rows.append(_Row(s, visit, change))
    return rows


def _covariates(
    data: Datasets,
    analysis: Analysis,
    subjects: Sequence[str],
    base: dict[str, float],
    notes: list[str],
) -> tuple[dict[str, list[float]], tuple[str, ...]]:
    """The columns of the covariates by patient, centred at the mean of the patients, and their names."""
    answers = {
        name: base if name == "BASE" else _answers(data, subjects, name)
        for name in analysis.covariates
    }
    every = list(dict.fromkeys(subjects))
    known = [s for s in every if all(s in found for found in answers.values())]
    if len(known) < len(every):
        left = ", ".join(s for s in every if s not in known)
        notes.append(f"Left out, because a covariate is not recorded: {left}.")
    columns: dict[str, list[float]] = {}
    for name, found in answers.items():
        own = _columns(name, [found[s] for s in known])
        columns |= own
        if not own and known:
            notes.append(f"{name} is the same in every patient and is no part of the model.")
    centred = [[x - sum(column) / len(column) for x in column] for column in columns.values()]
    return {s: [column[i] for column in centred] for i, s in enumerate(known)}, tuple(columns)


def _answers(data: Datasets, subjects: Sequence[str], item: str) -> dict[str, float | str]:
    """What each patient answered, where anything is recorded; yes and no are 1 and 0."""
    found: dict[str, float | str] = {}
    for s in subjects:
        datum = data.records.latest(s, item)
        if datum is not None and datum.value is not None:
            value = datum.value
            found[s] = float(value) if isinstance(value, bool | float) else str(value)
    return found


def _columns(name: str, values: Sequence[float | str]) -> dict[str, list[float]]:
    """A number as it is, a choice as one column for each further answer; empty where all are the same."""
    different = list(dict.fromkeys(values))
    if len(different) < 2:
        return {}
    if all(isinstance(v, float) for v in values):
        return {name: [float(v) for v in values]}
    return {f"{name} {answer}": [float(v == answer) for v in values] for answer in different[1:]}


def _why_not(visits: Sequence[AtVisit]) -> str:
    """Why there can be no model at all; empty where there can."""
    if not any(v.n for v in visits if v.baseline):
        return "nobody has a value at baseline"
    if not any(v.n for v in visits if not v.baseline):
        return "nobody has a value at a later visit of the model"
    return ""


def _left_out(data: Datasets, measure: Measure, readings: Sequence[Reading]) -> int:
    """Measurements of the treated that stand for no visit of the model, or are known only by bounds."""
    used = {id(v) for r in readings if r.value is not None for v in r.values}
    every = [v for s in data.records.treated for v in data.of(measure.id, s)]
    return sum(id(v) not in used for v in every)


def _with_pairs(
    data: Datasets, measure: Measure, visit: AtVisit, rule: BaselineRule, analysis: Analysis
) -> AtVisit:
    """A visit with the tests of its complete pairs, whatever becomes of the model."""
    if visit.baseline:
        return visit
    before, after = complete(data.pairs(measure.id, visit.id, rule))
    compared = before_after(
        before,
        after,
        conf_level=analysis.conf_level,
        log=measure.scale == "log",
        better=measure.better or "lower",
    )
    return replace(visit, pairs=compared)


# -- the fit --------------------------------------------------------------------------------------


def _with_fit(found: Longitudinal, analysis: Analysis, rows: _Rows) -> Longitudinal:
    """The means, changes and covariance of the fit. ValueError tells in words why there is none."""
    from onearm.stats.repeated_measures.fit import mmrm_fit

    values = analysis.dependent == "AVAL"
    # Distances in time need days; everything else is told best by the visits' own names.
    spatial = any(name.startswith("sp_") for name in analysis.covariance)
    named = {v.key: v.offset if spatial else v.id or "baseline" for v in found.visits if v.n}
    if not values:
        named.pop("", None)
    columns = [v for v in found.visits if v.n and not v.baseline]
    x = [_design_row(r, columns, rows, intercept=values) for r in rows.used]
    names = [*(["baseline"] if values else []), *(v.id for v in columns), *rows.names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # every one of them is among the fit's notes
        fit = mmrm_fit(
            np.array([r.y for r in rows.used]),
            np.array(x),
            [r.subject for r in rows.used],
            [named[r.visit] for r in rows.used],
            visit_levels=list(named.values()),
            covariance=list(analysis.covariance),
            df=analysis.df,
            information=analysis.information,
            terms=names,
            compiled=False,
        )
    return _told(found, analysis, fit, columns)


def _design_row(
    row: _Row, columns: Sequence[AtVisit], rows: _Rows, *, intercept: bool
) -> list[float]:
    """One for the intercept (the baseline), one for the visit, the covariates of the patient."""
    at = [float(row.visit == v.id) for v in columns]
    return [*([1.0] if intercept else []), *at, *rows.covariates[row.subject]]


def _told(
    found: Longitudinal, analysis: Analysis, fit: MMRM, columns: Sequence[AtVisit]
) -> Longitudinal:
    """Means and changes at every visit, and the covariance as standard deviations and correlations."""
    values, level = analysis.dependent == "AVAL", analysis.conf_level
    first = int(values)  # the baseline is the intercept, and changes are the coefficients after it
    place = {v.id: first + i for i, v in enumerate(columns)}
    unit = np.eye(len(fit.coef))
    changes = fit.contrasts(unit[[place[v.id] for v in columns]], list(place), conf_level=level)
    scale = _Back(found.ratio)
    told = {
        v.id: Change(
            line=scale.line(changes, i),
            se=_known(changes["se"][i]),
            df=_known(changes["df"][i]),
            statistic=_known(changes["statistic"][i]),
            pvalue=_known(changes["p"][i]),
            df_observed=_known(fit.df_observed[place[v.id]]),
            df_expected=_known(fit.df_expected[place[v.id]]),
        )
        for i, v in enumerate(columns)
    }
    visits = tuple(replace(v, change=told.get(v.id)) if v.n else v for v in found.visits)
    if values:
        seen = [v for v in visits if v.n]
        rows = [unit[0] if v.baseline else unit[0] + unit[place[v.id]] for v in seen]
        means = fit.contrasts(np.array(rows), [v.id for v in seen], conf_level=level)
        lines = {v.key: scale.line(means, i) for i, v in enumerate(seen)}
        visits = tuple(replace(v, mean=lines.get(v.key)) if v.n else v for v in visits)
    sigma = np.asarray(fit.covariance_matrix)
    sds = np.sqrt(np.diag(sigma))
    return replace(
        found,
        visits=visits,
        tried=tuple(Tried(a.covariance, a.converged, a.reason) for a in fit.attempts),
        sds=tuple(map(float, sds)),
        correlations=tuple(tuple(map(float, row)) for row in sigma / np.outer(sds, sds)),
        notes=(*found.notes, *fit.notes),
    )


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None


@dataclass(frozen=True)
class _Back:
    """The way back from the scale that is modelled."""

    logs: bool

    def line(self, table: Mapping[str, Sequence[float]], i: int) -> Line:
        """One row of a table of estimates as estimate and interval."""
        return Line(
            self.of(float(table["estimate"][i])),
            *(
                None if isnan(table[name][i]) else self.of(table[name][i])
                for name in ("lower", "upper")
            ),
        )

    def of(self, value: float) -> float:
        return exp(min(value, 700.0)) if self.logs else float(value)
