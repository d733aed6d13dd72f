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
from onearm.errors import StudyError
from onearm.study import phrases as say
from onearm.study.model import Amount, Analysis, Part, PublishedTest, Study, Visit
from onearm.study.values import OPTIONS

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
_Words = Callable[[Study, Any], str]


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
            if len(difference.text) <= 96:
                lines.append(f"  {difference.text}")
                continue
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
    "untreated": "measure",
    "historical": "text",
    "go": "rate",
}


def _fields(part: Part) -> dict[str, Any]:
    """List a part's values by the file's keys; an option its method has no use for counts as None."""
    fields = type(part).model_fields
    found = {f.alias or name: getattr(part, name) for name, f in fields.items()}
    if isinstance(part, Analysis | PublishedTest):
        for key, methods in OPTIONS.items():
            if key in found and part.method not in methods:
                found[key] = None
    return found


def _plain(value: Any) -> Any:
    """Turn a part into dicts, tuples and scalars that compare by value."""
    if isinstance(value, Part):
        return {key: _plain(inner) for key, inner in _fields(value).items()}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(inner) for inner in value)
    if isinstance(value, Duration | PartialDate):
        return value.text
    return value


def _children(value: Any, key: str) -> dict[str, Any] | None:
    """List the parts of a part by name, entries of a list by id; None for a plain value."""
    if isinstance(value, Part):
        return _fields(value)
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
    words = _words_for(path, a, b)
    if words is not None:
        left, right = _tell(words, studies[0], a), _tell(words, studies[1], b)
        if left != right:
            yield _difference(path, left, right, names)
            for key in _unsaid(words, studies[1], a, b):
                yield from _walk(studies, (*path, key), *_pair(a, b, key), names)
            return
    left_parts, right_parts = _children(a, path[-1]), _children(b, path[-1])
    if _no_tree(a, left_parts) or _no_tree(b, right_parts) or not (left_parts or right_parts):
        yield _difference(path, *_values(a, b), names)
        return
    for key in dict.fromkeys([*(left_parts or {}), *(right_parts or {})]):
        parts = (left_parts or {}).get(key), (right_parts or {}).get(key)
        yield from _walk(studies, (*path, key), *parts, names)


def _no_tree(value: Any, parts: dict[str, Any] | None) -> bool:
    """Tell whether something stands here that has no parts to compare one by one."""
    return parts is None and value not in (None, ())


def _pair(a: Any, b: Any, key: str) -> tuple[Any, Any]:
    return (_children(a, "") or {}).get(key), (_children(b, "") or {}).get(key)


def _unsaid(words: _Words, study: Study, a: Any, b: Any) -> list[str]:
    """List the keys whose values differ although the sentence would be the same with either."""
    if not (isinstance(a, Part) and isinstance(b, Part)):
        return []
    said = words(study, b)
    return [
        field.alias or name
        for name, field in type(b).model_fields.items()
        if _plain(getattr(a, name)) != _plain(getattr(b, name))
        and _same_sentence(words, study, b, name, getattr(a, name), said)
    ]


def _same_sentence(
    words: _Words, study: Study, part: Part, name: str, value: Any, said: str
) -> bool:
    try:
        return words(study, part.model_copy(update={name: value})) == said
    except StudyError:
        return False  # the value means nothing in this study, so the sentence cannot be the same


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
    ("analyses", "*", "method"): lambda s, v: say.METHODS[v],
    ("analyses", "*", "at"): lambda s, v: f"{s.visit(v).label} ({v})",
    ("analyses", "*", "published", "method"): lambda s, v: say.METHODS[v],
    ("baseline", "primary"): lambda s, v: say.baseline_words(v),
    ("baseline", "also", "*"): lambda s, v: say.baseline_words(v),
    ("safety", "expected", "*"): lambda s, v: say.expected_words(v),
    ("safety", "stopping", "*"): lambda s, v: say.stopping_words(v),
    ("untreated", "*"): say.untreated_words,
    ("comparators", "*"): say.comparator_words,
    ("multiplicity",): lambda s, v: say.multiplicity_words(v),
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


def _words_for(path: _Path, a: Any, b: Any) -> _Words | None:
    """Find the sentence for a piece; None when it is told value by value."""
    words = _find(_SENTENCES, path)
    if words is None and (a is None) != (b is None):
        words = _find(_WHOLE, path)
    if words is None and isinstance(a or b, Amount):
        return lambda study, amount: say.amount_words(amount)
    return words


def _tell(words: _Words, study: Study, value: Any) -> str:
    return ABSENT if value in (None, ()) else words(study, value)


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
    "untreated": "Comparators",
    "comparators": "Comparators",
    "multiplicity": "Analyses",
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
    ("untreated", "*"): "Untreated course",
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
