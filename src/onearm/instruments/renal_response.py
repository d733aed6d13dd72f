"""Response and flare in lupus nephritis, by every published definition the data can answer.

The same patient is a responder by one definition and not by the next: the operator (``<`` or
``<=``), the limit (0.5 or 0.7) and the kidney-function clause decide. So the definitions stand here
as data, operators included, and a report prints them side by side.

Logic has three values. A value that is missing makes the class unknown only if it matters. A part
of a definition that the data cannot answer (rescue treatment, sediment, a confirmation, the time
point) is assumed fulfilled and *named* in `Response.assumed`, never passed in silence. Limits are
compared as decimal numbers, so that 0.5 g is 0.5 g and a fall from 2.2 to 1.1 is 50 %.

Sources stand with each definition; ``docs/instruments/renal_response.md`` says which were read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from onearm.instruments.instrument import check_number, check_yes_no

Level = Literal["CR", "PR", "NR", "unknown"]
Operator = Literal["<", "<=", ">", ">="]

_COMPARE: Mapping[str, Callable[[Fraction, Fraction], bool]] = MappingProxyType(
    {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
)

_YES_NO = ("rbc_casts", "rescue")
ASSUMABLE: tuple[str, ...] = ("rescue", "prednisone_mg_d", "urine_rbc_hpf", "rbc_casts")
"""Fields that are assumed fulfilled, and named, where they are missing."""


VALUE_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "protein_g_24h": "g/(24.h)",
        "upcr_g_g": "g/g{creat}",
        "egfr": "mL/min/{1.73_m2}",
        "creatinine_mg_dl": "mg/dL",
        "creatinine_uln_mg_dl": "mg/dL",
        "urine_rbc_hpf": "/[HPF]",
        "rbc_casts": "",
        "rescue": "",
        "prednisone_mg_d": "mg/d",
    }
)
"""The UCUM unit in which each field of `RenalState` is given; ``""`` marks yes/no values."""

ANALYTES: Mapping[str, str] = MappingProxyType(
    {
        "upcr_g_g": "protein_creatinine_ratio",
        "creatinine_mg_dl": "creatinine",
        "creatinine_uln_mg_dl": "creatinine",
    }
)
"""The analyte whose molar mass leads from moles, for fields that laboratories give in both."""


@dataclass(frozen=True)
class RenalState:
    """What is known of a patient's kidneys at one time. None means missing.

    Parameters
    ----------
    protein_g_24h
        Protein in 24-hour urine, g.
    upcr_g_g
        Protein-creatinine ratio, g/g.
    egfr
        Estimated filtration rate, mL/min per 1.73 m².
    creatinine_mg_dl, creatinine_uln_mg_dl
        Serum creatinine and the laboratory's upper limit of normal, mg/dL.
    urine_rbc_hpf
        Red cells per high-power field.
    rbc_casts
        Red-cell casts seen: yes or no.
    rescue
        Rescue or prohibited treatment given, or another failure that rules out a response.
    prednisone_mg_d
        Daily prednisone equivalent, mg.

    Raises
    ------
    TypeError
        If a yes/no field is a number, or a number a yes/no value.
    ValueError
        If a number is negative or not finite.
    """

    protein_g_24h: float | None = None
    upcr_g_g: float | None = None
    egfr: float | None = None
    creatinine_mg_dl: float | None = None
    creatinine_uln_mg_dl: float | None = None
    urine_rbc_hpf: float | None = None
    rbc_casts: bool | None = None
    rescue: bool | None = None
    prednisone_mg_d: float | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name in _YES_NO:
                check_yes_no(part.name, value)
            else:
                check_number(part.name, value)


@dataclass(frozen=True)
class Test:
    """One comparison: a quantity, an operator and a limit.

    Parameters
    ----------
    quantity
        ``"protein"`` (in the definition's own measure), ``"protein fall"`` (share of the baseline,
        0 to 1) or a field of `RenalState`.
    operator, limit
        The limit is a multiple of `of` if that is given. For yes/no fields the limit is 0 ("no").
    of
        ``""`` an absolute limit, ``"baseline"`` or ``"uln"``.
    doubt
        Lowest and highest value, both included, at which the printed definition leaves the answer
        open, and the rule applied here.
    """

    quantity: str
    operator: Operator
    limit: str
    of: Literal["", "baseline", "uln"] = ""
    doubt: tuple[str, str, str] | None = None

    __test__ = False  # not a test of pytest's


@dataclass(frozen=True)
class Condition:
    """A clause of a definition: met if any of its tests is.

    ``later`` replaces the tests from ``from_month`` on, where a definition asks more with time.
    """

    any_of: tuple[Test, ...]
    later: tuple[Test, ...] = ()
    from_month: float = 0.0


@dataclass(frozen=True)
class ResponseDefinition:
    """A published definition of renal response.

    Parameters
    ----------
    name, title, source
        Registry name; name for people; where it is from.
    protein
        The measure of protein it is written in.
    complete, partial
        The clauses of each level, all of which must be met; empty if the level is not defined.
    months, time
        The months at which it may be applied (our tolerance: one month) and the printed wording.
    always_assumed
        Parts that no field of `RenalState` can answer.
    verified
        False if any part rests on domain knowledge and was not read at a source.
    note
        Rules we had to state.
    """

    name: str
    title: str
    source: str
    protein: Literal["upcr_g_g", "protein_g_24h"]
    complete: tuple[Condition, ...]
    partial: tuple[Condition, ...] = ()
    months: tuple[float, float] | None = None
    time: str = ""
    always_assumed: tuple[str, ...] = ()
    verified: bool = True
    note: str = ""


@dataclass(frozen=True)
class Response:
    """A patient's class by one definition at one visit, or the best over visits.

    Parameters
    ----------
    definition
        Name of the definition.
    level
        ``"CR"`` complete, ``"PR"`` partial, ``"NR"`` neither, ``"unknown"``.
    reasons
        Each comparison made, in words.
    assumed
        Parts taken as fulfilled because the data cannot answer them, and rules applied.
    at_least
        What is certain when the level is unknown: ``"CR"``, ``"PR"``, ``"NR"`` or ``""``.
    """

    definition: str
    level: Level
    reasons: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    at_least: str = ""


# --- the definitions -------------------------------------------------------------------------


def _all(*conditions: Test | Condition) -> tuple[Condition, ...]:
    """Make the clauses of a level; a test alone is a clause of one."""
    return tuple(c if isinstance(c, Condition) else Condition((c,)) for c in conditions)


def _protein(operator: Operator, limit: str, doubt: tuple[str, str, str] | None = None) -> Test:
    return Test("protein", operator, limit, doubt=doubt)


def _egfr(operator: Operator, limit: str, doubt: tuple[str, str, str] | None = None) -> Test:
    """Compare eGFR with a share of its baseline."""
    return Test("egfr", operator, limit, "baseline", doubt)


_NO_RESCUE = Test("rescue", "<=", "0")
_NO_CASTS = Test("rbc_casts", "<=", "0")
_LOW_PREDNISONE = Test("prednisone_mg_d", "<=", "10")
_HALF = Test("protein fall", ">=", "0.5")

_EXACTLY_HALF_GRAM = (
    "0.5",
    "0.5",
    "exactly 0.5 g is neither < 0.5 nor > 0.5 as printed: not complete here, may be partial",
)
_EXACTLY_HALF_FALL = (
    "0.5",
    "0.5",
    "a fall of exactly 50 % is not more than 50 %: not partial here",
)
_STABLE_KDIGO = (
    "0.85",
    "0.90",
    "the text allows 10-15 % of the baseline: down to 85 % counts as stable here",
)
_EULAR_RANGE = ("0.5", "0.7", "the text gives 0.5-0.7 g/24 h: below 0.7 counts as complete here")
_EULAR_50_MG_MMOL = (
    "0.442",
    "0.5",
    "50 mg/mmol is 0.442 g/g by arithmetic and 0.5 g/g as guidelines print it: 0.5 is used here",
)
_NEAR_NORMAL = Test("egfr", ">=", "81")
_NORMAL_GFR = "normal eGFR taken as 90: near-normal is 81 or more mL/min/1.73 m²"
_PRE_FLARE = "the pre-flare eGFR is not recorded: the baseline stands for it"

_RANJBAR = "Ranjbar A et al. Curr Res Transl Med 2022;70(2):103324 (abstract)"
_BLISS = "Furie R et al. N Engl J Med 2020;383:1117-28; wording of benlystahcp.com"

DEFINITIONS: dict[str, ResponseDefinition] = {
    "ranjbar_2022": ResponseDefinition(
        "ranjbar_2022",
        "Ranjbar 2022",
        _RANJBAR,
        "protein_g_24h",
        complete=_all(_protein("<", "0.5", _EXACTLY_HALF_GRAM)),
        partial=_all(Test("protein fall", ">", "0.5", doubt=_EXACTLY_HALF_FALL)),
        months=(0, 4),
        time="in the first 3 months",
        note="A complete response is looked for first, so partial needs no lower limit of protein.",
    ),
    "kdigo_2012": ResponseDefinition(
        "kdigo_2012",
        "KDIGO 2012",
        "KDIGO Glomerulonephritis Work Group. Kidney Int Suppl 2012;2:221-32, Table 28",
        "upcr_g_g",
        complete=_all(_protein("<", "0.5"), Test("creatinine_mg_dl", "<=", "1", "baseline")),
        partial=_all(_HALF, _protein("<", "3"), Test("creatinine_mg_dl", "<=", "1.25", "baseline")),
        always_assumed=("the previous creatinine is not recorded: the baseline stands for it",),
        verified=False,
        note="Partial below 3 g/g: printed for the nephrotic, and implied by halving for the rest.",
    ),
    "kdigo_2024": ResponseDefinition(
        "kdigo_2024",
        "KDIGO 2024",
        "KDIGO Lupus Nephritis Work Group. Kidney Int 2024;105(1S):S1-S69",
        "upcr_g_g",
        complete=_all(_protein("<", "0.5"), _egfr(">=", "0.85", _STABLE_KDIGO)),
        partial=_all(_HALF, _protein("<", "3"), _egfr(">=", "0.85", _STABLE_KDIGO)),
        months=(5, 13),
        time="within 6-12 months, complete response may take longer",
        note="Read in a secondary source that quotes the guideline.",
    ),
    "eular_2012": ResponseDefinition(
        "eular_2012",
        "EULAR/ERA-EDTA 2012",
        "Bertsias GK et al. Ann Rheum Dis 2012;71:1771-82",
        "upcr_g_g",
        complete=_all(_protein("<", "0.5", _EULAR_50_MG_MMOL), _NEAR_NORMAL),
        partial=_all(_HALF, _protein("<", "3"), _NEAR_NORMAL),
        months=(5, 13),
        time="partial by 6 and at the latest 12 months",
        always_assumed=(_NORMAL_GFR,),
        note="Sub-nephrotic is read as below 3 g/g.",
    ),
    "eular_2019": ResponseDefinition(
        "eular_2019",
        "EULAR/ERA-EDTA 2019",
        "Fanouriakis A et al. Ann Rheum Dis 2020;79:713-23",
        "protein_g_24h",
        complete=_all(_protein("<", "0.7", _EULAR_RANGE), _NEAR_NORMAL),
        partial=_all(
            Condition((Test("protein fall", ">=", "0.25"),), later=(_HALF,), from_month=6),
            _NEAR_NORMAL,
        ),
        time="25 % fall by 3, 50 % by 6, complete by 12 months (later if nephrotic before)",
        always_assumed=(_NORMAL_GFR,),
        note="Partial stands for the early goal of the visit: 25 % before month 6, then 50 %.",
    ),
    "acr_2024": ResponseDefinition(
        "acr_2024",
        "ACR 2024",
        "Sammaritano LR et al. Arthritis Care Res 2025;77:1045-65",
        "upcr_g_g",
        complete=_all(_protein("<", "0.5"), _egfr(">=", "0.8")),
        months=(5, 13),
        time="6-12 months",
        verified=False,
        note="Kidney function within 20 % is taken as eGFR of 80 % of the baseline or more.",
    ),
    "bliss_ln_perr": ResponseDefinition(
        "bliss_ln_perr",
        "BLISS-LN primary efficacy renal response",
        _BLISS,
        "upcr_g_g",
        complete=(),
        partial=_all(
            _protein("<=", "0.7"),
            Condition((Test("egfr", ">=", "60"), _egfr(">=", "0.8"))),
            _NO_RESCUE,
            _LOW_PREDNISONE,
        ),
        months=(23, 25),
        time="week 104",
        always_assumed=(_PRE_FLARE,),
        note="A response that is not called complete: class PR.",
    ),
    "bliss_ln_crr": ResponseDefinition(
        "bliss_ln_crr",
        "BLISS-LN complete renal response",
        _BLISS,
        "upcr_g_g",
        complete=_all(
            _protein("<", "0.5"),
            Condition((Test("egfr", ">=", "90"), _egfr(">=", "0.9"))),
            _NO_RESCUE,
            _LOW_PREDNISONE,
        ),
        months=(23, 25),
        time="week 104",
        always_assumed=(_PRE_FLARE,),
    ),
    "aurora_crr": ResponseDefinition(
        "aurora_crr",
        "AURORA 1 complete renal response",
        "Rovin BH et al. Lancet 2021;397:2070-80",
        "upcr_g_g",
        complete=_all(
            _protein("<=", "0.5"),
            Condition((Test("egfr", ">=", "60"), _egfr(">=", "0.8"))),
            _NO_RESCUE,
            _LOW_PREDNISONE,
        ),
        months=(11, 13),
        time="week 52",
        always_assumed=("a fall in eGFR is taken as it stands, without a second measurement",),
    ),
    "regency_crr": ResponseDefinition(
        "regency_crr",
        "REGENCY complete renal response",
        "Furie RA et al. N Engl J Med 2025;392:1471-83",
        "upcr_g_g",
        complete=_all(_protein("<", "0.5"), _egfr(">=", "0.85"), _NO_RESCUE),
        months=(16.5, 18.5),
        time="week 76",
        always_assumed=("no intercurrent event other than rescue treatment",),
    ),
    "lunar_cr": ResponseDefinition(
        "lunar_cr",
        "LUNAR complete response",
        "Rovin BH et al. Arthritis Rheum 2012;64:1215-26",
        "upcr_g_g",
        complete=_all(
            _protein("<", "0.5"),
            Condition(
                (
                    Test("creatinine_mg_dl", "<=", "1", "uln"),
                    Test("creatinine_mg_dl", "<=", "1.15", "baseline"),
                )
            ),
            Test("urine_rbc_hpf", "<", "5"),
            _NO_CASTS,
        ),
        months=(11, 13),
        time="week 52",
        verified=False,
        note="Inactive sediment is taken as below 5 red cells per field and no red-cell cast.",
    ),
    "nobility_crr": ResponseDefinition(
        "nobility_crr",
        "NOBILITY complete renal response",
        "Furie RA et al. Ann Rheum Dis 2022;81:100-7; registration NCT02550652",
        "upcr_g_g",
        complete=_all(
            _protein("<", "0.5"),
            Test("creatinine_mg_dl", "<=", "1", "uln"),
            Test("creatinine_mg_dl", "<=", "1.15", "baseline"),
            Test("urine_rbc_hpf", "<", "10"),
            _NO_CASTS,
        ),
        months=(11, 13),
        time="week 52",
    ),
}
"""Every definition by name; ``verified`` is False where a part was not read at its source."""


# --- classification --------------------------------------------------------------------------


@dataclass
class _Case:
    """One patient at one visit under one definition, gathering words on the way."""

    definition: ResponseDefinition
    baseline: RenalState
    state: RenalState
    months: float | None
    assume: Collection[str]
    reasons: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    favours: list[str] = field(default_factory=list)  # assumed in favour of the level in question


def classify(
    definition: ResponseDefinition | str,
    baseline: RenalState,
    state: RenalState,
    *,
    months: float | None = None,
    assume: Collection[str] = ASSUMABLE,
) -> Response:
    """Classify a patient's renal response at one visit by one definition.

    Parameters
    ----------
    definition
        One of `DEFINITIONS`, or its name.
    baseline, state
        The kidneys before and at the visit.
    months
        Months from the start of treatment to the visit; None if unknown. A definition made for
        another time is still applied, and the difference named.
    assume
        Fields of `RenalState` that count as fulfilled, and are named, where missing. Fields not in
        it make the class unknown where they are missing and matter. A study that records the
        sediment at each visit takes ``"urine_rbc_hpf"`` and ``"rbc_casts"`` out.

    Returns
    -------
    Response
        The first level met, complete before partial. A definition without a partial level knows
        only CR and NR (BLISS-LN PERR: only PR and NR).

    Notes
    -----
    A definition written for one measure of protein is answered with the other where its own is
    missing, taking 1 g/24 h for 1 g/g (true at 1 g of creatinine a day), and that is named. A fall
    is always computed within one measure.

    Raises
    ------
    ValueError
        If the definition or a name in ``assume`` is unknown, or months are negative.
    """
    chosen = _definition(definition)
    known = {part.name for part in fields(RenalState)}
    if not set(assume) <= known:
        raise ValueError(f"assume: {sorted(set(assume) - known)[0]!r} is no field of RenalState")
    case = _Case(chosen, baseline, state, check_number("months", months), assume)
    complete = _level(case, "CR", chosen.complete)
    partial = False if complete else _level(case, "PR", chosen.partial)
    _name_time(case)
    level, at_least = _combine(complete, partial)
    named = tuple(dict.fromkeys((*case.assumed, *case.favours, *chosen.always_assumed)))
    return Response(chosen.name, level, tuple(dict.fromkeys(case.reasons)), named, at_least)


def _combine(complete: bool | None, partial: bool | None) -> tuple[Level, str]:
    """Return the level and, if it is unknown, the level that is certain."""
    if complete:
        return "CR", ""
    if complete is None:
        return "unknown", "PR" if partial else ""
    if partial is None:
        return "unknown", ""
    return ("PR" if partial else "NR"), ""


def _definition(definition: ResponseDefinition | str) -> ResponseDefinition:
    """Return a definition by name."""
    if isinstance(definition, ResponseDefinition):
        return definition
    if definition not in DEFINITIONS:
        known = ", ".join(DEFINITIONS)
        raise ValueError(f"definition {definition!r} is unknown; expected one of {known}")
    return DEFINITIONS[definition]


def _level(case: _Case, name: str, conditions: Sequence[Condition]) -> bool | None:
    """Decide whether all clauses of a level are met; None if that hangs on missing values."""
    if not conditions:
        return False
    before = len(case.favours)
    answers = [_condition(case, name, condition) for condition in conditions]
    if False in answers:
        # What was decided in the patient's favour on the way to a level not met decided nothing.
        del case.favours[before:]
        return False
    return None if None in answers else True


def _condition(case: _Case, name: str, condition: Condition) -> bool | None:
    """Decide one clause by the tests in force at the visit."""
    if not condition.later:
        return _any([_test(case, name, test) for test in condition.any_of])
    if case.months is not None:
        tests = condition.later if case.months >= condition.from_month else condition.any_of
        return _any([_test(case, name, test) for test in tests])
    both = [_any([_test(case, name, t) for t in ts]) for ts in (condition.any_of, condition.later)]
    return both[0] if both[0] == both[1] else None


def _any(answers: Iterable[bool | None]) -> bool | None:
    """Return Kleene's or."""
    kept = list(answers)
    return True if True in kept else None if None in kept else False


