"""From screening to the last visit: criteria, exceptions, enrolment, what opens when, missed visits."""

from __future__ import annotations

from datetime import date

import pytest
from tests.conduct.conftest import (
    AT,
    COORDINATOR,
    DATA_MANAGER,
    FULL,
    INVESTIGATOR,
    MONITOR,
    TODAY,
    URINE,
    Desk,
)
from tests.conftest import Answer, Trial

from onearm.conduct import (
    MISSED_REASONS,
    Right,
    VisitRow,
    assessment_hash,
    closed_because,
    decision_of,
    draft_enrolment,
    draft_grant,
    draft_mark,
    draft_missed,
    enrolled,
    exceptions,
    open_criteria,
    released_lots,
    site_of,
    subject_state,
    visit_rows,
)
from onearm.conduct.people import right_key
from onearm.eligibility import assess
from onearm.errors import ConductError
from onearm.ledger import Draft, Entry, Key
from onearm.records import FormKey, Records

ELIG = FormKey("subject", "S1", "ELIG", "M-3", 1)
INFUSION = FormKey("subject", "S1", "INFUSION", "D0", 1)
WEIGHT = FormKey("subject", "S1", "WEIGHT", "D0", 1)
AFTER = FormKey("subject", "S1", "URINE", "M3", 1)
END = FormKey("subject", "S1", "DISPOSITION", "", 1)
DECISION = Key("subject", "S1", "@enrolment", "@decision")


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """The trial in which somebody has a right already, as in every one that runs in the browser."""
    desk.enter(draft_grant("administrator", Right("administrator", "")))
    return desk


def word(desk: Desk, subject: str = "S1") -> str:
    return subject_state(desk.records, subject).word


def still_open(desk: Desk) -> tuple[str, ...]:
    return open_criteria(desk.records, assess(desk.records, "S1"))


def enrolment(desk: Desk) -> Draft:
    records = desk.records
    seen = assessment_hash(assess(records, "S1"))
    return draft_enrolment(records, "S1", INVESTIGATOR, AT, seen)


# -- where a subject stands -----------------------------------------------------------------------


def test_a_subject_runs_from_screening_to_its_end(desk: Desk) -> None:
    desk.put(ELIG, LNCLASS="IV")
    words = [word(desk)]
    desk.eligible()
    words.append(word(desk))
    desk.enrol()
    words.append(word(desk))
    desk.put(INFUSION, INFDT="2018-07-01")
    words.append(word(desk))
    desk.put(END, DSDECOD="completed")
    words.append(word(desk))
    assert words == ["screening", "eligible", "enrolled", "treated", "completed"]


@pytest.mark.parametrize(
    "end", ["screen failure", "withdrew before infusion", "withdrew", "lost to follow-up", "died"]
)
def test_a_recorded_end_is_where_the_subject_stands(desk: Desk, end: str) -> None:
    desk.eligible()
    desk.enrol()
    desk.put(END, DSDECOD=end)
    assert word(desk) == end


def test_the_site_of_a_subject_is_that_of_its_first_entry(desk: Desk) -> None:
    desk.put(URINE, site="A", UPROT24H=1.8)
    desk.put(URINE, site="B", URBC=12)
    assert site_of(desk.records, "subject", "S1") == "A"
    assert site_of(desk.records, "subject", "S2") == ""
    assert site_of(desk.records, "lot", "S1") == ""
    assert subject_state(desk.records, "S1").site == "A"


# -- criteria and exceptions ----------------------------------------------------------------------


def test_a_criterion_is_open_until_it_is_met_or_excepted(desk: Desk) -> None:
    assert still_open(desk) == ("I1", "I2", "I3")
    desk.put(ELIG, LNCLASS="II", REFRACTORY=True, ENROLDT="2018-06-05")
    assert still_open(desk) == ("I1", "I3")
    desk.put(URINE, URDT="2018-06-01", UPROT24H=1.8)
    assert still_open(desk) == ("I1",)
    desk.excuse("I1")
    assert still_open(desk) == ()
    assert set(exceptions(desk.records, "S1")) == {"I1"}


