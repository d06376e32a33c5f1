"""Tables of the audit: units that match per layer, and changes within pairs (section 6, figure 5).

`source` says who decided that a unit matches: `description` (the generated text), `truth` (the
concept in the ground truth), `face detector`, or `review` (people with the review sheet).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from milan_core.core.files import read_csv
from milan_core.core.units import UnitKey
from milan_core.experiments.audit.options import Pair
from milan_core.scoring.proportions import (
    difference_interval,
    exact_interval,
    exact_test,
    mean_interval,
)
from milan_core.scoring.units import unit_key

COUNTS = ("model", "query", "layer", "matched", "units", "source", "share", "low", "high")
CHANGES = (
    "pair", "query", "source", "layer", "original", "changed", "units",
    "change", "low", "high", "p",
)  # fmt: skip
UNITS = ("model", "query", "layer", "unit", "description", "concept", "truth", "detector")
ALL = "all"
DESCRIPTION, TRUTH, DETECTOR, REVIEW = "description", "truth", "face detector", "review"

Matches = Mapping[tuple[str, str, str], Collection[UnitKey]]  # by network, query, source
Layers = Mapping[str, int]


def in_layer(units: Collection[UnitKey], layers: Layers) -> dict[str, tuple[int, int]]:
    """(matching units, units) per layer, then of the whole network under `ALL`."""
    per_layer = {
        layer: (sum(name == layer for name, _ in units), total) for layer, total in layers.items()
    }
    return {**per_layer, ALL: (len(units), sum(layers.values()))}


def count_rows(matches: Matches, layers: Mapping[str, Layers]) -> list[list[object]]:
    """The rows of counts.csv; `share` has its exact interval."""
    rows: list[list[object]] = []
    for (model, query, source), units in matches.items():
        for layer, (count, total) in in_layer(units, layers[model]).items():
            low, high = exact_interval(count, total)
            share = count / total if total else 0.0
            rows.append([model, query, layer, count, total, source, share, low, high])
    return rows


def change_rows(
    matches: Matches, layers: Mapping[str, Layers], pairs: Sequence[Pair]
) -> list[list[object]]:
    """The rows of changes.csv: original less changed network, in units.

    One pair has Newcombe's interval over units and Fisher's exact test. Several pairs have the mean
    over pairs under the name `ALL`, with Student's interval over pairs and no test; so have layers
    that all of them share.
    """
    rows: list[list[object]] = []
    totals: dict[tuple[str, str, str], list[tuple[int, int, int]]] = {}
    for pair in pairs:
        for query, source in _kinds(matches, pair):
            both = [
                in_layer(matches[name, query, source], layers[name])
                for name in (pair.original, pair.changed)
            ]
            for layer, first in both[0].items():
                second = both[1][layer]
                ends = [first[1] * value for value in difference_interval(first, second)]
                p = exact_test(first, second)
                rows.append(
                    [pair.name, query, source, layer, first[0], second[0], first[1],
                     first[0] - second[0], ends[1], ends[2], p]
                )  # fmt: skip
                key = (query, source, layer)
                totals.setdefault(key, []).append((first[0], second[0], first[1]))
    if len(pairs) > 1:
        rows += [
            _over_pairs((query, source, layer), values)
            for (query, source, layer), values in totals.items()
            if len(values) == len(totals[query, source, ALL])  # a layer that all pairs have
        ]
    return rows


def _kinds(matches: Matches, pair: Pair) -> Iterable[tuple[str, str]]:
    """(query, source) that both networks of a pair have."""
    for model, query, source in matches:
        if model == pair.original and (pair.changed, query, source) in matches:
            yield query, source


def _over_pairs(key: tuple[str, str, str], values: Sequence[tuple[int, int, int]]) -> list[object]:
    query, source, layer = key
    n = len(values)
    mean, low, high = mean_interval([first - second for first, second, _ in values])
    firsts, seconds = (sum(value[side] for value in values) / n for side in (0, 1))
    units = sum(total for *_, total in values) / n
    return [ALL, query, source, layer, firsts, seconds, units, mean, low, high, ""]


def read_matched(path: Path) -> list[tuple[str, str, UnitKey]]:
    """(network, query, unit) of every row of units.csv."""
    return [(row["model"], row["query"], unit_key(row, path)) for row in read_csv(path, UNITS)]
