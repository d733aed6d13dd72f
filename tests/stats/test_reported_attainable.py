"""Which test can give a P: against all data listed one by one, an independent table, and scipy."""

import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from onearm.stats import sign_flip, sign_test, signed_rank
from onearm.stats.reported import (
    attainable_mann_whitney,
    attainable_sign_flip,
    attainable_sign_test,
    attainable_signed_rank,
    read_p,
    two_sided_interval,
)
from onearm.stats.reported.attainable import SIGNED_RANK, _mann_whitney_counts

TABLE = (
    Path(__file__).parents[2].parent
    / "shared"
    / "data"
    / "clinical"
    / "signed_rank_attainability.json"
)


def p_of(diff, test):
    zeros, exact, correction = SIGNED_RANK[test]
    method = "exact" if exact else "normal"
    return signed_rank(diff, zeros=zeros, method=method, correction=correction).pvalue


def data_of(witness, test):
    """Return differences that have the pattern of a witness, found by trying the signs."""
    sizes = [value for value, size in enumerate(witness.ties, 1) for _ in range(size)]
    zeros = [0] * witness.n_zero
    for k in range(len(sizes) + 1):
        for plus in itertools.combinations(range(len(sizes)), k):
            diff = zeros + [s if i in plus else -s for i, s in enumerate(sizes)]
            got = signed_rank(diff, zeros=SIGNED_RANK[test][0])
            if got.statistic == witness.statistic:
                return diff, k
    raise AssertionError(witness)


# -- signed rank


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("test", SIGNED_RANK)
def test_every_p_and_no_other_of_all_data_sets_is_attainable(n, test):
    # Each pattern of zeros, ties and signs of n differences occurs among the numbers -n to n.
    seen = {
        round(p_of(diff, test), 12)
        for diff in itertools.combinations_with_replacement(range(-n, n + 1), n)
        if any(diff)
    }
    for p in seen:
        assert attainable_signed_rank(read_p(f"{p:.10f}"), n, test).verdict == "possible"
    for thousandth in range(1, 1000, 7):
        printed = read_p(f"{thousandth / 1000:.3f}")
        got = attainable_signed_rank(printed, n, test)
        assert (got.verdict == "possible") == any(printed.admits(p) for p in seen), printed
        outside = sorted(p for p in seen if not printed.admits(p))
        below = [p for p in outside if p < printed.value]
        assert got.below == (pytest.approx(below[-1], abs=1e-11) if below else None)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9), st.integers(1, 500), st.sampled_from(list(SIGNED_RANK)), st.booleans())
def test_a_witness_gives_the_p_when_it_is_analysed(n, thousandth, test, ties_usual):
    printed = read_p(f"{thousandth / 1000:.3f}")
    got = attainable_signed_rank(printed, n, test, ties_usual=ties_usual)
    if got.witness is None:
        return
    diff, against = data_of(got.witness, test)
    assert len(diff) == n
    assert p_of(diff, test) == pytest.approx(got.witness.pvalue, rel=1e-12, abs=0)
    assert printed.admits(p_of(diff, test))
    assert against == got.witness.against


def test_the_independent_table_of_attainable_p_for_5_to_10_patients_holds():
    if not TABLE.exists():
        pytest.skip(
            "no table beside the repository: shared/data/clinical/signed_rank_attainability.json"
        )
    table = json.loads(TABLE.read_text())
    names = {
        "exact_ties": "signed_rank_exact",
        "norm": "signed_rank_normal",
        "norm_cc": "signed_rank_normal_cc",
    }
    for key, row in table.items():
        n, p = int(key.split("|")[0]), read_p(key.split("|")[1])
        for column, test in names.items():
            # The table has non-zero differences only: what n - 1 patients cannot have.
            without = attainable_signed_rank(p, n, test).patterns
            without -= attainable_signed_rank(p, n - 1, test).patterns
            assert (without > 0) == row[column].startswith("yes"), (key, column)
            if "patterns" in row[column]:
                assert without == int(row[column].split("(")[1].split()[0]), (key, column)


