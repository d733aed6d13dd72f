"""The commands as a new user, a script and an attacker meet them: words, exit codes, JSON, no tracebacks."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from onearm import __version__
from onearm.cli import main
from onearm.ledger import Draft, Key, Ledger
from onearm.ledger.sqlite import sqlite3

STUDIES = Path(__file__).parents[1] / "studies" / "lupus-msc"
ABSTRACT, REGISTRY = STUDIES / "abstract-2018.yaml", STUDIES / "registry.yaml"
SIGNED = ("--by", "nurse 1", "--role", "nurse")
COLUMNS = ("--before", "before", "--after", "after")
# Twenty changes with ties and three zeros, and Student's ten (Biometrika 1908;6:1-25, extra hours of sleep).
ACTIVITY = [-8, -6, -4, -4, -4, -2, -2, -2, 0, 0, 2, -6, -8, -4, -2, 2, -10, -4, 0, -2]
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def onearm(*words: object) -> Result:
    """Run a command; whatever happens, no error of the program itself gets out."""
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def fact(*words: object, code: int = 0) -> Any:
    """The JSON a command prints: nothing but JSON on standard output."""
    result = onearm(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo, made once; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("cli") / "demo"
    assert onearm("demo", "--out", out).exit_code == 0
    return out


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A study begun with `onearm new`."""
    folder = tmp_path / "fresh"
    assert onearm("new", folder).exit_code == 0
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A CSV file with the columns before and after."""

    def write(before: list[Any], after: list[Any], name: str = "pairs.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("before", "after"), *zip(before, after, strict=True)])
        return path

    return write


def entries(path: Path, *rows: str) -> Path:
    header = "kind,about,visit,form,item,value,unit,missing,reason"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


# -- the commands themselves ----------------------------------------------------------------------


def test_help_is_there_for_every_command_and_says_the_exit_codes() -> None:
    top = onearm("--help")
    assert top.exit_code == 0
    assert "Exit codes: 0 fine, 1 problems found, 2 misuse." in " ".join(top.stdout.split())
    assert set(main.commands) == {
        *("demo", "new", "check", "diff", "import", "verify", "status", "run", "compare"),
        *("recheck", "serve", "backup", "restore", "archive"),
    }
    for name in main.commands:
        found = onearm(name, "--help")
        assert found.exit_code == 0
        assert found.stdout.startswith(f"Usage: main {name}")


def test_the_version_is_the_packages() -> None:
    assert onearm("--version").stdout.strip() == f"onearm, version {__version__}"


HEAVY = "numpy polars pydantic sqlalchemy matplotlib scipy jinja2 ruamel.yaml onearm.study onearm.ledger"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_a_command_needs_it(words: list[str]) -> None:
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('LOADED', *(m for m in {HEAVY.split()!r} if m in sys.modules)))\n"
        f"sys.argv = ['onearm', *{words!r}]\n"
        "from onearm.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().splitlines()[-1] == "LOADED"


def test_a_comparison_needs_no_database_no_study_model_and_no_data_frame(
    table: Callable[..., Path],
) -> None:
    path = table(*SLEEP)
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from onearm.cli import main\n"
        f"done = CliRunner().invoke(main, ['compare', {str(path)!r}, *{COLUMNS!r}])\n"
        "print(done.exit_code, *(m for m in ('matplotlib', 'polars') if m in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0"]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["run"],
        ["run", "no/such/place"],
        ["check", "no/such/file.yaml"],
        ["status", "no/such/place"],
        ["verify", "no/such/place"],
        ["diff", "no/a.yaml", "no/b.yaml"],
        ["import", ".", "x.csv"],
        ["compare", "x.csv"],
        ["new"],
        ["demo", "--nonsense"],
    ],
)
def test_misuse_is_exit_code_2_with_words_on_standard_error(words: list[str]) -> None:
    result = onearm(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_a_folder_without_a_study_file_is_misuse(tmp_path: Path) -> None:
    for command in ("check", "run", "status"):
        result = onearm(command, tmp_path)
        assert result.exit_code == 2
        assert "the folder holds no study.yaml" in " ".join(result.stderr.split())


def test_places_that_cannot_be_made_or_written_are_said(
    made: Path, tmp_path: Path, table: Callable[..., Path]
) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    path = table([2, 3], [1, 1])
    for words in (
        ("demo", "--out", file / "x"),
        ("new", file / "x"),
        ("run", made, "--out", file),
        ("compare", path, *COLUMNS, "--plot", tmp_path / "no" / "plot.svg"),
    ):
        result = onearm(*words)
        assert result.exit_code == 1
        assert result.stderr.strip().endswith("; name another place")


@pytest.mark.slow
def test_a_console_that_lacks_letters_stops_no_command(
    made: Path, table: Callable[..., Path]
) -> None:
    for words in (
        ["status", str(made), "--on", "2018-12-30"],
        ["compare", str(table(*SLEEP)), *COLUMNS],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "onearm.cli", *words],
            env=os.environ | {"PYTHONIOENCODING": "cp1252"},
            capture_output=True,
            check=False,
        )
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr


def test_a_reader_that_has_had_enough_is_no_error(made: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m onearm.cli check {made} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("Allogeneic")
    assert "Traceback" not in done.stderr


# -- demo and new ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_demo_can_be_made_again_over_an_untouched_demo(copy: Path) -> None:
    (copy / "report.html").write_text("an older report")
    facts = fact("demo", "--out", copy)
    assert facts["treated"] == 9
    assert Path(facts["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")


def refused(out: Path) -> None:
    """A demo into OUT is misuse and leaves every byte where it is."""
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    result = onearm("demo", "--out", out)
    assert result.exit_code == 2
    assert "name another folder with --out" in " ".join(result.stderr.split())
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_demo_never_touches_a_study_that_somebody_began(fresh: Path) -> None:
    refused(fresh)
    assert onearm("run", fresh).exit_code == 0  # now there is a report.html too, as in a demo
    refused(fresh)
    (fresh / "ledger.db").unlink()
    refused(fresh)  # the study file alone may be months of work


def test_demo_never_touches_a_ledger_in_which_somebody_entered_something(
    copy: Path, tmp_path: Path
) -> None:
    more = entries(tmp_path / "more.csv", "subject,010,M-3,DEMOG,AGE,30,a,,")
    assert onearm("import", copy, more, *SIGNED).exit_code == 0
    refused(copy)


def test_demo_never_touches_a_study_file_that_was_edited(copy: Path) -> None:
    with (copy / "study.yaml").open("a") as file:
        file.write("# my note\n")
    refused(copy)


def test_demo_never_touches_a_ledger_that_it_cannot_read(copy: Path) -> None:
    (copy / "ledger.db").write_bytes(b"somebody's encrypted ledger")
    refused(copy)


def test_demo_never_touches_a_folder_that_holds_anything_else(copy: Path, tmp_path: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    refused(copy)
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.html").write_text("another program's report")
    refused(other)


def test_demo_is_not_made_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "demo"
    path.write_text("mine")
    result = onearm("demo", "--out", path)
    assert (result.exit_code, path.read_text()) == (2, "mine")


def test_new_begins_with_the_abstracts_study_file_and_an_empty_ledger(fresh: Path) -> None:
    assert (fresh / "study.yaml").read_bytes() == ABSTRACT.read_bytes()
    facts = fact("verify", fresh)
    assert facts["whole"] is True
    assert facts["head"].startswith("0:")
    assert onearm("check", fresh).exit_code == 0


def test_new_can_begin_from_another_study_file_or_folder(made: Path, tmp_path: Path) -> None:
    for i, source in enumerate((REGISTRY, made)):
        folder = tmp_path / f"from{i}"
        assert onearm("new", folder, "--from", source).exit_code == 0
        original = source / "study.yaml" if source.is_dir() else source
        assert (folder / "study.yaml").read_bytes() == original.read_bytes()


def test_new_takes_no_folder_that_holds_something_and_no_faulty_study_file(
    made: Path, tmp_path: Path
) -> None:
    assert onearm("new", made).exit_code == 2
    bad = tmp_path / "bad.yaml"
    bad.write_text("onearm: 1\n")
    result = onearm("new", tmp_path / "n", "--from", bad)
    assert result.exit_code == 1
    assert not (tmp_path / "n").exists()


# -- check and diff -------------------------------------------------------------------------------


def test_check_prints_the_study_as_a_person_reads_it(made: Path) -> None:
    for place in (made, made / "study.yaml", ABSTRACT):
        text = onearm("check", place).stdout
        assert "SCHEDULE OF ACTIVITIES" in text
        assert "Day 1         Date of infusion; the day before is day −1, there is no day 0" in text


def test_check_lists_every_fault_with_its_place(tmp_path: Path) -> None:
    bad = tmp_path / "study.yaml"
    text = ABSTRACT.read_text()
    bad.write_text(
        text.replace("[SLEDAI, URINE, LABS]", "[SLEDAI, URIN, LABS]").replace("seed:", "sed:")
    )
    result = onearm("check", bad)
    assert result.exit_code == 1
    assert result.stdout == ""
    faults = result.stderr.strip().splitlines()
    assert faults[-1] == f"{len(faults) - 1} problems; nothing was done."
    assert all(line.startswith(f"{bad}:") or "study.yaml:" in line for line in faults[:-1])
    assert any("'URIN'" in line for line in faults)
    facts = fact("check", bad, code=1)
    assert facts["valid"] is False
    assert facts["problems"] == faults[:-1]


def test_check_as_json_names_the_study_and_its_hash(made: Path) -> None:
    from hashlib import sha256

    expected = sha256(ABSTRACT.read_bytes()).hexdigest()
    assert fact("check", made) == {
        "study": "LN-MSC-2018",
        "valid": True,
        "hash": expected,
        "problems": [],
    }


@pytest.mark.parametrize("content", [b"", b"\x00\x93", b"a: [", b"- 1\n- 2\n", b"onearm: 99\n"])
def test_a_file_that_is_no_study_file_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    result = onearm("check", path)
    assert result.exit_code == 1
    assert "study.yaml" in result.stderr


def test_diff_exits_1_with_the_differences_and_0_without() -> None:
    same = onearm("diff", ABSTRACT, ABSTRACT)
    assert same.exit_code == 0
    assert same.stdout.strip().endswith("say the same.")
    assert fact("diff", ABSTRACT, ABSTRACT) == []
    result = onearm("diff", ABSTRACT, REGISTRY)
    assert result.exit_code == 1
    found = fact("diff", ABSTRACT, REGISTRY, code=1)
    assert result.stdout.startswith(f"{len(found)} differences between ")
    assert all(d["text"].partition(": ")[0] in result.stdout for d in found)
    assert {"topic", "path", "text", "a", "b"} == set(found[0])
    # The registry entry says twice the dose (IRCT2016090729747N1: 2e6 per kg; the abstract: 1e6).
    dose = next(d for d in found if "per_kg" in d["path"])
    assert ("1 × 10⁶" in dose["a"], "2 × 10⁶" in dose["b"]) == (True, True)


# -- import and verify ----------------------------------------------------------------------------


def test_import_records_every_row_and_says_the_head(fresh: Path, tmp_path: Path) -> None:
    path = entries(
        tmp_path / "e.csv",
        "subject,001,M-3,DEMOG,AGE,24,a,,",
        "subject,001,M-3,DEMOG,SEX,F,,,",
        "subject,001,M3,URINE,UPROT24H,31,g/(24.h),,",
    )
    result = onearm("import", fresh, path, *SIGNED)
    assert result.exit_code == 0
    assert "3 entries recorded, 0 unchanged rows made none." in result.stdout
    assert "look at: e.csv, row 4: 31 g/(24.h) is outside the plausible range" in result.stdout
    again = fact("import", fresh, path, *SIGNED)
    assert (again["recorded"], again["unchanged"]) == (0, 3)
    assert again["head"] in result.stdout


def test_import_refuses_all_rows_when_one_is_bad_and_names_each_problem(
    fresh: Path, tmp_path: Path
) -> None:
    path = entries(
        tmp_path / "e.csv",
        "subject,001,M-3,DEMOG,AGE,24,a,,",
        'subject,001,M-3,URINE,UPROT24H,"1,8",g/(24.h),,',
        "subject,001,M9,DEMOG,SEX,F,,,",
        "subject,001,M3,URINE,UPROT24H,1e400,g/(24.h),,",
    )
    result = onearm("import", fresh, path, *SIGNED)
    assert result.exit_code == 1
    problems = result.stderr.strip().splitlines()
    assert [p.partition(":")[0] for p in problems[:-1]] == [
        f"e.csv, row {row}" for row in (3, 4, 5)
    ]
    assert "write 1.8" in problems[0]
    assert problems[-1] == "3 problems; nothing was done."
    facts = fact("import", fresh, path, *SIGNED, code=1)
    assert (facts["recorded"], facts["problems"]) == (0, problems[:-1])
    assert fact("verify", fresh)["head"].startswith("0:")


def test_a_change_needs_a_reason(fresh: Path, tmp_path: Path) -> None:
    first = entries(tmp_path / "a.csv", "subject,001,M-3,DEMOG,AGE,24,a,,")
    assert onearm("import", fresh, first, *SIGNED).exit_code == 0
    bare = entries(tmp_path / "b.csv", "subject,001,M-3,DEMOG,AGE,25,a,,")
    assert "a change needs a reason" in onearm("import", fresh, bare, *SIGNED).stderr
    why = entries(tmp_path / "c.csv", "subject,001,M-3,DEMOG,AGE,25,a,,misread")
    assert onearm("import", fresh, why, *SIGNED).exit_code == 0


@pytest.mark.parametrize("name", ["", " "])
def test_entries_are_signed(fresh: Path, tmp_path: Path, name: str) -> None:
    path = entries(tmp_path / "e.csv", "subject,001,M-3,DEMOG,AGE,24,a,,")
    result = onearm("import", fresh, path, "--by", name, "--role", "nurse")
    assert result.exit_code == 1
    assert "by" in result.stderr
    assert fact("verify", fresh)["head"].startswith("0:")


def test_a_ledger_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    shutil.copy(ABSTRACT, tmp_path / "study.yaml")
    path = entries(tmp_path / "e.csv", "subject,001,M-3,DEMOG,AGE,24,a,,")
    for words in (("import", tmp_path, path, *SIGNED), ("run", tmp_path), ("status", tmp_path)):
        result = onearm(*words)
        assert result.exit_code == 1
        assert "ledger.db" in result.stderr
    assert not (tmp_path / "ledger.db").exists()


def test_a_database_that_cannot_be_reached_is_said(made: Path) -> None:
    for url in ("postgresql+psycopg://nobody@127.0.0.1:1/none", "nonsense://x"):
        result = onearm("verify", made, "--database", url)
        assert result.exit_code == 1
        assert result.stderr.strip()


def test_verify_says_whole_and_names_the_head(made: Path) -> None:
    result = onearm("verify", made)
    assert result.exit_code == 0
    assert result.stdout.startswith("The ledger is whole: 1161 entries, head 1161:")
    facts = fact("verify", made)
    assert facts["whole"] is True and facts["damages"] == []
    assert facts["head"] in result.stdout


def test_verify_takes_a_head_noted_earlier_as_anchor(copy: Path, tmp_path: Path) -> None:
    anchor = fact("verify", copy)["head"]
    more = entries(tmp_path / "more.csv", "subject,010,M-3,DEMOG,AGE,30,a,,")
    assert onearm("import", copy, more, *SIGNED).exit_code == 0
    assert onearm("verify", copy, "--anchor", anchor).exit_code == 0
    wrong = "1161:" + "0" * 64
    result = onearm("verify", copy, "--anchor", wrong)
    assert result.exit_code == 1
    assert "anchor" in result.stdout
    assert fact("verify", copy, "--anchor", wrong, code=1)["damages"][0]["kind"] == "anchor"


def test_an_anchor_that_is_none_is_said(made: Path) -> None:
    result = onearm("verify", made, "--anchor", "yesterday")
    assert result.exit_code == 1
    assert "yesterday" in result.output


def test_verify_finds_a_value_changed_behind_the_ledgers_back(copy: Path) -> None:
    with sqlite3.connect(copy / "ledger.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE ledger SET value = '0.1' WHERE seq = 10")
    database.close()
    result = onearm("verify", copy)
    assert result.exit_code == 1
    assert "entry 10: edit:" in result.stdout
    assert "The ledger is damaged." in result.stdout
    facts = fact("verify", copy, code=1)
    assert facts["whole"] is False and facts["head"] is None
    assert (10, "edit") in {(d["seq"], d["kind"]) for d in facts["damages"]}


def test_verify_says_of_a_file_that_is_no_ledger(copy: Path) -> None:
    (copy / "ledger.db").write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    result = onearm("verify", copy)
    assert result.exit_code == 1
    assert "ledger.db" in result.output


# -- status ---------------------------------------------------------------------------------------


def test_status_counts_and_marks_every_visit(made: Path) -> None:
    result = onearm("status", made, "--on", "2018-12-30")
    assert result.exit_code == 1  # one visit stands outside its window
    text = result.stdout
    assert "Constructed data, not patient data." in text
    assert [line.split() for line in text.splitlines() if line.startswith("  007")] == [
        ["007", "●", "●", "●"]
    ]
    assert "1 open problem:" in text
    facts = fact("status", made, "--on", "2018-12-30", code=1)
    counts = {k: facts[k] for k in ("planned", "screened", "enrolled", "infused", "completed")}
    assert counts == dict.fromkeys(counts, 9)
    assert [p["id"] for p in facts["problems"]] == ["visit.window"]


def test_status_lists_queries_that_are_not_closed_and_forms_that_wait_for_a_signature(
    copy: Path,
) -> None:
    facts = fact("status", copy, "--on", "2018-12-30", code=1)
    assert (facts["queries"], facts["unsigned"]) == ([], [])
    key = Key("subject", "001", "URINE", "URBC@query1", "M3")
    closed = Key("subject", "002", "URINE", "URBC@query1", "M3")
    void = json.dumps({"hash": "of other values", "name": "x", "at": "2018-12-30T09:00:00+00:00"})
    with Ledger.open(copy / "ledger.db") as ledger:
        ledger.record(
            [
                Draft(key, "open", reason="as in the laboratory report?"),
                Draft(closed, "closed", reason="seen"),
                Draft(Key("subject", "003", "LABS", "@signed.review", "M3"), void, reason="signature"),
            ],
            by="m", role="monitor", site="", study_hash=facts_hash(copy),
        )  # fmt: skip
    facts = fact("status", copy, "--on", "2018-12-30", code=1)
    place = {"subject": "001", "visit": "M3", "form": "URINE", "repeat": 1}
    told = {"item": "URBC", "number": 1, "state": "open", "words": "as in the laboratory report?"}
    assert facts["queries"] == [{**place, **told}]
    assert facts["unsigned"] == [{"subject": "003", "visit": "M3", "form": "LABS", "repeat": 1}]
    text = onearm("status", copy, "--on", "2018-12-30").stdout
    assert "1 query not closed:\n  subject 001, M3, URINE, URBC: as in the laboratory" in text
    assert "1 unsigned form:\n  subject 003, M3, LABS\n" in text


def facts_hash(folder: Path) -> str:
    """The hash of a folder's study file."""
    return str(fact("check", folder)["hash"])


