"""Figure of the editing: accuracy against the number of ablated units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render, write_figure
from milan_core.core.numbers import added
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT, TESTS
from milan_core.experiments.edit.tables import groups

Result = Mapping[str, Any]
STYLES = {
    orders.TEXT: (PALETTE[0], "-"),
    orders.TRUTH: (PALETTE[2], "-"),
    orders.ALL: (PALETTE[4], "-"),
    orders.RANDOM: (PALETTE[1], "--"),
    orders.MATCHED: (PALETTE[3], "--"),
    orders.OTHERS: (PALETTE[5], "-"),
    orders.SHUFFLED: (PALETTE[0], ":"),
}
NAMES = {CLEAN: "no text", CORRECT: "correct text", ADVERSARIAL: "wrong text"}


def write_curves_figure(
    path: Path, rows: Sequence[Mapping[str, str]], results: Sequence[Result]
) -> None:
    """Write `curves_figure` as SVG."""
    write_figure(path, curves_figure(rows, results))


def curves_figure(rows: Sequence[Mapping[str, str]], results: Sequence[Result]) -> str:
    """SVG: accuracy against ablated units, one panel per test split, one row per group."""
    lines: dict[tuple[str, str], dict[tuple[str, str], dict[int, float]]] = {}
    for row in rows:
        if row["split"] in TESTS:
            panel = lines.setdefault((row["split"], row["condition"]), {})
            line = panel.setdefault((row["model"], row["trial"]), {})
            line[int(row["n_ablated"])] = float(row["accuracy"])
    members_of = groups(results)

    def draw(figure: Any) -> None:
        panels = figure.subplots(len(members_of), len(TESTS), sharey=True, squeeze=False)
        for row, (group, members) in zip(panels, members_of.items(), strict=True):
            names = {result["model"] for result in members}
            for axis, split in zip(row, (ADVERSARIAL, CLEAN, CORRECT), strict=True):
                for condition, (colour, dash) in STYLES.items():
                    every = lines.get((split, condition), {})
                    own = {key: line for key, line in every.items() if key[0] in names}
                    _lines(axis, own, condition, colour, dash)
                _dots(axis, split, members)
                axis.set_title(f"{group}, {NAMES[split]}" if group else NAMES[split])
                axis.set_xlabel("ablated units")
            row[0].set_ylabel("accuracy")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)

    return render(draw, "edit", (8.6, 0.8 + 2.6 * len(members_of)))


def _lines(
    axis: Any,
    lines: Mapping[tuple[str, str], Mapping[int, float]],
    condition: str,
    colour: str,
    dash: str,
) -> None:
    """Single lines thin, and their mean where all of them have a value."""
    drawn = [line for line in lines.values() if len(line) > 1]
    if not drawn:
        return
    for line in drawn:
        if len(drawn) > 1:
            axis.plot(list(line), list(line.values()), color=colour, ls=dash, lw=0.5, alpha=0.4)
    shared = sorted(set.intersection(*(set(line) for line in drawn)))
    means = [added(line[n] for line in drawn) / len(drawn) for n in shared]
    axis.plot(shared, means, color=colour, ls=dash, lw=1.6, label=condition)


def _dots(axis: Any, split: str, results: Sequence[Result]) -> None:
    for result in results:
        for condition in (orders.TEXT, orders.TRUTH):
            entry = result["conditions"].get(condition)
            if entry:
                colour = STYLES[condition][0]
                axis.plot(
                    entry["n"], entry["after"][split]["value"], "o", mfc=colour, mec=INK, ms=5
                )
