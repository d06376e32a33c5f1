"""`milan networks`: list the built-in networks, look inside one, train a dictionary of one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, json_value, stage, start_torch, verb
from milan_core.cli.own_network import MODEL, add_input, add_network, input_given, own_network


def register(subparsers: Any) -> None:
    """Add the command."""
    verbs = stage(subparsers, "networks", "networks: list the built-in ones, inspect any")
    parser = verb(
        verbs,
        "list",
        "print the built-in networks",
        "milan networks list --shapes",
        _list,
    )
    parser.add_argument(
        "--shapes", action="store_true", help="with units and map sides (takes half a minute)"
    )
    parser = verb(
        verbs,
        "inspect",
        "print the layers of a network with their shapes and a config entry",
        "milan networks inspect --factory my_net.py:build --size 64",
        _inspect,
    )
    parser.add_argument(
        "--factory", required=True, help="as in model_zoo, or the name of a built-in network"
    )
    parser.add_argument(
        "--kwargs", type=json_value, default={}, help="arguments of the factory: JSON, or @FILE"
    )
    add_input(parser)
    parser.add_argument(
        "--trust", action="store_true", help="torchscript, export: run the code inside the file"
    )
    add_compute(parser)
    parser = verb(
        verbs,
        "dictionary",
        "train a sparse autoencoder of one layer: directions that can be described as units",
        "milan networks dictionary --model @model.json --layer blocks.4 --dataset DIR"
        " --out sae.safetensors",
        _dictionary,
    )
    parser.add_argument("--model", metavar="FACTORY", required=True, help=MODEL)
    add_network(parser, layers=False)
    parser.add_argument("--layer", required=True, help="the layer whose outputs it is trained on")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of a built data set")
    parser.add_argument(
        "--options", type=json_value, default={}, help="JSON: units, sparsity, steps..."
    )
    parser.add_argument("--seed", type=int, default=0, help="of its training")
    parser.add_argument(
        "--out", type=Path, required=True, help="safetensors file of the dictionary"
    )
    add_compute(parser)


def _list(arguments: argparse.Namespace) -> None:
    from milan_core.networks.listing import layer_shapes, table

    print(table(layer_shapes if arguments.shapes else None))


def _inspect(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core.options import parse
    from milan_core.networks.inspect_entry import describe_layers
    from milan_core.networks.options import InputSpec

    given = input_given(arguments)
    if given.get("channels", 3) != 3:  # to be corrected in the entry that is printed
        halves = [0.5] * given["channels"]
        given |= {"mean": halves, "std": halves}
    view = parse(InputSpec, given, "milan networks inspect")
    print(describe_layers(arguments.factory, arguments.kwargs, trust=arguments.trust, view=view))


def _dictionary(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core.options import parse
    from milan_core.images.store import open_dataset
    from milan_core.networks.dictionary import DictionaryOptions, train_dictionary
    from milan_core.networks.zoo import load_network

    options = parse(DictionaryOptions, arguments.options, "--options")
    facts = train_dictionary(
        load_network(own_network(arguments)),
        open_dataset(arguments.dataset).images,
        arguments.layer,
        options,
        arguments.seed,
        arguments.out,
    )
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
