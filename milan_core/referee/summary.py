"""The summary of a table of descriptions in Markdown: what was scored, how well, its worth."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from milan_core.referee.agreement import Agreement
from milan_core.referee.board import ALL, Board, Mean, Place
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.resampling import Interval, interval
from milan_core.referee.sanity import TRUSTED, Verdict
from milan_core.referee.score import FOR_COMPARISON
from milan_core.referee.scored import Scored
from milan_core.referee.submitted import LONG
from milan_core.referee.table import FEWEST

SHOWN = 5  # units with the largest and the smallest correlation
TITLES = {"correlation": "Correlation", "auprc": "AUPRC lift"}
DIFFERENCE = (
    "Difference: the row's score minus the first row's, averaged over the units that both have; "
    "negative where the first row is better. Means over different units are not comparable."
)
STATUSES = {
    "scored": "scored",
    "constant": "the text is judged alike in all images: correlation 0",
    "abstained": "no text",
    "missing": "the table has no row",
    "unread": "the judge cannot read the text",
    "dead": "the unit is constant on these images",
    "failed": "the describer did not answer",
    "unknown unit": "the network has no such unit",
}


COMPARISON = (
    "Means over units, intervals over units; texts that are judged alike in all images count. Most "
    "of these scores fail a sanity test, so they do not rank anything."
)
CONTROL = (
    "For every unit the text of this table that correlates most with it on half of the images, "
    "scored on the other half: on the network, and on the same network with random weights, which "
    "has learned nothing."
)
SANITY = (
    "Share of units for which a score falls when labels of the best-fitting text are damaged: half "
    "of them missing, as many again added. A score that does not fall cannot tell a good "
    "description from a bad one."
)

UNTESTED = "The sanity tests were left out: nothing says which scores can be trusted here."


class Summarized(Protocol):
    """The scores that a summary is made of: `held_out.HeldOutScores`."""

    facts: dict[str, Any]
    rows: list[Scored]
    board: Board
    verdicts: list[Verdict]
    redundancy: dict[str, float]
    trust: Agreement | None
    controls: list[Board]
    notes: list[str]

    def counts(self) -> Mapping[str, int]:
        """Units by status."""

    def mean(self, score: str) -> float:
        """Mean of one score."""


def markdown(result: Summarized) -> str:
    """The whole page."""
    parts = [
        "# Are these descriptions true?",
        opening(result),
        "\n".join(f"- {escaped(note)}" for note in result.notes),
        "## Units",
        table(("status", "units"), [(STATUSES[k], str(v)) for k, v in result.counts().items()]),
        f"{len(result.rows)} units in all.",
        "## Scores",
        _headline(result),
        DIFFERENCE,
        *warnings(result),
        "## Layers",
        _layers(result),
        "## Units that agree most and least",
        _units(result),
        "## For comparison",
        COMPARISON,
        _others(result),
        *_controls(result),
        "## What these scores are worth here",
        _sanity(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """A text of somebody else inside Markdown: no markup, no breaks of a table."""
    shown = text if len(text) <= LONG else f"{text[: LONG - 3]}..."
    return html.escape(shown, quote=False).replace("|", "&#124;").replace("`", "&#96;")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: float, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _range(one: Interval) -> str:
    if math.isnan(one.low):
        return shown(one.value)
    return f"{shown(one.value)} [{shown(one.low)}, {shown(one.high)}]"


def opening(result: Summarized) -> str:
    """What was scored, on what, by whom."""
    facts = result.facts
    seen = (
        "no describer has seen them"
        if facts["heldout"]
        else "whether a describer has seen them is not known: if it has, the scores are too high"
    )
    text = (
        f"Network {escaped(str(facts['model']))}, judge {escaped(facts['judge'])}, "
        f"{facts['images']} images ({seen}). The score is the correlation of a unit's activation "
        "with what the judge sees of its text in each image; AUPRC lift is 0 for chance and 1 for "
        f"a perfect text, where a unit fires on {facts['alpha']:.3g} of the images. Intervals are "
        f"95 % over {facts['resamples']} resamples of the images."
    )
    if result.trust is not None:
        text += (
            f" The judge itself, on {result.trust.texts} of these texts: its columns correlate "
            f"{shown(result.trust.correlation, 2)} with the ground truth, mean absolute error "
            f"{shown(result.trust.error)}, calibration error {shown(result.trust.calibration)}."
        )
    return text


def _headline(result: Summarized) -> str:
    rows = []
    for name in result.board.describers:
        cells = [name.replace("_", " ")]
        for score in HEADLINE:
            own, lead = result.board.means[Place(name, ALL, score)].intervals()
            cells += [_range(own), _range(lead)]
        rows.append((*cells, str(result.board.means[Place(name, ALL, "correlation")].units)))
    header = ["describer"]
    for score in HEADLINE:
        header += [TITLES[score], "difference"]
    return table([*header, "units"], rows)


def warnings(result: Summarized) -> list[str]:
    """Warn of few images, and of headline scores that fail the sanity tests."""
    notes = []
    if result.facts["images"] < FEWEST:
        notes.append(
            f"**Few images:** {result.facts['images']}, fewer than {FEWEST}; read the intervals, "
            "not the values."
        )
    for verdict in result.verdicts:
        if verdict.metric in HEADLINE and math.isnan(verdict.both):
            notes.append(
                f"**{TITLES[verdict.metric]} could be tested on no unit:** nothing says whether it "
                "can be trusted on these images."
            )
        elif verdict.metric in HEADLINE and not verdict.trusted:
            notes.append(
                f"**{TITLES[verdict.metric]} fails its sanity tests here:** it falls under "
                f"damaged labels for {100 * verdict.both:.3g} % of {verdict.units} units, expected "
                f"{100 * TRUSTED:.0f} %. Do not rank by it on these images."
            )
    return notes


def _layers(result: Summarized) -> str:
    means, name = result.board.means, result.board.describers[0]
    layers = [layer for who, layer in result.board.counts if who == name and layer != ALL]
    rows = []
    for layer in layers:
        cells = [escaped(layer)]
        for score in HEADLINE:
            mean = means[Place(name, layer, score)]
            cells.append(_range(interval(mean.value, mean.drawn)))
        redundancy = result.redundancy.get(layer, float("nan"))
        rows.append((*cells, str(means[Place(name, layer, HEADLINE[0])].units), shown(redundancy)))
    header = ("layer", *(TITLES[score] for score in HEADLINE), "units", "redundancy")
    return table(header, rows)


def _units(result: Summarized) -> str:
    scored = [row for row in result.rows if row.status == "scored"]
    ranked = sorted(scored, key=lambda row: -row.correlation.value)
    few = len(ranked) <= 2 * SHOWN
    rows = [
        (
            f"{escaped(row.key[0])}, {row.key[1]}",
            escaped(row.description),
            _range(row.correlation),
            _range(row.auprc),
        )
        for row in (ranked if few else ranked[:SHOWN] + ranked[-SHOWN:])
    ]
    return table(("unit", "description", *(TITLES[score] for score in HEADLINE)), rows)


def _others(result: Summarized) -> str:
    """Means with intervals over units, and those of the trivial texts."""
    ours, *trivial = result.board.describers
    rows = []
    for score in FOR_COMPARISON:
        if (mean := result.board.means.get(Place(ours, ALL, score))) is not None:
            beside = [result.board.means.get(Place(name, ALL, score)) for name in trivial]
            cells = [shown(one.value) if one else "-" for one in beside]
            rows.append((score, _mean_range(mean), *cells, str(mean.units)))
    header = ("score", "mean", *(name.replace("_", " ") for name in trivial), "units")
    return table(header, rows)


def _mean_range(mean: Mean | None) -> str:
    return "-" if mean is None else _range(mean.intervals()[0])


def _controls(result: Summarized) -> list[str]:
    """All scores of the best texts of the table, on the network and on random weights."""
    if not result.controls:
        return []
    rows = []
    for score in (*HEADLINE, *FOR_COMPARISON):
        means = [
            board.means.get(Place(board.describers[0], ALL, score)) for board in result.controls
        ]
        if any(mean is not None for mean in means):
            rows.append((TITLES.get(score, score), *map(_mean_range, means)))
    header = ("score", *(escaped(str(board.facts.model)) for board in result.controls))
    return ["## The same network with random weights", CONTROL, table(header, rows)]


def _sanity(result: Summarized) -> str:
    if not result.verdicts and UNTESTED in result.notes:
        return UNTESTED
    if not result.verdicts:
        return "No text correlates with its unit, so the sanity tests have nothing to damage."
    rows = [
        (v.metric, *(f"{100 * part:.0f} %" for part in (v.missing, v.extra, v.both)), str(v.units))
        for v in result.verdicts
        if not math.isnan(v.both)
    ]
    return f"{SANITY}\n\n" + table(("score", "missing", "extra", "both", "units"), rows)
