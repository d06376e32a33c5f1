"""Published weights in the plan: which files are fetched, and which ones the user must place.

A file that is in place belongs to the user: no rule makes it, so that no run deletes it. Only a
file that is missing and has an address gets a job.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.images.fetch.places import brought_folders
from milan_core.networks.options import Weights


def weights_path(config: Config, model: str) -> Path:
    """Where the published weights of a network lie."""
    resources = config.pathvars.get("resources", "resources")
    return Path(resources) / "weights" / config.model_zoo[model].weights.filename


def fetched_weights(config: Config) -> dict[str, str]:
    """Weights files to fetch: their names, and what to fetch as canonical JSON.

    Raises:
        UserError: for one file name with two addresses.

    """
    found: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name in config.model_zoo:
        weights = config.model_zoo[name].weights
        if weights.source != "download" or not weights.url or weights_path(config, name).is_file():
            continue
        spec = {"urls": weights.addresses, "sha256": weights.sha256 or ""}
        file, text = weights.filename, canonical_json(spec)
        if found.setdefault(file, text) != text:
            message = (
                f"config: model_zoo.{name}.weights: {file} is also the file of {owner[file]}, from "
                f"another address; give one of them another name with `file`"
            )
            raise UserError(message)
        owner.setdefault(file, name)
    return found


def missing_weights(config: Config, models: list[str]) -> list[tuple[str, str, str]]:
    """Published weights that are missing and that no job can bring: key, place, how to get them."""
    found = []
    for name in models:
        weights = config.model_zoo[name].weights
        path = weights_path(config, name)
        if weights.source != "download" or path.is_file() or _reachable(weights):
            continue
        origin = weights.url or weights.obtain or "no address is known"
        how = f"get it ({origin}) and place it there, or try the workflow with `source: random`"
        found.append((f"model_zoo.{name}.weights", str(path), how))
    return found


def _reachable(weights: Weights) -> bool:
    """Whether a job can bring the file: without network from local addresses and folders only."""
    if not weights.url or not os.environ.get("MILAN_OFFLINE"):
        return bool(weights.url)
    local = any(urlsplit(address).scheme == "file" for address in weights.addresses)
    return local or any((folder / weights.filename).is_file() for folder in brought_folders())