@pytest.mark.parametrize(
    ("elig", "urine", "told"),
    [
        ({"LNCLASS": "II"}, {}, "I1 not met"),
        ({"LNCLASS": None}, {}, "I1 unknown"),
        ({"REFRACTORY": False}, {}, "I2 not met"),
        ({}, {"UPROT24H": 1.0, "URBC": 10, "CELLCAST": False}, "I3 not met"),
        ({}, {"UPROT24H": 1.0, "URBC": None, "CELLCAST": False}, "I3 unknown"),
        ({}, {"UPROT24H": None, "URBC": None, "CELLCAST": None}, "I3 unknown"),
        ({}, {"URDT": "2018-04-01"}, "I3 unknown"),  # outside the criterion's month
    ],
)
def test_nobody_is_enrolled_while_a_criterion_is_not_met_or_unknown(
    desk: Desk, elig: dict[str, Answer], urine: dict[str, Answer], told: str
) -> None:
    met: dict[str, Answer] = {"LNCLASS": "IV", "REFRACTORY": True, "ENROLDT": "2018-06-05"}
    desk.put(ELIG, **(met | elig))
    desk.put(URINE, **(dict(FULL) | urine))
    with pytest.raises(ConductError, match=f"subject S1: {told}; every criterion is met"):
        enrolment(desk)


@pytest.mark.parametrize("protein", [1.01, "1.0000001"])
def test_a_criterion_just_met_enrols(desk: Desk, protein: Answer) -> None:
    desk.eligible()
    quiet: dict[str, Answer] = {"UPROT24H": protein, "URBC": 10}
    desk.put(URINE, reason="read again", **quiet)
    desk.enrol()
    assert word(desk) == "enrolled"


def test_an_exception_says_why_by_whom_and_when(desk: Desk) -> None:
    desk.put(ELIG, LNCLASS="II")
    entry = desk.excuse("I1", "class IV in an earlier biopsy")
    assert exceptions(desk.records, "S1")["I1"] == entry
    assert (entry.by, entry.role, entry.reason) == (
        "investigator",
        "investigator",
        "class IV in an earlier biopsy",
    )
    assert "investigator in full" in (entry.value or "")


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_exception_needs_a_reason(desk: Desk, reason: str) -> None:
    desk.put(ELIG, LNCLASS="II")
    with pytest.raises(ConductError, match="I1: an exception needs a reason"):
        desk.exception("I1", reason)


def test_an_exception_covers_the_evidence_that_was_looked_at(desk: Desk) -> None:
    desk.put(ELIG, LNCLASS="II")
    seen = assessment_hash(assess(desk.records, "S1"))
    desk.put(ELIG, REFRACTORY=False)
    with pytest.raises(ConductError, match="S1: the evidence changed since you opened the page"):
        desk.exception("I1", "earlier biopsy", seen=seen)
    assert desk.exception("I1", "earlier biopsy")


def test_an_exception_is_for_a_criterion_of_the_study_that_is_not_met(desk: Desk) -> None:
    desk.eligible()
    with pytest.raises(ConductError, match="I1 is met"):
        desk.exception("I1", "to be sure")
    with pytest.raises(
        ConductError, match="'I9' is not in the study file; the criteria are I1, I2, I3"
    ):
        desk.exception("I9", "to be sure")


def test_only_an_investigator_signs_an_exception_and_a_decision(desk: Desk) -> None:
    desk.eligible()
    desk.put(ELIG, LNCLASS="II", reason="read again")
    exception = desk.exception("I1", "earlier biopsy", COORDINATOR)
    for who in (COORDINATOR, MONITOR, DATA_MANAGER):
        with pytest.raises(ConductError, match="has no right to decide on enrolment"):
            desk.do(who, "enrol", exception)
    desk.excuse("I1")
    for who in (COORDINATOR, MONITOR, DATA_MANAGER):
        with pytest.raises(ConductError, match="has no right to decide on enrolment"):
            desk.do(who, "enrol", enrolment(desk))


def test_an_exception_to_an_unknown_criterion_does_not_cover_one_that_is_not_met(
    desk: Desk,
) -> None:
    desk.eligible()
    desk.put(ELIG, LNCLASS=None, reason="the report is lost")
    desk.excuse("I1", "the report is on its way")
    desk.put(ELIG, LNCLASS="II", reason="the report came")
    assert still_open(desk) == ("I1",)
    with pytest.raises(ConductError, match="I1 not met"):
        enrolment(desk)


def test_an_exception_taken_back_opens_the_criterion_again(desk: Desk) -> None:
    desk.eligible()
    desk.put(ELIG, LNCLASS="II", reason="read again")
    entry = desk.excuse("I1")
    desk.enter(Draft(entry.key, None, missing="not applicable", reason="the sponsor declined"))
    assert still_open(desk) == ("I1",)
    assert exceptions(desk.records, "S1") == {}


