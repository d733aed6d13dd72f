"""The records of the ledger: what is to be written, what was written, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from onearm.errors import LedgerError
from onearm.ledger.chain import GENESIS
from onearm.sentences import Sentence, joined, sentence, term

Kind = Literal["subject", "donor", "lot", "study"]
Missing = Literal["", "not done", "not applicable", "unknown", "not asked"]
DamageKind = Literal["edit", "deletion", "reorder", "insertion", "guard", "file", "anchor"]

KINDS = ("subject", "donor", "lot", "study")
MISSING = ("not done", "not applicable", "unknown", "not asked")
MAX_REPEAT = 2**53 - 1  # the largest whole number every JSON reader keeps
LISTED = 20  # faults of one batch named one by one

_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Key:
    """What an entry is about: one item of one form of one subject, donor, lot or the study.

    Attributes
    ----------
    kind
        ``"subject"``, ``"donor"``, ``"lot"`` or ``"study"``.
    about
        The identifier of that subject, donor or lot; for the study any text, or none.
    form, item
        Ids of the study file; only study-level entries may leave them blank.
    visit
        Id of the visit, ``""`` for what belongs to no visit.
    repeat
        1, 2, 3, ... for forms that repeat (adverse events, infusions); 1 elsewhere.
    """

    kind: Kind
    about: str
    form: str
    item: str
    visit: str = ""
    repeat: int = 1

    @property
    def words(self) -> Sentence:
        """The place as a person names it."""
        about = sentence("{kind} {about}", kind=term(self.kind), about=self.about)
        words = [about if self.about else term(self.kind)]
        words += [sentence("visit {visit}", visit=self.visit)] if self.visit else []
        words += [sentence("form {form}", form=self.form)] if self.form else []
        words += [sentence("item {item}", item=self.item)] if self.item else []
        words += [sentence("repeat {repeat}", repeat=self.repeat)] if self.repeat != 1 else []
        return joined(", ", words)

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, slots=True)
class Draft:
    """A value, or the reason that there is none, on its way into the ledger.

    Attributes
    ----------
    key
        Where it belongs.
    value
        The text as written; None when ``missing`` says why there is none. Exactly one of both is
        given.
    unit
        UCUM, kept beside the value and never converted here; ``""`` for values without a unit.
    missing
        ``"not done"``, ``"not applicable"``, ``"unknown"`` or ``"not asked"``.
    reason
        Why an earlier entry of the same key is changed; needed then, free otherwise.
    """

    key: Key
    value: str | None
    unit: str = ""
    missing: Missing = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger: what, who, when, why, and its link in the chain.

    Attributes
    ----------
    seq
        1, 2, 3, ... without gaps over the whole ledger.
    key, value, unit, missing, reason
        As in :class:`Draft`.
    by, role, site
        Who recorded it, in which role, where.
    at
        ISO 8601, UTC, microseconds, from the machine: ``2026-11-22T09:30:00.000000Z``. Equal within
        one save.
    study_hash, software
        The study file and the program in force.
    redacts
        The number of the entry whose value this entry removed; None for all others.
    value_digest
        Commitment to the value (see ``docs/ledger.md``); ``""`` where there never was one.
    prev_hash, hash
        SHA-256 in hex; ``prev_hash`` is the hash of entry ``seq - 1``.
    """

    seq: int
    key: Key
    value: str | None
    unit: str
    missing: Missing
    by: str
    role: str
    site: str
    at: str
    reason: str
    study_hash: str
    software: str
    redacts: int | None
    value_digest: str
    prev_hash: str
    hash: str

    @property
    def redacted(self) -> bool:
        """True when a value stood here and was removed by a redaction; ``value`` is then None."""
        return self.value is None and self.value_digest != ""

    @property
    def words(self) -> str:
        """What stands here, for people: ``1.8 g/(24.h)``, ``missing (not done)``, ``redacted``."""
        if self.redacts is not None:
            return sentence("redaction of entry {seq}", seq=self.redacts)
        if self.redacted:
            return term("redacted")
        if self.value is None:
            return sentence("missing ({why})", why=term(self.missing))
        return f"{self.value} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number and hash: noted outside the ledger, it anchors all before it.

    The text form is ``seq:hash``; the head of an empty ledger is number 0 with 64 zeros.
    """

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read ``seq:hash`` as printed on reports; raises LedgerError for anything else."""
        match = re.fullmatch(r"(0|[1-9][0-9]{0,15}):([0-9a-f]{64})", text.strip())
        if match is None:
            raise LedgerError(
                f"anchor: '{text}' is not the head of a ledger; a head is the number of an entry, "
                "a colon and 64 hexadecimal digits in lower case; copy it from the report or the "
                "message it was printed on"
            )
        return cls(int(match[1]), match[2])


