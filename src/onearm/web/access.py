"""Who is asking, and may they: every view says which right it needs; everything else is denied."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import reverse
from django.utils.translation import gettext as _

from onearm.conduct import Person, rights_of, site_of
from onearm.records import Records
from onearm.web.place import place

View = Callable[..., HttpResponse]


def person_of(request: HttpRequest) -> Person:
    """The signed-in person with the rights that the ledger has now."""
    known = getattr(request, "onearm_person", None)
    if known is None or known.user != request.user.get_username():
        user: Any = request.user
        rights = rights_of(place().records().snapshot, user.get_username())
        known = Person(user.get_username(), user.get_full_name() or user.get_username(), rights)
        request.onearm_person = known  # type: ignore[attr-defined]
    return known


def person_now(request: HttpRequest) -> Person:
    """The same, read anew: a right that ended while a save waited for its turn is gone."""
    request.onearm_person = None  # type: ignore[attr-defined]
    return person_of(request)


def needs(action: str) -> Callable[[View], View]:
    """A view for those who hold this right at some site; the view and the gate look at the site itself."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            if not person_of(request).anywhere(action, place().today()):
                raise PermissionDenied
            return view(request, *args, **named)

        checked.needs = action  # type: ignore[attr-defined]
        return checked

    return decorate


def site_shown(request: HttpRequest, records: Records, kind: str, about: str) -> str:
    """The site of a subject, donor or lot; 404, as if there were none, for people of other sites."""
    if not records.snapshot.about(kind, about):
        raise Http404
    site = site_of(records, kind, about)
    if not person_of(request).sees(site, place().today()):
        raise Http404
    return site


def posted_from(page: str, *parts: str) -> Callable[[View], View]:
    """A view that only records what is posted from a page.

    Whoever comes to its address without posting, as after a sign-in in between, is led to that page and
    told that nothing was recorded. ``parts`` are the parts of the address that name the page.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            if request.method == "POST":
                return view(request, *args, **named)
            if request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["POST"])
            messages.warning(
                request, _("Nothing was recorded: what was sent did not arrive. Do it again here.")
            )
            return HttpResponseRedirect(reverse(page, kwargs={part: named[part] for part in parts}))

        return checked

    return decorate
