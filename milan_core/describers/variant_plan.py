"""Which networks each variant describes, and where its files are."""

from __future__ import annotations

from pathlib import Path

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import canonical_json
from milan_core.describers.variant_options import VariantSpec

NEEDS = {
    "image_to_text": "a folder of save_pretrained or a name on the hub",
    "causal_lm": "a folder of save_pretrained or a name on the hub",
    "released": "a published milan-*.pth or its converted folder",
}
"""Families that need the key `source`, and what it may be."""


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
    """The canonical JSON of a variant, a file of an asset resolved to its path.

    Keys that came later are left out where they say nothing.
    """
    variant_spec = config.variants[variant]
    spec = variant_spec.model_dump(exclude={"models"})
    if variant_spec.candidates == "beam":
        del spec["candidates"]
    for key, nothing in (("encoder_weights", None), ("prompt", "")):
        if spec["captioner"][key] == nothing:
            del spec["captioner"][key]
    if asset := spec["prior"].pop("asset"):
        spec["prior"]["source"] = f"{resources}/assets/{asset}/{spec['prior']['source']}"
    return canonical_json(spec)


def reads_trained(config: Config, variant: str) -> bool:
    """Whether a variant takes p(d|E) or p(d) of a captioner that is trained here."""
    spec = config.variants[variant]
    own_prior = spec.prior.family == "milan" and spec.captioner.family != "released"
    return spec.captioner.family == "milan" or own_prior


def released_files(config: Config, variant: str) -> list[str]:
    """Files of a published captioner that a variant reads."""
    choice = config.variants[variant].captioner
    if choice.family != "released":
        return []
    source = Path(str(choice.source)).expanduser()
    files = [source / "config.json", source / "weights.safetensors"]
    files = files if source.is_dir() else [source]
    weights = [Path(choice.encoder_weights).expanduser()] if choice.encoder_weights else []
    return [str(file) for file in [*files, *weights]]


def check_variants(config: Config) -> None:
    """Refuse families without their checkpoint, and names that do not exist."""
    for name, spec in config.variants.items():
        where = f"config: variants.{name}"
        for key, choice in (("captioner", spec.captioner), ("prior", spec.prior)):
            if choice.family in NEEDS and not choice.source:
                message = (
                    f"{where}.{key}: family {choice.family!r} needs the key 'source', "
                    f"{NEEDS[choice.family]}"
                )
                raise UserError(message)
        _check_beams(where, spec)
        for file in released_files(config, name):
            if not Path(file).is_file():
                message = (
                    f"{where}.captioner: no file {file!r}; `milan fetch milan_base` brings "
                    "published captioners to resources/milan, or correct the path"
                )
                raise UserError(message)
        for model in spec.models:
            if model not in config.model_zoo:
                raise unknown("model", model, config.model_zoo, f"{where}.models")


def _check_beams(where: str, spec: VariantSpec) -> None:
    if spec.candidates == "beam_mi" and spec.captioner.family == "image_to_text":
        message = (
            f"{where}.candidates: beam_mi needs the language model of a MILAN captioner, and the "
            "captioner is of family 'image_to_text'; leave it out"
        )
        raise UserError(message)
