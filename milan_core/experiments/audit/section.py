"""The report's section on the audit: tables, captions, sentences that follow from the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milan_core.core.numbers import number
from milan_core.core.section import Column, Link, Picture, Section, Table
from milan_core.experiments.audit import tables
from milan_core.experiments.audit.figure import SOURCES
from milan_core.experiments.audit.options import AuditOptions
from milan_core.scoring.verdicts import (
    CLEARLY,
    Difference,
    against_paper,
    p_text,
    power_text,
)

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
    Column("groups", "distinct groups", "integer"),
    Column("of_groups", "of", "integer"),
)
CHANGE_COLUMNS = (
    Column("pair", "pair"),
    Column("query", "query"),
    Column("source", "decided by"),
    Column("layer", "layer"),
    Column("original", "original", "number", 1),
    Column("changed", "changed", "number", 1),
    Column("original_groups", "groups, original", "number", 1),
    Column("changed_groups", "groups, changed", "number", 1),
    Column("change", "fewer units", "number", 1),
    Column("low", "interval from", "number", 1),
    Column("high", "to", "number", 1),
    Column("holm", "p over pairs, Holm", "p"),
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
    "Twins compared: original less changed, in units. Interval of one pair: Newcombe's over "
    "distinct groups, in groups, for these two networks as they are; of all pairs: Student's over "
    "pairs, in units. Networks are the replicates, so one pair has no p; that of three or more is "
    "adjusted over queries and sources (Holm). Channels of one residual stream, and units that "
    "share a third or more of their exemplars, are one group."
)
COUNT_CAPTION = (
    "Units that answer each query per layer, and how many distinct groups they are; exact "
    "(Clopper-Pearson) intervals over units, too narrow where groups are large. Layers of fewer "
    "than ten units have no share."
)
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
    "excluded phrases. A detector's opinion (in the table of units) is automatic, weak and not "
    "part of the paper; it looks at matched units only, so it can confirm and never contradict."
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
            over = rows.get((tables.DESCRIPTION, tables.ALL))
            sentences.append(_published(described, over))
    return sentences


def _compare(query: str, source: str, rows: Sequence[Row], over: Row | None) -> str:
    """Counts of every pair; networks are the replicates, so only several pairs have a verdict."""
    each = ", ".join(
        f"{row['original']} units ({row['original_groups']} distinct groups) against "
        f"{row['changed']} ({row['changed_groups']}) of {row['units']} ({row['pair']})"
        for row in rows
    )
    text = f"Units that answer {query!r} {SOURCES[source]}, original against twin: {each}."
    if not any(int(row["original"]) or int(row["changed"]) for row in rows):
        text += " Nothing matches in any network"
        if source == tables.DESCRIPTION:  # a word outside the vocabulary is never said
            text += ", so this is no finding: the captioner may not know these words"
        return f"{text}."
    if over is None:
        return f"{text} One pair of networks is a demonstration, no test."
    lead = _difference(over)
    verdict = {1: "clearly fewer", -1: "clearly more", 0: "not told apart"}[lead.side]
    text += (
        f" Mean over {len(rows)} pairs: {lead.value:.1f} units fewer in the twin (95 % interval "
        f"over pairs {lead.low:.1f} to {lead.high:.1f}; {p_text(lead.adjusted)}): {verdict}"
    )
    power = power_text([lead], 1, "units")
    return f"{text}{'; ' + power if power else ''}."


def _difference(row: Row) -> Difference:
    value, low, high, p, adjusted = (
        number(row[name]) for name in ("change", "low", "high", "p", "holm")
    )
    return Difference(value, low, high, p, adjusted)


def _published(rows: Sequence[Row], over: Row | None) -> str:
    """The paper's counts, and what the pairs of this run say of its claim."""
    before, after = PUBLISHED
    text = (
        f"The paper found {before} face units in 12 networks trained on sharp ImageNet images and "
        f"{after} in those trained on blurred ones, a loss of {1 - after / before:.0%}. "
    )
    if sum(int(row["original"]) for row in rows) == 0:
        return text + "No unit matches here, so this run says nothing about that claim."
    if over is None:
        return text + (
            "One pair cannot confirm that: another training of the same two networks may differ as "
            "much."
        )
    verdict = against_paper([_difference(over).side])
    return text + (
        f"By descriptions this run {verdict} in the direction; the size is of another world and "
        f"compares with nothing in the paper. {CLEARLY}"
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
