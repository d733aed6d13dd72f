"""The one gate before the ledger, and what stands wrong in the records behind it.

Checks never raise for bad data: they return :class:`~onearm.errors.Problem` with a stable id, all of
them together. ``error`` means it cannot be recorded; ``warning`` means that a person must look.
The ids are listed in ``docs/checks.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal

from onearm.dates import PartialDate, study_day
from onearm.errors import DateError, LedgerError, OnearmError, Problem, words_of
from onearm.ledger import Draft, Key, Snapshot
from onearm.ledger.entries import check_drafts as check_ledger_drafts
from onearm.records import LARGEST, Datum, FormKey, Records, is_conduct, parse_value
from onearm.sentences import sentence, term
from onearm.study import Form, Item, Study, Visit
from onearm.units import convert

MISSING_REASONS = ("not done", "not applicable", "unknown", "not asked")
FIRST_YEAR = 1900
MOST_REPEATS = 9_999
NATURES = ("constructed", "simulated")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


# -- drafts: before anything is recorded ----------------------------------------------------------


def check_drafts(
    study: Study,
    drafts: Sequence[Draft],
    snapshot: Snapshot,
    *,
    today: date | None = None,
    where: Sequence[str] | None = None,
) -> list[Problem]:
    """Everything that speaks against recording these entries, in their order.

    Parameters
    ----------
    drafts
        The entries about to be recorded, as one act.
    snapshot
        What the ledger holds now; decides what is a change and needs a reason.
    today
        The site's calendar date; clinical dates after it are errors. None: not checked.
    where
        A name for each draft's place (``row 12``); default: its key in words.

    Returns
    -------
    list of Problem
        Empty when all is well. ``error``: the whole set is to be refused; ``warning``: it may be
        recorded and stays visible as an open problem.
    """
    places = list(where) if where is not None else [key_words(d.key) for d in drafts]
    problems: list[Problem] = []
    seen: dict[Key, str] = {}
    for draft, place in zip(drafts, places, strict=True):
        problems += [_at(p, place) for p in _draft_problems(study, draft, snapshot, today)]
        if draft.key in seen:
            problems.append(
                Problem(
                    "entry.twice",
                    sentence(
                        "{place} is given twice, here and at {other}; keep one",
                        place=key_words(draft.key),
                        other=seen[draft.key],
                    ),
                    where=place,
                )
            )
        seen.setdefault(draft.key, place)
    problems += _name_problems(drafts, snapshot, places)
    return problems + _reference_problems(study, drafts, snapshot, places)


def _name_problems(
    drafts: Sequence[Draft], snapshot: Snapshot, places: Sequence[str]
) -> list[Problem]:
    """New subjects, donors and lots whose identifier cannot be told from another by eye."""
    found: list[Problem] = []
    known = _names_known(snapshot)
    alike: dict[str, dict[str, str]] = {}
    for draft, place in zip(drafts, places, strict=True):
        kind, about = draft.key.kind, draft.key.about
        if about in known.get(kind, {about}):
            continue
        others = alike.setdefault(kind, {_read_as(name): name for name in known[kind]})
        known[kind].add(about)
        if unicodedata.normalize("NFKC", about) != about or _UNSEEN.search(about):
            told = sentence(
                "the {kind} '{about}' holds characters that look like others or cannot be seen; expected "
                "plain letters and digits; write it anew",
                kind=term(kind),
                about=about,
            )
            found.append(Problem("about.alike", told, where=place))
        elif other := others.get(_read_as(about)):
            told = sentence(
                "the {kind} '{about}' differs from '{other}' in capitals or kind of digits only; expected "
                "another identifier, or that one; correct it",
                kind=term(kind),
                about=about,
                other=other,
            )
            found.append(Problem("about.alike", told, where=place))
        others.setdefault(_read_as(about), about)
    return found


_UNSEEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@lru_cache(maxsize=65_536)  # each save with a new name asks it of every name
def _read_as(name: str) -> str:
    """An identifier as it is read aloud: capitals and kinds of digits make no difference."""
    digits = "".join(str(unicodedata.digit(c, c)) for c in unicodedata.normalize("NFKC", name))
    return _UNSEEN.sub("", digits).casefold()


def key_words(key: Key) -> str:
    """A key as a person names it: ``subject 003, visit M3, URINE.UPROT24H``."""
    visit = sentence(", visit {visit}", visit=key.visit) if key.visit else ""
    repeat = sentence(", repeat {repeat}", repeat=key.repeat) if key.repeat != 1 else ""
    return sentence(
        "{kind} {about}{visit}, {item}{repeat}",
        kind=term(key.kind),
        about=key.about,
        visit=visit,
        item=f"{key.form}.{key.item}",
        repeat=repeat,
    )


def _at(problem: Problem, place: str) -> Problem:
    return Problem(problem.id, problem.message, problem.severity, place)


def _error(id: str, template: str, **parts: Any) -> list[Problem]:
    return [Problem(id, sentence(template, **parts))]


def _draft_problems(
    study: Study, draft: Draft, snapshot: Snapshot, today: date | None
) -> list[Problem]:
    if draft.key.kind == "study":
        problems = _presence_problems(draft) or _nature_problems(draft)
    else:
        problems = _about_problems(draft.key) + _place_problems(study, draft.key)
        if not any(p.id in ("form.unknown", "item.unknown") for p in problems):
            problems += _content_problems(study, draft, today)
    problems += _reason_problems(draft, snapshot)
    return problems if any(p.severity == "error" for p in problems) else [*problems, *_kept(draft)]


def _kept(draft: Draft) -> list[Problem]:
    """What the ledger itself would refuse: texts that cannot be kept as they are."""
    try:
        check_ledger_drafts([draft])
    except LedgerError as error:
        return [Problem("entry.refused", words_of(error))]
    return []


def _nature_problems(draft: Draft) -> list[Problem]:
    if (draft.key.form, draft.key.item) != ("DATA", "NATURE") or draft.value in NATURES:
        return []
    return _error(
        "study.nature",
        "'{value}' is not a nature of data; records that are not patients' are {natures}; "
        "records of patients have no such entry",
        value=draft.value or draft.missing,
        natures=" or ".join(NATURES),
    )


def _about_problems(key: Key) -> list[Problem]:
    if key.about.strip():
        return []
    return _error("about.empty", "the {kind} is empty; give its identifier", kind=term(key.kind))


def _place_problems(study: Study, key: Key) -> list[Problem]:
    forms = {f.id: f for f in study.forms}
    if key.form not in forms:
        return _error(
            "form.unknown",
            "'{form}' is not a form of this study; the forms are {forms}",
            form=key.form,
            forms=tuple(forms),
        )
    form = forms[key.form]
    items = [i.id for i in form.all_items]
    if key.item not in items:
        return _error(
            "item.unknown",
            "'{item}' is not an item of form {form}; its items are {items}",
            item=key.item,
            form=form.id,
            items=tuple(items),
        )
    if form.about != key.kind:
        return _error(
            "about.kind",
            "form {form} is about a {about}, not about a {kind}",
            form=form.id,
            about=term(form.about),
            kind=term(key.kind),
        )
    if key.repeat > MOST_REPEATS:
        return _error(
            "repeat.number",
            "repeat {repeat} is too large; expected at most {most}; number the rows one by one",
            repeat=key.repeat,
            most=MOST_REPEATS,
        )
    return _visit_problems(study, form, key)


def _visit_problems(study: Study, form: Form, key: Key) -> list[Problem]:
    at = [v.id for v in study.schedule.visits if form.id in v.forms]
    problems = []
    if key.visit and key.visit not in {v.id for v in study.schedule.visits}:
        visits = tuple(v.id for v in study.schedule.visits)
        problems = _error(
            "visit.unknown",
            "'{visit}' is not a visit of this study; the visits are {visits}",
            visit=key.visit,
            visits=visits,
        )
    elif key.visit and not at:
        # Else the same form could be filled in twice, and a change would need no reason.
        problems = _error(
            "visit.surplus",
            "form {form} belongs to no visit, found {visit}; leave the visit empty",
            form=form.id,
            visit=key.visit,
        )
    elif key.visit and key.visit not in at:
        problems = _error(
            "visit.form",
            "form {form} is not collected at visit {visit}; it is at {at}",
            form=form.id,
            visit=key.visit,
            at=tuple(at),
        )
    elif not key.visit and at and not form.unscheduled:
        problems = _error(
            "visit.missing",
            "form {form} belongs to a visit; name one of {at}",
            form=form.id,
            at=tuple(at),
        )
    # A visit form outside the schedule carries the number of the unscheduled visit as its repeat.
    unplanned = form.unscheduled and bool(at) and not key.visit
    if key.repeat != 1 and not form.repeating and not unplanned:
        problems += _error(
            "repeat.single",
            "form {form} does not repeat, so its repeat is 1, found {repeat}",
            form=form.id,
            repeat=key.repeat,
        )
    return problems


def _presence_problems(draft: Draft) -> list[Problem]:
    """Either a value or a reason why there is none."""
    value, missing = draft.value, draft.missing
    if value is not None and missing:
        return _error(
            "value.and.missing",
            "a value ('{value}') and a reason why it is missing ('{missing}') exclude each "
            "other; keep one",
            value=value,
            missing=missing,
        )
    if value is None and not missing:
        return _error(
            "value.empty",
            "no value; give one, or one of the reasons: {reasons}",
            reasons=tuple(map(term, MISSING_REASONS)),
        )
    if value is None and missing not in MISSING_REASONS:
        return _error(
            "missing.reason",
            "'{missing}' is not a reason for a missing value; the reasons are {reasons}",
            missing=missing,
            reasons=tuple(map(term, MISSING_REASONS)),
        )
    if value is not None and (value != value.strip() or not value):
        return _error(
            "value.blank", "'{value}' begins or ends with a blank; remove it", value=value
        )
    return []


def _content_problems(study: Study, draft: Draft, today: date | None) -> list[Problem]:
    problems = _presence_problems(draft)
    if problems or draft.value is None:
        return problems
    item = study.item(draft.key.form, draft.key.item)
    if item.type in ("quantity", "integer"):
        return _number_problems(item, draft.value, draft.unit)
    problems = _unit_problems(item, draft.unit)
    if item.type == "yesno":
        return problems + _yesno_problems(draft.value)
    if item.type == "choice":
        return problems + _choice_problems(item, draft.value)
    if item.type == "date":
        anchor = study.schedule.anchor
        dated = item.role == "visit date" or item.id == anchor.item
        return problems + _date_problems(draft.value, today, complete=dated)
    return problems


def _number_problems(item: Item, value: str, unit: str) -> list[Problem]:
    if not NUMBER.fullmatch(value):
        return _error(
            "value.number",
            "'{value}' is not a number with a decimal point{number_hint}",
            value=value,
            number_hint=number_hint(value),
        )
    if not abs(float(value)) < LARGEST:
        return _error(
            "value.number",
            "'{value}' is too large for a measurement; correct it",
            value=value,
        )
    if item.type == "integer" and not float(value).is_integer():
        return _error("value.integer", "'{value}' is not a whole number", value=value)
    unit_problems = _unit_problems(item, unit)
    if unit_problems:
        return unit_problems
    number = parse_value(item, value, unit)
    assert isinstance(number, float)
    if item.range and not item.range[0] <= number <= item.range[1]:
        low, high = item.range
        return [
            Problem(
                "value.range",
                sentence(
                    "{number:g} {unit} is outside the plausible range {low:g} to {high:g} {unit} of "
                    "{item}; look at the source and correct or confirm it",
                    number=number,
                    unit=item.unit or "",
                    low=low,
                    high=high,
                    item=item.id,
                ),
                "warning",
            )
        ]
    return []


def number_hint(value: str) -> str:
    """How a number with a decimal comma, or in other digits than 0 to 9, is written here."""
    digits = "".join(str(unicodedata.decimal(c, c)) for c in value)
    meant = re.sub("[,\N{ARABIC DECIMAL SEPARATOR}]", ".", digits, count=1)
    if not NUMBER.fullmatch(meant):
        return ""
    # 1,800 is one and four fifths to one reader and eighteen hundred to another.
    thousands = re.fullmatch(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", digits)
    either = (
        sentence(" or {whole}, whichever is meant", whole=digits.replace(",", ""))
        if thousands
        else ""
    )
    return sentence("; write {meant}{either}", meant=meant, either=either)


def _unit_problems(item: Item, unit: str) -> list[Problem]:
    wanted = item.unit or ""
    if unit == wanted:
        return []
    if not unit:
        return _error(
            "unit.missing",
            "{item} has a unit; give it (the study uses {wanted})",
            item=item.id,
            wanted=wanted,
        )
    if not wanted:
        return _error(
            "unit.surplus",
            "{item} has no unit, found '{unit}'; leave it empty",
            item=item.id,
            unit=unit,
        )
    try:
        convert(1.0, unit, wanted)
    except OnearmError as error:
        return _error(
            "unit.unknown",
            "'{unit}' cannot be read as {wanted} for {item}: {error}",
            unit=unit,
            wanted=wanted,
            item=item.id,
            error=words_of(error),
        )
    return []


def _yesno_problems(value: str) -> list[Problem]:
    if value in ("yes", "no"):
        return []
    return _error("value.yesno", "'{value}' is neither yes nor no", value=value)


def _choice_problems(item: Item, value: str) -> list[Problem]:
    if item.choices and value in item.choices:
        return []
    return _error(
        "value.choice",
        "'{value}' is not a choice of {item}; the choices are {choices}",
        value=value,
        item=item.id,
        choices=tuple(item.choices or ()),
    )


def _date_problems(value: str, today: date | None, *, complete: bool) -> list[Problem]:
    try:
        partial = PartialDate(value)
    except DateError as error:
        return [Problem("value.date", words_of(error))]
    if complete and not partial.complete:
        return _error(
            "value.date.partial",
            "'{value}' is a partial date; a visit's date needs year, month and day",
            value=value,
        )
    if partial.year < FIRST_YEAR:
        return _error(
            "value.date.past",
            "'{value}' lies before {first_year}; expected a date of the Gregorian calendar; "
            "convert a date of another calendar, such as the solar Hijri one",
            value=value,
            first_year=FIRST_YEAR,
        )
    earliest, _ = partial.impute("first")
    if today is not None and earliest > today:
        return _error(
            "value.date.future",
            "'{value}' lies after today, {today}",
            value=value,
            today=today,
        )
    return []


def _reason_problems(draft: Draft, snapshot: Snapshot) -> list[Problem]:
    now = snapshot.get(draft.key)
    if now is None or draft.reason.strip():
        return []
    if (now.value, now.unit, now.missing) == (draft.value, draft.unit, draft.missing):
        return []
    return _error(
        "reason.missing",
        "{place} holds '{words}' (entry {seq}); a change needs a reason",
        place=key_words(draft.key),
        words=now.words,
        seq=now.seq,
    )


def _reference_problems(
    study: Study, drafts: Sequence[Draft], snapshot: Snapshot, places: Sequence[str]
) -> list[Problem]:
    """Entries that point to a subject, donor or lot of which nothing is known."""
    known = _names_known(snapshot)
    for draft in drafts:
        if draft.key.kind in known:
            known[draft.key.kind].add(draft.key.about)
    problems = []
    for draft, place in zip(drafts, places, strict=True):
        kind = _refers(study, draft.key)
        if kind and draft.value is not None and draft.value not in known[kind]:
            problems.append(
                Problem(
                    "reference.unknown",
                    sentence(
                        "{item} names the {kind} '{value}', of which nothing is recorded; enter it "
                        "first or in the same file",
                        item=f"{draft.key.form}.{draft.key.item}",
                        kind=term(kind),
                        value=draft.value,
                    ),
                    where=place,
                )
            )
    return problems


def _names_known(snapshot: Snapshot) -> dict[str, set[str]]:
    return {
        "subject": set(snapshot.subjects()),
        "donor": set(snapshot.donors()),
        "lot": set(snapshot.lots()),
    }


def _refers(study: Study, key: Key) -> str | None:
    for form in study.forms:
        if form.id == key.form:
            return next((i.refers for i in form.all_items if i.id == key.item), None)
    return None


# -- visits: what was due, what was done ----------------------------------------------------------


@dataclass(frozen=True)
class VisitState:
    """One scheduled visit of one subject.

    ``state`` is ``done`` (every form has entries), ``partial`` (some have), ``due`` (the window is
    open), ``overdue`` (the window has closed), ``planned`` (it opens later), ``unscheduled`` (no
    infusion date yet, so no target) or ``ended`` (the subject left before it). ``out_of_window`` is
    in days: negative before the window, positive after it, 0 inside.
    """

    subject: str
    visit: Visit
    state: Literal["done", "partial", "due", "overdue", "planned", "unscheduled", "ended"]
    target: date | None
    opens: date | None
    closes: date | None
    done_on: date | None
    day: int | None
    out_of_window: int

    @property
    def words(self) -> str:
        """State with its dates, for a status line."""
        if self.state in ("due", "overdue") and self.closes:
            return f"{self.state}, window closes {self.closes.isoformat()}"
        return self.state


def target_date(visit: Visit, anchor: date) -> date:
    """The calendar date of a visit's target day; day 1 is the anchor and there is no day 0."""
    return anchor + timedelta(days=visit.day - 1 if visit.day > 0 else visit.day)


