"""Linear explanations: at most five words with weights and signs, by exact least squares (S8).

The words are those of a lexicon (every concept, every color, colors of super-classes), classes and
groups of classes of photographs where the judge is a CLIP, or those of a file; the judge says how
much of them an image shows. The text of a unit says what its top images show, the list what its
whole range of activations follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from milan_core.core.files import read_text, write_csv
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import (
    Candidates,
    Describer,
    Description,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.least_squares import greedy, moments
from milan_core.describers.options import LinearOptions
from milan_core.describers.pooled import PooledUnits, Views, pooled_units
from milan_core.describers.units import Units
from milan_core.referee.photographs.vocabulary import vocabulary as photograph_words
from milan_core.world.lexicon import Lexicon, load_lexicon

NAME = "linear.csv"
COLUMNS = ("layer", "unit", "description", "weight", "share")
DIGITS = 6


class Term(NamedTuple):
    """A word of an explanation.

    Attributes:
        word: the text.
        weight: of its presence, 0 to 1, for the activation in standard deviations.
        share: the weight of its standardized presence.

    """

    word: str
    weight: float
    share: float


class Explained(NamedTuple):
    """The explanation of a unit, and its correlation on the images it was fitted to."""

    terms: tuple[Term, ...]
    correlation: float


class Linear(Describer):
    """At most five weighted words a unit.

    Args:
        options: words, and how many.
        resources: folder of the judge, and what it saw.

    """

    Options: ClassVar[type[DescriberOptions]] = LinearOptions
    form: ClassVar[TableForm] = TableForm(("score",), digits=6)

    def __init__(self, options: LinearOptions, resources: Resources) -> None:
        self._options, self._resources = options, resources
        self._judge = resources.need_judge("linear")
        self.explained: dict[UnitKey, Explained] = {}
        """Explanations of the units that were described last."""

    @classmethod
    def load(cls, options: LinearOptions, resources: Resources) -> Linear:
        """The describer; its judge is loaded when images are there."""
        return cls(options, resources)

    def describe(self, units: Units) -> Descriptions:
        """The explanation of every unit; `candidates` are its words with their weights."""
        pooled, given = pooled_units(units), self._resources
        views = Views.load(
            *(self._judge, given.seen, pooled.images, given.compute), download=given.download
        )
        self.explained = explain(pooled, views, self._options)
        return as_descriptions(units.keys, self.explained)

    def save(self, folder: Path) -> list[str]:
        """Write the words with their weights; returns the file's name."""
        write_linear(folder / NAME, self.explained)
        return [NAME]


def explain(units: PooledUnits, views: Views, options: LinearOptions) -> dict[UnitKey, Explained]:
    """Explanations of the units that show something, as the judge of `views` sees their images."""
    words = vocabulary(options, views.world)
    places = [place for place, key in enumerate(units.keys) if key not in units.silent]
    if not places:
        return {}
    of = moments(views.judge(words), units.pooled(places).T)
    found = {}
    for number, place in enumerate(places):
        chosen = greedy(of, number, options.words, options.gain)
        deviations = of.deviation[chosen.columns]
        terms = tuple(
            Term(words[column], float(weight / deviation), float(weight))
            for column, weight, deviation in zip(
                chosen.columns, chosen.weights, deviations, strict=True
            )
        )
        found[units.keys[place]] = Explained(terms, chosen.correlation)
    return found


def vocabulary(options: LinearOptions, world: str) -> list[str]:
    """The words of a file, a line each, or those of the lexicon of a world.

    A judge of no world looks for the classes and groups of classes of photographs.
    """
    if options.path:
        lines = read_text(Path(options.path), "word list").splitlines()
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not world:
        return [word.text for word in photograph_words() if word.kind != "attribute"]
    return lexicon_words(load_lexicon(world))


def lexicon_words(lexicon: Lexicon) -> list[str]:
    """Plurals of all concepts, the colors, and every color with every super-class and kind."""
    kinds = [*lexicon.groups, "object", "background"]
    names = [*lexicon.objects, "text", "face", *lexicon.surfaces, *kinds]
    plurals = [lexicon.entry(name).plural for name in names]
    pairs = [f"{color} {lexicon.entry(name).plural}" for color in lexicon.colours for name in kinds]
    return list(dict.fromkeys([*plurals, *lexicon.colours, *pairs]))


def summary(explained: Explained | None) -> str:
    """An explanation in one line, such as `+0.41 dogs; -0.12 grass`."""
    if explained is None:
        return ""
    return "; ".join(f"{term.share:+.2f} {term.word}" for term in explained.terms)


def as_descriptions(keys: Sequence[UnitKey], found: Mapping[UnitKey, Explained]) -> Descriptions:
    """Explanations as descriptions, their words as candidates with weights."""
    every = [found.get(key) for key in keys]
    rows = [Description(summary(one), one.correlation if one else "") for one in every]
    terms = [one.terms if one else () for one in every]
    weights = np.full((len(terms), max(map(len, terms), default=0)), np.nan)
    for row, one in zip(weights, terms, strict=True):
        row[: len(one)] = [term.weight for term in one]
    words = [[term.word for term in one] for one in terms]
    return Descriptions(keys, rows, Candidates(words, {"weight": weights}))


def write_linear(path: Path, found: Mapping[UnitKey, Explained]) -> None:
    """Write a row for each word of each unit, as `milan score` reads it.

    A unit without words has one empty row.
    """
    rows: list[list[str | float | int]] = []
    for (layer, unit), one in found.items():
        for term in one.terms:
            numbers = (float(f"{value:.{DIGITS}g}") for value in (term.weight, term.share))
            rows.append([layer, unit, term.word, *numbers])
        if not one.terms:
            rows.append([layer, unit, "", "", ""])
    write_csv(path, COLUMNS, rows)
