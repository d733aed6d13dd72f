"""Values that tell who somebody is: who sees them, and that each look is an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from onearm.ledger import Draft, Entry, Key

INITIALS = Key("subject", "WHO-1", "DEMOG", "INITIALS", "M-3")
SECRET_WORD = "QZX"
FORM = "/form/subject/WHO-1/M-3/DEMOG/1/"
PAGES = (FORM, f"{FORM}history/INITIALS/", "/audit/?subject=WHO-1", "/audit.csv?subject=WHO-1")


@pytest.fixture(scope="module", autouse=True)
def recorded(people: dict[str, Any]) -> None:
    """A subject of site A with its initials, changed once."""
    from onearm.web.place import place

    here = place()
    for value, reason in ((f"{SECRET_WORD}-old", ""), (SECRET_WORD, "typing error")):
        here.ledger.record(
            [Draft(INITIALS, value, reason=reason)],
            by="coordinator-a",
            role="coordinator",
            site="A",
            study_hash=here.study.hash,
        )


def looks(user: str) -> list[Entry]:
    from onearm.web.place import place

    return place().ledger.history(Key("study", user, form="ACCESS", item="read identifying"))


@pytest.mark.parametrize("user", ["data-manager-a", "statistician-a"])
def test_who_lacks_the_right_is_never_shown_the_value(
    user: str, client_of: Callable[[str], Any]
) -> None:
    client = client_of(user)
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert SECRET_WORD not in answer.content.decode(), path
    assert looks(user) == []


def test_each_look_of_who_may_see_it_is_an_entry(client_of: Callable[[str], Any]) -> None:
    client = client_of("monitor-a")
    for number, path in enumerate(PAGES[:3], start=1):
        assert SECRET_WORD in client.get(path).content.decode()
        entries = looks("monitor-a")
        assert len(entries) == number
        assert entries[-1].by == "monitor-a"
        assert "WHO-1 M-3 DEMOG INITIALS" in entries[-1].reason


def test_a_form_that_holds_none_is_read_without_an_entry(client_of: Callable[[str], Any]) -> None:
    client = client_of("inspector-a")
    before = looks("inspector-a")
    client.get("/form/subject/WHO-1/M-3/ELIG/1/")
    client.get(f"{FORM}history/SEX/")
    assert looks("inspector-a") == before


def test_the_form_tells_of_the_item_and_offers_no_box_for_it(
    client_of: Callable[[str], Any],
) -> None:
    page = client_of("data-manager-a").get(FORM).content.decode()
    assert "Initials" in page
    assert "you have no right to see it" in page
    assert 'name="v-INITIALS"' not in page


def test_a_look_on_a_refused_page_is_an_entry_too(client_of: Callable[[str], Any]) -> None:
    client = client_of("monitor-a")
    for boxes in ({"v-AGE": "abc"}, {"study": "another"}):
        before = len(looks("monitor-a"))
        answer = client.post(FORM, {**boxes, "do": "save"})
        assert answer.status_code == 422
        assert (SECRET_WORD in answer.content.decode()) is (len(looks("monitor-a")) == before + 1)


def test_evidence_that_identifies_is_concealed_and_each_look_is_an_entry(
    client_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from onearm.study import Study
    from onearm.web.place import place

    here = place()
    here.ledger.record(
        [Draft(Key("subject", "WHO-1", "ELIG", "LNCLASS", "M-3"), "III+V", reason="read again")],
        by="coordinator-a", role="coordinator", site="A", study_hash=here.study.hash,
    )  # fmt: skip
    monkeypatch.setattr(Study, "identifies", lambda _s, _form, item: item == "LNCLASS")
    page = "/subject/WHO-1/screening/"
    assert "III+V" not in client_of("statistician-a").get(page).content.decode()
    before = len(looks("monitor-a"))
    assert "III+V" in client_of("monitor-a").get(page).content.decode()
    assert len(looks("monitor-a")) == before + 1
    assert looks("statistician-a") == []


def test_a_trail_taken_with_identifying_values_says_so(client_of: Callable[[str], Any]) -> None:
    from onearm.web.place import place

    for user, told in (("monitor-a", ", with identifying values"), ("statistician-a", "")):
        client_of(user).get("/audit.csv?subject=WHO-1")
        taken = place().ledger.history(Key("study", user, form="ACCESS", item="export"))[-1]
        assert f"audit trail as CSV{told}" in (taken.reason, taken.value)
