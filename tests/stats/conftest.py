"""Reference answers and exact fractions that the tests of this folder compare with."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[1] / "reference"
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
EXACT = SHARED / "exact"


def _answers(name: str) -> dict[str, dict[str, list[float]]]:
    """Read ``set,quantity,value`` lines of a stamped file; a value may hold several numbers."""
    answers: dict[str, dict[str, list[float]]] = {}
    with (REFERENCE / name).open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            numbers = [float(number) for number in row["value"].split()]
            answers.setdefault(row["set"], {})[row["quantity"]] = numbers
    return answers


@pytest.fixture(scope="session")
def r_paired() -> dict[str, dict[str, list[float]]]:
    return _answers("stats_paired.csv")


@pytest.fixture(scope="session")
def r_effect() -> dict[str, dict[str, list[float]]]:
    return _answers("stats_effect_size.csv")


@pytest.fixture(scope="session")
def r_proportion() -> list[dict[str, str]]:
    with (REFERENCE / "stats_proportion.csv").open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _shared(name: str) -> Any:
    path = EXACT / name
    if not path.exists():
        pytest.skip(f"exact fractions are not beside the repository: shared/data/exact/{name}")
    return json.loads(path.read_text())


def _design(name: str) -> list[dict[str, Any]]:
    path = SHARED / "design" / name
    if not path.exists():
        pytest.skip(f"pinned answers are not beside the repository: shared/data/design/{name}")
    cases: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return cases


@pytest.fixture(scope="session")
def design_shares() -> list[dict[str, Any]]:
    return _design("08_binomial_ci.json")


@pytest.fixture(scope="session")
def design_signed_ranks() -> list[dict[str, Any]]:
    return _design("15_wilcoxon_ties.json")


@pytest.fixture(scope="session")
def gold_pairs() -> list[dict[str, Any]]:
    """Paired data sets with exact fractions; each with its differences as ``diff``."""
    inputs = {row["id"]: row for row in _shared("paired_inputs.json")}
    rows = _shared("paired_gold.json")
    for row in rows:
        pair = inputs[row["id"]]
        # Raw binary differences: the decimal rule of the package has to find the ties in them.
        row["diff"] = [a - b for a, b in zip(pair["after"], pair["before"], strict=True)]
    return rows


@pytest.fixture(scope="session")
def gold_binomial() -> list[dict[str, Any]]:
    return _shared("binom_gold.json")["rows"]


@pytest.fixture(scope="session")
def r_pairs_shared() -> list[dict[str, Any]]:
    return _shared("paired_reference.json")["sets"]


@pytest.fixture(scope="session")
def r_binomial_shared() -> dict[str, Any]:
    return _shared("binom_reference.json")
