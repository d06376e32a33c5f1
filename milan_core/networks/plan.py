"""Published weights in the plan: which files are fetched, and which ones the user must place.

A file that is in place belongs to the user: no rule makes it, so that no run deletes it. Only a
file that is missing and has an address gets a job.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.places import brought_folders
from milan_core.networks.options import Network, NetworkSpec, Weights


def weights_file(config: Config, model: str) -> str | None:
    """The weights file that a job must wait for; None when the factory brings its own."""
    weights, roots = config.model_zoo[model].weights, config.pathvars
    if weights.source == "train":
        return f"{roots.results}/{model}/target/weights.safetensors"
    if weights.source == "asset":
        return f"{roots.resources}/assets/{weights.asset}"
    if weights.source == "download":
        return f"{roots.resources}/weights/{weights.filename}"
    return weights.path if weights.source == "file" else None


def job_network(config: Config, model: str) -> Network:
    """What a job needs to load a network: its entry, with the weights resolved to a path."""
    spec = config.model_zoo[model]
    weights = spec.weights
    resolved: dict[str, Any] = {"source": "file"}
    if weights.source in ("factory", "random"):
        resolved = weights.model_dump(include={"source", "seed"})
    elif weights.source == "asset":
        resolved["path"] = f"{config.pathvars.resources}/assets/{weights.asset}/{weights.path}"
    else:
        resolved["path"] = weights_file(config, model)
    resolved |= weights.model_dump(include={"keys", "drop", "match", "convert", "sha256"})
    keys = {name: getattr(spec, name) for name in NetworkSpec.model_fields}
    return Network(name=model, **{**keys, "weights": Weights(**resolved)})


def weights_path(config: Config, model: str) -> Path:
    """Where the published weights of a network lie."""
    resources = config.pathvars.resources
    return Path(resources) / "weights" / config.model_zoo[model].weights.filename


def fetched_weights(config: Config) -> dict[str, PublishedFile]:
    """Weights files to fetch, by the name of the file.

    Raises:
        UserError: for one file name with two addresses.

    """
    files: dict[str, PublishedFile] = {}
    owner: dict[str, str] = {}
    for name in config.model_zoo:
        weights = config.model_zoo[name].weights
        if weights.source != "download" or not weights.url or weights_path(config, name).is_file():
            continue
        file, urls = weights.filename, list(weights.addresses)
        spec = PublishedFile(name=file, urls=urls, sha256=weights.sha256 or "")
        if files.setdefault(file, spec) != spec:
            message = (
                f"config: model_zoo.{name}.weights: {file} is also the file of {owner[file]}, from "
                f"another address; give one of them another name with `file`"
            )
            raise UserError(message)
        owner.setdefault(file, name)
    return files


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
