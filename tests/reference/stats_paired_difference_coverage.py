"""Coverage of the 95% intervals of a paired difference of shares, by enumeration.

Run: python tests/reference/stats_paired_difference_coverage.py
All pairs (gained, lost) of n patients, for all shares on a grid of 1/40; no simulation.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from onearm.stats.paired import paired_difference


def coverage(n: int, method: str, steps: int = 40) -> tuple[float, float]:
    """Return the smallest and the mean coverage over the grid of shares gained and lost."""
    limits = [
        (b, c, paired_difference(b, c, n, method=method))  # type: ignore[arg-type]
        for b in range(n + 1)
        for c in range(n + 1 - b)
    ]
    ways = np.array([math.comb(n, b) * math.comb(n - b, c) for b, c, _ in limits], float)
    gained, lost = np.array([row[0] for row in limits]), np.array([row[1] for row in limits])
    lower = np.array([row[2].lower for row in limits]) - 1e-12
    upper = np.array([row[2].upper for row in limits]) + 1e-12
    found = []
    for i in range(steps + 1):
        for j in range(steps + 1 - i):
            p, q = i / steps, j / steps
            stay = max(0.0, 1 - p - q)
            probability = ways * p**gained * q**lost * stay ** (n - gained - lost)
            found.append(float(probability[(lower <= p - q) & (p - q <= upper)].sum()))
    return min(found), sum(found) / len(found)


if __name__ == "__main__":
    sys.stdout.write("n, method, smallest coverage, mean coverage\n")
    for n in (6, 9, 12, 20, 40):
        for method in ("tango", "bonett_price"):
            smallest, mean = coverage(n, method)
            sys.stdout.write(f"{n}, {method}, {100 * smallest:.1f}%, {100 * mean:.1f}%\n")
