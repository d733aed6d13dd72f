"""The Wilcoxon signed-rank test, exact with ties and with zeros.

The null distribution is that of the data in hand: given the absolute differences, each sign is as
likely plus as minus. The shift algorithm (Streitberg & Röhmel 1986) counts all ``2**n`` sign
patterns on doubled mid-ranks, which are whole numbers, so ties cost no exactness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    FloatArray,
    IntArray,
    Zeros,
    as_differences,
    check_choice,
    decimal_multiples,
)

#: Above this number of differences the exact distribution would fill hundreds of megabytes.
EXACT_LIMIT = 5000
#: Up to this many ranks one large whole number holds all counts quicker than arrays do; up to 53
#: both are exact to the last bit.
PACKED = 40
#: What a Fourier sum of probabilities may be wrong by; the errors of its parts add up to less.
FOURIER_ERROR = 1e-11
#: Frequencies whose part is below exp(-40), 4e-18, are left out of it.
FOURIER_FLOOR = 40.0
#: Counts of sums are mirrored when their sum of ranks has passed this; below, it costs more time
#: than it saves.
MIRRORED_ABOVE = 20_000
#: Counts of one hand are scaled down before they pass this, so that products stay finite. What is
#: lost below 2**-1022 belongs to P values that are themselves too small to represent.
SCALE_ABOVE = 2.0**480


@dataclass(frozen=True)
class SignedRank:
    """The outcome of a signed-rank test of paired differences.

    Attributes
    ----------
    pvalue, midp
        P value, and the mid-P (half the probability of the observed statistic left out; it is not
        conservative, and not guaranteed to keep its level). ``midp`` is None for the normal method.
    statistic
        T+, the sum of the (mid-)ranks of the positive differences; R's ``V``.
    z
        The standardised statistic of the normal method, None for the exact one.
    n, n_zero, n_positive, n_negative
        Number of differences, and how many are zero, above and below zero. Zeros and ties are
        judged on decimal values (see ``onearm.stats.differences``).
    zeros, alternative, method, correction
        As asked for.
    """

    pvalue: float
    statistic: float
    n: int
    n_zero: int
    n_positive: int
    n_negative: int
    zeros: Zeros
    alternative: Alternative
    method: Literal["exact", "normal"]
    correction: bool
    midp: float | None
    z: float | None


def signed_rank(
    diff: npt.ArrayLike,
    *,
    zeros: Zeros = "wilcoxon",
    alternative: Alternative = "two-sided",
    method: Literal["exact", "normal"] = "exact",
    correction: bool = False,
) -> SignedRank:
    """Test whether paired differences are distributed symmetrically about zero.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least one, no missing values.
    zeros
        What becomes of patients without change: ``"wilcoxon"`` drops them before ranking;
        ``"pratt"`` ranks them with the others and then drops their ranks (Pratt 1959).
    alternative
        ``"greater"``: the differences tend to be above zero; ``"less"``: below.
    method
        ``"exact"`` counts all sign patterns, whatever the ties and zeros; ``"normal"`` is the
        approximation with the variance corrected for ties, as R's
        ``wilcox.test(exact = FALSE)`` (zeros dropped) and coin's
        ``wilcoxsign_test(distribution = "asymptotic")`` (Pratt).
    correction
        Take half a rank off the distance from expectation (normal method only), as R's
        ``correct = TRUE``.

    Returns
    -------
    SignedRank
        With no difference other than zero, P is 1: nothing speaks against the hypothesis.

    Raises
    ------
    ValueError
        If the differences are not finite numbers, an option is unknown, a correction is asked of
        the exact method, or more than 5000 differences are given to it.

    Notes
    -----
    The two-sided P is twice the smaller tail, at most 1; the null distribution is symmetric, so
    this equals the probability of a T+ at least as far from its expectation. It is exact to the
    last bit up to 53 non-zero differences, and beyond them to 12 digits however small it is. A P
    below 1e-308 has no floating-point number and is returned as the smallest one above zero.

    References
    ----------
    Wilcoxon F (1945) Biometrics Bulletin 1:80-83. Pratt JW (1959) J Am Stat Assoc 54:655-667.
    Streitberg B, Röhmel J (1986) Statistical Software Newsletter 12:10-17.

    Examples
    --------
    >>> signed_rank([-8, -6, -4, -4, -2, -2, 0, -4, -2]).pvalue
    0.0078125
    """
    check_choice("zeros", zeros, ("wilcoxon", "pratt"))
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    check_choice("method", method, ("exact", "normal"))
    if method == "exact" and correction:
        raise ValueError(
            "correction: the exact method needs no continuity correction; "
            "leave it out, or ask for method='normal'"
        )
    multiples = decimal_multiples(as_differences(diff)).multiples
    ranks, positive = doubled_ranks(multiples, zeros)
    doubled, n_positive = int(ranks[positive].sum()), int(np.count_nonzero(positive))
    if method == "exact":
        check_exact_size(multiples.size)
        pvalue, midp = _exact_p(ranks, doubled, alternative)
        z = None
    else:
        pvalue, z = _normal_p(ranks, doubled, alternative, correction)
        midp = None
    return SignedRank(
        pvalue=pvalue,
        statistic=doubled / 2,
        n=int(multiples.size),
        n_zero=int(multiples.size - positive.size),
        n_positive=n_positive,
        n_negative=int(positive.size) - n_positive,
        zeros=zeros,
        alternative=alternative,
        method=method,
        correction=correction,
        midp=midp,
        z=z,
    )


def check_exact_size(n: int) -> None:
    """Raise ValueError when ``n`` differences are too many for the exact distribution."""
    if n > EXACT_LIMIT:
        raise ValueError(
            f"diff: found {n} differences; the exact distribution is kept to {EXACT_LIMIT}; "
            "ask for signed_rank(..., method='normal'), which is accurate at this size"
        )


def doubled_ranks(multiples: IntArray, zeros: Zeros) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return twice the mid-ranks of the non-zero differences, and which of them are positive.

    Doubled mid-ranks are whole numbers. Under ``"pratt"`` the zeros hold the lowest ranks.
    """
    nonzero = multiples[multiples != 0]
    size = np.abs(nonzero)
    ordered = np.sort(size)
    # Those below, and those below or equal, are together 2 * rank - 1 of the mid-rank.
    doubled = ordered.searchsorted(size) + ordered.searchsorted(size, "right") + 1
    if zeros == "pratt":
        doubled += 2 * (multiples.size - nonzero.size)
    return doubled, nonzero > 0


