"""Sessions that end, second factors that are asked for, errors that are told in words."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from onearm.errors import OnearmError
from onearm.web.access import person_of
from onearm.web.accounts import has_second_factor, wants_second_factor

Answer = Callable[[HttpRequest], HttpResponse]
FREE = ("/account/", "/static/", "/language/", "/ping/", "/invitation/")


class SessionEnds:
    """A session ends 12 hours after it began; idle ones end by the age of their cookie."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or sign out who began too long ago."""
        if request.user.is_authenticated:
            now = timezone.now().timestamp()
            if now - float(request.session.get("began", 0)) > settings.LONGEST_SECONDS:
                logout(request)
                return HttpResponseRedirect(f"{reverse('account_login')}?next={request.path}")
            if now - float(request.session.get("seen", 0)) > settings.RENEW_SECONDS:
                request.session["seen"] = now
        response = self.answer(request)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class SecondFactor:
    """Who may sign or manage people sets a second factor before anything else opens."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or lead to the second factor."""
        if (
            request.user.is_authenticated
            and not request.path.startswith(FREE)
            and wants_second_factor(person_of(request))
            and not has_second_factor(request.user)
        ):
            return HttpResponseRedirect(reverse("mfa_activate_totp"))
        return self.answer(request)


class PlainErrors:
    """A full or read-only disk, a ledger that refuses: a page in words, and nothing half done."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        return self.answer(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Tell what happened where it is one of those; others are Django's."""
        if not isinstance(error, OnearmError | SQLAlchemyError | OSError):
            return None
        told = {
            "title": _("This could not be done"),
            "text": f"{error} " + _("Nothing was recorded."),
            "todo": _(
                "Tell whoever looks after the server; what you typed is still in your browser: go back."
            ),
        }
        return render(request, "onearm/error.html", told, status=503)
