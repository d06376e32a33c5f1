"""The other methods of one trial: descriptions of the same units, and their scores beside PMI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.annotations.records import read_unit_texts
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.tables import cell
from milan_core.core.units import UnitKey
from milan_core.describers import retrieval
from milan_core.describers.sources import FeatureUnits
from milan_core.experiments.baselines.names import GREEDY
from milan_core.scoring.beams import Beams
from milan_core.scoring.references import References
from milan_core.scoring.scorer import ACCURACY, BERT_F, MAIN, Measured, Scorer
from milan_core.scoring.tables import TEST, Score, TrainingUnit
from milan_core.scoring.units import rows_of, unit_key

UNITS = ("method", "layer", "unit", "description", ACCURACY, BERT_F, "concept", "group")
THRESHOLDED = ("netdissect",)  # methods that would leave a unit without a label
WANTED = "the units to be scored"


def best_of_beams(beams: Beams, units: Sequence[UnitKey], what: str) -> list[str]:
    """The likeliest candidate of each unit under p(d|E)."""
    first = dict(zip(beams.units, beams.rerank(0.0), strict=True))
    return rows_of(units, first, what, WANTED)


def method_scores(measured: Mapping[str, Measured], scorer: Scorer) -> list[Score]:
    """Scores of every method, with paired differences to PMI.

    PMI and greedy p(d|E) are left out: they stand in the scores of the trial itself.
    """
    rows: list[Score] = []
    for name, values in measured.items():
        if name not in (MAIN, GREEDY):
            rows += scorer.rows(name, values)
            rows += scorer.lead_rows(name, measured[MAIN], values)
    return rows


def unit_rows(
    references: References,
    texts: Mapping[str, Sequence[str]],
    measured: Mapping[str, Measured],
) -> list[list[object]]:
    """Rows of units.csv: the description of every unit by every method, with its metrics.

    `concept` is the unit's concept where it is known and specific, `group` a number that units have
    in common which are no independent observations (empty: not known).
    """
    units = references.units
    concepts = [truth.concept if truth.specific else "" for truth in references.truth]
    concepts = concepts or [""] * len(units)
    groups = references.groups or [""] * len(units)
    rows: list[list[object]] = []
    for method, descriptions in texts.items():
        values = measured[method].units
        absent = np.full(len(units), np.nan)
        columns = [values.get(metric, absent) for metric in (ACCURACY, BERT_F)]
        for place, (layer, unit) in enumerate(units):
            metrics = [cell(float(column[place])) for column in columns]
            row = [method, layer, unit, descriptions[place], *metrics, concepts[place]]
            rows.append([*row, groups[place]])
    return rows


def passing(labels: Path, units: Sequence[UnitKey]) -> dict[str, float]:
    """Share of the units whose label passes the method's own threshold (NetDissect: IoU 0.04)."""
    passed: dict[str, list[int]] = {}
    wanted = set(units)
    for row in read_csv(labels, ("method", "layer", "unit")):
        judged = row["method"] in THRESHOLDED and row.get("passes")
        if judged and unit_key(row, labels) in wanted:
            passed.setdefault(row["method"], []).append(row["passes"] == "1")
    return {method: float(np.mean(values)) for method, values in passed.items()}


def retrieve(
    model: str,
    units: Sequence[UnitKey],
    split: Sequence[TrainingUnit],
    features: Mapping[str, FeatureTable],
    annotations: Mapping[str, Path],
) -> list[str]:
    """For every unit of `model` the typical annotation of its nearest training unit.

    Args:
        model: the described network.
        units: its units that are described.
        split: the units of the captioner's split; those of the test side are not retrieved.
        features: features of `model` and of the networks of the split, by name.
        annotations: annotations.csv of the networks of the split, by name.

    Raises:
        UserError: features of different encoders, or no training unit with an annotation.

    """
    retrieval.check_same_encoder(dict(features))
    summaries = {name: read_unit_texts(path) for name, path in annotations.items()}
    vectors = {name: retrieval.unit_features(table) for name, table in features.items()}
    training, texts = [], []
    for unit in split:
        if unit.side != TEST and unit.key in summaries.get(unit.model, {}):
            training.append(vectors[unit.model][unit.key])
            texts.append(retrieval.typical(summaries[unit.model][unit.key]))
    if not training:
        raise UserError("the captioner's units and the training annotations share no unit")
    described = FeatureUnits(features[model], Path(f"features of {model}"), keys=units)
    said = retrieval.Retrieval(np.stack(training), texts).describe(described)
    return [row.text for row in said.rows]
