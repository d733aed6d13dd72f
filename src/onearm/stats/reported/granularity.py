"""Which means, percentages and standard deviations whole numbers can have at all.

GRIM (Brown & Heathers 2017) asks it of means and percentages, GRIMMER (Anaya 2016; Allard 2018) of
standard deviations. Here both are answered by counting in whole numbers and fractions: every data
set on the scale is covered, together with a printed median, minimum and maximum, so a "no" is a
proof.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from typing import Literal

from onearm.stats.reported.printed import Printed

#: Steps of counting above which a standard deviation is judged by necessary conditions only.
COUNTED_WORK = 1_500_000
#: Ways to place minimum, median and maximum above which they are not combined with the rest.
MOST_LAYOUTS = 1_000
#: Above this many patients a mean is not listed as attainable sums any more.
MOST_PATIENTS = 10_000


@dataclass(frozen=True)
class Grim:
    """Whether a printed mean or percentage is possible for n patients.

    ``totals`` are the sums (of a mean, in steps of the scale) or counts (of a percentage) that
    would be printed so, ascending; ``possible`` is false when there is none.
    """

    possible: bool
    n: int
    totals: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """What a report prints about the values of one group at one time; None is not printed."""

    mean: Printed | None = None
    sd: Printed | None = None
    median: Printed | None = None
    minimum: Printed | None = None
    maximum: Printed | None = None
    q1: Printed | None = None
    q3: Printed | None = None


@dataclass(frozen=True)
class Scale:
    """The values one patient can have: multiples of ``step`` from ``low`` to ``high``.

    ``step`` is None for a continuous measure, ``low`` and ``high`` are None where there is no limit.
    """

    step: Fraction | None = None
    low: Fraction | None = None
    high: Fraction | None = None


@dataclass(frozen=True)
class Layout:
    """One way in which sorted values can lie: ``count`` values from ``low`` to ``high``, each.

    Limits are whole steps, or None where only the standard deviation limits them.
    """

    segments: tuple[tuple[int, int | None, int | None], ...]


@dataclass(frozen=True)
class Joint:
    """Whether values on the scale exist that have everything printed about them at once.

    ``proof`` is ``"exhaustive"`` when all values on the scale were covered, ``"necessary"`` when
    only conditions were tested that every data set must meet, ``"none"`` when nothing could be
    tested. ``solutions`` lists (sum, sum of squares) in steps; it is empty where no SD is printed.
    """

    possible: bool
    proof: Literal["exhaustive", "necessary", "none"]
    n: int
    solutions: tuple[tuple[int, int], ...] = ()

    def sds(self) -> tuple[float, ...]:
        """Return the standard deviations, in steps, that the solutions have."""
        return tuple(
            sorted({math.sqrt((q - s * s / self.n) / (self.n - 1)) for s, q in self.solutions})
        )


def grim(mean: Printed, n: int, *, step: Fraction | int = 1) -> Grim:
    """Tell whether n values on a grid can have a mean that is printed so.

    Parameters
    ----------
    mean
        The mean as printed, by :func:`read_printed`.
    n
        Number of patients, at least 1.
    step
        Distance of neighbouring values on the scale: 1 for a score, 1/10 for one decimal.

    Raises
    ------
    ValueError
        If n is below 1, or the step is not positive.

    Notes
    -----
    Both ends of the rounding interval count, so that half up and half to even are admitted.

    References
    ----------
    Brown NJL, Heathers JAJ (2017) Soc Psychol Personal Sci 8:363-369.

    Examples
    --------
    >>> from onearm.stats.reported import read_printed
    >>> grim(read_printed("15.4"), 9).totals
    (139,)
    >>> grim(read_printed("15.4"), 6).possible
    False
    """
    _check_n(n)
    grid = Fraction(step)
    if grid <= 0:
        raise ValueError(f"step: found {step}; a distance above 0 expected; 1 is that of a score")
    if mean.lower is None or mean.upper is None:
        return Grim(True, n, ())
    return _totals(mean.lower * n / grid, mean.upper * n / grid, n)


def grim_percent(percent: Printed, n: int) -> Grim:
    """Tell which counts of n patients are printed as this percentage.

    Examples
    --------
    >>> from onearm.stats.reported import read_printed
    >>> grim_percent(read_printed("88.9"), 9).totals
    (8,)
    """
    _check_n(n)
    low = Fraction(0) if percent.lower is None else max(percent.lower, Fraction(0))
    high = Fraction(100) if percent.upper is None else min(percent.upper, Fraction(100))
    counts = range(math.ceil(low * n / 100), math.floor(high * n / 100) + 1)
    totals = tuple(k for k in counts if percent.admits(Fraction(100 * k, n)))
    return Grim(bool(totals), n, totals)


def _totals(low: Fraction, high: Fraction, n: int) -> Grim:
    first, last = math.ceil(low), math.floor(high)
    if last - first > MOST_PATIENTS:
        return Grim(True, n, ())
    return Grim(last >= first, n, tuple(range(first, last + 1)))


def _check_n(n: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(
            f"n: found {n!r}; a number of patients, 1 or more, is expected; correct it"
        )


# -- mean, SD, median, minimum and maximum together ------------------------------------------------


def joint(summary: Summary, n: int, scale: Scale) -> Joint:
    """Tell whether n values on a scale can have everything that is printed about them.

    Parameters
    ----------
    summary
        Mean, SD (n - 1), median, minimum and maximum as printed. Quartiles are left out: programs
        define them differently.
    n
        Number of patients, at least 1.
    scale
        With a step; a continuous scale excludes nothing here (see :func:`spread_limits`).

    Returns
    -------
    Joint
        For each place of minimum, median and maximum, the attainable sums and sums of squares are
        counted over all values (a bit set of sums of squares for each sum), not sampled.

    References
    ----------
    Anaya J (2016) PeerJ Preprints 4:e2400v1 (GRIMMER). Allard A (2018) Analytic-GRIMMER.

    Examples
    --------
    >>> from onearm.stats.reported import Scale, Summary, read_printed
    >>> score = Scale(Fraction(1), Fraction(0), Fraction(105))
    >>> both = Summary(mean=read_printed("15.4"), sd=read_printed("5.8"))
    >>> joint(both, 9, score).possible, joint(both, 6, score).possible
    (True, False)
    """
    _check_n(n)
    if scale.step is None:
        return Joint(True, "none", n)
    in_steps = [_in_steps(p, scale.step) for p in (summary.mean, summary.sd)]
    mean, sd = in_steps
    layouts = layouts_of(summary, n, scale)
    if layouts is None:
        plain = Summary(mean=summary.mean, sd=summary.sd)
        without = joint(plain, n, scale)
        return without if not without.possible else Joint(True, "necessary", n, without.solutions)
    if sd is None or n < 2 or sd.lower is None or sd.upper is None:
        return Joint(any(_mean_fits(x, mean, n) for x in layouts), "exhaustive", n)
    if mean is None or mean.lower is None or mean.upper is None:
        return Joint(bool(layouts), "necessary", n)
    found: set[tuple[int, int]] = set()
    sums = range(math.ceil(mean.lower * n), math.floor(mean.upper * n) + 1)
    work = counting_work(n, sd) * len(sums) * len(layouts)
    if work > COUNTED_WORK or len(sums) > MOST_LAYOUTS:
        return _by_parity(sums, sd, n)
    for layout, total in product(layouts, sums):
        found |= {(total, q) for q in squares_of(layout, total, n, sd)}
    return Joint(bool(found), "exhaustive", n, tuple(sorted(found)))


def layouts_of(summary: Summary, n: int, scale: Scale) -> tuple[Layout, ...] | None:
    """Return every way to place minimum, median and maximum on the scale; None when too many."""
    assert scale.step is not None
    low = None if scale.low is None else math.ceil(scale.low / scale.step)
    high = None if scale.high is None else math.floor(scale.high / scale.step)
    least = _whole_between(_in_steps(summary.minimum, scale.step), 1)
    most = _whole_between(_in_steps(summary.maximum, scale.step), 1)
    middle = _whole_between(_in_steps(summary.median, scale.step), 1 if n % 2 else 2)
    if any(x is not None and len(x) > MOST_LAYOUTS for x in (least, most, middle)):
        return None
    unknown: list[int | None] = [None]
    found: list[Layout] = []
    for a, b in product(least or unknown, most or unknown):
        if (least == [] or most == []) or not _ordered(low, a, b, high):
            continue
        bounds = (low if a is None else a, high if b is None else b)
        fixed = _fixed_ends(a, b)
        if middle is None:
            segments = _with_ends(n, *bounds, fixed)
            found += [Layout(segments)] if segments is not None else []
            continue
        for pair in _middles(middle, n, *bounds):
            segments = _around(n, pair, bounds, a is not None, b is not None)
            found += [Layout(segments)] if segments is not None else []
            if len(found) > MOST_LAYOUTS:
                return None
    return tuple(found)


def _fixed_ends(a: int | None, b: int | None) -> tuple[int, ...]:
    return tuple(x for x in (a, b) if x is not None)


def _with_ends(
    n: int, low: int | None, high: int | None, fixed: tuple[int, ...]
) -> tuple[tuple[int, int | None, int | None], ...] | None:
    """Values without a printed median: the printed ends, and the others between them."""
    if n == 1 and len(fixed) == 2:
        return ((1, fixed[0], fixed[0]),) if fixed[0] == fixed[1] else None
    ends = tuple((1, x, x) for x in fixed)
    return (*ends, (n - len(fixed), low, high)) if n > len(fixed) else ends


def _around(
    n: int,
    middle: tuple[int, int],
    bounds: tuple[int | None, int | None],
    fix_low: bool,
    fix_high: bool,
) -> tuple[tuple[int, int | None, int | None], ...] | None:
    """Values round their median: as many up to it as from it, a printed end among each."""
    low, high = bounds
    if n <= 2:
        if (fix_low and middle[0] != low) or (fix_high and middle[1] != high):
            return None
        return tuple((1, x, x) for x in middle[:n])
    centre = ((1, middle[0], middle[0]),) if n % 2 else tuple((1, x, x) for x in middle)
    side = (n - len(centre)) // 2
    below = _with_ends(side, low, middle[0], (low,) if fix_low and low is not None else ())
    above = _with_ends(side, middle[1], high, (high,) if fix_high and high is not None else ())
    assert below is not None and above is not None
    return (*below, *centre, *above)


def _middles(middle: list[int], n: int, low: int | None, high: int | None) -> list[tuple[int, int]]:
    """Return the two middle values (the same one twice for an odd number of patients)."""
    if n % 2:
        return [(m, m) for m in middle if _ordered(low, m, m, high)]
    pairs = []
    for double in middle:
        span = double - 2 * low if low is not None else MOST_LAYOUTS
        if high is not None:
            span = min(span, 2 * high - double)
        # Both parities of the sum: (m, m), (m - 1, m + 1), ... or (m, m + 1), (m - 1, m + 2), ...
        for gap in range(double % 2, min(span, MOST_LAYOUTS) + 1, 2):
            pairs.append(((double - gap) // 2, (double + gap) // 2))
    return pairs


def _ordered(*values: int | None) -> bool:
    known = [v for v in values if v is not None]
    return all(a <= b for a, b in pairwise(known))


def _whole_between(printed: Printed | None, parts: int) -> list[int] | None:
    """Return the whole numbers whose ``parts``-th is printed so; None when nothing is printed."""
    if printed is None or printed.lower is None or printed.upper is None:
        return None
    first, last = math.ceil(printed.lower * parts), math.floor(printed.upper * parts)
    return list(range(first, min(last, first + MOST_LAYOUTS + 1) + 1))


def _in_steps(printed: Printed | None, step: Fraction) -> Printed | None:
    return None if printed is None else printed.scaled(1 / step)


def _mean_fits(layout: Layout, mean: Printed | None, n: int) -> bool:
    """Without an SD, every sum from all lowest to all highest values is attained."""
    if mean is None or mean.lower is None or mean.upper is None:
        return True
    lows = [None if low is None else c * low for c, low, _ in layout.segments]
    highs = [None if high is None else c * high for c, _, high in layout.segments]
    least = None if None in lows else sum(x for x in lows if x is not None)
    most = None if None in highs else sum(x for x in highs if x is not None)
    first, last = math.ceil(mean.lower * n), math.floor(mean.upper * n)
    if least is not None:
        first = max(first, least)
    if most is not None:
        last = min(last, most)
    return first <= last


def _squares_about_mean(sd: Printed, n: int) -> tuple[Fraction, Fraction]:
    assert sd.lower is not None and sd.upper is not None
    return (n - 1) * max(sd.lower, Fraction(0)) ** 2, (n - 1) * sd.upper**2


def _reach(n: int, sd: Printed) -> int:
    """How far one value can lie from the mean: its square is at most SS (n - 1)/n."""
    most = _squares_about_mean(sd, n)[1] * (n - 1) / n
    return math.isqrt(math.floor(most)) + 2


def counting_work(n: int, sd: Printed) -> int:
    """Estimate the steps of :func:`count_squares`."""
    reach = _reach(n, sd)
    return n * (2 * reach + 1) * (2 * reach * max(1, math.isqrt(n)) + 1)


def squares_of(layout: Layout, total: int, n: int, sd: Printed) -> list[int]:
    """Return every sum of squares of values laid out so, with this sum and an SD printed so."""
    tables = count_squares(layout, total, n, sd)
    if not tables:
        return []
    centre, reachable = tables[0].centre, tables[-1].sets.get(total - n * tables[0].centre, 0)
    low, high = _squares_about_mean(sd, n)
    found = []
    while reachable:
        bit = reachable & -reachable
        about = bit.bit_length() - 1
        reachable ^= bit
        shifted = total - n * centre
        if low <= about - Fraction(shifted * shifted, n) <= high:
            found.append(about + 2 * centre * total - n * centre * centre)
    return found


@dataclass(frozen=True)
class Reachable:
    """After some of the values: for each sum a bit set of the sums of squares that occur.

    ``values`` is the range of the value added last, ``centre`` what was taken off every value
    beforehand so that squares stay small.
    """

    sets: dict[int, int]
    values: tuple[int, int]
    centre: int


def count_squares(layout: Layout, total: int, n: int, sd: Printed) -> list[Reachable]:
    """Count value after value which sums and sums of squares occur; empty when none can."""
    centre = round(Fraction(total, n))
    target = total - n * centre
    most = math.floor(_squares_about_mean(sd, n)[1] + Fraction(target * target, n))
    reach = _reach(n, sd)
    mask = (1 << (most + 1)) - 1
    tables: list[Reachable] = []
    sets = {0: 1}
    for count, low, high in layout.segments:
        first = -reach if low is None else max(low - centre, -reach)
        last = reach if high is None else min(high - centre, reach)
        for _ in range(count):
            after: dict[int, int] = {}
            for held, bits in sets.items():
                for value in range(first, last + 1):
                    moved = (bits << (value * value)) & mask
                    if moved:
                        after[held + value] = after.get(held + value, 0) | moved
            sets = after
            if not sets:
                return []
            tables.append(Reachable(sets, (first, last), centre))
    return tables


def _by_parity(sums: range, sd: Printed, n: int) -> Joint:
    """Judge by what every data set must meet: a whole sum of squares, as odd as the sum is."""
    low, high = _squares_about_mean(sd, n)
    for total in sums:
        first = math.ceil(low + Fraction(total * total, n))
        last = math.floor(high + Fraction(total * total, n))
        first += (first - total) % 2
        if first <= last:
            return Joint(True, "necessary", n)
    return Joint(False, "exhaustive", n)


# -- limits that hold on every scale ---------------------------------------------------------------


@dataclass(frozen=True)
class Limit:
    """One relation that the numbers of any data set keep.

    ``id`` is stable; ``words`` says the relation with the numbers in it.
    """

    id: str
    possible: bool
    words: str


def spread_limits(summary: Summary, n: int, scale: Scale) -> tuple[Limit, ...]:
    """Check order and spread: relations that hold for values of any kind.

    Returns
    -------
    tuple of Limit
        Only relations for which enough is printed. Each is called impossible only when no true
        values inside the rounding intervals keep it.

    References
    ----------
    Bhatia R, Davis C (2000) Am
    Math Mon 107:353-357; Mallows CL (1991) Am Stat 45:257 (mean and median).

    Examples
    --------
    >>> from onearm.stats.reported import Scale, Summary, read_printed
    >>> s = Summary(mean=read_printed("4.0"), sd=read_printed("9.0"),
    ...             minimum=read_printed("0"), maximum=read_printed("12"))
    >>> [limit.id for limit in spread_limits(s, 9, Scale()) if not limit.possible]
    ['sd.above_range']
    """
    _check_n(n)
    return (*_order_limits(summary), *_sd_limits(summary, n, scale))


def _order_limits(s: Summary) -> list[Limit]:
    pairs = (
        ("minimum", s.minimum, "q1", s.q1),
        ("minimum", s.minimum, "median", s.median),
        ("minimum", s.minimum, "mean", s.mean),
        ("minimum", s.minimum, "maximum", s.maximum),
        ("q1", s.q1, "median", s.median),
        ("q1", s.q1, "q3", s.q3),
        ("median", s.median, "q3", s.q3),
        ("median", s.median, "maximum", s.maximum),
        ("mean", s.mean, "maximum", s.maximum),
        ("q3", s.q3, "maximum", s.maximum),
    )
    found = []
    for first, a, second, b in pairs:
        if a is None or b is None:
            continue
        possible = a.lower is None or b.upper is None or a.lower <= b.upper
        relation = "is not above" if possible else "is above"
        found.append(
            Limit(
                f"order.{first}_{second}",
                possible,
                f"{first} {a.text} {relation} {second} {b.text}",
            )
        )
    return found


def _sd_limits(s: Summary, n: int, scale: Scale) -> list[Limit]:
    sd = s.sd
    if sd is None or sd.lower is None or sd.upper is None or n < 2:
        return []
    found = []
    if sd.value < 0:
        found.append(Limit("sd.negative", False, f"an SD of {sd.text} is below zero"))
    low = s.minimum.lower if s.minimum is not None else scale.low
    high = s.maximum.upper if s.maximum is not None else scale.high
    if low is not None and high is not None and s.mean is not None:
        most = _largest_sd(low, high, s.mean, n)
        possible = float(sd.lower) <= most * (1 + 1e-12)
        side = "at most" if possible else "no more than"
        found.append(
            Limit(
                "sd.above_range",
                possible,
                f"values from {float(low):g} to {float(high):g} with mean {s.mean.text} have an SD of "
                f"{side} {most:.3g} (printed {sd.text})",
            )
        )
    if s.minimum is not None and s.maximum is not None:
        assert s.maximum.lower is not None and s.minimum.upper is not None
        least = max(0.0, float(s.maximum.lower - s.minimum.upper)) / math.sqrt(2 * (n - 1))
        found.append(
            Limit(
                "sd.below_range",
                float(sd.upper) * (1 + 1e-12) >= least,
                f"values that reach from {s.minimum.text} to {s.maximum.text} have an SD of at least "
                f"{least:.3g} (printed {sd.text})",
            )
        )
    if s.mean is not None and s.median is not None and s.mean.lower is not None:
        assert s.mean.upper is not None
        assert s.median.lower is not None and s.median.upper is not None
        gap = max(0.0, float(s.mean.lower - s.median.upper), float(s.median.lower - s.mean.upper))
        most = float(sd.upper) * math.sqrt((n - 1) / n)
        found.append(
            Limit(
                "mean.median",
                gap <= most * (1 + 1e-12),
                f"mean {s.mean.text} and median {s.median.text} lie no more than {most:.3g} apart "
                f"when the SD is {sd.text}",
            )
        )
    return found


def _largest_sd(low: Fraction, high: Fraction, mean: Printed, n: int) -> float:
    """Return the largest SD (n - 1) of values from low to high whose mean is printed so."""
    assert mean.lower is not None and mean.upper is not None
    middle = (low + high) / 2
    at = min(max(middle, mean.lower), mean.upper)  # the mean nearest to the middle allows most
    return math.sqrt(max(0.0, float((at - low) * (high - at) * n / (n - 1))))
