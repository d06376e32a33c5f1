"""Does a rule give several labels to units of OR, and one to units of one concept?

Networks of other units than the zoo's are built for each seed: single concepts, ORs of two and of
three, AND, NOT, counts. Their images are looked at by a judge, and each rule of
`describers.several` labels every unit out of the same candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from milan_core.core.seeding import generator
from milan_core.describers.several.choosing import cluster_labels, cover_labels
from milan_core.describers.several.clusters import ClusterRule, choose_clusters
from milan_core.describers.several.sampling import masked_vectors, sample_above, unit_rows
from milan_core.images.kinds.zoo import Zoo, ZooOptions
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.mini import Judge
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.world.zoo.drawing import instance_map
from milan_core.world.zoo.expressions import Atom, Expression, Graded, Joined, Scenery
from milan_core.world.zoo.facts import (
    COLORS,
    SHAPES,
    SIZES,
    SURFACES,
    TONES,
    Facts,
    Scene,
    draw_facts,
)
from milan_core.world.zoo.wording import description
from milan_core.zoo.weights import tensors

KINDS = ("single", "or of two", "or of three", "and", "not", "count")
CLUSTERS, COVER = "clusters", "cover"
FIRST = 7000  # seed of the scenes of seed 0
QUANTILE = 0.99  # of all positions of a unit: its level


@dataclass(frozen=True)
class SeveralOptions:
    """The numbers of units of each kind, and of images."""

    images: int = 1500
    units: tuple[int, ...] = (24, 24, 8, 8, 6, 6)  # by KINDS


@dataclass(frozen=True)
class LabeledUnit:
    """The labels that a rule gave to a unit.

    Attributes:
        kind: of KINDS.
        parts: concepts that fire it, each alone where it is an OR.
        labels: texts by rule.

    """

    kind: str
    parts: tuple[str, ...]
    labels: dict[str, list[str]]


def concepts() -> list[Expression]:
    """Concepts of units and candidates: shapes, colors, both, the watermark."""
    shapes = [Atom(shape) for shape in SHAPES]
    colors = [Atom(None, color) for color in COLORS]
    both = [Atom(shape, color) for shape in SHAPES for color in COLORS]
    return [*shapes, *colors, *both, Scenery("mark")]


def text_of(concept: Expression) -> str:
    """Name a concept as candidates do, in words that a judge of the world of shapes has learned."""
    if isinstance(concept, Scenery):
        return "letters"
    return description(concept).replace("things", "objects")


def candidate_texts() -> list[str]:
    """Every concept, objects at all, and shapes of one size."""
    sized = [description(Atom(shape, None, size)) for shape in SHAPES for size in SIZES]
    return [*map(text_of, concepts()), "objects", *sized]


def drawn_units(seed: int, options: SeveralOptions) -> list[tuple[str, Expression]]:
    """Units of each kind, without repetition; parts of an OR do not imply one another."""
    every = concepts()
    simple = every[: len(SHAPES) + len(COLORS)]
    pairs = [pair for pair in combinations(every, 2) if _apart(pair)]
    groups: dict[str, list[Expression]] = {
        "single": every,
        "or of two": [Joined("or", pair) for pair in pairs],
        "or of three": [
            Joined("or", triple)
            for triple in combinations(every, 3)
            if all(_apart(pair) for pair in combinations(triple, 2))
        ],
        "and": [Joined("and", pair) for pair in combinations(simple, 2)],
        "not": [Joined("not", (one,)) for one in simple],
        "count": [Graded("count", one) for one in simple if isinstance(one, Atom)],
    }
    units = []
    for kind, number in zip(KINDS, options.units, strict=True):
        rng = generator(seed, "zoo several", kind)
        chosen = rng.choice(len(groups[kind]), min(number, len(groups[kind])), replace=False)
        units += [(kind, groups[kind][int(place)]) for place in np.sort(chosen)]
    return units


def _apart(pair: Sequence[Expression]) -> bool:
    """Whether neither of two concepts implies the other."""
    one, other = pair
    if not (isinstance(one, Atom) and isinstance(other, Atom)):
        return one != other
    wide = [
        all(mine in (None, theirs) for mine, theirs in ((a.shape, b.shape), (a.color, b.color)))
        for a, b in ((one, other), (other, one))
    ]
    return not any(wide)


def label_units(
    seed: int,
    options: SeveralOptions,
    scratch: Path,
    judge: Judge | None = None,
    maps: np.ndarray | None = None,
) -> list[LabeledUnit]:
    """Labels of every unit of one seed by both rules.

    Args:
        seed: of units and scenes.
        options: how many.
        scratch: empty folder for the images.
        judge: a mini judge; None: the oracle.
        maps: of the units, where they are known (`unit_maps`).

    """
    units = drawn_units(seed, options)
    scenes = draw_facts(options.images, FIRST + seed)
    facts = Facts(scenes)
    texts = candidate_texts()
    if judge is None:
        columns = ZooOracle(scenes).presence(texts)
        cells = oracle_cells(scenes)
    else:
        kind = Zoo(options=ZooOptions(count=options.images), seed=FIRST + seed)
        images = JudgedImages(kind.build("zoo", scratch, {}, 1), np.arange(options.images))
        columns, cells = judge.columns(images, texts), judge.vectors(images)
    if maps is None:
        maps = unit_maps([unit for _, unit in units], scenes)
    found = []
    for place, (kind_of, unit) in enumerate(units):
        a = unit.value(facts)
        labels = {COVER: cover_labels(a, columns)}
        sampled, vectors = _sample(maps[place], cells, seed)
        groups = choose_clusters(vectors, ClusterRule(), seed)
        labels[CLUSTERS] = cluster_labels(a, columns, sampled, groups)
        named = {rule: [texts[one] for one in ones] for rule, ones in labels.items()}
        found.append(LabeledUnit(kind_of, _parts(unit), named))
    return found


def _parts(unit: Expression) -> tuple[str, ...]:
    if isinstance(unit, Joined):
        return tuple(text_of(part) for part in unit.parts)
    return (text_of(unit.atom if isinstance(unit, Graded) else unit),)


def _sample(maps: np.ndarray, cells: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images above the level and vectors of their masked parts."""
    level = float(np.quantile(maps.astype(np.float32), QUANTILE))
    peak = maps.max((1, 2)).astype(np.float64)
    if not (peak > level).any():
        level = float(np.nextafter(np.float32(peak.max()), np.float32(-np.inf)))
    sampled = sample_above(peak, level)
    return sampled, masked_vectors(cells[sampled], maps[sampled] > level)


