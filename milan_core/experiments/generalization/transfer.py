"""Table 3: how well captioners describe units unlike those they were trained on (section 4).

Every trial is scored by itself; here the rows of the table are put together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.files import write_csv
from milan_core.core.tables import Row, cell, grouped
from milan_core.core.units import UnitKey
from milan_core.experiments.generalization.overlap import overlap_row
from milan_core.experiments.generalization.paired import Overlaps, adjust, correct, paired_costs
from milan_core.experiments.generalization.tables import NAMES
from milan_core.experiments.generalization.trials import Scores, Trial
from milan_core.scoring.beside import FEWER, ORACLE
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import BLEU_SHORT, SEQUENCE
from milan_core.scoring.scorer import ACCURACY, BERT_AUC, BERT_F, FALSE_NAMES, LEAD, MAIN
from milan_core.scoring.tables import Truth
from milan_core.scoring.verdicts import over_trials

GREEDY = "greedy"
# Column: (method, metric, field of the score). Columns that no row has are left out of the file.
FIGURES = {
    "accuracy": (MAIN, ACCURACY, "value"),
    "low": (MAIN, ACCURACY, "low"),
    "high": (MAIN, ACCURACY, "high"),
    "accuracy_greedy": (GREEDY, ACCURACY, "value"),
    "lead_of_pmi": (GREEDY, ACCURACY + LEAD, "value"),
    "lead_low": (GREEDY, ACCURACY + LEAD, "low"),
    "lead_high": (GREEDY, ACCURACY + LEAD, "high"),
    "lead_p": (GREEDY, ACCURACY + LEAD, "p"),
    "accuracy_constant": ("constant_concept", ACCURACY, "value"),
    "accuracy_oracle": (ORACLE, ACCURACY, "value"),
    "oracle_lead": (ORACLE, ACCURACY + LEAD, "value"),
    "oracle_lead_low": (ORACLE, ACCURACY + LEAD, "low"),
    "oracle_lead_high": (ORACLE, ACCURACY + LEAD, "high"),
    "oracle_lead_p": (ORACLE, ACCURACY + LEAD, "p"),
    "false_names": (MAIN, FALSE_NAMES, "value"),
    "false_names_greedy": (GREEDY, FALSE_NAMES, "value"),
    "judged": (MAIN, ACCURACY, "n"),
    "concepts": (MAIN, ACCURACY, "clusters"),
    "bert_f": (MAIN, BERT_F, "value"),
    "bert_low": (MAIN, BERT_F, "low"),
    "bert_high": (MAIN, BERT_F, "high"),
    "bert_f_greedy": (GREEDY, BERT_F, "value"),
    "bert_lead": (GREEDY, BERT_F + LEAD, "value"),
    "bert_lead_low": (GREEDY, BERT_F + LEAD, "low"),
    "bert_lead_high": (GREEDY, BERT_F + LEAD, "high"),
    "bert_lead_p": (GREEDY, BERT_F + LEAD, "p"),
    "bert_auc": (MAIN, BERT_AUC, "value"),
    "bert_f_constant": ("constant", BERT_F, "value"),
    "bert_f_shuffled": ("shuffled_prediction", BERT_F, "value"),
    "bert_f_two": (FEWER, BERT_F, "value"),
    "bert_f_annotators": ("annotators", BERT_F, "value"),
    "bleu": (MAIN, "bleu", "value"),
    "bleu_short": (MAIN, BLEU_SHORT, "value"),
    "bleu_short_low": (MAIN, BLEU_SHORT, "low"),
    "bleu_short_high": (MAIN, BLEU_SHORT, "high"),
    "bleu_short_constant": ("constant", BLEU_SHORT, "value"),
    "rouge_l_sequence": (MAIN, SEQUENCE, "value"),
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
ADJUSTED = {
    "lead_p": "lead_holm",
    "bert_lead_p": "bert_lead_holm",
    "oracle_lead_p": "oracle_lead_holm",
}
"""p and its Holm adjustment over all rows: is PMI ahead of greedy p(d|E), or of a fixed word?"""
# Columns that are there together: a value, its interval, its deviation over trials.
KEYS = {column: key[:2] for column, key in FIGURES.items()}
KEYS |= {adjusted: KEYS[column] for column, adjusted in ADJUSTED.items()}
KEYS |= {f"{column}_std": key for column, key in MEANS.items()}
LAYERS = (*NAMES, "trial", "layer", "metric", "value", "low", "high", "units")


@dataclass(frozen=True)
class Transfer:
    """Rows of the four tables: of Table 3, by network, paired on the same units, by layer."""

    table3: list[Row]
    rows: Sequence[Row]
    paired: Sequence[Row]
    layers: list[Row]
    overlap: Sequence[Row] = ()


def transfer(
    trials: Sequence[Trial],
    truth: Mapping[str, Mapping[UnitKey, Truth]],
    bootstrap: Bootstrap,
    known: Overlaps | None = None,
) -> Transfer:
    """The tables of all trials.

    `truth` is the ground truth of the networks that have it, `known` what training knew of the
    tested units of the trials where it is known.
    """
    known = known or {}
    groups = grouped(trials, lambda trial: trial.key)
    rows: list[dict[str, Any]] = [
        {**dict(zip(NAMES, key, strict=True)), **_figures([trial.scores for trial in group])}
        for key, group in groups.items()
    ]
    for row, (key, group) in zip(rows, groups.items(), strict=True):
        if len(group) > 1 and key[2] in truth:
            row |= _over_seeds(group, truth[key[2]], bootstrap)
    for column, adjusted in ADJUSTED.items():
        adjust(rows, column, adjusted)
    overlap = [
        overlap_row(key, group, seen, correct(group, group[0].tested, truth[key[2]]))
        for key, group in groups.items()
        if key[2] in truth and (seen := known.get((group[0].facts.split, key[2])))
    ]
    paired = paired_costs(groups, truth, bootstrap, known)
    return Transfer(table3(trials), rows, paired, _layers(trials), overlap)


def _over_seeds(
    group: Sequence[Trial], truth: Mapping[UnitKey, Truth], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Interval of the mean accuracy of several trials, over concepts and over trials."""
    units = group[0].tested
    clusters = np.unique([truth[key].concept for key in units], return_inverse=True)[1]
    right = correct(group, units, truth)
    _, low, high = bootstrap.crossed(right, None, ACCURACY, clusters=clusters)
    return {"low": cell(low), "high": cell(high)}


