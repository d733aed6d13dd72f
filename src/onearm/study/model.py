"""The protocol as a frozen value: one record per part of a study file, named as the file names it.

``docs/study-file.md`` is the reference of every key. Nothing here reads files; see
:mod:`onearm.study.load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from onearm.errors import StudyError
from onearm.instruments import INSTRUMENTS
from onearm.study.rules import Rule, parse_rule
from onearm.study.values import (
    About,
    Adjustment,
    Alternative,
    BaselineWords,
    Bounds,
    Choices,
    Covariance,
    DateText,
    Day,
    Days,
    Decimals,
    DegreesOfFreedom,
    Dependent,
    Design,
    Gate,
    Hla,
    Id,
    Information,
    ItemType,
    Meaning,
    MeasureId,
    Method,
    MissingMethod,
    Name,
    Number,
    Output,
    Percent,
    Phase,
    Positive,
    Printed,
    Prior,
    PValue,
    ResultPath,
    Role,
    Share,
    ShareBounds,
    Strategy,
    TestMethod,
    Text,
    TextMap,
    Timing,
    WholeNumber,
    Within,
    Words,
    YesNo,
    Zeros,
    at_least,
)

_T = TypeVar("_T")

RESPONSE_NAMES: Mapping[str, str] = dict.fromkeys(("CHG", "AVAL", "BASE", "PCHG"), "number")
"""Names a response rule may use: change, value, baseline, percentage change."""

EVENT_NAMES: Mapping[str, tuple[str, str]] = {
    "related": ("yesno", "related"),
    "serious": ("yesno", "serious"),
    "grade": ("number", "grade"),
    "term": ("text", "event term"),
}
"""Names a stopping rule may use, each with its type and the role of the item that answers it."""


class Part(BaseModel):
    """A part of a study: its attributes are the file's keys; it cannot change."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Planned(Part):
    """How many patients the protocol plans: ``treated`` with the cells, ``controls`` without."""

    treated: Annotated[WholeNumber, at_least(1)]
    controls: Annotated[WholeNumber, at_least(0)] = 0


class Header(Part):
    """What the trial is."""

    id: Id
    title: Text
    phase: Phase
    design: Design
    controlled: YesNo = False
    planned: Planned
    seed: Annotated[WholeNumber, at_least(0)]
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
    infusions: Annotated[WholeNumber, at_least(1)] = 1
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
    day: Day
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
    """One thing asked. ``unit`` is UCUM, empty for anything but numbers.

    ``when`` is a rule over items of the same form: the item is asked where it holds. ``identifying``
    marks what tells who somebody is.
    """

    id: Name
    label: Text
    type: ItemType
    unit: Text = ""
    range: Bounds | None = None
    decimals: Decimals | None = None
    choices: Choices | None = None
    required: YesNo = True
    role: Role | None = None
    refers: About | None = None
    when: Text | None = None
    identifying: YesNo = False


class InstrumentUse(Part):
    """A form that is a published instrument: which one, its options, where its values come from."""

    name: Text
    window_days: Annotated[WholeNumber, at_least(0)] = 10
    arthritis: Literal["at least 2", "more than 2"] = "at least 2"
    values: TextMap = Words({})


class Form(Part):
    """A page of questions about a subject, a donor or a lot.

    ``sign`` lists the signatures it needs, by their meaning; two of them are by two different people.
    """

    id: Name
    label: Text
    about: About = "subject"
    repeating: YesNo = False
    unscheduled: YesNo = False
    sign: tuple[Meaning, ...] = ()
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

    @cached_property
    def attributions(self) -> frozenset[str]:
        """Questions that say only whether a laboratory finding is due to the disease."""
        if self.instrument is None or self.instrument.name not in INSTRUMENTS:
            return frozenset()
        questions = INSTRUMENTS[self.instrument.name].questions
        return frozenset(q.id for q in questions if q.derived_from)

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
    unit: Text = ""
    scale: Literal["linear", "log"] = "linear"
    decimals: Decimals = 1
    better: Literal["lower", "higher"] | None = None
    derive: Derive | None = None
    code: Text = ""

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


class ReferenceRate(Part):
    """A rate of response to test against, and where it comes from."""

    rate: Share
    citation: Text


class HistoricalArm(Part):
    """Responders among the patients of an earlier arm that was treated without the cells."""

    text: Text
    responders: Annotated[WholeNumber, at_least(0)]
    n: Annotated[WholeNumber, at_least(1)]
    citation: Text


