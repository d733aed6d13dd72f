"""Donor, release and dose: what the study file demands of the cells, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import Any, Literal

from onearm.dates import Duration
from onearm.records import Datum, FormKey, Records, seq_set
from onearm.sentences import sentence, term
from onearm.study import Amount, DonorTest, Study
from onearm.units import convert

ReleaseState = Literal["released", "conditionally released", "not released", "undetermined"]


# -- arithmetic of a dose -------------------------------------------------------------------------


@dataclass(frozen=True)
class DosePlan:
    """The planned infusion for one patient; a part is None when what it needs is not known.

    Attributes
    ----------
    viable_cells
        Dose per kg times dosing weight.
    total_cells
        Viable cells divided by the viability of the lot.
    volume_ml
        Total cells divided by the concentration of the bag.
    minimum_minutes
        Volume divided by the maximum rate.
    endotoxin_limit_eu_per_ml
        K/M of USP <85>: K in EU/kg/h, M the volume per kg given within one hour.
    """

    viable_cells: float
    total_cells: float | None
    volume_ml: float | None
    minimum_minutes: float | None
    endotoxin_limit_eu_per_ml: float | None


def plan_dose(
    weight_kg: float,
    dose_cells_per_kg: float,
    *,
    viability_percent: float | None = None,
    concentration_cells_per_ml: float | None = None,
    max_rate_ml_per_min: float | None = None,
    endotoxin_k_eu_per_kg_h: float | None = None,
) -> DosePlan:
    """Work out one patient's infusion from weight, dose and the lot's certificate.

    Every number must be positive; viability is in percent and at most 100; the concentration counts viable
    and dead cells. Missing inputs (None) leave what depends on them None.

    Raises
    ------
    ValueError
        A value outside its permitted range.
    """
    for name, value in (
        ("weight_kg", weight_kg),
        ("dose_cells_per_kg", dose_cells_per_kg),
        ("viability_percent", viability_percent),
        ("concentration_cells_per_ml", concentration_cells_per_ml),
        ("max_rate_ml_per_min", max_rate_ml_per_min),
        ("endotoxin_k_eu_per_kg_h", endotoxin_k_eu_per_kg_h),
    ):
        if value is not None and not 0 < value < inf:
            raise ValueError(f"{name} must be positive, found {value}")
    if viability_percent is not None and viability_percent > 100:
        raise ValueError(f"viability_percent must be at most 100, found {viability_percent}")
    viable = weight_kg * dose_cells_per_kg
    total = viable / (viability_percent / 100) if viability_percent else None
    volume = total / concentration_cells_per_ml if total and concentration_cells_per_ml else None
    minutes = volume / max_rate_ml_per_min if volume and max_rate_ml_per_min else None
    limit = (
        endotoxin_limit(weight_kg, volume, minutes or 0.0, endotoxin_k_eu_per_kg_h)
        if volume and endotoxin_k_eu_per_kg_h
        else None
    )
    return DosePlan(viable, total, volume, minutes, limit)


def endotoxin_limit(
    weight_kg: float, volume_ml: float, minutes: float, k_eu_per_kg_h: float
) -> float:
    """The endotoxin limit K/M in EU/mL for this patient.

    M is the volume per kg given in one hour: the whole volume when the infusion takes an hour or less
    (USP <85>, parenteral limit). 60 kg, 100 mL within the hour, K = 5: 3 EU/mL.
    """
    ml_per_kg_in_an_hour = volume_ml / max(minutes / 60, 1.0) / weight_kg
    return k_eu_per_kg_h / ml_per_kg_in_an_hour


# -- donor ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One rule of donor, release or dose: ``met`` True, False or None (unknown), and what was found."""

    id: str
    text: str
    met: bool | None
    found: str
    seqs: tuple[int, ...]


