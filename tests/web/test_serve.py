"""A served folder: what is made, what is said, what is refused; settings that need a process of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests.web.conftest import STUDY

from onearm.errors import LedgerError, OnearmError
from onearm.ledger.sqlite import LOG_IS_SOUND
from onearm.web.copies import sign_in_on_copy
from onearm.web.serve import _loopback, prepare, serve


def in_a_process_of_its_own(text: str, *args: str, **environ: str) -> dict[str, Any]:
    """What a program prints as JSON; Django's settings are read once in a process."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ONEARM_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-c", text, *args],
        env={**env, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


FIRST_START = """
import json, stat, sys
from pathlib import Path
from onearm.web import serve
said, ran = [], {}
import waitress
waitress.serve = lambda application, **named: ran.update(named)
folder = Path(sys.argv[1])
serve.serve(folder, port=8123, say=said.append)
again = []
serve.serve(folder, port=8123, say=again.append)
from django.test import Client
link = [s for s in again if "/invitation/" in s][0].split("http://127.0.0.1:8123")[1].strip()
old = [s for s in said if "/invitation/" in s][0].split("http://127.0.0.1:8123")[1].strip()
client = Client(HTTP_HOST="127.0.0.1:8123")
password = "correct horse battery staple"
boxes = dict(user_name="administrator-1", full_name="First (test)", password=password, again=password)
codes = [client.get(old).status_code, client.post(link, boxes).status_code, client.get(link).status_code]
client.post("/account/login/", dict(login="administrator-1", password=password))
leads = client.get("/people/")["Location"]
third = []
serve.serve(folder, port=8123, say=third.append)
from onearm.web.place import place
entries = [[e.key.form, e.key.item, e.key.about, e.words] for e in place().ledger.entries()]
names = sorted(p.name for p in folder.iterdir())
modes = {n: stat.S_IMODE((folder / n).stat().st_mode) for n in ("secret.key", "accounts.db", "ledger.db")}
from onearm.web import copies
signs = copies.sign_in_on_copy(folder)
from django.db import connection
from django.db.backends.sqlite3.base import Database
from onearm.ledger.sqlite import sqlite3
same = Database.__name__.partition(".")[0] == sqlite3.__name__.partition(".")[0]
same = same and sys.modules["sqlite3"].__name__ == "sqlite3"
with connection.cursor() as cursor:
    pragmas = [cursor.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous", "foreign_keys")]
print(json.dumps(dict(said=said, ran={k: ran[k] for k in ("host", "port", "threads")}, codes=codes, leads=leads,
    third=third, entries=entries, names=names, modes=modes, signs=signs, pragmas=pragmas, same=same)))
"""


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("first")
    (folder / "study.yaml").write_bytes(STUDY.read_bytes())
    return in_a_process_of_its_own(FIRST_START, str(folder))


def test_a_first_start_makes_the_folder_and_prints_one_link(first_start: dict[str, Any]) -> None:
    said = "\n".join(first_start["said"])
    assert said.count("/invitation/") == 1
    assert "http://127.0.0.1:8123/" in said
    assert {"accounts.db", "ledger.db", "secret.key", "study.yaml", "versions"} <= set(
        first_start["names"]
    )
    assert first_start["ran"] == {"host": "127.0.0.1", "port": 8123, "threads": 8}


def test_the_first_link_serves_once_and_a_later_start_ends_an_earlier_link(
    first_start: dict[str, Any],
) -> None:
    assert first_start["codes"] == [404, 302, 404]
    assert "/invitation/" not in "\n".join(first_start["third"])


def test_the_first_administrator_is_entered_and_sets_a_second_factor_first(
    first_start: dict[str, Any],
) -> None:
    assert [e[:3] for e in first_start["entries"]] == [
        ["ACCESS", "account made", "administrator-1"],
        ["RIGHTS", "administrator@", "administrator-1"],
        ["ACCESS", "signed in", "administrator-1"],
    ]
    assert first_start["entries"][1][3] == "granted"
    assert first_start["leads"] == "/account/2fa/totp/activate/"


def test_what_is_made_is_for_its_owner_only(first_start: dict[str, Any]) -> None:
    assert set(first_start["modes"].values()) == {0o600}


def test_accounts_are_written_through_to_the_disk(first_start: dict[str, Any]) -> None:
    assert first_start["pragmas"] == (["wal", 2, 1] if LOG_IS_SOUND else ["delete", 3, 1])
    assert first_start["same"]  # accounts and ledger by one copy of SQLite
    assert first_start["signs"] == "1 account can sign in; one did, and saw its first page"


SETTINGS = """
import json, sys
from onearm.web import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""
NAMES = (
    "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_SECURE",
    "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER",
    "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "SESSION_COOKIE_HTTPONLY", "DEBUG", "DATABASES",
)  # fmt: skip


def test_behind_tls_cookies_are_secure_and_browsers_stay_with_tls(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x" * 50)
    told = in_a_process_of_its_own(
        SETTINGS,
        *NAMES,
        ONEARM_DIR=str(tmp_path),
        ONEARM_TLS="1",
        ONEARM_HOSTS="trial.example.org",
        ONEARM_DATABASE="postgresql+psycopg://u:p%40ss@db.example.org:5433/trial?sslmode=verify-full",
    )
    assert told["SESSION_COOKIE_SECURE"] and told["LANGUAGE_COOKIE_SECURE"]
    assert told["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert told["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert told["CSRF_COOKIE_SECURE"]
    assert told["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert told["CSRF_TRUSTED_ORIGINS"] == ["https://trial.example.org"]
    database = told["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == (
        "db.example.org",
        "5433",
        "trial",
    )
    assert database["PASSWORD"] == "p@ss"
    assert database["OPTIONS"] == {"sslmode": "verify-full"}


def test_on_this_machine_no_tls_is_asked_and_no_other_host_is_answered(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x" * 50)
    told = in_a_process_of_its_own(SETTINGS, *NAMES, ONEARM_DIR=str(tmp_path))
    assert not told["SESSION_COOKIE_SECURE"]
    assert told["SECURE_PROXY_SSL_HEADER"] is None
    assert told["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost", "[::1]"]
    assert told["SESSION_COOKIE_HTTPONLY"]
    assert not told["DEBUG"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "trial.example.org"])
def test_other_machines_are_served_behind_tls_only(host: str, tmp_path: Path) -> None:
    with pytest.raises(OnearmError, match="speaks no TLS"):
        serve(tmp_path, host=host)


def test_behind_a_proxy_its_name_must_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEARM_HOSTS", raising=False)
    with pytest.raises(OnearmError, match=r"ONEARM_HOSTS: is empty; expected"):
        serve(tmp_path, host="0.0.0.0", tls_proxy=True)


def test_another_database_than_these_two_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(OnearmError, match="mysql: is not served") as told:
        prepare(tmp_path, "mysql://somebody:secret@db.example.org/trial")
    assert "secret" not in str(told.value)


def test_a_damaged_ledger_is_not_served(tmp_path: Path) -> None:
    from onearm.ledger import Draft, Key, Ledger
    from onearm.ledger.sqlite import sqlite3

    (tmp_path / "study.yaml").write_bytes(STUDY.read_bytes())
    with Ledger.open(tmp_path / "ledger.db", create=True) as ledger:
        drafts = [Draft(Key("subject", "S1", "DEMOG", "SEX", "M-3"), "F")]
        ledger.record(drafts, by="coordinator", role="coordinator", site="A", study_hash="0" * 64)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE ledger SET value = 'M'")
    connection.close()
    with pytest.raises(LedgerError):
        prepare(tmp_path)
    assert not (tmp_path / "accounts.db").exists()


def test_a_copy_without_accounts_is_told(tmp_path: Path) -> None:
    from onearm.ledger.sqlite import sqlite3

    connection = sqlite3.connect(tmp_path / "accounts.db")
    connection.execute("CREATE TABLE auth_user (password TEXT, is_active INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(OnearmError, match="no account can sign in"):
        sign_in_on_copy(tmp_path)


def test_this_machine_is_told_from_others() -> None:
    assert _loopback("127.0.0.1")
    assert _loopback("::1")
    assert _loopback("localhost")
    assert not _loopback("0.0.0.0")
    assert not _loopback("trial.example.org")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a program without asking it")
def test_a_server_told_to_end_leaves_one_whole_ledger(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_bytes(STUDY.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [Path(sys.executable).with_name("onearm"), "serve", str(tmp_path), "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = iter(server.stdout.readline, "")
        assert any("/invitation/" in line for line in said)
        for _ in range(100):
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/") as page:
                assert page.status == 200
                break
            time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert (tmp_path / "ledger.db").read_bytes()[18:20] == b"\x01\x01"
    assert not list(tmp_path.glob("ledger.db-*"))
