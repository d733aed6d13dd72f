"""Parts of a study in words, one phrase each; used to tell a study and to compare two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onearm.instruments import DERIVATIONS
from onearm.study.model import (
    EVENT_NAMES,
    Amount,
    Analysis,
    BaselineRule,
    Comparator,
    Criterion,
    Donor,
    DonorTest,
    Dose,
    Estimand,
    Expected,
    Form,
    Item,
    Measure,
    Multiplicity,
    PublishedNumber,
    PublishedTest,
    Registration,
    ReleaseTest,
    Source,
    StoppingRule,
    Study,
    Untreated,
    Visit,
)
from onearm.study.rules import parse_rule
from onearm.study.values import RESPONSES
from onearm.units import convert, unit_words

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number_words(value: float) -> str:
    """Write a number for people: ``1 × 10⁶``, ``2.5``, ``−91``; whole numbers in full."""
    if isinstance(value, int):
        return str(value).replace("-", "−")
    if value and not 1e-3 <= abs(value) < 1e5:
        digits, _, power = f"{value:.6e}".partition("e")
        digits = digits.rstrip("0").rstrip(".")
        return f"{digits} × 10{str(int(power)).translate(_RAISED)}".replace("-", "−", 1)
    return f"{value:.10g}".replace("-", "−")


def amount_words(amount: Amount) -> str:
    """Write a number with its unit: ``2 mL/min``."""
    return f"{number_words(amount.value)} {unit_words(amount.unit)}".strip()


def cells_per_kg(amount: Amount) -> str:
    """Write a dose by weight: ``1 × 10⁶ cells/kg``."""
    return f"{number_words(convert(amount.value, amount.unit, '1/kg'))} cells/kg"


def percent(share: float) -> str:
    """Write a fraction as a percentage: ``20 %``."""
    return f"{number_words(round(100 * share, 10))} %"


def days(first: int, last: int) -> str:
    """Write days around a planned day: ``−21 to +21``; empty for the day itself."""
    if first == last == 0:
        return ""
    return f"{signed(first)} to {signed(last)}"


def signed(day: int) -> str:
    """Write days before or after: ``−21``, ``0``, ``+21``."""
    return f"+{day}" if day > 0 else str(day).replace("-", "−")


def joined(words: Iterable[str], last: str = "and") -> str:
    """Join words as in a sentence: ``a, b and c``."""
    every = list(words)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {last} {every[-1]}"


# -- rules ----------------------------------------------------------------------------------------


def labels(study: Study) -> dict[str, str]:
    """What the names in rules are called: labels of items, scores and measures."""
    found: dict[str, str] = {}
    for form in study.forms:
        for item in form.all_items:
            found.setdefault(item.id, item.label)
        for score in form.scores:
            found[score] = f"{form.label} {score.partition('.')[2]}"
    measured = {m.id: m.label for m in study.measures if "." in m.id or m.derive}
    return {**found, **measured}


def rule_words(study: Study, text: str) -> str:
    """Write a rule over the study's names in words, AND and OR in capitals."""
    return study.rule(text).words(labels(study), _units(study))


def _units(study: Study) -> dict[str, str]:
    units = {
        item.id: unit_words(item.unit)
        for form in study.forms
        for item in form.all_items
        if item.unit
    }
    for measure in study.measures:
        if measure.derive is not None and measure.derive.name in DERIVATIONS:
            units[measure.id] = unit_words(measure.unit or DERIVATIONS[measure.derive.name].unit)
    return units


def event_words(text: str) -> str:
    """Write the rule of an adverse event in words."""
    types = {name: kind for name, (kind, _) in EVENT_NAMES.items()}
    return parse_rule(text, types).words({"related": "related to the cells"})


