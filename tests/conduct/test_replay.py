"""Replaying the ledger from empty gives the data, after every step and on every path into it."""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.conduct.conftest import (
    ADMINISTRATOR,
    CHANGES,
    COORDINATOR,
    DATA_MANAGER,
    MONITOR,
    NOBODY,
    TODAY,
)
from tests.conftest import _study

from onearm.conduct import act, draft_mark, draft_query, draft_reply, mark_key, queries
from onearm.errors import ConductError, ExchangeError, LedgerError
from onearm.exchange.entries import import_entries
from onearm.ledger import Draft, Entry, Key, Ledger, StaleError
from onearm.ledger.entries import number_seen
from onearm.records import FormKey, Records

EXAMPLES, STEPS = 82, 100  # 2,000 steps more in tests/web/test_replay.py
WHO = {"by": "importer", "role": "data manager", "site": "A"}
STUDY = _study("abstract-2018.yaml", CHANGES)

Said = tuple[str | None, str, str]
"""What stands at a key: value, unit, word for missing."""

FORMS = (
    FormKey("subject", "S1", "URINE", "M-3", 1),
    FormKey("subject", "S2", "URINE", "M-3", 1),
    FormKey("subject", "S1", "AE", "", 1),
    FormKey("subject", "S1", "AE", "", 2),
)
VALUES: dict[str, tuple[Said, ...]] = {
    "UPROT24H": (("1.8", "g/(24.h)", ""), ("1800", "mg/(24.h)", ""), (None, "", "not done")),
    "CELLCAST": (("yes", "", ""), ("no", "", ""), (None, "", "unknown")),
    "AETERM": (("Rash", "", ""), ('a "quoted", text', "", ""), ("تب", "", "")),
    "AEGRADE": (("1", "", ""), ("5", "", ""), (None, "", "not asked")),
}
ITEMS = {"URINE": ("UPROT24H", "CELLCAST"), "AE": ("AETERM", "AEGRADE")}


@st.composite
def drafts(draw: st.DrawFn) -> list[Draft]:
    """One to three answers on one form, some with a reason."""
    form = draw(st.sampled_from(FORMS))
    items = draw(st.lists(st.sampled_from(ITEMS[form.form]), min_size=1, max_size=2, unique=True))
    reason = draw(st.sampled_from(["", "read again"]))
    made = []
    for item in items:
        value, unit, missing = draw(st.sampled_from(VALUES[item]))
        key = Key("subject", form.about, form.form, item, form.visit, form.repeat)
        made.append(Draft(key, value, unit, missing, reason))  # type: ignore[arg-type]
    return made


forms = st.sampled_from(FORMS)
yes = st.booleans()


