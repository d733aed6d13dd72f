"""Reading files: what is a study file at all, and what comes out of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from onearm.dates import Duration, PartialDate
from onearm.study import StudyError, load_study, parse_study
from onearm.study.rules import RuleError

HERE = Path(__file__).parent
SMALL = (HERE / "small.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small():
    return load_study(HERE / "small.yaml")


def message(text, name="study.yaml"):
    with pytest.raises(StudyError) as caught:
        parse_study(text, name)
    assert str(caught.value) == "\n".join(caught.value.messages)
    return str(caught.value)


# -- what is refused before it is read ------------------------------------------------------------


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path):
    with pytest.raises(StudyError, match=r"none.yaml: there is no such file; .*; correct the path"):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(StudyError, match="the file cannot be read"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", ": the file is empty"),
        (b" \n\n", ": the file is empty"),
        (b"# a comment\n", ": the file holds only comments"),
        (b"onearm: 1\ntitle: caf\xe9\n", ":2:11: byte 0xe9 is not UTF-8 text"),
        (b"\xff\xfeo\x00", ":1:1: byte 0xff is not UTF-8 text"),
        (b"onearm: 1\n#" + b"x" * 1_000_000, ": the file has 1,000,011 bytes; at most 1,000,000"),
        (b"onearm: 1\n\tstudy: 2\n", ":2:1: a tab stands here"),
        (b"- onearm\n", ":1:1: the file is not a list of keys"),
        (b"onearm\n", ":1:1: the file is not a list of keys"),
        (b"onearm: 1\nstudy: {id: x\n", "a list or block in brackets is not closed"),
        (b"onearm: 1\nstudy: 'x\n", "a quote is opened and not closed"),
        (b"onearm: 1\nstudy: @x\n", ":2:8: a value cannot begin with this sign"),
        (b"onearm: 1\n study: 2\n", "a colon stands inside a value"),
        (b"onearm: 1\nstudy: \x01\n", ": the text cannot be read"),
        (b"onearm: 1\nstudy: " + b"[" * 40 + b"]" * 40, "nested more than 30 deep"),
    ],
)
def test_a_text_that_is_no_study_file_is_refused_in_words(tmp_path, raw, words):
    file = tmp_path / "study.yaml"
    file.write_bytes(raw)
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert words in caught.value.messages[0]
    assert caught.value.messages[0].startswith(str(file))


def test_aliases_merges_tags_and_list_keys_are_refused_where_they_stand():
    assert "study.yaml:2:8: study: '&a' is an anchor" in message("onearm: 1\nstudy: &a {id: S1}\n")
    assert "study.yaml:2:8: study: '*a' is an alias" in message("onearm: 1\nstudy: *a\n")
    assert "'<<' merges another block" in message("onearm: 1\n<<: {}\n")
    assert "is a tag" in message("onearm: !!int 1\n")
    assert "a list or a block stands as a key" in message("onearm: 1\n? [a]\n: 2\n")


def test_a_bomb_of_aliases_is_refused_and_never_unfolded():
    lines = ["onearm: 1", "a: &a [x, x, x, x, x, x, x, x, x]"]
    for last, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + last] * 9)}]")
    assert "is an anchor" in message("\n".join(lines))


@pytest.mark.parametrize("version", ["2", "'1'", "1.0", "true", "one", "[1]"])
def test_another_version_is_refused_before_anything_else(version):
    text = SMALL.replace("onearm: 1", f"onearm: {version}").replace("phase: I-II", "phase: 9")
    assert "is not a version this program reads; version 1 is expected" in message(text)


def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing_but_the_hash(small, tmp_path):
    file = tmp_path / "small.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    other = load_study(file)
    assert other.forms == small.forms
    assert other.text == small.text
    assert other.hash != small.hash


# -- values as YAML 1.2 has them ------------------------------------------------------------------


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "No"])
def test_the_words_no_and_yes_are_texts(word):
    study = parse_study(SMALL.replace("title: A small study", f"title: {word}"), "s.yaml")
    assert study.title == word


def test_a_number_where_a_text_is_expected_is_taken_as_written():
    study = parse_study(SMALL.replace("value: '6.0'", "value: 6.00"), "s.yaml")
    assert study.published.numbers[0].value == "6.00"
    assert parse_study(SMALL.replace("id: I1", "id: 010"), "s").population.inclusion[0].id == "010"


def test_choices_may_be_a_list_or_codes_with_labels(small):
    assert dict(small.item("BASIC", "SEX").choices) == {"F": "Female", "M": "Male"}
    assert list(small.item("BASIC", "LNCLASS").choices) == ["III", "IV", "V"]
    text = SMALL.replace("choices: {F: Female, M: Male}", "choices: [F, M]")
    assert dict(parse_study(text, "s").item("BASIC", "SEX").choices) == {"F": "F", "M": "M"}


def test_a_rule_folded_over_two_lines_is_one_rule():
    folded = ">-\n        UPROT24H > 1.0\n        or CELLCAST"
    text = SMALL.replace("rule: SLEDAI.total > 40}", "rule: R}").replace(
        "    - {id: E1, text: Too active, rule: R}",
        f"    - id: E1\n      text: Too active\n      rule: {folded}",
    )
    assert parse_study(text, "s").population.exclusion[0].rule == "UPROT24H > 1.0 or CELLCAST"
    wrong = text.replace("        or CELLCAST", "        or CELLCASTS")
    assert message(wrong).startswith("study.yaml:14:13: population.exclusion.0 (E1).rule: 'CELLC")


# -- the value ------------------------------------------------------------------------------------


def test_the_hash_is_the_sha256_of_the_file_and_the_name_has_no_folder(small):
    assert small.hash == hashlib.sha256((HERE / "small.yaml").read_bytes()).hexdigest()
    assert small.text == SMALL
    assert small.name == "small.yaml"
    assert (small.id, small.title, small.seed) == ("S1", "A small study", 1)


def test_a_study_and_its_parts_cannot_be_changed(small):
    for part in (small, small.study, small.forms[0], small.forms[0].items[0], small.product.dose):
        with pytest.raises(ValidationError, match="frozen"):
            part.id = "other"
    with pytest.raises(TypeError):
        small.item("BASIC", "SEX").choices["X"] = "x"


def test_the_same_file_read_twice_is_equal_and_has_one_hash(small):
    again = parse_study(SMALL, "small.yaml")
    assert again == small
    assert hash(again) == hash(small)
    assert len({again, small}) == 1
    assert parse_study(SMALL.replace("day: 91", "day: 92"), "small.yaml") != small


def test_values_have_the_types_of_their_meaning(small):
    assert small.population.inclusion[1].within == Duration("P1M")
    assert small.product.dose.tolerance == 0.1
    assert small.product.dose.per_kg.value == 1e6
    assert small.published.numbers[0].from_ == "primary.sledai.after.mean"
    text = SMALL.replace("sources:\n", "registration: {id: I1, registered: 2017-06}\nsources:\n", 1)
    assert parse_study(text, "s").registration.registered == PartialDate("2017-06")


def test_defaults_are_those_of_the_reference(small):
    assert small.registration is None
    assert small.study.controlled is False
    assert small.study.planned.controls == 0
    assert small.schedule.outside_window == "nominal"
    assert small.visit("D0").window == (0, 0)
    assert small.product.dose.infusions == 1
    assert small.product.release[0].pending == "blocks"
    assert small.safety.ctcae == "v5"
    responders = small.analyses[1]
    assert (responders.zeros, responders.alternative) == ("pratt", "two-sided")
    assert (responders.conf_level, responders.correction) == (0.95, False)
    assert small.form("SLEDAI").instrument.window_days == 10
    assert small.form("SLEDAI").instrument.arthritis == "at least 2"


def test_a_form_has_its_items_and_a_yes_no_item_for_each_question_of_its_instrument(small):
    ids = [item.id for item in small.form("SLEDAI").all_items]
    assert ids[:2] == ["SLEDT", "SEIZURE"]
    assert len(ids) == 1 + 24
    assert small.item("SLEDAI", "PROTEIN").type == "yesno"
    assert small.form("SLEDAI").scores == ("SLEDAI.total", "SLEDAI.renal", "SLEDAI.extrarenal")
    assert small.form("URINE").all_items == small.form("URINE").items
    assert small.form("URINE").scores == ()


def test_parts_are_found_by_id_and_an_unknown_id_names_the_known_ones(small):
    assert small.form("URINE").label == "Urine"
    assert small.find_item("CREAT")[0].id == "URINE"
    assert small.find_item("FEVER")[0].id == "SLEDAI"
    assert small.visit("M3").day == 91
    assert small.measure("EGFR").derive.inputs["creatinine"] == "CREAT"
    assert small.visit_of_anchor().id == "D0"
    assert small.form("AE").role("grade").id == "AEGRADE"
    assert small.form("AE").role("serious") is None
    assert [rule.id for rule in small.baseline.rules] == ["month-3", "last"]
    for find in (small.form, small.find_item, small.visit, small.measure):
        with pytest.raises(
            StudyError, match=r"'NONE' is not an? .*; there are .*; use one of these"
        ):
            find("NONE")
    with pytest.raises(StudyError, match="'WEIGHT' is not an item of form URINE"):
        small.item("URINE", "WEIGHT")


def test_days_from_the_anchor_have_no_gap_at_day_zero(small):
    assert [(v.id, v.day, v.offset) for v in small.schedule.visits] == [
        ("M-3", -91, -91),
        ("D0", 1, 0),
        ("W1", 8, 7),
        ("M3", 91, 90),
    ]
    assert small.visit("W1").span == (4, 10)


def test_rules_of_the_study_know_items_scores_and_derived_measures(small):
    rule = small.rule("UPROT24H > 1 and SLEDAI.renal >= 4 and EGFR > 30 and FEVER")
    assert rule.names == ("UPROT24H", "SLEDAI.renal", "EGFR", "FEVER")
    assert small.rule('LNCLASS == "IV"') is small.rule('LNCLASS == "IV"')
    with pytest.raises(RuleError, match='"VI" is not a choice of LNCLASS'):
        small.rule('LNCLASS == "VI"')


def test_a_code_is_made_from_the_id_of_a_measure_unless_it_is_given(small):
    assert [measure.code for measure in small.measures] == ["SLEDAITO", "UPROT24H", "EGFR"]
    text = SMALL.replace("id: SLEDAI.total, label", "id: SLEDAI.total, code: SLEDTOT, label", 1)
    assert parse_study(text, "s").measures[0].code == "SLEDTOT"


# -- forms in use: branching, signatures, what tells who somebody is ------------------------------

CREATININE = "{id: CREAT, label: Creatinine, type: quantity, unit: mg/dL}"


def test_an_item_is_always_asked_identifies_nobody_and_a_form_needs_no_signature_unless_told(small):
    assert {item.when for form in small.forms for item in form.all_items} == {None}
    assert {item.identifying for form in small.forms for item in form.all_items} == {False}
    assert {form.sign for form in small.forms} == {()}


def test_an_item_may_be_asked_only_where_a_rule_over_its_form_holds():
    text = SMALL.replace(CREATININE, CREATININE[:-1] + ", when: UPROT24H > 1 and CELLCAST}", 1)
    study = parse_study(text, "s")
    item = study.item("URINE", "CREAT")
    assert item.when == "UPROT24H > 1 and CELLCAST"
    assert study.rule(item.when).names == ("UPROT24H", "CELLCAST")


def test_an_item_may_be_asked_where_a_question_of_its_forms_instrument_holds():
    old = "{id: SLEDT, label: Date, type: date, role: visit date}"
    new = old + "\n      - {id: FEVERDT, label: Fever since, type: date, when: FEVER}"
    assert parse_study(SMALL.replace(old, new, 1), "s").item("SLEDAI", "FEVERDT").when == "FEVER"


def test_items_may_not_wait_for_one_another_in_a_circle():
    text = SMALL.replace("Cellular casts, type: yesno}", "Casts, type: yesno, when: CREAT > 1}", 1)
    text = text.replace(CREATININE, CREATININE[:-1] + ", when: CELLCAST}", 1)
    assert ".when: " in message(text)


def test_an_item_may_tell_who_somebody_is():
    text = SMALL.replace(CREATININE, CREATININE[:-1] + ", identifying: true}", 1)
    study = parse_study(text, "s")
    assert [i.id for f in study.forms for i in f.all_items if i.identifying] == ["CREAT"]


def test_a_form_names_the_signatures_it_needs_in_their_order():
    text = SMALL.replace("    label: Urine\n", "    label: Urine\n    sign: [review, author]\n", 1)
    assert parse_study(text, "s").form("URINE").sign == ("review", "author")


def test_a_form_names_a_signature_once():
    text = SMALL.replace("    label: Urine\n", "    label: Urine\n    sign: [author, author]\n", 1)
    assert ".sign" in message(text)
