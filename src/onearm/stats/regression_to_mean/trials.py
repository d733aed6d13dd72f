"""What selection alone makes of a before-after trial: how often it is significant, by each test."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
)
from onearm.stats.regression_to_mean.lines import signed_rank_tails
from onearm.stats.regression_to_mean.selection import (
    FARTHEST,
    SIDES,
    Side,
    selection_fall,
)

Test = Literal[
    "paired_t",
    "signed_rank",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
    "rebaseline_t",
    "shifted_t",
]
TESTS: tuple[Test, ...] = (
    "paired_t",
    "signed_rank",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
    "rebaseline_t",
    "shifted_t",
)
ALTERNATIVES = ("two-sided", "less", "greater")
#: Numbers simulated at a time; more trials are done in pieces.
PIECE = 2_000_000


@dataclass(frozen=True)
class TestShare:
    """How often one test is significant, and what it estimates.

    ``share`` of the trials are significant (two-sided), with Monte Carlo error ``error``;
    ``improved`` of them in the direction of improvement (a fall for selection above the
    threshold). ``estimate`` is the mean of the effects estimated (mean change, mean offset,
    Mee and Chua's), with Monte Carlo error ``estimate_error``; compare it with the true effect.
    """

    __test__ = False  # not a test of pytest's

    test: Test
    share: float
    error: float
    improved: float
    estimate: float
    estimate_error: float


@dataclass(frozen=True)
class SelectedTrials:
    """Simulated trials of patients let in by a threshold, with a known effect."""

    shares: tuple[TestShare, ...]
    n: int
    effect: float
    alpha: float
    trials: int

    def of(self, test: Test) -> TestShare:
        """Return the share of one test."""
        for share in self.shares:
            if share.test == test:
                return share
        raise ValueError(f"test: {test!r} was not simulated; expected one of the tests asked for")


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
) -> SelectedTrials:
    """Simulate how often this very design is significant without any effect, or with a given one.

    Parameters
    ----------
    history
        The population that is screened; its mean and rho are taken as true.
    n
        Patients per trial: at least two, three for ``"mee_chua"``.
    threshold, side
        Patients are let in when their entry value is at least (``"above"``) or at most
        (``"below"``) this. For whole-number scores give the border: 7.5 for "at least 8".
    rng
        Generator of the random numbers.
    trials
        Number of trials simulated.
    effect
        Added to every follow-up reading; 0 gives the level, anything else the power.
    tests
        ``"paired_t"``, ``"signed_rank"``: the change from the entry value. ``"offset_t"``,
        ``"offset_signed_rank"``: the offset test with known mean and rho. ``"mee_chua"``: mean
        known, rho estimated. ``"rebaseline_t"``: the change from one fresh reading taken after
        entry. ``"shifted_t"``: the change against the fall expected from the design.
    readings
        Entry value and baseline are the mean of this many readings.
    alpha
        Two-sided level.

    Returns
    -------
    SelectedTrials

    Notes
    -----
    Normal readings, equally correlated however far apart: a fresh baseline is the cure only in this
    model (see :func:`fluctuating_fall`). Entry values are drawn directly beyond the threshold, so
    a rare selection costs no more than a common one.

    References
    ----------
    Gardner MJ, Heady JA (1973) J Chronic Dis 26:781-795. Mee RW, Chua TC (1991) Am Stat 45:39-42.

    Examples
    --------
    >>> history = NaturalHistory.from_components(8, 4, 3)
    >>> trials = significant_without_effect(history, n=20, threshold=8, trials=4000,
    ...                                     rng=np.random.default_rng(1))
    >>> 0.30 < trials.of("paired_t").share < 0.37, 0.04 < trials.of("offset_t").share < 0.06
    (True, True)
    """
    _check(n, threshold, side, trials, effect, tests, readings, alpha)
    design = _Design.of(history, threshold, side, readings)
    piece = max(1, PIECE // n)
    found = [
        _decide(design.draw(rng, min(piece, trials - done), n), effect, tests, design)
        for done in range(0, trials, piece)
    ]
    sign = 1.0 if side == "above" else -1.0
    shares = []
    for at, test in enumerate(tests):
        p = np.concatenate([each[at][0] for each in found])
        estimates = np.concatenate([each[at][1] for each in found])
        significant = p <= alpha
        share = float(np.mean(significant))
        shares.append(
            TestShare(
                test=test,
                share=share,
                error=math.sqrt(share * (1 - share) / trials),
                improved=float(np.mean(significant & (sign * estimates < 0))),
                estimate=float(np.mean(estimates)),
                estimate_error=float(np.std(estimates)) / math.sqrt(trials),
            )
        )
    return SelectedTrials(tuple(shares), n, effect, alpha, trials)


def paired_t_pvalues(
    changes: npt.ArrayLike, *, alternative: Alternative = "two-sided"
) -> FloatArray:
    """Give the P values of the paired t test of many trials at once.

    Parameters
    ----------
    changes
        After minus before, shape (trials, n), n at least 2; finite.
    alternative
        As in :func:`onearm.stats.paired_t`.

    Returns
    -------
    numpy.ndarray
        One P per trial; NaN where all changes of a trial are the same, for which t is not defined.

    Examples
    --------
    >>> paired_t_pvalues([[-1.0, -2.0, -3.0], [1.0, -1.0, 0.5]]).round(4).tolist()
    [0.0742, 0.8075]
    """
    values = _trials(changes, least=2)
    n = values.shape[1]
    error = np.std(values, axis=1, ddof=1) / math.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, np.mean(values, axis=1) / error, math.nan)
    return _p_of_t(t, n - 1, alternative)


def signed_rank_pvalues(
    changes: npt.ArrayLike, *, alternative: Alternative = "two-sided"
) -> FloatArray:
    """Give the exact P values of the signed-rank test of many trials of continuous changes.

    Parameters
    ----------
    changes
        After minus before, shape (trials, n); finite. Continuous: no zeros and no two of the same
        size in a trial.
    alternative
        As in :func:`onearm.stats.signed_rank`.

    Returns
    -------
    numpy.ndarray
        One P per trial.

    Raises
    ------
    ValueError
        If a trial has a zero or two changes of the same size: its null distribution is its own;
        give it to :func:`onearm.stats.signed_rank`.

    Examples
    --------
    >>> signed_rank_pvalues([[-1.0, -2.0, -3.5, -4.0], [1.0, -2.0, 0.5, 0.1]]).tolist()
    [0.125, 0.875]
    """
    values = _trials(changes, least=1)
    check_choice("alternative", alternative, ALTERNATIVES)
    n = values.shape[1]
    size = np.abs(values)
    order = np.argsort(size, axis=1)
    ordered = np.take_along_axis(size, order, axis=1)
    tied = (ordered[:, 0] == 0) | np.any(np.diff(ordered, axis=1) == 0, axis=1)
    if tied.any():
        raise ValueError(
            f"changes[{int(np.flatnonzero(tied)[0])}]: found a zero or two changes of one size; "
            "expected continuous changes; give trials with ties to signed_rank"
        )
    positive = np.take_along_axis(values, order, axis=1) > 0
    total = positive @ np.arange(1, n + 1)
    tails = signed_rank_tails(n)
    less: FloatArray = tails[total]
    greater: FloatArray = tails[n * (n + 1) // 2 - total]
    if alternative == "two-sided":
        return np.minimum(1.0, 2 * np.minimum(less, greater))
    return less if alternative == "less" else greater


@dataclass(frozen=True)
class _Readings:
    """Entry values, fresh baselines and untreated follow-ups, each of shape (trials, n)."""

    before: FloatArray
    fresh: FloatArray
    after: FloatArray


@dataclass(frozen=True)
class _Design:
    """The population and the rule of entry; ``z`` is mirrored for selection below."""

    history: NaturalHistory
    slope: float
    sd_entry: float
    z: float
    sign: float
    fall: float
    readings: int

    @classmethod
    def of(cls, history: NaturalHistory, threshold: float, side: Side, readings: int) -> _Design:
        between = history.rho * history.sd**2
        sd_entry = math.sqrt(between + (1 - history.rho) * history.sd**2 / readings)
        sign = 1.0 if side == "above" else -1.0
        z = sign * (threshold - history.mean) / sd_entry
        if not z < FARTHEST - 2:
            raise ValueError(
                f"threshold: lies {z:.3g} standard deviations from the mean; expected less than "
                f"{FARTHEST - 2:g}; nobody of such a population would be let in"
            )
        fall = selection_fall(
            mean=history.mean,
            sd=history.sd,
            rho=history.rho,
            threshold=threshold,
            side=side,
            readings=readings,
        )
        return cls(history, history.slope(readings), sd_entry, z, sign, sign * fall, readings)

    def draw(self, rng: np.random.Generator, trials: int, n: int) -> _Readings:
        """Draw trials of patients let in: entry beyond the threshold, then level, then readings."""
        from scipy.special import log_ndtr, ndtri_exp

        shape = (trials, n)
        mean, between = self.history.mean, self.history.rho * self.history.sd**2
        within = math.sqrt((1 - self.history.rho) * self.history.sd**2)
        # Upper tail shares are uniform up to that of the threshold; logarithms keep far ones apart.
        tail = -rng.exponential(size=shape) + float(log_ndtr(-self.z))
        before = mean - self.sign * self.sd_entry * ndtri_exp(tail)
        level = mean + self.slope * (before - mean)
        level += math.sqrt(between * (1 - self.slope)) * rng.standard_normal(shape)
        return _Readings(
            before,
            level + within * rng.standard_normal(shape),
            level + within * rng.standard_normal(shape),
        )


def _decide(
    drawn: _Readings, effect: float, tests: Sequence[Test], design: _Design
) -> list[tuple[FloatArray, FloatArray]]:
    """Return P values and estimates of each test."""
    after = drawn.after + effect
    change = after - drawn.before
    offsets = after - design.history.expected(drawn.before, design.readings)
    found = []
    for test in tests:
        if test == "mee_chua":
            found.append(_mee_chua(drawn.before, after, design.history.mean))
            continue
        values = {
            "paired_t": change,
            "signed_rank": change,
            "offset_t": offsets,
            "offset_signed_rank": offsets,
            "rebaseline_t": after - drawn.fresh,
            "shifted_t": change + design.fall,
        }[test]
        decide = signed_rank_pvalues if test.endswith("signed_rank") else paired_t_pvalues
        found.append((decide(values), np.mean(values, axis=1)))
    return found


def _mee_chua(before: FloatArray, after: FloatArray, mean: float) -> tuple[FloatArray, FloatArray]:
    """Return P values and estimates of Mee and Chua's test, one per trial."""
    n = before.shape[1]
    x, y = np.mean(before, axis=1), np.mean(after, axis=1)
    across, up = before - x[:, None], after - y[:, None]
    spread = np.sum(across * across, axis=1)
    slope = np.sum(across * up, axis=1) / spread
    rest = up - slope[:, None] * across
    square = np.sum(rest * rest, axis=1) / (n - 2)
    estimate = y - slope * (x - mean) - mean
    t = estimate / np.sqrt(square * (1 / n + (x - mean) ** 2 / spread))
    return _p_of_t(t, n - 2, "two-sided"), estimate


def _p_of_t(t: FloatArray, df: int, alternative: Alternative) -> FloatArray:
    from scipy.special import stdtr

    check_choice("alternative", alternative, ALTERNATIVES)
    if alternative == "two-sided":
        p: FloatArray = 2 * stdtr(df, -np.abs(t))
    else:
        p = stdtr(df, t if alternative == "less" else -t)
    return p


def _trials(changes: npt.ArrayLike, *, least: int) -> FloatArray:
    values = np.asarray(changes, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < least:
        raise ValueError(
            f"changes: found shape {values.shape}; expected (trials, n) with n of at least {least}"
        )
    if not np.isfinite(values).all():
        raise ValueError("changes: found a number that is not finite; expected finite changes")
    return values


def _check(
    n: int,
    threshold: float,
    side: Side,
    trials: int,
    effect: float,
    tests: Sequence[Test],
    readings: int,
    alpha: float,
) -> None:
    for test in tests:
        check_choice("tests", test, TESTS)
    check_count("n", n, least=3 if "mee_chua" in tests else 2)
    check_finite("threshold", threshold)
    check_choice("side", side, SIDES)
    check_count("trials", trials)
    check_finite("effect", effect)
    check_count("readings", readings)
    check_alpha(alpha)
