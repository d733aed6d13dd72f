"""Cross-checks of the longitudinal model: its visits, its covariates and its list of covariances."""

from __future__ import annotations

from onearm.study.checking import Check, require_collected
from onearm.study.model import Analysis, Item
from onearm.study.source import Path
from onearm.study.wording import listing

TYPES = ("choice", "integer", "quantity", "yesno")
"""Types of items that can be a covariate."""


def check_longitudinal(check: Check) -> None:
    """Find longitudinal models over visits, covariates or structures that they cannot have."""
    for n, analysis in enumerate(check.study.analyses):
        if analysis.method == "mmrm":
            path: Path = ("analyses", n)
            _visits(check, path, analysis)
            _covariates(check, path, analysis)
            _covariance(check, path, analysis)


def _visits(check: Check, path: Path, analysis: Analysis) -> None:
    given = "visits" in analysis.model_fields_set
    check.unique((*path, "visits"), analysis.visits, "")
    if given and analysis.at not in analysis.visits and analysis.at in check.visits:
        check.add(
            (*path, "visits"),
            f"'{analysis.at}' is not among the visits",
            "the result is the change at this visit (at:)",
            "add it, or correct at:",
        )
    for n, name in enumerate(analysis.visits):
        at: Path = (*path, "visits", n)
        visit = check.visit(at, name)
        if visit is None or analysis.measure not in check.measures:
            continue
        for form in check.study.forms_of(analysis.measure):
            require_collected(check, at, form, visit, analysis.measure)
        rule = check.study.baseline.primary
        if visit.day <= 1 and rule.rule is not None:
            check.add(
                at,
                f"visit {name} is on day {visit.day}, not after the infusion",
                f"the primary baseline is the {rule.rule}, so that its value would count twice",
                "take it out",
                name,
            )


def _covariates(check: Check, path: Path, analysis: Analysis) -> None:
    check.unique((*path, "covariates"), analysis.covariates, "")
    for n, name in enumerate(analysis.covariates):
        at: Path = (*path, "covariates", n)
        if name == "BASE":
            if analysis.dependent == "AVAL":
                check.add(
                    at,
                    "'BASE' stands at dependent AVAL",
                    "there the value at baseline is one of the values modelled",
                    "take it out, or write dependent: CHG",
                    name,
                )
            continue
        item = check.item(at, name)
        if item is not None:
            _characteristic(check, at, item)


def _characteristic(check: Check, path: Path, item: Item) -> None:
    """Find a covariate that is no single value of a patient, known before the cells."""
    form, visits = check.items[item.id][0], check.study.schedule.visits
    at = [v for v in visits if form.id in v.forms]
    once = len(at) == 1 and at[0].day <= 1 and not form.repeating
    if item.type not in TYPES:
        check.add(
            path,
            f"'{item.id}' is of type {item.type}",
            f"a covariate is of type {listing(TYPES)}",
            "name another item",
            item.id,
        )
    elif not once:
        often = (
            "repeats" if form.repeating else f"is at {listing([v.id for v in at]) or 'no visit'}"
        )
        check.add(
            path,
            f"'{item.id}' stands in form {form.id}, which {often}",
            "a covariate is asked once, not after the infusion",
            "name another item",
            item.id,
        )


def _covariance(check: Check, path: Path, analysis: Analysis) -> None:
    if not analysis.covariance:
        check.add(
            (*path, "covariance"),
            "the list is empty",
            "one structure or more, in the order in which they are tried",
            "write [us], or take the key out",
        )
    check.unique((*path, "covariance"), analysis.covariance, "")
