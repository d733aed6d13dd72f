"""The change to expect untreated after selection by a threshold, before any patient is seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, as_numbers, check_choice
from onearm.stats.regression_to_mean.history import (
    check_correlation,
    check_count,
    check_finite,
    check_not_negative,
    check_positive,
    lognormal_history,
)

Side = Literal["above", "below"]
SIDES = ("above", "below")
#: Standard deviations beyond which a normal density no longer counts in double precision.
FARTHEST = 39.0


@dataclass(frozen=True)
class FallBySelection:
    """A mean movement towards the threshold's other side, in its two parts.

    ``total`` = ``treatment`` + ``regression``: falls when patients above the threshold were let
    in, rises when those below were. ``treatment`` is the difference of the two population means.
    """

    total: float
    treatment: float
    regression: float


@dataclass(frozen=True)
class FluctuatingFall:
    """The untreated course of patients let in by a threshold when disease fluctuates slowly.

    ``fall`` is the mean fall from baseline to follow-up (a rise for selection below), ``eligible``
    the share of the population let in.
    """

    fall: float
    eligible: float


@dataclass(frozen=True)
class LognormalFall:
    """The untreated course of a log-normal measure after selection by a threshold.

    ``ratio`` is the geometric mean of after/before; ``response`` the probability that one patient's
    follow-up is at most the asked share of baseline; ``eligible`` the share let in.
    """

    ratio: float
    response: float
    eligible: float


def selection_fall(
    *,
    mean: float,
    sd: float,
    rho: float,
    threshold: float,
    side: Side = "above",
    readings: int = 1,
) -> float:
    """Give the untreated movement back to the mean after selection by a threshold.

    Parameters
    ----------
    mean, sd
        Mean and total standard deviation of one reading in the population that is screened.
    rho
        Correlation of two readings, from 0 to 1: the share of the variance between patients.
    threshold
        Patients are let in when their entry value is at least (``side="above"``) or at most
        (``"below"``) this. For whole-number scores give the border between them: 7.5 for "at
        least 8".
    side
        Which patients are let in.
    readings
        Entry value and baseline are the mean of this many readings; the follow-up is one reading.

    Returns
    -------
    float
        R = (sw^2/m)/s_m C(z), never negative, in the unit of the readings: the mean untreated
        *fall* of patients let in above, the mean untreated *rise* of patients let in below. The
        untreated change (after - before) is -R above and +R below.

    Notes
    -----
    sw^2 = (1 - rho) sd^2, s_m^2 = rho sd^2 + sw^2/m, z the distance from mean to threshold in s_m,
    C(z) = phi(z)/(1 - Phi(z)). Normal readings, equally correlated however far apart.

    References
    ----------
    Gardner MJ, Heady JA (1973) J Chronic Dis 26:781-795. Davis CE (1976) Am J Epidemiol
    104:493-498. Barnett AG, van der Pols JC, Dobson AJ (2005) Int J Epidemiol 34:215-220.

    Examples
    --------
    >>> round(selection_fall(mean=60, sd=15, rho=0.5, threshold=40, side="below"), 3)
    13.486
    """
    entry = _entry(mean, sd, rho, threshold, side, readings)
    return entry.error_variance / entry.sd * inverse_mills(entry.z)


def selection_response(
    *,
    mean: float,
    sd: float,
    rho: float,
    threshold: float,
    change: float,
    side: Side = "above",
    readings: int = 1,
) -> float:
    """Give the probability that an untreated patient let in by a threshold "responds".

    Parameters
    ----------
    mean, sd, rho, threshold, side, readings
        As in :func:`selection_fall`.
    change
        A response is a change (after - before) of at most this where it is negative (-4: a fall by
        4 or more), of at least this where it is positive. Not 0.

    Notes
    -----
    The bivariate normal probability, integrated over the entry values let in (Gauss-Legendre, to
    about 12 digits). The response of one patient with a known baseline is
    :func:`untreated_response`.

    Examples
    --------
    >>> design = dict(mean=8, sd=5, rho=0.64, threshold=7.5)
    >>> round(selection_response(**design, change=-4), 4)
    0.2511
    """
    check_change(change)
    entry = _entry(mean, sd, rho, threshold, side, readings)
    slope = -entry.error_variance / entry.sd**2
    between = rho * sd**2
    spread = math.sqrt(between * (1 - between / entry.sd**2) + (1 - rho) * sd**2)
    sign = 1 if side == "above" else -1
    return _share_changed(entry.z, sign * slope * entry.sd, spread, change)


def unequal_variances_change(
    *,
    mean_before: float,
    mean_after: float,
    sd_before: float,
    sd_after: float,
    rho: float,
    threshold: float,
    side: Side = "above",
) -> FallBySelection:
    """Split the mean movement after selection when mean and SD differ between the two times.

    Parameters
    ----------
    mean_before, mean_after, sd_before, sd_after
        Mean and total standard deviation of the whole population at the two times; their
        difference in means is the effect of treatment (or of time).
    rho
        Correlation of the two readings.
    threshold, side
        As in :func:`selection_fall`; the entry value is the reading before.

    Returns
    -------
    FallBySelection
        total = (mu1 - mu2) + (s1 - rho s2) C(z) for selection above; mirrored for below.
        ``regression`` can be negative where the second SD is so much larger that the selected
        patients move away from the mean.

    References
    ----------
    James KE (1973) Biometrics 29:121-130. Khan M, Olivier J (2023) Stat Med: regression to the
    mean for the bivariate normal distribution with unequal variances.

    Examples
    --------
    >>> round(unequal_variances_change(mean_before=12, mean_after=9, sd_before=5, sd_after=4,
    ...                                rho=0.5, threshold=15).regression, 4)
    3.6451
    """
    for name, value in (
        ("mean_before", mean_before),
        ("mean_after", mean_after),
        ("threshold", threshold),
    ):
        check_finite(name, value)
    check_positive("sd_before", sd_before)
    check_positive("sd_after", sd_after)
    check_correlation("rho", rho)
    check_choice("side", side, SIDES)
    sign = 1 if side == "above" else -1
    treatment = sign * (mean_before - mean_after)
    z = sign * (threshold - mean_before) / sd_before
    regression = (sd_before - rho * sd_after) * inverse_mills(z)
    return FallBySelection(treatment + regression, treatment, regression)


def fluctuating_fall(
    *,
    mean: float,
    sd_between: float,
    sd_fluctuation: float,
    sd_error: float,
    time_constant: float,
    screening: float,
    baseline: float,
    follow_up: float,
    threshold: float,
    side: Side = "above",
) -> FluctuatingFall:
    """Give the untreated fall when disease fluctuates slowly about each patient's level.

    A reading is the patient's level (SD ``sd_between``), plus a flare or remission that fades with
    the time constant (an Ornstein-Uhlenbeck process of SD ``sd_fluctuation``: its correlation over
    a time t is exp(-t/time_constant)), plus white error (``sd_error``: measurement, day to day).

    Parameters
    ----------
    mean
        Mean of the population that is screened.
    sd_between, sd_fluctuation, sd_error
        Standard deviations of the three parts, 0 or more, not all 0.
    time_constant
        In the unit of the times, above 0.
    screening, baseline, follow_up
        Times of the entry reading, of the reading used as baseline, and of the follow-up, in that
        order. ``baseline == screening`` says that the same reading serves as both.
    threshold, side
        As in :func:`selection_fall`, for the reading at screening.

    Returns
    -------
    FluctuatingFall
        With the same reading: [se^2 + sf^2 (1 - e^(-(t2 - t0)/tau))]/s C(z). With a separate
        baseline: sf^2 [e^(-(t1 - t0)/tau) - e^(-(t2 - t0)/tau)]/s C(z). A second baseline takes the
        error away, not the flare.

    References
    ----------
    Davis CE (1976) Am J Epidemiol 104:493-498. Johnson WD, George VT (1991) Stat Med 10:1295-1302.

    Examples
    --------
    >>> course = dict(mean=8, sd_between=4, sd_fluctuation=2.5, sd_error=1.5, time_constant=3,
    ...               screening=0, follow_up=6, threshold=8.5)
    >>> [round(fluctuating_fall(**course, baseline=t).fall, 2) for t in (0, 0.5, 1.5, 3)]
    [1.33, 0.78, 0.51, 0.25]
    """
    parts = _FluctuatingParts.checked(
        mean, sd_between, sd_fluctuation, sd_error, time_constant, threshold, side
    )
    fall = -parts.covariance_of_change(screening, baseline, follow_up) / parts.sd
    from scipy.special import ndtr

    return FluctuatingFall(fall * inverse_mills(parts.z), float(ndtr(-parts.z)))


def fluctuating_response(
    *,
    mean: float,
    sd_between: float,
    sd_fluctuation: float,
    sd_error: float,
    time_constant: float,
    screening: float,
    baseline: float,
    follow_up: float,
    threshold: float,
    change: float,
    side: Side = "above",
) -> float:
    """Give the probability that an untreated patient "responds" when disease fluctuates slowly.

    The parameters are those of :func:`fluctuating_fall`; ``change`` is that of
    :func:`selection_response`, from baseline to follow-up.

    Examples
    --------
    >>> round(fluctuating_response(mean=8, sd_between=4, sd_fluctuation=2.5, sd_error=1.5,
    ...       time_constant=3, screening=0, baseline=0.5, follow_up=6, threshold=8.5, change=-4), 3)
    0.198
    """
    check_change(change)
    parts = _FluctuatingParts.checked(
        mean, sd_between, sd_fluctuation, sd_error, time_constant, threshold, side
    )
    steep = parts.covariance_of_change(screening, baseline, follow_up) / parts.sd
    spread2 = parts.variance_of_change(baseline, follow_up) - steep**2
    sign = 1 if side == "above" else -1
    return _share_changed(parts.z, sign * steep, math.sqrt(max(spread2, 0.0)), change)


def lognormal_selection(
    *,
    median: float,
    between_gcv: float,
    within_cv: float,
    threshold: float,
    share: float = 0.5,
    side: Side = "above",
    readings: int = 1,
) -> LognormalFall:
    """Give the untreated course of a log-normal measure, such as proteinuria, after selection.

    Parameters
    ----------
    median, between_gcv, within_cv
        As in :func:`lognormal_history`.
    threshold, side
        As in :func:`selection_fall`, in the measure's unit.
    share
        A response is a follow-up of at most this share of baseline (0.5: halved) where it is below
        1, of at least this where above. Not 1.
    readings
        Entry value and baseline are the geometric mean of this many readings.

    Examples
    --------
    >>> course = lognormal_selection(median=1.5, between_gcv=0.8, within_cv=0.4, threshold=3.0)
    >>> round(course.ratio, 4)
    0.7692
    """
    check_positive("threshold", threshold)
    check_share(share)
    history = lognormal_history(median, between_gcv, within_cv)
    at = math.log(threshold)
    entry = _entry(history.mean, history.sd, history.rho, at, side, readings)
    fall = entry.error_variance / entry.sd * inverse_mills(entry.z)
    response = selection_response(
        mean=history.mean,
        sd=history.sd,
        rho=history.rho,
        threshold=at,
        change=math.log(share),
        side=side,
        readings=readings,
    )
    from scipy.special import ndtr

    sign = 1 if side == "above" else -1
    return LognormalFall(math.exp(-sign * fall), response, float(ndtr(-entry.z)))


def density_change(
    before: npt.ArrayLike,
    log_density: Callable[[FloatArray], FloatArray],
    *,
    sd_within: float,
    step: float | None = None,
) -> FloatArray:
    """Give each patient's untreated change where readings are skewed, from the screened density.

    Parameters
    ----------
    before
        The value on which entry was decided, one per patient.
    log_density
        Natural logarithm of the density g of the values *screened* (before any selection), as a
        function of an array. A constant may be left out.
    sd_within
        Standard deviation of the normal error within a patient, above 0.
    step
        Half the distance over which the derivative is taken; ``sd_within``/1000 if not given.

    Returns
    -------
    numpy.ndarray
        sw^2 d log g(x)/dx per patient (after - before): negative where the density falls. For a
        normal density it is -(1 - rho)(x - mu).

    Notes
    -----
    The patients' own levels may have any distribution; the error is normal, of one size, and fresh
    at follow-up. For whole-number scores and errors that grow with the level use
    :func:`simulate_selection`.

    References
    ----------
    Das P, Mulder PGH (1983) Statistica Neerlandica 37:15-20. Beath KJ, Dobson AJ (1991) Biometrika
    78:431-435 (an expansion for the same).

    Examples
    --------
    >>> normal = lambda x: -((x - 8) ** 2) / (2 * 25)
    >>> round(float(density_change([16.0], normal, sd_within=3)[0]), 6)
    -2.88
    """
    check_positive("sd_within", sd_within)
    x = as_numbers(before, "before")
    h = sd_within / 1000 if step is None else step
    check_positive("step", h)
    derivative = (log_density(x + h) - log_density(x - h)) / (2 * h)
    if not np.all(np.isfinite(derivative)):
        raise ValueError(
            "log_density: its derivative is not finite at every value before; expected a density "
            "above 0 around each of them"
        )
    change: FloatArray = sd_within**2 * derivative
    return change


# -- the normal distribution beyond a threshold -----------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """The entry value: its SD, the part of its variance that is error, and the threshold in SDs.

    ``z`` is mirrored for selection below, so that patients beyond it are always those let in.
    """

    sd: float
    error_variance: float
    z: float


def _entry(
    mean: float, sd: float, rho: float, threshold: float, side: Side, readings: int
) -> _Entry:
    check_finite("mean", mean)
    check_positive("sd", sd)
    check_correlation("rho", rho)
    check_finite("threshold", threshold)
    check_choice("side", side, SIDES)
    check_count("readings", readings)
    error = (1 - rho) * sd**2 / readings
    total = math.sqrt(rho * sd**2 + error)
    sign = 1 if side == "above" else -1
    return _Entry(total, error, sign * (threshold - mean) / total)


@dataclass(frozen=True)
class _FluctuatingParts:
    """Variances of a reading's parts, and the threshold in SDs (mirrored for selection below)."""

    between: float
    fluctuation: float
    error: float
    time_constant: float
    z: float

    @classmethod
    def checked(
        cls,
        mean: float,
        sd_between: float,
        sd_fluctuation: float,
        sd_error: float,
        time_constant: float,
        threshold: float,
        side: Side,
    ) -> _FluctuatingParts:
        check_finite("mean", mean)
        check_finite("threshold", threshold)
        check_not_negative("sd_between", sd_between)
        check_not_negative("sd_fluctuation", sd_fluctuation)
        check_not_negative("sd_error", sd_error)
        check_positive("time_constant", time_constant)
        check_choice("side", side, SIDES)
        total = sd_between**2 + sd_fluctuation**2 + sd_error**2
        check_positive("the sum of the three variances", total)
        sign = 1 if side == "above" else -1
        return cls(
            sd_between**2,
            sd_fluctuation**2,
            sd_error**2,
            time_constant,
            sign * (threshold - mean) / math.sqrt(total),
        )

    @property
    def sd(self) -> float:
        return math.sqrt(self.between + self.fluctuation + self.error)

    def _kept(self, time: float) -> float:
        return self.fluctuation * math.exp(-time / self.time_constant)

    def covariance_of_change(self, screening: float, baseline: float, follow_up: float) -> float:
        """Return the covariance of the change from baseline with the reading at screening."""
        if not screening <= baseline < follow_up < math.inf:
            raise ValueError(
                f"screening, baseline, follow_up: found {screening}, {baseline}, {follow_up}; "
                "expected times in this order, the last after the second"
            )
        at_baseline = self._kept(baseline - screening)
        if baseline == screening:
            at_baseline += self.error
        return self._kept(follow_up - screening) - at_baseline

    def variance_of_change(self, baseline: float, follow_up: float) -> float:
        return 2 * (self.fluctuation - self._kept(follow_up - baseline) + self.error)


