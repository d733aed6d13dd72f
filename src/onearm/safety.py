"""Safety: events by term and grade with the exact bound beside every count, and the stopping rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from onearm.dates import PartialDate, study_day
from onearm.errors import DateError
from onearm.records import Datum, FormKey, Records, seq_set
from onearm.sentences import term
from onearm.stats import Interval, clopper_pearson
from onearm.stats.bayes import beta_binomial
from onearm.study import Form, StoppingRule

NO_TERM = "(term not recorded)"


@dataclass(frozen=True)
class AdverseEvent:
    """One reported event. Missing parts are None, never read as *no*.

    ``emergent`` is True when it began on or after the day of infusion, None when that is not known: no
    infusion, no start, or a partial start (``2017-01``) that leaves both possible.
    """

    subject: str
    term: str
    start: date | None
    end: date | None
    day: int | None
    grade: int | None
    serious: bool | None
    related: bool | None
    outcome: str | None
    emergent: bool | None
    seqs: tuple[int, ...]


@dataclass(frozen=True)
class EventRow:
    """How many of the treated had an event of one kind.

    ``interval`` is the two-sided exact interval of the proportion (Clopper-Pearson), ``upper`` the one-sided
    exact 95 % upper bound: what cannot be ruled out even when the count is zero.
    """

    label: str
    subjects: int
    events: int
    of: int
    max_grade: int | None
    interval: Interval | None
    upper: float | None
    seqs: tuple[int, ...]


def adverse_events(records: Records) -> tuple[AdverseEvent, ...]:
    """Every reported event, in the order of first entry."""
    form = event_form(records)
    if form is None:
        return ()
    return tuple(_event(records, key) for key in records.instances(form.id))


def event_form(records: Records) -> Form | None:
    """The subjects' form that has an item with the role *event term*; None when there is none."""
    for form in records.study.forms:
        if form.about == "subject" and any(i.role == "event term" for i in form.all_items):
            return form
    return None


def _event(records: Records, key: FormKey) -> AdverseEvent:
    roles = records.by_role(key)
    values = {role: datum.value for role, datum in roles.items()}
    start, end = values.get("start date"), values.get("end date")
    anchor = records.anchor(key.about)
    day = study_day(start, anchor) if isinstance(start, date) and anchor else None
    return AdverseEvent(
        key.about,
        str(values.get("event term") or NO_TERM),
        start if isinstance(start, date) else None,
        end if isinstance(end, date) else None,
        day,
        _grade(values.get("grade")),
        _bool(values.get("serious")),
        _bool(values.get("related")),
        str(values["outcome"]) if values.get("outcome") else None,
        _on_or_after(roles.get("start date"), anchor),
        seq_set(records.filled(key).values()),
    )


def _grade(value: object) -> int | None:
    """A CTCAE grade, from a choice or a whole number; anything but 1 to 5 is not known."""
    text = f"{value:g}" if isinstance(value, float) else value
    return int(text) if isinstance(text, str) and text in {"1", "2", "3", "4", "5"} else None


def _on_or_after(start: Datum | None, anchor: date | None) -> bool | None:
    """Whether every day that a start allows lies on or after the anchor, or every day before it."""
    if start is None or start.entry.value is None or anchor is None:
        return None
    try:
        partial = PartialDate(start.entry.value)
    except DateError:
        return None
    if partial.impute("first")[0] >= anchor:
        return True
    return False if partial.impute("last")[0] < anchor else None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def count_events(label: str, events: Sequence[AdverseEvent], treated: Sequence[str]) -> EventRow:
    """Subjects with at least one of these events among the treated, with exact bounds."""
    mine = [e for e in events if e.subject in treated]
    subjects, of = len({e.subject for e in mine}), len(treated)
    grades = [e.grade for e in mine if e.grade is not None]
    return EventRow(
        label,
        subjects,
        len(mine),
        of,
        max(grades) if grades else None,
        clopper_pearson(subjects, of) if of else None,
        clopper_pearson(subjects, of, alternative="upper").upper if of else None,
        tuple(sorted({s for e in mine for s in e.seqs})),
    )