EMPTY = Head(0, GENESIS)


def to_entry(row: Sequence[Any]) -> Entry:
    """Make an Entry of a row of the table, its cells in the order of ``chain.COLUMNS``."""
    seq, kind, about, visit, form, item, repeat, value, _salt, digest = row[:10]
    unit, missing, by, role, site, at, reason, study_hash, software, redacts = row[10:20]
    key = Key(kind, about, form, item, visit, repeat)
    who = (by, role, site, at, reason, study_hash, software)
    return Entry(seq, key, value, unit, missing, *who, redacts, digest, row[20], row[21])


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that ``Ledger.verify`` found wrong.

    Attributes
    ----------
    seq
        The number of the first entry concerned; 0 when no entry is (guards, the file as a whole).
    kind
        ``edit`` a stored cell or the witness was changed; ``deletion`` entries are gone;
        ``reorder`` entries stand under another number than they were recorded; ``insertion`` rows
        do not belong; ``guard`` triggers or schema were altered; ``file`` the database cannot be
        read in full; ``anchor`` the given head is not in the chain.
    message
        What was found, in words.
    """

    seq: int
    kind: DamageKind
    message: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who records, in which role and where, under which study file."""

    by: str
    role: str
    site: str
    study_hash: str


def text_fault(text: object) -> str:
    """Why a text cannot be kept, in words; ``""`` when it can."""
    if not isinstance(text, str):
        return sentence("is {name}, not text", name=type(text).__name__)
    if "\x00" in text:
        return sentence("holds a NUL character, which no text of a record contains")
    if _HALF.search(text):
        return sentence("holds half of a character (a lone surrogate), which UTF-8 cannot keep")
    return ""


def name_fault(text: object, blank: bool = False) -> str:
    """Why a text cannot name a person, a subject, a form ..., in words; ``""`` when it can."""
    fault = text_fault(text)
    if fault:
        return fault
    assert isinstance(text, str)
    if not text.strip():
        return "" if blank and text == "" else sentence("is blank")
    if text != text.strip():
        return sentence("begins or ends with a space, so it would pass for another name")
    if _CONTROL.search(text):
        return sentence("holds a control character or a line break")
    return ""


def check_author(author: Author) -> None:
    """Refuse an entry that does not say who records it, in which role, under which study file."""
    for name, text in (("by", author.by), ("role", author.role), ("study_hash", author.study_hash)):
        if fault := name_fault(text):
            raise LedgerError(
                "{name}: {text} {fault}; every entry says who recorded it, in which role and "
                "under which study file; give {name}",
                name=name,
                text=show(text),
                fault=fault,
            )
    if fault := name_fault(author.site, blank=True):
        raise LedgerError(
            "site: {site} {fault}; a site is a name or nothing; correct the site",
            site=show(author.site),
            fault=fault,
        )


def check_reason(reason: str, what: str) -> None:
    """Refuse a blank reason for something that needs one."""
    if fault := text_fault(reason) or ("" if reason.strip() else sentence("is blank")):
        raise LedgerError(
            "reason: {reason} {fault}; {what} needs a reason; say why in words",
            reason=show(reason),
            fault=fault,
            what=what,
        )


def check_drafts(drafts: Sequence[Draft]) -> None:
    """Refuse a batch that holds a draft no entry can be made of; all faults together."""
    faults: list[str] = []
    seen: set[Key] = set()
    for draft in drafts:
        fault = _key_fault(draft.key) or _content_fault(draft)
        if not fault and draft.key in seen:
            fault = sentence(
                "stands twice in one save; one save gives each item one value; keep one of the two"
            )
        if fault:
            faults.append(sentence("{key}: {fault}", key=printable(str(draft.key)), fault=fault))
        else:
            seen.add(draft.key)
    raise_all(faults)


def _key_fault(key: Key) -> str:
    if key.kind not in KINDS:
        return sentence(
            "kind {kind} is unknown; the kinds are {kinds}; use one of them",
            kind=show(key.kind),
            kinds=KINDS,
        )
    free = key.kind == "study"
    for name, text, blank in (
        ("about", key.about, free),
        ("form", key.form, free),
        ("item", key.item, free),
        ("visit", key.visit, True),
    ):
        if fault := name_fault(text, blank):
            return sentence(
                "{name} {text} {fault}; it must be the id of the study file; correct it",
                name=name,
                text=show(text),
                fault=fault,
            )
    if type(key.repeat) is not int or not 1 <= key.repeat <= MAX_REPEAT:
        return sentence(
            "repeat {repeat!r} is not 1, 2, 3, ...; repeats count from 1; correct it",
            repeat=key.repeat,
        )
    if key.kind == "study" and key.form == "CLOCK":
        return sentence(
            "the form CLOCK of the study belongs to the ledger itself; use record_clock, or "
            "another form id"
        )
    return ""


