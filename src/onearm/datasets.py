"""Analysis datasets from a snapshot, shaped and named as CDISC ADaM names them.

``ADSL`` one row a subject, ``ADLB`` measurements, ``ADQS`` questionnaires, ``ADAE`` adverse events,
``ADEX`` exposure. Every row carries ``SRCSEQ``: the ledger entries it rests on. Nothing is imputed: a
value that is not known is null, a score known only by bounds has ``AVALLO`` and ``AVALHI``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from onearm.checks import disposition
from onearm.dates import study_day
from onearm.instruments import DERIVATIONS
from onearm.product import exposures
from onearm.records import Datum, Records, Score
from onearm.safety import adverse_events
from onearm.study import BaselineRule, Measure, Visit
from onearm.units import convert

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Value:
    """One measurement of one subject on one date, before baseline is chosen.

    ``visit`` is the visit it was recorded under, ``avisit`` the visit whose window holds its date
    (the nominal one where none does and the study file says so), ``lower`` and ``upper`` its bounds.
    """

    subject: str
    measure: str
    visit: str
    avisit: str | None
    date: date | None
    day: int | None
    lower: float
    upper: float
    seqs: tuple[int, ...]

    @property
    def value(self) -> float | None:
        """The number, None when only bounds are known."""
        return self.lower if self.lower == self.upper else None


@dataclass(frozen=True)
class Pair:
    """Before and after of one subject under one baseline rule; a side that is not known is None.

    ``readings`` is the number of values whose mean ``before`` is.
    """

    subject: str
    before: float | None
    after: float | None
    before_on: date | None
    after_on: date | None
    before_seqs: tuple[int, ...]
    after_seqs: tuple[int, ...]
    readings: int = 1

    @property
    def change(self) -> float | None:
        """After minus before, in decimal arithmetic (53.5 - 46.4 is 7.1)."""
        if self.before is None or self.after is None:
            return None
        from decimal import Decimal

        return float(Decimal(repr(self.after)) - Decimal(repr(self.before)))


@dataclass(frozen=True)
class Reading:
    """What stands for one visit of one subject, or for the baseline (``visit`` empty).

    ``values`` holds the measurement behind it, several where the baseline is a mean.
    """

    subject: str
    visit: str
    values: tuple[Value, ...]

    @property
    def value(self) -> float | None:
        """The number; None where only bounds are known."""
        return mean_of(v.value for v in self.values)

    @property
    def on(self) -> date | None:
        """The date of the last measurement behind it."""
        return self.values[-1].date

    @property
    def day(self) -> int | None:
        """The study day of that date."""
        return self.values[-1].day

    @property
    def seqs(self) -> tuple[int, ...]:
        """The ledger entries behind it."""
        return tuple(sorted({s for v in self.values for s in v.seqs}))


class Datasets:
    """All analysis datasets of one snapshot. Frames are made when asked for."""

    def __init__(self, records: Records):
        self.records = records
        self.study = records.study

    # -- values -----------------------------------------------------------------------------------

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Every value of every measure of the study file, by measure, subject and date."""
        found = [
            self._windowed(value)
            for measure in self.study.measures
            for subject in self.records.subjects
            for value in self._measure_values(measure, subject)
        ]
        order = {s: i for i, s in enumerate(self.records.subjects)}
        measures = {m.id: i for i, m in enumerate(self.study.measures)}
        found.sort(
            key=lambda v: (measures[v.measure], order[v.subject], v.date or date.max, v.seqs)
        )
        return tuple(found)

    def of(self, measure: str, subject: str) -> list[Value]:
        """Values of one measure of one subject, oldest first."""
        return self._by_subject.get((measure, subject), [])

    @cached_property
    def _by_subject(self) -> dict[tuple[str, str], list[Value]]:
        found: dict[tuple[str, str], list[Value]] = {}
        for value in self.values:
            found.setdefault((value.measure, value.subject), []).append(value)
        return found

    def _measure_values(self, measure: Measure, subject: str) -> Iterable[Value]:
        if measure.derive:
            return self._derived(measure, subject)
        if "." in measure.id:
            form, _, name = measure.id.partition(".")
            scores = self.records.scores_of(subject, form)
            return (self._score_value(measure, s, name) for s in scores)
        found = self.records.of_item(subject, measure.id)
        return (self._item_value(measure, d) for d in found if _possible(d))

    def _score_value(self, measure: Measure, score: Score, name: str) -> Value:
        b = score.bounds[name]
        return self._value(
            measure, score.subject, score.visit, score.date, b.lower, b.upper, score.seqs
        )

    def _item_value(self, measure: Measure, datum: Datum) -> Value:
        assert datum.number is not None
        key = datum.entry.key
        number = datum.number
        if measure.unit and datum.item.unit and measure.unit != datum.item.unit:
            number = convert(number, datum.item.unit, measure.unit)
        return self._value(
            measure, key.about, key.visit, datum.date, number, number, (datum.entry.seq,)
        )

    def _derived(self, measure: Measure, subject: str) -> Iterable[Value]:
        for d in self.records.derived(measure, subject):
            yield self._value(measure, subject, d.visit, d.date, d.value, d.value, d.seqs)

    def _value(
        self,
        measure: Measure,
        subject: str,
        visit: str,
        when: date | None,
        lower: float,
        upper: float,
        seqs: tuple[int, ...],
    ) -> Value:
        anchor = self.records.anchor(subject)
        day = study_day(when, anchor) if when and anchor else None
        return Value(subject, measure.id, visit, None, when, day, lower, upper, seqs)

    def _windowed(self, value: Value) -> Value:
        return replace(value, avisit=self.window(value.day, value.visit))

    def window(self, day: int | None, nominal: str) -> str | None:
        """The visit whose window holds a study day; outside every window, what the study file says.

        A value dated on the other side of the infusion never stays at the visit it was recorded under:
        what was measured after the cells is no baseline.
        """
        if day is not None:
            for visit in self.study.schedule.visits:
                low, high = window_days(visit)
                if low <= _linear(day) <= high:
                    return visit.id
        if self.study.schedule.outside_window == "exclude":
            return None
        visits = (v for v in self.study.schedule.visits if v.id == nominal)
        return next((v.id for v in visits if day is None or (day > 1) == (v.day > 1)), None)

    def at(self, measure: str, subject: str, visit: str) -> Value | None:
        """The value that stands for an analysis visit: nearest to its target day, the earlier on a tie."""
        target = _linear(self.study.visit(visit).day)
        found = [v for v in self.of(measure, subject) if v.avisit == visit]
        if not found:
            return None
        far = 10**9
        return min(
            found,
            key=lambda v: (abs(_linear(v.day) - target) if v.day is not None else far, v.day or 0),
        )

    # -- baseline ---------------------------------------------------------------------------------

    def baseline(self, measure: str, subject: str, rule: BaselineRule) -> tuple[Value, ...]:
        """The values a baseline rests on: one, or all of the run-in whose mean it is.

        Values on the day of infusion count as before it: the study's forms of that visit are filled in
        before the cells are given.
        """
        if rule.visit:
            at = self.at(measure, subject, rule.visit)
            return (at,) if at else ()
        before = [
            v
            for v in self.of(measure, subject)
            if v.day is not None and v.day <= 1 and v.value is not None
            if v.avisit or self.study.schedule.outside_window == "nominal"
        ]
        return tuple(before[-1:]) if rule.rule == "last before infusion" else tuple(before)

    def pairs(self, measure: str, at: str, rule: BaselineRule) -> tuple[Pair, ...]:
        """Before and after of every treated subject under one baseline rule."""
        return tuple(self._pair(measure, s, at, rule) for s in self.records.treated)

    def _pair(self, measure: str, subject: str, at: str, rule: BaselineRule) -> Pair:
        base = self.baseline(measure, subject, rule)
        after = self.at(measure, subject, at)
        return Pair(
            subject,
            mean_of(v.value for v in base),
            after.value if after else None,
            base[-1].date if base else None,
            after.date if after else None,
            tuple(sorted({s for v in base for s in v.seqs})),
            after.seqs if after else (),
            len(base),
        )

    def readings(
        self, measure: str, visits: Sequence[str], rule: BaselineRule
    ) -> tuple[Reading, ...]:
        """The baseline and the visits of every treated subject, where anything was measured."""
        found = []
        for s in self.records.treated:
            found.append(Reading(s, "", self.baseline(measure, s, rule)))
            at = ((v, self.at(measure, s, v)) for v in visits)
            found += [Reading(s, name, (value,)) for name, value in at if value]
        return tuple(r for r in found if r.values)

    # -- frames -----------------------------------------------------------------------------------

    def adsl(self) -> pl.DataFrame:
        """Subject level: one row a subject, screen failures included."""
        kinds = {"choice": "s", "yesno": "b", "integer": "f", "quantity": "f"}
        items = {i: kinds[self.study.find_item(i)[1].type] for i in self.characteristic_items}
        schema = {**_SL, **items, "SRCSEQ": "q"}
        rows = [self._subject_row(s) for s in self.records.subjects]
        return _frame([{name: row.get(name) for name in schema} for row in rows], schema)

    def _subject_row(self, subject: str) -> dict[str, Any]:
        anchor = self.records.anchor(subject)
        row: dict[str, Any] = {
            "STUDYID": self.study.id,
            "USUBJID": f"{self.study.id}-{subject}",
            "SUBJID": subject,
            "SAFFL": "Y" if anchor else "N",
            "TRTSDT": anchor,
            "EOSSTT": disposition(self.records, subject) or "ongoing",
        }
        seqs = []
        for datum in self.characteristics(subject):
            row[datum.item.id] = datum.value
            seqs.append(datum.entry.seq)
        row["SRCSEQ"] = sorted(seqs)
        return row

    @cached_property
    def characteristic_items(self) -> tuple[str, ...]:
        """Items asked once, up to the infusion: what a table of patients at entry shows."""
        anchor_day = self.study.visit_of_anchor().day
        found = []
        for form in self.study.forms:
            visits = [v for v in self.study.schedule.visits if form.id in v.forms]
            once = len(visits) == 1 and visits[0].day <= anchor_day and not form.repeating
            if once and form.about == "subject" and form.id != self.study.schedule.anchor.form:
                kinds = ("choice", "integer", "quantity", "yesno")
                found += [i.id for i in form.all_items if i.type in kinds]
        return tuple(found)

    def characteristics(self, subject: str) -> list[Datum]:
        """The data of :attr:`characteristic_items` of one subject."""
        found = (self.records.latest(subject, item) for item in self.characteristic_items)
        return [d for d in found if d is not None]

    def adlb(self) -> pl.DataFrame:
        """Measurements: items and derived quantities, one row per value and baseline rule."""
        return self._bds(lambda m: "." not in m.id)

    def adqs(self) -> pl.DataFrame:
        """Questionnaires: instrument scores, one row per score, visit and baseline rule."""
        return self._bds(lambda m: "." in m.id)

    def _bds(self, wanted: Callable[[Measure], bool]) -> pl.DataFrame:
        rows = []
        for measure in filter(wanted, self.study.measures):
            for rule in self.study.baseline.rules:
                for subject in self.records.subjects:
                    base = self.baseline(measure.id, subject, rule)
                    for value in self.of(measure.id, subject):
                        rows.append(self._bds_row(measure, rule, base, value))
        return _frame(rows, _BDS)

    def _bds_row(
        self, measure: Measure, rule: BaselineRule, base: Sequence[Value], v: Value
    ) -> dict[str, Any]:
        visits = {x.id: i + 1 for i, x in enumerate(self.study.schedule.visits)}
        visit = next((x for x in self.study.schedule.visits if x.id == v.avisit), None)
        before = mean_of(b.value for b in base)
        change = Pair(v.subject, before, v.value, None, None, (), ()).change
        low, high = window_days(visit) if visit else (None, None)
        return {
            "STUDYID": self.study.id,
            "USUBJID": f"{self.study.id}-{v.subject}",
            "SUBJID": v.subject,
            "PARAMCD": measure.code,
            "PARAM": measure.label,
            "VISIT": v.visit,
            "AVISIT": v.avisit,
            "AVISITN": visits.get(v.avisit or ""),
            "ADT": v.date,
            "ADY": v.day,
            "AVAL": v.value,
            "AVALLO": v.lower,
            "AVALHI": v.upper,
            "AVALU": measure_unit(self.records, measure),
            "BASE": before,
            "BASETYPE": rule.label,
            "CHG": change,
            "PCHG": 100 * change / before if change is not None and before else None,
            "ABLFL": "Y" if len(base) == 1 and v is base[0] else None,
            "ANL01FL": "Y" if v.avisit and self.at(measure.id, v.subject, v.avisit) is v else None,
            "AWTARGET": visit.day if visit else None,
            "AWTDIFF": _linear(v.day) - _linear(visit.day) if visit and v.day is not None else None,
            "AWLO": _study_day(low) if low is not None else None,
            "AWHI": _study_day(high) if high is not None else None,
            "SRCSEQ": list(v.seqs),
            "BASESEQ": sorted({s for b in base for s in b.seqs}),
        }

    def adae(self) -> pl.DataFrame:
        """Adverse events, one row an event."""
        rows = [
            {
                "STUDYID": self.study.id,
                "USUBJID": f"{self.study.id}-{e.subject}",
                "SUBJID": e.subject,
                "AETERM": e.term,
                "ASTDT": e.start,
                "AENDT": e.end,
                "ASTDY": e.day,
                "ATOXGR": e.grade,
                "AESER": _yn(e.serious),
                "AREL": _yn(e.related),
                "AEOUT": e.outcome,
                "TRTEMFL": _yn(e.emergent),
                "SRCSEQ": list(e.seqs),
            }
            for e in adverse_events(self.records)
        ]
        return _frame(rows, _AE)

    def adex(self) -> pl.DataFrame:
        """Exposure, one row an infusion."""
        rows = [
            {
                "STUDYID": self.study.id,
                "USUBJID": f"{self.study.id}-{e.subject}",
                "SUBJID": e.subject,
                "ASTDT": e.day,
                "LOT": e.lot,
                "WEIGHT": e.weight_kg,
                "PLANDOSE": e.plan.viable_cells if e.plan else None,
                "AVAL": e.given_cells,
                "AVALU": "viable cells",
                "DEVPCT": 100 * e.deviation if e.deviation is not None else None,
                "EXVOL": e.volume_ml,
                "EXDUR": e.minutes,
                "SRCSEQ": list(e.seqs),
            }
            for e in exposures(self.records)
        ]
        return _frame(rows, _EX)

    def frames(self) -> dict[str, pl.DataFrame]:
        """All five by name."""
        return {
            "ADSL": self.adsl(),
            "ADLB": self.adlb(),
            "ADQS": self.adqs(),
            "ADAE": self.adae(),
            "ADEX": self.adex(),
        }


