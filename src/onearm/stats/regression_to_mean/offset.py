"""The offset test: whether a change is more than regression to the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    FloatArray,
    Zeros,
    check_choice,
    check_level,
    decimal_multiples,
    mean_and_sd,
)
from onearm.stats.hodges_lehmann import hodges_lehmann
from onearm.stats.regression_to_mean.behrens_fisher import TwoErrors
from onearm.stats.regression_to_mean.history import (
    NaturalHistory,
    as_pairs,
    check_count,
    t_reach,
)
from onearm.stats.regression_to_mean.lines import LineRegion
from onearm.stats.signed_rank import signed_rank

Method = Literal["t", "signed_rank"]
METHODS = ("t", "signed_rank")
ALTERNATIVES = ("two-sided", "less", "greater")
#: Probability that the region of (mean, rho) searched for the largest P does not hold the true ones.
GAMMA = 0.001


@dataclass(frozen=True)
class OffsetTest:
    """The outcome of a test of the change less regression to the mean.

    Attributes
    ----------
    pvalue
        P of no change but regression to the mean.
    estimate, lower, upper
        The change that remains (mean for t, Hodges-Lehmann's for the signed rank), in the unit of
        the readings, and its limits; one is infinite for a one-sided alternative.
    statistic
        ``estimate``/``se``, or T+ (sum of ranks of the positive offsets, at the history's own mean
        and rho).
    se, df
        Standard error of the mean offset and its degrees of freedom: n - 1, or with uncertain mean
        and rho Welch and Satterthwaite's, which describe ``se`` but which P and limits do not rest
        on. None for the signed rank.
    n
        Number of patients.
    observed
        Mean change, after - before.
    expected, expected_se
        Mean untreated change, -(1 - rho)(mean(before) - mu), below 0 for a fall; and its standard
        error from the uncertainty of mean and rho alone.
    method, alternative, conf_level
        As asked for.
    zeros
        The rule for zeros; None for t, and where ties and zeros play no part.
    note
        What a reader must be told in words, or an empty text.
    """

    pvalue: float
    estimate: float
    lower: float
    upper: float
    statistic: float
    se: float | None
    df: float | None
    n: int
    observed: float
    expected: float
    expected_se: float
    method: Method
    alternative: Alternative
    conf_level: float
    zeros: Zeros | None
    note: str


@dataclass(frozen=True)
class _Found:
    """The part of the outcome that depends on the method."""

    pvalue: float
    estimate: float
    lower: float
    upper: float
    statistic: float
    se: float | None = None
    df: float | None = None
    zeros: Zeros | None = None
    note: str = ""


def offset_test(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    history: NaturalHistory,
    *,
    method: Method = "t",
    zeros: Zeros = "pratt",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    readings: int = 1,
) -> OffsetTest:
    """Test whether patients changed more than regression to the mean alone makes them change.

    Parameters
    ----------
    before
        The value on which entry was decided, one per patient, on the history's scale (logarithms
        for a log-normal measure). No missing values.
    after
        One reading of the same patients after treatment, in the same order.
    history
        The untreated population. Its errors, if any, must come from *other* patients or a prior;
        for readings of the same patients see :func:`run_in_offset_test`.
    method
        ``"t"``: Student's t of the offsets; ``"signed_rank"``: the exact signed-rank test of them.
    zeros
        Rule for offsets of zero (signed rank).
    conf_level
        Level of the interval.
    alternative
        ``"less"``: patients fell by more than expected untreated; ``"greater"``: they rose more.
    readings
        How many readings each value of ``before`` is the mean of.

    Returns
    -------
    OffsetTest

    Raises
    ------
    ValueError
        If there are fewer than two patients (t; one for the signed rank), the offsets do not vary
        (t), or there are more than 500 (signed rank with uncertain mean or rho).

    Notes
    -----
    The offset of a patient is y - mu - rho (x - mu), what the reading after differs from the one to
    expect untreated. Given x, offsets of untreated patients are normal about 0 with one variance,
    whatever the rule of entry, so t is exact when mean and rho are known.

    *t with uncertain mean and rho*: the squared standard error is sd^2/n + Var(expected change),
    where the latter, (mean(x) - mu)^2 Var(rho) + (1 - rho)^2 Var(mu) + the covariance term, is
    common to all patients. P and limits come from the sum of the two errors, each a Student's t
    with its own degrees of freedom (Behrens-Fisher). It keeps the level; Welch's approximation
    exceeds it with few patients (three times at 0.001 with six), and could give a *smaller* P for
    a less certain history. ``docs/methods/offset_test.md`` has both.

    *Signed rank with uncertain mean and rho*: the largest P over the region of lines (mean and rho)
    that holds the true one with probability 1 - gamma, plus gamma (Berger & Boos 1994); the
    interval holds every effect that this test keeps. Gamma is 0.001, or a fiftieth of
    1 - ``conf_level`` where that is less; P is never below it. The search is exhaustive and exact:
    along the edge of the region the statistic can change only where the average of two offsets is
    zero, and those places are solved for. Between them no offset is zero, so the rule for zeros
    plays no part.

    References
    ----------
    James KE (1973) Biometrics 29:121-130. Fisher RA (1935) Ann Eugen 6:391-398. Robinson GK (1976)
    Ann Stat 4:963-971. Berger RL, Boos DD (1994) J Am Stat Assoc 89:1012-1016.

    Examples
    --------
    >>> before, after = [16, 12, 18, 10, 14, 20], [10, 9, 12, 7, 12, 11]
    >>> test = offset_test(before, after, NaturalHistory(mean=8, sd=5, rho=0.64))
    >>> round(test.observed, 4), round(test.expected, 4), round(test.estimate, 4)
    (-4.8333, -2.52, -2.3133)
    >>> round(test.pvalue, 5)
    0.01689
    """
    check_choice("method", method, METHODS)
    check_choice("zeros", zeros, ("wilcoxon", "pratt"))
    check_choice("alternative", alternative, ALTERNATIVES)
    check_level(conf_level)
    check_count("readings", readings)
    x, y = as_pairs(before, after, "before", "after", least=2 if method == "t" else 1)
    offsets = y - history.expected(x, readings)
    centre = np.array([math.fsum(x) / x.size])
    expected = float(history.expected(centre, readings)[0] - centre[0])
    variance = float(history.expected_variance(centre, readings)[0])
    if method == "t":
        found = _t(offsets, variance, history.df, conf_level, alternative)
    elif variance == 0 and history.is_known:
        found = _exact(offsets, zeros, conf_level, alternative)
    else:
        region_gamma = min(GAMMA, (1 - conf_level) / 50)
        region = LineRegion(x, offsets, history, readings, region_gamma)
        found = _largest(region, offsets, zeros, conf_level, alternative)
    return OffsetTest(
        pvalue=found.pvalue,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        statistic=found.statistic,
        se=found.se,
        df=found.df,
        n=int(x.size),
        observed=math.fsum(y - x) / x.size,
        expected=expected,
        expected_se=math.sqrt(variance),
        method=method,
        alternative=alternative,
        conf_level=conf_level,
        zeros=found.zeros,
        note=" ".join(said for said in (history.note, found.note) if said),
    )


def run_in_offset_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    method: Method = "t",
    zeros: Zeros = "pratt",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> OffsetTest:
    """Do the offset test with the history estimated from two readings of the *same* patients.

    Parameters
    ----------
    first
        The reading on which entry was decided, one per patient, on the scale that is analysed.
    second
        A later untreated reading, which had no part in the decision. At least three patients.
    after
        One reading after treatment. All three in the same order.
    method, zeros, conf_level, alternative
        As in :func:`offset_test`.

    Returns
    -------
    OffsetTest
        ``observed`` is the mean change from the first reading, ``expected`` the one from the first
        to the second, ``estimate`` what remains; ``expected_se`` is the standard error of the
        fitted line at the mean of the first readings.

    Notes
    -----
    The least-squares line of the second on the first reading passes through their means, so the
    mean offset from it, mean(y - a - b x1), *is* mean(y) - mean(x2): slope and intercept drop out.
    What is left is the change from the second reading, and its scatter in the patients tells its
    own error. Adding the variance of the line to that of the offsets, as for other patients, would
    ignore that line and follow-up share each patient's level: it overstates the variance by a
    factor 1 + rho.

    Given the first readings, second and follow-up of untreated patients have the same mean and
    variance. Then their sum and their difference are independent, and the sum, whose mean is
    unknown, says nothing about the effect: no test of a line through these readings does better
    than the paired t test of y - x2. It is exact, whatever the rule of entry on the *first*
    reading; so is the signed-rank test. It is no remedy where disease fluctuates slowly and the
    follow-up lies farther from the first reading than the second does (:func:`fluctuating_fall`).

    References
    ----------
    James KE (1973) Biometrics 29:121-130. Senn SJ, Brown RA (1985) Biometrics 41:555-560.

    Examples
    --------
    >>> test = run_in_offset_test([16, 12, 18, 10], [13, 11, 15, 11], [9, 9, 10, 8])
    >>> test.observed, test.expected, test.estimate
    (-5.0, -1.5, -3.5)
    """
    check_choice("method", method, METHODS)
    check_choice("zeros", zeros, ("wilcoxon", "pratt"))
    check_choice("alternative", alternative, ALTERNATIVES)
    check_level(conf_level)
    entry, later = as_pairs(first, second, "first", "second", least=3)
    entry, y = as_pairs(entry, after, "first", "after", least=3)
    left = y - later
    if method == "t":
        _check_varies(left, "second, after", "changes from the second reading")
        found = _t(left, 0.0, math.inf, conf_level, alternative)
    else:
        found = _exact(left, zeros, conf_level, alternative)
    said = (
        "The history is estimated in the same patients, so the test is that of the change from "
        "the second reading before treatment."
    )
    return OffsetTest(
        pvalue=found.pvalue,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        statistic=found.statistic,
        se=found.se,
        df=found.df,
        n=int(y.size),
        observed=math.fsum(y - entry) / y.size,
        expected=math.fsum(later - entry) / y.size,
        expected_se=_error_of_line(entry, later),
        method=method,
        alternative=alternative,
        conf_level=conf_level,
        zeros=found.zeros,
        note=" ".join(each for each in (said, found.note) if each),
    )


def t_pvalue(t: float, df: float, alternative: Alternative) -> float:
    """Return P of Student's t; of the normal distribution for infinite ``df``."""
    from scipy.special import ndtr, stdtr

    def below(value: float) -> float:
        return float(ndtr(value) if math.isinf(df) else stdtr(df, value))

    if alternative == "two-sided":
        return 2 * below(-abs(t))
    return below(t if alternative == "less" else -t)


