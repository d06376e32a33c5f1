"""Figure of Table 2: one metric of every method, a panel per network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.core.numbers import added, number
from milan_core.core.tables import Row, grouped
from milan_core.scoring.beside import FEWER
from milan_core.scoring.scorer import BERT_F, MAIN

ORDER = (  # top to bottom; others follow
    "annotators", "pmi", "greedy", "beam", "retrieval", "netdissect", "compexp", "invert",
    "clip_dissect", "whole_image", "shuffled_masks", "prior_only", "shuffled_prediction",
    "constant_oracle", "constant_concept", "constant", "most_frequent",
)  # fmt: skip


def metric_figure(rows: Sequence[Row], metric: str) -> str:
    """SVG: a metric with its interval for every method, one panel per network.

    `rows` are those of table.csv; trials are averaged, and so are their intervals' ends.
    """
    # Naming the concept does not depend on how many references there are; an annotator has fewer
    # references than the methods and so a lower best match.
    skipped = {FEWER, "annotators"} if metric == BERT_F else {FEWER}
    shown = [
        row
        for row in rows
        if row["metric"] == metric and row["value"] != "" and row["method"] not in skipped
    ]
    panels = {
        model: grouped(group, lambda row: str(row["method"]))
        for model, group in grouped(shown, lambda row: str(row["model"])).items()
    }
    present = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    methods = [name for name in ORDER if name in present]
    methods += [name for name in present if name not in ORDER]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharex=True, sharey=True)[0]
        for axis, (model, panel) in zip(axes, panels.items(), strict=False):
            for place, method in enumerate(methods):
                if method in panel:
                    _dot(axis, place, panel[method], PALETTE[0] if method == MAIN else INK)
            axis.set_title(model)
            axis.set_yticks(range(len(methods)), [name.replace("_", " ") for name in methods])
            axis.set_xlim(0, None)
        axes[0].invert_yaxis()

    return render(draw, metric, (1.6 + 2.1 * max(len(panels), 1), 0.6 + 0.22 * len(methods)))


def _dot(axis: Any, place: int, rows: Sequence[Row], color: str) -> None:
    low, value, high = (_mean(rows, column) for column in ("low", "value", "high"))
    if not math.isnan(low):
        axis.plot([low, high], [place, place], color=color, lw=1.4)
    axis.plot([value], [place], marker="o", ms=4, color=color)


def _mean(rows: Sequence[Row], column: str) -> float:
    values = [value for row in rows if not math.isnan(value := number(row[column]))]
    return added(values) / len(values) if values else math.nan
