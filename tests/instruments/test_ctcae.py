"""CTCAE: grades from values by version, and None where the criteria were not read."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.instruments.ctcae import (
    NOT_READ,
    NOT_VERIFIED,
    TESTS,
    grade_fever,
    grade_hypertension,
    grade_lab,
)
from onearm.units import check_unit

# Limits as printed: <LLN-75, <75-50, <50-25, <25 and so on (pharmaverse/admiral ncictcaev5.json and
# ncictcaev6.json; neutrophils and fever of v6 also in the published text).
LADDERS = [
    ("v5", "neutrophils", 1.8, [(1.8, 0), (1.79, 1), (1.5, 1), (1.49, 2), (1.0, 2), (0.99, 3),
                                (0.5, 3), (0.49, 4), (0.0, 4)]),
    ("v6", "neutrophils", None, [(1.5, 0), (1.49, 1), (1.0, 1), (0.99, 2), (0.5, 2), (0.49, 3),
                                 (0.1, 3), (0.09, 4)]),
    ("v5", "platelets", 150, [(150, 0), (149, 1), (75, 1), (74, 2), (50, 2), (49, 3), (25, 3),
                              (24, 4)]),
    ("v6", "platelets", 150, [(150, 0), (149, 1), (75, 1), (74, 2), (50, 2), (49, 3),
                              (24, 3), (10, 3), (9, 4)]),
    *((v, "leukocytes", 4, [(4, 0), (3.9, 1), (3, 1), (2.9, 2), (2, 2), (1.9, 3), (1, 3),
                            (0.9, 4)]) for v in ("v5", "v6")),
    *((v, "haemoglobin", 120, [(120, 0), (119, 1), (100, 1), (99, 2), (80, 2), (79, 3), (20, 3)])
      for v in ("v5", "v6")),
    *((v, "albumin", 35, [(35, 0), (34, 1), (30, 1), (29, 2), (20, 2), (19, 3)])
      for v in ("v5", "v6")),
]  # fmt: skip


@pytest.mark.parametrize(("version", "test", "lln", "ladder"), LADDERS)
def test_falling_values_climb_the_printed_ladder(
    version: str, test: str, lln: float | None, ladder: list[tuple[float, int]]
) -> None:
    for value, expected in ladder:
        found = grade_lab(version, test, value, lln=lln)
        assert (value, found.grade, found.at_least) == (value, expected, expected)
        assert found.version == version
        assert found.basis


@pytest.mark.parametrize(
    ("version", "value", "references", "expected"),
    [
        ("v5", 1.0, {"uln": 1.0, "baseline": 1.0}, 0),
        ("v5", 1.01, {"uln": 1.0, "baseline": 1.0}, 1),  # > ULN
        ("v5", 1.5, {"uln": 1.0, "baseline": 1.0}, 1),
        ("v5", 1.51, {"uln": 1.0, "baseline": 1.4}, 2),  # > 1.5 x ULN
        ("v5", 0.91, {"uln": 1.2, "baseline": 0.6}, 2),  # > 1.5 x baseline, within normal
        ("v5", 3.0, {"uln": 1.2, "baseline": 1.0}, 2),
        ("v5", 3.01, {"uln": 1.2, "baseline": 1.0}, 3),  # > 3 x baseline
        ("v5", 3.0, {"uln": 1.0, "baseline": 2.9}, 2),
        ("v5", 3.01, {"uln": 1.0, "baseline": 2.9}, 3),  # > 3 x ULN
        ("v6", 1.2, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 0),
        ("v6", 1.21, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 1),
        ("v6", 1.8, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 1),
        ("v6", 3.6, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 2),
        ("v6", 3.61, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 3),
        ("v6", 7.2, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 3),
        ("v6", 7.21, {"uln": 1.2, "baseline": 1.0, "lln": 0.6}, 4),
        ("v5", 6.0, {"uln": 1.0, "baseline": 2.5}, 3),
        ("v5", 6.01, {"uln": 1.0, "baseline": 6.0}, 4),  # only above 6 x ULN
        ("v5", 30.0, {"uln": 1.0}, 4),  # baseline does not matter
        ("v5", 2.0, {"uln": 1.0}, None),  # baseline might make it grade 3
        ("v5", 1.1, {"baseline": 1.0}, None),  # the upper limit is missing
        ("v5", 2.0, {"uln": 1.0, "baseline": 2.0}, 2),  # abnormal before: graded all the same
        ("v6", 0.91, {"uln": 1.2, "baseline": 0.6, "lln": 0.5}, 0),  # baseline was normal
        ("v6", 0.91, {"uln": 1.2, "baseline": 0.6, "lln": 0.7}, 2),  # baseline below normal
        ("v6", 0.91, {"uln": 1.2, "baseline": 0.6, "lln": 0.6}, 0),  # baseline at the limit
        ("v6", 1.81, {"uln": 1.2, "baseline": 0.6, "lln": 0.7}, 3),
        ("v6", 1.81, {"uln": 1.2, "baseline": 0.6, "lln": 0.5}, 2),
        ("v6", 7.3, {"uln": 1.2}, 4),
        ("v6", 1.3, {"uln": 1.2}, None),
    ],
)
def test_creatinine_is_graded_by_the_normal_limit_and_by_the_baseline(
    version: str, value: float, references: dict[str, float], expected: int | None
) -> None:
    assert grade_lab(version, "creatinine", value, **references).grade == expected


def test_what_is_missing_is_named_and_what_is_certain_is_kept() -> None:
    found = grade_lab("v5", "creatinine", 2.0, uln=1.0)
    assert (found.grade, found.at_least) == (None, 2)
    assert found.reason == "grade 3 open: missing baseline value"
    low = grade_lab("v5", "platelets", 80)
    assert (low.grade, low.at_least) == (None, 0)
    assert low.reason == "grade 1 open: missing lower limit of normal"
    assert grade_lab("v5", "platelets", 200, lln=150).reason == "no criterion is met"
    assert grade_lab("v5", "platelets", 60).grade == 2  # the limit does not matter here
    assert grade_lab("v5", "platelets", None, lln=150).reason == "the value is missing"


@pytest.mark.parametrize(
    ("version", "value", "grade", "at_least", "reason"),
    [
        ("v5", 3.5, 3, 3, "criterion of grade 3 met"),
        ("v5", 3.49, None, 0, NOT_VERIFIED),
        ("v5", 0.1, None, 0, NOT_VERIFIED),
        ("v6", 4.0, None, 0, NOT_READ),
    ],
)
def test_criteria_that_were_not_read_give_no_grade(
    version: str, value: float, grade: int | None, at_least: int, reason: str
) -> None:
    found = grade_lab(version, "urine protein", value)
    assert (found.grade, found.at_least) == (grade, at_least)
    assert reason in found.reason


def test_every_criterion_names_its_basis_and_every_unit_can_be_read() -> None:
    for test in TESTS.values():
        check_unit(test.unit)
        assert [c.grade for c in test.criteria] == sorted({c.grade for c in test.criteria})
        for criterion in test.criteria:
            assert "read" in criterion.basis
            assert bool(criterion.limits) != (criterion.basis in (NOT_READ, NOT_VERIFIED)) or (
                criterion.words
            )


@pytest.mark.parametrize("version", ["v5", "v6"])
@pytest.mark.parametrize(
    ("temperature", "hours", "expected"),
    [
        (37.9, None, 0), (38.0, None, 1), (39.0, None, 1), (39.1, None, 2), (40.0, None, 2),
        (40.1, 24.0, 3), (40.1, 24.1, 4), (40.1, None, None), (None, None, None),
    ],
)  # fmt: skip
def test_fever_is_graded_by_height_and_duration(
    version: str, temperature: float | None, hours: float | None, expected: int | None
) -> None:
    found = grade_fever(version, temperature, hours_above_40=hours)
    assert found.grade == expected
    if temperature == 40.1 and hours is None:
        assert found.at_least == 3


@pytest.mark.parametrize(
    ("systolic", "diastolic", "options", "v5", "v6"),
    [
        (119, 79, {}, 0, 0),
        (120, 79, {}, 1, 0),  # v6 has no grade 1
        (119, 80, {}, 1, 0),
        (139.5, 89.5, {}, 1, 0),
        (150, 85, {"previously_normal": True}, 2, None),
        (150, 85, {"recurrent_or_persistent": True}, 2, 2),
        (125, 95, {"recurrent_or_persistent": True}, 2, 2),
        (150, 85, {"recurrent_or_persistent": False}, None, None),
        (150, 85, {}, None, None),
        (160, 85, {}, 3, None),  # v6 grades 3 and 4 were not read
        (130, 100, {"recurrent_or_persistent": True}, 3, None),
        (165, None, {}, 3, None),
        (130, None, {}, None, None),
        (None, None, {}, None, None),
    ],
)
def test_hypertension_differs_between_the_versions(
    systolic: float | None, diastolic: float | None, options: dict[str, bool], v5: int, v6: int
) -> None:
    assert grade_hypertension("v5", systolic, diastolic, **options).grade == v5
    later = grade_hypertension("v6", systolic, diastolic, **options)
    assert (later.grade, later.at_least) == (v6, v6 or 0)


def test_a_transient_rise_is_grade_2_in_v5_and_without_a_grade_in_v6() -> None:
    one_reading: dict[str, Any] = {"previously_normal": True, "recurrent_or_persistent": False}
    assert grade_hypertension("v5", 150, 92, **one_reading).grade == 2
    later = grade_hypertension("v6", 150, 92, **one_reading)
    assert later.grade is None
    assert "v6 has no grade 1" in later.reason
    assert "treatment" in later.note


@pytest.mark.parametrize(
    "call",
    [
        lambda: grade_lab("v4", "platelets", 100),
        lambda: grade_lab("v5", "plt", 100),
        lambda: grade_lab("v5", "platelets", -1),
        lambda: grade_lab("v5", "platelets", math.nan),
        lambda: grade_lab("v5", "platelets", 100, lln=math.inf),
        lambda: grade_fever("5", 38),
        lambda: grade_fever("v5", -1),
        lambda: grade_hypertension("v7", 120, 80),
        lambda: grade_hypertension("v5", math.nan, 80),
    ],
)
def test_what_cannot_be_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown; expected|is negative|finite"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: grade_lab("v5", "platelets", True),
        lambda: grade_lab("v5", "platelets", "100"),  # type: ignore[arg-type]
        lambda: grade_hypertension("v5", 120, 80, previously_normal=1),  # type: ignore[arg-type]
        lambda: grade_hypertension("v6", 120, 80, recurrent_or_persistent="no"),  # type: ignore[arg-type]
    ],
)
def test_numbers_are_not_yes_or_no_and_yes_or_no_are_not_numbers(call: Any) -> None:
    with pytest.raises(TypeError, match="is not"):
        call()


@given(
    st.sampled_from(list(TESTS)),
    st.floats(0, 400),
    st.floats(0.1, 200),
    st.floats(1.0, 3.0),
    st.floats(0.1, 200),
    st.sets(st.sampled_from(["lln", "uln", "baseline"])),
)
def test_hiding_a_reference_never_contradicts_the_grade(
    key: tuple[str, str],
    value: float,
    lln: float,
    width: float,
    baseline: float,
    hidden: set[str],
) -> None:
    references = {"lln": lln, "uln": lln * width, "baseline": baseline}
    full = grade_lab(*key, value, **references)
    some = grade_lab(*key, value, **{n: None if n in hidden else v for n, v in references.items()})
    assert some.grade in (None, full.grade)
    assert some.at_least <= full.at_least
