"""The stage `generalization`: files of one trial to scores, and scores of all trials to tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

from milan_core.core.drawing import write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.experiments.generalization import tables
from milan_core.plan.splits import WITHIN
from milan_core.scoring import figures, pmi
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import WordInformation
from milan_core.scoring.scores import Scorer, Training, score_split, write_scores
from milan_core.scoring.units import (
    Material,
    Truth,
    UnitKey,
    check_same_units,
    read_annotations,
    read_descriptions,
    read_material,
    read_truth,
    unit_key,
)
from milan_core.scoring.vectors import encoder_folder

TEST = "test"


class TrialFacts(TypedDict):
    """One trial as the plan names it; `primary`: its captioner never saw the network.

    `learnt` and `described` are the sides of its row of Table 3, groups of sets as such.
    """

    experiment: str
    split: str
    train: list[str]
    test: str
    seed: int
    primary: bool
    learnt: str
    described: str


class ScoredFiles(Protocol):
    """What scores of any method read of a trial: one captioner's descriptions of one network.

    `truth` is empty for an annotation set, whose concepts nobody knows.
    """

    descriptions: Path
    annotations: Path
    truth: Sequence[Path]
    units: Path
    learnt: Sequence[Path]
    bertscore: Sequence[Path]


class TrialFiles(ScoredFiles, Protocol):
    """What `score_trial` reads beside."""

    beams: Path
    baselines: Path
    options: Mapping[str, Any]
    seed: int
    out: Path


@dataclass(frozen=True)
class Opened:
    """The tested units of a trial with their references, and what measures texts against them."""

    material: Material
    training: Training
    scorer: Scorer
    bootstrap: Bootstrap


def open_trial(trial: ScoredFiles, options: Mapping[str, Any], seed: int) -> Opened:
    """Read what every score of a trial needs; `options` are `bertscore_layer` and `bootstrap`."""
    tested = list(read_descriptions(trial.descriptions, TEST))
    material = read_material(trial.annotations, trial.truth, tested)
    training = read_training(trial.units, trial.learnt)
    bert = None
    if trial.bertscore:
        folder = encoder_folder(trial.bertscore[0])
        bert = BertScorer(folder, int(options.get("bertscore_layer", 5)))
    scorer = Scorer(material, WordInformation(training.captions), bert)
    return Opened(material, training, scorer, Bootstrap(seed, int(options.get("bootstrap", 2000))))


def score_trial(trial: TrialFiles) -> None:
    """Score the test side of one trial: writes `trial.out` and `lambda.csv` beside it."""
    options = trial.options
    opened = open_trial(trial, options, trial.seed)
    material, scorer, bootstrap = opened.material, opened.scorer, opened.bootstrap
    described = read_descriptions(trial.descriptions)
    annotated = read_annotations(trial.annotations)
    check_same_units(described, annotated, f"{trial.descriptions}", f"{trial.annotations}")
    predictions = {key: described[key] for key in material.units}
    others = {
        name: _restrict(table, described, material.units, f"{trial.baselines} ({name})")
        for name, table in read_baselines(trial.baselines).items()
    }
    rows = score_split(
        predictions, material, opened.training, others=others, bert=scorer.bert, bootstrap=bootstrap
    )
    beams = pmi.read_beams(trial.beams)
    check_same_units(beams.units, described, f"{trial.beams}", f"{trial.descriptions}")
    lambdas = [float(weight) for weight in options.get("lambdas", pmi.LAMBDAS)]
    sweep = pmi.sweep(beams.select(material.units), material, scorer, lambdas, bootstrap)
    pmi.write_sweep(trial.out.parent / "lambda.csv", sweep)
    write_scores(trial.out, rows)


def _restrict(
    table: Mapping[UnitKey, str],
    described: Mapping[UnitKey, str],
    units: Sequence[UnitKey],
    what: str,
) -> dict[UnitKey, str]:
    check_same_units(table, described, what, "the descriptions")
    return {key: table[key] for key in units}


def read_baselines(path: Path) -> dict[str, dict[UnitKey, str]]:
    """Descriptions by method and unit of a table with the column `method`."""
    found: dict[str, dict[UnitKey, str]] = defaultdict(dict)
    for row in read_csv(path, ("method", "layer", "unit", "description")):
        found[row["method"]][unit_key(row, path)] = row["description"]
    return dict(found)


def read_training(units: Path, learnt: Sequence[Path]) -> Training:
    """Captions and truth of a captioner's training units.

    `units` is its units.csv (model, layer, unit, side); the files of `learnt` are
    `.../{model}/annotations/annotations.csv`, with `truth.csv` beside where it is known.
    """
    sources = {path.parent.parent.name: path for path in learnt}
    wanted: dict[str, list[UnitKey]] = defaultdict(list)
    for row in read_csv(units, ("model", "layer", "unit", "side")):
        if row["side"] != TEST:
            wanted[row["model"]].append(unit_key(row, units))
    captions: list[str] = []
    truth: list[Truth] = []
    for model, keys in wanted.items():
        if model not in sources:
            message = f"{units} was trained on {model!r}, whose annotations were not given"
            raise UserError(message)
        annotations = read_annotations(sources[model])
        captions += [text for key in keys for text in annotations.get(key, {}).values()]
        known = sources[model].with_name("truth.csv")
        if known.is_file():
            by_unit = read_truth(known)
            truth += [by_unit[key] for key in keys if key in by_unit]
    if not captions:
        message = f"{units} and the training annotations have no unit in common"
        raise UserError(message)
    return Training(captions, truth)


def write_tables(trials: Sequence[TrialFacts], files: Sequence[Path], folder: Path) -> None:
    """Join all trials: tables and figures in `folder`.

    `files` are the scores.csv of the trials in the same order, then (optionally) their lambda.csv.
    The sweep over lambda shows the trials whose captioner never saw the network, and those within.
    """
    count = len(trials)
    if len(files) not in (count, 2 * count):
        message = f"{count} trials need {count} score files (and as many sweeps), got {len(files)}"
        raise UserError(message)
    entries = [
        tables.SplitScores(
            trial["experiment"], "+".join(trial["train"]), trial["test"], trial["seed"], Path(path)
        )
        for trial, path in zip(trials, files[:count], strict=True)
    ]
    tables.write_generalization(entries, folder)
    sweeps = [
        (
            f"{trial['split']}_{trial['test']}" if trial["split"] == "all" else trial["split"],
            trial["seed"],
            Path(path),
        )
        for trial, path in zip(trials, files[count:], strict=False)
        if trial["primary"] or trial["experiment"] == WITHIN
    ]
    if sweeps:
        tables.write_lambda(sweeps, folder / "lambda.csv")
        svg = figures.lambda_figure(read_csv(folder / "lambda.csv"))
        write_figure(folder / "lambda.svg", svg)
