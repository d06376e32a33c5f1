"""Feature maps pooled under masks: against plain NumPy, torch, and across instruction sets."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.ops import reference


def sample(seed=0, images=5, channels=19, grid=(7, 6), size=(33, 41), masks=14, dtype="f2"):
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(images, channels, *grid)).astype(dtype)
    rows = rng.integers(-1, images, masks)
    bits = rng.random((masks, *size)) < rng.choice([0.0, 0.01, 0.3, 1.0], (masks, 1, 1))
    return maps, rows, bits


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("how", ["area", "points"])
@pytest.mark.parametrize("grid", [(7, 6), (1, 1), (40, 50), (3, 17)])
def test_equal_to_the_reference(isa, dtype, how, grid):
    maps, rows, bits = sample(grid=grid, dtype=dtype)
    maps[0, 0, 0, 0], maps[1, 2, -1, -1] = np.inf, 1e-7  # outside a mask they have no say
    with np.errstate(invalid="ignore"):
        want = reference.pool_masks(maps, rows, bits, how)
    for threads in (1, 2):
        got = ops.pool_masks(maps, rows, ops.pack_masks(bits), 41, how, threads=threads)
        assert got.dtype == np.float32
        assert got.tobytes() == want.tobytes()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["area", "points"]),
)
def test_any_size(seed, size, grid, how):
    maps, rows, bits = sample(seed, images=3, channels=9, size=size, grid=grid, masks=5)
    got = ops.pool_masks(maps, rows, ops.pack_masks(bits), size[1], how)
    assert got.tobytes() == reference.pool_masks(maps, rows, bits, how).tobytes()
    weights = (ops.area_weights if how == "area" else reference.point_weights)(bits, *grid)
    for slot, row in enumerate(rows):
        total = weights[slot].sum(dtype=float)
        if row >= 0 and total > 0:
            mean = (maps[row].astype(float) * weights[slot]).sum((1, 2)) / total
            np.testing.assert_allclose(got[slot], mean, rtol=1e-4, atol=1e-5)
        else:
            assert not got[slot].any()


@pytest.mark.parametrize("grid", [(7, 7), (112, 112), (56, 20), (300, 224)])
def test_points_are_torchs_interpolation(grid):
    bits = np.random.default_rng(0).random((4, 224, 224)) < 0.3
    want = torch.nn.functional.interpolate(
        torch.from_numpy(bits[:, None].astype(np.float32)), grid, mode="bilinear"
    )[:, 0].numpy()
    np.testing.assert_allclose(reference.point_weights(bits, *grid), want, atol=1e-5)


def test_whole_mask_is_the_mean():
    maps = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype(np.float32)
    full = ops.pack_masks(np.ones((2, 20, 20), bool))
    got = ops.pool_masks(maps, [1, 0], full, 20)
    np.testing.assert_allclose(got, maps[[1, 0]].mean((2, 3), dtype=float), rtol=1e-6, atol=1e-7)


def test_rows_beyond_two_gigabytes(tmp_path):
    """A sparse file of 3 x 2^30 numbers: its last map lies past every 32-bit offset."""
    shape = (3, 2**15, 256, 128)
    maps = np.memmap(tmp_path / "maps", np.float16, "w+", shape=shape)
    maps[2, -1] = 2
    maps[2, -2, 0, 0] = 1
    offset = 3 * shape[1] - 8
    far = maps.reshape(-1, 8, 256, 128)
    mask = ops.pack_masks(np.eye(1, 64, dtype=bool).reshape(1, 8, 8))
    got = ops.pool_masks(far, [offset // 8], mask, 8)
    cells = 256 * 128 / 64
    np.testing.assert_allclose(got[0], [0, 0, 0, 0, 0, 0, 1 / cells, 2])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"maps": np.zeros((2, 3, 4, 4))}, "must be float32 or float16"),
        ({"rows": [0, 2, 0]}, "rows must be in -1..1"),
        ({"rows": [0]}, "one row number for each mask"),
        ({"width": 40}, "cannot be masks of width 40"),
        ({"how": "nearest"}, "how must be one of area, points"),
    ],
)
def test_wrong_arguments_are_refused(change, words):
    arguments = {
        "maps": np.zeros((2, 3, 4, 4), np.float32),
        "rows": [0, 1, -1],
        "masks": np.zeros((3, 8, 1), np.uint8),
        "width": 8,
    }
    with pytest.raises(UserError, match=words):
        ops.pool_masks(**{**arguments, **change})
