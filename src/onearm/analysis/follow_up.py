"""Missing follow-up: what the result would be if those patients had done this or that, each with its assumption."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, nan, sqrt

import numpy as np

from onearm.analysis.worth import Worth
from onearm.datasets import Pair
from onearm.stats.missing import (
    MissingResult,
    ReferenceChange,
    complete_cases,
    missing_at_random,
    multiple_imputation,
    reference_based,
    tipping_point,
    worst_case,
)
from onearm.stats.regression_to_mean import NaturalHistory
from onearm.study import Analysis, Measure

#: Imputations of one multiple imputation; its Monte Carlo error is printed beside it.
IMPUTATIONS = 1000


#: Said after a sentence whose numbers are on the scale that is analysed.
LOGS = " (Numbers here are natural logarithms.)"


@dataclass(frozen=True)
class Assumed:
    """The result under one assumption; numbers are None where it could not be computed, and the reason follows."""

    label: str
    estimate: float | None
    lower: float | None
    upper: float | None
    pvalue: float | None
    assumption: str


@dataclass(frozen=True)
class FollowUp:
    """The main result, and what it would be otherwise; ``rows`` is empty when nobody's follow-up is missing.

    ``ratio`` tells that estimates are ratios of geometric means. ``missing`` of the patients with a value before
    have none after; those without a value before are not in any row.
    """

    rows: tuple[Assumed, ...]
    complete: int
    missing: int
    ratio: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Sides:
    """Before and after of the patients with a value before, on the scale that is analysed; NaN where missing."""

    before: list[float]
    after: list[float]
    logs: bool


def follow_up(
    analysis: Analysis,
    measure: Measure,
    pairs: Sequence[Pair],
    weighed: Worth | None,
    rng: np.random.Generator,
) -> FollowUp:
    """Vary what became of the patients whose value after is missing, in the ways the study file names."""
    with_before = [p for p in pairs if p.before is not None]
    missing = sum(p.after is None for p in with_before)
    complete = len(with_before) - missing
    known = [v for p in with_before for v in (p.before, p.after) if v is not None]
    logs = measure.scale == "log" and bool(known) and min(known) > 0
    if not missing or not complete:
        return FollowUp((), complete, missing, logs, ())

    def scaled(value: float | None) -> float:
        if value is None:
            return nan
        return log(value) if logs else value

    sides = _Sides(
        [scaled(p.before) for p in with_before],
        [scaled(p.after) for p in with_before],
        logs,
    )
    level, notes = analysis.conf_level, list[str]()
    rows = [
        _row("left out", sides, lambda: complete_cases(sides.before, sides.after, conf_level=level))
    ]
    if "worst_case" in analysis.missing:
        rows += _worst(analysis, measure, sides)
    if "multiple_imputation" in analysis.missing:
        rows += _imputed(analysis, sides, rng, notes)
    if "reference_based" in analysis.missing:
        rows += _reference(analysis, sides, weighed)
    if "tipping_point" in analysis.missing:
        rows += _tipping(analysis, sides, notes)
    without = len(pairs) - len(with_before)
    if without:
        notes.append(f"{without} without a value before are in none of these rows.")
    return FollowUp(tuple(rows), complete, missing, logs, tuple(notes))


def _row(label: str, sides: _Sides, compute: Callable[[], MissingResult]) -> Assumed:
    try:
        r = compute()
    except ValueError as error:
        return Assumed(label, None, None, None, None, f"not computed: {error}")
    back = exp if sides.logs else float
    assumption = printed(r.assumption.replace("+0,", "0,"))
    assumption += LOGS if sides.logs else ""
    return Assumed(label, back(r.estimate), back(r.lower), back(r.upper), r.pvalue, assumption)


def printed(words: str) -> str:
    """A sentence with true minus signs before its numbers."""
    return re.sub(r"-(?=\d)", "\u2212", words)


def _worst(analysis: Analysis, measure: Measure, sides: _Sides) -> list[Assumed]:
    def either(which: str) -> Callable[[], MissingResult]:
        def compute() -> MissingResult:
            bounds = worst_case(
                sides.before,
                sides.after,
                better=measure.better or "lower",
                conf_level=analysis.conf_level,
            )
            return bounds.worst if which == "worst" else bounds.best

        return compute

    words = {"worst": "worst", "best": "best"}
    if (
        measure.better is None
    ):  # then lower was taken for better, and words that judge would mislead
        words = {"worst": "highest", "best": "lowest"}
    return [
        _row(f"the {words[which]} change seen in others", sides, either(which))
        for which in ("worst", "best")
    ]


def _imputed(
    analysis: Analysis, sides: _Sides, rng: np.random.Generator, notes: list[str]
) -> list[Assumed]:
    level = analysis.conf_level

    def drawn() -> MissingResult:
        found = multiple_imputation(
            sides.before, sides.after, rng=rng, imputations=IMPUTATIONS, conf_level=level
        )
        notes.append(
            f"Multiple imputation: {IMPUTATIONS} draws, simulated; Monte Carlo standard error of the estimate "
            f"{found.monte_carlo_error:.2g}{' (log ratio)' if sides.logs else ''}."
        )
        return found

    return [
        _row(
            "as the others (in the limit)",
            sides,
            lambda: missing_at_random(sides.before, sides.after, conf_level=level),
        ),
        _row("as the others (multiple imputation)", sides, drawn),
    ]


def _reference(analysis: Analysis, sides: _Sides, weighed: Worth | None) -> list[Assumed]:
    reference: NaturalHistory | ReferenceChange | None = None
    label = "as if untreated"
    if weighed is not None and weighed.course is not None:
        reference = weighed.course.history
    elif weighed is not None and weighed.comparator is not None and not sides.logs:
        c = weighed.comparator
        reference = ReferenceChange(c.change, c.sd, c.sd / sqrt(c.n) if c.n else 0.0)
        label = f"as {c.id}"
    if reference is None:
        return []
    chosen = reference
    return [
        _row(
            label,
            sides,
            lambda: reference_based(
                sides.before, sides.after, chosen, conf_level=analysis.conf_level
            ),
        )
    ]


def delta_label(delta: float, *, logs: bool) -> str:
    """``delta +0.5``, with a true minus sign."""
    return f"delta {f'{delta:+.3g}' if delta else '0'}{' (log)' if logs else ''}".replace(
        "-", "\u2212"
    )


def _tipping(analysis: Analysis, sides: _Sides, notes: list[str]) -> list[Assumed]:
    try:
        found = tipping_point(
            sides.before,
            sides.after,
            list(analysis.deltas) or None,
            conf_level=analysis.conf_level,
        )
    except ValueError as error:
        return [Assumed("tipping point", None, None, None, None, f"not computed: {error}")]
    notes.append(f"Tipping point: {printed(found.words)}{LOGS if sides.logs else ''}")
    back = exp if sides.logs else float
    return [
        Assumed(
            delta_label(r.delta, logs=sides.logs),
            back(r.estimate),
            back(r.lower),
            back(r.upper),
            r.pvalue,
            found.assumption if k == 0 else "the same, another delta",
        )
        for k, r in enumerate(found.rows)
    ]
