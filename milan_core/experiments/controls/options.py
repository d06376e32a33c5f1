"""Options of the controls: facts of the run that the score tables lack."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class ControlsOptions(Section):
    """The weight of p(d) of this run, and which images its networks were shown."""

    weight: float = Field(description="Lambda of the published descriptions")
    probes: dict[str, str] = Field(description="Probe data set of every described network")
    encoder: str = Field("", description="The network whose features the captioner reads")
    read_layers: list[str] = Field([], description="Layers of the encoder that are described too")
    students: list[str] = Field(
        [], description="Described networks that were taught by the encoder"
    )
