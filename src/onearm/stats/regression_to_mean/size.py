"""Power of the offset test with known mean and rho, and the number of patients it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from onearm.stats.effect_size import noncentral_t_below
from onearm.stats.regression_to_mean.history import (
    NaturalHistory,
    check_alpha,
    check_count,
    check_finite,
    t_reach,
)

#: Most patients that a sample size may come to.
LARGEST_N = 100_000


@dataclass(frozen=True)
class OffsetSize:
    """A number of patients, the power that it has, and the standard deviation of their offsets."""

    n: int
    power: float
    sd_offset: float


def offset_power(
    n: int, *, effect: float, sd: float, rho: float, alpha: float = 0.05, readings: int = 1
) -> float:
    """Give the power of the two-sided offset t test with known mean and rho.

    Parameters
    ----------
    n
        Number of patients, at least two.
    effect
        The true effect beyond regression to the mean, in the unit of the readings, either sign.
    sd, rho
        Total standard deviation of one reading, and correlation of two, in the population screened.
    alpha
        Two-sided level.
    readings
        How many readings the value before is the mean of.

    Notes
    -----
    The noncentral t distribution with dz = effect/(sd sqrt(1 - rho^2)), both tails. The rule of
    entry plays no part: offsets are free of it. An effect of 0 gives ``alpha``.

    References
    ----------
    Machin D et al. (2018) Sample Sizes for Clinical, Laboratory and Epidemiology Studies, 4th ed.

    Examples
    --------
    >>> round(offset_power(9, effect=-4, sd=5, rho=0.64), 4)
    0.7808
    """
    check_count("n", n, least=2)
    check_finite("effect", effect)
    check_alpha(alpha)
    shift = effect / _sd_offset(sd, rho, readings) * math.sqrt(n)
    critical = t_reach(n - 1, 1 - alpha)
    # Each tail as a lower one, so that neither is a difference of numbers close to 1.
    return noncentral_t_below(-critical, n - 1, shift) + noncentral_t_below(
        -critical, n - 1, -shift
    )


def offset_sample_size(
    effect: float,
    sd: float,
    rho: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    readings: int = 1,
) -> OffsetSize:
    """Give the smallest number of patients for which the offset t test has the power asked for.

    The parameters are those of :func:`offset_power`; ``effect`` is not 0.

    Raises
    ------
    ValueError
        If the effect is 0, the power is not above ``alpha``, or more than 100 000 patients would be
        needed.

    Examples
    --------
    >>> size = offset_sample_size(-4, sd=5, rho=0.64, power=0.8)
    >>> size.n, round(size.power, 4)
    (10, 0.8332)
    """
    check_finite("effect", effect)
    check_alpha(alpha)
    if effect == 0:
        raise ValueError("effect: found 0; expected an effect to be found, of either sign")
    if not alpha < power < 1:
        raise ValueError(f"power: found {power}; expected a number between alpha and 1")

    def power_at(n: int) -> float:
        return offset_power(n, effect=effect, sd=sd, rho=rho, alpha=alpha, readings=readings)

    # Power grows with n: double until it is enough, then halve the gap.
    enough = 2
    while power_at(enough) < power:
        enough *= 2
        if enough > LARGEST_N:
            raise ValueError(
                f"effect: {effect:g} against a standard deviation of {sd:g} needs more than "
                f"{LARGEST_N} patients; expected a larger effect"
            )
    short = max(1, enough // 2)
    while enough - short > 1:
        middle = (enough + short) // 2
        short, enough = (middle, enough) if power_at(middle) < power else (short, middle)
    return OffsetSize(enough, power_at(enough), _sd_offset(sd, rho, readings))


def _sd_offset(sd: float, rho: float, readings: int) -> float:
    check_count("readings", readings)
    return NaturalHistory(mean=0.0, sd=sd, rho=rho).residual_sd(readings)
