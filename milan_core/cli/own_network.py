"""The network of a command line: a factory, a built-in name, or a file with its entry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import json_value
from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.core.yaml_files import load_yaml
from milan_core.networks.catalog import extended, network_names
from milan_core.networks.options import Entry, NetworkSpec

MODEL = "network: a factory as in model_zoo, a built-in name, or @FILE: an entry of model_zoo"


def add_network(parser: Any) -> None:
    """Arguments that are laid over the entry of the network that --model names."""
    parser.add_argument("--weights", help="safetensors or state dict of the network")
    parser.add_argument(
        "--layers", nargs="+", metavar="GLOB", help="needed, unless the entry of @FILE has them"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run code that files hold or name: torchscript, export, the encoder of a captioner",
    )
    parser.add_argument(
        "--kwargs", type=json_value, help="arguments of the factory: JSON, or @FILE"
    )
    add_input(parser)
    parser.add_argument(
        "--mean", type=float, nargs="+", help="one a channel; default: its entry's, or ImageNet's"
    )
    parser.add_argument(
        "--std", type=float, nargs="+", help="one a channel; default: its entry's, or ImageNet's"
    )


def add_input(parser: Any) -> None:
    """Arguments that say the form of a network's input."""
    parser.add_argument(
        "--size", type=int, help="side of the network's input; default: its entry's, or 224"
    )
    parser.add_argument("--height", type=int, help="of an input that is no square; with --width")
    parser.add_argument("--width", type=int, help="of an input that is no square; with --height")
    parser.add_argument(
        "--channels", type=int, choices=[1, 3, 4], help="1: gray, 3: RGB (default), 4: with alpha"
    )


def input_given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keys of `input` that the command line says."""
    names = ("size", "height", "width", "channels", "mean", "std")
    given = {key: getattr(arguments, key, None) for key in names}
    return {key: value for key, value in given.items() if value is not None}


def entry_file(model: str) -> Path | None:
    """The file that `--model @FILE` names; None for other forms."""
    return Path(model[1:]) if model.startswith("@") else None


def own_network(arguments: argparse.Namespace) -> NetworkSpec:
    """The network of --model, with the given arguments of `add_network` laid over its entry."""
    entry = _entry(arguments.model)
    if arguments.layers:
        entry["layers"] = list(arguments.layers)
    if arguments.trust:
        entry["trust"] = True
    if kwargs := getattr(arguments, "kwargs", None):
        entry["kwargs"] = {**entry.get("kwargs", {}), **kwargs}
    if view := input_given(arguments):
        entry["input"] = {**entry.get("input", {}), **view}
    if arguments.weights:
        weights = {"path": arguments.weights, "sha256": None}
        built_in = "extends" in entry and "weights" not in entry
        entry["weights"] = weights if built_in else {**_reading(entry), "source": "file", **weights}
    return parse(Entry, extended(entry), "--model")


def require_layers(network: NetworkSpec) -> NetworkSpec:
    """The network, when it names layers or directions."""
    if not network.layers and not network.directions:
        raise UserError(
            "--layers: name the layers to describe; `milan networks inspect` lists them"
        )
    return network


def _entry(model: str) -> dict[str, Any]:
    if path := entry_file(model):
        return _read_entry(path)
    return {"extends": model} if model in network_names() else {"factory": model}


def _reading(entry: dict[str, Any]) -> dict[str, Any]:
    """How stored tensors get their names: kept when another file is named."""
    weights = entry.get("weights") or {}
    return {key: weights[key] for key in ("keys", "drop", "match", "convert") if key in weights}


def _read_entry(path: Path) -> dict[str, Any]:
    """An entry, bare or under its name, as `milan networks inspect` prints it."""
    entry = load_yaml(path)
    if isinstance(entry, dict) and len(entry) == 1 and not {"factory", "extends"} & set(entry):
        entry = next(iter(entry.values()))
    if not isinstance(entry, dict) or not {"factory", "extends"} & set(entry):
        raise UserError(
            f"--model: {path} holds no entry of model_zoo; expected a mapping with `factory` or "
            "`extends`, as `milan networks inspect` prints it"
        )
    return entry
