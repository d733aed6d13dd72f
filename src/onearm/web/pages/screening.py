"""The criteria of one subject, the decision to enrol, a visit that did not take place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from onearm.conduct import (
    Person,
    act,
    assessment_hash,
    draft_enrolment,
    draft_exception,
    draft_missed,
    exceptions,
    open_criteria,
    subject_state,
)
from onearm.eligibility import CriterionResult, Evidence
from onearm.errors import OnearmError
from onearm.instruments import Bounds
from onearm.ledger import Entry
from onearm.records import Records, form_key
from onearm.web.access import needs, person_now, person_of, posted_from, site_shown
from onearm.web.accounts import confirm_identity, has_second_factor
from onearm.web.identifying import CONCEALED, concealed, enter_look
from onearm.web.pages.overview import (
    decided_on,
    evidence_changed,
    form_url,
    tell,
)
from onearm.web.place import place
from onearm.web.words import (
    MISSED,
    bounds_words,
    day_words,
    in_language,
    listed,
    role_word,
    word,
    zoned_words,
)


def _wrong(request: HttpRequest) -> None:
    messages.error(
        request,
        _("Not signed: the password or the code is wrong. Nothing was recorded; enter both again."),
    )


@needs("see")
def screening(request: HttpRequest, about: str) -> HttpResponse:
    """Each criterion with its evidence, exceptions, and the decision."""
    here, person = place(), person_of(request)
    records = here.records_about(about)
    site = site_shown(request, records, "subject", about)
    state = subject_state(records, about)
    assessment, excepted = state.assessment, exceptions(records, about)
    open_ = open_criteria(records, assessment)
    in_screening = state.awaits_decision
    enrols = person.may("enrol", site, here.today()) and in_screening
    seen = assessment_hash(assessment)
    sign = {
        "meanings": [("responsibility", _("I take the decision to enrol this subject"))],
        "needs_code": has_second_factor(request.user),
        "name": person.name,
        "role": role_word(person.role_for("enrol", site, here.today()) or ""),
        "hash": seen,
        "error": "",
    }
    results = assessment.results
    told = [(r, _criterion(records, person, about, r, excepted)) for r in results]
    enter_look(request, records, [e for r in results for e in _behind(records, about, r.evidence)])
    counts = [
        f"{n} {word(w)}"
        for w in ("met", "not met", "unknown")
        if (n := sum(r.words == w for r in results))
    ]
    name = {"eligible": "met", "not eligible": "not met"}.get(assessment.decision, "unknown")
    return render(
        request,
        "onearm/screening.html",
        {
            "subject": {
                "id": about,
                "url": reverse("subject", args=[about]),
                "state": state.word,
                "word": word(state.word),
                "site": site,
            },
            "as_of": _("time limits count back from %(day)s") % {"day": day_words(assessment.reference)}
            if assessment.reference
            else "",
            "groups": [
                {"title": title, "criteria": [c for r, c in told if r.inclusion is side]}
                for title, side in ((_("Inclusion"), True), (_("Exclusion"), False))
            ],
            "summary": {"state": name, "word": word(assessment.decision), "words": listed(counts)},
            "exception": {
                "url": reverse("enrol", args=[about]),
                "criteria": [(r.criterion.id, r.criterion.text) for r in results if r.criterion.id in open_],
                "error": "",
                "sign": sign,
            }
            if enrols and open_
            else None,
            "decision": _decision(state.decision, seen),
            "enrol": {"url": reverse("enrol", args=[about]), "sign": sign} if enrols and not open_ else None,
            "enrol_note": _enrol_note(open_, enrols, in_screening),
        },
    )  # fmt: skip


def _enrol_note(open_: Sequence[str], enrols: bool, in_screening: bool) -> str:
    if not in_screening:
        return ""
    if open_:
        return _(
            "Open: %(ids)s. Every criterion is met, or excepted by a signature, before a subject is enrolled."
        ) % {"ids": listed(open_)}
    return "" if enrols else _("The investigator decides on enrolment.")


def _criterion(
    records: Records,
    person: Person,
    about: str,
    result: CriterionResult,
    excepted: Mapping[str, Entry],
) -> dict[str, Any]:
    exception = excepted.get(result.criterion.id)
    told = json.loads(exception.value or "{}") if exception else {}
    return {
        "id": result.criterion.id,
        "text": result.criterion.text,
        "state": result.words,
        "word": word(result.words),
        "evidence": [_evidence(records, person, about, e) for e in result.evidence],
        "exception": {
            "reason": exception.reason,
            "name": told.get("name", exception.by),
            "role": role_word(exception.role),
            "at": zoned_words(told.get("at", "")),
        }
        if exception
        else None,
    }


def _behind(records: Records, about: str, evidence: Sequence[Evidence]) -> list[Entry]:
    """The entries that evidence rests on."""
    seqs = {seq for e in evidence for seq in e.seqs}
    return [e for e in records.snapshot.about("subject", about) if e.seq in seqs]


def _evidence(records: Records, person: Person, about: str, evidence: Evidence) -> dict[str, Any]:
    label, url = evidence.name, ""
    if "." not in evidence.name:
        known = {i.id: i.label for f in records.study.forms for i in f.all_items}
        label = known.get(evidence.name, evidence.name)
    entries = _behind(records, about, [evidence])
    if evidence.seqs:
        entry = next((e for e in entries if e.seq == evidence.seqs[0]), None)
        url = form_url(form_key(entry.key)) if entry else ""
    secret = any(concealed(records, person, e.key) for e in entries)
    return {
        "label": label,
        "value": CONCEALED if secret else _evidence_words(evidence),
        "date": day_words(evidence.date),
        "url": url,
        "seq": evidence.seqs[0] if evidence.seqs else 0,
        "note": "",
    }


def _evidence_words(evidence: Evidence) -> str:
    if isinstance(evidence.value, Bounds) and evidence.shown == str(evidence.value):
        return bounds_words(evidence.value)
    if isinstance(evidence.value, bool):
        return _("yes") if evidence.value else _("no")
    return in_language(evidence.shown)


def _decision(entry: Entry | None, now: str) -> dict[str, Any] | None:
    if entry is None:
        return None
    told = json.loads(entry.value or "{}")
    return {
        "words": word("enrolled"),
        "name": told.get("name", entry.by),
        "role": role_word(entry.role),
        "at": zoned_words(told.get("at", "")),
        "changed": "" if decided_on(entry) == now else evidence_changed(),
    }


@posted_from("screening", "about")
@needs("enrol")
def enrol(request: HttpRequest, about: str) -> HttpResponse:
    """Sign the decision to enrol, or an exception to one criterion."""
    here, post, person = place(), request.POST, person_of(request)
    site = site_shown(request, here.records_about(about), "subject", about)
    back = HttpResponseRedirect(reverse("screening", args=[about]) + "#decision")
    if not confirm_identity(request, post.get("password", ""), post.get("code", "")):
        _wrong(request)
        return back
    at = timezone.localtime().isoformat(timespec="seconds")
    with here.write_lock:
        records = here.records_about(about)
        try:
            if criterion := post.get("criterion", ""):
                draft = draft_exception(
                    records,
                    about,
                    criterion,
                    post.get("reason", ""),
                    person,
                    at,
                    post.get("hash", ""),
                )
            else:
                draft = draft_enrolment(records, about, person, at, post.get("hash", ""))
            act(
                records, here.ledger, person_now(request), site, [draft], action="enrol",
                today=here.today(),
            )  # fmt: skip
        except OnearmError as error:
            tell(request, error)
        else:
            messages.success(request, _("Signed."))
    return back


@posted_from("subject", "about")
@needs("enter")
def missed(request: HttpRequest, about: str, visit: str) -> HttpResponse:
    """Say that a visit did not take place, and why."""
    here, post = place(), request.POST
    site = site_shown(request, here.records_about(about), "subject", about)
    if visit not in {v.id for v in here.study.schedule.visits}:
        raise Http404
    with here.write_lock:
        records = here.records_about(about)
        try:
            draft = draft_missed(records, about, visit, post.get("code", ""), post.get("words", ""))
            act(
                records,
                here.ledger,
                person_now(request),
                site,
                [draft],
                action="enter",
                today=here.today(),
            )
        except OnearmError as error:
            tell(request, error)
        else:
            messages.success(
                request, _("Recorded as missed: %(why)s.") % {"why": MISSED[draft.value or ""]}
            )
    return HttpResponseRedirect(reverse("subject", args=[about]))
