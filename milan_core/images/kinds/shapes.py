"""`shapes`: scenes of drawn shapes, with ground truth; no assets needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from milan_core.images.kinds.composed import Composed, WorldOptions
from milan_core.images.store import Dataset
from milan_core.world.scenes import build_world
from milan_core.world.shapes import ShapeArt


class ShapesOptions(WorldOptions):
    """Options of `kind: shapes`."""

    world: ClassVar[str] = "shapes"

    style: Literal["", "solid", "striped"] = Field(
        "", description="Drawing style of the objects; '': solid"
    )


class Shapes(Composed):
    """Composed scenes of drawn shapes."""

    kind: Literal["shapes"] = Field("shapes", description="Composed scenes of drawn shapes")
    options: ShapesOptions = Field(ShapesOptions(), description="What the scenes show")

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Compose the scenes into the data set folder `out`."""
        art = ShapeArt(self.options.style)
        return build_world(name, self.kind, self.options, art, out, self.seed)