def _test(case: _Case, name: str, test: Test) -> bool | None:
    """Decide one comparison and put it into words."""
    words = _words(case, test)
    value, unit = _quantity(case, test.quantity)
    limit = _limit(case, test)
    if value is None and test.quantity in case.assume:
        case.favours.append(f"not recorded, taken as met: {words}")
        return True
    if value is None or limit is None:
        case.reasons.append(f"{name}: {words}: not known")
        return None
    met = _COMPARE[test.operator](value, limit)
    case.reasons.append(f"{name}: {words}: {'met' if met else 'not met'} ({_shown(value, unit)})")
    if test.doubt and limit:
        low, high, rule = test.doubt
        if Fraction(low) <= value / limit * Fraction(test.limit) <= Fraction(high):
            (case.favours if met else case.assumed).append(rule)
    return met


def _shown(value: Fraction, unit: str) -> str:
    """Write a value with its unit: yes or no, per cent, or a number."""
    if unit == "yes/no":
        return "yes" if value else "no"
    return f"{float(100 * value if unit == ' %' else value):.4g}{unit}"


def _words(case: _Case, test: Test) -> str:
    """Put a comparison into words."""
    labels = {
        "protein": "24-h protein" if case.definition.protein == "protein_g_24h" else "UPCR",
        "protein fall": "fall of protein",
        "egfr": "eGFR",
        "creatinine_mg_dl": "creatinine",
        "urine_rbc_hpf": "red cells per field",
        "prednisone_mg_d": "prednisone mg/day",
    }
    if test.quantity in _YES_NO:
        return {"rescue": "no rescue treatment", "rbc_casts": "no red-cell casts"}[test.quantity]
    limit = f"{float(test.limit):g}"
    if test.quantity == "protein fall":
        limit = f"{100 * float(test.limit):g} %"
    elif test.of:
        of = {"baseline": "of baseline", "uln": "of the upper limit of normal"}[test.of]
        limit = f"{100 * float(test.limit):g} % {of}"
    return f"{labels[test.quantity]} {test.operator} {limit}"


