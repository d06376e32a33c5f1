"""Scores of a table of descriptions from any source (`milan describe score`).

References are what people wrote of the units, what is known of them, or both. The trivial
baselines stand beside, as in the tables of the workflow: constants come from the texts that the
descriptions were learnt from, or else from the references themselves, which makes them stronger.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from milan_core.annotations.unpack import TABLE, unpack_table
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.scores import (
    ACCURACY,
    BERT_F,
    FEWER,
    MAIN,
    Score,
    Training,
    score_split,
)
from milan_core.scoring.units import (
    Material,
    Truth,
    UnitKey,
    read_annotations,
    read_descriptions,
    read_truth,
)
from milan_core.scoring.vectors import encoder_folder
from milan_core.scoring.words import tokens

OURS = "descriptions"
NAMES = {MAIN: OURS, FEWER: "descriptions_but_one"}
SHOWN = (ACCURACY, BERT_F, "bleu", "rouge-1-f", "rouge-l-f", "distinct", "mean_words")


@dataclass(frozen=True)
class References:
    """What is known of units: texts that were written of them, and their concepts."""

    texts: dict[UnitKey, tuple[str, ...]] = field(default_factory=dict)
    truth: dict[UnitKey, Truth] = field(default_factory=dict)

    def units(self) -> set[UnitKey]:
        """Units of which all is known that is known of any."""
        kinds = [set(known) for known in (self.texts, self.truth) if known]
        return set.intersection(*kinds) if kinds else set()

    def captions(self, units: Sequence[UnitKey]) -> list[str]:
        """The texts of some units; without texts the names of their concepts."""
        if self.texts:
            return [text for key in units for text in self.texts[key]]
        return [self.truth[key].concept for key in units]


def read_references(paths: Sequence[Path], count: int | None = None) -> References:
    """Read tables of annotations (CSV, or a set's folder or zip) and of known concepts (truth.csv).

    With `count` units with fewer texts are left out and further texts ignored, as in the published
    sets. Several tables must not speak of the same unit twice.
    """
    texts: dict[UnitKey, tuple[str, ...]] = {}
    truth: dict[UnitKey, Truth] = {}
    for path in paths:
        found = _read(path)
        for kind, own in ((texts, found.texts), (truth, found.truth)):
            if both := kind.keys() & own.keys():
                layer, unit = min(both)
                message = f"{path}: layer {layer!r} unit {unit} is in another of the given tables"
                raise UserError(message)
            kind.update(own)  # type: ignore[arg-type]
    if count is not None:
        texts = {key: said[:count] for key, said in texts.items() if len(said) >= count}
    return References(texts, truth)


def _read(path: Path) -> References:
    if path.suffix.lower() == ".zip" and not path.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            return _read(unpack_table(path, Path(folder)))
    table = path / TABLE if path.is_dir() else path
    rows = read_csv(table, ("layer", "unit"))
    columns = set(rows[0]) if rows else set()
    if {"concept", "accept"} <= columns:
        return References(truth=read_truth(table))
    if "summary" in columns:
        found = read_annotations(table)
        return References({key: tuple(said.values()) for key, said in found.items()})
    message = (
        f"{table}: expected the column summary (annotations) or concept and accept (truth), got "
        f"{', '.join(sorted(columns)) or 'an empty table'}"
    )
    raise UserError(message)


def score_table(
    descriptions: Path,
    references: Sequence[Path],
    learnt: Sequence[Path],
    bertscore: Sequence[Path],
    options: Mapping[str, Any],
    seed: int,
) -> tuple[list[Score], list[str]]:
    """Score a table of descriptions; returns its rows and sentences on what was scored.

    Args:
        descriptions: CSV with layer, unit and the column `options["column"]`.
        references: see `read_references`.
        learnt: the same of what the descriptions were learnt from, if that is known.
        bertscore: folder or asset.json of a text encoder, or nothing.
        options: column, count, bertscore_layer, bootstrap.
        seed: of the shuffling and of the intervals.

    """
    said = read_descriptions(descriptions, column=options["column"])
    known = read_references(references, options["count"])
    referred = known.units()
    units = [key for key in said if key in referred]
    if not units:
        message = (
            f"{descriptions} describes {len(said)} units, the references speak of "
            f"{len(referred)} others; layers are compared by name, such as "
            f"{_layers(said)} and {_layers(referred)}"
        )
        raise UserError(message)
    material = Material(
        tuple(units),
        tuple(known.texts[key] for key in units) if known.texts else (),
        tuple(known.truth[key] for key in units) if known.truth else (),
    )
    teaching = read_references(learnt) if learnt else known
    taught = sorted(teaching.units()) if learnt else units
    training = Training(
        teaching.captions(taught), [teaching.truth[key] for key in taught if teaching.truth]
    )
    if not any(tokens(text) for text in training.captions):
        places = ", ".join(map(str, learnt or references))
        message = f"{places}: no text has a word; give references that say something"
        raise UserError(message)
    bert = None
    if bertscore:
        bert = BertScorer(encoder_folder(bertscore[0]), options["bertscore_layer"])
    rows = score_split(
        {key: said[key] for key in units},
        material,
        training,
        bert=bert,
        bootstrap=Bootstrap(seed, options["bootstrap"]),
    )
    return [_renamed(row) for row in rows], _notes(said, len(referred), units, bool(learnt))


def _layers(units: Any) -> str:
    return ", ".join(sorted({layer for layer, _ in units})[:3]) or "none"


def _renamed(row: Score) -> Score:
    metric = row.metric.replace("lead-of-pmi", f"lead-of-{OURS}")
    return replace(row, method=NAMES.get(row.method, row.method), metric=metric)


def _notes(
    said: Mapping[UnitKey, str], total: int, units: Sequence[UnitKey], learnt: bool
) -> list[str]:
    notes = [
        f"{len(units)} units scored; {len(said) - len(units)} described units have no reference, "
        f"{total - len(units)} of {total} units with a reference are not described"
    ]
    if not learnt:
        notes.append(
            "constants are chosen among the references themselves, so they are stronger than those "
            "of training texts (--learnt)"
        )
    return notes


def summary(rows: Sequence[Score]) -> list[str]:
    """The main figures as an aligned table, a line per method; a dash where there is none."""
    found = {(row.method, row.metric): row for row in rows}
    metrics = [name for name in SHOWN if any(metric == name for _, metric in found)]
    lines = [["method", *metrics]]
    for method in dict.fromkeys(row.method for row in rows):
        values = [found.get((method, metric)) for metric in metrics]
        lines.append([method, *(_cell(score) for score in values)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _cell(score: Score | None) -> str:
    if score is None or score.value != score.value:
        return "-"
    text = f"{score.value:.0f}" if score.metric == "distinct" else f"{score.value:.3f}"
    return f"{text} [{score.low:.3f}, {score.high:.3f}]" if score.low == score.low else text
