"""Accuracy curves, importance of single units and criteria of one network, as table rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from milan_core.core.seeding import generator
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


def importance_rows(engine: AblationEngine) -> list[Row]:
    """The rows of importance.csv: accuracy without each unit, and what it costs."""
    accuracy, without = engine.accuracy(), engine.single(engine.units)
    _log.info("accuracy %.4f, without one unit from %.4f", accuracy, without.min())
    return [
        (*unit, float(value), float(accuracy - value))
        for unit, value in zip(engine.units, without, strict=True)
    ]


def curve_rows(
    engine: AblationEngine, scored: Sequence[Criterion], options: AnalyzeOptions, seed: int
) -> list[Row]:
    """The rows of ablation.csv: every order of every criterion, and the random ones."""
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
    steps = steps_of(options.fractions, len(layers))
    _log.info("%d orders of %d units, %d steps each", len(planned), len(layers), len(steps))
    accuracies = engine.curve(np.stack([order for *_, order in planned]), steps)
    return [
        (name, kind, trial, step, float(fraction), float(accuracy))
        for (name, kind, trial, _), row in zip(planned, accuracies, strict=True)
        for step, fraction, accuracy in zip(steps, options.fractions, row, strict=True)
    ]


def criterion_order(one: Criterion, options: AnalyzeOptions, seed: int, trial: int) -> np.ndarray:
    """Unit indices by descending score; int64 (units,)."""
    if options.tie_order == "dataset":
        return by_score_and_index(one.scores)
    return by_score(one.scores, seed, "ties", one.name, trial)


def steps_of(fractions: Sequence[float], units: int) -> list[int]:
    """Numbers of units for shares of them, rounded down as published (spec 5.3)."""
    # A share such as 0.29 of 100 must not lose a unit to binary fractions.
    return [int(fraction * units + 1e-9) for fraction in fractions]
