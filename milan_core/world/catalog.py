"""Data sets and networks of the embedded world: `catalog.yaml`, known by name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

REGISTRY = Path(__file__).with_name("catalog.yaml")


@functools.cache
def _registry() -> dict[str, dict[str, dict[str, Any]]]:
    import yaml

    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def world_datasets() -> dict[str, dict[str, Any]]:
    """Entries of `dataset_zoo` by name."""
    return _registry()["datasets"]


def world_networks() -> dict[str, dict[str, Any]]:
    """Entries of `model_zoo` by name."""
    return _registry()["networks"]
