"""Reported numbers rechecked: the reports of 2018 and 2022, other reports, bad files, JSON."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from onearm.cli import main
from onearm.recheck import RecheckError, describe, facts, parse_report, recheck
from onearm.recheck.checks import check_result
from onearm.stats import paired_t, signed_rank

STUDIES = Path(__file__).parents[1] / "studies" / "lupus-msc"
R2018, R2022 = STUDIES / "reported-2018.yaml", STUDIES / "reported-2022.yaml"
SLEDAI = """\
report: {id: X}
participants: {n: 9}
results:
  - id: sledai
    scale: {values: integer, range: [0, 105]}
    before: {mean: '15.4', sd: '5.8'}
    after: {mean: '6.0', sd: '4.8'}
    p: '0.014'
"""


def onearm(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def plain(text: str) -> str:
    return " ".join(text.split())


def words_of(text: str) -> str:
    return plain(describe(recheck(parse_report(text.encode(), "x.yaml"))))


def facts_of(text: str) -> dict[str, Any]:
    found = facts(recheck(parse_report(text.encode(), "x.yaml")))
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    return again["results"][0]


def verdicts_at(result: dict[str, Any], n: int) -> dict[str, str]:
    return {t["test"]: t["verdict"] for t in result["tests"] if t["n"] == n}


@pytest.fixture(scope="module")
def of_2018() -> dict[str, Any]:
    result = onearm("recheck", R2018, "--json")
    assert result.exit_code == 0
    return {r["id"]: r for r in json.loads(result.stdout)["results"]}


@pytest.fixture(scope="module")
def page_of_2018() -> str:
    result = onearm("recheck", R2018)
    assert result.exit_code == 0
    return plain(result.stdout)


# -- the abstract of 2018


@pytest.mark.parametrize(
    "words",
    [
        "88.9 % is 8 of 9, and nothing else",
        "15.4, is possible for 9 patients: the sum is 139",
        "possible with n = 5 and 7 to 12, impossible with n = 1 to 4 and 6",
        "No exact test that counts signs gives P = 0.014 with 9 patients",
        "P is a multiple of 1/256, and the nearest are 0.0117 and 0.0156",
        "if all change the nearest are 0.0039 and 0.0391",
        "0.0143 when 8 fall and 1 is unchanged, without ties",
        "r = −0.44 (−0.52 to −0.36 over the rounding",
        "more than complete regression to the mean, which is r = 0",
        "0.00: 0.0057; 0.20: 0.0031; 0.50: 0.00077",
        "An unpaired t test, a misuse, gives P = 0.0018",
        "exact, 0.0142 when U = 13",
        "the SD of the change is 1.65 g (1.38 to 1.93 over the rounding",
        "without ties and zeros the nearest are 0.3008 and 0.3594",
        "With 6 patients: the printed numbers cannot be",
        "CONSTRUCTED pairs, not patient data",
        "when 8 fall and 1 is unchanged, without ties. Next: the paired t test, with a correlation of −0.44",
        "and the paired t test for Protein in 24-hour urine",
    ],
)
def test_the_page_of_2018_says_in_words(page_of_2018, words):
    assert words in page_of_2018


def test_which_tests_give_the_sledai_p_of_2018_by_number_of_patients(of_2018):
    possible = {
        n: {t for t, v in verdicts_at(of_2018["sledai"], n).items() if v == "possible"}
        for n in (5, 7, 8, 9)
    }
    rank = "signed_rank_normal"
    misuse = {"mann_whitney_exact", "mann_whitney_normal", "mann_whitney_normal_cc"}
    assert possible[5] - misuse == {"paired_t"}
    assert possible[7] - misuse == {"paired_t", rank, f"{rank}_pratt"}
    assert possible[8] - misuse == {
        "paired_t",
        rank,
        f"{rank}_cc",
        f"{rank}_pratt",
        f"{rank}_pratt_cc",
    }
    assert possible[9] - misuse == possible[8] - misuse
    assert of_2018["sledai"]["excluded_n"] == [6]


def test_the_constructed_pairs_are_labelled_and_reproduce_the_numbers(of_2018):
    constructed = of_2018["sledai"]["constructed"]
    assert {c["test"] for c in constructed} >= {
        "paired_t",
        "signed_rank_normal",
        "signed_rank_normal_cc",
    }
    for pairs in constructed:
        assert pairs["label"].startswith("CONSTRUCTED")
        assert "not patient data" in pairs["label"]
        before, after = np.array(pairs["before"]), np.array(pairs["after"])
        assert (before.sum(), after.sum()) == (139, 54)
        assert (round(before.std(ddof=1), 1), round(after.std(ddof=1), 1)) == (5.8, 4.8)
        assert before.min() >= 9
    p = {c["test"]: np.array(c["after"]) - np.array(c["before"]) for c in constructed}
    assert 0.0135 <= paired_t(p["paired_t"]).pvalue <= 0.0145
    corrected = signed_rank(p["signed_rank_normal_cc"], method="normal", correction=True)
    assert 0.0135 <= corrected.pvalue <= 0.0145


def test_protein_of_2018_is_a_t_test(of_2018):
    protein = of_2018["protein"]
    assert protein["readings"][0] == {"test": "paired_t", "cost": 0.0}
    at = next(t for t in protein["tests"] if t["test"] == "paired_t" and t["n"] == 9)
    sd = at["implied"]["sd_of_change"]
    assert [round(sd[k], 2) for k in ("nominal", "lower", "upper")] == [1.65, 1.38, 1.93]
    assert verdicts_at(protein, 9)["signed_rank_exact"] == "impossible"
    assert verdicts_at(protein, 10)["signed_rank_normal_cc"] == "possible"


# -- the paper of 2022


def test_2022_is_read_as_spss_with_all_nine_falling():
    page = plain(onearm("recheck", R2022).stdout)
    assert "33.3 % is 3 of 9" in page
    assert "44.4 % is 4 of 9" in page
    assert "No exact test that counts signs gives P = 0.007 with 9 patients" in page
    assert "0.0077 when all 9 fall, without ties" in page
    assert "0.0078 when 8 fall and 1 rises (rank sum W = 1), without ties" in page
    together = page.split("Taken together")[1]
    assert "without correction (SPSS)" in together
    assert "all 9 fall, 3 of the changes equally large" in together


# -- other reports


def test_with_6_patients_the_mean_15_4_is_impossible_and_said_to_be():
    text = SLEDAI.replace("n: 9", "n: 6")
    result = facts_of(text)
    assert result["consistent"] is False
    assert result["constructed"] == []
    assert "15.4, is impossible for 6 patients: no sum gives it" in words_of(text)
    assert "the printed numbers cannot all be true of 6 patients" in words_of(text)


def test_a_p_that_the_exact_test_has_is_called_possible():
    text = SLEDAI.replace("0.014", "0.0117")
    assert verdicts_at(facts_of(text), 9)["signed_rank_exact"] == "possible"
    page = words_of(text)
    assert "(Wilcoxon), unchanged patients dropped: possible; 0.0117" in page
    assert "No exact test" not in page


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("paired t", "It can give the P, as the paired t test"),
        ("sign test", "It cannot give P = 0.014"),
        ("Mann-Whitney", "It can give the P"),
        ("signed rank exact", "It cannot give P = 0.014"),
    ],
)
def test_a_test_that_the_report_names_is_judged(named, says):
    assert f"The report names the test: {named}. {says}" in words_of(
        SLEDAI + f"    test: {named}\n"
    )


def test_a_one_sided_p_is_asked_of_the_one_sided_tests():
    result = facts_of(SLEDAI + "    sided: one\n")
    assert verdicts_at(result, 9)["signed_rank_exact"] == "possible"
    assert "Were P two-sided" in words_of(SLEDAI + "    sided: one\n")


def test_an_sd_of_the_change_that_contradicts_the_others_is_found():
    text = SLEDAI.replace("    p:", "    change: {mean: '-9.4', sd: '20.0'}\n    p:")
    page = words_of(text)
    assert (
        "Impossible: of the change: with SDs 5.8 and 4.8 the SD of the change lies between" in page
    )
    assert "that does not agree" in page


def test_an_impossible_correlation_excludes_the_paired_t_test():
    text = SLEDAI.replace("n: 9", "n: 20")
    assert verdicts_at(facts_of(text), 20)["paired_t"] == "impossible"
    assert "No correlation lies outside −1 to 1: the paired t test is impossible" in words_of(text)


def test_above_12_patients_a_no_is_not_found_and_not_impossible():
    text = SLEDAI.replace("n: 9", "n: 13").replace("0.014", "0.9999999")
    result = facts_of(text)
    verdicts = {
        t["proof"]: t["verdict"] for t in result["tests"] if t["test"] == "signed_rank_normal"
    }
    assert verdicts["sampled"] == "not found"
    assert "this is no proof" in words_of(text)


@pytest.mark.parametrize("n", [1, 2, 13, 61, 100_000])
@pytest.mark.parametrize("p", ["0.014", "< 0.001", "1.0", "0.000"])
def test_any_number_of_patients_gives_a_page(n, p):
    text = SLEDAI.replace("n: 9", f"n: {n}, also: [{n}]").replace("0.014", p)
    found = recheck(parse_report(text.encode(), "x.yaml"))
    assert describe(found)
    json.dumps(facts(found), allow_nan=False)


def test_a_result_with_nothing_printed_is_no_fault():
    page = words_of("report: {id: X}\nresults:\n  - {id: a, n: 9}\n")
    assert "a (n = 9): nothing printed" in page


def test_trailing_zeros_count_without_quotes_too():
    quoted = facts_of(SLEDAI.replace("'6.0'", "'6.00'"))
    bare = facts_of(SLEDAI.replace("'6.0'", "6.00"))
    assert quoted == bare
    assert bare["printed"]["after"]["mean"] == "6.00"
    whole = facts_of(SLEDAI.replace("'6.0'", "6"))
    assert whole["printed"]["after"]["mean"] == "6"
    assert whole != bare


def test_conclusions_follow_from_the_file_alone():
    renamed = SLEDAI.replace("sledai", "other").replace("id: X", "id: Y")
    assert words_of(renamed).replace("other", "sledai").count("−0.44") == words_of(SLEDAI).count(
        "−0.44"
    )
    assert "−0.44" not in words_of(SLEDAI.replace("15.4", "14.4"))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=4, max_size=10))
def test_the_test_that_made_a_p_is_always_among_those_possible(pairs):
    x, y = (np.array(v) for v in zip(*pairs, strict=True))
    d = y - x
    if np.ptp(d) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    p = {
        "paired_t": paired_t(d).pvalue,
        "signed_rank_exact": signed_rank(d).pvalue,
        "signed_rank_exact_pratt": signed_rank(d, zeros="pratt").pvalue,
        "signed_rank_normal": signed_rank(d, method="normal").pvalue,
        "signed_rank_normal_cc": signed_rank(d, method="normal", correction=True).pvalue,
    }
    for test, value in p.items():
        if value < 0.0005:
            continue
        text = (
            f"report: {{id: X}}\nresults:\n  - id: a\n    n: {len(d)}\n    also: [{len(d)}]\n"
            f"    scale: integer\n"
            f"    before: {{mean: '{x.mean():.1f}', sd: '{x.std(ddof=1):.1f}'}}\n"
            f"    after: {{mean: '{y.mean():.1f}', sd: '{y.std(ddof=1):.1f}'}}\n    p: '{value:.3f}'\n"
        )
        found = check_result(parse_report(text.encode(), "x").results[0])
        assert not found.broken
        assert found.test_at(test, len(d)).verdict == "possible"


def test_a_count_that_is_not_its_percentage_is_found():
    page = words_of("report: {id: X}\nresults:\n  - {id: a, n: 9, percent: '88.9', count: 7}\n")
    assert "The count 7 of 9 does not agree with 88.9 % (it is 77.8 %)" in page
    assert not facts_of(
        "report: {id: X}\nresults:\n  - {id: a, n: 9, percent: '88.9', count: 7}\n"
    )["consistent"]


def test_whole_sums_expose_a_mean_change_that_rounding_alone_would_admit():
    text = SLEDAI.replace("    p:", "    change: {mean: '-9.3'}\n    p:")
    broken = [x["id"] for x in facts_of(text)["relations"] if not x["possible"]]
    assert broken == ["change.sum"]  # 54 - 139 is -85, and -85/9 is -9.44
    right = SLEDAI.replace("    p:", "    change: {mean: '-9.4'}\n    p:")
    assert facts_of(right)["consistent"]


# -- bad files


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("participants", "participant", "x.yaml:2:1: 'participant' is not a key here"),
        (
            "'15.4'",
            "'15,4'",
            "x.yaml:6:20: results.0 (sledai).before.mean: '15,4' is not a number as printed",
        ),
        ("'15.4'", "true", "results.0 (sledai).before.mean: 'true' is not a number as printed"),
        (
            "'0.014'",
            "'1.4'",
            "results.0 (sledai).p: '1.4' is not a P value; P lies between 0 and 1",
        ),
        ("sd: '5.8'", "sdd: '5.8'", "'sdd' is not a key here; the keys are mean, sd,"),
        ("sd: '5.8'", "mean: '5.8'", "the key 'mean' stands twice"),
        ("'15.4'", "'1e300'", "'1e300' is beyond what a report prints"),
        ("n: 9", "n: nine", "participants.n: 'nine' is not a whole number"),
        ("n: 9", "n: 0", "0 is out of range; 1 to 100,000 is expected"),
        ("values: integer", "values: integers", "did you mean 'integer'?"),
        ("[0, 105]", "[105, 0]", "[105, 0] runs backwards; the lower number comes first"),
        ("  - id: sledai\n", "  - label: a\n", "the key 'id' is missing"),
        ("report: {id: X}", "report: {title: X}", "report: the key 'id' is missing"),
        ("'15.4'", "'< 15.4'", "is not one number"),
        ("participants: {n: 9}", "participants: {}", "the number of patients is missing"),
        ("results:", "results: 3\nx:", "no list of results stands here"),
        ("    p:", "\tp:", "a tab stands here"),
        ("    p: '0.014'", "    p: '0.014", "a quote is opened and not closed"),
        (
            "    p: '0.014'",
            "    p: '0.014'\n    sided: both",
            "'both' is not known; one of one, two",
        ),
        ("    p: '0.014'", "    p: '0.014'\n    test: wilcoxon", "'wilcoxon' is not known; one of"),
        ("    p: '0.014'", "    percent: '120'", "'120' is not a percentage; 0 to 100 is expected"),
        ("    p: '0.014'", "    count: 12", "12 of 9 patients is too many"),
    ],
)
def test_a_fault_is_told_with_its_place_what_is_expected_and_what_to_do(old, new, says, tmp_path):
    assert old in SLEDAI
    file = tmp_path / "x.yaml"
    file.write_text(SLEDAI.replace(old, new))
    result = onearm("recheck", file)
    assert result.exit_code == 2
    assert says in result.stderr.replace(str(file), "x.yaml")
    for line in result.stderr.splitlines():
        assert re.match(r".*x\.yaml:\d+:\d+: .*; .*; .*", line), line
    assert "study file" not in result.stderr
    assert json.loads(onearm("recheck", file, "--json").stdout)["problems"]


@pytest.mark.parametrize(
    "raw", [b"", b"   \n", b"# only words\n", b"\xff\xfe", b"[1, 2]", b"a", b"- a\n", b"{"]
)
def test_what_is_no_such_file_at_all_is_told(raw):
    with pytest.raises(RecheckError) as error:
        parse_report(raw, "x.yaml")
    assert "study file" not in str(error.value)
    assert str(error.value).startswith("x.yaml:")
    assert str(error.value).count(";") >= 2


def test_a_missing_file_is_misuse():
    result = onearm("recheck", "nowhere.yaml")
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_all_faults_are_told_at_once():
    text = SLEDAI.replace("'15.4'", "x").replace("'4.8'", "y").replace("'0.014'", "z")
    with pytest.raises(RecheckError) as error:
        parse_report(text.encode(), "x.yaml")
    assert len(error.value.messages) == 3


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_words(data):
    cut = data.draw(st.integers(0, len(SLEDAI)))
    junk = data.draw(st.text("{}[]:'\"-&*!<\n 0159.eabz,%", max_size=8))
    text = SLEDAI[:cut] + junk + SLEDAI[min(len(SLEDAI), cut + data.draw(st.integers(0, 6))) :]
    try:
        parse_report(text.encode(), "x.yaml")
        messages = []
    except RecheckError as error:
        messages = error.messages
    assert all(m.startswith("x.yaml") for m in messages)


# -- the examples


@pytest.mark.parametrize(
    "name", ["printed", "granularity", "attainable", "implied", "construction"]
)
def test_the_examples_of_the_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"onearm.stats.reported.{name}"))
    assert result.failed == 0
    assert result.attempted > 0


def test_the_file_shown_in_the_documentation_is_read():
    page = (Path(__file__).parents[1] / "docs" / "reported.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.S)
    report = parse_report(example[1].encode(), "docs")
    assert report.results[0].before.mean.text == "15.4"
    assert report.results[0].limits_before.minimum == 9


def test_the_sentences_shown_in_the_documentation_are_those_printed(page_of_2018):
    page = (Path(__file__).parents[1] / "docs" / "reported.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", page, re.S)[1].splitlines()
    assert [line for line in shown if line not in page_of_2018] == []
    assert len(shown) == 5


def test_every_key_of_the_json_stands_in_the_documentation(of_2018):
    page = (Path(__file__).parents[1] / "docs" / "reported.md").read_text(encoding="utf-8")
    keys = {k for r in of_2018.values() for k in r}
    keys |= {k for r in of_2018.values() for t in r["tests"] for k in t}
    assert [k for k in sorted(keys) if f"{k}`" not in page and f".{k}[]" not in page] == []


# -- what a verdict rests on

FEW = """\
report: {id: B}
participants: {n: 9, also: []}
results:
  - {id: s, scale: {values: integer, range: [0, 2]}, before: {mean: '2.00'}, after: {mean: '1.33'}, p: '0.014'}
