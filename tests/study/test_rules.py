"""The rule language: three-valued, closed, checked before it is used."""

from __future__ import annotations

import itertools
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onearm.dates import PartialDate
from onearm.instruments import Bounds
from onearm.study.rules import RuleError, parse_rule

TYPES = {
    "UPROT24H": "quantity",
    "URBC": "number",
    "AGE": "integer",
    "CELLCAST": "yesno",
    "REFRACTORY": "yesno",
    "LNCLASS": ["III", "IV", "III+V"],
    "STATUS": "choice",
    "NOTE": "text",
    "CONSENTDT": "date",
    "INFDT": "date",
    "SLEDAI.total": "number",
}
ENTRY = "UPROT24H > 1.0 or URBC > 10 or CELLCAST"


def truth(text, **values):
    return parse_rule(text, TYPES).evaluate({k.replace("__", "."): v for k, v in values.items()})


def faults(text):
    with pytest.raises(RuleError) as caught:
        parse_rule(text, TYPES)
    return [(fault.at, fault.message) for fault in caught.value.faults]


# -- Kleene's tables ------------------------------------------------------------------------------

NAMES = ("A", "B", "C", "D")
YESNO = dict.fromkeys(NAMES, "yesno")
TRUTHS = (True, False, None)


def kleene_and(*truths):
    """From the definition: the least of the values, false < unknown < true."""
    return min(truths, key=(False, None, True).index)


def kleene_or(*truths):
    return max(truths, key=(False, None, True).index)


def kleene_not(value):
    return None if value is None else not value


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TRUTHS, TRUTHS)))
def test_and_or_not_follow_the_tables_of_kleene(a, b):
    values = {"A": a, "B": b}
    assert parse_rule("A and B", YESNO).evaluate(values) is kleene_and(a, b)
    assert parse_rule("A or B", YESNO).evaluate(values) is kleene_or(a, b)
    assert parse_rule("not A", YESNO).evaluate(values) is kleene_not(a)
    assert parse_rule("not (A and B)", YESNO).evaluate(values) is parse_rule(
        "not A or not B", YESNO
    ).evaluate(values)


trees = st.recursive(
    st.sampled_from(NAMES).map(lambda name: (name, lambda v: v[name])),
    lambda inner: st.one_of(
        inner.map(lambda p: (f"not ({p[0]})", lambda v: kleene_not(p[1](v)))),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]}) and ({p[1][0]})", lambda v: kleene_and(p[0][1](v), p[1][1](v)))
        ),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]}) or ({p[1][0]})", lambda v: kleene_or(p[0][1](v), p[1][1](v)))
        ),
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries({name: st.sampled_from(TRUTHS) for name in NAMES})


@given(trees, rows)
def test_any_rule_has_the_truth_of_its_table(tree, values):
    text, expected = tree
    assert parse_rule(text, YESNO).evaluate(values) is expected(values)


@given(trees, rows)
def test_a_known_truth_stays_whatever_the_missing_values_turn_out_to_be(tree, values):
    rule = parse_rule(tree[0], YESNO)
    known = rule.evaluate(values)
    if known is not None:
        gaps = [name for name in NAMES if values[name] is None]
        for filled in itertools.product((True, False), repeat=len(gaps)):
            assert rule.evaluate({**values, **dict(zip(gaps, filled, strict=True))}) is known


@given(trees, rows)
def test_the_explanation_agrees_with_the_truth_and_with_its_own_parts(tree, values):
    rule = parse_rule(tree[0], YESNO)
    top = rule.explain(values)
    assert top.truth is rule.evaluate(values)
    pending = [top]
    while pending:
        node = pending.pop()
        pending += node.parts
        truths = [part.truth for part in node.parts]
        if node.operator:
            joins = {"AND": kleene_and, "OR": kleene_or, "NOT": kleene_not}
            assert node.truth is joins[node.operator](*truths)


# -- comparisons ----------------------------------------------------------------------------------


