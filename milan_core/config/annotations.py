"""Annotation sets of the configuration: exemplars and texts from files, not from mining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from milan_core.config.groups import group_names, published_sets, resolve
from milan_core.config.zoo import Section
from milan_core.errors import UserError


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
    """The raw configuration with published groups in `corpus` replaced by their sets.

    A name of the user's own wins over a group of the same name.
    """
    corpus = raw.get("corpus")
    if not isinstance(corpus, list):
        return dict(raw)
    own = {*(raw.get("annotation_sets") or {}), *(raw.get("model_zoo") or {})}
    expanded: list[Any] = []
    for name in corpus:
        groups = [*group_names(), *published_sets()]
        if name in own or name not in groups:
            expanded.append(name)
            continue
        members = [set_name(key) for key in resolve(name)]
        if absent := [member for member in members if member not in own]:
            message = (
                f"config: corpus: {name!r} stands for {', '.join(members)}; annotation_sets lacks "
                f"{', '.join(absent)}; add {absent[0]}: {{path: FOLDER}} there"
            )
            raise UserError(message)
        expanded += [member for member in members if member not in expanded]
    return {**raw, "corpus": expanded}
