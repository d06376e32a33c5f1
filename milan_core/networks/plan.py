"""The networks of a configuration: their weights, their training, their downloads.

A published file that is in place belongs to the user: no rule makes it, so that no run deletes it.
Only a file that is missing and has an address gets a job.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.missing import CORRECT, Missing
from milan_core.core.options import narrowed
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.places import brought_folders
from milan_core.networks.adapters import FILES
from milan_core.networks.options import Architecture, Network, NetworkSpec
from milan_core.networks.weight_options import (
    AssetWeights,
    DistilWeights,
    DownloadWeights,
    FileWeights,
    Loadable,
    StoredWeights,
    TrainWeights,
)


def trained_folder(config: Config, place: str, file: str) -> str:
    """A folder of `<results>`, or of the run in `trained` where that has `file` in it."""
    if config.trained and Path(config.trained, place, file).is_file():
        return f"{config.trained}/{place}"
    return f"{config.pathvars.results}/{place}"


def weights_file(config: Config, model: str) -> str | None:
    """The weights file that a job must wait for; None when the factory brings its own.

    Of an asset it is the folder.
    """
    weights, roots = config.model_zoo[model].weights, config.pathvars
    if isinstance(weights, TrainWeights):
        folder = trained_folder(config, f"{model}/target", "weights.safetensors")
        return f"{folder}/weights.safetensors"
    if isinstance(weights, AssetWeights):
        return f"{roots.resources}/assets/{weights.asset}"
    if isinstance(weights, DownloadWeights):
        return str(weights_path(config, weights))
    return weights.path if isinstance(weights, FileWeights) else None


def job_network(config: Config, model: str) -> Network:
    """The arguments that load a network: its entry, with the weights resolved to a file."""
    spec = config.model_zoo[model]
    keys = {name: getattr(spec, name) for name in NetworkSpec.model_fields}
    return Network(name=model, **{**keys, "weights": _resolved(config, model)})


def _resolved(config: Config, model: str) -> Loadable:
    weights = config.model_zoo[model].weights
    if isinstance(weights, Loadable):
        return weights
    if isinstance(weights, AssetWeights):
        path = f"{config.pathvars.resources}/assets/{weights.asset}/{weights.path}"
    else:
        path = str(weights_file(config, model))
    stored = isinstance(weights, StoredWeights)
    reading = narrowed(weights, StoredWeights).model_dump() if stored else {}
    return FileWeights(source="file", path=path, **reading)


def trained(config: Config, model: str) -> TrainWeights:
    """The training of a network in this run."""
    training = config.model_zoo[model].training
    if training is None:
        names = [name for name, spec in config.model_zoo.items() if spec.training]
        raise unknown("trained network", model, names, "config: model_zoo")
    return training


def architecture(config: Config, model: str) -> Architecture:
    """The entry that builds a network, without its weights."""
    return narrowed(config.model_zoo[model], Architecture)


def teacher(config: Config, model: str) -> Network | None:
    """The network whose features a network learns, with the one layer that it learns."""
    training = config.model_zoo[model].training
    if not isinstance(training, DistilWeights):
        return None
    network = job_network(config, training.teacher)
    return network.model_copy(update={"layers": [training.teacher_layer]})


def training_seed(config: Config, model: str) -> int:
    """The seed of a network's training: its own, or the run's."""
    seed = trained(config, model).seed
    return config.seed if seed is None else seed


def check_networks(config: Config) -> None:
    """Refuse networks without units, and data sets and teachers that do not exist."""
    for name, model in config.model_zoo.items():
        where = f"config: model_zoo.{name}"
        if not model.layers and not model.directions:
            raise UserError(f"{where}: neither layers nor directions are given; list some layers")
        training = model.training
        for dataset in [model.dataset, *(training.datasets if training else [])]:
            if dataset not in config.dataset_zoo:
                raise unknown("data set", dataset, config.dataset_zoo, where)
        if isinstance(training, DistilWeights) and training.teacher not in config.model_zoo:
            raise unknown("model", training.teacher, config.model_zoo, f"{where}.weights")


def weights_path(config: Config, weights: DownloadWeights) -> Path:
    """The file of published weights."""
    return Path(weights.path or f"{config.pathvars.resources}/weights/{weights.filename}")


def fetched_weights(config: Config) -> dict[str, PublishedFile]:
    """Weights files to fetch, by the name of the file.

    Raises:
        UserError: for one file name with two addresses.

    """
    files: dict[str, PublishedFile] = {}
    owner: dict[str, str] = {}
    for name, model in config.model_zoo.items():
        weights = model.weights
        if not isinstance(weights, DownloadWeights) or weights.path or not weights.url:
            continue
        if weights_path(config, weights).is_file():
            continue
        file, urls = weights.filename, list(weights.addresses)
        spec = PublishedFile(name=file, urls=urls, sha256=weights.sha256 or "")
        if files.setdefault(file, spec) != spec:
            message = (
                f"config: model_zoo.{name}.weights: {file} is also the file of {owner[file]}, from "
                f"another address; give one of them another name with `file`"
            )
            raise UserError(message)
        owner.setdefault(file, name)
    return files


def missing_weights(config: Config, model: str) -> Iterator[Missing]:
    """Files of a network that are missing and that no job brings: weights, code, directions."""
    spec, key = config.model_zoo[model], f"model_zoo.{model}"
    weights = spec.weights
    if isinstance(weights, DownloadWeights):
        path = weights_path(config, weights)
        if not path.is_file() and not _reachable(weights):
            how = (
                f"get it ({weights.origin}) and place it there, or try the workflow with "
                "`source: random`"
            )
            yield Missing(f"{key}.weights", str(path), how)
    files = {f"directions.{name}.path": item.path for name, item in spec.directions.items()}
    if isinstance(weights, FileWeights):
        files["weights.path"] = weights.path
    kind, _, name = spec.factory.partition(":")
    source = spec.factory.rpartition(":")[0]
    if kind in FILES or source.endswith(".py"):
        files["factory"] = name if kind in FILES else source
    if isinstance(weights, StoredWeights) and (weights.convert or "").rpartition(".py:")[0]:
        files["weights.convert"] = str(weights.convert).rpartition(":")[0]
    for name, file in files.items():
        if not Path(file).expanduser().is_file():
            yield Missing(f"{key}.{name}", file, CORRECT)


def _reachable(weights: DownloadWeights) -> bool:
    """Whether a job can bring the file: without network from local addresses and folders only."""
    if weights.path or not weights.url:
        return False
    if not os.environ.get("MILAN_OFFLINE"):
        return True
    local = any(urlsplit(address).scheme == "file" for address in weights.addresses)
    return local or any((folder / weights.filename).is_file() for folder in brought_folders())
