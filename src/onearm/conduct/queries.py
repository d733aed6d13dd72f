"""Queries at a field: opened, answered and closed, each word an entry of the ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from onearm.errors import ConductError
from onearm.ledger import Draft, Entry, Key
from onearm.records import CONDUCT, FormKey, Records, form_key
from onearm.sentences import sentence, term

State = Literal["open", "answered", "closed"]

_QUERY = re.compile(rf"(.+){CONDUCT}query([1-9][0-9]*)")


@dataclass(frozen=True)
class Query:
    """A question about one item: its number there, its state, its latest words.

    The history of ``key`` in the ledger is the whole thread: each entry's ``reason`` holds the words.
    """

    key: Key
    form: FormKey
    item: str
    number: int
    state: str
    last: Entry

    @property
    def words(self) -> str:
        """What was said last."""
        return self.last.reason


def queries(records: Records, form: FormKey | None = None) -> tuple[Query, ...]:
    """Every query, or those of one form, in the order of their last word."""
    found = []
    for entry in records.snapshot.entries:
        match = _QUERY.fullmatch(entry.key.item) if CONDUCT in entry.key.item else None
        if match is None or (form is not None and form_key(entry.key) != form):
            continue
        state = entry.value or "closed"
        found.append(Query(entry.key, form_key(entry.key), match[1], int(match[2]), state, entry))
    return tuple(found)


def draft_query(records: Records, item: Key, words: str) -> Draft:
    """A query to be opened at an item."""
    _refuse_blank(words, sentence("a query asks something"))
    if not records.snapshot.about(item.kind, item.about):
        raise ConductError(
            "{kind} {about}: nothing is recorded about it; a query is about what is; look at "
            "it again",
            kind=term(item.kind),
            about=item.about,
        )
    numbers = [q.number for q in queries(records, form_key(item)) if q.item == item.item]
    number = max(numbers, default=0) + 1
    key = Key(
        item.kind,
        item.about,
        item.form,
        f"{item.item}{CONDUCT}query{number}",
        item.visit,
        item.repeat,
    )
    return Draft(key, "open", reason=words.strip())


def draft_reply(records: Records, key: Key, state: State, words: str) -> Draft:
    """A query to be answered, closed, or opened again, with what is said to it.

    Raises
    ------
    ConductError
        There is no such query, it stands so already, or nothing is said.
    """
    now = records.snapshot.get(key)
    if state not in get_args(State):
        raise ConductError(
            "query: '{state}' is no state of a query; they are {states}; choose one",
            state=state,
            states=tuple(map(term, get_args(State))),
        )
    if not _QUERY.fullmatch(key.item) or now is None or now.value is None:
        raise ConductError("{key}: there is no such query; look at the form again", key=key.words)
    if now.value == state:
        raise ConductError(
            "{key}: is {state} already; look at the form again", key=key.words, state=term(state)
        )
    _refuse_blank(words, sentence("an answer, and a closing too, says something"))
    return Draft(key, state, reason=words.strip())


def _refuse_blank(words: str, expected: str) -> None:
    if not words.strip():
        raise ConductError(
            "query: the words are blank; {expected}; write a sentence", expected=expected
        )
