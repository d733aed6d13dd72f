"""What the cross-checks share: a study known by its names, and the findings so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from onearm.errors import UnitError
from onearm.study.model import Form, Item, Measure, Study, Visit
from onearm.study.rules import RuleError, parse_rule
from onearm.study.source import Path
from onearm.study.wording import listing, offer
from onearm.units import MOLAR_MASSES, check_unit, convert

NUMERIC = ("quantity", "integer")


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit together.

    Attributes
    ----------
    path
        Where in the study, as keys and places in lists.
    message
        What was found; what was expected; what to do.
    about
        The word that was not found or does not fit; empty for none.
    offset
        Characters into the value at ``path`` (a place inside a rule).
    key
        The fault is the key itself, not its value.
    """

    path: Path
    message: str
    about: str = ""
    offset: int = 0
    key: bool = False


class Check:
    """The study under check, what was found so far, and what the study knows by name."""

    def __init__(self, study: Study):
        self.study = study
        self.findings: list[Finding] = []

    def add(self, path: Path, found: str, expected: str, todo: str, about: str = "") -> None:
        """Note a fault of the value at a path, in three parts."""
        self.findings.append(Finding(path, f"{found}; {expected}; {todo}", about))

    def add_key(self, path: Path, found: str, expected: str, todo: str) -> None:
        """Note a fault of the key itself."""
        self.findings.append(Finding(path, f"{found}; {expected}; {todo}", key=True))

    @cached_property
    def forms(self) -> dict[str, Form]:
        """Forms by id."""
        return {form.id: form for form in self.study.forms}

    @cached_property
    def visits(self) -> dict[str, Visit]:
        """Visits by id."""
        return {visit.id: visit for visit in self.study.schedule.visits}

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """Measures by id."""
        return {measure.id: measure for measure in self.study.measures}

    @cached_property
    def items(self) -> dict[str, tuple[Form, Item]]:
        """Items and questions by id, with their forms."""
        found: dict[str, tuple[Form, Item]] = {}
        for form in self.study.forms:
            for item in form.all_items:
                found.setdefault(item.id, (form, item))
        return found

    @cached_property
    def scores(self) -> dict[str, Form]:
        """Scores of instruments as rules write them, with their forms."""
        return {score: form for form in self.study.forms for score in form.scores}

    def items_about(self, *kinds: str) -> list[str]:
        """List the declared items of forms about these."""
        return [i.id for form in self.study.forms if form.about in kinds for i in form.items]

    def with_role(self, role: str, about: str | None = None) -> list[tuple[Form, Item]]:
        """List the items that play a role, with their forms."""
        return [
            (form, item)
            for form in self.study.forms
            if about is None or form.about == about
            for item in form.items
            if item.role == role
        ]

    # -- checks that many parts share --

    def unique(self, path: Path, ids: Iterable[str], key: str = "id") -> None:
        """Find ids that stand twice in one list; ``key`` empty for a list of plain words."""
        first: dict[str, int] = {}
        for n, name in enumerate(ids):
            at: Path = (*path, n, key) if key else (*path, n)
            if name in first:
                which = f"first in place {first[name] + 1}"
                self.add(
                    at,
                    f"'{name}' stands twice, {which}",
                    f"each {key or 'entry'} stands once",
                    "rename one" if key == "id" else "take one away",
                    name,
                )
            first.setdefault(name, n)

    def unit(self, path: Path, unit: str, to: str = "", analyte: str = "") -> bool:
        """Find a unit that is none, or that cannot be converted ``to`` what is needed."""
        try:
            check_unit(unit)
        except UnitError as error:
            self.findings.append(Finding(path, str(error).removeprefix("unit: "), unit))
            return False
        return not to or self.convertible(path, unit, to, analyte, f"'{unit}'")

    def convertible(self, path: Path, unit: str, to: str, analyte: str, found: str) -> bool:
        """Find a unit of another kind than needed; ``found`` says what has it."""
        known = analyte if analyte in MOLAR_MASSES else None
        try:
            convert(1.0, unit, to, analyte=known)
        except UnitError:
            self.add(
                path,
                f"{found} cannot be converted to {to}",
                f"{to} is needed here",
                "give a unit of the same kind",
                unit,
            )
            return False
        return True

    def visit(self, path: Path, name: str) -> Visit | None:
        """Find a visit that does not exist."""
        if name not in self.visits:
            self.add(
                path,
                f"'{name}' is not a visit of this study",
                offer(name, "visits", self.visits),
                "correct the id or add a visit under schedule.visits:",
                name,
            )
        return self.visits.get(name)

    def later_visit(self, path: Path, name: str) -> Visit | None:
        """Find a visit that does not exist or is not after the infusion."""
        visit = self.visit(path, name)
        if visit is not None and visit.day <= 1:
            after = [v.id for v in self.study.schedule.visits if v.day > 1]
            self.add(
                path,
                f"visit {name} is on day {visit.day}, not after the infusion",
                f"the visits after it are {listing(after) or 'none'}",
                "name one of them",
                name,
            )
            return None
        return visit

    def item(self, path: Path, name: str, about: Sequence[str] = ("subject",)) -> Item | None:
        """Find an item that does not exist or stands in a form about something else."""
        if name not in self.items:
            self.add(
                path,
                f"'{name}' is not an item of this study",
                offer(name, "items", self.items_about(*about)),
                "correct the id or add an item to a form",
                name,
            )
            return None
        form, item = self.items[name]
        if form.about not in about:
            self.add(
                path,
                f"'{name}' stands in form {form.id}, which is about a {form.about}",
                f"an item about a {' or '.join(about)} is needed here",
                "name another",
                name,
            )
            return None
        return item

    def measure(self, path: Path, name: str) -> Measure | None:
        """Find a measure that does not exist."""
        if name not in self.measures:
            self.add(
                path,
                f"'{name}' is not a measure of this study",
                offer(name, "measures", self.measures),
                "correct the id or add it under measures:",
                name,
            )
        return self.measures.get(name)

    def rule(self, path: Path, text: str, about: str) -> None:
        """Find what is wrong with a rule about a subject, a donor or a lot."""
        self.rule_over(path, text, self.types_about(about), about)

    def rule_over(
        self, path: Path, text: str, types: Mapping[str, str | Sequence[str]], about: str = ""
    ) -> tuple[str, ...]:
        """Find what is wrong with a rule over these names; its names when nothing is."""
        try:
            return parse_rule(text, types).names
        except RuleError as error:
            for fault in error.faults:
                message = self.elsewhere(fault.about, about) if about else ""
                found = Finding(path, message or fault.message, fault.about, fault.at)
                self.findings.append(found)
            return ()

    def elsewhere(self, name: str, about: str) -> str:
        """Explain a name that exists but not for a rule about this; empty when that is not it."""
        form = self.items[name][0] if name in self.items else self.scores.get(name)
        if form is None:
            return ""
        if form.about != about:
            found = f"is about a {form.about}; this rule is about a {about}"
        elif form.repeating:
            found = "repeats; a rule needs one value"
        else:
            return ""
        return f"'{name}' stands in form {form.id}, which {found}; name another item"

    def types_about(self, about: str) -> dict[str, str | tuple[str, ...]]:
        """Type the names that a rule about a subject, a donor or a lot may use."""
        types: dict[str, str | tuple[str, ...]] = {}
        for name, kind in self.study.types.items():
            owner = self.items.get(name)
            form = owner[0] if owner else self.scores.get(name)
            if (form.about if form else "subject") == about and not (form and form.repeating):
                types[name] = kind
        return types


