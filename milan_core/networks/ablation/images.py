"""Images and labels that ablations are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.networks.feeding import fits, on_way
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec


class Inputs(Protocol):
    """Network inputs that can be taken by rows; a float tensor (n, ...) is one."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def __getitem__(self, rows: Any, /) -> torch.Tensor:
        """The inputs of some images, (len(rows), ...)."""
        ...


@dataclass(frozen=True)
class PreparedImages:
    """Stored images, uint8 (n, H, W, 3), that become network inputs only when they are taken.

    With `chosen`, int64 (m,), only these of them, which are not copied before either.
    """

    images: np.ndarray
    spec: InputSpec
    chosen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images if self.chosen is None else self.chosen)

    def __getitem__(self, rows: Any, /) -> torch.Tensor:
        return prepare(self.stored(rows), self.spec)

    def stored(self, rows: Any) -> np.ndarray:
        """The bytes of some images."""
        return self.images[rows if self.chosen is None else self.chosen[rows]]


@dataclass(frozen=True)
class ResidentImages:
    """Images on a device, where every pass finds them: bytes, or inputs without `spec`."""

    held: torch.Tensor
    spec: InputSpec | None

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, rows: Any, /) -> torch.Tensor:
        part = self.held[on_way(np.asarray(rows), self.held.device)]
        return part if self.spec is None else prepare(part, self.spec, part.device)


_COPIED = 256  # images copied to a device at once


def resident(inputs: Inputs, device: str) -> Inputs:
    """The inputs on a GPU, copied once, where they take at most half of its free memory."""
    if not isinstance(inputs, PreparedImages | torch.Tensor):
        return inputs
    stored = inputs.stored if isinstance(inputs, PreparedImages) else inputs.__getitem__
    first = stored(np.arange(1))
    first = first if isinstance(first, torch.Tensor) else torch.from_numpy(first)
    if not fits(len(inputs) * first.nbytes, device):
        return inputs
    held = torch.empty((len(inputs), *first.shape[1:]), dtype=first.dtype, device=device)
    for start in range(0, len(inputs), _COPIED):
        rows = np.arange(start, min(start + _COPIED, len(inputs)))
        held[start : start + len(rows)].copy_(torch.as_tensor(stored(rows)))
    return ResidentImages(held, inputs.spec if isinstance(inputs, PreparedImages) else None)


def checked_labels(inputs: Inputs, labels: np.ndarray) -> np.ndarray:
    """Labels as int64 (n,); refuses a count that differs from the images', and missing labels."""
    labels = np.asarray(labels)
    if labels.shape != (len(inputs),) or len(labels) == 0:
        msg = f"ablation needs one label per image, got {len(inputs)} images, labels {labels.shape}"
        raise UserError(msg)
    if labels.min() < 0:
        msg = "ablation needs labelled images, but some have none; choose a labelled data set"
        raise UserError(msg)
    return labels.astype(np.int64)


def check_logits(logits: torch.Tensor, labels: np.ndarray) -> None:
    """Refuse a network whose output cannot be compared with the labels."""
    if logits.ndim != 2 or logits.shape[1] <= labels.max():
        msg = (
            f"the network gives {tuple(logits.shape)}; expected logits (b, classes) with more than "
            f"{labels.max()} classes, the largest label: evaluate on the classes it was trained on"
        )
        raise UserError(msg)


def other_images(count: int, seed: int) -> np.ndarray:
    """For every image another one, each used once: a single cycle in random order; int64 (n,)."""
    order = generator(seed, "ablation", "resample").permutation(count)
    sources = np.empty(count, dtype=np.int64)
    sources[order] = np.roll(order, -1)
    return sources