def _exact(value: float | None) -> Fraction | None:
    """Return a number as the decimal that people wrote."""
    return None if value is None else Fraction(repr(float(value)))


_UNITS = MappingProxyType(
    {
        "egfr": " mL/min/1.73 m²",
        "creatinine_mg_dl": " mg/dL",
        "urine_rbc_hpf": " per field",
        "prednisone_mg_d": " mg/day",
        "protein_g_24h": " g/24 h",
        "upcr_g_g": " g/g",
        **dict.fromkeys(_YES_NO, "yes/no"),
    }
)


def _quantity(case: _Case, quantity: str) -> tuple[Fraction | None, str]:
    """Return the value of a quantity at the visit and its unit in words."""
    if quantity == "protein fall":
        return _fall(case), " %"
    name = _measure(case, case.state) if quantity == "protein" else quantity
    return _exact(getattr(case.state, name)), _UNITS[name]


def _measure(case: _Case, *needed: RenalState) -> str:
    """Choose the measure of protein: the definition's own, or the other where that is missing."""
    own = case.definition.protein
    other = "upcr_g_g" if own == "protein_g_24h" else "protein_g_24h"
    if all(getattr(s, own) is not None for s in needed):
        return own
    if any(getattr(s, other) is None for s in needed):
        return own
    stands = "UPCR stands for 24-h protein" if own == "protein_g_24h" else "24-h protein for UPCR"
    case.assumed.append(f"{stands}: 1 g/24 h taken as 1 g/g (creatinine 1 g a day)")
    return other


