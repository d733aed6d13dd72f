"""Ties and zeros are judged on the decimals a person reads, at any scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats.differences import as_differences, decimal_multiples


def multiples(*diff):
    return decimal_multiples(np.array(diff, dtype=float)).multiples.tolist()


def test_a_difference_of_decimals_ties_with_the_same_decimal_written_out():
    assert 53.5 - 46.4 != 7.1
    assert multiples(53.5 - 46.4, 7.1, -7.1, 0.3) == [71, 71, -71, 3]


def test_a_sum_of_tenths_less_three_tenths_is_zero():
    assert 0.1 + 0.2 - 0.3 != 0
    assert multiples(0.1 + 0.2 - 0.3, 0.1, -0.4) == [0, 1, -4]


def test_decimals_far_from_zero_keep_their_ties():
    # 36.6 -> 36.7 and 250000.2 -> 250000.3 carry noise of 1e-14 and 3e-11.
    assert multiples(36.7 - 36.6, 250000.3 - 250000.2, 0.2) == [1, 1, 2]


def test_whole_numbers_are_compared_as_they_are():
    assert multiples(1e9, 1e9 + 1, -1e9) == [10**9, 10**9 + 1, -(10**9)]


def test_means_of_three_readings_tie_although_they_are_no_decimals():
    a, b, c = multiples(2 / 3 - 1 / 3, 1 - 2 / 3, -5 / 3)
    assert 2 / 3 - 1 / 3 != 1 - 2 / 3
    assert a == b
    assert c < -4 * a


def test_logarithms_tie_where_the_ratios_are_equal():
    up, down, _ = multiples(np.log(6) - np.log(3), np.log(2) - np.log(4), 0.1)
    assert np.log(6) - np.log(3) != np.log(2)
    assert up == -down


def test_a_far_outlier_does_not_swallow_the_small_differences():
    assert multiples(1e10, 1.5, -2.5, 0.5) == [10**11, 15, -25, 5]


def test_continuous_values_stay_apart():
    values = np.random.default_rng(20260131).normal(size=2000)
    assert len(set(np.abs(decimal_multiples(values).multiples))) == 2000


@given(
    st.lists(st.integers(-999, 999), min_size=1, max_size=12).filter(any),
    st.integers(0, 4),
    st.integers(-300, 290),
)
@settings(deadline=None)
def test_ties_and_zeros_do_not_depend_on_the_unit(tenths, decimals, power):
    plain = np.array(tenths) / 10**decimals
    scaled = plain * 10.0**power
    reference = decimal_multiples(plain).multiples
    assert np.array_equal(np.sign(reference), np.sign(tenths))
    ranks = [np.unique(np.abs(m), return_inverse=True)[1] for m in (np.array(tenths), reference)]
    assert np.array_equal(*ranks)
    got = decimal_multiples(scaled).multiples
    assert np.array_equal(np.sign(got), np.sign(tenths))
    assert np.array_equal(np.unique(np.abs(got), return_inverse=True)[1], ranks[0])


@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=10).filter(any),
    st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=10, max_size=10),
)
@settings(deadline=None)
def test_noise_of_the_last_bits_splits_no_tie(values, wobble):
    once = np.array(values)
    noisy = once * (1 + 4e-16 * np.array(wobble[: once.size]))
    both = np.abs(decimal_multiples(np.concatenate([once, -noisy])).multiples)
    assert np.array_equal(both[: once.size], both[once.size :])


@given(st.lists(st.decimals(-9999, 9999, places=3), min_size=1, max_size=8))
@settings(deadline=None)
def test_decimals_come_back_as_the_nearest_floats(decimals):
    diff = np.array([float(d) for d in decimals])
    read = decimal_multiples(diff)
    assert [read.value(m) for m in read.multiples.tolist()] == diff.tolist()


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        ([], "diff: found 0 differences; expected at least 1"),
        ([1.0, float("nan")], r"diff\[1\]: nan is not a finite number"),
        ([float("inf")], r"diff\[0\]: inf is not a finite number"),
        ([1.0, None], r"diff\[1\]: nan is not a finite number"),
        ([[1.0], [2.0]], "diff: found an array of 2 dimensions"),
        (["1", "2"], "diff: found <U1 values; expected numbers"),
        ([True, False], "diff: found bool values; expected numbers"),
        ([1, object()], "expected numbers, one per patient"),
        ([1e306, 1], "diff: found 1e[+]306; expected numbers up to 1e[+]305"),
        ([10**400], "diff: int too large to convert to float; expected numbers"),
        (np.array([0.1], dtype=np.float32), "diff: found float32 values; expected double prec"),
        (3.0, "diff: found an array of 0 dimensions"),
    ],
)
def test_what_is_no_row_of_differences_is_refused_in_words(diff, words):
    with pytest.raises(ValueError, match=words):
        as_differences(diff)
