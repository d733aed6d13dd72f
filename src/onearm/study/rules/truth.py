"""The truth of a rule over recorded values, three-valued, and the evidence for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from onearm.study.rules.sentence import (
    Comparison,
    Count,
    Joined,
    Name,
    Not,
    OneOf,
    Phrase,
    Range,
    Recorded,
    Sum,
    Truth,
    Value,
    read_date,
)


@dataclass(frozen=True)
class Explanation:
    """A rule's truth and the truth of each of its parts.

    Attributes
    ----------
    text
        The part as written in the study file.
    truth
        True, False, or None for unknown.
    operator
        ``"AND"``, ``"OR"`` or ``"NOT"`` where ``parts`` are joined by it; empty for a leaf.
    parts
        The joined parts, in the order written; empty for a leaf.
    found
        For a leaf, the values it looked at: ``UPROT24H = 1.8``, ``URBC is missing``.
    """

    text: str
    truth: Truth
    operator: Literal["", "AND", "OR", "NOT"] = ""
    parts: tuple[Explanation, ...] = ()
    found: str = ""

    def leaves(self) -> Iterator[Explanation]:
        """Every part without parts of its own, in the order written."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def __str__(self) -> str:
        return "\n".join(self._lines(""))

    def _lines(self, margin: str) -> Iterator[str]:
        truth = {True: "yes", False: "no", None: "unknown"}[self.truth]
        if not self.parts:
            yield f"{margin}{truth:<8}{self.text}" + (f"   ({self.found})" if self.found else "")
            return
        joined = {"AND": "all of (AND)", "OR": "any of (OR)", "NOT": "not (NOT)"}
        yield f"{margin}{truth:<8}{joined[self.operator]}"
        for part in self.parts:
            yield from part._lines(margin + "  ")


def truth_of(part: Phrase, values: Mapping[str, object | None]) -> Truth:
    """Work out the truth of a condition; None is unknown."""
    match part:
        case Joined():
            return _join(part.operator, [truth_of(p, values) for p in part.parts])
        case Not():
            inner = truth_of(part.part, values)
            return None if inner is None else not inner
        case Comparison():
            return _chain(part, values)
        case OneOf():
            equal = _join("OR", [_pair("==", part.term, v, values) for v in part.values])
            return equal if equal is None or not part.negated else not equal
        case Recorded():
            return _is_known(part.name, values) is part.wanted
        case Name():
            return _yesno(part.name, values.get(part.name))
        case Value():
            return bool(part.value)
    raise AssertionError(f"{part.text} is not a condition")


def _join(operator: Literal["AND", "OR"], truths: Sequence[Truth]) -> Truth:
    """Kleene's strong conjunction and disjunction."""
    decisive = operator == "OR"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _chain(part: Comparison, values: Mapping[str, object | None]) -> Truth:
    pairs = zip(part.operators, part.terms, part.terms[1:], strict=False)
    return _join("AND", [_pair(op, left, right, values) for op, left, right in pairs])


def _pair(operator: str, left: Phrase, right: Phrase, values: Mapping[str, object | None]) -> Truth:
    if "date" in (left.kind, right.kind):
        a, b = _day(left, values), _day(right, values)
        return None if a is None or b is None else _compare_ranges(operator, (a, a), (b, b))
    if left.kind == "number":
        x, y = _number(left, values), _number(right, values)
        return None if x is None or y is None else _compare_ranges(operator, x, y)
    p, q = _plain(left, values), _plain(right, values)
    return None if p is None or q is None else (p == q) is (operator == "==")


def _compare_ranges(operator: str, a: Range, b: Range) -> Truth:
    """Compare two numbers known to lie in a range each; unknown unless all of them agree."""
    match operator:
        case "<":
            return True if a[1] < b[0] else False if a[0] >= b[1] else None
        case "<=":
            return True if a[1] <= b[0] else False if a[0] > b[1] else None
        case ">":
            return _compare_ranges("<", b, a)
        case ">=":
            return _compare_ranges("<=", b, a)
    apart = a[1] < b[0] or b[1] < a[0]
    single = a[0] == a[1] == b[0] == b[1]
    equal = False if apart else True if single else None
    return equal if equal is None or operator == "==" else not equal


