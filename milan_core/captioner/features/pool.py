"""All features of one network: its exemplars under their own masks, and the two controls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from milan_core.captioner.features.encoder import Encoder, used_images
from milan_core.captioner.features.maps import EncodedMaps
from milan_core.captioner.features.options import JobEncoder, Pooling
from milan_core.captioner.features.pooling import (
    DEFAULT,
    MASKINGS,
    Empty,
    Masking,
    Slots,
    masked_layer,
    pool_exemplars,
)
from milan_core.captioner.features.spatial import spatial_features
from milan_core.captioner.features.store import FeatureTable, silent_facts
from milan_core.core.arrays import drop_pages
from milan_core.core.errors import UserError
from milan_core.core.parts import Block, Work
from milan_core.core.shapes import check_arrays
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset

BATCHES = 16  # of the encoder, in a block
Pooled = dict[str, np.ndarray]
"""Slots int64 (n,), and float16 (n, F) by masking."""


def load_encoder(options: JobEncoder, device: str = "cpu") -> Encoder:
    """The encoder of a job."""
    from milan_core.networks.zoo import load_network

    network = options.model.model_copy(update={"layers": options.layers})
    return Encoder(
        load_network(network), kind=options.kind, batch_size=network.batch_size, device=device
    )


def pool_network(
    encoded: EncodedMaps | None,
    exemplars: ExemplarSet,
    dataset: Dataset,
    *,
    pooling: Pooling = DEFAULT,
    maskings: tuple[Masking, ...] = MASKINGS,
    seed: int = 0,
    encoder: Encoder | None = None,
    threads: int = 1,
    blocks: Iterable[Pooled] | None = None,
    empty: Empty = np.zeros,
) -> FeatureTable:
    """Features of every unit of a network, under each masking: float16 [U, k, F].

    Masks are made at the data set's own resolution.

    Args:
        encoded: maps of the data set's images; None: `encoder` runs here, over the images that
            exemplars show, and no map is kept. The features are the same up to rounding.
        exemplars: of the network, mined from that data set.
        dataset: the probe images.
        pooling: see `pooling.pool_exemplars`.
        maskings: which ones, see there.
        seed: of the shuffled masks.
        encoder: needed without maps, and where it is spatial, because its maps then depend on the
            masks.
        threads: of the pooling.
        blocks: of `passing`, made elsewhere; None: made here.
        empty: makes the arrays of features pooled from blocks, all zeros.

    Raises:
        UserError: for maps and exemplars of different images, or a spatial encoder that is not the
            one of `encoded`.

    """
    _check_images(encoded, exemplars, dataset)
    _check_encoder(encoded, encoder)
    how: dict[str, Any] = {"seed": seed}
    if encoder is not None and encoder.kind == "spatial":
        arrays = _spatial(encoder, exemplars, dataset, maskings, seed)
    else:
        how = {**pooling.model_dump(), "seed": seed}
        if encoded is None:
            assert encoder is not None
            if blocks is None:
                work = passing(
                    *(encoder, exemplars, dataset),
                    pooling=pooling,
                    maskings=maskings,
                    seed=seed,
                    threads=threads,
                )
                blocks = (read_pooled(work.make(number)) for number in range(work.count))
            arrays = _scattered(blocks, exemplars, maskings, empty)
        else:
            arrays = _stored(encoded, exemplars, dataset, maskings, pooling, seed, threads)
    facts: dict[str, Any] = {
        "encoder": encoded.encoder if encoded else encoder.hash if encoder else "",
        "dataset": dataset.fingerprint,
        "pooling": how,
        **silent_facts(exemplars.silent()),
    }
    return FeatureTable(arrays, list(exemplars.units.items()), facts)


def passing(
    encoder: Encoder,
    exemplars: ExemplarSet,
    dataset: Dataset,
    *,
    pooling: Pooling = DEFAULT,
    maskings: tuple[Masking, ...] = MASKINGS,
    seed: int = 0,
    threads: int = 1,
) -> Work:
    """Features pooled from maps that are made batch by batch, in blocks of `BATCHES` batches.

    Every image that an exemplar shows is encoded once, in the block of its number.
    """
    _check_images(None, exemplars, dataset)
    size = dataset.images.shape[1]
    layers = [masked_layer(exemplars, name, size) for name in exemplars.layers]
    used, slots_of = used_images(layers), Slots(layers, size, maskings, seed)
    images = BATCHES * encoder.batch_size

    def make(number: int) -> Block:
        chosen = used[number * images : (number + 1) * images]
        batches = encoder.batches(dataset.images, chosen, stay=True)
        found: dict[str, list[np.ndarray]] = {}
        for masking, slots, pooled in slots_of.pool(batches, pooling, threads):
            if masking == maskings[0]:
                found.setdefault("slots", []).append(slots)
            found.setdefault(f"features/{masking}", []).append(pooled.astype(np.float16))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def network() -> str:
        from milan_core.networks.fingerprint import network_fingerprint

        return network_fingerprint(encoder.model)

    return Work(-(-len(used) // images), make, network)


def read_pooled(block: Block) -> Pooled:
    """Slots and features of a block of `passing`."""
    form = dict.fromkeys((name for name in block if name != "slots"), "float16 slots features")
    check_arrays(block, {"slots": "int64 slots", **form})
    return {name.removeprefix("features/"): array for name, array in block.items()}


def _scattered(
    blocks: Iterable[Pooled], exemplars: ExemplarSet, maskings: tuple[Masking, ...], empty: Empty
) -> dict[str, np.ndarray]:
    """Features [U, k, F] by masking, from those of slots."""
    ids = [exemplars.ids(name) for name in exemplars.layers]
    shape = sum(len(layer) for layer in ids), ids[0].shape[1]
    arrays: dict[str, np.ndarray] = {}
    for pooled in blocks:
        for masking in map(str, maskings):
            if masking not in arrays:
                arrays[masking] = empty((shape[0] * shape[1], pooled[masking].shape[1]), np.float16)
            arrays[masking][pooled["slots"]] = pooled[masking]
            drop_pages(arrays[masking])
    return {masking: array.reshape(*shape, -1) for masking, array in arrays.items()}


def _stored(
    encoded: EncodedMaps,
    exemplars: ExemplarSet,
    dataset: Dataset,
    maskings: tuple[Masking, ...],
    pooling: Pooling,
    seed: int,
    threads: int,
) -> dict[str, np.ndarray]:
    """Means of stored maps under the masks."""
    size = dataset.images.shape[1]
    return {
        masking: pool_exemplars(
            *(encoded.maps, encoded.index, exemplars, size),
            masking=masking,
            pooling=pooling,
            seed=seed,
            threads=threads,
        ).astype(np.float16)
        for masking in maskings
    }


def _check_images(encoded: EncodedMaps | None, exemplars: ExemplarSet, dataset: Dataset) -> None:
    made = {"exemplars": exemplars.meta.get("dataset")}
    if encoded is not None:
        made["encoded maps"] = encoded.dataset
    for name, fingerprint in made.items():
        if fingerprint != dataset.fingerprint:
            message = (
                f"{name} were made from data set {fingerprint}, this one is {dataset.fingerprint}; "
                "run their stage again"
            )
            raise UserError(message)


def _check_encoder(encoded: EncodedMaps | None, encoder: Encoder | None) -> None:
    if encoded is None:
        if encoder is None:
            raise UserError("features without maps need the encoder; give the network's options")
    elif encoded.kind == "spatial" and (encoder is None or encoder.hash != encoded.encoder):
        message = (
            "a spatial encoder runs on masked images, and the one with digest "
            f"{encoded.encoder} was not given; give the encoder that features.encode had"
        )
        raise UserError(message)


def _spatial(
    encoder: Encoder,
    exemplars: ExemplarSet,
    dataset: Dataset,
    maskings: tuple[Masking, ...],
    seed: int,
) -> dict[str, np.ndarray]:
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
