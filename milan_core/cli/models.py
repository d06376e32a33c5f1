"""`milan models`: look inside a network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, folder_of, json_value, stage, start_torch, verb
from milan_core.core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "models", "networks")
    parser = verb(
        verbs,
        "inspect",
        "print the layers of a network with their shapes and a config entry",
        "milan models inspect --factory my_net.py:build --size 64",
        _inspect,
    )
    parser.add_argument(
        "--factory", required=True, help="as in model_zoo, or the name of a built-in network"
    )
    parser.add_argument("--kwargs", type=json_value, default={})
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument(
        "--trust", action="store_true", help="torchscript, export: run the code inside the file"
    )
    add_compute(parser)
    parser = verb(verbs, "list", "print the built-in networks", "milan models list --shapes", _list)
    parser.add_argument(
        "--shapes", action="store_true", help="with units and map sides (takes half a minute)"
    )
    _register_dictionary(verbs)


def _register_dictionary(verbs: Any) -> None:
    parser = verb(
        verbs,
        "dictionary",
        "train a sparse autoencoder of one layer: directions that can be described as units",
        "milan models dictionary --model @model.json --layer blocks.4 --dataset DIR"
        " --out sae.safetensors",
        _dictionary,
    )
    parser.add_argument("--model", type=json_value, required=True, help="entry of model_zoo")
    parser.add_argument("--layer", required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--settings", type=json_value, default={}, help="units, sparsity, steps...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    add_compute(parser)


def _inspect(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.networks.inspect_entry import describe_layers

    text = describe_layers(
        arguments.factory, arguments.kwargs, arguments.size, trust=arguments.trust
    )
    print(text)


def _list(arguments: argparse.Namespace) -> None:
    from milan_core.networks.listing import layer_shapes, table

    print(table(layer_shapes if arguments.shapes else None))


def _dictionary(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.images.store import open_dataset
    from milan_core.networks.dictionary import DictionarySettings, train_dictionary
    from milan_core.networks.zoo import load_network

    try:
        settings = DictionarySettings(**arguments.settings)
    except TypeError as error:
        message = f"dictionary settings {arguments.settings}: {error}"
        raise UserError(message) from None
    facts = train_dictionary(
        load_network(arguments.model),
        open_dataset(folder_of(arguments.dataset)).images,
        arguments.layer,
        settings,
        arguments.seed,
        arguments.out,
    )
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
