"""`milan edit`: remove the units that read spurious text, and measure what that gains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import (
    add_compute,
    json_value,
    stage,
    start_torch,
    verb,
    weights_of,
)
from milan_core.core.identity import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "edit", "spurious units removed, with controls")
    parser = verb(
        verbs,
        "network",
        "ablate the units of one network that a query chooses by description",
        "milan edit network --model @model.json --descriptions descriptions.csv --out result.json"
        " --exemplars exemplars.safetensors --datasets RANKING CLEAN ... --options @edit.json",
        _network,
    )
    parser.add_argument("--model", type=json_value, required=True)
    for name in ("descriptions", "exemplars"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="truth.csv, where the probe images are known")
    parser.add_argument(
        "--datasets", nargs="+", type=Path, required=True, help="those that options.splits names"
    )
    parser.add_argument("--train", type=Path, help="training images, for fine-tuning the head")
    parser.add_argument(
        "--reference", type=Path, help="accuracy.csv of a network trained without the cue"
    )
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="result.json")
    add_compute(parser)
    parser = verb(
        verbs,
        "table",
        "all edited networks in one table, for the report",
        "milan edit table --results A/edit/result.json B/edit/result.json"
        " --out results/edit/curves.csv",
        _table,
    )
    parser.add_argument("--results", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="curves.csv")


def _network(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.experiments.edit.network import run_edit

    names = ("descriptions", "exemplars", "truth", "train", "reference")
    files = [path for path in (getattr(arguments, name) for name in names) if path]
    inputs = [*files, *arguments.datasets, *weights_of(arguments.model)]
    with provenance.step(
        "edit_network",
        arguments.out.parent,
        inputs=inputs,
        options={"model": arguments.model, **arguments.options},
        seed=arguments.seed,
        code=code_version("edit"),
    ):
        run_edit(arguments)


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.edit.section import write_edit_section
    from milan_core.experiments.edit.tables import write_edit_tables

    folder = arguments.out.parent
    with provenance.step("edit_table", folder, inputs=arguments.results, code=code_version("edit")):
        write_edit_section(folder, write_edit_tables(arguments.results, folder))
