"""The published estimate of levels: exact while nothing is thrown away, close afterwards."""

import numpy as np
import pytest
import torch

from exemplars.test_mine import BYTES, SPEC, net
from milan_core.core.errors import UserError
from milan_core.exemplars.merge import merge
from milan_core.exemplars.mine import mine
from milan_core.exemplars.options import ExemplarsSpec
from milan_core.exemplars.sketch import QuantileSketch
from milan_core.exemplars.store import load_exemplars

LAYERS = ["0", "5"]


def filled(values, resolution, seed=0, batch=1, mode="top"):
    """A sketch of one unit that has seen `values`, `batch` of them at a time."""
    sketch = QuantileSketch(1, mode, seed, "layer", resolution)
    for start in range(0, len(values), batch):
        part = torch.tensor(values[start : start + batch], dtype=torch.float32)
        sketch.update(part[:, None, None, None])
    return sketch


def test_few_values_are_interpolated_between_the_middles_of_their_ranks():
    sketch = filled([4.0, 1.0, 3.0, 2.0], resolution=2)
    # Ranks 0.5, 1.5, 2.5, 3.5 of four; beyond the outermost lie smallest and largest themselves.
    assert sketch.quantile(0.5)[0] == 2.5
    assert sketch.quantile(0.75)[0] == 3.5
    assert sketch.quantile(0.25)[0] == 1.5
    assert sketch.quantile(0.99)[0] == 4.0
    assert filled([4.0, 1.0], 2, mode="bottom").quantile(0.01)[0] == -4.0
    assert np.isnan(QuantileSketch(1, "top", 0, "layer").quantile(0.5)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_full_buffer_keeps_every_other_value_with_twice_the_weight(seed):
    sketch = filled([1.0, 2.0, 3.0, 4.0, 5.0], resolution=2, seed=seed)
    # Either 1 and 3 or 2 and 4 stand for two each, at ranks 1 and 3 of 5; then 5 at rank 4.5.
    kept = {1.0: [1.0, 3.0], 2.0: [2.0, 4.0]}
    first = float(sketch.quantile(1 / 5)[0])
    assert sketch.quantile(3 / 5)[0] == pytest.approx(kept[first][1])
    assert sketch.quantile(4.5 / 5)[0] == 5.0
    assert sketch.quantile(0.0)[0] == 1.0, "the smallest value is never thrown away"


def test_both_sides_of_the_coin_come_up():
    firsts = {float(filled([1, 2, 3, 4, 5], 2, seed).quantile(0.2)[0]) for seed in range(20)}
    assert firsts == {1.0, 2.0}


@pytest.mark.parametrize("batch", [7, 1000, 20_000])
def test_no_batch_size_changes_it(batch):
    values = np.random.default_rng(1).normal(size=20_000)
    expected = filled(values, 32, batch=100).quantile(0.99)
    assert filled(values, 32, batch=batch).quantile(0.99) == expected
    assert filled(values, 32, seed=1, batch=batch).quantile(0.99) != expected


def test_the_rank_error_is_small():
    values = np.random.default_rng(2).permutation(400_000)
    found = float(filled(values, 4096, batch=5000).quantile(0.99)[0])
    assert abs(found / 400_000 - 0.99) < 0.001  # what the published code claims


def test_mined_levels_are_those_of_the_sketch(tmp_path):
    options = {"k": 3, "quantile": 0.9, "input": SPEC, "batch_size": 8}
    binned = mine(net(), BYTES, LAYERS, **options)
    found = mine(net(), BYTES, LAYERS, **options, levels="sketch", seed=3)
    values = mine(net(), BYTES, "5", **{**options, "k": 50}).activations("5")[:, ::-1]
    # 50 images of 1 x 1: nothing is thrown away, so the level is NumPy's with Hazen's ranks.
    hazen = np.quantile(values, 0.9, axis=1, method="hazen")
    np.testing.assert_allclose(found.levels("5"), hazen, rtol=1e-6)
    # 12,800 values of a unit: buffers were compacted, and the level is near the exact one.
    np.testing.assert_allclose(found.levels("0"), binned.levels("0"), rtol=0.02)
    assert (found.levels("0") != binned.levels("0")).any()
    assert (found.ids("0") == binned.ids("0")).all()
    found.save(tmp_path / "1-of-1")
    mine(net(), BYTES, LAYERS, **options, levels="sketch", seed=3).save(tmp_path / "again")
    assert (tmp_path / "1-of-1").read_bytes() == (tmp_path / "again").read_bytes()
    merged = merge([load_exemplars(tmp_path / "1-of-1")])
    assert (merged.levels("0") == found.levels("0")).all()
    assert merged.meta["levels"] == "sketch"


def test_shards_are_refused():
    with pytest.raises(UserError, match="reads the images in order"):
        mine(net(), BYTES, LAYERS, k=3, input=SPEC, levels="sketch", shard=(0, 2))
    with pytest.raises(ValueError, match="shards must be 1, not 2"):
        ExemplarsSpec(levels="sketch", shards=2)
