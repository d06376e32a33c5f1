"""Figures of the result tables, as SVG whose bytes depend on the numbers only.

Text stays text (searchable, read by screen readers) and two placeholder colours mark ink and rules,
so that a page can inline a figure and colour it for a light or a dark screen (`report.pages`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.experiments.scores import FEWER
from milan_core.runtime.files import write_text

INK, RULE = "#1f2933", "#c3cad3"
PALETTE = ("#2f6fb0", "#c2592b", "#3a8a5f", "#8a5aa8", "#9a7a1c", "#b04a72")
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
    "whole_image",
    "shuffled_masks",
    "prior_only",
    "shuffled_prediction",
    "constant_concept",
    "constant",
    "most_frequent",
)
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def _render(draw: Any, name: str, size: tuple[float, float]) -> str:
    """SVG text of a figure that `draw(figure)` fills; same input, same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"milan-{name}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def lambda_figure(rows: Sequence[Mapping[str, Any]], chosen: float = 0.2) -> str:
    """SVG: accuracy, diversity and agreement against lambda, one line per split.

    `rows` are the rows of `results/generalization/lambda.csv` (text or numbers); trials of a split
    are averaged. A panel whose values are all missing is left out.
    """
    lines: dict[str, dict[float, list[Mapping[str, Any]]]] = {}
    for row in rows:
        lines.setdefault(str(row["split"]), {}).setdefault(float(row["lambda"]), []).append(row)
    style = _line_styles(list(lines))
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
    return _render(draw, "lambda", (2.35 * max(len(panels), 2), height))


def _line_styles(splits: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One colour per test network; within-network splits are dashed."""
    networks = {split: split.removeprefix("within_").removeprefix("without_") for split in splits}
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

    return _render(draw, metric, (1.6 + 2.1 * max(len(found), 1), 0.6 + 0.22 * len(methods)))


def _dot(axis: Any, place: int, rows: Sequence[Mapping[str, Any]], colour: str) -> None:
    low, value, high = (_mean(rows, column) for column in ("low", "value", "high"))
    if not math.isnan(low):
        axis.plot([low, high], [place, place], color=colour, lw=1.4)
    axis.plot([value], [place], marker="o", ms=4, color=colour)


def write_figure(path: Path | str, svg: str) -> None:
    """Write SVG text atomically."""
    write_text(path, svg)
