"""Safety: exact bounds beside every count, the worse where something is not recorded, when to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from onearm.records import Records
from onearm.safety import (
    EventRow,
    adverse_events,
    by_term,
    count_events,
    emergent,
    event_matches,
    overview,
    reported_deviations,
    stopping_states,
)
from onearm.study import Study

NINE = tuple(f"S{n}" for n in range(1, 10))
MILD = {
    "AETERM": "Fever",
    "AESTDT": "2017-01-10",
    "AEGRADE": "2",
    "AESER": False,
    "AEREL": True,
    "AEOUT": "recovered",
}


def treat(trial, *subjects: str) -> None:
    for subject in subjects:
        trial.put(subject, "D0", "INFUSION", INFDT="2017-01-09")


def event(trial, subject: str = "S1", repeat: int = 1, **other) -> None:
    """A mild event; ``other`` changes it, None leaves a part not recorded."""
    answers = {item: other.get(item, answer) for item, answer in MILD.items()}
    trial.put(
        subject, "", "AE", repeat=repeat, **{i: a for i, a in answers.items() if a is not None}
    )


def rows(trial) -> dict[str, EventRow]:
    return {row.label: row for row in overview(trial.records)}


# -- bounds ---------------------------------------------------------------------------------------


def test_nothing_in_nine_leaves_28_percent_possible(trial) -> None:
    # One-sided 1 - 0.05^(1/9), two-sided 1 - 0.025^(1/9): the exact bounds for a count of zero.
    treat(trial, *NINE)
    row = rows(trial)["Any event"]
    assert (row.subjects, row.events, row.of, row.max_grade) == (0, 0, 9, None)
    assert row.upper == pytest.approx(1 - 0.05 ** (1 / 9), rel=1e-9)
    assert row.interval.upper == pytest.approx(1 - 0.025 ** (1 / 9), rel=1e-9)
    assert (f"{100 * row.upper:.1f}", f"{100 * row.interval.upper:.1f}") == ("28.3", "33.6")
    assert row.interval.lower == 0.0


def test_one_in_nine_is_compatible_with_almost_none_and_almost_half(trial) -> None:
    # Clopper-Pearson 1/9: lower 1 - 0.975^(1/9), upper 48.2 % (facts of the trial, section 4.4).
    treat(trial, *NINE)
    event(trial)
    row = rows(trial)["Any event"]
    assert row.interval.estimate == pytest.approx(1 / 9)
    assert row.interval.lower == pytest.approx(1 - 0.975 ** (1 / 9), rel=1e-9)
    assert f"{100 * row.interval.lower:.1f} to {100 * row.interval.upper:.1f}" == "0.3 to 48.2"


def test_without_anybody_treated_there_is_no_share(trial) -> None:
    trial.put("S1", "M-3", "DEMOG", AGE=24)
    row = rows(trial)["Any event"]
    assert (row.of, row.interval, row.upper) == (0, None, None)


def test_a_screen_failure_is_not_in_the_denominator_and_its_event_not_in_the_numerator(
    trial,
) -> None:
    treat(trial, "S1", "S2")
    trial.put("S3", "", "DISPOSITION", DSDECOD="screen failure", DSDT="2017-01-01")
    event(trial, "S3")
    event(trial, "S1")
    row = rows(trial)["Any event"]
    assert (row.subjects, row.events, row.of) == (1, 1, 2)
    assert {e.subject for e in emergent(trial.records)} == {"S1"}
    assert {e.subject for e in adverse_events(trial.records)} == {"S1", "S3"}


def test_three_events_of_one_subject_are_one_subject_and_three_events(trial) -> None:
    treat(trial, *NINE)
    for repeat, grade in ((1, "1"), (2, "3"), (3, "2")):
        event(trial, repeat=repeat, AEGRADE=grade)
    row = rows(trial)["Any event"]
    assert (row.subjects, row.events, row.max_grade) == (1, 3, 3)
    assert rows(trial)["Grade 3 or higher"].events == 1


def test_a_count_names_the_entries_behind_it(trial) -> None:
    treat(trial, "S1", "S2")
    event(trial)
    row = count_events("any", adverse_events(trial.records), ("S1", "S2"))
    mine = {d.entry.seq for d in trial.records.data("subject", "S1") if d.form.id == "AE"}
    assert set(row.seqs) == mine


# -- when it began --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "emerged", "day"),
    [
        ("2017-01-08", False, -1),
        ("2017-01-09", True, 1),  # the day of infusion itself
        ("2017-01-10", True, 2),
        ("2016-12", False, None),  # the day is unknown, that it was before is not
        ("2016", False, None),
        ("2017-01", None, None),  # before or after
        ("2017", None, None),
        ("2017-02", True, None),
        ("9.1.2017", None, None),
        (None, None, None),
    ],
)
def test_an_event_is_emergent_when_no_day_it_may_have_begun_on_lies_before_the_infusion(
    trial, start, emerged: bool | None, day: int | None
) -> None:
    treat(trial, *NINE)
    event(trial, AESTDT=start)
    (found,) = adverse_events(trial.records)
    assert (found.emergent, found.day) == (emerged, day)
    # what may have begun after the infusion is counted; what certainly began before is not
    assert rows(trial)["Any event"].subjects == (0 if emerged is False else 1)


def test_an_event_of_somebody_never_infused_is_neither_before_nor_after(trial) -> None:
    event(trial)
    (found,) = adverse_events(trial.records)
    assert (found.emergent, found.day) == (None, None)
    assert found.start == date(2017, 1, 10)
    assert emergent(trial.records) == ()


# -- what is not recorded -------------------------------------------------------------------------


def test_a_mild_event_is_in_none_of_the_worse_rows(trial) -> None:
    treat(trial, *NINE)
    event(trial)
    assert {label: row.subjects for label, row in rows(trial).items()} == {
        "Any event": 1,
        "Related to the cells": 1,
        "Serious": 0,
        "Grade 3 or higher": 0,
        "Related and grade 3 or higher": 0,
        "Fatal": 0,
    }


@pytest.mark.parametrize(
    ("unknown", "counted"),
    [
        ("AEGRADE", {"Grade 3 or higher", "Related and grade 3 or higher"}),
        ("AESER", {"Serious"}),
    ],
)
def test_an_event_without_a_grade_or_seriousness_counts_as_the_worse(
    trial, unknown: str, counted: set[str]
) -> None:
    treat(trial, *NINE)
    event(trial, **{unknown: None})
    worse = {label for label, row in rows(trial).items() if row.subjects}
    assert worse == {"Any event", "Related to the cells"} | counted


def test_an_event_whose_relation_nobody_judged_counts_as_related(trial) -> None:
    treat(trial, *NINE)
    event(trial, AEREL=None, AEGRADE="3")
    assert rows(trial)["Related and grade 3 or higher"].subjects == 1
    event(trial, AEREL=False, AEGRADE="3")
    assert rows(trial)["Related and grade 3 or higher"].subjects == 0


@pytest.mark.parametrize(
    ("grade", "outcome", "fatal"),
    [("5", "recovered", 1), ("4", "fatal", 1), ("5", None, 1), (None, None, 0), ("4", None, 0)],
)
def test_a_death_is_counted_by_grade_or_outcome_and_never_supposed(
    trial, grade, outcome, fatal: int
) -> None:
    treat(trial, *NINE)
    event(trial, AEGRADE=grade, AEOUT=outcome)
    assert rows(trial)["Fatal"].subjects == fatal


def test_a_grade_that_is_none_is_not_known(trial) -> None:
    treat(trial, *NINE)
    event(trial, AEGRADE="severe")
    assert adverse_events(trial.records)[0].grade is None
    assert rows(trial)["Grade 3 or higher"].subjects == 1


def test_a_grade_may_be_a_whole_number(study_with: Callable[..., Study], trial_of) -> None:
    grade = (
        "label: CTCAE grade, type: choice, choices: ['1', '2', '3', '4', '5'], role",
        "label: CTCAE grade, type: integer, range: [1, 5], role",
    )
    trial = trial_of(study_with(grade))
    treat(trial, *NINE)
    event(trial, AEGRADE=2)
    assert adverse_events(trial.records)[0].grade == 2
    assert rows(trial)["Grade 3 or higher"].subjects == 0


def test_the_events_of_donors_are_not_those_of_participants(
    study_with: Callable[..., Study], trial_of
) -> None:
    log = (
        "  - id: AE\n",
        "  - id: DNAE\n    label: Events of the donor\n    about: donor\n    repeating: true\n"
        "    items:\n      - {id: DNTERM, label: Event, type: text, role: event term}\n"
        "      - {id: DNREL2, label: Related, type: yesno, role: related}\n"
        "      - {id: DNGRADE, label: Grade, type: integer, role: grade}\n"
        "  - id: AE\n",
    )
    trial = trial_of(study_with(log))
    treat(trial, "S1")
    event(trial)
    trial.put("D1", "", "DNAE", DNTERM="Haematoma")
    assert [e.term for e in adverse_events(trial.records)] == ["Fever"]


# -- by term --------------------------------------------------------------------------------------


def test_terms_are_counted_whatever_their_capitals_most_frequent_first(trial) -> None:
    treat(trial, *NINE)
    event(trial, "S1", 1, AETERM="Nausea")
    event(trial, "S2", 1, AETERM="fever")
    event(trial, "S3", 1, AETERM="Fever")
    event(trial, "S3", 2, AETERM="Fever")
    event(trial, "S4", 1, AETERM=None)
    event(trial, "S5", 1, AETERM="Old", AESTDT="2016-01-01")
    found = [(r.label, r.subjects, r.events) for r in by_term(trial.records)]
    assert found == [("fever", 2, 3), ("(term not recorded)", 1, 1), ("Nausea", 1, 1)]


def test_the_demonstration_has_the_one_transient_hypertension_of_the_abstract(
    demo_records: Records,
) -> None:
    (row,) = by_term(demo_records)
    assert (row.label, row.subjects, row.of, row.max_grade) == ("Hypertension", 1, 9, 2)
    (found,) = adverse_events(demo_records)
    assert (found.subject, found.day, found.serious, found.related) == ("005", 1, False, True)


# -- stopping -------------------------------------------------------------------------------------


def stop_after(trial, hits: int, of: int = 9):
    treat(trial, *NINE[:of])
    for subject in NINE[:hits]:
        event(trial, subject, AEGRADE="3")
    (state,) = stopping_states(trial.records)
    return state


@pytest.mark.parametrize("hits", range(10))
def test_the_posterior_is_one_minus_the_beta_distribution(trial, hits: int) -> None:
    from scipy.stats import beta

    # related and grade >= 3, prior Beta(0.2, 0.8), limit 0.2, stop above 0.8
    state = stop_after(trial, hits)
    expected = float(1 - beta.cdf(0.2, 0.2 + hits, 0.8 + 9 - hits))
    assert (state.count, state.of) == (hits, 9)
    assert state.probability == pytest.approx(expected, rel=1e-9)
    assert state.stop is (expected > 0.8)


def test_of_nine_treated_the_fourth_event_stops_the_trial(trial) -> None:
    # scipy 1.17 stats.beta: 1 - cdf(0.2, 0.2 + x, 0.8 + 9 - x) is 0.785 for x = 3, 0.934 for x = 4
    assert stop_after(trial, 3).stop is False
    assert stop_after(trial, 4).stop is True


def test_before_anybody_is_treated_the_prior_speaks_and_nothing_stops(trial) -> None:
    from scipy.stats import beta

    (state,) = stopping_states(trial.records)
    assert (state.count, state.of, state.stop) == (0, 0, False)
    assert state.probability == pytest.approx(1 - beta.cdf(0.2, 0.2, 0.8), rel=1e-9)


@pytest.mark.parametrize(
    ("other", "count", "unknown"),
    [
        ({"AEGRADE": "3"}, 1, 0),
        ({"AEGRADE": "2"}, 0, 0),
        ({"AEGRADE": None}, 1, 1),
        ({"AEREL": None, "AEGRADE": "4"}, 1, 1),
        ({"AEREL": None, "AEGRADE": "2"}, 0, 0),
        ({"AEREL": False, "AEGRADE": None}, 0, 0),
        ({"AEGRADE": "4", "AESTDT": "2017-01-08"}, 0, 0),
        ({"AEGRADE": "4", "AESTDT": None}, 1, 1),
    ],
)
def test_what_may_meet_the_stopping_rule_counts_and_what_cannot_does_not(
    trial, other, count: int, unknown: int
) -> None:
    treat(trial, *NINE)
    event(trial, **other)
    (state,) = stopping_states(trial.records)
    assert (state.count, state.unknown) == (count, unknown)


def test_a_subject_with_a_certain_event_and_an_uncertain_one_is_certain(trial) -> None:
    treat(trial, *NINE)
    event(trial, repeat=1, AEGRADE=None)
    event(trial, repeat=2, AEGRADE="4")
    (state,) = stopping_states(trial.records)
    assert (state.count, state.unknown) == (1, 0)


def test_a_screen_failure_neither_stops_the_trial_nor_dilutes_it(trial) -> None:
    treat(trial, "S1")
    event(trial, "S9", AEGRADE="5")
    (state,) = stopping_states(trial.records)
    assert (state.count, state.of) == (0, 1)


def test_a_second_severe_event_of_one_subject_is_not_a_second_subject(trial) -> None:
    treat(trial, *NINE)
    event(trial, repeat=1, AEGRADE="3")
    event(trial, repeat=2, AEGRADE="4")
    (state,) = stopping_states(trial.records)
    assert state.count == 1


def test_an_event_rule_is_three_valued_over_what_is_recorded(trial) -> None:
    treat(trial, "S1")
    event(trial, AETERM=None, AEGRADE=None)
    (found,) = adverse_events(trial.records)
    assert event_matches('term == "Thrombosis"', found) is None
    assert event_matches('term == "Thrombosis" and serious', found) is False
    assert event_matches("related or grade >= 3", found) is True
    assert event_matches("grade >= 3", found) is None


# -- deviations -----------------------------------------------------------------------------------


def test_a_reported_deviation_keeps_what_is_known_of_it(trial) -> None:
    trial.put("S1", "", "DEVIATION", DVTERM="Visit by telephone", DVDT="2017-04-08", DVIMP=False)
    trial.put("S2", "", "DEVIATION", DVDT="2017-04", DVIMP=None)
    first, second = reported_deviations(trial.records)
    assert (first.subject, first.what, first.day) == ("S1", "Visit by telephone", date(2017, 4, 8))
    assert (first.important, first.source, first.seqs) == (False, "reported", (1, 2, 3))
    assert (second.what, second.day, second.important) == ("(not described)", None, None)