def limits(
    estimate: float, se: float, df: float, conf_level: float, alternative: Alternative
) -> tuple[float, float]:
    """Return the limits that belong to :func:`t_pvalue`; one is infinite if it is one-sided."""
    level = conf_level if alternative == "two-sided" else 2 * conf_level - 1
    reach = t_reach(df, level) * se
    return (
        -math.inf if alternative == "less" else estimate - reach,
        math.inf if alternative == "greater" else estimate + reach,
    )


def _t(
    offsets: FloatArray, variance: float, df: float, conf_level: float, alternative: Alternative
) -> _Found:
    """Student's t of the offsets; ``variance`` of their common error has ``df`` of its own."""
    _check_varies(offsets, "before, after", "offsets from the untreated expectation")
    mean, sd = mean_and_sd(offsets)
    own, n = sd * sd / offsets.size, offsets.size
    if variance == 0:
        se = math.sqrt(own)
        low, high = limits(mean, se, n - 1, conf_level, alternative)
        p = t_pvalue(mean / se, n - 1, alternative)
        return _Found(p, mean, low, high, mean / se, se, float(n - 1))
    both = TwoErrors((math.sqrt(own), math.sqrt(variance)), (n - 1, df))
    se = math.sqrt(own + variance)
    share = own / (own + variance)
    reach = both.reach(conf_level if alternative == "two-sided" else 2 * conf_level - 1)
    p = {
        "two-sided": lambda: min(1.0, 2 * both.below(-abs(mean))),
        "less": lambda: both.below(mean),
        "greater": lambda: both.below(-mean),
    }[alternative]()
    return _Found(
        pvalue=p,
        estimate=mean,
        lower=-math.inf if alternative == "less" else mean - reach,
        upper=math.inf if alternative == "greater" else mean + reach,
        statistic=mean / se,
        se=se,
        df=1 / (share**2 / (n - 1) + (1 - share) ** 2 / df),
    )


