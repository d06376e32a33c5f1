"""The trials that Table 2 compares, and the options of the labelling jobs."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import canonical_json
from milan_core.experiments.baselines.options import Evidence
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN, TrialFacts
from milan_core.plan.splits import trials


def compared(config: Config) -> list[TrialFacts]:
    """The trials of the table: networks held out, or within networks when none is."""
    every = trials(config)
    held_out = [trial for trial in every if trial.experiment == HELD_OUT]
    return held_out or [trial for trial in every if trial.experiment == WITHIN]


def labelled(config: Config) -> list[str]:
    """Networks that other methods label."""
    if not (config.baselines.methods or config.baselines.published):
        return []
    return [name for name in _tests(config) if name in config.model_zoo]


def labelled_sets(config: Config) -> list[str]:
    """Sets that the published programs labelled; exemplars alone tell other methods nothing."""
    known = config.baselines.published
    return [name for name in _tests(config) if name in config.annotation_sets and name in known]


def published_labels(config: Config, name: str) -> str:
    """The canonical JSON of the result folders of one set, by method."""
    return canonical_json(config.baselines.published[name])


def _tests(config: Config) -> list[str]:
    return list(dict.fromkeys(trial.test for trial in compared(config)))


def needs_masks(config: Config) -> bool:
    """Whether a method reads masks of concepts, or takes its words from their names."""
    section = config.baselines
    return any(
        name != "clip_dissect" or section.clip_dissect.concepts is None for name in section.methods
    )


def concept_params(config: Config) -> str:
    """The canonical JSON of what making concept masks needs."""
    return canonical_json(config.baselines.concepts.model_dump())


def label_params(config: Config, model: str) -> str:
    """The canonical JSON of what labelling one network needs."""
    section = config.baselines
    chosen = {name: getattr(section, name).model_dump() for name in section.methods}
    published = dict(section.published.get(model, {}))
    return canonical_json({"methods": chosen, "published": published})


def evidence(config: Config) -> Evidence:
    """What the table's text says of the labels and the references."""
    models = labelled(config)
    sources = sorted({label_dataset(config, model) for model in models})
    probes = {config.model_zoo[model].dataset for model in models}
    return Evidence(
        methods=list(config.baselines.methods),
        labels=", ".join(sources),
        same_images=bool(probes & set(sources)),
        sets=[name for name in _tests(config) if name in config.annotation_sets],
    )


def label_dataset(config: Config, model: str) -> str:
    """The images that labels of `model` are drawn from: a generator sees only what it draws."""
    spec = config.model_zoo[model]
    own = config.baselines.dataset is None or spec.input.kind == "latents"
    return spec.dataset if own else str(config.baselines.dataset)


def check_baselines(config: Config) -> None:
    """Refuse sources of labels that do not exist; raises `UserError`."""
    section = config.baselines
    if section.dataset is not None and section.dataset not in config.dataset_zoo:
        raise unknown("data set", section.dataset, config.dataset_zoo, "config: baselines.dataset")
    for name in section.published:
        known = [*config.model_zoo, *config.annotation_sets]
        if name not in known:
            raise unknown("model", name, known, "config: baselines.published")
    if "clip_dissect" in section.methods and section.clip_dissect.path is None:
        raise UserError(
            "config: baselines.clip_dissect.path: no CLIP is given; name the folder of a CLIPModel "
            "saved by transformers, or take clip_dissect out of baselines.methods"
        )
    from_masks = [name for name in section.methods if name != "clip_dissect"]
    if not from_masks:
        return
    if section.concepts.source != "truth":
        if section.concepts.path is None:
            raise UserError(
                f"config: baselines.concepts.path: source {section.concepts.source!r} needs the "
                "folder to read"
            )
        return
    described = [name for name in config.models if name in config.model_zoo]
    for name in [model for model in described if model in config.corpus]:
        dataset = label_dataset(config, name)
        images = config.dataset_zoo[dataset]
        if not images.has_truth:
            raise UserError(
                f"config: baselines.concepts.source: {dataset!r} of kind {images.kind!r} has no "
                "ground truth; give masks by source folder or segmenter, or set baselines.methods "
                "to []"
            )
