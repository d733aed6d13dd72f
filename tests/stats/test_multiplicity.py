"""Adjusted P values: R, and the closed test over all intersections, from the definitions."""

import csv
import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats.multiplicity import bonferroni, gatekeeping, hierarchical, hochberg, holm

REFERENCE = Path(__file__).parents[1] / "reference" / "stats_multiplicity.csv"
#: P values that meet limits, ties and ends, mixed with any others.
P = st.one_of(st.sampled_from([0.0, 0.001, 0.0125, 0.025, 0.05, 0.2, 1.0]), st.floats(1e-300, 1))
WEIGHT = st.sampled_from([1.0, 2.0, 0.5, 9.0])


def numbers(text):
    return [float(number) for number in text.split()]


def from_r(*methods):
    with REFERENCE.open() as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return [row for row in rows if row["method"] in methods]


def closed(pvalues, local):
    """Adjust by the closed test: the largest local P over all intersections that hold j."""
    n = len(pvalues)
    sets = [s for r in range(1, n + 1) for s in itertools.combinations(range(n), r)]
    of_set = {s: min(1.0, local(s)) for s in sets}
    return [max(p for s, p in of_set.items() if j in s) for j in range(n)]


def weighted_bonferroni(pvalues, shares):
    """Return the local P of an intersection in which hypothesis j is tested at shares[j] alpha."""
    return min((pvalues[j] / v for j, v in shares.items() if v > 0), default=1.0)


def gatekeeping_shares(members, kinds, weights, inside):
    """Return the shares of Dmitrienko, Offen & Westfall (2003), section 3, for an intersection."""
    left, shares = 1.0, {}
    for f, (family, kind) in enumerate(zip(members, kinds, strict=True)):
        present = [j for j in family if j in inside]
        if not present:
            continue
        normed = kind == "serial" or f == len(members) - 1
        total = math.fsum(weights[j] for j in (present if normed else family))
        for j in present:
            shares[j] = left * weights[j] / total
        left = 0.0 if normed else left * (1 - math.fsum(weights[j] for j in present) / total)
    return shares


def test_bonferroni_holm_hochberg_and_a_fixed_sequence_agree_with_r():
    methods = {
        "holm": holm,
        "hochberg": hochberg,
        "bonferroni": bonferroni,
        "hierarchical": hierarchical,
    }
    rows = from_r(*methods)
    assert len(rows) == 120
    for row in rows:
        got = methods[row["method"]](numbers(row["pvalues"]))
        assert got.pvalues == pytest.approx(numbers(row["adjusted"]), rel=1e-14, abs=0), row


def test_weighted_holm_and_parallel_gatekeeping_agree_with_the_graphical_procedure():
    rows = from_r("weighted holm", "parallel")
    assert len(rows) == 24
    for row in rows:
        p, weights = numbers(row["pvalues"]), numbers(row["weights"])
        if row["method"] == "parallel":
            got = gatekeeping(p, [[0, 1], [2, 3]], gates="parallel", weights=weights)
        else:
            got = holm(p, weights=weights)
        assert got.pvalues == pytest.approx(numbers(row["adjusted"]), rel=1e-12, abs=0), row


