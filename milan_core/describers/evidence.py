"""Evidence of concept-based methods: packed masks and activations over many images.

Two passes over the images, all layers at once: the first finds the level of every unit, the second
keeps the masks above it; without masks one pass is enough. Masks are packed and only those with a
pixel are kept, on disk while they come, so that memory does not grow with the number of images.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.ops import ScanState
from milan_core.ops.formulas import SparseMasks, mask_words

if TYPE_CHECKING:
    import torch

    from milan_core.exemplars.sources import ImageSource
    from milan_core.networks.zoo import LoadedModel

Levels = dict[float, np.ndarray]  # float32 [U] by quantile
Receive = Callable[[str, "torch.Tensor", np.ndarray], None]  # layer, maps [b, U, h, w], image ids


class UnitMasks:
    """Masks of the units of one layer at one quantile, written by image, read by unit."""

    def __init__(self, units: int, folder: Path) -> None:
        self.units = units
        self._spool: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._words = 0
        self._keys: list[np.ndarray] = []  # (unit, image) of each row, in the order of the file

    def add(self, units: np.ndarray, images: np.ndarray, words: np.ndarray) -> None:
        """Keep the masks of some units in some images that have a pixel: words uint64 [m, W]."""
        there = words.any(1)
        self._words = words.shape[1]
        self._spool.write(np.ascontiguousarray(words[there]).data)
        self._keys.append(np.stack([units[there], images[there]]).astype(np.int64))

    def finish(self) -> None:
        """Order the rows by unit, then image."""
        keys = np.concatenate(self._keys, axis=1) if self._keys else np.zeros((2, 0), np.int64)
        self._order = np.lexsort((keys[1], keys[0]))
        self._images = keys[1][self._order]
        self.starts = np.searchsorted(keys[0][self._order], np.arange(self.units + 1))
        self._spool.flush()
        shape = (len(self._order), max(self._words, 1))
        self._bits = (
            np.memmap(self._spool, np.uint64, "r", shape=shape)
            if shape[0]
            else np.zeros(shape, np.uint64)
        )
        self._spool.close()  # the map holds on to the file, which has no name

    def block(self, first: int, last: int) -> SparseMasks:
        """Units first to last - 1, in memory; groups are units, members images."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        starts = (self.starts[first : last + 1] - begin).astype(np.int64)
        return SparseMasks(starts, self._images[begin:end], self._bits[self._order[begin:end]])

    def blocks(self, rows: int = 1 << 16) -> list[tuple[int, int]]:
        """Ranges of units whose masks hold about `rows` rows, and at least one unit."""
        block, first = [], 0
        while first < self.units:
            last = int(np.searchsorted(self.starts, self.starts[first] + rows, "right")) - 1
            last = min(max(last, first + 1), self.units)
            block.append((first, last))
            first = last
        return block


class LayerEvidence:
    """One layer: masks per quantile, and the activations of every unit on every image."""

    def __init__(self, units: int, images: int, levels: Levels, folder: Path, size: int) -> None:
        self.levels = levels  # float32 [U] by quantile
        self.masks = {quantile: UnitMasks(units, folder) for quantile in levels}
        self.maxima = np.zeros((units, images), np.float32)  # over positions
        self.means = np.zeros((units, images), np.float32)
        self._size = size

    def add(self, maps: np.ndarray, ids: np.ndarray) -> None:
        """Take in the maps float32 [b, U, h, w] of some images."""
        tops = maps.max((2, 3))
        self.maxima[:, ids] = tops.T
        self.means[:, ids] = maps.mean((2, 3)).T
        for quantile, level in self.levels.items():
            # Interpolation, and blending with zero at the border, cannot exceed these.
            rows, units = np.nonzero(np.maximum(tops, 0) > level)
            if len(rows):
                packed = ops.masks(maps[rows, units], level[units], self._size)
                self.masks[quantile].add(units, ids[rows], mask_words(packed))


def gather(
    loaded: LoadedModel,
    source: ImageSource,
    quantiles: Sequence[float],
    size: int,
    folder: Path,
    *,
    batch_size: int = 64,
    device: str = "cpu",
    threads: int = 1,
) -> dict[str, LayerEvidence]:
    """The evidence of every layer of a network over all images of `source`.

    Args:
        loaded: the network with its layers.
        source: the images.
        quantiles: of the unit's own activations over these images, one mask each.
        size: side of the masks in pixels.
        folder: where masks wait on disk; the files vanish with the process.
        batch_size: images in each forward pass.
        device: where the network runs.
        threads: of the statistics.

    """
    wanted = tuple(sorted(set(quantiles)))
    levels: Mapping[str, Levels] = {}
    if wanted:
        levels = _levels(loaded, source, wanted, batch_size, device, threads)
    layers: dict[str, LayerEvidence] = {}

    def keep(layer: str, maps: torch.Tensor, ids: np.ndarray) -> None:
        if layer not in layers:
            own_levels = levels.get(layer, {})
            layers[layer] = LayerEvidence(maps.shape[1], source.total, own_levels, folder, size)
        layers[layer].add(np.ascontiguousarray(maps.float().numpy()), ids)

    stream(loaded, source, keep, batch_size, device)
    for layer, evidence in layers.items():
        if np.isnan(evidence.maxima).any():
            raise _nan_activations(layer)
        for masks in evidence.masks.values():
            masks.finish()
    return layers


def _levels(
    loaded: LoadedModel,
    source: ImageSource,
    quantiles: tuple[float, ...],
    batch_size: int,
    device: str,
    threads: int,
) -> dict[str, Levels]:
    """Levels float32 [U] of every layer, by quantile: one pass over the images."""
    scans: dict[str, ScanState] = {}

    def scan(layer: str, maps: torch.Tensor, ids: np.ndarray) -> None:
        if layer not in scans:
            units, height, width = maps.shape[1:]
            scans[layer] = ScanState(
                units, (height, width), 1, quantiles, source.total, keep_maps=False
            )
        scans[layer].update(maps, ids, threads)

    stream(loaded, source, scan, batch_size, device)
    for layer, state in scans.items():
        if state.counts()["nan"].any():
            raise _nan_activations(layer)
    return {
        layer: {quantile: state.levels(quantile)[0] for quantile in quantiles}
        for layer, state in scans.items()
    }


def _nan_activations(layer: str) -> UserError:
    return UserError(f"layer {layer!r} has NaN activations; check the network's weights")


def stream(
    loaded: LoadedModel, source: ImageSource, receive: Receive, batch_size: int, device: str
) -> None:
    """One forward pass over all images; `receive` gets the maps of each layer on the CPU."""
    import torch

    from milan_core.exemplars.probed import probe
    from milan_core.networks.trace import Trace

    current = np.zeros(0, np.int64)

    def on_output(layer: str, output: torch.Tensor) -> None:
        maps, _ = loaded.layout.maps(output, layer)
        probed.check_rows(layer, maps, batch_size)
        # The rows that fill up the last batch have no id.
        receive(layer, maps[: len(current)].cpu(), current)

    loaded.module.to(device)
    probed = probe(loaded, source, device, torch.float32)
    trace = Trace(loaded.module, loaded.layers, on_output, post_relu=loaded.post_relu)
    with torch.inference_mode(), trace:
        for batch, ids in source.batches((0, 1), batch_size):
            current = ids
            inputs = batch.to(device)
            if inputs.ndim == 4:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            trace(inputs)
