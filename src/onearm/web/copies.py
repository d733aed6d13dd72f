"""What backup and drill need of the accounts: their copy out of PostgreSQL, and a sign-in on a restored folder."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from onearm.errors import OnearmError
from onearm.ledger.sqlite import sqlite3
from onearm.web.serve import prepare, set_up

LEFT_OUT = ["contenttypes", "auth.permission", "sessions"]
"""Tables that a new file makes itself, and sessions, which no copy keeps."""


def copy_accounts(folder: Path, database: str, target: Path) -> bool:
    """Copy the accounts from PostgreSQL to a new SQLite file, as of one moment.

    Returns
    -------
    Whether there were any tables of accounts to copy.
    """
    set_up(folder, database)
    from django.core.management import call_command
    from django.db import connection, connections, transaction

    if "auth_user" not in connection.introspection.table_names():
        return False
    connections.settings = connections.configure_settings(
        {
            **connections.settings,
            "copy": {"ENGINE": "django.db.backends.sqlite3", "NAME": target},
        }
    )
    with tempfile.TemporaryDirectory(prefix=".onearm-", dir=target.parent) as temporary:
        rows = Path(temporary) / "accounts.json"
        with transaction.atomic():
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            call_command("dumpdata", exclude=LEFT_OUT, use_base_manager=True, output=str(rows))
        call_command("migrate", database="copy", verbosity=0, interactive=False)
        call_command("loaddata", str(rows), database="copy", verbosity=0)
    connections["copy"].close()
    return True


def sign_in_on_copy(folder: Path) -> str:
    """Sign in on a restored folder that is thrown away afterwards, and open the first page.

    Nobody's password is known, so that of one account is replaced in this copy; the code of its second factor is
    reckoned from the copy's own seed.

    Returns
    -------
    How many accounts can sign in, in words.

    Raises
    ------
    OnearmError
        There is no such account, the folder cannot be served, or the sign-in fails.
    """
    with closing(sqlite3.connect(f"file:{folder / 'accounts.db'}?mode=ro", uri=True)) as accounts:
        able = accounts.execute(
            "SELECT count(*) FROM auth_user WHERE is_active = 1 AND password LIKE 'scrypt$%'"
        ).fetchone()[0]
    if not able:
        raise OnearmError(
            f"{folder.name}: no account can sign in; expected at least one; restore accounts too"
        )
    prepare(folder)
    _sign_in()
    return f"{able} account{'s' if able != 1 else ''} can sign in; one did, and saw its first page"


def _sign_in() -> None:
    from axes.utils import reset
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import reverse

    accounts: Any = get_user_model().objects.filter(is_active=True).order_by("pk")
    account = next(a for a in accounts if a.has_usable_password())
    password, host = secrets.token_urlsafe(24), os.environ.get("ONEARM_HOSTS", "127.0.0.1")
    account.set_password(password)
    account.save()
    reset(username=account.get_username())
    browser = Client(SERVER_NAME=host.split(",")[0])
    boxes = {"login": account.get_username(), "password": password}
    answer = browser.post(reverse("account_login"), boxes)
    if answer.status_code == 302 and answer["Location"].startswith(reverse("mfa_authenticate")):
        answer = browser.post(answer["Location"], {"code": _code(account)})
    page = browser.get(reverse("today"), follow=True)
    if "_auth_user_id" not in browser.session or page.status_code != 200:
        raise OnearmError(
            f"sign-in: the restored copy answered {answer.status_code} and {page.status_code}; expected a signed-in "
            "page; keep this backup, and take an older one to restore from"
        )


def _code(account: Any) -> str:
    """What this account's authenticator would show now."""
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal import auth

    factor = Authenticator.objects.get(user=account, type=Authenticator.Type.TOTP)
    seed = get_adapter().decrypt(factor.data["secret"])
    return str(auth.format_hotp_value(auth.hotp_value(seed, int(time.time()) // 30)))
