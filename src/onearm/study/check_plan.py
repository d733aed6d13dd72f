"""Cross-checks of the plan: who, whose cells, what, how much, when, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from onearm.study.checking import Check, require_collected, same_kind
from onearm.study.model import EVENT_NAMES, Criterion, Visit
from onearm.study.source import Path
from onearm.study.wording import listing, offer

RESULT_ROOTS = ("subjects", "safety", "exposure", "flow")
"""First names of a published number's path, besides the ids of analyses."""


def check_header(check: Check) -> None:
    """Find designs that contradict themselves."""
    header, controls = check.study.study, check.study.study.planned.controls
    if header.controlled != (header.design == "controlled"):
        check.add(
            ("study", "controlled"),
            f"'{str(header.controlled).lower()}' does not fit design '{header.design}'",
            "a single-arm before-after trial is not controlled",
            "correct one of the two",
        )
    if header.controlled and not controls:
        check.add(
            ("study", "planned"),
            "no controls are planned, but the trial is controlled",
            "a controlled trial has controls",
            "write controls: and their number",
        )
    if not header.controlled and controls:
        check.add(
            ("study", "planned", "controls"),
            f"'{controls}' controls are planned, but the trial is not controlled",
            "a trial without controls plans 0",
            "correct it, or write controlled: true",
        )


def check_ids(check: Check) -> None:
    """Find ids that stand twice in one list."""
    study = check.study
    check.unique(("sources",), [s.id for s in study.sources])
    criteria = [*study.population.inclusion, *study.population.exclusion]
    _unique_criteria(check, criteria, len(study.population.inclusion))
    check.unique(("donor", "tests"), [t.item for t in study.donor.tests], "item")
    check.unique(("donor", "relation"), study.donor.relation, "")
    check.unique(("donor", "rules"), [r.id for r in study.donor.rules])
    check.unique(("product", "release"), [r.id for r in study.product.release])
    check.unique(("schedule", "visits"), [v.id for v in study.schedule.visits])
    check.unique(("forms",), [f.id for f in study.forms])
    check.unique(("estimands",), [e.id for e in study.estimands])
    check.unique(("measures",), [m.id for m in study.measures])
    check.unique(("analyses",), [a.id for a in study.analyses])
    check.unique(("safety", "expected"), [e.term for e in study.safety.expected], "term")
    check.unique(("safety", "stopping"), [s.id for s in study.safety.stopping])
    check.unique(("comparators",), [c.id for c in study.comparators])
    check.unique(("published", "numbers"), [n.text for n in study.published.numbers], "text")
    check.unique(("outputs",), study.outputs, "")


def _unique_criteria(check: Check, criteria: Sequence[Criterion], inclusions: int) -> None:
    seen: set[str] = set()
    for n, criterion in enumerate(criteria):
        side = "inclusion" if n < inclusions else "exclusion"
        place = n if n < inclusions else n - inclusions
        if criterion.id in seen:
            check.add(
                ("population", side, place, "id"),
                f"'{criterion.id}' stands twice",
                "each criterion has its own id, over inclusion and exclusion",
                "rename one",
                criterion.id,
            )
        seen.add(criterion.id)


def check_population(check: Check) -> None:
    """Find criteria that cannot be decided."""
    population = check.study.population
    if population.reference is not None:
        path: Path = ("population", "reference")
        item = check.item(path, population.reference)
        if item is not None and item.type != "date":
            check.add(
                path,
                f"'{item.id}' is of type {item.type}",
                "time limits count from a date",
                "name an item of type date",
                item.id,
            )
    for side, criteria in (
        ("inclusion", population.inclusion),
        ("exclusion", population.exclusion),
    ):
        for n, criterion in enumerate(criteria):
            check.rule(("population", side, n, "rule"), criterion.rule, "subject")
            if criterion.within is not None and population.reference is None:
                check.add(
                    ("population", side, n, "within"),
                    f"the limit {criterion.within} counts from no date",
                    "population.reference names the date it counts back from",
                    "write reference: and a date item under population:",
                )


def check_donor(check: Check) -> None:
    """Find donor conditions that no item answers."""
    donor, product = check.study.donor, check.study.product
    _donor_relation(check)
    if donor.age is not None and donor.age[0] < 0:
        check.add(
            ("donor", "age"),
            f"'{donor.age[0]:g}' is below 0",
            "ages are not negative",
            "correct it",
        )
    for key, role, wanted in (
        ("relation", "relation", bool(donor.relation)),
        ("age", "age", donor.age is not None),
        ("hla", "hla match", donor.hla == "required"),
    ):
        if wanted and not check.with_role(role, "donor"):
            check.add_key(
                ("donor", key),
                f"no form about a donor asks for it (role: {role})",
                "a condition needs an item that answers it",
                f"add an item with 'role: {role}' to a form with 'about: donor'",
            )
    origin = product.source
    if origin and donor.tissue and donor.tissue != origin.tissue:
        check.add(
            ("donor", "tissue"),
            f"'{donor.tissue}' is not the product's tissue",
            f"product.source.tissue is '{origin.tissue}'",
            "correct one of the two",
            donor.tissue,
        )
    if origin and origin.origin == "autologous" and donor.relation:
        check.add(
            ("donor", "relation"),
            "the product is autologous",
            "the patient is the donor",
            "take relation: out, or correct product.source.origin",
        )
    for n, test in enumerate(donor.tests):
        _donor_test(check, n, test.item, test.result, test.within is not None)
    for n, rule in enumerate(donor.rules):
        check.rule(("donor", "rules", n, "rule"), rule.rule, "donor")


