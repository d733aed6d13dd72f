"""Values missing over visits: each visit regressed on those before it, parameters and values drawn.

The model is multivariate normal: a mean for each visit, covariates with an effect of their own at each
visit, an unstructured covariance. Values after dropout are drawn visit by visit, each regressed on those
before it with the prior 1/sigma²: where patients only leave, that posterior is exact, and a new value is
predicted with exact frequency (Rubin 1987, ch. 5). Values missing *between* visits that were seen are
drawn before that, in turn with the parameters, under Jeffreys' prior |Sigma|^(-(m + 1)/2), which does not
depend on the order of visits (Schafer 1997, ch. 6.5: monotone data augmentation). These are the two
steps of SAS PROC MI: MCMC IMPUTE=MONOTONE, then MONOTONE REG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import LARGEST, FloatArray

BoolArray = npt.NDArray[np.bool_]

#: What a patient's mean is from the first visit missed after the last one seen.
AfterDropout = Literal[
    "missing at random",
    "jump to baseline",
    "copy increments",
    "jump to reference",
    "last mean",
]

#: Degrees of freedom a regression must leave: a t distribution with fewer has no finite variance.
LEAST_DF = 3
#: Share of a column's sum of squares that earlier columns must leave unexplained.
COLLINEAR = 1e-10
#: Numbers drawn together: bounds the memory without a loop for each imputation.
TOGETHER = 2_000_000


@dataclass(frozen=True)
class Visits:
    """Values of n patients at m visits, in units of ``scale`` around ``centre``; NaN is missing.

    ``design`` (n, q) is a column of ones and the covariates less their means; ``last`` the index of the
    visit each patient was last seen at; ``memory`` how many visits before one predict it.
    """

    raw: FloatArray
    design: FloatArray
    labels: tuple[str, ...]
    memory: int
    centre: FloatArray
    scale: float

    @cached_property
    def values(self) -> FloatArray:
        """The values in units of the model."""
        return (self.raw - self.centre) / self.scale

    @cached_property
    def seen(self) -> BoolArray:
        """Which values are there, (n, m)."""
        return ~np.isnan(self.raw)

    @cached_property
    def last(self) -> npt.NDArray[np.intp]:
        """Index of the visit at which each patient was last seen."""
        end = self.seen.shape[1] - 1
        last: npt.NDArray[np.intp] = end - np.argmax(self.seen[:, ::-1], axis=1)
        return last

    @cached_property
    def left(self) -> BoolArray:
        """Which visits lie after a patient's last one, (n, m)."""
        return np.arange(self.seen.shape[1]) > self.last[:, None]

    @cached_property
    def gaps(self) -> BoolArray:
        """Which values are missing before a patient's last visit, (n, m)."""
        return ~self.seen & ~self.left

    def before(self, visit: int) -> range:
        """Return the visits that predict one."""
        return range(max(0, visit - self.memory), visit)


def read_visits(
    y: npt.ArrayLike,
    covariates: npt.ArrayLike | None,
    memory: int | None,
    visits: Sequence[Any] | None,
) -> Visits:
    """Read values in wide form, or say what is wrong with them."""
    raw = _table(y, "y")
    n, m = raw.shape
    if m < 2:
        raise ValueError(
            f"y: found {m} visit; expected a baseline and at least one visit after it, one per column"
        )
    labels = tuple(str(label) for label in (visits if visits is not None else range(m)))
    if len(labels) != m or len(set(labels)) != m:
        raise ValueError(
            f"visits: found {', '.join(labels)}; expected {m} different names, one for each column of y"
        )
    unseen = np.flatnonzero(np.isnan(raw).all(axis=1))
    if unseen.size:
        raise ValueError(
            f"y[{unseen[0]}]: found no value at any visit; expected patients with at least one; leave "
            "the patient out, and report that there is one"
        )
    empty = np.flatnonzero(np.isnan(raw).all(axis=0))
    if empty.size:
        raise ValueError(
            f"y: found no value at visit {labels[empty[0]]}; expected some; leave the visit out"
        )
    if memory is not None and not (isinstance(memory, (int, np.integer)) and memory >= 1):
        raise ValueError(
            f"memory: found {memory!r}; expected how many earlier visits predict one, 1 or more, or "
            "None for all"
        )
    design = _design(covariates, n)
    centre = np.nanmean(raw, axis=0)
    scale = float(np.nanmax(np.abs(raw - centre)))
    if scale == 0:
        raise ValueError("y: the values of every visit are all the same; expected values that vary")
    longest = m - 1 if memory is None else min(int(memory), m - 1)
    return Visits(raw, design, labels, longest, centre, scale)


