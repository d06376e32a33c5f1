"""Plan of the captioners: their trainings, settings and decoding."""

from __future__ import annotations

from milan_core.captioner.options import (
    CaptionerSettings,
    DecodingOptions,
    TrainedOn,
    TrainingSplit,
)
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.plan.splits import KINDS, possible_splits, seeds, splits


def captioner_settings(config: Config, split: str) -> CaptionerSettings:
    """Settings of the captioner of a split: those of the section, then its overrides.

    `within` and `without` stand for all splits of that kind; other keys name one split.
    """
    settings = narrowed(config.captioner, CaptionerSettings)
    for key in sorted(config.captioner.splits, key=len):
        if split == key or (key in KINDS and split.startswith(f"{key}_")):
            override = config.captioner.splits[key]
            changes = {name: getattr(override, name) for name in override.model_fields_set}
            settings = settings.model_copy(update=changes)
    return settings


def training_split(config: Config, split: str) -> TrainingSplit:
    """The units that the captioner of a split is trained on."""
    chosen = splits(config)[split]
    share = config.generalization.within_test if chosen.within else 0.0
    return TrainingSplit(
        name=split,
        train=list(chosen.train),
        test_share=share,
        draw=config.generalization.within_draw,
        masking=chosen.masking,
        seed=config.seed,
    )


def counted_like(config: Config, split: str) -> TrainedOn | None:
    """The captioner whose number of training units that of `split` takes over."""
    like = splits(config)[split].like
    return published_training(config, like) if like else None


def trainings(config: Config) -> list[TrainedOn]:
    """Every captioner that is trained."""
    return [
        TrainedOn(split=split, seed=seed, keep=captioner_settings(config, split).keep)
        for split in splits(config)
        for seed in seeds(config, split)
    ]


def published_training(config: Config, split: str) -> TrainedOn:
    """The captioner of a split whose descriptions are published: that of its first seed."""
    return TrainedOn(split=split, seed=seeds(config, split)[0])


def decoding(config: Config) -> DecodingOptions:
    """Options of decoding; where words are drawn, the seed is the run's unless one is given."""
    chosen = narrowed(config.describe, DecodingOptions)
    if chosen.strategy == "sample" and chosen.seed is None:
        return chosen.model_copy(update={"seed": config.seed})
    return chosen


def check_captioner(config: Config) -> None:
    """Refuse splits that do not exist, and decoding without the model or strategy it needs."""
    known = {*KINDS, *possible_splits(config)}
    for name in config.captioner.splits:
        if name not in known:
            raise unknown("split", name, known, "config: captioner.splits")
    strategy, mi = config.describe.strategy, config.describe.mi
    if mi and strategy in (None, "rerank"):
        raise UserError(
            "config: describe.mi: re-ranking already weighs whole descriptions by p(d); leave mi "
            "out, or choose describe.strategy beam, greedy or sample"
        )
    if not config.captioner.language_model and (mi or strategy == "rerank"):
        key = "mi" if mi else "strategy"
        raise UserError(
            f"config: describe.{key}: it needs p(d), and captioner.language_model is false; leave "
            "it out, or train the language model"
        )
