"""The options of the controls."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.experiments.controls.options import ControlsOptions


def controls_options(config: Config) -> ControlsOptions:
    """The weight of p(d), the probe data sets, and what the encoder has to do with the networks."""
    described = networks(config)
    probes = {name: config.model_zoo[name].dataset for name in described}
    encoder = config.encoder.model
    own = set(config.model_zoo[encoder].layers) if encoder in described else set()
    trainings = {name: config.model_zoo[name].training for name in described}
    return ControlsOptions(
        weight=config.describe.temperature,
        probes=probes,
        encoder=encoder if encoder in described else "",
        read_layers=[layer for layer in config.encoder.layers if layer in own],
        students=[
            name for name, one in trainings.items() if getattr(one, "teacher", None) == encoder
        ],
    )
