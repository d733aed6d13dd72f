"""Deviations that rules find by themselves, beside those that people report."""

from __future__ import annotations

import pytest
from tests.conduct.conftest import FULL, URINE, Desk

from onearm.conduct import deviations, draft_missed
from onearm.product import exposures
from onearm.records import FormKey
from onearm.safety import Deviation

INFUSION = FormKey("subject", "S1", "INFUSION", "D0", 1)
AFTER = FormKey("subject", "S1", "URINE", "M3", 1)


def found(desk: Desk, *sources: str) -> list[Deviation]:
    """Deviations of some sources; those of the product rules need more records than most tests have."""
    records = desk.records
    return [
        d for d in deviations(records, exposures(records)) if not sources or d.source in sources
    ]


def texts(desk: Desk, *sources: str) -> list[str]:
    return [d.what for d in found(desk, *sources)]


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2018-09-29", []),  # the target: day 91
        ("2018-09-08", []),  # 21 days before
        ("2018-10-20", []),  # 21 days after
        ("2018-09-07", ["visit M3 done 1 days before its window"]),
        ("2018-10-21", ["visit M3 done 1 days after its window"]),
        ("2018-11-04", ["visit M3 done 15 days after its window"]),
    ],
)
def test_a_visit_outside_its_window_is_a_deviation_by_itself(
    desk: Desk, day: str, told: list[str]
) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    made = desk.put(AFTER, URDT=day)
    deviating = found(desk, "visit window")
    assert [d.what for d in deviating] == told
    assert all(d.seqs == (made[0].seq,) for d in deviating)


def test_a_visit_before_any_infusion_has_no_window_yet(desk: Desk) -> None:
    desk.put(URINE, URDT="2018-06-01")
    assert texts(desk) == []


def test_a_signed_exception_is_a_deviation_with_its_reason(desk: Desk) -> None:
    desk.put(FormKey("subject", "S1", "ELIG", "M-3", 1), LNCLASS="II")
    entry = desk.excuse("I1", "class IV in an earlier biopsy")
    (deviation,) = found(desk)
    assert deviation.what == "exception to criterion I1: class IV in an earlier biopsy"
    assert (deviation.subject, deviation.seqs) == ("S1", (entry.seq,))


def test_an_infusion_of_somebody_not_eligible_is_a_deviation(desk: Desk) -> None:
    desk.eligible()
    desk.put(FormKey("subject", "S1", "ELIG", "M-3", 1), LNCLASS="II", reason="read again")
    assert texts(desk, "eligibility") == []
    desk.put(INFUSION, INFDT="2018-07-01")
    assert texts(desk, "eligibility") == ["infused although not eligible (I1 not met)"]


def test_an_infusion_of_somebody_of_whom_it_is_not_known_is_a_deviation(desk: Desk) -> None:
    desk.eligible()
    desk.put(FormKey("subject", "S1", "ELIG", "M-3", 1), LNCLASS=None, reason="lost")
    desk.put(INFUSION, INFDT="2018-07-01")
    assert texts(desk, "eligibility") == ["infused with eligibility unknown (I1 unknown)"]


def test_a_criterion_with_a_signed_exception_is_not_counted_twice(desk: Desk) -> None:
    desk.eligible()
    desk.put(FormKey("subject", "S1", "ELIG", "M-3", 1), LNCLASS="II", reason="read again")
    desk.excuse("I1", "class IV in an earlier biopsy")
    desk.put(INFUSION, INFDT="2018-07-01")
    assert texts(desk, "eligibility") == []
    assert len(found(desk, "signed exception")) == 1
    # Another criterion that falls later is not covered by it.
    desk.put(FormKey("subject", "S1", "ELIG", "M-3", 1), REFRACTORY=False, reason="read again")
    assert texts(desk, "eligibility") == ["infused although not eligible (I2 not met)"]


def test_a_missed_visit_is_a_deviation_until_it_takes_place(desk: Desk) -> None:
    desk.put(INFUSION, INFDT="2018-07-01")
    missed = draft_missed(desk.records, "S1", "M3", "patient was ill", "in hospital elsewhere")
    (entry,) = desk.enter(missed)
    (deviation,) = found(desk, "missed visit")
    assert (deviation.what, deviation.seqs) == (
        "visit M3 missed: in hospital elsewhere",
        (entry.seq,),
    )
    desk.put(AFTER, **(FULL | {"URDT": "2018-09-29"}))
    assert found(desk, "missed visit") == []


def test_an_infusion_of_an_eligible_subject_is_none(desk: Desk) -> None:
    desk.eligible()
    desk.put(INFUSION, INFDT="2018-07-01")
    assert texts(desk, "eligibility") == []


def test_a_lot_that_failed_its_release_is_a_deviation_of_the_infusion(desk: Desk) -> None:
    desk.eligible()
    desk.lot(VIABILITY=70)
    desk.put(INFUSION, INFDT="2018-07-01", LOT="L1")
    assert "lot released: not released" in texts(desk, "product rule")


def test_a_reported_deviation_stands_and_one_struck_out_does_not(desk: Desk) -> None:
    form = FormKey("subject", "S1", "DEVIATION", "", 1)
    desk.put(form, DVTERM="sample lost", DVDT="2018-06-02", DVIMP=False)
    assert texts(desk) == ["sample lost"]
    desk.mark(form, "struck", True, "entered twice")
    assert texts(desk) == []


def test_nothing_recorded_is_no_deviation(desk: Desk) -> None:
    assert found(desk) == []
    desk.put(URINE, **FULL)
    assert found(desk) == []
