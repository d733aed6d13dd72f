"""The one gate of an act: the right to it, locks, order, checks; then the ledger, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import count

from onearm.checks import applies, check_drafts
from onearm.conduct.marks import item_key, mark_key
from onearm.conduct.people import ACTIONS, Person
from onearm.conduct.subjects import ENROLMENT, closed_because, site_of
from onearm.errors import ConductError, Problem
from onearm.ledger import Draft, Entry, Key, Ledger, Snapshot
from onearm.ledger.entries import number_seen, unchanged
from onearm.records import CONDUCT, FormKey, Records, form_key, is_conduct
from onearm.sentences import sentence, term

HIDDEN = "hidden by another answer"


def act(
    records: Records,
    ledger: Ledger,
    person: Person,
    site: str,
    drafts: Sequence[Draft],
    *,
    action: str,
    today: date,
    kind: str = "subject",
    seen: Mapping[Key, int] | None = None,
) -> list[Entry]:
    """Record what a person does, if the rules of conduct allow it.

    Parameters
    ----------
    records
        What stands, as the act was prepared on.
    site
        The site that the act is about.
    action
        One of ``ACTIONS``: the right that it needs.
    kind
        What the form is about: subject, donor, lot or study.
    seen
        The numbers of the entries that the person saw (0: none), so that nobody overwrites what he
        has not seen. Locks are always among them.

    Returns
    -------
    The new entries; fewer than drafts where something stood already.

    Raises
    ------
    ConductError
        The right is lacking, a form is locked, struck out or not open yet, or a check refuses a value;
        all reasons together, and nothing is recorded.
    StaleError
        Something was changed meanwhile.
    LedgerError
        The ledger refuses.
    """
    role = person.role_for(action, site, today, kind)
    if role is None:
        raise ConductError(_no_right(person, action, site))
    drafts = [*drafts, *draft_unverified(records, drafts)]
    answers = [d for d in drafts if not is_conduct(d.key) and d.key.kind != "study"]
    entered = [d for d in drafts if d in answers or d.key.item.endswith(f"{CONDUCT}confirmed")]
    refused = rights_lacking(records, person, site, drafts, today)
    refused += [p.message for p in gate(records, entered)]
    problems = check_drafts(records.study, answers, records.snapshot, today=today)
    refused += [
        sentence("{where}: {message}", where=p.where, message=p.message)
        for p in problems
        if p.severity == "error"
    ]
    if refused:
        raise ConductError(refused)
    return ledger.record(
        drafts,
        by=person.user,
        role=role,
        site=site,
        study_hash=records.study.hash,
        seen={**_relied_on(records, drafts), **(seen or {}), **locks_seen(records, entered)},
    )


def _no_right(person: Person, action: str, site: str, about: str = "") -> str:
    return sentence(
        "{who}: has no right to {action}{about} at site '{site}'; ask an administrator",
        who=person.user or term("nobody"),
        action=term(ACTIONS[action]),
        about=about,
        site=site,
    )


STUDY_NEEDS = {"RIGHTS": "manage people", "AMENDMENT": "amend", "CUT": "cut", "DATA": "amend"}
ITEM_NEEDS = {"complete": "complete", "verified": "verify", "struck": "strike", "missed": "enter"}


def needed_right(draft: Draft, snapshot: Snapshot) -> str | None:
    """The right that recording this needs, told from the entry itself; None: nobody records it by an act."""
    key, value = draft.key, draft.value
    if key.kind == "study":
        return STUDY_NEEDS.get(key.form)
    item, mark, what = key.item.partition(CONDUCT)
    if key.form == ENROLMENT:
        return "enrol"
    if not mark:
        return "change" if snapshot.get(key) is not None else "enter"
    if what == "locked":
        return "lock" if value == "yes" else "unlock"
    if what.startswith("signed."):
        return "sign"
    if what.startswith("query"):
        return {"open": "query", "answered": "answer"}.get(value or "", "close query")
    if what == "confirmed":
        return "enter"
    return ITEM_NEEDS.get(what) if not item else None


def rights_lacking(
    records: Records, person: Person, site: str, drafts: Sequence[Draft], today: date
) -> list[str]:
    """What a person may not record, whatever the page called it: each entry's own right, at its own site."""
    found: list[str] = []
    for draft in drafts:
        key = draft.key
        if draft.reason.startswith(UNVERIFIED) and key.item == f"{CONDUCT}verified":
            continue  # follows by itself from a change
        need = needed_right(draft, records.snapshot)
        own = site if key.kind == "study" else site_of(records, key.kind, key.about) or site
        if need is None:
            found.append(
                sentence(
                    "{key}: is recorded by the program only; expected an entry of a form; take it out",
                    key=key.words,
                )
            )
        elif own != site:
            found.append(
                sentence(
                    "{key}: belongs to another site than '{site}'; expected your own; look at it "
                    "again",
                    key=key.words,
                    site=site,
                )
            )
        elif not person.may(need, site, today, key.kind):
            lots = person.may(need, site, today, "lot")
            about = sentence(" about a {kind}", kind=term(key.kind)) if lots else ""
            found.append(_no_right(person, need, site, about))
        elif (
            need == "change"
            and records.study.identifies(key.form, key.item)
            and not person.may("see identifying", site, today, key.kind)
        ):
            found.append(
                sentence(
                    "{key}: holds a value that you may not see, so you cannot replace it; ask somebody "
                    "who may see it",
                    key=key.words,
                )
            )
    return list(dict.fromkeys(found))


