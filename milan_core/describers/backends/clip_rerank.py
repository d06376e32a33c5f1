"""Re-ranking finished beams by CLIP's similarity to the exemplars (specification 4.6).

    sim(d) = (1 - z) * masked(d) + z * unmasked(d)

where each part is the cosine between CLIP's embeddings of the text and of an exemplar, averaged
over exemplars, and `masked` lets CLIP's class token attend to the region of the exemplar's mask
only (see `clip_attention`). UnitImages without mask pixels are left out of `masked`; where a unit
has no others it is 0 for every text, and the order among equals is that of the beam.

`legacy` is the published behavior: 224-pixel input only, masks sampled at patch centers, attention
not renormalized, sums over all exemplars. Its released settings also had z = 1, which never uses
the masked pass; here z is given and 0.5 by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from milan_core.captioner.descriptions import Descriptions
from milan_core.core.errors import UserError
from milan_core.describers.backends.clip import Clip
from milan_core.describers.backends.clip_attention import masked_attention
from milan_core.describers.backends.clip_geometry import patch_masks
from milan_core.describers.backends.crops import check_exemplars
from milan_core.describers.backends.options import ClipOptions
from milan_core.describers.units import UnitImages


@dataclass(frozen=True)
class Reranked:
    """The candidates of one unit, most similar first; all arrays [B]."""

    texts: list[str]
    order: np.ndarray
    """int64: place of each text in the beam that was given."""
    similarity: np.ndarray
    """float32: the mix that decided the order."""
    masked: np.ndarray
    """float32: similarity to the masked regions."""
    unmasked: np.ndarray
    """float32: similarity to the whole images."""


class Reranker(Protocol):
    """A second opinion on beams."""

    def rerank(self, units: Sequence[UnitImages], beams: Sequence[Sequence[str]]) -> list[Reranked]:
        """The beam of every unit, most similar first."""


def check_beams(units: Sequence[UnitImages], beams: Sequence[Sequence[str]]) -> None:
    """Refuse beams that are not one for each unit; raises `UserError`."""
    if len(units) != len(beams):
        message = f"got {len(beams)} beams for {len(units)} units; give one beam per unit"
        raise UserError(message)


def in_order(texts: list[str], masked: np.ndarray, unmasked: np.ndarray, weight: float) -> Reranked:
    """Texts by (1 - weight) masked + weight unmasked, float32 [B] each; ties keep their order."""
    z = np.float32(weight)
    similarity = (1 - z) * masked + z * unmasked
    order = np.argsort(-similarity, kind="stable")
    return Reranked(
        [texts[place] for place in order],
        order,
        similarity[order],
        masked[order],
        unmasked[order],
    )


class ClipReranker:
    """CLIP as a second opinion on beams.

    Args:
        clip: the model.
        weight: z, the share of the unmasked pass, 0 to 1.
        legacy: the published behavior.

    """

    def __init__(self, clip: Clip, *, weight: float, legacy: bool = False) -> None:
        self._clip, self._weight, self._legacy = clip, weight, legacy

    @classmethod
    def load(cls, options: ClipOptions, device: str = "cpu") -> ClipReranker:
        """Read a checkpoint; raises `UserError` as `Clip.load`."""
        assert options.source is not None
        clip = Clip.load(options.source, device, download=options.download)
        return cls(clip, weight=options.weight, legacy=options.legacy)

    @torch.inference_mode()
    def rerank(self, units: Sequence[UnitImages], beams: Sequence[Sequence[str]]) -> list[Reranked]:
        """The beam of every unit in the order of similarity; ties keep the beam's order.

        Each distinct text is encoded once, whichever units propose it; the exemplars of a unit are
        one batch, passed once as they are and once masked.

        Raises:
            UserError: units and beams do not match, or `legacy` and the images are not of CLIP's
                input size.
        """
        check_beams(units, beams)
        distinct = list(dict.fromkeys(text for beam in beams for text in beam))
        embedded = self._clip.embed_texts(distinct)
        place = {text: index for index, text in enumerate(distinct)}
        result = []
        for index, (unit, beam) in enumerate(zip(units, beams, strict=True)):
            check_exemplars(unit, index)
            texts = embedded[[place[text] for text in beam]]
            masked, unmasked = (texts @ image for image in self._images(unit))
            parts = masked.cpu().numpy(), unmasked.cpu().numpy()
            result.append(in_order(list(beam), *parts, self._weight))
        return result

    def _images(self, unit: UnitImages) -> tuple[Tensor, Tensor]:
        """Image vectors that texts are compared with, masked and not: float32 (D,) each.

        The mean of the exemplars' embeddings of unit length (legacy: the sum), since the mean of
        cosines with a text is the text's product with that mean.
        """
        model, legacy = self._clip.model, self._legacy
        vision = model.config.vision_config
        pixels = self._clip.pixels(unit.images, legacy=legacy)
        mask = patch_masks(
            unit.masks, vision.image_size, vision.patch_size, legacy=legacy, device=model.device
        )
        unmasked = self._clip.encode(pixels)
        with masked_attention(model.vision_model, mask, legacy=legacy):
            masked = self._clip.encode(pixels)
        if legacy:
            return masked.sum(dim=0), unmasked.sum(dim=0)
        seen = (mask > 0).any(dim=1)
        counted = masked[seen].sum(dim=0) / seen.sum().clamp(min=1)
        return counted, unmasked.mean(dim=0)


def with_best(descriptions: Descriptions, reranked: Sequence[Reranked]) -> Descriptions:
    """The descriptions with every unit's most similar candidate in place of its own choice.

    The scores stay those of the search, as published: what CLIP thinks is in `reranked`.
    """
    if (
        descriptions.beam_captions is None
        or descriptions.beam_scores is None
        or descriptions.beam_logp is None
    ):
        message = "re-ranking needs whole beams; describe with strategy rerank or beam"
        raise UserError(message)
    units = np.arange(len(reranked))
    best = np.array([unit.order[0] for unit in reranked], np.int64)
    prior, tokens = descriptions.beam_logp_lm, descriptions.beam_tokens
    return replace(
        descriptions,
        captions=[unit.texts[0] for unit in reranked],
        tokens=descriptions.tokens if tokens is None else tokens[units, best],
        scores=descriptions.beam_scores[units, best],
        logp=descriptions.beam_logp[units, best],
        logp_lm=None if prior is None else prior[units, best],
    )
