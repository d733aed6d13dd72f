"""Sizes of a before-after effect without a unit, with intervals where a sound one exists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    FloatArray,
    Zeros,
    as_differences,
    check_choice,
    check_level,
    decimal_multiples,
    mean_and_sd,
)
from onearm.stats.distributions import beta_quantile
from onearm.stats.paired import check_varies
from onearm.stats.signed_rank import doubled_ranks


@dataclass(frozen=True)
class Effect:
    """An effect size; ``lower`` and ``upper`` are None where no sound interval is known.

    ``n`` is the number of differences, ``method`` names the interval, or says why there is none.
    """

    estimate: float
    lower: float | None
    upper: float | None
    conf_level: float
    n: int
    method: str


def cohen_dz(diff: npt.ArrayLike, *, conf_level: float = 0.95) -> Effect:
    """Give the mean difference in standard deviations of the differences.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least two, no missing values.
    conf_level
        Level of the interval.

    Returns
    -------
    Effect
        The interval is exact under normal differences: the non-centralities of t for which the
        observed t is at either tail, divided by the square root of n.

    Raises
    ------
    ValueError
        If there are fewer than two differences, or all are the same.

    Notes
    -----
    The divisor is the standard deviation *of the differences*, as in the paired t test
    (dz = t/sqrt(n)); it is not that of the baseline values and cannot be compared with the d of
    two groups.

    References
    ----------
    Cohen J (1988) Statistical Power Analysis, ch. 2. Steiger JH (2004) Psychol Methods 9:164-182.

    Examples
    --------
    >>> round(cohen_dz([-8, -6, -4, -4, -2, -2, 0, -4, -2]).estimate, 4)
    -1.4792
    """
    check_level(conf_level)
    values = as_differences(diff, least=2)
    check_varies(values)
    mean, sd = mean_and_sd(values)
    root = math.sqrt(values.size)
    low, high = _noncentralities(mean / sd * root, values.size - 1, (1 - conf_level) / 2)
    return Effect(
        estimate=mean / sd,
        lower=low / root,
        upper=high / root,
        conf_level=conf_level,
        n=int(values.size),
        method="noncentral t, exact under normal differences",
    )


def hedges_g(diff: npt.ArrayLike, *, conf_level: float = 0.95) -> Effect:
    """Give Cohen's dz corrected for its bias in small samples.

    The parameters are those of :func:`cohen_dz`; at least three differences. Estimate and limits
    of dz are multiplied by the exact factor
    J = gamma(df/2)/(sqrt(df/2) gamma((df - 1)/2)) with df = n - 1 (about 0.90 for n = 9).

    References
    ----------
    Hedges LV (1981) J Educ Stat 6:107-128.

    Examples
    --------
    >>> round(hedges_g([-8, -6, -4, -4, -2, -2, 0, -4, -2]).estimate, 4)
    -1.3353
    """
    values = as_differences(diff, least=3)
    dz = cohen_dz(values, conf_level=conf_level)
    half = (values.size - 1) / 2
    factor = math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)
    assert dz.lower is not None
    assert dz.upper is not None
    return Effect(
        estimate=factor * dz.estimate,
        lower=factor * dz.lower,
        upper=factor * dz.upper,
        conf_level=conf_level,
        n=dz.n,
        method="limits of dz (noncentral t) times J",
    )


def rank_biserial(
    diff: npt.ArrayLike, *, zeros: Zeros = "wilcoxon", conf_level: float = 0.95
) -> Effect:
    """Give the matched-pairs rank-biserial correlation: share of ranks up minus share down.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least one, no missing values.
    zeros
        As in :func:`onearm.stats.signed_rank`: zeros dropped before ranking (``"wilcoxon"``) or
        ranked first and then dropped (``"pratt"``). Either way they are in neither share.
    conf_level
        Kept in the record; see below.

    Returns
    -------
    Effect
        (T+ - T-)/(T+ + T-), from -1 (every change a fall) to 1; 0 when nobody changed. No
        interval: the usual one (Fisher's z with the null variance) covers far less than its level
        in small samples with a real effect; ``docs/methods/effect_sizes.md`` shows by how much.

    References
    ----------
    Kerby DS (2014) Compr Psychol 3:11.IT.3.1. King BM, Rosopa PJ, Minium EW (2011) Statistical
    Reasoning in the Behavioral Sciences.

    Examples
    --------
    >>> rank_biserial([-8, -6, -4, 2]).estimate
    -0.8
    """
    check_choice("zeros", zeros, ("wilcoxon", "pratt"))
    check_level(conf_level)
    multiples = decimal_multiples(as_differences(diff)).multiples
    ranks, positive = doubled_ranks(multiples, zeros)
    total, up = int(ranks.sum()), int(ranks[positive].sum())
    return Effect(
        estimate=(2 * up - total) / total if total else 0.0,
        lower=None,
        upper=None,
        conf_level=conf_level,
        n=int(multiples.size),
        method="no interval: the usual approximation does not keep its level in small samples",
    )


def probability_of_improvement(
    diff: npt.ArrayLike, *, better: Literal["lower", "higher"], conf_level: float = 0.95
) -> Effect:
    """Give the probability that a patient improves, no change counted as half.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least one, no missing values.
    better
        Which direction is an improvement: ``"lower"`` (disease activity, proteinuria) or
        ``"higher"`` (eGFR). There is no default.
    conf_level
        Level of the interval.

    Returns
    -------
    Effect
        (improved + unchanged/2)/n. The interval is Clopper-Pearson's for that number, halves
        allowed: exact without unchanged patients, and conservative with them (enumerated for n of
        3 to 30 in ``docs/methods/effect_sizes.md``).

    References
    ----------
    Grissom RJ, Kim JJ (2012) Effect Sizes for Research, ch. 5-6 (the dependent-groups measure).
    Korn EL, Graubard BI (1998) Surv Methodol 24:193-201 (Clopper-Pearson at fractional counts).

    Examples
    --------
    >>> probability_of_improvement([-8, -6, -4, 0], better="lower").estimate
    0.875
    """
    check_choice("better", better, ("lower", "higher"))
    check_level(conf_level)
    multiples = decimal_multiples(as_differences(diff)).multiples
    improved = int(np.sum(multiples < 0 if better == "lower" else multiples > 0))
    count, n = improved + float(np.sum(multiples == 0)) / 2, int(multiples.size)
    tail = (1 - conf_level) / 2
    return Effect(
        estimate=count / n,
        lower=beta_quantile(tail, count, n - count + 1) if count > 0 else 0.0,
        upper=1.0 - beta_quantile(tail, n - count, count + 1) if count < n else 1.0,
        conf_level=conf_level,
        n=n,
        method="Clopper-Pearson, an unchanged patient counted as half",
    )


@lru_cache(maxsize=64)  # d_z and g of the same changes ask for the same two
def _noncentralities(t: float, df: int, tail: float) -> tuple[float, float]:
    """Return the non-centralities at which the observed t has ``tail`` above it and below it."""
    return _falls_to(t, df, 1 - tail), _falls_to(t, df, tail)


def noncentral_t_below(t: float, df: int, noncentrality: float) -> float:
    """Return the probability that a noncentral t variate is at most ``t``.

    It is the mean of Phi(t v - noncentrality) over v, the square root of a chi-square variate per
    degree of freedom; integrated piece by piece with Gauss's rule, to about 12 digits absolutely.
    ``scipy.special.nctdtr`` (1.17) has NaN in places that the search for a limit passes through.
    """
    from scipy.special import ndtr

    spread = 1 / math.sqrt(2 * df)
    low, high = max(0.0, 1 - 12 * spread), 1 + 14 * spread
    cuts = list(np.linspace(low, high, 9))
    if t != 0:  # where the step of Phi lies, which is steep when t is large
        cuts += [(noncentrality + width) / t for width in (-8, -4, 0, 4, 8)]
    ends = np.unique(np.clip(cuts, low, high))
    nodes, weights = _gauss_legendre()
    half = np.diff(ends)[:, None] / 2
    v = (ends[:-1, None] + half) + half * nodes
    log_density = (
        math.log(2)
        + df / 2 * math.log(df / 2)
        - math.lgamma(df / 2)
        + (df - 1) * np.log(v)
        - df * v * v / 2
    )
    return float(np.sum(half * weights * np.exp(log_density) * ndtr(t * v - noncentrality)))


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    return nodes, weights


def _falls_to(t: float, df: int, target: float) -> float:
    """Find the non-centrality at which the share below t, which falls as it grows, is ``target``.

    Regula falsi in the Illinois form: a bracket around the root, shrunk from both sides.
    """

    def excess(noncentrality: float) -> float:
        return noncentral_t_below(t, df, noncentrality) - target

    # Near the root: t is about normal about the non-centrality with this spread.
    spread = math.sqrt(1 + t * t / (2 * df))
    low = high = t - NormalDist().inv_cdf(target) * spread
    at_low = at_high = excess(low)
    width = spread / 16
    while at_low <= 0:
        high, at_high, low = low, at_low, low - width
        at_low, width = excess(low), 2 * width
    while at_high > 0:
        low, at_low, high = high, at_high, high + width
        at_high, width = excess(high), 2 * width
    side = 0
    while high - low > 4e-15 * max(1.0, abs(low), abs(high)):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if not low < middle < high:
            middle = (low + high) / 2
        if not low < middle < high:
            break
        at_middle = excess(middle)
        if at_middle > 0:
            low, at_low = middle, at_middle
            at_high = at_high / 2 if side == 1 else at_high
            side = 1
        elif at_middle < 0:
            high, at_high = middle, at_middle
            at_low = at_low / 2 if side == -1 else at_low
            side = -1
        else:
            return middle
    return (low + high) / 2