def visit_states(
    records: Records, today: date, subjects: Sequence[str] | None = None
) -> list[VisitState]:
    """Every scheduled visit of every subject (or these) who has not failed screening, with its state today."""
    return [
        _visit_state(records, subject, visit, today)
        for subject in (records.subjects if subjects is None else subjects)
        if disposition(records, subject) != "screen failure"
        for visit in records.study.schedule.visits
    ]


def _visit_state(records: Records, subject: str, visit: Visit, today: date) -> VisitState:
    anchor = records.anchor(subject)
    empty = _empty_forms(records, subject, visit)
    done_on = records.visit_date(subject, visit.id)
    target = target_date(visit, anchor) if anchor else None
    opens = target + timedelta(days=visit.window[0]) if target else None
    closes = target + timedelta(days=visit.window[1]) if target else None
    state: Literal["done", "partial", "due", "overdue", "planned", "unscheduled", "ended"]
    if not empty:
        state = "done"
    elif len(empty) < len(visit.forms):
        state = "partial"
    elif _ended(records, subject, opens):
        state = "ended"
    elif opens is None or closes is None:
        state = "unscheduled"
    elif today < opens:
        state = "planned"
    else:
        state = "due" if today <= closes else "overdue"
    outside = 0
    if done_on and opens and closes:
        outside = min(0, (done_on - opens).days) or max(0, (done_on - closes).days)
    day = study_day(done_on, anchor) if done_on and anchor else None
    return VisitState(subject, visit, state, target, opens, closes, done_on, day, outside)


