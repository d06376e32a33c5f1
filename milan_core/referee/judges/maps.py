"""The trained parts of the mini judge, and the presence that they give.

    p(text in image) = 1 - prod over positions (1 - sigmoid(s cos(image at position, text) + b))

Images and texts come as vectors of frozen networks (`mini`, `training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milan_core.core.shapes import check_arrays
from milan_core.referee.judges.frozen import on_cells

if TYPE_CHECKING:
    import torch

IMAGES = 128  # of one product
MOST = 30.0  # summed evidence beyond which presence is certain in float32


@dataclass(frozen=True, eq=False)
class Maps:
    """The trained parts, float32.

    Attributes:
        mean, deviation: of each layer's channels, [C].
        image_weight, image_bias: of each layer, [width, C] and [width].
        text_weight, text_bias: [width, d] and [width].
        scale, bias: s and b of the sigmoid.

    """

    mean: list[torch.Tensor]
    deviation: list[torch.Tensor]
    image_weight: list[torch.Tensor]
    image_bias: list[torch.Tensor]
    text_weight: torch.Tensor
    text_bias: torch.Tensor
    scale: float
    bias: float

    def of_images(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Unit vectors (b, cells, width) of maps (b, cells, C) of every layer.

        Coarser maps are repeated to the cells of the finest.
        """
        from torch.nn import functional

        layers = zip(maps, self.mean, self.deviation, strict=True)
        parts = [
            functional.linear((part - mean) / deviation, weight, bias)
            for (part, mean, deviation), weight, bias in zip(
                layers, self.image_weight, self.image_bias, strict=True
            )
        ]
        grid = round(max(part.shape[1] for part in parts) ** 0.5)
        cells = [on_cells(part, grid) for part in parts]
        return functional.normalize(sum(cells[1:], cells[0]), dim=2)

    def of_texts(self, vectors: torch.Tensor) -> torch.Tensor:
        """Unit vectors (T, width) of text vectors (T, d)."""
        from torch.nn import functional

        return functional.normalize(
            functional.linear(vectors, self.text_weight, self.text_bias), dim=1
        )

    def evidence(
        self, images: torch.Tensor, texts: torch.Tensor, shares: torch.Tensor | None = None
    ) -> torch.Tensor:
        """-log of absence, summed over cells: (b, T); `shares` (b, cells) weigh the cells."""
        return summed_evidence(self.scale * (images @ texts.T) + self.bias, shares)

    def arrays(self) -> dict[str, np.ndarray]:
        """As stored."""
        out = {"text.weight": self.text_weight, "text.bias": self.text_bias}
        for name in ("mean", "deviation", "image_weight", "image_bias"):
            out |= {f"{name}.{place}": part for place, part in enumerate(getattr(self, name))}
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in out.items()}
        return {**arrays, "sigmoid": np.array([self.scale, self.bias], np.float32)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Maps:
        """From what `arrays` gave; raises `ValueError` where that cannot be."""
        import torch

        tensors = {name: torch.from_numpy(np.array(part)) for name, part in arrays.items()}
        layers = sum(name.startswith("mean.") for name in tensors)
        check_arrays(arrays, _declared(layers))
        parts = {
            name: [tensors[f"{name}.{place}"] for place in range(layers)]
            for name in ("mean", "deviation", "image_weight", "image_bias")
        }
        scale, bias = tensors["sigmoid"].tolist()
        return cls(
            **parts,
            text_weight=tensors["text.weight"],
            text_bias=tensors["text.bias"],
            scale=scale,
            bias=bias,
        )


def _declared(layers: int) -> dict[str, str]:
    """Types and axes of the arrays of `Maps`."""
    forms = {"text.weight": "float32 width text", "text.bias": "float32 width"}
    for place in range(layers):
        forms |= {f"{name}.{place}": f"float32 C{place}" for name in ("mean", "deviation")}
        forms[f"image_weight.{place}"] = f"float32 width C{place}"
        forms[f"image_bias.{place}"] = "float32 width"
    return {**forms, "sigmoid": "float32 2"}


def summed_evidence(logits: torch.Tensor, shares: torch.Tensor | None = None) -> torch.Tensor:
    """Sum over cells of log(1 + exp(logit)), weighed by `shares`: (b, T) of (b, cells, T).

    Seven times as fast as torch's softplus, whose log1p takes one number at a time; the difference
    is at most 6e-8 a cell.
    """
    evidence = (logits.clamp(max=80).exp() + 1).log()
    return evidence.sum(1) if shares is None else (evidence * shares[:, :, None]).sum(1)


def cell_means(vectors: np.ndarray) -> np.ndarray:
    """Means over cells: float32 [images, width] of float16 [images, cells, width]."""
    parts = [
        vectors[first : first + IMAGES].astype(np.float32).mean(1)
        for first in range(0, len(vectors), IMAGES)
    ]
    return np.concatenate(parts)
