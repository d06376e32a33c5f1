"""`stickers`: scenes of emoji on named surfaces, with ground truth, from fetched assets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from milan_core.core.options import Name
from milan_core.images.kinds.composed import Composed, WorldOptions
from milan_core.images.store import Dataset
from milan_core.world.scenes import build_world
from milan_core.world.stickers import NEEDED, StickerArt


class StickersOptions(WorldOptions):
    """Options of `kind: stickers`."""

    world: ClassVar[str] = "stickers"

    style: Literal["", "google", "twitter"] = Field(
        "", description="Drawing style of the objects; '': google"
    )


class Stickers(Composed):
    """Composed scenes of emoji, surfaces and portraits."""

    kind: Literal["stickers"] = Field("stickers", description="Composed scenes of emoji")
    assets: list[Name] = Field(list(NEEDED), description="Assets that the scenes are made of")
    options: StickersOptions = Field(StickersOptions(), description="What the scenes show")

    @field_validator("assets")
    @classmethod
    def _complete(cls, value: list[str]) -> list[str]:
        if absent := [name for name in NEEDED if name not in value]:
            message = f"expected {' and '.join(NEEDED)}; add {absent[0]}, or leave `assets` out"
            raise ValueError(message)
        return value

    @property
    def read_assets(self) -> list[str]:
        """Names of the assets that the scenes are made of."""
        return self.assets

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Compose the scenes into the data set folder `out`."""
        art = StickerArt(self.options.style, assets)
        return build_world(name, self.kind, self.options, art, out, self.seed)
