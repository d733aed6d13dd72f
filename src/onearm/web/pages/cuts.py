"""Data cuts, and the lock of every complete form at one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from onearm.conduct import (
    Person,
    act,
    draft_mark,
    form_state,
    queries,
    site_of,
    unsigned,
)
from onearm.errors import OnearmError
from onearm.ledger import Draft, Key
from onearm.records import FormKey, Records
from onearm.web.access import needs, person_now, person_of, posted_from
from onearm.web.pages.amendments import versions
from onearm.web.pages.overview import (
    form_url,
    tell,
)
from onearm.web.place import place
from onearm.web.words import (
    lines_of,
    moment_words,
    role_word,
)

CUT = Key("study", "", form="CUT", item="HEAD")


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
                tell(request, error)
    told = ngettext("%(n)d form locked.", "%(n)d forms locked.", locked) % {"n": locked}
    (messages.success if locked else messages.info)(request, told)
    return back