def _possible(datum: Datum) -> bool:
    """Known, and not below zero where nothing can be: such a value is an open problem, not a measurement."""
    if datum.number is None:
        return False
    return datum.number >= 0 or not datum.item.range or datum.item.range[0] < 0


def measure_unit(records: Records, measure: Measure) -> str:
    """The unit a measure is in: its own, its item's, or its derivation's; '' for a pure number."""
    if measure.unit:
        return measure.unit
    if measure.derive:
        return DERIVATIONS[measure.derive.name].unit
    if "." in measure.id:
        return "points"
    return records.study.find_item(measure.id)[1].unit or ""


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of values in decimal arithmetic; None when there is none or one is not known."""
    from decimal import Decimal

    numbers = list(values)
    if not numbers or any(n is None for n in numbers):
        return None
    return float(sum((Decimal(repr(n)) for n in numbers), Decimal(0)) / len(numbers))


def window_days(visit: Visit) -> tuple[int, int]:
    """First and last day of a visit's window on the unbroken scale where the day of infusion is 0."""
    return _linear(visit.day) + visit.window[0], _linear(visit.day) + visit.window[1]


def _linear(day: int) -> int:
    """Study day without the gap at 0: day 1 is 0, day -1 is -1."""
    return day - 1 if day > 0 else day


