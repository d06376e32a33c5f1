"""Measures ablations of resnet18 against one whole forward pass for each of them.

    python -m benchmarks.ablation            # 8 images
    python -m benchmarks.ablation --images 64 --sample 16

The engine scans all 1,024 units; whole forward passes are timed on a sample of the units of each
layer, which must give the same predictions, and extrapolated: each costs the same. The trial
of methods, once per engine, stands in a row of its own. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torchvision

from benchmarks.clock import Row, table
from milan_core.core.units import UnitKey
from milan_core.networks.ablation import AblationEngine
from milan_core.networks.ablation.recording import hooked

LAYERS = {"conv1": 64, "layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}
WHOLE_SCAN, LAST_LAYER = 5.0, 100.0  # times faster than whole forward passes, at least


def network(batch: torch.Tensor) -> torch.nn.Module:
    """resnet18 with random weights, its normalisation fitted to `batch`."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18().train()
    with torch.no_grad():
        model(batch)
    return model.eval()


def whole_passes(model: torch.nn.Module, batch: torch.Tensor, units: list[UnitKey]) -> np.ndarray:
    """Predictions (n, images), each unit by a forward pass of its own."""
    guess = []
    for layer, unit in units:

        def without(output: torch.Tensor, unit: int = unit) -> torch.Tensor:
            changed = output.clone()
            changed[:, unit] = 0
            return changed

        with torch.no_grad(), hooked(model, {layer: without}):
            guess.append(model(batch).argmax(1).numpy())
    return np.stack(guess)


def measure(images: int, sample: int) -> list[Row]:
    """Seconds per unit of both ways, layer by layer, and their ratios."""
    batch = torch.randn(images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    model = network(batch)
    labels = np.random.default_rng(0).integers(0, 1000, images)
    engine = AblationEngine(model, list(LAYERS), batch, labels, batch_size=64)
    trial = seconds(lambda: engine.single([(layer, 0) for layer in LAYERS]))
    draw, rows, totals = np.random.default_rng(1), [], np.zeros(2)
    for layer, count in LAYERS.items():
        units = [(layer, int(unit)) for unit in draw.permutation(count)[:sample]]
        wanted: list[np.ndarray] = []
        plain = seconds(lambda: wanted.extend(whole_passes(model, batch, units)))  # noqa: B023
        for unit, guess in zip(units, wanted, strict=True):
            assert np.array_equal(engine.predictions([unit]), guess), unit
        everything = [(layer, unit) for unit in range(count)]
        cost = np.array([plain / sample * count, seconds(lambda: engine.single(everything))])  # noqa: B023
        bound = LAST_LAYER if layer == "layer4" else 1.0
        label = f"{layer}, {count} units, {engine.methods()[layer, False]}"
        rows.append(Row(label, cost[0] / cost[1], bound, False, "x"))
        totals += cost
    rows.append(Row("all 1,024 units", totals[0] / totals[1], WHOLE_SCAN, False, "x"))
    rows.append(Row("choice of methods, once", trial / totals[1], 1.0, True, "x the scan"))
    return rows


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def main() -> int:
    """Print machine, table and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--sample", type=int, default=4, help="whole passes per layer")
    parser.add_argument("--quick", action="store_true", help="half of the images and passes")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.images, arguments.sample = arguments.images // 2, arguments.sample // 2
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    rows = measure(arguments.images, arguments.sample)
    print(table(rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