def test_status_says_on_a_day_what_is_due_and_what_is_overdue(fresh: Path, tmp_path: Path) -> None:
    path = entries(
        tmp_path / "e.csv",
        "subject,001,D0,INFUSION,INFDT,2017-06-01,,,",
        "subject,001,M-3,ELIG,ENROLDT,2017-03-05,,,",
        "subject,002,M-3,DEMOG,SEX,F,,,",
    )
    assert onearm("import", fresh, path, *SIGNED).exit_code == 0

    def month_3(day: str) -> dict[str, str]:
        result = onearm("status", fresh, "--on", day, "--json")
        visits = json.loads(result.stdout)["visits"]
        return {v["subject"]: v["state"] for v in visits if v["visit"] == "M3"}

    # Day 91 is 2017-08-30; its window closes 21 days later, on 2017-09-20.
    assert month_3("2017-08-08") == {}
    assert month_3("2017-08-09") == {"001": "due"}
    assert month_3("2017-09-20") == {"001": "due"}
    assert month_3("2017-09-21") == {"001": "overdue"}


def test_status_of_an_empty_study_is_fine(fresh: Path) -> None:
    result = onearm("status", fresh)
    assert result.exit_code == 0
    assert "nobody is enrolled yet" in result.stdout
    assert fact("status", fresh)["data"] == "patient data"


