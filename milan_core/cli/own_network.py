"""The network of a command line: a factory, a built-in name, or a file with its entry."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milan_core.cli.common import json_value
from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.core.yaml_files import load_yaml
from milan_core.networks.adapters import FILES, HUBS
from milan_core.networks.known import complete, known_networks
from milan_core.networks.options import Entry, NetworkSpec

if TYPE_CHECKING:
    from milan_core.exemplars.options import MiningRun
    from milan_core.networks.zoo import LoadedModel

_log = logging.getLogger(__name__)

MODEL = "network: a factory as in model_zoo, a built-in name, or @FILE: an entry of model_zoo"


def add_network(parser: Any, *, layers: bool = True) -> None:
    """Arguments that are laid over the entry of the network that --model names.

    `layers`: with --layers; a command of one layer has an option of its own for it.
    """
    parser.add_argument("--weights", help="safetensors or state dict of the network")
    if layers:
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
    parser.add_argument(
        "--axes",
        nargs="+",
        metavar="LAYER=AXES",
        help="axes of layers that the probe of the network cannot know: 'blocks.*=t b c' "
        "(b images, c channels, t tokens, h w rows and columns; docs/models.md)",
    )
    parser.add_argument(
        "--channels-last",
        action="store_true",
        help="maps are (b, h, w, C) where the probe of the network cannot tell",
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


def own_network(arguments: argparse.Namespace, *, say: bool = True) -> NetworkSpec:
    """The network of --model, with the given arguments of `add_network` laid over its entry.

    `say`: warn of what is assumed of its input.
    """
    entry = _entry(arguments.model)
    if layers := getattr(arguments, "layers", None):
        entry["layers"] = list(layers)
    if arguments.trust:
        entry["trust"] = True
    if kwargs := getattr(arguments, "kwargs", None):
        entry["kwargs"] = {**entry.get("kwargs", {}), **kwargs}
    if axes := _axes(getattr(arguments, "axes", None) or ()):
        entry["axes"] = {**entry.get("axes", {}), **axes}
    if getattr(arguments, "channels_last", False):
        entry["channels_last"] = True
    if view := input_given(arguments):
        entry["input"] = {**entry.get("input", {}), **view}
    if arguments.weights:
        weights = {"path": arguments.weights, "sha256": None}
        published = "weights" not in entry and _source(complete(entry)) == "download"
        stored = {**_reading(entry), "source": "file"}
        entry["weights"] = weights if published else {**stored, **weights}
    whole = complete(entry)
    if say:
        _say_assumed(whole, getattr(arguments, "images", None))
    return parse(Entry, whole, "--model")


def _say_assumed(entry: dict[str, Any], images: Path | None) -> None:
    """Name what of the input nobody said; descriptions differ with it, so it is no detail."""
    view = entry.get("input") or {}
    assumed = []
    if not {"size", "height"} & set(view):
        assumed.append("224 x 224 pixels (--size)")
    if view.get("channels", 3) == 3 and not {"mean", "std"} <= set(view):
        assumed.append("ImageNet's mean and std (--mean, --std)")
    if assumed and images is not None and view.get("kind") != "latents":
        _log.warning("assumed of the network's input: %s", " and ".join(assumed))


def display_name(model: str) -> str:
    """Name the network of --model on a page: by its name in a hub, its file, or its callable."""
    kind, _, rest = model.removeprefix("@").partition(":")
    if kind in HUBS and rest:
        return rest.rpartition("/")[2].partition("@")[0]
    if kind in FILES and rest:
        return Path(rest).stem
    source, _, name = model.removeprefix("@").rpartition(":")
    if not source or source.endswith(".py"):
        return Path(source or name).stem
    return name.rpartition(".")[2]


def network_facts(network: LoadedModel) -> dict[str, Any]:
    """Describe a network of the command line for a record: all that was used, assumed or given."""
    from milan_core.core.files import file_sha256
    from milan_core.networks.fingerprint import network_fingerprint
    from milan_core.networks.version import source_version, user_code
    from milan_core.networks.weight_options import FileWeights
    from milan_core.networks.zoo import model_hash

    facts: dict[str, Any] = {
        "input": network.input.facts(),
        "layers": network.layers,
        "layout": network.layout.facts(),
        "digest": model_hash(network.module),
        "fingerprint": network_fingerprint(network),
    }
    if network.spec is not None:
        facts |= {"factory": network.spec.factory, "kwargs": network.spec.kwargs}
        facts["code"] = source_version(network.spec)
        files = user_code(network.spec).files.values()
        facts["files"] = {str(path): file_sha256(path) for path in files}
        if isinstance(network.spec.weights, FileWeights):
            path = network.spec.weights.path
            facts["weights"] = {"path": path, "sha256": file_sha256(path)}
    return facts


def _axes(given: Iterable[str]) -> dict[str, str]:
    """Layers and their axes from `LAYER=AXES`."""
    axes = {}
    for text in given:
        layer, equals, names = text.partition("=")
        if not (layer and equals and names):
            raise UserError(f"--axes: {text!r} is not LAYER=AXES, such as 'blocks.*=t b c'")
        axes[layer.strip()] = names.strip()
    return axes


def passing(arguments: argparse.Namespace, network: NetworkSpec) -> MiningRun:
    """Batches, device and threads of one pass of the network over images."""
    from milan_core.exemplars.options import MiningRun

    return MiningRun(
        batch_size=network.batch_size,
        dtype=network.dtype,
        device=arguments.device,
        threads=arguments.threads,
    )


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
    return {"extends": model} if model in known_networks() else {"factory": model}


def _source(entry: dict[str, Any]) -> str:
    return str((entry.get("weights") or {}).get("source", ""))


def _reading(entry: dict[str, Any]) -> dict[str, Any]:
    """The renaming of stored tensors: kept when another file is named."""
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
    return {**entry, **_beside(entry.get("factory"), path)}


def _beside(factory: Any, path: Path) -> dict[str, str]:
    """The factory with a file that lies beside the entry's, where it is none from here."""
    if not isinstance(factory, str):
        return {}
    file, _, name = factory.rpartition(":")
    near = path.parent / file
    if file.endswith(".py") and not Path(file).exists() and near.exists():
        return {"factory": f"{near}:{name}"}
    return {}
