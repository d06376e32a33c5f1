"""What a configuration asks for: splits, trials, and the parameters of each job.

Pure planning, no arrays: Snakemake parses through this module, so it must load in milliseconds.
"""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.describers.plan import scored_variants, varied
from milan_core.networks.plan import fetched_weights
from milan_core.plan.splits import (
    Split,
    annotated,
    annotation_sets,
    described,
    judged,
    primary_split,
    seeds,
    splits,
    trials,
)

__all__ = [
    "Split",
    "annotated",
    "annotation_sets",
    "described",
    "fetched_weights",
    "judged",
    "networks",
    "primary_split",
    "scored_variants",
    "seeds",
    "splits",
    "trials",
    "varied",
]
