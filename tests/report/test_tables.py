"""Each table of the report as data: what stands in its cells, and that nothing is lost or mislabelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from onearm.analysis import Results, run
from onearm.eligibility import Evidence
from onearm.report import tables
from onearm.report.tables import Table, entry_links, shown_value
from onearm.study import Study

Make = Callable[..., Study]
THIN = "\u202f"
UPROT = "measure: UPROT24H\n    at: M3\n    method: paired_t"


def fill(trial: Any, *pairs: tuple[Any, Any]) -> Any:
    """Patients S1, S2, ... infused, with protein at month -3 and month 3; None is left out."""
    for i, (before, after) in enumerate(pairs, start=1):
        trial.put(f"S{i}", "D0", "INFUSION", INFDT="2017-06-01")
        for visit, day, value in (("M-3", "2017-03-02", before), ("M3", "2017-08-30", after)):
            if value is not None:
                trial.put(f"S{i}", visit, "URINE", URDT=day, UPROT24H=value)
    return trial


def texts(table: Table) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row.cells) for row in table.rows]


def lines(table: Table) -> dict[str, tuple[str, ...]]:
    """Rows by their first cell; the second of two equal names gets a prime, and so on."""
    found: dict[str, tuple[str, ...]] = {}
    for name, *rest in texts(table):
        label = name.strip()
        while label in found:
            label += "'"
        found[label] = tuple(rest)
    return found


def change_of(results: Results, analysis: str = "secondary.uprot") -> Table:
    return tables.change_table(results.of(analysis))


# -- before and after -----------------------------------------------------------------------------


def test_the_change_table_of_the_abstract(demo: Any) -> None:
    table = change_of(demo.results, "primary.sledai")
    found = lines(table)
    assert [name for name, _ in table.columns] == [
        "",
        "Before: 3 months before infusion (primary)",
        "Before: last value before infusion",
        "Before: mean of the run-in",
    ]
    assert found["Complete pairs (missing)"] == ("9 (0)",) * 3
    assert found["mean ± SD"][0] == "15.4 ± 5.8"
    assert found["mean ± SD'"] == ("6.0 ± 4.8",) * 3
    assert found["mean ± SD''"][0] == "−9.4 ± 6.3"
    own = "exact signed rank, zeros ranked (Pratt) (this analysis)"
    # 2 of 2^8 sign patterns; one rises by 2 and one falls by 2, ranks 1.5: T+ is 1.5 or less in 3 of 2^9 a side
    assert found[own] == ("0.0078", "0.0117", "0.0078")
    (published,) = (v for k, v in found.items() if k.startswith("as published"))
    assert published[0] == "0.0140"


def test_the_analysis_own_test_comes_first_is_marked_and_stands_once(demo: Any) -> None:
    for outcomes in (demo.results.of(a.id) for a in demo.study.analyses):
        if outcomes[0].comparison is None:
            continue
        marked = [
            row
            for row in tables.change_table(outcomes).rows
            if "this analysis" in row.cells[0].text
        ]
        assert len(marked) == 1
        assert [c.tone for c in marked[0].cells[1:]] == ["strong", "", ""]


def test_a_one_sided_analysis_says_its_side_and_shows_its_own_p(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    study = study_with((UPROT, UPROT + "\n    alternative: less"))
    pairs = [(20, 14), (22, 22), (19, 20), (25, 15), (30, 21), (18, 12)]
    found = lines(change_of(run(fill(trial_of(study), *pairs).records)))
    # R 4.2.2: t.test(after, before, paired = TRUE, alternative = "less"), and two-sided
    assert found["paired t, one-sided: lower after (this analysis)"][0] == "0.0218"
    assert found["paired t"][0] == "0.0435"


def test_intervals_are_labelled_with_the_level_they_have(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    study = study_with((UPROT, UPROT + "\n    conf_level: 0.9"))
    pairs = [(20, 14), (22, 22), (19, 20), (25, 15), (30, 21), (18, 12)]
    found = lines(change_of(run(fill(trial_of(study), *pairs).records)))
    # R 4.2.2: t.test(after, before, paired = TRUE, conf.level = 0.9)$conf.int
    assert found["90 % interval of the mean (t)"][0] == "−8.8 to −1.2"
    assert not any("95 %" in label for label in found)


def test_a_ratio_known_under_one_baseline_only_stays_in_its_own_row_and_column(
    trial: Any,
) -> None:
    fill(trial, (2.0, 1.0), (4.0, 2.0), (3.0, 1.0))
    for subject, value in (("S1", 0), ("S2", 4.0), ("S3", 3.0)):
        trial.put(subject, "D0", "URINE", URDT="2017-06-01", UPROT24H=value)
    table = change_of(run(trial.records))
    assert {len(row.cells) for row in table.rows} == {4}
    found = lines(table)
    ratio = found["geometric mean ratio, after / before (95 % interval)"]
    assert ratio[0].startswith("0.44 (")  # (1/2 * 1/2 * 1/3)^(1/3)
    assert ratio[1] == "–"
    assert found["P"] == ("", "", "")
    assert found["paired t (this analysis)"][1] != "–"


def test_holes_are_dashes_and_counted(trial: Any) -> None:
    found = lines(change_of(run(fill(trial, (2.0, None), (None, 1.0)).records)))
    assert found["Complete pairs (missing)"][0] == "0 (2)"
    assert found["mean ± SD"][0] == "–"
    assert found["Hodges-Lehmann shift"][0] == "–"


def test_every_number_of_the_table_leads_to_its_outcome(demo: Any) -> None:
    for row in change_of(demo.results).rows:
        for cell, outcome in zip(row.cells[1:], demo.results.of("secondary.uprot"), strict=True):
            assert cell.href == (f"#from-{outcome.id}" if cell.text else "")


def test_the_rows_behind_an_outcome_are_its_pairs_with_their_entries(demo: Any) -> None:
    table = tables.source_table(demo.results.main("secondary.uprot"))
    assert texts(table)[0] == ("001", "2016-10-09", "2.9", "", "2017-04-08", "0.3", "", "−2.6")
    assert table.rows[0].cells[3].links == (("10", "#e10"),)
    assert [name for name, _ in table.columns][2] == "BASE, g/24 h"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(2.0, "2.0"), (2.25, "2.25"), (0.12345678, "0.1235"), (1 / 3, "0.3333"), (None, "–")],
)
def test_a_row_shows_the_value_itself_not_its_rounding(
    trial: Any, value: float | None, shown: str
) -> None:
    results = run(fill(trial, (value, 1.0)).records)
    assert texts(tables.source_table(results.main("secondary.uprot")))[0][2] == shown


# -- who ------------------------------------------------------------------------------------------


def test_the_table_of_patients_at_entry(demo: Any) -> None:
    found = lines(tables.baseline_table(demo.results))
    assert found["Age at consent, years"] == ("29 (19 to 37)", "0")
    assert found["Female"] == (f"8 (88.9{THIN}%)", "")
    assert found["Weight, kg"] == ("60.5 (49.5 to 78.0)", "0")
    assert found["24-hour urine protein, g/24 h (3 months before infusion)"] == ("2.1 ± 1.6", "0")


def test_two_questions_answered_alike_both_keep_their_rows(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    old = "      - {id: REFRACTORY, label: Resistant to standard treatment, type: yesno}\n"
    more = "".join(
        f"      - {{id: {name}, label: {name.capitalize()}, type: yesno}}\n"
        for name in ("DIABETES", "SMOKER")
    )
    trial = trial_of(study_with((old, old + more)))
    for s in ("S1", "S2"):
        trial.put(s, "D0", "INFUSION", INFDT="2017-06-01")
        trial.put(s, "M-3", "ELIG", REFRACTORY=True, DIABETES=False, SMOKER=False)
    rows = texts(tables.baseline_table(run(trial.records)))
    names = [name.strip() for name, *_ in rows]
    for question in ("Diabetes", "Smoker"):
        at = names.index(question)
        assert rows[at + 1 : at + 3] == [
            ("   yes", f"0 (0.0{THIN}%)", ""),
            ("   no", f"2 (100.0{THIN}%)", ""),
        ]


def test_percentages_are_of_those_known_and_the_missing_are_counted(trial: Any) -> None:
    for s, sex in (("S1", "F"), ("S2", "M"), ("S3", None), ("S4", "F")):
        trial.put(s, "D0", "INFUSION", INFDT="2017-06-01")
        trial.put(s, "M-3", "DEMOG", SEX=sex)
    found = lines(tables.baseline_table(run(trial.records)))
    assert found["Sex"] == ("", "1")
    assert found["Female"] == (f"2 (66.7{THIN}%)", "")
    assert found["Age at consent, years"] == ("–", "4")


def test_baseline_is_described_in_everybody_who_has_one_not_only_in_complete_pairs(
    trial: Any,
) -> None:
    results = run(fill(trial, (2.0, 1.0), (4.0, 2.0), (6.0, None), (None, 1.0)).records)
    found = lines(tables.baseline_table(results))
    assert found["24-hour urine protein, g/24 h (3 months before infusion)"] == ("4.0 ± 2.0", "1")


def test_each_measure_has_one_row_however_many_analyses_it_has(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    other = "  - {id: exploratory.egfr,"
    again = "  - {id: again, title: Again, role: exploratory, measure: UPROT24H, at: M3, method: signed_rank}\n"
    study = study_with((other, again + other))
    table = tables.baseline_table(run(fill(trial_of(study), (2.0, 1.0)).records))
    assert sum("24-hour urine protein" in name for name, *_ in texts(table)) == 1


# -- eligibility ----------------------------------------------------------------------------------


def test_each_criterion_shows_its_truth_its_parts_and_the_entries(demo: Any) -> None:
    table = tables.eligibility_table(demo.results.assessments)
    assert [name for name, _ in table.columns] == ["Participant", "I1", "I2", "I3", "Decision"]
    active = table.rows[3].cells[3]  # participant 004: protein 0.9 g, red cells 25, casts
    assert active.text.startswith("met")
    assert active.tone == "good"
    assert [line.strip() for line in active.lines] == [
        "any of",
        "✗ UPROT24H > 1.0: 0.9 g/24 h",
        "✓ URBC > 10: 25 per field",
        "✓ CELLCAST: yes",
    ]
    assert active.links[0] == ("385–386", "#e385")


def test_an_item_whose_name_ends_in_anothers_is_shown_with_its_own_value(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    study = study_with(
        ("rule: UPROT24H > 1.0 or URBC > 10 or CELLCAST", "rule: UWBC > 5 or WBC < 4 or CELLCAST")
    )
    trial = trial_of(study)
    trial.put("S1", "M-3", "URINE", URDT="2017-03-02", UWBC=12, CELLCAST=False)
    trial.put("S1", "M-3", "LABS", LBDT="2017-03-02", WBC=6)
    trial.put("S1", "M-3", "ELIG", ELIGDT="2017-03-02", ENROLDT="2017-03-05")
    cell = tables.eligibility_table(run(trial.records).assessments).rows[0].cells[3]
    assert [line.strip() for line in cell.lines][1:3] == [
        "✓ UWBC > 5: 12 per field",
        "✗ WBC < 4: 6 ×10⁹/L",
    ]


def test_an_unknown_criterion_is_neither_good_nor_bad(trial: Any) -> None:
    trial.put("S1", "M-3", "ELIG", REFRACTORY=True)
    cells = tables.eligibility_table(run(trial.records).assessments).rows[0].cells
    assert [c.tone for c in cells[1:]] == ["open", "good", "open", "open"]
    assert cells[-1].text == "undetermined"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("1.8 g/(24.h)", "1.8 g/24 h"),
        ("no growth", "no growth"),
        ("IV", "IV"),
        ("not recorded", "not recorded"),
    ],
)
def test_values_in_words_keep_what_is_no_unit(shown: str, text: str) -> None:
    evidence = Evidence.__new__(Evidence)
    object.__setattr__(evidence, "shown", shown)
    object.__setattr__(evidence, "date", None)
    assert shown_value(evidence, dated=True) == text


# -- cells ----------------------------------------------------------------------------------------


def test_cells_planned_and_given(demo: Any) -> None:
    assert texts(tables.exposure_table(demo.results.exposures))[0] == (
        "001",
        "L001",
        "58.0",
        f"58.0{THIN}×{THIN}10⁶",
        f"58.6{THIN}×{THIN}10⁶",
        f"1.0{THIN}%",
        "32",
        "25",
        # K / M: 5 EU/kg/h; planned 58e6 / 0.93 / 2e6 per mL = 31.18 mL within the hour in 58 kg
        "9.3",
        "all rules met",
    )


def test_a_broken_rule_of_the_dose_is_said_in_words_and_in_tone(trial: Any) -> None:
    trial.put("S1", "D0", "WEIGHT", WEIGHT=60)
    trial.put("S1", "D0", "INFUSION", INFDT="2017-06-01", VCELLS=7.0e7)
    (row,) = tables.exposure_table(run(trial.records).exposures).rows
    assert row.cells[5].text == f"16.7{THIN}%"
    assert row.cells[-1].tone == "bad"
    assert "not met" in row.cells[-1].text


# -- response -------------------------------------------------------------------------------------


def test_responders_with_the_unknown_between_none_and_all(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    study = study_with(
        (
            "measure: SLEDAI.total, at: M3, method: responders, response: CHG <= -4",
            "measure: UPROT24H, at: M3, method: responders, response: PCHG <= -50",
        )
    )
    pairs = [(2.0, 1.0), (2.0, 0.5), (2.0, 1.1), (2.0, None)]
    results = run(fill(trial_of(study), *pairs).records)
    table = tables.responder_table(results.of("responders.sledai"))
    # R 4.2.2: binom.test(2, 3)$conf.int
    assert texts(table)[0][1:] == (
        "3 months before infusion (primary)",
        "2 of 3",
        f"66.7{THIN}%",
        f"9.4{THIN}% to 99.2{THIN}%",
        f"1 50.0{THIN}% to 75.0{THIN}%",
    )
    assert table.columns[4][0] == "95 % interval (Clopper-Pearson)"


def test_responder_analyses_of_different_levels_each_say_theirs(
    study_with: Make, trial_of: Callable[[Study], Any]
) -> None:
    old = "  - {id: responders.sledai,"
    more = (
        "  - {id: halved, title: Halved, role: exploratory, measure: UPROT24H, at: M3, method: responders, "
        "response: PCHG <= -50, conf_level: 0.9}\n"
    )
    results = run(fill(trial_of(study_with((old, more + old))), (2.0, 1.0)).records)
    outcomes = [o for o in results.outcomes if o.responders]
    table = tables.responder_table(outcomes)
    shown = {(name, interval) for name, _, _, _, interval, _ in texts(table)}
    # R 4.2.2: binom.test(1, 1, conf.level = 0.9)$conf.int
    assert ("Halved", f"90 %: 5.0{THIN}% to 100.0{THIN}%") in shown
    assert table.columns[4][0] == "interval (Clopper-Pearson)"


def test_a_class_that_the_data_cannot_decide_is_a_question_mark_and_no_denominator(
    demo: Any,
) -> None:
    table = tables.response_matrix(demo.results.main("responders.renal"))
    by_name = {row[0]: row[1:] for row in texts(table)}
    assert by_name["Ranjbar 2022"] == (
        *("CR", "CR", "NR", "NR", "NR", "PR", "NR", "NR", "NR"),
        "3 of 9",
    )
    nobility = by_name["NOBILITY complete renal response"]
    known = [level for level in nobility[:-1] if level != "?"]
    assert nobility[-1] == f"{sum(level in ('CR', 'PR') for level in known)} of {len(known)}"
    assert any("this was assumed" in note for note in table.notes)


# -- safety ---------------------------------------------------------------------------------------


def test_every_zero_has_its_bound_beside_it(demo: Any) -> None:
    table = tables.events_table("ae-overview", "Overview", demo.results.overview)
    found = lines(table)
    # R 4.2.2: binom.test(0, 9)$conf.int; binom.test(0, 9, alternative = "less")$conf.int; and 1 of 9
    assert found["Serious"] == (
        "0 of 9",
        f"0.0{THIN}%",
        f"0.0{THIN}% to 33.6{THIN}%",
        f"28.3{THIN}%",
        "0",
        "–",
    )
    assert found["Any event"][:4] == (
        "1 of 9",
        f"11.1{THIN}%",
        f"0.3{THIN}% to 48.2{THIN}%",
        f"42.9{THIN}%",
    )


def test_nobody_treated_has_no_rate(trial: Any) -> None:
    results = run(trial.records)
    table = tables.events_table("ae-overview", "Overview", results.overview)
    assert {row[1:] for row in texts(table)} == {("0 of 0", "–", "–", "–", "0", "–")}


def test_what_is_not_recorded_of_an_event_is_said_and_never_no(trial: Any) -> None:
    trial.put("S1", "D0", "INFUSION", INFDT="2017-06-01")
    trial.put("S1", "", "AE", AETERM="Rash")
    results = run(trial.records)
    assert texts(tables.listing_table(results)) == [
        ("S1", "Rash", "–", "–", "–", "not recorded", "not recorded", "not recorded", "–")
    ]
    by_label = {r.label: r.subjects for r in results.overview}
    assert by_label["Serious"] == by_label["Related and grade 3 or higher"] == 1


def test_the_stopping_rule_says_where_it_stands(demo: Any) -> None:
    (row,) = texts(tables.stopping_table(demo.results))
    # R 4.2.2: pbeta(0.2, 0.2 + 0, 0.8 + 9, lower.tail = FALSE) is 0.01140386
    assert row[2:] == ("0 of 9", "0.011", "go on")


# -- published, chance, deviations ----------------------------------------------------------------


def test_agreement_is_said_in_words(demo: Any, study: Study, trial: Any) -> None:
    words = {row[3] for row in texts(tables.published_table(demo.results.published))}
    assert words == {"reproduced"}
    nobody = texts(tables.published_table(run(trial.records).published))
    assert {row[3] for row in nobody} == {"not in these records", "differs"}


def test_chance_names_the_endpoint_the_size_and_the_source_of_every_row(demo: Any) -> None:
    table = tables.chance_table(demo.results)
    rows = [(row[0], row[2], row[3]) for row in texts(table)]
    # Regression alone: -(1 - 0.5)(15.44 - 8) = -3.7, between patients' own baselines and residual SD.
    assert rows[0] == ("SLEDAI-2K total", "−3.7 ± 5.1", "9")
    assert rows[1:4] + rows[5:] == [
        ("SLEDAI-2K total", "−5.0 ± 8.0", "9"),
        ("SLEDAI-2K total", "−4.8 ± 6.0", "9"),
        ("SLEDAI-2K total", "−3.0 ± 5.0", "9"),
        ("24-hour urine protein", "−1.4 ± 1.1", "9"),
    ]
    assert all(row[6] for row in texts(table))
    assert "Monte Carlo standard error at most 0.4 percentage points" in table.notes[0]


def test_chance_is_of_each_endpoints_own_number_of_patients(trial: Any) -> None:
    fill(trial, (2.0, 1.0), (3.0, 2.0))
    sizes = {row[0]: row[3] for row in texts(tables.chance_table(run(trial.records)))}
    assert sizes == {"24-hour urine protein": "2"}  # no SLEDAI pair: no row


def test_a_deviation_leads_to_its_entries(demo: Any) -> None:
    table = tables.deviations_table(demo.results.deviations)
    assert texts(table) == [
        ("007", "visit M3 done 2 days after its window", "2018-01-02", "–", "visit window")
    ]
    assert table.rows[0].cells[1].href == f"#e{min(demo.results.deviations[0].seqs)}"


def test_links_to_entries_join_runs() -> None:
    assert entry_links((9, 3, 5, 4, 3)) == (("3–5", "#e3"), ("9", "#e9"))
