"""Forms through their pages: saved, changed with a reason, merged, asked about, signed, locked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import jdatetime
import pytest
from tests.web.conftest import PASSWORD, code, send

from onearm.ledger import Draft, Key

NUMBERS = count(1)
Client = Callable[[str], Any]


def url(about: str, form: str, visit: str = "M-3", repeat: int = 1, kind: str = "subject") -> str:
    return f"/form/{kind}/{about}/{visit}/{form}/{repeat}/"


def entry(about: str, form: str, item: str, visit: str = "M-3") -> Any:
    from onearm.web.place import place

    return place().records().snapshot.get(Key("subject", about, form, item, visit))


@pytest.fixture
def about(client_of: Client) -> str:
    """A new subject of site A, with its urine of three months before."""
    number = f"E{next(NUMBERS):03d}"
    client = client_of("coordinator-a")
    began = client.post("/subjects/", {"about": number, "site": "A"})
    assert began.status_code == 302
    answered = client.post(
        url(number, "URINE"),
        {
            "v-URDT": "2026-05-04",
            "v-UPROT24H": "1.8",
            "v-URBC": "12",
            "v-UWBC": "2",
            "v-CELLCAST": "no",
            "do": "save",
        },
    )
    assert answered.status_code == 302, answered.content
    return number


def seen(about: str, item: str, form: str = "URINE") -> str:
    found = entry(about, form, item)
    return str(found.seq) if found else "0"


def test_a_saved_page_is_in_the_ledger_by_its_person_role_and_site(about: str) -> None:
    found = entry(about, "URINE", "UPROT24H")
    assert (found.value, found.unit) == ("1.8", "g/(24.h)")
    assert (found.by, found.role, found.site) == ("coordinator-a", "coordinator", "A")


def test_a_change_needs_its_reason_at_the_field_and_the_old_value_stays(
    about: str, client_of: Client
) -> None:
    client = client_of("coordinator-a")
    boxes = {"v-UPROT24H": "2.1", "seen-UPROT24H": seen(about, "UPROT24H"), "do": "save"}
    refused = client.post(url(about, "URINE"), boxes)
    assert refused.status_code == 422
    assert "a change needs a reason" in refused.content.decode()
    assert entry(about, "URINE", "UPROT24H").value == "1.8"
    given = client.post(url(about, "URINE"), {**boxes, "c-UPROT24H": "typing error"})
    assert given.status_code == 302
    assert (entry(about, "URINE", "UPROT24H").value, entry(about, "URINE", "UPROT24H").reason) == (
        "2.1",
        "typing error",
    )
    page = client.get(f"{url(about, 'URINE')}history/UPROT24H/").content.decode()
    assert "1.8" in page
    assert "typing error" in page


def test_one_reason_serves_for_all_changes_shown(about: str, client_of: Client) -> None:
    boxes = {
        "v-URBC": "13", "seen-URBC": seen(about, "URBC"), "v-UWBC": "3", "seen-UWBC": seen(about, "UWBC"),
        "c-all": "other reason", "t-all": "counted again", "do": "save",
    }  # fmt: skip
    assert client_of("coordinator-a").post(url(about, "URINE"), boxes).status_code == 302
    assert (
        entry(about, "URINE", "URBC").reason
        == entry(about, "URINE", "UWBC").reason
        == "counted again"
    )


def test_a_saved_value_is_never_blanked_in_silence(about: str, client_of: Client) -> None:
    client = client_of("coordinator-a")
    boxes = {"v-UWBC": "", "seen-UWBC": seen(about, "UWBC"), "c-UWBC": "typing error", "do": "save"}
    refused = client.post(url(about, "URINE"), boxes)
    assert refused.status_code == 422
    assert "the box is empty" in refused.content.decode()
    said = client.post(url(about, "URINE"), {**boxes, "m-UWBC": "not done"})
    assert said.status_code == 302
    assert entry(about, "URINE", "UWBC").missing == "not done"


def test_all_problems_of_a_page_show_together_and_nothing_is_recorded(
    about: str, client_of: Client
) -> None:
    from onearm.web.place import place

    client = client_of("coordinator-a")
    before = place().ledger.head()
    answer = client.post(
        url(about, "LABS"),
        {"v-LBDT": "2026-02-30", "v-CREAT": "1,8", "v-PLT": "many", "do": "save"},
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "3 things to correct" in page
    assert "write 1.8" in page
    assert place().ledger.head() == before


def test_two_people_on_one_form_never_overwrite_each_other(about: str, client_of: Client) -> None:
    old = seen(about, "UPROT24H")
    first, second = client_of("coordinator-a"), client_of("investigator-a")
    boxes = {"seen-UPROT24H": old, "c-UPROT24H": "typing error", "do": "save"}
    assert first.post(url(about, "URINE"), {**boxes, "v-UPROT24H": "2.2"}).status_code == 302
    answer = second.post(
        url(about, "URINE"),
        {
            **boxes,
            "v-UPROT24H": "2.4",
            "v-URBC": "14",
            "seen-URBC": seen(about, "URBC"),
            "c-URBC": "typing error",
        },
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert entry(about, "URINE", "UPROT24H").value == "2.2"
    assert entry(about, "URINE", "URBC").value == "12"
    for text in ("1.8", "2.2", "2.4", "coordinator-a"):
        assert text in page
    mine = {
        **boxes,
        "v-UPROT24H": "2.4",
        "seen-UPROT24H": seen(about, "UPROT24H"),
        "choose-UPROT24H": "yours",
    }
    assert second.post(url(about, "URINE"), mine).status_code == 302
    assert entry(about, "URINE", "UPROT24H").value == "2.4"


def test_an_implausible_value_is_saved_with_a_warning_that_somebody_may_answer(
    about: str, client_of: Client
) -> None:
    client = client_of("coordinator-a")
    boxes = {"v-LBDT": "2026-05-04", "v-CREAT": "19", "do": "save"}
    assert client.post(url(about, "LABS"), boxes).status_code == 302
    assert "outside the plausible range" in client.get(url(about, "LABS")).content.decode()
    said = {
        "v-CREAT": "19", "seen-CREAT": seen(about, "CREAT", "LABS"), "ok-CREAT": "yes",
        "w-CREAT": "measured twice", "do": "save",
    }  # fmt: skip
    assert client.post(url(about, "LABS"), said).status_code == 302
    assert entry(about, "LABS", "CREAT@confirmed").reason == "measured twice"
    assert "measured twice" in client.get(url(about, "LABS")).content.decode()


def test_persian_digits_and_a_solar_hijri_date_are_kept_as_iso(
    about: str, client_of: Client
) -> None:
    boxes = {"v-LBDT": "۱۴۰۵/۰۲/۱۴", "v-CREAT": "۱٫۴", "do": "save"}
    assert client_of("coordinator-a").post(url(about, "LABS"), boxes).status_code == 302
    assert entry(about, "LABS", "LBDT").value == "2026-05-04"
    assert entry(about, "LABS", "CREAT").value == "1.4"


def test_a_draft_is_outside_the_record_and_comes_back(about: str, client_of: Client) -> None:
    from onearm.web.place import place

    client = client_of("coordinator-a")
    before = place().ledger.head()
    kept = client.post(f"{url(about, 'LABS')}draft/", {"v-CREAT": "1.37", "v-WBC": "4"})
    assert list(json.loads(kept.content)) == ["kept"]
    assert place().ledger.head() == before
    again = client_of("coordinator-a").get(url(about, "LABS")).content.decode()
    assert 'value="1.37"' in again
    assert "not part of the record" in again
    assert (
        'value="1.37"' not in client_of("investigator-a").get(url(about, "LABS")).content.decode()
    )
    client.post(f"{url(about, 'LABS')}draft/", {"discard": "yes"})
    assert 'value="1.37"' not in client.get(url(about, "LABS")).content.decode()


def test_a_query_goes_from_open_to_answered_to_closed_at_its_field(
    about: str, client_of: Client
) -> None:
    monitor, coordinator = client_of("monitor-a"), client_of("coordinator-a")
    form = f"{url(about, 'URINE')}query/"
    assert monitor.post(form, {"item": "UPROT24H", "words": "Source says 1.9?"}).status_code == 302
    assert entry(about, "URINE", "UPROT24H@query1").value == "open"
    assert "Source says 1.9?" in coordinator.get("/").content.decode()
    coordinator.post(
        form, {"item": "UPROT24H", "number": "1", "state": "answered", "words": "1.8 in the source"}
    )
    assert entry(about, "URINE", "UPROT24H@query1").value == "answered"
    coordinator.post(
        form, {"item": "UPROT24H", "number": "1", "state": "closed", "words": "closing myself"}
    )
    assert entry(about, "URINE", "UPROT24H@query1").value == "answered"
    monitor.post(form, {"item": "UPROT24H", "number": "1", "state": "closed", "words": "seen"})
    assert entry(about, "URINE", "UPROT24H@query1").value == "closed"


def sign(client: Any, about: str, meaning: str, password: str = PASSWORD, given: str = "") -> str:
    from onearm.conduct import shown_hash
    from onearm.records import FormKey
    from onearm.web.place import place

    form = FormKey("subject", about, "URINE", "M-3", 1)
    boxes = {
        "meaning": meaning, "hash": shown_hash(place().records(), form), "password": password, "code": given or code(),
    }  # fmt: skip
    return str(client.post(f"{url(about, 'URINE')}sign/", boxes, follow=True).content.decode())


def test_a_signature_asks_password_and_code_again_and_is_voided_by_a_change(
    about: str, client_of: Client
) -> None:
    coordinator, investigator = client_of("coordinator-a"), client_of("investigator-a")
    form = url(about, "URINE")
    assert "Only a complete form is signed" in investigator.get(form).content.decode()
    coordinator.post(f"{form}mark/", {"mark": "complete", "on": "yes"})
    assert entry(about, "URINE", "@complete").value == "yes"
    assert "wrong" in sign(investigator, about, "responsibility", password="not it")
    assert "wrong" in sign(investigator, about, "responsibility", given="000000")
    assert entry(about, "URINE", "@signed.responsibility") is None
    assert "Signed." in sign(investigator, about, "responsibility")
    page = investigator.get(form).content.decode()
    assert "investigator-a (test)" in page
    assert re.search(r"investigator-a \(test\).{0,80}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page)
    coordinator.post(
        form,
        {"v-URBC": "20", "seen-URBC": seen(about, "URBC"), "c-URBC": "typing error", "do": "save"},
    )
    page = investigator.get(form).content.decode()
    assert "URBC changed after it" in page
    assert "void" in page
    assert "signature void" in investigator.get("/").content.decode()
    assert "Signed." in sign(investigator, about, "responsibility")


def test_who_saw_something_else_cannot_sign_it(about: str, client_of: Client) -> None:
    client_of("coordinator-a").post(
        f"{url(about, 'URINE')}mark/", {"mark": "complete", "on": "yes"}
    )
    boxes = {"meaning": "review", "hash": "0" * 64, "password": PASSWORD, "code": code()}
    page = (
        client_of("investigator-a")
        .post(f"{url(about, 'URINE')}sign/", boxes, follow=True)
        .content.decode()
    )
    assert "changed since you opened it" in page
    assert entry(about, "URINE", "@signed.review") is None


def test_locking_and_unlocking_are_different_rights(about: str, client_of: Client) -> None:
    coordinator, manager = client_of("coordinator-a"), client_of("data-manager-a")
    form = url(about, "URINE")
    coordinator.post(f"{form}mark/", {"mark": "locked", "on": "yes"})
    assert entry(about, "URINE", "@locked") is None
    manager.post(f"{form}mark/", {"mark": "locked", "on": "yes"})
    assert entry(about, "URINE", "@locked").value == "yes"
    boxes = {
        "v-URBC": "21",
        "seen-URBC": seen(about, "URBC"),
        "c-URBC": "typing error",
        "do": "save",
    }
    assert coordinator.post(form, boxes).status_code == 422
    assert entry(about, "URINE", "URBC").value == "12"
    unlocked = {"mark": "locked", "on": "no", "reason": "typing error"}
    manager.post(f"{form}mark/", unlocked)
    assert entry(about, "URINE", "@locked").value == "yes"
    administrator = client_of("administrator-a")
    page = administrator.get(form).content.decode()
    assert 'name="mark" value="locked"' in page
    administrator.post(f"{form}mark/", {**unlocked, "reason": ""})
    assert entry(about, "URINE", "@locked").value == "yes"
    administrator.post(f"{form}mark/", unlocked)
    found = entry(about, "URINE", "@locked")
    assert (found.value, found.role, found.reason) == ("no", "administrator", "typing error")
    assert administrator.post(form, boxes).status_code == 422
    assert entry(about, "URINE", "URBC").value == "12"


def test_nothing_later_opens_before_the_signed_decision_to_enrol(
    about: str, client_of: Client
) -> None:
    client = client_of("coordinator-a")
    page = client.get(url(about, "WEIGHT", "D0")).content.decode()
    assert "opens when the decision to enrol is signed" in page
    assert (
        client.post(url(about, "WEIGHT", "D0"), {"v-WEIGHT": "60", "do": "save"}).status_code == 422
    )
    assert entry(about, "WEIGHT", "WEIGHT", "D0") is None


def test_a_subject_is_enrolled_by_the_investigators_signature_once_every_criterion_is_met(
    about: str, client_of: Client
) -> None:
    coordinator, investigator = client_of("coordinator-a"), client_of("investigator-a")
    history = {
        "v-ELIGDT": "2026-05-04",
        "v-LNCLASS": "IV",
        "v-REFRACTORY": "yes",
        "v-ENROLDT": "2026-05-10",
        "do": "save",
    }
    assert coordinator.post(url(about, "ELIG"), history).status_code == 302
    page = investigator.get(f"/subject/{about}/screening/").content.decode()
    assert "Sign and enrol" in page
    shown = page.split('name="hash" value="')[1].split('"')[0]
    boxes = {"hash": shown, "password": PASSWORD, "code": code()}
    assert coordinator.post(f"/subject/{about}/enrol/", boxes).status_code == 403
    boxes["code"] = code()
    assert (
        "Signed."
        in investigator.post(f"/subject/{about}/enrol/", boxes, follow=True).content.decode()
    )
    weight = coordinator.post(url(about, "WEIGHT", "D0"), {"v-WEIGHT": "60", "do": "save"})
    assert weight.status_code == 302
    assert "enrolled" in coordinator.get(f"/subject/{about}/").content.decode()


def test_the_score_of_a_page_follows_what_is_typed_and_is_a_range_while_answers_lack(
    about: str, client_of: Client
) -> None:
    client = client_of("coordinator-a")
    told = json.loads(
        client.post(
            f"{url(about, 'SLEDAI')}score/", {"v-SLEDT": "2026-05-04", "v-SEIZURE": "yes"}
        ).content
    )
    name, bounds = told["scores"][0]
    assert name == "total"
    assert " to " in bounds


def test_a_page_of_another_study_place_does_not_exist(about: str, client_of: Client) -> None:
    client = client_of("coordinator-a")
    for place_of in ("M9/URINE/1", "M-3/NOPE/1", "M-3/URINE/2", "-/URINE/1", "M-3/URINE/0"):
        assert client.get(f"/form/subject/{about}/{place_of}/").status_code == 404


def test_the_trail_can_be_filtered_and_taken_and_taking_it_is_an_entry(
    about: str, client_of: Client
) -> None:
    from onearm.web.place import place

    client = client_of("monitor-a")
    page = client.get(f"/audit/?subject={about}&item=UPROT24H").content.decode()
    assert "UPROT24H" in page
    assert "URBC" not in page
    text = client.get(f"/audit.csv?subject={about}").content.decode()
    assert text.startswith("seq,at,by,role,site")
    last = list(place().ledger.entries())[-1]
    assert (last.key.form, last.key.item, last.by) == ("ACCESS", "export", "monitor-a")


def test_values_after_completion_and_after_a_signature_can_be_looked_for(
    about: str, client_of: Client
) -> None:
    coordinator, monitor = client_of("coordinator-a"), client_of("monitor-a")

    def rows(kind: str) -> list[tuple[str, str]]:
        text = monitor.get(f"/audit.csv?subject={about}&what={kind}").content.decode()
        return [(r["item"], r["value"]) for r in csv.DictReader(io.StringIO(text))]

    def change(item: str, value: str) -> None:
        boxes = {f"v-{item}": value, f"seen-{item}": seen(about, item), f"c-{item}": "typing error"}
        assert coordinator.post(url(about, "URINE"), {**boxes, "do": "save"}).status_code == 302

    change("URBC", "13")
    assert rows("after+completion") == rows("after+signature") == []
    coordinator.post(f"{url(about, 'URINE')}mark/", {"mark": "complete", "on": "yes"})
    change("URBC", "14")
    coordinator.post(f"{url(about, 'URINE')}mark/", {"mark": "complete", "on": "yes"})
    assert "Signed." in sign(client_of("investigator-a"), about, "responsibility")
    change("UPROT24H", "2.2")
    assert rows("after+completion") == [("UPROT24H", "2.2"), ("URBC", "14")]
    assert rows("after+signature") == [("UPROT24H", "2.2")]
    assert "values after signature" in monitor.get("/audit/").content.decode()


def test_a_filter_with_no_date_for_a_date_says_so_and_goes_without_it(
    about: str, client_of: Client
) -> None:
    client = client_of("monitor-a")
    page = client.get(f"/audit/?subject={about}&from=yesterday").content.decode()
    assert "The filter was not applied" in page
    assert "&#x27;yesterday&#x27; is not a date" in page
    assert "UPROT24H" in page
    answer = client.get(f"/audit.csv?subject={about}&from=yesterday")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/audit/?subject={about}&from=yesterday",
    )
    today = datetime.now(UTC).date()  # the times of entries are in UTC
    for first, last, there in (
        (today.isoformat(), today.isoformat(), True),
        (f"{today:%Y}", f"{today:%Y-%m}", True),  # a part of a date is all of its days
        ("2001-01-01", "2001-12-31", False),
        (jdatetime.date.fromgregorian(date=today).isoformat(), "", True),
    ):
        page = client.get(f"/audit/?subject={about}&from={first}&to={last}").content.decode()
        assert ("UPROT24H" in page) is there, (first, last)


def test_a_row_struck_out_stays_to_be_seen_and_leaves_the_analysis(
    about: str, client_of: Client
) -> None:
    from onearm.safety import adverse_events
    from onearm.web.place import place

    client = client_of("coordinator-a")
    form = url(about, "AE", "-")
    boxes = {"v-AETERM": "Headache", "v-AESTDT": "2026-05-05", "v-AEGRADE": "1", "v-AESER": "no", "v-AEREL": "no",
             "v-AEOUT": "recovered", "do": "save"}  # fmt: skip
    assert client.post(form, boxes).status_code == 302
    assert about in {e.subject for e in adverse_events(place().records())}
    client.post(f"{form}mark/", {"mark": "struck", "on": "yes", "reason": "wrong visit or subject"})
    assert about not in {e.subject for e in adverse_events(place().records())}
    assert "Struck out." in client.get(form).content.decode()
    assert entry(about, "AE", "AETERM", "").value == "Headache"


def test_an_unscheduled_visit_is_begun_from_the_subject_and_numbered(
    client_of: Client, about: str
) -> None:
    client = client_of("coordinator-a")

    def offered() -> str:
        page = client.get(f"/subject/{about}/").content.decode()
        return page.split('aria-label="Unscheduled visits"')[1].split("</section>")[0]

    assert "New unscheduled visit" in offered()
    assert "Unscheduled visit 1" not in offered()
    for number in (1, 2):
        page = url(about, "VITALS", "-", number)
        assert page in offered()
        assert client.post(page, {"v-VSTIM": "5", "do": "save"}).status_code == 302
        assert f"Unscheduled visit {number}" in client.get(page).content.decode()
    assert "Unscheduled visit 2" in offered()
    assert (
        client.get(url(about, "DEMOG", "-", 1)).status_code == 404
    )  # only where the study file says so


def test_the_trail_shows_dates_in_the_calendars_of_the_language(
    about: str, client_of: Client
) -> None:
    client = client_of("monitor-a")
    found = f"/audit/?subject={about}&item=URDT"
    assert "2026-05-04</bdi>" in client.get(found).content.decode()
    page = client.get(found, headers={"accept-language": "fa"}).content.decode()
    assert "۱۴ اردیبهشت ۱۴۰۵" in page
    assert "2026-05-04" in page
    history = client.get(f"{url(about, 'URINE')}history/URDT/", headers={"accept-language": "fa"})
    assert "۱۴ اردیبهشت ۱۴۰۵" in history.content.decode()


# -- what changed while a page was open -----------------------------------------------------------


def in_between(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Something happens after a save has read what stands, and before it is recorded."""
    from onearm.web.pages import entry as pages

    read = pages.read_page

    def reading(*words: Any) -> Any:
        monkeypatch.undo()
        page = read(*words)
        happens()
        return page

    monkeypatch.setattr(pages, "read_page", reading)


