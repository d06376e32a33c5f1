"""Choosing among the beams by weighted mutual information (Hernandez et al. 2022, equation 3).

    wpmi(d) = log p(d|E) - lambda * log p(d)

Both logarithms are computed once per beam; any number of lambdas is then a table look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from milan_core.captioner.language_model import LanguageModel, counted_lengths
from milan_core.scoring.wpmi import wpmi

_CELLS_PER_CHUNK = 1 << 22
"""Logits computed at once; bounds memory and stays near the processor's cache."""


def beam_prior(model: LanguageModel, tokens: Tensor, *, legacy: bool = False) -> Tensor:
    """The prior log p(d) of every beam: (U, B), for token ids (U, B, n) without the start token.

    Beams have most of their beginnings in common, within a unit and among units, so the language
    model reads every distinct beginning once. `legacy` as in `LanguageModel.sequence_logp`.
    """
    if not len(tokens):
        return torch.zeros(tokens.shape[:2])
    device = model.output.weight.device
    distinct, inverse = torch.unique(tokens.flatten(0, 1), dim=0, return_inverse=True)
    logp = _prefix_logp(model, distinct.to(device), legacy)
    return logp[inverse.to(device)].view(tokens.shape[:2])


def _prefix_logp(model: LanguageModel, rows: Tensor, legacy: bool) -> Tensor:
    """Log p of distinct sequences (N, n) in lexicographic order: (N,)."""
    vocabulary = model.tokenizer.vocabulary
    lengths = counted_lengths(rows, vocabulary.stop) + int(legacy)
    lengths = lengths.clamp(max=rows.shape[1])
    result = model.output.weight.new_zeros(len(rows))
    active = torch.arange(len(rows), device=rows.device)
    node = torch.zeros_like(active)  # [active] the beginning that each row has read
    read, state, parents = rows.new_full((1,), vocabulary.start), None, None
    for step in range(rows.shape[1]):
        outputs, state = model.read(read, state, parents)
        targets = rows[active, step]
        result[active] += _chosen_logp(model, outputs, node, targets)
        going = lengths[active] > step + 1
        active, key = active[going], (node * vocabulary.size + targets)[going]
        if not len(active):
            break
        keys, node = torch.unique(key, return_inverse=True)
        read, parents = keys % vocabulary.size, keys // vocabulary.size
    return result


def _chosen_logp(model: LanguageModel, outputs: Tensor, node: Tensor, targets: Tensor) -> Tensor:
    """Log p of the targets (R,) after the beginnings `node` (R,), ascending, of outputs (N, H)."""
    count = max(1, _CELLS_PER_CHUNK // model.output.out_features)
    parts = []
    for start in range(0, len(outputs), count):
        logits = model.output(outputs[start : start + count])
        first, last = torch.searchsorted(node, torch.tensor([start, start + count]).to(node))
        local = node[first:last] - start
        norm = torch.logsumexp(logits, dim=1)
        parts.append(logits[local, targets[first:last]] - norm[local])
    return torch.cat(parts)


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
