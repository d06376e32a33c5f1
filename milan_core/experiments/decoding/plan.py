"""Which networks the study of decoding strategies takes."""

from __future__ import annotations

from milan_core.config import Config


def studied(config: Config) -> list[str]:
    """Networks and sets of the study that this run describes and has annotations of."""
    return [
        name
        for name in config.rerank_study.models
        if name in config.models and name in config.corpus
    ]
