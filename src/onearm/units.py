"""Units of measurement are UCUM codes from a closed table; what is not in the table is refused.

UCUM (the Unified Code for Units of Measure) is written ``mg/dL``, ``10*9/L``, ``g/(24.h)``. This
is a small reader of our own over the units that a clinical study file needs. It is stricter than
UCUM in five places, each on purpose:

- prefixes are allowed unit by unit, so ``Mg/dL`` (megagram) is a slip of the shift key;
- fields of view ``[HPF]`` and ``[LPF]``, equivalents ``eq``, moles ``mol`` and becquerels ``Bq``
  are kinds of their own here: UCUM calls them plain numbers (or moles, or 1/s) and would convert
  between them, which would be wrong at the bedside;
- the annotation ``{1.73_m2}`` is a kind of its own, for a filtration rate per 1.73 m² of body
  surface is not a filtration rate; any other annotation means nothing to a conversion, as in UCUM;
- the kelvin is absent, because ``K/uL`` is always meant as "thousand per microlitre";
- ``1.5.g`` (1 times 5 times g) is refused, because somebody meant one and a half grams.

Source: The Unified Code for Units of Measure, version 2.1, sections 2 and 4; written from the
grammar, no part of its table is copied.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from onearm.errors import UnitError

_PREFIXES: Mapping[str, Fraction] = MappingProxyType(
    {
        "G": Fraction(10**9),
        "M": Fraction(10**6),
        "k": Fraction(1000),
        "h": Fraction(100),
        "d": Fraction(1, 10),
        "c": Fraction(1, 100),
        "m": Fraction(1, 1000),
        "u": Fraction(1, 10**6),
        "n": Fraction(1, 10**9),
        "p": Fraction(1, 10**12),
        "f": Fraction(1, 10**15),
    }
)

_DAY = Fraction(86400)
_YEAR = Fraction(36525, 100) * _DAY  # UCUM's "a" is the Julian year


@dataclass(frozen=True)
class _Atom:
    """One row of the closed table: size in base units, dimension, allowed prefixes, words."""

    size: Fraction
    dimension: tuple[tuple[str, int], ...]
    prefixes: str = ""
    words: str = ""
    within: str = ""  # the words inside a larger unit, when they differ
    alone: bool = False  # a scale with its own zero: may not be multiplied or divided


def _atom(
    size: int | Fraction,
    dimension: str,
    prefixes: str = "",
    words: str = "",
    within: str = "",
    alone: bool = False,
) -> _Atom:
    """Write a row of the table; ``dimension`` is like ``"mass length2 time-2"``."""
    parts = re.findall(r"([a-zA-Z][a-zA-Z_.']*)(-?\d*)", dimension)
    exponents = tuple(sorted((name, int(power or 1)) for name, power in parts))
    return _Atom(Fraction(size), exponents, prefixes, words, within, alone)


_ATOMS: Mapping[str, _Atom] = MappingProxyType(
    {
        "g": _atom(1, "mass", "kmunpf"),
        "L": _atom(Fraction(1, 1000), "length3", "dcmunpf"),
        "l": _atom(Fraction(1, 1000), "length3", "dcmunpf"),
        "mol": _atom(1, "amount", "munpf"),
        "m": _atom(1, "length", "kdcmun"),
        "s": _atom(1, "time", "mun"),
        "min": _atom(60, "time"),
        "h": _atom(3600, "time"),
        "d": _atom(_DAY, "time", words="days", within="d"),
        "wk": _atom(7 * _DAY, "time", words="weeks", within="week"),
        "mo": _atom(_YEAR / 12, "time", words="months", within="month"),
        "a": _atom(_YEAR, "time", words="years", within="year"),
        "Cel": _atom(1, "temperature", words="°C", alone=True),
        "[degF]": _atom(Fraction(5, 9), "temperature", words="°F", alone=True),
        "%": _atom(Fraction(1, 100), ""),
        "10*": _atom(10, ""),
        "10^": _atom(10, ""),
        "J": _atom(1000, "mass length2 time-2", "Mkm"),
        "Pa": _atom(1000, "mass length-1 time-2", "Mkh"),
        "m[Hg]": _atom(133322000, "mass length-1 time-2", "cm", words="mHg"),
        "Bq": _atom(1, "decays", "GMk"),
        "kat": _atom(1, "amount time-1", "mun"),
        "U": _atom(Fraction(1, 60 * 10**6), "amount time-1", "km"),
        "eq": _atom(1, "equivalents", "mun"),
        "osm": _atom(1, "osmoles", "m"),
        "[IU]": _atom(1, "IU", "Mkmu", words="IU"),
        "[iU]": _atom(1, "IU", "Mkmu", words="IU"),
        "[EU]": _atom(1, "EU", words="EU"),
        "[CFU]": _atom(1, "CFU", words="CFU"),
        "[arb'U]": _atom(1, "arbitrary", words="AU"),
        "[GPL'U]": _atom(1, "GPL", words="GPL units"),
        "[MPL'U]": _atom(1, "MPL", words="MPL units"),
        "[pH]": _atom(1, "pH", words="pH", alone=True),
        "[HPF]": _atom(1, "HPF", words="field"),
        "[LPF]": _atom(1, "LPF", words="low-power field"),
    }
)

# The only annotation with a meaning of its own (see the module's docstring).
_SURFACE = "1.73_m2"


@dataclass(frozen=True)
class MolarMass:
    """The grams in one mole of an analyte, with the source of the figure."""

    grams_per_mole: Fraction
    source: str


_WEIGHTS = "sum of the IUPAC conventional atomic weights (C 12.011, H 1.008, N 14.007, O 15.999)"
_CREATININE = f"creatinine C4H7N3O, {_WEIGHTS}"

MOLAR_MASSES: Mapping[str, MolarMass] = MappingProxyType(
    {
        # 1 mg/dL = 10000/113.12 = 88.40 umol/L, which is the 88.4 of the laboratories.
        "creatinine": MolarMass(Fraction("113.12"), _CREATININE),
        # The mole is the creatinine's: 1 g/g = 113.12 mg/mmol; the protein stays in grams.
        "protein_creatinine_ratio": MolarMass(Fraction("113.12"), _CREATININE),
        "albumin_creatinine_ratio": MolarMass(Fraction("113.12"), _CREATININE),
        "urea": MolarMass(Fraction("60.056"), f"CH4N2O, {_WEIGHTS}"),
        # Nitrogen weighed, urea counted: two atoms of nitrogen in each molecule of urea.
        "urea_nitrogen": MolarMass(Fraction("28.014"), f"N2 of one urea, {_WEIGHTS}"),
        "uric_acid": MolarMass(Fraction("168.112"), f"C5H4N4O3, {_WEIGHTS}"),
        "glucose": MolarMass(Fraction("180.156"), f"C6H12O6, {_WEIGHTS}"),
        "bilirubin": MolarMass(Fraction("584.673"), f"C33H36N4O6, {_WEIGHTS}"),
        "cholesterol": MolarMass(Fraction("386.664"), f"C27H46O, {_WEIGHTS}"),
        "calcium": MolarMass(Fraction("40.078"), "Ca 40.078, IUPAC conventional atomic weight"),
    }
)
"""Factors that belong to an analyte and not to its unit. Haemoglobin is absent on purpose:
laboratories count it by the chain or by the molecule of four, and a unit does not say which."""


@dataclass(frozen=True)
class _Unit:
    """A unit read: its size in base units, its dimension, and its lonely atom if it is a scale."""

    size: Fraction
    dimension: tuple[tuple[str, int], ...]
    scale: str = ""

    def times(self, other: _Unit, power: int) -> _Unit:
        exponents = dict(self.dimension)
        for name, exponent in other.dimension:
            exponents[name] = exponents.get(name, 0) + power * exponent
        kept = tuple(sorted((n, e) for n, e in exponents.items() if e))
        size = self.size * other.size**power
        return _Unit(size, kept, self.scale or other.scale)


_ONE = _Unit(Fraction(1), ())


class _NotAUnitError(Exception):
    """Why a text is not a unit, and the part of it at fault."""

    def __init__(self, part: str, why: str):
        self.part, self.why = part, why
        super().__init__(why)


@dataclass(frozen=True)
class _Component:
    """One factor of a unit as written: an operator, then a group, a number or a symbol."""

    operator: str  # "" at the very start, "." or "/"
    symbol: str
    exponent: int
    annotation: str
    group: tuple[_Component, ...] = ()


# Lengths are bounded so that no text, however wild, takes long to read.
_LONGEST = 60
_SYMBOL = re.compile(r"(?:\[[^\[\]{}]*\]|10[*^]|[^\[\]{}().+\-/0-9])+|[0-9]{1,9}")
_EXPONENT = re.compile(r"[+-]?[0-9]{1,2}")
_ANNOTATION = re.compile(r"\{([!-z|~]*)\}")


def _read_components(text: str, start: int, inside: bool) -> tuple[tuple[_Component, ...], int]:
    """Read components from ``start`` to the end, or to the bracket that closes this group."""
    components: list[_Component] = []
    at = start
    operator = ""
    if text[at : at + 1] == "/" and not inside:
        operator, at = "/", at + 1
    while True:
        component, at = _read_component(text, at, operator)
        if operator == "." and component.symbol.isdigit() and components[-1].symbol.isdigit():
            raise _NotAUnitError(text, "UCUM has no decimals: 1.5 would be 1 times 5")
        components.append(component)
        if at == len(text) or (inside and text[at] == ")"):
            return tuple(components), at
        if text[at] not in "./":
            why = f"{text[at]!r} may not follow {text[:at]!r}: join units with . or /"
            raise _NotAUnitError(text, why)
        operator, at = text[at], at + 1


def _read_component(text: str, at: int, operator: str) -> tuple[_Component, int]:
    """Read one component that starts at ``at``."""
    if at < len(text) and text[at] == "(":
        group, end = _read_components(text, at + 1, inside=True)
        if text[end : end + 1] != ")":
            raise _NotAUnitError(text, "a bracket ( is not closed")
        return _Component(operator, "", 1, "", group), end + 1
    symbol, exponent, annotation = "", 1, ""
    if match := _SYMBOL.match(text, at):
        symbol, at = match.group(), match.end()
        if not symbol.isdigit() and (power := _EXPONENT.match(text, at)):
            exponent, at = int(power.group()), power.end()
    if match := _ANNOTATION.match(text, at):
        annotation, at = match.group(1), match.end()
    elif not symbol:
        raise _NotAUnitError(
            text, "a unit is missing beside . or / or (" if text else "it is empty"
        )
    return _Component(operator, symbol, exponent, annotation), at


def _find_atom(symbol: str) -> tuple[Fraction, _Atom]:
    """Return the prefix's size and the atom of a symbol such as ``mg``."""
    if symbol in _ATOMS:
        return Fraction(1), _ATOMS[symbol]
    atom = _ATOMS.get(symbol[1:])
    if atom is not None and symbol[0] in atom.prefixes:
        return _PREFIXES[symbol[0]], atom
    raise _NotAUnitError(symbol, f"{symbol!r} is not a unit in the table")


