"""Scoring of the next word of many hypotheses at once.

Greedy decoding, sampling and beam search differ only in how they choose among the scores, so all
three drive a stepper. Shape symbols as in `decoder`, and R for the hypotheses of one call: they are
one list over all units, so a unit with few unfinished hypotheses costs little.
"""

from __future__ import annotations

import functools
from typing import Protocol

import torch
from torch import Tensor

from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel, LanguageState
from milan_core.captioner.recurrence import lstm_cell
from milan_core.captioner.waiting import distinct


def default_unit_batch(device: torch.device) -> int:
    """Units to decode at once: few enough for a processor's cache, many enough to fill a GPU."""
    return 32 if device.type == "cpu" else 256


class Scores:
    """Scores of every next word of R hypotheses; normalized on first use.

    Args:
        unbiased: [R, V] with `bias`, log p(w|E) up to a constant of the row.
        attention: [R, k] weights over the exemplars, where there are any.
        prior: [R, V] weight * log p(w), for per-token mutual information.
        bias: [V] to be added to every row.
    """

    def __init__(
        self,
        unbiased: Tensor,
        attention: Tensor | None = None,
        prior: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        self.unbiased, self.prior, self.bias = unbiased, prior, bias
        self.attention = unbiased[:, :0] if attention is None else attention

    @functools.cached_property
    def logits(self) -> Tensor:
        """Log p(w|E) up to a constant of the row: [R, V]."""
        return self.unbiased if self.bias is None else self.unbiased + self.bias

    @functools.cached_property
    def logp(self) -> Tensor:
        """Log p(w|E): [R, V]."""
        return torch.log_softmax(self.logits, dim=-1)

    @functools.cached_property
    def score(self) -> Tensor:
        """Log p(w|E), minus lambda log p(w) where mutual information is on: [R, V]."""
        return self.logp if self.prior is None else self.logp - self.prior


class NextWords(Protocol):
    """Scorer of next words; starts with one hypothesis per unit, in the order of the units."""

    device: torch.device

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """Read one token (R,) after each of the hypotheses `parents` (R,), ascending by unit.

        `parents` are rows of the previous call; None continues all of them. On a device that works
        on its own (`waiting.apart`) all units have equally many.
        """


class StepWeights:
    """Weights of a decoder as the steps need them; made once for any number of blocks of units.

    In bfloat16 only the three matrices that hypotheses are multiplied with are; sums, gates and
    everything that is made once a unit stay float32.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype = torch.float32) -> None:
        weights = decoder.hidden_weights()
        self.weights = weights._replace(
            recurrent=weights.recurrent.to(dtype), context=weights.context.to(dtype)
        )
        self.output = decoder.output.weight.to(dtype)  # [V, H]
        self.words = decoder.word_inputs()  # [V, 4H]


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
        prepared: StepWeights | None = None,
    ) -> None:
        self._decoder, self._language_model = decoder, language_model
        self._temperature = temperature
        self._exemplars, state = decoder.prepare(features)
        self._h, self._c = state.h[:, 0], state.c[:, 0]  # [R, H] after the last word read
        self.device = self._h.device
        self._units = torch.arange(len(features), device=self.device)  # [R]
        self._language_state: LanguageState | None = None
        self._prepared = prepared or StepWeights(decoder)

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """See `NextWords.advance`."""
        prior = self._prior(tokens, parents)
        if parents is None:
            parents = torch.arange(len(self._h), device=self.device)
        shared, place = distinct(parents)
        gates, attention = self._decoder.attend(
            self._exemplars, self._units[shared], self._h[shared], self._prepared.weights
        )
        self._h, self._c = lstm_cell(gates, place, self._prepared.words, tokens, self._c, parents)
        self._units = self._units[parents]
        unbiased = self._decoder.unbiased_logits(self._h, self._prepared.output)
        return Scores(unbiased, attention[place], prior, self._decoder.output.bias.detach())

    def _prior(self, tokens: Tensor, parents: Tensor | None) -> Tensor | None:
        if self._language_model is None:
            return None
        prior, self._language_state = self._language_model.step(
            tokens, self._language_state, parents
        )
        return self._temperature * prior
