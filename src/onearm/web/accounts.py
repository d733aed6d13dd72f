"""Sign-in, lock-out, second factor, one-time links; each of these events is an entry of the ledger."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, get_user_model, user_login_failed
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from onearm.conduct import ROLE_ACTIONS, Person, Right, draft_grant
from onearm.ledger import Draft, Key
from onearm.web.models import Invitation
from onearm.web.place import place

UNKNOWN = "(unknown name)"  # what was typed may be a password
SYSTEM = "onearm"  # who enters what no person does
USER_NAME = re.compile(r"\w[\w.@+-]{0,39}")
RESERVED = frozenset({SYSTEM, "register"})  # the author of our own entries, and an address
WRONG_BY_ACCOUNT, WRONG_BY_ADDRESS = 5, 20  # wrong tries until a lock
LONGEST_LOCK = timedelta(days=1)
CODE_SECONDS = 120  # longer than any code holds, so that none holds twice
SECOND_FACTOR_ROLES = frozenset(
    role
    for role, actions in ROLE_ACTIONS.items()
    if actions & {"sign", "enrol", "manage people", "amend"}
)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's rules with closed sign-up: accounts are made by invitation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up alone."""
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count by account and address: by account alone, anybody could lock anybody out."""
        told = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{told}:{address_of(request)}"


class Tries(AxesDatabaseHandler):  # type: ignore[misc]
    """Wrong tries are counted by account and address, and more patiently by address alone."""

    def get_failures(self, request: HttpRequest, credentials: Any = None) -> int:
        """Count the wrong tries, in steps of those that lock an account."""
        by_account, by_address = (
            sum(tries.values_list("failures_since_start", flat=True))
            for tries in self.get_user_attempts(request, credentials)
        )
        return int(max(by_account, by_address * WRONG_BY_ACCOUNT // WRONG_BY_ADDRESS))

    def clean_expired_user_attempts(self, request: Any = None, credentials: Any = None) -> int:
        """Forget what is older than the longest lock; a shorter one must not end another's."""
        long_ago = timezone.now() - LONGEST_LOCK
        return int(AccessAttempt.objects.filter(attempt_time__lte=long_ago).delete()[0])

    def reset_user_attempts(self, request: HttpRequest, credentials: Any = None) -> int:
        """Forget the wrong tries at the account that signed in; those at others from there stay."""
        own, _others = self.filter_user_attempts(request, credentials)
        return int(own.delete()[0])


def account_of(typed: str) -> Any:
    """The account that a typed name signs in to, as allauth finds it: whatever the case; None if none."""
    return get_user_model().objects.filter(username__iexact=typed).first() if typed else None


def typed_user_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The account that a sign-in is about, for the lock-out: allauth's own field is ``login``.

    One account has one name here, however it was typed. What names no account may be a password: only a
    keyed digest of it is kept.
    """
    told = credentials or {}
    name = told.get("username") or told.get("login")
    if not name and request is not None:
        name = request.POST.get("login")
    if not name and getattr(request, "user", None) is not None:
        name = request.user.get_username()
    if not name:
        return None
    known = account_of(str(name).strip())
    if known is not None:
        return str(known.get_username())
    return f"? {salted_hmac('onearm.unknown', str(name).strip().casefold()).hexdigest()[:32]}"


def address_of(request: HttpRequest) -> str:
    """The address that a request comes from; the server has put a trusted proxy's word for it there."""
    return str(request.META.get("REMOTE_ADDR", ""))


