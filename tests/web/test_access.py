"""Every address, for every role, at one's own site and another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import URLPattern, reverse

from onearm.conduct import ROLE_ACTIONS, ROLES
from onearm.ledger import Draft, Key


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


def address(name: str, about: str) -> str:
    if name in FORM_PAGES + FORM_ACTS:
        place_of = ["subject", about, "M-3", "DEMOG", 1]
        return reverse(name, args=place_of + (["SEX"] if name == "history" else []))
    if name in (*SUBJECT_PAGES, "enrol"):
        return reverse(name, args=[about])
    if name == "missed":
        return reverse(name, args=[about, "M-3"])
    if name == "person":
        return reverse(name, args=["coordinator-a"])
    return reverse(name)


def named_routes() -> list[str]:
    from onearm.web.urls import FREE, urlpatterns

    return [p.name for p in urlpatterns if isinstance(p, URLPattern) and p.name not in FREE]


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
                expected = {403, 405}
            elif name in (*FORM_ACTS, "enrol", "missed", "lock"):
                expected = {405}
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
    assert client.post("/subjects/", {"about": "x", "site": "A"}).status_code == 403
