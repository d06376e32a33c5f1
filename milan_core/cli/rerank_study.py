"""`milan rerank_study`: decoding strategies measured on one network, then one table of all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, json_value, stage, start_torch, verb
from milan_core.core.stages import code_version

FILES = ("captioner", "features", "annotations", "units")


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "rerank_study", "decoding strategies compared")
    parser = verb(
        verbs,
        "measure",
        "every strategy on the units of one network",
        "milan rerank_study measure --model mine --captioner c/config.json --features f.safetensors"
        " ... --out results/rerank_study/mine/table.csv",
        _measure,
    )
    parser.add_argument("--model", required=True)
    for name in FILES:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", nargs="*", type=Path, default=[], help="where it is known")
    parser.add_argument("--learnt", nargs="+", type=Path, required=True)
    parser.add_argument("--bertscore", nargs="*", type=Path, default=[])
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="table.csv")
    add_compute(parser)
    parser = verb(
        verbs,
        "table",
        "one table, figure and section over all networks",
        "milan rerank_study table --files a/table.csv b/table.csv --out rerank_study/table.csv",
        _table,
    )
    parser.add_argument("--files", nargs="+", type=Path, required=True)
    parser.add_argument("--temperature", type=float, default=0.2, help="lambda of the run")
    parser.add_argument("--beam-size", type=int, default=50, help="beam size of the run")
    parser.add_argument("--out", type=Path, required=True, help="table.csv")


def _measure(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.experiments.decoding.study import measure

    with provenance.step(
        "rerank_study_measure",
        arguments.out.parent,
        inputs=[
            *(getattr(arguments, name) for name in FILES),
            *arguments.truth,
            *arguments.learnt,
            *arguments.bertscore,
        ],
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("rerank_study"),
    ):
        measure(arguments)


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.decoding.section import write_study

    with provenance.step(
        "rerank_study_table",
        arguments.out.parent,
        inputs=arguments.files,
        options={"temperature": arguments.temperature, "beam_size": arguments.beam_size},
        code=code_version("rerank_study"),
    ):
        write_study(
            arguments.files, arguments.temperature, arguments.beam_size, arguments.out.parent
        )
