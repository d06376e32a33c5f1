"""What a configuration asks of the referee: which networks are scored, and on which images."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.exemplars.options import Pool
from milan_core.exemplars.plan import heldout_dataset


def pools(config: Config) -> list[Pool]:
    """How a map becomes one number in the tables of held-out images."""
    return list(config.exemplars.table or ("max",))


def held_apart(config: Config) -> list[str]:
    """Described networks whose descriptions are scored on a second data set."""
    return [name for name in networks(config) if heldout_dataset(config, name)]
