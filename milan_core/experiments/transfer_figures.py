"""Figures of Table 3: every described network with its interval, and the same by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.experiments.scores import ACCURACY, BERT_F, number
from milan_core.runtime.drawing import INK, PALETTE, render

Row = Mapping[str, Any]
# (title, value, low, high, greedy): of the first the rows have
FIGURES = (
    ("concept accuracy", "accuracy", "low", "high", "accuracy_greedy"),
    ("BERTScore F", "bert_f", "bert_low", "bert_high", "bert_f_greedy"),
)


def _values(row: Row, columns: Sequence[str]) -> list[float]:
    return [number(str(row.get(column, ""))) for column in columns]


def transfer_figure(rows: Sequence[Row]) -> str:
    """SVG: a line per described network, one panel per figure that any row has.

    A dot is the described method (PMI) with its 95 % interval over units, a bar greedy p(d|E).
    """
    panels = [panel for panel in FIGURES if any(row.get(panel[1], "") != "" for row in rows)]
    experiments = list(dict.fromkeys(row["experiment"] for row in rows))
    names = [f"{row['train']} → {row['test']}" for row in rows]
    labels = [name if len(name) <= 44 else f"{name[:28]} … {name[-14:]}" for name in names]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
        for axis, (title, *columns) in zip(axes, panels, strict=False):
            for place, row in enumerate(rows):
                value, low, high, greedy = _values(row, columns)
                colour = PALETTE[experiments.index(row["experiment"]) % len(PALETTE)]
                axis.plot([low, high], [place, place], color=colour, lw=1.4)
                axis.plot([value], [place], marker="o", ms=4, ls="none", color=colour)
                axis.plot([greedy], [place], marker="|", ms=7, ls="none", color=INK)
            axis.set_title(title)
            axis.set_xlim(0, None)
        axes[0].set_yticks(range(len(rows)), labels)
        axes[0].invert_yaxis()
        handles = [
            axes[0].plot([], [], marker="o", ls="-", color=PALETTE[i % len(PALETTE)], label=name)[0]
            for i, name in enumerate(experiments)
        ]
        handles += axes[0].plot([], [], marker="|", ls="none", color=INK, label="greedy p(d|E)")
        figure.legend(handles=handles, loc="outside lower center", ncols=3)

    height = 1.1 + 0.2 * len(rows) + 0.2 * -(-(len(experiments) + 1) // 3)
    return render(draw, "transfer", (3.2 + 2.6 * max(len(panels), 1), height))


def layers_figure(rows: Sequence[Row]) -> str:
    """SVG: the main figure by layer, a panel per network and a line per captioner.

    Trials are averaged. `rows` are those of `layers.csv`.
    """
    metric = ACCURACY if any(row["metric"] == ACCURACY for row in rows) else BERT_F
    panels: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        if row["metric"] == metric:
            lines = panels.setdefault(str(row["test"]), {})
            line = lines.setdefault(f"{row['experiment']}: {row['train']}", {})
            line.setdefault(str(row["layer"]), []).append(number(str(row["value"])))
    columns = 3
    height = -(-max(len(panels), 1) // columns)

    def draw(figure: Any) -> None:
        axes = figure.subplots(height, columns, squeeze=False, sharey=True).flat
        for axis, (test, lines) in zip(axes, panels.items(), strict=False):
            layers = list(dict.fromkeys(layer for line in lines.values() for layer in line))
            for name, line in lines.items():
                means = [sum(line[x]) / len(line[x]) if x in line else float("nan") for x in layers]
                within = name.startswith("within")
                axis.plot(range(len(layers)), means, "o--" if within else "o-", ms=3, lw=1.2)
            axis.set_title(test)
            axis.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
            axis.set_ylim(0, None)
        for axis in list(axes)[len(panels) :]:
            axis.set_axis_off()

    return render(draw, "transfer_layers", (8.4, 2.5 * height))
