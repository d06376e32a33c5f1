"""The stage `edit`: ablate the units that read spurious text, with controls (paper section 7).

Ranking, choice of the number of units, and test use three different sets of images: the published
numbers were read off the test curve (spec 5.5), these are only on request (`choose_on`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv, write_json
from milan_core.experiments.audited import load_audited
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.fine_tune import fine_tuned
from milan_core.experiments.edit.results import (
    ADVERSARIAL,
    BEFORE,
    CLEAN,
    CORRECT,
    TESTS,
    Right,
    results,
)
from milan_core.images.store import Dataset, open_dataset
from milan_core.networks.ablation import AblationEngine, PreparedImages
from milan_core.networks.training.train import evaluate
from milan_core.networks.zoo import LoadedModel, load_network
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.units import UnitKey, check_same_units

CURVES = ("condition", "trial", "n_ablated", "split", "accuracy", "model")
CHOSEN = ("model", "place", "layer", "unit", "description", "concept", "accuracy", "chosen_by")
VALIDATION = ("validation-clean", "validation-adversarial")
CHOICE = "validation"  # what the number of units is chosen on unless the options say otherwise
COPIES = 8  # ablations of one batch that run together
FORMAT = 1


class EditFiles(Protocol):
    """What `run_edit` reads; `datasets` are those named in `options["splits"]`, in any order."""

    model: Mapping[str, Any]
    descriptions: Path
    exemplars: Path
    truth: Path | None
    datasets: Sequence[Path]
    train: Path | None
    reference: Path | None
    options: Mapping[str, Any]
    seed: int
    device: str
    out: Path


class Bench:
    """One network with an ablation engine for each split."""

    def __init__(self, loaded: LoadedModel, splits: Mapping[str, Dataset], batch: int, device: str):
        self.loaded = loaded
        self.engines = {
            name: AblationEngine(
                loaded.module,
                loaded.layers,
                PreparedImages(data.images, loaded.input),
                data.labels,
                batch,
                device,
                layout=loaded.layout,
            )
            for name, data in splits.items()
        }
        self.units: list[UnitKey] = list(next(iter(self.engines.values())).units)

    def keys(self, places: Sequence[int]) -> list[UnitKey]:
        """Units at these places."""
        return [self.units[place] for place in places]

    def right(self, split: str, sets: Sequence[Sequence[int]]) -> np.ndarray:
        """Whether each image is classified correctly without the units of each set of places.

        float64 [sets, images].
        """
        engine = self.engines[split]
        guesses = engine.predictions_each([self.keys(places) for places in sets])
        return (guesses == engine.labels).astype(np.float64)


def run_edit(files: EditFiles) -> None:
    """Write curves.csv, units.csv and result.json of one network beside `files.out`."""
    options, name = files.options, files.model["name"]
    network = load_audited(name, files.descriptions, files.exemplars, files.truth)
    splits = open_splits(options["splits"], files.datasets)
    batch = COPIES * int(files.model.get("batch_size", 64))
    bench = Bench(load_network(files.model), splits, batch, files.device)
    check_same_units(network.descriptions, bench.units, f"{files.descriptions}", "the network")
    place = {key: i for i, key in enumerate(bench.units)}
    text = [place[key] for key in network.matched(options["query"])]
    known = network.known(options["query"])
    accuracy = bench.engines["ranking"].single(bench.units)
    found = orders.all_orders(
        text,
        None if known is None else [place[key] for key in known],
        accuracy,
        bench.units,
        max(options["steps"]),
        options["draws"],
        files.seed,
    )
    curves = measure(bench, found, options["steps"])
    folder = files.out.parent
    choose_on = options.get("choose_on", CHOICE)
    chosen = {key: choose(curves, key, choose_on) for key in found if key in orders.SORTED}
    counts = {**chosen, **dict.fromkeys(orders.DRAWN, chosen[orders.TEXT])}
    right = at_counts(bench, found, counts)
    curves |= drawn_points(right, counts)
    rows = [[c, t, n, s, value, name] for (c, t, n, s), value in curves.items()]
    write_csv(folder / "curves.csv", CURVES, rows)
    best = bench.keys(found[orders.TEXT][0, : chosen[orders.TEXT]].tolist())
    facts = {
        "format": FORMAT,
        "model": name,
        "query": options["name"],
        "units": len(bench.units),
        "matched": len(text),
        "known": None if known is None else len(known),
        "both": None if known is None else len({place[key] for key in known} & set(text)),
        "images": {split: len(data) for split, data in splits.items()},
        "fine_tuned": tuned(files, bench, splits, best) if options["fine_tune"] else None,
        "reference": reference_accuracy(files.reference, splits) if files.reference else None,
    }
    if choose_on != CHOICE:
        facts["chosen_on"] = choose_on
    facts |= {key: options[key] for key in ("ranking_text", "group") if key in options}
    bootstrap = Bootstrap(files.seed, options["bootstrap"])
    write_json(files.out, facts | results(right, counts, bootstrap))
    _write_units(folder / "units.csv", name, network, bench, found, accuracy)


def open_splits(names: Mapping[str, str], paths: Sequence[Path]) -> dict[str, Dataset]:
    """The data set of every split, found by its name; all must have the same classes, in order."""
    found = [open_dataset(path.parent if path.suffix else path) for path in paths]
    named = {data.name: data for data in found}
    missing = sorted(set(names.values()) - set(named))
    if missing:
        raise UserError(
            f"edit: options.splits names {', '.join(missing)}, but --datasets has "
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


Point = tuple[str, int, int, str]  # condition, draw, units ablated, split


def measure(
    bench: Bench, found: Mapping[str, np.ndarray], steps: Sequence[int]
) -> dict[Point, float]:
    """Accuracies along the orders: sorted ones on all splits, drawn ones on wrong text only."""
    curves: dict[Point, float] = {}
    for split in (*VALIDATION, *TESTS):
        points = {
            (condition, draw, step, split): row[:step].tolist()
            for condition, rows in found.items()
            if condition in orders.SORTED or split == ADVERSARIAL
            for draw, row in enumerate(rows)
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


def at_counts(bench: Bench, found: Mapping[str, np.ndarray], counts: Mapping[str, int]) -> Right:
    """Which test images are right before (one row), and without the units of every draw."""
    parts: dict[str, list[list[int]]] = {BEFORE: [[]]} | {
        condition: [row[: counts[condition]].tolist() for row in rows]
        for condition, rows in found.items()
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
    """Accuracies of the drawn controls on the other test splits, at the chosen number only."""
    return {
        (condition, draw, counts[condition], split): float(row.mean())
        for condition in orders.DRAWN
        for split in (CLEAN, CORRECT)
        for draw, row in enumerate(right[condition][split])
    }


def tuned(
    files: EditFiles, bench: Bench, splits: Mapping[str, Dataset], units: Sequence[UnitKey]
) -> dict[str, dict[str, float]]:
    """Test accuracies after training the head, without the chosen units and, as control, with."""
    if files.train is None:
        raise UserError("edit: fine_tune needs the network's training images (--train)")
    train = open_dataset(files.train.parent if files.train.suffix else files.train)
    settings = files.options["fine_tune"]
    found = {}
    for what, gone in (("units removed", units), ("no unit removed", [])):
        module = fine_tuned(bench.loaded, gone, train, settings, files.seed, files.device)
        found[what] = {
            split: evaluate(module, splits[split], input=bench.loaded.input, device=files.device)
            for split in TESTS
        }
    return found


def reference_accuracy(path: Path, splits: Mapping[str, Dataset]) -> dict[str, float]:
    """Accuracies of a network trained without the cue on the same test images."""
    rows = {row["dataset"]: float(row["accuracy"]) for row in read_csv(path, ("dataset",))}
    missing = [splits[split].name for split in TESTS if splits[split].name not in rows]
    if missing:
        raise UserError(f"{path}: no accuracy on {', '.join(missing)}; add them to its tests")
    return {split: rows[splits[split].name] for split in TESTS}


def _write_units(
    path: Path,
    name: str,
    network: Any,
    bench: Bench,
    found: Mapping[str, np.ndarray],
    accuracy: np.ndarray,
) -> None:
    """The units of the sorted orders, with the accuracy on the ranking images without each."""
    rows = []
    for condition in (c for c in found if c in orders.SORTED):
        for rank, place in enumerate(found[condition][0].tolist()):
            key = bench.units[place]
            concept = network.truth[key].concept if network.truth else ""
            text = network.descriptions[key]
            rows.append([name, rank, *key, text, concept, float(accuracy[place]), condition])
    write_csv(path, CHOSEN, rows)
