"""Trials without an effect, simulated: what selection alone makes of the usual tests.

Everything random takes a generator, and draws in blocks of one fixed size, so that a seed gives the
same numbers on every machine. Every share comes with its Monte Carlo standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import Alternative, FloatArray, check_choice
from onearm.stats.regression_to_mean.history import (
    NaturalHistory,
    check_alpha,
    check_count,
    check_finite,
    t_reach,
)
from onearm.stats.regression_to_mean.lines import signed_rank_tails
from onearm.stats.regression_to_mean.selection import (
    SIDES,
    Side,
    check_change,
    check_share,
    selection_fall,
)

BoolArray = npt.NDArray[np.bool_]
Test = Literal[
    "paired_t",
    "signed_rank",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
    "rebaseline_t",
    "shifted_t",
]
#: The tests that are simulated, in the order in which they are reported.
TESTS: tuple[Test, ...] = (
    "paired_t",
    "signed_rank",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
    "rebaseline_t",
    "shifted_t",
)
#: Readings drawn at a time; the numbers that a seed gives depend on it.
BLOCK = 2**19


@dataclass(frozen=True)
class TestShare:
    """How often one test is significant over simulated trials.

    ``share`` is that of significant trials and ``error`` its Monte Carlo standard error; ``fell``
    is the share that was significant with an estimate below 0; ``estimate`` is the mean of the
    test's estimate of the effect over all trials, ``estimate_error`` its Monte Carlo error.
    """

    __test__ = False  # not a test of ours, whatever its name

    test: Test
    share: float
    error: float
    fell: float
    estimate: float
    estimate_error: float


@dataclass(frozen=True)
class SimulatedTrials:
    """What tests make of one design, over simulated trials of it.

    ``fall`` is the expected untreated movement back to the mean in closed form, as
    :func:`selection_fall` gives it; ``shares`` has one entry per test, ``of(test)`` finds it.
    """

    shares: tuple[TestShare, ...]
    fall: float
    n: int
    effect: float
    readings: int
    alpha: float
    trials: int

    def of(self, test: Test) -> TestShare:
        """Return the entry of one test."""
        return next(each for each in self.shares if each.test == test)


@dataclass(frozen=True)
class Marker:
    """A measure by which patients may be let in, and what is read from it.

    Attributes
    ----------
    history
        The untreated population: of the natural logarithms for ``scale="log"``, and of the
        underlying continuous values for ``scale="whole"``.
    scale
        ``"normal"``; ``"log"``: log-normal, such as proteinuria; ``"whole"``: rounded to whole
        numbers, such as a score.
    lowest
        Readings below this are recorded as this (0 for a score); None for no border.
    response
        A response is a change of at most this where it is negative, of at least this where it is
        positive; for ``"log"`` a follow-up of at most this share of baseline (at least, above 1).
        None for no response.
    """

    history: NaturalHistory
    scale: Literal["normal", "log", "whole"] = "normal"
    lowest: float | None = None
    response: float | None = None

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, ("normal", "log", "whole"))
        if self.lowest is not None:
            check_finite("lowest", self.lowest)
        if self.response is not None:
            (check_share if self.scale == "log" else check_change)(self.response)


@dataclass(frozen=True)
class EntryCriterion:
    """One criterion of entry: a marker's reading of at least (or at most) a threshold, in its unit."""

    marker: str
    threshold: float
    side: Side = "above"

    def __post_init__(self) -> None:
        check_finite("threshold", self.threshold)
        check_choice("side", self.side, SIDES)


@dataclass(frozen=True)
class MarkerCourse:
    """The untreated course of one marker in the patients let in.

    ``change`` is the mean change (after - before), of logarithms for a log-normal marker, whose
    geometric mean ratio is ``ratio`` (None otherwise); ``before`` the mean before on the same
    scale; ``response`` the share who respond (None without a rule). Each ``_error`` is a Monte
    Carlo standard error.
    """

    before: float
    change: float
    change_error: float
    ratio: float | None
    response: float | None
    response_error: float | None


@dataclass(frozen=True)
class SimulatedSelection:
    """The patients let in by several criteria, simulated untreated.

    ``eligible`` is the share of those screened who are let in, ``eligible_error`` its Monte Carlo
    error; ``courses`` has one entry per marker.
    """

    eligible: float
    eligible_error: float
    courses: dict[str, MarkerCourse]
    screened: int


