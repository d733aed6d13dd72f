"""A mixture of few beta or normal distributions that stands for one given on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from onearm.stats.bayes.mixtures import BetaMixture, NormalMixture
from onearm.stats.differences import FloatArray

#: Total variation distance at which a mixture is close enough to stop adding components.
CLOSE = 0.01
#: Steps of EM before quasi-Newton takes over: enough to leave the starting point.
WARM = 5

#: Log densities of all components at all points, from two positive or real parameters each ...
LogDensity = Callable[[FloatArray, FloatArray], FloatArray]
#: ... and their derivatives in the two parameters.
Slopes = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
Parameters = tuple[FloatArray, FloatArray, FloatArray]


def fit_betas(
    logits: FloatArray, width: FloatArray, mass: FloatArray, components: int | None
) -> tuple[BetaMixture, float]:
    """Fit betas to probabilities on a grid of logits; return them and the total variation distance.

    ``width`` is the stretch of logits that each probability in ``mass`` stands for.
    """
    from scipy.special import betaln, expit, log_expit, psi

    up, down, share = log_expit(logits), log_expit(-logits), expit(logits)

    # The parameters are log a and log b; the density is that of the logit, whose grid it is.
    def log_density(log_a: FloatArray, log_b: FloatArray) -> FloatArray:
        a, b = np.exp(log_a), np.exp(log_b)
        return np.asarray(np.outer(up, a) + np.outer(down, b) - betaln(a, b))

    def slopes(log_a: FloatArray, log_b: FloatArray) -> tuple[FloatArray, FloatArray]:
        a, b = np.exp(log_a), np.exp(log_b)
        both = psi(a + b)
        return a * (up[:, None] - psi(a) + both), b * (down[:, None] - psi(b) + both)

    def moments(parts: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = share @ parts
        rest = expit(-logits) @ parts
        variance = np.sum((share[:, None] - mean) ** 2 * parts, axis=0)
        size = np.maximum(mean * rest / np.maximum(variance, 1e-300) - 1, 0.1)
        return np.log(mean * size), np.log(rest * size)

    (weights, log_a, log_b), distance = _fewest(
        width, mass, components, log_density, slopes, moments
    )
    return BetaMixture(weights, np.exp(log_a), np.exp(log_b)), distance


def fit_normals(
    points: FloatArray, width: FloatArray, mass: FloatArray, components: int | None
) -> tuple[NormalMixture, float]:
    """Fit normals to probabilities on a grid; return them and the total variation distance.

    ``width`` is the stretch that each probability in ``mass`` stands for.
    """
    # In standard deviations from the mean, so that no unit is too large or too small.
    mean = float(mass @ points)
    unit = math.sqrt(float(mass @ (points - mean) ** 2))
    x = (points - mean) / unit
    least = float(np.min(width)) / unit

    # The parameters are the mean and the log standard deviation.
    def log_density(m: FloatArray, log_s: FloatArray) -> FloatArray:
        z = (x[:, None] - m) * np.exp(-log_s)
        return np.asarray(-0.5 * z * z - log_s - 0.5 * math.log(2 * math.pi))

    def slopes(m: FloatArray, log_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = (x[:, None] - m) * np.exp(-log_s)
        return z * np.exp(-log_s), z * z - 1

    def moments(parts: FloatArray) -> tuple[FloatArray, FloatArray]:
        middle = x @ parts
        variance = np.sum((x[:, None] - middle) ** 2 * parts, axis=0)
        return middle, 0.5 * np.log(np.maximum(variance, least * least))

    (weights, m, log_s), distance = _fewest(
        width / unit, mass, components, log_density, slopes, moments
    )
    return NormalMixture(weights, mean + unit * m, unit * np.exp(log_s)), distance


def _fewest(
    width: FloatArray,
    mass: FloatArray,
    components: int | None,
    log_density: LogDensity,
    slopes: Slopes,
    moments: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
) -> tuple[Parameters, float]:
    """Return the fit of the fewest components that is close enough, or the closest of all."""
    tried: list[tuple[Parameters, float]] = []
    counts = [1, 2, 3, 4] if components is None else [components]
    for start in (_nested, _side_by_side):
        for count in counts:
            member = start(mass, count)
            for _ in range(WARM):  # EM, the new parameters by moments
                weights = mass @ member
                first = moments(member * mass[:, None] / weights)
                each = np.log(weights) + log_density(*first)
                member = np.exp(each - each.max(axis=1, keepdims=True))
                member /= member.sum(axis=1, keepdims=True)
            fitted = _closest(mass, (weights, *first), log_density, slopes)
            density = width * (np.exp(log_density(*fitted[1:])) @ fitted[0])
            tried.append((fitted, 0.5 * math.fsum(np.abs(mass - density))))
            if tried[-1][1] <= CLOSE:
                return tried[-1]
    return min(tried, key=lambda one: one[1])


def _nested(mass: FloatArray, count: int) -> FloatArray:
    """Return memberships to start from: a middle and rings about it, as a peak on wider tails has."""
    place = np.cumsum(mass) - mass / 2
    outside = 1 - 2 * np.minimum(place, 1 - place)  # 0 at the median, 1 at the ends
    return _mostly(np.searchsorted([0.6, 0.9, 0.98][: count - 1], outside), count)


def _side_by_side(mass: FloatArray, count: int) -> FloatArray:
    """Return memberships to start from: equal parts from left to right, where there are two peaks."""
    place = np.cumsum(mass) - mass / 2
    return _mostly(np.minimum((place * count).astype(np.intp), count - 1), count)


def _mostly(part: npt.NDArray[np.intp], count: int) -> FloatArray:
    member: FloatArray = np.full((part.size, count), 0.2 / count)
    member[np.arange(part.size), part] += 0.8
    return member


def _closest(
    mass: FloatArray, start: Parameters, log_density: LogDensity, slopes: Slopes
) -> Parameters:
    """Minimise the Kullback-Leibler distance (maximise the expected log density), by BFGS."""
    from scipy.optimize import minimize

    count = start[0].size

    def split(free: FloatArray) -> Parameters:
        odds = np.exp(free[:count] - free[:count].max())
        return odds / odds.sum(), free[count : 2 * count], free[2 * count :]

    def distance(free: FloatArray) -> tuple[float, FloatArray]:
        weights, one, two = split(free)
        each = np.log(np.maximum(weights, 1e-300)) + log_density(one, two)
        top = each.max(axis=1, keepdims=True)
        share = np.exp(each - top)
        total = share.sum(axis=1, keepdims=True)
        share *= mass[:, None] / total
        by_one, by_two = slopes(one, two)
        gradient = np.concatenate(
            [
                weights - share.sum(axis=0),
                -np.sum(share * by_one, axis=0),
                -np.sum(share * by_two, axis=0),
            ]
        )
        return -float(mass @ (top + np.log(total))[:, 0]), gradient

    free = np.concatenate([np.log(start[0]), start[1], start[2]])
    found = minimize(distance, free, jac=True, method="BFGS", options={"gtol": 1e-7})
    return split(found.x if np.all(np.isfinite(found.x)) else free)
