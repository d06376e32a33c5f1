"""Properties of the scan: equal bytes for any order, layout, split and instruction set."""

import itertools
import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from milan_core import ops
from milan_core.core.errors import UserError
from ops.support import assert_same, level_error, reference_state, scan

RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPECIAL = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1e-38, 2.0**-126, 3e38, -3e38, 0.5, 0.50000006]
)
BROKEN = st.sampled_from([np.nan, np.inf, -np.inf])
FINITE = st.floats(-100, 100, width=32)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))


def tensors(elements):
    return hnp.arrays(np.float32, SHAPES, elements=elements)


@RELAXED
@given(
    values=tensors(FINITE | SPECIAL | BROKEN),
    k=st.integers(1, 12),
    q=st.sampled_from([0.2, 0.5, 0.9, 0.99, 1.0]),
    mode=st.sampled_from(["top", "bottom", "magnitude"]),
    bits=st.sampled_from([4, 7, 10, 13]),
    batches=st.lists(st.integers(1, 4), max_size=3),
)
def test_native_equals_reference(isa, values, k, q, mode, bits, batches):
    spec = {"k": k, "quantile": q, "mode": mode, "bits": bits}
    native = scan(ops.ScanState, values, dict(spec), batches=batches)
    assert_same(native, scan(reference_state, values, dict(spec)))


@RELAXED
@given(values=tensors(FINITE | SPECIAL), q=st.sampled_from([0.05, 0.5, 0.9, 0.99]))
def test_levels_are_within_the_bound(values, q):
    state = scan(ops.ScanState, values, {"k": 1, "quantile": q})
    exact = ops.exact_levels(values.transpose(1, 0, 2, 3).reshape(values.shape[1], -1), q)
    level, resolved = state.levels()
    assert resolved.all()
    assert max(map(level_error, level, exact)) <= 2.0**-10


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(3, 7, 7), (65, 4, 5), (20, 16, 17), (5, 1, 1), (4, 1, 40)])
def test_layouts_types_threads(isa, dtype, shape):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(23, *shape, generator=generator)
    values[values.abs() < 0.4] = 0
    values[3, 0, 0, 0] = float("nan")
    values[5, 1] = float("nan")
    values = values.to(dtype)
    spec = {"k": 4, "quantile": 0.9}
    want = scan(reference_state, values, dict(spec))
    spread = torch.zeros(23, *shape[:1], 2 * shape[1], 3 * shape[2], dtype=dtype)
    spread[:, :, ::2, ::3] = values
    tokens = torch.zeros(23, shape[1] * shape[2] + 1, shape[0], dtype=dtype)
    tokens[:, 1:] = values.flatten(2).transpose(1, 2)
    layouts = {
        "nchw": values.contiguous(),
        "nhwc": values.contiguous(memory_format=torch.channels_last),
        "strided": spread[:, :, ::2, ::3],
        "mirrored": values.flip(1).contiguous(),
        "tokens": tokens[:, 1:].transpose(1, 2).unflatten(2, shape[1:]),
    }
    for name, layout in layouts.items():
        if name == "mirrored":
            if dtype == torch.bfloat16:
                continue
            layout = layout.numpy()[:, ::-1]  # negative strides, which torch does not have
        for threads in (1, 2):
            assert_same(
                scan(ops.ScanState, layout, dict(spec), batches=[7, 1], threads=threads), want
            )


def test_unaligned_and_swapped_arrays(isa):
    values = np.random.default_rng(0).normal(size=(6, 5, 7, 7)).astype(np.float32)
    spec = {"k": 2, "quantile": 0.9}
    want = scan(reference_state, values, dict(spec))
    raw = np.frombuffer(b"x" + values.tobytes(), np.uint8)[1:]
    unaligned = raw.view(np.float32).reshape(values.shape)
    packed = np.zeros(values.shape, np.dtype([("tag", "u1"), ("value", "f4")]))
    packed["value"] = values
    for array in (unaligned, packed["value"], values.astype(">f4")):
        assert_same(scan(ops.ScanState, array, dict(spec)), want)


def test_vectors(isa):
    values = np.random.default_rng(0).normal(size=(30, 70)).astype(np.float32)
    want = scan(reference_state, values[:, :, None, None], {"k": 3, "quantile": 0.9})
    assert_same(scan(ops.ScanState, values, {"k": 3, "quantile": 0.9}), want)
    assert_same(scan(ops.ScanState, torch.from_numpy(values), {"k": 3, "quantile": 0.9}), want)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", ["relu", "signed", "dead", "growing", "tied"])
def test_any_sharding_gives_the_same_bytes(shards, kind):
    rng = np.random.default_rng(shards)
    values = rng.normal(size=(60, 4, 6, 6)).astype(np.float32)
    if kind == "relu":
        values = np.maximum(values, 0)
    elif kind == "dead":
        values[:, :2] = 0
        values[17, 1, 2, 2] = 4
    elif kind == "growing":  # new octaves while the data arrive
        values = (
            np.abs(values)
            * np.float32(10) ** np.arange(-30, 30, dtype=np.float32)[:, None, None, None]
        )
    elif kind == "tied":
        values = np.round(values)
    spec = {"k": 5, "quantile": (0.9, 0.99), "total": 60}
    want = scan(ops.ScanState, values, dict(spec))
    parts = np.array_split(rng.permutation(60), shards)
    states = [scan(ops.ScanState, values[p], dict(spec), ids=p, batches=[2, 5]) for p in parts]
    stored = [state.to_arrays() for state in states]
    orders = list(itertools.permutations(range(shards)))[:6] if shards < 7 else [rng.permutation(7)]
    for order in orders:
        pile = [ops.ScanState.from_arrays(*stored[i]) for i in order]
        while len(pile) > 1:  # an uneven tree
            left, right = pile.pop(0), pile.pop(0)
            left.merge(right)
            pile.append(left)
        assert_same(pile[0], want)


