"""Mining: one forward pass over the images, all layers at once (spec 2.3; performance.md 0)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError, unknown
from milan_core.core.files import canonical_json
from milan_core.exemplars.sample import sample_state, sampled_images, stretches
from milan_core.exemplars.sketch import QuantileSketch
from milan_core.exemplars.sources import Batch, open_source
from milan_core.exemplars.state import Header, MiningState
from milan_core.exemplars.store import ExemplarSet
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.precision import as_dtype
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import model_hash
from milan_core.ops import ScanState

LEVELS = {"binned": 10, "exact": 23, "sketch": 10}  # mantissa bits of a histogram bin


def mine(
    model: nn.Module,
    images: Any,
    layers: str | Iterable[str],
    *,
    k: int = 15,
    quantile: float = 0.99,
    batch_size: int = 64,
    device: str = "cpu",
    shard: tuple[int, int] | None = None,
    input: InputSpec | None = None,
    post_relu: str | Iterable[str] = (),
    layout: Layout | None = None,
    threads: int = 1,
    mode: str = "top",
    levels: str = "binned",
    sample: int = 0,
    bands: int = 0,
    band_size: int = 3,
    dtype: str = "float32",
    compiled: bool | str = False,
    seed: int = 0,
    require_k: bool = False,
    progress: bool = False,
    name: str = "",
) -> ExemplarSet:
    """Find the k images that drive each unit of `layers` most, with levels and maps.

    Args:
        model: any module; its mode and device are restored afterwards.
        images: see `milan_core.exemplars.sources.open_source`; their order gives the image ids.
        layers: module names or patterns (`milan_core.networks.trace.resolve_layers`).
        k: exemplars a unit.
        quantile: the level above which a position belongs to the mask.
        batch_size: images in each forward; the last batch is filled up. For one batch size the
            result is the same to the byte for any shards. Another batch size may change the
            rounding of the network itself (about 1e-6 of an activation, one near-tie in 13,000
            exemplars of EfficientNet-Lite0), never that of the statistics.
        device: where the network runs; statistics are collected there too when the native core was
            built with CUDA, and on the CPU otherwise, with equal results.
        shard: (i, n): only images i, i + n, ...; the result then waits for `merge`.
        input: how stored uint8 images are normalised; not used for ready-made tensors.
        post_relu: layers recorded after a ReLU (spec 2.6).
        layout: how outputs become maps; `load_network` gives it.
        threads: of the statistics kernel; torch's own threads are torch's setting.
        mode: "top", "bottom" or "magnitude" (`milan_core.ops.ScanState`).
        levels: "binned" within 2^-10 of the true value, "exact" (memory: see `ScanState`), or
            "sketch", the published estimate (`milan_core.exemplars.sketch`), which reads the images
            in order and so cannot be sharded.
        sample: images read whole, for the distribution of values and for bands; 0: none.
        bands: draw `band_size` images from each of so many bands of the sampled images'
            activations (`milan_core.exemplars.sample`); 0: none.
        band_size: images drawn from each band.
        dtype: "float32", or "bfloat16" for a network that runs in bfloat16 (about twice as fast
            where the processor has it; the activations change, their levels are then exact).
        compiled: run the network through `torch.compile`; half a minute at the start.
        seed: of the sketch; nothing else here is random.
        require_k: refuse a dataset with fewer than k images, instead of leaving ids of -1.
        progress: show a progress bar.
        name: of the model, for the records; default: its class.

    """
    source = open_source(images, input)
    if require_k and source.total < k:
        msg = f"fewer images than k: the dataset has {source.total}, and k is {k}; lower k"
        raise UserError(msg)
    if bands and not sample:
        msg = f"bands are drawn from the sampled images: give sample >= 1 with bands={bands}"
        raise UserError(msg)
    index, of = _checked_shard(shard)
    if levels == "sketch" and of > 1:
        msg = f"levels: sketch reads the images in order; set exemplars.shards to 1 (got {of})"
        raise UserError(msg)
    layout = layout or Layout()
    trace_options = {"layers": layers, "post_relu": post_relu, "compiled": compiled}
    scan_options = {"k": k, "quantile": quantile, "mode": mode, "total_images": source.total}
    scan_options["bits"] = _bits(levels)
    weights = model_hash(model)
    with _on_device(model, device), as_dtype(model, dtype) as kind:
        scan = _Scan(model, trace_options, scan_options, layout, threads)
        scan.dtype, scan.sampled = kind, sampled_images(source.total, sample)
        scan.sketch_seed = seed if levels == "sketch" else None
        count = -(-len(range(index, source.total, of)) // batch_size)
        scan.run(_shown(source.batches((index, of), batch_size), count, progress), device)
    header = Header(
        model=name or type(model).__name__,
        model_hash=weights,
        dataset=source.fingerprint,
        images=source.total,
        layers=tuple(scan.trace.layers),
        k=k,
        quantile=quantile,
        mode=mode,
        post_relu=tuple(sorted(scan.trace.rectified)),
        vit_spatialise=layout.tokens.spatialise,
        layout=canonical_json(layout.facts()),
        input=canonical_json(input.facts()) if input else "",
        dtype=dtype,
        levels=levels,
        sample=min(sample, source.total),
        bands=bands,
        band_size=band_size if bands else 0,
        of=of,
        have=(index,),
    )
    estimated = {layer: sketch.quantile(quantile) for layer, sketch in scan.sketches.items()}
    result = ExemplarSet.from_state(MiningState(header, scan.states, scan.samples, estimated))
    result.images = source.stored
    return result


class _Scan:
    """The loop over batches, and the statistics of each layer."""

    def __init__(
        self,
        model: nn.Module,
        trace_options: dict[str, Any],
        scan_options: dict[str, Any],
        layout: Layout,
        threads: int,
    ) -> None:
        self.trace = Trace(model, on_output=self._receive, **trace_options)
        self.states: dict[str, ScanState] = {}
        self.samples: dict[str, ScanState] = {}
        self.sketches: dict[str, QuantileSketch] = {}
        self.sampled = np.zeros(0, bool)  # which images are in the sample
        self.sketch_seed: int | None = None  # None: no sketches
        self.dtype = torch.float32
        self._scan_options = scan_options
        self._layout = layout
        self._threads = threads
        self._ids = np.zeros(0, np.int64)  # of the batch that is under way

    def run(self, batches: Iterable[Batch], device: str) -> None:
        """Pass every batch through the network once."""
        with torch.inference_mode(), self.trace:
            for number, (batch, self._ids) in enumerate(batches):
                inputs = _sent(batch, device)
                if inputs.is_floating_point():
                    inputs = inputs.to(self.dtype)
                if inputs.ndim == 4:  # 0.66x the time of NCHW on the CPU (performance.md 8)
                    inputs = inputs.contiguous(memory_format=torch.channels_last)
                self.trace(inputs)
                rarely = number & (number - 1) == 0  # looking settles what the kernel buffers
                self._refuse_nan(rarely=rarely)
        self._refuse_nan(rarely=True, finished=True)

    def _receive(self, layer: str, output: torch.Tensor) -> None:
        maps, _ = self._layout.maps(output, layer)
        maps = maps[: len(self._ids)]  # the rows that fill up the last batch have no id
        if maps.dtype not in (torch.float32, torch.float16, torch.bfloat16):
            maps = maps.float()
        if layer not in self.states:
            self._begin(layer, maps)
        self.states[layer].update(maps, self._ids, self._threads)
        if layer in self.sketches:
            self.sketches[layer].update(maps)
        for rows in stretches(self.sampled[self._ids]):
            self.samples[layer].update(maps[rows], self._ids[rows], self._threads)

    def _begin(self, layer: str, maps: torch.Tensor) -> None:
        _, units, height, width = maps.shape
        self.states[layer] = ScanState(units, (height, width), **self._scan_options)
        total, mode = self._scan_options["total_images"], self._scan_options["mode"]
        if self.sketch_seed is not None:
            self.sketches[layer] = QuantileSketch(units, mode, self.sketch_seed, layer)
        if size := int(self.sampled.sum()):
            self.samples[layer] = sample_state(units, (height, width), size, total, mode)

    def _refuse_nan(self, *, rarely: bool, finished: bool = False) -> None:
        """Look at the counts; before the end, on a device, only once it has reported NaN."""
        for layer, state in self.states.items():
            if not (finished or (state.seen_nan if state.on_device else rarely)):
                continue
            nan = state.counts()["nan"]
            if nan.any():
                msg = (
                    f"layer {layer!r}: {int((nan > 0).sum())} of {len(nan)} units are NaN within "
                    f"the first {state.images} images; check the weights and the input "
                    "normalisation (mean, std) of this model"
                )
                raise UserError(msg)


def _sent(batch: torch.Tensor, device: str) -> torch.Tensor:
    """The inputs on the device; to a GPU they go without the host waiting for the work before."""
    if torch.device(device).type == "cuda" and batch.device.type == "cpu":
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)


def _bits(levels: str) -> int:
    if levels not in LEVELS:
        raise unknown("levels", levels, LEVELS)
    return LEVELS[levels]


def _checked_shard(shard: tuple[int, int] | None) -> tuple[int, int]:
    index, count = shard or (0, 1)
    if not 0 <= index < count:
        msg = f"shard is {shard}; expected (i, n) with 0 <= i < n"
        raise UserError(msg)
    return index, count


@contextlib.contextmanager
def _on_device(model: nn.Module, device: str) -> Iterator[None]:
    """Hold the model on a device inside a block, and put it back after it."""
    first = next(model.parameters(), None)
    before = torch.device(device) if first is None else first.device
    if before == torch.device(device):
        yield
        return
    model.to(device)
    try:
        yield
    finally:
        model.to(before)


def _shown(batches: Iterator[Batch], count: int, progress: bool) -> Iterable[Batch]:
    if not progress:
        return batches
    from tqdm import tqdm

    return tqdm(batches, total=count, unit="batch", desc="mining")
