"""The scan and mask kernels alone, on simulated layers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.clock import Row, interleaved
from benchmarks.recipe import RunningQuantile, RunningTopk, add_batch
from milan_core import ops

#: name: (units, side, images in a batch, images in the run, ReLU, NCHW target, NHWC target)
LAYERS = {
    "layer4 7x7": (512, 7, 512, 10_240, True, 0.25, 0.12),
    "layer2 28x28": (128, 28, 128, 2048, True, 0.45, 0.20),
    "layer1 56x56": (64, 56, 64, 2048, True, 0.45, 0.20),
    "conv1 112x112": (64, 112, 32, 1024, False, 0.45, 0.20),
}


def read_seconds(values: torch.Tensor) -> float:
    """CPU seconds to read a tensor once, at the best of five."""
    words = values.permute(0, 2, 3, 1) if not values.is_contiguous() else values
    flat = words.numpy().reshape(-1).view(np.uint64)
    times = []
    for _ in range(5):
        start = time.thread_time()
        np.bitwise_xor.reduce(flat)
        times.append(time.thread_time() - start)
    return min(times)


def scan_seconds(values: torch.Tensor, images: int, quantile: float = 0.99) -> float:
    """CPU seconds a batch, over a whole run from the cold start, state included.

    At quantile 1 only new maxima are recorded: that is the pass alone.
    """
    number, units, height, width = values.shape
    start = time.thread_time()
    state = ops.ScanState(units, (height, width), 15, quantile, images)
    for first in range(0, images, number):
        state.update(values, np.arange(first, first + number))
    state.levels()
    return (time.thread_time() - start) * number / images


def scans(repetitions: int) -> Iterator[Row]:
    """Fraction of the read bandwidth of the same tensor; both layouts take turns."""
    generator = torch.Generator().manual_seed(0)
    for name, (units, side, batch, images, relu, nchw, nhwc) in LAYERS.items():
        values = torch.randn(batch, units, side, side, generator=generator)
        values = values.relu_() if relu else values
        laid = {
            "NCHW": (values, nchw),
            "NHWC": (values.contiguous(memory_format=torch.channels_last), nhwc),
        }
        runs = [(layout, quantile) for layout in laid for quantile in (0.99, 1.0)]
        shares: dict[tuple[str, float], list[float]] = {run: [] for run in runs}
        for _ in range(repetitions):
            for layout, quantile in runs:
                tensor, _ = laid[layout]
                spent = scan_seconds(tensor, images, quantile)
                shares[layout, quantile].append(read_seconds(tensor) / spent)
        for layout, (_, target) in laid.items():
            recorded, alone = (float(np.median(shares[layout, q])) for q in (0.99, 1.0))
            yield Row(f"scan {name} {layout}, of reading", recorded, target)
            yield Row(f"scan {name} {layout}, pass alone, of reading", alone, None)


def recipe_seconds(values: torch.Tensor, batches: int) -> float:
    """CPU seconds a batch of the streaming recipe, over a run of `batches`, answer included."""
    topk, quantile = RunningTopk(15), RunningQuantile(values.shape[1])
    start = time.thread_time()
    for _ in range(batches):
        add_batch(topk, quantile, values)
    quantile.quantile(0.99)
    return (time.thread_time() - start) / batches


def sorted_seconds(values: torch.Tensor) -> float:
    """CPU seconds of `topk` and `quantile` of one batch, which no stream could use further."""
    start = time.thread_time()
    values.amax((2, 3)).topk(15, dim=0)
    torch.quantile(values.transpose(0, 1).reshape(values.shape[1], -1), 0.99, dim=1)
    return time.thread_time() - start


def against_torch(repetitions: int = 5) -> Iterator[Row]:
    """Times faster than torch on the same tensors; ours from the cold start over 40 batches.

    The target is set on the streaming recipe (`benchmarks.recipe`), which answers the same
    question; one batch's own `topk` and `quantile`, which cannot be carried on, are for comparison.
    """
    for name, units, side, batch, target in (
        ("7x7", 512, 7, 256, 25.0),
        ("28x28", 128, 28, 64, 100.0),
        ("56x56", 64, 56, 32, 100.0),
    ):
        values = torch.randn(batch, units, side, side).relu_()
        ratios = []
        for _ in range(repetitions):
            ours = scan_seconds(values, 40 * batch)
            ratios.append((recipe_seconds(values, 6) / ours, sorted_seconds(values) / ours))
        streaming, alone = np.median(ratios, axis=0)
        yield Row(f"scan {name}, faster than running top-k and quantile", streaming, target)
        yield Row(f"scan {name}, faster than one batch's topk and quantile", alone, None)


def wall_seconds(values: torch.Tensor, images: int, threads: int) -> float:
    """Wall seconds of eight batches from the cold start."""
    batch, units, side, _ = values.shape
    state = ops.ScanState(units, (side, side), 15, 0.99, images)
    start = time.perf_counter()
    for first in range(0, min(images, 8 * batch), batch):
        state.update(values, np.arange(first, first + batch), threads=threads)
    return time.perf_counter() - start


def two_threads(repetitions: int) -> Iterator[Row]:
    """Wall time of one thread over that of two, in turn; without a bound: others share the cores.

    Beside it the same for two threads that only read, which is what the memory allows.
    """
    for name in ("layer4 7x7", "layer1 56x56"):
        units, side, batch, images, *_ = LAYERS[name]
        values = torch.randn(batch, units, side, side).relu_()
        walls: dict[int, list[float]] = {1: [], 2: []}
        reads: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(repetitions):
            for threads in (1, 2):
                walls[threads].append(wall_seconds(values, images, threads))
                reads[threads].append(wall_reading(values, threads))
        gain, most = (float(np.median(t[1]) / np.median(t[2])) for t in (walls, reads))
        yield Row(f"scan {name}, speed-up of two threads", gain, None, unit="x")
        yield Row(f"reading {name}, speed-up of two threads", most, None, unit="x")


def wall_reading(values: torch.Tensor, threads: int) -> float:
    """Wall seconds to read a tensor eight times, its parts in as many threads."""
    parts = np.array_split(values.numpy().reshape(-1).view(np.uint64), threads)

    def read(part: np.ndarray) -> None:
        for _ in range(8):
            np.bitwise_xor.reduce(part)

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, parts))
    return time.perf_counter() - start


def masks(repetitions: int) -> Iterator[Row]:
    """Microseconds a 224 x 224 mask."""
    rng = np.random.default_rng(0)
    for side, target in ((7, 2.5), (28, 5.0), (56, 10.0), (112, 17.5)):
        maps = np.maximum(rng.normal(size=(400, side, side)), 0).astype(np.float32)
        levels = np.full(400, 2.3, np.float32)
        works = {"masks": lambda m=maps, v=levels: ops.masks(m, v, 224)}
        seconds = interleaved(works, repetitions)["masks"]
        yield Row(f"mask from {side}x{side}", seconds / 400 * 1e6, target, True, "us")


def pairs(repetitions: int) -> Iterator[Row]:
    """Bytes of masks that counting all pairs goes through in a nanosecond, both sides counted."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 256, (300, 224, 28), np.uint8)
    for how in ("and", "andnot"):
        works = {how: lambda h=how: ops.mask_counts(masks[:, None], masks[None], h)}
        seconds = interleaved(works, repetitions)[how]
        rate = 2 * len(masks) ** 2 * masks[0].size / seconds / 1e9
        yield Row(f"pixels of pairs of 224x224 masks, {how}", rate, None, unit="GB/s")
