"""What the audit tells the report: figure, tables and sentences that follow from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.drawing import write_figure
from milan_core.core.files import read_csv
from milan_core.core.section import Column, Link, Picture, Section, Table, write_section
from milan_core.experiments.audit import counts
from milan_core.experiments.audit.figure import SOURCES, change_figure

Row = Mapping[str, str]
PUBLISHED = (213, 142)  # face units of 12 networks on sharp and on blurred ImageNet (figure 5)
COUNT_COLUMNS = (
    Column("model", "network"),
    Column("query", "query"),
    Column("source", "decided by"),
    Column("layer", "layer"),
    Column("matched", "units", "integer"),
    Column("units", "of", "integer"),
    Column("share", "share", "percent", low="low", high="high"),
)
CHANGE_COLUMNS = (
    Column("pair", "pair"),
    Column("query", "query"),
    Column("source", "decided by"),
    Column("layer", "layer"),
    Column("original", "original", "number", 1),
    Column("changed", "changed", "number", 1),
    Column("change", "fewer units", "number", 1, low="low", high="high"),
    Column("p", "p, exact test", "number", 4),
)


def write_audit_section(folder: Path, options: Mapping[str, Any], reviewed: bool) -> None:
    """Write change.svg (when there are pairs) and section.json into `folder`."""
    table = read_csv(folder / "counts.csv", counts.COUNTS)
    changes = read_csv(folder / "changes.csv", counts.CHANGES)
    if reviewed:
        changes = [*changes, *read_csv(folder / "recount_changes.csv", counts.CHANGES)]
    items: list[Table | Picture | Link] = []
    if options["pairs"]:
        write_figure(folder / "change.svg", change_figure(changes, options))
        items.append(Picture("change.svg", FIGURE))
        items.append(Table("changes.csv", CHANGE_CAPTION, CHANGE_COLUMNS, folded=True))
    items.append(Table("counts.csv", COUNT_CAPTION, COUNT_COLUMNS, folded=True))
    if reviewed:
        items.append(Table("recount.csv", "Units that people confirmed.", COUNT_COLUMNS))
    items.append(Table("units.csv", UNITS_CAPTION, UNIT_COLUMNS, folded=True))
    items.append(Link("review/index.html", "Review sheet: say yes or no for each matched unit"))
    paragraphs = [*_pair_sentences(changes, options), *_single_sentences(table, options)]
    paragraphs.append(LIMITS if options["detector"] else LIMITS.split(" A detector")[0])
    if not reviewed:
        paragraphs.append(UNREVIEWED)
    section = Section("audit", "Auditing: which units answer a query", 60, paragraphs, items)
    write_section(folder / "section.json", section)


FIGURE = (
    "Units that answer each query in each network, twins joined by a line (left), and per layer, "
    "mean over the pairs of one architecture (right). Filled: network trained on the images as "
    "they are; open: its twin."
)
CHANGE_CAPTION = (
    "Twins compared: original less changed, in units. Intervals: Newcombe's over units for one "
    "pair, Student's over pairs for all; p: Fisher's exact test over units of one pair. Units of "
    "one network are not independent, so the pairs are the safer replicates."
)
COUNT_CAPTION = "Units that answer each query per layer; exact (Clopper-Pearson) intervals."
UNITS_CAPTION = (
    "Every unit whose description answers a query; `concept` is the known concept of its regions, "
    "`truth` whether that answers the query, `detector` the share of its exemplars in which a "
    "detector confirms the region (a second opinion that is not in the paper)."
)
UNIT_COLUMNS = (
    Column("model", "network"),
    Column("query", "query"),
    Column("layer", "layer"),
    Column("unit", "unit", "integer"),
    Column("description", "description"),
    Column("concept", "known concept"),
    Column("truth", "answers", "integer"),
    Column("detector", "detector", "percent"),
)
LIMITS = (
    "A description counts when it has one of the query's words as a whole word outside the "
    "excluded phrases. A detector's opinion is automatic, weak and not part of the paper."
)
UNREVIEWED = (
    "Nobody has looked at the matched units of this run. The paper's counts were made by hand: "
    "the review sheet asks the same of you, and `audit.review` counts again from its answers."
)


def _pair_sentences(changes: Sequence[Row], options: Mapping[str, Any]) -> list[str]:
    pairs = [pair["name"] for pair in options["pairs"]]
    found = []
    for query in options["queries"] if pairs else []:
        rows = {
            (row["source"], row["pair"]): row
            for row in changes
            if row["query"] == query and row["layer"] == counts.ALL
        }
        for source in dict.fromkeys(source for source, _ in rows):
            own = [rows[source, pair] for pair in pairs if (source, pair) in rows]
            over = rows.get((source, counts.ALL))
            found.append(_compare(query, source, own, over))
        if query.startswith("faces"):
            found.append(_published([r for (s, p), r in rows.items() if s == counts.DESCRIPTION
                                     and p != counts.ALL]))  # fmt: skip
    return found


def _compare(query: str, source: str, rows: Sequence[Row], over: Row | None) -> str:
    each = ", ".join(f"{row['original']} against {row['changed']} ({row['pair']})" for row in rows)
    fewer = [row["pair"] for row in rows if float(row["low"]) > 0]
    more = [row["pair"] for row in rows if float(row["high"]) < 0]
    text = f"Units that answer {query!r} {SOURCES[source]}, original against twin: {each}. "
    if fewer:
        text += f"Clearly fewer in the twin of {_of(fewer, rows)}"
    text += " and clearly more in that of " * bool(fewer and more)
    text += "Clearly more in the twin of " * bool(more and not fewer)
    text += _of(more, rows) if more else ""
    text += "." if fewer or more else "No pair differs clearly."
    if over is not None:
        text += (
            f" Mean over pairs: {float(over['change']):.1f} units fewer in the twin "
            f"(95 % interval over pairs {float(over['low']):.1f} to {float(over['high']):.1f})."
        )
    return text


def _of(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Which pairs: all of several, or their names."""
    return f"all {len(rows)} pairs" if len(names) == len(rows) > 1 else ", ".join(names)


def _published(rows: Sequence[Row]) -> str:
    sharp, blurred = (sum(int(row[side]) for row in rows) for side in ("original", "changed"))
    before, after = PUBLISHED
    text = (
        f"The paper found {before} face units in 12 networks trained on sharp ImageNet images and "
        f"{after} in those trained on blurred ones, a loss of {1 - after / before:.0%}. "
    )
    if sharp == 0:
        return text + "No unit matches here, so this run says nothing about that claim."
    loss = 1 - blurred / sharp
    if blurred >= sharp:
        return text + "This run does not show a loss."
    return text + (
        f"Here {loss:.0%} of {sharp} are lost: the direction agrees, the size is of another world "
        "and compares with nothing in the paper."
    )


def _single_sentences(table: Sequence[Row], options: Mapping[str, Any]) -> list[str]:
    paired = {pair[side] for pair in options["pairs"] for side in ("original", "changed")}
    found = []
    for row in table:
        if row["model"] not in paired and row["layer"] == counts.ALL:
            found.append(
                f"{row['model']}, query {row['query']!r}, {SOURCES[row['source']]}: "
                f"{row['matched']} of {row['units']} units."
            )
    return found