@given(st.lists(st.tuples(P, WEIGHT), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_holm_is_the_closed_test_of_weighted_bonferroni_tests(pairs):
    p, w = zip(*pairs, strict=True)

    def local(s):
        total = math.fsum(w[j] for j in s)
        return weighted_bonferroni(p, {j: w[j] / total for j in s})

    assert holm(p, weights=w).pvalues == pytest.approx(closed(p, local), rel=1e-12, abs=0)


@given(st.lists(P, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_hochberg_is_the_closed_test_with_its_own_steps(p):
    def local(s):
        ordered = sorted(p[j] for j in s)
        return min((len(s) - k) * value for k, value in enumerate(ordered))

    assert hochberg(p).pvalues == pytest.approx(closed(p, local), rel=1e-12, abs=0)


@given(st.lists(P, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_fixed_sequence_is_the_closed_test_that_looks_at_the_first_of_each_intersection(p):
    assert list(hierarchical(p).pvalues) == closed(p, lambda s: p[min(s)])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_gatekeeping_is_the_bonferroni_closed_test_of_dmitrienko_2003(data):
    n = data.draw(st.integers(1, 6))
    p = data.draw(st.lists(P, min_size=n, max_size=n))
    w = data.draw(st.lists(WEIGHT, min_size=n, max_size=n))
    order = data.draw(st.permutations(range(n)))
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1)))) if n > 1 else []
    members = [order[a:b] for a, b in itertools.pairwise([0, *cuts, n])]
    kinds = [data.draw(st.sampled_from(["serial", "parallel"])) for _ in members]
    got = gatekeeping(p, members, gates=kinds, weights=w)

    def local(s):
        return weighted_bonferroni(p, gatekeeping_shares(members, kinds, w, s))

    assert got.pvalues == pytest.approx(closed(p, local), rel=1e-12, abs=0)


@given(st.lists(P, min_size=2, max_size=7), st.sampled_from([0.01, 0.025, 0.05, 0.1]))
@settings(max_examples=60, deadline=None)
def test_holm_rejects_step_by_step_what_its_adjusted_p_says(p, alpha):
    # Holm 1979 in his own words: the k-th smallest P against alpha/(n - k + 1), stop at the first.
    expected = [False] * len(p)
    for k, j in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[j] * (len(p) - k) > alpha:
            break
        expected[j] = True
    got = holm(p, alpha=alpha)
    assert list(got.rejected) == expected
    assert [a <= alpha for a in got.pvalues] == expected


def test_a_p_on_the_limit_is_rejected():
    assert holm([0.0125, 0.05 / 3, 0.025, 0.05]).rejected == (True,) * 4
    assert hochberg([0.05, 0.05, 0.05]).rejected == (True,) * 3
    assert holm([0.05, 0.05, 0.05]).rejected == (False,) * 3


def test_parallel_gatekeeping_by_hand():
    # Constructed. Weights 0.9 and 0.1: 0.024/0.9 and 0.003/0.1 = 0.03 both fall, so all of alpha
    # goes on at 0.03; before that 0.9 alpha: 0.002/(0.9/2) = 0.0044 and then 0.026/0.9 = 0.0289.
    got = gatekeeping(
        [0.024, 0.003, 0.026, 0.002],
        [[0, 1], [2, 3]],
        gates=["parallel", "serial"],
        weights=[0.9, 0.1, 0.5, 0.5],
    )
    expected = [0.024 / 0.9, 0.03, 0.026 / 0.9, 0.024 / 0.9]
    assert got.pvalues == pytest.approx(expected, rel=1e-14)
    assert got.rejected == (True,) * 4


def test_a_serial_gate_stays_shut_and_says_so():
    got = gatekeeping([0.001, 0.2, 0.001], [[0, 1], [2]])
    assert got.pvalues == (0.002, 0.2, 0.2)
    assert got.words == (
        "rejected: adjusted P is at most 0.05",
        "not rejected: adjusted P is above 0.05",
        "not tested: family 1 did not open the way",
    )
    assert gatekeeping([0.001, 0.2, 0.001], [[0, 1], [2]], gates="parallel").rejected[2]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_p_keeps_its_place_is_not_rejected_and_blocks_what_is_behind(missing):
    p = [0.01, missing, 0.01]
    for method in (holm, hochberg, bonferroni, hierarchical):
        as_one = method([0.01, 1.0, 0.01])
        got = method(p)
        assert got.pvalues == (as_one.pvalues[0], None, as_one.pvalues[2])
        assert got.rejected == as_one.rejected
        assert got.words[1] == "no P value: counted as 1, not rejected"
    assert holm(p).pvalues == (0.03, None, 0.03)
    assert hierarchical(p).pvalues == (0.01, None, 1.0)
    assert hierarchical(p).words[2] == (
        "not tested: it is behind hypothesis 2, which is not rejected"
    )
    assert gatekeeping(p, [[0, 1], [2]]).pvalues == (0.02, None, 1.0)
    # The weight of the missing one is not handed on either.
    assert gatekeeping(p, [[0, 1], [2]], gates="parallel").pvalues == (0.02, None, 0.02)
    assert gatekeeping([0.01, None, 0.03], [[0, 1], [2]], gates="parallel").pvalues[2] == 0.06


def test_all_missing_rejects_nothing():
    for method in (holm, hochberg, bonferroni, hierarchical):
        got = method([None, None])
        assert (got.pvalues, got.rejected) == ((None, None), (False, False))


@given(st.lists(P, min_size=1, max_size=6), st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter_where_none_is_stated_and_hochberg_never_exceeds_holm(p, random):
    order = random.sample(range(len(p)), len(p))
    for method in (holm, hochberg, bonferroni):
        straight = method(p).pvalues
        assert method([p[j] for j in order]).pvalues == tuple(straight[j] for j in order)
    steps_up, steps_down, single = hochberg(p).pvalues, holm(p).pvalues, bonferroni(p).pvalues
    for raw, a, b, c in zip(p, steps_up, steps_down, single, strict=True):
        assert raw <= a <= b <= c <= 1


def test_one_hypothesis_needs_no_adjustment():
    for method in (holm, hochberg, bonferroni, hierarchical):
        assert method([0.03]).pvalues == (0.03,)
    assert gatekeeping([0.03], [[0]]).pvalues == (0.03,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: holm([]), "pvalues: found none; expected at least one"),
        (lambda: holm([0.1, 1.2]), r"pvalues\[1\]: found 1.2; expected a number from 0 to 1"),
        (lambda: hochberg([-0.1]), r"pvalues\[0\]: found -0.1"),
        (lambda: hierarchical([float("inf")]), r"pvalues\[0\]: found inf"),
        (lambda: holm(["a"]), "pvalues: found .*; expected numbers"),
        (lambda: holm([0.1], alpha=5), "alpha: found 5; expected a number between 0 and 1"),
        (lambda: holm([0.1, 0.2], weights=[1]), "weights: found 1 for 2 hypotheses"),
        (lambda: holm([0.1, 0.2], weights=[1, 0]), r"weights\[1\]: found 0; expected .* above"),
        (lambda: holm([0.1, 0.2], weights=[1, None]), r"weights\[1\]: found nan"),
        (lambda: gatekeeping([0.1], [[0], []]), r"families\[1\]: found no hypothesis"),
        (lambda: gatekeeping([0.1, 0.2], [[0], [2]]), "expected whole numbers from 0 to 1"),
        (lambda: gatekeeping([0.1, 0.2], [[0], [True]]), "expected whole numbers from 0 to 1"),
        (lambda: gatekeeping([0.1, 0.2], [[0], [0]]), "each of 0 to 1 exactly once"),
        (lambda: gatekeeping([0.1, 0.2], [[0]]), "each of 0 to 1 exactly once"),
        (lambda: gatekeeping([0.1], [[0]], gates="open"), "gates: 'open' is not known"),
        (lambda: gatekeeping([0.1], [[0]], gates=[]), "gates: found 0 for 1 families"),
    ],
)
def test_what_cannot_be_adjusted_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
