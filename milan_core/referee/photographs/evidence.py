"""Evidence columns: how much of every word of the vocabulary each photograph shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.progress import tracked
from milan_core.images.fetch.installed import asset_folder
from milan_core.referee.photographs.attributes import SIZE, attribute_columns
from milan_core.referee.photographs.vocabulary import (
    CLASSES,
    Word,
    class_names,
    membership,
    vocabulary,
)

if TYPE_CHECKING:
    import torch

SHOWN = 0.35  # probability of a word's classes from which an image shows it
STRONGEST = 0.2  # share of the images that show an attribute
FEWEST, LEAST = 5, 0.5  # a word is looked for if the mean of its 5 largest columns reaches .5
BATCH = 32
PROMPT = "a photo of a {}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence of n images for W words.

    Attributes:
        words: the vocabulary.
        columns: float32 [n, W]; probabilities of groups and classes, strengths of attributes.

    """

    words: tuple[Word, ...]
    columns: np.ndarray

    def of(self, rows: np.ndarray) -> Evidence:
        """The same for some of the images."""
        return Evidence(self.words, self.columns[rows])

    def presence(self) -> np.ndarray:
        """Bool [n, W]: a probability above `SHOWN`; of attributes the strongest fifth."""
        attribute = np.array([word.kind == "attribute" for word in self.words])
        level = np.where(attribute, np.quantile(self.columns, 1 - STRONGEST, axis=0), SHOWN)
        return self.columns > level

    def usable(self) -> np.ndarray:
        """Bool [W]: words that some of the images clearly show; attributes always."""
        strongest = np.sort(self.columns, axis=0)[-FEWEST:].mean(0)
        return (strongest >= LEAST) | [word.kind == "attribute" for word in self.words]


def lite0_weights(folder: Path | str) -> Path:
    """The weights of EfficientNet-Lite0: below the folder of its asset, else of its package.

    Raises:
        UserError: there are none.

    """
    place = asset_folder("efficientnet_lite0", folder)
    files = sorted(place.glob("*/models/efficientnet-lite0-*.pth"))
    if not files:
        raise UserError(
            f"no weights of EfficientNet-Lite0 below {place}; `milan fetch efficientnet_lite0` "
            "brings them"
        )
    return files[0]


def photograph_evidence(images: np.ndarray, weights: Path, device: str = "cpu") -> Evidence:
    """Evidence of uint8 images (n, H, W, 3), RGB.

    Each batch of `BATCH` images is resized to 224 pixels and read once by EfficientNet-Lite0 with
    its ImageNet `weights`, and by the pixel attributes.
    """
    import torch

    from milan_core.networks.minis.efficientnet_lite import efficientnet_lite0
    from milan_core.networks.weights import load_weights

    network = efficientnet_lite0()
    load_weights(network, weights)
    network.to(device)
    probabilities = np.zeros((len(images), CLASSES), np.float32)
    attributes = []
    for start, batch in _batches(images):
        with torch.inference_mode():
            inputs = ((batch - 0.5) / 0.5).to(device, memory_format=torch.channels_last)
            logits = network(inputs).float().cpu()
            probabilities[start : start + len(batch)] = logits.softmax(1).numpy()
            attributes.append(attribute_columns(batch))
    return _joined(probabilities, attributes)


def encoder_evidence(
    images: np.ndarray, source: str, device: str = "cpu", *, download: bool = False
) -> Evidence:
    """Evidence of the same words by a CLIP or SigLIP, a folder or hub name.

    The probabilities of the classes are its zero-shot ones: the softmax over "a photo of a NAME" of
    its own scale times the cosines.
    """
    from milan_core.core.step import Compute
    from milan_core.referee.judge import JudgeResources
    from milan_core.referee.judges.dual_encoder import Judge
    from milan_core.referee.options import DualEncoderOptions

    options = DualEncoderOptions(kind="dual_encoder", source=source, download=download)
    encoder = Judge.load(options, JudgeResources(compute=Compute(device=device)))
    texts = encoder.embed([PROMPT.format(name) for name in class_names()]).astype(np.float64)
    cosines = encoder.encode(images, np.arange(len(images))).astype(np.float64) @ texts.T
    scaled = encoder.sharpness * cosines
    exponents = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities = (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)
    return _joined(probabilities, [attribute_columns(batch) for _, batch in _batches(images)])


def _batches(images: np.ndarray) -> Iterator[tuple[int, torch.Tensor]]:
    """Images as float32 (n, 3, 224, 224) in [0, 1], a batch at a time, with the first's number."""
    import torch
    import torch.nn.functional as F

    for start in tracked(range(0, len(images), BATCH), "looking", "batch"):
        pixels = torch.from_numpy(
            np.array(images[start : start + BATCH])
        )  # a mapped file is read-only
        batch = pixels.permute(0, 3, 1, 2).float() / 255
        if batch.shape[2:] != (SIZE, SIZE):
            batch = F.interpolate(batch, (SIZE, SIZE), mode="bilinear", antialias=True)
        yield start, batch


def _joined(probabilities: np.ndarray, attributes: list[np.ndarray]) -> Evidence:
    """Groups, classes and attributes side by side."""
    words = vocabulary()
    named = probabilities @ membership([word for word in words if word.kind != "attribute"])
    return Evidence(words, np.concatenate([named, np.concatenate(attributes)], axis=1))
