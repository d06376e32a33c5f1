"""The networks on which decoding strategies are compared."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import unknown
from milan_core.core.options import narrowed
from milan_core.experiments.decoding.options import StrategyOptions


def studied(config: Config) -> list[str]:
    """Networks and sets of the study that this run describes and has annotations of."""
    return [
        name for name in config.decoding.models if name in config.models and name in config.corpus
    ]


def strategy_options(config: Config) -> StrategyOptions:
    """The strategies that are compared."""
    return narrowed(config.decoding, StrategyOptions)


def check_studied(config: Config) -> None:
    """Refuse networks and sets that do not exist; raises `UserError`."""
    known = [*config.model_zoo, *config.annotation_sets]
    for name in config.decoding.models:
        if name not in known:
            raise unknown("model", name, known, "config: decoding.models")
