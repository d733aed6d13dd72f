"""The Hodges-Lehmann estimate and the interval that inverts the exact signed-rank test.

The interval holds the shifts ``theta`` for which ``signed_rank(diff - theta)`` is not significant.
With Pratt's zeros the one-sided P values are monotone in ``theta`` whatever the ties (proved in
``docs/methods/hodges_lehmann.md``), so the interval has no gaps and a search by halving finds it.
With zeros dropped the same holds everywhere but at the differences themselves, where a zero
appears; those are looked at one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    DecimalMultiples,
    IntArray,
    Zeros,
    as_differences,
    check_choice,
    check_level,
    decimal_multiples,
)
from onearm.stats.signed_rank import NullDistribution, check_exact_size, doubled_ranks

#: Null distributions kept while one interval is searched for; shifts often share theirs.
KEPT = 4


@dataclass(frozen=True)
class HodgesLehmann:
    """The typical change (median of all pairwise averages) with its exact interval.

    Attributes
    ----------
    estimate
        Median of the n(n+1)/2 Walsh averages of all differences, zeros among them under either
        rule: a patient without change is a patient whose change is 0.
    estimate_nonzero
        The same with zero differences left out; 0 when all are zero. It is the pseudomedian of R's
        ``wilcox.test(conf.int = TRUE)`` (to within R's search tolerance), given for comparison: it
        can lie outside the interval.
    lower, upper
        Limits, in the unit of the differences; ``-inf`` or ``inf`` where the level cannot be
        attained or the interval is one-sided.
    lower_included, upper_included
        Whether the limit itself is inside: False where the test rejects it but nothing beyond it
        on the inner side.
    conf_level, attained
        The level asked for, and the level that the interval has: 1 minus the one-sided P values
        of the stretches just outside its limits. Without ties it is the coverage probability.
    note
        What a reader must be told in words, or an empty text.
    n, zeros, alternative
        Number of differences, and the options as asked for.
    """

    estimate: float
    estimate_nonzero: float
    lower: float
    upper: float
    lower_included: bool
    upper_included: bool
    conf_level: float
    attained: float
    note: str
    n: int
    zeros: Zeros
    alternative: Alternative

    def contains(self, shift: float) -> bool:
        """Tell whether a shift lies in the interval, open limits taken as open."""
        above = shift > self.lower or (self.lower_included and shift == self.lower)
        below = shift < self.upper or (self.upper_included and shift == self.upper)
        return above and below


@dataclass(frozen=True)
class _Limit:
    """A lower limit in quarter multiples (None: unbounded), and the one-sided P just outside."""

    quarters: int | None
    included: bool
    outside: float


def hodges_lehmann(
    diff: npt.ArrayLike,
    *,
    zeros: Zeros = "wilcoxon",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> HodgesLehmann:
    """Estimate the typical change and its confidence interval from the exact signed-rank test.

    Parameters
    ----------
    diff
        After minus before, one number per patient, any unit. At least one, no missing values;
        ties and zeros are judged on decimal values as in :func:`onearm.stats.signed_rank`.
    zeros
        The rule of the test that is inverted, ``"wilcoxon"`` or ``"pratt"``.
    conf_level
        Level asked for; the interval holds the shifts with P > 1 - conf_level.
    alternative
        ``"greater"`` gives a lower limit only, ``"less"`` an upper limit only, each belonging to
        the test of that name.

    Returns
    -------
    HodgesLehmann
        The smallest interval that holds every shift which the exact test does not reject. Zero
        lies in it exactly when ``signed_rank(diff, ...)`` with the same options has
        P > 1 - conf_level, always under ``zeros="pratt"``; under ``"wilcoxon"`` ``note`` tells
        when zero lies in the interval although it is rejected.

    Raises
    ------
    ValueError
        If the differences are not finite numbers, are more than 5000, or an option is unknown.

    References
    ----------
    Hodges JL, Lehmann EL (1963) Ann Math Stat 34:598-611. Bauer DF (1972) J Am Stat Assoc
    67:687-690. Pratt JW, Gibbons JD (1981) Concepts of Nonparametric Theory, ch. 3.

    Examples
    --------
    >>> change = hodges_lehmann([-8, -6, -4, -4, -2, -2, 0, -4, -2])
    >>> change.estimate, change.lower, change.upper
    (-3.0, -6.0, -2.0)
    """
    check_choice("zeros", zeros, ("wilcoxon", "pratt"))
    check_choice("alternative", alternative, ("two-sided", "less", "greater"))
    check_level(conf_level)
    decimals = decimal_multiples(as_differences(diff))
    check_exact_size(decimals.multiples.size)
    tail = 1 - conf_level
    if alternative == "two-sided":
        tail /= 2
    nowhere = _Limit(None, included=False, outside=0.0)
    low = high = nowhere
    if alternative != "less":
        low = _lower_limit(decimals.multiples, zeros, tail)
    if alternative != "greater":
        high = _lower_limit(-decimals.multiples, zeros, tail)
    lower = -math.inf if low.quarters is None else decimals.value(low.quarters, 4)
    upper = math.inf if high.quarters is None else decimals.value(-high.quarters, 4)
    found = HodgesLehmann(
        estimate=_walsh_median(decimals, decimals.multiples),
        estimate_nonzero=_walsh_median(decimals, decimals.multiples[decimals.multiples != 0]),
        lower=lower,
        upper=upper,
        lower_included=low.included,
        upper_included=high.included,
        conf_level=conf_level,
        attained=1 - low.outside - high.outside,
        note="",
        n=int(decimals.multiples.size),
        zeros=zeros,
        alternative=alternative,
    )
    return _with_note(found, decimals.multiples)


def walsh_sums(multiples: IntArray) -> IntArray:
    """Return the sums of all pairs, each value with itself too, in ascending order."""
    ordered = np.sort(multiples)
    sums = np.concatenate([value + ordered[at:] for at, value in enumerate(ordered)])
    sums.sort()
    return sums


def _walsh_median(decimals: DecimalMultiples, multiples: IntArray) -> float:
    """Return the median of the Walsh averages; 0 when there are none (all differences zero)."""
    if multiples.size == 0:
        return 0.0
    sums = walsh_sums(multiples)
    middle = int(sums[(sums.size - 1) // 2]) + int(sums[sums.size // 2])
    return decimals.value(middle, 4)


class _UpperTail:
    """One-sided P values of shifts: P(T+ at least as large as observed), distributions kept."""

    def __init__(self, multiples: IntArray) -> None:
        self.multiples = multiples
        self._nulls: dict[bytes, NullDistribution] = {}

    def __call__(self, quarters: int, zeros: Zeros) -> float:
        """Return P(T+ >= observed) of the differences less a shift of ``quarters``/4 multiples."""
        ranks, positive = doubled_ranks(4 * self.multiples - quarters, zeros)
        if ranks.size == 0:
            return 1.0
        total, observed = int(ranks.sum()), int(ranks[positive].sum())
        null = self._null(ranks, total // 2)
        if 2 * observed > total:
            return null.up_to(total - observed)
        return 1.0 - null.up_to(observed - 1)

    def is_hopeless(self, quarters: int, tail: float) -> bool:
        """Tell by Hoeffding's bound that P with zeros dropped is at most ``tail``, uncounted."""
        ranks, positive = doubled_ranks(4 * self.multiples - quarters, "wilcoxon")
        distance = float(ranks[positive].sum()) - float(ranks.sum()) / 2
        squares = float(np.sum(ranks.astype(np.float64) ** 2))
        return distance > 0 and math.exp(-2 * distance**2 / squares) <= tail

    def _null(self, ranks: IntArray, limit: int) -> NullDistribution:
        key = np.sort(ranks).tobytes()
        if key not in self._nulls:
            if len(self._nulls) >= KEPT:
                self._nulls.pop(next(iter(self._nulls)))
            self._nulls[key] = NullDistribution(ranks, limit)
        return self._nulls[key]


def _lower_limit(multiples: IntArray, zeros: Zeros, tail: float) -> _Limit:
    """Find the lower limit: the smallest shift whose one-sided P exceeds ``tail``.

    Places are numbered outwards in: place 0 lies below all Walsh averages, place 2j+1 is the j-th
    distinct average itself, place 2j+2 the open stretch above it.
    """
    sums = walsh_sums(multiples)
    distinct = np.unique(sums)
    upper_tail = _UpperTail(multiples)

    def quarters(place: int) -> int:
        # A Walsh average is a sum over 2; twice the sum counts quarters. Between two averages, the
        # middle: their sum in quarters.
        at = (place - 1) // 2
        if place % 2:
            return 2 * int(distinct[at])
        if place == 0:
            return 2 * int(distinct[0]) - 1
        if at + 1 == distinct.size:
            return 2 * int(distinct[-1]) + 1
        return int(distinct[at]) + int(distinct[at + 1])

    def kept(place: int) -> bool:
        return upper_tail(quarters(place), "pratt") > tail

    guess = int(np.searchsorted(distinct, sums[_guess(multiples.size, tail)]))
    first = _first_place(kept, 2 * guess + 1, 2 * distinct.size)
    if zeros == "wilcoxon" and first > 0:
        first = _with_zeros_dropped(multiples, upper_tail, quarters, first, distinct, tail)
    if first == 0:
        return _Limit(None, included=False, outside=0.0)
    average = first if first % 2 else first - 1
    return _Limit(
        quarters=quarters(average),
        included=average == first,
        outside=upper_tail(quarters(average - 1), "pratt"),
    )


def _guess(n: int, tail: float) -> int:
    """Return the index of the Walsh average where the limit would be without ties (normal)."""
    from statistics import NormalDist

    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    at = n * (n + 1) / 4 + NormalDist().inv_cdf(tail) * spread
    return min(max(int(at), 0), n * (n + 1) // 2 - 1)


def _first_place(kept: Callable[[int], bool], guess: int, last: int) -> int:
    """Return the first place that is kept; ``kept`` is False up to some place and then True.

    Strides doubling away from the guess bracket the place, halving pins it down: few calls where
    the guess is good. The last place, above all averages, is always kept.
    """
    low, high = -1, last
    stride, place = 1, guess
    while low < place < high:
        if kept(place):
            high, place = place, place - stride
        else:
            low, place = place, place + stride
        stride *= 2
        if low >= 0 and high < last:
            break
    while high - low > 1:
        place = (low + high) // 2
        if kept(place):
            high = place
        else:
            low = place
    return high


def _with_zeros_dropped(
    multiples: IntArray,
    upper_tail: _UpperTail,
    quarters: Callable[[int], int],
    first: int,
    distinct: IntArray,
    tail: float,
) -> int:
    """Correct the first place for zeros dropped: at a difference itself the test is another one."""
    places = 2 * np.searchsorted(distinct, 2 * np.unique(multiples)) + 1
    for place in places[places < first].tolist():
        at = quarters(place)
        if not upper_tail.is_hopeless(at, tail) and upper_tail(at, "wilcoxon") > tail:
            return int(place)
    if first in places and upper_tail(quarters(first), "wilcoxon") <= tail:
        return first + 1
    return first


def _with_note(found: HodgesLehmann, multiples: IntArray) -> HodgesLehmann:
    """Return the record with what a reader must be told."""
    said = [
        *_unattainable(found),
        *_limit_at_zero_rejected(found),
        *_zero_rejected_inside(found, multiples),
    ]
    return replace(found, note=" ".join(said))


def _unattainable(found: HodgesLehmann) -> list[str]:
    wanted_low, wanted_high = found.alternative != "less", found.alternative != "greater"
    low = wanted_low and math.isinf(found.lower)
    high = wanted_high and math.isinf(found.upper)
    if not (low or high):
        return []
    smallest = min(1.0, (2 if found.alternative == "two-sided" else 1) * 0.5**found.n)
    best = (
        f"the highest level with finite limits is {100 * (1 - smallest):.6g}%"
        if smallest < 1
        else "no level gives finite limits"
    )
    return [
        f"A {100 * found.conf_level:.6g}% interval is not attainable with "
        f"{found.n} difference{'' if found.n == 1 else 's'}: "
        f"the smallest possible P is {smallest:.6g}; {best}."
    ]


def _limit_at_zero_rejected(found: HodgesLehmann) -> list[str]:
    """Say so where a limit is 0 and 0 is rejected: the printed interval would seem to hold it."""
    return [
        f"The {name} limit is 0 and 0 itself is rejected by the test: the interval ends just "
        "short of it."
        for name, limit, included in (
            ("lower", found.lower, found.lower_included),
            ("upper", found.upper, found.upper_included),
        )
        if limit == 0 and not included
    ]


def _zero_rejected_inside(found: HodgesLehmann, multiples: IntArray) -> list[str]:
    """Say so where the zeros-dropped test rejects no change, but the interval spans it."""
    if found.zeros == "pratt" or not found.contains(0.0):
        return []
    tail = (1 - found.conf_level) / (2 if found.alternative == "two-sided" else 1)
    above = found.alternative == "less" or _UpperTail(multiples)(0, "wilcoxon") > tail
    below = found.alternative == "greater" or _UpperTail(-multiples)(0, "wilcoxon") > tail
    if above and below:
        return []
    return [
        "With zeros dropped the test rejects 0 although the interval spans it: values on both "
        "sides of 0 are not rejected. Under zeros='pratt' this cannot happen."
    ]
