"""docs/validation/peers.md: every pinned case is on it, and it says what the code gives now."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "validation" / "peers.md"


def pinned(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the pinned cases are not beside the repository: shared/data/{name}")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    path = ROOT / "tests" / "reference" / "peers_page.py"
    spec = importlib.util.spec_from_file_location("peers_page", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["peers_page"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_page_says_what_the_code_gives_now(peers: ModuleType) -> None:
    pinned("exact/paired_inputs.json")
    assert peers.page() == PAGE.read_text(encoding="utf-8")


def test_every_pinned_case_is_on_the_page() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    listed = {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")}
    binomial = pinned("exact/binom_reference.json")
    cases = [row["id"] for row in pinned("exact/paired_inputs.json")]
    cases += [row["id"] for row in pinned("exact/paired_gold.json")]
    cases += [row["id"] for row in pinned("exact/paired_reference.json")["sets"]]
    cases += [f"{row['x']}/{row['n']}" for row in pinned("exact/binom_gold.json")["rows"]]
    counts = binomial["binom"]
    cases += [f"{x}/{n}" for x, n in zip(counts["x"], counts["n"], strict=True)]
    pairs = binomial["mcnemar"]
    cases += [f"b={b} c={c}" for b, c in zip(pairs["b"], pairs["c"], strict=True)]
    for name in ("08_binomial_ci", "15_wilcoxon_ties"):
        cases += [row["id"] for row in pinned(f"design/{name}.json")["cases"]]
    assert len(cases) > 500
    assert [case for case in cases if case not in listed] == []


def test_r_gives_the_pinned_answers_when_it_is_run_again() -> None:
    sets = {row["id"]: row for row in pinned("exact/paired_reference.json")["sets"]}
    compared = 0
    with (ROOT / "tests" / "reference" / "stats_peers.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            answer = sets[row["set"]][row["differences"]].get(row["quantity"])
            if answer is None:  # all differences zero: the pinned run left the sign test out
                assert (row["set"], row["quantity"]) == ("e07_n6_allzero", "sign_test")
                continue
            again = [math.nan if v == "NA" else float(v) for v in row["values"].split()]
            assert again == pytest.approx(expected(row["quantity"], answer), rel=1e-12, nan_ok=True)
            compared += 1
    assert compared == 839


def expected(quantity: str, answer: dict[str, Any]) -> list[float]:
    """Return the pinned numbers in the order of the file of the second run."""
    if "error" in answer:
        return [math.nan]
    fields = ["p"]
    if "wilcoxsign" in quantity:
        fields = ["p", "midp"]
    elif quantity == "t_test":
        fields = ["p", "lower", "upper"]
    elif "wilcox" in quantity and "nocc" not in quantity:
        fields = ["p", "hl", "lower", "upper"]
    return [
        math.nan if answer[f] is None else float(str(answer[f]).replace("Inf", "inf"))
        for f in fields
    ]


def test_a_difference_that_nothing_explains_stops_the_page(peers: ModuleType) -> None:
    case = peers.Case(
        {"id": "made up", "before": [5.0, 6.0, 7.0], "after": [4.0, 4.0, 4.0]},
        {"diff_rounded9": [-1, -2, -3], "raw": {"coin": {"p": 0.26}}},
    )

    def compare(ours: float) -> Any:
        return case.answer(
            "coin pratt", "P", ours, ("coin", "p"), lambda: case.split_tie("coin", "p", ours, 0.25)
        )

    assert compare(0.26).reason == ""
    with pytest.raises(AssertionError, match=r"made up coin p: .* no reason is proved"):
        compare(0.25)


def test_the_definitions_that_prove_the_reasons_are_those_of_the_tests(peers: ModuleType) -> None:
    # By hand: ranks 1, 2.5, 2.5 of |-1|, |2|, |-2|; T+ = 2.5. Sums 0 1 2.5 2.5 3.5 3.5 5 6.
    assert peers.doubled_midranks([1.0, 2.0, 2.0]) == [2, 5, 5]
    assert peers.exact_p([2, 5, 5], [False, True, False], "less") == (4 / 8, 2 / 8)
    # Three of three shares: P(X >= 3) = p**3, half of it is mid-P's tail; 0.5 accepts by Blaker 1/4.
    assert peers.midp_of(3, 3, 0.5) == 1 / 16
    assert peers.acceptability(3, 3, 0.5) == 1 / 4
