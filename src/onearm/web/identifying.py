"""Values that tell who somebody is: shown to those who hold that right, and each look at one is entered."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest

from onearm.conduct import Person, site_of
from onearm.ledger import Entry, Key
from onearm.records import CONDUCT, Records
from onearm.web.access import person_of
from onearm.web.accounts import record_event
from onearm.web.place import place
from onearm.web.words import day_words, in_language

CONCEALED = "•••"


def tells_who(records: Records, key: Key) -> bool:
    """Whether what an entry holds identifies a person, by the study file; a confirmed value too."""
    item, _mark, what = key.item.partition(CONDUCT)
    known = key.kind != "study" and what in ("", "confirmed")
    return known and records.study.identifies(key.form, item)


def concealed(records: Records, person: Person, key: Key) -> bool:
    """Whether this person may not see what an entry holds."""
    if not tells_who(records, key):
        return False
    site = site_of(records, key.kind, key.about)
    return not person.may("see identifying", site, place().today(), key.kind)


def words_for(records: Records, person: Person, entry: Entry) -> str:
    """The words of an entry, for this person; dates in the calendars of the language."""
    if concealed(records, person, entry.key):
        return CONCEALED
    return day_words(entry.value) if _is_day(records, entry) else in_language(entry.words)


def _is_day(records: Records, entry: Entry) -> bool:
    key = entry.key
    if not entry.value or key.form not in {f.id for f in records.study.forms}:
        return False
    return any(
        i.id == key.item and i.type == "date" for i in records.study.form(key.form).all_items
    )


def enter_look(request: HttpRequest, records: Records, entries: Sequence[Entry | None]) -> None:
    """Enter in the ledger that a person was shown identifying values: before the page is sent."""
    person = person_of(request)
    keys = dict.fromkeys(
        e.key
        for e in entries
        if e is not None
        and e.value is not None
        and tells_who(records, e.key)
        and not concealed(records, person, e.key)
    )
    if keys:
        told = "; ".join(
            " ".join(p for p in (k.kind, k.about, k.visit, k.form, k.item) if p) for k in keys
        )
        record_event("read identifying", person.user, request, told)
