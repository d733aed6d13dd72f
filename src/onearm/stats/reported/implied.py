"""What a printed P says about numbers that were not printed, over the rounding of all that were.

The paired t test ties four things together: mean change, standard deviation of the change, n and P.
With P printed and the spread of the change not, the spread follows; with the standard deviations
before and after printed, so does the correlation of the two readings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from onearm.stats.differences import check_level
from onearm.stats.reported.printed import Printed


@dataclass(frozen=True)
class Range:
    """A number from the printed values as they stand, and its limits over their rounding.

    ``nominal`` is None where a printed value has none, such as P < 0.001. Limits can be infinite.
    """

    nominal: float | None
    lower: float
    upper: float

    def apart_from(self, other: Range) -> bool:
        """Tell whether the two ranges have no number in common."""
        return self.upper < other.lower or other.upper < self.lower


@dataclass(frozen=True)
class ImpliedChange:
    """What a two-sided P of the paired t test implies.

    Attributes
    ----------
    n
        Number of patients.
    mean
        Mean change (after minus before) as printed or as the difference of the means.
    statistic
        Absolute t.
    sd
        Standard deviation of the changes.
    correlation
        Pearson's r between before and after; None where an SD is not printed.
    lower, upper
        Limits of the confidence interval of the mean change, each with its range over rounding.
    reversal
        Probability of a sample correlation at or below the implied one when before and after are
        not correlated at all (normal values); None without a correlation inside (-1, 1).
    """

    n: int
    mean: Range
    statistic: Range
    sd: Range
    correlation: Range | None
    lower: Range | None
    upper: Range | None
    conf_level: float
    reversal: float | None

    @property
    def possible(self) -> bool:
        """Whether a correlation between -1 and 1 is among those implied."""
        r = self.correlation
        return r is None or (r.lower <= 1 and r.upper >= -1)


def implied_change(
    p: Printed,
    n: int,
    mean: Range,
    sd_before: Printed | None = None,
    sd_after: Printed | None = None,
    *,
    conf_level: float = 0.95,
) -> ImpliedChange | None:
    """Give the SD of the change, the correlation and the interval that a paired t test implies.

    Parameters
    ----------
    p
        The two-sided P value as printed.
    n
        Number of patients, at least 2.
    mean
        Mean change with its limits, by :func:`mean_change`.
    sd_before, sd_after
        Standard deviations (n - 1) as printed, or None.
    conf_level
        Level of the interval of the mean change.

    Returns
    -------
    ImpliedChange or None
        None when P can be no t test's: P = 1 or a mean change of exactly 0 says nothing of spread.

    Notes
    -----
    sd = |mean| sqrt(n)/t and r = (s1^2 + s2^2 - sd^2)/(2 s1 s2). Limits run over every combination
    of true values that round to the printed ones, both ends included; r is searched at the corners
    and where it turns in s1 or s2 (s1^2 = s2^2 - sd^2).

    References
    ----------
    Higgins JPT et al (2023) Cochrane Handbook, 6.5.2.8 (SD of change from P and correlation).

    Examples
    --------
    >>> from onearm.stats.reported import mean_change, read_p, read_printed
    >>> change = mean_change(read_printed("15.4"), read_printed("6.0"))
    >>> got = implied_change(read_p("0.014"), 9, change, read_printed("5.8"), read_printed("4.8"))
    >>> round(got.sd.nominal, 1), round(got.correlation.nominal, 2)
    (9.0, -0.44)
    """
    check_level(conf_level)
    if n < 2:
        raise ValueError(f"n: found {n}; at least 2 patients expected; a t test needs a spread")
    t = _statistics(p, n - 1)
    if t.upper <= 0 or (mean.lower == 0 == mean.upper):
        return None
    size = _size_of(mean)
    root = math.sqrt(n)
    sd = Range(
        None if not t.nominal or not size.nominal else size.nominal * root / t.nominal,
        0.0 if math.isinf(t.upper) else size.lower * root / t.upper,
        math.inf if t.lower <= 0 else size.upper * root / t.lower,
    )
    correlation = _correlation(sd, sd_before, sd_after)
    lower, upper = _interval(mean, t, n - 1, conf_level)
    return ImpliedChange(
        n, mean, t, sd, correlation, lower, upper, conf_level, _reversal(correlation, n)
    )


def mean_change(
    before: Printed | None,
    after: Printed | None,
    change: Printed | None = None,
    *,
    sums: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    n: int = 0,
    step: Fraction = Fraction(1),
) -> Range | None:
    """Return the mean change with its limits; None where the means are not printed.

    Parameters
    ----------
    before, after, change
        Means as printed. Where the mean change is printed it narrows the difference of the means.
    sums, n, step
        For values on a grid, the attainable sums before and after (by :func:`grim`): they narrow
        the limits to what whole numbers allow.
    """
    limits: list[tuple[Fraction, Fraction]] = []
    nominal: Fraction | None = None
    if before is not None and after is not None and _rounded(before) and _rounded(after):
        nominal = after.value - before.value
        first = (before.lower, before.upper)
        second = (after.lower, after.upper)
        if sums is not None and sums[0] and sums[1]:
            first = (sums[0][0] * step / n, sums[0][-1] * step / n)
            second = (sums[1][0] * step / n, sums[1][-1] * step / n)
        assert first[0] is not None and first[1] is not None
        assert second[0] is not None and second[1] is not None
        limits.append((second[0] - first[1], second[1] - first[0]))
    if change is not None and change.lower is not None and change.upper is not None:
        nominal = change.value
        limits.append((change.lower, change.upper))
    if not limits:
        return None
    low, high = max(x for x, _ in limits), min(x for _, x in limits)
    if low > high:  # they contradict one another, which another check says
        low, high = limits[-1]
    assert nominal is not None
    return Range(
        float(min(max(nominal, low), high)) if sums else float(nominal), float(low), float(high)
    )


def _rounded(printed: Printed) -> bool:
    return printed.relation == "="


def _size_of(mean: Range) -> Range:
    """Return the absolute mean change with its limits."""
    nominal = None if mean.nominal is None else abs(mean.nominal)
    ends = (abs(mean.lower), abs(mean.upper))
    return Range(nominal, 0.0 if mean.lower <= 0 <= mean.upper else min(ends), max(ends))


def _statistics(p: Printed, df: int) -> Range:
    """Return the absolute t that belong to a two-sided P."""
    assert p.lower is not None and p.upper is not None
    low, high = float(p.lower), float(p.upper)
    nominal = t_of(float(p.value), df) if p.relation == "=" and 0 < p.value < 1 else None
    return Range(nominal, t_of(high, df), math.inf if low <= 0 else t_of(low, df))


def t_of(p: float, df: int) -> float:
    """Return the absolute t whose two-sided P is p."""
    from scipy.special import stdtrit

    return max(0.0, -float(stdtrit(df, p / 2))) if p < 1 else 0.0


def p_of(t: float, df: float) -> float:
    """Return the two-sided P of an absolute t."""
    from scipy.special import betainc

    return 0.0 if math.isinf(t) else float(betainc(df / 2, 0.5, df / (df + t * t)))


def _interval(mean: Range, t: Range, df: int, level: float) -> tuple[Range | None, Range | None]:
    """Return the limits of the mean change: mean -/+ |mean| t_level/t."""
    reach = t_of(1 - level, df)

    def ratio(value: float) -> float:
        return math.inf if value <= 0 else 0.0 if math.isinf(value) else reach / value

    def ends(sign: int) -> Range:
        # The limit is monotone in the ratio, and in the mean on either side of no change.
        means = [mean.lower, mean.upper] + ([0.0] if mean.lower < 0 < mean.upper else [])
        corners = [
            m + sign * (abs(m) * r if m else 0.0)
            for m, r in product(means, (ratio(t.lower), ratio(t.upper)))
        ]
        nominal = None
        if mean.nominal and t.nominal:
            nominal = mean.nominal + sign * abs(mean.nominal) * ratio(t.nominal)
        return Range(nominal, min(corners), max(corners))

    return ends(-1), ends(1)


def _correlation(sd: Range, before: Printed | None, after: Printed | None) -> Range | None:
    if before is None or after is None or not (_rounded(before) and _rounded(after)):
        return None
    assert before.lower is not None and before.upper is not None
    assert after.lower is not None and after.upper is not None
    if before.upper <= 0 or after.upper <= 0:
        return None
    first = [max(float(x), 1e-12) for x in (before.lower, before.upper)]
    second = [max(float(x), 1e-12) for x in (after.lower, after.upper)]
    nominal = None
    if sd.nominal is not None and before.value > 0 and after.value > 0:
        nominal = correlation_of(float(before.value), float(after.value), sd.nominal)
    candidates = []
    for spread in (sd.lower, sd.upper):
        if math.isinf(spread):
            candidates.append(-math.inf)
            continue
        pairs = list(product(first, second))
        # In s1 the correlation turns where s1**2 = s2**2 - sd**2, and likewise in s2.
        for b in second:
            turn = math.sqrt(max(0.0, b * b - spread * spread))
            pairs += [(turn, b)] if first[0] < turn < first[1] else []
        for a in first:
            turn = math.sqrt(max(0.0, a * a - spread * spread))
            pairs += [(a, turn)] if second[0] < turn < second[1] else []
        candidates += [correlation_of(a, b, spread) for a, b in pairs]
    return Range(nominal, min(candidates), max(candidates))


def correlation_of(sd_before: float, sd_after: float, sd_change: float) -> float:
    """Return Pearson's r from the standard deviations before, after and of the change."""
    return (sd_before**2 + sd_after**2 - sd_change**2) / (2 * sd_before * sd_after)


