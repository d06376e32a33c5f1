"""`milan captioner`: train p(d|E) and p(d) on the annotated units of a split."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, folder_of, json_value, stage, start_torch, verb
from milan_core.core.stages import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "captioner", "captioner and language model")
    parser = verb(
        verbs,
        "train",
        "train both models; a killed run goes on where it was",
        "milan captioner train --split @split.json --features a/features.safetensors"
        " --annotations a/annotations.csv --seed 0 --out results/captioners/mine/seed0/config.json",
        _train,
    )
    parser.add_argument("--split", type=json_value, required=True, help="name, train, test_share")
    parser.add_argument("--settings", type=json_value, default={})
    parser.add_argument("--encoder", type=json_value, required=True, help="kept for `describe run`")
    parser.add_argument("--pooling", type=json_value, default={})
    parser.add_argument("--features", nargs="+", type=Path, required=True)
    parser.add_argument("--annotations", nargs="+", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="config.json of the captioner")
    add_compute(parser)
    parser = verb(
        verbs,
        "convert",
        "a published milan-*.pth to safetensors and JSON; nothing in it is executed",
        "milan captioner convert --release resources/milan/milan-base.pth"
        " --out resources/milan/milan-base",
        _convert,
    )
    parser.add_argument("--release", type=Path, required=True, help="milan-*.pth")
    parser.add_argument(
        "--encoder-weights", type=Path, help="torchvision's, for a file without its encoder"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser = verb(
        verbs,
        "histories",
        "losses by epoch of any number of trainings: history.svg, training.csv, section.json",
        "milan captioner histories --history results/captioners/*/seed*/history.csv"
        " --out results/captioners",
        _histories,
    )
    parser.add_argument("--history", nargs="+", type=Path, required=True, help="history.csv files")
    parser.add_argument("--out", type=Path, required=True, help="section.json or its folder")


def _train(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.captioner.training.splits import train_on_split
    from milan_core.core import provenance

    folder = arguments.out.parent
    inputs = [*arguments.features, *arguments.annotations]
    options = {"split": arguments.split, "settings": arguments.settings}
    with provenance.step(
        "captioner_train",
        folder,
        inputs=inputs,
        options=options,
        seed=arguments.seed,
        code=code_version("captioner"),
    ) as record:
        record.update(
            train_on_split(
                arguments.split,
                arguments.features,
                arguments.annotations,
                arguments.settings,
                seed=arguments.seed,
                device=arguments.device,
                out=folder,
                encoder={"spec": arguments.encoder, "pooling": arguments.pooling},
                code=code_version("captioner"),
            )
        )


def _convert(arguments: argparse.Namespace) -> None:
    from milan_core.captioner.convert import convert_release
    from milan_core.core import provenance

    out: Path = arguments.out
    with provenance.step("captioner_convert", out, inputs=[arguments.release]):
        _, facts = convert_release(arguments.release, out, arguments.encoder_weights)
    prior = "with" if facts["language_model"] else "without"
    print(
        f"{out}: {facts['words']} words, {facts['feature_size']} features of {facts['encoder']}, "
        f"{prior} language model"
    )
    if "without_encoder" in facts:
        print(f"without its encoder: {facts['without_encoder']}")


def _histories(arguments: argparse.Namespace) -> None:
    from milan_core.captioner.training.histories import write_histories
    from milan_core.core import provenance

    out, code = folder_of(arguments.out), code_version("histories")
    with provenance.step("captioner_histories", out, inputs=arguments.history, code=code):
        write_histories(arguments.history, out)
