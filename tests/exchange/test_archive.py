"""The archive: pages that open as files, with everything a ledger holds, made from the ledger inside it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from tests.conftest import STUDIES, TODAY, WHO

from onearm.cli import main
from onearm.conduct import (
    Person,
    Right,
    draft_query,
    draft_reply,
    draft_signature,
    item_key,
    mark_key,
    queries,
    shown_hash,
)
from onearm.errors import ExchangeError, LedgerError, OnearmError
from onearm.exchange.archive import write_archive
from onearm.exchange.entries import import_entries
from onearm.ledger import Draft, Key, Ledger
from onearm.records import Records
from onearm.study import Study, load_study

INVESTIGATOR = Person("investigator-2", "The investigator", (Right("investigator", ""),))
EVIL = '<script>alert("x")</script>'


def conduct(study: Study, ledger: Ledger) -> None:
    """A signature that a change voids, one that stands, a query, a right, a redaction, a form struck out."""
    who = {"by": "investigator-2", "role": "investigator", "site": "Mashhad"}
    who["study_hash"] = study.hash

    def record(*drafts: Draft) -> int:
        return ledger.record(drafts, **who)[0].seq

    def now() -> Records:
        return Records(study, ledger.snapshot())

    first, second = now().subjects[:2]
    signed = now().instances("URINE", about=first)[0], now().instances("URINE", about=second)[0]
    for form in signed:
        record(Draft(mark_key(form, "complete"), "yes"))
        at, seen = "2018-12-30T12:30:00+03:30", shown_hash(now(), form)
        record(draft_signature(now(), form, "responsibility", INVESTIGATOR, at, seen))
    protein = item_key(signed[0], "UPROT24H")
    record(draft_query(now(), protein, f"Is it the morning's? {EVIL}"))
    record(draft_reply(now(), queries(now())[0].key, "answered", "No, of 24 hours"))
    record(Draft(protein, "9.75", "g/(24.h)", reason=f"read from the wrong line {EVIL}"))
    record(Draft(Key("study", "investigator-2", "RIGHTS", "investigator@"), "granted"))
    seq = record(Draft(item_key(signed[0], "UWBC"), "77177", "/[HPF]", reason="counted again"))
    ledger.redact(seq, reason="names a person", **who)
    taken = {"hash": "ab" * 32, "name": "The investigator", "at": "2018-12-30T12:30:00+03:30"}
    enrolment = {"kind": "subject", "about": first, "form": "@enrolment"}
    record(Draft(Key(**enrolment, item="@decision"), json.dumps(taken), reason="all criteria met"))
    excepted = {**taken, "stood": "unknown"}
    record(Draft(Key(**enrolment, item="@exception.I2"), json.dumps(excepted), reason="agreed"))
    struck = now().instances("LABS", about=second)[0]
    record(Draft(mark_key(struck, "struck"), "yes", reason="of another patient"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's study folder with some conduct, on constructed records."""
    made = tmp_path_factory.mktemp("archive") / "study"
    made.mkdir()
    (made / "study.yaml").write_bytes((STUDIES / "abstract-2018.yaml").read_bytes())
    study = load_study(made / "study.yaml")
    with Ledger.open(made / "ledger.db", create=True) as ledger:
        for name in ("entries.csv", "corrections.csv"):
            import_entries(study, ledger, STUDIES / "records" / name, today=TODAY, **WHO)
        conduct(study, ledger)
    (made / "accounts.db").write_bytes(b"")
    (made / "secret.key").write_text("key")
    return made


