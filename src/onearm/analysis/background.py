"""What patients do without the cells, and how often that alone makes a trial 'significant'."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from onearm.datasets import Datasets
from onearm.study import Comparator

Changes = NDArray[np.float64]


@dataclass(frozen=True)
class Chance:
    """How often a trial like this is 'significant' when the cells do nothing.

    ``t`` and ``signed_rank`` are the shares of trials with two-sided P < 0.05 by the paired t test and the exact
    signed-rank test when patients change only as an untreated or standard-care group did; ``error`` is the
    Monte Carlo standard error of the larger share.
    """

    comparator: Comparator
    n: int
    t: float
    signed_rank: float
    error: float
    trials: int


def chance_without_effect(
    comparator: Comparator, n: int, rng: np.random.Generator, *, trials: int = 20_000
) -> Chance:
    """Simulate trials of ``n`` patients whose change is normal with a comparator's mean and SD."""
    change = rng.normal(comparator.change, comparator.sd, size=(trials, n))
    share_t = float(np.mean(_significant_t(change)))
    share_w = float(np.mean(_significant_signed_rank(change)))
    worst = max(share_t, share_w)
    return Chance(comparator, n, share_t, share_w, sqrt(worst * (1 - worst) / trials), trials)


def _significant_t(change: Changes) -> NDArray[np.bool_]:
    from scipy.special import stdtrit

    n = change.shape[1]
    t = change.mean(axis=1) / (change.std(axis=1, ddof=1) / sqrt(n))
    return np.asarray(np.abs(t) > stdtrit(n - 1, 0.975))


def _significant_signed_rank(change: Changes) -> NDArray[np.bool_]:
    """The exact test's verdict; normal draws have no ties, so T+ alone decides."""
    n = change.shape[1]
    ranks = np.abs(change).argsort(axis=1).argsort(axis=1) + 1
    positive = np.where(change > 0, ranks, 0).sum(axis=1)
    counts = np.ones(1)
    for rank in range(1, n + 1):
        counts = np.concatenate([counts, np.zeros(rank)]) + np.concatenate([np.zeros(rank), counts])
    lower = np.cumsum(counts) / counts.sum()
    smaller = np.minimum(positive, n * (n + 1) // 2 - positive)
    return np.asarray(2 * lower[smaller] < 0.05)


def chances(data: Datasets, measure: str, n: int) -> tuple[Chance, ...]:
    """:func:`chance_without_effect` for every comparator of a measure, each with its own random stream."""
    return tuple(
        chance_without_effect(c, n, np.random.default_rng([data.study.seed, crc32(c.id.encode())]))
        for c in data.study.comparators
        if c.measure == measure and n >= 2
    )