#: The overview that every safety table opens with. An unknown grade, seriousness or relation counts as
#: yes, the worst case; only a death is never supposed.
_OVERVIEW: tuple[tuple[str, Callable[[AdverseEvent], bool]], ...] = (
    ("Any event", lambda e: True),
    ("Related to the cells", lambda e: e.related is not False),
    ("Serious", lambda e: e.serious is not False),
    ("Grade 3 or higher", lambda e: e.grade is None or e.grade >= 3),
    (
        "Related and grade 3 or higher",
        lambda e: e.related is not False and (e.grade is None or e.grade >= 3),
    ),
    ("Fatal", lambda e: e.grade == 5 or e.outcome == "fatal"),
)


def overview(records: Records) -> tuple[EventRow, ...]:
    """Subjects with any, related, serious, severe and fatal events that began on or after the infusion.

    An event whose grade, seriousness or relation is not recorded is counted as the worse.
    """
    events = emergent(records)
    return tuple(
        count_events(label, [e for e in events if test(e)], records.treated)
        for label, test in _OVERVIEW
    )


def emergent(records: Records) -> tuple[AdverseEvent, ...]:
    """Events of treated subjects that began on or after the infusion, or whose start is not known."""
    treated = set(records.treated)
    events = adverse_events(records)
    return tuple(e for e in events if e.subject in treated and e.emergent is not False)


def by_term(records: Records) -> tuple[EventRow, ...]:
    """One row per term, most frequent first, then by name."""
    events = emergent(records)
    terms = {e.term.casefold(): e.term for e in reversed(events)}
    rows = [
        count_events(term, [e for e in events if e.term.casefold() == key], records.treated)
        for key, term in terms.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.subjects, r.label.casefold())))


# -- deviations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deviation:
    """A protocol deviation: reported on a form, or found by a rule of the study file."""

    subject: str
    what: str
    day: date | None
    important: bool | None
    source: str
    seqs: tuple[int, ...]


def reported_deviations(records: Records) -> tuple[Deviation, ...]:
    """Deviations entered on the study's deviation form (the one with the role *deviation term*)."""
    form = next(
        (f for f in records.study.forms if any(i.role == "deviation term" for i in f.all_items)),
        None,
    )
    if form is None:
        return ()
    found = []
    for key in records.instances(form.id):
        roles = records.by_role(key)
        values = {role: datum.value for role, datum in roles.items()}
        day = values.get("start date")
        found.append(
            Deviation(
                key.about,
                str(values.get("deviation term") or "") or term("(not described)"),
                day if isinstance(day, date) else None,
                _bool(values.get("important")),
                "reported",
                seq_set(records.filled(key).values()),
            )
        )
    return tuple(found)


# -- stopping -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoppingState:
    """Where a stopping rule stands.

    ``probability`` is the posterior probability that the event's rate exceeds the rule's limit, given
    ``count`` of ``of`` treated; the rule asks to stop when it exceeds the rule's threshold. An event whose
    grade, relation or start is not recorded counts as meeting the rule (the cautious reading); ``unknown``
    of the ``count`` are counted for such events only.
    """

    rule: StoppingRule
    count: int
    unknown: int
    of: int
    probability: float
    stop: bool
    seqs: tuple[int, ...]


def stopping_states(records: Records) -> tuple[StoppingState, ...]:
    """Every stopping rule of the study file over what is recorded now."""
    return tuple(_stopping(records, rule) for rule in records.study.safety.stopping)


def _stopping(records: Records, rule: StoppingRule) -> StoppingState:
    truths = [(e, event_matches(rule.event, e)) for e in emergent(records)]
    row = count_events(rule.id, [e for e, true in truths if true is not False], records.treated)
    sure = count_events(
        rule.id, [e for e, true in truths if true and e.emergent], records.treated
    ).subjects
    probability = beta_binomial(row.subjects, row.of, rule.prior).probability_above(rule.limit)
    return StoppingState(
        rule,
        row.subjects,
        row.subjects - sure,
        row.of,
        probability,
        probability > rule.probability,
        row.seqs,
    )


def event_matches(rule: str, event: AdverseEvent) -> bool | None:
    """Truth of an event rule such as ``related and grade >= 3`` for one event (three-valued)."""
    from onearm.study.rules import parse_rule

    types = {"related": "yesno", "serious": "yesno", "grade": "number", "term": "text"}
    values: dict[str, object | None] = {
        "related": event.related,
        "serious": event.serious,
        "grade": None if event.grade is None else float(event.grade),
        "term": None if event.term == NO_TERM else event.term,
    }
    return parse_rule(rule, types).evaluate(values)
