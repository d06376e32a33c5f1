"""Builders shared by the tests of the native core."""

from __future__ import annotations

import numpy as np

from milan_core import ops
from milan_core.ops.reference.scan import ScanReference


def reference_state(*args, **kwargs) -> ops.ScanState:
    """A `ScanState` backed by the NumPy reference."""
    state = ops.ScanState(*args, **kwargs)
    state._impl = ScanReference(state.spec)
    return state


def scan(make, values, spec, *, batches=(), threads=1, ids=None):
    """State of `values` (N, U, h, w), fed in batches of the given sizes (default: one)."""
    values = np.asarray(values) if isinstance(values, list) else values
    number, units, *shape = values.shape
    state = make(units, tuple(shape) or (1, 1), total_images=spec.pop("total", number), **spec)
    ids = np.arange(number) if ids is None else np.asarray(ids)
    start = 0
    for size in [*batches, number]:
        if start < number:
            state.update(values[start : start + size], ids[start : start + size], threads=threads)
            start += size
    return state


def assert_same(a: ops.ScanState, b: ops.ScanState) -> None:
    """Equal states, byte for byte, with equal answers."""
    (arrays_a, meta_a), (arrays_b, meta_b) = a.to_arrays(), b.to_arrays()
    assert meta_a == meta_b
    assert arrays_a.keys() == arrays_b.keys()
    for name, array in arrays_a.items():
        assert array.dtype == arrays_b[name].dtype, name
        assert array.tobytes() == arrays_b[name].tobytes(), name
    for q in (*a.spec.quantiles, 1.0):
        (level_a, resolved_a), (level_b, resolved_b) = a.levels(q), b.levels(q)
        assert resolved_a.tolist() == resolved_b.tolist()
        assert level_a.tobytes() == level_b.tobytes()


def level_error(level: float, exact: float) -> float:
    """|level - exact| relative to the exact value, but to no less than the smallest normal."""
    if level == exact:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        return abs(float(level) - float(exact)) / max(abs(float(exact)), 2.0**-126)