def _empty_forms(records: Records, subject: str, visit: Visit) -> list[str]:
    """The visit's forms of which nothing is recorded."""
    have = {d.form.id for d in records.of_visit(subject, visit.id)}
    return [form for form in visit.forms if form not in have]


def disposition(records: Records, subject: str) -> str | None:
    """The recorded disposition (``completed``, ``screen failure`` ...); None while on study."""
    for datum in reversed(records.data("subject", subject)):
        if datum.item.role == "disposition" and isinstance(datum.value, str):
            return datum.value
    return None


def _ended(records: Records, subject: str, opens: date | None) -> bool:
    """Left the study before the visit's window opened, or before there was an infusion at all."""
    if disposition(records, subject) in (None, "completed"):
        return False
    ends = [
        d.value
        for d in records.data("subject", subject)
        if d.item.role == "end date"
        and any(i.role == "disposition" for i in d.form.all_items)
        and isinstance(d.value, date)
    ]
    return opens is None or (bool(ends) and max(ends) <= opens)


# -- records: what is open ------------------------------------------------------------------------


def check_records(records: Records, today: date | None = None) -> list[Problem]:
    """Open problems of what is recorded: unreadable and implausible values, holes, windows.

    ``today`` (the site's date) makes overdue visits a problem; None leaves the calendar out, as a
    report on a data cut does.
    """
    return [
        *_unread(records),
        *_value_warnings(records),
        *_date_orders(records),
        *_holes(records),
        *_open_scores(records),
        *_windows(records, today),
    ]


