"""The stage `baselines`: other methods on the same exemplars and splits as the captioner (Table 2).

One trial is scored by `score_methods`: p(d|E) with the captioner's whole beam, retrieval, and the
labels of concept-based methods, with paired differences to PMI over units. What the trial already
scored without them (greedy p(d|E) and the trivial baselines) stays in its own `scores.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.captioner.features.store import load_features
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv, write_json
from milan_core.describers import retrieval
from milan_core.experiments.generalization.score import TEST, open_trial, read_baselines
from milan_core.scoring import pmi
from milan_core.scoring.scores import (
    ACCURACY,
    BERT_F,
    MAIN,
    Measured,
    Score,
    cell,
    lead_rows,
    method_rows,
    write_scores,
)
from milan_core.scoring.units import (
    Material,
    UnitKey,
    read_annotations,
    read_descriptions,
    unit_key,
)

GREEDY, BEAM, RETRIEVAL = "greedy", "beam", "retrieval"
UNITS = ("method", "layer", "unit", "description", ACCURACY, BERT_F)
THRESHOLDED = ("netdissect",)  # methods that would leave a unit without a label
Texts = Mapping[UnitKey, str]


@dataclass
class TrialFiles:
    """What `score_methods` reads of one trial; `features` are of the described network.

    `truth` is empty for an annotation set, whose concepts nobody knows.
    """

    descriptions: Path
    beams: Path
    baselines: Path
    annotations: Path
    truth: Sequence[Path]
    units: Path
    learnt: Sequence[Path]
    features: Path
    learnt_features: Sequence[Path]
    labels: Sequence[Path]
    bertscore: Sequence[Path]


def score_methods(
    trial: TrialFiles, options: Mapping[str, Any], seed: int, folder: Path
) -> list[Score]:
    """Write `scores.csv`, `units.csv` and `facts.json` of one trial into `folder`.

    `units.csv` keeps the description of every unit by every method of Table 2 with its values, and
    `facts.json` the manifest that the network was probed with and what `passing` says. Returns the
    rows of `scores.csv`.
    """
    opened = open_trial(trial, options, seed)
    material, scorer, bootstrap = opened.material, opened.scorer, opened.bootstrap
    texts = method_texts(trial, material)
    measured = {name: scorer.measure([said]) for name, said in texts.items()}
    rows: list[Score] = []
    for name, found in measured.items():
        if name not in (MAIN, GREEDY):  # these stand in the scores of the trial itself
            rows += method_rows(name, found, material, bootstrap)
            rows += lead_rows(name, measured[MAIN], found, bootstrap)
    write_scores(folder / "scores.csv", rows)
    _write_units(folder / "units.csv", material, texts, measured)
    facts = {"manifest": load_features(trial.features).meta["dataset"]}
    write_json(folder / "facts.json", facts | {"passes": passing(trial.labels, material.units)})
    return rows


def method_texts(trial: TrialFiles, material: Material) -> dict[str, list[str]]:
    """Descriptions of the units of `material` by every method, PMI first."""
    described = read_descriptions(trial.descriptions, TEST)
    texts = {MAIN: material.texts(described, str(trial.descriptions))}
    others = read_baselines(trial.baselines)
    if GREEDY in others:
        texts[GREEDY] = _of_units(others[GREEDY], material, f"{trial.baselines} ({GREEDY})")
    beams = pmi.read_beams(trial.beams)
    missing = set(material.units) - set(beams.units)
    if missing:
        raise _missing(str(trial.beams), missing)
    texts[BEAM] = pmi.rerank(beams.select(material.units), 0.0)
    texts[RETRIEVAL] = retrieve(trial, material)
    for path in trial.labels:
        for method, table in read_baselines(path).items():
            texts[method] = _of_units(table, material, f"{path} ({method})")
    return texts


def passing(labels: Sequence[Path], units: Sequence[UnitKey]) -> dict[str, float]:
    """Share of the units whose label passes the method's own threshold (NetDissect: IoU 0.04)."""
    found: dict[str, list[int]] = {}
    wanted = set(units)
    for path in labels:
        for row in read_csv(path, ("method",)):
            known = row["method"] in THRESHOLDED and row.get("passes")
            if known and unit_key(row, path) in wanted:
                found.setdefault(row["method"], []).append(row["passes"] == "1")
    return {method: float(np.mean(values)) for method, values in found.items()}


def _of_units(table: Texts, material: Material, what: str) -> list[str]:
    """Texts of the units of `material` out of a table of all units of the network."""
    missing = set(material.units) - table.keys()
    if missing:
        raise _missing(what, missing)
    return [table[key] for key in material.units]


def _missing(what: str, keys: set[UnitKey]) -> UserError:
    layer, unit = min(keys)
    return UserError(
        f"{what}: {len(keys)} of the units to be scored are missing, such as layer {layer!r} unit "
        f"{unit}; it was made for another network or run, so make it again"
    )


def retrieve(trial: TrialFiles, material: Material) -> list[str]:
    """For every unit the typical annotation of its nearest training unit."""
    name = trial.features.parent.parent.name
    own = load_features(trial.features)
    tables = {path.parent.parent.name: load_features(path) for path in trial.learnt_features}
    retrieval.check_same_encoder({name: own, **tables})
    annotations = {path.parent.parent.name: read_annotations(path) for path in trial.learnt}
    vectors = {model: retrieval.unit_features(table) for model, table in tables.items()}
    known, said = [], []
    for row in read_csv(trial.units, ("model", "layer", "unit", "side")):
        key = unit_key(row, trial.units)
        if row["side"] == TEST or key not in annotations.get(row["model"], {}):
            continue
        known.append(vectors[row["model"]][key])
        said.append(retrieval.typical(list(annotations[row["model"]][key].values())))
    if not known:
        raise UserError(f"{trial.units} and the training annotations have no unit in common")
    by_unit = retrieval.unit_features(own)
    found = retrieval.nearest(np.stack([by_unit[key] for key in material.units]), np.stack(known))
    return [said[row] for row in found]


def _write_units(
    path: Path,
    material: Material,
    texts: Mapping[str, Sequence[str]],
    measured: Mapping[str, Measured],
) -> None:
    rows: list[list[object]] = []
    for method, said in texts.items():
        values = measured[method].units
        nothing = np.full(len(said), np.nan)
        columns = [values.get(metric, nothing) for metric in (ACCURACY, BERT_F)]
        for place, (layer, unit) in enumerate(material.units):
            own = [cell(float(column[place])) for column in columns]
            rows.append([method, layer, unit, said[place], *own])
    write_csv(path, UNITS, rows)