def inverse_mills(z: float) -> float:
    """Return phi(z)/(1 - Phi(z)), the mean of a standard normal variate beyond z."""
    from scipy.special import erfcx

    # erfcx keeps its digits far out, where 1 - Phi vanishes; far below it overflows to 1/inf = 0.
    return math.sqrt(2 / math.pi) / float(erfcx(z / math.sqrt(2)))


def _share_changed(z: float, steep: float, spread: float, change: float) -> float:
    """Return P(D <= change), or >= where change is positive, of D given an entry beyond z.

    D is normal with mean ``steep`` times the standardised entry value and SD ``spread``; ``z`` is
    mirrored for selection below, and ``steep`` with it.
    """
    from scipy.special import log_ndtr, ndtr

    if not z < FARTHEST:
        raise ValueError(
            f"threshold: lies {z:.3g} standard deviations from the mean; expected less than "
            f"{FARTHEST:g}; nobody of such a population would be let in"
        )
    if change > 0:
        steep, change = -steep, -change
    low = max(z, -9.0)
    width = 40 / low if low > 3 else 9.0 - low + 1.0
    nodes, weights = np.polynomial.legendre.leggauss(64)
    ends = np.linspace(low, low + width, 9)
    if steep != 0:  # where the step of Phi lies, which may be steep
        at = change / steep + np.array([-8.0, -3.0, 0.0, 3.0, 8.0]) * spread / steep
        ends = np.unique(np.clip(np.concatenate([ends, at]), low, low + width))
    half = np.diff(ends)[:, None] / 2
    v = (ends[:-1, None] + half) + half * nodes
    density = np.exp(-v * v / 2 - math.log(2 * math.pi) / 2 - float(log_ndtr(-z)))
    # Without spread (follow-up and baseline alike but for rounding) the step itself.
    share = ndtr((change - steep * v) / spread) if spread > 0 else 1.0 * (steep * v <= change)
    return min(1.0, float(np.sum(half * weights * density * share)))


def check_change(change: float) -> None:
    """Raise ValueError unless a change of response has a direction."""
    if not math.isfinite(change) or change == 0:
        raise ValueError(
            f"change: found {change}; expected a number below 0 (a response is a fall by that much "
            "or more) or above 0 (a rise)"
        )


def check_share(share: float) -> None:
    """Raise ValueError unless a share of baseline has a direction."""
    if not (math.isfinite(share) and share > 0) or share == 1:
        raise ValueError(
            f"share: found {share}; expected a number above 0 and below 1 (a response is a value "
            "of at most that share of baseline) or above 1 (at least)"
        )
