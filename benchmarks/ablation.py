"""Measures ablations of resnet18 against one whole forward pass for each of them.

    python -m benchmarks.ablation            # 8 images, a sixteenth of the units of each layer
    python -m benchmarks.ablation --images 32 --share 0.25

Both sides ablate the same sample of units and must give the same accuracies; the scan of all 1,024
units is extrapolated from the time per unit of each layer. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torchvision

from benchmarks.clock import Row, table
from milan_core.experiments.ablation import AblationEngine, Unit
from milan_core.experiments.ablation.recording import hooked

LAYERS = {"conv1": 64, "layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}
WHOLE_SCAN, LAST_LAYER = 5.0, 100.0  # times faster than whole forward passes, at least


def network(batch: torch.Tensor) -> torch.nn.Module:
    """resnet18 with random weights, its normalisation fitted to `batch`."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18().train()
    with torch.no_grad():
        model(batch)
    return model.eval()


def whole_passes(model: torch.nn.Module, batch: torch.Tensor, units: list[Unit]) -> np.ndarray:
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


def measure(images: int, share: float) -> list[Row]:
    """Seconds per unit of both ways, layer by layer, and their ratios."""
    batch = torch.randn(images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    model = network(batch)
    labels = np.random.default_rng(0).integers(0, 1000, images)
    draw, rows = np.random.default_rng(1), []
    totals = np.zeros(2)
    for layer, count in LAYERS.items():
        chosen = sorted(draw.permutation(count)[: max(2, round(count * share))].tolist())
        units = [(layer, unit) for unit in chosen]
        start = time.thread_time()
        wanted = whole_passes(model, batch, units[: max(2, len(units) // 2)])
        plain = (time.thread_time() - start) / len(wanted)
        engine = AblationEngine(model, list(LAYERS), batch, labels, batch_size=64)
        fast_units = [(layer, unit) for unit in range(count)] if layer == "layer4" else units
        start = time.thread_time()
        engine.single(fast_units)
        fast = (time.thread_time() - start) / len(fast_units)
        for unit, guess in zip(units, wanted, strict=False):
            assert np.array_equal(engine.predictions([unit]), guess), unit
        method = engine.methods()[layer, False]
        bound = LAST_LAYER if layer == "layer4" else 1.0
        rows.append(Row(f"{layer}, {method}", plain / fast, bound, False, "x"))
        totals += count * np.array([plain, fast])
    rows.append(Row("all 1,024 units, extrapolated", totals[0] / totals[1], WHOLE_SCAN, False, "x"))
    return rows


def main() -> int:
    """Print machine, table and verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--share", type=float, default=1 / 16, help="of the units of a layer")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    rows = measure(arguments.images, arguments.share)
    print(table(rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
