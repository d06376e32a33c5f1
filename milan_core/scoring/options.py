"""Options of scores."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class ScoreOptions(Section):
    """How descriptions are scored, whatever the experiment."""

    bertscore_layer: int = Field(5, ge=0, description="Layer of the text encoder")
    bootstrap: int = Field(1000, ge=100, description="Resamples of the units for intervals")


class TrainingSources(Section):
    """The networks and annotation sets that a captioner was trained on.

    Both lists are in the order of the files that a step is given.
    """

    names: list[str]
    with_truth: list[str] = Field([])
