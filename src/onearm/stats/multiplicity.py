"""Several endpoints, one error rate: Holm, Hochberg, hierarchical order and gatekeeping.

Each function takes the P values of the tests and returns adjusted ones: a hypothesis is rejected at
the familywise level alpha exactly when its adjusted P is alpha or less. Positions in words count
from 1, in the order given.

A P value that could not be computed (None or NaN) is never dropped. It counts as 1: its hypothesis
is not rejected, keeps its place in the number of hypotheses, and blocks what stands behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy.typing as npt

from onearm.stats.differences import check_choice, to_floats

Gate = Literal["serial", "parallel"]
#: The share of alpha at which a hypothesis is tested, as (numerator, denominator), so that equal
#: weights give the product of P and a whole number, rounded once.
Share = tuple[float, float]


@dataclass(frozen=True)
class Adjusted:
    """Adjusted P values of several hypotheses, in the order they were given.

    ``pvalues`` are between 0 and 1, None where the test gave no P; ``rejected`` tells which
    hypotheses fall at the familywise level ``alpha``: those with an adjusted P of at most alpha.
    ``words`` says for each what became of it.
    """

    pvalues: tuple[float | None, ...]
    rejected: tuple[bool, ...]
    words: tuple[str, ...]
    method: str
    alpha: float


def bonferroni(
    pvalues: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, alpha: float = 0.05
) -> Adjusted:
    """Adjust P values by Bonferroni's inequality: each is multiplied by their number.

    Parameters are those of :func:`holm`, which rejects all that this rejects, and more.

    References
    ----------
    Dunn OJ (1961) J Am Stat Assoc 56:52-64.

    Examples
    --------
    >>> bonferroni([0.01, 0.02, 0.03]).pvalues
    (0.03, 0.06, 0.09)
    """
    p, w = _checked(pvalues, weights, alpha)
    total = math.fsum(w)
    return _told("bonferroni", p, _in_steps(p, lambda j, _: (w[j], total)), alpha)


def holm(
    pvalues: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, alpha: float = 0.05
) -> Adjusted:
    """Adjust P values by Holm's step-down procedure, valid whatever their dependence.

    Parameters
    ----------
    pvalues
        One P value per hypothesis, between 0 and 1; None or NaN where a test could not be computed
        (it counts as 1). At least one.
    weights
        Importance of each hypothesis, above zero; only their ratios count. None: all the same.
        Fix them before the data are seen.
    alpha
        Familywise error rate: the probability of rejecting any true hypothesis stays below it.

    Returns
    -------
    Adjusted

    Raises
    ------
    ValueError
        If a P value is not between 0 and 1, a weight is not above zero, or their numbers differ.

    Notes
    -----
    R: ``p.adjust(p, "holm")``. With weights (Holm 1979, section 4) the next to be judged is the
    hypothesis with the smallest P / weight.

    References
    ----------
    Holm S (1979) Scand J Stat 6:65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).pvalues
    (0.03, 0.06, 0.06)
    """
    p, w = _checked(pvalues, weights, alpha)

    def share(j: int, rejected: frozenset[int]) -> Share:
        return w[j], math.fsum(w[k] for k in range(len(w)) if k not in rejected)

    return _told("holm", p, _in_steps(p, share), alpha)


def hochberg(pvalues: npt.ArrayLike, *, alpha: float = 0.05) -> Adjusted:
    """Adjust P values by Hochberg's step-up procedure, for endpoints that go together.

    Parameters
    ----------
    pvalues, alpha
        As in :func:`holm`. Weights are not offered: the weighted form does not hold its level.

    Returns
    -------
    Adjusted
        Never larger than Holm's. The level is kept where the tests are independent or positively
        dependent (Sarkar 1998), as two-sided tests of positively correlated endpoints are; where
        that is not known, use :func:`holm`.

    Raises
    ------
    ValueError
        If a P value is not between 0 and 1.

    Notes
    -----
    R: ``p.adjust(p, "hochberg")``.

    References
    ----------
    Hochberg Y (1988) Biometrika 75:800-802. Sarkar SK (1998) Ann Stat 26:494-504.

    Examples
    --------
    >>> hochberg([0.01, 0.04, 0.03]).pvalues
    (0.03, 0.04, 0.04)
    """
    p, _ = _checked(pvalues, None, alpha)
    adjusted, smallest = [1.0] * len(p), 1.0
    for larger, j in enumerate(sorted(range(len(p)), key=lambda j: -_as_one(p[j])), start=1):
        smallest = min(smallest, larger * _as_one(p[j]))
        adjusted[j] = smallest
    return _told("hochberg", p, adjusted, alpha)


def hierarchical(pvalues: npt.ArrayLike, *, alpha: float = 0.05) -> Adjusted:
    """Adjust P values of hypotheses tested in a fixed order, each at the full level.

    Parameters
    ----------
    pvalues, alpha
        As in :func:`holm`, in the order fixed before the data are seen.

    Returns
    -------
    Adjusted
        The adjusted P is the largest so far in the sequence; behind a test that gave no P it is 1.

    Raises
    ------
    ValueError
        If a P value is not between 0 and 1.

    References
    ----------
    Maurer W, Hothorn LA, Lehmacher W (1995) in Vollmar J (ed) Biometrie in der chemisch-
    pharmazeutischen Industrie 6:3-18. Westfall PH, Krishen A (2001) J Stat Plan Inference 99:25-40.

    Examples
    --------
    >>> result = hierarchical([0.01, 0.2, 0.001])
    >>> result.pvalues
    (0.01, 0.2, 0.2)
    >>> result.words[2]
    'not tested: it is behind hypothesis 2, which is not rejected'
    """
    p, _ = _checked(pvalues, None, alpha)

    def share(j: int, rejected: frozenset[int]) -> Share:
        return float(len(rejected) == j), 1.0

    return _told("hierarchical", p, _in_steps(p, share), alpha, _behind_in_order)


def gatekeeping(
    pvalues: npt.ArrayLike,
    families: Sequence[Sequence[int]],
    *,
    gates: Gate | Sequence[Gate] = "serial",
    weights: npt.ArrayLike | None = None,
    alpha: float = 0.05,
) -> Adjusted:
    """Adjust P values of families of hypotheses, each the gate to the next one.

    Parameters
    ----------
    pvalues, alpha
        As in :func:`holm`.
    families
        Positions in ``pvalues`` (from 0) of each family's hypotheses, in the order in which the
        families are tested; every hypothesis stands in exactly one family.
    gates
        What opens the next family, for all families or one word each (that of the last family
        opens nothing): ``"serial"``, when all of this family are rejected; ``"parallel"``, when at
        least one is.
    weights
        Importance of each hypothesis within its family, as in :func:`holm`.

    Returns
    -------
    Adjusted

    Raises
    ------
    ValueError
        If a family is empty, or a hypothesis is in none or in two of them, or as in :func:`holm`.

    Notes
    -----
    A serial family and the last one are tested by Holm's procedure at the level that has come
    through; a serial family hands all of it on when all its hypotheses are rejected. A parallel
    family is tested by Bonferroni's inequality and hands on the weights of those rejected. This is
    the Bonferroni closed test of Dmitrienko, Offen & Westfall (2003); the level holds whatever the
    dependence.

    References
    ----------
    Dmitrienko A, Offen WW, Westfall PH (2003) Stat Med 22:2387-2400. Dmitrienko A, Tamhane AC,
    Wang X, Chen X (2006) Biom J 48:984-991 (in steps).

    Examples
    --------
    Two primary endpoints, of which one is enough, and two secondary ones.

    >>> result = gatekeeping([0.02, 0.3, 0.01, 0.04], [[0, 1], [2, 3]], gates="parallel")
    >>> result.pvalues
    (0.04, 0.6, 0.04, 0.08)
    """
    p, w = _checked(pvalues, weights, alpha)
    members = _checked_families(families, len(p))
    kinds = _checked_gates(gates, len(members))
    family_of = {j: f for f, family in enumerate(members) for j in family}

    def share(j: int, rejected: frozenset[int]) -> Share:
        over, under = 1.0, 1.0
        for family, kind in zip(members[: family_of[j]], kinds, strict=False):
            fallen = [k for k in family if k in rejected]
            if kind == "serial":
                over *= len(fallen) == len(family)
            elif len(fallen) < len(family):
                over *= math.fsum(w[k] for k in fallen)
                under *= math.fsum(w[k] for k in family)
        own = members[family_of[j]]
        is_holm = kinds[family_of[j]] == "serial" or family_of[j] == len(members) - 1
        shared = [k for k in own if not (is_holm and k in rejected)]
        return over * w[j], under * math.fsum(w[k] for k in shared)

    def behind(j: int, rejected: Sequence[bool]) -> str:
        for f in range(family_of[j]):
            fallen = [rejected[k] for k in members[f]]
            if not (all(fallen) if kinds[f] == "serial" else any(fallen)):
                return f"not tested: family {f + 1} did not open the way"
        return ""

    return _told("gatekeeping", p, _in_steps(p, share), alpha, behind)


def _checked(
    pvalues: npt.ArrayLike, weights: npt.ArrayLike | None, alpha: float
) -> tuple[list[float | None], list[float]]:
    """Return P values (None where missing) and weights (1 where not given)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: found {alpha}; expected a number between 0 and 1")
    numbers = to_floats(pvalues, "pvalues")
    if numbers.size == 0:
        raise ValueError("pvalues: found none; expected at least one, one per hypothesis")
    p = [None if math.isnan(value) else float(value) for value in numbers]
    for at, value in enumerate(p):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(
                f"pvalues[{at}]: found {value:g}; expected a number from 0 to 1, or None where the "
                "test could not be computed"
            )
    if weights is None:
        return p, [1.0] * len(p)
    w = [float(value) for value in to_floats(weights, "weights")]
    if len(w) != len(p):
        raise ValueError(f"weights: found {len(w)} for {len(p)} hypotheses; expected one for each")
    for at, weight in enumerate(w):
        if not 0 < weight < math.inf:
            raise ValueError(f"weights[{at}]: found {weight:g}; expected a number above zero")
    return p, w


