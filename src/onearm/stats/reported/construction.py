"""Constructed values that reproduce what a report prints. They are made up, never patient data.

They show that a reading of a report is possible, not that it is true: many other values would do.
Values are drawn, never chosen for looks; the generator is the caller's, so a search can be
repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, IntArray, mean_and_sd
from onearm.stats.paired import paired_t, sign_flip, sign_test
from onearm.stats.reported.attainable import MISUSED, SIGNED_RANK
from onearm.stats.reported.granularity import (
    COUNTED_WORK,
    Scale,
    Summary,
    count_squares,
    counting_work,
    layouts_of,
    squares_of,
)
from onearm.stats.reported.printed import Printed, prints_as
from onearm.stats.signed_rank import signed_rank

#: Sets of values drawn for one group, and pairings tried at a time and altogether.
GROUPS, BATCH, BATCHES = 400, 20_000, 6
#: Up to this many patients a batch has its full size; above, it shrinks as the square of n grows.
FULL_BATCH = 9
#: Pairings of one batch on which a test without a fast form is run.
RUN = 400
LABEL = "CONSTRUCTED: made-up values that reproduce the printed numbers; not patient data"

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Constructed:
    """Made-up pairs that reproduce a report's numbers when analysed by one test.

    ``label`` stands in every record: the values are constructed, not patient data. ``pvalue`` is
    what ``test`` gives for them; for a one-sided P, half of it was asked for. Of ``tried`` pairings
    at least ``hits`` gave the printed P; how often depends on how they were drawn.
    """

    test: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    pvalue: float
    correlation: float | None
    hits: int
    tried: int
    label: str = LABEL


def construct_pairs(
    p: Printed,
    n: int,
    before: Summary,
    after: Summary,
    tests: Sequence[str],
    *,
    rng: np.random.Generator,
    scale: Scale,
    scale_after: Scale | None = None,
    change: Summary | None = None,
) -> dict[str, Constructed]:
    """Search for made-up pairs that have the printed means, SDs, medians and P.

    Parameters
    ----------
    p
        Two-sided P as printed.
    n
        Number of patients, 2 to 30.
    before, after, change
        What is printed of each; parts that are None are free. Quartiles are not reproduced.
    tests
        For which tests pairs are wanted, by their names in :class:`Attainable`.
    rng
        Random generator; the same one gives the same pairs.
    scale, scale_after
        Values allowed before and after; on a continuous scale they are given one decimal more than
        the mean or median was printed with.

    Returns
    -------
    dict
        At most one record per test, each labelled as constructed. A test that is missing was not
        hit: that is no proof that it cannot be.

    Examples
    --------
    >>> from onearm.stats.reported import Scale, Summary, read_p, read_printed
    >>> def printed(mean, sd):
    ...     return Summary(mean=read_printed(mean), sd=read_printed(sd))
    >>> found = construct_pairs(
    ...     read_p("0.014"), 9, printed("15.4", "5.8"), printed("6.0", "4.8"), ["paired_t"],
    ...     rng=np.random.default_rng(1), scale=Scale(Fraction(1), Fraction(0), Fraction(105)))
    >>> sum(found["paired_t"].before), sum(found["paired_t"].after)
    (139.0, 54.0)
    """
    if not 2 <= n <= 30:
        raise ValueError(f"n: found {n}; 2 to 30 patients expected; larger sets are not searched")
    later = scale_after or scale
    step = scale.step or _fine_step(before, after)
    first = _groups(before, n, _on(scale, step), rng)
    second = _groups(after, n, _on(later, step), rng)
    if first.size == 0 or second.size == 0:
        return {}
    found: dict[str, Constructed] = {}
    # A misused test is shown when it turns up, and not waited for.
    wanted = [test for test in tests if test not in MISUSED] or list(tests)
    size = max(1_000, min(BATCH, BATCH * FULL_BATCH**2 // n**2))
    for batch in range(1, BATCHES + 1):
        x, y = _paired(first, second, size, rng)
        if change is not None:
            kept = _meets(y - x, change, step)
            x, y = x[kept], y[kept]
        for test in tests:
            if test in found or not len(x):
                continue
            rows = _giving(test, p, x, y)
            for row in rows:
                made = _checked(test, p, x[row], y[row], step, (before, after, change))
                if made is not None:
                    found[test] = replace(made, hits=len(rows), tried=batch * size)
                    break
        if all(test in found for test in wanted):
            break
    return found


def _fine_step(before: Summary, after: Summary) -> Fraction:
    printed = [x for s in (before, after) for x in (s.mean, s.median) if x is not None]
    return Fraction(1, 10 ** (max((x.decimals for x in printed), default=1) + 1))


def _on(scale: Scale, step: Fraction) -> Scale:
    return Scale(step, scale.low, scale.high)


# -- one group -------------------------------------------------------------------------------------


def _groups(summary: Summary, n: int, scale: Scale, rng: np.random.Generator) -> IntArray:
    """Draw sets of n values, in steps and ascending, that have everything printed about them."""
    counted = _counted_groups(summary, n, scale, rng)
    rows = _drawn_groups(summary, n, scale, rng) if counted is None else counted
    return np.sort(rows, axis=1)


def _counted_groups(
    summary: Summary, n: int, scale: Scale, rng: np.random.Generator
) -> IntArray | None:
    """Draw from all sets of values with the printed mean and SD; None where they are too many."""
    mean, sd = summary.mean, summary.sd
    assert scale.step is not None
    if mean is None or sd is None or mean.relation != "=" or sd.relation != "=":
        return None
    mean, sd = mean.scaled(1 / scale.step), sd.scaled(1 / scale.step)
    layouts = layouts_of(summary, n, scale)
    assert mean.lower is not None and mean.upper is not None
    sums = range(math.ceil(mean.lower * n), math.floor(mean.upper * n) + 1)
    if layouts is None or not sums or len(sums) > 20:
        return None
    if counting_work(n, sd) * len(sums) * len(layouts) > COUNTED_WORK:
        return None
    choices = []
    for layout in layouts:
        for total in sums:
            squares = squares_of(layout, total, n, sd)
            if squares:
                choices.append((count_squares(layout, total, n, sd), total, squares))
    if not choices:
        return np.empty((0, n), np.int64)
    rows = np.empty((GROUPS, n), np.int64)
    for row in range(GROUPS):
        tables, total, squares = choices[int(rng.integers(len(choices)))]
        centre = tables[0].centre
        held = total - n * centre
        about = int(rng.choice(squares)) - 2 * centre * total + n * centre * centre
        for place in range(n - 1, -1, -1):
            low, high = tables[place].values
            earlier = tables[place - 1].sets if place else {0: 1}
            fitting = [
                v
                for v in range(low, high + 1)
                if about >= v * v and earlier.get(held - v, 0) >> (about - v * v) & 1
            ]
            value = fitting[int(rng.integers(len(fitting)))]
            rows[row, place] = value + centre
            held, about = held - value, about - value * value
    return rows


def _drawn_groups(summary: Summary, n: int, scale: Scale, rng: np.random.Generator) -> IntArray:
    """Draw skewed and symmetric sets, move them to the printed values and keep those that fit."""
    assert scale.step is not None
    step = float(scale.step)
    kept: list[IntArray] = []
    for _ in range(20):
        raw = rng.standard_normal((BATCH // 4, n))
        skewed = np.exp(raw * rng.uniform(0.2, 1.2, (len(raw), 1)))
        shape = np.where(rng.random((len(raw), 1)) < 0.5, raw, skewed)
        shape = shape - shape.mean(axis=1, keepdims=True)
        spread = shape.std(axis=1, ddof=1, keepdims=True) if n > 1 else np.ones((len(raw), 1))
        values = shape / np.where(spread == 0, 1, spread) * _spreads(summary, scale, rng, len(raw))
        whole = np.rint((values + _centre(summary, scale)) / step).astype(np.int64)
        whole = _moved(whole, summary, scale, rng)
        low = -(2**62) if scale.low is None else math.ceil(scale.low / scale.step)
        high = 2**62 if scale.high is None else math.floor(scale.high / scale.step)
        fits = (whole >= low).all(axis=1) & (whole <= high).all(axis=1)
        kept.append(whole[fits & _meets(whole, summary, scale.step)])
        if sum(map(len, kept)) >= GROUPS:
            break
    return np.concatenate(kept)[:GROUPS]


def _centre(summary: Summary, scale: Scale) -> float:
    for printed in (summary.mean, summary.median):
        if printed is not None:
            return float(printed.value)
    ends = [float(x.value) for x in (summary.minimum, summary.maximum) if x is not None]
    if ends:
        return sum(ends) / len(ends)
    low = 0.0 if scale.low is None else float(scale.low)
    return (
        low + 10 * float(scale.step or 1) if scale.high is None else (low + float(scale.high)) / 2
    )


def _spreads(summary: Summary, scale: Scale, rng: np.random.Generator, rows: int) -> FloatArray:
    """Return a spread for each set: the printed SD, else one that the scale leaves room for."""
    sd = summary.sd
    if sd is not None and sd.lower is not None and sd.upper is not None:
        return rng.uniform(max(0.0, float(sd.lower)), float(sd.upper), (rows, 1))
    low = 0.0 if scale.low is None else float(scale.low)
    room = max(abs(_centre(summary, scale) - low), 3 * float(scale.step or 1))
    return rng.uniform(0.1, 1.0, (rows, 1)) * room


def _moved(whole: IntArray, summary: Summary, scale: Scale, rng: np.random.Generator) -> IntArray:
    """Move sets onto the printed minimum, maximum, median and mean as far as that is simple."""
    assert scale.step is not None
    n = whole.shape[1]
    moved = np.sort(whole, axis=1)
    for printed, place in ((summary.minimum, 0), (summary.maximum, n - 1)):
        if printed is not None:
            end = round(printed.value / scale.step)
            moved = np.maximum(moved, end) if place == 0 else np.minimum(moved, end)
            moved[:, place] = end
    if summary.median is not None:
        goal = math.ceil(2 * summary.median.value / scale.step)
        doubled = moved[:, (n - 1) // 2] + moved[:, n // 2]
        shift = (goal - doubled) // 2
        inner = slice(summary.minimum is not None, n - (summary.maximum is not None))
        moved[:, inner] += shift[:, None]
    elif summary.mean is not None and summary.mean.lower is not None:
        assert summary.mean.upper is not None
        goals = (summary.mean.lower * n / scale.step, summary.mean.upper * n / scale.step)
        first, last = math.ceil(goals[0]), math.floor(goals[1])
        if first <= last:
            short = rng.integers(first, last + 1, len(moved)) - moved.sum(axis=1)
            moved += (short // n)[:, None]
            extra = np.argsort(rng.random(moved.shape), axis=1) < (short % n)[:, None]
            moved += extra
    return moved


def _meets(whole: IntArray, summary: Summary, step: Fraction) -> Bools:
    """Tell which sets have the printed mean, SD, median, minimum and maximum."""
    values = whole * float(step)
    n = whole.shape[1]
    ordered = np.sort(values, axis=1)
    fits = np.ones(len(whole), bool)
    checks = [
        (summary.mean, values.mean(axis=1)),
        (summary.median, (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2),
        (summary.minimum, ordered[:, 0]),
        (summary.maximum, ordered[:, -1]),
    ]
    if n > 1:
        checks.append((summary.sd, values.std(axis=1, ddof=1)))
    for printed, got in checks:
        if printed is not None:
            fits &= _within(got, printed)
    return fits


def _within(values: FloatArray, printed: Printed) -> Bools:
    low = -math.inf if printed.lower is None else float(printed.lower)
    high = math.inf if printed.upper is None else float(printed.upper)
    spare = 1e-9 * max(abs(float(printed.value)), 1e-9)
    found: Bools = (values >= low - spare) & (values <= high + spare)
    if printed.open_lower:
        found &= values > low
    if printed.open_upper:
        found &= values < high
    return found


# -- pairs -----------------------------------------------------------------------------------------


def _paired(
    first: IntArray, second: IntArray, size: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Pair sets before with sets after, from wholly opposed to wholly alike in order."""
    x = first[rng.integers(len(first), size=size)]
    y = second[rng.integers(len(second), size=size)]
    n = x.shape[1]
    alike = rng.uniform(-1, 1, (size, 1))
    noise = rng.standard_normal((size, n))
    place = (np.arange(n) - (n - 1) / 2) / max(1.0, n / 3.46)
    order = np.argsort(np.argsort(alike * place + np.sqrt(1 - alike**2) * noise, axis=1), axis=1)
    return x, np.take_along_axis(y, order, axis=1)


