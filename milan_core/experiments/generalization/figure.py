"""Figures of Table 3: every described network with its interval, and the same by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.scoring.scores import ACCURACY, BERT_F, number

Row = Mapping[str, Any]
# (title, value, low, high, greedy): of the first the rows have
FIGURES = (
    ("concept accuracy", "accuracy", "low", "high", "accuracy_greedy"),
    ("BERTScore F", "bert_f", "bert_low", "bert_high", "bert_f_greedy"),
)


def _styles(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Colour and marker of every experiment, the same in both figures."""
    names = list(dict.fromkeys(str(row["experiment"]) for row in rows))
    return {
        name: {"color": PALETTE[i % len(PALETTE)], "marker": "os^D"[i // len(PALETTE) % 4]}
        for i, name in enumerate(names)
    }


def _legend(figure: Any, axis: Any, styles: Mapping[str, Mapping[str, Any]], *more: Any) -> None:
    handles = [axis.plot([], [], ms=4, label=name, **style)[0] for name, style in styles.items()]
    figure.legend(handles=[*handles, *more], loc="outside lower center", ncols=3)


def _learnt(row: Row) -> str:
    names = str(row["train"]).split("+")
    return names[0] if len(names) == 1 else f"{len(names)} networks"


def transfer_figure(rows: Sequence[Row]) -> str:
    """SVG: a line per described network, one panel per figure that any row has.

    A dot is the described method (PMI) with its 95 % interval over units, a bar greedy p(d|E).
    """
    panels = [panel for panel in FIGURES if any(row.get(panel[1], "") != "" for row in rows)]
    styles = _styles(rows)

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False, sharey=True)[0]
        for axis, (title, *columns) in zip(axes, panels, strict=False):
            for place, row in enumerate(rows):
                values = [number(str(row.get(column, ""))) for column in columns]
                style = styles[row["experiment"]]
                axis.plot(values[1:3], [place, place], color=style["color"], lw=1.4)
                axis.plot(values[:1], [place], ms=4, ls="none", **style)
                axis.plot(values[3:], [place], marker="|", ms=7, ls="none", color=INK)
            axis.set_title(title)
            axis.set_xlim(0, None)
        axes[0].set_yticks(range(len(rows)), [f"{_learnt(row)} → {row['test']}" for row in rows])
        axes[0].invert_yaxis()
        greedy = axes[0].plot([], [], marker="|", ls="none", color=INK, label="greedy p(d|E)")
        _legend(figure, axes[0], styles, *greedy)

    height = 1.1 + 0.2 * len(rows) + 0.2 * -(-(len(styles) + 1) // 3)
    return render(draw, "transfer", (3.2 + 2.6 * max(len(panels), 1), height))


def layers_figure(rows: Sequence[Row]) -> str:
    """SVG: the main figure by layer, a panel per network and a line per captioner.

    Trials are averaged. `rows` are those of `layers.csv`.
    """
    metric = ACCURACY if any(row["metric"] == ACCURACY for row in rows) else BERT_F
    styles = _styles(rows)
    panels: dict[str, dict[tuple[str, str], dict[str, list[float]]]] = {}
    for row in rows:
        if row["metric"] == metric:
            lines = panels.setdefault(str(row["test"]), {})
            line = lines.setdefault((str(row["experiment"]), str(row["train"])), {})
            line.setdefault(str(row["layer"]), []).append(number(str(row["value"])))
    columns = 3
    height = -(-max(len(panels), 1) // columns)

    def draw(figure: Any) -> None:
        axes = list(figure.subplots(height, columns, squeeze=False, sharey=True).flat)
        for axis, (test, lines) in zip(axes, panels.items(), strict=False):
            layers = list(dict.fromkeys(layer for line in lines.values() for layer in line))
            for (experiment, _), line in lines.items():
                found = [(i, line[layer]) for i, layer in enumerate(layers) if layer in line]
                means = [sum(values) / len(values) for _, values in found]
                axis.plot([i for i, _ in found], means, ms=3, lw=1.2, **styles[experiment])
            axis.set_title(test)
            axis.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
            axis.set_ylim(0, None)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        _legend(figure, axes[0], styles)

    return render(draw, "transfer_layers", (8.4, 2.5 * height + 0.2 * -(-len(styles) // 3)))
