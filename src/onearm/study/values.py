"""Values as people write them in a study file, and the faults they make.

Each reader raises its fault in the words a person sees: what was found; what was expected; what to
do. The loader adds the file, the line, the column and the path.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from onearm.dates import Duration, PartialDate
from onearm.errors import DateError
from onearm.study.rules import RESERVED


class Whole(int):
    """A whole number of the file that remembers how it was written."""

    raw: str


class Decimal(float):
    """A number of the file that remembers how it was written: ``6.0`` is not ``6``."""

    raw: str


class Words(Mapping[str, str]):
    """A mapping of text to text that cannot change, so that a study can be hashed."""

    def __init__(self, items: Mapping[str, str]):
        self._items = dict(items)

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return f"Words({self._items!r})"


LONGEST = 36_525  # days: a hundred years; beyond it a date is no date any more


def refuse(found: str, expected: str, todo: str) -> PydanticCustomError:
    """Build a fault of one value in words; braces are doubled because pydantic fills templates."""
    words = f"{found}; {expected}; {todo}"
    return PydanticCustomError("onearm", words.replace("{", "{{").replace("}", "}}"))


def shown(value: object) -> str:
    """Return a value as the file shows it, in quotes and shortened, for use in messages."""
    if isinstance(value, bool):
        return f"'{'true' if value else 'false'}'"
    if isinstance(value, Mapping):
        return "a block of keys"
    if isinstance(value, list | tuple):
        return "a list"
    text = " ".join(str(getattr(value, "raw", value)).split())
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def _read_text(value: object) -> str:
    if isinstance(value, Whole | Decimal):
        return value.raw
    if not isinstance(value, str):
        todo = "put it in quotes" if isinstance(value, bool) else "write a text"
        raise refuse(f"{shown(value)} is not a text", "a text is expected", todo)
    if not value.strip():
        raise refuse("the text is empty", "a text is expected", "write it or leave the key out")
    return value.strip()


def _read_whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        todo = "take the quotes away" if isinstance(value, str) and _digits(value) else "correct it"
        raise refuse(f"{shown(value)} is not a whole number", "a whole number is expected", todo)
    return int(value)


def _read_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        todo = "take the quotes away" if isinstance(value, str) and _digits(value) else "correct it"
        if isinstance(value, str) and re.fullmatch(r"\d+,\d+", value):
            todo = "write a decimal point"
        raise refuse(f"{shown(value)} is not a number", "a number is expected", todo)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number - number != 0:
        raise refuse(f"{shown(value)} is not finite", "a finite number is expected", "correct it")
    return number


def _digits(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d+)?", text) is not None


def _read_yesno(value: object) -> bool:
    if not isinstance(value, bool):
        raise refuse(
            f"{shown(value)} is neither true nor false",
            "yes and no are written true and false",
            "write one of them",
        )
    return value


def _read_percent(value: object) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value) if isinstance(value, str) else None
    if not match or not 0 < float(match[1]) <= 100:
        raise refuse(
            f"{shown(value)} is not a percentage",
            "a percentage such as 10 % is expected",
            "write a number above 0 and at most 100, and the sign %",
        )
    return float(match[1]) / 100


def _read_duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    try:
        return Duration(_read_text(value))
    except DateError:
        raise refuse(
            f"{shown(value)} is not a duration",
            "ISO 8601 durations are P7D, P2W, P12M, P1Y",
            "write P, a whole number and D, W, M or Y",
        ) from None


def _read_date(value: object) -> PartialDate:
    if isinstance(value, PartialDate):
        return value
    try:
        return PartialDate(_read_text(value))
    except DateError:
        raise refuse(
            f"{shown(value)} is not a date",
            "dates are written 2017-06-03, 2017-06 or 2017",
            "correct it",
        ) from None


def _read_name(value: object) -> str:
    text = _read_text(value)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,19}", text):
        raise refuse(
            f"{shown(text)} cannot be an id here",
            "letters A to Z, digits and _ after a letter, at most 20, because rules name it",
            "rename it",
        )
    if keyword.iskeyword(text) or text.lower() in RESERVED:
        raise refuse(
            f"'{text}' is a word of the rule language", "an id is another word", "rename it"
        )
    return text


def _read_id(value: object) -> str:
    text = _read_text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}", text):
        raise refuse(
            f"{shown(text)} cannot be an id",
            "ids have letters A to Z, digits and . _ + -, at most 40, no spaces",
            "rename it",
        )
    return text


def _read_measure_id(value: object) -> str:
    form, dot, score = _read_text(value).partition(".")
    return f"{_read_name(form)}{dot}{_read_name(score) if dot else ''}"


def _read_printed(value: object) -> str:
    text = _read_text(value)
    if not re.fullmatch(r"[<>≤≥]?\s?[-+−]?\d+([.,]\d+)*([eE][-+]?\d+)?", text):
        raise refuse(
            f"{shown(text)} is not a number as printed",
            "a number such as '6.0' or '<0.001'",
            "write the number alone; its unit belongs into text:",
        )
    return text


def _read_path(value: object) -> str:
    text = _read_text(value)
    if not re.fullmatch(r"[^\s.]+(\.[^\s.]+)+", text):
        raise refuse(
            f"{shown(text)} is not the path of a result",
            "a path has two or more names joined by points, such as primary.sledai.before.mean",
            "correct it, or leave from: out",
        )
    return text


def _read_pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refuse(f"{shown(value)} is not a pair", "two numbers, [lower, upper]", "write both")
    return value


def _read_choices(value: object) -> object:
    if isinstance(value, list | tuple):
        texts = [_read_text(v) for v in value]
        for text in texts:
            if texts.count(text) > 1:
                raise refuse(f"'{text}' stands twice", "each choice stands once", "take one away")
        value = dict(zip(texts, texts, strict=True))
    if not value:
        raise refuse("the list of choices is empty", "one choice or more", "write the choices")
    return value


def _known_numbers(ordered: tuple[float, float]) -> tuple[float, float]:
    if ordered[0] > ordered[1]:
        low, high = (f"{n:g}" for n in ordered)
        raise refuse(
            f"[{low}, {high}] runs backwards", "the lower number comes first", "turn it round"
        )
    return ordered


def _read_positive(value: object) -> float:
    number = _read_number(value)
    if number <= 0:
        raise refuse(
            f"{shown(value)} is not positive", "a number above 0 is expected", "correct it"
        )
    return number


def _read_share(value: object) -> float:
    number = _read_number(value)
    if not 0 < number < 1:
        raise refuse(
            f"{shown(value)} is out of range", "a number between 0 and 1 is expected", "correct it"
        )
    return number


def _read_p_value(value: object) -> float:
    number = _read_number(value)
    if not 0 <= number <= 1:
        raise refuse(f"{shown(value)} is not a P value", "P lies between 0 and 1", "correct it")
    return number


def at_least(limit: int) -> Any:
    """Make the check that a whole number is not below a limit."""

    def check(value: int) -> int:
        if value < limit:
            raise refuse(f"'{value}' is too small", f"at least {limit} is expected", "correct it")
        return value

    return AfterValidator(check)


def _in_a_life(value: int) -> int:
    if abs(value) > LONGEST:
        raise refuse(
            f"'{value}' is too far", f"-{LONGEST} to {LONGEST} days are expected", "correct it"
        )
    return value


def _decimals(value: int) -> int:
    if not 0 <= value <= 10:
        raise refuse(f"'{value}' is not a number of decimals", "0 to 10", "correct it")
    return value


Text = Annotated[str, BeforeValidator(_read_text)]
WholeNumber = Annotated[int, BeforeValidator(_read_whole)]
Number = Annotated[float, BeforeValidator(_read_number)]
Positive = Annotated[float, BeforeValidator(_read_positive)]
Share = Annotated[float, BeforeValidator(_read_share)]
PValue = Annotated[float, BeforeValidator(_read_p_value)]
Day = Annotated[int, AfterValidator(_in_a_life), BeforeValidator(_read_whole)]
Decimals = Annotated[int, AfterValidator(_decimals), BeforeValidator(_read_whole)]
YesNo = Annotated[bool, BeforeValidator(_read_yesno)]
Percent = Annotated[float, BeforeValidator(_read_percent)]
Within = Annotated[Duration, BeforeValidator(_read_duration)]
DateText = Annotated[PartialDate, BeforeValidator(_read_date)]
Name = Annotated[str, BeforeValidator(_read_name)]
Id = Annotated[str, BeforeValidator(_read_id)]
MeasureId = Annotated[str, BeforeValidator(_read_measure_id)]
Printed = Annotated[str, BeforeValidator(_read_printed)]
ResultPath = Annotated[str, BeforeValidator(_read_path)]
Bounds = Annotated[
    tuple[Number, Number], AfterValidator(_known_numbers), BeforeValidator(_read_pair)
]
ShareBounds = Annotated[
    tuple[Share, Share], AfterValidator(_known_numbers), BeforeValidator(_read_pair)
]
Days = Annotated[tuple[Day, Day], BeforeValidator(_read_pair)]
Prior = Annotated[tuple[Positive, Positive], BeforeValidator(_read_pair)]
TextMap = Annotated[Mapping[Text, Text], AfterValidator(Words), PlainSerializer(dict)]
Choices = Annotated[
    Mapping[Text, Text],
    AfterValidator(Words),
    BeforeValidator(_read_choices),
    PlainSerializer(dict),
]

Phase = Literal["not stated", "I", "I-II", "II", "II-III", "III", "IV", "not applicable"]
Design = Literal["single-arm before-after", "controlled"]
Timing = Literal["before recruiting", "while recruiting", "after recruiting", "not stated"]
Hla = Literal["required", "not required", "not stated"]
ItemType = Literal["quantity", "integer", "date", "choice", "yesno", "text"]
About = Literal["subject", "donor", "lot"]
Meaning = Literal["author", "review", "approval", "responsibility"]
Role = Literal[
    "visit date",
    "event term",
    "start date",
    "end date",
    "grade",
    "serious",
    "related",
    "outcome",
    "deviation term",
    "important",
    "disposition",
    "cells given",
    "volume",
    "duration",
    "relation",
    "age",
    "hla match",
    "recovery date",
    "tissue",
    "viability",
    "concentration",
    "endotoxin",
]
BaselineWords = Literal["last before infusion", "mean before infusion"]
Strategy = Literal[
    "treatment policy", "composite", "hypothetical", "while on treatment", "principal stratum"
]
Method = Literal[
    "descriptive",
    "paired_t",
    "geometric_mean_ratio",
    "signed_rank",
    "signed_rank_normal",
    "sign_flip",
    "sign_test",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
    "normal_posterior",
    "responders",
    "binomial",
    "poisson_binomial",
    "beta_binomial",
    "mcnemar",
    "renal_response",
    "mmrm",
]
CHANGE_TESTS = (
    "paired_t",
    "geometric_mean_ratio",
    "signed_rank",
    "signed_rank_normal",
    "sign_flip",
    "sign_test",
    "offset_t",
    "offset_signed_rank",
    "mee_chua",
)
"""Methods that test a change from before to after."""
CHANGES = (*CHANGE_TESTS, "normal_posterior", "descriptive")
"""Methods over the change of every patient."""
RESPONSE_TESTS = ("binomial", "poisson_binomial", "mcnemar")
"""Methods that test how many patients respond."""
RESPONSES = (*RESPONSE_TESTS, "beta_binomial", "responders")
"""Methods over a yes or no for every patient."""
TESTS = (*CHANGE_TESTS, *RESPONSE_TESTS, "mmrm")
"""Methods that give a P value."""
OPTIONS = {
    "zeros": ("signed_rank", "signed_rank_normal", "offset_signed_rank"),
    "correction": ("signed_rank_normal",),
    "alternative": (*CHANGE_TESTS, *RESPONSE_TESTS),
    "response": RESPONSES,
    "background": CHANGES,
    "missing": (*CHANGES, "mmrm"),
    "deltas": (*CHANGES, "mmrm"),
    "reference": ("binomial",),
    "prior": ("beta_binomial",),
    "historical": ("beta_binomial",),
    "weight": ("beta_binomial",),
    "go": ("beta_binomial",),
    "relevant": ("normal_posterior",),
    "definitions": ("renal_response",),
    "values": ("renal_response",),
    "visits": ("mmrm",),
    "dependent": ("mmrm",),
    "covariates": ("mmrm",),
    "covariance": ("mmrm",),
    "df": ("mmrm",),
    "information": ("mmrm",),
    "published": CHANGES,
}
"""Keys of an analysis that only these methods have a use for."""
NEEDS_UNTREATED = ("offset_t", "offset_signed_rank", "mee_chua", "poisson_binomial")
"""Methods that need to know how the measure varies untreated."""
MissingMethod = Literal[
    "worst_case",
    "tipping_point",
    "reference_based",
    "multiple_imputation",
    "return_to_baseline",
]
MISSING: Mapping[MissingMethod, tuple[str, ...]] = {
    "worst_case": CHANGES,
    "tipping_point": (*CHANGES, "mmrm"),
    "reference_based": (*CHANGES, "mmrm"),
    "multiple_imputation": (*CHANGES, "mmrm"),
    "return_to_baseline": ("mmrm",),
}
"""Ways to deal with missing values, each with the methods that have it."""
Dependent = Literal["AVAL", "CHG"]
Covariance = Literal[
    "us", "toeph", "toep", "adh", "ad", "ar1h", "ar1", "csh", "cs", "sp_exp", "sp_gau"
]
DegreesOfFreedom = Literal[
    "kenward-roger",
    "kenward-roger-linear",
    "kenward-roger-mmrm",
    "satterthwaite",
    "residual",
    "between-within",
]
Information = Literal["observed", "expected"]
Adjustment = Literal["holm", "hochberg", "hierarchical", "gatekeeping"]
Gate = Literal["serial", "parallel"]
TestMethod = Literal["paired_t", "signed_rank", "signed_rank_normal"]
Zeros = Literal["wilcoxon", "pratt"]
Alternative = Literal["two-sided", "less", "greater"]
Output = Literal[
    "abstract",
    "published",
    "flow",
    "baseline",
    "eligibility",
    "exposure",
    "change",
    "trajectories",
    "longitudinal",
    "response",
    "adverse_events",
    "deviations",
    "data",
]
