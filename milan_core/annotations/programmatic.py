"""Annotate the units of a network by program, from exemplars and the ground truth of a world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from milan_core.images.store import Dataset
from milan_core.world.annotators import agreement, annotate
from milan_core.world.concepts import ConceptTable
from milan_core.world.truth import Chunk, truth_row

CHUNK = 64  # units whose masks are in memory at once


class MinedUnits(Protocol):
    """The part of `milan_core.exemplars.store.ExemplarSet` that is read here."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""

    def ids(self, layer: str) -> np.ndarray:
        """Image ids int64 (U, k)."""

    def masks(self, layer: str, size: int, *, units: np.ndarray) -> np.ndarray:
        """Masks bool (u, k, size, size) of the units of the given numbers."""


@dataclass(frozen=True)
class NetworkAnnotations:
    """Annotations and ground truth of all units of one network."""

    rows: list[tuple[str, int, str, str]]
    """Rows of annotations.csv: layer, unit, summary, annotator."""
    truth: list[list[object]]
    """Rows of truth.csv: see `milan_core.world.truth.HEADER`."""

    def facts(self) -> dict[str, Any]:
        """Units per tier, units with a specific concept, and agreement of the annotators."""
        tiers = [str(row[3]) for row in self.truth]
        return {
            "tiers": {tier: tiers.count(tier) for tier in sorted(set(tiers))},
            "specific": sum(int(str(row[6])) for row in self.truth),
            "agreement": agreement(self.rows),
            "annotators": "programmatic",
        }


def annotate_network(
    exemplars: MinedUnits, dataset: Dataset, network: str, seed: int
) -> NetworkAnnotations:
    """Annotate every unit from the scenes under its masks.

    Args:
        exemplars: mined in the images of `dataset`; masks are read at their size.
        dataset: images of a world, with instance maps.
        network: name of the network, from which the random choices are seeded.
        seed: of the random choices.

    """
    table = ConceptTable(dataset)
    annotations = NetworkAnnotations([], [])
    for layer, units, ids, masks in exemplar_chunks(exemplars, dataset.images.shape[1]):
        evidence = table.look(ids, masks)
        annotations.truth.extend(
            truth_row(table, layer, unit, counts)
            for unit, counts in zip(units.tolist(), evidence.counts, strict=True)
        )
        annotations.rows.extend(
            annotate(table, evidence, units, seed=seed, network=network, layer=layer)
        )
    return annotations


def exemplar_chunks(exemplars: MinedUnits, size: int) -> Iterator[Chunk]:
    """All units of all layers, `CHUNK` at a time, with their masks at `size` pixels."""
    for layer in exemplars.layers:
        ids = exemplars.ids(layer)
        for start in range(0, len(ids), CHUNK):
            units = np.arange(start, min(start + CHUNK, len(ids)))
            yield layer, units, ids[units], exemplars.masks(layer, size, units=units)
