"""Checks of correctness on a device, at real sizes: steps of `benchmarks.first_contact`.

On the CPU (`--device cpu`) the steps compare the core with itself, which tries the script out.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from milan_core import ops
from milan_core.ops import cuda

MASKS = [
    (7, 7, 64, 64),
    (5, 9, 30, 41),
    (1, 1, 8, 8),
    (14, 14, 13, 9),
    (3, 2, 1, 100),
    (120, 112, 40, 70),
    (56, 56, 224, 224),
]
SCANS = ((512, 7), (128, 28), (32, 112))  # units, side


def same(a: ops.ScanState, b: ops.ScanState) -> bool:
    """Are two states equal, byte for byte?"""
    mine, theirs = a.to_arrays()[0], b.to_arrays()[0]
    return all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)


def check_masks(device: str, small: bool) -> dict[str, Any]:
    """Masks of odd sizes and borders equal the CPU core's."""
    wrong = []
    for (h, w, height, width), border in itertools.product(MASKS, ("zeros", "clamp")):
        maps, levels = torch.randn(33, h, w), torch.rand(33)
        want = ops.masks(maps.numpy(), levels.numpy(), (height, width), border)
        if device == "cpu":
            continue
        out = torch.zeros(want.shape, dtype=torch.uint8, device=device)
        cuda.masks(maps.to(device), levels.to(device), (height, width), out, border)
        if out.cpu().numpy().tobytes() != want.tobytes():
            wrong.append((h, w, height, width, border))
    return {"wrong": wrong}


