"""Proteinuria: conversions between a day, a ratio and a concentration; is the collection complete?"""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.instruments import DERIVATIONS
from onearm.instruments.proteinuria import (
    CREATININE_MG_PER_KG_DAY,
    check_collection,
    creatinine_24h,
    protein_24h,
    protein_24h_from_upcr,
    upcr,
    upcr_from_24h,
    upcr_g_g_to_mg_mmol,
    upcr_mg_mmol_to_g_g,
)


def test_concentration_and_volume_give_grams_a_day() -> None:
    # 120 mg/dL is 1.2 g/L; 1.5 L of it hold 1.8 g.
    assert protein_24h(120, 1500) == pytest.approx(1.8)
    assert protein_24h(120, 750, hours=12) == pytest.approx(1.8)
    assert creatinine_24h(80, 1500) == pytest.approx(1.2)


def test_a_ratio_is_a_quotient_of_two_concentrations() -> None:
    assert upcr(120, 80) == 1.5
    assert upcr_from_24h(1.8, 1.2) == pytest.approx(1.5)
    assert upcr(0, 80) == 0


def test_ratio_and_day_agree_only_at_1_g_of_creatinine_a_day() -> None:
    assert protein_24h_from_upcr(0.5, 1.0) == 0.5
    assert protein_24h_from_upcr(0.5, 1.4) == pytest.approx(0.7)


def test_1_g_per_g_is_113_12_mg_per_mmol() -> None:
    # From the molar mass of creatinine, 113.12; the guidelines' 50 mg/mmol is 0.442 g/g.
    assert upcr_g_g_to_mg_mmol(1) == 113.12
    assert upcr_mg_mmol_to_g_g(1) == pytest.approx(0.00884, abs=1e-6)
    assert upcr_mg_mmol_to_g_g(50) == pytest.approx(0.442, abs=5e-5)


@given(st.floats(0, 100), st.floats(0.01, 5))
def test_conversions_there_and_back_are_the_same_value(ratio: float, creatinine: float) -> None:
    assert upcr_mg_mmol_to_g_g(upcr_g_g_to_mg_mmol(ratio)) == pytest.approx(ratio, abs=1e-12)
    day = protein_24h_from_upcr(ratio, creatinine)
    assert upcr_from_24h(day, creatinine) == pytest.approx(ratio, abs=1e-12)


def test_incomplete_collections_leave_the_ratio_alone() -> None:
    whole = upcr_from_24h(protein_24h(120, 1500), creatinine_24h(80, 1500))
    half = upcr_from_24h(protein_24h(120, 750), creatinine_24h(80, 750))
    assert half == pytest.approx(whole)


# Women 15-20, men 20-25 mg/kg a day (Thomas B, Proteinuria, Medscape 2020), at 60 kg.
@pytest.mark.parametrize(
    ("grams", "sex", "complete", "word"),
    [
        (0.9, "F", True, "15.0 mg/kg a day"),
        (1.2, "F", True, "20.0 mg/kg a day"),
        (0.89, "F", False, "too little creatinine: 14.8 mg/kg a day; expected about 15 to 20"),
        (1.21, "F", False, "too much creatinine"),
        (1.5, "M", True, "25.0 mg/kg a day"),
        (1.51, "M", False, "too much creatinine: 25.2 mg/kg a day"),
        (1.2, "M", True, "20.0 mg/kg a day; expected about 20 to 25"),
        (0.9, "M", False, "too little creatinine"),
        (0.0, "M", False, "too little creatinine: 0.0"),
    ],
)
def test_a_collection_is_judged_by_its_creatinine(
    grams: float, sex: str, complete: bool, word: str
) -> None:
    found = check_collection(grams, 60, sex)
    assert found.complete is complete
    assert word in found.reason
    assert found.expected == CREATININE_MG_PER_KG_DAY[sex]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((None, 60, "F"), "missing: creatinine"),
        ((1.0, None, "F"), "missing: weight"),
        ((1.0, 60, None), "missing: sex"),
        ((None, None, None), "missing: creatinine, weight, sex"),
    ],
)
def test_with_anything_missing_completeness_is_unknown(
    arguments: tuple[Any, ...], reason: str
) -> None:
    found = check_collection(*arguments)
    assert found.complete is None
    assert found.reason == reason


@pytest.mark.parametrize(
    "call",
    [
        lambda: protein_24h(-1, 1500),
        lambda: protein_24h(100, 0),
        lambda: protein_24h(100, 1500, hours=0),
        lambda: protein_24h(math.nan, 1500),
        lambda: protein_24h(None, 1500),  # type: ignore[arg-type]
        lambda: upcr(100, 0),
        lambda: upcr_from_24h(1, 0),
        lambda: protein_24h_from_upcr(1, 0),
        lambda: check_collection(1.0, 0, "F"),
        lambda: check_collection(-1.0, 60, "F"),
        lambda: check_collection(1.0, 60, "female"),
    ],
)
def test_what_cannot_be_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|is negative|not a finite"):
        call()


def test_yes_and_no_are_not_numbers() -> None:
    with pytest.raises(TypeError, match="is not a number"):
        upcr(True, 80)


def test_derivations_take_their_inputs_by_name_and_no_others() -> None:
    compute = DERIVATIONS["protein_24h"].compute
    assert compute(protein=120, volume=1500) == pytest.approx(1.8)
    assert compute(protein=120, volume=None) is None
    assert compute(protein=None, volume=1500) is None
    with pytest.raises(TypeError, match="unknown value 'hours'"):
        compute(protein=120, volume=1500, hours=24)