def unit_maps(units: Sequence[Expression], scenes: Sequence[Scene], batch: int = 100) -> np.ndarray:
    """Maps of units of a network built for them: float16 [units, n, 32, 32]."""
    import torch

    from milan_core.world.zoo.drawing import draw_all
    from milan_core.zoo.network import ZooNetwork

    kinds = list(dict.fromkeys(atom for unit in units for atom in _atoms(unit)))
    arrays = tensors(kinds, units)
    network = ZooNetwork({name: torch.from_numpy(array) for name, array in arrays.items()}).eval()
    maps: list[np.ndarray] = []
    network.logic.register_forward_hook(lambda _m, _i, out: maps.append(out.half().numpy()))
    with torch.inference_mode():
        for start in range(0, len(scenes), batch):
            pixels = torch.from_numpy(draw_all(scenes[start : start + batch]))
            network(pixels.permute(0, 3, 1, 2) / 255)
    return np.concatenate(maps).swapaxes(0, 1)


def _atoms(unit: Expression) -> list[Atom]:
    if isinstance(unit, Joined):
        return [atom for part in unit.parts for atom in _atoms(part)]
    if isinstance(unit, Graded):
        return [unit.atom]
    return [unit] if isinstance(unit, Atom) else []


def oracle_cells(scenes: Sequence[Scene]) -> np.ndarray:
    """The content of each of 32 x 32 positions, as unit vectors: float32 [n, 1024, d].

    Shape, color and size of a thing, the watermark, or surface and tone of the ground.
    """
    names = [*SHAPES, *COLORS, *SIZES, "mark", *SURFACES, *TONES]
    place = {name: number for number, name in enumerate(names)}
    out = np.zeros((len(scenes), 32 * 32, len(names)), np.float32)
    for row, scene in zip(out, scenes, strict=True):
        shown = instance_map(scene)[::2, ::2].reshape(-1)
        meant: list[tuple[str, ...]] = [(scene.surface, scene.tone)]
        meant += [(thing.shape, thing.color, thing.size) for thing in scene.things]
        if scene.mark:
            meant.append(("mark",))
        for number, words in enumerate(meant):
            row[np.ix_(shown == number, [place[word] for word in words])] = 1
    return unit_rows(out.reshape(-1, len(names))).reshape(out.shape)
