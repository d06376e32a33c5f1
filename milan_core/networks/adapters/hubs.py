"""Networks by their names in torchvision and timm."""

from __future__ import annotations

from typing import Any

from torch import nn

from milan_core.core.errors import UserError, unknown


def torchvision_model(name: str, pretrained: bool = True, **kwargs: Any) -> nn.Module:
    """`torchvision:NAME`: with the library's current weights, or with random ones."""
    from torchvision import models

    if name not in (known := models.list_models()):
        raise unknown("network", name, known, where="torchvision")
    kwargs.setdefault("weights", "DEFAULT" if pretrained else None)
    return models.get_model(name, **kwargs)


def timm_model(name: str, pretrained: bool = True, **kwargs: Any) -> nn.Module:
    """`timm:NAME`, for example timm:resnet50.a1_in1k."""
    try:
        import timm
    except ImportError:
        msg = f"timm:{name} needs the package timm, which is optional; run `pip install timm`"
        raise UserError(msg) from None
    if not timm.is_model(name):
        raise unknown("network", name, timm.list_models(), where="timm")
    return timm.create_model(name, pretrained=pretrained, **kwargs)
