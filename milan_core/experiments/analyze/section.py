"""The report's section on the analysis: figures, tables and their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.core.section import Column, Picture, Section, Table
from milan_core.experiments.analyze.sentences import paragraphs
from milan_core.experiments.analyze.tables import MATCHED, RANDOM, Analysis

ORDER = 40
CURVES_CAPTION = (
    "accuracy without the units that score highest, shaded over trials, and the share of each "
    "layer's units that match a criterion (for structure: the top fifth)."
)


def analyze_section(
    analyses: Sequence[Analysis],
    summary: Sequence[Mapping[str, Any]],
    figures: Sequence[str],
    images: int = 0,
) -> Section:
    """The section.

    Args:
        analyses: one of each network.
        summary: the rows of summary.csv.
        figures: the curves of each network, paths relative to the section's file.
        images: that accuracies were measured on, 0 for all of the data set.

    """
    pictures = [
        Picture(
            figure,
            f"{one.model}: {CURVES_CAPTION}",
        )
        for one, figure in zip(analyses, figures, strict=True)
    ]
    return Section(
        "analyze",
        "Analysis: do descriptions tell which units matter?",
        ORDER,
        [text for text in paragraphs(analyses, summary, images) if text],
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


def _summary_table() -> Table:
    return Table(
        "summary.csv",
        "Areas under the accuracy curve, differences with 95% intervals of Student's t (random: "
        "two samples; layer-matched: paired by order). Outlier p: the criterion's mean area as one "
        "more random order, and the smallest difference that this test mostly would see (80 %, "
        "before adjustment); Holm adjusts over all criteria and networks. Worse: random orders "
        "that cost more.",
        [
            Column("model", "network"),
            Column("criterion", "criterion"),
            Column("matching", "units", "integer"),
            Column("area", "area", "number", 3, "area_low", "area_high"),
            Column(f"{RANDOM}_difference", "less random", "number", 3, "random_low", "random_high"),
            Column(f"{RANDOM}_outlier_p", "outlier p", "p"),
            Column(f"{RANDOM}_p_holm", "Holm", "p"),
            Column(
                f"{MATCHED}_difference",
                "less layer-matched",
                "number",
                3,
                f"{MATCHED}_low",
                f"{MATCHED}_high",
            ),
            Column(f"{MATCHED}_p", "paired p", "p"),
            Column("paired_p_holm", "Holm", "p"),
            Column(f"{MATCHED}_outlier_p", "outlier p", "p"),
            Column("matched_p_holm", "Holm", "p"),
            Column(f"{MATCHED}_seen", "outlier seen from", "number", 3),
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
        "Share of each layer's units that match a criterion, with 95% intervals; layers of fewer "
        "than ten units have none.",
        [
            Column("model", "network"),
            Column("layer", "layer"),
            Column("criterion", "criterion"),
            Column("units", "units", "integer"),
            Column("share", "matching", "percent", 1, "low", "high"),
        ],
        folded=True,
    )
