"""Adverse events with the stopping rules, and protocol deviations."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onearm.conduct import (
    deviations,
    form_state,
)
from onearm.product import exposures
from onearm.records import form_key
from onearm.safety import adverse_events, event_form, stopping_states
from onearm.web.access import needs, person_of
from onearm.web.pages.audit import page_of
from onearm.web.pages.overview import (
    form_url,
    rule_line,
    seen_subjects,
)
from onearm.web.place import place
from onearm.web.words import (
    day_words,
    in_language,
    word,
)


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
        places = [(s, page_of(records, entries[s])) for s in d.seqs if s in entries]
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
