"""The protocol as a frozen value: one record per part of a study file, named as the file names it.

``docs/study-file.md`` is the reference of every key. Nothing here reads files; see
:mod:`onearm.study.load`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from onearm.dates import Duration, PartialDate
from onearm.errors import DateError, StudyError
from onearm.instruments import INSTRUMENTS
from onearm.study.rules import RESERVED, Rule, parse_rule

_T = TypeVar("_T")

# -- values as people write them ------------------------------------------------------------------
#
# Each reader below raises its fault in the words a person sees: what was found; what was expected;
# what to do. The loader adds the file, the line, the column and the path.


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


def _at_least(limit: int) -> Any:
    def check(value: int) -> int:
        if value < limit:
            raise refuse(f"'{value}' is too small", f"at least {limit} is expected", "correct it")
        return value

    return AfterValidator(check)


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
Days = Annotated[tuple[WholeNumber, WholeNumber], BeforeValidator(_read_pair)]
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
    "descriptive", "paired_t", "signed_rank", "signed_rank_normal", "responders", "renal_response"
]
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
    "response",
    "adverse_events",
    "deviations",
    "data",
]

RESPONSE_NAMES: Mapping[str, str] = dict.fromkeys(("CHG", "AVAL", "BASE", "PCHG"), "number")
"""Names a response rule may use: change, value, baseline, percentage change."""

EVENT_NAMES: Mapping[str, tuple[str, str]] = {
    "related": ("yesno", "related"),
    "serious": ("yesno", "serious"),
    "grade": ("number", "grade"),
    "term": ("text", "event term"),
}
"""Names a stopping rule may use, each with its type and the role of the item that answers it."""


# -- the parts ------------------------------------------------------------------------------------


class Part(BaseModel):
    """A part of a study: its attributes are the file's keys; it cannot change."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Planned(Part):
    """How many patients the protocol plans: ``treated`` with the cells, ``controls`` without."""

    treated: Annotated[WholeNumber, _at_least(1)]
    controls: Annotated[WholeNumber, _at_least(0)] = 0


class Header(Part):
    """What the trial is."""

    id: Id
    title: Text
    phase: Phase
    design: Design
    controlled: YesNo = False
    planned: Planned
    seed: Annotated[WholeNumber, _at_least(0)]
    background: Text | None = None
    objective: Text | None = None


class Source(Part):
    """A published source of what the file says."""

    id: Id
    citation: Text
    url: Text | None = None


class Registration(Part):
    """The trial's entry in a public registry."""

    id: Text
    registered: DateText | None = None
    timing: Timing = "not stated"
    url: Text | None = None


class Criterion(Part):
    """One criterion of eligibility: its text as the protocol has it, and the rule that decides it.

    ``within`` is how old a value may be at the reference date; None sets no limit.
    """

    id: Id
    text: Text
    rule: Text
    within: Within | None = None


class Population(Part):
    """Who may take part. ``reference`` is the date item that time limits count back from."""

    condition: Text
    reference: Name | None = None
    inclusion: tuple[Criterion, ...] = ()
    exclusion: tuple[Criterion, ...] = ()


class DonorTest(Part):
    """A test a donor must have: the item, the result it must show, how near to tissue recovery."""

    item: Name
    result: Text
    within: Within | None = None


class DonorRule(Part):
    """A further condition on a donor, over the items of the donor's forms."""

    id: Id
    text: Text
    rule: Text


class Donor(Part):
    """Whose cells. An empty ``relation`` and an absent ``age`` mean that the source states none."""

    relation: tuple[Text, ...] = ()
    age: Bounds | None = None
    tissue: Text | None = None
    hla: Hla = "not stated"
    tests: tuple[DonorTest, ...] = ()
    rules: tuple[DonorRule, ...] = ()


class ProductSource(Part):
    """Where the cells come from."""

    tissue: Text
    origin: Literal["allogeneic", "autologous"]


class ReleaseTest(Part):
    """A test that a lot must pass.

    ``pending`` says what an open result does: ``blocks`` the lot, or ``conditional`` release.
    """

    id: Id
    text: Text
    rule: Text
    pending: Literal["blocks", "conditional"] = "blocks"


