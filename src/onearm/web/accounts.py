"""Sign-in, lock-out, second factor, one-time links; each of these events is an entry of the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, get_user_model, user_login_failed
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from onearm.conduct import ROLE_ACTIONS, Person, Right, draft_grant
from onearm.ledger import Draft, Key
from onearm.ledger.entries import name_fault
from onearm.web.models import Invitation
from onearm.web.place import place

UNKNOWN = "(unknown name)"  # what was typed may be a password
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


def typed_user_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The account that a sign-in is about, for the lock-out: allauth's own field is ``login``."""
    told = credentials or {}
    name = told.get("username") or told.get("login")
    if not name and request is not None:
        name = request.POST.get("login")
    if not name and getattr(request, "user", None) is not None:
        name = request.user.get_username()
    return str(name)[:150] if name else None


def address_of(request: HttpRequest) -> str:
    """The address that a request comes from; behind a TLS proxy, the one it names last."""
    from django.conf import settings

    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.TLS and forwarded:
        return str(forwarded.split(",")[-1].strip())
    return str(request.META.get("REMOTE_ADDR", ""))


def cool_off(request: HttpRequest) -> timedelta:
    """How long an account stays locked from an address: 15 minutes, twice as long each time, at most a day."""
    from axes.models import AccessAttempt

    name = typed_user_name(request, None)
    failures = sum(
        a.failures_since_start
        for a in AccessAttempt.objects.filter(username=name, ip_address=address_of(request))
    )
    return timedelta(minutes=min(15 * 2 ** max(0, failures // 5 - 1), 24 * 60))


# -- what stands in the ledger --------------------------------------------------------------------


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
    from allauth.mfa.signals import authenticator_added, authenticator_removed
    from axes.signals import user_locked_out
    from django.contrib.auth.signals import user_logged_in, user_logged_out

    def signed_in(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        request.session["began"] = timezone.now().timestamp()
        record_event("signed in", user.get_username(), request, "signed in")

    def signed_out(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        if user is not None:
            record_event("signed out", user.get_username(), request, "signed out")

    def refused(
        sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_named: Any
    ) -> None:
        typed = credentials.get("username") or ""
        known = get_user_model().objects.filter(username=typed).exists()
        record_event(
            "refused", typed if known else UNKNOWN, request, "wrong password or code", "onearm"
        )

    def locked(sender: Any, request: HttpRequest, username: str, **_named: Any) -> None:
        known = get_user_model().objects.filter(username=username).exists()
        name = username if known else UNKNOWN
        record_event("locked out", name, request, "too many wrong tries", "onearm")

    def factor_set(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        record_event("second factor set", user.get_username(), request, "second factor set")

    def factor_removed(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        record_event("second factor removed", user.get_username(), request, "second factor removed")

    def new_password(sender: Any, request: HttpRequest, user: Any, **_named: Any) -> None:
        record_event("password changed", user.get_username(), request, "password changed")

    for signal, heard in (
        (user_logged_in, signed_in),
        (user_logged_out, signed_out),
        (user_login_failed, refused),
        (user_locked_out, locked),
        (authenticator_added, factor_set),
        (authenticator_removed, factor_removed),
        (password_changed, new_password),
    ):
        signal.connect(heard, weak=False, dispatch_uid=f"onearm {heard.__name__}")


# -- identity again -------------------------------------------------------------------------------


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
    return any(one.wrap().validate_code(code.strip()) for one in found)


# -- one-time links -------------------------------------------------------------------------------


class NewPerson(forms.Form):
    """Who opens an invitation: user name and full name where they are not fixed, and a password."""

    user_name = forms.CharField(label=_("User name"), max_length=40)
    full_name = forms.CharField(
        label=_("Name in full, as it stands under a signature"), max_length=150
    )
    password = forms.CharField(
        label=_("Password, at least 12 characters"), widget=forms.PasswordInput, max_length=256
    )
    again = forms.CharField(
        label=_("The same password again"), widget=forms.PasswordInput, max_length=256
    )

    def clean_user_name(self) -> str:
        """A name that no account has or ever had."""
        name = str(self.cleaned_data["user_name"]).strip()
        if fault := name_fault(name):
            raise ValidationError(fault)
        if get_user_model().objects.filter(username__iexact=name).exists():
            raise ValidationError(_("This user name is taken, or was once; choose another."))
        return name

    def clean(self) -> dict[str, Any]:
        """Two times the same password, and a good one."""
        told = super().clean() or {}
        if told.get("password") != told.get("again"):
            self.add_error("again", _("The two passwords differ; type both again."))
        elif told.get("password"):
            user = get_user_model()(username=told.get("user_name", ""))
            try:
                validate_password(told["password"], user)
            except ValidationError as error:
                self.add_error("password", error)
        return told


@login_not_required
def invited(request: HttpRequest, token: str) -> HttpResponse:
    """Open a one-time link: set name and password; the first one makes the first administrator."""
    invitation = Invitation.of(token)
    if invitation is None:
        raise Http404
    fixed = {"user_name": invitation.user_name, "full_name": invitation.full_name}
    form = NewPerson(request.POST or None, initial=fixed)
    if invitation.user_name:
        form.fields["user_name"].widget.attrs["readonly"] = True
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        name = invitation.user_name or told["user_name"]
        accounts: Any = get_user_model().objects
        accounts.create_user(username=name, password=told["password"], first_name=told["full_name"])
        invitation.delete()
        record_event("account made", name, request, "account made by a one-time link", by=name)
        if invitation.first:
            here = place()
            with here.write_lock:
                here.ledger.record(
                    [draft_grant(name, Right("administrator", ""))],
                    by=name, role="account", site="", study_hash=here.study.hash,
                )  # fmt: skip
        messages.success(request, _("The account is made. Sign in with it."))
        return HttpResponseRedirect(reverse("account_login"))
    return render(
        request,
        "onearm/invited.html",
        {"form": form, "first": invitation.first},
        status=422 if request.method == "POST" else 200,
    )
