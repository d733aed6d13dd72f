"""What patients do without the cells, and how often that alone makes a trial 'significant'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from onearm.analysis.course import Course
from onearm.datasets import Datasets
from onearm.stats.regression_to_mean import (
    NaturalHistory,
    significant_paired_t,
    significant_signed_rank,
)
from onearm.study import Comparator

Changes = NDArray[np.float64]


@dataclass(frozen=True)
class Chance:
    """How often a trial like this is 'significant' when the cells do nothing.

    ``t`` and ``signed_rank`` are the shares of trials with two-sided P < 0.05 by the paired t test and the exact
    signed-rank test when patients change only as ``text`` says, by ``change`` on average; ``t_log`` is that of the t
    test of log ratios, None where ratios were not simulated. ``error`` is the largest Monte Carlo error of them.
    """

    id: str
    measure: str
    text: str
    change: float
    sd: float
    citation: str
    n: int
    t: float
    signed_rank: float
    t_log: float | None
    error: float
    trials: int


def chance_without_effect(
    comparator: Comparator, n: int, rng: np.random.Generator, *, trials: int = 20_000
) -> Chance:
    """Simulate trials of ``n`` patients whose change is normal with a comparator's mean and SD."""
    change = rng.normal(comparator.change, comparator.sd, size=(trials, n))
    c = comparator
    return _chance(c.id, c.measure, c.text, c.change, c.sd, c.citation, change)


def chance_of_regression(
    course: Course, before: Sequence[float], rng: np.random.Generator, *, trials: int = 20_000
) -> Chance:
    """Simulate trials of these very patients, untreated: regression to the mean alone moves them.

    Each patient keeps the value before; the value after is drawn from the natural history given that value, and
    from what is not known of its mean and rho where they are uncertain (rho kept within 0 and 1).
    """
    x = np.array([course.scaled(b) for b in before])
    words = "regression to the mean alone, from these patients' values before"
    return _untreated_trials(course, "regression", words, np.tile(x, (trials, 1)), rng)


def chance_of_selection(
    course: Course, n: int, rng: np.random.Generator, *, trials: int = 20_000
) -> Chance:
    """Simulate trials of other patients, let in by the study file's threshold and untreated."""
    from scipy.special import ndtr, ndtri

    stated, h = course.stated, course.history
    limit = stated.above if stated.above is not None else stated.below
    assert limit is not None
    side = 1.0 if stated.above is not None else -1.0
    # Beyond the threshold by the inverse of the normal distribution's tail.
    tail = float(ndtr(-side * (course.scaled(limit) - h.mean) / h.sd))
    x = h.mean - side * h.sd * ndtri(tail * rng.random((trials, n)))
    words = (
        f"regression to the mean of patients let in {'above' if side > 0 else 'below'} {limit:g}"
    )
    return _untreated_trials(course, "selection", words, x, rng)


def _untreated_trials(
    course: Course, kind: str, words: str, x: Changes, rng: np.random.Generator
) -> Chance:
    """Values after drawn from the course, given those before (trials by patients, on the scale analysed)."""
    mean, rho = _drawn(course.history, x.shape[0], rng)
    spread = course.history.sd * np.sqrt(1 - rho**2)
    after = mean + rho * (x - mean) + spread * rng.normal(size=x.shape)
    change = np.exp(after) - np.exp(x) if course.log else after - x
    return _chance(
        f"{course.stated.measure}.{kind}",
        course.stated.measure,
        words,
        float(change.mean()),
        float(change.std()),
        course.stated.citation,
        change,
        after - x if course.log else None,
    )


def _drawn(
    history: NaturalHistory, trials: int, rng: np.random.Generator
) -> tuple[Changes, Changes]:
    """A mean and a rho for each trial, as a column."""
    noise = rng.normal(size=(2, trials, 1))
    both = history.mean_se * history.rho_se
    shared = history.covariance / both if both else 0.0
    rho = history.rho + history.rho_se * noise[0]
    own = shared * noise[0] + sqrt(max(0.0, 1 - shared**2)) * noise[1]
    return history.mean + history.mean_se * own, np.clip(rho, 0.0, 0.999)


def _chance(
    id: str,
    measure: str,
    text: str,
    mean: float,
    sd: float,
    citation: str,
    change: Changes,
    log_ratio: Changes | None = None,
) -> Chance:
    trials, n = change.shape
    t = float(np.mean(significant_paired_t(change)))
    ranks = float(np.mean(significant_signed_rank(change)))
    t_log = None if log_ratio is None else float(np.mean(significant_paired_t(log_ratio)))
    # A share of one half has the largest error: the nearer to it, the larger.
    worst = min((t, ranks, t_log if t_log is not None else t), key=lambda share: abs(share - 0.5))
    error = sqrt(worst * (1 - worst) / trials)
    return Chance(id, measure, text, mean, sd, citation, n, t, ranks, t_log, error, trials)


def chances(
    data: Datasets, measure: str, before: Sequence[float], course: Course | None
) -> tuple[Chance, ...]:
    """Regression to the mean alone, then every comparator of a measure, each with its own random stream.

    ``before`` are the values of the complete pairs; fewer than two make no trial.
    """

    def stream(id: str) -> np.random.Generator:
        return np.random.default_rng([data.study.seed, crc32(id.encode())])

    if len(before) < 2:
        return ()
    found = [
        chance_without_effect(c, len(before), stream(c.id))
        for c in data.study.comparators
        if c.measure == measure
    ]
    if course is None or (course.log and min(before) <= 0):
        return tuple(found)
    by_course = [chance_of_regression(course, before, stream(f"{measure}.regression"))]
    if course.stated.above is not None or course.stated.below is not None:
        n = len(before)
        by_course.append(chance_of_selection(course, n, stream(f"{measure}.selection")))
    return (*by_course, *found)
