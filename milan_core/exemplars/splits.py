"""Which images a describer may see and which ones it is scored on: a split by hash.

The split depends on the data set's content and the image's number alone, so it is the same on every
machine, in every shard and for every describer.
"""

from __future__ import annotations

import hashlib

import numpy as np

from milan_core.core.errors import UserError

HALVES = {"first": "second-half", "second": "first-half"}
"""Part that is held out, by the half that exemplars come from."""
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def split_names(fingerprint: str, images: int) -> np.ndarray:
    """Name of the split of every image: str [images].

    Raises:
        UserError: for a data set without images.

    """
    if images < 1:
        raise UserError("a split needs at least one image")
    positions = np.array([_position(fingerprint, image) for image in range(images)])
    ends = np.cumsum(list(SHARES.values()))
    return np.array(list(SHARES))[np.searchsorted(ends[:-1], positions, side="right")]


def _position(fingerprint: str, image: int) -> float:
    """A number in [0, 1) that depends on the data set and the image."""
    digest = hashlib.sha256(f"{fingerprint}/{image}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def members(fingerprint: str, images: int, name: str) -> np.ndarray:
    """Numbers of the images of one split, rising: int64."""
    return np.flatnonzero(split_names(fingerprint, images) == name)


def heldout_images(fingerprint: str, images: int, choice: str) -> np.ndarray:
    """Images that no describer may see: bool [images].

    `choice` is `split` for the test split, `first-half` or `second-half` for that half of the
    images, by hash, and empty or `none` for nothing.
    """
    if choice in HALVES.values():
        early = np.array([_position(fingerprint, image) < 0.5 for image in range(images)], bool)
        return early if choice == "first-half" else ~early
    if choice != "split":
        return np.zeros(images, bool)
    return split_names(fingerprint, images) == "test"
