"""Tests of paired before-after values: t, ratio of geometric means, sign, McNemar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    FloatArray,
    as_differences,
    as_numbers,
    check_choice,
    check_level,
    decimal_multiples,
    mean_and_sd,
)
from onearm.stats.distributions import t_quantile, t_two_tails
from onearm.stats.proportion import clopper_pearson, first_true, whole_number
from onearm.stats.sign_flip import SignFlip as SignFlip
from onearm.stats.sign_flip import sign_flip as sign_flip

ALTERNATIVES = ("two-sided", "less", "greater")


@dataclass(frozen=True)
class PairedT:
    """The outcome of a paired t test; ``estimate`` is the mean difference, in its unit.

    ``lower`` and ``upper`` are its confidence limits at ``conf_level``: two-sided for the
    two-sided alternative, else one limit is infinite. ``sd`` is the standard deviation of the
    differences, ``n`` their number, ``df`` is n - 1.
    """

    pvalue: float
    statistic: float
    df: int
    estimate: float
    lower: float
    upper: float
    sd: float
    n: int
    conf_level: float
    alternative: Alternative


@dataclass(frozen=True)
class GeometricMeanRatio:
    """After over before as a ratio of geometric means; 0.7 is a fall by 30 %.

    ``lower`` and ``upper`` are confidence limits of the ratio, ``pvalue``, ``statistic`` and ``df``
    those of the paired t test of the log values, ``sd_log`` the standard deviation of the log
    ratios (natural logarithm), ``n`` the number of patients.
    """

    estimate: float
    lower: float
    upper: float
    pvalue: float
    statistic: float
    df: int
    sd_log: float
    n: int
    conf_level: float
    alternative: Alternative


@dataclass(frozen=True)
class SignTest:
    """The outcome of a sign test: how many patients went up, how many down, how many neither.

    ``estimate`` is the share of positive among the non-zero differences (None when there are
    none); ``midp`` leaves out half the probability of the observed count.
    """

    pvalue: float
    midp: float
    estimate: float | None
    n_positive: int
    n_negative: int
    n_zero: int
    alternative: Alternative


@dataclass(frozen=True)
class McNemar:
    """The outcome of McNemar's exact test of a yes/no finding before and after.

    ``gained`` and ``lost`` count the patients whose answer changed to yes and to no. ``odds_ratio``
    is gained/lost (inf when nobody lost, None when nobody changed), with exact conditional limits.
    """

    pvalue: float
    midp: float
    gained: int
    lost: int
    odds_ratio: float | None
    lower: float
    upper: float
    conf_level: float
    alternative: Alternative


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two looks of the same patients: share after less share before.

    ``gained`` and ``lost`` of ``n`` patients changed their answer; ``estimate`` is
    (gained - lost)/n, with limits at ``conf_level``, all between -1 and 1.
    """

    estimate: float
    lower: float
    upper: float
    gained: int
    lost: int
    n: int
    conf_level: float
    method: Literal["tango", "bonett_price"]