def _measure(component: _Component) -> _Unit:
    """Return the size and dimension of one component, before its operator."""
    if component.group:
        return _multiply(component.group)
    symbol = component.symbol
    if not symbol:
        surface = component.annotation == _SURFACE
        return _Unit(Fraction(1), (("body surface", 1),)) if surface else _ONE
    if symbol.isdigit():
        if int(symbol) == 0:
            raise _NotAUnitError(symbol, "a unit of size zero measures nothing")
        return _Unit(Fraction(int(symbol)), ())
    prefix, atom = _find_atom(symbol)
    unit = _Unit(prefix * atom.size, atom.dimension, symbol if atom.alone else "")
    return _ONE.times(unit, component.exponent)


def _multiply(components: tuple[_Component, ...]) -> _Unit:
    """Multiply and divide from left to right, as UCUM does."""
    unit = _ONE
    for component in components:
        unit = unit.times(_measure(component), -1 if component.operator == "/" else 1)
    return unit


def _read_text(text: str) -> tuple[_Component, ...]:
    """Read a text into components; refuse what no unit can contain."""
    if not isinstance(text, str):
        raise TypeError(f"a unit is a text, not {type(text).__name__}")
    if len(text) > _LONGEST:
        raise _NotAUnitError(text[:_LONGEST], f"it is longer than {_LONGEST} characters")
    if any(c.isspace() for c in text):
        raise _NotAUnitError(text, "it contains a blank; UCUM units have none")
    if not text.isascii():
        raise _NotAUnitError(text, "it contains a letter or sign outside ASCII; UCUM has none")
    components, _ = _read_components(text, 0, inside=False)
    return components


