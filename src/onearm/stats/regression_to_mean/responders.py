"""Responders among untreated patients: each one's probability, and the exact test of their number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    FloatArray,
    as_numbers,
    check_choice,
    to_floats,
)
from onearm.stats.proportion import whole_number
from onearm.stats.regression_to_mean.history import NaturalHistory, check_alpha, check_count
from onearm.stats.regression_to_mean.selection import check_change, check_share

ResponseSide = Literal["below", "above"]
ALTERNATIVES = ("two-sided", "less", "greater")
#: Points per dimension of Gauss-Hermite's rule over an uncertain mean and rho.
NODES = 21


@dataclass(frozen=True)
class PoissonBinomial:
    """The outcome of a test of the number of responders, each patient with an own probability.

    Attributes
    ----------
    pvalue
        Exact P of the number seen, under the probabilities given.
    responders, n, expected
        Number seen, number of patients, and the number to expect.
    critical
        Smallest number (``"greater"``) or largest (``"less"``) that is significant at ``alpha``;
        None where no number is, and for ``"two-sided"``.
    attained
        Probability of a significant number: the level that the test has, at most ``alpha``.
    distribution
        Probabilities of 0, 1, ..., n responders.
    """

    pvalue: float
    responders: int
    n: int
    expected: float
    critical: int | None
    attained: float
    alpha: float
    alternative: Alternative
    distribution: tuple[float, ...]


def untreated_response(
    before: npt.ArrayLike,
    history: NaturalHistory,
    *,
    change: float | None = None,
    ratio: float | None = None,
    limits: npt.ArrayLike | None = None,
    side: ResponseSide | None = None,
    readings: int = 1,
    continuity: float = 0.0,
) -> FloatArray:
    """Give the probability that each patient "responds" untreated, by regression to the mean alone.

    Parameters
    ----------
    before
        The value on which entry was decided, one per patient; logarithms for ``ratio``.
    history
        The untreated population, on the same scale.
    change
        A response is a change (after - before) of at most this where it is negative (-4: a fall by
        4 or more), of at least this where it is positive.
    ratio
        Instead of ``change``, for readings given as natural logarithms: a response is a follow-up
        of at most this share of baseline (0.5: halved), of at least it where it is above 1.
    limits
        Instead of both: the follow-up value, on the history's scale, at which each patient's
        response begins; one per patient, -inf or inf where nothing or everything is a response.
    side
        With ``limits``: whether follow-up values ``"below"`` or ``"above"`` them are a response.
    readings
        How many readings each value of ``before`` is the mean of.
    continuity
        Half the step between values that can occur (0.5 for a score in whole points, where "at
        least 4" begins at 3.5); 0 for a continuous measure, and with ``limits``.

    Returns
    -------
    numpy.ndarray
        Phi((x + change - mu - rho (x - mu))/(s sqrt(1 - rho^2))) for a fall. Where mean and rho are
        uncertain their variance is added: the probability for that patient alone. The number of
        responders then needs :func:`untreated_responders`, for their errors are shared.

    References
    ----------
    The conditional distribution of a bivariate normal pair; James KE (1973) Biometrics 29:121-130.

    Examples
    --------
    >>> p = untreated_response([16, 12], NaturalHistory(mean=8, sd=5, rho=0.64), change=-4)
    >>> [round(float(each), 4) for each in p]
    [0.3853, 0.2526]
    """
    x = _values(before, readings)
    edge, sign = _edges(x, change, ratio, limits, side, continuity)
    variance = history.residual_sd(readings) ** 2 + history.expected_variance(x, readings)
    return _share(edge, sign, history.expected(x, readings), np.sqrt(variance))


def untreated_responders(
    before: npt.ArrayLike,
    history: NaturalHistory,
    *,
    responders: int,
    change: float | None = None,
    ratio: float | None = None,
    limits: npt.ArrayLike | None = None,
    side: ResponseSide | None = None,
    readings: int = 1,
    continuity: float = 0.0,
    alternative: Alternative = "greater",
    alpha: float = 0.05,
) -> PoissonBinomial:
    """Test whether more patients respond than regression to the mean alone explains.

    The other parameters are those of :func:`untreated_response` and :func:`poisson_binomial`.

    Parameters
    ----------
    responders
        Number of patients who responded.

    Notes
    -----
    With known mean and rho this is the Poisson-binomial test of each patient's own probability.
    Where they are uncertain its distribution is averaged over their normal errors (rho kept within
    0 and 1), so that what all patients share widens it; P is then a prior predictive one.

    Examples
    --------
    >>> baselines = [10, 12, 12, 14, 16, 16, 18, 20, 24]
    >>> known = NaturalHistory(mean=8, sd=5, rho=0.64)
    >>> test = untreated_responders(baselines, known, responders=7, change=-4)
    >>> test.critical, round(test.expected, 2), round(test.pvalue, 4)
    (7, 3.46, 0.0152)
    """
    x = _values(before, readings)
    edge, sign = _edges(x, change, ratio, limits, side, continuity)
    mixture = np.zeros(x.size + 1)
    for mean, rho, weight in _errors(history):
        at = NaturalHistory(mean=mean, sd=history.sd, rho=rho)
        spread = np.full(x.size, at.residual_sd(readings))
        mixture += weight * _distribution(_share(edge, sign, at.expected(x, readings), spread))
    return _tested(responders, mixture, alternative, alpha)


def poisson_binomial(
    responders: int,
    probabilities: npt.ArrayLike,
    *,
    alternative: Alternative = "greater",
    alpha: float = 0.05,
) -> PoissonBinomial:
    """Test a number of responders when each patient has an own probability, exactly.

    Parameters
    ----------
    responders
        Number of patients who responded, from 0 to n.
    probabilities
        Each patient's probability of responding under the hypothesis, from 0 to 1; at least one.
    alternative
        ``"greater"``: more respond than expected; ``"less"``: fewer; ``"two-sided"``: twice the
        smaller tail, at most 1.
    alpha
        Level for which ``critical`` and ``attained`` are given.

    Returns
    -------
    PoissonBinomial

    Notes
    -----
    The distribution of the sum of independent yes/no variates, by convolution of (1 - p, p): only
    positive numbers are added, so small tails keep their digits. With equal probabilities it is
    the binomial distribution.

    References
    ----------
    Poisson SD (1837) Recherches sur la probabilité des jugements. Hong Y (2013) Comput Stat Data
    Anal 59:41-51.

    Examples
    --------
    >>> poisson_binomial(2, [0.5, 0.25]).pvalue
    0.125
    """
    p = as_numbers(probabilities, "probabilities")
    if p.size == 0:
        raise ValueError("probabilities: found none; expected at least one, one per patient")
    bad = np.flatnonzero((p < 0) | (p > 1))
    if bad.size:
        raise ValueError(
            f"probabilities[{bad[0]}]: found {p[bad[0]]:g}; expected a probability from 0 to 1"
        )
    return _tested(responders, _distribution(p), alternative, alpha)


def _values(before: npt.ArrayLike, readings: int) -> FloatArray:
    x = as_numbers(before, "before")
    if x.size == 0:
        raise ValueError("before: found no value; expected at least one, one per patient")
    check_count("readings", readings)
    return x


def _edges(
    x: FloatArray,
    change: float | None,
    ratio: float | None,
    limits: npt.ArrayLike | None,
    side: ResponseSide | None,
    continuity: float,
) -> tuple[FloatArray, float]:
    """Return the follow-up at which each response begins; 1.0 where it lies below, else -1.0."""
    if sum(given is not None for given in (change, ratio, limits)) != 1:
        raise ValueError(
            "change, ratio, limits: expected exactly one of them; a response is a change by so "
            "much, or on logarithms a share of baseline, or a follow-up beyond a limit"
        )
    if (limits is None) != (side is None):
        raise ValueError(
            f"side: found {side!r}; expected 'below' or 'above' with limits, and none with change "
            "or ratio, which have a direction themselves"
        )
    if limits is not None:
        return _checked_limits(limits, side, x.size, continuity)
    if ratio is not None:
        check_share(ratio)
        step = math.log(ratio)
    else:
        assert change is not None
        check_change(change)
        step = change
    if not 0 <= continuity < abs(step):
        raise ValueError(
            f"continuity: found {continuity}; expected 0 or more and less than the change of "
            f"{abs(step):g}; it is half the step between values that can occur"
        )
    return x + step - math.copysign(continuity, step), -math.copysign(1.0, step)


def _checked_limits(
    limits: npt.ArrayLike, side: ResponseSide | None, n: int, continuity: float
) -> tuple[FloatArray, float]:
    check_choice("side", side, ("below", "above"))
    if continuity != 0:
        raise ValueError(
            f"continuity: found {continuity} with limits; expected 0; move the limits themselves"
        )
    edge = to_floats(limits, "limits")
    if edge.size != n:
        raise ValueError(f"limits: found {edge.size} of {n} patients; expected one per patient")
    if np.isnan(edge).any():
        at = int(np.flatnonzero(np.isnan(edge))[0])
        raise ValueError(f"limits[{at}]: found no number; expected a follow-up value, or inf")
    return edge, 1.0 if side == "below" else -1.0


def _share(edge: FloatArray, sign: float, expected: FloatArray, spread: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    share: FloatArray = ndtr(sign * (edge - expected) / spread)
    return share


def _errors(history: NaturalHistory) -> list[tuple[float, float, float]]:
    """Return points (mean, rho, weight) that stand for the normal errors of mean and rho."""
    if history.is_known:
        return [(history.mean, history.rho, 1.0)]
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    correlation = 0.0
    if history.mean_se > 0 and history.rho_se > 0:
        correlation = history.covariance / (history.mean_se * history.rho_se)
    rest = math.sqrt(max(0.0, 1 - correlation**2))
    largest = math.nextafter(1.0, 0.0)
    return [
        (
            history.mean + history.mean_se * (correlation * u + rest * v),
            min(max(history.rho + history.rho_se * u, 0.0), largest),
            float(wu * wv),
        )
        for u, wu in zip(nodes.tolist(), weights, strict=True)
        for v, wv in zip(nodes.tolist(), weights, strict=True)
    ]


def _distribution(probabilities: FloatArray) -> FloatArray:
    shares = np.ones(1)
    for p in probabilities:
        shares = np.append(shares * (1 - p), 0.0) + np.append(0.0, shares * p)
    return shares


def _tested(
    responders: int, distribution: FloatArray, alternative: Alternative, alpha: float
) -> PoissonBinomial:
    check_choice("alternative", alternative, ALTERNATIVES)
    check_alpha(alpha)
    n = distribution.size - 1
    seen = whole_number(responders, "responders")
    if seen > n:
        raise ValueError(f"responders: found {seen} of {n} patients; expected at most {n}")
    at_most = np.minimum(np.cumsum(distribution), 1.0)
    at_least = np.minimum(np.cumsum(distribution[::-1])[::-1], 1.0)
    tails = {
        "less": at_most,
        "greater": at_least,
        "two-sided": np.minimum(1.0, 2 * np.minimum(at_most, at_least)),
    }
    p = tails[alternative]
    significant = np.flatnonzero(p <= alpha)
    critical: int | None = None
    if alternative != "two-sided" and significant.size:
        critical = int(significant[0 if alternative == "greater" else -1])
    return PoissonBinomial(
        pvalue=float(p[seen]),
        responders=seen,
        n=n,
        expected=float(np.sum(np.arange(n + 1) * distribution)),
        critical=critical,
        attained=float(np.sum(distribution[significant])),
        alpha=alpha,
        alternative=alternative,
        distribution=tuple(float(share) for share in distribution),
    )
