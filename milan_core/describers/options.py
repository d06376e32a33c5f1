"""Declarations of the describers: name, label, color, needs and options of each.

Nothing heavy is imported here: the configuration, the plan and the command line read these classes.
The code of a describer is in the module of its name (`registry.find_describer`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.captioner.options import BeamOptions, DecodingOptions
from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section
from milan_core.describers.backends.options import (
    ClipOptions,
    PriorOptions,
    ProposerOptions,
    TrainedCaptioner,
    TrainedPrior,
)
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.several.options import SeveralOptions
from milan_core.endpoint.options import EndpointOptions


class MilanOptions(
    DescriberOptions, label="MILAN", color="#2f6fb0", needs=("features", "captioner")
):
    """A captioner trained here or a published one: log p(d|E) - lambda log p(d)."""

    describer: Literal["milan"] = Field("milan", description="Whose options these are")
    decoding: DecodingOptions = Field(DecodingOptions(), description="How words are chosen")


class MilanTunedOptions(
    MilanOptions, label="MILAN, tuned", color="#6a9bd8", needs=("features", "captioner")
):
    """The same captioner with a narrower search and a larger lambda, which name better."""

    describer: Literal["milan_tuned"] = Field("milan_tuned", description="Whose options these are")  # type: ignore[assignment]
    decoding: DecodingOptions = Field(
        DecodingOptions(beam_size=10, temperature=0.6), description="How words are chosen"
    )


class LinearOptions(
    DescriberOptions, label="linear explanation", color="#7a4fa3", needs=("maxima", "judge")
):
    """At most five weighted, signed words by exact least squares on the judge's columns."""

    describer: Literal["linear"] = Field("linear", description="Whose options these are")
    words: int = Field(5, ge=1, le=10, description="Words of a unit at most")
    gain: float = Field(
        0.005, ge=0, le=1, description="Correlation that a further word must add on mining images"
    )
    path: InputPath | None = Field(
        None, description="Text file, a word or text a line; null: the lexicon of the judge's world"
    )


class PoolOptions(
    DescriberOptions,
    label="pool and verify",
    color="#1f4e8c",
    needs=("maxima", "captioner", "judge"),
):
    """Candidates of the captioner and others, chosen by what a judge sees in the images."""

    describer: Literal["pool"] = Field("pool", description="Whose options these are")
    weight: float = Field(
        0.02, ge=0, description="Of log p(d|E) - lambda log p(d) beside the correlation"
    )
    temperature: float = Field(0.5, ge=0, description="lambda of log p(d) in it")
    masks: float = Field(
        0.0,
        ge=0,
        description="Of how much more of a text a mini judge sees under the exemplars' masks than "
        "in quiet images; 0: masks are not looked at",
    )
    images: int = Field(10_000, ge=100, description="Mining images that are used at most")
    decoding: DecodingOptions = Field(
        DecodingOptions(),
        description="`milan describe`: of the captioner's candidates; a run takes the keys beside",
    )
    tables: dict[Name, InputPath] = Field(
        {}, description="Further candidates: CSV files (layer, unit, description) by name"
    )
    seed: int = Field(0, ge=0, description="Of the resamples that say how sure the choice is")
    linear: LinearOptions = Field(
        LinearOptions(), description="The linear explanation beside the text"
    )


class DescribeSpec(DecodingOptions):
    """Decoding of the captioner, and the describer whose texts are shown."""

    describer: Literal["auto", "pool", "milan"] = Field(
        "auto",
        description="Whose texts are shown: the captioner's as published (milan), or those that a "
        "trained judge chooses among its beams (pool); auto: pool where there is a judge",
    )
    candidates: list[Name] = Field(
        [],
        description="Further describers whose texts pool may choose: variants, methods of "
        "baselines, milan_tuned",
    )
    pool: PoolOptions = Field(PoolOptions(), description="How pool chooses")
    several: SeveralOptions | None = Field(
        SeveralOptions(),
        description="Several labels beside the text, where pool describes; null: none",
    )


