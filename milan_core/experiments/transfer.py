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

from milan_core.experiments.bootstrap import Bootstrap
from milan_core.experiments.scores import ACCURACY, BERT_F, MAIN, cell
from milan_core.experiments.sections import Column, Section, Table, write_section
from milan_core.experiments.stage import TEST
from milan_core.experiments.units import UnitKey, read_descriptions, read_truth
from milan_core.plan.splits import WITHIN
from milan_core.runtime.files import read_csv, write_csv

GREEDY = "greedy"
LEAD = f"{ACCURACY}:lead-of-pmi"
ROWS = (
    "experiment", "train", "test", "trials", "accuracy", "low", "high", "accuracy_greedy",
    "lead_of_pmi", "lead_low", "lead_high", "bert_f", "bert_f_greedy", "units",
)  # fmt: skip
PAIRED = ("experiment", "train", "test", "trials", "within", "here", "cost", "low", "high", "units")


class ScoredTrial(TypedDict):
    """One trial with the files that belong to it."""

    experiment: str
    train: list[str]
    test: str
    seed: int
    scores: Path
    descriptions: Path
    truth: Path


def write_transfer(trials: Sequence[ScoredTrial], folder: Path, bootstrap: Bootstrap) -> None:
    """Write `transfer.csv`, `paired.csv`, `layers.csv` and `section.json` into `folder`."""
    groups: dict[tuple[str, str, str], list[ScoredTrial]] = {}
    for trial in trials:
        key = (trial["experiment"], "+".join(trial["train"]), trial["test"])
        groups.setdefault(key, []).append(trial)
    rows = [[*key, *_figures(group)] for key, group in groups.items()]
    write_csv(folder / "transfer.csv", ROWS, rows)
    paired = paired_costs(groups, bootstrap)
    write_csv(folder / "paired.csv", PAIRED, [list(row.values()) for row in paired])
    write_csv(folder / "layers.csv", LAYERS, _layers(trials))
    named = [dict(zip(ROWS, row, strict=True)) for row in rows]
    write_section(folder / "section.json", _section(named, paired))


def _scores(path: Path) -> dict[tuple[str, str], Mapping[str, str]]:
    return {(row["method"], row["metric"]): row for row in read_csv(path, ("method", "metric"))}


def _figures(group: Sequence[ScoredTrial]) -> list[object]:
    """Means over trials of the figures of one row."""
    tables = [_scores(trial["scores"]) for trial in group]

    def mean(method: str, metric: str, column: str = "value") -> Any:
        found = [table.get((method, metric), {}).get(column, "") for table in tables]
        values = [float(text) for text in found if text not in ("", None)]
        return cell(float(np.mean(values))) if values else ""

    main = [mean(MAIN, ACCURACY, column) for column in ("value", "low", "high")]
    lead = [mean(GREEDY, LEAD, column) for column in ("value", "low", "high")]
    units = tables[0].get((MAIN, ACCURACY), {}).get("n", "")
    bert = [mean(MAIN, BERT_F), mean(GREEDY, BERT_F)]
    return [len(group), *main, mean(GREEDY, ACCURACY), *lead, *bert, units]


LAYERS = ("experiment", "train", "test", "trial", "layer", "accuracy", "low", "high", "units")


def _layers(trials: Sequence[ScoredTrial]) -> list[list[object]]:
    """Concept accuracy by layer of every trial."""
    found: list[list[object]] = []
    mark = f"{ACCURACY}:layer="
    for trial in trials:
        names = (trial["experiment"], "+".join(trial["train"]), trial["test"], trial["seed"])
        for (method, metric), row in _scores(trial["scores"]).items():
            if method == MAIN and metric.startswith(mark):
                figures = [row[column] for column in ("value", "low", "high", "n")]
                found.append([*names, metric.removeprefix(mark), *figures])
    return found


