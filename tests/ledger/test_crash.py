"""``kill -9`` while entries are saved: nothing acknowledged is lost, nothing is kept by half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.conftest import Place

from onearm.ledger import Ledger

KILLS = 1000
SCRIPT = Path(__file__).with_name("crashing.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 and fork are Unix's"),
]


def crashed(place: Place, kills: int, seed: int) -> dict[str, Any]:
    """What a process of its own found: killing is not done from the process of the tests."""
    where = str(place.where).replace("synchronous_commit%3Doff", "synchronous_commit%3Don")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), where, str(kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_no_acknowledged_save_is_lost_and_no_save_is_halved_by_a_kill(place: Place) -> None:
    found = crashed(place, KILLS, seed=20181230)
    assert found["faults"] == []
    assert found["kills"] == KILLS
    # Each saver worked, and some were killed between the save and its acknowledgement, or in the save.
    assert found["acknowledged"] >= KILLS
    with Ledger.open(place.where) as ledger:
        assert ledger.head().seq == found["entries"]
        assert ledger.verify() == []


def test_the_look_after_a_kill_tells_a_lost_save_and_a_halved_one() -> None:
    from tests.ledger.crashing import batch, look

    from onearm.ledger import Entry

    def kept(number: int, few: int | None = None) -> list[Entry]:
        return [
            Entry(1, d.key, d.value, "", "", "", "", "", "", "", "", "", None, "", "", "")
            for d in batch(7, number)[:few]
        ]

    assert look(7, 3, kept(0) + kept(1) + kept(2)) == ([], 0)
    assert look(7, 2, kept(0) + kept(1) + kept(2)) == ([], 1)
    assert "acknowledged save 1 has 0 entries" in look(7, 2, kept(0))[0][0]
    halved = " ".join(look(7, 2, kept(0) + kept(1) + kept(2, 4))[0])
    assert "save 2 is kept by half: 4 entries" in halved
    assert "never saved" in look(7, 0, [])[0][0]
