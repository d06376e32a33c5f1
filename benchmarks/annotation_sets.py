"""Peak memory of encoding the largest published annotation set, of files that are almost empty.

    python -m benchmarks.annotation_sets            # biggan/places365: 4,992 units, 15 GB of files
    python -m benchmarks.annotation_sets --share 8 --images 32  # an eighth of every layer

The set has the published shapes and few distinct images, black ones in files with holes; the
encoder is resnet101 with random weights, five layers. `milan step features.encode_set` runs in a
process of its own, with the controls that a described set gets; it needs 4 GB of disk beside.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.clock import Row, table
from milan_core.annotations.mapped import npy_pieces
from milan_core.core.files import write_csv

UNITS = (2048, 1024, 1024, 512, 256, 128)
SIDE, EXEMPLARS = 224, 15
TARGET = 2048  # MiB resident, at most
ENCODER = {
    "model": {
        "factory": "torchvision.models:resnet101",
        "kwargs": {"weights": None},
        "input": {"size": SIDE},
    },
    "layers": ["conv1", "layer1", "layer2", "layer3", "layer4"],
    "append_area": False,
}


def sparse_set(folder: Path, share: int, images: int) -> None:
    """Write a set of the largest published shape whose images and masks take no disk space."""
    random = np.random.default_rng(0)
    rows = []
    for index, units in enumerate(count // share for count in UNITS):
        layer = folder / f"layer{index}"
        layer.mkdir(parents=True)
        for name, channels in (("masks.npy", 1), ("images.npy", 3)):
            with npy_pieces(layer / name, (units, EXEMPLARS, channels, SIDE, SIDE), np.uint8):
                pass
        ids = random.integers(0, images, (units, EXEMPLARS))
        np.savetxt(layer / "ids.csv", ids, fmt="%d", delimiter=",")
        rows += [(layer.name, unit, f"text {n}") for unit in range(units) for n in range(3)]
    write_csv(folder / "annotations.csv", ("layer", "unit", "summary"), rows)


def main() -> None:
    """Encode the set and print the peak of the process that did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=int, default=1, help="a share of the units: 1 is all")
    parser.add_argument("--images", type=int, default=256, help="distinct ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sparse_set(folder / "set", arguments.share, arguments.images)
        spec = {"path": str(folder / "set"), "images": None, "transform": "crop", "expect": None}
        spec |= {"annotation_count": 3}
        command = [sys.executable, "-m", "milan_core", "step", "features.encode_set"]
        command += ["--annotation-set", json.dumps(spec), "--encoder", json.dumps(ENCODER)]
        command += ["--controls", "true", "--features", str(folder / "out/f.safetensors")]
        command += ["--annotations", str(folder / "out/annotations.csv")]
        start = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = (folder / "out/f.safetensors").stat().st_size
    peak, cpu = usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
    print(
        f"features of {size / 2**20:.0f} MiB, {time.perf_counter() - start:.0f} s, {cpu:.0f} CPU-s"
    )
    print(table([Row("peak resident memory", peak, TARGET, True, "MiB")]))


if __name__ == "__main__":
    main()
