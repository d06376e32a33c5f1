"""`milan exemplars`: the images and regions that activate each unit most."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from milan_core.cli.common import (
    add_compute,
    folder_of,
    json_value,
    shard,
    stage,
    start_torch,
    verb,
    weights_of,
)
from milan_core.core.errors import UserError
from milan_core.core.stages import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "exemplars", "mine exemplars: scan, merge, export")
    parser = verb(
        verbs,
        "scan",
        "one shard of the probe set through one network, all layers in one pass",
        "milan exemplars scan --model @model.json --dataset resources/datasets/mine --shard 1-of-4"
        " --out shard.safetensors",
        _scan,
    )
    parser.add_argument("--model", type=json_value, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--options", type=json_value, default={})
    parser.add_argument("--shard", type=shard, default=(0, 1), metavar="I-of-N")
    parser.add_argument("--out", type=Path, required=True)
    add_compute(parser)
    parser = verb(
        verbs,
        "merge",
        "merge the shards of one network",
        "milan exemplars merge --shards a.safetensors b.safetensors --out exemplars.safetensors",
        _merge,
    )
    parser.add_argument("--shards", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser = verb(
        verbs,
        "export",
        "write the published per-layer files: images.npy, masks.npy, ids.csv, activations.csv ...",
        "milan exemplars export --exemplars exemplars.safetensors --dataset DIR --out legacy",
        _export,
    )
    parser.add_argument("--exemplars", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--size", type=int, default=224, help="side of images and masks")
    parser.add_argument("--out", type=Path, required=True)


def _scan(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.exemplars.mine import mine
    from milan_core.images.store import open_dataset
    from milan_core.networks.zoo import load_network

    name = arguments.out.name.removesuffix(".safetensors") + ".provenance.json"
    options = {"model": arguments.model, **arguments.options}
    with provenance.step(
        "exemplars_scan",
        arguments.out.parent,
        inputs=[arguments.dataset, *weights_of(arguments.model)],
        options=options,
        filename=name,
        code=code_version("exemplars"),
    ):
        loaded = load_network(arguments.model)
        found = mine(
            loaded.module,
            open_dataset(folder_of(arguments.dataset)),
            loaded.layers,
            batch_size=arguments.model.get("batch_size", 64),
            dtype=arguments.model.get("dtype", "float32"),
            compiled=arguments.model.get("compile", False),
            device=arguments.device,
            shard=arguments.shard,
            input=loaded.input,
            post_relu=loaded.post_relu,
            layout=loaded.layout,
            threads=arguments.threads,
            require_k=True,
            progress=sys.stderr.isatty(),
            name=arguments.model.get("name", ""),
            **arguments.options,
        )
        found.save(arguments.out)


def _merge(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.exemplars.store import load_exemplars, merge

    with provenance.step(
        "exemplars_merge",
        arguments.out.parent,
        inputs=arguments.shards,
        code=code_version("exemplars"),
    ):
        merged = merge([load_exemplars(path) for path in arguments.shards])
        if not merged.complete:
            message = f"{len(arguments.shards)} shards do not cover the data set; give all of them"
            raise UserError(message)
        merged.save(arguments.out)


def _export(arguments: argparse.Namespace) -> None:
    from milan_core.exemplars.published_layout import export_legacy
    from milan_core.exemplars.store import load_exemplars
    from milan_core.images.store import open_dataset

    dataset = open_dataset(folder_of(arguments.dataset))
    export_legacy(
        load_exemplars(arguments.exemplars), dataset.images, arguments.out, arguments.size
    )
