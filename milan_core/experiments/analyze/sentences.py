"""Sentences on the accuracy curves, compared with the claims of the paper (section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milan_core.core.numbers import number
from milan_core.experiments.analyze.curves import area
from milan_core.experiments.analyze.tables import CRITERION, MATCHED, RANDOM, Analysis
from milan_core.scoring.proportions import difference_interval
from milan_core.scoring.verdicts import FEWEST, Difference, against_paper, p_text

_ALPHA = 0.05
# What the paper says of Fig. 4: effect on accuracy against random orders, and where units lie.
_HURTS = {"adjectives": -1, "adpositions": -1, "word-difference": 1}
_WHERE = {"adjectives": "early", "adpositions": "middle", "word-difference": "late"}
_CLAIMS = (
    "The paper reports that ablating units with many adjectives or adpositions in their "
    "descriptions costs more accuracy than ablating random units, that units with a large word "
    "difference cost clearly less, and that adjectives lie mostly in early, adpositions in middle "
    "and large word differences in late layers."
)
_PUBLISHED_TIES = (
    "Units with equal scores are ablated by layer and unit, as published: one order per criterion, "
    "in which early layers come first among equals."
)


def paragraphs(
    analyses: Sequence[Analysis], rows: Sequence[Mapping[str, Any]], images: int = 0
) -> list[str]:
    """The text of the section: per network what its curves show, the paper's claims, the limits.

    `images` are those that accuracies were measured on; 0: all of the data set.
    """
    texts = [_overview(analyses, rows, images)]
    texts += [_effects(one, [row for row in rows if row["model"] == one.model]) for one in analyses]
    if any(
        len(y) == 1 for one in analyses for (_, kind), y in one.curves.items() if kind == CRITERION
    ):
        texts.append(_PUBLISHED_TIES)
    texts.append(_CLAIMS)
    texts += [_positions(one) for one in analyses]
    texts.append(
        "An area is the mean accuracy over the ablated shares; intervals are over orders, so they "
        "cover equal scores and random orders, not the choice of images. A criterion stands out "
        "only when its area is unlikely as one more random order with as many units of each layer "
        "(p after Holm's adjustment over all criteria and networks below 0.05). Word classes come "
        "from a tagger made for sentences, which errs on short phrases. The criteria are not "
        "independent: longer descriptions have more words of every class."
    )
    return texts


def _overview(analyses: Sequence[Analysis], rows: Sequence[Mapping[str, Any]], images: int) -> str:
    """Count the criteria that do what no random order would, and those that differ on average."""
    tested = [row for row in rows if row["area"] != ""]
    clear = sum(number(row["matched_p_holm"]) < _ALPHA for row in tested)
    paired = sum(number(row["paired_p_holm"]) < _ALPHA for row in tested)
    seen = [number(row[f"{MATCHED}_seen"]) for row in tested if row[f"{MATCHED}_seen"] != ""]
    power = (
        f" Single orders that differ from these by less than {min(seen):.2f} to {max(seen):.2f} of "
        "accuracy would mostly not be seen even before adjustment, so what does not stand out is "
        "not shown to be absent."
        if seen
        else ""
    )
    error = (
        f" All accuracies are of one draw of {images} images, in which an accuracy of one half has "
        f"a standard error of {0.5 / images**0.5:.3f}; the tests say nothing of other images."
        if images
        else ""
    )
    spread = np.mean([area(one.fractions, one.random).std(ddof=1) for one in analyses])
    return (
        "Units are ablated in the order of what their descriptions say, and the accuracy that is "
        f"left is compared with random orders. Of {len(tested)} orders ({len(analyses)} networks), "
        f"{clear} stand out from single random orders with as many units of each layer, while "
        f"{paired} differ from the mean of these in a paired test (both after Holm's adjustment): "
        f"random orders differ among each other as well, by {spread:.3f} of accuracy (standard "
        f"deviation).{power}{error}"
    )


def _effects(analysis: Analysis, rows: Sequence[Mapping[str, Any]]) -> str:
    tested = [row for row in rows if row["area"] != ""]
    if not tested:
        return f"{analysis.model}: no criterion tells its units apart, so there are no curves."
    clear = [row for row in tested if number(row["matched_p_holm"]) < _ALPHA]
    clear.sort(key=lambda row: row[f"{MATCHED}_difference"])
    shown = "; ".join(
        f"{row['criterion']} {row[f'{MATCHED}_difference']:+.3f} ({p_text(row['matched_p_holm'])})"
        for row in clear
    )
    left = analysis.random[:, -1].mean()
    start = (
        f"{analysis.model} (accuracy {analysis.accuracy:.3f} with all units, "
        f"{left:.3f} without {100 * analysis.fractions[-1]:.0f}% of them at random): "
    )
    effects = (
        f"against layer-matched random orders the area differs for {shown}"
        if clear
        else "no criterion stands out from layer-matched random orders"
    )
    against = " ".join(filter(None, (_claim(row) for row in tested)))
    return f"{start}{effects}. {against}".strip()


def _claim(row: Mapping[str, Any]) -> str:
    """One of the paper's claims against this row, or nothing."""
    sign = _HURTS.get(str(row["criterion"]))
    if sign is None:
        return ""
    difference, p = row[f"{RANDOM}_difference"], number(row[f"{RANDOM}_p_holm"])
    side = Difference(difference, adjusted=p).side
    verdict = against_paper([side], sign)
    measured = f"{difference:+.3f} against random orders, {p_text(p)}"
    seen = number(row[f"{RANDOM}_seen"])
    if side == 0 and seen == seen:
        measured += f"; from {seen:.2f} on it would have been seen before adjustment"
    if side == sign and not number(row["matched_p_holm"]) < _ALPHA:
        verdict += ", but no longer when layers are matched"
    return f"{str(row['criterion']).capitalize()}: this {verdict} ({measured})."


def _positions(analysis: Analysis) -> str:
    """Name the layer with the largest share of each criterion's matching units."""
    layers = list(dict.fromkeys(analysis.layers.tolist()))
    parts = []
    for name, expected in _WHERE.items():
        if name not in analysis.matches or not analysis.matches[name].any():
            continue
        shares = np.array(
            [
                inside.mean() if len(inside) >= FEWEST else -1.0
                for layer in layers
                for inside in [analysis.matches[name][analysis.layers == layer]]
            ]
        )
        if shares.max() <= 0:
            continue
        best = int(np.argmax(shares))
        third = ("early", "middle", "late")[min(2, 3 * best // len(layers))]
        verdict = "as" if third == expected else "unlike"
        near = _not_apart(analysis, name, layers, best)
        parts.append(
            f"{name} are most frequent in {layers[best]} ({100 * shares[best]:.0f}% of its units, "
            f"{third}, {verdict} the paper's {expected}{near})"
        )
    return f"{analysis.model}: {'; '.join(parts)}." if parts else ""


def _not_apart(analysis: Analysis, name: str, layers: Sequence[str], best: int) -> str:
    """The other layers whose share of matching units is not told apart from the largest.

    By Newcombe's interval of 95 % over units, one layer at a time: it is too narrow where units
    hang together, so that more layers may belong here.
    """
    counts = [
        (int(inside.sum()), len(inside))
        for layer in layers
        for inside in [analysis.matches[name][analysis.layers == layer]]
    ]
    near = [
        layer
        for place, layer in enumerate(layers)
        if place != best
        and counts[place][1] >= FEWEST
        and difference_interval(counts[best], counts[place])[1] <= 0
    ]
    return f"; not told apart from {', '.join(near)}" if near else ""
