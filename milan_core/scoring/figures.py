"""Figures of the result tables, drawn in the shared style of `runtime.drawing`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.scoring.scores import FEWER

LAMBDA_PANELS = (
    ("concept_accuracy", "concept accuracy"),
    ("distinct", "distinct descriptions"),
    ("mean_information", "bits per word"),
    ("bert_score-f", "BERTScore F"),
)
METHODS = (  # top to bottom; others follow
    "annotators",
    "pmi",
    "greedy",
    "beam",
    "retrieval",
    "netdissect",
    "compexp",
    "invert",
    "clip_dissect",
    "whole_image",
    "shuffled_masks",
    "prior_only",
    "shuffled_prediction",
    "constant_concept",
    "constant",
    "most_frequent",
)


def lambda_figure(rows: Sequence[Mapping[str, Any]], chosen: float = 0.2) -> str:
    """SVG: accuracy, diversity and agreement against lambda, one line per split.

    `rows` are the rows of `results/generalization/lambda.csv` (text or numbers); trials of a split
    are averaged. A panel whose values are all missing is left out.
    """
    lines: dict[str, dict[float, list[Mapping[str, Any]]]] = {}
    for row in rows:
        lines.setdefault(str(row["split"]), {}).setdefault(float(row["lambda"]), []).append(row)
    style = line_styles(list(lines))
    panels = [panel for panel in LAMBDA_PANELS if any(row.get(panel[0]) for row in rows)]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for axis, (column, title) in zip(axes, panels, strict=False):
            for split, points in lines.items():
                places = sorted(points)
                heights = [_mean(points[place], column) for place in places]
                axis.plot(places, heights, marker="o", ms=3, lw=1.4, label=split, **style[split])
            axis.axvline(chosen, color=INK, lw=0.7, ls=":")
            axis.set_title(title)
            axis.set_xlabel("λ")
        if len(lines) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=max(len(panels), 2))

    height = 2.3 + 0.2 * -(-len(lines) // max(len(panels), 2))
    return render(draw, "lambda", (2.35 * max(len(panels), 2), height))


def line_styles(splits: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One colour per test network; within-network splits are dashed."""
    networks = {split: split.partition("_")[2] for split in splits}
    order = list(dict.fromkeys(networks.values()))
    return {
        split: {
            "color": PALETTE[order.index(name) % len(PALETTE)],
            "ls": "--" if split.startswith("within_") else "-",
        }
        for split, name in networks.items()
    }


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    values = [float(row[column]) for row in rows if row.get(column) not in ("", None)]
    return sum(values) / len(values) if values else math.nan


def accuracy_figure(rows: Sequence[Mapping[str, Any]], metric: str = "concept_accuracy") -> str:
    """SVG: a metric with its interval for every method, one panel per network.

    `rows` are the rows of `results/baselines/table.csv`; trials are averaged, and so are their
    intervals' ends.
    """
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        # Naming the concept does not depend on how many references there are.
        if row["metric"] == metric and row["value"] != "" and row["method"] != FEWER:
            found.setdefault(str(row["model"]), {}).setdefault(str(row["method"]), []).append(row)
    present = list(dict.fromkeys(name for panel in found.values() for name in panel))
    methods = [name for name in METHODS if name in present]
    methods += [name for name in present if name not in METHODS]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(found), 1), squeeze=False, sharex=True, sharey=True)[0]
        for axis, (model, panel) in zip(axes, found.items(), strict=False):
            for place, method in enumerate(methods):
                if method in panel:
                    _dot(axis, place, panel[method], PALETTE[0] if method == "pmi" else INK)
            axis.set_title(model)
            axis.set_yticks(range(len(methods)), [name.replace("_", " ") for name in methods])
            axis.set_xlim(0, None)
        axes[0].invert_yaxis()

    return render(draw, metric, (1.6 + 2.1 * max(len(found), 1), 0.6 + 0.22 * len(methods)))


def _dot(axis: Any, place: int, rows: Sequence[Mapping[str, Any]], colour: str) -> None:
    low, value, high = (_mean(rows, column) for column in ("low", "value", "high"))
    if not math.isnan(low):
        axis.plot([low, high], [place, place], color=colour, lw=1.4)
    axis.plot([value], [place], marker="o", ms=4, color=colour)
