"""The inputs of the probe, and passes of a network that show whether it draws at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.seeding import torch_generator
from milan_core.networks.calling import again
from milan_core.networks.trace import OnOutput, Trace
from milan_core.networks.zoo import LoadedModel

Feed = Callable[[torch.Tensor], torch.Tensor]

FIRST, OTHER, THIRD = 2, 3, 5  # images in the passes, all different and without common factors
LARGE = 128  # pixels; a second size is smaller from there on, and larger below


class Inputs:
    """The batches of the probe, made of one or two inputs of the network.

    Args:
        rows: the first inputs that will be mined, (1 or 2, ...).

    """

    def __init__(self, rows: torch.Tensor) -> None:
        self._images = rows.ndim == 4 and rows.is_floating_point()
        self._one = rows[:1]
        self._two = rows[1:2] if len(rows) > 1 else self._noise() if self._images else rows[:1]

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of an image; None for inputs of another form."""
        return (self._one.shape[2], self._one.shape[3]) if self._images else None

    def first(self) -> torch.Tensor:
        """Two inputs; the second is the one that all passes share."""
        return torch.cat([self._two, self._one])

    def third(self) -> torch.Tensor:
        """Five inputs: the shared one, and the same with a quarter of the image replaced each."""
        if not self._images:
            return torch.cat([self._one, *[self._two] * (THIRD - 1)])
        noise, (height, width) = self._noise(), self._one.shape[2:]
        batch = [self._one]
        for row in (0, 1):
            for column in (0, 1):
                changed = self._one.clone()
                rows = slice(row * height // 2, height // 2 if row == 0 else height)
                columns = slice(column * width // 2, width // 2 if column == 0 else width)
                changed[:, :, rows, columns] = noise[:, :, rows, columns]
                batch.append(changed)
        return torch.cat(batch)

    def other_sizes(self) -> Iterator[torch.Tensor]:
        """Three inputs each of another height and width, to try in this order."""
        if not self._images:
            return
        batch = torch.cat([self._one, self._two, self._one])
        for sides in _other_sides(self._one.shape[2], self._one.shape[3]):
            yield F.interpolate(batch, sides, mode="bilinear", align_corners=False)

    def _noise(self) -> torch.Tensor:
        """Values of standard deviation 1, the same in every run: about that of any input."""
        noise = torch.randn(self._one.shape, generator=torch_generator(0, "probe"))
        return noise.to(self._one.dtype)


def _other_sides(height: int, width: int) -> Iterator[tuple[int, int]]:
    """A rectangle whose sides change by different ratios, then a square for networks that need it.

    Multiples of 32, as most networks halve their maps five times.
    """
    if min(height, width) >= LARGE:
        yield max(32, (height - 64) // 32 * 32), max(32, (width - 32) // 32 * 32)
        yield max(32, height // 64 * 32), max(32, width // 64 * 32)
    else:
        yield 2 * height, width + (width + 1) // 2
        yield 2 * height, 2 * width


def run(network: LoadedModel, batch: torch.Tensor, feed: Feed, receive: OnOutput) -> bool:
    """One pass in plain PyTorch; True when something drew random numbers meanwhile."""

    def once() -> None:
        with Trace(network.module, network.layers, receive, post_relu=network.post_relu) as trace:
            trace(feed(batch))

    before = random_states()
    with torch.no_grad():
        again(once)
    return random_states() != before


def try_run(network: LoadedModel, batch: torch.Tensor, feed: Feed, receive: OnOutput) -> None:
    """A pass that may fail: a network need not take inputs of this size."""
    try:
        run(network, batch, feed, receive)
    except (UserError, RuntimeError, ValueError, AssertionError):
        return


def has_generator(model: nn.Module) -> bool:
    """Whether a module holds a generator of random numbers of its own, whose state is not seen."""
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    return any(isinstance(value, kinds) for m in model.modules() for value in vars(m).values())


def random_states() -> tuple[Any, ...]:
    """The states of all common generators of random numbers."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - user code draws from it
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return (
        random.getstate(),
        numpy_state[1].tobytes(),
        numpy_state[2],
        torch.get_rng_state().numpy().tobytes(),
        *(state.numpy().tobytes() for state in devices),
    )


def gpus() -> list[int]:
    """The GPUs whose random numbers a probe keeps, for `fork_rng`."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
