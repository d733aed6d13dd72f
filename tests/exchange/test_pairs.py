"""Two columns of anybody's CSV file as pairs: what is read, what is missing, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from onearm.errors import ExchangeError
from onearm.exchange.pairs import Pairs, read_pairs

Read = Callable[..., Pairs]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file and read its columns ``before`` and ``after``."""

    def make(content: str | bytes, before: str = "before", after: str = "after") -> Pairs:
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_pairs(path, before, after)

    return make


def faults(read: Read, content: str | bytes, **names: str) -> list[str]:
    with pytest.raises(ExchangeError) as caught:
        read(content, **names)
    return caught.value.messages


def test_two_columns_are_found_by_name_in_any_order_and_among_others(read: Read) -> None:
    assert read("id,after,note,before\nA,4,x,9\nB,5,y,8.5\n") == Pairs((9.0, 8.5), (4.0, 5.0), 1)


@pytest.mark.parametrize(
    "content",
    [
        "before;after\n9;4\n8.5;5\n",
        "before\tafter\n9\t4\n8.5\t5\n",
        "before,after\r\n9,4\r\n8.5,5\r\n",
        "\ufeffbefore,after\n9,4\n8.5,5",
        '"before","after"\n"9","4"\n"8.5"," 5 "\n',
        " before , after\n 9 , 4\n\n8.5,5\n,\n",
        '"before";"after";"protein, g, 24 h"\n9;4;1\n8.5;5;1\n',
        "before,after,\n9,4,\n8.5,5,\n",
    ],
    ids=["semicolon", "tab", "crlf", "bom", "quoted", "blanks", "commas in names", "comma at end"],
)
def test_separators_line_ends_byte_order_mark_quotes_and_blank_lines_change_nothing(
    read: Read, content: str
) -> None:
    assert read(content) == Pairs((9.0, 8.5), (4.0, 5.0), 1)


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "n/a", "NaN", "nan", ".", "-", "null", "None", "missing"]
)
def test_an_empty_cell_and_its_usual_names_are_missing_and_the_row_stays(
    read: Read, cell: str
) -> None:
    assert read(f"id,before,after\nA,9,{cell}\nB,{cell},5\nC,{cell},{cell}\n") == Pairs(
        (9.0, None, None), (None, 5.0, None), 0
    )


def test_a_row_that_ends_early_is_missing_on_that_side(read: Read) -> None:
    assert read("before,after\n9\n8,5\n") == Pairs((9.0, 8.0), (None, 5.0), 0)


def test_a_row_with_more_cells_than_the_header_is_refused_and_never_read_as_other_numbers(
    read: Read,
) -> None:
    # 4,1 before and 2,5 after, written with decimal commas: would read as 4 and 1.
    messages = faults(read, "before,after\n4,1,2,5\n3,2\n")
    assert messages == [
        "data.csv, row 2: has 4 cells, the header has 2; write decimals with a point, or put semicolons "
        "between cells"
    ]


def test_every_bad_cell_is_named_with_its_row_column_and_what_to_do(read: Read) -> None:
    messages = faults(read, 'before,after\n9,many\n"3,5",4\n1e999,2\n< 0.2,1\n8,5\n')
    assert messages == [
        "data.csv, row 2, column after: 'many' is not a number with a decimal point; correct it or leave it empty",
        "data.csv, row 3, column before: '3,5' is not a number with a decimal point; write 3.5",
        "data.csv, row 4, column before: '1e999' is too large for a measurement; correct it",
        "data.csv, row 5, column before: '< 0.2' is not a number with a decimal point; correct it or leave it empty",
    ]


@pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "0x1A", "1_000", "1 000", "5%", "yes"])
def test_what_python_would_take_for_a_number_but_a_person_did_not_mean_is_refused(
    read: Read, cell: str
) -> None:
    assert len(faults(read, f"before,after\n{cell},5\n")) == 1


@pytest.mark.parametrize(
    ("cell", "value"),
    [("+3", 3.0), ("-.5", -0.5), ("3.", 3.0), ("1e3", 1000.0), ("2.5E-1", 0.25), ("007", 7.0)],
)
def test_signs_bare_points_and_exponents_are_numbers(read: Read, cell: str, value: float) -> None:
    assert read(f"before,after\n{cell},5\n").before == (value,)


def test_decimals_are_the_most_that_any_used_value_was_written_with(read: Read) -> None:
    assert read("before,after,other\n9.25,4,1.123\n8,5.5,2\n").decimals == 2
    assert read("before,after\n1e-5,4\n").decimals == 0
    assert read("before,after\n0.123456,4\n").decimals == 4


def test_an_unknown_column_is_said_with_the_columns_there_are(read: Read) -> None:
    assert faults(read, "id,before,after\n1,9,4\n", after="after3") == [
        "data.csv, row 1: column 'after3' is not there; the columns are id, before, after; name one of them"
    ]


def test_a_column_that_stands_there_twice_is_not_guessed(read: Read) -> None:
    assert "stands there twice" in faults(read, "before,after,after\n9,4,5\n")[0]


def test_one_column_is_not_compared_with_itself(read: Read) -> None:
    assert faults(read, "before,after\n9,4\n", after="before") == [
        "data.csv, row 1: column 'before' is named as before and as after; name two columns of before, after"
    ]


def test_an_empty_file_is_said_and_a_header_alone_is_no_pair(read: Read) -> None:
    assert "the file is empty" in faults(read, "")[0]
    assert read("before,after\n") == Pairs((), (), 0)


def test_a_file_that_is_no_text_no_file_or_not_there_is_said(read: Read, tmp_path: Path) -> None:
    assert (
        "byte 13 is not UTF-8 text; save the file as CSV UTF-8"
        in faults(read, b"before,after\n\xff\xfe,5\n")[0]
    )
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(ExchangeError, match="cannot be read") as caught:
            read_pairs(path, "before", "after")
        assert str(path) in caught.value.messages[0]


@pytest.mark.parametrize(
    "content",
    ['before,after\n"9,4\n', 'before,after\n"9"x,4\n', "before,after\n9," + "4" * 200_000],
)
def test_broken_quotes_and_endless_cells_are_said_without_a_traceback(
    read: Read, content: str
) -> None:
    (message,) = faults(read, content)
    assert message.startswith("data.csv, row 2")


def test_a_null_byte_is_a_bad_cell(read: Read) -> None:
    assert "row 2, column before" in faults(read, "before,after\n9\0,4\n")[0]
