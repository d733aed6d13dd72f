"""Responders by a rule of the study file: how many, and how many there would be without the cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, inf
from typing import Literal

from onearm.analysis.course import Course, common_readings
from onearm.datasets import Pair
from onearm.stats import (
    BinomialTest,
    Interval,
    McNemar,
    PairedDifference,
    binomial_test,
    clopper_pearson,
    mcnemar,
    paired_difference,
)
from onearm.stats.bayes import (
    BetaMixture,
    Posterior,
    beta_binomial,
    map_prior_binomial,
    probability_greater,
    robust,
)
from onearm.stats.regression_to_mean import PoissonBinomial, untreated_responders
from onearm.study import Analysis
from onearm.study.rules import Rule, parse_rule

#: Values after, over the range of untreated patients and beyond, at which a rule is tried.
TRIED = 97


@dataclass(frozen=True)
class Responders:
    """Responders among the treated.

    ``known`` of the treated could be judged; ``interval`` is the exact interval among them. ``unknown``
    subjects are named, and ``worst`` and ``best`` count them as failures and as responders.
    """

    responders: tuple[str, ...]
    known: int
    unknown: tuple[str, ...]
    interval: Interval | None
    worst: Interval | None
    best: Interval | None


@dataclass(frozen=True)
class Anyway:
    """Responders beside what would have happened anyway; each part None where it was not asked for or not possible.

    ``untreated`` is the test against each patient's own chance by regression to the mean, ``reference`` the
    one against a stated rate. ``posterior`` is that of the share; ``history`` what earlier arms lead to expect,
    ``exceeds`` the probability that the share is above it. ``go`` holds each condition's probability and whether
    it is met. ``notes`` say in words what could not be done.
    """

    untreated: PoissonBinomial | None = None
    reference: BinomialTest | None = None
    posterior: Posterior | None = None
    history: BetaMixture | None = None
    exceeds: float | None = None
    go: tuple[tuple[float, bool], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A finding before and after: yes at both looks, at the first, at the second, at neither; who is unknown."""

    both: int
    lost: int
    gained: int
    neither: int
    unknown: tuple[str, ...]
    test: McNemar
    difference: PairedDifference | None


def find_responders(rule: str, pairs: Sequence[Pair], conf_level: float) -> Responders:
    """Count who responds by a rule over AVAL, BASE, CHG and PCHG."""
    parsed = _response(rule)
    truths = {p.subject: _truth(parsed, p.before, p.after, p.change) for p in pairs}
    yes = tuple(s for s, t in truths.items() if t is True)
    unknown = tuple(s for s, t in truths.items() if t is None)
    known, of = len(truths) - len(unknown), len(truths)

    def exact(x: int, n: int) -> Interval | None:
        return clopper_pearson(x, n, conf_level=conf_level) if n else None

    return Responders(
        yes,
        known,
        unknown,
        exact(len(yes), known),
        exact(len(yes), of),
        exact(len(yes) + len(unknown), of),
    )


def _response(rule: str) -> Rule:
    return parse_rule(rule, dict.fromkeys(("AVAL", "BASE", "CHG", "PCHG"), "number"))


def _truth(
    rule: Rule, before: float | None, after: float | None, change: float | None
) -> bool | None:
    percent = 100 * change / before if change is not None and before else None
    return rule.evaluate({"AVAL": after, "BASE": before, "CHG": change, "PCHG": percent})


def responders_anyway(
    analysis: Analysis,
    found: Responders,
    pairs: Sequence[Pair],
    course: Course | None,
    *,
    whole: bool = False,
) -> Anyway:
    """Set the responders who are known beside what would have happened anyway; ``whole``: values are whole numbers."""
    if not found.known:
        return Anyway(notes=("no patient could be judged",))
    x, n = len(found.responders), found.known
    untreated, notes = _untreated(analysis, found, pairs, course, whole)
    reference = None
    if analysis.reference is not None:
        reference = binomial_test(
            x,
            n,
            analysis.reference.rate,
            alternative=analysis.alternative,
            conf_level=analysis.conf_level,
        )
    if analysis.method != "beta_binomial":
        return Anyway(untreated, reference, notes=notes)
    posterior = beta_binomial(x, n, analysis.prior, level=analysis.conf_level)
    go = tuple(
        ((p := posterior.probability_above(d.rate)), p >= d.probability) for d in analysis.go
    )
    history = earlier_arms(analysis)
    exceeds = probability_greater(posterior.distribution, history) if history else None
    return Anyway(untreated, reference, posterior, history, exceeds, go, notes)


