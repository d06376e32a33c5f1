"""`milan variants`: descriptions by other captioners, priors and re-rankers."""

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
