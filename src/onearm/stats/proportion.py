"""Confidence intervals of a share of patients: exact, mid-P, Blaker's, Wilson's and Jeffreys'."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from onearm.stats.differences import check_choice, check_level

Side = Literal["two-sided", "upper", "lower"]


@dataclass(frozen=True)
class Interval:
    """A share of patients with its confidence interval; all between 0 and 1.

    ``estimate`` is x/n. A one-sided interval has 0 or 1 as its other limit.
    """

    estimate: float
    lower: float
    upper: float
    conf_level: float


def whole_number(value: float, name: str, *, least: int = 0) -> int:
    """Return a count as an int; ValueError unless it is a whole number of at least ``least``.

    Whole-valued floats are accepted, since counts come out of data frames so; True, 2.5 and NaN are
    mistakes.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool) or value % 1 != 0 or value < least:
        raise ValueError(
            f"{name}: found {value!r}; expected a whole number of patients, {least} or more"
        )
    return int(value)


def clopper_pearson(
    x: int, n: int, *, conf_level: float = 0.95, alternative: Side = "two-sided"
) -> Interval:
    """Give the exact interval of a share: the shares that neither one-sided binomial test rejects.

    Parameters
    ----------
    x, n
        Patients with the event, and all patients; 0 <= x <= n, n at least 1.
    conf_level
        Level; the interval covers the true share at least this often, whatever the share.
    alternative
        ``"upper"`` gives an upper limit only (lower is 0), ``"lower"`` a lower limit only.

    Returns
    -------
    Interval

    References
    ----------
    Clopper CJ, Pearson ES (1934) Biometrika 26:404-413.

    Examples
    --------
    >>> round(clopper_pearson(0, 9, alternative="upper").upper, 4)
    0.2831
    """
    x, n, tail = _checked(x, n, conf_level, alternative)
    return _interval(x, n, conf_level, alternative, lambda k: _clopper_pearson_lower(k, n, tail))


def wilson(
    x: int, n: int, *, conf_level: float = 0.95, alternative: Side = "two-sided"
) -> Interval:
    """Give Wilson's score interval of a share, without continuity correction.

    Parameters are those of :func:`clopper_pearson`. Coverage is near the level on average, not
    guaranteed. R: ``prop.test(x, n, correct = FALSE)``.

    References
    ----------
    Wilson EB (1927) J Am Stat Assoc 22:209-212.

    Examples
    --------
    >>> round(wilson(0, 9).upper, 4)
    0.2991
    """
    x, n, tail = _checked(x, n, conf_level, alternative)

    def lower(k: int) -> float:
        from scipy.special import ndtri

        if k == 0:
            return 0.0
        z = -float(ndtri(tail))
        centre, spread = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
        # The same as (centre - spread)/(n + z²), without the loss of digits when both are close.
        return k * k * (1 + z * z / n) / ((centre + spread) * (n + z * z))

    return _interval(x, n, conf_level, alternative, lower)


def jeffreys(
    x: int, n: int, *, conf_level: float = 0.95, alternative: Side = "two-sided"
) -> Interval:
    """Give Jeffreys' interval of a share: quantiles of Beta(x + 1/2, n - x + 1/2).

    Parameters are those of :func:`clopper_pearson`. The lower limit is 0 when nobody has the
    event and the upper limit 1 when all have it (Brown, Cai & DasGupta 2001).

    References
    ----------
    Brown LD, Cai TT, DasGupta A (2001) Stat Sci 16:101-133.

    Examples
    --------
    >>> round(jeffreys(0, 9).upper, 4)
    0.2376
    """
    x, n, tail = _checked(x, n, conf_level, alternative)

    def lower(k: int) -> float:
        from scipy.special import betaincinv

        return float(betaincinv(k + 0.5, n - k + 0.5, tail)) if k else 0.0

    return _interval(x, n, conf_level, alternative, lower)


