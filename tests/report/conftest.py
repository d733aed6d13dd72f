"""The demonstration's ledger and report, and a reader of report pages that knows links, ids and sections."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from onearm.analysis import Results, run
from onearm.ledger import Entry, Ledger, Snapshot
from onearm.records import Records
from onearm.report.document import render_results
from onearm.study import Study, load_study

STUDIES = Path(__file__).parents[2] / "studies" / "lupus-msc"
VOID = {"meta", "link", "br", "img", "hr", "input", "col", "wbr"}


class Page(HTMLParser):
    """A report as a reader meets it.

    ``ids`` in order; ``links`` as (href, text, id of the nearest enclosing element with an id, open tags);
    ``text_of[id]`` all text inside that element; ``unbalanced`` tags that do not close in order;
    ``addresses`` every attribute that could make a browser fetch something.
    """

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[tuple[str, str, str]] = []
        self.links: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, bool, tuple[str, ...]]] = []
        self.unbalanced: list[str] = []
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self._open: list[tuple[str, str]] = []
        self._link: list[str] | None = None
        self._href = ""
        self.feed(html)
        self.close()
        self.unbalanced += [tag for tag, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        fetching = ("href", "src", "srcset", "xlink:href", "action", "data", "poster", "background")
        self.addresses += [(tag, n, found[n]) for n in fetching if n in found]
        if tag == "a":
            self._link, self._href = [], found.get("href", "")
        if tag not in VOID:
            self._open.append((tag, found.get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self.links.append((self._href, "".join(self._link), self.place))
            self._link = None
        if tag in VOID:
            return
        if not self._open or self._open[-1][0] != tag:
            self.unbalanced.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        inside = tuple(name for _, name in self._open if name)
        if self._open and self._open[-1][0] not in ("style", "script"):
            self.texts.append((data, self._link is not None, inside))
        if self._link is not None:
            self._link.append(data)

    @property
    def place(self) -> str:
        return next((name for _, name in reversed(self._open) if name), "")

    def text(self, id: str) -> str:
        """All text inside the element with an id."""
        return "".join(text for text, _, inside in self.texts if id in inside)

    def unlinked(self, id: str) -> str:
        """The text inside that element which is in no link; a bar where a link was."""
        return "".join(
            "|" if linked else text for text, linked, inside in self.texts if id in inside
        )

    def links_in(self, id: str) -> list[tuple[str, str]]:
        return [(href, text) for href, text, place in self.links if place == id]


@dataclass(frozen=True)
class Demo:
    """The demonstration in a ledger file: study, folder, entries, results and report."""

    study: Study
    folder: Path
    history: tuple[Entry, ...]
    results: Results
    html: str
    page: Page

    def cut(self, as_of: int) -> tuple[Snapshot, list[Entry]]:
        with Ledger.open(self.folder / "ledger.db") as ledger:
            return ledger.snapshot(as_of), [e for e in self.history if e.seq <= as_of]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The nine constructed subjects, entered and corrected, with the report of all of it."""
    from onearm.exchange.entries import import_entries

    folder = tmp_path_factory.mktemp("trial")
    shutil.copy(STUDIES / "abstract-2018.yaml", folder / "study.yaml")
    study = load_study(folder / "study.yaml")
    signed = {"by": "nurse 1", "role": "nurse", "site": "Mashhad", "today": date(2018, 12, 30)}
    with Ledger.open(folder / "ledger.db", create=True) as ledger:
        for name in ("entries.csv", "corrections.csv"):
            import_entries(study, ledger, STUDIES / "records" / name, **signed)  # type: ignore[arg-type]
        snapshot, history = ledger.snapshot(), tuple(ledger.entries())
    results = run(Records(study, snapshot))
    html = render_results(results, history)
    return Demo(study, folder, history, results, html, Page(html))


@pytest.fixture(scope="session")
def page_of() -> Callable[[Any], Page]:
    """The report of a trial under construction (``trial.records``), read."""

    def make(records: Records) -> Page:
        return Page(render_results(run(records), records.snapshot.entries))

    return make


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], Page]:
    """Read a page that a test rendered itself."""
    return Page
