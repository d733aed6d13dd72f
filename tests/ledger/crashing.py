"""Kills a process that saves, again and again: ``python crashing.py PLACE KILLS SEED`` prints what was found.

One process saves batches without a pause and says on a pipe when ``record`` has returned (an acknowledged
save). The other lets it work for a random moment, kills it with SIGKILL, and looks: every acknowledged save
must be there, every batch whole, every entry in the chain. Used by the tests and by ``benchmarks/crash.py``.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

from onearm.ledger import Draft, Entry, Key, Ledger

WHO = {"by": "coordinator", "role": "coordinator", "site": "A", "study_hash": "5d" * 32}
LONGEST = 0.012  # seconds that a saver works before it is killed; a save takes 1 to 4 ms
SIZES = (1, 2, 5, 17)  # entries of a save


@dataclass
class Found:
    """What so many kills left behind; ``faults`` in words."""

    kills: int
    acknowledged: int
    unacknowledged: int
    entries: int
    seconds: float
    faults: list[str]


def batch(round_: int, number: int) -> list[Draft]:
    """One save: as many entries as its number says, each naming its save."""
    size = SIZES[number % len(SIZES)]
    about = f"S{round_}"
    return [
        Draft(
            Key("subject", about, "LABS", f"ITEM{i}", f"V{number}"), f"{round_}.{number}.{i}.{size}"
        )
        for i in range(size)
    ]


def save_for_ever(place: str, round_: int, pipe: int) -> None:
    """Save one batch after the other, and say each that was acknowledged."""
    ledger, number = Ledger.open(place, keep=True), 0  # as a server opens it
    while True:
        ledger.record(batch(round_, number), **WHO)
        os.write(pipe, b"%d\n" % number)
        number += 1


def one_kill(place: str, round_: int, chance: random.Random) -> int:
    """Start a saver, kill it at a random moment; the number of saves that it was told of."""
    ends, begins = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends)
        try:
            save_for_ever(place, round_, begins)
        finally:
            os._exit(1)  # a saver ends by being killed; anything else shows as a missing first save
    os.close(begins)
    select.select([ends], [], [], 30)  # the first save, or the end of the pipe
    time.sleep(chance.uniform(0, LONGEST))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said = b""
    while more := os.read(ends, 65536):
        said += more
    os.close(ends)
    return said.count(b"\n")


def look(round_: int, acknowledged: int, mine: list[Entry]) -> tuple[list[str], int]:
    """The faults of one round's entries, and the saves that were kept without having been acknowledged."""
    faults = []
    kept = Counter(int(e.key.visit[1:]) for e in mine)
    for number in range(acknowledged):
        if kept[number] != SIZES[number % len(SIZES)]:
            faults.append(f"round {round_}: acknowledged save {number} has {kept[number]} entries")
    for number, size in kept.items():
        if size != SIZES[number % len(SIZES)]:
            faults.append(f"round {round_}: save {number} is kept by half: {size} entries")
    for e in mine:
        expected = f"{round_}.{e.key.visit[1:]}.{e.key.item[4:]}.{kept[int(e.key.visit[1:])]}"
        if e.value != expected:
            faults.append(f"round {round_}: entry {e.seq} holds {e.value!r}, not {expected!r}")
    if not acknowledged:
        faults.append(f"round {round_}: the saver never saved")
    return faults, len(kept) - acknowledged


def crash(place: str, kills: int, seed: int) -> Found:
    """Kill so many savers of one ledger, look after each, and at all of it with its chain at the end."""
    chance, began = random.Random(seed), time.perf_counter()
    found = Found(kills, 0, 0, 0, 0.0, [])
    told: list[int] = []
    for round_ in range(kills):
        told.append(one_kill(place, round_, chance))
        with Ledger.open(place) as ledger:
            there = list(ledger.entries(after=found.entries))
        found.entries += len(there)
        numbers = {e.key.visit for e in there if e.key.about == f"S{round_}"}
        if lost := [n for n in range(told[-1]) if f"V{n}" not in numbers]:
            found.faults.append(f"round {round_}: acknowledged saves {lost} are not there")
        if len(found.faults) > 20:
            break
    found.acknowledged = sum(told)
    # At the end, since a server of PostgreSQL may finish a commit after its client was killed.
    with Ledger.open(place) as ledger:
        found.faults += [f"entry {d.seq}: {d.message}" for d in ledger.verify()]
        by_round: dict[str, list[Entry]] = {f"S{n}": [] for n in range(len(told))}
        for entry in ledger.entries():
            by_round[entry.key.about].append(entry)
        found.entries = ledger.head().seq
    for round_, acknowledged in enumerate(told):
        faults, more = look(round_, acknowledged, by_round[f"S{round_}"])
        found.faults += faults
        found.unacknowledged += more
    if found.entries != sum(len(entries) for entries in by_round.values()):
        found.faults.append(f"the head says {found.entries}, others are kept")
    found.seconds = time.perf_counter() - began
    return found


if __name__ == "__main__":
    where, how_many, start = sys.argv[1:]
    print(json.dumps(asdict(crash(where, int(how_many), int(start)))))  # noqa: T201
