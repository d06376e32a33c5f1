"""Options of the controls: facts of the run that the score tables lack."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section
from milan_core.experiments.generalization.options import EncoderFacts


class ControlsOptions(Section):
    """The weight of p(d) of this run, and which images its networks were shown."""

    weight: float = Field(description="Lambda of the published descriptions")
    probes: dict[str, str] = Field(
        description="Probe data set of every described network but those that are mined from "
        "images which their captioner never saw (`exemplars.half`)"
    )
    encoder: EncoderFacts = EncoderFacts()