def _checked_families(families: Sequence[Sequence[int]], n: int) -> list[list[int]]:
    members = [list(family) for family in families]
    for f, family in enumerate(members):
        if not family:
            raise ValueError(f"families[{f}]: found no hypothesis; expected at least one")
    placed = [j for family in members for j in family]
    if any(isinstance(j, bool) or j not in range(n) for j in placed):
        raise ValueError(
            f"families: found positions {placed}; expected whole numbers from 0 to {n - 1}, "
            "positions in pvalues"
        )
    if sorted(placed) != list(range(n)):
        raise ValueError(
            f"families: found positions {sorted(placed)}; expected each of 0 to {n - 1} exactly "
            "once; put every hypothesis into one family"
        )
    return members


def _checked_gates(gates: Gate | Sequence[Gate], n: int) -> list[Gate]:
    kinds: list[Gate] = [gates] * n if isinstance(gates, str) else list(gates)
    if len(kinds) != n:
        raise ValueError(f"gates: found {len(kinds)} for {n} families; expected one for each")
    for kind in kinds:
        check_choice("gates", kind, ("serial", "parallel"))
    return kinds


def _as_one(p: float | None) -> float:
    return 1.0 if p is None else p


def _in_steps(
    p: Sequence[float | None], share: Callable[[int, frozenset[int]], Share]
) -> list[float]:
    """Return adjusted P values of a procedure that gives each hypothesis a share of alpha.

    The share may grow, and never shrinks, as others are rejected. So alpha is raised from zero: the
    hypothesis that falls next is the one whose P its present share reaches first, and that alpha is
    its adjusted P (Bretz, Maurer, Brannath & Posch 2009, algorithm 2).
    """
    adjusted = [1.0] * len(p)
    rejected: frozenset[int] = frozenset()
    reached = 0.0
    while True:
        needed: dict[int, float] = {}
        for j, value in enumerate(p):
            # A hypothesis without P can never fall, and so keeps its weight from the others.
            if j not in rejected and value is not None:
                over, under = share(j, rejected)
                if over > 0:
                    needed[j] = value * under / over
        if not needed:
            return adjusted
        first = min(needed, key=needed.__getitem__)
        reached = max(reached, needed[first])
        if reached >= 1:
            return adjusted
        adjusted[first] = reached
        rejected |= {first}


def _behind_in_order(j: int, rejected: Sequence[bool]) -> str:
    before = [k for k in range(j) if not rejected[k]]
    if not before:
        return ""
    return f"not tested: it is behind hypothesis {before[0] + 1}, which is not rejected"


def _told(
    method: str,
    p: Sequence[float | None],
    adjusted: Sequence[float],
    alpha: float,
    behind: Callable[[int, Sequence[bool]], str] = lambda j, rejected: "",
) -> Adjusted:
    """Build the result, with a word on each hypothesis."""
    rejected = tuple(value is not None and a <= alpha for value, a in zip(p, adjusted, strict=True))

    def word(j: int) -> str:
        if p[j] is None:
            return "no P value: counted as 1, not rejected"
        if rejected[j]:
            return f"rejected: adjusted P is at most {alpha:g}"
        return behind(j, rejected) or f"not rejected: adjusted P is above {alpha:g}"

    return Adjusted(
        pvalues=tuple(None if value is None else a for value, a in zip(p, adjusted, strict=True)),
        rejected=rejected,
        words=tuple(word(j) for j in range(len(p))),
        method=method,
        alpha=alpha,
    )