@pytest.mark.parametrize("day", ["2018-13-01", "yesterday", "30.12.2018", ""])
def test_a_day_that_is_none_is_misuse(made: Path, day: str) -> None:
    result = onearm("status", made, "--on", day)
    assert result.exit_code == 2
    assert "is not a date; write it as 2026-11-22" in " ".join(result.stderr.split())


# -- run ------------------------------------------------------------------------------------------


def test_run_writes_the_report_where_it_is_told_and_the_same_bytes_again(
    made: Path, tmp_path: Path
) -> None:
    result = onearm("run", made, "--out", tmp_path / "new" / "place")
    assert result.exit_code == 0
    report = tmp_path / "new" / "place" / "report.html"
    assert result.stdout.strip().endswith(f"Report: {report}")
    assert report.read_bytes() == (made / "report.html").read_bytes()


def test_run_as_of_an_entry_a_time_or_a_day_is_that_cut(fresh: Path, tmp_path: Path) -> None:
    rows = [
        "subject,001,D0,INFUSION,INFDT,2017-06-01,,,",
        "subject,001,M-3,URINE,UPROT24H,18,g/(24.h),,",
    ]
    right = "subject,001,M-3,URINE,UPROT24H,1.8,g/(24.h),,decimal point left out"
    for name, lines in (("first.csv", rows), ("right.csv", [right])):
        assert onearm("import", fresh, entries(tmp_path / name, *lines), *SIGNED).exit_code == 0

    def cut(*as_of: str) -> tuple[str, str, str | None]:
        facts = fact("run", fresh, "--out", tmp_path, *as_of)
        html = (tmp_path / "report.html").read_text(encoding="utf-8")
        text = html[html.index('id="rows-secondary.uprot.month-3"') :]
        base = re.search(r'<td class="r">([\d.]+|–)</td>', text)
        return facts["ledger_head"].partition(":")[0], facts["as_of"], base[1] if base else None

    head, now, base = cut()
    assert (head, base) == ("3", "1.8")
    head, then, base = cut("--as-of", "2")
    assert (head, base) == ("2", "18.0")
    assert then < now
    assert cut("--as-of", then) == ("2", then, "18.0")
    assert cut("--as-of", now[:10]) == ("3", now, "1.8")
    assert cut("--as-of", "2010-01-01") == ("0", "", None)


