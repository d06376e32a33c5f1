"""The report's section on the controls: sentences on the score tables, and lambda's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from milan_core.core.section import Column, Link, Picture, Section, Table
from milan_core.experiments.controls import sentences
from milan_core.experiments.controls.options import ControlsOptions
from milan_core.experiments.controls.tables import Table as Scores
from milan_core.experiments.generalization.masks import masks_sentence
from milan_core.experiments.generalization.options import HELD_OUT
from milan_core.experiments.generalization.overlap import encoder_sentence
from milan_core.scoring.metrics import BLEU_SHORT
from milan_core.scoring.scorer import ACCURACY, BERT_F
from milan_core.scoring.verdicts import CLEARLY

KEYS = ("split", "trial")
LAMBDA_COLUMNS = (
    Column("split", "Split"),
    Column("trial", "Trial", "integer"),
    Column("lambda", "λ", "number", 2),
    Column(ACCURACY, "Concept accuracy", "percent", low="low", high="high"),
    Column("distinct", "Distinct", "integer"),
    Column("mean_words", "Words", "number", 1),
    Column("mean_information", "Bits per word", "number", 1),
    Column(BLEU_SHORT, "BLEU-2", "number", 1),
    Column("rouge-l-f", "ROUGE-L F", "number", 2),
    Column(BERT_F, "BERTScore F", "number", 2),
)
LAMBDA_TEXT = (
    "The same beams of p(d|E), re-ranked by log p(d|E) − λ log p(d). λ = 0 is plain p(d|E); this "
    "run describes with λ = {weight:g}."
)
Sweeps = Mapping[str, Sequence[Mapping[str, float]]]  # rows by split, one per lambda


def controls_section(
    baselines: Scores,
    general: Scores,
    paired: Sequence[Mapping[str, str]],
    masks: Sequence[Mapping[str, str]],
    sweeps: Sweeps,
    options: ControlsOptions,
    lambda_table: str,
    lambda_figure: str,
) -> Section:
    """The section; `lambda_table` and `lambda_figure` are paths relative to its file."""
    texts = [*paragraphs(baselines, general, paired, masks, sweeps, options), CLEARLY]
    items: list[Table | Picture | Link] = [
        Picture(lambda_figure, LAMBDA_TEXT.format(weight=options.weight)),
        Table(lambda_table, "Every trial under every λ.", _columns(sweeps), folded=True),
    ]
    return Section("controls", "Controls: what the scores rest on", 25, texts, items)


def _columns(sweeps: Sweeps) -> list[Column]:
    """The columns that some split has numbers in."""
    rows = [row for sweep in sweeps.values() for row in sweep]
    return [
        column
        for column in LAMBDA_COLUMNS
        if column.name in KEYS or any(not isnan(row.get(column.name, nan)) for row in rows)
    ]


def paragraphs(
    baselines: Scores,
    general: Scores,
    paired: Sequence[Mapping[str, str]],
    masks: Sequence[Mapping[str, str]],
    sweeps: Sweeps,
    options: ControlsOptions,
) -> list[str]:
    """Sentences from the tables, without those that they have no numbers for."""
    models = baselines.values(0)
    held_out = HELD_OUT in general.values(0)
    trained = sentences.Trained(held_out, options.encoder)
    chosen = {
        split: rows
        for split, rows in sweeps.items()
        if _held_out(split) or not any(map(_held_out, sweeps))
    }
    probes = {name: options.probes[name] for name in models if name in options.probes}
    texts = [
        " ".join(sentences.accuracy_sentences(models, baselines, trained)),
        encoder_sentence(options.encoder),
        masks_sentence(masks) or sentences.mask_sentence(models, baselines),
        *sentences.lambda_sentences(chosen, options.weight),
        sentences.within_sentence(paired),
        sentences.probe_sentence(probes) if held_out else None,
        sentences.bert_sentence(models, baselines),
        sentences.ceiling_sentence(models, baselines),
    ]
    return [text for text in texts if text]


def _held_out(split: str) -> bool:
    return split.startswith("without_")
