"""Patients gathered by the visits they have, and squeezed into as few rows as say the same.

The likelihood sees the patients of one missingness pattern only through sums of products of their
design and response. A triangular factor of these products therefore does as well as the patients
themselves: its rows are *pseudo-patients*. Where covariates belong to the patient (baseline, sex) and
columns of the design are covariate by visit, few columns differ, and as few pseudo-patients are left:
ten thousand patients of one pattern become a dozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.compiled import Engine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A column whose part outside the columns before it is smaller than this share of it is a copy of them.
ALIASED = 1e-9

# Patients of one pattern, below which there is nothing to save.
FEWEST_SQUEEZED = 4

# Elements of a matrix that is large, and the least part of a column outside those before it, for
# which two rounds of Cholesky orthonormalise to rounding.
LARGE = 2_000
WELL_CONDITIONED = 1e-4


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
    basis, inverse_basis
        (p, p) upper triangular: design = orthonormal x basis; and its inverse.
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
    inverse_basis: Floats
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
    ends = np.flatnonzero(subject[1:] != subject[:-1]) + 1
    bounds = np.concatenate(([0], ends, [len(subject)]))
    starts, lengths = bounds[:-1], bounds[1:] - bounds[:-1]
    if n_visits <= 50:
        mark = np.int64(1) << visit
    else:  # a random number for each visit: two sets of visits with one sum: one chance in 2^64
        mark = np.random.default_rng(20_181_230).integers(-(2**62), 2**62, n_visits)[visit]
    sums, of_subject = np.add.reduceat(mark, starts), group[starts]
    by_pattern = np.lexsort((sums, of_subject))
    sums, groups = sums[by_pattern], of_subject[by_pattern]
    new = (sums[1:] != sums[:-1]) | (groups[1:] != groups[:-1])
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(starts)]
    lengths = lengths[by_pattern]
    ends = np.add.accumulate(lengths)
    every = np.repeat(starts[by_pattern] - ends + lengths, lengths) + np.arange(len(subject))
    places = visit[every]
    every = every if order is None else order[every]
    first = [0, *ends[np.array(edges[1:]) - 1].tolist()]
    width = lengths[edges[:-1]].tolist()
    rows = tuple(
        every[lo:hi].reshape(-1, m) for (lo, hi), m in zip(pairwise(first), width, strict=True)
    )
    slots = tuple(places[lo : lo + m] for lo, m in zip(first, width, strict=False))
    return Patterns(rows, slots, groups[edges[:-1]], len(starts))


def _pseudo_patients(z: Floats, engine: Engine) -> Floats:
    """Fewest rows (r, m_k, P) with the cross-products of ``z`` (n_k, m_k, P)."""
    n, m, p_all = z.shape
    if n < FEWEST_SQUEEZED:
        return z
    columns, which = engine.distinct(z.reshape(n, m * p_all).T.copy())
    if len(columns) >= n:
        return z
    factor = orthonormal(columns.T, engine)[1]
    found: Floats = factor.take(which, axis=1).reshape(-1, m, p_all)
    return found


def orthonormal(x: Floats, engine: Engine) -> tuple[Floats, Floats]:
    """Orthonormal columns and upper triangle whose product is ``x`` (n, p).

    Large well-conditioned matrices go by two rounds of Cholesky's factor of X'X (Yamamoto and others
    2015), as exact as Householder's QR there; LAPACK's QR of a tall matrix, spread over threads, takes
    ten times as long.
    """
    if x.size < LARGE:
        rows, r = engine.gram_schmidt(x.T.copy())
        return rows.T, r
    length = np.sqrt(np.einsum("rp,rp->p", x, x))
    if length.all():
        q, r = x / length, np.diag(length)
        for _ in range(2):
            try:
                upper = np.linalg.cholesky(q.T @ q).T
            except np.linalg.LinAlgError:
                break
            if upper.diagonal().min() < WELL_CONDITIONED:
                break
            q, r = q @ np.linalg.inv(upper), upper @ r
        else:
            return q, r
    q, r = np.linalg.qr(x)
    return q, r


def squeeze(y: Floats, x: Floats, patterns: Patterns, n_visits: int, engine: Engine) -> Squeezed:
    """Build the kernels' input from weighted rows ``y`` (n,) and ``x`` (n, p).

    Raises
    ------
    ValueError
        No column of the design is left, or the response lies in the design without any residual.
    """
    n, p = x.shape
    z = np.empty((n, p + 1))
    order = np.concatenate([rows.ravel() for rows in patterns.rows])
    x.take(order, axis=0, out=z[:, :p])
    y.take(order, out=z[:, p])
    parts, at = [], 0
    for rows in patterns.rows:
        own = z[at : at + rows.size].reshape(*rows.shape, p + 1)
        parts.append(_pseudo_patients(own, engine))
        at += rows.size
    sizes = [len(part) for part in parts]
    stacked = np.concatenate([part.reshape(-1, p + 1) for part in parts])
    kept, dropped, q, basis = _independent(stacked[:, :-1], engine)
    response = stacked[:, -1]
    offset = q.T @ response
    residual = response - q @ offset
    again = q.T @ residual  # a second pass takes away what rounding left
    residual = residual - q @ again
    scale = float(np.sqrt(residual @ residual / max(n - len(kept), 1)))
    width = len(kept) + 1
    new = np.empty((len(stacked), width))
    new[:, :-1] = q
    new[:, -1] = residual / (scale if scale > 0 else 1.0)
    off = np.array([0, *accumulate(sizes)], dtype=np.int64)
    lengths = np.array([len(slots) for slots in patterns.slots])
    buffer, seen = engine.by_visit(new, off, lengths, np.concatenate(patterns.slots), n_visits)
    return Squeezed(
        z=buffer,
        off=off,
        seen=seen,
        count=np.array([len(rows) for rows in patterns.rows], dtype=np.int64),
        group=patterns.group,
        kept=kept,
        dropped=dropped,
        basis=basis,
        inverse_basis=np.asarray(np.linalg.inv(basis)),
        offset=offset + again,
        scale=scale,
    )


def _independent(x: Floats, engine: Engine) -> tuple[Ints, Ints, Floats, Floats]:
    """Keep the columns that those before them do not determine; orthonormalise what is kept."""
    every = np.arange(x.shape[1])
    length = np.sqrt(np.einsum("rp,rp->p", x, x))
    kept = every if length.all() else every[length > 0]
    while True:
        q, basis = orthonormal(x if kept is every else x[:, kept], engine)
        copies = np.abs(basis.diagonal()) <= ALIASED * length[kept]
        if not copies.any():
            break
        kept = np.delete(kept, np.flatnonzero(copies)[0])
    return kept, every[:0] if kept is every else np.setdiff1d(every, kept), q, basis
