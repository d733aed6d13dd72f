"""Type I error and coverage of the mean change with follow-up missing at random, by simulation.

Run from the root of the repository: python tests/reference/stats_missing_coverage.py
Its table stands in docs/methods/missing_follow_up.md. Before is standard normal, after has the same
mean and variance and correlates with it by 0.6: no change. A patient is lost with a probability
that rises with the value before (logistic, slope 1.5). The test of complete cases is wrong here by
construction: the lost are those who would have fallen by regression to the mean.
"""

import math
import sys

import numpy as np

from onearm.stats.missing import complete_cases, missing_at_random, multiple_imputation

TRIALS = 5000
RHO = 0.6
SLOPE = 1.5
LEAST = 5


def trial(n: int, level: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one trial of n patients without a change, at least five of them with a follow-up."""
    while True:
        before = rng.normal(size=n)
        after = RHO * before + math.sqrt(1 - RHO**2) * rng.normal(size=n)
        lost = rng.random(n) < 1 / (1 + np.exp(-(level + SLOPE * before)))
        if n - lost.sum() >= LEAST:
            after[lost] = np.nan
            return before, after


def rates(
    n: int, level: float, rng: np.random.Generator, trials: int, imputations: int = 0
) -> dict[str, float]:
    """Return the share lost and, for each method, how often P is at most 0.05 without a change."""
    lost, rejected = 0.0, {"complete cases": 0, "missing at random": 0, "imputed": 0}
    for _ in range(trials):
        before, after = trial(n, level, rng)
        lost += float(np.isnan(after).mean())
        rejected["complete cases"] += complete_cases(before, after).pvalue <= 0.05
        rejected["missing at random"] += missing_at_random(before, after).pvalue <= 0.05
        if imputations:
            drawn = multiple_imputation(before, after, rng=rng, imputations=imputations)
            rejected["imputed"] += drawn.pvalue <= 0.05
    return {"lost": lost / trials, **{name: count / trials for name, count in rejected.items()}}


if __name__ == "__main__":
    rng = np.random.default_rng(20181230)
    for n in (12, 16, 20):
        for level in (-2.5, -1.0, 0.0):
            row = rates(n, level, rng, TRIALS, imputations=50)
            cells = "  ".join(f"{name} {value:.2%}" for name, value in row.items())
            sys.stdout.write(f"n = {n}: {cells}\n")
    error = math.sqrt(0.05 * 0.95 / TRIALS)
    sys.stdout.write(f"Monte Carlo standard error of a rate of 5%: {error:.2%}\n")
