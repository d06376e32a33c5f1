"""Build a dataset folder from its spec: the one entry for all kinds.

    build_dataset("probe", {"kind": "shapes", "count": 4000}, {}, "resources/datasets/probe", 0)

Kinds: `stickers` and `shapes` (composed scenes with ground truth), and those of images that are
read: `READ`. The same spec, assets, files and seed give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import unknown
from milan_core.images.kinds.arrays import build_arrays
from milan_core.images.kinds.folder import build_folder
from milan_core.images.kinds.hub import build_hub
from milan_core.images.kinds.published import build_imagenet, build_places365
from milan_core.images.kinds.spurious import build_spurious
from milan_core.images.kinds.tars import build_tars
from milan_core.images.options import (
    ArraysSpec,
    FolderSpec,
    HubSpec,
    PublishedSpec,
    SceneSpec,
    SpuriousSpec,
    TarsSpec,
    read_spec,
)
from milan_core.images.store import Dataset
from milan_core.world.scenes import build_world
from milan_core.world.shapes import ShapeArt
from milan_core.world.stickers import StickerArt

# The spec of every kind that is read, and what builds it: (name, spec, out, seed, threads).
READ: dict[str, tuple[type[Any], Callable[..., Dataset]]] = {
    "folder": (FolderSpec, build_folder),
    "arrays": (ArraysSpec, build_arrays),
    "imagenet": (PublishedSpec, build_imagenet),
    "places365": (PublishedSpec, build_places365),
    "spurious": (SpuriousSpec, build_spurious),
    "webdataset": (TarsSpec, build_tars),
    "huggingface": (HubSpec, build_hub),
}
KINDS = ("stickers", "shapes", *READ)
NEEDS = {"stickers": ("emojis", "miniworld")}  # assets per kind


def build_dataset(
    name: str,
    spec: Mapping[str, Any],
    assets: Mapping[str, Path],
    out: Path | str,
    seed: int,
    threads: int = 1,
) -> Dataset:
    """Build the dataset `name` in the folder `out` and open it.

    `spec` holds `kind` and, flat or under `options`, the keys of the kind's class in
    `milan_core.images.options`. `assets` maps the names in `NEEDS` to fetched folders. `threads`
    decode the images that are read; they change the speed only.
    """
    out = Path(out)
    kind = str(spec.get("kind"))
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS, where=f"the spec of dataset {name!r}")
    spec = _options(spec)
    if kind in READ:
        cls, build = READ[kind]
        return build(name, read_spec(cls, spec, name), out, seed, threads)
    scenes = read_spec(SceneSpec, spec, name)
    art = StickerArt(scenes, assets) if kind == "stickers" else ShapeArt(scenes)
    return build_world(name, kind, scenes, art, out, seed)


def _options(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of the kind; `assets` and `seed` of a configuration's entry are given apart."""
    own = {key: value for key, value in spec.items() if key not in ("kind", "assets", "seed")}
    nested = own.pop("options", None)
    return {**own, **(nested or {})}
