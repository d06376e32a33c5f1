"""`milan features`: encode the probe images once, pool them under every exemplar's mask."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import (
    add_compute,
    folder_of,
    json_value,
    stage,
    start_torch,
    verb,
    weights_of,
)
from milan_core.core.stages import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "features", "masked features of the exemplars")
    parser = verb(
        verbs,
        "encode",
        "run the encoder over a data set, every image once",
        "milan features encode --encoder @encoder.json --dataset DIR --out encoded.json",
        _encode,
    )
    parser.add_argument("--encoder", type=json_value, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="encoded.json or its folder")
    add_compute(parser)
    parser = verb(
        verbs,
        "pool",
        "pool the maps under the masks of one network's exemplars",
        "milan features pool --maps DIR --exemplars exemplars.safetensors --dataset DIR"
        " --out features.safetensors",
        _pool,
    )
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--exemplars", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--options", type=json_value, default={}, help="append_area, resize")
    parser.add_argument("--encoder", type=json_value, help="needed for a spatial encoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    add_compute(parser)


def _encode(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.captioner.features.pool import load_encoder
    from milan_core.core import provenance
    from milan_core.images.store import open_dataset

    folder = folder_of(arguments.out)
    with provenance.step(
        "features_encode",
        folder,
        inputs=[arguments.dataset, *weights_of(arguments.encoder["model"])],
        options=arguments.encoder,
        code=code_version("features"),
    ):
        encoder = load_encoder(arguments.encoder, device=arguments.device)
        dataset = open_dataset(folder_of(arguments.dataset))
        encoder.encode_dataset(dataset, folder, code=code_version("features"))


def _pool(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.captioner.features.pool import load_encoder, pool_network
    from milan_core.core import provenance
    from milan_core.exemplars.store import load_exemplars
    from milan_core.images.store import open_dataset

    inputs = [arguments.maps, arguments.exemplars, arguments.dataset]
    spec = arguments.encoder or {}
    with provenance.step(
        "features_pool",
        arguments.out.parent,
        inputs=inputs,
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("features"),
    ):
        table = pool_network(
            folder_of(arguments.maps),
            load_exemplars(arguments.exemplars),
            open_dataset(folder_of(arguments.dataset)),
            seed=arguments.seed,
            encoder=load_encoder(spec, arguments.device) if spec.get("kind") == "spatial" else None,
            **arguments.options,
        )
        table.save(arguments.out)
