"""Which tests can give a printed P value for n patients, over every pattern of ties and zeros.

A signed-rank P depends on nothing but the mid-ranks of the absolute changes and on which of them
carry a plus. The mid-ranks depend only on how many patients did not change and on the sizes of the
groups of equal changes, in ascending order: a *pattern*. For up to 12 patients all patterns are
listed and, for each, every sum of positive ranks with its exact number of sign patterns; a "no" is
then a proof. Above that the patterns without ties and a fixed random sample of others are tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, IntArray, Zeros, check_choice
from onearm.stats.reported.printed import NOISE, Printed

TestName = Literal[
    "signed_rank_exact",
    "signed_rank_exact_pratt",
    "sign_test",
    "sign_flip",
    "signed_rank_normal",
    "signed_rank_normal_cc",
    "signed_rank_normal_pratt",
    "signed_rank_normal_pratt_cc",
    "paired_t",
    "unpaired_t",
    "welch_t",
    "mann_whitney_exact",
    "mann_whitney_normal",
    "mann_whitney_normal_cc",
]
Verdict = Literal["possible", "impossible", "not found", "unknown"]
#: All tie patterns are listed up to here; 2**n of them.
EXHAUSTIVE = 12
#: The largest number of patients for which signed-rank patterns are tried at all.
LARGEST = 60
#: Patterns with ties drawn for one number of unchanged patients where they are not all listed; the
#: larger n, the fewer.
SAMPLED = 120
#: Orders of tie groups tried for each set of group sizes of the Mann-Whitney test.
ORDERS = 6
#: Up to this many patients in a group, Mann-Whitney ties are gone through.
TIED_GROUPS = 12
#: The same for the exact test: all orders of tie groups.
TIED_EXACT = 6
SEED = 20181230
#: Tests for independent groups: a misuse for the values of the same patients.
MISUSED = (
    "unpaired_t",
    "welch_t",
    "mann_whitney_exact",
    "mann_whitney_normal",
    "mann_whitney_normal_cc",
)

SIGNED_RANK: dict[str, tuple[Zeros, bool, bool]] = {
    # name: zero rule, exact, continuity correction
    "signed_rank_exact": ("wilcoxon", True, False),
    "signed_rank_exact_pratt": ("pratt", True, False),
    "signed_rank_normal": ("wilcoxon", False, False),
    "signed_rank_normal_cc": ("wilcoxon", False, True),
    "signed_rank_normal_pratt": ("pratt", False, False),
    "signed_rank_normal_pratt_cc": ("pratt", False, True),
}


@dataclass(frozen=True)
class Witness:
    """One data pattern that gives the P value: the one that assumes least.

    Attributes
    ----------
    pvalue
        What the test gives.
    statistic
        The smaller of the two rank sums, W (signed rank), the smaller count (sign test), the
        smaller U (Mann-Whitney); None where the test has none to tell.
    n_zero
        Patients without a change.
    ties
        Sizes of the groups of equal absolute changes, from the smallest change to the largest;
        all 1 without ties. Of all 2n values for the Mann-Whitney test.
    against
        Fewest patients who change in the direction of the smaller rank sum.
    """

    pvalue: float
    statistic: float | None
    n_zero: int
    ties: tuple[int, ...]
    against: int | None

    @property
    def tied(self) -> bool:
        """Whether any two patients changed equally much."""
        return any(t > 1 for t in self.ties)


@dataclass(frozen=True)
class Attainable:
    """Whether one test can give a printed P for n patients.

    Attributes
    ----------
    test, n
        The test's name and the number of patients.
    verdict
        ``"possible"``: a data pattern gives it (``witness``); ``"impossible"``: none can;
        ``"not found"``: not among those tried; ``"unknown"``: too little is printed.
    proof
        ``"exhaustive"``, ``"lattice"`` (P can only be a multiple of one fraction), ``"formula"``,
        ``"sampled"``, ``"without ties"`` (only untied values were counted) or ``"none"``.
    patterns
        How many patterns (zeros, tie groups and rank sum) give it, among those tried.
    below, above
        The nearest P values that the test does give, over all patterns tried, below and above the
        printed interval; None at the ends.
    untied_below, untied_above
        The same without any tie or zero.
    witness
        None unless possible.
    """

    test: str
    n: int
    verdict: Verdict
    proof: Literal["exhaustive", "lattice", "formula", "sampled", "without ties", "none"]
    patterns: int = 0
    below: float | None = None
    above: float | None = None
    untied_below: float | None = None
    untied_above: float | None = None
    witness: Witness | None = None


def two_sided_interval(p: Printed) -> Printed:
    """Return the two-sided P values that belong to a one-sided P printed so.

    Every null distribution here is symmetric: the smaller one-sided P is half the two-sided one.
    """
    assert p.lower is not None and p.upper is not None
    ends = [(2 * p.lower, p.open_lower), (2 * p.upper, p.open_upper)]
    if p.lower > Fraction(1, 2):  # on the other side of no change
        ends = [(2 - end, is_open) for end, is_open in reversed(ends)]
    (lower, open_lower), (upper, open_upper) = ends
    if upper > 1:
        upper, open_upper = Fraction(1), False
    value = min(2 * p.value, 2 - 2 * p.value)
    return Printed(p.text, value, p.decimals, p.relation, lower, upper, open_lower, open_upper)


# -- signed rank -----------------------------------------------------------------------------------


def attainable_signed_rank(p: Printed, n: int, test: str, *, ties_usual: bool = True) -> Attainable:
    """Tell whether a signed-rank test can give a printed two-sided P for n patients.

    Parameters
    ----------
    p
        The P value as printed, by :func:`read_p`.
    n
        Number of patients, unchanged ones included; at least 1.
    test
        ``"signed_rank_exact"``, ``"signed_rank_normal"`` (SPSS), ``"signed_rank_normal_cc"`` (what R
        falls back to with a zero or a tie), and each with ``_pratt``, where patients without a
        change are ranked before their ranks are dropped.
    ties_usual
        Whether equal changes are to be expected, as on a scale of whole numbers. The witness then
        rather has ties than unchanged patients, otherwise the reverse.

    Returns
    -------
    Attainable
        Exhaustive for n up to 12, with at least one patient who changed.

    Raises
    ------
    ValueError
        If the test is another, or n is no number of patients.

    References
    ----------
    Streitberg B, Röhmel J (1986) Statistical Software Newsletter 12:10-17 (the counting).

    Examples
    --------
    >>> from onearm.stats.reported import read_p
    >>> no = attainable_signed_rank(read_p("0.014"), 9, "signed_rank_exact")
    >>> no.verdict, no.below, no.above
    ('impossible', 0.01171875, 0.015625)
    >>> yes = attainable_signed_rank(read_p("0.014"), 9, "signed_rank_normal_cc")
    >>> round(yes.witness.pvalue, 4), yes.witness.n_zero, yes.witness.tied
    (0.0143, 1, False)
    """
    check_choice("test", test, tuple(SIGNED_RANK))
    _check_size(n)
    if n > LARGEST:
        return Attainable(test, n, "unknown", "none")
    if SIGNED_RANK[test][1] and n > EXHAUSTIVE and not _on_lattice(p, n):
        below, above = _around_lattice(p, n)
        return Attainable(test, n, "impossible", "lattice", below=below, above=above)
    return _search(p, n, test, ties_usual)


def _check_size(n: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(
            f"n: found {n!r}; a number of patients, 1 or more, is expected; correct it"
        )


def _on_lattice(p: Printed, n: int) -> bool:
    """Tell whether a multiple of 1/2**(n - 1) is printed so; all exact sign tests give such ones."""
    below, above = _lattice_neighbours(p, n)
    return above - below > 1


def _lattice_neighbours(p: Printed, n: int) -> tuple[int, int]:
    """Return the last multiple below the printed interval and the first above it."""
    assert p.lower is not None and p.upper is not None
    unit = Fraction(1, 2 ** (n - 1))
    low, high = p.lower / unit, p.upper / unit
    below = math.ceil(low) - 1 if not p.open_lower else math.floor(low)
    above = math.floor(high) + 1 if not p.open_upper else math.ceil(high)
    return below, above


def _around_lattice(p: Printed, n: int) -> tuple[float | None, float | None]:
    below, above = _lattice_neighbours(p, n)
    whole = 2 ** (n - 1)
    return (below / whole if below > 0 else None, above / whole if above <= whole else None)


@dataclass(frozen=True)
class _Table:
    """Patterns, each with every inner rank sum that it can give.

    ``pvalues`` by pattern and doubled rank sum (NaN where the sum cannot be): exact, normal and
    normal with correction. ``tied`` counts the patients of each tie group beyond its first.
    """

    zeros: IntArray
    compositions: tuple[tuple[int, ...], ...]
    tied: IntArray
    exact: FloatArray
    normal: FloatArray
    corrected: FloatArray


@lru_cache(maxsize=64)
def _table(n: int, rule: Zeros) -> _Table:
    """List the patterns of n patients, with at least one who changed."""
    parts = [_patterns(n, n_zero) for n_zero in range(_most_zeros(n))]
    rows = [(n_zero, c) for n_zero, part in enumerate(parts) for c in part]
    width = n * (n + 1) // 2 + 1  # doubled rank sums up to the middle
    exact, normal, corrected = (np.full((len(rows), width), np.nan) for _ in range(3))
    start = 0
    for n_zero, part in enumerate(parts):
        ranks = _doubled_midranks(part, n_zero if rule == "pratt" else 0)
        block = slice(start, start + len(part))
        exact[block], normal[block], corrected[block] = _pvalues(ranks, width)
        start += len(part)
    zeros = np.array([z for z, _ in rows], np.int64)
    tied = np.array([n - z - len(c) for z, c in rows], np.int64)
    return _Table(zeros, tuple(c for _, c in rows), tied, exact, normal, corrected)


def _most_zeros(n: int) -> int:
    return n if n <= EXHAUSTIVE else min(n, 4)


def _patterns(n: int, n_zero: int) -> list[tuple[int, ...]]:
    """List the compositions of the changed patients into tie groups: all, or a fixed sample."""
    m = n - n_zero
    if n <= EXHAUSTIVE:
        return [_composition(m, bars) for bars in range(2 ** (m - 1) - 1, -1, -1)]
    everyone = 2 ** (m - 1) - 1
    rng = np.random.default_rng([SEED, n, n_zero])
    drawn = {everyone: None}
    drawings = max(20, SAMPLED * EXHAUSTIVE**2 // n**2)
    for share in np.linspace(0.3, 0.95, drawings):
        bits = rng.random(m - 1) < share
        drawn[sum(1 << i for i in np.flatnonzero(bits).tolist())] = None
    return [_composition(m, bars) for bars in drawn]


def _composition(m: int, bars: int) -> tuple[int, ...]:
    """Read bit i of ``bars`` as a border between patient i and i + 1 in order of size."""
    sizes, run = [], 1
    for i in range(m - 1):
        if bars >> i & 1:
            sizes.append(run)
            run = 1
        else:
            run += 1
    return (*sizes, run)


def _doubled_midranks(compositions: list[tuple[int, ...]], offset: int) -> IntArray:
    """Return doubled mid-ranks, one row per pattern; ``offset`` zeros hold the lowest ranks."""
    m = sum(compositions[0])
    ranks = np.empty((len(compositions), m), np.int64)
    for row, sizes in enumerate(compositions):
        below = offset
        at = 0
        for size in sizes:
            ranks[row, at : at + size] = 2 * below + size + 1
            below += size
            at += size
    return ranks


def _pvalues(ranks: IntArray, width: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return two-sided P by doubled rank sum up to the middle: exact, normal, corrected."""
    from scipy.special import erfc

    m = ranks.shape[1]
    # Counts are whole numbers below 2**53 for every n within LARGEST that is exact in floats, and
    # right to a part in 10**15 beyond; only sums up to the middle are kept.
    counts = np.zeros((ranks.shape[0], width))
    counts[:, 0] = 1.0
    places = np.arange(width)
    for j in range(m):
        source = places - ranks[:, j : j + 1]
        moved = np.take_along_axis(counts, np.maximum(source, 0), axis=1)
        counts += np.where(source >= 0, moved, 0.0)
    totals = ranks.sum(axis=1, keepdims=True)
    possible = (counts > 0) & (2 * places <= totals)
    tails = np.ldexp(np.cumsum(counts, axis=1), 1 - m)
    exact = np.where(possible, np.minimum(tails, 1.0), np.nan)
    distance = np.where(possible, (totals / 2 - places) / 2, np.nan)
    spread = np.sqrt(np.sum((ranks / 2) ** 2, axis=1, keepdims=True) / 4)
    normal = erfc(distance / spread / math.sqrt(2))
    # As in R: no correction at the very middle, and a quarter of a rank from it overshoots.
    less = np.where(distance == 0, 0.0, np.abs(distance - 0.5))
    return exact, normal, erfc(less / spread / math.sqrt(2))


