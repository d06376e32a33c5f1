"""Time and memory of the referee as images and pairs grow; each size in a process of its own.

    python -m benchmarks.scoring --sizes 4000x1000 8000x1000 16000x1000 8000x2000

IMAGES x PAIRS: made-up activations of as many units as there are pairs, one text each, and a judge
of 64 numbers an image. CPU time of one thread without the start, and the largest memory of the
process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from milan_core.core.devices import start_device
from milan_core.core.seeding import generator
from milan_core.exemplars.table import ActivationTable, TableFacts
from milan_core.referee.judge import JudgedImages
from milan_core.referee.options import ScoringOptions
from milan_core.referee.score import Bench
from milan_core.referee.scored import Explanation

WIDTH = 64  # numbers of an image and of a text


class Cosines:
    """A judge that says sigmoid(8 cos - 2) of vectors that were made up."""

    name, model, world = "made up", "made up", ""

    def __init__(self, images: int, texts: int) -> None:
        rng = generator(0, "benchmark of scoring")
        self._images = _unit(rng.standard_normal((images, WIDTH), np.float32))
        self._texts = _unit(rng.standard_normal((texts, WIDTH), np.float32))

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence float32 [images, texts]."""
        chosen = self._texts[[int(text) for text in texts]]
        return np.asarray(1 / (1 + np.exp(2 - 8 * (self._images @ chosen.T))), np.float32)

    def activations(self) -> np.ndarray:
        """Units that follow their text, with noise: float32 [texts, images]."""
        noise = generator(1, "benchmark of scoring").standard_normal(
            (len(self._texts), len(self._images)), np.float32
        )
        return self._texts @ self._images.T + 0.3 * noise


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def measure(images: int, pairs: int) -> tuple[float, float]:
    """CPU-s of the scores of `pairs` on `images`, and the peak of the process in MB."""
    start_device("cpu", 1)
    judge, every = Cosines(images, pairs), np.arange(images)
    facts = TableFacts(
        model="m", model_hash="h", dataset="d", images=images, layers=(("layer", pairs),)
    )
    values = {"max": judge.activations()}
    table = ActivationTable(facts, every, np.ones(images, bool), values)
    shown: Any = SimpleNamespace(name="made up", fingerprint="d", images=every)
    said = [Explanation(("layer", unit), (str(unit),)) for unit in range(pairs)]
    start = time.process_time()
    bench = Bench(table, every, JudgedImages(shown, every), judge, ScoringOptions())
    scores = bench.score(said, others=False)
    seconds = time.process_time() - start
    assert all(row.status == "scored" for row in scores.rows)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["4000x1000", "8000x1000", "16000x1000"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        if not arguments.here:
            command = [sys.executable, "-m", "benchmarks.scoring", "--here", "--sizes", size]
            subprocess.run(command, check=True)
            continue
        images, pairs = map(int, size.split("x"))
        seconds, peak = measure(images, pairs)
        each = 1000 * seconds / pairs
        print(
            f"{images:,} images, {pairs:,} pairs: {seconds:.1f} CPU-s, {each:.2f} ms, {peak:.0f} MB"
        )


if __name__ == "__main__":
    main()
