"""Multiply imputed changes: the records, the analysis of completed data, and Rubin's rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onearm.stats.differences import NOISE, FloatArray, as_numbers
from onearm.stats.missing import barnard_rubin_df
from onearm.stats.repeated_measures.sequential import Visits


@dataclass(frozen=True)
class ReferenceCourse:
    """The course of an untreated group: mean change from baseline at each visit after it.

    ``change`` has one number for each visit after the baseline, in the measure's unit. ``se`` are their
    standard errors, which are drawn too; None where the course is taken as known. ``correlation`` is
    that of the errors at any two visits; it matters for *copy increments* alone, where 0 (the default)
    is on the safe side.
    """

    change: Sequence[float]
    se: Sequence[float] | None = None
    correlation: float = 0.0

    def __post_init__(self) -> None:
        change = as_numbers(self.change, "change")
        if self.se is not None:
            se = as_numbers(self.se, "se")
            if se.size != change.size or np.any(se < 0):
                raise ValueError(
                    f"se: found {', '.join(f'{value:g}' for value in se)}; expected {change.size} "
                    "standard errors, one for each change, zero or above"
                )
        if not 0 <= self.correlation <= 1:
            raise ValueError(
                f"correlation: found {self.correlation}; expected a number from 0 to 1"
            )


@dataclass(frozen=True, kw_only=True)
class ImputedVisit:
    """The mean change from baseline to one visit, pooled over the completed data sets.

    ``n_missing`` patients have no value at the visit, or none at the baseline. ``within`` and
    ``between`` are the two variances of the estimate: of the completed data, and from one imputation to
    another. ``se`` and ``df`` are Rubin's standard error and Barnard and Rubin's degrees of freedom;
    ``lower`` and ``upper`` the limits, ``pvalue`` the two-sided P of no change.
    ``fraction_missing`` is the fraction of missing information; ``monte_carlo_error`` the standard
    error of ``estimate`` that is due to the number of imputations.
    """

    visit: str
    n_missing: int
    estimate: float
    se: float
    df: float
    lower: float
    upper: float
    pvalue: float
    within: float
    between: float
    fraction_missing: float
    monte_carlo_error: float


@dataclass(frozen=True, kw_only=True)
class ImputedVisits:
    """Changes from baseline under one assumption about the visits that are missing.

    ``assumption`` is that assumption in words, ``method`` its name. Of ``n`` patients ``n_left`` were not
    seen at the last visit, and ``n_between`` values are missing before a patient's last visit. ``memory``
    is how many earlier visits predict one. ``imputations`` is 0 where nothing was missing.
    """

    method: str
    assumption: str
    n: int
    n_left: int
    n_between: int
    memory: int
    imputations: int
    conf_level: float
    visits: tuple[ImputedVisit, ...]


@dataclass(frozen=True, kw_only=True)
class VisitTippingPoint:
    """How far the patients who left must depart from missing at random to change the conclusion.

    ``rows`` are the results at each of ``deltas``. ``delta`` is the one nearest to zero at which P
    crosses ``alpha``; None where the conclusion does not tip. ``expected`` is the mean change of those
    who had left by ``visit`` that missing at random predicts (None where nobody had). ``words`` states
    the finding.
    """

    visit: str
    deltas: tuple[float, ...]
    rows: tuple[ImputedVisit, ...]
    delta: float | None
    expected: float | None
    words: str
    assumption: str
    alpha: float


class Changes:
    """Mean changes from baseline of completed data, by least squares at the means of the covariates."""

    def __init__(self, data: Visits) -> None:
        self.n, q = data.design.shape
        self.df = self.n - q
        if self.df < 1:
            raise ValueError(
                f"y: found {self.n} patients and {q - 1} covariates; expected at least two patients more "
                "than covariates"
            )
        self.basis = np.linalg.qr(data.design)[0]

    def residuals(self, changes: FloatArray) -> FloatArray:
        """Return what is left of changes, patients along the next to last axis."""
        rest: FloatArray = changes - self.basis @ (self.basis.T @ changes)
        return rest

    def analyse(self, completed: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean change, its variance and degrees of freedom at each visit after the first."""
        changes = completed[:, :, 1:] - completed[:, :, :1]
        squares = np.sum(self.residuals(changes) ** 2, axis=1)
        return changes.mean(axis=1), squares / self.df / self.n, np.full(changes.shape[2], self.df)


def pooled(
    visit: str,
    n_missing: int,
    *,
    estimate: float,
    within: float,
    between: float,
    df_complete: float,
    imputations: int,
    conf_level: float,
) -> ImputedVisit:
    """Combine the two variances by Rubin's rules; where nothing was imputed, those of the data stand."""
    from scipy.special import stdtr, stdtrit

    added = between * (1 + 1 / imputations) if imputations else 0.0
    total = within + added
    se = math.sqrt(total)
    if se <= NOISE * abs(estimate) or within == 0:
        raise ValueError(
            f"y: the changes at visit {visit} do not vary; expected changes that do; their standard error "
            "is 0 and t is not defined"
        )
    df, fraction = df_complete, 0.0
    if added > 0:
        df = barnard_rubin_df(added, total, imputations=imputations, df_complete=df_complete)
        ratio = added / within
        fraction = (ratio + 2 / (df + 3)) / (ratio + 1)
    reach = -float(stdtrit(df, (1 - conf_level) / 2)) * se
    return ImputedVisit(
        visit=visit,
        n_missing=n_missing,
        estimate=estimate,
        se=se,
        df=df,
        lower=estimate - reach,
        upper=estimate + reach,
        pvalue=float(2 * stdtr(df, -abs(estimate) / se)),
        within=within,
        between=between,
        fraction_missing=fraction,
        monte_carlo_error=math.sqrt(between / imputations) if imputations else 0.0,
    )
