"""The scan and mask kernels alone, on simulated layers."""

from __future__ import annotations

import functools
import time

import numpy as np
import torch

from benchmarks.clock import Row, interleaved
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


def recipe(values: torch.Tensor, exact: bool) -> None:
    """What a user would write in torch for one batch: top-k of the maxima, and a quantile a unit.

    With `exact` false `kthvalue` stands in for `quantile`: it selects instead of sorting.
    """
    units = values.shape[1]
    values.amax((2, 3)).topk(15, dim=0)
    flat = values.transpose(0, 1).reshape(units, -1)
    if exact:
        torch.quantile(flat, 0.99, dim=1)
    else:
        flat.kthvalue(int(0.99 * flat.shape[1]), dim=1)


def against_torch() -> list[Row]:
    """Times faster than `recipe` on the same tensors, from the cold start over 40 batches."""
    rows = []
    for name, units, side, batch, target in (
        ("7x7", 512, 7, 256, 25.0),
        ("28x28", 128, 28, 64, 100.0),
        ("56x56", 64, 56, 32, 100.0),
    ):
        values = torch.randn(batch, units, side, side).relu_()
        ours = scan_seconds(values, 40 * batch)
        for what, exact, bound in (
            ("topk + quantile", True, target),
            ("topk + kthvalue", False, 10),
        ):
            seconds = interleaved({"torch": functools.partial(recipe, values, exact)}, 5)["torch"]
            rows.append(Row(f"scan {name}, times faster than {what}", seconds / ours, bound, False))
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
