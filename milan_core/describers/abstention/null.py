"""Does a text fit its unit better than texts of other concepts do? (null test)

A unit's statistic is the correlation of its activation with the judged presence of its text, on
images that did not choose the text. Texts of other units of the layer that are of another concept
say what the statistic is worth by chance. The test separates noise from signal, not right from
wrong: `confidence` does that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.describers.abstention.concepts import same_concept
from milan_core.scoring.verdicts import discoveries

RATE = 0.10
"""Share of false discoveries among the units of a layer that pass."""
COMPARED = 200
"""Texts of others that a unit's own text is compared with, at most."""
FEWEST = 40
"""Texts below which those of other layers are taken too: p is 1 / (texts + 1) at least."""


def standardized(values: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1: float64 [n, k]; constant ones are 0 throughout."""
    values = np.asarray(values, np.float64)
    values = values - values.mean(0)
    deviation = np.sqrt((values * values).mean(0))
    scale = np.abs(values).max(0, initial=0)
    flat = deviation <= 1e-12 * np.maximum(scale, 1e-300)
    return np.where(flat, 0, values / np.where(flat, 1, deviation))


def excess(activations: np.ndarray) -> np.ndarray:
    """max(z, 0)^2 of the standardized activations z: float64 [n, units]; strong images count."""
    return np.maximum(standardized(activations), 0) ** 2


def correlations(activations: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Pearson correlations float64 [units, texts] of columns; 0 where either is constant."""
    return standardized(activations).T @ standardized(presence) / max(1, len(activations))


def other_texts(keys: Sequence[UnitKey], texts: Sequence[str], seed: int = 0) -> list[np.ndarray]:
    """For each unit, the units whose texts it is compared with: int64, rising.

    Units of the layer whose text is of another concept; where these are fewer than `FEWEST`, those
    of other layers too. Of more than `COMPARED`, a random choice. Units without a text are nobody's
    comparison, and have none.
    """
    layers = np.array([layer for layer, _ in keys], dtype=object)
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    number = {text: place for place, text in enumerate(distinct)}
    place = np.array([number.get(text, -1) for text in texts])
    alike = np.array([[same_concept(one, other) for other in distinct] for one in distinct], bool)
    chosen = []
    for unit, (layer, own) in enumerate(zip(layers, place, strict=True)):
        if own < 0:
            chosen.append(np.zeros(0, np.int64))
            continue
        another = (place >= 0) & ~alike[own][np.maximum(place, 0)]
        within, beyond = np.flatnonzero(another & (layers == layer)), another & (layers != layer)
        if len(within) < FEWEST:
            more = _drawn(np.flatnonzero(beyond), FEWEST - len(within), seed, keys[unit])
            within = np.concatenate([within, more])
        chosen.append(np.sort(_drawn(within, COMPARED, seed, keys[unit])))
    return chosen


def _drawn(units: np.ndarray, most: int, seed: int, key: UnitKey) -> np.ndarray:
    if len(units) <= most:
        return units
    return units[generator(seed, "null test", *key).permutation(len(units))[:most]]


def p_values(fit: np.ndarray, column: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """The p of each unit: (1 + number of others' texts that fit as well) / (1 + others).

    Args:
        fit: float [units, texts], correlation of each unit with each text.
        column: int64 [units], the column of a unit's own text; -1: it has none.
        others: units whose texts each unit is compared with (`other_texts`).

    Returns:
        float64 [units]; 1 for a unit without a text, or without anything to compare it with.

    """
    p = np.ones(len(column))
    for unit, (own, units) in enumerate(zip(column, others, strict=True)):
        if own >= 0 and len(units):
            better = fit[unit, column[units]] >= fit[unit, own]
            p[unit] = (1 + int(better.sum())) / (1 + len(units))
    return p


def passes(p: np.ndarray, keys: Sequence[UnitKey], rate: float = RATE) -> np.ndarray:
    """Units that pass within their layer: bool [units] (Benjamini and Hochberg 1995)."""
    layers = np.array([layer for layer, _ in keys], dtype=object)
    passed = np.zeros(len(p), bool)
    for layer in dict.fromkeys(layers.tolist()):
        members = np.flatnonzero(layers == layer)
        passed[members] = discoveries(p[members], rate)
    return passed
