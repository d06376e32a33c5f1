"""Protocols of the parts of a composed describer: proposers of texts and priors.

A *proposer* proposes descriptions of a unit with log p(d|E), a *prior* gives log p(d). Both are
natural logarithms summed over the tokens of the text and its end, each in its own tokenization: the
probability of a string does not depend on how it is split, so any proposer goes with any prior. The
evidence is exemplar features for the LSTM, images and masks for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Proposals:
    """Texts proposed for one unit, best first."""

    texts: list[str]
    """[B] at least one."""
    logp: np.ndarray
    """float32 [B] log p(d|E) through the end."""
    tokens: np.ndarray | None = None
    """int64 [B, n] ids as in `Descriptions.tokens`; None outside the LSTM family."""
    tokenizer: Any = None
    """The tokenizer that `tokens` belong to."""


class Proposer(Protocol):
    """Evidence: p(d|E)."""

    def candidates(self, units: Any, beam_size: int, length: int) -> list[Proposals]:
        """At most `beam_size` descriptions per unit, of at most `length` tokens with the end."""

    def score(self, units: Any, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log p(d|E) of given texts, a list per unit: float32 (number of texts,) per unit."""


class Prior(Protocol):
    """p(d); `milan_core.captioner.language_model.LanguageModel` is one as it stands."""

    def logp(self, texts: Sequence[str]) -> np.ndarray:
        """Log p(d) through the end of every text: float32 (len(texts),)."""


@runtime_checkable
class TokenPrior(Protocol):
    """A prior that can read a captioner's own token ids.

    Ids turned to text may split differently when read again (unknown words, hyphens), so a prior
    with the captioner's vocabulary scores the ids themselves.
    """

    tokenizer: Any

    def tokens_logp(self, tokens: np.ndarray) -> np.ndarray:
        """Log p(d) through the first stop of rows of ids (N, n): float32 (N,)."""
