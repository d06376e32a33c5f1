"""Section of the report: can these descriptions be trusted?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.core.numbers import percent, plainly, signed
from milan_core.core.section import Column, Section, Table
from milan_core.describers.abstention.options import ANSWERED
from milan_core.referee.board import ALL, Board, Mean, Place
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.said import CONSTANT, FREQUENT, OTHER, TRIVIAL, TRUTH, WORD
from milan_core.referee.sanity import TRUSTED
from milan_core.scoring.verdicts import CLEARLY, Difference, holm, power_text

Rows = list[dict[str, Any]]
SUMMARY = (
    *("judge", "model", "describer", "correlation", "correlation_low", "correlation_high"),
    *("auprc", "auprc_low", "auprc_high", "lead", "lead_low", "lead_high"),
    *("units", "abstained", "unscored", "note"),
)
TRIVIAL_NAMES = {
    CONSTANT: "constant: says nothing",
    FREQUENT: "most frequent text, for every unit",
    WORD: "random text of the run",
    OTHER: "text of another unit",
    TRUTH: "name of the unit's known concept",
}
CONTROL_NAMES = {
    "clip_rerank": "MILAN, re-ranked by an image-text judge",
    "shuffled_masks": "MILAN under masks of other units",
    "whole_image": "MILAN without masks",
    "prior_only": "p(d) alone, which looks at no unit",
}
CAPTION = (
    "Descriptions on {images} images {heldout}. Correlation: of a unit's largest activation in "
    "each image with how much of the text the judge sees there. Lift: average precision of the "
    "same for the {alpha} of images on which the unit is strongest; 0 is chance, 1 perfect. "
    "Intervals: bootstrap over images. Lead: mean paired difference of the correlation to the "
    "first row. Unscored: the unit is dead, the judge cannot read the text, or the describer reads "
    "the judge itself. A text of which the judge sees as much in every image predicts nothing: it "
    "counts as 0, so a lead is also one in texts that predict anything."
)
APPROXIMATE = (
    "Here a question is one judge's: does a describer differ from the first in correlation? p "
    "takes the resamples of the images for normally distributed."
)
SELECTED = (
    "Of {name}, a test on these very images chose the units, so its figures are too high "
    "(docs/abstention.md says by how much)."
)
SANITY_CAPTION = (
    "Share of units on which a score falls when half of the concept's labels are deleted "
    "(missing), and when as many false ones are added (extra). A score that does not fall cannot "
    "tell right from wrong. Correlation and AUPRC lead; the others are in scores.csv for "
    "comparison with published tables only."
)


def summary_rows(board: Board, names: Mapping[str, str]) -> Rows:
    """Rows of summary.csv of one judge and network: SUMMARY, one a describer."""
    rows = []
    for name in board.describers:
        r, lift = (board.means[Place(name, ALL, score)] for score in HEADLINE)
        cells: list[Any] = [board.facts.judge, board.facts.model, names.get(name, name)]
        for mean in (r, lift):
            own, _ = mean.intervals()
            cells += [own.value, own.low, own.high]
        _, lead = r.intervals()
        cells += [lead.value, lead.low, lead.high, *board.counts[name, ALL], board.note(name)]
        rows.append(dict(zip(SUMMARY, cells, strict=True)))
    return rows


def referee_section(
    boards: Sequence[Board],
    rows: Sequence[Mapping[str, Any]],
    sanity: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    random: str,
) -> Section:
    """The section; summary.csv and sanity.csv must lie beside it.

    Args:
        boards: over all networks, one a judge.
        rows: of summary.csv.
        sanity: of sanity.csv, over all networks.
        names: of describers, for people.
        random: the network with random weights; empty where there is none.

    """
    paragraphs = [_what(boards[0])]
    for board in boards:
        paragraphs += _standing(board, names)
    paragraphs.append(f"{CLEARLY} {APPROXIMATE}")
    if any(ANSWERED in board.describers for board in boards):
        paragraphs.append(SELECTED.format(name=names.get(ANSWERED, ANSWERED)))
    paragraphs += _random(rows, random)
    paragraphs += _warnings(sanity)
    facts = boards[0].facts
    caption = CAPTION.format(
        images=facts.images,
        heldout="that no describer has seen" if facts.heldout else "that describers have seen",
        alpha=f"{100 * facts.alpha:g} %",
    )
    columns = [
        Column("judge", "judge"),
        Column("model", "network"),
        Column("describer", "describer"),
        Column("correlation", "correlation", "number", 3, "correlation_low", "correlation_high"),
        Column("auprc", "lift", "number", 3, "auprc_low", "auprc_high"),
        Column("lead", "lead", "number", 3, "lead_low", "lead_high"),
        Column("units", "units", "integer"),
        Column("abstained", "abstained", "integer"),
        Column("unscored", "unscored", "integer"),
    ]
    if any(row["note"] for row in rows):
        columns.append(Column("note", "why no score"))
    verdicts = [
        Column("judge", "judge"),
        Column("metric", "score"),
        *(Column(name, name, "percent") for name in ("missing", "extra", "both")),
        Column("units", "units", "integer"),
    ]
    items = [
        Table("summary.csv", caption, columns),
        Table("sanity.csv", SANITY_CAPTION, verdicts, folded=True),
    ]
    return Section("referee", "Can these descriptions be trusted?", 5, paragraphs, items)


def _what(board: Board) -> str:
    text = (
        "A description is tested by what it predicts: a judge says how much of it is visible in an "
        "image, and the unit should be strong where it is. "
    )
    if board.facts.heldout:
        return text + "The images that score were shown to no describer."
    return text + (
        "Nothing was held out in this run: the images that score are those that the descriptions "
        "were made from, so the figures are too good."
    )


def _standing(board: Board, names: Mapping[str, str]) -> list[str]:
    """Compare the main describer with the others and the trivial ones."""
    main = board.describers[0]
    r = board.means[Place(main, ALL, "correlation")]
    own, _ = r.intervals()
    text = (
        f"{board.facts.judge.capitalize()}: {names.get(main, main)} reaches a correlation of "
        f"{_with_interval(own.value, own.low, own.high)} over {r.units} units."
    )
    leads = {
        name: board.means[Place(name, ALL, "correlation")]
        for name in board.describers[1:]
        if board.means[Place(name, ALL, "correlation")].both
    }
    found = _differences({name: lead for name, lead in leads.items() if name != TRUTH})
    rivals = [name for name in found if name not in TRIVIAL]
    for side, verdict in ((1, "Clearly better"), (-1, "Clearly worse")):
        if named := [name for name in rivals if found[name].side == side]:
            text += f" {verdict}: {_listed(named, leads, names)}."
    if unclear := [name for name in rivals if not found[name].side]:
        power = power_text([found[name] for name in unclear], 1, "of correlation")
        text += (
            f" No clear difference: {_listed(unclear, leads, names)}{'; ' * bool(power)}{power}."
        )
    if floor := [name for name in TRIVIAL if name in found and found[name].side >= 0]:
        text += f" Not clearly better than {_listed(floor, leads, names)}: these texts say nothing."
    elif any(name in found for name in TRIVIAL):
        text += " It is clearly ahead of every trivial baseline."
    if TRUTH in leads:
        _, lead = leads[TRUTH].intervals()
        text += (
            " The names of the known concepts of the units that have one differ from it by "
            f"{_with_interval(lead.value, lead.low, lead.high, sign=True)}."
        )
    return [text]


def _differences(leads: Mapping[str, Mean]) -> dict[str, Difference]:
    """Leads over the first describer, p of each by its resamples and adjusted over all (Holm)."""
    intervals = {name: lead.intervals()[1] for name, lead in leads.items()}
    p_values = []
    for lead in leads.values():
        spread = float(np.std(lead.lead_drawn[np.isfinite(lead.lead_drawn)]))
        p_values.append(math.erfc(abs(lead.lead) / spread / math.sqrt(2)) if spread else math.nan)
    adjusted = holm(p_values)
    return {
        name: Difference(one.value, one.low, one.high, p, holm_p)
        for (name, one), p, holm_p in zip(intervals.items(), p_values, adjusted, strict=True)
    }


def _listed(chosen: Sequence[str], leads: Mapping[str, Mean], names: Mapping[str, str]) -> str:
    texts = []
    for name in chosen:
        _, lead = leads[name].intervals()
        shown = names.get(name, TRIVIAL_NAMES.get(name, name))
        texts.append(f"{shown} ({_with_interval(lead.value, lead.low, lead.high, sign=True)})")
    return ", ".join(texts)


def _with_interval(value: float, low: float, high: float, *, sign: bool = False) -> str:
    written = (lambda x: signed(x, 3)) if sign else (lambda x: plainly(x, 3))
    return f"{written(value)} [{written(low)}, {written(high)}]"


def _random(rows: Sequence[Mapping[str, Any]], random: str) -> list[str]:
    texts = []
    for judge in dict.fromkeys(row["judge"] for row in rows):
        mine = [row for row in rows if row["judge"] == judge and row["model"] == random]
        if mine:
            best = mine[0]
            value = _with_interval(
                best["correlation"], best["correlation_low"], best["correlation_high"]
            )
            texts.append(
                f"{judge.capitalize()}, the network {random}, which has learned nothing: "
                f"{best['describer']} reaches {value}. A correlation of that size says what a unit "
                "follows, not that the network knows the concept."
            )
    return texts


def _warnings(sanity: Sequence[Mapping[str, Any]]) -> list[str]:
    """A warning for every headline score that fails on this run's own data."""
    headline = [row for row in sanity if row["metric"] in HEADLINE]
    tested = [row for row in headline if not math.isnan(float(row["both"]))]
    texts = [
        f"Warning: {row['metric']} by {row['judge']} passes both sanity tests on "
        f"{100 * float(row['both']):.3g}% of units only (expected {percent(TRUSTED)}): do "
        "not rank describers by it on this data."
        for row in tested
        if float(row["both"]) < TRUSTED
    ]
    texts += [
        f"Warning: {row['metric']} by {row['judge']} could be tested on no unit, so nothing says "
        "whether it can be trusted on this data."
        for row in headline
        if row not in tested
    ]
    if not headline:
        return ["No sanity test was run: nothing says which scores can be trusted on this data."]
    return texts or [
        "Correlation and lift pass both sanity tests on this run's own data (below): they fall "
        "when labels of the right concept are deleted, and when false ones are added."
    ]
