"""Measures the native core against the targets of its design and prints a table.

    python -m benchmarks.core            # everything, some minutes
    python -m benchmarks.core --quick    # fewer images

All times are CPU time of one thread, but for the speed-up of two, and medians of at least five
repetitions (three with --quick) that take turns; ratios are taken inside this process, so that a
busy machine changes them little. Leaves with status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks import kernels, passes
from benchmarks.clock import HEAD, Row
from milan_core import ops


def measure(quick: bool) -> Iterator[Row]:
    """All rows of the table, each group as it is measured."""
    repetitions, images = (3, 96) if quick else (5, 256)
    yield from passes.memory(images)
    yield from kernels.scans(repetitions)
    yield from kernels.against_torch(repetitions)
    yield from kernels.two_threads(repetitions)
    yield from kernels.masks(repetitions)
    yield from kernels.pairs(repetitions)
    yield from passes.passes(images, repetitions)


def main() -> int:
    """Print machine, table and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {ops.facts()}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    print(HEAD)
    kept = True
    for row in measure(arguments.quick):
        print(row.line(), flush=True)
        kept &= row.kept
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
