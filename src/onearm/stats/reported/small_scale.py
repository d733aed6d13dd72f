"""Every set of changes on a scale of few values that two printed means allow, and its P values.

On a binary scale, or one of few whole numbers, the changes of n patients are few enough to list: how
many patients change by how much. A set of changes can be with a sum before and a sum after when each
patient can start so that both values lie within the range; the sums of such starts have no gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np

from onearm.stats.reported.attainable import (
    SIGNED_RANK,
    Attainable,
    Witness,
    _inside,
    _neighbours,
)
from onearm.stats.reported.granularity import Scale
from onearm.stats.reported.printed import Printed

#: Sets of changes listed at most, before the means are looked at.
MOST_SETS = 100_000
#: Most patients.
MOST_PATIENTS = 60
#: The tests judged here.
JUDGED = (*SIGNED_RANK, "sign_test", "sign_flip", "paired_t")
#: Bits for one count in a product of many: 2**60 sign patterns at most.
_FIELD = 64

Counts = tuple[int, ...]


def allowed_changes(
    before: Printed, after: Printed, n: int, scale: Scale, change: Printed | None = None
) -> tuple[Counts, ...] | None:
    """List how many patients can change by -k, ..., 0, ..., k steps, with these printed means.

    Parameters
    ----------
    before, after, change
        Printed means.
    n
        Number of patients.
    scale
        With a step, a lowest and a highest value.

    Returns
    -------
    tuple or None
        One tuple of 2k + 1 counts for each set of changes; None when the sets are too many to list,
        the scale has no range, or a mean cannot be.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from onearm.stats.reported import Scale, read_printed
    >>> binary = Scale(Fraction(1), Fraction(0), Fraction(1))
    >>> allowed_changes(read_printed("0.44"), read_printed("0.89"), 9, binary)
    ((0, 5, 4), (1, 3, 5))
    """
    if scale.step is None or scale.low is None or scale.high is None:
        return None
    k = int((scale.high - scale.low) / scale.step)
    if n > MOST_PATIENTS or k < 1 or math.comb(n + 2 * k, 2 * k) > MOST_SETS:
        return None
    low = math.ceil(scale.low / scale.step) * scale.step

    def sums(mean: Printed) -> list[int]:
        return [t for t in range(n * k + 1) if mean.admits(low + Fraction(t, n) * scale.step)]  # type: ignore[operator]

    starts, ends = sums(before), sums(after)
    if not starts or not ends:
        return None
    by_total: dict[int, list[int]] = {}
    for start in starts:
        for end in ends:
            if change is None or change.admits(Fraction(end - start, n) * scale.step):
                by_total.setdefault(end - start, []).append(start)
    found = []
    for total, at in sorted(by_total.items()):
        for counts in _sets(n, total, tuple(range(-k, k + 1))):
            least = sum(max(0, -d) * c for d, c in zip(range(-k, k + 1), counts, strict=True))
            most = sum(min(k, k - d) * c for d, c in zip(range(-k, k + 1), counts, strict=True))
            if any(least <= start <= most for start in at):
                found.append(counts)
    return tuple(found)


def _sets(n: int, total: int, values: tuple[int, ...]) -> Iterator[Counts]:
    """List how often each value can occur in n with this total."""
    first, rest = values[0], values[1:]
    if not rest:
        if first * n == total:
            yield (n,)
        return
    for count in range(n + 1):
        left, still = n - count, total - first * count
        if rest[0] * left <= still <= rest[-1] * left:
            for more in _sets(left, still, rest):
                yield (count, *more)


def attainable_on_small_scale(
    p: Printed, n: int, test: str, changes: tuple[Counts, ...], *, falling: bool | None = None
) -> Attainable:
    """Tell whether a test of paired values gives a printed two-sided P with any of these changes.

    Parameters
    ----------
    p, n, test
        The P value as printed, the number of patients, the name of a test in ``JUDGED``.
    changes
        From :func:`allowed_changes`.
    falling
        Whether the mean falls; the witness counts who change against it. None: the fewer.

    Returns
    -------
    Attainable
        A proof both ways; the witness has the fewest unchanged and tied patients.

    Examples
    --------
    >>> from onearm.stats.reported import read_p
    >>> both = ((0, 5, 4), (1, 3, 5))
    >>> found = attainable_on_small_scale(read_p("0.125"), 9, "sign_test", both, falling=False)
    >>> found.verdict, found.witness.n_zero, found.witness.against
    ('possible', 5, 0)
    """
    each = [(_witness(test, counts, falling), counts) for counts in changes]
    witnesses = [w for w, _ in each if w is not None]
    values = np.array([w.pvalue for w in witnesses])
    inside = _inside(values, p)
    below, above = _neighbours(values, inside, p)
    hits = [w for w, hit in zip(witnesses, inside.tolist(), strict=True) if hit]
    best = min(
        hits, key=lambda w: (2 * w.n_zero + sum(w.ties) - len(w.ties), w.n_zero), default=None
    )
    return Attainable(
        test, n, "possible" if hits else "impossible", "exhaustive", len(hits),
        below, above, None, None, best,
    )  # fmt: skip


def _witness(test: str, counts: Counts, falling: bool | None) -> Witness | None:
    """Return the test's P for one set of changes; None where it has none."""
    k = len(counts) // 2
    n_zero, n = counts[k], sum(counts)
    rises, falls = counts[k + 1 :], counts[:k][::-1]
    sizes = tuple(a + b for a, b in zip(rises, falls, strict=True))
    groups = tuple(s for s in sizes if s)
    m = sum(sizes)
    up, down = sum(rises), sum(falls)
    against = min(up, down) if falling is None else up if falling else down
    if test == "paired_t":
        pvalue = _paired_t_p(counts)
        return None if pvalue is None else Witness(pvalue, None, n_zero, groups, against)
    if m == 0:
        return None
    if test == "sign_test":
        tail = sum(math.comb(m, i) for i in range(min(up, down) + 1))
        pvalue = float(min(Fraction(1), Fraction(2 * tail, 2**m)))
        return Witness(pvalue, float(min(up, down)), n_zero, (1,) * m, against)
    if test == "sign_flip":
        weights: Counts = tuple(range(1, k + 1))
        exact, corrected = True, False
    else:
        zeros, exact, corrected = SIGNED_RANK[test]
        passed, ranks = n_zero if zeros == "pratt" else 0, []
        for size in sizes:
            ranks.append(2 * passed + size + 1)
            passed += size
        weights = tuple(ranks)
    positive = sum(w * c for w, c in zip(weights, rises, strict=True))
    total = sum(w * c for w, c in zip(weights, sizes, strict=True))
    smaller = min(positive, total - positive)
    statistic = None if test == "sign_flip" else smaller / 2
    if exact:
        tails = _tails(weights, sizes)
        pvalue = min(1.0, tails[smaller] / 2 ** (m - 1))
    else:
        distance = (total / 2 - smaller) / 2
        if corrected and distance:
            distance = abs(distance - 0.5)
        spread = math.sqrt(sum(c * (w / 2) ** 2 for w, c in zip(weights, sizes, strict=True)) / 4)
        pvalue = math.erfc(distance / spread / math.sqrt(2))
    assert n == m + n_zero
    return Witness(pvalue, statistic, n_zero, groups, against)


@lru_cache(maxsize=4096)
def _tails(weights: Counts, sizes: Counts) -> tuple[int, ...]:
    """Count the sign patterns whose positive sum is at most 0, 1, 2, ...; exact."""
    product = 1
    for weight, size in zip(weights, sizes, strict=True):
        for _ in range(size):
            product += product << (_FIELD * weight)
    found, running, mask = [], 0, (1 << _FIELD) - 1
    while product:
        running += product & mask
        found.append(running)
        product >>= _FIELD
    return tuple(found)


def _paired_t_p(counts: Counts) -> float | None:
    from scipy.special import betainc

    k, n = len(counts) // 2, sum(counts)
    total = sum(d * c for d, c in zip(range(-k, k + 1), counts, strict=True))
    squares = sum(d * d * c for d, c in zip(range(-k, k + 1), counts, strict=True))
    about = Fraction(squares) - Fraction(total * total, n)
    if n < 2 or about == 0:
        return None
    t2 = Fraction(total * total, n) * (n - 1) / about
    return float(betainc((n - 1) / 2, 0.5, (n - 1) / (n - 1 + float(t2))))
