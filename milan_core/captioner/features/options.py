"""Options of the feature encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.core.options import Name, Section


class EncoderSpec(Section):
    """The frozen network whose masked features the captioner reads (paper section 3.2)."""

    model: Name = Field(description="Entry of model_zoo")
    layers: list[str] = Field(min_length=1, description="Layers that are read, fine to coarse")
    kind: Literal["pyramid", "spatial"] = Field(
        "pyramid",
        description="pyramid: mean of each layer under the mask; spatial: cells of the last layer",
    )
    resize: Literal["area", "bilinear"] = Field(
        "area", description="How a mask shrinks to a map: exact areas, or four points as published"
    )
    append_area: bool = Field(True, description="Pyramid: add the mask's area as one more feature")