def _search(p: Printed, n: int, test: str, ties_usual: bool) -> Attainable:
    zeros, exact, correction = SIGNED_RANK[test]
    table = _table(n, zeros)
    values = table.exact if exact else table.corrected if correction else table.normal
    inside = _inside(values, p)
    untied = (table.zeros == 0) & (table.tied == 0)
    below, above = _neighbours(values, inside, p)
    untied_below, untied_above = _neighbours(values[untied], inside[untied], p)
    hits = int(np.count_nonzero(inside))
    witness = _least(table, values, inside, zeros, ties_usual) if hits else None
    complete = n <= EXHAUSTIVE
    verdict: Verdict = "possible" if hits else "impossible" if complete else "not found"
    return Attainable(
        test, n, verdict, "exhaustive" if complete else "sampled", hits,
        below, above, untied_below, untied_above, witness,
    )  # fmt: skip


def _inside(values: FloatArray, p: Printed) -> npt.NDArray[np.bool_]:
    """Tell which P values would be printed so; the ends count, but for binary noise."""
    low, high = float(p.lower or 0), float(p.upper if p.upper is not None else 1)
    spare = float(NOISE)
    above = values > low if p.open_lower else values >= low - spare * max(low, spare)
    under = values < high if p.open_upper else values <= high + spare * high
    found: npt.NDArray[np.bool_] = above & under
    return found


