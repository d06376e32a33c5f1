"""The probe before mining: are the images the same when read again, and what do the layers give."""

from __future__ import annotations

from collections.abc import Callable

import torch

from milan_core.core.errors import UserError
from milan_core.exemplars.batches import ImageSource
from milan_core.exemplars.forward import as_inputs
from milan_core.networks.probe.passes import random_states
from milan_core.networks.probe.result import Probe, ask_again
from milan_core.networks.probe.settle import settle
from milan_core.networks.zoo import LoadedModel

READ = 8  # images that are read twice
AGAIN = 8  # further readings of images that draw random numbers


def probe(
    network: LoadedModel,
    source: ImageSource,
    device: str,
    first: int = 0,
) -> Probe:
    """Read the first images twice, and settle the layers of a network on the device with them.

    Args:
        network: on its device; its layout gets the axes of its layers.
        source: the images; of a generator, its codes.
        device: where the network is.
        first: the first image that will be mined.

    Raises:
        UserError: for images that are drawn at random, and see `settle`.

    """
    rows = steady_rows(source, first)
    settled = settle(network, rows[:2], lambda batch: as_inputs(batch, device))
    if source.in_order and first:  # then the first image of a stream is not the first mined
        settled.sample.clear()
    return settled


def unchanged(network: LoadedModel, probed: Probe, device: str) -> None:
    """Refuse a network that has changed its answers since it was probed; for the end of a pass."""
    ask_again(network, probed, lambda batch: as_inputs(batch, device))


def steady_rows(source: ImageSource, first: int = 0) -> torch.Tensor:
    """The first inputs of a source; refuses a source that gives others when read again."""
    with torch.random.fork_rng(devices=[]):
        rows = source.first_rows(first, READ)
        _read_again(source, rows, lambda: source.first_rows(first, READ), watch=not source.in_order)
        if (items := source.items) is not None:  # one by one, since a loader always draws a seed
            _read_again(source, items(READ), lambda: items(READ), watch=True)
    return rows


def _read_again(
    source: ImageSource, rows: torch.Tensor, read: Callable[[], torch.Tensor], *, watch: bool
) -> None:
    """Refuse other images; those that draw random numbers are read several times."""
    for _ in range(AGAIN if watch else 1):
        before = random_states()
        other = read()
        if other.shape != rows.shape or not torch.equal(_plain(rows), _plain(other)):
            raise UserError(source.random_sentence)
        if random_states() == before:
            return


def _plain(rows: torch.Tensor) -> torch.Tensor:
    return rows.nan_to_num() if rows.is_floating_point() else rows
