"""Missing visits in the longitudinal model: the change under other assumptions, each said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, sqrt
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from onearm.analysis.course import Course, course_from
from onearm.analysis.follow_up import IMPUTATIONS, LOGS, Assumed, delta_label, printed
from onearm.datasets import Datasets
from onearm.study import Analysis, BaselineRule

if TYPE_CHECKING:
    from onearm.stats.repeated_measures.imputed import ImputedVisit, ReferenceCourse
    from onearm.stats.repeated_measures.sequential import AfterDropout


def other_assumptions(
    data: Datasets,
    analysis: Analysis,
    rule: BaselineRule,
    values: Mapping[str, Mapping[str, float]],
    visits: Sequence[str],
    *,
    logs: bool,
) -> tuple[tuple[Assumed, ...], tuple[str, ...]]:
    """The change at the analysis's visit under each assumption the study file names, and what to know of them.

    Parameters
    ----------
    values
        Values by patient and visit on the scale that is modelled; ``visits`` in order, ``""`` (the baseline) first.
    logs
        Whether these are natural logarithms; estimates are then ratios.

    Returns
    -------
    The rows, none where nothing is missing, and notes. Every row has the same random numbers, the analysis's own.
    """
    known = {s: v for s, v in values.items() if any(name in v for name in visits)}
    table = np.array([[v.get(name, np.nan) for name in visits] for v in known.values()])
    if not known or not np.isnan(table).any() or analysis.at not in visits:
        return (), ()
    return _Imputed(data, analysis, rule, table, visits, logs).rows()


class _Imputed:
    """One table of values, imputed under one assumption after the other."""

    def __init__(
        self,
        data: Datasets,
        analysis: Analysis,
        rule: BaselineRule,
        table: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        visits: Sequence[str],
        logs: bool,
    ):
        from onearm.stats.repeated_measures.sequential import longest_memory

        self.data, self.analysis, self.rule, self.logs = data, analysis, rule, logs
        self.table, self.names = table, [name or "baseline" for name in visits]
        self.at = visits.index(analysis.at) - 1  # among the visits after the baseline
        self.error = 0.0
        self.memory = longest_memory(table)

    def rows(self) -> tuple[tuple[Assumed, ...], tuple[str, ...]]:
        """Every row, and what to know of them."""
        wanted, rows = self.analysis.missing, list[Assumed]()
        if not self.memory:
            why = "not computed: too few patients were seen to predict one visit from another"
            return (Assumed("multiple imputation", None, None, None, None, why),), ()
        if "multiple_imputation" in wanted:
            rows.append(self._row("as the others (multiple imputation)", "missing at random"))
        if "return_to_baseline" in wanted:
            rows.append(self._row("back at baseline", "jump to baseline"))
        notes: list[str] = []
        if "reference_based" in wanted:
            rows += self._referred(notes)
        if "tipping_point" in wanted:
            rows += self._tipping(notes)
        if self.error:
            notes.append(
                f"Simulated: {IMPUTATIONS} imputations a row; Monte Carlo standard error of an estimate at most "
                f"{self.error:.2g}{' (log ratio)' if self.logs else ''}."
            )
            notes.append(
                "Imputed values carry that the covariance is not known either, so that among few patients these "
                "intervals are wider than the model's: compare the rows with each other."
            )
        if self.memory < len(self.names) - 1:
            earlier = "the visit" if self.memory == 1 else f"the {self.memory} visits"
            notes.append(
                f"With so few patients a visit is predicted from {earlier} before it, not from all."
            )
        return tuple(rows), tuple(notes)

    def _row(
        self, label: str, after_dropout: AfterDropout, reference: ReferenceCourse | None = None
    ) -> Assumed:
        from onearm.stats.repeated_measures.imputation import imputed_changes

        try:
            found = imputed_changes(
                self.table,
                rng=self._rng(),
                imputations=IMPUTATIONS,
                after_dropout=after_dropout,
                reference=reference,
                memory=self.memory,
                visits=self.names,
                conf_level=self.analysis.conf_level,
            )
        except ValueError as error:
            return Assumed(label, None, None, None, None, f"not computed: {error}")
        words = found.assumption
        if reference is not None:  # the same change at every visit is told once
            every = ", ".join(f"{change:g}" for change in reference.change)
            words = words.replace(every, f"{reference.change[0]:.3g} at every visit")
            words += LOGS if self.logs else ""
        return self._assumed(label, found.visits[self.at], words)

    def _assumed(self, label: str, r: ImputedVisit, assumption: str) -> Assumed:
        self.error = max(self.error, r.monte_carlo_error)
        back: Callable[[float], float] = exp if self.logs else float
        return Assumed(
            label, back(r.estimate), back(r.lower), back(r.upper), r.pvalue, printed(assumption)
        )

    def _rng(self) -> np.random.Generator:
        """The analysis's random numbers from their start."""
        return np.random.default_rng([self.data.study.seed, crc32(self.analysis.id.encode())])

    def _referred(self, notes: list[str]) -> list[Assumed]:
        """As the untreated: from the baseline on, and from the last visit on."""
        reference, who = self._reference()
        if reference is None:
            notes.append(f"No row as if untreated: {who}.")
            return []
        return [
            self._row(f"as {who} from the baseline on", "jump to reference", reference),
            self._row(f"gain kept, then as {who}", "copy increments", reference),
        ]

    def _reference(self) -> tuple[ReferenceCourse | None, str]:
        """The change without the cells at every visit after the baseline, and whose; or why it is not known."""
        from onearm.stats.repeated_measures.imputed import ReferenceCourse

        after = len(self.names) - 1
        measure = self.analysis.measure or ""
        course, why = course_from(self.data, measure, self.rule)
        if course is not None:
            change, se = _regression(course, float(np.nanmean(self.table[:, 0])))
            return ReferenceCourse([change] * after, [se] * after, correlation=1.0), "untreated"
        arm = next((c for c in self.data.study.comparators if c.measure == measure), None)
        if arm is None or self.logs:
            return None, why
        se = arm.sd / sqrt(arm.n) if arm.n else 0.0
        return ReferenceCourse([arm.change] * after, [se] * after, correlation=1.0), arm.id

    def _tipping(self, notes: list[str]) -> list[Assumed]:
        from onearm.stats.repeated_measures.tipping import visit_tipping_point

        try:
            found = visit_tipping_point(
                self.table,
                rng=self._rng(),
                visit=self.analysis.at,
                deltas=list(self.analysis.deltas) or None,
                imputations=IMPUTATIONS,
                memory=self.memory,
                visits=self.names,
                conf_level=self.analysis.conf_level,
            )
        except ValueError as error:
            return [Assumed("tipping point", None, None, None, None, f"not computed: {error}")]
        notes.append(f"Tipping point: {printed(found.words)}{LOGS if self.logs else ''}")
        return [
            self._assumed(
                delta_label(delta, logs=self.logs),
                r,
                found.assumption if k == 0 else "the same, another delta",
            )
            for k, (delta, r) in enumerate(zip(found.deltas, found.rows, strict=True))
        ]


def _regression(course: Course, before: float) -> tuple[float, float]:
    """The change to expect of a group with this mean before by regression to the mean alone, and its standard error."""
    h = course.history
    away = h.mean - before
    variance = (1 - h.rho) ** 2 * h.mean_se**2 + away**2 * h.rho_se**2
    variance -= 2 * (1 - h.rho) * away * h.covariance
    return (1 - h.rho) * away, sqrt(max(variance, 0.0))
