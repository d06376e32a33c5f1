"""Measure how much more a judge sees of a text under a unit's masks than in quiet images.

    under(d) = mean over a unit's exemplars of p(d under the mask)
    masked   = under(d) - mean over quiet images of p(d)

Under a mask the evidence of each cell of the judge's grid counts by the share of it that the mask
covers; exemplars without mask pixels are left out. Images are quiet where the unit's activation is
at or below its median (`fit`). A text about something else in the same images has little under the
masks, a text about everything has as much in quiet images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from milan_core.core.errors import UserError
from milan_core.describers.backends.judge import cell_shares
from milan_core.describers.units import UnitImages
from milan_core.referee.judge import Judge
from milan_core.referee.judges.mini import Judge as MiniJudge
from milan_core.referee.seen import seen_of


class Masked:
    """A judge's view of the exemplars of units.

    Args:
        judge: one that sees parts of images.
        exemplars: of each unit.
        texts: that are judged, each once.
        vectors: float16 [N, cells, width], what it saw in all images, by number; None: it looks at
            the exemplars.

    Raises:
        UserError: for a judge that sees whole images only, and units without exemplars.

    """

    def __init__(
        self,
        judge: Judge,
        exemplars: Sequence[UnitImages] | None,
        texts: Sequence[str],
        vectors: np.ndarray | None = None,
    ) -> None:
        if not isinstance(judge, MiniJudge):
            raise UserError(
                f"describer 'pool': masks: got a weight above 0 with {judge.name}, which sees "
                "whole images only; expected a mini judge (the folder of a trained one), else give "
                "masks: 0"
            )
        if exemplars is None:
            raise UserError(
                "describer 'pool': masks: got a weight above 0 without exemplars; expected units "
                "with exemplars and masks, else give masks: 0"
            )
        self._judge, self._exemplars, self._vectors = judge, exemplars, vectors
        self._place = {text: place for place, text in enumerate(texts)}
        self._embedded = judge.embed_texts(texts)

    def under(self, unit: int, texts: Sequence[str]) -> np.ndarray:
        """Mean presence under the masks of a unit: float64 [texts]; 0 without mask pixels."""
        one = self._exemplars[unit]
        if self._vectors is not None and one.ids is not None:
            seen = seen_of(self._vectors, one.ids)
        else:
            seen = self._judge.look(one.images)
        shares = cell_shares(one.masks, round(seen.shape[1] ** 0.5))
        there = shares.any(1)
        if not there.any() or not texts:
            return np.zeros(len(texts))
        rows = self._embedded[[self._place[text] for text in texts]]
        presence = self._judge.presences(seen[there], rows, shares[there])
        return np.asarray(presence.mean(0, dtype=np.float64))
