"""Dates: partial dates stay partial, study days have no day 0, months end where they end."""

from __future__ import annotations

import datetime as dt
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.dates import Duration, PartialDate, study_day
from onearm.errors import DateError


def test_a_date_keeps_its_text_and_says_what_is_known() -> None:
    month = PartialDate("2024-03")
    assert (month.text, str(month), month.year, month.month, month.day) == (
        "2024-03", "2024-03", 2024, 3, None,
    )  # fmt: skip
    assert not month.complete
    assert PartialDate("2024").month is None
    assert PartialDate("2024-03-05").complete
    assert PartialDate("2024-03-05").date() == date(2024, 3, 5)


@pytest.mark.parametrize("text", ["2024", "2024-03"])
def test_a_partial_date_is_never_completed_in_silence(text: str) -> None:
    with pytest.raises(DateError, match="is partial; expected a day such as 2024-03-05; find the"):
        PartialDate(text).date()


@pytest.mark.parametrize(
    ("text", "first", "last", "flag"),
    [
        ("2024-03-05", date(2024, 3, 5), date(2024, 3, 5), ""),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "D"),
        ("2023-02", date(2023, 2, 1), date(2023, 2, 28), "D"),
        ("2024-04", date(2024, 4, 1), date(2024, 4, 30), "D"),
        ("2024", date(2024, 1, 1), date(2024, 12, 31), "M"),
    ],
)
def test_imputation_returns_the_date_and_the_flag_of_adam(
    text: str, first: date, last: date, flag: str
) -> None:
    assert PartialDate(text).impute("first") == (first, flag)
    assert PartialDate(text).impute("last") == (last, flag)


def test_imputation_needs_a_known_rule() -> None:
    with pytest.raises(ValueError, match="'middle' is not a rule; expected 'first' or 'last'"):
        PartialDate("2024").impute("middle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2024-3-5", "is not a date; expected YYYY-MM-DD"),
        ("05/03/2024", "is not a date"),
        ("20240305", "is not a date"),
        ("2024-03-05T10:00", "is not a date"),
        ("2024-03-05\n", "is not a date"),
        (" 2024", "is not a date"),
        ("", "is not a date"),
        ("۲۰۲۴-۰۳-۰۵", "is not a date"),
        ("2024--05", "is not a date"),
        ("2024-13", "has the month 13; expected 01 to 12"),
        ("2024-00", "has the month 00"),
        ("2023-02-29", "does not exist; expected a day from 01 to 28"),
        ("1900-02-29", "does not exist"),
        ("2024-04-31", "expected a day from 01 to 30"),
        ("2024-04-00", "does not exist"),
        ("0000", "has no such year"),
    ],
)
def test_what_is_not_a_date_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(DateError) as caught:
        PartialDate(text)
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"date: {text!r} ")


def test_leap_days_follow_the_gregorian_rule() -> None:
    assert PartialDate("2000-02-29").date() == date(2000, 2, 29)
    assert PartialDate("2024-02-29").date() == date(2024, 2, 29)


def test_a_date_is_read_from_text_only() -> None:
    with pytest.raises(TypeError, match="reads a text, not date"):
        PartialDate(date(2024, 3, 5))  # type: ignore[arg-type]


def test_equal_texts_are_equal_dates_and_can_be_keys() -> None:
    assert len({PartialDate("2024-03"), PartialDate("2024-03"), PartialDate("2024")}) == 2


@given(st.dates())
def test_a_whole_date_goes_through_unchanged(day: date) -> None:
    assert PartialDate(day.isoformat()).date() == day
    assert PartialDate(day.isoformat()).impute("last") == (day, "")


@given(st.dates(), st.sampled_from([4, 7]))
def test_imputed_dates_enclose_every_day_that_the_text_allows(day: date, known: int) -> None:
    partial = PartialDate(day.isoformat()[:known])
    assert partial.impute("first")[0] <= day <= partial.impute("last")[0]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2024, 3, 1), 1),
        (date(2024, 3, 2), 2),
        (date(2024, 2, 29), -1),
        (date(2024, 2, 28), -2),
        (date(2023, 3, 1), -366),  # 2024 is a leap year: 366 days before
    ],
)
def test_the_anchor_is_day_1_and_the_day_before_is_day_minus_1(day: date, expected: int) -> None:
    assert study_day(day, date(2024, 3, 1)) == expected


