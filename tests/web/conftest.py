"""One served folder per test process, with an account for each role at two sites."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from onearm.conduct import ROLES, Right, draft_grant

STUDY = Path(__file__).parents[2] / "studies" / "lupus-msc" / "abstract-2018.yaml"
PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def signed_study(text: str) -> str:
    """The study file with signatures asked for, an identifying item and vital signs at any visit."""
    sex = "      - {id: SEX, label: Sex, type: choice, choices: {F: Female, M: Male}}\n"
    told = (
        "      - {id: INITIALS, label: Initials, type: text, identifying: true, required: false}\n"
    )
    text = text.replace(sex, sex + told)
    text = text.replace("  - id: VITALS\n", "  - id: VITALS\n    unscheduled: true\n")
    text = re.sub(r"(  - id: INFUSION\n)", r"\1    sign: [author, approval]\n", text)
    return re.sub(r"(  - id: URINE\n)", r"\1    sign: [responsibility]\n", text)


@pytest.fixture(scope="session")
def folder(quick: Path) -> Path:
    """The folder that the pages of these tests serve."""
    path = quick / "served"
    path.mkdir()
    (path / "study.yaml").write_text(
        signed_study(STUDY.read_text(encoding="utf-8")), encoding="utf-8"
    )
    from onearm.web.serve import prepare

    # test_on_postgresql.py runs these tests once more with an address of PostgreSQL here
    prepare(path, os.environ.get("ONEARM_TEST_DATABASE", ""), hosts="testserver,127.0.0.1")
    return path


def code() -> str:
    """The code that an authenticator shows now; it may be used again, as these tests do not wait half a minute."""
    import time

    from allauth.mfa.totp.internal import auth
    from django.core.cache import cache

    cache.clear()
    return str(auth.format_hotp_value(auth.hotp_value(SECRET, int(time.time()) // 30)))


def browser_of(account: Any, **options: Any) -> Any:
    """A browser in which a person has signed in just now."""
    from django.test import Client
    from django.utils import timezone

    client = Client(**options)
    client.force_login(account, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["began"] = timezone.now().timestamp()
    session.save()
    return client


@cache
def _hashed() -> str:
    """The password as it is kept; made once, since that costs a quarter of a second on purpose."""
    from django.contrib.auth.hashers import make_password

    return make_password(PASSWORD)


def make_person(user: str, *rights: Right, factor: bool = True) -> Any:
    """An account with rights, and with a second factor unless told otherwise."""
    from allauth.mfa.totp.internal.auth import TOTP
    from django.contrib.auth import get_user_model

    from onearm.web.place import place

    accounts: Any = get_user_model().objects
    found = accounts.filter(username=user).first()
    if found is None:
        found = accounts.create(username=user, password=_hashed(), first_name=f"{user} (test)")
        if factor:
            TOTP.activate(found, SECRET)
    here = place()
    here.ledger.record(
        [draft_grant(user, right) for right in rights],
        by="administrator",
        role="administrator",
        site="",
        study_hash=here.study.hash,
    )
    return found


@pytest.fixture(scope="session")
def people(folder: Path) -> dict[str, Any]:
    """One account for each role at site A, and the same at site B."""
    found = {}
    for role in ROLES:
        for site in ("A", "B"):
            user = f"{role.replace(' ', '-')}-{site.lower()}"
            found[user] = make_person(user, Right(role, site))
    return found


@pytest.fixture
def client_of(people: dict[str, Any]) -> Iterator[Callable[[str], Any]]:
    """A signed-in browser of a person."""
    from django.core.cache import cache

    def sign_in(user: str) -> Any:
        return browser_of(people[user])

    cache.clear()
    yield sign_in
    cache.clear()


class _Forms(HTMLParser):
    """The forms of a page: where each is sent, and its fields as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((has.get("action", ""), {}))
        elif tag == "option" and "selected" in has and self._select:
            self.found[-1][1][self._select] = has.get("value", "")
        elif "name" in has and tag in ("input", "select", "textarea", "button") and self.found:
            self._select = has["name"] if tag == "select" else ""
            chosen = has.get("type") not in ("radio", "checkbox") or "checked" in has
            self.found[-1][1].setdefault(has["name"], has.get("value", "") if chosen else "")


def send(client: Any, page: str, action: str, **typed: str) -> Any:
    """Fill a form of a page, by its own names, and send it as a browser would."""
    parser = _Forms()
    parser.feed(client.get(page).content.decode())
    fields = next(fields for where, fields in parser.found if where.endswith(action))
    assert set(typed) <= set(fields), (page, action, sorted(fields))
    return client.post(next(w for w, _ in parser.found if w.endswith(action)), {**fields, **typed})
