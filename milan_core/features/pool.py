"""All features of one network: its exemplars under their own masks, and the two controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.errors import UserError
from milan_core.features.encoder import MASKINGS, EncodedMaps, Encoder, Masking, pool_exemplars
from milan_core.features.store import FeatureTable
from milan_core.runtime.files import read_json

if TYPE_CHECKING:
    from milan_core.data.store import Dataset
    from milan_core.exemplars.store import ExemplarSet

MARKER = "encoded.json"


def load_encoder(spec: dict[str, Any], device: str = "cpu") -> Encoder:
    """The encoder of `{"model": network, "layers": [...]}`, as the workflow writes it."""
    from milan_core.models.zoo import BESIDE_KEYS

    model = {key: value for key, value in spec["model"].items() if key not in BESIDE_KEYS}
    return Encoder.from_spec(
        {**model, "layers": spec["layers"]},
        batch_size=spec["model"].get("batch_size", 64),
        device=device,
    )


def pool_network(
    folder: Path,
    exemplars: ExemplarSet,
    dataset: Dataset,
    *,
    append_area: bool = True,
    maskings: tuple[Masking, ...] = MASKINGS,
    seed: int = 0,
) -> FeatureTable:
    """Pool the encoded maps in `folder` for every unit of a network.

    Masks are made at the data set's own resolution. Refuses maps and exemplars of different images.
    """
    meta = read_json(folder / MARKER, "encoded maps")
    mined = exemplars.meta.get("dataset")
    for name, fingerprint in (("encoded maps", meta["dataset"]), ("exemplars", mined)):
        if fingerprint != dataset.fingerprint:
            message = (
                f"{name} were made from data set {fingerprint}, this one is {dataset.fingerprint}; "
                "run their stage again"
            )
            raise UserError(message)
    encoded = EncodedMaps.load(folder)
    options = {"append_area": append_area, "seed": seed}
    return pool_maps(encoded, meta["encoder"], exemplars, dataset, maskings, options)


def pool_maps(
    encoded: EncodedMaps,
    encoder_hash: str,
    exemplars: ExemplarSet,
    dataset: Dataset,
    maskings: tuple[Masking, ...],
    options: dict[str, Any],
) -> FeatureTable:
    """Pool maps that are at hand: float16 [U, k, F] per masking."""
    size = dataset.images.shape[1]
    index = encoded.index
    arrays: dict[str, np.ndarray] = {
        masking: pool_exemplars(
            encoded.maps,
            index,
            exemplars,
            size,
            masking=masking,
            **options,
        ).astype(np.float16)
        for masking in maskings
    }
    meta = {"encoder": encoder_hash, "dataset": dataset.fingerprint, "pooling": options}
    return FeatureTable(arrays, list(exemplars.units.items()), meta)
