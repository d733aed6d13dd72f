"""A disk that has no room left: a message in words, nothing kept by half, and it goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onearm.ledger import Draft, Key, Ledger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a limit on files is Unix's")

WHO = {"by": "coordinator", "role": "coordinator", "site": "A", "study_hash": "5d" * 32}
#: Saves until no file may grow any more, as on a full disk; prints the saves acknowledged, then the message.
SCRIPT = """
import resource, signal, sys
from onearm.errors import LedgerError
from onearm.ledger import Draft, Key, Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
who = {"by": "coordinator", "role": "coordinator", "site": "A", "study_hash": "5d" * 32}
with Ledger.open(sys.argv[1]) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for number in range(10_000):
        drafts = [Draft(Key("subject", f"S{number}", "LABS", f"I{i}", "M3"), "1" * 200) for i in range(20)]
        try:
            ledger.record(drafts, **who)
        except LedgerError as error:
            print(number)
            print(error)
            break
"""


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, int, str]:
    """A ledger on a disk that ran full: its file, the saves that were acknowledged, what was said."""
    path = tmp_path / "ledger.db"
    Ledger.open(path, create=True).close()
    room = os.path.getsize(path) + 300_000
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(room)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    saves, message = done.stdout.split("\n", 1)
    return path, int(saves), message.strip()


def test_a_full_disk_is_told_in_words(filled: tuple[Path, int, str]) -> None:
    path, _saves, message = filled
    assert message.startswith(str(path))
    assert "no room left to write" in message or "cannot be read or written in full" in message
    assert "Traceback" not in message


def test_what_was_acknowledged_stands_and_the_save_that_failed_left_nothing(
    filled: tuple[Path, int, str],
) -> None:
    path, saves, _message = filled
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
        assert ledger.head().seq == 20 * saves > 0
        assert not ledger.snapshot().about("subject", f"S{saves}")
        # There is room again: the next save goes on from there.
        ledger.record([Draft(Key("subject", f"S{saves}", "LABS", "I0", "M3"), "1")], **WHO)
        assert ledger.verify() == []