@lru_cache(maxsize=512)
def _read(text: str) -> _Unit:
    """Read a unit or raise ``_NotAUnitError``."""
    components = _read_text(text)
    unit = _multiply(components)
    if unit.scale and text != unit.scale:
        why = f"{unit.scale} is a scale with its own zero and stands only alone"
        raise _NotAUnitError(text, why)
    return unit


# What people write, and the UCUM code they mean. Keys are lower case, without blanks.
_MEANT: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("gm", "gr", "gram", "grams", "gms"), "g"),
        **dict.fromkeys(("mcg", "µg", "μg", "microgram"), "ug"),
        **dict.fromkeys(("lit", "liter", "litre", "ltr"), "L"),
        **dict.fromkeys(("cc",), "mL"),
        **dict.fromkeys(("µl", "μl", "mcl", "mm3", "cmm", "mm³"), "uL"),
        **dict.fromkeys(("µmol", "μmol", "mcmol"), "umol"),
        **dict.fromkeys(("sec", "second", "seconds"), "s"),
        **dict.fromkeys(("mins", "minute", "minutes"), "min"),
        **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
        **dict.fromkeys(("24h", "24hr", "24hrs", "24hours"), "(24.h)"),
        **dict.fromkeys(("day", "days"), "d"),
        **dict.fromkeys(("week", "weeks", "w"), "wk"),
        **dict.fromkeys(("month", "months"), "mo"),
        **dict.fromkeys(("year", "years", "yr", "yrs", "y"), "a"),
        **dict.fromkeys(("°c", "degc", "c", "celsius", "℃"), "Cel"),
        **dict.fromkeys(("°f", "degf", "f", "fahrenheit"), "[degF]"),
        **dict.fromkeys(("mmhg", "torr"), "mm[Hg]"),
        **dict.fromkeys(("iu",), "[IU]"),
        **dict.fromkeys(("eu",), "[EU]"),
        **dict.fromkeys(("cfu",), "[CFU]"),
        **dict.fromkeys(("au", "arbu"), "[arb'U]"),
        **dict.fromkeys(("hpf", "field"), "[HPF]"),
        **dict.fromkeys(("lpf",), "[LPF]"),
        **dict.fromkeys(("percent", "pct"), "%"),
        **dict.fromkeys(("cell", "cells"), "{cells}"),
        **dict.fromkeys(("1.73m2", "1.73m²", "1.73m^2", "{1.73m2}"), "{1.73_m2}"),
        **dict.fromkeys(("k", "10^3", "10³", "x10^3", "×10³", "10e3", "x10e3"), "10*3"),
        **dict.fromkeys(("10^6", "10⁶", "x10^6", "×10⁶", "10e6", "x10e6"), "10*6"),
        **dict.fromkeys(("10^9", "10⁹", "x10^9", "×10⁹", "10e9", "x10e9"), "10*9"),
    }
)
_NO_UNIT = {"point", "points", "score", "none", "na", "n/a", "ratio", "unitless", "dimensionless"}