def test_of_two_who_begin_the_same_number_the_second_is_told(
    client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = f"E{next(NUMBERS):03d}"
    ours, others = client_of("coordinator-a"), client_of("coordinator-b")
    blood = {"v-LBDT": "2026-05-04", "v-CREAT": "1.1", "do": "save"}
    in_between(monkeypatch, lambda: others.post(url(number, "LABS"), blood))
    urine = {"v-URDT": "2026-05-04", "v-URBC": "12", "do": "save"}
    answer = ours.post(url(number, "URINE"), urine)
    assert answer.status_code == 422
    assert "was begun by somebody else meanwhile" in answer.content.decode()
    assert entry(number, "URINE", "URBC") is None
    assert entry(number, "LABS", "CREAT").site == "B"


def test_a_right_that_ended_while_a_save_waited_is_gone(
    about: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.web.conftest import browser_of, make_person

    from onearm.conduct import Right, draft_end
    from onearm.web.place import place

    client = browser_of(make_person("coordinator-c", Right("coordinator", "A")))
    here = place()

    def ends() -> None:
        draft = draft_end("coordinator-c", "coordinator", "A", "left the site")
        who = {"by": "administrator", "role": "administrator", "site": ""}
        here.ledger.record([draft], **who, study_hash=here.study.hash)

    in_between(monkeypatch, ends)
    boxes = {"v-URBC": "13", "seen-URBC": seen(about, "URBC"), "c-URBC": "typing error"}
    answer = client.post(url(about, "URINE"), {**boxes, "do": "save"})
    assert "has no right to" in answer.content.decode()
    assert entry(about, "URINE", "URBC").value == "12"


def test_what_is_verified_is_what_was_shown(about: str, client_of: Client) -> None:
    coordinator, monitor = client_of("coordinator-a"), client_of("monitor-a")
    form = url(about, "URINE")
    coordinator.post(f"{form}mark/", {"mark": "complete", "on": "yes"})
    page = monitor.get(form).content.decode()
    shown = re.findall(r'name="hash" value="(\w{64})"', page)[0]
    boxes = {"v-URBC": "99", "seen-URBC": seen(about, "URBC"), "c-URBC": "typing error"}
    coordinator.post(form, {**boxes, "do": "save"})
    verify = {"mark": "verified", "on": "yes", "hash": shown}
    told = monitor.post(f"{form}mark/", verify, follow=True).content.decode()
    assert "changed since you opened it" in told
    assert entry(about, "URINE", "@verified") is None
    shown = re.findall(r'name="hash" value="(\w{64})"', told)[0]
    monitor.post(f"{form}mark/", verify | {"hash": shown})
    assert entry(about, "URINE", "@verified").value == "yes"


def test_an_unscheduled_visit_far_off_makes_no_row_of_those_between(
    about: str, client_of: Client
) -> None:
    client = client_of("coordinator-a")
    form = url(about, "VITALS", "-", 4000)
    assert client.post(form, {"v-SYSBP": "120", "do": "save"}).status_code == 302
    page = client.get(f"/subject/{about}/").content.decode()
    assert page.count("VITALS/4000/") >= 1
    assert "VITALS/3999/" not in page
    assert "VITALS/4001/" in page
    far = client.post(url(about, "VITALS", "-", 10**9), {"v-SYSBP": "120", "do": "save"})
    assert far.status_code == 422
    assert "at most 9999" in far.content.decode()


def infused(about: str, day: str = "2026-06-01") -> None:
    """An infusion, past all rules: what follows is about the visits after it."""
    from onearm.web.place import place

    here = place()
    key = Key("subject", about, "INFUSION", "INFDT", "D0")
    here.ledger.record(
        [Draft(key, day)],
        by="coordinator-a",
        role="coordinator",
        site="A",
        study_hash=here.study.hash,
    )


def test_a_visit_is_recorded_as_missed_with_its_reason_from_the_subjects_page(
    about: str, client_of: Client
) -> None:
    infused(about)
    client, page = client_of("coordinator-a"), f"/subject/{about}/"
    refused = send(client, page, "/missed/M3/", code="", words="")
    assert refused.status_code == 302
    assert "is no reason" in client.get(page).content.decode()
    done = send(client, page, "/missed/M3/", code="patient was ill", words="in hospital elsewhere")
    assert done.status_code == 302
    found = entry(about, "@visit", "@missed", "M3")
    assert (found.value, found.reason) == ("patient was ill", "in hospital elsewhere")
    told = client.get(page).content.decode()
    assert "Recorded as missed: The patient was ill." in told
    assert "/missed/M3/" not in told
    assert "visit M3 missed: in hospital elsewhere" in client.get("/deviations/").content.decode()
    assert "The patient was ill" in told
    # made up for: the visit took place after all
    late = {"v-URDT": "2026-09-01", "v-UPROT24H": "1.1", "do": "save"}
    assert client.post(url(about, "URINE", "M3"), late).status_code == 302
    assert "in hospital elsewhere" not in client.get(page).content.decode()


def test_today_says_how_many_are_counted_only_since_something_is_not_known(
    about: str, client_of: Client
) -> None:
    infused(about)
    client = client_of("coordinator-a")
    event = {"v-AETERM": "Fever", "v-AESTDT": "2026-06-02", "v-AEGRADE": "4", "do": "save"}
    client.post(url(about, "AE", "-"), event)
    text = client.get("/").content.decode()
    assert "of them counted since grade, relation or start is not recorded" in text
    assert '<i class="open">' in text


@pytest.mark.parametrize(
    ("sent", "page"),
    [
        (f"{url('S', 'URINE')}{act}/", url("S", "URINE"))
        for act in ("draft", "score", "mark", "sign", "query")
    ]
    + [
        ("/subject/S/enrol/", "/subject/S/screening/"),
        ("/subject/S/missed/M3/", "/subject/S/"),
        ("/lock/", "/cuts/"),
    ],
)
def test_what_was_sent_after_the_session_ended_is_told_as_lost_and_leads_back(
    sent: str, page: str, about: str, people: dict[str, Any]
) -> None:
    from django.test import Client as Browser

    sent, page = sent.replace("/S/", f"/{about}/"), page.replace("/S/", f"/{about}/")
    browser = Browser()
    led = browser.post(sent, {"mark": "complete", "on": "yes"}, follow=True)
    assert led.redirect_chain == [(f"/account/login/?next={sent}", 302)]
    assert "Your session had ended" in led.content.decode()
    browser.force_login(
        people["coordinator-a"], backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    session = browser.session
    session["began"] = datetime.now(UTC).timestamp()
    session.save()
    back = browser.get(sent, follow=True)
    assert back.redirect_chain == [(page, 302)]
    assert "Nothing was recorded" in back.content.decode()


def test_what_a_page_sends_by_itself_after_the_session_ended_is_no_loss_to_tell(
    about: str, people: dict[str, Any]
) -> None:
    from django.test import Client as Browser

    browser = Browser(headers={"Sec-Fetch-Mode": "cors"})
    browser.post(f"{url(about, 'URINE')}draft/", {"v-URBC": "3"})
    assert "Your session had ended" not in browser.get("/account/login/").content.decode()


def marked(about: str, form: str, mark: str) -> str:
    found = entry(about, form, f"@{mark}")
    return found.value if found else ""


def test_the_lock_at_a_cut_leaves_out_what_waits_for_a_signature_unless_it_is_asked_for(
    about: str, client_of: Client
) -> None:
    client_of("coordinator-a").post(
        f"{url(about, 'URINE')}mark/", {"mark": "complete", "on": "yes"}
    )
    assert marked(about, "URINE", "complete") == "yes"
    manager = client_of("data-manager-a")
    told = manager.get("/cuts/").content.decode()
    assert f"{about} · M-3 · Urine · lacks a signature, or has an open query" in told
    send(manager, "/cuts/", "/lock/")
    assert "tick that you are sure" in manager.get("/cuts/").content.decode()
    send(manager, "/cuts/", "/lock/", sure="yes")
    assert marked(about, "URINE", "locked") == ""
    send(manager, "/cuts/", "/lock/", sure="yes", also="yes")
    assert marked(about, "URINE", "locked") == "yes"
    investigator = client_of("investigator-a").get(url(about, "URINE")).content.decode()
    assert "The form is locked, so it cannot be signed" in investigator
    assert 'name="password"' not in investigator


def test_the_lock_at_a_cut_leaves_out_what_has_an_open_query(about: str, client_of: Client) -> None:
    coordinator, monitor = client_of("coordinator-a"), client_of("monitor-a")
    answers = {"v-CONSENTDT": "2026-05-02", "v-AGE": "31", "v-SEX": "F"}
    coordinator.post(url(about, "DEMOG"), {**answers, "do": "complete"})
    assert marked(about, "DEMOG", "complete") == "yes"
    monitor.post(f"{url(about, 'DEMOG')}query/", {"item": "SEX", "words": "as in the passport?"})
    manager, where = client_of("data-manager-a"), f"{about} · M-3 · "
    assert where in manager.get("/cuts/").content.decode()
    send(manager, "/cuts/", "/lock/", sure="yes")
    assert marked(about, "DEMOG", "locked") == ""
    monitor.post(
        f"{url(about, 'DEMOG')}query/",
        {"item": "SEX", "number": "1", "state": "closed", "words": "seen"},
    )
    send(manager, "/cuts/", "/lock/", sure="yes")
    assert marked(about, "DEMOG", "locked") == "yes"


def test_a_draft_that_says_what_is_recorded_is_none(about: str, client_of: Client) -> None:
    client, page = client_of("coordinator-a"), url(about, "URINE")
    same = {"v-URBC": "12", "seen-URBC": seen(about, "URBC"), "c-all": "", "t-all": ""}
    assert json.loads(client.post(f"{page}draft/", same).content) == {"kept": ""}
    other = client.post(f"{page}draft/", {**same, "v-URBC": "13"})
    assert json.loads(other.content)["kept"] != ""
    assert "not part of the record" in client.get(page).content.decode()
    client.post(f"{page}draft/", same)  # typed back
    assert "not part of the record" not in client.get(page).content.decode()
    # somebody else records what the draft says
    client.post(f"{page}draft/", {**same, "v-URBC": "13"})
    changed = {
        **same,
        "v-URBC": "13",
        "c-URBC": "other reason",
        "t-URBC": "read again",
        "do": "save",
    }
    assert client_of("investigator-a").post(page, changed).status_code == 302
    assert "not part of the record" not in client.get(page).content.decode()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("2018-07-09", "2018-07-09"),
        ("1397/4/18", "2018-07-09"),
        ("2018-07", "2018-07"),
        ("2018-0", ""),  # still being typed
        ("2018-02-31", "does not exist in the Gregorian calendar"),
        ("1397/13/01", "does not exist in the solar Hijri calendar"),
    ],
)
def test_a_typed_date_is_read_back(typed: str, told: str, client_of: Client) -> None:
    text = json.loads(client_of("coordinator-a").get("/date/", {"text": typed}).content)["text"]
    assert told in text
    assert bool(told) is bool(text)


@pytest.mark.parametrize(
    "number", ["<b>", "P?3", "P 03", "P/4", "P%2F4", ".", "..", "-1", "_x", "", " ", "x" * 41]
)
def test_a_number_that_is_none_begins_no_subject_lot_or_form(
    number: str, client_of: Client
) -> None:
    from urllib.parse import quote

    client = client_of("coordinator-a")
    answer = client.post("/subjects/", {"about": number, "site": "A"})
    assert answer.status_code == 422
    assert "A number is 1 to 40 letters" in answer.content.decode()
    lot = client.post("/products/", {"about": number, "form": "COA"}, follow=True)
    assert "A number is 1 to 40 letters" in lot.content.decode()
    page = url(quote(number, safe="") or "-", "URINE")
    assert client.post(page, {"v-URBC": "1", "do": "save"}).status_code == 404


@pytest.mark.parametrize("number", ["N-001", "N_2.b", "ن۰۳", "É4", "7"])
def test_letters_digits_hyphens_dots_and_underscores_make_a_number(
    number: str, client_of: Client
) -> None:
    assert (
        client_of("coordinator-a").post("/subjects/", {"about": number, "site": "A"}).status_code
        == 302
    )


def test_where_a_reason_lacks_its_boxes_are_open_without_a_script(
    about: str, client_of: Client
) -> None:
    boxes = {"v-URBC": "13", "seen-URBC": seen(about, "URBC"), "do": "save"}
    answer = client_of("coordinator-a").post(url(about, "URINE"), boxes)
    assert answer.status_code == 422
    item = answer.content.decode().split('data-item="URBC"')[1].split('data-item="')[0]
    assert '<details class="why" data-why open>' in item


def test_a_decision_stands_when_the_evidence_changes_and_the_page_says_so(
    about: str, client_of: Client
) -> None:
    client, investigator = client_of("coordinator-a"), client_of("investigator-a")
    told = {
        "v-ELIGDT": "2026-05-04", "v-LNCLASS": "IV", "v-REFRACTORY": "yes", "v-ENROLDT": "2026-05-10",
        "do": "save",
    }  # fmt: skip
    assert client.post(url(about, "ELIG"), told).status_code == 302
    page = f"/subject/{about}/screening/"
    signed = send(investigator, page, "/enrol/", password=PASSWORD, code=code())
    assert signed.status_code == 302
    assert "the evidence changed" not in investigator.get(page).content.decode()
    boxes = {
        "v-URBC": "13", "seen-URBC": seen(about, "URBC"), "c-URBC": "other reason", "t-URBC": "read again",
        "do": "save",
    }  # fmt: skip
    assert client.post(url(about, "URINE"), boxes).status_code == 302
    for shown in (page, f"/subject/{about}/"):
        text = investigator.get(shown).content.decode()
        assert "the evidence changed after the decision, which stands" in text
        assert "mark void" not in text
        assert "enrolled" in text


def test_a_refused_invitation_keeps_what_was_typed(client_of: Client) -> None:
    page = client_of("administrator-a").post("/people/", {"user": "new person", "name": ""})
    assert page.status_code == 422
    assert 'value="new person"' in page.content.decode()


def test_an_event_that_ends_before_it_began_is_saved_with_a_warning_at_its_end(
    about: str, client_of: Client
) -> None:
    client, page = client_of("coordinator-a"), url(about, "AE", "-")
    told = {"v-AETERM": "Fever", "v-AESTDT": "2026-05-06", "v-AEENDT": "2026-05-01", "do": "save"}
    assert client.post(page, told).status_code == 302
    text = client.get(page).content.decode()
    item = text.split('data-item="AEENDT"')[1].split('data-item="')[0]
    assert "before it began" in item


def test_at_a_field_a_lacking_reason_is_told_without_the_codes_of_the_place(
    about: str, client_of: Client
) -> None:
    boxes = {"v-URBC": "13", "seen-URBC": seen(about, "URBC"), "do": "save"}
    text = client_of("coordinator-a").post(url(about, "URINE"), boxes).content.decode()
    assert "&#x27;12 /[HPF]&#x27; is recorded; a change needs a reason" in text
    assert "URINE.URBC" not in text
