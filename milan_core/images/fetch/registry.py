"""The built-in assets: `registry.yaml`."""

from __future__ import annotations

from pathlib import Path

from milan_core.core.errors import unknown
from milan_core.core.options import parse
from milan_core.core.yaml_files import load_yaml
from milan_core.images.fetch.options import Asset, NamedAsset

REGISTRY = Path(__file__).with_name("registry.yaml")


def load_registry(path: Path | str = REGISTRY) -> dict[str, NamedAsset]:
    """Every asset of a registry file, by name."""
    entries = load_yaml(path)
    assets = parse(dict[str, Asset], entries, f"asset registry {path}")
    return {name: named(name, asset) for name, asset in assets.items()}


def named(name: str, asset: Asset) -> NamedAsset:
    """The asset with its name."""
    return NamedAsset(name=name, **asset.model_dump())


def find_asset(name: str, path: Path | str = REGISTRY) -> NamedAsset:
    """The asset called `name`."""
    registry = load_registry(path)
    if name not in registry:
        raise unknown("asset", name, registry, where=str(path))
    return registry[name]
