"""The pages in a real browser: Debian's Chromium, driven by Playwright, against a server of its own."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys
import time
from base64 import b32decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import PASSWORD, SECRET
from tests.web.serving import course

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in a process of its own, with one subject that has something on every page."""
    told = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(HERE / "serving.py"), str(tmp_path_factory.mktemp("served"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=told) as server:
        assert server.stdout is not None
        line = server.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), "the server did not start; its words are above"
        yield line
        server.terminate()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium here: nothing was seen of the pages in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())


def totp(now: float) -> str:
    """The code that an authenticator shows (RFC 6238: SHA-1, 30 s, 6 digits)."""
    digest = hmac.digest(b32decode(SECRET), int(now // 30).to_bytes(8, "big"), hashlib.sha1)
    at = digest[-1] & 15
    return str((int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF) % 10**6).zfill(6)


def sign_in(page: Any, user: str) -> None:
    """Fill the two pages of the sign-in, wherever it was asked for."""
    page.fill("[name=login]", user)
    page.fill("[name=password]", PASSWORD)
    press(page, "main form .button")
    page.fill("[name=code]", totp(time.time()))
    press(page, "main form .button")


@pytest.fixture(scope="module")
def cookies() -> dict[str, Any]:
    """What a browser keeps of each sign-in."""
    return {}


@pytest.fixture
def open_as(chromium: Any, address: str, cookies: dict[str, Any]) -> Iterator[Open]:
    """A page of a person who signed in; nothing may be asked of another host, nothing said in the console."""
    contexts, told = [], []

    def watch(page: Any) -> None:
        page.on("request", lambda r: r.url.startswith(address) or told.append(f"asked {r.url}"))
        page.on("pageerror", lambda error: told.append(f"script: {error}"))
        page.on("console", lambda m: m.type == "error" and blamed(m) and told.append(m.text))

    def blamed(message: Any) -> bool:
        # 422 and 409 are how a form that was not saved is answered; the browser notes each.
        return not re.search(r"status of (422|409|404|403)", message.text)

    def open_(user: str, path: str = "/", **more: Any) -> Any:
        context = chromium.new_context(base_url=address, storage_state=cookies.get(user), **more)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        watch(page)
        page.goto(path)
        if user and "/account/login/" in page.url:
            sign_in(page, user)
            if "java_script_enabled" not in more:
                cookies[user] = context.storage_state()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not told


def violations(page: Any) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA."""

    page.evaluate((HERE / "axe.min.js").read_text(encoding="utf-8") + "; 0")
    ran = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", WCAG)
    assert len(ran["passes"]) > 5, "axe looked at too little"
    return [
        f"{page.url}: {v['id']}: {v['help']}: {n['target']} {n.get('failureSummary', '')}"
        for v in ran["violations"]
        for n in v["nodes"]
    ]


def fill(page: Any, values: dict[str, str]) -> None:
    """Type or tick what a form asks."""
    for item, value in values.items():
        boxes = page.locator(f"[name='v-{item}']")
        kind = boxes.first.evaluate("box => box.type")
        if kind == "radio":
            page.check(f"[name='v-{item}'][value='{value}']")
        elif kind == "select-one":
            boxes.select_option(value)
        else:
            boxes.fill(value)


def save(page: Any, do: str = "save") -> str:
    """Press a button of the bar; what the next page tells."""
    press(page, f".save-bar button[value={do}]")
    return str(page.inner_text("body"))


def press(page: Any, button: str) -> None:
    """Press what leads to another page, and wait for it."""
    with page.expect_navigation():
        page.click(button)


def identify(page: Any, scope: str) -> None:
    """Password and code, as each signature asks."""
    page.fill(f"{scope} [name=password]", PASSWORD)
    page.fill(f"{scope} [name=code]", totp(time.time()))


# -- the journey ----------------------------------------------------------------------------------


def test_a_subject_goes_from_screening_to_a_signed_month_3_visit(open_as: Open) -> None:
    about, forms = "P02", course("P02", "L-P02", "DN-P02")
    coordinator, investigator = open_as("coordinator", "/subjects/"), open_as("investigator")
    monitor = open_as("monitor")

    coordinator.click("details:has([name=about]) summary")
    coordinator.fill("main [name=about]", about)
    press(coordinator, "form:has([name=about]) button")
    for path, values in forms.items():
        if "/D0/WEIGHT" in path:
            # Nothing after screening opens before the investigator has signed.
            coordinator.goto("/form/subject/P02/D0/WEIGHT/1/")
            assert "Nothing can be entered here" in coordinator.inner_text("main")
            investigator.goto(f"/subject/{about}/screening/")
            assert investigator.locator(".criterion .mark.met").count() == 3
            identify(investigator, "form:has([value=enrol])")
            press(investigator, "button[value=enrol]")
            assert "enrolled" in investigator.inner_text("#decision")
        coordinator.goto(f"/form/{path}/1/")
        fill(coordinator, values)
        assert "recorded" in save(coordinator), path

    urine = f"/form/subject/{about}/M3/URINE/1/"
    coordinator.goto(urine)
    save(coordinator, "complete")
    assert coordinator.locator(".steps .reached .complete").count() == 1

    field = "[data-item=UPROT24H]"
    monitor.goto(urine)
    assert monitor.locator("#entry [name^='v-']").count() == 0  # reads, enters nothing
    monitor.click(f"{field} details.new summary")
    monitor.fill(f"{field} details.new [name=words]", "The laboratory's sheet says 1.6?")
    press(monitor, f"{field} details.new button")
    coordinator.goto(urine)
    assert "sheet says 1.6" in coordinator.inner_text(f"{field} details.open .thread")
    coordinator.fill(f"{field} details.open [name=words]", "1.5 on the sheet of that day")
    press(coordinator, f"{field} button[value=answered]")
    monitor.goto(urine)
    monitor.fill(f"{field} details.answered [name=words]", "Agreed")
    press(monitor, f"{field} button[value=closed]")
    assert monitor.locator(f"{field} details.query.closed").count() == 1
    press(monitor, "button[name=mark][value=verified]")
    assert monitor.locator(".steps .reached .verified").count() == 1

    investigator.goto(urine)
    identify(investigator, "#sign")
    press(investigator, "#sign form button")
    signature = investigator.inner_text(".sigs")
    assert "valid" in signature and "investigator (test)" in signature
    assert re.search(r"\d{4}-\d{2}-\d{2}.*([+-]\d{2}:\d{2}|UTC)", signature), signature
    investigator.goto(f"/subject/{about}/")
    month3 = investigator.locator("li.visit", has_text="M3")
    assert month3.locator(".forms li", has_text="urine").locator(".mark.signed").count() == 1


def test_the_sign_in_asks_the_second_factor_and_refuses_a_wrong_password(open_as: Open) -> None:
    page = open_as("", "/subjects/")
    page.fill("[name=login]", "monitor")
    page.fill("[name=password]", "wrong horse battery staple")
    press(page, "main form .button")
    assert page.locator("main .errors, main [role=alert]").count() >= 1
    page.fill("[name=password]", PASSWORD)
    press(page, "main form .button")
    assert page.locator("[name=code]").count() == 1
    page.goto("/subjects/")
    assert "/account/" in page.url  # the password alone opens nothing


# -- changes --------------------------------------------------------------------------------------


def test_a_change_asks_its_reason_at_the_field(open_as: Open) -> None:
    page = open_as("coordinator", "/form/subject/P01/M-3/LABS/1/")
    item = page.locator("[data-item=CREAT]")
    assert not item.locator("[name=c-CREAT]").is_visible()
    fill(page, {"CREAT": "1.1"})
    assert item.locator("[name=c-CREAT]").is_visible()
    assert "Changed from 0.9" in item.inner_text()
    save(page)
    assert item.locator("ul.errors").count() == 1
    assert "reason" in item.locator("ul.errors").inner_text()
    assert page.locator(".error-summary").evaluate("e => e === document.activeElement")
    assert item.locator("[name=v-CREAT]").input_value() == "1.1"
    page.select_option("[name=c-CREAT]", index=1)
    save(page)
    item.locator("details.history summary").click()
    assert item.locator(".versions .value").all_inner_texts() == ["1.1 mg/dL", "0.9 mg/dL"]


def test_one_reason_does_for_all_changes_shown(open_as: Open) -> None:
    page = open_as("coordinator", "/form/subject/P01/M-3/LABS/1/")
    assert not page.locator("[data-all-reasons]").is_visible()
    fill(page, {"PLT": "251", "WBC": "6.1"})
    page.locator("[data-all-reasons] summary").click()
    page.select_option("[name=c-all]", index=1)
    page.fill("[name=t-all]", "read from the wrong column")
    assert "2 entries recorded" in save(page)
    for item in ("PLT", "WBC"):
        page.locator(f"[data-item={item}] details.history summary").click()
        assert "read from the wrong column" in page.inner_text(f"[data-item={item}] .versions")


def test_a_signature_is_voided_by_a_change_in_sight(open_as: Open) -> None:
    url = "/form/subject/P01/M-3/URINE/1/"
    page = open_as("coordinator", url)
    assert page.locator(".sigs .mark.signed").count() == 1
    fill(page, {"UWBC": "3"})
    page.select_option("[name=c-UWBC]", index=1)
    save(page)
    page.goto(url)
    assert page.locator(".sigs .mark.signed").count() == 0
    assert page.locator(".steps li.void").count() == 1
    assert "UWBC" in page.locator(".sigs .why-void").last.inner_text() or "White cells" in (
        page.locator(".sigs .why-void").last.inner_text()
    )


def test_two_people_on_one_form_are_led_to_a_choice(open_as: Open) -> None:
    url = "/form/subject/P01/M3/LABS/1/"
    first, second = open_as("coordinator", url), open_as("investigator", url)
    for page, value in ((first, "240"), (second, "260")):
        fill(page, {"PLT": value})
        page.select_option("[name=c-PLT]", index=1)
    assert "recorded" in save(first)
    told = save(second)
    assert "Two people on one form" in told and "240" in told and "260" in told
    assert violations(second) == []
    second.check("[name=choose-PLT][value=yours]")
    press(second, "form.merge button[value=save]")
    assert "recorded" in second.inner_text("body")
    assert second.locator("[name=v-PLT]").input_value() == "260"


def test_a_lost_session_gives_the_draft_back(open_as: Open) -> None:
    url = "/form/subject/P01/M3/LABS/1/"
    page = open_as("coordinator", url)
    fill(page, {"TEMP": "37.4"})
    page.wait_for_selector("[data-draft-state]:has-text('Draft kept')")
    page.context.clear_cookies(name=re.compile("session"))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(url)
    assert "/account/login/" in page.url
    sign_in(page, "coordinator")
    page.wait_for_url(f"**{url}")
    assert page.locator("[name=v-TEMP]").input_value() == "37.4"
    assert "It is not part of the record" in page.inner_text(".draft")
    press(page, "[name=discard]")
    assert page.locator("[name=v-TEMP]").input_value() == "36.6"


def test_two_minutes_before_the_session_ends_the_page_asks_and_keeps_the_draft(
    open_as: Open,
) -> None:
    url = "/form/subject/P01/M3/LABS/1/"
    page = open_as("coordinator")
    page.clock.install()
    page.goto(url)
    fill(page, {"TEMP": "37.9"})
    page.wait_for_selector("[data-draft-state]:has-text('Draft kept')")  # it counts as being there
    page.clock.fast_forward("12:50")
    assert not page.locator("#idle").is_visible()
    page.clock.fast_forward("00:15")
    page.wait_for_selector("#idle", state="visible")
    assert "Are you still there?" in page.inner_text("#idle")
    assert re.search("You will be signed out at [0-9]{2}:[0-9]{2}", page.inner_text("#idle"))
    assert violations(page) == []
    page.click("#idle [data-stay]")
    page.wait_for_selector("#idle", state="hidden")
    page.clock.fast_forward("12:50")
    assert not page.locator("#idle").is_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    assert page.locator("[name=v-TEMP]").input_value() == "37.9"
    press(page, "[name=discard]")


def test_a_save_after_the_session_ended_loses_nothing_typed(open_as: Open) -> None:
    url = "/form/subject/P01/M3/SLEDAI/1/"
    page = open_as("coordinator", url)
    fill(page, {"ARTHRIT": "no"})
    page.wait_for_selector("[data-draft-state]:has-text('Draft kept')")
    page.context.clear_cookies(name=re.compile("session"))
    press(page, ".save-bar button[value=save]")
    assert "/account/login/" in page.url
    sign_in(page, "coordinator")
    page.goto(url)
    assert page.locator("[name=v-ARTHRIT][value=no]").is_checked()
    press(page, "[name=discard]")


def test_a_score_follows_the_answers_while_they_are_given(open_as: Open) -> None:
    page = open_as("coordinator", "/form/subject/P01/M3/SLEDAI/1/")
    before = page.inner_text("[data-score]")
    fill(page, {"SEIZURE": "yes"})
    page.wait_for_function(
        "text => document.querySelector('[data-score]').innerText !== text", arg=before
    )
    least, was = (int(re.findall(r"\d+", t)[0]) for t in (page.inner_text("[data-score]"), before))
    assert least - was == 8  # a seizure: 8 points
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_form_works_without_a_script(open_as: Open) -> None:
    page = open_as("coordinator", "/form/subject/P01/M-3/LABS/1/", java_script_enabled=False)
    fill(page, {"TEMP": "36.9"})
    assert "reason" in save(page)
    page.locator("[data-item=TEMP] details.why").evaluate("d => d.open = true")
    page.select_option("[name=c-TEMP]", index=1)
    assert "recorded" in save(page)
    assert page.locator("[name=v-TEMP]").input_value() == "36.9"


# -- Persian --------------------------------------------------------------------------------------


def test_persian_is_right_to_left_and_takes_jalali_dates_in_persian_digits(open_as: Open) -> None:
    url = "/form/subject/P01/-/DEVIATION/2/"
    page = open_as("coordinator", url, locale="fa-IR")
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert re.search("[\u0600-\u06ff]", page.inner_text(".save-bar"))
    # 18 Tir 1397 is 9 July 2018 (the calendar of the University of Tehran).
    page.fill("[name=v-DVDT]", "۱۳۹۷/۰۴/۱۸")
    page.wait_for_function("() => document.querySelector('[data-item=DVDT] .preview').textContent")
    told = page.inner_text("[data-item=DVDT] .preview")
    assert re.sub("[\u2068\u2069]", "", told) == "۱۸ تیر ۱۳۹۷ · 2018-07-09"
    page.fill("[name=v-DVTERM]", "نمونه دیر گرفته شد")
    page.check("[name=v-DVIMP][value=no]")
    save(page)
    shown = page.inner_text("[data-item=DVDT]")
    assert "۱۸ تیر ۱۳۹۷" in shown and "2018-07-09" in shown
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    auditor = open_as("monitor", "/form/subject/P01/-/DEVIATION/2/history/DVDT/")
    assert "2018-07-09" in auditor.inner_text("main")  # kept as ISO, whatever was typed


# -- every page -----------------------------------------------------------------------------------

PAGES = {
    "coordinator": [
        *("/", "/subjects/", "/subject/P01/", "/subject/P01/screening/", "/products/", "/events/"),
        *("/form/subject/P01/M-3/URINE/1/", "/form/subject/P01/M3/SLEDAI/1/", "/deviations/"),
        *(
            "/form/subject/P01/D0/VITALS/1/",
            "/form/subject/P01/-/AE/1/",
            "/form/lot/L-P01/-/COA/1/",
        ),
        *("/account/password/change/", "/account/2fa/", "/account/2fa/recovery-codes/"),
        *("/account/logout/", "/nothing-here/", "/people/"),
    ],
    "investigator": [
        *("/form/subject/P01/M-3/URINE/1/", "/subject/P01/screening/", "/amendment/"),
    ],
    "monitor": [
        *("/audit/", "/form/subject/P01/M-3/URINE/1/history/URBC/", "/cuts/"),
        *("/form/subject/P01/M-3/URINE/1/", "/subject/P01/"),
    ],
    "data-manager": ["/cuts/"],
    "administrator": ["/people/", "/people/coordinator/", "/people/register/", "/audit/"],
}


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("user", PAGES)
def test_no_page_breaks_a_rule_of_wcag_2_2_aa(open_as: Open, user: str, language: str) -> None:
    page = open_as(user, locale={"en": "en-GB", "fa": "fa-IR"}[language])
    found = []
    for path in PAGES[user]:
        page.goto(path)
        if "/reauthenticate/" in page.url:
            found += violations(page)
            identify_again(page)
        assert page.locator(f"html[lang={language}]").count() == 1, path
        found += violations(page)
    assert found == []


def identify_again(page: Any) -> None:
    """Pages of the second factor ask who it is once more."""
    if page.locator("[name=password]").count():
        page.fill("[name=password]", PASSWORD)
    else:
        page.fill("[name=code]", totp(time.time()))
    press(page, "main form .button")


def test_pages_before_the_sign_in_break_no_rule_either(open_as: Open) -> None:
    page = open_as("", "/account/login/")
    found = violations(page)
    page.fill("[name=login]", "monitor")
    page.fill("[name=password]", PASSWORD)
    press(page, "main form .button")
    found += violations(page)
    page.goto("/invitation/none/")
    assert found + violations(page) == []


def test_a_refused_form_breaks_no_rule(open_as: Open) -> None:
    page = open_as("coordinator", "/form/subject/P01/M-3/LABS/1/")
    fill(page, {"LBDT": "31.12.2018", "CREAT": "1,2"})
    save(page)
    assert page.locator("ul.errors").count() == 2
    assert violations(page) == []


@pytest.mark.parametrize("path", PAGES["coordinator"][:9])
def test_nothing_runs_over_the_edge_of_a_phone(open_as: Open, path: str) -> None:
    page = open_as("coordinator", path, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
