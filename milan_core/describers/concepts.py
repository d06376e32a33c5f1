"""Masks of named concepts over a set of images, packed, and kept only where a concept is present.

    masks = ConceptMasks.collect(names, categories, image_masks, size, dataset=fingerprint)
    masks.save(path)
    presence = masks.presence()       # bool [N, C]

At 64 x 64 pixels a mask takes 512 bytes; with some ten concepts in an image, 50,000 images take
250 MB, whatever the number of concepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError, reading
from milan_core.core.options import Content
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.ops.formulas import SparseMasks, mask_words

KIND, VERSION = "milan-concepts", 1
# Concepts of one image: their numbers, rising, and masks bool (p, H, W) at any size.
ImageMasks = tuple[np.ndarray, np.ndarray]


class ConceptsMeta(Content):
    """Metadata of a file of `ConceptMasks.save`."""

    names: list[str]
    categories: list[str]
    size: int
    dataset: str
    source: str


@dataclass(frozen=True)
class ConceptMasks:
    """The masks of each concept in each image."""

    names: tuple[str, ...]
    categories: tuple[str, ...]  # of each concept: object, color, ...
    size: int  # side of the masks
    masks: SparseMasks  # groups are images, members are concepts
    dataset: str  # fingerprint of the images
    source: str  # where the masks come from

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.masks.starts) - 1

    def presence(self) -> np.ndarray:
        """Bool [N, C]: whether a concept has a pixel in an image."""
        found = np.zeros((self.images, len(self.names)), bool)
        found[self.masks.groups, self.masks.members] = True
        return found

    def areas(self) -> np.ndarray:
        """int64 [C]: pixels of each concept over all images."""
        found = np.zeros(len(self.names), np.int64)
        np.add.at(found, self.masks.members, self.masks.pixels())
        return found

    @classmethod
    def collect(
        cls,
        names: Sequence[str],
        categories: Sequence[str],
        images: Iterable[ImageMasks],
        size: int,
        *,
        dataset: str,
        source: str,
    ) -> ConceptMasks:
        """Pack the masks of all images; masks of another size are read at the nearest pixel."""
        starts, members, words = [0], [], []
        for which, masks in images:
            packed = mask_words(ops.pack_masks(resized(masks, size)))
            there = packed.any(1)
            members.append(np.asarray(which, np.int64)[there])
            words.append(packed[there])
            starts.append(starts[-1] + int(there.sum()))
        if len(starts) == 1:
            raise UserError(f"concepts ({source}): there are no images")
        sparse = SparseMasks(
            np.array(starts, np.int64), np.concatenate(members), np.concatenate(words)
        )
        return cls(tuple(names), tuple(categories), size, sparse, dataset, source)

    def save(self, path: Path | str) -> None:
        """Write one file of kind milan-concepts."""
        meta = {
            "names": list(self.names),
            "categories": list(self.categories),
            "size": self.size,
            "dataset": self.dataset,
            "source": self.source,
        }
        arrays = dict(zip(("starts", "members", "bits"), self.masks.arrays, strict=True))
        save_tensors(path, KIND, VERSION, arrays, meta)

    @classmethod
    def load(cls, path: Path | str) -> ConceptMasks:
        """Read a file of `save`."""
        with reading(path, "a file of concept masks"):
            arrays, meta = load_tensors(path, KIND, ConceptsMeta, (VERSION,))
            masks = SparseMasks(arrays["starts"], arrays["members"], arrays["bits"])
            if len(meta.names) != len(meta.categories):
                counts = len(meta.names), len(meta.categories)
                raise ValueError("{} names, {} categories".format(*counts))
            _check_rows(masks, len(meta.names), meta.size)
            return cls(
                tuple(meta.names),
                tuple(meta.categories),
                meta.size,
                masks,
                meta.dataset,
                meta.source,
            )


def _check_rows(masks: SparseMasks, concepts: int, size: int) -> None:
    """Raise ValueError where rows of masks do not fit each other, the concepts or the size."""
    starts, members, bits = masks.arrays
    rows, words = len(members), -(-size * -(-size // 8) // 8)
    if starts[:1].tolist() != [0] or starts[-1] != rows or (np.diff(starts) < 0).any():
        raise ValueError(f"starts of images do not divide {rows} masks")
    if bits.shape != (rows, words):
        raise ValueError(f"bits: expected ({rows}, {words}), got {bits.shape}")
    if rows and not 0 <= members.min() <= members.max() < concepts:
        raise ValueError(f"a mask of a concept that is not one of {concepts}")


def resized(masks: np.ndarray, size: int) -> np.ndarray:
    """Masks (p, H, W) as (p, size, size), each pixel the one at its center."""
    height, width = masks.shape[1:]
    if (height, width) == (size, size):
        return masks
    y = (2 * np.arange(size) + 1) * height // (2 * size)
    x = (2 * np.arange(size) + 1) * width // (2 * size)
    return masks[:, y[:, None], x]