def response_words(text: str, unit: str) -> str:
    """Write a rule over the change in words."""
    names = {
        "CHG": "change",
        "AVAL": "value",
        "BASE": "baseline",
        "PCHG": "percentage change",
    }
    units = {"CHG": unit, "AVAL": unit, "BASE": unit, "PCHG": "%"}
    return parse_rule(text, dict.fromkeys(names, "number")).words(names, units)


def criterion_words(study: Study, criterion: Criterion) -> str:
    """Write a criterion: its text, and the rule that decides it unless it says the same."""
    rule = rule_words(study, criterion.rule)
    limit = f", no older than {criterion.within.words()}" if criterion.within else ""
    if rule.lower() == criterion.text.lower():
        return criterion.text + limit
    return f"{criterion.text} ({rule}{limit})"


def criterion_lines(study: Study, criterion: Criterion) -> list[str]:
    """Write a criterion: its text, then its rule with each part of an AND or OR on its line."""
    rule = study.rule(criterion.rule)
    clauses = list(rule.clauses(labels(study), _units(study)))
    same = clauses == [criterion.text] or clauses[0].lower() == criterion.text.lower()
    lines = [criterion.text, *(f"= {c}" if n == 0 else f"  {c}" for n, c in enumerate(clauses))]
    limit = [f"  no older than {criterion.within.words()}"] if criterion.within else []
    return (lines[:1] if same and len(clauses) == 1 else lines) + limit


# -- people and product ---------------------------------------------------------------------------


def registration_words(registration: Registration) -> str:
    """Write a registration: number, date, timing."""
    parts = [registration.id]
    if registration.registered is not None:
        parts.append(f"registered {registration.registered}")
    if registration.timing != "not stated":
        parts.append(registration.timing)
    return ", ".join(parts)


def source_words(source: Source) -> str:
    """Write a source as it is cited."""
    return source.citation


def relation_words(relation: Sequence[str]) -> str:
    """Write who may donate."""
    return joined(relation, "or") if relation else "not stated"


def age_words(age: tuple[float, float]) -> str:
    """Write an age range."""
    return f"{number_words(age[0])} to {number_words(age[1])} years"


def test_words(study: Study, test: DonorTest) -> str:
    """Write a donor test: the item, the result, how near to recovery."""
    label = labels(study).get(test.item, test.item)
    near = f", within {test.within.words()} of tissue recovery" if test.within else ""
    return f"{label}: {test.result}{near}"


def donor_words(study: Study, donor: Donor) -> list[str]:
    """Write every condition on the donor, one line each."""
    lines = [relation_words(donor.relation)]
    if donor.age:
        lines.append(f"aged {age_words(donor.age)}")
    if donor.tissue:
        lines.append(f"tissue {donor.tissue}")
    lines.append(f"HLA match {donor.hla}")
    lines += [test_words(study, test) for test in donor.tests]
    lines += [f"{rule.text} ({rule_words(study, rule.rule)})" for rule in donor.rules]
    return lines


def release_words(study: Study, test: ReleaseTest) -> str:
    """Write a release test and what an open result does."""
    pending = "; conditional release while open" if test.pending == "conditional" else ""
    return f"{test.text}: {rule_words(study, test.rule)}{pending}"


def times_words(infusions: int) -> str:
    """Write how often."""
    return {1: "once", 2: "twice"}.get(infusions, f"{infusions} times")


def dose_words(dose: Dose) -> str:
    """Write the dose: ``1 × 10⁶ viable cells per kg, once, intravenous; tolerance ±10 %``."""
    cells = number_words(convert(dose.per_kg.value, dose.per_kg.unit, "1/kg"))
    text = f"{cells} viable cells per kg, {times_words(dose.infusions)}, {dose.route}"
    return f"{text}; tolerance ±{percent(dose.tolerance)}" if dose.tolerance else text


# -- plan -----------------------------------------------------------------------------------------


def day_words(visit: Visit) -> str:
    """Write a visit's day and window: ``day −91 (−21 to +21)``."""
    window = days(*visit.window)
    return f"day {number_words(visit.day)}" + (f" ({window})" if window else "")