def same_kind(unit: str, to: str) -> bool:
    """Tell whether a unit can be converted to another."""
    try:
        convert(1.0, unit, to)
    except UnitError:
        return False
    return True


def readable(unit: str) -> bool:
    """Tell whether a text is a unit at all."""
    try:
        check_unit(unit)
    except UnitError:
        return False
    return True


def require_collected(check: Check, path: Path, form: Form, visit: Visit, what: str) -> None:
    """Find a visit that lacks the form of what is needed there."""
    if form.id not in visit.forms:
        at = [v.id for v in check.study.schedule.visits if form.id in v.forms]
        check.add(
            path,
            f"{what} is not recorded at visit {visit.id}",
            f"its form {form.id} is at {listing(at) or 'no visit'}",
            f"add {form.id} to the forms of {visit.id}, or name another visit",
            visit.id,
        )


def require_answers(check: Check, path: Path, source: str, unit: str, analyte: str) -> None:
    """Find an item that cannot give a value in ``unit`` (empty: a yes or no)."""
    item = check.item(path, source)
    if item is None:
        return
    if not unit:
        if item.type != "yesno":
            check.add(
                path,
                f"'{source}' is of type {item.type}",
                f"{analyte} is yes or no",
                "name an item of type yesno",
                source,
            )
        return
    if item.type not in NUMERIC:
        check.add(
            path,
            f"'{source}' is of type {item.type}",
            f"{analyte} is a number in {unit}",
            "name a quantity",
            source,
        )
    elif item.unit:
        if readable(item.unit):  # if not, that is told where the unit stands
            check.convertible(path, item.unit, unit, analyte, f"'{source}' in {item.unit}")
    else:
        check.add(
            path,
            f"'{source}' has no unit",
            f"{analyte} is a number in {unit}",
            f"write unit: at {source}",
            source,
        )