# Every symbol the table allows, prefixes included.
_SPELLINGS = [p + symbol for symbol, atom in _ATOMS.items() for p in ("", *atom.prefixes)]


def _repair(part: str, first: bool) -> str | None:
    """Guess the symbol meant by one part of a unit, or return it when it is one already."""
    try:
        _read(part)
    except _NotAUnitError:
        pass
    else:
        return part
    low = part.lower()
    if part == "G" and first:
        return "10*9"
    if low in _MEANT:
        return _MEANT[low]
    same = [s for s in _SPELLINGS if s.lower() == low]
    close = same or difflib.get_close_matches(part, _SPELLINGS, n=1, cutoff=0.75)
    return close[0] if close else None


def _suggest(text: str) -> str | None:
    """Return the unit that was probably meant, or None; what is returned can always be read."""
    compact = "".join(text.split()).strip(".")
    for whole, code in (("1.73m2", "{1.73_m2}"), ("1.73m²", "{1.73_m2}"), ("1.73m^2", "{1.73_m2}")):
        compact = compact.replace(whole, code)
    parts = re.split(r"(\{[^}]*\}|\([^)]*\)|/)", compact)
    repaired = [p if not p or p[0] in "/{(" else _repair(p, i == 0) for i, p in enumerate(parts)]
    guess = "".join(p for p in repaired if p is not None)
    if None in repaired or guess == text:
        return None
    try:
        _read(guess)
    except _NotAUnitError:
        return None
    return guess


