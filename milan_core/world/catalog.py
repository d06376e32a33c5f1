"""Data sets and networks of the embedded world: `catalog.yaml`, known by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milan_core.core.shipped import shipped_yaml

REGISTRY = Path(__file__).with_name("catalog.yaml")


def _registry() -> dict[str, dict[str, dict[str, Any]]]:
    return shipped_yaml(REGISTRY)


def world_datasets() -> dict[str, dict[str, Any]]:
    """Entries of `dataset_zoo` by name."""
    return _registry()["datasets"]


def world_networks() -> dict[str, dict[str, Any]]:
    """Entries of `model_zoo` by name."""
    return _registry()["networks"]