def longest_memory(y: npt.ArrayLike, covariates: npt.ArrayLike | None = None) -> int:
    """Return how many earlier visits the numbers of patients allow to predict one.

    Parameters
    ----------
    y, covariates
        As in :func:`~onearm.stats.repeated_measures.imputation.impute_visits`.

    Returns
    -------
    int
        The largest ``memory`` for which each regression leaves three degrees of freedom; 0 where even
        the visit before is too much. It depends on who was seen, never on a value, and so can be
        prespecified.

    Examples
    --------
    >>> nan = float("nan")
    >>> longest_memory([[9, 7, 6], [8, 8, 4], [7, 5, 5], [9, 6, 3], [6, 6, 6], [8, 4, nan]])
    1
    """
    data = read_visits(y, covariates, None, None)
    for memory in range(data.raw.shape[1] - 1, 0, -1):
        if _too_few(data, memory) is None:
            return memory
    return 0


def check_enough(data: Visits) -> None:
    """Raise ValueError where a regression has too few patients for a posterior with a variance."""
    short = _too_few(data, data.memory)
    if short is None:
        return
    visit, seen, needed = short
    longest = longest_memory(data.raw, data.design[:, 1:])
    advice = (
        f"give memory={longest}, the longest that they allow, so that fewer earlier visits predict one"
        if longest
        else "leave the visit or covariates out"
    )
    raise ValueError(
        f"y: found {seen} patient{'s' * (seen != 1)} to predict visit {data.labels[visit]} from; expected at "
        f"least {needed}: {min(visit, data.memory)} earlier visits, {data.design.shape[1] - 1} covariates "
        f"and the mean, and what is left for a variance; {advice}"
    )


def _too_few(data: Visits, memory: int) -> tuple[int, int, int] | None:
    """Return the first visit with too few patients, how many there are, and how many it takes.

    Who is seen at the visit bounds its residual variance; who has no gap before it too makes the
    posterior proper at all.
    """
    for visit in range(data.raw.shape[1]):
        start = max(0, visit - memory)
        predictors = data.design.shape[1] + visit - start
        seen = int(data.seen[:, visit].sum())
        whole = int(data.seen[:, start : visit + 1].all(axis=1).sum())
        if seen < predictors + LEAST_DF:
            return visit, seen, predictors + LEAST_DF
        if whole < predictors + 1:
            return visit, whole, predictors + 1
    return None


def _table(values: npt.ArrayLike, name: str) -> FloatArray:
    if np.ma.isMaskedArray(values):  # asarray would take what the mask hides as measured
        raise ValueError(f"{name}: found a masked array; expected NaN where a value is missing")
    raw = np.asarray(values)
    if raw.ndim != 2 or raw.shape[0] == 0:
        raise ValueError(
            f"{name}: found an array of shape {raw.shape}; expected one row per patient, one column "
            f"per {'visit' if name == 'y' else 'covariate'}"
        )
    if raw.dtype.kind not in "iufO":
        raise ValueError(f"{name}: found {raw.dtype} values; expected numbers")
    try:
        table: FloatArray = raw.astype(np.float64)
    except (TypeError, ValueError) as fault:
        raise ValueError(f"{name}: {fault}; expected numbers, NaN where missing") from None
    if np.any(np.abs(table) > LARGEST):
        raise ValueError(f"{name}: found numbers above {LARGEST:g}; expected smaller ones")
    return table


def _design(covariates: npt.ArrayLike | None, n: int) -> FloatArray:
    ones = np.ones((n, 1))
    if covariates is None:
        return ones
    table = _table(covariates, "covariates")
    if table.shape[0] != n or np.isnan(table).any():
        raise ValueError(
            f"covariates: found {table.shape[0]} rows for {n} patients, {int(np.isnan(table).sum())} "
            "values missing; expected one row per patient and every value known"
        )
    away = table - table.mean(axis=0)
    size = np.abs(away).max(axis=0, initial=0.0)
    away = away / np.where(size > 0, size, 1.0)
    if away.shape[1] and np.linalg.matrix_rank(away, tol=1e-8 * np.sqrt(n)) < away.shape[1]:
        raise ValueError(
            "covariates: one is constant or follows from the others; expected covariates that vary "
            "each by itself; leave it out"
        )
    return np.hstack([ones, away])


