"""Small cases whose answers can be read off by hand."""

import numpy as np
import pytest
import torch

from milan_core import ops
from milan_core.core.errors import UserError
from ops.support import level_error, reference_state, scan

INF, NAN = np.inf, np.nan
MAKERS = {"native": ops.ScanState, "reference": reference_state}


@pytest.fixture(params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


def column(*values):
    """Images of one unit and one pixel."""
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("values", "k", "ids", "best"),
    [
        ([1, 5, 3, 5], 3, [1, 3, 2], [5, 5, 3]),  # ties: lower id first
        ([-3, -1, -2], 2, [1, 2], [-1, -2]),
        ([0.0, -0.0, 0.0], 3, [0, 1, 2], [0, 0, 0]),  # -0 is 0
        ([1, 2], 4, [1, 0, -1, -1], [2, 1, -INF, -INF]),  # k > N
        ([NAN, 2, NAN], 3, [1, -1, -1], [2, -INF, -INF]),
        ([-INF, NAN], 2, [0, -1], [-INF, -INF]),
        ([INF, 1, INF], 2, [0, 2], [INF, INF]),
        ([1e-45, 0, -1e-45], 3, [0, 1, 2], [1e-45, 0, -1e-45]),
    ],
)
def test_topk(make, isa, values, k, ids, best):
    state = scan(make, column(*values), {"k": k, "quantile": 0.5})
    got_ids, got, maps = state.topk()
    assert got_ids[0].tolist() == ids
    assert got[0].tolist() == np.float32(best).tolist()
    assert maps.shape == (1, k, 1, 1)


def test_maps_are_those_of_the_winning_images(make, isa):
    values = np.zeros((5, 2, 2, 3), np.float32)
    values[3, 0] = [[1, 2, 3], [4, 5, 6]]
    values[1, 1] = -7
    values[1, 1, 0, 0] = 9
    ids, best, maps = scan(make, values, {"k": 1, "quantile": 0.9}).topk()
    assert ids.tolist() == [[3], [1]]
    assert best.tolist() == [[6], [9]]
    assert maps[0, 0].tolist() == values[3, 0].tolist()
    assert maps[1, 0].tolist() == values[1, 1].tolist()


@pytest.mark.parametrize(
    ("values", "q", "level"),
    [
        ([0] * 99 + [3], 0.99, 0),  # rank 2 of 100: a sparse unit
        ([0] * 98 + [3, 3], 0.98, 0),
        ([0] * 100, 0.99, 0),
        ([5], 0.99, 5),  # rank 1 is the maximum
        ([1, 2, 3, 4], 1.0, 4),
        ([0, 0, -1, -1, 2], 0.6, 0),  # zeros between signs
        ([1, INF, INF], 0.5, INF),
        ([-INF, -INF, -INF, 0], 0.3, -INF),
        ([NAN, NAN, 7, NAN], 0.5, 7),
    ],
)
def test_levels_without_rounding(make, isa, values, q, level):
    state = scan(make, column(*values), {"k": 1, "quantile": q})
    got, resolved = state.levels()
    assert (got[0], resolved[0]) == (level, True)


@pytest.mark.parametrize(("low", "high"), [(1e-30, 1e30), (-1e30, 5), (-1e-30, INF)])
def test_values_far_apart(make, isa, low, high):
    state = scan(make, column(*[low] * 50, *[high] * 2), {"k": 1, "quantile": 0.5})
    level, resolved = state.levels()
    assert resolved[0]
    assert level_error(level[0], np.float32(low)) <= 2.0**-10


def test_level_of_nothing_is_nan(make, isa):
    level, resolved = scan(make, column(NAN), {"k": 1, "quantile": 0.5}).levels()
    assert np.isnan(level[0])
    assert not resolved[0]


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 7), (torch.float16, 10)])
@pytest.mark.parametrize("sign", [1, -1])
def test_half_precision_levels_are_exact(make, isa, dtype, bits, sign):
    generator = torch.Generator().manual_seed(0)
    values = sign * (torch.rand(64, 5, 3, 3, generator=generator) + 0.01).to(dtype)
    state = scan(make, values, {"k": 1, "quantile": (0.8, 0.9), "bits": bits})
    flat = values.float().numpy().transpose(1, 0, 2, 3).reshape(5, -1)
    for q in (0.8, 0.9):
        assert state.levels(q)[0].tolist() == ops.exact_levels(flat, q).tolist()


