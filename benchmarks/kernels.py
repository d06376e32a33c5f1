"""The scan and mask kernels alone, on simulated layers."""

from __future__ import annotations

import time

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


def scan_seconds(values: torch.Tensor, images: int) -> float:
    """CPU seconds a batch, over a whole run from the cold start, state included."""
    number, units, height, width = values.shape
    start = time.thread_time()
    state = ops.ScanState(units, (height, width), 15, 0.99, images)
    for first in range(0, images, number):
        state.update(values, np.arange(first, first + number))
    state.levels()
    return (time.thread_time() - start) * number / images


def scans() -> list[Row]:
    """Fraction of the read bandwidth of the same tensor."""
    rows = []
    generator = torch.Generator().manual_seed(0)
    for name, (units, side, batch, images, relu, nchw, nhwc) in LAYERS.items():
        values = torch.randn(batch, units, side, side, generator=generator)
        values = values.relu_() if relu else values
        for layout, target in ((torch.contiguous_format, nchw), (torch.channels_last, nhwc)):
            laid = values.contiguous(memory_format=layout)
            share = np.median([read_seconds(laid) / scan_seconds(laid, images) for _ in range(3)])
            what = "NCHW" if layout == torch.contiguous_format else "NHWC"
            rows.append(Row(f"scan {name} {what}, of reading", float(share), target, False))
    return rows


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


def against_torch(repetitions: int = 5) -> list[Row]:
    """Times faster than torch on the same tensors; ours from the cold start over 40 batches.

    The target is set on the streaming recipe (`benchmarks.recipe`), which answers the same
    question; one batch's own `topk` and `quantile`, which cannot be carried on, are for comparison.
    """
    rows = []
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
        rows += [
            Row(f"scan {name}, faster than running top-k and quantile", streaming, target, False),
            Row(f"scan {name}, faster than one batch's topk and quantile", alone, 10, False),
        ]
    return rows


def two_threads() -> list[Row]:
    """Wall time of one thread over that of two; reported, since other work shares the cores."""
    rows = []
    for name in ("layer4 7x7", "layer1 56x56"):
        units, side, batch, images, *_ = LAYERS[name]
        values, walls = torch.randn(batch, units, side, side).relu_(), {}
        for threads in (1, 2):
            times = []
            for _ in range(5):
                state = ops.ScanState(units, (side, side), 15, 0.99, images)
                start = time.perf_counter()
                for first in range(0, min(images, 8 * batch), batch):
                    state.update(values, np.arange(first, first + batch), threads=threads)
                times.append(time.perf_counter() - start)
            walls[threads] = min(times)
        rows.append(Row(f"scan {name}, two threads (reported)", walls[1] / walls[2], 0.0, False))
    return rows


def masks() -> list[Row]:
    """Microseconds a 224 x 224 mask."""
    rows = []
    rng = np.random.default_rng(0)
    for side, target in ((7, 5.0), (28, 10.0), (56, 20.0), (112, 35.0)):
        maps = np.maximum(rng.normal(size=(400, side, side)), 0).astype(np.float32)
        levels = np.full(400, 2.3, np.float32)
        seconds = interleaved({"masks": lambda m=maps, v=levels: ops.masks(m, v, 224)}, 5)["masks"]
        rows.append(Row(f"mask from {side}x{side}", seconds / 400 * 1e6, target, True, "us"))
    return rows
