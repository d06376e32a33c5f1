"""Fences, thoughts, cut JSON and refusals of a language model give no description."""

import json

import pytest
from model_server import completion

from milan_core.describers.spoken import phrase_of, refuses
from milan_core.describers.vlm import _texts
from milan_core.endpoint.answer import Answer, read_answer
from milan_core.endpoint.capabilities import Capabilities
from milan_core.endpoint.question import Question

PLAIN = Capabilities(images=True, logprobs=False, schema=False, problems={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('```json\n{"description": "dogs"}\n```', "dogs"),
        ('Here it is:\n{"description": "dogs"} or {"description": "cats"}', "dogs"),
        ("<think>\nperhaps {cats}\n</think>\n\n**dogs**\nThey bark.", "dogs"),
        ("Here is the answer:\n\ndogs", "dogs"),
        ("dogs {brown}", "dogs {brown}"),
        ('{"description": "a red bal', ""),
        ('```json\n{"description": "a red', ""),
        ('Sure: {"description": "a red', ""),
        ('{"descriptions": "dogs"}', ""),
        ('{"description": ["dogs", "cats"]}', ""),
        ("<think>\nthey all show", ""),
        ("Here is the answer:", ""),
    ],
)
def test_the_phrase_of_a_text(text, expected):
    assert phrase_of(text) == expected
    assert _texts([Answer(text)], PLAIN) == ([expected] if expected else [])


def test_a_text_that_was_cut_is_no_description():
    assert phrase_of("a dog with a long", cut=True) == ""
    assert phrase_of("dogs\nThey all have", cut=True) == "dogs"
    reply = completion("a dog with a long")
    reply["choices"][0]["finish_reason"] = "length"
    answer = read_answer(json.dumps(reply), Question("?"))
    assert answer.cut
    assert _texts([answer], PLAIN) == []


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I am not able to see it",
        "Sorry, no.",
        "I cannot identify people",
        '"As an AI model, I see nothing"',
    ],
)
def test_refusals_in_words_are_no_descriptions(text):
    assert refuses(text)
    assert _texts([Answer(text), Answer("dogs")], PLAIN) == ["dogs"]


def test_descriptions_are_no_refusals():
    for text in ("a sorry sight", "sorrel horses", "icons", "a can of beans", "asian temples"):
        assert not refuses(text)
