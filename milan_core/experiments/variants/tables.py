"""Variants scored beside the main descriptions: the same units, references and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import Column, Section, Table, write_section
from milan_core.experiments.decoding.study import INTERVALS, measured_row
from milan_core.experiments.generalization.score import encoder_folder, read_training
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import WordInformation
from milan_core.scoring.pmi import AGREEMENT, DIVERSITY
from milan_core.scoring.scores import ACCURACY, BERT_F, Scorer, cell
from milan_core.scoring.units import read_descriptions, read_material

MAIN = "main"
COLUMNS = ("model", "variant", ACCURACY, *INTERVALS, *AGREEMENT, *DIVERSITY, "n")


def score_variants(
    model: str,
    tables: Mapping[str, Path],
    references: Mapping[str, Path],
    learnt: Sequence[Path],
    bertscore: Sequence[Path],
    options: dict[str, Any],
    seed: int,
    out: Path,
) -> None:
    """Score the description tables of one network, `main` among them; gains are over `main`.

    `references` has the paths `annotations`, `truth` and `units` (of the published captioner).
    """
    order = list(read_descriptions(tables[MAIN]))
    material = read_material(references["annotations"], [references["truth"]], order)
    bert = None
    if bertscore:
        bert = BertScorer(encoder_folder(bertscore[0]), options["bertscore_layer"])
    captions = read_training(references["units"], learnt).captions
    scorer = Scorer(material, WordInformation(captions), bert)
    bootstrap = Bootstrap(seed, options["bootstrap"])
    found = {
        name: scorer.measure([material.texts(read_descriptions(path), str(path))])
        for name, path in tables.items()
    }
    rows = []
    for name, measured in found.items():
        row = measured_row(measured, found[MAIN], bootstrap)
        rows.append([model, name, *(cell(row[column]) for column in COLUMNS[2:])])
    write_csv(out, COLUMNS, rows)


def write_variants(files: Sequence[Path], folder: Path) -> None:
    """Join the networks' scores: table.csv and section.json in `folder`."""
    rows = [row for path in files for row in read_csv(path, COLUMNS)]
    write_csv(folder / "table.csv", COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
    columns = [
        Column("model", "network"),
        Column("variant", "variant"),
        Column(ACCURACY, "concept accuracy", "percent", low="low", high="high"),
        Column("gain", "gain over main", "number", 3, low="gain_low", high="gain_high"),
        Column("bleu", "BLEU", "number", 1),
        Column(BERT_F, "BERTScore F", "number", 3),
        Column("distinct", "distinct", "integer"),
        Column("mean_words", "words", "number", 2),
    ]
    section = Section(
        name="variants",
        title="Other captioners, priors and re-rankers",
        order=35,
        paragraphs=[
            "Other families describe the same units; gains are over the main descriptions, with "
            "95 % intervals over units.",
            *(_sentence(row) for row in rows if row["variant"] != MAIN),
        ],
        items=[Table("table.csv", "Variants beside the main descriptions.", columns)],
    )
    write_section(folder / "section.json", section)


def _sentence(row: Mapping[str, str]) -> str:
    values = [row[name] for name in (ACCURACY, "gain", "gain_low", "gain_high")]
    if "" in values:
        return f"{row['model']}: {row['variant']} has too few judged units for an interval."
    accuracy, gain, low, high = (100 * float(value) for value in values)
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    return (
        f"{row['model']}: {row['variant']} names {accuracy:.1f} % of the concepts, {gain:+.1f} "
        f"points ({low:+.1f} to {high:+.1f}): {verdict} the main descriptions."
    )
