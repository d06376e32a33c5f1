"""`milan generalization`: score trials, then one table of all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import json_value, stage, verb
from milan_core.core.stages import code_version

TRIAL_FILES = ("descriptions", "beams", "baselines", "annotations", "units")


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "generalization", "scores of descriptions, baselines beside")
    parser = verb(
        verbs,
        "score",
        "score one trial of one split",
        "milan generalization score --descriptions d.csv --annotations a.csv --truth t.csv ...",
        _score,
    )
    for name in TRIAL_FILES:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--truth", nargs="*", type=Path, default=[], help="where it is known")
    parser.add_argument(
        "--learnt", nargs="+", type=Path, required=True, help="training annotations"
    )
    parser.add_argument(
        "--bertscore", nargs="*", type=Path, default=[], help="asset.json of the encoder"
    )
    parser.add_argument("--options", type=json_value, default={})
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="scores.csv")
    parser = verb(
        verbs,
        "table",
        "one table over all trials",
        "milan generalization table --trials @trials.json --files scores.csv ... --out table.csv",
        _table,
    )
    parser.add_argument(
        "--trials",
        type=json_value,
        required=True,
        help="list of {experiment, split, train, test, seed, learnt, described, primary}",
    )
    parser.add_argument("--files", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="generalization/table.csv")
    parser = verb(
        verbs,
        "section",
        "Table 3: experiments beside each other, paired on the same units",
        "milan generalization section --trials @trials.json --scores s.csv ... --descriptions d.csv"
        " ... --truth t.csv ... --out section.json",
        _section,
    )
    parser.add_argument("--trials", type=json_value, required=True)
    for name in ("scores", "descriptions"):
        parser.add_argument(f"--{name}", nargs="+", type=Path, required=True)
    parser.add_argument(
        "--truth", nargs="*", type=Path, default=[], help=".../NETWORK/annotations/truth.csv"
    )
    parser.add_argument("--options", type=json_value, default={})
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="generalization/section.json")


def _section(arguments: argparse.Namespace) -> None:
    from milan_core.experiments.generalization.transfer import write_transfer
    from milan_core.scoring.bootstrap import Bootstrap

    truth = {path.parent.parent.name: path for path in arguments.truth}
    trials: Any = [
        {**facts, "scores": scores, "descriptions": texts, "truth": truth.get(facts["test"])}
        for facts, scores, texts in zip(
            arguments.trials, arguments.scores, arguments.descriptions, strict=True
        )
    ]
    bootstrap = Bootstrap(arguments.seed, int(arguments.options.get("bootstrap", 2000)))
    write_transfer(trials, arguments.out.parent, bootstrap)


def _score(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.generalization.score import score_trial

    inputs = [
        *(getattr(arguments, name) for name in TRIAL_FILES),
        *arguments.truth,
        *arguments.learnt,
        *arguments.bertscore,
    ]
    with provenance.step(
        "generalization_score",
        arguments.out.parent,
        inputs=inputs,
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("generalization"),
    ):
        score_trial(arguments)


def _table(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.generalization.score import write_tables

    with provenance.step(
        "generalization_table",
        arguments.out.parent,
        inputs=arguments.files,
        options=arguments.trials,
        code=code_version("generalization"),
    ):
        write_tables(arguments.trials, arguments.files, arguments.out.parent)
