"""Constructed pairs: they print what was asked for, and are labelled as what they are."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from onearm.stats import paired_t, sign_flip, sign_test, signed_rank
from onearm.stats.reported import (
    Scale,
    Summary,
    construct_pairs,
    joint,
    prints_as,
    read_p,
    read_printed,
)
from onearm.stats.reported.construction import p_by

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "clinical"
SCORE = Scale(Fraction(1), Fraction(0), Fraction(105))
ENTRY = Scale(Fraction(1), Fraction(9), Fraction(105))


def summary(**printed):
    return Summary(**{key: read_printed(text) for key, text in printed.items()})


BEFORE, AFTER = summary(mean="15.4", sd="5.8"), summary(mean="6.0", sd="4.8")
TESTS = ["signed_rank_normal", "signed_rank_normal_cc", "paired_t"]


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(2018)
    return construct_pairs(
        read_p("0.014"), 9, BEFORE, AFTER, TESTS, rng=rng, scale=ENTRY, scale_after=SCORE
    )


@pytest.mark.parametrize("test", TESTS)
def test_constructed_pairs_print_the_numbers_of_2018(found, test):
    made = found[test]
    assert made.label.startswith("CONSTRUCTED")
    assert "not patient data" in made.label
    x, y = np.array(made.before), np.array(made.after)
    assert prints_as(float(x.mean()), read_printed("15.4"))
    assert prints_as(float(x.std(ddof=1)), read_printed("5.8"))
    assert prints_as(float(y.mean()), read_printed("6.0"))
    assert prints_as(float(y.std(ddof=1)), read_printed("4.8"))
    assert min(x) >= 9
    assert all(v == int(v) for v in (*x, *y))
    assert 1 <= made.hits <= made.tried


def test_the_p_of_constructed_pairs_is_that_of_the_named_test(found):
    def change(test):
        return np.array(found[test].after) - np.array(found[test].before)

    p = {
        "signed_rank_normal": signed_rank(change("signed_rank_normal"), method="normal").pvalue,
        "signed_rank_normal_cc": signed_rank(
            change("signed_rank_normal_cc"), method="normal", correction=True
        ).pvalue,
        "paired_t": paired_t(change("paired_t")).pvalue,
    }
    assert {test: found[test].pvalue for test in TESTS} == p
    assert all(prints_as(value, read_printed("0.014")) for value in p.values())


def test_the_same_generator_gives_the_same_pairs(found):
    again = construct_pairs(
        read_p("0.014"), 9, BEFORE, AFTER, TESTS,
        rng=np.random.default_rng(2018), scale=ENTRY, scale_after=SCORE,
    )  # fmt: skip
    assert again == found


def test_exact_tests_are_hit_where_they_can_be():
    tests = ["signed_rank_exact", "sign_flip", "sign_test"]
    got = construct_pairs(
        read_p("0.004"), 9, BEFORE, AFTER, tests, rng=np.random.default_rng(1), scale=SCORE
    )
    diff = {t: np.array(got[t].after) - np.array(got[t].before) for t in tests}
    assert signed_rank(diff["signed_rank_exact"]).pvalue == 1 / 256
    assert sign_flip(diff["sign_flip"]).pvalue == 1 / 256
    assert sign_test(diff["sign_test"]).pvalue == 1 / 256


def test_medians_and_ends_are_met_too():
    before = summary(median="16", minimum="9", maximum="28")
    after = summary(median="6", minimum="0", maximum="16")
    got = construct_pairs(
        read_p("0.007"), 9, before, after, ["signed_rank_normal"],
        rng=np.random.default_rng(3), scale=SCORE,
    )["signed_rank_normal"]  # fmt: skip
    assert (np.median(got.before), min(got.before), max(got.before)) == (16, 9, 28)
    assert (np.median(got.after), min(got.after), max(got.after)) == (6, 0, 16)


def test_a_continuous_measure_gets_one_decimal_more_than_its_mean():
    got = construct_pairs(
        read_p("0.308"), 9, summary(mean="2.1"), summary(mean="1.5"), ["paired_t"],
        rng=np.random.default_rng(4), scale=Scale(None, Fraction(0), None),
    )["paired_t"]  # fmt: skip
    values = np.array([*got.before, *got.after])
    assert np.allclose(values, np.round(values, 2), atol=1e-12)
    assert values.min() >= 0
    diff = np.array(got.after) - np.array(got.before)
    assert prints_as(paired_t(diff).pvalue, read_printed("0.308"))


def test_what_cannot_be_is_not_constructed():
    got = construct_pairs(
        read_p("0.014"), 6, BEFORE, AFTER, ["paired_t"], rng=np.random.default_rng(5), scale=SCORE
    )
    assert got == {}
    got = construct_pairs(
        read_p("0.014"),
        9,
        BEFORE,
        AFTER,
        ["signed_rank_exact"],
        rng=np.random.default_rng(5),
        scale=SCORE,
    )
    assert got == {}


@pytest.mark.parametrize("n", [1, 31])
def test_the_search_is_kept_to_2_to_30_patients(n):
    with pytest.raises(ValueError, match=f"^n: found {n}"):
        construct_pairs(
            read_p("0.01"),
            n,
            BEFORE,
            AFTER,
            ["paired_t"],
            rng=np.random.default_rng(1),
            scale=SCORE,
        )


def test_pairs_constructed_elsewhere_are_possible_and_have_their_p():
    path = SHARED / "constructed_sledai_pairs_P0014.csv"
    if not path.exists():
        pytest.skip(f"no constructed pairs beside the repository: shared/data/clinical/{path.name}")
    names = {
        "norm": "signed_rank_normal", "norm_cc": "signed_rank_normal_cc",
        "pratt": "signed_rank_normal_pratt", "pratt_cc": "signed_rank_normal_pratt_cc",
        "paired_t": "paired_t", "mannwhitney_asym": "mann_whitney_normal",
    }  # fmt: skip
    seen = set()
    with path.open() as lines:
        for row in csv.DictReader(lines):
            x = np.array([float(v) for v in row["pre"].split()])
            y = np.array([float(v) for v in row["post"].split()])
            for printed in (BEFORE, AFTER):
                assert joint(printed, len(x), SCORE).possible
            got = p_by(names[row["test"]], x, y, y - x)
            assert round(got, 5) == float(row["P"]), row
            seen.add(row["test"])
    assert seen >= set(names) - {"pratt_cc"}
