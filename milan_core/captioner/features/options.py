"""Options of the feature encoder."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from milan_core.core.options import Name, Section, narrowed, parse
from milan_core.networks.options import Network


class Pooling(Section):
    """The averaging of an image's maps under a mask."""

    resize: Literal["area", "bilinear"] = Field(
        "area", description="How a mask shrinks to a map: exact areas, or four points as published"
    )
    append_area: bool = Field(True, description="Pyramid: add the mask's area as one more feature")


class EncoderOptions(Pooling):
    """The layers of the encoder, and how they become features."""

    layers: list[str] = Field(min_length=1, description="Layers that are read, fine to coarse")
    kind: Literal["pyramid", "spatial"] = Field(
        "pyramid",
        description="pyramid: mean of each layer under the mask; spatial: cells of the last layer",
    )


class EncoderSpec(EncoderOptions):
    """The frozen network whose masked features the captioner reads (paper section 3.2)."""

    model: Name = Field(description="Entry of model_zoo")
    maps: Literal["stored", "passing"] = Field(
        "stored",
        description="stored: maps of all probe images on disk, made once for all networks; "
        "passing: each network encodes the images of its exemplars, and no map is stored",
    )


class JobEncoder(EncoderOptions):
    """The encoder as a job reads it: its network with the weights resolved to a file."""

    model: Network

    @property
    def pooling(self) -> Pooling:
        """The options of pooling alone."""
        return narrowed(self, Pooling)

    def record(self) -> dict[str, Any]:
        """The encoder as `config.json` of a captioner keeps it; `from_record` reads it."""
        model = self.model
        kept = model.model_dump(mode="json", exclude_defaults=True)
        kept |= model.model_dump(mode="json", include=_RECORDED)
        weights = model.weights.model_dump(mode="json", exclude_defaults=True)
        kept["weights"] = {"source": model.weights.source, **weights}
        spec = self.model_dump(mode="json", include={"layers", "kind"})
        return {"spec": {**spec, "model": kept}, "pooling": self.pooling.model_dump(mode="json")}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> JobEncoder:
        """The encoder that a captioner's `config.json` names."""
        return parse(cls, {**record["spec"], **record.get("pooling", {})}, "encoder of a captioner")


_RECORDED = {"name", "factory", "kwargs", "input", "layers", "post_relu", "batch_size"}
"""Keys of the network that are kept whatever their values; others where they are no default."""
