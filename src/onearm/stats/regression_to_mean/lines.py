"""The lines (mean and rho) compatible with an uncertain history, and the signed-rank test over them."""

from __future__ import annotations

import math

import numpy as np

from onearm.stats.differences import FloatArray
from onearm.stats.regression_to_mean.history import NaturalHistory, check_count, t_reach

#: Above this number of patients the pairwise averages would take minutes to search.
LARGEST_SIZE = 500


class LineRegion:
    """Offsets of patients from every line that is compatible with the history's errors.

    A line gives the untreated mean at each value before. Its height at one value and its slope have
    independent errors (that value is ``_pivot``), so the compatible lines are an ellipse in the two,
    cut at slopes of 0 and 1. For the signed-rank test only its lower and upper edges count: at each
    slope the lowest line makes the offsets largest. On an edge the average of two offsets is
    centre + tilt sin(phi) +- height cos(phi) at the angle phi, so where it crosses zero is solved
    for, and T+ (the number of positive pairwise averages, each offset with itself too) is known
    everywhere between.

    Parameters
    ----------
    before, offsets
        Values before, and the offsets from the history's own line; one of each per patient.
    history, readings
        As for the offset test; mean or rho uncertain.
    gamma
        Probability with which the ellipse misses the true line.
    """

    def __init__(
        self,
        before: FloatArray,
        offsets: FloatArray,
        history: NaturalHistory,
        readings: int,
        gamma: float,
    ) -> None:
        if before.size > LARGEST_SIZE:
            raise ValueError(
                f"before, after: found {before.size} patients; the signed-rank test with uncertain "
                f"mean or rho is kept to {LARGEST_SIZE}; ask for method='t', which is accurate at "
                "this size"
            )
        self.gamma = gamma
        height, slope, pivot = _errors(history, readings)
        reach = _reach(gamma, history.df, both=height > 0 and slope > 0)
        self._height = reach * height
        widest = reach * slope
        rows, columns = np.triu_indices(before.size)
        self._centre = (offsets[rows] + offsets[columns]) / 2
        self._tilt = -widest * ((before[rows] + before[columns]) / 2 - pivot)
        at = history.slope(readings)
        self._span = (
            math.asin(max(-1.0, -at / widest)) if widest else 0.0,
            math.asin(min(1.0, (1 - at) / widest)) if widest else 0.0,
        )
        self._tails = signed_rank_tails(before.size)

    def largest_tails(self) -> tuple[float, float]:
        """Return the largest P(T+ <= observed) and P(T+ >= observed) over the region."""
        return float(self._tails[self._most(0.0, 1)]), float(self._tails[self._most(0.0, -1)])

    def lower_limit(self, tail: float) -> float:
        """Return the smallest effect for which the largest P(T+ >= observed) exceeds ``tail``."""
        return self._limit(tail, -1)

    def upper_limit(self, tail: float) -> float:
        """Return the largest effect for which the largest P(T+ <= observed) exceeds ``tail``."""
        return self._limit(tail, 1)

    def _limit(self, tail: float, sign: int) -> float:
        """Halve the stretch between an effect that is kept and one that is not."""
        reach = np.hypot(self._tilt, self._height)
        width = float(np.max(reach)) + float(np.ptp(self._centre)) + 1.0
        kept = float(np.median(self._centre)) - sign * 2 * width
        out = kept + sign * 4 * width
        if self._tails[self._most(out, sign)] > tail:
            return sign * math.inf
        while True:
            middle = (kept + out) / 2
            if middle in (kept, out) or abs(out - kept) <= 1e-14 * width:
                return kept
            if self._tails[self._most(middle, sign)] > tail:
                kept = middle
            else:
                out = middle

    def _most(self, effect: float, sign: int) -> int:
        """Return the largest T+ (sign 1) or T- (sign -1) of the offsets less an effect."""
        low, high = self._span
        centre, tilt = sign * (self._centre - effect), sign * self._tilt
        start = centre + tilt * math.sin(low) + self._height * math.cos(low)
        count = int(np.count_nonzero(start > 0))
        reach = np.hypot(tilt, self._height)
        crosses = np.abs(centre) < reach
        top = np.arctan2(tilt[crosses], self._height)
        away = np.arccos(-centre[crosses] / reach[crosses])
        places = np.concatenate([top - away, top + away])
        places = np.where(places < -math.pi, places + 2 * math.pi, places)
        places = np.where(places > math.pi, places - 2 * math.pi, places)
        steps = np.repeat([1, -1], top.size)  # an average rises through zero before its top
        inside = (places > low) & (places < high)
        places, steps = places[inside], steps[inside]
        counts = count + np.cumsum(steps[np.lexsort((steps, places))])
        return int(max(count, counts.max(initial=0)))


def signed_rank_tails(n: int) -> FloatArray:
    """Return P(T+ <= t) for t = 0, 1, ..., n(n + 1)/2 without ties: each sign a fair coin.

    The lower half adds positive numbers only; the upper is its mirror image.

    Examples
    --------
    >>> signed_rank_tails(3).tolist()
    [0.125, 0.25, 0.375, 0.625, 0.75, 0.875, 1.0]
    """
    check_count("n", n)
    last = n * (n + 1) // 2
    shares = np.zeros(last + 1)
    shares[0] = 1.0
    for rank in range(1, n + 1):
        shares[rank:] += shares[:-rank].copy()
        shares /= 2
    tails = np.cumsum(shares)
    half = last // 2
    tails[half + 1 :] = 1.0 - np.append(tails[: last - half - 1][::-1], 0.0)
    return tails


def _errors(history: NaturalHistory, readings: int) -> tuple[float, float, float]:
    """Return the SDs of a line's height and slope, and the value at which these are independent."""
    steep = readings / (1 + (readings - 1) * history.rho) ** 2
    level = 1 - history.slope(readings)
    if history.rho_se == 0:
        return level * history.mean_se, 0.0, history.mean
    shared = history.covariance / history.rho_se
    height = level * math.sqrt(max(history.mean_se**2 - shared**2, 0.0))
    pivot = history.mean - level * shared / (history.rho_se * steep)
    return height, steep * history.rho_se, pivot


def _reach(gamma: float, df: float, *, both: bool) -> float:
    """Return how many standard errors the region extends, in one dimension or in two."""
    if not both:
        return t_reach(df, 1 - gamma)
    if math.isinf(df):
        return math.sqrt(-2 * math.log(gamma))
    return math.sqrt(df * math.expm1(-2 / df * math.log(gamma)))
