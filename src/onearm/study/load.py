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
from onearm.study.model import Study, shown
from onearm.study.source import Flaw, Node, Path, decode, read_tree
from onearm.study.wording import offer


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
    study, shape = _shaped(root, [flaw.path for flaw in flaws])
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


def _shaped(root: Node, flawed: Sequence[Path]) -> tuple[Study | None, list[_Placed]]:
    """Validate the tree; with faults in it, leave the faulty parts out and check the rest.

    What could be checked only because a part was left out is not reported: the part's own fault
    is enough.
    """
    faults: list[_Placed] = []
    cut: list[Path] = []
    lost: set[str] = set()
    for path in flawed:
        _cut(root, path, cut, lost)
    for attempt in range(12):
        try:
            study = Study.model_validate(root.data())
        except ValidationError as error:
            found = error.errors(include_url=False)
            if attempt == 0:
                faults += [_shape_fault(root, fault) for fault in found if not _felled(fault, cut)]
            # Later parts of a list first, so that earlier ones keep their places while cutting.
            for path in sorted((_to_cut(fault) for fault in found), key=_by_place, reverse=True):
                if not path:
                    return None, faults
                _cut(root, path, cut, lost)
            continue
        findings = check_study(study)
        faults += [
            _placed(root, finding) for finding in findings if not _caused(root, finding, cut, lost)
        ]
        return (study if not faults and not cut else None), faults
    return None, faults


def _by_place(path: Path) -> tuple[tuple[int, int | str], ...]:
    return tuple((0, p) if isinstance(p, int) else (1, p) for p in path)


def _felled(fault: Mapping[str, Any], cut: Sequence[Path]) -> bool:
    """Tell whether a key is missing only because its flawed value was taken out."""
    return fault["type"] == "missing" and tuple(fault["loc"]) in cut


def _to_cut(fault: Mapping[str, Any]) -> Path:
    path = tuple(fault["loc"])
    return path[:-1] if fault["type"] == "missing" else path


def _cut(root: Node, path: Path, cut: list[Path], lost: set[str]) -> None:
    """Take a node out of the tree, remembering its written place and every word in it."""
    if not path:
        return
    parent = _node(root, path[:-1])
    key = path[-1]
    original = _original(root, path)
    gone: Node | None = None
    if parent.kind == "map" and isinstance(key, str):
        gone = parent.keys.pop(key, None)
    elif parent.kind == "list" and isinstance(key, int) and key < len(parent.items):
        gone = parent.items.pop(key)
    if gone is not None:
        cut.append(original)
        lost.update(gone.scalars())


def _caused(root: Node, finding: Finding, cut: Sequence[Path], lost: set[str]) -> bool:
    if not cut:
        return False
    path = _original(root, finding.path)
    near = any(path == gone[: len(path)] and len(gone) <= len(path) + 1 for gone in cut)
    inside = any(gone == path[: len(gone)] for gone in cut)
    return near or inside or finding.about in lost


# -- places ----------------------------------------------------------------------------------------


def _node(root: Node, path: Sequence[str | int]) -> Node:
    """Find the node at a path, or the last one on the way to it."""
    node = root
    for step in path:
        if isinstance(step, int) and node.kind == "list" and step < len(node.items):
            node = node.items[step]
        elif isinstance(step, str) and node.kind == "map" and step in node.keys:
            node = node.keys[step]
        else:
            break
    return node


def _original(root: Node, path: Path) -> Path:
    """Give the path with the places in lists as written, whatever was cut since."""
    steps: list[str | int] = []
    for n, step in enumerate(path):
        node = _node(root, path[: n + 1])
        known = isinstance(step, int) and node is not _node(root, path[:n])
        steps.append(node.index if known else step)
    return tuple(steps)


def _path_words(root: Node, path: Path) -> str:
    """``schedule.visits.2 (M3).forms``: the path, with the id of each entry of a list."""
    words = []
    for n, step in enumerate(path):
        node = _node(root, path[: n + 1])
        if not isinstance(step, int):
            words.append(str(step))
            continue
        at = node.index if node is not _node(root, path[:n]) else step
        name = node.keys.get("id") if node.kind == "map" else None
        written = getattr(name.value, "raw", name.value) if name else None
        words.append(f"{at} ({written})" if isinstance(written, str) else str(at))
    if path and isinstance(path[-1], int) and _node(root, path).kind == "scalar":
        words.pop()  # the line and column say which word of a plain list it is
    return ".".join(words)


def _placed(root: Node, finding: Finding) -> _Placed:
    """Put a finding of the cross-checks at its line and column."""
    node = _node(root, finding.path)
    line, column = node.line, node.column
    if finding.key:
        owner = _node(root, finding.path[:-1])
        line, column = owner.places.get(str(finding.path[-1]), (line, column))
    elif node.kind == "scalar" and node.plain:
        column += node.lead + finding.offset
    return _Placed(line, column, _path_words(root, finding.path), finding.message)


# -- pydantic's faults in plain words --------------------------------------------------------------


def _shape_fault(root: Node, fault: Mapping[str, Any]) -> _Placed:
    path: Path = tuple(p for p in fault["loc"] if p != "[key]")
    kind = fault["type"]
    node = _node(root, path)
    line, column = node.line, node.column
    if kind == "missing":
        return _missing(root, path)
    if kind == "extra_forbidden":
        owner = _node(root, path[:-1])
        line, column = owner.places.get(str(path[-1]), (line, column))
        message = _unknown_key(str(path[-1]), _fields(path[:-1]))
    elif kind == "onearm":
        message = fault["msg"]
    elif kind == "literal_error":
        message = _not_permitted(fault["input"], fault["ctx"]["expected"])
    else:
        message = _wrong_kind(kind, fault["input"])
    return _Placed(line, column, _path_words(root, path), message)


def _missing(root: Node, path: Path) -> _Placed:
    owner_path, key = path[:-1], str(path[-1])
    owner = _node(root, owner_path)
    line, column = owner.line, owner.column
    if owner_path and isinstance(owner_path[-1], str):
        above = _node(root, owner_path[:-1])
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
        return f"{shown(found)} is not a block of keys; keys with values are expected; write them"
    return f"{shown(found)} cannot stand here; see docs/study-file.md for this key; correct it"


def _inner(found: object) -> str:
    return shown(found).strip("'") if isinstance(found, str | int | float) else "..."


def _fields(path: Path) -> tuple[str, ...]:
    """List the keys permitted at a path, by walking the model's own annotations."""
    model: Any = Study
    for step in path:
        if isinstance(step, str):
            fields = {f.alias or n: f for n, f in model.model_fields.items()}
            model = _part_of(fields[step].annotation) if step in fields else None
        if model is None:
            return ()
    return tuple(f.alias or n for n, f in model.model_fields.items())


def _part_of(annotation: Any) -> Any:
    """Find the model in an annotation: ``tuple[Visit, ...]``, ``Registration | None``."""
    if hasattr(annotation, "model_fields"):
        return annotation
    inside = (_part_of(a) for a in getattr(annotation, "__args__", ()))
    return next((part for part in inside if part is not None), None)
