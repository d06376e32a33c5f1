"""Figure of the decoding strategies: scores against lambda, a line per beam size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.core.tables import Row, grouped
from milan_core.scoring.scorer import ACCURACY, BERT_F

PANELS = (
    (ACCURACY, "concept accuracy"),
    ("bleu", "BLEU"),
    (BERT_F, "BERTScore F"),
    ("distinct", "distinct descriptions"),
)
_SINGLE = {"greedy": ":", "sample": "--"}
# Beam sizes are one strategy in steps: shades of one color, with different markers.
_LIGHT, _FULL, _MARKS = "#9dc3ea", PALETTE[0], "osv^D*"
_PER_TOKEN = {"greedy-mi": PALETTE[1], "beam-mi": PALETTE[3]}


def strategy_figure(rows: Sequence[Row], chosen: float) -> str:
    """SVG: scores against lambda, a line per beam size; one row of panels per network."""
    models = grouped(rows, lambda row: row["model"])
    panels = [panel for panel in PANELS if any(row[panel[0]] for row in rows)]

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(models), len(panels), squeeze=False)
        for line, (model, group) in zip(axes, models.items(), strict=True):
            for axis, (column, title) in zip(line, panels, strict=True):
                _panel(axis, group, column)
                axis.axvline(chosen, color=INK, lw=0.5, ls=":")
                axis.set_title(title if len(models) == 1 else f"{model}: {title}")
                axis.set_xlabel("λ")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)

    return render(draw, "rerank-study", (2.35 * max(len(panels), 2), 0.5 + 2.2 * len(models)))


def _panel(axis: Any, rows: Sequence[Row], column: str) -> None:
    ranked = [row for row in rows if row["strategy"] in ("beam", "rerank")]
    widths = list(dict.fromkeys(row["beams"] for row in ranked))
    for index, width in enumerate(widths):
        style = {"color": _shade(index, len(widths)), "marker": _MARKS[index % len(_MARKS)]}
        of_width = [row for row in ranked if row["beams"] == width]
        _line(axis, of_width, column, label=f"beam {width}", ls="-", **style)
    for name, color in _PER_TOKEN.items():
        per_token = [row for row in rows if row["strategy"] == name]
        _line(
            axis, per_token, column, label=f"{name} (per token)", ls="-.", color=color, marker="o"
        )
    for row in rows:
        if row["strategy"] in _SINGLE and row[column]:
            line = _SINGLE[row["strategy"]]
            axis.axhline(float(row[column]), color=INK, lw=0.9, ls=line, label=row["strategy"])


def _line(axis: Any, rows: Sequence[Row], column: str, **style: Any) -> None:
    points = sorted((float(row["lambda"]), float(row[column] or "nan")) for row in rows)
    if points:
        axis.plot(*zip(*points, strict=True), lw=1.3, ms=2.5, **style)


def _shade(index: int, count: int) -> str:
    """The color of one of `count` beam sizes, from light to full."""
    share = index / (count - 1) if count > 1 else 1.0
    ends = ([int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (_LIGHT, _FULL))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(*ends, strict=True))