def _neighbours(
    values: FloatArray, inside: npt.NDArray[np.bool_], p: Printed
) -> tuple[float | None, float | None]:
    """Return the nearest P values outside the printed interval, on either side."""
    middle = float(p.value)
    outside = values[~inside & ~np.isnan(values)]
    if p.relation in ("<", "<="):
        lower, upper = outside[:0], outside
    elif p.relation in (">", ">="):
        lower, upper = outside, outside[:0]
    else:
        lower, upper = outside[outside < middle], outside[outside > middle]
    return (
        float(lower.max()) if lower.size else None,
        float(upper.min()) if upper.size else None,
    )


def _least(
    table: _Table, values: FloatArray, inside: npt.NDArray[np.bool_], rule: Zeros, ties_usual: bool
) -> Witness:
    """Return the pattern that assumes least; among equals, the smallest rank sum."""
    rows, sums = np.nonzero(inside)
    cost = 2 * table.zeros + table.tied if ties_usual else table.zeros + 3 * table.tied
    order = np.lexsort((sums, table.zeros[rows], cost[rows]))
    row, doubled = int(rows[order[0]]), int(sums[order[0]])
    sizes, n_zero = table.compositions[row], int(table.zeros[row])
    ranks = _doubled_midranks([sizes], n_zero if rule == "pratt" else 0)[0]
    return Witness(
        pvalue=float(values[row, doubled]),
        statistic=doubled / 2,
        n_zero=n_zero,
        ties=sizes,
        against=fewest(ranks.tolist(), doubled),
    )


