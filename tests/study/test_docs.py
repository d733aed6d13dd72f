"""The reference of the study file names every key and every permitted value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from onearm.study import parse_study
from onearm.study.model import Part, Role
from onearm.study.rules import parse_rule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def parts(part=Part):
    for inner in part.__subclasses__():
        yield inner
        yield from parts(inner)


def literals(annotation):
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for inner in get_args(annotation):
        yield from literals(inner)


def in_page(word):
    return f"`{word}`" in PAGE


@pytest.mark.parametrize("part", sorted(parts(), key=lambda p: p.__name__))
def test_every_key_and_every_permitted_value_is_in_the_reference(part):
    for name, field in part.model_fields.items():
        assert in_page(field.alias or name), f"{part.__name__}.{name}"
        for value in literals(field.annotation):
            assert in_page(value), f"{part.__name__}.{name}: {value}"


def test_every_role_says_what_it_is_for():
    table = PAGE[PAGE.index("| role | of an item") :].split("\n\n")[0]
    told = set(re.findall(r"`([a-z ]+)`", table.replace("`a`", "").replace("`min`", "")))
    assert told == set(get_args(Role))


def test_the_example_of_a_fault_in_the_reference_has_the_four_parts():
    example = next(line for line in PAGE.split("\n\n") if "41:14" in line)
    assert " ".join(example.split()).count("; ") == 2


@pytest.mark.parametrize("rule", re.findall(r"^    ([A-Z1].*)$", RULES, flags=re.MULTILINE))
def test_the_rules_shown_are_rules(rule):
    types = {"UPROT24H": "number", "URBC": "number", "CELLCAST": "yesno", "AGE": "integer",
             "LNCLASS": ["III", "IV", "III+V", "IV+V"], "CONSENTDT": "date"}  # fmt: skip
    assert parse_rule(rule, types).names


def test_the_python_shown_does_what_its_comments_say():
    code = RULES[RULES.index("```python") + 9 : RULES.rindex("```")]
    printed = []
    exec(code, {"print": lambda text: printed.append(str(text))})
    expected = re.findall(r"^# (.*)$", code, flags=re.MULTILINE)
    assert "\n".join(printed).split("\n") == expected


def test_the_shipped_files_mark_what_their_sources_do_not_say():
    for name in ("registry", "paper-2022", "abstract-2018"):
        text = (ROOT / "studies" / "lupus-msc" / f"{name}.yaml").read_text(encoding="utf-8")
        assert text.count("assumed") >= 4
        assert parse_study(text, name).sources