def test_a_comparison_with_a_missing_value_is_unknown():
    for operator in ("<", "<=", ">", ">=", "==", "!="):
        assert truth(f"UPROT24H {operator} 1.0") is None
        assert truth(f"UPROT24H {operator} 1.0", UPROT24H=None) is None
        assert truth(f"UPROT24H {operator} 1.0", UPROT24H=math.nan) is None
    assert truth('LNCLASS in ["III"]') is None
    assert truth('LNCLASS not in ["III"]') is None
    assert truth("CELLCAST == true") is None


def test_missing_data_never_make_the_entry_criterion_false():
    assert truth(ENTRY) is None
    assert truth(ENTRY, UPROT24H=0.4, URBC=3) is None
    assert truth(ENTRY, UPROT24H=0.4, URBC=3, CELLCAST=False) is False
    assert truth(ENTRY, URBC=11) is True


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("UPROT24H > 1", {"UPROT24H": 1.0}, False),
        ("UPROT24H >= 1", {"UPROT24H": 1.0}, True),
        ("18 <= AGE < 60", {"AGE": 60}, False),
        ("18 <= AGE < 60", {"AGE": 18}, True),
        ("1 < UPROT24H < URBC", {"URBC": 0.5}, None),
        ("1 < UPROT24H < URBC", {"UPROT24H": 0.5}, False),
        ('LNCLASS == "III+V"', {"LNCLASS": "III+V"}, True),
        ('LNCLASS != "III+V"', {"LNCLASS": "III"}, True),
        ('LNCLASS not in ["III", "IV"]', {"LNCLASS": "III+V"}, True),
        ("AGE in [18, 19]", {"AGE": 19}, True),
        ("CELLCAST == false", {"CELLCAST": False}, True),
        ("CELLCAST != REFRACTORY", {"CELLCAST": True, "REFRACTORY": False}, True),
        ("UPROT24H / URBC > 0.5", {"UPROT24H": 2, "URBC": 3}, True),
        ("(UPROT24H - 1) * 2 + AGE > 20", {"UPROT24H": 2, "AGE": 18}, False),
        ("UPROT24H > -1", {"UPROT24H": 0}, True),
        ("-UPROT24H > -1", {"UPROT24H": 0.5}, True),
        ("UPROT24H > 1.5e0", {"UPROT24H": "1.6"}, True),
        ("CELLCAST", {"CELLCAST": "yes"}, True),
        ("not CELLCAST", {"CELLCAST": "no"}, True),
    ],
)
def test_comparisons_and_arithmetic_have_their_usual_truth(text, values, expected):
    assert parse_rule(text, TYPES).evaluate(values) is expected


def test_division_by_zero_is_unknown_and_nothing_else_is_raised():
    assert truth("UPROT24H / URBC > 1", UPROT24H=1, URBC=0) is None
    assert truth("UPROT24H * 1e300 * 1e300 > 1", UPROT24H=1e300) is True
    assert truth("UPROT24H * 1e300 * 1e300 - URBC * 1e300 * 1e300 > 1", UPROT24H=1e300,
                 URBC=1e300) is None  # fmt: skip


def test_dates_compare_as_dates_and_a_partial_date_is_unknown():
    assert truth("CONSENTDT <= INFDT", CONSENTDT=date(2018, 1, 2), INFDT="2018-01-02") is True
    assert truth("CONSENTDT < INFDT", CONSENTDT=date(2018, 1, 2), INFDT="2018-01-02") is False
    assert truth('CONSENTDT >= "2017-06-03"', CONSENTDT=PartialDate("2017-06-03")) is True
    assert truth('CONSENTDT >= "2017-06-03"', CONSENTDT=PartialDate("2018")) is None
    assert truth('CONSENTDT >= "2017-06-03"', CONSENTDT="2018-05") is None


