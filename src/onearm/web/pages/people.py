"""Accounts and rights: who may do what where, until when; the register of it is the ledger."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from onearm.conduct import ROLES, Right, act, draft_end, draft_grant, rights_of
from onearm.errors import OnearmError
from onearm.ledger import Draft, Entry
from onearm.web.access import needs, person_of
from onearm.web.accounts import (
    account_of,
    end_sessions,
    has_second_factor,
    name_refused,
    record_event,
    together,
)
from onearm.web.calendars import read_date
from onearm.web.models import Invitation
from onearm.web.pages.audit import safe_cell
from onearm.web.place import place
from onearm.web.words import EVENTS, in_language, lines_of, listed, moment_words, role_word
from onearm.web.words import ROLES as ROLE_WORDS


def _right_words(right: Right) -> str:
    site = right.site or _("every site")
    until = _(", until %(day)s") % {"day": right.until.isoformat()} if right.until else ""
    return f"{listed([role_word(right.role), site])}{until}"


@needs("manage people")
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account, and a link for somebody new."""
    snapshot = place().records().snapshot
    link, error, user, full = "", "", "", ""
    if request.method == "POST":
        user, full = request.POST.get("user", "").strip(), request.POST.get("name", "").strip()
        if not full or len(full) > 150:
            error = _("A full name is needed, of at most 150 letters; write it.")
        elif why := name_refused(user):
            error = why
        else:
            link = _new_link(request, user, full, "invited")
    everybody: Any = get_user_model().objects.order_by("username")
    rows = [
        {
            "user": u.get_username(),
            "name": u.get_full_name(),
            "url": reverse("person", args=[u.get_username()]),
            "active": u.is_active,
            "factor": has_second_factor(u),
            "rights": [_right_words(r) for r in rights_of(snapshot, u.get_username())],
        }
        for u in everybody
    ]
    return render(
        request,
        "onearm/people.html",
        {
            "rows": rows,
            "link": link,
            "error": error,
            "typed": {"user": user, "name": full} if error else {},
            "register_url": reverse("register"),
        },
        status=422 if error else 200,
    )


def _new_link(request: HttpRequest, user: str, full: str, what: str) -> str:
    """A one-time link, entered as made."""
    with together():
        token = Invitation.issue(user, full)
        why = request.POST.get("reason", "").strip()
        told = f"one-time link made: {why}" if why else "one-time link made"
        record_event(what, user, request, told, by=person_of(request).user)
    return request.build_absolute_uri(reverse("invited", args=[token]))


@needs("manage people")
def person(request: HttpRequest, user: str) -> HttpResponse:
    """One account: its rights, and whether it may sign in."""
    found: Any = account_of(user)
    if found is None or found.get_username() != user:
        raise Http404
    link = error = ""
    if request.method == "POST" and request.POST.get("do") == "new link":
        error = _above(request, found)
        if not error:
            link = _new_link(request, user, found.get_full_name(), "new password allowed")
    elif request.method == "POST":
        error = _change(request, found)
        if not error:
            return HttpResponseRedirect(reverse("person", args=[user]))
    if error:
        messages.error(request, error)
    records = place().records()
    keys = [e.key for e in records.snapshot.about("study", user)]
    entries = sorted((e for k in keys for e in place().ledger.history(k)), key=lambda e: e.seq)
    return render(
        request,
        "onearm/person.html",
        {
            "user": user,
            "name": found.get_full_name(),
            "active": found.is_active,
            "factor": has_second_factor(found),
            "locked": AccessAttempt.objects.filter(username=user).exists(),
            "link": link,
            "rights": [
                {"role": r.role, "site": r.site, "words": _right_words(r)}
                for r in rights_of(records.snapshot, user)
            ],
            "roles": [(r, ROLE_WORDS[r]) for r in ROLES],
            # what was refused stands again in its boxes: nobody corrects a date and gives another right
            "typed": request.POST if error else {},
            "history": [_event(e) for e in reversed(entries)][:50],
        },
        status=422 if error else 200,
    )


def _event(entry: Entry) -> dict[str, str]:
    return {
        "what": str(EVENTS.get(entry.key.item, entry.key.item)),
        "value": in_language(entry.words),
        "by": entry.by,
        "at": moment_words(entry.at),
        "reason": entry.reason,
    }


def _above(request: HttpRequest, user: Any) -> str:
    """Why this administrator may not touch that account, in words: people of other sites are not his."""
    by, today = person_of(request), place().today()
    rights = rights_of(place().records().snapshot, user.get_username())
    if all(by.may("manage people", r.site, today) for r in rights):
        return ""
    return str(
        _("This person has rights at sites where you manage nobody; ask their administrator.")
    )


