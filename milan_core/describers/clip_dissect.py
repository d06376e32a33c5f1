"""CLIP-Dissect: the concept of a word list whose CLIP similarity follows a unit's activation.

    P[x, c]       = softmax over concepts of 10 cos(image x, text c)
    log P(c|X_u)  = sum over the most activating images x of log(1 + p_x (P[x, c] - 1) + 1e-7)
    score(u, c)   = log P(c|X_u) - weight * (log-mean-exp over units of log P(c|X_u))

where p_x falls linearly from .998 to .97 over the images X_u, best first (soft WPMI).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError

SHARPNESS = 10.0
FIRST, LAST = 0.998, 0.97  # p_x of the most and the least activating image
TINY = 1e-7


def concept_probabilities(similarity: np.ndarray) -> np.ndarray:
    """float64 [N, C]: softmax over concepts of SHARPNESS times the cosines [N, C]."""
    scaled = SHARPNESS * similarity.astype(np.float64)
    exponent = np.exp(scaled - scaled.max(1, keepdims=True))
    return exponent / exponent.sum(1, keepdims=True)


def soft_wpmi(
    activations: np.ndarray, similarity: np.ndarray, top: int = 100, weight: float = 1.0
) -> np.ndarray:
    """float64 [U, C]: scores of every concept for every unit of one layer.

    Args:
        activations: float [U, N], mean over positions.
        similarity: float [N, C], cosines of images and texts.
        top: images that stand for a unit.
        weight: lambda of log p(c).

    """
    probabilities = concept_probabilities(similarity)
    count = min(top, activations.shape[1])
    order = np.argsort(-activations, axis=1, kind="stable")[:, :count]
    share = np.linspace(FIRST, LAST, count)[:, None]
    logs = np.stack([np.log(1 + share * (probabilities[rows] - 1) + TINY).sum(0) for rows in order])
    highest = logs.max(0)
    prior = highest + np.log(np.exp(logs - highest).mean(0))
    return logs - weight * prior


def read_words(path: Path | str) -> list[str]:
    """Concepts of a text file, a concept a line; empty lines do not count."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"baselines.clip_dissect.concepts: cannot read {path}: {error}") from None
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(words) < 2:
        raise UserError(f"{path}: {len(words)} concepts; a word list needs at least two")
    return words


def clip_similarity(
    folder: Path | str,
    images: np.ndarray,
    words: Sequence[str],
    prompt: str = "a {}",
    device: str = "cpu",
    batch: int = 32,
) -> np.ndarray:
    """float32 [N, C]: cosines of images uint8 [N, H, W, 3] and words, by the CLIP in `folder`."""
    if "{}" not in prompt:
        raise UserError(f"baselines.clip_dissect.prompt: {prompt!r} has no {{}} for the concept")
    from milan_core.describers.backends.clip_rerank import ClipReranker

    clip = ClipReranker.load(folder, device)
    texts = clip.embed_texts([prompt.format(word) for word in words])
    parts: list[Any] = []
    for start in range(0, len(images), batch):
        found = clip.embed_images(np.array(images[start : start + batch]))
        parts.append((found @ texts.T).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)
