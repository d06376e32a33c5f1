"""Layers of resnet18 scanned while it runs, against the bare forward.

The bare forward and every kind of pass take turns batch by batch, each time in another order, so
that what else the machine does meets all of them alike. A repetition is a whole data set from the
cold start, where most maps are new among the best and every value is recorded: the smaller the data
set, the larger the share of that.

Rows of channels_last are the product's own path: its batches are laid out so and the network is
left as it is (`milan_core.exemplars.mine`).
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torchvision

from benchmarks.clock import Row
from milan_core import ops
from milan_core.exemplars.mine import mine
from milan_core.exemplars.sample import sample_state
from milan_core.networks.trace import Trace

NAMES = ("conv1", "layer1", "layer2", "layer3", "layer4")
BATCH = 32
SAMPLED = 1.12  # what reading a sample whole may cost, for the images in it
BESIDE_MIB = 64  # what scans may hold beside kept maps and histograms
KB_AN_EXEMPLAR = 7.0
LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def network(images: torch.Tensor) -> torch.nn.Module:
    """resnet18 with random weights, its normalisation fitted to `images`."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18().train()
    with torch.no_grad():
        model(images)
    return model.eval()


class Scans:
    """The scans of some layers over one data set; with `sampled`, those of its sample as well."""

    def __init__(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        layers: tuple[str, ...],
        *,
        sampled: bool,
    ) -> None:
        self._images, self._sampled = images, sampled
        self._states: dict[str, list[ops.ScanState]] = {}
        self._ids: np.ndarray | None = None
        self.trace = Trace(model, layers, self._receive)

    def __call__(self, first: int) -> None:
        """Pass the batch that starts at an image."""
        self._ids = np.arange(first, min(first + BATCH, len(self._images)))
        self.trace(self._images[first : first + BATCH])

    def _receive(self, layer: str, output: torch.Tensor) -> None:
        if self._ids is None:
            return
        if layer not in self._states:
            total, shape = len(self._images), tuple(output.shape[2:])
            states = [ops.ScanState(output.shape[1], shape, 15, 0.99, total)]
            if self._sampled:
                states.append(sample_state(output.shape[1], shape, total, total, "top"))
            self._states[layer] = states
        for state in self._states[layer]:
            state.update(output, self._ids)

    def states(self) -> list[ops.ScanState]:
        """The scan of each layer."""
        return [state for state, *_ in self._states.values()]

    def finish(self) -> float:
        """Microseconds of CPU an exemplar for levels and masks."""
        start, number = time.thread_time(), 0
        for state in self.states():
            _, _, maps = state.topk()
            assert maps is not None
            level, _ = state.levels()
            flat = maps.reshape(-1, *maps.shape[2:])
            number += len(ops.masks(flat, np.repeat(level, 15), 224))
        return (time.thread_time() - start) / number * 1e6


@contextlib.contextmanager
def scanning(
    model: torch.nn.Module,
    images: torch.Tensor,
    layers: tuple[str, ...] = NAMES,
    *,
    sampled: bool = False,
) -> Iterator[Scans]:
    """Scans whose hooks are on the model within the block."""
    scans = Scans(model, images, layers, sampled=sampled)
    with scans.trace as trace:
        trace(images[:BATCH])  # the first pass always runs to its end
        yield scans


def in_turn(works: dict[str, Callable[[int], object]], images: int) -> dict[str, float]:
    """CPU seconds of each work over all batches; they take turns, in another order each time."""
    seconds, names = dict.fromkeys(works, 0.0), list(works)
    for turn, first in enumerate(range(0, images, BATCH)):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            start = time.thread_time()
            works[name](first)
            seconds[name] += time.thread_time() - start
    return seconds