def _unread(records: Records) -> list[Problem]:
    """Entries that this study file has no place for: recorded, but no result rests on them."""
    return [
        _at(p, f"{key_words(entry.key)} (entry {entry.seq})")
        for entry in records.snapshot.entries
        if entry.key.kind != "study" and not is_conduct(entry.key)
        for p in _place_problems(records.study, entry.key)
    ]


def _value_warnings(records: Records) -> list[Problem]:
    problems = []
    for kind, ids in (
        ("subject", records.subjects),
        ("donor", records.donors),
        ("lot", records.lots),
    ):
        for about in ids:
            for datum in records.data(kind, about):
                entry = datum.entry
                if entry.value is None:
                    continue
                draft = Draft(entry.key, entry.value, entry.unit)
                problems += [
                    _at(p, f"{key_words(entry.key)} (entry {entry.seq})")
                    for p in _content_problems(records.study, draft, None)
                ]
    return problems


def _date_orders(records: Records) -> list[Problem]:
    """Rows that end before they begin."""
    forms = [f for f in records.study.forms if any(i.role == "end date" for i in f.all_items)]
    keys = [key for form in forms for key in records.instances(form.id)]
    return [problem for key in keys if (problem := date_order(records, key))]


def date_order(records: Records, key: FormKey) -> Problem | None:
    """What speaks against the two dates of a filled-in form: it ends before it can have begun."""
    roles = records.by_role(key)
    start, end = (_dated(roles.get(role)) for role in ("start date", "end date"))
    if start is None or end is None or end.impute("last")[0] >= start.impute("first")[0]:
        return None
    told = sentence("ends on {end}, before it began, {start}", end=str(end), start=str(start))
    return Problem("date.order", told, "warning", key_words(roles["end date"].entry.key))