def _giving(test: str, p: Printed, x: IntArray, y: IntArray) -> npt.NDArray[np.intp]:
    """Return the pairings that give the printed P by this test."""
    d = y - x
    if test in SIGNED_RANK:
        zeros, exact, correction = SIGNED_RANK[test]
        approximate = _normal_p(d, zeros == "pratt", correction)
        if not exact:
            return np.flatnonzero(_within(approximate, p))
        return _run(d, approximate, p, lambda row: signed_rank(row, zeros=zeros).pvalue)
    if test == "paired_t":
        return np.flatnonzero(_within(_t_p(d), p))
    if test == "sign_flip":
        return _run(d, _t_p(d), p, lambda row: sign_flip(row).pvalue)
    if test == "sign_test":
        return _run(d, _sign_p(d), p, lambda row: sign_test(row).pvalue)
    if test in ("mann_whitney_normal", "mann_whitney_normal_cc"):
        return np.flatnonzero(_within(_rank_sum(x, y, test.endswith("cc")), p))
    if test in ("unpaired_t", "welch_t"):
        return np.flatnonzero(_within(_groups_t_p(x, y, test == "welch_t"), p))
    return np.empty(0, np.intp)


def _run(
    d: IntArray, near: FloatArray, p: Printed, pvalue: Callable[[IntArray], float]
) -> npt.NDArray[np.intp]:
    """Run a slow test on some of the pairings whose approximate P is near the printed one."""
    low, high = float(p.lower or 0) / 2, float(p.upper if p.upper is not None else 1) * 2
    rows = np.flatnonzero((near >= low) & (near <= high))
    rows = rows[:: max(1, len(rows) // RUN)]
    return np.array([r for r in rows.tolist() if p.admits(pvalue(d[r]))], np.intp)


def _normal_p(d: IntArray, pratt: bool, correction: bool) -> FloatArray:
    """Return two-sided P of the normal approximation of the signed-rank test, row by row."""
    from scipy.special import erfc

    size = np.abs(d)
    below = (size[:, :, None] > size[:, None, :]).sum(axis=2)
    level = (size[:, :, None] == size[:, None, :]).sum(axis=2)
    ranks = below + (level + 1) / 2
    n_zero = (d == 0).sum(axis=1, keepdims=True)
    ranks = np.where(d == 0, 0.0, ranks if pratt else ranks - n_zero)
    distance = np.abs((ranks * (d > 0)).sum(axis=1) - ranks.sum(axis=1) / 2)
    if correction:
        distance = np.where(distance == 0, 0.0, np.abs(distance - 0.5))
    variance = (ranks**2).sum(axis=1) / 4
    z = np.divide(distance, np.sqrt(variance), out=np.zeros(len(d)), where=variance > 0)
    values: FloatArray = erfc(z / math.sqrt(2))
    return values


def _t_p(d: IntArray) -> FloatArray:
    from scipy.special import betainc

    n = d.shape[1]
    mean, sd = d.mean(axis=1), d.std(axis=1, ddof=1)
    t2 = np.divide(mean**2 * n, sd**2, out=np.full(len(d), np.inf), where=sd > 0)
    values: FloatArray = betainc((n - 1) / 2, 0.5, (n - 1) / (n - 1 + t2))
    return np.where(sd > 0, values, np.nan)


def _groups_t_p(x: IntArray, y: IntArray, welch: bool) -> FloatArray:
    from scipy.special import betainc

    n = x.shape[1]
    a, b = x.var(axis=1, ddof=1), y.var(axis=1, ddof=1)
    spread = np.where(a + b > 0, a + b, np.nan)
    squares = np.where(a + b > 0, a * a + b * b, np.nan)
    df = (n - 1) * spread**2 / squares if welch else np.full(len(x), 2.0 * (n - 1))
    t2 = (y.mean(axis=1) - x.mean(axis=1)) ** 2 * n / spread
    values: FloatArray = betainc(df / 2, 0.5, df / (df + t2))
    return values


def _sign_p(d: IntArray) -> FloatArray:
    from scipy.special import betainc

    up, down = (d > 0).sum(axis=1), (d < 0).sum(axis=1)
    fewer, m = np.minimum(up, down), up + down
    tail = betainc(np.maximum(m - fewer, 1), fewer + 1, 0.5)
    values: FloatArray = np.where(m == 0, 1.0, np.minimum(1.0, 2 * tail))
    return values


def _rank_sum(x: IntArray, y: IntArray, correction: bool) -> FloatArray:
    from scipy.special import erfc

    n = x.shape[1]
    u = (x[:, :, None] > y[:, None, :]).sum((1, 2)) + (x[:, :, None] == y[:, None, :]).sum(
        (1, 2)
    ) / 2
    both = np.concatenate([x, y], axis=1)
    level = (both[:, :, None] == both[:, None, :]).sum(axis=2)
    ties = (level**2 - 1).sum(axis=1) / (2 * n * (2 * n - 1))
    variance = n * n / 12 * (2 * n + 1 - ties)
    distance = np.abs(u - n * n / 2)
    if correction:
        distance = np.where(distance == 0, 0.0, np.abs(distance - 0.5))
    z = np.divide(distance, np.sqrt(variance), out=np.zeros(len(x)), where=variance > 0)
    values: FloatArray = erfc(z / math.sqrt(2))
    return values


# -- the check of what was found -------------------------------------------------------------------


def _checked(
    test: str,
    p: Printed,
    x: IntArray,
    y: IntArray,
    step: Fraction,
    printed: tuple[Summary, Summary, Summary | None],
) -> Constructed | None:
    """Analyse the pairs anew with the functions of onearm.stats; None where anything differs."""
    before = np.array([float(int(v) * step) for v in x])
    after = np.array([float(int(v) * step) for v in y])
    change = np.array([float(int(b - a) * step) for a, b in zip(x, y, strict=True)])
    pvalue = p_by(test, before, after, change)
    if pvalue is None or not p.admits(pvalue):
        return None
    for values, summary in zip((before, after, change), printed, strict=True):
        if summary is not None and not _reproduces(values, summary):
            return None
    return Constructed(
        test, tuple(before.tolist()), tuple(after.tolist()), pvalue, _pearson(before, after), 1, 1
    )


def p_by(test: str, before: FloatArray, after: FloatArray, change: FloatArray) -> float | None:
    """Return the two-sided P of a named test for pairs; None where it is not defined for them."""
    if test in SIGNED_RANK:
        zeros, exact, correction = SIGNED_RANK[test]
        method = "exact" if exact else "normal"
        return signed_rank(change, zeros=zeros, method=method, correction=correction).pvalue  # type: ignore[arg-type]
    if test == "sign_test":
        return sign_test(change).pvalue
    if test == "sign_flip":
        return sign_flip(change, rng=np.random.default_rng(1)).pvalue
    if test == "paired_t":
        return None if np.ptp(change) == 0 else paired_t(change).pvalue
    x, y = before[None, :], after[None, :]
    if test in ("mann_whitney_normal", "mann_whitney_normal_cc"):
        return float(_rank_sum(x, y, test.endswith("cc"))[0])  # type: ignore[arg-type]
    if np.ptp(before) == 0 and np.ptp(after) == 0:
        return None
    return float(_groups_t_p(x, y, test == "welch_t")[0])  # type: ignore[arg-type]


def _reproduces(values: FloatArray, summary: Summary) -> bool:
    mean, sd = mean_and_sd(values)
    found = (
        (summary.mean, mean),
        (summary.sd, sd),
        (summary.median, float(np.median(values))),
        (summary.minimum, float(values.min())),
        (summary.maximum, float(values.max())),
    )
    # A sum of binary decimals may miss a tie by a breath: 12 digits decide.
    return all(
        printed is None or prints_as(float(f"{value:.12g}"), printed) for printed, value in found
    )


def _pearson(before: FloatArray, after: FloatArray) -> float | None:
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return None
    return float(np.corrcoef(before, after)[0, 1])
