"""Annotate a whole network: truth.csv and annotations.csv from its exemplars and their world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from milan_core.core.files import write_csv
from milan_core.images.store import Dataset
from milan_core.world.annotators import HEADER, agreement, annotate
from milan_core.world.concepts import ConceptTable
from milan_core.world.truth import Chunk, truth_row, write_truth

CHUNK = 64  # units whose masks are in memory at once


class Exemplars(Protocol):
    """What is needed of `milan_core.exemplars.ExemplarSet`."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""

    def ids(self, layer: str) -> np.ndarray:
        """Image ids int64 (U, k)."""

    def masks(self, layer: str, size: int, *, units: np.ndarray) -> np.ndarray:
        """Masks bool (u, k, size, size) of some units."""


def exemplar_chunks(exemplars: Exemplars, size: int) -> Iterator[Chunk]:
    """All units of all layers, a few at a time."""
    for layer in exemplars.layers:
        ids = exemplars.ids(layer)
        for start in range(0, len(ids), CHUNK):
            units = np.arange(start, min(start + CHUNK, len(ids)))
            yield layer, units, ids[units], exemplars.masks(layer, size, units=units)


def annotate_network(
    exemplars: Exemplars, dataset: Dataset, network: str, seed: int, folder: Path | str
) -> dict[str, Any]:
    """Write truth.csv and annotations.csv into `folder`; returns counts and agreement.

    The masks are read at the dataset's own size: the exemplars must have been mined in it.
    """
    table = ConceptTable(dataset)
    truths: list[list[object]] = []
    rows: list[tuple[str, int, str, str]] = []
    for layer, units, ids, masks in exemplar_chunks(exemplars, dataset.images.shape[1]):
        evidence = table.look(ids, masks)
        truths += [
            truth_row(table, layer, unit, counts)
            for unit, counts in zip(units.tolist(), evidence.counts, strict=True)
        ]
        rows += annotate(table, evidence, units, seed=seed, network=network, layer=layer)
    write_truth(Path(folder) / "truth.csv", truths)
    write_csv(Path(folder) / "annotations.csv", HEADER, rows)
    tiers = [str(row[3]) for row in truths]
    return {
        "tiers": {tier: tiers.count(tier) for tier in sorted(set(tiers))},
        "specific": sum(int(str(row[6])) for row in truths),
        "agreement": agreement(rows),
        "annotators": "programmatic",
    }
