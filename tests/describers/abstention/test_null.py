"""The null test: exact small cases, other concepts only, nobody passes by chance."""

from __future__ import annotations

import numpy as np
import pytest

from milan_core.describers.abstention import null
from milan_core.describers.abstention.concepts import agreement, concept_words, same_concept
from milan_core.scoring.verdicts import discoveries
from milan_core.scoring.words import same_word


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Animals, mostly yellow cats", {"animal", "cat"}),
        ("Yellow areas", {"yellow"}),
        ("Various objects", set()),
        ("The dog's brick walls", {"dog", "brick", "wall"}),
        ("Glasses and foxes", {"glass", "fox"}),
        ("", set()),
    ],
)
def test_concept_words(text: str, words: set[str]) -> None:
    """Joining and general words go; colors go only beside a noun; nouns are in the singular."""
    assert concept_words(text) == words


def test_texts_without_a_concept_are_of_no_concept() -> None:
    """Vague texts are nobody's concept, not even each other's."""
    assert same_concept("Yellow cats", "a cat")
    assert not same_concept("Yellow cats", "yellow dogs")
    assert not same_concept("Various objects", "Things")
    assert agreement("cats", ["a cat", "", "dogs"]) == 0.5
    assert agreement("cats", ["", " "]) == 0


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("cookies", "cookie"),
        ("cherries", "cherry"),
        ("buses", "bus"),
        ("lenses", "lens"),
        ("potatoes", "potato"),
        ("axes", "axe"),
        ("prizes", "prize"),
        ("firemen", "fireman"),
        ("salespeople", "salesperson"),
        ("specimens", "specimen"),
        ("vases", "vase"),
        ("knives", "knife"),
    ],
)
def test_a_concept_is_one_in_singular_and_plural(plural: str, singular: str) -> None:
    """As everywhere that descriptions are compared (`scoring.words`)."""
    assert same_word(plural, singular)
    assert same_concept(f"Red {plural}", f"a {singular}")
    assert not same_concept(f"Red {plural}", "a red dog")


def test_statistics_are_those_of_numpy() -> None:
    """Correlations agree with corrcoef; constants have 0, also beside large values."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    a[:, 3], c[:, 2] = 7e8, 0.5
    r = null.correlations(a, c)
    expected = np.corrcoef(a[:, :3].T, c[:, :2].T)[:3, 3:]
    assert np.allclose(r[:3, :2], expected)
    assert (r[3] == 0).all()
    assert (r[:, 2] == 0).all()
    z = (a[:, 0] - a[:, 0].mean()) / a[:, 0].std()
    assert np.allclose(null.excess(a)[:, 0], np.where(z > 0, z**2, 0))


def test_p_counts_texts_that_fit_as_well() -> None:
    """(1 + better or equal) / (1 + others); 1 without a text or without others."""
    fit = np.array([[0.55, 0.6, 0.1], [0.9, 0.9, 0.1], [0.0, 0.0, 0.0], [0.1, 0.1, 0.9]])
    column = np.array([0, 1, -1, 2])
    others = [np.array([1, 2]), np.array([0]), np.array([0]), np.zeros(0, np.int64)]
    assert null.p_values(fit, column, others).tolist() == [2 / 3, 1.0, 1.0, 1.0]


def test_others_are_distinct_texts_of_another_concept() -> None:
    """Texts of the unit's own concept are never compared; those of the layer come first."""
    keys = [("a", n) for n in range(60)] + [("b", n) for n in range(60)]
    texts = ["cats"] * 10 + ["dogs"] * 50 + ["yellow cats"] * 30 + ["grass"] * 29 + [""]
    assert null.distinct_texts(texts) == ["cats", "dogs", "yellow cats", "grass"]
    others = null.other_texts(keys, texts)
    assert others[0].tolist() == [1, 3]
    assert others[20].tolist() == [0, 2, 3]
    assert others[70].tolist() == [1, 3]
    assert len(others[119]) == 0


def test_texts_of_the_layer_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most `COMPARED`, the same ones each time; other layers fill up."""
    monkeypatch.setattr(null, "COMPARED", 12)
    keys = [("a", n) for n in range(10)] + [("b", n) for n in range(20)]
    texts = [f"concept{'abcdefghijklmnopqrstuvwxyz1234'[n]}" for n in range(30)]
    first, second = null.other_texts(keys, texts), null.other_texts(keys, texts)
    assert {len(one) for one in first} == {12}
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert set(range(1, 10)) < set(first[0].tolist())
    assert (first[29] >= 10).all()


def test_equal_texts_are_one_chance() -> None:
    """A layer that says few things cannot make noise significant by saying them often."""
    rng = np.random.default_rng(0)
    keys = [("a", n) for n in range(80)]
    texts = [("cats", "dogs", "grass", "sand")[n % 4] for n in range(80)]
    presence = rng.random((500, 4))
    fit = null.correlations(rng.normal(size=(500, 80)), presence)
    p = null.p_values(fit, np.arange(80) % 4, null.other_texts(keys, texts))
    assert p.min() == 1 / 4
    assert not null.passes(p, keys).any()


def test_discoveries_are_the_textbook_ones() -> None:
    """The step-up rule, with an earlier p above its line."""
    p = np.array([0.01, 0.9, 0.045, 0.02])
    assert discoveries(p, 0.05).tolist() == [True, False, False, True]
    assert discoveries(np.array([0.03, 0.04]), 0.05).tolist() == [True, True]
    assert discoveries(np.zeros(0), 0.1).tolist() == []


def test_layers_are_families() -> None:
    """A layer of noise does not cost another one its discoveries."""
    keys = [("a", 0), ("a", 1), *(("b", n) for n in range(18))]
    p = np.array([0.04, 0.05] + [0.9] * 18)
    assert null.passes(p, keys).tolist() == [True, True] + [False] * 18
    assert not discoveries(p, null.RATE).any()
