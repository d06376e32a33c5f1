"""Options of the generalization experiments (Table 3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from milan_core.core.options import Name, Section
from milan_core.scoring.options import ScoreOptions

WITHIN, HELD_OUT = "within-network", "leave-one-network-out"
"""Experiments that are part of every run; those of `across` have names of their own."""
UNMASKED, MATCHED = "without masks", "matched number of units"
"""Experiments of `controls`, by the names of their splits."""
CONTROLS = {"unmasked": UNMASKED, "matched": MATCHED}
Side = Annotated[str, Field(pattern=r"^[a-z0-9_/-]+$")]


class TrialOptions(ScoreOptions):
    """The scoring of one trial."""

    lambdas: list[float] = Field(
        [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], description="Values compared on the same beams"
    )


class GeneralizationSpec(TrialOptions):
    """Which captioners are trained and how their descriptions are scored."""

    seeds: list[int] = Field([0], min_length=1, description="Trials of every split")
    more_seeds: dict[str, list[int]] = Field({}, description="Further trials of single splits")
    across: dict[str, list[tuple[Side, Side]]] = Field(
        {},
        description="Experiments by name: pairs [trained on, described] of networks, annotation "
        "sets or published groups of them; `all` is the corpus",
    )
    within_test: float = Field(
        0.2, gt=0, lt=1, description="Share of units tested within a network"
    )
    within_draw: Literal["groups", "units"] = Field(
        "groups",
        description="What is drawn for that test: groups of units that are one channel of a "
        "residual stream or share a third of their exemplars, or single units as published",
    )
    controls: list[Literal["unmasked", "matched"]] = Field(
        [],
        description="Further captioners for every network that is left out of the corpus: "
        "`unmasked` learns and describes from whole images, `matched` learns from as many units as "
        "`within` does",
    )
    bertscore: Name | None = Field(
        None, description="Asset with the text encoder; null leaves it out"
    )


class EncoderFacts(Section):
    """The relation of the encoder to the described networks; empty where there is none."""

    name: str = Field("", description="The encoder's own network, where it is described")
    read_layers: list[str] = Field([], description="Its layers that are described and read")
    students: list[str] = Field([], description="Described networks that it taught")


class TrialFacts(Section):
    """One trial: a captioner of a split with one seed, scored on one network.

    `train_side` and `test_side` name its row of Table 3, where each may be a group of sets;
    `primary` says whether the captioner is the one whose descriptions of the network are published.
    """

    experiment: str
    split: str
    train: list[str]
    test: str
    seed: int
    train_side: str
    test_side: str
    primary: bool

    @property
    def trained_on(self) -> str:
        """The networks of the training side in one cell."""
        return "+".join(self.train)
