"""Solar Hijri dates and typed digits, against the equinox itself and against dates that everybody knows."""

from __future__ import annotations

from datetime import date, timedelta
from math import cos, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.errors import DateError
from onearm.web.calendars import ISOLATE, MONTHS, POP, read_date, show_date
from onearm.web.reading import latin_digits, read_number, read_text

PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")

# -- a second computation -------------------------------------------------------------------------
# The law of 11 Farvardin 1304 begins the year with the day of the March equinox, or with the next one when the
# equinox is after noon on the meridian of 52.5 degrees east; six months of 31 days, five of 30, the rest for
# the last. The equinox: J. Meeus, Astronomical Algorithms, 2nd ed. 1998, chapter 27, tables 27.B and 27.C.

MEEUS = (
    (485, 324.96, 1934.136), (203, 337.23, 32964.467), (199, 342.08, 20.186), (182, 27.85, 445267.112),
    (156, 73.14, 45036.886), (136, 171.52, 22518.443), (77, 222.54, 65928.934), (74, 296.72, 3034.906),
    (70, 243.58, 9037.513), (58, 119.81, 33718.147), (52, 297.17, 150.678), (50, 21.02, 2281.226),
    (45, 247.54, 29929.562), (44, 325.15, 31555.956), (29, 60.93, 4443.417), (18, 155.12, 67555.328),
    (17, 288.79, 4562.452), (16, 198.04, 62894.029), (14, 199.76, 31436.921), (12, 95.39, 14577.848),
    (12, 287.11, 31931.756), (12, 320.81, 34777.259), (9, 227.73, 1222.114), (8, 15.45, 16859.074),
)  # fmt: skip


def equinox(year: int) -> float:
    """The Julian day of the March equinox, dynamical time."""
    y = (year - 2000) / 1000
    mean = 2451623.80984 + 365242.37404 * y + 0.05169 * y**2 - 0.00411 * y**3 - 0.00057 * y**4
    t = (mean - 2451545) / 36525
    w = radians(35999.373 * t - 2.47)
    terms = sum(a * cos(radians(b + c * t)) for a, b, c in MEEUS)
    return mean + 0.00001 * terms / (1 + 0.0334 * cos(w) + 0.0007 * cos(2 * w))


def true_time(year: int) -> float:
    """The equinox as a Julian day of the true sun at 52.5 degrees east: its whole part turns at noon.

    One minute is taken for dynamical less universal time (0.4 in 1921, about 1.5 in 2071), seven and a half
    for the sun behind the mean sun in late March.
    """
    return equinox(year) + 52.5 / 360 - (1 + 7.5) / 1440


def first_day(solar: int) -> date:
    """1 Farvardin."""
    noon = int(true_time(solar + 621))  # the noon before the equinox
    return date(2000, 1, 1) + timedelta(days=noon - 2451545 + 1)


def test_the_equinox_is_that_of_the_almanac() -> None:
    """2000-03-20 07:35 UT, 2021-03-20 09:37 UT, 2024-03-20 03:06 UT (US Naval Observatory), delta T apart."""
    for year, day, minutes in (
        (2000, 2451623.5, 455),
        (2021, 2459293.5, 577),
        (2024, 2460389.5, 186),
    ):
        assert (equinox(year) - day) * 1440 == pytest.approx(minutes + 1.1, abs=1.5)


def test_no_equinox_is_so_near_to_noon_that_the_computation_could_be_wrong() -> None:
    parts = [true_time(solar + 621) % 1 for solar in range(1300, 1452)]
    assert min(min(p, 1 - p) for p in parts) * 1440 > 3


def test_every_day_of_1300_to_1450_is_that_of_the_equinox_and_comes_back() -> None:
    day = first_day(1300)
    for solar in range(1300, 1451):
        assert day == first_day(solar)
        last = (first_day(solar + 1) - day).days - 336
        assert last in (29, 30)
        for month, days in enumerate([31] * 6 + [30] * 5 + [last], 1):
            for n in range(1, days + 1):
                assert read_date(f"{solar}-{month}-{n}") == day.isoformat()
                words = f"{n} {MONTHS[month - 1]} {solar}".translate(PERSIAN)
                assert (
                    show_date(day.isoformat(), "fa")
                    == f"{ISOLATE}{words}{POP} · {ISOLATE}{day}{POP}"
                )
                day += timedelta(days=1)
            with pytest.raises(DateError, match="does not exist in the solar Hijri calendar"):
                read_date(f"{solar}-{month}-{days + 1}")


