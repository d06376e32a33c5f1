"""The abstention jobs of a configuration: the networks whose units get a status."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.describers.abstention.options import ANSWERED, TableOptions, deciders
from milan_core.describers.plan import further_tables, pooled
from milan_core.plan.splits import annotated
from milan_core.referee import plan as referee

JUDGE = "mini"


def measured(config: Config) -> list[str]:
    """Networks whose texts were chosen by a judge and can be tested on images apart."""
    scored = referee.scored(config)
    return [
        model
        for model in referee.candidates(config)
        if pooled(config, model) and (model, JUDGE) in scored
    ]


def deciding(config: Config, model: str) -> list[str]:
    """The network, and the annotated networks that decide on its units."""
    known = annotated(config)
    names = [name for name in measured(config) if name == model or name in known]
    images = {name: referee.scored_dataset(config, name) for name in names}
    chosen = deciders(model, images)
    return [name for name in names if name == model or name in chosen]


def tested_on(config: Config) -> list[str]:
    """The data set that the units of each measured network are tested on."""
    return [referee.scored_dataset(config, name) for name in measured(config)]


def has_truth(config: Config, model: str) -> bool:
    """Whether the concepts of a network's units are known from its exemplars."""
    known = config.dataset_zoo[config.model_zoo[model].dataset].has_truth
    return model in annotated(config) or (known and model == config.referee.random)


def table_options(config: Config) -> TableOptions:
    """The settings of the table over all networks."""
    return TableOptions(**config.abstention.model_dump(), random=config.referee.random or "")


def told_tables(config: Config, model: str) -> dict[str, str]:
    """Descriptions of a network beside MILAN's by describer, those that are reliable once more."""
    answered = {ANSWERED: f"{model}/abstention/decisions.csv"}
    return further_tables(config, model) | (answered if model in measured(config) else {})
