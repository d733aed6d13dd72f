"""Effects when the population's mean, or rho, is not known: Mee and Chua, tipping point, scan."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    FloatArray,
    check_choice,
    check_level,
    decimal_multiples,
)
from onearm.stats.regression_to_mean.history import (
    as_pairs,
    check_correlation,
    check_finite,
    t_reach,
)
from onearm.stats.regression_to_mean.offset import ALTERNATIVES, limits, t_pvalue

Interval = tuple[float, float]
Direction = Literal["fall", "rise", "none"]


@dataclass(frozen=True)
class MeeChua:
    """The outcome of Mee and Chua's test: the effect on a patient at the population's mean.

    ``estimate`` is intercept - mean of the regression of after on (before - mean), ``se`` its
    standard error, ``slope`` that of the regression (rho, untreated), ``df`` n - 2.
    """

    pvalue: float
    estimate: float
    lower: float
    upper: float
    slope: float
    se: float
    statistic: float
    df: int
    n: int
    mean: float
    alternative: Alternative
    conf_level: float


@dataclass(frozen=True)
class TippingPoint:
    """The rho below which regression to the mean alone would explain the change.

    ``rho`` is None where none from 0 to 1 would; ``words`` say it in one sentence for a report.
    """

    rho: float | None
    words: str


@dataclass(frozen=True)
class MeanScan:
    """The means of the population screened for which the effect stands, whatever the true one is.

    ``offset`` and ``mee_chua`` hold intervals of the mean (limits may be infinite) over which the
    confidence interval of the effect lies on the side of the observed change: by the offset test
    with ``rho`` (None without one), and with the slope estimated from the patients. No interval:
    the effect stands for no mean. ``words`` say it in one sentence for a report.
    """

    offset: tuple[Interval, ...] | None
    mee_chua: tuple[Interval, ...]
    direction: Direction
    rho: float | None
    conf_level: float
    words: str


def mee_chua(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    mean: float,
    alternative: Alternative = "two-sided",
    conf_level: float = 0.95,
) -> MeeChua:
    """Test for an effect beyond regression to the mean with a known mean and rho estimated here.

    Parameters
    ----------
    before, after
        One reading per patient, in the same order and on one scale. At least three patients, whose
        first readings differ.
    mean
        Mean of the population that is screened, known.
    alternative
        ``"less"``: a fall beyond regression to the mean; ``"greater"``: a rise.
    conf_level
        Level of the interval.

    Returns
    -------
    MeeChua

    Raises
    ------
    ValueError
        If there are fewer than three patients, the first readings are all the same, or the second
        follow from them without scatter.

    Notes
    -----
    After is regressed on (before - mean); untreated, the line passes through (mean, mean), so the
    effect is intercept - mean with t on n - 2 degrees of freedom. Rho is estimated from the few
    patients, far from whose readings the mean lies: where rho is known :func:`offset_test` has
    about twice the power with nine patients.

    References
    ----------
    Mee RW, Chua TC (1991) Am Stat 45:39-42. Ostermann T, Willich SN, Lüdtke R (2008) BMC Med Res
    Methodol 8:52.

    Examples
    --------
    >>> before, after = [45, 52, 63, 68, 57, 55, 60, 59], [49, 50, 70, 71, 53, 61, 62, 67]
    >>> test = mee_chua(before, after, mean=75, alternative="greater")
    >>> round(test.estimate, 3), round(test.pvalue, 5)
    (4.959, 0.16026)
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    check_level(conf_level)
    check_finite("mean", mean)
    line = _Line.through(before, after)
    estimate = line.height(mean) - mean
    se = math.sqrt(line.variance(mean))
    low, high = limits(estimate, se, line.n - 2, conf_level, alternative)
    return MeeChua(
        pvalue=t_pvalue(estimate / se, line.n - 2, alternative),
        estimate=estimate,
        lower=low,
        upper=high,
        slope=line.slope,
        se=se,
        statistic=estimate / se,
        df=line.n - 2,
        n=line.n,
        mean=mean,
        alternative=alternative,
        conf_level=conf_level,
    )