def donor_findings(records: Records, donor: str) -> tuple[Finding, ...]:
    """Each donor rule of the study file over one donor's records."""
    rules = records.study.donor
    roles = {d.item.role: d for d in records.data("donor", donor) if d.item.role}
    findings: list[Finding] = []
    if rules.relation:
        datum = roles.get("relation")
        text = sentence("donor is a {relation}", relation=" or ".join(rules.relation))
        met = _is_in(datum, rules.relation)
        findings.append(Finding("relation", text, met, _found(datum), seq_set([datum])))
    if rules.age:
        datum = roles.get("age")
        low, high = rules.age
        age = datum.number if datum else None
        met = None if age is None else low <= age <= high
        text = sentence("donor aged {low:g} to {high:g} years", low=low, high=high)
        findings.append(Finding("age", text, met, _found(datum), seq_set([datum])))
    if rules.hla == "required":
        datum = roles.get("hla match")
        met = datum.value if datum and isinstance(datum.value, bool) else None
        findings.append(Finding("hla", sentence("HLA match"), met, _found(datum), seq_set([datum])))
    findings += [_donor_test(records, donor, roles.get("recovery date"), t) for t in rules.tests]
    for extra in rules.rules:
        rule = records.study.rule(extra.rule)
        used = [records.latest(donor, name, kind="donor") for name in rule.names]
        values = {n: _settled(d) for n, d in zip(rule.names, used, strict=True)}
        found = ", ".join(_found(d) for d in used)
        findings.append(Finding(extra.id, extra.text, rule.evaluate(values), found, seq_set(used)))
    return tuple(findings)


def _donor_test(records: Records, donor: str, recovery: Datum | None, test: DonorTest) -> Finding:
    datum = records.latest(donor, test.item, kind="donor")
    met = _is_in(datum, (test.result,))
    text = sentence("donor {item} {result}", item=test.item, result=test.result)
    if test.within is not None:
        text = sentence(
            "{test}, within {within} of recovery", test=text, within=test.within.words()
        )
        met = _and(met, _near(datum, recovery, test.within))
    return Finding(test.item, text, met, _found(datum), seq_set([datum, recovery]))


def _near(datum: Datum | None, recovery: Datum | None, within: Duration) -> bool | None:
    """A donor sample counts before or after recovery, inside the window (21 CFR 1271.80)."""
    day = datum.date if datum else None
    centre = recovery.value if recovery else None
    if day is None or not isinstance(centre, date):
        return None
    return within.before(centre) <= day <= within.after(centre)


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _is_in(datum: Datum | None, wanted: Sequence[str]) -> bool | None:
    if datum is None or datum.value is None or datum.value in ("pending", "unknown"):
        return None
    text = {True: "yes", False: "no"}[datum.value] if isinstance(datum.value, bool) else datum.value
    return text in wanted


def _found(datum: Datum | None) -> str:
    if datum is None:
        return term("not recorded")
    if datum.entry.value is None:
        return term("redacted" if datum.entry.redacted else datum.entry.missing)
    return f"{datum.entry.value} {datum.entry.unit}".strip()


# -- release --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """A lot's release state with each test.

    A result recorded as ``pending`` allows conditional release where the test's ``pending`` is
    ``conditional``; a result that is not recorded leaves the state undetermined, and so does a study file
    without release tests.
    """

    lot: str
    state: ReleaseState
    findings: tuple[Finding, ...]


def release(records: Records, lot: str) -> Release:
    """Each release test of the study file over one lot's certificate, and the state that follows."""
    data = {d.item.id: d for d in records.data("lot", lot)}
    findings, states = [], []
    for test in records.study.product.release:
        rule = records.study.rule(test.rule)
        met = rule.evaluate({n: _settled(data.get(n)) for n in rule.names})
        used = [data.get(n) for n in rule.names]
        found = ", ".join(_found(d) for d in used)
        findings.append(Finding(test.id, test.text, met, found, seq_set(used)))
        waits = test.pending == "conditional" and met is None and _awaited(used)
        states.append("conditional" if waits else met)
    return Release(lot, _release_state(states), tuple(findings))


def _awaited(used: Sequence[Datum | None]) -> bool:
    """Everything still open is a result recorded as pending; one that nobody recorded is not."""
    return all(d is not None and (d.value == "pending" or _settled(d) is not None) for d in used)