def _layouts(values: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    yield "nchw", values
    yield "nhwc", values.contiguous(memory_format=torch.channels_last)
    yield "view", torch.cat([values, values], 3)[..., : values.shape[3]]


def check_real_sizes(device: str, small: bool) -> dict[str, Any]:
    """Full grids, three types and layouts, shuffled ids, k above 64."""
    wrong, number = [], 64 if small else 512
    order = np.random.default_rng(1).permutation(number)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for units, side in SCANS:
            values = torch.randn(number, units, side, side, device=device)
            values = (values * torch.rand(units, device=device).view(1, -1, 1, 1)).relu().to(dtype)
            for (name, laid), (k, keep) in itertools.product(
                _layouts(values), ((15, True), (200, False))
            ):
                there, here = (
                    ops.ScanState(units, (side, side), k, 0.99, number, keep_maps=keep)
                    for _ in range(2)
                )
                for first in range(0, number, 48):
                    part = slice(first, first + 48)
                    there.update(laid[part], order[part])
                    here.update(laid[part].cpu(), order[part])
                if not same(there, here):
                    wrong.append((str(dtype), units, side, name, k))
    return {"wrong": wrong}


def check_beyond_2_to_the_31(device: str, small: bool) -> dict[str, Any]:
    """One tensor of more values: zeros, maxima and exact levels against torch."""
    number, units, side = (8, 16, 32) if small else (720, 64, 224)
    values = torch.empty(number, units, side, side, device=device, dtype=torch.bfloat16)
    for part in values.split(8):
        part.normal_().relu_()
    found: dict[str, Any] = {"values": values.numel()}
    rank = int(np.ceil(0.99 * number * side * side))
    for name, laid in itertools.islice(_layouts(values), 2):
        state = ops.ScanState(units, (side, side), 5, 0.99, number, bits=7)
        state.update(laid, np.arange(number))
        zeros = sum((part == 0).sum((0, 2, 3)) for part in laid.split(8))
        top = laid.amax((2, 3)).float().topk(5, 0)[0].t()
        exact = [laid[:, unit].float().flatten().kthvalue(rank)[0].item() for unit in range(2)]
        found[name] = {
            "zeros": np.array_equal(state.counts()["zeros"], torch.as_tensor(zeros).cpu().numpy()),
            "top": np.array_equal(state.topk()[1], top.cpu().numpy()),
            "levels": np.array_equal(state.levels()[0][:2], np.array(exact, np.float32)),
        }
    return found


def check_streams(device: str, small: bool) -> Any:
    """A tensor of one stream, scanned on another, dropped at once and its memory asked for."""
    if device == "cpu":
        return "skipped"
    number = 10 if small else 100
    want, state = (ops.ScanState(64, (28, 28), 5, 0.99, 64 * number) for _ in range(2))
    other = torch.cuda.Stream(device)
    for batch in range(number):
        ids = np.arange(64) + 64 * batch
        values = torch.randn(64, 64, 28, 28, device=device)
        want.update(values.cpu(), ids)
        other.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(other):
            torch.cuda._sleep(20_000_000)
            state.update(values, ids)
        del values
        taken = torch.full((64, 64, 28, 28), 7.0, device=device)
        del taken
    return {"equal": same(state, want)}


def check_graphs(device: str, small: bool) -> Any:
    """Capture after a cold warm-up, replay, grow, replay."""
    if device == "cpu":
        return "skipped"
    values, ids = torch.randn(32, 64, 28, 28, device=device), torch.arange(32, device=device)
    state, host = (ops.ScanState(64, (28, 28), 5, 0.9, 512) for _ in range(2))
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        state.update(values, ids)
    torch.cuda.synchronize(device)
    host.update(values.cpu(), np.arange(32))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        state.update(values, ids)

    def replay(first: int) -> None:
        ids.copy_(torch.arange(first, first + 32))
        values.normal_()
        torch.cuda.synchronize(device)
        graph.replay()
        torch.cuda.synchronize(device)
        host.update(values.cpu(), ids.cpu().numpy())

    replay(32)
    replay(64)
    larger = torch.randn(200, 64, 28, 28, device=device)
    with torch.cuda.stream(stream):  # buffers are made anew; the graph has seen the old ones
        state.update(larger, np.arange(96, 296))
    host.update(larger.cpu(), np.arange(96, 296))
    taken = [torch.full((1 << 20,), 3, device=device) for _ in range(64)]
    replay(296)
    del taken
    return {"equal": same(state, host)}


@contextmanager
def _starting_blocks(blocks: int) -> Iterator[None]:
    before = os.environ.get("MILAN_CUDA_BLOCKS")
    os.environ["MILAN_CUDA_BLOCKS"] = str(blocks)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MILAN_CUDA_BLOCKS"]
        else:
            os.environ["MILAN_CUDA_BLOCKS"] = before


def check_growth(device: str, small: bool) -> Any:
    """Blocks run short while the host is far ahead: memory is doubled once for each report."""
    if device == "cpu":
        return "skipped"
    state = ops.ScanState(256, (28, 28), 5, 0.99, 50_000)
    values = torch.randn(256, 256, 28, 28, device=device)
    with _starting_blocks(256 * 8):
        torch.cuda._sleep(2_000_000_000)
        for batch in range(40):
            state.update(values, np.arange(256) + 256 * batch)
    blocks = state._impl._device.blocks / 256
    return {"blocks a unit": blocks, "most": 512, "zeros": int(state.counts()["zeros"].sum())}


def check_memory(device: str, small: bool) -> Any:
    """A scan that fits only when torch gives back the memory it holds without using it."""
    if device == "cpu":
        return "skipped"
    free = torch.cuda.mem_get_info(device)[0]
    held = torch.empty(int(free * 0.97), dtype=torch.uint8, device=device)
    del held  # stays with torch's allocator
    state = ops.ScanState(2048, (28, 28), 60, 0.99, 10_000)
    state.update(torch.ones(4, 2048, 28, 28, device=device), np.arange(4))
    return {"on the device": state.on_device, "free before": free}


CHECKS = [
    check_masks,
    check_real_sizes,
    check_beyond_2_to_the_31,
    check_streams,
    check_graphs,
    check_growth,
    check_memory,
]