class Amount(Part):
    """A number with its UCUM unit."""

    value: Positive
    unit: Text


class WeightAt(Part):
    """The weight that doses: which item, at which visit."""

    item: Name
    visit: Id


class Dose(Part):
    """How many viable cells, and how fast. ``tolerance`` is a fraction: ``10 %`` is 0.1."""

    per_kg: Amount
    route: Text
    infusions: Annotated[WholeNumber, _at_least(1)] = 1
    weight: WeightAt
    tolerance: Percent | None = None
    max_rate: Amount | None = None
    endotoxin_limit: Amount | None = None


class Product(Part):
    """What is given."""

    name: Text
    source: ProductSource | None = None
    release: tuple[ReleaseTest, ...] = ()
    dose: Dose


class Anchor(Part):
    """The date that study days count from: day 1."""

    form: Name
    item: Name


class Visit(Part):
    """A planned visit. ``day`` is a study day (there is no day 0), ``window`` days around it."""

    id: Id
    label: Text
    day: WholeNumber
    window: Days = (0, 0)
    forms: tuple[Name, ...]

    @property
    def offset(self) -> int:
        """Days from the anchor: study day 1 is 0, study day -1 is -1."""
        return self.day - 1 if self.day > 0 else self.day

    @property
    def span(self) -> tuple[int, int]:
        """First and last day of the window, in days from the anchor."""
        return self.offset + self.window[0], self.offset + self.window[1]


class Schedule(Part):
    """When what is done.

    ``outside_window`` says what becomes of a value recorded at a visit but outside its window:
    ``nominal`` keeps it at that visit, ``exclude`` leaves it out of every analysis.
    """

    anchor: Anchor
    outside_window: Literal["nominal", "exclude"] = "nominal"
    visits: tuple[Visit, ...]


class Item(Part):
    """One thing asked. ``unit`` is UCUM, empty for anything but numbers."""

    id: Name
    label: Text
    type: ItemType
    unit: Annotated[str, BeforeValidator(_read_text)] = ""
    range: Bounds | None = None
    decimals: Decimals | None = None
    choices: Choices | None = None
    required: YesNo = True
    role: Role | None = None
    refers: About | None = None


class InstrumentUse(Part):
    """A form that is a published instrument: which one, its options, where its values come from."""

    name: Text
    window_days: Annotated[WholeNumber, _at_least(0)] = 10
    arthritis: Literal["at least 2", "more than 2"] = "at least 2"
    values: TextMap = Words({})


class Form(Part):
    """A page of questions about a subject, a donor or a lot."""

    id: Name
    label: Text
    about: About = "subject"
    repeating: YesNo = False
    unscheduled: YesNo = False
    instrument: InstrumentUse | None = None
    items: tuple[Item, ...] = ()

    @cached_property
    def all_items(self) -> tuple[Item, ...]:
        """Declared items, then one yes/no item per question of the form's instrument."""
        if self.instrument is None or self.instrument.name not in INSTRUMENTS:
            return self.items
        instrument = INSTRUMENTS[self.instrument.name]
        questions = instrument.questions_for(arthritis=self.instrument.arthritis)
        return self.items + tuple(Item(id=q.id, label=q.label, type="yesno") for q in questions)

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the instrument's scores as rules and measures write them: ``SLEDAI.total``."""
        if self.instrument is None or self.instrument.name not in INSTRUMENTS:
            return ()
        return tuple(f"{self.id}.{score}" for score in INSTRUMENTS[self.instrument.name].scores)

    def role(self, role: str) -> Item | None:
        """Find the item that plays a role in this form, None when none does."""
        return next((item for item in self.items if item.role == role), None)


class BaselineRule(Part):
    """What counts as 'before': the value of one visit, or a rule over all values before."""

    id: Id
    label: Text
    visit: Id | None = None
    rule: BaselineWords | None = None


