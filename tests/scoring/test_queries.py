"""Queries over descriptions: whole words, synonyms, phrases that do not count."""

import pytest

from milan_core.scoring.options import Query
from milan_core.scoring.queries import matches, shipped_queries


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