def _reversal(r: Range | None, n: int) -> float | None:
    if r is None or r.nominal is None or not -1 < r.nominal < 1 or n < 3:
        return None
    t = r.nominal * math.sqrt((n - 2) / (1 - r.nominal**2))
    tail = p_of(abs(t), n - 2) / 2
    return tail if t < 0 else 1 - tail


# -- the other direction: P from what is printed ---------------------------------------------------


def implied_p(mean: Range, sd: Range, n: int) -> Range:
    """Return the P of the paired t test from the mean change and its standard deviation.

    Examples
    --------
    >>> round(implied_p(Range(-9.4, -9.5, -9.3), Range(9.0, 8.95, 9.05), 9).nominal, 4)
    0.0139
    """
    size = _size_of(mean)
    root = math.sqrt(n)

    def at(m: float, s: float) -> float:
        return p_of(math.inf if s <= 0 else m * root / s, n - 1) if m else 1.0

    nominal = None
    if size.nominal is not None and sd.nominal is not None:
        nominal = at(size.nominal, sd.nominal)
    return Range(nominal, at(size.upper, max(sd.lower, 0.0)), at(size.lower, sd.upper))


def unpaired_p(
    mean: Range, sd_before: Printed, sd_after: Printed, n: int, *, welch: bool = False
) -> Range | None:
    """Return the P that a t test for independent groups gives, over the rounding.

    The test takes paired values for independent ones; it is here because reports misuse it.

    Parameters
    ----------
    mean
        Mean change with its limits.
    sd_before, sd_after
        Standard deviations as printed.
    n
        Number of patients; both groups have this many values.
    welch
        Whether the variances are taken as different, with Welch's degrees of freedom.

    Examples
    --------
    >>> from onearm.stats.reported import mean_change, read_printed
    >>> change = mean_change(read_printed("15.4"), read_printed("6.0"))
    >>> round(unpaired_p(change, read_printed("5.8"), read_printed("4.8"), 9).nominal, 4)
    0.0018
    """
    if not (_rounded(sd_before) and _rounded(sd_after)) or n < 2:
        return None
    assert sd_before.lower is not None and sd_before.upper is not None
    assert sd_after.lower is not None and sd_after.upper is not None
    size = _size_of(mean)
    lows = [max(float(x.lower or 0), 0.0) for x in (sd_before, sd_after)]
    highs = [float(x.upper or 0) for x in (sd_before, sd_after)]
    values = (float(sd_before.value), float(sd_after.value))
    # Degrees of freedom turn only where the SDs are equal, so the corners and that point bound them.
    corners = list(product((lows[0], highs[0]), (lows[1], highs[1])))
    freedom = [_welch_df(a, b, n) if welch else 2.0 * (n - 1) for a, b in corners]
    if welch and lows[0] <= highs[1] and lows[1] <= highs[0]:
        freedom.append(2.0 * (n - 1))

    def t_at(m: float, a: float, b: float) -> float:
        spread = math.sqrt((a * a + b * b) / n)
        return math.inf if spread == 0 and m else m / spread if m else 0.0

    nominal = None
    if size.nominal is not None:
        df = _welch_df(values[0], values[1], n) if welch else 2.0 * (n - 1)
        nominal = p_of(t_at(size.nominal, *values), df)
    return Range(
        nominal,
        p_of(t_at(size.upper, *lows), max(freedom)),
        p_of(t_at(size.lower, *highs), min(freedom)),
    )


def _welch_df(a: float, b: float, n: int) -> float:
    if a == 0 and b == 0:
        return 2.0 * (n - 1)
    return (n - 1) * (a * a + b * b) ** 2 / (a**4 + b**4)
