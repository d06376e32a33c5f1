"""Count the pixels under masks by concept and color, from a world's instance maps.

    table = ConceptTable(dataset)
    evidence = table.look(ids, masks)          # ids [U, k], masks [U, k, H, W]
    coverage, support = table.cover(evidence.counts)

A leaf is a concept that a pixel belongs to directly: an object, a surface, text or a face. Objects
also belong to their super-class and to the kind `object`, surfaces to the kind `background`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milan_core.core.errors import UserError
from milan_core.images.store import Dataset, Scene
from milan_core.world.lexicon import Lexicon, load_lexicon

LEAF_TIERS = ("object", "text", "face", "surface")
RANK = {**dict.fromkeys(LEAF_TIERS, 0), "group": 1, "kind": 2}  # lower is more specific
SUPPORT_SHARE = 0.25  # share of an exemplar's mask from which it counts as support


@dataclass(frozen=True)
class Concept:
    """A concept that a unit may respond to."""

    name: str
    tier: str  # object | text | face | surface | group | kind
    accept: tuple[str, ...]  # phrases that name it


@dataclass(frozen=True, eq=False)
class Evidence:
    """Pixel counts under the masks of some units."""

    counts: np.ndarray  # int64 [U, k, L, K]: masked pixels by leaf and color
    edges: np.ndarray  # int64 [U, k]: masked pixels beside a masked pixel of another thing


def _concepts(lexicon: Lexicon) -> tuple[Concept, ...]:
    tiers = [
        *((name, "object") for name in lexicon.objects),
        ("text", "text"),
        ("face", "face"),
        *((name, "surface") for name in lexicon.surfaces),
        *((name, "group") for name in lexicon.groups),
        ("object", "kind"),
        ("background", "kind"),
    ]
    return tuple(Concept(name, tier, lexicon.accepted(name)) for name, tier in tiers)


class ConceptTable:
    """The concepts of a world data set and their pixels in its images."""

    def __init__(self, dataset: Dataset) -> None:
        self.instances, scenes = dataset.require_world("ground truth")
        self.lexicon = load_lexicon(dataset.world_kind)
        self.concepts = _concepts(self.lexicon)
        self.leaves = sum(concept.tier in LEAF_TIERS for concept in self.concepts)
        self.ranks = np.array([RANK[concept.tier] for concept in self.concepts])
        self.parents = self._parents()  # int64 [L, C]
        self.codes = self._codes(scenes)  # int64 [N, I]: leaf * K + color of each thing
        self.base = self._base()  # float64 [C]: share of all pixels of the data set

    def _parents(self) -> np.ndarray:
        number = {(c.name, c.tier): i for i, c in enumerate(self.concepts)}
        parents = np.eye(self.leaves, len(self.concepts), dtype=np.int64)
        for leaf, concept in enumerate(self.concepts[: self.leaves]):
            if concept.tier == "object":
                group = self.lexicon.objects[concept.name].group
                parents[leaf, [number[group, "group"], number["object", "kind"]]] = 1
            elif concept.tier == "surface":
                parents[leaf, number["background", "kind"]] = 1
        return parents

    def _codes(self, scenes: list[Scene]) -> np.ndarray:
        leaf = {(c.tier, c.name): i for i, c in enumerate(self.concepts[: self.leaves])}
        tier = {"main": "object", "object": "object", "background": "surface"}
        colour = {name: i for i, name in enumerate(self.lexicon.colours)}
        codes = np.zeros((len(scenes), max(map(len, scenes))), dtype=np.int64)
        for row, scene in zip(codes, scenes, strict=True):
            for i, thing in enumerate(scene):
                kind = thing["kind"]
                key = (tier[kind], thing["name"]) if kind in tier else (kind, kind)
                row[i] = leaf[key] * len(colour) + colour[thing["colour"]]
        return codes

    def _base(self) -> np.ndarray:
        total = np.zeros(self.leaves, dtype=np.int64)
        for start in range(0, len(self.codes), 256):
            codes = self.codes[start : start + 256]
            things = np.asarray(self.instances[start : start + 256]).reshape(len(codes), -1)
            leaves = np.take_along_axis(codes // len(self.lexicon.colours), things, axis=1)
            total += np.bincount(leaves.ravel(), minlength=self.leaves)
        return (total / total.sum()) @ self.parents

    def look(self, ids: np.ndarray, masks: np.ndarray) -> Evidence:
        """Pixel counts under masks bool (U, k, h, w) of image ids int64 (U, k); id -1 has none.

        Instance maps of another size than the masks are sampled at the nearest pixel.

        Raises:
            ValueError: for masks of another shape.
            UserError: for an id that the data set does not have.

        """
        if masks.ndim != 4 or masks.shape[:2] != ids.shape:
            message = f"look: masks must be (units, k, height, width) for ids {ids.shape}"
            raise ValueError(message + f", got {masks.shape}")
        if ids.size and ids.max() >= len(self.codes):
            message = f"exemplar id {ids.max()} is not in the dataset of {len(self.codes)} images"
            raise UserError(message + ": these exemplars were mined in another dataset")
        things, seen = self._under(ids, masks)
        rows, y, x = np.nonzero(seen)
        colours = len(self.lexicon.colours)
        width = self.leaves * colours
        code = self.codes[ids.reshape(-1)[rows], things[rows, y, x]]
        counts = np.bincount(rows * width + code, minlength=ids.size * width)
        edges = _straddling(things, seen).sum((1, 2))
        return Evidence(counts.reshape(*ids.shape, self.leaves, colours), edges.reshape(ids.shape))

    def _under(self, ids: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Instance maps uint8 and masks bool, both (U * k, h, w)."""
        height, width = masks.shape[2:]
        things = np.asarray(self.instances[np.maximum(ids, 0).reshape(-1)])
        if things.shape[1:] != (height, width):
            y = np.arange(height) * things.shape[1] // height
            x = np.arange(width) * things.shape[2] // width
            things = things[:, y[:, None], x]
        seen = masks.reshape(-1, height, width).astype(bool) & (ids.reshape(-1) >= 0)[:, None, None]
        return things, seen

    def cover(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coverage float64 (..., C) and support int64 (..., C) of counts (..., k, L, K).

        Coverage is the share of all masked pixels. Support is the number of exemplars in which the
        concept takes more than a quarter of the mask.
        """
        pixels = counts.sum(-1) @ self.parents  # [..., k, C]
        total = counts.sum((-1, -2))  # [..., k]
        coverage = pixels.sum(-2) / np.maximum(total.sum(-1), 1)[..., None]
        support = (pixels > SUPPORT_SHARE * total[..., None]).sum(-2)
        return coverage, support


def _straddling(things: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Masked pixels with a masked 4-neighbor of another thing, bool (rows, h, w)."""
    edges = np.zeros_like(seen)
    for one, other in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :, 1:], np.s_[:, :, :-1]),
    ):
        differs = (things[one] != things[other]) & seen[one] & seen[other]
        edges[one] |= differs
        edges[other] |= differs
    return edges
