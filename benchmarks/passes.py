"""Five layers of resnet18 in one pass, against the bare forward."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
import torch
import torchvision

from benchmarks.clock import Row
from milan_core import ops

NAMES = ("conv1", "layer1", "layer2", "layer3", "layer4")
BATCH = 32


def network(images: torch.Tensor) -> torch.nn.Module:
    """resnet18 with random weights, its normalisation fitted to `images`."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18().train()
    with torch.no_grad():
        model(images)
    return model.eval()


def forward(model: torch.nn.Module, images: torch.Tensor) -> float:
    """CPU seconds of the forward over all images."""
    start = time.thread_time()
    with torch.inference_mode():
        for first in range(0, len(images), BATCH):
            model(images[first : first + BATCH])
    return time.thread_time() - start


def scan(model: torch.nn.Module, images: torch.Tensor) -> tuple[float, float, int]:
    """CPU seconds of (the pass with five scans, levels and masks after it), number of masks."""
    states: dict[str, ops.ScanState] = {}
    seen = dict.fromkeys(NAMES, 0)

    def hook(name: str) -> Callable[..., None]:
        def collect(_module: object, _inputs: object, output: torch.Tensor) -> None:
            if name not in states:
                shape = (output.shape[2], output.shape[3])
                states[name] = ops.ScanState(output.shape[1], shape, 15, 0.99, len(images))
            states[name].update(output, np.arange(seen[name], seen[name] + len(output)))
            seen[name] += len(output)

        return collect

    handles = [model.get_submodule(name).register_forward_hook(hook(name)) for name in NAMES]
    try:
        seconds = forward(model, images)
    finally:
        for handle in handles:
            handle.remove()
    start, number = time.thread_time(), 0
    for state in states.values():
        _, _, maps = state.topk()
        assert maps is not None
        level, _ = state.levels()
        flat = maps.reshape(-1, *maps.shape[2:])
        number += len(ops.masks(flat, np.repeat(level, 15), 224))
    return seconds, time.thread_time() - start, number


def passes(images: int = 256, repetitions: int = 5) -> list[Row]:
    """Ratio of the pass with scans to the bare one, and the cost of each exemplar afterwards."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(images, 3, 224, 224, generator=generator)
    model = network(data[:BATCH])
    rows = []
    for name, layout in (("NCHW", torch.contiguous_format), ("NHWC", torch.channels_last)):
        model, laid = model.to(memory_format=layout), data.contiguous(memory_format=layout)
        forward(model, laid[:BATCH])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ratios, after = [], []
        for _ in range(repetitions):
            bare = forward(model, laid)
            seconds, end, number = scan(model, laid)
            ratios.append(seconds / bare)
            after.append(end / number * 1e6)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        rows += [
            Row(f"five layers, one pass, {name}", float(np.median(ratios)), 1.06, True, "x bare"),
            Row(f"levels + masks, {name}", float(np.median(after)), 20.0, True, "us/exemplar"),
            Row(f"peak memory above the bare forward, {name}", grown, 200.0, True, "MiB"),
        ]
    return rows
