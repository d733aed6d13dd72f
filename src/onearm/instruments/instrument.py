"""What every instrument is made of: questions, bounds, and the two kinds of registered knowledge.

A score with something missing is a pair of bounds, never a silent zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest value that a score can have, given what is known.

    Parameters
    ----------
    lower, upper
        Finite numbers, lower <= upper. Equal when nothing that matters is missing.
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            raise ValueError(f"bounds must be finite numbers, not {self.lower} and {self.upper}")
        if self.lower > self.upper:
            raise ValueError(f"the lower bound {self.lower} is above the upper bound {self.upper}")

    @property
    def known(self) -> bool:
        """True if the score has one value."""
        return self.lower == self.upper

    @property
    def value(self) -> float | None:
        """The value of the score, or None where only bounds are known."""
        return self.lower if self.known else None

    def __str__(self) -> str:
        return f"{self.lower:g}" if self.known else f"{self.lower:g} to {self.upper:g}"


def add_bounds(parts: Iterable[Bounds]) -> Bounds:
    """Add bounds: the sum of the lowers to the sum of the uppers."""
    kept = list(parts)
    return Bounds(math.fsum(b.lower for b in kept), math.fsum(b.upper for b in kept))


@dataclass(frozen=True)
class Question:
    """One yes/no question of an instrument.

    Parameters
    ----------
    id
        Upper case, at most 8 characters: the item's id in the ledger.
    label
        The question in our own words.
    system
        The organ system it counts to.
    weight
        Points for "yes".
    derived_from
        The name of the laboratory value that holds the finding; then the answer says only whether
        the finding is due to the disease. None if the answer is the finding.
    """

    id: str
    label: str
    system: str
    weight: int
    derived_from: str | None = None


@dataclass(frozen=True)
class Instrument:
    """A clinical score: its questions, the values it reads, and how it is counted.

    Parameters
    ----------
    name, title, source
        Registry name; name for people; the publication.
    questions
        In the order of the form, in the wording of the default settings.
    score
        ``score(answers, values, *, window_days, arthritis, ages, new_or_recent)`` to a mapping from
        each name of `scores` to `Bounds`.
    item_scores
        The same arguments to a mapping from question id to `Bounds`.
    questions_for
        The questions in the wording of a setting: ``questions_for(arthritis="more than 2")``.
    value_units
        The UCUM unit of every value it can read; ``""`` for yes/no values. Values that no question
        is ``derived_from`` are optional.
    maximum
        The highest value of each score.
    settings
        The permitted values of each setting.
    """

    name: str
    title: str
    source: str
    questions: tuple[Question, ...]
    value_units: Mapping[str, str]
    score: Callable[..., Mapping[str, Bounds]]
    item_scores: Callable[..., Mapping[str, Bounds]]
    questions_for: Callable[..., tuple[Question, ...]]
    scores: tuple[str, ...] = ("total", "renal", "extrarenal")
    maximum: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    settings: Mapping[str, tuple[object, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Derivation:
    """A number computed from other recorded values by a published formula.

    Parameters
    ----------
    name, title, source
        Registry name; name for people; the publication.
    unit
        The UCUM unit of the result.
    inputs
        From the name of each argument of `compute` to its UCUM unit; ``""`` for codes.
    compute
        Keyword arguments named as `inputs`; returns None if any of them is None, and raises
        ValueError outside the values for which the formula was made.
    """

    name: str
    title: str
    source: str
    unit: str
    inputs: Mapping[str, str]
    compute: Callable[..., float | None]


def check_number(name: str, value: object, *, negative: bool = False) -> float | None:
    """Return a measured value as a float, or None if it is missing.

    Raises
    ------
    TypeError
        If it is a yes/no value, a text or anything else that is not a real number.
    ValueError
        If it is not finite, or negative where that cannot be.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: {value!r} is not a number; expected a number or None if missing")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: {value!r} is not a finite number; write None if it is missing")
    if number < 0 and not negative:
        raise ValueError(f"{name}: {value!r} is negative; expected 0 or more; correct the value")
    return number


def check_yes_no(name: str, value: object) -> bool | None:
    """Return a yes/no answer, or None if it is missing; numbers and texts are refused."""
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{name}: {value!r} is not yes or no; expected True, False or None if missing")
