"""Texts as formulas over the concepts of a world."""

from types import SimpleNamespace

import pytest

from milan_core.referee.judges.reading import Joined, Leaf, Reader, leaves_of
from milan_core.scoring.words import IRREGULAR_PLURALS
from milan_core.world.lexicon import load_lexicon


def concept(name):
    return Leaf(None, name)


@pytest.fixture(scope="module")
def reader():
    return Reader(load_lexicon("stickers"))


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("dogs", concept("dog")),
        ("A puppy.", concept("dog")),
        ("brown dogs", Leaf("brown", "dog")),
        ("Gray areas", Leaf("grey", None)),
        ("pizza slices", concept("pizza")),
        ("dogs and cats", Joined("any", (concept("dog"), concept("cat")))),
        ("both dogs and cats", Joined("all", (concept("dog"), concept("cat")))),
        ("dogs or hounds", concept("dog")),
        ("no dogs", Joined("not", (concept("dog"),))),
        (
            "animals without dogs",
            Joined("all", (concept("animal"), Joined("not", (concept("dog"),)))),
        ),
        ("on grass: dogs", Joined("all", (concept("grass"), concept("dog")))),
        ("dogs on grass", Joined("all", (concept("dog"), concept("grass")))),
        ("animals, mostly red foxes", Joined("mean", (concept("animal"), Leaf("red", "fox")))),
        ("red and yellow", Joined("any", (Leaf("red", None), Leaf("yellow", None)))),
        ("surface of text", Joined("any", (concept("background"), concept("text")))),
        ("dogmatic facets", None),
        ("", None),
    ],
)
def test_text_is_read(reader, text, formula):
    assert reader.read(text) == formula


def test_every_form_of_the_lexicon_reads_as_its_concept(reader):
    lexicon = load_lexicon("stickers")
    names = [*lexicon.objects, *lexicon.surfaces, *lexicon.common, *lexicon.groups]
    wrong = {
        phrase: reader.read(phrase)
        for name in names
        for phrase in lexicon.accepted(name)
        if leaves_of(reader.read(phrase)) != [concept(name)]
    }
    # "orange" alone is the color.
    assert not {key: value for key, value in wrong.items() if key not in lexicon.colours}


def test_a_word_is_its_own_name_before_another_ones_plural():
    """The order of a set decided, which is another in every process."""
    names = [*IRREGULAR_PLURALS, *IRREGULAR_PLURALS.values()]
    lexicon = SimpleNamespace(
        colours=(), objects=names, surfaces=(), common=(), groups=(), accepted=lambda name: [name]
    )
    reader = Reader(lexicon)
    read = [reader.read(name).concept for name in IRREGULAR_PLURALS]
    assert read == list(IRREGULAR_PLURALS)
