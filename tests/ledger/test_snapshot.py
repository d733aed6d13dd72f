"""A snapshot read on from an earlier one is the one read anew, and leaves the earlier one as it was."""

from __future__ import annotations

import random

import pytest
from tests.ledger.conftest import WHO

from onearm.ledger import Draft, Key, Ledger, Snapshot

KINDS = ("subject", "subject", "subject", "donor", "lot", "study")


def drafts_of(chance: random.Random, number: int) -> list[Draft]:
    """One save: new keys and changes, about old and new subjects, donors and lots."""
    found: dict[Key, Draft] = {}
    for n in range(chance.randint(1, 4)):
        kind = chance.choice(KINDS)
        key = Key(kind, f"{kind[0].upper()}{chance.randint(1, 4)}", "F", f"I{chance.randint(1, 3)}")
        found[key] = Draft(key, f"{number}.{n}", reason="read again")
    return list(found.values())


@pytest.mark.parametrize("seed", range(5))
def test_what_is_read_on_is_what_is_read_anew(ledger: Ledger, seed: int) -> None:
    chance = random.Random(seed)
    read_on = ledger.snapshot()
    for number in range(25):
        before, entries = read_on, read_on.entries
        made = ledger.record(drafts_of(chance, number), **WHO)
        if chance.random() < 0.15:
            ledger.redact(made[-1].seq, reason="names a person", **WHO)
        read_on, anew = ledger.advance(read_on), ledger.snapshot()
        assert read_on == anew
        assert read_on.entries == anew.entries
        assert [e.seq for e in read_on.entries] == sorted(e.seq for e in read_on.entries)
        assert (read_on.subjects(), read_on.donors(), read_on.lots()) == (
            anew.subjects(), anew.donors(), anew.lots(),
        )  # fmt: skip
        for kind, about in anew.order:
            assert read_on.about(kind, about) == anew.about(kind, about)
        assert Snapshot(before.entries, before.head, before.as_of, before.order) == before
        assert before.entries == entries
    assert ledger.advance(read_on) is read_on


def test_one_save_read_on_shares_what_nobody_changed(ledger: Ledger) -> None:
    def put(about: str, value: str) -> None:
        ledger.record([Draft(Key("subject", about, "F", "I"), value, reason="read again")], **WHO)

    put("S1", "1")
    put("S2", "1")
    before = ledger.snapshot()
    put("S2", "2")
    after = ledger.advance(before)
    assert after._groups["subject", "S1"] is before._groups["subject", "S1"]
    assert before.get(Key("subject", "S2", "F", "I")).value == "1"  # type: ignore[union-attr]
    assert after.get(Key("subject", "S2", "F", "I")).value == "2"  # type: ignore[union-attr]


def test_a_part_holds_one_subject_and_every_donor_and_lot_and_knows_who_there_is(
    ledger: Ledger,
) -> None:
    for kind, about in (("subject", "S1"), ("subject", "S2"), ("donor", "D1"), ("lot", "L1"),
                        ("study", "S")):  # fmt: skip
        ledger.record([Draft(Key(kind, about, "F", "I"), "1")], **WHO)
    part = ledger.snapshot().only("S1")
    assert [e.key.about for e in part.entries] == ["S1", "D1", "L1"]
    assert part.subjects() == ("S1", "S2")
    assert part.head == ledger.head()
    assert part.about("subject", "S2") == ()
    assert Snapshot(()).only("S1").entries == ()
