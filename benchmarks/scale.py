"""Time and memory of mining as images and units grow; each measurement in a process of its own.

python -m benchmarks.scale images --counts 250000 500000 1000000
python -m benchmarks.scale units --units 131072 --blocks 16 --count 96
python -m benchmarks.scale units --units 16384 --blocks 1 --count 64 --top-k 0
python -m benchmarks.scale dictionary --units 131072 --blocks 16 --count 64

`images`: activations of a made-up layer, 32 units of 4 x 4, made batch by batch from the numbers of
the images; the pass is that of `milan mine`, with levels, exemplars and their maps. `units`: one
block after another of a made-up dictionary on a layer of 64 channels of 7 x 7, with ReLU or TopK;
first, middle and last. `dictionary`: all blocks, each in its process, and their merge in another.
CPU time of one thread, the start of Python left out, and the largest memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from milan_core.exemplars.batches import ImageSource
from milan_core.exemplars.merge import merge_files
from milan_core.exemplars.mine import mine_source
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.networks.directions import Directions
from milan_core.networks.encoders import Encoder
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel

POOL = 4096  # different maps, each shown at several strengths


class Layer(nn.Module):
    """A network of one layer that gives its input, and a dictionary beside it."""

    def __init__(self, directions: Directions | None = None) -> None:
        super().__init__()
        self.layer = nn.Identity()
        if directions is not None:
            self.sae = directions

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps as they are."""
        maps = self.layer(maps)
        if hasattr(self, "sae"):
            self.sae(maps)
        return maps


def source(count: int, *shape: int) -> ImageSource:
    """`count` inputs of a shape, each made from its number."""
    pool = torch.randn(POOL, *shape, generator=torch.Generator().manual_seed(0))

    def rows(ids: np.ndarray | slice) -> torch.Tensor:
        numbers = torch.as_tensor(np.arange(count)[ids] if isinstance(ids, slice) else ids)
        strength = 1 + (numbers * 2654435761 % 1000) / 1000
        return pool[numbers % POOL] * strength.float()[:, None, None, None]

    return ImageSource(count, f"made-up:{count}", rows=rows)


def measure(
    what: str, count: int, units: int, top_k: int, block: tuple[int, int], keep: Path | None
) -> dict[str, float]:
    """CPU seconds and the largest memory (MB) of one pass in this process."""
    torch.set_num_threads(1)
    if what == "images":
        network = LoadedModel(Layer(), InputSpec(), ["layer"], [])
        images = source(count, 32, 4, 4)
    else:
        weight = torch.randn(units, 64, generator=torch.Generator().manual_seed(1))
        dictionary = Directions(Encoder(weight, torch.zeros(units)), top_k or None)
        dictionary.source = "layer"
        network = LoadedModel(Layer(dictionary), InputSpec(), ["sae"], [])
        images = source(count, 64, 7, 7)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    run = MiningRun(batch_size=256 if what == "images" else 16)
    found = mine_source(network, images, MiningOptions(), run, block=block)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    units = sum(found.units.values())
    with TemporaryDirectory() as folder:
        state = (keep or Path(folder)) / f"{block[0]}"
        found.save(state)
        size = state.stat().st_size
    return {"seconds": seconds, "start": before, "peak": peak, "units": units, "file": size}


def merge(folder: Path) -> dict[str, float]:
    """CPU seconds and the largest memory (MB) of the merge of the states in a folder."""
    start = time.process_time()
    states = [path for path in folder.iterdir() if path.name.isdecimal()]
    found = merge_files(sorted(states, key=lambda path: int(path.name)))
    found.save(folder / "merged")
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    units = sum(found.units.values())
    size = (folder / "merged").stat().st_size
    return {"seconds": seconds, "peak": peak, "units": units, "file": size}


def apart(
    what: str,
    count: int,
    units: int = 0,
    top_k: int = 0,
    block: Sequence[int] = (0, 1),
    keep: Path | None = None,
) -> dict[str, float]:
    """`measure`, or for `dictionary` the merge of `keep`, in a process of its own."""
    words = [what, "--one", *map(str, (count, units, top_k, *block))]
    words += ["--keep", str(keep)] if keep else []
    command = [sys.executable, "-m", "benchmarks.scale", *words]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def dictionary(given: argparse.Namespace) -> None:
    """Mine every block of a dictionary in a process of its own, merge them, and print a line."""
    with TemporaryDirectory() as folder:
        keep = Path(folder)
        blocks = [(index, given.blocks) for index in range(given.blocks)]
        facts = given.count, given.units, given.top_k
        costs = [apart("units", *facts, block, keep) for block in blocks]
        joined = apart("dictionary", *facts, keep=keep)
    seconds, peaks = [one["seconds"] for one in costs], [one["peak"] for one in costs]
    print(
        f"{int(joined['units']):,} units x {given.count} images in {given.blocks} blocks: "
        f"{sum(seconds):.1f} CPU-s ({min(seconds):.1f} to {max(seconds):.1f} a block), peak "
        f"{max(peaks):.0f} MB a block, states {sum(one['file'] for one in costs) / 1e6:.0f} MB; "
        f"merge {joined['seconds']:.1f} CPU-s, peak {joined['peak']:.0f} MB, "
        f"exemplars {joined['file'] / 1e6:.0f} MB"
    )


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["images", "units", "dictionary"])
    parser.add_argument("--counts", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--units", type=int, default=131_072)
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--top-k", type=int, default=32)
    parser.add_argument("--one", type=int, nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        count, units, top_k, index, blocks = given.one
        if given.what == "dictionary":
            print(json.dumps(merge(given.keep)))
        else:
            cost = measure(given.what, count, units, top_k, (index, blocks), given.keep)
            print(json.dumps(cost))
    elif given.what == "dictionary":
        dictionary(given)
    elif given.what == "images":
        for count in given.counts:
            cost = apart("images", count)
            print(
                f"{count:9,} images: {cost['seconds']:6.1f} CPU-s, "
                f"{1e6 * cost['seconds'] / count:.1f} us an image, peak {cost['peak']:.0f} MB "
                f"({cost['start']:.0f} MB before)"
            )
    else:
        for index in sorted({0, given.blocks // 2, given.blocks - 1}):
            cost = apart("units", given.count, given.units, given.top_k, (index, given.blocks))
            print(
                f"block {index + 1} of {given.blocks}: {int(cost['units']):,} units x "
                f"{given.count} images, {cost['seconds']:6.1f} CPU-s, peak {cost['peak']:.0f} MB "
                f"({cost['start']:.0f} MB before), {cost['file'] / cost['units']:.0f} bytes a unit "
                "on disk"
            )


if __name__ == "__main__":
    main()