def paired_costs(
    groups: Mapping[tuple[str, str, str], Sequence[ScoredTrial]], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    """What it costs to learn elsewhere, on the very units that `within` was tested on.

    One row per group but the within-network ones: mean accuracies over trials of both captioners,
    and the paired difference within - here with its interval over units. Units without a specific
    concept are not judged.
    """
    inside = {key[2]: group for key, group in groups.items() if key[0] == WITHIN}
    rows = []
    for (experiment, train, test), group in groups.items():
        if experiment == WITHIN or test not in inside:
            continue
        units = list(read_descriptions(inside[test][0]["descriptions"], TEST))
        within, here = _correct(inside[test], units), _correct(group, units)
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


def _correct(group: Sequence[ScoredTrial], units: Sequence[UnitKey]) -> np.ndarray:
    """Share of the trials that name the concept of each unit; NaN for units without one."""
    total = np.zeros(len(units))
    for trial in group:
        descriptions, truth = read_descriptions(trial["descriptions"]), read_truth(trial["truth"])
        total += [
            float(truth[key].named_by(descriptions[key])) if truth[key].specific else math.nan
            for key in units
        ]
    return total / len(group)


def _section(rows: Sequence[Mapping[str, Any]], paired: Sequence[Mapping[str, Any]]) -> Section:
    columns = [
        Column("experiment", "Experiment"),
        Column("train", "Learnt from"),
        Column("test", "Described"),
    ]
    main = [
        Column("trials", "Trials", "integer"),
        Column("accuracy", "Concept accuracy", "percent", low="low", high="high"),
        Column("accuracy_greedy", "the same by p(d|E)", "percent"),
        Column("lead_of_pmi", "PMI ahead by", "percent", low="lead_low", high="lead_high"),
        Column("bert_f", "BERTScore F", "number"),
        Column("bert_f_greedy", "the same by p(d|E)", "number"),
        Column("units", "Judged units", "integer"),
    ]
    cost = [
        Column("within", "Within the network", "percent"),
        Column("here", "Learnt elsewhere", "percent"),
        Column("cost", "Cost", "percent", low="low", high="high"),
        Column("units", "Judged units", "integer"),
    ]
    items = [
        Table(
            "transfer.csv",
            "All experiments; means over trials, 95% intervals over units.",
            [*columns, *main],
        ),
        Table(
            "paired.csv",
            "The same units described by both captioners: those that the "
            "within-network captioner kept for its test.",
            [*columns, *cost],
        ),
    ]
    return Section("generalization", "Generalisation", 10, sentences(rows, paired), items)


def sentences(rows: Sequence[Mapping[str, Any]], paired: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the tables say: the order of the experiments, the paired costs, and PMI's part."""
    found = [_order(rows)]
    if paired:
        worse = [row for row in paired if _number(row["low"]) > 0]
        better = [row for row in paired if _number(row["high"]) < 0]
        found.append(
            "The paper finds that describing units of a network whose other units were learnt "
            "from is easier than crossing to another. On the same units, learning elsewhere "
            f"costs accuracy clearly (the 95% interval of the paired difference excludes zero) "
            f"in {len(worse)} of {len(paired)} rows and gains it clearly in {len(better)}."
        )
        if better:
            gains = ", ".join(sorted({f"{row['test']} by {row['train']}" for row in better}))
            found.append(
                f"This disagrees with the paper for {gains}: a within-network captioner here "
                "learns from a few hundred units, one that learns elsewhere often from more."
            )
    ahead = sum(_number(row["lead_low"]) > 0 for row in rows)
    behind = sum(_number(row["lead_high"]) < 0 for row in rows)
    found.append(
        "Re-ranking by pointwise mutual information is clearly ahead of greedy p(d|E) in "
        f"concept accuracy in {ahead} of {len(rows)} rows, clearly behind in {behind}."
    )
    return found


def _order(rows: Sequence[Mapping[str, Any]]) -> str:
    means: dict[str, list[float]] = {}
    for row in rows:
        means.setdefault(str(row["experiment"]), []).append(_number(row["accuracy"]))
    parts = [
        f"{name.replace('_', ' ')} {100 * float(np.nanmean(values)):.0f}%"
        for name, values in means.items()
        if not np.isnan(values).all()
    ]
    return (
        f"Mean concept accuracy by experiment: {', '.join(parts)}. These means are over "
        "different networks; the second table compares captioners on the same units."
    )


def _number(value: Any) -> float:
    return float(value) if value not in ("", None) else math.nan
