"""Screening and enrolment, events, deviations, the audit trail and data cuts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onearm.conduct import (
    Person,
    act,
    assessment_hash,
    deviations,
    draft_enrolment,
    draft_exception,
    draft_mark,
    draft_missed,
    exceptions,
    form_state,
    open_criteria,
    queries,
    site_of,
    subject_state,
    unsigned,
)
from onearm.eligibility import CriterionResult, Evidence
from onearm.errors import DateError, OnearmError
from onearm.instruments import Bounds
from onearm.ledger import Draft, Entry, Key
from onearm.product import exposures
from onearm.records import CONDUCT, FormKey, Records, form_key, is_conduct
from onearm.safety import adverse_events, event_form, stopping_states
from onearm.web.access import needs, person_now, person_of, posted_from, site_shown
from onearm.web.accounts import confirm_identity, has_second_factor, record_event
from onearm.web.calendars import read_date
from onearm.web.identifying import CONCEALED, concealed, enter_look, tells_who, words_for
from onearm.web.pages.amendments import versions
from onearm.web.pages.overview import (
    decided_on,
    evidence_changed,
    form_url,
    number_wanted,
    rule_line,
    seen_subjects,
)
from onearm.web.place import place
from onearm.web.reading import is_number, latin_digits
from onearm.web.words import (
    EVENTS,
    MISSED,
    STATES,
    bounds_words,
    day_words,
    in_language,
    lines_of,
    listed,
    moment_words,
    role_word,
    word,
    zoned_words,
)

ROWS = 100
CUT = Key("study", "", form="CUT", item="HEAD")


def _tell(request: HttpRequest, error: OnearmError) -> None:
    for line in lines_of(error):
        messages.error(request, line)


def _wrong(request: HttpRequest) -> None:
    messages.error(
        request,
        _("Not signed: the password or the code is wrong. Nothing was recorded; enter both again."),
    )


# -- screening ------------------------------------------------------------------------------------


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
            _tell(request, error)
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
            _tell(request, error)
        else:
            messages.success(
                request, _("Recorded as missed: %(why)s.") % {"why": MISSED[draft.value or ""]}
            )
    return HttpResponseRedirect(reverse("subject", args=[about]))


# -- events and deviations ------------------------------------------------------------------------


@needs("see")
def events(request: HttpRequest) -> HttpResponse:
    """Adverse events, and where the stopping rules stand."""
    here = place()
    records = here.records()
    seen = set(seen_subjects(records, person_of(request), here.today()))
    form = event_form(records)
    keys = records.instances(form.id) if form else ()
    yes_no = {True: _("yes"), False: _("no"), None: ""}
    rows = []
    for e, key in zip(adverse_events(records), keys, strict=True):
        if e.subject not in seen:
            continue
        state = form_state(records, key).word
        rows.append(
            {
                "subject": e.subject,
                "subject_url": reverse("subject", args=[e.subject]),
                "term": e.term,
                "url": form_url(key),
                "start": day_words(e.start),
                "end": day_words(e.end),
                "day": "" if e.day is None else str(e.day),
                "grade": "" if e.grade is None else str(e.grade),
                "serious": yes_no[e.serious],
                "is_serious": bool(e.serious),
                "related": yes_no[e.related],
                "outcome": e.outcome or "",
                "state": state,
                "word": word(state),
            }
        )
    told = ngettext(
        "%(n)d event in %(k)d of %(of)d treated",
        "%(n)d events in %(k)d of %(of)d treated",
        len(rows),
    ) % {
        "n": len(rows),
        "k": len({r["subject"] for r in rows} & set(records.treated)),
        "of": len(records.treated),
    }
    return render(
        request,
        "onearm/events.html",
        {
            "rules": [rule_line(s) for s in stopping_states(records)],
            "events": rows,
            "summary": told,
            "new": [],
            "export_url": "",
            "paging": None,
        },
    )


@needs("see")
def deviations_page(request: HttpRequest) -> HttpResponse:
    """Deviations that the rules found by themselves, and those that people reported."""
    here = place()
    records = here.records()
    seen = set(seen_subjects(records, person_of(request), here.today()))
    entries = {e.seq: e for e in records.snapshot.entries}
    found, reported = [], []
    for d in deviations(records, exposures(records)):
        if d.subject not in seen:
            continue
        line = {
            "subject": d.subject,
            "subject_url": reverse("subject", args=[d.subject]),
            "what": in_language(d.what),
            "date": day_words(d.day),
            "source": d.source,
        }
        places = [(s, _page_of(records, entries[s])) for s in d.seqs if s in entries]
        if d.source != "reported":
            found.append({**line, "entries": places})
            continue
        key = form_key(entries[d.seqs[0]].key)
        state = form_state(records, key).word
        severity = {True: _("important"), False: _("not important"), None: ""}[d.important]
        reported.append(
            {
                **line,
                "severity": severity,
                "url": form_url(key),
                "state": state,
                "word": word(state),
            }
        )
    return render(
        request,
        "onearm/deviations.html",
        {"found": found, "reported": reported, "new": [], "export_url": ""},
    )


# -- the audit trail ------------------------------------------------------------------------------

FILTERS = ("subject", "form", "item", "person", "what", "from", "to")
ENTRY_KINDS = ("value", "change", "mark", "signature", "query", "access")
LATE = {"after completion": f"{CONDUCT}complete", "after signature": f"{CONDUCT}signed"}
"""What may be looked for among values: those of forms on which such an entry stood already."""


@needs("see audit")
def audit(request: HttpRequest) -> HttpResponse:
    """The audit trail, newest first, filtered."""
    here = place()
    records = here.records()
    chosen, errors = _chosen(request)
    found = _filtered(request, chosen)
    page = max(1, _number(request.GET.get("page", "1")))
    rows = found[(page - 1) * ROWS : page * ROWS]
    last = -(-len(found) // ROWS)

    def part(n: int) -> str:
        return f"?{urlencode({**{k: v for k, v in chosen.items() if v}, 'page': n})}"

    enter_look(request, records, rows)
    head = here.ledger.head()
    everyone = {(e.by, e.site) for e in records.snapshot.entries}
    may = person_of(request).may
    people = sorted({by for by, site in everyone if may("see audit", site, here.today())})
    return render(
        request,
        "onearm/audit.html",
        {
            "chosen": chosen,
            "forms": [(f.id, f.label) for f in here.study.forms],
            "kinds": [(k, STATES[k]) for k in (*ENTRY_KINDS, *LATE)],
            "people": [(p, p) for p in people],
            "errors": errors,
            "entries": [_line(records, person_of(request), e) for e in rows],
            "paging": {
                "first": (page - 1) * ROWS + 1,
                "last": (page - 1) * ROWS + len(rows),
                "total": len(found),
                "previous_url": part(page - 1) if page > 1 else "",
                "next_url": part(page + 1) if page < last else "",
            }
            if len(found) > ROWS
            else None,
            "export_url": f"{reverse('audit_csv')}?{urlencode({k: v for k, v in chosen.items() if v})}",
            "verified": _("%(n)d entries; head %(head)s") % {"n": head.seq, "head": head.hash[:16]},
        },
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _page_of(records: Records, entry: Entry) -> str:
    """The page on which an entry stands; ``""`` where it is on none."""
    key = entry.key
    if key.kind == "study" or key.form not in {f.id for f in records.study.forms}:
        return reverse("screening", args=[key.about]) if key.form.startswith(CONDUCT) else ""
    return form_url(form_key(key))


def _line(records: Records, person: Person, entry: Entry) -> dict[str, Any]:
    key = entry.key
    before = [e for e in place().ledger.history(key) if e.seq < entry.seq]
    labels = {f.id: f.label for f in records.study.forms}
    kind = kind_of(entry)
    where = " · ".join(p for p in (key.about, key.visit, labels.get(key.form, key.form)) if p)
    shown = (
        _("hash %(hash)s") % {"hash": entry.hash[:12]}
        if kind == "signature"
        else words_for(records, person, entry)
    )
    return {
        "seq": entry.seq,
        "at": moment_words(entry.at),
        "by": entry.by,
        "role": role_word(entry.role),
        "site": entry.site,
        "what": "",
        "where": where if key.repeat == 1 else f"{where} {key.repeat}",
        "url": _page_of(records, entry),
        "item": str(EVENTS.get(key.item, key.item)) if kind == "access" else key.item,
        "before": words_for(records, person, before[-1])
        if before and kind not in ("signature", "access")
        else "",
        "after": shown,
        "unit": "",
        "reason": entry.reason,
        "study": entry.study_hash[:12],
        "kind": kind,
        "word": word(kind),
    }


def kind_of(entry: Entry) -> str:
    """What an entry is: value, change, mark, signature, query, access."""
    if entry.key.kind == "study":
        return "access"
    if f"{CONDUCT}query" in entry.key.item:
        return "query"
    if any(f"{CONDUCT}{w}" in entry.key.item for w in ("signed", "decision", "exception")):
        return "signature"
    if is_conduct(entry.key):
        return "mark"
    return "change" if entry.reason else "value"


def _chosen(request: HttpRequest) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The filter that was asked for; a date that is none is told, and the filter goes without it."""
    chosen = {name: request.GET.get(name, "").strip() for name in FILTERS}
    errors = []
    for name, label, href in (("from", _("From"), "#f-since"), ("to", _("To"), "#f-until")):
        try:
            chosen[name] = read_date(chosen[name]) if chosen[name] else ""
        except DateError as error:
            errors += [{"field": label, "href": href, "text": t} for t in lines_of(error)]
            chosen[name] = ""
    return chosen, errors


