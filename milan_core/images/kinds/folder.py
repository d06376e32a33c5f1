"""`folder`: images of the user's at any depth; first-level folders are the classes."""

from __future__ import annotations

from pathlib import Path

from milan_core.images.files import find_images
from milan_core.images.options import FolderSpec
from milan_core.images.pictures import Picture, drawn, from_file, labelled_classes, store_pictures
from milan_core.images.store import Dataset


def list_folder(folder: Path) -> list[Picture]:
    """The images below `folder` in sorted order; those in no class folder have no class."""
    return [
        from_file(folder / path, path.as_posix(), path.parts[0] if len(path.parts) > 1 else "")
        for path in find_images(folder)
    ]


def build_folder(name: str, spec: FolderSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Read the folder into the data set folder `out`."""
    everything = list_folder(Path(spec.path).expanduser())
    pictures = drawn(everything, spec.count, seed, name)
    classes = labelled_classes(everything)
    return store_pictures(name, "folder", pictures, classes, spec, out, seed, threads)
