"""Requests to decode, and whether a captioner can meet them (specification 1.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from milan_core.core.errors import UserError, unknown

STRATEGIES = ("rerank", "beam", "greedy", "sample", "forced")
"""The ways to choose the words of a description; forced: by the caller."""
BEAM_STRATEGIES = ("rerank", "beam")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the products that the search spends its time on."""


@dataclass(frozen=True)
class Request:
    """The request of `Captioner.decode`; `checked` fills in the open choices."""

    strategy: str | None
    mi: bool | None
    temperature: float
    beam_size: int
    length: int
    legacy: bool
    seed: int | None
    precision: str
    details: bool
    targets: Any  # None, or int (units, L); int64 once it is checked

    @property
    def dtype(self) -> torch.dtype:
        """Of the decoder's products."""
        return PRECISIONS[self.precision]


def checked(request: Request, *, prior: bool, words: int) -> Request:
    """The request with its open choices made; raises `UserError` where it cannot be met.

    Args:
        request: as the caller gave it.
        prior: whether the captioner has a language model.
        words: ids of its vocabulary.

    """
    strategy = request.strategy or ("rerank" if prior else "beam")
    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    if request.precision not in PRECISIONS:
        raise unknown("precision", request.precision, PRECISIONS)
    mi = prior and strategy != "rerank" if request.mi is None else request.mi
    targets = _target_ids(strategy, request.targets, words)
    full = replace(request, strategy=strategy, mi=mi, targets=targets)
    _check_prior(full, prior)
    _check_sizes(full, words)
    return full


def need_language_model(prior: bool, what: str) -> None:
    """Refuse what only a captioner with p(d) can do."""
    if not prior:
        message = (
            f"{what} needs a language model, and this captioner has none; "
            'use strategy="beam" or "greedy" with mi=False, or train with a language model'
        )
        raise UserError(message)


def _check_prior(request: Request, prior: bool) -> None:
    if request.strategy == "rerank":
        need_language_model(prior, 'strategy="rerank"')
        if request.mi:
            message = (
                'mi=True cannot be combined with strategy="rerank", which already weighs whole '
                'descriptions by the prior; use mi=None, or strategy="beam"'
            )
            raise UserError(message)
    if request.mi:
        need_language_model(prior, "mi=True")


def _check_sizes(request: Request, words: int) -> None:
    for name, value in (("beam_size", request.beam_size), ("length", request.length)):
        if value < 1:
            message = f"{name} is {value}; give at least 1"
            raise UserError(message)
    if not (math.isfinite(request.temperature) and request.temperature >= 0):
        message = f"temperature is {request.temperature}; give a number of at least 0"
        raise UserError(message)
    if request.strategy in BEAM_STRATEGIES and request.beam_size > words:
        message = (
            f"beam_size is {request.beam_size}, the vocabulary has {words} ids; "
            f"give at most {words}"
        )
        raise UserError(message)


def _target_ids(strategy: str, targets: Any, words: int) -> np.ndarray | None:
    """The ids to be forced, int64 (units, L); they and the strategy must ask for the same."""
    if (strategy == "forced") != (targets is not None):
        message = (
            'targets go with strategy="forced" and with no other: give targets=ids, int (units, L) '
            "without the start, or leave both out"
        )
        raise UserError(message)
    if targets is None:
        return None
    ids = np.asarray(targets)
    fits = ids.ndim == 2 and ids.dtype.kind in "iu" and ids.shape[1] > 0
    if not fits or (ids.size and not 0 <= ids.min() <= ids.max() < words):
        message = (
            f"targets are {ids.dtype} {ids.shape}; expected ids from 0 to {words - 1}, (units, L)"
        )
        raise UserError(message)
    return ids.astype(np.int64)