def test_modes_and_counts(make, isa):
    values = column(-4, 3, 0, -0.0, NAN)
    for mode, best, where, negatives in (
        ("top", 3, 1, 1),
        ("bottom", 4, 0, 1),
        ("magnitude", 4, 0, 0),
    ):
        state = scan(make, values, {"k": 1, "quantile": 0.5, "mode": mode})
        ids, top, _ = state.topk()
        assert (ids[0, 0], top[0, 0]) == (where, best)
        counts = {name: int(array[0]) for name, array in state.counts().items()}
        assert counts == {"values": 4, "zeros": 2, "negatives": negatives, "nan": 1}


def test_no_maps(make):
    assert scan(make, column(1, 2), {"k": 1, "quantile": 0.5, "keep_maps": False}).topk()[2] is None


def test_counts_beyond_32_bits(isa):
    """A bin near 2^32 goes on counting: the state is loaded, as no test can feed that many."""
    total = 2**31
    state = ops.ScanState(1, (2, 2), 1, 0.5, total)
    state.update(np.full((1, 1, 2, 2), 1.5, np.float32), [0])
    arrays, meta = state.to_arrays()
    arrays["counts"] = arrays["counts"] + np.uint64(2**32 - 6)
    meta["images"] = 2**30
    state = ops.ScanState.from_arrays(arrays, meta)
    for image in range(1, 4):
        state.update(np.full((1, 1, 2, 2), 1.5, np.float32), [image])
    assert state.to_arrays()[0]["counts"].tolist() == [2**32 + 10]
    assert state.levels()[0].tolist() == [1.5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantile": 0.0}, "quantiles must be in"),
        ({"quantile": ()}, "quantiles must be in"),
        ({"k": 0}, "k must be in"),
        ({"mode": "up"}, "mode must be one of"),
        ({"bits": 17}, "bits must be in"),
        ({"total_images": 0}, "total_images must be in"),
        ({"map_shape": (3,)}, "map_shape"),
    ],
)
def test_wrong_rules_are_refused(change, words):
    rules = {"units": 1, "map_shape": (1, 1), "k": 1, "quantile": 0.5, "total_images": 9}
    with pytest.raises(UserError, match=words):
        ops.ScanState(**{**rules, **change})


@pytest.mark.parametrize(
    ("activations", "ids", "words"),
    [
        (np.zeros((1, 2, 1, 1), np.float32), [0], "activations must be"),
        (np.zeros((2, 1, 1, 1), np.float32), [0], "activations must be"),
        (np.zeros((1, 1, 1, 1), np.float64), [0], "float32, bfloat16 or float16"),
        (torch.zeros(1, 1, 1, 1, dtype=torch.float64), [0], "float32, bfloat16 or float16"),
        (np.zeros((1, 1, 1, 1), np.float32), [-1], "image_ids must be in"),
        (np.zeros((1, 1, 1, 1), np.float32), [2**32], "image_ids must be in"),
        (np.zeros((1, 1, 1, 1), np.float32), [0.5], "row of integers"),
        (np.zeros((4, 1, 1, 1), np.float32), [0, 1, 2, 3], "total_images=3"),
    ],
)
def test_wrong_batches_are_refused(make, activations, ids, words):
    with pytest.raises(UserError, match=words):
        make(1, (1, 1), 1, 0.5, 3).update(activations, ids)


def test_unknown_instruction_set_is_refused(monkeypatch):
    monkeypatch.setenv("MILAN_ISA", "mmx")
    with pytest.raises(UserError, match="MILAN_ISA=mmx"):
        ops.facts()
