"""The formula door: a formula and a user's frame as the arrays of a longitudinal model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.frames import (
    Codes,
    Column,
    Floats,
    absent,
    appearance,
    identified,
    leveled,
    numbers_of,
    reader,
)
from onearm.stats.repeated_measures.hypotheses import reference_grid, type3_hypotheses
from onearm.stats.repeated_measures.terms import Factor, Model, evaluated, matrix, met, names, parse

__all__ = ["Design", "design", "reference_grid", "type3_hypotheses"]


@dataclass(frozen=True, eq=False)
class Design:
    """The arrays of one model; n used rows, p coefficients.

    Attributes
    ----------
    y : (n,) response.
    X : (n, p) design matrix, C-contiguous.
    terms : p coefficient names as R writes them: ``(Intercept)``, ``AVISITW04``, ``ARMCDTRT:AVISITVIS2``.
    subject, subject_labels : (n,) codes in order of first appearance in the frame, and what they stand for.
    visit, visit_levels : (n,) codes in the order of the levels, and the levels.
    times : (n,) the visits as numbers, or None where the visit column is not numeric.
    group, group_levels : (n,) codes and levels, or None and ().
    weights : (n,) positive, or None.
    rows : (n,) positions of the used rows in the frame.
    n_dropped : rows left out because response, covariate or weight is missing.
    variables : each variable of the formula's right side with its levels, or its mean over the used rows.
    model : the formula, parsed and coded (for reference grids and hypotheses).
    """

    y: Floats
    X: Floats
    terms: tuple[str, ...]
    subject: Codes
    subject_labels: tuple[Any, ...]
    visit: Codes
    visit_levels: tuple[Any, ...]
    times: Floats | None
    group: Codes | None
    group_levels: tuple[Any, ...]
    weights: Floats | None
    rows: Codes
    n_dropped: int
    variables: dict[str, tuple[Any, ...] | float]
    codes: dict[str, Codes]
    model: Model


def design(
    formula: str,
    data: Any,
    *,
    subject: str,
    visit: str,
    group: str | None = None,
    weights: str | None = None,
) -> Design:
    """A formula and a frame as response, design matrix, patients and visits.

    Parameters
    ----------
    formula : ``response ~ terms``, as ``"CHG ~ BASE + SEX + ARMCD * AVISIT"``; operators ``+ : * / ^ -`` and ``0 +``,
        numeric columns through ``log``, ``center``, ``scale``, ``poly``, ``bs``, ``I(x**2)``, ``np.sqrt``, and
        ``C(column)`` for a factor out of a numeric column. A transform's mean, knots etc. are those of the used rows.
    data : a pandas, polars or arrow frame, another eager frame that narwhals knows, or a dict of columns. Text and
        booleans are factors, numbers are covariates.
    subject, visit, group : columns of patients, visits and, where the covariance differs by group, groups.
    weights : a column of positive weights.

    Returns
    -------
    The arrays of the used rows. A row with a missing response, covariate or weight is left out and counted. Levels of a
    factor are those that occur in the used rows: text in C-locale order, a categorical column in its own order. A
    combination of levels without rows keeps its column.

    Raises
    ------
    ValueError
        For a formula that cannot be read, an unknown column, a patient, visit or group that is missing, a patient with
        two rows at one visit, infinite numbers, a response that is no number, a factor with one level, no rows left.
    TypeError
        For data that is no frame.

    Notes
    -----
    Coefficients, their names and order are those of R's ``model.matrix`` with ``contr.treatment``, but for terms
    without their margins (``a:b`` with an intercept, ``0 + x:b + a:b``), where R's columns repeat one another or leave
    cells out.
    """
    if not isinstance(formula, str):
        raise TypeError(f"formula is {formula!r}; expected text as 'CHG ~ BASE + AVISIT'")
    parsed = parse(formula)
    column = reader(data)
    ids, visits = column(subject, "subject"), column(visit, "visit")
    groups = None if group is None else column(group, "group")
    for one, name, role in (
        (ids, subject, "subject"),
        (visits, visit, "visit"),
        (groups, group, "group"),
    ):
        if one is not None and name is not None:
            identified(one, name, role)
    needed = {name: column(name, "response") for name in parsed.response.variables}
    needed |= {name: column(name, "variable") for name in parsed.variables}
    if weights is not None:
        needed[weights] = column(weights, "weights")
    n_rows = (ids.codes if ids.values is None else ids.values).size  # type: ignore[union-attr]
    keep = complete(needed, n_rows)

    known: dict[str, tuple[Codes, tuple[Any, ...]]] = {}

    def levels_of(name: str) -> tuple[Codes, tuple[Any, ...]]:
        if name not in known:
            known[name] = leveled(column(name, "variable"), keep, name)
        return known[name]

    values = {
        name: floats(one.values, keep) for name, one in needed.items() if one.values is not None
    }
    y = response(parsed.response, needed, values)
    model, parts = met(parsed, values, levels_of)
    subject_codes, labels = patients(ids, subject, keep)
    visit_codes, visit_levels = levels_of(visit)
    once_per_visit(subject_codes, labels, visit_codes, visit_levels, (subject, visit))
    group_codes, group_levels = (None, ()) if group is None else levels_of(group)
    rows = np.arange(n_rows) if keep is None else np.flatnonzero(keep)
    factors = {
        name: levels_of(name)
        for name in parsed.variables
        if name not in values or name in parsed.coded
    }
    return Design(
        y=y,
        X=matrix(model, parts, y.size),
        terms=names(model),
        subject=subject_codes,
        subject_labels=labels,
        visit=visit_codes,
        visit_levels=visit_levels,
        times=None if visits.values is None else floats(visits.values, keep),
        group=group_codes,
        group_levels=group_levels,
        weights=None if weights is None else positive(needed[weights], weights, values),
        rows=rows,
        n_dropped=n_rows - rows.size,
        variables={
            v: factors[v][1] if v in factors else float(np.add.reduce(values[v]) / values[v].size)
            for v in parsed.variables
        },
        codes={name: pair[0] for name, pair in factors.items()},
        model=model,
    )


def complete(needed: Mapping[str, Column], n_rows: int) -> NDArray[np.bool_] | None:
    """The rows with every needed value, or None where these are all rows."""
    keep: NDArray[np.bool_] | None = None
    for name, one in needed.items():
        missing = absent(one, name)
        if missing is not None:
            keep = ~missing if keep is None else keep & ~missing
    if n_rows == 0 or (keep is not None and not keep.any()):
        counts = {n: int(m.sum()) for n, c in needed.items() if (m := absent(c, n)) is not None}
        raise ValueError(
            f"no rows are left of {n_rows}; missing values per column: {counts or 'none'}; expected rows with "
            f"{', '.join(needed)}: check the data"
        )
    return keep


def response(factor: Factor, needed: Mapping[str, Column], values: Mapping[str, Floats]) -> Floats:
    """The response over the used rows."""
    for name in factor.variables:
        numbers_of(needed[name], name, "response")
    if factor.coded:
        raise ValueError(
            f"response {factor.text} is a factor; expected a number: name the column itself"
        )
    if factor.column is not None:
        return values[factor.column]
    y = evaluated(factor, {name: values[name] for name in factor.variables}, {})
    if y.shape[1] != 1:
        raise ValueError(
            f"response {factor.text} has {y.shape[1]} columns; expected one number per row"
        )
    return np.ascontiguousarray(y[:, 0], dtype=np.float64)


def floats(values: NDArray[Any], keep: NDArray[np.bool_] | None) -> Floats:
    """The numbers of the used rows; never a view into the user's frame."""
    return (values if keep is None else values[keep]).astype(np.float64)


