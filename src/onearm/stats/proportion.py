"""A share of patients: its confidence intervals, and its exact test against a reference rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from onearm.stats.differences import Alternative, check_choice, check_level
from onearm.stats.distributions import beta_quantile, incomplete_beta

#: Counts whose probabilities differ by less than this part are equally likely, as in R's binom.test.
EQUALLY_LIKELY = 1e-7

Side = Literal["two-sided", "upper", "lower"]
#: Which limit belongs to a one-sided test.
LIMIT_OF: dict[Alternative, Side] = {"two-sided": "two-sided", "less": "upper", "greater": "lower"}


@dataclass(frozen=True)
class Interval:
    """A share of patients with its confidence interval; all between 0 and 1.

    ``estimate`` is x/n. A one-sided interval has 0 or 1 as its other limit.
    """

    estimate: float
    lower: float
    upper: float
    conf_level: float


@dataclass(frozen=True)
class BinomialTest:
    """The outcome of an exact binomial test of a share of patients against a reference rate.

    Attributes
    ----------
    pvalue, midp
        P value, and the mid-P: half the probability of the observed count left out of each tail
        that is counted.
    estimate
        x/n.
    lower, upper
        Limits of the share at ``conf_level``; a one-sided alternative has one of them at 0 or 1.
    x, n, rate, conf_level, alternative, method
        As asked for.
    """

    pvalue: float
    midp: float
    estimate: float
    lower: float
    upper: float
    x: int
    n: int
    rate: float
    conf_level: float
    alternative: Alternative
    method: Literal["minlike", "doubled", "blaker"]


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
        if k == 0:
            return 0.0
        z = -NormalDist().inv_cdf(tail)
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
        return beta_quantile(tail, k + 0.5, n - k + 0.5) if k else 0.0

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


def binomial_test(
    x: int,
    n: int,
    rate: float,
    *,
    alternative: Alternative = "two-sided",
    method: Literal["minlike", "doubled", "blaker"] = "minlike",
    conf_level: float = 0.95,
) -> BinomialTest:
    """Test exactly whether a share of patients differs from a reference rate.

    Parameters
    ----------
    x, n
        Patients with the event, and all patients; 0 <= x <= n, n at least 1.
    rate
        The reference rate, fixed beforehand, above 0 and below 1. It is taken as known: a rate
        estimated from other patients is not, and makes this P too small.
    alternative
        ``"greater"``: the true share lies above the rate; ``"less"``: below.
    method
        What "as extreme" means when two-sided. ``"minlike"``: all counts no likelier than the
        observed one (R's ``binom.test``); ``"doubled"``: twice the smaller tail, at most 1;
        ``"blaker"``: the smaller tail and as much of the other as is no larger. One-sided tests
        are the same for all three.
    conf_level
        Level of the interval.

    Returns
    -------
    BinomialTest
        The interval is Clopper-Pearson's, which excludes the rate exactly when the doubled P is
        at most 1 - conf_level; with ``method="blaker"`` it is Blaker's, which belongs to that P.
        With ``"minlike"`` P and interval can disagree near the level, as in R.

    Raises
    ------
    ValueError
        If a count is not a whole number or x exceeds n, the rate is not between 0 and 1, or an
        option is unknown.

    References
    ----------
    Hirji KF (2006) Exact Analysis of Discrete Data, ch. 3. Blaker H (2000) Can J Stat 28:783-798.

    Examples
    --------
    >>> test = binomial_test(3, 9, 0.1)
    >>> round(test.pvalue, 6), round(test.lower, 4), round(test.upper, 4)
    (0.052972, 0.0749, 0.7007)
    """
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    check_choice("method", method, ("minlike", "doubled", "blaker"))
    events, all_patients, _ = _checked(x, n, conf_level, "two-sided")
    known = isinstance(rate, (int, float, np.integer, np.floating))
    if not known or isinstance(rate, bool) or not 0 < rate < 1:
        raise ValueError(
            f"rate: found {rate!r}; expected the reference rate, a number above 0 and below 1"
        )
    p = float(rate)
    at = _likelihood(events, all_patients, p)
    pvalue, midp = _binomial_p(events, all_patients, p, alternative, method, at)
    interval = (
        blaker(events, all_patients, conf_level=conf_level)
        if method == "blaker" and alternative == "two-sided"
        else clopper_pearson(
            events, all_patients, conf_level=conf_level, alternative=LIMIT_OF[alternative]
        )
    )
    return BinomialTest(
        pvalue=max(pvalue, math.ulp(0.0)),  # too small for a number, but not zero
        midp=midp,
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        x=events,
        n=all_patients,
        rate=p,
        conf_level=conf_level,
        alternative=alternative,
        method=method,
    )


def _binomial_p(
    x: int, n: int, p: float, alternative: Alternative, method: str, at: float
) -> tuple[float, float]:
    """Return P and mid-P of x events; ``at`` is the probability of exactly x."""
    less, greater = _at_most(x, n, p), _at_least(x, n, p)
    if alternative != "two-sided":
        pvalue = less if alternative == "less" else greater
        return pvalue, pvalue - at / 2
    smaller = min(less, greater)
    if method == "doubled":
        return min(1.0, 2 * smaller), min(1.0, 2 * smaller - at)
    if method == "minlike":
        pvalue = _tail_of_unlikelier(x, n, p)
    else:
        below = less <= greater
        # The other tail, as long as it is no likelier than this one.
        other = _last_tail(n - x, n, 1 - p, smaller) if below else _last_tail(x, n, p, smaller)
        pvalue = min(1.0, smaller + other)
    return pvalue, pvalue - at / 2


def _likelihood(x: int, n: int, p: float) -> float:
    """Return P(X = x)."""
    return math.exp(math.log(math.comb(n, x)) + x * math.log(p) + (n - x) * math.log1p(-p))


def _tail_of_unlikelier(x: int, n: int, p: float) -> float:
    """Return the probability of all counts that are no likelier than x."""
    if x < n * p:  # mirrored, so that x lies at or above the most likely counts
        return _tail_of_unlikelier(n - x, n, 1 - p)
    limit = _likelihood(x, n, p) * (1 + EQUALLY_LIKELY)
    low, high = -1, min(math.floor((n + 1) * p), x)  # the most likely count
    if _likelihood(high, n, p) <= limit:
        return 1.0
    # Counts up to there get likelier one by one: find the last that is no likelier than x.
    while high - low > 1:
        middle = (low + high) // 2
        if _likelihood(middle, n, p) <= limit:
            low = middle
        else:
            high = middle
    return _at_least(x, n, p) + (_at_most(low, n, p) if low >= 0 else 0.0)


def _last_tail(x: int, n: int, p: float, limit: float) -> float:
    """Return the largest lower tail below x that is no larger than ``limit``."""
    low, high = -1, x
    while high - low > 1:
        middle = (low + high) // 2
        if _at_most(middle, n, p) <= limit * (1 + EQUALLY_LIKELY):
            low = middle
        else:
            high = middle
    return _at_most(low, n, p) if low >= 0 else 0.0


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
    return beta_quantile(tail, x, n - x + 1) if x else 0.0


def _at_least(x: int, n: int, p: float) -> float:
    """Return P(X >= x) of a binomial count, accurate where it is small."""
    if x <= 0:
        return 1.0
    return incomplete_beta(p, x, n - x + 1) if x <= n else 0.0


def _at_most(x: int, n: int, p: float) -> float:
    """Return P(X <= x) of a binomial count, accurate where it is small."""
    if x >= n:
        return 1.0
    return incomplete_beta(1 - p, n - x, x + 1, rest=p) if x >= 0 else 0.0


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
