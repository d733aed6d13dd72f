"""Sign-in, lock-out, second factor, one-time links, sessions that end; each event in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from tests.web.conftest import PASSWORD, SECRET, code, make_person

from onearm.conduct import Right

NUMBERS = count(1)


@pytest.fixture
def browser(folder: Any) -> Iterator[Any]:
    from axes.models import AccessAttempt
    from django.core.cache import cache
    from django.test import Client

    cache.clear()
    AccessAttempt.objects.all().delete()
    yield Client()
    AccessAttempt.objects.all().delete()


def new_user(*rights: Right, factor: bool = True) -> str:
    user = f"user-{next(NUMBERS)}"
    make_person(user, *rights, factor=factor)
    return user


def sign_in(browser: Any, user: str, password: str = PASSWORD) -> Any:
    return browser.post("/account/login/", {"login": user, "password": password})


def events(user: str) -> list[str]:
    from onearm.web.place import place

    return [
        e.key.item
        for e in place().ledger.entries()
        if (e.key.kind, e.key.form, e.key.about) == ("study", "ACCESS", user)
    ]


def test_a_person_signs_in_with_password_and_code_and_both_stand_in_the_ledger(
    browser: Any,
) -> None:
    user = new_user(Right("investigator", "A"))
    assert sign_in(browser, user)["Location"] == "/account/2fa/authenticate/"
    assert browser.get("/")["Location"].startswith("/account/login/")
    assert events(user) == []
    browser.post("/account/2fa/authenticate/", {"code": "000000"})
    assert browser.get("/").status_code == 302
    browser.post("/account/2fa/authenticate/", {"code": code()})
    assert browser.get("/").status_code == 200
    assert events(user)[-1] == "signed in"
    browser.post("/account/logout/")
    assert events(user)[-1] == "signed out"
    assert browser.get("/").status_code == 302


def test_who_may_sign_must_set_a_second_factor_before_anything_opens(browser: Any) -> None:
    user = new_user(Right("investigator", "A"), factor=False)
    sign_in(browser, user)
    for page in ("/", "/subjects/", "/audit/"):
        assert browser.get(page)["Location"] == "/account/2fa/totp/activate/"


def test_a_coordinator_may_work_without_a_second_factor(browser: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    assert browser.get("/").status_code == 200


def test_five_wrong_passwords_lock_the_account_from_that_address_only(browser: Any) -> None:
    from django.test import Client

    user, other = (
        new_user(Right("coordinator", "A"), factor=False),
        new_user(Right("coordinator", "A"), factor=False),
    )
    for _try in range(5):
        sign_in(browser, user, "wrong password here")
    assert sign_in(browser, user).status_code == 429
    assert browser.get("/").status_code == 302
    assert "locked out" in events(user)
    assert events(user).count("refused") >= 4
    assert sign_in(Client(), other).status_code == 302
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert sign_in(elsewhere, user).status_code == 302
    assert elsewhere.get("/").status_code == 200


def test_wrong_passwords_at_signing_count_to_the_lock_of_the_account(browser: Any) -> None:
    """Who sits at a browser that somebody left signed in cannot try passwords there for ever."""
    user = new_user(Right("investigator", "A"))
    sign_in(browser, user)
    browser.post("/account/2fa/authenticate/", {"code": code()})
    form = f"/form/subject/{user}/M-3/URINE/1/"
    browser.post("/subjects/", {"about": user, "site": "A"})
    browser.post(form, {"v-UPROT24H": "1.8", "do": "save"})
    boxes = {"meaning": "review", "hash": "0" * 64, "code": code()}
    for _try in range(5):
        answer = browser.post(f"{form}sign/", {**boxes, "password": "wrong password here"})
        assert answer.status_code in (302, 403, 429)
    assert "locked out" in events(user)
    assert events(user).count("refused") >= 4
    from django.test import Client

    assert sign_in(Client(), user).status_code == 429


def test_a_lock_lasts_twice_as_long_each_time(browser: Any, rf: Any) -> None:
    from axes.models import AccessAttempt

    from onearm.web.accounts import cool_off, typed_user_name

    request = rf.post("/account/login/", {"login": "someone"})
    lasted = []
    for failures in (5, 10, 15, 200):
        AccessAttempt.objects.all().delete()
        AccessAttempt.objects.create(
            username=typed_user_name(request, None), ip_address="127.0.0.1",
            failures_since_start=failures, user_agent="", path_info="",
        )  # fmt: skip
        lasted.append(cool_off(request).total_seconds() / 60)
    assert lasted == [15, 30, 60, 24 * 60]


@pytest.fixture
def rf() -> Any:
    from django.test import RequestFactory

    return RequestFactory()


def test_what_is_typed_as_a_user_name_never_reaches_the_ledger(browser: Any) -> None:
    from onearm.web.place import place

    sign_in(browser, "my secret password typed in the wrong box")
    texts = [f"{e.key} {e.value} {e.reason}" for e in place().ledger.entries()]
    assert not any("my secret" in t for t in texts)
    assert events("(unknown name)")[-1] == "refused"
    assert not any(PASSWORD in t or SECRET in t for t in texts)


def test_nobody_signs_up_alone(browser: Any) -> None:
    assert "closed" in browser.get("/account/signup/").content.decode().casefold()
    browser.post(
        "/account/signup/", {"username": "me", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert sign_in(browser, "me").status_code == 200


def test_a_one_time_link_serves_once_and_asks_a_good_password(browser: Any) -> None:
    from onearm.web.models import Invitation

    link = f"/invitation/{Invitation.issue('invited-1', 'Invited (test)')}/"
    boxes = {"user_name": "invited-1", "full_name": "Invited (test)"}
    for password in (
        "short",
        "password1234",
        "invited-1invited",
        "my OneArm secret",
        "of ln-msc-2018!",
    ):
        answer = browser.post(link, {**boxes, "password": password, "again": password})
        assert answer.status_code == 422
    assert (
        browser.post(link, {**boxes, "password": PASSWORD, "again": "another one here"}).status_code
        == 422
    )
    assert browser.post(link, {**boxes, "password": PASSWORD, "again": PASSWORD}).status_code == 302
    assert browser.get(link).status_code == 404
    assert "account made" in events("invited-1")


def test_the_invited_cannot_take_another_user_name(browser: Any) -> None:
    from django.contrib.auth import get_user_model

    from onearm.web.models import Invitation

    link = f"/invitation/{Invitation.issue('invited-2', 'Invited (test)')}/"
    boxes = {
        "user_name": "somebody-else",
        "full_name": "x",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    browser.post(link, boxes)
    names = set(get_user_model().objects.values_list("username", flat=True))
    assert "invited-2" in names
    assert "somebody-else" not in names


def test_the_first_link_makes_an_administrator_and_holds_only_while_there_is_no_account(
    browser: Any, people: dict[str, Any]
) -> None:
    from onearm.conduct import rights_of
    from onearm.web.models import Invitation
    from onearm.web.place import place
    from onearm.web.serve import first_link

    assert first_link("http://127.0.0.1:8000") == ""
    link = f"/invitation/{Invitation.issue(first=True)}/"
    boxes = {
        "user_name": "first-1",
        "full_name": "First (test)",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    browser.post(link, boxes)
    assert rights_of(place().records().snapshot, "first-1") == (Right("administrator", ""),)


def test_a_session_ends_twelve_hours_after_it_began_even_when_it_is_used(browser: Any) -> None:
    from django.conf import settings
    from django.utils import timezone

    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    session = browser.session
    session["began"] = timezone.now().timestamp() - settings.LONGEST_SECONDS - 1
    session.save()
    assert browser.get("/")["Location"].startswith("/account/login/?next=/")


def test_a_session_ends_after_fifteen_idle_minutes_and_use_renews_it(browser: Any) -> None:
    from django.conf import settings
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    browser.get("/")
    kept = Session.objects.get(session_key=browser.session.session_key)
    left = (kept.expire_date - timezone.now()).total_seconds()
    assert 890 < left <= settings.IDLE_SECONDS == 900
    session = browser.session
    session["seen"] = timezone.now().timestamp() - 120
    session.save()
    browser.get("/")
    assert browser.session["seen"] > timezone.now().timestamp() - 5
    Session.objects.filter(session_key=browser.session.session_key).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )
    assert browser.get("/").status_code == 302


def test_an_ended_right_and_a_closed_account_open_nothing_any_more(
    browser: Any, client_of: Callable[[str], Any]
) -> None:
    administrator = make_person("administrator-all", Right("administrator", ""))
    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    assert browser.get("/subjects/").status_code == 200
    from django.test import Client
    from django.utils import timezone

    other = Client()
    other.force_login(administrator, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = other.session
    session["began"] = timezone.now().timestamp()
    session.save()
    other.post(f"/people/{user}/", {"do": "end", "role": "coordinator", "site": "A", "reason": ""})
    assert browser.get("/subjects/").status_code == 200
    other.post(
        f"/people/{user}/",
        {"do": "end", "role": "coordinator", "site": "A", "reason": "left the site"},
    )
    assert browser.get("/subjects/").status_code == 403
    other.post(f"/people/{user}/", {"do": "deactivate", "reason": "left the site"})
    assert browser.get("/subjects/").status_code == 302
    register = other.get("/people/register/").content.decode()
    assert "left the site" in register


def test_a_ledger_that_refuses_ends_in_plain_words(
    browser: Any, monkeypatch: pytest.MonkeyPatch, client_of: Callable[[str], Any]
) -> None:
    from onearm.ledger import Ledger

    client = client_of("coordinator-a")

    def full(*_args: Any, **_named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "record", full)
    boxes = {"v-SEX": "F", "do": "save"}
    client.post("/subjects/", {"about": "FULL", "site": "A"})
    answer = client.post("/form/subject/FULL/M-3/DEMOG/1/", boxes)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "No space left on device" in page
    assert "Nothing was recorded." in page
    assert "Traceback" not in page


def test_a_server_for_other_machines_wants_tls(folder: Any) -> None:
    from onearm.errors import OnearmError
    from onearm.web.serve import serve

    with pytest.raises(OnearmError, match="speaks no TLS"):
        serve(folder, host="0.0.0.0")


def signed_in_as(user: Any) -> Any:
    from django.test import Client
    from django.utils import timezone

    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["began"] = timezone.now().timestamp()
    session.save()
    return client


@pytest.fixture
def administrator(browser: Any) -> Any:
    return signed_in_as(make_person("administrator-all", Right("administrator", "")))


def test_another_case_of_a_user_name_is_the_same_account_to_the_lock(browser: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    for typed in (user, user.upper(), user.title(), user, user.upper()):
        sign_in(browser, typed, "wrong password here")
    assert sign_in(browser, user.title()).status_code == 429
    assert events("(unknown name)")[-1:] != ["locked out"]
    assert "locked out" in events(user)


def test_twenty_wrong_tries_at_many_names_lock_the_address_but_nobody_elsewhere(
    browser: Any,
) -> None:
    from django.core.cache import cache
    from django.test import Client

    user = new_user(Right("coordinator", "A"), factor=False)
    for number in range(20):
        cache.clear()
        sign_in(browser, f"nobody-{number}", "wrong password here")
    assert sign_in(browser, user).status_code == 429
    assert sign_in(Client(REMOTE_ADDR="192.0.2.8"), user).status_code == 302


def test_signing_in_to_one_account_forgives_no_wrong_tries_at_another(browser: Any) -> None:
    from axes.models import AccessAttempt

    user, other = (new_user(Right("coordinator", "A"), factor=False) for _one in range(2))
    sign_in(browser, user, "wrong password here")
    sign_in(browser, other, "wrong password here")
    assert sign_in(browser, other).status_code == 302
    assert [a.username for a in AccessAttempt.objects.all()] == [user]


def test_somebody_elses_wrong_tries_never_shorten_a_long_lock(browser: Any) -> None:
    from axes.models import AccessAttempt
    from django.core.cache import cache
    from django.test import Client
    from django.utils import timezone

    user = new_user(Right("coordinator", "A"), factor=False)
    for _try in range(10):
        sign_in(browser, user, "wrong password here")
    earlier = timezone.now() - timedelta(minutes=20)
    AccessAttempt.objects.filter(username=user).update(attempt_time=earlier)
    sign_in(Client(REMOTE_ADDR="192.0.2.9"), "nobody", "wrong password here")
    cache.clear()
    assert sign_in(browser, user).status_code == 429


def test_wrong_codes_at_sign_in_are_entered_and_lock_even_the_right_code_out(browser: Any) -> None:
    user = new_user(Right("investigator", "A"))
    sign_in(browser, user)
    for _try in range(5):
        answer = browser.post("/account/2fa/authenticate/", {"code": "000000"})
    assert answer.status_code == 429
    assert events(user).count("refused") == 5
    assert browser.post("/account/2fa/authenticate/", {"code": code()}).status_code == 429
    assert browser.get("/").status_code == 302
    assert "signed in" not in events(user)


def test_a_recovery_code_opens_once(browser: Any) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from django.core.cache import cache
    from django.test import Client

    user = make_person(new_user(Right("investigator", "A")))
    recovery = RecoveryCodes.activate(user).get_unused_codes()[0]
    for client, opens in ((browser, 200), (Client(), 302)):
        cache.clear()
        sign_in(client, user.username)
        client.post("/account/2fa/authenticate/", {"code": recovery})
        assert client.get("/").status_code == opens


def test_a_code_holds_once_although_a_slow_clock_is_forgiven(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from allauth.mfa.totp.internal.auth import TOTP
    from django.test import Client

    monkeypatch.setattr(TOTP, "_mark_code_used", lambda _self, _code: True)
    user, given = new_user(Right("investigator", "A")), code()
    for client, opens in ((browser, 200), (Client(), 302)):
        sign_in(client, user)
        client.post("/account/2fa/authenticate/", {"code": given})
        assert client.get("/").status_code == opens


def test_what_is_typed_in_a_box_of_secrets_is_kept_nowhere(browser: Any, folder: Any) -> None:
    user = new_user(Right("investigator", "A"))
    typed = ("a-password-in-the-name-box", "a-wrong-password-typed", "739154")
    sign_in(browser, typed[0], typed[1])
    sign_in(browser, user)
    browser.post("/account/2fa/authenticate/", {"code": typed[2]})
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM axes_accessattempt")
        kept = str(cursor.fetchall())
    assert user in kept
    assert not [word for word in (*typed, PASSWORD) if word in kept]


def test_nobody_is_signed_in_whose_sign_in_could_not_be_entered(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onearm.ledger import Ledger

    user = new_user(Right("coordinator", "A"), factor=False)

    def full(*_args: Any, **_named: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(Ledger, "record", full)
        assert sign_in(browser, user).status_code == 503
    assert browser.get("/").status_code == 302


def test_a_session_at_rest_is_entered_as_timed_out_once(browser: Any) -> None:
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    Session.objects.filter(session_key=browser.session.session_key).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )
    for _time in range(2):
        assert browser.get("/subjects/?site=A")["Location"].startswith("/account/login/?next=")
    assert events(user).count("timed out") == 1


def test_an_end_after_twelve_hours_is_entered_and_leads_back_to_the_page(browser: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    session = browser.session
    session["began"] = 0
    session.save()
    answer = browser.get("/audit/?item=SEX&subject=x")
    assert answer["Location"] == "/account/login/?next=/audit/%3Fitem%3DSEX%26subject%3Dx"
    assert answer["Cache-Control"] == "no-store"
    assert events(user)[-1] == "timed out"


def open_enrolment(browser: Any) -> None:
    asked = browser.get("/account/2fa/totp/activate/")["Location"]
    assert asked.startswith("/account/reauthenticate/")
    browser.post(asked, {"password": PASSWORD})
    assert browser.get("/account/2fa/totp/activate/").status_code == 200


def test_setting_a_second_factor_is_entered_and_its_secret_is_not(browser: Any) -> None:
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal import auth
    from django.test import Client

    from onearm.web.place import place

    user = new_user(Right("investigator", "A"), factor=False)
    elsewhere = Client()
    sign_in(elsewhere, user)
    sign_in(browser, user)
    open_enrolment(browser)
    secret = browser.session[auth.SECRET_SESSION_KEY]
    given = auth.format_hotp_value(
        auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time()))
    )
    assert browser.post("/account/2fa/totp/activate/", {"code": given}).status_code == 302
    assert events(user)[-2:] == ["second factor set", "recovery codes set"]
    assert browser.get("/").status_code == 200
    assert elsewhere.get("/")["Location"].startswith(
        "/account/login/"
    )  # signed in before it was set
    assert browser.get("/account/2fa/recovery-codes/").status_code == 200
    found = Authenticator.objects.get(user__username=user, type="recovery_codes")
    codes = found.wrap().get_unused_codes()
    assert len(codes) == 10
    texts = [f"{e.value} {e.reason}" for e in place().ledger.entries()]
    assert not any(word in text for word in (secret, *codes) for text in texts)
    assert browser.post("/account/2fa/totp/deactivate/").status_code == 302
    assert "second factor removed" in events(user)
    assert browser.get("/")["Location"] == "/account/2fa/totp/activate/"


def test_a_second_factor_that_cannot_be_entered_is_not_set(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal import auth

    from onearm.errors import LedgerError
    from onearm.ledger import Ledger

    user = new_user(Right("investigator", "A"), factor=False)
    sign_in(browser, user)
    open_enrolment(browser)
    counter = next(auth.yield_hotp_counters_from_time())
    given = auth.format_hotp_value(
        auth.hotp_value(browser.session[auth.SECRET_SESSION_KEY], counter)
    )

    def refuse(*_args: Any, **_named: Any) -> None:
        raise LedgerError("ledger: cannot be written to")

    monkeypatch.setattr(Ledger, "record", refuse)
    assert browser.post("/account/2fa/totp/activate/", {"code": given}).status_code == 503
    assert not Authenticator.objects.filter(user__username=user).exists()


def test_a_one_time_link_is_used_up_before_anything_is_made(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth import get_user_model

    from onearm.web.models import Invitation

    link = f"/invitation/{Invitation.issue(first=True)}/"
    monkeypatch.setattr(Invitation, "take", lambda _self: False)  # as when somebody was faster
    boxes = {
        "user_name": "late",
        "full_name": "Late (test)",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    assert browser.post(link, boxes).status_code == 404
    assert not get_user_model().objects.filter(username="late").exists()
    Invitation.objects.all().delete()


def test_a_link_ends_with_its_time_and_with_the_next_one_made(browser: Any) -> None:
    from django.utils import timezone

    from onearm.web.models import Invitation

    old = Invitation.issue("invited-3", "Invited (test)")
    new = Invitation.issue("invited-3", "Invited (test)")
    assert browser.get(f"/invitation/{old}/").status_code == 404
    assert browser.get(f"/invitation/{new}/").status_code == 200
    Invitation.objects.update(ends=timezone.now() - timedelta(seconds=1))
    assert browser.get(f"/invitation/{new}/").status_code == 404


def test_the_name_that_an_administrator_wrote_stands(browser: Any) -> None:
    from django.contrib.auth import get_user_model

    from onearm.web.models import Invitation

    link = f"/invitation/{Invitation.issue('invited-4', 'Invited (test)')}/"
    boxes = {
        "user_name": "invited-4",
        "full_name": "Another",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    assert browser.post(link, boxes).status_code == 302
    assert get_user_model().objects.get(username="invited-4").get_full_name() == "Invited (test)"


def test_no_account_that_cannot_be_entered_is_made(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth import get_user_model

    from onearm.ledger import Ledger
    from onearm.web.models import Invitation

    link = f"/invitation/{Invitation.issue('invited-5', 'Invited (test)')}/"

    def full(*_args: Any, **_named: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(Ledger, "record", full)
        assert browser.post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 503
    assert not get_user_model().objects.filter(username="invited-5").exists()
    assert browser.get(link).status_code == 200


@pytest.mark.parametrize(
    "name", ["onearm", "Register", "a/b", "two words", "..", "ﬁve", "x" * 41, "Coordinator-A", ""]
)
def test_a_name_that_is_taken_reserved_or_hard_to_write_is_refused(
    name: str, administrator: Any, people: dict[str, Any]
) -> None:
    answer = administrator.post("/people/", {"user": name, "name": "Somebody (test)"})
    assert answer.status_code == 422
    assert "/invitation/" not in answer.content.decode()


def test_a_user_name_is_never_used_again_even_when_its_account_is_gone(administrator: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    make_person(user).delete()
    answer = administrator.post("/people/", {"user": user.upper(), "name": "Somebody (test)"})
    assert "taken, or was once" in answer.content.decode()


def test_a_forgotten_password_is_set_anew_by_a_link_and_ends_every_session(
    browser: Any, administrator: Any
) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    sign_in(browser, user)
    page = administrator.post(f"/people/{user}/", {"do": "new link"}).content.decode()
    link = page.split("http://testserver")[1].split("<")[0]
    another = "a quite different password"
    from django.test import Client

    assert Client().post(link, {"password": another, "again": another}).status_code == 302
    assert browser.get("/").status_code == 302
    assert sign_in(browser, user).status_code == 200
    assert sign_in(browser, user, another).status_code == 302
    assert {"new password allowed", "password changed"} <= set(events(user))


def test_an_administrator_of_one_site_gives_no_right_elsewhere(people: dict[str, Any]) -> None:
    from onearm.conduct import rights_of
    from onearm.web.place import place

    user = new_user(factor=False)
    client = signed_in_as(people["administrator-a"])
    for site in ("B", "", "A"):
        client.post(f"/people/{user}/", {"do": "grant", "role": "monitor", "site": site})
    assert rights_of(place().records().snapshot, user) == (Right("monitor", "A"),)
    boxes = {"do": "end", "role": "coordinator", "site": "B", "reason": "not mine"}
    client.post("/people/coordinator-b/", boxes)
    assert rights_of(place().records().snapshot, "coordinator-b")


@pytest.mark.parametrize("todo", ["deactivate", "reset factor", "new link", "unlock"])
def test_an_administrator_of_one_site_touches_no_account_of_another(
    todo: str, people: dict[str, Any]
) -> None:
    client, before = signed_in_as(people["administrator-a"]), events("investigator-b")
    answer = client.post(
        "/people/investigator-b/", {"do": todo, "reason": "not mine"}, follow=True
    ).content.decode()
    assert "sites where you manage nobody" in answer
    assert "/invitation/" not in answer
    assert events("investigator-b") == before


def test_an_account_is_changed_with_a_reason_and_never_ones_own(administrator: Any) -> None:
    user = new_user(Right("monitor", "A"))
    administrator.post(f"/people/{user}/", {"do": "reset factor", "reason": " "})
    assert events(user) == []
    administrator.post("/people/administrator-all/", {"do": "deactivate", "reason": "a test"})
    assert "account deactivated" not in events("administrator-all")
    administrator.post(f"/people/{user}/", {"do": "reset factor", "reason": "telephone lost"})
    assert events(user) == ["second factor reset"]


def test_a_reset_second_factor_ends_the_sessions_of_its_account(
    browser: Any, administrator: Any
) -> None:
    user = make_person(new_user(Right("coordinator", "A")))
    client = signed_in_as(user)
    assert client.get("/").status_code == 200
    administrator.post(
        f"/people/{user.username}/", {"do": "reset factor", "reason": "telephone lost"}
    )
    assert client.get("/").status_code == 302


def test_an_administrator_ends_a_lock_and_that_is_entered(browser: Any, administrator: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    for _try in range(5):
        sign_in(browser, user, "wrong password here")
    assert sign_in(browser, user).status_code == 429
    administrator.post(f"/people/{user}/", {"do": "unlock", "reason": "called by telephone"})
    assert sign_in(browser, user).status_code == 302
    assert "lock-out ended" in events(user)


def test_a_right_ends_in_the_future_or_is_refused(administrator: Any) -> None:
    from onearm.conduct import rights_of
    from onearm.web.place import place

    user = new_user(factor=False)
    boxes = {"do": "grant", "role": "monitor", "site": "A"}
    administrator.post(f"/people/{user}/", {**boxes, "until": "2001-01-01"})
    administrator.post(f"/people/{user}/", {**boxes, "role": "king"})
    assert rights_of(place().records().snapshot, user) == ()
    administrator.post(f"/people/{user}/", {**boxes, "until": "2099-01-01"})
    assert [
        r.until.isoformat() for r in rights_of(place().records().snapshot, user) if r.until
    ] == ["2099-01-01"]


def test_the_register_is_a_file_too_and_taking_it_is_an_entry(administrator: Any) -> None:
    user = new_user(Right("coordinator", "A"), factor=False)
    boxes = {"do": "end", "role": "coordinator", "site": "A", "reason": "=1+1"}
    administrator.post(f"/people/{user}/", boxes)
    answer = administrator.get("/people/register.csv")
    lines = [line for line in answer.content.decode().splitlines() if line.startswith(f"{user},")]
    assert [line.split(",")[1:5] for line in lines] == [
        ["coordinator", "A", "granted", "administrator"],
        ["coordinator", "A", "ended", "administrator-all"],
    ]
    assert lines[1].endswith(",'=1+1")
    assert events("administrator-all")[-1] == "export"


def test_an_error_page_tells_no_statement_and_no_value(
    monkeypatch: pytest.MonkeyPatch, client_of: Callable[[str], Any]
) -> None:
    from sqlalchemy.exc import OperationalError

    from onearm.ledger import Ledger

    client = client_of("coordinator-a")

    def full(*_args: Any, **_named: Any) -> None:
        raise OperationalError("INSERT INTO ledger", {"value": "1.8"}, Exception("disk is full"))

    client.post("/subjects/", {"about": "FULL2", "site": "A"})
    monkeypatch.setattr(Ledger, "record", full)
    answer = client.post("/form/subject/FULL2/M-3/DEMOG/1/", {"v-SEX": "F", "do": "save"})
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "The disk of the server is full. Nothing was recorded." in page
    assert "INSERT" not in page


def test_a_disk_that_cannot_be_written_to_ends_in_plain_words_whatever_the_page(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import OperationalError

    user = new_user(Right("coordinator", "A"), factor=False)
    browser.raise_request_exception = False

    def refuse(*_args: Any, **_named: Any) -> None:
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(SessionStore, "save", refuse)
    answer = sign_in(browser, user)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "cannot be written to" in page
    assert "Traceback" not in page


def test_a_fault_of_our_own_tells_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, client_of: Callable[[str], Any]
) -> None:
    from onearm.web.place import Place

    client = client_of("coordinator-a")
    client.raise_request_exception = False

    def fault(_self: Any) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(Place, "records", fault)
    answer = client.get("/subjects/")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()
    assert "inside" not in answer.content.decode().replace("fault in itself", "")


def test_a_right_that_is_refused_stands_again_in_its_boxes_and_no_role_is_chosen_before(
    client_of: Callable[[str], Any],
) -> None:
    user = new_user(Right("monitor", "A"), factor=False)
    client = client_of("administrator-a")
    asked = {"do": "grant", "role": "statistician", "site": "A", "until": "nonsense"}
    refused = client.post(f"/people/{user}/", asked)
    assert refused.status_code == 422
    page = refused.content.decode()
    assert '<option value="statistician" selected>' in page
    assert 'name="site" value="A"' in page
    assert 'name="until" value="nonsense"' in page
    fresh = client.get(f"/people/{user}/").content.decode()
    assert '<select id="g-role" name="role"><option value="">' in fresh
    assert (
        client.post(f"/people/{user}/", {"do": "grant", "role": "", "site": ""}).status_code == 422
    )
    assert events(user) == []
