"""Ablation of the units that read spurious text, with controls (paper section 7).

Ranking, choice of the number of units, and test use three different sets of images: the published
numbers were read off the test curve (spec 5.5), these are only on request (`choose_on`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.units import UnitKey
from milan_core.experiments.audited import Audited
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.fine_tune import fine_tuned
from milan_core.experiments.edit.options import EditOptions, EditTrial
from milan_core.experiments.edit.results import (
    ADVERSARIAL,
    BEFORE,
    TESTS,
    Right,
    results,
)
from milan_core.experiments.edit.tables import CURVES as CURVES
from milan_core.experiments.edit.tables import FORMAT
from milan_core.images.store import Dataset, open_dataset
from milan_core.networks.ablation import AblationEngine, PreparedImages
from milan_core.networks.training.train import evaluate
from milan_core.networks.zoo import LoadedModel
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.options import Query
from milan_core.scoring.units import check_same_units

CHOSEN = ("model", "place", "layer", "unit", "description", "concept", "accuracy", "chosen_by")
VALIDATION = ("validation-clean", "validation-adversarial")
CHOICE = "validation"  # what the number of units is chosen on unless the options say otherwise
CURVES_DRAWN = 3  # random orders whose whole curve is measured
COPIES = 8  # ablations of one batch that run together


Point = tuple[str, int, int, str]  # condition, draw, units ablated, split


class Bench:
    """One network with an ablation engine for each split."""

    def __init__(
        self, loaded: LoadedModel, splits: Mapping[str, Dataset], batch_size: int, device: str
    ) -> None:
        self.loaded, self.splits, self.device = loaded, splits, device
        self.engines = {
            name: AblationEngine(
                loaded.module,
                loaded.layers,
                PreparedImages(data.images, loaded.input),
                data.labels,
                COPIES * batch_size,
                device,
                layout=loaded.layout,
            )
            for name, data in splits.items()
        }
        self.units: list[UnitKey] = list(next(iter(self.engines.values())).units)

    def keys(self, rows: Sequence[int]) -> list[UnitKey]:
        """Units at these places."""
        return [self.units[place] for place in rows]

    def right(self, split: str, sets: Sequence[Sequence[int]]) -> np.ndarray:
        """Whether each image is classified correctly without the units of each set of places.

        float64 [sets, images].
        """
        engine = self.engines[split]
        guesses = engine.predictions_each([self.keys(places) for places in sets])
        return (guesses == engine.labels).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One edited network: its orders of units, accuracies along them, and the facts to report."""

    bench: Bench
    unit_orders: Mapping[str, np.ndarray]  # int64 [draws, n] indices of units, by condition
    accuracy: np.ndarray  # float64 [units] on the ranking images without each unit
    curves: Mapping[Point, float]
    chosen: list[UnitKey]  # units that the description and the validation images choose
    facts: dict[str, Any]

    def curve_rows(self) -> list[list[object]]:
        """Rows of curves.csv."""
        model = self.facts["model"]
        return [[c, t, n, s, value, model] for (c, t, n, s), value in self.curves.items()]

    def unit_rows(self, audited: Audited) -> list[list[object]]:
        """Rows of units.csv: the units of the sorted orders, accuracy without each beside."""
        rows: list[list[object]] = []
        for condition in (c for c in self.unit_orders if c in orders.SORTED):
            for rank, index in enumerate(self.unit_orders[condition][0].tolist()):
                key = self.bench.units[index]
                concept = audited.truth[key].concept if audited.truth else ""
                text, value = audited.descriptions[key], float(self.accuracy[index])
                rows.append([audited.name, rank, *key, text, concept, value, condition])
        return rows


def edit_network(
    bench: Bench, audited: Audited, query: Query, options: EditOptions, seed: int
) -> Outcome:
    """Rank the units that `query` selects, choose their number, and measure on the test images."""
    check_same_units(audited.descriptions, bench.units, "the descriptions", "the network")
    index = {key: i for i, key in enumerate(bench.units)}
    text = [index[key] for key in audited.matched(query)]
    concepts = audited.of_concept(query)
    accuracy = bench.engines["ranking"].single(bench.units)
    unit_orders = orders.all_orders(
        text,
        None if concepts is None else [index[key] for key in concepts],
        accuracy,
        bench.units,
        max(options.steps),
        options.draws,
        seed,
    )
    curves = measure(bench, unit_orders, options.steps)
    counts = {
        key: choose(curves, key, options.choose_on) for key in unit_orders if key in orders.SORTED
    }
    number = counts[orders.TEXT]
    counts |= dict.fromkeys((*orders.DRAWN, orders.LAYER), number)
    ablated = dict(unit_orders)
    if number == 1:
        first = int(unit_orders[orders.TEXT][0, 0])
        ablated[orders.LAYER] = orders.others_of_layer(first, bench.units)
    right = at_counts(bench, ablated, counts)
    curves |= drawn_points(right, counts)
    facts = {
        "format": FORMAT,
        "model": audited.name,
        "query": options.query,
        "units": len(bench.units),
        "matched": len(text),
        "known": None if concepts is None else len(concepts),
        "both": None if concepts is None else len({index[key] for key in concepts} & set(text)),
        "images": {split: len(data) for split, data in bench.splits.items()},
        "identical": same_choices(unit_orders, counts),
        **results(right, counts, Bootstrap(seed, options.bootstrap)),
    }
    chosen = bench.keys(unit_orders[orders.TEXT][0, :number].tolist())
    return Outcome(bench, unit_orders, accuracy, curves, chosen, facts)


