import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.ops import reference

BYTES = np.zeros((2, 2), np.uint8)


@pytest.mark.parametrize("border", ["zeros", "clamp"])
@pytest.mark.parametrize("size", [(224, 224), (56, 56), (17, 33), (5, 3), (1, 1), (64, 200)])
@pytest.mark.parametrize("shape", [(7, 7), (1, 1), (14, 9), (1, 6), (56, 56)])
def test_equal_to_the_reference(isa, border, size, shape):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(9, *shape)).astype(np.float32)
    levels = rng.normal(size=9).astype(np.float32) * 0.7
    maps[0, 0, 0], maps[1, -1, -1], maps[2] = np.nan, np.inf, 0
    levels[2:5] = [0, 1e-42, -0.5]
    want = reference.masks(maps, levels, *size, border)
    for threads in (1, 2):
        got = ops.masks(maps, levels, size, border, threads=threads)
        assert got.shape == (9, size[0], (size[1] + 7) // 8)
        assert (got == want).all()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 70)),
    st.tuples(st.integers(1, 40), st.integers(1, 120)),
    st.sampled_from(["zeros", "clamp"]),
    st.integers(0, 2**32 - 1),
)
def test_any_size_equals_the_reference(isa, shape, size, border, seed):
    """Also where a vector of pixels spans more source pixels than it has lanes."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(3, *shape)).astype(np.float32)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3.4e38, 1e-45, -0.0, 0.0], np.float32)
    drawn = rng.random(maps.shape) < 0.02
    maps[drawn] = rng.choice(odd, int(drawn.sum()))
    levels = rng.choice(np.array([0.0, 0.8, 1e-45, -1.0, 2.5], np.float32), 3)
    want = reference.masks(maps, levels, *size, border)
    assert (ops.masks(maps, levels, size, border) == want).all()


def test_equal_to_grid_sample(isa):
    """The published formula, in torch: no pixel differs at the same level."""
    import torch

    rng = np.random.default_rng(3)
    for side in (7, 28):
        maps = np.maximum(rng.normal(size=(60, side, side)), 0).astype(np.float32)
        levels = np.full(60, 1.3, np.float32)
        scale = 224 / side
        centre = (torch.arange(224, dtype=torch.float32) - (0.5 * scale - 0.5)) * (
            2 / (scale * (side - 1))
        ) - 1
        grid = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1)
        sampled = torch.nn.functional.grid_sample(
            torch.from_numpy(maps)[:, None], grid.expand(60, -1, -1, -1), align_corners=True
        )[:, 0].numpy()
        got = ops.unpack_masks(ops.masks(maps, levels, 224), 224)
        assert (got != (sampled > 1.3)).sum() == 0


def test_edges_fade_with_zero_borders_only():
    maps = np.ones((1, 2, 2), np.float32)
    level = np.array([0.9], np.float32)
    faded = ops.unpack_masks(ops.masks(maps, level, 8), 8)[0]
    full = ops.unpack_masks(ops.masks(maps, level, 8, "clamp"), 8)[0]
    assert full.all()
    assert not faded[0].any()
    assert faded[3, 3]


def test_no_masks():
    assert ops.masks(np.zeros((0, 7, 7), np.float32), np.zeros(0, np.float32), 8).shape == (0, 8, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pack_area_overlap(width, height, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 3, height, width)) < 0.4
    packed_a, packed_b = ops.pack_masks(a), ops.pack_masks(b)
    assert (ops.unpack_masks(packed_a, width) == a).all()
    assert (ops.mask_areas(packed_a) == a.sum((1, 2))).all()
    both, either = ops.mask_overlap(packed_a[:, None], packed_b[None])
    assert (both == (a[:, None] & b[None]).sum((2, 3))).all()
    assert (either == (a[:, None] | b[None]).sum((2, 3))).all()
    only_a = ops.mask_combine(packed_a, packed_b, "andnot")
    assert (ops.unpack_masks(only_a, width) == (a & ~b)).all()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(1, 700), st.integers(1, 9), st.sampled_from([1, 2, 3]), st.integers(0, 2**32 - 1)
)
def test_counts_of_pairs(isa, width, height, threads, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((12, height, width)) < 0.4, rng.random((11, height, width)) < 0.6
    packed_a, packed_b = ops.pack_masks(a)[:, None], ops.pack_masks(b)[None]
    for how, joined in (("and", np.logical_and), ("or", np.logical_or), ("andnot", np.greater)):
        got = ops.mask_counts(packed_a, packed_b, how, threads)
        assert (got == joined(a[:, None], b[None]).sum((2, 3))).all()
        rows = (p.reshape(-1, p.shape[-2] * p.shape[-1]) for p in (packed_a[:11], packed_b[0]))
        assert (reference.count_pairs(*rows, how) == np.diagonal(got[:11])).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 9),
)
def test_area_weights(height, width, h, w, seed):
    bits = np.random.default_rng(seed).random((2, height, width)) < 0.5
    got = ops.area_weights(bits, h, w)
    assert (got == reference.area_weights(bits, h, w)).all()
    assert (got == ops.area_weights(ops.pack_masks(bits), h, w, width)).all()
    np.testing.assert_allclose(got.mean((1, 2)), bits.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: ops.masks(np.zeros((1, 2, 2)), np.zeros(1, np.float32), 8),
            "maps must be float32",
        ),
        (lambda: ops.masks(np.zeros((1, 2, 2), "f4"), np.zeros(2, "f4"), 8), "levels must be"),
        (lambda: ops.masks(np.zeros((1, 2, 2), "f4"), np.zeros(1, "f4"), 0), "size must be one or"),
        (lambda: ops.masks(np.zeros((1, 2, 2), "f4"), np.zeros(1, "f4"), 8, "wrap"), "border"),
        (lambda: ops.unpack_masks(np.zeros((2, 2), np.uint8), 40), "cannot be masks of width"),
        (lambda: ops.mask_areas(np.zeros((2, 2))), "packed masks are uint8"),
        (lambda: ops.area_weights(np.zeros((2, 2), bool), 1, 1), "masks must be bool"),
        (lambda: ops.mask_counts(BYTES, BYTES, "xor"), "how must be one of and, or, andnot"),
        (lambda: ops.mask_counts(BYTES, BYTES[:1]), "mask sizes differ"),
    ],
)
def test_wrong_arguments_are_refused(call, words):
    with pytest.raises(UserError, match=words):
        call()
