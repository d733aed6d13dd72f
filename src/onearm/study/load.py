"""Reading a study file: text, shape, cross-references; every fault with its line and column."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from onearm.errors import StudyError
from onearm.study.checking import Finding
from onearm.study.consistency import check_study
from onearm.study.mending import STAND_IN, Mending, find_node, permitted_keys
from onearm.study.model import Study
from onearm.study.source import Flaw, Node, Path, decode, read_tree
from onearm.study.values import shown
from onearm.study.wording import offer

MOST_MENDINGS = 12


def load_study(path: FilePath | str) -> Study:
    """Read a study file and check all of it.

    Parameters
    ----------
    path
        The file, YAML 1.2 in UTF-8, at most 1 MB.

    Returns
    -------
    Study
        Frozen; ``hash`` is the SHA-256 of the file's bytes.

    Raises
    ------
    StudyError
        The file cannot be used. ``messages`` holds every fault found, in the order of lines, each
        ``FILE:line:column: path: what was found; what was expected; what to do``.
    """
    where = str(path)
    try:
        raw = FilePath(path).read_bytes()
    except FileNotFoundError:
        raise StudyError(
            f"{where}: there is no such file; a study file is expected; correct the path"
        ) from None
    except OSError as error:
        raise StudyError(
            f"{where}: the file cannot be read ({error.strerror}); a study file is expected; "
            "check its rights and that it is a file"
        ) from None
    return _study(raw, where, FilePath(path).name)


def parse_study(text: str, name: str) -> Study:
    """Read a study from a text as :func:`load_study` does; ``name`` stands for the file."""
    return _study(text.encode(), name, FilePath(name).name)


def _study(raw: bytes, where: str, name: str) -> Study:
    text = decode(raw, where)
    root, flaws = read_tree(text, where)
    faults = [_Placed.of_flaw(root, flaw) for flaw in flaws]
    version = _version(root)
    if version is not None:
        raise StudyError([f.line_in(where) for f in sorted([*faults, version])])
    study, shape = _shaped(root, [flaw.path for flaw in flaws if flaw.valueless])
    faults += shape
    if faults:
        raise StudyError(list(dict.fromkeys(f.line_in(where) for f in sorted(faults))))
    assert study is not None
    return Study._made(study, name, text, hashlib.sha256(raw).hexdigest())


@dataclass(frozen=True, order=True)
class _Placed:
    """A fault at its place in the file."""

    line: int
    column: int
    path: str
    message: str

    @classmethod
    def of_flaw(cls, root: Node, flaw: Flaw) -> _Placed:
        return cls(flaw.line, flaw.column, _path_words(root, flaw.path), flaw.message)

    def line_in(self, where: str) -> str:
        """Write the message as a person reads it."""
        path = f"{self.path}: " if self.path else ""
        return f"{where}:{self.line}:{self.column}: {path}{self.message}"


def _version(root: Node) -> _Placed | None:
    node = root.keys.get("onearm")
    if node is None:
        return _Placed(
            1, 1, "", "the key 'onearm' is missing; it gives the version of the vocabulary; "
            "write 'onearm: 1' as the first line",
        )  # fmt: skip
    if node.kind == "scalar" and node.value == 1 and not isinstance(node.value, bool | float):
        return None
    return _Placed(
        node.line, node.column, "onearm", f"{shown(node.data())} is not a version this program "
        "reads; version 1 is expected; write 'onearm: 1'",
    )  # fmt: skip


# -- shape, then cross-references ------------------------------------------------------------------


def _shaped(root: Node, valueless: Sequence[Path]) -> tuple[Study | None, list[_Placed]]:
    """Validate the tree; with faults in it, mend them and check the rest all the same."""
    mending = Mending(root)
    faults: list[_Placed] = []
    for path in valueless:
        mending.take_out(path)
    for attempt in range(MOST_MENDINGS):
        try:
            study = Study.model_validate(root.data())
        except ValidationError as error:
            found = error.errors(include_url=False)
            if attempt == 0:
                faults += [
                    _shape_fault(root, fault)
                    for fault in found
                    if tuple(fault["loc"]) not in valueless
                ]
            for fault in found:
                mending.mend(fault, word=(STAND_IN, "1")[attempt % 2])
            continue
        if mending.deep:
            findings = check_study(study)
            faults += [_placed(root, f) for f in findings if not mending.caused(f)]
        return (None if faults or mending.replaced else study), faults
    return None, faults


# -- places ----------------------------------------------------------------------------------------


def _path_words(root: Node, path: Path) -> str:
    """``schedule.visits.2 (M3).forms``: the path, with the id of each entry of a list."""
    words = []
    for n, step in enumerate(path):
        if not isinstance(step, int):
            words.append(step)
            continue
        name = find_node(root, path[: n + 1]).keys.get("id")
        written = getattr(name.value, "raw", name.value) if name else None
        words.append(f"{step} ({written})" if isinstance(written, str) else str(step))
    if path and isinstance(path[-1], int) and find_node(root, path).kind == "scalar":
        words.pop()  # the line and column say which word of a plain list it is
    return ".".join(words)


def _placed(root: Node, finding: Finding) -> _Placed:
    """Put a finding of the cross-checks at its line and column."""
    node = find_node(root, finding.path)
    line, column = node.line, node.column
    if finding.key:
        owner = find_node(root, finding.path[:-1])
        line, column = owner.places.get(str(finding.path[-1]), (line, column))
    elif node.kind == "scalar" and node.plain:
        column += node.lead + finding.offset
    return _Placed(line, column, _path_words(root, finding.path), finding.message)


# -- pydantic's faults in plain words --------------------------------------------------------------


def _shape_fault(root: Node, fault: Mapping[str, Any]) -> _Placed:
    path: Path = tuple(p for p in fault["loc"] if p != "[key]")
    kind = fault["type"]
    node = find_node(root, path)
    line, column = node.line, node.column
    if kind == "missing":
        return _missing(root, path)
    if kind == "extra_forbidden":
        owner = find_node(root, path[:-1])
        line, column = owner.places.get(str(path[-1]), (line, column))
        message = _unknown_key(str(path[-1]), permitted_keys(path[:-1]))
    elif kind == "onearm":
        message = fault["msg"]
    elif kind == "literal_error":
        message = _not_permitted(fault["input"], fault["ctx"]["expected"])
    else:
        message = _wrong_kind(kind, fault["input"])
    return _Placed(line, column, _path_words(root, path), message)


def _missing(root: Node, path: Path) -> _Placed:
    owner_path, key = path[:-1], str(path[-1])
    owner = find_node(root, owner_path)
    line, column = owner.line, owner.column
    if owner_path and isinstance(owner_path[-1], str):
        above = find_node(root, owner_path[:-1])
        line, column = above.places.get(owner_path[-1], (line, column))
    message = f"the key '{key}' is missing; it is required here; {_advice(path)}"
    return _Placed(line, column, _path_words(root, owner_path), message)


def _advice(path: Path) -> str:
    key = str(path[-1])
    examples = {"id": "give it a short name without spaces", "label": "write what people will read"}
    return examples.get(key, f"write '{key}:' and its value")


def _unknown_key(key: str, known: Sequence[str]) -> str:
    return f"'{key}' is not a key here; {offer(key, 'keys', known)}; correct it or take it out"


def _not_permitted(found: object, expected: str) -> str:
    values = re.findall(r"'([^']*)'", expected)
    word = found if isinstance(found, str) else ""
    return (
        f"{shown(found)} is not permitted here; {offer(word, 'values', values)}; write one of these"
    )


def _wrong_kind(kind: str, found: object) -> str:
    if kind == "tuple_type":
        return f"{shown(found)} is not a list; a list is expected; write [{_inner(found)}]"
    if kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        todo = "take the dash away" if isinstance(found, list) else "write them"
        return f"{shown(found)} is not a block of keys; keys with values are expected; {todo}"
    return f"{shown(found)} cannot stand here; see docs/study-file.md for this key; correct it"


def _inner(found: object) -> str:
    return shown(found).strip("'") if isinstance(found, str | int | float) else "..."
