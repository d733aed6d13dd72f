"""Accounts and rights: who may do what where, until when; the register of it is the ledger."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from onearm.conduct import ROLES, Right, act, draft_end, draft_grant, rights_of
from onearm.errors import OnearmError
from onearm.ledger import Entry
from onearm.ledger.entries import name_fault
from onearm.web.access import needs, person_of
from onearm.web.accounts import has_second_factor, record_event
from onearm.web.calendars import read_date
from onearm.web.models import Invitation
from onearm.web.pages.oversight import record_access
from onearm.web.place import place
from onearm.web.words import ROLES as ROLE_WORDS
from onearm.web.words import moment_words, role_word


def _right_words(right: Right) -> str:
    site = right.site or _("every site")
    until = _(", until %(day)s") % {"day": right.until.isoformat()} if right.until else ""
    return f"{role_word(right.role)}, {site}{until}"


@needs("manage people")
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account, and a link for somebody new."""
    snapshot = place().records().snapshot
    link, error = "", ""
    if request.method == "POST":
        user, full = request.POST.get("user", "").strip(), request.POST.get("name", "").strip()
        taken = get_user_model().objects.filter(username__iexact=user).exists()
        if name_fault(user) or not full or len(user) > 40:
            error = _("A user name of at most 40 letters and a full name are needed; write both.")
        elif taken:
            error = _("This user name is taken, or was once; choose another.")
        else:
            token = Invitation.issue(user, full)
            link = request.build_absolute_uri(reverse("invited", args=[token]))
            record_event("invited", user, request, "invited", by=person_of(request).user)
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
        {"rows": rows, "link": link, "error": error, "register_url": reverse("register")},
        status=422 if error else 200,
    )


@needs("manage people")
def person(request: HttpRequest, user: str) -> HttpResponse:
    """One account: its rights, and whether it may sign in."""
    found: Any = get_user_model().objects.filter(username=user).first()
    if found is None:
        raise Http404
    if request.method == "POST":
        error = _change(request, found)
        if error:
            messages.error(request, error)
        return HttpResponseRedirect(reverse("person", args=[user]))
    records = place().records()
    entries = [e for e in place().ledger.entries() if (e.key.kind, e.key.about) == ("study", user)]
    return render(
        request,
        "onearm/person.html",
        {
            "user": user,
            "name": found.get_full_name(),
            "active": found.is_active,
            "factor": has_second_factor(found),
            "rights": [
                {"role": r.role, "site": r.site, "words": _right_words(r)}
                for r in rights_of(records.snapshot, user)
            ],
            "roles": [(r, ROLE_WORDS[r]) for r in ROLES],
            "history": [_event(e) for e in reversed(entries)][:50],
        },
    )


def _event(entry: Entry) -> dict[str, str]:
    return {
        "what": f"{entry.key.form.lower()}: {entry.key.item}",
        "value": entry.words,
        "by": entry.by,
        "at": moment_words(entry.at),
        "reason": entry.reason,
    }


def _change(request: HttpRequest, user: Any) -> str:
    """Do what the page asks; why not, in words."""
    post, name, by = request.POST, user.get_username(), person_of(request)
    todo = post.get("do", "")
    try:
        if todo == "grant":
            until = post.get("until", "").strip()
            right = Right(
                post.get("role", ""),
                post.get("site", "").strip(),
                date.fromisoformat(read_date(until)) if until else None,
            )
            _record(request, draft_grant(name, right))
        elif todo == "end":
            reason = post.get("reason", "").strip()
            if not reason:
                return _("A right ends with a reason; write one.")
            if name == by.user and post.get("role") == "administrator":
                return _(
                    "You cannot end your own right as administrator; another administrator can."
                )
            _record(request, draft_end(name, post.get("role", ""), post.get("site", ""), reason))
        elif todo in ("deactivate", "activate"):
            if name == by.user:
                return _("You cannot lock your own account; another administrator can.")
            user.is_active = todo == "activate"
            user.save(update_fields=["is_active"])
            record_event(
                f"account {todo}d", name, request, post.get("reason", "").strip() or todo, by.user
            )
        elif todo == "reset factor":
            Authenticator.objects.filter(user=user).delete()
            record_event(
                "second factor reset",
                name,
                request,
                post.get("reason", "").strip() or todo,
                by.user,
            )
        else:
            raise Http404
    except (OnearmError, ValueError) as error:
        return str(error)
    messages.success(request, _("Recorded."))
    return ""


def _record(request: HttpRequest, draft: Any) -> None:
    here = place()
    with here.write_lock:
        records = here.records()
        by = person_of(request)
        site = next(r.site for r in by.rights if r.role == "administrator")
        act(
            records,
            here.ledger,
            by,
            site,
            [draft],
            action="manage people",
            today=here.today(),
            kind="study",
        )


def _register() -> list[Entry]:
    return [e for e in place().ledger.entries() if e.key.kind == "study" and e.key.form == "RIGHTS"]


@needs("manage people")
def register(request: HttpRequest) -> HttpResponse:
    """Who had which right when."""
    rows = [
        {
            "user": e.key.about,
            "right": e.key.item,
            "what": e.words,
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
        writer.writerow((e.key.about, role, site, e.words, e.by, e.at, e.reason))
    record_access(request, "export", "register of rights as CSV")
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="register-of-rights.csv"'
    return response
