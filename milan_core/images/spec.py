"""The kinds of data sets that a configuration may name: entries of `dataset_zoo`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from milan_core.images.kinds.arrays import Arrays
from milan_core.images.kinds.folder import Folder
from milan_core.images.kinds.generated import Generated
from milan_core.images.kinds.huggingface import HuggingFace
from milan_core.images.kinds.imagenet import ImageNet
from milan_core.images.kinds.latents import Latents
from milan_core.images.kinds.places365 import Places365
from milan_core.images.kinds.shapes import Shapes
from milan_core.images.kinds.spurious import Spurious
from milan_core.images.kinds.stickers import Stickers
from milan_core.images.kinds.webdataset import WebDataset
from milan_core.images.kinds.zoo import Zoo

DatasetSpec = Annotated[
    Stickers
    | Shapes
    | Generated
    | Latents
    | Folder
    | Arrays
    | ImageNet
    | Places365
    | Spurious
    | WebDataset
    | HuggingFace
    | Zoo,
    Field(discriminator="kind"),
]
