"""Options of scores, and queries over descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.core.options import Section


class ScoreOptions(Section):
    """The scoring of descriptions, whatever the experiment."""

    bertscore_layer: int = Field(5, ge=0, description="Layer of the text encoder")
    bootstrap: int = Field(10_000, ge=100, description="Resamples of the units for intervals")


class TrainingSources(Section):
    """The networks and annotation sets that a captioner was trained on.

    Both lists are in the order of the files that a step is given.
    """

    names: list[str]
    with_truth: list[str] = Field([])


class Query(Section):
    """The words that a description must have for its unit to match."""

    words: list[str] = Field(min_length=1, description="Any of these words or phrases")
    exclude: list[str] = Field([], description="Phrases in which such a word does not count")
    match: Literal["words", "substring"] = Field(
        "words", description="Whole words with their plurals, or any substring, as published"
    )
    concepts: list[str] = Field(
        [], description="Names of the same thing in the ground truth of composed scenes"
    )
    detector: Literal["face"] | None = Field(
        None, description="Automatic second opinion where nothing is known of the images"
    )