def _fall(case: _Case) -> Fraction | None:
    """Return the share by which protein fell from the baseline, in one and the same measure."""
    measure = _measure(case, case.baseline, case.state)
    before, after = (_exact(getattr(s, measure)) for s in (case.baseline, case.state))
    if before is None or after is None:
        return None
    if before == 0:
        # Nothing to fall from: no protein after either is a fall of nothing.
        return Fraction(0)
    return 1 - after / before


def _limit(case: _Case, test: Test) -> Fraction | None:
    """Return the limit in the unit of the quantity; None if what it refers to is missing."""
    factor = Fraction(test.limit)
    if test.of == "":
        return factor
    if test.of == "uln":
        reference = _exact(case.state.creatinine_uln_mg_dl)
    else:
        reference = _exact(getattr(case.baseline, test.quantity))
    return None if reference is None else factor * reference


def _name_time(case: _Case) -> None:
    """Name a time point that was not checked or does not fit."""
    chosen = case.definition
    if not chosen.time:
        return
    if case.months is None:
        case.assumed.append(f"time not checked: {chosen.time}")
    elif chosen.months and not chosen.months[0] <= case.months <= chosen.months[1]:
        case.assumed.append(f"applied at month {case.months:.3g}; made for: {chosen.time}")


_RANK = {"NR": 0, "PR": 1, "CR": 2}


