"""Features of an annotation set: exemplars that were mined by others, with the texts they got."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.annotations.images import SetImages
from milan_core.annotations.layers import LayerFolder
from milan_core.annotations.mapped import scratch_array
from milan_core.annotations.records import Annotation
from milan_core.annotations.released import AnnotationSet
from milan_core.captioner.features.encoder import Encoder, used_images
from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.pooling import (
    DEFAULT,
    Empty,
    MaskedLayer,
    Masking,
    pool_images,
)
from milan_core.captioner.features.spatial import spatial_features
from milan_core.captioner.features.store import FeatureTable, silent_facts
from milan_core.core.arrays import drop_pages
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, file_sha256, text_hash
from milan_core.core.units import UnitKey
from milan_core.exemplars.groups import unit_groups

BATCH = 16  # images: bounds the memory of their maps, which reading the images hides


def encode_set(
    opened: AnnotationSet,
    images: SetImages,
    encoder: Encoder,
    *,
    pooling: Pooling = DEFAULT,
    maskings: tuple[Masking, ...] = ("exact",),
    seed: int = 0,
    scratch: Path | None = None,
    every: bool = False,
) -> FeatureTable:
    """Features of the annotated units of a set, layer by layer, units as in its files.

    They have the type of the encoder's maps: float16, float32 for a published captioner. Every
    distinct image is read and encoded once, whatever the number of layers that show it. With a
    folder for `scratch` files, masks and features lie there and not in memory: 0.5 GB and up to
    1.8 GB of float16 for the largest published set. `every` takes all units of the set.
    """
    rows = _wanted_rows(opened, every)
    empty = np.zeros if scratch is None else functools.partial(scratch_array, scratch)
    layers = [_masked(opened, name, chosen, empty) for name, chosen in rows.items()]
    if len({layer.ids.shape[1] for layer in layers}) != 1:
        message = f"{opened.folder}: layers have different numbers of exemplars"
        raise UserError(message)
    size = opened.layers[layers[0].name].size
    record: dict[str, Any] = {"seed": seed}
    arrays: dict[str, np.ndarray] = {}
    if encoder.kind == "spatial":
        for masking in maskings:
            parts = [
                spatial_features(encoder, images, one, size, masking=masking, seed=seed)
                for one in layers
            ]
            arrays[masking] = np.concatenate(parts).astype(encoder.dtype)
    else:
        record |= pooling.model_dump()
        batches = encoder.batches(images, used_images(layers), BATCH, stay=True)
        pooled = pool_images(
            *(batches, layers, size),
            maskings=maskings,
            pooling=pooling,
            seed=seed,
            empty=empty,
            dtype=encoder.dtype,
        )
        arrays = {str(masking): array for masking, array in pooled.items()}
    meta: dict[str, Any] = {
        "encoder": encoder.hash,
        "dataset": set_fingerprint(opened),
        "pooling": record,
        **silent_facts(
            {
                key: status
                for name, chosen in rows.items()
                for key, status in opened.layers[name].silent(chosen.tolist()).items()
            }
        ),
    }
    units = {name: opened.layers[name].units[chosen].tolist() for name, chosen in rows.items()}
    counts = [(name, len(chosen)) for name, chosen in rows.items()]
    return FeatureTable(arrays, counts, meta, units)


def _wanted_rows(opened: AnnotationSet, every: bool) -> dict[str, np.ndarray]:
    """Rows of the units that have annotations, or of all, ascending, by layer."""
    rows: dict[str, np.ndarray] = {}
    wanted = opened.units if every else list(opened.annotations)
    for name, folder in opened.layers.items():
        units = [unit for layer, unit in wanted if layer == name]
        if units:
            rows[name] = np.sort([folder.row(unit) for unit in units])
    if not rows:
        message = f"{opened.folder}: no unit has as many annotations as asked for"
        raise UserError(message)
    return rows


def _masked(opened: AnnotationSet, name: str, rows: np.ndarray, empty: Empty) -> MaskedLayer:
    """The layer with its masks as bits: from the packed copy on disk, or packed here.

    They take 94 KB a unit of 15 masks of 224 pixels: 470 MB for the largest set.
    """
    folder, k = opened.layers[name], opened.layers[name].ids.shape[1]
    if folder.is_packed:

        def mapped(slots: np.ndarray) -> np.ndarray:
            return np.stack([folder.packed(rows[s // k])[s % k] for s in slots.tolist()])

        return MaskedLayer(name, folder.ids[rows], mapped)
    packed = empty((len(rows) * k, folder.size, -(-folder.size // 8)), np.uint8)
    for place, row in enumerate(rows):
        packed[place * k : (place + 1) * k] = folder.packed(row)
    bits = np.asarray(packed)

    def kept(slots: np.ndarray) -> np.ndarray:
        chosen: np.ndarray = bits[slots]
        drop_pages(packed)
        return chosen

    return MaskedLayer(name, folder.ids[rows], kept)


def set_fingerprint(opened: AnnotationSet) -> str:
    """Digest of all that determines the features: ids, units, masks, and the set's images.

    Packed masks give the digest of the masks that they were packed from.
    """
    facts = []
    for name, folder in opened.layers.items():
        table = file_sha256(folder.folder / "ids.csv")
        facts.append([name, table, folder.size, folder.units.tolist(), _pixels_hash(folder)])
    return text_hash(canonical_json(facts), 64)


def _pixels_hash(folder: LayerFolder) -> str:
    """SHA-256 of the masks of a layer as bits and, where it has them, of its images."""
    digest = hashlib.sha256()
    for row in range(len(folder)):
        digest.update(folder.packed(row).tobytes())
        if folder.has_images:
            digest.update(folder.images(row).data)
    return digest.hexdigest()


def annotation_rows(opened: AnnotationSet) -> list[Annotation]:
    """The kept annotations of a set, units in its order."""
    return [
        Annotation(layer, unit, text)
        for (layer, unit), texts in opened.annotations.items()
        for text in texts
    ]


def annotation_groups(opened: AnnotationSet) -> dict[UnitKey, int]:
    """The group of every unit of a set, from the images that its units share."""
    ids = {}
    for name, folder in opened.layers.items():
        every = np.full((int(folder.units.max()) + 1, folder.ids.shape[1]), -1, np.int64)
        every[folder.units] = folder.ids
        ids[name] = every
    return unit_groups(ids)
