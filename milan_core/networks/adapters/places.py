"""The two Places365 classifiers with architectures of their own (spec 2.6).

Both are sequences whose module names are those of their published weight files.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from milan_core.core.errors import UserError

PLACES_CLASSES = 365


class GroupedAlexNet(nn.Sequential):
    """AlexNet in two groups, conv1 without padding, no response normalization: 227 pixels only."""

    SIDE = 227

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores (b, classes) of images (b, 3, 227, 227)."""
        if tuple(images.shape[2:]) != (self.SIDE, self.SIDE):
            height, width = images.shape[2:]
            msg = (
                f"this AlexNet takes {self.SIDE} x {self.SIDE} images, got {height} x {width}: its "
                f"first dense layer needs 6 x 6 maps; set `input: {{size: {self.SIDE}}}` and probe "
                f"it with images of that size (shorter side 256, center crop {self.SIDE})"
            )
            raise UserError(msg)
        return super().forward(images)


def alexnet(classes: int = PLACES_CLASSES) -> nn.Module:
    """The grouped AlexNet: conv1..conv5, fc6, fc7, linear8."""
    parts: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 96, 11, stride=4)),
        ("relu1", nn.ReLU(inplace=True)),
        ("pool1", nn.MaxPool2d(3, 2)),
        ("conv2", nn.Conv2d(96, 256, 5, padding=2, groups=2)),
        ("relu2", nn.ReLU(inplace=True)),
        ("pool2", nn.MaxPool2d(3, 2)),
        ("conv3", nn.Conv2d(256, 384, 3, padding=1)),
        ("relu3", nn.ReLU(inplace=True)),
        ("conv4", nn.Conv2d(384, 384, 3, padding=1, groups=2)),
        ("relu4", nn.ReLU(inplace=True)),
        ("conv5", nn.Conv2d(384, 256, 3, padding=1, groups=2)),
        ("relu5", nn.ReLU(inplace=True)),
        ("pool5", nn.MaxPool2d(3, 2)),
        ("flatten", nn.Flatten()),
        ("fc6", nn.Linear(256 * 6 * 6, 4096)),
        ("relu6", nn.ReLU(inplace=True)),
        ("fc7", nn.Linear(4096, 4096)),
        ("relu7", nn.ReLU(inplace=True)),
        ("linear8", nn.Linear(4096, classes)),
    ]
    return GroupedAlexNet(OrderedDict(parts))


class Branches(nn.Sequential):
    """Every branch on the same input; the sum of their outputs."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Sum over the branches."""
        return torch.stack([branch(maps) for branch in self]).sum(0)


class Flat(nn.Module):
    """(b, C, 1, 1) to (b, C)."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Drop the spatial axes."""
        return maps.flatten(1)


def _bottleneck(inputs: int, width: int, stride: int) -> nn.Module:
    outputs = 4 * width
    body = nn.Sequential(
        nn.Conv2d(inputs, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )
    shortcut: nn.Module = nn.Identity()
    if inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )
    # The sum was a module of its own in the converted network: it keeps the number of the ReLU.
    return nn.Sequential(Branches(body, shortcut), nn.Identity(), nn.ReLU())


def resnet152(classes: int = PLACES_CLASSES) -> nn.Module:
    """ResNet-152 with numbered modules: 0 the first convolution, 4 to 7 the stages."""
    stages, inputs = [], 64
    for width, blocks, stride in ((64, 3, 1), (128, 8, 2), (256, 36, 2), (512, 3, 2)):
        parts = []
        for block in range(blocks):
            parts.append(_bottleneck(inputs, width, stride if block == 0 else 1))
            inputs = 4 * width
        stages.append(nn.Sequential(*parts))
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        *stages,
        nn.AdaptiveAvgPool2d(1),
        Flat(),
        nn.Sequential(nn.Identity(), nn.Linear(inputs, classes)),
    )
