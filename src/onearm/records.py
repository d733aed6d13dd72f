"""A snapshot of the ledger read through the study file: typed values in the study's units, with their dates.

The ledger keeps text; the study file says what the text means. This is the one place where the two
meet, so eligibility, safety, datasets and checks all see the same value for the same entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from onearm.dates import PartialDate
from onearm.errors import OnearmError
from onearm.instruments import DERIVATIONS, INSTRUMENTS, Bounds
from onearm.ledger import Entry, Key, Snapshot
from onearm.study import Form, Item, Measure, Study
from onearm.units import MOLAR_MASSES, convert

CONDUCT = (
    "@"  # in the item or form of an entry that is no answer but a mark, a signature, a query ...
)
LARGEST = 1e100  # beyond it nothing is measured, and squares and differences would overflow


def parse_value(item: Item, text: str, unit: str) -> float | bool | str | date | None:
    """An entry's text as the item's type, numbers in the unit that the study file names.

    Returns
    -------
    float for ``quantity`` and ``integer``, bool for ``yesno``, date for a complete ``date`` (None for
    a partial one: it is never completed in silence), text for ``choice`` and ``text``.

    Raises
    ------
    ValueError, DateError, UnitError
        The text is not of the item's type; nothing is guessed.
    """
    if item.type in ("quantity", "integer"):
        number = float(text)
        if not abs(number) < LARGEST:
            raise ValueError(f"'{text}' is not a number, or too large for a measurement")
        wanted = item.unit or ""
        return number if unit == wanted or not wanted else convert(number, unit, wanted)
    if item.type == "yesno":
        if text not in ("yes", "no"):
            raise ValueError(f"'{text}' is neither yes nor no")
        return text == "yes"
    if item.type == "date":
        partial = PartialDate(text)
        return partial.date() if partial.complete else None
    return text


@dataclass(frozen=True)
class Datum:
    """One current entry with its meaning.

    Attributes
    ----------
    entry
        The ledger entry behind it; ``entry.seq`` is what a dataset's ``SRCSEQ`` names.
    form, item
        From the study file.
    value
        As :func:`parse_value` gives it; None when missing, redacted or unreadable.
    date
        The calendar date of its form (the item with the role *visit date*), None when unknown.
    """

    entry: Entry
    form: Form
    item: Item
    value: float | bool | str | date | None
    date: date | None

    @property
    def number(self) -> float | None:
        """The value if it is a number, else None."""
        return self.value if isinstance(self.value, float) else None


@dataclass(frozen=True)
class Score:
    """An instrument scored at one visit: bounds per score and the entries they rest on."""

    subject: str
    visit: str
    form: Form
    bounds: Mapping[str, Bounds]
    date: date | None
    seqs: tuple[int, ...]


@dataclass(frozen=True)
class Derived:
    """A quantity computed by a published formula from entries of one visit (eGFR from creatinine)."""

    visit: str
    date: date | None
    value: float
    seqs: tuple[int, ...]


@dataclass(frozen=True)
class FormKey:
    """One filled-in form: whose, which, at which visit, which repeat."""

    kind: str
    about: str
    form: str
    visit: str
    repeat: int


def is_conduct(key: Key) -> bool:
    """Whether an entry is a mark, a signature, a query ... of the trial's conduct, not an answer."""
    return CONDUCT in key.item or CONDUCT in key.form


def form_key(key: Key) -> FormKey:
    """The filled-in form that an entry belongs to."""
    return FormKey(key.kind, key.about, key.form, key.visit, key.repeat)


