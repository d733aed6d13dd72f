"""Rules over recorded values in three-valued logic: missing makes a rule unknown, never false.

The language is a small part of Python's grammar, read by Python's own parser and translated here;
nothing is ever run as Python. ``docs/rules.md`` is its reference.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, cast

from onearm.errors import StudyError
from onearm.study.wording import offer

Truth = bool | None
Kind = Literal["number", "text", "yesno", "date"]

LONGEST_RULE = 1000
MOST_PARTS = 200
DEEPEST = 40
RESERVED = ("and", "or", "not", "in", "true", "false", "missing", "known", "count")

_KINDS: Mapping[str, Kind] = {
    "number": "number",
    "quantity": "number",
    "integer": "number",
    "text": "text",
    "choice": "text",
    "yesno": "yesno",
    "date": "date",
}
_KIND_WORDS: Mapping[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "yesno": "yes or no",
    "date": "a date",
}
_OPERATORS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_ARITHMETIC: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a rule.

    Attributes
    ----------
    at
        Position in the rule's text, counted in characters from 0.
    message
        What was found, what was expected and what to do, separated by semicolons.
    about
        The name or value that is wrong, empty when it is the sentence as a whole.
    """

    at: int
    message: str
    about: str = ""


class RuleError(StudyError):
    """A rule cannot be used. ``faults`` holds everything found, with its place in the rule."""

    def __init__(self, text: str, faults: Sequence[Fault]):
        self.faults = tuple(faults)
        super().__init__([f"rule {text!r}, character {f.at + 1}: {f.message}" for f in faults])


# -- the sentence, after reading ----------------------------------------------------------------


@dataclass(frozen=True)
class _Literal:
    kind: Kind
    value: float | str | bool
    text: str


