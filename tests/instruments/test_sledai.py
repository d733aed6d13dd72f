"""SLEDAI: 24 weighted descriptors, nine of them read from values, bounds where something is missing."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.instruments import INSTRUMENTS, Bounds
from onearm.instruments.sledai import (
    QUESTIONS,
    VALUE_UNITS,
    VARIANTS,
    activity_band,
    item_scores,
    questions_for,
    score,
)
from onearm.units import check_unit

NO: dict[str, bool | None] = {q.id: False for q in QUESTIONS}
YES: dict[str, bool | None] = {q.id: True for q in QUESTIONS}
WEIGHT = {q.id: q.weight for q in QUESTIONS}
# Every finding present, and every value on the healthy side.
ILL: dict[str, Any] = {
    "proteinuria": 2.1, "haematuria": 20.0, "pyuria": 8.0, "urinary_casts": True,
    "low_complement": True, "increased_dna_binding": True, "fever": 38.4,
    "thrombocytopenia": 80.0, "leukopenia": 2.5,
}  # fmt: skip
WELL: dict[str, Any] = {
    "proteinuria": 0.1, "haematuria": 0.0, "pyuria": 1.0, "urinary_casts": False,
    "low_complement": False, "increased_dna_binding": False, "fever": 36.6,
    "thrombocytopenia": 250.0, "leukopenia": 6.0,
}  # fmt: skip


def known(bounds: Bounds) -> float:
    assert bounds.value is not None
    return bounds.value


def test_the_24_descriptors_carry_8_4_2_and_1_points_and_sum_to_105() -> None:
    # Eight x 8, six x 4, seven x 2, three x 1 (Gladman 2002).
    assert Counter(WEIGHT.values()) == {8: 8, 4: 6, 2: 7, 1: 3}
    assert len(QUESTIONS) == 24
    assert {k: known(b) for k, b in score(YES, ILL).items()} == {
        "total": 105, "renal": 16, "extrarenal": 89,
    }  # fmt: skip
    assert {known(b) for b in score(NO, WELL).values()} == {0}


def test_every_whole_number_from_0_to_105_can_be_reached() -> None:
    sums = {0}
    for weight in WEIGHT.values():
        sums |= {s + weight for s in sums}
    assert sums == set(range(106))


@pytest.mark.parametrize("name", list(VARIANTS))
def test_each_variant_is_registered_with_ids_a_ledger_can_hold(name: str) -> None:
    instrument = INSTRUMENTS[name]
    ids = [q.id for q in instrument.questions]
    assert instrument.name == name
    assert len(set(ids)) == 24
    assert all(i.isupper() and i.isalpha() and len(i) <= 8 for i in ids)
    assert tuple(instrument.score(YES, ILL)) == instrument.scores
    assert {k: b.value for k, b in instrument.score(YES, ILL).items()} == instrument.maximum
    assert tuple(instrument.item_scores(YES, ILL)) == tuple(ids)


def test_nine_questions_read_a_value_in_a_unit_that_can_be_read() -> None:
    derived = {q.derived_from for q in QUESTIONS} - {None}
    assert len(derived) == 9
    assert set(VALUE_UNITS) - derived == {"proteinuria_upcr", "arthritis_joints"}
    for unit in VALUE_UNITS.values():
        if unit:
            check_unit(unit)


# Thresholds as restated in ard.bmj.com/highwire/markup/250723 and the EULAR card; all strict.
@pytest.mark.parametrize(
    ("value", "question", "at_limit", "beyond"),
    [
        ("proteinuria", "PROTEIN", 0.5, 0.51),
        ("haematuria", "HAEMAT", 5, 6),
        ("pyuria", "PYURIA", 5, 6),
        ("fever", "FEVER", 38.0, 38.1),
        ("thrombocytopenia", "THROMBO", 100, 99),
        ("leukopenia", "LEUKOP", 3, 2.9),
    ],
)
def test_thresholds_are_strict(value: str, question: str, at_limit: float, beyond: float) -> None:
    answers = {**NO, question: True}
    assert known(item_scores(answers, {**WELL, value: at_limit})[question]) == 0
    assert known(item_scores(answers, {**WELL, value: beyond})[question]) == WEIGHT[question]


# The contract of attribution: finding (True, False, None) x flag (True, False, None) -> bounds.
@pytest.mark.parametrize(
    ("protein", "flag", "expected"),
    [
        (1.8, True, "4"),
        (1.8, False, "0"),
        (1.8, None, "0 to 4"),
        (0.2, True, "0"),
        (0.2, False, "0"),
        (0.2, None, "0"),
        (None, True, "0 to 4"),
        (None, False, "0"),
        (None, None, "0 to 4"),
    ],
)
def test_a_finding_scores_only_if_it_is_there_and_due_to_lupus(
    protein: float | None, flag: bool | None, expected: str
) -> None:
    scores = score({**NO, "PROTEIN": flag}, {**WELL, "proteinuria": protein})
    assert str(scores["total"]) == expected
    assert str(scores["renal"]) == expected
    assert str(scores["extrarenal"]) == "0"


@pytest.mark.parametrize("name", ["urinary_casts", "low_complement", "increased_dna_binding"])
def test_yes_no_findings_follow_the_same_rule(name: str) -> None:
    question = next(q for q in QUESTIONS if q.derived_from == name)
    for finding, flag, expected in [
        (True, True, str(question.weight)),
        (True, False, "0"),
        (False, True, "0"),
        (None, True, f"0 to {question.weight}"),
        (None, False, "0"),
    ]:
        scores = item_scores({**NO, question.id: flag}, {**WELL, name: finding})
        assert str(scores[question.id]) == expected


def test_with_nothing_known_the_total_lies_between_0_and_105() -> None:
    assert {k: str(b) for k, b in score({}, {}).items()} == {
        "total": "0 to 105", "renal": "0 to 16", "extrarenal": "0 to 89",
    }  # fmt: skip
    assert score({}, {})["total"].value is None


def test_an_explicit_no_needs_no_laboratory() -> None:
    assert str(score(NO, {})["total"]) == "0"


@pytest.mark.parametrize(("window", "age", "expected"), [
    (10, 10, "4"), (10, 11, "0 to 4"), (28, 28, "4"), (28, 29, "0 to 4"), (30, 30, "4"),
    (30, 31, "0 to 4"), (10, 0, "4"), (10, None, "4"), (30, -1, "0 to 4"),
])  # fmt: skip
def test_a_value_older_than_the_window_or_after_the_assessment_is_missing(
    window: int, age: int | None, expected: str
) -> None:
    scores = score(
        {**NO, "PROTEIN": True}, {**WELL, "proteinuria": 1.8},
        window_days=window, ages={"proteinuria": age},
    )  # fmt: skip
    assert str(scores["renal"]) == expected


@pytest.mark.parametrize("window", [0, 7, 14, 29, 365, True])
def test_only_the_published_windows_are_permitted(window: int) -> None:
    with pytest.raises(ValueError, match="expected 10, 28 or 30, the published windows"):
        score(NO, WELL, window_days=window)


def test_the_ratio_stands_in_for_a_missing_24_hour_protein_only() -> None:
    answers = {**NO, "PROTEIN": True}
    assert str(score(answers, {"proteinuria_upcr": 0.501})["renal"]) == "4"
    assert str(score(answers, {"proteinuria_upcr": 0.5})["renal"]) == "0"
    both = {"proteinuria": 0.4, "proteinuria_upcr": 0.6}
    assert str(score(answers, both)["renal"]) == "0"
    assert str(score(answers, both, ages={"proteinuria": 40})["renal"]) == "4"


@pytest.mark.parametrize(
    ("rule", "joints", "expected"),
    [
        ("at least 2", 1, "0"),
        ("at least 2", 2, "4"),
        ("more than 2", 2, "0"),
        ("more than 2", 3, "4"),
        ("more than 2", None, "4"),
    ],
)
def test_the_joint_rule_decides_over_a_count_and_leaves_the_answer_alone_without_one(
    rule: str, joints: float | None, expected: str
) -> None:
    scores = item_scores({**NO, "ARTHRIT": True}, {"arthritis_joints": joints}, arthritis=rule)
    assert str(scores["ARTHRIT"]) == expected


def test_a_joint_count_with_the_attribution_missing_gives_bounds() -> None:
    answers = {k: v for k, v in NO.items() if k != "ARTHRIT"}
    assert str(item_scores(answers, {"arthritis_joints": 5})["ARTHRIT"]) == "0 to 4"
    assert str(item_scores(answers, {"arthritis_joints": 0})["ARTHRIT"]) == "0"


def test_the_joint_rule_stands_in_the_question() -> None:
    wordings = {
        rule: next(q.label for q in questions_for(arthritis=rule) if q.id == "ARTHRIT")
        for rule in ("at least 2", "more than 2")
    }
    assert wordings["at least 2"] == "Arthritis, at least 2 joints painful and inflamed"
    assert wordings["more than 2"] == "Arthritis, more than 2 joints painful and inflamed"
    assert INSTRUMENTS["sledai_2k"].questions_for(arthritis="more than 2") == questions_for(
        "sledai_2k", arthritis="more than 2"
    )
    with pytest.raises(ValueError, match="expected 'at least 2' or 'more than 2'"):
        questions_for(arthritis="two")


PERSISTENT = {"PROTEIN": False, "RASH": False, "ALOPEC": False, "MUCOSAL": False}


def test_only_sledai_2k_and_the_hybrid_count_persistent_proteinuria() -> None:
    points = {
        name: str(score(YES, ILL, variant=name, new_or_recent=PERSISTENT)["total"])
        for name in VARIANTS
    }
    assert points == {
        "sledai_2k": "105",
        "hybrid_selena_sledai": "105",
        "selena_sledai": "101",  # less proteinuria, 4
        "sledai_1992": "95",  # less proteinuria 4, rash 2, alopecia 2, mucosal ulcers 2
    }


def test_not_knowing_whether_a_finding_is_new_gives_bounds() -> None:
    scores = score(YES, ILL, variant="sledai_1992", new_or_recent={"RASH": None, "ALOPEC": True})
    assert str(scores["total"]) == "97 to 105"
    assert str(scores["renal"]) == "12 to 16"


def test_in_a_variants_own_wording_yes_says_that_the_finding_is_new() -> None:
    labels = {q.id: q.label for q in questions_for("sledai_1992")}
    assert "new or recently up by more than 0.5 g/24 h" in labels["PROTEIN"]
    assert all("new or recurrent" in labels[i] for i in ("RASH", "ALOPEC", "MUCOSAL"))
    assert str(score(YES, ILL, variant="sledai_1992")["total"]) == "105"
    assert "new" not in {q.id: q.label for q in questions_for("hybrid_selena_sledai")}["PROTEIN"]


@pytest.mark.parametrize(
    ("points", "band"),
    [(0, "none"), (1, "low"), (4, "low"), (5, "moderate"), (10, "moderate"), (11, "high")],
)
def test_bands_of_activity(points: float, band: str) -> None:
    # EULAR's table: 0, 1-4, 5-10, above 10 (ard.bmj.com/highwire/markup/278401).
    assert activity_band(Bounds(points, points)) == band


def test_bounds_in_two_bands_have_no_band() -> None:
    assert activity_band(Bounds(4, 5)) is None
    assert activity_band(Bounds(5, 9)) == "moderate"


@pytest.mark.parametrize(
    ("answers", "values", "options", "message"),
    [
        ({"SEIZURES": True}, {}, {}, "answer 'SEIZURES' is not known to SLEDAI"),
        ({}, {"protein": 1.0}, {}, "value 'protein' is not known to SLEDAI"),
        ({}, {}, {"ages": {"protein": 1}}, "age of 'protein' is not known"),
        ({}, {}, {"new_or_recent": {"SEIZURE": True}}, "new_or_recent 'SEIZURE' is not known"),
        ({}, {}, {"variant": "sledai"}, "variant 'sledai' is unknown"),
        ({}, {"proteinuria": math.nan}, {}, "write None if it is missing"),
        ({}, {"proteinuria": math.inf}, {}, "is not a finite number"),
        ({}, {"proteinuria": -0.1}, {}, "is negative"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    answers: dict[str, Any], values: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(answers, values, **options)


@pytest.mark.parametrize(
    ("answers", "values", "options"),
    [
        ({"SEIZURE": 1}, {}, {}),
        ({"SEIZURE": "yes"}, {}, {}),
        ({}, {"proteinuria": True}, {}),
        ({}, {"proteinuria": "1.8"}, {}),
        ({}, {"urinary_casts": 1.0}, {}),
        ({}, {"low_complement": 0}, {}),
        ({}, {}, {"ages": {"fever": 1.5}}),
        ({}, {}, {"ages": {"fever": True}}),
        ({}, {}, {"new_or_recent": {"RASH": 1}}),
    ],
)
def test_numbers_are_not_yes_or_no_and_yes_or_no_are_not_numbers(
    answers: dict[str, Any], values: dict[str, Any], options: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        score(answers, values, variant="sledai_1992", **options)


FULL_VALUES = st.fixed_dictionaries(
    {
        "proteinuria": st.floats(0, 10),
        "haematuria": st.integers(0, 40),
        "pyuria": st.integers(0, 40),
        "urinary_casts": st.booleans(),
        "low_complement": st.booleans(),
        "increased_dna_binding": st.booleans(),
        "fever": st.floats(35, 41),
        "thrombocytopenia": st.floats(10, 400),
        "leukopenia": st.floats(0.5, 12),
    }
)
FULL_ANSWERS = st.fixed_dictionaries({q.id: st.booleans() for q in QUESTIONS})


@given(FULL_ANSWERS, FULL_VALUES, st.sampled_from(list(VARIANTS)), st.data())
def test_hiding_anything_widens_the_bounds_around_the_true_score(
    answers: dict[str, bool], values: dict[str, Any], variant: str, data: st.DataObject
) -> None:
    true = score(answers, values, variant=variant)
    assert all(b.known for b in true.values())
    hidden = data.draw(st.sets(st.sampled_from([*answers, *values])))
    some = score(
        {k: None if k in hidden else v for k, v in answers.items()},
        {k: None if k in hidden else v for k, v in values.items()},
        variant=variant,
    )
    for name, bounds in some.items():
        assert bounds.lower <= known(true[name]) <= bounds.upper
    assert some["total"].lower == some["renal"].lower + some["extrarenal"].lower
    assert some["total"].upper == some["renal"].upper + some["extrarenal"].upper


@given(FULL_ANSWERS, FULL_VALUES)
def test_the_1992_and_selena_scores_never_exceed_sledai_2k_for_persistent_findings(
    answers: dict[str, bool], values: dict[str, Any]
) -> None:
    totals = {
        name: known(score(answers, values, variant=name, new_or_recent=PERSISTENT)["total"])
        for name in VARIANTS
    }
    assert totals["sledai_1992"] <= totals["selena_sledai"] <= totals["sledai_2k"]
    assert totals["hybrid_selena_sledai"] == totals["sledai_2k"]