@pytest.mark.parametrize("moment", ["1162", "-1", "tomorrow", "2026-02-30", "2026-11-22T10:00", ""])
def test_a_cut_that_cannot_be_is_said(made: Path, tmp_path: Path, moment: str) -> None:
    result = onearm("run", made, "--as-of", moment, "--out", tmp_path)
    assert result.exit_code == 1
    assert "as of" in result.stderr
    assert not (tmp_path / "report.html").exists()


def test_run_of_an_empty_ledger_says_so_and_reproduces_nothing(fresh: Path) -> None:
    result = onearm("run", fresh)
    assert result.exit_code == 0
    assert "0 treated, data cut (empty)" in result.stdout
    assert "0 of 15 published numbers reproduced." in result.stdout
    assert "– ± –" not in result.stdout
    facts = fact("run", fresh)
    assert {a["p"] for a in facts["analyses"]} == {None}


def test_run_tells_a_longitudinal_model_visit_by_visit(copy: Path) -> None:
    file = copy / "study.yaml"
    entry = "{id: long, title: T, role: exploratory, measure: SLEDAI.total, at: M3, method: mmrm, covariance: [us]}"
    text = file.read_text(encoding="utf-8").replace("\nsafety:\n", f"  - {entry}\nsafety:\n")
    file.write_text(text, encoding="utf-8")
    [model, *others] = fact("run", copy)["longitudinal"]
    assert model["primary_baseline"]
    assert not any(o["primary_baseline"] for o in others)
    assert [(v["visit"], v["day"], v["patients"]) for v in model["visits"]] == [
        ("M-3", -91, 9),
        ("D0", 1, 9),
        ("M3", 91, 9),
    ]
    last = model["visits"][-1]
    # All nine have all three values: the model's change is the paired t test's.
    assert last["change"]["pvalue"] == pytest.approx(last["paired_t_p"], rel=1e-6)
    assert last["change"]["df"] == pytest.approx(8)
    assert (model["covariance"], model["not_fitted_because"]) == ("us", None)
    told = onearm("run", copy).stdout
    assert "T, longitudinal model (us, kenward-roger)" in told
    assert re.search(r"M3 +9 +−9\.4 \(−14\.\d to −4\.\d\) +8\.0 +0\.00", told)


