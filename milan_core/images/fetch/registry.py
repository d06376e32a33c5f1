"""The built-in assets: `registry.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import parse
from milan_core.images.fetch.options import Asset, NamedAsset

REGISTRY = Path(__file__).with_name("registry.yaml")


def load_registry(path: Path | str = REGISTRY) -> dict[str, NamedAsset]:
    """Every asset of a registry file, by name."""
    path = Path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"asset registry not found: {path}"
        raise UserError(msg) from None
    except yaml.YAMLError as error:
        msg = f"asset registry {path} is not valid YAML: {error}"
        raise UserError(msg) from None
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
