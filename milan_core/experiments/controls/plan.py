"""The options of the controls."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.experiments.controls.options import ControlsOptions


def controls_options(config: Config) -> ControlsOptions:
    """The weight of p(d) and the probe data sets of the described networks."""
    probes = {name: config.model_zoo[name].dataset for name in networks(config)}
    return ControlsOptions(weight=config.describe.temperature, probes=probes)
