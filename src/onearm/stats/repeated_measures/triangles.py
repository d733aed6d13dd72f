"""Preparation of the kernels' input: distinct columns, their triangular factor, layout by visit.

Written in the part of NumPy that numba also compiles (:mod:`.compiled`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def distinct(columns: Floats) -> tuple[Floats, Ints]:
    """Give the distinct ones of ``columns`` (c, n), and for each of the c its place among them.

    Here and below a matrix is given by its columns: row j of the argument is column j.
    """
    c, n = columns.shape
    kept = np.empty((c, n))
    which = np.zeros(c, dtype=np.int64)
    found = 0
    for j in range(c):
        place = found
        for k in range(found):
            ends_agree = columns[j, 0] == kept[k, 0] and columns[j, n - 1] == kept[k, n - 1]
            if ends_agree and np.all(columns[j] == kept[k]):
                place = k
                break
        if place == found:
            kept[found] = columns[j]
            found += 1
        which[j] = place
    return kept[:found], which


def gram_schmidt(columns: Floats) -> tuple[Floats, Floats]:
    """Orthonormal rows, in the place of ``columns`` (p, n), and the upper triangle (p, p) of the factorisation.

    Modified Gram-Schmidt, twice over, which is as accurate as Householder's way (Giraud and others
    2005); a column of zeros stays one.
    """
    p = columns.shape[0]
    r = np.zeros((p, p))
    for j in range(p):
        own = columns[j]
        for _ in range(2):
            for i in range(j):
                share = np.dot(columns[i], own)
                r[i, j] += share
                own -= share * columns[i]
        r[j, j] = np.sqrt(np.dot(own, own))
        if r[j, j] > 0.0:
            own /= r[j, j]
    return columns, r


def by_visit(
    rows: Floats, off: Ints, lengths: Ints, slots: Ints, n_visits: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Lay out pseudo-patients as the kernels want them: pattern by pattern, then visit by visit.

    ``rows`` holds them one after another, each with its ``lengths[k]`` visits in order; those of
    pattern k are ``off[k]`` to ``off[k+1]``, its visits follow each other in ``slots``. Gives the flat array of
    (n_visits, r_k, P) for each pattern, zero where a visit is missing, and which visits are seen.
    """
    n_pat, width = lengths.shape[0], rows.shape[1]
    buffer = np.zeros((off[n_pat] * n_visits, width))
    seen = np.zeros((n_pat, n_visits), dtype=np.bool_)
    row, first = 0, 0
    for k in range(n_pat):
        r, m = off[k + 1] - off[k], lengths[k]
        for i in range(r):
            for a in range(m):
                visit = slots[first + a]
                seen[k, visit] = True
                place = off[k] * n_visits + visit * r + i
                for j in range(width):
                    buffer[place, j] = rows[row, j]
                row += 1
        first += m
    return buffer.reshape(-1), seen