def earlier_arms(analysis: Analysis) -> BetaMixture | None:
    """The share to expect without the cells: robust meta-analytic predictive prior of the earlier arms."""
    if not analysis.historical:
        return None
    found = map_prior_binomial(
        [arm.responders for arm in analysis.historical], [arm.n for arm in analysis.historical]
    )
    assert isinstance(found.mixture, BetaMixture)
    both = robust(found.mixture, 1 - analysis.weight)
    assert isinstance(both, BetaMixture)
    return both


def _untreated(
    analysis: Analysis,
    found: Responders,
    pairs: Sequence[Pair],
    course: Course | None,
    whole: bool,
) -> tuple[PoissonBinomial | None, tuple[str, ...]]:
    assert analysis.response is not None
    if course is None:
        return None, ()
    judged = [p for p in pairs if p.subject not in found.unknown and p.before is not None]
    before = [p.before for p in judged if p.before is not None]
    if len(judged) < found.known or (course.log and min(before) <= 0):
        return None, (
            "the chance untreated needs every patient's value before, above 0 on a log scale",
        )
    rule = _response(analysis.response)
    limits = [_limit(rule, b, course, whole=whole) for b in before]
    sides = {side for limit, side in (x for x in limits if x is not None)}
    if None in limits or len(sides) != 1:
        note = f"the chance untreated was not worked out: '{analysis.response}' has no single limit"
        return None, (note,)
    test = untreated_responders(
        [course.scaled(b) for b in before],
        course.history,
        responders=len(found.responders),
        limits=[x[0] for x in limits if x is not None],
        side=sides.pop(),
        readings=common_readings(judged),
        # Unless the study file asks otherwise: do more respond than would have anyway?
        alternative=analysis.alternative
        if "alternative" in analysis.model_fields_set
        else "greater",
    )
    return test, ()


def _limit(
    rule: Rule, before: float, course: Course, *, whole: bool
) -> tuple[float, Literal["below", "above"]] | None:
    """The value after, as analysed, at which a response begins, and on which side; None when there is not one.

    Of whole numbers it lies half-way between the last that responds and the first that does not: the course is
    continuous, and a fall by 4 or more begins for it at 3.5.
    """
    h = course.history
    back: Callable[[float], float] = exp if course.log else float
    spread = h.sd + abs(course.scaled(before) - h.mean)
    low, high = h.mean - 12 * spread, h.mean + 12 * spread

    def responds(scaled: float) -> bool:
        after = back(scaled)
        return _truth(rule, before, after, after - before) is True

    step = (high - low) / (TRIED - 1)
    truths = [responds(low + step * k) for k in range(TRIED)]
    turns = [k for k in range(1, TRIED) if truths[k] != truths[k - 1]]
    if len(turns) > 1:
        return None
    side: Literal["below", "above"] = "below" if truths[0] else "above"
    if not turns:
        return (inf if truths[0] else -inf), "below"
    a, b = low + step * (turns[0] - 1), low + step * turns[0]
    while a < (middle := (a + b) / 2) < b:
        a, b = (middle, b) if responds(middle) == truths[0] else (a, middle)
    if whole and not course.log:
        first = floor(b) if side == "below" else ceil(b)
        while responds(
            first + 1 if side == "below" else first - 1
        ):  # the limit itself may respond or not
            first += 1 if side == "below" else -1
        while not responds(first):
            first -= 1 if side == "below" else -1
        return (first + 0.5 if side == "below" else first - 0.5), side
    return b, side


def find_change_of(analysis: Analysis, pairs: Sequence[Pair]) -> Found:
    """Ask the rule of the value before and of the value after, and test which way patients moved."""
    assert analysis.response is not None
    rule = parse_rule(analysis.response, {"AVAL": "number"})
    looks = {
        p.subject: (rule.evaluate({"AVAL": p.before}), rule.evaluate({"AVAL": p.after}))
        for p in pairs
    }
    unknown = tuple(s for s, look in looks.items() if None in look)
    seen = [look for s, look in looks.items() if s not in unknown]
    gained, lost = seen.count((False, True)), seen.count((True, False))
    level = analysis.conf_level
    return Found(
        seen.count((True, True)),
        lost,
        gained,
        seen.count((False, False)),
        unknown,
        mcnemar(gained, lost, alternative=analysis.alternative, conf_level=level),
        paired_difference(gained, lost, len(seen), conf_level=level) if seen else None,
    )
