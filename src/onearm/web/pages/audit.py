"""The audit trail: filtered, page by page, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from onearm.conduct import (
    Person,
    site_of,
)
from onearm.errors import DateError
from onearm.ledger import Entry
from onearm.records import CONDUCT, FormKey, Records, form_key, is_conduct
from onearm.web.access import needs, person_of
from onearm.web.accounts import record_event
from onearm.web.calendars import read_date
from onearm.web.identifying import CONCEALED, concealed, enter_look, tells_who, words_for
from onearm.web.pages.overview import (
    form_url,
)
from onearm.web.place import place
from onearm.web.words import (
    EVENTS,
    STATES,
    lines_of,
    moment_words,
    role_word,
    word,
)

ROWS = 100
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


def page_of(records: Records, entry: Entry) -> str:
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
        "url": page_of(records, entry),
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
            safe_cell(c)
            for c in (e.seq, e.at, e.by, e.role, e.site, k.kind, k.about, k.visit, k.form, k.item, k.repeat,
                      value, e.unit, e.missing, e.reason, e.study_hash, e.software, e.hash)
        )  # fmt: skip
    told = any(tells_who(records, e.key) and not concealed(records, person, e.key) for e in found)
    with_names = ", with identifying values" if told else ""
    record_event("export", person.user, request, f"audit trail as CSV{with_names}")
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="audit-trail.csv"'
    return response


def safe_cell(cell: object) -> object:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