class Records:
    """A snapshot read through a study. Read-only; everything is worked out once and kept."""

    def __init__(self, study: Study, snapshot: Snapshot):
        self.study = study
        self.snapshot = snapshot

    # -- who --------------------------------------------------------------------------------------

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects in the order of their first entry."""
        return self.snapshot.subjects()

    @property
    def donors(self) -> tuple[str, ...]:
        """Donors in the order of their first entry."""
        return self.snapshot.donors()

    @property
    def lots(self) -> tuple[str, ...]:
        """Lots in the order of their first entry."""
        return self.snapshot.lots()

    # -- what -------------------------------------------------------------------------------------

    @cached_property
    def _forms(self) -> dict[FormKey, dict[str, Entry]]:
        """Answers by form; forms that were struck out are not data."""
        return {key: items for key, items in self._answers.items() if key not in self.struck}

    @cached_property
    def _answers(self) -> dict[FormKey, dict[str, Entry]]:
        forms: dict[FormKey, dict[str, Entry]] = {}
        known = {form.id for form in self.study.forms}
        for entry in self.snapshot.entries:
            if entry.key.form in known and CONDUCT not in entry.key.item:
                forms.setdefault(form_key(entry.key), {})[entry.key.item] = entry
        return forms

    @cached_property
    def struck(self) -> frozenset[FormKey]:
        """Filled-in forms that were struck out with a reason: shown greyed, used nowhere."""
        return frozenset(
            form_key(entry.key)
            for entry in self.snapshot.entries
            if entry.key.item == f"{CONDUCT}struck" and entry.value == "yes"
        )

    def answers(self, key: FormKey) -> Mapping[str, Entry]:
        """The current entries of one filled-in form by item id, of a struck one too."""
        return self._answers.get(key, {})

    @cached_property
    def _data(self) -> dict[tuple[str, str], list[Datum]]:
        data: dict[tuple[str, str], list[Datum]] = {}
        for key, entries in self._forms.items():
            form = self.study.form(key.form)
            when = _visit_date(form, entries)
            items = {item.id: item for item in form.all_items}
            for name, entry in entries.items():
                if name in items:
                    value = _value_or_none(items[name], entry)
                    datum = Datum(entry, form, items[name], value, when)
                    data.setdefault((key.kind, key.about), []).append(datum)
        return data

    def data(self, kind: str, about: str) -> tuple[Datum, ...]:
        """Everything known about one subject, donor or lot, in ledger order."""
        return tuple(self._data.get((kind, about), ()))

    def of_item(self, about: str, item: str, *, kind: str = "subject") -> tuple[Datum, ...]:
        """All current values of one item of one subject (donor, lot), oldest date first, undated last."""
        return self._by_item.get((kind, about, item), ())

    @cached_property
    def _by_item(self) -> dict[tuple[str, str, str], tuple[Datum, ...]]:
        found: dict[tuple[str, str, str], list[Datum]] = {}
        for (kind, about), data in self._data.items():
            for datum in data:
                found.setdefault((kind, about, datum.item.id), []).append(datum)
        order = {
            k: sorted(v, key=lambda d: (d.date or date.max, d.entry.seq)) for k, v in found.items()
        }
        return {k: tuple(v) for k, v in order.items()}

    def latest(self, about: str, item: str, *, kind: str = "subject") -> Datum | None:
        """The value with the latest date, an undated one only where no other is; None without any."""
        return latest_of(self.of_item(about, item, kind=kind))

    def at(self, subject: str, item: str, visit: str) -> Datum | None:
        """The value of an item recorded under one visit (the first repeat)."""
        found = [d for d in self.of_item(subject, item) if d.entry.key.visit == visit]
        return min(found, key=lambda d: d.entry.key.repeat, default=None)

    def instances(self, form: str, *, about: str | None = None) -> tuple[FormKey, ...]:
        """Every filled-in copy of a form, in the order of first entry."""
        return tuple(k for k in self._forms if k.form == form and about in (None, k.about))

    def filled(self, key: FormKey) -> dict[str, Datum]:
        """The data of one filled-in form by item id."""
        return self._filled.get(key, {})

    @cached_property
    def _filled(self) -> dict[FormKey, dict[str, Datum]]:
        found: dict[FormKey, dict[str, Datum]] = {}
        for data in self._data.values():
            for d in data:
                found.setdefault(form_key(d.entry.key), {})[d.item.id] = d
        return found

    def by_role(self, key: FormKey) -> dict[str, Datum]:
        """The data of one filled-in form by the role its items play (``event term``, ``grade`` ...)."""
        return {d.item.role: d for d in self.filled(key).values() if d.item.role}

    # -- when -------------------------------------------------------------------------------------

    def anchor(self, subject: str) -> date | None:
        """The date of the infusion (the schedule's anchor); None before it is recorded."""
        where = self.study.schedule.anchor
        dates = [
            d.value
            for d in self.of_item(subject, where.item)
            if d.form.id == where.form and isinstance(d.value, date)
        ]
        return min(dates) if dates else None

    def visit_date(self, subject: str, visit: str) -> date | None:
        """The date of a visit: the earliest date on its forms."""
        dates = [d.date for d in self.of_visit(subject, visit) if d.date]
        return min(dates) if dates else None

    def of_visit(self, subject: str, visit: str) -> Sequence[Datum]:
        """What is recorded of a subject under one visit."""
        return self._visits.get((subject, visit), ())

    @cached_property
    def _visits(self) -> dict[tuple[str, str], list[Datum]]:
        found: dict[tuple[str, str], list[Datum]] = {}
        for subject in self.subjects:
            for datum in self.data("subject", subject):
                found.setdefault((subject, datum.entry.key.visit), []).append(datum)
        return found

    @cached_property
    def treated(self) -> tuple[str, ...]:
        """Subjects with a date of infusion: the safety population."""
        return tuple(s for s in self.subjects if self.anchor(s) is not None)

    # -- scores -----------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """Every instrument form scored, with bounds where answers or laboratory values are missing."""
        return tuple(
            self.score(key)
            for form in self.study.forms
            if form.instrument
            for key in self.instances(form.id)
        )

    def score(self, key: FormKey) -> Score:
        """The score of one filled-in instrument form, worked out once."""
        if key not in self._scored:
            self._scored[key] = self._score(key)
        return self._scored[key]

    @cached_property
    def _scored(self) -> dict[FormKey, Score]:
        return {}

    def scores_of(self, subject: str, form: str) -> tuple[Score, ...]:
        """The scores of one instrument form of one subject, oldest first."""
        if self.study.form(form).instrument is None:
            return ()
        found = [self.score(key) for key in self.instances(form, about=subject)]
        return tuple(sorted(found, key=lambda s: (s.date or date.max, s.seqs)))

    # -- derived quantities -----------------------------------------------------------------------

    def derived(self, measure: Measure, subject: str) -> tuple[Derived, ...]:
        """A derived measure wherever its first input was recorded, oldest first; holes stay holes."""
        assert measure.derive is not None
        lead = next(iter(measure.derive.inputs.values()))
        found = (self._derive(measure, subject, datum) for datum in self.of_item(subject, lead))
        return tuple(d for d in found if d is not None)

    def _derive(self, measure: Measure, subject: str, lead: Datum) -> Derived | None:
        assert measure.derive is not None
        formula = DERIVATIONS[measure.derive.name]
        parts = {
            name: lead if item == lead.item.id else self._companion(subject, item, lead)
            for name, item in measure.derive.inputs.items()
        }
        values = {n: _argument(d, formula.inputs[n], n) for n, d in parts.items()}
        if any(v is None for v in values.values()):
            return None
        try:
            number = formula.compute(**values)
        except ValueError:
            return None  # outside what the formula was made for; never stretched
        if number is None:
            return None
        return Derived(lead.entry.key.visit, lead.date, number, seq_set(parts.values()))

    def _companion(self, subject: str, item: str, lead: Datum) -> Datum | None:
        """Another input: of the same visit, else the latest one not after it."""
        same = [d for d in self.of_item(subject, item) if _same_visit(d.entry.key, lead.entry.key)]
        if same:
            return min(same, key=lambda d: d.entry.key.repeat)
        return latest_of(
            d
            for d in self.of_item(subject, item)
            if not (d.date and lead.date and d.date > lead.date)
        )

    def _score(self, key: FormKey) -> Score:
        form = self.study.form(key.form)
        assert form.instrument is not None
        instrument = INSTRUMENTS[form.instrument.name]
        filled = self.filled(key)
        when = next((d.date for d in filled.values() if d.date), None)
        seqs = {d.entry.seq for d in filled.values()}
        values: dict[str, float | bool | None] = {}
        ages: dict[str, int] = {}
        for name, item in form.instrument.values.items():
            datum = self._value_for(key, item, when)
            values[name] = None
            if datum is None:
                continue
            seqs.add(datum.entry.seq)
            values[name] = _measured(datum, instrument.value_units.get(name, ""), name)
            if when and datum.date:
                # A collection that ends a day after the examination belongs to the same visit.
                ages[name] = abs((when - datum.date).days)
        bounds = instrument.score(
            {q.id: _flag(filled.get(q.id)) for q in instrument.questions},
            values,
            window_days=form.instrument.window_days,
            arthritis=form.instrument.arthritis,
            ages=ages,
        )
        return Score(key.about, key.visit, form, bounds, when, tuple(sorted(seqs)))

    def _value_for(self, key: FormKey, item: str, when: date | None) -> Datum | None:
        """The laboratory value that belongs to an assessment: same visit, else the latest before it."""
        found = self.of_item(key.about, item)
        same = [d for d in found if _same_visit(d.entry.key, key)]
        if same or when is None:
            return same[-1] if same else None
        before = [d for d in found if d.date and d.date <= when and d.value is not None]
        return before[-1] if before else None


def _same_visit(a: Key | FormKey, b: Key | FormKey) -> bool:
    """Whether two entries belong to one visit; those not planned have no name, their number tells them apart."""
    return a.visit == b.visit and bool(a.visit or a.repeat == b.repeat)


def _visit_date(form: Form, entries: Mapping[str, Entry]) -> date | None:
    for item in form.all_items:
        if item.role == "visit date" and item.id in entries:
            value = _value_or_none(item, entries[item.id])
            return value if isinstance(value, date) else None
    return None


def _value_or_none(item: Item, entry: Entry) -> float | bool | str | date | None:
    if entry.value is None:
        return None
    try:
        return parse_value(item, entry.value, entry.unit)
    except (ValueError, OnearmError):
        return None  # the checks name it; a rule over it is unknown


def _flag(datum: Datum | None) -> bool | None:
    return datum.value if datum is not None and isinstance(datum.value, bool) else None


def _argument(datum: Datum | None, unit: str, name: str) -> float | str | None:
    if datum is None or isinstance(datum.value, str):
        return datum.value if datum is not None else None  # type: ignore[return-value]
    number = _in_unit(datum, unit, name)
    return number if isinstance(number, float) else None


def _measured(datum: Datum, unit: str, name: str) -> float | bool | None:
    """A value as an instrument takes it; a negative measurement is a slip, so it is not known."""
    number = _in_unit(datum, unit, name)
    return number if isinstance(number, bool) or number is None or number >= 0 else None


def _in_unit(datum: Datum, unit: str, analyte: str) -> float | bool | None:
    """A value in the unit that a score or formula wants; moles by the analyte it is named for."""
    if isinstance(datum.value, bool):
        return datum.value
    if datum.number is None or not unit:
        return datum.number
    known = analyte if analyte in MOLAR_MASSES else None
    return convert(datum.number, datum.item.unit, unit, analyte=known)


def latest_of(data: Iterable[Datum]) -> Datum | None:
    """The last of data that stand in the order of their dates; an undated one only without others."""
    found = list(data)
    dated = [d for d in found if d.date]
    return (dated or found)[-1] if found else None


def seq_set(data: Iterable[Datum | None]) -> tuple[int, ...]:
    """The ledger sequence numbers behind some data, sorted, each once."""
    return tuple(sorted({d.entry.seq for d in data if d is not None}))
