"""What a configuration asks for: splits, trials, and the parameters of each job.

Pure planning, no arrays: Snakemake parses through this module, so it must load in milliseconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.core.files import canonical_json, file_sha256, text_hash
from milan_core.core.stages import closure, file_of
from milan_core.describers.plan import scored_variants, varied
from milan_core.networks.plan import fetched_weights
from milan_core.plan.splits import (
    Split,
    annotated,
    annotation_sets,
    described,
    judged,
    primary_split,
    seeds,
    splits,
    trials,
)

__all__ = [
    "Split",
    "annotated",
    "annotation_sets",
    "described",
    "fetched_weights",
    "judged",
    "networks",
    "primary_split",
    "scored_variants",
    "seeds",
    "splits",
    "trials",
    "varied",
]


def weights_file(config: Config, model: str, results: str, resources: str) -> str | None:
    """The weights file that a job must wait for; None when the factory brings its own."""
    weights = config.model_zoo[model].weights
    if weights.source == "train":
        return f"{results}/{model}/target/weights.safetensors"
    if weights.source == "asset":
        return f"{resources}/assets/{weights.asset}"
    if weights.source == "download":
        return f"{resources}/weights/{weights.filename}"
    return weights.path if weights.source == "file" else None


LOADING = {"trust", "directions", "units", "tokens", "channels_last", "dtype", "compile"}
"""Keys that say more about how a network is read; left out where they say nothing."""


def model_params(config: Config, model: str, results: str, resources: str) -> str:
    """The canonical JSON of what loading one network needs, with the weights resolved to a path."""
    spec = config.model_zoo[model]
    weights = spec.weights
    resolved: dict[str, Any] = {"source": "file"}
    if weights.source in ("factory", "random"):
        resolved = weights.model_dump(include={"source", "seed"}, exclude_defaults=True)
        resolved["source"] = weights.source
    elif weights.source == "asset":
        resolved["path"] = f"{resources}/assets/{weights.asset}/{weights.path}"
    else:
        resolved["path"] = weights_file(config, model, results, resources)
    reading = {"keys", "drop", "match", "convert", "sha256"}
    resolved |= weights.model_dump(include=reading, exclude_defaults=True)
    body = spec.model_dump(
        include={"factory", "kwargs", "input", "layers", "post_relu", "batch_size"}
    )
    body |= spec.model_dump(include=LOADING, exclude_defaults=True)
    return canonical_json({"name": model, **body, "weights": resolved})


TRAINING = {
    "source", "dataset", "tests", "objective", "teacher_size", "count", "epochs", "batch_size",
    "learning_rate",
}  # fmt: skip


def training_params(config: Config, model: str, results: str, resources: str) -> str:
    """The canonical JSON of what training one target network needs, its teacher included."""
    spec = config.model_zoo[model]
    body = spec.model_dump(include={"factory", "kwargs", "input"})
    weights = spec.weights.model_dump(include=TRAINING)
    if spec.weights.teacher:
        teacher = json.loads(model_params(config, spec.weights.teacher, results, resources))
        weights["teacher"] = {**teacher, "layers": [spec.weights.teacher_layer]}
    return canonical_json({**body, "weights": weights})


def factory_version(config: Config, model: str) -> str:
    """A digest of the source of a network: its module here, or files of the user's."""
    spec = config.model_zoo[model]
    given = [_file_digest(direction.path) for direction in spec.directions.values()]
    kind, _, name = spec.factory.partition(":")
    place = spec.factory.rpartition(":")[0]
    if kind in ("torchscript", "export"):
        given.append(_file_digest(name))
    elif place.endswith(".py"):
        given.append(_file_digest(place))
    elif place.startswith("milan_core."):
        files = sorted(closure([place]))
        given.append(text_hash("".join(file_sha256(file_of(module)) for module in files)))
    return given[0] if len(given) == 1 else text_hash("".join(given)) if given else ""


def _file_digest(path: str) -> str:
    file = Path(path).expanduser()
    return file_sha256(file)[:12] if file.is_file() else ""
