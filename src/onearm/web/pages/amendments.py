"""Amended study files: read, compared with the one in force, approved, kept."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from onearm.conduct import (
    AMENDMENT,
    Affected,
    act,
    affected,
    approval_hash,
    draft_amendment,
    refusals,
    site_of,
)
from onearm.errors import OnearmError, StudyError
from onearm.records import FormKey, Records
from onearm.study import Study, load_study
from onearm.study.difference import ABSENT, Difference, diff
from onearm.web.access import needs, person_of
from onearm.web.accounts import confirm_identity
from onearm.web.pages.entry import signing
from onearm.web.pages.overview import form_url
from onearm.web.place import kept_version, place
from onearm.web.words import TOUCHED, in_language, lines_of, moment_words, role_word, word

MOST = 1_000_000
"""Bytes of a study file; the loader takes no more."""
SHOWN = 8
"""Forms named for each way in which data are touched."""


def versions() -> list[dict[str, Any]]:
    """The study files that were in force, newest first, as the page of data cuts lists them."""
    here = place()
    history = here.ledger.history(AMENDMENT)
    rows = [
        {
            "hash": e.value or "",
            "at": moment_words(e.at),
            "by": e.by,
            "role": role_word(e.role),
            "reason": e.reason,
            "current": False,
            "url": reverse("version", args=[e.value]),
        }
        for e in reversed(history)
    ]
    first = history[0].study_hash if history else here.study.hash
    rows.append(
        {
            "hash": first,
            "at": _("since the beginning"),
            "by": "",
            "role": "",
            "reason": "",
            "current": False,
            "url": reverse("version", args=[first]),
        }
    )
    rows[0]["current"] = True
    return rows


@needs("see")
def version(request: HttpRequest, hash: str) -> HttpResponse:
    """A study file that is or was in force, as a file."""
    if hash not in {v["hash"] for v in versions()}:
        raise Http404
    kept = kept_version(place().folder, hash)
    if not kept.exists():
        raise Http404
    response = HttpResponse(kept.read_bytes(), content_type="application/yaml")
    response["Content-Disposition"] = f'attachment; filename="study-{hash[:12]}.yaml"'
    return response


def _proposed(hash: str) -> Path:
    """Where a file waits that was loaded and is not approved."""
    if len(hash) != 64 or not set(hash) <= set("0123456789abcdef"):
        raise Http404
    return kept_version(place().folder, hash).with_suffix(".proposed")


@needs("amend")
def upload(request: HttpRequest) -> HttpResponse:
    """Take an amended study file; nothing changes by that."""
    file = request.FILES.get("study")
    if request.method != "POST":
        return _show_upload(request)
    if file is None or not file.size:
        return _show_upload(request, _("No file was chosen; choose the amended study file."))
    if file.size > MOST:
        return _show_upload(request, _("The file is larger than 1 MB; a study file is text."))
    raw = file.read()
    waiting = _proposed(sha256(raw).hexdigest())
    waiting.write_bytes(raw)
    try:
        study = load_study(waiting)
        refused = [in_language(r) for r in refusals(place().records(), study)]
    except StudyError as error:
        refused = [m.replace(str(waiting), file.name or "study.yaml") for m in error.messages]
    if refused:
        waiting.unlink()
        return _show_upload(request, refused=refused)
    return HttpResponseRedirect(reverse("amendment_shown", args=[waiting.stem]))


def _show_upload(
    request: HttpRequest, error: str = "", refused: list[str] | None = None
) -> HttpResponse:
    told = {"upload": {"url": reverse("amendment"), "error": error}, "refused": refused or []}
    status = 422 if error or refused else 200
    return render(request, "onearm/amendment.html", told, status=status)


@needs("amend")
def amendment(request: HttpRequest, hash: str) -> HttpResponse:
    """Show what an amended file changes and touches; put it in force when it is approved."""
    here, waiting = place(), _proposed(hash)
    if not waiting.exists():
        raise Http404
    study, error = load_study(waiting), ""
    if request.method == "POST":
        error = _approve(request, study, waiting)
        if not error:
            messages.success(request, _("The amended study file is in force."))
            return HttpResponseRedirect(reverse("cuts"))
    records, day, person = here.records(), here.today(), person_of(request)
    touched = affected(records, Records(study, records.snapshot), day)
    refused = [in_language(r) for r in refusals(records, study)]

    def shown(key: FormKey) -> bool:
        return person.sees(site_of(records, key.kind, key.about), day)

    site = next((r.site for r in person.rights if person.may("amend", r.site, day)), "")
    sign = signing(
        request, person, site, "study", approval_hash(records.study, study, touched), ("approval",)
    )
    sign["role"] = role_word(person.role_for("amend", site, day, "study") or "")
    context = {
        "amendment": {"old": here.study.hash, "new": study.hash, "name": study.id},
        "changes": [_change(d) for d in diff(here.study, study)],
        "affected": [_touch(a, shown) for a in touched if a.what != "signature void"],
        "voided": sum(len(a.keys) for a in touched if a.what == "signature void"),
        "refused": refused,
        "approve": None
        if refused
        else {
            "url": reverse("amendment_shown", args=[hash]),
            "error": error,
            "reason": request.POST.get("reason", ""),
            "sign": sign,
        },
    }  # fmt: skip
    return render(request, "onearm/amendment.html", context, status=422 if error else 200)


def _change(difference: Difference) -> dict[str, str]:
    """One difference; what a file does not say is shown as nothing."""
    what = "changed"
    if ABSENT in (difference.left, difference.right):
        what = "added" if difference.left == ABSENT else "removed"
    return {
        "where": difference.path,
        "what": what,
        "word": word(what),
        "before": "" if difference.left == ABSENT else difference.left,
        "after": "" if difference.right == ABSENT else difference.right,
    }


def _touch(found: Affected, shown: Callable[[FormKey], bool]) -> dict[str, Any]:
    """What is touched: all of it counted, what lies at the person's sites named."""
    where = " · ".join(found.where)
    told = str(TOUCHED[found.what])
    return {
        "words": f"{told}: {where}" if where else told,
        "count": len(found.keys),
        "entries": [(_label(k), _address(k)) for k in filter(shown, found.keys)][:SHOWN],
    }


def _label(key: FormKey) -> str:
    return " ".join(part for part in (key.about, key.visit, key.form) if part)


def _address(key: FormKey) -> str:
    return form_url(key) if key.form else reverse("subject", args=[key.about])


def _approve(request: HttpRequest, study: Study, waiting: Path) -> str:
    """Record the approval, then serve the amended file; why not, in words."""
    here, person, post = place(), person_of(request), request.POST
    if not post.get("reason", "").strip():
        return _("An amendment has a reason; write it.")
    if not confirm_identity(request, post.get("password", ""), post.get("code", "")):
        return _(
            "Not signed: the password or the code is wrong. Nothing was recorded; enter both again."
        )
    at = timezone.localtime().isoformat(timespec="seconds")
    with here.write_lock:
        records, day = here.records(), here.today()
        site = next(r.site for r in person.rights if person.may("amend", r.site, day))
        try:
            drafts = draft_amendment(
                records, study, post.get("reason", ""), person, at, post.get("hash", ""), day
            )
            # Kept before it is recorded: what the ledger names must be there after any crash.
            kept_version(here.folder, study.hash).write_bytes(waiting.read_bytes())
            act(records, here.ledger, person, site, drafts, action="amend", today=day, kind="study")
        except OnearmError as error:
            return " ".join(lines_of(error))
        here.amend(study)
    waiting.unlink()
    return ""