@pytest.fixture(scope="module")
def unpacked(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as ``onearm archive`` makes it, unpacked."""
    place = tmp_path_factory.mktemp("unpacked")
    done = CliRunner().invoke(main, ["archive", str(folder), str(place / "a.zip")])
    assert done.exit_code == 0, done.stderr
    with zipfile.ZipFile(place / "a.zip") as pack:
        pack.extractall(place / "a")
    return place / "a"


@pytest.fixture(scope="module")
def first(unpacked: Path) -> str:
    """The page of the first subject."""
    return (unpacked / "subjects" / "subject-001-001.html").read_text(encoding="utf-8")


class Links(HTMLParser):
    """Ids and references of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.refers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("href", "src") and value:
                self.refers.append(value)


def pages(folder: Path) -> list[Path]:
    """Every page made by the archive itself."""
    return [p for p in sorted(folder.rglob("*.html")) if p.name != "report.html"]


def test_every_link_leads_to_something_inside_the_archive(unpacked: Path) -> None:
    read = {p.resolve(): Links(p.read_text(encoding="utf-8")) for p in pages(unpacked)}
    checked = 0
    for page, links in read.items():
        for refers in links.refers:
            path, _, anchor = unquote(refers).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.is_relative_to(unpacked.resolve()), refers
            assert target.is_file(), f"{page.name}: {refers}"
            if anchor:
                assert anchor in read[target].ids, f"{page.name}: {refers}"
            checked += 1
    assert checked > 3000


def test_constructed_data_are_labelled_on_every_page(unpacked: Path) -> None:
    for page in [*pages(unpacked), unpacked / "report.html"]:
        assert "Constructed data, not patient data." in page.read_text(encoding="utf-8"), page.name
    assert "constructed data, not patient data" in (unpacked / "README.txt").read_text()


def test_the_manifest_holds_the_digest_of_every_other_file(unpacked: Path) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))
    files = {p.relative_to(unpacked).as_posix(): p for p in unpacked.rglob("*") if p.is_file()}
    assert set(manifest["members"]) == set(files) - {"manifest.json"}
    for name, told in manifest["members"].items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == told["sha256"]


def test_accounts_and_keys_stay_out(unpacked: Path) -> None:
    names = {p.name for p in unpacked.rglob("*")}
    assert not names & {"accounts.db", "secret.key"}


def test_the_ledger_inside_is_checked_with_python_alone(unpacked: Path, folder: Path) -> None:
    with Ledger.open(folder / "ledger.db") as ledger:
        head = str(ledger.head())
    words = [sys.executable, "-I", "verify_ledger.py", "ledger.db", head]
    done = subprocess.run(words, cwd=unpacked, capture_output=True, text=True, check=False)
    assert done.stdout == f"whole: {head}\n", done.stderr
    assert f"verify_ledger.py ledger.db {head}" in (unpacked / "README.txt").read_text()
    assert head in (unpacked / "index.html").read_text(encoding="utf-8")


