"""The study file's analyses carried out: each under every baseline rule, the primary one marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onearm.analysis.comparison import BeforeAfter, before_after
from onearm.analysis.renal import RenalRow, renal_rows
from onearm.analysis.responders import Responders, find_responders
from onearm.datasets import Datasets, Pair, measure_unit
from onearm.stats import paired_t, signed_rank
from onearm.study import Analysis, BaselineRule, Measure, PublishedTest


@dataclass(frozen=True)
class Outcome:
    """One analysis under one baseline rule.

    ``pvalue`` is the P of the analysis's own method (exact by default) and ``published`` that of the variant
    which the study file says a paper used; both None where the method has no test. ``unit`` is the measure's.
    """

    analysis: Analysis
    measure: Measure | None
    unit: str
    baseline: BaselineRule
    primary_baseline: bool
    pairs: tuple[Pair, ...]
    comparison: BeforeAfter | None
    responders: Responders | None
    renal: tuple[RenalRow, ...]
    pvalue: float | None
    published: float | None

    @property
    def id(self) -> str:
        """Analysis id and baseline rule id, for links."""
        return f"{self.analysis.id}.{self.baseline.id}"

    @property
    def seqs(self) -> tuple[int, ...]:
        """Every ledger entry behind this outcome."""
        found = {s for p in self.pairs for s in (*p.before_seqs, *p.after_seqs)}
        return tuple(sorted(found | {s for r in self.renal for s in r.seqs}))


def run_analyses(data: Datasets) -> tuple[Outcome, ...]:
    """Every analysis of the study file under every baseline rule, in the file's order."""
    return tuple(
        METHODS[analysis.method](data, analysis, rule)
        for analysis in data.study.analyses
        for rule in data.study.baseline.rules
    )


def _paired(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    assert analysis.measure is not None
    measure = data.study.measure(analysis.measure)
    pairs = data.pairs(measure.id, analysis.at, rule)
    comparison = before_after(
        [p.before for p in pairs],
        [p.after for p in pairs],
        conf_level=analysis.conf_level,
        zeros=analysis.zeros,
        log=measure.scale == "log",
        better=measure.better or "lower",
    )
    change = [p.change for p in pairs if p.change is not None]
    published = analysis.published
    return Outcome(
        analysis,
        measure,
        measure_unit(data.records, measure),
        rule,
        rule == data.study.baseline.primary,
        pairs,
        comparison,
        None,
        (),
        variant_pvalue(change, analysis),
        variant_pvalue(change, published) if published else None,
    )


def variant_pvalue(change: Sequence[float], test: Analysis | PublishedTest) -> float | None:
    """The P of a named variant of a test; None when the method has no test or the data allow none."""
    side = test.alternative
    try:
        if test.method == "paired_t":
            return paired_t(change, alternative=side).pvalue
        if test.method == "signed_rank":
            return signed_rank(change, zeros=test.zeros, alternative=side).pvalue
        if test.method == "signed_rank_normal":
            return signed_rank(
                change,
                zeros=test.zeros,
                alternative=side,
                method="normal",
                correction=test.correction,
            ).pvalue
    except ValueError:
        return None
    return None


def _responder(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    assert analysis.measure is not None and analysis.response is not None
    measure = data.study.measure(analysis.measure)
    pairs = data.pairs(measure.id, analysis.at, rule)
    found = find_responders(analysis.response, pairs, analysis.conf_level)
    main = rule == data.study.baseline.primary
    unit = measure_unit(data.records, measure)
    return Outcome(analysis, measure, unit, rule, main, pairs, None, found, (), None, None)


def _renal_response(data: Datasets, analysis: Analysis, rule: BaselineRule) -> Outcome:
    rows = renal_rows(data, analysis, rule)
    main = rule == data.study.baseline.primary
    return Outcome(analysis, None, "", rule, main, (), None, None, rows, None, None)


METHODS = {
    "descriptive": _paired,
    "paired_t": _paired,
    "signed_rank": _paired,
    "signed_rank_normal": _paired,
    "responders": _responder,
    "renal_response": _renal_response,
}
