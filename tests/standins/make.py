"""Make everything that a configuration reads from outside: pictures, annotation sets, weights.

The list of files follows from the configuration. Everything is written below one folder, which
must be the configuration's `resources`; a configuration that names files elsewhere is refused,
because those may be the originals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, write_text
from milan_core.images.kinds.latents import Latents
from milan_core.images.kinds.published import Published
from milan_core.images.kinds.spurious import Spurious
from milan_core.images.store import Dataset
from milan_core.networks.catalog import network_names
from milan_core.networks.generators.latents import build_latents
from milan_core.networks.options import Network
from milan_core.networks.plan import job_network
from milan_core.networks.weight_options import DownloadWeights
from standins import wanted
from standins.pictures import Shown, drawn, write_class_folders, write_places
from standins.sets import write_set
from standins.weights import write_weights

VALIDATION = "ILSVRC2012_val_{number:08d}.JPEG"
TRAINING = "{label}_{number}.JPEG"
OVERLAY = "weights.yaml"
PICTURES = 8  # that the weights are fitted to
PARTS = ("data", "weights", "downloads")
Say = Callable[[str], None]


def make(config: Config, out: Path, seed: int, say: Say) -> Path:
    """Write all stand-ins below `out`; returns the overlay that says where the weights are.

    Raises:
        UserError: for a configuration that reads files elsewhere, and for a folder that is in use.

    """
    _check(config, out)
    shown = _pictures(config, seed, say)
    pictures = drawn(PICTURES, seed)
    overlay = out / OVERLAY
    with tempfile.TemporaryDirectory(dir=out, prefix=".scratch-") as scratch:
        work = _Work(config, out, Path(scratch), seed)
        addresses = work.weights(pictures, say)
        work.annotation_sets(shown, pictures, say)
    head = "# Where the stand-ins of published weights are; written by `python -m standins`.\n"
    write_text(overlay, head + yaml.safe_dump({"model_zoo": addresses}, sort_keys=True))
    return overlay


def _check(config: Config, out: Path) -> None:
    resources = config.pathvars.resources
    if Path(resources).resolve() != out.resolve():
        raise UserError(
            f"config: pathvars.resources is {resources!r}, the stand-ins go to {str(out)!r}; name "
            "the same folder"
        )
    sources = {f"annotation_sets.{n}.path": s.path for n, s in config.annotation_sets.items()}
    for name, spec in config.dataset_zoo.items():
        if isinstance(spec, Published | Spurious):
            sources[f"dataset_zoo.{name}.options.path"] = spec.options.path
    for where, path in sources.items():
        if out.resolve() not in Path(path).resolve().parents:
            raise UserError(
                f"config: {where}: {path!r} is not below {str(out)!r}; stand-ins are written there "
                "only, so that they never mix with published files"
            )
    if used := [name for name in PARTS if (out / name).exists()]:
        raise UserError(f"{out / used[0]} is there already; delete {out} and make it again")


def _pictures(config: Config, seed: int, say: Say) -> dict[str, Shown]:
    """Write all folders of images; what each file shows, by its name."""
    found: list[Shown] = []
    for folder, classes in wanted.class_folders(config).items():
        counts = classes.counts(folder)
        pattern = VALIDATION if classes.total else TRAINING
        found += write_class_folders(folder, counts, pattern, seed)
        say(f"{folder}: {sum(counts.values())} pictures in {len(counts)} classes")
    for (folder, split), total in wanted.places_folders(config).items():
        found += write_places(folder, split, total, seed)
        say(f"{folder}: {total} pictures")
    return {one.file: one for one in found}


class _Work:
    """Weights and annotation sets of one configuration."""

    def __init__(self, config: Config, out: Path, scratch: Path, seed: int) -> None:
        self.config, self.out, self.scratch, self.seed = config, out, scratch, seed
        self._datasets: dict[str, Dataset] = {}

    def model(self, name: str, **weights: Any) -> dict[str, Any]:
        """The network as the jobs are told it, with other weights where `weights` says so."""
        spec = job_network(self.config, name).model_dump(mode="json")
        return {**spec, "weights": {**spec["weights"], **weights}}

    def weights(self, pictures: np.ndarray, say: Say) -> dict[str, Any]:
        """Write the weights that jobs read; the entries of the overlay."""
        addresses = {}
        for name in wanted.published_weights(self.config):
            weights = self.config.model_zoo[name].weights
            assert isinstance(weights, DownloadWeights)
            folder = "downloads" if weights.url else "weights"
            path = self.out / folder / weights.filename
            write_weights(name, self.model(name), path, pictures, self.seed)
            say(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
            if weights.url:
                found = {"url": path.resolve().as_uri(), "sha256": file_sha256(path)}
                built_in = {"extends": name} if name in network_names() else {}
                addresses[name] = {**built_in, "weights": found}
        return addresses

    def annotation_sets(self, shown: dict[str, Shown], pictures: np.ndarray, say: Say) -> None:
        """Write the zip of every set, mined from a network whose weights are read from a file."""
        for name, (key, network) in wanted.annotated_networks(self.config).items():
            path = self.scratch / f"{network}.pth"
            write_weights(network, self.model(network), path, pictures, self.seed)
            model = self.model(network, path=str(path), sha256=None)
            archive = Path(self.config.annotation_sets[name].path)
            dataset = self._dataset(self.config.model_zoo[network].dataset, model)
            k = self.config.exemplars.k
            units = write_set(key, model, dataset, shown, archive, k=k, seed=self.seed)
            path.unlink()
            say(f"{archive}: {units} units, {archive.stat().st_size / 1e6:.0f} MB")

    def _dataset(self, name: str, model: dict[str, Any]) -> Dataset:
        """The probe data set of a network, as its job would build it."""
        if name not in self._datasets:
            spec, folder = self.config.dataset_zoo[name], self.scratch / name
            if isinstance(spec, Latents):
                network = Network.model_validate(model)
                self._datasets[name] = build_latents(name, spec, network, folder)
            else:
                self._datasets[name] = spec.build(name, folder, {}, 1)
        return self._datasets[name]
