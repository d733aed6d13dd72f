"""Missing visits in a trial of one group: what each assumption makes of the change at every visit.

Nothing in the data can tell what became of a patient after the last visit. Each result therefore states
its assumption in words, in ``assumption``; read them side by side. There is no control arm to refer to:
the reference is a stated course without treatment, or the trial's own baseline. Values missing
*between* visits that were seen are drawn under missing at random whatever is assumed of those who left.

The variance is Rubin's. With a reference it is larger than the variance over repeated trials in which
all who leave would be set to the reference (Seaman, White & Leacy 2014): patients who are missing then
lose information, as they do under missing at random, instead of adding it. That is wanted where an
assumption is weighed beside another (information-anchored; Cro, Carpenter & Kenward 2019), and is
conservative where the reference is the estimand itself.

References
----------
Rubin DB (1987) Multiple Imputation for Nonresponse in Surveys, ch. 3 and 5. Schafer JL (1997) Analysis
of Incomplete Multivariate Data, ch. 6. Barnard J, Rubin DB (1999) Biometrika 86:948-955. Carpenter JR,
Roger JH, Kenward MG (2013) J Biopharm Stat 23:1352-1371. Seaman SR, White IR, Leacy FP (2014) J Biopharm
Stat 24:1358-1362. Cro S, Carpenter JR, Kenward MG (2019) J R Stat Soc A 182:623-645.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import FloatArray, as_numbers, check_choice, check_level
from onearm.stats.proportion import whole_number
from onearm.stats.repeated_measures.imputed import Changes, ImputedVisits, ReferenceCourse, pooled
from onearm.stats.repeated_measures.sequential import (
    TOGETHER,
    AfterDropout,
    Visits,
    check_enough,
    draw_completed,
    read_visits,
)

#: Analysis of completed data sets (M, n, m): estimates and variances (M, c), degrees of freedom (c,) or (M, c).
Analyse = Callable[[FloatArray], tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]

#: Data sets drawn where no other number is asked for.
IMPUTATIONS = 1000
#: Rounds of values and parameters before a chain's draw is used, where visits in between are missing.
BURN_IN = 100


def impute_visits(
    y: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    imputations: int = IMPUTATIONS,
    covariates: npt.ArrayLike | None = None,
    after_dropout: AfterDropout = "missing at random",
    reference: ReferenceCourse | None = None,
    delta: npt.ArrayLike = 0.0,
    accumulate: bool = False,
    memory: int | None = None,
    burn_in: int = BURN_IN,
    visits: Sequence[Any] | None = None,
) -> FloatArray:
    """Draw the missing visits of each patient from their posterior, many times.

    Parameters
    ----------
    y
        One row per patient, one column per visit in order of time, the first the baseline; NaN where
        missing. Each patient has at least one value.
    rng
        Random generator. The same state gives the same draws for every assumption, so that two of them
        differ by the assumption alone.
    imputations
        How many data sets are completed; at least 2.
    covariates
        Known for every patient, shape (patients, covariates); each has an effect of its own at every
        visit. None: visit means alone.
    after_dropout
        What a patient's mean is from the first visit missed after the last one seen. Until then it is
        that of the visit; and what was seen of the patient above or below it carries over as far as
        visits hang together.

        - ``"missing at random"``: as that of the others.
        - ``"jump to baseline"``: the mean at the baseline.
        - ``"copy increments"``: what was gained until the last visit seen is kept, then the mean moves
          as the untreated do.
        - ``"jump to reference"``: the mean at the baseline plus the untreated change.
        - ``"last mean"``: the mean of the visit last seen. (Of the *mean*: a patient's last value is
          never written down as measured later.)
    reference
        The untreated course; for ``"copy increments"`` and ``"jump to reference"`` only.
    delta
        Added to what was drawn after a patient left: one number for every visit, or one for each
        column of ``y``. It shifts values after they are drawn, and does not carry over to later ones.
    accumulate
        Whether a visit gets the deltas of all visits missed until then, instead of its own.
    memory
        How many earlier visits predict one (ante-dependence of that order); None: all of them.
    burn_in
        Rounds in which values and parameters are drawn in turn before a draw is used. Each data set has a
        chain of its own. Needed, and done, only where visits in between are missing.
    visits
        Names of the columns.

    Returns
    -------
    array of shape (imputations, patients, visits)
        Values that were seen are as they were.

    Raises
    ------
    ValueError
        If there are too few patients: a visit must be seen in three more than are needed for its
        regression, that is 1 + covariates + earlier visits (at most ``memory``) + 3: seven of them for
        four visits without covariates. Also if values follow exactly from earlier ones, or arguments
        do not fit.

    Notes
    -----
    Normal model, unstructured covariance; see the module's head for the prior and what is exact.

    Examples
    --------
    >>> nan = float("nan")
    >>> y = [[9, 7, 6], [8, 8, 4], [7, 5, 5], [9, 6, 3], [6, 6, 6], [8, 4, 5], [7, nan, 4], [9, 7, nan]]
    >>> drawn = impute_visits(y, rng=np.random.default_rng(1), imputations=5)
    >>> drawn.shape, bool(np.isnan(drawn).any())
    ((5, 8, 3), False)
    """
    times = whole_number(imputations, "imputations", least=2)
    data = read_visits(y, covariates, memory, visits)
    shift = shifts(data, delta, accumulate)
    drawing = Drawing(data, after_dropout, reference, burn_in)
    return np.concatenate([part + shift for part in drawing.parts(times, rng)])


def imputed_changes(
    y: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    imputations: int = IMPUTATIONS,
    covariates: npt.ArrayLike | None = None,
    after_dropout: AfterDropout = "missing at random",
    reference: ReferenceCourse | None = None,
    delta: npt.ArrayLike = 0.0,
    accumulate: bool = False,
    memory: int | None = None,
    burn_in: int = BURN_IN,
    visits: Sequence[Any] | None = None,
    analyse: Analyse | None = None,
    conf_level: float = 0.95,
) -> ImputedVisits:
    """Estimate the mean change from baseline to each visit under one assumption about missing visits.

    Parameters
    ----------
    y, rng, imputations, covariates, after_dropout, reference, delta, accumulate, memory, burn_in, visits
        As in :func:`impute_visits`.
    analyse
        Analysis of completed data sets: takes them as one array (data sets, patients, visits), gives
        estimates and variances (data sets, contrasts) and the degrees of freedom that complete data
        have. None: the mean change from the first column to each later one; with complete data that is
        what the mixed model with unstructured covariance gives (paired t; with covariates the regression
        of the change on them, at their means).
    conf_level
        Level of the intervals.

    Returns
    -------
    ImputedVisits
        Print ``monte_carlo_error`` beside each estimate. With nobody missing: the analysis of the data.

    Raises
    ------
    ValueError
        As :func:`impute_visits`; if nothing varies; or if ``analyse`` has no answer for a data set.

    Examples
    --------
    >>> nan = float("nan")
    >>> y = [[9, 7, 6], [8, 8, 4], [7, 5, 5], [9, 6, 3], [6, 6, 6], [8, 4, 5], [7, nan, 4], [9, 7, nan]]
    >>> found = imputed_changes(y, rng=np.random.default_rng(1))
    >>> [round(visit.estimate, 1) for visit in found.visits], found.n_left, found.n_between
    ([-1.8, -3.2], 1, 1)
    """
    check_level(conf_level)
    times = whole_number(imputations, "imputations", least=2)
    data = read_visits(y, covariates, memory, visits)
    shift = shifts(data, delta, accumulate)
    drawing = Drawing(data, after_dropout, reference, burn_in)
    work = analyse or Changes(data).analyse
    if data.seen.all():
        parts, times = iter([data.raw[None]]), 0
    else:
        parts = drawing.parts(times, rng)
    estimates, variances, dfs = _analysed((part + shift for part in parts), work)
    names, missing = _contrasts(data, estimates.shape[1], analyse is not None)
    rows = tuple(
        pooled(
            names[at],
            missing[at],
            estimate=float(estimates[:, at].mean()),
            within=float(variances[:, at].mean()),
            between=float(np.var(estimates[:, at], ddof=1))
            if np.ptp(estimates[:, at]) > 0
            else 0.0,
            df_complete=float(dfs[:, at].mean()),
            imputations=times,
            conf_level=conf_level,
        )
        for at in range(estimates.shape[1])
    )
    return ImputedVisits(
        method="complete data" if data.seen.all() else after_dropout,
        assumption=words(data, after_dropout, reference, delta, accumulate),
        n=data.raw.shape[0],
        n_left=int(data.left[:, -1].sum()),
        n_between=int(data.gaps.sum()),
        memory=data.memory,
        imputations=times,
        conf_level=conf_level,
        visits=rows,
    )


class Drawing:
    """What to draw, checked; draws come in parts that bound the memory."""

    def __init__(
        self,
        data: Visits,
        after_dropout: AfterDropout,
        reference: ReferenceCourse | None,
        burn_in: int,
    ) -> None:
        check_choice("after_dropout", after_dropout, get_args(AfterDropout))
        self.data, self.after_dropout = data, after_dropout
        self.burn_in = whole_number(burn_in, "burn_in", least=1)
        self.course, self.course_root = _course(data, after_dropout, reference)
        if not data.seen.all():
            check_enough(data)

    def parts(self, times: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield completed data sets, ``times`` in all."""
        together = max(1, TOGETHER // self.data.raw.size)
        for begin in range(0, times, together):
            chains = min(together, times - begin)
            yield draw_completed(
                self.data,
                self.after_dropout,
                self.course,
                self.course_root,
                self.burn_in,
                chains,
                rng,
            )


def _course(
    data: Visits, after_dropout: AfterDropout, reference: ReferenceCourse | None
) -> tuple[FloatArray, FloatArray]:
    """Return the untreated change at every column, and a root of the covariance of its errors."""
    m = data.raw.shape[1]
    course, root = np.zeros(m), np.zeros((m, m))
    needed = after_dropout in ("copy increments", "jump to reference")
    if needed != (reference is not None):
        raise ValueError(
            f"reference: found {'none' if needed else 'one'} with after_dropout={after_dropout!r}; "
            f"expected {'a ReferenceCourse' if needed else 'none, since nothing refers to it'}"
        )
    if reference is None:
        return course, root
    course[1:] = _one_per_visit(reference.change, "reference.change", m - 1)
    if reference.se is not None:
        se = np.concatenate([[0.0], as_numbers(reference.se, "reference.se")])
        # One error shared by all visits, and one of each visit's own.
        root = np.diag(se * math.sqrt(1 - reference.correlation))
        root[:, 0] = se * math.sqrt(reference.correlation)
    return course, root


def _one_per_visit(values: Sequence[float], name: str, wanted: int) -> FloatArray:
    numbers = as_numbers(values, name)
    if numbers.size != wanted:
        raise ValueError(
            f"{name}: found {numbers.size} numbers; expected {wanted}, one for each visit after the "
            "baseline"
        )
    return numbers


def shifts(data: Visits, delta: npt.ArrayLike, accumulate: bool) -> FloatArray:
    """Return what is added to each value, (n, m): zero until a patient has left."""
    m = data.raw.shape[1]
    each = as_numbers(np.atleast_1d(np.asarray(delta)), "delta")
    if each.size not in (1, m):
        raise ValueError(
            f"delta: found {each.size} numbers; expected one, or {m}, one for each column of y"
        )
    added = np.where(data.left, np.broadcast_to(each, (m,)), 0.0)
    return np.cumsum(added, axis=1) if accumulate else added


def _analysed(
    parts: Iterator[FloatArray], analyse: Analyse
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Analyse all completed data sets; estimates, variances and degrees of freedom are (M, c)."""
    found: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for part in parts:
        estimate, variance, df = (np.asarray(a, dtype=np.float64) for a in analyse(part))
        fits = estimate.ndim == 2 and estimate.shape[0] == part.shape[0]
        if not fits or variance.shape != estimate.shape:
            raise ValueError(
                f"analyse: found estimates of shape {estimate.shape} and variances of shape "
                f"{variance.shape}; expected ({part.shape[0]}, contrasts) for both"
            )
        df = np.broadcast_to(df, estimate.shape)
        bad = ~(np.isfinite(estimate) & (variance >= 0) & (df > 0)).all(axis=1)
        if np.any(bad):
            raise ValueError(
                f"analyse: no estimate, variance or degrees of freedom in {int(bad.sum())} of "
                f"{part.shape[0]} completed data sets; expected them in all; choose a simpler analysis"
            )
        found.append((estimate, variance, df))
    estimates, variances, dfs = (np.concatenate(kind) for kind in zip(*found, strict=True))
    return estimates, variances, dfs


def _contrasts(data: Visits, contrasts: int, own_analysis: bool) -> tuple[list[str], list[int]]:
    """Name the contrasts, and count who has no value for each; both by visit where they are as many."""
    labels = list(data.labels[1:])
    if own_analysis and contrasts != len(labels):
        incomplete = int((~data.seen).any(axis=1).sum())
        return [str(at) for at in range(contrasts)], [incomplete] * contrasts
    return labels, [int(count) for count in (~data.seen[:, 1:] | ~data.seen[:, :1]).sum(axis=0)]


def patients(count: int) -> str:
    """Write how many patients."""
    return f"{count} patient{'s' * (count != 1)}"


def words(
    data: Visits,
    after_dropout: AfterDropout,
    reference: ReferenceCourse | None,
    delta: npt.ArrayLike | str,
    accumulate: bool,
) -> str:
    """State the assumption: of those who left, then of the values missing in between."""
    said = []
    left, between = int(data.left[:, -1].sum()), int(data.gaps.sum())
    if left:
        moves = ", ".join(f"{value:g}" for value in reference.change) if reference else ""
        said.append(
            f"The {patients(left)} who left "
            + {
                "missing at random": "went on as patients with the same values until then did",
                "jump to baseline": "went back, on average, to the mean at baseline",
                "copy increments": "kept what they had gained, on average, and then moved as the "
                f"untreated do (changes from baseline: {moves})",
                "jump to reference": "were, on average, where the mean at baseline and the untreated "
                f"changes from it lead ({moves})",
                "last mean": "stayed, on average, at the mean of the visit at which they were last seen",
            }[after_dropout]
            + _delta_words(delta, accumulate)
            + "."
        )
    if between:
        one = between == 1
        said.append(
            f"The {between} value{'' if one else 's'} missing in between {'is as that' if one else 'are as those'} "
            "of patients with the same values at the other visits (missing at random)."
        )
    return " ".join(said) or "Nobody is missing, so nothing is assumed."


def _delta_words(delta: npt.ArrayLike | str, accumulate: bool) -> str:
    if isinstance(delta, str):
        amount = delta
    else:
        each = np.atleast_1d(np.asarray(delta, dtype=np.float64))
        if not np.any(each):
            return ""
        amount = ", ".join(f"{value:g}" for value in each)
        amount = amount if each.size == 1 else f"({amount}) by visit"
    return (
        f", plus {amount} {'more at each visit missed' if accumulate else 'at each visit missed'}"
    )