def _study_day(linear: int) -> int:
    return linear + 1 if linear >= 0 else linear


def _yn(value: bool | None) -> str | None:
    return None if value is None else ("Y" if value else "N")


#: Columns and types: s text, f number, i whole number, d date, q list of ledger sequence numbers.
_BDS = {
    **dict.fromkeys(("STUDYID", "USUBJID", "SUBJID", "PARAMCD", "PARAM", "VISIT", "AVISIT"), "s"),
    "AVISITN": "i",
    "ADT": "d",
    "ADY": "i",
    "AVAL": "f",
    "AVALLO": "f",
    "AVALHI": "f",
    "AVALU": "s",
    "BASE": "f",
    "BASETYPE": "s",
    "CHG": "f",
    "PCHG": "f",
    "ABLFL": "s",
    "ANL01FL": "s",
    "AWTARGET": "i",
    "AWTDIFF": "i",
    "AWLO": "i",
    "AWHI": "i",
    "SRCSEQ": "q",
    "BASESEQ": "q",
}
_SL = {
    **dict.fromkeys(("STUDYID", "USUBJID", "SUBJID", "SAFFL"), "s"),
    "TRTSDT": "d",
    "EOSSTT": "s",
}
_AE = {
    **dict.fromkeys(("STUDYID", "USUBJID", "SUBJID", "AETERM"), "s"),
    "ASTDT": "d",
    "AENDT": "d",
    "ASTDY": "i",
    "ATOXGR": "i",
    "AESER": "s",
    "AREL": "s",
    "AEOUT": "s",
    "TRTEMFL": "s",
    "SRCSEQ": "q",
}
_EX = {
    "STUDYID": "s",
    "USUBJID": "s",
    "SUBJID": "s",
    "ASTDT": "d",
    "LOT": "s",
    "WEIGHT": "f",
    "PLANDOSE": "f",
    "AVAL": "f",
    "AVALU": "s",
    "DEVPCT": "f",
    "EXVOL": "f",
    "EXDUR": "f",
    "SRCSEQ": "q",
}


def _frame(rows: list[dict[str, Any]], schema: dict[str, str]) -> pl.DataFrame:
    """Rows as a frame; the schema holds also when there is no row."""
    import polars as pl

    types: dict[str, Any] = {
        "s": pl.String,
        "f": pl.Float64,
        "i": pl.Int64,
        "d": pl.Date,
        "b": pl.Boolean,
        "q": pl.List(pl.Int64),
    }
    return pl.DataFrame(
        rows, schema={name: types[code] for name, code in schema.items()}, strict=False
    )