def best(responses: Iterable[Response]) -> Response:
    """Return the best response over visits.

    Parameters
    ----------
    responses
        One per visit, all of one definition. Empty gives unknown.

    Returns
    -------
    Response
        CR if any visit is CR. Otherwise unknown if a visit is unknown, for it might have been
        better, with ``at_least`` telling what is certain. Best over visits is more often a response
        than any one visit: print it beside the visits and label it so.

    Raises
    ------
    ValueError
        If the responses are of different definitions.
    """
    given = list(responses)
    names = {r.definition for r in given}
    if len(names) > 1:
        raise ValueError(f"best: responses of different definitions: {', '.join(sorted(names))}")
    if not given:
        return Response("", "unknown", ("no visit",))
    known = [r for r in given if r.level != "unknown"]
    top = max(known, key=lambda r: _RANK[r.level], default=None)
    if top is not None and (top.level == "CR" or len(known) == len(given)):
        return top
    certain = [r.level for r in known] + [r.at_least for r in given if r.at_least]
    at_least = max(certain, key=lambda level: _RANK[level], default="")
    open_visits = len(given) - len(known)
    reasons = tuple(dict.fromkeys(w for r in given if r.level == "unknown" for w in r.reasons))
    assumed = tuple(dict.fromkeys(w for r in given for w in r.assumed))
    first = f"{open_visits} of {len(given)} visits unknown"
    return Response(given[0].definition, "unknown", (first, *reasons), assumed, at_least)