def test_the_trail_holds_every_entry_as_pages_table_and_search(
    unpacked: Path, folder: Path
) -> None:
    with Ledger.open(folder / "ledger.db") as ledger:
        entries = list(ledger.entries())
    numbers = [e.seq for e in entries]
    shown = "".join(p.read_text(encoding="utf-8") for p in sorted((unpacked / "audit").glob("0*")))
    assert [int(n) for n in re.findall(r'<tr id="e(\d+)">', shown)] == numbers
    with (unpacked / "audit" / "entries.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [int(row["seq"]) for row in table] == numbers
    assert [row["hash"] for row in table] == [e.hash for e in entries]
    assert [row["value"] or None for row in table] == [e.value for e in entries]
    script = (unpacked / "audit" / "entries.js").read_text(encoding="utf-8")
    rows = json.loads(script.split("const ENTRIES = ")[1].rstrip().rstrip(";"))
    assert [row[0] for row in rows] == numbers


def test_every_current_value_stands_on_the_page_of_its_subject(
    unpacked: Path, folder: Path
) -> None:
    with Ledger.open(folder / "ledger.db") as ledger:
        snapshot = ledger.snapshot()
    for number, subject in enumerate(snapshot.subjects(), start=1):
        page = (unpacked / "subjects" / f"subject-{number:03}-{subject}.html").read_text()
        for entry in snapshot.about("subject", subject):
            assert f">entry {entry.seq}</a>" in page


def test_an_item_shows_what_stood_before_who_changed_it_and_why(first: str) -> None:
    place = first.index("9.75 g/(24.h)</td>")
    cell = first[place : first.index("</td></tr>", place)]
    assert "2 entries, the newest first" in cell
    assert cell.index("9.75") < cell.index("Reason: read from the wrong line")
    assert "investigator-2 (investigator), Mashhad" in cell
    assert "nurse 1 (nurse), Mashhad" in cell


def test_a_redacted_value_is_nowhere_but_its_redaction_is(first: str, unpacked: Path) -> None:
    assert "redacted" in first
    assert "redaction of entry" in first
    assert "77177" not in first
    assert ",77177," not in (unpacked / "audit" / "entries.csv").read_text(encoding="utf-8-sig")


def test_signatures_are_shown_valid_or_void_in_words(first: str, unpacked: Path) -> None:
    assert "<strong>Void</strong> as responsibility: The investigator (investigator)" in first
    assert "UPROT24H" in first.split("No longer covers this form:")[1][:60]
    second = (unpacked / "subjects" / "subject-002-002.html").read_text(encoding="utf-8")
    assert "Signed as responsibility: The investigator (investigator), 2018-12-30T12:30" in second
    assert "signed by The investigator at 2018-12-30T12:30:00+03:30" in second
    assert "form marked complete" in second


def test_the_decision_to_enrol_and_exceptions_are_told_in_words(first: str) -> None:
    signed = "by The investigator at 2018-12-30T12:30:00+03:30"
    assert f"enrolment signed {signed}" in first
    assert f"exception to criterion I2 signed {signed}; it was unknown" in first
    assert "abab" not in first


def test_queries_marks_and_rights_are_words(first: str, unpacked: Path) -> None:
    assert "query 1 at Protein" in first
    assert "answered: No, of 24 hours" in first
    second = (unpacked / "subjects" / "subject-002-002.html").read_text(encoding="utf-8")
    assert "form struck out" in second
    assert "of another patient" in second
    assert "investigator at every site" in (unpacked / "study.html").read_text(encoding="utf-8")
    assert "@complete" not in first + second


def test_scores_are_shown_with_their_bounds(first: str, folder: Path) -> None:
    study = load_study(folder / "study.yaml")
    with Ledger.open(folder / "ledger.db") as ledger:
        records = Records(study, ledger.snapshot())
    for score in records.scores_of(records.subjects[0], "SLEDAI"):
        for name, bounds in score.bounds.items():
            assert f"SLEDAI.{name}</span> <strong>{bounds}</strong>" in first


def test_what_people_wrote_is_text_and_never_markup(unpacked: Path) -> None:
    for page in pages(unpacked):
        assert EVIL not in page.read_text(encoding="utf-8")
    script = (unpacked / "audit" / "entries.js").read_text(encoding="utf-8")
    assert script.isascii()


def test_only_the_search_page_has_a_script_and_no_page_asks_another_host(unpacked: Path) -> None:
    for page in pages(unpacked):
        text = page.read_text(encoding="utf-8")
        assert ("<script" in text) == (page.parent.name == "audit" and page.name == "index.html")
        assert not re.search(r'(?:href|src)="(?:https?:)?//', text)


def test_an_entry_of_a_form_that_the_study_file_has_no_more_is_shown(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "s").mkdir()
    for name in ("study.yaml", "ledger.db"):
        (tmp_path / "s" / name).write_bytes((folder / name).read_bytes())
    key = Key("subject", "001", "OLDFORM", "OLDITEM", "V99")
    with Ledger.open(tmp_path / "s" / "ledger.db") as ledger:
        ledger.record([Draft(key, "kept for ever")], **WHO, study_hash="5d" * 32)
    write_archive(tmp_path / "s", tmp_path / "a.zip", lambda *_: None, "")
    with zipfile.ZipFile(tmp_path / "a.zip") as pack:
        page = pack.read("subjects/subject-001-001.html").decode()
        study = pack.read("study.html").decode()
    assert "OLDFORM (of an earlier study file)" in page
    assert "kept for ever" in page
    assert f"{'5d' * 32} (the file was not kept)" in study


def test_an_empty_study_and_one_without_a_report_are_archived_too(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "study.yaml").write_bytes((STUDIES / "abstract-2018.yaml").read_bytes())
    Ledger.open(tmp_path / "s" / "ledger.db", create=True).close()

    def none(*_words: object) -> None:
        raise OnearmError("nobody was treated")

    manifest = write_archive(tmp_path / "s", tmp_path / "a.zip", none, "")
    assert manifest["left_out"][-1] == "report.html: it could not be made: nobody was treated"
    with zipfile.ZipFile(tmp_path / "a.zip") as pack:
        assert "nobody was treated" in pack.read("index.html").decode()
        assert "report.html" not in pack.namelist()


def test_an_existing_file_and_a_damaged_ledger_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(ExchangeError, match="exists already"):
        write_archive(folder, tmp_path / "a.zip", lambda *_: None, "")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "study.yaml").write_bytes((folder / "study.yaml").read_bytes())
    data = (folder / "ledger.db").read_bytes()
    (tmp_path / "s" / "ledger.db").write_bytes(data.replace(b"9.75", b"9.76"))
    with pytest.raises(LedgerError, match="edit"):
        write_archive(tmp_path / "s", tmp_path / "b.zip", lambda *_: None, "")
    assert not (tmp_path / "b.zip").exists()
