"""Build a dataset folder from its spec: the one entry for all kinds.

    build_dataset("probe", {"kind": "shapes", "count": 4000}, {}, "resources/datasets/probe", 0)

Kinds: `stickers` and `shapes` (composed scenes with ground truth), `folder` and `arrays` (the
user's images). The same spec,
assets and seed give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.data.images import class_of, find_images, load_all
from milan_core.data.scenes import build_world
from milan_core.data.shapes import ShapeArt
from milan_core.data.specs import ArraysSpec, FolderSpec, SceneSpec, read_spec, write_spec
from milan_core.data.stickers import StickerArt
from milan_core.data.store import Dataset, finish_folder, new_array, start_folder
from milan_core.errors import UserError, unknown
from milan_core.runtime.files import read_npy, write_npy
from milan_core.runtime.seeding import generator

KINDS = ("stickers", "shapes", "folder", "arrays")
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

    `spec` holds `kind` and, flat or under `options`, the keys of `SceneSpec`, `FolderSpec` or
    `ArraysSpec`. `assets` maps the names in `NEEDS` to fetched folders. `threads` decode the
    images of a folder; they change the speed only.
    """
    out = Path(out)
    kind = spec.get("kind")
    if kind not in KINDS:
        raise unknown("kind", str(kind), KINDS, where=f"the spec of dataset {name!r}")
    spec = _options(spec)
    if kind == "folder":
        return _build_folder(name, read_spec(FolderSpec, spec, name), out, seed, threads)
    if kind == "arrays":
        return _build_arrays(name, read_spec(ArraysSpec, spec, name), out, seed)
    scenes = read_spec(SceneSpec, spec, name)
    art = StickerArt(scenes, assets) if kind == "stickers" else ShapeArt(scenes)
    return build_world(name, kind, scenes, art, out, seed)


def _options(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of the kind; `assets` and `seed` of a configuration's entry are given apart."""
    own = {key: value for key, value in spec.items() if key not in ("kind", "assets", "seed")}
    nested = own.pop("options", None)
    return {**own, **(nested or {})}


def _sample(paths: list[Path], count: int, seed: int, name: str) -> list[Path]:
    """`count` of the paths in their order; all when `count` is 0."""
    if count > len(paths):
        msg = f"dataset {name!r}: count is {count}, the folder holds {len(paths)} images"
        raise UserError(msg)
    if count == 0:
        return paths
    chosen = generator(seed, "sample").choice(len(paths), count, replace=False)
    return [paths[i] for i in sorted(chosen.tolist())]


def _build_folder(name: str, spec: FolderSpec, out: Path, seed: int, threads: int) -> Dataset:
    folder = Path(spec.path).expanduser()
    classes, _ = class_of(everything := find_images(folder))
    paths = _sample(everything, spec.count, seed, name)
    start_folder(out)
    good: list[Path] = []
    skipped: list[str] = []
    shape = (len(paths), spec.size, spec.size, 3)
    with new_array(out / "images.npy", shape, np.uint8) as images:
        files = [folder / path for path in paths]
        loaded = load_all(files, spec.shorter_side, spec.size, threads)
        for path, image in zip(paths, loaded, strict=True):
            if not isinstance(image, UserError):
                images[len(good)] = image
                good.append(path)
            elif spec.on_error == "skip":
                skipped.append(path.as_posix())
            else:
                raise image
    if not good:
        msg = f"dataset {name!r}: none of the {len(paths)} images can be read"
        raise UserError(msg)
    if skipped:
        write_npy(out / "images.npy", read_npy(out / "images.npy", mmap=True)[: len(good)])
    number = {label: i for i, label in enumerate(classes)}
    labels = [number[path.parts[0]] if len(path.parts) > 1 else -1 for path in good]
    return finish_folder(
        out,
        name=name,
        kind="folder",
        spec={"kind": "folder", "options": write_spec(spec)},
        seed=seed,
        classes=classes,
        labels=np.array(labels, dtype=np.int64),
        names=[path.as_posix() for path in good],
        credits=[],
        notes={"skipped": skipped},
    )


def _read_labels(spec: ArraysSpec, total: int) -> np.ndarray:
    if not spec.labels:
        return np.full(total, -1, dtype=np.int64)
    labels = read_npy(Path(spec.labels).expanduser())
    if labels.shape != (total,) or labels.dtype.kind not in "iu":
        msg = f"{spec.labels}: expected {total} integers, got {labels.dtype.name} {labels.shape}"
        raise UserError(msg)
    return labels.astype(np.int64)


def _build_arrays(name: str, spec: ArraysSpec, out: Path, seed: int) -> Dataset:
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
