"""Describers on the zoo: what they say of every unit, against what it computes.

    rows = ranked(said, RankOptions())       # said: texts by unit, of each describer

Texts are read by the zoo's oracle on scenes that no describer has seen. A unit's exact value takes
the place of its activation, so no network runs here; `label_describers` runs one for describers of
the tree that label units from masks of concepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.referee.metrics import METRICS, Pair, firing
from milan_core.referee.resampling import UNDEFINED, Interval
from milan_core.referee.scored import Explanation
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.world.zoo.expressions import parse_expression
from milan_core.world.zoo.facts import COLORS, Facts, draw_facts
from milan_core.world.zoo.lexicon import zoo_concepts
from milan_core.world.zoo.wording import description
from milan_core.zoo.agreement import iou, kappa, presence
from milan_core.zoo.candidates import SAME
from milan_core.zoo.units import PlantedUnit, planted_units

Said = Mapping[UnitKey, Explanation]
Ordered = dict[str, Interval]
MEASURES = ("exact", "kappa", "agreement", *METRICS)
"""`exact`: the text says the same as the unit; `kappa`, `agreement` (IoU): exact; then scores."""
CORRELATION = "correlation"
SILENT = ("dead",)  # kinds about which nothing is right


@dataclass(frozen=True)
class RankOptions:
    """Scenes and how units fire."""

    scenes: int = 2000
    seed: int = 77
    alpha: float = 0.02
    resamples: int = 2000


@dataclass(frozen=True)
class Ranked:
    """One describer on all units that can be scored; a unit without a readable text counts as 0.

    Attributes:
        name: of the describer.
        units: that can be scored.
        described: of them, with a text.
        unread: of these, texts that the oracle cannot read.
        silent: dead units without a text, of `dead`.
        dead: dead units.
        measures: mean over units with its interval over resampled expressions; of weighted lists
            the correlation only.
        values: float64 [units] by measure.

    """

    name: str
    units: int
    described: float
    unread: float
    silent: float
    dead: int
    measures: dict[str, Interval]
    values: dict[str, np.ndarray]


class Field:
    """Scenes on which describers are compared, and the exact values of all units there."""

    def __init__(self, options: RankOptions) -> None:
        scenes = draw_facts(options.scenes, options.seed)
        self.options, self.oracle, facts = options, ZooOracle(scenes), Facts(scenes)
        every = planted_units()
        self.units = [unit for unit in every if unit.kind not in ("dead", "constant")]
        self.dead = [unit.key for unit in every if unit.kind in SILENT]
        self.values = np.stack([unit.expression.value(facts) for unit in self.units])
        self.presence = np.stack([presence(unit.expression, facts) for unit in self.units])
        names = [str(unit.expression) for unit in self.units]
        self.clusters = np.array([names.index(name) for name in names])

    def column(self, one: Explanation) -> np.ndarray | None:
        """Presence of an explanation in all scenes; None where it is not read."""
        columns = self.oracle.presence(one.texts).astype(np.float64)
        c = columns @ np.array(one.weights) if one.weights else columns.mean(1)
        return None if np.isnan(c).any() else c

    def measured(self, place: int, c: np.ndarray, weighted: bool) -> dict[str, float]:
        """Every measure of one unit and text; a weighted sum has correlation only."""
        a = self.values[place]
        pair = Pair(a, c, firing(a, self.options.alpha))
        if weighted:
            return {CORRELATION: METRICS[CORRELATION](pair)}
        agreement = kappa(self.presence[place], c)
        found = {name: scorer(pair) for name, scorer in METRICS.items()}
        exact = {"exact": float(agreement > SAME), "kappa": agreement}
        return {**exact, "agreement": iou(self.presence[place], c), **found}


def rank_one(name: str, said: Said, field: Field) -> Ranked:
    """The scores of one describer's texts."""
    values = {measure: np.zeros(len(field.units)) for measure in MEASURES}
    described = unread = 0.0
    for place, unit in enumerate(field.units):
        one = said.get(unit.key)
        if one is None or not one.texts:
            continue
        described += 1
        c = field.column(one)
        if c is None:
            unread += 1
            continue
        for measure, value in field.measured(place, c, bool(one.weights)).items():
            if measure in values and np.isfinite(value):
                values[measure][place] = value
    silent = sum(not (key in said and said[key].texts) for key in field.dead)
    counts = len(field.units), described, unread, float(silent), len(field.dead)
    measures = _intervals(values, field)
    if any(one.weights for one in said.values()):  # a weighted sum of presences is no presence
        measures = {name: measures[name] if name == CORRELATION else UNDEFINED for name in measures}
    return Ranked(name, *counts, measures, values)


def _intervals(values: Mapping[str, np.ndarray], field: Field) -> dict[str, Interval]:
    boot = Bootstrap(seed=0, resamples=field.options.resamples)
    return {
        measure: Interval(
            float(found.mean()), *boot.interval(found, "zoo", clusters=field.clusters)
        )
        for measure, found in values.items()
    }


def over_runs(runs: Sequence[Ranked], field: Field) -> Ranked:
    """Several runs of one describer as one: means of each unit."""
    first = runs[0]
    values = {
        measure: np.mean([run.values[measure] for run in runs], axis=0) for measure in MEASURES
    }
    described, unread, silent = (
        float(np.mean([getattr(run, part) for run in runs]))
        for part in ("described", "unread", "silent")
    )
    counts = first.units, described, unread, silent, first.dead
    return Ranked(first.name, *counts, _intervals(values, field), values)


