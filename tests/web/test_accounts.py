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


def test_a_lock_lasts_twice_as_long_each_time(browser: Any, rf: Any) -> None:
    from axes.models import AccessAttempt

    from onearm.web.accounts import cool_off

    request = rf.post("/account/login/", {"login": "someone"})
    lasted = []
    for failures in (5, 10, 15, 200):
        AccessAttempt.objects.all().delete()
        AccessAttempt.objects.create(
            username="someone", ip_address="127.0.0.1", failures_since_start=failures, user_agent="", path_info="",
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
    for password in ("short", "password1234", "invited-1invited"):
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
