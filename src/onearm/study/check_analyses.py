"""Cross-checks of what is measured and analysed: baseline, estimands, measures, analyses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from onearm.instruments import DERIVATIONS
from onearm.study.checking import NUMERIC, Check, Finding, require_answers, require_collected
from onearm.study.model import RESPONSE_NAMES, Analysis, BaselineRule, Form, Measure, Visit
from onearm.study.source import Path
from onearm.study.values import (
    MISSING,
    NEEDS_UNTREATED,
    OPTIONS,
    RESPONSES,
)
from onearm.study.wording import listing, offer

FINDING_NAMES: Mapping[str, str] = {"AVAL": "number"}
"""What the rule of McNemar's test may use: it is asked of the value before and of the value after."""


def check_baseline(check: Check) -> None:
    """Find baselines with no visit, two meanings, or a visit after the infusion."""
    baseline = check.study.baseline
    rules: list[tuple[Path, BaselineRule]] = [(("baseline", "primary"), baseline.primary)]
    rules += [(("baseline", "also", n), rule) for n, rule in enumerate(baseline.also)]
    seen: set[str] = set()
    for path, rule in rules:
        if rule.id in seen:
            check.add(
                (*path, "id"),
                f"'{rule.id}' stands twice",
                "each baseline has its own id",
                "rename one",
                rule.id,
            )
        seen.add(rule.id)
        if (rule.visit is None) == (rule.rule is None):
            found = (
                "neither a visit nor a rule" if rule.visit is None else "both a visit and a rule"
            )
            check.add(
                (*path, "id"),
                f"baseline {rule.id} has {found}",
                "a baseline is the value of one visit, or a rule over all values before",
                "write visit: or rule:",
            )
        if rule.visit is not None:
            visit = check.visit((*path, "visit"), rule.visit)
            if visit is not None and visit.day > 1:
                check.add(
                    (*path, "visit"),
                    f"visit {visit.id} is on day {visit.day}",
                    "a baseline is not after the infusion (day 1)",
                    "name an earlier visit",
                    visit.id,
                )


def check_estimands(check: Check) -> None:
    """Find estimands of unknown measures or at visits before the infusion."""
    for n, estimand in enumerate(check.study.estimands):
        check.measure(("estimands", n, "variable"), estimand.variable)
        check.later_visit(("estimands", n, "at"), estimand.at)
        check.unique(
            ("estimands", n, "intercurrent"), [e.event for e in estimand.intercurrent], "event"
        )


def check_measures(check: Check) -> None:
    """Find measures that nothing measures, with wrong units, codes or inputs."""
    codes: dict[str, str] = {}
    for n, measure in enumerate(check.study.measures):
        path: Path = ("measures", n)
        _code(check, path, measure, codes)
        if measure.derive is not None:
            _derive(check, path, measure)
        elif measure.id in check.scores:
            if measure.unit not in ("", "points"):
                check.add(
                    (*path, "unit"),
                    f"'{measure.unit}' is not the unit of a score",
                    "scores are in points",
                    "write points",
                    measure.unit,
                )
        else:
            _measured_item(check, path, measure)


def _code(check: Check, path: Path, measure: Measure, codes: dict[str, str]) -> None:
    valid = 1 <= len(measure.code) <= 8 and measure.code.replace("_", "A").isalnum()
    at = (*path, "code")
    if not valid or not measure.code[0].isalpha() or not measure.code.isupper():
        check.add(
            at,
            f"'{measure.code}' cannot be a parameter code",
            "capital letters, digits and _ after a letter, at most 8",
            "write code:",
        )
    elif measure.code in codes:
        check.add(
            at,
            f"'{measure.code}' is the code of {codes[measure.code]} too",
            "each measure has its own",
            "write code: and another word",
            measure.code,
        )
    codes.setdefault(measure.code, measure.id)


def _measured_item(check: Check, path: Path, measure: Measure) -> None:
    if measure.id not in check.items:
        known = [*check.scores, *(i for i in check.items_about("subject") if _is_number(check, i))]
        check.add(
            (*path, "id"),
            f"'{measure.id}' is neither an item nor a score of this study",
            offer(measure.id, "measurable names", known),
            "correct the id, or write derive: for a derived measure",
            measure.id,
        )
        return
    item = check.item((*path, "id"), measure.id)
    form = check.items[measure.id][0]
    if item is None:
        return
    if item.type not in NUMERIC:
        check.add(
            (*path, "id"),
            f"'{item.id}' is of type {item.type}",
            "a measure is a number",
            "name a quantity or an integer",
            item.id,
        )
    elif form.repeating:
        check.add(
            (*path, "id"),
            f"'{item.id}' stands in form {form.id}, which repeats",
            "a measure has one value per visit",
            "name another item",
            item.id,
        )
    elif measure.unit and not item.unit:
        check.add(
            (*path, "unit"),
            f"item {item.id} has no unit",
            "a measure has its item's unit",
            "take unit: out, or give the item one",
            measure.unit,
        )
    elif measure.unit and item.unit:
        check.unit((*path, "unit"), measure.unit, item.unit)


