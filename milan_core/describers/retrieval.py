"""Retrieval: a unit is described by the annotation of the most similar training unit.

Similarity is the cosine of mean exemplar features, standardised by the training units: the same
evidence that the captioner reads, without a captioner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.scoring.words import tokens

MASKING = "exact"
CHUNK = 256  # units compared at once


def nearest(test: np.ndarray, training: np.ndarray) -> np.ndarray:
    """int64 [m]: for each row of `test` [m, F] the most similar row of `training` [n, F].

    Ties go to the first training row.
    """
    if not len(training):
        raise UserError("retrieval: there is no training unit to retrieve from")
    mean, deviation = training.mean(0), training.std(0)
    scale = np.where(deviation > 0, deviation, 1.0)
    known = _unit_length((training - mean) / scale)
    found = [
        (_unit_length((test[start : start + CHUNK] - mean) / scale) @ known.T).argmax(1)
        for start in range(0, len(test), CHUNK)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _unit_length(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)


def unit_features(table: FeatureTable) -> dict[tuple[str, int], np.ndarray]:
    """Mean over exemplars of the masked features, float64 [F], by (layer, unit)."""
    if MASKING not in table.arrays:
        message = f"retrieval needs features under masks ({MASKING!r}), got {sorted(table.arrays)}"
        raise UserError(message)
    means = table.arrays[MASKING].astype(np.float64).mean(1)
    return dict(zip(table.rows, means, strict=True))


def check_same_encoder(tables: dict[str, FeatureTable]) -> None:
    """Refuse features of different encoders or pooling: their distances would mean nothing."""
    names = list(tables)
    for name in names[1:]:
        for key in ("encoder", "pooling"):
            first, other = tables[names[0]].meta.get(key), tables[name].meta.get(key)
            if first != other:
                raise UserError(
                    f"retrieval: features of {names[0]!r} have {key} {first!r}, those of {name!r} "
                    f"{other!r}; pool both again with the same encoder and options"
                )


def typical(texts: Sequence[str]) -> str:
    """The annotation that shares most words with the others (mean F of word sets; ties: first)."""
    words = [set(tokens(text)) for text in texts]

    def agreement(place: int) -> float:
        own = words[place]
        scores = [
            2 * len(own & other) / max(len(own) + len(other), 1)
            for index, other in enumerate(words)
            if index != place
        ]
        return sum(scores)

    return texts[max(range(len(texts)), key=lambda place: (agreement(place), -place))]
