"""Texts about images that a decoder reads token by token, with a cache of what was read."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from milan_core.captioner.stepping import Scores


class CachedText(ABC):
    """Rows of tokens, one hypothesis each; the stepper that `captioner.search.beam_search` drives.

    Attributes:
        device: of the model.
        _images: int64 (rows,), the image of every row.
        _cache: keys and values of what was read; None before.

    """

    device: torch.device
    _images: Tensor
    _cache: Any = None

    @abstractmethod
    def read(self, tokens: Tensor) -> Tensor:
        """Logits (rows, T, V) after each of the tokens (rows, T)."""

    @abstractmethod
    def _select(self, rows: Tensor) -> None:
        """Go on with these rows of the last call."""

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """See `milan_core.captioner.stepping.NextWords.advance`; images are the units."""
        if parents is not None:
            self._select(parents)
        return Scores(self.read(tokens.unsqueeze(1))[:, -1].float())

    def copies(self, rows: int) -> Self:
        """A decoder that goes on with `rows` equal hypotheses of every image; this one stays."""
        twin = copy.copy(self)
        twin._cache = copy.deepcopy(self._cache)
        twin._select(torch.arange(len(self._images), device=self.device).repeat_interleave(rows))
        return twin
