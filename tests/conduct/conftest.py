"""A trial being conducted: a study file with signatures and branching, a ledger, and people with rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest
from tests.conftest import Answer, Trial

from onearm.conduct import (
    Person,
    Right,
    act,
    assessment_hash,
    draft_enrolment,
    draft_exception,
    draft_mark,
    draft_signature,
    shown_hash,
)
from onearm.eligibility import assess
from onearm.ledger import Draft, Entry, Key, Ledger
from onearm.records import FormKey, Records
from onearm.study import Study

TODAY = date(2018, 12, 30)
AT = "2018-12-30T12:30:00+03:30"

#: The shipped study file with two signatures under the urine form, one under SLEDAI, and items that are
#: asked of women only.
CHANGES = (
    ("  - id: URINE\n    label: Urine\n", "  - id: URINE\n    label: Urine\n    sign: [author, review]\n"),
    ("    label: SLEDAI-2K\n", "    label: SLEDAI-2K\n    sign: [responsibility]\n"),
    (
        "      - {id: SEX, label: Sex, type: choice, choices: {F: Female, M: Male}}\n",
        "      - {id: SEX, label: Sex, type: choice, choices: {F: Female, M: Male}}\n"
        "      - {id: PREGTEST, label: Pregnancy test done, type: yesno, when: 'SEX == \"F\"'}\n"
        "      - {id: INITIALS, label: Initials, type: text, identifying: true, required: false}\n",
    ),
)  # fmt: skip


def person(user: str, *rights: tuple[str, str]) -> Person:
    """Somebody with a role at each of some sites, for ever."""
    return Person(user, f"{user} in full", tuple(Right(role, site) for role, site in rights))


COORDINATOR = person("coordinator", ("coordinator", "A"))
COORDINATOR_2 = person("coordinator-2", ("coordinator", "A"))
INVESTIGATOR = person("investigator", ("investigator", "A"))
INVESTIGATOR_2 = person("investigator-2", ("investigator", "A"))
MONITOR = person("monitor", ("monitor", "A"))
DATA_MANAGER = person("data-manager", ("data manager", ""))
MANUFACTURING = person("manufacturing", ("manufacturing", "A"))
ADMINISTRATOR = person("administrator", ("administrator", ""))
NOBODY = person("visitor")

URINE = FormKey("subject", "S1", "URINE", "M-3", 1)
SLEDAI = FormKey("subject", "S1", "SLEDAI", "M-3", 1)
DEMOG = FormKey("subject", "S1", "DEMOG", "M-3", 1)
AE = FormKey("subject", "S1", "AE", "", 1)
PROTEIN = Key("subject", "S1", "URINE", "UPROT24H", "M-3")
#: A urine form with every item answered; the protein is above the criterion's 1 g.
FULL: Mapping[str, Answer] = {
    "URDT": "2018-06-01", "UPROT24H": 1.8, "URBC": 12, "UWBC": 2, "CELLCAST": False,
}  # fmt: skip


class Desk:
    """A study, a ledger, and short ways to do in it what people do."""

    def __init__(self, study: Study, ledger: Ledger):
        self.study = study
        self.ledger = ledger

    @property
    def records(self) -> Records:
        """What stands now."""
        return Records(self.study, self.ledger.snapshot())

    def under(self, study: Study) -> Desk:
        """The same records read through another study file."""
        return Desk(study, self.ledger)

    def draft(
        self,
        form: FormKey,
        item: str,
        answer: Answer,
        *,
        reason: str = "",
        study: Study | None = None,
    ) -> Draft:
        """One answer on its way into the ledger."""
        return Trial(study or self.study).draft(
            form.about, form.visit, form.form, item, answer, repeat=form.repeat, reason=reason
        )

    def put(
        self, form: FormKey, *, reason: str = "", site: str = "A", **answers: Answer
    ) -> list[Entry]:
        """Record answers past all rules, as an earlier program or a hand at the database would."""
        drafts = [self.draft(form, item, answer, reason=reason) for item, answer in answers.items()]
        return self.enter(*drafts, site=site)

    def enter(self, *drafts: Draft, by: str = "coordinator", site: str = "A") -> list[Entry]:
        """Record drafts past all rules."""
        return self.ledger.record(
            drafts, by=by, role="coordinator", site=site, study_hash=self.study.hash
        )

    def do(
        self,
        who: Person,
        action: str,
        *drafts: Draft,
        site: str = "A",
        kind: str = "subject",
        records: Records | None = None,
        seen: Mapping[Key, int] | None = None,
    ) -> list[Entry]:
        """An act, prepared on what stands now unless told otherwise."""
        return act(
            records or self.records, self.ledger, who, site, drafts,
            action=action, today=TODAY, kind=kind, seen=seen,
        )  # fmt: skip

    def mark(self, form: FormKey, mark: str, on: bool = True, reason: str = "") -> Entry:
        """Set or unset a mark by whoever may."""
        who, action = {
            "complete": (COORDINATOR, "complete"),
            "verified": (MONITOR, "verify"),
            "locked": (DATA_MANAGER, "lock") if on else (ADMINISTRATOR, "unlock"),
            "struck": (COORDINATOR, "strike"),
        }[mark]
        return self.do(who, action, draft_mark(self.records, form, mark, on, reason))[0]

    def sign(self, form: FormKey, meaning: str, who: Person = INVESTIGATOR) -> Entry:
        """A signature under what the form shows now."""
        records = self.records
        draft = draft_signature(records, form, meaning, who, AT, shown_hash(records, form))
        (entry,) = self.do(who, "sign", draft)
        return entry

    def complete_urine(self) -> None:
        """The urine form of S1 before the infusion, answered and complete."""
        self.put(URINE, **FULL)
        self.mark(URINE, "complete")

    def score(self) -> None:
        """The SLEDAI form of S1, every finding answered with no; those of the urine come from URINE."""
        form = self.study.form("SLEDAI")
        names = [
            i.id for i in form.all_items if i.type == "yesno" and i.id not in form.attributions
        ]
        self.put(SLEDAI, SLEDT="2018-06-01", **dict.fromkeys(names, False))

    def eligible(self, about: str = "S1", *, site: str = "A") -> None:
        """A subject with every criterion met."""
        elig = {
            "ELIGDT": "2018-06-01",
            "LNCLASS": "IV",
            "REFRACTORY": True,
            "ENROLDT": "2018-06-05",
        }
        self.put(FormKey("subject", about, "ELIG", "M-3", 1), site=site, **elig)
        self.put(FormKey("subject", about, "URINE", "M-3", 1), site=site, **FULL)

    def enrol(self, about: str = "S1", who: Person = INVESTIGATOR) -> Entry:
        """The signed decision to enrol on what stands now."""
        records = self.records
        seen = assessment_hash(assess(records, about))
        (entry,) = self.do(who, "enrol", draft_enrolment(records, about, who, AT, seen))
        return entry

    def exception(
        self, criterion: str, reason: str, who: Person = INVESTIGATOR, seen: str | None = None
    ) -> Draft:
        """An exception for S1 on what stands now, or on what was seen before."""
        records = self.records
        hash_ = seen or assessment_hash(assess(records, "S1"))
        return draft_exception(records, "S1", criterion, reason, who, AT, hash_)

    def excuse(self, criterion: str, reason: str = "agreed with the sponsor") -> Entry:
        """A signed exception for S1."""
        draft = self.exception(criterion, reason)
        (entry,) = self.do(INVESTIGATOR, "enrol", draft)
        return entry

    def lot(self, name: str = "L1", **other: Answer) -> None:
        """A certificate with every release test met, but what ``other`` says."""
        passed: dict[str, Answer] = {
            "VIABILITY": 92, "STERILITY": "no growth", "MYCOPLASMA": "negative", "ENDOTOXIN": 0.5,
        }  # fmt: skip
        self.put(FormKey("lot", name, "COA", "", 1), **(passed | other))


@pytest.fixture(scope="session")
def conducted(study_with: Callable[..., Study]) -> Study:
    """The study file of these tests."""
    return study_with(*CHANGES)


@pytest.fixture(scope="session")
def amended(study_with: Callable[..., Study]) -> Callable[..., Study]:
    """The study file of these tests with further texts replaced."""

    def make(*changes: tuple[str, str]) -> Study:
        return study_with(*CHANGES, *changes)

    return make


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a ledger without entries."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    Ledger.open(path, create=True).close()
    return path.read_bytes()


@pytest.fixture
def desk(conducted: Study, tmp_path: Path, empty_ledger: bytes) -> Iterator[Desk]:
    """The trial with nothing recorded yet."""
    path = tmp_path / "ledger.db"
    path.write_bytes(empty_ledger)
    with Ledger.open(path) as ledger:
        yield Desk(conducted, ledger)
