"""What the package promises as a whole: examples that run, records that do not change, light start."""

import dataclasses
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import onearm.stats

HERE = Path(onearm.stats.__file__).parent
MODULES = sorted(
    path.relative_to(HERE).with_suffix("").as_posix().replace("/", ".")
    for path in HERE.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)
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


def test_the_functions_called_from_outside_work_where_only_numpy_is_installed():
    code = """
import sys
from importlib.abc import MetaPathFinder
allowed = set(sys.stdlib_module_names) | {"numpy", "onearm"}
class OnlyNumpy(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, OnlyNumpy())
from onearm import stats
from onearm.stats.paired import paired_difference
from onearm.stats.proportion import binomial_test
diff = [-8, -6, -4, -4, -2, -2, 0, -4, -2]
for test in (stats.signed_rank, stats.sign_flip, stats.sign_test, stats.paired_t):
    assert test(diff).pvalue < 0.05
assert stats.signed_rank(diff, method="normal").pvalue < 0.05
assert stats.hodges_lehmann(diff).lower == -6
assert stats.mcnemar(1, 8).upper < 1
for share in (stats.clopper_pearson, stats.wilson, stats.blaker, stats.mid_p, stats.jeffreys):
    assert 0 < share(3, 9).lower < share(3, 9).upper < 1
assert binomial_test(3, 9, 0.1).pvalue < 0.1
assert paired_difference(1, 7, 21).upper < 0
assert stats.probability_of_improvement(diff, better="lower").lower > 0.5
stats.geometric_mean_ratio([1, 2, 3], [2, 3, 4])
stats.describe(diff)
stats.rank_biserial(diff)
print("done")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "done", done.stderr
