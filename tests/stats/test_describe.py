"""The summary of one measure: R's answers, missing values, too few values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.stats import describe


def test_quartiles_are_rs_type_2_and_the_moments_agree(r_effect):
    for answers in r_effect.values():
        got = describe(answers["diff"])
        assert [got.q1, got.median, got.q3] == answers["quartiles"]
        found = [got.mean, got.sd, got.minimum, got.maximum]
        assert found == pytest.approx(answers["mean_sd_range"], rel=1e-13, abs=0)


def test_quartiles_average_two_neighbours_where_the_share_falls_between_them():
    # SAS PCTLDEF=5 by definition: n p = 2 is whole, so the mean of the 2nd and 3rd of eight.
    got = describe([1, 2, 4, 8, 16, 32, 64, 128])
    assert (got.q1, got.median, got.q3) == (3, 12, 48)
    # n p = 2.25 is not whole: the 3rd of nine.
    assert describe([1, 2, 4, 8, 16, 32, 64, 128, 256]).q1 == 4


def test_missing_values_are_counted_and_left_out():
    got = describe([18, None, 16, float("nan"), 20])
    assert (got.n, got.n_missing, got.mean, got.median) == (3, 2, 18.0, 18.0)


def test_one_value_has_no_standard_deviation_and_none_has_nothing():
    one = describe([7.5])
    assert (one.n, one.mean, one.sd, one.q1, one.q3) == (1, 7.5, None, 7.5, 7.5)
    for nothing in ([], [None, None], np.array([])):
        none = describe(nothing)
        assert none.n == 0
        assert none.n_missing == len(nothing)
        assert (none.mean, none.sd, none.median, none.minimum, none.maximum) == (None,) * 5


def test_very_large_and_very_small_values_are_summarised_without_overflow():
    for unit in (1e305, 1e-305):
        got = describe([unit, -unit, unit, -unit])
        assert (got.mean, got.median, got.q3) == (0.0, 0.0, unit)
        assert got.sd == pytest.approx(unit * math.sqrt(4 / 3), rel=1e-14, abs=0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_patients_moves_nothing(values, random):
    assert describe(random.sample(values, len(values))) == describe(values)


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=40), st.sampled_from([1, 2, 3]))
@settings(deadline=None)
def test_a_quartile_has_its_share_on_either_side(values, quarter):
    got = describe(values)
    quartile = {1: got.q1, 2: got.median, 3: got.q3}[quarter]
    assert sum(v <= quartile for v in values) >= len(values) * quarter / 4
    assert sum(v >= quartile for v in values) >= len(values) * (1 - quarter / 4)


@pytest.mark.parametrize(
    ("values", "words"),
    [([1, math.inf], "x: found an infinite value"), (["a"], "x: found <U1 values; expected num")],
)
def test_what_is_no_number_is_refused_in_words(values, words):
    with pytest.raises(ValueError, match=words):
        describe(values)
