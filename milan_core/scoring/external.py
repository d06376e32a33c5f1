"""Scores of a table of descriptions from any source (`milan score`).

References are annotations of the units, their ground truth, or both. The trivial baselines stand
beside, as in the tables of the workflow: constants come from the texts that the descriptions were
trained on, or else from the references themselves, which makes them stronger.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from milan_core.annotations.records import read_unit_groups, read_unit_texts
from milan_core.annotations.unpack import TABLE, unpack_table
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.units import UnitKey
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.beside import FEWER, score_beside
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.options import ScoreOptions
from milan_core.scoring.references import References, Training
from milan_core.scoring.scorer import ACCURACY, BERT_F, MAIN, Scorer
from milan_core.scoring.tables import Score, Truth, read_truth
from milan_core.scoring.vectors import encoder_folder
from milan_core.scoring.words import tokens

OURS = "descriptions"
NAMES = {MAIN: OURS, FEWER: "descriptions_but_one"}
EMPTY = "empty"
_ROUGE = ("rouge-1-f", "rouge-l-f")
SHOWN = (ACCURACY, BERT_F, "bleu", "rouge-1-f", "rouge-l-f", "distinct", "mean_words")


@dataclass(frozen=True)
class Known:
    """Annotations and ground truth of units, by unit; either may be empty.

    Units of one group are no independent observations (`annotations.records`).
    """

    texts: dict[UnitKey, tuple[str, ...]] = field(default_factory=dict)
    truth: dict[UnitKey, Truth] = field(default_factory=dict)
    groups: dict[UnitKey, int] = field(default_factory=dict)

    def units(self) -> set[UnitKey]:
        """Units that are in every table that was given."""
        tables = [set(table) for table in (self.texts, self.truth) if table]
        return set.intersection(*tables) if tables else set()

    def training(self, units: Sequence[UnitKey]) -> Training:
        """Texts and truth of some units; without texts the names of their concepts."""
        truth = [self.truth[key] for key in units if self.truth]
        if self.texts:
            return Training([text for key in units for text in self.texts[key]], truth)
        return Training([entry.concept for entry in truth], truth)

    def references(self, units: Sequence[UnitKey]) -> References:
        """The references of some units, in their order."""
        texts = tuple(self.texts[key] for key in units) if self.texts else ()
        truth = tuple(self.truth[key] for key in units) if self.truth else ()
        groups = tuple(self.groups[key] for key in units) if self.groups else ()
        return References(tuple(units), texts, truth, groups)


def read_known(paths: Sequence[Path], count: int | None = None) -> Known:
    """Read tables of annotations (CSV, or a set's folder or zip) and of ground truth (truth.csv).

    With `count` units with fewer texts are left out and further texts ignored, as in the published
    sets.

    Raises:
        UserError: a unit is in two tables of one kind, or a table is of neither kind.

    """
    texts: dict[UnitKey, tuple[str, ...]] = {}
    truth: dict[UnitKey, Truth] = {}
    groups: dict[UnitKey, int] = {}
    numbers: dict[tuple[Path, int], int] = {}  # of the groups of each table
    for path in paths:
        table = _read(path)
        if both := (texts.keys() & table.texts.keys()) | (truth.keys() & table.truth.keys()):
            layer, unit = min(both)
            raise UserError(
                f"{path}: layer {layer!r} unit {unit} is in another of the given tables"
            )
        texts.update(table.texts)
        truth.update(table.truth)
        for key, number in table.groups.items():
            groups[key] = numbers.setdefault((path, number), len(numbers))
    if count is not None:
        texts = {
            key: summaries[:count] for key, summaries in texts.items() if len(summaries) >= count
        }
    return Known(texts, truth, groups)


def _read(path: Path) -> Known:
    if path.suffix.lower() == ".zip" and not path.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            return _read(unpack_table(path, Path(folder)))
    table = path / TABLE if path.is_dir() else path
    rows = read_csv(table, ("layer", "unit"))
    columns = set(rows[0]) if rows else set()
    if {"concept", "accept"} <= columns:
        return Known(truth=read_truth(table))
    if "summary" in columns:
        return Known(read_unit_texts(table), groups=read_unit_groups(table))
    raise UserError(
        f"{table}: expected the column summary (annotations) or concept and accept (truth), got "
        f"{', '.join(sorted(columns)) or 'an empty table'}"
    )


def score_table(
    descriptions: Mapping[UnitKey, str],
    references: Known,
    trained_on: Known | None,
    encoder: Path | None,
    options: ScoreOptions,
    seed: int,
) -> tuple[list[Score], list[str]]:
    """Score descriptions by unit; returns the rows and sentences on what was scored.

    Args:
        descriptions: text by unit.
        references: annotations and ground truth by unit.
        trained_on: the same of the units that the descriptions were trained on, where known.
        encoder: folder or asset of a text encoder for BERTScore; None leaves it out.
        options: how they are scored.
        seed: of the shuffling and of the intervals.

    Raises:
        UserError: no described unit has a reference, or no training text has a word.

    """
    referred = references.units()
    units = [key for key in descriptions if key in referred]
    if not units:
        raise UserError(
            f"{len(descriptions)} units are described and the references are of {len(referred)} "
            f"others; layers are compared by name, such as {_layers(descriptions)} and "
            f"{_layers(referred)}"
        )
    known = references if trained_on is None else trained_on
    training = known.training(units if trained_on is None else sorted(trained_on.units()))
    if not any(tokens(text) for text in training.captions):
        name = "--references" if trained_on is None else "--trained-on"
        raise UserError(f"{name}: no text has a word; give tables whose texts have some")
    bert = None
    if encoder is not None:
        bert = BertScorer(encoder_folder(encoder), options.bertscore_layer)
    bootstrap = Bootstrap(seed, options.bootstrap)
    scorer = Scorer(references.references(units), training, bootstrap, bert)
    rows = [_renamed(r) for r in score_beside({key: descriptions[key] for key in units}, scorer)]
    notes = _notes(len(descriptions), len(referred), len(units), trained_on is not None)
    notes += _on_numbers([len(references.texts[key]) for key in units if references.texts])
    if empty := [key for key in units if not tokens(descriptions[key])]:
        rows.append(Score(OURS, EMPTY, len(empty), n=len(units)))
        notes.append(_on_empty(units, empty, references, rows))
    return rows, notes


def _on_numbers(counts: Sequence[int]) -> list[str]:
    """That units have different numbers of annotations, and which scores cannot use them all."""
    least, most = min(counts, default=0), max(counts, default=0)
    if least == most:
        return []
    lone = "annotators are not scored" if least < 2 else "so do the scores of annotators"
    return [
        f"units have {least} to {most} annotations: BLEU compares with the first {least} of each, "
        f"and {lone}; --count {most} leaves units with fewer out"
    ]


def _on_empty(
    units: Sequence[UnitKey], empty: Sequence[UnitKey], references: Known, rows: Sequence[Score]
) -> str:
    """That some descriptions are empty, and what ROUGE is when they count as 0."""
    note = f"{len(empty)} of {len(units)} descriptions are empty"
    if not references.texts:
        return note
    compared = {key: sum(bool(tokens(text)) for text in references.texts[key]) for key in units}
    share = 1 - sum(compared[key] for key in empty) / max(sum(compared.values()), 1)
    values = {r.metric: r.value for r in rows if r.method == OURS and r.metric in _ROUGE}
    counted = [f"{name} {value * share:.3f}" for name, value in values.items() if value == value]
    return (
        f"{note}; ROUGE passes over them, as published: with 0 for them "
        f"{' and '.join(counted) or 'it is 0'}"
    )


def _layers(units: Collection[UnitKey]) -> str:
    return ", ".join(sorted({layer for layer, _ in units})[:3]) or "none"


def _renamed(row: Score) -> Score:
    """A row with the given descriptions in the place of `pmi`."""
    metric = row.metric.replace("lead-of-pmi", f"lead-of-{OURS}")
    return replace(row, method=NAMES.get(row.method, row.method), metric=metric)


def _notes(described: int, referred: int, scored: int, trained_on: bool) -> list[str]:
    notes = [
        f"{scored} units scored; {described - scored} described units have no reference, "
        f"{referred - scored} of {referred} units with a reference are not described"
    ]
    if not trained_on:
        notes.append(
            "constants are chosen among the references themselves, so they are stronger than those "
            "of training texts (--trained-on)"
        )
    return notes


def summary(rows: Sequence[Score]) -> list[str]:
    """The main metrics as an aligned table, a line per method; a dash where there is none."""
    scores = {(row.method, row.metric): row for row in rows}
    metrics = [name for name in SHOWN if any(metric == name for _, metric in scores)]
    lines = [["method", *metrics]]
    for method in dict.fromkeys(row.method for row in rows):
        lines.append([method, *(_cell(scores.get((method, metric))) for metric in metrics)])
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
