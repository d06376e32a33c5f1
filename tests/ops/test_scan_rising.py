"""Properties of scans long enough for the floor to rise: any split, threads, instruction set."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from milan_core import ops
from ops.support import assert_same, level_error, reference_state, scan

IMAGES = 84
DRAWN = st.floats(-100, 100, width=32) | st.sampled_from([0.0, -0.0, 1e-45, 1.0, -3e38])


@st.composite
def long_scans(draw):
    """(IMAGES, units, 16, 16) drawn values, repeated over the images with drawn factors.

    A unit gets 21,504 values, ten times what is buffered before they are binned. Powers of two as
    factors bring new octaves at any time, so that the floor passes values recorded before; few
    different values put many of them into the bin of the floor.
    """
    units = draw(st.sampled_from([1, 3, 17]))
    few = draw(hnp.arrays(np.float32, (3, units, 4, 4), elements=DRAWN))
    steps = draw(st.lists(st.integers(-40, 3), min_size=4, max_size=4))
    values = np.tile(few, (IMAGES // 3, 1, 4, 4))
    factors = np.repeat(np.array(steps, np.float32), IMAGES // 4)[:, None, None, None]
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(-3, 4, values.shape)
    with np.errstate(over="ignore", under="ignore"):
        return (values * np.float32(2) ** factors * (1 + noise / 8)).astype(np.float32)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=long_scans(),
    q=st.sampled_from([0.9, 0.99, 0.999]),
    threads=st.sampled_from([1, 2, 3]),
    bits=st.sampled_from([4, 10]),
    batches=st.lists(st.integers(1, 30), max_size=3),
)
def test_any_way_gives_the_bytes_of_the_reference(isa, shards, values, q, threads, bits, batches):
    spec = {"k": 4, "quantile": q, "bits": bits, "total": IMAGES}
    want = scan(reference_state, values, dict(spec))
    parts = np.array_split(np.random.default_rng(shards).permutation(IMAGES), shards)
    states = [
        scan(ops.ScanState, values[p], dict(spec), ids=p, batches=batches, threads=threads)
        for p in parts
    ]
    first, *others = states
    for other in others:
        first.merge(other)
    assert_same(first, want)
    exact = ops.exact_levels(values.transpose(1, 0, 2, 3).reshape(values.shape[1], -1), q)
    assert max(map(level_error, first.levels()[0], exact)) <= 2.0**-bits