def _is_number(check: Check, name: str) -> bool:
    return check.items[name][1].type in NUMERIC


def _derive(check: Check, path: Path, measure: Measure) -> None:
    derive = measure.derive
    assert derive is not None
    if measure.id in check.items or measure.id in check.scores:
        check.add(
            (*path, "id"),
            f"'{measure.id}' is an item or a score already",
            "a derived measure has a name of its own",
            "rename it",
            measure.id,
        )
    if derive.name not in DERIVATIONS:
        check.add(
            (*path, "derive", "name"),
            f"'{derive.name}' is not a derivation of this program",
            offer(derive.name, "derivations", DERIVATIONS),
            "correct the name",
            derive.name,
        )
        return
    derivation = DERIVATIONS[derive.name]
    if measure.unit:
        check.unit((*path, "unit"), measure.unit, derivation.unit)
    missing = [name for name in derivation.inputs if name not in derive.inputs]
    if missing:
        check.add_key(
            (*path, "derive", "inputs"),
            f"{listing(missing)} is not given",
            f"{derive.name} needs {listing(list(derivation.inputs))}",
            "name the item for each",
        )
    for name, source in derive.inputs.items():
        at: Path = (*path, "derive", "inputs", name)
        if name not in derivation.inputs:
            check.findings.append(
                Finding(
                    at,
                    f"'{name}' is not an input of {derive.name}; "
                    f"{offer(name, 'inputs', derivation.inputs)}; correct it",
                    name,
                    key=True,
                )
            )
        elif derivation.inputs[name]:
            require_answers(check, at, source, derivation.inputs[name], name)
        else:
            _coded(check, at, source, name)


def _coded(check: Check, path: Path, source: str, name: str) -> None:
    """Find an item whose choices are not the codes an input is given in (sex: F, M)."""
    item = check.item(path, source)
    if item is None:
        return
    if item.type != "choice":
        check.add(
            path,
            f"'{source}' is of type {item.type}",
            f"{name} is a choice",
            "name an item of type choice",
            source,
        )
    elif name == "sex" and not set(item.choices or ()) <= {"F", "M"}:
        check.add(
            path,
            f"'{source}' has the choices {listing(list(item.choices or ()))}",
            "sex is coded F and M",
            f"code the choices of {source} as F and M",
            source,
        )


# -- analyses -----------------------------------------------------------------------------------


def check_analyses(check: Check) -> None:
    """Find analyses that cannot be carried out, and more or fewer than one primary."""
    analyses = check.study.analyses
    primary = [n for n, analysis in enumerate(analyses) if analysis.role == "primary"]
    if not primary:
        check.add_key(
            ("analyses",),
            "no analysis has the role primary",
            "one analysis is primary",
            "write role: primary at one of them",
        )
    for n in primary[1:]:
        check.add(
            ("analyses", n, "role"),
            "a second analysis has the role primary",
            f"one analysis is primary, here {analyses[primary[0]].id}",
            "write secondary or exploratory",
        )
    for n, analysis in enumerate(analyses):
        path: Path = ("analyses", n)
        visit = check.later_visit((*path, "at"), analysis.at)
        _analysis_measure(check, path, analysis, visit)
        _analysis_options(check, path, analysis)
        _analysis_estimand(check, path, analysis)
        if analysis.response is not None:
            names = FINDING_NAMES if analysis.method == "mcnemar" else RESPONSE_NAMES
            check.rule_over((*path, "response"), analysis.response, names)
        if analysis.method == "renal_response":
            _renal(check, path, analysis)
        _without_cells(check, path, analysis)


def _without_cells(check: Check, path: Path, analysis: Analysis) -> None:
    """Find what an analysis needs to know of patients without the cells, and does not find."""
    study = check.study
    if analysis.method in NEEDS_UNTREATED and analysis.measure in check.measures:
        known = [u.measure for u in study.untreated]
        if analysis.measure not in known:
            check.add(
                (*path, "method"),
                f"'{analysis.method}' of {analysis.measure}, whose course without treatment is not stated",
                f"{analysis.method} needs its mean, SD and rho in the patients screened",
                f"describe {analysis.measure} under untreated:",
                analysis.method,
            )
    run_in = {u.measure for u in study.untreated if u.run_in}
    if analysis.method == "mee_chua" and analysis.measure in run_in:
        check.add(
            (*path, "method"),
            f"'mee_chua' of {analysis.measure}, whose mean is estimated from a run-in",
            "the test takes the mean of the patients screened as known",
            "state mean, sd and rho, or use offset_t",
            analysis.method,
        )
    for n, word in enumerate(analysis.missing if "missing" in analysis.model_fields_set else ()):
        if analysis.method in OPTIONS["missing"] and analysis.method not in MISSING[word]:
            check.add(
                (*path, "missing", n),
                f"'{word}' stands at method {analysis.method}",
                offer(
                    word, "words here", [w for w, of in MISSING.items() if analysis.method in of]
                ),
                "take it out",
                word,
            )
    if analysis.deltas and "tipping_point" not in analysis.missing:
        check.add_key(
            (*path, "deltas"),
            "'deltas' stands without the tipping point",
            "missing: does not name tipping_point",
            "add it or take deltas out",
        )
    if analysis.background is not None:
        of_measure = [c.id for c in study.comparators if c.measure == analysis.measure]
        if analysis.background not in of_measure:
            check.add(
                (*path, "background"),
                f"'{analysis.background}' is not a comparator of {analysis.measure}",
                offer(analysis.background, "comparators", of_measure),
                "correct the id or add it under comparators:",
                analysis.background,
            )
    for n, arm in enumerate(analysis.historical):
        if arm.responders > arm.n:
            check.add(
                (*path, "historical", n, "responders"),
                f"{arm.responders} responders of {arm.n} patients",
                "not more responders than patients are expected",
                "correct one of them",
            )


