"""The shipped study, its constructed records, and a short way to record a few entries of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from onearm.ledger import Draft, Entry, Key, Ledger, Snapshot
from onearm.records import Records
from onearm.study import Study, load_study, parse_study

STUDIES = Path(__file__).parents[1] / "studies" / "lupus-msc"
#: What every test record is signed with.
WHO = {"by": "a.rahimi", "role": "nurse", "site": "Mashhad"}
#: The day on which the demonstration's records are entered; all its clinical dates lie before it.
TODAY = date(2018, 12, 30)

Answer = str | float | bool | None | tuple[str | float, str]


class Trial:
    """A study and a ledger that is being filled: ``trial.put("S1", "M-3", "URINE", UPROT24H=1.8)``.

    A number gets the unit of the study file unless one is given (``UPROT24H=(1800, "mg/(24.h)")``), True
    and False are yes and no, None is recorded as not done. The ledger takes what it is given: the gate is
    not asked, as for records made under an earlier study file.
    """

    #: The questions of SLEDAI that only ask whether a finding is due to lupus.
    attributed = frozenset("CASTS HAEMAT PROTEIN PYURIA COMPLEM DNA FEVER THROMBO LEUKOP".split())

    def __init__(self, study: Study, ledger: Ledger):
        self.study = study
        self.ledger = ledger

    def put(
        self,
        about: str,
        visit: str,
        form: str,
        *,
        repeat: int = 1,
        reason: str = "",
        **answers: Answer,
    ) -> list[Entry]:
        drafts = [
            self.draft(about, visit, form, item, answer, repeat=repeat, reason=reason)
            for item, answer in answers.items()
        ]
        return self.ledger.record(drafts, **WHO, study_hash=self.study.hash)

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

    def sledai(self, about: str, visit: str, day: str, *, yes: str = "", no: str = "") -> None:
        """A SLEDAI form with every descriptor that is not read from a value answered."""
        questions = [i.id for i in self.study.form("SLEDAI").all_items if i.type == "yesno"]
        asked = {q: False for q in questions if q not in self.attributed}
        asked |= dict.fromkeys(no.split(), False) | dict.fromkeys(yes.split(), True)
        self.put(about, visit, "SLEDAI", SLEDT=day, **asked)

    def healthy(self, about: str, visit: str, day: str, **other: Answer) -> None:
        """Urine and blood in which nothing crosses a threshold of SLEDAI, but what ``other`` says."""
        normal: dict[str, dict[str, Answer]] = {
            "URINE": {
                "URDT": day,
                "UPROT24H": 0.1,
                "URBC": 1,
                "UWBC": 1,
                "CELLCAST": False,
            },
            "LABS": {
                "LBDT": day,
                "CREAT": 0.9,
                "C3LOW": False,
                "DNAHIGH": False,
                "PLT": 250,
                "WBC": 6.0,
                "TEMP": 36.6,
            },
        }
        for form, answers in normal.items():
            self.put(about, visit, form, **{i: other.get(i, a) for i, a in answers.items()})

    @property
    def snapshot(self) -> Snapshot:
        return self.ledger.snapshot()

    @property
    def records(self) -> Records:
        return Records(self.study, self.ledger.snapshot())


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
def trial(study: Study, ledger: Ledger) -> Trial:
    """The shipped study with a ledger to fill."""
    return Trial(study, ledger)


@pytest.fixture
def trial_of(ledger: Ledger) -> Callable[[Study], Trial]:
    """Another study with a ledger to fill."""
    return lambda study: Trial(study, ledger)


@pytest.fixture(scope="session")
def demo_records(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The constructed records of the nine subjects, entered and corrected."""
    from onearm.exchange.entries import import_entries

    path = tmp_path_factory.mktemp("demo") / "ledger.db"
    with Ledger.open(path, create=True) as opened:
        for name in ("entries.csv", "corrections.csv"):
            import_entries(study, opened, STUDIES / "records" / name, **WHO, today=TODAY)
        return Records(study, opened.snapshot())