class ComposedOptions(
    BeamOptions, DescriberOptions, label="composed", color="#8a5aa8", needs=("exemplars",)
):
    """Beams of a captioner, weighed by a prior, then re-ranked by CLIP."""

    describer: Literal["composed"] = Field("composed", description="Whose options these are")
    captioner: ProposerOptions = Field(TrainedCaptioner(), description="p(d|E)")
    prior: PriorOptions = Field(TrainedPrior(), description="p(d)")
    clip: ClipOptions | None = Field(None, description="Re-ranking of the beams by CLIP")
    candidates: Literal["beam", "beam_mi"] = Field(
        "beam",
        description="How beams are searched: by p(d|E), or minus lambda p(w) word by word, as "
        "published before CLIP",
    )

    @property
    def reads_captioner(self) -> bool:
        """Whether p(d|E) or p(d) is that of a captioner trained here."""
        own_prior = self.prior.family == "milan" and self.captioner.family != "released"
        return self.captioner.family == "milan" or own_prior

    @property
    def reads_judge(self) -> bool:
        """Whether the mini judge of the run re-ranks the beams."""
        return self.clip is not None and self.clip.reads_judge


class VariantSpec(ComposedOptions):
    """Descriptions beside the main ones: beams of a captioner, weighed by a prior, then CLIP."""

    models: list[Name] = Field([], description="Networks to describe; empty takes all of `models`")


class ConstantOptions(DescriberOptions, label="constant", color="#6b7280"):
    """One text for every unit."""

    describer: Literal["constant"] = Field("constant", description="Whose options these are")
    text: str = Field(description="The text")


class NetDissectOptions(
    DescriberOptions, label="NetDissect", color="#c2592b", needs=("activations", "concepts")
):
    """Network Dissection: the concept with the highest IoU."""

    describer: Literal["netdissect"] = Field("netdissect", description="Whose options these are")
    quantile: float = Field(0.99, gt=0, lt=1, description="Of the unit's own activations")
    threshold: float = Field(0.04, ge=0, le=1, description="IoU from which a unit counts as named")


class CompexpOptions(
    DescriberOptions,
    label="Compositional Explanations",
    color="#9a7a1c",
    needs=("activations", "concepts"),
):
    """Compositional Explanations: the formula of concepts with the highest IoU."""

    describer: Literal["compexp"] = Field("compexp", description="Whose options these are")
    quantile: float = Field(0.995, gt=0, lt=1, description="Of the unit's own activations")
    beam: int = Field(5, ge=1, description="Formulas kept in each round")
    length: int = Field(3, ge=1, le=8, description="Concepts in a formula")


class InvertOptions(
    DescriberOptions, label="INVERT", color="#3a8a5f", needs=("activations", "concepts")
):
    """INVERT: the formula of concepts whose presence the activation ranks best (AUC)."""

    describer: Literal["invert"] = Field("invert", description="Whose options these are")
    beam: int = Field(5, ge=1, description="Formulas kept in each round")
    length: int = Field(3, ge=1, le=8, description="Concepts in a formula")
    min_share: float = Field(0.01, gt=0, lt=0.5, description="Least share of images of a formula")


class ClipDissectOptions(
    DescriberOptions, label="CLIP-Dissect", color="#b04a72", needs=("activations", "clip")
):
    """CLIP-Dissect: the concept with the highest soft WPMI, by a CLIP or the mini judge."""

    describer: Literal["clip_dissect"] = Field(
        "clip_dissect", description="Whose options these are"
    )
    path: InputPath | None = Field(
        None,
        description="Folder of a CLIP or SigLIP saved by `transformers`, or of a mini judge",
    )
    judge: bool = Field(
        False, description="Without `path`: take the mini judge of this run, presence as cosine"
    )
    concepts: InputPath | None = Field(
        None, description="Text file, a concept a line; null: the masks'"
    )
    prompt: str = Field("a {}", description="Text that stands for a concept, for CLIP")
    top: int = Field(100, ge=1, description="Images that stand for a unit")
    weight: float = Field(1.0, ge=0, description="lambda of log p(c)")

    @property
    def reads_judge(self) -> bool:
        """Whether the mini judge of the run takes CLIP's place."""
        return self.judge and self.path is None


