"""MILAN-workflow: say in open-ended English what each unit of a vision model responds to.

The package imports nothing heavy by itself; the names below load what they need when first used.

>>> import milan_core as milan
>>> result = milan.mine(model, images, layers=["layer4"])        # doctest: +SKIP
>>> captioner = milan.load_captioner("results/captioners/all/seed0")  # doctest: +SKIP
>>> captioner.describe(result)                                    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from milan_core.core import reproducible

if reproducible.asked():
    reproducible.hold()  # before anything imports NumPy or torch

try:
    __version__ = version("milan-workflow")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

_LAZY = {
    "mine": "milan_core.exemplars.mine",
    "merge": "milan_core.exemplars.merge",
    "load_exemplars": "milan_core.exemplars.store",
    "ExemplarSet": "milan_core.exemplars.store",
    "InputSpec": "milan_core.networks.options",
    "describe": "milan_core.describers.notebook",
    "load_captioner": "milan_core.captioner.checkpoint",
    "open_atlas": "milan_core.atlas.reader",
    "pool_pyramid": "milan_core.captioner.features.pyramid",
    "score": "milan_core.referee.scoring",
    "UserError": "milan_core.core.errors",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'milan_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
