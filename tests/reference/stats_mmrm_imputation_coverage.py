"""Coverage and type I error of imputed changes with visits missing after dropout, by simulation.

Run from the root of the repository (a quarter of an hour):
    python tests/reference/stats_mmrm_imputation_coverage.py
Its tables stand in docs/methods/mmrm-missing.md. Four visits, standard deviation 1, correlation 0.7 to the
power of the distance, no change: every rejection is false. A patient leaves after any visit but the
last with a chance that rises with the value seen there (logistic, slope 1.5), so that by the last visit
20 % are gone and complete pairs are biased. Trials in which fewer patients than needed are left (seven
for four visits) are drawn again; how many is printed. "ante-dependence" is memory=1, which needs five.
The second table is of trials in which who leaves does go on untreated, at the mean before treatment,
while treatment moves the others: the truth is then the mean change of all, and ``jump to baseline``
assumes rightly. The third table is as the first, with a twelfth of the values between the baseline and a
patient's last visit missing as well; it takes most of the time.
"""

import math
import sys

import numpy as np

from onearm.stats.paired import paired_t
from onearm.stats.repeated_measures.imputation import imputed_changes

TRIALS = 4000
#: Of the third table, in which each data set has a chain of 30 rounds for each of 100 imputations.
TRIALS_WITH_GAPS = 800
IMPUTATIONS = 100
VISITS = 4
RHO = 0.7
SLOPE = 1.5
#: Chance of leaving on the logit scale for a patient at the mean; 20 % are gone at the last visit.
LEVEL = -3.3
#: Mean change of the treated at each visit in the second table.
GAIN = np.array([0.0, -0.5, -1.0, -1.0])


def trial(n: int, gain: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one trial: the values seen, and all values as they would be (who left: untreated)."""
    lags = np.abs(np.subtract.outer(np.arange(VISITS), np.arange(VISITS)))
    untreated = rng.standard_normal((n, VISITS)) @ np.linalg.cholesky(RHO**lags).T
    chance = 1 / (1 + np.exp(-(LEVEL + SLOPE * untreated[:, :-1])))
    leaves = rng.random(chance.shape) < chance
    gone = np.hstack([np.zeros((n, 1), dtype=bool), np.cumsum(leaves, axis=1) > 0])
    values = np.where(gone, untreated, untreated + gain)
    return np.where(gone, np.nan, values), values


def simulate(
    n: int,
    gain: np.ndarray,
    truth: float,
    methods: dict,
    rng: np.random.Generator,
    *,
    least: int = 7,
    trials: int = TRIALS,
    gap: float = 0.0,
) -> str:
    """Return one line: how often each method's interval misses the truth, and its median width."""
    missed, widths = dict.fromkeys(methods, 0), {name: [] for name in methods}
    redrawn = lost = 0
    for _ in range(trials):
        y = with_gaps(trial(n, gain, rng)[0], gap, rng)
        while np.isfinite(y).all(axis=1).sum() < least:
            redrawn += 1
            y = with_gaps(trial(n, gain, rng)[0], gap, rng)
        lost += float(np.isnan(y[:, -1]).mean())
        for name, method in methods.items():
            lower, upper = method(y, rng)
            missed[name] += not lower <= truth <= upper
            widths[name].append(upper - lower)
    cells = "".join(
        f" | {missed[name] / trials:.1%} ({np.median(widths[name]):.2f})" for name in methods
    )
    return f"| {n} | {lost / trials:.0%} | {redrawn / (trials + redrawn):.0%}{cells} |\n"


def with_gaps(y: np.ndarray, gap: float, rng: np.random.Generator) -> np.ndarray:
    """Lose values after the baseline and before the next value seen, each with the same chance."""
    if gap:
        between = ~np.isnan(y[:, 2:]) & (rng.random((len(y), VISITS - 2)) < gap)
        y[:, 1:-1][between] = np.nan
    return y


def complete_pairs(y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the limits of the paired t test of those seen at the last visit."""
    change = y[:, -1] - y[:, 0]
    t = paired_t(change[~np.isnan(change)])
    return t.lower, t.upper


def imputed(**options: object):
    """Return a method: limits of the change to the last visit."""

    def limits(y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
        last = imputed_changes(y, rng=rng, imputations=IMPUTATIONS, **options).visits[-1]
        return last.lower, last.upper

    return limits


def mean_of_all(rng: np.random.Generator) -> float:
    """Return the mean change of all where those who leave go on untreated."""
    _, values = trial(2_000_000, GAIN, rng)
    return float(np.mean(values[:, -1] - values[:, 0]))


if __name__ == "__main__":
    rng = np.random.default_rng(20181230)
    say = sys.stdout.write
    at_random = {
        "complete pairs": complete_pairs,
        "missing at random": imputed(),
        "ante-dependence": imputed(memory=1),
    }
    say(
        "No change, missing at random\n| n | lost | drawn again | " + " | ".join(at_random) + " |\n"
    )
    for n in (9, 15, 30):
        say(simulate(n, np.zeros(VISITS), 0.0, at_random, rng))
    few = {name: method for name, method in at_random.items() if name != "missing at random"}
    say("The same, five patients or more at the last visit; " + " | ".join(few) + "\n")
    say(simulate(9, np.zeros(VISITS), 0.0, few, rng, least=5))
    truth = mean_of_all(rng)
    say(f"Those who leave go on untreated; true mean change {truth:.3f}\n")
    untreated = {
        "complete pairs": complete_pairs,
        "missing at random": imputed(),
        "jump to baseline": imputed(after_dropout="jump to baseline"),
    }
    say("| n | lost | drawn again | " + " | ".join(untreated) + " |\n")
    for n in (9, 15, 30):
        say(simulate(n, GAIN, truth, untreated, rng))
    say(f"Monte Carlo standard error of 5 %: {math.sqrt(0.05 * 0.95 / TRIALS):.2%}\n")
    rng = np.random.default_rng(20181231)
    chains = {"complete pairs": complete_pairs, "missing at random": imputed(burn_in=30)}
    say("As the first, and values in between missing\n| n | lost | drawn again | ")
    say(" | ".join(chains) + " |\n")
    say(simulate(15, np.zeros(VISITS), 0.0, chains, rng, trials=TRIALS_WITH_GAPS, gap=1 / 12))
    error = math.sqrt(0.05 * 0.95 / TRIALS_WITH_GAPS)
    say(f"Monte Carlo standard error of 5 %: {error:.2%}\n")
