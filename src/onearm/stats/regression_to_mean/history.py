"""What happens to untreated patients: their population, from outside or from run-in readings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, as_numbers, check_level

#: The largest correlation a run-in may give; above it the mean cannot be told from the line.
RHO_LARGEST = 0.999
#: Sizes of readings beyond which squares lose digits or overflow.
LEAST_SIZE, LARGEST_SIZE = 1e-100, 1e100


@dataclass(frozen=True)
class NaturalHistory:
    """The population that is screened, untreated: one reading, and how two readings go together.

    All numbers are on the scale that is analysed: for a log-normal measure give the mean and SD of
    the logarithms, and logarithms wherever a function asks for readings.

    Attributes
    ----------
    mean, sd
        Mean (mu) and total standard deviation (s, between and within patients) of one reading in
        the population from which patients are let in, *not* among those let in.
    rho
        Correlation of two readings of a patient as far apart as baseline and follow-up, from 0 to
        below 1: the share of the variance that lies between patients.
    mean_se, rho_se
        Standard errors of ``mean`` and ``rho``, 0 where they are taken as known. They may come
        from an estimate in *other* patients or state a prior.
    covariance
        Covariance of the two errors.
    df
        Degrees of freedom behind the standard errors; infinite for a prior or a large registry.
    note
        What a reader must be told in words, or an empty text.

    Examples
    --------
    >>> round(NaturalHistory(mean=8, sd=5, rho=0.64).residual_sd(), 6)
    3.841875
    """

    mean: float
    sd: float
    rho: float
    mean_se: float = 0.0
    rho_se: float = 0.0
    covariance: float = 0.0
    df: float = math.inf
    note: str = ""

    def __post_init__(self) -> None:
        check_finite("mean", self.mean)
        check_positive("sd", self.sd)
        if not 0 <= self.rho < 1:
            raise ValueError(
                f"rho: found {self.rho}; expected a correlation of at least 0 and below 1; "
                "give that of two untreated readings as far apart as baseline and follow-up"
            )
        for name, value in (("mean_se", self.mean_se), ("rho_se", self.rho_se)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(
                    f"{name}: found {value}; expected a standard error of 0 or more; "
                    "0 says that the number is known"
                )
        most = self.mean_se * self.rho_se
        if not abs(self.covariance) <= most * (1 + 1e-9):
            raise ValueError(
                f"covariance: found {self.covariance}; expected at most mean_se * rho_se = "
                f"{most:g} in size; give 0 for independent errors"
            )
        if not self.df > 0:
            raise ValueError(
                f"df: found {self.df}; expected degrees of freedom above 0; inf for a prior"
            )

    @classmethod
    def from_components(cls, mean: float, sd_between: float, sd_within: float) -> NaturalHistory:
        """Build a history from the standard deviations between and within patients.

        Examples
        --------
        >>> NaturalHistory.from_components(8, 4, 3).rho
        0.64
        """
        check_not_negative("sd_between", sd_between)
        check_positive("sd_within", sd_within)
        total = sd_between**2 + sd_within**2
        return cls(mean=mean, sd=math.sqrt(total), rho=sd_between**2 / total)

    @property
    def is_known(self) -> bool:
        """Whether mean and rho are taken as known."""
        return self.mean_se == 0 and self.rho_se == 0

    def slope(self, readings: int = 1) -> float:
        """Return the regression of a later reading on the mean of ``readings`` earlier ones.

        It is rho for one reading and m rho/(1 + (m - 1) rho) for m (Spearman 1910, Brown 1910).
        """
        return readings * self.rho / (1 + (readings - 1) * self.rho)

    def residual_sd(self, readings: int = 1) -> float:
        """Return the SD of one later reading given the mean of ``readings`` earlier ones."""
        return self.sd * math.sqrt(1 - self.rho * self.slope(readings))

    def expected(self, before: FloatArray, readings: int = 1) -> FloatArray:
        """Return the mean of a later reading, mu + slope (x - mu), per earlier value."""
        later: FloatArray = self.mean + self.slope(readings) * (before - self.mean)
        return later

    def expected_variance(self, before: FloatArray, readings: int = 1) -> FloatArray:
        """Return the variance of :meth:`expected` that the errors of mean and rho give.

        (x - mu)^2 Var(slope) + (1 - slope)^2 Var(mu) + 2 (x - mu)(1 - slope) Cov.
        """
        steep = readings / (1 + (readings - 1) * self.rho) ** 2  # d slope / d rho
        by_rho = (before - self.mean) * steep
        by_mean = 1 - self.slope(readings)
        variance: FloatArray = np.maximum(
            by_rho**2 * self.rho_se**2
            + by_mean**2 * self.mean_se**2
            + 2 * by_rho * by_mean * self.covariance,
            0.0,
        )
        return variance


@dataclass(frozen=True)
class UntreatedExpectation:
    """What each patient's follow-up would be untreated, by regression to the mean alone.

    ``expected`` and ``sd`` are mean and standard deviation of the follow-up reading, ``lower`` and
    ``upper`` the band that holds it with probability ``level``; one number per patient.
    """

    expected: FloatArray
    sd: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float


@dataclass(frozen=True)
class UntreatedChange:
    """The mean change (after - before) to expect untreated, by regression to the mean alone.

    ``error`` is its standard error from the uncertainty of mean and rho, ``lower`` and ``upper``
    the limits that follow (all equal to ``expected`` when they are known).
    """

    expected: float
    error: float
    lower: float
    upper: float
    n: int
    level: float


def run_in(first: npt.ArrayLike, second: npt.ArrayLike) -> NaturalHistory:
    """Estimate the natural history from two pre-treatment readings, entry decided on the first.

    The regression of the second reading on the first has the slope rho and the intercept
    mu (1 - rho) whatever the rule of entry, because the first reading is its regressor (James
    1973; Senn & Brown 1985). The mean and SD *of the patients* would be those of a selected group.

    Parameters
    ----------
    first
        The reading on which entry was decided, one per patient, on the scale that is analysed.
    second
        A later untreated reading of the same patients, in the same order. At least three patients.

    Returns
    -------
    NaturalHistory
        ``rho`` is the slope, ``mean`` the intercept/(1 - rho), ``sd`` the residual standard
        deviation (n - 2) over sqrt(1 - rho^2); standard errors and covariance by the delta method,
        which keeps the variance of the line itself exact; ``df`` is n - 2. A slope below 0 or above
        0.999 is held at that limit, with the line kept through the means of both readings, and
        ``note`` says so.

    Raises
    ------
    ValueError
        If there are fewer than three patients, the first readings are all the same, or the second
        follow from the first without any scatter.

    Notes
    -----
    Rho is that of two readings *as far apart as these*: where disease fluctuates slowly, two weeks
    give a larger rho than the six months between baseline and follow-up, and the untreated fall is
    understated (see :func:`fluctuating_fall`).

    For a test in the *same* patients use :func:`run_in_offset_test`: the error of their estimated
    history and their follow-up are not independent.

    References
    ----------
    James KE (1973) Biometrics 29:121-130. Senn SJ, Brown RA (1985) Biometrics 41:555-560.

    Examples
    --------
    >>> history = run_in([10, 12, 16, 20, 24], [9, 12, 13, 17, 18])
    >>> round(history.rho, 4), round(history.mean, 4)
    (0.628, 9.4098)
    """
    x, y = as_pairs(first, second, "first", "second", least=3)
    centre = float(np.mean(x))
    spread = float(np.sum((x - centre) ** 2))
    if np.ptp(x) == 0:
        raise ValueError(
            f"first: all {x.size} readings are {x[0]:g}; expected readings that differ; "
            "a slope needs patients with high and with low first readings"
        )
    raw = float(np.sum((x - centre) * (y - np.mean(y)))) / spread
    rho = min(max(raw, 0.0), RHO_LARGEST)
    intercept = float(np.mean(y)) - rho * centre
    residual = math.sqrt(float(np.sum((y - intercept - rho * x) ** 2)) / (x.size - 2))
    if residual <= 1e-12 * (float(np.max(np.abs(y))) or 1.0):
        raise ValueError(
            "second: the second readings follow from the first without scatter; expected readings "
            "with their natural error; are they copies of the first ones?"
        )
    mean = intercept / (1 - rho)
    mean_variance, rho_variance, covariance = _errors_of_line(
        residual, x.size, centre, spread, rho, mean
    )
    return NaturalHistory(
        mean=mean,
        sd=residual / math.sqrt(1 - rho**2),
        rho=rho,
        mean_se=math.sqrt(mean_variance),
        rho_se=math.sqrt(rho_variance),
        covariance=covariance,
        df=x.size - 2,
        note=_note_on_slope(raw, math.sqrt(rho_variance), x.size - 2),
    )


def _errors_of_line(
    residual: float, n: int, centre: float, spread: float, rho: float, mean: float
) -> tuple[float, float, float]:
    """Return the variances of mean and rho and their covariance, from those of a line.

    The mean is intercept/(1 - rho), so its derivatives are 1/(1 - rho) and mean/(1 - rho).
    """
    slope = residual**2 / spread
    intercept = residual**2 / n + centre**2 * slope
    both = -centre * slope
    rest = 1 - rho
    mean_variance = (intercept + 2 * mean * both + mean**2 * slope) / rest**2
    return max(mean_variance, 0.0), slope, (both + mean * slope) / rest


def _note_on_slope(raw: float, error: float, df: int) -> str:
    from scipy.special import stdtrit

    if raw < 0:
        return (
            f"The slope of the second on the first reading is {raw:.3g}, below 0; rho is held at "
            "0: these patients' first readings say nothing about their second."
        )
    if raw > RHO_LARGEST:
        return (
            f"The slope of the second on the first reading is {raw:.3g}; rho is held at "
            f"{RHO_LARGEST}: these readings show no regression towards a mean, and where the mean "
            "lies cannot be told from them."
        )
    if raw + float(stdtrit(df, 0.975)) * error >= 1:
        return (
            f"The slope of the second on the first reading is {raw:.3g}, but its 95% interval "
            "reaches 1: where the mean lies can hardly be told from these readings."
        )
    return ""


def untreated(
    before: npt.ArrayLike, history: NaturalHistory, *, readings: int = 1, level: float = 0.95
) -> UntreatedExpectation:
    """Give each patient's untreated follow-up: mu + rho (x - mu), with its band.

    Parameters
    ----------
    before
        The value on which entry was decided, one per patient: one reading, or the mean of
        ``readings`` readings.
    history
        The untreated population. Uncertainty of its mean and rho widens the band; with that of
        :func:`run_in` it is the prediction interval of the regression.
    readings
        How many readings each value of ``before`` is the mean of.
    level
        Probability with which an untreated patient's single follow-up reading lies in the band.

    References
    ----------
    Galton F (1886) J Anthropol Inst 15:246-263. James KE (1973) Biometrics 29:121-130.

    Examples
    --------
    >>> band = untreated([16.0], NaturalHistory(mean=8, sd=5, rho=0.64))
    >>> round(float(band.expected[0]), 2), round(float(band.lower[0]), 2)
    (13.12, 5.59)
    """
    check_level(level)
    x = _values(before, readings)
    expected = history.expected(x, readings)
    sd = np.sqrt(history.residual_sd(readings) ** 2 + history.expected_variance(x, readings))
    reach = t_reach(history.df, level) * sd
    return UntreatedExpectation(expected, sd, expected - reach, expected + reach, level)


def untreated_change(
    before: npt.ArrayLike, history: NaturalHistory, *, readings: int = 1, level: float = 0.95
) -> UntreatedChange:
    """Give the mean change (after - before) to expect of these patients untreated.

    It is -(1 - rho)(mean(x) - mu): a fall where the patients lie above the mean of the population,
    a rise where they lie below it. The parameters are those of :func:`untreated`; the limits come
    from the uncertainty of mean and rho alone, not from the scatter of the patients.

    Examples
    --------
    >>> history = NaturalHistory(mean=8, sd=5, rho=0.64, rho_se=0.1)
    >>> fall = untreated_change([14.0, 16.0, 18.0], history)
    >>> round(fall.expected, 2), round(fall.lower, 2), round(fall.upper, 2)
    (-2.88, -4.45, -1.31)
    """
    check_level(level)
    x = _values(before, readings)
    centre = np.array([np.mean(x)])
    expected = float(history.expected(centre, readings)[0] - centre[0])
    error = math.sqrt(float(history.expected_variance(centre, readings)[0]))
    reach = t_reach(history.df, level) * error
    return UntreatedChange(expected, error, expected - reach, expected + reach, x.size, level)


def log_sd(cv: float) -> float:
    """Return the SD of the natural logarithm of a log-normal measure with this coefficient of variation.

    It is sqrt(ln(1 + cv^2)); ``cv`` is a fraction (0.4 for 40%). The same holds for the
    geometric coefficient of variation between patients.

    Examples
    --------
    >>> round(log_sd(0.4), 4)
    0.3853
    """
    check_not_negative("cv", cv)
    return math.sqrt(math.log1p(cv * cv))


def cv_from_repeatability(limit: float) -> float:
    """Return the within-person coefficient of variation behind a 95% repeatability limit.

    The limit is the largest relative change between two readings that chance explains in 95%,
    1.96 sqrt(2) cv (Bland & Altman 1986); as a fraction, 0.5 for 50%.

    Examples
    --------
    >>> round(cv_from_repeatability(0.5), 3)
    0.18
    """
    check_not_negative("limit", limit)
    return limit / (1.96 * math.sqrt(2))


def lognormal_history(median: float, between_gcv: float, within_cv: float) -> NaturalHistory:
    """Build the history, on the scale of natural logarithms, of a log-normal measure.

    Parameters
    ----------
    median
        Median of the population that is screened, in the measure's unit, above zero.
    between_gcv, within_cv
        Coefficient of variation between patients (of their medians) and within a patient, as
        fractions.

    Examples
    --------
    >>> history = lognormal_history(median=1.0, between_gcv=1.0, within_cv=0.4)
    >>> round(history.rho, 4)
    0.8236
    """
    check_positive("median", median)
    check_positive("within_cv", within_cv)
    return NaturalHistory.from_components(math.log(median), log_sd(between_gcv), log_sd(within_cv))


# -- what the other files of this folder share ------------------------------------------------------


def as_pairs(
    first: npt.ArrayLike, second: npt.ArrayLike, name: str, other: str, *, least: int
) -> tuple[FloatArray, FloatArray]:
    """Return two rows of finite numbers of equal length, or say what is wrong with them."""
    x, y = as_numbers(first, name), as_numbers(second, other)
    if x.size != y.size:
        raise ValueError(
            f"{name}, {other}: found {x.size} and {y.size} values; expected one of each per "
            "patient, in the same order"
        )
    if x.size < least:
        raise ValueError(f"{name}, {other}: found {x.size} patients; expected at least {least}")
    for label, readings in ((name, x), (other, y)):
        size = float(np.max(np.abs(readings), initial=0.0))
        if size and not LEAST_SIZE <= size <= LARGEST_SIZE:
            raise ValueError(
                f"{label}: the readings are of the size {size:.3g}; expected {LEAST_SIZE:g} to "
                f"{LARGEST_SIZE:g}, whose squares a computer holds; give them in another unit"
            )
    return x, y


def _values(before: npt.ArrayLike, readings: int) -> FloatArray:
    x = as_numbers(before, "before")
    if x.size == 0:
        raise ValueError("before: found no value; expected at least one, one per patient")
    check_count("readings", readings)
    return x


def check_finite(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is a finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{name}: found {value}; expected a finite number")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is finite and above zero."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: found {value}; expected a finite number above 0")


def check_not_negative(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is finite and not below zero."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}: found {value}; expected a finite number of 0 or more")


def check_correlation(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` lies from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: found {value}; expected a correlation from 0 to 1")


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless ``alpha`` lies strictly between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: found {alpha}; expected a level between 0 and 1, such as 0.05")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ValueError unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: found {value!r}; expected a whole number of {least} or more")


def normal_reach(level: float) -> float:
    """Return how many standard deviations from the mean hold ``level`` of a normal distribution."""
    from scipy.special import ndtri

    return -float(ndtri((1 - level) / 2))


def t_reach(df: float, level: float) -> float:
    """Return the same of Student's t; of the normal distribution for infinite ``df``."""
    from scipy.special import stdtrit

    return normal_reach(level) if math.isinf(df) else -float(stdtrit(df, (1 - level) / 2))
