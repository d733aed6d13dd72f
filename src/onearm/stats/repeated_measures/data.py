"""The rows of a longitudinal analysis, checked: responses, design, patients, visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Observations:
    """The rows that a model uses.

    Attributes
    ----------
    y, x
        Response (n,) and design (n, p).
    subject, visit, group
        Codes (n,) from 0; patients in order of first appearance, visits and groups in their order.
    subjects, visit_levels, group_levels
        The labels behind the codes. In spatial structures the visit levels are the distinct times.
    weights
        (n,) positive, or None for all one.
    terms
        Names of the p columns.
    n_dropped
        Rows left out because a value was missing.
    """

    y: Floats
    x: Floats
    subject: Ints
    visit: Ints
    group: Ints
    subjects: tuple[Any, ...]
    visit_levels: tuple[Any, ...]
    group_levels: tuple[Any, ...]
    weights: Floats | None
    terms: tuple[str, ...]
    n_dropped: int


def observations(
    y: Any,
    x: Any,
    subject: Any,
    visit: Any,
    *,
    group: Any = None,
    weights: Any = None,
    terms: Sequence[str] | None = None,
    visit_levels: Sequence[Any] | None = None,
) -> Observations:
    """Check the arrays of a model; leave out rows in which a value is missing (NaN).

    Raises
    ------
    ValueError
        Lengths differ, a value is infinite, a weight is not positive, a patient or visit is missing,
        a row is a duplicate, a patient is in two groups, or no row is left.
    """
    y, x = numbers(y, "y"), numbers(x, "X")
    if y.ndim != 1 or x.ndim != 2:
        raise ValueError(
            f"y has {y.ndim} and X has {x.ndim} dimensions; expected one response per row, y (n,), and a "
            "design X (n, p); reshape them"
        )
    columns = {"X": x, "subject": np.asarray(subject), "visit": np.asarray(visit)}
    if group is not None:
        columns["group"] = np.asarray(group)
    if weights is not None:
        columns["weights"] = numbers(weights, "weights")
    for name, column in columns.items():
        if column.ndim != (2 if name == "X" else 1):
            raise ValueError(
                f"{name} has {column.ndim} dimensions; expected one value for every row; give a flat column"
            )
        if len(column) != len(y):
            raise ValueError(
                f"y has {len(y)} rows and {name} has {len(column)}; they describe the same rows; "
                "give one of each for every row"
            )
    if terms is not None and len(terms) != x.shape[1]:
        raise ValueError(
            f"X has {x.shape[1]} columns and terms has {len(terms)} names; name each column"
        )
    keep = ~(np.isnan(y) | np.isnan(x).any(axis=1))
    if weights is not None:
        keep &= ~np.isnan(columns["weights"])
    n_dropped = int(len(y) - keep.sum())
    if n_dropped:
        y, x = y[keep], x[keep]
        columns = {name: column[keep] for name, column in columns.items()}
    if not len(y):
        raise ValueError(
            "no row is complete; the model needs rows with a response and all covariates"
        )
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError(
            "a response or a covariate is infinite; correct it or leave it missing (NaN)"
        )
    if (
        weights is not None
        and not (np.isfinite(columns["weights"]) & (columns["weights"] > 0)).all()
    ):
        raise ValueError(
            "a weight is not a positive number; weights divide the variance of their row"
        )
    subject_codes, subjects = _codes(columns["subject"], None, "subject")
    if np.any(np.diff(subject_codes) < 0):  # patients in order of first appearance
        _, first = np.unique(subject_codes, return_index=True)
        rank = np.argsort(np.argsort(first))
        subjects = tuple(np.array(subjects, dtype=object)[np.argsort(first)])
        subject_codes = rank[subject_codes]
    visit_codes, levels = _codes(columns["visit"], visit_levels, "visit")
    group_codes, group_levels = np.zeros(len(y), dtype=np.int64), ("all",)
    if group is not None:
        group_codes, group_levels = _codes(columns["group"], None, "group")
    found = Observations(
        y=y, x=np.ascontiguousarray(x), subject=subject_codes, visit=visit_codes, group=group_codes,
        subjects=subjects, visit_levels=levels, group_levels=group_levels,
        weights=columns.get("weights"),
        terms=tuple(terms) if terms is not None else tuple(f"x{j + 1}" for j in range(x.shape[1])),
        n_dropped=n_dropped,
    )  # fmt: skip
    _refuse_repeats(found)
    refuse_torn(found)
    return found


def numbers(values: Any, name: str) -> Floats:
    """The values as floating-point numbers.

    Raises
    ------
    ValueError
        One of them is no number.
    """
    try:
        if np.iscomplexobj(values):
            raise TypeError
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} holds something that is no number; expected numbers, NaN where missing; convert text first"
        ) from None


def _codes(
    labels: NDArray[Any], order: Sequence[Any] | None, what: str
) -> tuple[Ints, tuple[Any, ...]]:
    """Number the labels by their order; labels that do not occur take no number."""
    missing = (
        labels != labels if labels.dtype.kind in "fO" else np.zeros(len(labels), dtype=np.bool_)
    )
    if labels.dtype.kind == "O":
        missing = missing | np.array([label is None for label in labels])
    if np.any(missing):
        raise ValueError(
            f"the {what} of row {int(np.flatnonzero(missing)[0])} is missing; every row belongs to one "
            f"{what}; fill it in or leave the row out"
        )
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise ValueError(f"a {what} is infinite; expected finite numbers or labels; correct it")
    if order is not None and len(set(order)) < len(order):
        raise ValueError(f"{what}_levels names a level twice: {list(order)}; name each once")
    try:
        levels, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        raise ValueError(
            f"the labels of {what} mix numbers and text and cannot be ordered; write them alike"
        ) from None
    if order is not None:
        place = {label: i for i, label in enumerate(order)}
        lost = [label for label in levels.tolist() if label not in place]
        if lost:
            raise ValueError(
                f"{what} {lost[0]!r} is not among {what}_levels; add it or correct the label"
            )
        rank = np.argsort(np.argsort([place[label] for label in levels.tolist()]))
        return rank[codes].astype(np.int64), tuple(v for v in order if v in set(levels.tolist()))
    return codes.astype(np.int64), tuple(levels.tolist())


def _refuse_repeats(rows: Observations) -> None:
    """A patient has one row at a visit."""
    key = rows.subject * len(rows.visit_levels) + rows.visit
    order = np.argsort(key, kind="stable")
    twice = np.flatnonzero(np.diff(key[order]) == 0)
    if len(twice):
        row = order[twice[0] + 1]
        raise ValueError(
            f"subject {rows.subjects[rows.subject[row]]!r} has more than one row at visit "
            f"{rows.visit_levels[rows.visit[row]]!r} ({len(twice)} such rows in all); expected one row per "
            "subject and visit; keep one or give the visits different labels"
        )


def refuse_torn(rows: Observations) -> None:
    """Refuse a patient with rows in two groups.

    Raises
    ------
    ValueError
        There is one.
    """
    if len(rows.group_levels) > 1:
        first = np.zeros(len(rows.subjects), dtype=np.int64)
        first[rows.subject[::-1]] = rows.group[::-1]
        torn = np.flatnonzero(first[rows.subject] != rows.group)
        if len(torn):
            name = rows.subjects[rows.subject[torn[0]]]
            raise ValueError(
                f"subject {name!r} is in more than one group; a patient has one covariance"
            )
