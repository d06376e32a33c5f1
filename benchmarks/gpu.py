"""Measures the CUDA kernels against a read-only kernel and a copy: `python -m benchmarks.gpu`.

Times are of CUDA events, the median of several repetitions, on synthetic layers. Every scan row is
the fraction that the same bytes take to be read by torch's maximum over all values; the copy row
says how far that baseline is from a device copy (which moves each byte twice). Needs a device;
leaves with status 2 where there is none and 1 when a target is missed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.clock import Row, table
from milan_core import ops
from milan_core.ops import cuda

#: name: (units, side, images in a batch, images in the data set)
LAYERS = {
    "7x7": (2048, 7, 256, 50_000),
    "14x14": (1024, 14, 256, 50_000),
    "28x28": (512, 28, 256, 50_000),
    "56x56": (256, 56, 256, 50_000),
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
REPETITIONS = 7
WARM = 0.05  # of the data set, after which a run counts as steady


def seconds(work: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Median device seconds of some work on the current stream."""
    times = []
    for _ in range(repetitions):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def target_of(side: int, kind: str) -> float:
    """The fraction of reading that the design asks for."""
    if side < 14:
        return 0.60
    return 0.85 if kind == "fp32" else 0.75


def scan_rows(name: str, kind: str, layout: torch.memory_format) -> list[Row]:
    """Steady state and whole run of one layer."""
    units, side, batch, total = LAYERS[name]
    values = torch.randn(batch, units, side, side, device="cuda").relu_().to(DTYPES[kind])
    values = values.contiguous(memory_format=layout)
    what = f"scan {name} {kind} {'NHWC' if layout == torch.channels_last else 'NCHW'}"
    read = seconds(values.amax)
    state = ops.ScanState(units, (side, side), 15, 0.99, total)
    ids = np.arange(batch)

    def update() -> None:
        nonlocal ids
        state.update(values, ids)
        ids = ids + batch

    cold = seconds(update, 1)
    started = int(WARM * total) // batch
    warming = seconds(lambda: [update() for _ in range(started)], 1)
    steady = seconds(update)
    rest = total // batch - started
    average = (cold + warming + steady * rest) / (total // batch)
    size = values.numel() * values.element_size() / 1e12
    bound = target_of(side, kind)
    return [
        Row(f"{what}, of reading, steady", read / steady, bound, False),
        Row(f"{what}, of the steady state, whole run", steady / average, 0.75, False),
        Row(f"{what}, steady", size / steady, None, unit="TB/s"),
    ]


def copy_row() -> Row:
    """How fast the read-only baseline is beside a device copy of the same tensor."""
    values = torch.randn(2**28, device="cuda")
    into = torch.empty_like(values)
    moved = 2 * seconds(values.amax) / seconds(lambda: into.copy_(values))
    return Row("read-only baseline, bandwidth of a copy over its own", moved, None)


def mask_rows() -> list[Row]:
    """Milliseconds for the masks of a layer."""
    rows = []
    for side, count, bound in ((7, 7680, 1.0), (56, 3840, 2.0)):
        maps = torch.randn(count, side, side, device="cuda").relu_()
        levels = torch.full((count,), 2.3, device="cuda")
        out = torch.empty(count, 224, 28, dtype=torch.uint8, device="cuda")
        cuda.masks(maps, levels, 224, out)
        spent = seconds(lambda m=maps, v=levels, o=out: cuda.masks(m, v, 224, o)) * 1e3
        rows.append(Row(f"{count} masks from {side}x{side}", spent, bound, True, "ms"))
    return rows


def measure() -> list[Row]:
    """All rows."""
    rows = [copy_row(), *mask_rows()]
    for name in LAYERS:
        for kind in DTYPES:
            for layout in (torch.contiguous_format, torch.channels_last):
                rows += scan_rows(name, kind, layout)
    return rows


def main() -> int:
    """Print device, table and verdict."""
    if not torch.cuda.is_available() or cuda.kernels() is None:
        print(f"benchmarks.gpu: no CUDA device to measure: {ops.facts()['cuda_problem']}")
        return 2
    print(
        f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, {ops.facts()}\n", flush=True
    )
    rows = measure()
    print(table(rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