def fewest(sizes: list[int], total: int) -> int | None:
    """Return how few of the whole numbers add up to ``total``; None when none do."""
    best: list[int | None] = [0] + [None] * total
    for size in sizes:
        for held in range(total - size, -1, -1):
            count = best[held]
            if count is not None:
                there = best[held + size]
                best[held + size] = count + 1 if there is None else min(there, count + 1)
    return best[total]


# -- sign test and sign flips ----------------------------------------------------------------------


def attainable_sign_test(p: Printed, n: int) -> Attainable:
    """Tell whether the exact sign test can give a printed two-sided P for n patients.

    Examples
    --------
    >>> from onearm.stats.reported import read_p
    >>> attainable_sign_test(read_p("0.039"), 9).witness.against
    1
    """
    _check_size(n)
    values: list[float] = []
    found: list[Witness] = []
    complete = n <= LARGEST
    for n_zero in range(n if complete else min(n, EXHAUSTIVE)):
        m, tail = n - n_zero, 0
        for fewer in range(m // 2 + 1):
            tail += math.comb(m, fewer)
            pvalue = min(Fraction(1), Fraction(2 * tail, 2**m))
            values.append(float(pvalue))
            if p.admits(pvalue):
                found.append(Witness(float(pvalue), float(fewer), n_zero, (1,) * m, fewer))
    every = np.array(values)
    inside = _inside(every, p)
    untied = np.arange(every.size) <= n // 2  # those of no zeros come first
    below, above = _neighbours(every, inside, p)
    untied_below, untied_above = _neighbours(every[untied], inside[untied], p)
    no: Verdict = "impossible" if complete else "not found"
    return Attainable(
        "sign_test", n, "possible" if found else no, "exhaustive" if complete else "sampled", len(found),
        below, above, untied_below, untied_above, found[0] if found else None,
    )  # fmt: skip


def attainable_sign_flip(p: Printed, n: int) -> Attainable:
    """Tell whether the exact sign-flip test of the mean can give a printed two-sided P.

    Notes
    -----
    P is a multiple of 1/2**(n - 1). Every multiple occurs: with changes of sizes 1, 2, 4, 8, ...
    all sums differ, and the k-th largest of them has the one-sided P k/2**n.

    Examples
    --------
    >>> from onearm.stats.reported import read_p
    >>> attainable_sign_flip(read_p("0.014"), 10).verdict
    'possible'
    """
    _check_size(n)
    below, above = _lattice_neighbours(p, n)
    whole = 2 ** (n - 1)
    ends = _around_lattice(p, n)
    hits = min(above, whole + 1) - max(below, 0) - 1
    if hits <= 0:
        return Attainable("sign_flip", n, "impossible", "lattice", 0, *ends, *ends)
    first, last = max(below, 0) + 1, min(above, whole + 1) - 1
    nearest = min(max(round(p.value * whole), first), last)
    witness = Witness(nearest / whole, None, 0, (1,) * n, None)
    return Attainable("sign_flip", n, "possible", "lattice", hits, *ends, *ends, witness)


# -- Mann-Whitney, a misuse for paired values ------------------------------------------------------


def attainable_mann_whitney(p: Printed, n: int, test: str) -> Attainable:
    """Tell whether the rank-sum test of n values before against n after can give a printed P.

    Parameters
    ----------
    p
        The P value as printed.
    n
        Number of patients; both groups have this many values.
    test
        ``"mann_whitney_exact"``, ``"mann_whitney_normal"``, and with ``_cc``, with ties allowed. The
        exact test is by the permutations of the values; above n = 6 only values without ties are
        counted for it, and there is no proof that it cannot.

    Notes
    -----
    The test takes paired values for independent ones. It is here because reports misuse it. Ties
    are gone through by the sizes of their groups, in several orders: a "possible" has a pattern
    to show; an "impossible" is proved, as no rank sum on the half-integers gives that P under any
    sizes of groups.

    References
    ----------
    Mann HB, Whitney DR (1947) Ann Math Stat 18:50-60.

    Examples
    --------
    >>> from onearm.stats.reported import read_p
    >>> attainable_mann_whitney(read_p("0.014"), 9, "mann_whitney_exact").witness.statistic
    13.0
    """
    check_choice(
        "test", test, ("mann_whitney_exact", "mann_whitney_normal", "mann_whitney_normal_cc")
    )
    _check_size(n)
    if n > LARGEST:
        return Attainable(test, n, "unknown", "none")
    if test == "mann_whitney_exact":
        return _mann_whitney_exact(p, n)
    correction = test == "mann_whitney_normal_cc"
    untied = _rank_sum_p(np.arange(n * n + 1) * 2, n, (1,) * (2 * n), correction)
    ends = _neighbours(untied, _inside(untied, p), p)
    hit = _first(np.flatnonzero(_inside(untied, p)))
    if hit is not None:
        witness = Witness(float(untied[hit]), float(min(hit, n * n - hit)), 0, (1,) * 2 * n, None)
        return Attainable(test, n, "possible", "exhaustive", 1, *ends, *ends, witness)
    if n > TIED_GROUPS:
        return Attainable(test, n, "not found", "sampled", 0, *ends, *ends)
    return _mann_whitney_tied(p, n, test, correction, ends)


def _first(places: npt.NDArray[np.intp]) -> int | None:
    return int(places[0]) if places.size else None


def _mann_whitney_exact(p: Printed, n: int) -> Attainable:
    counts = _mann_whitney_counts(n)
    whole = math.comb(2 * n, n)
    tail, values = 0, []
    for u in range(n * n // 2 + 1):
        tail += counts[u]
        values.append(min(Fraction(1), Fraction(2 * tail, whole)))
    every = np.array([float(v) for v in values])
    ends = _neighbours(every, _inside(every, p), p)
    hits = [u for u, v in enumerate(values) if p.admits(v)]
    witness = (
        Witness(float(values[hits[0]]), float(hits[0]), 0, (1,) * 2 * n, None) if hits else None
    )
    if hits:
        return Attainable(
            "mann_whitney_exact", n, "possible", "exhaustive", len(hits), *ends, *ends, witness
        )
    if n > TIED_EXACT:
        return Attainable("mann_whitney_exact", n, "not found", "without ties", 0, *ends, *ends)
    return _mann_whitney_exact_tied(p, n, ends)


def _mann_whitney_exact_tied(
    p: Printed, n: int, untied: tuple[float | None, float | None]
) -> Attainable:
    """Go through all orders of tie groups for the permutation test of the rank sum."""
    found: list[tuple[Fraction, int, tuple[int, ...]]] = []
    every: list[Fraction] = []
    for bars in range(2 ** (2 * n - 1) - 1):
        sizes = _composition(2 * n, bars)
        for doubled, pvalue in _tied_exact_p(sizes, n):
            every.append(pvalue)
            if p.admits(pvalue):
                found.append((pvalue, doubled, sizes))
    values = np.array([float(v) for v in every])
    ends = _neighbours(values, _inside(values, p), p)
    if not found:
        return Attainable("mann_whitney_exact", n, "impossible", "exhaustive", 0, *ends, *untied)
    pvalue, doubled, sizes = min(found, key=lambda x: (2 * n - len(x[2]), x[1], x[2]))
    witness = Witness(float(pvalue), doubled / 2, 0, sizes, None)
    return Attainable(
        "mann_whitney_exact", n, "possible", "exhaustive", len(found), *ends, *untied, witness
    )


@lru_cache(maxsize=4096)
def _tied_exact_p(sizes: tuple[int, ...], n: int) -> tuple[tuple[int, Fraction], ...]:
    """Return each doubled U up to the middle with its two-sided P, given these tie groups."""
    field = 16  # bits for a count; there are at most 924 choices of 6 from 12
    reach, below = [1] + [0] * n, 0
    for size in sizes:
        after = [0] * (n + 1)
        for held, counts in enumerate(reach):
            if not counts:
                continue
            for own in range(max(0, size - (n - (below - held))), min(size, n - held) + 1):
                gained = own * (2 * (below - held) + (size - own))
                after[held + own] += (counts << (field * gained)) * math.comb(size, own)
        reach, below = after, below + size
    whole, tail, found = math.comb(2 * n, n), 0, []
    for doubled in range(n * n + 1):
        count = reach[n] >> (field * doubled) & (2**field - 1)
        tail += count
        if count:
            found.append((doubled, min(Fraction(1), Fraction(2 * tail, whole))))
    return tuple(found)


@lru_cache(maxsize=64)
def _mann_whitney_counts(n: int) -> tuple[int, ...]:
    """Count the orders of n values and n others by U: the coefficients of a Gaussian binomial."""
    counts = [1] + [0] * (n * n)
    for i in range(1, n + 1):
        for u in range(n * n, n + i - 1, -1):  # times (1 - q**(n + i))
            counts[u] -= counts[u - n - i]
        for u in range(i, n * n + 1):  # over (1 - q**i)
            counts[u] += counts[u - i]
    return tuple(counts)


def _rank_sum_p(
    doubled_u: IntArray, n: int, sizes: tuple[int, ...], correction: bool
) -> FloatArray:
    """Return two-sided normal P by doubled U, with the variance corrected for these tie groups."""
    from scipy.special import erfc

    total = 2 * n
    ties = sum(t**3 - t for t in sizes) / (total * (total - 1))
    variance = n * n / 12 * (total + 1 - ties)
    if variance <= 0:
        return np.ones(doubled_u.size)
    distance = np.abs(doubled_u / 2 - n * n / 2)
    if correction:
        distance = np.where(distance == 0, 0.0, np.abs(distance - 0.5))
    values: FloatArray = erfc(distance / math.sqrt(2 * variance))
    return values


def _mann_whitney_tied(
    p: Printed, n: int, test: str, correction: bool, ends: tuple[float | None, float | None]
) -> Attainable:
    rng = np.random.default_rng([SEED, n])
    lattice = np.arange(2 * n * n + 1)
    open_ones = 0
    for sizes in sorted(_partitions(2 * n), key=lambda s: (2 * n - len(s), s)):
        inside = _inside(_rank_sum_p(lattice, n, sizes, correction), p)
        if not inside.any():
            continue
        open_ones += 1
        for order in range(ORDERS):
            arranged = sizes if order == 0 else tuple(rng.permutation(sizes).tolist())
            doubled = _first(np.flatnonzero(inside & _attained_u(arranged, n)))
            if doubled is not None:
                pvalue = _rank_sum_p(np.array([doubled]), n, sizes, correction)[0]
                u = min(doubled, 2 * n * n - doubled) / 2
                witness = Witness(float(pvalue), u, 0, arranged, None)
                return Attainable(test, n, "possible", "sampled", 1, *ends, *ends, witness)
    if open_ones:
        return Attainable(test, n, "not found", "sampled", 0, *ends, *ends)
    return Attainable(test, n, "impossible", "exhaustive", 0, *ends, *ends)


def _attained_u(sizes: tuple[int, ...], n: int) -> npt.NDArray[np.bool_]:
    """Tell which doubled U can occur with these tie groups, from the lowest to the highest value."""
    mask = (1 << (2 * n * n + 1)) - 1
    reach = [1] + [0] * n  # by values of the first sample so far, a bit set of doubled U
    below = 0
    for size in sizes:
        after = [0] * (n + 1)
        for held, bits in enumerate(reach):
            if not bits:
                continue
            for own in range(max(0, size - (n - (below - held))), min(size, n - held) + 1):
                # Each of the `own` lies above the other sample's values so far, and half-ties here.
                others = below - held
                gained = own * (2 * others + (size - own))
                after[held + own] |= (bits << gained) & mask
        reach, below = after, below + size
    bits = reach[n]
    return np.array([bits >> u & 1 for u in range(2 * n * n + 1)], bool)


def _partitions(total: int, largest: int | None = None) -> list[tuple[int, ...]]:
    """List the ways to write a whole number as a sum, largest part first."""
    if total == 0:
        return [()]
    largest = total if largest is None else min(largest, total)
    return [
        (part, *rest) for part in range(largest, 0, -1) for rest in _partitions(total - part, part)
    ]
