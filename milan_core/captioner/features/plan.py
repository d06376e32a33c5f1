"""Plan of the feature encoder: typed options of its jobs, and cross-checks."""

from __future__ import annotations

from milan_core.captioner.features.options import EncoderOptions, JobEncoder
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.networks.plan import job_network


def job_encoder(config: Config) -> JobEncoder:
    """The encoder, its network with the weights resolved to a file."""
    chosen = narrowed(config.encoder, EncoderOptions)
    options = {name: getattr(chosen, name) for name in EncoderOptions.model_fields}
    return JobEncoder(model=job_network(config, config.encoder.model), **options)


def check_encoder(config: Config) -> None:
    """Refuse an encoder that is no network here, or computes in bfloat16."""
    name = config.encoder.model
    if name not in config.model_zoo:
        raise unknown("model", name, config.model_zoo, "config: encoder.model")
    if config.model_zoo[name].dtype != "float32":
        raise UserError(
            f"config: encoder.model: {name!r} has dtype bfloat16, in which only mining runs; add "
            "a second entry of it in float32"
        )
