"""Figures as SVG whose bytes depend on the numbers only.

Text stays text (searchable, read by screen readers) and two placeholder colors mark ink and rules,
so that a page can inline a figure and recolor it for a light or a dark screen (`report.drawings`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.files import write_text
from milan_core.core.packages import optional

INK, RULE = "#1f2933", "#c3cad3"
PALETTE = ("#2f6fb0", "#c2592b", "#3a8a5f", "#8a5aa8", "#9a7a1c", "#b04a72")
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
    "text.parse_math": False,  # names of layers and networks may hold a $
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def render(draw: Callable[[Any], None], name: str, size: tuple[float, float]) -> str:
    """SVG text of a figure that `draw(figure)` fills; same input, same bytes.

    `name` seeds the identifiers inside the file; `size` is (width, height) in inches.
    """
    mpl = optional("matplotlib", "workflow", "to draw figures")
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"milan-{name}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def write_figure(path: Path | str, svg: str) -> None:
    """Write SVG text atomically."""
    write_text(path, svg)


def line_styles(splits: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One color per network that a split is named after; `within_` splits are dashed."""
    networks = {split: split.partition("_")[2] for split in splits}
    order = list(dict.fromkeys(networks.values()))
    return {
        split: {
            "color": PALETTE[order.index(name) % len(PALETTE)],
            "ls": "--" if split.startswith("within_") else "-",
        }
        for split, name in networks.items()
    }
