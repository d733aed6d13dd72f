"""What is said of a trial with missing follow-up: one record for each kind of answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MissingResult:
    """The mean change under one assumption about the patients without follow-up.

    ``assumption`` is that assumption in one sentence. ``n`` counts all patients, ``n_missing`` those
    without follow-up. ``estimate`` is the mean change (after a signed-rank test: Hodges and
    Lehmann's), ``lower`` and ``upper`` its limits at ``conf_level``, ``pvalue`` the two-sided P of
    no change. ``se`` and ``df`` are the standard error and the degrees of freedom of the t test,
    None after a signed-rank test.
    """

    method: str
    assumption: str
    n: int
    n_missing: int
    estimate: float
    lower: float
    upper: float
    pvalue: float
    se: float | None
    df: float | None
    conf_level: float


@dataclass(frozen=True, kw_only=True)
class ImputedResult(MissingResult):
    """The mean change when missing changes are drawn from a distribution, pooled by Rubin's rules.

    ``within`` and ``between`` are the two variances of the estimate: of the completed data, and from
    one imputation to another. ``fraction_missing`` is the fraction of missing information. ``delta``
    is what was added to each imputed value. ``imputations`` is their number, 0 for the limit of
    infinitely many, which is computed and has no Monte Carlo error; ``monte_carlo_error`` is the
    standard error of ``estimate`` that is due to the number of imputations.
    """

    delta: float
    imputations: int
    within: float
    between: float
    fraction_missing: float
    monte_carlo_error: float


@dataclass(frozen=True, kw_only=True)
class WorstCase:
    """The range of results between the worst and the best plausible change of each missing patient.

    ``pvalue_largest`` is the largest P that any fills between the two can give, None where there are
    too many to try.
    """

    worst: MissingResult
    best: MissingResult
    pvalue_largest: float | None
    assumption: str


@dataclass(frozen=True, kw_only=True)
class MissingShare:
    """A share of responders under one assumption about the patients without follow-up.

    ``x`` of ``n`` responded; limits are Clopper-Pearson's. ``pvalue`` is the exact probability of so
    many responders, or more, at the reference rate; None where no rate was given.
    """

    method: str
    assumption: str
    x: int
    n: int
    n_missing: int
    estimate: float
    lower: float
    upper: float
    pvalue: float | None
    conf_level: float


@dataclass(frozen=True, kw_only=True)
class WorstCaseShare:
    """A share of responders: of the complete cases, and with all missing as failures or successes.

    ``complete`` is None where nobody is observed.
    """

    complete: MissingShare | None
    worst: MissingShare
    best: MissingShare
    assumption: str


@dataclass(frozen=True, kw_only=True)
class TippingPoint:
    """How far the missing patients must depart from missing at random to change the conclusion.

    ``rows`` are the results at each delta asked for. ``delta`` is the one nearest to zero at which P
    crosses ``alpha``; None where the conclusion does not tip. ``expected`` is the mean change of the
    missing patients that missing at random predicts (None when nobody is missing). ``words`` states
    the finding.
    """

    rows: tuple[ImputedResult, ...]
    delta: float | None
    expected: float | None
    words: str
    assumption: str
    alpha: float
