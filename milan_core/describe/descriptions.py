"""What a captioner gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Descriptions:
    """One description per unit. Arrays are NumPy; log-probabilities are natural."""

    captions: list[str]
    """[U] readable text."""
    tokens: np.ndarray
    """int64 [U, n] token ids, without start; after a stop, stops (beam modes)."""
    scores: np.ndarray
    """float32 [U] what the strategy maximised; greedy and sample sum all n steps, as published."""
    logp: np.ndarray
    """float32 [U] log p(d|E) through the stop."""
    logp_lm: np.ndarray | None
    """float32 [U] log p(d) through the stop; None without a language model."""
    beam_captions: list[list[str]] | None = None
    """[U][B] best first by the search's own score; None for greedy and sample, as all below."""
    beam_tokens: np.ndarray | None = None
    """int64 [U, B, n]."""
    beam_scores: np.ndarray | None = None
    """float32 [U, B] the search's score: log p(d|E), minus the per-token prior with `mi`."""
    beam_logp: np.ndarray | None = None
    """float32 [U, B]."""
    beam_logp_lm: np.ndarray | None = None
    """float32 [U, B]; None without a language model."""
    predictions: np.ndarray | None = None
    """float32 [U, n, V] scores of every word; only for greedy and sample with `details`."""
    attentions: np.ndarray | None = None
    """float32 [U, n, k] weights over the exemplars; only for greedy and sample with `details`."""


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
