"""Units to be described, and the evidence that describers may ask of them.

    FeatureUnits(load_features(path))              # features of a network or a set (`sources`)
    ExemplarUnits(exemplars, images)               # mined exemplars and their images (`sources`)
    SetUnits(annotation_set, set_images)           # an annotation set (`sources`)
    NetworkUnits(loaded, dataset, concepts, ...)   # activations over a data set (`activations`)
    LayerUnits(layers)                             # names of layers only, for tables

A describer asks for what it needs: `exemplars()`, `features(reader)`, `activations()`,
`maxima()`. Units that lack the evidence refuse with a `UserError`; `offers` says beforehand what
they have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from milan_core.annotations.images import SetImages
from milan_core.annotations.released import AnnotationSet
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import Need
from milan_core.describers.evidence import LayerEvidence
from milan_core.exemplars.status import UnitStatus
from milan_core.exemplars.store import ExemplarSet

EVIDENCE: dict[Need, str] = {
    "features": "exemplar features",
    "exemplars": "images and masks of the exemplars",
    "activations": "activations over a data set",
    "maxima": "the largest activation in every image",
    "means": "the mean activation in every image",
    "concepts": "masks of concepts",
}
"""Evidence that units may offer, in words for messages."""


class UnitImages(NamedTuple):
    """The exemplars of one unit."""

    images: np.ndarray  # uint8 [k, H, W, 3], RGB
    masks: np.ndarray  # bool [k, H, W]; a mask without pixels is no evidence
    ids: np.ndarray | None = None  # int64 [k], their numbers in the data set, where known


class FeatureReader(Protocol):
    """A captioner with its encoder: which features it reads, and how they are made."""

    def check(self, table: FeatureTable, path: Path) -> None:
        """Refuse features that another encoder made, or that are pooled otherwise."""

    def of_exemplars(
        self, exemplars: ExemplarSet, images: np.ndarray, layers: list[str]
    ) -> np.ndarray:
        """Features (U, k, F) of mined exemplars, layers below each other."""

    def of_set(
        self, annotations: AnnotationSet, images: SetImages, scratch: Path | None, *, every: bool
    ) -> FeatureTable:
        """Features of the units of an annotation set; `every`: those without texts too."""


class Units(ABC):
    """Units in a fixed order, with evidence."""

    offers: frozenset[Need] = frozenset()
    source: ClassVar[str] = "units"

    @property
    @abstractmethod
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit."""

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order of the units."""
        return list(dict.fromkeys(layer for layer, _ in self.keys))

    @property
    @abstractmethod
    def silent(self) -> Mapping[UnitKey, UnitStatus] | None:
        """The status of units that show nothing; those that do are left out.

        None: nobody has seen the units' activations or masks, so it is unknown.
        """

    def exemplars(self) -> Sequence[UnitImages]:
        """Images and masks of every unit, read when they are asked for."""
        raise self.lacking("exemplars")

    def features(self, reader: FeatureReader | None = None) -> np.ndarray:
        """Features float [U, k, F] as `reader` reads them; None takes those that are there."""
        raise self.lacking("features")

    def activations(self) -> Mapping[str, LayerEvidence]:
        """Masks and activations over a data set, by layer."""
        raise self.lacking("activations")

    def maxima(self) -> Mapping[str, np.ndarray]:
        """Largest activation in each of the `pictures`, by layer: float32 [U, n]."""
        raise self.lacking("maxima")

    def means(self) -> Mapping[str, np.ndarray]:
        """Mean activation in each of the `pictures`, by layer: float32 [U, n]."""
        raise self.lacking("means")

    @property
    def pictures(self) -> np.ndarray:
        """The images of `maxima`: uint8 (n, H, W, 3), RGB."""
        raise self.lacking("maxima")

    def lacking(self, need: Need) -> UserError:
        """The refusal of evidence that these units do not offer."""
        offered = ", ".join(EVIDENCE[name] for name in sorted(self.offers)) or "no evidence"
        return UserError(f"{self.source} have no {EVIDENCE[need]}; they offer {offered}")


class LayerUnits(Units):
    """Layers whose units nobody has counted: a table of descriptions says which ones there are.

    Args:
        layers: their names.
        silent: the status of units that show nothing, where it is known from elsewhere.

    """

    source: ClassVar[str] = "units of named layers"

    def __init__(
        self, layers: Iterable[str], silent: Mapping[UnitKey, UnitStatus] | None = None
    ) -> None:
        self._layers, self._silent = list(dict.fromkeys(layers)), silent

    @property
    def keys(self) -> list[UnitKey]:
        """Nothing: the units are those of the table."""
        return []

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return self._layers

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus] | None:
        """As it was given; names of layers alone do not tell."""
        return self._silent
