"""A captioner with its encoder: features as the captioner was trained on them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from milan_core.annotations.images import SetImages
from milan_core.annotations.released import AnnotationSet
from milan_core.captioner.captioner import Captioner
from milan_core.captioner.encoder import encoder_of, exemplar_features
from milan_core.captioner.features.annotated import encode_set
from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.reading import check_encoder, pooling_of
from milan_core.exemplars.store import ExemplarSet


class CaptionerReader:
    """Reads stored features, or makes them with the captioner's encoder.

    Args:
        captioner: a loaded one.
        device: where the encoder runs.
        encoder_weights: file of the encoder, where the captioner lacks it or it has moved.
        trust: run the code that the captioner's file names (`networks.shipped`).

    """

    def __init__(
        self,
        captioner: Captioner,
        device: str = "cpu",
        encoder_weights: Path | None = None,
        trust: bool = False,
    ) -> None:
        self._captioner, self._device, self._weights = captioner, device, encoder_weights
        self._trust = trust

    @functools.cached_property
    def encoder(self) -> Encoder:
        """The captioner's encoder, its weights checked; loaded when first used."""
        return encoder_of(self._captioner, self._device, self._weights, self._trust)

    def check(self, table: FeatureTable, path: Path) -> None:
        """Refuse features that another encoder made, or that are pooled otherwise."""
        check_encoder(self._captioner, table, self._captioner.origin or Path(), path)

    def of_exemplars(
        self, exemplars: ExemplarSet, images: np.ndarray, layers: list[str]
    ) -> np.ndarray:
        """Features (U, k, F) of mined exemplars, layers below each other."""
        return exemplar_features(self._captioner, self.encoder, images, exemplars, layers)

    def of_set(
        self, annotations: AnnotationSet, images: SetImages, scratch: Path | None, *, every: bool
    ) -> FeatureTable:
        """Features of the units of an annotation set; `every`: those without texts too."""
        return encode_set(
            *(annotations, images, self.encoder),
            pooling=pooling_of(self._captioner),
            scratch=scratch,
            every=every,
        )