def test_missing_and_known_are_never_unknown():
    for value, known in ((None, False), (math.nan, False), (1.0, True), (Bounds(1, 2), False)):
        assert truth("known(URBC)", URBC=value) is known
        assert truth("missing(URBC)", URBC=value) is not known
    assert truth("missing(LNCLASS) or missing(CELLCAST)", LNCLASS="III", CELLCAST=False) is False
    assert truth("known(CONSENTDT)", CONSENTDT="2018") is False


@pytest.mark.parametrize("truths", list(itertools.product(TRUTHS, repeat=3)))
@pytest.mark.parametrize("least", [1, 2, 3])
def test_count_is_known_as_soon_as_the_missing_ones_cannot_matter(truths, least):
    values = dict(zip("ABC", truths, strict=True))
    gaps = [name for name in "ABC" if values[name] is None]
    possible = {
        sum({**values, **dict(zip(gaps, filled, strict=True))}.values()) >= least
        for filled in itertools.product((True, False), repeat=len(gaps))
    }
    expected = possible.pop() if len(possible) == 1 else None
    assert parse_rule(f"count(A, B, C) >= {least}", YESNO).evaluate(values) is expected


@given(st.integers(0, 105), st.integers(0, 20), st.integers(0, 110), st.sampled_from(
    ("<", "<=", ">", ">=", "==", "!=")))  # fmt: skip
def test_a_score_known_by_bounds_is_true_or_false_only_when_every_score_within_agrees(
    lower, width, limit, operator
):
    rule = parse_rule(f"SLEDAI.total {operator} {limit}", TYPES)
    answers = {rule.evaluate({"SLEDAI.total": n}) for n in range(lower, lower + width + 1)}
    found = rule.evaluate({"SLEDAI.total": Bounds(lower, lower + width)})
    if found is not None:
        assert answers == {found}
    elif operator not in ("==", "!="):
        assert answers == {True, False}


def test_a_value_of_another_type_is_a_fault_of_the_program_and_says_so():
    with pytest.raises(TypeError, match="UPROT24H is True; the rule needs a number"):
        truth("UPROT24H > 1", UPROT24H=True)
    with pytest.raises(TypeError, match="CELLCAST is 'Y'; the rule needs yes or no"):
        truth("CELLCAST", CELLCAST="Y")
    with pytest.raises(TypeError, match="LNCLASS is 3; the rule needs a text"):
        truth('LNCLASS == "III"', LNCLASS=3)
    with pytest.raises(TypeError, match="CONSENTDT is 5; the rule needs a date"):
        truth('CONSENTDT > "2018-01-01"', CONSENTDT=5)


# -- names, evidence, words -----------------------------------------------------------------------


def test_names_are_listed_once_in_the_order_of_first_use():
    rule = parse_rule("URBC > 1 and (UPROT24H > 2 or URBC > 5) and known(SLEDAI.total)", TYPES)
    assert rule.names == ("URBC", "UPROT24H", "SLEDAI.total")


def test_the_evidence_shows_each_part_with_its_truth_and_the_value_found():
    told = parse_rule(f"REFRACTORY and ({ENTRY})", TYPES).explain(
        {"REFRACTORY": True, "UPROT24H": 0.8, "CELLCAST": False}
    )
    assert str(told) == "\n".join(
        [
            "unknown all of (AND)",
            "  yes     REFRACTORY   (REFRACTORY = yes)",
            "  unknown any of (OR)",
            "    no      UPROT24H > 1.0   (UPROT24H = 0.8)",
            "    unknown URBC > 10   (URBC is missing)",
            "    no      CELLCAST   (CELLCAST = no)",
        ]
    )
    assert [leaf.truth for leaf in told.leaves()] == [True, False, None, False]


