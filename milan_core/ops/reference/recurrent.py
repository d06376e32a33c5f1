"""The plain NumPy meaning of `milan_core.ops.recurrent`."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def attend(
    query: Array,
    gate: Array,
    units: Array,
    keys: Array,
    features: Array,
    energy: Array,
    bias: Array,
) -> tuple[Array, Array]:
    """(weights (R, k), gated context (R, F)) of `recurrent.attend`."""
    energies = np.tanh(keys[units] + query[:, None]) @ energy
    weights = np.exp(energies - energies.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    context = np.einsum("rk,rkf->rf", weights, features[units])
    return weights, _logistic(gate + bias) * context


def lstm_cell(gates: Array, c: Array) -> tuple[Array, Array]:
    """New (h, c), each (R, H), from complete gates (R, 4H)."""
    into, forget, content, out = np.split(gates, 4, axis=1)
    c = _logistic(forget) * c + _logistic(into) * np.tanh(content)
    return _logistic(out) * np.tanh(c), c


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.abs(x))) * np.where(x < 0, np.exp(-np.abs(x)), np.ones_like(x))