def _content_fault(draft: Draft) -> str:
    value, missing = draft.value, draft.missing
    if missing and missing not in MISSING:
        return sentence(
            "missing {missing} is unknown; it is one of {words}; use one of them",
            missing=show(missing),
            words=MISSING,
        )
    if value is not None and missing:
        return sentence(
            "has the value {value} and is missing ({missing}); it is one or the other; drop one",
            value=show(value),
            missing=missing,
        )
    if value is None and not missing:
        return sentence(
            "has no value and no word for why; a missing value says so; give missing as one "
            "of {missing}",
            missing=MISSING,
        )
    if value is not None:
        if fault := text_fault(value):
            return sentence(
                "value {value} {fault}; a value is kept as the text that was written; correct it",
                value=show(value),
                fault=fault,
            )
        if not value.strip():
            return sentence(
                "the value is blank; a value is text, and a missing one says why; give a value, "
                "or missing"
            )
    if fault := name_fault(draft.unit, blank=True):
        return sentence(
            "unit {unit} {fault}; a unit is UCUM or nothing; correct it",
            unit=show(draft.unit),
            fault=fault,
        )
    if fault := text_fault(draft.reason):
        return sentence(
            "reason {reason} {fault}; a reason is text; correct it",
            reason=show(draft.reason),
            fault=fault,
        )
    return ""


def unchanged(draft: Draft, current: Entry) -> bool:
    """Return whether the draft says what stands: the same text, unit and word for missing."""
    return not current.redacted and (draft.value, draft.unit, draft.missing) == (
        current.value,
        current.unit,
        current.missing,
    )


def reason_fault(draft: Draft, current: Entry | None) -> str:
    """Why this change may not be recorded, in words; ``""`` when it may."""
    if current is None or draft.reason.strip():
        return ""
    new = (
        sentence("missing ({why})", why=term(draft.missing))
        if draft.value is None
        else f"{draft.value} {draft.unit}".strip()
    )
    return sentence(
        "{key}: would change from '{words}' (entry {seq}, by {by} at {at}) to '{new}' "
        "without a reason; every change of a recorded value says why; give the draft a "
        "reason",
        key=draft.key.words,
        words=current.words,
        seq=current.seq,
        by=current.by,
        at=current.at,
        new=new,
    )


class StaleError(LedgerError):
    """What is to be changed is no longer what its writer saw; ``entries`` are those that stand now."""

    def __init__(self, entries: Sequence[Entry], keys: Sequence[Key]):
        self.entries = tuple(entries)
        told = [
            sentence(
                "{key} is now '{words}' (entry {seq}, by {by} at {at})",
                key=e.key.words,
                words=e.words,
                seq=e.seq,
                by=e.by,
                at=e.at,
            )
            for e in entries
        ]
        told += [sentence("{key} has no entry any more", key=key.words) for key in keys]
        super().__init__(
            sentence(
                "{told}: recorded since you began; expected what you saw; nothing was recorded; "
                "look at both and decide",
                told=joined("; ", told),
            )
        )


def refuse_stale(seen: Mapping[Key, int], stands: Mapping[Key, Entry]) -> None:
    """Refuse to record over entries that the writer has not seen; what was redacted since is not what he saw."""
    stale = [key for key in seen if number_seen(stands.get(key)) != seen[key]]
    if stale:
        entries = [stands[key] for key in stale if key in stands]
        raise StaleError(entries, [key for key in stale if key not in stands])


def number_seen(entry: Entry | None) -> int:
    """The number by which a page remembers what it showed: 0 for nothing, below 0 for a redacted value."""
    if entry is None:
        return 0
    return -entry.seq if entry.redacted else entry.seq


def raise_all(faults: Sequence[str]) -> None:
    """Raise one LedgerError that shows every fault, the first ``LISTED`` in full."""
    if faults:
        more = len(faults) - LISTED
        lines = list(faults[:LISTED])
        if more > 0:
            lines.append(sentence("... and {more} more like these", more=more))
        raise LedgerError(joined("\n", lines))


def printable(text: str) -> str:
    """Make a text safe to print: NUL and lone surrogates as escapes."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def show(text: object) -> str:
    """Put a found thing between quotes, safe to print and not too long."""
    words = printable(text if isinstance(text, str) else repr(text))
    return f"'{words[:80]}…'" if len(words) > 81 else f"'{words}'"
