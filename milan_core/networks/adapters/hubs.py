"""Networks by their names in torchvision and timm."""

from __future__ import annotations

from typing import Any

from torch import nn

from milan_core.core.errors import unknown
from milan_core.core.packages import optional

LISTED = "python -c 'import {0}; print(*{0}.list_models())'"


def torchvision_model(name: str, pretrained: bool = True, **kwargs: Any) -> nn.Module:
    """`torchvision:NAME`: with the library's current weights, or with random ones."""
    from torchvision import models

    if name not in (known := models.list_models()):
        raise unknown("network", name, known, "torchvision", LISTED.format("torchvision.models"))
    kwargs.setdefault("weights", "DEFAULT" if pretrained else None)
    return models.get_model(name, **kwargs)


def timm_model(name: str, pretrained: bool = True, **kwargs: Any) -> nn.Module:
    """`timm:NAME`, for example timm:resnet50.a1_in1k."""
    timm = optional("timm", "timm", f"for timm:{name}")
    if not timm.is_model(name):
        raise unknown("network", name, timm.list_models(), "timm", LISTED.format("timm"))
    network: nn.Module = timm.create_model(name, pretrained=pretrained, **kwargs)
    return network