def test_merge_refuses_what_does_not_fit():
    base = {"units": 2, "map_shape": (1, 1), "k": 2, "quantile": 0.5, "total_images": 4}
    state = ops.ScanState(**base)
    for change in ({"units": 3}, {"k": 3}, {"quantile": 0.6}, {"total_images": 5}, {"bits": 9}):
        name = {"quantile": "quantiles"}.get(next(iter(change)), next(iter(change)))
        with pytest.raises(UserError, match=f"{name} differs"):
            state.merge(ops.ScanState(**{**base, **change}))
    values = np.ones((3, 2), np.float32)
    state.update(values, [0, 1, 2])
    twin = ops.ScanState(**base)
    twin.update(values[:1], [1])
    with pytest.raises(UserError, match="same image"):
        state.merge(twin)
    other = ops.ScanState(**base)
    other.update(values[:2], [3, 4])
    with pytest.raises(UserError, match="total_images=4"):
        state.merge(other)


def test_denormals_count_where_the_caller_switched_them_off(isa):
    values = np.full((4, 1, 5, 5), 1e-40, np.float32)
    want = scan(reference_state, values, {"k": 1, "quantile": 0.5})
    torch.set_flush_denormal(True)
    try:
        got = scan(ops.ScanState, values, {"k": 1, "quantile": 0.5})
        got._impl.levels(0.5)
    finally:
        torch.set_flush_denormal(False)
    assert_same(got, want)


def test_reference_stands_in(monkeypatch):
    from milan_core.ops import backend

    monkeypatch.setenv("MILAN_OPS", "reference")
    backend.native.cache_clear()
    try:
        state = scan(ops.ScanState, np.ones((2, 1, 1, 1), np.float32), {"k": 1, "quantile": 0.5})
        assert ops.facts()["native"] is False
    finally:
        monkeypatch.delenv("MILAN_OPS")
        backend.native.cache_clear()
    assert state.topk()[0].tolist() == [[0]]
    assert os.environ.get("MILAN_OPS") is None


@RELAXED
@given(
    values=tensors(FINITE | SPECIAL | BROKEN),
    q=st.sampled_from([0.2, 0.9, 0.99, 1.0]),
    mode=st.sampled_from(["top", "bottom", "magnitude"]),
    cut=st.integers(0, 9),
)
def test_exact_levels_are_exact(isa, values, q, mode, cut):
    spec = {"k": 2, "quantile": q, "mode": mode, "bits": 23, "total": len(values)}
    whole = scan(ops.ScanState, values, dict(spec), batches=[2])
    assert_same(whole, scan(reference_state, values, dict(spec)))
    parts = [p for p in np.split(np.arange(len(values)), [min(cut, len(values))]) if len(p)]
    shards = [scan(ops.ScanState, values[p], dict(spec), ids=p) for p in parts]
    for other in shards[1:]:
        shards[0].merge(ops.ScanState.from_arrays(*other.to_arrays()))
    assert_same(shards[0], whole)
    changed = {"top": values, "bottom": -values, "magnitude": np.abs(values)}[mode]
    exact = ops.exact_levels(changed.transpose(1, 0, 2, 3).reshape(values.shape[1], -1), q)
    np.testing.assert_array_equal(whole.levels()[0], exact)


def test_exact_levels_keep_a_bounded_number_of_values():
    rng = np.random.default_rng(0)
    state = ops.ScanState(2, (16, 16), 1, 0.99, 400, bits=23)
    for first in range(0, 400, 20):
        state.update(rng.normal(size=(20, 2, 16, 16)).astype(np.float32), range(first, first + 20))
    cells = state.to_arrays()[0]["cells"]
    assert (cells <= 400 * 256 - int(np.ceil(0.99 * 400 * 256)) + 1).all()
    with pytest.raises(UserError, match="GiB"):
        ops.ScanState(4096, (112, 112), 15, 0.99, 50_000, bits=23)


@pytest.mark.parametrize("mode", ["top", "bottom", "magnitude"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(65, 7, 9), (48, 32, 32), (5, 1, 1)])
def test_the_largest_values_come_with_the_scan(isa, mode, dtype, shape):
    values = torch.randn(9, *shape, generator=torch.Generator().manual_seed(2)).to(dtype)
    values[2, 0] = -0.0
    values[3, 1, 0, 0] = float("nan")  # left out
    values[4, 2] = float("nan")
    changed = {"top": values, "bottom": -values, "magnitude": values.abs()}[mode].float()
    expected = changed.nan_to_num(-torch.inf).amax((2, 3)).add(0.0).numpy()
    for layout in (torch.contiguous_format, torch.channels_last):
        laid = values.contiguous(memory_format=layout)
        for make, threads in ((ops.ScanState, 1), (ops.ScanState, 2), (reference_state, 1)):
            state = make(shape[0], shape[1:], 2, 0.9, 9, mode=mode)
            first = state.update(laid[:4], np.arange(4), threads, maxima=True)
            rest = state.update(laid[4:], np.arange(4, 9), threads, maxima=True)
            assert np.concatenate([first, rest]).tobytes() == expected.tobytes()
            assert state.update(laid[:0], np.arange(0)) is None
            unasked = scan(make, laid, {"k": 2, "quantile": 0.9, "mode": mode})
            assert_same(state, unasked)
