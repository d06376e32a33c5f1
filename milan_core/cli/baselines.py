"""`milan baselines`: the labels of other methods, their scores, and Table 2."""

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

TRIAL_FILES = ("descriptions", "beams", "baselines", "annotations", "units", "features")


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "baselines", "other methods on the same exemplars and splits")
    _register_labels(verbs)
    _register_published(verbs)
    _register_score(verbs)
    _register_table(verbs)


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


def _register_score(verbs: Any) -> None:
    parser = verb(
        verbs,
        "score",
        "score p(d|E), retrieval and labels in one trial",
        "milan baselines score --descriptions d.csv --beams b.safetensors --labels labels.csv ...",
        _score,
    )
    for name in TRIAL_FILES:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", nargs="*", type=Path, default=[], help="where it is known")
    parser.add_argument(
        "--learnt", nargs="+", type=Path, required=True, help="training annotations"
    )
    parser.add_argument(
        "--learnt-features", nargs="+", type=Path, required=True, help="training features"
    )
    parser.add_argument("--labels", nargs="*", type=Path, default=[], help="labels.csv")
    parser.add_argument(
        "--bertscore", nargs="*", type=Path, default=[], help="asset.json of the encoder"
    )
    parser.add_argument("--options", type=json_value, default={})
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="scores.csv")


def _register_table(verbs: Any) -> None:
    parser = verb(
        verbs,
        "table",
        "join all trials into Table 2",
        "milan baselines table --trials @trials.json --scores s.csv --methods m.csv --out t.csv",
        _table,
    )
    parser.add_argument(
        "--trials", type=json_value, required=True, help="[[split, seed, train, test]]"
    )
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of each trial")
    parser.add_argument("--methods", nargs="+", type=Path, required=True, help="of `score`")
    parser.add_argument("--about", type=json_value, default={}, help="methods, labels, same_images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="baselines/table.csv")


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


def _score(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.baselines.comparison import TrialFiles, score_methods

    single = {name: getattr(arguments, name) for name in TRIAL_FILES}
    several = {
        name: getattr(arguments, name)
        for name in ("truth", "learnt", "learnt_features", "labels", "bertscore")
    }
    with provenance.step(
        "baselines_score",
        arguments.out.parent,
        inputs=[*single.values(), *(path for paths in several.values() for path in paths)],
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("baselines"),
    ):
        files = TrialFiles(**single, **several)
        score_methods(files, arguments.options, arguments.seed, arguments.out.parent)


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.baselines.section import write_table2_section
    from milan_core.experiments.baselines.tables import Trial, write_comparison

    with provenance.step(
        "baselines_table",
        arguments.out.parent,
        inputs=[*arguments.scores, *arguments.methods],
        options=arguments.trials,
        seed=arguments.seed,
        code=code_version("baselines"),
    ):
        trials = [
            Trial(tuple(train), test, int(seed), scores, methods)
            for (_, seed, train, test), scores, methods in zip(
                arguments.trials, arguments.scores, arguments.methods, strict=True
            )
        ]
        rows = write_comparison(trials, arguments.seed, arguments.out.parent)
        about = {"methods": [], "labels": "", "same_images": False, "sets": [], **arguments.about}
        write_table2_section(arguments.out.parent, rows, **about)
