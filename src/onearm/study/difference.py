"""The differences of two studies in words: protocol against registry, registry against paper.

Both studies become trees of plain values, lists keyed by their ids. Where the trees differ, the
difference is told in the largest piece that reads as a sentence (a criterion, a visit, a dose); a
piece whose words would not show the difference is told value by value, so nothing is left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onearm.dates import Duration, PartialDate
from onearm.study import phrases as say
from onearm.study.model import Amount, Part, Study, Visit

TOPICS = (
    "Design",
    "Planned number",
    "Sources",
    "Registration",
    "Population",
    "Donor",
    "Product",
    "Dose",
    "Schedule",
    "Forms",
    "Baseline",
    "Analyses",
    "Safety",
    "Comparators",
    "Published results",
    "Outputs",
)
"""Topics of differences, in the order they are told."""

ABSENT = "not stated"

_Path = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One thing that two studies tell differently.

    Attributes
    ----------
    topic
        One of :data:`TOPICS`.
    path
        Where: keys, and ids of the entries of lists, joined by ``/``.
    text
        The difference as a sentence, both files named.
    left, right
        What each file says, in words; ``not stated`` where it says nothing.
    """

    topic: str
    path: str
    text: str
    left: str
    right: str


def diff(a: Study, b: Study) -> list[Difference]:
    """Compare two studies; every difference in words, by topic.

    Order in lists whose entries have ids is not a difference, nor is a default that one file writes
    out. Everything else is: nothing that differs is left out.
    """
    names = _names(a, b)
    found = list(_compare(a, b, names))
    return sorted(found, key=lambda d: TOPICS.index(d.topic))


def describe_diff(a: Study, b: Study) -> str:
    """Tell the differences of two studies as plain text, at most 100 columns, by topic."""
    left, right = _names(a, b)
    found = diff(a, b)
    if not found:
        return f"{left} and {right} say the same.\n"
    count = "1 difference" if len(found) == 1 else f"{len(found)} differences"
    lines = [f"{count} between {left} and {right}"]
    for topic in TOPICS:
        chosen = [d for d in found if d.topic == topic]
        if chosen:
            lines += ["", topic.upper()]
        for difference in chosen:
            head = difference.text.partition(": ")[0]
            lines += textwrap.wrap(head, 98, initial_indent="  ", subsequent_indent="    ")
            lines += _told(left, difference.left) + _told(right, difference.right)
    return "\n".join(lines) + "\n"


def _told(name: str, words: str) -> list[str]:
    lead = f"    {name}: "
    return textwrap.wrap(
        words, 100, initial_indent=lead, subsequent_indent=" " * 6, break_on_hyphens=False
    )


def _names(a: Study, b: Study) -> tuple[str, str]:
    if a.name != b.name:
        return a.name or "the first", b.name or "the second"
    return f"{a.name} (first)", f"{b.name} (second)"


# -- trees ----------------------------------------------------------------------------------------

# What makes an entry of a list the same entry in both files, for lists without ids.
_KEYS: Mapping[str, str] = {
    "tests": "item",
    "expected": "term",
    "intercurrent": "event",
    "numbers": "text",
}


def _plain(value: Any) -> Any:
    """Turn a part into dicts, tuples and scalars that compare by value."""
    if isinstance(value, Part):
        fields = type(value).model_fields
        return {f.alias or name: _plain(getattr(value, name)) for name, f in fields.items()}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(inner) for inner in value)
    if isinstance(value, Duration | PartialDate):
        return value.text
    return value


def _children(value: Any, key: str) -> dict[str, Any] | None:
    """The parts of a part by name, the entries of a list of parts by id; None for a value."""
    if isinstance(value, Part):
        fields = type(value).model_fields
        return {f.alias or name: getattr(value, name) for name, f in fields.items()}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and value and all(isinstance(entry, Part) for entry in value):
        return {str(getattr(entry, _KEYS.get(key, "id"))): entry for entry in value}
    return None


def _compare(a: Study, b: Study, names: tuple[str, str]) -> Iterator[Difference]:
    yield from _follow_up(a, b, names)
    for key in type(a).model_fields:
        yield from _walk((a, b), (key,), getattr(a, key), getattr(b, key), names)


