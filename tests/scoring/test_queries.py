"""Queries over descriptions: whole words, synonyms, phrases that do not count."""

import pytest

from milan_core.scoring.options import Query
from milan_core.scoring.queries import matches, shipped_queries
from milan_core.scoring.words import names_concept, tokens


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("faces", "Brown portraits", True),
        ("faces", "People's faces", True),
        ("faces", "the eyes and mouth of a dog", True),
        ("faces", "Wooden surfaces", False),
        ("faces", "headlights of cars", False),
        ("faces", "clock faces", False),
        ("faces", "A clock face beside a face", True),
        ("faces", "", False),
        ("faces_published", "Wooden surfaces", True),
        ("text", "words and letters", True),
        ("text", "rough textures", False),
        ("text", "On pools: text", True),
        ("text_published", "rough textures", True),
        ("gender", "Women in hats", True),
        ("gender", "man-made objects", False),
        ("ethnicity", "white people", True),
        ("ethnicity", "white walls", False),
        ("ethnicity", "race cars", False),
        ("colours", "Red things", True),
        ("colours", "Shredded paper", False),
    ],
)
def test_shipped_queries(query, text, expected):
    assert matches(text, shipped_queries()[query]) is expected


def test_an_excluded_phrase_takes_only_its_own_words():
    query = Query(words=["face"], exclude=["rock face", "face paint"])
    assert not matches("A rock face", query)
    assert not matches("rock face paint", query)
    assert matches("rock faces near a face", query)
    assert matches("a face on rock", query)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("a caf\u00e9", "a cafe\u0301", 2),  # one letter, or a letter and its accent
        ("CR\u00c8ME br\u00fbl\u00e9e", "creme brulee", 2),
        ("Stra\u00dfe", "STRASSE", 1),
        ("\u0441\u043e\u0431\u0430\u043a\u0430", "\u0421\u041e\u0411\u0410\u041a\u0410", 1),
        ("\uff44\uff4f\uff47", "dog", 1),
    ],
)
def test_a_word_is_one_however_its_letters_are_written(one, other, count):
    assert tokens(one) == tokens(other)
    assert len(tokens(one)) == count
    assert names_concept(one, [other])
    assert not names_concept(one, ["caf"])
