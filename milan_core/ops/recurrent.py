"""One step of a recurrence with attention, for many hypotheses, but for its matrix products.

Both functions write into the arrays they are given, so that a step allocates nothing. Their NumPy
meaning is in `milan_core.ops.reference.recurrent`; results agree to a few units in the last place,
and the native ones are the same on every instruction set and for any number of threads.
"""

from __future__ import annotations

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops.backend import native
from milan_core.ops.reference import recurrent as recurrent_reference

Array = np.ndarray


def attend(
    query: Array,
    gate: Array,
    units: Array,
    keys: Array,
    features: Array,
    energy: Array,
    bias: Array,
    *,
    weights: Array,
    gated: Array,
    threads: int = 1,
) -> None:
    """Attention over the exemplars of each hypothesis' unit, and the gated context.

    weights = softmax_j(energy . tanh(key_j + query)); gated = logistic(gate + bias) * sum_j
    weights_j feature_j. All float32, rows may be apart.

    Args:
        query: (R, A).
        gate: (R, F).
        units: int64 (R,), the unit of each hypothesis.
        keys: (U, k, A).
        features: (U, k, F).
        energy: (A,).
        bias: (F,).
        weights: (R, k), written.
        gated: (R, F), written.
        threads: split the hypotheses.

    """
    _check("attend", query, gate, keys, features, energy, bias, weights, gated)
    if core := native():
        core.attend(query, gate, units, keys, features, energy, bias, threads, weights, gated)
    else:
        weights[:], gated[:] = recurrent_reference.attend(
            query, gate, units, keys, features, energy, bias
        )


def lstm_cell(
    left: Array,
    left_row: Array,
    right: Array,
    right_row: Array,
    c: Array,
    c_row: Array,
    *,
    new_h: Array,
    new_c: Array,
    threads: int = 1,
) -> None:
    """An LSTM cell whose gates are left[left_row] + right[right_row] and whose state is c[c_row].

    All float32. Gates stand in torch's order: input, forget, cell, output.

    Args:
        left: (P, 4H), rows may be apart.
        left_row: int64 (R,).
        right: (Q, 4H), rows may be apart.
        right_row: int64 (R,).
        c: (S, H).
        c_row: int64 (R,).
        new_h: (R, H), written.
        new_c: (R, H), written.
        threads: split the rows.

    """
    _check("lstm_cell", left, right, c, new_h, new_c)
    if core := native():
        core.lstm_cell(left, left_row, right, right_row, c, c_row, threads, new_h, new_c)
    else:
        gates = left[left_row] + right[right_row]
        new_h[:], new_c[:] = recurrent_reference.lstm_cell(gates, c[c_row])


def _check(name: str, *arrays: Array) -> None:
    for array in arrays:
        if array.dtype != np.dtype("f4"):
            raise UserError(f"{name}: all numbers must be float32, got {array.dtype}")