def _dated(datum: Datum | None) -> PartialDate | None:
    """A recorded date, whole or partial; None where there is none that can be read."""
    try:
        return PartialDate(datum.entry.value) if datum and datum.entry.value else None
    except DateError:
        return None


def _holes(records: Records) -> list[Problem]:
    """Required items that nobody answered on a form that was begun: neither value nor reason."""
    problems = []
    for form in records.study.forms:
        for key in records.instances(form.id):
            filled = records.filled(key)
            empty = [i.id for i in asked(records, key) if i.id not in filled]
            if empty:
                visit = f", visit {key.visit}" if key.visit else ""
                problems.append(
                    Problem(
                        "item.open",
                        f"{', '.join(empty)} of form {form.id} not answered; enter a value or why"
                        " it is missing",
                        "warning",
                        f"{key.kind} {key.about}{visit}",
                    )
                )
    return problems


def asked(records: Records, key: FormKey) -> tuple[Item, ...]:
    """The required items of a filled-in form; those that branching hides are not asked.

    An attribution question is asked only when its finding is there; an item with a rule ``when`` once
    that rule holds.
    """
    form = records.study.form(key.form)
    hidden = form.attributions | {i.id for i in form.items if applies(records, key, i) is not True}
    return tuple(i for i in form.all_items if i.required and i.id not in hidden)


