"""Refuse a run whose files are missing, before anything runs.

One message names every missing file that no job can bring (weights, images, annotation sets, and
without network the data packages), where it belongs and how to get it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from milan_core.annotations.plan import missing_sets
from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.core.missing import Missing
from milan_core.experiments.analyze.plan import analyzed, evaluation_dataset
from milan_core.images.fetch.options import Asset
from milan_core.images.fetch.places import brought_folders
from milan_core.images.fetch.plan import job_asset
from milan_core.images.fetch.published import how_to_get
from milan_core.networks.plan import missing_weights
from milan_core.networks.weight_options import DistilWeights

FEW = 3  # missing things that one line can name


def check_present(
    config: Config, models: Iterable[str], sets: Iterable[str], assets: Iterable[str]
) -> None:
    """Refuse a configuration of which something is missing; the message names all of it.

    Args:
        config: the whole configuration.
        models: networks that are run; those that train them or draw their images join.
        sets: annotation sets that are read.
        assets: data packages that are read.

    """
    names = _with_helpers(config, models)
    missing: dict[str, Missing] = {}
    for item in (
        *(item for name in names for item in missing_weights(config, name)),
        *_images(config, names),
        *missing_sets(config, sets),
        *_packages(config, assets),
    ):
        missing.setdefault(item.place, _with_source(item))
    if missing:
        found = [*missing.values()]
        head = f"config: {len(found)} things are missing:"
        items = [*_listed(found)] if len(found) > FEW else []
        raise UserError(f"config: {_sentence(found)}", head, items)


def _with_source(item: Missing) -> Missing:
    """The item with how to get it, where it is a published data set."""
    how = how_to_get(Path(item.published_as or item.place)) or how_to_get(Path(item.place))
    return replace(item, how=how) if how else item


def _with_helpers(config: Config, models: Iterable[str]) -> list[str]:
    """The networks with their teachers, and with the generators of their images."""
    names = dict.fromkeys(models)
    for name in list(names):
        spec = config.model_zoo[name]
        generator = config.dataset_zoo[spec.dataset].generator
        teacher = spec.weights.teacher if isinstance(spec.weights, DistilWeights) else None
        names.update(dict.fromkeys(filter(None, [teacher, generator])))
    return list(names)


def _groups(missing: list[Missing]) -> dict[tuple[str, str], list[Missing]]:
    """What is missing by problem and remedy."""
    groups: dict[tuple[str, str], list[Missing]] = {}
    for item in missing:
        groups.setdefault((item.problem, item.how), []).append(item)
    return groups


def _listed(missing: list[Missing]) -> Iterator[str]:
    """A line for each thing, below a line that says how to get those of a group."""
    for (problem, how), items in _groups(missing).items():
        yield f"{problem}: {how}"
        yield from (f"- {item.place} ({item.key})" for item in items)


def _sentence(missing: list[Missing]) -> str:
    """One line, in which files that are obtained in the same way stand together."""
    parts = []
    for (problem, how), items in _groups(missing).items():
        names = ", ".join(f"{item.place} ({item.key})" for item in items)
        several = problem.replace("is ", "are ", 1) if len(items) > 1 else problem
        parts.append(f"{names} {several}: {how}")
    count = f"{len(missing)} things are missing; " if len(missing) > 1 else ""
    return count + "; ".join(parts)


def _images(config: Config, models: list[str]) -> Iterator[Missing]:
    """Images that networks are probed with, trained on, edited, analyzed or labeled with."""
    names: list[str | None] = []
    for model in models:
        spec = config.model_zoo[model]
        names.append(spec.dataset)
        names += spec.training.datasets if spec.training else []
    for trial in config.edit.trials if config.edit else []:
        names += trial.datasets().values()
    names += [evaluation_dataset(config, model) for model in analyzed(config)]
    names += [config.baselines.dataset] if config.baselines.methods else []
    for name in dict.fromkeys(filter(None, names)):
        yield from config.dataset_zoo[name].missing(f"dataset_zoo.{name}")


def _packages(config: Config, names: Iterable[str]) -> Iterator[Missing]:
    """Data packages, where no job may ask the network for them."""
    if not os.environ.get("MILAN_OFFLINE"):
        return
    resources = Path(config.pathvars.resources)
    for name in names:
        spec = job_asset(config, name)
        place = resources / "assets" / name
        if (place / "asset.json").is_file() or _is_brought(spec):
            continue
        wheel = f"{spec.requirement} (SHA-256 {spec.sha256})"
        how = f"place the wheel of {wheel} in {' or '.join(map(str, brought_folders()))}"
        yield Missing(f"asset {name}", str(place), how)


def _is_brought(spec: Asset) -> bool:
    folders = [folder for folder in brought_folders() if folder.is_dir()]
    return any(spec.is_named(path.name) for folder in folders for path in folder.iterdir())
