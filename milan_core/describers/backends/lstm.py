"""The captioner (an LSTM over exemplar features) as proposer, and its language model as prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.rerank import beam_prior
from milan_core.describers.backends.interface import Proposals


class LstmCaptioner:
    """A `milan_core.captioner.captioner.Captioner`; the units are features (units, k, F).

    With a `token_weight` lambda its beams maximize log p(d|E) - lambda log p(d) word by word, as
    the published code proposes descriptions to CLIP (specification 4.6); log p(d|E) is given all
    the same. That needs the captioner's language model.
    """

    def __init__(self, captioner: Captioner, token_weight: float | None = None) -> None:
        # Elsewhere without its language model, which would score every beam only to be ignored.
        self._captioner = Captioner(
            captioner.decoder,
            None if token_weight is None else captioner.language_model,
            captioner.tokenizer,
            max_unit_batch=captioner.max_unit_batch,
        )
        self._token_weight = token_weight

    def candidates(self, units: Any, beam_size: int, length: int) -> list[Proposals]:
        """The full beam of every unit, unfinished descriptions included (specification 1.4)."""
        weight = self._token_weight
        out = self._captioner.decode(
            *(units, "beam", weight is not None, weight or 0.0),
            beam_size=beam_size,
            length=length,
            clamp_beam=True,
        )
        assert out.beam_captions is not None
        assert out.beam_tokens is not None
        assert out.beam_logp is not None
        rows = zip(out.beam_captions, out.beam_logp, out.beam_tokens, strict=True)
        return [Proposals(*row, tokenizer=self._captioner.tokenizer) for row in rows]

    def score(self, units: Any, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log p(d|E) of given texts by forced decoding, float32 per unit."""
        return [
            self._captioner.score(list(group), units[index : index + 1], mi=False)
            for index, group in enumerate(texts)
        ]


class LstmPrior:
    """A `milan_core.captioner.language_model.LanguageModel`, which also reads ids."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.tokenizer = model.tokenizer

    def logp(self, texts: Sequence[str]) -> np.ndarray:
        """Log p(d) of every text through its stop: float32 (len(texts),)."""
        return self._model.logp(texts)

    @torch.inference_mode()
    def tokens_logp(self, tokens: np.ndarray) -> np.ndarray:
        """Log p(d) through the first stop of rows of ids (N, n): float32 (N,)."""
        training = self._model.training
        self._model.eval()
        try:
            # One row of beams: beam_prior scores every distinct sequence once.
            return beam_prior(self._model, torch.from_numpy(tokens)[None])[0].cpu().numpy()
        finally:
            self._model.train(training)