def paired_t(
    diff: npt.ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    conf_level: float = 0.95,
) -> PairedT:
    """Test whether the mean of paired differences is zero (Student's t).

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least two, no missing values.
    alternative
        ``"greater"``: the mean lies above zero; ``"less"``: below.
    conf_level
        Level of the interval of the mean difference.

    Returns
    -------
    PairedT

    Raises
    ------
    ValueError
        If there are fewer than two differences, or all are the same: then they do not vary and t
        is not defined (use :func:`onearm.stats.signed_rank` or :func:`sign_test`).

    References
    ----------
    Student (1908) Biometrika 6:1-25.

    Examples
    --------
    >>> round(paired_t([-8, -6, -4, -4, -2, -2, 0, -4, -2]).pvalue, 6)
    0.002175
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    check_level(conf_level)
    values = as_differences(diff, least=2)
    check_varies(values)
    mean, sd = mean_and_sd(values)
    df = values.size - 1
    error = sd / math.sqrt(values.size)
    t = mean / error
    reach = _t_reach(df, alternative, conf_level) * error
    return PairedT(
        pvalue=_t_tail(t, df, alternative),
        statistic=t,
        df=df,
        estimate=mean,
        lower=-math.inf if alternative == "less" else mean - reach,
        upper=math.inf if alternative == "greater" else mean + reach,
        sd=sd,
        n=int(values.size),
        conf_level=conf_level,
        alternative=alternative,
    )


def check_varies(values: FloatArray) -> None:
    """Raise ValueError where differences do not vary.

    That is judged on decimal values: differences that are all 0.1 but for binary noise do not.
    """
    multiples = decimal_multiples(values).multiples
    if np.all(multiples == multiples[0]):
        raise ValueError(
            f"diff: all {values.size} differences are {values[0]:.6g}; expected differences that "
            "vary; their standard deviation is 0 and t is not defined; use signed_rank or sign_test"
        )


def geometric_mean_ratio(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    conf_level: float = 0.95,
) -> GeometricMeanRatio:
    """Estimate after/before as a ratio of geometric means, from the paired t test of logarithms.

    Parameters
    ----------
    before, after
        One value per patient, in the same order and unit, all above zero. At least two.
    alternative
        ``"greater"``: the ratio lies above 1; ``"less"``: below.
    conf_level
        Level of the interval of the ratio.

    Returns
    -------
    GeometricMeanRatio

    Raises
    ------
    ValueError
        If a value is zero or negative (it has no logarithm), the two rows differ in length, or the
        ratio is the same for every patient.

    Notes
    -----
    A value below the limit of quantification has no place here as 0: choose and state its
    replacement beforehand.

    Examples
    --------
    >>> round(geometric_mean_ratio([2.0, 3.0, 1.0], [1.0, 2.0, 0.8]).estimate, 4)
    0.6437
    """
    first, second = as_numbers(before, "before"), as_numbers(after, "after")
    if first.size != second.size:
        raise ValueError(
            f"before, after: found {first.size} and {second.size} values; expected one of each "
            "per patient, in the same order"
        )
    for name, values in (("before", first), ("after", second)):
        bad = np.flatnonzero(values <= 0)
        if bad.size:
            raise ValueError(
                f"{name}[{bad[0]}]: {values[bad[0]]:g} has no logarithm; expected values above "
                "zero; analyse the differences, or state what replaces such a value"
            )
    logs = paired_t(np.log(second) - np.log(first), alternative=alternative, conf_level=conf_level)
    return GeometricMeanRatio(
        estimate=math.exp(logs.estimate),
        lower=math.exp(logs.lower),
        upper=math.exp(logs.upper),
        pvalue=logs.pvalue,
        statistic=logs.statistic,
        df=logs.df,
        sd_log=logs.sd,
        n=logs.n,
        conf_level=conf_level,
        alternative=alternative,
    )


def sign_test(diff: npt.ArrayLike, *, alternative: Alternative = "two-sided") -> SignTest:
    """Test whether a change up is as likely as a change down, exactly; zeros are dropped.

    Parameters
    ----------
    diff
        After minus before, one number per patient. At least one, no missing values. Zeros are
        judged on decimal values (see ``onearm.stats.differences``).
    alternative
        ``"greater"``: a rise is the likelier; ``"less"``: a fall.

    Returns
    -------
    SignTest
        With no difference other than zero, P is 1.

    References
    ----------
    Arbuthnott J (1710) Phil Trans 27:186-190. Dixon WJ, Mood AM (1946) J Am Stat Assoc 41:557-566.

    Examples
    --------
    >>> sign_test([-8, -6, -4, -4, -2, -2, 0, -4, 2]).pvalue
    0.0703125
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    multiples = decimal_multiples(as_differences(diff)).multiples
    up, down = int(np.sum(multiples > 0)), int(np.sum(multiples < 0))
    pvalue, midp = _fair_coin(up, down, alternative)
    return SignTest(
        pvalue=pvalue,
        midp=midp,
        estimate=up / (up + down) if up + down else None,
        n_positive=up,
        n_negative=down,
        n_zero=int(multiples.size) - up - down,
        alternative=alternative,
    )


def mcnemar(
    gained: int,
    lost: int,
    *,
    alternative: Alternative = "two-sided",
    conf_level: float = 0.95,
) -> McNemar:
    """Test whether a yes/no finding became more or less frequent, exactly and as mid-P.

    Parameters
    ----------
    gained
        Patients without the finding before and with it after.
    lost
        Patients with the finding before and without it after.
    alternative
        ``"greater"``: gaining is the likelier; ``"less"``: losing.
    conf_level
        Level of the interval of the odds ratio gained/lost.

    Returns
    -------
    McNemar
        When nobody changed, P is 1 and the odds ratio is None with limits 0 and inf.

    Notes
    -----
    Patients who did not change carry no information about the direction of change and are not
    asked for. The limits are Clopper-Pearson's for gained/(gained + lost), turned into odds; they
    belong to the two-sided exact test.

    References
    ----------
    McNemar Q (1947) Psychometrika 12:153-157. Fagerland MW, Lydersen S, Laake P (2013) BMC Med Res
    Methodol 13:91 (the mid-P test).

    Examples
    --------
    >>> mcnemar(gained=7, lost=1).pvalue
    0.0703125
    """
    check_choice("alternative", alternative, ALTERNATIVES)
    check_level(conf_level)
    b, c = whole_number(gained, "gained"), whole_number(lost, "lost")
    pvalue, midp = _fair_coin(b, c, alternative)
    ratio: float | None = None
    lower, upper = 0.0, math.inf
    if b + c:
        share = clopper_pearson(b, b + c, conf_level=conf_level)
        ratio = b / c if c else math.inf
        lower = share.lower / (1 - share.lower)
        upper = share.upper / (1 - share.upper) if share.upper < 1 else math.inf
    return McNemar(
        pvalue=pvalue,
        midp=midp,
        gained=b,
        lost=c,
        odds_ratio=ratio,
        lower=lower,
        upper=upper,
        conf_level=conf_level,
        alternative=alternative,
    )


