"""The report's section on the audit: tables, captions, sentences that follow from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milan_core.core.section import Column, Link, Picture, Section, Table
from milan_core.experiments.audit import tables
from milan_core.experiments.audit.figure import SOURCES
from milan_core.experiments.audit.options import AuditOptions

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


@dataclass(frozen=True)
class AuditPaths:
    """Files of the section, relative to it; `recount` and `figure` only where they exist."""

    counts: str
    changes: str
    units: str
    review: str
    recount: str | None = None
    figure: str | None = None


def audit_section(
    counts: Sequence[Row], changes: Sequence[Row], options: AuditOptions, paths: AuditPaths
) -> Section:
    """The section; `changes` include those of the recount, if there is one."""
    items: list[Table | Picture | Link] = []
    if paths.figure:
        items.append(Picture(paths.figure, FIGURE))
        items.append(Table(paths.changes, CHANGE_CAPTION, CHANGE_COLUMNS, folded=True))
    items.append(Table(paths.counts, COUNT_CAPTION, COUNT_COLUMNS, folded=True))
    if paths.recount:
        items.append(Table(paths.recount, "Units that people confirmed.", COUNT_COLUMNS))
    items.append(Table(paths.units, UNITS_CAPTION, UNIT_COLUMNS, folded=True))
    items.append(Link(paths.review, "Review sheet: say yes or no for each matched unit"))
    paragraphs = [*_pair_sentences(changes, options), *_single_sentences(counts, options)]
    paragraphs.append(LIMITS if options.detector else LIMITS.split(" A detector")[0])
    if not paths.recount:
        paragraphs.append(UNREVIEWED)
    return Section("audit", "Auditing: which units answer a query", 60, paragraphs, items)


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


def _pair_sentences(changes: Sequence[Row], options: AuditOptions) -> list[str]:
    """For each query and source how the pairs differ, and what the paper found."""
    pairs = [pair.name for pair in options.pairs]
    sentences = []
    for query in options.queries if pairs else []:
        rows = {
            (row["source"], row["pair"]): row
            for row in changes
            if row["query"] == query and row["layer"] == tables.ALL
        }
        for source in dict.fromkeys(source for source, _ in rows):
            each = [rows[source, pair] for pair in pairs if (source, pair) in rows]
            sentences.append(_compare(query, source, each, rows.get((source, tables.ALL))))
        if query.startswith("faces"):
            described = [
                row
                for (source, pair), row in rows.items()
                if source == tables.DESCRIPTION and pair != tables.ALL
            ]
            sentences.append(_published(described))
    return sentences


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
    if not any(int(row["original"]) or int(row["changed"]) for row in rows):
        text += "Nothing matches in any network"
        if source == tables.DESCRIPTION:  # a word outside the vocabulary is never said
            text += ", so this is no finding: the captioner may not know these words"
        text += "."
    else:
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


def _single_sentences(counts: Sequence[Row], options: AuditOptions) -> list[str]:
    """The counts of networks outside of pairs."""
    paired = {name for pair in options.pairs for name in (pair.original, pair.changed)}
    return [
        f"{row['model']}, query {row['query']!r}, {SOURCES[row['source']]}: "
        f"{row['matched']} of {row['units']} units."
        for row in counts
        if row["model"] not in paired and row["layer"] == tables.ALL
    ]
