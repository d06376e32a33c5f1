"""One object that scores the next word of many hypotheses at once.

Greedy decoding, sampling and beam search differ only in how they choose among the scores, so all
three drive a `Stepper`. Shape symbols as in `decoder`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from milan_core.describe.decoder import Decoder, State
from milan_core.describe.language_model import LanguageModel, LanguageState


def default_unit_batch(device: torch.device) -> int:
    """Units to decode at once: few enough for a processor's cache, many enough to fill a GPU."""
    return 16 if device.type == "cpu" else 256


class Scores(NamedTuple):
    """Scores of every next word."""

    score: Tensor  # [U, B, V] log p(w|E), minus lambda log p(w) where mutual information is on
    logp: Tensor  # [U, B, V] log p(w|E)
    attention: Tensor  # [U, B, k]


class Stepper:
    """Decoder and, for per-token mutual information, language model, advanced in lock-step.

    Starts with one hypothesis per unit. `advance` reads one token per hypothesis, `select` replaces
    the hypotheses by chosen ones. Features and attention keys are held once per unit.
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
        self._exemplars, self._state = decoder.prepare(features)
        self._language_state: LanguageState | None = None
        self._weights = decoder.hidden_weights()
        self._words = decoder.word_inputs()

    @property
    def device(self) -> torch.device:
        """Where the tokens live."""
        return self._words.device

    def advance(self, tokens: Tensor) -> Scores:
        """Read the last token of every hypothesis (U, B)."""
        step = self._decoder.step(self._exemplars, self._state, self._words[tokens], self._weights)
        self._state = step.state
        score = step.logp
        if self._language_model is not None:
            prior, self._language_state = self._language_model.step(
                tokens.flatten(), self._language_state
            )
            score = score - self._temperature * prior.view_as(score)
        return Scores(score, step.logp, step.attention)

    def select(self, parents: Tensor) -> None:
        """Keep the hypotheses `parents` (U, B'), which index the present ones of the same unit."""
        units, beams, width = self._state.h.shape
        offsets = torch.arange(units, device=parents.device).unsqueeze(1) * beams
        rows = (parents + offsets).flatten()
        shape = (*parents.shape, width)
        self._state = State(*(x.reshape(-1, width)[rows].view(shape) for x in self._state))
        if self._language_state is not None:
            h, c = self._language_state
            self._language_state = (h[:, rows], c[:, rows])
