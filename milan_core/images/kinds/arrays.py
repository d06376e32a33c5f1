"""`arrays`: images that are one array already, such as CIFAR's; their size stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_npy, write_npy
from milan_core.images.options import ArraysSpec, write_spec
from milan_core.images.store import Dataset, finish_folder, start_folder


def _read_labels(spec: ArraysSpec, total: int) -> np.ndarray:
    if not spec.labels:
        return np.full(total, -1, dtype=np.int64)
    labels = read_npy(Path(spec.labels).expanduser())
    if labels.shape != (total,) or labels.dtype.kind not in "iu":
        msg = f"{spec.labels}: expected {total} integers, got {labels.dtype.name} {labels.shape}"
        raise UserError(msg)
    return labels.astype(np.int64)


def build_arrays(name: str, spec: ArraysSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Copy the array into the data set folder `out`; nothing is decoded."""
    del threads
    source = read_npy(Path(spec.path).expanduser(), mmap=True)
    if source.dtype != np.uint8 or source.ndim != 4 or source.shape[3] != 3:
        msg = (
            f"{spec.path}: expected uint8 (images, height, width, 3), "
            f"got {source.dtype.name} {source.shape}"
        )
        raise UserError(msg)
    count = spec.count or len(source)
    if count == 0 or count > len(source):
        msg = f"dataset {name!r}: {count or 'no'} images wanted, {len(source)} there"
        raise UserError(msg)
    labels = _read_labels(spec, len(source))[:count]
    top = int(labels.max(initial=-1))
    classes = list(spec.classes) or [str(i) for i in range(top + 1)]
    if top >= len(classes) or labels.min(initial=0) < -1:
        msg = f"{spec.labels}: labels must lie in -1..{len(classes) - 1}, highest {top}"
        raise UserError(msg)
    start_folder(out)
    write_npy(out / "images.npy", source[:count])
    return finish_folder(
        out,
        name=name,
        kind="arrays",
        spec={"kind": "arrays", "options": write_spec(spec)},
        seed=seed,
        classes=classes,
        labels=labels,
        names=[str(i) for i in range(count)],
        credits=[],
    )
