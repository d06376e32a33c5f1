"""Sanity tests of scores where concepts are rare: scenes of the zoo of which few show anything.

In the usual scenes no concept is rare, so scores that fail on rare concepts only (MAD) pass there.
Here a share of the scenes is as usual and the others are empty, and of the units those count that
fire on few of the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from milan_core.referee.metrics import METRICS, Pair, firing
from milan_core.referee.sanity import Verdict, sanity
from milan_core.world.zoo.facts import Facts, draw_facts
from milan_core.zoo.agreement import presence
from milan_core.zoo.candidates import scored_units
from milan_core.zoo.published import PUBLISHED
from milan_core.zoo.study import over_seeds
from milan_core.zoo.tables import markdown, percent

RARE = 0.02  # largest share of the images on which a unit fires that counts
FEWEST = 2  # images on which it must fire


@dataclass(frozen=True)
class RareOptions:
    """The numbers of scenes and draws."""

    seeds: int = 3
    images: int = 10_000
    draws: int = 10
    alpha: float = 0.02


@dataclass(frozen=True)
class RareVerdicts:
    """Verdicts of every metric on the units that fire on few images.

    Attributes:
        shares: float64 [units], of the images on which each fires.
        verdicts: by metric.

    """

    shares: np.ndarray
    verdicts: dict[str, Verdict]


def rare_verdicts(shown: float, seed: int, options: RareOptions) -> RareVerdicts:
    """Both sanity tests over rare units and their exact presence.

    Args:
        shown: share of the scenes that show anything.
        seed: of the scenes and of damaged labels.
        options: how much is drawn.

    """
    facts = Facts(draw_facts(options.images, 3000 + seed, shown=shown))
    pairs, shares = [], []
    for unit in scored_units():
        a, c = unit.expression.value(facts), presence(unit.expression, facts)
        share = float((a != 0).mean())
        if unit.kind != "signed" and FEWEST <= share * options.images <= RARE * options.images:
            pairs.append(Pair(a, c, firing(a, options.alpha)))
            shares.append(share)
    verdicts = sanity(pairs, list(METRICS), seed, options.draws)
    return RareVerdicts(np.array(shares), {one.metric: one for one in verdicts})


def rare_block(shown: Sequence[float], options: RareOptions) -> str:
    """The table of the page: percent of rare units that pass each test."""
    runs = {
        share: [rare_verdicts(share, seed, options) for seed in range(options.seeds)]
        for share in shown
    }
    head = ["score", *(f"{share:g}: {test}" for share in shown for test in ("missing", "extra"))]
    rows = []
    for name in METRICS:
        cells = [
            percent(over_seeds([getattr(run.verdicts[name], test) for run in runs[share]]))
            for share in shown
            for test in ("missing", "extra")
        ]
        measured = ", ".join(f"{value:g}" for value in PUBLISHED[name][0])
        rows.append([name, *cells, measured])
    about = [f"{share:g} ({_counted(run.shares for run in runs[share])})" for share in shown]
    return "\n".join(
        [
            f"{options.images:,} scenes a seed, {options.seeds} seeds, of which this share shows",
            f"anything (units that fire on at most {100 * RARE:g} % of them; median share):",
            f"{'; '.join(about)}.",
            "Percent of units that pass, means with 95 % t intervals.",
            "",
            *markdown([*head, "published measurement: missing, extra"], rows),
        ]
    )


def _counted(shares: Iterable[np.ndarray]) -> str:
    parts = list(shares)
    units = sorted({len(part) for part in parts})
    number = f"{units[0]}" if len(units) == 1 else f"{units[0]} to {units[-1]}"
    return f"{number} units; {100 * float(np.median(np.concatenate(parts))):.2f} %"
