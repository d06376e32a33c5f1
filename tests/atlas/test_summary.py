"""Sentences of a network on its page."""

from __future__ import annotations

from dataclasses import replace

from milan_core.atlas.summary import diversity_sentence, graded_sentence
from milan_core.atlas.units import UnitRecord


def said(*texts: str, grades: str = "") -> list[UnitRecord]:
    """A unit for each text."""
    pairs = enumerate(zip(texts, grades or [""] * len(texts), strict=True))
    return [UnitRecord("a", unit, text, grade=grade) for unit, (text, grade) in pairs]


def test_diversity_tells_collapse_and_silence() -> None:
    assert diversity_sentence(said("dog", "dog", "cat", "")) == (
        "3 different descriptions for 4 units; 1 of them have none; the most frequent, “dog”, is "
        "said of 50%."
    )
    assert diversity_sentence(said("a", "b")) == "2 different descriptions for 2 units."
    dead = [replace(one, status="dead") for one in said("a")]
    assert diversity_sentence(dead) == ""


def test_graded_units_are_counted() -> None:
    units = said("birds", "dogs", "", "", grades="AABC")
    text = graded_sentence(units)
    assert text.startswith("2 of 4 units (50%) are described, with 2 different texts; 1 more")
    assert "and 1 have no reliable description" in text
    assert graded_sentence([replace(unit, grade="") for unit in units]) == ""
