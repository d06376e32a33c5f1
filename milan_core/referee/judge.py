"""Judges: how much of what a text names is visible in an image, 0 to 1.

    judge = load_judge(OracleOptions(), JudgeResources())
    judge.columns(JudgedImages(dataset, ids), ["dogs", "red areas"])  # float32 [n, 2]

The judge of kind `x` is the class `Judge` in `milan_core/referee/judges/x.py`, imported by name, so
that a run loads only the judge that it asks for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.progress import tracked
from milan_core.core.step import Compute
from milan_core.images.store import Dataset
from milan_core.referee.options import JudgeOptions

TEXTS = 256  # texts judged at once


@dataclass(frozen=True, eq=False)
class JudgedImages:
    """Images of a data set that a judge looks at.

    Attributes:
        dataset: pixels uint8 (N, H, W, 3) in `images`; instance maps and scenes where it is a
            world's.
        ids: int64 [n], numbers of the images, rising.

    """

    dataset: Dataset
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def image_vectors(judge: Judge, images: JudgedImages) -> np.ndarray | None:
    """Unit vectors of the images, float32 [n, d], of a judge that has some; None: it has none."""
    vectors = getattr(judge, "image_vectors", None)
    return None if vectors is None else vectors(images)


@dataclass(frozen=True)
class JudgeResources:
    """Files that a judge loads beside its options, and where it runs.

    Attributes:
        folder: files of a judge that was trained here; None where there is none.
        assets: folders of assets by name.
        compute: device and threads.

    """

    folder: Path | None = None
    assets: dict[str, Path] = field(default_factory=dict)
    compute: Compute = field(default_factory=Compute)


class Judge(Protocol):
    """Says of images and texts how much of the text is visible.

    Attributes:
        name: for tables, such as `oracle` or `mini judge`.
        model: identity of its model (hub name with revision, or a digest of its weights); a
            describer of the same model is refused (`refuse_same_model`).

    """

    name: str
    model: str

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence float32 [n, texts], 0 to 1; a column of NaN for a text it cannot read.

        What depends on the images alone may be kept between calls for the same `images`. The same
        text has the same column whatever other texts are asked for.
        """


def load_judge(options: JudgeOptions, resources: JudgeResources) -> Judge:
    """The judge with these options: `Judge.load` of the module of its kind."""
    module = importlib.import_module(f"{__package__}.judges.{options.kind}")
    loaded: Judge = module.Judge.load(options, resources)
    return loaded


def judged(
    judge: Judge, images: JudgedImages, texts: Sequence[str], block: int = TEXTS
) -> Iterator[tuple[list[str], np.ndarray]]:
    """(texts, float32 [n, texts]) over distinct texts, `block` of them at once.

    Raises:
        UserError: where a judge leaves [0, 1].

    """
    distinct = list(dict.fromkeys(texts))
    parts = [distinct[start : start + block] for start in range(0, len(distinct), block)]
    for part in tracked(parts, "judging", "text", total=len(distinct), size=len):
        columns = np.asarray(judge.columns(images, part), np.float32)
        wrong = (columns < 0) | (columns > 1)  # False for NaN
        if columns.shape != (len(images), len(part)) or wrong.any():
            got = f"{columns.shape}, from {np.nanmin(columns)} to {np.nanmax(columns)}"
            raise UserError(
                f"judge {judge.name!r} gave {got} for {len(images)} images and {len(part)} texts; "
                "expected one number from 0 to 1 for each"
            )
        yield part, columns


def refuse_same_model(judge: Judge, describer: str, model: str) -> None:
    """Raise `UserError` where a describer's model is the judge's: it would mark its own work."""
    if model and model == judge.model:
        raise UserError(
            f"describer {describer!r} and judge {judge.name!r} are the same model ({model}); "
            "choose another judge"
        )


def own_describers(judge: Judge, models: Mapping[str, str]) -> dict[str, str]:
    """Describers that a judge must not score, each with the reason (`refuse_same_model`).

    Args:
        judge: any.
        models: identity of the model that a describer reads, by name of the describer.

    """
    refused = {}
    for describer, model in models.items():
        try:
            refuse_same_model(judge, describer, model)
        except UserError as error:
            refused[describer] = str(error)
    return refused


def facts(judge: Judge) -> dict[str, Any]:
    """Name and model of a judge, for tables and records."""
    return {"judge": judge.name, "judge_model": judge.model}
