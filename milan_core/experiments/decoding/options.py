"""Options of the comparison of decoding strategies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from milan_core.core.options import Name, Section

Beam = Annotated[int, Field(ge=1)]
Lambda = Annotated[float, Field(ge=0)]


class StrategyOptions(Section):
    """The strategies that are compared on every network."""

    beams: list[Beam] = Field([1, 5, 10, 20, 50], min_length=1, description="Beam sizes")
    lambdas: list[Lambda] = Field(
        [0.0, 0.1, 0.2, 0.4, 0.8], min_length=1, description="Weights of p(d) in re-ranking"
    )
    token_lambdas: list[Lambda] = Field(
        [0.1, 0.2, 0.4], description="Weights of p(w) in mutual information per token"
    )
    token_beam: int = Field(10, ge=1, description="Beam size with mutual information per token")
    samples: int = Field(3, ge=1, description="Draws of the strategy `sample`, averaged")
    prefixes: bool = Field(
        False, description="Also re-rank the first beams of the widest search, at each beam size"
    )


class DecodingSpec(StrategyOptions):
    """Strategies x lambda x beam size on annotated networks, by the captioner that never saw them.

    Every beam size is searched anew, since a narrow beam is no prefix of a wide one; all lambdas
    re-rank the same beams. `prefixes` shows what the first beams of the widest search are worth.
    Mutual information per token is searched anew for every lambda.
    """

    models: list[Name] = Field([], description="Networks to study; empty leaves the study out")
