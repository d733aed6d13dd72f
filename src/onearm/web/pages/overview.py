"""What is due, and who is in the trial: today, subjects, one subject."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onearm.conduct import (
    Person,
    Query,
    VisitRow,
    assessment_hash,
    awaiting_signature,
    closed_because,
    decision_of,
    deviations,
    form_state,
    queries,
    site_of,
    subject_state,
    visit_rows,
)
from onearm.errors import OnearmError
from onearm.instruments import DERIVATIONS
from onearm.ledger import Entry
from onearm.product import exposures
from onearm.records import FormKey, Records
from onearm.safety import StoppingState, adverse_events, event_form, stopping_states
from onearm.stats.bayes import beta_binomial
from onearm.web.access import needs, person_of, site_shown
from onearm.web.place import place
from onearm.web.reading import is_number, latin_digits
from onearm.web.words import (
    MISSED,
    day_words,
    in_language,
    late_words,
    lines_of,
    listed,
    moment_words,
    role_word,
    word,
)

WAITING = ("overdue", "due", "partial")


def tell(request: HttpRequest, error: OnearmError) -> None:
    """Say on the next page what an act was refused for, a line each."""
    for line in lines_of(error):
        messages.error(request, line)


def form_url(key: FormKey) -> str:
    """The page of a form; a dash stands for no visit."""
    return reverse("form", args=[key.kind, key.about, key.visit or "-", key.form, key.repeat])


def seen_subjects(records: Records, person: Person, today: date) -> tuple[str, ...]:
    """Subjects of the sites that a person may see."""
    return tuple(s for s in records.subjects if person.sees(site_of(records, "subject", s), today))


def form_line(records: Records, key: FormKey, asked: Iterable[Query] = ()) -> dict[str, Any]:
    """One form at one place: label, state, page, what is open on it."""
    state = form_state(records, key)
    label = records.study.form(key.form).label
    notes = [_("signature void: %(why)s") % {"why": in_language(s.why_void)} for s in state.void]
    return {
        "label": label if key.repeat == 1 else f"{label} {key.repeat}",
        "form": label,
        "subject": key.about,
        "visit": key.visit,
        "state": state.word,
        "word": word(state.word),
        "url": "" if closed_because(records, key) else form_url(key),
        "note": listed(notes, "; "),
        "queries": sum(q.form == key and q.state != "closed" for q in asked),
    }


# -- today ----------------------------------------------------------------------------------------


@needs("see")
def today(request: HttpRequest) -> HttpResponse:
    """What is due, late, open, unsigned; and whether the trial may go on."""
    here = place()
    records, day, person = here.records(), here.today(), person_of(request)
    subjects = set(seen_subjects(records, person, day))
    rows = [r for r in visit_rows(records, day) if r.state.subject in subjects]
    asked = [q for q in queries(records) if q.state != "closed" and q.form.about in subjects]
    visits = [v for r in rows if (v := _waiting(r, day))]
    late = sum(v["state"] == "overdue" for v in visits)
    waiting = _unsigned(records, subjects)
    found = [d for d in deviations(records, exposures(records)) if d.subject in subjects]
    return render(
        request,
        "onearm/today.html",
        {
            "today": day_words(day),
            "site": listed(sorted({r.site for r in person.rights if r.site})),
            "counts": [
                _count(_("subjects"), len(subjects), reverse("subjects")),
                _count(_("treated"), len(subjects & set(records.treated)), reverse("subjects")),
                _count(_("visits waiting"), len(visits), "#visits",
                       ("bad", _("%(n)d overdue") % {"n": late}) if late else ("soft", "")),
                _count(_("open queries"), len(asked), "#queries"),
                _count(_("unsigned forms"), len(waiting), "#unsigned"),
                _count(_("deviations"), len(found), reverse("deviations")),
            ],
            "visits": sorted(visits, key=lambda v: v["rank"]),
            "queries": [_query_line(records, q) for q in asked],
            "unsigned": waiting,
            "rules": [rule_line(s) for s in stopping_states(records)],
        },
    )  # fmt: skip


def _count(
    label: str, number: int, url: str, told: tuple[str, str] = ("soft", "")
) -> dict[str, Any]:
    return {"label": label, "number": number, "url": url, "state": told[0], "word": told[1]}


def _waiting(row: VisitRow, day: date) -> dict[str, Any] | None:
    """A visit that asks for something: due, overdue, begun, or done outside its window."""
    state = row.state
    outside = state.out_of_window
    if row.word not in WAITING and not outside:
        return None
    told = word(row.word)
    if row.word == "overdue" and state.closes:
        days = (day - state.closes).days
        told = ngettext("overdue, %(n)d day", "overdue, %(n)d days", days) % {"n": days}
    if row.word not in WAITING:
        told = late_words(outside)
    kind = row.word if row.word in WAITING else "out of window"
    rank = ({"overdue": 0, "due": 1, "partial": 2}.get(kind, 3), state.closes or date.max)
    return {
        "subject": state.subject,
        "url": reverse("subject", args=[state.subject]),
        "visit": state.visit.label,
        "target": day_words(state.target),
        "window": window_words(row),
        "state": kind,
        "word": told,
        "note": "",
        "rank": (*rank, state.subject),
    }


def window_words(row: VisitRow) -> tuple[str, ...]:
    """First and last day of a visit's window in the calendars of the language; none without an infusion."""
    if row.state.opens is None or row.state.closes is None:
        return ()
    return day_words(row.state.opens), day_words(row.state.closes)


