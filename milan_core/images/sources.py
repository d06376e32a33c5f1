"""The user's images on disk: what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from milan_core.core.contents import places_of
from milan_core.core.missing import Missing
from milan_core.images.fetch.places import is_filled


def missing_path(key: str, path: str) -> Iterator[Missing]:
    """A path or pattern that stands for nothing, or for empty folders only."""
    places = places_of(path)
    if not places:
        yield Missing(key, path)
    elif not any(map(is_filled, places)):
        yield Missing(key, path, problem="is empty")
