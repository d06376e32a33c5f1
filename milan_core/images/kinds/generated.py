"""`generated`: images that a network draws from the scenes of another data set.

They are drawn by the step `generators.draw`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from milan_core.core.options import Name
from milan_core.images.kind import DatasetKind


class Generated(DatasetKind):
    """Images that a generator draws from scenes, with the masks of the scenes."""

    has_truth: ClassVar[bool] = True

    kind: Literal["generated"] = Field(
        "generated", description="Drawn by a network from the scenes of another data set"
    )
    model: Name = Field(description="The generator, a network of model_zoo")
    scenes: Name = Field(description="The data set whose scenes are drawn")

    @property
    def generator(self) -> str:
        """The network that draws the images."""
        return self.model