def _query_line(records: Records, query: Query) -> dict[str, Any]:
    last = query.last
    return {
        "subject": query.form.about,
        "visit": query.form.visit,
        "form": records.study.form(query.form.form).label,
        "item": records.study.item(query.form.form, query.item).label,
        "url": f"{form_url(query.form)}#q-{query.item}",
        "state": query.state,
        "word": word(query.state),
        "asked": listed([role_word(last.role), moment_words(last.at)]),
        "words": query.words,
    }


def _unsigned(records: Records, subjects: set[str]) -> list[dict[str, Any]]:
    """Forms that wait for a signature, but those about subjects of other sites."""
    return [
        form_line(records, key)
        for key in awaiting_signature(records)
        if key.kind != "subject" or key.about in subjects
    ]


def rule_line(state: StoppingState) -> dict[str, Any]:
    """A stopping rule in words and as a row of squares, up to the count at which it stops."""
    rule = state.rule
    bound = next(
        (
            k
            for k in range(state.of + 1)
            if beta_binomial(k, state.of, rule.prior).probability_above(rule.limit)
            > rule.probability
        ),
        None,
    )
    told = _("%(count)d of %(of)d treated") % {"count": state.count, "of": state.of}
    if state.unknown:
        told += " " + ngettext(
            "(%(n)d of them counted since grade, relation or start is not recorded)",
            "(%(n)d of them counted since grade, relation or start is not recorded)",
            state.unknown,
        ) % {"n": state.unknown}
    if bound is not None and state.of:
        told += "; " + _("with %(of)d treated the rule stops at %(k)d or more") % {
            "of": state.of,
            "k": bound,
        }
    told += "; " + _("probability %(p).2f that the rate is above %(limit)g %%") % {
        "p": state.probability,
        "limit": 100 * rule.limit,
    }
    near = bound is not None and state.count == bound - 1 and state.count > 0
    name = "stop" if state.stop else "near" if near else "continue"
    return {
        "label": rule.text or rule.event,
        "state": name,
        "word": word(name),
        "words": told + ".",
        "cells": [
            "full" if i < state.count - state.unknown else "open" if i < state.count else "empty"
            for i in range(bound or 0)
        ],
        "url": reverse("events"),
    }


# -- subjects -------------------------------------------------------------------------------------