class Replay(RuleBasedStateMachine):
    """Whatever people, files and programs record, and what a plain dictionary says must stand."""

    steps: ClassVar[int] = 0
    recorded: ClassVar[int] = 0
    refusals: ClassVar[int] = 0
    folder: ClassVar[Path]
    template: ClassVar[bytes]

    @initialize()
    def open(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=self.folder)) / "ledger.db"
        self.path.write_bytes(self.template)
        self.ledger = Ledger.open(self.path)
        self.model: dict[Key, Said] = {}
        self.count = 0
        self.records = Records(STUDY, self.ledger.snapshot())
        self.old = self.records

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            assert self.ledger.verify() == []
            self.ledger.close()
            shutil.rmtree(self.path.parent)

    # -- what must happen -------------------------------------------------------------------------

    def closed(self, drafted: list[Draft]) -> bool:
        """Whether a form of these answers is locked or struck out."""
        marks = [
            Key(d.key.kind, d.key.about, d.key.form, mark, d.key.visit, d.key.repeat)
            for d in drafted
            for mark in ("@locked", "@struck")
        ]
        return any(self.model.get(key, ("", "", ""))[0] == "yes" for key in marks)

    def changed(self, drafted: list[Draft]) -> list[Draft]:
        return [d for d in drafted if self.model.get(d.key) != (d.value, d.unit, d.missing)]

    def unexplained(self, drafted: list[Draft]) -> bool:
        return any(d.key in self.model and not d.reason for d in self.changed(drafted))

    def stood(self, made: int, drafted: list[Draft]) -> None:
        """The drafts were recorded: as many entries as there were changes."""
        changes = self.changed(drafted)
        assert made == len(changes)
        self.model |= {d.key: (d.value, d.unit, d.missing) for d in changes}
        self.count += made
        type(self).recorded += made

    def refused(self) -> None:
        type(self).refusals += 1

    # -- what people do ---------------------------------------------------------------------------

    @rule(drafted=drafts())
    def enter(self, drafted: list[Draft]) -> None:
        """A coordinator saves a form."""
        refuse = self.closed(drafted) or self.unexplained(drafted)
        try:
            made = act(
                self.records, self.ledger, COORDINATOR, "A", drafted, action="change", today=TODAY
            )
        except ConductError:
            assert refuse
            self.refused()
        else:
            assert not refuse
            self.stood(len(made), drafted)

    @rule(drafted=drafts())
    def enter_from_an_old_page(self, drafted: list[Draft]) -> None:
        """A coordinator saves a form that he opened before others wrote."""
        stood = {d.key: self.old.snapshot.get(d.key) for d in drafted}
        seen = {k: number_seen(e) for k, e in stood.items()}
        try:
            made = act(
                self.old, self.ledger, COORDINATOR, "A", drafted,
                action="change", today=TODAY, seen=seen,
            )  # fmt: skip
        except (ConductError, StaleError):
            self.refused()
        except LedgerError:
            raise AssertionError("only what was seen or a rule refuses") from None
        else:
            assert not self.closed(drafted)
            assert not self.unexplained(drafted)
            assert all(self.records.snapshot.get(k) == self.old.snapshot.get(k) for k in seen)
            self.stood(len(made), drafted)

    @rule()
    def open_a_page(self) -> None:
        self.old = self.records

    @rule(drafted=drafts())
    def enter_without_a_right(self, drafted: list[Draft]) -> None:
        for who, site in ((NOBODY, "A"), (COORDINATOR, "B"), (MONITOR, "A"), (ADMINISTRATOR, "A")):
            with pytest.raises(ConductError):
                act(self.records, self.ledger, who, site, drafted, action="change", today=TODAY)
        self.refused()

    @rule(form=forms, mark=st.sampled_from(["locked", "struck"]), on=yes)
    def mark(self, form: FormKey, mark: str, on: bool) -> None:
        """A form is locked, unlocked, struck out, or brought back."""
        stands = self.model.get(mark_key(form, mark), ("no", "", ""))[0] == "yes"
        try:
            draft = draft_mark(self.records, form, mark, on, "as agreed")
        except ConductError:
            self.refused()
            return
        assert stands is not on
        action = {"struck": "strike"}.get(mark, "lock" if on else "unlock")
        who = {"strike": COORDINATOR, "lock": DATA_MANAGER, "unlock": ADMINISTRATOR}[action]
        try:
            made = act(self.records, self.ledger, who, "A", [draft], action=action, today=TODAY)
        except ConductError:
            self.refused()
        else:
            self.stood(len(made), [draft])

    @rule(form=forms, first=yes)
    def query(self, form: FormKey, first: bool) -> None:
        """A monitor asks at a field that holds something, or one of her queries is closed."""
        found = queries(self.records, form)
        stands = [k for k in self.model if "@" not in k.item and self.of(form, k)]
        if first and stands:
            draft = draft_query(self.records, stands[0], "is this so?")
            action = "query"
        elif found and found[0].state != "closed":
            draft = draft_reply(self.records, found[0].key, "closed", "it is")
            action = "close query"
        else:
            return
        made = act(self.records, self.ledger, MONITOR, "A", [draft], action=action, today=TODAY)
        self.stood(len(made), [draft])

    @staticmethod
    def of(form: FormKey, key: Key) -> bool:
        return (form.about, form.form, form.visit, form.repeat) == (
            key.about, key.form, key.visit, key.repeat,
        )  # fmt: skip

    # -- what files and programs do ---------------------------------------------------------------

    @rule(drafted=drafts())
    def bring(self, drafted: list[Draft]) -> None:
        """A file is imported."""
        path = self.path.with_name("rows.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(
                [
                    "kind",
                    "about",
                    "visit",
                    "form",
                    "item",
                    "repeat",
                    "value",
                    "unit",
                    "missing",
                    "reason",
                ]
            )
            for d in drafted:
                k = d.key
                rows.writerow(
                    [k.kind, k.about, k.visit, k.form, k.item, k.repeat,
                     d.value or "", d.unit, d.missing, d.reason]
                )  # fmt: skip
        refuse = self.closed(drafted) or self.unexplained(drafted)
        try:
            done = import_entries(STUDY, self.ledger, path, **WHO, today=TODAY)
        except ExchangeError:
            assert refuse
            self.refused()
        else:
            assert not refuse
            assert done.unchanged == len(drafted) - len(done.entries)
            self.stood(len(done.entries), drafted)

    @rule(drafted=drafts())
    def record(self, drafted: list[Draft]) -> None:
        """A program records past the rules of conduct; the ledger's own rule still holds."""
        try:
            made = self.ledger.record(drafted, **WHO, study_hash=STUDY.hash)
        except LedgerError:
            assert self.unexplained(drafted)
            self.refused()
        else:
            assert not self.unexplained(drafted)
            self.stood(len(made), drafted)

    @rule(form=forms, item=st.sampled_from(["AETERM", "UPROT24H"]))
    def redact(self, form: FormKey, item: str) -> None:
        """A value that names somebody is removed for good."""
        entry = self.records.answers(form).get(item)
        if entry is None or entry.value is None:
            return
        self.ledger.redact(entry.seq, reason="names a person", **WHO, study_hash=STUDY.hash)
        self.model[entry.key] = (None, entry.unit, "")
        self.count += 1

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def the_ledger_replayed_is_the_data(self) -> None:
        if not hasattr(self, "ledger"):
            return
        type(self).steps += 1
        head = self.ledger.head()
        assert head.seq == self.count
        if head == self.records.snapshot.head:
            return  # nothing was recorded, so all that was compared last time still stands
        replayed: dict[Key, Entry] = {}
        for number, entry in enumerate(self.ledger.entries(), start=1):
            assert entry.seq == number
            if entry.redacts is None:
                replayed[entry.key] = entry
        snapshot = self.ledger.snapshot()
        assert (number, head) == (self.count, snapshot.head)
        assert sorted(replayed.values(), key=lambda e: e.seq) == list(snapshot.entries)
        said = {e.key: (e.value, e.unit, e.missing) for e in snapshot.entries}
        assert said == self.model
        self.records = Records(STUDY, snapshot)


@pytest.mark.slow
def test_replaying_the_ledger_gives_the_data_after_every_step(
    quick: Path, empty_ledger: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Replay.steps = Replay.recorded = Replay.refusals = 0
    Replay.folder, Replay.template = quick, empty_ledger
    run_state_machine_as_test(
        Replay,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,  # the same courses every time, so that a failure can be looked at
            deadline=None,
            phases=[Phase.generate],  # to shrink a course of a hundred steps takes many minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
    with capsys.disabled():
        sys.stdout.write(
            f"\nreplay: {Replay.steps} steps, {Replay.recorded} entries, {Replay.refusals} refusals; "
            "the ledger gave the data every time\n"
        )
    assert Replay.steps >= 8_000
    assert Replay.recorded >= 1_000
    assert Replay.refusals >= 500