def _walk(
    studies: tuple[Study, Study], path: _Path, a: Any, b: Any, names: tuple[str, str]
) -> Iterator[Difference]:
    if _plain(a) == _plain(b):
        return
    found = _sentence(studies, path, a, b)
    if found is not None and found[0] != found[1]:
        yield _difference(path, *found, names)
        return
    left, right = _children(a, path[-1]), _children(b, path[-1])
    if left is None and right is None:
        yield _difference(path, *_values(a, b), names)
        return
    if (left is None and a not in (None, ())) or (right is None and b not in (None, ())):
        yield _difference(path, *_values(a, b), names)
        return
    left, right = left or {}, right or {}
    for key in dict.fromkeys([*left, *right]):
        yield from _walk(studies, (*path, key), left.get(key), right.get(key), names)


def _values(a: Any, b: Any) -> tuple[str, str]:
    left, right = _value_words(a), _value_words(b)
    return (left, right) if left != right else (repr(_plain(a)), repr(_plain(b)))


def _value_words(value: Any) -> str:
    match value:
        case None | "" | ():
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return say.number_words(value)
        case tuple() if not any(isinstance(entry, Part) for entry in value):
            return ", ".join(_value_words(entry) for entry in value)
        case Duration():
            return value.words()
        case Part() | Mapping() | tuple():
            return _pieces(_plain(value))
    return str(value)


def _pieces(value: Any) -> str:
    """Write any plain tree on one line: the words of last resort."""
    if isinstance(value, Mapping):
        told = (f"{k} {_pieces(v)}" for k, v in value.items() if v not in (None, "", (), {}))
        return ", ".join(told)
    if isinstance(value, tuple):
        return "; ".join(_pieces(v) for v in value)
    return _value_words(value)


def _difference(path: _Path, left: str, right: str, names: tuple[str, str]) -> Difference:
    title = _title(path)
    text = f"{title}: {left} in {names[0]}; {right} in {names[1]}"
    return Difference(_topic(path), "/".join(path), text, left, right)


def _follow_up(a: Study, b: Study, names: tuple[str, str]) -> Iterator[Difference]:
    """How long and how often patients are seen after the infusion, which no single visit tells."""
    left, right = (_seen_after(study.schedule.visits) for study in (a, b))
    if left != right:
        text = f"Follow-up: {left} in {names[0]}; {right} in {names[1]}"
        yield Difference("Schedule", "schedule/visits", text, left, right)


def _seen_after(visits: Sequence[Visit]) -> str:
    after = [visit for visit in visits if visit.day > 1]
    if not after:
        return "no visit after the infusion"
    when = say.joined([visit.label for visit in after])
    return f"{len(after)} visit{'s' if len(after) > 1 else ''}, to day {after[-1].day}: {when}"


# -- sentences ------------------------------------------------------------------------------------

_Words = Callable[[Study, Any], str]

_SENTENCES: Mapping[_Path, _Words] = {
    ("registration",): lambda s, v: say.registration_words(v),
    ("sources", "*"): lambda s, v: say.source_words(v),
    ("population", "inclusion", "*"): say.criterion_words,
    ("population", "exclusion", "*"): say.criterion_words,
    ("donor", "relation"): lambda s, v: say.relation_words(v),
    ("donor", "age"): lambda s, v: say.age_words(v),
    ("donor", "tests", "*"): say.test_words,
    ("donor", "rules", "*"): lambda s, v: f"{v.text} ({say.rule_words(s, v.rule)})",
    ("product", "release", "*"): say.release_words,
    ("product", "dose", "per_kg"): lambda s, v: say.cells_per_kg(v),
    ("product", "dose", "tolerance"): lambda s, v: f"±{say.percent(v)}",
    ("product", "dose", "infusions"): lambda s, v: say.times_words(v),
    ("estimands", "*"): say.estimand_words,
    ("baseline", "primary"): lambda s, v: say.baseline_words(v),
    ("baseline", "also", "*"): lambda s, v: say.baseline_words(v),
    ("safety", "expected", "*"): lambda s, v: say.expected_words(v),
    ("safety", "stopping", "*"): lambda s, v: say.stopping_words(v),
    ("comparators", "*"): say.comparator_words,
    ("published", "numbers", "*"): lambda s, v: v.value,
    ("outputs",): lambda s, v: ", ".join(v),
}
_WHOLE: Mapping[_Path, _Words] = {
    ("schedule", "visits", "*"): lambda s, v: say.visit_words(v),
    ("forms", "*"): lambda s, v: say.form_words(v),
    ("forms", "*", "items", "*"): lambda s, v: say.item_words(v),
    ("measures", "*"): lambda s, v: say.measure_words(v),
    ("analyses", "*"): say.analysis_words,
    ("analyses", "*", "published"): lambda s, v: say.published_test_words(v),
}
"""Pieces told as a whole only when one file lacks them; otherwise value by value."""


