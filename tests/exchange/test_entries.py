"""Entries from CSV: all rows or none, every problem with its row, and nothing guessed."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onearm.checks import check_drafts
from onearm.errors import ExchangeError
from onearm.exchange.entries import COLUMNS, Import, import_entries, read_entries
from onearm.ledger import Key, Ledger, Snapshot
from onearm.records import Records
from onearm.study import Study

HEADER = "kind,about,visit,form,item,repeat,value,unit,missing,reason"
GOOD = "subject,S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),,"
WHO = {"by": "nurse 1", "role": "nurse", "site": "Mashhad"}
TODAY = date(2018, 12, 30)
PROTEIN = Key("subject", "S1", "URINE", "UPROT24H", "M3")


@pytest.fixture
def bring(study: Study, ledger: Ledger, tmp_path: Path):
    """Import text (or bytes) as a file."""

    def run(text: str | bytes, name: str = "rows.csv") -> Import:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_entries(study, ledger, path, **WHO, today=TODAY)

    return run


def rows(*lines: str) -> str:
    return "\n".join([HEADER, *lines, ""])


def refused(bring, ledger: Ledger, text: str | bytes) -> list[str]:
    """The messages of an import that must be refused; and the ledger is as it was."""
    before = ledger.head()
    with pytest.raises(ExchangeError) as caught:
        bring(text)
    assert ledger.head() == before
    assert ledger.verify(before) == []
    return caught.value.messages


# -- what is recorded -----------------------------------------------------------------------------


def test_every_row_becomes_an_entry_signed_by_who_imports(bring, ledger, study: Study) -> None:
    done = bring(
        rows(
            GOOD,
            "subject,S1,M3,URINE,URBC,1,,,not done,",
            "subject,S1,,AE,AETERM,2,Fever,,,",
            "lot,L1,,COA,VIABILITY,1,93,%,,",
            "donor,D1,,DONOR,DNREL,1,sibling,,,",
            "study,LN-MSC-2018,,DATA,NATURE,1,constructed,,,",
        )
    )
    assert [e.seq for e in done.entries] == [1, 2, 3, 4, 5, 6]
    assert (done.unchanged, done.warnings) == (0, ())
    first, second, third, *_ = done.entries
    assert (first.key, first.value, first.unit) == (PROTEIN, "1.8", "g/(24.h)")
    assert (second.value, second.missing) == (None, "not done")
    assert third.key.repeat == 2
    assert {(e.by, e.role, e.site, e.study_hash) for e in done.entries} == {
        ("nurse 1", "nurse", "Mashhad", study.hash)
    }
    assert len({e.at for e in done.entries}) == 1  # one act


def test_a_convertible_unit_is_kept_as_written_and_converted_once_in_records(
    bring, ledger: Ledger, study: Study
) -> None:
    (entry,) = bring(rows("subject,S1,M3,URINE,UPROT24H,1,1800,mg/(24.h),,")).entries
    assert (entry.value, entry.unit) == ("1800", "mg/(24.h)")
    datum = Records(study, ledger.snapshot()).at("S1", "UPROT24H", "M3")
    assert datum.value == 1.8


def test_rows_that_change_nothing_make_no_entry(bring, ledger: Ledger) -> None:
    text = rows(GOOD, "subject,S1,M3,URINE,URBC,1,,,not done,")
    bring(text)
    before = ledger.head()
    done = bring(text)
    assert (done.entries, done.unchanged) == ((), 2)
    assert ledger.head() == before


def test_a_change_with_a_reason_is_one_entry_and_the_old_value_stays(bring, ledger) -> None:
    bring(rows(GOOD, "subject,S1,M3,URINE,URBC,1,3,/[HPF],,"))
    done = bring(
        rows(
            "subject,S1,M3,URINE,UPROT24H,1,2.8,g/(24.h),,read again",
            "subject,S1,M3,URINE,URBC,1,3,/[HPF],,",
        )
    )
    assert (len(done.entries), done.unchanged) == (1, 1)
    assert [(e.value, e.reason) for e in ledger.history(PROTEIN)] == [
        ("1.8", ""),
        ("2.8", "read again"),
    ]


def test_a_warning_is_returned_and_does_not_stop_the_import(bring) -> None:
    done = bring(rows(GOOD, "subject,S1,M3,URINE,URBC,1,501,/[HPF],,"))
    assert len(done.entries) == 2
    (warning,) = done.warnings
    assert (warning.id, warning.where) == ("value.range", "rows.csv, row 3")


def test_optional_columns_may_be_left_out_and_columns_stand_in_any_order(bring) -> None:
    (entry,) = bring("Value,ITEM,form,about,kind\nsibling,DNREL,DONOR,D1,donor\n").entries
    assert (entry.key.item, entry.value, entry.unit) == ("DNREL", "sibling", "")
    assert (entry.key.visit, entry.key.repeat, entry.reason) == ("", 1, "")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + rows(GOOD).encode(),  # with a byte order mark, as spreadsheets save it
        rows(GOOD).replace("\n", "\r\n").encode(),
        rows(GOOD).replace("\n", "\r").encode(),
        rows(GOOD).rstrip().encode(),
        rows("", GOOD, ",,,,,,,,,", "   ").encode(),
        rows(GOOD.replace("S1", " S1 ").replace("URINE", " URINE")).encode(),
        rows(GOOD.replace("1.8", '"1.8"')).encode(),
    ],
)
def test_what_spreadsheets_do_to_a_csv_file_does_not_matter(bring, text: bytes) -> None:
    (entry,) = bring(text).entries
    assert (entry.key, entry.value) == (PROTEIN, "1.8")


def test_text_in_any_script_is_kept_letter_by_letter(bring) -> None:
    text = 'تب و لرز, "38.5"\nat night'
    cell = '"' + text.replace('"', '""') + '"'
    (entry,) = bring(rows(f"subject,S1,,AE,AETERM,1,{cell},,,")).entries
    assert entry.value == text


def test_a_lot_and_its_donor_may_come_after_what_names_them(bring) -> None:
    done = bring(
        rows(
            "subject,S1,D0,INFUSION,LOT,1,L1,,,",
            "lot,L1,,COA,LTDONOR,1,D1,,,",
            "donor,D1,,DONOR,DNSUBJ,1,S1,,,",
        )
    )
    assert len(done.entries) == 3


def test_the_demonstrations_records_go_through_the_gate_without_a_warning(
    demo_records: Records,
) -> None:
    head = demo_records.snapshot.head
    assert head.seq == 1161  # 1160 entries and 1 correction
    assert len(demo_records.subjects) == 9


# -- refusal --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "id", "words"),
    [
        ("subject,S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),", "row.form", "has 9 cells, the header has 10"),
        ("subject,S1,M3,URINE,UPROT24H,1,1,8,g/(24.h),,", "row.form", "has 11 cells, the header has 10"),
        ("patient,S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),,", "row.form", "kind is 'patient'; expected one of subject, "),
        ("subject,S1,M3,URINE,UPROT24H,0,1.8,g/(24.h),,", "row.form", "repeat is '0'; expected a whole number from 1"),
        ("subject,S1,M3,URINE,UPROT24H,-1,1.8,g/(24.h),,", "row.form", "repeat is '-1'"),
        ("subject,S1,M3,URINE,UPROT24H,one,1.8,g/(24.h),,", "row.form", "repeat is 'one'"),
        ("subject,S1,M3,URINE,UPROT24H,\u00b2,1.8,g/(24.h),,", "row.form", "repeat is '\u00b2'"),
        (f"subject,S1,M3,URINE,UPROT24H,{'9' * 5000},1.8,g/(24.h),,", "row.form", "repeat is '9999"),
        (",S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),,", "row.form", "kind is ''"),
        ("subject,,M3,URINE,UPROT24H,1,1.8,g/(24.h),,", "about.empty", "the subject is empty"),
        ("donor,S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),,", "about.kind", "form URINE is about a subject"),
        ("subject,S1,M3,URIN,UPROT24H,1,1.8,g/(24.h),,", "form.unknown", "'URIN' is not a form"),
        ("subject,S1,M3,URINE,UPROT,1,1.8,g/(24.h),,", "item.unknown", "'UPROT' is not an item"),
        ("subject,S1,M9,URINE,UPROT24H,1,1.8,g/(24.h),,", "visit.unknown", "'M9' is not a visit"),
        ("subject,S1,M3,DEMOG,AGE,1,24,a,,", "visit.form", "form DEMOG is not collected at visit M3"),
        ("subject,S1,,URINE,UPROT24H,1,1.8,g/(24.h),,", "visit.missing", "form URINE belongs to a visit"),
        ("lot,L1,D0,COA,VIABILITY,1,90,%,,", "visit.surplus", "form COA belongs to no visit"),
        ("subject,S1,M3,URINE,UPROT24H,2,1.8,g/(24.h),,", "repeat.single", "form URINE does not repeat"),
        ("subject,S1,M3,URINE,UPROT24H,1,1.8,g/(24.h),not done,", "value.and.missing", "keep one"),
        ("subject,S1,M3,URINE,UPROT24H,1,,g/(24.h),,", "value.empty", "no value; give one"),
        ("subject,S1,M3,URINE,UPROT24H,1,,,lost,", "missing.reason", "'lost' is not a reason"),
        ("subject,S1,M3,URINE,UPROT24H,1, 1.8,g/(24.h),,", "value.blank", "begins or ends with a blank"),
        ('subject,S1,M3,URINE,UPROT24H,1,"1,8",g/(24.h),,', "value.number", "with a decimal point; write 1.8"),
        ("subject,S1,M3,URINE,UPROT24H,1,NaN,g/(24.h),,", "value.number", "'NaN' is not a number"),
        ("subject,S1,M3,URINE,UPROT24H,1,inf,g/(24.h),,", "value.number", "'inf' is not a number"),
        ("subject,S1,M3,URINE,UPROT24H,1,1e999,g/(24.h),,", "value.number", "'1e999' is too large"),
        ("subject,S1,M-3,DEMOG,AGE,1,24.5,a,,", "value.integer", "'24.5' is not a whole number"),
        ("subject,S1,M3,URINE,CELLCAST,1,maybe,,,", "value.yesno", "neither yes nor no"),
        ("subject,S1,M-3,ELIG,LNCLASS,1,VII,,,", "value.choice", "'VII' is not a choice of LNCLASS"),
        ("subject,S1,M3,URINE,URDT,1,8.4.2017,,,", "value.date", "'8.4.2017' is not a date"),
        ("subject,S1,M3,URINE,URDT,1,2017-04,,,", "value.date.partial", "needs year, month and day"),
        ("subject,S1,M3,URINE,URDT,1,2019-01-01,,,", "value.date.future", "lies after today, 2018-12-30"),
        ("subject,S1,M3,URINE,URDT,1,1396-01-19,,,", "value.date.past", "lies before 1900"),
        ("subject,S1,M3,URINE,UPROT24H,1,1.8,,,", "unit.missing", "the study uses g/(24.h)"),
        ("subject,S1,M3,URINE,CELLCAST,1,yes,g,,", "unit.surplus", "CELLCAST has no unit, found 'g'"),
        ("subject,S1,M3,URINE,UPROT24H,1,1.8,g/L,,", "unit.unknown", "'g/L' cannot be read as g/(24.h)"),
        ("subject,S1,M3,LABS,CREAT,1,70,umol/L,,", "unit.unknown", "cannot be read as mg/dL"),
        ("subject,S1,D0,INFUSION,LOT,1,L9,,,", "reference.unknown", "names the lot 'L9'"),
        ("lot,L1,,COA,LTDONOR,1,D9,,,", "reference.unknown", "names the donor 'D9'"),
        ('subject,"S\n1",M3,URINE,UPROT24H,1,1.8,g/(24.h),,', "entry.refused", "a line break"),
        ("study,LN,,DATA,NATURE,1,real,,,", "study.nature", "'real' is not a nature of data"),
        ("study,LN,,DATA,NATURE,1,,,,", "value.empty", "no value"),
    ],
)  # fmt: skip
def test_one_bad_row_refuses_the_file_and_says_where_and_why(
    bring, ledger: Ledger, row: str, id: str, words: str
) -> None:
    (message,) = refused(bring, ledger, rows(GOOD.replace("S1", "S2"), row))
    assert message.startswith("rows.csv, row 3: ")
    assert message.endswith(f"[{id}]")
    assert words in message
    assert ledger.head().seq == 0


def test_all_problems_of_a_file_show_together_in_the_order_of_its_rows(bring, ledger) -> None:
    messages = refused(
        bring,
        ledger,
        rows(
            "subject,S1,D0,INFUSION,LOT,1,L9,,,",  # 2: unknown lot
            GOOD,  # 3
            "patient,S1,M3,URINE,URBC,1,3,/[HPF],,",  # 4: no kind
            'subject,S1,M9,URINE,UWBC,1,"1,8",,,',  # 5: no visit, no number
            GOOD,  # 6: twice
            "subject,S1,M3,URINE,URDT,1,2030-01-01,,,",  # 7: in the future
            "too,short",  # 8
        ),
    )
    found = [(m.partition(": ")[0], m.rpartition(" ")[2]) for m in messages]
    assert found == [
        ("rows.csv, row 2", "[reference.unknown]"),
        ("rows.csv, row 4", "[row.form]"),
        ("rows.csv, row 5", "[visit.unknown]"),
        ("rows.csv, row 5", "[value.number]"),
        ("rows.csv, row 6", "[entry.twice]"),
        ("rows.csv, row 7", "[value.date.future]"),
        ("rows.csv, row 8", "[row.form]"),
    ]
    assert "given twice, here and at rows.csv, row 3; keep one" in messages[4]


def test_rows_are_counted_as_a_spreadsheet_does_whatever_the_cells_hold(bring, ledger) -> None:
    messages = refused(
        bring,
        ledger,
        rows(
            'subject,S1,,AE,AETERM,1,"Fever\nfor\nthree nights",,,',  # row 2, three lines
            "",  # row 3
            ",,,,,,,,,",  # row 4
            "subject,S1,,AE,AESER,1,maybe,,,",  # row 5
            'subject,S1,,AE,AEREL,1,maybe,,,"a reason\nof two lines"',  # row 6
            "subject,S1,,AE,AEGRADE,1,9,,,",  # row 7
        ),
    )
    assert [m.partition(": ")[0] for m in messages] == [f"rows.csv, row {n}" for n in (5, 6, 7)]


def test_a_change_without_a_reason_is_refused_and_nothing_else_of_the_file_is_recorded(
    bring, ledger: Ledger
) -> None:
    bring(rows(GOOD))
    (message,) = refused(
        bring, ledger, rows("subject,S2,M3,URINE,URBC,1,3,/[HPF],,", GOOD.replace("1.8", "2.8"))
    )
    assert message == (
        "rows.csv, row 3: subject S1, visit M3, URINE.UPROT24H holds '1.8 g/(24.h)' (entry 1); a change"
        " needs a reason [reason.missing]"
    )
    assert ledger.snapshot().subjects() == ("S1",)


def test_a_refused_file_can_be_corrected_and_brought_again(bring, ledger: Ledger) -> None:
    wrong = rows(GOOD, 'subject,S1,M3,URINE,URBC,1,"3,0",/[HPF],,')
    refused(bring, ledger, wrong)
    assert len(bring(wrong.replace('"3,0"', "3")).entries) == 2


# -- what is no such file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rows.csv, row 1: the file lacks the column kind, about, form, item, value; the columns are kind, "),
        (HEADER, "rows.csv: holds no row below its header; add one row per entry"),
        (HEADER + "\n\n,,,,,,,,,\n", "rows.csv: holds no row below its header"),
        ("kind,about,form,item\nsubject,S1,URINE,URBC\n", "rows.csv, row 1: the file lacks the column value"),
        (HEADER + ",note\n", "has the unknown column 'note'"),
        (HEADER + ",\n", "has the unknown column ''"),
        (HEADER + ",value\n", "has the column value twice"),
        ("subject,patient,form,item,value\n", "lacks the column kind, about and has the unknown column 'subject', "),
        (rows(GOOD).replace(",", ";"), "the columns are separated by semicolons; expected commas; save the"),
        (rows(GOOD).replace(",", "\t"), "the columns are separated by tabs; expected commas"),
        (rows('subject,"S1,M3,URINE'), "unexpected end of data; a CSV file puts text with commas or quotes in"),
        (rows('subject,"S"1,M3,URINE,UPROT24H,1,1,,,'), "rows.csv, line 2: "),
        (rows(GOOD).encode("utf-16"), "rows.csv: byte 0 is not UTF-8 text; save the file as CSV UTF-8"),
        (rows(GOOD, "subject,S1,,AE,AETERM,1,Übelkeit,,,").encode("cp1252"), "is not UTF-8 text"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 64, "is not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_entries_says_in_words_what_is_wrong_with_it(
    bring, ledger: Ledger, text: str | bytes, words: str
) -> None:
    (message,) = refused(bring, ledger, text)
    assert words in message


def test_a_file_that_is_not_there_or_is_a_folder_says_so(study, ledger, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ExchangeError, match=r"cannot be read .*; give the path of a CSV file"):
            import_entries(study, ledger, path, **WHO, today=TODAY)


def test_an_author_nobody_named_records_nothing(study, ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(rows(GOOD))
    with pytest.raises(ExchangeError, match="every entry says who recorded it"):
        import_entries(study, ledger, path, by=" ", role="nurse", site="", today=TODAY)
    assert ledger.head().seq == 0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(*[st.one_of(st.sampled_from(["subject", "S1", "1"]), st.text(max_size=6))] * 10),
        max_size=4,
    )
)
def test_any_table_is_read_or_refused_in_words_with_as_many_drafts_as_places(
    study: Study, tmp_path: Path, table: list[tuple[str, ...]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(table)
    path = tmp_path / "rows.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    try:
        drafts, places, problems = read_entries(path)
    except ExchangeError:
        return
    assert len(drafts) == len(places)
    check_drafts(study, drafts, Snapshot(()), today=TODAY, where=places)
    assert {p.id for p in problems} <= {"row.form"}
    filled = sum(any(cell.strip() for cell in row) for row in table)
    assert len(drafts) + len(problems) == filled