UNVERIFIED = "changed after it was verified"


def draft_unverified(records: Records, drafts: Sequence[Draft]) -> list[Draft]:
    """A verification is taken back by itself when a value changes, or the form is no longer complete."""
    found = {}
    for draft in drafts:
        key = draft.key
        touches = not is_conduct(key) or (key.item == f"{CONDUCT}complete" and draft.value == "no")
        if key.kind == "study" or not touches:
            continue
        mark = mark_key(form_key(key), "verified")
        entry = records.snapshot.get(mark)
        if entry is not None and entry.value == "yes":
            found[mark] = Draft(
                mark, "no", reason=f"{UNVERIFIED}: {key.item.removeprefix(CONDUCT)}"
            )
    return list(found.values())


def locks_seen(records: Records, answers: Sequence[Draft]) -> dict[Key, int]:
    """The locks as they stood: one that comes meanwhile refuses the whole."""
    forms = dict.fromkeys(form_key(d.key) for d in answers)
    keys = [mark_key(form, mark) for form in forms for mark in _CLOSING]
    return {key: number_seen(records.snapshot.get(key)) for key in keys}


def _relied_on(records: Records, drafts: Sequence[Draft]) -> dict[Key, int]:
    """What an act of conduct rests on: the mark or query as it stood; for a decision, all that is known."""
    found = {d.key: number_seen(records.snapshot.get(d.key)) for d in drafts if is_conduct(d.key)}
    for draft in drafts:
        if draft.key.form == ENROLMENT:
            evidence = records.snapshot.about("subject", draft.key.about)
            found |= {e.key: number_seen(e) for e in evidence if not is_conduct(e.key)}
    return found


_CLOSING = ("locked", "struck")


def gate(
    records: Records, answers: Sequence[Draft], forms: Sequence[FormKey] | None = None
) -> list[Problem]:
    """What speaks against entering on these forms at all: locked, struck out, not open yet."""
    found = []
    for form in forms if forms is not None else dict.fromkeys(form_key(d.key) for d in answers):
        place = sentence(
            "form {form} of {kind} {about}", form=form.form, kind=term(form.kind), about=form.about
        )
        for mark, words in zip(_CLOSING, ("locked", "struck out"), strict=True):
            entry = records.snapshot.get(mark_key(form, mark))
            if entry is not None and entry.value == "yes":
                told = sentence(
                    "{place} is {state} (entry {seq}, by {by}); nothing can be entered on it",
                    place=place,
                    state=term(words),
                    seq=entry.seq,
                    by=entry.by,
                )
                problem = Problem("form.locked", told, where=place)
                found.append(
                    problem if mark == "locked" else Problem("form.struck", told, where=place)
                )
        if why := closed_because(records, form):
            found.append(
                Problem(
                    "form.closed",
                    sentence("{place} is not open: {why}", place=place, why=why),
                    where=place,
                )
            )
    return found


def preview(records: Records, drafts: Sequence[Draft]) -> Records:
    """What would stand if these drafts were recorded; nothing is."""
    stands = records.snapshot
    new: dict[Key, Entry] = {}
    numbers = count(stands.head.seq + 1)
    for draft in drafts:
        now = new.get(draft.key) or stands.get(draft.key)
        if now is not None and unchanged(draft, now):
            continue
        new.pop(draft.key, None)
        new[draft.key] = Entry(
            next(numbers), draft.key, draft.value, draft.unit, draft.missing,
            "", "", "", "", draft.reason, records.study.hash, "", None, "", "", "",
        )  # fmt: skip
    return Records(records.study, stands.advanced(new.values(), stands.head, stands.as_of))


def draft_hidden(records: Records, form: FormKey) -> list[Draft]:
    """Items that hold a value which branching hides by now: recorded as not applicable, never lost."""
    answers = records.answers(form)
    return [
        Draft(item_key(form, item.id), None, missing="not applicable", reason=HIDDEN)
        for item in records.study.form(form.form).items
        if item.id in answers
        and answers[item.id].missing != "not applicable"
        and applies(records, form, item) is False
    ]
