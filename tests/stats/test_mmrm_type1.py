"""The page of type I errors of the longitudinal model, a slice of it made again."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation" / "mmrm-type-one-error.md"
SETS = 250


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "tests" / "reference" / "stats_mmrm_type1.py"
    spec = importlib.util.spec_from_file_location("stats_mmrm_type1", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rejected(n: int, structure: str) -> float:
    """The page's share of rejections under an unstructured truth, in percent."""
    section = PAGE.read_text(encoding="utf-8").split(f"## n = {n}\n")[1]
    row = next(line for line in section.splitlines() if line.startswith(f"| {structure} |"))
    return float(re.findall(r"([\d.]+) ±", row)[1])


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["us", "cs"])
def test_a_slice_of_the_page_agrees_with_it(script: ModuleType, structure: str) -> None:
    p = script.p_values(script.trials(15, script.truth("us"), SETS), structure)
    p = p[~np.isnan(p)]
    told = _rejected(15, structure) / 100
    error = np.sqrt(told * (1 - told) / len(p))
    assert np.mean(p < 0.05) == pytest.approx(told, abs=4 * error)


def test_on_the_page_the_default_keeps_its_level_and_a_structure_too_simple_does_not() -> None:
    assert _rejected(9, "us") < 7.0
    assert _rejected(15, "us") < 7.0
    assert _rejected(15, "cs") > 10.0
