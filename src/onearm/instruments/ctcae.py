"""CTCAE grades from measured values, by version, and only where the criteria were read.

CTCAE is the oncologists' scale of adverse events, grade 1 mild to 5 death. Version 6 (July 2025)
moved limits: neutrophils by one step, platelets from 25 to 10 for grade 4, and hypertension lost
its grade 1. A grade therefore always travels with its version.

A value gives the least grade that the criteria allow: treatment, symptoms and threat to life, which
can raise it, are judged by a person and named in `Grade.note`. A criterion that was not read at a
source makes the grade None, with the reason, never a guess. Grade 0 means that the criteria were
read and none is met. A patient who was abnormal at baseline has a grade at baseline: report the
shift beside the grade.

Sources: National Cancer Institute, CTCAE v5.0 (27 November 2017) and v6.0 (22 July 2025); the
laboratory limits of both were read in the tables ``ncictcaev5.json`` and ``ncictcaev6.json`` of
pharmaverse/admiral, hypertension and fever in the published text. Each criterion carries its basis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from onearm.instruments.instrument import check_number, check_yes_no

Version = Literal["v5", "v6"]
VERSIONS: tuple[str, ...] = ("v5", "v6")

READ = "read in the published text"
ADMIRAL_V5 = "read in pharmaverse/admiral ncictcaev5.json"
ADMIRAL_V6 = "read in pharmaverse/admiral ncictcaev6.json"
NOT_VERIFIED = "domain knowledge, not read: check before use"
NOT_READ = "not read: check before use"
_UNUSABLE = (NOT_VERIFIED, NOT_READ)


@dataclass(frozen=True)
class Limit:
    """One comparison of a measured value: below or above a number, or a multiple of a reference.

    Parameters
    ----------
    operator
        ``"<"``, ``">"`` or ``">="``.
    factor
        The number, or the multiple of `of`.
    of
        ``""``, ``"lln"`` (lower limit of normal), ``"uln"`` (upper limit) or ``"baseline"``.
    only_if_baseline_below_lln
        The comparison counts only for patients whose baseline was below the lower limit.
    """

    operator: Literal["<", ">", ">="]
    factor: str
    of: Literal["", "lln", "uln", "baseline"] = ""
    only_if_baseline_below_lln: bool = False


@dataclass(frozen=True)
class Criterion:
    """What a version asks for one grade of one test.

    Parameters
    ----------
    grade
        1 to 4.
    limits
        Comparisons of which one suffices; the grade holds if no higher one does. Empty where the
        grade is not decided by the value.
    basis
        Where it was read.
    words
        What else the criterion says, in our words, that a value cannot answer.
    """

    grade: int
    limits: tuple[Limit, ...]
    basis: str
    words: str = ""


@dataclass(frozen=True)
class LabTest:
    """A laboratory test that CTCAE grades: its term, unit and criteria in one version."""

    term: str
    unit: str
    criteria: tuple[Criterion, ...]
    note: str = ""


@dataclass(frozen=True)
class Grade:
    """The grade of a value.

    Parameters
    ----------
    term, version
        CTCAE term and version; both belong to the grade.
    grade
        0 (criteria read, none met) to 4, or None if it cannot be said.
    at_least
        The highest grade that is certain: equal to ``grade`` if that is known.
    reason
        What decided, or what is missing.
    basis
        Where the deciding criterion was read; empty where nothing decided.
    note
        What only a person can judge and what could raise the grade.
    """

    term: str
    version: str
    grade: int | None
    at_least: int
    reason: str
    basis: str = ""
    note: str = ""


def _falling(*limits: str, basis: str, lln: bool = True) -> tuple[Criterion, ...]:
    """Make grades for a value that falls: grade 1 below the lower limit, then below each number."""
    first = (Criterion(1, (Limit("<", "1", "lln"),), basis),) if lln else ()
    start = 2 if lln else 1
    rest = (Criterion(g, (Limit("<", x),), basis) for g, x in enumerate(limits, start))
    return (*first, *rest)


def _with_clinical(criteria: tuple[Criterion, ...], basis: str) -> tuple[Criterion, ...]:
    """Add grade 4 that no value decides."""
    return (*criteria, Criterion(4, (), basis, "life-threatening"))


_CREATININE_V5 = (
    Criterion(1, (Limit(">", "1", "uln"),), ADMIRAL_V5),
    Criterion(2, (Limit(">", "1.5", "baseline"), Limit(">", "1.5", "uln")), ADMIRAL_V5),
    Criterion(3, (Limit(">", "3", "baseline"), Limit(">", "3", "uln")), ADMIRAL_V5),
    Criterion(4, (Limit(">", "6", "uln"),), ADMIRAL_V5),
)
_CREATININE_V6 = (
    Criterion(1, (Limit(">", "1", "uln"),), ADMIRAL_V6),
    Criterion(2, (Limit(">", "1.5", "baseline", True), Limit(">", "1.5", "uln")), ADMIRAL_V6),
    Criterion(3, (Limit(">", "3", "baseline", True), Limit(">", "3", "uln")), ADMIRAL_V6),
    Criterion(4, (Limit(">", "6", "uln"),), ADMIRAL_V6),
)
_COUNT = "10*9/L"
_TRANSFUSION = "an indicated transfusion is grade 3 at any value"
_THREAT = "a threat to life is grade 4 at any value"

TESTS: Mapping[tuple[str, str], LabTest] = MappingProxyType(
    {
        ("v5", "neutrophils"): LabTest(
            "Neutrophil count decreased", _COUNT, _falling("1.5", "1", "0.5", basis=ADMIRAL_V5)
        ),
        ("v6", "neutrophils"): LabTest(
            "Neutrophil count decreased",
            _COUNT,
            (
                *_falling("1.5", "1", "0.5", basis=READ, lln=False),
                Criterion(4, (Limit("<", "0.1"),), ADMIRAL_V6),
            ),
        ),
        ("v5", "platelets"): LabTest(
            "Platelet count decreased", _COUNT, _falling("75", "50", "25", basis=ADMIRAL_V5)
        ),
        ("v6", "platelets"): LabTest(
            "Thrombocytopenia",
            _COUNT,
            _falling("75", "50", "10", basis=ADMIRAL_V6),
            f"{_TRANSFUSION}; {_THREAT}",
        ),
        ("v5", "leukocytes"): LabTest(
            "White blood cell decreased", _COUNT, _falling("3", "2", "1", basis=ADMIRAL_V5)
        ),
        ("v6", "leukocytes"): LabTest(
            "White blood cell decreased", _COUNT, _falling("3", "2", "1", basis=ADMIRAL_V6)
        ),
        ("v5", "haemoglobin"): LabTest(
            "Anemia",
            "g/L",
            _with_clinical(_falling("100", "80", basis=ADMIRAL_V5), ADMIRAL_V5),
            f"{_TRANSFUSION}; {_THREAT}",
        ),
        ("v6", "haemoglobin"): LabTest(
            "Anemia",
            "g/L",
            _with_clinical(_falling("100", "80", basis=ADMIRAL_V6), ADMIRAL_V6),
            f"{_TRANSFUSION}; {_THREAT}",
        ),
        ("v5", "albumin"): LabTest(
            "Hypoalbuminemia",
            "g/L",
            _with_clinical(_falling("30", "20", basis=ADMIRAL_V5), ADMIRAL_V5),
            _THREAT,
        ),
        ("v6", "albumin"): LabTest(
            "Hypoalbuminemia",
            "g/L",
            _with_clinical(_falling("30", "20", basis=ADMIRAL_V6), ADMIRAL_V6),
            _THREAT,
        ),
        ("v5", "creatinine"): LabTest("Creatinine increased", "mg/dL", _CREATININE_V5),
        ("v6", "creatinine"): LabTest("Creatinine increased", "mg/dL", _CREATININE_V6),
        ("v5", "urine protein"): LabTest(
            "Proteinuria",
            "g/(24.h)",
            (
                Criterion(1, (), NOT_VERIFIED),
                Criterion(2, (), NOT_VERIFIED),
                Criterion(3, (Limit(">=", "3.5"),), READ),
            ),
            "adults; the dipstick, which can give a grade of its own, is not used",
        ),
        ("v6", "urine protein"): LabTest(
            "Proteinuria", "g/(24.h)", tuple(Criterion(g, (), NOT_READ) for g in (1, 2, 3))
        ),
    }
)
"""Criteria by version and test. Units are those in which a value and its limits must be given."""


def grade_lab(
    version: str,
    test: str,
    value: float | None,
    *,
    lln: float | None = None,
    uln: float | None = None,
    baseline: float | None = None,
) -> Grade:
    """Grade a laboratory value by a version of CTCAE.

    Parameters
    ----------
    version
        ``"v5"`` or ``"v6"``.
    test
        ``"neutrophils"``, ``"platelets"``, ``"leukocytes"``, ``"haemoglobin"``, ``"albumin"``,
        ``"creatinine"`` or ``"urine protein"``.
    value
        In the unit of `TESTS`; 0 or more. None is missing.
    lln, uln
        The laboratory's lower and upper limit of normal, in the same unit; None if unknown.
    baseline
        The patient's value before treatment, in the same unit; None if unknown.

    Returns
    -------
    Grade
        ``grade`` is None if what is missing, or was not read, could change it.

    Raises
    ------
    ValueError
        If version or test is unknown, or a number is negative or not finite.
    TypeError
        If a number is not a number.

    Examples
    --------
    >>> grade_lab("v5", "neutrophils", 0.8).grade, grade_lab("v6", "neutrophils", 0.8).grade
    (3, 2)
    """
    chosen = _lab_test(version, test)
    given = {"lln": lln, "uln": uln, "baseline": baseline}
    references = {name: _exact(name, number) for name, number in given.items()}
    measured = _exact(test, value)
    if measured is None:
        return Grade(chosen.term, version, None, 0, "the value is missing", note=chosen.note)
    answers = [(c, _criterion(c, measured, references)) for c in chosen.criteria]
    return _settle(chosen.term, version, answers, chosen.note, _missing(chosen, references))


def grade_fever(
    version: str, temperature_cel: float | None, *, hours_above_40: float | None = None
) -> Grade:
    """Grade a temperature; both versions use the same limits.

    Parameters
    ----------
    version
        ``"v5"`` or ``"v6"``.
    temperature_cel
        Highest temperature of the episode, degrees Celsius; None is missing.
    hours_above_40
        How long it stayed above 40 degrees, hours; None if unknown. Needed only above 40.

    Returns
    -------
    Grade
        38.0-39.0 grade 1, above 39.0 grade 2, above 40.0 grade 3, and 4 if longer than 24 hours.
    """
    _check_version(version)
    number = _exact("temperature_cel", temperature_cel)
    hours = _exact("hours_above_40", hours_above_40)
    if number is None:
        return Grade("Fever", version, None, 0, "the value is missing")
    long = False if number <= 40 else None if hours is None else hours > 24
    truths = {4: long, 3: number > 40, 2: number > 39, 1: number >= 38}
    answers = [(Criterion(g, (), READ), t) for g, t in sorted(truths.items())]
    return _settle("Fever", version, answers, "", "the hours above 40 degrees")


_HYPERTENSION_NOTE = (
    "treatment that was begun or changed, symptoms and a threat to life can raise the grade"
)


def grade_hypertension(
    version: str,
    systolic_mm_hg: float | None,
    diastolic_mm_hg: float | None,
    *,
    previously_normal: bool | None = None,
    recurrent_or_persistent: bool | None = None,
) -> Grade:
    """Grade a blood pressure of an adult.

    Parameters
    ----------
    version
        ``"v5"`` or ``"v6"``.
    systolic_mm_hg, diastolic_mm_hg
        mmHg; None is missing. The worse of the two counts.
    previously_normal
        Was the pressure within normal limits before? In v5 140-159/90-99 is grade 2 if it was.
    recurrent_or_persistent
        Did the rise come back or last 24 hours or more? In v6 140-159/90-99 is grade 2 only then.

    Returns
    -------
    Grade
        v5: 120-139/80-89 grade 1, 140-159/90-99 grade 2, from 160/100 grade 3. v6 has no grade 1,
        and its grades 3 and 4 were not read: from 140/90 a pressure that is not certainly grade 2
        is None, from 160/100 always.

    Notes
    -----
    A single transient rise can thus be grade 2 in v5 and without a grade in v6.
    """
    _check_version(version)
    systolic = check_number("systolic_mm_hg", systolic_mm_hg)
    diastolic = check_number("diastolic_mm_hg", diastolic_mm_hg)
    normal = check_yes_no("previously_normal", previously_normal)
    lasting = check_yes_no("recurrent_or_persistent", recurrent_or_persistent)
    steps = [_reaches(systolic, diastolic, s, d) for s, d in ((120, 80), (140, 90), (160, 100))]
    if version == "v6":
        return _hypertension_v6(steps, lasting)
    # 140-159/90-99 without either clause is above grade 1 and short of grade 2 by its value alone:
    # treatment or symptoms decide, so it stays unknown rather than false.
    clause = True if normal or lasting else None
    second = clause if steps[1] else steps[1]
    answers = [
        (Criterion(1, (), READ), steps[0]),
        (Criterion(2, (), READ), second),
        (Criterion(3, (), READ), steps[2]),
    ]
    missing = "the other pressure, or whether it was normal before, recurrent or persistent"
    return _settle("Hypertension", version, answers, _HYPERTENSION_NOTE, missing)


def _hypertension_v6(steps: Sequence[bool | None], lasting: bool | None) -> Grade:
    """Grade by v6, of which only "no grade 1" and grade 2 were read."""
    from_140, from_160 = steps[1], steps[2]
    if from_140 is False:
        reason = "below 140/90; v6 has no grade 1"
        return Grade("Hypertension", "v6", 0, 0, reason, READ, _HYPERTENSION_NOTE)
    if from_140 and from_160 is False and lasting:
        reason = "140-159/90-99, recurrent or persistent"
        return Grade("Hypertension", "v6", 2, 2, reason, READ, _HYPERTENSION_NOTE)
    if from_140 is None or from_160 is None:
        reason = "a pressure is missing"
    elif from_160:
        reason = "160/100 or more: v6 grades 3 and 4 were not read, check before use"
    elif lasting is None:
        reason = "140-159/90-99: not known whether recurrent or persistent; v6 has no grade 1"
    else:
        reason = (
            "140-159/90-99, neither recurrent nor persistent: v6 has no grade 1, and its grades 3"
            " and 4 were not read"
        )
    return Grade("Hypertension", "v6", None, 0, reason, "", _HYPERTENSION_NOTE)


def _reaches(
    systolic: float | None, diastolic: float | None, low_systolic: int, low_diastolic: int
) -> bool | None:
    """Say whether either pressure reaches a step; None if that hangs on a missing one."""
    answers = [
        None if systolic is None else systolic >= low_systolic,
        None if diastolic is None else diastolic >= low_diastolic,
    ]
    return True if True in answers else None if None in answers else False


def _settle(
    term: str,
    version: str,
    answers: Sequence[tuple[Criterion, bool | None]],
    note: str,
    missing: str,
) -> Grade:
    """Find the highest grade met, unless an open one above it could be met too."""
    certain = max((c.grade for c, met in answers if met), default=0)
    open_above = [c for c, met in answers if met is None and c.grade > certain]
    basis = next((c.basis for c, met in answers if met and c.grade == certain), "")
    if not open_above:
        reason = "no criterion is met" if certain == 0 else f"criterion of grade {certain} met"
        if certain == 0:
            basis = answers[0][0].basis
        return Grade(term, version, certain, certain, reason, basis, note)
    grades = ", ".join(str(c.grade) for c in open_above)
    unread = [c for c in open_above if c.basis in _UNUSABLE]
    reason = f"grade {grades}: {unread[0].basis}" if unread else f"grade {grades} open: {missing}"
    return Grade(term, version, None, certain, reason, "", note)


def _criterion(
    criterion: Criterion, value: Fraction, references: Mapping[str, Fraction | None]
) -> bool | None:
    """Decide one criterion: any of its limits. What the value cannot decide is left to a person."""
    if criterion.basis in _UNUSABLE:
        return None
    answers = [_limit(limit, value, references) for limit in criterion.limits]
    return True if True in answers else None if None in answers else False


def _limit(limit: Limit, value: Fraction, references: Mapping[str, Fraction | None]) -> bool | None:
    """Decide one comparison; None if its reference is missing."""
    if limit.only_if_baseline_below_lln:
        baseline, lln = references["baseline"], references["lln"]
        if baseline is None or lln is None:
            return None
        if baseline >= lln:
            return False
    reference = references[limit.of] if limit.of else Fraction(1)
    if reference is None:
        return None
    bound = Fraction(limit.factor) * reference
    return {"<": value < bound, ">": value > bound, ">=": value >= bound}[limit.operator]


def _missing(test: LabTest, references: Mapping[str, Fraction | None]) -> str:
    """Name the references that the test uses and that are missing."""
    names = {
        "lln": "lower limit of normal",
        "uln": "upper limit of normal",
        "baseline": "baseline value",
    }
    limits = [limit for c in test.criteria for limit in c.limits]
    used = {limit.of for limit in limits if limit.of}
    if any(limit.only_if_baseline_below_lln for limit in limits):
        used |= {"lln"}
    return "missing " + ", ".join(
        words for name, words in names.items() if name in used and references[name] is None
    )


def _exact(name: str, value: float | None) -> Fraction | None:
    """Return a number as the decimal that people wrote."""
    number = check_number(name, value)
    return None if number is None else Fraction(repr(number))


def _check_version(version: str) -> None:
    """Refuse an unknown version."""
    if version not in VERSIONS:
        raise ValueError(f"CTCAE version {version!r} is unknown; expected 'v5' or 'v6'")


def _lab_test(version: str, test: str) -> LabTest:
    """Return the criteria of a test in a version."""
    _check_version(version)
    if (version, test) not in TESTS:
        known = ", ".join(name for v, name in TESTS if v == version)
        raise ValueError(f"CTCAE test {test!r} is unknown; expected one of {known}")
    return TESTS[version, test]
