"""Our tensor files, and folders beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from faults.readers.declare import reader


def make_exemplars(folder: Path) -> None:
    from ops.fuzz_state import mining_state

    from milan_core.exemplars.store import ExemplarSet

    mining_state(2).save(folder / "shard.safetensors")
    ExemplarSet.from_state(mining_state(1)).save(folder / "set.safetensors")


@reader(make_exemplars, set__safetensors="safetensors sealed")
def exemplars(folder: Path) -> object:
    from milan_core.exemplars.store import load_exemplars

    found = load_exemplars(folder / "set.safetensors")
    for name in found.layers:
        found.masks(name, 8)
        found.ids(name)
    return found.units


@reader(make_exemplars, shard__safetensors="safetensors sealed")
def exemplar_shard(folder: Path) -> object:
    from milan_core.exemplars.store import load_exemplars

    return load_exemplars(folder / "shard.safetensors").units


def make_legacy(folder: Path) -> None:
    from ops.fuzz_state import mining_state

    from milan_core.exemplars.store import ExemplarSet

    ExemplarSet.from_state(mining_state(1)).export_legacy(folder / "l", size=8)


@reader(
    make_legacy, l_S_a_S_ids__csv="csv", l_S_a_S_activations__csv="csv", l_S_a_S_masks__npy="npy"
)
def published_exemplars(folder: Path) -> object:
    from milan_core.exemplars.published_import import import_legacy

    return import_legacy(folder / "l", ["a"]).units


def make_features(folder: Path) -> None:
    from milan_core.captioner.features.store import FeatureTable

    array = np.arange(24, dtype=np.float16).reshape(3, 2, 4)
    table = FeatureTable(
        {"exact": array, "whole": array}, [("a", 2), ("b", 1)], {"encoder": "e", "dataset": "d"}
    )
    table.save(folder / "f.safetensors")


@reader(make_features, f__safetensors="safetensors sealed")
def features(folder: Path) -> object:
    from milan_core.captioner.features.store import load_features

    table = load_features(folder / "f.safetensors")
    return table.rows, {name: array.sum() for name, array in table.arrays.items()}


def make_beams(folder: Path) -> None:
    from milan_core.core.tensors import save_tensors

    meta = {"layers": ["a", "a"], "units": [0, 1], "captions": [["x", "y"], ["z", "w"]]}
    logs = np.zeros((2, 2), np.float32)
    save_tensors(folder / "b.safetensors", "milan-beams", 1, {"logp": logs, "logp_lm": logs}, meta)


@reader(make_beams, b__safetensors="safetensors sealed")
def beams(folder: Path) -> object:
    from milan_core.scoring.beams import read_beams

    return read_beams(folder / "b.safetensors").rerank(0.2)


def make_concepts(folder: Path) -> None:
    from milan_core.describers.concepts import ConceptMasks

    images = [
        (np.array([0, 1]), np.ones((2, 8, 8), bool)),
        (np.array([1]), np.ones((1, 8, 8), bool)),
    ]
    masks = ConceptMasks.collect(["a", "b"], ["x", "y"], images, 8, dataset="d", source="s")
    masks.save(folder / "c.safetensors")


@reader(make_concepts, c__safetensors="safetensors sealed")
def concepts(folder: Path) -> object:
    from milan_core.describers.concepts import ConceptMasks

    return ConceptMasks.load(folder / "c.safetensors")


def make_maps(folder: Path) -> None:
    np.save(folder / "level0.npy", np.zeros((2, 3, 2, 2), np.float16))
    np.save(folder / "ids.npy", np.array([0, 2]))
    meta = {"dataset": "d", "encoder": "e", "ids": "x", "images": 3, "kind": "pyramid"}
    (folder / "encoded.json").write_text(json.dumps({**meta, "layers": ["a"], "levels": 1}))


@reader(make_maps, encoded__json="json", level0__npy="npy", ids__npy="npy")
def encoder_maps(folder: Path) -> object:
    from milan_core.captioner.features.maps import EncodedMaps

    return EncodedMaps.load(folder).index
