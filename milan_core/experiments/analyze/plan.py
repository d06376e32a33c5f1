"""What the analysis by ablation needs: its networks, their images, its settings."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.files import canonical_json
from milan_core.experiments.analyze.options import analyzed, evaluation_dataset

__all__ = ["analyze_assets", "analyze_params", "analyzed", "evaluation_dataset"]


def analyze_assets(config: Config) -> list[str]:
    """The assets that the criteria read."""
    section = config.analyze
    return [name for name in (section.parser, section.vectors) if name and analyzed(config)]


def analyze_params(config: Config) -> str:
    """The canonical JSON of what changes a network's results."""
    include = {"images", "fractions", "ties", "trials", "queries", "replacement", "batch_size"}
    options = config.analyze.model_dump(include=include)
    if config.analyze.tie_order != "random":
        options["tie_order"] = config.analyze.tie_order
    return canonical_json(options)
