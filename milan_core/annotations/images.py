"""The images of a set by id: from images.npy where it has them, else from the user's own copy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from milan_core.annotations.layers import LayerFolder
from milan_core.annotations.merge import (
    IMAGENET_IMAGES,
    TRANSFORMS,
    check_ids,
    check_record,
    list_images,
    read_image,
)
from milan_core.annotations.released import AnnotationSet
from milan_core.core.errors import UserError


class SetImages:
    """`images[ids]` gives uint8 (n, S, S, 3); nothing is written and little is kept.

    Args:
        annotation_set: the set.
        root: class folders of the images that ids count (see `merge.list_images`); None: images.npy
            of every layer must be there.
        transform: `crop` (as the masks were made) or `squash` (as the published merge did).
        expected: how many images the ids count; None: any number.
        threads: images decoded at once.

    """

    def __init__(
        self,
        annotation_set: AnnotationSet,
        root: Path | str | None = None,
        transform: str = "crop",
        *,
        expected: int | None = IMAGENET_IMAGES,
        threads: int = 1,
    ) -> None:
        self._form, self._threads = TRANSFORMS[transform], threads
        self._size = _size(annotation_set)
        self._places: dict[int, tuple[LayerFolder, int, int]] = {}
        without = [layer for layer in annotation_set.layers.values() if not layer.has_images]
        for layer in annotation_set.layers.values():
            if layer.has_images:
                check_record(layer, transform)
                self._add(layer)
        self._paths: list[Path] = []
        if without and root is None:
            message = (
                f"{without[0].folder} has no images.npy; give the folder of the images that its "
                "ids count (`images` of the annotation set)"
            )
            raise UserError(message)
        if without and root is not None:
            self._paths = list_images(root)
            check_ids(annotation_set, root, len(self._paths), expected)

    def _add(self, layer: LayerFolder) -> None:
        for (row, rank), image in np.ndenumerate(layer.ids):
            if image >= 0:
                self._places.setdefault(int(image), (layer, row, rank))

    def __getitem__(self, ids: np.ndarray) -> np.ndarray:
        """The images with these ids."""
        with ThreadPoolExecutor(max(1, self._threads)) as pool:
            return np.stack(list(pool.map(self._one, ids.tolist())))

    def _one(self, image: int) -> np.ndarray:
        if image in self._places:
            layer, row, rank = self._places[image]
            return layer.images(row)[rank].transpose(1, 2, 0)
        return read_image(self._paths[image], self._form, self._size)


def _size(annotation_set: AnnotationSet) -> int:
    sizes = {layer.size for layer in annotation_set.layers.values()}
    if len(sizes) != 1:
        shown = f"layers have masks of {sorted(sizes)} pixels"
        message = f"{annotation_set.folder}: {shown}, expected one size"
        raise UserError(message)
    return sizes.pop()
