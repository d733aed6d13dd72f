"""Reading a rule: Python's parser, a white list, and types checked against the study's items."""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from onearm.errors import StudyError
from onearm.study.rules.sentence import (
    KIND_WORDS,
    KINDS,
    Comparison,
    Count,
    Joined,
    Kind,
    Name,
    Not,
    OneOf,
    Phrase,
    Recorded,
    Sum,
    Value,
    read_date,
)
from onearm.study.wording import offer

LONGEST_RULE = 1000
MOST_PARTS = 200
DEEPEST = 40
RESERVED = ("and", "or", "not", "in", "true", "false", "missing", "known", "count")


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


def read_sentence(
    text: str, types: Mapping[str, str | tuple[str, ...]]
) -> tuple[Phrase, tuple[str, ...]]:
    """Read a rule; its sentence, and the names it uses in the order of first use.

    Raises
    ------
    RuleError
        With every fault found.
    """
    reader = _Reader(text, types)
    root = reader.read()
    return root, tuple(reader.names)


class _Reader:
    """Translates one rule; collects faults instead of stopping at the first."""

    def __init__(self, text: str, types: Mapping[str, str | tuple[str, ...]]):
        self.text = text
        self.types = types
        self.faults: list[Fault] = []
        self.names: dict[str, None] = {}
        self.parts = 0

    def read(self) -> Phrase:
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

    def condition(self, node: ast.expr, depth: int) -> Phrase | None:
        part = self.part(node, depth)
        if part is not None and part.kind != "yesno":
            example = f", as in '{part.text} {_EXAMPLE[part.kind]}'"
            self.fault(
                node,
                f"'{part.text}' is {KIND_WORDS[part.kind]}; a condition is true or false; "
                f"compare it with something{'' if isinstance(part, Value) else example}",
                part.text,
            )
            return None
        return part

    def part(self, node: ast.expr, depth: int) -> Phrase | None:
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

    def literal(self, node: ast.Constant) -> Value | None:
        value = node.value
        if isinstance(value, bool):
            return Value("yesno", value, "true" if value else "false")
        if isinstance(value, str):
            return Value("text", value, f'"{value}"')
        if isinstance(value, int | float):
            if _finite(value):
                return Value("number", float(value), self.segment(node))
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

    def name(self, node: ast.Name | ast.Attribute) -> Phrase | None:
        name = _dotted(node)
        if name in ("true", "false"):
            return Value("yesno", name == "true", name)
        if name is None or name not in self.types:
            self.unknown(node, name or self.segment(node))
            return None
        self.names.setdefault(name)
        declared = self.types[name]
        if isinstance(declared, str):
            return Name(KINDS[declared], name, None)
        return Name("text", name, declared)

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

    def joined(self, node: ast.BoolOp, depth: int) -> Phrase | None:
        parts = [self.condition(value, depth + 1) for value in node.values]
        if any(p is None for p in parts):
            return None
        operator: Literal["AND", "OR"] = "AND" if isinstance(node.op, ast.And) else "OR"
        return Joined(operator, tuple(p for p in parts if p), self.segment(node))

    def unary(self, node: ast.UnaryOp, depth: int) -> Phrase | None:
        if isinstance(node.op, ast.Not):
            part = self.condition(node.operand, depth + 1)
            return Not(part, self.segment(node)) if part else None
        if isinstance(node.op, ast.USub | ast.UAdd):
            number = self.number(node.operand, depth + 1)
            if number is None:
                return None
            text = self.segment(node)
            if isinstance(number, Value):
                size = cast(float, number.value)
                return Value("number", -size if isinstance(node.op, ast.USub) else size, text)
            sign = "-" if isinstance(node.op, ast.USub) else "+"
            return Sum(sign, Value("number", 0.0, "0"), number, text)
        self.fault(node, "'~' is not part of the rule language; write not")
        return None

    def number(self, node: ast.expr, depth: int) -> Phrase | None:
        part = self.part(node, depth)
        if part is not None and part.kind != "number":
            self.fault(
                node,
                f"'{part.text}' is {KIND_WORDS[part.kind]}; arithmetic is on numbers; "
                "use numbers only",
                part.text,
            )
            return None
        return part

    def arithmetic(self, node: ast.BinOp, depth: int) -> Phrase | None:
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
        return Sum(operator, left, right, self.segment(node))

    def comparison(self, node: ast.Compare, depth: int) -> Phrase | None:
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
        return Comparison(tuple(t for t in terms if t), operators, self.segment(node))

    def comparable(
        self, node: ast.expr, left: Phrase | None, operator: str, right: Phrase | None
    ) -> bool:
        """Check one comparison; ``node`` is its right side, where a fault is shown."""
        if left is None or right is None:
            return False
        if {left.kind, right.kind} == {"date", "text"} and self.date_literal(node, left, right):
            return True
        if left.kind != right.kind:
            self.fault(
                node,
                f"'{left.text}' is {KIND_WORDS[left.kind]} and '{right.text}' is "
                f"{KIND_WORDS[right.kind]}; both sides of a comparison are of one type"
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

    def date_literal(self, node: ast.expr, left: Phrase, right: Phrase) -> bool:
        text = left if left.kind == "text" else right
        if not isinstance(text, Value):
            return False
        if read_date(text.value) is None:
            self.fault(
                node,
                f'{text.text} is not a calendar date; dates are written "2018-12-30"; correct it',
                text.text,
            )
        return True

    def permitted(self, node: ast.expr, name: Phrase, literal: Phrase) -> bool:
        """Check that a text compared with a choice is one of its values."""
        if not isinstance(name, Name) or not isinstance(literal, Value) or name.values is None:
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

    def one_of(self, node: ast.Compare, depth: int) -> Phrase | None:
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
        return OneOf(term, listed, isinstance(node.ops[0], ast.NotIn), self.segment(node))

    def listed(self, node: ast.expr, term: Phrase | None, depth: int) -> Value | None:
        value = self.part(node, depth + 1)
        if value is None:
            return None
        if not isinstance(value, Value):
            self.fault(
                node,
                f"'{value.text}' stands in a list; a list holds numbers or texts in quotes; "
                "write its value",
                value.text,
            )
            return None
        return value if self.comparable(node, term, "==", value) else None

    def call(self, node: ast.Call, depth: int) -> Phrase | None:
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

    def recorded(self, node: ast.Call, function: str) -> Phrase | None:
        argument = node.args[0]
        if not isinstance(argument, ast.Name | ast.Attribute):
            self.fault(
                argument, f"{function}() takes one name; a name is an item or a score; write one"
            )
            return None
        name = self.name(argument)
        if not isinstance(name, Name):
            return None
        return Recorded(name, function == "known", self.segment(node))

    def count(self, node: ast.Call, depth: int) -> Phrase | None:
        parts = [self.condition(argument, depth + 1) for argument in node.args]
        if any(p is None for p in parts):
            return None
        return Count(tuple(p for p in parts if p), self.segment(node))


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


def _type_advice(left: Phrase, right: Phrase) -> str:
    for name, other in ((left, right), (right, left)):
        if isinstance(name, Name) and name.values and isinstance(other, Value):
            return f"write the value in quotes, one of {', '.join(name.values)}"
        if isinstance(name, Name) and name.kind == "yesno":
            return f"write {name.name} alone, or compare it with true or false"
        if isinstance(name, Name) and name.kind == "number" and other.kind == "text":
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