def _filtered(request: HttpRequest, chosen: Mapping[str, str]) -> list[Entry]:
    """Entries of the sites whose trail the person may see, newest first."""
    here, person = place(), person_of(request)
    records, today = here.records(), here.today()

    @cache
    def visible(kind: str, about: str) -> bool:
        """Entries about the study itself are for those who see every site's trail."""
        site = "" if kind == "study" else site_of(records, kind, about)
        return person.may("see audit", site, today)

    entries = list(here.ledger.entries())
    late = _after(entries, LATE[chosen["what"]]) if chosen["what"] in LATE else None
    return [
        e
        for e in reversed(entries)
        if visible(e.key.kind, e.key.about)
        and (late is None or e.seq in late)
        and _wanted(e, chosen)
    ]


def _after(entries: Sequence[Entry], mark: str) -> set[int]:
    """The values that were entered or changed on a form on which the mark had been set before."""
    marked: set[FormKey] = set()
    found = set()
    for entry in entries:
        if entry.key.item.startswith(mark):
            marked.add(form_key(entry.key))
        elif not is_conduct(entry.key) and form_key(entry.key) in marked:
            found.add(entry.seq)
    return found


def _wanted(entry: Entry, chosen: Mapping[str, str]) -> bool:
    key, day, last = entry.key, entry.at[:10], chosen["to"]
    return (
        (not chosen["subject"] or chosen["subject"] == key.about)
        and (not chosen["form"] or chosen["form"] == key.form)
        and chosen["item"].casefold() in key.item.casefold()
        and (not chosen["person"] or chosen["person"] == entry.by)
        and (chosen["what"] in ("", *LATE) or chosen["what"] == kind_of(entry))
        and (not chosen["from"] or day >= chosen["from"])
        and (not last or day[: len(last)] <= last)
    )