def _donor_relation(check: Check) -> None:
    for _, item in check.with_role("relation", "donor"):
        for n, relation in enumerate(check.study.donor.relation):
            if item.choices and relation not in item.choices:
                check.add(
                    ("donor", "relation", n),
                    f"'{relation}' is not a choice of {item.id}",
                    offer(relation, "choices", item.choices),
                    f"correct it or add it to the choices of {item.id}",
                    relation,
                )


def _donor_test(check: Check, n: int, name: str, result: str, dated: bool) -> None:
    item = check.item(("donor", "tests", n, "item"), name, ("donor",))
    if item is None:
        return
    path: Path = ("donor", "tests", n, "result")
    if item.type not in ("choice", "text"):
        check.add(
            path,
            f"{name} is of type {item.type}",
            "a test's result is a choice or a text",
            f"make {name} a choice, or use donor.rules:",
            result,
        )
    elif item.choices and result not in item.choices:
        check.add(
            path,
            f"'{result}' is not a choice of {name}",
            offer(result, "choices", item.choices),
            "correct the result",
            result,
        )
    if dated and not check.with_role("recovery date", "donor"):
        check.add(
            ("donor", "tests", n, "within"),
            "the limit counts from no date",
            "it counts from the date of tissue recovery",
            "add an item with 'role: recovery date' to the donor's form",
        )


def check_product(check: Check) -> None:
    """Find release tests and doses that cannot be checked."""
    for n, test in enumerate(check.study.product.release):
        check.rule(("product", "release", n, "rule"), test.rule, "lot")
    dose, path = check.study.product.dose, ("product", "dose")
    check.unit((*path, "per_kg", "unit"), dose.per_kg.unit, "1/kg")
    if dose.max_rate is not None:
        check.unit((*path, "max_rate", "unit"), dose.max_rate.unit, "mL/min")
    if dose.endotoxin_limit is not None:
        check.unit((*path, "endotoxin_limit", "unit"), dose.endotoxin_limit.unit, "[EU]/kg/h")
    _dose_weight(check)
    times = sum(check.study.schedule.anchor.form in v.forms for v in check.study.schedule.visits)
    if times and dose.infusions != times:
        form = check.study.schedule.anchor.form
        check.add(
            (*path, "infusions"),
            f"'{dose.infusions}' infusions are planned",
            f"form {form} is at {times} visit{'s' if times > 1 else ''}",
            "correct the number or the visits",
        )


def _dose_weight(check: Check) -> None:
    weight = check.study.product.dose.weight
    path: Path = ("product", "dose", "weight")
    item = check.item((*path, "item"), weight.item)
    visit = check.visit((*path, "visit"), weight.visit)
    if item is not None and not (item.type == "quantity" and same_kind(item.unit, "kg")):
        check.add(
            (*path, "item"),
            f"'{item.id}' is not a weight",
            "a quantity in kg is needed",
            "name the item that holds the weight",
            item.id,
        )
    elif visit is not None and visit.day > 1:
        check.add(
            (*path, "visit"),
            f"visit {visit.id} is after the infusion",
            "the dosing weight is known before",
            "name an earlier visit",
            visit.id,
        )
    elif item is not None and visit is not None:
        require_collected(check, (*path, "visit"), check.items[item.id][0], visit, item.id)


# -- schedule -----------------------------------------------------------------------------------


def check_schedule(check: Check) -> None:
    """Find visits out of order, overlapping, or with forms that do not exist."""
    visits = check.study.schedule.visits
    if not visits:
        check.add(("schedule", "visits"), "the list is empty", "a study has visits", "write them")
    for n, visit in enumerate(visits):
        _visit(check, n, visit)
    for n, (earlier, later) in enumerate(pairwise(visits), 1):
        if earlier.day > later.day and later.day != 0:
            check.add(
                ("schedule", "visits", n, "day"),
                f"day {later.day} of {later.id} comes after day {earlier.day} of {earlier.id}",
                "visits stand in the order of their days",
                f"move {later.id} up",
            )
    _overlaps(check, visits)
    _anchor(check)


def _visit(check: Check, n: int, visit: Visit) -> None:
    path: Path = ("schedule", "visits", n)
    if visit.day == 0:
        check.add(
            (*path, "day"),
            "there is no day 0",
            "the anchor is day 1, the day before is -1",
            "write 1 or -1",
        )
    low, high = visit.window
    if not low <= 0 <= high:
        check.add(
            (*path, "window"),
            f"[{low}, {high}] does not hold the planned day",
            "a window is days before and after, such as [-7, 7]",
            "correct it",
        )
    check.unique((*path, "forms"), visit.forms, "")
    for m, name in enumerate(visit.forms):
        form = check.forms.get(name)
        if form is None:
            check.add(
                (*path, "forms", m),
                f"'{name}' is not a form of this study",
                offer(name, "forms", check.forms),
                "correct the name or add a form under forms:",
                name,
            )
        elif form.about != "subject":
            check.add(
                (*path, "forms", m),
                f"form {name} is about a {form.about}",
                "visits hold forms about the subject",
                "take it out",
                name,
            )


