"""Descriptions by the language model alone: the baseline that looks at no image."""

from __future__ import annotations

import torch
from torch import Tensor

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.language_model import LanguageModel, LanguageState
from milan_core.captioner.search import beam_search
from milan_core.captioner.stepping import Scores


class _PriorStepper:
    """The stepping interface over log p(w) instead of log p(w|E), for one unit."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._state: LanguageState | None = None
        self.device = model.output.weight.device

    def advance(self, tokens: Tensor, parents: Tensor | None = None) -> Scores:
        """Read one token (R,) after each of the hypotheses `parents` (R,)."""
        outputs, self._state = self._model.read(tokens, self._state, parents)
        return Scores(self._model.output(outputs))


@torch.inference_mode()
def most_likely_text(captioner: Captioner, beam_size: int, length: int) -> tuple[str, float]:
    """The text with the highest log p(d) that a beam search finds, and that log p(d)."""
    model = captioner.language_model
    if model is None:
        message = "a captioner without a language model has no prior to describe with"
        raise ValueError(message)
    model.eval()
    vocabulary = captioner.tokenizer.vocabulary
    stepper = _PriorStepper(model)
    beams = beam_search(stepper, 1, vocabulary.start, vocabulary.stop, beam_size, length)
    return captioner.tokenizer.decode(beams.tokens[0, :1].cpu().numpy())[0], float(
        beams.scores[0, 0]
    )
