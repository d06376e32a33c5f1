"""`places365`: Places365; classes such as `field-wild`, without the letter before them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from milan_core.images.kinds.published import Published
from milan_core.images.layouts import PLACES365, Layout


class Places365(Published):
    """Places365 as published: class folders, or one flat folder with a list of classes."""

    layout: ClassVar[Layout] = PLACES365

    kind: Literal["places365"] = Field("places365", description="Places365 as published")
