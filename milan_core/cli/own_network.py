"""The network of a command line: a factory, a built-in name, or a file with its entry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, first_line
from milan_core.networks.catalog import network_names


def entry_file(model: str) -> Path | None:
    """The file that `--model @FILE` names; None for other forms."""
    return Path(model[1:]) if model.startswith("@") else None


def network_spec(arguments: argparse.Namespace) -> dict[str, Any]:
    """The entry of the network, with what the command line says laid over it.

    `arguments` has model, weights, layers, size, mean, std and trust; those that are None or empty
    leave the entry as it is.
    """
    spec = _entry(arguments.model)
    if arguments.layers:
        spec["layers"] = list(arguments.layers)
    if arguments.trust:
        spec["trust"] = True
    given = {key: getattr(arguments, key) for key in ("size", "mean", "std")}
    view = {key: value for key, value in given.items() if value is not None}
    if view:
        spec["input"] = {**spec.get("input", {}), **view}
    if arguments.weights:
        kept = {"path": arguments.weights, "sha256": None}
        named = "extends" in spec and "weights" not in spec
        spec["weights"] = kept if named else {**_reading(spec), "source": "file", **kept}
    if not spec.get("layers") and not spec.get("directions") and "extends" not in spec:
        raise UserError("--layers: name the layers to describe; `milan models inspect` lists them")
    return spec


def _entry(model: str) -> dict[str, Any]:
    if path := entry_file(model):
        return _read_entry(path)
    if model in network_names():
        return {"extends": model}
    return {"factory": model, "weights": {"source": "factory"}, "input": {"size": 224}}


def _reading(spec: dict[str, Any]) -> dict[str, Any]:
    """How stored tensors get their names: kept when another file is named."""
    weights = spec.get("weights") or {}
    return {key: weights[key] for key in ("keys", "drop", "match", "convert") if key in weights}


def _read_entry(path: Path) -> dict[str, Any]:
    """An entry, bare or under its name, as `milan models inspect` prints it."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--model: cannot read {path}: {first_line(error)}") from None
    if isinstance(found, dict) and len(found) == 1 and not {"factory", "extends"} & set(found):
        found = next(iter(found.values()))
    if not isinstance(found, dict) or not {"factory", "extends"} & set(found):
        raise UserError(
            f"--model: {path} holds no entry of model_zoo; expected a mapping with `factory` or "
            "`extends`, as `milan models inspect` prints it"
        )
    return found
