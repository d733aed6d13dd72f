"""Changes on a scale of few values against all pairs listed one by one; exact rank sums with ties."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from onearm.stats.reported import Scale, attainable_mann_whitney, read_p, read_printed
from onearm.stats.reported.construction import p_by
from onearm.stats.reported.small_scale import (
    JUDGED,
    allowed_changes,
    attainable_on_small_scale,
)


@pytest.mark.parametrize(("before", "after"), [("2.00", "1.25"), ("1.5", "0.8"), ("0.3", "1.0")])
def test_the_changes_are_those_of_all_pairs_listed_one_by_one(before, after):
    n, k = 4, 2
    first, second = read_printed(before), read_printed(after)
    sets = set()
    for x in product(range(k + 1), repeat=n):
        for y in product(range(k + 1), repeat=n):
            if first.admits(Fraction(sum(x), n)) and second.admits(Fraction(sum(y), n)):
                held = Counter(b - a for a, b in zip(x, y, strict=True))
                sets.add(tuple(held[d] for d in range(-k, k + 1)))
    scale = Scale(Fraction(1), Fraction(0), Fraction(k))
    assert set(allowed_changes(first, second, n, scale) or ()) == sets


@pytest.mark.parametrize("test", JUDGED)
def test_each_p_is_that_of_the_test_itself(test):
    scale = Scale(Fraction(1), Fraction(1), Fraction(4))
    changes = allowed_changes(read_printed("3.1"), read_printed("2.4"), 7, scale)
    assert changes
    for counts in changes:
        d = np.repeat(np.arange(-3, 4), counts).astype(float)
        expected = p_by(test, np.zeros(7), d, d)
        if expected is None:
            continue
        found = attainable_on_small_scale(read_p(f"{expected:.12f}"), 7, test, (counts,))
        assert found.witness is not None
        assert found.witness.pvalue == pytest.approx(expected, rel=1e-9)


def test_the_exact_rank_sum_test_with_ties_gives_a_p_that_it_lacks_without():
    found = attainable_mann_whitney(read_p("0.024"), 5, "mann_whitney_exact")
    assert (found.verdict, found.proof) == ("possible", "exhaustive")
    assert found.witness is not None and found.witness.tied
    values = np.repeat(np.arange(len(found.witness.ties)), found.witness.ties)

    def distance(rows):
        x, y = values[list(rows)], np.delete(values, list(rows))
        return abs(np.sign(x[:, None] - y[None, :]).sum())

    all_distances = [distance(rows) for rows in combinations(range(10), 5)]
    least = 25 - 2 * (found.witness.statistic or 0)
    share = np.mean([value >= least for value in all_distances])
    assert share == pytest.approx(found.witness.pvalue)
