"""Units: a small UCUM reader that refuses what it does not know."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.errors import UnitError
from onearm.units import MOLAR_MASSES, check_unit, convert, unit_words

# The units of the study files and of the project's table of laboratory tests (LOINC to UCUM).
USED = (
    "g/(24.h)", "mL/(24.h)", "mg/dL", "g/L", "mg/L", "umol/L", "10*9/L", "U/L", "[IU]/mL", "mm/h",
    "/[HPF]", "/[LPF]", "mg/g{creat}", "mL/min/{1.73_m2}", "mL/min", "mm[Hg]", "Cel", "kg", "min",
    "a", "%", "1", "1/kg", "1/mL", "[EU]/mL", "[EU]/kg/h", "mg/mmol", "10*6/kg", "{cells}/uL", "d",
)  # fmt: skip


@pytest.mark.parametrize("unit", USED)
def test_every_unit_of_the_study_files_is_read_and_has_words(unit: str) -> None:
    check_unit(unit)
    assert isinstance(unit_words(unit), str)


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("g/(24.h)", "g/24 h"),
        ("10*9/L", "×10⁹/L"),
        ("10^9/L", "×10⁹/L"),
        ("Cel", "°C"),
        ("1/kg", "per kg"),
        ("[EU]/mL", "EU/mL"),
        ("[EU]/kg/h", "EU/kg/h"),
        ("/[HPF]", "per field"),
        ("a", "years"),
        ("1/a", "per year"),
        ("d", "days"),
        ("g/d", "g/d"),
        ("mm[Hg]", "mmHg"),
        ("umol/L", "µmol/L"),
        ("mg/g{creat}", "mg/g creatinine"),
        ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
        ("{cells}/uL", "cells/µL"),
        ("kg/m2", "kg/m²"),
        ("mg/(kg.d)", "mg/(kg·d)"),
        ("10*-3", "×10⁻³"),
        ("1", ""),
        ("", ""),
    ],
)
def test_units_are_written_for_people(unit: str, words: str) -> None:
    assert unit_words(unit) == words


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gm", "g"),
        ("mg/dl ", "mg/dl"),
        ("mg/ dL", "mg/dL"),
        ("MG/DL", "mg/dL"),
        ("Mg/dL", "mg/dL"),
        ("g/24h", "g/(24.h)"),
        ("g/24 h", "g/(24.h)"),
        ("g/day", "g/d"),
        ("mmHg", "mm[Hg]"),
        ("IU/mL", "[IU]/mL"),
        ("K/uL", "10*3/uL"),
        ("G/L", "10*9/L"),
        ("x10^9/L", "10*9/L"),
        ("10⁹/L", "10*9/L"),
        ("°C", "Cel"),
        ("µmol/L", "umol/L"),
        ("mcg/mL", "ug/mL"),
        ("mL/min/1.73m2", "mL/min/{1.73_m2}"),
        ("cells/uL", "{cells}/uL"),
        ("/HPF", "/[HPF]"),
        ("years", "a"),
        ("cc/min", "mL/min"),
    ],
)
def test_a_slip_is_refused_and_the_unit_meant_is_named(written: str, meant: str) -> None:
    with pytest.raises(UnitError, match=re.escape(f"did you mean {meant!r}?")):
        check_unit(written)
    check_unit(meant)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "points", "score", "()", "mg//dL", "mg/", "(mg", "mg)", ".g", "mg/dL/", "kg-", "0",
        "1.5.g", "Cel/h", "Cel2", "g{", "}", "{a b}", "g/(24.h", "mgdL", "lb", "10*999", "K", "M",
        "(" * 200, "g" * 61, "mg\n", "g\u200b", "10**9", "g^2", "+", "/", "1e9/L",
    ],
)  # fmt: skip
def test_what_is_not_a_unit_is_refused_in_four_parts(text: str) -> None:
    with pytest.raises(UnitError) as caught:
        check_unit(text)
    message = str(caught.value)
    assert message.startswith(f"unit: {text!r} cannot be read, ")
    assert "; expected a UCUM code such as" in message
    assert message.count(";") >= 2


def test_points_are_not_a_unit_and_the_message_says_what_to_do() -> None:
    with pytest.raises(
        UnitError, match="a score or a plain number has no unit: leave the unit out"
    ):
        check_unit("points")


def test_the_litre_is_upper_or_lower_case_l() -> None:
    assert convert(3.5, "mg/dl", "mg/dL") == 3.5
    assert convert(1.0, "L", "ml") == 1000.0


def test_a_unit_must_be_a_text() -> None:
    with pytest.raises(TypeError, match="a unit is a text"):
        check_unit(24)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (1.8, "g/(24.h)", "mg/d", 1800.0),  # 24 h are a day
        (0.5, "g/g", "mg/g{creat}", 500.0),  # an annotation changes nothing
        (12.0, "g/dL", "g/L", 120.0),
        (5.0, "a", "mo", 60.0),
        (2.0, "wk", "d", 14.0),
        (4.0, "a", "d", 1461.0),  # UCUM's year is the Julian year, 365.25 d
        (1.0, "GBq", "MBq", 1000.0),
        (1.0, "MJ", "kJ", 1000.0),
        (1.0, "kJ", "kPa.L", 1000.0),  # 1 J is 1 Pa.m3
        (1.0, "pmol/L", "fmol/mL", 1.0),
        (120.0, "mm[Hg]", "kPa", 15.99864),  # UCUM: m[Hg] is 133.3220 kPa
        (38.0, "Cel", "[degF]", 100.4),  # 38 x 9/5 + 32
        (98.6, "[degF]", "Cel", 37.0),
        (1.0, "kat", "U", 6e7),  # U is 1 umol/min, kat is 1 mol/s
        (90.0, "%", "1", 0.9),
        (3.0, "10*3/uL", "10*9/L", 3.0),
        (250.0, "{cells}/uL", "10*6/L", 250.0),
        (5.0, "[IU]/mL", "k[IU]/L", 5.0),
        (2.0, "mg/min", "mg/h", 120.0),
    ],
)
def test_values_convert_exactly(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == expected


@pytest.mark.parametrize(
    ("unit", "to"),
    [
        ("g", "L"),
        ("g/g", "g/(24.h)"),
        ("/[HPF]", "1"),
        ("/[HPF]", "/[LPF]"),
        ("[IU]/mL", "[EU]/mL"),
        ("U/L", "[IU]/L"),
        ("Bq", "/s"),
        ("eq/L", "mol/L"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("Cel", "1"),
        ("1/kg", "1/mL"),
    ],
)
def test_different_kinds_do_not_convert(unit: str, to: str) -> None:
    with pytest.raises(UnitError, match="do not measure the same thing"):
        convert(1.0, unit, to)
    with pytest.raises(UnitError, match="do not measure the same thing"):
        convert(1.0, unit, to, analyte="creatinine")


ATOMIC_WEIGHTS = {"C": 12.011, "H": 1.008, "N": 14.007, "O": 15.999, "Ca": 40.078}  # IUPAC
FORMULAS = {
    "creatinine": "C4H7N3O",
    "protein_creatinine_ratio": "C4H7N3O",
    "albumin_creatinine_ratio": "C4H7N3O",
    "urea": "CH4N2O",
    "urea_nitrogen": "N2",
    "uric_acid": "C5H4N4O3",
    "glucose": "C6H12O6",
    "bilirubin": "C33H36N4O6",
    "cholesterol": "C27H46O",
    "calcium": "Ca",
}


def test_every_molar_mass_is_the_sum_of_its_atomic_weights_and_names_its_source() -> None:
    assert set(FORMULAS) == set(MOLAR_MASSES)
    for analyte, formula in FORMULAS.items():
        atoms = re.findall(r"(Ca|[CHNO])(\d*)", formula)
        mass = sum(ATOMIC_WEIGHTS[a] * int(n or 1) for a, n in atoms)
        assert float(MOLAR_MASSES[analyte].grams_per_mole) == pytest.approx(mass, abs=5e-4)
        assert "IUPAC" in MOLAR_MASSES[analyte].source


def test_creatinine_has_the_laboratories_factor_88_4() -> None:
    # 10 mg/L divided by 113.12 g/mol.
    expected = float(Fraction(10 * 1000) / Fraction("113.12"))
    assert convert(1.0, "mg/dL", "umol/L", analyte="creatinine") == expected
    assert round(expected, 1) == 88.4
    assert convert(88.4, "umol/L", "mg/dL", analyte="creatinine") == pytest.approx(1.0, abs=1e-4)


def test_the_protein_creatinine_ratio_takes_the_mole_of_creatinine() -> None:
    ratio = "protein_creatinine_ratio"
    assert convert(1.0, "g/g", "mg/mmol", analyte=ratio) == 113.12
    assert convert(1.0, "mg/mmol", "mg/g", analyte=ratio) == pytest.approx(8.84, abs=1e-3)
    assert convert(500.0, "mg/g{creat}", "mg/mmol", analyte=ratio) == 56.56


def test_grams_and_moles_need_an_analyte_of_the_table() -> None:
    with pytest.raises(UnitError, match="stands a molar mass and no analyte was named"):
        convert(1.0, "mg/dL", "umol/L")
    with pytest.raises(UnitError, match="the analyte 'creatinin' is unknown; expected one of crea"):
        convert(1.0, "mg/dL", "umol/L", analyte="creatinin")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True])
def test_only_finite_numbers_convert(value: float) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        convert(value, "g", "mg")


def test_a_value_too_large_to_write_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="too large to write in mg"):
        convert(1e308, "kg", "mg")


SAME_KIND = [
    ("g/(24.h)", "mg/d", None),
    ("mg/dL", "umol/L", "creatinine"),
    ("g/g", "mg/mmol", "protein_creatinine_ratio"),
    ("Cel", "[degF]", None),
    ("mm[Hg]", "kPa", None),
    ("10*9/L", "/uL", None),
]


@given(st.sampled_from(SAME_KIND), st.floats(-1e12, 1e12))
def test_there_and_back_is_the_same_value(kind: tuple[str, str, str | None], value: float) -> None:
    unit, to, analyte = kind
    there = convert(value, unit, to, analyte=analyte)
    assert convert(there, to, unit, analyte=analyte) == pytest.approx(value, rel=1e-12, abs=1e-12)


@given(st.sampled_from(USED), st.floats(-1e9, 1e9))
def test_a_unit_converts_to_itself_unchanged(unit: str, value: float) -> None:
    assert convert(value, unit, unit) == value


def complaint(text: str) -> str | None:
    """What is said against a text, or None if it is a unit."""
    try:
        check_unit(text)
    except UnitError as refusal:
        return str(refusal)
    return None


@given(st.text(max_size=70))
def test_no_text_does_anything_but_pass_or_be_refused_in_words(text: str) -> None:
    said = complaint(text)
    assert "; expected a UCUM code" in said if said else isinstance(unit_words(text), str)


@given(st.text(alphabet="gLmoldkun/.()[]{}*^0129+-HPFIUacreCl%", max_size=20))
def test_no_near_miss_does_anything_but_pass_or_be_refused_in_words(text: str) -> None:
    said = complaint(text)
    assert "; expected a UCUM code" in said if said else convert(1.0, text, text) == 1.0
