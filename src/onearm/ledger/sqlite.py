"""The SQLite that keeps onearm's files: one whose write-ahead log is sound, where there is one.

A process must not open a file with two copies of SQLite, since one gives up the other's locks: so whatever
opens a file of onearm imports ``sqlite3`` from here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

REPAIRED = ((3, 51, 3), (3, 44, 6), (3, 50, 7))
"""The first release without the fault that may damage a file with a write-ahead log, and two older ones mended."""


def sound_log(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the repair of its write-ahead log."""
    return version >= REPAIRED[0] or any(
        version[:2] == mended[:2] and version >= mended for mended in REPAIRED[1:]
    )


if TYPE_CHECKING:
    import sqlite3 as sqlite3
else:
    import sqlite3

    if not sound_log(sqlite3.sqlite_version_info):
        with suppress(ImportError):  # there is no build of it for this machine
            from pysqlite3 import dbapi2 as sqlite3

LOG_IS_SOUND = sound_log(sqlite3.sqlite_version_info)
