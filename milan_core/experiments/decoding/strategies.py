"""Descriptions of the same units by every decoding strategy (specification 1.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.experiments.decoding.options import StrategyOptions

if TYPE_CHECKING:
    from milan_core.captioner.captioner import Captioner
    from milan_core.captioner.descriptions import Descriptions


@dataclass(frozen=True)
class Decoded:
    """Descriptions by one strategy: `rounds` of one text per unit."""

    strategy: str
    beams: int
    weight: float
    rounds: list[list[str]]


class TimedCaptioner:
    """A captioner and the features that it describes; notes the CPU time of every search."""

    def __init__(self, captioner: Captioner, features: np.ndarray, length: int) -> None:
        self._captioner, self._features, self._length = captioner, features, length
        self.has_prior = captioner.language_model is not None
        self.costs: list[tuple[str, int, float]] = []  # strategy, beams, CPU seconds

    def run(self, name: str, strategy: str, beams: int = 1, **more: Any) -> Descriptions:
        """`Captioner.decode`, its CPU time noted under `name`."""
        start = time.process_time()
        descriptions = self._captioner.decode(
            self._features,
            strategy,
            beam_size=beams,
            length=self._length,
            clamp_beam=True,
            **more,
        )
        self.costs.append((name, beams, time.process_time() - start))
        return descriptions


def decode_all(captioner: TimedCaptioner, options: StrategyOptions, seed: int) -> Iterator[Decoded]:
    """The strategies, greedy first: the others' gains are over it. Those with p(d) need p(d)."""
    run = captioner.run
    yield Decoded("greedy", 1, 0.0, [run("greedy", "greedy", mi=False).captions])
    draws = [
        run("sample", "sample", seed=seed + draw, mi=False).captions
        for draw in range(options.samples)
    ]
    yield Decoded("sample", 1, 0.0, draws)
    if not captioner.has_prior:
        for width in options.beams:
            yield Decoded("beam", width, 0.0, [run("beam", "beam", width).captions])
        return
    for weight in options.token_lambdas:
        greedy = run("greedy-mi", "greedy", mi=True, temperature=weight)
        yield Decoded("greedy-mi", 1, weight, [greedy.captions])
    for weight in options.token_lambdas:
        width = options.token_beam
        beam = run("beam-mi", "beam", width, mi=True, temperature=weight)
        yield Decoded("beam-mi", width, weight, [beam.captions])
    searches = {width: run("rerank", "rerank", width) for width in options.beams}
    for width, search in searches.items():
        yield from _reranked(search, width, options.lambdas)
    if options.prefixes:
        widest = max(searches)
        for width in sorted(set(searches) - {widest}):
            yield from _reranked(searches[widest], width, options.lambdas, "-of-widest")


def _reranked(
    search: Descriptions, width: int, lambdas: Sequence[float], suffix: str = ""
) -> Iterator[Decoded]:
    """The first `width` beams of a search, re-ranked with every lambda; 0 is the search itself.

    `suffix` is added to the strategy where the search was wider.
    """
    from milan_core.captioner.rerank import sweep

    assert search.beam_captions is not None
    assert search.beam_logp is not None
    assert search.beam_logp_lm is not None
    chosen = sweep(search.beam_logp[:, :width], search.beam_logp_lm[:, :width], lambdas)
    for weight, best in chosen.items():
        texts = [beam[index] for beam, index in zip(search.beam_captions, best, strict=True)]
        yield Decoded(("rerank" if weight else "beam") + suffix, width, weight, [texts])
