"""Table 3: how well captioners describe units unlike those they learnt from (paper section 4).

Every trial is scored by itself (`experiments.stage`); here the rows of the table are put together,
and captioners are compared on the same units: those that the within-network captioner kept for its
test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from milan_core.core.drawing import write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_json, write_csv
from milan_core.core.section import write_section
from milan_core.experiments.generalization.figure import layers_figure, transfer_figure
from milan_core.experiments.generalization.score import TEST
from milan_core.experiments.generalization.section import transfer_section
from milan_core.plan.splits import WITHIN
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scores import ACCURACY, BERT_F, FEWER, MAIN, Score, cell, read_scores
from milan_core.scoring.units import Truth, UnitKey, read_descriptions, read_truth

GREEDY, LEAD = "greedy", ":lead-of-pmi"
FEATURES = "features.safetensors"
NAMES = ("experiment", "train", "test")
# Column: (method, metric, what of it). Columns that no row has are left out of the file.
FIGURES = {
    "accuracy": (MAIN, ACCURACY, "value"),
    "low": (MAIN, ACCURACY, "low"),
    "high": (MAIN, ACCURACY, "high"),
    "accuracy_greedy": (GREEDY, ACCURACY, "value"),
    "lead_of_pmi": (GREEDY, ACCURACY + LEAD, "value"),
    "lead_low": (GREEDY, ACCURACY + LEAD, "low"),
    "lead_high": (GREEDY, ACCURACY + LEAD, "high"),
    "judged": (MAIN, ACCURACY, "n"),
    "bert_f": (MAIN, BERT_F, "value"),
    "bert_low": (MAIN, BERT_F, "low"),
    "bert_high": (MAIN, BERT_F, "high"),
    "bert_f_greedy": (GREEDY, BERT_F, "value"),
    "bert_lead": (GREEDY, BERT_F + LEAD, "value"),
    "bert_lead_low": (GREEDY, BERT_F + LEAD, "low"),
    "bert_lead_high": (GREEDY, BERT_F + LEAD, "high"),
    "bert_f_constant": ("constant", BERT_F, "value"),
    "bert_f_shuffled": ("shuffled_prediction", BERT_F, "value"),
    "bert_f_two": (FEWER, BERT_F, "value"),
    "bert_f_annotators": ("annotators", BERT_F, "value"),
    "bleu": (MAIN, "bleu", "value"),
    "bleu_low": (MAIN, "bleu", "low"),
    "bleu_high": (MAIN, "bleu", "high"),
    "bleu_constant": ("constant", "bleu", "value"),
    "rouge_l_f": (MAIN, "rouge-l-f", "value"),
    "rouge_l_f_low": (MAIN, "rouge-l-f", "low"),
    "rouge_l_f_high": (MAIN, "rouge-l-f", "high"),
    "rouge_l_f_constant": ("constant", "rouge-l-f", "value"),
    "distinct_share": (MAIN, "distinct_share", "value"),
}
# Means over units, so that a row which describes several sets is their mean weighted by units.
MEANS = {
    "bert_f": (MAIN, BERT_F),
    "bert_f_greedy": (GREEDY, BERT_F),
    "bert_f_constant": ("constant", BERT_F),
    "bert_f_shuffled": ("shuffled_prediction", BERT_F),
    "rouge_l_f": (MAIN, "rouge-l-f"),
    "rouge_l_f_constant": ("constant", "rouge-l-f"),
    "accuracy": (MAIN, ACCURACY),
    "accuracy_greedy": (GREEDY, ACCURACY),
}
# Columns that are there together: a value, its interval, its deviation over trials.
KEYS = {column: key[:2] for column, key in FIGURES.items()}
KEYS |= {f"{column}_std": key for column, key in MEANS.items()}
PAIRED = ("experiment", "train", "test", "trials", "within", "here", "cost", "low", "high", "units")
Row = dict[str, Any]
Scores = Mapping[tuple[str, str], Score]


class ScoredTrial(TypedDict):
    """One trial with the files that belong to it; `truth` is None for an annotation set."""

    experiment: str
    train: list[str]
    test: str
    seed: int
    learnt: str
    described: str
    scores: Path
    descriptions: Path
    truth: Path | None


def write_transfer(trials: Sequence[ScoredTrial], folder: Path, bootstrap: Bootstrap) -> None:
    """Write table3, transfer, paired and layers (CSV), two figures and `section.json`."""
    scores = [
        {(row.method, row.metric): row for row in read_scores(trial["scores"])} for trial in trials
    ]
    groups: dict[tuple[str, str, str], list[int]] = {}
    for place, trial in enumerate(trials):
        key = (trial["experiment"], "+".join(trial["train"]), trial["test"])
        groups.setdefault(key, []).append(place)
    rows = [
        {**dict(zip(NAMES, key, strict=True)), **_figures([scores[place] for place in group])}
        for key, group in groups.items()
    ]
    table = table3(trials, scores)
    _write(folder / "table3.csv", table)
    _write(folder / "transfer.csv", rows)
    paired = paired_costs(
        {key: [trials[place] for place in group] for key, group in groups.items()}, bootstrap
    )
    write_csv(folder / "paired.csv", PAIRED, [list(row.values()) for row in paired])
    layers = _layers(trials, scores)
    write_csv(folder / "layers.csv", LAYERS, layers)
    write_figure(folder / "transfer.svg", transfer_figure(rows))
    write_figure(
        folder / "layers.svg",
        layers_figure([dict(zip(LAYERS, row, strict=True)) for row in layers]),
    )
    write_section(folder / "section.json", transfer_section(table, rows, paired))


def _write(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows without the columns of figures that no row has."""
    known = {key for column, key in KEYS.items() if any(row.get(column, "") != "" for row in rows)}
    columns = list(rows[0]) if rows else NAMES
    header = [name for name in columns if KEYS.get(name) is None or KEYS[name] in known]
    write_csv(path, header, [[row[name] for name in header] for row in rows])


