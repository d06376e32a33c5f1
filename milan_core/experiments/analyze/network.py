"""The stage `analyze`: one network's curves and importances, then tables of all networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.seeding import generator
from milan_core.experiments.analyze.criteria import Criterion, criteria
from milan_core.experiments.analyze.grammar import Parser, pipeline_folder
from milan_core.experiments.analyze.orders import (
    CRITERION,
    MATCHED,
    RANDOM,
    at_random,
    by_place,
    by_score,
    matched_to,
    steps_of,
)
from milan_core.scoring.tables import read_descriptions
from milan_core.scoring.units import check_same_units
from milan_core.scoring.vectors import WordVectors, encoder_folder

if TYPE_CHECKING:
    from milan_core.networks.ablation import AblationEngine, Unit

_log = logging.getLogger(__name__)

COLUMNS = ("criterion", "order", "trial", "n_ablated", "fraction", "accuracy")


@dataclass(frozen=True)
class Settings:
    """The part of the configuration that changes a network's results."""

    images: int | None
    fractions: Sequence[float]
    ties: int
    trials: int
    queries: Mapping[str, Sequence[str]]
    replacement: Any
    batch_size: int
    tie_order: str = "random"  # or "dataset": one order, by layer and unit

    @property
    def orders(self) -> int:
        """Orders per criterion."""
        return 1 if self.tie_order == "dataset" else self.ties


def analyze_network(
    model: Mapping[str, Any],
    dataset: Path,
    descriptions: Path,
    settings: Settings,
    *,
    parser: Path | None,
    vectors: Path | None,
    seed: int,
    device: str,
    out: Path,
) -> None:
    """Write `ablation.csv`, `importance.csv` and `criteria.csv` of one network into `out`."""
    engine = _engine(model, dataset, settings, seed, device)
    texts = read_descriptions(descriptions)
    check_same_units(texts, engine.units, str(descriptions), f"the layers of {model['name']}")
    scored = criteria(
        [texts[unit] for unit in engine.units],
        Parser(pipeline_folder(parser)) if parser else None,
        WordVectors(encoder_folder(vectors)) if vectors else None,
        settings.queries,
    )
    _write_criteria(out / "criteria.csv", engine.units, scored)
    accuracy, without = engine.accuracy(), engine.single(engine.units)
    _log.info("accuracy %.4f, without one unit from %.4f", accuracy, without.min())
    write_csv(
        out / "importance.csv",
        ("layer", "unit", "accuracy", "importance"),
        [
            (*unit, float(value), float(accuracy - value))
            for unit, value in zip(engine.units, without, strict=True)
        ],
    )
    write_csv(out / "ablation.csv", COLUMNS, _curves(engine, scored, settings, seed))


def _engine(
    model: Mapping[str, Any], dataset: Path, settings: Settings, seed: int, device: str
) -> AblationEngine:
    from milan_core.images.store import open_dataset
    from milan_core.networks.ablation import AblationEngine, PreparedImages
    from milan_core.networks.zoo import load_network

    loaded, images = load_network(model), open_dataset(dataset)
    order = generator(seed, "analyze images").permutation(len(images))
    rows = np.sort(order[: settings.images])
    return AblationEngine(
        loaded.module,
        loaded.layers,
        PreparedImages(images.images, loaded.input, rows),
        images.labels[rows],
        settings.batch_size,
        device,
        replacement=settings.replacement,
        seed=seed,
        layout=loaded.layout,
    )


def _write_criteria(path: Path, units: Sequence[Unit], scored: Sequence[Criterion]) -> None:
    rows = [
        (layer, unit, one.name, one.group, float(score), int(matches))
        for one in scored
        for (layer, unit), score, matches in zip(units, one.scores, one.matching, strict=True)
    ]
    write_csv(path, ("layer", "unit", "criterion", "group", "score", "matches"), rows)


def _curves(
    engine: AblationEngine, scored: Sequence[Criterion], settings: Settings, seed: int
) -> list[tuple[Any, ...]]:
    """The rows of `ablation.csv`: every order of every criterion, and the random ones."""
    layers = [layer for layer, _ in engine.units]
    planned: list[tuple[str, str, int, np.ndarray]] = [
        (RANDOM, RANDOM, trial, at_random(len(layers), seed, trial))
        for trial in range(settings.trials)
    ]
    for one in scored:
        if not one.varies:
            _log.info("criterion %s tells no units apart: no curves", one.name)
            continue
        orders = [_order(one, settings, seed, trial) for trial in range(settings.orders)]
        planned += [(one.name, CRITERION, trial, order) for trial, order in enumerate(orders)]
        for trial in range(settings.trials):  # every order has its own (`curves.compare_matched`)
            order = orders[trial % len(orders)]
            matched = matched_to(order, layers, seed, one.name, trial)
            planned.append((one.name, MATCHED, trial, matched))
    steps = steps_of(settings.fractions, len(layers))
    _log.info("%d orders of %d units, %d steps each", len(planned), len(layers), len(steps))
    accuracies = engine.curve(np.stack([order for *_, order in planned]), steps)
    return [
        (name, kind, trial, step, float(fraction), float(accuracy))
        for (name, kind, trial, _), row in zip(planned, accuracies, strict=True)
        for step, fraction, accuracy in zip(steps, settings.fractions, row, strict=True)
    ]


def _order(one: Criterion, settings: Settings, seed: int, trial: int) -> np.ndarray:
    if settings.tie_order == "dataset":
        return by_place(one.scores)
    return by_score(one.scores, seed, one.name, trial)


def settings_from(options: Mapping[str, Any]) -> Settings:
    """Settings from the JSON of the rule; unknown keys are refused."""
    try:
        return Settings(**options)
    except TypeError as error:
        message = f"analyze: options {sorted(options)}: {error}"
        raise UserError(message) from None
