"""The two architectures of image-to-text models that share what they computed of an image.

Both are an image encoder whose states a causal text decoder attends to. An `Architecture` says
where those two sit in a model and which ids start and end a text; the rest is common. The keys and
values that the decoder computes from the image's states cost far more than a description's few
tokens, so they are computed once per image and shared by all texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from milan_core.core.errors import UserError
from milan_core.describers.backends.cached_text import CachedText


@dataclass(frozen=True)
class Architecture:
    """The parts of an image-to-text model."""

    encode: Callable[[Tensor], Tensor]
    """Pixels (N, 3, S, S) to image states (N, P, D)."""
    decoder: nn.Module
    """A causal model with cross-attention."""
    start: int
    """Id read before the first token."""
    stop: int
    """Id that ends a text."""
    options: dict[str, bool]
    """The arguments of every call of the decoder beside ids and states."""
    processor: Any = None
    """Images to pixels, of the model."""

    def look(self, crops: Sequence[np.ndarray]) -> Tensor:
        """Image states (crops, P, D) of crops."""
        # One by one: crops differ in size, which batched processors may refuse.
        pixels = [
            torch.as_tensor(np.asarray(self.processor(crop)["pixel_values"][0])) for crop in crops
        ]
        device = next(self.decoder.parameters()).device
        return self.encode(torch.stack(pixels).to(device))

    def reader(self, states: Tensor) -> TextDecoder:
        """A decoder of texts about these images."""
        return TextDecoder(self, states)


def _blip(model: Any) -> Architecture:
    config = model.config.text_config
    return Architecture(
        encode=lambda pixels: model.vision_model(pixel_values=pixels).last_hidden_state,
        decoder=model.text_decoder,
        start=config.bos_token_id,
        stop=config.sep_token_id,
        options={"is_decoder": True},
    )


def _encoder_decoder(model: Any) -> Architecture:
    projection = getattr(model, "enc_to_dec_proj", nn.Identity())

    def encode(pixels: Tensor) -> Tensor:
        return projection(model.encoder(pixel_values=pixels).last_hidden_state)

    def setting(name: str) -> Any:
        """Checkpoints keep these in the generation settings, the model's or the decoder's."""
        for config in (model.generation_config, model.config, model.config.decoder):
            value = getattr(config, name, None)
            if value is not None:
                return value[0] if isinstance(value, list) else value
        message = f"this vision-encoder-decoder checkpoint has no {name}; set it in its config.json"
        raise UserError(message)

    start = getattr(model.generation_config, "decoder_start_token_id", None)
    start = setting("decoder_start_token_id") if start is None else start
    return Architecture(encode, model.decoder, start, setting("eos_token_id"), {})


ARCHITECTURES: dict[str, tuple[str, Callable[[Any], Architecture]]] = {
    "blip": ("BlipForConditionalGeneration", _blip),
    "vision-encoder-decoder": ("VisionEncoderDecoderModel", _encoder_decoder),
}
"""By `model_type`: the class in `transformers`, and where its parts are."""


class TextDecoder(CachedText):
    """Reads tokens of texts about some images; a cache holds what was read before.

    It is also the stepper that `milan_core.captioner.search.beam_search` drives, one hypothesis per
    image at first. The image's keys and values are copied when hypotheses are, so memory is
    (images) x (beam) x (their size): 40 MB a hypothesis for BLIP base at 384 pixels.
    """

    def __init__(self, parts: Architecture, states: Tensor) -> None:
        self._parts = parts
        self._states = states  # [U, P, D]
        self._images = torch.arange(len(states), device=states.device)  # [R] of every hypothesis
        self._cache: Any = None
        self.device = states.device

    def read(self, tokens: Tensor) -> Tensor:
        """Logits (rows, T, V) after each of the tokens (rows, T)."""
        out = self._parts.decoder(
            input_ids=tokens,
            encoder_hidden_states=self._states[self._images],
            past_key_values=self._cache,
            use_cache=True,
            **self._parts.options,
        )
        self._cache = out.past_key_values
        return out.logits

    def _select(self, rows: Tensor) -> None:
        """Go on with these rows of the last call."""
        images = self._images[rows]
        self._cache.self_attention_cache.reorder_cache(rows)
        if not torch.equal(images, self._images):  # else the image's part is already in place
            self._cache.cross_attention_cache.reorder_cache(rows)
        self._images = images
