"""Error rates of the offset test without an effect; the table of docs/methods/offset_test.md.

    python tests/reference/stats_offset_levels.py [trials]

Simulated patients: clinic mean 8, SD 4 between and 3 within patients (rho 0.64), let in at a first
reading of 8 or more. Stated histories carry an error drawn as their standard errors say, or are
estimated from simulated run-in readings. Seed 20221122; Monte Carlo error in the last line.
"""

from __future__ import annotations

import math
import sys
from collections import Counter

import numpy as np
from scipy.special import ndtri, stdtr

from onearm.stats import paired_t, signed_rank
from onearm.stats.regression_to_mean import NaturalHistory, run_in
from onearm.stats.regression_to_mean.behrens_fisher import TwoErrors
from onearm.stats.regression_to_mean.lines import LineRegion
from onearm.stats.regression_to_mean.offset import GAMMA

MEAN, BETWEEN, WITHIN = 8.0, 4.0, 3.0
SD = math.hypot(BETWEEN, WITHIN)
RHO = BETWEEN**2 / SD**2
TRUE = NaturalHistory(MEAN, SD, RHO)


def patients(rng, n, *, whole=False):
    """First, second and follow-up readings of ``n`` untreated patients let in at 8 or more."""
    if whole:
        first, second, after = np.empty(0), np.empty(0), np.empty(0)
        while first.size < n:
            level = MEAN + BETWEEN * rng.standard_normal(4 * n)
            x, u, y = (
                np.maximum(np.rint(level + WITHIN * rng.standard_normal(4 * n)), 0)
                for _ in range(3)
            )
            keep = x >= 8
            first, second, after = (
                np.append(a, b[keep]) for a, b in ((first, x), (second, u), (after, y))
            )
        return first[:n], second[:n], after[:n]
    first = MEAN - SD * ndtri((1 - rng.random(n)) * 0.5)
    level = MEAN + RHO * (first - MEAN) + BETWEEN * math.sqrt(1 - RHO) * rng.standard_normal(n)
    return first, level + WITHIN * rng.standard_normal(n), level + WITHIN * rng.standard_normal(n)


def uncertain(x, y, history):
    """P of the offset test (Behrens-Fisher), by Welch, ignoring the errors, and of the signed rank."""
    offsets = y - history.expected(x)
    own = float(np.std(offsets, ddof=1)) / math.sqrt(x.size)
    common = math.sqrt(float(history.expected_variance(np.array([np.mean(x)]))[0]))
    mean = float(np.mean(offsets))
    share = own**2 / (own**2 + common**2)
    df = 1 / (share**2 / (x.size - 1) + (1 - share) ** 2 / history.df)
    region = LineRegion(x, offsets, history, 1, GAMMA)
    return {
        "t": 2 * TwoErrors((own, common), (x.size - 1, history.df)).below(-abs(mean)),
        "t by Welch": 2 * float(stdtr(df, -abs(mean) / math.hypot(own, common))),
        "t, errors ignored": 2 * float(stdtr(x.size - 1, -abs(mean) / own)),
        "signed rank": min(1.0, 2 * min(region.largest_tails()) + GAMMA),
    }


def trial(rng, n, scenario):
    """P values of one trial, by name of test."""
    if scenario.startswith("known"):
        x, _, y = patients(rng, n, whole="whole" in scenario)
        offsets = y - TRUE.expected(x)
        return {
            "t": paired_t(offsets).pvalue,
            "signed rank": signed_rank(offsets, zeros="pratt").pvalue,
            "t of the change itself": paired_t(y - x).pvalue,
        }
    x, u, y = patients(rng, n)
    if scenario == "prior":
        se, rho_se = 0.7, 0.08
        rho = min(max(RHO + rho_se * rng.standard_normal(), 0.0), 0.99)
        stated = NaturalHistory(MEAN + se * rng.standard_normal(), SD, rho, se, rho_se)
        return uncertain(x, y, stated)
    if scenario == "run-in of the same":
        p = {"t": paired_t(y - u).pvalue, "signed rank": signed_rank(y - u, zeros="pratt").pvalue}
        as_others = uncertain(x, y, run_in(x, u))
        return p | {
            "t, as if of others": as_others["t"],
            "t, errors ignored": as_others["t, errors ignored"],
        }
    others = int(scenario.rsplit(" ", 1)[1])
    first, second, _ = patients(rng, others)
    return uncertain(x, y, run_in(first, second))


SCENARIOS = (
    "known",
    "known, whole points",
    "prior",
    "run-in of others 12",
    "run-in of others 40",
    "run-in of the same",
)


def say(line: str) -> None:
    """Write one line at once, for it takes minutes until the last."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(trials: int) -> None:
    rng = np.random.default_rng(20221122)
    say("| history | n | test | at 0.05 | at 0.01 | at 0.002 |")
    say("|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        for n in (6, 9, 12, 20):
            rejected = {level: Counter() for level in (0.05, 0.01, 0.002)}
            for _ in range(trials):
                found = trial(rng, n, scenario)
                for level, count in rejected.items():
                    count.update(name for name, p in found.items() if p <= level)
            for name in found:
                shares = " | ".join(f"{count[name] / trials:.4f}" for count in rejected.values())
                say(f"| {scenario} | {n} | {name} | {shares} |")
    errors = [math.sqrt(p * (1 - p) / trials) for p in (0.05, 0.01, 0.002)]
    said = ", ".join(f"{error:.4f}" for error in errors)
    say(f"Monte Carlo error: {said} ({trials} trials)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
