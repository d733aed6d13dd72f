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
    two_sided = alternative == "two-sided"
    tail = (1 - conf_level) / (2 if two_sided else 1)
    nowhere = _Limit(None, included=False, outside=0.0)
    low = high = nowhere
    if alternative != "less":
        low = _lower_limit(decimals.multiples, zeros, tail, two_sided=two_sided)
    if alternative != "greater":
        high = _lower_limit(-decimals.multiples, zeros, tail, two_sided=two_sided)
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


class _Shifts:
    """P values of the differences less a shift; null distributions are kept, since shifts share them.

    Shifts are counted in quarters of a multiple: Walsh averages and the middles between them are
    whole numbers of quarters.
    """

    def __init__(self, multiples: IntArray) -> None:
        self.multiples = multiples
        self._nulls: dict[bytes, NullDistribution] = {}

    def upper_tail(self, quarters: int, zeros: Zeros) -> float:
        """Return P(T+ >= observed): small where the differences tend to exceed the shift."""
        return self._tail(4 * self.multiples - quarters, zeros)

    def lower_tail(self, quarters: int, zeros: Zeros) -> float:
        """Return P(T+ <= observed): small where they tend to fall short of it."""
        return self._tail(quarters - 4 * self.multiples, zeros)

    def is_hopeless(self, quarters: int, tail: float) -> bool:
        """Tell by Hoeffding's bound, uncounted, that the upper tail is below ``tail``."""
        ranks, positive = doubled_ranks(4 * self.multiples - quarters, "wilcoxon")
        distance = float(ranks[positive].sum()) - float(ranks.sum()) / 2
        squares = float(np.sum(ranks.astype(np.float64) ** 2))
        return distance > 0 and math.exp(-2 * distance**2 / squares) <= tail

    def _tail(self, moved: IntArray, zeros: Zeros) -> float:
        ranks, positive = doubled_ranks(moved, zeros)
        total, observed = int(ranks.sum()), int(ranks[positive].sum())
        null = self._null(ranks, total // 2)
        if 2 * observed > total:
            return null.up_to(total - observed)
        return 1.0 - null.up_to(observed - 1)

    def _null(self, ranks: IntArray, limit: int) -> NullDistribution:
        key = np.sort(ranks).tobytes()
        if key not in self._nulls:
            if len(self._nulls) >= KEPT:
                self._nulls.pop(next(iter(self._nulls)))
            self._nulls[key] = NullDistribution(ranks, limit)
        return self._nulls[key]


class _Places:
    """The places where the test can change, numbered upwards.

    Place 0 lies below all Walsh averages, place 2j+1 is the j-th distinct average itself, place
    2j+2 the open stretch above it.
    """

    def __init__(self, multiples: IntArray) -> None:
        self.sums = walsh_sums(multiples)
        self.distinct = np.unique(self.sums)
        self.last = 2 * self.distinct.size
        # The differences themselves are Walsh averages, each of itself with itself.
        self.of_differences = 2 * np.searchsorted(self.distinct, 2 * np.unique(multiples)) + 1

    def quarters(self, place: int) -> int:
        """Return a shift at the place: the average, or the middle of the stretch."""
        if place == 0:
            return 2 * int(self.distinct[0]) - 1
        if place == self.last:
            return 2 * int(self.distinct[-1]) + 1
        at = (place - 1) // 2
        return int(self.distinct[at]) + int(self.distinct[at if place % 2 else at + 1])

    def guess(self, n: int, tail: float) -> int:
        """Return the place where the lower limit would be without ties, in large samples."""
        from statistics import NormalDist

        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        at = int(n * (n + 1) / 4 + NormalDist().inv_cdf(tail) * spread)
        average = self.sums[min(max(at, 0), self.sums.size - 1)]
        return 2 * int(np.searchsorted(self.distinct, average)) + 1


def _lower_limit(multiples: IntArray, zeros: Zeros, tail: float, *, two_sided: bool) -> _Limit:
    """Find the lower limit: the first place whose upper tail, and lower tail, exceed ``tail``."""
    shifts, places = _Shifts(multiples), _Places(multiples)

    def kept(place: int) -> bool:
        return shifts.upper_tail(places.quarters(place), "pratt") > tail

    first = _first_place(kept, places.guess(multiples.size, tail), places.last)
    if zeros == "wilcoxon" and first > 0:
        first = _with_zeros_dropped(shifts, places, first, tail, two_sided=two_sided)
    if first == 0:
        return _Limit(None, included=False, outside=0.0)
    average = first if first % 2 else first - 1
    return _Limit(
        quarters=places.quarters(average),
        included=average == first,
        outside=shifts.upper_tail(places.quarters(average - 1), "pratt"),
    )


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
    shifts: _Shifts, places: _Places, first: int, tail: float, *, two_sided: bool
) -> int:
    """Correct the first place for zeros dropped: at a difference itself the test is another one."""

    def kept(place: int) -> bool:
        at = places.quarters(place)
        return (
            not shifts.is_hopeless(at, tail)
            and shifts.upper_tail(at, "wilcoxon") > tail
            and (not two_sided or shifts.lower_tail(at, "wilcoxon") > tail)
        )

    for place in places.of_differences[places.of_differences < first].tolist():
        if kept(place):
            return int(place)
    return first + 1 if first in places.of_differences and not kept(first) else first


def _with_note(found: HodgesLehmann, multiples: IntArray) -> HodgesLehmann:
    """Return the record with what a reader must be told."""
    closed = found.lower_included and found.upper_included
    if found.lower == found.upper and not closed:
        text = (
            f"The test rejects every shift at this level, {found.lower:.6g} and all on either side "
            f"of it: no interval exists. Many differences are {found.lower:.6g} and the others "
            "lean one way."
        )
        return replace(found, lower_included=False, upper_included=False, note=text)
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
    shifts = _Shifts(multiples)
    above = found.alternative == "less" or shifts.upper_tail(0, "wilcoxon") > tail
    below = found.alternative == "greater" or shifts.lower_tail(0, "wilcoxon") > tail
    if above and below:
        return []
    return [
        "With zeros dropped the test rejects 0 although the interval spans it: values on both "
        "sides of 0 are not rejected. Under zeros='pratt' this cannot happen."
    ]
