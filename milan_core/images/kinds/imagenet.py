"""`imagenet`: ILSVRC 2012; classes are WordNet ids."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from milan_core.images.kinds.published import Published
from milan_core.images.layouts import IMAGENET, Layout


class ImageNet(Published):
    """ImageNet as published: class folders, or one flat folder with a list of classes."""

    layout: ClassVar[Layout] = IMAGENET

    kind: Literal["imagenet"] = Field("imagenet", description="ImageNet as published")