@pytest.mark.parametrize(
    ("test", "n", "p", "verdict"),
    [
        ("signed_rank_exact", 9, "0.014", "impossible"),
        ("signed_rank_exact", 8, "0.014", "impossible"),
        ("signed_rank_exact", 7, "0.014", "impossible"),
        ("signed_rank_exact", 10, "0.014", "possible"),
        ("signed_rank_exact_pratt", 9, "0.014", "impossible"),
        ("signed_rank_normal", 9, "0.014", "possible"),
        ("signed_rank_normal_cc", 7, "0.014", "impossible"),
        ("signed_rank_normal_cc", 8, "0.014", "possible"),
        ("signed_rank_exact", 9, "0.308", "impossible"),
        ("signed_rank_exact", 9, "0.008", "possible"),
        ("signed_rank_exact", 9, "0.007", "impossible"),
        ("signed_rank_normal", 9, "0.007", "possible"),
        ("signed_rank_exact", 9, "< 0.001", "impossible"),
        ("signed_rank_exact", 12, "< 0.001", "possible"),
    ],
)
def test_what_is_known_of_the_trials_p_values(test, n, p, verdict):
    assert attainable_signed_rank(read_p(p), n, test).verdict == verdict


def test_p_0_014_of_nine_lies_between_3_and_4_of_256():
    got = attainable_signed_rank(read_p("0.014"), 9, "signed_rank_exact")
    assert (got.below, got.above) == (3 / 256, 4 / 256)
    assert (got.untied_below, got.untied_above) == (3 / 256, 5 / 256)
    protein = attainable_signed_rank(read_p("0.308"), 9, "signed_rank_exact")
    assert (protein.below, protein.above) == (78 / 256, 79 / 256)
    assert (protein.untied_below, protein.untied_above) == (77 / 256, 92 / 256)


def test_eight_falls_and_one_unchanged_give_0_0143_with_correction():
    got = attainable_signed_rank(read_p("0.014"), 9, "signed_rank_normal_cc").witness
    assert (got.n_zero, got.tied, got.statistic, got.against) == (1, False, 0.0, 0)
    # R 4.2.2, print(wilcox.test(c(-2:-9, 0), exact = FALSE)$p.value, digits = 8)
    assert round(got.pvalue, 9) == 0.014266187


def test_one_group_of_four_equal_changes_is_enough_without_correction():
    got = attainable_signed_rank(read_p("0.014"), 9, "signed_rank_normal").witness
    assert sorted(got.ties) == [1, 1, 1, 1, 1, 4]
    assert got.statistic == 2.0
    # R 4.2.2, wilcox.test(c(-1, 2, -3, -3, -3, -3, -4, -5, -6), exact = FALSE, correct = FALSE)
    assert round(got.pvalue, 9) == 0.014276949
    diff = [-1, 2, -3, -3, -3, -3, -4, -5, -6]
    assert signed_rank(diff, method="normal").pvalue == pytest.approx(got.pvalue, rel=1e-14)


def test_above_12_patients_a_no_is_not_called_a_proof_except_on_the_lattice():
    got = attainable_signed_rank(read_p("0.0140"), 14, "signed_rank_exact")
    assert got.proof == "sampled"
    lattice = attainable_signed_rank(read_p("0.00001"), 13, "signed_rank_exact")
    assert (lattice.verdict, lattice.proof) == ("impossible", "lattice")
    assert attainable_signed_rank(read_p("0.014"), 61, "signed_rank_exact").verdict == "unknown"


@pytest.mark.parametrize("n", [0, -3, 1.5, True])
def test_a_number_of_patients_is_needed(n):
    with pytest.raises(ValueError, match=r"^n: "):
        attainable_signed_rank(read_p("0.01"), n, "signed_rank_exact")
    with pytest.raises(ValueError, match=r"^n: "):
        attainable_sign_test(read_p("0.01"), n)


def test_an_unknown_test_is_refused():
    with pytest.raises(ValueError, match=r"^test: 'wilcoxon' is not known"):
        attainable_signed_rank(read_p("0.01"), 9, "wilcoxon")


# -- sign test and sign flips


@pytest.mark.parametrize("n", range(1, 10))
def test_the_sign_test_has_the_p_values_of_all_counts(n):
    seen = {sign_test([1] * up + [-1] * down + [0] * (n - up - down)).pvalue
            for up in range(n + 1) for down in range(n + 1 - up) if up + down}  # fmt: skip
    for thousandth in range(1, 1000, 11):
        printed = read_p(f"{thousandth / 1000:.3f}")
        got = attainable_sign_test(printed, n)
        assert (got.verdict == "possible") == any(printed.admits(p) for p in seen)


