"""Section of the configuration: descriptions by other captioners, priors and re-rankers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.captioner.options import BeamOptions
from milan_core.core.options import Name, Section


class CaptionerChoice(Section):
    """Where p(d|E) comes from."""

    family: Literal["milan", "released", "image_to_text"] = Field(
        "milan",
        description="The captioner trained here, a published one with its own encoder, or an "
        "image-to-text checkpoint",
    )
    source: str | None = Field(
        None,
        description="released: milan-*.pth or converted folder; image_to_text: folder or hub name",
    )
    encoder_weights: str | None = Field(
        None, description="released: torchvision's weights of an encoder that it lacks"
    )
    download: bool = Field(False, description="May the hub be asked for `source`?")
    prompt: str = Field(
        "", description="image_to_text: text before the description, of models that read a prompt"
    )
    margin: float = Field(0.15, ge=0, description="Context around the masked crop, share of side")
    outside: float = Field(0.25, ge=0, le=1, description="Brightness of the crop outside the mask")
    exemplar_beams: int = Field(5, ge=1, description="Captions proposed from each exemplar")


class PriorChoice(Section):
    """Where p(d) comes from."""

    family: Literal["milan", "causal_lm", "none"] = Field(
        "milan", description="That of the MILAN captioner, any causal language model, or none"
    )
    source: str | None = Field(
        None, description="causal_lm: checkpoint folder, hub name, .gguf file, or file of `asset`"
    )
    asset: Name | None = Field(None, description="causal_lm: asset that holds `source`")
    download: bool = Field(False, description="May the hub be asked for `source`?")
    end: bool = Field(True, description="causal_lm: count the end of the text")


class ClipChoice(Section):
    """CLIP as a second opinion on the beams."""

    source: str = Field(description="CLIP checkpoint folder, or hub name")
    weight: float = Field(
        ge=0, le=1, description="Share of the unmasked pass; released: 1, no mask at all"
    )
    download: bool = Field(False, description="May the hub be asked for `source`?")
    legacy: bool = Field(False, description="Published geometry and attention, 224 pixels only")


class VariantSpec(BeamOptions):
    """Descriptions beside the main ones: beams of a captioner, weighed by a prior, then CLIP."""

    models: list[Name] = Field([], description="Networks to describe; empty takes all of `models`")
    captioner: CaptionerChoice = Field(CaptionerChoice(), description="p(d|E)")
    prior: PriorChoice = Field(PriorChoice(), description="p(d)")
    clip: ClipChoice | None = Field(None, description="Re-ranking of the beams by CLIP")
    candidates: Literal["beam", "beam_mi"] = Field(
        "beam",
        description="How beams are searched: by p(d|E), or minus lambda p(w) word by word, as "
        "published before CLIP",
    )
