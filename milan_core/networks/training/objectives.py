"""Objectives of small networks: classes, another network's features, or images from scene codes.

Every objective gives batches of inputs and targets by row number, the loss of a batch, and figures
on held-out data in the rows of `accuracy.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.calling import forward
from milan_core.networks.fingerprint import network_fingerprint
from milan_core.networks.inputs import prepare
from milan_core.networks.kept import eval_mode
from milan_core.networks.options import InputSpec
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel

Figures = list[tuple[str, float, int]]  # (what, value, images)
BATCH = 100  # images per forward pass where nothing is learned


class Images(Protocol):
    """The part of `milan_core.images.store.Dataset` that is needed."""

    name: str
    images: np.ndarray  # uint8 (N, H, W, 3)
    labels: np.ndarray  # int (N,)


class Objective(Protocol):
    """The interface that `train.train_network` calls."""

    identity: Any  # JSON value that a checkpoint must agree on
    flips: bool  # whether images may be mirrored

    def batch(self, rows: np.ndarray, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of some rows; `images` are theirs, mirrored perhaps."""

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of a batch."""

    def figures(self, module: nn.Module, tests: Sequence[Images]) -> Figures:
        """The score on held-out data."""


class Classify:
    """Cross-entropy over labels; judged by accuracy."""

    identity = "classify"
    flips = True

    def __init__(self, view: InputSpec, labels: np.ndarray, device: str = "cpu") -> None:
        self.view, self.labels, self.device = view, labels, device

    def batch(self, rows: np.ndarray, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalized images (b, 3, h, w) and labels int64 (b,)."""
        target = torch.from_numpy(np.asarray(self.labels[rows], dtype=np.int64))
        return prepare(images, self.view, self.device), target.to(self.device)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Cross-entropy."""
        return F.cross_entropy(output, target)

    def figures(self, module: nn.Module, tests: Sequence[Images]) -> Figures:
        """Share of images with the largest logit at their label."""
        return [
            (test.name, self.accuracy(module, test.images, test.labels), len(test.labels))
            for test in tests
        ]

    def accuracy(self, module: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
        """The same for bare arrays."""
        logits = outputs(
            module, lambda rows: prepare(images[rows], self.view, self.device), len(labels)
        )
        return float((logits.argmax(1).numpy() == labels).mean())


class Distil:
    """Squared error to the standardized feature maps of a teacher: no label is looked at.

    `teacher` has one layer; its images are `size` pixels. The output of the network must have the
    shape of the teacher's maps, averaged to the network's grid.
    """

    flips = False

    def __init__(
        self,
        view: InputSpec,
        teacher: LoadedModel,
        train: Images,
        size: int,
        grid: int,
        device: str = "cpu",
    ) -> None:
        self.view, self.device, self.grid = view, device, grid
        self.teacher = teacher
        square = {"size": size, "height": None, "width": None}
        self.teacher_view = teacher.input.model_copy(update=square)
        maps = self._maps(train)
        self.mean = maps.float().mean((0, 2, 3), keepdim=True)
        self.scale = maps.float().std((0, 2, 3), keepdim=True) + 1e-3
        self.maps = self._standardised(maps)
        self.identity = ["distil", network_fingerprint(teacher), teacher.layers, size, grid]

    def _maps(self, images: Images) -> torch.Tensor:
        """Float16 (N, C, grid, grid) of all images."""
        kept: list[torch.Tensor] = []

        def keep(_: str, output: torch.Tensor) -> None:
            kept.append(F.adaptive_avg_pool2d(output, self.grid).half().cpu())

        module = self.teacher.module.to(self.device)
        with torch.inference_mode(), Trace(module, self.teacher.layers, on_output=keep) as trace:
            for begin in range(0, len(images.labels), BATCH):
                part = images.images[begin : begin + BATCH]
                trace(prepare(part, self.teacher_view, self.device))
        return torch.cat(kept)

    def _standardised(self, maps: torch.Tensor) -> torch.Tensor:
        return ((maps.float() - self.mean) / self.scale).half()

    def batch(self, rows: np.ndarray, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalized images (b, 3, h, w) and maps (b, C, grid, grid)."""
        target = self.maps[torch.from_numpy(rows)].float()
        return prepare(images, self.view, self.device), target.to(self.device)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean squared error; 1 is what the mean map alone would give."""
        _same_shape(output, target)
        return F.mse_loss(output, target)

    def figures(self, module: nn.Module, tests: Sequence[Images]) -> Figures:
        """Share of the variance of the teacher's maps that is explained."""
        results: Figures = []
        for test in tests:
            output = outputs(
                module,
                lambda rows, t=test: prepare(t.images[rows], self.view, self.device),
                len(test.labels),
            )
            share = explained(output, self._standardised(self._maps(test)).float())
            results.append(
                (f"{test.name}: variance of the features explained", share, len(test.labels))
            )
        return results


class Draw:
    """Absolute error of images drawn from scene codes; judged by the variance explained."""

    flips = False

    def __init__(
        self,
        codes: np.ndarray,
        tests: Mapping[str, np.ndarray],
        device: str = "cpu",
    ) -> None:
        self.codes, self.tests, self.device = codes, tests, device
        self.identity = "draw"

    def batch(self, rows: np.ndarray, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes int16 (b, 2, g, g) and images (b, 3, h, w) in [0, 1]."""
        return torch.from_numpy(self.codes[rows]).to(self.device), _unit_range(images, self.device)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean absolute error, of [0, 1]."""
        _same_shape(output, target)
        return F.l1_loss(output, target)

    def figures(self, module: nn.Module, tests: Sequence[Images]) -> Figures:
        """Share of the variance of the pixels that is explained."""
        results: Figures = []
        for test in tests:
            codes = self.tests[test.name]
            output = outputs(
                module, lambda rows, c=codes: torch.from_numpy(c[rows]).to(self.device), len(codes)
            )
            share = explained(output, _unit_range(test.images[:], "cpu"))
            results.append((f"{test.name}: variance of the pixels explained", share, len(codes)))
        return results


def outputs(module: nn.Module, inputs: Any, count: int) -> torch.Tensor:
    """Outputs of `count` rows on the CPU; `inputs(slice)` gives a batch."""
    with eval_mode(module), torch.inference_mode():
        parts = [
            forward(module, inputs(slice(begin, begin + BATCH))).float().cpu()
            for begin in range(0, count, BATCH)
        ]
    return torch.cat(parts)


def explained(output: torch.Tensor, target: torch.Tensor) -> float:
    """1 - squared error / variance about the mean of each channel; 1 is perfect, 0 the mean."""
    _same_shape(output, target)
    spread = target - target.mean((0, 2, 3), keepdim=True)
    return 1 - float((output - target).square().sum() / spread.square().sum())


def _unit_range(images: np.ndarray, device: str) -> torch.Tensor:
    batch = torch.from_numpy(np.array(images, order="C")).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(255)


def _same_shape(output: torch.Tensor, target: torch.Tensor) -> None:
    if output.shape != target.shape:
        raise UserError(
            f"the network gives {tuple(output.shape)}, but what it should learn is "
            f"{tuple(target.shape)}; change its kwargs"
        )
