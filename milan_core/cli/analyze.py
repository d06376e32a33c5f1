"""`milan analyze`: accuracy under ablation in the order of what descriptions say."""

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
    verbs = stage(subparsers, "analyze", "ablate units in the order of what descriptions say")
    parser = verb(
        verbs,
        "network",
        "curves, importance of single units and criteria of one network",
        "milan analyze network --model @spec.json --dataset resources/datasets/stickers_test"
        " --descriptions descriptions.csv --options @options.json --out results/analyze/my_net",
        _network,
    )
    parser.add_argument("--model", type=json_value, required=True, help="spec of the network")
    parser.add_argument("--dataset", type=Path, required=True, help="labelled images")
    parser.add_argument("--descriptions", type=Path, required=True)
    parser.add_argument("--parser", type=Path, help="asset with a spaCy pipeline")
    parser.add_argument("--vectors", type=Path, help="asset with an encoder of words")
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    add_compute(parser)
    parser = verb(
        verbs,
        "table",
        "tables, figures and report section of all analysed networks",
        "milan analyze table --models resnet_mini --seed 0 --out results/analyze",
        _table,
    )
    parser.add_argument("--models", nargs="+", required=True, help="folders below --out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder")


def _network(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.experiments.analyze.network import analyze_network, settings_from

    assets = [path for path in (arguments.parser, arguments.vectors) if path]
    with provenance.step(
        "analyze_network",
        arguments.out,
        inputs=[
            arguments.dataset,
            arguments.descriptions,
            *assets,
            *weights_of(arguments.model),
        ],
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("analyze"),
    ):
        analyze_network(
            arguments.model,
            folder_of(arguments.dataset),
            arguments.descriptions,
            settings_from(arguments.options),
            parser=arguments.parser,
            vectors=arguments.vectors,
            seed=arguments.seed,
            device=arguments.device,
            out=arguments.out,
        )


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.analyze.section import write_report

    names = ("ablation.csv", "importance.csv", "criteria.csv")
    with provenance.step(
        "analyze_table",
        arguments.out,
        inputs=[arguments.out / model / name for model in arguments.models for name in names],
        seed=arguments.seed,
        code=code_version("analyze"),
    ):
        write_report(arguments.models, arguments.out, arguments.seed)
