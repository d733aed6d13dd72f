"""Reads a file of reported numbers: strict keys, numbers as printed, every fault with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from onearm.errors import OnearmError, StudyError
from onearm.stats.reported import Printed, Scale, Summary, read_p, read_printed
from onearm.study.source import Node, decode, read_tree
from onearm.study.values import Decimal, Whole, shown

MOST_PATIENTS = 100_000
#: The numbers of patients tried when the file names none: around the reported one.
BELOW, ABOVE = 4, 1

#: What a report may call its test, and which computed tests that can mean.
TESTS: dict[str, tuple[str, ...]] = {
    "signed rank": (
        "signed_rank_exact",
        "signed_rank_exact_pratt",
        "signed_rank_normal",
        "signed_rank_normal_cc",
        "signed_rank_normal_pratt",
        "signed_rank_normal_pratt_cc",
    ),
    "signed rank exact": ("signed_rank_exact", "signed_rank_exact_pratt"),
    "signed rank normal": (
        "signed_rank_normal",
        "signed_rank_normal_cc",
        "signed_rank_normal_pratt",
        "signed_rank_normal_pratt_cc",
    ),
    "sign test": ("sign_test",),
    "sign flip": ("sign_flip",),
    "paired t": ("paired_t",),
    "unpaired t": ("unpaired_t", "welch_t"),
    "Mann-Whitney": ("mann_whitney_exact", "mann_whitney_normal", "mann_whitney_normal_cc"),
}
_SUMMARY = ("mean", "sd", "median", "minimum", "maximum", "q1", "q3")
_GROUPS = ("once", "before", "after", "change")
_OWN_WORDS = {
    "a study file begins with 'onearm: 1'": "a file of reported numbers begins with 'report:'",
    "a file is one study": "a file is one report",
    "a study file is not": "a file of reported numbers is not",
    "a study file holds the plan, not the data": "a report's numbers need less",
    "study files are UTF-8": "UTF-8 is expected",
    ": the file is empty": ":1:1: the file is empty",
}


class RecheckError(OnearmError):
    """A file of reported numbers cannot be read. Holds every fault found, one message each."""

    def __init__(self, messages: str | list[str]):
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


@dataclass(frozen=True)
class Limits:
    """What is known of a group beyond the report, for constructing: smallest and largest value."""

    minimum: Fraction | None = None
    maximum: Fraction | None = None


@dataclass(frozen=True)
class Result:
    """One result of a report as printed. What is None or empty is not printed.

    Attributes
    ----------
    id, label, unit
        The label is the id where the file gives none.
    n, also
        Number of patients, and the other numbers to try.
    scale, values
        The values one patient can have; ``values`` is the file's word for it: ``integer``,
        ``binary``, ``decimals``, ``continuous`` or ``not stated``.
    once, before, after, change
        Summaries of a measure taken once, before, after, and of its change.
    percent, count
        Of a share of the patients.
    p, test, one_sided
        P as printed, the test as the report names it, and whether P is one-sided.
    limits_before, limits_after
        For constructing only.
    """

    id: str
    label: str
    unit: str
    n: int
    also: tuple[int, ...]
    scale: Scale
    values: str
    once: Summary
    before: Summary
    after: Summary
    change: Summary
    percent: Printed | None
    count: int | None
    p: Printed | None
    test: str
    one_sided: bool
    limits_before: Limits
    limits_after: Limits

    @property
    def whole(self) -> bool:
        """Whether the scale has a step, so that ties are usual and GRIM applies."""
        return self.scale.step is not None


@dataclass(frozen=True)
class Report:
    """A report's numbers as read from a file."""

    id: str
    title: str
    citation: str
    url: str
    results: tuple[Result, ...]


def read_report(path: Path) -> Report:
    """Read a file of reported numbers.

    Raises
    ------
    RecheckError
        With every fault: file, line and column; what was found; what is expected; what to do.
    OSError
        If the file cannot be opened.
    """
    return parse_report(path.read_bytes(), str(path))


def parse_report(raw: bytes, where: str) -> Report:
    """Read a file's bytes as :func:`read_report` does; ``where`` names it in messages."""
    try:
        root, flaws = read_tree(decode(raw, where), where)
    except StudyError as error:
        raise RecheckError([_own_words(m) for m in error.messages]) from None
    reader = _Reader(where)
    for flaw in flaws:
        reader.faults.append((flaw.line, flaw.column, _own_words(flaw.message)))
    report = reader.report(root)
    if reader.faults or report is None:
        lines = [f"{where}:{line}:{column}: {words}" for line, column, words in reader.sorted()]
        raise RecheckError(list(dict.fromkeys(lines)))
    return report


