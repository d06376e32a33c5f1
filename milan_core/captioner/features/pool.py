"""All features of one network: its exemplars under their own masks, and the two controls."""

from __future__ import annotations

from typing import Any

import numpy as np

from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.maps import EncodedMaps
from milan_core.captioner.features.options import JobEncoder, Pooling
from milan_core.captioner.features.pooling import (
    DEFAULT,
    MASKINGS,
    Masking,
    masked_layer,
    pool_exemplars,
)
from milan_core.captioner.features.spatial import spatial_features
from milan_core.captioner.features.store import FeatureTable, silent_facts
from milan_core.core.errors import UserError
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset


def load_encoder(options: JobEncoder, device: str = "cpu") -> Encoder:
    """The encoder of a job."""
    from milan_core.networks.zoo import load_network

    network = options.model.model_copy(update={"layers": options.layers})
    return Encoder(
        load_network(network), kind=options.kind, batch_size=network.batch_size, device=device
    )


def pool_network(
    encoded: EncodedMaps,
    exemplars: ExemplarSet,
    dataset: Dataset,
    *,
    pooling: Pooling = DEFAULT,
    maskings: tuple[Masking, ...] = MASKINGS,
    seed: int = 0,
    encoder: Encoder | None = None,
) -> FeatureTable:
    """Features of every unit of a network, under each masking: float16 [U, k, F].

    Masks are made at the data set's own resolution.

    Args:
        encoded: maps of the data set's images.
        exemplars: of the network, mined from that data set.
        dataset: the probe images.
        pooling: see `pooling.pool_exemplars`.
        maskings: which ones, see there.
        seed: of the shuffled masks.
        encoder: needed where it is spatial, because its maps depend on the masks.

    Raises:
        UserError: for maps and exemplars of different images, or a spatial encoder that is not the
            one of `encoded`.

    """
    _check_images(encoded, exemplars, dataset)
    size = dataset.images.shape[1]
    pooled: dict[str, Any] = {"seed": seed}
    if encoded.kind == "spatial":
        arrays = _spatial(encoded, exemplars, dataset, maskings, seed, encoder)
    else:
        pooled = {**pooling.model_dump(), "seed": seed}
        arrays = {
            masking: pool_exemplars(
                *(encoded.maps, encoded.index, exemplars, size),
                masking=masking,
                pooling=pooling,
                seed=seed,
            ).astype(np.float16)
            for masking in maskings
        }
    facts: dict[str, Any] = {
        "encoder": encoded.encoder,
        "dataset": dataset.fingerprint,
        "pooling": pooled,
        **silent_facts(exemplars.silent()),
    }
    return FeatureTable(arrays, list(exemplars.units.items()), facts)


def _check_images(encoded: EncodedMaps, exemplars: ExemplarSet, dataset: Dataset) -> None:
    mined = exemplars.meta.get("dataset")
    for name, fingerprint in (("encoded maps", encoded.dataset), ("exemplars", mined)):
        if fingerprint != dataset.fingerprint:
            message = (
                f"{name} were made from data set {fingerprint}, this one is {dataset.fingerprint}; "
                "run their stage again"
            )
            raise UserError(message)


def _spatial(
    encoded: EncodedMaps,
    exemplars: ExemplarSet,
    dataset: Dataset,
    maskings: tuple[Masking, ...],
    seed: int,
    encoder: Encoder | None,
) -> dict[str, np.ndarray]:
    if encoder is None or encoder.hash != encoded.encoder:
        message = (
            "a spatial encoder runs on masked images, and the one with digest "
            f"{encoded.encoder} was not given; give the encoder that features.encode had"
        )
        raise UserError(message)
    size = dataset.images.shape[1]
    layers = [masked_layer(exemplars, name, size) for name in exemplars.layers]
    return {
        masking: np.concatenate(
            [
                spatial_features(encoder, dataset.images, one, size, masking=masking, seed=seed)
                for one in layers
            ]
        ).astype(np.float16)
        for masking in maskings
    }
