"""Declarations of the parts of a composed describer: p(d|E), p(d), and a second opinion.

Nothing heavy is imported here, as in `describers.options`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section


class TrainedCaptioner(Section):
    """p(d|E) of the captioner that is trained here."""

    family: Literal["milan"] = Field("milan", description="Trained here")


class ReleasedCaptioner(Section):
    """p(d|E) of a published captioner with its own encoder."""

    family: Literal["released"] = Field(description="Published, with its own encoder")
    source: InputPath = Field(description="milan-*.pth, or its converted folder")
    encoder_weights: InputPath | None = Field(
        None, description="torchvision's weights of an encoder that the file lacks"
    )


class ImageToTextOptions(Section):
    """p(d|E) of an image-to-text checkpoint: mean over masked crops of the exemplars."""

    family: Literal["image_to_text"] = Field(description="Image-to-text checkpoint")
    source: InputPath = Field(description="Folder of save_pretrained, or a name on the hub")
    download: bool = Field(False, description="May the hub be asked for `source`?")
    prompt: str = Field("", description="Text before the description, of models that read a prompt")
    margin: float = Field(0.15, ge=0, description="Context around the masked crop, share of side")
    outside: float = Field(0.25, ge=0, le=1, description="Brightness of the crop outside the mask")
    exemplar_beams: int = Field(5, ge=1, description="Captions proposed from each exemplar")


class TrainedPrior(Section):
    """p(d) of the MILAN captioner."""

    family: Literal["milan"] = Field("milan", description="Trained here")


class CausalPriorOptions(Section):
    """p(d) of any causal language model."""

    family: Literal["causal_lm"] = Field(description="Causal language model")
    source: InputPath = Field(
        description="Folder of save_pretrained, hub name, .gguf file, or file of `asset`"
    )
    asset: Name | None = Field(None, description="Asset that holds `source`")
    download: bool = Field(False, description="May the hub be asked for `source`?")
    end: bool = Field(True, description="Count the end of the text")


class NoPrior(Section):
    """No p(d): candidates are ordered by log p(d|E)."""

    family: Literal["none"] = Field(description="No p(d)")


class ClipOptions(Section):
    """CLIP, or the mini judge in its place, as a second opinion on the beams."""

    source: InputPath | None = Field(
        None, description="CLIP checkpoint folder, hub name, or folder of a mini judge"
    )
    judge: bool = Field(
        False, description="Without `source`: take the mini judge that this run trains"
    )
    weight: float = Field(
        ge=0, le=1, description="Share of the unmasked pass; released: 1, no mask at all"
    )
    download: bool = Field(False, description="May the hub be asked for `source`?")
    legacy: bool = Field(False, description="Published geometry and attention, 224 pixels only")

    @model_validator(mode="after")
    def _one_model(self) -> ClipOptions:
        if not self.judge and self.source is None:
            raise ValueError("source: no CLIP is given; name its folder, or give judge: true")
        if self.reads_judge and self.legacy:
            raise ValueError("legacy: the published behavior is that of a CLIP; leave it out")
        return self

    @property
    def reads_judge(self) -> bool:
        """Whether the mini judge of the run takes CLIP's place."""
        return self.judge and self.source is None


ProposerOptions = Annotated[
    TrainedCaptioner | ReleasedCaptioner | ImageToTextOptions, Field(discriminator="family")
]
PriorOptions = Annotated[TrainedPrior | CausalPriorOptions | NoPrior, Field(discriminator="family")]