def _mean(values: Sequence[float]) -> Any:
    kept = [value for value in values if not math.isnan(value)]
    return cell(float(np.mean(kept))) if kept else ""


def _figures(group: Sequence[Scores]) -> Row:
    """Means over trials of the figures of one row; counts are those of the first trial."""
    row: Row = {"trials": len(group)}
    for column, (method, metric, what) in FIGURES.items():
        found = [table[method, metric] for table in group if (method, metric) in table]
        if what == "n":
            row[column] = found[0].n if found else ""
        else:
            row[column] = _mean([getattr(score, what) for score in found])
    return {**row, "units": _units(group[0])}


def _units(scores: Scores) -> int:
    return max(row.n for (method, _), row in scores.items() if method == MAIN)


def table3(trials: Sequence[ScoredTrial], scores: Sequence[Scores]) -> list[Row]:
    """One row per row of the paper's table: means and standard deviations over trials.

    A side may be a group of sets; the figures of a trial are then means over all described units,
    with BERTScore's word weights from each set's own references.
    """
    groups: dict[tuple[str, str, str], dict[int, list[Scores]]] = {}
    for trial, table in zip(trials, scores, strict=True):
        key = (trial["experiment"], trial["learnt"], trial["described"])
        groups.setdefault(key, {}).setdefault(trial["seed"], []).append(table)
    rows = []
    for (experiment, learnt, described), by_seed in groups.items():
        row: Row = {"experiment": experiment, "learnt": learnt, "described": described}
        row["trials"] = len(by_seed)
        for column, figure in MEANS.items():
            values = [_over_units(tables, figure) for tables in by_seed.values()]
            row[column] = _mean(values)
            spread = len(values) > 1 and not any(map(math.isnan, values))
            row[f"{column}_std"] = cell(float(np.std(values, ddof=1))) if spread else ""
        first = next(iter(by_seed.values()))
        row["units"] = sum(map(_units, first))
        rows.append(row)
    return rows