def _analysis_measure(check: Check, path: Path, analysis: Analysis, visit: Visit | None) -> None:
    if analysis.measure is None:
        if analysis.method != "renal_response":
            check.add(
                (*path, "id"),
                f"analysis {analysis.id} has no measure",
                f"{analysis.method} analyses one",
                "write measure:",
                analysis.id,
            )
        return
    if analysis.method == "renal_response":
        check.add_key(
            (*path, "measure"),
            "'measure' stands at a renal response",
            "it takes its values from values:",
            "take it out",
        )
    if check.measure((*path, "measure"), analysis.measure) is None:
        return
    for form in check.study.forms_of(analysis.measure):
        if visit is not None:
            require_collected(check, (*path, "at"), form, visit, analysis.measure)
        _at_baseline(check, path, analysis.measure, form)


def _at_baseline(check: Check, path: Path, measure: str, form: Form) -> None:
    primary = check.study.baseline.primary
    visit = check.visits.get(primary.visit or "")
    if visit is not None and form.id not in visit.forms:
        check.add(
            (*path, "measure"),
            f"{measure} is not recorded at {visit.id}, the primary baseline",
            f"form {form.id} is needed there",
            f"add {form.id} to the forms of {visit.id}",
            measure,
        )


def _analysis_options(check: Check, path: Path, analysis: Analysis) -> None:
    method, given = analysis.method, analysis.model_fields_set
    for key, methods in OPTIONS.items():
        if key in given and method not in methods:
            check.add_key(
                (*path, key),
                f"'{key}' stands at method {method}",
                f"it belongs to {listing(methods)}",
                "take it out or correct the method",
            )
    for key, wanted in (
        ("response", RESPONSES),
        ("reference", ("binomial",)),
        ("definitions", ("renal_response",)),
    ):
        if method in wanted and key not in given:
            check.add(
                (*path, "method"), f"'{method}' without {key}", f"it needs {key}:", f"write {key}:"
            )
    published = analysis.published
    if published is not None:
        for key in ("zeros", "correction"):
            fits = published.method == "signed_rank_normal" or (
                key == "zeros" and published.method == "signed_rank"
            )
            if key in published.model_fields_set and not fits:
                check.add_key(
                    (*path, "published", key),
                    f"'{key}' stands at method {published.method}",
                    "it belongs to the signed-rank test",
                    "take it out",
                )


def _analysis_estimand(check: Check, path: Path, analysis: Analysis) -> None:
    if analysis.estimand is None:
        return
    known = {estimand.id: estimand for estimand in check.study.estimands}
    at: Path = (*path, "estimand")
    if analysis.estimand not in known:
        check.add(
            at,
            f"'{analysis.estimand}' is not an estimand of this study",
            offer(analysis.estimand, "estimands", known),
            "correct the id or add it under estimands:",
            analysis.estimand,
        )
        return
    estimand = known[analysis.estimand]
    wanted = (estimand.variable, estimand.at)
    known_measures = estimand.variable in check.measures and analysis.measure in check.measures
    after = all(v in check.visits and check.visits[v].day > 1 for v in (estimand.at, analysis.at))
    if known_measures and after and wanted != (analysis.measure, analysis.at):
        check.add(
            at,
            f"estimand {estimand.id} is {estimand.variable} at {estimand.at}",
            f"this analysis is of {analysis.measure} at {analysis.at}",
            "make them agree",
            estimand.id,
        )


def _renal(check: Check, path: Path, analysis: Analysis) -> None:
    from onearm.instruments.renal_response import (
        ANALYTES,
        DEFINITIONS,
        VALUE_UNITS,
        RenalState,
    )

    check.unique((*path, "definitions"), analysis.definitions, "")
    for n, name in enumerate(analysis.definitions):
        if name not in DEFINITIONS:
            check.add(
                (*path, "definitions", n),
                f"'{name}' is not a definition of renal response",
                offer(name, "definitions", DEFINITIONS),
                "correct the name",
                name,
            )
    states = [field.name for field in fields(RenalState)]
    for name, source in analysis.values.items():
        at: Path = (*path, "values", name)
        if name not in states:
            check.findings.append(
                Finding(
                    at,
                    f"'{name}' is not a value of renal response; "
                    f"{offer(name, 'values', states)}; correct it",
                    name,
                    key=True,
                )
            )
        elif source not in check.measures:
            require_answers(check, at, source, VALUE_UNITS[name], ANALYTES.get(name, name))
