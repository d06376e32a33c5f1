"""The mini judge in CLIP's place: words that follow images, and a second opinion on beams.

    s(x, d) = ( log p(d in x) - log mean over images of p(d in x) ) / 100
    sim(d)  = (1 - z) * masked(d) + z * unmasked(d)

A contrastive model's cosine follows how much more a text goes with an image than with others, while
the judge says how probable it is that the image shows the text, which is highest for vague texts.
So the logarithm of that probability over its mean takes the place of CLIP's logit, 100 cos.

`unmasked` is s of a text in an exemplar, averaged over exemplars; `masked` counts the evidence of
each cell by the share of it that the exemplar's mask covers, divided by the largest share, so that
the best covered cell counts whole. Exemplars without mask pixels are left out of `masked`. The mean
over images is that over the strongest exemplars of other units of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.shapes import check_arrays
from milan_core.core.step import Compute
from milan_core.describers.backends.clip_rerank import Reranked, check_beams, in_order
from milan_core.describers.backends.crops import check_exemplars
from milan_core.describers.units import UnitImages
from milan_core.images.store import Dataset
from milan_core.referee.judge import JudgedImages, JudgeResources, judged
from milan_core.referee.judges.mini import RECORD, Judge, load_folder
from milan_core.referee.seen import read_seen, seen_of

FLOOR = 1e-3  # least probability that is told from 0
LOGIT = 100.0  # CLIP's logit for a cosine of 1
TYPICAL = 256  # units whose strongest exemplar stands for the images
BLOCK = 256  # texts at once


def is_judge(folder: Path | str | None) -> bool:
    """Whether a folder is that of a trained judge."""
    return folder is not None and (Path(folder).expanduser() / RECORD).is_file()


def open_judge(folder: Path | str | None, compute: Compute) -> Judge:
    """The judge of a folder; raises `UserError` where none is given, or it has changed."""
    if folder is None:
        raise UserError("no judge: give the folder of a trained one (`judge: true` in a run)")
    return load_folder(Path(folder).expanduser(), JudgeResources(compute=compute))


def similarity(judge: Judge, dataset: Dataset, texts: Sequence[str]) -> np.ndarray:
    """A stand-in for the cosine of each image of a data set and distinct texts: float32 [N, T]."""
    images = JudgedImages(dataset, np.arange(len(dataset)))
    columns = np.concatenate([columns for _, columns in judged(judge, images, texts)], 1)
    return (logarithm(columns) - logarithm(columns.mean(0))) / np.float32(LOGIT)


def logarithm(presence: np.ndarray) -> np.ndarray:
    """Log of probabilities, those below FLOOR as FLOOR."""
    return np.log(np.maximum(presence, np.float32(FLOOR)))


class JudgeReranker:
    """The judge as a second opinion on beams.

    Args:
        judge: a trained judge.
        weight: z, the share of the unmasked part, 0 to 1.
        seen: what the judge sees in all images of the units' data set, by `referee.look`; None: it
            looks at the exemplars.

    """

    def __init__(self, judge: Judge, *, weight: float, seen: Path | None = None) -> None:
        self._judge, self._weight = judge, weight
        self._dataset = ""
        self._seen: np.ndarray | None = None
        if seen is not None:
            self._dataset, self._seen = read_seen(judge, seen)
            with reading(seen, "a judge's view of images", "look at the images again"):
                check_arrays({"vectors": self._seen}, {"vectors": "float16 images cells width"})

    def rerank(self, units: Sequence[UnitImages], beams: Sequence[Sequence[str]]) -> list[Reranked]:
        """The beam of every unit in the order of similarity; ties keep the beam's order.

        Raises:
            UserError: units and beams do not match.

        """
        check_beams(units, beams)
        known = getattr(units, "dataset", "") == self._dataset
        distinct = list(dict.fromkeys(text for beam in beams for text in beam))
        embedded = self._judge.embed_texts(distinct)
        typical = self._typical(units, embedded, known=known) if distinct else np.zeros(0)
        place = {text: index for index, text in enumerate(distinct)}
        result = []
        for index, (unit, beam) in enumerate(zip(units, beams, strict=True)):
            check_exemplars(unit, index)
            rows = [place[text] for text in beam]
            vectors = self._vectors(unit, known=known)
            masked, unmasked = self._parts(unit, vectors, embedded[rows], typical[rows])
            result.append(in_order(list(beam), masked, unmasked, self._weight))
        return result

    def _typical(
        self, units: Sequence[UnitImages], texts: np.ndarray, *, known: bool
    ) -> np.ndarray:
        """Log of the mean presence in the strongest exemplars of some units: float32 [texts]."""
        chosen = np.unique(np.linspace(0, len(units) - 1, TYPICAL).round().astype(int))
        vectors = np.concatenate(
            [self._vectors(units[int(index)], known=known, most=1) for index in chosen]
        )
        parts = [
            self._judge.presences(vectors, texts[start : start + BLOCK]).mean(0)
            for start in range(0, len(texts), BLOCK)
        ]
        return logarithm(np.concatenate(parts))

    def _vectors(self, unit: UnitImages, *, known: bool, most: int | None = None) -> np.ndarray:
        """The judge's view of the first exemplars: float16 [k, cells, width]."""
        if known and self._seen is not None and unit.ids is not None:
            return seen_of(self._seen, unit.ids[:most])
        return self._judge.look(unit.images[:most])

    def _parts(
        self, unit: UnitImages, vectors: np.ndarray, texts: np.ndarray, typical: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean s under the masks (0 without any) and in whole images: float32 [B] each."""

        def mean(presence: np.ndarray) -> np.ndarray:
            return np.asarray((logarithm(presence).mean(0) - typical) / np.float32(LOGIT))

        whole = mean(self._judge.presences(vectors, texts))
        shares = cell_shares(unit.masks, round(vectors.shape[1] ** 0.5))
        there = shares.any(1)
        if not there.any():
            return np.zeros_like(whole), whole
        shares = shares[there] / shares[there].max(1, keepdims=True)
        return mean(self._judge.presences(vectors[there], texts, shares)), whole


def cell_shares(masks: np.ndarray, grid: int) -> np.ndarray:
    """Share of each cell that a mask bool [k, H, W] covers: float32 [k, grid * grid]."""
    import torch
    from torch.nn import functional

    planes = torch.from_numpy(np.ascontiguousarray(masks))[:, None].float()
    return np.asarray(functional.adaptive_avg_pool2d(planes, grid).flatten(1).numpy())
