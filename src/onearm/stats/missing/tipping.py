"""The tipping point: how far from missing at random the conclusion changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import as_numbers, check_level, mean_and_sd
from onearm.stats.missing.imputation import at_random, by_regression
from onearm.stats.missing.pairs import Pairs, nobody_missing, patients, read_pairs
from onearm.stats.missing.results import TippingPoint

#: Stretches in which the tipping point is sought before it is closed in on.
STRETCHES = 400


def tipping_point(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    deltas: npt.ArrayLike | None = None,
    *,
    conf_level: float = 0.95,
) -> TippingPoint:
    """Find how much worse the missing patients must have done for the conclusion to tip.

    Parameters
    ----------
    before, after
        As in :func:`missing_at_random`.
    deltas
        Grid of what is added to each missing value beyond what missing at random predicts, in the
        unit of the measure. None: -2 to 2 by 0.5 standard deviations of the observed changes.
    conf_level
        Level of the intervals; the conclusion is whether P is at most 1 - conf_level.

    Returns
    -------
    TippingPoint
        Where P is at most alpha under missing at random, the tipping delta takes the estimate towards
        no change and always exists. Where it is not, a delta is sought that makes it so, no further
        than the grid reaches.

    Raises
    ------
    ValueError
        As :func:`missing_at_random`, or if a delta is not a number.

    References
    ----------
    Rubin DB (1977) J Am Stat Assoc 72:538-543. Yan X, Lee S, Li N (2009) J Biopharm Stat
    19:1085-1098 (tipping point).

    Examples
    --------
    >>> before = [12, 10, 16, 8, 14, 11, 9, 13]
    >>> found = tipping_point(before, [6, 8, 8, 7, 9, 6, None, None], [0, 4, 8])
    >>> [round(row.pvalue, 3) for row in found.rows]
    [0.007, 0.042, 0.23]
    >>> round(found.delta, 2)
    4.35
    """
    check_level(conf_level)
    pairs = read_pairs(before, after, least=1)
    grid = _grid(pairs, deltas)
    rows = tuple(at_random(pairs, delta, conf_level) for delta in grid)
    alpha = 1 - conf_level
    if pairs.n_missing == 0:
        return TippingPoint(
            rows=rows,
            delta=None,
            expected=None,
            words="Nobody is missing: there is nothing to tip.",
            assumption=nobody_missing(pairs),
            alpha=alpha,
        )
    delta = _tipping_delta(pairs, grid, conf_level)
    expected = float(np.mean(by_regression(pairs).mean))
    return TippingPoint(
        rows=rows,
        delta=delta,
        expected=expected,
        words=_tipping_words(pairs, delta, expected, conf_level),
        assumption=f"The {patients(pairs)} without follow-up changed by delta more than the "
        "regression of after on before predicts from the others.",
        alpha=alpha,
    )


def _grid(pairs: Pairs, deltas: npt.ArrayLike | None) -> list[float]:
    if deltas is not None:
        return [float(delta) for delta in as_numbers(deltas, "deltas")]
    sd = mean_and_sd(pairs.change)[1] if pairs.change.size > 1 else 0.0
    return [sd * step / 2 for step in range(-4, 5)]


def _tipping_delta(pairs: Pairs, grid: Sequence[float], conf_level: float) -> float | None:
    """Return the delta nearest to 0, in the one direction that matters, at which P crosses alpha.

    From significance, that is towards an estimate of zero, where P is 1. From none, it is towards a
    larger estimate.
    """
    alpha = 1 - conf_level

    def above(delta: float) -> float:
        return at_random(pairs, delta, conf_level).pvalue - alpha

    start = at_random(pairs, 0.0, conf_level)
    to_zero = -start.estimate * pairs.n / pairs.n_missing
    away = max((delta for delta in grid if delta * to_zero <= 0), key=abs, default=0.0)
    end = to_zero if start.pvalue <= alpha else away
    was = 0.0
    for step in range(1, STRETCHES + 1):
        at = end * step / STRETCHES
        if (above(at) <= 0) != (start.pvalue <= alpha):
            from scipy.optimize import brentq

            return float(brentq(above, was, at, xtol=abs(at) * 1e-13, rtol=1e-13))
        was = at
    return None


def _tipping_words(pairs: Pairs, delta: float | None, expected: float, conf_level: float) -> str:
    start = at_random(pairs, 0.0, conf_level)
    alpha = 1 - conf_level
    held = start.pvalue <= alpha
    finding = (
        f"Under missing at random the mean change is {start.estimate:.3g} and P is "
        f"{start.pvalue:.2g}, {'at most' if held else 'above'} {alpha:.3g}"
    )
    if delta is None:
        return f"{finding}; no delta within the grid brings P down to that."
    who = patients(pairs)
    return (
        f"{finding}. P {'rises above' if held else 'falls to'} that once the {who} without follow-up "
        f"are taken to have changed by {expected + delta:+.3g} on average instead of the "
        f"{expected:+.3g} predicted (delta {delta:+.3g})."
    )
