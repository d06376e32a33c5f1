"""The report's section on Table 3: its tables, and sentences that follow from their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from milan_core.core.numbers import number
from milan_core.core.section import Column, Picture, Section, Table
from milan_core.core.tables import Row
from milan_core.experiments.generalization.transfer import Transfer

TABLE3 = (
    Column("experiment", "Experiment"),
    Column("learnt", "Learnt from"),
    Column("described", "Described"),
    Column("trials", "Trials", "integer"),
    Column("bert_f", "BERTScore F", "number", 3),
    Column("bert_f_std", "deviation over trials", "number", 3),
    Column("bert_f_greedy", "the same by p(d|E)", "number", 3),
    Column("bert_f_constant", "of a constant text", "number", 3),
    Column("bert_f_shuffled", "of shuffled descriptions", "number", 3),
    Column("accuracy", "Concept accuracy", "percent"),
    Column("accuracy_std", "deviation over trials", "percent"),
    Column("units", "Units", "integer"),
)
NAMES = (
    Column("experiment", "Experiment"),
    Column("train", "Learnt from"),
    Column("test", "Described"),
)
TRANSFER = (
    *NAMES,
    Column("trials", "Trials", "integer"),
    Column("accuracy", "Concept accuracy", "percent", low="low", high="high"),
    Column("accuracy_greedy", "the same by p(d|E)", "percent"),
    Column("lead_of_pmi", "PMI ahead by", "percent", low="lead_low", high="lead_high"),
    Column("judged", "Judged units", "integer"),
    Column("bert_f", "BERTScore F", "number", 3, low="bert_low", high="bert_high"),
    Column("bert_lead", "PMI ahead by", "number", 3, low="bert_lead_low", high="bert_lead_high"),
    Column("bert_f_two", "against all annotators but one", "number", 3),
    Column("bert_f_annotators", "that one against the others", "number", 3),
    Column("bleu", "BLEU", "number", 1, low="bleu_low", high="bleu_high"),
    Column("bleu_constant", "of a constant text", "number", 1),
    Column("rouge_l_f", "ROUGE-L F", "number", 3, low="rouge_l_f_low", high="rouge_l_f_high"),
    Column("rouge_l_f_constant", "of a constant text", "number", 3),
    Column("units", "Units", "integer"),
)
LAYERS = (
    *NAMES,
    Column("trial", "Trial", "integer"),
    Column("layer", "Layer"),
    Column("metric", "Figure"),
    Column("value", "Value", "number", 3, low="low", high="high"),
    Column("units", "Units", "integer"),
)
COST = (
    *NAMES,
    Column("within", "Within the network", "percent"),
    Column("here", "Learnt elsewhere", "percent"),
    Column("cost", "Cost", "percent", low="low", high="high"),
    Column("units", "Judged units", "integer"),
)


def transfer_section(results: Transfer) -> Section:
    """The section; columns and tables without a value are left out."""
    table, rows, paired = results.table3, results.rows, results.paired
    items: list[Table | Picture] = [
        Table(
            "table3.csv",
            "The rows of the paper's Table 3: means over trials. A row that describes several "
            "sets is their mean weighted by units.",
            _known(TABLE3, table),
        ),
        Picture(
            "transfer.svg",
            "Every described network, coloured by experiment: dots with 95% intervals over units "
            "are the descriptions (PMI), bars greedy p(d|E) by the same captioner.",
        ),
        Table(
            "transfer.csv",
            "Every described network; means over trials, 95% intervals over units (with several "
            "trials the mean of each trial's ends, so that of one trial and not of their mean).",
            _known(TRANSFER, rows),
            folded=True,
        ),
    ]
    if paired:
        caption = (
            "The same units described by both captioners: those that the within-network captioner "
            "kept for its test."
        )
        items.append(Table("paired.csv", caption, COST))
    items += [
        Picture(
            "layers.svg",
            "By layer, a line per captioner, coloured as above; means over trials.",
        ),
        Table("layers.csv", "By layer: every trial, with its interval.", LAYERS, folded=True),
    ]
    return Section("generalization", "Generalisation", 10, sentences(table, rows, paired), items)


def _known(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    return [column for column in columns if any(row.get(column.name, "") != "" for row in rows)]


def sentences(table: Sequence[Row], rows: Sequence[Row], paired: Sequence[Row]) -> list[str]:
    """What the tables say: the order of the experiments, the paired costs, and PMI's part."""
    texts = [text for text in (*_costs(paired), _agreement(table), *_baselines(rows)) if text]
    for column, name in (("lead", "concept accuracy"), ("bert_lead", "BERTScore F")):
        paired_rows = [row for row in rows if not math.isnan(number(row[f"{column}_low"]))]
        ahead = sum(number(row[f"{column}_low"]) > 0 for row in paired_rows)
        behind = sum(number(row[f"{column}_high"]) < 0 for row in paired_rows)
        if paired_rows:
            texts.append(
                "Re-ranking by pointwise mutual information is clearly ahead of greedy p(d|E) in "
                f"{name} in {ahead} of {len(paired_rows)} rows, clearly behind in {behind}."
            )
    return texts or ["Without known concepts and without BERTScore only BLEU and ROUGE are left."]


def _costs(paired: Sequence[Row]) -> list[str]:
    if not paired:
        return []
    worse = [row for row in paired if number(row["low"]) > 0]
    better = [row for row in paired if number(row["high"]) < 0]
    texts = [
        "The paper finds that describing units of a network whose other units were learnt "
        "from is easier than crossing to another. On the same units, learning elsewhere "
        f"costs accuracy clearly (the 95% interval of the paired difference excludes zero) "
        f"in {len(worse)} of {len(paired)} rows and gains it clearly in {len(better)}."
    ]
    if better:
        gains = ", ".join(sorted({f"{row['test']} by {row['train']}" for row in better}))
        texts.append(
            f"This disagrees with the paper for {gains}: a within-network captioner here "
            "learns from a few hundred units, one that learns elsewhere often from more."
        )
    return texts


def _agreement(table: Sequence[Row]) -> str:
    """BERTScore of rows without ground truth: the metric of the paper's table."""
    parts = [
        f"{row['learnt']} to {row['described']} {row['bert_f']:.3f}"
        for row in table
        if row["accuracy"] == "" and row["bert_f"] != ""
    ]
    if not parts:
        return ""
    return (
        f"Agreement with annotation sets, BERTScore F: {', '.join(parts)}. Each set's own "
        "references weigh the words, so rows are not comparable with each other."
    )


def _baselines(rows: Sequence[Row]) -> list[str]:
    """Whether agreement with annotation sets is higher than that of a constant text."""
    texts = []
    sets = [row for row in rows if row["accuracy"] == ""]
    for column, name in (("bert_f", "BERTScore F"), ("rouge_l_f", "ROUGE-L F"), ("bleu", "BLEU")):
        scored = [row for row in sets if "" not in (row[column], row[f"{column}_constant"])]
        above = sum(row[column] > row[f"{column}_constant"] for row in scored)
        if scored:
            texts.append(
                f"By {name} the descriptions of annotation sets are above the best constant text "
                f"of the training annotations in {above} of {len(scored)} rows."
            )
    return texts