def cool_off(request: HttpRequest) -> timedelta:
    """How long an account stays locked from an address: 15 minutes, twice as long each time, at most a day."""
    name = typed_user_name(request, None)
    failures = sum(
        a.failures_since_start
        for a in AccessAttempt.objects.filter(username=name, ip_address=address_of(request))
    )
    doublings = int(min(max(0, failures // WRONG_BY_ACCOUNT - 1), 10))
    return min(timedelta(minutes=15 * 2**doublings), LONGEST_LOCK)


# -- what stands in the ledger --------------------------------------------------------------------


@contextmanager
def together() -> Iterator[None]:
    """Change accounts and enter it, or neither: when the ledger refuses, the accounts are as before.

    The write lock comes first, as everywhere, so that two who wait never wait for each other.
    """
    with place().write_lock, transaction.atomic():
        yield


def record_event(
    what: str, user_name: str, request: HttpRequest | None, words: str, by: str = ""
) -> None:
    """Enter an event of an account: when, from which address."""
    here = place()
    address = address_of(request) if request is not None else ""
    value = f"{timezone.now().isoformat(timespec='microseconds')} {address}".strip()
    draft = Draft(Key("study", user_name, form="ACCESS", item=what), value, reason=words)
    with here.write_lock:
        here.ledger.record(
            [draft], by=by or user_name, role="account", site="", study_hash=here.study.hash
        )


def listen() -> None:
    """Enter sign-ins, refusals, lock-outs and changes of second factors."""
    from allauth.account.signals import password_changed
    from allauth.mfa.signals import authentication_failed
    from axes.signals import user_locked_out
    from django.contrib.auth.signals import user_logged_in, user_logged_out
    from django.db.models.signals import post_delete, post_save

    def signed_in(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        request.session["began"] = timezone.now().timestamp()
        try:
            end_expired()
            record_event("signed in", user.get_username(), request, "signed in")
        except Exception:
            request.session.flush()  # nobody is signed in whose sign-in could not be entered
            raise

    def signed_out(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        if user is not None:
            record_event("signed out", user.get_username(), request, "signed out")

    def refused(
        sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_named: Any
    ) -> None:
        known = account_of(str(credentials.get("username") or "").strip())
        name = known.get_username() if known else UNKNOWN
        record_event("refused", name, request, "wrong password or code", SYSTEM)

    def wrong_code(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        told = {"username": user.get_username()}
        user_login_failed.send(sender=__name__, credentials=told, request=request)

    def locked(sender: Any, request: HttpRequest, username: str, **_named: Any) -> None:
        name = username if account_of(username) else UNKNOWN
        record_event("locked out", name, request, "too many wrong tries", SYSTEM)

    # allauth tells of a new factor only after it is kept; what must be kept and entered together, or
    # not at all, is heard from the table.
    def factor_set(sender: Any, instance: Any, created: bool, **_named: Any) -> None:
        if created:
            _record_own(instance, "set")

    def factor_removed(sender: Any, instance: Any, **_named: Any) -> None:
        _record_own(instance, "removed")

    def new_password(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        record_event("password changed", user.get_username(), request, "password changed")

    for signal, heard in (
        (user_logged_in, signed_in),
        (user_logged_out, signed_out),
        (user_login_failed, refused),
        (authentication_failed, wrong_code),
        (user_locked_out, locked),
        (password_changed, new_password),
    ):
        signal.connect(heard, weak=False, dispatch_uid=f"onearm {heard.__name__}")
    post_save.connect(factor_set, Authenticator, weak=False, dispatch_uid="onearm factor_set")
    post_delete.connect(
        factor_removed, Authenticator, weak=False, dispatch_uid="onearm factor_removed"
    )


def _record_own(authenticator: Any, what: str) -> None:
    """Enter what a person does with a factor of his own; an administrator's act is entered as such."""
    request = context.request
    if request is None or request.user.pk != authenticator.user_id:
        return
    codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
    kind = "recovery codes" if codes else "second factor"
    record_event(f"{kind} {what}", request.user.get_username(), request, what)
    if not codes:
        end_sessions(request.user, but=request.session.session_key or "")


def end_expired() -> None:
    """Enter the sessions that ended by rest, and throw them away; each is entered once."""
    for session in Session.objects.filter(expire_date__lte=timezone.now()):
        with together():
            gone, _rows = Session.objects.filter(
                pk=session.pk, expire_date=session.expire_date
            ).delete()
            number = session.get_decoded().get("_auth_user_id")
            user = get_user_model().objects.filter(pk=number).first() if number else None
            if gone and user is not None:
                at = session.expire_date.isoformat(timespec="seconds")
                record_event("timed out", user.get_username(), None, f"at rest until {at}", SYSTEM)


def end_sessions(user: Any, but: str = "") -> None:
    """Throw away the sessions of an account, wherever it is signed in, but the one that is named."""
    for session in Session.objects.exclude(session_key=but):
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


# -- passwords ------------------------------------------------------------------------------------


class NoWordsOfTheTrial:
    """A password that holds the name of the program, the study or a site is the first to be tried."""

    def validate(self, password: str, user: Any = None) -> None:
        """Refuse it."""
        here = place()
        sites = {e.site for e in here.records().snapshot.entries}
        plain = password.casefold()
        if any(w.casefold() in plain for w in ("onearm", here.study.id, *sites) if len(w) > 3):
            raise ValidationError(self.get_help_text())

    def get_help_text(self) -> str:
        """What is expected."""
        return str(_("The password must not hold the name of the program, the study or a site."))


# -- identity again -------------------------------------------------------------------------------


class _Once:
    """A second factor that is not asked while the account is locked, and holds once."""

    user: Any

    def clean_code(self) -> str:
        """Refuse what a locked account is told, and a code that was used."""
        request, name = context.request, self.user.get_username()
        if not AxesProxyHandler.is_allowed(request, {"username": name}):
            request.axes_locked_out = True
            record_event("locked out", name, request, "a code while locked out", SYSTEM)
            raise ValidationError(_("Too many wrong tries; wait, and try again."))
        code: str = super().clean_code()  # type: ignore[misc]
        if _used(self.user, code):
            raise ValidationError(_("This code was used; wait for the next one."))
        return code


class SignInCode(_Once, AuthenticateForm):  # type: ignore[misc]
    """The second factor at sign-in."""


class AgainCode(_Once, ReauthenticateForm):  # type: ignore[misc]
    """The second factor before an account is changed."""


def _used(user: Any, code: str) -> bool:
    """Whether a code was used already; allauth forgets before a code of a slow clock ends."""
    digest = hashlib.sha256(code.strip().encode()).hexdigest()
    return not cache.add(f"onearm.code.{user.pk}.{digest}", "used", CODE_SECONDS)


def has_second_factor(user: Any) -> bool:
    """Whether a person has a second factor."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def wants_second_factor(person: Person) -> bool:
    """Whether a role of this person may sign, enrol, amend or manage people."""
    return any(right.role in SECOND_FACTOR_ROLES for right in person.rights)


def confirm_identity(request: HttpRequest, password: str, code: str) -> bool:
    """Whether whoever sits there now is the person who signed in: password, and code where one is set.

    A wrong one counts towards the lock-out, and is an entry of the ledger.
    """
    user: Any = request.user
    name = user.get_username()
    if authenticate(request, username=name, password=password) is None:
        return False
    if has_second_factor(user) and not _code_holds(user, code):
        user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)
        return False
    return True


def _code_holds(user: Any, code: str) -> bool:
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
    found = Authenticator.objects.filter(user=user, type__in=kinds)
    holds = any(one.wrap().validate_code(code.strip()) for one in found)
    return holds and not _used(user, code)


# -- one-time links -------------------------------------------------------------------------------


def name_refused(name: str) -> str:
    """Why nobody new can have this user name, in words; ``""`` when somebody can.

    A name that the register of rights or an entry of an account holds is taken for good, even when the
    account is gone: names are never used again.
    """
    if not USER_NAME.fullmatch(name) or unicodedata.normalize("NFKC", name) != name:
        return str(_("A user name has at most 40 letters, digits and . @ + - _; write it so."))
    folded = name.casefold()
    had = any(
        kind == "study" and about.casefold() == folded and _had_account(about)
        for kind, about in place().records().snapshot.order
    )
    if had or folded in RESERVED or account_of(name) is not None:
        return str(_("This user name is taken, or was once; choose another."))
    return ""


def _had_account(name: str) -> bool:
    return any(
        entry.key.form == "RIGHTS" or (entry.key.form, entry.key.item) == ("ACCESS", "account made")
        for entry in place().records().snapshot.about("study", name)
    )


class NewPassword(forms.Form):
    """A password, twice."""

    password = forms.CharField(
        label=_("Password, at least 12 characters"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        max_length=256,
        strip=False,
    )
    again = forms.CharField(
        label=_("The same password again"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        max_length=256,
        strip=False,
    )

    def clean(self) -> dict[str, Any]:
        """Two times the same password, and a good one."""
        told = super().clean() or {}
        if told.get("password") != told.get("again"):
            self.add_error("again", _("The two passwords differ; type both again."))
        elif told.get("password"):
            names = {**self.initial, **told}
            user = get_user_model()(
                username=names.get("user_name", ""), first_name=names.get("full_name", "")
            )
            try:
                validate_password(told["password"], user)
            except ValidationError as error:
                self.add_error("password", error)
        return told


class NewPerson(NewPassword):
    """Who opens an invitation: user name and full name where they are not fixed, and a password."""

    user_name = forms.CharField(label=_("User name"), max_length=40)
    full_name = forms.CharField(
        label=_("Name in full, as it stands under a signature"), max_length=150
    )
    field_order = ("user_name", "full_name", "password", "again")

    def clean_user_name(self) -> str:
        """A name that no account has or ever had."""
        name = str(self.cleaned_data["user_name"]).strip()
        if why := name_refused(name):
            raise ValidationError(why)
        return name


@login_not_required
def invited(request: HttpRequest, token: str) -> HttpResponse:
    """Open a one-time link: set name and password; the first one makes the first administrator.

    A link for somebody who has an account sets a new password; names stay as they are.
    """
    invitation = Invitation.of(token)
    if invitation is None:
        raise Http404
    known = account_of(invitation.user_name)
    names = {"user_name": invitation.user_name, "full_name": invitation.full_name}
    kind = NewPerson if known is None else NewPassword
    form = kind(request.POST or None, initial=names)
    for name, value in names.items():
        if value and name in form.fields:
            form.fields[
                name
            ].disabled = True  # what an administrator wrote is not for others to change
    if request.method == "POST" and form.is_valid():
        with together():
            if not invitation.take():
                raise Http404
            _set_up(request, invitation, known, form.cleaned_data)
        words = _("The account is made. Sign in with it.")
        messages.success(request, words if known is None else _("The password is set. Sign in."))
        return HttpResponseRedirect(reverse("account_login"))
    return render(
        request,
        "onearm/invited.html",
        {"form": form, "first": invitation.first, "known": known is not None},
        status=422 if request.method == "POST" else 200,
    )


def _set_up(request: HttpRequest, invitation: Invitation, known: Any, told: dict[str, Any]) -> None:
    """Make the account of a one-time link, or set its new password; the ledger's word comes last."""
    accounts: Any = get_user_model().objects
    if known is not None:
        known.set_password(told["password"])
        known.save(update_fields=["password"])
        name = known.get_username()
        record_event("password changed", name, request, "password set by a one-time link")
        return
    name, here = told["user_name"], place()
    accounts.create_user(username=name, password=told["password"], first_name=told["full_name"])
    record_event("account made", name, request, "account made by a one-time link")
    if invitation.first:
        here.ledger.record(
            [draft_grant(name, Right("administrator", ""))],
            by=name, role="account", site="", study_hash=here.study.hash,
        )  # fmt: skip
