"""Published weights in the plan: which files are fetched, and which ones the user must place.

A file that is in place belongs to the user: no rule makes it, so that no run deletes it. Only a
file that is missing and has an address gets a job.
"""

from __future__ import annotations

import os
from pathlib import Path

from milan_core.config import Config
from milan_core.errors import UserError
from milan_core.runtime.files import canonical_json


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


def check_weights(config: Config, models: list[str]) -> None:
    """Refuse published weights that are missing and that no job can bring; names all of them."""
    offline = bool(os.environ.get("MILAN_OFFLINE"))
    missing = {}
    for name in models:
        weights = config.model_zoo[name].weights
        path = weights_path(config, name)
        reachable = weights.url and not offline
        if weights.source == "download" and not path.is_file() and not reachable:
            missing[name] = (path, weights.url or weights.obtain or "no address is known")
    if not missing:
        return
    name, (path, origin) = next(iter(missing.items()))
    others = "; ".join(f"{place} ({source})" for place, source in [*missing.values()][1:])
    message = (
        f"config: model_zoo.{name}.weights: {path} is not there; get it ({origin}) and place "
        "it there, or set `weights: {source: random}` to try the workflow without it"
    )
    raise UserError(message + (f"; missing as well: {others}" if others else ""))
