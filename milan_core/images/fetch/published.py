"""What others have published: addresses of files, and what has to be obtained by hand.

The data are in `published.yaml`: `files` with their addresses below `host`, and `by_hand` with the
place below the folder of resources and how to get there.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

REGISTRY = Path(__file__).with_name("published.yaml")


@functools.cache
def published() -> dict[str, Any]:
    """The registry as it is written: `host`, `files` and `by_hand`, entries by name."""
    import yaml

    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def how_to_get(path: Path) -> str:
    """How to get by hand the images that belong into a folder; empty for a folder of one's own.

    A folder is known by the end of its path: `imagenet/val` is the same data set on every disk.
    """
    for item in published()["by_hand"].values():
        known = Path(item["place"]).parts[1:]  # without `data`
        if path.parts[-len(known) :] == known:
            return str(item["obtain"])
    return ""
