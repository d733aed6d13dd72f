"""The tests of the pages once more, with ledger and accounts in a real PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.conftest import STUDY, signed_study

from onearm.ledger.sqlite import sqlite3

HERE = Path(__file__).parent
TABLES = ("auth_user", "mfa_authenticator", "onearm_web_pagedraft", "axes_accessattempt")
FILES = ("test_access.py", "test_accounts.py", "test_entry.py", "test_identifying.py")

pytestmark = pytest.mark.slow


def test_the_pages_do_the_same_on_postgresql(postgres: str, tmp_path: Path) -> None:
    from sqlalchemy.engine import make_url

    host = str(make_url(postgres).query["host"])
    with psycopg_of("postgres", host) as connection:
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
    with psycopg_of("pages", host) as connection:
        entries, people = connection.execute(
            "SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM auth_user)"
        ).fetchone() or (0, 0)
    assert entries > 200 and people > 10  # it was PostgreSQL that they wrote to
    restores_with_its_accounts(url, tmp_path, env, entries, people)


def restores_with_its_accounts(
    url: str, tmp_path: Path, env: dict[str, str], entries: int, people: int
) -> None:
    """A backup holds what PostgreSQL does, to be restored as files; the drill signs in on them."""
    folder, file = tmp_path / "study", tmp_path / "backup.zip"
    folder.mkdir()
    (folder / "study.yaml").write_text(signed_study(STUDY.read_text(encoding="utf-8")))
    done = onearm(env, "backup", str(folder), str(file), "--database", url)
    assert f"{entries} entries, {people} user accounts" in done
    assert "Not in it: user accounts" not in done
    drill = onearm(env, "restore", str(file), "--drill")
    able = re.search(r"(\d+) accounts can sign in; one did, and saw its first page", drill)
    assert able and 10 < int(able[1]) <= people  # some were closed by the tests
    onearm(env, "restore", str(file), str(tmp_path / "again"))
    with closing(sqlite3.connect(tmp_path / "again" / "accounts.db")) as copied:
        counts = {t: copied.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}
        assert copied.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
        assert copied.execute("PRAGMA foreign_key_check").fetchall() == []
        names = [n for (n,) in copied.execute("SELECT username FROM auth_user ORDER BY id")]
        hashes = [h for (h,) in copied.execute("SELECT password FROM auth_user ORDER BY id")]
    host = parse_qs(urlsplit(url).query)["host"][0]
    with psycopg_of("pages", host) as there:
        assert counts == {
            t: (there.execute(f"SELECT count(*) FROM {t}").fetchone() or (0,))[0] for t in TABLES
        }
        kept = there.execute("SELECT username, password FROM auth_user ORDER BY id").fetchall()
    assert kept == list(zip(names, hashes, strict=True))


def onearm(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("onearm"), *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def psycopg_of(name: str, host: str) -> Any:
    import psycopg

    return psycopg.connect(user="postgres", dbname=name, host=host, autocommit=True)
