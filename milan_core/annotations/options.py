"""Annotation sets of the configuration: exemplars and texts from files, not from mining."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field

from milan_core.annotations.groups import group_names, published_sets, resolve
from milan_core.core.errors import UserError
from milan_core.core.inputs import HandledPath
from milan_core.core.options import Section

NOT = "not-"  # as the published groups are named


class AnnotationSetSpec(Section):
    """One set in the format of MILANNOTATIONS: annotations.csv and a folder a layer."""

    path: HandledPath = Field(
        description="Folder of the set, or its zip, which is unpacked beside itself"
    )
    images: HandledPath | None = Field(
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

    A configured name hides a group of the same name.
    """
    configured = {*(raw.get("annotation_sets") or {}), *(raw.get("model_zoo") or {})}
    result = dict(raw)
    for key in ("models", "corpus"):
        if isinstance(raw.get(key), list):
            expanded: list[Any] = []
            for name in raw[key]:
                if is_group(name, configured):
                    members = group_members(name, configured, f"config: {key}")
                    expanded += [member for member in members if member not in expanded]
                else:
                    expanded.append(name)
            result[key] = expanded
    return result


def is_group(name: Any, configured: Collection[str]) -> bool:
    """Whether a name stands for published sets; a configured name never does."""
    plain = isinstance(name, str) and name not in configured
    return plain and name in (*group_names(), *published_sets())


def group_members(key: str, configured: Collection[str], where: str) -> list[str]:
    """Names of the configured sets that a published group stands for."""
    members = [set_name(name) for name in resolve(key)]
    if absent := [member for member in members if member not in configured]:
        message = (
            f"{where}: {key!r} stands for {', '.join(members)}; annotation_sets lacks "
            f"{', '.join(absent)}; add {absent[0]}: {{path: FOLDER}} there"
        )
        raise UserError(message)
    return members
