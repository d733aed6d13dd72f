"""One measure before and after in complete pairs: description, tests, intervals, effect sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeVar

from onearm.datasets import Pair
from onearm.stats import (
    Description,
    Effect,
    GeometricMeanRatio,
    HodgesLehmann,
    PairedT,
    SignedRank,
    cohen_dz,
    describe,
    geometric_mean_ratio,
    hedges_g,
    hodges_lehmann,
    paired_t,
    probability_of_improvement,
    rank_biserial,
    signed_rank,
)

T = TypeVar("T")
Zeros = Literal["wilcoxon", "pratt"]


@dataclass(frozen=True)
class BeforeAfter:
    """Everything said about one before-after comparison of complete pairs.

    Attributes
    ----------
    n, n_missing
        Complete pairs, and pairs with one side or both missing (left out, never imputed here).
    before, after, change
        Description of each side and of the change (after minus before).
    t
        Paired t test of the mean change; None below two pairs or when all changes are equal.
    wilcoxon, pratt
        Exact signed-rank test with zeros dropped and with zeros ranked.
    shift
        Hodges-Lehmann shift with the exact interval that inverts the signed-rank test.
    dz, g, rank_biserial, improvement
        Effect sizes; None where not defined.
    ratio
        Geometric mean ratio after/before on the log scale; None unless asked for and all values positive.
    notes
        What could not be computed, in words.
    """

    n: int
    n_missing: int
    before: Description
    after: Description
    change: Description
    t: PairedT | None
    wilcoxon: SignedRank | None
    pratt: SignedRank | None
    shift: HodgesLehmann | None
    dz: Effect | None
    g: Effect | None
    rank_biserial: Effect | None
    improvement: Effect | None
    ratio: GeometricMeanRatio | None
    notes: tuple[str, ...]


def before_after(
    before: Sequence[float | None],
    after: Sequence[float | None],
    *,
    conf_level: float = 0.95,
    zeros: Zeros = "pratt",
    log: bool = False,
    better: Literal["lower", "higher"] = "lower",
) -> BeforeAfter:
    """Compare before with after in complete pairs.

    Parameters
    ----------
    before, after
        Same length and order; None (or NaN) is missing.
    conf_level
        Level of every interval, in (0, 1).
    zeros
        Zero rule of the signed-rank test that the interval inverts.
    log
        Also give the ratio of geometric means (values must be positive).
    better
        The direction of improvement, for the probability of improvement.

    Raises
    ------
    ValueError
        The two sides differ in length, or a value is infinite.
    """
    if len(before) != len(after):
        raise ValueError(
            f"before has {len(before)} values and after has {len(after)}; they are pairs"
        )
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if _known(b) and _known(a)]
    first = [float(b) for b, _ in pairs if b is not None]
    second = [float(a) for _, a in pairs if a is not None]
    if not all(isfinite(v) for v in (*first, *second)):
        raise ValueError("a value is infinite; correct it or leave it missing")
    change = differences(first, second)
    if not all(isfinite(v) for v in change):
        raise ValueError("a change is beyond the largest number; correct the values")
    notes: list[str] = []

    def tried(what: str, compute: Callable[[], T]) -> T | None:
        try:
            return compute()
        except ValueError as error:
            notes.append(f"{what}: {error}")
        except OverflowError:
            notes.append(f"{what}: the interval reaches beyond the largest number")
        return None

    return BeforeAfter(
        len(pairs),
        len(before) - len(pairs),
        describe(first),
        describe(second),
        describe(change),
        tried("paired t test", lambda: paired_t(change, conf_level=conf_level)),
        tried("signed-rank test", lambda: signed_rank(change, zeros="wilcoxon")),
        tried("signed-rank test", lambda: signed_rank(change, zeros="pratt")),
        tried(
            "Hodges-Lehmann shift",
            lambda: hodges_lehmann(change, zeros=zeros, conf_level=conf_level),
        ),
        tried("Cohen's d_z", lambda: cohen_dz(change, conf_level=conf_level)),
        tried("Hedges' g", lambda: hedges_g(change, conf_level=conf_level)),
        tried("rank-biserial correlation", lambda: rank_biserial(change, zeros=zeros)),
        tried(
            "probability of improvement", lambda: probability_of_improvement(change, better=better)
        ),
        tried(
            "geometric mean ratio",
            lambda: geometric_mean_ratio(first, second, conf_level=conf_level),
        )
        if log
        else None,
        tuple(dict.fromkeys(notes)),
    )


def differences(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """After minus before in decimal arithmetic, so that ties are ties (53.5 - 46.4 equals 7.1)."""
    from decimal import Decimal

    return [float(Decimal(repr(a)) - Decimal(repr(b))) for b, a in zip(before, after, strict=True)]


def complete(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Before and after of the complete pairs."""
    both = [(p.before, p.after) for p in pairs]
    known = [(b, a) for b, a in both if b is not None and a is not None]
    return [b for b, _ in known], [a for _, a in known]


def _known(value: float | None) -> bool:
    return value is not None and value == value
