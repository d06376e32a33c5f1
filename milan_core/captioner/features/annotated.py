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
from milan_core.annotations.records import Annotation, write_annotations
from milan_core.annotations.released import AnnotationSet, open_set
from milan_core.captioner.features.encoder import Encoder, used_images
from milan_core.captioner.features.pooling import MASKINGS, Empty, MaskedLayer, Masking, pool_images
from milan_core.captioner.features.spatial import spatial_features
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, file_sha256, give_back, text_hash

BATCH = 16  # images: bounds the memory of their maps, which reading the images hides


def encode_set(
    found: AnnotationSet,
    images: SetImages,
    encoder: Encoder,
    *,
    append_area: bool = True,
    resize: str = "area",
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
    rows = _wanted_rows(found, every)
    empty = np.zeros if scratch is None else functools.partial(scratch_array, scratch)
    layers = [_masked(found, name, chosen, empty) for name, chosen in rows.items()]
    if len({layer.ids.shape[1] for layer in layers}) != 1:
        message = f"{found.folder}: layers have different numbers of exemplars"
        raise UserError(message)
    size = found.layers[layers[0].name].size
    options: dict[str, Any] = {"seed": seed}
    arrays: dict[str, np.ndarray] = {}
    if encoder.kind == "spatial":
        for masking in maskings:
            parts = [
                spatial_features(encoder, images, one, size, masking=masking, seed=seed)
                for one in layers
            ]
            arrays[masking] = np.concatenate(parts).astype(encoder.dtype)
    else:
        options |= {"append_area": append_area, "resize": resize}
        batches = encoder.batches(images, used_images(layers), BATCH)
        pooled = pool_images(
            batches, layers, size, maskings=maskings, empty=empty, dtype=encoder.dtype, **options
        )
        arrays = {str(masking): array for masking, array in pooled.items()}
    meta = {"encoder": encoder.hash, "dataset": set_fingerprint(found), "pooling": options}
    units = {name: found.layers[name].units[chosen].tolist() for name, chosen in rows.items()}
    counts = [(name, len(chosen)) for name, chosen in rows.items()]
    return FeatureTable(arrays, counts, meta, units)


def _wanted_rows(found: AnnotationSet, every: bool) -> dict[str, np.ndarray]:
    """Rows of the units that have annotations, or of all, rising, by layer."""
    rows: dict[str, np.ndarray] = {}
    wanted = found.units if every else list(found.annotations)
    for name, folder in found.layers.items():
        units = [unit for layer, unit in wanted if layer == name]
        if units:
            rows[name] = np.sort([folder.row(unit) for unit in units])
    if not rows:
        message = f"{found.folder}: no unit has as many annotations as asked for"
        raise UserError(message)
    return rows


def _masked(found: AnnotationSet, name: str, rows: np.ndarray, empty: Empty) -> MaskedLayer:
    """The layer with its masks as bits: from the packed copy on disk, or packed here.

    They take 94 KB a unit of 15 masks of 224 pixels: 470 MB for the largest set.
    """
    folder, k = found.layers[name], found.layers[name].ids.shape[1]
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
        give_back(packed)
        return chosen

    return MaskedLayer(name, folder.ids[rows], kept)


def set_fingerprint(found: AnnotationSet) -> str:
    """A digest of what decides the features: ids, units, masks, and images of the set's own.

    Packed masks give the digest of the masks that they were packed from.
    """
    facts = []
    for name, folder in found.layers.items():
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


def write_set(
    spec: dict[str, Any],
    encoder: Encoder,
    options: dict[str, Any],
    *,
    features: Path,
    annotations: Path,
    threads: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Write the features and the annotations of a set as the captioner's training reads them.

    Args:
        spec: path, images, transform, expect, annotation_count (`annotation_sets` of the config);
            with `controls` also under shuffled masks and whole, for the scores of descriptions.
        encoder: of the captioner.
        options: of the pooling.
        features: features.safetensors; scratch files lie beside it meanwhile.
        annotations: annotations.csv.
        threads: images decoded at once.
        seed: of the shuffled masks.

    Returns:
        Entries for the provenance record.

    """
    found = open_set(Path(spec["path"]).expanduser(), spec["annotation_count"])
    root = Path(spec["images"]).expanduser() if spec["images"] else None
    images = SetImages(found, root, spec["transform"], expected=spec["expect"], threads=threads)
    maskings: tuple[Masking, ...] = MASKINGS if spec.get("controls") else ("exact",)
    table = encode_set(
        found, images, encoder, maskings=maskings, seed=seed, scratch=features.parent, **options
    )
    texts = [
        Annotation(layer, unit, text)
        for (layer, unit), kept in found.annotations.items()
        for text in kept
    ]
    write_annotations(annotations, texts)
    table.save(features)
    return {
        "units": len(table.rows),
        "annotations": len(texts),
        "fingerprint": table.meta["dataset"],
    }
