"""The result of a probe: axes of every layer, and how far two answers to one image may differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from milan_core.core.errors import UserError
from milan_core.networks.precision import is_mixed
from milan_core.networks.probe.passes import FIRST, Feed, gpus, run
from milan_core.networks.probe.refusals import depends_on_batch, drifted
from milan_core.networks.zoo import LoadedModel

#: Largest difference between two answers to one image, in parts of the layer's largest value.
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
COARSE = 5e-2  # half precision, and quantized layers, whose scale may be that of the batch
GPU = 1e-2  # float32 whose convolutions may round to TF32


@dataclass
class Probe:
    """The result of the probe, for the record and for the first batch that is mined.

    Args:
        layers: of each layer its axes, its shape for two images, what told the axes, and the share
            of cells in their place.
        tolerance: largest difference that counts as rounding (`tolerance_of`).
        difference: the largest that was seen.
        sample: maps (C, h, w) of the first image.
        shown: the first pass, whose last image is the first that is mined.
        answers: as `sample`, for the end.

    """

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    tolerance: float = 1e-3
    difference: float = 0.0
    sample: dict[str, torch.Tensor] = field(default_factory=dict)
    shown: torch.Tensor | None = None
    answers: dict[str, torch.Tensor] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Plain values for a record."""
        difference = float(f"{self.difference:.1e}")
        return {"difference": difference, "tolerance": self.tolerance, "layers": self.layers}

    def check_rows(self, layer: str, maps: torch.Tensor, count: int) -> None:
        """Refuse a batch of mining whose maps are not one for each of its `count` inputs."""
        if len(maps) != count:
            axes = self.layers[layer]["axes"]
            msg = (
                f"layer {layer!r} gives {len(maps)} rows for {count} images, and {FIRST} for "
                f"{FIRST}, with axes {axes!r}: its form changes from batch to batch; choose "
                "another layer, or another batch_size"
            )
            raise UserError(msg)

    def check_first(self, layer: str, maps: torch.Tensor) -> None:
        """Compare the maps of the first mined image, in its batch, with those of the probe."""
        sample = self.sample.pop(layer, None)
        if sample is None or sample.shape != maps.shape[1:]:
            return
        difference = relative(sample.to(maps.device), maps[0])
        if difference > self.tolerance:
            raise depends_on_batch(layer, difference)


def ask_again(network: LoadedModel, probe: Probe, feed: Feed) -> None:
    """Show the first image once more, after all others: one pass of two images.

    Args:
        network: that was probed.
        probe: what that gave.
        feed: as of the probe.

    Raises:
        UserError: for a network whose answers have changed meanwhile.

    """

    def compare(layer: str, output: torch.Tensor) -> None:
        maps, _ = network.layout.maps(output, layer)
        answer = probe.answers[layer]
        same = maps.shape[1:] == answer.shape
        difference = relative(answer, maps[-1]) if same else 1.0
        if difference > probe.tolerance:
            raise drifted(layer, difference)

    if probe.shown is not None:
        with torch.random.fork_rng(gpus()):
            run(network, probe.shown, feed, compare)


def relative(one: torch.Tensor, two: torch.Tensor) -> float:
    """Largest difference, in parts of the largest value; NaN and infinities count for nothing."""
    a, b = (x.detach().double().nan_to_num(0.0, 0.0, 0.0) for x in (one, two))
    scale = float(torch.maximum(a.abs(), b.abs()).max()) if a.numel() else 0.0
    return float((a - b).abs().max()) / scale if scale > 0 else 0.0


def tolerance_of(network: LoadedModel, output: torch.Tensor) -> float:
    """Largest difference between two answers to one image, relative to the largest value."""
    exact = COARSE if is_mixed(output.device) else TOLERANCE.get(output.dtype, COARSE)
    if any("quantized" in type(module).__module__ for module in network.module.modules()):
        return COARSE
    return max(exact, GPU) if output.is_cuda else exact
