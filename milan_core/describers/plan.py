"""The describers' jobs: variants, and labels from lists of concepts."""

from __future__ import annotations

from pathlib import Path

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.describers.backends.options import CausalPriorOptions
from milan_core.describers.label_options import LabelMethod, LabelOptions
from milan_core.describers.listed.plan import listed_tables
from milan_core.describers.options import (
    ComposedOptions,
    MilanTunedOptions,
    PoolOptions,
    PublishedMethod,
)

TUNED = MilanTunedOptions.describer_name()


def pooled(config: Config, model: str) -> bool:
    """Whether a judge chooses the descriptions of a network.

    Audits and edits count what the captioner says, as published: their networks have its texts.
    """
    random = config.referee.random
    shown = [*networks(config), *([random] if random else [])]
    return (
        config.describe.describer != "milan"
        and model in shown
        and model not in _experimented(config)
        and not why_not_pooled(config, model)
    )


def _experimented(config: Config) -> set[str]:
    """Networks that are audited or edited."""
    pairs = config.audit.pairs if config.audit else []
    audited = [name for pair in pairs for name in (pair.original, pair.changed)]
    counted = config.audit.models if config.audit else []
    edited = [trial.model for trial in config.edit.trials] if config.edit else []
    return {*audited, *counted, *edited}


def several(config: Config, model: str) -> bool:
    """Whether the units of a network get several labels where they respond to several things."""
    return config.describe.several is not None and pooled(config, model)


def why_not_pooled(config: Config, model: str) -> str:
    """Name what is missing for the pool; empty where nothing is."""
    if not trains_judge(config):
        return "no judge is trained in this run (referee.judges)"
    if "max" not in config.exemplars.table:
        return "mining keeps no table of the largest activations (exemplars.table)"
    probe = config.model_zoo[model].dataset
    if not config.dataset_zoo[probe].has_truth:
        return f"the judge knows composed scenes, and the images of {probe!r} are none"
    return ""


def pool_options(config: Config) -> PoolOptions:
    """The options of the pool; its resamples are seeded by the run."""
    given = config.describe.pool
    return (
        given
        if "seed" in given.model_fields_set
        else given.model_copy(update={"seed": config.seed})
    )


def pool_tables(config: Config, model: str) -> dict[str, str]:
    """Texts of a network that are candidates, by variant or listed describer: as `further_tables`.

    Those of the pool itself are none.
    """
    tables = further_tables(config, model)
    return {name: tables[name] for name in config.describe.candidates if name in tables}


def pool_methods(config: Config) -> list[str]:
    """Labeling methods, and forms of the captioner, whose texts are candidates."""
    apart = {*config.variants, *config.describers}
    return [name for name in config.describe.candidates if name not in apart]


def variants_of(config: Config, model: str) -> list[str]:
    """Variants that describe a network."""
    return [variant for name, variant in varied(config) if name == model]


def further_tables(config: Config, model: str) -> dict[str, str]:
    """Descriptions of a network beside MILAN's, by describer: files below `<results>`."""
    tables = {
        name: f"{model}/variants/{name}/descriptions.csv" for name in variants_of(config, model)
    }
    chosen = {"pool": f"{model}/pool/descriptions.csv"} if pooled(config, model) else {}
    return {**tables, **listed_tables(config, model), **chosen}


def check_pool(config: Config) -> None:
    """Refuse a pool that cannot be, and candidates that nobody proposes."""
    spec = config.describe
    if spec.pool.decoding.model_fields_set:
        given = ", ".join(sorted(spec.pool.decoding.model_fields_set))
        raise UserError(
            f"config: describe.pool.decoding: got {given}; the candidates are the beams of the "
            "main search, so give these keys in `describe` itself"
        )
    known = [*config.variants, *config.describers, *config.baselines.methods, TUNED]
    for name in spec.candidates:
        if name not in known:
            raise unknown("describer", name, known, "config: describe.candidates")
    for model in networks(config) if spec.describer == "pool" else []:
        if reason := why_not_pooled(config, model):
            raise UserError(
                f"config: describe.describer: pool cannot describe {model!r}: {reason}; choose "
                "auto or milan"
            )


def variant_models(config: Config, variant: str) -> list[str]:
    """Networks of a variant; those that this run does not describe are left out.

    There are none where the variant reads the mini judge and the run trains no judge.
    """
    if judge_reranks(config, variant) and not trains_judge(config):
        return []
    chosen = config.variants[variant].models or networks(config)
    return [name for name in chosen if name in config.models]


def varied(config: Config) -> list[tuple[str, str]]:
    """Every (network, variant)."""
    return [(model, name) for name in config.variants for model in variant_models(config, name)]


def scored_variants(config: Config) -> list[str]:
    """Networks with variants whose annotations are known."""
    models = dict.fromkeys(model for model, _ in varied(config))
    return [name for name in models if name in config.corpus]


