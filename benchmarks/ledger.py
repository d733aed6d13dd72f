"""How fast the ledger records, verifies and reads, and how that grows with its size.

    python benchmarks/ledger.py [--sizes 1000 10000 100000 1000000] [--url postgresql+psycopg://...]

Every figure comes from this one run on this one machine; ``growth`` is the time per entry at the
largest size over the time per entry at the smallest: 1 is a cost that does not grow. Saves are
flushed to the disk, as in use. With ``--url`` the ledger is made in that (empty) database.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from onearm.ledger import Draft, Key, Ledger
from onearm.ledger.sqlite import sqlite3

WHO = {"by": "benchmark", "role": "nurse", "site": "site", "study_hash": "5d" * 32}
SINGLE = 100  # saves of one entry that are timed
SAVE = 50_000  # entries of a large save, at most
ITEMS = 40  # items per subject and visit; 14 visits


def drafts(first: int, last: int) -> Iterator[Draft]:
    """Entries of a trial: subjects, visits and items in the order of a nurse's work."""
    for n in range(first, last):
        visit, item = divmod(n, ITEMS)
        subject, visit = divmod(visit, 14)
        key = Key("subject", f"S{subject:04d}", "LABS", f"ITEM{item:02d}", f"M{visit}")
        yield Draft(key, f"{n % 997 / 10}", "mg/dL")


def timed(work: Callable[[], object]) -> float:
    """Seconds that a task takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(ledger: Ledger, have: int, size: int) -> dict[str, float]:
    """Grow the ledger to a size; seconds per entry of each task."""
    first, last = have, size - SINGLE
    parts = [list(drafts(n, min(n + SAVE, last))) for n in range(first, last, SAVE)]
    single = list(drafts(size - SINGLE, size))
    subject = single[0].key.about
    figures = {
        "record, large saves": timed(lambda: [ledger.record(p, **WHO) for p in parts])
        / (last - first),
        "record, one by one": timed(lambda: [ledger.record([d], **WHO) for d in single]) / SINGLE,
        "verify": timed(ledger.verify) / size,
        "snapshot": timed(ledger.snapshot) / size,
    }
    assert ledger.head().seq == size
    assert ledger.snapshot().about("subject", subject)
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--url", default="", help="an empty PostgreSQL database instead of a file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place: str | Path = options.url or Path(folder) / "ledger.db"
        with Ledger.open(place, create=True) as ledger:
            results, have = {}, 0
            for size in sorted(options.sizes):
                results[size], have = measure(ledger, have, size), size
        report(results, "PostgreSQL" if options.url else f"SQLite {sqlite3.sqlite_version}")


def report(results: dict[int, dict[str, float]], database: str) -> None:
    """Print entries per second at each size, and how the time per entry grew."""
    sizes = list(results)
    print(f"entries per second, {database}")
    print(f"{'':22}" + "".join(f"{size:>12,}" for size in sizes) + f"{'growth':>10}")
    for task in results[sizes[0]]:
        speeds = "".join(f"{1 / results[size][task]:>12,.0f}" for size in sizes)
        print(f"{task:22}{speeds}{results[sizes[-1]][task] / results[sizes[0]][task]:>10.2f}")
    took = results[sizes[-1]]["verify"] * sizes[-1]
    print(f"\nverify of {sizes[-1]:,} entries: {took:.1f} s (asked of 1,000,000: 60 s)")


if __name__ == "__main__":
    main()
