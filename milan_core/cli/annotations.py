"""`milan annotations`: programmatic annotators of worlds whose ground truth is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import folder_of, stage, verb


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "annotations", "references for the captioner")
    parser = verb(
        verbs,
        "write",
        "three programmatic annotators and the known concept of every unit",
        "milan annotations write --model mine --exemplars exemplars.safetensors --dataset DIR"
        " --out annotations.csv",
        _write,
    )
    parser.add_argument("--model", required=True, help="name of the network, part of the seeds")
    parser.add_argument("--exemplars", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="annotations.csv")


def _write(arguments: argparse.Namespace) -> None:
    from milan_core.data.annotate import annotate_network
    from milan_core.data.store import open_dataset
    from milan_core.exemplars.store import load_exemplars
    from milan_core.runtime import provenance

    folder = arguments.out.parent
    inputs = [arguments.exemplars, arguments.dataset]
    with provenance.step(
        "annotations_write",
        folder,
        inputs=inputs,
        options={"model": arguments.model},
        seed=arguments.seed,
    ) as record:
        record.update(
            annotate_network(
                load_exemplars(arguments.exemplars),
                open_dataset(folder_of(arguments.dataset)),
                arguments.model,
                arguments.seed,
                folder,
            )
        )
