"""The report's section on Table 3: its tables, and sentences that follow from their rows."""

from __future__ import annotations

from collections.abc import Sequence

from milan_core.core.numbers import counted, number, percent, points, signed
from milan_core.core.section import Column, Picture, Section, Table
from milan_core.core.tables import Row
from milan_core.experiments.generalization.columns import (
    COST,
    LAYERS,
    MASKS,
    MASKS_CAPTION,
    NOTES,
    OVERLAP,
    OVERLAP_CAPTION,
    TABLE3,
    TRANSFER,
    trained_on,
)
from milan_core.experiments.generalization.masks import masks_sentence
from milan_core.experiments.generalization.options import HELD_OUT, MATCHED, EncoderFacts
from milan_core.experiments.generalization.overlap import encoder_sentence, overlap_sentences
from milan_core.experiments.generalization.transfer import Transfer
from milan_core.scoring.verdicts import (
    CLEARLY,
    FEWEST,
    Difference,
    against_paper,
    p_text,
    power_text,
)


def transfer_section(
    results: Transfer, encoder: EncoderFacts | None = None, masks: Sequence[Row] = ()
) -> Section:
    """The section; columns and tables without a value are left out.

    `encoder` says what the encoder has to do with the described networks, `masks` are the rows of
    masks.csv.
    """
    table, rows, paired = results.table3, results.rows, results.paired
    items: list[Table | Picture] = [
        Table(
            "table3.csv",
            "The rows of the paper's Table 3: means over trials. A row that describes several "
            "sets is their mean weighted by units.",
            _known(TABLE3, table),
        ),
        Picture(
            "transfer.svg",
            "Every described network, coloured by experiment: dots with 95% intervals over "
            "concepts are the descriptions (PMI), bars greedy p(d|E) by the same captioner.",
        ),
        Table(
            "transfer.csv",
            "Every described network; means over trials. 95% intervals draw concepts where units "
            "have a specific one, groups of units elsewhere; that of the accuracy of several "
            "trials draws trials too, others are means of each trial's ends. " + NOTES,
            _known(TRANSFER, rows),
            folded=True,
        ),
    ]
    if paired:
        caption = (
            "The same units described by both captioners: those that the within-network captioner "
            "kept for its test. Intervals and p draw concepts; Holm adjusts over the rows. The two "
            "captioners also differ in the number of training units."
        )
        items.append(Table("paired.csv", caption, COST))
    if results.overlap:
        items.append(Table("overlap.csv", OVERLAP_CAPTION, OVERLAP))
    if masks:
        items.append(Table("masks.csv", MASKS_CAPTION, MASKS))
    items += [
        Picture(
            "layers.svg",
            "By layer, a line per captioner, coloured as above; means over trials.",
        ),
        Table("layers.csv", "By layer: every trial, with its interval.", LAYERS, folded=True),
    ]
    texts = sentences(table, rows, paired, results.overlap)
    if masks:
        texts.append(masks_sentence(masks))
    if encoder and (text := encoder_sentence(encoder)):
        texts.append(text)
    return Section("generalization", "Generalization", 10, texts, items)


