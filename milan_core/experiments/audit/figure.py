"""Figure of the audit, after the paper's figure 5: counts of each pair, and per layer beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render
from milan_core.core.numbers import added, finite
from milan_core.experiments.audit import tables
from milan_core.experiments.audit.options import AuditOptions

Row = Mapping[str, Any]
SOURCES = {
    tables.DESCRIPTION: "by generated descriptions",
    tables.TRUTH: "by known concepts",
    tables.REVIEW: "by their description, confirmed by people",
}


def change_figure(changes: Sequence[Row], options: AuditOptions) -> str:
    """SVG: a row of panels per query; one line per pair and source, and counts per layer beside.

    A source that does not know both networks of a pair has no line for it.
    """
    pairs = [pair.name for pair in options.pairs]
    queries = [query for query in options.queries if any(r["query"] == query for r in changes)]
    height = 1.4 + 0.26 * max(max((len(_totals(changes, q, pairs)) for q in queries), default=0), 5)

    def draw(figure: Any) -> None:
        panels = figure.subplots(max(len(queries), 1), 2, width_ratios=(3, 2), squeeze=False)
        for (left, right), query in zip(panels, queries, strict=False):
            totals = _totals(changes, query, pairs)
            sources = list(dict.fromkeys(source for source, _ in totals))
            _dumbbells(left, totals, sources)
            left.set_title(f"units that answer '{query}'")
            rows = [r for r in changes if r["query"] == query and r["source"] == sources[0]]
            shown = _layers(right, [row for row in rows if row["pair"] in pairs])
            several = f", {shown} of {len(pairs)} pairs" if shown < len(pairs) else ""
            right.set_title(f"per layer, {SOURCES[sources[0]]}{several}")

    return render(draw, "audit", (8.6, height * max(len(queries), 1)))


def _totals(changes: Sequence[Row], query: str, pairs: Sequence[str]) -> dict[tuple[str, str], Row]:
    """Counts over all layers by source and pair, in this order."""
    rows = [row for row in changes if row["query"] == query and row["layer"] == tables.ALL]
    by_key = {(row["source"], row["pair"]): row for row in rows}
    sources = dict.fromkeys(row["source"] for row in rows)
    keys = [(source, pair) for source in sources for pair in pairs]
    return {key: by_key[key] for key in keys if key in by_key}


def _dumbbells(axis: Any, totals: Mapping[tuple[str, str], Row], sources: Sequence[str]) -> None:
    for height, ((source, _), row) in enumerate(totals.items()):
        color = PALETTE[sources.index(source) % len(PALETTE)]
        ends = finite(row["original"]), finite(row["changed"])
        axis.plot(ends, (height, height), color=color, lw=1.2)
        axis.plot(ends[0], height, "o", color=color, ms=6)
        axis.plot(ends[1], height, "o", mec=color, mfc="white", ms=6)
    axis.set_yticks(range(len(totals)), [f"{pair}, {source}" for source, pair in totals])
    axis.invert_yaxis()
    axis.set_xlim(left=-0.5)


def _layers(axis: Any, rows: Sequence[Row]) -> int:
    """Mean counts per layer over the pairs of one architecture: of the most common. Their number.

    Layers of different architectures have nothing in common but, at times, a name.
    """
    of_pair: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["layer"] != tables.ALL:
            of_pair.setdefault(row["pair"], {})[row["layer"]] = row
    alike: dict[tuple[str, ...], list[dict[str, Row]]] = {}
    for per_layer in of_pair.values():
        alike.setdefault(tuple(per_layer), []).append(per_layer)
    layers, shown = max(alike.items(), key=lambda item: len(item[1]), default=((), []))
    for shift, side, filled in ((-0.2, "original", True), (0.2, "changed", False)):
        axis.bar(
            [index + shift for index in range(len(layers))],
            [added(finite(pair[layer][side]) for pair in shown) / len(shown) for layer in layers],
            0.36,
            facecolor=PALETTE[0] if filled else "none",
            edgecolor=PALETTE[0],
            label=side,
        )
    axis.set_xticks(range(len(layers)), layers, rotation=30, ha="right", color=INK)
    axis.legend()
    return len(shown)