def _plain(part: Phrase, values: Mapping[str, object | None]) -> str | bool | None:
    if part.kind == "yesno":
        return truth_of(part, values)
    if isinstance(part, Value):
        return str(part.value)
    assert isinstance(part, Name)
    value = values.get(part.name)
    if value is None or isinstance(value, str):
        return value
    raise _wrong_type(part.name, value, "a text")


def _day(part: Phrase, values: Mapping[str, object | None]) -> float | None:
    if isinstance(part, Value):
        day = read_date(part.value)
    else:
        assert isinstance(part, Name)
        value = values.get(part.name)
        day = read_date(value)
        if day is None and value is not None and not isinstance(value, str):
            text = getattr(value, "text", None)
            if not isinstance(text, str):
                raise _wrong_type(part.name, value, "a date")
            day = read_date(text)
    return None if day is None else float(day.toordinal())


def _yesno(name: str, value: object | None) -> Truth:
    if value is None or isinstance(value, bool):
        return value
    if value in ("yes", "no"):
        return value == "yes"
    raise _wrong_type(name, value, "yes or no")


def _is_known(name: Name, values: Mapping[str, object | None]) -> bool:
    if name.kind == "number":
        number = _number(name, values)
        return number is not None and number[0] == number[1]
    if name.kind == "date":
        return _day(name, values) is not None
    return values.get(name.name) is not None


def _number(part: Phrase, values: Mapping[str, object | None]) -> Range | None:
    match part:
        case Value():
            return float(part.value), float(part.value)
        case Name():
            return _measured(part.name, values.get(part.name))
        case Count():
            truths = [truth_of(p, values) for p in part.parts]
            sure = float(truths.count(True))
            return sure, sure + truths.count(None)
        case Sum():
            left, right = _number(part.left, values), _number(part.right, values)
            return None if left is None or right is None else _calculate(part.operator, left, right)
    raise AssertionError(f"{part.text} is not a number")


def _measured(name: str, value: object | None) -> Range | None:
    if value is None:
        return None
    lower, upper = getattr(value, "lower", None), getattr(value, "upper", None)
    if isinstance(lower, int | float) and isinstance(upper, int | float):
        return float(lower), float(upper)
    if isinstance(value, bool):
        raise _wrong_type(name, value, "a number")
    try:
        number = float(cast(float, value))
    except (TypeError, ValueError):
        raise _wrong_type(name, value, "a number") from None
    return None if math.isnan(number) else (number, number)


def _calculate(operator: str, a: Range, b: Range) -> Range | None:
    if operator == "/" and b[0] <= 0 <= b[1]:
        return None  # division by zero, or by something that may be zero, is unknown
    results = [_operate(operator, x, y) for x in a for y in b]
    if any(math.isnan(r) for r in results):
        return None
    return min(results), max(results)


def _operate(operator: str, x: float, y: float) -> float:
    match operator:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
    return x / y


def _wrong_type(name: str, value: object, wanted: str) -> TypeError:
    return TypeError(f"{name} is {value!r}; the rule needs {wanted}; convert it before evaluating")


# -- evidence -------------------------------------------------------------------------------------


def explain(part: Phrase, values: Mapping[str, object | None]) -> Explanation:
    """Work out the truth of a condition and of each of its parts."""
    truth = truth_of(part, values)
    if isinstance(part, Joined):
        parts = tuple(explain(p, values) for p in part.parts)
        return Explanation(part.text, truth, part.operator, parts)
    if isinstance(part, Not) and isinstance(part.part, Joined):
        return Explanation(part.text, truth, "NOT", (explain(part.part, values),))
    found = ", ".join(_found(name, values) for name in dict.fromkeys(_names(part)))
    return Explanation(part.text, truth, "", (), found)


def _names(part: Phrase) -> Iterator[str]:
    match part:
        case Name():
            yield part.name
        case Recorded():
            yield part.name.name
        case Not():
            yield from _names(part.part)
        case OneOf():
            yield from _names(part.term)
        case Comparison():
            for term in part.terms:
                yield from _names(term)
        case Joined() | Count():
            for inner in part.parts:
                yield from _names(inner)
        case Sum():
            yield from _names(part.left)
            yield from _names(part.right)


def _found(name: str, values: Mapping[str, object | None]) -> str:
    value = values.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return f"{name} is missing"
    if isinstance(value, bool):
        return f"{name} = {'yes' if value else 'no'}"
    if isinstance(value, float):
        return f"{name} = {value:g}"
    return f"{name} = {value}"