@needs("see audit")
def audit_csv(request: HttpRequest) -> HttpResponse:
    """The filtered trail as a file that can be searched; that it was taken is recorded."""
    chosen, errors = _chosen(request)
    if errors:  # the page says what is wrong
        return HttpResponseRedirect(f"{reverse('audit')}?{request.GET.urlencode()}")
    text = io.StringIO()
    writer = csv.writer(text)
    names = ("seq", "at", "by", "role", "site", "kind", "about", "visit", "form", "item", "repeat", "value", "unit",
             "missing", "reason", "study", "software", "hash")  # fmt: skip
    writer.writerow(names)
    person, records = person_of(request), place().records()
    found = _filtered(request, chosen)
    for e in found:
        k = e.key
        value = CONCEALED if concealed(records, person, k) else e.value or ""
        writer.writerow(
            _safe(c) for c in (e.seq, e.at, e.by, e.role, e.site, k.kind, k.about, k.visit, k.form, k.item, k.repeat,
                               value, e.unit, e.missing, e.reason, e.study_hash, e.software, e.hash)
        )  # fmt: skip
    told = any(tells_who(records, e.key) and not concealed(records, person, e.key) for e in found)
    with_names = ", with identifying values" if told else ""
    record_event("export", person.user, request, f"audit trail as CSV{with_names}")
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="audit-trail.csv"'
    return response


