"""What a configuration asks of the exemplars."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.options import narrowed
from milan_core.exemplars.options import MiningOptions


def mining_options(config: Config) -> MiningOptions:
    """The options of every shard."""
    return narrowed(config.exemplars, MiningOptions)


def mining_seed(config: Config) -> int:
    """The run's seed where levels are sketched; nothing else of the mining is random."""
    return config.seed if config.exemplars.levels == "sketch" else 0
