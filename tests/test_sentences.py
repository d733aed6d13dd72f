"""Sentences: the same text as ever, with what it was made of."""

from __future__ import annotations

import json
import pickle

from onearm.errors import ConductError, DateError, words_of
from onearm.sentences import Sentence, has_words, joined, sentence, term


def test_a_sentence_is_its_text() -> None:
    said = sentence("{value:g} is above {limit:g}", value=2.50, limit=2)
    assert said == "2.5 is above 2"
    assert hash(said) == hash("2.5 is above 2")
    assert json.dumps(said) == '"2.5 is above 2"'
    assert (said.template, said.parts) == (
        "{value:g} is above {limit:g}",
        {"value": 2.5, "limit": 2},
    )


def test_what_a_person_typed_is_never_taken_for_a_template() -> None:
    typed = "{limit} %(n)d {0!r"
    assert sentence("'{value}' is wrong", value=typed) == f"'{typed}' is wrong"
    assert term(typed) == typed
    assert str(ConductError(typed)) == typed
    assert str(DateError(typed)) == typed


def test_a_tuple_is_a_list_of_things() -> None:
    assert sentence("one of {ids}", ids=("A", term("B"))) == "one of A, B"


def test_sentences_stand_one_after_the_other() -> None:
    said = joined("; ", [sentence("item {item}", item="A"), term("closed")])
    assert said == "item A; closed"
    assert [type(p) for p in said.parts.values()] == [Sentence, Sentence]


def test_a_sentence_keeps_its_parts_through_another_process() -> None:
    said = pickle.loads(pickle.dumps(sentence("item {item}", item=term("closed"))))
    assert (said, said.template, said.parts) == (
        "item closed",
        "item {item}",
        {"item": term("closed")},
    )


def test_only_a_template_with_words_of_its_own_is_said_otherwise() -> None:
    assert has_words("{a} of {b}")
    assert not has_words("{kind} {about}, {form}.{item}")
    assert not has_words("{rate:.2f}: {found}")


def test_an_error_says_its_sentence() -> None:
    error = DateError("'{text}' is not a date", text="x")
    assert str(error) == "'x' is not a date"
    assert isinstance(words_of(error), Sentence)
    refused = ConductError(["one", sentence("{n} more", n=2)])
    assert str(refused) == "one\n2 more"
    assert isinstance(refused.messages[1], Sentence)
