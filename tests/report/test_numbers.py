"""How numbers are printed."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.report.numbers import (
    cells,
    count_percent,
    interval,
    listed,
    mean_sd,
    number,
    p_clause,
    p_value,
    percent,
    ranges,
    rounded,
    unit_text,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (2.25, 1, "2.3"),  # to even: 2.2
        (0.0145, 3, "0.015"),  # in binary a little less
        (-2.25, 1, "-2.3"),
        (-0.04, 1, "0.0"),  # no minus before zero
        (6, 1, "6.0"),
        (1e21, 0, "1000000000000000000000"),
        (1e60, 1, "1" + "0" * 60 + ".0"),
        (1e-30, 2, "0.00"),
    ],
)
def test_rounding_is_half_up_in_decimal(value: float, decimals: int, text: str) -> None:
    assert rounded(value, decimals) == text


@given(st.decimals(-10_000, 10_000, places=4), st.integers(0, 3))
def test_rounding_is_that_of_the_decimal_that_was_written(value: Decimal, decimals: int) -> None:
    expected = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert Decimal(rounded(float(value), decimals)) == expected


def test_a_number_has_a_true_minus_and_an_unknown_one_is_a_dash() -> None:
    assert number(-9.44, 1) == "\u22129.4"
    assert number(None) == "\u2013"


def test_mean_and_sd_stand_together_and_a_missing_mean_is_one_dash() -> None:
    assert mean_sd(15.444, 5.79, 1) == "15.4 ± 5.8"
    assert mean_sd(2.1, None) == "2.1"
    assert mean_sd(None, None) == "\u2013"


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0140290609, "0.0140"),
        (0.0078125, "0.0078"),
        (0.04999, "0.04999"),
        (0.050004, "0.050004"),
        (0.05, "0.0500"),
        (0.30767, "0.308"),
        (0.1, "0.100"),
        (1.0, "1.000"),
        (0.0001, "0.0001"),
        (0.00009999, "< 0.0001"),
        (1e-300, "< 0.0001"),
        (None, "\u2013"),
    ],
)
def test_a_p_value_has_four_decimals_below_a_tenth_three_above_and_is_never_zero(
    p: float | None, text: str
) -> None:
    assert p_value(p) == text


def test_a_p_clause_reads_as_a_sentence_does() -> None:
    assert (p_clause(0.308), p_clause(0.00001)) == ("P = 0.308", "P < 0.0001")


def test_an_interval_says_its_open_ends() -> None:
    assert interval(-15.0, -4.5) == "\u221215.0 to \u22124.5"
    assert interval(float("-inf"), float("inf")) == "no lower limit to no upper limit"
    assert interval(0.5, float("inf"), 2) == "0.50 to no upper limit"
    assert interval(None, 2.0) == interval(1.0, None) == "\u2013"


def test_shares_are_percentages_with_a_thin_space() -> None:
    assert percent(8 / 9) == "88.9\u202f%"
    assert percent(0.29, 0) == "29\u202f%"
    assert percent(None) == "\u2013"
    assert count_percent(8, 9) == "8 (88.9\u202f%)"
    assert count_percent(0, 0) == "0"


def test_cells_are_counted_in_millions() -> None:
    assert cells(58_600_000) == "58.6\u202f×\u202f10⁶"
    assert cells(None) == "\u2013"


def test_runs_of_entries_are_joined() -> None:
    assert ranges((3, 4, 5, 9)) == [(3, 5), (9, 9)]
    assert ranges(()) == []


@given(st.sets(st.integers(1, 60)))
def test_runs_hold_every_entry_once_and_no_other(seqs: set[int]) -> None:
    runs = ranges(tuple(sorted(seqs)))
    assert [n for a, b in runs for n in range(a, b + 1)] == sorted(seqs)
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(runs))


def test_lists_read_as_a_sentence_does() -> None:
    assert [listed(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_units_are_for_people_and_points_are_no_ucum_unit() -> None:
    assert unit_text("g/(24.h)") == "g/24 h"
    assert unit_text("points") == "points"
    assert unit_text("") == unit_text(None) == ""
