"""SLEDAI: disease activity of systemic lupus from 24 weighted descriptors, 0 to 105 points.

Four variants share the descriptors and the weights and differ in a few rules, which stand in
`VARIANTS` as data. Nine descriptors are read from a laboratory value or a vital sign; their
question asks only whether the finding is due to lupus. The labels are our own words; the authors'
glossary is not reproduced here and should be at hand when scoring.

Sources: Bombardier, Arthritis Rheum 1992;35:630 (SLEDAI); Gladman, J Rheumatol 2002;29:288
(SLEDAI-2K); Petri, N Engl J Med 2005;353:2550 (SELENA-SLEDAI); Touma, Lupus 2010;19:49 (30-day
window). Which rules were read at their source and which rest on domain knowledge is written in
``docs/instruments/sledai.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from onearm.instruments.instrument import (
    Bounds,
    Instrument,
    Question,
    add_bounds,
    check_number,
    check_yes_no,
)

WINDOWS = (10, 28, 30)
"""The permitted windows in days: classic, EULAR's card, and the validated 30-day form."""

ARTHRITIS_RULES: Mapping[str, int] = MappingProxyType({"at least 2": 2, "more than 2": 3})
"""The two printed wordings of the joint rule, and the fewest joints that count under each."""

_RENAL = "renal"

QUESTIONS: tuple[Question, ...] = (
    Question("SEIZURE", "Seizure", "CNS", 8),
    Question("PSYCHOS", "Psychosis", "CNS", 8),
    Question("ORGBRAIN", "Organic brain syndrome", "CNS", 8),
    Question("VISUAL", "Visual disturbance", "CNS", 8),
    Question("CRANIAL", "Cranial nerve disorder", "CNS", 8),
    Question("HEADACHE", "Lupus headache", "CNS", 8),
    Question("CVA", "Cerebrovascular accident", "CNS", 8),
    Question("VASCUL", "Vasculitis", "vascular", 8),
    Question("ARTHRIT", "Arthritis, {joints} joints painful and inflamed", "musculoskeletal", 4),
    Question("MYOSIT", "Myositis", "musculoskeletal", 4),
    Question("CASTS", "Urinary casts due to lupus", _RENAL, 4, "urinary_casts"),
    Question("HAEMAT", "Haematuria due to lupus", _RENAL, 4, "haematuria"),
    Question("PROTEIN", "Proteinuria due to lupus", _RENAL, 4, "proteinuria"),
    Question("PYURIA", "Pyuria due to lupus", _RENAL, 4, "pyuria"),
    Question("RASH", "Inflammatory rash", "mucocutaneous", 2),
    Question("ALOPEC", "Alopecia", "mucocutaneous", 2),
    Question("MUCOSAL", "Oral or nasal ulcers", "mucocutaneous", 2),
    Question("PLEURISY", "Pleurisy", "serositis", 2),
    Question("PERICARD", "Pericarditis", "serositis", 2),
    Question("COMPLEM", "Low complement due to lupus", "immunologic", 2, "low_complement"),
    Question("DNA", "Raised DNA binding due to lupus", "immunologic", 2, "increased_dna_binding"),
    Question("FEVER", "Fever due to lupus", "constitutional", 1, "fever"),
    Question("THROMBO", "Thrombocytopenia due to lupus", "haematologic", 1, "thrombocytopenia"),
    Question("LEUKOP", "Leukopenia due to lupus", "haematologic", 1, "leukopenia"),
)
"""The 24 descriptors in the order of the form; ``{joints}`` is filled by `questions_for`."""

VALUE_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "proteinuria": "g/(24.h)",
        "haematuria": "/[HPF]",
        "pyuria": "/[HPF]",
        "urinary_casts": "",
        "low_complement": "",
        "increased_dna_binding": "",
        "fever": "Cel",
        "thrombocytopenia": "10*9/L",
        "leukopenia": "10*9/L",
        # Optional: stands in where the 24-hour value is missing or too old.
        "proteinuria_upcr": "g/g{creat}",
        # Optional: with it the joint rule is applied to the count.
        "arthritis_joints": "1",
    }
)
"""Units in which the values must be given; ``""`` marks yes/no values, which compare with the
laboratory's own limits and are therefore decided where those limits are known."""