def order_agreement(
    kappas: np.ndarray, scores: Mapping[str, np.ndarray], field: Field, resamples: int = 300
) -> Ordered:
    """Whether each score orders describers as exact agreement does: tau with its interval.

    Args:
        kappas: float64 [describers, units], exact agreement.
        scores: float64 [describers, units] by score.
        field: whose units they are; intervals are over its resampled expressions.
        resamples: of the expressions.

    """
    clusters = np.unique(field.clusters)
    counts = np.ones((1 + resamples, len(field.clusters)))
    rng = generator(0, "zoo order")
    for row in counts[1:]:
        drawn = np.bincount(rng.choice(clusters, len(clusters)), minlength=clusters.max() + 1)
        row[:] = drawn[field.clusters]
    truth = counts @ kappas.T
    found: Ordered = {}
    for score, values in scores.items():
        taus = [
            float(kendalltau(np.round(a, 9), np.round(b, 9)).statistic)
            for a, b in zip(counts @ values.T, truth, strict=True)
        ]
        low, high = np.nanquantile(taus[1:], [0.025, 0.975])
        found[score] = Interval(taus[0], float(low), float(high))
    return found


def order_of_rows(rows: Sequence[Ranked], field: Field, resamples: int = 300) -> Ordered:
    """`order_agreement` of the scores that `rank_one` has made by the oracle."""
    values = {name: np.stack([row.values[name] for row in rows]) for name in ("kappa", *METRICS)}
    return order_agreement(values.pop("kappa"), values, field, resamples)


def trivial(field: Field) -> dict[str, Said]:
    """The truth, the best single concept, and baselines that know nothing of a unit."""
    units = planted_units()
    truth = {unit.key: _text(unit.key, unit.description) for unit in units}
    words = [description(concept) for concept in zoo_concepts().values()]
    words += [f"{color} things" for color in COLORS]
    columns = field.oracle.presence(words).astype(np.float64)
    best = {}
    for place, unit in enumerate(field.units):
        agreements = [kappa(field.presence[place], column) for column in columns.T]
        best[unit.key] = _text(unit.key, words[int(np.nanargmax(agreements))])
    rng = generator(0, "zoo baselines")
    texts = [unit.description for unit in field.units]
    often = max(sorted(set(texts)), key=texts.count)
    constant = description(parse_expression("1"))
    return {
        "truth": truth,
        "best single concept (by exact agreement)": best,
        "constant": {unit.key: _text(unit.key, constant) for unit in units},
        "most frequent truth": {unit.key: _text(unit.key, often) for unit in units},
        "truth of another unit": {
            unit.key: _text(unit.key, _other(unit, units, rng)) for unit in units
        },
    }


def _other(unit: PlantedUnit, units: Sequence[PlantedUnit], rng: np.random.Generator) -> str:
    others = [
        other.description
        for other in units
        if other.key[0] == unit.key[0] and other.description and other.key != unit.key
    ]
    return others[int(rng.integers(len(others)))]


def _text(key: UnitKey, text: str) -> Explanation:
    return Explanation(key, (text,) if text else ())


def label_describers(folder: Path, images: int, seed: int) -> dict[str, Said]:
    """Descriptions of the zoo's units by NetDissect, Compositional Explanations and INVERT.

    Formulas are given twice: as the text that people read, and as the formula itself, since the
    text has no brackets.

    Args:
        folder: empty, for pictures, network and masks.
        images: scenes that they see.
        seed: of these scenes.

    """
    import yaml

    from milan_core.core.step import Compute
    from milan_core.describers.activations import NetworkUnits
    from milan_core.describers.describer import Resources
    from milan_core.describers.driver import describe
    from milan_core.describers.options import CompexpOptions, InvertOptions, NetDissectOptions
    from milan_core.describers.registry import load_describer
    from milan_core.images.kinds.folder import Folder, FolderOptions
    from milan_core.networks.zoo import load_network
    from milan_core.zoo.make import NETWORK, VIEW, write_network, write_scenes
    from milan_core.zoo.masks import zoo_masks

    scenes = draw_facts(images, seed)
    write_scenes(folder / "images", scenes)
    write_network(folder)
    options = FolderOptions(path=str(folder / "images"), geometry="keep")
    dataset = Folder(options=options).build("zoo", folder / "dataset", {}, 1)
    entry = yaml.safe_load(VIEW)
    loaded = load_network({**entry, "factory": f"{folder / NETWORK}:zoo_network"})
    chosen = (NetDissectOptions(), CompexpOptions(), InvertOptions())
    describers = [load_describer(one, Resources()) for one in chosen]
    units = NetworkUnits(
        *(loaded, dataset, zoo_masks(scenes, dataset.fingerprint)),
        sorted({quantile for one in describers for quantile in one.quantiles}),
        folder,
        batch_size=50,
        compute=Compute(),
    )
    said: dict[str, Said] = {}
    for one, describer in zip(chosen, describers, strict=True):
        rows = describe(describer, units)
        pairs = list(zip(rows.keys, rows.rows, strict=True))
        said[one.label] = {key: _text(key, row.text) for key, row in pairs}
        if any(row.cells.get("category") == "formula" for _, row in pairs):
            formulas = {key: _text(key, str(row.cells.get("label", ""))) for key, row in pairs}
            said[f"{one.label}, its formula"] = formulas
    return said
