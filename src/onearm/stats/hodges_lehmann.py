"""The Hodges-Lehmann estimate and the interval that inverts the exact signed-rank test.

The interval holds the shifts ``theta`` for which ``signed_rank(diff - theta)`` is not significant.
With Pratt's zeros the one-sided P values are monotone in ``theta`` whatever the ties (proved in
``docs/methods/hodges_lehmann.md``), so the interval has no gaps and a search finds it with a
handful of tests. With zeros dropped the same holds everywhere but at the differences themselves,
where a zero appears; those that could matter are looked at one by one. The Walsh averages are
counted and selected, never listed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    Alternative,
    IntArray,
    Zeros,
    as_differences,
    check_choice,
    check_level,
    decimal_multiples,
)
from onearm.stats.signed_rank import (
    FOURIER_ERROR,
    FourierNull,
    NullDistribution,
    PackedNull,
    check_exact_size,
    doubled_ranks,
    null_distribution,
)
from onearm.stats.walsh import WalshSums

#: Null distributions kept while one interval is searched for; shifts often share theirs.
KEPT = 8
#: Above this number of differences the search asks Fourier sums, and counts only where they leave
#: it open on which side of the level a P value lies.
COUNTED = 200


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
    multiples, two_sided = decimals.multiples, alternative == "two-sided"
    tail = (1 - conf_level) / (2 if two_sided else 1)
    sums = WalshSums(multiples)
    nowhere = _Limit(None, included=False, outside=0.0)
    low = high = nowhere
    if alternative != "less":
        low = _lower_limit(multiples, sums, zeros, tail, two_sided=two_sided)
    if alternative != "greater":
        high = _lower_limit(-multiples, WalshSums(-multiples), zeros, tail, two_sided=two_sided)
    lower = -math.inf if low.quarters is None else decimals.value(low.quarters, 4)
    upper = math.inf if high.quarters is None else decimals.value(-high.quarters, 4)
    estimate = estimate_nonzero = decimals.value(_twice_median(sums), 4)
    nonzero = multiples[multiples != 0]
    if nonzero.size < multiples.size:
        twice = _twice_median(WalshSums(nonzero)) if nonzero.size else 0
        estimate_nonzero = decimals.value(twice, 4)
    found = HodgesLehmann(
        estimate=estimate,
        estimate_nonzero=estimate_nonzero,
        lower=lower,
        upper=upper,
        lower_included=low.included,
        upper_included=high.included,
        conf_level=conf_level,
        attained=1 - low.outside - high.outside,
        note="",
        n=int(multiples.size),
        zeros=zeros,
        alternative=alternative,
    )
    return _with_note(found, multiples)


def _twice_median(sums: WalshSums) -> int:
    """Return twice the median of the sums: four times that of the Walsh averages."""
    return sums[(sums.size - 1) // 2] + sums[sums.size // 2]


class _Shifts:
    """P values of the differences less a shift; null distributions are kept, since shifts share them.

    Shifts are counted in quarters of a multiple: Walsh averages and the middles between them are
    whole numbers of quarters.
    """

    def __init__(self, multiples: IntArray) -> None:
        self.multiples = multiples
        self._nulls: dict[bytes, PackedNull | NullDistribution | FourierNull] = {}

    def upper_tail(self, quarters: int) -> float:
        """Return P(T+ >= observed) under Pratt's zeros, at least to ``FOURIER_ERROR``."""
        ranks, observed = self._observed(quarters, "pratt")
        return self._tail(ranks, observed, exactly=False)

    def upper_exceeds(self, tail: float, quarters: int, zeros: Zeros) -> bool:
        """Tell whether P(T+ >= observed), small where differences exceed the shift, is above tail."""
        return self._exceeds(tail, *self._observed(quarters, zeros))

    def lower_exceeds(self, tail: float, quarters: int, zeros: Zeros) -> bool:
        """Tell whether P(T+ <= observed), small where they fall short of it, is above tail."""
        ranks, observed = self._observed(quarters, zeros)
        return self._exceeds(tail, ranks, int(ranks.sum()) - observed)

    def is_hopeless(self, quarters: int, tail: float) -> bool:
        """Tell by Hoeffding's bound, uncounted, that the upper tail is at most ``tail``."""
        ranks, observed = self._observed(quarters, "wilcoxon")
        distance = observed - float(ranks.sum()) / 2
        squares = float(np.sum(ranks.astype(np.float64) ** 2))
        return distance > 0 and math.exp(-2 * distance**2 / squares) <= tail

    def likely_limit(self, quarters: int, tail: float) -> float:
        """Return T+ whose upper tail is about ``tail`` (Cornish & Fisher 1938, to the kurtosis)."""
        squares = (self._observed(quarters, "pratt")[0] / 2.0) ** 2
        variance = float(squares.sum()) / 4
        z = -NormalDist().inv_cdf(tail)
        z -= float(np.sum(squares**2)) / 8 / variance**2 * (z**3 - 3 * z) / 24
        mean = self.multiples.size * (self.multiples.size + 1) / 4
        return mean + z * math.sqrt(variance)

    def _observed(self, quarters: int, zeros: Zeros) -> tuple[IntArray, int]:
        """Return the doubled ranks and twice T+ of the differences less a shift."""
        ranks, positive = doubled_ranks(4 * self.multiples - quarters, zeros)
        return ranks, int(ranks[positive].sum())

    def _exceeds(self, tail: float, ranks: IntArray, observed: int) -> bool:
        p = self._tail(ranks, observed, exactly=False)
        if ranks.size > COUNTED and abs(p - tail) <= FOURIER_ERROR:
            p = self._tail(ranks, observed, exactly=True)
        return p > tail

    def _tail(self, ranks: IntArray, observed: int, *, exactly: bool) -> float:
        total = int(ranks.sum())
        null = self._null(ranks, total // 2, exactly=exactly)
        if 2 * observed > total:
            return null.up_to(total - observed)
        return 1.0 - null.up_to(observed - 1)

    def _null(
        self, ranks: IntArray, limit: int, *, exactly: bool
    ) -> PackedNull | NullDistribution | FourierNull:
        if exactly:
            return null_distribution(ranks, limit)
        key = np.sort(ranks).tobytes()
        if key not in self._nulls:
            if len(self._nulls) >= KEPT:
                self._nulls.pop(next(iter(self._nulls)))
            is_small = ranks.size <= COUNTED
            self._nulls[key] = null_distribution(ranks, limit) if is_small else FourierNull(ranks)
        return self._nulls[key]


def _lower_limit(
    multiples: IntArray, sums: WalshSums, zeros: Zeros, tail: float, *, two_sided: bool
) -> _Limit:
    """Find the lower limit: the first shift whose upper tail, and lower tail, exceed ``tail``.

    The test can change at each Walsh average (half a sum) and in each open stretch between two.
    """
    shifts = _Shifts(multiples)
    below, at = _first_kept(shifts, sums, tail)
    if below is None and shifts.upper_exceeds(tail, 2 * sums.smallest - 1, "pratt"):
        return _Limit(None, included=False, outside=0.0)
    included = shifts.upper_exceeds(tail, 2 * at, "pratt")
    if zeros == "wilcoxon":
        at, included = _with_zeros_dropped(shifts, sums, (at, included), tail, two_sided=two_sided)
        before = sums.up_to(at - 1)
        below = sums[before - 1] if before else None
    outside = 2 * at - 1 if below is None else below + at
    return _Limit(quarters=2 * at, included=included, outside=shifts.upper_tail(outside))


def _first_kept(shifts: _Shifts, sums: WalshSums, tail: float) -> tuple[int | None, int]:
    """Return the first sum above which the test keeps the shift, and the sum before it, if any.

    A guess is corrected by strides that double, until the sum is bracketed, and then by halving:
    few tests where the guess is good. Above the largest sum every shift is kept.
    """
    low, high = None, sums.largest
    first, last = 0, sums.up_to(high - 1)  # places of the sums not yet judged: first to last - 1
    place, stride = _guess(shifts, sums, tail), 1
    while first < last:
        sum_ = sums[min(max(place, first), last - 1)]
        after = sums.up_to(sum_)
        if shifts.upper_exceeds(tail, sum_ + sums[after], "pratt"):
            high, last = sum_, sums.up_to(sum_ - 1)
            place = last - stride
        else:
            low, first = sum_, after
            place = first + stride - 1
        stride *= 2
        if low is not None and high < sums.largest:
            place = (first + last) // 2
    return low, high


def _guess(shifts: _Shifts, sums: WalshSums, tail: float) -> int:
    """Return the place of the sum where the lower limit is likely to be.

    Between two sums no differences tie across the shift, and T+ is the number of sums above.
    """
    n = shifts.multiples.size
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    place = int(sums.size / 2 + NormalDist().inv_cdf(tail) * spread)
    near = sums[min(max(place, 0), sums.size - 1)]
    after = sums.up_to(near)
    quarters = near + sums[after] if after < sums.size else 2 * near + 1
    return math.floor(sums.size - shifts.likely_limit(quarters, tail))


def _with_zeros_dropped(
    shifts: _Shifts, sums: WalshSums, found: tuple[int, bool], tail: float, *, two_sided: bool
) -> tuple[int, bool]:
    """Correct the limit for zeros dropped: at a difference itself the test is another one."""
    at, included = found

    def kept(difference: int) -> bool:
        quarters = 4 * difference
        return (
            not shifts.is_hopeless(quarters, tail)
            and shifts.upper_exceeds(tail, quarters, "wilcoxon")
            and (not two_sided or shifts.lower_exceeds(tail, quarters, "wilcoxon"))
        )

    distinct, number = np.unique(shifts.multiples, return_counts=True)
    open_ = 2 * distinct >= _surely_rejected_below(sums, int(number.max()), tail)
    for difference in distinct[open_].tolist():
        if 2 * difference > at or (2 * difference == at and included):
            break
        if kept(difference):
            return 2 * difference, True
    if included and at % 2 == 0 and at // 2 in distinct and not kept(at // 2):
        return at, False
    return at, included


def _surely_rejected_below(sums: WalshSums, ties: int, tail: float) -> int:
    """Return a sum below which, zeros dropped, every difference is rejected by Hoeffding's bound.

    At a difference that ``ties`` patients share, T+ is at least the number of sums above it less
    ``ties * n``, and its expectation and variance are at most those of n ranks without ties.
    """
    n = sums.values.size
    distance = math.sqrt(-math.log(tail) * n * (n + 1) * (2 * n + 1) / 12)
    sums_above = math.ceil(n * (n + 1) / 4 + distance) + ties * n + 1
    return sums[sums.size - sums_above] if sums_above <= sums.size else sums.smallest


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
    above = found.alternative == "less" or shifts.upper_exceeds(tail, 0, "wilcoxon")
    below = found.alternative == "greater" or shifts.lower_exceeds(tail, 0, "wilcoxon")
    if above and below:
        return []
    return [
        "With zeros dropped the test rejects 0 although the interval spans it: values on both "
        "sides of 0 are not rejected. Under zeros='pratt' this cannot happen."
    ]