class WordsOptions(DescriberOptions, label="words", color="#4f7f3f", needs=("maxima", "means")):
    """Words for photographs from packages alone: what activations follow and top images show."""

    describer: Literal["words"] = Field("words", description="Whose options these are")
    share: float = Field(
        0.5, ge=0, le=1, description="Share of the 15 strongest images that show the word"
    )
    lift: float = Field(2.0, ge=0, description="Of that share over the word's share of all images")
    rate: float = Field(0.1, gt=0, lt=1, description="False discoveries among a layer's units")
    weights: str = Field(
        "resources/assets/efficientnet_lite0", description="Folder of the asset of Lite0's weights"
    )
    clip: InputPath | None = Field(
        None,
        description="CLIP or SigLIP that looks for the words instead of Lite0: folder of "
        "save_pretrained, or a name on the hub",
    )
    download: bool = Field(False, description="May the hub be asked for `clip`?")


class PacketOptions(Section):
    """The images of an evidence packet (verification.md S9)."""

    top: int = Field(8, ge=1, le=64, description="Strongest images, with masks")
    range: int = Field(8, ge=0, le=64, description="Images over the rest of the firing range")
    hard: int = Field(4, ge=0, le=64, description="Similar images that do not fire the unit")
    neighbor: int = Field(4, ge=0, le=64, description="Images of the nearest unit that do not")


class VlmOptions(
    DescriberOptions, label="VLM", color="#6a4c93", needs=("exemplars", "maxima", "endpoint")
):
    """A vision-language model behind an OpenAI-compatible server."""

    describer: Literal["vlm"] = Field("vlm", description="Whose options these are")
    endpoint: EndpointOptions = Field(description="Where the model is asked")
    cassette: str = Field(min_length=1, description="File that keeps every answer, for good")
    replay: bool = Field(False, description="Answer from the cassette alone")
    packet: PacketOptions = Field(PacketOptions(), description="Images that are shown")
    masks: bool = Field(True, description="Darken the strongest images outside their masks")
    tile: int = Field(224, ge=32, le=512, description="Side of an image on the sheet, pixels")
    draws: int = Field(3, ge=0, le=16, description="Answers drawn beside the most probable one")
    max_tokens: int = Field(96, ge=16, le=1024, description="Of an answer")
    negative_weight: float = Field(0.5, ge=0, description="Of the verdict on the negatives")


class RetrievalOptions(
    DescriberOptions,
    label="retrieval of the nearest training unit",
    color="#1b7f8c",
    needs=("features", "annotations"),
):
    """The annotation of the training unit with the most similar features."""

    describer: Literal["retrieval"] = Field("retrieval", description="Whose options these are")
    features: list[InputPath] = Field(description="features.safetensors of the training networks")
    annotations: list[InputPath] = Field(description="annotations.csv of the same networks")


PublishedMethod = Literal["netdissect", "compexp"]


class PublishedOptions(
    DescriberOptions, label="published program", color="#7a5c3e", needs=("table",)
):
    """Result files of the published programs of NetDissect and Compositional Explanations."""

    describer: Literal["published"] = Field("published", description="Whose options these are")
    method: PublishedMethod = Field(description="Program")
    path: InputPath = Field(description="Its result folder")


class TableOptions(DescriberOptions, label="table", color="#52606d", needs=("table",)):
    """Descriptions of any CSV file with the columns layer, unit and a text."""

    describer: Literal["table"] = Field("table", description="Whose options these are")
    path: InputPath = Field(description="The CSV file")
    column: str = Field("description", description="Column of the text")
