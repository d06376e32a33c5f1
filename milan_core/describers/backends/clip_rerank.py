"""Re-ranking finished beams by CLIP's similarity to the exemplars (specification 4.6).

    sim(d) = (1 - z) * masked(d) + z * unmasked(d)

where each part is the cosine between CLIP's embeddings of the text and of an exemplar, averaged
over exemplars, and `masked` lets CLIP's class token attend to the region of the exemplar's mask
only (see `clip_attention`). Exemplars without mask pixels are left out of `masked`; where a unit
has no others it is 0 for every text, and the order among equals is that of the beam.

`legacy` is the published behaviour: 224-pixel input only, masks sampled at patch centres, attention
not renormalised, sums over all exemplars. Its released settings also had z = 1, which never uses
the masked pass; here z is given and 0.5 by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from milan_core.captioner.descriptions import Descriptions
from milan_core.core.errors import UserError
from milan_core.describers.backends.checkpoints import Checkpoint
from milan_core.describers.backends.clip_attention import masked_attention
from milan_core.describers.backends.clip_geometry import MEAN, STD, clip_pixels, patch_masks
from milan_core.describers.backends.crops import check_exemplars
from milan_core.describers.backends.interface import Exemplars

_FILES = (
    "config.json, model.safetensors, the tokenizer's files and preprocessor_config.json "
    "(the save_pretrained folder of a CLIPModel)"
)


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


class ClipReranker:
    """CLIP as a second opinion on beams.

    Args:
        model: a `transformers` CLIPModel.
        tokenizer: of the model.
        weight: z, the share of the unmasked pass, 0 to 1.
        legacy: the published behaviour.
        mean: of RGB in [0, 1] that the model's input is normalised with.
        std: likewise.
        text_batch: texts encoded at once.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        weight: float = 0.5,
        legacy: bool = False,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        text_batch: int = 256,
    ) -> None:
        if not 0 <= weight <= 1:
            message = f"the weight of the unmasked pass is {weight}; give a number from 0 to 1"
            raise UserError(message)
        self._model, self._tokenizer = model, tokenizer
        self._weight, self._legacy = weight, legacy
        self._mean, self._std = mean, std
        self._text_batch = text_batch

    @classmethod
    def load(
        cls, source: Path | str, device: str = "cpu", *, download: bool = False, **options: Any
    ) -> ClipReranker:
        """Read a checkpoint: a folder, or a hub name; `options` are those of the class.

        Raises:
            UserError: the checkpoint is missing, incomplete, or not a CLIP.
        """
        checkpoint = Checkpoint("CLIP", str(source), _FILES, download)
        checkpoint.check()
        from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, CLIPModel

        kind = checkpoint.part(AutoConfig).model_type
        if kind != "clip":
            raise checkpoint.refusal(f"it holds a {kind!r} model")
        processor = checkpoint.part(AutoImageProcessor)
        tokenizer = checkpoint.part(AutoTokenizer)
        options = {"mean": processor.image_mean, "std": processor.image_std, **options}
        return cls(checkpoint.model(CLIPModel, device), tokenizer, **options)

    @torch.inference_mode()
    def rerank(self, units: Sequence[Exemplars], beams: Sequence[Sequence[str]]) -> list[Reranked]:
        """The beam of every unit in the order of similarity; ties keep the beam's order.

        Each distinct text is encoded once, whichever units propose it; the exemplars of a unit are
        one batch, passed once as they are and once masked.

        Raises:
            UserError: units and beams do not match, or `legacy` and the images are not of CLIP's
                input size.
        """
        if len(units) != len(beams):
            message = f"got {len(beams)} beams for {len(units)} units; give one beam per unit"
            raise UserError(message)
        distinct = list(dict.fromkeys(text for beam in beams for text in beam))
        embedded = self.embed_texts(distinct)
        place = {text: index for index, text in enumerate(distinct)}
        result = []
        for index, (unit, beam) in enumerate(zip(units, beams, strict=True)):
            check_exemplars(unit, index)
            texts = embedded[[place[text] for text in beam]]
            masked, unmasked = (texts @ image for image in self._images(unit))
            result.append(self._sorted(list(beam), masked.cpu().numpy(), unmasked.cpu().numpy()))
        return result

    def _sorted(self, texts: list[str], masked: np.ndarray, unmasked: np.ndarray) -> Reranked:
        weight = np.float32(self._weight)
        similarity = (1 - weight) * masked + weight * unmasked
        order = np.argsort(-similarity, kind="stable")
        return Reranked(
            [texts[place] for place in order],
            order,
            similarity[order],
            masked[order],
            unmasked[order],
        )

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit-length embeddings of texts: float32 (texts, D). What CLIP cannot read is cut off."""
        model = self._model
        parts = [torch.zeros((0, model.config.projection_dim), device=model.device)]
        for start in range(0, len(texts), self._text_batch):
            ids = self._tokenizer(
                list(texts[start : start + self._text_batch]),
                padding=True,
                truncation=True,
                max_length=model.config.text_config.max_position_embeddings,
                return_tensors="pt",
            ).to(model.device)
            pooled = model.text_model(
                input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]
            ).pooler_output
            parts.append(_unit_length(model.text_projection(pooled)))
        return torch.cat(parts)

    @torch.inference_mode()
    def embed_images(self, images: np.ndarray) -> Tensor:
        """Unit-length embeddings of whole images uint8 (k, H, W, 3): float32 (k, D)."""
        model = self._model
        size = model.config.vision_config.image_size
        pixels = clip_pixels(
            images, size, self._mean, self._std, legacy=self._legacy, device=model.device
        )
        return self._encoded(pixels.to(model.dtype))

    def _images(self, unit: Exemplars) -> tuple[Tensor, Tensor]:
        """What texts are compared with, masked and not: float32 (D,) each.

        The mean of the exemplars' embeddings of unit length (legacy: the sum), since the mean of
        cosines with a text is the text's product with that mean.
        """
        model, legacy = self._model, self._legacy
        vision = model.config.vision_config
        size, device = vision.image_size, model.device
        pixels = clip_pixels(
            unit.images, size, self._mean, self._std, legacy=legacy, device=device
        ).to(model.dtype)
        mask = patch_masks(unit.masks, size, vision.patch_size, legacy=legacy, device=device)
        unmasked = self._encoded(pixels)
        with masked_attention(model.vision_model, mask, legacy=legacy):
            masked = self._encoded(pixels)
        if legacy:
            return masked.sum(dim=0), unmasked.sum(dim=0)
        seen = (mask > 0).any(dim=1)
        counted = masked[seen].sum(dim=0) / seen.sum().clamp(min=1)
        return counted, unmasked.mean(dim=0)

    def _encoded(self, pixels: Tensor) -> Tensor:
        """Unit-length embeddings of images (k, 3, S, S): float32 (k, D)."""
        pooled = self._model.vision_model(pixel_values=pixels).pooler_output
        return _unit_length(self._model.visual_projection(pooled))


def with_best(found: Descriptions, reranked: Sequence[Reranked]) -> Descriptions:
    """The descriptions with every unit's most similar candidate in place of its own choice.

    The scores stay those of the search, as published: what CLIP thinks is in `reranked`.
    """
    if found.beam_captions is None or found.beam_scores is None or found.beam_logp is None:
        message = "re-ranking needs whole beams; describe with strategy rerank or beam"
        raise UserError(message)
    units = np.arange(len(reranked))
    best = np.array([unit.order[0] for unit in reranked], np.int64)
    prior, tokens = found.beam_logp_lm, found.beam_tokens
    return replace(
        found,
        captions=[unit.texts[0] for unit in reranked],
        tokens=found.tokens if tokens is None else tokens[units, best],
        scores=found.beam_scores[units, best],
        logp=found.beam_logp[units, best],
        logp_lm=None if prior is None else prior[units, best],
    )


def _unit_length(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
