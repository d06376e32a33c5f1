"""What a configuration reads from outside, as far as stand-ins can be made for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from milan_core.annotations.groups import published_sets
from milan_core.annotations.options import set_name
from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.images.kinds.imagenet import ImageNet
from milan_core.images.kinds.places365 import Places365
from milan_core.images.kinds.published import Published
from milan_core.images.kinds.spurious import Spurious
from milan_core.networks.weight_options import DistilWeights, DownloadWeights
from milan_core.plan.needed import needed_models
from milan_core.plan.splits import annotation_sets

EXTRA = ("n01440764", "n01443537")  # classes of ImageNet that no experiment names


@dataclass
class ClassFolders:
    """A folder of class folders: pictures that each class must have, and how many in all."""

    classes: dict[str, int] = field(default_factory=dict)
    total: int | None = None  # None: as many as the classes ask for

    def counts(self, where: Path) -> dict[str, int]:
        """Pictures of each class, sorted by class."""
        if self.total is None:
            return dict(sorted(self.classes.items()))
        names = sorted({*self.classes, *EXTRA})
        least, more = divmod(self.total, len(names))
        counts = {name: least + (place < more) for place, name in enumerate(names)}
        for name, needed in self.classes.items():
            if counts[name] < needed:
                raise UserError(
                    f"{where}: {self.total} images give class {name} only {counts[name]}, but "
                    f"data sets of it need {needed}; raise `expect` of the validation images"
                )
        return counts


def class_folders(config: Config) -> dict[Path, ClassFolders]:
    """Folders in the layout of ImageNet, by path."""
    found: dict[Path, ClassFolders] = {}
    for name, spec in config.dataset_zoo.items():
        if isinstance(spec, ImageNet):
            root = Path(spec.options.path) / spec.options.split
            found.setdefault(root, ClassFolders()).total = _expected(name, spec)
        elif isinstance(spec, Spurious):
            classes = found.setdefault(Path(spec.options.path), ClassFolders()).classes
            needed = spec.options.per_class + spec.options.offset
            for label in spec.options.classes:
                classes[label] = max(classes.get(label, 0), needed)
    return found


def places_folders(config: Config) -> dict[tuple[Path, str], int]:
    """Folders in the layout of Places365: path and split, and the number of pictures."""
    return {
        (Path(spec.options.path), spec.options.split): _expected(name, spec)
        for name, spec in config.dataset_zoo.items()
        if isinstance(spec, Places365)
    }


def _expected(name: str, spec: Published) -> int:
    if not spec.options.expect:
        raise UserError(f"config: dataset_zoo.{name}.options.expect: say how many images to make")
    return spec.options.expect


def annotated_networks(config: Config) -> dict[str, tuple[str, str]]:
    """Annotation sets that this run reads: key and network of each, by name."""
    keys = {set_name(key): key for key in published_sets()}
    found = {}
    for name in annotation_sets(config):
        if name not in keys:
            raise UserError(
                f"config: annotation_sets.{name}: stand-ins are made for published sets only: "
                f"{', '.join(keys)}"
            )
        network = keys[name].replace("/", "_")
        if network not in config.model_zoo:
            raise UserError(
                f"config: annotation_sets.{name}: its stand-in is mined from {network}; add "
                f"{network}: {{extends: {network}}} to model_zoo"
            )
        found[name] = (keys[name], network)
    return found


def published_weights(config: Config) -> list[str]:
    """Networks of this run whose weights are published files."""
    names = [*needed_models(config), config.encoder.model]
    weights = [config.model_zoo[name].weights for name in names]
    names += [one.teacher for one in weights if isinstance(one, DistilWeights)]
    return [
        name
        for name in dict.fromkeys(names)
        if isinstance(config.model_zoo[name].weights, DownloadWeights)
    ]
