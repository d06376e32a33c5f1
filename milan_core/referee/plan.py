"""What a configuration asks of the referee: networks to score, held-out images, judges."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.captioner.features.options import JobEncoder
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.exemplars.options import Pool
from milan_core.exemplars.plan import heldout_dataset
from milan_core.images.kinds.composed import Composed
from milan_core.networks.plan import job_network
from milan_core.referee.options import MiniOptions, MiniTraining


def pools(config: Config) -> list[Pool]:
    """How a map becomes one number in the tables of held-out images."""
    return list(config.exemplars.table or ("max",))


def held_apart(config: Config) -> list[str]:
    """Described networks whose descriptions are scored on a second data set."""
    return [name for name in networks(config) if heldout_dataset(config, name)]


def mini_judge(config: Config) -> MiniOptions | None:
    """The judge that is trained in this run; None where there is none."""
    found = [one for one in config.referee.judges if isinstance(one, MiniOptions)]
    return found[0] if found else None


def mini_training(config: Config) -> MiniTraining:
    """How it is trained."""
    chosen = mini_judge(config)
    return narrowed(chosen, MiniTraining) if chosen else MiniTraining()


def mini_encoder(config: Config) -> JobEncoder | None:
    """Its frozen network of images."""
    chosen = mini_judge(config)
    if chosen is None:
        return None
    return JobEncoder(model=job_network(config, chosen.encoder), layers=chosen.layers)


def check_judges(config: Config) -> None:
    """Refuse two mini judges, and a mini judge of names that do not exist."""
    where = "config: referee.judges"
    kinds = [one.kind for one in config.referee.judges]
    if kinds.count("mini") > 1:
        raise UserError(f"{where}: {kinds.count('mini')} of kind mini; expected one at most")
    chosen = mini_judge(config)
    if chosen is None:
        return
    if chosen.dataset not in config.dataset_zoo:
        raise unknown("data set", chosen.dataset, config.dataset_zoo, where)
    if chosen.encoder not in config.model_zoo:
        raise unknown("model", chosen.encoder, config.model_zoo, where)
    if not isinstance(config.dataset_zoo[chosen.dataset], Composed):
        raise UserError(
            f"{where}: the mini judge learns from scenes of known content, and the images of "
            f"{chosen.dataset!r} are not; choose a data set of kind stickers or shapes"
        )