def test_a_rule_in_words_shows_and_and_or_and_brackets_between_them():
    labels = {"UPROT24H": "24-hour urine protein", "URBC": "urine red cells", "CELLCAST": "casts"}
    units = {"UPROT24H": "g/24 h", "URBC": "per field"}
    assert parse_rule(ENTRY, TYPES).words(labels, units) == (
        "24-hour urine protein > 1.0 g/24 h OR urine red cells > 10 per field OR casts"
    )
    nested = parse_rule("UPROT24H > 1 and CELLCAST or URBC > 10", TYPES)
    assert nested.words(labels, units) == (
        "(24-hour urine protein > 1 g/24 h AND casts) OR urine red cells > 10 per field"
    )
    assert nested.clauses(labels, units) == (
        "(24-hour urine protein > 1 g/24 h AND casts)",
        "OR urine red cells > 10 per field",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('LNCLASS in ["III", "IV"]', "LNCLASS is one of III or IV"),
        ('LNCLASS not in ["III", "IV"]', "LNCLASS is none of III or IV"),
        ('STATUS == "no growth"', "STATUS is no growth"),
        ("not CELLCAST", "NOT CELLCAST"),
        ("not URBC >= 10", "NOT (URBC ≥ 10)"),
        ("18 <= AGE <= 40", "18 ≤ AGE ≤ 40"),
        ("missing(URBC)", "URBC is not recorded"),
        ("count(CELLCAST, URBC > 10) >= 2", "number of (CELLCAST; URBC > 10) ≥ 2"),
        ("UPROT24H / URBC != -1", "(UPROT24H / URBC) ≠ −1"),
        ("CELLCAST == false", "CELLCAST is no"),
    ],
)
def test_every_form_of_a_rule_has_words(text, words):
    assert parse_rule(text, TYPES).words() == words


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "part"),
    [
        ("LNCLAS == 'III'", 0, "'LNCLAS' is not a name this rule can use; did you mean LNCLASS?"),
        ("LNCLASS == 'VII'", 11, '"VII" is not a choice of LNCLASS; did you mean III?'),
        ("LNCLASS == 3", 11, "write the value in quotes, one of III, IV, III+V"),
        ("UPROT24H > '1'", 11, "write the number without quotes"),
        ("LNCLASS > 'III'", 10, "have no order; only numbers and dates have one; write == or !="),
        ("CELLCAST == 'yes'", 12, "write CELLCAST alone, or compare it with true or false"),
        ("CELLCAST == yes", 12, "'yes' is not a name; yes and no are true and false; write true"),
        ("UPROT24H = 1", 9, "'=' does not compare; equal is ==; write =="),
        ("UPROT24H => 1", 9, "'=>' is not part of the rule language"),
        ("UPROT24H ≥ 1", 9, "'≥' is not part of the rule language; comparisons are >= <= !="),
        ("UPROT24H > 1 && CELLCAST", 13, "conditions are joined by and; write and"),
        ("CELLCAST || REFRACTORY", 9, "conditions are joined by or; write or"),
        ("CELLCAST OR REFRACTORY", 9, "'OR' is in capitals"),
        ("CELLCAST | REFRACTORY", 0, "'|' is not part of the rule language; write or"),
        ("UPROT24H", 0, "'UPROT24H' is a number; a condition is true or false"),
        ("URBC and CELLCAST", 0, "compare it with something, as in 'URBC > 1.0'"),
        ("NOTE + 'a' == 'b'", 0, "'NOTE' is a text; arithmetic is on numbers"),
        ("CONSENTDT > '2018-02-30'", 12, '"2018-02-30" is not a calendar date'),
        ("(UPROT24H > 1", 0, "brackets and quotes come in pairs"),
        ("UPROT24H > ", 0, "a comparison has two sides"),
        ("", 0, "the rule is empty"),
        ("1 < 2", 0, "the rule looks at no recorded value"),
        ("true", 0, "the rule looks at no recorded value"),
        ("count(UPROT24H) > 1", 6, "'UPROT24H' is a number; a condition is true or false"),
        ("missing(3)", 8, "missing() takes one name"),
        ("missing()", 0, "missing() is not complete; it takes one name"),
        (
            "mising(URBC)",
            0,
            "'mising' is not a function of the rule language; did you mean missing",
        ),
        ("URBC in []", 8, "'in' needs a list of values"),
        ("URBC in 'abc'", 8, "'in' needs a list of values"),
        ("URBC in [1, UPROT24H]", 12, "'UPROT24H' stands in a list"),
        ("1 < URBC in [2]", 0, "'in' stands inside a chain of comparisons"),
        ("URBC is 3", 0, "'is' is not part of the rule language; write == to compare"),
        ("URBC > None", 7, "for a value not recorded write missing(ITEM)"),
        ("URBC > 1e999", 7, "the number is too large to be read"),
        ("URBC > 1 # high", 9, "a '#' is not part of the rule language"),
        ("NOTE == 'a\\n'", 10, "a backslash is not part of the rule language"),
    ],
)
def test_a_fault_is_placed_and_told(text, at, part):
    found = faults(text)
    assert (found[0][0], part in found[0][1]) == (at, True), found


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__ == 1",
        "NOTE.__class__ == 'a'",
        "9**9**9 > URBC",
        "'a' * 1000000000 == NOTE",
        "URBC << 1000 > 1",
        "URBC % 2 == 1",
        "URBC // 2 == 1",
        "~URBC > 1",
        "lambda: URBC",
        "[x for x in URBC]",
        "URBC if CELLCAST else AGE",
        "(URBC := 3) > 1",
        "NOTE[0] == 'a'",
        "f'{NOTE}' == 'a'",
        "b'a' == NOTE",
        "1j == URBC",
        "... == URBC",
        "{URBC: 1}",
        "URBC, AGE",
        "open('x')",
        "exec('x')",
        "missing(URBC, AGE)",
        "missing(x=URBC)",
        "count(*CELLCAST) > 1",
        "await URBC",
        "URBC\x00 > 1",
        "URBC > 1; AGE > 2",
        "import os",
        "URBC > 1) or (CELLCAST",
        "(" * 500 + "URBC > 1" + ")" * 500,
        "not " * 200 + "CELLCAST",
        "URBC > 1 or " * 70 + "CELLCAST",
        "URBC > " + "1 + " * 240 + "1",
        "CELLCAST or " * 300 + "CELLCAST",
    ],
)
def test_nothing_outside_the_language_is_read(text):
    assert faults(text)


