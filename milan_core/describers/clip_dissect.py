"""CLIP-Dissect: the concept of a word list whose CLIP similarity follows a unit's activation.

    P[x, c]       = softmax over concepts of 10 cos(image x, text c)
    log P(c|X_u)  = sum over the most activating images x of log(1 + p_x (P[x, c] - 1) + 1e-7)
    score(u, c)   = log P(c|X_u) - weight * (log-mean-exp over units of log P(c|X_u))

where p_x falls linearly from .998 to .97 over the images X_u, best first (soft WPMI). Where the
mini judge takes CLIP's place, 100 cos is log p(c in x) - log mean over images of p(c in x)
(`backends.judge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_text
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.backends.clip import Clip, load_encoder
from milan_core.describers.backends.judge import is_judge, open_judge, similarity
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Description, Descriptions, Resources
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.labels import LabelDescriber, labeled
from milan_core.describers.options import ClipDissectOptions
from milan_core.describers.units import Units
from milan_core.describers.wording import concept_text
from milan_core.referee.judges.mini import Judge
from milan_core.referee.seen import recall

SHARPNESS = 10.0
FIRST, LAST = 0.998, 0.97  # p_x of the most and the least activating image
TINY = 1e-7
BATCH = 32  # images embedded at once


class ClipDissect(LabelDescriber):
    """The word with the highest soft WPMI within the layer."""

    Options: ClassVar[type[DescriberOptions]] = ClipDissectOptions

    def __init__(self, model: Clip | Judge, options: ClipDissectOptions) -> None:
        self._model, self._options = model, options
        self._listed = read_words(options.concepts) if options.concepts else []
        self._words = self._listed
        self._similarity: np.ndarray | None = None

    @classmethod
    def load(cls, options: ClipDissectOptions, resources: Resources) -> ClipDissect:
        """The describer with its CLIP, or the judge."""
        if options.reads_judge or is_judge(options.path):
            folder = resources.judge if options.reads_judge else options.path
            judge = open_judge(folder, resources.compute)
            if resources.seen is not None:
                recall(judge, resources.seen)
            return cls(judge, options)
        if not options.path:
            raise UserError(
                "baselines.clip_dissect.path: no CLIP is given; name the folder of a CLIPModel, or "
                "take clip_dissect out of baselines.methods"
            )
        if "{}" not in options.prompt:
            message = (
                f"baselines.clip_dissect.prompt: {options.prompt!r} has no {{}} for the concept"
            )
            raise UserError(message)
        return cls(load_encoder(options.path, resources.compute.device), options)

    def describe(self, units: Units) -> Descriptions:
        """The label of every unit; the words are those of the masks where no list is given."""
        if isinstance(units, NetworkUnits):
            masked = [] if units.concepts is None else list(units.concepts.names)
            self._words = self._listed or masked
            if not self._words:
                message = "baselines.clip_dissect.concepts: no word list and no concept masks"
                raise UserError(message)
            self._similarity = self._look(units)
        return super().describe(units)

    def _look(self, units: NetworkUnits) -> np.ndarray:
        """float32 [N, C]: how much each image shows each word."""
        if isinstance(self._model, Clip):
            prompt = self._options.prompt
            return clip_similarity(self._model, units.images, self._words, prompt)
        texts = list(map(concept_text, self._words))
        return similarity(self._model, units.dataset, texts)

    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The labels of the units of one layer."""
        assert self._similarity is not None
        scores = soft_wpmi(
            evidence.means, self._similarity, self._options.top, self._options.weight
        )
        return [
            labeled(
                *(concept_text(self._words[c]), self._words[c], "word"),
                *(float(scores[unit, c]),),
                passes=True,
            )
            for unit, c in enumerate(scores.argmax(1))
        ]


def concept_probabilities(similarity: np.ndarray) -> np.ndarray:
    """float64 [N, C]: softmax over concepts of SHARPNESS times the cosines [N, C]."""
    scaled = SHARPNESS * similarity.astype(np.float64)
    exponent = np.exp(scaled - scaled.max(1, keepdims=True))
    return exponent / exponent.sum(1, keepdims=True)


def soft_wpmi(
    activations: np.ndarray, similarity: np.ndarray, top: int, weight: float
) -> np.ndarray:
    """float64 [U, C]: scores of every concept for every unit of one layer.

    A layer of one unit has no other to tell a common concept by: its score is log P(c|X_u) alone.

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
    if len(logs) == 1:
        return logs
    highest = logs.max(0)
    prior = highest + np.log(np.exp(logs - highest).mean(0))
    return logs - weight * prior


def read_words(path: Path | str) -> list[str]:
    """Concepts of a text file, a concept a line; empty lines do not count."""
    lines = read_text(path, "list of concepts (baselines.clip_dissect.concepts)").splitlines()
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(words) < 2:
        raise UserError(f"{path}: {len(words)} concepts; a word list needs at least two")
    return words


def clip_similarity(
    clip: Clip, images: np.ndarray, words: Sequence[str], prompt: str
) -> np.ndarray:
    """float32 [N, C]: cosines of images uint8 [N, H, W, 3] and words in a prompt such as "a {}"."""
    texts = clip.embed_texts([prompt.format(word) for word in words])
    parts = []
    for start in range(0, len(images), BATCH):
        embedded = clip.embed_images(np.array(images[start : start + BATCH]))
        parts.append((embedded @ texts.T).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)
