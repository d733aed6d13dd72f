"""Sentences that remember how they were made, so that another language can say them again.

What is said below the pages (a fault in a value, a refused act, a deviation) is an English text; it goes
to reports and files as it is. The pages say it in their own language from its template and its parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


class Sentence(str):
    """An English text with the template and the parts that it was made of.

    It is equal to the text itself. Joining or slicing gives a plain text, which stays English.

    Attributes
    ----------
    template
        The words with the parts' names in braces, as of ``str.format``.
    parts
        What stands in the braces; a tuple is a list of things. A part that is a Sentence is said in the
        other language too, a plain text (an id, a value as typed) stands as it is.
    """

    template: str
    parts: dict[str, Any]


def sentence(template: str, **parts: Any) -> Sentence:
    """An English text from its template; the template is what translators see, so it is written out here."""
    shown = {n: ", ".join(p) if isinstance(p, tuple) else p for n, p in parts.items()}
    made = Sentence(template.format(**shown))
    made.template, made.parts = template, parts
    return made


def has_words(template: str) -> bool:
    """Whether a template says something between its parts; else no language says it otherwise."""
    return re.search("[a-z]{2}", re.sub("{[^}]*}", "", template)) is not None


def joined(between: str, sentences: Sequence[str]) -> Sentence:
    """Sentences one after the other, with what stands between them."""
    names = [f"part{n}" for n, _ in enumerate(sentences)]
    template = between.join(f"{{{name}}}" for name in names)
    return sentence(template, **dict(zip(names, sentences, strict=True)))


def term(word: str) -> Sentence:
    """A word of a closed list (a state, a role, a kind), which is itself what translators see."""
    made = Sentence(word)
    made.template, made.parts = word, {}
    return made
