"""Several P values judged together, as the study file orders them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from onearm.analysis.outcomes import Outcome
from onearm.stats.multiplicity import gatekeeping, hierarchical, hochberg, holm
from onearm.study import Multiplicity


@dataclass(frozen=True)
class Judged:
    """One analysis among several: its own P, the adjusted one and what became of it, in words."""

    outcome: Outcome
    pvalue: float | None
    adjusted: float | None
    rejected: bool
    words: str


def judge(plan: Multiplicity | None, outcomes: Sequence[Outcome]) -> tuple[Judged, ...]:
    """Adjust the P values that the plan names, under the primary baseline; empty without a plan."""
    if plan is None:
        return ()
    main = {o.analysis.id: o for o in outcomes if o.primary_baseline}
    ids = list(plan.analyses) or [name for family in plan.families for name in family]
    chosen = [main[name] for name in ids]
    p = [nan if o.pvalue is None else o.pvalue for o in chosen]
    if plan.method == "gatekeeping":
        families = [[ids.index(name) for name in family] for family in plan.families]
        found = gatekeeping(p, families, gates=plan.gates, alpha=plan.alpha)
    else:
        adjust = {"holm": holm, "hochberg": hochberg, "hierarchical": hierarchical}[plan.method]
        found = adjust(p, alpha=plan.alpha)
    own = [o.pvalue for o in chosen]
    return tuple(map(Judged, chosen, own, found.pvalues, found.rejected, found.words))