# Strict on purpose: 0.5 g, 5 cells, 100 and 3 x10*9/L and 38.0 degrees do not score.
_CROSSES: Mapping[str, Callable[[float], bool]] = MappingProxyType(
    {
        "proteinuria": lambda grams_24h: grams_24h > 0.5,
        "proteinuria_upcr": lambda g_per_g: g_per_g > 0.5,
        "haematuria": lambda cells_hpf: cells_hpf > 5,
        "pyuria": lambda cells_hpf: cells_hpf > 5,
        "fever": lambda celsius: celsius > 38.0,
        "thrombocytopenia": lambda giga_l: giga_l < 100,
        "leukopenia": lambda giga_l: giga_l < 3,
    }
)


@dataclass(frozen=True)
class Variant:
    """What one printed version of SLEDAI does differently.

    Parameters
    ----------
    name, title, source
        Registry name; name for people; the publication.
    new_or_recent
        Ids of the questions that count only when the finding is new, recurrent or has recently
        risen (for protein: by more than 0.5 g/24 h).
    labels
        Wordings that differ from `QUESTIONS`, by question id.
    """

    name: str
    title: str
    source: str
    new_or_recent: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_SELENA_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "SEIZURE": "Seizure, not from past irreversible damage",
        "VISUAL": "Visual disturbance, scleritis or episcleritis",
        "CRANIAL": "Cranial nerve disorder, or vertigo due to lupus",
        "CVA": "Cerebrovascular accident, not from hypertension",
        "PLEURISY": "Pleurisy, symptoms suffice",
        "PERICARD": "Pericarditis, symptoms suffice",
    }
)
_NEW_PROTEIN = "Proteinuria due to lupus, new or recently up by more than 0.5 g/24 h"
_PETRI = "Petri M et al. N Engl J Med 2005;353:2550-8"

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "sledai_2k": Variant(
            "sledai_2k",
            "SLEDAI-2K",
            "Gladman DD, Ibanez D, Urowitz MB. J Rheumatol 2002;29:288-91",
        ),
        "selena_sledai": Variant(
            "selena_sledai",
            "SELENA-SLEDAI",
            _PETRI,
            frozenset({"PROTEIN"}),
            MappingProxyType({**_SELENA_LABELS, "PROTEIN": _NEW_PROTEIN}),
        ),
        "hybrid_selena_sledai": Variant(
            "hybrid_selena_sledai",
            "SELENA-SLEDAI with the SLEDAI-2K proteinuria rule (hybrid)",
            f"{_PETRI}, with the proteinuria rule of Gladman 2002",
            labels=_SELENA_LABELS,
        ),
        "sledai_1992": Variant(
            "sledai_1992",
            "SLEDAI (1992)",
            "Bombardier C et al. Arthritis Rheum 1992;35:630-40",
            frozenset({"PROTEIN", "RASH", "ALOPEC", "MUCOSAL"}),
            MappingProxyType(
                {
                    "PROTEIN": _NEW_PROTEIN,
                    "RASH": "Inflammatory rash, new or recurrent",
                    "ALOPEC": "Alopecia, new or recurrent",
                    "MUCOSAL": "Oral or nasal ulcers, new or recurrent",
                }
            ),
        ),
    }
)

_MAY_BE_NEW = frozenset({"PROTEIN", "RASH", "ALOPEC", "MUCOSAL"})


def questions_for(
    variant: str = "sledai_2k", *, arthritis: str = "at least 2"
) -> tuple[Question, ...]:
    """Return the 24 questions of a variant, in its wording and with the chosen joint rule.

    Parameters
    ----------
    variant
        A key of `VARIANTS`.
    arthritis
        ``"at least 2"`` or ``"more than 2"`` joints; printed forms of SLEDAI-2K carry both.

    Raises
    ------
    ValueError
        If either is unknown.
    """
    chosen = _variant(variant)
    _fewest_joints(arthritis)
    return tuple(
        replace(q, label=chosen.labels.get(q.id, q.label).format(joints=arthritis))
        for q in QUESTIONS
    )


