"""The longitudinal model in the report: its figure, its tables and where its numbers come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from onearm.analysis import AtVisit, Outcome, Results, run
from onearm.ledger import Draft, Key
from onearm.report.document import flow_boxes
from onearm.report.longitudinal import (
    change_table,
    covariance_table,
    missing_table,
    pairs_table,
    profile,
    profiles,
)
from onearm.study import Study

Make = Callable[..., Study]
Course = Sequence[float | None]
VISITS = ("PRE", "M1", "M3", "M6", "M12")
#: Constructed: nine patients, of whom two leave early.
FIVE: dict[str, Course] = {
    "PRE": [3.1, 2.4, 1.9, 2.8, 1.2, 2.2, 4.0, 1.7, 2.6],
    "M1": [2.7, 2.5, 1.5, 2.0, None, 2.1, 3.1, 1.6, 2.0],
    "M3": [1.9, 1.6, 1.2, 1.7, 0.9, 1.1, None, 1.5, 1.3],
    "M6": [1.5, 1.3, None, 1.1, 1.0, 0.9, None, 1.2, 0.8],
    "M12": [1.8, 1.0, None, 1.4, 0.7, 1.3, None, 1.6, 0.9],
}
LINEAR = ("24-hour urine protein, scale: log", "24-hour urine protein")
OUTPUTS = (
    "change, trajectories, response",
    "abstract, change, trajectories, longitudinal, response",
)


def model(words: str = "", role: str = "secondary") -> tuple[str, str]:
    words += "" if "missing" in words else ", missing: []"  # imputations take seconds
    entry = (
        f"id: long, title: Protein over time, role: {role}, measure: UPROT24H, at: M6, method: mmrm"
    )
    return ("\nsafety:\n", f"  - {{{entry}{words}}}\n\nsafety:\n")


@pytest.fixture
def trial_with(trial_of: Any, study_with: Make) -> Callable[..., Any]:
    """The trial of the paper with a longitudinal model and constructed courses."""

    def make(*changes: tuple[str, str], words: str = "", **courses: Course) -> Any:
        study = study_with(model(words), OUTPUTS, *changes, name="paper-2022.yaml")
        return trial_of(study).courses(**(courses or FIVE))

    return make


@pytest.fixture
def outcome(trial_with: Callable[..., Any]) -> Callable[..., Outcome]:
    def make(*changes: tuple[str, str], **other: Any) -> Outcome:
        return run(trial_with(*changes, **other).records).main("long")

    return make


def column(table: Any, n: int) -> list[str]:
    return [r.cells[n].text for r in table.rows]


# -- the figure -----------------------------------------------------------------------------------


def test_the_figure_stands_on_the_true_axis_of_time(outcome: Callable[..., Outcome]) -> None:
    svg = profile(outcome(LINEAR))
    days = re.findall(r'<text x="([\d.]+)"[^>]*>day ([−\d]+)</text>', svg)
    at = {int(day.replace("−", "-")): float(x) for x, day in days}
    assert list(at) == [-14, 31, 91, 183, 365]
    step = (at[365] - at[-14]) / (365 + 14)
    assert [at[d] for d in at] == pytest.approx([at[-14] + step * (d + 14) for d in at], abs=0.1)
    assert re.findall(r">n = (\d)<", svg) == ["9", "8", "8", "7", "7"]


def test_the_figure_is_told_in_words_with_unit_direction_and_patients(
    outcome: Callable[..., Outcome],
) -> None:
    svg = profile(outcome(LINEAR))
    label = re.search('aria-label="([^"]*)"', svg)
    assert label is not None
    assert label[1].startswith(
        "24-hour urine protein, g/24 h, mean and interval by visit: baseline (day −14, 9 "
    )
    assert "↓ lower is better" in svg
    assert ">infusion</text>" in svg


def test_a_mean_lies_as_high_as_it_is_and_within_its_interval(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(LINEAR)
    svg = profile(o)
    heights = {
        float(value): float(y)
        for y, value in re.findall(r'<text x="50.0" y="([\d.]+)"[^>]*>([\d.]+)</text>', svg)
    }
    (a, ya), (b, yb) = list(heights.items())[:2]
    assert o.longitudinal is not None
    means = [v.mean.estimate for v in o.longitudinal.visits if v.mean]
    drawn = [float(y) for y in re.findall(r'<path d="M[\d.]+ ([\d.]+)l', svg)]
    tops = [7.5 if v.id == "M6" else 5.5 for v in o.longitudinal.visits]
    expected = [ya + (m - a) * (yb - ya) / (b - a) - 4 for m in means]
    assert [y + t for y, t in zip(drawn, tops, strict=True)] == pytest.approx(expected, abs=0.2)


def test_visits_near_each_other_have_their_labels_below_each_other(
    outcome: Callable[..., Outcome],
) -> None:
    early = (
        "{id: M1, label: 1 month after, day: 31, window: [-14, 14]",
        "{id: M1, label: 1 week after, day: 8, window: [-6, 6]",
    )
    rows = {}
    for name, changes in (("far", ()), ("near", (early,))):
        svg = profile(outcome(LINEAR, *changes))
        rows[name] = len(
            set(re.findall(r'y="([\d.]+)" text-anchor="middle" fill="#1b1f27" font-weight', svg))
        )
    assert rows == {"far": 1, "near": 2}


def test_logarithms_are_drawn_on_their_scale_and_changes_from_nothing(
    outcome: Callable[..., Outcome],
) -> None:
    assert "(geometric means, log scale)" in profile(outcome())
    svg = profile(outcome(LINEAR, words=", dependent: CHG, covariates: [BASE]"))
    assert "change from baseline, g/24 h" in svg
    assert "baseline (day −14, 9 patients) 0.0;" in svg


def test_an_interval_beyond_all_values_stretches_the_figure_no_further_than_their_span(
    outcome: Callable[..., Outcome],
) -> None:
    three = {name: list(values)[:3] for name, values in FIVE.items()}
    o = outcome(words=", dependent: CHG, covariates: [BASE]", **three)
    assert o.longitudinal is not None
    ends = [v.change.line.upper or 0.0 for v in o.longitudinal.visits if v.change]
    assert max(ends) > 1e6  # of ratios, by less than one degree of freedom
    steps = re.findall(r'text-anchor="end" fill="#1b1f27">([\d.e+]+)</text>', profile(o))
    assert 0.1 < max(map(float, steps)) < 10


# -- the tables -----------------------------------------------------------------------------------


def test_the_table_has_a_line_for_every_visit_and_marks_that_of_the_result(
    outcome: Callable[..., Outcome],
) -> None:
    o = outcome(LINEAR)
    table = change_table([o])
    months = [f"{n} month{'s' if n > 1 else ''} after (M{n})" for n in (1, 3, 6, 12)]
    assert column(table, 0) == ["baseline", *months]
    assert column(table, 1) == ["9", "8", "8", "7", "7"]
    assert [r.cells[3].tone for r in table.rows] == ["", "", "", "strong", ""]
    assert {c.href for r in table.rows for c in r.cells[1:] if c.text != "–"} == {
        "#from-long.baseline"
    }
    assert any("39 values of 9 patients, restricted maximum likelihood" in n for n in table.notes)
    assert any(
        "degrees of freedom Kenward and Roger, observed information" in n for n in table.notes
    )


def test_complete_pairs_stand_beside_the_model(outcome: Callable[..., Outcome]) -> None:
    o = outcome(LINEAR)
    table = pairs_table([o])
    assert column(table, 3) == ["8", "8", "7", "7"]
    assert column(table, 2) == column(change_table([o]), 7)[1:]


def test_the_covariance_shows_each_correlation_once(outcome: Callable[..., Outcome]) -> None:
    table = covariance_table(outcome(LINEAR, words=", covariance: [cs]"))
    assert table is not None
    assert [name for name, _ in table.columns][2:] == [
        f"with {v}" for v in ("baseline", *VISITS[1:4])
    ]
    shown = [[c.text for c in r.cells[2:] if c.text] for r in table.rows]
    assert [len(line) for line in shown] == [0, 1, 2, 3, 4]
    assert len({text for line in shown for text in line}) == 1
    assert "compound symmetry" in table.caption


def test_a_structure_that_failed_stands_in_the_notes_with_its_reason(
    outcome: Callable[..., Outcome],
) -> None:
    four = {name: list(values)[:4] for name, values in FIVE.items()}
    notes = change_table([outcome(LINEAR, words=", covariance: [us, cs]", **four)]).notes
    assert [n for n in notes if n.startswith("Not unstructured, tried before: ")]


def test_who_has_no_value_and_what_was_left_out_stand_in_the_notes(
    outcome: Callable[..., Outcome],
) -> None:
    ten = {name: [*values, None] for name, values in FIVE.items()}
    notes = change_table([outcome(LINEAR, words=", visits: [M3, M6]", **ten)]).notes
    assert "Infused, but without a value in the model: S10." in notes
    assert any(n.startswith("15 measurements not in the model: ") for n in notes)


def test_every_other_assumption_has_a_line_with_its_words(outcome: Callable[..., Outcome]) -> None:
    words = ", missing: [multiple_imputation, tipping_point], deltas: [0, 1]"
    o = outcome(LINEAR, words=words, **{**FIVE, "M1": [v or 1.3 for v in FIVE["M1"]]})
    table = missing_table(o)
    assert table is not None
    assert column(table, 0) == [
        "by the model",
        "as the others (multiple imputation)",
        "delta 0",
        "delta +1",
    ]
    assert table.rows[0].cells[1].text == change_table([o]).rows[3].cells[3].text
    assert "24-hour urine protein at M6" in table.caption
    assert any(n.startswith("Simulated: 1000 imputations a row") for n in table.notes)
    assert missing_table(outcome(LINEAR)) is None


def test_every_baseline_rule_has_its_lines(trial_with: Callable[..., Any]) -> None:
    also = (
        "rule: last before infusion}",
        "rule: last before infusion}\n  also: [{id: mean, label: mean before, rule: mean before infusion}]",
    )
    results: Results = run(trial_with(LINEAR, also).records)
    table = change_table(results.of("long"))
    heads = [r.cells[0].text for r in table.rows if r.head]
    assert heads == ["Baseline: baseline (primary)", "Baseline: mean before"]
    assert len(table.rows) == 2 + 2 * 5


# -- the page -------------------------------------------------------------------------------------


def test_the_section_is_sound_and_its_numbers_lead_to_the_entries(
    trial_with: Callable[..., Any], page_of: Callable[..., Any]
) -> None:
    trial = trial_with(LINEAR)
    page = page_of(trial.records)
    assert page.unbalanced == []
    inner = [href[1:] for _, _, href in page.addresses if href.startswith("#")]
    assert [name for name in inner if name not in page.ids] == []
    assert len(page.ids) == len(set(page.ids))
    assert ("#from-long.baseline", "7") in page.links_in("longitudinal-long")
    rows = page.text("rows-long.baseline")
    assert rows.count("2017-05-18") == 9  # the day of each value before
    entries = {href for href, _ in page.links_in("rows-long.baseline")}
    values = {f"#e{e.seq}" for e in trial.snapshot.entries if e.key.item == "UPROT24H"}
    assert entries == values
    assert "Method mmrm, AVAL. Dataset ADLB: PARAMCD = UPROT24H" in page.text("from-long.baseline")


def test_the_abstract_tells_the_result_with_links(
    trial_with: Callable[..., Any], page_of: Callable[..., Any]
) -> None:
    text = page_of(trial_with(LINEAR).records).text("abstract")
    assert "By the longitudinal model 24-hour urine protein changed by " in text
    assert " from baseline to 6 months after (95 % interval " in text


def test_a_model_that_cannot_be_fitted_says_why_and_draws_nothing(
    trial_with: Callable[..., Any], page_of: Callable[..., Any]
) -> None:
    trial = trial_with(LINEAR, PRE=FIVE["PRE"])
    section = profiles(run(trial.records))[0]
    assert section.figure == ""
    page = page_of(trial.records)
    assert "The model could not be fitted: nobody has a value at a later visit" in page.text(
        "over-time"
    )
    assert (
        "24-hour urine protein by the longitudinal model, 6 months after: could not be fitted."
        in (page.text("abstract"))
    )


def test_where_the_model_is_primary_the_flow_counts_all_of_whom_it_has_a_value(
    trial_of: Any, study_with: Make
) -> None:
    primary = ("    role: primary         # assumed\n", "    role: secondary\n")
    study = study_with(model(role="primary"), primary, name="paper-2022.yaml")
    boxes = flow_boxes(run(trial_of(study).courses(**FIVE).records))
    assert [b.n for b in boxes] == [9, 9, 9, 9]
    assert boxes[2].left_label == "No value in the model of the primary endpoint"


def test_without_the_word_longitudinal_among_the_outputs_there_is_no_section(
    trial_of: Any, study_with: Make, page_of: Callable[..., Any]
) -> None:
    study = study_with(model(), name="paper-2022.yaml")
    assert "over-time" not in page_of(trial_of(study).courses(**FIVE).records).ids


@pytest.mark.parametrize("nature", ["constructed", "simulated"])
def test_data_that_are_made_up_are_called_so_at_the_figure(
    trial_with: Callable[..., Any], page_of: Callable[..., Any], nature: str
) -> None:
    trial = trial_with(LINEAR)
    assert "data." not in page_of(trial.records).text("over-time")
    trial.record(Draft(Key("study", "1", "DATA", "NATURE", "", 1), nature))
    assert f"n: patients with a value. Thin lines: the patients. {nature.capitalize()} data." in (
        page_of(trial.records).text("over-time")
    )


def test_a_visit_of_no_single_day_has_no_id(outcome: Callable[..., Outcome]) -> None:
    assert outcome(LINEAR).longitudinal is not None
    first: AtVisit = outcome(LINEAR).longitudinal.visits[0]  # type: ignore[union-attr]
    assert (first.id, first.key, first.baseline) == ("", "", True)
