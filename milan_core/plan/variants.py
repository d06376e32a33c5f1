"""Which networks each variant describes, and where its files are."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.errors import UserError, unknown
from milan_core.plan.annotations import networks
from milan_core.runtime.files import canonical_json


def variant_models(config: Config, variant: str) -> list[str]:
    """Networks of a variant; those that this run does not describe are passed over."""
    chosen = config.variants[variant].models or networks(config)
    return [name for name in chosen if name in config.models]


def varied(config: Config) -> list[tuple[str, str]]:
    """Every (network, variant)."""
    return [(model, name) for name in config.variants for model in variant_models(config, name)]


def scored_variants(config: Config) -> list[str]:
    """Networks with variants whose annotations are known."""
    models = dict.fromkeys(model for model, _ in varied(config))
    return [name for name in models if name in config.corpus]


def variant_params(config: Config, variant: str, resources: str) -> str:
    """The canonical JSON of a variant, a file of an asset resolved to its path."""
    spec = config.variants[variant].model_dump(exclude={"models"})
    if asset := spec["prior"].pop("asset"):
        spec["prior"]["source"] = f"{resources}/assets/{asset}/{spec['prior']['source']}"
    return canonical_json(spec)


def check_variants(config: Config) -> None:
    """Refuse families without their checkpoint, and names that do not exist."""
    for name, spec in config.variants.items():
        where = f"config: variants.{name}"
        for key, choice in (("captioner", spec.captioner), ("prior", spec.prior)):
            if choice.family in ("image_to_text", "causal_lm") and not choice.source:
                message = (
                    f"{where}.{key}: family {choice.family!r} needs the key 'source', a folder of "
                    "save_pretrained or a name on the hub"
                )
                raise UserError(message)
        for model in spec.models:
            if model not in config.model_zoo:
                raise unknown("model", model, config.model_zoo, f"{where}.models")