@dataclass(frozen=True)
class _Name:
    kind: Kind
    name: str
    values: tuple[str, ...] | None  # the values a choice may take; None for anything else

    @property
    def text(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Count:
    parts: tuple[_Part, ...]
    text: str
    kind: Kind = "number"


@dataclass(frozen=True)
class _Sum:
    operator: str
    left: _Part
    right: _Part
    text: str
    kind: Kind = "number"


@dataclass(frozen=True)
class _Comparison:
    terms: tuple[_Part, ...]
    operators: tuple[str, ...]
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class _OneOf:
    term: _Part
    values: tuple[_Literal, ...]
    negated: bool
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class _Not:
    part: _Part
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class _Joined:
    operator: Literal["AND", "OR"]
    parts: tuple[_Part, ...]
    text: str
    kind: Kind = "yesno"


@dataclass(frozen=True)
class _Recorded:
    name: _Name
    wanted: bool  # True for known(x), False for missing(x)
    text: str
    kind: Kind = "yesno"


_Part = _Literal | _Name | _Count | _Sum | _Comparison | _OneOf | _Not | _Joined | _Recorded
_Range = tuple[float, float]


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


@dataclass(frozen=True)
class Rule:
    """A condition over recorded values, read and checked.

    Attributes
    ----------
    text
        The rule as written.
    names
        Every name it uses, each once, in the order of first use.
    """

    text: str
    names: tuple[str, ...]
    _root: _Part

    def evaluate(self, values: Mapping[str, object | None]) -> Truth:
        """Truth of the rule over these values: True, False, or None for unknown.

        Parameters
        ----------
        values
            Value of each name. None, NaN or no entry at all means missing. Numbers may be numbers
            or their text; yes or no may be a bool or the text ``yes`` / ``no``; dates may be a
            ``datetime.date`` or ISO 8601 text (a partial date is missing). A score known only by
            its bounds (anything with ``lower`` and ``upper``) counts as every number between them,
            so a rule is true or false when all of them agree and unknown otherwise.

        Raises
        ------
        TypeError
            A value is of another type than the study file declares for its name.
        """
        return _truth(self._root, values)

    def explain(self, values: Mapping[str, object | None]) -> Explanation:
        """Truth of the rule and of each of its parts; values as in :meth:`evaluate`."""
        return _explain(self._root, values)

    def words(
        self, labels: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None
    ) -> str:
        """Write the rule in words, AND and OR in capitals.

        Parameters
        ----------
        labels
            Name to label; a name without one stands as it is.
        units
            Name to unit in words (``g/24 h``), written after the numbers compared with it.
        """
        return _words(self._root, labels or {}, units or {}, 0)

    def clauses(
        self, labels: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Write the rule in words, one line for each part of its outermost AND or OR.

        Every line but the first begins with ``AND`` or ``OR``; see :meth:`words`.
        """
        root = self._root
        if not isinstance(root, _Joined):
            return (self.words(labels, units),)
        parts = [_words(part, labels or {}, units or {}, 1) for part in root.parts]
        return (parts[0], *(f"{root.operator} {part}" for part in parts[1:]))


def parse_rule(text: str, types: Mapping[str, str | Sequence[str]]) -> Rule:
    """Read a rule and check it against the types of the names it may use.

    Parameters
    ----------
    text
        The rule, for example ``UPROT24H > 1.0 or URBC > 10 or CELLCAST``.
    types
        What each permitted name is: ``"number"`` (also ``"quantity"``, ``"integer"``), ``"text"``,
        ``"choice"``, ``"yesno"``, ``"date"``, or a list of the values a choice may take.

    Raises
    ------
    RuleError
        With every fault found: unknown names (with the nearest one), types that do not agree,
        values that a choice cannot take, and anything outside the language.
    """
    # A list may come in as such; the cache below needs something that cannot change.
    fixed = tuple((n, t if isinstance(t, str) else tuple(t)) for n, t in types.items())
    return _parse(text, fixed)


@lru_cache(maxsize=1024)
def _parse(text: str, types: tuple[tuple[str, str | tuple[str, ...]], ...]) -> Rule:
    reader = _Reader(text, dict(types))
    root = reader.read()
    return Rule(text, tuple(reader.names), root)


# -- reading --------------------------------------------------------------------------------------


class _Reader:
    """Translates one rule; collects faults instead of stopping at the first."""

    def __init__(self, text: str, types: Mapping[str, str | tuple[str, ...]]):
        self.text = text
        self.types = types
        self.faults: list[Fault] = []
        self.names: dict[str, None] = {}
        self.parts = 0

    def read(self) -> _Part:
        root = self.condition(self.tree(), 0)
        if not self.names and not self.faults:
            self.fault(
                0, "the rule looks at no recorded value; a rule compares items; name at least one"
            )
        if self.faults:
            raise RuleError(self.text, sorted(self.faults, key=lambda f: f.at))
        assert root is not None
        return root

    def fault(self, at: int | ast.AST, message: str, about: str = "") -> None:
        position = at if isinstance(at, int) else self.position(at)
        self.faults.append(Fault(position, message, about))

    def stop(self, at: int, message: str, about: str = "") -> RuleError:
        return RuleError(self.text, [Fault(at, message, about)])

    def position(self, node: ast.AST) -> int:
        # Python counts columns in UTF-8 bytes, and a rule folded over lines has several lines.
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        lines = self.source.splitlines(keepends=True)
        before = sum(len(earlier) for earlier in lines[: line - 1])
        within = len(lines[line - 1].encode()[:column].decode(errors="ignore")) if lines else 0
        return max(0, before + within - self.shift)

    def tree(self) -> ast.expr:
        text = self.text
        if not text.strip():
            raise self.stop(0, "the rule is empty; a rule is a condition over items; write one")
        if len(text) > LONGEST_RULE:
            raise self.stop(
                0,
                f"the rule has {len(text)} characters; at most {LONGEST_RULE} are read; "
                "split it into several criteria",
            )
        for sign, words in (("\\", "a backslash"), ("\0", "a null character"), ("#", "a '#'")):
            if sign in _without_quoted(text) or (sign != "#" and sign in text):
                raise self.stop(
                    text.index(sign), f"{words} is not part of the rule language; take it out", sign
                )
        unopened = _unopened(_without_quoted(text))
        if unopened is not None:
            raise self.stop(
                unopened, "')' closes nothing; brackets come in pairs; take it out", ")"
            )
        # Brackets let a rule run over several lines, as a folded YAML text does.
        self.source, self.shift = f"({text}\n)", 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.source, mode="eval").body
        except SyntaxError as error:
            at, message = self.syntax(error)
            raise self.stop(at, message) from None
        except (RecursionError, MemoryError, ValueError):
            raise self.stop(
                0, "the rule is nested too deeply; use fewer brackets; split it into criteria"
            ) from None

    def syntax(self, error: SyntaxError) -> tuple[int, str]:
        bare = _without_quoted(self.text)
        for pattern, found, todo in _FOREIGN:
            match = re.search(pattern, bare)
            if match:
                return match.start(), f"'{found or match.group().strip()}' {todo}"
        at = min(max((error.offset or 1) - 1 - self.shift, 0), len(self.text))
        if (error.lineno or 1) > 1 or bare.count("(") != bare.count(")"):
            return at, (
                "the rule does not read to its end; brackets and quotes come in pairs and a "
                "comparison has two sides; complete it"
            )
        return at, (
            "the rule cannot be read from here; a rule is comparisons joined by and, or, not; "
            "correct it"
        )

    # Each of these returns None after a fault, so that the rest of the rule is still checked.

    def condition(self, node: ast.expr, depth: int) -> _Part | None:
        part = self.part(node, depth)
        if part is not None and part.kind != "yesno":
            example = f", as in '{part.text} {_EXAMPLE[part.kind]}'"
            self.fault(
                node,
                f"'{part.text}' is {_KIND_WORDS[part.kind]}; a condition is true or false; "
                f"compare it with something{'' if isinstance(part, _Literal) else example}",
                part.text,
            )
            return None
        return part

    def part(self, node: ast.expr, depth: int) -> _Part | None:
        self.parts += 1
        if depth > DEEPEST or self.parts > MOST_PARTS:
            raise self.stop(0, "the rule has too many parts; split it into several criteria")
        match node:
            case ast.Constant():
                return self.literal(node)
            case ast.Name() | ast.Attribute():
                return self.name(node)
            case ast.BoolOp():
                return self.joined(node, depth)
            case ast.UnaryOp():
                return self.unary(node, depth)
            case ast.BinOp():
                return self.arithmetic(node, depth)
            case ast.Compare():
                return self.comparison(node, depth)
            case ast.Call():
                return self.call(node, depth)
        what = _OUTSIDE.get(type(node), "this")
        self.fault(
            node,
            f"{what} is not part of the rule language; it has names, numbers, texts, comparisons, "
            "and, or, not, in, missing(), known(), count(); write it with these",
        )
        return None

    def segment(self, node: ast.expr) -> str:
        found = ast.get_source_segment(self.source, node) or ""
        return " ".join(found.split())

    def literal(self, node: ast.Constant) -> _Literal | None:
        value = node.value
        if isinstance(value, bool):
            return _Literal("yesno", value, "true" if value else "false")
        if isinstance(value, str):
            return _Literal("text", value, f'"{value}"')
        if isinstance(value, int | float):
            if _finite(value):
                return _Literal("number", float(value), self.segment(node))
            self.fault(node, "the number is too large to be read; write a smaller one")
            return None
        words = "None" if value is None else self.segment(node)
        self.fault(
            node,
            f"'{words}' is not a value of the rule language; values are numbers, texts in quotes, "
            "true and false; for a value not recorded write missing(ITEM)",
            words,
        )
        return None

    def name(self, node: ast.Name | ast.Attribute) -> _Part | None:
        name = _dotted(node)
        if name in ("true", "false"):
            return _Literal("yesno", name == "true", name)
        if name is None or name not in self.types:
            self.unknown(node, name or self.segment(node))
            return None
        self.names.setdefault(name)
        declared = self.types[name]
        if isinstance(declared, str):
            return _Name(_KINDS[declared], name, None)
        return _Name("text", name, declared)

    def unknown(self, node: ast.expr, name: str) -> None:
        if name.lower() in ("yes", "no"):
            todo = f"write {'true' if name.lower() == 'yes' else 'false'}"
            self.fault(node, f"'{name}' is not a name; yes and no are true and false; {todo}", name)
            return
        known = offer(name, "names", self.types)
        if known.endswith("..."):
            known = "the names are items of the study's forms and scores as FORM.score"
        message = f"'{name}' is not a name this rule can use; {known}; correct the name"
        self.fault(node, message, name)

    def joined(self, node: ast.BoolOp, depth: int) -> _Part | None:
        parts = [self.condition(value, depth + 1) for value in node.values]
        if any(p is None for p in parts):
            return None
        operator: Literal["AND", "OR"] = "AND" if isinstance(node.op, ast.And) else "OR"
        return _Joined(operator, tuple(p for p in parts if p), self.segment(node))

    def unary(self, node: ast.UnaryOp, depth: int) -> _Part | None:
        if isinstance(node.op, ast.Not):
            part = self.condition(node.operand, depth + 1)
            return _Not(part, self.segment(node)) if part else None
        if isinstance(node.op, ast.USub | ast.UAdd):
            number = self.number(node.operand, depth + 1)
            if number is None:
                return None
            text = self.segment(node)
            if isinstance(number, _Literal):
                size = cast(float, number.value)
                return _Literal("number", -size if isinstance(node.op, ast.USub) else size, text)
            sign = "-" if isinstance(node.op, ast.USub) else "+"
            return _Sum(sign, _Literal("number", 0.0, "0"), number, text)
        self.fault(node, "'~' is not part of the rule language; write not")
        return None

    def number(self, node: ast.expr, depth: int) -> _Part | None:
        part = self.part(node, depth)
        if part is not None and part.kind != "number":
            self.fault(
                node,
                f"'{part.text}' is {_KIND_WORDS[part.kind]}; arithmetic is on numbers; "
                "use numbers only",
                part.text,
            )
            return None
        return part

    def arithmetic(self, node: ast.BinOp, depth: int) -> _Part | None:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            signs = {ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.Mod: "%"}
            sign = signs.get(type(node.op), "this operator")
            todo = {"&": "write and", "|": "write or"}.get(sign, "use + - * / only")
            self.fault(node, f"'{sign}' is not part of the rule language; {todo}", sign)
            return None
        left, right = self.number(node.left, depth + 1), self.number(node.right, depth + 1)
        if left is None or right is None:
            return None
        return _Sum(operator, left, right, self.segment(node))

    def comparison(self, node: ast.Compare, depth: int) -> _Part | None:
        if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            return self.one_of(node, depth)
        if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            self.fault(node, "'is' is not part of the rule language; write == to compare", "is")
            return None
        nodes = [node.left, *node.comparators]
        terms = [self.part(n, depth + 1) for n in nodes]
        operators = tuple(_OPERATORS[type(op)] for op in node.ops)
        pairs = zip(nodes[1:], terms, operators, terms[1:], strict=False)
        checked = [self.comparable(n, left, op, right) for n, left, op, right in pairs]
        if not all(checked):
            return None
        return _Comparison(tuple(t for t in terms if t), operators, self.segment(node))

    def comparable(
        self, node: ast.expr, left: _Part | None, operator: str, right: _Part | None
    ) -> bool:
        """Check one comparison; ``node`` is its right side, where a fault is shown."""
        if left is None or right is None:
            return False
        if {left.kind, right.kind} == {"date", "text"} and self.date_literal(node, left, right):
            return True
        if left.kind != right.kind:
            self.fault(
                node,
                f"'{left.text}' is {_KIND_WORDS[left.kind]} and '{right.text}' is "
                f"{_KIND_WORDS[right.kind]}; both sides of a comparison are of one type"
                f"; {_type_advice(left, right)}",
                right.text,
            )
            return False
        if left.kind in ("text", "yesno") and operator not in ("==", "!="):
            self.fault(
                node,
                f"'{operator}' compares {left.text} with {right.text}, which have no order; "
                "only numbers and dates have one; write == or !=, or in [...]",
                operator,
            )
            return False
        return self.permitted(node, left, right) and self.permitted(node, right, left)

    def date_literal(self, node: ast.expr, left: _Part, right: _Part) -> bool:
        text = left if left.kind == "text" else right
        if not isinstance(text, _Literal):
            return False
        if _date(text.value) is None:
            self.fault(
                node,
                f'{text.text} is not a calendar date; dates are written "2018-12-30"; correct it',
                text.text,
            )
        return True

    def permitted(self, node: ast.expr, name: _Part, literal: _Part) -> bool:
        """Check that a text compared with a choice is one of its values."""
        if not isinstance(name, _Name) or not isinstance(literal, _Literal) or name.values is None:
            return True
        value = str(literal.value)
        if value in name.values:
            return True
        self.fault(
            node,
            f'"{value}" is not a choice of {name.name}; {offer(value, "choices", name.values)}; '
            "correct the value",
            value,
        )
        return False

    def one_of(self, node: ast.Compare, depth: int) -> _Part | None:
        if len(node.ops) != 1:
            self.fault(
                node, "'in' stands inside a chain of comparisons; write it on its own; use and"
            )
            return None
        term = self.part(node.left, depth + 1)
        box = node.comparators[0]
        if not isinstance(box, ast.List | ast.Tuple) or not box.elts:
            self.fault(
                box,
                "'in' needs a list of values; the list stands in square brackets; write in [...]",
            )
            return None
        values = [self.listed(element, term, depth) for element in box.elts]
        if term is None or any(v is None for v in values):
            return None
        listed = tuple(v for v in values if v)
        return _OneOf(term, listed, isinstance(node.ops[0], ast.NotIn), self.segment(node))

    def listed(self, node: ast.expr, term: _Part | None, depth: int) -> _Literal | None:
        value = self.part(node, depth + 1)
        if value is None:
            return None
        if not isinstance(value, _Literal):
            self.fault(
                node,
                f"'{value.text}' stands in a list; a list holds numbers or texts in quotes; "
                "write its value",
                value.text,
            )
            return None
        return value if self.comparable(node, term, "==", value) else None

    def call(self, node: ast.Call, depth: int) -> _Part | None:
        name = node.func.id if isinstance(node.func, ast.Name) else self.segment(node.func)
        if name not in ("missing", "known", "count"):
            known = offer(name, "functions", ("missing", "known", "count"))
            self.fault(
                node, f"'{name}' is not a function of the rule language; {known}; correct it", name
            )
            return None
        if node.keywords or not node.args or (name != "count" and len(node.args) != 1):
            takes = "conditions separated by commas" if name == "count" else "one name"
            self.fault(node, f"{name}() is not complete; it takes {takes}; correct it", name)
            return None
        return self.count(node, depth) if name == "count" else self.recorded(node, name)

    def recorded(self, node: ast.Call, function: str) -> _Part | None:
        argument = node.args[0]
        if not isinstance(argument, ast.Name | ast.Attribute):
            self.fault(
                argument, f"{function}() takes one name; a name is an item or a score; write one"
            )
            return None
        name = self.name(argument)
        if not isinstance(name, _Name):
            return None
        return _Recorded(name, function == "known", self.segment(node))

    def count(self, node: ast.Call, depth: int) -> _Part | None:
        parts = [self.condition(argument, depth + 1) for argument in node.args]
        if any(p is None for p in parts):
            return None
        return _Count(tuple(p for p in parts if p), self.segment(node))


_EXAMPLE: Mapping[Kind, str] = {
    "number": "> 1.0",
    "text": '== "..."',
    "date": '>= "2018-01-01"',
    "yesno": "",
}
# Signs of other languages that people write, looked for only when a rule cannot be read.
_FOREIGN = (
    (r"&&", "&&", "is not part of the rule language; conditions are joined by and; write and"),
    (r"\|\|", "||", "is not part of the rule language; conditions are joined by or; write or"),
    (r"<>", "<>", "is not part of the rule language; unequal is !=; write !="),
    (
        r"[≥≤≠]",
        "",
        "is not part of the rule language; comparisons are >= <= !=; write one of these",
    ),
    (r"=>|=<", "", "is not part of the rule language; comparisons are >= and <=; turn it round"),
    (
        r"\b(AND|OR|NOT)\b",
        "",
        "is in capitals; the words are and, or, not; write it in small letters",
    ),
    (r"(?<![=<>!])=(?!=)", "=", "does not compare; equal is ==; write =="),
    (r"!(?!=)", "!", "is not part of the rule language; denial is not; write not"),
    (r"\d,\d", "", "has a decimal comma; decimals have a point; write a point"),
)
_OUTSIDE: Mapping[type[ast.expr], str] = {
    ast.Lambda: "a function definition",
    ast.IfExp: "'if ... else'",
    ast.Subscript: "a part in square brackets",
    ast.ListComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.JoinedStr: "a text with f before it",
    ast.NamedExpr: "':='",
    ast.List: "a list on its own",
    ast.Tuple: "a comma",
    ast.Starred: "'*'",
    ast.Await: "'await'",
    ast.Dict: "a text in curly brackets",
    ast.Set: "a text in curly brackets",
}


def _type_advice(left: _Part, right: _Part) -> str:
    for name, other in ((left, right), (right, left)):
        if isinstance(name, _Name) and name.values and isinstance(other, _Literal):
            return f"write the value in quotes, one of {', '.join(name.values)}"
        if isinstance(name, _Name) and name.kind == "yesno":
            return f"write {name.name} alone, or compare it with true or false"
        if isinstance(name, _Name) and name.kind == "number" and other.kind == "text":
            return "write the number without quotes"
    return "compare like with like"


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _without_quoted(text: str) -> str:
    """Blank the inside of quotes, keeping every position."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda m: "_" * len(m.group()), text)


def _unopened(bare: str) -> int | None:
    """Find the place of the first closing bracket that nothing has opened."""
    depth = 0
    for at, sign in enumerate(bare):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return at
    return None


# -- truth ----------------------------------------------------------------------------------------


def _truth(part: _Part, values: Mapping[str, object | None]) -> Truth:
    match part:
        case _Joined():
            return _join(part.operator, [_truth(p, values) for p in part.parts])
        case _Not():
            inner = _truth(part.part, values)
            return None if inner is None else not inner
        case _Comparison():
            return _chain(part, values)
        case _OneOf():
            equal = _join("OR", [_pair("==", part.term, v, values) for v in part.values])
            return equal if equal is None or not part.negated else not equal
        case _Recorded():
            return _is_known(part.name, values) is part.wanted
        case _Name():
            return _yesno(part.name, values.get(part.name))
        case _Literal():
            return bool(part.value)
    raise AssertionError(f"{part.text} is not a condition")


def _join(operator: Literal["AND", "OR"], truths: Sequence[Truth]) -> Truth:
    """Kleene's strong conjunction and disjunction."""
    decisive = operator == "OR"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _chain(part: _Comparison, values: Mapping[str, object | None]) -> Truth:
    pairs = zip(part.operators, part.terms, part.terms[1:], strict=False)
    return _join("AND", [_pair(op, left, right, values) for op, left, right in pairs])


def _pair(operator: str, left: _Part, right: _Part, values: Mapping[str, object | None]) -> Truth:
    if "date" in (left.kind, right.kind):
        a, b = _day(left, values), _day(right, values)
        return None if a is None or b is None else _compare_ranges(operator, (a, a), (b, b))
    if left.kind == "number":
        x, y = _number(left, values), _number(right, values)
        return None if x is None or y is None else _compare_ranges(operator, x, y)
    p, q = _plain(left, values), _plain(right, values)
    return None if p is None or q is None else (p == q) is (operator == "==")


def _compare_ranges(operator: str, a: _Range, b: _Range) -> Truth:
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


def _plain(part: _Part, values: Mapping[str, object | None]) -> str | bool | None:
    if part.kind == "yesno":
        return _truth(part, values)
    if isinstance(part, _Literal):
        return str(part.value)
    assert isinstance(part, _Name)
    value = values.get(part.name)
    if value is None or isinstance(value, str):
        return value
    raise _wrong_type(part.name, value, "a text")


def _day(part: _Part, values: Mapping[str, object | None]) -> float | None:
    if isinstance(part, _Literal):
        day = _date(part.value)
    else:
        assert isinstance(part, _Name)
        value = values.get(part.name)
        day = _date(value)
        if day is None and value is not None and not isinstance(value, str):
            text = getattr(value, "text", None)
            if not isinstance(text, str):
                raise _wrong_type(part.name, value, "a date")
            day = _date(text)
    return None if day is None else float(day.toordinal())


def _date(value: object) -> date | None:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return None


def _yesno(name: str, value: object | None) -> Truth:
    if value is None or isinstance(value, bool):
        return value
    if value in ("yes", "no"):
        return value == "yes"
    raise _wrong_type(name, value, "yes or no")


def _is_known(name: _Name, values: Mapping[str, object | None]) -> bool:
    if name.kind == "number":
        number = _number(name, values)
        return number is not None and number[0] == number[1]
    if name.kind == "date":
        return _day(name, values) is not None
    return values.get(name.name) is not None


def _number(part: _Part, values: Mapping[str, object | None]) -> _Range | None:
    match part:
        case _Literal():
            return float(part.value), float(part.value)
        case _Name():
            return _measured(part.name, values.get(part.name))
        case _Count():
            truths = [_truth(p, values) for p in part.parts]
            sure = float(truths.count(True))
            return sure, sure + truths.count(None)
        case _Sum():
            left, right = _number(part.left, values), _number(part.right, values)
            return None if left is None or right is None else _calculate(part.operator, left, right)
    raise AssertionError(f"{part.text} is not a number")


def _measured(name: str, value: object | None) -> _Range | None:
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


def _calculate(operator: str, a: _Range, b: _Range) -> _Range | None:
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


def _explain(part: _Part, values: Mapping[str, object | None]) -> Explanation:
    truth = _truth(part, values)
    if isinstance(part, _Joined):
        parts = tuple(_explain(p, values) for p in part.parts)
        return Explanation(part.text, truth, part.operator, parts)
    if isinstance(part, _Not) and isinstance(part.part, _Joined):
        return Explanation(part.text, truth, "NOT", (_explain(part.part, values),))
    found = ", ".join(_found(name, values) for name in dict.fromkeys(_names(part)))
    return Explanation(part.text, truth, "", (), found)


def _names(part: _Part) -> Iterator[str]:
    match part:
        case _Name():
            yield part.name
        case _Recorded():
            yield part.name.name
        case _Not():
            yield from _names(part.part)
        case _OneOf():
            yield from _names(part.term)
        case _Comparison():
            for term in part.terms:
                yield from _names(term)
        case _Joined() | _Count():
            for inner in part.parts:
                yield from _names(inner)
        case _Sum():
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


# -- words ----------------------------------------------------------------------------------------

_SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
_TEXT_SIGNS = {"==": "is", "!=": "is not"}


def _words(part: _Part, labels: Mapping[str, str], units: Mapping[str, str], depth: int) -> str:
    match part:
        case _Joined():
            text = f" {part.operator} ".join(_words(p, labels, units, 1) for p in part.parts)
            # Nobody should have to know that AND binds before OR.
            return f"({text})" if depth else text
        case _Not():
            text = _words(part.part, labels, units, 1)
            bare = isinstance(part.part, _Name | _Joined | _Literal)
            return f"NOT {text}" if bare else f"NOT ({text})"
        case _Comparison():
            return _compared(part, labels, units)
        case _OneOf():
            listed = _or_list([str(_shown(v)) for v in part.values])
            none = "none" if part.negated else "one"
            return f"{_words(part.term, labels, units, 0)} is {none} of {listed}"
        case _Recorded():
            state = "recorded" if part.wanted else "not recorded"
            return f"{labels.get(part.name.name, part.name.name)} is {state}"
        case _Name():
            return labels.get(part.name, part.name)
        case _Literal():
            return _shown(part)
        case _Count():
            return f"number of ({'; '.join(_words(p, labels, units, 0) for p in part.parts)})"
    return _arithmetic_words(part, labels, units)


def _arithmetic_words(part: _Sum, labels: Mapping[str, str], units: Mapping[str, str]) -> str:
    signs = {"+": "+", "-": "−", "*": "×", "/": "/"}
    if isinstance(part.left, _Literal) and part.left.text == "0" and part.operator in "+-":
        return f"{signs[part.operator]}{_words(part.right, labels, units, 1)}"
    return (
        f"({_words(part.left, labels, units, 1)} {signs[part.operator]} "
        f"{_words(part.right, labels, units, 1)})"
    )


def _compared(part: _Comparison, labels: Mapping[str, str], units: Mapping[str, str]) -> str:
    unit = next((units.get(t.name, "") for t in part.terms if isinstance(t, _Name)), "")
    words = []
    for term in part.terms:
        text = _words(term, labels, units, 1)
        if isinstance(term, _Literal) and term.kind == "number" and unit:
            text = f"{text} {unit}"
        words.append(text)
    kinds = {t.kind for t in part.terms}
    signs = _TEXT_SIGNS if kinds <= {"text", "yesno"} else _SIGNS
    sentence = words[0]
    for operator, word in zip(part.operators, words[1:], strict=True):
        sentence += f" {signs[operator]} {word}"
    return sentence


def _shown(literal: _Literal) -> str:
    if literal.kind == "yesno":
        return "yes" if literal.value else "no"
    if literal.kind == "number":
        return literal.text.replace("-", "−")
    return str(literal.value)


def _or_list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
