"""Wall time of the commands a user waits for, warm: the best and the median of several runs.

Bars: `onearm --help` under 0.3 s, `onearm demo` under 3 s on two cores. The peer of a command line is the
interpreter that runs it: the ratio is to `python -c pass` in the same run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ONEARM = Path(sys.executable).with_name("onearm")


def timed(command: list[str], runs: int) -> list[float]:
    """Seconds of wall time of each run, after one that warms the caches."""
    times = []
    for run in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        if run:
            times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print one line per command."""
    with tempfile.TemporaryDirectory() as folder:
        demo = str(Path(folder) / "demo")
        commands = {
            "python -c pass": ([sys.executable, "-c", "pass"], 9),
            "onearm --help": ([str(ONEARM), "--help"], 9),
            "onearm demo": ([str(ONEARM), "demo", "--out", demo], 5),
            "onearm verify (1,161 entries)": ([str(ONEARM), "verify", demo], 5),
            "onearm run": ([str(ONEARM), "run", demo], 5),
        }
        base = None
        print(f"{'command':32}{'best, s':>10}{'median, s':>12}{'ratio':>9}")
        for name, (command, runs) in commands.items():
            times = timed(command, runs)
            base = base or median(times)
            print(f"{name:32}{min(times):10.3f}{median(times):12.3f}{median(times) / base:9.1f}")


if __name__ == "__main__":
    main()
