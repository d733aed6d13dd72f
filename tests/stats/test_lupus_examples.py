"""Published trials of lupus that the pinned examples work out: what a before-after reading of them says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onearm.stats import clopper_pearson, paired_t, signed_rank

FILE = Path(__file__).parents[3] / "shared" / "data" / "design" / "14_lupus_examples.json"


@pytest.fixture(scope="module")
def pinned():
    if not FILE.exists():
        pytest.skip("the shared file 14_lupus_examples.json is not beside the repository")
    return {case["id"]: case for case in json.loads(FILE.read_text())["cases"]}


def with_mean_and_sd(mean, sd, n):
    """Constructed changes of n patients with exactly this mean and SD."""
    shape = np.arange(n) - (n - 1) / 2
    return mean + sd * shape / shape.std(ddof=1)


@pytest.mark.parametrize("case", ["deng_protein", "deng_sledai"])
@pytest.mark.parametrize("arm", ["msc", "placebo"])
def test_each_arm_of_the_randomised_trial_read_before_and_after(pinned, case, arm):
    expected = pinned[case]["expected"][f"{arm}_before_after"]
    got = paired_t(with_mean_and_sd(*pinned[case]["inputs"][arm]))
    assert got.statistic == pytest.approx(expected["t"], rel=1e-9)
    assert got.pvalue == pytest.approx(expected["p"], rel=1e-9, abs=0)


def test_nine_patients_who_all_improve_have_these_p_values_and_no_other(pinned):
    expected = pinned["ranjbar_p"]["expected"]
    change = -np.arange(1.0, 10)
    assert signed_rank(change).pvalue == expected["exact_two_sided"]
    for correction, name in ((False, "asymptotic_two_sided"), (True, "asymptotic_with_continuity")):
        got = signed_rank(change, method="normal", correction=correction)
        assert got.pvalue == pytest.approx(expected[name], rel=1e-12, abs=0)


def test_the_share_of_placebo_patients_who_improve_by_five_points(pinned):
    case = pinned["tabalumab_placebo"]
    got = clopper_pearson(case["inputs"]["sledai_ge5_improved"], case["inputs"]["placebo_n"])
    assert got.estimate == pytest.approx(case["expected"]["rate"], rel=1e-12)
    assert [got.lower, got.upper] == pytest.approx(case["expected"]["ci"], rel=1e-9)
