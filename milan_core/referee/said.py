"""Explanations of one network by the describers of a run; trivial baselines beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.referee.scored import Explanation
from milan_core.referee.submitted import read_submitted
from milan_core.scoring.tables import Truth, read_descriptions, read_methods

CONSTANT, FREQUENT, WORD, OTHER = "constant", "most_frequent", "random_word", "other_unit"
TRIVIAL = (CONSTANT, FREQUENT, WORD, OTHER)
TRUTH = "truth"
SAYS_NOTHING = "things"

Said = dict[str, dict[UnitKey, str]]
Lists = Mapping[str, Mapping[UnitKey, Explanation]]


def read_said(
    main: Path, named: Sequence[str], tables: Sequence[Path], methods: Sequence[Path]
) -> Said:
    """Descriptions by describer: the main one first.

    Args:
        main: descriptions.csv of the main describer.
        named: names of the describers of `tables`.
        tables: further files with the columns layer, unit, description.
        methods: files that name the describer of each row in the column method.

    Raises:
        UserError: for a file without these columns, or a describer that is given twice.

    """
    said: Said = {"milan": read_descriptions(main)}
    for name, path in zip(named, tables, strict=True):
        if name in said:
            raise UserError(f"{path}: describer {name!r} is given twice; give each its own name")
        said[name] = read_descriptions(path)
    for path in methods:
        for name, texts in read_methods(path).items():
            known = said.setdefault(name, {})  # a file may lack units that show nothing
            if any(known.get(key, text) != text for key, text in texts.items()):
                raise UserError(f"{path}: {name!r} has another text for a unit than another file")
            known.update(texts)
    if said.get("pmi") == said["milan"]:
        del said["pmi"]  # the same descriptions under the name of Table 2
    return said


def read_lists(names: Sequence[str], paths: Sequence[Path]) -> Lists:
    """Weighted texts of units, by describer, from tables as `milan score` reads them."""
    return {
        name: read_submitted(path).explanations for name, path in zip(names, paths, strict=True)
    }


def explanations(said: Mapping[UnitKey, str], keys: Sequence[UnitKey]) -> list[Explanation]:
    """One explanation for each unit; a unit without text is abstained."""
    return [
        Explanation(key, (text,) if (text := said.get(key, "").strip()) else ()) for key in keys
    ]


def trivial(said: Said, keys: Sequence[UnitKey], seed: int) -> Said:
    """Descriptions that nobody looked at a unit for.

    `constant` says nothing at all; `most_frequent` is the main describer's most frequent text for
    every unit; `random_word` draws from all texts that were said of the network; `other_unit` is
    the main describer's text of another unit of the layer.
    """
    main = said["milan"]
    given = {key: text for key in keys if (text := main.get(key, "").strip())}
    if not given:
        return {}
    counts = Counter(given.values())
    frequent = min(counts, key=lambda text: (-counts[text], text))
    every = sorted({text for texts in said.values() for text in texts.values() if text.strip()})
    rng = generator(seed, "referee random word")
    words = [every[index] for index in rng.integers(0, len(every), len(keys))]
    return {
        CONSTANT: dict.fromkeys(keys, SAYS_NOTHING),
        FREQUENT: dict.fromkeys(keys, frequent),
        WORD: dict(zip(keys, words, strict=True)),
        OTHER: _of_others(given, seed),
    }


def _of_others(given: Mapping[UnitKey, str], seed: int) -> dict[UnitKey, str]:
    """Within each layer every unit gets the text of the next one in a random circle."""
    swapped: dict[UnitKey, str] = {}
    for layer in dict.fromkeys(layer for layer, _ in given):
        members = [key for key in given if key[0] == layer]
        order = generator(seed, "referee other unit", layer).permutation(len(members))
        if len(members) > 1:
            for place, following in zip(order, np.roll(order, 1), strict=True):
                swapped[members[place]] = given[members[following]]
    return swapped


def true_texts(truth: Mapping[UnitKey, Truth]) -> dict[UnitKey, str]:
    """The name of each unit's concept, where one is clear and specific."""
    return {key: entry.accept[0] for key, entry in truth.items() if entry.specific}
