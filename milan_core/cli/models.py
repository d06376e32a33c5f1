"""`milan models`: train the embedded targets, look inside a network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, folder_of, json_value, stage, start_torch, verb
from milan_core.sources import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "models", "target networks")
    parser = verb(
        verbs,
        "train",
        "train a classifier; a killed run goes on where it was",
        "milan models train --name mini --model @model.json --datasets TRAIN TEST"
        " --out weights.safetensors",
        _train,
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--model", type=json_value, required=True)
    parser.add_argument("--datasets", nargs="+", type=Path, required=True, help="train, then tests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="weights.safetensors")
    add_compute(parser)
    parser = verb(
        verbs,
        "inspect",
        "print the layers of a network with their shapes and a config entry",
        "milan models inspect --factory my_net.py:build --size 64",
        _inspect,
    )
    parser.add_argument("--factory", required=True)
    parser.add_argument("--kwargs", type=json_value, default={})
    parser.add_argument("--size", type=int, default=224)
    add_compute(parser)


def _train(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.data.store import open_dataset
    from milan_core.models.inputs import InputSpec
    from milan_core.models.train import evaluate, train_classifier
    from milan_core.runtime import provenance
    from milan_core.runtime.files import write_csv

    folder = arguments.out.parent
    train, *tests = [open_dataset(folder_of(path)) for path in arguments.datasets]
    with provenance.step(
        "targets_train",
        folder,
        inputs=arguments.datasets,
        options=arguments.model,
        seed=arguments.seed,
        code=code_version("targets"),
    ) as record:
        spec = {key: arguments.model[key] for key in ("factory", "kwargs", "input")}
        settings = {
            key: arguments.model["weights"][key]
            for key in ("epochs", "batch_size", "learning_rate")
            if key in arguments.model["weights"]
        }
        module = train_classifier(
            spec,
            train,
            {**settings, "device": arguments.device},
            arguments.seed,
            folder,
            code=code_version("targets"),
        )
        view = InputSpec.from_mapping(spec["input"])
        scores = [
            (
                test.name,
                evaluate(module, test, input=view, device=arguments.device),
                len(test.labels),
            )
            for test in tests
        ]
        write_csv(folder / "accuracy.csv", ("dataset", "accuracy", "images"), scores)
        record["accuracy"] = {name: accuracy for name, accuracy, _ in scores}


def _inspect(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.models.inspect import describe_layers

    print(describe_layers(arguments.factory, arguments.kwargs, arguments.size))
