"""The tables of the study of several labels (`zoo.several`): labels by kind, judge and rule."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.referee.judges.mini import Judge
from milan_core.world.zoo.facts import draw_facts
from milan_core.zoo.several import (
    CLUSTERS,
    COVER,
    FIRST,
    KINDS,
    LabeledUnit,
    SeveralOptions,
    candidate_texts,
    drawn_units,
    label_units,
    unit_maps,
)
from milan_core.zoo.study import over_seeds
from milan_core.zoo.tables import markdown, percent


def several_block(
    judges: Mapping[str, Judge | None], seeds: Sequence[int], options: SeveralOptions
) -> str:
    """The tables of the page: how many labels units of each kind get, by judge and rule.

    Args:
        judges: by name; None is the oracle.
        seeds: of units and scenes.
        options: how many.

    """
    labeled: dict[str, list[list[LabeledUnit]]] = {name: [] for name in judges}
    for seed in seeds:
        scenes = draw_facts(options.images, FIRST + seed)
        maps = unit_maps([unit for _, unit in drawn_units(seed, options)], scenes)
        for name, judge in judges.items():
            with tempfile.TemporaryDirectory() as scratch:
                found = label_units(seed, options, Path(scratch) / "images", judge, maps)
            labeled[name].append(found)
    rows, counts = [], []
    for name, runs in labeled.items():
        for rule in (COVER, CLUSTERS):
            cells = [
                percent(over_seeds([_share(run, rule, kind, right) for run in runs]))
                for kind, number in zip(KINDS[:3], (1, 2, 3), strict=True)
                for right in (_counted(number), _exact)
            ]
            rows.append([name, rule, *cells])
            others = [_numbers(runs, rule, kind) for kind in KINDS[3:]]
            counts.append([name, rule, *others])
    head = [
        f"{kind}: {what}" for kind in KINDS[:3] for what in ("number right %", "labels right %")
    ]
    units = ", ".join(f"{n} {kind}" for n, kind in zip(options.units, KINDS, strict=True))
    return "\n".join(
        [
            f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]}) of other units and scenes, each",
            f"{units}; {options.images:,} scenes and {len(candidate_texts())} candidates.",
            "Means over seeds with 95 % t intervals.",
            "",
            *markdown(["judge", "rule", *head], rows),
            "",
            "Units that have no right number, as they are: units by their number of labels.",
            "",
            *markdown(["judge", "rule", *KINDS[3:]], counts),
        ]
    )


def _counted(number: int) -> Callable[[LabeledUnit, str], bool]:
    return lambda unit, rule: len(unit.labels[rule]) == number


def _exact(unit: LabeledUnit, rule: str) -> bool:
    return set(unit.labels[rule]) == set(unit.parts)


def _share(
    run: Sequence[LabeledUnit], rule: str, kind: str, right: Callable[[LabeledUnit, str], bool]
) -> float:
    return float(np.mean([right(unit, rule) for unit in run if unit.kind == kind]))


def _numbers(runs: Sequence[Sequence[LabeledUnit]], rule: str, kind: str) -> str:
    found = Counter(len(one.labels[rule]) for run in runs for one in run if one.kind == kind)
    return ", ".join(f"{number}: {found[number]}" for number in sorted(found))
