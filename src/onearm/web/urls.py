"""Every address. Each view says which right it needs; the few that need none are in ``FREE``."""

from __future__ import annotations

from allauth.account.urls import urlpatterns as allauth_pages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.i18n import set_language

from onearm.web import accounts
from onearm.web.pages import (
    amendments,
    audit,
    cuts,
    entry,
    events,
    overview,
    people,
    products,
    screening,
)

FORM = "form/<str:kind>/<str:about>/<str:visit>/<str:form>/<int:repeat>/"
FREE = ("invited", "ping", "set_language")
ACCOUNT_PAGES = (
    *("account_login", "account_logout", "account_inactive", "account_signup"),
    *("account_reauthenticate", "account_change_password"),
)
"""The pages of allauth that are open; those about e-mail and forgotten passwords are not: nothing is sent."""


def ping(request: HttpRequest) -> HttpResponse:
    """Keep the session alive."""
    return HttpResponse(status=204)


urlpatterns = [
    path("", overview.today, name="today"),
    path("subjects/", overview.subjects, name="subjects"),
    path("subject/<str:about>/", overview.subject, name="subject"),
    path("subject/<str:about>/screening/", screening.screening, name="screening"),
    path("subject/<str:about>/enrol/", screening.enrol, name="enrol"),
    path("subject/<str:about>/missed/<str:visit>/", screening.missed, name="missed"),
    path(FORM, entry.form, name="form"),
    path(f"{FORM}draft/", entry.draft, name="draft"),
    path(f"{FORM}score/", entry.score, name="score"),
    path(f"{FORM}mark/", entry.mark, name="mark"),
    path(f"{FORM}sign/", entry.sign, name="sign"),
    path(f"{FORM}query/", entry.query, name="query"),
    path(f"{FORM}history/<str:item>/", entry.history, name="history"),
    path("date/", entry.date_shown, name="date_shown"),
    path("products/", products.products, name="products"),
    path("events/", events.events, name="events"),
    path("deviations/", events.deviations_page, name="deviations"),
    path("audit/", audit.audit, name="audit"),
    path("audit.csv", audit.audit_csv, name="audit_csv"),
    path("cuts/", cuts.cuts, name="cuts"),
    path("amendment/", amendments.upload, name="amendment"),
    path("amendment/<str:hash>/", amendments.amendment, name="amendment_shown"),
    path("versions/<str:hash>/", amendments.version, name="version"),
    path("lock/", cuts.lock_all, name="lock"),
    path("people/", people.people, name="people"),
    path("people/register/", people.register, name="register"),
    path("people/register.csv", people.register_csv, name="register_csv"),
    path("people/<str:user>/", people.person, name="person"),
    path("invitation/<str:token>/", accounts.invited, name="invited"),
    path("ping/", ping, name="ping"),
    path("language/setlang/", login_not_required(set_language), name="set_language"),
    path("account/", include([page for page in allauth_pages if page.name in ACCOUNT_PAGES])),
    path("account/2fa/", include("allauth.mfa.urls")),
]


@login_not_required
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A page that is not there, or not for this person: the same words for both."""
    from django.shortcuts import render
    from django.utils.translation import gettext as _

    told = {
        "title": _("This page does not exist"),
        "text": _("There is nothing at this address, or nothing that you may see."),
    }
    return render(request, "onearm/error.html", told, status=404)


@login_not_required
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A page whose right the person does not hold."""
    from django.shortcuts import render
    from django.utils.translation import gettext as _

    told = {
        "title": _("You have no right to this page"),
        "text": _("Rights are given by an administrator, by role and site."),
    }
    return render(request, "onearm/error.html", told, status=403)


handler400 = "onearm.web.middleware.not_understood"
handler500 = "onearm.web.middleware.failed"
handler404 = not_found
handler403 = forbidden
