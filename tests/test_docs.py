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
