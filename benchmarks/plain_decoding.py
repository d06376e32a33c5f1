"""Beam search and re-ranking written plainly, as a yardstick: no cache, no sharing.

Attention keys are computed at every step, the features are copied to every beam, 16 units at a
time; finished beams are stepped like the others. The results must equal ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder

UNITS = 16


@dataclass
class Found:
    """Descriptions, and the score of each."""

    captions: list[str]
    scores: list[float]


@torch.inference_mode()
def decode(captioner: Captioner, features: Tensor, beams: int, length: int) -> Found:
    """Beam search under p(d|E), then the beam with the largest log p(d|E) - 0.2 log p(d)."""
    captions, scores = [], []
    for block in features.split(UNITS):
        tokens, logp = search(captioner, block, beams, length)
        prior = language_logp(captioner, tokens)
        wpmi = logp - 0.2 * prior
        best = wpmi.argmax(1)
        rows = torch.arange(len(block))
        captions += captioner.tokenizer.decode(tokens[rows, best])
        scores += wpmi[rows, best].tolist()
    return Found(captions, scores)


def step(
    decoder: Decoder, v: Tensor, h: Tensor, c: Tensor, tokens: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of every hypothesis (N,): log p (N, V), h and c; v is (N, k, F)."""
    layer = torch.tanh(decoder.key(v) + decoder.query(h).unsqueeze(1))
    alpha = torch.softmax(decoder.energy(layer).squeeze(2), 1)
    context = (alpha.unsqueeze(2) * v).sum(1)
    gate = torch.sigmoid(decoder.gate(h))
    h, c = decoder.lstm(torch.cat([decoder.embedding(tokens), gate * context], 1), (h, c))
    return torch.log_softmax(decoder.output(h), 1), h, c


def search(captioner: Captioner, features: Tensor, beams: int, length: int) -> tuple[Tensor, ...]:
    """Tokens (U, B, n) and log p(d|E) (U, B) of the best beams."""
    decoder, words = captioner.decoder, captioner.tokenizer.vocabulary
    units, (k, size) = len(features), features.shape[1:]
    v = (features - decoder.feature_mean) * decoder.feature_scale
    pooled = v.mean(1)
    h, c = torch.tanh(decoder.init_h(pooled)), torch.tanh(decoder.init_c(pooled))
    logp, h, c = step(decoder, v, h, c, torch.full((units,), words.start))
    scores, tokens = logp.topk(beams, dim=1)
    tokens = tokens.unsqueeze(2)
    v = v.unsqueeze(1).expand(-1, beams, -1, -1).reshape(units * beams, k, size)
    h, c = h.repeat_interleave(beams, 0), c.repeat_interleave(beams, 0)
    only_stop = torch.full((words.size,), float("-inf"))
    only_stop[words.stop] = 0.0
    for _ in range(length - 1):
        last = tokens[..., -1].flatten()
        if (last == words.stop).all():
            break
        logp, h, c = step(decoder, v, h, c, last)
        logp = torch.where((last == words.stop).unsqueeze(1), only_stop, logp)
        node, node_words = logp.topk(beams, dim=1)
        total = (scores.flatten().unsqueeze(1) + node).view(units, beams * beams)
        scores, index = total.topk(beams, dim=1)
        parents = index // beams
        chosen = node_words.view(units, -1).gather(1, index)
        kept = tokens.gather(1, parents.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([kept, chosen.unsqueeze(2)], 2)
        rows = (parents + torch.arange(units).unsqueeze(1) * beams).flatten()
        h, c = h[rows], c[rows]
    return tokens, scores


def language_logp(captioner: Captioner, tokens: Tensor) -> Tensor:
    """The language model run over every beam: log p(d) (U, B)."""
    model, words = captioner.language_model, captioner.tokenizer.vocabulary
    assert model is not None
    flat = tokens.flatten(0, 1)
    start = torch.full((len(flat), 1), words.start)
    outputs, _ = model(torch.cat([start, flat[:, :-1]], 1))
    logp = torch.log_softmax(model.output(outputs), 2)
    terms = logp.gather(2, flat.unsqueeze(2)).squeeze(2)
    ended = (flat == words.stop).cumsum(1) - (flat == words.stop).long()
    return (terms * (ended == 0)).sum(1).view(tokens.shape[:2])