# -- what people write ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "iso"),
    [
        ("1400-01-01", "2021-03-21"),
        ("1357-11-22", "1979-02-11"),
        ("1399-12-30", "2021-03-20"),
        ("۱۳۹۶/۱۲/۲۳", "2018-03-14"),
        ("١٣٩٦.١٢.٢٣", "2018-03-14"),
        (" 1396/12/23 ", "2018-03-14"),
        ("1400/1/1", "2021-03-21"),
        ("\u2068۱۳۹۶-۱۲-۲۳\u2069", "2018-03-14"),
        ("\u200f1396/12/23\u200e", "2018-03-14"),
        ("2018-03-14", "2018-03-14"),
        ("2018/3/4", "2018-03-04"),
        ("۲۰۱۸/۳/۱۴", "2018-03-14"),
        ("2018", "2018"),
        ("2018/3", "2018-03"),
    ],
)
def test_a_typed_date_is_kept_as_iso(typed: str, iso: str) -> None:
    assert read_date(typed) == iso


@pytest.mark.parametrize("typed", ["1396", "1396-12", "۱۳۹۶/۱۲"])
def test_a_part_of_a_solar_date_is_refused(typed: str) -> None:
    with pytest.raises(DateError, match="two Gregorian months or years"):
        read_date(typed)


@pytest.mark.parametrize(
    "typed", ["1400-12-30", "1396-13-01", "1396-00-10", "1396-07-31", "1396-1-0"]
)
def test_a_day_that_the_solar_calendar_lacks_is_refused(typed: str) -> None:
    with pytest.raises(DateError, match="does not exist"):
        read_date(typed)


@pytest.mark.parametrize(
    "typed", ["", "today", "14-03-2018", "23/12/96", "2018-03-14T00", "2018-", "20180314"]
)
def test_what_is_no_date_is_refused(typed: str) -> None:
    with pytest.raises(DateError, match="is not a date"):
        read_date(typed)


@pytest.mark.parametrize(
    "typed", ["0018-03-14", "1199-01-01", "1600-01-01", "1799-12-31", "2200-01-01"]
)
def test_a_year_of_neither_calendar_is_refused(typed: str) -> None:
    with pytest.raises(DateError, match="neither calendar"):
        read_date(typed)


@given(st.dates(date(1822, 1, 1), date(2199, 12, 31)))
def test_what_is_shown_can_be_typed_again(day: date) -> None:
    shown = show_date(str(day), "fa")
    words, iso = shown.split(" · ")
    number, month, year = words.strip(ISOLATE + POP).split()
    assert read_date(iso) == str(day)
    assert read_date(f"{year}/{MONTHS.index(month) + 1}/{number}") == str(day)


@pytest.mark.parametrize("iso", ["2018", "2018-03", "", "unknown", "2018-02-30", "0001-01-01"])
def test_what_is_no_whole_date_is_shown_as_it_is(iso: str) -> None:
    assert show_date(iso, "fa") == iso


def test_only_persian_pages_show_the_solar_date() -> None:
    assert show_date("2018-03-14", "en") == "2018-03-14"
    assert show_date("2018-03-14", "fa") == "\u2068۲۳ اسفند ۱۳۹۶\u2069 · \u20682018-03-14\u2069"


# -- digits and numbers ---------------------------------------------------------------------------


@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([{}, PERSIAN, ARABIC]))
def test_a_number_in_any_digits_is_the_same_number(number: object, digits: dict[int, int]) -> None:
    plain = f"{number:f}"
    typed = plain.translate(digits).replace("-", "\u2212")
    assert read_number(f" {typed}\u200f ") == plain
    assert read_number(typed.replace(".", "٫")) == plain


@given(st.text())
def test_reading_twice_is_reading_once(text: str) -> None:
    for read in (read_number, read_text, latin_digits):
        assert read(read(text)) == read(text)


@given(st.text(st.characters(max_codepoint=0x5FF, exclude_categories=["Cc", "Z"])))
def test_nothing_but_digits_minus_and_marks_is_touched(text: str) -> None:
    assert read_number(text) == text


@pytest.mark.parametrize("typed", ["1,800", "1.800,5", "۱٬۸۰۰", "۱/۸", "<5", "1 800"])
def test_an_ambiguous_number_stays_for_the_checks_to_refuse(typed: str) -> None:
    assert read_number(typed) == latin_digits(typed)


def test_typed_text_is_composed_and_trimmed_and_keeps_its_half_spaces() -> None:
    assert read_text("  a\u0301 \r\n b ") == "á b"
    assert read_text("می\u200cشود ۱۲") == "می\u200cشود ۱۲"


@pytest.mark.parametrize(
    "text", ["2018-02-30", "2018-13", "2018-00-01", "2023-02-29", "۲۰۱۸-۱۱-۳۱"]
)
def test_a_day_that_does_not_exist_is_told(text: str) -> None:
    with pytest.raises(DateError, match="does not exist in the Gregorian calendar"):
        read_date(text)