def test_run_says_of_a_longitudinal_model_why_there_is_none(fresh: Path) -> None:
    file = fresh / "study.yaml"
    entry = (
        "{id: long, title: Course, role: exploratory, measure: SLEDAI.total, at: M3, method: mmrm}"
    )
    text = file.read_text(encoding="utf-8").replace("\nsafety:\n", f"  - {entry}\nsafety:\n")
    file.write_text(text, encoding="utf-8")
    assert "not fitted: nobody has a value at baseline" in onearm("run", fresh).stdout


# -- compare --------------------------------------------------------------------------------------


def test_compare_of_twenty_changes_with_ties_and_zeros(table: Callable[..., Path]) -> None:
    path = table([20] * 20, [20 + change for change in ACTIVITY])
    facts = fact("compare", path, *COLUMNS, "--unit", "points")
    assert (facts["n"], facts["missing"], facts["unit"]) == (20, 0, "points")
    # R 4.2.2: exactRankTests 0.8-35 wilcox.exact (zeros dropped); coin 1.4-2 wilcoxsign_test, exact, Pratt
    assert round(facts["signed_rank"]["wilcoxon"]["pvalue"], 8) == 0.00044250
    assert round(facts["signed_rank"]["pratt"]["pvalue"], 8) == 0.00051880
    text = onearm("compare", path, *COLUMNS).stdout
    assert "20 complete pairs" in text
    assert "A before-after change without a comparator is not a treatment effect." in text
    (dropped,) = (line for line in text.splitlines() if "zeros dropped (Wilcoxon)" in line)
    assert dropped.split()[-1] == "0.0004"