def visit_words(visit: Visit) -> str:
    """Write a visit with its forms."""
    return f"{visit.label}, {day_words(visit)}, forms {', '.join(visit.forms) or 'none'}"


def item_words(item: Item) -> str:
    """Write an item: label, type, unit, range, choices."""
    parts = [item.label, item.type]
    if item.unit:
        parts.append(f"unit {item.unit}")
    if item.range:
        parts.append(f"{number_words(item.range[0])} to {number_words(item.range[1])}")
    if item.choices:
        parts.append("choices " + ", ".join(item.choices))
    return ", ".join(parts)


def form_words(form: Form) -> str:
    """Write a form: label and what it asks."""
    asks = [item.id for item in form.items]
    if form.instrument:
        asks.insert(0, f"instrument {form.instrument.name}")
    return f"{form.label} ({', '.join(asks)})"


def baseline_words(rule: BaselineRule) -> str:
    """Write what counts as before."""
    if rule.visit:
        return f"{rule.label} (value at visit {rule.visit})"
    return f"{rule.label} (rule: {rule.rule})"


def measure_words(measure: Measure) -> str:
    """Write a measure, with how it is derived and on which scale it is shown."""
    parts = [measure.label]
    if measure.derive is not None and measure.derive.name in DERIVATIONS:
        parts.append(DERIVATIONS[measure.derive.name].title)
    if measure.better:
        parts.append(f"{measure.better} is better")
    if measure.scale == "log":
        parts.append("log scale")
    return ", ".join(parts)


def measure_unit(study: Study, measure: Measure) -> str:
    """Write the unit of a measure for people; ``points`` for scores."""
    if measure.unit == "points" or "." in measure.id:
        return "points"
    if measure.unit:
        return unit_words(measure.unit)
    if measure.derive is not None:
        return unit_words(DERIVATIONS[measure.derive.name].unit)
    unit = study.find_item(measure.id)[1].unit
    return unit_words(unit) if unit else ""


METHODS: dict[str, str] = {
    "descriptive": "described, no test",
    "paired_t": "paired t test",
    "geometric_mean_ratio": "t test of the ratio of geometric means",
    "signed_rank": "exact signed-rank test",
    "signed_rank_normal": "signed-rank test by the normal approximation",
    "sign_flip": "exact sign-flip test of the mean",
    "sign_test": "exact sign test",
    "offset_t": "t test of the change less regression to the mean",
    "offset_signed_rank": "exact signed-rank test of the change less regression to the mean",
    "mee_chua": "Mee and Chua's test",
    "normal_posterior": "posterior of the mean change",
    "responders": "share of responders, exact interval",
    "binomial": "exact binomial test against a reference rate",
    "poisson_binomial": "exact test against each patient's own chance of responding untreated",
    "beta_binomial": "posterior of the share of responders",
    "mcnemar": "McNemar's exact test",
    "renal_response": "renal response by published definitions",
    "mmrm": "mixed model for repeated measures",
}
"""Methods of analysis in words."""

COVARIANCES: dict[str, str] = {
    "us": "unstructured",
    "toeph": "heterogeneous Toeplitz",
    "toep": "Toeplitz",
    "adh": "heterogeneous ante-dependence",
    "ad": "ante-dependence",
    "ar1h": "heterogeneous AR(1)",
    "ar1": "AR(1)",
    "csh": "heterogeneous compound symmetry",
    "cs": "compound symmetry",
    "sp_exp": "spatial exponential",
    "sp_gau": "spatial Gaussian",
}
"""Covariances of a patient's values in words."""

DEGREES_OF_FREEDOM: dict[str, str] = {
    "kenward-roger": "Kenward and Roger",
    "kenward-roger-linear": "Kenward and Roger, linear",
    "kenward-roger-mmrm": "Kenward and Roger as the R package mmrm takes them",
    "satterthwaite": "Satterthwaite",
    "residual": "residual",
    "between-within": "between and within patients",
}
"""Degrees of freedom in words."""

