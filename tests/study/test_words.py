"""A study in words, and the differences of two studies in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onearm.study import StudyError, load_study, parse_study
from onearm.study.phrases import number_words
from onearm.study.words import TOPICS, describe, describe_diff, diff, schedule_table

HERE = Path(__file__).parent
SMALL = (HERE / "small.yaml").read_text(encoding="utf-8")
STUDIES = HERE.parents[1] / "studies" / "lupus-msc"
FILES = ("abstract-2018", "registry", "paper-2022")


@pytest.fixture(scope="module")
def small():
    return parse_study(SMALL, "small.yaml")


@pytest.fixture(scope="module")
def trial():
    return {name: load_study(STUDIES / f"{name}.yaml") for name in FILES}


# -- one study ------------------------------------------------------------------------------------


def test_the_protocol_in_words_is_golden(small):
    golden = (HERE / "small.txt").read_text(encoding="utf-8")
    assert describe(small) == golden.replace("HASH", small.hash[:16])


@pytest.mark.parametrize("name", FILES)
def test_no_line_is_wider_than_a_page_and_none_ends_in_spaces(trial, name):
    lines = describe(trial[name]).split("\n")
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line != line.rstrip()] == []


def test_the_dose_of_the_abstract_is_told_in_one_sentence(trial):
    assert "1 × 10⁶ viable cells per kg, once, intravenous; tolerance ±10 %" in describe(
        trial["abstract-2018"]
    )


def test_the_entry_criterion_shows_its_or_and_the_registry_s_its_and(trial):
    abstract, registry = describe(trial["abstract-2018"]), describe(trial["registry"])
    assert re.search(r"= Protein, 24-hour urine > 1\.0 g/24 h\n +OR Red cells", abstract)
    assert re.search(r"= Protein, 24-hour urine > 1\.0 g/24 h\n +AND Falling renal fu", registry)
    assert re.search(r"AND Falling renal function\n +AND SLEDAI-2K total > 8\n", registry)


def test_the_schedule_marks_each_form_at_its_visits_and_nowhere_else(trial, small):
    for study in (small, *trial.values()):
        table = schedule_table(study)
        assert len({len(line) for line in table[:4]}) == 1
        ends = [match.end() for match in re.finditer(r"\S+", table[0])]
        assert table[0].split() == [visit.id for visit in study.schedule.visits]
        rows = {line.split("  ")[1].strip(): line for line in table[5:]}
        for form in study.forms:
            marked = [v.id for v in study.schedule.visits if form.id in v.forms]
            if marked:
                row = rows[form.label].ljust(100)
                found = [row[end - 1] == "×" for end in ends]
                assert [v.id for v, m in zip(study.schedule.visits, found, strict=True) if m] == (
                    marked
                )


def test_visits_that_do_not_fit_beside_each_other_continue_below():
    visits = "\n".join(
        f"    - {{id: W{n}, label: week {n}, day: {7 * n + 1}, forms: [URINE]}}"
        for n in range(2, 25)
        if n not in (13,)
    )
    later = "    - {id: M9, label: 9 months after, day: 271, forms: [SLEDAI, URINE]}"
    text = re.sub(r"    - \{id: M3, .*\n", visits + "\n" + later + "\n", SMALL)
    study = parse_study(text.replace("at: M3", "at: M9"), "small.yaml")
    table = schedule_table(study)
    assert max(map(len, table)) <= 100
    heads = [line.split() for n, line in enumerate(table) if n == 0 or not table[n - 1]]
    assert [visit for head in heads for visit in head] == [v.id for v in study.schedule.visits]


@pytest.mark.parametrize(
    ("value", "words"),
    [(1e6, "1 × 10⁶"), (2.5e6, "2.5 × 10⁶"), (1.2e8, "1.2 × 10⁸"), (99999.0, "99999"),
     (-91, "−91"), (20181230, "20181230"), (0.2, "0.2"), (0.0001, "1 × 10⁻⁴"), (-2e6, "−2 × 10⁶"),
     (0.0, "0"), (18.0, "18")],
)  # fmt: skip
def test_numbers_are_written_for_people(value, words):
    assert number_words(value) == words


def longitudinal(words=""):
    """The small study with its primary analysis by the longitudinal model."""
    old = "method: signed_rank, zeros: pratt, published: {method: signed_rank_normal, p: 0.014}"
    return parse_study(SMALL.replace(old, f"method: mmrm{words}"), "small.yaml")


def test_a_longitudinal_model_is_told_with_visits_covariances_and_degrees_of_freedom():
    told = " ".join(describe(longitudinal()).split())
    assert (
        "Activity [primary.sledai]: SLEDAI-2K total at 3 months after against baseline, mixed model for repeated "
        "measures over the values at every visit; covariance unstructured, else heterogeneous ante-dependence, else "
        "heterogeneous AR(1), else heterogeneous compound symmetry, else compound symmetry; degrees of freedom "
        "Kenward and Roger Secondary"
    ) in told
    words = (
        ", visits: [M-3, M3], dependent: CHG, covariates: [BASE, AGE], covariance: [cs], df: satterthwaite, "
        "information: expected, missing: [tipping_point, return_to_baseline], deltas: [0, 2]"
    )
    assert (
        "over the changes from baseline at visits M-3 and M3, covariates BASE and AGE; covariance compound symmetry; "
        "degrees of freedom Satterthwaite from the expected information; sensitivity to missing follow-up: tipping "
        "point, return to baseline"
    ) in " ".join(describe(longitudinal(words)).split())


def test_two_longitudinal_models_differ_in_what_they_say_differently():
    other = longitudinal(", covariance: [us, cs], df: residual")
    found = {d.path.rpartition("/")[2]: (d.left, d.right) for d in diff(longitudinal(), other)}
    assert found == {
        "covariance": ("us, adh, ar1h, csh, cs", "us, cs"),
        "df": ("kenward-roger", "residual"),
    }


# -- two studies ----------------------------------------------------------------------------------


def test_a_study_does_not_differ_from_itself(small, trial):
    for study in (small, *trial.values()):
        assert diff(study, study) == []
    assert (
        describe_diff(small, small) == "small.yaml (first) and small.yaml (second) say the same.\n"
    )


def test_the_order_of_lists_with_ids_and_a_default_written_out_are_no_difference(small):
    visits = re.findall(r"    - \{id: (?:I1|I2), .*\n", SMALL)
    text = SMALL.replace("".join(visits), "".join(reversed(visits)))
    text = text.replace("day: 1, forms", "day: 1, window: [0, 0], forms")
    text = text.replace("id: SYSBP, label: Systolic", "label: Systolic, required: true, id: SYSBP")
    text = text.replace("safety:\n", "safety:\n  ctcae: v5\n").replace(
        "route: intra", "route:  intra"
    )
    other = parse_study(text, "other.yaml")
    assert other.hash != small.hash
    assert diff(small, other) == []


CHANGES = [
    ("Design", "phase: I-II", "phase: I", "Phase: I-II in small.yaml; I in other.yaml"),
    ("Planned number", "treated: 9", "treated: 10", "Planned, treated: 9 in small.yaml; 10 in"),
    ("Design", "seed: 1}", "seed: 2}", "Seed: 1 in small.yaml; 2 in other.yaml"),
    ("Sources", "An abstract.", "Another.", "Source abstract: An abstract. in small.yaml; Another."),
    ("Registration", "sources:\n", "registration: {id: N1, timing: while recruiting}\nsources:\n",
     "Registration: not stated in small.yaml; N1, while recruiting in other.yaml"),
    ("Population", "condition: Lupus nephritis", "condition: Lupus", "Condition: Lupus nephritis in"),
    ("Population", "UPROT24H > 1.0 or CELLCAST", "UPROT24H > 1.0 and CELLCAST",
     "Inclusion I2: Active (Protein, 24-hour urine > 1.0 g/24 h OR Cellular casts, no older than 1 "
     "month) in small.yaml; Active (Protein, 24-hour urine > 1.0 g/24 h AND Cellular casts,"),
    ("Population", "UPROT24H > 1.0 or", "UPROT24H >= 1.0 or", "≥ 1.0 g/24 h OR Cellular casts"),
    ("Population", "UPROT24H > 1.0 or", "UPROT24H  >  1.0 or", "Inclusion I2, rule: UPROT24H > 1.0"),
    ("Population", "within: P1M", "within: P2M", "no older than 2 months) in other.yaml"),
    ("Population", "E1, text: Too active", "E2, text: Too active", "Exclusion E1: Too active (SLED"),
    ("Donor", "relation: [sibling]", "relation: [sibling, parent]",
     "Donor's relation to the patient: sibling in small.yaml; sibling or parent in other.yaml"),
    ("Donor", "age: [18, 40]", "age: [18, 45]", "Donor's age: 18 to 40 years in small.yaml; 18 to 45"),
    ("Donor", "hla: required", "hla: not required", "HLA match of the donor: required in small.yaml"),
    ("Donor", "within: P7D", "within: P30D", "within 30 days of tissue recovery in other.yaml"),
    ("Product", "VIABILITY >= 80", "VIABILITY >= 70", "Release test R1: Viability: Viability ≥ 80 % i"),
    ("Product", ", pending: conditional", "", "Release test R2: "),
    ("Product", "name: Cells", "name: Stem cells", "Name: Cells in small.yaml; Stem cells in other"),
    ("Dose", "value: 1.0e6", "value: 2.0e6",
     "Dose: 1 × 10⁶ cells/kg in small.yaml; 2 × 10⁶ cells/kg in other.yaml"),
    ("Dose", "unit: '1/kg'", "unit: 10*6/kg", "Dose: 1 × 10⁶ cells/kg in small.yaml; 1 × 10¹² cells"),
    ("Dose", "tolerance: 10 %", "tolerance: 20 %", "Dose tolerance: ±10 % in small.yaml; ±20 % in"),
    ("Dose", "value: 2, unit: mL/min", "value: 4, unit: mL/min", "Fastest infusion: 2 mL/min in smal"),
    ("Schedule", "id: W1, label: 1 week after, day: 8", "id: W1, label: 1 week after, day: 9",
     "Visit W1, day: 8 in small.yaml; 9 in other.yaml"),
    ("Schedule", "day: 91, window: [-14, 14]", "day: 91, window: [-14, 21]",
     "Visit M3, window: −14, 14 in small.yaml; −14, 21 in other.yaml"),
    ("Forms", "unit: mg/dL", "unit: umol/L", "Item URINE.CREAT, unit: mg/dL in small.yaml; umol/L in"),
    ("Forms", "choices: [III, IV, V]", "choices: [III, IV, V, VI]", "Item BASIC.LNCLASS, choices VI"),
    ("Forms", "range: [0, 30]", "range: [0, 50]", "Item URINE.UPROT24H, range: 0, 30 in small.yaml"),
    ("Forms", "name: sledai_2k", "name: selena_sledai", "Form SLEDAI, instrument name: sledai_2k in"),
    ("Baseline", "visit: M-3}", "rule: mean before infusion}",
     "Primary baseline: 3 months before (value at visit M-3) in small.yaml; 3 months before (rule: "),
    ("Baseline", "id: month-3", "id: early", "Primary id: month-3 in small.yaml; early in other.yaml"),
    ("Analyses", "summary: mean change", "summary: median change", "Estimand EST: All infused; SLEDA"),
    ("Analyses", "zeros: pratt", "zeros: wilcoxon", "Analysis primary.sledai, zeros: pratt in small"),
    ("Analyses", "p: 0.014", "p: 0.041", "Analysis primary.sledai, published p: 0.014 in small.yaml"),
    ("Analyses", "scale: log, ", "", "Measure UPROT24H, scale: log in small.yaml; linear in other"),
    ("Safety", "limit: 0.2", "limit: 0.25", "Stopping rule S1: stop when the probability that more"),
    ("Comparators", "change: -5", "change: -4", "Comparator placebo: SLEDAI-2K total: change −5"),
    ("Published results", "value: '6.0'", "value: '6'", "Published SLEDAI after, mean: 6.0 in small.y"),
    ("Published results", ", from: primary.sledai.after.mean", "",
     "Published SLEDAI after, mean, from: primary.sledai.after.mean in small.yaml; not stated in"),
    ("Outputs", "[abstract, change, data]", "[abstract, data]",
     "Parts of the report: abstract, change, data in small.yaml; abstract, data in other.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "old", "new", "words"), CHANGES)
def test_a_change_is_the_only_difference_and_told_in_words(small, topic, old, new, words):
    assert old in SMALL
    found = diff(small, parse_study(SMALL.replace(old, new, 1), "other.yaml"))
    assert {difference.topic for difference in found} == {topic}
    assert words in " | ".join(difference.text for difference in found)
    for difference in found:
        assert difference.left != difference.right
        assert difference.text.endswith(
            f"{difference.left} in small.yaml; {difference.right} in other.yaml"
        )


def test_every_topic_is_told_by_some_change():
    assert {topic for topic, *_ in CHANGES} == set(TOPICS)


def test_all_changes_at_once_hide_none_of_each_other(small):
    text = SMALL
    told = []
    for topic, old, new, _ in CHANGES:
        if text.count(old) >= 1 and "E2" not in new:
            text = text.replace(old, new, 1)
            told.append(topic)
    found = diff(small, parse_study(text, "other.yaml"))
    paths = {difference.path for difference in found}
    assert {difference.topic for difference in found} == set(told) == set(TOPICS)
    assert len(paths) == len(found)
    assert {
        "study/phase", "study/seed", "study/planned/treated", "registration", "population/condition",
        "population/inclusion/I2", "donor/relation", "donor/age", "donor/hla", "donor/tests/HIV",
        "product/name", "product/release/R1", "product/release/R2", "product/dose/per_kg",
        "product/dose/tolerance", "product/dose/max_rate", "schedule/visits/W1/day",
        "schedule/visits/M3/window", "forms/URINE/items/CREAT/unit",
        "forms/URINE/items/UPROT24H/range", "forms/SLEDAI/instrument/name",
        "forms/BASIC/items/LNCLASS/choices/VI", "baseline/primary", "baseline/primary/id",
        "estimands/EST", "analyses/primary.sledai/zeros", "analyses/primary.sledai/published/p",
        "measures/UPROT24H/scale", "safety/stopping/S1", "comparators/placebo",
        "published/numbers/SLEDAI after, mean", "published/numbers/SLEDAI after, mean/from",
        "outputs",
    } <= paths  # fmt: skip


def test_no_single_value_can_change_without_a_difference(small):
    """Each scalar of the file in turn becomes another; whatever still loads must differ."""
    from onearm.study.source import read_tree

    root, _ = read_tree(SMALL, "small.yaml")
    lines = SMALL.split("\n")
    changed = 0
    for node in scalars(root):
        line = lines[node.line - 1]
        start = node.column - 1 + node.lead
        written = str(getattr(node.value, "raw", node.value))
        if line[start : start + len(written)] != written:
            continue
        other = another(written)
        text = "\n".join(
            [*lines[: node.line - 1], line[:start] + other + line[start + len(written) :],
             *lines[node.line :]]
        )  # fmt: skip
        if node.line % 11 == 0:  # one line in eleven keeps the test quick
            try:
                study = parse_study(text, "other.yaml")
            except StudyError:
                continue
            changed += 1
            assert diff(small, study), (written, other, node.line)
    assert changed >= 7


def scalars(node):
    if node.kind == "scalar":
        yield node
    for inner in (*node.keys.values(), *node.items):
        yield from scalars(inner)


def another(written):
    if written in ("true", "false"):
        return {"true": "false", "false": "true"}[written]
    return (
        f"{written[:-1]}{(int(written[-1]) + 1) % 10}" if written[-1].isdigit() else written + "x"
    )


def test_two_files_of_one_name_are_told_apart(small):
    other = parse_study(SMALL.replace("phase: I-II", "phase: I"), "elsewhere/small.yaml")
    assert diff(small, other)[0].text == (
        "Phase: I-II in small.yaml (first); I in small.yaml (second)"
    )


def test_the_printed_differences_are_grouped_by_topic_and_fit_the_page(trial):
    told = describe_diff(trial["abstract-2018"], trial["registry"])
    found = diff(trial["abstract-2018"], trial["registry"])
    assert told.startswith(f"{len(found)} differences between abstract-2018.yaml and registry.yaml")
    headings = [line.title() for line in told.split("\n") if line.isupper() and line[0] != " "]
    assert headings == [t.title() for t in TOPICS if any(d.topic == t for d in found)]
    assert max(map(len, told.split("\n"))) <= 100
    assert (
        "  Dose: 1 × 10⁶ cells/kg in abstract-2018.yaml; 2 × 10⁶ cells/kg in registry.yaml" in told
    )


# -- the trial this project was born from: its three sources do not agree --------------------------
#
# Each row of the comparison of the three sources (made by reading them) against what the files say.

A, R, P = FILES
ROWS = [
    ("design", A, R, "Phase", "I-II", "not stated"),
    ("design", A, R, "Design", "single-arm before-after", "controlled"),
    ("design", A, R, "Planned, controls", "0", "10"),
    ("design", A, P, "Phase", "I-II", "I"),
    ("design", R, P, "Design", "controlled", "single-arm before-after"),
    ("n treated", A, R, "Planned, treated", "9", "10"),
    ("n treated", R, P, "Planned, treated", "10", "9"),
    ("dose cells/kg", A, R, "Dose", "1 × 10⁶ cells/kg", "2 × 10⁶ cells/kg"),
    ("dose cells/kg", A, P, "Dose", "1 × 10⁶ cells/kg", "2 × 10⁶ cells/kg"),
    ("donor", A, R, "Donor's relation to the patient", "sibling",
     "sibling, parent, child or other relative"),
    ("donor", A, R, "Donor's age", "not stated", "18 to 40 years"),
    ("donor", A, R, "HLA match of the donor", "not stated", "required"),
    ("donor", A, R, "Donor rule D1", "not stated", "No illness"),
    ("donor", A, P, "Donor's relation to the patient", "sibling", "not stated"),
    ("donor", R, P, "Donor's age", "18 to 40 years", "not stated"),
    ("entry proteinuria", A, R, "Inclusion I3",
     "Protein, 24-hour urine > 1.0 g/24 h OR Red cells per high-power field > 10 per field OR Cell",
     "Protein, 24-hour urine > 1.0 g/24 h AND Falling renal function AND SLEDAI-2K total > 8"),
    ("entry proteinuria", R, P, "Inclusion I3", "> 1.0 g/24 h AND", "not stated"),
    ("LN class", A, R, "Inclusion I1", "Class at biopsy (ISN/RPS) is one of III, IV,", "not stated"),
    ("LN class", A, P, "Inclusion I1", "Lupus nephritis class III or IV", "proven by biopsy"),
    ("refractory definition", A, R, "Inclusion I2", "Resistant to standard treatment",
     "Resistant to at least 3 months of standard therapy"),
    ("refractory definition", R, P, "Inclusion I2", "at least 3 months", "Refractory to standard th"),
    ("before measurement", A, R, "Primary baseline", "3 months before infusion (value at visit M-3)",
     "before transplantation (value at visit PRE)"),
    ("before measurement", A, P, "Primary baseline", "3 months before infusion", "baseline (rule: "),
    ("follow-up", A, R, "Follow-up", "1 visit, to day 91: 3 months after",
     "6 visits, to day 548: 1 week after, 1 month after, 3 months after, 6 months after, 12 months "
     "after and 18 months after"),
    ("follow-up", A, P, "Follow-up", "to day 91", "4 visits, to day 365: 1 month after, 3 months"),
    ("follow-up", R, P, "Visit W1", "1 week after, day 8", "not stated"),
    ("follow-up", R, P, "Visit M18", "18 months after, day 548", "not stated"),
    ("SLEDAI", A, P, "Published SLEDAI before, mean", "15.4", "not stated"),
    ("SLEDAI", A, P, "Published SLEDAI after, mean", "6.0", "not stated"),
    ("SLEDAI", A, P, "Published SLEDAI before, median", "not stated", "16"),
    ("SLEDAI", A, P, "Published SLEDAI at month 6, median", "not stated", "6"),
    ("SLEDAI", A, P, "Analysis primary.sledai, published p", "0.014", "0.007"),
    ("SLEDAI", A, P, "Analysis primary.sledai, at", "3 months after (M3)", "6 months after (M6)"),
    ("24h protein", A, P, "Published 24-hour urine protein before, mean, g", "2.1", "not stated"),
    ("24h protein", A, P, "Published 24-hour urine protein before, median, mg", "not stated", "1800"),
    ("24h protein", A, P, "Published 24-hour urine protein at month 1, median, mg", "not stated",
     "1020"),
    ("24h protein", A, P, "Analysis secondary.uprot, published p", "0.308", "0.008"),
    ("24h protein", A, P, "Analysis secondary.uprot, at", "3 months after (M3)", "1 month after (M1)"),
    ("response", A, P, "Published Complete response within the first 3 months, %", "not stated",
     "33.3"),
    ("response", A, P, "Published Partial response within the first 3 months, %", "not stated",
     "44.4"),
    ("response", A, R, "Analysis responders.renal, title", "Renal response", "Renal remission"),
    ("harms", A, P, "Published Patients with transient hypertension", "1", "not stated"),
    ("harms", A, P, "Published Patients with a major adverse event", "not stated", "0"),
    ("harms", A, R, "Objective", "urine protein", "side effects"),
    ("registration", A, R, "Registration", "not stated",
     "IRCT2016090729747N1, registered 2017-06-03, while recruiting"),
    ("registration", R, P, "Registration", "while recruiting", "not stated"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "first", "second", "title", "left", "right"), ROWS)
def test_the_sources_disagree_here(trial, row, first, second, title, left, right):
    found = [d for d in diff(trial[first], trial[second]) if d.text.startswith(f"{title}: ")]
    assert len(found) == 1, row
    assert left in found[0].left
    assert right in found[0].right


def test_every_row_that_the_sources_disagree_in_is_tested():
    assert len({row for row, *_ in ROWS}) == 14


@pytest.mark.parametrize(("first", "second", "title"), [
    (A, P, "Planned, treated"), (R, P, "Dose"), (A, P, "Registration"), (A, P, "Design"),
])  # fmt: skip
def test_where_two_sources_agree_nothing_is_told(trial, first, second, title):
    assert [d for d in diff(trial[first], trial[second]) if d.text.startswith(f"{title}: ")] == []


def test_what_the_paper_prints_has_no_path_because_no_record_reproduces_it(trial):
    assert all(number.from_ is None for number in trial["paper-2022"].published.numbers)
    assert all(number.from_ for number in trial["abstract-2018"].published.numbers)
