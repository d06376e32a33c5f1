"""Accuracy curves, importance of single units and criteria of one network, as table rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from milan_core.core.parts import Block, Work
from milan_core.core.seeding import generator
from milan_core.core.shapes import check_arrays
from milan_core.core.units import UnitKey
from milan_core.experiments.analyze.criteria import Criterion
from milan_core.experiments.analyze.options import AnalyzeOptions
from milan_core.experiments.analyze.tables import CRITERION, MATCHED, RANDOM
from milan_core.experiments.orders import (
    by_score,
    by_score_and_index,
    layer_matched,
    random_order,
)
from milan_core.images.store import Dataset
from milan_core.networks.ablation import AblationEngine, PreparedImages
from milan_core.networks.zoo import LoadedModel

_log = logging.getLogger(__name__)

ABLATION = ("criterion", "order", "trial", "n_ablated", "fraction", "accuracy")
IMPORTANCE = ("layer", "unit", "accuracy", "importance")
CRITERIA = ("layer", "unit", "criterion", "group", "score", "matches")
IMAGES = 128  # of a block of ablations
Row = tuple[Any, ...]


def open_engine(
    loaded: LoadedModel, dataset: Dataset, options: AnalyzeOptions, seed: int, device: str
) -> AblationEngine:
    """The ablation engine on the images that the options draw from `dataset`."""
    order = generator(seed, "analyze images").permutation(len(dataset))
    rows = np.sort(order[: options.images])
    return AblationEngine(
        loaded.module,
        loaded.layers,
        PreparedImages(dataset.images, loaded.input, rows),
        dataset.labels[rows],
        options.batch_size,
        device,
        replacement=options.replacement,
        seed=seed,
        layout=loaded.layout,
    )


def criterion_rows(units: Sequence[UnitKey], scored: Sequence[Criterion]) -> list[Row]:
    """The rows of criteria.csv: the score of every unit by every criterion."""
    return [
        (layer, unit, one.name, one.group, float(score), int(matches))
        for one in scored
        for (layer, unit), score, matches in zip(units, one.scores, one.matching, strict=True)
    ]


Order = tuple[str, str, int, np.ndarray]  # criterion, kind of order, trial, indices of units


@dataclass(frozen=True)
class Planned:
    """The ablations of one network: units one by one, and along orders."""

    orders: list[Order]
    steps: list[int]


def ablating(engine: AblationEngine, planned: Planned, identity: str) -> Work:
    """Counts of images that are right under every ablation, in blocks of images.

    Args:
        engine: of the network.
        planned: the ablations.
        identity: fingerprint of the network before any pass, which may leave something in it.

    """
    singles: list[tuple[int, ...]] = [(index,) for index in range(len(engine.units))]
    along = engine.states(np.stack([order for *_, order in planned.orders]), planned.steps)
    states: dict[str, list[tuple[int, ...]]] = {"whole": [()], "single": singles, "curves": along}
    _log.info("%d orders of %d units", len(planned.orders), len(engine.units))

    def make(number: int) -> Block:
        return {name: engine.right(sets, number, IMAGES) for name, sets in states.items()}

    return Work(engine.blocks(IMAGES), make, lambda: identity)


def read_counts(block: Block) -> dict[str, np.ndarray]:
    """The counts of a block of `ablating`."""
    check_arrays(block, {"whole": "int64 1", "single": "int64 units", "curves": "int64 states"})
    return dict(block)


def accuracies(
    engine: AblationEngine, counts: Iterable[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Accuracy under every ablation, from the counts of all blocks."""
    total: dict[str, np.ndarray] = {}
    for block in counts:
        total = {name: total.get(name, 0) + count for name, count in block.items()}
    return {name: count / len(engine.labels) for name, count in total.items()}


def importance_rows(units: Sequence[UnitKey], measured: Mapping[str, np.ndarray]) -> list[Row]:
    """The rows of importance.csv: accuracy without each unit, and what it costs."""
    accuracy, without = float(measured["whole"][0]), measured["single"]
    _log.info("accuracy %.4f, without one unit from %.4f", accuracy, without.min())
    return [
        (*unit, float(value), float(accuracy - value))
        for unit, value in zip(units, without, strict=True)
    ]


def curve_rows(
    planned: Planned, fractions: Sequence[float], measured: Mapping[str, np.ndarray]
) -> list[Row]:
    """The rows of ablation.csv: every order of every criterion, and the random ones."""
    steps = planned.steps
    by_order = measured["curves"].reshape(-1, len(steps))
    return [
        (name, kind, trial, step, float(fraction), float(accuracy))
        for (name, kind, trial, _), row in zip(planned.orders, by_order, strict=True)
        for step, fraction, accuracy in zip(steps, fractions, row, strict=True)
    ]


def planned_orders(
    engine: AblationEngine, scored: Sequence[Criterion], options: AnalyzeOptions, seed: int
) -> Planned:
    """Every order of every criterion, and the random ones."""
    layers = [layer for layer, _ in engine.units]
    planned: list[tuple[str, str, int, np.ndarray]] = [
        (RANDOM, RANDOM, trial, random_order(len(layers), seed, "random order", trial))
        for trial in range(options.trials)
    ]
    for one in scored:
        if not one.varies:
            _log.info("criterion %s tells no units apart: no curves", one.name)
            continue
        orders = [criterion_order(one, options, seed, trial) for trial in range(options.orders)]
        planned += [(one.name, CRITERION, trial, order) for trial, order in enumerate(orders)]
        for trial in range(options.trials):  # every order has its own (`curves.compare_matched`)
            stream = ("layer-matched order", one.name, trial)
            order = orders[trial % len(orders)].tolist()
            planned.append((one.name, MATCHED, trial, layer_matched(order, layers, seed, *stream)))
    return Planned(planned, steps_of(options.fractions, len(layers)))


def criterion_order(one: Criterion, options: AnalyzeOptions, seed: int, trial: int) -> np.ndarray:
    """Unit indices by descending score; int64 (units,)."""
    if options.tie_order == "dataset":
        return by_score_and_index(one.scores)
    return by_score(one.scores, seed, "ties", one.name, trial)


def steps_of(fractions: Sequence[float], units: int) -> list[int]:
    """Numbers of units for shares of them, rounded down as published (spec 5.3)."""
    # A share such as 0.29 of 100 must not lose a unit to binary fractions.
    return [int(fraction * units + 1e-9) for fraction in fractions]