def significant_signed_rank(
    changes: npt.ArrayLike, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> BoolArray:
    """Tell in which of many trials the exact signed-rank test is significant.

    Parameters
    ----------
    changes
        Shape (trials, n): one row of changes per trial, drawn from a continuous distribution.
    alpha
        A trial is significant when its exact P is at most this.
    alternative
        As in :func:`onearm.stats.signed_rank`.

    Returns
    -------
    numpy.ndarray
        Shape (trials,), True where significant.

    Raises
    ------
    ValueError
        If a change is 0 or two of a trial are tied in size: their null distribution is another one.
        Use :func:`onearm.stats.signed_rank` for each such trial.

    Examples
    --------
    >>> significant_signed_rank([[-1.0, -2.5, -3.1, -0.4, -5.2, -2.2], [1.0, -2, 3, -4, 5, 6]])
    array([ True, False])
    """
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    check_alpha(alpha)
    values = _rows(changes, least=1)
    size = np.abs(values)
    order = np.argsort(size, axis=1)
    ordered = np.take_along_axis(size, order, axis=1)
    if not (np.all(ordered[:, 0] > 0) and np.all(np.diff(ordered, axis=1) > 0)):
        raise ValueError(
            "changes: found zeros or ties; expected continuous changes; use "
            "signed_rank for each trial"
        )
    n = values.shape[1]
    positive = np.take_along_axis(values > 0, order, axis=1) @ np.arange(1.0, n + 1)
    tail = alpha / 2 if alternative == "two-sided" else alpha
    # T+ at most so small is significant; -1 where no T+ is.
    small = int(np.searchsorted(signed_rank_tails(n), tail, side="right")) - 1
    other = n * (n + 1) // 2 - positive
    counted = {"less": positive, "greater": other, "two-sided": np.minimum(positive, other)}
    return np.asarray(counted[alternative] <= small)


def significant_paired_t(
    changes: npt.ArrayLike, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> BoolArray:
    """Tell in which of many trials the paired t test is significant.

    Parameters
    ----------
    changes
        Shape (trials, n), n at least 2: one row of changes per trial.
    alpha
        A trial is significant when its P is at most this.
    alternative
        As in :func:`onearm.stats.paired_t`.

    Returns
    -------
    numpy.ndarray
        Shape (trials,), True where significant.

    Raises
    ------
    ValueError
        If the changes of a trial are all the same: t is not defined.

    Examples
    --------
    >>> significant_paired_t([[-1.0, -2.5, -3.1, -1.4], [1.0, -2.0, 3.0, -4.0]])
    array([ True, False])
    """
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    check_alpha(alpha)
    values = _rows(changes, least=2)
    n = values.shape[1]
    error = values.std(axis=1, ddof=1) / math.sqrt(n)
    if not np.all(np.ptp(values, axis=1) > 0):
        raise ValueError(
            "changes: found a trial whose changes are all the same; expected changes that vary; "
            "t is not defined"
        )
    t = values.mean(axis=1) / error
    reach = t_reach(n - 1, 1 - (alpha if alternative == "two-sided" else 2 * alpha))
    towards = {"two-sided": np.abs(t), "less": -t, "greater": t}[alternative]
    return np.asarray(towards >= reach)


def _rows(changes: npt.ArrayLike, *, least: int) -> FloatArray:
    values = np.asarray(changes, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < least:
        raise ValueError(
            f"changes: found an array of shape {values.shape}; expected (trials, n) with n of at "
            f"least {least}, one row of changes per trial"
        )
    if not np.isfinite(values).all():
        raise ValueError("changes: found a value that is not finite; expected finite numbers")
    return values


def significant_without_effect(
    history: NaturalHistory,
    *,
    n: int,
    threshold: float,
    rng: np.random.Generator,
    side: Side = "above",
    trials: int = 20_000,
    effect: float = 0.0,
    tests: Sequence[Test] = TESTS,
    readings: int = 1,
    alpha: float = 0.05,
    assumed: NaturalHistory | None = None,
) -> SimulatedTrials:
    """Give the probability that a design is significant when nothing has an effect.

    Trials of ``n`` patients let in by a threshold are simulated; each patient has one follow-up
    reading, moved by ``effect`` (0: none), and each test is done at the two-sided level ``alpha``.

    Parameters
    ----------
    history
        The true untreated population, mean and rho as they are (their errors are not drawn).
    n
        Patients per trial: at least two, three for ``"mee_chua"``.
    threshold, side
        The rule of entry, as in :func:`selection_fall`.
    rng
        Random generator.
    trials
        Number of trials.
    effect
        True effect, added to every follow-up (negative for a fall): the shares then are powers.
    tests
        ``"paired_t"`` and ``"signed_rank"``: the usual tests of the change. ``"offset_t"`` and
        ``"offset_signed_rank"``: of the offsets, mean and rho known. ``"mee_chua"``: mean known,
        rho estimated from the n patients. ``"rebaseline_t"``: change from a fresh reading after
        entry. ``"shifted_t"``: change tested against the expected fall.
    readings
        Entry value and baseline are the mean of this many readings.
    alpha
        Two-sided level.
    assumed
        What the offset, shifted and Mee-Chua tests take for the history; the true one if None. It
        shows what a wrong rho or mean does.

    Returns
    -------
    SimulatedTrials

    Notes
    -----
    Entry values are drawn beyond the threshold directly, by the inverse of the normal distribution;
    given them, the patient's own level is normal. Signed-rank decisions are exact.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clinic = NaturalHistory.from_components(8, 4, 3)
    >>> usual = significant_without_effect(clinic, n=20, threshold=8, rng=rng, trials=4000)
    >>> round(usual.of("paired_t").share, 1), round(usual.of("offset_t").share, 2)
    (0.3, 0.05)
    """
    for test in tests:
        check_choice("tests", test, TESTS)
    check_count("n", n, least=3 if "mee_chua" in tests else 2)
    check_count("trials", trials)
    check_finite("effect", effect)
    check_alpha(alpha)
    held = history if assumed is None else assumed
    fall = _fall(history, threshold, side, readings)
    expected = _fall(held, threshold, side, readings) * (-1 if side == "above" else 1)
    judges: dict[Test, Callable[[_Drawn], tuple[FloatArray, BoolArray]]] = {
        "paired_t": lambda d: _by_t(d.after - d.before, alpha),
        "signed_rank": lambda d: _by_rank(d.after - d.before, alpha),
        "offset_t": lambda d: _by_t(d.after - held.expected(d.before, readings), alpha),
        "offset_signed_rank": lambda d: _by_rank(
            d.after - held.expected(d.before, readings), alpha
        ),
        "mee_chua": lambda d: _by_line(d.before, d.after, held.mean, alpha),
        "rebaseline_t": lambda d: _by_t(d.after - d.fresh, alpha),
        "shifted_t": lambda d: _by_t(d.after - d.before - expected, alpha),
    }
    sums = {test: np.zeros(4) for test in tests}
    for drawn in _drawn_trials(history, n, threshold, side, trials, effect, readings, rng):
        for test in tests:
            estimate, significant = judges[test](drawn)
            sums[test] += (
                int(np.count_nonzero(significant)),
                int(np.count_nonzero(significant & (estimate < 0))),
                float(np.sum(estimate)),
                float(np.sum(estimate**2)),
            )
    return SimulatedTrials(
        shares=tuple(_as_share(test, sums[test], trials) for test in tests),
        fall=fall,
        n=n,
        effect=effect,
        readings=readings,
        alpha=alpha,
        trials=trials,
    )


def _as_share(test: Test, sums: FloatArray, trials: int) -> TestShare:
    significant, fell, total, squares = sums.tolist()
    share, mean = significant / trials, total / trials
    return TestShare(
        test=test,
        share=share,
        error=math.sqrt(share * (1 - share) / trials),
        fell=fell / trials,
        estimate=mean,
        estimate_error=math.sqrt(max(squares / trials - mean**2, 0.0) / trials),
    )


def _fall(history: NaturalHistory, threshold: float, side: Side, readings: int) -> float:
    return selection_fall(
        mean=history.mean,
        sd=history.sd,
        rho=history.rho,
        threshold=threshold,
        side=side,
        readings=readings,
    )


@dataclass(frozen=True)
class _Drawn:
    """Readings of a block of trials, shape (trials, n): at entry, one afresh, and at follow-up."""

    before: FloatArray
    fresh: FloatArray
    after: FloatArray


def _drawn_trials(
    history: NaturalHistory,
    n: int,
    threshold: float,
    side: Side,
    trials: int,
    effect: float,
    readings: int,
    rng: np.random.Generator,
) -> Iterator[_Drawn]:
    from scipy.special import ndtr, ndtri

    between = history.rho * history.sd**2
    within = (1 - history.rho) * history.sd**2
    spread = math.sqrt(between + within / readings)
    sign = 1 if side == "above" else -1
    beyond = float(ndtr(-sign * (threshold - history.mean) / spread))
    if beyond < 1e-300:
        raise ValueError(
            f"threshold: found {threshold:g}, beyond which nobody of this population lies; "
            "expected one that lets some patients in"
        )
    slope = between / spread**2
    own = math.sqrt(between * (1 - slope))
    for rows in _blocks(trials, n):
        # 1 - uniform is never 0, whose quantile would be infinite.
        quantile = ndtri((1 - rng.random((rows, n))) * beyond)
        before = history.mean - sign * spread * quantile
        level = history.mean + slope * (before - history.mean)
        level += own * rng.standard_normal((rows, n))
        fresh = level + math.sqrt(within) * rng.standard_normal((rows, n))
        after = level + math.sqrt(within) * rng.standard_normal((rows, n)) + effect
        yield _Drawn(before, fresh, after)


def _blocks(total: int, width: int) -> Iterator[int]:
    rows = max(1, BLOCK // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)


def _by_t(change: FloatArray, alpha: float) -> tuple[FloatArray, BoolArray]:
    return change.mean(axis=1), significant_paired_t(change, alpha=alpha)


def _by_rank(change: FloatArray, alpha: float) -> tuple[FloatArray, BoolArray]:
    return change.mean(axis=1), significant_signed_rank(change, alpha=alpha)


def _by_line(
    before: FloatArray, after: FloatArray, mean: float, alpha: float
) -> tuple[FloatArray, BoolArray]:
    """Mee and Chua's test in every trial: the height of the line at the mean, less the mean."""
    n = before.shape[1]
    centre, level = before.mean(axis=1), after.mean(axis=1)
    across, up = before - centre[:, None], after - level[:, None]
    spread = np.sum(across**2, axis=1)
    slope = np.sum(across * up, axis=1) / spread
    left = np.sum(up**2, axis=1) - slope**2 * spread
    estimate = level + slope * (mean - centre) - mean
    error = np.sqrt(np.maximum(left, 0.0) / (n - 2) * (1 / n + (mean - centre) ** 2 / spread))
    return estimate, np.asarray(np.abs(estimate) >= t_reach(n - 2, 1 - alpha) * error)


def simulate_selection(
    rng: np.random.Generator,
    markers: Mapping[str, Marker],
    criteria: Sequence[EntryCriterion],
    *,
    join: Literal["any", "all"] = "any",
    correlation: npt.ArrayLike | None = None,
    error_correlation: npt.ArrayLike | None = None,
    screened: int = 200_000,
) -> SimulatedSelection:
    """Give the untreated course of each marker after entry by several criteria joined by OR.

    Parameters
    ----------
    rng
        Random generator.
    markers
        The measures by name, at least one: those of the criteria and any others to be followed.
    criteria
        At least one; each names a marker and a threshold in its own unit (g per 24 h, points).
    join
        ``"any"``: a patient who meets one criterion is let in (OR); ``"all"``: all must be met.
    correlation
        Correlation of the patients' own levels between markers (of logarithms for log-normal ones),
        shape (k, k) in the order of ``markers``; independent if None.
    error_correlation
        The same of the momentary departures from these levels: flares that move two markers at
        once; independent if None.
    screened
        Number of patients screened in the simulation.

    Returns
    -------
    SimulatedSelection
        The same readings serve for entry and as baseline. The more criteria a patient may enter by,
        the less each marker falls back: many enter by another one.

    Raises
    ------
    ValueError
        If a criterion names no marker, a matrix is no correlation matrix, or fewer than two of the
        patients simulated are let in.

    Notes
    -----
    A reading is the patient's level plus a momentary departure, both normal on the marker's scale,
    correlated between markers as given; the follow-up has the same levels and fresh departures.

    Examples
    --------
    >>> from onearm.stats.regression_to_mean import NaturalHistory, lognormal_history
    >>> course = simulate_selection(
    ...     np.random.default_rng(7),
    ...     {"SLEDAI": Marker(NaturalHistory(8, 5, 0.64), "whole", lowest=0, response=-4),
    ...      "protein": Marker(lognormal_history(1.0, 1.0, 0.4), "log", response=0.5)},
    ...     [EntryCriterion("SLEDAI", 8), EntryCriterion("protein", 1.0)],
    ...     correlation=[[1, 0.4], [0.4, 1]], screened=50_000)
    >>> round(course.eligible, 1), round(course.courses["SLEDAI"].change, 0)
    (0.7, -1.0)
    """
    names = list(markers)
    if not names or not criteria:
        raise ValueError(
            "markers, criteria: found none; expected at least one of each; without a criterion "
            "nobody is selected"
        )
    for criterion in criteria:
        check_choice("criteria", criterion.marker, tuple(names))
    check_choice("join", join, ("any", "all"))
    check_count("screened", screened, least=2)
    levels = _root(correlation, "correlation", len(names))
    errors = _root(error_correlation, "error_correlation", len(names))
    found = {name: _Tally() for name in names}
    eligible = 0
    for rows in _blocks(screened, len(names)):
        own = rng.standard_normal((rows, len(names))) @ levels
        before = own, rng.standard_normal((rows, len(names))) @ errors
        after = own, rng.standard_normal((rows, len(names))) @ errors
        first = {name: _read(markers[name], before, at) for at, name in enumerate(names)}
        met = [
            first[c.marker] >= c.threshold if c.side == "above" else first[c.marker] <= c.threshold
            for c in criteria
        ]
        is_in = np.any(met, axis=0) if join == "any" else np.all(met, axis=0)
        eligible += int(np.count_nonzero(is_in))
        for at, name in enumerate(names):
            second = _read(markers[name], after, at)
            found[name].add(markers[name], first[name][is_in], second[is_in])
    if eligible < 2:
        raise ValueError(
            f"criteria: {eligible} of {screened} simulated patients are let in; expected at least "
            "two; screen more, or look at the thresholds and their units"
        )
    share = eligible / screened
    return SimulatedSelection(
        eligible=share,
        eligible_error=math.sqrt(share * (1 - share) / screened),
        courses={name: found[name].course(markers[name], eligible) for name in names},
        screened=screened,
    )


class _Tally:
    """Sums over the patients let in, from which a marker's course is told."""

    def __init__(self) -> None:
        self.before = self.change = self.squares = 0.0
        self.responders = 0

    def add(self, marker: Marker, first: FloatArray, second: FloatArray) -> None:
        """Count a block of patients let in, readings in the marker's unit."""
        if marker.scale == "log":
            first, second = np.log(first), np.log(second)
        change = second - first
        self.before += float(np.sum(first))
        self.change += float(np.sum(change))
        self.squares += float(np.sum(change**2))
        if marker.response is not None:
            at = math.log(marker.response) if marker.scale == "log" else marker.response
            self.responders += int(np.count_nonzero(change <= at if at < 0 else change >= at))

    def course(self, marker: Marker, n: int) -> MarkerCourse:
        """Return the course of ``n`` patients."""
        mean = self.change / n
        variance = max(self.squares / n - mean**2, 0.0) * n / (n - 1)
        share = None if marker.response is None else self.responders / n
        return MarkerCourse(
            before=self.before / n,
            change=mean,
            change_error=math.sqrt(variance / n),
            ratio=math.exp(mean) if marker.scale == "log" else None,
            response=share,
            response_error=None if share is None else math.sqrt(share * (1 - share) / n),
        )


def _read(marker: Marker, parts: tuple[FloatArray, FloatArray], at: int) -> FloatArray:
    """Return a marker's readings, in its unit, from standardised levels and departures."""
    history = marker.history
    own, departure = parts[0][:, at], parts[1][:, at]
    value: FloatArray = history.mean + history.sd * (
        math.sqrt(history.rho) * own + math.sqrt(1 - history.rho) * departure
    )
    if marker.scale == "log":
        value = np.exp(value)
    elif marker.scale == "whole":
        value = np.rint(value)
    return value if marker.lowest is None else np.maximum(value, marker.lowest)


def _root(matrix: npt.ArrayLike | None, name: str, size: int) -> FloatArray:
    """Return a root of a correlation matrix, which need not be of full rank."""
    if matrix is None:
        return np.eye(size)
    values = np.asarray(matrix, dtype=np.float64)
    is_one = (
        values.shape == (size, size)
        and bool(np.all(np.isfinite(values)))
        and np.allclose(values, values.T, rtol=0, atol=1e-12)
        and np.allclose(np.diag(values), 1, rtol=0, atol=1e-12)
    )
    spread, axes = np.linalg.eigh(values) if is_one else (np.array([-1.0]), np.eye(1))
    if spread[0] < -1e-9:
        raise ValueError(
            f"{name}: found no correlation matrix of {size} markers; expected {size} rows and "
            "columns, symmetric, with ones on the diagonal and no contradiction between its entries"
        )
    root: FloatArray = np.sqrt(np.maximum(spread, 0.0))[:, None] * axes.T
    return root
