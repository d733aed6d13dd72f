"""A page's answers as drafts for the ledger: what is new or changed, with its reason.

Boxes are named by the item: ``v-X`` the value, ``m-X`` why there is none, ``seen-X`` the number of the entry
that was shown, ``c-X`` and ``t-X`` why a saved value is changed, ``ok-X`` and ``w-X`` that an implausible
value is right; ``c-all`` and ``t-all`` speak for every change without a reason of its own. ``choose-X`` is
the answer of the page on which two people's entries are merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from onearm.checks import check_drafts
from onearm.conduct import draft_hidden, item_key, preview
from onearm.errors import OnearmError, Problem, words_of
from onearm.ledger import Draft, Key
from onearm.records import CONDUCT, FormKey, Records
from onearm.sentences import sentence
from onearm.study import Item
from onearm.web.calendars import read_date
from onearm.web.reading import read_number, read_text

OTHER = "other reason"


@dataclass(frozen=True)
class Page:
    """What a page wants recorded: drafts, the entries it had seen, problems by item.

    ``confirmations`` are the implausible values that somebody says are right.
    """

    drafts: tuple[Draft, ...]
    seen: Mapping[Key, int]
    problems: Mapping[str, tuple[Problem, ...]]
    confirmations: tuple[Draft, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether something keeps the whole page from being recorded."""
        return any(p.severity == "error" for found in self.problems.values() for p in found)


def read_page(records: Records, form: FormKey, posted: Mapping[str, str], today: date) -> Page:
    """Everything that a page asks to record, checked; nothing is recorded here."""
    drafts, seen, faults = [], {}, {}
    for item in records.study.form(form.form).all_items:
        if posted.get(f"choose-{item.id}") == "now":
            continue
        draft, fault = _read_item(records, form, item, posted)
        if fault is not None:
            faults[item.id] = [fault]
        if draft is not None:
            drafts.append(draft)
            seen[draft.key] = _whole(posted.get(f"seen-{item.id}", ""))
    drafts, followed = _with_hidden(records, form, drafts)
    for problem in check_drafts(
        records.study, drafts, records.snapshot, today=today, where=[d.key.item for d in drafts]
    ):
        faults.setdefault(problem.where, []).append(problem)
    confirmations = _confirmed(form, drafts, records, posted)
    problems = {item: tuple(found) for item, found in faults.items()}
    # what follows by itself rests on what was shown of it, where the page showed it
    kept = {k: n for k, n in seen.items() if k not in followed}
    kept |= {k: _whole(posted[f"seen-{k.item}"]) for k in followed if f"seen-{k.item}" in posted}
    return Page(tuple(drafts), kept, problems, confirmations)


def _read_item(
    records: Records, form: FormKey, item: Item, posted: Mapping[str, str]
) -> tuple[Draft | None, Problem | None]:
    """The draft that one item's boxes make, or what is wrong with them."""
    key = item_key(form, item.id)
    saved = records.snapshot.get(key)
    typed, missing = posted.get(f"v-{item.id}", ""), posted.get(f"m-{item.id}", "")
    try:
        text = read_answer(item, typed)
    except OnearmError as error:
        return None, Problem("value.read", words_of(error))
    if not text and not missing:
        if saved is None or f"v-{item.id}" not in posted:
            return None, None
        told = sentence(
            "'{words}' is recorded and the box is empty; a recorded value is replaced, or its absence "
            "explained; write a value, or choose why there is none",
            words=saved.words,
        )
        return None, Problem("value.emptied", told)
    unit = item.unit if text else ""
    if saved is not None and (saved.value or "", saved.unit, saved.missing) == (
        text,
        unit,
        missing,
    ):
        return None, None
    reason = reason_of(posted, item.id) if saved is not None else ""
    return Draft(key, text or None, unit, missing, reason), None  # type: ignore[arg-type]


def read_answer(item: Item, typed: str) -> str:
    """What was typed as the ledger keeps it: Latin digits, an ISO date, trimmed text.

    Raises
    ------
    DateError
        A date that cannot be read in either calendar.
    """
    if not typed.strip():
        return ""
    if item.type in ("quantity", "integer"):
        return read_number(typed)
    if item.type == "date":
        return read_date(typed)
    return read_text(typed)


def reason_of(posted: Mapping[str, str], item: str) -> str:
    """Why a saved value is changed: its own reason, else the one given for all shown changes."""
    for name in (item, "all"):
        code = posted.get(f"c-{name}", "").strip()
        words = posted.get(f"t-{name}", "").strip()
        parts = [part for part in ("" if code == OTHER else code, words) if part]
        if parts:
            return ": ".join(parts)
    return ""


def _with_hidden(
    records: Records, form: FormKey, drafts: list[Draft]
) -> tuple[list[Draft], set[Key]]:
    """The drafts, and for every item that they hide: not applicable, by an entry of its own."""
    hidden = {d.key: d for d in draft_hidden(preview(records, drafts), form)}
    whole = [d for d in drafts if d.key not in hidden]
    whole += [
        d if records.snapshot.get(k) is not None else replace(d, reason="")
        for k, d in hidden.items()
    ]
    return whole, set(hidden)


def _confirmed(
    form: FormKey, drafts: list[Draft], records: Records, posted: Mapping[str, str]
) -> tuple[Draft, ...]:
    """Implausible values that somebody says are right, with the reason."""
    values = {d.key.item: d.value for d in drafts}
    found = []
    for item in records.study.form(form.form).items:
        if posted.get(f"ok-{item.id}") != "yes":
            continue
        saved = records.snapshot.get(item_key(form, item.id))
        value = values.get(item.id) or (saved.value if saved else None)
        words = posted.get(f"w-{item.id}", "").strip()
        if value:
            key = item_key(form, f"{item.id}{CONDUCT}confirmed")
            found.append(Draft(key, value, reason=words or "the value is right"))
    return tuple(found)


def _whole(text: str) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
