"""The study file's analyses carried out: each under every baseline rule, the primary one marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from onearm.analysis.comparison import BeforeAfter, before_after, complete, differences
from onearm.analysis.course import course_from
from onearm.analysis.follow_up import FollowUp, follow_up
from onearm.analysis.longitudinal import Longitudinal, longitudinal
from onearm.analysis.renal import RenalRow, renal_rows
from onearm.analysis.responders import (
    Anyway,
    Found,
    Responders,
    find_change_of,
    find_responders,
    responders_anyway,
)
from onearm.analysis.worth import Sides, Worth, worth
from onearm.datasets import Datasets, Pair, measure_unit
from onearm.stats import (
    geometric_mean_ratio,
    paired_t,
    sign_flip,
    sign_test,
    signed_rank,
)
from onearm.stats.bayes import Posterior, normal_posterior
from onearm.study import Analysis, BaselineRule, Measure, PublishedTest
from onearm.study.values import CHANGES, NEEDS_UNTREATED, RESPONSES


@dataclass(frozen=True)
class Outcome:
    """One analysis under one baseline rule; the parts that its method does not have are None or empty.

    Attributes
    ----------
    analysis, baseline, primary_baseline
        The study file's analysis and the baseline rule, and whether that is the primary one.
    measure, unit
        The measure and its unit; None and empty for renal response.
    pairs
        Before and after of every treated subject.
    comparison
        Description, tests, intervals and effect sizes of the change.
    worth
        The change taken apart: regression to the mean, background, what is left.
    follow_up
        What the result would be if those with missing follow-up had done this or that.
    responders, anyway
        Responders, and how many would have responded without the cells.
    found
        A finding before and after, for McNemar's test.
    posterior
        The posterior of the mean change, for ``normal_posterior``.
    renal
        Renal response by each definition.
    longitudinal
        The longitudinal model, for ``mmrm``; ``pairs`` are then those of the analysis's visit.
    pvalue, published
        P of the analysis's own method (exact by default), and of the variant which the study file says a paper
        used; None where the method has no test or the data allow none.
    """

    analysis: Analysis
    baseline: BaselineRule
    primary_baseline: bool
    measure: Measure | None = None
    unit: str = ""
    pairs: tuple[Pair, ...] = ()
    comparison: BeforeAfter | None = None
    worth: Worth | None = None
    follow_up: FollowUp | None = None
    responders: Responders | None = None
    anyway: Anyway | None = None
    found: Found | None = None
    posterior: Posterior | None = None
    renal: tuple[RenalRow, ...] = ()
    longitudinal: Longitudinal | None = None
    pvalue: float | None = None
    published: float | None = None

    @property
    def id(self) -> str:
        """Analysis id and baseline rule id, for links."""
        return f"{self.analysis.id}.{self.baseline.id}"

    @property
    def seqs(self) -> tuple[int, ...]:
        """Every ledger entry behind this outcome."""
        found = {s for p in self.pairs for s in (*p.before_seqs, *p.after_seqs)}
        found |= {
            s for r in (self.longitudinal.readings if self.longitudinal else ()) for s in r.seqs
        }
        return tuple(sorted(found | {s for r in self.renal for s in r.seqs}))


def run_analyses(data: Datasets) -> tuple[Outcome, ...]:
    """Every analysis of the study file under every baseline rule, in the file's order."""
    return tuple(
        METHODS[analysis.method](data, analysis, rule)
        for analysis in data.study.analyses
        for rule in data.study.baseline.rules
    )


