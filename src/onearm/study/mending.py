"""Going on after a fault: what is wrong is replaced, so that the rest of the file is still checked.

A study file with one wrong value should not hide its other faults. A wrong value gives way to its
default or to a stand-in of the right kind; what is then said about it, or about what was lost with
it, is not reported, because the first fault is reason enough.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin

from onearm.study.checking import Finding
from onearm.study.model import Part, Study
from onearm.study.source import Node, Path

STAND_IN = "Stand_in_0"
"""A text that no study file has: findings that speak of it come from a repair."""


@dataclass
class Mending:
    """A tree under repair, and what was replaced in it.

    Attributes
    ----------
    root
        The tree; changed in place.
    replaced
        Paths of what was replaced, or of the nearest list entry around it.
    lost
        Words that went with it: ids around it and every text inside it.
    deep
        False once a whole section is gone: then no reference can be judged.
    """

    root: Node
    replaced: list[Path] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    deep: bool = True

    def take_out(self, path: Path) -> None:
        """Take a key with its value out; whoever needs it will miss it and get a stand-in."""
        self._note(path)
        find_node(self.root, path[:-1]).keys.pop(str(path[-1]), None)

    def mend(self, fault: Mapping[str, Any], word: str) -> None:
        """Repair what one fault of the shape is about.

        Parameters
        ----------
        fault
            As pydantic tells it.
        word
            Stands in for a text: not every text may be any word, so another is tried next time.
        """
        path: Path = tuple(fault["loc"])
        if fault["type"] == "extra_forbidden" or _has_default(path):
            self.take_out(path)
            return
        self._note(path)
        self.deep = self.deep and len(path) > 1
        parent = find_node(self.root, path[:-1])
        used = {node.value for node in parent.items}
        value = _node_of(_stand_in(_annotation(path), word, used), parent)
        step = path[-1]
        if isinstance(step, int) and step < len(parent.items):
            parent.items[step] = value
        elif isinstance(step, str):
            parent.keys[step] = value

    def _note(self, path: Path) -> None:
        entry = max((n for n, step in enumerate(path) if isinstance(step, int)), default=-1)
        around = path[: entry + 1]
        self.replaced.append(path)
        gone = find_node(self.root, path) if exists(self.root, path) else None
        if gone is not None:
            self.lost.update(gone.scalars())
        if around:
            self.replaced.append(around)
            self.lost.update(_ids(find_node(self.root, around)))

    def caused(self, finding: Finding) -> bool:
        """Tell whether a finding comes from a repair and not from the file."""
        path = finding.path
        inside = any(path[: len(r)] == r for r in self.replaced)
        around = any(r[: len(path)] == path and len(r) <= len(path) + 1 for r in self.replaced)
        owner = finding.key or path[-1:] == ("id",)
        above = owner and any(r[: len(path) - 1] == path[:-1] for r in self.replaced)
        words = {finding.about, finding.about.partition(".")[0]} - {""}
        named = any(finding.about.startswith(f"{word}.") for word in self.lost)
        invented = STAND_IN in finding.message
        return inside or around or above or named or invented or bool(words & self.lost)


def find_node(root: Node, path: Path) -> Node:
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


def exists(root: Node, path: Path) -> bool:
    """Tell whether something stands at a path."""
    parent = find_node(root, path[:-1])
    return find_node(root, path) is not parent if path else True


def permitted_keys(path: Path) -> tuple[str, ...]:
    """List the keys permitted at a path, by walking the model's own annotations."""
    model = _model_in(_annotation(path)) if path else Study
    if model is None:
        return ()
    return tuple(f.alias or name for name, f in model.model_fields.items())


def _ids(node: Node) -> set[str]:
    """Every id in a piece of the file."""
    found = {str(node.keys["id"].value)} if "id" in node.keys else set()
    for inner in (*node.keys.values(), *node.items):
        found |= _ids(inner)
    return found


def _node_of(data: Any, near: Node) -> Node:
    node = Node(near.line, near.column, "scalar")
    if isinstance(data, dict):
        node.kind = "map"
        node.keys = {key: _node_of(value, near) for key, value in data.items()}
    elif isinstance(data, list):
        node.kind = "list"
        node.items = [_node_of(value, near) for value in data]
    else:
        node.value = data
    return node


# -- what belongs where, by the model's annotations -----------------------------------------------


def _field(path: Path) -> Any:
    """The model's field at a path; None inside lists and maps."""
    if not path or isinstance(path[-1], int):
        return None
    model = Study if len(path) == 1 else _model_in(_annotation(path[:-1]))
    fields = model.model_fields if model else {}
    return next((f for n, f in fields.items() if (f.alias or n) == path[-1]), None)


def _has_default(path: Path) -> bool:
    found = _field(path)
    return found is not None and not found.is_required()


def _annotation(path: Path) -> Any:
    """The type at a path; None where the model has nothing."""
    found: Any = Study
    for step in path:
        if isinstance(step, int):
            args = get_args(_bare(found))
            found = args[0] if args and args[-1] is Ellipsis else (args + (None,) * 9)[step]
            continue
        model = _model_in(found)
        if model is None:
            args = get_args(_bare(found))
            found = args[1] if len(args) == 2 else None
            continue
        fields = {f.alias or n: f for n, f in model.model_fields.items()}
        found = fields[step].annotation if step in fields else None
    return found


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _model_in(annotation: Any) -> type[Part] | None:
    """The model in an annotation such as ``Visit`` or ``Registration | None``."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    if get_origin(annotation) in (tuple, None):
        return None
    return next((m for m in map(_model_in, get_args(annotation)) if m), None)


def _stand_in(annotation: Any, word: str, used: Container[Any] = ()) -> Any:
    """Choose a value of the right kind that means nothing; of permitted words an unused one."""
    annotation = _bare(annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    model = _model_in(annotation)
    if model is not None:
        fields = model.model_fields.items()
        required = {f.alias or n: f for n, f in fields if f.is_required()}
        return {key: _stand_in(f.annotation, word) for key, f in required.items()}
    if origin is Literal:
        return next((arg for arg in args if arg not in used), args[0])
    if origin is tuple:
        return [] if args[-1] is Ellipsis else [_stand_in(arg, word) for arg in args]
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {word: word}
    return {bool: False, int: 1, float: 0.5}.get(annotation, word)
