"""One step of beam search: the best continuations of all beams together."""

from __future__ import annotations

from typing import Any

import numpy as np

from milan_core.errors import UserError
from milan_core.ops import reference
from milan_core.ops.backend import native

Array = np.ndarray


def beam_topk(
    scores: Any, step_logp: Any, finished: Any, stop: int, width: int, threads: int = 1
) -> tuple[Array, Array, Array]:
    """(beam int64, token int64, score float32), each (N, width), best first.

    `scores` float32 (N, B) are the beams so far, `step_logp` float32 (N, B, V) the costs of the
    next word, `finished` bool (N, B). A finished beam goes on with `stop` only, at cost 0. Equal
    scores: the lower beam * V + token wins. NaN is worse than everything. B = 1 is the first step.
    """
    scores, logp, done = np.asarray(scores), np.asarray(step_logp), np.asarray(finished)
    for name, array, kind in (("scores", scores, "f4"), ("step_logp", logp, "f4")):
        if array.dtype != np.dtype(kind):
            raise UserError(f"beam_topk: {name} must be float32, got {array.dtype}")
    if logp.ndim != 3 or scores.shape != logp.shape[:2] or done.shape != logp.shape[:2]:
        raise UserError(
            "beam_topk: expected scores (N, B), step_logp (N, B, V), finished (N, B), got "
            f"{scores.shape}, {logp.shape}, {done.shape}"
        )
    number, beams, words = logp.shape
    if done.dtype != np.bool_ or not 0 <= stop < max(1, words) or beams * words >= 2**32:
        raise UserError(
            f"beam_topk: finished must be bool ({done.dtype}), stop in 0..{words - 1} ({stop}), "
            "and beams * words below 2**32"
        )
    live = beams - done.sum(1)
    fewest = int((live * words + (beams - live)).min()) if number else width
    if not 0 < width <= fewest:
        raise UserError(
            f"beam_topk: width {width} must be in 1..{fewest}, the number of continuations; use a "
            "narrower beam or a larger vocabulary"
        )
    core = native()
    if core is None:
        return reference.beam_topk(scores, logp, done, stop, width)
    return core.beam_topk(scores, logp, done, int(stop), int(width), max(1, int(threads)))
