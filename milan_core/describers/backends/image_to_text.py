"""A captioner from an image-to-text checkpoint: BLIP, ViT-GPT2, and models that read a prompt.

Such a model describes one image, and a unit has k exemplars. Each exemplar is shown as a masked
crop (see `crops`), and the evidence of the whole set is

    log p(d|E) = mean over exemplars j of log p(d | crop_j)

that is, a product of experts tempered to the weight of one. A sum would grow with k, so that the
same lambda would mean less prior the more exemplars there are; the mean keeps log p(d|E) on the
scale of log p(d), as it is in the LSTM family. A mean of probabilities would be decided by the one
crop that a description fits best, while a unit is described by what its exemplars share. The order
of the exemplars is irrelevant. UnitImages without mask pixels are no evidence and are left out; a
unit with no others is described from one black crop, in effect by the model's own prior.

Proposals come from all exemplars' beams. Every one is then scored as text against every crop,
through the model's end token, so one found at one crop competes on the evidence of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from milan_core.captioner.search import beam_search
from milan_core.core.errors import UserError, unknown
from milan_core.describers.backends.crops import check_exemplars, unit_crops
from milan_core.describers.backends.interface import Proposals
from milan_core.describers.backends.options import ImageToTextOptions
from milan_core.describers.backends.prompted import Prompted
from milan_core.describers.backends.scoring import by_length, padded, target_logp
from milan_core.describers.backends.vision_language import ARCHITECTURES, Architecture
from milan_core.describers.units import UnitImages
from milan_core.networks.checkpoints import Checkpoint

_FILES = (
    "config.json, model.safetensors, the tokenizer's files and preprocessor_config.json "
    "(the model's save_pretrained folder)"
)


class ImageToText:
    """The proposer; units are a sequence of `UnitImages`. Deterministic, no sampling.

    Args:
        parts: the model's architecture.
        tokenizer: of the model.
        options: crops, and hypotheses proposed from each exemplar.
        crop_batch: crops encoded, and searched for captions, at once.
        row_batch: texts scored at once against one crop.

    """

    def __init__(
        self,
        parts: Architecture | Prompted,
        tokenizer: Any,
        options: ImageToTextOptions,
        *,
        crop_batch: int = 4,
        row_batch: int = 16,
    ) -> None:
        self._parts: Any = parts
        self._tokenizer, self._options = tokenizer, options
        self._crop_batch = getattr(parts, "crop_batch", crop_batch)
        self._row_batch = row_batch
        self._device = next(parts.decoder.parameters()).device

    @classmethod
    def load(cls, options: ImageToTextOptions, device: str = "cpu", **sizes: int) -> ImageToText:
        """Read a checkpoint: a folder, or a hub name; `sizes` are the batches of the class.

        Raises:
            UserError: the checkpoint is missing, incomplete, or of an unknown architecture.

        """
        checkpoint = Checkpoint("image-to-text", options.source, _FILES, options.download)
        checkpoint.check()
        import transformers

        config = checkpoint.part(transformers.AutoConfig)
        if config.model_type not in ARCHITECTURES:
            parts = _prompted(checkpoint, config.model_type, options.prompt, device)
            return cls(parts, parts.tokenizer, options, **sizes)
        if options.prompt:
            message = f"checkpoints of type {config.model_type!r} take no prompt; leave it out"
            raise UserError(message)
        name, find = ARCHITECTURES[config.model_type]
        tokenizer = checkpoint.part(transformers.AutoTokenizer)
        processor = checkpoint.part(transformers.AutoImageProcessor)
        model = checkpoint.model(getattr(transformers, name), device)
        return cls(replace(find(model), processor=processor), tokenizer, options, **sizes)

    @torch.inference_mode()
    def candidates(
        self, units: Sequence[UnitImages], beam_size: int, length: int
    ) -> list[Proposals]:
        """The pooled captions of every unit's crops, best first by the evidence of all crops.

        At most `beam_size`: the best of each exemplar, then the second of each, and so on, repeated
        texts once.
        """
        return [
            self._unit_candidates(unit, index, beam_size, length)
            for index, unit in enumerate(units)
        ]

    @torch.inference_mode()
    def score(
        self, units: Sequence[UnitImages], texts: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        """Log p(d|E) of given texts, one list of texts per unit: float32 (texts,) per unit."""
        return [
            self._evidence(list(self._encoded(unit, index)), list(group))
            for index, (unit, group) in enumerate(zip(units, texts, strict=True))
        ]

    def _unit_candidates(
        self, unit: UnitImages, index: int, beam_size: int, length: int
    ) -> Proposals:
        blocks = list(self._encoded(unit, index))
        beams = min(self._options.exemplar_beams, beam_size)
        found = [item for states in blocks for item in self._proposals(states, beams, length)]
        ranked = [text for _, _, text in sorted(found)]
        # Blank captions say nothing; they stay only where there is nothing else.
        pool = list(dict.fromkeys(text for text in ranked if text)) or [""]
        pool = pool[:beam_size]
        logp = self._evidence(blocks, pool)
        order = np.argsort(-logp, kind="stable")
        return Proposals([pool[place] for place in order], logp[order])

    def _encoded(self, unit: UnitImages, index: int) -> Iterator[Any]:
        """The crops of a unit for the model, in blocks of `crop_batch`."""
        check_exemplars(unit, index)
        crops = unit_crops(unit, self._options.margin, self._options.outside)
        for start in range(0, len(crops), self._crop_batch):
            yield self._parts.look(crops[start : start + self._crop_batch])

    def _proposals(self, states: Any, beams: int, length: int) -> list[tuple[int, float, str]]:
        """The beams of all crops: rank in its beam, negative log p and text of each caption.

        Sorted, these are the bests of all crops, then the seconds, whatever the crops' order.
        """
        parts = self._parts
        stepper = parts.reader(states)
        found = beam_search(stepper, len(states), parts.start, parts.stop, beams, length)
        rows = zip(found.scores.tolist(), found.tokens.tolist(), strict=True)
        return [
            (rank, -score, self._text(ids))
            for scores, tokens in rows
            for rank, (score, ids) in enumerate(zip(scores, tokens, strict=True))
        ]

    def _text(self, tokens: list[int]) -> str:
        """The ids before the first stop as one line of text."""
        stop = self._parts.stop
        tokens = tokens[: tokens.index(stop)] if stop in tokens else tokens
        return " ".join(self._tokenizer.decode(tokens, skip_special_tokens=True).split())

    def _evidence(self, blocks: list[Any], texts: list[str]) -> np.ndarray:
        """Mean over all crops of log p(text | crop) through the end: float32 (texts,)."""
        if not texts:
            return np.zeros(0, np.float32)
        rows = [
            [*self._tokenizer.encode(text, add_special_tokens=False), self._parts.stop]
            for text in texts
        ]
        crops = [states[place : place + 1] for states in blocks for place in range(len(states))]
        total = np.zeros(len(texts))
        for states in crops:
            total += self._forced(states, rows)
        return (total / len(crops)).astype(np.float32)

    def _forced(self, states: Any, rows: list[list[int]]) -> np.ndarray:
        """Log p of every row of ids, stop last, given what is seen of one crop: float64."""
        result = np.zeros(len(rows))
        start = torch.tensor([[self._parts.start]], device=self._device)
        common = self._parts.reader(states)
        first = common.read(start)
        for batch in by_length(rows, most=self._row_batch):
            targets, lengths = padded([rows[place] for place in batch], self._device)
            logits = first.expand(len(batch), -1, -1)
            if targets.shape[1] > 1:
                rest = common.copies(len(batch)).read(targets[:, :-1])
                logits = torch.cat([logits, rest], dim=1)
            result[batch] = target_logp(logits, targets, lengths)
        return result


def _prompted(checkpoint: Checkpoint, kind: str, prompt: str, device: str) -> Prompted:
    """A model that reads a prompt, with its own processor."""
    import transformers
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN,
    )

    if kind not in KNOWN:
        raise unknown("image-to-text architecture", kind, [*ARCHITECTURES, *KNOWN])
    processor = checkpoint.part(transformers.AutoProcessor)
    model = checkpoint.model(transformers.AutoModelForImageTextToText, device)
    return Prompted(model, processor, prompt)
