"""The report's section on decoding strategies: sentences that follow from the table's rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from milan_core.core.numbers import number
from milan_core.core.section import Column, Picture, Section, Table
from milan_core.core.tables import Row, grouped
from milan_core.scoring.metrics import BLEU_SHORT
from milan_core.scoring.scorer import ACCURACY, BERT_AUC, BERT_F, FALSE_NAMES
from milan_core.scoring.verdicts import Difference

_BEST = {ACCURACY: "most concepts are named by", BERT_F: "BERTScore F is highest by"}
_WHAT = {ACCURACY: "the accuracy", BERT_F: "BERTScore F"}


def strategy_section(
    rows: Sequence[Row], columns: Sequence[str], chosen: float, beam: int
) -> Section:
    """The section; `chosen` and `beam` are the lambda and beam size that the run describes with."""
    return Section(
        name="decoding",
        title="Decoding strategies",
        order=30,
        paragraphs=sentences(rows, chosen, beam),
        items=_items(columns),
    )


def sentences(rows: Sequence[Row], chosen: float, beam: int) -> list[str]:
    """One paragraph per network; the first of all stands on the overview."""
    texts = [
        "Every strategy describes the same units with the captioner that never saw the network. "
        "Beam sizes are searched anew; all λ re-rank the same beams; 95 % intervals draw concepts "
        "where they are known. Concept accuracy is recall, which a longer description can only "
        "win, so false names and words stand beside it."
    ]
    for model, group in grouped(rows, lambda row: row["model"]).items():
        texts.append(_verdict(model, group, chosen, beam))
    return texts


def _verdict(model: str, rows: Sequence[Row], chosen: float, beam: int) -> str:
    metric = rows[0]["judged_by"]
    text = f"{model}: neither concepts nor BERTScore tell the strategies apart"
    if metric:
        best = max(rows, key=lambda row: float(row[metric] or "-inf"))
        text = f"{model}: {_BEST[metric]} {_name(best)}, {_value(best)}"
        if best is not rows[0]:
            text += f", {_gain(best)} greedy decoding ({_value(rows[0])})"
            text += _price(best, rows[0], metric)
        text += _chosen_apart(rows, metric)
    widths = {int(row["beams"]) for row in rows if row["strategy"] == "rerank"}
    width = beam if beam in widths else max(widths, default=0)
    same = [row for row in rows if int(row["beams"]) == width]
    ranked = [row for row in same if row["strategy"] == "rerank"]
    plain = next((row for row in same if row["strategy"] == "beam"), None)
    if not ranked or plain is None:
        return f"{text}."
    ours = min(ranked, key=lambda row: abs(float(row["lambda"]) - chosen))
    change = float(ours["distinct"]) - float(plain["distinct"])
    verdict = "more diverse, as the paper expects" if change > 0 else "not more diverse here"
    what = f"{_WHAT[metric]} from {_value(plain)} to {_value(ours)} and " if metric else ""
    return (
        f"{text}. With {width} beams, λ {float(ours['lambda']):g} in place of 0 changes {what}"
        f"the number of distinct descriptions by {change:+.0f}: {verdict}."
    )


def _chosen_apart(rows: Sequence[Row], metric: str) -> str:
    """The score of the best row on units that it was not chosen on."""
    text = (
        f". That is the best of {len(rows)} rows on the units that it was chosen on, a figure that "
        "is too good on average"
    )
    halved = [row for row in rows if row["half"] and row["other"]]
    if not halved:
        return text
    best, greedy = max(halved, key=lambda row: float(row["half"])), halved[0]
    does = "names" if metric == ACCURACY else "reaches"
    text += (
        f". Chosen on one half of the units it is {_name(best)} ({_value(best, 'half')} there), "
        f"which {does} {_value(best, 'other')} on the other half"
        " (of the same network, and of the same concepts)"
    )
    if best is not greedy:
        text += f", {_gain(best, 'other_gain')} greedy decoding ({_value(greedy, 'other')})"
    return text


def _price(best: Row, greedy: Row, metric: str) -> str:
    """Words and false names of the best row by concepts, beside those of greedy decoding."""
    if metric != ACCURACY or number(best.get(FALSE_NAMES, "")) != number(best.get(FALSE_NAMES, "")):
        return ""
    false, words = (
        [number(row.get(name, "")) for row in (best, greedy)]
        for name in (FALSE_NAMES, "mean_words")
    )
    return (
        f", with {words[0]:.1f} words and {false[0]:.2f} false names per description in place of "
        f"{words[1]:.1f} and {false[1]:.2f}"
    )


def _name(row: Row) -> str:
    text = str(row["strategy"])
    if text not in ("greedy", "sample", "greedy-mi"):
        text += f" with {row['beams']} beams"
    return text + (f" and λ {float(row['lambda']):g}" if float(row["lambda"]) else "")


def _value(row: Row, column: str = "") -> str:
    """A metric of a row, by default the one that judges: a share of concepts, or agreement."""
    value = float(row[column or row["judged_by"]] or "nan")
    return f"{100 * value:.1f} %" if row["judged_by"] == ACCURACY else f"{value:.3f}"


def _gain(row: Row, column: str = "gain") -> str:
    gain, low, high = (number(row[column + end]) for end in ("", "_low", "_high"))
    text = f"{gain:+.3f} (interval {low:+.3f} to {high:+.3f}) against"
    if row["judged_by"] == ACCURACY:
        text = f"{100 * gain:+.1f} points (interval {100 * low:+.1f} to {100 * high:+.1f}) against"
    if low > 0 or high < 0:
        return text
    seen = Difference(gain, low, high).seen
    if math.isnan(seen):
        return f"which cannot be told from no gain: {text}"
    power = f"{100 * seen:.0f} points" if row["judged_by"] == ACCURACY else f"{seen:.3f}"
    return f"which cannot be told from no gain (only {power} or more would have been seen): {text}"


def _items(header: Sequence[str]) -> list[Table | Picture]:
    """Picture and tables; an interval is that of the judging metric."""
    columns = [
        Column("model", "network"),
        Column("strategy", "strategy"),
        Column("beams", "beams", "integer"),
        Column("lambda", "λ", "number", 2),
        Column(ACCURACY, "concept accuracy", "percent"),
        Column("low", "lower end", "number", 3),
        Column("high", "upper end", "number", 3),
        Column("gain", "gain over greedy", "number", 3, low="gain_low", high="gain_high"),
        Column("half", "on one half", "number", 3),
        Column("other", "on the other", "number", 3),
        Column("gain_p", "p, unadjusted", "p"),
        Column(FALSE_NAMES, "false names", "number", 2),
        Column(BLEU_SHORT, "BLEU-2", "number", 1),
        Column(BERT_F, "BERTScore F", "number", 3),
        Column(BERT_AUC, "AUC", "number", 2),
        Column("distinct", "distinct", "integer"),
        Column("mean_words", "words", "number", 2),
        Column("mean_information", "bits per word", "number", 2),
    ]
    cost = [
        Column("model", "network"),
        Column("strategy", "strategy"),
        Column("beams", "beams", "integer"),
        Column("units", "units", "integer"),
        Column("cpu_ms_per_unit", "CPU ms per unit", "number", 2),
    ]
    return [
        Picture("study.svg", "Scores against λ; dotted: greedy, dashed: sample."),
        Table(
            "table.csv",
            "All strategies. Interval and gain are those of concept accuracy, or of BERTScore F "
            "where no concept is known.",
            [column for column in columns if column.name in header],
            folded=True,
        ),
        Table(
            "timing.csv",
            "Cost as measured in this run on one thread; machines differ. `rerank` serves all λ.",
            cost,
            folded=True,
        ),
    ]