def _safe(cell: object) -> object:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


# -- data cuts ------------------------------------------------------------------------------------


@needs("see")
def cuts(request: HttpRequest) -> HttpResponse:
    """Data cuts made; making one; locking every complete form."""
    here, person = place(), person_of(request)
    error = ""
    if request.method == "POST":
        error = _make_cut(request, person)
        if not error:
            return HttpResponseRedirect(reverse("cuts"))
    records, day = here.records(), here.today()
    rows = []
    for e in reversed(here.ledger.history(CUT)):
        told = json.loads(e.value or "{}")
        rows.append(
            {
                "name": e.reason,
                "seq": told.get("seq", 0),
                "head": str(told.get("hash", ""))[:16],
                "at": moment_words(e.at),
                "by": e.by,
                "role": role_word(e.role),
                "locked": "",
                "url": "",
            }
        )
    ready, waiting, open_ = _lockable(records, person)
    return render(
        request,
        "onearm/cuts.html",
        {
            "cuts": rows,
            "new": {
                "url": reverse("cuts"),
                "value": "",
                "error": error,
                "open": _not_ready(records, open_, waiting),
            }
            if person.anywhere("cut", day)
            else None,
            "lock": {
                "url": reverse("lock"),
                "words": _lock_words(len(ready), len(open_)),
                "also": _also_words(len(waiting)) if waiting else "",
            }
            if person.anywhere("lock", day)
            else None,
            "amend_url": reverse("amendment") if person.anywhere("amend", day) else "",
            "versions": versions(),
        },
        status=422 if error else 200,
    )


Forms = list[FormKey]


def _lockable(records: Records, person: Person) -> tuple[Forms, Forms, Forms]:
    """Unlocked forms of the sites a person sees: those ready, those waiting for somebody, those not complete.

    A complete form waits while a signature is lacking, or a query is not closed: locked, it could get
    neither the one nor an answer that changes it.
    """
    ready: Forms = []
    waiting: Forms = []
    open_: Forms = []
    for form in records.study.forms:
        for key in records.instances(form.id):
            if not person.sees(site_of(records, key.kind, key.about), place().today()):
                continue
            state = form_state(records, key)
            if state.has("locked"):
                continue
            if not state.has("complete"):
                open_.append(key)
            else:
                (waiting if _waits(records, key) else ready).append(key)
    return ready, waiting, open_


def _waits(records: Records, key: FormKey) -> bool:
    return bool(unsigned(records, key)) or any(q.state != "closed" for q in queries(records, key))


def _lock_words(ready: int, open_: int) -> str:
    told = ngettext(
        "%(n)d complete form is not locked.", "%(n)d complete forms are not locked.", ready
    ) % {"n": ready}
    stay = ngettext(
        "%(n)d form is not complete and stays open.",
        "%(n)d forms are not complete and stay open.",
        open_,
    ) % {"n": open_}
    return f"{told} {stay}"


def _also_words(waiting: int) -> str:
    return ngettext(
        "Lock also %(n)d complete form that lacks a signature or has an open query",
        "Lock also %(n)d complete forms that lack a signature or have an open query",
        waiting,
    ) % {"n": waiting}


