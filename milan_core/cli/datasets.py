"""`milan datasets`: images as one array with a manifest."""

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
    verbs = stage(subparsers, "datasets", "data sets: composed, drawn or read from a folder")
    parser = verb(
        verbs,
        "build",
        "compose or read a data set",
        'milan datasets build --name a --spec \'{"kind": "folder", "options": {"path": "pics"}}\''
        " --out resources/datasets/mine/manifest.json",
        _build,
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--spec", type=json_value, required=True)
    parser.add_argument("--assets", nargs="*", type=Path, default=[], help="asset.json files")
    parser.add_argument("--threads", type=int, default=1, help="pictures decoded at once")
    parser.add_argument("--out", type=Path, required=True, help="manifest.json or its folder")
    parser = verb(
        verbs,
        "generate",
        "let a generator draw the scenes of a data set",
        "milan datasets generate --name drawn --model @generator.json --scenes resources/datasets/a"
        " --out resources/datasets/drawn/manifest.json",
        _generate,
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--model", type=json_value, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="manifest.json or its folder")
    add_compute(parser)
    parser = verb(
        verbs,
        "latents",
        "let a generator draw images from random codes",
        'milan datasets latents --name zs --spec \'{"kind": "latents", "seed": 1}\''
        " --model @biggan.json --out resources/datasets/zs/manifest.json",
        _latents,
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--spec", type=json_value, required=True)
    parser.add_argument("--model", type=json_value, required=True)
    parser.add_argument("--out", type=Path, required=True, help="manifest.json or its folder")
    add_compute(parser)


def _latents(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.networks.generators.latents import build_latents

    given = arguments.spec
    folder = folder_of(arguments.out)
    with provenance.step(
        "datasets_latents",
        folder,
        inputs=weights_of(arguments.model),
        options={"spec": given, "model": arguments.model},
        seed=given.get("seed", 0),
        code=code_version("latents"),
    ) as record:
        dataset = build_latents(
            arguments.name,
            given.get("options", {}),
            arguments.model,
            folder,
            given.get("seed", 0),
            arguments.device,
        )
        record["fingerprint"] = dataset.fingerprint


def _generate(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.images.store import open_dataset
    from milan_core.networks.generators.generate import generate_dataset

    folder = folder_of(arguments.out)
    with provenance.step(
        "datasets_generate",
        folder,
        inputs=[arguments.scenes, *weights_of(arguments.model)],
        options=arguments.model,
        code=code_version("generated"),
    ) as record:
        scenes = open_dataset(folder_of(arguments.scenes))
        dataset = generate_dataset(
            arguments.name, arguments.model, scenes, folder, arguments.device
        )
        record["fingerprint"] = dataset.fingerprint


def _build(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.images.build import build_dataset

    given = arguments.spec
    spec = {"kind": given.get("kind"), **given.get("options", {})}
    assets = {folder_of(path).name: folder_of(path) for path in arguments.assets}
    folder = folder_of(arguments.out)
    with provenance.step(
        "datasets_build",
        folder,
        inputs=arguments.assets,
        options=given,
        seed=given.get("seed", 0),
        code=code_version("datasets"),
    ) as record:
        dataset = build_dataset(
            arguments.name, spec, assets, folder, given.get("seed", 0), arguments.threads
        )
        record["fingerprint"] = dataset.fingerprint
