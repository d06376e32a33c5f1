"""Draw time and memory of mining against its size, with the cost model: docs/images/scaling.svg.

    python -m benchmarks.scaling_figure

The points are those of docs/images/scaling.csv, as `benchmarks.scale` measured them: `images` with
32 units of 4 x 4, `units` of 7 x 7 on 64 images. Lines are the cost model of docs/scaling.md with
one factor for the time of this machine, fitted to the middle size alone, so that the other sizes
check it; memory has no factor.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.core.files import read_csv, write_text

FOLDER = Path(__file__).parents[1] / "docs/images"
COLUMNS = ("what", "size", "cpu_seconds", "start_mb", "peak_mb")
MB = 1e6
Model = Callable[[np.ndarray], np.ndarray]

TIME: dict[str, Model] = {
    "images": lambda n: 12e-9 * n * 32 * 16,
    "units": lambda u: 12e-9 * 64 * u * 49 + 2e-11 * 64 * 64 * u * 49,
}
"""CPU-seconds: statistics of every value, and the projection of a dictionary."""
MEMORY: dict[str, Model] = {
    "images": lambda n: 16 * n / MB,
    "units": lambda u: (46e3 * u + 4 * 16 * u * 49) / MB,
}
"""MB above what the process holds for any size; 64 images do not fill the sample."""


def factor(what: str, sizes: np.ndarray, seconds: np.ndarray) -> float:
    """Measured time over that of the model, at the middle size."""
    middle = len(sizes) // 2
    return float(seconds[middle] / TIME[what](sizes[middle]))


def points(what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, CPU-seconds and MB above the smallest size's start."""
    rows = [row for row in read_csv(FOLDER / "scaling.csv", COLUMNS) if row["what"] == what]
    table = np.array([[float(row[name]) for name in COLUMNS[1:]] for row in rows])
    return table[:, 0], table[:, 1], table[:, 3] - table[:, 2]


def draw(figure: Any) -> None:
    """Four panels: time and memory of images, and of units."""
    axes = figure.subplots(2, 2)
    for column, (what, unit) in enumerate({"images": "images", "units": "units"}.items()):
        sizes, seconds, memory = points(what)
        line = np.geomspace(sizes[0], sizes[-1], 50)
        scale = factor(what, sizes, seconds)
        floor = memory[0] - MEMORY[what](sizes[:1])[0]
        for row, (values, model, label) in enumerate(
            [
                (seconds, scale * TIME[what](line), "CPU-seconds"),
                (memory, floor + MEMORY[what](line), "MB above the start"),
            ]
        ):
            panel = axes[row][column]
            panel.loglog(line, model, color=PALETTE[1], linewidth=1, label="cost model")
            panel.loglog(sizes, values, "o", color=PALETTE[0], markersize=4, label="measured")
            panel.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], fontsize=7)
            panel.set_yticks(values, [f"{value:.3g}" for value in values], fontsize=7)
            panel.minorticks_off()
            panel.set_xlabel(unit)
            panel.set_ylabel(label, color=INK)
            panel.legend(fontsize=7)
    axes[0][0].set_title("images, 32 units of 4 x 4")
    axes[0][1].set_title("units of 7 x 7, 64 images")


def main() -> None:
    """Write the figure, and print each size beside the model."""
    write_text(FOLDER / "scaling.svg", render(draw, "scaling", (6.4, 4.6)))
    for what in TIME:
        sizes, seconds, memory = points(what)
        scale, floor = factor(what, sizes, seconds), memory[0] - MEMORY[what](sizes[:1])[0]
        for size, cpu, peak in zip(sizes, seconds, memory, strict=True):
            model = scale * TIME[what](size), floor + MEMORY[what](size)
            print(f"{what} {size:12,.0f}: {cpu:7.2f} CPU-s ({model[0]:7.2f}), "
                  f"{peak:6.0f} MB ({model[1]:6.0f})")  # fmt: skip


if __name__ == "__main__":
    main()
