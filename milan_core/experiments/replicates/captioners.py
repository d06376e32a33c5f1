"""Captioners of a run: what one within a network has over another, on the same units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core.scoring.tables import TEST, read_descriptions, read_truth
from milan_core.scoring.units import rows_of


@dataclass(frozen=True)
class Captioner:
    """A captioner of a run and the network that it describes.

    `split` is its folder, such as `without_alexnet_mini`; `seed` that of its trial, such as
    `seed0`.
    """

    results: Path
    split: str
    network: str
    seed: str

    @property
    def kind(self) -> str:
        """Its split without the described network, such as `without`."""
        return self.split.removesuffix(f"_{self.network}")

    @property
    def name(self) -> str:
        """Its row in the tables, such as `without → alexnet_mini`."""
        return f"{self.kind} → {self.network}"

    def descriptions(self, split: str) -> Path:
        """Descriptions of the network by the captioner of a split with the same seed."""
        return self.results / self.network / "describe" / split / self.seed / "descriptions.csv"


def within_less(one: Captioner) -> float:
    """Accuracy of the captioner within the network less that of another, on the same units.

    Those that `within` was tested on and whose concept is known: a captioner that left the network
    out describes all of its units, so the means of the two tables of scores are of other units.
    NaN where a file is missing.
    """
    within = one.descriptions(f"within_{one.network}")
    other = one.descriptions(one.split)
    known = one.results / one.network / "annotations/truth.csv"
    if not all(path.is_file() for path in (within, other, known)):
        return math.nan
    ours, truth = read_descriptions(within, TEST), read_truth(known)
    judged = [key for key in ours if key in truth and truth[key].specific]
    theirs = rows_of(judged, read_descriptions(other), f"{other}", f"the units of {within}")
    lead = [
        float(truth[key].named_by(ours[key])) - float(truth[key].named_by(text))
        for key, text in zip(judged, theirs, strict=True)
    ]
    return float(np.mean(lead)) if lead else math.nan
