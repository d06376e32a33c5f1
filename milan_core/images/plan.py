"""Images of the user's in the plan: where they are, and whether they changed."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from milan_core.config import Config
from milan_core.core.files import canonical_json, text_hash

SINGLE = ("folder", "arrays")  # every file counts
CLASSED = ("imagenet", "places365", "spurious")  # too many files: their folders' times count


def places_of(path: str) -> list[Path]:
    """What a path or pattern stands for, sorted."""
    given = Path(path).expanduser()
    if given.exists():
        return [given]
    return sorted(Path(found) for found in glob.glob(str(given)))  # noqa: PTH207 - any folder


def images_version(config: Config, dataset: str) -> str:
    """A digest of names, sizes and times of the user's images, so that new ones are noticed."""
    spec = config.dataset_zoo[dataset]
    places = places_of(str(spec.options.get("path") or "")) if spec.options.get("path") else []
    if not places:
        return ""
    if spec.kind in SINGLE:
        return _digest(sorted(_files(places[0])))
    if spec.kind == "webdataset":
        return _digest(sorted(file for place in places for file in _files(place)))
    return _digest(_folders(places[0])) if spec.kind in CLASSED else ""


def _files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return (item for item in path.rglob("*") if item.is_file())


def _folders(path: Path) -> list[Path]:
    """The folder, those in it and those in them; a folder's time changes with its list of files."""
    outer = sorted(item for item in path.iterdir() if item.is_dir()) if path.is_dir() else []
    inner = [item for folder in outer for item in sorted(folder.iterdir()) if item.is_dir()]
    return [path, *outer, *inner]


def _digest(paths: Iterable[Path]) -> str:
    facts = [(str(item), item.stat().st_size, item.stat().st_mtime_ns) for item in paths]
    return text_hash(canonical_json(facts))
