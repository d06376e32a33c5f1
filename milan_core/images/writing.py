"""Writing of data set folders, in the format of `images.store`.

`start_folder`, the pixels with `new_array`, then `finish_folder` for everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from milan_core.core.arrays import map_new, read_npy, write_npy
from milan_core.core.files import (
    atomic_path,
    canonical_json,
    file_sha256,
    write_csv,
    write_json,
    write_text,
)
from milan_core.core.lock import publishing
from milan_core.images.store import FORMAT, VERSION, Dataset, Scene, open_dataset


@contextmanager
def new_array(path: Path, shape: tuple[int, ...], dtype: Any) -> Iterator[np.ndarray]:
    """A memory-mapped .npy to fill; it is renamed to `path` when the block succeeds."""
    with atomic_path(path) as temporary:
        array = map_new(temporary, shape, dtype)
        yield array
        array.flush()


def start_folder(out: Path) -> None:
    """Prepare `out`; an older manifest is deleted first, so no half-new folder opens."""
    out.mkdir(parents=True, exist_ok=True)
    with publishing():
        for file in ("manifest.json", "instances.npy", "scenes.json", "latents.npy", "cues.csv"):
            (out / file).unlink(missing_ok=True)


def finish_folder(
    out: Path,
    *,
    name: str,
    kind: str,
    options: BaseModel,
    seed: int,
    classes: Sequence[str],
    labels: np.ndarray,
    names: Sequence[str],
    credits: Sequence[Mapping[str, str]],
    scenes: Sequence[Scene] | None = None,
    notes: Mapping[str, Any] | None = None,
    tables: Sequence[str] = (),
    known: Mapping[str, str] | None = None,
) -> Dataset:
    """Write labels, ids, scenes and the manifest beside `images.npy`; open the data set.

    Args:
        out: the folder, with images.npy and, for worlds, instances.npy.
        name: of the data set.
        kind: of the data set.
        options: of the kind; recorded.
        seed: recorded.
        classes: names of labels 0, 1, ...
        labels: integers (N,), -1 where an image has none.
        names: one per image.
        credits: name, license and credit of each source.
        scenes: things per image; None for plain images.
        notes: further keys of the manifest.
        tables: further files of the folder, already written, that count for the fingerprint.
        known: SHA-256 of files that were hashed while they were written; the others are read.

    """
    write_npy(out / "labels.npy", labels.astype(np.int64))
    text = [classes[i] if i >= 0 else "" for i in labels.tolist()]
    write_csv(
        out / "ids.csv", ["id", "name", "label"], zip(range(len(names)), names, text, strict=True)
    )
    files = ["images.npy", "labels.npy", "ids.csv"]
    if scenes is not None:
        write_text(out / "scenes.json", canonical_json(scenes) + "\n")
        files += ["instances.npy", "scenes.json"]
    if (out / "latents.npy").is_file():
        files.append("latents.npy")
    files += tables
    count, height, width, _ = read_npy(out / "images.npy", mmap=True).shape
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "kind": kind,
        "world": scenes is not None,
        "count": count,
        "height": height,
        "width": width,
        "classes": list(classes),
        "spec": {"kind": kind, "options": options.model_dump(mode="json")},
        "seed": seed,
        "credits": [dict(item) for item in credits],
        "files": {file: (known or {}).get(file) or file_sha256(out / file) for file in files},
        **(notes or {}),
    }
    write_json(out / "manifest.json", manifest)
    return open_dataset(out)
