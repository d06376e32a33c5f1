"""What a scan is given: activations that can be read in place, and the numbers of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from milan_core.core.errors import UserError

Array = np.ndarray

#: Marks of tensors without values to read: (attribute, what it is, what to do).
UNREADABLE = (
    ("is_meta", "on torch's meta device", "they have no values"),
    ("is_nested", "a nested tensor", "pad them with to_padded_tensor()"),
    ("is_quantized", "quantized", "convert them with dequantize()"),
)


def readable_activations(activations: Any) -> Any:
    """Activations that can be borrowed: without a gradient, dense, with memory."""
    for mark, kind, way in UNREADABLE:
        if getattr(activations, mark, False):
            raise UserError(f"ScanState.update: the activations are {kind}; {way}")
    if not hasattr(activations, "shape"):
        raise UserError(
            "ScanState.update: activations must be an array or a tensor, got "
            f"{type(activations).__name__}"
        )
    layout = str(getattr(activations, "layout", "torch.strided"))
    if layout != "torch.strided":
        raise UserError(
            f"ScanState.update: the activations are a {layout.removeprefix('torch.')} tensor; "
            "convert them with to_dense()"
        )
    if getattr(activations, "requires_grad", False):
        activations = activations.detach()
    return _in_memory(activations)


def _in_memory(activations: Any) -> Any:
    """Write out what torch only notes at a tensor and DLPack does not tell: minus, and all zero."""
    if getattr(activations, "_is_zerotensor", bool)():
        return activations.new_empty(activations.shape).fill_(0)
    return activations.resolve_neg() if getattr(activations, "is_neg", bool)() else activations


def image_numbers(image_ids: Any) -> Array:
    """int64 (B,) on the host, in 0..2**32-1."""
    try:
        ids = np.asarray(image_ids)
    except (TypeError, ValueError, RuntimeError) as error:  # of NumPy and torch
        raise UserError(f"ScanState.update: image_ids must be a row of integers; {error}") from None
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise UserError(f"ScanState.update: image_ids must be a row of integers, got {ids!r}")
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < 2**32):
        raise UserError("ScanState.update: image_ids must be in 0..2**32-1")
    return ids.astype(np.int64)
