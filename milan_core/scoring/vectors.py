"""Vectors of single words, from a transformers encoder in a local folder.

The vector of a word is the mean over its word pieces of the encoder's last layer when it reads the
word alone, scaled to length one. The published analysis used the GloVe vectors of a spaCy pipeline
that no small package holds; here the encoder of BERTScore serves, so that no further download is
needed. Squared distances lie between 0 (same word) and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.scoring.text_encoder import TextEncoder, load_text_encoder, padded

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def encoder_folder(asset: Path) -> Path:
    """The folder below an asset (its folder or asset.json) that holds a transformers encoder."""
    root = asset if asset.is_dir() else asset.parent
    for config in sorted(root.rglob("config.json")):
        if any((config.parent / name).is_file() for name in _WEIGHTS):
            return config.parent
    message = (
        f"no transformers model below {root} (config.json beside {_WEIGHTS[0]}); fetch the asset "
        "again, or set generalization.bertscore and analyze.vectors to null"
    )
    raise UserError(message)


class WordVectors:
    """Vectors of words by the encoder in `folder`; each word is encoded once."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / "config.json").is_file():
            message = f"no transformers model in {self.folder} (config.json missing)"
            raise UserError(message)
        self._known: dict[str, np.ndarray] = {}
        self._encoder: TextEncoder | None = None

    def of(self, words: Sequence[str]) -> np.ndarray:
        """Unit vectors of `words`, float32 (n, width)."""
        new = sorted({word.lower() for word in words} - self._known.keys())
        for start in range(0, len(new), 64):
            part = new[start : start + 64]
            self._known.update(zip(part, self._encode(part), strict=True))
        return np.stack([self._known[word.lower()] for word in words])

    def _encode(self, words: Sequence[str]) -> np.ndarray:
        import torch

        if self._encoder is None:
            self._encoder = load_text_encoder(self.folder, "word vectors")
        encoder = self._encoder
        ids, mask = padded([encoder.ids(word, encoder.longest) for word in words], encoder.pad)
        special = torch.tensor(sorted(encoder.special))
        pieces = (mask.bool() & ~torch.isin(ids, special)).long()[..., None]
        with torch.inference_mode():
            states = encoder.states(ids, mask)[-1]
        means = (states * pieces).sum(1) / pieces.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(means, dim=1).numpy()


def max_word_difference(vectors: np.ndarray) -> float:
    """Largest squared Euclidean distance between two rows of `vectors` (n, width); 0 for one."""
    return max(
        (float(((a - b) ** 2).sum(dtype=np.float64)) for a, b in combinations(vectors, 2)),
        default=0.0,
    )
