"""Catalogue entry of a data set."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from milan_core.core.options import Name, Section


class DatasetSpec(Section):
    """A set of images, composed or read, stored as one uint8 array with a manifest."""

    kind: Literal[
        "stickers", "shapes", "generated", "latents", "folder", "arrays",
        "imagenet", "places365", "spurious", "webdataset", "huggingface",
    ] = Field(
        description="stickers (composed from assets), shapes (drawn), generated (by a network, "
        "from the scenes of another data set), latents (by a network, from random codes), folder "
        "(your images), arrays, imagenet and places365 (as published), spurious (images of "
        "classes with a cue in a corner), webdataset (tar files), huggingface (the hub)"
    )  # fmt: skip
    assets: list[Name] = Field([], description="Assets that this kind reads")
    model: Name | None = Field(
        None, description="generated, latents: the generator, a network of model_zoo"
    )
    scenes: Name | None = Field(None, description="generated: the data set whose scenes are drawn")
    options: dict[str, Any] = Field({}, description="Options of the kind; see config/README.md")
    seed: int = Field(0, description="Seed of the composition; no two data sets should share one")
    twin_of: Name | None = Field(
        None,
        description="The same scenes as that data set, but for the options given here",
    )
