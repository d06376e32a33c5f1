"""Retrieval: a unit is described by the annotation of the most similar training unit.

Similarity is the cosine of mean exemplar features, standardized by the training units: the same
evidence that the captioner reads, without a captioner.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from milan_core.annotations.records import read_unit_texts
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.core.errors import UserError
from milan_core.core.numbers import added
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Describer, Description, Descriptions, Resources
from milan_core.describers.options import RetrievalOptions
from milan_core.describers.units import Units
from milan_core.scoring.words import tokens

MASKING = "exact"
CHUNK = 256  # units compared at once


class Retrieval(Describer):
    """Repeats the typical annotation of the most similar training unit.

    Args:
        vectors: float64 [n, F], mean exemplar features of training units (`unit_features`).
        texts: of each training unit the annotation to repeat (`typical`).

    """

    Options: ClassVar[type[DescriberOptions]] = RetrievalOptions

    def __init__(self, vectors: np.ndarray, texts: Sequence[str]) -> None:
        self._vectors, self._texts = vectors, list(texts)

    @classmethod
    def load(cls, options: RetrievalOptions, resources: Resources) -> Retrieval:
        """The describer with all annotated units of the training networks."""
        tables = {path: load_features(Path(path)) for path in options.features}
        check_same_encoder(tables)
        if len(tables) != len(options.annotations):
            message = (
                f"retrieval: got {len(tables)} features, {len(options.annotations)} annotations"
            )
            raise UserError(f"{message}; give those of the same networks in the same order")
        vectors, texts = [], []
        for table, path in zip(tables.values(), options.annotations, strict=True):
            by_unit = unit_features(table)
            annotations = read_unit_texts(path)
            for key in (key for key in by_unit if key in annotations):
                vectors.append(by_unit[key])
                texts.append(typical(annotations[key]))
        if not texts:
            raise UserError("retrieval: features and annotations have no unit in common")
        return cls(np.stack(vectors), texts)

    def describe(self, units: Units) -> Descriptions:
        """The annotation of the nearest training unit, for every unit."""
        means = units.features().astype(np.float64).mean(1)
        rows = nearest(means, self._vectors)
        return Descriptions(units.keys, [Description(self._texts[row]) for row in rows])


def nearest(test: np.ndarray, training: np.ndarray) -> np.ndarray:
    """int64 [m]: for each row of `test` [m, F] the most similar row of `training` [n, F].

    Ties go to the first training row.
    """
    if not len(training):
        raise UserError("retrieval: there is no training unit to retrieve from")
    mean, deviation = training.mean(0), training.std(0)
    scale = np.where(deviation > 0, deviation, 1.0)
    references = _unit_length((training - mean) / scale)
    rows = [
        (_unit_length((test[start : start + CHUNK] - mean) / scale) @ references.T).argmax(1)
        for start in range(0, len(test), CHUNK)
    ]
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


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

    def agreement(index: int) -> float:
        scores = [
            2 * len(words[index] & other) / max(len(words[index]) + len(other), 1)
            for place, other in enumerate(words)
            if place != index
        ]
        return added(scores)

    return texts[max(range(len(texts)), key=lambda index: (agreement(index), -index))]
