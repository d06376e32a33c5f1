"""`zoo`: drawn scenes whose facts are known exactly, for the hard-truth zoo (docs/zoo.md)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from milan_core.images.kind import DatasetKind
from milan_core.images.options import KindOptions
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.world.lexicon import load_lexicon
from milan_core.world.zoo.drawing import draw, instance_map
from milan_core.world.zoo.facts import COLORS, MOST, SHAPES, SIDE, Scene, draw_facts
from milan_core.world.zoo.stored import stored_scene

CLASSES = [f"{color} {shape}" for color, shape in product(COLORS, SHAPES)]


class ZooOptions(KindOptions):
    """Options of `kind: zoo`."""

    count: int = Field(1000, ge=1, description="Scenes of the zoo")
    things: int = Field(MOST, ge=1, le=MOST, description="At most so many things in a scene")
    shown: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the scenes that show anything; the others are an empty medium "
        "ground, so that every concept is rare",
    )


class _Recorded(ZooOptions):
    """The entries of the manifest; names are those of the world of shapes."""

    world: Literal["shapes"] = "shapes"


class Zoo(DatasetKind):
    """Scenes of the hard-truth zoo; a scene's class is the color and shape of its first thing."""

    has_truth: ClassVar[bool] = True

    kind: Literal["zoo"] = Field("zoo", description="Scenes of the hard-truth zoo")
    options: ZooOptions = Field(ZooOptions(), description="What the scenes show")
    seed: int = Field(0, description="Seed of the scenes; no two data sets should share one")

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Draw the scenes into the data set folder `out`."""
        chosen = self.options
        scenes = draw_facts(chosen.count, self.seed, most=chosen.things, shown=chosen.shown)
        lexicon = load_lexicon("shapes")
        shape = (chosen.count, SIDE, SIDE)
        kept, labels, names = [], [], []
        start_folder(out)
        with (
            new_array(out / "images.npy", (*shape, 3), np.uint8) as images,
            new_array(out / "instances.npy", shape, np.uint8) as instances,
        ):
            for place, scene in enumerate(scenes):
                images[place], instances[place] = draw(scene), instance_map(scene)
                ground = lexicon.colour(images[place][instances[place] == 0].mean(0))
                kept.append(stored_scene(scene, ground))
                label = _label(scene)
                labels.append(CLASSES.index(label) if label else -1)
                names.append(f"{label or 'nothing'} on {scene.surface}")
        return finish_folder(
            out,
            name=name,
            kind=self.kind,
            options=_Recorded(**chosen.model_dump()),
            seed=self.seed,
            classes=CLASSES,
            labels=np.array(labels),
            names=names,
            credits=[],
            scenes=kept,
        )


def _label(scene: Scene) -> str:
    return f"{scene.things[0].color} {scene.things[0].shape}" if scene.things else ""
