"""The user's images on disk: where they are, what is missing, whether they changed."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from milan_core.core.files import canonical_json, text_hash
from milan_core.core.missing import Missing
from milan_core.images.fetch.places import is_filled


def places_of(path: str) -> list[Path]:
    """What a path or pattern stands for, sorted."""
    given = Path(path).expanduser()
    if given.exists():
        return [given]
    return sorted(Path(match) for match in glob.glob(str(given)))  # noqa: PTH207 - any folder


def missing_path(key: str, path: str) -> Iterator[Missing]:
    """A path or pattern that stands for nothing, or for empty folders only."""
    places = places_of(path)
    if not places:
        yield Missing(key, path)
    elif not any(map(is_filled, places)):
        yield Missing(key, path, problem="is empty")


def every_file_digest(path: str) -> str:
    """A digest of names, sizes and times of all files that a path or pattern stands for."""
    return _digest(sorted(file for place in places_of(path) for file in _files(place)))


def class_folders_digest(path: str) -> str:
    """A digest of the times of a folder, of those in it and of those in them.

    For folders of more files than can be looked at: a folder's time changes with its list of files.
    """
    return _digest(folder for place in places_of(path)[:1] for folder in _folders(place))


def _files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return (item for item in path.rglob("*") if item.is_file())


def _folders(path: Path) -> list[Path]:
    outer = sorted(item for item in path.iterdir() if item.is_dir()) if path.is_dir() else []
    inner = [item for folder in outer for item in sorted(folder.iterdir()) if item.is_dir()]
    return [path, *outer, *inner]


def _digest(paths: Iterable[Path]) -> str:
    facts = [(str(item), item.stat().st_size, item.stat().st_mtime_ns) for item in paths]
    return text_hash(canonical_json(facts)) if facts else ""
