"""The report's section on variants: sentences that follow from the table's rows."""

from __future__ import annotations

from collections.abc import Sequence

from milan_core.core.numbers import number
from milan_core.core.section import Column, Section, Table
from milan_core.core.tables import Row
from milan_core.experiments.variants.tables import MAIN
from milan_core.scoring.metrics import BLEU_SHORT
from milan_core.scoring.scorer import ACCURACY, BERT_F, FALSE_NAMES
from milan_core.scoring.verdicts import CLEARLY, Difference, holm, p_text, power_text

COLUMNS = (
    Column("model", "network"),
    Column("variant", "variant"),
    Column(ACCURACY, "concept accuracy", "percent", low="low", high="high"),
    Column("gain", "gain over main", "number", 3, low="gain_low", high="gain_high"),
    Column("gain_p", "p, unadjusted", "p"),
    Column(FALSE_NAMES, "false names", "number", 2),
    Column(BLEU_SHORT, "BLEU-2", "number", 1),
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
            "95 % intervals over concepts and p adjusted over all variants and networks (Holm).",
            *_sentences([row for row in rows if row["variant"] != MAIN]),
            CLEARLY,
        ],
        items=[Table("table.csv", "Variants beside the main descriptions.", COLUMNS)],
    )


def _sentences(rows: Sequence[Row]) -> list[str]:
    adjusted = holm([number(row["gain_p"]) for row in rows])
    return [_sentence(row, p) for row, p in zip(rows, adjusted, strict=True)]


def _sentence(row: Row, adjusted: float) -> str:
    values = [row[name] for name in (ACCURACY, "gain", "gain_low", "gain_high")]
    if "" in values:
        return f"{row['model']}: {row['variant']} has too few judged units for an interval."
    accuracy, gain, low, high = (100 * float(value) for value in values)
    names = ("gain", "gain_low", "gain_high", "gain_p")
    value, lower, upper, p = (number(row[name]) for name in names)
    difference = Difference(value, lower, upper, p, adjusted)
    verdict = {1: "clearly better than", -1: "clearly worse than", 0: "not told apart from"}
    power = power_text([difference])
    return (
        f"{row['model']}: {row['variant']} names {accuracy:.1f} % of the concepts, {gain:+.1f} "
        f"points ({low:+.1f} to {high:+.1f}; {p_text(adjusted)}): {verdict[difference.side]} the "
        f"main descriptions{'; ' + power if power else ''}."
    )
