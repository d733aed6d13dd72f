"""Analysis datasets: ADaM's columns, windows, baselines, changes, and the entries behind every value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.datasets import Datasets, Pair, Value, mean_of
from onearm.ledger import Ledger, Snapshot
from onearm.records import Records
from onearm.study import BaselineRule, Study

INFUSED = date(2017, 6, 1)
MONTH_3, LAST, RUN_IN = "month-3", "last", "run-in"
Make = Callable[..., Study]

# Names and order of CDISC ADaM Implementation Guide 1.3 (BDS, ADSL) and OCCDS 1.1, with AVALLO, AVALHI,
# SRCSEQ (a list here) and BASESEQ of our own.
COLUMNS = {
    "ADSL": "STUDYID USUBJID SUBJID SAFFL TRTSDT EOSSTT AGE SEX LNCLASS REFRACTORY WEIGHT SRCSEQ",
    "ADAE": "STUDYID USUBJID SUBJID AETERM ASTDT AENDT ASTDY ATOXGR AESER AREL AEOUT TRTEMFL SRCSEQ",
    "ADEX": "STUDYID USUBJID SUBJID ASTDT LOT WEIGHT PLANDOSE AVAL AVALU DEVPCT EXVOL EXDUR SRCSEQ",
} | dict.fromkeys(
    ("ADLB", "ADQS"),
    "STUDYID USUBJID SUBJID PARAMCD PARAM VISIT AVISIT AVISITN ADT ADY AVAL AVALLO AVALHI AVALU BASE BASETYPE CHG "
    "PCHG ABLFL ANL01FL AWTARGET AWTDIFF AWLO AWHI SRCSEQ BASESEQ",
)


def on(study_day: int) -> str:
    """The calendar date of a study day of a subject infused on INFUSED; written out, not imported."""
    return (INFUSED + timedelta(days=study_day - 1 if study_day > 0 else study_day)).isoformat()


def rule_of(study: Study, id: str) -> BaselineRule:
    return next(r for r in study.baseline.rules if r.id == id)


def infuse(trial: Any, subject: str = "S1") -> None:
    trial.put(subject, "D0", "INFUSION", INFDT=INFUSED.isoformat())


def protein(
    trial: Any, visit: str, study_day: int | None, value: Any, subject: str = "S1", **more: Any
) -> None:
    dated = {} if study_day is None else {"URDT": on(study_day)}
    trial.put(subject, visit, "URINE", **dated, UPROT24H=value, **more)


def rows(frame: pl.DataFrame, **wanted: object) -> list[dict[str, Any]]:
    found = frame.filter(*(pl.col(name) == value for name, value in wanted.items()))
    return found.to_dicts()


@pytest.fixture(scope="module")
def demo(demo_records: Records) -> Datasets:
    return Datasets(demo_records)


@pytest.fixture(scope="module")
def bds(demo: Datasets) -> pl.DataFrame:
    return pl.concat([demo.adlb(), demo.adqs()])


# -- shape ----------------------------------------------------------------------------------------


def test_every_dataset_has_the_columns_of_adam_in_its_order(demo: Datasets) -> None:
    assert {name: " ".join(frame.columns) for name, frame in demo.frames().items()} == COLUMNS


def test_datasets_without_any_row_keep_their_columns_and_types(
    study: Study, demo: Datasets
) -> None:
    empty = Datasets(Records(study, Snapshot(()))).frames()
    assert {name: frame.height for name, frame in empty.items()} == dict.fromkeys(empty, 0)
    assert {n: f.schema for n, f in empty.items()} == {
        n: f.schema for n, f in demo.frames().items()
    }
    assert empty["ADLB"].schema["SRCSEQ"] == pl.List(pl.Int64)
    assert empty["ADLB"].schema["ADT"] == pl.Date


def test_there_is_a_row_for_every_value_under_every_baseline_rule(demo: Datasets) -> None:
    # 9 patients, 3 visits, 3 rules; protein and eGFR in ADLB, three SLEDAI scores in ADQS
    assert demo.adlb().height == 9 * 3 * 3 * 2
    assert demo.adqs().height == 9 * 3 * 3 * 3


def test_parameter_codes_are_at_most_eight_capitals_and_name_one_parameter_each(
    bds: pl.DataFrame,
) -> None:
    pairs = bds.select("PARAMCD", "PARAM").unique()
    assert pairs["PARAMCD"].n_unique() == pairs["PARAM"].n_unique() == 5
    assert all(code.isupper() and len(code) <= 8 for code in pairs["PARAMCD"])


def test_the_unit_is_the_items_the_formulas_or_points(bds: pl.DataFrame) -> None:
    units = dict(bds.select("PARAMCD", "AVALU").unique().iter_rows())
    assert units.pop("UPROT24H") == "g/(24.h)"
    assert units.pop("EGFR") == "mL/min/{1.73_m2}"
    assert set(units.values()) == {"points"}


# -- study days and windows -----------------------------------------------------------------------


def test_there_is_no_day_0(bds: pl.DataFrame) -> None:
    assert 0 not in bds["ADY"].to_list()
    assert 0 not in bds["AWLO"].to_list() + bds["AWHI"].to_list() + bds["AWTARGET"].to_list()


def test_the_day_of_infusion_is_day_1_and_the_day_before_is_day_minus_1(trial: Any) -> None:
    infuse(trial)
    for visit, day in (
        ("M-3", date(2017, 5, 31)),
        ("D0", date(2017, 6, 1)),
        ("M3", date(2017, 6, 2)),
    ):
        trial.put("S1", visit, "URINE", URDT=day.isoformat(), UPROT24H=1.0)
    values = Datasets(trial.records).of("UPROT24H", "S1")
    assert [v.day for v in values] == [-1, 1, 2]


# Windows of the study file: M-3 day -91, M3 day 91, each 21 days to both sides; D0 day 1 alone. Counted on
# the calendar: 21 days before day -91 is day -112; 21 days before day 91 is day 70, and no day 0 between.
@pytest.mark.parametrize(
    ("study_day", "visit"),
    [
        (-113, None),
        (-112, "M-3"),
        (-91, "M-3"),
        (-70, "M-3"),
        (-69, None),
        (-1, None),
        (1, "D0"),
        (2, None),
        (69, None),
        (70, "M3"),
        (91, "M3"),
        (112, "M3"),
        (113, None),
    ],
)
def test_a_value_belongs_to_the_visit_whose_window_holds_its_day(
    study: Study, demo: Datasets, study_day: int, visit: str | None
) -> None:
    assert demo.window(study_day, "not a visit") == visit


def test_window_limits_in_the_dataset_are_study_days_at_the_calendar_distance(
    bds: pl.DataFrame,
) -> None:
    found = bds.select("AVISIT", "AWLO", "AWTARGET", "AWHI").unique().sort("AWTARGET").rows()
    assert found == [("M-3", -112, -91, -70), ("D0", 1, 1, 1), ("M3", 70, 91, 112)]


def test_the_distance_from_the_target_counts_calendar_days(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M-3", -92, 2.0)
    protein(trial, "M3", 90, 1.0)
    frame = Datasets(trial.records).adlb()
    assert [r["AWTDIFF"] for r in rows(frame, BASETYPE="last value before infusion")] == [-1, -1]


def test_a_value_recorded_under_another_visit_moves_to_the_visit_of_its_date(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M3", -90, 2.0)  # recorded under M3, measured three months before
    (value,) = Datasets(trial.records).of("UPROT24H", "S1")
    assert (value.visit, value.avisit) == ("M3", "M-3")


@pytest.mark.parametrize(("rule", "expected"), [("nominal", "M3"), ("exclude", None)])
def test_a_value_outside_every_window_is_kept_or_left_out_as_the_study_file_says(
    study_with: Make, trial_of: Callable[[Study], Any], rule: str, expected: str | None
) -> None:
    trial = trial_of(study_with(("outside_window: nominal", f"outside_window: {rule}")))
    infuse(trial)
    protein(trial, "M-3", -91, 2.0)
    protein(trial, "M3", 113, 1.0)
    data = Datasets(trial.records)
    assert data.of("UPROT24H", "S1")[1].avisit == expected
    (pair,) = data.pairs("UPROT24H", "M3", trial.study.baseline.primary)
    assert pair.change == (-1.0 if expected else None)
    (row,) = rows(data.adlb(), BASETYPE="last value before infusion", VISIT="M3")
    assert (row["AVISIT"], row["ANL01FL"]) == ((expected, "Y") if expected else (None, None))


def test_what_is_left_out_is_in_no_baseline_either(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    trial = trial_of(study_with(("outside_window: nominal", "outside_window: exclude")))
    infuse(trial)
    protein(trial, "M-3", -300, 9.0)
    protein(trial, "D0", 1, 2.0)
    data = Datasets(trial.records)
    assert (
        mean_of(v.value for v in data.baseline("UPROT24H", "S1", rule_of(data.study, RUN_IN)))
        == 2.0
    )


def test_a_value_dated_after_the_infusion_is_never_a_baseline(trial: Any) -> None:
    infuse(trial)
    protein(
        trial, "M-3", 30, 9.0
    )  # the wrong year or month was typed: nominally before, in fact after
    protein(trial, "D0", 2, 8.0)  # taken the day after the cells
    protein(trial, "M3", 91, 1.0)
    data = Datasets(trial.records)
    assert [data.baseline("UPROT24H", "S1", rule) for rule in data.study.baseline.rules] == [()] * 3


def test_a_value_dated_before_the_infusion_is_never_an_after(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M-3", -91, 2.0)
    protein(trial, "M3", -30, 1.0)
    (pair,) = Datasets(trial.records).pairs("UPROT24H", "M3", trial.study.baseline.primary)
    assert (pair.before, pair.after) == (2.0, None)


def test_of_two_values_in_a_window_the_one_nearest_to_the_target_stands_for_the_visit(
    trial: Any,
) -> None:
    infuse(trial)
    protein(trial, "M3", 99, 1.0)
    protein(trial, "D0", 84, 3.0)  # 7 days off, the other is 8 days off
    data = Datasets(trial.records)
    found = data.at("UPROT24H", "S1", "M3")
    assert found is not None
    assert found.value == 3.0
    flags = {r["AVAL"]: r["ANL01FL"] for r in data.adlb().to_dicts()}
    assert flags == {1.0: None, 3.0: "Y"}


def test_of_two_values_equally_near_the_earlier_stands_for_the_visit(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M3", 98, 1.0)
    protein(trial, "D0", 84, 3.0)  # both 7 days off
    found = Datasets(trial.records).at("UPROT24H", "S1", "M3")
    assert found is not None
    assert (found.day, found.value) == (84, 3.0)


def test_a_value_without_a_date_counts_at_its_visit_but_in_no_rule_about_time(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M-3", None, 2.0)
    data = Datasets(trial.records)
    assert [v.avisit for v in data.of("UPROT24H", "S1")] == ["M-3"]
    assert data.baseline("UPROT24H", "S1", rule_of(data.study, MONTH_3))[0].value == 2.0
    assert data.baseline("UPROT24H", "S1", rule_of(data.study, LAST)) == ()


def test_before_the_infusion_is_recorded_there_are_values_but_no_days_and_no_pairs(
    trial: Any,
) -> None:
    trial.put("S1", "M-3", "URINE", URDT="2017-03-02", UPROT24H=2.0)
    data = Datasets(trial.records)
    (value,) = data.of("UPROT24H", "S1")
    assert (value.avisit, value.day) == ("M-3", None)
    assert data.pairs("UPROT24H", "M3", data.study.baseline.primary) == ()
    assert rows(data.adsl())[0]["SAFFL"] == "N"


# -- baselines ------------------------------------------------------------------------------------


@pytest.fixture
def run_in(trial: Any) -> Datasets:
    """Protein 3.1 at month -3, 2.0 five days before, 1.9 on the day of infusion, 0.4 after."""
    infuse(trial)
    protein(trial, "M-3", -91, 3.1)
    trial.put("S1", "D0", "URINE", URDT=on(1), UPROT24H=1.9)
    protein(trial, "M3", 91, 0.4)
    return Datasets(trial.records)


@pytest.mark.parametrize(("rule", "base"), [(MONTH_3, 3.1), (LAST, 1.9), (RUN_IN, 2.5)])
def test_the_baseline_is_the_visits_the_last_or_the_mean_before_the_infusion(
    run_in: Datasets, rule: str, base: float
) -> None:
    found = run_in.baseline("UPROT24H", "S1", rule_of(run_in.study, rule))
    assert mean_of(v.value for v in found) == base


def test_base_chg_and_their_entries_follow_the_baseline_rule_of_the_row(run_in: Datasets) -> None:
    after = {r["BASETYPE"]: r for r in rows(run_in.adlb(), AVISIT="M3")}
    # entries: 1 INFDT, 2-3 the visit before, 4-5 the infusion's, 6-7 after (each date, then protein)
    assert {k: (r["BASE"], r["CHG"], r["BASESEQ"], r["SRCSEQ"]) for k, r in after.items()} == {
        "3 months before infusion": (3.1, -2.7, [3], [7]),
        "last value before infusion": (1.9, -1.5, [5], [7]),
        "mean of the run-in": (2.5, -2.1, [3, 5], [7]),
    }
    assert after["last value before infusion"]["PCHG"] == pytest.approx(-100 * 1.5 / 1.9)


def test_the_baseline_flag_marks_one_row_and_none_where_the_baseline_is_a_mean(
    run_in: Datasets,
) -> None:
    flagged = [(r["BASETYPE"], r["AVAL"]) for r in rows(run_in.adlb(), ABLFL="Y")]
    assert flagged == [("3 months before infusion", 3.1), ("last value before infusion", 1.9)]


def test_a_missing_baseline_visit_leaves_base_null_and_is_not_filled_from_another(
    trial: Any,
) -> None:
    infuse(trial)
    protein(trial, "D0", 1, 1.9)
    protein(trial, "M3", 91, 0.4)
    data = Datasets(trial.records)
    pairs = {r.id: data.pairs("UPROT24H", "M3", r)[0].before for r in data.study.baseline.rules}
    assert pairs == {MONTH_3: None, LAST: 1.9, RUN_IN: 1.9}
    (row,) = rows(data.adlb(), AVISIT="M3", BASETYPE="3 months before infusion")
    assert (row["BASE"], row["CHG"], row["PCHG"], row["BASESEQ"]) == (None, None, None, [])


def test_a_value_reported_missing_makes_no_row_and_nothing_in_its_place(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M-3", -91, 2.0)
    protein(trial, "M3", 91, None)
    data = Datasets(trial.records)
    assert [v.visit for v in data.of("UPROT24H", "S1")] == ["M-3"]
    assert data.pairs("UPROT24H", "M3", data.study.baseline.primary)[0].after is None


def test_a_change_from_zero_has_no_percentage(trial: Any) -> None:
    infuse(trial)
    protein(trial, "M-3", -91, 0)
    protein(trial, "M3", 91, 1.5)
    row = rows(Datasets(trial.records).adlb(), AVISIT="M3")[0]
    assert (row["CHG"], row["PCHG"]) == (1.5, None)


hundredths = st.integers(-100_000, 100_000).map(lambda i: Decimal(i).scaleb(-2))


@given(before=hundredths, after=hundredths)
def test_a_change_is_the_difference_of_the_decimals_that_were_written(
    before: Decimal, after: Decimal
) -> None:
    pair = Pair("S1", float(before), float(after), None, None, (), ())
    assert pair.change == float(after - before)


def test_equal_differences_are_ties_where_binary_arithmetic_would_make_them_differ() -> None:
    first = Pair("S1", 46.4, 53.5, None, None, (), ()).change
    second = Pair("S2", 0.1, 7.2, None, None, (), ()).change
    assert first == second == 7.1
    assert 53.5 - 46.4 != 7.2 - 0.1  # what subtraction of floats makes of it


@given(st.lists(hundredths, min_size=1, max_size=6))
def test_a_mean_of_the_run_in_is_the_decimal_mean(values: list[Decimal]) -> None:
    assert mean_of(map(float, values)) == float(sum(values, Decimal(0)) / len(values))


def test_a_mean_with_an_unknown_part_is_unknown() -> None:
    assert mean_of([1.0, None]) is None
    assert mean_of([]) is None


# -- units ----------------------------------------------------------------------------------------


def test_values_written_in_another_unit_are_the_same_values_so_that_ties_are_ties(
    trial: Any,
) -> None:
    infuse(trial)
    for milligrams in (100, 300, 700, 1100, 1800, 2900):
        grams = milligrams / 1000
        trial.put("S1", "M3", "URINE", UPROT24H=(grams, "g/(24.h)"))
        (one,) = Datasets(trial.records).of("UPROT24H", "S1")
        trial.put("S1", "M3", "URINE", UPROT24H=(milligrams, "mg/(24.h)"))
        (other,) = Datasets(trial.records).of("UPROT24H", "S1")
        assert one.value == other.value == grams


def test_a_measure_in_another_unit_than_its_item_is_converted_once(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    old = "{id: UPROT24H, label: 24-hour urine protein, scale: log"
    study = study_with((old, old + ", unit: 'mg/(24.h)'"))
    trial = trial_of(study)
    infuse(trial)
    protein(trial, "M3", 91, 1.8)
    row = rows(Datasets(trial.records).adlb())[0]
    assert (row["AVAL"], row["AVALU"]) == (1800.0, "mg/(24.h)")


# -- scores with holes ----------------------------------------------------------------------------


def test_a_score_with_an_unanswered_question_is_bounds_and_never_a_number(trial: Any) -> None:
    infuse(trial)
    for visit, day in (("M-3", -91), ("M3", 91)):
        trial.labs("S1", visit, on(day))
    trial.sledai("S1", "M-3", on(-91), yes="RASH ARTHRIT")  # 2 + 4
    trial.put("S1", "M3", "SLEDAI", SLEDT=on(91), RASH=True)  # everything else unanswered
    data = Datasets(trial.records)
    before, after = data.of("SLEDAI.total", "S1")
    assert (before.value, before.lower, before.upper) == (6.0, 6.0, 6.0)
    assert after.value is None
    (row,) = rows(
        data.adqs(), PARAM="SLEDAI-2K total", AVISIT="M3", BASETYPE="3 months before infusion"
    )
    # 2 for the rash; the 14 other clinical descriptors open: 7 x 8 + 1 x 8 (vasculitis) + 2 x 4 + 4 x 2
    assert (row["AVAL"], row["AVALLO"], row["AVALHI"]) == (None, 2.0, 2.0 + 8 * 8 + 2 * 4 + 4 * 2)
    assert (row["BASE"], row["CHG"], row["PCHG"]) == (6.0, None, None)
    assert data.pairs("SLEDAI.total", "M3", data.study.baseline.primary)[0].change is None


def test_the_last_value_before_infusion_is_the_last_known_one(trial: Any) -> None:
    infuse(trial)
    for visit, day in (("M-3", -91), ("D0", 1)):
        trial.labs("S1", visit, on(day))
    trial.sledai("S1", "M-3", on(-91), yes="RASH")
    trial.put("S1", "D0", "SLEDAI", SLEDT=on(1), RASH=True)
    data = Datasets(trial.records)
    (base,) = data.baseline("SLEDAI.total", "S1", rule_of(data.study, LAST))
    assert (base.visit, base.value) == ("M-3", 2.0)


# -- where values come from -----------------------------------------------------------------------


def only(records: Records, seqs: list[int]) -> Records:
    """The records as if nothing but these entries had ever been made."""
    kept = tuple(e for e in records.snapshot.entries if e.seq in set(seqs))
    assert len(kept) == len(set(seqs))  # every one of them is a current entry
    return Records(records.study, Snapshot(kept))


def test_every_item_value_is_the_text_of_the_one_entry_it_names(
    demo_records: Records, bds: pl.DataFrame
) -> None:
    text = {e.seq: e for e in demo_records.snapshot.entries}
    found = rows(bds, PARAMCD="UPROT24H")
    assert len(found) == 81
    for row in found:
        (seq,) = row["SRCSEQ"]
        entry = text[seq]
        assert (entry.key.about, entry.key.item) == (row["SUBJID"], "UPROT24H")
        assert entry.key.visit == row["VISIT"]
        assert float(entry.value or "") == row["AVAL"]


def test_the_entries_named_are_enough_to_give_every_score_and_formula_again(
    demo_records: Records, bds: pl.DataFrame
) -> None:
    labels = {m.label: m.id for m in demo_records.study.measures}
    checked = 0
    for row in rows(bds, BASETYPE="3 months before infusion"):
        measure = demo_records.study.measure(labels[row["PARAM"]])
        alone = only(demo_records, row["SRCSEQ"])
        if "." in measure.id:
            (score,) = alone.scores_of(row["SUBJID"], "SLEDAI")
            again = score.bounds[measure.id.partition(".")[2]].value
        elif measure.derive:
            (again,) = (d.value for d in alone.derived(measure, row["SUBJID"]))
        else:
            continue
        assert again == row["AVAL"], row
        checked += 1
    assert checked == 9 * 3 * 4


def test_the_baseline_entries_named_are_those_of_the_rows_the_baseline_is_made_of(
    bds: pl.DataFrame,
) -> None:
    for (_, subject, base_type), group in bds.group_by("PARAMCD", "SUBJID", "BASETYPE"):
        by_visit = {r["AVISIT"]: r for r in group.to_dicts()}
        used = {
            "3 months before infusion": ["M-3"],
            "last value before infusion": ["D0"],
            "mean of the run-in": ["M-3", "D0"],
        }[str(base_type)]
        expected = sorted({s for v in used for s in by_visit[v]["SRCSEQ"]})
        assert all(r["BASESEQ"] == expected for r in by_visit.values()), subject


def test_a_corrected_value_names_the_correcting_entry_and_an_earlier_cut_the_first(
    trial: Any, ledger: Ledger
) -> None:
    signed = {"by": "nurse 1", "role": "nurse", "site": "Mashhad", "study_hash": trial.study.hash}
    ledger.record([trial.draft("S1", "D0", "INFUSION", "INFDT", "2017-06-01")], **signed)
    ledger.record([trial.draft("S1", "M3", "URINE", "UPROT24H", 18)], **signed)
    right = trial.draft("S1", "M3", "URINE", "UPROT24H", 1.8, reason="decimal point left out")
    ledger.record([right], **signed)
    found = {}
    for cut in (2, 3):
        (value,) = Datasets(Records(trial.study, ledger.snapshot(cut))).of("UPROT24H", "S1")
        found[cut] = (value.value, value.seqs)
    assert found == {2: (18.0, (2,)), 3: (1.8, (3,))}


# -- subjects, events, exposure -------------------------------------------------------------------


def test_the_subject_level_dataset_holds_everybody_screened(trial: Any) -> None:
    trial.put("S1", "M-3", "DEMOG", AGE=24, SEX="F")
    infuse(trial)
    trial.put("S2", "M-3", "DEMOG", AGE=None, SEX="M")
    trial.put("S2", "", "DISPOSITION", DSDECOD="screen failure")
    first, second = Datasets(trial.records).adsl().to_dicts()
    assert (first["SUBJID"], first["SAFFL"], first["TRTSDT"], first["EOSSTT"]) == (
        "S1",
        "Y",
        INFUSED,
        "ongoing",
    )
    assert (first["AGE"], first["SEX"], first["WEIGHT"]) == (24.0, "F", None)
    assert (second["SAFFL"], second["TRTSDT"], second["EOSSTT"]) == ("N", None, "screen failure")
    assert (second["AGE"], second["SEX"]) == (None, "M")
    assert first["USUBJID"] == "LN-MSC-2018-S1"
    assert first["SRCSEQ"] == [1, 2]


def test_an_event_keeps_what_is_not_recorded_null(trial: Any) -> None:
    infuse(trial)
    trial.put("S1", "", "AE", AETERM="Rash", AESTDT=on(1), AEGRADE="2", AEREL=True)
    trial.put("S1", "", "AE", repeat=2, AETERM="Cough", AESTDT=on(-1), AEREL=None)
    trial.put("S1", "", "AE", repeat=3, AETERM="Fever", AESTDT="2017")
    rash, cough, fever = Datasets(trial.records).adae().to_dicts()
    assert (rash["ASTDY"], rash["ATOXGR"], rash["AREL"], rash["AESER"], rash["TRTEMFL"]) == (
        1,
        2,
        "Y",
        None,
        "Y",
    )
    assert (cough["ASTDY"], cough["TRTEMFL"], cough["AREL"]) == (-1, "N", None)
    assert (fever["ASTDT"], fever["ASTDY"], fever["TRTEMFL"]) == (None, None, None)


def test_exposure_is_planned_given_and_deviation_in_percent(demo: Datasets) -> None:
    frame = demo.adex()
    assert frame.height == 9
    first = rows(frame, SUBJID="001")[0]  # 58.0 kg, 1e6 per kg, given 1.01 times the plan
    assert (first["WEIGHT"], first["PLANDOSE"], first["AVAL"]) == (58.0, 58.0e6, 58.6e6)
    assert first["DEVPCT"] == pytest.approx(100 * (58.6 / 58.0 - 1))
    assert (first["LOT"], first["AVALU"], first["EXDUR"]) == ("L001", "viable cells", 25.0)


def test_subjects_keep_the_order_of_their_first_entry(trial: Any) -> None:
    for subject in ("S9", "S10", "S1"):
        infuse(trial, subject)
    assert Datasets(trial.records).adsl()["SUBJID"].to_list() == ["S9", "S10", "S1"]


def test_a_value_known_exactly_has_equal_bounds(bds: pl.DataFrame) -> None:
    known = bds.filter(pl.col("AVAL").is_not_null())
    assert known.height == bds.height  # the demonstration has no hole
    assert known["AVALLO"].to_list() == known["AVALHI"].to_list() == known["AVAL"].to_list()
    assert Value("S1", "X", "", None, None, None, 2.0, 10.0, ()).value is None


# -- courses --------------------------------------------------------------------------------------


def test_a_course_is_what_stands_for_the_baseline_and_each_visit_with_its_entries(
    trial: Any, study: Study
) -> None:
    trial.protein([1.8, 2.0, None], [0.9, None, 1.1])
    trial.put("S1", "D0", "URINE", URDT=on(1), UPROT24H=1.6)
    data = Datasets(trial.records)
    first = data.readings("UPROT24H", ["M3"], rule_of(study, MONTH_3))
    found = [(r.subject, r.visit, r.value, r.on, r.day) for r in first]
    before, after = date(2017, 3, 2), date(2017, 8, 30)
    assert found == [
        ("S1", "", 1.8, before, -91),
        ("S1", "M3", 0.9, after, 91),
        ("S2", "", 2.0, before, -91),
        ("S3", "M3", 1.1, after, 91),
    ]
    mean = data.readings("UPROT24H", ["M3"], rule_of(study, RUN_IN))[0]
    values = [e for e in trial.snapshot.entries if e.key.item == "UPROT24H" and e.key.about == "S1"]
    assert (mean.value, mean.on, mean.day) == (1.7, INFUSED, 1)
    assert mean.seqs == tuple(e.seq for e in values if e.key.visit in ("M-3", "D0"))