def tipping_rho(
    before: npt.ArrayLike, after: npt.ArrayLike, *, mean: float, logs: bool = False
) -> TippingPoint:
    """Give the rho below which the mean change is no more than regression to the mean.

    Parameters
    ----------
    before, after
        One reading per patient, in the same order and on one scale. At least one patient.
    mean
        Mean of the population that is screened, on that scale.
    logs
        The readings and ``mean`` are natural logarithms: ``words`` then give the median instead.

    Returns
    -------
    TippingPoint
        rho* = 1 - observed fall/(mean(before) - mu), for patients above the mean; the mirror image
        below it.

    References
    ----------
    It solves mean change = -(1 - rho)(mean(before) - mu) (James 1973, Biometrics 29:121-130).

    Examples
    --------
    >>> tipping_rho([16], [6], mean=4).words
    'The change is no more than regression to the mean only if rho is below 0.17 (patients screened: mean 4).'
    >>> tipping_rho([16], [6], mean=8).words
    'No rho from 0 to 1 explains the change by regression to the mean (patients screened: mean 8).'
    """
    check_finite("mean", mean)
    x, y = as_pairs(before, after, "before", "after", least=1)
    screened = f"(patients screened: {_named(mean, logs)})"
    moved = _mean_change(x, y)
    above = math.fsum(x - mean) / x.size
    if abs(above) <= 1e-11 * max(float(np.max(np.abs(x))), abs(mean)):
        above = 0.0
    if moved == 0:
        return TippingPoint(None, f"There is no mean change to explain {screened}.")
    if above == 0 or (moved > 0) == (above > 0):
        where = "began at the mean" if above == 0 else "moved away from the mean"
        return TippingPoint(
            None,
            f"The patients {where}: regression to the mean explains none of the change, whatever "
            f"rho {screened}.",
        )
    rho = 1 - abs(moved) / abs(above)
    if rho < -1e-12:
        return TippingPoint(
            None, f"No rho from 0 to 1 explains the change by regression to the mean {screened}."
        )
    rho = max(rho, 0.0)
    shown = f"below {_two_digits(rho)}" if rho > 0 else "0"
    return TippingPoint(
        rho,
        f"The change is no more than regression to the mean only if rho is {shown} {screened}.",
    )


def scan_mean(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    rho: float | None = None,
    conf_level: float = 0.95,
    logs: bool = False,
) -> MeanScan:
    """Give the means of the population screened for which the effect stands.

    Parameters
    ----------
    before, after
        One reading per patient, in the same order and on one scale. At least three patients, whose
        first readings differ.
    rho
        Correlation of two untreated readings, from 0 to 1, for the offset test; without one only
        Mee and Chua's test is scanned.
    conf_level
        The effect stands where its two-sided interval of this level leaves out 0, on the side of
        the mean change that was observed.
    logs
        The readings are natural logarithms: ``words`` then give medians instead.

    Returns
    -------
    MeanScan

    Raises
    ------
    ValueError
        If there are fewer than three patients, the first readings are all the same, or the second
        follow from them without scatter.

    Notes
    -----
    In closed form, without a grid. The offsets' standard deviation does not depend on the mean, so
    the offset test gives one limit. For Mee and Chua's test the limits are the roots of a quadratic
    (Fieller's): one limit where the slope is significantly other than 1, else a stretch with two
    ends, or nothing.

    References
    ----------
    Ostermann T, Willich SN, Lüdtke R (2008) BMC Med Res Methodol 8:52. Fieller EC (1954) J R Stat
    Soc B 16:175-185.

    Examples
    --------
    >>> before, after = [16, 12, 18, 10, 14, 20], [10, 9, 12, 7, 12, 11]
    >>> scan_mean(before, after, rho=0.64).words[:79]
    'By the offset test with rho 0.64 the fall stands if the mean of the patients sc'
    """
    check_level(conf_level)
    line = _Line.through(before, after)
    x, y = as_pairs(before, after, "before", "after", least=3)
    moved = _mean_change(x, y)
    if moved == 0:
        said = "The mean did not change: there is no effect that could stand."
        nothing = None if rho is None else ()
        return MeanScan(nothing, (), "none", rho, conf_level, said)
    sign = math.copysign(1.0, moved)
    by_line = _stands(line, sign, t_reach(line.n - 2, conf_level))
    by_offset = None
    if rho is not None:
        check_correlation("rho", rho)
        known = _Line.at_slope(x, y, rho)
        by_offset = _stands(known, sign, t_reach(known.n - 1, conf_level))
    direction: Direction = "fall" if moved < 0 else "rise"
    words = _scan_words(direction, rho, by_offset, by_line, logs)
    return MeanScan(by_offset, by_line, direction, rho, conf_level, words)