def test_an_exception_for_one_subject_is_for_no_other(desk: Desk) -> None:
    desk.put(ELIG, LNCLASS="II")
    desk.excuse("I1")
    assert exceptions(desk.records, "S2") == {}


# -- the decision ---------------------------------------------------------------------------------


def test_a_decision_is_signed_by_name_with_the_hash_of_the_evidence(desk: Desk) -> None:
    desk.eligible()
    seen = assessment_hash(assess(desk.records, "S1"))
    entry = desk.enrol()
    assert decision_of(desk.records, "S1") == entry
    assert seen in (entry.value or "")
    assert "investigator in full" in (entry.value or "")
    assert AT in (entry.value or "")
    assert entry.role == "investigator"


@pytest.mark.parametrize(
    ("form", "item", "answer"),
    [(URINE, "UPROT24H", 2.8), (ELIG, "LNCLASS", "III"), (URINE, "URDT", "2018-06-02")],
)
def test_evidence_that_changed_since_it_was_seen_enrols_nobody(
    desk: Desk, form: FormKey, item: str, answer: Answer
) -> None:
    desk.eligible()
    seen = assessment_hash(assess(desk.records, "S1"))
    desk.put(form, reason="read again", **{item: answer})
    with pytest.raises(ConductError, match="the evidence changed since you opened the page"):
        draft_enrolment(desk.records, "S1", INVESTIGATOR, AT, seen)


def test_another_wording_of_a_criterion_is_other_evidence(desk: Desk, amended) -> None:
    desk.eligible()
    other = desk.under(amended(("text: Resistant to standard treatment,", "text: Resistant,")))
    here, there = (assessment_hash(assess(d.records, "S1")) for d in (desk, other))
    assert here != there


def test_evidence_that_comes_between_the_look_and_the_record_enrols_nobody(desk: Desk) -> None:
    desk.eligible()
    before = desk.records
    seen = assessment_hash(assess(before, "S1"))
    draft = draft_enrolment(before, "S1", INVESTIGATOR, AT, seen)
    desk.put(ELIG, LNCLASS="II", reason="read again")
    with pytest.raises(Exception, match="since you"):
        desk.do(INVESTIGATOR, "enrol", draft, records=before)
    assert decision_of(desk.records, "S1") is None


def test_a_subject_is_enrolled_once(desk: Desk) -> None:
    desk.eligible()
    desk.enrol()
    with pytest.raises(ConductError, match="is enrolled; only a subject in screening is enrolled"):
        enrolment(desk)


@pytest.mark.parametrize("end", ["screen failure", "withdrew before infusion", "died"])
def test_nobody_is_enrolled_after_the_end(desk: Desk, end: str) -> None:
    desk.eligible()
    desk.put(END, DSDECOD=end)
    with pytest.raises(ConductError, match=f"is {end}; only a subject in screening"):
        enrolment(desk)


def test_a_decision_taken_back_closes_what_it_opened(desk: Desk) -> None:
    desk.eligible()
    desk.enrol()
    desk.enter(Draft(DECISION, "no", reason="consent withdrawn"))
    assert decision_of(desk.records, "S1") is None
    assert word(desk) == "eligible"
    assert closed_because(desk.records, WEIGHT) != ""
    desk.enrol()
    assert word(desk) == "enrolled"


# -- what opens when ------------------------------------------------------------------------------


def test_before_the_decision_only_screening_is_open(desk: Desk) -> None:
    desk.eligible()
    for visit in desk.study.schedule.visits:
        for form in visit.forms:
            why = closed_because(desk.records, FormKey("subject", "S1", form, visit.id, 1))
            wanted = (
                f"visit {visit.id} opens when the decision to enrol is signed"
                if visit.id in ("D0", "M3")
                else ""
            )
            assert why == wanted


def test_unscheduled_forms_and_those_about_donors_and_lots_are_always_open(desk: Desk) -> None:
    for form in (
        FormKey("subject", "S1", "AE", "", 1),
        END,
        FormKey("donor", "D1", "DONOR", "", 1),
        FormKey("lot", "L1", "COA", "", 1),
    ):
        assert closed_because(desk.records, form) == ""


def test_the_decision_opens_every_form_but_the_infusions_which_waits_for_a_lot(
    desk: Desk,
) -> None:
    desk.eligible()
    desk.enrol()
    assert closed_because(desk.records, WEIGHT) == closed_because(desk.records, AFTER) == ""
    assert "opens when a lot is released" in closed_because(desk.records, INFUSION)
    desk.lot()
    assert released_lots(desk.records) == ("L1",)
    assert closed_because(desk.records, INFUSION) == ""


