"""The tokenizer, the vocabulary, and text from ids (specification 1.5 and 4.2)."""

import json

import numpy as np
import pytest
from paths import TESTS

from milan_core.captioner.vocabulary import Tokenizer, Vocabulary, reconstruct, tokenize

GOLDEN = TESTS / "data/golden/decoder"


@pytest.fixture(scope="module")
def expected():
    return json.loads((GOLDEN / "expected.json").read_text())


def test_golden_vocabulary_and_indexing(expected):
    vocabulary = Vocabulary.from_texts(expected["texts"])
    assert [*vocabulary.words, "<start>", "<stop>", "<pad>", "<unk>"] == expected["vocab"]
    ids = Tokenizer(vocabulary).encode(expected["texts"][:40])
    assert ids.dtype == np.int64
    assert ids.tolist() == expected["indexed"]


def test_golden_text_of_every_beam(expected):
    tokenizer = Tokenizer(Vocabulary(tuple(expected["vocab"][:-4])))
    for name in ("beam", "beam_mi", "rerank"):
        found = tokenizer.decode(np.array(expected[name]["beam_tokens"]))
        assert found == expected[name]["beam_captions"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Dog's  ear\n", ["a", "dog", "'s", "ear"]),
        ("dog-like, faces.", ["dog", "-", "like", ",", "faces", "."]),
        ("   ", []),
        ("don't stop", ["do", "n't", "stop"]),
    ],
)
def test_tokens_are_lower_case_and_never_empty(text, words):
    assert tokenize(text) == words


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("dog - like , faces", "Dog-like, faces"),
        ("a dog . The Cat : red ; blue .", "A dog. The cat: red; blue."),
        (", the blurry fabric", ", the blurry fabric"),
        ("RED dog", "Red dog"),
        ("- a", "-a"),
        ("", ""),
    ],
)
def test_reconstruct(words, text):
    assert reconstruct(words.split()) == text


def test_order_is_falling_count_then_first_appearance():
    vocabulary = Vocabulary.from_texts(["b a", "c a", "d c"])
    assert vocabulary.words == ("a", "c", "b", "d")
    assert (vocabulary.start, vocabulary.stop, vocabulary.pad, vocabulary.unk) == (4, 5, 6, 7)
    assert (len(vocabulary), vocabulary.size) == (4, 8)


def test_encode_marks_unknown_words_and_pads():
    tokenizer = Tokenizer(Vocabulary(("a", "b")))
    assert tokenizer.encode(["a zzz b", "b"]).tolist() == [[2, 0, 5, 1, 3], [2, 1, 3, 4, 4]]
    assert tokenizer.encode("b").tolist() == [2, 1, 3]
    assert tokenizer.encode([]).shape == (0, 2)


def test_decode_cuts_at_the_first_stop_and_drops_special_ids():
    tokenizer = Tokenizer(Vocabulary(("a", "b")))
    assert tokenizer.decode([2, 0, 5, 1, 4, 3, 0]) == "A b"
    assert tokenizer.decode(np.array([[2, 0, 3], [1, 3, 0]])) == ["A", "B"]
    assert tokenizer.decode([[[0], [1]]]) == [["A", "B"]]
    assert tokenizer.decode([]) == ""
