"""The study of decoding strategies as one table, one figure and sentences for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.drawing import INK, PALETTE, render, write_figure
from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import Column, Picture, Section, Table, write_section
from milan_core.experiments.decoding.study import COLUMNS, TIMING
from milan_core.scoring.scores import ACCURACY, BERT_F

PANELS = (
    (ACCURACY, "concept accuracy"),
    ("bleu", "BLEU"),
    (BERT_F, "BERTScore F"),
    ("distinct", "distinct descriptions"),
)
MAY_LACK = (ACCURACY, BERT_F)  # columns that are left out when no network has them
_SINGLE = {"greedy": ":", "sample": "--"}
# Beam sizes are one strategy in steps: shades of one colour, told apart by their marks as well.
_LIGHT, _FULL, _MARKS = "#9dc3ea", PALETTE[0], "osv^D*"
_PER_TOKEN = {"greedy-mi": PALETTE[1], "beam-mi": PALETTE[3]}
_BEST = {ACCURACY: "most concepts are named by", BERT_F: "BERTScore F is highest by"}
_WHAT = {ACCURACY: "the accuracy", BERT_F: "BERTScore F"}
Row = Mapping[str, Any]


def write_study(files: Sequence[Path], chosen: float, beam: int, folder: Path) -> None:
    """Join the networks' files: table.csv, timing.csv, study.svg and section.json in `folder`.

    `chosen` and `beam` are the lambda and beam size that the run describes with.
    """
    rows = [row for path in files for row in read_csv(path, COLUMNS)]
    costs = [row for path in files for row in read_csv(path.with_name("timing.csv"), TIMING)]
    header = [name for name in COLUMNS if name not in MAY_LACK or any(row[name] for row in rows)]
    write_csv(folder / "table.csv", header, [[row[name] for name in header] for row in rows])
    write_csv(folder / "timing.csv", TIMING, [[row[name] for name in TIMING] for row in costs])
    write_figure(folder / "study.svg", study_figure(rows, chosen))
    section = Section(
        name="rerank_study",
        title="Decoding strategies",
        order=30,
        paragraphs=sentences(rows, chosen, beam),
        items=_items(header),
    )
    write_section(folder / "section.json", section)


def study_figure(rows: Sequence[Row], chosen: float) -> str:
    """SVG: scores against lambda, a line per beam size; one row of panels per network."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    panels = [panel for panel in PANELS if any(row[panel[0]] for row in rows)]

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(models), len(panels), squeeze=False)
        for line, model in zip(axes, models, strict=True):
            own = [row for row in rows if row["model"] == model]
            for axis, (column, title) in zip(line, panels, strict=True):
                _panel(axis, own, column)
                axis.axvline(chosen, color=INK, lw=0.5, ls=":")
                axis.set_title(title if len(models) == 1 else f"{model}: {title}")
                axis.set_xlabel("λ")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)

    return render(draw, "rerank-study", (2.35 * max(len(panels), 2), 0.5 + 2.2 * len(models)))


def _panel(axis: Any, rows: Sequence[Row], column: str) -> None:
    ranked = [row for row in rows if row["strategy"] in ("beam", "rerank")]
    widths = list(dict.fromkeys(row["beams"] for row in ranked))
    for index, width in enumerate(widths):
        style = {"color": _shade(index, len(widths)), "marker": _MARKS[index % len(_MARKS)]}
        own = [row for row in ranked if row["beams"] == width]
        _line(axis, own, column, label=f"beam {width}", ls="-", **style)
    for name, colour in _PER_TOKEN.items():
        own = [row for row in rows if row["strategy"] == name]
        _line(axis, own, column, label=f"{name} (per token)", ls="-.", color=colour, marker="o")
    for row in rows:
        if row["strategy"] in _SINGLE and row[column]:
            line = _SINGLE[row["strategy"]]
            axis.axhline(float(row[column]), color=INK, lw=0.9, ls=line, label=row["strategy"])


def _line(axis: Any, rows: Sequence[Row], column: str, **style: Any) -> None:
    points = sorted((float(row["lambda"]), float(row[column] or "nan")) for row in rows)
    if points:
        axis.plot(*zip(*points, strict=True), lw=1.3, ms=2.5, **style)


