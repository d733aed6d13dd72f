"""The documentation names only what is there, and all that is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from onearm.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert lost == []


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [c for c in main.commands if f"`onearm {c}" not in readme] == []


def test_every_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["pg"],
        *project["dependency-groups"]["dev"],
    ]
    names = {re.match(r"[A-Za-z0-9_.-]+", d)[0] for d in declared}
    reasons = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [n for n in sorted(names) if n not in reasons] == []


def test_every_pinned_version_comes_without_a_registrys_address() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "==" in pins
    assert "://" not in pins


def test_every_test_that_the_validation_page_names_exists() -> None:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_]+/test_[a-z_]+\.py)::(test_\w+)`", page)
    assert len(named) > 50
    lost = [
        f"{file}::{test}"
        for file, test in named
        if f"\ndef {test}(" not in (ROOT / "tests" / file).read_text(encoding="utf-8")
    ]
    assert lost == []


def test_every_requirement_stands_once_and_the_counts_are_those_of_the_table() -> None:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (C\d\.\d+) \|.*?\|.*?\| (shown|in part|the site's) \|", page, re.M)
    wanted = [
        f"C{part}.{n}"
        for part, last in ((1, 13), (2, 9), (3, 11), (4, 6))
        for n in range(1, last + 1)
    ]
    assert [row for row, _state in rows] == wanted
    states = [state for _row, state in rows]
    told = ", ".join(f"{states.count(s)} {s}" for s in ("shown", "in part", "the site's"))
    assert f"{len(rows)} requirements: {told}." in page


def test_the_security_table_has_each_requirement_once_and_counts_itself() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (V\d+\.\d+\.\d+) \| ([12]) \|[^|]+\| ([^|]+) \|", page, re.M)
    ids = [row[0] for row in rows]
    assert len(ids) == len(set(ids)) > 240
    assert ids == sorted(ids, key=lambda i: [int(n) for n in i[1:].split(".")])
    states = [row[2] for row in rows]
    words = ("met", "in part", "not met", "does not apply", "the site's")
    assert set(states) == set(words)
    told = ", ".join(f"{states.count(w)} {w}" for w in words)
    assert f"{len(rows)} requirements: {told}." in page
    for file in re.findall(r"tests/(?:\w+/)*test_\w+\.py", page):
        assert (ROOT / file).exists(), file