@needs("see")
def subjects(request: HttpRequest) -> HttpResponse:
    """Every subject with its visits in one row; screening failures stay in the list."""
    here = place()
    records, day, person = here.records(), here.today(), person_of(request)
    error, value = "", ""
    if request.method == "POST":
        value = latin_digits(request.POST.get("about", "")).strip()
        error = _new_fault(records, person, value, request.POST.get("site", ""), day)
        if not error:
            request.session["new_site"] = request.POST.get("site", "")
            first = min(records.study.schedule.visits, key=lambda v: v.offset)
            return HttpResponseRedirect(
                form_url(FormKey("subject", value, first.forms[0], first.id, 1))
            )
    asked = [q for q in queries(records) if q.state != "closed"]
    rows: dict[str, list[VisitRow]] = {}
    for row in visit_rows(records, day):
        rows.setdefault(row.state.subject, []).append(row)
    lines: list[dict[str, Any]] = [
        {
            "id": s,
            "url": reverse("subject", args=[s]),
            "site": site_of(records, "subject", s),
            "state": (state := subject_state(records, s).word),
            "word": word(state),
            "visits": [
                {"label": r.state.visit.id, "state": r.word, "word": word(r.word), "url": ""}
                for r in rows.get(s, [])
            ],
            "open_queries": sum(q.form.about == s for q in asked),
        }
        for s in seen_subjects(records, person, day)
    ]
    chosen = request.GET.get("state", "")
    present = list(dict.fromkeys(line["state"] for line in lines))
    marks = dict.fromkeys(v["state"] for line in lines for v in line["visits"])
    sites = entry_sites(person, day)
    return render(
        request,
        "onearm/subjects.html",
        {
            "subjects": [x for x in lines if not chosen or x["state"] == chosen],
            "more_sites": len({x["site"] for x in lines}) > 1,
            "states": [(s, word(s), sum(x["state"] == s for x in lines)) for s in present],
            "chosen": chosen,
            "new": {
                "url": reverse("subjects"),
                "sites": [(s, s or _("the site")) for s in sites],
                "label": _("Number of the subject"),
                "value": value,
                "error": error,
            }
            if sites
            else None,
            "legend": [(state, word(state)) for state in marks],
        },
        status=422 if error else 200,
    )


def entry_sites(person: Person, day: date) -> list[str]:
    """Sites at which a person may enter data about subjects."""
    return list(dict.fromkeys(r.site for r in person.rights if person.may("enter", r.site, day)))


def _new_fault(records: Records, person: Person, about: str, site: str, day: date) -> str:
    """Why a subject cannot be begun under this number, in words."""
    if site not in entry_sites(person, day):
        return _("You may not enter data at this site; choose another.")
    if about in records.subjects:
        return _("Subject %(about)s is in the trial already; open it from the list.") % {
            "about": about
        }
    return "" if is_number(about) else number_wanted()


def number_wanted() -> str:
    """What a number of a subject, donor or lot looks like, in words."""
    return _(
        "A number is 1 to 40 letters, digits, hyphens, dots or underscores, and begins with a letter or "
        "digit, as 012; correct it."
    )


# -- one subject ----------------------------------------------------------------------------------


@needs("see")
def subject(request: HttpRequest, about: str) -> HttpResponse:
    """One subject: state, schedule with forms, course of scores, what else is recorded."""
    here = place()
    records, day, person = here.records_about(about), here.today(), person_of(request)
    site = site_shown(request, records, "subject", about)
    asked = queries(records)
    state = subject_state(records, about)
    enters = person.may("enter", site, day)
    form = event_form(records)
    keys = records.instances(form.id, about=about) if form else ()
    events = [e for e in adverse_events(records) if e.subject == about]
    return render(
        request,
        "onearm/subject.html",
        {
            "subject": {
                "id": about,
                "state": state.word,
                "word": word(state.word),
                "site": site,
                "facts": _facts(records, about),
            },
            "visits": [
                _visit_line(records, row, asked, enters)
                for row in visit_rows(records, day, [about])
            ],
            "missed_reasons": list(MISSED.items()),
            "unscheduled": _unscheduled(records, about) if enters else [],
            "unplanned": _unplanned_visits(records, about, asked, enters=enters),
            "other_forms": _others(records, about, asked),
            "plots": courses(records, about),
            "events": [
                {
                    "term": e.term,
                    "url": form_url(key),
                    "start": day_words(e.start),
                    "end": day_words(e.end),
                    "grade": "" if e.grade is None else str(e.grade),
                    "serious": e.serious,
                    "related": {True: _("related"), False: _("not related"), None: ""}[e.related],
                    "outcome": e.outcome or "",
                }
                for e, key in zip(events, keys, strict=True)
            ],
            "event_url": form_url(_next(records, about, form.id)) if form and enters else "",
            "screening": _screening_line(records, about),
            "audit_url": f"{reverse('audit')}?subject={about}"
            if person.may("see audit", site, day)
            else "",
        },
    )


def _facts(records: Records, about: str) -> list[tuple[str, str]]:
    found = []
    anchor = records.anchor(about)
    if anchor is not None:
        found.append((_("Infusion"), day_words(anchor)))
    for exposure in exposures(records):
        if exposure.subject == about and exposure.lot:
            found.append((_("Lot"), exposure.lot))
    return found