@dataclass(frozen=True)
class Regressions:
    """C draws of the regressions: ``effect`` (C, m, q) of the design, ``slope`` (C, m, m), ``sd`` (C, m).

    ``slope[:, j, k]`` is that of visit j on visit k, zero unless k is before j and remembered.
    """

    effect: FloatArray
    slope: FloatArray
    sd: FloatArray

    def means(self, design: FloatArray) -> FloatArray:
        """Return the mean of each patient at each visit, (C, n, m), as if nobody were missing."""
        out: FloatArray = np.matmul(design, self.effect.swapaxes(1, 2))
        for visit in range(1, out.shape[2]):
            out[:, :, visit] += np.matmul(out[:, :, :visit], self.slope[:, visit, :visit, None])[
                ..., 0
            ]
        return out


class _Posterior:
    """The posterior of the regressions, given what is seen and values for what is missing in between."""

    def __init__(self, data: Visits) -> None:
        self.data = data
        gappy = data.gaps.any(axis=1)
        self.rows = np.flatnonzero(gappy)
        q = data.design.shape[1]
        whole = np.hstack([data.design, np.nan_to_num(data.values)])
        self.columns = [
            [*range(q), *(q + k for k in data.before(visit)), q + visit]
            for visit in range(data.raw.shape[1])
        ]
        m = data.raw.shape[1]
        self.patients = [int((data.last >= visit).sum()) for visit in range(m)]
        #: Degrees of freedom of each residual variance: with the prior 1/sigma², and with Jeffreys'.
        self.df = [
            count - len(columns) + 1
            for count, columns in zip(self.patients, self.columns, strict=True)
        ]
        self.df_jeffreys = [
            count - q - min(data.memory, m - 1 - visit) for visit, count in enumerate(self.patients)
        ]
        self.fixed = []
        for visit, columns in enumerate(self.columns):
            part = whole[(data.last >= visit) & ~gappy][:, columns]
            self.fixed.append(part.T @ part)

    def draw(self, filled: FloatArray, df: Sequence[int], rng: np.random.Generator) -> Regressions:
        """Draw the regressions; ``filled`` (C, n, m) has values where some are missing in between."""
        data = self.data
        chains, _, m = filled.shape
        q = data.design.shape[1]
        effect = np.empty((chains, m, q))
        slope, sd = np.zeros((chains, m, m)), np.empty((chains, m))
        gappy = filled[:, self.rows]
        design = np.broadcast_to(data.design[self.rows], (chains, self.rows.size, q))
        whole = np.concatenate([design, gappy], axis=2)
        for visit, columns in enumerate(self.columns):
            squares = self.fixed[visit][None]
            varying = whole[:, data.last[self.rows] >= visit][:, :, columns]
            if varying.shape[1]:
                squares = squares + np.matmul(varying.swapaxes(1, 2), varying)
            root = self._root(squares, visit)
            p = len(columns) - 1
            spread = root[:, p, p] / np.sqrt(rng.chisquare(df[visit], size=chains))
            noise = spread[:, None] * rng.standard_normal((chains, p))
            found = np.linalg.solve(
                root[:, :p, :p].swapaxes(1, 2), (root[:, p, :p] + noise)[..., None]
            )[..., 0]
            effect[:, visit] = found[:, :q]
            slope[:, visit, data.before(visit)] = found[:, q:]
            sd[:, visit] = spread
        return Regressions(effect, slope, sd)

    def _root(self, squares: FloatArray, visit: int) -> FloatArray:
        """Return the Cholesky factor of sums of squares and products, the visit itself in the last row."""
        size = np.einsum("cii->ci", squares)
        try:
            root = np.asarray(np.linalg.cholesky(squares), dtype=np.float64)
            free = np.einsum("cii->ci", root) ** 2 > COLLINEAR * size
        except np.linalg.LinAlgError:
            free = np.zeros(1, dtype=bool)
        if not np.all(free):
            raise ValueError(
                f"y: among the {self.patients[visit]} patients seen at visit {self.data.labels[visit]} or "
                "later, its values or those of a predictor do not vary by themselves; expected values "
                "that do not follow exactly from earlier visits and covariates; leave the visit or the "
                "covariate out, or give a smaller memory"
            )
        return root