def _change(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    """A change from before to after: its test, its interval, and what it is worth."""
    outcome = _of_measure(data, analysis, rule)
    measure, pairs = outcome.measure, outcome.pairs
    assert measure is not None
    before, after = complete(pairs)
    comparison = before_after(
        [p.before for p in pairs],
        [p.after for p in pairs],
        conf_level=analysis.conf_level,
        zeros=analysis.zeros,
        log=measure.scale == "log" or analysis.method == "geometric_mean_ratio",
        better=measure.better or "lower",
    )
    weighed = worth(data, analysis, rule, pairs)
    seed, stream = data.study.seed, crc32(analysis.id.encode())
    rng = np.random.default_rng([seed, stream])
    published = analysis.published
    return replace(
        outcome,
        comparison=comparison,
        worth=weighed,
        follow_up=follow_up(
            analysis, measure, pairs, weighed, np.random.default_rng([seed, stream, 1])
        ),
        posterior=_posterior(analysis, before, after),
        pvalue=_pvalue(analysis, (before, after), weighed, rng),
        published=change_pvalue((before, after), published, rng) if published else None,
    )


def _of_measure(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    assert analysis.measure is not None
    measure = data.study.measure(analysis.measure)
    return Outcome(
        analysis,
        rule,
        rule == data.study.baseline.primary,
        measure,
        measure_unit(data.records, measure),
        data.pairs(measure.id, analysis.at, rule),
    )


def _posterior(
    analysis: Analysis, before: Sequence[float], after: Sequence[float]
) -> Posterior | None:
    if analysis.method != "normal_posterior":
        return None
    try:
        return normal_posterior(differences(before, after), level=analysis.conf_level)
    except ValueError:
        return None  # fewer than two changes, or all the same: the comparison's notes say so


def _pvalue(
    analysis: Analysis, sides: Sides, weighed: Worth | None, rng: np.random.Generator
) -> float | None:
    if analysis.method in NEEDS_UNTREATED:
        return weighed.pvalue(analysis.method) if weighed else None
    return change_pvalue(sides, analysis, rng)


def change_pvalue(
    sides: Sides, test: Analysis | PublishedTest, rng: np.random.Generator
) -> float | None:
    """The P of a named test of complete pairs; None when the method has no test or the data allow none."""
    before, after = sides
    change, side = differences(before, after), test.alternative
    try:
        match test.method:
            case "paired_t":
                return paired_t(change, alternative=side).pvalue
            case "geometric_mean_ratio":
                return geometric_mean_ratio(before, after, alternative=side).pvalue
            case "signed_rank":
                return signed_rank(change, zeros=test.zeros, alternative=side).pvalue
            case "signed_rank_normal":
                return signed_rank(
                    change,
                    zeros=test.zeros,
                    alternative=side,
                    method="normal",
                    correction=test.correction,
                ).pvalue
            case "sign_flip":
                return sign_flip(change, alternative=side, rng=rng).pvalue
            case "sign_test":
                return sign_test(change, alternative=side).pvalue
    except ValueError:
        return None
    return None


def _responder(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    """Who responds, and how many would have responded without the cells."""
    outcome = _of_measure(data, analysis, rule)
    assert analysis.measure is not None and analysis.response is not None
    found = find_responders(analysis.response, outcome.pairs, analysis.conf_level)
    course, _ = course_from(data, analysis.measure, rule)
    whole = _is_whole(data, analysis.measure)
    anyway = responders_anyway(analysis, found, outcome.pairs, course, whole=whole)
    tests = {"binomial": anyway.reference, "poisson_binomial": anyway.untreated}
    test = tests.get(analysis.method)
    return replace(outcome, responders=found, anyway=anyway, pvalue=test.pvalue if test else None)


def _is_whole(data: Datasets, measure: str) -> bool:
    """Whether a measure takes whole numbers only: the score of an instrument, or an item that is an integer."""
    if "." in measure:
        return True
    derived = data.study.measure(measure).derive is not None
    return not derived and data.study.find_item(measure)[1].type == "integer"


def _mcnemar(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    """A finding before and after."""
    outcome = _of_measure(data, analysis, rule)
    found = find_change_of(analysis, outcome.pairs)
    return replace(outcome, found=found, pvalue=found.test.pvalue if found.difference else None)


def _renal_response(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    rows = renal_rows(data, analysis, rule)
    return Outcome(analysis, rule, rule == data.study.baseline.primary, renal=rows)


def _mmrm(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    """Every visit at once; P is that of the change at the analysis's visit."""
    model = longitudinal(data, analysis, rule)
    at = model.at(analysis.at)
    p = at.change.pvalue if at and at.change else None
    return replace(_of_measure(data, analysis, rule), longitudinal=model, pvalue=p)


METHODS = {
    **dict.fromkeys(CHANGES, _change),
    **dict.fromkeys(RESPONSES, _responder),
    "mcnemar": _mcnemar,
    "renal_response": _renal_response,
    "mmrm": _mmrm,
}
