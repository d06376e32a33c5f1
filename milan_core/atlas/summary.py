"""Facts of a network for the overview: layers, counts, describers with their mean scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.atlas.masks import heat_shape
from milan_core.atlas.network import NetworkContent
from milan_core.atlas.said import Said, kind_of, label_of
from milan_core.atlas.units import UnitRecord
from milan_core.core.files import read_csv
from milan_core.core.numbers import number, percent
from milan_core.core.tables import grouped
from milan_core.scoring.joined import CORRECT


def network_summary(content: NetworkContent, names: Mapping[str, str]) -> dict[str, Any]:
    """The facts of one network, as the page reads them."""
    files, units, exemplars = content.files, content.units, content.exemplars
    return {
        "name": files.name,
        "slug": content.slug,
        "dataset": files.dataset_name,
        "encoder": files.is_encoder,
        "student": files.is_student,
        "judged": files.truth is not None,
        "k": exemplars.k,
        "quantile": exemplars.meta.get("quantile"),
        "mode": exemplars.meta.get("mode", "top"),
        "weight": files.weight,
        "accuracy": _accuracy(content),
        "layers": _layers(content),
        "units": len(units),
        "statuses": dict(Counter(unit.status for unit in units)),
        "grades": dict(Counter(unit.grade for unit in units if unit.grade)) or None,
        "sentence": graded_sentence(units) or diversity_sentence(units),
        "distinct": len({unit.text for unit in units if unit.text and not unit.silent}),
        "describers": _describers(content.said, names),
        "main": content.said.main,
        "judges": list(content.said.judges),
        "candidates": bool(content.candidates),
        "has": {
            name: any(getattr(unit, name) == getattr(unit, name) for unit in units)
            for name in ("confidence", "importance", "logp", "coverage")
        },
    }


def diversity_sentence(units: Sequence[UnitRecord]) -> str:
    """Count different descriptions, and give the share of the most frequent one."""
    texts = [unit.text for unit in units if not unit.silent]
    if not texts:
        return ""
    counts = Counter(texts)
    text, times = min(counts.items(), key=lambda item: (-item[1], item[0]))
    sentence = f"{len(counts)} different descriptions for {len(texts)} units"
    if counts[""]:
        sentence += f"; {counts['']} of them have none"
    if times > 1 and text:
        sentence += f"; the most frequent, “{text}”, is said of {percent(times / len(texts))}"
    return sentence + "."


def graded_sentence(units: Sequence[UnitRecord]) -> str:
    """Count the described units of a describer that grades, and say what would describe more."""
    grades = Counter(unit.grade for unit in units if unit.grade)
    if not grades:
        return ""
    total, texts = len(units), len({unit.text for unit in units if unit.text})
    return (
        f"{grades['A']} of {total} units ({percent(grades['A'] / total)}) are described, "
        f"with {texts} different texts; {grades['B']} more follow a word weakly, which their "
        f"pages say, and {total - grades['A'] - grades['B']} have no reliable description. More "
        "images describe more units, and so does an image-text encoder of your own "
        "(docs/photographs.md)."
    )


def _accuracy(content: NetworkContent) -> list[tuple[str, float]]:
    path = content.files.accuracy
    rows = read_csv(path, ("dataset", "accuracy")) if path is not None else []
    return [(row["dataset"], number(row["accuracy"])) for row in rows]


def _layers(content: NetworkContent) -> list[dict[str, Any]]:
    """Of each layer, in order: counts, the mean held-out score, and the cells of a stored map."""
    rows = []
    for name, units in grouped(content.units, lambda unit: unit.layer).items():
        maps = content.exemplars.layer(name).maps
        rows.append(
            {
                "name": name,
                **unit_counts(units),
                "corr": _mean_score(content.said, units),
                "heat": heat_shape((maps.shape[2], maps.shape[3])) if maps is not None else None,
            }
        )
    return rows


def unit_counts(units: Sequence[UnitRecord]) -> dict[str, int]:
    """Counts of units: all, with a description, with a specific concept, that name it, reliable."""
    return {
        "units": len(units),
        "says": sum(unit.says for unit in units),
        "specific": sum(unit.specific for unit in units),
        "named": sum(unit.verdict == CORRECT for unit in units),
        "reliable": sum(unit.reliable for unit in units),
    }


def _mean_score(said: Said, units: Sequence[UnitRecord]) -> float:
    scores = [found[1][0] for unit in units if (found := said.main_scores(unit.key))]
    values = [score for score in scores if score == score]
    return float(np.mean(values)) if values else float("nan")


def _describers(said: Said, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every describer: its name for people, its kind, and its mean correlation by judge."""
    rows = []
    for name, texts in said.texts.items():
        means = {}
        for judge in said.judges:
            values = [one.scores[judge][0] for one in texts.values() if judge in one.scores]
            values = [value for value in values if value == value]
            means[judge] = float(np.mean(values)) if values else float("nan")
        label = label_of(name, names)
        rows.append({"id": name, "label": label, "kind": kind_of(name), "mean": means})
    return rows