def same_choices(rankings: Mapping[str, np.ndarray], counts: Mapping[str, int]) -> list[str]:
    """Conditions all of whose draws ablate the very units that text-sorted does."""
    text = set(rankings[orders.TEXT][0, : counts[orders.TEXT]].tolist())
    return [
        condition
        for condition, rows in rankings.items()
        if condition != orders.TEXT
        and all(set(row[: counts[condition]].tolist()) == text for row in rows)
    ]


def trial_facts(trial: EditTrial, options: EditOptions) -> dict[str, Any]:
    """The notes that the report must print about an unusual trial."""
    facts: dict[str, Any] = {}
    if options.choose_on != CHOICE:
        facts["chosen_on"] = options.choose_on
    return facts | trial.model_dump(include={"ranking_text", "group"}, exclude_defaults=True)


def open_splits(names: Mapping[str, str], paths: Sequence[Path]) -> dict[str, Dataset]:
    """The data set of every split, found by its name; all must have the same classes, in order."""
    named = {data.name: data for data in map(open_dataset, paths)}
    missing = sorted(set(names.values()) - set(named))
    if missing:
        raise UserError(
            f"edit: the trial names {', '.join(missing)}, but --datasets has "
            f"{', '.join(sorted(named))}; give the folders of the named data sets"
        )
    splits = {split: named[name] for split, name in names.items()}
    first = next(iter(splits.values()))
    for split, data in splits.items():
        if data.classes != first.classes:
            raise UserError(
                f"edit: {data.name!r} ({split}) has the classes {data.classes[:5]}..., "
                f"{first.name!r} has {first.classes[:5]}...; all splits need the classes that the "
                "network was trained on"
            )
    return splits


def measure(
    bench: Bench, rankings: Mapping[str, np.ndarray], steps: Sequence[int]
) -> dict[Point, float]:
    """Accuracies along the orders: sorted ones on all splits, drawn ones on wrong text only.

    Of drawn ones the first `CURVES_DRAWN`; all of them are measured at the chosen number.
    """
    curves: dict[Point, float] = {}
    for split in (*VALIDATION, *TESTS):
        points = {
            (condition, draw, step, split): row[:step].tolist()
            for condition, rows in rankings.items()
            if condition in orders.SORTED or split == ADVERSARIAL
            for draw, row in enumerate(rows[:CURVES_DRAWN])
            for step in steps
            if step <= len(row)
        }
        sets = [bench.keys(places) for places in points.values()]
        values = bench.engines[split].without(sets).tolist()
        curves |= dict(zip(points, values, strict=True))
    return curves


def choose(curves: Mapping[Point, float], condition: str, choose_on: str = CHOICE) -> int:
    """The number of units for a condition, chosen on the validation splits alone.

    `choose_on="test"` reads it off the curve of wrong text in the test images, as published.
    """
    splits = VALIDATION if choose_on == CHOICE else (ADVERSARIAL, ADVERSARIAL)
    steps = sorted({n for c, _, n, split in curves if c == condition and split == splits[0]})
    clean, adversarial = ([curves[condition, 0, step, split] for step in steps] for split in splits)
    return orders.choose_count(steps, clean, adversarial)


def at_counts(bench: Bench, rankings: Mapping[str, np.ndarray], counts: Mapping[str, int]) -> Right:
    """Which test images are right before (one row), and without the units of every draw."""
    parts: dict[str, list[list[int]]] = {BEFORE: [[]]} | {
        condition: [row[: counts[condition]].tolist() for row in rows]
        for condition, rows in rankings.items()
    }
    ends = np.cumsum([len(part) for part in parts.values()])[:-1]
    every = [places for part in parts.values() for places in part]
    right: dict[str, dict[str, np.ndarray]] = {condition: {} for condition in parts}
    for split in TESTS:
        values = np.split(bench.right(split, every), ends)
        for condition, rows in zip(parts, values, strict=True):
            right[condition][split] = rows
    return right


def drawn_points(right: Right, counts: Mapping[str, int]) -> dict[Point, float]:
    """Accuracies of the drawn controls at the chosen number, of every draw and on every split."""
    return {
        (condition, draw, counts[condition], split): float(row.mean())
        for condition in (*orders.DRAWN, orders.LAYER)
        if condition in right
        for split in TESTS
        for draw, row in enumerate(right[condition][split])
    }


def tuned(
    bench: Bench, outcome: Outcome, train: Path | None, options: EditOptions, seed: int
) -> dict[str, dict[str, float]] | None:
    """Test accuracies after training the head, without the chosen units and, as control, with."""
    if options.fine_tune is None:
        return None
    if train is None:
        raise UserError("edit: fine_tune needs the network's training images (--train)")
    images = open_dataset(train)
    accuracies = {}
    for what, gone in (("units removed", outcome.chosen), ("no unit removed", [])):
        module = fine_tuned(bench.loaded, gone, images, options.fine_tune, seed, bench.device)
        accuracies[what] = {
            split: evaluate(module, bench.splits[split], bench.loaded.input, bench.device)
            for split in TESTS
        }
    return accuracies


def reference_accuracy(path: Path | None, splits: Mapping[str, Dataset]) -> dict[str, float] | None:
    """Accuracies of a network trained without the cue on the same test images."""
    if path is None:
        return None
    rows = {row["dataset"]: float(row["accuracy"]) for row in read_csv(path, ("dataset",))}
    missing = [splits[split].name for split in TESTS if splits[split].name not in rows]
    if missing:
        raise UserError(f"{path}: no accuracy on {', '.join(missing)}; add them to its tests")
    return {split: rows[splits[split].name] for split in TESTS}
