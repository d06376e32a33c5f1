"""Digests of small trainings under settings of several processors.

    python -m benchmarks.same_bytes                                   # settings of this processor
    python -m benchmarks.same_bytes --emulator qemu-x86_64-static     # and emulated processors

Trains `resnet_mini` and a captioner on generated data, each for a few steps, in a new process for
every part and setting, and prints the digests of their weights: first as libraries choose kernels,
narrowed by their own variables, then as `reproducible: true` holds them. An emulated processor has
another maker, other caches and no AVX-512.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

FREE: dict[str, dict[str, str]] = {
    "as it is": {},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "ONEDNN_MAX_CPU_ISA=AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL_ENABLE_INSTRUCTIONS=AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
}
EMULATED = ("Haswell-noTSX", "EPYC-Rome")


def digest(arrays: Mapping[str, Any]) -> str:
    """Digest of the bytes of a state dictionary."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(arrays[name].detach().contiguous().numpy().tobytes())
    return total.hexdigest()[:12]


def train_small_network() -> str:
    """Digest of the weights of `resnet_mini` after three steps."""
    import numpy as np

    from milan_core.networks.options import Architecture, InputSpec
    from milan_core.networks.training.objectives import Classify
    from milan_core.networks.training.train import train_network
    from milan_core.networks.weight_options import TrainSettings

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (96, 64, 64, 3), dtype=np.uint8)
    view = InputSpec(size=64, mean=(0.5,) * 3, std=(0.25,) * 3)
    model = Architecture(
        factory="milan_core.networks.minis.cnn:resnet_mini", kwargs={"classes": 10}, input=view
    )
    data = _Images(images, rng.integers(0, 10, len(images)))
    settings = TrainSettings(epochs=1, batch_size=32)
    network, _ = train_network(model, data, settings, 0, Classify(view, data.labels))
    return digest(network.state_dict())


def train_small_captioner(language_model: bool) -> str:
    """Digest of the weights of a captioner after one epoch, with or without its p(d)."""
    import numpy as np

    from milan_core.captioner.options import CaptionerSettings
    from milan_core.captioner.training.train import train_captioner

    rng = np.random.default_rng(0)
    words = ["red", "dog", "sky", "round", "things", "with", "text"]
    texts = [
        [" ".join(rng.choice(words, int(rng.integers(1, 6)))) for _ in range(3)] for _ in range(80)
    ]
    features = rng.normal(size=(80, 15, 369)).astype(np.float16)
    sizes = {"hidden": 256, "embedding": 128, "max_epochs": 1, "batch": 64, "stop_on": "loss"}
    settings = CaptionerSettings(language_model=language_model, **sizes)
    return digest(train_captioner(features, texts, settings, 0).captioner.state_dict())


PARTS = {
    "network": train_small_network,
    "decoder": lambda: train_small_captioner(language_model=False),
    "both models": lambda: train_small_captioner(language_model=True),
}


class _Images:
    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels, self.fingerprint = images, labels, ""


def cells(held: bool, more: Mapping[str, str], emulator: str = "", processor: str = "") -> str:
    """The digest of every part, each from a new process; what failed says so."""
    from milan_core.core.reproducible import KERNELS, SWITCH

    environment = {name: value for name, value in os.environ.items() if name not in KERNELS}
    environment |= {SWITCH: "1" if held else "0", **more}
    start = [emulator, "-cpu", processor] if emulator else []
    found = []
    for part in PARTS:
        words = [*start, sys.executable, "-m", "benchmarks.same_bytes", "--child", part]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        found.append(done.stdout.strip() if done.returncode == 0 else "failed")
    return " | ".join(found)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default="", help="qemu-x86_64 or qemu-x86_64-static")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        from milan_core.core.devices import start_device

        start_device("cpu", 1)
        print(PARTS[given.child]())
        return
    print(f"| kernels | setting | {' | '.join(PARTS)} |\n|---|---|{'---|' * len(PARTS)}")
    for name, more in FREE.items():
        print(f"| free | {name} | {cells(False, more)} |", flush=True)
    print(f"| held | as it is | {cells(True, {})} |", flush=True)
    if given.emulator:
        for processor in EMULATED:
            for held in (False, True):
                got = cells(held, {}, given.emulator, processor)
                print(
                    f"| {'held' if held else 'free'} | emulated {processor} | {got} |", flush=True
                )


if __name__ == "__main__":
    main()