def _settled(datum: Datum | None) -> object | None:
    """A result still pending is not a result."""
    if datum is None or datum.value == "pending":
        return None
    return datum.value


def _release_state(states: list[bool | str | None]) -> ReleaseState:
    if False in states:
        return "not released"
    if None in states or not states:
        return "undetermined"
    return "conditionally released" if "conditional" in states else "released"


# -- exposure -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exposure:
    """One infusion: planned and given, with the rules that the study file sets. None means not known."""

    subject: str
    visit: str
    day: date | None
    lot: str | None
    donor: str | None
    weight_kg: float | None
    plan: DosePlan | None
    given_cells: float | None
    volume_ml: float | None
    minutes: float | None
    deviation: float | None
    release: Release | None
    findings: tuple[Finding, ...]
    seqs: tuple[int, ...]

    @property
    def rate_ml_per_min(self) -> float | None:
        """Mean rate of the infusion."""
        return self.volume_ml / self.minutes if self.volume_ml and self.minutes else None


def exposures(records: Records) -> tuple[Exposure, ...]:
    """Every recorded infusion, in the order of first entry; not one whose date is *not done*."""
    anchor = records.study.schedule.anchor
    found = (_exposure(records, key) for key in records.instances(anchor.form))
    return tuple(e for e in found if e.given_cells or not _not_done(records, e))


def _not_done(records: Records, e: Exposure) -> bool:
    anchor = records.study.schedule.anchor
    datum = records.at(e.subject, anchor.item, e.visit)
    return datum is not None and datum.entry.missing in ("not done", "not applicable")


def _exposure(records: Records, key: FormKey) -> Exposure:
    filled, dose = records.filled(key), records.study.product.dose
    lot = next((d for d in filled.values() if d.item.refers == "lot"), None)
    lot_id = lot.value if lot and isinstance(lot.value, str) else None
    certificate = {d.item.role: d for d in records.data("lot", lot_id or "") if d.item.role}
    donor = next((d for d in records.data("lot", lot_id or "") if d.item.refers == "donor"), None)
    weight = records.at(key.about, dose.weight.item, dose.weight.visit)
    weight_kg = _positive(weight, "kg")
    plan = None
    if weight_kg is not None:
        plan = plan_dose(
            weight_kg,
            convert(dose.per_kg.value, dose.per_kg.unit, "1/kg"),
            viability_percent=_positive(certificate.get("viability"), "%", most=100),
            concentration_cells_per_ml=_positive(certificate.get("concentration"), "1/mL"),
            max_rate_ml_per_min=_limit(dose.max_rate, "mL/min"),
            endotoxin_k_eu_per_kg_h=_limit(dose.endotoxin_limit, "[EU]/kg/h"),
        )
    roles = records.by_role(key)
    given = _number(roles.get("cells given"), "1")
    volume = _positive(roles.get("volume"), "mL")
    minutes = _positive(roles.get("duration"), "min")
    day = filled.get(records.study.schedule.anchor.item)
    exposure = Exposure(
        key.about,
        key.visit,
        day.value if day is not None and isinstance(day.value, date) else None,
        lot_id,
        donor.value if donor and isinstance(donor.value, str) else None,
        weight_kg,
        plan,
        given,
        volume,
        minutes,
        given / plan.viable_cells - 1 if given is not None and plan else None,
        release(records, lot_id) if lot_id in records.lots else None,
        (),
        seq_set([*filled.values(), weight, *certificate.values()]),
    )
    return _judged(records, exposure, certificate)