@dataclass(frozen=True)
class _Line:
    """A line through the patients' means, with the variance of its height."""

    centre: float
    level: float
    slope: float
    variance_at_centre: float
    variance_of_slope: float
    n: int

    @classmethod
    def through(cls, before: npt.ArrayLike, after: npt.ArrayLike) -> _Line:
        """Fit the least-squares line of after on before."""
        x, y = as_pairs(before, after, "before", "after", least=3)
        multiples = decimal_multiples(x).multiples
        if np.all(multiples == multiples[0]):
            raise ValueError(
                f"before: all {x.size} readings are {x[0]:g}; expected readings that differ; "
                "a slope needs patients with high and with low first readings"
            )
        centre, level = math.fsum(x) / x.size, math.fsum(y) / y.size
        across, up = x - centre, y - level
        spread = math.fsum(across * across)
        slope = math.fsum(across * up) / spread
        rest = up - slope * across
        square = math.fsum(rest * rest) / (x.size - 2)
        if math.sqrt(square) <= 1e-11 * max(float(np.max(np.abs(x))), float(np.max(np.abs(y)))):
            raise ValueError(
                "after: the readings after follow from those before without scatter; expected "
                "readings with their natural error; t is not defined"
            )
        return cls(centre, level, slope, square / x.size, square / spread, int(x.size))

    @classmethod
    def at_slope(cls, x: FloatArray, y: FloatArray, slope: float) -> _Line:
        """Return the line of known slope, whose height alone is estimated."""
        rest = y - slope * x
        at = math.fsum(rest) / x.size
        square = math.fsum((rest - at) ** 2) / (x.size - 1)
        centre = math.fsum(x) / x.size
        return cls(centre, at + slope * centre, slope, square / x.size, 0.0, int(x.size))

    def height(self, at: float) -> float:
        return self.level + self.slope * (at - self.centre)

    def variance(self, at: float) -> float:
        return self.variance_at_centre + (at - self.centre) ** 2 * self.variance_of_slope


def _stands(line: _Line, sign: float, reach: float) -> tuple[Interval, ...]:
    """Return the means at which sign * (height - mean) exceeds ``reach`` standard errors.

    The ends are among the roots of effect^2 = reach^2 variance, a quadratic in the distance u of
    the mean from the line's centre; each stretch between them is judged at a point inside it.
    """
    rest = 1 - line.slope
    gap = line.level - line.centre
    a = rest**2 - reach**2 * line.variance_of_slope
    b = -2 * gap * rest
    c = gap**2 - reach**2 * line.variance_at_centre
    roots = _roots(a, b, c)

    def stands(u: float) -> bool:
        variance = line.variance_at_centre + u * u * line.variance_of_slope
        return sign * (gap - rest * u) > reach * math.sqrt(variance)

    ends = [-math.inf, *roots, math.inf]
    found: list[Interval] = []
    for low, high in pairwise(ends):
        if stands(_inside(low, high)):
            found.append((line.centre + low, line.centre + high))
    return tuple(found)


def _roots(a: float, b: float, c: float) -> list[float]:
    """Return the distinct real roots of a u^2 + b u + c in rising order."""
    if a == 0:
        return [-c / b] if b != 0 else []
    under = b * b - 4 * a * c
    if under <= 0:
        return []
    q = -(b + math.copysign(math.sqrt(under), b)) / 2
    return sorted({q / a, c / q}) if q != 0 else [0.0]


def _inside(low: float, high: float) -> float:
    if math.isinf(low) and math.isinf(high):
        return 0.0
    if math.isinf(low):
        return high - 1.0 - abs(high)
    return low + 1.0 + abs(low) if math.isinf(high) else (low + high) / 2


def _mean_change(x: FloatArray, y: FloatArray) -> float:
    """Return the mean change, 0 where it is so but for binary noise."""
    change = y - x
    mean = math.fsum(change) / x.size
    noise = 1e-14 * max(float(np.max(np.abs(x))), float(np.max(np.abs(y))))
    noise = max(noise, 1e-11 * float(np.max(np.abs(change))))
    return mean if abs(mean) > noise else 0.0


def _named(mean: float, logs: bool) -> str:
    return f"median {math.exp(mean):.4g}" if logs else f"mean {mean:.4g}"


def _two_digits(rho: float) -> str:
    return f"{rho:.2f}" if rho >= 0.005 else f"{rho:.1g}"


def _scan_words(
    direction: Direction,
    rho: float | None,
    offset: tuple[Interval, ...] | None,
    line: tuple[Interval, ...],
    logs: bool,
) -> str:
    shown: Callable[[float], str] = lambda mean: f"{math.exp(mean) if logs else mean:.3g}"  # noqa: E731
    which = "median" if logs else "mean"
    by_line = _where(line, shown)
    if offset is None:
        return (
            f"By Mee and Chua's test, rho estimated from these patients, the {direction} stands "
            f"{_if(by_line, which)}."
        )
    return (
        f"By the offset test with rho {rho:.4g} the {direction} stands "
        f"{_if(_where(offset, shown), which)}; by Mee and Chua's test, rho estimated from these "
        f"patients, {by_line or 'for none'}."
    )


def _if(where: str, which: str) -> str:
    if not where:
        return f"for no {which} of the patients screened"
    if where == "for any":
        return f"for any {which} of the patients screened"
    return f"if the {which} of the patients screened is {where}"


def _where(intervals: tuple[Interval, ...], shown: Callable[[float], str]) -> str:
    """Return the intervals in words, an empty text for none."""
    said = []
    for low, high in intervals:
        if math.isinf(low) and math.isinf(high):
            return "for any"
        if math.isinf(low):
            said.append(f"below {shown(high)}")
        elif math.isinf(high):
            said.append(f"above {shown(low)}")
        else:
            said.append(f"between {shown(low)} and {shown(high)}")
    return " or ".join(said)
