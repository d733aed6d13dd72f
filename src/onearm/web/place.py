"""The served folder: study, ledger, records; one per process."""

from __future__ import annotations

import gc
import os
from datetime import date
from functools import cache
from pathlib import Path
from threading import Lock, RLock

from django.utils import timezone

from onearm.ledger import Ledger
from onearm.records import Records
from onearm.study import Study, load_study


class Place:
    """A study folder while it is served.

    ``write_lock`` is held round every save: threads that wait in one queue keep their order, which
    SQLite's own waiting does not.
    """

    def __init__(self, folder: Path, database: str = ""):
        self.folder = folder
        self.database = database
        self.write_lock = RLock()
        self.study: Study = load_study(folder / "study.yaml")
        self.ledger = Ledger.open(database or folder / "ledger.db", create=True, keep=True)
        self._reading = Lock()
        self._records: Records | None = None

    def records(self) -> Records:
        """What stands now, read through the study file; only what was recorded since is read anew."""
        with self._reading:
            if self._records is None:
                self._records = Records(self.study, self.ledger.snapshot())
                # Entries live as long as the process; the collector need not walk them at every save,
                # which would cost more than the save itself.
                gc.freeze()
                gc.set_threshold(100_000, 50, 100)
                return self._records
            snapshot = self.ledger.advance(self._records.snapshot)
            if snapshot is not self._records.snapshot:
                self._records = Records(self.study, snapshot)
            return self._records

    def records_about(self, about: str) -> Records:
        """What stands about one subject, donor or lot: enough for its pages, whatever the others hold."""
        return Records(self.study, self.records().snapshot.only(about))

    def amend(self, study: Study) -> None:
        """Serve an amended study file from now on: it is kept, and what stands is read through it."""
        put_in_force(self.folder, study)
        with self._reading:
            self.study = study
            self._records = None

    def today(self) -> date:
        """The site's calendar date."""
        return timezone.localdate()

    def close(self) -> None:
        """Give back the database."""
        self.ledger.close()


def kept_version(folder: Path, hash: str) -> Path:
    """Where the study file with this hash is kept."""
    return folder / "versions" / f"{hash}.yaml"


def put_in_force(folder: Path, study: Study) -> None:
    """Make a kept version the study file of the folder, in one step that a crash cannot halve."""
    fresh = folder / "study.yaml.new"
    with fresh.open("wb") as file:
        file.write(kept_version(folder, study.hash).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / "study.yaml")


@cache
def place() -> Place:
    """The folder that this process serves."""
    return Place(Path(os.environ["ONEARM_DIR"]), os.environ.get("ONEARM_DATABASE", ""))
