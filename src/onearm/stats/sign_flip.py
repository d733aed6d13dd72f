"""The sign-flip (paired permutation) test: of the mean, and of any statistic of the differences.

If treatment did nothing, each patient's change could as well have had the opposite sign. P is the
share of all sign patterns whose statistic is at least as extreme. For the mean the patterns are
never gone through one by one: they are counted by their sum, or the sums of two halves of the
patients are sorted and matched.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    EXACT_WHOLE,
    Alternative,
    DecimalMultiples,
    FloatArray,
    IntArray,
    as_differences,
    check_choice,
    decimal_multiples,
    mean_and_sd,
)
from onearm.stats.proportion import whole_number
from onearm.stats.signed_rank import NullDistribution, null_distribution

Statistic = Callable[..., Any]
#: Whole numbers or fractions: sums of halves are matched alike.
Numbers = npt.NDArray[Any]

#: Largest work (patients times sums) for which sign patterns are counted by their sum.
COUNTED_WORK = 5e8
#: Most non-zero differences whose sign patterns are matched in two halves, ...
MATCHED = 50
#: ... each half of at most so many differences (2**24 sums, 134 MB); what is left over is set.
HALF = 24
#: Matching one pair of sums costs as much as counting this many.
MATCHING_COST = 64
#: Sums that are no decimals and differ by less than this part of the sum of all sizes are equal. At 50
#: continuous differences it moves P by 2e-12, and by as much as the pinned data sets' own tolerance.
SUM_NOISE = 2.5e-12
#: Most non-zero differences whose patterns are all put to a statistic that takes many rows, ...
LISTED_ROWS = 20
#: ... and to one that takes a single row at a time.
LISTED_SINGLY = 14
#: Values of a statistic that differ by less than this part of the largest one are equal.
STATISTIC_NOISE = 1e-11
#: Sign patterns held in memory at one time.
BLOCK = 2**14
#: Sums searched for at one time: their partners fit into the processor's nearest memory.
SEARCHED = 2**12


@dataclass(frozen=True)
class SignFlip:
    """The outcome of a sign-flip (permutation) test.

    ``statistic`` is the mean difference, or the value of the statistic that was given. ``method``
    is ``"exact"`` or ``"monte carlo"``; for the latter ``resamples`` is the number of random sign
    patterns drawn and ``error`` the standard error of ``pvalue``; for the exact test they are 0 and
    0.0. ``n_zero`` of the ``n`` differences are zero.
    """

    pvalue: float
    statistic: float
    n: int
    n_zero: int
    alternative: Alternative
    method: Literal["exact", "monte carlo"]
    resamples: int
    error: float


def sign_flip(
    diff: npt.ArrayLike,
    *,
    statistic: Statistic | None = None,
    alternative: Alternative = "two-sided",
    rng: np.random.Generator | None = None,
    resamples: int = 99_999,
) -> SignFlip:
    """Test whether differences are distributed symmetrically about zero by flipping their signs.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least one, no missing values.
    statistic
        None tests the mean. Else a function of the differences: one with a parameter ``axis``
        (``numpy.median``) is called with many sign patterns at once, ``statistic(rows, axis=1)``
        with ``rows`` of shape (m, n), and returns m numbers; one without is called with a single
        row of n numbers and returns a number. The differences stand in the order given.
    alternative
        ``"greater"``: the statistic is larger than the sign patterns give; ``"less"``: smaller.
    rng
        Random generator for samples too large to go through all patterns; not used otherwise.
    resamples
        Random sign patterns to draw in that case.

    Returns
    -------
    SignFlip
        For the mean P is exact, counting all sign patterns, whenever the differences are decimals
        of moderate size or at most 50 are not zero; for another statistic when at most 20 are not
        zero (14 where it takes a single row). Otherwise P is (b + 1)/(m + 1), where b of m random
        patterns are at least as extreme (Phipson & Smyth 2010).

    Raises
    ------
    ValueError
        If the differences are not finite numbers, the statistic does not return one finite number
        for each row, or random patterns are needed and ``rng`` is not given.

    Notes
    -----
    The two-sided P is twice the smaller tail, at most 1. For a statistic that turns with the signs
    (mean, median, t) that is the share of patterns at least as far from zero. For one that does not
    (a square, a variance) ask for the side that speaks against the hypothesis.

    Sums are compared on decimal values; where the differences are no decimals, sums that agree to
    2.5 parts in 10**12 of the sum of absolute differences are equal, and values of another statistic
    that agree to one part in 10**11 of the largest. Zeros keep their place and are not flipped.

    References
    ----------
    Fisher RA (1935) The Design of Experiments, section 21. Pagano M, Tritchler D (1983) J Am Stat
    Assoc 78:435-440. Horowitz E, Sahni S (1974) J ACM 21:277-292 (two halves). Phipson B, Smyth GK
    (2010) Stat Appl Genet Mol Biol 9:39.

    Examples
    --------
    >>> sign_flip([-8, -6, -4, -4, -2, -2, 0, -4, -2]).pvalue
    0.0078125
    >>> sign_flip([-8, -6, -4, -4, -2, -2, 0, -4, 3], statistic=np.median).pvalue
    0.0625
    """
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    draws = whole_number(resamples, "resamples", least=1)
    values = as_differences(diff)
    decimals = decimal_multiples(values)
    if statistic is None:
        observed = mean_and_sd(values)[0] if values.size > 1 else float(values[0])
        found = _test_of_mean(decimals, alternative, rng, draws)
    else:
        clean = np.array([decimals.value(multiple) for multiple in decimals.multiples.tolist()])
        observed, found = _test_of(StatisticOfRows(statistic), clean, alternative, rng, draws)
    pvalue, drawn, error = found
    return SignFlip(
        pvalue=pvalue,
        statistic=observed,
        n=int(values.size),
        n_zero=int(values.size - np.count_nonzero(decimals.multiples)),
        alternative=alternative,
        method="monte carlo" if drawn else "exact",
        resamples=drawn,
        error=error,
    )


#: P, random patterns drawn for it (0: exact), and its standard error.
_Found = tuple[float, int, float]


def _given(rng: np.random.Generator | None, number: int) -> np.random.Generator:
    """Return the generator, or say that the patterns of so many differences must be drawn."""
    if rng is None:
        raise ValueError(
            f"rng: found none; {number} differences of this kind cannot be counted exactly; "
            "give a random generator, such as numpy.random.default_rng(seed)"
        )
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng: found {rng!r}; expected a generator, such as numpy.random.default_rng(seed)"
        )
    return rng


def _test_of_mean(
    decimals: DecimalMultiples,
    alternative: Alternative,
    rng: np.random.Generator | None,
    draws: int,
) -> _Found:
    nonzero = decimals.multiples[decimals.multiples != 0]
    if nonzero.size == 0:
        return 1.0, 0, 0.0
    parts = nonzero / float(np.sum(np.abs(nonzero.astype(np.float64))))
    if np.abs(nonzero).max() <= EXACT_WHOLE:  # decimals, not the 17 digits of what is none
        work = _counting_work(nonzero)
        matching_work = MATCHING_COST * 2.0 ** ((nonzero.size + 1) // 2)
        if nonzero.size <= MATCHED and matching_work < work:
            return _matched_tail(nonzero, 0, alternative), 0, 0.0
        if work <= COUNTED_WORK:
            return _counted_tail(nonzero, alternative), 0, 0.0
    if nonzero.size <= MATCHED:
        return _matched_tail(parts, SUM_NOISE, alternative), 0, 0.0
    generator = _given(rng, nonzero.size)
    pvalue = _drawn_tail(parts, alternative, generator, draws)
    return pvalue, draws, math.sqrt(pvalue * (1 - pvalue) / draws)


def _counting_work(nonzero: IntArray) -> float:
    """Return the patients times the sums to count, which go up to the middle at most."""
    sizes = np.abs(nonzero)
    return float(sizes.sum()) / 2 / int(np.gcd.reduce(sizes)) * sizes.size


def _counted_tail(nonzero: IntArray, alternative: Alternative) -> float:
    """Return P by counting the sign patterns of each sum."""
    sizes = np.abs(nonzero) // np.gcd.reduce(nonzero)
    total = int(sizes.sum())
    observed = int(sizes[nonzero > 0].sum())
    inner = min(observed, total - observed)
    # One large number serves small sums only: it has no way to stop at the inner sum.
    null = null_distribution(sizes, inner) if total < 20_000 else NullDistribution(sizes, inner)
    smaller = null.up_to(inner)
    if alternative == "two-sided":
        return min(1.0, 2 * smaller)
    inner_is_asked = 2 * observed == total or (2 * observed < total) == (alternative == "less")
    return smaller if inner_is_asked else 1 - smaller + null.at(inner)


def _upper_tail_of_sizes(changes: Numbers, alternative: Alternative) -> tuple[Numbers, float]:
    """Return sizes and the sum of those taken positive that a pattern must reach to count.

    That sum is symmetric about half of the total, so each alternative is its upper tail, for the
    changes as they are or mirrored.
    """
    sizes: Numbers = np.abs(changes)
    total, up = sizes.sum(), sizes[changes > 0].sum()
    if alternative == "less" or (alternative == "two-sided" and 2 * up < total):
        up = total - up
    return sizes, up


def _matched_tail(changes: Numbers, noise: float, alternative: Alternative) -> float:
    """Return P from all sign patterns, the sums of two halves sorted and matched.

    What both halves cannot hold is set: each of its patterns lowers what the halves must reach.
    """
    sizes, threshold = _upper_tail_of_sizes(changes, alternative)
    half = min(HALF, sizes.size // 2)
    first, second = _sorted_sums(sizes[:half]), _sorted_sums(sizes[half : half + HALF])
    reaching = sum(
        _pairs_reaching(first, second, threshold - noise - already)
        for already in _sums(sizes[half + HALF :])
    )
    tail = math.ldexp(reaching, -sizes.size)
    return min(1.0, 2 * tail) if alternative == "two-sided" else tail


def _sums(sizes: Numbers) -> Numbers:
    """Return the sums of all subsets."""
    sums = np.zeros(1, dtype=sizes.dtype)
    for size in sizes:
        sums = np.concatenate([sums, sums + size])
    return sums


def _sorted_sums(sizes: Numbers) -> Numbers:
    sums = _sums(sizes)
    sums.sort()
    return sums


def _pairs_reaching(first: Numbers, second: Numbers, threshold: float) -> int:
    """Count the pairs of ascending sums, one of each, that add up to ``threshold`` or more.

    Block by block of the second, so that what is searched in the first stays close together.
    """
    reaching = 0
    for start in range(0, second.size, SEARCHED):
        wanted = threshold - second[start : start + SEARCHED][::-1]
        low, high = first.searchsorted(wanted[[0, -1]]).tolist()
        short = wanted.size * low + int(first[low:high].searchsorted(wanted).sum())
        reaching += wanted.size * first.size - short
    return reaching


def _drawn_tail(
    parts: FloatArray, alternative: Alternative, rng: np.random.Generator, draws: int
) -> float:
    """Return (b + 1)/(m + 1) of m random sign patterns, b of them at least as extreme."""
    sizes, reached = _upper_tail_of_sizes(parts, alternative)
    threshold = reached - SUM_NOISE
    reaching, left = 0, draws
    while left:
        rows = min(left, max(1, 2**20 // sizes.size))
        sums = rng.integers(0, 2, size=(rows, sizes.size), dtype=np.int8) @ sizes
        reaching += int(np.sum(sums >= threshold))
        if alternative == "two-sided":
            reaching += int(np.sum(sums <= 1.0 - threshold))
        left -= rows
    return min(1.0, (reaching + 1) / (draws + 1))


class StatisticOfRows:
    """A statistic of many rows of differences, whichever way the user's function takes them."""

    def __init__(self, statistic: Statistic) -> None:
        if not callable(statistic):
            raise ValueError(
                f"statistic: found {statistic!r}; expected a function of the differences, such as "
                "numpy.median, or None for the mean"
            )
        self._statistic = statistic
        try:
            self.takes_many = "axis" in inspect.signature(statistic).parameters
        except (TypeError, ValueError):  # some functions written in C tell nothing of themselves
            self.takes_many = False

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Return one finite number for each row."""
        if self.takes_many:
            found = np.asarray(self._statistic(rows, axis=1))
        else:
            found = np.array([self._number(row) for row in rows])
        if found.shape != (len(rows),) or found.dtype.kind not in "iuf":
            raise ValueError(
                f"statistic: found {found.dtype} values of shape {found.shape} for {len(rows)} rows "
                "of differences; expected one number for each row"
            )
        if not np.isfinite(found).all():
            row = rows[np.flatnonzero(~np.isfinite(found))[0]]
            raise ValueError(
                f"statistic: it has no finite value for the differences {row.tolist()}, one of "
                "those tried; expected a finite number for each"
            )
        return found.astype(np.float64)

    def _number(self, row: FloatArray) -> float:
        found = np.asarray(self._statistic(row))
        if found.shape != () or found.dtype.kind not in "iuf":
            raise ValueError(
                f"statistic: found {found.dtype} values of shape {found.shape} for one row of "
                "differences; expected one number"
            )
        return float(found)


def _test_of(
    statistic: StatisticOfRows,
    diff: FloatArray,
    alternative: Alternative,
    rng: np.random.Generator | None,
    draws: int,
) -> tuple[float, _Found]:
    """Return the statistic of the differences, and its place among those of the sign patterns."""
    moving = np.flatnonzero(diff)
    observed = float(statistic(diff[None, :])[0])
    is_listed = moving.size <= (LISTED_ROWS if statistic.takes_many else LISTED_SINGLY)
    generator = None if is_listed else _given(rng, moving.size)
    patterns = 2**moving.size if generator is None else draws
    values = np.empty(patterns)
    for start in range(0, patterns, BLOCK):
        rows = min(BLOCK, patterns - start)
        if generator is None:
            turned = np.arange(start, start + rows)[:, None] >> np.arange(moving.size) & 1
        else:
            turned = generator.integers(0, 2, size=(rows, moving.size), dtype=np.int8)
        flipped = np.tile(diff, (rows, 1))
        flipped[:, moving] *= 1 - 2 * turned
        values[start : start + rows] = statistic(flipped)
    noise = STATISTIC_NOISE * max(abs(observed), float(np.abs(values).max()))
    greater = int(np.sum(values >= observed - noise))
    less = int(np.sum(values <= observed + noise))
    count = {"greater": greater, "less": less, "two-sided": min(greater, less)}[alternative]
    sides = 2 if alternative == "two-sided" else 1
    if generator is None:
        return observed, (min(1.0, sides * count / patterns), 0, 0.0)
    tail = (count + 1) / (draws + 1)
    error = sides * math.sqrt(tail * (1 - tail) / draws)
    return observed, (min(1.0, sides * tail), draws, error)