class Baseline(Part):
    """The primary baseline rule, and others that every result is shown under too."""

    primary: BaselineRule
    also: tuple[BaselineRule, ...] = ()

    @property
    def rules(self) -> tuple[BaselineRule, ...]:
        """Every baseline rule, the primary one first."""
        return (self.primary, *self.also)


class Intercurrent(Part):
    """An event after the infusion that changes what a value means, and how it is dealt with."""

    event: Text
    strategy: Strategy


class Estimand(Part):
    """What is estimated, in the five attributes of ICH E9(R1)."""

    id: Id
    population: Text
    variable: MeasureId
    at: Id
    summary: Text
    intercurrent: tuple[Intercurrent, ...] = ()
    missing: Text | None = None


class Derive(Part):
    """A measure worked out from items: the derivation's name and the item for each input."""

    name: Text
    inputs: TextMap


class Measure(Part):
    """Something measured repeatedly: an item, a score of an instrument, or a derived quantity.

    ``code`` is its PARAMCD, at most 8 characters; without one it is made from the id.
    """

    id: MeasureId
    label: Text
    unit: Annotated[str, BeforeValidator(_read_text)] = ""
    scale: Literal["linear", "log"] = "linear"
    decimals: Decimals = 1
    better: Literal["lower", "higher"] | None = None
    derive: Derive | None = None
    code: Annotated[str, BeforeValidator(_read_text)] = ""

    @model_validator(mode="before")
    @classmethod
    def _with_code(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "code" not in data and isinstance(data.get("id"), str):
            return {**data, "code": re.sub(r"[^A-Z0-9_]", "", data["id"].upper())[:8]}
        return data


class PublishedTest(Part):
    """How a published report tested the same change, so that its P value can be computed again."""

    method: TestMethod
    zeros: Zeros = "wilcoxon"
    correction: YesNo = False
    alternative: Alternative = "two-sided"
    p: PValue
    decimals: Decimals = 3


class Analysis(Part):
    """One planned analysis."""

    id: Id
    title: Text
    role: Literal["primary", "secondary", "exploratory"]
    estimand: Id | None = None
    measure: MeasureId | None = None
    at: Id
    method: Method
    zeros: Zeros = "pratt"
    correction: YesNo = False
    alternative: Alternative = "two-sided"
    conf_level: Share = 0.95
    response: Text | None = None
    definitions: tuple[Text, ...] = ()
    values: TextMap = Words({})
    published: PublishedTest | None = None


class Expected(Part):
    """An adverse event that is expected, by its term."""

    term: Text
    text: Text | None = None


class StoppingRule(Part):
    """Stop when the rate of an event is probably above a limit (beta-binomial posterior)."""

    id: Id
    text: Text | None = None
    event: Text
    method: Literal["beta_binomial"]
    prior: Prior
    limit: Share
    probability: Share


class Safety(Part):
    """How harm is graded, what is expected and when to stop."""

    ctcae: Literal["v5", "v6"] = "v5"
    expected: tuple[Expected, ...] = ()
    stopping: tuple[StoppingRule, ...] = ()


class Comparator(Part):
    """What patients like these do without the cells: a published change with its spread."""

    id: Id
    measure: MeasureId
    text: Text
    change: Number
    sd: Positive
    n: Annotated[WholeNumber, _at_least(1)] | None = None
    citation: Text


class PublishedNumber(Part):
    """A number as a report prints it, and the path of the result that reproduces it.

    ``value`` is text, so trailing zeros stay. ``from_`` (``from`` in the file) is None when no
    record exists to reproduce the number.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True
    )

    text: Text
    value: Printed
    from_: ResultPath | None = Field(default=None, alias="from")


class Published(Part):
    """What a report prints."""

    source: Id | None = None
    numbers: tuple[PublishedNumber, ...] = ()


class Study(Part):
    """A study: the whole protocol, frozen.

    Made by :func:`onearm.study.load_study`, which has checked every reference in it.
    """

    onearm: Literal[1]
    study: Header
    registration: Registration | None = None
    sources: tuple[Source, ...] = ()
    population: Population
    donor: Donor = Donor()
    product: Product
    schedule: Schedule
    forms: tuple[Form, ...]
    baseline: Baseline
    estimands: tuple[Estimand, ...] = ()
    measures: tuple[Measure, ...] = ()
    analyses: tuple[Analysis, ...]
    safety: Safety = Safety()
    comparators: tuple[Comparator, ...] = ()
    published: Published = Published()
    outputs: tuple[Output, ...]

    _name: str = PrivateAttr(default="")
    _text: str = PrivateAttr(default="")
    _digest: str = PrivateAttr(default="")

    @classmethod
    def _made(cls, parts: Self, name: str, text: str, digest: str) -> Self:
        parts._name, parts._text, parts._digest = name, text, digest
        return parts

    @property
    def id(self) -> str:
        """The study's identifier."""
        return self.study.id

    @property
    def title(self) -> str:
        """The study's title."""
        return self.study.title

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.study.seed

    @property
    def name(self) -> str:
        """Name of the file, without its folder."""
        return self._name

    @property
    def text(self) -> str:
        """The file's text, as read."""
        return self._text

    @property
    def hash(self) -> str:
        """SHA-256 of the file's bytes, hexadecimal: the version every ledger entry names."""
        return self._digest

    @cached_property
    def _forms(self) -> dict[str, Form]:
        return {form.id: form for form in self.forms}

    @cached_property
    def _items(self) -> dict[str, tuple[Form, Item]]:
        found: dict[str, tuple[Form, Item]] = {}
        for form in self.forms:
            for item in form.all_items:
                found.setdefault(item.id, (form, item))
        return found

    @cached_property
    def _rules(self) -> dict[str, Rule]:
        return {}

    @cached_property
    def types(self) -> Mapping[str, str | tuple[str, ...]]:
        """What each name a rule may use is: items, scores (``SLEDAI.total``), derived measures.

        A choice stands with the values it may take.
        """
        types: dict[str, str | tuple[str, ...]] = {}
        for form in self.forms:
            for item in form.all_items:
                choice = item.type == "choice" and item.choices is not None
                types.setdefault(item.id, tuple(item.choices or ()) if choice else item.type)
            types.update(dict.fromkeys(form.scores, "number"))
        for measure in self.measures:
            if measure.derive is not None:
                types.setdefault(measure.id, "number")
        return types

    def rule(self, text: str) -> Rule:
        """Read a rule over this study's items, scores and derived measures.

        Raises
        ------
        RuleError
            The rule cannot be used; it tells every fault.
        """
        if text not in self._rules:
            self._rules[text] = parse_rule(text, self.types)
        return self._rules[text]

    def form(self, id: str) -> Form:
        """Find the form with this id; StudyError when there is none."""
        return _pick(self.name, "form", id, self._forms)

    def item(self, form_id: str, item_id: str) -> Item:
        """Find an item of a form, questions of its instrument included; or raise StudyError."""
        items = {item.id: item for item in self.form(form_id).all_items}
        return _pick(self.name, f"item of form {form_id}", item_id, items)

    def find_item(self, name: str) -> tuple[Form, Item]:
        """Find an item and its form; of an instrument used twice, the first form that has it."""
        return _pick(self.name, "item", name, self._items)

    def visit(self, id: str) -> Visit:
        """Find the visit with this id; StudyError when there is none."""
        return _pick(self.name, "visit", id, {v.id: v for v in self.schedule.visits})

    def measure(self, id: str) -> Measure:
        """Find the measure with this id; StudyError when there is none."""
        return _pick(self.name, "measure", id, {m.id: m for m in self.measures})

    def visit_of_anchor(self) -> Visit:
        """Find the visit of the anchor's form, the first infusion."""
        anchor = self.schedule.anchor.form
        return next(visit for visit in self.schedule.visits if anchor in visit.forms)


def _pick(name: str, kind: str, wanted: str, among: Mapping[str, _T]) -> _T:
    try:
        return among[wanted]
    except KeyError:
        raise StudyError(
            f"{name}: '{wanted}' is not a{'n' if kind[0] in 'aeiou' else ''} {kind}; "
            f"there are {', '.join(among)}; use one of these"
        ) from None
