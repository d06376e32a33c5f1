"""Units of a network with their activations on every image of a data set."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.core.units import UnitKey
from milan_core.describers.concepts import ConceptMasks
from milan_core.describers.declared_options import Need
from milan_core.describers.evidence import LayerEvidence, gather
from milan_core.describers.units import Units
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.status import ACTIVE, UnitStatus
from milan_core.images.store import Dataset
from milan_core.networks.zoo import LoadedModel


class NetworkUnits(Units):
    """Units of a network with what they do on every image of a data set.

    Args:
        loaded: the network.
        dataset: the images.
        concepts: masks of concepts in these images; None: there are none.
        quantiles: of activations, whose masks describers read.
        scratch: folder where masks lie meanwhile.
        batch_size: images per forward pass.
        compute: where the network runs.

    """

    source: ClassVar[str] = "units of a network"

    def __init__(
        self,
        loaded: LoadedModel,
        dataset: Dataset,
        concepts: ConceptMasks | None,
        quantiles: Iterable[float],
        scratch: Path,
        *,
        batch_size: int,
        compute: Compute,
    ) -> None:
        if concepts is not None and concepts.dataset != dataset.fingerprint:
            raise UserError(
                f"concept masks are of the images {concepts.dataset}, the labels are drawn from "
                f"{dataset.fingerprint} ({dataset.name}); results of different images are not "
                "compared: make the concept masks of this data set"
            )
        self.concepts, self.dataset, self.images = concepts, dataset, dataset.images
        offers: set[Need] = {"activations", "maxima", "means"}
        self.offers = frozenset(offers if concepts is None else offers | {"concepts"})
        self._loaded, self._quantiles = loaded, sorted(set(quantiles))
        self._scratch, self._batch_size, self._compute = scratch, batch_size, compute

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit, layers in the order of the forward pass."""
        return [
            (layer, unit)
            for layer, evidence in self.activations().items()
            for unit in range(len(evidence.maxima))
        ]

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus]:
        """As the activations over the data set show."""
        return {
            (layer, int(unit)): evidence.status[unit]
            for layer, evidence in self.activations().items()
            for unit in np.flatnonzero(evidence.status != ACTIVE)
        }

    @property
    def concept_masks(self) -> ConceptMasks:
        """The masks of concepts."""
        if self.concepts is None:
            raise self.lacking("concepts")
        return self.concepts

    def activations(self) -> Mapping[str, LayerEvidence]:
        """Masks and activations over the data set, by layer; computed once."""
        return self._evidence

    def maxima(self) -> Mapping[str, np.ndarray]:
        """Largest activation in each image, by layer: float32 [U, n]."""
        return {layer: evidence.maxima for layer, evidence in self.activations().items()}

    def means(self) -> Mapping[str, np.ndarray]:
        """Mean activation in each image, by layer: float32 [U, n]."""
        return {layer: evidence.means for layer, evidence in self.activations().items()}

    @property
    def pictures(self) -> np.ndarray:
        """The images: uint8 (n, H, W, 3), RGB."""
        return self.images

    @functools.cached_property
    def _evidence(self) -> dict[str, LayerEvidence]:
        return gather(
            self._loaded,
            open_source(self.dataset, self._loaded.input),
            self._quantiles,
            self.concepts.size if self.concepts else 1,
            self._scratch,
            batch_size=self._batch_size,
            device=self._compute.device,
            threads=self._compute.threads,
        )
