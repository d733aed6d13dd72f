"""Dates as people write and read them: solar Hijri beside ISO, Persian digits; ISO is what is kept."""

from __future__ import annotations

import re
from datetime import date

import jdatetime

from onearm.errors import DateError
from onearm.web.reading import latin_digits

MONTHS = (
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
)  # fmt: skip
JALALI_YEARS, GREGORIAN_YEARS = range(1200, 1600), range(1800, 2200)
ISOLATE, POP = "\u2068", "\u2069"

_WRITTEN = re.compile(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?")


def read_date(text: str) -> str:
    """A typed date as ISO 8601; years 1200 to 1599 are of the solar Hijri calendar.

    Raises
    ------
    DateError
        The text is no date, a day that does not exist, or a part of a solar Hijri date: its months span
        two Gregorian ones, so it cannot be kept without saying more than was known.
    """
    plain = latin_digits(text).strip()
    match = _WRITTEN.fullmatch(plain)
    if match is None:
        raise DateError(
            "'{text}' is not a date; expected year-month-day, as 2018-03-14 or 1396-12-23; "
            "write it so",
            text=text,
        )
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None
    if year in JALALI_YEARS:
        if month is None or day is None:
            raise DateError(
                "'{text}' is a part of a solar Hijri date, which lies in two Gregorian months or "
                "years; expected the whole date, or year and month of the Gregorian calendar; "
                "write one of these",
                text=text,
            )
        try:
            return str(jdatetime.date(year, month, day).togregorian().isoformat())
        except ValueError:
            raise DateError(
                "'{text}' does not exist in the solar Hijri calendar; expected a day that does; "
                "correct it",
                text=text,
            ) from None
    if year not in GREGORIAN_YEARS:
        raise DateError(
            "'{text}': the year {year} is of neither calendar; expected a Gregorian or solar "
            "Hijri year; correct it",
            text=text,
            year=year,
        )
    try:
        date(year, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        raise DateError(
            "'{text}' does not exist in the Gregorian calendar; expected a day that does; correct it",
            text=text,
        ) from None
    return "-".join(
        part if n == 0 else part.zfill(2) for n, part in enumerate(p for p in match.groups() if p)
    )


def show_date(iso: str, language: str) -> str:
    """An ISO date for reading: as it is, in Persian the solar Hijri one beside it."""
    if language != "fa" or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", iso):
        return iso
    try:
        solar = jdatetime.date.fromgregorian(date=date.fromisoformat(iso))
    except ValueError:
        return iso
    words = f"{solar.day} {MONTHS[solar.month - 1]} {solar.year}".translate(PERSIAN)
    return f"{ISOLATE}{words}{POP} · {ISOLATE}{iso}{POP}"


PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