def item_scores(
    answers: Mapping[str, bool | None],
    values: Mapping[str, float | bool | None],
    *,
    variant: str = "sledai_2k",
    window_days: int = 10,
    arthritis: str = "at least 2",
    ages: Mapping[str, int | None] | None = None,
    new_or_recent: Mapping[str, bool | None] | None = None,
) -> dict[str, Bounds]:
    """Score each of the 24 descriptors: 0, its weight, or bounds where something is missing.

    Parameters
    ----------
    answers
        From question id to True (yes), False (no) or None (missing). An absent key is missing.
        For a question that reads a value, yes means "the finding, if there, is due to lupus".
    values
        From the names of `VALUE_UNITS` to the value in that unit, True or False for yes/no values,
        or None (missing). An absent key is missing.
    variant
        A key of `VARIANTS`.
    window_days
        10, 28 or 30. A value older than this is missing.
    arthritis
        The joint rule, ``"at least 2"`` or ``"more than 2"``. It acts on ``arthritis_joints``
        if that value is given; without it the answer counts as it stands.
    ages
        From value name to the days from the value to the assessment. A value without an age is
        taken to be within the window; one dated after the assessment (a negative age) is missing.
    new_or_recent
        Only for variants that count some findings only when new or recently risen. None: the
        answers were given to this variant's own wording, in which yes says it. A mapping: the
        answers were given to another wording (say SLEDAI-2K, scored again as SELENA-SLEDAI) and
        the mapping says, by question id, whether the finding was new; absent is missing.

    Returns
    -------
    dict of str to Bounds
        One entry per question, in the order of the form.

    Raises
    ------
    ValueError
        If a name or a setting is unknown, or a number is negative or not finite.
    TypeError
        If a yes/no value is a number, or a number is a yes/no value.
    """
    chosen = _variant(variant)
    fewest = _fewest_joints(arthritis)
    known = _values_in_window(values, _window(window_days), ages or {})
    _refuse_unknown("answer", answers, {q.id for q in QUESTIONS})
    _refuse_unknown("new_or_recent", new_or_recent or {}, _MAY_BE_NEW)
    asked: Mapping[str, bool | None] = {} if new_or_recent is None else new_or_recent
    scores = {}
    for question in QUESTIONS:
        conditions = [check_yes_no(question.id, answers.get(question.id))]
        conditions += _finding(question, known, fewest)
        if new_or_recent is not None and question.id in chosen.new_or_recent:
            conditions.append(check_yes_no(f"new_or_recent {question.id}", asked.get(question.id)))
        scores[question.id] = _points(question.weight, conditions)
    return scores


def score(
    answers: Mapping[str, bool | None],
    values: Mapping[str, float | bool | None],
    *,
    variant: str = "sledai_2k",
    window_days: int = 10,
    arthritis: str = "at least 2",
    ages: Mapping[str, int | None] | None = None,
    new_or_recent: Mapping[str, bool | None] | None = None,
) -> dict[str, Bounds]:
    """Return the total (0-105), the renal part (0-16) and the extra-renal part (0-89).

    Parameters
    ----------
    answers, values, variant, window_days, arthritis, ages, new_or_recent
        As in `item_scores`.

    Returns
    -------
    dict of str to Bounds
        Keys ``"total"``, ``"renal"`` and ``"extrarenal"``; bounds where an item is missing.

    Examples
    --------
    >>> no = {q.id: False for q in QUESTIONS}
    >>> str(score({**no, "PROTEIN": True}, {"proteinuria": 1.8})["total"])
    '4'
    >>> str(score({**no, "PROTEIN": True}, {"proteinuria": None})["total"])
    '0 to 4'
    """
    items = item_scores(
        answers,
        values,
        variant=variant,
        window_days=window_days,
        arthritis=arthritis,
        ages=ages,
        new_or_recent=new_or_recent,
    )
    return {
        "total": add_bounds(items.values()),
        "renal": add_bounds(items[q.id] for q in QUESTIONS if q.system == _RENAL),
        "extrarenal": add_bounds(items[q.id] for q in QUESTIONS if q.system != _RENAL),
    }


def activity_band(total: Bounds) -> str | None:
    """Name the band of activity of a total: none 0, low 1-4, moderate 5-10, high above 10.

    None where the bounds reach into two bands. Source: EULAR's table of activity measures.
    """
    lowest, highest = (_band(end) for end in (total.lower, total.upper))
    return lowest if lowest == highest else None


