"""Descriptions by weighted PMI: any proposer of texts, any prior (Hernandez et al. 2022, eq. 3).

wpmi(d) = log p(d|E) - lambda * log p(d)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from milan_core.captioner.descriptions import Descriptions as Decoded
from milan_core.captioner.options import BeamOptions
from milan_core.captioner.rerank import best_beam
from milan_core.core.units import UnitKey
from milan_core.describers.backends.interface import Prior, Proposals, Proposer, TokenPrior
from milan_core.describers.describer import Candidates, Description, Descriptions, TableForm
from milan_core.scoring.wpmi import wpmi

FORM = TableForm(("logp", "logp_lm", "score"), digits=6)
"""Of the tables of describers by weighted PMI; log p(d) is empty without a prior."""


def pmi_describe(
    proposer: Proposer, prior: Prior | None, evidence: Any, options: BeamOptions
) -> Decoded:
    """The description of every unit with the highest weighted PMI among its candidates.

    The result is what `Captioner.decode(strategy="rerank")` returns. A proposer may give fewer
    candidates for some units: `beam_captions` then has fewer texts, and the arrays end in -inf
    (`beam_logp`) and 0 (`beam_logp_lm`), which no weight selects. Without token ids, `tokens` is
    (units, 0) and `beam_tokens` is None. Equal scores: the earlier candidate.

    Args:
        proposer: p(d|E).
        prior: p(d); None describes by log p(d|E) alone.
        evidence: units as the proposer reads them.
        options: lambda, candidates a unit at most, longest description.

    """
    proposals = proposer.candidates(evidence, options.beam_size, options.length)
    logp = _padded([unit.logp for unit in proposals], -np.inf)
    prior_logp = None if prior is None else _padded(_prior_logp(prior, proposals), 0.0)
    weight = 0.0 if prior_logp is None else options.temperature
    lm = np.zeros_like(logp) if prior_logp is None else prior_logp
    empty = np.zeros(0, np.int64), np.zeros(0, np.float32)
    best, scores = best_beam(logp, lm, weight) if proposals else empty
    return replace(_decoded(proposals, logp, prior_logp, best, scores), temperature=weight)


def _prior_logp(prior: Prior, proposals: list[Proposals]) -> list[np.ndarray]:
    """Log p(d) of all candidates, asked for at once so that a prior can score repeats once."""
    if not proposals:
        return []
    ends = np.cumsum([len(unit.texts) for unit in proposals])[:-1]
    if isinstance(prior, TokenPrior) and _share_ids(prior, proposals):
        values = prior.tokens_logp(np.concatenate([np.asarray(unit.tokens) for unit in proposals]))
    else:
        values = prior.logp([text for unit in proposals for text in unit.texts])
    return np.split(values, ends)


def _share_ids(prior: TokenPrior, proposals: list[Proposals]) -> bool:
    return all(unit.tokens is not None and unit.tokenizer == prior.tokenizer for unit in proposals)


def _padded(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Rows of different lengths as float32 (units, longest)."""
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), width), fill, np.float32)
    for target, row in zip(table, rows, strict=True):
        target[: len(row)] = row
    return table


def _decoded(
    proposals: list[Proposals],
    logp: np.ndarray,
    prior_logp: np.ndarray | None,
    best: np.ndarray,
    scores: np.ndarray,
) -> Decoded:
    rows = np.arange(len(proposals))
    ids = [unit.tokens for unit in proposals if unit.tokens is not None]
    tokens = np.stack(ids) if proposals and len(ids) == len(proposals) else None
    return Decoded(
        captions=[unit.texts[index] for unit, index in zip(proposals, best, strict=True)],
        tokens=np.zeros((len(proposals), 0), np.int64) if tokens is None else tokens[rows, best],
        scores=scores,
        logp=logp[rows, best],
        logp_lm=None if prior_logp is None else prior_logp[rows, best],
        beam_captions=[unit.texts for unit in proposals],
        beam_tokens=tokens,
        beam_scores=logp,
        beam_logp=logp,
        beam_logp_lm=prior_logp,
    )


def described(keys: Sequence[UnitKey], decoded: Decoded, weight: float) -> Descriptions:
    """Decoded descriptions with candidates; a strategy without beams has one each.

    `weight` is the lambda of the candidates' scores.
    """
    prior: list[float | str] = [""] * len(keys)
    if decoded.logp_lm is not None:
        prior = [float(value) for value in decoded.logp_lm]
    rows = [
        Description(text, float(score), {"logp": float(logp), "logp_lm": lm})
        for text, score, logp, lm in zip(
            decoded.captions, decoded.scores, decoded.logp, prior, strict=True
        )
    ]
    captions, logp, logp_lm = decoded.beam_captions, decoded.beam_logp, decoded.beam_logp_lm
    if captions is None or logp is None:
        captions, logp = [[text] for text in decoded.captions], decoded.logp[:, None]
        logp_lm = None if decoded.logp_lm is None else decoded.logp_lm[:, None]
    scores = {"logp": logp, "score": logp.astype(np.float64)}
    if logp_lm is not None:
        scores["logp_lm"] = logp_lm
        scores["score"] = wpmi(scores["score"], logp_lm.astype(np.float64), weight)
    return Descriptions(keys, rows, Candidates(captions, scores))
