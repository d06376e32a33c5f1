"""The options of the controls."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.experiments.controls.options import ControlsOptions
from milan_core.experiments.generalization.plan import encoder_facts


def controls_options(config: Config) -> ControlsOptions:
    """The weight of p(d), the probe data sets, and what the encoder has to do with the networks."""
    probes = {name: config.model_zoo[name].dataset for name in networks(config)}
    weight = config.describe.temperature
    return ControlsOptions(weight=weight, probes=probes, encoder=encoder_facts(config))