"""
BINARY = FEW.split("  - ")[0] + (
    "  - {id: a, scale: binary, before: {mean: '0.44'}, after: {mean: '0.89'}, p: '0.125'}\n"
)


def test_where_all_start_at_the_top_of_the_scale_nobody_rises():
    result = facts_of(FEW)
    tests = {t["test"]: t for t in result["tests"]}
    assert tests["paired_t"]["verdict"] == "impossible"
    assert tests["signed_rank_normal_cc"]["verdict"] == "impossible"
    rank = tests["signed_rank_normal"]
    assert (rank["verdict"], rank["sets_of_changes"]) == ("possible", 4)
    assert (rank["witness"]["unchanged"], rank["witness"]["against"]) == (3, 0)
    page = words_of(FEW)
    assert "rises" not in page
    assert "leave 4 ways" in page
    assert "paired t test, with" not in result["reading"]


def test_two_shares_of_nine_patients_leave_two_ways_of_changing():
    result = facts_of(BINARY)
    tests = {t["test"]: t for t in result["tests"]}
    assert tests["paired_t"]["verdict"] == "impossible"
    assert tests["signed_rank_normal"]["verdict"] == "impossible"
    assert tests["sign_test"]["proof"] in ("constructed", "range and means")
    assert "the sign test, when 4 rise and 5 are unchanged." in result["reading"]


def test_a_possible_by_n_alone_is_not_called_exhaustive():
    text = SLEDAI.replace("n: 9", "n: 9, also: []")
    result = facts_of(text)
    possible = {t["test"]: t["proof"] for t in result["tests"] if t["verdict"] == "possible"}
    assert possible["mann_whitney_exact"] == "by n alone"
    assert possible["signed_rank_normal_cc"] == "constructed"
    assert "exhaustive" not in possible.values()
    assert result["not_used"] == ["means", "SDs", "range"]
    page = words_of(text)
    assert "by n alone; the printed means, SDs and range are not used" in page
    assert "show these to be possible together with the printed numbers: signed rank" in page


def test_a_named_test_for_groups_is_kept_among_the_readings():
    text = SLEDAI.replace("n: 9", "n: 9, also: []").replace("0.014", "0.046")
    result = facts_of(text + "    test: Mann-Whitney\n")
    assert result["readings"][0]["test"].startswith("mann_whitney")
    assert result["reading"].startswith("Most economical reading: the Mann-Whitney test")
    assert "Mann-Whitney" not in facts_of(text)["reading"]


def test_an_exact_mann_whitney_no_above_6_patients_is_no_proof():
    text = SLEDAI.replace("n: 9", "n: 8, also: []")
    at = next(t for t in facts_of(text)["tests"] if t["test"] == "mann_whitney_exact")
    assert (at["verdict"], at["proof"]) == ("not found", "without ties")
    assert "only values without ties were counted" in words_of(text)


def test_a_p_printed_as_0_tells_nothing_and_spreads_of_0_are_written_as_numbers():
    text = SLEDAI.replace("n: 9", "n: 9, also: []").replace("0.014", "0")
    page = words_of(text.replace("'5.8'", "'0.0'").replace("'4.8'", "'0.0'"))
    assert "P = 0 stands for any P up to 0.5: it tells no tests apart" in page
    assert "0.0e+00" not in page


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("    constraints: {before: {minimum: 9, maximum: 3}}\n", "minimum 9 lies above maximum 3"),
        ("    constraints:\n", "nothing stands here; a block"),
        ("    change: {mean: '" + "1" * 5000 + "'}\n", "...' is not a number"),
    ],
)
def test_faults_are_told_in_short(text, says):
    with pytest.raises(RecheckError) as found:
        parse_report((SLEDAI + text).encode(), "x.yaml")
    assert says in str(found.value)
    assert "None" not in str(found.value)
    assert len(str(found.value)) < 1000
