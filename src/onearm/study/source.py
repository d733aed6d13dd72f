"""The text of a study file as a tree of values, each with its line and column.

YAML 1.2, less what hides things: no anchors and aliases, no tags, no merge keys, no doubled keys,
no tabs, one document. ``no`` is a text, ``true`` and ``false`` are the only yes and no.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from onearm.errors import StudyError
from onearm.study.values import Decimal, Whole

LARGEST = 1_000_000
DEEPEST = 30

Path = tuple[str | int, ...]

_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Node:
    """One value of the file.

    Attributes
    ----------
    line, column
        Where it begins, counted from 1.
    kind
        ``"map"``, ``"list"`` or ``"scalar"``.
    value
        Of a scalar: bool, :class:`Whole`, :class:`Decimal`, text, or None for nothing.
    keys
        Of a map: the nodes by key.
    places
        Of a map: line and column of each key.
    items
        Of a list: the nodes.
    lead
        Characters between ``column`` and the text itself: 1 for an opening quote.
    plain
        The text stands in the file on one line just as it is: a place inside it can be shown.
    """

    line: int
    column: int
    kind: str
    value: bool | int | float | str | None = None
    keys: dict[str, Node] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    lead: int = 0
    plain: bool = False

    def data(self) -> Any:
        """Return the plain value: dict, list or scalar."""
        if self.kind == "map":
            return {key: node.data() for key, node in self.keys.items()}
        if self.kind == "list":
            return [node.data() for node in self.items]
        return self.value

    def scalars(self) -> Iterator[str]:
        """Every text in it, keys left out."""
        if self.kind == "scalar" and isinstance(self.value, str):
            yield self.value
        for node in (*self.keys.values(), *self.items):
            yield from node.scalars()


@dataclass(frozen=True)
class Flaw:
    """A fault of the text itself: its place, its path and its message in three parts.

    ``valueless`` is true when nothing usable stands at ``path``.
    """

    line: int
    column: int
    path: Path
    message: str
    valueless: bool = False


def decode(raw: bytes, where: str) -> str:
    """Return the text of a file's bytes; StudyError when they are no study file at all."""
    if len(raw) > LARGEST:
        raise StudyError(
            f"{where}: the file has {len(raw):,} bytes; at most {LARGEST:,} are read; "
            "a study file holds the plan, not the data: take the rest out"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise StudyError(
            f"{where}:{line}:{column}: byte {raw[error.start]:#04x} is not UTF-8 text; "
            "study files are UTF-8; save the file as UTF-8"
        ) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        raise StudyError(
            f"{where}: the file is empty; a study file begins with 'onearm: 1'; write it"
        )
    return text


def read_tree(text: str, where: str) -> tuple[Node, list[Flaw]]:
    """Read a file's text.

    Returns
    -------
    The tree, and every flaw that leaves the rest readable (doubled keys, aliases, tags).

    Raises
    ------
    StudyError
        The text cannot be read to its end.
    """
    flaws = [
        Flaw(
            n,
            line.index("\t") + 1,
            (),
            "a tab stands here; indentation is by spaces; replace it by spaces",
        )
        for n, line in enumerate(text.split("\n"), 1)
        if "\t" in line
    ]
    if flaws:
        raise StudyError([f"{where}:{f.line}:{f.column}: {f.message}" for f in flaws])
    builder = _Builder(where)
    root = builder.document(text)
    return root, builder.flaws


class _Builder:
    """Builds the tree from the parser's events; the first value of a doubled key stays."""

    def __init__(self, where: str):
        self.where = where
        self.flaws: list[Flaw] = []

    def document(self, text: str) -> Node:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.events import (
            DocumentStartEvent,
            StreamEndEvent,
        )

        yaml = YAML(typ="safe", pure=True)
        try:
            self.events = iter(yaml.parse(text))
            next(self.events)
            start = next(self.events)
            if isinstance(start, StreamEndEvent):
                raise StudyError(
                    f"{self.where}: the file holds only comments; a study file begins with "
                    "'onearm: 1'; write it"
                )
            assert isinstance(start, DocumentStartEvent)
            root = self.node(next(self.events), ())
            next(self.events)
            more = next(self.events)
        except MarkedYAMLError as error:
            raise StudyError(self.unreadable(error)) from None
        except (YAMLError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise StudyError(
                f"{self.where}: the text cannot be read ({reason}); YAML 1.2 is expected; "
                "correct it there"
            ) from None
        if not isinstance(more, StreamEndEvent):
            self.flaw(
                more, (), "a second document begins here; a file is one study; make it a file"
            )
        if root.kind != "map":
            raise StudyError(
                f"{self.where}:{root.line}:{root.column}: the file is not a list of keys; "
                "a study file begins with 'onearm: 1'; write it"
            )
        return root

    def unreadable(self, error: Any) -> str:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        return f"{self.where}:{place}: {_syntax_words(error.problem or error.context or '')}"

    def flaw(self, event: Any, path: Path, message: str, valueless: bool = False) -> None:
        mark = event.start_mark
        self.flaws.append(Flaw(mark.line + 1, mark.column + 1, path, message, valueless))

    def node(self, event: Any, path: Path) -> Node:
        from ruamel.yaml.events import (
            AliasEvent,
            MappingStartEvent,
            ScalarEvent,
            SequenceStartEvent,
        )

        mark = event.start_mark
        node = Node(mark.line + 1, mark.column + 1, "scalar")
        if len(path) > DEEPEST:
            raise StudyError(
                f"{self.where}:{node.line}:{node.column}: the file is nested more than {DEEPEST} "
                "deep; a study file is not; take a level out"
            )
        if isinstance(event, AliasEvent):
            self.flaw(
                event,
                path,
                f"'*{event.anchor}' is an alias; a value is written where it stands; write it out",
                valueless=True,
            )
            return node
        if event.anchor is not None:
            self.flaw(
                event,
                path,
                f"'&{event.anchor}' is an anchor; a value is written where it stands; take it away",
            )
        self.tag(event, path)
        if isinstance(event, ScalarEvent):
            self.scalar(event, node, path)
        elif isinstance(event, SequenceStartEvent):
            self.list(node, path)
        else:
            assert isinstance(event, MappingStartEvent)
            self.map(node, path)
        return node

    def tag(self, event: Any, path: Path) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) != "!":
            self.flaw(
                event,
                path,
                f"'{tag}' is a tag; values are told by how they are written; take the tag away",
            )

    def scalar(self, event: Any, node: Node, path: Path) -> None:
        text, quoted = self.text(event, path), event.style is not None
        node.value = text if quoted else _resolve(text)
        node.lead = 1 if event.style in ("'", '"') else 0
        single = event.start_mark.line == event.end_mark.line
        length = event.end_mark.column - event.start_mark.column
        node.plain = single and length == len(event.value) + 2 * node.lead
        if node.value is None and path:
            self.flaw(
                event,
                path,
                "nothing stands here; a value is expected; write one or take the key out",
                valueless=True,
            )

    def list(self, node: Node, path: Path) -> None:
        from ruamel.yaml.events import SequenceEndEvent

        node.kind = "list"
        while not isinstance(event := next(self.events), SequenceEndEvent):
            node.items.append(self.node(event, (*path, len(node.items))))

    def map(self, node: Node, path: Path) -> None:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        node.kind = "map"
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self.flaw(
                    event,
                    path,
                    "a list or a block stands as a key; keys are words; write a word and a colon",
                )
                self.node(event, path)
                self.node(next(self.events), path)
                continue
            key = self.text(event, path)
            self.key(event, node, key, path)
            value = self.node(next(self.events), (*path, key))
            if key not in node.keys and key != "<<":
                node.keys[key] = value
                node.places[key] = (event.start_mark.line + 1, event.start_mark.column + 1)

    def text(self, event: Any, path: Path) -> str:
        """What stands there, with a sign in place of codes that are no character and cannot be written."""
        plain = _HALF.sub("\ufffd", event.value)
        if plain != event.value:
            self.flaw(
                event,
                path,
                "a half of a pair of codes (\\ud800 to \\udfff) is no character; text is expected; "
                "write the character itself",
            )
        return plain

    def key(self, event: Any, node: Node, key: str, path: Path) -> None:
        if event.anchor is not None:
            self.flaw(
                event,
                path,
                f"'&{event.anchor}' is an anchor; a value is written where it stands; take it away",
            )
        if key in node.keys:
            first = node.places[key][0]
            self.flaw(
                event,
                (*path, key),
                f"the key '{key}' stands twice, first on line {first}; "
                "each key stands once; take one away",
            )
        if key == "<<" and event.style is None:
            self.flaw(
                event,
                path,
                "'<<' merges another block; a value is written where it stands; write the keys out",
            )


_HALF = re.compile("[\ud800-\udfff]")


def _resolve(text: str) -> bool | int | float | str | None:
    """Return the value of an unquoted scalar by YAML 1.2's core rules."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text) and len(text) <= 400:
        whole = Whole(text)
        whole.raw = text
        return whole
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        decimal = Decimal(text.replace(".inf", "inf").replace(".nan", "nan").lower().lstrip("."))
        decimal.raw = text
        return decimal
    return text


_SYNTAX = (
    (
        "mapping values are not allowed",
        "a colon stands inside a value; a value with a colon is in quotes; put the value in quotes",
    ),
    (
        "could not find expected ':'",
        "a key without a colon; a line is 'key: value'; write the colon",
    ),
    (
        "expected ',' or",
        "a list or block in brackets is not closed or a comma is missing; "
        "brackets come in pairs and commas part the entries; correct it",
    ),
    (
        "expected the node content",
        "a value cannot begin with this sign; a text with such a sign is "
        "in quotes; put it in quotes",
    ),
    (
        "expected <block end>",
        "the indentation does not fit; entries of one block begin in one "
        "column; correct the spaces before it",
    ),
    (
        "found character",
        "a value cannot begin with this sign; a text with such a sign is in quotes; "
        "put it in quotes",
    ),
    (
        "unexpected end of stream",
        "a quote is opened and not closed; quotes come in pairs; close it",
    ),
    (
        "found undefined alias",
        "an alias stands here; a value is written where it stands; write it out",
    ),
)


def _syntax_words(problem: str) -> str:
    for sign, words in _SYNTAX:
        if sign in problem:
            return words
    return f"the text cannot be read here ({problem}); YAML 1.2 is expected; correct it"
