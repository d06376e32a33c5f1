"""`milan describe`: from features, or from a network of the user's own, to descriptions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, stage, start_torch, verb
from milan_core.cli.decoding import (
    add_captioner,
    add_decoding,
)


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "describe", "describe units in English")
    _register_run(verbs)
    _register_set(verbs)


def _register_run(verbs: Any) -> None:
    parser = verb(
        verbs,
        "run",
        "the whole line for one network, without a config file",
        "milan describe run --model my_net.py:build --weights w.pt --images pics --layers 'conv*'"
        " --out my_net",
        _run,
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="FACTORY",
        help="as in model_zoo, a built-in network, or @FILE: an entry of model_zoo (YAML, JSON)",
    )
    parser.add_argument(
        "--trust", action="store_true", help="torchscript, export: run the code inside the file"
    )
    parser.add_argument("--weights", help="safetensors or state dict of the network")
    parser.add_argument("--images", required=True, type=Path, help="folder of images")
    parser.add_argument(
        "--layers", nargs="+", metavar="GLOB", help="needed, unless the entry of @FILE has them"
    )
    add_captioner(parser)
    add_decoding(parser)
    parser.add_argument(
        "--size", type=int, help="side of the network's input; default: its entry's, or 224"
    )
    parser.add_argument("--mean", type=float, nargs=3, help="default: its entry's, or ImageNet's")
    parser.add_argument("--std", type=float, nargs=3, help="default: its entry's, or ImageNet's")
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--quantile", type=float, default=0.99)
    parser.add_argument("--out", required=True, type=Path)
    add_compute(parser)


def _register_set(verbs: Any) -> None:
    parser = verb(
        verbs,
        "set",
        "describe the units of an annotation set, with the captioner's own encoder",
        "milan describe set --set resources/data/milannotations/alexnet-imagenet.zip"
        " --images resources/data/imagenet/val --captioner resources/milan/milan-base.pth"
        " --out alexnet-imagenet",
        _set,
    )
    parser.add_argument("--set", type=Path, required=True, help="a set's folder or zip")
    add_captioner(parser)
    parser.add_argument(
        "--images", type=Path, help="those the ids count; not needed with images.npy"
    )
    parser.add_argument("--transform", choices=["crop", "squash"], default="crop")
    parser.add_argument(
        "--expect", type=int, default=50_000, help="images that the ids count; 0: any number"
    )
    parser.add_argument(
        "--count", type=int, default=3, help="units with fewer texts are left out; 0: every unit"
    )
    parser.add_argument("--keep-features", action="store_true", help="write them to --out as well")
    add_decoding(parser)
    parser.add_argument("--out", required=True, type=Path, help="folder")
    add_compute(parser)


def _run(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.cli.line import describe_model

    describe_model(arguments)


def _set(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.cli.sets import describe_annotation_set

    describe_annotation_set(arguments)
