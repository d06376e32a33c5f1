"""The stored form of a scan: round trip, and refusal of whatever is not one."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.core.tensors import load_tensors, save_tensors
from ops.support import assert_same, scan


def sample(total=20):
    values = np.maximum(np.random.default_rng(0).normal(size=(10, 3, 4, 4)), 0).astype(np.float32)
    return scan(ops.ScanState, values, {"k": 2, "quantile": 0.9, "total": total})


def test_round_trip_and_further_updates(tmp_path):
    state = sample()
    save_tensors(tmp_path / "scan.safetensors", "scan", 1, *state.to_arrays())
    again = ops.ScanState.from_arrays(*load_tensors(tmp_path / "scan.safetensors", "scan", dict))
    assert_same(again, state)
    more = np.abs(np.random.default_rng(1).normal(size=(5, 3, 4, 4))).astype(np.float32)
    for each in (state, again):
        each.update(more, np.arange(10, 15))
    assert_same(again, state)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("keys", lambda a: a[:, :1], "array 'keys' is"),
        ("maps", lambda a: a.astype(np.float64), "array 'maps' is"),
        ("cells", lambda a: a + np.uint32(1), "cells announced"),
        ("bins", lambda a: a[::-1].copy(), "out of order"),
        ("bins", lambda a: a + np.uint32(2**30), "off the grid"),
        ("counts", lambda a: a + np.uint64(2**63), "do not fit"),
        ("zeros", lambda a: a + np.uint64(10**6), "more values counted"),
        ("keys", lambda a: a[:, ::-1].copy(), "falling order"),
        ("nan", None, "'nan' is missing"),
    ],
)
def test_damage_is_named(name, change, words):
    arrays, meta = sample().to_arrays()
    arrays = {key: array for key, array in arrays.items() if change or key != name}
    if change:
        arrays[name] = change(arrays[name])
    with pytest.raises(UserError, match=words):
        ops.ScanState.from_arrays(arrays, meta)


@pytest.mark.parametrize(
    "change", [{"units": "x"}, {"k": None}, {"images": 21}, {"bits": 40}, {"images": -1}]
)
def test_damaged_header_is_refused(change):
    arrays, meta = sample().to_arrays()
    with pytest.raises(UserError):
        ops.ScanState.from_arrays(arrays, {**meta, **change})
    with pytest.raises(UserError):
        ops.ScanState.from_arrays(arrays, {k: v for k, v in meta.items() if k not in change})


ARRAYS, META = sample().to_arrays()


@settings(max_examples=150, deadline=None)
@example(name="keys", at=1_304_740_452_926_627_206_135_808, value=255)  # an image twice in a unit
@given(name=st.sampled_from(sorted(ARRAYS)), at=st.integers(0), value=st.integers(0, 255))
def test_any_damaged_byte_is_refused_or_harmless(name, at, value):
    """No byte of a state can crash the reader or a later answer."""
    raw = bytearray(ARRAYS[name].tobytes())
    raw[at % len(raw)] = value
    damaged = np.frombuffer(bytes(raw), ARRAYS[name].dtype).reshape(ARRAYS[name].shape)
    try:
        state = ops.ScanState.from_arrays({**ARRAYS, name: damaged}, META)
    except UserError:
        return
    state.topk()
    state.levels()
    state.update(np.ones((1, 3, 4, 4), np.float32), [19])
    state.to_arrays()