@pytest.mark.parametrize(
    ("result", "given"),
    [
        ({"VIABILITY": 79}, False),
        ({"VIABILITY": None}, False),
        ({"STERILITY": "pending"}, True),  # allowed on condition by the study file
        ({"MYCOPLASMA": "pending"}, False),
        ({"STERILITY": "growth"}, False),
        ({}, True),
    ],
)
def test_the_infusion_opens_for_a_lot_that_is_released_or_conditionally_so(
    desk: Desk, result: dict[str, Answer], given: bool
) -> None:
    desk.eligible()
    desk.enrol()
    desk.lot(**result)
    assert (closed_because(desk.records, INFUSION) == "") is given
    assert (released_lots(desk.records) == ("L1",)) is given


@pytest.mark.parametrize(("gave_for", "opens"), [("S2", False), ("S1", True), (None, True)])
def test_a_lot_that_is_known_to_be_for_somebody_else_does_not_open_the_infusion(
    desk: Desk, gave_for: str | None, opens: bool
) -> None:
    """Where it is not known, the infusion opens, and the dose says that it is not known."""
    desk.eligible()
    desk.enrol()
    desk.lot(LTDONOR="D1")
    if gave_for is not None:
        desk.put(FormKey("donor", "D1", "DONOR", "", 1), DNSUBJ=gave_for)
    why = closed_because(desk.records, INFUSION)
    assert (why == "") is opens
    assert opens or "of donors who gave for others: L1" in why


def test_a_lot_struck_out_releases_nothing(desk: Desk) -> None:
    desk.eligible()
    desk.enrol()
    desk.lot()
    coa = FormKey("lot", "L1", "COA", "", 1)
    desk.enter(draft_mark(desk.records, coa, "struck", True, "another product"))
    assert closed_because(desk.records, INFUSION) != ""


def test_without_release_tests_the_infusion_opens_with_the_decision(desk: Desk, amended) -> None:
    desk.eligible()
    desk.enrol()
    source = (
        "    - {id: R1, text: Viability, rule: VIABILITY >= 80}"
        "                           # assumed: the abstract names no release test\n"
        "    - {id: R2, text: Sterility, rule: 'STERILITY == \"no growth\"', pending: conditional}\n"
        "    - {id: R3, text: Mycoplasma, rule: 'MYCOPLASMA == \"negative\"'}\n"
        "    - {id: R4, text: Endotoxin, rule: ENDOTOXIN <= 3.0}\n"
    )  # fmt: skip
    other = desk.under(amended(("  release:\n" + source, "  release: []\n")))
    assert closed_because(other.records, INFUSION) == ""


def test_a_closed_form_refuses_entries_and_says_why(desk: Desk) -> None:
    desk.eligible()
    with pytest.raises(ConductError, match="visit D0 opens when the decision to enrol is signed"):
        desk.do(COORDINATOR, "enter", desk.draft(WEIGHT, "WEIGHT", 60))
    desk.enrol()
    desk.do(COORDINATOR, "enter", desk.draft(WEIGHT, "WEIGHT", 60))
    desk.enter(Draft(Key("lot", "L9", "COA", "VIABILITY"), "70", "%"))
    with pytest.raises(ConductError, match="the infusion opens when a lot is released"):
        desk.do(COORDINATOR, "enter", desk.draft(INFUSION, "INFDT", "2018-07-01"))


def test_one_subjects_decision_opens_no_other_subjects_visits(desk: Desk) -> None:
    desk.eligible()
    desk.enrol()
    other = FormKey("subject", "S2", "WEIGHT", "D0", 1)
    assert closed_because(desk.records, other) != ""