def write_known(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows without the columns of metrics that no row has."""
    known = {key for column, key in KEYS.items() if any(row.get(column, "") != "" for row in rows)}
    columns = list(rows[0]) if rows else NAMES
    header = [name for name in columns if KEYS.get(name) is None or KEYS[name] in known]
    write_csv(path, header, [[row[name] for name in header] for row in rows])


def _mean(values: Sequence[float]) -> float | str:
    kept = [value for value in values if not math.isnan(value)]
    return cell(float(np.mean(kept))) if kept else ""


def _figures(group: Sequence[Scores]) -> Row:
    """Means over trials of the metrics of one row; counts are those of the first trial."""
    row: dict[str, Any] = {"trials": len(group)}
    for column, (method, metric, field) in FIGURES.items():
        scores = [table[method, metric] for table in group if (method, metric) in table]
        if field in ("n", "clusters"):
            row[column] = cell(getattr(scores[0], field)) if scores else ""
        elif field == "p":
            row[column] = cell(over_trials([score.p for score in scores]))
        else:
            row[column] = _mean([getattr(score, field) for score in scores])
    return {**row, "units": _units(group[0])}


def _units(scores: Scores) -> int:
    return max(row.n for (method, _), row in scores.items() if method == MAIN)


def table3(trials: Sequence[Trial]) -> list[Row]:
    """One row per row of the paper's table: means and standard deviations over trials.

    A side may be a group of sets; the metrics of a trial are then means over all described units,
    with BERTScore's word weights from each set's own references.
    """
    rows: list[Row] = []
    sides = grouped(
        trials,
        lambda trial: (trial.facts.experiment, trial.facts.train_side, trial.facts.test_side),
    )
    for (experiment, learnt, described), group in sides.items():
        by_seed = list(grouped(group, lambda trial: trial.facts.seed).values())
        row: dict[str, Any] = {"experiment": experiment, "learnt": learnt, "described": described}
        row["trials"] = len(by_seed)
        for column, key in MEANS.items():
            values = [_over_units([trial.scores for trial in seed], key) for seed in by_seed]
            row[column] = _mean(values)
            spread = len(values) > 1 and not any(map(math.isnan, values))
            row[f"{column}_std"] = cell(float(np.std(values, ddof=1))) if spread else ""
        row["units"] = sum(_units(trial.scores) for trial in by_seed[0])
        rows.append(row)
    return rows


def _over_units(tables: Sequence[Scores], key: tuple[str, str]) -> float:
    """Mean over the units of all tables that have the metric; NaN for none."""
    scores = [table[key] for table in tables if key in table and not math.isnan(table[key].value)]
    if not scores:
        return math.nan
    return float(np.average([score.value for score in scores], weights=[s.n for s in scores]))


def _layers(trials: Sequence[Trial]) -> list[Row]:
    """The main metrics by layer of every trial."""
    rows: list[Row] = []
    for trial in trials:
        for (method, metric), score in trial.scores.items():
            name, mark, layer = metric.partition(":layer=")
            if method == MAIN and mark:
                figures = (cell(score.value), cell(score.low), cell(score.high), score.n)
                cells = (*trial.key, trial.facts.seed, layer, name, *figures)
                rows.append(dict(zip(LAYERS, cells, strict=True)))
    return rows