def test_every_fault_of_a_rule_is_found_at_its_own_place():
    assert [at for at, _ in faults("LNCLAS == 'III' or URBC > 'a' or\nCELLCASTS")] == [0, 26, 33]


def test_characters_of_other_scripts_do_not_shift_places():
    assert [at for at, _ in faults('STATUS == "گروه" or FOO > 1')] == [20]


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_is_refused_with_a_message(text):
    found = []
    try:
        assert parse_rule(text, TYPES).evaluate({}) in TRUTHS
    except RuleError as error:
        found = list(error.faults)
    assert all(fault.message and 0 <= fault.at <= len(text) for fault in found)


words = st.sampled_from(
    ["UPROT24H", "URBC", "CELLCAST", "LNCLASS", "CONSENTDT", "SLEDAI.total", "1", "2.5", "'III'",
     "true", "and", "or", "not", "in", "(", ")", "[", "]", ",", "<", ">=", "==", "+", "-", "/",
     "missing(", "count(", "*"]
)  # fmt: skip


@given(st.lists(words, max_size=12).map(" ".join), st.integers(0, 3))
def test_whatever_is_accepted_can_be_evaluated_explained_and_told(text, gaps):
    try:
        rule = parse_rule(text, TYPES)
    except RuleError:
        return
    full = {"UPROT24H": 1.5, "URBC": 0.0, "CELLCAST": True, "LNCLASS": "III",
            "CONSENTDT": "2018-01-01", "SLEDAI.total": Bounds(4, 8)}  # fmt: skip
    values = dict(list(full.items())[gaps:])
    assert rule.explain(values).truth is rule.evaluate(values)
    assert rule.words()
