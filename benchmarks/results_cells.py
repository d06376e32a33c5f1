"""Cells of the crossed tables of docs/results.md (`results_page`).

Each takes the rows of one cell: those of one describer, method or weight on one network, one a
trial, of which it gives means. An empty text means that nothing was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from milan_core.core.numbers import added, number, plainly, signed
from milan_core.experiments.baselines.names import method_texts
from milan_core.experiments.controls.sentences import NO_EVIDENCE
from milan_core.experiments.controls.tables import Figure, average
from milan_core.scoring.beside import FEWER, ORACLE
from milan_core.scoring.metrics import BLEU_SHORT
from milan_core.scoring.scorer import ACCURACY, BERT_AUC, BERT_F, FALSE_NAMES
from milan_core.scoring.verdicts import p_text

Rows = Sequence[Mapping[str, str]]
NAMES = (
    method_texts()
    | NO_EVIDENCE
    | {
        ORACLE: "constant: most often right here",
        FEWER: "PMI, against two annotators at a time",
        "annotators": "an annotator, against the other two",
        "shuffled_masks": "same captioner, masks of other units",
        "whole_image": "same captioner, whole images",
        "clip_rerank": "beams re-ranked by the mini judge",
    }
)


def write(name: str) -> str:
    """The name of a row: of a method its text, else as it stands."""
    return NAMES.get(name, name)


def correlations(rows: Rows) -> str:
    """Correlation by the oracle and by the mini judge."""
    found = {row["judge"]: number(row["correlation"]) for row in rows}
    values = [found.get(judge, math.nan) for judge in ("oracle", "mini judge")]
    if all(map(math.isnan, values)):
        return ""
    return " / ".join("–" if math.isnan(value) else f"{value:.3f}" for value in values)


def shares(rows: Rows) -> str:
    """Concept accuracy with its interval."""
    found = _of(rows, ACCURACY)
    return f"{100 * found.value:.1f}{_interval(found.low, found.high)}" if found.exists else ""


def bert(rows: Rows) -> str:
    """BERTScore F, and how well it tells right from wrong."""
    value, power = _of(rows, BERT_F), _of(rows, BERT_AUC)
    if not value.exists:
        return ""
    return f"{value.value:.3f} ({power.value:.2f})" if power.exists else f"{value.value:.3f}"


def extra(rows: Rows) -> str:
    """Names of other concepts and words of a description, BLEU-2, and BLEU-4 as published."""
    names = (FALSE_NAMES, "mean_words", BLEU_SHORT, "bleu")
    found = [_of(rows, name) for name in names]
    if not any(one.exists for one in found):
        return ""
    return "; ".join(plainly(one.value, n) for one, n in zip(found, (2, 1, 1, 1), strict=True))


def ahead(rows: Rows) -> str:
    """Points of accuracy by which PMI is ahead, and its adjusted p."""
    values = [(number(row["accuracy_lead"]), number(row["accuracy_lead_holm"])) for row in rows]
    if not values or math.isnan(values[0][0]):
        return ""
    lead, p = values[0]
    return signed(100 * lead, 1) + ("" if math.isnan(p) else f" ({p_text(p)})")


def gain(rows: Rows) -> str:
    """Accuracy under a weight, the gain over none, and how many descriptions differ."""
    if not rows:
        return ""
    text = f"{100 * _mean(rows, ACCURACY):.1f}"
    if number(rows[0]["lambda"]):
        ends = (_mean(rows, name) for name in ("gain_low", "gain_high"))
        text += f"; {signed(100 * _mean(rows, 'accuracy_gain'), 1)}{_interval(*ends)}"
    return f"{text}; {_mean(rows, 'distinct'):.0f}"


def _mean(rows: Rows, column: str) -> float:
    """The mean of a column over trials."""
    return added(number(row[column]) for row in rows) / len(rows)


def _of(rows: Rows, metric: str) -> Figure:
    """A metric, mean over the trials that have it."""
    return average([row for row in rows if row["metric"] == metric])


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" [{100 * low:.1f}, {100 * high:.1f}]"