def test_compare_of_students_sleep_data(table: Callable[..., Path]) -> None:
    facts = fact("compare", table(*SLEEP), *COLUMNS)
    # R 4.2.2: with(sleep, t.test(extra[group == 2], extra[group == 1], paired = TRUE))
    assert facts["paired_t"]["estimate"] == pytest.approx(1.58)
    assert facts["paired_t"]["statistic"] == pytest.approx(4.062127683382037, rel=1e-12)
    assert facts["paired_t"]["pvalue"] == pytest.approx(0.002832890197384273, rel=1e-12)
    found = facts["paired_t"]["lower"], facts["paired_t"]["upper"]
    assert found == pytest.approx((0.7001142367230175, 2.459885763276983), rel=1e-12)
    # nine rise, one is unchanged: 2 of 2^9 sign patterns
    assert facts["signed_rank"]["wilcoxon"]["pvalue"] == 2 / 2**9


def test_compare_drops_and_counts_pairs_with_a_missing_side(table: Callable[..., Path]) -> None:
    path = table([*SLEEP[0], 5, "", "NA"], [*SLEEP[1], "", 3, "."])
    facts = fact("compare", path, *COLUMNS)
    assert (facts["n"], facts["missing"]) == (10, 3)
    assert facts["paired_t"] == fact("compare", table(*SLEEP, "whole.csv"), *COLUMNS)["paired_t"]
    assert "10 complete pairs, 3 with a missing side" in onearm("compare", path, *COLUMNS).stdout