def _parse(text: str) -> _Unit:
    """Read a unit, or raise UnitError in four parts."""
    try:
        return _read(text)
    except _NotAUnitError as fault:
        raise UnitError(_complaint(text, fault.why)) from None


def _complaint(text: str, why: str) -> str:
    """Say where, what was found, what was expected, what to do."""
    if text.strip().lower() in _NO_UNIT:
        advice = "a score or a plain number has no unit: leave the unit out, or write '1'"
    elif guess := _suggest(text):
        advice = f"did you mean {guess!r}?"
    else:
        advice = "correct it, or ask for the unit to be added to the table in onearm.units"
    expected = "a UCUM code such as mg/dL, 10*9/L, g/(24.h), mm[Hg] or 1"
    return f"unit: {text!r} cannot be read, {why}; expected {expected}; {advice}"


def check_unit(unit: str) -> None:
    """Accept a unit of measurement that onearm can read; refuse any other.

    Parameters
    ----------
    unit
        A UCUM code, case-sensitive: ``"mg/dL"``, ``"g/(24.h)"``, ``"mg/g{creat}"``, ``"1"``. The
        litre is ``L`` or ``l``. The empty text is not a unit.

    Raises
    ------
    UnitError
        If the code cannot be read, with the unit that was probably meant.

    Examples
    --------
    >>> check_unit("10*9/L")
    """
    _parse(unit)


def convert(value: float, unit: str, to: str, *, analyte: str | None = None) -> float:
    """Express a measured value in another unit of the same kind.

    Parameters
    ----------
    value
        A finite number. A missing value is not a number: do not call.
    unit, to
        UCUM codes, from and to.
    analyte
        A key of `MOLAR_MASSES`, needed only between grams and moles: ``"creatinine"``,
        ``"protein_creatinine_ratio"`` and so on. Ignored where the units are of one kind.

    Returns
    -------
    float
        The value, correctly rounded: the factor is an exact fraction.

    Raises
    ------
    UnitError
        If a unit cannot be read, or the two do not measure the same thing.
    ValueError
        If the value is not a finite number.

    Examples
    --------
    >>> convert(1.8, "g/(24.h)", "mg/d")
    1800.0
    >>> round(convert(1.0, "mg/dL", "umol/L", analyte="creatinine"), 2)
    88.4
    """
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"convert: {value!r} is not a finite number; missing values have no unit")
    source, target = _parse(unit), _parse(to)
    if source.scale and source.dimension == target.dimension:
        return _convert_scale(float(value), source.scale, target.scale)
    factor = source.size / target.size
    if source.dimension != target.dimension:
        factor *= _molar_factor(source, target, unit, to, analyte)
    try:
        return float(Fraction(float(value)) * factor)
    except OverflowError:
        raise ValueError(f"convert: {value!r} {unit} is too large to write in {to}") from None


