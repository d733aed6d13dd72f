"""What a rule is made of, once it is read: names, values, comparisons and what joins them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Truth = bool | None
Kind = Literal["number", "text", "yesno", "date"]
Range = tuple[float, float]

KINDS: Mapping[str, Kind] = {
    "number": "number",
    "quantity": "number",
    "integer": "number",
    "text": "text",
    "choice": "text",
    "yesno": "yesno",
    "date": "date",
}
KIND_WORDS: Mapping[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "yesno": "yes or no",
    "date": "a date",
}


@dataclass(frozen=True)
class Value:
    """A number, text, or true or false, as written."""

    kind: Kind
    value: float | str | bool
    text: str


@dataclass(frozen=True)
class Name:
    """A name; ``values`` are those a choice may take, None for anything else."""

    kind: Kind
    name: str
    values: tuple[str, ...] | None

    @property
    def text(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True)
class Count:
    """``count(a, b, ...)``: how many conditions hold."""

    parts: tuple[Phrase, ...]
    text: str
    kind: Kind = "number"


@dataclass(frozen=True)
class Sum:
    """Two numbers joined by an operator of arithmetic."""

    operator: str
    left: Phrase
    right: Phrase
    text: str
    kind: Kind = "number"


@dataclass(frozen=True)
class Comparison:
    """A comparison, or a chain of them: one operator less than terms."""

    terms: tuple[Phrase, ...]
    operators: tuple[str, ...]
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class OneOf:
    """``x in [...]`` or ``x not in [...]``."""

    term: Phrase
    values: tuple[Value, ...]
    negated: bool
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class Not:
    """A denial."""

    part: Phrase
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class Joined:
    """Conditions joined by AND or OR."""

    operator: Literal["AND", "OR"]
    parts: tuple[Phrase, ...]
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class Recorded:
    """``known(x)`` (``wanted`` true) or ``missing(x)``."""

    name: Name
    wanted: bool
    text: str
    kind: Kind = "yesno"


Phrase = Value | Name | Count | Sum | Comparison | OneOf | Not | Joined | Recorded


def read_date(value: object) -> date | None:
    """Read a complete calendar date; None for anything else."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return None
