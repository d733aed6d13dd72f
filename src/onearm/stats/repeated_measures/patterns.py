"""Patients gathered by the visits they have, and squeezed into as few rows as say the same.

The likelihood sees the patients of one missingness pattern only through sums of products of their
design and response. A triangular factor of these products therefore does as well as the patients
themselves: its rows are *pseudo-patients*. Where covariates belong to the patient (baseline, sex) and
columns of the design are covariate by visit, few columns differ, and as few pseudo-patients are left:
ten thousand patients of one pattern become a dozen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A column whose part outside the columns before it is smaller than this share of it is a copy of them.
ALIASED = 1e-9


@dataclass(frozen=True)
class Patterns:
    """Rows of the data by pattern of visits.

    ``rows[k]`` (n_k, m_k) numbers the rows of pattern k, ``slots[k]`` (m_k,) its visits,
    ``group[k]`` its group; ordered by group.
    """

    rows: tuple[Ints, ...]
    slots: tuple[Ints, ...]
    group: Ints
    n_subjects: int


@dataclass(frozen=True)
class Squeezed:
    """Pseudo-patients in an orthonormal basis of the design, as the kernels take them.

    Attributes
    ----------
    z
        Buffer of (m, r_k, p+1) for each pattern: orthonormal design, residual response.
    off, seen, count, group
        First pseudo-patient of each pattern (K+1,); visits seen (K, m); patients; group.
    kept, dropped
        Columns of the design that are independent, and those that the ones before them determine.
    basis
        (p, p) upper triangular: design = orthonormal x basis.
    offset, scale
        Coefficients of the response's least-squares fit in the orthonormal basis, and the scale by
        which its residual was divided.
    """

    z: Floats
    off: Ints
    seen: NDArray[np.bool_]
    count: Ints
    group: Ints
    kept: Ints
    dropped: Ints
    basis: Floats
    offset: Floats
    scale: float


def find_patterns(subject: Ints, visit: Ints, group: Ints, n_visits: int) -> Patterns:
    """Gather the rows of each patient, and the patients who have the same visits and group.

    ``subject`` and ``visit`` are codes; each pair occurs once. ``group`` is constant in a patient.
    """
    key = subject * n_visits + visit
    order = None if np.all(key[1:] > key[:-1]) else np.argsort(key, kind="stable")
    if order is not None:
        subject, visit, group = subject[order], visit[order], group[order]
    starts = np.flatnonzero(np.concatenate(([True], subject[1:] != subject[:-1])))
    lengths = np.diff(np.append(starts, len(subject)))
    if n_visits <= 50:
        mark = np.int64(1) << visit
    else:  # a random number for each visit: two sets of visits with one sum would be one chance in 2^64
        mark = np.random.default_rng(20_181_230).integers(-(2**62), 2**62, n_visits)[visit]
    sums = np.add.reduceat(mark, starts)
    of_subject = group[starts]
    ids, which = np.unique(sums, return_inverse=True)
    which = of_subject * len(ids) + which
    by_pattern = np.argsort(which, kind="stable")
    edges = np.flatnonzero(np.diff(which[by_pattern])) + 1
    rows, slots, groups = [], [], []
    for members in np.split(by_pattern, edges):
        first, length = starts[members[0]], lengths[members[0]]
        index = starts[members][:, None] + np.arange(length)
        rows.append(index if order is None else order[index])
        slots.append(visit[first : first + length])
        groups.append(of_subject[members[0]])
    return Patterns(tuple(rows), tuple(slots), np.array(groups, dtype=np.int64), len(starts))


def _pseudo_patients(z: Floats) -> Floats:
    """Fewest rows (r, m_k, P) with the cross-products of ``z`` (n_k, m_k, P)."""
    n, m, p_all = z.shape
    if n <= m + 2:
        return z
    wide = z.reshape(n, m * p_all)
    marks = np.random.default_rng(1).standard_normal(n) @ wide
    # Columns that are equal have nearly equal marks; equality itself is then checked.
    _, first, which = np.unique(
        np.round(marks, 9 - int(np.log10(np.abs(marks).max() + 1.0))),
        return_index=True,
        return_inverse=True,
    )
    if len(first) >= n:
        return z
    distinct = wide[:, first]
    if not np.array_equal(distinct[:, which], wide):
        distinct, which = wide, np.arange(m * p_all)
        if m * p_all >= n:
            return z
    factor = np.linalg.qr(distinct, mode="r")
    return factor[:, which].reshape(-1, m, p_all)


def squeeze(y: Floats, x: Floats, patterns: Patterns, n_visits: int) -> Squeezed:
    """Build the kernels' input from weighted rows ``y`` (n,) and ``x`` (n, p).

    Raises
    ------
    ValueError
        No column of the design is left, or the response lies in the design without any residual.
    """
    z = np.column_stack((x, y))
    p_all = z.shape[1]
    parts = [_pseudo_patients(z[rows]) for rows in patterns.rows]
    stacked = np.concatenate([part.reshape(-1, p_all) for part in parts])
    kept, dropped, q, basis = _independent(stacked[:, :-1])
    response = stacked[:, -1]
    offset = q.T @ response
    residual = response - q @ offset
    offset += q.T @ residual  # a second pass takes away what rounding left
    residual = response - q @ offset
    scale = float(np.sqrt(residual @ residual / max(len(y) - len(kept), 1)))
    new = np.column_stack((q, residual / (scale if scale > 0 else 1.0)))
    p_new = new.shape[1]
    blocks, at = [], 0
    for part, slots in zip(parts, patterns.slots, strict=True):
        r, m = part.shape[:2]
        block = np.zeros((n_visits, r, p_new))
        block[slots] = new[at : at + r * m].reshape(r, m, p_new).transpose(1, 0, 2)
        blocks.append(block.ravel())
        at += r * m
    seen = np.zeros((len(parts), n_visits), dtype=np.bool_)
    for k, slots in enumerate(patterns.slots):
        seen[k, slots] = True
    return Squeezed(
        z=np.concatenate(blocks),
        off=np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64),
        seen=seen,
        count=np.array([len(rows) for rows in patterns.rows], dtype=np.int64),
        group=patterns.group,
        kept=kept,
        dropped=dropped,
        basis=basis,
        offset=offset,
        scale=scale,
    )


def _independent(x: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """Keep the columns that those before them do not determine; orthonormalise what is kept."""
    kept = np.arange(x.shape[1])
    length = np.sqrt((x * x).sum(axis=0))
    kept = kept[length > 0]
    while True:
        q, basis = np.linalg.qr(x[:, kept])
        copies = np.abs(np.diag(basis)) <= ALIASED * length[kept]
        if not copies.any():
            break
        kept = np.delete(kept, np.flatnonzero(copies)[0])
    dropped = np.setdiff1d(np.arange(x.shape[1]), kept)
    return kept, dropped, q, basis
