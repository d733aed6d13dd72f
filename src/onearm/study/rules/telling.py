"""A rule in words, AND and OR in capitals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onearm.study.rules.sentence import (
    Comparison,
    Count,
    Joined,
    Name,
    Not,
    OneOf,
    Phrase,
    Recorded,
    Sum,
    Value,
)

_SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
_TEXT_SIGNS = {"==": "is", "!=": "is not"}


def tell(part: Phrase, labels: Mapping[str, str], units: Mapping[str, str], depth: int) -> str:
    """Write a part in words; ``depth`` above 0 puts brackets round AND and OR."""
    match part:
        case Joined():
            text = f" {part.operator} ".join(tell(p, labels, units, 1) for p in part.parts)
            # Nobody should have to know that AND binds before OR.
            return f"({text})" if depth else text
        case Not():
            text = tell(part.part, labels, units, 1)
            bare = isinstance(part.part, Name | Joined | Value)
            return f"NOT {text}" if bare else f"NOT ({text})"
        case Comparison():
            return _compared(part, labels, units)
        case OneOf():
            listed = _or_list([str(_shown(v)) for v in part.values])
            none = "none" if part.negated else "one"
            return f"{tell(part.term, labels, units, 0)} is {none} of {listed}"
        case Recorded():
            state = "recorded" if part.wanted else "not recorded"
            return f"{labels.get(part.name.name, part.name.name)} is {state}"
        case Name():
            return labels.get(part.name, part.name)
        case Value():
            return _shown(part)
        case Count():
            return f"number of ({'; '.join(tell(p, labels, units, 0) for p in part.parts)})"
    return _arithmetic_words(part, labels, units)


def _arithmetic_words(part: Sum, labels: Mapping[str, str], units: Mapping[str, str]) -> str:
    signs = {"+": "+", "-": "−", "*": "×", "/": "/"}
    if isinstance(part.left, Value) and part.left.text == "0" and part.operator in "+-":
        return f"{signs[part.operator]}{tell(part.right, labels, units, 1)}"
    return (
        f"({tell(part.left, labels, units, 1)} {signs[part.operator]} "
        f"{tell(part.right, labels, units, 1)})"
    )


def _compared(part: Comparison, labels: Mapping[str, str], units: Mapping[str, str]) -> str:
    unit = next((units.get(t.name, "") for t in part.terms if isinstance(t, Name)), "")
    words = []
    for term in part.terms:
        text = tell(term, labels, units, 1)
        if isinstance(term, Value) and term.kind == "number" and unit:
            text = f"{text} {unit}"
        words.append(text)
    kinds = {t.kind for t in part.terms}
    signs = _TEXT_SIGNS if kinds <= {"text", "yesno"} else _SIGNS
    sentence = words[0]
    for operator, word in zip(part.operators, words[1:], strict=True):
        sentence += f" {signs[operator]} {word}"
    return sentence


def _shown(literal: Value) -> str:
    if literal.kind == "yesno":
        return "yes" if literal.value else "no"
    if literal.kind == "number":
        return literal.text.replace("-", "−")
    return str(literal.value)


def _or_list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
