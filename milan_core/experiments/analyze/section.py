"""Tables, figures and the report section of all analysed networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milan_core.core.drawing import write_figure
from milan_core.core.files import write_csv
from milan_core.core.section import Column, Picture, Section, Table, write_section
from milan_core.experiments.analyze.figure import curves_figure, differences_figure
from milan_core.experiments.analyze.orders import MATCHED, RANDOM
from milan_core.experiments.analyze.tables import (
    CORRELATIONS,
    SHARES,
    SUMMARY,
    cells,
    correlation_rows,
    read_analysis,
    share_rows,
    summary_rows,
)
from milan_core.experiments.analyze.wording import paragraphs
from milan_core.scoring.bootstrap import Bootstrap

ORDER = 40


def write_report(models: Sequence[str], folder: Path, seed: int) -> None:
    """Read `folder/{model}/` of every network; write tables, figures and `section.json`."""
    bootstrap = Bootstrap(seed)
    found = [read_analysis(model, folder / model) for model in models]
    summary = [row for one in found for row in summary_rows(one, bootstrap)]
    correlations = [row for one in found for row in correlation_rows(one, seed)]
    shares = [row for one in found for row in share_rows(one, bootstrap)]
    write_csv(folder / "summary.csv", SUMMARY, cells(summary, SUMMARY))
    write_csv(folder / "correlations.csv", CORRELATIONS, cells(correlations, CORRELATIONS))
    write_csv(folder / "shares.csv", SHARES, cells(shares, SHARES))
    write_figure(folder / "differences.svg", differences_figure(summary))
    for one in found:
        write_figure(folder / one.model / "curves.svg", curves_figure(one))
    pictures = [
        Picture(
            f"{model}/curves.svg",
            f"{model}: accuracy without the units that score highest, shaded over trials, and the "
            "share of each layer's units that match a criterion (for structure: the top fifth).",
        )
        for model in models
    ]
    section = Section(
        "analyze",
        "Analysis: do descriptions tell which units matter?",
        ORDER,
        [text for text in paragraphs(found, summary) if text],
        [
            *pictures,
            Picture(
                "differences.svg",
                "Area under the accuracy curve less that of random orders, with 95% intervals over "
                "orders; below zero, ablating these units costs more than ablating random ones.",
            ),
            _summary_table(),
            _correlation_table(),
            _shares_table(),
        ],
    )
    write_section(folder / "section.json", section)


def _summary_table() -> Table:
    return Table(
        "summary.csv",
        "Areas under the accuracy curve, differences with 95% intervals of Student's t (random: "
        "two samples; layer-matched: paired by order). Outlier p: the criterion's mean area as one "
        "more random order; worse: share of random orders that cost more accuracy.",
        [
            Column("model", "network"),
            Column("criterion", "criterion"),
            Column("matching", "units", "integer"),
            Column("area", "area", "number", 3, "area_low", "area_high"),
            Column(f"{RANDOM}_difference", "less random", "number", 3, "random_low", "random_high"),
            Column(f"{RANDOM}_outlier_p", "outlier p", "number", 3),
            Column(
                f"{MATCHED}_difference",
                "less layer-matched",
                "number",
                3,
                f"{MATCHED}_low",
                f"{MATCHED}_high",
            ),
            Column(f"{MATCHED}_p", "paired p", "number", 3),
            Column(f"{MATCHED}_outlier_p", "outlier p", "number", 3),
            Column("matched_p_holm", "Holm", "number", 3),
            Column(f"{MATCHED}_worse", "worse", "percent"),
        ],
    )


def _correlation_table() -> Table:
    return Table(
        "correlations.csv",
        "Rank correlation of each criterion with the accuracy lost without the single unit, over "
        "all units and within layers; intervals from resampled units.",
        [
            Column("model", "network"),
            Column("criterion", "criterion"),
            Column("overall", "all units", "number", 2, "overall_low", "overall_high"),
            Column("within", "within layers", "number", 2, "within_low", "within_high"),
        ],
    )


def _shares_table() -> Table:
    return Table(
        "shares.csv",
        "Share of each layer's units that match a criterion, with 95% intervals.",
        [
            Column("model", "network"),
            Column("layer", "layer"),
            Column("criterion", "criterion"),
            Column("units", "units", "integer"),
            Column("share", "matching", "percent", 1, "low", "high"),
        ],
        folded=True,
    )
