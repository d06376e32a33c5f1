"""The capabilities of the native core on this machine."""

from __future__ import annotations

from milan_core.ops import cuda
from milan_core.ops.backend import native


def facts() -> dict[str, object]:
    """Version, instruction set, CUDA support and devices, as `milan doctor` shows them."""
    core = native()
    if core is None:
        return {"native": False, "isa": "numpy", **cuda.facts()}
    return {
        "native": True,
        "version": core.__version__,
        "isa": core.isa(),
        "cpu_features": core.cpu_features(),
        **cuda.facts(),
    }