def _sentence(studies: tuple[Study, Study], path: _Path, a: Any, b: Any) -> tuple[str, str] | None:
    words = _find(_SENTENCES, path)
    if words is None and (a is None) != (b is None):
        words = _find(_WHOLE, path)
    if words is None and isinstance(a or b, Amount):
        words = _amount
    if words is None:
        return None
    left, right = (
        words(study, value) if value not in (None, ()) else ABSENT
        for study, value in zip(studies, (a, b), strict=True)
    )
    return (left, right) if _covers(path, a, b) else None


def _amount(study: Study, value: Amount) -> str:
    return say.amount_words(value)


def _covers(path: _Path, a: Any, b: Any) -> bool:
    """Tell whether the sentence of a piece shows all that differs in it.

    A printed number is told by its value alone, so a difference in its path is told by itself.
    """
    if path[:2] == ("published", "numbers") and a is not None and b is not None:
        return bool(a.value != b.value and a.from_ == b.from_)
    return True


def _find(table: Mapping[_Path, _Words], path: _Path) -> _Words | None:
    for pattern, words in table.items():
        if len(pattern) == len(path) and all(
            p in ("*", step) for p, step in zip(pattern, path, strict=True)
        ):
            return words
    return None


# -- names of places ------------------------------------------------------------------------------

_TOPIC: Mapping[str, str] = {
    "onearm": "Design",
    "study": "Design",
    "sources": "Sources",
    "registration": "Registration",
    "population": "Population",
    "donor": "Donor",
    "product": "Product",
    "schedule": "Schedule",
    "forms": "Forms",
    "baseline": "Baseline",
    "estimands": "Analyses",
    "measures": "Analyses",
    "analyses": "Analyses",
    "safety": "Safety",
    "comparators": "Comparators",
    "published": "Published results",
    "outputs": "Outputs",
}
_NAMES: Mapping[_Path, str] = {
    ("study", "planned", "treated"): "Planned, treated",
    ("study", "planned", "controls"): "Planned, controls",
    ("product", "dose", "per_kg"): "Dose",
    ("product", "dose", "max_rate"): "Fastest infusion",
    ("product", "dose", "endotoxin_limit"): "Endotoxin limit",
    ("product", "dose", "weight", "visit"): "Dosing weight, visit",
    ("product", "dose", "weight", "item"): "Dosing weight, item",
    ("donor", "relation"): "Donor's relation to the patient",
    ("donor", "age"): "Donor's age",
    ("donor", "hla"): "HLA match of the donor",
    ("donor", "tissue"): "Donor's tissue",
    ("baseline", "primary"): "Primary baseline",
    ("safety", "ctcae"): "CTCAE version",
    ("outputs",): "Parts of the report",
    ("population", "reference"): "Time limits count back from",
}
_KINDS: Mapping[_Path, str] = {
    ("sources", "*"): "Source",
    ("population", "inclusion", "*"): "Inclusion",
    ("population", "exclusion", "*"): "Exclusion",
    ("donor", "tests", "*"): "Donor test",
    ("donor", "rules", "*"): "Donor rule",
    ("product", "release", "*"): "Release test",
    ("schedule", "visits", "*"): "Visit",
    ("forms", "*", "items", "*"): "Item",
    ("forms", "*"): "Form",
    ("baseline", "also", "*"): "Further baseline",
    ("estimands", "*"): "Estimand",
    ("measures", "*"): "Measure",
    ("analyses", "*"): "Analysis",
    ("safety", "expected", "*"): "Expected event",
    ("safety", "stopping", "*"): "Stopping rule",
    ("comparators", "*"): "Comparator",
    ("published", "numbers", "*"): "Published",
}


def _topic(path: _Path) -> str:
    if path[:2] == ("study", "planned"):
        return "Planned number"
    return "Dose" if path[:2] == ("product", "dose") else _TOPIC[path[0]]


def _title(path: _Path) -> str:
    """``Item URINE.UPROT24H, unit`` from the path: what a person would call the place."""
    if path in _NAMES:
        return _NAMES[path]
    for pattern, kind in _KINDS.items():
        head = path[: len(pattern)]
        if len(head) == len(pattern) and all(
            p in ("*", step) for p, step in zip(pattern, head, strict=True)
        ):
            ids = [step for p, step in zip(pattern, head, strict=True) if p == "*"]
            rest = " ".join(path[len(pattern) :]).replace("_", " ")
            return f"{kind} {'.'.join(ids)}" + (f", {rest}" if rest else "")
    words = " ".join(path[1:] if len(path) > 1 else path).replace("_", " ")
    return words[:1].upper() + words[1:]
