"""``onearm serve``: make what is missing, say where the pages are, serve them."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from onearm.conduct import AMENDMENT, in_force
from onearm.errors import LedgerError, OnearmError
from onearm.ledger import Ledger
from onearm.study import Study, load_study

THREADS = 8


def prepare(folder: Path, database: str = "", *, tls: bool = False, hosts: str = "") -> Study:
    """Make what a served folder needs beside its study file, and set Django up.

    Raises
    ------
    StudyError, LedgerError
        The study file cannot be used; the ledger is damaged or cannot be opened.
    """
    if database and not database.startswith("postgresql"):
        raise OnearmError(
            f"database: {database.partition(':')[0]}: is not served; expected a URL that begins with "
            "postgresql://, or none for SQLite in the folder; correct --database"
        )
    study = load_study(folder / "study.yaml")
    with Ledger.open(database or folder / "ledger.db", create=True) as ledger:
        damages = ledger.verify()
        if damages:
            raise LedgerError(
                f"ledger: entry {damages[0].seq}: {damages[0].message}; a damaged ledger is not served; "
                "`onearm verify` lists all that was found; restore the last backup"
            )
        study = _in_force(folder, study, ledger)
    set_up(folder, database, tls=tls, hosts=hosts)
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    return study


def set_up(folder: Path, database: str = "", *, tls: bool = False, hosts: str = "") -> None:
    """Set Django up for a folder; it can be set up once in a process."""
    _secret(folder / "secret.key")
    os.environ["ONEARM_DIR"] = str(folder.resolve())
    os.environ["ONEARM_DATABASE"] = database
    os.environ["ONEARM_TLS"] = "1" if tls else ""
    if hosts:
        os.environ["ONEARM_HOSTS"] = hosts
    os.environ["DJANGO_SETTINGS_MODULE"] = "onearm.web.settings"
    import django

    django.setup()


def _in_force(folder: Path, study: Study, ledger: Ledger) -> Study:
    """The study file that is in force, kept among the versions; one changed by hand is refused.

    An amendment is recorded first and then written; one that a crash cut between is finished here.
    """
    from onearm.web.place import kept_version, put_in_force

    (folder / "versions").mkdir(exist_ok=True)
    data = (e for e in ledger.snapshot().entries if e.key.kind != "study")
    last = max(data, key=lambda e: e.seq, default=None)
    now, before = in_force(ledger.history(AMENDMENT), last)
    if now and now != study.hash and kept_version(folder, now).exists():
        if study.hash != before:
            raise OnearmError(
                f"{folder / 'study.yaml'}: is not the version in force (SHA-256 {study.hash[:12]}, in force "
                f"{now[:12]}); a study file that is served is amended on its page, with an approval; put "
                f"versions/{now}.yaml back as study.yaml, and load the amended file on the page of data cuts"
            )
        study = load_study(kept_version(folder, now))
        put_in_force(folder, study)
    if not kept_version(folder, study.hash).exists():
        kept_version(folder, study.hash).write_bytes((folder / "study.yaml").read_bytes())
    return study


def _secret(path: Path) -> None:
    """The key that signs sessions, readable by its owner only."""
    if path.exists():
        path.chmod(0o600)
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))


def first_link(base: str) -> str:
    """A one-time link for the first administrator; ``""`` when there is an account already."""
    from django.contrib.auth import get_user_model
    from django.urls import reverse

    from onearm.web.models import Invitation

    if get_user_model().objects.exists():
        return ""
    Invitation.objects.filter(first=True).delete()
    return base + reverse("invited", args=[Invitation.issue(first=True)])


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    database: str = "",
    tls_proxy: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a study folder until it is stopped.

    Raises
    ------
    OnearmError
        The address is not loopback and no TLS proxy is named, or the folder cannot be served.
    """
    if not tls_proxy and not _loopback(host):
        raise OnearmError(
            f"host {host}: is reached from other machines, and this server speaks no TLS; expected 127.0.0.1, or a "
            "proxy that speaks TLS in front; start with --tls-proxy behind one"
        )
    hosts = os.environ.get("ONEARM_HOSTS", "")
    if tls_proxy and not hosts:
        raise OnearmError(
            "ONEARM_HOSTS: is empty; expected the names under which the proxy is reached, with commas "
            "between them, such as trial.example.org; set it and start again"
        )
    os.umask(0o077)  # what is made in the folder is for its owner only
    study = prepare(folder, database, tls=tls_proxy, hosts=hosts)
    here = f"[{host}]" if ":" in host else host
    base = f"https://{hosts.split(',')[0]}" if tls_proxy else f"http://{here}:{port}"
    say(f"{study.id}: {study.title}")
    say(f"Pages at {base}/ until you press Ctrl-C.")
    from onearm.web.accounts import end_expired

    end_expired()
    if link := first_link(base):
        say(f"First administrator: open this link once, within an hour:\n  {link}")
    from waitress import serve as run

    from onearm.web.place import place
    from onearm.web.wsgi import application

    proxy = {
        "trusted_proxy": "127.0.0.1",
        "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto",
        "clear_untrusted_proxy_headers": True,
    }
    # told to end by the system, it ends as by Ctrl-C: what is being saved is saved
    place()  # before the first requests, so that all of them share one
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(
            application,
            host=host,
            port=port,
            threads=THREADS,
            ident="onearm",
            **(proxy if tls_proxy else {}),
        )
    finally:
        signal.signal(signal.SIGTERM, before)
        place().close()


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
