"""Options of the generalization experiments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from milan_core.core.options import Name, Section

Side = Annotated[str, Field(pattern=r"^[a-z0-9_/-]+$")]


class GeneralizationSpec(Section):
    """Which captioners are trained and how their descriptions are scored."""

    seeds: list[int] = Field([0], min_length=1, description="Trials of every split")
    more_seeds: dict[str, list[int]] = Field({}, description="Further trials of single splits")
    across: dict[str, list[tuple[Side, Side]]] = Field(
        {},
        description="Experiments by name: pairs [learnt from, described] of networks, annotation "
        "sets or published groups of them; `all` is the corpus",
    )
    within_test: float = Field(
        0.2, gt=0, lt=1, description="Share of units tested within a network"
    )
    lambdas: list[float] = Field(
        [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], description="Values compared on the same beams"
    )
    bertscore: Name | None = Field(
        None, description="Asset with the text encoder; null leaves it out"
    )
    bertscore_layer: int = Field(5, ge=0, description="Layer of the text encoder")
    bootstrap: int = Field(1000, ge=100, description="Resamples of the units for intervals")
