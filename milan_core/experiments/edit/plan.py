"""What the editing of a network waits for and is given."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import unknown
from milan_core.core.files import canonical_json
from milan_core.experiments.edit.options import EditTrial, edit_networks, edit_references
from milan_core.scoring.query_options import choose_queries


def edited(config: Config) -> list[str]:
    """Networks that are edited."""
    return edit_networks(config.edit)


def references(config: Config) -> list[str]:
    """Networks that edited ones are compared with; they are trained, not described."""
    return edit_references(config.edit)


def edit_trial(config: Config, model: str) -> EditTrial:
    """The trial of one edited network."""
    for trial in config.edit.trials if config.edit else []:
        if trial.model == model:
            return trial
    raise unknown("edited network", model, edited(config), "config: edit.trials")


def edit_params(config: Config, model: str) -> str:
    """The canonical JSON of what one editing is asked."""
    spec = config.edit
    assert spec is not None
    query = choose_queries([spec.query], spec.own_queries, "config: edit.query")[spec.query]
    trial = edit_trial(config, model)
    choice = spec.model_dump(include={"choose_on"}, exclude_defaults=True)
    choice |= trial.model_dump(include={"ranking_text", "group"}, exclude_defaults=True)
    return canonical_json(
        {
            "query": query.model_dump(),
            "name": spec.query,
            "splits": trial.datasets(),
            **spec.model_dump(include={"steps", "draws", "fine_tune", "bootstrap"}),
            **choice,
        }
    )
