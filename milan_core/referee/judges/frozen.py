"""Inputs of the mini judge: maps of a frozen network, and vectors of texts.

Images: chosen layers of a network, each brought to the same small grid. Texts: the mean of a
sentence encoder's last layer, or, where there is no encoder, a fixed random vector a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.core.files import file_sha256, text_hash
from milan_core.core.progress import tracked
from milan_core.core.seeding import generator
from milan_core.scoring.text_encoder import load_text_encoder
from milan_core.scoring.words import tokens

if TYPE_CHECKING:
    import torch

    from milan_core.networks.zoo import LoadedModel

IMAGES, TEXTS = 64, 16  # in one pass; constant, so that a text's bits do not depend on the others
WORD_WIDTH = 256
LONGEST = 64  # word pieces of a text that are read
_FILES = ("config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "vocab.txt")


def grid_maps(
    model: LoadedModel, layers: Sequence[str], images: Any, ids: np.ndarray, grid: int
) -> Iterator[list[torch.Tensor]]:
    """Maps of `images[ids]` batch by batch: float32 (b, cells, C) of every layer.

    Larger maps than the grid are averaged over its cells. Smaller ones stay as they are where the
    grid is a multiple of them, since what is linear in them is repeated later (`on_cells`).

    Args:
        model: the frozen network.
        layers: its layers, names or patterns.
        images: uint8 (N, H, W, 3).
        ids: int64 [n].
        grid: cells a side.

    """
    import torch

    from milan_core.networks.inputs import prepare
    from milan_core.networks.trace import Trace, resolve_layers

    names = resolve_layers(model.module, layers)
    recorded: dict[str, torch.Tensor] = {}

    def keep(name: str, output: torch.Tensor) -> None:
        maps, _ = model.layout.maps(output, name)
        recorded[name] = _on_grid(maps.float(), grid).cpu()  # the trained parts are small

    device = next((p.device for p in model.module.parameters()), "cpu")
    with torch.inference_mode(), Trace(model.module, names, keep) as trace:
        parts = [ids[start : start + IMAGES] for start in range(0, len(ids), IMAGES)]
        for part in tracked(parts, "looking", "image", total=len(ids), size=len):
            trace(prepare(np.asarray(images[part]), model.input, device))
            yield [recorded[name] for name in names]


def _on_grid(maps: torch.Tensor, grid: int) -> torch.Tensor:
    """(b, C, h, w) as (b, cells, C)."""
    from torch.nn import functional

    if max(maps.shape[2:]) > grid:
        maps = functional.adaptive_avg_pool2d(maps, grid)
    elif maps.shape[2] != maps.shape[3] or grid % maps.shape[2]:
        maps = functional.interpolate(maps, (grid, grid), mode="nearest")
    return maps.flatten(2).transpose(1, 2)


def on_cells(values: torch.Tensor, grid: int) -> torch.Tensor:
    """Values (b, cells, d) of a square map on a grid: (b, grid * grid, d), each cell repeated."""
    side = round(values.shape[1] ** 0.5)
    if side == grid:
        return values
    square = values.unflatten(1, (side, side))
    for axis in (1, 2):
        square = square.repeat_interleave(grid // side, axis)
    return square.flatten(1, 2)


class WordSums:
    """Texts as sums of fixed random vectors of their words, of length one; needs no files."""

    digest = "words"
    width = WORD_WIDTH

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors: float32 [texts, width]; zeros for a text without words."""
        out = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in tokens(text):
                row += self._word(word)
            row /= max(float(np.linalg.norm(row)), 1e-12)
        return out

    def _word(self, word: str) -> np.ndarray:
        if word not in self._known:
            drawn = generator(0, "judge word", word).standard_normal(self.width)
            self._known[word] = drawn.astype(np.float32)
        return self._known[word]


class SentenceVectors:
    """Texts by a sentence encoder of `transformers` in a folder (all-MiniLM-L6-v2).

    The vector is the mean of the last layer over all tokens, of length one, rounded to float16.
    Texts of equal length are encoded in batches of one size, so that a vector does not depend on
    the other texts.

    Raises:
        UserError: where the folder holds no encoder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._encoder = load_text_encoder(folder, "mini judge")
        self.width = self._encoder.width
        self.digest = folder_digest(folder)
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors: float32 [texts, width]; a text that was encoded once is remembered."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, self._embed(new).astype(np.float16), strict=True)
        found = [self._known[text] for text in texts]
        return (
            np.stack(found).astype(np.float32) if found else np.zeros((0, self.width), np.float32)
        )

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts: float32 [texts, width]."""
        ids = [self._encoder.ids(text, LONGEST) for text in texts]
        out = np.zeros((len(texts), self.width), np.float32)
        lengths = np.array([len(one) for one in ids])
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            for start in range(0, len(places), TEXTS):
                part = places[start : start + TEXTS]
                rows = np.array([ids[place] for place in part])
                out[part] = self._encode(np.resize(rows, (TEXTS, length)))[: len(part)]
        return out

    def _encode(self, ids: np.ndarray) -> np.ndarray:
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            tensor = torch.from_numpy(ids)
            states = self._encoder.states(tensor, torch.ones_like(tensor))[-1]
            return functional.normalize(states.mean(1), dim=1).half().numpy()


TextEncoder = WordSums | SentenceVectors


def folder_digest(folder: Path) -> str:
    """16 hexadecimal digits of the files of an encoder."""
    lines = [f"{name} {file_sha256(folder / name)}" for name in _FILES if (folder / name).is_file()]
    return text_hash("\n".join(lines), 16)
