"""The replay of replay_pages.py, in a process and a served folder of its own.

Each step reads the whole ledger again: in the folder that the other tests fill, it would be slow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_replaying_the_ledger_gives_what_pages_files_and_commands_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = Path(__file__).with_name("replay_pages.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(machine)],
        env={
            k: v for k, v in os.environ.items() if not k.startswith(("ONEARM", "DJANGO", "PYTEST"))
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout
    told = [line for line in done.stdout.splitlines() if line.startswith("replay: ")]
    assert len(told) == 1
    with capsys.disabled():
        sys.stdout.write(f"\n{told[0]}\n")
