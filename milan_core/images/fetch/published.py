"""Published files with their addresses, and data sets that have to be obtained by hand.

`published.yaml` holds `files` with their addresses below `host`, and `by_hand` with the path below
the folder of resources and how to get it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milan_core.core.shipped import shipped_yaml

REGISTRY = Path(__file__).with_name("published.yaml")


def published() -> dict[str, Any]:
    """The registry as in the file: `host`, `files` and `by_hand`, entries by name."""
    return shipped_yaml(REGISTRY)


def how_to_get(path: Path) -> str:
    """Explain how to get the published images of a folder; empty for any other folder.

    A folder is recognized by the end of its path, such as `imagenet/val`.
    """
    for item in published()["by_hand"].values():
        ending = Path(item["place"]).parts[1:]  # without `data`
        if path.parts[-len(ending) :] == ending:
            return str(item["obtain"])
    return ""
