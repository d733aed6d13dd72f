"""docs/validation/coverage.md: the page is its figures, and the figures come out again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "validation"


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_page", FOLDER / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_page"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_figures_beside_it(coverage: ModuleType) -> None:
    assert coverage.page() == (FOLDER / "coverage.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "course", "n"),
    [("flip_test", "signs", 6), ("t_test", "no effect", 6)],
)
def test_a_cell_simulated_again_gives_the_same_figures(
    coverage: ModuleType, probe: str, course: str, n: int
) -> None:
    rows = set(coverage.read_rows()[1])
    again = coverage.simulate(probe, course, n)
    assert again != []
    assert [row for row in again if row not in rows] == []


def test_counted_figures_come_out_again(coverage: ModuleType) -> None:
    counted = {(r.method, r.course, r.n): r.hits for r in coverage.read_rows()[1] if not r.trials}
    again = {(r.method, r.course, r.n): r.hits for r in coverage.exact_rows()}
    assert counted.keys() == again.keys()
    assert counted == pytest.approx(again, abs=1e-9)


def test_the_exact_tests_keep_their_level_where_their_hypothesis_is_true(
    coverage: ModuleType,
) -> None:
    exact = {"signed_rank, pratt", "signed_rank, wilcoxon", "sign_flip", "sign_test", "mcnemar"}
    rows = [r for r in coverage.read_rows()[1] if r.method in exact]
    untrue = {"skewed, mean 0", "selected, no effect"}  # not symmetric; not about zero
    rows = [r for r in rows if r.course not in untrue]
    assert {r.method for r in rows} == exact
    assert [r for r in rows if r.share > coverage.LEVEL + coverage.CLEAR * r.error] == []


def test_a_verdict_speaks_only_beyond_the_monte_carlo_error(coverage: ModuleType) -> None:
    def of(*hits: int) -> str:
        rows = [
            coverage.Row("test", "normal", n, 10_000, h) for n, h in zip((6, 9), hits, strict=True)
        ]
        return coverage.verdict(rows, is_test=True)

    assert of(500, 560) == "keeps its level"  # 0.6 points, 2.6 standard errors
    assert of(500, 620) == "exceeds 5% by 1.2 points (n = 9), kept at n = 6"
    assert of(100, 320) == "conservative (at most 3.2%)"
