"""`milan rehearsal`: stand-ins for everything that a configuration of the paper reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, stage, start_torch, verb


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "rehearsal", "drawn pictures and random weights in published formats")
    parser = verb(
        verbs,
        "make",
        "write stand-ins for the pictures, annotation sets and weights of a configuration",
        "milan rehearsal make config/config.yaml config/paper.yaml config/rehearsal.yaml"
        " --out resources/rehearsal",
        _make,
    )
    parser.add_argument("files", nargs="+", type=Path, help="configuration, merged in order")
    parser.add_argument("--out", type=Path, required=True, help="its folder of resources")
    parser.add_argument("--seed", type=int, default=0)
    add_compute(parser)


def _make(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.cli.config import load
    from milan_core.plan.checks import parse_config
    from milan_core.rehearsal.make import make

    overlay = make(parse_config(load(arguments.files)), arguments.out, arguments.seed, print)
    print(f"{overlay}: give it after the other configuration files")
