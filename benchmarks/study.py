"""How long the study file takes: reading it whole, telling it, comparing two, one rule.

Claims: loading, all cross-checks included, stays under 150 ms of CPU once Python is warm; a rule is
evaluated in microseconds. Prints CPU time, the best of several rounds, since the machine is shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from onearm.study import load_study
from onearm.study.source import read_tree
from onearm.study.words import describe, diff

FOLDER = Path(__file__).parents[1] / "studies" / "lupus-msc"


def cpu_ms(work: Callable[[], object], rounds: int = 5, calls: int = 1) -> float:
    """Return the least CPU time of one call, in milliseconds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            work()
        best = min(best, (time.process_time() - start) / calls)
    return 1000 * best


def main() -> None:
    """Print the times."""
    path = FOLDER / "abstract-2018.yaml"
    study, other = load_study(path), load_study(FOLDER / "registry.yaml")
    rule = study.rule("UPROT24H > 1.0 or URBC > 10 or CELLCAST")
    values = {"UPROT24H": 0.4, "URBC": None, "CELLCAST": False}
    load, tree = cpu_ms(lambda: load_study(path)), cpu_ms(lambda: read_tree(study.text, "x"))
    print(f"load and check {path.name}: {load:.0f} ms (limit 150 ms)")
    print(f"the YAML alone: {tree:.0f} ms")
    print(f"tell it in words: {cpu_ms(lambda: describe(study)):.1f} ms")
    print(f"compare it with {other.name}: {cpu_ms(lambda: diff(study, other)):.1f} ms")
    print(
        f"one rule, one patient: {1000 * cpu_ms(lambda: rule.evaluate(values), calls=2000):.1f} µs"
    )


if __name__ == "__main__":
    main()