_ZEROS = {"wilcoxon": "zeros left out", "pratt": "zeros ranked as Pratt did"}


def test_name(test: Analysis | PublishedTest) -> str:
    """Write which test: ``exact signed-rank test, zeros ranked as Pratt did``."""
    sided = "" if test.alternative == "two-sided" else f", alternative {test.alternative}"
    name = METHODS[test.method]
    if test.method == "signed_rank_normal":
        name += f" {'with' if test.correction else 'without'} continuity correction"
    if "signed_rank" in test.method:
        name += f", {_ZEROS[test.zeros]}"
    return name + sided


def published_test_words(test: PublishedTest) -> str:
    """Write a published P value and the test behind it."""
    return f"P = {test.p:.{test.decimals}f} by the {test_name(test)}"


def analysis_words(study: Study, analysis: Analysis) -> str:
    """Write what an analysis does, without its title."""
    at = study.visit(analysis.at).label
    if analysis.method == "renal_response":
        return f"renal response at {at} by {', '.join(analysis.definitions)}"
    measure = study.measure(analysis.measure or "")
    level = "" if analysis.conf_level == 0.95 else f", {percent(analysis.conf_level)} intervals"
    if analysis.method in RESPONSES:
        rule = response_words(analysis.response or "", measure_unit(study, measure))
        how = _response_method_words(analysis)
        return f"share of patients with {measure.label} {rule} at {at}, {how}{level}"
    if analysis.method == "mmrm":
        return _longitudinal_words(analysis, measure.label, at) + level + _missing_words(analysis)
    words = f"{measure.label} at {at} against baseline, {test_name(analysis)}{level}"
    if analysis.relevant is not None:
        words += f", with the probability of a change beyond {number_words(analysis.relevant)}"
    if analysis.background is not None:
        words += f"; background: {analysis.background}"
    words += _missing_words(analysis)
    published = analysis.published
    return f"{words}; published: {published_test_words(published)}" if published else words


def _missing_words(analysis: Analysis) -> str:
    """Write which analyses of missing follow-up the file names; empty where it leaves that open."""
    if "missing" not in analysis.model_fields_set:
        return ""
    named = ", ".join(m.replace("_", " ") for m in analysis.missing) or "none"
    return f"; sensitivity to missing follow-up: {named}"


def _longitudinal_words(analysis: Analysis, label: str, at: str) -> str:
    """Write a mixed model for repeated measures: visits, covariates, covariances, degrees of freedom."""
    seen = f"visits {joined(analysis.visits)}" if analysis.visits else "every visit"
    what = "values" if analysis.dependent == "AVAL" else "changes from baseline"
    words = f"{label} at {at} against baseline, {METHODS['mmrm']} over the {what} at {seen}"
    if analysis.covariates:
        words += f", covariates {joined(analysis.covariates)}"
    tried = [COVARIANCES[name] for name in analysis.covariance]
    words += f"; covariance {', else '.join(tried)}"
    information = "" if analysis.information == "observed" else " from the expected information"
    return f"{words}; degrees of freedom {DEGREES_OF_FREEDOM[analysis.df]}{information}"


def _response_method_words(analysis: Analysis) -> str:
    """Write how responders are judged."""
    if analysis.method == "responders":
        return "exact interval"
    words = METHODS[analysis.method]
    if analysis.reference is not None:
        words += f" of {percent(analysis.reference.rate)} ({analysis.reference.citation})"
    words += "" if analysis.alternative == "two-sided" else f", alternative {analysis.alternative}"
    if analysis.method == "beta_binomial":
        words += (
            f", prior Beta({number_words(analysis.prior[0])}, {number_words(analysis.prior[1])})"
        )
        if analysis.historical:
            arms = "; ".join(
                f"{arm.text}, {arm.responders} of {arm.n}, {arm.citation}"
                for arm in analysis.historical
            )
            words += f", and of earlier arms with weight {percent(analysis.weight)} ({arms})"
        if analysis.go:
            words += "; go if " + " and ".join(
                f"P(share > {percent(d.rate)}) ≥ {percent(d.probability)}" for d in analysis.go
            )
    return words


