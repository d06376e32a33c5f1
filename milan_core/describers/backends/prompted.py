"""Any other model of `transformers` that reads an image with a prompt and goes on with text.

GIT, LLaVA, PaliGemma, Qwen-VL and their kin differ in how the image enters the prompt; their
own processors know. So every text is the processor's prompt and the text's ids after it. The prompt
with its image is read once, and its keys and values are kept for all words of all texts, where the
model gives the same logits so as without: this is tried on a blank picture when it is loaded. A
model that does not, such as GIT, reads the whole anew for each word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from milan_core.core.errors import UserError
from milan_core.describers.backends.cached_text import CachedText

SAME = 1e-3  # largest difference of logits that rounding explains, of the largest logit
_TEXT = ("input_ids", "attention_mask", "token_type_ids")
Prompt = dict[str, Tensor]
"""The processor's output for one crop: the prompt's ids, and the image in the model's own form."""


class Prompted:
    """The prompt for crops, and the ids that start and end a text.

    Args:
        model: of `AutoModelForImageTextToText`.
        processor: of the model, `AutoProcessor`.
        prompt: text before the description, with the mark that the model has for an image.
    """

    crop_batch = 1
    """Prompts of several crops may differ in length."""

    def __init__(self, model: Any, processor: Any, prompt: str = "") -> None:
        tokenizer = getattr(processor, "tokenizer", None)
        if model.config.is_encoder_decoder or tokenizer is None:
            message = (
                f"image-to-text models of type {model.config.model_type!r} do not go on from a "
                "prompt; use a BLIP, a vision-encoder-decoder, or a model that does"
            )
            raise UserError(message)
        self.decoder, self.tokenizer = model, tokenizer
        self._processor, self._prompt = processor, prompt
        self._ends = {tokenizer.eos_token_id, tokenizer.sep_token_id} - {None}
        configured = getattr(model.generation_config, "eos_token_id", None)
        stop = configured[0] if isinstance(configured, list) else configured
        stop = stop if stop is not None else next(iter(sorted(self._ends)), None)
        if stop is None:
            message = "this checkpoint has no end of text; set eos_token_id in its config.json"
            raise UserError(message)
        self.stop: int = stop
        self._device = next(model.parameters()).device
        (blank,) = self.look([np.zeros((64, 64, 3), np.uint8)])
        self.start = int(blank["input_ids"][0, -1])
        """The prompt's last id, which a reader is given first."""
        self.keeps = self._keeps(blank)
        """Whether what was read is kept; else everything is read anew."""

    def _keeps(self, prompt: Prompt) -> bool:
        """Whether kept keys and values give the logits that reading anew does, copies too."""
        first = torch.tensor([[self.start]], device=self._device)
        further = torch.tensor([[self.stop, self.start], [self.start, self.stop]]).to(first)
        with torch.inference_mode():
            anew, kept = (PromptedText(self, [prompt], keep=keep) for keep in (False, True))
            try:
                given = [[one.read(first), one.copies(2).read(further)] for one in (anew, kept)]
            # A model without a cache, or with one of another interface.
            except (TypeError, ValueError, AttributeError, RuntimeError, IndexError, KeyError):
                return False
        scale = max(float(given[0][1].abs().max()), 1.0)
        return all(
            a.shape == b.shape and float((a - b).abs().max()) <= SAME * scale
            for a, b in zip(*given, strict=True)
        )

    def look(self, crops: Sequence[np.ndarray]) -> list[Prompt]:
        """The prompt of every crop."""
        return [self._one(crop) for crop in crops]

    def reader(self, states: Sequence[Prompt]) -> PromptedText:
        """A decoder of texts after these prompts."""
        return PromptedText(self, states)

    def _one(self, crop: np.ndarray) -> Prompt:
        try:
            made = self._processor(images=[crop], text=[self._prompt], return_tensors="pt")
        # What processors raise for a prompt without the image's mark, or with several.
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            message = (
                f"the prompt {self._prompt!r} does not suit this model ({error}); give `prompt` "
                "with its mark for the image, such as '<image>'"
            )
            raise UserError(" ".join(message.split())) from None
        ids = made["input_ids"][0].tolist()
        while ids and ids[-1] in self._ends:
            ids.pop()  # tokenizers close a text that is to be gone on with
        if not ids:
            tokenizer = self.tokenizer
            starts = (tokenizer.bos_token_id, tokenizer.cls_token_id, self.stop)
            ids = [next(start for start in starts if start is not None)]
        rest = {
            name: value.to(self._device)
            for name, value in made.items()
            if name not in _TEXT and isinstance(value, Tensor)
        }
        return {"input_ids": torch.tensor([ids], device=self._device), **rest}


class PromptedText(CachedText):
    """Reads tokens of texts about some crops; see `vision_language.TextDecoder`."""

    def __init__(
        self, parts: Prompted, states: Sequence[Prompt], *, keep: bool | None = None
    ) -> None:
        self._parts, self._states = parts, states
        prompts = [state["input_ids"][0, :-1] for state in states]
        if len({len(ids) for ids in prompts}) != 1:
            raise ValueError("prompts of different lengths cannot be read together")
        self._ids = torch.stack(prompts)  # [R, t] what was read so far
        self._images = torch.arange(len(states), device=self._ids.device)  # [R]
        self._keep, self._cache = parts.keeps if keep is None else keep, None
        self.device = self._ids.device

    def read(self, tokens: Tensor) -> Tensor:
        """Logits (rows, T, V) after each of the tokens (rows, T)."""
        self._ids = torch.cat([self._ids, tokens], dim=1)
        kept = self._cache is not None
        out = self._parts.decoder(
            input_ids=tokens if kept else self._ids,
            attention_mask=torch.ones_like(self._ids),
            use_cache=self._keep,
            **({"past_key_values": self._cache} if kept else self._pictures()),
        )
        self._cache = out.past_key_values if self._keep else None
        logits: Tensor = out.logits[:, -tokens.shape[1] :]
        return logits

    def _pictures(self) -> dict[str, Tensor]:
        """The image of every row, in the model's own form."""
        seen = [self._states[image] for image in self._images.tolist()]
        names = [name for name in seen[0] if name != "input_ids"]
        return {name: torch.cat([state[name] for state in seen]) for name in names}

    def _select(self, rows: Tensor) -> None:
        self._images, self._ids = self._images[rows], self._ids[rows]
        if self._cache is not None:
            self._cache.reorder_cache(rows)
