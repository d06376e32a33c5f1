"""Pictures of the README from the results of the default run and of the quick run.

    python -m benchmarks.readme results results/quick docs/images

Writes `results.svg` (held-out correlation of every network, `leaderboard.csv` of the default run)
and the exemplars of three units of the quick run, whose scenes are drawn by this package: in each
of three networks the unit with the highest held-out correlation; prints what is said of them.
`python -m tests.atlas.pictures` takes the pictures of pages.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import milan_core as milan
from milan_core.core.drawing import INK, PALETTE, render, write_figure
from milan_core.core.files import read_csv, write_bytes

JUDGE, SCORE = "oracle", "correlation"
SHOWN = {  # describer: name, color, marker
    "other_unit": ("text of another unit", "#8a949e", "s"),
    "milan": ("MILAN, as published", PALETTE[0], "o"),
    "pool": ("pool and verify", PALETTE[1], "o"),
    "netdissect": ("NetDissect", PALETTE[2], "D"),
    "truth": ("known concept", INK, "|"),
}
RANDOM = "resnet_random"
EXAMPLES = ("shapes_resnet", "shapes_alexnet", "shapes_vit")
STRONGEST = 5
Rows = Mapping[tuple[str, str], tuple[float, float, float]]


def scores(leaderboard: Path) -> Rows:
    """(value, low, high) of the whole network by describer and network."""
    return {
        (row["describer"], row["model"]): (
            float(row["value"]),
            float(row["low"]),
            float(row["high"]),
        )
        for row in read_csv(leaderboard)
        if (row["judge"], row["score"], row["layer"]) == (JUDGE, SCORE, "all")
        and row["model"] != "all networks"
    }


def results_figure(rows: Rows) -> str:
    """SVG: a line for each network, a dot with its interval for each describer."""
    networks = sorted({model for _, model in rows}, key=lambda name: (name == RANDOM, name))

    def draw(figure: Any) -> None:
        figure.patch.set_facecolor("white")
        axis = figure.subplots()
        _dots(axis, rows, networks)
        axis.set_yticks(range(len(networks)), [_label(name) for name in networks])
        axis.invert_yaxis()
        axis.set_xlim(left=0)
        axis.set_xlabel("correlation of units with what their texts predict on unseen images")
        axis.grid(axis="y", visible=False)
        figure.legend(loc="outside upper center", ncols=len(SHOWN), fontsize=8, handletextpad=0.2)

    return render(draw, "readme", (7.6, 0.42 * len(networks) + 1.1))


def _dots(axis: Any, rows: Rows, networks: Sequence[str]) -> None:
    for name, (label, color, marker) in SHOWN.items():
        found = [(y, rows[name, net]) for y, net in enumerate(networks) if (name, net) in rows]
        values = [value for _, (value, _, _) in found]
        ends = [[value - low for _, (value, low, _) in found], [h - v for _, (v, _, h) in found]]
        size = 11 if marker == "|" else 5
        axis.errorbar(
            values, [y for y, _ in found], xerr=ends, fmt=marker, ms=size, mew=1.6, lw=1.2,
            color=color, label=label, clip_on=False,
        )  # fmt: skip


def _label(network: str) -> str:
    return f"{network}\n(random weights)" if network == RANDOM else network


def write_examples(atlas_folder: Path, out: Path) -> None:
    """Write the strongest images of the best unit of each network; print what is said of it."""
    networks = {network.name: network for network in milan.open_atlas(atlas_folder).values()}
    for number, name in enumerate(EXAMPLES, 1):
        unit = max(networks[name].units, key=lambda one: one.correlation or 0)
        write_bytes(out / f"example-{number}.webp", unit.picture(STRONGEST, STRONGEST))
        facts = (unit.status, unit.confidence, unit.correlation, unit.low, unit.high, unit.concept)
        print(number, unit.network, unit.layer, unit.unit, repr(unit.description), *facts)


def main() -> None:
    """Write all of them."""
    results, quick, out = map(Path, sys.argv[1:4])
    write_figure(out / "results.svg", results_figure(scores(results / "leaderboard.csv")))
    write_examples(quick / "atlas", out)


if __name__ == "__main__":
    main()