def test_compare_lists_every_bad_cell_and_an_unknown_column(table: Callable[..., Path]) -> None:
    result = onearm("compare", table(["x", 2, "3,5"], [1, "many", 2]), *COLUMNS)
    assert result.exit_code == 1
    lines = result.stderr.strip().splitlines()
    assert [line.partition(": ")[0] for line in lines[:-1]] == [
        "pairs.csv, row 2, column before",
        "pairs.csv, row 3, column after",
        "pairs.csv, row 4, column before",
    ]
    assert lines[-1] == "3 problems; nothing was done."
    unknown = onearm("compare", table([1], [2]), "--before", "before", "--after", "month 3")
    assert unknown.exit_code == 1
    assert "column 'month 3' is not there; the columns are before, after" in unknown.stderr


@pytest.mark.parametrize(
    ("before", "after", "n"), [([], [], 0), ([3], [2], 1), ([3, 5], [2, 1], 2)]
)
def test_compare_of_nearly_nothing_says_what_cannot_be_said(
    table: Callable[..., Path], before: list[int], after: list[int], n: int
) -> None:
    path = table(before, after)
    facts = fact("compare", path, *COLUMNS)
    assert facts["n"] == n
    assert facts["notes"]
    assert (facts["paired_t"] is None) == (n < 2)
    if facts["hodges_lehmann"]:
        assert facts["hodges_lehmann"]["lower"] is None  # an open end is null, never Infinity
    text = onearm("compare", path, *COLUMNS).stdout
    words = {0: "no complete pair in 0 rows", 1: "1 complete pair", 2: "2 complete pairs"}[n]
    assert words in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_compare_of_unchanged_values_has_p_1(table: Callable[..., Path]) -> None:
    facts = fact("compare", table([3, 5, 4], [3, 5, 4]), *COLUMNS)
    assert facts["signed_rank"]["wilcoxon"]["pvalue"] == 1.0
    assert facts["signed_rank"]["pratt"]["pvalue"] == 1.0
    assert facts["paired_t"] is None


