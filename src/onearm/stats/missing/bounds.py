"""Complete cases, and the range of results between the worst and the best that can be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from onearm.stats.differences import (
    NOISE,
    FloatArray,
    as_numbers,
    check_choice,
    check_level,
    mean_and_sd,
)
from onearm.stats.hodges_lehmann import hodges_lehmann
from onearm.stats.missing.pairs import Pairs, nobody_missing, one_number, patients, read_pairs
from onearm.stats.missing.results import MissingResult, MissingShare, WorstCase, WorstCaseShare
from onearm.stats.paired import paired_t
from onearm.stats.proportion import clopper_pearson
from onearm.stats.signed_rank import signed_rank

Test = Literal["paired_t", "signed_rank"]
Better = Literal["lower", "higher"]
Fill = Literal["observed", "no change", "attainable"]

#: Most combinations of worst and best changes that are tried for the largest P.
CORNERS = 4096
ORDERS = 4096


def complete_cases(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    test: Test = "paired_t",
    conf_level: float = 0.95,
) -> MissingResult:
    """Estimate the change from the patients with a follow-up value alone.

    Parameters
    ----------
    before
        One value per patient, none missing.
    after
        The follow-up values in the same order and unit; None or NaN where missing.
    test
        ``"paired_t"``: mean change; ``"signed_rank"``: Hodges-Lehmann estimate, exact signed-rank
        test, zeros by Pratt's rule.
    conf_level
        Level of the interval.

    Returns
    -------
    MissingResult

    Raises
    ------
    ValueError
        If fewer than two patients are observed, or their changes do not vary (t test only).

    Examples
    --------
    >>> result = complete_cases([12, 10, 16, 8, 14], [6, 8, 8, None, 12])
    >>> result.estimate, result.n, result.n_missing
    (-4.5, 5, 1)
    """
    check_choice("test", test, get_args(Test))
    pairs = read_pairs(before, after, least=2)
    return _tested(
        pairs.change,
        pairs,
        test,
        conf_level,
        "complete cases",
        nobody_missing(pairs)
        or f"The {patients(pairs)} without follow-up changed, on average, as the others did.",
    )


def worst_case(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    better: Better,
    worst: Fill | float = "observed",
    best: Fill | float = "observed",
    scale: tuple[float, float] | None = None,
    test: Test = "paired_t",
    conf_level: float = 0.95,
) -> WorstCase:
    """Bound the change: all missing patients at their worst plausible change, then at their best.

    Parameters
    ----------
    before, after
        As in :func:`complete_cases`; one observed patient is enough.
    better
        Whether a ``"lower"`` or a ``"higher"`` value is the better one.
    worst, best
        What is plausible: ``"observed"``, the worst (best) change among the observed patients;
        ``"no change"``; ``"attainable"``, the change to the worst (best) value of ``scale``; or a
        change as a number.
    scale
        Lowest and highest value that the measure can take; needed for ``"attainable"``.
    test, conf_level
        As in :func:`complete_cases`.

    Returns
    -------
    WorstCase
        The estimate lies between the two for any fills between them. P does not: for the t test an
        extreme fill also inflates the spread; hence ``pvalue_largest``.

    Raises
    ------
    ValueError
        If nobody is observed, a choice is unknown, ``scale`` is needed and not given, a value lies
        outside it, or the best change is worse than the worst; for the t test also if no changes
        vary.

    Notes
    -----
    Where the mean change keeps its sign for all fills, t is smallest in size at a corner (each
    patient at worst or at best), since a positive linear function over a positive convex one is
    quasi-concave; all corners are tried. The exact signed rank depends on the order, the
    signs and the ties of the changes only; every one that fills can bring about is tried. Where the
    direction turns, P reaches 1 in between. ``pvalue_largest`` is None where these are too many.

    Examples
    --------
    >>> bounds = worst_case([12, 10, 16, 8, 14], [6, 8, 8, None, 12], better="lower")
    >>> bounds.worst.estimate, bounds.best.estimate
    (-4.0, -5.2)
    >>> worst_case([12, 10, 16], [6, 8, None], better="lower", worst=3).worst.estimate
    -1.6666666666666667
    """
    check_choice("test", test, get_args(Test))
    check_choice("better", better, get_args(Better))
    pairs = read_pairs(before, after, least=1)
    sign = -1.0 if better == "lower" else 1.0
    low, low_words = _fill(pairs, worst, -sign, "worst", scale)
    high, high_words = _fill(pairs, best, sign, "best", scale)
    if np.any(sign * high < sign * low):
        at = int(np.flatnonzero(sign * high < sign * low)[0])
        raise ValueError(
            f"worst, best: the best change of a missing patient ({high[at]:g}) is worse than the "
            f"worst ({low[at]:g}), {better} being better; choose others"
        )

    def result(fill: FloatArray, name: str, words: str) -> MissingResult:
        says = nobody_missing(pairs) or f"Each of the {patients(pairs)} without follow-up {words}."
        changes = np.concatenate([pairs.change, fill])
        return _tested(changes, pairs, test, conf_level, f"{name} case", says)

    return WorstCase(
        worst=result(low, "worst", low_words),
        best=result(high, "best", high_words),
        pvalue_largest=_largest_pvalue(pairs.change, low, high, test),
        assumption=nobody_missing(pairs)
        or f"No patient without follow-up did worse than if each {low_words}, or better than if "
        f"each {high_words}.",
    )


def worst_case_share(
    response: Sequence[bool | None],
    *,
    rate: float | None = None,
    conf_level: float = 0.95,
) -> WorstCaseShare:
    """Bound a share of responders: all missing patients as failures, then all as successes.

    Parameters
    ----------
    response
        True, False, or None where the response is not known; one per patient, at least one.
    rate
        Reference rate, above 0 and below 1: P is the exact one-sided probability of at least so many
        responders.
    conf_level
        Level of Clopper and Pearson's intervals.

    Returns
    -------
    WorstCaseShare

    Raises
    ------
    ValueError
        If there is no patient, or an answer is not True, False or None.

    Examples
    --------
    >>> shares = worst_case_share([True, True, False, None])
    >>> shares.worst.estimate, shares.best.estimate
    (0.5, 0.75)
    """
    answers = [None if _is_nan(answer) else answer for answer in response]
    for at, answer in enumerate(answers):
        if answer is not None and not isinstance(answer, (bool, np.bool_)):
            raise ValueError(f"response[{at}]: found {answer!r}; expected True, False or None")
    if not answers:
        raise ValueError("response: found no patient; expected at least one")
    if rate is not None and not 0 < rate < 1:
        raise ValueError(f"rate: found {rate}; expected a share above 0 and below 1")
    n, missing = len(answers), sum(answer is None for answer in answers)
    yes = sum(bool(answer) for answer in answers)
    who = f"{missing} patient{'s' * (missing != 1)}"
    everyone = "Nobody is missing." if not missing else ""

    def share(x: int, of: int, method: str, words: str) -> MissingShare:
        interval = clopper_pearson(x, of, conf_level=conf_level)
        return MissingShare(
            method=method,
            assumption=everyone or words,
            x=x,
            n=of,
            n_missing=missing,
            estimate=interval.estimate,
            lower=interval.lower,
            upper=interval.upper,
            pvalue=None if rate is None else _at_least(x, of, rate),
            conf_level=conf_level,
        )

    as_others = f"The {who} without an answer responded as often as the others did."
    return WorstCaseShare(
        complete=share(yes, n - missing, "complete cases", as_others) if n > missing else None,
        worst=share(yes, n, "worst case", f"None of the {who} without an answer responded."),
        best=share(yes + missing, n, "best case", f"All {who} without an answer responded."),
        assumption=everyone
        or f"Nothing is assumed of the {who} without an answer: none to all of them responded.",
    )


def _is_nan(value: object) -> bool:
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _at_least(x: int, n: int, p: float) -> float:
    """Return P(X >= x) of a binomial count."""
    from scipy.special import betainc

    return float(betainc(x, n - x + 1, p)) if x else 1.0


def _tested(
    changes: FloatArray, pairs: Pairs, test: Test, conf_level: float, method: str, says: str
) -> MissingResult:
    """Test changes as if all had been observed."""
    check_level(conf_level)
    estimate, lower, upper, pvalue, se, df = _numbers_of(changes, test, conf_level)
    return MissingResult(
        method=method,
        assumption=says,
        n=pairs.n,
        n_missing=pairs.n_missing,
        estimate=estimate,
        lower=lower,
        upper=upper,
        pvalue=pvalue,
        se=se,
        df=df,
        conf_level=conf_level,
    )


def _numbers_of(
    changes: FloatArray, test: Test, conf_level: float
) -> tuple[float, float, float, float, float | None, float | None]:
    if test == "signed_rank":
        centre = hodges_lehmann(changes, zeros="pratt", conf_level=conf_level)
        pvalue = signed_rank(changes, zeros="pratt").pvalue
        return centre.estimate, centre.lower, centre.upper, pvalue, None, None
    t = paired_t(changes, conf_level=conf_level)
    return t.estimate, t.lower, t.upper, t.pvalue, t.sd / math.sqrt(t.n), t.df


def _fill(
    pairs: Pairs,
    choice: Fill | float,
    towards: float,
    name: str,
    scale: tuple[float, float] | None,
) -> tuple[FloatArray, str]:
    """Return the change given to each missing patient, and in words what that is.

    ``towards`` is 1 where the largest change is meant, -1 where the smallest.
    """
    if not isinstance(choice, str):
        change = one_number(choice, name)
        return np.full(pairs.n_missing, change), f"changed by {change:+g}"
    check_choice(name, choice, get_args(Fill))
    if choice == "no change":
        return np.zeros(pairs.n_missing), "did not change"
    if choice == "observed":
        change = towards * float(np.max(towards * pairs.change))
        words = f"changed by {change:+g}, the {name} change among those observed"
        return np.full(pairs.n_missing, change), words
    low, high = _checked_scale(pairs, scale)
    end = high if towards > 0 else low
    return end - pairs.before[pairs.is_missing], f"went to {end:g}, the {name} value there is"


def _checked_scale(pairs: Pairs, scale: tuple[float, float] | None) -> tuple[float, float]:
    if scale is None:
        raise ValueError(
            "scale: found none; 'attainable' needs the lowest and the highest value of the measure; "
            "give scale=(lowest, highest)"
        )
    low, high = (float(end) for end in as_numbers(scale, "scale"))
    outside = (pairs.before < low) | (pairs.before > high)
    if np.any(outside):
        raise ValueError(
            f"scale: found a value before of {pairs.before[outside][0]:g} outside {low:g} to "
            f"{high:g}; expected all values within; correct the value or the scale"
        )
    return low, high


def _largest_pvalue(
    observed: FloatArray, low: FloatArray, high: FloatArray, test: Test
) -> float | None:
    """Return the largest two-sided P over all fills between ``low`` and ``high``."""
    ends = [np.concatenate([observed, end]) for end in (low, high)]
    if test == "signed_rank":
        sides = [
            [signed_rank(end, zeros="pratt", alternative=side).pvalue for end in ends]
            for side in ("less", "greater")
        ]
        # Each one-sided P is monotone from fill to fill: where neither direction leads at both
        # ends, P passes 1 in between.
        falls = [less < greater for less, greater in zip(*sides, strict=True)]
        rises = [less > greater for less, greater in zip(*sides, strict=True)]
        if not (all(falls) or all(rises)):
            return 1.0
        return _largest_signed_rank(observed, low, high)
    if math.fsum(ends[0]) * math.fsum(ends[1]) <= 0:
        return 1.0
    corners = _corners(low, high)
    if corners is None:
        return None
    smallest = min(_size_of_t(np.concatenate([observed, corner])) for corner in corners)
    from scipy.special import stdtr

    return float(2 * stdtr(ends[0].size - 1, -smallest))


def _largest_signed_rank(observed: FloatArray, low: FloatArray, high: FloatArray) -> float | None:
    """Return the largest exact two-sided P over all fills: only order, signs and ties of sizes matter.

    A fill that ties with another change alters the exact distribution, so that neither end need be the
    largest. Every order is met by the sizes that occur and as many between two of them as are missing.
    """
    sizes = np.unique(np.abs(np.concatenate([observed, low, high, [0.0]])))
    shares = np.arange(1, low.size + 1) / (low.size + 1)
    between = (sizes[:-1, None] + np.diff(sizes)[:, None] * shares).ravel()
    points = np.unique(np.concatenate([sizes, -sizes, between, -between]))
    choices = [
        points[(points >= min(a, b)) & (points <= max(a, b))]
        for a, b in zip(low, high, strict=True)
    ]
    alike = len(set(zip(low.tolist(), high.tolist(), strict=True))) == 1
    fills: Iterable[tuple[float, ...]]
    if alike:
        many = math.comb(choices[0].size + low.size - 1, low.size)
        fills = itertools.combinations_with_replacement(choices[0].tolist(), low.size)
    else:
        many = math.prod(c.size for c in choices)
        fills = itertools.product(*(c.tolist() for c in choices))
    if many > ORDERS:
        return None
    return max(signed_rank(np.append(observed, fill), zeros="pratt").pvalue for fill in fills)


def _corners(low: FloatArray, high: FloatArray) -> list[FloatArray] | None:
    """Return every choice of worst or best per patient; alike patients only by how many."""
    kinds, counts = np.unique(np.stack([low, high], axis=1), axis=0, return_counts=True)
    if math.prod(int(count) + 1 for count in counts) > CORNERS:
        return None
    return (
        [
            np.concatenate(
                [
                    np.repeat(kind, [count - at_high, at_high])
                    for kind, count, at_high in zip(kinds, counts, how_many, strict=True)
                ]
            )
            for how_many in itertools.product(*(range(int(count) + 1) for count in counts))
        ]
        if low.size
        else [low]
    )


def _size_of_t(changes: FloatArray) -> float:
    mean, sd = mean_and_sd(changes)
    return abs(mean) / sd * math.sqrt(changes.size) if sd > NOISE * abs(mean) else math.inf
