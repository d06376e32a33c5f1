"""A judge's view of all images of a data set, kept for every network that they score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.options import Content
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgedImages

KIND, VERSION = "milan-judge-images", 1


def look(judge: Judge, dataset: Dataset, path: Path | str) -> None:
    """Write the judge's vectors of all images of a data set.

    Raises:
        UserError: for a judge that makes no vectors of images.

    """
    vectors = getattr(judge, "vectors", None)
    if vectors is None:
        raise UserError(f"judge {judge.name!r} keeps nothing of images")
    images = JudgedImages(dataset, np.arange(len(dataset)))
    meta = {"model": judge.model, "dataset": dataset.fingerprint}
    save_tensors(path, KIND, VERSION, {"vectors": vectors(images)}, meta)


class SeenMeta(Content):
    """Metadata of a file of `look`: the judge's model, and the fingerprint of the images."""

    model: str
    dataset: str


def recall(judge: Judge, path: Path | str) -> None:
    """Give a judge the vectors that `look` wrote.

    Raises:
        UserError: for those of another judge.

    """
    dataset, vectors = read_seen(judge, path)
    remember: Any = getattr(judge, "remember", None)
    with reading(path, "a judge's view of images", "look at the images again"):
        remember(dataset, vectors)


def seen_of(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The vectors of images `ids` of all that a judge has seen: float16 [k, cells, width].

    Raises:
        UserError: it has seen fewer images.

    """
    if len(ids) and int(ids.max()) >= len(vectors):
        raise UserError(
            f"the judge has seen {len(vectors)} images of the data set, and image "
            f"{int(ids.max())} is asked for; look at the images again"
        )
    return np.asarray(vectors[ids])


def read_seen(judge: Judge, path: Path | str) -> tuple[str, np.ndarray]:
    """The fingerprint of the data set and the vectors of its images, as `look` wrote them.

    Raises:
        UserError: for those of another judge.

    """
    with reading(path, "a judge's view of images", "look at the images again"):
        arrays, meta = map_tensors(path, KIND, SeenMeta, (VERSION,))
        model, dataset, vectors = meta.model, meta.dataset, arrays["vectors"]
        if not hasattr(judge, "remember") or model != judge.model:
            raise UserError(
                f"{path} holds what judge {model} saw, and this one is {judge.model}; look at "
                "the images again"
            )
        return dataset, vectors
