"""`arrays`: images that are one array already, such as CIFAR's; their size stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from milan_core.core.arrays import read_npy, write_npy
from milan_core.core.errors import UserError
from milan_core.core.inputs import InputPath
from milan_core.core.missing import Missing
from milan_core.images.kind import DatasetKind
from milan_core.images.options import KindOptions
from milan_core.images.picture import MOST_CLASSES
from milan_core.images.sources import missing_path
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, start_folder


class ArraysOptions(KindOptions):
    """Options of `kind: arrays`."""

    path: InputPath = Field(min_length=1, description=".npy file, uint8 (N, H, W, 3)")
    labels: InputPath = Field(
        "", description=".npy file, integers (N,); -1 where an image has none"
    )
    classes: list[str] = Field([], description="Names of labels 0, 1, ...; []: their numbers")
    count: int = Field(0, ge=0, description="The first so many; 0: all")


class Arrays(DatasetKind):
    """Images that are one array already."""

    kind: Literal["arrays"] = Field("arrays", description="One uint8 array (N, H, W, 3)")
    options: ArraysOptions = Field(description="Files and names of classes")
    seed: int = Field(0, description="Recorded only")

    def missing(self, key: str) -> Iterator[Missing]:
        """The files that are not there."""
        for name in ("path", "labels"):
            if path := getattr(self.options, name):
                yield from missing_path(f"{key}.options.{name}", path)

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Copy the array into the data set folder `out`; nothing is decoded."""
        source = _read_images(self.options)
        count = self.options.count or len(source)
        if count == 0 or count > len(source):
            msg = f"dataset {name!r}: {count or 'no'} images wanted, {len(source)} there"
            raise UserError(msg)
        labels = _read_labels(self.options, len(source))[:count]
        classes = _classes(self.options, labels)
        start_folder(out)
        write_npy(out / "images.npy", source[:count])
        return finish_folder(
            out,
            name=name,
            kind=self.kind,
            options=self.options,
            seed=self.seed,
            classes=classes,
            labels=labels,
            names=[str(i) for i in range(count)],
            credits=[],
        )


def _read_images(options: ArraysOptions) -> np.ndarray:
    source = read_npy(Path(options.path).expanduser(), mmap=True)
    if source.dtype != np.uint8 or source.ndim != 4 or source.shape[3] != 3:
        msg = (
            f"{options.path}: expected uint8 (images, height, width, 3), "
            f"got {source.dtype.name} {source.shape}"
        )
        raise UserError(msg)
    return source


def _read_labels(options: ArraysOptions, total: int) -> np.ndarray:
    """int64 (total,)."""
    if not options.labels:
        return np.full(total, -1, dtype=np.int64)
    labels = read_npy(Path(options.labels).expanduser(), mmap=True)
    if labels.shape != (total,) or labels.dtype.kind not in "iu":
        msg = f"{options.labels}: expected {total} integers, got {labels.dtype.name} {labels.shape}"
        raise UserError(msg)
    return labels.astype(np.int64)


def _classes(options: ArraysOptions, labels: np.ndarray) -> list[str]:
    top = int(labels.max(initial=-1))
    if not options.classes and top >= MOST_CLASSES:
        raise UserError(f"{options.labels}: the highest label is {top}; are these classes?")
    classes = options.classes or [str(i) for i in range(top + 1)]
    if top >= len(classes) or labels.min(initial=0) < -1:
        msg = f"{options.labels}: labels must lie in -1..{len(classes) - 1}, highest {top}"
        raise UserError(msg)
    return classes