def test_what_was_infused_by_mistake_can_still_be_recorded_to_its_end(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    assert closed_because(desk.records, AFTER) == ""
    assert closed_because(desk.records, INFUSION) == ""


# -- missed visits --------------------------------------------------------------------------------


def row(desk: Desk, visit: str, today: date = TODAY) -> VisitRow:
    (found,) = [
        r
        for r in visit_rows(desk.records, today)
        if (r.state.subject, r.state.visit.id) == ("S1", visit)
    ]
    return found


def miss(desk: Desk, visit: str = "M3", code: str = "patient was ill", words: str = "") -> None:
    desk.do(COORDINATOR, "enter", draft_missed(desk.records, "S1", visit, code, words))


def test_a_missed_visit_is_told_with_its_reason(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    assert row(desk, "M3").word == "overdue"
    miss(desk)
    found = row(desk, "M3")
    assert found.word == "missed"
    assert found.missed is not None
    assert (found.missed.value, found.missed.by) == ("patient was ill", "coordinator")
    assert row(desk, "M-3").word != "missed"


@pytest.mark.parametrize("code", MISSED_REASONS[:-1])
def test_every_listed_reason_will_do(desk: Desk, code: str) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    miss(desk, code=code)
    assert row(desk, "M3").word == "missed"


@pytest.mark.parametrize(
    ("code", "words"), [("", ""), ("on holiday", ""), ("other reason", ""), ("other reason", " ")]
)
def test_a_reason_off_the_list_needs_words(desk: Desk, code: str, words: str) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    with pytest.raises(ConductError, match="is no reason; the reasons are patient did not come, "):
        draft_missed(desk.records, "S1", "M3", code, words)


def test_another_reason_is_kept_in_words(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    miss(desk, code="other reason", words="roads were closed")
    missed = row(desk, "M3").missed
    assert missed is not None
    assert missed.reason == "roads were closed"


def test_a_visit_at_which_something_is_recorded_was_not_missed(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    desk.put(AFTER, URDT="2018-09-29")
    with pytest.raises(ConductError, match="values are recorded at it, so it took place"):
        draft_missed(desk.records, "S1", "M3", "patient was ill", "")


def test_a_visit_with_undated_values_was_not_missed_either(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    desk.put(AFTER, UPROT24H=1.8)
    with pytest.raises(ConductError, match="values are recorded at it, so it took place"):
        draft_missed(desk.records, "S1", "M3", "patient was ill", "")


def test_a_visit_that_was_made_up_for_is_not_missed_any_more(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    miss(desk)
    desk.put(AFTER, URDT="2018-10-05", UPROT24H=1.8)
    assert row(desk, "M3").word == "partial"


def test_a_missed_visit_taken_back_is_not_missed(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    miss(desk)
    key = Key("subject", "S1", "@visit", "@missed", "M3")
    desk.enter(Draft(key, None, missing="not applicable", reason="another patient"))
    assert row(desk, "M3").word == "overdue"


def test_a_visit_that_the_study_does_not_have_is_not_missed(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    with pytest.raises(ConductError, match="M9"):
        draft_missed(desk.records, "S1", "M9", "patient was ill", "")


# -- who is enrolled ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enrolment", "infused", "status", "expected"),
    [
        ("2016-12-01", None, None, True),
        (None, None, None, False),
        (None, "2017-01-09", None, True),
        ("2016-12-01", None, "screen failure", False),
    ],
)
def test_where_nobody_has_a_right_the_date_of_enrolment_or_the_infusion_enrols(
    trial: Trial, enrolment: str | None, infused: str | None, status: str | None, expected: bool
) -> None:
    trial.put("S1", "M-3", "ELIG", ENROLDT=enrolment)
    trial.put("S1", "D0", "INFUSION", INFDT=infused)
    trial.put("S1", "", "DISPOSITION", DSDECOD=status)
    assert enrolled(trial.records, "S1") is expected


def test_a_typed_date_enrols_nobody_where_the_decision_can_be_signed(desk: Desk) -> None:
    desk.eligible()
    assert desk.records.of_item("S1", "ENROLDT")[0].value == date(2018, 6, 5)
    assert not enrolled(desk.records, "S1")
    desk.enrol()
    assert enrolled(desk.records, "S1")
    desk.enter(Draft(DECISION, "no", reason="consent withdrawn"))
    assert not enrolled(desk.records, "S1")


def test_who_was_enrolled_on_paper_before_the_first_account_stays_so_and_can_be_signed_for(
    trial: Trial,
) -> None:
    trial.put("S1", "M-3", "ELIG", LNCLASS="IV", REFRACTORY=True, ENROLDT="2018-06-05")
    trial.put("S1", "M-3", "URINE", **FULL)
    before = trial.records
    granted = Entry(
        before.snapshot.head.seq + 1, right_key("investigator", "investigator", ""), "granted", None, None,
        "onearm", "program", "", "", "right granted", before.study.hash, "", None, "", "", "",
    )  # fmt: skip
    after = Records(
        before.study,
        before.snapshot.advanced([granted], before.snapshot.head, before.snapshot.as_of),
    )
    state = subject_state(after, "S1")
    assert (state.word, state.awaits_decision) == ("enrolled", True)
    assert closed_because(after, WEIGHT) != ""
    seen = assessment_hash(state.assessment)
    assert draft_enrolment(after, "S1", INVESTIGATOR, AT, seen).key == DECISION