# --- flare -----------------------------------------------------------------------------------

FlareLevel = Literal[
    "none", "mild", "moderate", "severe", "flare", "proteinuric", "nephritic", "unknown"
]


@dataclass(frozen=True)
class Flare:
    """Whether the kidneys flared between two states.

    Parameters
    ----------
    rule
        ``"kdigo_2012"``, ``"aurora_2"`` or ``"moroni"``.
    level
        KDIGO: none, mild, moderate, severe. AURORA-2: none, flare. Moroni: none, proteinuric,
        nephritic (which includes those with protein up as well). ``"unknown"`` where it hangs on
        missing values.
    reasons, assumed
        As in `Response`.
    """

    rule: str
    level: FlareLevel
    reasons: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


FLARE_RULES: Mapping[str, str] = MappingProxyType(
    {
        "kdigo_2012": "KDIGO. Kidney Int Suppl 2012;2:221-32, Table 29",
        "aurora_2": "AURORA 2, as in Lupus Sci Med 2024;11(Suppl 2):A85",
        "moroni": "Moroni G et al., as in Lupus Sci Med 2022 (PMC9386217), Table 1",
    }
)
"""The flare rules and their sources."""


def renal_flare(reference: RenalState, state: RenalState, *, rule: str = "kdigo_2012") -> Flare:
    """Say whether the kidneys flared from a reference state to a later one.

    Parameters
    ----------
    reference
        The state to compare with: as a rule the last one before, in remission or response.
    state
        The later state.
    rule
        A key of `FLARE_RULES`.

    Returns
    -------
    Flare
        The worst level met. Missing values matter only where they could make it worse.

    Raises
    ------
    ValueError
        If the rule is unknown.
    """
    rules = {"kdigo_2012": _flare_kdigo, "aurora_2": _flare_aurora, "moroni": _flare_moroni}
    if rule not in rules:
        raise ValueError(f"flare rule {rule!r} is unknown; expected {', '.join(rules)}")
    return rules[rule](reference, state)