@given(st.dates(), st.dates())
def test_there_is_no_day_0_and_no_day_is_skipped(day: date, anchor: date) -> None:
    number = study_day(day, anchor)
    assert number != 0
    assert (number > 0) == (day >= anchor)
    if day < date.max:
        tomorrow = study_day(day + dt.timedelta(days=1), anchor)
        assert tomorrow == (1 if number == -1 else number + 1)


def test_study_days_are_of_calendar_dates_not_of_times() -> None:
    with pytest.raises(TypeError, match="needs calendar dates, not datetime"):
        study_day(dt.datetime(2024, 3, 1, 23, 0), date(2024, 3, 1))


@pytest.mark.parametrize(
    ("text", "day", "before", "after"),
    [
        ("P1M", date(2024, 3, 31), date(2024, 2, 29), date(2024, 4, 30)),
        ("P1M", date(2023, 3, 31), date(2023, 2, 28), date(2023, 4, 30)),
        ("P12M", date(2024, 2, 29), date(2023, 2, 28), date(2025, 2, 28)),
        ("P1Y", date(2024, 2, 29), date(2023, 2, 28), date(2025, 2, 28)),
        ("P4Y", date(2024, 2, 29), date(2020, 2, 29), date(2028, 2, 29)),
        ("P7D", date(2024, 3, 1), date(2024, 2, 23), date(2024, 3, 8)),
        ("P2W", date(2024, 3, 1), date(2024, 2, 16), date(2024, 3, 15)),
        ("P1M1D", date(2024, 1, 31), date(2023, 12, 30), date(2024, 3, 1)),
        ("P0D", date(2024, 1, 31), date(2024, 1, 31), date(2024, 1, 31)),
    ],
)
def test_durations_clamp_to_the_end_of_the_month(
    text: str, day: date, before: date, after: date
) -> None:
    assert Duration(text).before(day) == before
    assert Duration(text).after(day) == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("P12M", "12 months"), ("P1M", "1 month"), ("P7D", "7 days"), ("P2W", "2 weeks"),
        ("P1Y", "1 year"), ("P1Y6M", "1 year 6 months"), ("P1Y1D", "1 year 1 day"),
    ],
)  # fmt: skip
def test_durations_have_words(text: str, words: str) -> None:
    assert Duration(text).words() == words
    assert str(Duration(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "12M",
        "P12",
        "p12m",
        "P1.5M",
        "P-1M",
        "PT1H",
        "P1M1Y",
        "P2W3D",
        "P 1M",
        "P1M\n",
        "1",
    ],
)
def test_what_is_not_a_duration_is_refused_in_words(text: str) -> None:
    with pytest.raises(DateError, match="is not a duration; expected P12M"):
        Duration(text)


def test_durations_move_calendar_dates_not_times() -> None:
    for wrong in (dt.datetime(2024, 3, 1, 9, 0), "2024-03-01"):
        with pytest.raises(TypeError, match="moves calendar dates"):
            Duration("P1M").after(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [PartialDate("2024-03"), Duration("P1M")])
def test_dates_and_durations_do_not_change(value: object) -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        value.text = "2025"  # type: ignore[attr-defined]


def test_a_duration_that_leaves_the_calendar_is_refused_in_words() -> None:
    with pytest.raises(DateError, match="P9999Y before 2024-01-01 leaves the calendar"):
        Duration("P9999Y").before(date(2024, 1, 1))
    with pytest.raises(DateError, match="P999999D after 9999-12-31 leaves the calendar"):
        Duration("P999999D").after(date(9999, 12, 31))
    with pytest.raises(DateError, match="leaves the calendar"):
        Duration("P1D").before(date(1, 1, 1))


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 600))
def test_a_month_later_is_the_same_day_or_the_last_of_its_month(day: date, months: int) -> None:
    later = Duration(f"P{months}M").after(day)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + dt.timedelta(days=1)).day == 1


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 9999))
def test_days_undo_themselves(day: date, days: int) -> None:
    duration = Duration(f"P{days}D")
    assert duration.before(duration.after(day)) == day
