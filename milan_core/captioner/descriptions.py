"""Descriptions of units: what decoding returns, and its rows in the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from milan_core.scoring.wpmi import wpmi

COLUMNS = ("layer", "unit", "description", "logp", "logp_lm", "score")
"""Columns of a table of descriptions."""


class BeamTexts(Sequence[list[str]]):
    """The texts of every unit's beams, made from their ids when they are first asked for.

    Args:
        tokens: int64 [U, B, n] ids.
        decode: the texts of ids [B, n].

    """

    def __init__(self, tokens: np.ndarray, decode: Callable[[np.ndarray], list[str]]) -> None:
        self._tokens, self._decode = tokens, decode
        self._made: dict[int, list[str]] = {}

    @overload
    def __getitem__(self, unit: int) -> list[str]: ...
    @overload
    def __getitem__(self, unit: slice) -> list[list[str]]: ...
    def __getitem__(self, unit: int | slice) -> list[str] | list[list[str]]:
        places = range(len(self))[unit]
        return self._of(places) if isinstance(places, int) else [self._of(one) for one in places]

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def _of(self, unit: int) -> list[str]:
        if unit not in self._made:
            self._made[unit] = self._decode(self._tokens[unit])
        return self._made[unit]


@dataclass(frozen=True)
class Descriptions:
    """One description per unit. Arrays are NumPy; log-probabilities are natural."""

    captions: list[str]
    """[U] readable text."""
    tokens: np.ndarray
    """int64 [U, n] token ids, without start; after a stop, stops (beam modes)."""
    scores: np.ndarray
    """float32 [U] the score that the strategy maximizes; greedy, sample and forced sum all n
    steps, as published."""
    logp: np.ndarray
    """float32 [U] log p(d|E) through the stop."""
    logp_lm: np.ndarray | None
    """float32 [U] log p(d) through the stop; None without a language model."""
    temperature: float | None = None
    """Lambda of the request; None where there was none."""
    beam_captions: Sequence[list[str]] | None = None
    """[U][B] best first by the search's score; only for beams, as all fields below."""
    beam_tokens: np.ndarray | None = None
    """int64 [U, B, n]."""
    beam_scores: np.ndarray | None = None
    """float32 [U, B] the search's score: log p(d|E), minus the per-token prior with `mi`."""
    beam_logp: np.ndarray | None = None
    """float32 [U, B]."""
    beam_logp_lm: np.ndarray | None = None
    """float32 [U, B]; None without a language model."""
    predictions: np.ndarray | None = None
    """float32 [U, n, V] scores of every word; only with `details`, and forced."""
    attentions: np.ndarray | None = None
    """float32 [U, n, k] weights over the exemplars; as `predictions`."""

    @property
    def wpmi(self) -> np.ndarray | None:
        """float32 [U] log p(d|E) - lambda log p(d) (equation 3); None without a language model."""
        return _weighted(self.logp, self.logp_lm, self.temperature)

    @property
    def beam_wpmi(self) -> np.ndarray | None:
        """float32 [U, B] the same of every beam; None without beams or a language model."""
        return _weighted(self.beam_logp, self.beam_logp_lm, self.temperature)


def _weighted(
    logp: np.ndarray | None, logp_lm: np.ndarray | None, weight: float | None
) -> np.ndarray | None:
    if logp is None or logp_lm is None or weight is None:
        return None
    return wpmi(logp, logp_lm, weight)


def description_rows(keys: list[tuple[str, int]], described: Descriptions) -> list[tuple[Any, ...]]:
    """Rows of a description table: layer, unit, description, log p(d|E), log p(d), score."""
    return [
        (*key, *values) for key, values in zip(keys, description_values(described), strict=True)
    ]


def description_values(described: Descriptions) -> list[tuple[str, float, float | str, float]]:
    """Of every unit: description, log p(d|E), log p(d) (empty without a model of it), score."""
    prior = described.logp_lm if described.logp_lm is not None else [""] * len(described.captions)
    return [
        (text, rounded(logp), rounded(lm), rounded(score))
        for text, logp, lm, score in zip(
            described.captions, described.logp, prior, described.scores, strict=True
        )
    ]


def rounded(value: Any) -> Any:
    """A number as the tables show it, six significant digits; empty text stays empty."""
    return value if value == "" else float(f"{value:.6g}")


def join_units(parts: list[Tensor], empty: tuple[int, ...], fill: int | None = None) -> Tensor:
    """Blocks of units as one tensor, or zeros of shape `empty` where there is no block.

    Token ids have a `fill`, which pads their last dimension to the widest block's.
    """
    if not parts:
        return torch.zeros(empty, dtype=torch.float32 if fill is None else torch.int64)
    if fill is None:
        return torch.cat(parts)
    width = max(part.shape[-1] for part in parts)
    padded = [functional.pad(part, (0, width - part.shape[-1]), value=fill) for part in parts]
    return torch.cat(padded)
