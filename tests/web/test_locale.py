"""The Persian catalogue: complete, of the same placeholders, compiled as it stands, and seen on the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polib
import pytest

import onearm.web.translate as translate

CATALOGUE = Path(translate.__file__).parent / "locale" / "fa" / "LC_MESSAGES" / "django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[-+ #0-9.]*[a-z]|\bTIME\b|\{\w+(?:!r)?(?::[^}]*)?\}")
LATIN = {"CSV", "CLOCK", "EU", "HLA", "NUL", "SQLite", "UCUM", "UTF", "mL", "min", "record_clock"}
MARKS = {
    "\u200c",
    "\u2068",
    "\u2069",
    "«",
    "»",
}  # half-space; the isolation of what may be Latin in a Persian line; quotation marks
NUMBERED = re.compile(r"%\((?:n|k|of|p|limit|ready|open|count|seq|first|last|total|number|grade)\)")


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[translate.Message, list[str]]:
    return translate.extract()


def texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_message_of_the_pages_is_there_and_no_other(
    catalogue: polib.POFile, found: dict[translate.Message, list[str]]
) -> None:
    """After a change of words: python -m onearm.web.translate, translate what it lists, run it again."""
    held = [translate.Message(e.msgid, e.msgctxt, e.msgid_plural or None) for e in catalogue]
    assert len(held) == len(set(held))
    assert set(held) == set(found)
    assert len(found) > 400


def test_every_message_is_translated_and_none_is_a_guess(catalogue: polib.POFile) -> None:
    assert [e.msgid for e in catalogue if e.obsolete or e.fuzzy or not e.translated()] == []
    assert [e.msgid for e in catalogue if not all(text.strip() for text in texts(e))] == []


def test_placeholders_are_those_of_the_message(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        wanted = sorted(PLACEHOLDER.findall(entry.msgid))
        for text in texts(entry):
            assert sorted(PLACEHOLDER.findall(text)) == wanted, entry.msgid
            assert "%" not in PLACEHOLDER.sub("", text), entry.msgid


def test_plurals_have_every_form_of_the_language(catalogue: polib.POFile) -> None:
    rule = catalogue.metadata["Plural-Forms"]
    assert rule == "nplurals=2; plural=(n > 1);"  # as in Django's own Persian catalogue
    plurals = [e for e in catalogue if e.msgid_plural]
    assert plurals
    for entry in plurals:
        assert sorted(entry.msgstr_plural) == [0, 1], entry.msgid


def test_no_latin_letter_stays_but_in_names(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        for text in texts(entry):
            words = re.findall(r"[A-Za-z][A-Za-z_]*", PLACEHOLDER.sub("", text))
            assert set(words) <= LATIN, entry.msgid


def test_letters_and_signs_are_persian(catalogue: polib.POFile) -> None:
    """No Arabic yeh or kaf, no Latin comma, semicolon or question mark; half-spaces only between letters."""
    for entry in catalogue:
        for text in texts(entry):
            plain = PLACEHOLDER.sub("x", text)
            assert not re.search("[يكىة٠-٩,;?]", plain), text
            assert not re.search(r"(?:^|\W)\u200c|\u200c(?:\W|$)|  ", plain), text
            assert not re.search(r"\b(?:می|نمی) ", plain), text
            others = set(re.sub(r"[\u0600-\u06ffA-Za-z0-9 .:/()@+_-]", "", plain)) - MARKS
            assert not others, (text, others)


def test_what_may_be_latin_is_isolated_in_its_line(catalogue: polib.POFile) -> None:
    """A time or a hash inside a Persian line is read in its own direction."""
    for entry in catalogue:
        for text in texts(entry):
            for match in PLACEHOLDER.finditer(text):
                inside = text[match.start() - 1] + text[match.end() : match.end() + 1]
                if match.group().startswith("{"):
                    continue  # isolated as it is filled in
                named = not NUMBERED.match(match.group())
                assert not named or inside == "\u2068\u2069", text
            assert text.count("\u2068") == text.count("\u2069")


def test_the_compiled_file_is_what_the_catalogue_compiles_to(catalogue: polib.POFile) -> None:
    assert CATALOGUE.with_suffix(".mo").read_bytes() == catalogue.to_binary()


def test_running_the_tool_again_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "locale" / "fa" / "LC_MESSAGES" / "django.po"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CATALOGUE.read_bytes())
    here = translate.extract()
    monkeypatch.setattr(translate, "HERE", tmp_path)
    monkeypatch.setattr(translate, "extract", lambda: here)
    assert translate.main() == 0
    assert copy.read_bytes() == CATALOGUE.read_bytes()
    assert copy.with_suffix(".mo").read_bytes() == CATALOGUE.with_suffix(".mo").read_bytes()
    assert f"fa: {len(here)} messages, 0 not translated" in capsys.readouterr().out


def test_the_tool_keeps_translations_adds_what_is_new_and_drops_what_is_gone() -> None:
    old = polib.POFile()
    old.append(polib.POEntry(msgid="kept", msgstr="مانده"))
    old.append(polib.POEntry(msgid="gone", msgstr="رفته"))
    new = translate.update(
        old,
        {
            translate.Message("kept"): ["a.html"],
            translate.Message("%(n)s new", None, "%(n)s news"): [],
        },
    )
    assert [(e.msgid, e.msgstr) for e in new] == [("kept", "مانده"), ("%(n)s new", "")]
    assert new[1].msgstr_plural == {0: "", 1: ""}
    assert new[1].flags == ["python-format"]


def test_every_way_of_marking_a_message_is_found(folder: Path, tmp_path: Path) -> None:
    web = tmp_path / "web"
    (web / "templates").mkdir(parents=True)
    (web / "templates" / "a.html").write_text(
        "{% load i18n %}{% translate 'one (1)' %} {% translate 'May' context 'month' %}"
        "{% blocktranslate trimmed count n=k %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}"
        '{{ x|default:_("never") }}{% comment %}{% translate "hidden" %}{% endcomment %}',
        encoding="utf-8",
    )
    (web / "b.py").write_text(
        "_('two ' 'parts'); noop('three'); _(name); ngettext('%d a', '%d as', n)\n"
        "pgettext('verb', 'open'); translation.gettext_lazy('one (1)'); npgettext('c', 'x', 'xs', 2)\n",
        encoding="utf-8",
    )
    found = translate.extract(web)
    assert set(found) - {translate.Message(words) for words in translate.SAID_ANEW} == {
        translate.Message("one (1)"), translate.Message("May", "month"), translate.Message("never"),
        translate.Message("%(n)s day", None, "%(n)s days"), translate.Message("two parts"),
        translate.Message("three"), translate.Message("%d a", None, "%d as"),
        translate.Message("open", "verb"), translate.Message("x", "c", "xs"),
    }  # fmt: skip
    assert found[translate.Message("one (1)")] == ["b.py", "templates/a.html"]
    (tmp_path / "c.py").write_text("_('%d a')", encoding="utf-8")
    with pytest.raises(ValueError, match="both with a plural and without"):
        translate.extract(tmp_path)


# -- on the pages ---------------------------------------------------------------------------------


def frame_text(page: str) -> str:
    """What a reader sees of a page, without scripts and what is isolated as data."""
    page = re.sub("\u2068.*?\u2069", " ", page)
    page = re.sub(r"<(script|style|bdi|option)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


PAGES = ["/", "/subjects/", "/products/", "/events/", "/deviations/", "/audit/", "/cuts/"]
ACCOUNT = [
    "/account/password/change/",
    "/account/2fa/",
    "/account/logout/",
    "/account/reauthenticate/",
]
ENGLISH = re.compile(r"\b(?:the|is|are|of|and|your|you|to|with|for|no|not|this|a)\b", re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_persian_is_persian_from_right_to_left(
    path: str, client_of: Callable[[str], Any], catalogue: polib.POFile
) -> None:
    answer = client_of("inspector-a").get(path, headers={"accept-language": "fa"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<html lang="fa" dir="rtl"' in page
    for label in (
        "Today",
        "Subjects",
        "Donors and lots",
        "Events",
        "Deviations",
        "Audit",
        "Data cuts",
    ):
        assert f">{catalogue.find(label).msgstr}</a>" in page
        assert f">{label}<" not in page
    text = frame_text(page)
    for entry in catalogue:
        if len(entry.msgid) > 8 and "%" not in entry.msgid and "TIME" not in entry.msgid:
            assert f" {entry.msgid} " not in f" {text} ", entry.msgid


@pytest.mark.parametrize("path", ACCOUNT)
def test_account_pages_are_persian_too(path: str, client_of: Callable[[str], Any]) -> None:
    answer = client_of("statistician-a").get(path, headers={"accept-language": "fa"}, follow=True)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<html lang="fa" dir="rtl"' in page
    assert not ENGLISH.findall(frame_text(page)), frame_text(page)
    assert not re.search(r"کرده\u200cای\b|خواهی\b|گذرواژه\u200cات", page)  # the plural of courtesy


def test_the_sign_in_page_is_persian_before_anybody_is_known(people: dict[str, Any]) -> None:
    from django.test import Client

    page = (
        Client()
        .get("/account/login/", headers={"accept-language": "fa-IR,fa;q=0.9"})
        .content.decode()
    )
    assert '<html lang="fa" dir="rtl"' in page
    assert "ورود به سامانه" in page
    assert not ENGLISH.findall(frame_text(page))


def test_another_language_gets_english(people: dict[str, Any]) -> None:
    from django.test import Client

    page = Client().get("/account/login/", headers={"accept-language": "de"}).content.decode()
    assert '<html lang="en" dir="ltr"' in page
    assert "Sign in" in page


# -- what is said below the pages -----------------------------------------------------------------


def in_persian(said: str) -> str:
    from django.utils.translation import override

    from onearm.web.words import in_language

    with override("fa"):
        return in_language(said).replace("\u2068", "").replace("\u2069", "")


def test_a_sentence_from_below_is_said_in_persian_with_its_parts(folder: Path) -> None:
    """Parts that are sentences are said too, lists and dates as Persian writes them; ids stand as they are."""
    from onearm.sentences import sentence, term

    refused = sentence(
        "'{value}' lies after today, {today}", value="2030-01-01", today=date(2018, 3, 14)
    )
    assert in_persian(refused) == "«2030-01-01» پس از امروز، ۲۳ اسفند ۱۳۹۶ · 2018-03-14، است"
    place = sentence("form {form} of {kind} {about}", form="URINE", kind=term("lot"), about="L1")
    assert in_persian(place) == "فرم URINE از بچ L1"
    reasons = sentence("{later} changed after it", later=("UPROT24H", "URBC"))
    assert in_persian(reasons) == "UPROT24H، URBC پس از آن تغییر کرد"


def test_in_english_a_sentence_is_its_text(folder: Path) -> None:
    from django.utils.translation import override

    from onearm.sentences import sentence
    from onearm.web.words import in_language

    with override("en"):
        assert in_language(sentence("visit {visit}", visit="M3")) == "visit M3"


def test_a_plain_text_is_never_translated(folder: Path) -> None:
    """A reason that somebody wrote stays what he wrote, though it be a word of the catalogue."""
    assert in_persian("complete") == "complete"


def test_every_word_of_the_closed_lists_is_in_the_catalogue(catalogue: polib.POFile) -> None:
    from typing import get_args

    from onearm.checks import MISSING_REASONS
    from onearm.conduct import ACTIONS, MARKS, MEANINGS, MISSED_REASONS, ROLES
    from onearm.conduct.queries import State
    from onearm.ledger.entries import KINDS

    marks = {"complete", "verified", "locked", "struck out"}
    lists = (
        *(*ACTIONS.values(), *MEANINGS, *MISSED_REASONS, *ROLES, *MISSING_REASONS),
        *(*get_args(State), *KINDS, *marks),
    )
    assert len(lists) > 50
    assert {m.replace("struck", "struck out") for m in MARKS} == marks
    assert [w for w in lists if (e := catalogue.find(w)) is None or not e.msgstr] == []


def test_no_refusal_of_conduct_is_put_together_in_english_only() -> None:
    """An f-string says nothing to a translator; what refuses an act has a template."""
    root, refusals = CATALOGUE.parents[4], 0
    for path in [*root.glob("conduct/*.py"), root / "checks.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in translate.SAYING:
                refusals += 1
                assert not any(isinstance(a, ast.JoinedStr) for a in node.args), (path, node.lineno)
    assert refusals > 60


def test_a_refused_form_tells_why_in_persian(client_of: Callable[[str], Any]) -> None:
    client = client_of("coordinator-a")
    client.post("/subjects/", {"about": "FA1", "site": "A"})
    boxes = {
        "v-URDT": "1404-12-31",
        "v-UPROT24H": "1,800",
        "v-URBC": "پنج",
        "v-UWBC": "2.5",
        "v-CELLCAST": "شاید",
        "do": "save",
    }
    answer = client.post("/form/subject/FA1/M-3/URINE/1/", boxes, headers={"accept-language": "fa"})
    page = answer.content.decode()
    assert answer.status_code == 422
    told = re.findall(r'<ul class="errors"[^>]*><li>(.*?)</li>', page)
    assert len(told) >= 4
    for line in told:
        assert not ENGLISH.findall(frame_text(line)), line
        assert re.search("[\u0600-\u06ff]", line)


def test_a_refused_act_tells_why_in_persian(client_of: Callable[[str], Any]) -> None:
    client = client_of("coordinator-a")
    client.post("/subjects/", {"about": "FA2", "site": "A"})
    client.post("/form/subject/FA2/M-3/URINE/1/", {"v-UPROT24H": "1.8", "do": "save"})
    answer = client.post(
        "/form/subject/FA2/M-3/URINE/1/mark/",
        {"mark": "complete", "on": "yes"},
        headers={"accept-language": "fa"},
        follow=True,
    )
    told = re.findall(r'<p class="message error">(.*?)</p>', answer.content.decode())
    assert told
    assert "بی‌پاسخ" in told[0]
    assert not ENGLISH.findall(frame_text(told[0]))