def draw_completed(
    data: Visits,
    after_dropout: AfterDropout,
    course: FloatArray,
    course_root: FloatArray,
    burn_in: int,
    chains: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return data sets with every missing value drawn, (C, n, m), in the unit of the measure.

    ``course`` (m,) is the mean change of the untreated, zero at the baseline; ``course_root`` (m, m) a
    root of the covariance of its errors. The numbers drawn are the same whatever ``after_dropout`` is.
    """
    posterior = _Posterior(data)
    filled = np.broadcast_to(data.values, (chains, *data.values.shape)).copy()
    if posterior.rows.size:
        _fill_gaps(data, posterior, filled, burn_in, rng)
    regressions = posterior.draw(filled, posterior.df, rng)
    m = filled.shape[2]
    wobble = rng.standard_normal((chains, m)) @ course_root.T
    rows = np.flatnonzero(data.left.any(axis=1))
    if rows.size:
        noise = rng.standard_normal((chains, rows.size, m))
        mean = _target(data, regressions, rows, after_dropout, course + wobble)
        values = filled[:, rows]
        for visit in range(1, m):
            gone = data.left[rows, visit]
            before = data.before(visit)
            away = values[:, gone][:, :, before] - mean[:, gone][:, :, before]
            expected = np.matmul(away, regressions.slope[:, visit, before, None])[..., 0]
            values[:, gone, visit] = (
                mean[:, gone, visit]
                + expected
                + regressions.sd[:, visit, None] * noise[:, gone, visit]
            )
        filled[:, rows] = values
    return np.where(data.seen, data.raw, data.centre + data.scale * filled)


def _target(
    data: Visits,
    regressions: Regressions,
    rows: npt.NDArray[np.intp],
    after_dropout: AfterDropout,
    course: FloatArray,
) -> FloatArray:
    """Return the mean that each patient who left has at each visit, (C, patients, m)."""
    mean = regressions.means(data.design[rows])
    if after_dropout == "missing at random":
        return mean
    level, moves = data.centre / data.scale, course[:, None, :] / data.scale
    last = data.last[rows]
    if after_dropout in ("jump to baseline", "jump to reference"):
        start = mean[:, :, :1] + level[0]
    else:
        at_last = np.arange(rows.size), last
        start = (mean[:, *at_last] + level[last] - course[:, last] / data.scale)[:, :, None]
    return np.where(data.left[rows], start + moves - level, mean)


def _fill_gaps(
    data: Visits,
    posterior: _Posterior,
    filled: FloatArray,
    burn_in: int,
    rng: np.random.Generator,
) -> None:
    """Draw parameters and the values missing in between in turn; the last values of each chain stay."""
    spread = np.nanstd(data.values, axis=0)
    chains = filled.shape[0]
    for row in posterior.rows:
        at = np.flatnonzero(data.gaps[row])
        filled[:, row, at] = spread[at] * rng.standard_normal((chains, at.size))
    patterns: dict[tuple[int, bytes], list[int]] = {}
    for row in posterior.rows:
        key = int(data.last[row]), data.gaps[row].tobytes()
        patterns.setdefault(key, []).append(int(row))
    for _ in range(burn_in):
        regressions = posterior.draw(filled, posterior.df_jeffreys, rng)
        mean = regressions.means(data.design[posterior.rows])
        for rows in patterns.values():
            _draw_gaps(
                data, regressions, filled, mean[:, np.searchsorted(posterior.rows, rows)], rows, rng
            )


def _draw_gaps(
    data: Visits,
    regressions: Regressions,
    filled: FloatArray,
    mean: FloatArray,
    rows: list[int],
    rng: np.random.Generator,
) -> None:
    """Draw the values missing in between for patients of one pattern, given all that was seen of them."""
    end = int(data.last[rows[0]]) + 1
    hole, rest = (np.flatnonzero(which[rows[0], :end]) for which in (data.gaps, data.seen))
    unit = (np.eye(end) - regressions.slope[:, :end, :end]) / regressions.sd[:, :end, None]
    precision = np.matmul(unit.swapaxes(1, 2), unit)
    root = np.linalg.cholesky(precision[:, hole[:, None], hole])
    away = filled[:, rows][:, :, rest] - mean[:, :, rest]
    pull = -np.matmul(away, precision[:, rest[:, None], hole])
    # With precision R R', the mean is R'^-1 R^-1 pull and a draw adds R'^-1 e.
    half = np.linalg.solve(root, pull.swapaxes(1, 2))
    noise = rng.standard_normal(half.shape)
    drawn = np.linalg.solve(root.swapaxes(1, 2), half + noise).swapaxes(1, 2)
    filled[:, np.asarray(rows)[:, None], hole] = mean[:, :, hole] + drawn
