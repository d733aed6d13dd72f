"""The one gate of an act: the right to it, locks, order, checks; then the ledger, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from onearm.checks import applies, check_drafts
from onearm.conduct.marks import item_key, mark_key
from onearm.conduct.people import ACTIONS, Person
from onearm.conduct.subjects import closed_because
from onearm.errors import ConductError, Problem
from onearm.ledger import Draft, Entry, Key, Ledger, Snapshot
from onearm.records import FormKey, Records, form_key, is_conduct

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
        raise ConductError(
            f"{person.user or 'nobody'}: has no right to {ACTIONS[action]} at site '{site}'; ask an administrator"
        )
    answers = [d for d in drafts if not is_conduct(d.key) and d.key.kind != "study"]
    forms = list(dict.fromkeys(form_key(d.key) for d in answers))
    refused = [p.message for p in gate(records, answers, forms)]
    problems = check_drafts(records.study, answers, records.snapshot, today=today)
    refused += [f"{p.where}: {p.message}" for p in problems if p.severity == "error"]
    if refused:
        raise ConductError(refused)
    locks = {
        mark_key(f, m): _seq(records.snapshot, mark_key(f, m)) for f in forms for m in _CLOSING
    }
    return ledger.record(
        drafts,
        by=person.user,
        role=role,
        site=site,
        study_hash=records.study.hash,
        seen={**(seen or {}), **locks},
    )


_CLOSING = ("locked", "struck")


def gate(
    records: Records, answers: Sequence[Draft], forms: Sequence[FormKey] | None = None
) -> list[Problem]:
    """What speaks against entering on these forms at all: locked, struck out, not open yet."""
    found = []
    for form in forms if forms is not None else dict.fromkeys(form_key(d.key) for d in answers):
        place = f"form {form.form} of {form.kind} {form.about}"
        for mark, words in zip(_CLOSING, ("locked", "struck out"), strict=True):
            entry = records.snapshot.get(mark_key(form, mark))
            if entry is not None and entry.value == "yes":
                told = f"{place} is {words} (entry {entry.seq}, by {entry.by}); nothing can be entered on it"
                found.append(Problem(f"form.{mark}", told, where=place))
        if why := closed_because(records, form):
            found.append(Problem("form.closed", f"{place} is not open: {why}", where=place))
    return found


def _seq(snapshot: Snapshot, key: Key) -> int:
    entry = snapshot.get(key)
    return entry.seq if entry is not None else 0


def preview(records: Records, drafts: Sequence[Draft]) -> Records:
    """What would stand if these drafts were recorded; nothing is."""
    entries = {entry.key: entry for entry in records.snapshot.entries}
    seq = records.snapshot.head.seq
    for draft in drafts:
        seq += 1
        entries[draft.key] = Entry(
            seq, draft.key, draft.value, draft.unit, draft.missing, "", "", "", "", draft.reason,
            records.study.hash, "", None, "", "", "",
        )  # fmt: skip
    order = dict.fromkeys((e.key.kind, e.key.about) for e in entries.values())
    return Records(records.study, Snapshot(tuple(entries.values()), order=tuple(order)))


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