def _exact(
    offsets: FloatArray, zeros: Zeros, conf_level: float, alternative: Alternative
) -> _Found:
    """Do the exact signed-rank test of the offsets with the interval that inverts it."""
    test = signed_rank(offsets, zeros=zeros, alternative=alternative)
    shift = hodges_lehmann(offsets, zeros=zeros, conf_level=conf_level, alternative=alternative)
    return _Found(
        pvalue=test.pvalue,
        estimate=shift.estimate,
        lower=shift.lower,
        upper=shift.upper,
        statistic=test.statistic,
        zeros=zeros,
        note=shift.note,
    )


def _largest(
    region: LineRegion,
    offsets: FloatArray,
    zeros: Zeros,
    conf_level: float,
    alternative: Alternative,
) -> _Found:
    """Do the same over the region of mean and rho: the largest P plus gamma, and all effects kept."""
    centre = hodges_lehmann(offsets, zeros=zeros, conf_level=conf_level, alternative=alternative)
    less, greater = region.largest_tails()
    p = {"less": less, "greater": greater, "two-sided": 2 * min(less, greater)}[alternative]
    sides = 2 if alternative == "two-sided" else 1
    tail = (1 - conf_level - region.gamma) / sides
    note = (
        "P is the largest over the means and rho that are compatible with their errors "
        f"({100 * (1 - region.gamma):.6g}% region), plus {region.gamma:.4g}."
    )
    low = -math.inf if alternative == "less" else region.lower_limit(tail)
    high = math.inf if alternative == "greater" else region.upper_limit(tail)
    wanted = (low if alternative != "less" else 0.0, high if alternative != "greater" else 0.0)
    if any(math.isinf(limit) for limit in wanted):
        note += (
            f" A {100 * conf_level:.6g}% interval is not attainable with {offsets.size} "
            f"patient{'' if offsets.size == 1 else 's'}."
        )
    return _Found(
        pvalue=min(1.0, p + region.gamma),
        estimate=centre.estimate,
        lower=low,
        upper=high,
        statistic=signed_rank(offsets, zeros=zeros).statistic,
        note=note,
    )


def _check_varies(offsets: FloatArray, name: str, what: str) -> None:
    multiples = decimal_multiples(offsets).multiples
    if np.all(multiples == multiples[0]):
        raise ValueError(
            f"{name}: all {offsets.size} {what} are {offsets[0]:.6g}; expected some that differ; "
            "their standard deviation is 0 and t is not defined; use method='signed_rank'"
        )


def _error_of_line(x: FloatArray, y: FloatArray) -> float:
    """Return the standard error at mean(x) of the least-squares line of y on x."""
    across, up = x - math.fsum(x) / x.size, y - math.fsum(y) / y.size
    spread = float(across @ across)
    slope, df = (float(across @ up) / spread, x.size - 2) if spread > 0 else (0.0, x.size - 1)
    rest = up - slope * across
    return math.sqrt(float(rest @ rest) / df / x.size)
