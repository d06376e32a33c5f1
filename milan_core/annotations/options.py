"""Annotation sets of the configuration: exemplars and texts from files, not from mining."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from milan_core.annotations.groups import group_names, published_sets, resolve
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import Section

if TYPE_CHECKING:
    from milan_core.config import Config

NOT = "not-"  # as the published groups are named


class AnnotationSetSpec(Section):
    """One set in the format of MILANNOTATIONS: annotations.csv and a folder a layer."""

    path: str = Field(description="Folder of the set, or its zip, which is unpacked beside itself")
    images: str | None = Field(
        None, description="Your copy of the images that ids count, where the set has no images.npy"
    )
    transform: Literal["crop", "squash"] = Field(
        "crop", description="crop: Resize 256, CenterCrop 224 as the masks; squash: as published"
    )
    expect: int | None = Field(50_000, ge=1, description="Images that ids count; null: any number")
    annotation_count: int | None = Field(
        3, ge=1, description="Units with fewer texts are dropped, further texts ignored; null: all"
    )


def set_name(key: str) -> str:
    """Name of a published set: alexnet/imagenet is milannotations_alexnet_imagenet.

    The plain name is that of the network itself, which may be mined and described here as well.
    """
    return "milannotations_" + key.replace("/", "_")


def expand_groups(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The raw configuration with published groups in `models` and `corpus` replaced by their sets.

    A name of the user's own wins over a group of the same name.
    """
    own = {*(raw.get("annotation_sets") or {}), *(raw.get("model_zoo") or {})}
    found = dict(raw)
    for key in ("models", "corpus"):
        if isinstance(raw.get(key), list):
            expanded: list[Any] = []
            for name in raw[key]:
                if is_group(name, own):
                    members = _members(name, own, f"config: {key}")
                    expanded += [member for member in members if member not in expanded]
                else:
                    expanded.append(name)
            found[key] = expanded
    return found


def is_group(name: Any, own: Collection[str]) -> bool:
    """Whether a name stands for published sets; a name of the user's own never does."""
    return name not in own and name in (*group_names(), *published_sets())


def _members(key: str, own: Collection[str], where: str) -> list[str]:
    members = [set_name(name) for name in resolve(key)]
    if absent := [member for member in members if member not in own]:
        message = (
            f"{where}: {key!r} stands for {', '.join(members)}; annotation_sets lacks "
            f"{', '.join(absent)}; add {absent[0]}: {{path: FOLDER}} there"
        )
        raise UserError(message)
    return members


def side_members(config: Config, side: str, where: str) -> tuple[str, ...]:
    """What a side of a pair stands for: itself, the corpus (`all`), or the sets of a group.

    `not-NAME` is the corpus less one of its members. Raises `UserError` for a group whose sets are
    not configured, and for a name that the corpus lacks; other names are returned as is.
    """
    own = {*config.annotation_sets, *config.model_zoo}
    if side == "all" and side not in own:
        return tuple(config.corpus)
    if side.startswith(NOT) and not is_group(side, own):
        name = side.removeprefix(NOT)
        if name not in config.corpus:
            raise unknown("member of the corpus", name, config.corpus, where)
        return tuple(member for member in config.corpus if member != name)
    return tuple(_members(side, own, where)) if is_group(side, own) else (side,)
