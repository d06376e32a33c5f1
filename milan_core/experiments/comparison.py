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

from milan_core.errors import UserError
from milan_core.experiments import pmi
from milan_core.experiments.bootstrap import Bootstrap
from milan_core.experiments.scores import (
    ACCURACY,
    BERT_F,
    MAIN,
    Measured,
    Score,
    Scorer,
    cell,
    lead_rows,
    method_rows,
    write_scores,
)
from milan_core.experiments.stage import TEST, encoder_folder, read_baselines, read_training
from milan_core.experiments.units import (
    Material,
    UnitKey,
    read_annotations,
    read_descriptions,
    read_material,
    unit_key,
)
from milan_core.features.store import load_features
from milan_core.labels import retrieval
from milan_core.runtime.files import read_csv, write_csv, write_json
from milan_core.text.bertscore import BertScorer
from milan_core.text.metrics import WordInformation

GREEDY, BEAM, RETRIEVAL = "greedy", "beam", "retrieval"
UNITS = ("method", "layer", "unit", "description", ACCURACY, BERT_F)
Texts = Mapping[UnitKey, str]


@dataclass(frozen=True)
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
    `facts.json` the manifest that the network was probed with. Returns the rows of `scores.csv`.
    """
    tested = list(read_descriptions(trial.descriptions, TEST))
    material = read_material(trial.annotations, trial.truth, tested)
    training = read_training(trial.units, trial.learnt)
    bert = None
    if trial.bertscore:
        layer = int(options.get("bertscore_layer", 5))
        bert = BertScorer(encoder_folder(trial.bertscore[0]), layer)
    scorer = Scorer(material, WordInformation(training.captions), bert)
    bootstrap = Bootstrap(seed, int(options.get("bootstrap", 2000)))
    texts = method_texts(trial, material)
    measured = {name: scorer.measure([said]) for name, said in texts.items()}
    rows: list[Score] = []
    for name, found in measured.items():
        if name not in (MAIN, GREEDY):  # these stand in the scores of the trial itself
            rows += method_rows(name, found, material, bootstrap)
            rows += lead_rows(name, measured[MAIN], found, bootstrap)
    write_scores(folder / "scores.csv", rows)
    _write_units(folder / "units.csv", material, texts, measured)
    write_json(folder / "facts.json", {"manifest": load_features(trial.features).meta["dataset"]})
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
