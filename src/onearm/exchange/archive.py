"""The archive of a study: pages, files and the ledger itself, which open with no server and no program.

Everything in it is made from one copy of the ledger, so that pages, report and ``ledger.db`` agree.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onearm import __version__
from onearm.conduct import (
    MEANINGS,
    Query,
    Signature,
    form_state,
    queries,
    site_of,
    subject_state,
)
from onearm.errors import LedgerError, OnearmError
from onearm.exchange.backup import LEDGER, VERSIONS, digest_of, new_file
from onearm.ledger import Entry, Key, Ledger
from onearm.ledger.chain import COLUMNS
from onearm.ledger.copy import copy_ledger, entries_per_kind
from onearm.ledger.entries import KINDS
from onearm.records import CONDUCT, FormKey, Records, form_key
from onearm.study import Form, Study, load_study

if TYPE_CHECKING:
    from jinja2 import Environment

FORMAT = "onearm-archive-1"
PAGE = 500  # entries of the trail on one page
HERE = Path(__file__).parent

WriteReport = Callable[[Study, Ledger, Path], object]
"""Writes the report on a ledger to a path, as ``onearm run`` does."""

MARK_WORDS = {
    ("complete", "yes"): "form marked complete",
    ("complete", "no"): "mark of completeness taken back",
    ("verified", "yes"): "form verified against the source data",
    ("verified", "no"): "verification taken back",
    ("locked", "yes"): "form locked",
    ("locked", "no"): "form unlocked",
    ("struck", "yes"): "form struck out",
    ("struck", "no"): "striking out taken back",
}
TABLE = tuple(name for name in COLUMNS if name != "salt")
QUERY_WORDS = {"open": "opened", "answered": "answered", "closed": "closed"}

_QUERY = re.compile(rf"(.+){CONDUCT}query([0-9]+)")


@dataclass(frozen=True)
class Version:
    """One thing that stood at an item, with everything about who put it there."""

    seq: int
    words: str
    who: str
    at: str
    reason: str
    href: str


@dataclass(frozen=True)
class Line:
    """One item of a form: its label, what stands there now, and what stood before."""

    item: str
    label: str
    words: str
    tone: str
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class Sheet:
    """A filled-in form as the archive shows it."""

    id: str
    label: str
    visit: str
    word: str
    lines: tuple[Line, ...]
    scores: tuple[tuple[str, str], ...]
    signatures: tuple[Signature, ...]
    queries: tuple[Query, ...]
    conduct: tuple[Version, ...]


@dataclass(frozen=True)
class Person:
    """A subject, donor or lot, or the study itself, with its page."""

    kind: str
    about: str
    page: str
    site: str
    word: str
    sheets: tuple[Sheet, ...]
    entries: int
    signed: int

    @property
    def visits(self) -> list[tuple[str, list[Sheet]]]:
        """Its forms by visit, in the order of the schedule."""
        return [(visit, list(sheets)) for visit, sheets in groupby(self.sheets, lambda s: s.visit)]


def write_archive(
    folder: Path, file: Path, report: WriteReport, style: str, database: str = ""
) -> dict[str, Any]:
    """Write a study as a bundle of pages and files to one new zip.

    Parameters
    ----------
    report
        Writes the report; where it raises OnearmError the archive says why there is none.
    style
        The style sheet of the pages.

    Returns
    -------
    The manifest.

    Raises
    ------
    ExchangeError, LedgerError, StudyError
        The file exists or cannot be written, or study or ledger is damaged; no file is left then.
    """
    with new_file(file) as room:
        made = room.folder / "archive"
        made.mkdir()
        (made / "study.yaml").write_bytes((folder / "study.yaml").read_bytes())
        study = load_study(made / "study.yaml")  # the one that is kept, whatever is amended now
        with Ledger.open(database or folder / LEDGER) as source:
            copy_ledger(source, made / LEDGER)
        with Ledger.open(made / LEDGER) as ledger:
            _refuse_damaged(ledger)
            _copy_versions(folder, made, study)
            manifest = _write_pages(study, ledger, made, report, style)
        members = sorted(p for p in made.rglob("*") if p.is_file())
        manifest["members"] = {
            p.relative_to(made).as_posix(): {"sha256": digest_of(p), "bytes": p.stat().st_size}
            for p in members
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        with zipfile.ZipFile(room.file, "w", zipfile.ZIP_DEFLATED) as pack:
            pack.writestr("manifest.json", text)
            for path in members:
                pack.write(path, path.relative_to(made).as_posix())
    return manifest


def _refuse_damaged(ledger: Ledger) -> None:
    if damages := ledger.verify():
        first = damages[0]
        raise LedgerError(
            f"{LEDGER}: entry {first.seq}: {first.kind}: {first.message}; expected a whole chain; `onearm verify` "
            "lists all that was found; restore the last backup"
        )


def _copy_versions(folder: Path, made: Path, study: Study) -> None:
    kept = made / VERSIONS
    kept.mkdir()
    (kept / f"{study.hash}.yaml").write_bytes((made / "study.yaml").read_bytes())
    for path in (folder / VERSIONS).glob("*.yaml"):
        (kept / path.name).write_bytes(path.read_bytes())


def _write_pages(
    study: Study, ledger: Ledger, made: Path, report: WriteReport, style: str
) -> dict[str, Any]:
    trail = Trail(study, tuple(ledger.entries()))
    records = Records(study, ledger.snapshot())
    order = sorted(records.snapshot.order, key=lambda pair: KINDS.index(pair[0]))
    people = tuple(trail.person(records, *pair) for pair in order)
    left_out = ["user accounts with their passwords, and drafts: they are no records of the trial"]
    try:
        report(study, ledger, made / "report.html")
    except OnearmError as error:
        left_out.append(f"report.html: it could not be made: {' '.join(str(error).split())}")
    snapshot = records.snapshot
    kinds = entries_per_kind(ledger)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "software": f"onearm {__version__}",
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "study": {"id": study.id, "title": study.title, "hash": study.hash},
        "ledger": {
            "head": str(snapshot.head),
            "entries": snapshot.head.seq,
            "kinds": kinds,
            "last": snapshot.as_of,
            "nature": snapshot.nature or "patient data",
        },
        "left_out": left_out,
    }
    shared = {
        "study": study,
        "nature": snapshot.nature,
        "manifest": manifest,
        "head": snapshot.head,
        "people": people,
        "has_report": (made / "report.html").exists(),
        "identifying": _identifying(records),
    }
    (made / "style.css").write_text(style + _template_text("archive.css"), encoding="utf-8")
    for name in ("subjects", "audit"):
        (made / name).mkdir()

    def page(path: str, template: str, **facts: Any) -> None:
        up = "../" * path.count("/")
        text = _templates().get_template(template).render(up=up, page=path, **shared, **facts)
        (made / path).write_text(text, encoding="utf-8")

    page("index.html", "index.html.j2", trail=trail)
    page("study.html", "study.html.j2", trail=trail, versions=trail.versions(made / VERSIONS))
    for person in people:
        if person.kind != "study":
            page(person.page, "person.html.j2", person=person)
    for number, rows in enumerate(trail.pages, start=1):
        page(f"audit/{number:04}.html", "trail.html.j2", rows=rows, number=number, trail=trail)
    page("audit/index.html", "search.html.j2", trail=trail)
    (made / "audit" / "entries.js").write_text(trail.script(), encoding="utf-8")
    (made / "audit" / "entries.csv").write_text(trail.table(), encoding="utf-8-sig", newline="")
    (made / "verify_ledger.py").write_bytes(_verifier().read_bytes())
    readme = _templates().get_template("README.txt.j2").render(**shared)
    (made / "README.txt").write_text(readme, encoding="utf-8")
    return manifest


class Trail:
    """Every entry of a ledger, told in words by the study file."""

    def __init__(self, study: Study, entries: Sequence[Entry]):
        self.study = study
        self.entries = tuple(entries)
        self._forms: Mapping[str, Form] = {form.id: form for form in study.forms}
        self._visits = {visit.id: visit.label for visit in study.schedule.visits}
        self._pages: dict[tuple[str, str], str] = {}

    @cached_property
    def histories(self) -> dict[FormKey, dict[str, list[Entry]]]:
        """All versions of all items by form, in the order of first entry."""
        found: dict[FormKey, dict[str, list[Entry]]] = {}
        for entry in self.entries:
            items = found.setdefault(form_key(entry.key), {})
            items.setdefault(entry.key.item, []).append(entry)
        return found

    @cached_property
    def _about(self) -> dict[tuple[str, str], list[FormKey]]:
        found: dict[tuple[str, str], list[FormKey]] = {}
        for key in self.histories:
            found.setdefault((key.kind, key.about), []).append(key)
        return found

    @cached_property
    def pages(self) -> list[list[dict[str, Any]]]:
        """The trail, cut into pages of rows."""
        rows = [self.row(entry) for entry in self.entries]
        return [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]

    # -- a person ---------------------------------------------------------------------------------

    def page_of(self, kind: str, about: str) -> str:
        """The page of a subject, donor or lot; a name that every file system keeps apart."""
        if kind == "study":
            return "study.html"
        if (kind, about) not in self._pages:
            tidy = re.sub(r"[^A-Za-z0-9_-]+", "-", about).strip("-")[:40]
            number = 1 + sum(known == kind for known, _about in self._pages)
            self._pages[kind, about] = f"subjects/{kind}-{number:03}-{tidy}.html".replace("-.", ".")
        return self._pages[kind, about]

    def person(self, records: Records, kind: str, about: str) -> Person:
        """A subject, donor or lot with all of its forms."""
        keys = sorted(self._about.get((kind, about), ()), key=self._place)
        sheets = () if kind == "study" else tuple(self._sheet(records, key) for key in keys)
        return Person(
            kind,
            about,
            self.page_of(kind, about),
            site_of(records, kind, about),
            subject_state(records, about).word if kind == "subject" else "",
            sheets,
            sum(len(versions) for key in keys for versions in self.histories[key].values()),
            sum(s.valid for sheet in sheets for s in sheet.signatures),
        )

    def _place(self, key: FormKey) -> tuple[int, int, int, str]:
        """Forms stand in the order of the schedule, then of the study file, then of their repeats."""
        visits, forms = list(self._visits), list(self._forms)
        visit = visits.index(key.visit) if key.visit in self._visits else len(visits)
        form = forms.index(key.form) if key.form in self._forms else len(forms)
        return visit, form, key.repeat, key.form

    def _sheet(self, records: Records, key: FormKey) -> Sheet:
        form = self._forms.get(key.form)
        histories = self.histories[key]
        answers = {item: e for item, e in histories.items() if CONDUCT not in item}
        known = form.all_items if form and not key.form.startswith(CONDUCT) else ()
        lines = [self._line(i.id, i.label, answers.get(i.id, []), key) for i in known if answers]
        stray = [item for item in answers if item not in {i.id for i in known}]
        lines += [self._line(i, f"{i} (of an earlier study file)", answers[i], key) for i in stray]
        conduct = sorted(
            (e for i, e_s in histories.items() if CONDUCT in i for e in e_s), key=lambda e: e.seq
        )
        state = form_state(records, key) if form else None
        scored = form and form.instrument and answers and key not in records.struck
        bounds = records.score(key).bounds if scored else {}
        return Sheet(
            re.sub(r"[^A-Za-z0-9_-]", "-", f"{key.visit}-{key.form}-{key.repeat}"),
            self.form_words(key),
            self._visits.get(key.visit, key.visit),
            state.word if state else "",
            tuple(lines),
            tuple((f"{key.form}.{name}", str(b)) for name, b in bounds.items()),
            state.signatures if state else (),
            queries(records, key) if form else (),
            tuple(self._version(entry) for entry in conduct),
        )

    def _line(self, item: str, label: str, versions: Sequence[Entry], key: FormKey) -> Line:
        told = tuple(self._version(entry) for entry in versions)
        now = next((e for e in reversed(versions) if e.redacts is None), None)
        if now is None:
            return Line(item, label, "not recorded", "soft", told)
        tone = "soft" if now.value is None else ""
        return Line(item, label, self.words(now), tone, told)

    def form_words(self, key: FormKey) -> str:
        """A form's label, with its repeat where it repeats."""
        if key.form.startswith(CONDUCT):
            return {"@enrolment": "Enrolment", "@visit": "Visit"}.get(key.form, key.form[1:])
        form = self._forms.get(key.form)
        label = form.label if form else f"{key.form} (of an earlier study file)"
        return f"{label}, {key.repeat}" if key.repeat > 1 or (form and form.repeating) else label

    # -- an entry ---------------------------------------------------------------------------------

    def _version(self, entry: Entry) -> Version:
        return Version(
            entry.seq,
            self.words(entry),
            ", ".join(p for p in (f"{entry.by} ({entry.role})", entry.site) if p),
            moment(entry.at),
            "" if _says_reason(entry) else entry.reason,
            self.href(entry.seq),
        )

    def href(self, seq: int) -> str:
        """Where the trail shows an entry, from the folder above ``audit``."""
        return f"audit/{(seq - 1) // PAGE + 1:04}.html#e{seq}"

    def words(self, entry: Entry) -> str:
        """What an entry says, for people: a value with unit and choice, a mark, a signature, a query."""
        if entry.redacts is not None or entry.value is None:
            return entry.words
        if CONDUCT in entry.key.item and entry.key.kind != "study":
            return self._conduct_words(entry.key, entry.value, entry.reason)
        form = self._forms.get(entry.key.form)
        item = next((i for i in form.all_items if i.id == entry.key.item), None) if form else None
        label = (item.choices or {}).get(entry.value) if item and item.choices else None
        return f"{label} ({entry.value})" if label and label != entry.value else entry.words

    def _conduct_words(self, key: Key, value: str, reason: str) -> str:
        subject, _, mark = key.item.partition(CONDUCT)
        if (mark, value) in MARK_WORDS:
            return MARK_WORDS[mark, value]
        if mark.startswith("signed."):
            meaning = mark.partition(".")[2]
            told = _read(value)
            return (
                f"signed by {told.get('name', '')} at {told.get('at', '')}: {meaning} "
                f"({MEANINGS.get(meaning, meaning)})"
            )
        if mark == "decision":
            told = _read(value)
            by = f"{told.get('name', '')} at {told.get('at', '')}"
            return f"enrolment signed by {by}" if told else f"enrolment: {value}"
        if mark.startswith("exception."):
            told = _read(value)
            return (
                f"exception to criterion {mark.partition('.')[2]} signed by {told.get('name', '')} "
                f"at {told.get('at', '')}; it was {told.get('stood', '')}"
            )
        if match := _QUERY.fullmatch(key.item):
            said = QUERY_WORDS.get(value, value)
            return f"query {match[2]} at {self.label(key.form, match[1])} {said}: {reason}"
        if mark == "confirmed":
            return f"{value} confirmed at {self.label(key.form, subject)}"
        return f"{mark.replace('.', ' ')}: {value}"

    def label(self, form_id: str, item: str) -> str:
        """An item's label; its id where the study file has it no more."""
        form = self._forms.get(form_id)
        return next((i.label for i in form.all_items if i.id == item), item) if form else item

    def row(self, entry: Entry) -> dict[str, Any]:
        """An entry as a row of the trail."""
        key = entry.key
        return {
            "entry": entry,
            "about": f"{key.kind} {key.about}".strip(),
            "page": self.page_of(key.kind, key.about),
            "visit": self._visits.get(key.visit, key.visit),
            "form": self.form_words(form_key(key)),
            "item": self._item_words(key),
            "words": self.words(entry),
            "reason": "" if _says_reason(entry) else entry.reason,
            "at": moment(entry.at),
        }

    def _item_words(self, key: Key) -> str:
        if CONDUCT not in key.item:
            return self.label(key.form, key.item)
        if key.kind != "study":
            return ""  # what was recorded says it whole
        role, _, site = key.item.partition(CONDUCT)
        return f"{role} at {site or 'every site'}"

    # -- the files --------------------------------------------------------------------------------

    def table(self) -> str:
        """The whole trail as CSV, every column as the ledger holds it, and each entry in words."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([*TABLE, "in_words"])
        for e in self.entries:
            held = {name: getattr(e.key if hasattr(e.key, name) else e, name) for name in TABLE}
            writer.writerow([*held.values(), self.words(e)])
        return out.getvalue()

    def script(self) -> str:
        """The trail as data for the search page; a script, since a page opened as a file may read no other file."""
        rows = [
            [r["entry"].seq, r["about"], r["visit"], r["form"], r["item"], r["words"],
             f"{r['entry'].by} ({r['entry'].role})", r["at"], r["reason"]]
            for r in map(self.row, self.entries)
        ]  # fmt: skip
        return f"const PAGE = {PAGE};\nconst ENTRIES = {json.dumps(rows, separators=(',', ':'))};\n"

    def versions(self, folder: Path) -> list[dict[str, Any]]:
        """The study files that entries were made under, oldest first; whether each one is kept."""
        made = Counter(e.study_hash for e in self.entries)
        first = {e.study_hash: e for e in reversed(self.entries)}
        last = {e.study_hash: e for e in self.entries}
        hashes = [*dict.fromkeys(e.study_hash for e in self.entries)]
        hashes += [h for h in sorted(p.stem for p in folder.glob("*.yaml")) if h not in made]
        return [
            {
                "hash": h,
                "entries": made[h],
                "first": moment(first[h].at) if h in first else "",
                "last": moment(last[h].at) if h in last else "",
                "kept": (folder / f"{h}.yaml").exists(),
                "in_force": h == self.study.hash,
            }
            for h in hashes
        ]

    @cached_property
    def study_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Entries about the study itself by what they are: rights, sign-ins, amendments, others."""
        found: dict[str, list[dict[str, Any]]] = {}
        for entry in self.entries:
            if entry.key.kind == "study":
                found.setdefault(entry.key.form, []).append(self.row(entry))
        return found


def _says_reason(entry: Entry) -> bool:
    """Whether the words of an entry hold its reason already: those of a query do."""
    return _QUERY.fullmatch(entry.key.item) is not None and entry.value is not None


def _identifying(records: Records) -> bool:
    """Whether an answer stands that tells who somebody is."""
    return any(
        datum.item.identifying and datum.entry.value is not None
        for kind, about in records.snapshot.order
        for datum in records.data(kind, about)
    )


def _read(value: str) -> Mapping[str, Any]:
    try:
        told = json.loads(value)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def moment(at: str) -> str:
    """A time of the ledger with its zone: ``2026-11-22 09:30:00 UTC``."""
    return f"{at[:10]} {at[11:19]} UTC"


def _verifier() -> Path:
    """The program that checks a ledger without onearm: inside the installed package, else among the documents."""
    inside = HERE.parent / "verify_ledger.py"
    return inside if inside.is_file() else HERE.parents[2] / "docs" / "verify_ledger.py"


def _template_text(name: str) -> str:
    return (HERE / "templates" / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