def paired_difference(
    gained: int,
    lost: int,
    n: int,
    *,
    method: Literal["tango", "bonett_price"] = "tango",
    conf_level: float = 0.95,
) -> PairedDifference:
    """Give the change of a share of patients between two looks, with its interval.

    Parameters
    ----------
    gained
        Patients without the finding before and with it after.
    lost
        Patients with the finding before and without it after.
    n
        All patients looked at twice, those who did not change among them; at least 1.
    method
        ``"tango"``: the score interval, the differences that a score test does not reject (Tango
        1998); ``"bonett_price"``: the simple interval with one patient added to each kind of
        change (Bonett & Price 2012).
    conf_level
        Level of the interval.

    Returns
    -------
    PairedDifference
        Both intervals keep their level on average, not for every truth: how far they fall below
        it is enumerated in ``docs/methods/paired_difference.md``. The exact test is
        :func:`mcnemar`.

    Raises
    ------
    ValueError
        If a count is not a whole number, or gained and lost are together more than n.

    References
    ----------
    Tango T (1998) Stat Med 17:891-908. Bonett DG, Price RM (2012) J Educ Behav Stat 37:479-488.
    Fagerland MW, Lydersen S, Laake P (2014) Stat Med 33:2850-2875.

    Examples
    --------
    >>> change = paired_difference(gained=1, lost=7, n=21)
    >>> [round(value, 4) for value in (change.estimate, change.lower, change.upper)]
    [-0.2857, -0.5172, -0.026]
    """
    check_choice("method", method, ("tango", "bonett_price"))
    check_level(conf_level)
    b, c = whole_number(gained, "gained"), whole_number(lost, "lost")
    patients = whole_number(n, "n", least=1)
    if b + c > patients:
        raise ValueError(
            f"gained, lost: found {b} and {c} of n = {patients}; expected at most n together"
        )
    z = -NormalDist().inv_cdf((1 - conf_level) / 2)
    if method == "tango":
        lower, upper = _score_lower(b, c, patients, z), -_score_lower(c, b, patients, z)
    else:
        up, down = (b + 1) / (patients + 2), (c + 1) / (patients + 2)
        reach = z * math.sqrt((up + down - (up - down) ** 2) / (patients + 2))
        lower, upper = max(-1.0, up - down - reach), min(1.0, up - down + reach)
    return PairedDifference(
        estimate=(b - c) / patients,
        lower=lower,
        upper=upper,
        gained=b,
        lost=c,
        n=patients,
        conf_level=conf_level,
        method=method,
    )


def _score_lower(b: int, c: int, n: int, z: float) -> float:
    """Return the smallest difference that the score test keeps, found to the last bits."""

    def is_kept(difference: float) -> bool:
        # The likeliest share of losses given the difference, from a quadratic equation.
        linear = (2 * n - b + c) * difference - b - c
        root = math.sqrt(linear * linear + 8 * n * c * difference * (1 - difference))
        losses = (root - linear) / (4 * n)
        variance = n * (2 * losses + difference * (1 - difference))
        return (b - c - n * difference) ** 2 <= z * z * variance

    return first_true(is_kept, -1.0, (b - c) / n)


def _t_tail(t: float, df: int, alternative: Alternative) -> float:
    both = t_two_tails(t, df)
    if alternative == "two-sided":
        return both
    beyond = (t > 0) == (alternative == "greater")
    return both / 2 if beyond else 1 - both / 2


def _t_reach(df: int, alternative: Alternative, conf_level: float) -> float:
    if alternative == "two-sided":
        return t_quantile((1 - conf_level) / 2, df)
    tail = 1 - conf_level
    return t_quantile(tail, df) if tail <= 0.5 else -t_quantile(conf_level, df)


def _fair_coin(up: int, down: int, alternative: Alternative) -> tuple[float, float]:
    """Return P and mid-P of ``up`` heads and ``down`` tails, in whole-number arithmetic."""
    n = up + down
    everything = 2**n
    at = math.comb(n, up)
    smaller = _sum_of_binomials(n, min(up, down))
    larger = everything - smaller + at
    if alternative == "two-sided":
        count = min(everything, 2 * smaller)
        mid = 2 * everything - at if up == down else 2 * (count - at)
    else:
        count = smaller if (up < down) == (alternative == "less") else larger
        mid = 2 * count - at
    return count / everything, mid / (2 * everything)


def _sum_of_binomials(n: int, last: int) -> int:
    """Return C(n, 0) + ... + C(n, last)."""
    term = total = 1
    for k in range(1, last + 1):
        term = term * (n - k + 1) // k
        total += term
    return total