def _own_words(message: str) -> str:
    """Say of this kind of file what the YAML reader says of a study file."""
    for theirs, ours in _OWN_WORDS.items():
        message = message.replace(theirs, ours)
    return message


@dataclass
class _Reader:
    """Reads nodes into values and collects the faults."""

    where: str
    faults: list[tuple[int, int, str]] = field(default_factory=list)

    def sorted(self) -> list[tuple[int, int, str]]:
        return sorted(self.faults)

    def fault(self, node: Node, path: str, found: str, expected: str, todo: str) -> None:
        lead = f"{path}: " if path else ""
        self.faults.append((node.line, node.column, f"{lead}{found}; {expected}; {todo}"))

    # -- blocks

    def block(self, node: Node, path: str, keys: Sequence[str], needed: Sequence[str] = ()) -> bool:
        """Check that a node is a block with no other keys, and with those that are needed."""
        if node.kind != "map":
            found = (
                "a list stands here" if node.kind == "list" else f"{shown(node.value)} is a value"
            )
            if node.kind == "scalar" and node.value is None:
                found = "nothing stands here"
            self.fault(node, path, found, f"a block with the keys {', '.join(keys)}", "write it")
            return False
        for key in node.keys:
            if key not in keys:
                line, column = node.places[key]
                close = difflib.get_close_matches(key, keys, 1)
                todo = f"did you mean '{close[0]}'?" if close else "take it out"
                words = f"'{key}' is not a key here; the keys are {', '.join(keys)}; {todo}"
                self.faults.append((line, column, f"{path}: {words}" if path else words))
        missing = [key for key in needed if key not in node.keys]
        for key in missing:
            self.fault(node, path, f"the key '{key}' is missing", "it is needed", "write it")
        return not missing

    def report(self, root: Node) -> Report | None:
        keys = ("recheck", "report", "participants", "results")
        whole = self.block(root, "", keys, ("report", "results"))
        version = root.keys.get("recheck")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            self.fault(
                version, "recheck", f"{shown(version.data())} is not a version this program reads",
                "version 1 is expected", "write 'recheck: 1', or leave it out",
            )  # fmt: skip
        if not whole:
            return None
        head = root.keys["report"]
        self.block(head, "report", ("id", "title", "citation", "url"), ("id",))
        texts = {
            key: self.text(head.keys[key], f"report.{key}") if key in head.keys else ""
            for key in ("id", "title", "citation", "url")
        }
        n, also = self.participants(root.keys.get("participants"))
        results = self.results(root.keys["results"], n, also)
        return Report(**texts, results=results)

    def participants(self, node: Node | None) -> tuple[int | None, tuple[int, ...] | None]:
        if node is None or not self.block(node, "participants", ("n", "also")):
            return None, None
        n = self.whole(node.keys["n"], "participants.n") if "n" in node.keys else None
        return n, self.also(node.keys.get("also"), "participants.also")

    def also(self, node: Node | None, path: str) -> tuple[int, ...] | None:
        if node is None:
            return None
        if node.kind != "list":
            self.fault(
                node, path, f"{shown(node.data())} is not a list",
                "a list of numbers of patients such as [7, 8] is expected", "write one, or leave it out",
            )  # fmt: skip
            return None
        numbers = [self.whole(item, path) for item in node.items]
        return tuple(sorted({x for x in numbers if x is not None}))

    def results(
        self, node: Node, n: int | None, also: tuple[int, ...] | None
    ) -> tuple[Result, ...]:
        if node.kind != "list" or not node.items:
            self.fault(
                node, "results", "no list of results stands here",
                "one block after '-' for each result is expected", "write at least one",
            )  # fmt: skip
            return ()
        found: list[Result] = []
        for place, item in enumerate(node.items):
            result = self.result(item, place, n, also)
            if result is None:
                continue
            if any(r.id == result.id for r in found):
                self.fault(
                    item.keys["id"], f"results.{place}.id", f"'{result.id}' stands twice",
                    "each result has its own id", "rename one",
                )  # fmt: skip
            found.append(result)
        return tuple(found)

    def result(
        self, node: Node, place: int, n: int | None, also: tuple[int, ...] | None
    ) -> Result | None:
        path = f"results.{place}"
        keys = (
            "id", "label", "unit", "scale", "n", "also", *_GROUPS, "percent", "count", "p", "test",
            "sided", "constraints",
        )  # fmt: skip
        if not self.block(node, path, keys, ("id",)):
            return None
        at = node.keys
        name = self.text(at["id"], f"{path}.id")
        path = f"results.{place} ({name})"
        own = self.whole(at["n"], f"{path}.n") if "n" in at else n
        if own is None:
            if "n" not in at:
                self.fault(
                    node, path, "the number of patients is missing",
                    "'n' is given here or under participants:", "write it",
                )  # fmt: skip
            return None
        tried = self.also(at.get("also"), f"{path}.also")
        tried = tried if tried is not None else also
        if tried is None:
            tried = tuple(range(max(2, own - BELOW), own + ABOVE + 1))
        scale, values = self.scale(at.get("scale"), f"{path}.scale")
        groups = {g: self.summary(at.get(g), f"{path}.{g}") for g in _GROUPS}
        before, after = self.constraints(at.get("constraints"), f"{path}.constraints")
        count = self.whole(at["count"], f"{path}.count", least=0) if "count" in at else None
        if count is not None and count > own:
            self.fault(
                at["count"], f"{path}.count", f"{count} of {own} patients is too many",
                f"a count from 0 to {own}", "correct it",
            )  # fmt: skip
        return Result(
            id=name,
            label=self.text(at["label"], f"{path}.label") if "label" in at else name,
            unit=self.text(at["unit"], f"{path}.unit") if "unit" in at else "",
            n=own,
            also=tuple(x for x in tried if x != own),
            scale=scale,
            values=values,
            **groups,
            percent=self.percent(at.get("percent"), f"{path}.percent"),
            count=count,
            p=self.p(at.get("p"), f"{path}.p"),
            test=self.word(at.get("test"), f"{path}.test", (*TESTS, "not named"), "not named"),
            one_sided=self.word(at.get("sided"), f"{path}.sided", ("one", "two"), "two") == "one",
            limits_before=before,
            limits_after=after,
        )

    def scale(self, node: Node | None, path: str) -> tuple[Scale, str]:
        words = ("integer", "binary", "decimals", "continuous")
        if node is None:
            return Scale(), "not stated"
        if node.kind == "scalar":
            values = self.word(node, path, words, "")
            node = Node(node.line, node.column, "map")
        else:
            if not self.block(node, path, ("values", "decimals", "range"), ("values",)):
                return Scale(), "not stated"
            values = self.word(node.keys["values"], f"{path}.values", words, "")
        decimals = node.keys.get("decimals")
        if (values == "decimals") != (decimals is not None):
            self.fault(
                decimals or node, path, f"values: {values} {'without' if decimals is None else 'with'} "
                "the number of decimals", "values: decimals goes with decimals: 1 (or 2, ...)",
                "write both or neither",
            )  # fmt: skip
        places = self.whole(decimals, f"{path}.decimals", 0, 6) if decimals is not None else 0
        step = None if values == "continuous" else Fraction(1, 10 ** (places or 0))
        low, high = self.range(node.keys.get("range"), f"{path}.range")
        if values == "binary":
            low, high = Fraction(0), Fraction(1)
        return Scale(step, low, high), values or "not stated"

    def range(self, node: Node | None, path: str) -> tuple[Fraction | None, Fraction | None]:
        if node is None:
            return None, None
        if node.kind != "list" or len(node.items) != 2:
            self.fault(
                node, path, f"{shown(node.data())} is not a range",
                "two numbers, [lowest, highest]", "write both",
            )  # fmt: skip
            return None, None
        ends = [self.printed(item, path) for item in node.items]
        if ends[0] is None or ends[1] is None:
            return None, None
        if ends[0].value >= ends[1].value:
            self.fault(
                node, path, f"[{ends[0].text}, {ends[1].text}] runs backwards",
                "the lower number comes first", "turn it round",
            )  # fmt: skip
        return ends[0].value, ends[1].value

    def summary(self, node: Node | None, path: str) -> Summary:
        if node is None or not self.block(node, path, _SUMMARY):
            return Summary()
        return Summary(
            **{
                key: self.printed(node.keys[key], f"{path}.{key}")
                for key in _SUMMARY
                if key in node.keys
            }
        )

    def constraints(self, node: Node | None, path: str) -> tuple[Limits, Limits]:
        if node is None or not self.block(node, path, ("before", "after")):
            return Limits(), Limits()
        found = []
        for key in ("before", "after"):
            inner = node.keys.get(key)
            if inner is None or not self.block(inner, f"{path}.{key}", ("minimum", "maximum")):
                found.append(Limits())
                continue
            ends = [
                self.printed(inner.keys[k], f"{path}.{key}.{k}") if k in inner.keys else None
                for k in ("minimum", "maximum")
            ]
            if ends[0] is not None and ends[1] is not None and ends[0].value > ends[1].value:
                self.fault(
                    inner, f"{path}.{key}", f"minimum {ends[0].text} lies above maximum {ends[1].text}",
                    "the minimum is at most the maximum", "correct one",
                )  # fmt: skip
            found.append(Limits(*(None if e is None else e.value for e in ends)))
        return found[0], found[1]

    # -- values

    def text(self, node: Node, path: str) -> str:
        value = getattr(node.value, "raw", node.value)
        if node.kind != "scalar" or isinstance(value, bool) or not isinstance(value, str):
            self.fault(
                node, path, f"{shown(node.data())} is not a text", "a text is expected",
                "write it, in quotes if need be",
            )  # fmt: skip
            return ""
        if not value.strip():
            self.fault(node, path, "the text is empty", "a text is expected", "write it")
        return " ".join(value.split())

    def word(self, node: Node | None, path: str, words: Sequence[str], default: str) -> str:
        if node is None:
            return default
        value = str(node.value) if node.kind == "scalar" else ""
        plain = value.replace("_", " ")
        known = {w.lower(): w for w in words}
        if plain.lower() in known:
            return known[plain.lower()]
        close = difflib.get_close_matches(plain, words, 1)
        todo = f"did you mean '{close[0]}'?" if close else "write one of them"
        expected = f"one of {', '.join(words)} is expected"
        self.fault(node, path, f"{shown(node.data())} is not known", expected, todo)
        return default

    def whole(self, node: Node, path: str, least: int = 1, most: int = MOST_PATIENTS) -> int | None:
        value = node.value
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            expected = "a whole number is expected"
            self.fault(
                node, path, f"{shown(node.data())} is not a whole number", expected, "correct it"
            )
            return None
        if not least <= value <= most:
            self.fault(
                node,
                path,
                f"{value} is out of range",
                f"{least} to {most:,} is expected",
                "correct it",
            )
            return None
        return int(value)

    def printed(self, node: Node, path: str) -> Printed | None:
        number = self.number(node, path)
        if number is not None and number.relation != "=":
            self.fault(
                node, path, f"{shown(node.data())} is not one number",
                "a number as printed, such as '15.4', is expected", "leave the sign out",
            )  # fmt: skip
            return None
        return number

    def number(self, node: Node, path: str) -> Printed | None:
        """Read a number as it is written in the file, quoted or not: trailing zeros count."""
        text = self.number_text(node, path)
        if text is None:
            return None
        try:
            return read_printed(text)
        except ValueError as error:
            found, expected, todo = str(error).split(": ", 1)[1].split("; ", 2)
            self.fault(node, path, found, expected, todo)
            return None

    def number_text(self, node: Node, path: str) -> str | None:
        value = node.value
        if node.kind == "scalar" and isinstance(value, Whole | Decimal):
            return value.raw
        if node.kind == "scalar" and isinstance(value, str):
            return value
        self.fault(
            node, path, f"{shown(node.data())} is not a number as printed",
            "a number such as '15.4' is expected", "write it as it is printed",
        )  # fmt: skip
        return None

    def percent(self, node: Node | None, path: str) -> Printed | None:
        if node is None:
            return None
        if isinstance(node.value, str):
            node.value = node.value.strip().removesuffix("%").strip()
        number = self.printed(node, path)
        if number is not None and not 0 <= number.value <= 100:
            self.fault(
                node,
                path,
                f"'{number.text}' is not a percentage",
                "0 to 100 is expected",
                "correct it",
            )
            return None
        return number

    def p(self, node: Node | None, path: str) -> Printed | None:
        if node is None:
            return None
        text = self.number_text(node, path)
        if text is None:
            return None
        text = re.sub(r"^\s*[pP]\s*(?=[<>=≤≥])", "", text)  # "P < 0.001", "P = 0.014"
        try:
            return read_p(text)
        except ValueError as error:
            found, expected, todo = str(error).split(": ", 1)[1].split("; ", 2)
            self.fault(node, path, found, expected, todo)
            return None
