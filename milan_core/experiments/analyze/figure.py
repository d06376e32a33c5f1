"""Figures of the analysis: curves and shares per network, differences of all criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.core.drawing import INK, PALETTE, RULE, render
from milan_core.experiments.analyze.criteria import QUERY, STRUCTURAL, SYNTACTIC
from milan_core.experiments.analyze.tables import CRITERION, MATCHED, RANDOM, Analysis

_PANELS = (("word classes", (SYNTACTIC,)), ("structure and queries", (STRUCTURAL, QUERY)))


def curves_figure(analysis: Analysis) -> str:
    """SVG: accuracy against ablated units, then the share of matching units per layer (Fig. 4)."""
    panels = {
        title: [
            name
            for name, group in analysis.groups.items()
            if group in groups and (name, CRITERION) in analysis.curves
        ]
        for title, groups in _PANELS
    }
    panels = {title: names for title, names in panels.items() if names}

    def draw(figure: Any) -> None:
        *axes, right = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
        for axis, (title, names) in zip(axes, panels.items(), strict=True):
            _curves(axis, analysis, names)
            axis.set_title(title)
            axis.set_xlabel("units ablated, %")
            axis.set_ylabel("accuracy")
            axis.legend(fontsize=7)
        _shares(right, analysis)

    return render(draw, f"analyze-{analysis.model}", (3.5 * len(panels) + 3.5, 3.4))


def _curves(axis: Any, analysis: Analysis, names: Sequence[str]) -> None:
    x = 100 * np.asarray(analysis.fractions)
    axis.fill_between(
        x, analysis.random.min(0), analysis.random.max(0), color=RULE, alpha=0.6, lw=0, zorder=1
    )
    axis.plot(x, analysis.random.mean(0), color=INK, lw=1, ls="--", label="random (range shaded)")
    for index, name in enumerate(names):
        y = analysis.curves[name, CRITERION]
        color = PALETTE[index % len(PALETTE)]
        axis.plot(x, y.mean(0), color=color, lw=1.4, marker="o", ms=3, label=name)
        axis.fill_between(x, y.min(0), y.max(0), color=color, alpha=0.15, lw=0)
    axis.set_ylim(0, 1.02)


def _shares(axis: Any, analysis: Analysis) -> None:
    layers = list(dict.fromkeys(analysis.layers.tolist()))
    for index, name in enumerate(analysis.groups):
        shares = [analysis.matches[name][analysis.layers == layer].mean() for layer in layers]
        marker = "osv^D*"[index // len(PALETTE) % 6]
        axis.plot(
            range(len(layers)),
            100 * np.asarray(shares),
            color=PALETTE[index % len(PALETTE)],
            lw=1.2,
            ls="-" if index < len(PALETTE) else ":",
            marker=marker,
            ms=3,
            label=name,
        )
    axis.set_xticks(range(len(layers)), layers, rotation=30, ha="right")
    axis.set_title("units that match, % of the layer")
    axis.set_ylim(0, None)
    axis.legend(fontsize=6, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.3))


def differences_figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG: area less that of random orders, per criterion, one panel per network.

    `rows` are those of `summary.csv` as numbers; negative values hurt more than random orders.
    """
    rows = [row for row in rows if row["area"] != ""]
    models = list(dict.fromkeys(row["model"] for row in rows))
    names = list(dict.fromkeys(row["criterion"] for row in rows))

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, max(len(models), 1), squeeze=False, sharey=True, sharex=True)[0]
        for axis, model in zip(axes, models, strict=False):
            for row in rows:
                if row["model"] == model:
                    for shift, control, color in (
                        (-0.13, RANDOM, INK),
                        (0.13, MATCHED, PALETTE[0]),
                    ):
                        _interval(axis, names.index(row["criterion"]) + shift, row, control, color)
            axis.axvline(0, color=INK, lw=0.7, ls=":")
            axis.set_title(model)
            axis.set_xlabel("mean accuracy less that of random orders")
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.5, -0.5)
        for control, color in (("random orders", INK), ("layer-matched orders", PALETTE[0])):
            axes[0].plot([], [], color=color, marker="o", ms=4, lw=1.4, label=control)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)

    size = (1.4 + 3.1 * max(len(models), 1), 1.1 + 0.28 * max(len(names), 1))
    return render(draw, "analyze-differences", size)


def _interval(axis: Any, height: float, row: Mapping[str, Any], control: str, color: str) -> None:
    low, value, high = (float(row[f"{control}_{key}"]) for key in ("low", "difference", "high"))
    axis.plot([low, high], [height, height], color=color, lw=1.4)
    axis.plot([value], [height], marker="o", ms=4, color=color)
