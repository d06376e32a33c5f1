"""The exemplar jobs of a configuration."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.exemplars.options import MiningOptions
from milan_core.exemplars.splits import HALVES
from milan_core.referee.options import MiniOptions


def mining_options(config: Config, model: str) -> MiningOptions:
    """The options of every shard of one network."""
    options = narrowed(config.exemplars, MiningOptions)
    half = HALVES.get(config.exemplars.half)
    return options.model_copy(update={"heldout": half or heldout_choice(config, model)})


def heldout_dataset(config: Config, model: str) -> str | None:
    """The second data set that scores the descriptions of a network, where one is named."""
    name = config.model_zoo[model].heldout
    return None if name in ("split", "none") else name


def heldout_choice(config: Config, model: str) -> str:
    """`split` where probe images of a described network are held out, else `none`."""
    if model not in networks(config) or not config.exemplars.table:
        return "none"
    chosen = config.model_zoo[model].heldout or config.exemplars.heldout
    return chosen if chosen in ("split", "none") else "none"


def mining_seed(config: Config) -> int:
    """The run's seed where levels are sketched; nothing else of the mining is random."""
    return config.seed if config.exemplars.levels == "sketch" else 0


def check_heldout(config: Config) -> None:
    """Refuse held-out data sets that do not exist, or whose images something else reads."""
    if config.exemplars.half != "all":
        for model in networks(config):
            if heldout_choice(config, model) == "split":
                raise UserError(
                    f"config: exemplars.half: {model!r} holds a part of its images out to score "
                    "its descriptions; give it a second data set in `heldout`, or `heldout: none`"
                )
    seen = _read_elsewhere(config)
    for model in config.model_zoo:
        where = f"config: model_zoo.{model}.heldout"
        name = heldout_dataset(config, model)
        if name is None:
            continue
        if name not in config.dataset_zoo:
            raise unknown("data set", name, [*config.dataset_zoo, "split", "none"], where)
        for origin in _origins(config, name):
            if origin in seen:
                raise UserError(
                    f"{where}: the images of {name!r} are those of {origin!r}, which is read for "
                    f"{seen[origin]}; choose images that nothing else reads"
                )


def _origins(config: Config, name: str) -> list[str]:
    """A data set with those that it shares scenes with."""
    origins = [name]
    while True:
        spec = config.dataset_zoo[origins[-1]]
        other = getattr(spec, "twin_of", None) or getattr(spec, "scenes", None)
        if other is None or other not in config.dataset_zoo or other in origins:
            return origins
        origins.append(other)


def _read_elsewhere(config: Config) -> dict[str, str]:
    """Data sets that describers, training and experiments read, with what for."""
    seen: dict[str, str] = {}
    for model, spec in config.model_zoo.items():
        for name in _origins(config, spec.dataset) if spec.dataset in config.dataset_zoo else []:
            seen.setdefault(name, f"the exemplars of {model!r}")
        for name in spec.training.datasets if spec.training else []:
            seen.setdefault(name, f"the training of {model!r}")
    for judge in config.referee.judges:
        if judge.kind == "mini":
            seen.setdefault(judge.dataset, "the training of the mini judge")
    for judge in config.referee.judges:
        if isinstance(judge, MiniOptions):
            seen.setdefault(judge.dataset, "the training of a judge")
    if config.baselines.dataset:
        seen.setdefault(config.baselines.dataset, "the labels of baselines")
    return seen