def test_compare_draws_every_pair_and_says_how_many_more(table: Callable[..., Path]) -> None:
    text = onearm("compare", table(list(range(40)), list(range(1, 41))), *COLUMNS).stdout
    assert sum(line.startswith("  pair ") for line in text.splitlines()) == 30
    assert "... and 10 more pairs" in text


def test_compare_writes_the_plot_it_is_asked_for(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    plot = tmp_path / "plot.svg"
    result = onearm("compare", table(*SLEEP), *COLUMNS, "--plot", plot, "--unit", "h $")
    assert result.stdout.strip().endswith(f"Plot: {plot}")
    assert plot.read_text().startswith("<svg ")
    assert fact("compare", table(*SLEEP), *COLUMNS, "--plot", plot)["n"] == 10


def test_compare_of_huge_numbers_is_no_traceback(table: Callable[..., Path]) -> None:
    assert onearm("compare", table(["1e99", 1], ["-1e99", 2]), *COLUMNS).exit_code == 0
    assert onearm("compare", table(["1e308", 1], ["-1e308", 2]), *COLUMNS).exit_code == 1


def test_nothing_is_shown_from_a_ledger_that_was_tampered_with(copy: Path) -> None:
    report = (copy / "report.html").read_bytes()
    with sqlite3.connect(copy / "ledger.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE ledger SET value = '0.1' WHERE seq = 30")
    for command in ("run", "status"):
        result = onearm(command, copy)
        assert result.exit_code == 1
        assert "entry 30: edit" in result.stderr
        assert "Nothing was read from the damaged ledger" in result.stderr
        assert "entry 30" in fact(command, copy, code=1)["problems"][0]
    assert (copy / "report.html").read_bytes() == report


def test_status_names_a_patient_infused_without_being_eligible(tmp_path: Path) -> None:
    onearm("new", tmp_path / "s")
    rows = [
        "subject,A,M-3,ELIG,LNCLASS,II,,,",
        "subject,A,D0,INFUSION,INFDT,2017-06-01,,,",
    ]
    assert (
        onearm("import", tmp_path / "s", entries(tmp_path / "e.csv", *rows), *SIGNED).exit_code == 0
    )
    found = fact("status", tmp_path / "s", code=1)["problems"]
    words = [p["message"] for p in found if p["id"] == "deviation.eligibility"]
    assert words == ["infused although not eligible (I1 not met, I2 unknown, I3 unknown)"]