def decided_on(decision: Entry) -> str:
    """The hash of the evidence that the decision to enrol was signed on."""
    return str(json.loads(decision.value or "{}").get("hash", ""))


def evidence_changed() -> str:
    """That a decision rests on other evidence than stands now."""
    return _("the evidence changed after the decision, which stands as it was taken")


def _screening_line(records: Records, about: str) -> dict[str, str]:
    state = subject_state(records, about)
    results = state.assessment.results
    counts = [
        f"{n} {word(w)}"
        for w in ("met", "not met", "unknown")
        if (n := sum(r.words == w for r in results))
    ]
    decision = decision_of(records, about)
    signed = (
        _("enrolment signed by %(by)s, %(at)s")
        % {"by": decision.by, "at": moment_words(decision.at)}
        if decision
        else _("not signed")
    )
    if decision and decided_on(decision) != assessment_hash(state.assessment):
        signed = listed([signed, evidence_changed()], "; ")
    name = {"eligible": "met", "not eligible": "not met"}.get(state.assessment.decision, "unknown")
    return {
        "url": reverse("screening", args=[about]),
        "state": name,
        "word": word(state.assessment.decision),
        "words": listed([listed(counts), signed], "; "),
    }


def _visit_line(
    records: Records, row: VisitRow, asked: Sequence[Query], enters: bool
) -> dict[str, Any]:
    state, visit = row.state, row.state.visit
    forms = [
        form_line(records, FormKey("subject", state.subject, f, visit.id, 1), asked)
        for f in visit.forms
    ]
    for f in visit.forms:  # further rows of a form that repeats
        for key in records.instances(f, about=state.subject):
            if key.visit == visit.id and key.repeat > 1:
                forms.append(form_line(records, key, asked))
    empty = state.done_on is None and all(f["state"] == "empty" for f in forms)
    note = ""
    if row.word == "missed" and row.missed is not None:
        note = str(MISSED.get(row.missed.reason, row.missed.reason))
    elif state.out_of_window:
        note = late_words(state.out_of_window)
    closed = [
        w
        for f in visit.forms
        if (w := closed_because(records, FormKey("subject", state.subject, f, visit.id, 1)))
    ]
    can_miss = enters and empty and row.missed is None and state.state in ("due", "overdue")
    return {
        "id": visit.id,
        "label": visit.label,
        "target": day_words(state.target),
        "window": window_words(row),
        "done": day_words(state.done_on),
        "state": row.word,
        "word": word(row.word),
        "note": note,
        "forms": forms,
        "closed": in_language(closed[0]) if closed else "",
        "missed_url": reverse("missed", args=[state.subject, visit.id]) if can_miss else "",
    }


def _next(records: Records, about: str, form: str) -> FormKey:
    """Where the next copy of a form outside the schedule goes; struck ones keep their number."""
    keys = [*records.instances(form, about=about), *(k for k in records.struck if k.form == form)]
    used = [k.repeat for k in keys if k.about == about and not k.visit]
    return FormKey("subject", about, form, "", max(used, default=0) + 1)


def _unscheduled(records: Records, about: str) -> list[dict[str, str]]:
    found = []
    for form in records.study.forms:
        if form.about != "subject" or not form.unscheduled or unplanned(records, form.id):
            continue
        key = _next(records, about, form.id)
        if form.repeating or key.repeat == 1:
            found.append({"label": form.label, "url": form_url(key)})
    return found


def _others(records: Records, about: str, asked: Sequence[Query]) -> list[dict[str, Any]]:
    keys = [
        k for f in records.study.forms for k in records.instances(f.id, about=about) if not k.visit
    ]
    keys += [k for k in sorted(records.struck, key=str) if k.about == about]
    others = [
        k for k in keys if k.kind == "subject" and (k.visit or not unplanned(records, k.form))
    ]
    return [form_line(records, k, asked) for k in others]


def unplanned(records: Records, form: str) -> bool:
    """Whether a form of the schedule may be filled in at a visit that was not planned."""
    visits = records.study.schedule.visits
    return records.study.form(form).unscheduled and any(form in v.forms for v in visits)


def unplanned_label(number: int) -> str:
    """The name of a visit that was not planned."""
    return _("Unscheduled visit %(number)d") % {"number": number}