def applies(records: Records, key: FormKey, item: Item) -> bool | None:
    """Whether an item is asked on this form; None where the items that decide it are missing."""
    if item.when is None:
        return True
    rule, filled = records.study.rule(item.when), records.filled(key)
    return rule.evaluate({n: filled[n].value if n in filled else None for n in rule.names})


def _open_scores(records: Records) -> list[Problem]:
    problems = []
    for score in records.scores:
        name, bounds = next(iter(score.bounds.items()))
        if not bounds.known:
            problems.append(
                Problem(
                    "score.bounds",
                    f"{score.form.id} {name} is only known to lie in {bounds}: answers or laboratory"
                    " values are missing",
                    "warning",
                    f"subject {score.subject}, visit {score.visit}",
                )
            )
    return problems


def _windows(records: Records, today: date | None) -> list[Problem]:
    problems = []
    for state in visit_states(records, today or date.min):
        where = f"subject {state.subject}, visit {state.visit.id}"
        if state.out_of_window:
            side = "after" if state.out_of_window > 0 else "before"
            problems.append(
                Problem(
                    "visit.window",
                    f"done on {state.done_on}, {abs(state.out_of_window)} days {side} its window"
                    f" ({state.opens} to {state.closes})",
                    "warning",
                    where,
                )
            )
        if state.state == "partial":
            empty = ", ".join(_empty_forms(records, state.subject, state.visit))
            problems.append(
                Problem("visit.partial", f"nothing recorded on form {empty}", "warning", where)
            )
        if state.state == "overdue" and today is not None:
            problems.append(
                Problem(
                    "visit.overdue",
                    f"nothing recorded; the window closed on {state.closes}",
                    "warning",
                    where,
                )
            )
    return problems
