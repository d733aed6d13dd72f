"""Where a subject stands, and what is open to it: screening, enrolment with its signature, visits.

Nothing later opens before: forms of the infusion's visit and after it open with the signed decision to
enrol, the infusion's own form with a released lot that is not known to be for somebody else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from onearm.checks import VisitState, disposition, visit_states
from onearm.conduct.people import Person
from onearm.eligibility import Assessment, assess
from onearm.errors import ConductError
from onearm.ledger import Draft, Entry, Key
from onearm.product import meant_for, release
from onearm.records import CONDUCT, FormKey, Records
from onearm.sentences import sentence, term

ENROLMENT, VISIT = f"{CONDUCT}enrolment", f"{CONDUCT}visit"
NOT_PEOPLE = ("", "CLOCK")
"""What entries about the study are about, where they are about nobody's account."""
MISSED_REASONS = (
    "patient did not come",
    "patient was ill",
    "site was closed",
    "visit was forgotten",
    "other reason",
)


@dataclass(frozen=True)
class SubjectState:
    """Where a subject stands.

    ``word`` is screening, eligible, enrolled, treated, or the recorded disposition.
    """

    subject: str
    site: str
    word: str
    assessment: Assessment
    decision: Entry | None

    @property
    def awaits_decision(self) -> bool:
        """Whether the decision to enrol can still be signed."""
        return self.decision is None and self.word in ("screening", "eligible", "enrolled")


@dataclass(frozen=True)
class VisitRow:
    """A scheduled visit of a subject with what the site said when it was missed."""

    state: VisitState
    missed: Entry | None

    @property
    def word(self) -> str:
        """``missed`` where the site said so and nothing was recorded since, else what the calendar gives."""
        said = self.missed is not None and self.missed.value is not None
        return (
            "missed" if said and self.state.state not in ("done", "partial") else self.state.state
        )


def site_of(records: Records, kind: str, about: str) -> str:
    """The site of a subject, donor or lot: that of the first entry that stands about it."""
    entries = records.snapshot.about(kind, about)
    return entries[0].site if entries else ""


def decision_of(records: Records, subject: str) -> Entry | None:
    """The signed decision to enrol; None while there is none, or after it was taken back."""
    entry = records.snapshot.get(_decision_key(subject))
    return entry if entry is not None and entry.value not in (None, "no") else None


def _decision_key(subject: str) -> Key:
    return Key("subject", subject, form=ENROLMENT, item=f"{CONDUCT}decision")


def exception_key(subject: str, criterion: str) -> Key:
    """Where a signed exception to a criterion is recorded."""
    return Key("subject", subject, form=ENROLMENT, item=f"{CONDUCT}exception.{criterion}")


def exceptions(records: Records, subject: str) -> dict[str, Entry]:
    """Signed exceptions by criterion."""
    population = records.study.population
    ids = [c.id for c in (*population.inclusion, *population.exclusion)]
    found = {i: records.snapshot.get(exception_key(subject, i)) for i in ids}
    return {i: e for i, e in found.items() if e is not None and e.value is not None}


def enrolled(records: Records, subject: str) -> bool:
    """Whether a subject passed screening: infused, or enrolled by decision, and no screen failure.

    The decision is the signed one. Of a subject recorded before anybody held a right (a trial that is only
    brought in from files, where nobody signs), the date of enrolment stands for it: the study file's
    ``population.reference``; a study without one enrols whoever is recorded.
    """
    if disposition(records, subject) == "screen failure":
        return False
    if decision_of(records, subject) is not None or records.anchor(subject) is not None:
        return True
    if records.snapshot.get(_decision_key(subject)) is not None:
        return False  # taken back
    reference = records.study.population.reference
    dated = reference is None or any(
        d.value is not None for d in records.of_item(subject, reference)
    )
    return dated and _before_people(records, subject)


def _before_people(records: Records, subject: str) -> bool:
    """Whether a subject was recorded before the first account's first entry."""
    for kind, about in records.snapshot.order:
        if (kind, about) == ("subject", subject):
            return True
        if kind == "study" and about not in NOT_PEOPLE:
            return False
    return False


def subject_state(records: Records, subject: str) -> SubjectState:
    """Where a subject stands now."""
    assessment, decision = assess(records, subject), decision_of(records, subject)
    ended = disposition(records, subject)
    if ended:
        word = ended
    elif records.anchor(subject) is not None:
        word = "treated"
    elif enrolled(records, subject):
        word = "enrolled"
    else:
        word = "eligible" if not open_criteria(records, assessment) else "screening"
    return SubjectState(subject, site_of(records, "subject", subject), word, assessment, decision)


def open_criteria(records: Records, assessment: Assessment) -> tuple[str, ...]:
    """Criteria neither met nor excepted by signature."""
    excepted = exceptions(records, assessment.subject)
    return tuple(
        r.criterion.id
        for r in assessment.results
        if r.met is not True and _stood(excepted.get(r.criterion.id)) != r.words
    )


def _stood(exception: Entry | None) -> str:
    """How the criterion stood when its exception was signed: one for *unknown* does not cover *not met*."""
    try:
        told = json.loads(exception.value or "{}") if exception is not None else {}
    except ValueError:
        told = {}
    return str(told.get("stood", "")) if isinstance(told, dict) else ""


