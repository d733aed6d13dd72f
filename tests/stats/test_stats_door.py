"""What the package promises as a whole: examples that run, records that do not change, light start."""

import dataclasses
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import onearm.stats

MODULES = [
    "bootstrap",
    "describe",
    "differences",
    "effect_size",
    "hodges_lehmann",
    "paired",
    "proportion",
    "sign_flip",
    "signed_rank",
]
PAGES = sorted((Path(__file__).parents[2] / "docs" / "methods").glob("*.md"))


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_docstrings_run(module):
    loaded = importlib.import_module(f"onearm.stats.{module}")
    result = doctest.testmod(sys.modules[f"onearm.stats.{module}"])
    assert loaded is not None
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_the_method_pages_run(page):
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_method_page_names_its_reference():
    assert len(PAGES) >= 15
    for page in PAGES:
        text = page.read_text()
        assert "## Reference" in text, page.name
        assert "## Example" in text, page.name


def test_records_are_frozen():
    got = onearm.stats.signed_rank([1, 2, 3])
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.pvalue = 0.5


def test_everything_promised_is_there():
    for name in onearm.stats.__all__:
        assert callable(getattr(onearm.stats, name))


def test_importing_the_statistics_does_not_import_scipy():
    code = "import sys, onearm.stats; print(any(m.startswith('scipy') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
