"""All features of one network: its exemplars under their own masks, and the two controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.maps import MARKER, EncodedMaps
from milan_core.captioner.features.pooling import MASKINGS, Masking, masked_layer, pool_exemplars
from milan_core.captioner.features.spatial import spatial_features
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.files import read_json

if TYPE_CHECKING:
    from milan_core.exemplars.store import ExemplarSet
    from milan_core.images.store import Dataset


def load_encoder(spec: dict[str, Any], device: str = "cpu") -> Encoder:
    """The encoder of `{"model": network, "layers": [...]}`, as the workflow writes it."""
    from milan_core.networks.zoo import BESIDE_KEYS

    model = {key: value for key, value in spec["model"].items() if key not in BESIDE_KEYS}
    return Encoder.from_spec(
        {**model, "layers": spec["layers"]},
        kind=spec.get("kind", "pyramid"),
        batch_size=spec["model"].get("batch_size", 64),
        device=device,
    )


def pool_network(
    folder: Path,
    exemplars: ExemplarSet,
    dataset: Dataset,
    *,
    append_area: bool = True,
    resize: str = "area",
    maskings: tuple[Masking, ...] = MASKINGS,
    seed: int = 0,
    encoder: Encoder | None = None,
) -> FeatureTable:
    """Features of every unit of a network, under each masking: float16 [U, k, F].

    Masks are made at the data set's own resolution. Refuses maps and exemplars of different images.

    Args:
        folder: maps of the data set's images (`Encoder.encode_dataset`).
        exemplars: of the network, mined from that data set.
        dataset: the probe images.
        append_area: see `pooling.pool_exemplars`.
        resize: see there.
        maskings: which ones, see there.
        seed: of the shuffled masks.
        encoder: needed where it is spatial, because its maps depend on the masks.

    """
    meta = read_json(folder / MARKER, "encoded maps")
    _check_images(meta, exemplars, dataset)
    size = dataset.images.shape[1]
    if meta.get("kind") == "spatial":
        arrays = _spatial(meta, exemplars, dataset, maskings, seed, encoder)
        pooling: dict[str, Any] = {"seed": seed}
    else:
        pooling = {"append_area": append_area, "resize": resize, "seed": seed}
        encoded = EncodedMaps.load(folder)
        arrays = {
            masking: pool_exemplars(
                encoded.maps, encoded.index, exemplars, size, masking=masking, **pooling
            ).astype(np.float16)
            for masking in maskings
        }
    facts = {"encoder": meta["encoder"], "dataset": dataset.fingerprint, "pooling": pooling}
    return FeatureTable(arrays, list(exemplars.units.items()), facts)


def _check_images(meta: dict[str, Any], exemplars: ExemplarSet, dataset: Dataset) -> None:
    mined = exemplars.meta.get("dataset")
    for name, fingerprint in (("encoded maps", meta["dataset"]), ("exemplars", mined)):
        if fingerprint != dataset.fingerprint:
            message = (
                f"{name} were made from data set {fingerprint}, this one is {dataset.fingerprint}; "
                "run their stage again"
            )
            raise UserError(message)


def _spatial(
    meta: dict[str, Any],
    exemplars: ExemplarSet,
    dataset: Dataset,
    maskings: tuple[Masking, ...],
    seed: int,
    encoder: Encoder | None,
) -> dict[str, np.ndarray]:
    if encoder is None or encoder.hash != meta["encoder"]:
        message = (
            f"a spatial encoder runs on masked images, and the one with digest {meta['encoder']} "
            "was not given; add --encoder with the spec that `features encode` had"
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
