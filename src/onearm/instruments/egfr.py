"""Estimated glomerular filtration rate (eGFR) from serum creatinine, in mL/min per 1.73 m².

Three published equations. A trial uses one from beginning to end and names it: the numbers differ
by several units for the same blood. The creatinine must come from a method traceable to isotope
dilution mass spectrometry, as all three assume.

Sources: Levey, Ann Intern Med 2009;150:604 (CKD-EPI 2009); Inker, N Engl J Med 2021;385:1737
(CKD-EPI 2021); Schwartz, J Am Soc Nephrol 2009;20:629 (bedside). The coefficients of the two
CKD-EPI equations were read at kidney.org; bedside Schwartz rests on domain knowledge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onearm.instruments.instrument import Derivation, check_number

UNIT = "mL/min/{1.73_m2}"

# Above this a value is almost surely in umol/L (40 umol/L is a low normal value); a creatinine of
# 40 mg/dL is hardly survived.
_HIGHEST_CREATININE_MG_DL = 40.0
_ADULT = (18.0, 120.0)
_CHILD = (1.0, 18.0)  # "ages 1 to 17": until the 18th birthday


@dataclass(frozen=True)
class _CkdEpi:
    """Coefficients of a CKD-EPI creatinine equation; pairs are (female, male)."""

    constant: float
    kappa: tuple[float, float]
    low_power: tuple[float, float]
    high_power: float
    per_year: float
    female: float


_CKD_EPI_2009 = _CkdEpi(141.0, (0.7, 0.9), (-0.329, -0.411), -1.209, 0.993, 1.018)
_CKD_EPI_2021 = _CkdEpi(142.0, (0.7, 0.9), (-0.241, -0.302), -1.200, 0.9938, 1.012)
_BLACK_2009 = 1.159


def ckd_epi_2009(
    creatinine_mg_dl: float, age_years: float, sex: str, *, black: bool = False
) -> float:
    """Estimate GFR by the CKD-EPI creatinine equation of 2009, the standard of its decade.

    Parameters
    ----------
    creatinine_mg_dl
        Serum creatinine, above 0 to 40 mg/dL; higher is taken for a value in umol/L.
    age_years
        18 to 120.
    sex
        ``"F"`` or ``"M"``.
    black
        Apply the published coefficient 1.159 for Black patients. Not applied unless asked for:
        the equation's authors withdrew race from the equation in 2021, and a trial's data may not
        hold it. A constant factor leaves every change in per cent as it is.

    Returns
    -------
    float
        mL/min per 1.73 m².

    Raises
    ------
    ValueError
        Outside the permitted values.
    TypeError
        If a number is not a number, or ``black`` not True or False.
    """
    if not isinstance(black, bool):
        raise TypeError(f"black: {black!r} is not True or False")
    value = _ckd_epi(_CKD_EPI_2009, creatinine_mg_dl, age_years, sex)
    return value * _BLACK_2009 if black else value


def ckd_epi_2021(creatinine_mg_dl: float, age_years: float, sex: str) -> float:
    """Estimate GFR by the CKD-EPI creatinine equation of 2021, which does not use race.

    Parameters
    ----------
    creatinine_mg_dl
        Serum creatinine, above 0 to 40 mg/dL; higher is taken for a value in umol/L.
    age_years
        18 to 120.
    sex
        ``"F"`` or ``"M"``.

    Returns
    -------
    float
        mL/min per 1.73 m².

    Raises
    ------
    ValueError
        Outside the permitted values.
    TypeError
        If a number is not a number.

    Examples
    --------
    >>> round(ckd_epi_2021(0.9, 55, "F"))
    75
    """
    return _ckd_epi(_CKD_EPI_2021, creatinine_mg_dl, age_years, sex)


def schwartz_bedside(creatinine_mg_dl: float, height_cm: float, age_years: float) -> float:
    """Estimate GFR of a child by the bedside Schwartz equation: 0.413 x height / creatinine.

    Parameters
    ----------
    creatinine_mg_dl
        Serum creatinine, above 0 to 40 mg/dL.
    height_cm
        Standing height or length, 40 to 220 cm; lower is taken for metres.
    age_years
        From 1 to before the 18th birthday. Used only to refuse others.

    Returns
    -------
    float
        mL/min per 1.73 m².

    Raises
    ------
    ValueError
        Outside the permitted values.
    TypeError
        If a number is not a number.
    """
    creatinine = _creatinine(creatinine_mg_dl)
    height = _within("height_cm", height_cm, 40.0, 220.0)
    age = _within("age_years", age_years, *_CHILD)
    if age >= _CHILD[1]:
        raise ValueError(f"age_years is {age_years!r}; expected 1 to 17; use CKD-EPI for adults")
    return 0.413 * height / creatinine


def _ckd_epi(equation: _CkdEpi, creatinine_mg_dl: float, age_years: float, sex: str) -> float:
    """Evaluate a CKD-EPI creatinine equation."""
    creatinine = _creatinine(creatinine_mg_dl)
    age = _within("age_years", age_years, *_ADULT)
    if sex not in ("F", "M"):
        raise ValueError(f"sex is {sex!r}; expected 'F' or 'M', for which the equation was made")
    which = 0 if sex == "F" else 1
    ratio = creatinine / equation.kappa[which]
    value = equation.constant * math.pow(equation.per_year, age)
    value *= math.pow(min(ratio, 1.0), equation.low_power[which])
    value *= math.pow(max(ratio, 1.0), equation.high_power)
    return value * equation.female if sex == "F" else value


def _creatinine(value: float) -> float:
    """Return a creatinine that can be one in mg/dL."""
    number = check_number("creatinine_mg_dl", value)
    if number is None or not 0 < number <= _HIGHEST_CREATININE_MG_DL:
        raise ValueError(
            f"creatinine_mg_dl is {value!r}; expected above 0 to 40 mg/dL; convert umol/L first"
        )
    return number


def _within(name: str, value: float, lowest: float, highest: float) -> float:
    """Return a number that lies within the permitted values."""
    number = check_number(name, value)
    if number is None or not lowest <= number <= highest:
        raise ValueError(f"{name} is {value!r}; expected {lowest:g} to {highest:g}")
    return number


def _derive_2009(*, creatinine: float | None, age: float | None, sex: str | None) -> float | None:
    if creatinine is None or age is None or sex is None:
        return None
    return ckd_epi_2009(creatinine, age, sex)


def _derive_2021(*, creatinine: float | None, age: float | None, sex: str | None) -> float | None:
    if creatinine is None or age is None or sex is None:
        return None
    return ckd_epi_2021(creatinine, age, sex)


def _derive_schwartz(
    *, creatinine: float | None, height: float | None, age: float | None
) -> float | None:
    if creatinine is None or height is None or age is None:
        return None
    return schwartz_bedside(creatinine, height, age)


_ADULT_INPUTS: Mapping[str, str] = MappingProxyType({"creatinine": "mg/dL", "age": "a", "sex": ""})

DERIVATIONS: Mapping[str, Derivation] = MappingProxyType(
    {
        "egfr_ckd_epi_2009": Derivation(
            "egfr_ckd_epi_2009",
            "eGFR (CKD-EPI creatinine 2009, without race)",
            "Levey AS et al. Ann Intern Med 2009;150:604-12",
            UNIT,
            _ADULT_INPUTS,
            _derive_2009,
        ),
        "egfr_ckd_epi_2021": Derivation(
            "egfr_ckd_epi_2021",
            "eGFR (CKD-EPI creatinine 2021)",
            "Inker LA et al. N Engl J Med 2021;385:1737-49",
            UNIT,
            _ADULT_INPUTS,
            _derive_2021,
        ),
        "egfr_schwartz_bedside": Derivation(
            "egfr_schwartz_bedside",
            "eGFR (bedside Schwartz, ages 1 to 17)",
            "Schwartz GJ et al. J Am Soc Nephrol 2009;20:629-37",
            UNIT,
            MappingProxyType({"creatinine": "mg/dL", "height": "cm", "age": "a"}),
            _derive_schwartz,
        ),
    }
)
"""The equations as derivations, by name."""
