"""Offsets beyond 2^31 elements, without the memory: a sparse file and strides that repeat rows."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from milan_core import ops
from ops.support import assert_same, scan

FAR = 2**31 + 2**20  # elements between images: past every 32-bit offset


@pytest.mark.parametrize("layout", ["planes", "pixels", "gaps"])
def test_images_far_apart(isa, tmp_path, layout):
    near = np.random.default_rng(0).normal(size=(3, 5, 4, 4)).astype(np.float32)
    memory = np.memmap(tmp_path / "sparse", np.float32, "w+", shape=(2 * FAR + 1000,))
    strides = {"planes": (16, 4, 1), "pixels": (1, 20, 5), "gaps": (40, 10, 2)}[layout]
    shape = near.shape
    far = as_strided(memory, shape, tuple(4 * step for step in (FAR, *strides)))
    far[:] = near
    spec = {"k": 2, "quantile": 0.8}
    assert_same(scan(ops.ScanState, far, dict(spec)), scan(ops.ScanState, near, dict(spec)))


def test_units_far_apart(isa, tmp_path):
    near = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    memory = np.memmap(tmp_path / "sparse", np.float32, "w+", shape=(2 * FAR + 1000,))
    far = as_strided(memory, near.shape, (4 * 9, 4 * FAR, 12, 4))
    far[:] = near
    spec = {"k": 2, "quantile": 0.8}
    assert_same(scan(ops.ScanState, far, dict(spec)), scan(ops.ScanState, near, dict(spec)))


def test_counts_beyond_two_to_the_31():
    """One value, repeated by strides of 0: 2^31 + 2^16 of them in one unit."""
    pixels, images = 2**16, 2**15 + 1
    one = np.full((1, 1, 1, 1), 0.75, np.float32)
    values = np.broadcast_to(one, (1, 1, 2**8, 2**8))
    state = ops.ScanState(1, (2**8, 2**8), 1, 0.5, images, keep_maps=False)
    state.update(values, [0])
    half = ops.ScanState.from_arrays(*state.to_arrays())
    arrays, meta = half.to_arrays()
    arrays["counts"] = arrays["counts"] * np.uint64(2**15)
    large = ops.ScanState.from_arrays(arrays, {**meta, "images": 2**15})
    other = ops.ScanState(1, (2**8, 2**8), 1, 0.5, images, keep_maps=False)
    other.update(values, [images])
    large.merge(other)
    assert large.counts()["values"] == pixels * images
    assert large.to_arrays()[0]["counts"].tolist() == [pixels * images]
    assert abs(large.levels()[0][0] - 0.75) <= 0.75 * 2**-10
