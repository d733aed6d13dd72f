"""Write coverage.csv and coverage.md: how often each test rejects and each interval covers.

Run from the root of the repository, one process a core:

    python docs/validation/coverage.py                     everything
    python docs/validation/coverage.py --only shift_interval  these probes; the other lines stay
    python docs/validation/coverage.py --page               the page alone, from coverage.csv

Data are simulated. Every cell (course, n, probe) draws from its own generator, seeded by its name, so that
one cell can be made again alone and a new one moves no other.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist
from zlib import crc32

import numpy as np
import numpy.typing as npt

from onearm.stats import (
    blaker,
    clopper_pearson,
    cohen_dz,
    geometric_mean_ratio,
    hedges_g,
    hodges_lehmann,
    jeffreys,
    mcnemar,
    mid_p,
    paired_t,
    probability_of_improvement,
    sign_flip,
    sign_test,
    signed_rank,
    wilson,
)
from onearm.stats.bayes import beta_binomial
from onearm.stats.bootstrap import bootstrap_bca
from onearm.stats.missing import complete_cases, missing_at_random, multiple_imputation
from onearm.stats.paired import paired_difference
from onearm.stats.proportion import binomial_test
from onearm.stats.regression_to_mean.history import NaturalHistory, run_in
from onearm.stats.regression_to_mean.offset import offset_test, run_in_offset_test
from onearm.stats.regression_to_mean.responders import poisson_binomial
from onearm.stats.regression_to_mean.unknown_mean import mee_chua

FOLDER = Path(__file__).parent
CSV, PAGE = FOLDER / "coverage.csv", FOLDER / "coverage.md"
USE = FOLDER / "coverage_use.md"
SEED = 20181230
SIZES = (6, 9, 12, 20)
LEVEL = 0.05
#: Monte Carlo standard errors that a figure must lie beyond before a verdict speaks of it.
CLEAR = 3.0

Array = npt.NDArray[np.float64]


# --- courses: what the patients' values do -------------------------------------------------------

#: Weights of SLEDAI-2K's 24 items, and the share of patients in whom each is taken to be present.
ITEMS = (
    *((8, 0.02) for _ in range(7)),  # seizure to stroke
    (8, 0.08),  # vasculitis
    (4, 0.30),  # arthritis
    (4, 0.03),  # myositis
    *((4, p) for p in (0.30, 0.60, 0.90, 0.50)),  # casts, haematuria, proteinuria, pyuria
    *(
        (2, p) for p in (0.30, 0.25, 0.15, 0.05, 0.04)
    ),  # rash, alopecia, ulcers, pleurisy, pericarditis
    *((2, p) for p in (0.70, 0.70)),  # low complement, DNA binding
    *((1, p) for p in (0.10, 0.10, 0.15)),  # fever, platelets, white cells
)
#: Sizes of change and their shares, for changes whose sign alone is drawn.
SIZES_OF_CHANGE = {0: 0.15, 1: 0.05, 2: 0.25, 3: 0.05, 4: 0.25, 6: 0.10, 8: 0.10, 12: 0.05}


@dataclass(frozen=True)
class Course:
    """How values change: ``draw`` gives changes, or before and after, one row per trial.

    The true values that intervals should hold stand in ``truth``: mean, pseudomedian (median of the
    average of two patients' changes), dz, shares of patients who fall and who do not change, ratio.
    """

    name: str
    words: str
    draw: Callable[[np.random.Generator, int, int], Array]
    truth: dict[str, float]


def whole_changes(name: str, words: str, shares: dict[int, float]) -> Course:
    """Return a course whose changes are whole numbers with given shares; its truth is exact."""
    values = np.array(sorted(shares))
    weights = np.array([shares[int(v)] for v in values])
    weights = weights / weights.sum()
    mean = float(values @ weights)
    sd = math.sqrt(float((values - mean) ** 2 @ weights))
    sums: dict[int, float] = {}
    for a, p in zip(values.tolist(), weights.tolist(), strict=True):
        for b, q in zip(values.tolist(), weights.tolist(), strict=True):
            sums[a + b] = sums.get(a + b, 0.0) + p * q
    reached, middle = 0.0, 0
    for middle in sorted(sums):
        reached += sums[middle]
        if reached >= 0.5 - 1e-12:
            break
    return Course(
        name,
        words,
        lambda rng, trials, n: rng.choice(values, size=(trials, n), p=weights).astype(float),
        {
            "mean": mean,
            "sd": sd,
            "dz": mean / sd,
            "pseudomedian": middle / 2,
            "falls": float(weights[values < 0].sum()),
            "same": float(weights[values == 0].sum()),
        },
    )


def item_changes(resolves: float, appears: float) -> dict[int, float]:
    """Return the shares of each change of SLEDAI when items resolve and appear on their own.

    An item that is present resolves with probability ``resolves`` (1 - its share); one that is absent
    appears with ``appears`` times its share.
    """
    shares = {0: 1.0}
    for weight, present in ITEMS:
        down = present * min(1.0, resolves)
        up = (1 - present) * min(1.0, appears * present)
        moved: dict[int, float] = {}
        for change, share in shares.items():
            for step, p in ((-weight, down), (0, 1 - down - up), (weight, up)):
                moved[change + step] = moved.get(change + step, 0.0) + share * p
        shares = moved
    return shares


def redrawn_items(redrawn: float) -> dict[int, float]:
    """Return the shares of each change when every item is drawn anew with a probability, else stays."""
    shares = {0: 1.0}
    for weight, present in ITEMS:
        moved: dict[int, float] = {}
        each = redrawn * present * (1 - present)
        for change, share in shares.items():
            for step, p in ((-weight, each), (0, 1 - 2 * each), (weight, each)):
                moved[change + step] = moved.get(change + step, 0.0) + share * p
        shares = moved
    return shares


def random_signs() -> dict[int, float]:
    """Return the shares of each change when its size is drawn from a list and its sign by a coin."""
    shares: dict[int, float] = {}
    for size, share in SIZES_OF_CHANGE.items():
        for change in (size, -size):
            shares[change] = shares.get(change, 0.0) + share / 2
    return shares


def normal_changes(name: str, words: str, mean: float) -> Course:
    """Return a course of normal changes with standard deviation 1."""
    truth = {"mean": mean, "sd": 1.0, "dz": mean, "pseudomedian": mean, "same": 0.0}
    truth["falls"] = NormalDist().cdf(-mean)
    return Course(name, words, lambda rng, trials, n: rng.normal(mean, 1, (trials, n)), truth)


SPREAD = 0.5  # standard deviation of the logarithm of skewed changes and of ratios


def skewed_pseudomedian() -> float:
    """Return the median of the average of two values exp(Z/2), by quadrature and halving."""
    z = np.linspace(-9, 9, 20_001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    own = np.exp(SPREAD * z)
    low, high = 0.5, 3.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        rest = 2 * middle - own
        at = np.full(z.shape, -math.inf)
        at[rest > 0] = np.log(rest[rest > 0]) / SPREAD
        below = float(density @ np.array([NormalDist().cdf(a) for a in np.clip(at, -40, 40)]))
        low, high = (middle, high) if below < 0.5 else (low, middle)
    return low


def skewed_changes(name: str, words: str, offset: float) -> Course:
    """Return a course of changes offset - exp(Z/2): a long tail of large falls."""
    mean = math.exp(SPREAD**2 / 2)
    sd = mean * math.sqrt(math.expm1(SPREAD**2))
    falls = 1.0 if offset <= 0 else 1 - NormalDist().cdf(math.log(offset) / SPREAD)
    truth = {
        "mean": offset - mean,
        "sd": sd,
        "dz": (offset - mean) / sd,
        "same": 0.0,
        "falls": falls,
    }
    truth["pseudomedian"] = offset - skewed_pseudomedian()
    return Course(
        name,
        words,
        lambda rng, trials, n: offset - np.exp(SPREAD * rng.normal(size=(trials, n))),
        truth,
    )


def ratio_pairs(name: str, words: str, ratio: float, decimals: int | None) -> Course:
    """Return a course of log-normal values before and after with a given ratio of geometric means."""

    def draw(rng: np.random.Generator, trials: int, n: int) -> Array:
        patient = rng.normal(math.log(2), SPREAD, (trials, 1, n))
        reading = rng.normal(0, SPREAD / math.sqrt(2), (trials, 2, n))
        values = np.exp(patient + reading) * np.array([1, ratio])[:, None]
        if decimals is None:
            return values
        return np.maximum(np.round(values, decimals), 10.0**-decimals)

    return Course(name, words, draw, {"ratio": ratio})


RHO = 0.6  # correlation of two readings of an untreated patient


def selected_pairs(name: str, words: str) -> Course:
    """Return a course without any effect, of patients taken in because their value was high."""

    def draw(rng: np.random.Generator, trials: int, n: int) -> Array:
        from scipy.special import ndtri

        above = NormalDist().cdf(1.0)
        level = rng.normal(size=(2, trials, n)) * math.sqrt(1 - RHO)
        first = ndtri(above + (1 - above) * rng.random((trials, n)))
        # The patient's own level given the first reading, and two later readings about it.
        own = RHO * first + math.sqrt(RHO * (1 - RHO)) * rng.normal(size=(trials, n))
        return np.stack([first, own + level[0], own + level[1]], axis=1)

    return Course(name, words, draw, {})


def lost_pairs(name: str, words: str) -> Course:
    """Return a course in which a quarter of the values after are missing, high values before oftener."""

    def draw(rng: np.random.Generator, trials: int, n: int) -> Array:
        before = rng.normal(size=(trials, n))
        after = RHO * before - 0.8 + math.sqrt(1 - RHO**2) * rng.normal(size=(trials, n))
        lost = rng.random((trials, n)) < 1 / (1 + np.exp(1.4 - 1.5 * before))
        return np.stack([before, np.where(lost, np.nan, after)], axis=1)

    return Course(name, words, draw, {"mean": -0.8})


def courses() -> dict[str, Course]:
    """Return all courses by name."""
    same = redrawn_items(0.35)
    shifted = {change - 4: share for change, share in same.items()}
    made = [
        whole_changes(
            "signs",
            "sizes 0 1 2 3 4 6 8 12 (15 5 25 5 25 10 10 5%), the sign by a coin",
            random_signs(),
        ),
        whole_changes(
            "no effect",
            "SLEDAI before and after from the same distribution: each of the 24 items is drawn anew with "
            "probability 0.35, else stays",
            same,
        ),
        whole_changes(
            "all fall by 4",
            'as "no effect", and every patient 4 points lower: a true shift',
            shifted,
        ),
        whole_changes(
            "response",
            "each item that is present resolves with probability 0.4, an absent one appears with 0.1 times "
            "its share: changes lean to one side, no shift",
            item_changes(0.4, 0.1),
        ),
        normal_changes("normal", "normal, mean 0, SD 1", 0.0),
        normal_changes("normal, 0.8", "normal, mean -0.8, SD 1", -0.8),
        skewed_changes(
            "skewed, mean 0",
            "log-normal falls (log SD 0.5) less their mean: mean 0, not symmetric",
            math.exp(SPREAD**2 / 2),
        ),
        skewed_changes("skewed fall", "log-normal falls (log SD 0.5): every patient falls", 0.0),
        ratio_pairs(
            "log-normal", "before and after log-normal, log ratio SD 0.5, ratio 1", 1.0, None
        ),
        ratio_pairs("log-normal, 0.6", "the same, ratio 0.6", 0.6, None),
        ratio_pairs(
            "proteinuria", "the same, ratio 1, printed to 0.1 g and at least 0.1 g", 1.0, 1
        ),
        selected_pairs(
            "selected, no effect",
            "normal with mean 0 and SD 1, two readings correlated 0.6, patients with a first reading above 1: "
            "untreated, they fall by 0.61 on average (regression to the mean)",
        ),
        lost_pairs(
            "lost to follow-up",
            "before normal, after 0.6 before - 0.8 + noise (SD 1); about a quarter lost, those with high "
            "values before oftener: missing at random given before",
        ),
    ]
    return {course.name: course for course in made}


# --- probes: what is asked of one data set -------------------------------------------------------

Verdicts = dict[str, bool | None]


def rank_tests(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Signed-rank tests at 5%."""
    found: Verdicts = {}
    for zeros in ("pratt", "wilcoxon"):
        exact = signed_rank(diff, zeros=zeros)
        found[f"signed_rank, {zeros}"] = exact.pvalue <= LEVEL
        found[f"signed_rank mid-P, {zeros}"] = exact.midp is not None and exact.midp <= LEVEL
        plain = signed_rank(diff, zeros=zeros, method="normal")
        found[f"signed_rank normal, {zeros}"] = plain.pvalue <= LEVEL
        corrected = signed_rank(diff, zeros=zeros, method="normal", correction=True)
        found[f"signed_rank normal, corrected, {zeros}"] = corrected.pvalue <= LEVEL
    return found


def flip_test(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Sign-flip test at 5%."""
    return {"sign_flip": sign_flip(diff).pvalue <= LEVEL}


def t_test(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Paired t test at 5%; None where it is not defined."""
    try:
        return {"paired_t": paired_t(diff).pvalue <= LEVEL}
    except ValueError:
        return {"paired_t": None}


def ratio_test(pair: Array, truth: dict[str, float]) -> Verdicts:
    """Test and interval of the ratio of geometric means."""
    try:
        got = geometric_mean_ratio(pair[0], pair[1])
    except ValueError:
        return {"geometric_mean_ratio": None, "geometric_mean_ratio interval": None}
    return {
        "geometric_mean_ratio": got.pvalue <= LEVEL if truth["ratio"] == 1 else None,
        "geometric_mean_ratio interval": got.lower <= truth["ratio"] <= got.upper,
    }


def shift_interval(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Hodges-Lehmann intervals at 95%."""
    return {
        f"hodges_lehmann, {zeros}": hodges_lehmann(diff, zeros=zeros).contains(
            truth["pseudomedian"]
        )
        for zeros in ("pratt", "wilcoxon")
    }


def mean_interval(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Paired t's interval of the mean."""
    try:
        got = paired_t(diff)
    except ValueError:
        return {"paired_t interval": None}
    return {"paired_t interval": got.lower <= truth["mean"] <= got.upper}


def effect_intervals(diff: Array, truth: dict[str, float]) -> Verdicts:
    """Intervals of dz and g; both should hold the true standardised change."""
    found: Verdicts = {}
    for name, method in (("cohen_dz", cohen_dz), ("hedges_g", hedges_g)):
        try:
            got = method(diff)
        except ValueError:
            found[name] = None
            continue
        assert got.lower is not None and got.upper is not None
        found[name] = got.lower <= truth["dz"] <= got.upper
    return found


#: Patients outside the trial from whom a natural history is estimated.
OUTSIDERS = 30


def selected_tests(readings: Array, truth: dict[str, float]) -> Verdicts:
    """Tests in patients selected for a high first value: of the plain change, and of the offset."""
    first, second, after = readings
    known = NaturalHistory(mean=0, sd=1, rho=RHO)
    found = {
        "signed_rank, pratt": signed_rank(after - first, zeros="pratt"),
        "paired_t": paired_t(after - first),
        "offset_test t, history known": offset_test(first, after, known),
        "offset_test signed_rank, history known": offset_test(
            first, after, known, method="signed_rank"
        ),
        "run_in_offset_test t": run_in_offset_test(first, second, after),
        "run_in_offset_test signed_rank": run_in_offset_test(
            first, second, after, method="signed_rank"
        ),
        "mee_chua, mean known": mee_chua(first, after, mean=0),
    }
    return {name: test.pvalue <= LEVEL for name, test in found.items()}


def offset_test_of_others(readings: Array, truth: dict[str, float]) -> Verdicts:
    """Offset test with the history estimated from two readings of patients outside the trial."""
    first, _, after = readings
    rng = np.random.default_rng(readings.view(np.uint64).ravel())
    own = rng.normal(0, math.sqrt(RHO), OUTSIDERS)
    outside = own + rng.normal(0, math.sqrt(1 - RHO), (2, OUTSIDERS))
    test = offset_test(first, after, run_in(outside[0], outside[1]))
    return {f"offset_test t, history from {OUTSIDERS} others": test.pvalue <= LEVEL}


def bootstrap_interval(diff: Array, truth: dict[str, float]) -> Verdicts:
    """BCa interval of the mean; 2,000 resamples, so that the simulation ends."""
    rng = np.random.default_rng(np.abs(diff).view(np.uint64))
    got = bootstrap_bca(diff, rng=rng, resamples=2_000)
    if got.lower is None or got.upper is None:
        return {"bootstrap_bca, mean": None}
    return {"bootstrap_bca, mean": got.lower <= truth["mean"] <= got.upper}


def missing_intervals(pair: Array, truth: dict[str, float]) -> Verdicts:
    """Intervals of the mean change of all patients when some have no value after."""
    found: Verdicts = {}
    # The data set seeds its own imputations, so that its answer hangs on nothing else.
    rng = np.random.default_rng(np.nan_to_num(pair).view(np.uint64).ravel())
    for name, method in (
        ("complete_cases", complete_cases),
        ("missing_at_random", missing_at_random),
        ("multiple_imputation, 100", partial(multiple_imputation, rng=rng, imputations=100)),
    ):
        try:
            got = method(pair[0], pair[1])
        except ValueError:
            found[name] = None
            continue
        found[name] = got.lower <= truth["mean"] <= got.upper
    return found


@dataclass(frozen=True)
class Probe:
    """What is asked, of which courses, how often."""

    ask: Callable[[Array, dict[str, float]], Verdicts]
    courses: tuple[str, ...]
    trials: int


NULL = ("signs", "no effect", "normal", "skewed, mean 0")
TRUE = ("all fall by 4", "response", "normal, 0.8", "skewed fall")
PROBES = {
    "rank_tests": Probe(rank_tests, NULL, 10_000),
    "flip_test": Probe(flip_test, NULL, 20_000),
    "t_test": Probe(t_test, NULL, 20_000),
    "ratio_test": Probe(ratio_test, ("log-normal", "log-normal, 0.6", "proteinuria"), 20_000),
    "shift_interval": Probe(shift_interval, ("no effect", *TRUE), 6_000),
    "mean_interval": Probe(mean_interval, ("no effect", *TRUE), 20_000),
    "selected_tests": Probe(selected_tests, ("selected, no effect",), 6_000),
    "offset_test_of_others": Probe(offset_test_of_others, ("selected, no effect",), 6_000),
    "bootstrap_interval": Probe(
        bootstrap_interval, ("response", "normal, 0.8", "skewed fall"), 2_000
    ),
    "missing_intervals": Probe(missing_intervals, ("lost to follow-up",), 10_000),
    "effect_intervals": Probe(effect_intervals, ("response", "normal, 0.8", "skewed fall"), 2_000),
}


@dataclass(frozen=True)
class Row:
    """One figure: ``hits`` of ``trials`` (trials 0: ``hits`` is the exact probability)."""

    method: str
    course: str
    n: int
    trials: int
    hits: float
    undefined: int = 0

    @property
    def share(self) -> float:
        """Return the share of defined trials."""
        return self.hits if not self.trials else self.hits / (self.trials - self.undefined)

    @property
    def error(self) -> float:
        """Return its Monte Carlo standard error; 0 for an exact figure."""
        defined = self.trials - self.undefined
        return math.sqrt(self.share * (1 - self.share) / defined) if defined else 0.0


def simulate(probe: str, course: str, n: int, trials: int | None = None) -> list[Row]:
    """Make the figures of one cell; data sets that are alike but for order are asked once."""
    asked, drawn_from = PROBES[probe], COURSES[course]
    trials = trials or asked.trials
    rng = np.random.default_rng([SEED, crc32(f"{probe}/{course}/{n}".encode())])
    drawn = drawn_from.draw(rng, trials, n)
    how_often = np.ones(trials, dtype=int)
    if drawn.ndim == 2:
        drawn, how_often = np.unique(np.sort(drawn, axis=1), axis=0, return_counts=True)
    hits: dict[str, int] = {}
    undefined: dict[str, int] = {}
    for data, times in zip(drawn, how_often.tolist(), strict=True):
        for method, verdict in asked.ask(data, drawn_from.truth).items():
            hits[method] = hits.get(method, 0) + times * (verdict is True)
            undefined[method] = undefined.get(method, 0) + times * (verdict is None)
    return [
        Row(method, course, n, trials, hits[method], undefined[method])
        for method in hits
        if undefined[method] < trials
    ]


# --- what can be counted without simulation ------------------------------------------------------


def exact_rows() -> Iterator[Row]:
    """Count every outcome: tests and intervals that depend on counts of patients alone."""
    for n in SIZES:
        for course in NULL:
            truth = COURSES[course].truth
            if course != "skewed, mean 0":  # there rises and falls are not equally likely
                yield Row("sign_test", course, n, 0, sign_test_level(n, truth["same"], "pvalue"))
                yield Row(
                    "sign_test mid-P", course, n, 0, sign_test_level(n, truth["same"], "midp")
                )
        for course in (*NULL, *TRUE):
            yield Row("probability_of_improvement", course, n, 0, improvement_coverage(n, course))
        for changes in (0.2, 0.5, 1.0):
            for name, field in (("mcnemar", "pvalue"), ("mcnemar mid-P", "midp")):
                level = mcnemar_level(n, changes, field)
                yield Row(name, f"{changes:.0%} change their answer", n, 0, level)
        for rate in (0.1, 0.2, 0.5):
            for way in ("minlike", "doubled", "blaker"):
                yield Row(
                    f"binomial_test, {way}", f"true rate {rate:.0%}", n, 0, rate_level(n, rate, way)
                )
        for gained, lost in ((0.05, 0.05), (0.2, 0.2), (0.1, 0.4)):
            for way in ("tango", "bonett_price"):
                held = difference_coverage(n, gained, lost, way)
                yield Row(
                    f"paired_difference, {way}", f"{gained:.0%} gain, {lost:.0%} lose", n, 0, held
                )
        yield Row("poisson_binomial", RESPONSES, n, 0, poisson_level(n))
        for name, method in SHARES.items():
            yield from (Row(name, what, n, 0, value) for what, value in share_coverage(method, n))


def binomial(n: int, p: float) -> list[float]:
    """Return the probabilities of 0..n events."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def sign_test_level(n: int, same: float, field: str) -> float:
    """Return the probability that the sign test rejects when up and down are equally likely."""
    total = 0.0
    for changed, share in enumerate(binomial(n, 1 - same)):
        for up, p in enumerate(binomial(changed, 0.5)):
            diff = [1.0] * up + [-1.0] * (changed - up) + [0.0] * (n - changed)
            total += share * p * (getattr(sign_test(diff), field) <= LEVEL)
    return total


def mcnemar_level(n: int, changes: float, field: str) -> float:
    """Return the probability that McNemar's test rejects when gaining and losing are equally likely."""
    return sum(
        share * p * (getattr(mcnemar(gained, changed - gained), field) <= LEVEL)
        for changed, share in enumerate(binomial(n, changes))
        for gained, p in enumerate(binomial(changed, 0.5))
    )


def rate_level(n: int, rate: float, way: str) -> float:
    """Return the probability that the test against a rate rejects that rate."""
    return sum(
        p * (binomial_test(x, n, rate, method=way).pvalue <= LEVEL)
        for x, p in enumerate(binomial(n, rate))
    )


def difference_coverage(n: int, gained: float, lost: float, way: str) -> float:
    """Return the coverage of the interval of the change of a share between two looks."""
    covered = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            p = math.comb(n, b) * math.comb(n - b, c)
            p *= gained**b * lost**c * (1 - gained - lost) ** (n - b - c)
            got = paired_difference(b, c, n, method=way)
            covered += p * (got.lower <= gained - lost <= got.upper)
    return covered


RESPONSES = "untreated responses 10% to 50%"


def poisson_level(n: int) -> float:
    """Return the probability that the test rejects patients who respond as if untreated (one-sided)."""
    chances = np.linspace(0.1, 0.5, n)
    shares = np.ones(1)
    for p in chances:
        shares = np.convolve(shares, [1 - p, p])
    rejected = [poisson_binomial(k, chances).pvalue <= LEVEL for k in range(n + 1)]
    return float(shares @ rejected)


def improvement_coverage(n: int, course: str) -> float:
    """Return the coverage of the interval of the probability of improvement (a fall)."""
    truth = COURSES[course].truth
    falls, same = truth["falls"], truth["same"]
    target, covered = falls + same / 2, 0.0
    for down in range(n + 1):
        for equal in range(n + 1 - down):
            up = n - down - equal
            p = math.comb(n, down) * math.comb(n - down, equal)
            p *= falls**down * same**equal * max(0.0, 1 - falls - same) ** up
            if p:
                diff = [-1.0] * down + [0.0] * equal + [1.0] * up
                got = probability_of_improvement(diff, better="lower")
                assert got.lower is not None and got.upper is not None
                covered += p * (got.lower <= target <= got.upper)
    return covered


SHARES: dict[str, Callable[..., object]] = {
    "clopper_pearson": clopper_pearson,
    "blaker": blaker,
    "mid_p": mid_p,
    "wilson": wilson,
    "jeffreys": jeffreys,
    "beta_binomial, uniform": beta_binomial,
    "beta_binomial, (0.5, 0.5)": partial(beta_binomial, prior=(0.5, 0.5)),
}


def share_coverage(method: Callable[..., object], n: int) -> Iterator[tuple[str, float]]:
    """Return smallest and mean coverage over all true shares, of both sides and of the upper limit."""
    kinds = {"two-sided": {}}
    if method in (clopper_pearson, mid_p, wilson, jeffreys):  # those that know one-sided limits
        kinds["upper limit"] = {"alternative": "upper"}
    for kind, options in kinds.items():
        limits = [method(x, n, **options) for x in range(n + 1)]
        low = np.array([interval.lower for interval in limits])  # type: ignore[attr-defined]
        high = np.array([interval.upper for interval in limits])  # type: ignore[attr-defined]
        yield f"{kind}, smallest", smallest_coverage(n, low, high)
        yield f"{kind}, mean", mean_coverage(n, low, high)


def smallest_coverage(n: int, low: Array, high: Array) -> float:
    """Return the smallest coverage: just beside each limit, and on a fine grid between."""
    # Not nearer than that: where one outcome's limit is another's, rounding leaves a gap of one bit.
    ends = np.concatenate([low, high])
    shares = np.concatenate([ends - 1e-12, ends + 1e-12, np.linspace(0, 1, 20_001)])
    shares = shares[(shares > 0) & (shares < 1)]
    counts = np.arange(n + 1)
    ways = np.array([math.comb(n, int(k)) for k in counts], dtype=float)
    p = ways * shares[:, None] ** counts * (1 - shares[:, None]) ** (n - counts)
    inside = (low <= shares[:, None]) & (shares[:, None] <= high)
    return float(np.min(np.sum(p * inside, axis=1)))


def mean_coverage(n: int, low: Array, high: Array) -> float:
    """Return the coverage averaged over true shares, each as likely as any other, in closed form."""
    from scipy.special import betainc

    counts = np.arange(n + 1)
    held = betainc(counts + 1, n - counts + 1, high) - betainc(counts + 1, n - counts + 1, low)
    return float(np.mean(held))


COURSES = courses()
METHODS_OF_TESTS = (
    *(
        f"signed_rank{kind}, {zeros}"
        for zeros in ("pratt", "wilcoxon")
        for kind in ("", " mid-P", " normal", " normal, corrected")
    ),
    "sign_flip",
    "sign_test",
    "sign_test mid-P",
    "mcnemar",
    "mcnemar mid-P",
    "paired_t",
    "geometric_mean_ratio",
    "offset_test t, history known",
    "offset_test signed_rank, history known",
    f"offset_test t, history from {OUTSIDERS} others",
    "run_in_offset_test t",
    "run_in_offset_test signed_rank",
    "mee_chua, mean known",
    "poisson_binomial",
    *(f"binomial_test, {way}" for way in ("minlike", "doubled", "blaker")),
)
TEXT: dict[str, list[str]] = {
    "head": [
        "# Coverage and type I error, by simulation and by counting",
        "",
        "How often each test of `onearm.stats` rejects where nothing happened, and how often each interval holds "
        "the truth, at the sizes of a small single-arm trial and with changes that tie as SLEDAI's do.",
        "",
    ],
    "use": [
        'A verdict speaks of a fault only beyond 3 Monte Carlo standard errors. "Outside its terms": the '
        "course breaks what the method supposes; the figure shows by how much that matters. Intervals of a "
        'change move with the data, so their coverage in "no effect" is 100% less the test\'s type I error.',
        "",
    ],
    "intervals": [],
    "shares": [
        '"Smallest" is the worst true share, "mean" the average over all true shares, each as likely as any '
        'other; "upper limit" is the one-sided 95% limit.',
        "",
    ],
}


# --- the files -----------------------------------------------------------------------------------


def read_rows() -> tuple[str, list[Row]]:
    """Return the stamp and the lines of coverage.csv."""
    with CSV.open(encoding="utf-8") as lines:
        stamp = next(lines).removeprefix("# ").strip()
        return stamp, [
            Row(
                line["method"],
                line["course"],
                int(line["n"]),
                int(line["trials"]),
                float(line["hits"]),
                int(line["undefined"]),
            )
            for line in csv.DictReader(lines)
        ]


def write_rows(stamp: str, rows: Iterable[Row]) -> None:
    """Write coverage.csv."""
    with CSV.open("w", encoding="utf-8", newline="") as out:
        out.write(f"# {stamp}\n")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["method", "course", "n", "trials", "hits", "undefined"])
        for r in rows:
            hits = f"{r.hits:.10g}" if not r.trials else int(r.hits)
            table.writerow([r.method, r.course, r.n, r.trials, hits, r.undefined])


def measure(probes: list[str]) -> list[Row]:
    """Simulate the cells of the probes on all cores; the slow ones first."""
    cells = [(p, c, n) for p in probes for n in reversed(SIZES) for c in PROBES[p].courses]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        running = [pool.submit(simulate, *cell) for cell in cells]
        return [row for future in running for row in future.result()]


# --- the page ------------------------------------------------------------------------------------

SYMMETRIC = {"signs", "no effect", "normal"}
#: The courses in which what a method supposes is true; elsewhere it is watched outside its terms.
TERMS = {
    "signed_rank": SYMMETRIC,
    "sign_flip": SYMMETRIC,
    "sign_test": SYMMETRIC,
    "paired_t": {"normal", "normal, 0.8"},
    "geometric_mean_ratio": {"log-normal", "log-normal, 0.6"},
    "hodges_lehmann": {"no effect", "all fall by 4", "normal, 0.8"},
    "complete_cases": set(),
    "bootstrap_bca": set(),
    "cohen_dz": {"normal, 0.8"},
    "hedges_g": {"normal, 0.8"},
}


def percent(row: Row) -> str:
    """Print a share with its Monte Carlo standard error, in percent."""
    if not row.trials:
        return f"{100 * row.share:.1f}"
    return f"{100 * row.share:.1f} ± {100 * row.error:.2f}"


def verdict(rows: Sequence[Row], *, is_test: bool) -> str:
    """Say in words whether a level is kept; Monte Carlo error alone never speaks."""
    nominal, sign = (LEVEL, 1) if is_test else (1 - LEVEL, -1)
    wrong = [(r.share - nominal) * sign for r in rows]
    clear = [w > max(CLEAR * r.error, 5e-4) for w, r in zip(wrong, rows, strict=True)]
    words = "keeps its level"
    if any(clear):
        most, at = max((w, r.n) for w, r, c in zip(wrong, rows, clear, strict=True) if c)
        what = "exceeds 5%" if is_test else "covers too little"
        words = f"{what} by {100 * most:.1f} points (n = {at})"
        if not all(clear):
            kept = " ".join(str(r.n) for r, c in zip(rows, clear, strict=True) if not c)
            words += f", kept at n = {kept}"
    elif max(wrong) < -0.015:
        bound = 100 * (nominal + sign * max(wrong))
        words = f"conservative ({'at most' if is_test else 'at least'} {bound:.1f}%)"
    lost = max(r.undefined / r.trials if r.trials else 0.0 for r in rows)
    return words + (f"; not defined in up to {100 * lost:.2f}% of data sets" if lost else "")


def table(rows: Sequence[Row], methods: Sequence[str], *, is_test: bool) -> list[str]:
    """Return one line per method and course, the sizes side by side, and the verdict."""
    head = " | ".join(f"n = {n}" for n in SIZES)
    lines = [f"| method | course | {head} | verdict |", "|---|---|" + "---:|" * len(SIZES) + "---|"]
    for method in methods:
        found: dict[str, dict[int, Row]] = {}
        for r in rows:
            if r.method == method:
                found.setdefault(r.course, {})[r.n] = r
        order = [*COURSES, *found]
        terms = next((TERMS[t] for t in TERMS if method.startswith(t)), set(found))
        for course in sorted(found, key=order.index):
            cells = [found[course][n] for n in SIZES]
            said = verdict(cells, is_test=is_test)
            if course not in terms:
                said = f"outside its terms: {said}"
            figures = " | ".join(percent(r) for r in cells)
            lines.append(f"| {method} | {course} | {figures} | {said} |")
    return lines


def page() -> str:
    """Return the page from the lines of coverage.csv."""
    stamp, rows = read_rows()
    simulated = sorted({r.trials for r in rows if r.trials})
    methods = list(dict.fromkeys(r.method for r in rows))
    tests = [m for m in METHODS_OF_TESTS if m in methods]
    shares = [m for m in SHARES if m in methods]
    intervals = [m for m in methods if m not in (*tests, *shares)]
    errors = [f"{t:,} give ± {100 * math.sqrt(0.05 * 0.95 / t):.2f}" for t in simulated]
    return "\n".join(
        [
            *TEXT["head"],
            f"{stamp}. Figures are percent, ± one Monte Carlo standard error; data sets: {'; '.join(errors)} "
            "points at 5%. Figures without ± are exact: every outcome was counted. The whole takes about a quarter "
            "of an hour on two idle cores; the figures of 2,000 data sets are those of slow methods.",
            "",
            "## Courses",
            "",
            "Simulated data; the shares of SLEDAI items are assumptions of this page, not findings.",
            "",
            "| course | changes of the patients | mean | SD | pseudomedian | no change |",
            "|---|---|---:|---:|---:|---:|",
            *(course_line(c) for c in COURSES.values()),
            "",
            # Words on what stands below; look at them again when the figures move.
            USE.read_text(encoding="utf-8"),
            *TEXT["use"],
            "## Tests: share rejected at 5% where nothing changed",
            "",
            "Two-sided; `poisson_binomial` one-sided.",
            "",
            *table(rows, tests, is_test=True),
            "",
            "## Intervals: share of 95% intervals that hold the true value",
            "",
            *TEXT["intervals"],
            *table(rows, intervals, is_test=False),
            "",
            "## Shares of patients: coverage over all true shares",
            "",
            *TEXT["shares"],
            *table(rows, shares, is_test=False),
            "",
        ]
    )


def course_line(course: Course) -> str:
    """Return a course's line."""
    t = course.truth
    if "sd" not in t:
        return f"| {course.name} | {course.words} | | | | |"
    return (
        f"| {course.name} | {course.words} | {t['mean']:.2f} | {t['sd']:.2f} | {t['pseudomedian']:.2f} | "
        f"{100 * t['same']:.0f}% |"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PROBES), default=[])
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    if not options.page:
        began = time.perf_counter()
        rows = measure(options.only or list(PROBES))
        sys.stdout.write(f"{(time.perf_counter() - began) / 60:.1f} minutes\n")
        stamp = f"Made by docs/validation/coverage.py with numpy {np.__version__}; do not edit"
        if options.only and CSV.exists():
            fresh = {(r.method, r.course, r.n) for r in rows}
            kept = read_rows()[1]
            rows += [r for r in kept if r.trials and (r.method, r.course, r.n) not in fresh]
        rows = sorted([*rows, *exact_rows()], key=lambda r: (r.method, r.course, r.n))
        write_rows(stamp, rows)
        sys.stdout.write(f"{len(rows)} figures\n")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
