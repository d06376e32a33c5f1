"""Does a text fit its unit better than texts of other concepts do? (null test)

A unit's statistic is the correlation of its activation with the judged presence of its text, on
images that did not choose the text. Texts of other units that are of another concept say what the
statistic is worth by chance; each counts once, since equal texts are one chance only. The test
separates noise from signal, not right from wrong: `confidence` does that.
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
"""Texts that a unit's own is compared with, at most; p is 1 / (texts + 1) at least."""


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
    """For each unit, the texts that its own is compared with: int64, places in `distinct_texts`.

    Texts of another concept, each once however many units have it: first those of the unit's layer,
    then those of other layers, up to `COMPARED`; a random choice where there are more. A unit
    without a text has none.
    """
    distinct = distinct_texts(texts)
    number = {text: place for place, text in enumerate(distinct)}
    alike = np.array([[same_concept(one, other) for other in distinct] for one in distinct], bool)
    in_layer: dict[str, np.ndarray] = {}
    for (layer, _), text in zip(keys, texts, strict=True):
        if text in number:
            in_layer.setdefault(layer, np.zeros(len(distinct), bool))[number[text]] = True
    chosen = []
    for key, text in zip(keys, texts, strict=True):
        if text not in number:
            chosen.append(np.zeros(0, np.int64))
            continue
        another = ~alike[number[text]]
        another[number[text]] = False
        near = _drawn(np.flatnonzero(another & in_layer[key[0]]), COMPARED, seed, key)
        far = np.flatnonzero(another & ~in_layer[key[0]])
        far = _drawn(far, COMPARED - len(near), seed, key)
        chosen.append(np.sort(np.concatenate([near, far])))
    return chosen


def distinct_texts(texts: Sequence[str]) -> list[str]:
    """The texts that are there, each once, in the order of their first unit."""
    return list(dict.fromkeys(text for text in texts if text.strip()))


def _drawn(texts: np.ndarray, most: int, seed: int, key: UnitKey) -> np.ndarray:
    if len(texts) <= most:
        return texts
    return texts[generator(seed, "null test", *key).permutation(len(texts))[:most]]


def p_values(fit: np.ndarray, column: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """The p of each unit: (1 + number of other texts that fit as well) / (1 + other texts).

    Args:
        fit: float [units, texts], correlation of each unit with each distinct text.
        column: int64 [units], the column of a unit's own text; -1: it has none.
        others: columns of the texts that each unit's own is compared with (`other_texts`).

    Returns:
        float64 [units]; 1 for a unit without a text, or without anything to compare it with.

    """
    p = np.ones(len(column))
    for unit, (own, texts) in enumerate(zip(column, others, strict=True)):
        if own >= 0 and len(texts):
            better = fit[unit, texts] >= fit[unit, own]
            p[unit] = (1 + int(better.sum())) / (1 + len(texts))
    return p


def passes(p: np.ndarray, keys: Sequence[UnitKey], rate: float = RATE) -> np.ndarray:
    """Units that pass within their layer: bool [units] (Benjamini and Hochberg 1995)."""
    layers = np.array([layer for layer, _ in keys], dtype=object)
    passed = np.zeros(len(p), bool)
    for layer in dict.fromkeys(layers.tolist()):
        members = np.flatnonzero(layers == layer)
        passed[members] = discoveries(p[members], rate)
    return passed