def variant_options(config: Config, variant: str) -> ComposedOptions:
    """The options of a variant, a file of an asset resolved to its path."""
    options = narrowed(config.variants[variant], ComposedOptions)
    prior = options.prior
    if isinstance(prior, CausalPriorOptions) and prior.asset:
        source = f"{config.pathvars.resources}/assets/{prior.asset}/{prior.source}"
        resolved = prior.model_copy(update={"asset": None, "source": source})
        return options.model_copy(update={"prior": resolved})
    return options


def judge_reranks(config: Config, variant: str) -> bool:
    """Whether the mini judge of this run re-ranks a variant's beams."""
    clip = config.variants[variant].clip
    return clip is not None and clip.reads_judge


def trains_judge(config: Config) -> bool:
    """Whether this run trains a mini judge; what reads one is left out of runs without."""
    return any(judge.kind == "mini" for judge in config.referee.judges)


def label_names(config: Config) -> list[LabelMethod]:
    """Methods that label from a list of concepts, without those that lack the mini judge."""
    section = config.baselines
    lacking = section.clip_dissect.reads_judge and not trains_judge(config)
    return [name for name in section.methods if name != "clip_dissect" or not lacking]


def judge_labels(config: Config) -> bool:
    """Whether CLIP-Dissect reads the mini judge of this run."""
    return "clip_dissect" in label_names(config) and config.baselines.clip_dissect.reads_judge


def variant_asset(config: Config, variant: str) -> str | None:
    """The asset that holds the prior of a variant, if it is one."""
    prior = config.variants[variant].prior
    return prior.asset if isinstance(prior, CausalPriorOptions) else None


def released_files(config: Config, variant: str) -> list[str]:
    """Files of a published captioner that a variant reads."""
    choice = config.variants[variant].captioner
    if choice.family != "released":
        return []
    source = Path(choice.source).expanduser()
    files = [source / "config.json", source / "weights.safetensors"]
    files = files if source.is_dir() else [source]
    weights = [Path(choice.encoder_weights).expanduser()] if choice.encoder_weights else []
    return [str(file) for file in [*files, *weights]]


def check_variants(config: Config) -> None:
    """Refuse names that do not exist, files that are missing, and parts that do not fit."""
    for name, spec in config.variants.items():
        where = f"config: variants.{name}"
        if spec.candidates == "beam_mi" and spec.captioner.family == "image_to_text":
            message = (
                f"{where}.candidates: beam_mi needs the language model of a MILAN captioner, and "
                "the captioner is of family 'image_to_text'; leave it out"
            )
            raise UserError(message)
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


def label_methods(config: Config) -> list[LabelOptions]:
    """Options of the methods that label from a list of concepts, by name.

    One that reads the mini judge comes last: BERTScore rounds texts by the batch that they share,
    so what stands behind others leaves their scores as they are.
    """
    last = judge_labels(config)
    names = sorted(label_names(config), key=lambda name: (last and name == "clip_dissect", name))
    return [getattr(config.baselines, name) for name in names]


def label_dataset(config: Config, model: str) -> str:
    """The images that labels of `model` are drawn from: a generator sees only what it draws."""
    spec = config.model_zoo[model]
    probe = config.baselines.dataset is None or spec.input.kind == "latents"
    return spec.dataset if probe else str(config.baselines.dataset)


def needs_masks(config: Config) -> bool:
    """Whether a method reads masks of concepts, or takes its words from their names."""
    section = config.baselines
    return any(
        name != "clip_dissect" or section.clip_dissect.concepts is None
        for name in label_names(config)
    )


def published_labels(config: Config, name: str) -> dict[PublishedMethod, str]:
    """Result folders of the published programs for a network or a set, by program."""
    return dict(config.baselines.published.get(name, {}))


def check_labels(config: Config) -> None:
    """Refuse sources of labels that do not exist; raises `UserError`."""
    section = config.baselines
    if section.dataset is not None and section.dataset not in config.dataset_zoo:
        raise unknown("data set", section.dataset, config.dataset_zoo, "config: baselines.dataset")
    for name in section.published:
        known = [*config.model_zoo, *config.annotation_sets]
        if name not in known:
            raise unknown("model", name, known, "config: baselines.published")
    clip = section.clip_dissect
    if "clip_dissect" in section.methods and clip.path is None and not clip.judge:
        raise UserError(
            "config: baselines.clip_dissect.path: no CLIP is given; name the folder of a CLIPModel "
            "saved by transformers, give `judge: true` for the mini judge of this run, or take "
            "clip_dissect out of baselines.methods"
        )
    if section.concepts.source == "truth" and set(section.methods) - {"clip_dissect"}:
        _check_truth(config)


def _check_truth(config: Config) -> None:
    """Masks of the ground truth exist only for composed worlds."""
    for name in [model for model in networks(config) if model in config.corpus]:
        dataset = label_dataset(config, name)
        images = config.dataset_zoo[dataset]
        if not images.has_truth:
            raise UserError(
                f"config: baselines.concepts.source: {dataset!r} of kind {images.kind!r} has no "
                "ground truth; give masks by source folder or segmenter, or set baselines.methods "
                "to []"
            )