@pytest.mark.parametrize(
    ("n", "below", "above"), [(9, 0.00390625, 0.0390625), (8, 0.0078125, 0.0703125)]
)
def test_without_unchanged_patients_the_sign_test_jumps_over_0_014(n, below, above):
    got = attainable_sign_test(read_p("0.014"), n)
    assert got.verdict == "impossible"
    assert (got.untied_below, got.untied_above) == (below, above)


@pytest.mark.parametrize("k", range(1, 33))
def test_every_multiple_is_a_p_value_of_sign_flips(k):
    # Sizes 1, 2, 4, ... have 2**n different sums; the one-sided P of the k-th largest is k/2**n.
    n = 6
    signs = [-1 if (k - 1) >> i & 1 else 1 for i in range(n)]
    diff = [sign * 2**i for i, sign in enumerate(signs)]
    assert sign_flip(diff).pvalue == k / 2 ** (n - 1)
    assert attainable_sign_flip(read_p(f"{k / 32:.5f}"), n).witness.pvalue == k / 32


def test_sign_flips_of_nine_cannot_give_0_014_and_of_ten_can():
    assert attainable_sign_flip(read_p("0.014"), 9).verdict == "impossible"
    assert attainable_sign_flip(read_p("0.014"), 10).witness.pvalue == 7 / 512


# -- Mann-Whitney


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_orders_of_two_groups_are_counted_right(n):
    counts = [0] * (n * n + 1)
    for first in itertools.combinations(range(2 * n), n):
        others = [x for x in range(2 * n) if x not in first]
        counts[sum(a > b for a in first for b in others)] += 1
    assert list(_mann_whitney_counts(n)) == counts


def test_exact_mann_whitney_gives_0_014_at_u_13():
    got = attainable_mann_whitney(read_p("0.014"), 9, "mann_whitney_exact").witness
    assert got.statistic == 13
    assert round(got.pvalue, 9) == 0.014191691  # R 4.2.2, print(2 * pwilcox(13, 9, 9), digits = 8)
    # Two orders of 18 values with U = 13; scipy counts them by another recursion.
    first = np.array([1, 2, 3, 4, 5, 6, 7, 13.5, 16.5])
    second = np.array([8, 9, 10, 11, 12, 13, 14, 15, 16])
    u = mannwhitneyu(first, second, method="exact")
    assert u.statistic == 15
    assert u.pvalue == pytest.approx(2 * sum(_mann_whitney_counts(9)[:16]) / 48620, rel=1e-12)
    assert got.pvalue == pytest.approx(2 * sum(_mann_whitney_counts(9)[:14]) / 48620, rel=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(1, 200), st.booleans())
def test_a_mann_whitney_witness_exists_and_scipy_gives_its_p(n, thousandth, correction):
    test = "mann_whitney_normal_cc" if correction else "mann_whitney_normal"
    got = attainable_mann_whitney(read_p(f"{thousandth / 1000:.3f}"), n, test)
    if got.witness is None:
        return
    values = np.repeat(np.arange(len(got.witness.ties)), got.witness.ties)
    for chosen in itertools.combinations(range(2 * n), n):
        first = values[list(chosen)]
        second = np.delete(values, list(chosen))
        u = sum((a > second).sum() + (a == second).sum() / 2 for a in first)
        if u in (got.witness.statistic, n * n - got.witness.statistic):
            scipy = mannwhitneyu(first, second, method="asymptotic", use_continuity=correction)
            assert scipy.pvalue == pytest.approx(got.witness.pvalue, rel=1e-10, abs=0)
            return
    raise AssertionError(got)


# -- one side


@pytest.mark.parametrize("p", ["0.014", "0.308", "0.5", "< 0.025"])
def test_a_one_sided_p_is_half_the_two_sided(p):
    printed = read_p(p)
    two = two_sided_interval(printed)
    for k in range(1, 256):
        assert two.admits(Fraction(k, 256)) == printed.admits(Fraction(k, 512))


def test_a_one_sided_p_above_one_half_belongs_to_the_other_side():
    two = two_sided_interval(read_p("0.986"))
    assert two.admits(0.028)
    assert not two.admits(0.986)


def test_one_sided_0_014_of_nine_is_the_exact_test_with_w_4():
    got = attainable_signed_rank(two_sided_interval(read_p("0.014")), 9, "signed_rank_exact")
    assert (got.witness.statistic, got.witness.tied, got.witness.n_zero) == (4, False, 0)
    diff = [-1, -2, -3, 4, -5, -6, -7, -8, -9]
    assert signed_rank(diff, alternative="less").pvalue == 7 / 512
