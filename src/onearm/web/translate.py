"""Message catalogues without a gettext binary: ``python -m onearm.web.translate`` after a change of words.

It keeps the translations in each ``locale/*/LC_MESSAGES/django.po``, adds what the pages say now, drops what
they no longer say, and writes the ``django.mo`` that Django reads. What is not translated yet is listed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from onearm.sentences import has_words

if TYPE_CHECKING:
    import polib  # type: ignore[import-untyped]

HERE = Path(__file__).parent
CALLS = {"_": (False, False), "noop": (False, False)} | {
    f"{prefix}gettext{suffix}": ("p" in prefix, "n" in prefix)
    for prefix in ("", "n", "p", "np")
    for suffix in ("", "_lazy", "_noop")
}
"""What each function takes beside the message: a context before it, a plural after it."""
SAYING = {"sentence": 0, "_error": 1, "ConductError": 0, "LedgerError": 0, "DateError": 0}
"""What is said below the pages: the calls that take a template, and at which place."""
_CALL = re.compile(r"(?<![\w.])(?:n?p?gettext|_)\(")


class Message(NamedTuple):
    """What is translated: its words, the context that tells it from its double, its plural."""

    msgid: str
    context: str | None = None
    plural: str | None = None


SAID_ANEW = (
    "Are you sure you want to sign out?",
    "Forgot Password?",
    "Forgot your password?",
    "Please type your current password.",
)
"""Words of allauth's pages that its Persian catalogue says as one speaks to a friend; ours goes before it."""


def messages_of(code: str) -> Iterator[Message]:
    """The messages of a Python text; a call without the words themselves stands for some marked elsewhere."""
    for node in ast.walk(ast.parse(code)):
        name = ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
        if not isinstance(node, ast.Call) or name not in CALLS:
            continue
        context, plural = CALLS[name]
        needed = 1 + context + plural
        words = [a.value for a in node.args[:needed] if isinstance(a, ast.Constant)]
        texts = [w for w in words if isinstance(w, str)]
        if len(texts) == needed:
            yield Message(
                texts[int(context)], texts[0] if context else None, texts[-1] if plural else None
            )


def sentences_of(code: str) -> Iterator[Message]:
    """The templates of a Python text from below the pages; those without a word of their own stand as they are."""
    for node in ast.walk(ast.parse(code)):
        name = ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
        if not isinstance(node, ast.Call) or name not in SAYING or len(node.args) <= SAYING[name]:
            continue
        template = node.args[SAYING[name]]
        if not isinstance(template, ast.Constant) or not isinstance(template.value, str):
            continue
        # An error with a plain text is one of a program, not of a page, but for those of conduct.
        said = name in ("sentence", "_error", "ConductError") or node.keywords
        if said and has_words(template.value):
            yield Message(template.value)


def messages_of_template(text: str) -> Iterator[Message]:
    """The messages of a template: Django writes its tags as calls and fills the rest with letters."""
    from django.utils.translation.template import templatize

    told = templatize(text)
    for start in _CALL.finditer(told):
        for end in re.finditer(r"\)", told[start.end() :]):
            call = told[start.start() : start.end() + end.end()]
            try:
                ast.parse(call)
            except SyntaxError:
                continue  # a bracket inside the words
            yield from messages_of(call)
            break


def extract(root: Path = HERE) -> dict[Message, list[str]]:
    """Every message of the pages, and of what lies below them, in order, with the files that say it; last allauth's.

    Raises
    ------
    ValueError
        One message is said both with a plural and without: a catalogue holds only one of the two.
    """
    found: dict[Message, list[str]] = {}
    for path in sorted([*root.glob("templates/**/*.html"), *root.glob("**/*.py")]):
        read = messages_of if path.suffix == ".py" else messages_of_template
        for message in read(path.read_text(encoding="utf-8")):
            files = found.setdefault(message, [])
            name = path.relative_to(root).as_posix()
            if name not in files:
                files.append(name)
    for path in sorted(root.parent.glob("**/*.py")):
        for message in sentences_of(path.read_text(encoding="utf-8")):
            files = found.setdefault(message, [])
            files.append(path.relative_to(root.parent).as_posix())
    for words in SAID_ANEW:
        found.setdefault(Message(words), []).append("allauth")
    ids = [(m.msgid, m.context) for m in found]
    if double := {i for i in ids if ids.count(i) > 1}:
        raise ValueError(
            f"{double} is marked both with a plural and without; expected one way; give one a context"
        )
    return found


def update(catalogue: polib.POFile, found: dict[Message, list[str]]) -> polib.POFile:
    """A catalogue of exactly these messages, with the translations that there were."""
    import polib

    old = {(e.msgid, e.msgctxt): e for e in catalogue if not e.obsolete}
    new = polib.POFile(wrapwidth=100)
    new.metadata, new.header = catalogue.metadata, catalogue.header
    for message, files in found.items():
        was = old.get((message.msgid, message.context))
        entry = polib.POEntry(msgid=message.msgid, msgctxt=message.context)
        entry.occurrences = [(name, "") for name in files]
        if "%(" in message.msgid:
            entry.flags = ["python-format"]
        elif re.search(r"{\w", message.msgid):
            entry.flags = ["python-brace-format"]
        if message.plural is not None:
            entry.msgid_plural = message.plural
            entry.msgstr_plural = dict(was.msgstr_plural if was else {}) or {0: "", 1: ""}
        else:
            entry.msgstr = was.msgstr if was else ""
        if was:
            entry.tcomment = was.tcomment
            entry.flags += ["fuzzy"] * was.fuzzy
        new.append(entry)
    return new


def main() -> int:
    """Bring every catalogue up to date; 1 when something in it is not translated."""
    import polib
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_I18N=True)
    found, missing = extract(), 0
    for path in sorted(HERE.glob("locale/*/LC_MESSAGES/django.po")):
        catalogue = update(polib.pofile(str(path), wrapwidth=100), found)
        catalogue.save(str(path))
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        waiting = [entry.msgid for entry in catalogue if not entry.translated()]
        missing += len(waiting)
        told = f"{path.parts[-3]}: {len(catalogue)} messages, {len(waiting)} not translated"
        sys.stdout.write("\n  ".join([told, *waiting]) + "\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
