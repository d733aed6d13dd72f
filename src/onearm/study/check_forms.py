"""Cross-checks of forms and their items: types, units, roles and instruments."""

from __future__ import annotations

from collections.abc import Mapping

from onearm.instruments import INSTRUMENTS
from onearm.study.checking import NUMERIC, Check, Finding, require_answers, same_kind
from onearm.study.model import Form, Item
from onearm.study.rules import RuleError, parse_rule
from onearm.study.source import Path
from onearm.study.values import shown
from onearm.study.wording import listing, offer

_ROLE_TYPES: Mapping[str, tuple[str, ...]] = {
    "visit date": ("date",),
    "start date": ("date",),
    "end date": ("date",),
    "recovery date": ("date",),
    "event term": ("text",),
    "deviation term": ("text",),
    "grade": ("choice", "integer"),
    "outcome": ("choice",),
    "disposition": ("choice",),
    "relation": ("choice",),
    "tissue": ("choice",),
    "serious": ("yesno",),
    "related": ("yesno",),
    "important": ("yesno",),
    "hla match": ("yesno",),
    "age": NUMERIC,
    "cells given": ("quantity",),
    "volume": ("quantity",),
    "duration": ("quantity",),
    "viability": ("quantity",),
    "concentration": ("quantity",),
    "endotoxin": ("quantity",),
}
_ROLE_UNITS: Mapping[str, str] = {
    "age": "a",
    "cells given": "1",
    "volume": "mL",
    "duration": "min",
    "viability": "%",
    "concentration": "1/mL",
    "endotoxin": "[EU]/mL",
}
_ROLE_ABOUT: Mapping[str, str] = {
    "relation": "donor",
    "age": "donor",
    "hla match": "donor",
    "recovery date": "donor",
    "tissue": "lot",
    "viability": "lot",
    "concentration": "lot",
    "endotoxin": "lot",
    "cells given": "subject",
    "volume": "subject",
    "duration": "subject",
    "disposition": "subject",
    "deviation term": "subject",
}
_ROLES_OF_EACH_FORM = ("visit date", "start date", "end date", "serious", "important")


def check_forms(check: Check) -> None:
    """Find items without units or choices, roles that do not fit, ids that stand twice."""
    if not check.study.forms:
        check.add(("forms",), "the list is empty", "a study asks something", "write the forms")
    schedule = check.study.schedule
    at_visits = {name for visit in schedule.visits for name in visit.forms}
    at_visits.add(schedule.anchor.form)  # that it is missing is told where the anchor is checked
    seen: dict[str, str] = {}
    for n, form in enumerate(check.study.forms):
        path: Path = ("forms", n)
        if not form.items and form.instrument is None:
            check.add(
                (*path, "id"),
                f"form {form.id} asks nothing",
                "a form has items or an instrument",
                "write items:",
                form.id,
            )
        if form.about == "subject" and not form.unscheduled and form.id not in at_visits:
            check.add(
                (*path, "id"),
                f"form {form.id} is at no visit and not unscheduled",
                "a form is filled in at visits or when something happens",
                "add it to a visit's forms:, or write unscheduled: true",
                form.id,
            )
        for m, item in enumerate(form.items):
            _item(check, (*path, "items", m), item)
            _when(check, (*path, "items", m, "when"), form, item)
            _role(check, (*path, "items", m, "role"), form, item)
            _item_id(check, (*path, "items", m, "id"), form, item, seen)
        _instrument(check, (*path, "instrument"), form)
        _sign(check, (*path, "sign"), form)
        _circles(check, path, form)
    _roles_once(check)


def _item_id(check: Check, path: Path, form: Form, item: Item, seen: dict[str, str]) -> None:
    """Item ids are unique over all forms, so that a rule can name an item alone."""
    if item.id in seen:
        check.add(
            path,
            f"'{item.id}' stands twice, first in form {seen[item.id]}",
            "an item's id stands once in the study, because rules name it alone",
            "rename one",
            item.id,
        )
    seen.setdefault(item.id, form.id)
    for other in check.study.forms:
        questions = {i.id for i in other.all_items} - {i.id for i in other.items}
        if item.id in questions:
            check.add(
                path,
                f"'{item.id}' is a question of the instrument of form {other.id}",
                "an item's id stands once in the study",
                "rename this item",
                item.id,
            )


def _sign(check: Check, path: Path, form: Form) -> None:
    """Each meaning once: two signatures are two meanings, by two people."""
    for meaning in sorted({m for m in form.sign if form.sign.count(m) > 1}):
        check.add(
            path, f"'{meaning}' stands twice", "each meaning stands once", "remove one", meaning
        )


def _circles(check: Check, path: Path, form: Form) -> None:
    """Items that wait for one another would never be asked."""
    waits: dict[str, tuple[str, ...]] = {}
    for item in form.items:
        if item.when is not None:
            try:
                waits[item.id] = parse_rule(item.when, check.study.types).names
            except RuleError:
                continue  # told where the rule stands
    for m, item in enumerate(form.items):
        reached, ahead = set[str](), list(waits.get(item.id, ()))
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += waits.get(name, ())
        if item.id in reached and item.id not in waits.get(item.id, ()):  # that is told already
            check.add(
                (*path, "items", m, "when"),
                f"'{item.id}' waits for itself, by way of other items",
                "an item is asked for answers that can be given before it",
                "change one of the rules",
                item.id,
            )
            return