def _band(points: float) -> str:
    """Name the band of one number of points."""
    limits = ((0, "none"), (4, "low"), (10, "moderate"))
    return next((name for limit, name in limits if points <= limit), "high")


def _points(weight: int, conditions: list[bool | None]) -> Bounds:
    """Give the weight if every condition holds, 0 if one fails, bounds if it is not known."""
    if False in conditions:
        return Bounds(0, 0)
    return Bounds(0, weight) if None in conditions else Bounds(weight, weight)


def _finding(
    question: Question, values: Mapping[str, float | bool | None], fewest_joints: int
) -> list[bool | None]:
    """Return the condition that a value adds to a question's answer, if it adds one."""
    if question.id == "ARTHRIT":
        joints = values["arthritis_joints"]
        # A count that is missing takes nothing away: the answer itself names the joint rule.
        return [] if joints is None else [joints >= fewest_joints]
    if question.derived_from is None:
        return []
    name = question.derived_from
    if name == "proteinuria" and values[name] is None:
        name = "proteinuria_upcr"
    value = values[name]
    if value is None or isinstance(value, bool):
        return [value]
    return [_CROSSES[name](value)]


def _values_in_window(
    values: Mapping[str, float | bool | None], window: int, ages: Mapping[str, int | None]
) -> dict[str, float | bool | None]:
    """Return every value that the instrument reads; None if absent, missing or out of window."""
    _refuse_unknown("value", values, VALUE_UNITS)
    _refuse_unknown("age of", ages, VALUE_UNITS)
    known: dict[str, float | bool | None] = {}
    for name, unit in VALUE_UNITS.items():
        value = values.get(name)
        checked = check_number(name, value) if unit else check_yes_no(name, value)
        age = ages.get(name)
        if age is not None and (isinstance(age, bool) or not isinstance(age, int)):
            raise TypeError(f"age of {name}: {age!r} is not a whole number of days")
        known[name] = checked if age is None or 0 <= age <= window else None
    return known


def _variant(name: str) -> Variant:
    """Return a variant by name."""
    if name not in VARIANTS:
        raise ValueError(f"SLEDAI variant {name!r} is unknown; expected {', '.join(VARIANTS)}")
    return VARIANTS[name]


def _window(days: int) -> int:
    """Return a permitted window."""
    if isinstance(days, bool) or days not in WINDOWS:
        raise ValueError(f"window_days is {days!r}; expected 10, 28 or 30, the published windows")
    return days


def _fewest_joints(arthritis: str) -> int:
    """Return the fewest joints that count under a joint rule."""
    if arthritis not in ARTHRITIS_RULES:
        raise ValueError(
            f"arthritis rule {arthritis!r} is unknown; expected 'at least 2' or 'more than 2'"
        )
    return ARTHRITIS_RULES[arthritis]


def _refuse_unknown(what: str, found: Mapping[str, object], permitted: object) -> None:
    """Refuse names that the instrument does not know: a misspelt name would count as missing."""
    assert isinstance(permitted, set | frozenset | Mapping)
    unknown = [name for name in found if name not in permitted]
    if unknown:
        raise ValueError(
            f"{what} {unknown[0]!r} is not known to SLEDAI; expected one of"
            f" {', '.join(sorted(permitted))}"
        )


def _instrument(variant: Variant) -> Instrument:
    """Assemble the registered record of a variant."""
    return Instrument(
        name=variant.name,
        title=variant.title,
        source=variant.source,
        questions=questions_for(variant.name),
        value_units=VALUE_UNITS,
        score=partial(score, variant=variant.name),
        item_scores=partial(item_scores, variant=variant.name),
        questions_for=partial(questions_for, variant.name),
        maximum=MappingProxyType({"total": 105, "renal": 16, "extrarenal": 89}),
        settings=MappingProxyType({"window_days": WINDOWS, "arthritis": tuple(ARTHRITIS_RULES)}),
    )


INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType(
    {name: _instrument(variant) for name, variant in VARIANTS.items()}
)
"""The four variants as instruments, by name."""