def _judged(records: Records, e: Exposure, certificate: Mapping[Any, Datum]) -> Exposure:
    dose = records.study.product.dose
    findings = []
    if dose.tolerance is not None:
        met = None if e.deviation is None else abs(e.deviation) <= dose.tolerance + 1e-9
        found = term("not known") if e.deviation is None else f"{100 * e.deviation:+.1f} %"
        findings.append(
            Finding(
                "dose",
                sentence("dose within {percent:g} % of plan", percent=100 * dose.tolerance),
                met,
                found,
                e.seqs,
            )
        )
    limit = _limit(dose.max_rate, "mL/min")
    if limit is not None:
        rate = e.rate_ml_per_min
        met = None if rate is None else rate <= limit + 1e-9
        found = term("not known") if rate is None else f"{rate:.2f} mL/min"
        findings.append(
            Finding(
                "rate",
                sentence("mean rate at most {limit:g} mL/min", limit=limit),
                met,
                found,
                e.seqs,
            )
        )
    k = _limit(dose.endotoxin_limit, "[EU]/kg/h")
    if k is not None:
        findings.append(_endotoxin(e, certificate.get("endotoxin"), k))
    if records.study.product.release:
        state = e.release.state if e.release else "lot not recorded"
        met = {"released": True, "conditionally released": True, "not released": False}.get(state)
        findings.append(Finding("release", sentence("lot released"), met, term(state), e.seqs))
    findings += _origin(records, e, certificate.get("tissue"))
    return replace(e, findings=(*findings, *donor_findings(records, e.donor or "")))


def _endotoxin(e: Exposure, datum: Datum | None, k: float) -> Finding:
    """The endotoxin given per hour against K, for the volume and time of this infusion."""
    value, met, text = (
        _number(datum, "[EU]/mL"),
        None,
        sentence("endotoxin below the limit for this patient"),
    )
    if e.weight_kg and e.volume_ml:
        most = endotoxin_limit(e.weight_kg, e.volume_ml, e.minutes or 0.0, k)
        met = None if value is None else value <= most * (1 + 1e-9)
        text = sentence("endotoxin at most {most:.2f} EU/mL for this patient", most=most)
    return Finding("endotoxin", text, met, _found(datum), seq_set([datum]))


def _origin(records: Records, e: Exposure, tissue: Datum | None) -> list[Finding]:
    """The cells are of the stated tissue, and of the donor who gave for this participant."""
    study, findings = records.study, []
    stated = study.donor.tissue or (study.product.source.tissue if study.product.source else None)
    if stated and any(i.role == "tissue" for f in study.forms for i in f.items):
        met = _is_in(tissue, (stated,))
        text = sentence("cells from {stated} tissue", stated=stated)
        findings.append(Finding("tissue", text, met, _found(tissue), seq_set([tissue])))
    if _recipient_item(study):
        whom = _recipient(records, e.donor or "")
        met = _is_in(whom, (e.subject,))
        text = sentence("donor gave for participant {subject}", subject=e.subject)
        findings.append(Finding("identity", text, met, _found(whom), seq_set([whom])))
    return findings


def _recipient_item(study: Study) -> str | None:
    """The item of the donor's forms that names for whom the donor gave."""
    forms = [f for f in study.forms if f.about == "donor"]
    return next((i.id for f in forms for i in f.items if i.refers == "subject"), None)


def _recipient(records: Records, donor: str) -> Datum | None:
    named = _recipient_item(records.study)
    return records.latest(donor, named, kind="donor") if named else None


def meant_for(records: Records, lot: str, subject: str) -> bool | None:
    """Whether the donor of a lot gave for this subject; None where donor or recipient is not recorded."""
    donor = next((d for d in records.data("lot", lot) if d.item.refers == "donor"), None)
    name = donor.value if donor and isinstance(donor.value, str) else ""
    return _is_in(_recipient(records, name), (subject,))


def _positive(datum: Datum | None, unit: str, most: float = inf) -> float | None:
    """A number that can be reckoned with: a weight of 0 kg or a viability of 130 % is not known."""
    number = _number(datum, unit)
    return number if number is not None and 0 < number <= most else None


def _number(datum: Datum | None, unit: str) -> float | None:
    """A number in a unit; a negative one is a slip, so it is not known."""
    if datum is None or datum.number is None or datum.number < 0:
        return None
    own = datum.item.unit or unit
    return datum.number if own == unit else convert(datum.number, own, unit)


def _limit(amount: Amount | None, unit: str) -> float | None:
    return None if amount is None else convert(amount.value, amount.unit, unit)
