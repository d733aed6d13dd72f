"""An amended study file: what it does to data that are recorded, and the decision to put it in force.

Each entry keeps the version of the study file that it was made under, so nothing recorded changes; what
changes is how it is read. That is worked out before anybody approves, by reading the same entries
through both files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from onearm.checks import check_drafts, visit_states
from onearm.conduct.marks import form_state, item_key
from onearm.conduct.people import Person
from onearm.conduct.subjects import site_of
from onearm.eligibility import assess
from onearm.errors import ConductError
from onearm.ledger import Draft, Entry, Key
from onearm.records import FormKey, Records
from onearm.sentences import sentence
from onearm.study import Form, Item, Study

AMENDMENT = Key("study", "", form="AMENDMENT", item="STUDY")
APPROVAL = Key("study", "", form="AMENDMENT", item="@signed.approval")

TOUCHES = (
    "form removed",
    "form left its visit",
    "item removed",
    "item redefined",
    "value refused",
    "visit judged anew",
    "score changed",
    "eligibility changed",
    "signature void",
)
"""The ways in which an amendment touches what is recorded."""


@dataclass(frozen=True)
class Affected:
    """Recorded data that an amendment touches in one way.

    Attributes
    ----------
    what
        One of :data:`TOUCHES`.
    where
        Labels of what is touched, outermost first: form, item; or the visit. May be empty.
    keys
        The forms that hold the data; of a subject as a whole, a key with an empty form.
    """

    what: str
    where: tuple[str, ...]
    keys: tuple[FormKey, ...]


def affected(old: Records, new: Records, today: date) -> tuple[Affected, ...]:
    """Everything recorded that reads otherwise under the amended study file.

    ``old`` and ``new`` hold the same entries; they are compared as wholes, so that nothing depends on
    knowing what can follow from what.
    """
    return (
        *_forms(old, new),
        *_visits(old, new, today),
        *_scores(old, new),
        *_eligibility(old, new),
        *_signatures(old, new),
    )


def _forms(old: Records, new: Records) -> Iterator[Affected]:
    kept = {form.id: form for form in new.study.forms}
    at = {(v.id, form) for v in new.study.schedule.visits for form in v.forms}
    for form in old.study.forms:
        keys = [k for k in old.instances(form.id) if old.answers(k)]
        if form.id not in kept or kept[form.id].about != form.about:
            yield from _some("form removed", (form.label,), keys)
            continue
        left = [k for k in keys if k.visit and (k.visit, form.id) not in at]
        yield from _some("form left its visit", (form.label,), left)
        for item in form.all_items:
            holding = [k for k in keys if item.id in old.answers(k)]
            yield from _item(old, new, form, item, holding)


def _item(
    old: Records, new: Records, form: Form, item: Item, holding: Sequence[FormKey]
) -> Iterator[Affected]:
    where = (form.label, item.label)
    now = {i.id: i for i in new.study.form(form.id).all_items}.get(item.id)
    if now is None:
        yield from _some("item removed", where, holding)
    elif now != item:
        yield from _some("item redefined", where, holding)
        yield from _some(
            "value refused", where, refused_values(old, new.study, form, item, holding)
        )


def refused_values(
    old: Records, study: Study, form: Form, item: Item, holding: Sequence[FormKey]
) -> list[FormKey]:
    """The forms whose value of an item could not be entered under another study file."""
    found = []
    for key in holding:
        entry = old.answers(key)[item.id]
        draft = Draft(item_key(key, item.id), entry.value, entry.unit, entry.missing)
        problems = check_drafts(study, [draft], old.snapshot)
        if any(p.severity == "error" and p.id.startswith(("value.", "unit.")) for p in problems):
            found.append(key)
    return found


def _visits(old: Records, new: Records, today: date) -> Iterator[Affected]:
    now = {(s.subject, s.visit.id): s for s in visit_states(new, today)}
    moved: dict[str, list[FormKey]] = {}
    for state in visit_states(old, today):
        other = now.get((state.subject, state.visit.id))
        judged = other and (other.state, other.out_of_window) == (state.state, state.out_of_window)
        if not judged:
            key = FormKey("subject", state.subject, "", state.visit.id, 1)
            moved.setdefault(state.visit.label, []).append(key)
    for label, keys in moved.items():
        yield from _some("visit judged anew", (label,), keys)


def _scores(old: Records, new: Records) -> Iterator[Affected]:
    kept = {f.id for f in new.study.forms if f.instrument is not None}
    for form in old.study.forms:
        if form.instrument is None or form.id not in kept:
            continue
        keys = [k for k in old.instances(form.id) if old.answers(k)]
        other = [k for k in keys if old.score(k).bounds != new.score(k).bounds]
        yield from _some("score changed", (form.label,), other)


def _eligibility(old: Records, new: Records) -> Iterator[Affected]:
    changed = [
        FormKey("subject", subject, "", "", 1)
        for subject in old.subjects
        if assess(old, subject).decision != assess(new, subject).decision
    ]
    yield from _some("eligibility changed", (), changed)


def _signatures(old: Records, new: Records) -> Iterator[Affected]:
    kept = {form.id for form in new.study.forms}
    void = [
        key
        for form in old.study.forms
        for key in old.instances(form.id)
        if _valid(old, key) - (_valid(new, key) if form.id in kept else set())
    ]
    yield from _some("signature void", (), void)


def _valid(records: Records, key: FormKey) -> set[int]:
    return {s.seq for s in form_state(records, key).signatures if s.valid}


def _some(what: str, where: tuple[str, ...], keys: Sequence[FormKey]) -> Iterator[Affected]:
    if keys:
        yield Affected(what, where, tuple(keys))


def refusals(old: Records, new: Study) -> list[str]:
    """Why an amended file cannot be put in force at all, each in words; empty: it can."""
    if new.id != old.study.id:
        return [
            sentence(
                "study.id: is {found}; expected {expected}, the study that is served; another study is "
                "served from a folder of its own",
                found=new.id,
                expected=old.study.id,
            )
        ]
    if new.hash == old.study.hash:
        return [
            sentence(
                "study file: is the one that is in force, byte for byte; expected an amended one; nothing to do"
            )
        ]
    found: list[str] = []
    kept = {form.id: form for form in new.forms}
    for form in old.study.forms:
        for item in form.all_items if form.id in kept else ():
            now = {i.id: i for i in kept[form.id].all_items}.get(item.id)
            holding = [k for k in old.instances(form.id) if item.id in old.answers(k)]
            if now is None or now.type == item.type or not holding:
                continue
            unread = refused_values(old, new, form, item, holding)
            if unread:
                found.append(
                    sentence(
                        "forms.{form}.items.{item}: is of type {type}, and {count} recorded values of type "
                        "{old_type} cannot be read so; expected the same type; give the new item an id of "
                        "its own",
                        form=form.id,
                        item=item.id,
                        type=now.type,
                        count=len(unread),
                        old_type=item.type,
                    )
                )
    return found


def approval_hash(old: Study, new: Study, touched: Sequence[Affected]) -> str:
    """The SHA-256 of exactly what is approved: both files and what the change was shown to touch."""
    told = [[a.what, *a.where, len(a.keys)] for a in touched]
    text = json.dumps([old.hash, new.hash, told], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def draft_amendment(
    records: Records, new: Study, reason: str, person: Person, at: str, seen_hash: str, today: date
) -> list[Draft]:
    """The entries that put an amended study file in force: its hash, and the signature under it.

    Parameters
    ----------
    at
        The signer's local time with its zone, ISO 8601.
    seen_hash
        :func:`approval_hash` as the page had it.

    Raises
    ------
    ConductError
        The file cannot be put in force, no reason is given, the person has no right to amend at a site that
        has subjects, or something else is shown by now.
    """
    if refused := refusals(records, new):
        raise ConductError(refused)
    if not reason.strip():
        raise ConductError("amendment: has no reason; expected one in words; say why")
    sites = {site_of(records, "subject", s) for s in records.subjects}
    if lacking := sorted(s for s in sites if not person.may("amend", s, today)):
        raise ConductError(
            "amendment: is for every site, and {who} has no right to amend at {sites}; expected the right at every "
            "site with a subject; ask who holds it",
            who=person.user,
            sites=tuple(f"'{s}'" for s in lacking),
        )
    touched = affected(records, Records(new, records.snapshot), today)
    if seen_hash != approval_hash(records.study, new, touched):
        raise ConductError(
            "amendment: what it touches has changed since you opened the page; an approval covers exactly "
            "what was shown; look at it again"
        )
    signed = json.dumps({"hash": seen_hash, "name": person.name, "at": at}, ensure_ascii=False)
    return [
        Draft(AMENDMENT, new.hash, reason=reason.strip()),
        Draft(APPROVAL, signed, reason="signature: approval"),
    ]


def in_force(history: Sequence[Entry], last: Entry | None) -> tuple[str, str]:
    """The hash of the study file in force, and of the one before it; ``""`` where nothing says.

    Parameters
    ----------
    history
        Every version of :data:`AMENDMENT`, in order.
    last
        The last entry about a subject, donor or lot; before the first amendment, data stand under its
        version.
    """
    if history:
        return history[-1].value or "", history[-1].study_hash
    return (last.study_hash if last else ""), ""
