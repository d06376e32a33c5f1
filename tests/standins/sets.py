"""Miniature annotation sets: exemplars mined from a stand-in network, in the published zips."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.annotations.export import export_set, share_images, zip_set
from milan_core.annotations.records import Annotation
from milan_core.core.seeding import generator
from milan_core.exemplars.mine import mine_dataset
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.store import ExemplarSet
from milan_core.images.store import Dataset
from milan_core.networks.zoo import load_network
from standins.pictures import Shown, phrases

SIDE = 224  # of published masks and images
VAGUE = (
    "soft colours",
    "dark patches",
    "bright spots",
    "edges",
    "text",
    "faces",
    "noise",
    "stripes",
)


def write_set(
    key: str,
    model: Mapping[str, Any],
    dataset: Dataset,
    shown: Mapping[str, Shown],
    archive: Path,
    *,
    k: int,
    seed: int,
) -> int:
    """Write the zip of the set `key` (`<architecture>/<data set>`); returns its number of units.

    `model` is an entry of `model_zoo` with the path of its weights, `shown` says what the pictures
    of `dataset` show, by their file names (nothing is known of images that a generator drew).
    """
    run = MiningRun(batch_size=int(model.get("batch_size", 32)))
    options = MiningOptions(k=k, sample=0)
    found = mine_dataset(load_network(model), dataset, options, run, name=key)
    whole = share_images(key, classes=dataset.classes)
    rows = _annotations(found, [shown.get(name.rpartition("/")[2]) for name in dataset.names], seed)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        images = dataset.images if whole else None
        export_set(found, rows, scratch, images=images, size=SIDE)
        zip_set(scratch, archive, images=whole)
    return len(rows) // 3


def _annotations(found: ExemplarSet, shown: Sequence[Shown | None], seed: int) -> list[Annotation]:
    """Three phrases a unit; as in the published tables, rows are in no order."""
    rows = []
    for layer in found.layers:
        for unit, ids in enumerate(found.ids(layer).tolist()):
            seen = [one for one in (shown[image] for image in ids) if one]
            texts = phrases(seen, seed, layer, unit) if seen else _vague(seed, layer, unit)
            rows += [Annotation(layer, unit, text) for text in texts]
    return [rows[i] for i in generator(seed, "order of rows").permutation(len(rows)).tolist()]


def _vague(seed: int, layer: str, unit: int) -> list[str]:
    rng = generator(seed, "vague", layer, unit)
    return [VAGUE[i] for i in rng.integers(len(VAGUE), size=3).tolist()]
