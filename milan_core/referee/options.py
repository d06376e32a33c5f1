"""Options of judges and of the leaderboard; nothing heavy is imported here.

A judge of kind `x` is the class `Judge` of the module `milan_core/referee/judges/x.py`
(`judge.load_judge`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section
from milan_core.endpoint.options import EndpointOptions


class OracleOptions(Section):
    """Ground truth of a composed world, through its lexicon."""

    kind: Literal["oracle"] = Field("oracle", description="Ground truth of composed scenes")
    graded: bool = Field(False, description="Shares of pixels in place of visible or not")


class MiniTraining(Section):
    """The training of the mini judge on scenes of a known world."""

    scenes: int = Field(2000, ge=1, description="First scenes of the training data set")
    grid: int = Field(8, ge=1, description="Cells a side in which a text is looked for")
    width: int = Field(128, ge=1, description="Numbers of a vector of an image's cell, or a text")
    steps: int = Field(700, ge=1, description="Steps of training")
    batch: int = Field(128, ge=1, description="Scenes, and phrases, of a step")
    rate: float = Field(3e-3, gt=0, description="Largest learning rate")


class MiniOptions(MiniTraining):
    """A dual encoder that is trained here on training scenes of the world."""

    kind: Literal["mini"] = Field("mini", description="Dual encoder trained on training scenes")
    dataset: Name = Field("stickers_train", description="Training scenes; nothing else of it shows")
    encoder: Name = Field("efficientnet_lite0", description="Frozen network of images")
    layers: list[str] = Field(
        ["_blocks.4", "_blocks.10", "_blocks.15"], min_length=1, description="Its layers"
    )
    text: Name | None = Field(
        "minilm", description="Asset with the frozen encoder of texts; null: random word vectors"
    )


class DualEncoderOptions(Section):
    """Any CLIP or SigLIP of `transformers`."""

    kind: Literal["dual_encoder"] = Field("dual_encoder", description="CLIP or SigLIP")
    source: InputPath = Field(description="Folder or hub name")
    download: bool = Field(False, description="May the hub be asked? Else folders and its cache")
    scale: float | None = Field(None, description="A of sigmoid(A (cos + B)); null: calibrated")
    bias: float | None = Field(None, description="B of sigmoid(A (cos + B)); null: calibrated")


class VerdictOptions(Section):
    """Yes-or-no answers of a vision-language model."""

    kind: Literal["verdict"] = Field("verdict", description="Answers of a vision-language model")
    endpoint: EndpointOptions = Field(description="Where the model is asked")
    cassette: str = Field(min_length=1, description="File that keeps every answer, for good")
    replay: bool = Field(False, description="Answer from the cassette alone")


JudgeOptions = Annotated[
    OracleOptions | MiniOptions | DualEncoderOptions | VerdictOptions, Field(discriminator="kind")
]


ALPHA = 0.02  # where nothing can choose it


class ScoringRules(Section):
    """The scoring of descriptions on held-out images."""

    resamples: int = Field(200, ge=1, description="Bootstrap resamples of the images")
    fewest: int = Field(500, ge=1, description="Images below which nothing is scored")


class ScoringOptions(ScoringRules):
    """The scoring of descriptions on held-out images."""

    alpha: float = Field(
        ALPHA, gt=0, le=0.5, description="Share of the images on which a unit fires, for AUPRC"
    )


class BoardOptions(Section):
    """The facts of a run that the leaderboard reads."""

    names: dict[str, str] = Field({}, description="Describers by name, for people")
    random: str = Field("", description="The network with random weights; empty: none")


class RefereeSpec(ScoringRules):
    """Held-out scores of every describer of the run, and the leaderboard."""

    alpha: float | None = Field(
        None,
        gt=0,
        le=0.5,
        description="Share of the images on which a unit fires, for AUPRC; null: chosen for the "
        "run on images that do not score, by the lift of the descriptions of 5 % of the units",
    )

    judges: list[JudgeOptions] = Field(
        [OracleOptions()],
        description="Who says what an image shows; those that a network does not allow (an oracle "
        "without ground truth) are left out",
    )
    random: Name | None = Field(
        None,
        description="A network with random weights, described and scored beside the others: what "
        "scores are worth when nothing was learned",
    )