def _unplanned_visits(
    records: Records, about: str, asked: Sequence[Query], *, enters: bool
) -> list[dict[str, Any]]:
    """Visits that were not planned, with their forms, and one more to begin."""
    forms = [f.id for f in records.study.forms if f.about == "subject" and unplanned(records, f.id)]
    begun = [k for f in forms for k in records.instances(f, about=about) if not k.visit]
    begun += [k for k in records.struck if k.about == about and k.form in forms and not k.visit]
    numbers = sorted({k.repeat for k in begun})
    last = numbers[-1] if numbers else 0
    if enters and forms:
        numbers.append(last + 1)
    found = []
    for number in numbers:
        keys = [FormKey("subject", about, f, "", number) for f in forms]
        dates = [d.date for k in keys for d in records.filled(k).values() if d.date]
        lines = [form_line(records, k, asked) for k in keys]
        found.append(
            {
                "label": unplanned_label(number) if number <= last else _("New unscheduled visit"),
                "new": number > last,
                "done": day_words(min(dates)) if dates else "",
                # A form's own number is the visit's, which the heading says.
                "forms": [{**line, "label": line["form"]} for line in lines],
            }
        )
    return found


# -- courses --------------------------------------------------------------------------------------

LEFT, TOP, RIGHT, BOTTOM = 40.0, 14.0, 350.0, 150.0


def courses(records: Records, about: str) -> list[dict[str, Any]]:
    """Each measure of the study over time, drawn small, with its numbers beside it."""
    found = []
    for n, measure in enumerate(records.study.measures):
        readings = _readings(records, measure.id, about)
        if readings:
            found.append(_plot(f"plot-{n}", measure.label, _unit(records, measure.id), readings))
    return found


def _unit(records: Records, measure: str) -> str:
    """The unit of a measure: its own, else that of its item or formula."""
    known = records.study.measure(measure)
    if known.unit or "." in measure:
        return known.unit
    if known.derive is not None:
        return DERIVATIONS[known.derive.name].unit
    return records.study.find_item(measure)[1].unit


Reading = tuple[str, date, float, float]


def _plot(id: str, title: str, unit: str, readings: Sequence[Reading]) -> dict[str, Any]:
    days = [r[1] for r in readings]
    top = _round_up(max(r[3] for r in readings))
    span = max((max(days) - min(days)).days, 1)

    def x(day: date) -> float:
        share = (day - min(days)).days / span if len(set(days)) > 1 else 0.5
        return round(LEFT + 14 + (RIGHT - LEFT - 28) * share, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / top, 1)

    points = []
    for visit, day, low, high in readings:
        known = low == high
        points.append(
            {
                "x": x(day),
                "y": y((low + high) / 2),
                "lower": None if known else y(low),
                "upper": None if known else y(high),
                "visit": visit,
                "date": day_words(day),
                "value": f"{low:g}" if known else f"{low:g} – {high:g}",
                "url": "",
            }
        )
    told = listed(f"{p['value']} ({p['visit']})" for p in points)
    return {
        "id": id,
        "title": title,
        "unit": unit,
        "summary": f"{title}: {told}",
        "y_ticks": [{"y": y(v), "label": f"{v:g}"} for v in (0.0, top / 2, top)],
        "x_ticks": [{"x": x(r[1]), "label": r[0]} for r in _apart(readings, x)],
        "limits": [],
        "line": " ".join(f"{p['x']},{p['y']}" for p in points if p["lower"] is None),
        "points": points,
    }


def _apart(readings: Sequence[Reading], x: Any) -> list[Reading]:
    """Readings whose labels do not run into each other."""
    kept: list[Reading] = []
    for reading in readings:
        if not kept or x(reading[1]) - x(kept[-1][1]) > 30:
            kept.append(reading)
    return kept


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 10, 20 ... above a value: the end of an axis."""
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value > 0:
        scale /= 10
    return next((scale * k for k in (1, 2, 4, 5, 10) if scale * k >= value), 1.0) or 1.0


def _readings(records: Records, measure: str, about: str) -> list[Reading]:
    form, dot, part = measure.partition(".")
    if dot:
        return [
            (s.visit, s.date, s.bounds[part].lower, s.bounds[part].upper)
            for s in records.scores_of(about, form)
            if s.date and part in s.bounds
        ]
    known = records.study.measure(measure)
    if known.derive is not None:
        return [
            (d.visit, d.date, d.value, d.value) for d in records.derived(known, about) if d.date
        ]
    return [
        (d.entry.key.visit, d.date, d.number, d.number)
        for d in records.of_item(about, measure)
        if d.date and d.number is not None
    ]
