"""Every address, for every role, at one's own site and another's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, reverse
from tests.web.conftest import STUDY, signed_study

from onearm.conduct import ROLE_ACTIONS, ROLES, Right
from onearm.ledger import Draft, Key

AMENDED = signed_study(STUDY.read_text(encoding="utf-8")).replace("[0, 30]", "[0, 25]").encode()


@pytest.fixture(scope="module")
def subjects(people: dict[str, Any]) -> dict[str, str]:
    """A subject, and a donor and a lot, of each site."""
    from onearm.web.place import place

    here = place()
    for site in ("A", "B"):
        for kind, form, item, value in (
            ("subject", "DEMOG", "SEX", "F"),
            ("donor", "DONOR", "DNREL", "sibling"),
            ("lot", "COA", "LTTISSUE", "adipose"),
        ):
            visit = "M-3" if kind == "subject" else ""
            here.ledger.record(
                [Draft(Key(kind, f"{kind}-{site}", form, item, visit), value)],
                by=f"coordinator-{site.lower()}",
                role="coordinator",
                site=site,
                study_hash=here.study.hash,
            )
    return {site: f"subject-{site}" for site in ("A", "B")}


FORM_PAGES = ("form", "history")
FORM_ACTS = ("draft", "score", "mark", "sign", "query")
SUBJECT_PAGES = ("subject", "screening")
STUDY_PAGES = ("today", "subjects", "products", "events", "deviations", "cuts", "date_shown")
VERSIONS = ("version", "amendment_shown")


def address(name: str, about: str) -> str:
    if name in FORM_PAGES + FORM_ACTS:
        place_of = ["subject", about, "M-3", "DEMOG", 1]
        return reverse(name, args=place_of + (["SEX"] if name == "history" else []))
    if name in (*SUBJECT_PAGES, "enrol"):
        return reverse(name, args=[about])
    if name == "missed":
        return reverse(name, args=[about, "M-3"])
    if name in VERSIONS:
        return reverse(name, args=[PROPOSED if name == "amendment_shown" else in_force()])
    if name == "person":
        return reverse(name, args=["coordinator-a"])
    return reverse(name)


PROPOSED = hashlib.sha256(AMENDED).hexdigest()


def in_force() -> str:
    from onearm.web.place import place

    return place().study.hash


@pytest.fixture(scope="module", autouse=True)
def proposed(folder: Path) -> None:
    """An amended study file that was loaded and waits for its approval."""
    (folder / "versions" / f"{PROPOSED}.proposed").write_bytes(AMENDED)


def named_routes() -> list[str]:
    from onearm.web.urls import FREE, urlpatterns

    return [p.name for p in urlpatterns if isinstance(p, URLPattern) and p.name not in FREE]


def account_pages(patterns: Any = None) -> list[str]:
    """Names of what lies under /account/, however deep."""
    from onearm.web.urls import urlpatterns

    found = []
    for p in urlpatterns if patterns is None else patterns:
        if isinstance(p, URLPattern):
            found += [str(p.name)] if patterns is not None else []
        else:
            found += account_pages(p.url_patterns)
    return found


PUBLIC_ACCOUNT_PAGES = {"account_login", "account_signup", "account_inactive"}


def test_the_account_pages_are_these_and_no_others(people: dict[str, Any]) -> None:
    assert set(account_pages()) == PUBLIC_ACCOUNT_PAGES | {
        "account_logout", "account_reauthenticate", "account_change_password",
        "mfa_index", "mfa_authenticate", "mfa_reauthenticate", "mfa_activate_totp",
        "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes",
    }  # fmt: skip


def test_account_pages_lead_who_is_not_signed_in_to_the_sign_in(people: dict[str, Any]) -> None:
    from django.test import Client

    for name in account_pages():
        answer = Client().get(reverse(name))
        if name in PUBLIC_ACCOUNT_PAGES:
            assert answer.status_code == 200, name
        else:
            assert answer.status_code == 302, name
            assert answer["Location"].startswith(("/account/login/", "/")), name
    for closed in ("/account/password/reset/", "/account/email/", "/account/confirm-email/"):
        assert Client().get(closed).status_code == 404


def test_account_pages_wear_the_frame_and_keep_the_policy(
    client_of: Callable[[str], Any], people: dict[str, Any]
) -> None:
    import re

    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from django.test import Client
    from tests.web.conftest import PASSWORD, make_person

    people["pages-a"] = make_person("pages-a", Right("investigator", "A"))
    RecoveryCodes.activate(people["pages-a"])
    client, stranger = client_of("pages-a"), Client()
    stranger.post("/account/login/", {"login": "pages-a", "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    seen = {name: client.get(reverse(name), follow=True) for name in account_pages()}
    seen["mfa_authenticate"] = stranger.get(reverse("mfa_authenticate"))
    seen["account_login"] = Client().get(reverse("account_login"))
    del seen["mfa_download_recovery_codes"]  # a file
    del people["pages-a"]
    for name, answer in seen.items():
        page = answer.content.decode()
        assert answer.status_code == 200, name
        assert page.count("<h1") == 1, name
        assert 'id="main"' in page, name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! src)", page), name


def test_the_language_is_chosen_before_anybody_has_signed_in(people: dict[str, Any]) -> None:
    from django.test import Client

    client = Client()
    answer = client.post("/language/setlang/", {"language": "fa", "next": "/account/login/"})
    assert answer["Location"] == "/account/login/"
    assert 'dir="rtl"' in client.get("/account/login/").content.decode()


def test_every_route_says_which_right_it_needs(people: dict[str, Any]) -> None:
    from onearm.web.urls import FREE, urlpatterns

    open_ = [
        p.name
        for p in urlpatterns
        if isinstance(p, URLPattern) and not hasattr(p.callback, "needs") and p.name not in FREE
    ]
    assert open_ == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_just_the_pages_it_has_a_right_to(
    role: str, client_of: Callable[[str], Any], subjects: dict[str, str]
) -> None:
    from onearm.web.urls import urlpatterns

    needs = {
        p.name: p.callback.needs
        for p in urlpatterns
        if hasattr(p, "callback") and hasattr(p.callback, "needs")
    }
    client = client_of(f"{role.replace(' ', '-')}-a")
    wrong = []
    for name in named_routes():
        for site in ("A", "B"):
            response = client.get(address(name, subjects[site]))
            about_someone = name in FORM_PAGES + FORM_ACTS + SUBJECT_PAGES + ("enrol", "missed")
            if needs[name] not in ROLE_ACTIONS[role]:
                expected = {403, 302}
            elif name in (*FORM_ACTS, "enrol", "missed", "lock"):
                expected = {302}  # led back to the page that it is posted from
            elif about_someone and (site == "B" or "see" not in ROLE_ACTIONS[role]):
                expected = {404}
            else:
                expected = {200}
            if response.status_code not in expected:
                wrong.append((name, site, response.status_code, expected))
    assert wrong == []


def test_nobody_without_an_account_opens_anything(people: dict[str, Any]) -> None:
    from django.test import Client

    client = Client()
    for name in named_routes():
        response = client.get(address(name, "subject-A"))
        assert response.status_code == 302
        assert response["Location"].startswith("/account/login/")


def test_a_post_about_a_subject_of_another_site_finds_nothing_and_records_nothing(
    client_of: Callable[[str], Any], subjects: dict[str, str]
) -> None:
    from onearm.web.place import place

    client = client_of("coordinator-a")
    before = place().ledger.head()
    for name in ("form", "draft", "score", "mark", "missed"):
        response = client.post(address(name, subjects["B"]), {"SEX": "M", "do": "save"})
        assert response.status_code == 404, name
    assert place().ledger.head() == before


def test_pages_carry_a_strict_policy_and_are_not_kept(client_of: Callable[[str], Any]) -> None:
    response = client_of("coordinator-a").get("/")
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_post_without_its_token_is_refused(people: dict[str, Any]) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(
        people["coordinator-a"], backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    session = client.session
    session["began"] = 4e9
    session.save()
    answer = client.post("/subjects/", {"about": "x", "site": "A"})
    assert answer.status_code == 403
    assert "This page is too old" in answer.content.decode()


def test_an_address_that_is_not_this_servers_is_not_answered(people: dict[str, Any]) -> None:
    from django.test import Client

    answer = Client(HTTP_HOST="elsewhere.example.org").get("/account/login/")
    assert answer.status_code == 400
    assert "elsewhere" not in answer.content.decode()
