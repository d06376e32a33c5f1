"""Annotated networks and annotation sets of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from milan_core.annotations.options import NOT, group_members, is_group
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.missing import CORRECT, Missing
from milan_core.images.fetch.places import is_filled
from milan_core.images.fetch.published import published
from milan_core.images.kinds.published import missing_split
from milan_core.images.layouts import IMAGENET


def networks(config: Config) -> list[str]:
    """Networks of `models`."""
    return [name for name in config.models if name in config.model_zoo]


def annotated_networks(config: Config) -> list[str]:
    """Networks of `corpus`: their units are mined and annotated in this run."""
    return [name for name in config.corpus if name not in config.annotation_sets]


def missing_sets(config: Config, names: Iterable[str]) -> Iterator[Missing]:
    """Annotation sets that are not there, and the images that their ids refer to."""
    for name in names:
        spec, key = config.annotation_sets[name], f"annotation_sets.{name}"
        if not is_filled(Path(spec.path).expanduser()):
            fetched = "`milan fetch NAME` brings it, by the name in `annotation_sets`"
            how = fetched if name in published()["files"] else CORRECT
            yield Missing(f"{key}.path", spec.path, how)
        if spec.images is not None:
            yield from missing_split(f"{key}.images", spec.images, "val", IMAGENET)


def side_members(config: Config, side: str, where: str) -> tuple[str, ...]:
    """The networks and sets of one side of a pair: of `all` the corpus, of a group its sets.

    `not-NAME` is the corpus without one member. Other names are returned as they are.

    Raises:
        UserError: for a group whose sets are not configured, or a name that the corpus lacks.

    """
    configured = {*config.annotation_sets, *config.model_zoo}
    if side == "all" and side not in configured:
        return tuple(config.corpus)
    if side.startswith(NOT) and not is_group(side, configured):
        name = side.removeprefix(NOT)
        if name not in config.corpus:
            raise unknown("member of the corpus", name, config.corpus, where)
        return tuple(member for member in config.corpus if member != name)
    if is_group(side, configured):
        return tuple(group_members(side, configured, where))
    return (side,)


def check_annotations(config: Config) -> None:
    """Refuse names of two things, networks that nothing can annotate, and an empty corpus."""
    if both := sorted(set(config.model_zoo) & set(config.annotation_sets)):
        raise UserError(
            f"config: {both[0]!r} is in model_zoo and in annotation_sets; their results would have "
            "the same folder, so rename one of them"
        )
    for name in annotated_networks(config):
        images = config.dataset_zoo[config.model_zoo[name].dataset]
        if not images.has_truth:
            raise UserError(
                f"config: corpus: {name!r} is probed with {images.kind!r} images, which have no "
                "ground truth for the programmatic annotators; take it out of corpus"
            )
    for name in config.models:
        if not set(config.corpus) - {name}:
            raise UserError(
                f"config: corpus: {name!r} needs annotated networks or sets other than itself to "
                f"be described by, got {list(config.corpus)}"
            )
