"""Measures the CUDA kernels, alone and on top of a network: `python -m benchmarks.gpu`.

The one target of the scans is what they add to a forward pass of resnet152 whose five layers are
scanned. The other rows are for diagnosis: the fraction of the time of an update that torch's
maximum takes to read the same bytes, and how far that is from a device copy (which moves each byte
twice). Times are of CUDA events around many works in a row that the host has queued before the
device begins. Needs a device; leaves with status 2 where there is none and 1 when a target is
missed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.clock import Row, table
from benchmarks.contact_speed import FIVE, Scanned, network_of
from benchmarks.device_clock import device_seconds
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
WARM = 0.05  # of the data set, after which a run counts as steady
MOST_ON_TOP = 1.02  # of a forward pass, scans included


def seconds(work: Callable[[], object], number: int = 30, repetitions: int = 5) -> float:
    """Median device seconds of some work on the current stream."""
    return device_seconds(work, "cuda", number, repetitions)


def forward_rows() -> list[Row]:
    """A pass with five layers scanned over the bare pass, warm, inputs on the device."""
    rows, batch = [], 256
    for kind in ("fp32", "bf16"):
        network = network_of(small=False).to("cuda", DTYPES[kind])
        network = network.to(memory_format=torch.channels_last)
        inputs = torch.randn(batch, 3, 224, 224, device="cuda", dtype=DTYPES[kind])
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        scanned = Scanned(network, FIVE)
        with torch.inference_mode(), scanned.trace:
            for _ in range(20):  # the floors rise
                scanned(inputs)
            with_scans = seconds(lambda s=scanned, i=inputs: s(i), 10, 3)
        with torch.inference_mode():
            bare = seconds(lambda n=network, i=inputs: n(i), 10, 3)
        what = f"resnet152 {kind}, five layers scanned"
        rows.append(Row(f"{what}, over the bare pass", with_scans / bare, MOST_ON_TOP, True))
        rows.append(Row(f"{what}, images/s", batch / with_scans, None))
    return rows


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

    started = int(WARM * total) // batch
    early = seconds(update, started, 1)  # from the cold start
    steady = seconds(update, 20, 3)
    rest = total // batch - started
    average = (early * started + steady * rest) / (total // batch)
    size = values.numel() * values.element_size() / 1e12
    return [
        Row(f"{what}, of reading, steady", read / steady, None),
        Row(f"{what}, of the steady state, whole run", steady / average, None),
        Row(f"{what}, steady", size / steady, None, unit="TB/s"),
    ]


def copy_row() -> Row:
    """The speed of the read-only baseline beside a device copy of the same tensor."""
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
    rows = [*forward_rows(), copy_row(), *mask_rows()]
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