def peak_mib() -> float:
    """The most memory held since the peak was last reset through `PEAK`."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def kept_mib(states: Iterable[ops.ScanState]) -> float:
    """MiB of what scans must keep: maps of the best images, and octaves of the histograms."""
    total = 0
    for state in states:
        spec, arrays = state.spec, state.to_arrays()[0]
        unit = np.repeat(np.arange(spec.units), arrays["cells"])
        octaves = np.unique(unit << 9 | arrays["bins"] >> spec.bits)
        total += 4 * spec.units * spec.k * spec.pixels + 4 * (len(octaves) << spec.bits)
    return total / 2**20


def grown_mib(model: torch.nn.Module, images: torch.Tensor) -> tuple[float, float]:
    """MiB that scanning five layers holds at most above the bare forward, and its bound."""
    peaks, kept = [], 0.0
    for bare in (True, False):
        PEAK.write_text("5")
        if bare:
            model(images[:BATCH])
        else:
            with scanning(model, images) as scans:
                for first in range(0, len(images), BATCH):
                    scans(first)
        peaks.append(peak_mib())
        kept = 0.0 if bare else kept_mib(scans.states())
    return peaks[1] - peaks[0], kept + BESIDE_MIB


def kb_an_exemplar(model: torch.nn.Module, images: torch.Tensor) -> float:
    """KB of a finished exemplar file of the five layers, distributions included, by exemplar."""
    found = mine(model, images, NAMES, batch_size=BATCH, sample=len(images))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exemplars.safetensors"
        found.save(path)
        return path.stat().st_size / 1000 / (found.k * sum(found.units.values()))


def repetition(model: torch.nn.Module, images: torch.Tensor) -> tuple[dict[str, float], float]:
    """Seconds of each kind of pass over those of the bare one, and `Scans.finish`."""
    copies = [copy.deepcopy(model) for _ in range(3)]  # hooks of one must not run for another
    with (
        scanning(copies[0], images) as five,
        scanning(copies[1], images, sampled=True) as sampled,
        scanning(copies[2], images, ("layer1",)) as early,
    ):
        works = {
            "bare": lambda first: model(images[first : first + BATCH]),
            "five": five,
            "sampled": sampled,
            "early": early,
        }
        seconds = in_turn(works, len(images))
        return {name: value / seconds["bare"] for name, value in seconds.items()}, five.finish()


def _material(images: int) -> tuple[torch.Tensor, torch.nn.Module]:
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(images, 3, 224, 224, generator=generator)
    return data, network(data[:BATCH])


def memory(images: int = 256) -> Iterator[Row]:
    """Memory of scanning: median of three, after one that loads what is loaded once.

    First of all, since holes that other work leaves would count too.
    """
    data, model = _material(images)
    for layout, form in LAYOUTS.items():
        laid = data.contiguous(memory_format=form)
        with torch.inference_mode():
            found = [grown_mib(model, laid) for _ in range(4)][1:]
        grown, most = np.median(found, axis=0)
        yield Row(f"peak memory above the bare forward, {layout}", grown, most, True, "MiB")


def passes(images: int = 256, repetitions: int = 5) -> Iterator[Row]:
    """Ratio of each kind of pass to the bare one, and the cost of each exemplar afterwards."""
    data, model = _material(images)
    for layout, form in LAYOUTS.items():
        laid = data.contiguous(memory_format=form)
        with torch.inference_mode():
            found = [repetition(model, laid) for _ in range(repetitions)]
        ratio = {name: float(np.median([r[name] for r, _ in found])) for name in found[0][0]}
        after = float(np.median([us for _, us in found]))
        for what, kind, bound in (
            ("five layers, one pass", "five", 1.06),
            ("layer1 only, early stop", "early", 0.65),
            ("five layers, all images sampled", "sampled", SAMPLED),
        ):
            yield Row(f"{what}, {layout}", ratio[kind], bound, True, "x bare")
        yield Row(f"levels + masks, {layout}", after, 20.0, True, "us/exemplar")
    yield Row("exemplar file", kb_an_exemplar(model, data), KB_AN_EXEMPLAR, True, "KB/exemplar")
