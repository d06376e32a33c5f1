"""Cost of the activation table in the mining pass, beside the pass without it.

python -m benchmarks.table --images resources/datasets/stickers_probe --count 1500

Embedded networks with random weights. Each batch passes through the network once; its maps go to a
scan that keeps the table, to one that does not, and to the pooling of the table by torch alone (as
before the scan gave the maxima), in another order each time. CPU time of one thread; the share is
of the pass without the table. The first pass of each network warms up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from milan_core.core.devices import start_device
from milan_core.core.seeding import seed_torch
from milan_core.exemplars.blocks import UnitBlock
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.pooled import PooledValues
from milan_core.exemplars.probed import probe
from milan_core.exemplars.scanning import Scan
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.table import merge_tables
from milan_core.images.store import open_dataset
from milan_core.networks.minis.cnn import alexnet_mini, resnet_mini
from milan_core.networks.minis.vit import vit_mini
from milan_core.networks.options import InputSpec
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel

NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], str]] = {
    "resnet_mini": (lambda: resnet_mini(50), "blocks.*"),
    "alexnet_mini": (lambda: alexnet_mini(50), "features.*"),
    "vit_mini": (lambda: vit_mini(112, 8), "blocks.*.mlp.hidden"),
}
FACTS = {"model": "", "model_hash": "", "dataset": ""}


class Cost(NamedTuple):
    """CPU seconds of one pass: without the table, and what its two ways add."""

    bare: float
    table: float
    apart: float


class Pass:
    """One pass over images, with the three ways to treat its maps."""

    def __init__(self, network: LoadedModel, images: np.ndarray, batch: int) -> None:
        self._source = open_source(images, network.input)
        run = MiningRun(batch_size=batch)
        probed = probe(network, self._source, "cpu")
        nothing = np.zeros(len(images), bool)
        self._scans = {
            name: Scan(
                *(network, MiningOptions(k=15, table=pools), run, nothing, 0),
                torch.float32,
                probed,
                UnitBlock(),
            )
            for name, pools in (("bare", ()), ("table", ("max",)))
        }
        self._apart = PooledValues(("max",), "top")
        self._layout, self._batch = network.layout, batch
        self._ids = np.zeros(0, np.int64)
        self._seconds = dict.fromkeys(("bare", "table", "apart"), 0.0)
        self._turn = 0
        self._trace = Trace(network.module, network.layers, self._receive)

    def _receive(self, layer: str, output: torch.Tensor) -> None:
        maps, _ = self._layout.maps(output, layer)
        works: list[tuple[str, Callable[[], None]]] = [
            ("bare", lambda: self._scans["bare"]._receive(layer, output)),
            ("table", lambda: self._scans["table"]._receive(layer, output)),
            ("apart", lambda: self._apart.add(layer, maps[: len(self._ids)])),
        ]
        self._turn += 1
        for place in range(len(works)):
            name, work = works[(place + self._turn) % len(works)]
            start = time.thread_time()
            work()
            self._seconds[name] += time.thread_time() - start

    def run(self) -> Cost:
        """Pass all images."""
        start = time.thread_time()
        with torch.inference_mode(), self._trace:
            for images, ids in self._source.batches((0, 1), self._batch):
                self._ids = ids
                for scan in self._scans.values():
                    scan._ids, scan._rows = ids, len(images)
                self._trace(images)
                for scan in self._scans.values():
                    scan._first = False
                    scan.pooled.ids.append(ids)
                self._apart.ids.append(ids)
        rest = time.thread_time() - start - sum(self._seconds.values())
        scan = self._scans["table"]
        joined, apart = (self._joined(one) for one in (scan.pooled, self._apart))
        bare = rest + self._seconds["bare"]
        added = self._seconds["table"] - self._seconds["bare"] + joined
        return Cost(bare, added, self._seconds["apart"] + apart)

    def _joined(self, pooled: PooledValues) -> float:
        start = time.thread_time()
        facts = {**FACTS, "images": self._source.total}
        layers = list(self._scans["bare"].states)
        merge_tables([pooled.joined(layers, np.zeros(self._source.total, bool), facts)])
        return time.thread_time() - start


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of a data set")
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    arguments = parser.parse_args()
    start_device("cpu", 1)
    images = np.array(open_dataset(arguments.images).images[: arguments.count])
    half = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    print("| network | pass, CPU-s | table, share | pooled apart, share |\n|---|---|---|---|")
    for name in arguments.networks:
        build, layers = NETWORKS[name]
        seed_torch(0, name)
        spec = InputSpec(size=images.shape[1], **half)
        network = LoadedModel(build().eval(), spec, [layers], [])
        costs = [Pass(network, images, arguments.batch).run() for _ in range(arguments.passes + 1)]
        bare, table, apart = np.array(costs[1:]).T
        shares = [
            f"{100 * np.median(part / bare):.2f} % "
            f"({100 * (part / bare).min():.2f} to {100 * (part / bare).max():.2f})"
            for part in (table, apart)
        ]
        print(f"| {name}, {len(images)} | {np.median(bare):.2f} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
