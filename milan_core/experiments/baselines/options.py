"""Section of the configuration: descriptions that other methods give the same units (Table 2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.core.options import Name, Section

LabelMethod = Literal["netdissect", "compexp", "invert", "clip_dissect"]


class ConceptsSpec(Section):
    """Where the masks of concepts come from."""

    source: Literal["truth", "folder", "segmenter"] = Field(
        "truth",
        description="truth (a composed world's own), folder (Broden layout), or segmenter "
        "(a `transformers` segmentation model)",
    )
    path: str | None = Field(None, description="folder: its path; segmenter: folder of the model")
    size: int = Field(64, ge=8, description="Side of concept masks and unit masks, pixels")


class NetDissectSpec(Section):
    """Network Dissection: the concept with the highest IoU."""

    quantile: float = Field(0.99, gt=0, lt=1, description="Of the unit's own activations")
    threshold: float = Field(0.04, ge=0, le=1, description="IoU from which a unit counts as named")


class CompexpSpec(Section):
    """Compositional Explanations: the formula of concepts with the highest IoU."""

    quantile: float = Field(0.995, gt=0, lt=1, description="Of the unit's own activations")
    beam: int = Field(5, ge=1, description="Formulas kept in each round")
    length: int = Field(3, ge=1, le=8, description="Concepts in a formula")


class InvertSpec(Section):
    """INVERT: the formula of concepts whose presence the activation ranks best (AUC)."""

    beam: int = Field(5, ge=1, description="Formulas kept in each round")
    length: int = Field(3, ge=1, le=8, description="Concepts in a formula")
    min_share: float = Field(0.01, gt=0, lt=0.5, description="Least share of images of a formula")


class ClipDissectSpec(Section):
    """CLIP-Dissect: the concept with the highest soft WPMI; needs a CLIP of the user's own."""

    path: str | None = Field(None, description="Folder of a CLIPModel saved by `transformers`")
    concepts: str | None = Field(None, description="Text file, a concept a line; null: the masks'")
    prompt: str = Field("a {}", description="Text that stands for a concept")
    top: int = Field(100, ge=1, description="Images that stand for a unit")
    weight: float = Field(1.0, ge=0, description="lambda of log p(c)")


class BaselinesSpec(Section):
    """Other methods on the same exemplars and splits; the trivial ones are always beside."""

    methods: list[LabelMethod] = Field([], description="Methods that label from a concept list")
    dataset: Name | None = Field(
        None,
        description="Images that the labels are drawn from; null: the probe set itself, as always "
        "for a generator",
    )
    concepts: ConceptsSpec = Field(ConceptsSpec(), description="Masks of concepts")
    netdissect: NetDissectSpec = Field(NetDissectSpec(), description="Network Dissection")
    compexp: CompexpSpec = Field(CompexpSpec(), description="Compositional Explanations")
    invert: InvertSpec = Field(InvertSpec(), description="INVERT")
    clip_dissect: ClipDissectSpec = Field(ClipDissectSpec(), description="CLIP-Dissect")
    published: dict[Name, dict[Literal["netdissect", "compexp"], str]] = Field(
        {},
        description="Result folders of the published programs, by network or annotation set, and "
        "by method",
    )


class Evidence(Section):
    """What the text of Table 2 says of the labels and the references.

    `methods` label from a concept list, `labels` names the data sets that their evidence comes
    from, `same_images` says whether annotators saw the same images, `sets` are the described
    annotation sets.
    """

    methods: list[LabelMethod]
    labels: str
    same_images: bool
    sets: list[str] = Field([])


class MethodFacts(Section):
    """facts.json of one trial.

    `manifest` is the fingerprint of the images that the network was probed with, `passes` the share
    of units whose label passes its method's own threshold.
    """

    manifest: str
    passes: dict[str, float]
