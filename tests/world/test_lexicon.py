"""Every word of the lexicon means one thing."""

import itertools

import pytest

from milan_core.core.errors import UserError
from milan_core.scoring.words import names_concept
from milan_core.world.lexicon import load_lexicon

WORLDS = ["stickers", "shapes"]


@pytest.mark.parametrize("world", WORLDS)
def test_no_phrase_names_two_concepts(world):
    lexicon = load_lexicon(world)
    entries = [
        (f"{table}:{entry.name}", entry)
        for table in ("objects", "surfaces", "groups", "common")
        for entry in getattr(lexicon, table).values()
    ]
    clashes = [
        (one, other, phrase)
        for (one, a), (other, b) in itertools.permutations(entries, 2)
        for phrase in a.accepted
        if names_concept(phrase, b.accepted)
        # a soccer ball is a ball, an electronic device a device: naming a member names its group
        and other != f"groups:{a.group}"
    ]
    assert clashes == []


@pytest.mark.parametrize("world", WORLDS)
def test_no_phrase_is_a_colour(world):
    lexicon = load_lexicon(world)
    words = {
        word
        for table in (lexicon.objects, lexicon.surfaces, lexicon.groups, lexicon.common)
        for entry in table.values()
        for phrase in entry.accepted
        for word in phrase.split()
    }
    assert not words & set(lexicon.colours)


def test_sizes():
    stickers = load_lexicon("stickers")
    assert (len(stickers.objects), len(stickers.surfaces), len(stickers.groups)) == (50, 20, 14)
    assert {entry.group for entry in stickers.objects.values()} == set(stickers.groups)
    shapes = load_lexicon("shapes")
    assert (len(shapes.objects), len(shapes.surfaces), len(shapes.groups)) == (12, 8, 3)


def test_entries():
    dog = load_lexicon("stickers").objects["dog"]
    assert (dog.singular, dog.plural, dog.group, dog.source) == (
        "dog",
        "dogs",
        "animal",
        ("1F436",),
    )
    assert dog.accepted == ("dog", "dogs", "puppy", "puppies", "hound", "hounds")
    assert load_lexicon("stickers").surfaces["grass"].source == ("grass_1", "grass_2")


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((255, 255, 255), "white"), ((128, 128, 128), "grey"),
        ((255, 0, 0), "red"), ((255, 150, 0), "orange"), ((255, 230, 50), "yellow"),
        ((40, 150, 40), "green"), ((40, 60, 200), "blue"), ((120, 40, 140), "purple"),
        ((255, 160, 190), "pink"), ((120, 80, 45), "brown"),
    ],
)  # fmt: skip
def test_plain_colours(rgb, name):
    assert load_lexicon("shapes").colour(rgb) == name


def test_unknown_names():
    with pytest.raises(UserError, match="did you mean 'stickers'"):
        load_lexicon("sticker")
    with pytest.raises(UserError, match="did you mean 'dog'"):
        load_lexicon("stickers").entry("dogg")
