"""Options of the editing: networks that read spurious text, repaired by removing units (sec. 7)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from milan_core.core.options import Name, Section
from milan_core.scoring.options import Query


class Validation(Section):
    """Images on which the number of units is chosen; none of them is used for the result."""

    clean: Name = Field(description="Without the spurious cue")
    adversarial: Name = Field(description="With a wrong cue")


class Test(Section):
    """Images on which the result is measured; nothing is chosen on them."""

    clean: Name = Field(description="Without the spurious cue")
    correct: Name = Field(description="With the correct cue")
    adversarial: Name = Field(description="With a wrong cue")


class EditTrial(Section):
    """One trained network with the data sets of its experiment."""

    model: Name = Field(description="Network trained on images with the spurious cue")
    ranking: Name = Field(description="Images on which single units are ablated to rank them")
    validation: Validation = Field(description="Images that the number of units is chosen on")
    test: Test = Field(description="Images that the result is measured on")
    reference: Name | None = Field(
        None, description="The same network trained without the cue: what is there to be won"
    )

    ranking_text: Literal["wrong", "as_learnt"] = Field(
        "wrong",
        description="What the cue says on the ranking images: a wrong class, or what it says in "
        "the training images, as published; the report explains `all-sorted` by it",
    )
    group: Name | None = Field(
        None,
        description="Networks of one group differ by seeds alone: their results are averaged",
    )

    def datasets(self) -> dict[str, str]:
        """Data set of every split, by the split's name in the tables."""
        return {
            "ranking": self.ranking,
            "validation-clean": self.validation.clean,
            "validation-adversarial": self.validation.adversarial,
            "test-clean": self.test.clean,
            "test-correct": self.test.correct,
            "test-adversarial": self.test.adversarial,
        }


class FineTune(Section):
    """Training of the head after the ablation, the ablated units held at zero."""

    layers: list[str] = Field(
        min_length=1, description="Modules of the head; all others are frozen"
    )
    epochs: int = Field(3, ge=1, description="Passes over the network's training images")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW learning rate")


class EditOptions(Section):
    """The settings of one editing, whichever network."""

    query: Name = Field("text", description="Query whose units are ablated")
    steps: list[int] = Field(
        [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48], description="Numbers of ablated units"
    )
    choose_on: Literal["validation", "test"] = Field(
        "validation",
        description="Images that the number of units is chosen on; test: where wrong text costs "
        "least on the test images themselves, as published",
    )
    draws: int = Field(20, ge=1, description="Draws of the random controls")
    fine_tune: FineTune | None = Field(None, description="Train the head after the ablation")
    bootstrap: int = Field(10_000, ge=100, description="Resamples of the images for intervals")

    @field_validator("steps")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if sorted(set(value)) != value or not value or value[0] != 0:
            message = "expected 0 first, then rising"
            raise ValueError(message)
        return value


class EditSpec(EditOptions):
    """Section `edit`: units that a query chooses by description are ablated, with controls."""

    trials: list[EditTrial] = Field(min_length=1, description="One entry per trained network")
    own_queries: dict[Name, Query] = Field({}, description="Queries beside the shipped ones")
