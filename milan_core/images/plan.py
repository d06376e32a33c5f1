"""The arguments of the jobs of data sets."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.images.kind import DatasetKind
from milan_core.images.kinds.composed import Composed
from milan_core.images.kinds.zoo import Zoo


def job_dataset(config: Config, dataset: str) -> DatasetKind:
    """The entry as its job reads it: a twin holds every option, so its original does not count."""
    spec: DatasetKind = config.dataset_zoo[dataset]
    return spec.model_copy(update={"twin_of": None}) if isinstance(spec, Composed) else spec


def build_threads(config: Config, dataset: str) -> int:
    """Threads of the job that builds a data set."""
    return 8 if config.dataset_zoo[dataset].decodes else 1


def check_datasets(config: Config) -> None:
    """Refuse names that do not exist, and data sets that would share scenes."""
    seen: dict[tuple[str, int], str] = {}
    for name, spec in config.dataset_zoo.items():
        where = f"config: dataset_zoo.{name}"
        if spec.generator is not None and spec.generator not in config.model_zoo:
            raise unknown("model", spec.generator, config.model_zoo, where)
        if spec.kind == "generated" and spec.scenes not in config.dataset_zoo:
            raise unknown("data set", spec.scenes, config.dataset_zoo, where)
        if isinstance(spec, Zoo) or (isinstance(spec, Composed) and spec.twin_of is None):
            other = seen.setdefault((spec.kind, spec.seed), name)
            if other != name:
                raise UserError(
                    f"config: dataset_zoo: {other!r} and {name!r} have the same seed {spec.seed} "
                    "and would share scenes; give each its own, or say `twin_of`"
                )
