"""The sum of two independent errors whose standard deviations are estimated (Behrens and Fisher)."""

from __future__ import annotations

import math

import numpy as np

from onearm.stats.differences import FloatArray

#: Steps of the trapezoid rule, in standard deviations of the logarithm of an estimated SD and at
#: most; on so smooth a function it then is right to about 13 digits.
STEP, LARGEST_STEP = 0.6, 0.11
#: Parts whose weight is below exp(-60), 1e-26, of the largest are left out.
FLOOR = 60.0


class TwoErrors:
    """The sum of two independent Student's t variates, each with its own standard error.

    Parameters
    ----------
    errors
        The two standard errors, 0 or more, not both 0.
    dfs
        Their degrees of freedom; infinite for a normal error.

    Notes
    -----
    Given both true standard deviations the sum is normal; its tail is averaged over what the
    estimates leave open (1/chi), by the trapezoid rule on their logarithms. Only positive numbers
    are added, so small tails keep their digits (to about 1e-20).

    References
    ----------
    Fisher RA (1935) Ann Eugen 6:391-398. Robinson GK (1976) Ann Stat 4:963-971 (it keeps the level).
    """

    def __init__(self, errors: tuple[float, float], dfs: tuple[float, float]) -> None:
        first, second = (_scales(*pair) for pair in zip(errors, dfs, strict=True))
        self._unit = math.hypot(*errors)
        weights = np.multiply.outer(first[1], second[1])
        kept = weights > weights.max() * math.exp(-FLOOR)
        self._spread = np.sqrt(np.add.outer(first[0] ** 2, second[0] ** 2))[kept]
        self._weights = weights[kept]

    def below(self, value: float) -> float:
        """Return the probability of at most ``value``."""
        from scipy.special import ndtr

        return float(np.sum(self._weights * ndtr(value / self._spread)))

    def reach(self, level: float) -> float:
        """Return the distance from 0 within which the sum lies with probability ``level``.

        Below 0, for a level between -1 and 0: minus the distance for the level without its sign.
        """
        from scipy.optimize import brentq

        if level <= 0:
            return 0.0 if level == 0 else -self.reach(-level)
        tail = (1 - level) / 2
        out = self._unit
        while self.below(-out) > tail:
            out *= 2
        return float(brentq(lambda far: self.below(-far) - tail, 0.0, out, xtol=1e-15 * out))


def _scales(error: float, df: float) -> tuple[FloatArray, FloatArray]:
    """Return possible true errors and their weights, given an estimate with ``df``.

    The true one is the estimate over v, the root of a chi-square variate per degree of freedom.
    """
    if math.isinf(df) or error == 0:
        return np.array([error]), np.ones(1)
    step = min(STEP / math.sqrt(2 * df), LARGEST_STEP)
    u = np.arange(-FLOOR / df - 2, 1 + 4 / math.sqrt(df) + math.log1p(FLOOR / df), step)
    log_density = df * u - df * np.exp(2 * u) / 2
    weights = np.exp(log_density - log_density.max())
    kept = weights > math.exp(-FLOOR)
    spread: FloatArray = error * np.exp(-u[kept])
    return spread, weights[kept] / weights[kept].sum()