def null_distribution(ranks: IntArray, limit: int) -> PackedNull | NullDistribution:
    """Return the exact null distribution of the sum of positive ranks, for sums up to ``limit``."""
    return PackedNull(ranks) if ranks.size <= PACKED else NullDistribution(ranks, limit)


class PackedNull:
    """The sum of few positive ranks when each sign is as likely plus as minus.

    The counts of sign patterns are the digits of one large whole number, so that a rank costs one
    shift and one addition, without the overhead of an array.
    """

    def __init__(self, ranks: IntArray) -> None:
        ordered = np.sort(ranks).tolist()
        self._step = math.gcd(*ordered) or 1
        self._width = len(ordered) + 2
        self._patterns = 2.0 ** len(ordered)
        self._counts = 1
        for rank in ordered:
            self._counts += self._counts << (rank // self._step * self._width)

    def up_to(self, observed: int) -> float:
        """Return P(sum <= observed); 0 for a negative sum."""
        if observed < 0:
            return 0.0
        below = self._counts & ((1 << ((observed // self._step + 1) * self._width)) - 1)
        # The remainder by the base less one is the sum of the digits, which is smaller than that.
        return below % ((1 << self._width) - 1) / self._patterns

    def at(self, observed: int) -> float:
        """Return P(sum = observed)."""
        if observed % self._step:
            return 0.0
        count = self._counts >> (observed // self._step * self._width)
        return (count & ((1 << self._width) - 1)) / self._patterns


class NullDistribution:
    """The sum of the positive ranks when each sign is as likely plus as minus.

    The ranks are dealt into two hands; each hand's sign patterns are counted by their sum with the
    shift algorithm, and a tail joins the two by one inner product. That is exact, and several times
    faster than counting all patterns in one array.

    Parameters
    ----------
    ranks
        Positive whole numbers (doubled mid-ranks), one per non-zero difference, in any order.
    limit
        The largest sum that will be asked about; at most half of all ranks' sum.
    """

    def __init__(self, ranks: IntArray, limit: int) -> None:
        ordered = np.sort(ranks)
        self.step = int(np.gcd.reduce(ordered)) if ordered.size else 1
        ordered //= self.step
        limit //= self.step
        self._first, first_exponent = _count_sums(ordered[::2], limit)
        self._second, second_exponent = _count_sums(ordered[1::2], limit)
        self._second_up_to = np.cumsum(self._second)
        self._exponent = first_exponent + second_exponent - ordered.size

    def up_to(self, observed: int) -> float:
        """Return P(sum <= observed); 0 for a negative sum."""
        if observed < 0:
            return 0.0
        observed //= self.step
        joined = self._join(observed, self._second_up_to)
        # Sums of the first hand so small that every counted sum of the second may go with them.
        free = max(observed - self._second.size + 1, 0)
        rest = float(self._first[:free].sum()) * float(self._second_up_to[-1])
        return math.ldexp(joined + rest, self._exponent)

    def at(self, observed: int) -> float:
        """Return P(sum = observed)."""
        if observed % self.step:
            return 0.0
        return math.ldexp(self._join(observed // self.step, self._second), self._exponent)

    def _join(self, observed: int, second: FloatArray) -> float:
        """Sum first[a] * second[observed - a] over the places that exist in both."""
        low = max(observed - second.size + 1, 0)
        high = min(observed, self._first.size - 1)
        if low > high:
            return 0.0
        partner = second[observed - high : observed - low + 1][::-1]
        # numpy adds pairwise: the error of the sum grows with the logarithm of its length only.
        return float(np.sum(self._first[low : high + 1] * partner))


class FourierNull:
    """The same distribution from its characteristic function: quicker for many ranks, absolute error.

    For ranks r the sum less its expectation has the characteristic function
    prod cos(w r / 2). Summed over the frequencies of a lattice wide enough to hold all but 1e-17 of
    the distribution (Hoeffding's bound) it gives the lower tail. Frequencies are left out where
    the bound |cos x| <= exp(-sin(x)**2 / 2), which one Fourier transform of the ranks gives for all
    of them, makes their part smaller than ``exp(-FOURIER_FLOOR)``.

    Probabilities are right to ``FOURIER_ERROR``, absolutely, not relatively: this is for tails of
    ordinary size, such as the 2.5 % that an interval leaves out.
    """

    def __init__(self, ranks: IntArray) -> None:
        step = int(np.gcd.reduce(ranks))
        size, number = np.unique(ranks // step, return_counts=True)
        self._step, self._total = step, int(size @ number)
        sd = math.sqrt(float(number @ (size.astype(np.float64) ** 2))) / 2
        self._lattice = lattice = _smooth_length(18 * sd)
        histogram = np.bincount(size % lattice, weights=number, minlength=lattice)
        apart = (ranks.size - np.fft.rfft(histogram).real) / 4
        self._frequencies = np.flatnonzero(apart < FOURIER_FLOOR)[1:]  # without frequency 0
        # Angles are reduced in whole numbers, so that no digit of the cosine is lost.
        angles = np.outer(self._frequencies, size) % (2 * lattice)
        cosines = np.cos(angles * (math.pi / lattice))
        self._weights = np.prod(cosines**number, axis=1) * 2
        # The highest frequency of an even lattice is its own mirror image.
        self._weights[2 * self._frequencies == lattice] /= 2
        self._weights /= np.sin(self._frequencies * (math.pi / lattice))

    def up_to(self, observed: int) -> float:
        """Return P(sum <= observed)."""
        lowest = (self._total - self._lattice) // 2
        length = observed // self._step - lowest + 1
        if not 0 < length <= self._lattice:
            return 0.0 if length <= 0 else 1.0
        lattice, frequencies = self._lattice, self._frequencies
        # Sum of exp(-iw(s - total/2)) over s from lowest to observed.
        centre = 2 * lowest + length - 1 - self._total
        waves = np.cos(frequencies * centre % (2 * lattice) * (math.pi / lattice)) * np.sin(
            frequencies * length % (2 * lattice) * (math.pi / lattice)
        )
        return (length + float(np.sum(self._weights * waves))) / lattice


def _smooth_length(least: float) -> int:
    """Return an even length with small prime factors, for the Fourier transform."""
    power: int = 2 ** max(1, math.ceil(math.log2(least)) - 3)
    factors = (5, 6, 8, 9, 10, 12, 15, 16)
    return next(power * factor for factor in factors if power * factor >= least)


def _count_sums(ranks: IntArray, limit: int) -> tuple[FloatArray, int]:
    """Count the sign patterns of ascending ranks by their sum of positive ranks.

    ``counts[s] * 2**exponent`` patterns have the sum ``s``, for ``s`` up to ``limit`` or to the sum
    of all ranks. Only positive numbers are added, so each count is right to ``len(ranks)``
    roundings, and exact below 2**53. Turning all signs mirrors the counts, so that of many only
    the lower half is carried along.
    """
    last = min(limit, int(ranks.sum()))
    counts, next_counts = np.zeros(last + 1), np.zeros(last + 1)
    counts[0] = 1.0
    exponent, reach, known = 0, 0, 0
    for place, rank in enumerate(ranks.tolist()):
        if rank > last:
            break
        wanted = reach + rank
        wanted = min(wanted if wanted < MIRRORED_ABOVE else wanted // 2, last)
        if reach >= MIRRORED_ABOVE:
            _mirror(counts, known, reach, wanted)
        next_counts[:rank] = counts[:rank]
        if wanted >= rank:
            np.add(
                counts[rank : wanted + 1],
                counts[: wanted + 1 - rank],
                out=next_counts[rank : wanted + 1],
            )
        reach, known = reach + rank, wanted
        counts, next_counts = next_counts, counts
        # A count at most doubles at each rank, so looking at every sixteenth is enough.
        if place > 480 and place % 16 == 0 and (top := counts[: known + 1].max()) > SCALE_ABOVE:
            down = math.frexp(top)[1] - 460
            counts *= 2.0**-down
            exponent += down
    _mirror(counts, known, reach, last)
    return counts, exponent


def _mirror(counts: FloatArray, known: int, reach: int, wanted: int) -> None:
    """Fill the counts above ``known`` up to ``wanted`` by symmetry about half of ``reach``.

    ``reach`` is the sum of all ranks counted so far; above it no pattern has a sum.
    """
    end = min(reach, wanted)
    if end > known:
        counts[known + 1 : end + 1] = counts[reach - end : reach - known][::-1]
    counts[max(end, known) + 1 : wanted + 1] = 0.0


def _exact_p(ranks: IntArray, doubled: int, alternative: Alternative) -> tuple[float, float]:
    """Return P and mid-P of an observed sum of positive doubled ranks."""
    total = int(ranks.sum())
    inner = min(doubled, total - doubled)
    null = null_distribution(ranks, inner)
    smaller, at = null.up_to(inner), null.at(inner)
    larger = 1.0 - smaller + at
    less, greater = (smaller, larger) if 2 * doubled <= total else (larger, smaller)
    if alternative == "two-sided":
        # At the exact middle both tails hold the observed sum: P is 1, and half of it is left out.
        pvalue = min(1.0, 2 * smaller)
        midp = 1.0 - at / 2 if 2 * doubled == total else pvalue - at
    else:
        pvalue = less if alternative == "less" else greater
        midp = pvalue - at / 2
    return max(pvalue, math.ulp(0.0)), max(midp, math.ulp(0.0))


def _normal_p(
    ranks: IntArray, doubled: int, alternative: Alternative, correction: bool
) -> tuple[float, float]:
    """Return P and z of the normal approximation.

    The variance is a quarter of the sum of squared mid-ranks, which is n(n+1)(2n+1)/24 less the
    usual (t**3 - t)/48 for each group of t ties; with Pratt's ranks it is the conditional variance
    that coin uses.
    """
    if ranks.size == 0:
        return 1.0, 0.0
    halves = ranks / 2
    distance = doubled / 2 - float(halves.sum()) / 2
    if correction:
        towards = {"two-sided": math.copysign(0.5, distance), "greater": 0.5, "less": -0.5}
        distance -= 0.0 if distance == 0 and alternative == "two-sided" else towards[alternative]
    z = distance / math.sqrt(float(np.sum(halves * halves)) / 4)
    if alternative == "two-sided":
        # With correction z can pass its expectation, as in R; P then is capped at 1.
        return min(1.0, math.erfc(abs(z) / math.sqrt(2))), z
    return 0.5 * math.erfc((z if alternative == "greater" else -z) / math.sqrt(2)), z
