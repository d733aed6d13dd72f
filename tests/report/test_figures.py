"""Figures: the same bytes, readable without colour, true to the values, and whole whatever the words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest

from onearm.report.document import flow_boxes, trajectories
from onearm.report.figures import (
    BETTER,
    SAME,
    WORSE,
    Box,
    Line,
    Trajectories,
    alternative,
    flow,
    paired_plot,
    paired_trajectories,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>alert('x')</script> & $\\bad{$ \"بیمار\""


def line(subject: str, before: float, after: float, verdict: str) -> Line:
    return Line(subject, (-91, 91), (before, after), before, after, verdict)


def data(*lines: Line, **more: Any) -> Trajectories:
    given: dict[str, Any] = {
        "label": "Protein",
        "unit": "g/24 h",
        "before": "Before",
        "after": "After",
        "lines": lines,
        "log": False,
        "ticks": ((-91, "M-3\n-91"), (1, "D0\n+1"), (91, "M3\n+91")),
        "mean": None,
    }
    return Trajectories(**given | more)


@pytest.fixture(scope="module")
def drawn() -> str:
    """A figure with one line of each verdict."""
    lines = (
        line("S1", 2.0, 1.0, "better"),
        line("S2", 1.0, 2.0, "worse"),
        line("S3", 3.0, 3.0, "same"),
    )
    return paired_trajectories(data(*lines, mean=((2.0, 1.0, 3.0), (1.95, 1.0, 3.0))), "f")


def words(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text")]


def strokes(svg: str) -> list[tuple[str, str]]:
    """Colour and dashes of every line of data (drawn 1.3 wide)."""
    found = re.findall(r'style="([^"]*stroke-width: 1\.3[^"]*)"', svg)
    return [
        (
            re.search(r"stroke: (#\w+)", style)[1],  # type: ignore[index]
            (re.search(r"stroke-dasharray: ([\d., ]+)", style) or ["", ""])[1],
        )
        for style in found
    ]


def test_the_same_data_give_the_same_bytes(demo: Any) -> None:
    shown = trajectories(demo.results, demo.results.main("primary.sledai"))
    first = paired_trajectories(shown, "fig-primary.sledai")
    assert first == paired_trajectories(shown, "fig-primary.sledai")
    assert first in demo.html


def test_a_figure_is_one_svg_element_without_date_program_or_outside_address(drawn: str) -> None:
    root = ET.fromstring(drawn)
    assert root.tag == f"{SVG}svg"
    assert "metadata" not in drawn
    assert not re.search(r"Matplotlib v|matplotlib\.org", drawn)
    links = re.findall(r'(?:href|src)="([^"]*)"', drawn)
    assert all(link.startswith("#f-") for link in links)
    assert not re.search(r"20\d\d-\d\d-\d\d", drawn)


def test_ids_carry_the_figures_own_prefix_and_every_reference_has_its_id(drawn: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', drawn)
    assert len(ids) == len(set(ids))
    assert all(i.startswith("f-") for i in ids)
    targets = re.findall(r'href="#([^"]*)"', drawn) + re.findall(r"url\(#([^)]*)\)", drawn)
    assert set(targets) <= set(ids)


def test_better_worse_and_unchanged_differ_in_colour_and_in_dashes(drawn: str) -> None:
    kinds = set(strokes(drawn))
    assert {colour for colour, _ in kinds} == {BETTER, WORSE, SAME}
    assert len({dashes for _, dashes in kinds}) == 3
    assert dict(kinds)[BETTER] == ""  # solid


def test_the_figure_says_in_words_what_it_shows(drawn: str) -> None:
    expected = (
        "Protein, one line per participant from Before to After: 1 better, 1 worse, 1 unchanged."
    )
    assert f'role="img" aria-label="{expected}"' in drawn
    assert alternative(data()) == expected.replace("1", "0")


def test_text_is_text_in_the_reports_own_font(drawn: str) -> None:
    found = words(drawn)
    for text in ("Before", "After", "Protein, g/24 h", "Paired change, n = 3", "S1", "S2", "S3"):
        assert text in found
    families = set(re.findall(r"font-family: ([^;\"]*)", drawn))
    assert families == {"'IBM Plex Sans'"}


def test_means_are_printed_as_in_the_tables_rounded_half_up(drawn: str) -> None:
    assert "2.0" in words(drawn)
    assert words(drawn).count("2.0") >= 2  # 1.95 too
    whole = data(
        line("S1", 86.5, 89.5, "better"),
        mean=((86.5, 80.0, 90.0), (89.49, 80.0, 95.0)),
        decimals=0,
    )
    assert {"87", "89"} <= set(words(paired_trajectories(whole, "f")))


def test_the_log_axis_is_named_and_has_round_ticks_and_only_positive_values_get_it() -> None:
    lines = (line("S1", 2.0, 0.5, "better"), line("S2", 4.0, 1.0, "better"))
    logged = words(paired_trajectories(data(*lines, log=True), "f"))
    assert "Protein, g/24 h (log scale)" in logged
    assert {"0.5", "1", "2"} <= set(logged)


def test_the_trajectories_of_a_log_measure_with_a_zero_are_drawn_on_a_plain_axis(
    trial: Any,
) -> None:
    from onearm.analysis import run

    for s, before, after in (("S1", 2.0, 0), ("S2", 1.0, 0.5)):
        trial.put(s, "D0", "INFUSION", INFDT="2017-06-01")
        trial.put(s, "M-3", "URINE", URDT="2017-03-02", UPROT24H=before)
        trial.put(s, "M3", "URINE", URDT="2017-08-30", UPROT24H=after)
    results = run(trial.records)
    shown = trajectories(results, results.main("secondary.uprot"))
    assert shown.log is False
    assert shown.mean is not None
    assert "(log scale)" not in paired_trajectories(shown, "f")


def test_trajectories_hold_every_known_value_and_the_geometric_mean_on_the_log_axis(
    demo: Any,
) -> None:
    shown = trajectories(demo.results, demo.results.main("secondary.uprot"))
    by_subject = {item.subject: item for item in shown.lines}
    assert by_subject["001"].values == (2.9, 2.4, 0.3)
    assert by_subject["001"].days == (-92, 1, 90)
    assert by_subject["001"].verdict == "better"
    assert by_subject["004"].verdict == "worse"
    assert shown.log is True and shown.mean is not None
    # R 4.2.2: exp(mean(log(x))) of the nine proteins at month -3 and month 3
    assert shown.mean[0][0] == pytest.approx(1.665586407280, rel=1e-9)
    assert shown.mean[1][0] == pytest.approx(0.858451230679, rel=1e-9)


def test_where_higher_is_better_a_rise_is_better(demo: Any) -> None:
    shown = trajectories(demo.results, demo.results.main("exploratory.egfr"))
    for item in shown.lines:
        assert item.before is not None and item.after is not None
        if item.after != item.before:
            assert (item.verdict == "better") == (item.after > item.before)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (line("S1", 1.0, 1.0, "same"),),
        (Line("S1", (5,), (1.0,), None, None, "same"),),
        (Line("S1", (-91,), (2.0,), 2.0, None, "same"), line("S2", 1.0, 2.0, "worse")),
        tuple(line(f"S{i}", 1.0, 1.0, "same") for i in range(30)),
        (line("S1", 1e90, 1e-90, "better"), line("S2", 1e-90, 1e90, "worse")),
        (line("S1", -3.0, -2.0, "worse"),),
    ],
    ids=["none", "one point", "one visit", "no after", "all equal", "huge", "negative"],
)
@pytest.mark.parametrize("log", [False, True])
def test_few_equal_huge_or_half_known_values_are_drawn(lines: tuple[Line, ...], log: bool) -> None:
    ET.fromstring(paired_trajectories(data(*lines, log=log), "f"))


def test_words_of_any_kind_stay_words() -> None:
    shown = data(line(HOSTILE, 1.0, 2.0, "worse"), label=HOSTILE, unit=HOSTILE)
    svg = paired_trajectories(shown, "f")
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert HOSTILE in [e.text for e in root.iter(f"{SVG}text")]
    assert HOSTILE in (root.get("aria-label") or "")


def test_the_paired_plot_of_any_table_skips_holes_and_names_its_sides() -> None:
    svg = paired_plot([2.0, None, 1.0, 3.0], [1.0, 5.0, 2.0, 3.0], "pre $x$", "post", "g")
    found = words(svg)
    assert "Paired change, n = 3" in found
    assert {"pre $x$", "post", "Value, g"} <= set(found)
    assert {colour for colour, _ in strokes(svg)} == {BETTER, WORSE, SAME}
    assert svg == paired_plot([2.0, None, 1.0, 3.0], [1.0, 5.0, 2.0, 3.0], "pre $x$", "post", "g")


def test_the_paired_plot_of_nothing_is_a_figure() -> None:
    assert "Paired change, n = 0" in words(paired_plot([None], [1.0], "a", "b", ""))


# -- participant flow -----------------------------------------------------------------------------


def test_the_flow_counts_who_went_on_and_who_left_and_why() -> None:
    boxes = [
        Box("Assessed", 12, "Not enrolled", (("screen failure: I1", 2), ("in screening", 0))),
        Box("Enrolled", 10),
    ]
    assert words(flow(boxes)) == [
        "Assessed, n = 12",
        "Not enrolled, n = 2",
        "screen failure: I1, 2",
        "Enrolled, n = 10",
    ]


def test_the_flow_of_the_demonstration_adds_up(demo: Any) -> None:
    boxes = flow_boxes(demo.results)
    assert [box.n for box in boxes] == [9, 9, 9, 9]
    for box, following in pairwise(boxes):
        assert box.n - sum(n for _, n in box.left) == following.n


def test_the_flow_adds_up_when_people_leave_at_every_step(trial: Any) -> None:
    from onearm.analysis import run

    trial.put("S1", "", "DISPOSITION", DSDECOD="screen failure")
    trial.put("S2", "M-3", "ELIG", ELIGDT="2017-03-02")  # still in screening
    trial.put("S3", "M-3", "ELIG", ENROLDT="2017-03-05")
    trial.put("S3", "", "DISPOSITION", DSDECOD="withdrew before infusion")
    trial.put("S4", "M-3", "ELIG", ENROLDT="2017-03-05")  # waiting
    for s in ("S5", "S6"):
        trial.put(s, "M-3", "ELIG", ENROLDT="2017-03-05")
        trial.put(s, "D0", "INFUSION", INFDT="2017-06-01")
    trial.put("S5", "", "DISPOSITION", DSDECOD="lost to follow-up")
    for visit, day in (("M-3", "2017-03-02"), ("M3", "2017-08-30")):
        trial.labs("S6", visit, day)
        trial.sledai("S6", visit, day)
    boxes = flow_boxes(run(trial.records))
    assert [box.n for box in boxes] == [6, 4, 2, 1]
    for box, following in pairwise(boxes):
        assert box.n - sum(n for _, n in box.left) == following.n
    reasons = [words for box in boxes for words, n in box.left if n]
    assert reasons[1:] == [
        "in screening",
        "withdrew before infusion",
        "waiting",
        "lost to follow-up",
    ]
    assert reasons[0].startswith("screen failure: ")


def test_words_in_the_flow_stay_words() -> None:
    svg = flow([Box(HOSTILE, 1, HOSTILE, ((HOSTILE, 1),)), Box("End", 0)])
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert sum(HOSTILE in (e.text or "") for e in root.iter(f"{SVG}text")) == 3
