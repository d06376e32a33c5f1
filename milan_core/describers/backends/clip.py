"""CLIP: unit-length embeddings of texts and images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from milan_core.describers.backends.clip_geometry import MEAN, STD, clip_pixels
from milan_core.networks.checkpoints import Checkpoint

_FILES = (
    "config.json, model.safetensors, the tokenizer's files and preprocessor_config.json "
    "(the save_pretrained folder of a CLIPModel)"
)


class Clip:
    """A CLIP checkpoint.

    Args:
        model: a `transformers` CLIPModel.
        tokenizer: of the model.
        mean: of RGB in [0, 1] that the model's input is normalized with.
        std: likewise.
        text_batch: texts encoded at once.

    """

    kind: ClassVar[str] = "clip"
    """`model_type` of the checkpoint."""
    _name: ClassVar[str] = "CLIP"
    _padding: ClassVar[bool | str] = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        text_batch: int = 256,
    ) -> None:
        self.model, self._tokenizer = model, tokenizer
        self._mean, self._std = mean, std
        self._text_batch = text_batch

    @classmethod
    def load(cls, source: Path | str, device: str = "cpu", *, download: bool = False) -> Self:
        """Read a checkpoint: a folder, or a hub name.

        Raises:
            UserError: the checkpoint is missing, incomplete, or of another kind.

        """
        checkpoint = Checkpoint(cls._name, str(source), _FILES, download)
        checkpoint.check()
        import transformers

        kind = checkpoint.part(transformers.AutoConfig).model_type
        if kind != cls.kind:
            raise checkpoint.refusal(f"it holds a {kind!r} model")
        processor = checkpoint.part(transformers.AutoImageProcessor)
        tokenizer = checkpoint.part(transformers.AutoTokenizer)
        model = checkpoint.model(cls._loader(), device)
        return cls(model, tokenizer, mean=processor.image_mean, std=processor.image_std)

    @classmethod
    def _loader(cls) -> Any:
        from transformers import CLIPModel

        return CLIPModel

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit-length embeddings of texts: float32 (texts, D). What it cannot read is cut off."""
        model = self.model
        parts = [torch.zeros((0, self._width), device=model.device)]
        for start in range(0, len(texts), self._text_batch):
            ids = self._tokenizer(
                list(texts[start : start + self._text_batch]),
                padding=self._padding,
                truncation=True,
                max_length=model.config.text_config.max_position_embeddings,
                return_tensors="pt",
            ).to(model.device)
            parts.append(unit_length(self._text_states(ids)))
        return torch.cat(parts)

    @property
    def _width(self) -> int:
        return int(self.model.config.projection_dim)

    def _text_states(self, ids: Any) -> Tensor:
        """Embeddings of tokenized texts: (texts, D)."""
        model = self.model
        pooled = model.text_model(
            input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]
        ).pooler_output
        return torch.as_tensor(model.text_projection(pooled))

    @torch.inference_mode()
    def embed_images(self, images: np.ndarray) -> Tensor:
        """Unit-length embeddings of whole images uint8 (k, H, W, 3): float32 (k, D)."""
        return self.encode(self.pixels(images))

    def pixels(self, images: np.ndarray, *, legacy: bool = False) -> Tensor:
        """Images uint8 (k, H, W, 3) as the model's input (k, 3, S, S)."""
        model = self.model
        size = model.config.vision_config.image_size
        pixels = clip_pixels(
            images, size, self._mean, self._std, legacy=legacy, device=model.device
        )
        return pixels.to(model.dtype)

    def encode(self, pixels: Tensor) -> Tensor:
        """Unit-length embeddings of images (k, 3, S, S): float32 (k, D)."""
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        return unit_length(self.model.visual_projection(pooled))


class Siglip(Clip):
    """A SigLIP checkpoint: its towers need no projection, its texts are padded and have no mask."""

    kind: ClassVar[str] = "siglip"
    _name: ClassVar[str] = "SigLIP"
    _padding: ClassVar[bool | str] = "max_length"

    @classmethod
    def _loader(cls) -> Any:
        from transformers import SiglipModel

        return SiglipModel

    @property
    def _width(self) -> int:
        return int(self.model.config.text_config.hidden_size)

    def _text_states(self, ids: Any) -> Tensor:
        return torch.as_tensor(self.model.text_model(input_ids=ids["input_ids"]).pooler_output)

    def encode(self, pixels: Tensor) -> Tensor:
        """Unit-length embeddings of images (k, 3, S, S): float32 (k, D)."""
        return unit_length(self.model.vision_model(pixel_values=pixels).pooler_output)


def load_encoder(source: Path | str, device: str = "cpu", *, download: bool = False) -> Clip:
    """A CLIP or SigLIP by what its checkpoint says; raises `UserError` for other kinds."""
    checkpoint = Checkpoint("CLIP or SigLIP", str(source), _FILES, download)
    checkpoint.check()
    from transformers import AutoConfig

    kind = checkpoint.part(AutoConfig).model_type
    loader = Siglip if kind == Siglip.kind else Clip
    return loader.load(source, device, download=download)


def unit_length(vectors: Tensor) -> Tensor:
    """Vectors of any float type (n, D), scaled to length 1: float32."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
