"""`milan baselines`: the labels of other methods."""

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
    verbs = stage(subparsers, "baselines", "other methods on the same exemplars and splits")
    _register_labels(verbs)
    _register_published(verbs)


def _register_labels(verbs: Any) -> None:
    parser = verb(
        verbs,
        "concepts",
        "masks of named concepts over a data set: ground truth, Broden folder, segmentation model",
        "milan baselines concepts --dataset resources/datasets/mine --out concepts.safetensors"
        """ --options '{"source": "folder", "path": "broden", "size": 112}'""",
        _concepts,
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--out", type=Path, required=True)
    add_compute(parser)
    parser = verb(
        verbs,
        "label",
        "labels of one network by NetDissect, CompExp, INVERT, CLIP-Dissect",
        "milan baselines label --model @model.json --dataset resources/datasets/mine"
        " --concepts concepts.safetensors --options @labels.json --out labels.csv",
        _label,
    )
    parser.add_argument("--model", type=json_value, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--concepts", type=Path, nargs="*", default=[])
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--out", type=Path, required=True, help="labels.csv")
    add_compute(parser)


def _register_published(verbs: Any) -> None:
    parser = verb(
        verbs,
        "published",
        "labels of an annotation set out of results of the published programs",
        "milan baselines published --annotations a.csv --out labels.csv"
        """ --options '{"netdissect": "dissect/net"}'""",
        _published,
    )
    parser.add_argument("--annotations", type=Path, required=True, help="of the set")
    parser.add_argument(
        "--options", type=json_value, required=True, help="result folders by method"
    )
    parser.add_argument("--out", type=Path, required=True, help="labels.csv")


def _concepts(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.describers.segmentation import concept_masks
    from milan_core.images.store import open_dataset

    with provenance.step(
        "baselines_concepts",
        arguments.out.parent,
        inputs=[arguments.dataset],
        options=arguments.options,
        code=code_version("labels"),
    ):
        dataset = open_dataset(folder_of(arguments.dataset))
        concept_masks(dataset, arguments.options, arguments.device).save(arguments.out)


def _label(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.core import provenance
    from milan_core.describers.concepts import ConceptMasks
    from milan_core.describers.labels import label_network
    from milan_core.images.store import open_dataset
    from milan_core.networks.zoo import load_network

    with provenance.step(
        "baselines_label",
        arguments.out.parent,
        inputs=[arguments.dataset, *arguments.concepts, *weights_of(arguments.model)],
        options={"model": arguments.model, **arguments.options},
        code=code_version("labels"),
    ):
        label_network(
            load_network(arguments.model),
            open_dataset(folder_of(arguments.dataset)),
            ConceptMasks.load(arguments.concepts[0]) if arguments.concepts else None,
            arguments.options,
            arguments.out,
            batch_size=arguments.model.get("batch_size", 64),
            device=arguments.device,
            threads=arguments.threads,
        )


def _published(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.describers.labels import label_set

    with provenance.step(
        "baselines_published",
        arguments.out.parent,
        inputs=[arguments.annotations],
        options=arguments.options,
        code=code_version("labels"),
    ):
        label_set(arguments.annotations, arguments.options, arguments.out)
