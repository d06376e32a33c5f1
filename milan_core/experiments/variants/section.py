"""The report's section on variants: sentences that follow from the table's rows."""

from __future__ import annotations

from collections.abc import Sequence

from milan_core.core.section import Column, Section, Table
from milan_core.core.tables import Row
from milan_core.experiments.variants.tables import MAIN
from milan_core.scoring.scorer import ACCURACY, BERT_F

COLUMNS = (
    Column("model", "network"),
    Column("variant", "variant"),
    Column(ACCURACY, "concept accuracy", "percent", low="low", high="high"),
    Column("gain", "gain over main", "number", 3, low="gain_low", high="gain_high"),
    Column("bleu", "BLEU", "number", 1),
    Column(BERT_F, "BERTScore F", "number", 3),
    Column("distinct", "distinct", "integer"),
    Column("mean_words", "words", "number", 2),
)


def variants_section(rows: Sequence[Row]) -> Section:
    """The section on the rows of the joined table."""
    return Section(
        name="variants",
        title="Other captioners, priors and re-rankers",
        order=35,
        paragraphs=[
            "Other families describe the same units; gains are over the main descriptions, with "
            "95 % intervals over units.",
            *(_sentence(row) for row in rows if row["variant"] != MAIN),
        ],
        items=[Table("table.csv", "Variants beside the main descriptions.", COLUMNS)],
    )


def _sentence(row: Row) -> str:
    values = [row[name] for name in (ACCURACY, "gain", "gain_low", "gain_high")]
    if "" in values:
        return f"{row['model']}: {row['variant']} has too few judged units for an interval."
    accuracy, gain, low, high = (100 * float(value) for value in values)
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    return (
        f"{row['model']}: {row['variant']} names {accuracy:.1f} % of the concepts, {gain:+.1f} "
        f"points ({low:+.1f} to {high:+.1f}): {verdict} the main descriptions."
    )