class Decision(Part):
    """One condition of a go decision: the rate exceeds ``rate`` with at least ``probability``."""

    rate: Share
    probability: Share


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
    background: Id | None = None
    missing: tuple[MissingMethod, ...] = (
        "worst_case",
        "tipping_point",
        "reference_based",
        "multiple_imputation",
        "return_to_baseline",
    )
    deltas: tuple[Number, ...] = ()
    reference: ReferenceRate | None = None
    prior: Prior = (1.0, 1.0)
    historical: tuple[HistoricalArm, ...] = ()
    weight: Share = 0.5
    go: tuple[Decision, ...] = ()
    relevant: Number | None = None
    definitions: tuple[Text, ...] = ()
    values: TextMap = Words({})
    visits: tuple[Id, ...] = ()
    dependent: Dependent = "AVAL"
    covariates: tuple[Name, ...] = ()
    covariance: tuple[Covariance, ...] = ("us", "adh", "ar1h", "csh", "cs")
    df: DegreesOfFreedom = "kenward-roger"
    information: Information = "observed"
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
    """What patients like these do without the cells: a published change with its spread.

    ``before`` is the arm's own mean before, from which its own regression to the mean is told;
    ``weight`` the belief that the arm speaks for the patients of this trial.
    """

    id: Id
    measure: MeasureId
    text: Text
    change: Number
    sd: Positive
    n: Annotated[WholeNumber, at_least(1)] | None = None
    before: Number | None = None
    weight: Share = 0.5
    citation: Text


class Untreated(Part):
    """How a measure varies in the patients screened when nobody treats it.

    Either ``mean``, ``sd`` and ``rho`` are stated, or two visits before the infusion are named from
    which they are estimated. On a log scale ``mean`` is the geometric mean in the measure's unit,
    ``sd`` and ``mean_se`` are those of natural logarithms.
    """

    measure: MeasureId
    mean: Number | None = None
    sd: Positive | None = None
    rho: Share | None = None
    mean_se: Positive | None = None
    rho_se: Positive | None = None
    rho_range: ShareBounds | None = None
    run_in: tuple[Id, ...] = ()
    above: Number | None = None
    below: Number | None = None
    citation: Text


class Multiplicity(Part):
    """How the P values of several analyses are judged together.

    ``analyses`` are taken together (Holm, Hochberg) or in this order (hierarchical); for
    gatekeeping ``families`` are opened one after the other: when all of a family are rejected
    (serial gates) or one of it is (parallel).
    """

    method: Adjustment
    alpha: Share = 0.05
    analyses: tuple[Id, ...] = ()
    families: tuple[tuple[Id, ...], ...] = ()
    gates: Gate = "serial"


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
    untreated: tuple[Untreated, ...] = ()
    comparators: tuple[Comparator, ...] = ()
    multiplicity: Multiplicity | None = None
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

    def identifies(self, form_id: str, item_id: str) -> bool:
        """Whether an item tells who somebody is; False for what is no item of this study."""
        forms = (f for f in self.forms if f.id == form_id)
        return any(i.id == item_id and i.identifying for f in forms for i in f.all_items)

    def find_item(self, name: str) -> tuple[Form, Item]:
        """Find an item and its form; of an instrument used twice, the first form that has it."""
        return _pick(self.name, "item", name, self._items)

    def visit(self, id: str) -> Visit:
        """Find the visit with this id; StudyError when there is none."""
        return _pick(self.name, "visit", id, {v.id: v for v in self.schedule.visits})

    def measure(self, id: str) -> Measure:
        """Find the measure with this id; StudyError when there is none."""
        return _pick(self.name, "measure", id, {m.id: m for m in self.measures})

    def forms_of(self, measure: str) -> list[Form]:
        """List the forms a measure is recorded on; inputs recorded once in a study do not count."""
        if measure in self._items:
            return [self._items[measure][0]]
        scored = [form for form in self.forms if measure in form.scores]
        if scored:
            return scored[:1]
        derive = next((m.derive for m in self.measures if m.id == measure), None)
        sources = derive.inputs.values() if derive else ()
        forms = [self._items[s][0] for s in sources if s in self._items]
        often = [f for f in forms if sum(f.id in v.forms for v in self.schedule.visits) > 1]
        return list(dict.fromkeys(often))

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