def _when(check: Check, path: Path, form: Form, item: Item) -> None:
    """What decides whether an item is asked stands on the same form, and is not the item itself."""
    if item.when is None:
        return
    choices = {
        i.id: tuple(i.choices or ()) if i.type == "choice" and i.choices else i.type
        for i in form.all_items
        if i.id != item.id
    }
    check.rule_over(path, item.when, choices)


def _item(check: Check, path: Path, item: Item) -> None:
    numeric = item.type in NUMERIC
    if item.type == "quantity" and not item.unit:
        check.add(
            (*path, "type"),
            "a quantity without a unit",
            "a quantity has a UCUM unit",
            "write unit:, or unit: '1' for a plain number",
        )
    if item.unit and numeric:
        check.unit((*path, "unit"), item.unit)
    for key, value, wanted in (
        ("unit", item.unit, numeric),
        ("range", item.range, numeric),
        ("decimals", item.decimals, item.type == "quantity"),
        ("choices", item.choices, item.type == "choice"),
        ("refers", item.refers, item.type == "text"),
    ):
        if value not in (None, "") and not wanted:
            owner = {"decimals": "a quantity", "choices": "a choice", "refers": "a text"}
            check.add_key(
                (*path, key),
                f"'{key}' stands at an item of type {item.type}",
                f"it belongs to {owner.get(key, 'a quantity or an integer')}",
                "take it out or correct the type",
            )
    if item.type == "choice" and item.choices is None:
        check.add(
            (*path, "type"),
            "a choice without choices",
            "a choice lists its values",
            "write choices: [...]",
        )


def _role(check: Check, path: Path, form: Form, item: Item) -> None:
    role = item.role
    if role is None:
        return
    if item.type not in _ROLE_TYPES[role]:
        check.add(
            path,
            f"'{role}' stands at an item of type {item.type}",
            f"this role is for {' or '.join(_ROLE_TYPES[role])}",
            "correct the role or the type",
        )
    elif role in _ROLE_UNITS and item.unit and not same_kind(item.unit, _ROLE_UNITS[role]):
        check.add(
            (*path[:-1], "unit"),
            f"'{item.unit}' does not fit the role '{role}'",
            f"a unit like {_ROLE_UNITS[role]} is needed",
            "correct the unit",
            item.unit,
        )
    if _ROLE_ABOUT.get(role, form.about) != form.about:
        check.add(
            path,
            f"'{role}' stands in a form about a {form.about}",
            f"it belongs to a form about a {_ROLE_ABOUT[role]}",
            "take it out or move the item",
        )
    if form.role(role) is not item:
        check.add(
            path,
            f"'{role}' stands twice in form {form.id}",
            "an item of a form plays a role alone",
            "take one away",
        )


def _roles_once(check: Check) -> None:
    """Roles that the program looks for over all forms of a kind stand in one form only."""
    first: dict[tuple[str, str], str] = {}
    for n, form in enumerate(check.study.forms):
        for m, item in enumerate(form.items):
            if item.role is None or item.role in _ROLES_OF_EACH_FORM:
                continue
            owner = first.setdefault((form.about, item.role), form.id)
            if owner != form.id:
                check.add(
                    ("forms", n, "items", m, "role"),
                    f"'{item.role}' stands in form {owner} too",
                    f"one form about a {form.about} has this role",
                    "take one away",
                )


def _instrument(check: Check, path: Path, form: Form) -> None:
    use = form.instrument
    if use is None:
        return
    if use.name not in INSTRUMENTS:
        check.add(
            (*path, "name"),
            f"'{use.name}' is not an instrument of this program",
            offer(use.name, "instruments", INSTRUMENTS),
            "correct the name",
            use.name,
        )
        return
    if form.about != "subject" or form.repeating:
        check.add_key(
            path,
            f"form {form.id} " + ("repeats" if form.repeating else f"is about a {form.about}"),
            "an instrument is scored once per visit of a subject",
            "take one out",
        )
    instrument = INSTRUMENTS[use.name]
    for setting, permitted in instrument.settings.items():
        value = getattr(use, setting, None)
        if value is not None and value not in permitted:
            check.add(
                (*path, setting),
                f"{shown(value)} is not a setting of {use.name}",
                f"{setting} is one of {listing([str(p) for p in permitted])}",
                "write one",
            )
    for name, source in use.values.items():
        if name not in instrument.value_units:
            check.findings.append(
                Finding(
                    (*path, "values", name),
                    f"'{name}' is not a value that {use.name} uses; "
                    f"{offer(name, 'values', instrument.value_units)}; correct it",
                    name,
                    key=True,
                )
            )
        else:
            require_answers(
                check, (*path, "values", name), source, instrument.value_units[name], name
            )