def positive(column: Column, name: str, values: Mapping[str, Floats]) -> Floats:
    """Weights over the used rows."""
    numbers_of(column, name, "weights")
    if values[name].min() <= 0:
        raise ValueError(
            f"weights {name!r} are {values[name].min():g} at the least; expected positive numbers: "
            "remove rows of weight 0"
        )
    return values[name]


def patients(
    column: Column, name: str, keep: NDArray[np.bool_] | None
) -> tuple[Codes, tuple[Any, ...]]:
    """Patients with a used row, in order of first appearance in the frame."""
    codes, labels = appearance(column, name)
    if keep is None:
        return codes, labels
    codes = codes[keep]
    present = np.bincount(codes, minlength=len(labels)) > 0
    if present.all():
        return codes, labels
    return (np.cumsum(present) - 1)[codes], tuple(itertools.compress(labels, present))


def once_per_visit(
    subject: Codes,
    labels: Sequence[Any],
    visit: Codes,
    levels: Sequence[Any],
    names: tuple[str, str],
) -> None:
    """Refuse two rows of one patient at one visit."""
    cells = subject * len(levels) + visit
    size = len(labels) * len(levels)
    if size <= 8 * cells.size + 1024:
        count = np.bincount(cells, minlength=1)
        doubled = np.flatnonzero(count > 1) if count.max() > 1 else count[:0]
    else:  # times of their own for every patient
        found, number = np.unique(cells, return_counts=True)
        doubled = found[number > 1]
    if doubled.size:
        shown = "; ".join(
            f"{labels[c // len(levels)]} at {levels[c % len(levels)]}" for c in doubled[:3]
        )
        raise ValueError(
            f"{doubled.size} pairs of {names[0]} and {names[1]} stand in more than one row, the first are {shown}; "
            "expected one row per patient and visit: remove or average the repeats"
        )