def _pair(reference: RenalState, state: RenalState, name: str) -> tuple[Fraction, Fraction] | None:
    """Return a quantity before and after as exact decimals; None if either is missing."""
    before, after = _exact(getattr(reference, name)), _exact(getattr(state, name))
    return None if before is None or after is None else (before, after)


def _protein_pair(
    reference: RenalState, state: RenalState, own: str, assumed: list[str]
) -> tuple[Fraction, Fraction] | None:
    """Return protein before and after in one measure; name the use of the other measure."""
    if (pair := _pair(reference, state, own)) is not None:
        return pair
    other = "upcr_g_g" if own == "protein_g_24h" else "protein_g_24h"
    if (pair := _pair(reference, state, other)) is not None:
        assumed.append("1 g/24 h taken as 1 g/g (creatinine 1 g a day)")
    return pair


def _flare_kdigo(reference: RenalState, state: RenalState) -> Flare:
    """Apply KDIGO 2012, Table 29."""
    assumed: list[str] = []
    creatinine = _pair(reference, state, "creatinine_mg_dl")
    protein = _protein_pair(reference, state, "upcr_g_g", assumed)
    reasons = [
        _change("creatinine mg/dL", creatinine),
        _change("protein g/g", protein),
    ]
    if protein is not None and _protein_severe(protein) and protein[1] - protein[0] <= 5:
        assumed.append("'an absolute increase > 5 g/g' is read as a rise to above 5 g/g")
    levels: list[tuple[FlareLevel, bool | None]] = [
        ("severe", _any((_creatinine_step(creatinine, 1), _protein_severe(protein)))),
        ("moderate", _any((_creatinine_step(creatinine, 0), _protein_moderate(protein)))),
        ("mild", _sediment_worse(reference, state, assumed, reasons)),
    ]
    for level, met in levels:
        if met is not False:
            chosen: FlareLevel = level if met else "unknown"
            return Flare("kdigo_2012", chosen, tuple(reasons), tuple(assumed))
    return Flare("kdigo_2012", "none", tuple(reasons), tuple(assumed))


def _change(name: str, pair: tuple[Fraction, Fraction] | None) -> str:
    """Put a change into words."""
    if pair is None:
        return f"{name}: not known"
    return f"{name}: {float(pair[0]):.6g} to {float(pair[1]):.6g}"


