"""Every fault of a study file is told at its line and column, in words; see faults.txt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onearm.study import StudyError, parse_study

HERE = Path(__file__).parent
SMALL = (HERE / "small.yaml").read_text(encoding="utf-8")


def read_table() -> list[tuple[str, str, list[str]]]:
    text = (HERE / "faults.txt").read_text(encoding="utf-8")
    table = []
    for block in text.split("\n\n")[1:]:
        lines = block.strip("\n").split("\n")
        old, new = (line[2:].replace("\\n", "\n").replace("\\t", "\t") for line in lines[:2])
        assert lines[0].startswith("- ")
        assert lines[1].startswith("+ ")
        table.append((old, new, [line[2:] for line in lines[2:]]))
    return table


TABLE = read_table()


def test_the_small_study_has_no_fault():
    assert parse_study(SMALL, "small.yaml").id == "S1"


def test_the_table_of_faults_is_long_and_has_no_case_twice():
    assert len(TABLE) >= 150
    assert len({(old, new) for old, new, _ in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("old", "new", "messages"), TABLE, ids=[new.strip() for _, new, _ in TABLE]
)
def test_a_fault_is_told_in_these_words(old, new, messages):
    assert old in SMALL
    with pytest.raises(StudyError) as caught:
        parse_study(SMALL.replace(old, new, 1), "small.yaml")
    assert caught.value.messages == [f"small.yaml:{message}" for message in messages]


@pytest.mark.parametrize(
    ("old", "new", "messages"), TABLE, ids=[new.strip() for _, new, _ in TABLE]
)
def test_a_message_says_where_what_was_found_what_was_expected_and_what_to_do(old, new, messages):
    assert messages
    for message in messages:
        assert re.match(r"\d+:\d+: ", message)
        assert message.count("; ") >= 2
        for jargon in ("Input should", "pydantic", "Traceback", "NoneType", "dict", "Stand_in"):
            assert jargon not in message


def test_faults_of_several_parts_show_together_in_the_order_of_lines():
    changes = {
        "phase: I-II": "phase: 2",
        "rule: VIABILITY >= 80": "rule: VIABILTY >= 80",
        "window: [-14, 14], forms: [BASIC, SLEDAI, URINE]": "forms: [BASIC, SLEDAI, URINES]",
        "unit: mg/dL": "unit: mg per dL",
        "label: 24-hour urine protein, ": "",
        "method: responders": "method: responder",
        "limit: 0.2": "limit: 2",
        "outputs: [": "outputs: [graph, ",
    }
    text = SMALL
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(StudyError) as caught:
        parse_study(text, "small.yaml")
    told = [message.split(": ")[1] for message in caught.value.messages]
    assert told == [
        "study.phase",
        "product.release.0 (R1).rule",
        "schedule.visits.0 (M-3).forms",
        "forms.2 (URINE).items.2 (CREAT).unit",
        "measures.1 (UPROT24H)",
        "analyses.1 (responders).method",
        "safety.stopping.0 (S1).limit",
        "outputs",
    ]
    lines = [int(message.split(":")[1]) for message in caught.value.messages]
    assert lines == sorted(lines)


def test_a_wrong_value_does_not_bring_messages_about_what_depends_on_it():
    text = SMALL.replace("- id: URINE", "- id: 'URI NE'").replace("day: 91", "day: late")
    with pytest.raises(StudyError) as caught:
        parse_study(text, "small.yaml")
    assert [m.split(": ")[1] for m in caught.value.messages] == [
        "schedule.visits.3 (M3).day",
        "forms.2 (URI NE).id",
    ]


@pytest.mark.parametrize("section", ["study", "population", "product", "schedule", "forms",
                                     "baseline", "analyses", "outputs"])  # fmt: skip
def test_a_section_that_is_missing_is_told_once(section):
    text = re.sub(rf"^{section}:.*\n(?:[ ].*\n)*", "", SMALL, flags=re.MULTILINE)
    with pytest.raises(StudyError) as caught:
        parse_study(text, "small.yaml")
    assert caught.value.messages == [
        f"small.yaml:1:1: the key '{section}' is missing; it is required here; "
        f"write '{section}:' and its value"
    ]


@pytest.mark.parametrize("lines", [1, 2, 12, 33, 41, 54, 77, 115])
def test_a_file_cut_off_is_refused_in_words(lines):
    cut = "".join(SMALL.splitlines(keepends=True)[:lines])
    with pytest.raises(StudyError) as caught:
        parse_study(cut, "small.yaml")
    assert all(message.startswith("small.yaml:") for message in caught.value.messages)
    assert any("is missing; it is required here" in message for message in caught.value.messages)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("day: 91", "day: 99999999999", "'99999999999' is too far; -36525 to 36525 days"),
        ("window: [-14, 14]", "window: [-99999, 14]", "'-99999' is too far"),
    ],
)
def test_a_day_beyond_a_hundred_years_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(StudyError) as told:
        parse_study(SMALL.replace(old, new, 1), "small.yaml")
    assert words in str(told.value)


def test_a_half_of_a_pair_of_codes_is_no_text():
    for old, new in (("id: S1", 'id: "S1\\ud800"'), ("visits:", '"\\ud800": 1\n  visits:')):
        with pytest.raises(StudyError) as told:
            parse_study(SMALL.replace(old, new, 1), "small.yaml")
        assert "is no character" in str(told.value)
        str(told.value).encode()  # the fault itself can be written
