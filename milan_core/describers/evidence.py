"""Evidence of concept-based methods: packed masks and activations over many images.

Two passes over the images, all layers at once: the first finds the level of every unit, the second
keeps the masks above it; without masks one pass is enough. Masks are packed and only those with a
pixel are kept, on disk while they come, so that memory does not grow with the number of images.
The status of the units (`exemplars.status`) is settled on the way, as mining settles it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.core.progress import tracked
from milan_core.exemplars.options import MiningOptions
from milan_core.exemplars.status import FlatUnits, unit_status
from milan_core.ops import ScanState, cuda
from milan_core.ops.formulas import SparseMasks, mask_words

if TYPE_CHECKING:
    import torch

    from milan_core.exemplars.batches import ImageSource
    from milan_core.networks.zoo import LoadedModel

STATUS_QUANTILE = MiningOptions().quantile
"""A unit whose largest value is no larger than this quantile of its values is saturated."""
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

    status: np.ndarray  # str [U], see `exemplars.status`

    def __init__(self, units: int, images: int, levels: Levels, folder: Path, size: int) -> None:
        self.levels = levels  # float32 [U] by quantile
        self.masks = {quantile: UnitMasks(units, folder) for quantile in levels}
        self.maxima = np.zeros((units, images), np.float32)  # over positions
        self.means = np.zeros((units, images), np.float32)
        self._size = size

    def add(self, maps: torch.Tensor, ids: np.ndarray) -> None:
        """Take in the maps [b, U, h, w] of some images, which stay on their device."""
        host = None if cuda.on_device(maps) else np.ascontiguousarray(maps.float().numpy())
        if host is not None:
            tops, means = host.max((2, 3)), host.mean((2, 3))
        else:
            maps = maps.float()
            tops, means = _reduced(maps)
        self.maxima[:, ids] = tops.T
        self.means[:, ids] = means.T
        for quantile, level in self.levels.items():
            # Interpolation, and blending with zero at the border, cannot exceed these.
            rows, units = np.nonzero(np.maximum(tops, 0) > level)
            if len(rows):
                if host is not None:
                    packed = ops.masks(host[rows, units], level[units], self._size)
                else:
                    packed = _packed_there(maps, rows, units, level[units], self._size)
                self.masks[quantile].add(units, ids[rows], mask_words(packed))


def _reduced(maps: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Largest values and means of maps on a device, each [b, U], in one copy."""
    import torch

    both = torch.stack([maps.amax((2, 3)), maps.mean((2, 3))]).cpu().numpy()
    return both[0], both[1]


def _packed_there(
    maps: torch.Tensor, rows: np.ndarray, units: np.ndarray, levels: np.ndarray, size: int
) -> np.ndarray:
    """Packed masks of maps[rows, units], made where the maps are; only the masks are copied."""
    import torch

    from milan_core.networks.feeding import on_way

    picked = maps[on_way(rows, maps.device), on_way(units, maps.device)].contiguous()
    if not cuda.usable(picked):
        return ops.masks(picked.cpu().numpy(), levels, size)
    shape = (len(rows), size, -(-size // 8))
    out = torch.empty(shape, dtype=torch.uint8, device=maps.device)
    cuda.masks(picked, on_way(levels, maps.device), size, out)
    return out.cpu().numpy()


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
    scan = _Scan(quantiles, source.total, threads)
    if quantiles:
        stream(loaded, source, scan.add, batch_size, device)
        scan.refuse_nan()
    layers: dict[str, LayerEvidence] = {}

    def keep(layer: str, maps: torch.Tensor, ids: np.ndarray) -> None:
        if not quantiles:
            scan.add(layer, maps, ids)
        if layer not in layers:
            levels = {q: scan.states[layer].levels(q)[0] for q in sorted(set(quantiles))}
            layers[layer] = LayerEvidence(maps.shape[1], source.total, levels, folder, size)
        layers[layer].add(maps, ids)

    stream(loaded, source, keep, batch_size, device)
    for layer, evidence in layers.items():
        if np.isnan(evidence.maxima).any():
            raise _nan_activations(layer)
        evidence.status = scan.status(layer)
        for masks in evidence.masks.values():
            masks.finish()
    return layers


class _Scan:
    """Levels and status of the units of every layer, in one pass over the images."""

    def __init__(self, quantiles: Sequence[float], images: int, threads: int) -> None:
        self.states: dict[str, ScanState] = {}
        self._quantiles = sorted({*quantiles, STATUS_QUANTILE})
        self._images, self._threads, self._flat = images, threads, FlatUnits()

    def add(self, layer: str, maps: torch.Tensor, ids: np.ndarray) -> None:
        """Take in the maps (b, U, h, w) of some images."""
        if layer not in self.states:
            units, height, width = maps.shape[1:]
            self.states[layer] = ScanState(
                *(units, (height, width), 1, self._quantiles, self._images), keep_maps=False
            )
        self.states[layer].update(maps, ids, self._threads)
        if len(ids):
            self._flat.add(layer, maps)

    def refuse_nan(self) -> None:
        """Refuse a layer with NaN among its activations."""
        for layer, state in self.states.items():
            if state.counts()["nan"].any():
                raise _nan_activations(layer)

    def status(self, layer: str) -> np.ndarray:
        """The status of every unit: str [U]."""
        state = self.states[layer]
        constant = self._flat.constant(layer, state.spec.units)
        levels, largest = state.levels(STATUS_QUANTILE)[0], state.topk()[1][:, 0]
        return unit_status(state.counts(), constant, levels, largest)


def _nan_activations(layer: str) -> UserError:
    return UserError(f"layer {layer!r} has NaN activations; check the network's weights")


def stream(
    loaded: LoadedModel, source: ImageSource, receive: Receive, batch_size: int, device: str
) -> None:
    """One forward pass over all images; `receive` gets the maps of each layer on their device."""
    import torch

    from milan_core.exemplars.forward import as_inputs
    from milan_core.exemplars.probed import probe, unchanged
    from milan_core.networks.kept import eval_mode
    from milan_core.networks.trace import Trace

    current = np.zeros(0, np.int64)

    def on_output(layer: str, output: torch.Tensor) -> None:
        maps, _ = loaded.layout.maps(output, layer)
        probed.check_rows(layer, maps, batch_size)
        # The rows that fill up the last batch have no id.
        receive(layer, maps[: len(current)], current)

    loaded.module.to(device)
    trace = Trace(loaded.module, loaded.layers, on_output, post_relu=loaded.post_relu)
    with eval_mode(loaded.module):
        probed = probe(loaded, source, device)
        with torch.no_grad(), trace:
            batches = source.batches((0, 1), batch_size, device=device)
            for batch, ids in tracked(
                batches, "activations", "image", total=source.total, size=lambda one: len(one[1])
            ):
                current = ids
                trace(as_inputs(batch, device))
        unchanged(loaded, probed, device)