def _creatinine_step(pair: tuple[Fraction, Fraction] | None, step: int) -> bool | None:
    """Say whether creatinine rose by a moderate (0) or severe (1) step."""
    if pair is None:
        return None
    before, after = pair
    low, high = ("0.2", "1") if before < 2 else ("0.4", "1.5")
    rise = after - before
    return rise > Fraction(high) if step else Fraction(low) <= rise <= Fraction(high)


def _protein_severe(pair: tuple[Fraction, Fraction] | None) -> bool | None:
    """Say whether the ratio rose to above 5 g/g."""
    return None if pair is None else pair[1] > 5 and pair[1] > pair[0]


def _protein_moderate(pair: tuple[Fraction, Fraction] | None) -> bool | None:
    """Say whether the ratio rose by the step that its level before asks for."""
    if pair is None:
        return None
    before, after = pair
    if before < Fraction("0.5"):
        return after >= 1
    return after >= 2 if before <= 1 else after >= 2 * before


def _sediment_worse(
    reference: RenalState, state: RenalState, assumed: list[str], reasons: list[str]
) -> bool | None:
    """Say whether red cells rose from below 5 to above 15 per field, or casts came back."""
    cells = _pair(reference, state, "urine_rbc_hpf")
    reasons.append(_change("red cells per field", cells))
    risen = None if cells is None else cells[0] < 5 and cells[1] > 15
    if risen:
        assumed.append("not recorded, taken as met: 2 or more acanthocytes per field")
    casts = None
    if state.rbc_casts is False or reference.rbc_casts is True:
        casts = False
    elif state.rbc_casts is True and reference.rbc_casts is False:
        casts = True
    met = _any((risen, casts))
    if met is not True:
        assumed.append("white-cell casts are not recorded: taken as absent")
    return met


def _flare_aurora(reference: RenalState, state: RenalState) -> Flare:
    """Apply the AURORA-2 rule, made for patients in response (ratio up to 1 g/g)."""
    assumed = ["the patient is taken to have responded before"]
    pair = _protein_pair(reference, state, "upcr_g_g", assumed)
    reasons = [_change("protein g/g", pair)]
    level: FlareLevel = "unknown"
    if pair is not None and pair[0] > 1:
        reasons.append("the rule is silent above 1 g/g before")
    elif pair is not None:
        limit = 1 if pair[0] < Fraction("0.2") else 2
        level = "flare" if pair[1] > limit else "none"
    return Flare("aurora_2", level, tuple(reasons), tuple(assumed))


def _flare_moroni(reference: RenalState, state: RenalState) -> Flare:
    """Apply Moroni's rules: nephritic first, then proteinuric with creatinine unchanged."""
    assumed: list[str] = []
    creatinine = _pair(reference, state, "creatinine_mg_dl")
    protein = _protein_pair(reference, state, "protein_g_24h", assumed)
    reasons = [_change("creatinine mg/dL", creatinine), _change("protein g/24 h", protein)]
    risen = None if creatinine is None else creatinine[1] >= Fraction("1.3") * creatinine[0]
    sediment = _nephritic_sediment(state, assumed) if risen is not False else None
    nephritic = False if risen is False or sediment is False else (risen and sediment)
    worse = None
    if protein is not None:
        step = 2 * protein[0] if protein[0] >= Fraction("3.5") else protein[0] + 2
        worse = protein[1] >= step
    if creatinine is not None:
        assumed.append("a rise of creatinine below 30 % counts as no change")
    unchanged = None if risen is None else not risen
    proteinuric = False if worse is False or unchanged is False else (worse and unchanged)
    level: FlareLevel = "none"
    if nephritic:
        level = "nephritic"
    elif nephritic is None:
        level = "unknown"
    elif proteinuric is not False:
        level = "proteinuric" if proteinuric else "unknown"
    return Flare("moroni", level, tuple(reasons), tuple(assumed))


def _nephritic_sediment(state: RenalState, assumed: list[str]) -> bool | None:
    """Say whether the sediment is nephritic: above 5 red cells per field, or red-cell casts."""
    if state.urine_rbc_hpf is None and state.rbc_casts is None:
        assumed.append("not recorded, taken as met: nephritic sediment")
        return True
    assumed.append("nephritic sediment taken as above 5 red cells per field or red-cell casts")
    cells = None if state.urine_rbc_hpf is None else state.urine_rbc_hpf > 5
    return _any((cells, state.rbc_casts))
