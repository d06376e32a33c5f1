"""Options of abstention, and the words of its tables; nothing heavy is imported here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from milan_core.core.options import Section

Outcome = Literal["described", "several", "unreliable"]
DESCRIBED: Outcome = "described"
SEVERAL: Outcome = "several"
UNRELIABLE: Outcome = "unreliable"
MEANING: dict[str, str] = {
    DESCRIBED: "the description is reliable",
    SEVERAL: "one of several texts",
    UNRELIABLE: "no reliable description",
}
ANSWERED = "pool_answered"
"""Name of the describer that abstains in tables of several."""
BETWEEN = " | "
"""Between texts of one cell (`one_cell`)."""
SHIPPED = Path(__file__).with_name("calibration.json")
"""The calibration for networks beside which none is annotated, fitted on the default run."""


def one_cell(texts: Sequence[str]) -> str:
    """Several texts as one cell of a table; a bar in one of them is written as `\\|`."""
    return BETWEEN.join(text.replace("\\", "\\\\").replace("|", "\\|") for text in texts)


def texts_of(cell: str) -> tuple[str, ...]:
    """The texts of a cell of `one_cell`; none of an empty one."""
    return tuple(re.sub(r"\\(.)", r"\1", text) for text in cell.split(BETWEEN) if text)


class AbstentionOptions(Section):
    """When a unit has no reliable description."""

    alpha: float = Field(
        0.05, gt=0, lt=1, description="Share of units that may be answered wrongly, at most"
    )


class TableOptions(AbstentionOptions):
    """The facts of a run that the table reads."""

    random: str = Field("", description="The network with random weights; empty: none")


def deciders(model: str, images: Mapping[str, str]) -> list[str]:
    """Annotated networks that decide on a network: others on the same images, or all others.

    Units that are tested on other images are less exchangeable with its own.

    Args:
        model: the network.
        images: by annotated network, the data set that its units are tested on; with the network's.

    """
    others = [name for name in images if name != model]
    return [name for name in others if images[name] == images[model]] or others


def largest_group(images: Mapping[str, str]) -> list[str]:
    """Networks that are tested on the images of most networks; of equal groups the first."""
    counts = Counter(images.values())
    most = max(counts, key=lambda name: counts[name], default="")
    return [name for name, dataset in images.items() if dataset == most]
