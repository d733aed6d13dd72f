"""eGFR: three published equations, each within the values it was made for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.instruments import DERIVATIONS
from onearm.instruments.egfr import ckd_epi_2009, ckd_epi_2021, schwartz_bedside
from onearm.units import convert


def mg_dl(umol_l: float) -> float:
    return convert(umol_l, "umol/L", "mg/dL", analyte="creatinine")


# Results of the National Kidney Foundation's calculator (kidney.org), in umol/L, as recorded in the
# tests of the R package SCREAM (ellessenne/SCREAM, tests/testthat/test-ckd_epi.R); not Black.
@pytest.mark.parametrize(
    ("umol_l", "age", "sex", "expected"),
    [
        (50, 40, "M", 129), (50, 40, "F", 116), (30, 50, "M", 148), (30, 50, "F", 128),
        (60, 60, "M", 104), (60, 60, "F", 95), (100, 70, "M", 65), (100, 70, "F", 49),
    ],
)  # fmt: skip
def test_ckd_epi_2009_agrees_with_the_foundations_calculator(
    umol_l: float, age: float, sex: str, expected: int
) -> None:
    assert round(ckd_epi_2009(mg_dl(umol_l), age, sex)) == expected


# The same calculator with the equation of 2021, as recorded in ml4oncology (scripts/unit_test.py).
@pytest.mark.parametrize(
    ("umol_l", "sex", "expected"), [(200, "M", 30), (200, "F", 23), (100, "M", 70), (100, "F", 52)]
)
def test_ckd_epi_2021_agrees_with_the_foundations_calculator(
    umol_l: float, sex: str, expected: int
) -> None:
    assert round(ckd_epi_2021(mg_dl(umol_l), 70, sex)) == expected


def test_ckd_epi_2021_agrees_with_the_worked_example() -> None:
    # F, 55 years, 0.9 mg/dL is "about 76" (creatinineclearancecalculator.net). From the definition:
    # 142 x (0.9/0.7)^-1.200 x 0.9938^55 x 1.012 = 75.50.
    by_hand = 142 * (0.9 / 0.7) ** -1.2 * 0.9938**55 * 1.012
    assert ckd_epi_2021(0.9, 55, "F") == pytest.approx(by_hand, rel=1e-12)
    assert ckd_epi_2021(0.9, 55, "F") == pytest.approx(76, abs=1)


# The printed coefficients: constant, kappa, exponent below kappa, exponent above, per year, sex.
PRINTED = [
    (ckd_epi_2009, "F", 141, 0.7, -0.329, -1.209, 0.993, 1.018),
    (ckd_epi_2009, "M", 141, 0.9, -0.411, -1.209, 0.993, 1.0),
    (ckd_epi_2021, "F", 142, 0.7, -0.241, -1.200, 0.9938, 1.012),
    (ckd_epi_2021, "M", 142, 0.9, -0.302, -1.200, 0.9938, 1.0),
]


@pytest.mark.parametrize(
    ("equation", "sex", "constant", "kappa", "below", "above", "year", "factor"), PRINTED
)
@pytest.mark.parametrize("creatinine", [0.5, 2.0])
def test_the_equations_are_the_printed_ones_on_both_sides_of_kappa(
    equation: Any, sex: str, constant: float, kappa: float, below: float, above: float,
    year: float, factor: float, creatinine: float,
) -> None:  # fmt: skip
    power = below if creatinine < kappa else above
    by_hand = constant * (creatinine / kappa) ** power * year**30 * factor
    assert equation(creatinine, 30, sex) == pytest.approx(by_hand, rel=1e-12)


def test_the_ends_of_the_permitted_values_are_permitted() -> None:
    assert ckd_epi_2021(40.0, 18, "M") > 0
    assert ckd_epi_2021(40.0, 120, "M") > 0
    assert schwartz_bedside(40.0, 40, 1) == pytest.approx(0.413)
    assert schwartz_bedside(1.0, 220, 1) == pytest.approx(90.86)
    for arguments in ((40.1, 30, "M"), (1.0, 17.9, "M"), (1.0, 120.1, "M")):
        with pytest.raises(ValueError, match="expected"):
            ckd_epi_2021(*arguments)
    for height in (39.9, 220.1):
        with pytest.raises(ValueError, match="expected 40 to 220"):
            schwartz_bedside(1.0, height, 5)


def test_the_race_coefficient_is_applied_only_on_request() -> None:
    plain = ckd_epi_2009(1.0, 30, "F")
    assert ckd_epi_2009(1.0, 30, "F", black=True) == pytest.approx(1.159 * plain, rel=1e-12)
    derived = DERIVATIONS["egfr_ckd_epi_2009"].compute(creatinine=1.0, age=30, sex="F")
    assert derived == plain
    with pytest.raises(TypeError, match="black"):
        ckd_epi_2009(1.0, 30, "F", black=1)  # type: ignore[arg-type]


def test_bedside_schwartz_is_0_413_times_height_over_creatinine() -> None:
    # 0.413 x 110 / 0.5 = 90.86
    assert schwartz_bedside(0.5, 110, 5) == pytest.approx(90.86, rel=1e-12)


@pytest.mark.parametrize("age", [1, 17, 17.9])
def test_schwartz_is_for_ages_1_to_17(age: float) -> None:
    assert schwartz_bedside(1.0, 100, age) == pytest.approx(41.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 30, "F"), "expected above 0 to 40 mg/dL; convert umol/L first"),
        ((80.0, 30, "F"), "expected above 0 to 40 mg/dL; convert umol/L first"),
        ((-1.0, 30, "F"), "is negative"),
        ((math.nan, 30, "F"), "not a finite number"),
        ((1.0, 17, "F"), "age_years is 17; expected 18 to 120"),
        ((1.0, 121, "F"), "expected 18 to 120"),
        ((1.0, 30, "f"), "sex is 'f'; expected 'F' or 'M'"),
        ((1.0, 30, "Female"), "expected 'F' or 'M'"),
        ((None, 30, "F"), "creatinine_mg_dl is None"),
    ],
)
@pytest.mark.parametrize("equation", [ckd_epi_2009, ckd_epi_2021])
def test_values_outside_the_permitted_are_refused(
    equation: Any, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        equation(*arguments)


@pytest.mark.parametrize(
    "arguments", [(1.0, 100, 18), (1.0, 100, 0.9), (1.0, 1.1, 5), (0.0, 100, 5), (1.0, 230, 5)]
)
def test_schwartz_refuses_adults_infants_and_metres(arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        schwartz_bedside(*arguments)


def test_yes_and_no_are_not_numbers() -> None:
    with pytest.raises(TypeError, match="is not a number"):
        ckd_epi_2021(True, 30, "F")


@given(
    st.sampled_from([ckd_epi_2009, ckd_epi_2021]),
    st.floats(0.2, 15),
    st.floats(0.01, 5),
    st.integers(18, 99),
    st.sampled_from(["F", "M"]),
)
def test_more_creatinine_and_more_years_mean_less_filtration(
    equation: Any, creatinine: float, more: float, age: int, sex: str
) -> None:
    value = equation(creatinine, age, sex)
    assert equation(creatinine + more, age, sex) < value
    assert equation(creatinine, age + 1, sex) < value
