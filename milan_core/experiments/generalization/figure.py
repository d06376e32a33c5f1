"""Figures of the generalization: lambda sweeps, Table 3 by network and by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, line_styles, render
from milan_core.core.numbers import added, number
from milan_core.core.tables import Row, grouped
from milan_core.experiments.generalization.columns import trained_on
from milan_core.scoring.scorer import ACCURACY, BERT_F

SWEEP_PANELS = (
    (ACCURACY, "concept accuracy"),
    ("distinct", "distinct descriptions"),
    ("mean_information", "bits per word"),
    (BERT_F, "BERTScore F"),
)
# title, then the columns: value, low, high, greedy
FIGURES = (
    ("concept accuracy", "accuracy", "low", "high", "accuracy_greedy"),
    ("BERTScore F", "bert_f", "bert_low", "bert_high", "bert_f_greedy"),
)


def lambda_figure(rows: Sequence[Row], chosen: float) -> str:
    """SVG: accuracy, diversity and agreement against lambda, one line per split.

    `rows` are those of lambda.csv (text or numbers); trials of a split are averaged. `chosen`, the
    lambda of the run, is marked. A panel whose values are all missing is left out.
    """
    lines = {
        split: grouped(group, lambda row: float(row["lambda"]))
        for split, group in grouped(rows, lambda row: str(row["split"])).items()
    }
    style = line_styles(list(lines))
    panels = [panel for panel in SWEEP_PANELS if any(row.get(panel[0]) for row in rows)]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for axis, (column, title) in zip(axes, panels, strict=False):
            for split, points in lines.items():
                weights = sorted(points)
                heights = [_mean(points[weight], column) for weight in weights]
                axis.plot(weights, heights, marker="o", ms=3, lw=1.4, label=split, **style[split])
            axis.axvline(chosen, color=INK, lw=0.7, ls=":")
            axis.set_title(title)
            axis.set_xlabel("λ")
        if len(lines) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=max(len(panels), 2))

    height = 2.3 + 0.2 * -(-len(lines) // max(len(panels), 2))
    return render(draw, "lambda", (2.35 * max(len(panels), 2), height))


def _mean(rows: Sequence[Row], column: str) -> float:
    values = [value for row in rows if not math.isnan(value := number(row.get(column)))]
    return added(values) / len(values) if values else math.nan


def _styles(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Color and marker of every experiment, the same in both figures."""
    names = list(dict.fromkeys(str(row["experiment"]) for row in rows))
    return {
        name: {"color": PALETTE[i % len(PALETTE)], "marker": "os^D"[i // len(PALETTE) % 4]}
        for i, name in enumerate(names)
    }


def _legend(figure: Any, axis: Any, styles: Mapping[str, Mapping[str, Any]], *more: Any) -> None:
    handles = [axis.plot([], [], ms=4, label=name, **style)[0] for name, style in styles.items()]
    figure.legend(handles=[*handles, *more], loc="outside lower center", ncols=3)


def transfer_figure(rows: Sequence[Row]) -> str:
    """SVG: a line per described network, one panel per metric that any row has.

    A dot is the described method (PMI) with its 95 % interval over units, a bar greedy p(d|E).
    """
    panels = [panel for panel in FIGURES if any(row.get(panel[1], "") != "" for row in rows)]
    styles = _styles(rows)

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
        for axis, (title, *columns) in zip(axes, panels, strict=False):
            for place, row in enumerate(rows):
                values = [number(row.get(column)) for column in columns]
                style = styles[row["experiment"]]
                axis.plot(values[1:3], [place, place], color=style["color"], lw=1.4)
                axis.plot(values[:1], [place], ms=4, ls="none", **style)
                axis.plot(values[3:], [place], marker="|", ms=7, ls="none", color=INK)
            axis.set_title(title)
            axis.set_xlim(0, None)
        axes[0].set_yticks(range(len(rows)), [f"{trained_on(row)} → {row['test']}" for row in rows])
        axes[0].invert_yaxis()
        greedy = axes[0].plot([], [], marker="|", ls="none", color=INK, label="greedy p(d|E)")
        _legend(figure, axes[0], styles, *greedy)

    height = 1.1 + 0.2 * len(rows) + 0.2 * -(-(len(styles) + 1) // 3)
    return render(draw, "transfer", (3.2 + 2.6 * max(len(panels), 1), height))


def layers_figure(rows: Sequence[Row]) -> str:
    """SVG: the main metric by layer, a panel per network and a line per captioner.

    Trials are averaged. `rows` are those of `layers.csv`.
    """
    metric = ACCURACY if any(row["metric"] == ACCURACY for row in rows) else BERT_F
    styles = _styles(rows)
    shown = [row for row in rows if row["metric"] == metric]  # layers of few units have no value
    panels = {
        test: grouped(group, lambda row: (str(row["experiment"]), str(row["train"])))
        for test, group in grouped(shown, lambda row: str(row["test"])).items()
    }
    columns = 3
    height = -(-max(len(panels), 1) // columns)

    def draw(figure: Any) -> None:
        axes = list(figure.subplots(height, columns, squeeze=False, sharey=True).flat)
        for axis, (test, lines) in zip(axes, panels.items(), strict=False):
            rows_shown = [row for line in lines.values() for row in line]
            layers = list(dict.fromkeys(str(row["layer"]) for row in rows_shown))
            for (experiment, _), line in lines.items():
                known = [row for row in line if row["value"] != ""]
                points = grouped(known, lambda row: str(row["layer"]))
                places = [place for place, layer in enumerate(layers) if layer in points]
                heights = [_mean(points[layers[place]], "value") for place in places]
                axis.plot(places, heights, ms=3, lw=1.2, **styles[experiment])
            axis.set_title(test)
            axis.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
            axis.set_ylim(0, 1.02)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        _legend(figure, axes[0], styles)

    return render(draw, "transfer_layers", (8.4, 2.5 * height + 0.2 * -(-len(styles) // 3)))