def _shade(index: int, count: int) -> str:
    """From light to full with the place in the row."""
    share = index / (count - 1) if count > 1 else 1.0
    ends = ([int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (_LIGHT, _FULL))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(*ends, strict=True))


def sentences(rows: Sequence[Row], chosen: float, beam: int) -> list[str]:
    """What the numbers say about each network; the first sentence stands on the overview."""
    found = [
        "Every strategy describes the same units with the captioner that never saw the network. "
        "Beam sizes are searched anew; all λ re-rank the same beams; intervals are 95 % over units."
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        found.append(_verdict(model, own, chosen, beam))
    return found


def _verdict(model: str, rows: Sequence[Row], chosen: float, beam: int) -> str:
    metric = rows[0]["judged_by"]
    said = f"{model}: neither concepts nor BERTScore tell the strategies apart"
    if metric:
        best = max(rows, key=lambda row: float(row[metric] or "-inf"))
        said = f"{model}: {_BEST[metric]} {_name(best)}, {_value(best)}"
        if best is not rows[0]:
            said += f", {_gain(best)} greedy decoding ({_value(rows[0])})"
        said += _chosen_apart(rows, metric)
    widths = {int(row["beams"]) for row in rows if row["strategy"] == "rerank"}
    width = beam if beam in widths else max(widths, default=0)
    same = [row for row in rows if int(row["beams"]) == width]
    ranked = [row for row in same if row["strategy"] == "rerank"]
    plain = next((row for row in same if row["strategy"] == "beam"), None)
    if not ranked or plain is None:
        return f"{said}."
    ours = min(ranked, key=lambda row: abs(float(row["lambda"]) - chosen))
    change = float(ours["distinct"]) - float(plain["distinct"])
    verdict = "more diverse, as the paper expects" if change > 0 else "not more diverse here"
    what = f"{_WHAT[metric]} from {_value(plain)} to {_value(ours)} and " if metric else ""
    return (
        f"{said}. With {width} beams, λ {float(ours['lambda']):g} in place of 0 changes {what}"
        f"the number of distinct descriptions by {change:+.0f}: {verdict}."
    )


def _chosen_apart(rows: Sequence[Row], metric: str) -> str:
    """What the best row is worth where it was not chosen."""
    said = (
        f". That is the best of {len(rows)} rows on the units that it was chosen on, a figure that "
    )
    said += "is too good on average"
    halved = [row for row in rows if row["half"] and row["other"]]
    if not halved:
        return said
    best, greedy = max(halved, key=lambda row: float(row["half"])), halved[0]
    does = "names" if metric == ACCURACY else "reaches"
    said += (
        f". Chosen on one half of the units it is {_name(best)} ({_value(best, 'half')} there), "
        f"which {does} {_value(best, 'other')} on the other half"
    )
    if best is not greedy:
        said += f", {_gain(best, 'other_gain')} greedy decoding ({_value(greedy, 'other')})"
    return said


def _name(row: Row) -> str:
    text = str(row["strategy"])
    if text not in _SINGLE and text != "greedy-mi":
        text += f" with {row['beams']} beams"
    return text + (f" and λ {float(row['lambda']):g}" if float(row["lambda"]) else "")


def _value(row: Row, column: str = "") -> str:
    """A figure of a row, its own one by default: a share of concepts, or agreement."""
    value = float(row[column or row["judged_by"]] or "nan")
    return f"{100 * value:.1f} %" if row["judged_by"] == ACCURACY else f"{value:.3f}"


def _gain(row: Row, column: str = "gain") -> str:
    gain, low, high = (float(row[column + end] or "nan") for end in ("", "_low", "_high"))
    text = f"{gain:+.3f} (interval {low:+.3f} to {high:+.3f}) against"
    if row["judged_by"] == ACCURACY:
        text = f"{100 * gain:+.1f} points (interval {100 * low:+.1f} to {100 * high:+.1f}) against"
    return text if low > 0 or high < 0 else f"but not beyond chance: {text}"


def _items(header: Sequence[str]) -> list[Table | Picture]:
    """What the page shows; an interval belongs to the figure that judges."""
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
        Column("bleu", "BLEU", "number", 1),
        Column(BERT_F, "BERTScore F", "number", 3),
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