def _overlaps(check: Check, visits: Sequence[Visit]) -> None:
    for n, visit in enumerate(visits):
        for other in visits[:n]:
            low = max(visit.span[0], other.span[0])
            if low <= min(visit.span[1], other.span[1]) and 0 not in (visit.day, other.day):
                check.add(
                    ("schedule", "visits", n, "window"),
                    f"the window of {visit.id} ({_days(visit)}) and that of {other.id} "
                    f"({_days(other)}) overlap",
                    "a day belongs to one visit",
                    "make one of them narrower",
                )


def _days(visit: Visit) -> str:
    """Write a window as study days."""
    first, last = (day + 1 if day >= 0 else day for day in visit.span)
    return f"day {first}" if first == last else f"days {first} to {last}"


def _anchor(check: Check) -> None:
    anchor = check.study.schedule.anchor
    form = check.forms.get(anchor.form)
    if form is None:
        check.add(
            ("schedule", "anchor", "form"),
            f"'{anchor.form}' is not a form of this study",
            offer(anchor.form, "forms", check.forms),
            "correct the name",
            anchor.form,
        )
        return
    if form.about != "subject" or form.repeating:
        check.add(
            ("schedule", "anchor", "form"),
            f"form {form.id} " + ("repeats" if form.repeating else f"is about a {form.about}"),
            "the anchor is one date of a subject",
            "name another form",
            form.id,
        )
    items = {item.id: item for item in form.items}
    item = items.get(anchor.item)
    path: Path = ("schedule", "anchor", "item")
    if item is None:
        check.add(
            path,
            f"'{anchor.item}' is not an item of form {form.id}",
            offer(anchor.item, "items", items),
            "correct the id",
            anchor.item,
        )
    elif item.type != "date":
        check.add(
            path,
            f"'{item.id}' is of type {item.type}",
            "study days count from a date",
            "name an item of type date",
            item.id,
        )
    at = [(n, v) for n, v in enumerate(check.study.schedule.visits) if form.id in v.forms]
    if not at:
        check.add(
            ("schedule", "anchor", "form"),
            f"form {form.id} is at no visit",
            "the anchor's form is at the visit of day 1",
            f"add {form.id} to that visit",
            form.id,
        )
    elif at[0][1].day != 1:
        n, visit = at[0]
        check.add(
            ("schedule", "visits", n, "day"),
            f"day {visit.day} of {visit.id} has the anchor's form {form.id}",
            "the anchor is day 1",
            "write day: 1, or move the form",
        )
    elif at[0][1].window != (0, 0):
        n, visit = at[0]
        check.add(
            ("schedule", "visits", n, "window"),
            f"{visit.id} holds the anchor",
            "day 1 is the day of the anchor, whenever it falls",
            "write window: [0, 0]",
        )


# -- safety, comparators, published, outputs ------------------------------------------------------


def check_safety(check: Check) -> None:
    """Find stopping rules over what the form of adverse events does not ask."""
    types = {name: kind for name, (kind, _) in EVENT_NAMES.items()}
    form = next((form for form, _ in check.with_role("event term", "subject")), None)
    for n, stopping in enumerate(check.study.safety.stopping):
        path: Path = ("safety", "stopping", n, "event")
        for name in check.rule_over(path, stopping.event, types):
            role = EVENT_NAMES[name][1]
            if form is None or form.role(role) is None:
                check.add(
                    path,
                    f"'{name}' is asked by no item of the form of adverse events",
                    f"an item with 'role: {role}' answers it",
                    "add the item",
                    name,
                )


def check_published(check: Check) -> None:
    """Find published numbers that no result can reproduce."""
    published, study = check.study.published, check.study
    sources = [source.id for source in study.sources]
    if published.source is not None and published.source not in sources:
        check.add(
            ("published", "source"),
            f"'{published.source}' is not a source of this study",
            offer(published.source, "sources", sources),
            "correct the id or add it under sources:",
            published.source,
        )
    roots = [*(a.id for a in study.analyses), *RESULT_ROOTS]
    for n, number in enumerate(published.numbers):
        if number.from_ and not any(number.from_.startswith(f"{root}.") for root in roots):
            check.add(
                ("published", "numbers", n, "from"),
                f"'{number.from_}' is not the path of a result",
                f"a path begins with an analysis or with {listing(RESULT_ROOTS)}: "
                + offer(number.from_, "beginnings", roots),
                "correct the path",
                number.from_,
            )


def check_outputs(check: Check) -> None:
    """Find lists that may not be empty."""
    if not check.study.outputs:
        check.add(("outputs",), "the list is empty", "a report has one part or more", "write them")
    if not check.study.analyses:
        check.add(("analyses",), "the list is empty", "a study analyses something", "write them")
