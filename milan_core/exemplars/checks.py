"""Check types, shapes and ranges of a stored file before anything is built from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import ConfigDict, Field

from milan_core.core.errors import UserError
from milan_core.core.options import Content

#: Arrays of a layer: type, and axes by name; equal names must have equal lengths.
_ARRAYS = {
    "ids": (np.int64, "units k"),
    "activations": (np.float32, "units k"),
    "levels": (np.float32, "units"),
    "resolved": (np.bool_, "units"),
    "constant": (np.bool_, "units"),
    "maps": (np.float32, "units k height width"),
    "packed": (np.uint8, "units k size bytes"),
    "band_ids": (np.int64, "units bands each"),
    "band_activations": (np.float32, "units bands each"),
    "spread.values": (np.uint64, "units"),
    "spread.zeros": (np.uint64, "units"),
    "spread.cells": (np.uint32, "units"),
    "spread.bins": (np.uint32, "cells"),
    "spread.counts": (np.uint64, "cells"),
}
_NEEDED = ("ids", "activations", "levels", "resolved")


class LayerFacts(Content):
    """One layer in the header of a whole file."""

    name: str
    size: int = Field(ge=0)  # of the masks
    sample: int = Field(0, ge=0)  # sampled images


class SetFacts(Content):
    """How a set was mined, as far as somebody reads it from a file; the rest passes as it is."""

    model_config = ConfigDict(extra="allow")

    model: str = ""
    dataset: str = ""
    quantile: float = 0
    band_size: int = 0


class SetMeta(Content):
    """Metadata of a whole file of exemplars."""

    layers: list[LayerFacts] = Field(min_length=1)
    meta: SetFacts


def check_names(layers: Sequence[LayerFacts]) -> None:
    """Refuse a header that names a layer twice."""
    if len({layer.name for layer in layers}) != len(layers):
        raise damaged("the header names a layer twice")


def check_arrays(name: str, parts: Mapping[str, np.ndarray], size: int) -> None:
    """Refuse arrays of a layer that cannot be what `LayerExemplars` needs."""
    axes: dict[str, int] = {"size": size, "bytes": (size + 7) // 8}
    for part in _NEEDED:
        if part not in parts:
            raise damaged(f"layer {name!r} has no {part}")
    for part, array in parts.items():
        kind, shape = _ARRAYS.get(part, (np.uint64, "units"))
        if part not in _ARRAYS and not part.startswith("count."):
            raise damaged(f"layer {name!r} has an unknown array {part!r}")
        names = shape.split()
        empty = 0 in array.shape[:2] and "cells" not in names  # a dead layer fills no cell
        if array.dtype != kind or array.ndim != len(names) or empty:
            raise damaged(f"{part} of layer {name!r} is {array.dtype} {array.shape}")
        for axis, length in zip(names, array.shape, strict=True):
            if axes.setdefault(axis, length) != length:
                raise damaged(f"{part} of layer {name!r} has {length} {axis}, not {axes[axis]}")
    if int(parts["ids"].min()) < -1:
        raise damaged(f"layer {name!r} has an image with a negative id")
    spread = [part for part in parts if part.startswith("spread.")]
    if spread and len(spread) != 5:
        raise damaged(f"the distribution of layer {name!r} is incomplete")
    if spread and int(parts["spread.cells"].sum(dtype=np.uint64)) != len(parts["spread.bins"]):
        raise damaged(f"the distribution of layer {name!r} does not add up")


def damaged(what: str) -> UserError:
    """The error for a file that cannot be what its kind says."""
    return UserError(f"exemplar file: {what}; it is damaged, so run its stage again")
