"""The methods of Table 2: their order, and their names in sentences."""

from __future__ import annotations

from milan_core.describers.registry import declared
from milan_core.scoring.scorer import MAIN

GREEDY, BEAM, RETRIEVAL = "greedy", "beam", "retrieval"
# The published numbers' methods first, then those that were added here; others follow.
ORDER = (
    "compexp", "netdissect", "greedy", "beam", "pmi", "milan_tuned", "pool", "retrieval", "invert",
    "clip_dissect",
    "compexp_published", "netdissect_published", "constant", "most_frequent", "constant_concept",
    "constant_oracle", "prior_only", "shuffled_prediction",
)  # fmt: skip
# Methods that sentences compare PMI with; others follow.
RIVALS = (
    "greedy", "beam", "netdissect", "compexp", "invert", "clip_dissect", "retrieval",
    "netdissect_published", "compexp_published",
)  # fmt: skip


# What was added to the published method here: shown beside it, no rivals of it.
OWN = (MAIN, "milan", "milan_tuned", "pool", "linear")


def method_texts() -> dict[str, str]:
    """Names in sentences: the captioner's strategies, describers that look at units, programs."""
    labels = {name: options.label for name, options in declared().items() if options.needs}
    programs = {
        f"{name}_published": f"{label} by the published program" for name, label in labels.items()
    }
    captioner = {MAIN: "PMI", GREEDY: "greedy p(d|E)", BEAM: "p(d|E) with beam search"}
    return captioner | labels | programs


def table_order() -> tuple[str, ...]:
    """The methods of the table, in its order."""
    return tuple(dict.fromkeys([*ORDER, *method_texts()]))


def rivals() -> tuple[str, ...]:
    """The methods that PMI is compared with, in the order of the sentences."""
    return tuple(name for name in dict.fromkeys([*RIVALS, *method_texts()]) if name not in OWN)


def reads_masks(method: str) -> bool:
    """Whether a method reads the masks of a concept list."""
    return "concepts" in declared()[method].needs