def mid_p(x: int, n: int, *, conf_level: float = 0.95, alternative: Side = "two-sided") -> Interval:
    """Give the mid-P interval of a share: Clopper-Pearson's with half of P(x) left out of each tail.

    Parameters are those of :func:`clopper_pearson`. Coverage is near the level on average, not
    guaranteed.

    References
    ----------
    Lancaster HO (1961) J Am Stat Assoc 56:223-234. Berry G, Armitage P (1995) The Statistician
    44:417-423.

    Examples
    --------
    >>> round(mid_p(0, 9).upper, 4)
    0.2831
    """
    x, n, tail = _checked(x, n, conf_level, alternative)

    def lower(k: int) -> float:
        if k == 0:
            return 0.0
        return first_true(
            lambda p: (_at_least(k, n, p) + _at_least(k + 1, n, p)) / 2 > tail, 0.0, 1.0
        )

    return _interval(x, n, conf_level, alternative, lower)


def blaker(x: int, n: int, *, conf_level: float = 0.95) -> Interval:
    """Give Blaker's exact interval of a share: never wider than Clopper-Pearson's, same guarantee.

    Parameters
    ----------
    x, n
        Patients with the event, and all patients; 0 <= x <= n, n at least 1.
    conf_level
        Level; the interval covers the true share at least this often, whatever the share.

    Returns
    -------
    Interval
        The smallest interval holding every share whose acceptability exceeds 1 - conf_level,
        found to the last bits: between the shares at which the acceptability jumps it is a
        smooth function with a single crossing.

    References
    ----------
    Blaker H (2000) Can J Stat 28:783-798.

    Examples
    --------
    >>> round(blaker(5, 6).lower, 4)
    0.4061
    """
    x, n, tail = _checked(x, n, conf_level, "two-sided")
    return _interval(x, n, conf_level, "two-sided", lambda k: _blaker_lower(k, n, 2 * tail))


def _checked(x: int, n: int, conf_level: float, alternative: str) -> tuple[int, int, float]:
    """Return x, n and the probability left to each asked-for side."""
    check_choice("alternative", alternative, ("two-sided", "upper", "lower"))
    check_level(conf_level)
    all_patients = whole_number(n, "n", least=1)
    events = whole_number(x, "x")
    if events > all_patients:
        raise ValueError(f"x: found {events} of n = {all_patients}; expected at most n")
    return events, all_patients, (1 - conf_level) / (2 if alternative == "two-sided" else 1)


def _interval(
    x: int, n: int, conf_level: float, alternative: Side, lower_of: Callable[[int], float]
) -> Interval:
    """Build an interval from its lower limit as a function of the count; the upper is mirrored."""
    return Interval(
        estimate=x / n,
        lower=0.0 if alternative == "upper" else lower_of(x),
        upper=1.0 if alternative == "lower" else 1.0 - lower_of(n - x),
        conf_level=conf_level,
    )


def _clopper_pearson_lower(x: int, n: int, tail: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(x, n - x + 1, tail)) if x else 0.0


def _at_least(x: int, n: int, p: float) -> float:
    """Return P(X >= x) of a binomial count, accurate where it is small."""
    from scipy.special import betainc

    if x <= 0:
        return 1.0
    return float(betainc(x, n - x + 1, p)) if x <= n else 0.0


def _at_most(x: int, n: int, p: float) -> float:
    """Return P(X <= x) of a binomial count, accurate where it is small."""
    return _at_least(n - x, n, 1 - p)


def first_true(is_above: Callable[[float], bool], low: float, high: float) -> float:
    """Halve [low, high] until two neighbouring floats enclose the step from False to True."""
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        if is_above(middle):
            high = middle
        else:
            low = middle


def _blaker_lower(x: int, n: int, alpha: float) -> float:
    """Return the smallest share whose acceptability exceeds ``alpha``.

    Below x/n the acceptability is P(X >= x) + P(X <= j), j the largest count whose lower tail is
    no more likely than the upper tail of x. It jumps where the next j joins, and starts to exceed
    alpha above Clopper-Pearson's limit: at the next jump, or by crossing smoothly before it.
    """
    if x == 0:
        return 0.0
    start = _clopper_pearson_lower(x, n, alpha / 2)
    j = -1
    while _at_most(j + 1, n, start) <= alpha / 2:
        j += 1
    jump = first_true(lambda p: _at_most(j + 1, n, p) <= _at_least(x, n, p), start, 1.0)

    def exceeds(p: float) -> bool:
        return _at_least(x, n, p) + (_at_most(j, n, p) if j >= 0 else 0.0) > alpha

    return first_true(exceeds, start, jump) if exceeds(jump) else jump
