"""The report as a reader, an auditor and an attacker meet it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from onearm import __version__
from onearm.analysis import run
from onearm.ledger import Ledger, Snapshot
from onearm.records import Records
from onearm.report.document import render_report, render_results
from onearm.report.numbers import rounded
from onearm.study import Study

Make = Callable[..., Study]
SCRIPT = "<script>alert(1)</script>"
SIGNED = {"by": "nurse 1", "role": "nurse", "site": "Mashhad"}


def fill(trial: Any, *pairs: tuple[Any, Any]) -> Any:
    """Patients S1, S2, ... infused, with protein before and after."""
    for i, (before, after) in enumerate(pairs, start=1):
        s = f"S{i}"
        trial.put(s, "M-3", "DEMOG", AGE=20 + i, SEX="F")
        trial.put(s, "D0", "INFUSION", INFDT="2017-06-01")
        trial.put(s, "M-3", "URINE", URDT="2017-03-02", UPROT24H=before)
        trial.put(s, "M3", "URINE", URDT="2017-08-30", UPROT24H=after)
    return trial


def sound(page: Any) -> None:
    """What holds of every report whatever is in it."""
    assert page.unbalanced == []
    ids = Counter(page.ids)
    assert [name for name, n in ids.items() if n > 1] == []
    targets = {value for _, name, value in page.addresses if name in ("href", "xlink:href")}
    assert {t for t in targets if not t.startswith("#")} == set()
    assert {t for t in targets if t[1:] not in ids} == set()
    assert "script" not in page.tags
    assert not any(name.startswith("on") for _, found in page.attributes for name in found)


# -- the same bytes -------------------------------------------------------------------------------


def test_the_same_cut_gives_the_same_bytes(demo: Any) -> None:
    assert render_report(demo.study, demo.cut(1161)[0], demo.history) == demo.html


@pytest.mark.slow
def test_hash_seed_working_directory_time_zone_and_locale_change_no_byte(
    demo: Any, tmp_path: Path
) -> None:
    strange = {
        "PYTHONHASHSEED": "4242",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LANG": "fa_IR.UTF-8",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "MPLCONFIGDIR": str(tmp_path / "mpl"),
        "SOURCE_DATE_EPOCH": "1",
        "HOME": str(tmp_path),
    }
    out = tmp_path / "again"
    subprocess.run(
        [sys.executable, "-m", "onearm.cli", "run", str(demo.folder), "--out", str(out)],
        cwd=tmp_path,
        env=os.environ | strange,
        check=True,
        capture_output=True,
    )
    assert (out / "report.html").read_bytes() == demo.html.encode("utf-8")


# -- one page, no outside -------------------------------------------------------------------------


def test_the_page_is_sound(demo: Any) -> None:
    sound(demo.page)


def test_nothing_is_fetched_from_anywhere(demo: Any) -> None:
    assert {n for _, n, _ in demo.page.addresses} <= {"href", "xlink:href"}
    urls = re.findall(r"url\(\s*['\"]?([^)'\"]*)", demo.html)
    assert {u[:5] for u in urls if not u.startswith("#")} == {"data:"}
    assert "@import" not in demo.html
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & set(demo.page.tags)


def test_a_policy_forbids_the_browser_to_fetch_or_run_anything(demo: Any) -> None:
    (policy,) = (
        found["content"]
        for tag, found in demo.page.attributes
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) <= {"default-src", "style-src", "font-src", "img-src"}
    assert "http" not in policy
    assert "script" not in policy


def test_language_headings_and_the_words_of_every_figure_are_there_for_those_who_listen(
    demo: Any,
) -> None:
    attributes = demo.page.attributes
    assert ("html", {"lang": "en"}) in attributes
    figures = [found for tag, found in attributes if tag == "svg"]
    # The flow, what is left of two endpoints, five trajectories, the untreated bands of two.
    assert len(figures) == 1 + 2 + 5 + 2
    assert all(f.get("role") == "img" and f.get("aria-label") for f in figures)
    levels = [int(t[1]) for t in demo.page.tags if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    headers = [found for tag, found in attributes if tag == "th"]
    assert all(h.get("scope") in ("col", "row") for h in headers)


# -- every number leads to its entries ------------------------------------------------------------


def test_every_number_of_results_and_conclusion_is_in_a_link(demo: Any) -> None:
    text = demo.page.unlinked("abstract")
    told = text[text.index("Results") :]
    # What remains unlinked are names and levels: the instrument, the collection, the visit, the grade, the level.
    for words in (
        "SLEDAI-2K total",
        "24-hour urine protein",
        "g/24 h",
        "3 months after",
        "grade 3 or higher",
        "95 % interval",
        "one-sided 95 % bound",
    ):
        assert words in told
        told = told.replace(words, "")
    assert re.findall(r"[0-9]+", told) == []


def test_the_warning_beside_the_result_has_its_numbers_in_links_too(demo: Any) -> None:
    caution = demo.page.unlinked("worth")
    caution = caution[: caution.index("what is left")].replace("SLEDAI-2K total", "")
    assert re.findall(r"[0-9]+", caution) == []


def test_every_section_of_sources_names_entries_that_the_page_lists(demo: Any) -> None:
    sections = [i for i in demo.page.ids if i.startswith("from-") and i != "from-chance"]
    assert (
        len(sections) == 7 * 3 + 5 + 9 + 2
    )  # outcomes, characteristics, infusions, flow and safety
    listed = {i for i in demo.page.ids if re.fullmatch("e[0-9]+", i)}
    assert listed == {f"e{e.seq}" for e in demo.history}
    by_section: dict[str, set[str]] = {s: set() for s in sections}
    for href, _, place in demo.page.links:
        section = place.replace("rows-", "from-", 1)
        if section in by_section and re.fullmatch("#e[0-9]+", href):
            by_section[section].add(href[1:])
    assert all(found and found <= listed for found in by_section.values())


def test_entries_behind_a_row_are_about_the_participant_of_the_row(demo: Any) -> None:
    about = {e.seq: e.key.about for e in demo.history}
    for outcome in demo.results.outcomes:
        for pair in outcome.pairs:
            assert {about[s] for s in (*pair.before_seqs, *pair.after_seqs)} == {pair.subject}


def test_a_number_is_walked_back_from_the_abstract_to_what_was_typed_and_what_stood_there(
    demo: Any,
) -> None:
    page = demo.page
    (mean_sd,) = {
        (h, t) for h, t, place in page.links if place == "abstract" and t.startswith("2.1 ±")
    }
    assert mean_sd[0] == "#from-secondary.uprot.month-3"
    outcome = demo.results.main("secondary.uprot")
    typed = {e.seq: e for e in demo.history}
    before = [float(typed[s].value or "") for p in outcome.pairs for s in p.before_seqs]
    assert mean_sd[1] == f"{rounded(mean(before), 1)} ± {rounded(stdev(before), 1)}"
    rows = page.text("rows-secondary.uprot.month-3")
    assert "1161" in rows  # the correction of participant 006
    entry = page.text("e1161")
    assert "1.8 g/(24.h)" in entry
    assert "decimal point left out; read again from the laboratory's sheet" in entry
    (first,) = (e for e in demo.history if e.key == typed[1161].key and e.seq != 1161)
    assert (f"#e{1161}", "→ 1161") in page.links_in(f"e{first.seq}")
    assert "18 g/(24.h)" in page.text(f"e{first.seq}")


def test_numbers_in_the_tables_of_results_are_links(demo: Any) -> None:
    for table in ("change-primary.sledai", "ae-overview", "published", "exposure", "chance"):
        assert len([1 for _, _, place in demo.page.links if place == table]) > 3, table


def test_the_trace_says_how_the_p_value_was_made_with_all_its_digits(demo: Any) -> None:
    text = demo.page.text("from-primary.sledai.month-3")
    assert "0.0078125" in text
    assert "0.0140290609" in text
    assert "Method signed_rank, zeros pratt. Dataset ADQS: PARAMCD = SLEDAITO, AVISIT = M3" in text


# -- data cuts ------------------------------------------------------------------------------------


def test_an_earlier_cut_has_fewer_entries_and_the_value_that_stood_then(
    demo: Any, read_page: Callable[[str], Any]
) -> None:
    snapshot, history = demo.cut(1160)
    html = render_report(demo.study, snapshot, history)
    page = read_page(html)
    sound(page)
    assert "e1161" not in page.ids
    assert "All 1160 entries up to the data cut" in html
    row = page.text("rows-secondary.uprot.month-3")
    assert "18.0" in row  # 18 g: the point was still missing
    assert "18.0" not in demo.page.text("rows-secondary.uprot.month-3")
    assert f"1160:{snapshot.head.hash}" in html
    assert str(snapshot.head) != str(demo.results.data.records.snapshot.head)


def test_a_cut_in_the_middle_of_a_subject_reports_what_was_known(
    demo: Any, read_page: Callable[[str], Any]
) -> None:
    for as_of in (1, 60, 200):
        snapshot, history = demo.cut(as_of)
        page = read_page(render_report(demo.study, snapshot, history))
        sound(page)
        assert len([i for i in page.ids if re.fullmatch("e[0-9]+", i)]) == as_of


def test_the_foot_names_study_file_ledger_head_version_and_seed(demo: Any) -> None:
    foot = demo.html[demo.html.index("<footer>") :]
    assert f"study.yaml · SHA-256 {demo.study.hash}" in foot
    assert f"1161:{demo.history[-1].hash}" in foot
    assert f"onearm {__version__}" in foot
    assert "<dd>20181230</dd>" in foot


def test_entries_made_under_another_version_of_the_study_file_are_counted_in_the_foot(
    trial: Any, page_of: Callable[[Records], Any], study_with: Make
) -> None:
    fill(trial, (2.0, 1.0))
    later = study_with(("seed: 20181230", "seed: 7"))
    html = render_results(run(Records(later, trial.snapshot)), trial.snapshot.entries)
    foot = html[html.index("<footer>") :]
    assert f"7 entries were made under the study file with SHA-256 {trial.study.hash}" in foot
    assert later.hash in foot


# -- redaction ------------------------------------------------------------------------------------


def test_a_redacted_value_is_nowhere_in_the_report_and_its_removal_is(
    trial: Any, ledger: Ledger, read_page: Callable[[str], Any]
) -> None:
    signed = SIGNED | {"study_hash": trial.study.hash}
    drafts = [
        trial.draft("S1", "D0", "INFUSION", "INFDT", "2017-06-01"),
        trial.draft("S1", "", "AE", "AETERM", "Fall of Mrs Unmistakable at home"),
    ]
    ledger.record(drafts, **signed)
    ledger.redact(2, reason="names a person", **signed)
    html = render_report(trial.study, ledger.snapshot(), list(ledger.entries()))
    sound(read_page(html))
    assert "Unmistakable" not in html
    assert "names a person" in html


# -- hostile text ---------------------------------------------------------------------------------


def test_hostile_text_in_study_file_ids_and_values_is_shown_and_never_run(
    study_with: Make, trial_of: Callable[[Study], Any], page_of: Callable[[Records], Any]
) -> None:
    title = "title: Allogeneic adipose-derived mesenchymal stem cells in refractory lupus nephritis"
    study = study_with(
        (title, f"title: '{SCRIPT} & \"quoted\"'"),
        ("label: 24-hour urine protein", "label: '<img src=x onerror=alert(2)> protein $x^2$'"),
        ("title: Disease activity", "title: '</title></style></svg><script>alert(3)</script>'"),
        ("text: transient hypertension after the infusion", f"text: '{SCRIPT}'"),
    )
    trial = trial_of(study)
    for subject in (SCRIPT, '"><img src=x onerror=alert(4)>', "javascript:alert(5)", "a b#c%d"):
        trial.put(subject, "D0", "INFUSION", INFDT="2017-06-01", LOT=SCRIPT, VCELLS=5e7)
        trial.put(subject, "M-3", "URINE", URDT="2017-03-02", UPROT24H=2.0)
        trial.put(subject, "M3", "URINE", URDT="2017-08-30", UPROT24H=1.0)
        trial.put(subject, "", "AE", AETERM=SCRIPT, AEOUT=SCRIPT)
        trial.put(subject, "", "DEVIATION", DVTERM=SCRIPT, DVDT=SCRIPT)
        trial.put(subject, "", "DISPOSITION", DSDECOD=SCRIPT)
        trial.put(subject, "M-3", "ELIG", LNCLASS=SCRIPT)
    page = page_of(trial.records)
    sound(page)
    assert "img" not in page.tags
    assert SCRIPT in page.text("ledger")
    assert SCRIPT in page.text("ae-listing")


# -- few data, odd data ---------------------------------------------------------------------------


def test_an_empty_ledger_gives_a_report_that_says_so(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    page = page_of(trial.records)
    sound(page)
    text = page.text("abstract")
    assert "0 patients were treated. SLEDAI-2K total: no complete pair yet." in text
    assert "no test could be made of 0 complete pairs" in text
    assert "too few to call" not in text
    assert "nan" not in text.lower() and "None" not in text
    assert "All 0 entries" in page.text("ledger")


def test_subjects_but_nobody_treated(trial: Any, page_of: Callable[[Records], Any]) -> None:
    trial.put("S1", "M-3", "DEMOG", AGE=24, SEX="F")
    trial.put("S1", "", "DISPOSITION", DSDECOD="screen failure")
    page = page_of(trial.records)
    sound(page)
    assert "0 patients were treated." in page.text("abstract")
    assert "Assessed for eligibility, n = 1" in page.text("flow")
    assert "screen failure" in page.text("flow")


def test_one_subject(trial: Any, page_of: Callable[[Records], Any]) -> None:
    page = page_of(fill(trial, (2.1, 1.0)).records)
    sound(page)
    text = page.text("abstract")
    assert "1 patient was treated (100.0\u202f% female), median age 21 (range 21–21) years." in text
    assert "no test could be made of 1 complete pair." in text
    assert "95.0\u202f% cannot be ruled out" in text  # 1 - 0.05^1


def test_all_values_missing(trial: Any, page_of: Callable[[Records], Any]) -> None:
    page = page_of(fill(trial, (None, None), (None, None), (None, None)).records)
    sound(page)
    assert "3 patients were treated" in page.text("abstract")
    assert "24-hour urine protein: no complete pair yet." in page.text("abstract")
    assert "missing (not done)" in page.text("ledger")


def test_no_adverse_event_is_said_with_the_bound_and_never_called_safe(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    page = page_of(fill(trial, *[(2.0, 1.0)] * 9).records)
    sound(page)
    assert "Adverse events were reported in 0 of 9 patients." in page.text("abstract")
    assert "28.3\u202f%" in page.text("abstract")
    assert "No adverse event was reported." in page.text("safety")
    assert "was safe" not in page.text("abstract")


def test_zero_protein_on_the_log_measure(trial: Any, page_of: Callable[[Records], Any]) -> None:
    page = page_of(fill(trial, (2.0, 0), (1.0, 0.5), (3.0, 1.0)).records)
    sound(page)
    table = page.text("change-secondary.uprot")
    assert "geometric mean ratio, after / before (95 % interval)–" in table.replace("\n", "")
    assert "(log scale)" not in page.text("before-after")


def test_a_negative_protein_is_an_open_problem_and_no_measurement(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    page = page_of(fill(trial, (2.0, -1.5), (1.0, 0.5), (3.0, 1.0)).records)
    sound(page)
    assert "2 (1)" in page.text("change-secondary.uprot")
    assert "-1.5" in page.text("problems")


def test_a_value_beyond_all_bounds_is_printed_and_stays_an_open_problem(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    page = page_of(fill(trial, ("1e90", 1.0), (1.0, "1e-90"), (2.0, "1e400")).records)
    sound(page)
    assert "is outside the plausible range" in page.text("problems")
    assert "'1e400' is too large for a measurement" in page.text("problems")


def test_names_in_persian_and_dollar_signs_make_no_warning(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    for subject in ("بیمار ۱", "$a$ $\\bad{$", "二"):
        trial.put(subject, "D0", "INFUSION", INFDT="2017-06-01")
        trial.put(subject, "M-3", "URINE", URDT="2017-03-02", UPROT24H=2.0)
        trial.put(subject, "M3", "URINE", URDT="2017-08-30", UPROT24H=1.0)
    page = page_of(trial.records)
    sound(page)
    assert "بیمار ۱" in page.text("rows-secondary.uprot.month-3")


def test_a_direction_is_that_of_the_test_also_where_the_mean_points_the_other_way(
    trial: Any,
    study_with: Make,
    trial_of: Callable[[Study], Any],
    page_of: Callable[[Records], Any],
) -> None:
    old = "measure: UPROT24H\n    at: M3\n    method: paired_t"
    study = study_with((old, old.replace("paired_t", "signed_rank")))
    # Eleven fall by about 1, one rises by 25: the mean rises, the ranks fall.
    pairs = [(3.0, 2.0 - i / 100) for i in range(11)] + [(1.0, 26.0)]
    results = run(fill(trial_of(study), *pairs).records)
    outcome = results.main("secondary.uprot")
    assert outcome.comparison is not None and outcome.comparison.change.mean is not None
    assert outcome.comparison.change.mean > 0
    assert outcome.pvalue is not None and outcome.pvalue < 0.05
    page = page_of(results.data.records)
    assert "24-hour urine protein was lower 3 months after than at baseline" in page.text(
        "abstract"
    )


def test_equal_changes_have_no_t_test_and_are_not_called_too_few(
    trial: Any, page_of: Callable[[Records], Any]
) -> None:
    page = page_of(fill(trial, *[(2.0, 1.0)] * 5).records)
    assert "24-hour urine protein: no test could be made of 5 complete pairs." in page.text(
        "abstract"
    )


@pytest.mark.parametrize(
    "outputs",
    ["abstract", "data", "flow", "change", "trajectories", "response, exposure", "adverse_events"],
)
def test_whatever_the_study_file_leaves_out_no_link_leads_nowhere(
    study_with: Make, demo: Any, read_page: Callable[[str], Any], outputs: str
) -> None:
    every = (
        "outputs: [abstract, published, flow, baseline, eligibility, exposure, change, trajectories, response, "
        "adverse_events, deviations, data]"
    )
    study = study_with((every, f"outputs: [{outputs}]"))
    snapshot, history = demo.cut(128)
    page = read_page(render_report(study, snapshot, history))
    sound(page)
    assert ("ledger" in page.ids) == (outputs == "data")


@pytest.mark.parametrize(
    ("analysis", "expected"),
    [
        (
            "measure: UPROT24H, at: M3, method: responders, response: PCHG <= -50",
            ("Primary endpoint not known, 3 months after, n = 1", 2),
        ),
        (
            "at: M3, method: renal_response, definitions: [ranjbar_2022], values: {protein_g_24h: UPROT24H}",
            ("Primary endpoint not known, 3 months after, n = 1", 2),
        ),
    ],
)
def test_the_flow_adds_up_also_when_the_primary_endpoint_is_a_response(
    study_with: Make,
    trial_of: Callable[[Study], Any],
    page_of: Callable[[Records], Any],
    analysis: str,
    expected: tuple[str, int],
) -> None:
    first = (
        "  - id: primary.sledai\n    title: Disease activity\n    role: primary\n    estimand: E1\n"
    )
    study = study_with(
        (
            first,
            f"  - {{id: main, title: Response, role: primary, {analysis}}}\n"
            + first.replace("role: primary", "role: secondary"),
        )
    )
    page = page_of(fill(trial_of(study), (2.0, 0.9), (2.0, 1.5), (2.0, None)).records)
    sound(page)
    text = page.text("flow")
    assert expected[0] in text
    assert f"Analysed for the primary endpoint, n = {expected[1]}" in text


@pytest.mark.slow
def test_forty_participants_are_reported(trial: Any, page_of: Callable[[Records], Any]) -> None:
    page = page_of(fill(trial, *[(1 + i / 50, 0.5 + (i * 7 % 13) / 10) for i in range(40)]).records)
    sound(page)
    assert "(n = 40;" in page.text("abstract")


def test_a_snapshot_alone_is_a_report(study: Study) -> None:
    html = render_report(study, Snapshot(()), ())
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
