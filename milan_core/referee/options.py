"""Options of judges; nothing heavy is imported here.

A judge of kind `x` is the class `Judge` of the module `milan_core/referee/judges/x.py`
(`judge.load_judge`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from milan_core.core.options import Section


class OracleOptions(Section):
    """Ground truth of a composed world, through its lexicon."""

    kind: Literal["oracle"] = Field("oracle", description="Ground truth of composed scenes")


class MiniOptions(Section):
    """A dual encoder that was trained here on training scenes of the world."""

    kind: Literal["mini"] = Field("mini", description="Dual encoder trained on training scenes")


class DualEncoderOptions(Section):
    """Any CLIP or SigLIP of `transformers`."""

    kind: Literal["dual_encoder"] = Field("dual_encoder", description="CLIP or SigLIP")
    source: str = Field(description="Folder or hub name")
    scale: float | None = Field(None, description="A of sigmoid(A (cos + B)); null: calibrated")
    bias: float | None = Field(None, description="B of sigmoid(A (cos + B)); null: calibrated")


class VerdictOptions(Section):
    """Yes-or-no answers of a vision-language model."""

    kind: Literal["verdict"] = Field("verdict", description="Answers of a vision-language model")
    source: str = Field(description="Model that answers")


JudgeOptions = Annotated[
    OracleOptions | MiniOptions | DualEncoderOptions | VerdictOptions, Field(discriminator="kind")
]
