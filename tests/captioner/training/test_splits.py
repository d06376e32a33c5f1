"""Annotated units of a split: features of several networks below each other."""

import numpy as np
import pytest

from milan_core.annotations.records import Annotation, write_annotations
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.training.splits import load_units
from milan_core.core.errors import UserError


def test_features_of_several_networks_are_copied_once_and_in_order(tmp_path):
    rng, paths, texts, whole = np.random.default_rng(0), [], [], []
    for name, units in (("a", 5), ("b", 300)):
        array = rng.normal(size=(units, 2, 3)).astype(np.float16)
        meta = {"encoder": "e", "pooling": {}}
        paths.append(tmp_path / f"{name}.safetensors")
        FeatureTable({"exact": array, "whole": array + 1}, [("x", units)], meta).save(paths[-1])
        kept = [unit for unit in range(units) if unit % 3]
        texts.append(tmp_path / f"{name}.csv")
        write_annotations(texts[-1], [Annotation("x", unit, f"text {unit}") for unit in kept])
        whole.append(array[kept])
    found = load_units(["a", "b"], paths, texts)
    expected = np.concatenate(whole)
    np.testing.assert_array_equal(found.features(), expected)
    assert isinstance(found.parts[0][0], np.memmap)
    rows = np.array([1, 2, 3, 150, 201])
    np.testing.assert_array_equal(found.features(rows), expected[rows])
    assert found.features().dtype == np.float16
    assert found.units[3][:2] == ("b", "x")
    texts[1].write_text("layer,unit,summary\nx,one,dogs\n")
    with pytest.raises(UserError, match=r"b\.csv, line 2: unit must be a number"):
        load_units(["a", "b"], paths, texts)
    narrow = rng.normal(size=(5, 2, 4)).astype(np.float16)
    FeatureTable({"exact": narrow}, [("x", 5)], {"encoder": "e"}).save(paths[1])
    with pytest.raises(UserError, match="features of different sizes"):
        load_units(["a", "b"], paths, texts)
