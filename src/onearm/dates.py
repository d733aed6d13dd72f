"""Calendar dates of a trial: partial dates stay partial, study days have no day 0.

Clinical dates are local calendar dates in ISO 8601, of which the month and the day may be unknown.
Nothing here completes a date in silence: `PartialDate.impute` returns the date *and* the flag that
says what was made up. Nothing here asks what day it is today.

Sources: ISO 8601-1:2019 (calendar dates, durations); CDISC SDTMIG 3.4 (study day) and ADaMIG 1.3
(date imputation flag, DTF).
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Literal

from onearm.errors import DateError
from onearm.sentences import Sentence, joined, sentence, term

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_DURATION = re.compile(
    r"P(?=[0-9])(?:([0-9]{1,4})Y)?(?:([0-9]{1,5})M)?(?:([0-9]{1,6})D)?|P([0-9]{1,5})W"
)


def _last_day(year: int, month: int) -> int:
    """Return the number of days in a month."""
    return calendar.monthrange(year, month)[1]


@dataclass(frozen=True)
class PartialDate:
    """A calendar date of which the day, or the month and the day, may be unknown.

    Parameters
    ----------
    text
        ``"2024-03-05"``, ``"2024-03"`` (day unknown) or ``"2024"`` (month and day unknown), in the
        Gregorian calendar and Latin digits. Kept as written.

    Attributes
    ----------
    year : int
    month, day : int or None
        None where unknown.
    complete : bool
        True if year, month and day are known.

    Raises
    ------
    DateError
        If the text is anything else, a day that does not exist included.

    Notes
    -----
    Two partial dates are equal when their texts are. They have no order: which of ``2024`` and
    ``2024-03`` comes first is not known. Impute both by a stated rule and compare the dates.
    """

    text: str
    year: int = field(init=False, repr=False, compare=False)
    month: int | None = field(init=False, repr=False, compare=False)
    day: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        year, month, day = _read_date(self.text)
        object.__setattr__(self, "year", year)
        object.__setattr__(self, "month", month)
        object.__setattr__(self, "day", day)

    @property
    def complete(self) -> bool:
        """True if year, month and day are known."""
        return self.day is not None

    def date(self) -> dt.date:
        """Return the calendar date of a complete date.

        Raises
        ------
        DateError
            If a part is unknown: a partial date is never completed in silence.
        """
        if self.month is None or self.day is None:
            raise DateError(
                f"date: {self.text!r} is partial; expected a day such as {self.text[:4]}-03-05;"
                " find the day, or impute it by a stated rule"
            )
        return dt.date(self.year, self.month, self.day)

    def impute(self, rule: Literal["first", "last"]) -> tuple[dt.date, str]:
        """Complete the date by a stated rule and say what was made up.

        Parameters
        ----------
        rule
            ``"first"`` takes the earliest day the text allows, ``"last"`` the latest.

        Returns
        -------
        (datetime.date, str)
            The date and ADaM's date imputation flag: ``""`` nothing, ``"D"`` the day, ``"M"`` the
            month and the day were made up.
        """
        if rule not in ("first", "last"):
            raise ValueError(f"impute: {rule!r} is not a rule; expected 'first' or 'last'")
        flag = "" if self.complete else "D" if self.month is not None else "M"
        month = self.month or (1 if rule == "first" else 12)
        day = self.day or (1 if rule == "first" else _last_day(self.year, month))
        return dt.date(self.year, month, day), flag

    def __str__(self) -> str:
        return self.text


def _read_date(text: str) -> tuple[int, int | None, int | None]:
    """Return year, month and day of an ISO 8601 text, or raise DateError."""
    if not isinstance(text, str):
        raise TypeError(f"PartialDate reads a text, not {type(text).__name__}: write str(date)")
    match = _DATE.fullmatch(text)
    if match is None:
        raise DateError(
            f"date: {text!r} is not a date; expected YYYY-MM-DD, or YYYY-MM or YYYY where the rest"
            " is unknown; write year first, with leading zeros and hyphens"
        )
    year, month, day = (int(part) if part else None for part in match.groups())
    if not year:
        raise DateError(f"date: {text!r} has no such year; expected 0001 to 9999; correct the year")
    if month is not None and not 1 <= month <= 12:
        raise DateError(
            f"date: {text!r} has the month {month:02d}; expected 01 to 12; correct the month, which"
            " stands in the middle"
        )
    if month is not None and day is not None and not 1 <= day <= _last_day(year, month):
        raise DateError(
            f"date: {text!r} does not exist; expected a day from 01 to {_last_day(year, month)};"
            " correct the day, or leave it out if it is unknown"
        )
    return year, month, day


def study_day(day: dt.date, anchor: dt.date) -> int:
    """Return the study day of a date: the anchor is day 1, the day before it is day -1.

    Parameters
    ----------
    day, anchor
        Calendar dates without a time of day. The anchor is the reference, as a rule the infusion.

    Returns
    -------
    int
        Never 0.
    """
    for value in (day, anchor):
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            raise TypeError(f"study_day needs calendar dates, not {type(value).__name__}")
    difference = (day - anchor).days
    return difference + 1 if difference >= 0 else difference


@dataclass(frozen=True)
class Duration:
    """A length of time in calendar units, as ISO 8601 writes it.

    Parameters
    ----------
    text
        ``"P12M"``, ``"P7D"``, ``"P2W"``, ``"P1Y"`` or years, months and days together
        (``"P1Y6M"``). Whole numbers; no times of day; not negative.

    Raises
    ------
    DateError
        If the text is anything else.

    Notes
    -----
    A month is a calendar month: one month after 31 January is the last day of February. Therefore
    ``before`` does not always undo ``after``. Equality compares the texts: ``P12M`` is not ``P1Y``.
    """

    text: str
    months: int = field(init=False, repr=False, compare=False)
    days: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"Duration reads a text, not {type(self.text).__name__}")
        match = _DURATION.fullmatch(self.text)
        if match is None:
            raise DateError(
                f"duration: {self.text!r} is not a duration; expected P12M, P1Y6M, P2W or P7D"
                " (ISO 8601); write P, a whole number and Y, M, W or D in capitals"
            )
        years, months, days, weeks = (int(part or 0) for part in match.groups())
        object.__setattr__(self, "months", 12 * years + months)
        object.__setattr__(self, "days", 7 * weeks + days)

    def after(self, day: dt.date) -> dt.date:
        """Return the date this long after a date; months first, then days."""
        return self._shift(day, 1)

    def before(self, day: dt.date) -> dt.date:
        """Return the date this long before a date; months first, then days."""
        return self._shift(day, -1)

    def _shift(self, day: dt.date, sign: int) -> dt.date:
        if isinstance(day, dt.datetime) or not isinstance(day, dt.date):
            raise TypeError(f"Duration moves calendar dates, not {type(day).__name__}")
        year, month = divmod(day.year * 12 + day.month - 1 + sign * self.months, 12)
        try:
            clamped = min(day.day, _last_day(year, month + 1))
            return dt.date(year, month + 1, clamped) + dt.timedelta(days=sign * self.days)
        except (ValueError, OverflowError):
            side = "after" if sign > 0 else "before"
            raise DateError(
                f"duration: {self.text} {side} {day} leaves the calendar; expected a year from 1 to"
                " 9999; correct the duration"
            ) from None

    def words(self) -> Sentence:
        """Return the duration in words: ``"12 months"``, ``"1 year 6 months"``."""
        names = {"Y": "year", "M": "month", "W": "week", "D": "day"}
        said = []
        for number, unit in re.findall(r"([0-9]+)([YMWD])", self.text):
            many = term(names[unit] if int(number) == 1 else f"{names[unit]}s")
            said.append(sentence("{number} {unit}", number=int(number), unit=many))
        return joined(" ", said)

    def __str__(self) -> str:
        return self.text