def estimand_words(study: Study, estimand: Estimand) -> str:
    """Write an estimand in its five attributes."""
    label = study.measure(estimand.variable).label
    events = ", ".join(f"{e.event} ({e.strategy})" for e in estimand.intercurrent)
    words = (
        f"{estimand.population}; {label} at {study.visit(estimand.at).label}; {estimand.summary}"
    )
    words += f"; intercurrent events: {events}" if events else ""
    return f"{words}; missing: {estimand.missing}" if estimand.missing else words


def expected_words(expected: Expected) -> str:
    """Write an expected event."""
    return f"{expected.term} ({expected.text})" if expected.text else expected.term


def stopping_words(rule: StoppingRule) -> str:
    """Write when to stop."""
    words = (
        f"stop when the probability that more than {percent(rule.limit)} of patients have an event "
        f"({event_words(rule.event)}) exceeds {percent(rule.probability)} (beta-binomial, prior "
        f"{number_words(rule.prior[0])} and {number_words(rule.prior[1])})"
    )
    return f"{rule.text}: {words}" if rule.text else words


def comparator_words(study: Study, comparator: Comparator) -> str:
    """Write what happens without the cells, and where that was published."""
    label = study.measure(comparator.measure).label
    n = f", n = {comparator.n}" if comparator.n else ""
    own = f"from {number_words(comparator.before)}, " if comparator.before is not None else ""
    return (
        f"{label}: {own}change {number_words(comparator.change)} (SD {number_words(comparator.sd)}{n}), "
        f"weight {percent(comparator.weight)}, {comparator.text}; {comparator.citation}"
    )


def untreated_words(study: Study, untreated: Untreated) -> str:
    """Write how a measure varies without treatment."""
    measure = study.measure(untreated.measure)
    if untreated.run_in:
        words = f"estimated from the readings at {' and '.join(untreated.run_in)}"
    else:
        mean, log = ("geometric mean", " of logarithms") if measure.scale == "log" else ("mean", "")
        words = f"{mean} {_stated(untreated.mean)}"
        words += f" (SE {_stated(untreated.mean_se)})" if untreated.mean_se else ""
        words += f", SD{log} {_stated(untreated.sd)}, rho {_stated(untreated.rho)}"
        words += f" (SE {_stated(untreated.rho_se)})" if untreated.rho_se else ""
    if untreated.rho_range:
        low, high = untreated.rho_range
        words += f", rho shown from {number_words(low)} to {number_words(high)}"
    if untreated.above is not None:
        words += f", patients enter above {number_words(untreated.above)}"
    if untreated.below is not None:
        words += f", patients enter below {number_words(untreated.below)}"
    return f"{measure.label}: {words}; {untreated.citation}"


def _stated(value: float | None) -> str:
    return "not stated" if value is None else number_words(value)


def multiplicity_words(plan: Multiplicity) -> str:
    """Write how several P values are judged together."""
    names = {
        "holm": "Holm",
        "hochberg": "Hochberg",
        "hierarchical": "fixed sequence",
        "gatekeeping": f"{plan.gates} gatekeeping",
    }
    order = ", then ".join(" and ".join(family) for family in plan.families)
    if not order:
        order = (", then " if plan.method == "hierarchical" else ", ").join(plan.analyses)
    return f"{names[plan.method]} at {percent(plan.alpha)}: {order}"


def printed_words(number: PublishedNumber) -> str:
    """Write a printed number and the result that reproduces it."""
    return f"{number.value} ({number.from_})" if number.from_ else number.value


def without_path(number: PublishedNumber) -> str:
    """Write a printed number alone."""
    return number.value
