"""Coverage of the usual interval of the rank-biserial correlation: why onearm gives none.

Run: python tests/reference/stats_rank_biserial_coverage.py
Its table stands in docs/methods/effect_sizes.md.
"""

import math
import sys

import numpy as np

TRIALS = 20_000


def coverage(n: int, mean: float, rng: np.random.Generator) -> float:
    """Share of trials whose Fisher-z "95%" interval holds the population value 2 P(D1+D2>0) - 1."""
    diff = rng.normal(mean, 1, (TRIALS, n))
    ranks = np.argsort(np.argsort(np.abs(diff), axis=1), axis=1) + 1
    r = 2 * np.sum(ranks * (diff > 0), axis=1) / (n * (n + 1) / 2) - 1
    error = math.sqrt((2 * n**3 + 3 * n**2 + n) / 6) / ((n**2 + n) / 2)
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    lower, upper = np.tanh(z - 1.96 * error), np.tanh(z + 1.96 * error)
    lower[r == 1], upper[r == -1] = 1.0, -1.0  # the interval of a perfect correlation is a point
    truth = math.erf(mean)
    return float(np.mean((lower <= truth) & (truth <= upper)))


if __name__ == "__main__":
    rng = np.random.default_rng(3)
    for n in (6, 9, 15, 30):
        row = [f"{coverage(n, mean, rng):.1%}" for mean in (0.0, 0.6, 1.5)]
        sys.stdout.write(f"n = {n}: {'  '.join(row)}\n")
