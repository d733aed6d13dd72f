"""Tests and intervals of contrasts: Satterthwaite, Kenward-Roger, residual and between-within degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.data import numbers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """One linear combination of the coefficients.

    ``statistic`` is estimate / se, compared with Student's t on ``df`` degrees of freedom; ``p`` is
    two-sided; ``lower`` and ``upper`` are the limits at ``conf_level``.
    """

    estimate: float
    se: float
    df: float
    statistic: float
    p: float
    lower: float
    upper: float
    conf_level: float


@dataclass(frozen=True)
class FTest:
    """Several linear combinations tested together with F on ``num_df`` and ``den_df`` degrees of freedom."""

    num_df: int
    den_df: float
    statistic: float
    p: float
    rows: tuple[Contrast, ...]


class Estimates(dict[str, Any]):
    """Columns of equal length by name: a frame's constructor takes it as it is; ``str`` is a table."""

    def __str__(self) -> str:
        """An aligned table."""
        columns = [[name, *(_shown(name, v) for v in values)] for name, values in self.items()]
        widths = [max(map(len, column)) for column in columns]
        text = [isinstance(values[0], str) if len(values) else False for values in self.values()]
        lines = []
        for row in zip(*columns, strict=True):
            cells = zip(row, widths, text, strict=True)
            lines.append(
                "  ".join(c.ljust(w) if left else c.rjust(w) for c, w, left in cells).rstrip()
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        """As ``str``: a table."""
        return str(self)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name == "p":
        return "<0.0001" if value < 0.0001 else f"{value:.4f}"
    if name == "num_df":
        return f"{value:.0f}"
    if name.startswith("df") or name == "den_df":
        return f"{value:.2f}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) >= 1e5 else f"{value:.4f}"


def two_sided(t: Floats, df: Floats) -> Floats:
    """P of Student's t in both tails."""
    from scipy.special import stdtr

    return np.asarray(2.0 * stdtr(df, -np.abs(t)))


def quantile(df: Floats, conf_level: float) -> Floats:
    """Quantile of Student's t for a two-sided interval.

    Raises
    ------
    ValueError
        ``conf_level`` is not between 0 and 1.
    """
    from scipy.special import stdtrit

    if not 0.0 < conf_level < 1.0:
        raise ValueError(f"conf_level is {conf_level}; expected a share between 0 and 1, as 0.95")
    return np.asarray(stdtrit(df, 0.5 + 0.5 * conf_level))


def satterthwaite(own: Floats, slope: Floats, spread: Floats) -> Floats:
    """Degrees of freedom 2 v^2 / (d' spread d) of whitened rows ``own`` (c, p), each with variance v."""
    p = own.shape[1]
    change = np.einsum("cp,ipq,cq->ci", own, slope.reshape(-1, p, p), own, optimize=True)
    v = np.einsum("cp,cp->c", own, own)
    return np.asarray(2.0 * v**2 / np.einsum("ci,ij,cj->c", change, spread, change, optimize=True))


def combined_df(df: Floats) -> float:
    """Denominator degrees of freedom of F from those of its independent squared t (Fai and Cornelius)."""
    if np.ptp(df) < 1e-8 * abs(df[0]):
        return float(df.mean())
    if np.any(df <= 2.0):
        return 2.0
    e = float(np.sum(df / (df - 2.0)))
    return 2.0 * e / (e - len(df))


def kenward_roger(own: Floats, slope: Floats, spread: Floats) -> tuple[float, float]:
    """Scale of F and its denominator degrees of freedom for rows tested together.

    ``own`` (l, p): linearly independent rows in coordinates with X'WX = I. Kenward and Roger (1997),
    section 3, with the covariance of the estimates not adjusted, as there.
    """
    rank, p = own.shape
    theta = own.T @ np.linalg.solve(own @ own.T, own)
    per = theta @ slope.reshape(-1, p, p)
    trace = np.trace(per, axis1=1, axis2=2)
    a1 = float(trace @ spread @ trace)
    a2 = float(np.einsum("ij,iab,jba->", spread, per, per, optimize=True))
    b = (a1 + 6.0 * a2) / (2.0 * rank)
    g = ((rank + 1) * a1 - (rank + 4) * a2) / ((rank + 2) * a2)
    below = 3.0 * rank + 2.0 * (1.0 - g)
    c1, c2, c3 = g / below, (rank - g) / below, (rank + 2 - g) / below
    mean = 1.0 / (1.0 - a2 / rank)
    variance = (2.0 / rank) * (1.0 + c1 * b) / ((1.0 - c2 * b) ** 2 * (1.0 - c3 * b))
    rho = variance / (2.0 * mean**2)
    df = 4.0 + (rank + 2) / (rank * rho - 1.0)
    return df / (mean * (df - 2.0)), df


def between_within(x: Floats, subject: NDArray[np.int64], kept: NDArray[np.int64]) -> Floats:
    """Degrees of freedom of each coefficient: between patients, or within (Schluchter and Elashoff 1990).

    A column that is constant within every patient (but not in all rows: the intercept counts as
    within) has patients - 1 - such columns; the others rows - patients - the others.
    """
    _, first = np.unique(subject, return_index=True)
    constant = np.all(x == x[first][np.unique(subject, return_inverse=True)[1]], axis=0)
    intercept = np.all(x == x[0], axis=0)
    between = constant & ~intercept
    in_fit = np.zeros(x.shape[1], dtype=np.bool_)
    in_fit[kept] = True
    n_subjects = len(first)
    outer = n_subjects - int((between & in_fit).sum()) - int((intercept & in_fit).any())
    inner = len(x) - n_subjects - int((~constant & in_fit).sum())
    return np.where(between, float(outer), float(inner))


def limits(estimate: Floats, se: Floats, df: Floats, conf_level: float) -> tuple[Floats, Floats]:
    """Both limits of each interval."""
    half = quantile(df, conf_level) * se
    return estimate - half, estimate + half


def as_rows(l: Any, p: int) -> Floats:  # noqa: E741
    """Contrast coefficients as a (c, p) matrix.

    Raises
    ------
    ValueError
        They are not p wide, not finite, or all zero in a row.
    """
    rows = np.atleast_2d(numbers(l, "the contrast"))
    if rows.ndim != 2 or rows.shape[1] != p:
        raise ValueError(
            f"a contrast has {rows.shape[-1]} coefficients; the model has {p}; give one for each term"
        )
    if not np.any(rows, axis=1).all():
        raise ValueError("every coefficient of a contrast is zero; give at least one that is not")
    if not np.isfinite(rows).all():
        raise ValueError(
            "a contrast has a coefficient that is no number; use 0 for terms not in it"
        )
    return rows


def labelled(labels: Sequence[str], n: int) -> list[str]:
    """Labels of ``n`` contrasts.

    Raises
    ------
    ValueError
        There are more or fewer.
    """
    if len(labels) != n:
        raise ValueError(f"{len(labels)} labels for {n} contrasts; give one for each")
    return list(labels)
