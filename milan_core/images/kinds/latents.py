"""`latents`: images that a network draws from random codes (paper: 100,000).

They are drawn by the step `generators.latents`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from milan_core.core.inputs import InputPath
from milan_core.core.missing import Missing
from milan_core.core.options import Name
from milan_core.images.kind import DatasetKind
from milan_core.images.options import KindOptions
from milan_core.images.sources import missing_path


class LatentsOptions(KindOptions):
    """Options of `kind: latents`."""

    count: int = Field(100_000, ge=1, description="Codes to draw")
    size: int = Field(
        224, ge=1, le=4096, description="Side of the stored images; nearest pixels of the drawing"
    )
    path: InputPath = Field(
        "", description="Folder with published codes and classes, instead of codes of the seed"
    )


class Latents(DatasetKind):
    """Images that a generator draws from codes z ~ N(0, I) and uniform classes."""

    kind: Literal["latents"] = Field("latents", description="Drawn by a network from random codes")
    model: Name = Field(description="The generator, a network of model_zoo")
    options: LatentsOptions = Field(LatentsOptions(), description="Codes and size")
    seed: int = Field(0, description="Seed of codes and classes")

    @property
    def generator(self) -> str:
        """The network that draws the images."""
        return self.model

    def missing(self, key: str) -> Iterator[Missing]:
        """The folder of published codes, where it is not there or empty."""
        if self.options.path:
            yield from missing_path(f"{key}.options.path", self.options.path)
