"""Cross-checks of what weighs a change: the untreated course, and several P values together."""

from __future__ import annotations

from collections import Counter

from onearm.study.checking import Check, require_collected
from onearm.study.model import Multiplicity, Untreated
from onearm.study.source import Path
from onearm.study.values import TESTS
from onearm.study.wording import listing, offer

STATED = ("mean", "sd", "rho")
#: Keys that make no sense beside readings from which the same is estimated.
ESTIMATED = (*STATED, "mean_se", "rho_se", "rho_range")


def check_untreated(check: Check) -> None:
    """Find untreated courses that say too little or too much, or of unknown measures."""
    study = check.study
    check.unique(("untreated",), [u.measure for u in study.untreated], "measure")
    for n, untreated in enumerate(study.untreated):
        path: Path = ("untreated", n)
        measure = check.measure((*path, "measure"), untreated.measure)
        if untreated.run_in:
            _run_in(check, path, untreated)
        else:
            missing = [key for key in STATED if getattr(untreated, key) is None]
            if missing:
                check.add(
                    (*path, "measure"),
                    f"{listing(missing)} of {untreated.measure} {'is' if len(missing) == 1 else 'are'} not given",
                    "the untreated course is stated by mean, sd and rho, or estimated from run_in:",
                    "write them",
                    untreated.measure,
                )
        _range(check, path, untreated)
        if untreated.above is not None and untreated.below is not None:
            check.add_key(
                (*path, "below"),
                "'below' stands beside 'above'",
                "patients enter above a value or below it",
                "take one out",
            )
        logs = measure is not None and measure.scale == "log"
        for key in ("mean", "above", "below"):
            value = getattr(untreated, key)
            if logs and value is not None and value <= 0:
                check.add(
                    (*path, key),
                    f"{value:g} has no logarithm",
                    f"{untreated.measure} is analysed on a log scale: a number above 0 is expected",
                    "correct it",
                )


def _range(check: Check, path: Path, untreated: Untreated) -> None:
    if untreated.rho is None or untreated.rho_range is None:
        return
    low, high = untreated.rho_range
    if not low <= untreated.rho <= high:
        check.add(
            (*path, "rho_range"),
            f"[{low:g}, {high:g}] does not hold rho, {untreated.rho:g}",
            "the range is shown round rho",
            "correct one of them",
        )


def check_comparators(check: Check) -> None:
    """Find comparators of unknown measures, and those of which no ratio can be made on a log scale."""
    for n, comparator in enumerate(check.study.comparators):
        path: Path = ("comparators", n)
        measure = check.measure((*path, "measure"), comparator.measure)
        if measure is None or measure.scale != "log" or comparator.before is None:
            continue
        if comparator.before <= 0 or comparator.before + comparator.change <= 0:
            check.add(
                (*path, "before"),
                f"{comparator.before:g}, and {comparator.before + comparator.change:g} after the change, make no ratio",
                f"{comparator.measure} is analysed on a log scale: both means lie above 0",
                "correct before or change",
            )


def _run_in(check: Check, path: Path, untreated: Untreated) -> None:
    for key in ESTIMATED:
        if getattr(untreated, key) is not None:
            check.add_key(
                (*path, key),
                f"'{key}' stands beside 'run_in'",
                "the readings of the run-in give it",
                "take one of them out",
            )
    if len(untreated.run_in) != 2:
        check.add(
            (*path, "run_in"),
            f"{listing(untreated.run_in)} stand{'s' if len(untreated.run_in) == 1 else ''} here",
            "two visits before the infusion are expected, the one that decided entry first",
            "name two",
        )
        return
    days = []
    for n, name in enumerate(untreated.run_in):
        visit = check.visit((*path, "run_in", n), name)
        if visit is None:
            return
        days.append(visit.day)
        if visit.day > 1:
            check.add(
                (*path, "run_in", n),
                f"visit {name} is on day {visit.day}, after the infusion",
                "a run-in lies before it",
                "name a visit before the infusion",
                name,
            )
        form = check.scores.get(untreated.measure) or (
            check.items[untreated.measure][0] if untreated.measure in check.items else None
        )
        if form is not None:
            require_collected(check, (*path, "run_in", n), form, visit, untreated.measure)
    if days[0] >= days[1]:
        check.add(
            (*path, "run_in"),
            f"{untreated.run_in[0]} is not before {untreated.run_in[1]}",
            "the reading that decided entry comes first",
            "turn them round",
        )


def check_multiplicity(check: Check) -> None:
    """Find adjustments over analyses that do not exist, stand twice or have no P value."""
    plan = check.study.multiplicity
    if plan is None:
        return
    gates = plan.method == "gatekeeping"
    wanted, other = ("families", "analyses") if gates else ("analyses", "families")
    if getattr(plan, other):
        check.add_key(
            ("multiplicity", other),
            f"'{other}' stands at method {plan.method}",
            f"{plan.method} takes {wanted}:",
            "take it out or correct the method",
        )
    if not gates and "gates" in plan.model_fields_set:
        check.add_key(
            ("multiplicity", "gates"),
            f"'gates' stands at method {plan.method}",
            "it belongs to gatekeeping",
            "take it out or correct the method",
        )
    if not getattr(plan, wanted):
        check.add(
            ("multiplicity", "method"),
            f"'{plan.method}' without {wanted}",
            f"it needs {wanted}:",
            f"write {wanted}:",
            plan.method,
        )
    _judged(check, plan)


def _judged(check: Check, plan: Multiplicity) -> None:
    known = {a.id: a for a in check.study.analyses}
    places: list[tuple[Path, str]] = [
        (("multiplicity", "analyses", n), name) for n, name in enumerate(plan.analyses)
    ]
    places += [
        (("multiplicity", "families", f, n), name)
        for f, family in enumerate(plan.families)
        for n, name in enumerate(family)
    ]
    seen: Counter[str] = Counter()
    for path, name in places:
        seen[name] += 1
        if seen[name] == 2:
            check.add(
                path, f"'{name}' stands twice", "each analysis stands once", "take one away", name
            )
        if name not in known:
            check.add(
                path,
                f"'{name}' is not an analysis of this study",
                offer(name, "analyses", known),
                "correct the id",
                name,
            )
        elif known[name].method not in TESTS:
            check.add(
                path,
                f"analysis {name} has no P value",
                f"its method is {known[name].method}",
                "take it out",
                name,
            )
