"""Options of mining."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from milan_core.core.options import Section
from milan_core.networks.options import RunOptions

Pool = Literal["max", "mean"]


class MiningOptions(Section):
    """The values recorded of each unit while images pass through the network."""

    k: int = Field(15, ge=1, description="Exemplars per unit")
    quantile: float = Field(0.99, gt=0, lt=1, description="Quantile of the unit's own activations")
    mode: Literal["top", "bottom", "magnitude"] = Field(
        "top",
        description="Which activations are strong: the largest, the smallest, or farthest from 0",
    )
    levels: Literal["binned", "exact", "sketch"] = Field(
        "binned",
        description="binned: within 0.1 %, a few KB a unit; exact: keeps the values above; sketch: "
        "the published estimate, its random choices seeded, in one shard",
    )
    sample: int = Field(
        1024, ge=0, description="Images for the distribution of values and for bands; 0: neither"
    )
    bands: int = Field(
        0, ge=0, description="Bands of the images' activations to draw images from; 0: none"
    )
    band_size: int = Field(3, ge=1, description="Images drawn evenly from each band")
    table: tuple[Pool, ...] = Field(
        (),
        description="Pooled values of every unit on every image, kept in a table beside the "
        "exemplars: the largest of a map, its mean; none: no table",
    )
    heldout: Literal["none", "split", "first-half", "second-half"] = Field(
        "none",
        description="split: a fifth of the images, by hash, passes through the network for the "
        "table only; exemplars and levels come from the others; or that half of the images",
    )

    @model_validator(mode="after")
    def _bands_from_sample(self) -> Self:
        if self.bands and not self.sample:
            message = (
                "bands are drawn from the sampled images: give sample >= 1 with "
                f"bands: {self.bands}"
            )
            raise ValueError(message)
        return self


class ExemplarsSpec(MiningOptions):
    """Mining of the top-activating images and regions (paper section 3.1)."""

    table: tuple[Pool, ...] = Field(
        ("max",),
        description="Pooled values of every unit on every image, kept in a table beside the "
        "exemplars: the largest of a map, its mean; none: no table",
    )
    heldout: Literal["none", "split"] = Field(
        "split",
        description="Described networks without a second data set (`model_zoo.heldout`): split "
        "holds a fifth of the probe images out, by hash, to score the descriptions; none: nothing",
    )
    half: Literal["all", "first", "second"] = Field(
        "all",
        description="Images that exemplars and levels come from: one half, by hash, so that "
        "captioners of one run (`trained`) describe networks on images that none of them saw",
    )
    shards: int = Field(
        1, ge=1, description="Jobs that share the probe set; finished shards of another number stay"
    )
    unit_shards: int = Field(
        1, ge=1, description="Parts of every layer's units; each is scanned by `shards` jobs"
    )

    @model_validator(mode="after")
    def _sketch_in_order(self) -> Self:
        if self.levels == "sketch" and self.shards > 1:
            message = (
                f"levels: sketch reads the images in order: shards must be 1, not {self.shards}"
            )
            raise ValueError(message)
        return self


class MiningRun(RunOptions):
    """The device and batches of a network while it is mined."""

    device: str = Field("cpu", description="Where the network runs")
    threads: int = Field(1, ge=1, description="Threads of the statistics kernel")
    progress: bool = Field(False, description="Show a progress bar")
