"""One object that scores the next word of many hypotheses at once.

Greedy decoding, sampling and beam search differ only in how they choose among the scores, so all
three drive a stepper. Shape symbols as in `decoder`, and R for the hypotheses of one call: they are
one list over all units, so a unit with few unfinished hypotheses costs little.
"""

from __future__ import annotations

import functools
from typing import Protocol

import torch
from torch import Tensor

from milan_core.describe.decoder import Decoder
from milan_core.describe.language_model import LanguageModel, LanguageState


def default_unit_batch(device: torch.device) -> int:
    """Units to decode at once: few enough for a processor's cache, many enough to fill a GPU."""
    return 16 if device.type == "cpu" else 256


class Scores:
    """Scores of every next word of R hypotheses; normalised only where somebody looks.

    Args:
        logits: [R, V] log p(w|E) up to a constant of the row.
        attention: [R, k] weights over the exemplars, where there are any.
        prior: [R, V] weight * log p(w), for per-token mutual information.
    """

    def __init__(
        self, logits: Tensor, attention: Tensor | None = None, prior: Tensor | None = None
    ) -> None:
        self.logits, self.prior = logits, prior
        self.attention = logits[:, :0] if attention is None else attention

    @functools.cached_property
    def logp(self) -> Tensor:
        """Log p(w|E): [R, V]."""
        return torch.log_softmax(self.logits, dim=-1)

    @functools.cached_property
    def score(self) -> Tensor:
        """Log p(w|E), minus lambda log p(w) where mutual information is on: [R, V]."""
        return self.logp if self.prior is None else self.logp - self.prior


class NextWords(Protocol):
    """What the search drives: one hypothesis per unit at first, in the order of the units."""

    device: torch.device

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """Read one token (R,) after each of the hypotheses `parents` (R,), ascending by unit.

        `parents` are rows of the call before; None goes on with all of them.
        """


class Stepper:
    """Decoder and, for per-token mutual information, language model, advanced in lock-step.

    Features and attention keys are held once per unit. Attention, gate and context depend on the
    state before the word only, so hypotheses with a common parent share them: each distinct parent
    is attended once, and its children differ by a row of the word table.
    """

    def __init__(
        self,
        decoder: Decoder,
        features: Tensor,  # [U, k, F]
        language_model: LanguageModel | None = None,
        temperature: float = 0.0,
    ) -> None:
        self._decoder, self._language_model = decoder, language_model
        self._temperature = temperature
        self._exemplars, state = decoder.prepare(features)
        self._h, self._c = state.h[:, 0], state.c[:, 0]  # [R, H] after the last word read
        self.device = self._h.device
        self._units = torch.arange(len(features), device=self.device)  # [R]
        self._language_state: LanguageState | None = None
        self._weights = decoder.hidden_weights()
        self._words = decoder.word_inputs()

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """See `NextWords.advance`."""
        h, units, place = self._h, self._units, None
        if parents is not None:
            distinct, place = torch.unique(parents, return_inverse=True)
            h, units = h[distinct], units[distinct]
            self._c, self._units = self._c[parents], self._units[parents]
        gates, attention = self._decoder.attend(self._exemplars, units, h, self._weights)
        if place is not None:
            gates, attention = gates[place], attention[place]
        gates = gates + self._words[tokens]
        self._h, self._c = self._decoder.update(gates, self._c)
        logits = self._decoder.logits(self._h)
        return Scores(logits, attention, self._prior(tokens, parents))

    def _prior(self, tokens: Tensor, parents: Tensor | None) -> Tensor | None:
        if self._language_model is None:
            return None
        if self._language_state is not None and parents is not None:
            h, c = self._language_state
            self._language_state = (h[:, parents], c[:, parents])
        prior, self._language_state = self._language_model.step(tokens, self._language_state)
        return self._temperature * prior
