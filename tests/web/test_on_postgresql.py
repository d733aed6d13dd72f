"""The tests of the pages once more, with ledger and accounts in a real PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_access.py", "test_accounts.py", "test_entry.py", "test_identifying.py")

pytestmark = pytest.mark.slow


def test_the_pages_do_the_same_on_postgresql(postgres: str) -> None:
    import psycopg
    from sqlalchemy.engine import make_url

    host = str(make_url(postgres).query["host"])
    with psycopg.connect(
        user="postgres", dbname="postgres", host=host, autocommit=True
    ) as connection:
        connection.execute("CREATE DATABASE pages")
    url = f"postgresql://postgres@/pages?host={host}"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ONEARM", "DJANGO", "PYTEST"))}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *(str(HERE / f) for f in FILES),
        ],
        env=env | {"ONEARM_TEST_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= 75, done.stdout[-500:]
    with psycopg.connect(user="postgres", dbname="pages", host=host) as connection:
        entries, people = connection.execute(
            "SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM auth_user)"
        ).fetchone() or (0, 0)
    assert entries > 200 and people > 10  # it was PostgreSQL that they wrote to