def assessment_hash(assessment: Assessment) -> str:
    """SHA-256 of what the page of criteria shows: each with its truth and its evidence."""
    told = [
        [
            r.criterion.id,
            r.criterion.text,
            r.words,
            [[e.name, e.shown, str(e.date)] for e in r.evidence],
        ]
        for r in assessment.results
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def draft_exception(
    records: Records,
    subject: str,
    criterion: str,
    reason: str,
    person: Person,
    at: str,
    seen_hash: str,
) -> Draft:
    """A signed exception to one criterion.

    Raises
    ------
    ConductError
        The criterion is unknown or met, the evidence changed since it was looked at, or no reason is given.
    """
    assessment = assess(records, subject)
    results = {r.criterion.id: r for r in assessment.results}
    if criterion not in results:
        raise ConductError(
            "criterion '{criterion}' is not in the study file; the criteria are {criteria}; "
            "choose one",
            criterion=criterion,
            criteria=tuple(results),
        )
    if results[criterion].met is True:
        raise ConductError(
            "{criterion} is met; an exception is for what is not; nothing to do",
            criterion=criterion,
        )
    if not reason.strip():
        raise ConductError(
            "{criterion}: an exception needs a reason; say in words why it is justified",
            criterion=criterion,
        )
    if seen_hash != assessment_hash(assessment):
        raise ConductError(
            "subject {subject}: the evidence changed since you opened the page; a decision rests "
            "on what was shown; look at it again",
            subject=subject,
        )
    value = json.dumps(
        {"name": person.name, "at": at, "stood": results[criterion].words}, ensure_ascii=False
    )
    return Draft(exception_key(subject, criterion), value, reason=reason.strip())


def draft_enrolment(
    records: Records, subject: str, person: Person, at: str, seen_hash: str
) -> Draft:
    """The signed decision to enrol.

    Raises
    ------
    ConductError
        A criterion is neither met nor excepted, the evidence changed since it was looked at, or the
        subject is enrolled or has left.
    """
    state = subject_state(records, subject)
    if not state.awaits_decision:
        raise ConductError(
            "subject {subject}: is {word}; only a subject in screening is enrolled",
            subject=subject,
            word=term(state.word),
        )
    open_ = open_criteria(records, state.assessment)
    if open_:
        words = {r.criterion.id: r.words for r in state.assessment.results}
        told = tuple(sentence("{id} {state}", id=i, state=term(words[i])) for i in open_)
        raise ConductError(
            "subject {subject}: {told}; every criterion is met, or excepted by a signature "
            "with a reason, before a subject is enrolled; enter what is missing or sign an "
            "exception",
            subject=subject,
            told=told,
        )
    if seen_hash != assessment_hash(state.assessment):
        raise ConductError(
            "subject {subject}: the evidence changed since you opened the page; a decision "
            "rests on what was shown; look at it again",
            subject=subject,
        )
    value = json.dumps({"hash": seen_hash, "name": person.name, "at": at}, ensure_ascii=False)
    return Draft(_decision_key(subject), value, reason="enrolled: every criterion met or excepted")


def draft_missed(records: Records, subject: str, visit: str, code: str, words: str) -> Draft:
    """A visit that did not take place, with the reason.

    Raises
    ------
    ConductError
        Something is recorded at the visit, or the reason is none of the list.
    """
    if visit not in {v.id for v in records.study.schedule.visits}:
        raise ConductError(
            "visit '{visit}' is not in the study file; choose one that is", visit=visit
        )
    if any(d.entry.value is not None for d in records.of_visit(subject, visit)):
        raise ConductError(
            "subject {subject}, visit {visit}: values are recorded at it, so it took place; "
            "correct them to 'not done' first",
            subject=subject,
            visit=visit,
        )
    if code not in MISSED_REASONS or (code == "other reason" and not words.strip()):
        raise ConductError(
            "visit {visit}: '{code}' is no reason; the reasons are {reasons}; choose "
            "one, and say more where it is another",
            visit=visit,
            code=code,
            reasons=tuple(map(term, MISSED_REASONS)),
        )
    key = Key("subject", subject, form=VISIT, item=f"{CONDUCT}missed", visit=visit)
    return Draft(key, code, reason=words.strip() or code)


def visit_rows(
    records: Records, today: date, subjects: Sequence[str] | None = None
) -> tuple[VisitRow, ...]:
    """Every scheduled visit of every subject, or of these; missed ones marked."""
    return tuple(
        VisitRow(
            state,
            records.snapshot.get(
                Key(
                    "subject",
                    state.subject,
                    form=VISIT,
                    item=f"{CONDUCT}missed",
                    visit=state.visit.id,
                )
            ),
        )
        for state in visit_states(records, today, subjects)
    )


def closed_because(records: Records, form: FormKey) -> str:
    """Why nothing can be entered on a form yet, in words; ``""`` when it is open."""
    if form.kind != "subject" or not form.visit or records.anchor(form.about) is not None:
        return ""
    study = records.study
    visit = next((v for v in study.schedule.visits if v.id == form.visit), None)
    if visit is None or visit.offset < study.visit_of_anchor().offset:
        return ""  # an unknown visit is the checks' business
    if decision_of(records, form.about) is None:
        return sentence(
            "visit {visit} opens when the decision to enrol is signed", visit=form.visit
        )
    anchor = study.schedule.anchor.form
    if form.form != anchor or not study.product.release:
        return ""
    released = released_lots(records)
    if not released:
        return sentence(
            "the infusion opens when a lot is released: every release test met, or conditionally"
        )
    if all(meant_for(records, lot, form.about) is False for lot in released):
        return sentence(
            "the infusion opens when a lot for this subject is released; those released are of donors who gave for "
            "others: {lots}",
            lots=released,
        )
    return ""


def released_lots(records: Records) -> tuple[str, ...]:
    """Lots that may be given."""
    return tuple(
        lot
        for lot in records.lots
        if release(records, lot).state in ("released", "conditionally released")
    )
