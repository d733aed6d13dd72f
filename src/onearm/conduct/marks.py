"""The states of a form, as entries of the ledger: complete, verified, locked, struck out; signatures.

A mark is set and unset by an entry of its own; unsetting needs a reason, as every change does. A
signature holds the hash of exactly what was shown; it is void, visibly, as soon as the form shows
anything else: another value, another label, an item more or less.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from onearm.checks import asked
from onearm.conduct.people import Person
from onearm.errors import ConductError
from onearm.ledger import Draft, Entry, Key
from onearm.records import CONDUCT, FormKey, Records
from onearm.sentences import sentence, term

MARKS = ("complete", "verified", "locked", "struck")
MEANINGS: Mapping[str, str] = {
    "author": "I entered or checked these values",
    "review": "I have reviewed these values",
    "approval": "I approve them",
    "responsibility": "I take responsibility for them as investigator",
}
"""What a signature can mean (21 CFR 11.50: review, approval, responsibility, authorship)."""

AGAIN = "set again"


@dataclass(frozen=True)
class Signature:
    """A signature under a form: what it means, by whom, when, and whether it still covers the form.

    ``at`` is the signer's local time with its zone, ``recorded`` the ledger's time in UTC.
    ``why_void`` is empty while it is valid.
    """

    meaning: str
    user: str
    name: str
    role: str
    at: str
    recorded: str
    seq: int
    why_void: str

    @property
    def valid(self) -> bool:
        """Whether the form still shows exactly what was signed."""
        return not self.why_void


@dataclass(frozen=True)
class FormState:
    """Where a filled-in form stands.

    ``open_items`` are the required items with neither a value nor a reason for its absence.
    """

    key: FormKey
    entered: int
    open_items: tuple[str, ...]
    marks: Mapping[str, Entry]
    signatures: tuple[Signature, ...]

    def has(self, mark: str) -> bool:
        """Whether a mark is set."""
        entry = self.marks.get(mark)
        return entry is not None and entry.value == "yes"

    @property
    def signed(self) -> bool:
        """Whether a valid signature stands under the form."""
        return any(s.valid for s in self.signatures)

    @property
    def void(self) -> tuple[Signature, ...]:
        """Signatures that no longer cover what the form shows."""
        return tuple(s for s in self.signatures if not s.valid)

    @property
    def word(self) -> str:
        """The furthest state: empty, saved, complete, verified, signed, locked, struck out."""
        if self.has("struck"):
            return "struck out"
        if self.has("locked"):
            return "locked"
        if self.signed:
            return "signed"
        for mark in ("verified", "complete"):
            if self.has(mark):
                return mark
        return "saved" if self.entered else "empty"


def mark_key(form: FormKey, mark: str) -> Key:
    """Where a mark or a signature of a form is recorded."""
    return Key(form.kind, form.about, form.form, CONDUCT + mark, form.visit, form.repeat)  # type: ignore[arg-type]


def item_key(form: FormKey, item: str) -> Key:
    """Where an item of a form is recorded."""
    return Key(form.kind, form.about, form.form, item, form.visit, form.repeat)  # type: ignore[arg-type]


def form_state(records: Records, form: FormKey) -> FormState:
    """Where a form stands: its marks, its signatures, what is still open."""
    answers = records.answers(form)
    marks = {m: e for m in MARKS if (e := records.snapshot.get(mark_key(form, m))) is not None}
    open_items = tuple(item.id for item in asked(records, form) if item.id not in answers)
    return FormState(form, len(answers), open_items, marks, signatures(records, form))


def signatures(records: Records, form: FormKey) -> tuple[Signature, ...]:
    """Every signature under a form, valid or void, in the order of their meanings."""
    found = []
    for meaning in MEANINGS:
        entry = records.snapshot.get(mark_key(form, f"signed.{meaning}"))
        if entry is None:
            continue
        told = _read(entry)
        later = _later(records, form, entry)
        why = ""
        if later or told["hash"] != shown_hash(records, form):
            why = _why_void(records, form, entry, later)
        if entry.value is None:
            why = sentence("withdrawn: {reason}", reason=entry.reason)
        found.append(
            Signature(
                meaning, entry.by, told["name"], entry.role, told["at"], entry.at, entry.seq, why
            )
        )
    return tuple(found)


def _read(entry: Entry) -> dict[str, str]:
    try:
        told = json.loads(entry.value or "{}")
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    return {name: str(told.get(name, "")) for name in ("hash", "name", "at")}


def _later(records: Records, form: FormKey, signature: Entry) -> list[str]:
    """Items whose value was changed or redacted after a signature, also where the old one was put back."""
    answers = records.answers(form).values()
    return [e.key.item for e in answers if e.seq > signature.seq or e.redacted]


def _why_void(records: Records, form: FormKey, signature: Entry, later: list[str]) -> str:
    """What changed since: values by their items, the definition of the form, or a score."""
    if later:
        return sentence("{later} changed after it", later=tuple(later))
    if signature.study_hash != records.study.hash:
        return sentence("the form's definition or its score changed with the study file")
    if records.study.form(form.form).instrument is not None:
        return sentence("a score shown with it changed, since values of other forms did")
    return sentence("it does not cover what the form shows")


def shown(records: Records, form: FormKey) -> dict[str, Any]:
    """Exactly what a form shows: its definition, each value in words, its scores."""
    definition, answers = records.study.form(form.form), records.answers(form)
    items = [
        {"item": item.id, **item.model_dump(mode="json"), "shown": _told(answers.get(item.id))}
        for item in definition.all_items
    ]
    scored = definition.instrument is not None and answers and form not in records.struck
    scores = (
        {name: str(bounds) for name, bounds in records.score(form).bounds.items()} if scored else {}
    )
    place = [form.kind, form.about, form.visit, form.form, form.repeat]
    return {"place": place, "label": definition.label, "items": items, "scores": scores}


def _told(entry: Entry | None) -> list[Any]:
    """A value so that no text passes for another: value, unit, why missing, whether redacted."""
    return [] if entry is None else [entry.value, entry.unit, entry.missing, entry.redacted]


def shown_hash(records: Records, form: FormKey) -> str:
    """SHA-256 of what a form shows, over JSON with sorted keys and without blanks, in UTF-8."""
    return _digest(
        json.dumps(shown(records, form), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    )


@cache
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def draft_mark(
    records: Records,
    form: FormKey,
    mark: str,
    on: bool,
    reason: str = "",
    seen_hash: str | None = None,
) -> Draft:
    """A mark to be set or unset.

    Parameters
    ----------
    seen_hash
        :func:`shown_hash` as the page had it: a form is verified only as it was seen. None where no
        page was shown.

    Raises
    ------
    ConductError
        The mark stands so already, was never set, cannot be set yet, or is unset without a reason; the
        form to be verified changed since it was seen; a form of a planned visit is to be struck out.
    """
    state = form_state(records, form)
    place = sentence(
        "form {form} of {kind} {about}", form=form.form, kind=term(form.kind), about=form.about
    )
    if on and state.has(mark):
        raise ConductError(
            "{place}: is already {mark}; nothing to do; look at it again",
            place=place,
            mark=term(mark),
        )
    if not on and not state.has(mark):
        raise ConductError(
            "{place}: is not {mark}; nothing to do; look at it again", place=place, mark=term(mark)
        )
    if mark != "locked" and state.has("locked"):
        raise ConductError(
            "{place}: is locked; its other states stay as they are; unlock it first", place=place
        )
    if on and mark in ("complete", "verified") and state.has("struck"):
        raise ConductError(
            "{place}: is struck out; nothing is marked on it; take the striking back first",
            place=place,
        )
    if on:
        _refuse_early(state, mark, place)
    if on and mark == "verified" and seen_hash not in (None, shown_hash(records, form)):
        raise ConductError(
            "{place}: changed since you opened it; what is compared with the source is exactly what was "
            "shown; look at it again",
            place=place,
        )
    if on and mark == "struck" and form.visit:
        raise ConductError(
            "{place}: belongs to a planned visit; only a row that repeats or a form without a visit is "
            "struck out; correct its values",
            place=place,
        )
    if on and mark == "struck" and not reason.strip():
        raise ConductError(
            "{place}: a row is struck out with a reason; say why in words", place=place
        )
    if not on and not reason.strip():
        raise ConductError(
            "{place}: {mark} is taken back only with a reason; say why in words",
            place=place,
            mark=term(mark),
        )
    again = AGAIN if mark in state.marks else ""
    return Draft(mark_key(form, mark), "yes" if on else "no", reason=reason.strip() or again)


def _refuse_early(state: FormState, mark: str, place: str) -> None:
    if not state.entered:
        raise ConductError(
            "{place}: nothing is recorded on it, so it cannot be {mark}; enter it",
            place=place,
            mark=term(mark),
        )
    if mark == "complete" and state.open_items:
        raise ConductError(
            "{place}: {open_items} not answered; expected a value or a reason why there is "
            "none; answer them",
            place=place,
            open_items=tuple(state.open_items),
        )
    if mark == "verified" and not state.has("complete"):
        raise ConductError(
            "{place}: is not complete; only a complete form is verified; complete it first",
            place=place,
        )


def draft_signature(
    records: Records, form: FormKey, meaning: str, person: Person, at: str, seen_hash: str
) -> Draft:
    """A signature under exactly what was shown.

    Parameters
    ----------
    at
        The signer's local time with its zone, ISO 8601.
    seen_hash
        :func:`shown_hash` as the page had it; another one by now means that something changed.

    Raises
    ------
    ConductError
        An unknown meaning, an incomplete form, something else shown than seen, a signature that stands, or
        one person for two signatures where the study file wants two people.
    """
    place = sentence(
        "form {form} of {kind} {about}", form=form.form, kind=term(form.kind), about=form.about
    )
    state = form_state(records, form)
    now = shown_hash(records, form)
    if meaning not in MEANINGS:
        raise ConductError(
            "{place}: '{meaning}' is no meaning of a signature; they are {meanings}; choose one",
            place=place,
            meaning=meaning,
            meanings=tuple(map(term, MEANINGS)),
        )
    if seen_hash != now:
        raise ConductError(
            "{place}: changed since you opened it; a signature covers exactly what was shown; "
            "look at it again",
            place=place,
        )
    if state.has("locked"):
        raise ConductError(
            "{place}: is locked; its other states stay as they are; unlock it first", place=place
        )
    if state.has("struck"):
        raise ConductError(
            "{place}: is struck out; nothing is signed on it; take the striking back first",
            place=place,
        )
    if not state.has("complete"):
        raise ConductError(
            "{place}: is not complete; only a complete form is signed; complete it first",
            place=place,
        )
    if state.open_items:
        raise ConductError(
            "{place}: {open_items} not answered since it was completed; answer them first",
            place=place,
            open_items=tuple(state.open_items),
        )
    for signature in state.signatures:
        if signature.valid and signature.meaning == meaning:
            raise ConductError(
                "{place}: {name} has signed this already; nothing to do",
                place=place,
                name=signature.name,
            )
        if signature.valid and signature.user == person.user and two_people(records, form):
            raise ConductError(
                "{place}: you signed it as {meaning}; the study file wants two different people; "
                "ask another person",
                place=place,
                meaning=term(signature.meaning),
            )
    value = json.dumps({"hash": now, "name": person.name, "at": at}, ensure_ascii=False)
    key = mark_key(form, f"signed.{meaning}")
    again = records.snapshot.get(key) is not None
    return Draft(key, value, reason="signed again" if again else f"signature: {meaning}")


def two_people(records: Records, form: FormKey) -> bool:
    """Whether the study file asks for signatures by two different people under this form."""
    return len(records.study.form(form.form).sign) > 1


def awaiting_signature(records: Records) -> tuple[FormKey, ...]:
    """Filled-in forms that wait for a signature: wanted by the study file, or voided."""
    return tuple(
        key
        for form in records.study.forms
        for key in records.instances(form.id)
        if unsigned(records, key) or form_state(records, key).void
    )


def unsigned(records: Records, form: FormKey) -> tuple[str, ...]:
    """The signatures that the study file asks for under this form and that do not validly stand."""
    wanted = records.study.form(form.form).sign
    valid = {s.meaning for s in signatures(records, form) if s.valid}
    return tuple(meaning for meaning in wanted if meaning not in valid)
