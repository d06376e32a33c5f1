"""Small target networks that train in minutes on one core (design: world.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

RESNET_WIDTHS = (32, 64, 128)
ALEXNET_WIDTHS = (48, 96, 128, 128, 96)
ALEXNET_GRID = 4  # side of the last map that the classifier of AlexNetMini reads


def _conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def _conv_norm_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_conv_norm(inputs, outputs, kernel, stride), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; the output is post-ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv_norm_relu(inputs, outputs, stride=stride), *_conv_norm(outputs, outputs)
        )
        same = inputs == outputs and stride == 1
        shortcut: list[nn.Module] = [] if same else _conv_norm(inputs, outputs, 1, stride)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResNetMini(nn.Module):
    """A 5x5 stem and two residual blocks a width; units are the channels of `blocks.*`."""

    def __init__(self, classes: int, widths: Sequence[int] = RESNET_WIDTHS) -> None:
        super().__init__()
        self.stem = _conv_norm_relu(3, widths[0], kernel=5, stride=2)
        blocks: list[nn.Module] = []
        inputs = widths[0]
        for width in widths:
            blocks += [ResidualBlock(inputs, width, 2), ResidualBlock(width, width, 1)]
            inputs = width
        self.blocks = nn.ModuleList(blocks)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) -> class logits (b, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)))


class AlexNetMini(nn.Module):
    """Five convolution stages, pooled after 0, 1 and 4; units are the channels of `features.*`."""

    def __init__(self, classes: int, widths: Sequence[int] = ALEXNET_WIDTHS) -> None:
        super().__init__()
        first, *rest = widths
        stages: list[nn.Module] = [_conv_norm_relu(3, first, kernel=5, stride=2)]
        for inputs, outputs in zip(widths, rest, strict=False):
            stages.append(_conv_norm_relu(inputs, outputs))
        self.features = nn.ModuleList(stages)
        self._pooled = {0, 1, len(stages) - 1}
        hidden = 2 * widths[-1]
        self.classifier = nn.Sequential(
            nn.Linear(widths[-1] * ALEXNET_GRID**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) -> class logits (b, classes)."""
        for index, stage in enumerate(self.features):
            x = stage(x)
            if index in self._pooled:
                x = F.max_pool2d(x, 2)
        if tuple(x.shape[2:]) != (ALEXNET_GRID, ALEXNET_GRID):  # any input but 64 x 64
            x = F.adaptive_avg_pool2d(x, ALEXNET_GRID)
        return self.classifier(x.flatten(1))


def resnet_mini(classes: int, widths: Sequence[int] = RESNET_WIDTHS) -> ResNetMini:
    """ResNet-mini: 0.70 M parameters, 448 units in `blocks.0` to `blocks.5`, 32 to 64 px."""
    return ResNetMini(classes, tuple(widths))


def alexnet_mini(classes: int, widths: Sequence[int] = ALEXNET_WIDTHS) -> AlexNetMini:
    """AlexNet-mini: 0.72 M parameters, 496 units in `features.0` to `features.4`, 32 to 64 px."""
    return AlexNetMini(classes, tuple(widths))
