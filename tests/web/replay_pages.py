"""Whatever comes by pages, files and the command line: the ledger replayed is the data, after every step.

Run by tests/web/test_replay.py in a process of its own.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from onearm import cli
from onearm.conduct import MARKS, item_key, mark_key
from onearm.ledger import Entry, Key, Ledger
from onearm.ledger.entries import number_seen
from onearm.records import FormKey

EXAMPLES, STEPS = 25, 80
NUMBERS = count(1)

Said = tuple[str | None, str, str]
"""What stands at a key: value, unit, word for missing."""

VALUES: dict[str, dict[str, tuple[Said, ...]]] = {
    "URINE": {
        "UPROT24H": (("1.8", "g/(24.h)", ""), ("2.1", "g/(24.h)", ""), (None, "", "not done")),
        "CELLCAST": (("yes", "", ""), ("no", "", ""), (None, "", "unknown")),
    },
    "AE": {
        "AETERM": (("Rash", "", ""), ('a "quoted", text', "", ""), ("تب", "", "")),
        "AEOUT": (("recovered", "", ""), ("recovering", "", ""), (None, "", "not asked")),
    },
}
PLACES = (("URINE", "M-3", 1), ("AE", "", 1), ("AE", "", 2))
WHO = {"locked": "data manager", "struck": "coordinator", "complete": "coordinator"}

places = st.sampled_from(PLACES)
yes = st.booleans()


@st.composite
def answers(draw: st.DrawFn) -> tuple[tuple[str, str, int], dict[str, Said]]:
    """A form and one or two answers on it."""
    place = draw(places)
    values = VALUES[place[0]]
    items = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=2, unique=True))
    return place, {item: draw(st.sampled_from(values[item])) for item in items}


class Pages(RuleBasedStateMachine):
    """What people and files do to one subject, and what a plain dictionary says must stand."""

    steps: ClassVar[int] = 0
    recorded: ClassVar[int] = 0
    refusals: ClassVar[int] = 0
    folder: ClassVar[Path]
    browsers: ClassVar[dict[str, Any]]
    replayed: ClassVar[dict[Key, Entry]]
    seq: ClassVar[int]

    @initialize()
    def begin(self) -> None:
        self.about = f"RP{next(NUMBERS)}"
        self.model: dict[Key, Said] = {}
        self.old: dict[Key, int] = {}
        began = self.browsers["coordinator"].post("/subjects/", {"about": self.about, "site": "A"})
        assert began.status_code == 302
        self.enter((PLACES[0], {"UPROT24H": ("1.8", "g/(24.h)", "")}), reason=False)

    def teardown(self) -> None:
        """All of the ledger, read by another connection, is what its trail gives; the chain is whole."""
        if not hasattr(self, "model"):
            return
        for command, codes in (("verify", (0,)), ("status", (0, 1))):  # they record nothing
            done = CliRunner().invoke(cli.main, [command, str(self.folder)])
            assert done.exit_code in codes and "Traceback" not in done.output, done.output
        self.expect({})
        with Ledger.open(self.folder / "ledger.db") as ledger:
            assert sorted(self.replayed.values(), key=lambda e: e.seq) == list(
                ledger.snapshot().entries
            )

    # -- what must happen -------------------------------------------------------------------------

    def form(self, place: tuple[str, str, int]) -> FormKey:
        return FormKey("subject", self.about, *place)

    def url(self, place: tuple[str, str, int], more: str = "") -> str:
        form, visit, repeat = place
        return f"/form/subject/{self.about}/{visit or '-'}/{form}/{repeat}/{more}"

    def set(self, place: tuple[str, str, int], mark: str) -> bool:
        return self.model.get(mark_key(self.form(place), mark), ("no", "", ""))[0] == "yes"

    def closed(self, place: tuple[str, str, int]) -> bool:
        return self.set(place, "locked") or self.set(place, "struck")

    def keyed(self, place: tuple[str, str, int], said: dict[str, Said]) -> dict[Key, Said]:
        return {item_key(self.form(place), item): what for item, what in said.items()}

    def changes(self, said: dict[Key, Said]) -> dict[Key, Said]:
        return {k: what for k, what in said.items() if self.model.get(k) != what}

    def expect(self, wanted: dict[Key, Said]) -> None:
        """Exactly these entries were recorded by the step, or none."""
        from onearm.web.place import place

        new = list(place().ledger.entries(after=self.seq))
        assert {e.key: (e.value, e.unit, e.missing) for e in new} == wanted
        assert len(new) == len(wanted)
        here = type(self)
        here.replayed |= {e.key: e for e in new}
        here.seq = new[-1].seq if new else here.seq
        self.model |= wanted
        here.recorded += len(new)
        here.refusals += not new

    def seen(self, keys: dict[Key, Said]) -> dict[str, int]:
        return {f"seen-{k.item}": number_seen(self.replayed.get(k)) for k in keys}

    def boxes(self, said: dict[Key, Said], *, reason: bool) -> dict[str, Any]:
        posted: dict[str, Any] = {"do": "save"} | ({"c-all": "typing error"} if reason else {})
        for key, (value, _unit, missing) in said.items():
            posted |= {f"v-{key.item}": value or "", f"m-{key.item}": missing}
        return posted

    # -- what people do on the pages --------------------------------------------------------------

    @rule(answered=answers(), reason=yes)
    def enter(self, answered: tuple[tuple[str, str, int], dict[str, Said]], reason: bool) -> None:
        """A coordinator saves a form as it stands before him."""
        place, said = answered
        wanted = self.keyed(place, said)
        changes = self.changes(wanted)
        refuse = self.closed(place) or (not reason and any(k in self.model for k in changes))
        answer = self.browsers["coordinator"].post(
            self.url(place), self.boxes(wanted, reason=reason) | self.seen(wanted)
        )
        assert answer.status_code == (422 if refuse and changes else 302)
        self.expect({} if refuse else changes)

    @rule(answered=answers())
    def enter_from_an_old_page(
        self, answered: tuple[tuple[str, str, int], dict[str, Said]]
    ) -> None:
        """What was changed since the page was opened is shown for a choice, and nothing is recorded."""
        place, said = answered
        wanted = self.keyed(place, said)
        changes = self.changes(wanted)
        seen = {f"seen-{k.item}": self.old.get(k, 0) for k in wanted}
        stale = any(seen[f"seen-{k.item}"] != number_seen(self.replayed.get(k)) for k in changes)
        self.browsers["coordinator"].post(self.url(place), self.boxes(wanted, reason=True) | seen)
        self.expect({} if stale or self.closed(place) else changes)

    @rule()
    def open_a_page(self) -> None:
        self.old = {k: number_seen(self.replayed.get(k)) for k in self.model}

    @rule(answered=answers(), who=st.sampled_from(["monitor", "data manager", "stranger"]))
    def enter_without_a_right(
        self, answered: tuple[tuple[str, str, int], dict[str, Said]], who: str
    ) -> None:
        place, said = answered
        wanted = self.keyed(place, said)
        answer = self.browsers[who].post(
            self.url(place), self.boxes(wanted, reason=True) | self.seen(wanted)
        )
        assert answer.status_code != 302 or not self.changes(wanted)
        self.expect({})

    @rule(place=places, mark=st.sampled_from(["locked", "struck"]), on=yes)
    def mark(self, place: tuple[str, str, int], mark: str, on: bool) -> None:
        """A form is locked, unlocked, struck out, or brought back."""
        form = self.form(place)
        begun = any((k.form, k.visit, k.repeat) == place and "@" not in k.item for k in self.model)
        refuse = (
            self.set(place, mark) == on
            or (on and not begun)
            or (mark == "struck" and self.set(place, "locked"))
            or (mark == "struck" and on and place[1] != "")  # a planned visit's form is corrected
        )
        who = "administrator" if mark == "locked" and not on else WHO[mark]
        boxes = {"mark": mark, "on": "yes" if on else "no", "reason": "as agreed"}
        self.browsers[who].post(self.url(place, "mark/"), boxes)
        self.expect({} if refuse else {mark_key(form, mark): ("yes" if on else "no", "", "")})

    @rule(place=places, close=yes)
    def query(self, place: tuple[str, str, int], close: bool) -> None:
        """A monitor asks at a field, or closes what was asked there first."""
        form = self.form(place)
        item = min(VALUES[place[0]])
        asked = [k for k in self.model if k.item.startswith(f"{item}@query")
                 and (k.form, k.visit, k.repeat) == place]  # fmt: skip
        first = item_key(form, f"{item}@query1")
        boxes = {"item": item, "words": "is this so?"}
        if close:
            boxes |= {"number": "1", "state": "closed"}
            stands = self.model.get(first, ("closed", "", ""))[0]
            wanted = {} if stands == "closed" else {first: ("closed", "", "")}
        else:
            wanted = {item_key(form, f"{item}@query{len(asked) + 1}"): ("open", "", "")}
        self.browsers["monitor"].post(self.url(place, "query/"), boxes)
        self.expect(wanted)

    # -- what files and the command line do -------------------------------------------------------

    @rule(answered=answers(), reason=yes)
    def bring(self, answered: tuple[tuple[str, str, int], dict[str, Said]], reason: bool) -> None:
        """A file is imported on the command line while the folder is served."""
        place, said = answered
        wanted = self.keyed(place, said)
        path = self.folder.parent / "rows.csv"
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
            for k, (value, unit, missing) in wanted.items():
                why = "read again" if reason else ""
                rows.writerow((k.kind, k.about, k.visit, k.form, k.item, k.repeat,
                               value or "", unit, missing, why))  # fmt: skip
        changes = self.changes(wanted)
        refuse = self.closed(place) or (not reason and any(k in self.model for k in changes))
        options = ["--by", "importer", "--role", "data manager", "--site", "A"]
        done = CliRunner().invoke(cli.main, ["import", str(self.folder), str(path), *options])
        assert done.exit_code == (1 if refuse else 0), done.output
        self.expect({} if refuse else changes)

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def the_ledger_replayed_is_the_data(self) -> None:
        if not hasattr(self, "model"):
            return
        from onearm.web.place import place

        type(self).steps += 1
        stands = place().records().snapshot
        assert stands.head.seq == self.seq
        about = {e.key: e for e in stands.about("subject", self.about)}
        assert about == {k: e for k, e in self.replayed.items() if k.about == self.about}
        assert {k: (e.value, e.unit, e.missing) for k, e in about.items()} == self.model


def test_the_ledger_gives_what_was_recorded_after_every_step(
    folder: Path,
    people: dict[str, Any],
    client_of: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand steps; eight thousand more in tests/conduct/test_replay.py."""
    from onearm.web.place import place

    # The study file stays as it is; to read it anew for each command would be most of the time.
    monkeypatch.setattr(cli, "load", cache(cli.load))
    assert set(WHO) <= set(MARKS)
    Pages.steps = Pages.recorded = Pages.refusals = 0
    Pages.folder = folder
    roles = ("coordinator", "data manager", "monitor", "administrator")
    Pages.browsers = {role: client_of(f"{role.replace(' ', '-')}-a") for role in roles}
    Pages.browsers["stranger"] = client_of("coordinator-b")
    entries = list(place().ledger.entries())
    Pages.replayed = {e.key: e for e in entries if e.redacts is None}
    Pages.seq = entries[-1].seq
    run_state_machine_as_test(
        Pages,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    with capsys.disabled():
        sys.stdout.write(
            f"\nreplay: {Pages.steps} steps over pages, files and commands, {Pages.recorded} entries, "
            f"{Pages.refusals} steps without one; the ledger gave the data every time\n"
        )
    assert Pages.steps >= 1_800
    assert Pages.recorded >= 400
    assert Pages.refusals >= 400
