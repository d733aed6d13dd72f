"""Protein in the urine: from a concentration to grams a day, to a ratio, and whether to believe it.

A 24-hour protein and a protein-creatinine ratio are the same finding only for a person who excretes
1 g of creatinine a day: grams a day = ratio (g/g) x creatinine excretion (g a day). Nothing here
assumes that figure; it is an argument.

Sources: the relations are arithmetic. Expected creatinine excretion, 15-20 mg/kg a day in women and
20-25 in men, is the customary rule (read in Thomas B, Proteinuria, Medscape, March 2020, for lean
body weight and under 50 years of age); Kestenbaum, Kidney Int Rep 2022;7:2474, finds such limits
unreliable. It is therefore a flag for a person to look at, not a reason to drop a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onearm.instruments.instrument import Derivation, check_number
from onearm.units import convert

CREATININE_MG_PER_KG_DAY: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"F": (15.0, 20.0), "M": (20.0, 25.0)}
)
"""Customary creatinine excretion of an adult, approximate: milligrams per kilogram and day."""

_MG_DL_PER_ML_TO_G = 1e-5  # 1 mg/dL in 1 mL is 0.01 mg


@dataclass(frozen=True)
class Collection:
    """Whether a 24-hour urine collection looks complete.

    Parameters
    ----------
    complete
        True within the expected range, False outside it, None if it cannot be said.
    mg_per_kg_day
        Creatinine excreted per kilogram of body weight and day, or None.
    expected
        The range used, or None if the sex is unknown.
    reason
        Why, in a few words.
    """

    complete: bool | None
    mg_per_kg_day: float | None
    expected: tuple[float, float] | None
    reason: str


def protein_24h(protein_mg_dl: float, volume_ml: float, *, hours: float = 24.0) -> float:
    """Return grams of protein in 24 hours from a concentration and the volume of a collection.

    Parameters
    ----------
    protein_mg_dl
        Protein in the pooled urine, mg/dL, 0 or more.
    volume_ml
        Volume of the collection, mL, above 0.
    hours
        Length of the collection, above 0; the result is scaled to 24 hours.
    """
    return _per_day("protein_mg_dl", protein_mg_dl, volume_ml, hours)


def creatinine_24h(creatinine_mg_dl: float, volume_ml: float, *, hours: float = 24.0) -> float:
    """Return grams of creatinine in 24 hours from a concentration and the volume of a collection.

    Parameters
    ----------
    creatinine_mg_dl
        Creatinine in the pooled urine (not in serum), mg/dL, 0 or more.
    volume_ml
        Volume of the collection, mL, above 0.
    hours
        Length of the collection, above 0; the result is scaled to 24 hours.
    """
    return _per_day("creatinine_mg_dl", creatinine_mg_dl, volume_ml, hours)


def upcr(protein_mg_dl: float, creatinine_mg_dl: float) -> float:
    """Return the protein-creatinine ratio in g/g from two concentrations of the same urine.

    Parameters
    ----------
    protein_mg_dl, creatinine_mg_dl
        Both in mg/dL of urine; creatinine above 0.
    """
    return _not_negative("protein_mg_dl", protein_mg_dl) / _above_zero(
        "creatinine_mg_dl", creatinine_mg_dl
    )


def upcr_g_g_to_mg_mmol(upcr_g_g: float) -> float:
    """Convert a protein-creatinine ratio from g/g to mg/mmol: 1 g/g is 113.12 mg/mmol.

    Guidelines print 0.5 g/g as 50 mg/mmol; it is 56.56. Compare in the unit of the definition.
    """
    value = _not_negative("upcr_g_g", upcr_g_g)
    return convert(value, "g/g", "mg/mmol", analyte="protein_creatinine_ratio")


def upcr_mg_mmol_to_g_g(upcr_mg_mmol: float) -> float:
    """Convert a protein-creatinine ratio from mg/mmol to g/g: 1 mg/mmol is 8.84 mg/g."""
    value = _not_negative("upcr_mg_mmol", upcr_mg_mmol)
    return convert(value, "mg/mmol", "g/g", analyte="protein_creatinine_ratio")


def protein_24h_from_upcr(upcr_g_g: float, creatinine_g_24h: float) -> float:
    """Return grams of protein in 24 hours from a ratio and the creatinine excretion.

    Parameters
    ----------
    upcr_g_g
        Protein-creatinine ratio, g/g, 0 or more.
    creatinine_g_24h
        Creatinine excreted in 24 hours, g, above 0. No default: 1 g is an assumption to be stated.
    """
    return _not_negative("upcr_g_g", upcr_g_g) * _above_zero("creatinine_g_24h", creatinine_g_24h)


def upcr_from_24h(protein_g_24h: float, creatinine_g_24h: float) -> float:
    """Return the protein-creatinine ratio, g/g, of a 24-hour collection.

    The errors of an incomplete collection cancel in the ratio.

    Parameters
    ----------
    protein_g_24h, creatinine_g_24h
        Grams in the same collection; creatinine above 0.
    """
    return _not_negative("protein_g_24h", protein_g_24h) / _above_zero(
        "creatinine_g_24h", creatinine_g_24h
    )


def check_collection(
    creatinine_g_24h: float | None, weight_kg: float | None, sex: str | None
) -> Collection:
    """Say whether a 24-hour collection looks complete by its creatinine.

    Parameters
    ----------
    creatinine_g_24h
        Creatinine in the collection, g/24 h, 0 or more; None if missing.
    weight_kg
        Body weight, above 0; None if missing. Lean weight where the patient is obese or swollen.
    sex
        ``"F"``, ``"M"`` or None if missing.

    Returns
    -------
    Collection
        ``complete`` is None if anything is missing. The range is approximate: elderly, thin and
        wasted people, and advanced kidney disease, lie below it with complete collections.
    """
    creatinine = check_number("creatinine_g_24h", creatinine_g_24h)
    weight = None if weight_kg is None else _above_zero("weight_kg", weight_kg)
    if sex not in ("F", "M", None):
        raise ValueError(f"sex is {sex!r}; expected 'F', 'M' or None if missing")
    expected = None if sex is None else CREATININE_MG_PER_KG_DAY[sex]
    named = {"creatinine": creatinine, "weight": weight, "sex": sex}
    missing = [name for name, value in named.items() if value is None]
    per_kg = None if creatinine is None or weight is None else 1000 * creatinine / weight
    if per_kg is None or expected is None:
        return Collection(None, per_kg, expected, f"missing: {', '.join(missing)}")
    low, high = expected
    words = f"{per_kg:.1f} mg/kg a day; expected about {low:g} to {high:g}"
    if per_kg < low:
        return Collection(False, per_kg, expected, f"too little creatinine: {words}")
    if per_kg > high:
        return Collection(False, per_kg, expected, f"too much creatinine: {words}")
    return Collection(True, per_kg, expected, words)


def _per_day(name: str, concentration_mg_dl: float, volume_ml: float, hours: float) -> float:
    """Return grams in 24 hours."""
    grams = _not_negative(name, concentration_mg_dl) * _above_zero("volume_ml", volume_ml)
    return grams * _MG_DL_PER_ML_TO_G * 24.0 / _above_zero("hours", hours)


def _not_negative(name: str, value: float) -> float:
    """Return a number of 0 or more."""
    number = check_number(name, value)
    if number is None:
        raise ValueError(f"{name} is missing; expected a number; do not call without it")
    return number


def _above_zero(name: str, value: float) -> float:
    """Return a number above 0."""
    number = _not_negative(name, value)
    if number == 0:
        raise ValueError(f"{name} is 0; expected a number above 0; correct the value")
    return number


def _unless_missing(
    formula: Callable[[float, float], float], first: str, second: str
) -> Callable[..., float | None]:
    """Return a formula of two named values that gives None if either is None."""

    def compute(**values: float | None) -> float | None:
        a, b = values.pop(first), values.pop(second)
        if values:
            raise TypeError(f"unknown value {next(iter(values))!r}; expected {first} and {second}")
        return None if a is None or b is None else formula(a, b)

    return compute


_ARITHMETIC = "arithmetic; see docs/instruments/proteinuria.md"

DERIVATIONS: Mapping[str, Derivation] = MappingProxyType(
    {
        "upcr": Derivation(
            "upcr",
            "Urine protein-creatinine ratio",
            _ARITHMETIC,
            "g/g{creat}",
            MappingProxyType({"protein": "mg/dL", "creatinine": "mg/dL"}),
            _unless_missing(upcr, "protein", "creatinine"),
        ),
        "upcr_from_24h": Derivation(
            "upcr_from_24h",
            "Protein-creatinine ratio of the 24-hour urine",
            _ARITHMETIC,
            "g/g{creat}",
            MappingProxyType({"protein": "g/(24.h)", "creatinine": "g/(24.h)"}),
            _unless_missing(upcr_from_24h, "protein", "creatinine"),
        ),
        "protein_24h": Derivation(
            "protein_24h",
            "24-hour urine protein from concentration and volume",
            _ARITHMETIC,
            "g/(24.h)",
            MappingProxyType({"protein": "mg/dL", "volume": "mL/(24.h)"}),
            _unless_missing(protein_24h, "protein", "volume"),
        ),
        "protein_24h_from_upcr": Derivation(
            "protein_24h_from_upcr",
            "24-hour urine protein estimated from the ratio and the creatinine excretion",
            _ARITHMETIC,
            "g/(24.h)",
            MappingProxyType({"upcr": "g/g{creat}", "creatinine": "g/(24.h)"}),
            _unless_missing(protein_24h_from_upcr, "upcr", "creatinine"),
        ),
    }
)
"""The conversions as derivations, by name."""
