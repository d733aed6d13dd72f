"""Sessions that end, second factors that are asked for, errors that are told in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.sessions.models import Session
from django.db import Error as AccountsError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from onearm.errors import OnearmError
from onearm.web.access import person_of
from onearm.web.accounts import (
    SYSTEM,
    end_expired,
    has_second_factor,
    record_event,
    together,
    wants_second_factor,
)
from onearm.web.words import lines_of

Answer = Callable[[HttpRequest], HttpResponse]
CHANGING = (
    *("account_change_password", "mfa_activate_totp", "mfa_deactivate_totp"),
    "mfa_generate_recovery_codes",
)
FAULTS = (OnearmError, SQLAlchemyError, AccountsError, OSError)
FREE = ("/account/", "/static/", "/language/", "/ping/", "/invitation/")


class SessionEnds:
    """A session ends 12 hours after it began, or after 15 minutes at rest; either end is an entry."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or sign out who began too long ago."""
        if request.user.is_authenticated:
            now = timezone.now().timestamp()
            if now - float(request.session.get("began", 0)) > settings.LONGEST_SECONDS:
                name = request.user.get_username()
                record_event("timed out", name, request, "12 hours since sign-in", SYSTEM)
                request.session.flush()
                return _sign_in_again(request)
            if now - float(request.session.get("seen", 0)) > settings.RENEW_SECONDS:
                request.session["seen"] = now
        elif _rested(request):
            end_expired()
        response = self.answer(request)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class SignInFirst(LoginRequiredMiddleware):
    """Nothing opens without a sign-in; what was sent by somebody whose session had ended is told as lost."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        """Lead to the page of sign-in."""
        _tell_lost(request)
        answer: HttpResponseRedirect = super().handle_no_permission(request, view_func)
        return answer


def _tell_lost(request: HttpRequest) -> None:
    """Say that what was sent did not arrive, where a person sent it and not the page by itself."""
    by_hand = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    if request.method == "POST" and by_hand:
        messages.warning(
            request,
            _(
                "Your session had ended, so what you sent was not recorded. Sign in and do it again."
            ),
        )


def _sign_in_again(request: HttpRequest) -> HttpResponse:
    _tell_lost(request)
    back = request.get_full_path() if request.method == "GET" else request.path
    answer = HttpResponseRedirect(
        f"{reverse('account_login')}?{urlencode({'next': back}, safe='/')}"
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _rested(request: HttpRequest) -> bool:
    """Whether the browser shows a session that has ended by rest."""
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    ended = {"session_key": key, "expire_date__lte": timezone.now()}
    return bool(key) and Session.objects.filter(**ended).exists()


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

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, named: Any
    ) -> HttpResponse | None:
        """Change a password or a second factor together with its entry, or not at all."""
        match = request.resolver_match
        if request.method != "POST" or match is None or match.url_name not in CHANGING:
            return None
        try:
            with together():
                answer: HttpResponse = view(request, *args, **named)
        except FAULTS as error:
            return self.process_exception(request, error)
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Tell what happened where it is one of those; others are Django's."""
        if not isinstance(error, FAULTS):
            return None
        told = {
            "title": _("This could not be done"),
            "text": f"{words_of(error)} " + _("Nothing was recorded."),
            "todo": _(
                "Tell whoever looks after the server; what you typed is still in your browser: go back."
            ),
        }
        return render(request, "onearm/error.html", told, status=503)


def words_of(error: BaseException | None) -> str:
    """What went wrong, without what a database adds: statements and values."""
    if isinstance(error, OnearmError):
        return " ".join(lines_of(error))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    said = str(getattr(error, "orig", None) or error).casefold()
    if "full" in said or "no space" in said:
        return _("The disk of the server is full.")
    if "readonly" in said or "read-only" in said:
        return _("The disk of the server cannot be written to.")
    return _("The database of the server does not answer as it should.")


@login_not_required
def failed(request: HttpRequest) -> HttpResponse:
    """Whatever else fails: a page that needs no database, and says nothing of the inside."""
    error = sys.exc_info()[1]
    known = isinstance(error, FAULTS)
    told = {
        "title": _("Something went wrong"),
        "text": words_of(error) if known else _("The server met a fault in itself."),
        "todo": _(
            "Open the page again to see what is recorded, then tell whoever looks after the server."
        ),
    }
    return HttpResponse(render_to_string("onearm/error.html", told), status=503 if known else 500)


@login_not_required
def not_understood(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that no page of ours makes, or an address that is not this server's."""
    told = {
        "title": _("This request was not understood"),
        "text": _("Nothing was recorded."),
        "todo": _("Open the server by the address that it was started for, and try again."),
    }
    return HttpResponse(render_to_string("onearm/error.html", told), status=400)


@login_not_required
def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was not made by this server for this browser, or long ago."""
    told = {
        "title": _("This page is too old"),
        "text": _("It was opened before the last sign-in, or this browser keeps no cookies.")
        + " "
        + _("Nothing was recorded."),
        "todo": _("Go back, load the page again and send it once more."),
    }
    return render(request, "onearm/error.html", told, status=403)
