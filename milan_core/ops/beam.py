"""One step of beam search: the best continuations of all beams together."""

from __future__ import annotations

from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops import reference
from milan_core.ops.backend import native

Array = np.ndarray


def beam_topk(
    scores: Any,
    costs: Any,
    finished: Any,
    stop: int,
    width: int,
    threads: int = 1,
    *,
    normalise: bool = False,
    bias: Any = None,
) -> tuple[Array, Array, Array]:
    """(beam int64, token int64, score float32), each (N, width), best first.

    `scores` float32 (N, B) are the beams so far, `finished` bool (N, B). A finished beam goes on
    with `stop` only, at cost 0. Equal scores: the lower beam * V + token wins. NaN is worse than
    everything. B = 1 is the first step.

    `costs` float32 (R, V) are the costs of the next word of the R unfinished beams, in order, or
    (N, B, V) those of all beams; `bias` float32 (V,) is added to each row. With `normalise` the
    sums are logits, and their log-softmax (computed on the way, to 1e-6) is the cost.
    """
    scores, costs, done = np.asarray(scores), np.asarray(costs), np.asarray(finished)
    more = np.zeros(costs.shape[-1:], "f4") if bias is None else np.asarray(bias)
    for name, array in (("scores", scores), ("costs", costs), ("bias", more)):
        if array.dtype != np.dtype("f4"):
            raise UserError(f"beam_topk: {name} must be float32, got {array.dtype}")
    place = _places(scores, costs, done)
    words = costs.shape[-1]
    if more.shape != (words,):
        raise UserError(f"beam_topk: bias must be ({words},), got {more.shape}")
    beams = scores.shape[1]
    if done.dtype != np.bool_ or not 0 <= stop < max(1, words) or beams * words >= 2**32:
        raise UserError(
            f"beam_topk: finished must be bool ({done.dtype}), stop in 0..{words - 1} ({stop}), "
            "and beams * words below 2**32"
        )
    live = beams - done.sum(1)
    fewest = int((live * words + (beams - live)).min()) if len(scores) else width
    if not 0 < width <= fewest:
        raise UserError(
            f"beam_topk: width {width} must be in 1..{fewest}, the number of continuations; use a "
            "narrower beam or a larger vocabulary"
        )
    costs = costs.reshape(-1, words)
    core = native()
    if core is None:
        return reference.beam_topk(scores, costs + more, place, stop, width, normalise)
    threads = max(1, int(threads))
    given = None if bias is None else more
    return core.beam_topk(scores, costs, place, int(stop), int(width), normalise, threads, given)


def _places(scores: Array, costs: Array, finished: Array) -> Array:
    """The row of `costs`, its leading dimensions joined, of every beam; -1 for finished ones."""
    live = ~finished if finished.dtype == np.bool_ else finished
    whole = costs.ndim == 3 and costs.shape[:2] == scores.shape
    ragged = costs.ndim == 2 and len(costs) == np.count_nonzero(live)
    if scores.ndim != 2 or finished.shape != scores.shape or not (whole or ragged):
        raise UserError(
            "beam_topk: expected scores (N, B), costs (N, B, V) or (unfinished, V), finished "
            f"(N, B), got {scores.shape}, {costs.shape}, {finished.shape}"
        )
    if whole:
        rows = np.arange(scores.size, dtype=np.int64).reshape(scores.shape)
    else:
        rows = np.cumsum(live, dtype=np.int64).reshape(scores.shape) - 1
    return np.where(finished, -1, rows)