def _not_ready(
    records: Records, open_: Sequence[FormKey], waiting: Sequence[FormKey]
) -> list[dict[str, str]]:
    """Forms that are not complete, or wait for a signature or an answer; the first few of each."""
    lines = []
    for keys, why in (
        (open_, _("not complete")),
        (waiting, _("lacks a signature, or has an open query")),
    ):
        lines += [
            {
                "words": " · ".join(
                    p for p in (k.about, k.visit, records.study.form(k.form).label, why) if p
                ),
                "url": form_url(k),
            }
            for k in keys[:10]
        ]
        if len(keys) > 10:
            more = ngettext("and %(n)d more form", "and %(n)d more forms", len(keys) - 10)
            lines.append(
                {"words": f"{more % {'n': len(keys) - 10}}: {why}", "url": reverse("subjects")}
            )
    return lines


def _make_cut(request: HttpRequest, person: Person) -> str:
    """Name the data as they stand; why that cannot be, in words."""
    here, day = place(), place().today()
    words = request.POST.get("words", "").strip()
    if not person.anywhere("cut", day):
        return _("You have no right to make a data cut.")
    if not words:
        return _("A cut says what it is for; write it, such as interim or final analysis.")
    with here.write_lock:
        records = here.records()
        head = records.snapshot.head
        value = json.dumps({"seq": head.seq, "hash": head.hash})
        site = next(r.site for r in person.rights if person.may("cut", r.site, day))
        try:
            act(
                records, here.ledger, person_now(request), site, [Draft(CUT, value, reason=words)],
                action="cut", today=day, kind="study",
            )  # fmt: skip
        except OnearmError as error:
            return " ".join(lines_of(error))
    messages.success(request, _("The cut is made."))
    return ""


@posted_from("cuts")
@needs("lock")
def lock_all(request: HttpRequest) -> HttpResponse:
    """Lock every complete form of the sites where the person may, site by site; those that wait if asked."""
    here = place()
    back = HttpResponseRedirect(reverse("cuts"))
    if request.POST.get("sure") != "yes":
        messages.error(request, _("Nothing was locked; tick that you are sure."))
        return back
    locked = 0
    with here.write_lock:
        records, day, person = here.records(), here.today(), person_now(request)
        by_site: dict[str, list[Draft]] = {}
        ready, waiting, _open = _lockable(records, person)
        for key in ready + (waiting if request.POST.get("also") == "yes" else []):
            site = site_of(records, key.kind, key.about)
            if person.may("lock", site, day):
                by_site.setdefault(site, []).append(draft_mark(records, key, "locked", True))
        for site, drafts in by_site.items():
            try:
                locked += len(
                    act(records, here.ledger, person, site, drafts, action="lock", today=day)
                )
            except OnearmError as error:
                _tell(request, error)
    told = ngettext("%(n)d form locked.", "%(n)d forms locked.", locked) % {"n": locked}
    (messages.success if locked else messages.info)(request, told)
    return back


@needs("see")
def products(request: HttpRequest) -> HttpResponse:
    """Donors and lots with their forms; a new one is begun here."""
    here, person = place(), person_of(request)
    records, day = here.records(), here.today()
    forms = [f for f in here.study.forms if f.about != "subject"]
    if request.method == "POST":
        about, form = (
            latin_digits(request.POST.get("about", "")).strip(),
            request.POST.get("form", ""),
        )
        known = next((f for f in forms if f.id == form), None)
        begun = known is not None and records.snapshot.about(known.about, about)
        if known is None or not (begun or is_number(about)):
            messages.error(request, number_wanted())
            return HttpResponseRedirect(reverse("products"))
        return HttpResponseRedirect(form_url(FormKey(known.about, about, known.id, "", 1)))
    lines = [
        (form, [(k, form_state(records, k)) for k in records.instances(form.id)
                if person.sees(site_of(records, k.kind, k.about), day)])
        for form in forms
    ]  # fmt: skip
    return render(
        request,
        "onearm/products.html",
        {
            "forms": [
                {
                    "id": form.id,
                    "label": form.label,
                    "rows": [
                        {"id": k.about, "url": form_url(k), "state": s.word, "word": word(s.word)}
                        for k, s in keys
                    ],
                    "may": any(person.may("enter", r.site, day, form.about) for r in person.rights),
                }
                for form, keys in lines
            ]
        },
    )
