"""The options of the controls."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.captioner.plan import published_training
from milan_core.config import Config
from milan_core.experiments.controls.options import ControlsOptions
from milan_core.experiments.generalization.plan import encoder_facts
from milan_core.plan.splits import primary_split
from milan_core.plan.trained import captioner_folder


def controls_options(config: Config) -> ControlsOptions:
    """The weight of p(d), the probe data sets, and what the encoder has to do with the networks."""
    probes = {
        name: config.model_zoo[name].dataset
        for name in networks(config)
        if not _apart(config, name)
    }
    weight = config.describe.temperature
    return ControlsOptions(weight=weight, probes=probes, encoder=encoder_facts(config))


def _apart(config: Config, model: str) -> bool:
    """Whether a network is mined from the half of the images that its captioner never saw."""
    training = published_training(config, primary_split(config, model))
    there = f"{config.trained}/captioners/"
    return config.exemplars.half != "all" and captioner_folder(config, training).startswith(there)
