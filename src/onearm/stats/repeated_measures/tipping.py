"""The tipping point over visits: how far from missing at random the conclusion changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import as_numbers, check_level
from onearm.stats.proportion import whole_number
from onearm.stats.repeated_measures.imputation import (
    BURN_IN,
    IMPUTATIONS,
    Drawing,
    patients,
    shifts,
    words,
)
from onearm.stats.repeated_measures.imputed import Changes, ImputedVisit, VisitTippingPoint, pooled
from onearm.stats.repeated_measures.sequential import Visits, read_visits

#: Stretches in which the tipping point is sought before it is closed in on.
STRETCHES = 400


def visit_tipping_point(
    y: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    visit: Any = None,
    deltas: npt.ArrayLike | None = None,
    accumulate: bool = False,
    imputations: int = IMPUTATIONS,
    covariates: npt.ArrayLike | None = None,
    memory: int | None = None,
    burn_in: int = BURN_IN,
    visits: Sequence[Any] | None = None,
    conf_level: float = 0.95,
) -> VisitTippingPoint:
    """Find how much worse those who left must have done for the conclusion at one visit to tip.

    Parameters
    ----------
    y, rng, accumulate, imputations, covariates, memory, burn_in, visits
        As in :func:`impute_visits`. All deltas are tried on the same draws.
    visit
        Name of the visit whose change is judged, as in ``visits`` (without names its number, from 0);
        None: the last.
    deltas
        Grid of what is added to each value after a patient left, in the unit of the measure. None: -2
        to 2 by 0.5 standard deviations of the changes seen at the visit.
    conf_level
        Level of the intervals; the conclusion is whether P is at most 1 - conf_level.

    Returns
    -------
    VisitTippingPoint
        Where P is at most alpha under missing at random, the tipping delta takes the estimate towards
        no change and always exists. Where it is not, a delta is sought that makes it so, no further
        than the grid reaches.

    Raises
    ------
    ValueError
        As :func:`impute_visits`, or if the visit is not known or a delta is not a number.

    References
    ----------
    Yan X, Lee S, Li N (2009) J Biopharm Stat 19:1085-1098.

    Examples
    --------
    >>> nan = float("nan")
    >>> y = [[9, 7, 6], [8, 8, 4], [7, 5, 5], [9, 6, 3], [6, 6, 6], [8, 4, 5], [7, 5, 4], [9, 7, nan]]
    >>> found = visit_tipping_point(y, rng=np.random.default_rng(1), deltas=[0, 5, 10])
    >>> [row.pvalue < 0.05 for row in found.rows], bool(5 < found.delta < 10)
    ([True, True, False], True)
    """
    check_level(conf_level)
    times = whole_number(imputations, "imputations", least=2)
    data = read_visits(y, covariates, memory, visits)
    column = _column(data, visit)
    drawing = Drawing(data, "missing at random", None, burn_in)
    by_delta = _ByDelta(data, column, accumulate, drawing, times, rng, conf_level)
    grid = by_delta.grid(deltas)
    delta = by_delta.tipping_delta(grid)
    return VisitTippingPoint(
        visit=data.labels[column],
        deltas=tuple(grid),
        rows=tuple(by_delta.at(each) for each in grid),
        delta=delta,
        expected=by_delta.expected,
        words=by_delta.finding(delta),
        assumption=words(data, "missing at random", None, "delta", accumulate),
        alpha=1 - conf_level,
    )


def _column(data: Visits, visit: Any) -> int:
    """Return the column of a visit after the baseline."""
    if visit is None:
        return len(data.labels) - 1
    if str(visit) not in data.labels[1:]:
        raise ValueError(
            f"visit: {visit!r} is not known; expected one of {', '.join(data.labels[1:])}"
        )
    return data.labels.index(str(visit))


class _ByDelta:
    """The change at one visit as delta varies, on the same draws.

    Each completed change is d + delta s, s known: the estimate is linear in delta, its variance within a
    data set quadratic, and the variance between data sets does not depend on delta.
    """

    def __init__(
        self,
        data: Visits,
        column: int,
        accumulate: bool,
        drawing: Drawing,
        times: int,
        rng: np.random.Generator,
        conf_level: float,
    ) -> None:
        self.data, self.column, self.conf_level = data, column, conf_level
        self.gone = data.left[:, column]
        changes = Changes(data)
        step = shifts(data, 1.0, accumulate)[:, column]
        rest = changes.residuals(step[:, None])[:, 0]
        complete = bool(data.seen.all())
        self.imputations = 0 if complete else times
        estimates, squares, tilts, gone = [], [], [], []
        for part in [data.raw[None]] if complete else drawing.parts(times, rng):
            change = part[:, :, column] - part[:, :, 0]
            left_over = changes.residuals(change[..., None])[..., 0]
            estimates.append(change.mean(axis=1))
            squares.append(np.sum(left_over**2, axis=1))
            tilts.append(2 * left_over @ rest)
            gone.append(change[:, self.gone].sum(axis=1))
        estimate = np.concatenate(estimates)
        self.start, self.per_delta = float(estimate.mean()), float(step.mean())
        self.between = float(np.var(estimate, ddof=1)) if np.ptp(estimate) > 0 else 0.0
        curve = [np.concatenate(squares).mean(), np.concatenate(tilts).mean(), rest @ rest]
        self.curve = [float(term) / changes.df / changes.n for term in curve]
        self.df_complete = float(changes.df)
        n_gone = int(self.gone.sum())
        self.expected = float(np.concatenate(gone).mean()) / n_gone if n_gone else None

    def at(self, delta: float) -> ImputedVisit:
        """Return the result at one delta."""
        level, tilt, bend = self.curve
        data, column = self.data, self.column
        return pooled(
            data.labels[column],
            int((~data.seen[:, column] | ~data.seen[:, 0]).sum()),
            estimate=self.start + delta * self.per_delta,
            within=level + delta * tilt + delta**2 * bend,
            between=self.between,
            df_complete=self.df_complete,
            imputations=self.imputations,
            conf_level=self.conf_level,
        )

    def grid(self, deltas: npt.ArrayLike | None) -> list[float]:
        """Return the deltas asked for, or half standard deviations of the changes seen."""
        if deltas is not None:
            return [float(delta) for delta in as_numbers(deltas, "deltas")]
        change = self.data.raw[:, self.column] - self.data.raw[:, 0]
        sd = float(np.std(change[~np.isnan(change)], ddof=1))
        return [sd * step / 2 for step in range(-4, 5)]

    def tipping_delta(self, grid: Sequence[float]) -> float | None:
        """Return the delta nearest to 0, in the one direction that matters, at which P crosses alpha.

        From significance, that is towards an estimate of zero, where P is 1. From none, it is towards
        a larger estimate.
        """
        if self.expected is None:
            return None
        alpha = 1 - self.conf_level

        def above(delta: float) -> float:
            return self.at(delta).pvalue - alpha

        held = above(0.0) <= 0
        to_zero = -self.start / self.per_delta
        away = max((delta for delta in grid if delta * to_zero <= 0), key=abs, default=0.0)
        end, was = to_zero if held else away, 0.0
        for step in range(1, STRETCHES + 1):
            at = end * step / STRETCHES
            if (above(at) <= 0) != held:
                from scipy.optimize import brentq

                return float(brentq(above, was, at, xtol=abs(at) * 1e-13, rtol=1e-13))
            was = at
        return None

    def finding(self, delta: float | None) -> str:
        """State the finding."""
        if self.expected is None:
            return "Nobody had left by this visit: there is nothing to tip."
        start, alpha = self.at(0.0), 1 - self.conf_level
        held = start.pvalue <= alpha
        finding = (
            f"Under missing at random the mean change at visit {start.visit} is {start.estimate:.3g} and P "
            f"is {start.pvalue:.2g}, {'at most' if held else 'above'} {alpha:.3g}"
        )
        if delta is None:
            return f"{finding}; no delta within the grid brings P down to that."
        moved = self.expected + delta * self.per_delta * self.gone.size / self.gone.sum()
        return (
            f"{finding}. P {'rises above' if held else 'falls to'} that once the "
            f"{patients(int(self.gone.sum()))} who had left are taken to have changed by {moved:+.3g} on "
            f"average instead of the {self.expected:+.3g} predicted (delta {delta:+.3g})."
        )
