"""`milan variants`: descriptions by other captioners, priors and re-rankers, and their scores."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, folder_of, json_value, stage, start_torch, verb
from milan_core.core.stages import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "variants", "other captioners, priors and CLIP re-ranking")
    parser = verb(
        verbs,
        "describe",
        "describe one network by one variant",
        "milan variants describe --spec @variant.json --captioner c/config.json --features f"
        " --exemplars e --dataset d --out results/mine/variants/blip/descriptions.csv",
        _describe,
    )
    parser.add_argument("--spec", type=json_value, required=True)
    parser.add_argument("--captioner", type=Path, nargs="*", help="its files, config.json first")
    parser.add_argument("--features", type=Path, nargs="?", help="where the variant reads them")
    for name in ("exemplars", "dataset"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="descriptions.csv")
    add_compute(parser)
    parser = verb(
        verbs,
        "score",
        "score the variants of one network beside its main descriptions",
        "milan variants score --model mine --names main blip --tables a.csv b.csv ... --out s.csv",
        _score,
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--names", nargs="+", required=True, help="main, then the variants")
    parser.add_argument("--tables", nargs="+", type=Path, required=True, help="as --names")
    for name in ("annotations", "truth", "units"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--learnt", nargs="+", type=Path, required=True)
    parser.add_argument("--bertscore", nargs="*", type=Path, default=[])
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="scores.csv")
    parser = verb(
        verbs,
        "table",
        "one table and section over all networks",
        "milan variants table --files a/scores.csv b/scores.csv --out variants/table.csv",
        _table,
    )
    parser.add_argument("--files", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="table.csv")


def _describe(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.describers.variants import describe_variant

    given = arguments
    captioner = given.captioner or []
    files = [*captioner, given.features, given.exemplars, given.dataset]
    with provenance.step(
        "variants_describe",
        given.out.parent,
        inputs=[path for path in files if path is not None],
        options=given.spec,
        code=code_version("variants"),
    ):
        describe_variant(
            given.spec,
            captioner[0] if captioner else None,
            given.features,
            given.exemplars,
            folder_of(given.dataset),
            device=given.device,
            out=given.out.parent,
        )


def _score(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.variants.tables import score_variants

    references = {name: getattr(arguments, name) for name in ("annotations", "truth", "units")}
    with provenance.step(
        "variants_score",
        arguments.out.parent,
        inputs=[
            *arguments.tables,
            *references.values(),
            *arguments.learnt,
            *arguments.bertscore,
        ],
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("variants"),
    ):
        score_variants(
            arguments.model,
            dict(zip(arguments.names, arguments.tables, strict=True)),
            references,
            arguments.learnt,
            arguments.bertscore,
            arguments.options,
            arguments.seed,
            arguments.out,
        )


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.variants.tables import write_variants

    with provenance.step(
        "variants_table",
        arguments.out.parent,
        inputs=arguments.files,
        code=code_version("variants"),
    ):
        write_variants(arguments.files, arguments.out.parent)
