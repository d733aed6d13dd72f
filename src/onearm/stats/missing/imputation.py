"""Missing changes drawn from a distribution: regression on before, or an untreated reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import NOISE, FloatArray, check_level
from onearm.stats.missing.pairs import Pairs, nobody_missing, one_number, patients, read_pairs
from onearm.stats.missing.results import ImputedResult
from onearm.stats.paired import paired_t
from onearm.stats.proportion import whole_number

#: Fewest observed patients for a regression whose predictions have a finite variance: two are spent
#: on the line, and a t distribution needs more than two degrees of freedom to have a variance.
LEAST_OBSERVED = 5


@dataclass(frozen=True)
class ReferenceChange:
    """The change of an untreated group: its mean and standard deviation, in the measure's unit.

    ``se`` is the standard error of the mean, 0 where it is taken as known.
    """

    mean: float
    sd: float
    se: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError(f"mean: found {self.mean}; expected the mean untreated change")
        if not 0 < self.sd < math.inf:
            raise ValueError(
                f"sd: found {self.sd}; expected the standard deviation of the untreated change, "
                "above zero"
            )
        if not 0 <= self.se < math.inf:
            raise ValueError(f"se: found {self.se}; expected a standard error, zero or above")


class History(Protocol):
    """An untreated population, as :class:`onearm.stats.regression_to_mean.NaturalHistory`.

    Mean and total SD of one reading, correlation of two, with standard errors of mean and
    correlation and the covariance of these errors.
    """

    @property
    def mean(self) -> float:
        """Mean of one reading."""

    @property
    def sd(self) -> float:
        """Total standard deviation of one reading."""

    @property
    def rho(self) -> float:
        """Correlation of two readings."""

    @property
    def mean_se(self) -> float:
        """Standard error of the mean."""

    @property
    def rho_se(self) -> float:
        """Standard error of the correlation."""

    @property
    def covariance(self) -> float:
        """Covariance of the two errors."""


@dataclass(frozen=True)
class Predicted:
    """What an assumption says of the missing changes: mean, covariance, and how to draw them.

    ``draw(rng, times)`` gives shape (times, missing).
    """

    mean: FloatArray
    covariance: FloatArray
    draw: Callable[[np.random.Generator, int], FloatArray]


def missing_at_random(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    delta: float = 0.0,
    conf_level: float = 0.95,
) -> ImputedResult:
    """Estimate the mean change when missing values follow the regression of after on before.

    This is the limit of :func:`multiple_imputation` for infinitely many imputations, computed: it
    needs no random numbers.

    Parameters
    ----------
    before, after
        As in :func:`complete_cases`; at least five patients observed.
    delta
        What is added to each missing value after it has been predicted; 0: missing at random.
    conf_level
        Level of the interval.

    Returns
    -------
    ImputedResult
        With nobody missing: the paired t test.

    Raises
    ------
    ValueError
        If fewer than five patients are observed, their values before are all the same, or nothing
        varies.

    Notes
    -----
    Normal regression with the prior 1/sigma². The missing values then have a joint t distribution
    with r - 2 degrees of freedom (r observed); its mean and variance give Rubin's between- and
    within-variance without drawing.

    References
    ----------
    Rubin DB (1987) Multiple Imputation for Nonresponse in Surveys, ch. 3 and 5. Barnard J, Rubin DB
    (1999) Biometrika 86:948-955.

    Examples
    --------
    >>> result = missing_at_random([12, 10, 16, 8, 14, 11], [6, 8, 8, 7, 12, None])
    >>> round(result.estimate, 3), round(result.fraction_missing, 2)
    (-3.683, 0.5)
    """
    check_level(conf_level)
    pairs = read_pairs(before, after, least=1)
    return at_random(pairs, one_number(delta, "delta"), conf_level)


def reference_based(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    reference: ReferenceChange | History,
    *,
    conf_level: float = 0.95,
) -> ImputedResult:
    """Estimate the mean change when patients without follow-up are taken to be as if untreated.

    Parameters
    ----------
    before, after
        As in :func:`complete_cases`; at least two patients observed.
    reference
        A natural history (``mean``, ``sd``, ``rho``: the untreated population, see
        :class:`onearm.stats.regression_to_mean.NaturalHistory`): *jump to reference*, a missing
        patient is from then on an untreated one with the same value before. Or a
        :class:`ReferenceChange`: *copy increments*, a missing patient changed from the own value
        before by what untreated patients change.
    conf_level
        Level of the interval.

    Returns
    -------
    ImputedResult
        The limit for infinitely many imputations; the uncertainty of the reference is included.

    Raises
    ------
    ValueError
        If fewer than two patients are observed, or the reference is of another kind.

    Notes
    -----
    Rubin's variance keeps the information that the missing patients lack; the variance over repeated
    trials, in which they would all be set to the reference, is smaller (Cro, Carpenter & Kenward
    2019).

    References
    ----------
    Carpenter JR, Roger JH, Kenward MG (2013) J Biopharm Stat 23:1352-1371. Cro S, Carpenter JR,
    Kenward MG (2019) J R Stat Soc A 182:623-645.

    Examples
    --------
    >>> untreated = ReferenceChange(mean=-1, sd=3)
    >>> reference_based([12, 10, 16, 8, 14], [6, 8, 8, None, 12], untreated).estimate
    -3.8
    """
    check_level(conf_level)
    pairs = read_pairs(before, after, least=2)
    if pairs.n_missing == 0:
        return _nothing_imputed(pairs, conf_level, 0.0)
    predicted, method, says = _by_reference(pairs, reference)
    return _limit(pairs, predicted, 0.0, conf_level, method, says)


def multiple_imputation(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    imputations: int = 1000,
    delta: float = 0.0,
    reference: ReferenceChange | History | None = None,
    conf_level: float = 0.95,
) -> ImputedResult:
    """Estimate the mean change by drawing the missing values many times, pooled by Rubin's rules.

    Parameters
    ----------
    before, after
        As in :func:`missing_at_random`, or in :func:`reference_based` where a reference is given.
    rng
        Random generator.
    imputations
        How many times the missing values are drawn; at least 2.
    delta
        What is added to each imputed value; 0: nothing.
    reference
        None: Bayesian normal regression of after on before, parameters drawn from their posterior
        (prior 1/sigma²). Else values are drawn as in :func:`reference_based`.
    conf_level
        Level of the interval.

    Returns
    -------
    ImputedResult
        Print ``monte_carlo_error`` beside the estimate. :func:`missing_at_random` and
        :func:`reference_based` give the limit of it without drawing.

    Raises
    ------
    ValueError
        As these functions, or if ``imputations`` is below 2.

    References
    ----------
    Rubin DB (1987) Multiple Imputation for Nonresponse in Surveys. Barnard J, Rubin DB (1999)
    Biometrika 86:948-955 (degrees of freedom).

    Examples
    --------
    >>> rng = np.random.default_rng(20181230)
    >>> before, after = [12, 10, 16, 8, 14, 11], [6, 8, 8, 7, 12, None]
    >>> result = multiple_imputation(before, after, rng=rng, imputations=10_000)
    >>> abs(result.estimate - missing_at_random(before, after).estimate) < 0.04
    True
    """
    check_level(conf_level)
    times = whole_number(imputations, "imputations", least=2)
    shift = one_number(delta, "delta")
    pairs = read_pairs(before, after, least=1 if reference is None else 2)
    if pairs.n_missing == 0:
        return _nothing_imputed(pairs, conf_level, shift)
    if reference is None:
        predicted, says = by_regression(pairs), _at_random_words(pairs, shift)
    else:
        predicted, _, says = _by_reference(pairs, reference)
        says = f"{says[:-1]}, plus {shift:g}." if shift else says
    drawn = predicted.draw(rng, times) + shift
    observed = np.broadcast_to(pairs.change, (times, pairs.change.size))
    completed = np.concatenate([observed, drawn], axis=1)
    estimates = completed.mean(axis=1)
    within = float(np.mean(completed.var(axis=1, ddof=1))) / pairs.n
    between = float(np.var(estimates, ddof=1))
    return _pooled(
        pairs,
        method="multiple imputation",
        assumption=says,
        estimate=float(estimates.mean()),
        within=within,
        between=between,
        imputations=times,
        delta=shift,
        conf_level=conf_level,
    )


def barnard_rubin_df(
    between: float, total: float, *, imputations: int, df_complete: float
) -> float:
    """Return the degrees of freedom of a multiply imputed estimate, for small samples.

    Parameters
    ----------
    between
        Variance of the estimate from one imputation to another, times (1 + 1/imputations).
    total
        Total variance.
    imputations
        Their number; 0 for infinitely many.
    df_complete
        Degrees of freedom that complete data would have.

    References
    ----------
    Barnard J, Rubin DB (1999) Biometrika 86:948-955.

    Examples
    --------
    >>> round(barnard_rubin_df(0.3, 1.0, imputations=20, df_complete=8), 3)
    4.484
    """
    share = between / total
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    drawn = share**2 / (imputations - 1) if imputations else 0.0
    return 1 / (drawn + 1 / observed)


def at_random(pairs: Pairs, delta: float, conf_level: float) -> ImputedResult:
    """Return the limit of infinitely many imputations from the regression, plus delta."""
    if pairs.n_missing == 0:
        return _nothing_imputed(pairs, conf_level, delta)
    method = "delta adjustment" if delta else "missing at random"
    says = _at_random_words(pairs, delta)
    return _limit(pairs, by_regression(pairs), delta, conf_level, method, says)


def _at_random_words(pairs: Pairs, delta: float) -> str:
    words = (
        f"The {patients(pairs)} without follow-up changed as patients with the same value before"
    )
    return f"{words} did{f', plus {delta:g}' if delta else ''}."


def by_regression(pairs: Pairs) -> Predicted:
    """Predict missing changes by the regression of after on before (normal, prior 1/sigma²)."""
    r = pairs.change.size
    if r < LEAST_OBSERVED:
        raise ValueError(
            f"after: found {r} of {pairs.n} patients with a follow-up value; expected at least "
            f"{LEAST_OBSERVED}: with fewer, what the regression on before predicts has no finite "
            "variance; give a reference or use worst_case"
        )
    x = pairs.before[~pairs.is_missing]
    if np.ptp(x) <= NOISE * np.max(np.abs(x)):
        raise ValueError(
            f"before: all {r} patients with a follow-up value started from {x[0]:g}; expected values "
            "that vary, to regress after on before; use worst_case or reference_based"
        )
    away, own = x - x.mean(), pairs.before[pairs.is_missing] - x.mean()
    squares = float(away @ away)
    # The regression of the change on before has the same residuals as that of after.
    slope = float(away @ pairs.change) / squares
    centre = pairs.change.mean() + slope * own
    residual = pairs.change - pairs.change.mean() - slope * away
    rest, df = float(residual @ residual), r - 2
    leverage = 1 / r + np.outer(own, own) / squares

    def draw(rng: np.random.Generator, times: int) -> FloatArray:
        sigma = np.sqrt(rest / rng.chisquare(df, size=(times, 1)))
        level = rng.standard_normal((times, 1)) / math.sqrt(r)
        tilt = rng.standard_normal((times, 1)) * own / math.sqrt(squares)
        values: FloatArray = centre + sigma * (
            level + tilt + rng.standard_normal((times, own.size))
        )
        return values

    # The variance of a t distribution with df degrees of freedom and scale² rest/df.
    return Predicted(centre, rest / (df - 2) * (np.eye(own.size) + leverage), draw)


def _by_reference(pairs: Pairs, reference: ReferenceChange | History) -> tuple[Predicted, str, str]:
    """Predict missing changes as those of untreated patients; name and state the assumption."""
    own = pairs.before[pairs.is_missing]
    if isinstance(reference, ReferenceChange):
        centre = np.full(own.size, float(reference.mean))
        noise, shared = reference.sd**2, np.full((own.size, own.size), reference.se**2)
        method = "copy increments"
        says = (
            f"The {patients(pairs)} without follow-up changed from their own value before as "
            f"untreated patients do: by {reference.mean:+g} on average (SD {reference.sd:g})."
        )
    elif all(hasattr(reference, name) for name in ("mean", "sd", "rho")):
        mean, rho = reference.mean, reference.rho
        centre = (rho - 1) * (own - mean)
        by_mean, by_rho = np.full(own.size, 1 - rho), own - mean
        errors = np.array(
            [
                [reference.mean_se**2, reference.covariance],
                [reference.covariance, reference.rho_se**2],
            ]
        )
        gradient = np.stack([by_mean, by_rho], axis=1)
        noise, shared = reference.sd**2 * (1 - rho**2), gradient @ errors @ gradient.T
        method = "jump to reference"
        says = (
            f"The {patients(pairs)} without follow-up ended where untreated patients with the same "
            f"value before do: mean {mean:g}, SD {reference.sd:g}, correlation {rho:g}."
        )
    else:
        raise ValueError(
            f"reference: found {type(reference).__name__}; expected a ReferenceChange (mean, sd) or "
            "a natural history (mean, sd, rho)"
        )
    covariance: FloatArray = noise * np.eye(own.size) + shared

    def draw(rng: np.random.Generator, times: int) -> FloatArray:
        return rng.multivariate_normal(centre, covariance, size=times, method="eigh")

    return Predicted(centre, covariance, draw), method, says


def _limit(
    pairs: Pairs,
    predicted: Predicted,
    delta: float,
    conf_level: float,
    method: str,
    says: str,
) -> ImputedResult:
    """Pool infinitely many imputations: their moments are those of the predicted changes."""
    n = pairs.n
    centre = np.concatenate([pairs.change, predicted.mean + delta])
    mean = math.fsum(centre) / n
    of_sum = float(predicted.covariance.sum())
    squares = math.fsum((centre - mean) ** 2) + float(np.trace(predicted.covariance)) - of_sum / n
    return _pooled(
        pairs,
        method=method,
        assumption=says,
        estimate=mean,
        within=squares / (n - 1) / n,
        between=of_sum / n**2,
        imputations=0,
        delta=delta,
        conf_level=conf_level,
    )


def _nothing_imputed(pairs: Pairs, conf_level: float, delta: float) -> ImputedResult:
    """Return the paired t test of complete data."""
    t = paired_t(pairs.change, conf_level=conf_level)
    return ImputedResult(
        method="complete data",
        assumption=nobody_missing(pairs),
        n=pairs.n,
        n_missing=0,
        estimate=t.estimate,
        lower=t.lower,
        upper=t.upper,
        pvalue=t.pvalue,
        se=t.sd / math.sqrt(t.n),
        df=t.df,
        conf_level=conf_level,
        delta=delta,
        imputations=0,
        within=t.sd**2 / t.n,
        between=0.0,
        fraction_missing=0.0,
        monte_carlo_error=0.0,
    )


def _pooled(
    pairs: Pairs,
    *,
    method: str,
    assumption: str,
    estimate: float,
    within: float,
    between: float,
    imputations: int,
    delta: float,
    conf_level: float,
) -> ImputedResult:
    """Combine the two variances by Rubin's rules, with Barnard and Rubin's degrees of freedom."""
    from scipy.special import stdtr, stdtrit

    added = between * (1 + 1 / imputations) if imputations else between
    total = within + added
    if total <= (NOISE * float(np.max(np.abs(pairs.change)))) ** 2:
        raise ValueError(
            "after: neither the observed nor the imputed changes vary; expected changes that do; "
            "their standard error is 0 and t is not defined"
        )
    df = barnard_rubin_df(added, total, imputations=imputations, df_complete=pairs.n - 1)
    se = math.sqrt(total)
    reach = -float(stdtrit(df, (1 - conf_level) / 2)) * se
    ratio = added / within
    return ImputedResult(
        method=method,
        assumption=assumption,
        n=pairs.n,
        n_missing=pairs.n_missing,
        estimate=estimate,
        lower=estimate - reach,
        upper=estimate + reach,
        pvalue=float(2 * stdtr(df, -abs(estimate) / se)),
        se=se,
        df=df,
        conf_level=conf_level,
        delta=delta,
        imputations=imputations,
        within=within,
        between=between,
        fraction_missing=(ratio + 2 / (df + 3)) / (ratio + 1),
        monte_carlo_error=math.sqrt(between / imputations) if imputations else 0.0,
    )
