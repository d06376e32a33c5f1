"""Arrays and data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faults.readers.declare import only_user_errors, reader


def make_npy(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8))
    np.save(folder / "labels.npy", np.array([0, 1, -1]))


@reader(make_npy, images__npy="npy", labels__npy="npy")
def arrays(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "images.npy"), "labels": str(folder / "labels.npy")}
    spec = parse(DatasetSpec, {"kind": "arrays", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


@reader(make_npy, images__npy="npy")
def npy_file(folder: Path) -> object:
    from milan_core.annotations.mapped import MappedArray, Residency
    from milan_core.core.arrays import read_npy

    try:
        MappedArray(folder / "images.npy", Residency()).row(0).sum()
    except ValueError as error:
        only_user_errors(error)
    try:
        read_npy(folder / "images.npy", mmap=True)
    except ValueError as error:
        only_user_errors(error)
    return read_npy(folder / "images.npy")


@reader(make_npy, labels__npy="npy")
def directions_npy(folder: Path) -> object:
    from milan_core.networks.directions import _npy

    return _npy(folder / "labels.npy")


def make_dataset(folder: Path) -> None:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    raw = {"kind": "shapes", "options": {"count": 3, "label": "object"}, "seed": 1}
    parse(DatasetSpec, raw, "d").build("d", folder / "d", {}, 1)


@reader(
    make_dataset,
    d_S_manifest__json="json",
    d_S_images__npy="npy",
    d_S_labels__npy="npy",
    d_S_instances__npy="npy",
    d_S_scenes__json="json",
    d_S_ids__csv="csv",
)
def dataset(folder: Path) -> object:
    from milan_core.images.store import open_dataset

    data = open_dataset(folder / "d")
    data.verify()
    return data.fingerprint, data.world_kind, data.scenes, data.names, repr(data), len(data)
