"""`milan labels`: several labels for units that respond to several things."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, add_judge, recorded_flags, start_torch
from milan_core.cli.own_network import (
    MODEL,
    add_network,
    entry_file,
    own_network,
    passing,
    require_layers,
)
from milan_core.core.errors import UserError

EXAMPLE = (
    "milan labels --table results/resnet_mini/exemplars/activations.safetensors"
    " --images resources/datasets/stickers_probe"
    " --descriptions results/resnet_mini/descriptions.csv --judge results/judge --out labels\n"
    "  milan score --descriptions labels/labels.csv ..."
)


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "labels",
        help="several labels for units that respond to several things",
        description="Choose labels for every unit among the texts that were said of its layer: "
        "several where each of them fires the unit without the others. One part of the images "
        "chooses, another judges.",
        epilog=f"examples:\n  {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", metavar="FACTORY", help=MODEL)
    parser.add_argument("--table", type=Path, help="activations.safetensors of a run")
    parser.add_argument(
        "--images", type=Path, required=True, help="folder of pictures, or of a data set"
    )
    add_network(parser)
    parser.add_argument(
        "--descriptions",
        type=Path,
        nargs="+",
        required=True,
        help="CSV with the columns layer, unit, description: every text is a candidate for every "
        "unit of its layer",
    )
    parser.add_argument("--column", default="description", help="the column of the text")
    add_judge(parser, "auto")
    parser.add_argument("--pool", choices=["max", "mean"], default="max", help="of a unit's map")
    parser.add_argument("--most", type=int, default=5, help="labels of a unit")
    parser.add_argument(
        "--gain", type=float, default=0.015, help="correlation that another label must add"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="new folder for labels.csv and its record"
    )
    add_compute(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.device not in (None, "cpu"):  # refused before anything is read
        start_torch(arguments)
    if bool(arguments.model) == bool(arguments.table):
        raise UserError("milan labels: give --model or --table, one of them")
    if arguments.most < 1 or arguments.gain < 0:
        raise UserError("--most: give 1 or more; --gain: give 0 or more")
    start_torch(arguments)
    from milan_core.core.folders import new_folder
    from milan_core.core.identity import step_code
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME

    inputs = [*arguments.descriptions]
    if arguments.model and (entry := entry_file(arguments.model)):
        inputs.append(entry)
    if arguments.table:
        inputs.append(arguments.table)
    recorded = recorded_flags(arguments, "descriptions")
    code = step_code("describers.several.table:label_network")
    with (
        new_folder(arguments.out) as out,
        recorded_command("labels", out / NAME, inputs=inputs, options=recorded, code=code),
    ):
        summary = _write(arguments, out)
    print(summary)
    print(arguments.out / "labels.csv")


def _write(arguments: argparse.Namespace, out: Path) -> str:
    """Write labels.csv; returns a sentence on it."""
    import tempfile
    from collections import Counter

    from milan_core.core.files import write_csv
    from milan_core.core.numbers import counted
    from milan_core.core.step import Compute
    from milan_core.describers.several.choosing import CoverRule
    from milan_core.describers.several.table import COLUMNS, label_network, layer_texts
    from milan_core.exemplars.pooled import pool_dataset
    from milan_core.networks.zoo import load_network
    from milan_core.referee.call import folder_dataset
    from milan_core.referee.judges.choice import named_judge
    from milan_core.referee.submitted import read_submitted
    from milan_core.referee.table import open_with_images

    texts = layer_texts(read_submitted(path, arguments.column) for path in arguments.descriptions)
    compute = Compute(device=arguments.device, threads=arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.table:
            table, dataset = open_with_images(arguments.table, arguments.images)
        else:
            network = require_layers(own_network(arguments))
            loaded = load_network(network)
            folder = Path(scratch) / "dataset"
            dataset = folder_dataset(arguments.images, loaded, folder, arguments.threads)
            run = passing(arguments, network)
            table = pool_dataset(loaded, dataset, (arguments.pool,), run, name=arguments.model)
        judge = named_judge(arguments.judge, dataset, compute, download=arguments.download)
        rule = CoverRule(most=arguments.most, gain=arguments.gain)
        found = label_network(table, dataset, judge, texts, rule, arguments.pool)
    write_csv(out / "labels.csv", COLUMNS, [row for unit in found for row in unit.cells()])
    counts = Counter(len(unit.texts) for unit in found)
    units = ", ".join(f"{counts[n]} with {n}" for n in sorted(counts)) or "none with a label"
    return (
        f"{counted(len(table.keys), 'unit')}: {units}, {len(table.keys) - len(found)} without; "
        "candidates: "
        f"{counted(sum(len(dict.fromkeys(part)) for part in texts.values()), 'text')} of "
        f"{counted(len(texts), 'layer')}"
    )
