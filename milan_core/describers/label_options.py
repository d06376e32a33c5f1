"""Declarations of labels from lists of concepts: methods, their options, and concepts.

Nothing heavy is imported here, as in `describers.options`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section
from milan_core.describers.options import (
    ClipDissectOptions,
    CompexpOptions,
    InvertOptions,
    NetDissectOptions,
    PublishedMethod,
)


class ConceptsOptions(Section):
    """The source of the masks of concepts."""

    source: Literal["truth", "folder", "segmenter"] = Field(
        "truth",
        description="truth (a composed world's own), folder (Broden layout), or segmenter "
        "(a `transformers` segmentation model)",
    )
    path: InputPath | None = Field(
        None, description="folder: its path; segmenter: folder of the model"
    )
    size: int = Field(64, ge=8, description="Side of concept masks and unit masks, pixels")

    @model_validator(mode="after")
    def _path_of_source(self) -> ConceptsOptions:
        if (self.path is None) != (self.source == "truth"):
            need = "reads no path" if self.source == "truth" else "needs a path: the folder to read"
            message = f"source {self.source!r} {need}"
            raise ValueError(message)
        return self


LabelMethod = Literal["netdissect", "compexp", "invert", "clip_dissect"]
LabelOptions = Annotated[
    NetDissectOptions | CompexpOptions | InvertOptions | ClipDissectOptions,
    Field(discriminator="describer"),
]


class LabelSections(Section):
    """The part of section `baselines` that makes labels: methods, their options, and concepts."""

    methods: list[LabelMethod] = Field([], description="Methods that label from a concept list")
    dataset: Name | None = Field(
        None,
        description="Images that the labels are drawn from; null: the probe set itself, as always "
        "for a generator",
    )
    concepts: ConceptsOptions = Field(ConceptsOptions(), description="Masks of concepts")
    netdissect: NetDissectOptions = Field(NetDissectOptions(), description="Network Dissection")
    compexp: CompexpOptions = Field(CompexpOptions(), description="Compositional Explanations")
    invert: InvertOptions = Field(InvertOptions(), description="INVERT")
    clip_dissect: ClipDissectOptions = Field(ClipDissectOptions(), description="CLIP-Dissect")
    published: dict[Name, dict[PublishedMethod, InputPath]] = Field(
        {},
        description="Result folders of the published programs, by network or annotation set, and "
        "by method",
    )
