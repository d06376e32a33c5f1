"""Choosing among the beams by weighted mutual information (Hernandez et al. 2022, equation 3).

    wpmi(d) = log p(d|E) - lambda * log p(d)

Both logarithms are computed once per beam; any number of lambdas is then a table look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from milan_core.describe.language_model import LanguageModel


def beam_prior(model: LanguageModel, tokens: Tensor, *, legacy: bool = False) -> Tensor:
    """The prior log p(d) of every beam: (U, B), for token ids (U, B, n) without the start token.

    Beams of different units often coincide, so every distinct sequence is scored once.
    """
    if not len(tokens):
        return torch.zeros(tokens.shape[:2])
    distinct, inverse = torch.unique(tokens.flatten(0, 1), dim=0, return_inverse=True)
    logp = model.sequence_logp(distinct.to(model.output.weight.device), legacy=legacy)
    return logp[inverse.to(logp.device)].view(tokens.shape[:2])


def wpmi(beam_logp: np.ndarray, beam_logp_lm: np.ndarray, weight: float) -> np.ndarray:
    """Equation 3 for every beam: log p(d|E) - weight * log p(d), (U, B)."""
    return beam_logp - np.float32(weight) * beam_logp_lm


def best_beam(
    beam_logp: np.ndarray, beam_logp_lm: np.ndarray, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Index (U,) and score (U,) of the best beam of every unit; ties go to the earlier beam."""
    scores = wpmi(beam_logp, beam_logp_lm, weight)
    best = scores.argmax(axis=1)
    return best, np.take_along_axis(scores, best[:, None], axis=1)[:, 0]


def sweep(
    beam_logp: np.ndarray, beam_logp_lm: np.ndarray, weights: Sequence[float]
) -> dict[float, np.ndarray]:
    """For every weight lambda, the index of the best beam of every unit (U,)."""
    return {weight: best_beam(beam_logp, beam_logp_lm, weight)[0] for weight in weights}