def _convert_scale(value: float, scale: str, to: str) -> float:
    """Convert between scales with different zeros."""
    if scale == to:
        return value
    exact = Fraction(value)
    if to == "[degF]":
        return float(exact * 9 / 5 + 32)
    return float((exact - 32) * 5 / 9)


def _molar_factor(
    source: _Unit, target: _Unit, unit: str, to: str, analyte: str | None
) -> Fraction:
    """Return the power of the analyte's molar mass that leads from grams to moles or back."""
    change = dict(_ONE.times(target, 1).times(_Unit(Fraction(1), source.dimension), -1).dimension)
    mass, amount = change.pop("mass", 0), change.pop("amount", 0)
    known = ", ".join(MOLAR_MASSES)
    if change or mass != -amount or abs(mass) != 1:
        raise UnitError(
            f"unit: {unit!r} and {to!r} do not measure the same thing; expected two units of one"
            " kind; compare like with like, or convert with a formula (for protein per creatinine"
            " and protein per 24 h see onearm.instruments.proteinuria)"
        )
    if analyte is None or analyte not in MOLAR_MASSES:
        found = "no analyte was named" if analyte is None else f"the analyte {analyte!r} is unknown"
        raise UnitError(
            f"unit: between {unit!r} and {to!r} stands a molar mass and {found}; expected one of"
            f" {known}; name the analyte, or add it with its source to onearm.units.MOLAR_MASSES"
        )
    return MOLAR_MASSES[analyte].grams_per_mole ** mass


_SUPERSCRIPT = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_ANNOTATION_WORDS = {"creat": "creatinine", _SURFACE: "1.73 m²"}


def _component_words(component: _Component, alone: bool) -> str:
    """Write one component for people, without its operator."""
    if component.group:
        words = _join_words(component.group)
        one = sum(not c.symbol.isdigit() for c in component.group) == 1
        return words if one else f"({words})"
    symbol, note = component.symbol, component.annotation
    if symbol in ("10*", "10^"):
        words = f"×10{str(component.exponent).translate(_SUPERSCRIPT)}"
    else:
        words = _symbol_words(symbol, alone)
        if component.exponent != 1:
            words += str(component.exponent).translate(_SUPERSCRIPT)
    return " ".join(w for w in (words, _ANNOTATION_WORDS.get(note, note.replace("_", " "))) if w)


def _symbol_words(symbol: str, alone: bool) -> str:
    """Write one symbol for people: ``umol`` is µmol, a lonely ``d`` is days."""
    if not symbol or symbol.isdigit():
        return symbol
    atom = _ATOMS.get(symbol)
    if atom is not None:
        return ((not alone and atom.within) or atom.words) or symbol
    prefix, rest = symbol[0], symbol[1:]
    return ("µ" if prefix == "u" else prefix) + (_ATOMS[rest].words or rest)


def _join_words(components: tuple[_Component, ...]) -> str:
    """Write components from left to right, numbers before a blank, units joined by a raised dot."""
    words = ""
    for i, component in enumerate(components):
        part = _component_words(component, alone=len(components) == 1)
        if i == 0 and component.operator != "/" and component.symbol == "1":
            part = ""
        if component.operator == "/":
            words = f"{words}/{part}" if words else f"per {part}"
        elif component.operator == ".":
            words += ("" if not words else " " if words[-1:].isdigit() else "·") + part
        else:
            words = part
    return words


def unit_words(unit: str) -> str:
    """Write a unit as people read it: ``g/(24.h)`` is "g/24 h" and ``10*9/L`` is "×10⁹/L".

    Parameters
    ----------
    unit
        A UCUM code; the empty text and ``"1"`` have no words and give the empty text.

    Raises
    ------
    UnitError
        If the code cannot be read.

    Examples
    --------
    >>> unit_words("mL/min/{1.73_m2}")
    'mL/min/1.73 m²'
    """
    if unit == "":
        return ""
    _parse(unit)
    return _join_words(_read_text(unit))