def _change(request: HttpRequest, user: Any) -> str:
    """Do what the page asks; why not, in words."""
    todo = request.POST.get("do", "")
    try:
        if todo == "grant":
            error = _grant(request, user.get_username())
        elif todo == "end":
            error = _end(request, user.get_username())
        elif todo in ACCOUNT_CHANGES:
            error = _change_account(request, user, todo)
        else:
            raise Http404
    except OnearmError as refused:
        error = " ".join(lines_of(refused))
    if not error:
        messages.success(request, _("Recorded."))
    return error


def _grant(request: HttpRequest, name: str) -> str:
    post = request.POST
    written = post.get("until", "").strip()
    iso = read_date(written) if written else ""
    if iso and len(iso) < len("2026-01-01"):
        return _("A right ends on a day; write its year, month and day.")
    until = date.fromisoformat(iso) if iso else None
    if until is not None and until < place().today():
        return _("A right cannot end before today; write a later date.")
    right = Right(post.get("role", ""), post.get("site", "").strip(), until)
    _record(request, draft_grant(name, right), right.site)
    return ""


def _end(request: HttpRequest, name: str) -> str:
    post = request.POST
    role, site, reason = post.get("role", ""), post.get("site", ""), post.get("reason", "").strip()
    if not reason:
        return _("A right ends with a reason; write one.")
    if name == person_of(request).user and role == "administrator":
        return _("You cannot end your own right as administrator; another administrator can.")
    held = rights_of(place().records().snapshot, name)
    if (role, site) not in {(r.role, r.site) for r in held}:
        return _("This person has no such right; load the page again.")
    _record(request, draft_end(name, role, site, reason), site)
    return ""


ACCOUNT_CHANGES = {
    "deactivate": "account deactivated",
    "activate": "account activated",
    "reset factor": "second factor reset",
    "unlock": "lock-out ended",
}


def _change_account(request: HttpRequest, user: Any, todo: str) -> str:
    """Close, open or unlock an account or take its second factor away, and enter it."""
    name, by = user.get_username(), person_of(request).user
    reason = request.POST.get("reason", "").strip()
    if not reason:
        return _("An account is changed with a reason; write one.")
    if name == by:
        return _("You cannot change your own account here; another administrator can.")
    if error := _above(request, user):
        return error
    with together():
        if todo in ("deactivate", "activate"):
            user.is_active = todo == "activate"
            user.save(update_fields=["is_active"])
        if todo == "reset factor":
            Authenticator.objects.filter(user=user).delete()
        if todo in ("deactivate", "reset factor"):
            end_sessions(user)
        if todo == "unlock":
            AccessAttempt.objects.filter(username=name).delete()
        record_event(ACCOUNT_CHANGES[todo], name, request, reason, by)
    return ""


def _record(request: HttpRequest, draft: Draft, site: str) -> None:
    """Enter a right, if this administrator manages people at its site."""
    here = place()
    with here.write_lock:
        act(
            here.records(),
            here.ledger,
            person_of(request),
            site,
            [draft],
            action="manage people",
            today=here.today(),
            kind="study",
        )


def _register() -> list[Entry]:
    """Every entry about a right, in order."""
    here = place()
    snapshot = here.records().snapshot
    keys = [
        e.key
        for kind, about in snapshot.order
        if kind == "study"
        for e in snapshot.about(kind, about)
        if e.key.form == "RIGHTS"
    ]
    return sorted((e for key in keys for e in here.ledger.history(key)), key=lambda e: e.seq)


@needs("manage people")
def register(request: HttpRequest) -> HttpResponse:
    """Who had which right when."""
    rows = [
        {
            "user": e.key.about,
            "right": e.key.item,
            "what": in_language(e.words),
            "by": e.by,
            "at": moment_words(e.at),
            "reason": e.reason,
        }
        for e in reversed(_register())
    ]
    return render(
        request, "onearm/register.html", {"rows": rows, "export_url": reverse("register_csv")}
    )


@needs("manage people")
def register_csv(request: HttpRequest) -> HttpResponse:
    """The register as a file; that it was taken is recorded."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("user", "role", "site", "what", "by", "at", "reason"))
    for e in _register():
        role, _mark, site = e.key.item.partition("@")
        cells = (e.key.about, role, site, e.words, e.by, e.at, e.reason)
        writer.writerow([safe_cell(cell) for cell in cells])
    record_event("export", person_of(request).user, request, "register of rights as CSV")
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="register-of-rights.csv"'
    return response