def _known(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    return [column for column in columns if any(row.get(column.name, "") != "" for row in rows)]


def sentences(
    table: Sequence[Row], rows: Sequence[Row], paired: Sequence[Row], overlap: Sequence[Row] = ()
) -> list[str]:
    """Sentences from the tables: the order of the experiments, the paired costs, and PMI's part."""
    texts = [text for text in (*_costs(paired), _agreement(table), *_baselines(rows)) if text]
    for column, ahead, name in (
        ("lead", "lead_of_pmi", "concept accuracy"),
        ("bert_lead", "bert_lead", "BERTScore F"),
    ):
        tested = [
            Difference(*(number(row[key]) for key in keys))
            for row in rows
            if row[f"{column}_low"] != ""
            for keys in [(ahead, *(f"{column}_{end}" for end in ("low", "high", "p", "holm")))]
        ]
        if tested:
            texts.append(
                "Re-ranking by pointwise mutual information is clearly ahead of greedy p(d|E) in "
                f"{name} in {_count(tested, 1)} of {len(tested)} rows, clearly behind in "
                f"{_count(tested, -1)}{_power(tested, column == 'lead')}."
            )
    texts += _constants(rows)
    texts[1:1] = [*_apart(paired), *overlap_sentences(overlap)]
    families = ("holm", "lead_holm", "bert_lead_holm", "oracle_lead_holm")
    if any(row.get(key, "") != "" for row in [*paired, *rows] for key in families):
        texts.append(CLEARLY)
    return texts or ["Without known concepts and without BERTScore only BLEU and ROUGE are left."]


def _count(tested: Sequence[Difference], side: int) -> int:
    return sum(one.side == side for one in tested)


def _power(tested: Sequence[Difference], shares: bool = True) -> str:
    """The smallest effects that the unclear rows could have shown."""
    text = power_text(tested) if shares else power_text(tested, 1, "of BERTScore F")
    rest = _count(tested, 0)
    if not rest:
        return ""
    verb = "shows" if rest == 1 else "show"
    unclear = f"; {counted(rest, 'row')} {verb} no clear difference"
    return f"{unclear}, and {text}" if text else unclear


def _costs(paired: Sequence[Row]) -> list[str]:
    if not paired:
        return []
    costs = [
        Difference(*(number(row[key]) for key in ("cost", "low", "high", "p", "holm")))
        for row in paired
    ]
    verdict = against_paper([cost.side for cost in costs])
    texts = [
        "The paper finds that describing units of a network whose other units were learned "
        "from is easier than crossing to another. On the same units, learning elsewhere "
        f"costs accuracy clearly in {_count(costs, 1)} of {len(paired)} rows and gains it clearly "
        f"in {_count(costs, -1)}{_power(costs)}. Taken together this {verdict}. A within-network "
        "captioner learns from a part of the units of one network, one that learns elsewhere, "
        "unless matched, from all units of its networks: a cost is that of transfer, less what "
        "a different number of units is worth."
    ]
    if matched := [
        (r, c) for r, c in zip(paired, costs, strict=True) if r["experiment"] == MATCHED
    ]:
        listed = ", ".join(
            f"{row['test']} {points(cost.value)} ({p_text(cost.adjusted)})" for row, cost in matched
        )
        power = power_text([cost for _, cost in matched])
        texts.append(
            "With as many training units as the within-network captioner, all of other networks, "
            f"the cost is that of transfer alone: {listed}{'; ' * bool(power)}{power}."
        )
    if gains := sorted(
        {
            f"{row['test']} by {row['train']}"
            for row, cost in zip(paired, costs, strict=True)
            if cost.side < 0
        }
    ):
        texts.append(f"Learning elsewhere is clearly better for {', '.join(gains)}.")
    return texts


def _apart(paired: Sequence[Row]) -> list[str]:
    """The cost without the tested units that have a near-duplicate in training."""
    rows = [row for row in paired if row.get("cost_apart", "") != "" and number(row["units_apart"])]
    rows = [row for row in rows if FEWEST <= number(row["units_apart"]) < number(row["units"])]
    if not rows:
        return []
    first = next((r["experiment"] for r in rows if r["experiment"] == HELD_OUT), "")
    listed = "; ".join(
        f"{row['test']} {points(number(row['cost']))} over {row['units']} units, "
        f"{points(number(row['cost_apart']))} [{signed(100 * number(row['low_apart']), 0)}, "
        f"{signed(100 * number(row['high_apart']), 0)}] over {row['units_apart']}"
        for row in rows
        if not first or row["experiment"] == first
    )
    return [
        "The cost of learning elsewhere, over all judged units and over those without a "
        "near-duplicate (two thirds of the exemplars) in the training of the within-network "
        f"captioner: {listed}. Only the latter say something about transfer."
    ]


def _constants(rows: Sequence[Row]) -> list[str]:
    """Which rows are not clearly ahead of one word that is right on the tested network."""
    words = [number(row["accuracy_oracle"]) for row in rows if row.get("accuracy_oracle", "") != ""]
    tested = [row for row in rows if row.get("oracle_lead", "") != ""]
    leads = [
        Difference(
            *(number(row[f"oracle_lead{end}"]) for end in ("", "_low", "_high", "_p", "_holm"))
        )
        for row in tested
    ]
    if not words:
        return []
    text = (
        f"The best fixed word on the tested units names {percent(min(words))} to "
        f"{percent(max(words))} of their concepts."
    )
    near = [row for row, lead in zip(tested, leads, strict=True) if lead.side < 1]
    if not tested:
        return [text]
    if not near:
        return [f"{text} Every row is clearly ahead of it."]
    names = ", ".join(f"{trained_on(row)} to {row['test']}" for row in near)
    power = power_text(leads)
    return [
        f"{text} Not clearly ahead of it on the same units: {names}{'; ' * bool(power)}{power}."
    ]


def _agreement(table: Sequence[Row]) -> str:
    """BERTScore of rows without ground truth: the metric of the paper's table."""
    parts = [
        f"{row['learnt']} to {row['described']} {row['bert_f']:.3f}"
        for row in table
        if row["accuracy"] == "" and row["bert_f"] != ""
    ]
    if not parts:
        return ""
    return (
        f"Agreement with annotation sets, BERTScore F: {', '.join(parts)}. Each set's own "
        "references weigh the words, so rows are not comparable with each other."
    )


def _baselines(rows: Sequence[Row]) -> list[str]:
    """Whether agreement with annotation sets is higher than that of a constant text."""
    texts = []
    sets = [row for row in rows if row["accuracy"] == ""]
    for column, name in (
        ("bert_f", "BERTScore F"),
        ("rouge_l_f", "ROUGE-L F"),
        ("bleu_short", "BLEU-2"),
    ):
        scored = [row for row in sets if "" not in (row[column], row[f"{column}_constant"])]
        above = sum(row[column] > row[f"{column}_constant"] for row in scored)
        if scored:
            texts.append(
                f"By {name} the descriptions of annotation sets are above the best constant text "
                f"of the training annotations in {above} of {len(scored)} rows."
            )
    return texts
