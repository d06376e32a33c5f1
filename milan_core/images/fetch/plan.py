"""The downloads of a configuration."""

from __future__ import annotations

from collections.abc import Iterable

from milan_core.config import Config
from milan_core.core.errors import unknown
from milan_core.images.fetch.options import NamedAsset
from milan_core.images.fetch.registry import load_registry, named


def check_assets(config: Config, names: Iterable[str]) -> None:
    """Refuse assets that are neither the user's nor built in."""
    for name in names:
        job_asset(config, name)


def job_asset(config: Config, name: str) -> NamedAsset:
    """The asset as its job reads it: one of the user's, or a built-in one."""
    if name in config.asset_zoo:
        return named(name, config.asset_zoo[name])
    built_in = load_registry()
    if name not in built_in:
        raise unknown("asset", name, [*config.asset_zoo, *built_in], "the configuration")
    return built_in[name]
