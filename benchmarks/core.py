"""Measures the native core against the targets of its design and prints a table.

    python -m benchmarks.core            # everything, some minutes
    python -m benchmarks.core --quick    # fewer images

All times are CPU time of one thread; ratios are taken inside this process, so that a busy machine
changes them little. Leaves with status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks import kernels, passes
from benchmarks.clock import Row, table
from milan_core import ops


def measure(quick: bool) -> list[Row]:
    """All rows of the table."""
    rows = kernels.scans() + kernels.against_torch(3 if quick else 5)
    rows += kernels.two_threads() + kernels.masks()
    return rows + passes.passes(96 if quick else 256)


def main() -> int:
    """Print machine, table and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {ops.facts()}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    rows = measure(arguments.quick)
    print(table(rows))
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
