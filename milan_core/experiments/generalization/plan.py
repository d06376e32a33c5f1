"""The scoring of a run's trials, and the check of their pairs."""

from __future__ import annotations

from milan_core.annotations.groups import group_names, published_sets
from milan_core.annotations.plan import networks, side_members
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.experiments.generalization.options import EncoderFacts, TrialOptions
from milan_core.plan.splits import possible_splits, splits
from milan_core.scoring.options import ScoreOptions, TrainingSources


def trained_on(config: Config, split: str) -> TrainingSources:
    """Networks and sets that the captioners of a split are trained on.

    Networks are probed with a world and have ground truth; annotation sets have none.
    """
    names = list(splits(config)[split].train)
    networks = [name for name in names if name not in config.annotation_sets]
    return TrainingSources(names=names, with_truth=networks)


def score_options(config: Config) -> ScoreOptions:
    """The scoring of descriptions in every experiment."""
    return narrowed(config.generalization, ScoreOptions)


def trial_options(config: Config) -> TrialOptions:
    """The scoring of a trial."""
    return narrowed(config.generalization, TrialOptions)


def encoder_facts(config: Config) -> EncoderFacts:
    """The relation of the encoder to the described networks."""
    described = networks(config)
    encoder = config.encoder.model
    own = set(config.model_zoo[encoder].layers) if encoder in described else set()
    trainings = {name: config.model_zoo[name].training for name in described}
    return EncoderFacts(
        name=encoder if encoder in described else "",
        read_layers=[layer for layer in config.encoder.layers if layer in own],
        students=[
            name for name, one in trainings.items() if getattr(one, "teacher", None) == encoder
        ],
    )


def check_generalization(config: Config) -> None:
    """Refuse splits that do not exist, and pairs of networks that do not exist or overlap."""
    possible = possible_splits(config)
    for name in config.generalization.more_seeds:
        if name not in possible:
            raise unknown("split", name, possible, "config: generalization.more_seeds")
    annotated = [*config.model_zoo, *config.annotation_sets]
    for experiment, pairs in config.generalization.across.items():
        where = f"config: generalization.across.{experiment}"
        for train, test in pairs:
            train_names, tests = (side_members(config, side, where) for side in (train, test))
            for name in [*train_names, *(tests if test != "all" else ["all"])]:
                if name not in annotated:
                    groups = [*annotated, *group_names(), *published_sets(), "all"]
                    raise unknown("network, annotation set or group", name, groups, where)
            if set(train_names) & set(tests):
                raise UserError(
                    f"{where}: [{train}, {test}] would describe a network that was trained on; "
                    "within-network and leave-one-network-out experiments are part of every run"
                )