def _over_units(tables: Sequence[Scores], key: tuple[str, str]) -> float:
    """Mean over the units of all tables that have the figure; NaN for none."""
    found = [table[key] for table in tables if key in table and not math.isnan(table[key].value)]
    if not found:
        return math.nan
    return float(np.average([score.value for score in found], weights=[s.n for s in found]))


LAYERS = (
    *("experiment", "train", "test", "trial", "layer"),
    *("metric", "value", "low", "high", "units"),
)


def _layers(trials: Sequence[ScoredTrial], scores: Sequence[Scores]) -> list[list[object]]:
    """The main figures by layer of every trial."""
    found: list[list[object]] = []
    for trial, table in zip(trials, scores, strict=True):
        names = (trial["experiment"], "+".join(trial["train"]), trial["test"], trial["seed"])
        for (method, metric), row in table.items():
            name, mark, layer = metric.partition(":layer=")
            if method == MAIN and mark:
                figures = (cell(row.value), cell(row.low), cell(row.high), row.n)
                found.append([*names, layer, name, *figures])
    return found


def paired_costs(
    groups: Mapping[tuple[str, str, str], Sequence[ScoredTrial]], bootstrap: Bootstrap
) -> list[Row]:
    """What it costs to learn elsewhere, on the very units that `within` was tested on.

    One row per group but the within-network ones: mean accuracies over trials of both captioners,
    and the paired difference within - here with its interval over units. Units without a specific
    concept are not judged, and no unit of an annotation set is.
    """
    inside = {key[2]: group for key, group in groups.items() if key[0] == WITHIN}
    rows = []
    for (experiment, train, test), group in groups.items():
        truth = group[0]["truth"]
        if experiment == WITHIN or test not in inside or truth is None:
            continue
        check_same_features([*inside[test], *group])
        units = list(read_descriptions(inside[test][0]["descriptions"], TEST))
        known = read_truth(truth)
        within, here = (_correct(own, units, known) for own in (inside[test], group))
        cost, low, high = bootstrap.paired(within, here, "transfer", test)
        judged = ~np.isnan(within)
        facts = {"experiment": experiment, "train": train, "test": test, "trials": len(group)}
        means = [
            float(values[judged].mean()) if judged.any() else math.nan for values in (within, here)
        ]
        figures = [cell(value) for value in (*means, cost, low, high)]
        rows.append(
            {**facts, **dict(zip(PAIRED[4:9], figures, strict=True)), "units": int(judged.sum())}
        )
    return rows


def check_same_features(trials: Sequence[ScoredTrial]) -> None:
    """Refuse trials of one network that described other features: of other images, or mined anew.

    The features are named in the provenance beside the descriptions; files without one pass.
    """
    known: dict[str, Path] = {}
    for trial in trials:
        path = trial["descriptions"].with_name("provenance.json")
        if path.is_file():
            inputs = read_json(path, "provenance").get("inputs", {})
            known |= {
                digest: path for name, digest in inputs.items() if Path(name).name == FEATURES
            }
    if len(known) > 1:
        one, other, *_ = known.values()
        raise UserError(
            f"generalization: {one.parent} and {other.parent} describe different features of "
            f"{trials[0]['test']!r} (other probe images, or mined anew) and cannot be compared; "
            "run describe_units of this network again for both"
        )


def _correct(
    group: Sequence[ScoredTrial], units: Sequence[UnitKey], truth: Mapping[UnitKey, Truth]
) -> np.ndarray:
    """Share of the trials that name the concept of each unit; NaN for units without one."""
    total = np.zeros(len(units))
    for trial in group:
        descriptions = read_descriptions(trial["descriptions"])
        total += [
            float(truth[key].named_by(descriptions[key])) if truth[key].specific else math.nan
            for key in units
        ]
    return total / len(group)
