"""What a captioner is asked for, and whether it can be done (specification 1.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from milan_core.core.errors import UserError, unknown

if TYPE_CHECKING:
    from milan_core.captioner.captioner import Captioner

STRATEGIES = ("rerank", "beam", "greedy", "sample", "forced")
"""How the words of a description are chosen; forced: by the caller."""
BEAM_STRATEGIES = ("rerank", "beam")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the products that the search spends its time on."""


@dataclass(frozen=True)
class Request:
    """A checked request: what `Captioner.decode` was asked to do."""

    strategy: str
    mi: bool
    temperature: float
    beam_size: int
    length: int
    legacy: bool
    details: bool
    seed: int
    precision: str = "float32"
    targets: np.ndarray | None = None  # int64 [U, L]


def make_request(
    captioner: Captioner, strategy: str | None, mi: bool | None, targets: Any, **numbers: Any
) -> Request:
    """The request with its open choices made; raises `UserError` where it cannot be met."""
    prior = captioner.language_model is not None
    strategy = strategy or ("rerank" if prior else "beam")
    if strategy not in STRATEGIES:
        raise unknown("strategy", strategy, STRATEGIES)
    if numbers["precision"] not in PRECISIONS:
        raise unknown("precision", numbers["precision"], PRECISIONS)
    mi = prior and strategy != "rerank" if mi is None else mi
    request = Request(strategy, mi, targets=_target_ids(captioner, strategy, targets), **numbers)
    _check_prior(captioner, request)
    _check_sizes(captioner, request)
    return request


def need_language_model(captioner: Captioner, what: str) -> None:
    """Refuse what only a captioner with p(d) can do."""
    if captioner.language_model is None:
        message = (
            f"{what} needs a language model, and this captioner has none; "
            'use strategy="beam" or "greedy" with mi=False, or train with a language model'
        )
        raise UserError(message)


def _check_prior(captioner: Captioner, request: Request) -> None:
    if request.strategy == "rerank":
        need_language_model(captioner, 'strategy="rerank"')
        if request.mi:
            message = (
                'mi=True cannot be combined with strategy="rerank", which already weighs whole '
                'descriptions by the prior; use mi=None, or strategy="beam"'
            )
            raise UserError(message)
    if request.mi:
        need_language_model(captioner, "mi=True")


def _check_sizes(captioner: Captioner, request: Request) -> None:
    for name, value in (("beam_size", request.beam_size), ("length", request.length)):
        if value < 1:
            message = f"{name} is {value}; give at least 1"
            raise UserError(message)
    if not (math.isfinite(request.temperature) and request.temperature >= 0):
        message = f"temperature is {request.temperature}; give a number of at least 0"
        raise UserError(message)
    size = captioner.tokenizer.vocabulary.size
    if request.strategy in BEAM_STRATEGIES and request.beam_size > size:
        message = (
            f"beam_size is {request.beam_size}, the vocabulary has {size} ids; give at most {size}"
        )
        raise UserError(message)


def _target_ids(captioner: Captioner, strategy: str, targets: Any) -> np.ndarray | None:
    """The ids to be forced, int64 (units, L); they and the strategy must ask for the same."""
    if (strategy == "forced") != (targets is not None):
        message = (
            'targets go with strategy="forced" and with no other: give targets=ids, int (units, L) '
            "without the start, or leave both out"
        )
        raise UserError(message)
    if targets is None:
        return None
    ids, size = np.asarray(targets), captioner.tokenizer.vocabulary.size
    fits = ids.ndim == 2 and ids.dtype.kind in "iu" and ids.shape[1] > 0
    if not fits or (ids.size and not 0 <= ids.min() <= ids.max() < size):
        message = (
            f"targets are {ids.dtype} {ids.shape}; expected ids from 0 to {size - 1}, (units, L)"
        )
        raise UserError(message)
    return ids.astype(np.int64)
