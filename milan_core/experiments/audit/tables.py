"""Tables of the audit: units that match per layer, and changes within pairs (section 6, figure 5).

`source` says who decided that a unit matches: `description` (the generated text), `truth` (the
concept in the ground truth), or `review` (people with the review sheet). A detector looks at the
units that a description chose and at no others, so it can only confirm: its opinion stands in
units.csv and is no source. Networks are the replicates: one pair has no test. `groups` are distinct
groups of units (`exemplars.groups`): channels of one stream and units that share their pictures
count once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from milan_core.core.files import read_csv
from milan_core.core.numbers import added
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.exemplars.groups import distinct
from milan_core.experiments.audit.options import Pair
from milan_core.scoring.proportions import (
    difference_interval,
    exact_interval,
    mean_interval,
    mean_test,
)
from milan_core.scoring.units import unit_key
from milan_core.scoring.verdicts import FEWEST, holm

COUNTS = (
    "model", "query", "layer", "matched", "units", "source", "share", "low", "high",
    "groups", "of_groups",
)  # fmt: skip
CHANGES = (
    "pair", "query", "source", "layer", "original", "changed", "units",
    "original_groups", "changed_groups", "groups", "change", "low", "high", "p", "holm",
)  # fmt: skip
UNITS = ("model", "query", "layer", "unit", "description", "concept", "truth", "detector")
ALL = "all"
DESCRIPTION, TRUTH, REVIEW = "description", "truth", "review"

Matches = Mapping[tuple[str, str, str], Collection[UnitKey]]  # by network, query, source
Layers = Mapping[str, int]
Groups = Mapping[UnitKey, int]  # the group of every unit of a network


def in_layer(units: Collection[UnitKey], layers: Layers) -> dict[str, tuple[int, int]]:
    """(matching units, units) per layer, then of the whole network under `ALL`."""
    per_layer = {
        layer: (sum(name == layer for name, _ in units), total) for layer, total in layers.items()
    }
    return {**per_layer, ALL: (len(units), sum(layers.values()))}


def groups_in(units: Collection[UnitKey], groups: Groups) -> dict[str, tuple[int, int]]:
    """(groups of matching units, groups) per layer, then of the whole network under `ALL`."""
    layers = dict.fromkeys(layer for layer, _ in groups)
    parts = {layer: ([k for k in units if k[0] == layer], layer) for layer in layers}
    return {
        layer: (distinct(inside, groups), len({g for (name, _), g in groups.items() if name == of}))
        for layer, (inside, of) in parts.items()
    } | {ALL: (distinct(list(units), groups), len(set(groups.values())))}


def layers_of(groups: Groups) -> dict[str, int]:
    """Number of units of each layer."""
    return dict(Counter(layer for layer, _ in groups))


def count_rows(
    matches: Matches, layers: Mapping[str, Layers], groups: Mapping[str, Groups] | None = None
) -> list[list[object]]:
    """The rows of counts.csv; `share` has its exact interval, empty in layers of few units."""
    rows: list[list[object]] = []
    for (model, query, source), units in matches.items():
        apart = groups_in(units, groups[model]) if groups else {}
        for layer, (count, total) in in_layer(units, layers[model]).items():
            figures: tuple[object, ...] = ("", "", "")
            if total >= FEWEST:
                figures = (count / total, *exact_interval(count, total))
            rows.append(
                [model, query, layer, count, total, source, *figures, *apart.get(layer, ("", ""))]
            )
    return rows


def change_rows(
    matches: Matches, groups: Mapping[str, Groups], pairs: Sequence[Pair]
) -> list[list[object]]:
    """The rows of changes.csv: original less changed network, in units.

    One pair is a demonstration: it has Newcombe's interval, over distinct groups and in groups, and
    no p. Several pairs have the mean over pairs under the name `ALL`, in units, with Student's
    interval over pairs, and with three or more its p and that adjusted over queries and sources
    (Holm); so have layers that all of them share, without p.
    """
    rows: list[list[object]] = []
    totals: dict[tuple[str, str, str], list[list[float]]] = {}
    for pair in pairs:
        for query, source in _kinds(matches, pair):
            both = [
                _counts(matches[n, query, source], groups[n]) for n in (pair.original, pair.changed)
            ]
            for layer, (first, first_groups) in both[0].items():
                second, second_groups = both[1][layer]
                all_groups = (first_groups[1] + second_groups[1]) / 2
                ends = [
                    first_groups[1] * value
                    for value in difference_interval(first_groups, second_groups)
                ]
                counts = [
                    first[0],
                    second[0],
                    first[1],
                    first_groups[0],
                    second_groups[0],
                    all_groups,
                ]
                key = (query, source, layer)
                rows.append([pair.name, *key, *counts, first[0] - second[0], *ends[1:], "", ""])
                totals.setdefault(key, []).append(counts)
    return rows + (_over_pairs(totals) if len(pairs) > 1 else [])


def _counts(
    units: Collection[UnitKey], groups: Groups
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """By layer: (matching, all) units and (matching, all) groups."""
    apart = groups_in(units, groups)
    return {
        layer: (pair, apart[layer]) for layer, pair in in_layer(units, layers_of(groups)).items()
    }


def _kinds(matches: Matches, pair: Pair) -> Iterable[tuple[str, str]]:
    """(query, source) that both networks of a pair have."""
    for model, query, source in matches:
        if model == pair.original and (pair.changed, query, source) in matches:
            yield query, source


def _over_pairs(totals: Mapping[tuple[str, str, str], list[list[float]]]) -> list[list[object]]:
    """The means over pairs, of layers that all pairs have."""
    means = {
        key: values
        for key, values in totals.items()
        if len(values) == len(totals[key[0], key[1], ALL])
    }
    tested = {key: mean_test([v[0] - v[1] for v in means[key]]) for key in means if key[2] == ALL}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    rows: list[list[object]] = []
    for key, values in means.items():
        averages = [added(column) / len(values) for column in zip(*values, strict=True)]
        mean, low, high = mean_interval([first - second for first, second, *_ in values])
        p_values = [cell(table.get(key, math.nan)) for table in (tested, adjusted)]
        rows.append([ALL, *key, *averages, mean, low, high, *p_values])
    return rows


def read_matched(path: Path) -> list[tuple[str, str, UnitKey]]:
    """(network, query, unit) of every row of units.csv."""
    return [(row["model"], row["query"], unit_key(row, path)) for row in read_csv(path, UNITS)]
