"""Options of the analysis by ablation (paper section 5)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from milan_core.core.options import Name, Section


class AnalyzeOptions(Section):
    """The settings that change the results of one network."""

    images: int | None = Field(
        None, ge=1, description="Evaluation images drawn from the data set; null for all"
    )
    fractions: list[float] = Field(
        [0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18],
        min_length=2,
        description="Shares of units to ablate",
    )
    ties: int = Field(20, ge=2, description="Orders per criterion, equal scores in random order")
    tie_order: Literal["random", "dataset"] = Field(
        "random",
        description="Equal scores in random orders, or by layer and unit as published (one order)",
    )
    trials: int = Field(20, ge=2, description="Random orders, and layer-matched ones per criterion")
    queries: dict[Name, list[str]] = Field(
        {}, description="Own criteria: words of which a description must have one"
    )
    replacement: Literal["zero", "mean", "resample"] = Field(
        "zero", description="What an ablated unit gives"
    )
    batch_size: int = Field(256, ge=1, description="Images times ablations in one forward pass")

    @field_validator("fractions")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if value != sorted(set(value)) or value[0] < 0 or value[-1] > 1:
            message = "must ascend within 0 and 1"
            raise ValueError(message)
        return value

    @property
    def orders(self) -> int:
        """Orders per criterion."""
        return 1 if self.tie_order == "dataset" else self.ties


class AnalyzeSpec(AnalyzeOptions):
    """Ablation of units in the order of what their descriptions say (paper section 5, Fig. 4)."""

    models: list[Name] = Field([], description="Described networks to analyse; none: leave it out")
    datasets: dict[Name, Name] = Field(
        {}, description="Labelled images per network; default: the first of its weights.tests"
    )
    parser: Name | None = Field(
        None, description="Asset with the spaCy pipeline; null leaves its criteria out"
    )
    vectors: Name | None = Field(
        None, description="Asset with the encoder of words; null leaves word-difference out"
    )
